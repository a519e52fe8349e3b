"""Facts joined to parcels: the zone with the largest share, ledgers by number, indicators and events in force on the day."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.issues import Issue
from landplan.schema import as_words, column, dictionary, words_of
from landplan.schema.suggest import suggest_known
from landplan.schema.words import codes_of, find_words, is_among, rank_words
from landplan.units import RESOLUTION

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

__all__ = [
    "attach_events",
    "attach_indicators",
    "attach_ledger",
    "attach_zones",
    "event_issues",
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
        Shares by ``parcel_id`` and ``feature`` (zone code), every one kept elsewhere; from the overlay. Where ``_at`` tells
        the place of each parcel, no number is looked up.
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
    keys = parcels.index.astype("str")
    is_placed = "_at" in pieces.columns
    place = pieces["_at"].to_numpy() if is_placed else find_words(pd.Index(pieces["parcel_id"]), keys)
    area = pieces["overlap_m2"].to_numpy(dtype="float64")
    number, names = pd.factorize(pieces["feature"], sort=True)
    best = np.zeros(len(keys))
    known = place >= 0
    np.maximum.at(best, place[known], area[known])
    rivals = np.flatnonzero(known & (area >= best[place] - RESOLUTION["area"]))
    rivals = rivals[np.lexsort((number[rivals], place[rivals]))]
    # Written from the last to the first: of rivals the lower code stays.
    chosen = np.full(len(keys), -1)
    chosen[place[rivals[::-1]]] = rivals[::-1]
    tied = np.bincount(place[rivals], minlength=len(keys)) > 1
    measured = parcels["area_m2"].notna().to_numpy(dtype=bool)
    by_code = zones.set_index("zone_code")
    zone = np.append(number, -1)[chosen]
    result = pd.DataFrame(index=parcels.index)
    result["zone_code"] = _by_number([*names, None], zone)
    for name in ("zone_name", "zone_level"):
        told = by_code[name].reindex(names) if name in by_code.columns else [None] * len(names)
        result[name] = _by_number([*told, None], zone)
    share = np.append(pieces["overlap_share"].to_numpy(dtype="float64"), 0.0)[chosen]
    result["zone_share"] = np.where(measured, share, np.nan)
    result["is_zone_tied"] = pd.array(tied, dtype="boolean")
    outside = parcels.index[measured & result["zone_code"].isna().to_numpy(dtype=bool)]
    return result, [Issue("GEOM.OUTSIDE_ZONES", parcel_id=str(pid)) for pid in outside]


def _by_number(words: Any, numbers: Any) -> Any:
    """Look words up; -1 is the last."""
    return pd.array(words, dtype="str").take(numbers)


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
        Where they stand; where it is empty, the frame's own column ``source`` says it.

    Returns
    -------
    DataFrame
        Rows of the ``indicators`` table, by indicator in the order of the dictionary, then by parcel.
    """
    declared = [each for each in dictionary().values() if each.bound and each.name in frame.columns]
    known = [frame[each.name].notna().to_numpy(dtype=bool) for each in declared]
    counts = [int(mask.sum()) for mask in known]
    number = np.repeat(np.arange(len(declared), dtype=np.int16), counts)
    nowhere = [np.array([], dtype=np.intp)]
    rows = np.concatenate(nowhere + [np.flatnonzero(mask) for mask in known])
    values = [
        frame[each.name].to_numpy(dtype="float64")[mask] for each, mask in zip(declared, known, strict=True)
    ]
    rank, named = rank_words(frame.index)
    whole = np.zeros(len(rows), dtype=np.int8)
    return pd.DataFrame(
        {
            "parcel_id": pd.Categorical.from_codes(rank[rows], categories=named),
            "indicator": words_of([each.name for each in declared], number),
            "basis": words_of([basis], whole, column("basis").values),
            "value": np.concatenate([np.array([], dtype="float64"), *values]),
            "bound": words_of([each.bound for each in declared], number, column("bound").values),
            "source": words_of(*_sources(frame, rows) if not source else ([source], whole)),
            "source_row": frame["source_row"].array.take(rows)
            if "source_row" in frame.columns
            else pd.array([pd.NA] * len(rows), dtype="Int64"),
        }
    )


