"""
Every day on which something changed for a parcel, and which event was in force from then on.

The same reading of events as on one day (the latest that has begun and not ended; of one day the last row), for all days at
once: so a past day can be judged again, and a period can be told move by move.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.supply.axes import ITEMS
from landplan.supply.facts import (
    MISSING,
    NEVER,
    NONE,
    STATES,
    Array,
    Fact,
    Facts,
    Outline,
    days_of,
    is_written,
    places,
)

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Timeline", "lay_timeline"]

_TOLD = ("item", "on", "state", "document", "source", "source_row")
_ALWAYS = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Timeline:
    """
    Rows by parcel and day; each holds until the next row of its parcel.

    Parameters
    ----------
    parcel : ndarray of int64, n
        Place of the parcel in the index; ascending.
    day : ndarray of int64, n
        Days since 1970, ascending within a parcel; the first row of each parcel, before any event, has ``NEVER``.
    pointer : dict of str to ndarray of int64
        By item: the place in ``events`` of the event in force, -1 where none is.
    events : DataFrame
        The events that count, in the order they are pointed at: ``item, on, state, document, source, source_row``.
    facts : Facts
        What is known in each row.
    """

    parcel: Array
    day: Array
    pointer: dict[str, Array]
    events: DataFrame
    facts: Facts

    def rows_on(self, day: int, count: int) -> Array:
        """
        Find the row that holds for each parcel at the end of a day.

        Parameters
        ----------
        day : int
            Days since 1970.
        count : int
            How many parcels there are.

        Returns
        -------
        ndarray of int64
            One row per parcel.
        """
        begun = self.day <= day
        # Rows of a parcel lie together in the order of days: the last that has begun is found by counting.
        held = np.bincount(self.parcel[begun], minlength=count)
        first = np.searchsorted(self.parcel, np.arange(count))
        rows: Array = first + held - 1
        return rows


def lay_timeline(
    index: pd.Index[Any],
    events: DataFrame,
    complete: Collection[str] = (),
    outlines: dict[str, Outline] | None = None,
    items: Sequence[str] = ITEMS,
) -> Timeline:
    """
    Lay the events of parcels out in time.

    Parameters
    ----------
    index : Index
        Numbers of the parcels.
    events : DataFrame
        The events table; rows of other parcels or items, and those without a day, are passed over.
    complete : collection of str
        Items of which nothing is missing: no event means ``none``.
    outlines : dict of str to Outline or None
        What boundaries say of each parcel, by axis; each from its own day on.
    items : sequence of str
        Items that count.

    Returns
    -------
    Timeline
        One row per parcel and day of change, and one before all of them.
    """
    count = len(index)
    kept, place = _chosen(index, events, items)
    parcel, item, begin, end = place
    changes = _changes(parcel, item, begin, end)
    who, what, when, points = (np.concatenate(parts) for parts in zip(*changes, strict=True))
    drawn = [
        (np.flatnonzero(outline.day != NEVER), outline.day[outline.day != NEVER])
        for outline in (outlines or {}).values()
    ]
    everyone = [np.arange(count), who, *(at for at, _ in drawn)]
    # The row before all others sorts first: its day is earlier than every day there is.
    days = [np.full(count, NEVER), when, *(day for _, day in drawn)]
    all_parcels, all_days = np.concatenate(everyone), np.concatenate(days)
    order = np.lexsort((all_days, all_parcels))
    sorted_parcels, sorted_days = all_parcels[order], all_days[order]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (sorted_parcels[1:] != sorted_parcels[:-1]) | (sorted_days[1:] != sorted_days[:-1])
    row = np.empty(len(order), dtype=np.int64)
    row[order] = np.cumsum(is_new) - 1
    rows_of_changes = row[count : count + len(who)]
    size = int(is_new.sum())
    base = row[:count]
    pointer = {}
    for code, name in enumerate(items):
        points_of = np.full(size, -2, dtype=np.int64)
        points_of[base] = -1
        mine = what == code
        points_of[rows_of_changes[mine]] = points[mine]
        last = np.maximum.accumulate(np.where(points_of != -2, np.arange(size), 0))
        pointer[name] = points_of[last]
    parcels, row_days = sorted_parcels[is_new], sorted_days[is_new]
    facts = _facts(kept, pointer, set(complete), parcels, row_days, outlines or {})
    return Timeline(parcels, row_days, pointer, kept, facts)


def _chosen(
    index: pd.Index[Any], events: DataFrame, items: Sequence[str]
) -> tuple[DataFrame, tuple[Array, Array, Array, Array]]:
    """Pick the events that count, by parcel, item and day, of one day in the order they were written."""
    codes = places(events["item"], items)
    on = days_of(events["on"])
    until = days_of(events["until"]) if "until" in events.columns else np.full(len(events), NEVER)
    until = np.where(until == NEVER, _ALWAYS, until)
    counts = (codes >= 0) & (on != NEVER) & (until >= on)
    parcel = np.full(len(events), -1, dtype=np.int64)
    parcel[counts] = index.astype("str").get_indexer(pd.Index(events["parcel_id"][counts]))
    at = np.flatnonzero(parcel >= 0)
    order = at[np.lexsort((at, on[at], codes[at], parcel[at]))]
    # Only what is told of an event is carried along: texts are the dear part of a million rows.
    told = [name for name in _TOLD if name in events.columns]
    return events[told].iloc[order], (parcel[order], codes[order], on[order], until[order])


def _changes(
    parcel: Array, item: Array, begin: Array, end: Array
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Give parcel, item, day and event in force from that day on; first of items that never end, then of those that do."""
    size = len(parcel)
    none = np.empty(0, dtype=np.int64)
    if not size:
        yield none, none, none, none
        return
    starts = np.ones(size, dtype=bool)
    starts[1:] = (parcel[1:] != parcel[:-1]) | (item[1:] != item[:-1])
    group = np.cumsum(starts) - 1
    ending = np.zeros(int(group[-1]) + 1, dtype=bool)
    ending[group[end != _ALWAYS]] = True
    # Of one day the last row counts.
    last = np.ones(size, dtype=bool)
    last[:-1] = starts[1:] | (begin[1:] != begin[:-1])
    plain = np.flatnonzero(last & ~ending[group])
    yield parcel[plain], item[plain], begin[plain], plain
    bounds = np.append(np.flatnonzero(starts), size)
    found: list[tuple[int, int, int, int]] = []
    for one in np.flatnonzero(ending).tolist():
        found += _sweep(int(bounds[one]), int(bounds[one + 1]), parcel, item, begin, end)
    swept = np.array(found, dtype=np.int64).reshape(-1, 4)
    yield swept[:, 0], swept[:, 1], swept[:, 2], swept[:, 3]


