"""
How much of each layer lies in each parcel, and where.

Areas are taken in the parcel's own measuring zone. Land covered twice by features of one layer counts once. A layer speaks
only for its extent: a parcel that reaches beyond it gets NaN, which is unknown and never clear.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import geopandas
import numpy as np
import pandas as pd
import shapely

from landplan.crs import in_measuring_zones, transform
from landplan.schema import coerce
from landplan.units import RESOLUTION

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["find_pieces", "measure_evaluations", "measure_overlaps", "measure_reach"]


def _zones(parcels: GeoDataFrame) -> Iterator[tuple[int, GeoDataFrame]]:
    # Only what measuring needs is cut and carried from zone to zone, not a hundred columns of facts.
    slim = parcels[[parcels.geometry.name, "area_m2", "measure_epsg"]]
    measured = slim[slim["area_m2"].notna().to_numpy(dtype=bool)]
    return in_measuring_zones(measured, measured["measure_epsg"])


def _pairs(part: GeoDataFrame, layer: GeoDataFrame) -> tuple[Any, Any, Any]:
    """Positions of parcel and feature, and the polygons they share; touching along an edge is not sharing."""
    shapes = part.geometry.values
    features = transform(layer, part.crs).geometry.values
    tree = shapely.STRtree(features)
    first, second = tree.query(shapes, predicate="intersects")
    shapely.prepare(shapes)
    common = shapely.intersection(shapes[first], features[second])
    real = shapely.area(common) > 0
    order = np.lexsort((second[real], first[real]))
    return first[real][order], second[real][order], common[real][order]


def _polygonal(geometry: Any) -> Any:
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    polygons = [
        piece
        for part in shapely.get_parts(geometry)
        for piece in shapely.get_parts(part)
        if piece.geom_type == "Polygon" and piece.area > 0
    ]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def find_pieces(parcels: GeoDataFrame, layer: GeoDataFrame, name: str, feature: str | None = None) -> GeoDataFrame:
    """
    Cut out the pieces of a layer that lie inside parcels.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and ``measure_epsg``; parcels without an area are passed over.
    layer : GeoDataFrame
        Valid polygons, any CRS on the same datum.
    name : str
        Name of the layer.
    feature : str or None
        Column that tells features apart (a zone's code); None takes the layer as one and joins its pieces.

    Returns
    -------
    GeoDataFrame
        One row per parcel (and feature): ``parcel_id, layer, feature, overlap_m2, overlap_share`` and the piece, in
        the CRS of the parcels; ordered as the parcels, then by feature. Pieces that overlap each other count once.
    """
    rows: list[dict[str, Any]] = []
    for _, part in _zones(parcels):
        first, second, common = _pairs(part, layer)
        labels = [""] * len(layer) if feature is None else layer[feature].astype("str").tolist()
        grouped: dict[tuple[int, str], list[Any]] = {}
        for position, at, piece in zip(first.tolist(), second.tolist(), common, strict=True):
            grouped.setdefault((position, labels[at]), []).append(piece)
        areas = part["area_m2"].to_numpy(dtype="float64")
        found: list[Any] = []
        for (position, label), pieces in grouped.items():
            whole = _polygonal(pieces[0] if len(pieces) == 1 else shapely.union_all(pieces))
            area = float(whole.area)
            found.append(whole)
            rows.append(
                {
                    "parcel_id": str(part.index[position]),
                    "layer": name,
                    "feature": label,
                    "overlap_m2": area,
                    "overlap_share": min(area / areas[position], 1.0),
                }
            )
        back = transform(geopandas.GeoDataFrame(geometry=found, crs=part.crs), parcels.crs).geometry
        for row, piece in zip(rows[len(rows) - len(found) :], back, strict=True):
            row["geometry"] = piece
    columns = ["parcel_id", "layer", "feature", "overlap_m2", "overlap_share", "geometry"]
    table = coerce(pd.DataFrame(rows, columns=columns), "overlaps")
    pieces_frame = geopandas.GeoDataFrame(table, geometry="geometry", crs=parcels.crs)
    order = {str(pid): position for position, pid in enumerate(parcels.index)}
    pieces_frame["_order"] = pieces_frame["parcel_id"].map(order)
    pieces_frame = pieces_frame.sort_values(["_order", "feature"], kind="stable").drop(columns="_order")
    return pieces_frame.reset_index(drop=True)


def measure_reach(parcels: GeoDataFrame, extent: GeoDataFrame) -> pd.Series[Any]:
    """
    Tell which parcels a layer speaks for.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and ``measure_epsg``.
    extent : GeoDataFrame
        Polygons the layer was surveyed for.

    Returns
    -------
    Series of bool, n rows, same index
        True where the whole parcel lies within, to 0.01 m2; False without an area.
    """
    inside = find_pieces(parcels, extent, "extent").set_index("parcel_id")["overlap_m2"]
    covered = inside.reindex(parcels.index.astype("str")).fillna(0.0).to_numpy(dtype="float64")
    areas = parcels["area_m2"].to_numpy(dtype="float64")
    # A parcel brought over from another zone comes back with noise in the ninth digit.
    return pd.Series(covered >= areas - np.maximum(RESOLUTION["area"], areas * 1e-9), index=parcels.index)


def measure_overlaps(parcels: GeoDataFrame, pieces: GeoDataFrame, reach: pd.Series[Any], name: str) -> pd.DataFrame:
    """
    Measure area and share of each parcel under a layer.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2``.
    pieces : GeoDataFrame
        As ``find_pieces`` gives for the layer taken as one.
    reach : Series of bool, n rows
        As ``measure_reach`` gives.
    name : str
        Name of the layer.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``<name>_overlap_m2`` and ``<name>_overlap_share`` (0 to 1); NaN beyond the reach of the layer.
    """
    area = pieces.set_index("parcel_id")["overlap_m2"].reindex(parcels.index.astype("str")).fillna(0.0)
    measured = np.where(reach.to_numpy(dtype=bool), area.to_numpy(dtype="float64"), np.nan)
    share = np.minimum(measured / parcels["area_m2"].to_numpy(dtype="float64"), 1.0)
    return pd.DataFrame({f"{name}_overlap_m2": measured, f"{name}_overlap_share": share}, index=parcels.index)


def measure_evaluations(
    parcels: GeoDataFrame, evaluations: GeoDataFrame, items: Mapping[str, str], as_of: date
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

    Returns
    -------
    DataFrame, n rows, same index and order
        ``evaluation_<item>_share`` (0 to 1; NaN where no evaluation of the item was supplied at all, or where one
        without a day of expiry would have to count: unknown, not uncovered) and ``evaluation_<item>_until``: the earliest expiry among those that cover it, or, where none is
        in date, the latest expiry passed.
    """
    day = pd.Timestamp(as_of)
    result: dict[str, pd.Series[Any]] = {}
    for item in items:
        supplied = evaluations[(evaluations["item"] == item).to_numpy(dtype=bool)]
        share = pd.Series(np.nan, index=parcels.index, dtype="float64")
        until = pd.Series(pd.NaT, index=parcels.index, dtype="datetime64[s]")
        if len(supplied):
            begun = (supplied["approved_on"] <= day).to_numpy(dtype=bool)
            ended = (supplied["until"] < day).to_numpy(dtype=bool)
            dated = supplied["until"].notna().to_numpy(dtype=bool)
            share = _covered(parcels, supplied[begun & dated & ~ended], item)
            # One without a day of expiry (or of approval) may be in date or not: where it alone would cover, unknown.
            undated = (supplied["approved_on"].isna() | (begun & ~dated)).to_numpy(dtype=bool)
            with_undated = _covered(parcels, supplied[undated | (begun & dated & ~ended)], item)
            share[(with_undated > share + 1e-9).to_numpy(dtype=bool) | parcels["area_m2"].isna().to_numpy(dtype=bool)] = np.nan
            until = _until(parcels, supplied[begun & dated], day)
        result[f"evaluation_{item}_share"] = share
        result[f"evaluation_{item}_until"] = until
    return pd.DataFrame(result, index=parcels.index)


def _covered(parcels: GeoDataFrame, evaluations: GeoDataFrame, item: str) -> pd.Series[Any]:
    if evaluations.empty:
        return pd.Series(0.0, index=parcels.index)
    pieces = find_pieces(parcels, evaluations, item)
    share = pieces.set_index("parcel_id")["overlap_share"].reindex(parcels.index.astype("str"))
    return pd.Series(share.fillna(0.0).to_numpy(dtype="float64"), index=parcels.index)


def _until(parcels: GeoDataFrame, supplied: GeoDataFrame, day: pd.Timestamp) -> pd.Series[Any]:
    until = pd.Series(pd.NaT, index=parcels.index, dtype="datetime64[s]")
    if supplied.empty:
        return until
    numbered = supplied.assign(_feature=[str(n) for n in range(len(supplied))])
    pieces = find_pieces(parcels, numbered, "until", feature="_feature")
    days = pd.Series(supplied["until"].to_numpy(), index=numbered["_feature"])
    pieces["until"] = pieces["feature"].map(days)
    valid = pieces[(pieces["until"] >= day).to_numpy(dtype=bool)].groupby("parcel_id")["until"].min()
    passed = pieces[(pieces["until"] < day).to_numpy(dtype=bool)].groupby("parcel_id")["until"].max()
    merged = valid.combine_first(passed).reindex(parcels.index.astype("str"))
    return pd.Series(merged.to_numpy(), index=parcels.index).astype("datetime64[s]")