def _sources(frame: DataFrame, rows: Any) -> tuple[list[Any], Any]:
    """Where rows of a frame stand, by number; only what is used is named."""
    if "source" not in frame.columns:
        return [""], np.zeros(len(rows), dtype=np.int8)
    codes, texts = codes_of(frame["source"])
    numbers = codes[rows]
    used = set(pd.unique(numbers).tolist())
    return [text if place in used else None for place, text in enumerate(texts)], numbers


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
    result: dict[str, Any] = {}
    ids, named = codes_of(as_words(indicators["parcel_id"]))
    (basis, bases), (indicator, measures) = (
        codes_of(as_words(indicators[name])) for name in ("basis", "indicator")
    )
    kind = basis.astype(np.int16 if len(bases) * len(measures) < 2**15 else np.int32)
    kind = kind * len(measures) + indicator
    held = (indicators["on"].isna() | (indicators["on"] <= pd.Timestamp(as_of))).to_numpy(dtype=bool)
    kind[~held | (basis < 0) | (indicator < 0)] = -1
    order = np.argsort(kind, kind="stable")
    counts = np.bincount(kind + 1, minlength=len(bases) * len(measures) + 1)
    bounds = np.cumsum(counts)
    place = np.append(find_words(named, parcels.index), -1)
    figures = indicators["value"].to_numpy(dtype="float64")
    for number in np.flatnonzero(counts[1:]).tolist():
        rows = order[bounds[number] : bounds[number + 1]]
        whose, name = bases[number // len(measures)], measures[number % len(measures)]
        values, at = figures[rows], place[ids[rows]]
        # Only parcels with more than one figure need to be asked which one holds.
        double = (np.bincount(ids[rows] + 1, minlength=1) > 1)[ids[rows] + 1]
        if double.any():
            first, told = _latest(pd.DataFrame(indicators.iloc[rows[double]]), str(name))
            issues += told
            kept = np.concatenate([np.flatnonzero(~double), np.flatnonzero(double)[first]])
            values, at = values[kept], at[kept]
        laid = np.full(len(parcels), np.nan)
        laid[at[at >= 0]] = values[at >= 0]
        result[str(name) if whose == "set" else f"{whose}.{name}"] = laid
    turn = {name: n for n, name in enumerate(dictionary())}
    columns = sorted(result, key=lambda n: ("." in n, turn.get(n.split(".")[-1], 0), n))
    return pd.DataFrame({name: result[name] for name in columns}, index=parcels.index, copy=False), issues


def _latest(rows: DataFrame, indicator: str) -> tuple[Any, list[Issue]]:
    """Positions of the figures that hold, the latest of each parcel, and where two of one day disagree."""
    numbered = pd.DataFrame(
        {
            "parcel_id": rows["parcel_id"].astype("str").to_numpy(),
            "value": rows["value"].to_numpy(),
            "_on": rows["on"].fillna(pd.Timestamp("1900-01-01")).to_numpy(),
        }
    )
    newest = numbered.groupby("parcel_id")["_on"].transform("max")
    latest = numbered[(numbered["_on"] == newest).to_numpy(dtype=bool)]
    first = latest.drop_duplicates("parcel_id")
    spread = latest.groupby("parcel_id")["value"].agg(["min", "max"])
    scale = spread.abs().max(axis=1)
    differing = spread.index[((spread["max"] - spread["min"]) > _AGREES * scale).to_numpy(dtype=bool)]
    issues = []
    for pid in differing:
        values = " | ".join(f"{v:g}" for v in latest.loc[latest["parcel_id"] == pid, "value"])
        issues.append(
            Issue(
                "ATTR.INDICATOR_CONFLICT", parcel_id=str(pid), field=column(indicator).label(), value=values
            )
        )
    return first.index.to_numpy(), issues


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
    place = find_words(pd.Index(events["parcel_id"]), parcels.index)
    on = events["on"]
    issues = _event_faults(events, on.isna().to_numpy(dtype=bool), place >= 0)
    begun = (on <= day).to_numpy(dtype=bool)
    lasting = (events["until"].isna() | (events["until"] >= day)).to_numpy(dtype=bool)
    current = np.flatnonzero(begun & lasting & (place >= 0))
    current = current[np.argsort(on.to_numpy()[current], kind="stable")]
    days = np.append(on.to_numpy(dtype="datetime64[s]"), np.datetime64("NaT", "s"))
    # Few words stand in many rows: each is held once, and the last, which -1 takes, is that for no event.
    (state, states), (document, documents) = (pd.factorize(events[name]) for name in ("state", "document"))
    state, document = np.append(state, -1), np.append(document, -1)
    result: dict[str, Any] = {}
    for item in items:
        rows = current[is_among(events["item"], [item])[current]]
        latest = np.full(len(parcels), -1)
        latest[place[rows]] = rows  # of one parcel the last is kept
        nothing = "none" if item in complete else None
        result[f"event_{item}_state"] = _by_number([*map(str, states), nothing], state[latest])
        result[f"event_{item}_on"] = days[latest]
        result[f"event_{item}_document"] = _by_number([*map(str, documents), None], document[latest])
    return pd.DataFrame(result, index=parcels.index), issues


def event_issues(parcels: DataFrame, events: DataFrame) -> list[Issue]:
    """
    Tell what is wrong with events, as ``attach_events`` does, and lay nothing beside the parcels.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        Only the index is read.
    events : DataFrame
        The events table.

    Returns
    -------
    list of Issue
        Events without a day, and events of numbers that are no parcel.
    """
    known = find_words(pd.Index(events["parcel_id"]), parcels.index) >= 0
    return _event_faults(events, events["on"].isna().to_numpy(dtype=bool), known)


def _event_faults(events: DataFrame, undated: Any, known: Any) -> list[Issue]:
    """Events without a day, and events of numbers that are no parcel; in the order they are written."""
    issues = []
    for row in np.flatnonzero(undated | ~known).tolist():
        source, number, pid = (events[name].iloc[row] for name in ("source", "source_row", "parcel_id"))
        where: dict[str, Any] = {
            "source": "" if pd.isna(source) else source,
            "row": None if pd.isna(number) else int(number),
        }
        if undated[row]:
            value = f"{pid} {events['item'].iloc[row]}"
            whose = str(pid) if known[row] else ""
            issues.append(Issue("ATTR.EVENT_UNDATED", parcel_id=whose, value=value, **where))
        else:
            issues.append(Issue("ATTR.UNMATCHED", value=pid, **where))
    return issues