def _sweep(
    first: int, after: int, parcel: Array, item: Array, begin: Array, end: Array
) -> list[tuple[int, int, int, int]]:
    """Follow the events of one item of one parcel: where the latest ends, the one before it that still lasts counts again."""
    who, what = int(parcel[first]), int(item[first])
    starts, ends = begin[first:after].tolist(), end[first:after].tolist()
    days = sorted({*starts, *(day + 1 for day in ends if day != _ALWAYS)})
    stack: list[int] = []
    at = 0
    found = []
    for day in days:
        while at < len(starts) and starts[at] <= day:
            stack.append(at)
            at += 1
        while stack and ends[stack[-1]] < day:
            stack.pop()
        found.append((who, what, day, first + stack[-1] if stack else -1))
    return found


def _facts(
    events: DataFrame,
    pointer: dict[str, Array],
    complete: set[str],
    parcels: Array,
    days: Array,
    outlines: dict[str, Outline],
) -> Facts:
    # One more at the end, which -1 points at: no event.
    state = np.append(places(events["state"], STATES[1:]) + 1, MISSING).astype(np.int8)
    day = np.append(days_of(events["on"]), NEVER)
    papered = np.append(is_written(events["document"]), False)

    def event(item: str) -> Fact:
        points = pointer.get(item)
        if points is None:
            return Fact(
                np.zeros(len(days), dtype=np.int8), np.full(len(days), NEVER), np.zeros(len(days), dtype=bool)
            )
        said = state[points]
        if item in complete:
            said = np.where(said == MISSING, np.int8(NONE), said)
        return Fact(said, day[points], papered[points])

    in_time = {
        axis: Outline(
            np.where(outline.day[parcels] <= days, outline.share[parcels], np.nan),
            outline.day[parcels],
            outline.is_papered[parcels],
        )
        for axis, outline in outlines.items()
    }
    return Facts(len(days), event, in_time)
