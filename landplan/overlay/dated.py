"""Dated polygons that speak for land: what networks serve, and what was approved or sold as an outline only."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from geopandas import GeoDataFrame

from landplan.overlay.ground import Method
from landplan.overlay.measure import cover_shares
from landplan.overlay.pieces import measure_shares

__all__ = ["WHOLE", "measure_boundaries", "measure_servicing"]

WHOLE = 1.0 - 1e-6
"""Share from which a parcel counts as wholly covered: a surveyor's outline is drawn again, not copied."""


def measure_servicing(
    parcels: GeoDataFrame,
    servicing: GeoDataFrame,
    items: Iterable[str],
    as_of: date,
    *,
    method: Method = "exact",
) -> pd.DataFrame:
    """
    Measure how much of each parcel the networks serve on a day, and when they will serve all of it.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and ``measure_epsg``.
    servicing : GeoDataFrame
        Polygons with ``item`` (a code), ``on`` (first day served; missing: not yet), ``until``, ``expected_on`` and
        ``document``.
    items : iterable of str
        Codes of the items asked for.
    as_of : date
        A network serves from ``on`` to ``until``, both included.
    method : {"exact", "fast"}
        By shapely, or compiled; both give the same.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``servicing_<item>_share`` (0 to 1; NaN where no network of the item was supplied or the parcel has no area),
        ``servicing_<item>_on`` and ``servicing_<item>_document`` of the network that serves most of it, and
        ``servicing_<item>_expected_on``: the first day on which networks now expected would serve the whole parcel;
        missing where it is served already, or where no such day is known.
    """
    day = pd.Timestamp(as_of)
    result: dict[str, Any] = {}
    for item in items:
        supplied = servicing[(servicing["item"] == item).to_numpy(dtype=bool)]
        lasting = (_days(supplied, "until").isna() | (_days(supplied, "until") >= day)).to_numpy(dtype=bool)
        begun = (_days(supplied, "on") <= day).to_numpy(dtype=bool)
        now = supplied[begun & lasting]
        share = _covered(parcels, now, method)
        if supplied.empty:
            share[:] = np.nan
        on, document = _largest(parcels, now, method)
        coming = supplied[~begun & lasting]
        coming = coming.assign(_day=_days(coming, "on").fillna(_days(coming, "expected_on")))
        expected = pd.Series(pd.NaT, index=parcels.index, dtype="datetime64[s]")
        open_still = np.array(share < WHOLE, dtype=bool)
        for step in sorted(d for d in coming["_day"].dropna().unique() if d > day):
            if not open_still.any():
                break
            part = parcels[open_still]
            met = pd.concat([now, coming[(coming["_day"] <= step).to_numpy(dtype=bool)]])
            reached = (_covered(part, GeoDataFrame(met, crs=servicing.crs), method) >= WHOLE).to_numpy(
                dtype=bool
            )
            expected[part.index[reached]] = pd.Timestamp(step)
            open_still[np.flatnonzero(open_still)[reached]] = False
        result[f"servicing_{item}_share"] = share
        result[f"servicing_{item}_on"] = on
        result[f"servicing_{item}_document"] = document
        result[f"servicing_{item}_expected_on"] = expected
    return pd.DataFrame(result, index=parcels.index)


def measure_boundaries(
    parcels: GeoDataFrame,
    boundaries: GeoDataFrame,
    complete: Collection[str],
    as_of: date,
    *,
    method: Method = "exact",
) -> pd.DataFrame:
    """
    Measure how much of each parcel lies within outlines of approvals and of sales in force on a day.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and ``measure_epsg``.
    boundaries : GeoDataFrame
        Polygons with ``axis`` (``approval`` or ``sale``), ``on``, ``until`` and ``document``.
    complete : collection of str
        Axes of which no outline is missing: there, land outside every outline is known to be outside.
    as_of : date
        An outline counts from ``on`` to ``until`` (missing: for ever), both included.
    method : {"exact", "fast"}
        By shapely, or compiled; both give the same.

    Returns
    -------
    DataFrame, n rows, same index and order
        For each axis in ``boundaries``: ``boundary_<axis>_share`` (0 to 1; NaN where nothing is known: outside every
        outline of an axis not complete, touched only by outlines without a day, or without an area),
        ``boundary_<axis>_on`` and ``boundary_<axis>_document`` of the outline that holds most of the parcel.
    """
    day = pd.Timestamp(as_of)
    result: dict[str, Any] = {}
    for axis in sorted(boundaries["axis"].dropna().unique()):
        drawn = boundaries[(boundaries["axis"] == axis).to_numpy(dtype=bool)]
        lasting = (_days(drawn, "until").isna() | (_days(drawn, "until") >= day)).to_numpy(dtype=bool)
        begun = (_days(drawn, "on") <= day).to_numpy(dtype=bool)
        undated = _days(drawn, "on").isna().to_numpy(dtype=bool) & lasting
        share = _covered(parcels, drawn[begun & lasting], method)
        if undated.any():
            # An outline without a day may be in force or not: where it would add land, nothing is known.
            more = _covered(parcels, drawn[(begun & lasting) | undated], method)
            share[(more > share + 1e-9).to_numpy(dtype=bool)] = np.nan
        if axis not in complete:
            share[(share <= 1e-9).to_numpy(dtype=bool)] = np.nan
        on, document = _largest(parcels, drawn[begun & lasting], method)
        result[f"boundary_{axis}_share"] = share
        result[f"boundary_{axis}_on"] = on
        result[f"boundary_{axis}_document"] = document
    return pd.DataFrame(result, index=parcels.index)


def _days(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name in frame.columns:
        days: pd.Series[Any] = frame[name].astype("datetime64[s]")
        return days
    return pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")


def _covered(parcels: GeoDataFrame, polygons: GeoDataFrame, method: Method) -> pd.Series[Any]:
    """Share of each parcel under the polygons, those that overlap counted once; NaN without an area."""
    share = pd.Series(cover_shares(parcels, polygons, method), index=parcels.index)
    return share.mask(parcels["area_m2"].isna())


def _largest(
    parcels: GeoDataFrame, polygons: GeoDataFrame, method: Method
) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Day and document of the polygon that holds most of each parcel; of equals the first by day, then document."""
    on = pd.Series(pd.NaT, index=parcels.index, dtype="datetime64[s]")
    document = pd.Series(np.nan, index=parcels.index, dtype="str")
    if polygons.empty:
        return on, document
    text = polygons["document"] if "document" in polygons.columns else pd.Series(np.nan, index=polygons.index)
    ordered = polygons.assign(_on=_days(polygons, "on"), _text=text.astype("str")).sort_values(
        ["_on", "_text"], kind="stable"
    )
    ordered = ordered.assign(_feature=[f"{n:09d}" for n in range(len(ordered))])
    pieces = measure_shares(parcels, ordered, "_feature", method=method)
    best = pieces.sort_values(
        ["parcel_id", "overlap_m2", "feature"], ascending=[True, False, True], kind="stable"
    ).drop_duplicates("parcel_id")
    chosen = best.set_index("parcel_id")["feature"].reindex(parcels.index.astype("str"))
    facts = ordered.set_index("_feature")[["_on", "_text"]].reindex(chosen.to_numpy())
    return (
        pd.Series(facts["_on"].to_numpy(), index=parcels.index).astype("datetime64[s]"),
        pd.Series(facts["_text"].to_numpy(), index=parcels.index, dtype="str"),
    )
