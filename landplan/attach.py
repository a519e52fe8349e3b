"""Facts joined to parcels: the zone with the largest share, ledgers by number, indicators and events in force on the day."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.issues import Issue
from landplan.schema import column, dictionary
from landplan.schema.suggest import suggest_known
from landplan.units import RESOLUTION

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

__all__ = [
    "attach_events",
    "attach_indicators",
    "attach_ledger",
    "attach_zones",
    "gather_indicators",
    "name_items",
    "zones_on",
]

_AGREES = 1e-3  # two documents that round to 0.01 亩 agree within this share


def zones_on(zones: GeoDataFrame, as_of: date) -> GeoDataFrame:
    """
    Pick the boundaries in force on a day.

    Parameters
    ----------
    zones : GeoDataFrame
        All versions: ``zone_code``, ``valid_from`` (missing: since ever), ``valid_to`` (first day no longer in force).
    as_of : date
        The day.

    Returns
    -------
    GeoDataFrame
        One version per zone, the latest that has begun and not ended; ordered by zone code.
    """
    day = pd.Timestamp(as_of)
    begun = (zones["valid_from"].isna() | (zones["valid_from"] <= day)).to_numpy(dtype=bool)
    open_ended = (zones["valid_to"].isna() | (zones["valid_to"] > day)).to_numpy(dtype=bool)
    current = zones[begun & open_ended].sort_values(
        ["zone_code", "valid_from"], na_position="first", kind="stable"
    )
    return current.drop_duplicates("zone_code", keep="last")


def attach_zones(parcels: DataFrame, pieces: DataFrame, zones: DataFrame) -> tuple[DataFrame, list[Issue]]:
    """
    Give each parcel to the zone that holds its largest share.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``area_m2``.
    pieces : DataFrame
        Shares by ``parcel_id`` and ``feature`` (zone code), every one kept elsewhere; from the overlay.
    zones : DataFrame
        One row per zone in force: ``zone_code`` and, where known, ``zone_name`` and ``zone_level``.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``zone_code, zone_name, zone_level, zone_share, is_zone_tied``. Of two zones within 0.01 m2 of each other the
        lower code is taken and the tie said. Outside every zone the code is missing and the share 0.
    list of Issue
        One per parcel outside every zone.
    """
    ranked = pieces.sort_values(
        ["parcel_id", "overlap_m2", "feature"], ascending=[True, False, True], kind="stable"
    )
    best = ranked.groupby("parcel_id")["overlap_m2"].transform("max")
    rivals = ranked[(ranked["overlap_m2"] >= best - RESOLUTION["area"]).to_numpy(dtype=bool)]
    rivals = rivals.sort_values(["parcel_id", "feature"], kind="stable")
    chosen = rivals.drop_duplicates("parcel_id").set_index("parcel_id")
    tied = rivals.groupby("parcel_id").size() > 1
    keys = parcels.index.astype("str")
    measured = parcels["area_m2"].notna().to_numpy(dtype=bool)
    by_code = zones.set_index("zone_code")
    code = chosen["feature"].reindex(keys)
    result = pd.DataFrame(index=parcels.index)
    result["zone_code"] = pd.Series(code.to_numpy(), index=parcels.index, dtype="str")
    for name in ("zone_name", "zone_level"):
        known = by_code[name] if name in by_code.columns else pd.Series(dtype="str")
        result[name] = result["zone_code"].map(known).astype("str")
    share = chosen["overlap_share"].reindex(keys).fillna(0.0).to_numpy(dtype="float64")
    result["zone_share"] = np.where(measured, share, np.nan)
    result["is_zone_tied"] = pd.array(
        tied.reindex(keys, fill_value=False).to_numpy(dtype=bool), dtype="boolean"
    )
    outside = parcels.index[measured & result["zone_code"].isna().to_numpy(dtype=bool)]
    return result, [Issue("GEOM.OUTSIDE_ZONES", parcel_id=str(pid)) for pid in outside]


def attach_ledger(parcels: DataFrame, ledger: DataFrame, source: str) -> tuple[DataFrame, list[Issue]]:
    """
    Fill facts of a ledger into parcels by number; what the parcel already has is kept, and a difference is said.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        Canonical columns.
    ledger : DataFrame, indexed by parcel_id
        Canonical columns, one row per parcel (the first of doubles counts).
    source : str
        Name of the ledger, for issues.

    Returns
    -------
    DataFrame, n rows, same index and order
        The columns of the ledger, filled up; indicators are left to ``gather_indicators``.
    list of Issue
        Ledger numbers without a parcel, and values that differ.
    """
    issues: list[Issue] = []
    first = ledger[~ledger.index.duplicated()]
    unmatched = first.index.difference(parcels.index, sort=False)
    meant = suggest_known(map(str, unmatched), map(str, parcels.index)) if len(unmatched) else {}
    for pid in unmatched:
        row = first["source_row"].get(pid) if "source_row" in first.columns else None
        issues.append(
            Issue(
                "ATTR.UNMATCHED",
                source=source,
                row=None if row is None or pd.isna(row) else int(row),
                value=pid,
                suggestion=meant.get(str(pid), ""),
            )
        )
    matched = first.reindex(parcels.index)
    result = pd.DataFrame(index=parcels.index)
    for name in matched.columns:
        declared = column(name)
        if declared.bound or name in ("source", "source_row"):
            continue
        if name not in parcels.columns:
            result[name] = matched[name]
            continue
        mine, theirs = parcels[name], matched[name]
        both = (mine.notna() & theirs.notna()).to_numpy(dtype=bool)
        if declared.dtype == "float64":
            with np.errstate(invalid="ignore"):
                differ = both & ((mine - theirs).abs() > _AGREES * mine.abs()).to_numpy(dtype=bool)
        else:
            differ = both & (mine.astype("str") != theirs.astype("str")).to_numpy(dtype=bool)
        issues.extend(
            Issue(
                "ATTR.CONFLICT",
                source=source,
                parcel_id=str(pid),
                field=declared.label(),
                value=f"{mine[pid]} | {theirs[pid]}",
            )
            for pid in parcels.index[differ]
        )
        result[name] = mine.fillna(theirs)
    return result, issues


def gather_indicators(frame: DataFrame, basis: str, source: str) -> DataFrame:
    """
    Lay the control indicators of a wide table out as one row each.

    Parameters
    ----------
    frame : DataFrame, indexed by parcel_id
        Canonical columns; those with a bound in the dictionary are indicators.
    basis : {"set", "promised", "actual"}
        Whose figures they are.
    source : str
        Where they stand.

    Returns
    -------
    DataFrame
        Rows of the ``indicators`` table, by indicator in the order of the dictionary, then by parcel.
    """
    parts = []
    for declared in dictionary().values():
        if not declared.bound or declared.name not in frame.columns:
            continue
        known = frame[frame[declared.name].notna().to_numpy(dtype=bool)]
        part = pd.DataFrame(
            {"parcel_id": known.index.astype("str"), "value": known[declared.name].to_numpy()}
        )
        part["indicator"], part["bound"] = declared.name, declared.bound
        part["source_row"] = known["source_row"].to_numpy() if "source_row" in known.columns else pd.NA
        parts.append(part)
    if not parts:
        return pd.DataFrame(
            columns=["parcel_id", "indicator", "basis", "value", "bound", "source", "source_row"]
        )
    return pd.concat(parts, ignore_index=True).assign(basis=basis, source=source)


def attach_indicators(
    parcels: DataFrame, indicators: DataFrame, as_of: date
) -> tuple[DataFrame, list[Issue]]:
    """
    Lay the indicators in force on the day beside the parcels, one column each.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        Only the index is read.
    indicators : DataFrame
        The long table; a row without a day holds from ever, the latest day not after ``as_of`` wins.
    as_of : date
        The day.

    Returns
    -------
    DataFrame, n rows, same index and order
        Column ``<indicator>`` for the basis ``set`` and ``<basis>.<indicator>`` for the others; NaN where none.
    list of Issue
        One where two rows of one day disagree; the first is taken.
    """
    issues: list[Issue] = []
    result = pd.DataFrame(index=parcels.index)
    if indicators.empty:
        return result, issues
    day = pd.Timestamp(as_of)
    current = indicators[(indicators["on"].isna() | (indicators["on"] <= day)).to_numpy(dtype=bool)]
    current = current.assign(_on=current["on"].fillna(pd.Timestamp("1900-01-01")))
    for (basis, indicator), rows in current.groupby(["basis", "indicator"], sort=True):
        latest = rows[(rows["_on"] == rows.groupby("parcel_id")["_on"].transform("max")).to_numpy(dtype=bool)]
        first = latest.drop_duplicates("parcel_id").set_index("parcel_id")["value"]
        spread = latest.groupby("parcel_id")["value"].agg(["min", "max"])
        scale = spread.abs().max(axis=1)
        for pid in spread.index[((spread["max"] - spread["min"]) > _AGREES * scale).to_numpy(dtype=bool)]:
            declared = column(str(indicator))
            values = " | ".join(f"{v:g}" for v in latest.loc[latest["parcel_id"] == pid, "value"])
            issues.append(
                Issue("ATTR.INDICATOR_CONFLICT", parcel_id=str(pid), field=declared.label(), value=values)
            )
        name = str(indicator) if basis == "set" else f"{basis}.{indicator}"
        result[name] = first.reindex(parcels.index.astype("str")).to_numpy(dtype="float64")
    order = {name: n for n, name in enumerate(dictionary())}
    names: list[str] = sorted(
        map(str, result.columns), key=lambda n: ("." in n, order.get(n.split(".")[-1], 0), n)
    )
    result = result[names]
    return result, issues


def name_items(table: DataFrame, items: Mapping[str, str], source: str) -> tuple[DataFrame, list[Issue]]:
    """
    Replace the bureau's names of items by the project's codes.

    Parameters
    ----------
    table : DataFrame
        With a column ``item``; not changed.
    items : mapping of str to str
        Titles by code.
    source : str
        For issues.

    Returns
    -------
    DataFrame
        Rows whose item is known, with codes.
    list of Issue
        One per name that is not among the items.
    """
    codes = {title.strip(): code for code, title in items.items()} | {code: code for code in items}
    named = table["item"].str.strip().map(codes)
    unknown = table.loc[named.isna().to_numpy(dtype=bool), "item"].dropna().unique()
    issues = [Issue("ATTR.ITEM", source=source, field="item", value=name) for name in unknown]
    kept = named.notna().to_numpy(dtype=bool)
    return table[kept].assign(item=named[kept].astype("str")), issues


def attach_events(
    parcels: DataFrame, events: DataFrame, items: Mapping[str, str], complete: Collection[str], as_of: date
) -> tuple[DataFrame, list[Issue]]:
    """
    Lay the state of each item on the day beside the parcels.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        Only the index is read.
    events : DataFrame
        The events table, ``item`` as codes; a row counts from ``on`` to ``until`` (missing: for ever), both included.
    items : mapping of str to str
        Codes and titles of the items the project keeps.
    complete : collection of str
        Items for which the table is complete: no event means the state ``none``. For all others it means unknown.
    as_of : date
        The day.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``event_<item>_state``, ``event_<item>_on``, ``event_<item>_document``; of one day the last row written wins.
    list of Issue
        Events without a day, and events of numbers that are no parcel.
    """
    day = pd.Timestamp(as_of)
    issues: list[Issue] = []
    places = zip(
        events["source"],
        events["source_row"],
        events["parcel_id"],
        events["item"],
        events["on"].isna(),
        strict=True,
    )
    known = set(parcels.index.astype("str"))
    for source, row, pid, item, undated in places:
        where: dict[str, Any] = {
            "source": "" if pd.isna(source) else source,
            "row": None if pd.isna(row) else int(row),
        }
        if undated:
            issues.append(
                Issue(
                    "ATTR.EVENT_UNDATED",
                    parcel_id=str(pid) if pid in known else "",
                    value=f"{pid} {item}",
                    **where,
                )
            )
        elif pid not in known:
            issues.append(Issue("ATTR.UNMATCHED", value=pid, **where))
    begun = (events["on"] <= day).to_numpy(dtype=bool)
    lasting = (events["until"].isna() | (events["until"] >= day)).to_numpy(dtype=bool)
    current = events[begun & lasting].sort_values(["on"], kind="stable")
    keys = parcels.index.astype("str")
    result = pd.DataFrame(index=parcels.index)
    for item in items:
        latest = current[(current["item"] == item).to_numpy(dtype=bool)].drop_duplicates(
            "parcel_id", keep="last"
        )
        found = latest.set_index("parcel_id").reindex(keys)
        state = found["state"].to_numpy(dtype=object)
        if item in complete:
            state = np.where(pd.isna(state), "none", state)
        result[f"event_{item}_state"] = pd.Series(state, index=parcels.index, dtype="str")
        result[f"event_{item}_on"] = pd.Series(found["on"].to_numpy(), index=parcels.index).astype(
            "datetime64[s]"
        )
        result[f"event_{item}_document"] = pd.Series(
            found["document"].to_numpy(), index=parcels.index, dtype="str"
        )
    return result, issues
