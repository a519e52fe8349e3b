"""Columns of the parcels table that layers and area evaluations give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.overlay.ground import Ask, Method
from landplan.overlay.pieces import find_shares
from landplan.units import RESOLUTION

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = [
    "Coverage",
    "cover_shares",
    "coverage_of",
    "measure_coverage",
    "measure_evaluations",
    "measure_overlaps",
    "measure_reach",
]


@dataclass(frozen=True, eq=False)
class Coverage:
    """
    The area evaluations of one item on a day, sorted by what they say of the land under them.

    Parameters
    ----------
    lasting : GeoDataFrame
        Those in date.
    doubtful : GeoDataFrame or None
        These and those of which a day is missing: they may be in date or not. None where no day is.
    dated : GeoDataFrame
        Those approved by then whose expiry is known, passed or not; ``_feature`` numbers them.
    """

    lasting: GeoDataFrame
    doubtful: GeoDataFrame | None
    dated: GeoDataFrame

    def asks(self) -> Iterator[Ask]:
        """Tell what will be asked of them."""
        for frame, feature in ((self.lasting, None), (self.doubtful, None), (self.dated, "_feature")):
            if frame is not None and len(frame):
                yield Ask(frame, feature)


def measure_reach(parcels: GeoDataFrame, extent: GeoDataFrame, *, method: Method = "exact") -> pd.Series[Any]:
    """
    Tell which parcels a layer speaks for.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and ``measure_epsg``.
    extent : GeoDataFrame
        Polygons the layer was surveyed for.
    method : {"exact", "fast"}
        By shapely, or compiled; both give the same.

    Returns
    -------
    Series of bool, n rows, same index
        True where the whole parcel lies within, to 0.01 m2; False without an area.
    """
    inside = find_shares(parcels, extent, method=method)
    covered = np.zeros(len(parcels))
    covered[inside["_at"].to_numpy()] = inside["overlap_m2"].to_numpy()
    areas = parcels["area_m2"].to_numpy(dtype="float64")
    # A parcel brought over from another zone comes back with noise in the ninth digit.
    return pd.Series(covered >= areas - np.maximum(RESOLUTION["area"], areas * 1e-9), index=parcels.index)


def measure_overlaps(
    parcels: GeoDataFrame, pieces: GeoDataFrame, reach: pd.Series[Any], name: str
) -> pd.DataFrame:
    """
    Measure area and share of each parcel under a layer.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2``.
    pieces : GeoDataFrame
        As ``find_pieces`` or ``locate_pieces`` gives for the layer taken as one.
    reach : Series of bool, n rows
        As ``measure_reach`` gives.
    name : str
        Name of the layer.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``<name>_overlap_m2`` and ``<name>_overlap_share`` (0 to 1); NaN beyond the reach of the layer.
    """
    if "_at" in pieces.columns:
        at = pieces["_at"].to_numpy()
    else:
        at = parcels.index.astype("str").get_indexer(pd.Index(pieces["parcel_id"]))
    area = np.zeros(len(parcels))
    area[at[at >= 0]] = pieces["overlap_m2"].to_numpy(dtype="float64")[at >= 0]
    measured = np.where(reach.to_numpy(dtype=bool), area, np.nan)
    share = np.minimum(measured / parcels["area_m2"].to_numpy(dtype="float64"), 1.0)
    return pd.DataFrame({f"{name}_overlap_m2": measured, f"{name}_overlap_share": share}, index=parcels.index)


def measure_evaluations(
    parcels: GeoDataFrame,
    evaluations: GeoDataFrame,
    items: Mapping[str, str],
    as_of: date,
    *,
    method: Method = "exact",
) -> pd.DataFrame:
    """
    Measure how much of each parcel its area evaluations cover, counting only those in date.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and ``measure_epsg``.
    evaluations : GeoDataFrame
        Polygons with ``item`` (a code), ``approved_on`` and ``until``.
    items : mapping of str to str
        Codes and titles of the items the zone must have.
    as_of : date
        An evaluation counts from the day it was approved to the day it is valid until, both included.
    method : {"exact", "fast"}
        By shapely, or compiled; both give the same.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``evaluation_<item>_share`` (0 to 1; NaN where no evaluation of the item was supplied at all, or where one
        without a day of expiry would have to count: unknown, not uncovered) and ``evaluation_<item>_until``: the
        earliest expiry among those that cover it, or, where none is in date, the latest expiry passed.
    """
    return measure_coverage(parcels, coverage_of(evaluations, items, as_of), as_of, method=method)


def coverage_of(
    evaluations: GeoDataFrame, items: Mapping[str, str], as_of: date
) -> dict[str, Coverage | None]:
    """
    Sort area evaluations by item, and by what they say on a day.

    Parameters
    ----------
    evaluations, items, as_of
        As in ``measure_evaluations``.

    Returns
    -------
    dict of str to Coverage or None
        For each item; None where no evaluation of it was supplied at all.
    """
    day = pd.Timestamp(as_of)
    found: dict[str, Coverage | None] = {}
    for item in items:
        supplied = evaluations[(evaluations["item"] == item).to_numpy(dtype=bool)]
        begun = (supplied["approved_on"] <= day).to_numpy(dtype=bool)
        ended = (supplied["until"] < day).to_numpy(dtype=bool)
        dated = supplied["until"].notna().to_numpy(dtype=bool)
        # One without a day of expiry (or of approval) may be in date or not.
        undated = (supplied["approved_on"].isna() | (begun & ~dated)).to_numpy(dtype=bool)
        lasting = begun & dated & ~ended
        known = supplied[begun & dated]
        found[item] = (
            Coverage(
                supplied[lasting],
                supplied[undated | lasting] if undated.any() else None,
                known.assign(_feature=[str(n) for n in range(len(known))]),
            )
            if len(supplied)
            else None
        )
    return found


def measure_coverage(
    parcels: GeoDataFrame, coverage: Mapping[str, Coverage | None], as_of: date, *, method: Method = "exact"
) -> pd.DataFrame:
    """
    Measure how much of each parcel is covered by evaluations that were sorted beforehand.

    Parameters
    ----------
    parcels, as_of, method
        As in ``measure_evaluations``.
    coverage : mapping of str to Coverage or None
        As ``coverage_of`` gives for the same day.

    Returns
    -------
    DataFrame, n rows, same index and order
        As ``measure_evaluations`` gives.
    """
    result: dict[str, pd.Series[Any]] = {}
    for item, held in coverage.items():
        share = np.full(len(parcels), np.nan)
        until = np.full(len(parcels), np.datetime64("NaT", "s"))
        if held is not None:
            share = cover_shares(parcels, held.lasting, method)
            unknown = parcels["area_m2"].isna().to_numpy(dtype=bool)
            if held.doubtful is not None:
                # Where one that may be in date would cover more, nothing is known.
                unknown = unknown | (cover_shares(parcels, held.doubtful, method) > share + 1e-9)
            share[unknown] = np.nan
            until = _until(parcels, held.dated, np.datetime64(as_of, "s"), method)
        result[f"evaluation_{item}_share"] = pd.Series(share, index=parcels.index)
        result[f"evaluation_{item}_until"] = pd.Series(until, index=parcels.index)
    return pd.DataFrame(result, index=parcels.index)


def cover_shares(parcels: GeoDataFrame, polygons: GeoDataFrame, method: Method) -> Any:
    """
    Measure how much of each parcel some polygons cover; land under several of them counts once.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows
        With ``area_m2`` and ``measure_epsg``.
    polygons : GeoDataFrame
        Valid; none covers nothing.
    method : {"exact", "fast"}
        By shapely, or compiled.

    Returns
    -------
    array of float64, n
        0 to 1; 0 for a parcel without an area, too.
    """
    share = np.zeros(len(parcels))
    if len(polygons):
        found = find_shares(parcels, polygons, method=method)
        share[found["_at"].to_numpy()] = found["overlap_share"].to_numpy()
    return share


def _until(parcels: GeoDataFrame, dated: GeoDataFrame, day: np.datetime64, method: Method) -> Any:
    """The earliest expiry to come among those that cover each parcel, else the latest passed."""
    never = np.iinfo(np.int64).max
    earliest, latest = np.full(len(parcels), never), np.full(len(parcels), -never)
    if len(dated):
        found = find_shares(parcels, dated, "_feature", method=method)
        at = found["_at"].to_numpy()
        days = dated["until"].to_numpy().astype("datetime64[s]").astype(np.int64)
        expiry = days[found["feature"].to_numpy().astype(np.int64)]
        coming = expiry >= day.astype(np.int64)
        np.minimum.at(earliest, at[coming], expiry[coming])
        np.maximum.at(latest, at[~coming], expiry[~coming])
    until = np.where(earliest < never, earliest, latest).astype("datetime64[s]")
    until[(earliest == never) & (latest == -never)] = np.datetime64("NaT", "s")
    return until
