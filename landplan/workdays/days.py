"""Which days are worked, and counting along them: one day at a time, or a hundred thousand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from landplan.errors import Fault, UsageError

__all__ = ["Stop", "WorkCalendar", "add_workdays", "count_workdays"]

_Days = NDArray[np.datetime64]
# The notice on a year may move days of the New Year holiday into the last three days of the year before, as it did in
# 2005, 2006, 2007 and 2018: until it is out, those days are no surer than the year that follows.
_NEW_YEAR = (12, 29)


@dataclass(frozen=True)
class Stop:
    """
    A span in which a clock stands still.

    Parameters
    ----------
    on : date
        First day that does not count.
    until : date or None
        Last day that does not count; None while it lasts.
    reason : str, default ""
        Why, and whose side it lies on.
    """

    on: date
    until: date | None = None
    reason: str = ""


@dataclass(frozen=True)
class WorkCalendar:
    """
    Which days are working days, and which years that is known of.

    Parameters
    ----------
    first : date
        The day the table begins with.
    working : array of bool
        One day after the other.
    known_years : frozenset of int
        Years whose notice is in the table; what is said of others is provisional (暂定).
    sources : tuple of str
        Where the days come from.
    """

    first: date
    working: NDArray[np.bool_]
    known_years: frozenset[int]
    sources: tuple[str, ...] = ()

    @property
    def last(self) -> date:
        """The day the table ends with."""
        return self.first + timedelta(days=len(self.working) - 1)

    def is_workday(self, day: date) -> bool:
        """
        Tell whether a day is a working day.

        Parameters
        ----------
        day : date
            Within the table.

        Returns
        -------
        bool
            True for working days, make-up Saturdays and Sundays among them.
        """
        return bool(self.working[int(_positions(self, day))])

    def unknown_years(self, first: date, last: date) -> list[int]:
        """
        Name the years whose notice an answer between two days would rest on, and which is not there.

        Parameters
        ----------
        first, last : date
            Both included; in either order.

        Returns
        -------
        list of int
            Ascending; empty where all is known.

        Examples
        --------
        >>> from landplan.workdays import load_calendar
        >>> load_calendar().unknown_years(date(2024, 1, 1), date(2024, 12, 31))
        []
        """
        first, last = min(first, last), max(first, last)
        end = last.year + ((last.month, last.day) >= _NEW_YEAR)
        return [year for year in range(first.year, end + 1) if year not in self.known_years]

    def are_provisional(self, starts: Any, ends: Any) -> NDArray[np.bool_]:
        """
        Tell which of many spans reach into years that are not known.

        Parameters
        ----------
        starts, ends : array of datetime64, n
            NaT gives False: nothing is said of it.

        Returns
        -------
        array of bool, n
            True where at least one year between is not known.
        """
        begins, closes = np.atleast_1d(_as_days(starts)), np.atleast_1d(_as_days(ends))
        begins, closes = np.minimum(begins, closes), np.maximum(begins, closes)
        missing = np.isnat(begins) | np.isnat(closes)
        # Three days further, so that the last days of a year rest on the notice of the next.
        years = [_years(begins), _years(closes + np.timedelta64(3, "D"))]
        low = int(min(self.known_years, default=9999))
        gaps = np.cumsum([year not in self.known_years for year in range(low, 2200)])
        first, last = (np.clip(np.where(missing, low, each), low - 1, 2199) for each in years)
        before = np.where(first <= low, 0, gaps[np.maximum(first - low - 1, 0)])
        found = (gaps[np.maximum(last - low, 0)] - before > 0) | (first < low)
        return np.asarray(found & ~missing, dtype=bool)

    def stopped(self, stops: Iterable[Stop]) -> WorkCalendar:
        """
        Take days out on which the clock stands still.

        Parameters
        ----------
        stops : iterable of Stop
            Agreed suspensions; may overlap. One without an end stops the clock for good.

        Returns
        -------
        WorkCalendar
            The same without them.
        """
        working = self.working.copy()
        for stop in stops:
            begin = max((stop.on - self.first).days, 0)
            end = len(working) if stop.until is None else (stop.until - self.first).days + 1
            working[begin : max(end, 0)] = False
        return replace(self, working=working)


def _as_days(days: Any) -> _Days:
    return np.asarray(days, dtype="datetime64[D]")


def _years(days: _Days) -> NDArray[np.int64]:
    return days.astype("datetime64[Y]").astype(np.int64) + 1970


def _positions(calendar: WorkCalendar, days: Any) -> NDArray[np.int64]:
    """Number days from the first of the table; beyond it there is no answer, and none is made up."""
    numbered = _as_days(days)
    places = (numbered - np.datetime64(calendar.first, "D")).astype(np.int64)
    known = ~np.isnat(numbered)
    if ((places < 0) | (places >= len(calendar.working)))[known].any():
        raise UsageError(
            Fault(
                en=f"working days are known from {calendar.first} to {calendar.last} only.",
                zh=f"工作日历只覆盖 {calendar.first} 至 {calendar.last}。",
                mend_en="check the days",
                mend_zh="核对日期",
            )
        )
    return np.where(known, places, 0)


@overload
def add_workdays(days: date, counts: int, calendar: WorkCalendar) -> date: ...
@overload
def add_workdays(days: Any, counts: Any, calendar: WorkCalendar) -> _Days: ...
def add_workdays(days: Any, counts: Any, calendar: WorkCalendar) -> Any:
    """
    Find the day on which so many working days have gone by.

    Parameters
    ----------
    days : date, or array of datetime64, n
        The day that sets the clock going; it does not count itself.
    counts : int, or array of numbers, n
        Working days, whole; below zero counts back.
    calendar : WorkCalendar
        Which days count.

    Returns
    -------
    date, or array of datetime64, n
        The last of the days counted; the day itself where the count is 0. NaT where a day or a count is missing.

    Raises
    ------
    UsageError
        If a day or an answer lies beyond the table.

    Examples
    --------
    Thirty working days from the 10th of September 2026, across Mid-Autumn, National Day and two make-up days:

    >>> from landplan.workdays import load_calendar
    >>> add_workdays(date(2026, 9, 10), 30, load_calendar())
    datetime.date(2026, 10, 28)
    """
    plain = isinstance(days, date) and np.ndim(counts) == 0
    numbered = _as_days(days)
    steps = np.asarray(counts, dtype=np.float64)
    numbered, steps = np.broadcast_arrays(numbered, steps)
    missing = np.isnat(numbered) | np.isnan(steps)
    places = _positions(calendar, numbered)
    whole = np.where(missing, 0, steps).astype(np.int64)
    workdays = np.flatnonzero(calendar.working)
    passed = np.cumsum(calendar.working)[places]  # working days up to the day, itself included
    # Counting back from a day off begins at the working day before it, which is one already.
    off = ~calendar.working[places]
    target = np.where(whole > 0, passed + whole - 1, passed + whole - 1 + (off & (whole < 0)))
    asked = ~missing & (whole != 0)
    if ((target < 0) | (target >= len(workdays)))[asked].any():
        raise UsageError(
            Fault(
                en=f"the count runs beyond {calendar.first} to {calendar.last}.",
                zh=f"计算结果超出工作日历范围（{calendar.first} 至 {calendar.last}）。",
                mend_en="check the days and the number of working days",
                mend_zh="核对日期和工作日数",
            )
        )
    found = workdays[np.clip(target, 0, len(workdays) - 1)] if len(workdays) else np.zeros_like(places)
    result = np.datetime64(calendar.first, "D") + np.where(asked, found, places)
    result = np.where(missing, np.datetime64("NaT", "D"), result)
    return result.item() if plain else result


@overload
def count_workdays(starts: date, ends: date, calendar: WorkCalendar) -> int: ...
@overload
def count_workdays(starts: Any, ends: Any, calendar: WorkCalendar) -> NDArray[np.float64]: ...
def count_workdays(starts: Any, ends: Any, calendar: WorkCalendar) -> Any:
    """
    Count the working days that go by from one day to another.

    Parameters
    ----------
    starts, ends : date, or array of datetime64, n
        The first does not count itself, the last does.
    calendar : WorkCalendar
        Which days count.

    Returns
    -------
    int, or array of float, n
        Below zero where the end lies before the start; NaN where a day is missing.

    Raises
    ------
    UsageError
        If a day lies beyond the table.

    Examples
    --------
    The National Day week of 2025 had eight days off, and the Saturday after it was worked:

    >>> from landplan.workdays import load_calendar
    >>> count_workdays(date(2025, 9, 30), date(2025, 10, 11), load_calendar())
    3
    """
    plain = isinstance(starts, date) and isinstance(ends, date)
    first, last = np.broadcast_arrays(_as_days(starts), _as_days(ends))
    missing = np.isnat(first) | np.isnat(last)
    passed = np.cumsum(calendar.working)
    counted: Any = passed[_positions(calendar, last)] - passed[_positions(calendar, first)]
    return int(counted) if plain else np.where(missing, np.nan, counted.astype(np.float64))
