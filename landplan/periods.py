"""Lengths of time as rules state them, a quarter or thirty days, and the last day on which a fact is still fresh."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

__all__ = ["QUARTER", "Period", "is_stale", "parse_period"]

_MONTHS = {"month": 1, "quarter": 3, "year": 12, "个月": 1, "月": 1, "个季度": 3, "季度": 3, "年": 12}
_DAYS = {"day": 1, "week": 7, "天": 1, "日": 1, "周": 7}
_WORDS = re.compile(rf"([1-9][0-9]{{0,3}})\s*({'|'.join([*_MONTHS, *_DAYS])})s?")


@dataclass(frozen=True)
class Period:
    """
    A length of time, counted in months or in days.

    Parameters
    ----------
    months, days : int
        One of them is 0.
    """

    months: int = 0
    days: int = 0

    def word(self, lang: str = "zh") -> str:
        """
        Say it in words.

        Parameters
        ----------
        lang : {"zh", "en"}
            Language.

        Returns
        -------
        str
            Quarters as quarters.

        Examples
        --------
        >>> Period(months=3).word(), Period(days=30).word("en")
        ('1 个季度', '30 days')
        """
        count, zh, en = (
            (self.days, "天", "day")
            if self.days
            else (self.months // 3, "个季度", "quarter")
            if self.months % 3 == 0
            else (self.months, "个月", "month")
        )
        return f"{count} {zh}" if lang == "zh" else f"{count} {en}{'s' if count > 1 else ''}"


QUARTER = Period(months=3)
"""What ledgers updated every quarter (季度更新) are held against."""


def parse_period(text: str) -> Period | None:
    """
    Read a length of time.

    Parameters
    ----------
    text : str
        ``1 quarter``, ``3 months``, ``30 days``, ``1 个季度``.

    Returns
    -------
    Period or None
        None where the text says something else.

    Examples
    --------
    >>> parse_period("1 quarter") == parse_period("3 个月") == QUARTER
    True
    """
    found = _WORDS.fullmatch(text.strip().lower())
    if found is None:
        return None
    count, unit = int(found[1]), found[2]
    return Period(months=count * _MONTHS[unit]) if unit in _MONTHS else Period(days=count * _DAYS[unit])


def is_stale(measured: pd.Series[Any], as_of: date, period: Period = QUARTER) -> pd.Series[Any]:
    """
    Tell which facts are too old to rest on.

    Parameters
    ----------
    measured : Series of datetime64, n rows
        Day each fact was established.
    as_of : date
        The day it is to be used on.
    period : Period, default QUARTER
        How long a fact keeps.

    Returns
    -------
    Series of bool, n rows, same index
        True where the day is missing, or the period has passed: a fact of 15 March keeps to 15 June, and is stale on
        16 June. A month that lacks the day ends on its last: 30 November keeps to 28 February.

    Examples
    --------
    >>> days = pd.Series(pd.to_datetime(["2026-03-15", "2026-03-16", None]))
    >>> is_stale(days, date(2026, 6, 16)).tolist()
    [True, False, True]
    """
    days = pd.to_datetime(measured)
    last = days + pd.DateOffset(months=period.months, days=period.days)
    return ~(last >= pd.Timestamp(as_of))
