"""Columns of the parcels table that layers and area evaluations give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.overlay.areas import Method
from landplan.overlay.pieces import find_shares
from landplan.units import RESOLUTION

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["measure_evaluations", "measure_overlaps", "measure_reach"]


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
            share = _covered(parcels, supplied[begun & dated & ~ended], method)
            # One without a day of expiry (or of approval) may be in date or not: where it alone would cover, unknown.
            undated = (supplied["approved_on"].isna() | (begun & ~dated)).to_numpy(dtype=bool)
            doubtful = parcels["area_m2"].isna().to_numpy(dtype=bool)
            if undated.any():
                with_undated = _covered(parcels, supplied[undated | (begun & dated & ~ended)], method)
                doubtful = doubtful | (with_undated > share + 1e-9).to_numpy(dtype=bool)
            share[doubtful] = np.nan
            until = _until(parcels, supplied[begun & dated], day, method)
        result[f"evaluation_{item}_share"] = share
        result[f"evaluation_{item}_until"] = until
    return pd.DataFrame(result, index=parcels.index)


def _covered(parcels: GeoDataFrame, evaluations: GeoDataFrame, method: Method) -> pd.Series[Any]:
    if evaluations.empty:
        return pd.Series(0.0, index=parcels.index)
    found = find_shares(parcels, evaluations, method=method)
    share = np.zeros(len(parcels))
    share[found["_at"].to_numpy()] = found["overlap_share"].to_numpy()
    return pd.Series(share, index=parcels.index)


def _until(
    parcels: GeoDataFrame, supplied: GeoDataFrame, day: pd.Timestamp, method: Method
) -> pd.Series[Any]:
    until = pd.Series(pd.NaT, index=parcels.index, dtype="datetime64[s]")
    if supplied.empty:
        return until
    numbered = supplied.assign(_feature=[str(n) for n in range(len(supplied))])
    pieces = find_shares(parcels, numbered, "_feature", method=method)
    days = pd.Series(supplied["until"].to_numpy(), index=numbered["_feature"])
    pieces["until"] = pieces["feature"].map(days)
    valid = pieces[(pieces["until"] >= day).to_numpy(dtype=bool)].groupby("_at")["until"].min()
    passed = pieces[(pieces["until"] < day).to_numpy(dtype=bool)].groupby("_at")["until"].max()
    merged = valid.combine_first(passed)
    until.iloc[merged.index.to_numpy(dtype="int64")] = merged.to_numpy()
    return until.astype("datetime64[s]")
