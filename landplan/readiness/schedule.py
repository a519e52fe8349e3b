"""When each item could be done at the earliest, and which of them a parcel waits for: the critical path in working days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landplan.readiness.checklist import Checklist
from landplan.readiness.states import STATES, State
from landplan.workdays import WorkCalendar, add_workdays

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Span", "schedule_items"]

_Days = NDArray[np.datetime64]
_NEVER = np.datetime64("NaT", "D")
_DONE, _PENDING, _SUSPENDED = (STATES.index(word) for word in ("done", "pending", "suspended"))


@dataclass
class Span:
    """
    One item on the calendar, for every parcel.

    Parameters
    ----------
    is_open : array of bool, n
        Whether it still has to be done.
    start, finish : array of datetime64[D], n
        First working day on it, and the day it could be done; NaT where not known, and where it is not open.
    is_critical : array of bool, n
        Whether a day lost here is a day lost at the end; where the end is not known, whether it is what keeps it from
        being known.
    """

    is_open: NDArray[np.bool_]
    start: _Days
    finish: _Days
    is_critical: NDArray[np.bool_]


def schedule_items(
    parcels: DataFrame,
    checklist: Checklist,
    states: Mapping[str, State],
    as_of: date,
    calendar: WorkCalendar,
) -> dict[str, Span]:
    """
    Lay the open items of a checklist on the calendar, each as early as what comes before allows.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        ``event_<item>_on`` tells since when an item is under way, ``servicing_<item>_expected_on`` when a network is
        expected.
    checklist : Checklist
        Items in an order in which everything follows what comes before.
    states : mapping of str to State
        As ``item_states`` gives.
    as_of : date
        The day; work begins on the working day after it.
    calendar : WorkCalendar
        Which days are worked.

    Returns
    -------
    dict of str to Span
        By code, in the order of the checklist.

    Notes
    -----
    An item under way began on the day of its event, and is never done before what it comes after; one that has outrun its
    days counts as if it began today. One expected on a day is done on that day. One suspended, and one without days, has
    no known end, and neither has what comes after it.
    """
    today = np.datetime64(as_of, "D")
    found: dict[str, Span] = {}
    clocks: dict[str, _Days] = {}
    drives: dict[str, NDArray[np.bool_]] = {}
    for code, item in checklist.items.items():
        state = states[code]
        is_open = state > _DONE
        clock = _latest([found[name] for name in item.after], today, len(parcels))
        days = np.where(state == _SUSPENDED, np.nan, item.days)
        one = 0 if item.days == 0 else 1
        start = add_workdays(clock, one, calendar)
        finish = add_workdays(clock, days, calendar)
        since, expected = _own_days(parcels, item.known_by, item.names)
        running = is_open & (state == _PENDING) & (since <= today)
        if running.any():
            own = add_workdays(np.where(running, since, today), days, calendar)
            # Work that has outrun its days says nothing of its end: they are counted again in full.
            running &= own > today
            finish = np.where(running, np.maximum(own, clock), finish)
            start = np.where(running, since, start)
        # A day somebody expects it on says more than a number of days, but not that what comes before is done by then.
        coming = is_open & (state != _SUSPENDED) & (expected > today)
        finish = np.where(coming, np.maximum(expected, clock), finish)
        found[code] = Span(
            is_open,
            np.where(is_open, start, _NEVER),
            np.where(is_open, finish, _NEVER),
            np.zeros(len(parcels), dtype=bool),
        )
        clocks[code] = clock
        drives[code] = ~(running | coming) | (finish == clock)
    _mark_critical(checklist, found, clocks, drives)
    return found


def _latest(before: Sequence[Span], today: np.datetime64, count: int) -> _Days:
    """Latest end of what comes before, no earlier than today; NaT where one of them has no known end."""
    clock = np.full(count, today)
    for span in before:
        # maximum() keeps NaT, as it must: after what has no end there is no beginning.
        clock = np.where(span.is_open, np.maximum(clock, span.finish), clock)
    return clock


def _own_days(parcels: DataFrame, known_by: str, names: Sequence[str]) -> tuple[_Days, _Days]:
    """Since when an item is under way, and when it is expected; of several the latest, NaT where one is not known."""
    nothing = np.full(len(parcels), _NEVER)
    if known_by == "rules" or not names:
        return nothing, nothing

    def column(kind: str, name: str, end: str) -> _Days:
        full = f"{kind}_{name}_{end}"
        return parcels[full].to_numpy(dtype="datetime64[D]") if full in parcels.columns else nothing

    since = np.maximum.reduce([column("event", name, "on") for name in names])
    if known_by != "servicing":
        return since, nothing
    return since, np.maximum.reduce([column("servicing", name, "expected_on") for name in names])


def _mark_critical(
    checklist: Checklist,
    found: Mapping[str, Span],
    clocks: Mapping[str, _Days],
    drives: Mapping[str, NDArray[np.bool_]],
) -> None:
    """Walk back from the end: what ends last, and whatever the end of such an item waited for."""
    if not found:
        return
    spans = list(found.values())
    endless = {code: span.is_open & np.isnat(span.finish) for code, span in found.items()}
    unknown = np.logical_or.reduce(list(endless.values()))
    last = np.full(len(unknown), np.datetime64("0001-01-01", "D"))
    for span in spans:
        last = np.where(np.isnat(span.finish), last, np.maximum(last, span.finish))
    for code in reversed(list(checklist.items)):
        span = found[code]
        # Where the end is not known, what counts is where that begins: an item that could start and has no end.
        span.is_critical |= endless[code] & ~np.isnat(clocks[code])
        span.is_critical |= span.is_open & ~unknown & (span.finish == last)
        for name in checklist.items[code].after:
            held = found[name]
            waited = held.is_open & (held.finish == clocks[code]) & drives[code]
            held.is_critical |= span.is_critical & waited & ~unknown
