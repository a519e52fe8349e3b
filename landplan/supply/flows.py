"""The balance of a period: opening + in - out = closing, by kind of stock, in 宗 and to the last 0.01 亩."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import Fault, UsageError
from landplan.supply.axes import KINDS, judge_axes, name_codes
from landplan.supply.books import book_areas
from landplan.supply.facts import NEVER, Array, days_of, facts_of, places
from landplan.supply.timeline import Timeline, lay_timeline

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Balance", "balance_period", "kinds_on"]

_UNSOLD = (1, 2, 3)
_SOLD = (4, 5, 6)
# What is looked for first, by where land goes; the first of these events that changed that day is the cause.
_TO_SOLD = ("sale", "announcement")
_TO_UNSOLD = ("withdrawal", "sale")
_WITHIN_SOLD = (
    "utilisation",
    "production",
    "completion",
    "start",
    "inefficient",
    "idle",
    "sale",
    "withdrawal",
)
_WITHIN_UNSOLD = {
    1: ("approval", "expropriation", "reserve", "withdrawal", "plan", "sale"),
    2: ("approval", "expropriation", "withdrawal", "reserve", "sale"),
    3: ("reserve", "withdrawal", "sale", "approval"),
}
_ANY = (
    "sale", "withdrawal", "approval", "expropriation", "reserve", "utilisation", "production", "completion", "start",
    "inefficient", "idle", "announcement", "plan",
)  # fmt: skip


@dataclass(frozen=True)
class Balance:
    """
    How land moved between kinds of stock from the first to the last day of a period, both included.

    Parameters
    ----------
    start, end : date
        First and last day. Opening is the state before the first day, closing that after the last.
    classes : DataFrame, indexed by stock_kind
        ``opening_*, in_*, out_*, closing_*`` of ``parcels`` (宗) and ``hundredths`` (0.01 亩, whole numbers), and
        ``unmeasured``: parcels at closing that have no area and count as none; the last row, ``total``, is counted on the
        whole.
    flows : DataFrame
        ``from_kind, to_kind, cause, parcels, hundredths``: moves added up.
    moves : DataFrame
        One row per parcel and move: ``parcel_id, on, from_kind, to_kind, cause, item, document, source, source_row,
        hundredths``. A flow opens to its rows here.
    breaks : DataFrame
        Where the books of the opening are not what the papers give: ``parcel_id, cause, was, now, hundredths``.
    """

    start: date
    end: date
    classes: DataFrame
    flows: DataFrame
    moves: DataFrame
    breaks: DataFrame


def kinds_on(
    parcels: DataFrame, events: DataFrame, day: date, complete: Collection[str] = ()
) -> pd.Series[Any]:
    """
    Tell the kind of stock of each parcel at the end of a day, from the papers up to that day.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With the outlines of approvals and sales where there are any.
    events : DataFrame
        The events table; rows of later days do not count.
    day : date
        The day.
    complete : collection of str
        Items of which nothing is missing.

    Returns
    -------
    Series of str, n rows, same index
        ``stock_kind``.
    """
    timeline = _timeline(parcels, events, day, complete)
    kind = judge_axes(timeline.facts).kind
    return name_codes(kind[timeline.rows_on(_number(day), len(parcels))], KINDS, parcels.index)


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _timeline(parcels: DataFrame, events: DataFrame, last: date, complete: Collection[str]) -> Timeline:
    begun = (events["on"] <= pd.Timestamp(last)).to_numpy(dtype=bool)
    return lay_timeline(parcels.index, events[begun], complete, facts_of(parcels).outlines)


def balance_period(
    parcels: DataFrame,
    events: DataFrame,
    start: date,
    end: date,
    *,
    complete: Collection[str] = (),
    opening: DataFrame | None = None,
) -> Balance:
    """
    Balance the supply of land over a period, so that every difference is a row with its event.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``area_m2`` (that of the polygon), and the outlines of approvals and sales where there are any.
    events : DataFrame
        The events table, with the approvals of batches in it; rows after ``end`` do not count.
    start, end : date
        First and last day of the period.
    complete : collection of str
        Items of which nothing is missing: no event means not done.
    opening : DataFrame or None, indexed by parcel_id
        The books as they were closed before: ``stock_kind`` and ``mu_hundredths``. Where None, the papers up to the day
        before ``start`` say what the opening was.

    Returns
    -------
    Balance
        It closes whatever the events: every change of kind is a move out of one and into another. Against books closed
        before, parcels that came, went, changed their area or changed their kind without an event are moves of their own
        (``appeared, vanished, area, unexplained``) and stand among the breaks.

    Raises
    ------
    UsageError
        If the period ends before it begins.

    Notes
    -----
    Areas are whole hundredths of a 亩, rounded half-up parcel by parcel (``book_areas``). A parcel that leaves a kind and
    comes back within the period counts in both columns. A parcel without an area moves as one 宗 and no 亩.
    """
    if end < start:
        raise UsageError(
            Fault(
                en=f"the period ends ({end}) before it begins ({start}).",
                zh=f"期末（{end}）早于期初（{start}）。",
                mend_en="give the first day, then the last",
                mend_zh="先写起始日，再写截止日",
            )
        )
    count = len(parcels)
    timeline = _timeline(parcels, events, end, complete)
    kind = judge_axes(timeline.facts).kind.astype("int64")
    before = kind[timeline.rows_on(_number(start) - 1, count)]
    after = kind[timeline.rows_on(_number(end), count)]
    areas = book_areas(parcels["area_m2"])
    hundredths = areas.fillna(0).to_numpy(dtype="int64")
    moves = _moves(parcels, timeline, kind, (_number(start), _number(end)), hundredths)
    breaks = _no_breaks()
    opening_kind, opening_area = before, hundredths
    extra_kind, extra_area = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    if opening is not None:
        settled = _settle_books(parcels, opening, before, hundredths, start)
        breaks, corrections, opening_kind, opening_area, is_new, extra_kind, extra_area = settled
        moves = pd.concat([corrections, moves], ignore_index=True) if len(corrections) else moves
        opening_kind, opening_area = opening_kind[~is_new], opening_area[~is_new]
    classes = _classes(
        np.concatenate([opening_kind, extra_kind]),
        np.concatenate([opening_area, extra_area]),
        moves,
        (after, hundredths, parcels["area_m2"].to_numpy(dtype="float64", na_value=np.nan)),
    )
    flows = (
        moves.groupby(["from_kind", "to_kind", "cause"], sort=True)
        .agg(parcels=("parcels", "sum"), hundredths=("hundredths", "sum"))
        .reset_index()
    )
    return Balance(start, end, classes, flows, moves, breaks)


_MOVE = (
    "parcel_id",
    "on",
    "from_kind",
    "to_kind",
    "cause",
    "item",
    "document",
    "source",
    "source_row",
    "parcels",
    "hundredths",
)


def _moves(
    parcels: DataFrame, timeline: Timeline, kind: Array, period: tuple[int, int], hundredths: Array
) -> DataFrame:
    """Every change of kind within the period, with the event that made it."""
    changed = np.zeros(len(kind), dtype=bool)
    changed[1:] = (kind[1:] != kind[:-1]) & (timeline.parcel[1:] == timeline.parcel[:-1])
    rows = np.flatnonzero(changed & (timeline.day >= period[0]) & (timeline.day <= period[1]))
    source, target = kind[rows - 1], kind[rows]
    cause = np.full(len(rows), "outline", dtype=object)
    pointed = np.full(len(rows), -1, dtype=np.int64)
    open_still = np.ones(len(rows), dtype=bool)
    begun = np.append(days_of(timeline.events["on"]), NEVER)
    outcome = _outcomes(timeline.events["state"])
    sold_before, sold_after = np.isin(source, _SOLD), np.isin(target, _SOLD)
    unsold_after = np.isin(target, _UNSOLD)
    cases = [
        (~sold_before & sold_after, _TO_SOLD),
        (sold_before & unsold_after, _TO_UNSOLD),
        (sold_before & sold_after, _WITHIN_SOLD),
        *((~sold_before & (target == code), order) for code, order in _WITHIN_UNSOLD.items()),
        (np.ones(len(rows), dtype=bool), _ANY),
    ]
    for case, order in cases:
        for item in order:
            now, then = timeline.pointer[item][rows], timeline.pointer[item][rows - 1]
            hit = open_still & case & (now != then)
            # An event that counts from a day before this one counts again because the later one ended.
            is_fresh = begun[now] == timeline.day[rows]
            said = np.where(outcome[now[hit]] == "", item, outcome[now[hit]])
            cause[hit] = np.where(is_fresh[hit], said, "expiry")
            pointed[hit] = np.where(is_fresh[hit], now[hit], then[hit])
            open_still &= ~hit
    events = timeline.events
    known = pointed >= 0
    facts = {
        name: pd.Series(np.nan, index=range(len(rows)), dtype="object")
        for name in ("item", "document", "source", "source_row")
    }
    for name, values in facts.items():
        if name in events.columns:
            values[known] = events[name].to_numpy(dtype=object)[pointed[known]]
    who = timeline.parcel[rows]
    blank = pd.RangeIndex(len(rows))
    table = pd.DataFrame(
        {
            "parcel_id": parcels.index.astype("str")[who],
            "on": pd.Series(timeline.day[rows].astype("datetime64[D]")).astype("datetime64[s]"),
            "from_kind": name_codes(source, KINDS, blank),
            "to_kind": name_codes(target, KINDS, blank),
            "cause": pd.Series(cause, dtype="str"),
            "item": facts["item"].astype("str"),
            "document": facts["document"].astype("str"),
            "source": facts["source"].astype("str"),
            "source_row": facts["source_row"].where(facts["source_row"].notna(), None).astype("Int64"),
            "parcels": np.ones(len(rows), dtype=np.int64),
            "hundredths": hundredths[who],
        }
    )
    by_day = table.assign(_at=who).sort_values(["on", "_at"], kind="stable")
    return by_day[list(_MOVE)].reset_index(drop=True)


def _outcomes(states: pd.Series[Any]) -> Array:
    """What an event is the cause of where it is not done: taken back, or only opened; one more at the end, for no event."""
    words = states.map({"done": "", "void": "revoked", "none": "revoked"}).fillna("opened")
    return np.append(words.to_numpy(dtype=object), "")


def _no_breaks() -> DataFrame:
    return pd.DataFrame(
        {
            "parcel_id": pd.Series(dtype="str"),
            "cause": pd.Series(dtype="str"),
            "was": pd.Series(dtype="str"),
            "now": pd.Series(dtype="str"),
            "hundredths": pd.Series(dtype="int64"),
        }
    )


def _settle_books(
    parcels: DataFrame, opening: DataFrame, before: Array, hundredths: Array, start: date
) -> tuple[DataFrame, DataFrame, Array, Array, Array, Array, Array]:
    """Hold the books closed before against what the papers say the opening was; every difference is a move."""
    names = parcels.index.astype("str")
    at = opening.index.astype("str").get_indexer(names)
    is_new = at < 0
    old_kinds = np.maximum(places(opening["stock_kind"], KINDS), 0)
    old_areas = opening["mu_hundredths"].fillna(0).to_numpy(dtype="int64")
    was_kind = np.where(is_new, before, old_kinds[at])
    was_area = np.where(is_new, 0, old_areas[at])
    gone = ~opening.index.astype("str").isin(names)
    rows: list[dict[str, Any]] = []
    breaks: list[dict[str, Any]] = []

    def move(pid: str, source: str, target: str, cause: str, parcels_moved: int, area: int) -> None:
        rows.append(
            {"parcel_id": pid, "on": pd.Timestamp(start), "from_kind": source, "to_kind": target, "cause": cause,
             "parcels": parcels_moved, "hundredths": area}
        )  # fmt: skip

    for n in np.flatnonzero(is_new).tolist():
        move(names[n], "", KINDS[before[n]], "appeared", 1, int(hundredths[n]))
        breaks.append(
            {
                "parcel_id": names[n],
                "cause": "appeared",
                "was": "",
                "now": KINDS[before[n]],
                "hundredths": int(hundredths[n]),
            }
        )
    for n in np.flatnonzero(~is_new & (was_kind != before)).tolist():
        move(names[n], KINDS[was_kind[n]], KINDS[before[n]], "unexplained", 1, int(was_area[n]))
        breaks.append(
            {
                "parcel_id": names[n],
                "cause": "unexplained",
                "was": KINDS[was_kind[n]],
                "now": KINDS[before[n]],
                "hundredths": int(was_area[n]),
            }
        )
    for n in np.flatnonzero(~is_new & (was_area != hundredths)).tolist():
        more = int(hundredths[n] - was_area[n])
        ends = ("", KINDS[before[n]]) if more > 0 else (KINDS[before[n]], "")
        move(names[n], *ends, "area", 0, abs(more))
        breaks.append(
            {
                "parcel_id": names[n],
                "cause": "area",
                "was": f"{was_area[n] / 100:.2f}",
                "now": f"{hundredths[n] / 100:.2f}",
                "hundredths": more,
            }
        )
    for n in np.flatnonzero(gone).tolist():
        pid = str(opening.index[n])
        move(pid, KINDS[old_kinds[n]], "", "vanished", 1, int(old_areas[n]))
        breaks.append(
            {
                "parcel_id": pid,
                "cause": "vanished",
                "was": KINDS[old_kinds[n]],
                "now": "",
                "hundredths": int(-old_areas[n]),
            }
        )
    table = pd.DataFrame(rows, columns=list(_MOVE))
    for name in ("parcel_id", "from_kind", "to_kind", "cause", "item", "document", "source"):
        table[name] = table[name].astype("str")
    table = table.astype(
        {"on": "datetime64[s]", "source_row": "Int64", "parcels": "int64", "hundredths": "int64"}
    )
    told = pd.concat([_no_breaks(), pd.DataFrame(breaks)], ignore_index=True) if breaks else _no_breaks()
    return told, table, was_kind, was_area, is_new, old_kinds[gone], old_areas[gone]


def _classes(
    opening_kind: Array, opening_area: Array, moves: DataFrame, closing: tuple[Array, Array, Array]
) -> DataFrame:
    closing_kind, closing_area, drawn = closing
    size = len(KINDS)
    table: dict[str, Array] = {}

    def add(name: str, codes: Array, parcels: Array, areas: Array) -> None:
        within = codes >= 0
        # Whole numbers: a float would lose the last hundredth of a province.
        for what, weights in (("parcels", parcels), ("hundredths", areas)):
            sums = np.zeros(size, dtype=np.int64)
            np.add.at(sums, codes[within], weights[within])
            table[f"{name}_{what}"] = np.append(sums, sums.sum())

    def codes_of(name: str) -> Array:
        return places(moves[name], KINDS)

    add("opening", opening_kind, np.ones(len(opening_kind), dtype=np.int64), opening_area)
    counts, areas = moves["parcels"].to_numpy(dtype="int64"), moves["hundredths"].to_numpy(dtype="int64")
    add("in", codes_of("to_kind"), counts, areas)
    add("out", codes_of("from_kind"), counts, areas)
    add("closing", closing_kind, np.ones(len(closing_kind), dtype=np.int64), closing_area)
    without = np.zeros(size, dtype=np.int64)
    np.add.at(without, closing_kind, np.isnan(drawn).astype("int64"))
    table["unmeasured"] = np.append(without, without.sum())
    polygons = np.bincount(closing_kind, weights=np.nan_to_num(drawn), minlength=size)
    table["closing_m2"] = np.append(polygons, np.nansum(drawn))
    index = pd.Index([*KINDS, "total"], name="stock_kind", dtype="str")
    ordered = [*KINDS[1:], KINDS[0], "total"]
    return pd.DataFrame(table, index=index).loc[ordered]
