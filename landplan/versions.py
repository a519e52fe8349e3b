"""Boundaries of two days held against each other (扩区, 调区), and land that parcels claim twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from landplan.attach import attach_zones, zones_on
from landplan.crs import in_measuring_zones, measure_areas, measuring_epsg
from landplan.overlay import Method, find_pieces

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["BoundaryChange", "compare_boundaries", "measure_doubles", "measure_zones"]

_FACTS = ("zone_name", "zone_level", "zone_kind", "area_planned_m2")
_LEAST_M2 = 0.01


@dataclass(frozen=True)
class BoundaryChange:
    """
    What became of boundaries between two days.

    Parameters
    ----------
    day_before, day_after : date
        The days.
    zones : DataFrame, indexed by zone_code
        ``<fact>_before`` and ``<fact>_after`` of name, level, kind and approved area; ``area_before_m2, area_after_m2`` as
        drawn (0 where the zone is not in force), ``gained_m2, lost_m2``.
    parcels : DataFrame, indexed by parcel_id
        ``zone_before, share_before, zone_after, share_after`` and ``area_m2``: of each day the zone with the largest share.
    """

    day_before: date
    day_after: date
    zones: DataFrame
    parcels: DataFrame


def measure_zones(zones: GeoDataFrame, as_of: date, measure_crs: Any = None) -> DataFrame:
    """
    Measure the zones in force on a day as they are drawn.

    Parameters
    ----------
    zones : GeoDataFrame
        All versions.
    as_of : date
        The day.
    measure_crs : int, str, CRS or None
        As in ``crs.measure_areas``.

    Returns
    -------
    DataFrame
        One row per zone: its facts and ``area_m2``, in its own measuring zone; by code.
    """
    current = zones_on(zones, as_of).reset_index(drop=True)
    areas = measure_areas(current, measure_crs)["area_m2"] if len(current) else pd.Series(dtype="float64")
    names = [name for name in ("zone_code", *_FACTS) if name in current.columns]
    return pd.DataFrame(current[names]).assign(area_m2=areas)


def compare_boundaries(
    zones: GeoDataFrame,
    parcels: GeoDataFrame,
    day_before: date,
    day_after: date,
    measure_crs: Any = None,
    *,
    method: Method = "exact",
) -> BoundaryChange:
    """
    Hold the boundaries of two days against each other, and give every parcel its zone on both.

    Parameters
    ----------
    zones : GeoDataFrame
        All versions: ``zone_code, valid_from, valid_to`` and facts.
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and ``measure_epsg``.
    day_before, day_after : date
        The days.
    measure_crs : int, str, CRS or None
        As in ``crs.measure_areas``.
    method : {"exact", "fast"}
        By shapely, or compiled.

    Returns
    -------
    BoundaryChange
        Zones in force on either day; all parcels.
    """
    versions = [zones_on(zones, day).set_index("zone_code") for day in (day_before, day_after)]
    codes = pd.Index(sorted({*versions[0].index, *versions[1].index}), name="zone_code", dtype="str")
    table = pd.DataFrame(index=codes)
    for version, when in zip(versions, ("before", "after"), strict=True):
        for name in _FACTS:
            known = version[name] if name in version.columns else pd.Series(dtype="object")
            table[f"{name}_{when}"] = known.reindex(codes)
        drawn = measure_areas(version, measure_crs)["area_m2"] if len(version) else pd.Series(dtype="float64")
        table[f"area_{when}_m2"] = drawn.reindex(codes).where(codes.isin(version.index), 0.0)
    for name, (one, other) in {"gained_m2": (1, 0), "lost_m2": (0, 1)}.items():
        table[name] = _beyond(versions[one], versions[other], measure_crs).reindex(codes).fillna(0.0)
    columns: dict[str, Any] = {}
    for version, when in zip(versions, ("before", "after"), strict=True):
        current = GeoDataFrame(version.reset_index(), geometry="geometry", crs=zones.crs)
        pieces = find_pieces(parcels, current, "zones", feature="zone_code", method=method)
        held, _ = attach_zones(parcels, pieces, current)
        columns[f"zone_{when}"], columns[f"share_{when}"] = held["zone_code"], held["zone_share"]
    columns["area_m2"] = parcels["area_m2"]
    return BoundaryChange(day_before, day_after, table, pd.DataFrame(columns, index=parcels.index))


def _beyond(zones: GeoDataFrame, others: GeoDataFrame, measure_crs: Any) -> pd.Series[Any]:
    """Area of each zone that lies outside its own boundary among the others; each in its own measuring zone."""
    if zones.empty:
        return pd.Series(dtype="float64")
    codes = measuring_epsg(zones, measure_crs)
    found = {}
    for _, part in in_measuring_zones(zones, codes):
        rivals = others.to_crs(part.crs) if len(others) else others
        for code, shape in zip(part.index, part.geometry.values, strict=True):
            outside = shape if code not in rivals.index else shapely.difference(shape, rivals.geometry[code])
            area = float(shapely.area(outside))
            found[code] = area if area > _LEAST_M2 else 0.0
    return pd.Series(found, dtype="float64")


def measure_doubles(parcels: GeoDataFrame, kinds: pd.Series[Any]) -> DataFrame:
    """
    Reconcile the sum of parcels with the land they cover: what is drawn twice is counted twice, and is named.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and ``measure_epsg``.
    kinds : Series of str, n rows, same index
        Kind of stock of each parcel.

    Returns
    -------
    DataFrame
        One row per pair of parcels that overlap by more than 0.01 m2: ``parcel_id, other_id, stock_kind, other_kind,
        overlap_m2``, measured in the zone of the first; in the order of the parcels. Parcels without an area are passed over.
    """
    names = ["parcel_id", "other_id", "stock_kind", "other_kind", "overlap_m2"]
    sound = parcels[parcels["area_m2"].notna().to_numpy(dtype=bool)]
    if sound.empty:
        return pd.DataFrame(columns=names)
    order = pd.Series(np.arange(len(sound)), index=sound.index)
    most = pd.Series(int(sound["measure_epsg"].mode().iloc[0]), index=sound.index, dtype="Int64")
    _, plane = next(in_measuring_zones(sound, most))
    shapes = plane.geometry.values
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = np.column_stack([left, right])[left < right]
    shared = shapely.area(shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]]))
    pairs, shared = pairs[shared > _LEAST_M2], shared[shared > _LEAST_M2]
    one, other = plane.index[pairs[:, 0]], plane.index[pairs[:, 1]]
    table = pd.DataFrame(
        {"parcel_id": one, "other_id": other, "stock_kind": kinds.loc[one].to_numpy(), "other_kind": kinds.loc[other].to_numpy(),
         "overlap_m2": shared}
    )  # fmt: skip
    return (
        table.assign(_at=order.loc[one].to_numpy())
        .sort_values(["_at", "other_id"], kind="stable")[names]
        .reset_index(drop=True)
    )
