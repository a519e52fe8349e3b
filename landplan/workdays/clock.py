"""A time limit in working days against a day, minus agreed suspensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from landplan.errors import Fault, UsageError
from landplan.workdays.days import Stop, WorkCalendar, add_workdays, count_workdays

__all__ = ["Clock", "run_clock"]


@dataclass(frozen=True)
class Clock:
    """
    How a time limit stands on a day.

    Parameters
    ----------
    start_on : date
        The day that set it going; it does not count itself.
    days : int
        Working days allowed.
    due_on : date or None
        Last day on which it is in time; None while an open suspension keeps it from being known.
    used, left : int
        Working days gone and left on the day; ``left`` is negative by the working days it is late.
    state : str
        ``running``, ``stopped``, ``done`` or ``late``; a thing done late is ``done`` with ``left`` below zero.
    unknown_years : list of int
        Years the answer rests on whose notice is not known: it is provisional.
    """

    start_on: date
    days: int
    due_on: date | None
    used: int
    left: int
    state: str
    unknown_years: list[int]


def run_clock(
    start_on: date,
    days: int,
    calendar: WorkCalendar,
    as_of: date,
    *,
    stops: Sequence[Stop] = (),
    done_on: date | None = None,
) -> Clock:
    """
    Hold a time limit in working days against a day, minus agreed suspensions.

    Parameters
    ----------
    start_on : date
        The day that set it going; it does not count itself.
    days : int
        Working days allowed, at least one.
    calendar : WorkCalendar
        Which days count.
    as_of : date
        The day it is looked at.
    stops : sequence of Stop
        Suspensions; those that begin after ``as_of`` do not count yet, and one that ends after it still lasts.
    done_on : date or None
        The day it was done, if it was by ``as_of``.

    Returns
    -------
    Clock
        Due day, days used and left, state; and the years that are not known.

    Raises
    ------
    UsageError
        If ``days`` is below one, or a day lies beyond the table.

    Examples
    --------
    >>> from landplan.workdays import load_calendar
    >>> clock = run_clock(date(2026, 9, 10), 30, load_calendar(), date(2026, 10, 20))
    >>> clock.due_on, clock.used, clock.left, clock.state
    (datetime.date(2026, 10, 28), 24, 6, 'running')
    """
    if days < 1:
        raise UsageError(
            Fault(
                en=f"a time limit has at least one working day, not {days}.",
                zh=f"时限至少为 1 个工作日，不能是 {days}。",
                mend_en="mend the number",
                mend_zh="更正天数",
            )
        )
    done = done_on if done_on is not None and done_on <= as_of else None
    seen = [stop for stop in stops if stop.on <= as_of]
    # What was agreed to end later is known to stand still that long, but not to stop again.
    is_open = any(stop.until is None for stop in seen)
    standing = any(stop.on <= as_of and (stop.until is None or stop.until >= as_of) for stop in seen)
    counting = calendar.stopped(seen)
    end = as_of if done is None else done
    used = max(count_workdays(start_on, end, counting), 0)
    try:
        due_on = add_workdays(start_on, days, counting)
    except UsageError:
        if not is_open:
            raise
        due_on = None  # it stands still, and nobody knows until when
    if done is not None:
        state = "done"
    elif used > days:
        state = "late"
    else:
        state = "stopped" if standing else "running"
    unknown = calendar.unknown_years(start_on, due_on or end)
    return Clock(start_on, days, due_on, used, days - used, state, unknown)
