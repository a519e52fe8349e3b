"""Where the days come from: the notices the holidays library has, and what a project adds for years it has not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from landplan.errors import ConfigError, Fault
from landplan.rules.nodes import Reader
from landplan.workdays.days import WorkCalendar

__all__ = ["load_calendar"]

_FIRST, _LAST = date(1950, 1, 1), date(2099, 12, 31)
_KEYS = ("calendar", "years", "notes")
_YEAR = ("days_off", "make_up", "document")


def load_calendar(path: Path | None = None) -> WorkCalendar:
    """
    Give the working days of China, with what a project adds for years not yet in the tables.

    Parameters
    ----------
    path : Path or None
        A YAML file; a year it names is taken from it alone, days off and make-up days together::

            calendar: 2027 年放假安排
            years:
              2027:
                document: 国办发明电〔…〕…号
                days_off: [2027-01-01, 2027-02-05 .. 2027-02-11]
                make_up: [2027-02-20]

    Returns
    -------
    WorkCalendar
        From 1950 to 2099; known for the years whose notice the ``holidays`` library has, or the file gives.

    Raises
    ------
    ConfigError
        If the file is missing or says what it may not: every fault at once, with its line.

    Notes
    -----
    A year counts as known when the library lists days that the notice itself fixed; the law alone fixes none of the days
    moved.

    Examples
    --------
    The second of May 2024 was moved to Sunday, the 28th of April:

    >>> calendar = load_calendar()
    >>> calendar.is_workday(date(2024, 4, 28)), calendar.is_workday(date(2024, 5, 2))
    (True, False)
    """
    shipped = _shipped()
    if path is None:
        return shipped
    years = _read(path)
    working = shipped.working.copy()
    for year, (off, made_up) in years.items():
        begin, end = (date(year, 1, 1) - _FIRST).days, (date(year, 12, 31) - _FIRST).days
        working[begin : end + 1] = _weekdays(date(year, 1, 1), end - begin + 1)
        for days, value in ((off, False), (made_up, True)):
            for day in days:
                working[(day - _FIRST).days] = value
    return replace(
        shipped,
        working=working,
        known_years=shipped.known_years | frozenset(years),
        sources=(*shipped.sources, path.as_posix()),
    )


@cache
def _shipped() -> WorkCalendar:
    import holidays

    table: Any = holidays.country_holidays("CN", years=range(_FIRST.year, _LAST.year + 1))
    count = (_LAST - _FIRST).days + 1
    working = _weekdays(_FIRST, count)
    for day in table:
        working[(day - _FIRST).days] = False
    for day in table.weekend_workdays:
        if _FIRST <= day <= _LAST:
            working[(day - _FIRST).days] = True
    # Days a notice fixed stand in a table of their own by year; those of the law are computed for any year.
    known = frozenset(int(year) for year in table.special_public_holidays)
    working.flags.writeable = False
    return WorkCalendar(_FIRST, working, known, (f"holidays {version('holidays')}",))


def _weekdays(first: date, count: int) -> NDArray[np.bool_]:
    return np.asarray((np.arange(count) + first.weekday()) % 7 < 5)


def _read(path: Path) -> dict[int, tuple[list[date], list[date]]]:
    """Read the years of a calendar file: days off and make-up days."""
    reader = Reader(path.as_posix())
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            Fault(
                en=f"the calendar cannot be read: {error.strerror}.",
                zh="工作日历文件无法读取。",
                at=path.as_posix(),
                mend_en="check the path under [checklist] calendar",
                mend_zh="核对 [checklist] calendar 的路径",
            )
        ) from error
    root = reader.compose(data)
    found: dict[int, tuple[list[date], list[date]]] = {}
    parts = {} if root is None else reader.mapping(root, "calendar", _KEYS, ("calendar", "years"))
    for name, key, node in reader.pairs(parts["years"], "years") if "years" in parts else ():
        year = int(name) if name.isdecimal() and _FIRST.year <= int(name) <= _LAST.year else None
        if year is None:
            reader.fault(
                key,
                f"{name!r} is no year from {_FIRST.year} to {_LAST.year}.",
                f"“{name}”不是 {_FIRST.year} 至 {_LAST.year} 之间的年份。",
            )
            continue
        what = f"year {year}"
        listed = reader.mapping(node, what, _YEAR, _YEAR)
        reader.text(listed.get("document"), f"document of {what}")
        off, made_up = (_days_of(reader, listed.get(part), f"{part} of {what}", year) for part in _YEAR[:2])
        _check_year(reader, key, year, off, made_up)
        found[year] = (off, made_up)
    if reader.faults:
        raise ConfigError(*reader.faults)
    return found


def _days_of(reader: Reader, node: yaml.Node | None, what: str, year: int) -> list[date]:
    """Read a list of days, and spans of days written ``2027-02-05 .. 2027-02-11``."""
    if node is None:
        return []
    if not isinstance(node, yaml.SequenceNode):
        reader.fault(
            node, f"{what} must be a list of days.", f"“{what}”应为日期列表。", "[2027-01-01]", "[2027-01-01]"
        )
        return []
    found: list[date] = []
    for part in node.value:
        text = str(part.value) if isinstance(part, yaml.ScalarNode) else ""
        ends = [
            reader.day(yaml.ScalarNode(part.tag, end.strip(), part.start_mark, part.end_mark), what)
            for end in text.split("..", 1)
        ]
        days = [day for day in ends if day is not None]
        if len(days) < len(ends):
            continue
        if days[-1] < days[0] or any(day.year != year for day in days):
            reader.fault(
                part,
                f"{text!r} is not a span of days of {year}.",
                f"“{text}”不是 {year} 年内的日期或起止日期。",
                "a day of another year stands under that year",
                "其他年份的日期写在该年份之下",
            )
            continue
        found += [days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days + 1)]
    return found


def _check_year(
    reader: Reader, node: yaml.Node, year: int, off: Sequence[date], made_up: Sequence[date]
) -> None:
    both = sorted(set(off) & set(made_up))
    weekdays = [day for day in made_up if day.weekday() < 5]
    if not off:
        reader.fault(node, f"year {year} has no day off.", f"{year} 年没有放假日。")
    for day in both:
        reader.fault(node, f"{day} is both off and made up.", f"{day} 既是放假日又是补班日。")
    for day in weekdays:
        reader.fault(
            node,
            f"{day}, made up, is a weekday already.",
            f"补班日 {day} 不是周六或周日。",
            "check the notice",
            "核对放假通知",
        )
