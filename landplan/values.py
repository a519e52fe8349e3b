"""
What people write in cells, read as numbers and days: a value where the words are certain, otherwise a fault.

A missing word is missing, a doubtful one is a fault; neither is ever zero, and nothing is guessed.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from math import isfinite, nan
from numbers import Real

import numpy as np
import pandas as pd

from landplan.errors import UnitError
from landplan.units import find_unit

__all__ = ["Day", "Number", "parse_day", "parse_number"]


@dataclass(frozen=True, slots=True)
class Number:
    """
    A number as a cell states it.

    Parameters
    ----------
    value : float
        As written (``200%`` is 200 with unit ``%``); the lower end of a range; NaN where missing or at fault.
    upper : float or None
        Upper end of a range.
    bound : {"min", "max"} or None
        Whether the words make it a floor or a ceiling.
    unit : str or None
        Unit written behind the number; a name ``units.find_unit`` knows, or ``年``.
    is_approximate : bool
        Whether it says 约, 左右 ...
    is_missing : bool
        Whether the cell says that there is no value.
    is_fault : bool
        Whether the cell says something that is no certain number.
    is_scaled : bool, default False
        Whether a bare 万 or 亿 was multiplied in; under a header that is itself in 万元 that is doubtful.
    label : str, default ""
        Word that names the quantity inside the cell, e.g. 容积率 in ``1.0≤容积率≤2.0``.
    """

    value: float
    upper: float | None = None
    bound: str | None = None
    unit: str | None = None
    is_approximate: bool = False
    is_missing: bool = False
    is_fault: bool = False
    is_scaled: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """
    A day as a cell states it.

    Parameters
    ----------
    value : date or None
        The day; the last day of the month or year where no more is said; None where missing or at fault.
    precision : {"day", "month", "year"} or None
        What was said.
    is_missing : bool
        Whether the cell says that there is no day, in words or by a placeholder such as 1900-01-01.
    is_fault : bool
        Whether the cell says something that is no certain day.
    """

    value: date | None
    precision: str | None = None
    is_missing: bool = False
    is_fault: bool = False


_NO_NUMBER = Number(nan, is_missing=True)
_BAD_NUMBER = Number(nan, is_fault=True)
_NO_DAY = Day(None, is_missing=True)
_BAD_DAY = Day(None, is_fault=True)

_MISSING = re.compile(
    r"-{1,3}|[—―–－_/\\]|——|//|无|無|[暂暫][无無]|空|缺|不[详詳]|未知|未提供|未填写?|未定|待[定补]|待补充|尚[无無][资資]料|"
    r"不予[规規]定|不作规定|不作要求|无要求|不限|null|none|na|n/a|n\.a\.|nil",
    flags=re.I,
)
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")
# NFKC would make "102" of 10², "1" of ① and "1⁄2" of ½: another number than the one written.
_LOOKALIKE = re.compile(r"(?:(?<=[mM])[²³])|[㎡㎢㎥]|([^\x00-\x7f])")

# Alternatives with 不 come first in the text: 不大于 must never be read as 不 and 大于.
_SIGNS = re.compile(
    r"(?P<floor>应?不[得应能宜可]?[低小少][于於]|大[于於](?:或者?)?等[于於]|[大高][于於]|超过|至少|最低为?|[≥≧⩾≮]|>=|=>|>)|"
    r"(?P<ceiling>应?不[得应能宜可]?(?:[高大多][于於]|超[过過])|小[于於](?:或者?)?等[于於]|[小低][于於]|"
    r"[至最]多|最高为?|[≤≦⩽≯]|<=|=<|<)|"
    r"(?P<above>(?:\(含\)|[及含])?以上(?:\(含(?:本数)?\))?)|"
    r"(?P<below>(?:\(含\)|[及含])?(?:以下|以内|之内)(?:\(含(?:本数)?\))?)|"
    r"(?P<span>[~〜∼至到–―]|—{1,2})"
)
_SIGN = {"floor": "≥", "ceiling": "≤", "above": "↑", "below": "↓", "span": "~"}
_HYPHEN = re.compile(r"(?<=[0-9%a-z\u4e00-\u9fff])(?<![0-9][eE])-(?=[0-9.])", flags=re.I)
_NUMBER = re.compile(
    r"([+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?|[+-]?\.[0-9]+)(?![0-9.])(.*)",
    flags=re.S,
)
_HAN_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "○": 0, "两": 2}
_HAN_TENS = {"十": 10, "百": 100, "千": 1000}
_HAN_FORMAL = str.maketrans(
    "壹贰貳叁參肆伍陆陸柒捌玖拾佰仟萬億兩點", "一二二三三四五六六七八九十百千万亿两点"
)
_HAN_NUMBER = re.compile(
    r"([零〇○一二三四五六七八九两十百千万亿]+(?:点[零〇○一二三四五六七八九]+)?)(.*)", flags=re.S
)
_SCALE = {"万": 1e4, "亿": 1e8}
_LABEL = re.compile(
    r"[A-Za-z]{1,6}|(?![^，]*[不非无未勿禁])[\u4e00-\u9fff]{0,12}"
    r"(?:率|系数|密度|强度|面积|税收|产值|能耗|高度|限高|占比|比重|比例|投资额?|增加值)(?:为|应|须|需)?"
)
_BEFORE_ABOUT = re.compile(r"^(?:大约为|大约|约为|约|近|≈)(?=.)")
_AFTER_ABOUT = re.compile(r"(?:左右|上下)$")
_WITHIN_ABOUT = re.compile(r"(?<=[0-9十百千万亿])[余多](?=[^0-9]*$)")
_JOINT = re.compile(r"^(?:[,;、]|并且|而且|同时|且|并|和)|(?:[,;、]|并且|而且|同时|且|并|和)$")
_OPERATORS = "≥≤↑↓~"
# The shapes a statement may have: q a quantity, n the name of what is measured.
_ONE_BOUND = {
    "q": None, "≥q": "min", "≤q": "max", "n≥q": "min", "n≤q": "max", "q↑": "min", "q↓": "max",
    "q≤n": "min", "q≥n": "max", "≥q↑": "min", "≤q↓": "max",
}  # fmt: skip
_CEILING_FIRST = {"≤q≥q", "n≤q≥q", "q↓q↑", "q≥n≥q"}
_TWO_BOUNDS = {"≥q≤q", "n≥q≤q", "q↑q↓", "q≤n≤q"} | _CEILING_FIRST
_LONGEST = 100
# A term is written 50年; 2024年 is a day, not a number.
_LONGEST_TERM = 99


def parse_number(cell: object) -> Number:
    """
    Read a cell as a number, with the operator, range, unit and doubt it states.

    Parameters
    ----------
    cell : object
        Anything a reader may hand on: numbers, text, None, NaN, days, flags.

    Returns
    -------
    Number
        A value where it is certain; ``is_missing`` for blanks and words such as 不予規定; ``is_fault`` for
        all else, also for days, flags and infinities. Only a written zero is zero.

    Examples
    --------
    >>> parse_number("1.0≤容积率≤2.0").upper
    2.0
    >>> parse_number("约２０亩")
    Number(value=20.0, upper=None, bound=None, unit='亩', is_approximate=True, is_missing=False, ...)
    >>> parse_number("#REF!").is_fault
    True
    """
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return _NO_NUMBER
    if isinstance(cell, str):
        return _number_in(cell)
    if isinstance(cell, bool | np.bool_) or not isinstance(cell, Real | Decimal):
        return _BAD_NUMBER
    value = float(cell)
    if value != value:  # noqa: PLR0124 - NaN is how tables say that a cell is blank
        return _NO_NUMBER
    return Number(value + 0.0) if isfinite(value) else _BAD_NUMBER


@dataclass(frozen=True, slots=True)
class _Quantity:
    value: float
    unit: str | None = None
    is_scaled: bool = False


@lru_cache(maxsize=65536)
def _number_in(text: str) -> Number:
    folded = _plain(text)
    if folded is None:
        return _BAD_NUMBER
    if folded == "" or _MISSING.fullmatch(folded):
        return _NO_NUMBER
    # 1 200 may be two numbers, 1-1 is the number of a plot.
    if len(folded) > _LONGEST or re.search(r"[0-9.]\s+[0-9.]", folded) or re.fullmatch(r"(.+)-\1", folded):
        return _BAD_NUMBER
    folded = re.sub(r"\s+", "", folded).replace("−", "-").translate(_HAN_FORMAL)
    folded = re.sub(r"(?<=[0-9])。(?=[0-9])", ".", folded)
    shorn = _WITHIN_ABOUT.sub("", _AFTER_ABOUT.sub("", _BEFORE_ABOUT.sub("", folded)))
    read = _statement(_HYPHEN.sub("~", _SIGNS.sub(lambda found: f" {_SIGN[found.lastgroup or '']} ", shorn)))
    if read is None:
        return _BAD_NUMBER
    return replace(read, is_approximate=shorn != folded)


def _plain(text: str) -> str | None:
    """Fold widths; None where folding would change the number."""
    for found in _LOOKALIKE.finditer(text):
        other = found[1] or "x"
        if unicodedata.category(other) in ("No", "Nl", "Nd") and other not in "０１２３４５６７８９〇":
            return None
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).strip()


def _statement(text: str) -> Number | None:
    """Read what stands between the operators: ``1.0 ≤ 容积率 ≤ 2.0`` in any of the orders people use."""
    parts = [part for part in re.split(r"\s*([≥≤↑↓~])\s*", text) if part.strip()]
    bare = [part if part in _OPERATORS else _JOINT.sub("", part) for part in parts]
    found = [None if part in _OPERATORS else _quantity(part) for part in bare]
    kinds = ["q" if amount else "n" for amount in found]
    shape = "".join(part if part in _OPERATORS else kind for part, kind in zip(parts, kinds, strict=True))
    amounts = [amount for amount in found if amount]
    labels = [part for part, kind in zip(parts, shape, strict=True) if kind == "n"]
    if any(not _LABEL.fullmatch(label) for label in labels):
        return None
    label = labels[0] if labels else ""
    # "1.0," alone is a slip: 且 and its like belong between a floor and a ceiling.
    if shape not in _TWO_BOUNDS and bare != parts:
        return None
    if shape in _ONE_BOUND:
        only = amounts[0]
        return Number(only.value, None, _ONE_BOUND[shape], only.unit, is_scaled=only.is_scaled, label=label)
    if shape not in _TWO_BOUNDS and shape != "q~q":
        return None
    first, second = amounts if shape not in _CEILING_FIRST else reversed(amounts)
    if shape == "q~q" and first.unit is None and not first.is_scaled and not second.is_scaled:
        # 180~200% is said of both ends; 50%~60 of one only.
        first = _Quantity(first.value, second.unit)
    if first.value > second.value or first.unit != second.unit or first.is_scaled != second.is_scaled:
        return None
    return Number(first.value, second.value, None, first.unit, is_scaled=first.is_scaled, label=label)


def _quantity(text: str) -> _Quantity | None:
    """Read a number and the unit behind it."""
    per_hundred = text.startswith("百分之")
    if per_hundred:
        text = text.removeprefix("百分之")
    arabic = _NUMBER.fullmatch(text)
    if arabic:
        value, rest = float(arabic[1].replace(",", "")) + 0.0, arabic[2]
    else:
        han = _HAN_NUMBER.fullmatch(text)
        spoken = _han_number(han[1]) if han else None
        if han is None or spoken is None:
            return None
        value, rest = spoken, han[2]
        if not rest and not per_hundred and han[1][-1] in _SCALE:
            return _Quantity(value, None, True)
    if not isfinite(value):
        return None
    if per_hundred:
        return _Quantity(value, "%") if not rest else None
    if not rest:
        return _Quantity(value)
    if _is_unit(rest) or (rest == "年" and value <= _LONGEST_TERM):
        return _Quantity(value, rest)
    if arabic and rest[0] in _SCALE:
        # round: 1.2 * 10000 must be 12000, not 11999.999999999998.
        value, rest = round(value * _SCALE[rest[0]], 6), rest[1:]
        if not rest:
            return _Quantity(value, None, True)
        return _Quantity(value, rest) if _is_unit(rest) else None
    return None


def _is_unit(text: str) -> bool:
    try:
        find_unit(text)
    except UnitError:
        return False
    return True


def _han_number(text: str) -> float | None:
    """Read a Chinese numeral; None for short forms of speech (一千二) and for a lone 一, often a dash."""
    whole, _, decimals = text.partition("点")
    if text == "一" or not whole:
        return None
    value = _han_whole(whole)
    if value is None:
        return None
    return float(f"{value}.{''.join(str(_HAN_DIGITS[c]) for c in decimals)}") if decimals else float(value)


def _han_whole(text: str) -> int | None:
    if not text:
        return None
    for sign, size in (("亿", 10**8), ("万", 10**4)):
        if sign in text:
            head, _, tail = text.rpartition(sign)
            high = _han_whole(head)
            low = _han_whole(tail) if tail else 0
            # 三万五 is 35000 in speech and 30005 to the letter.
            if high is None or low is None or low >= size:
                return None
            return None if 0 < low < size // 10 and tail[0] not in "零〇○" else high * size + low
    return _han_below_wan(text)


def _han_below_wan(text: str) -> int | None:
    total, last, digit, gap = 0, 10_000, None, False
    for sign in text:
        if sign in _HAN_TENS:
            size = _HAN_TENS[sign]
            if size >= last or (digit is None and not (sign == "十" and total == 0)) or digit == 0:
                return None
            total, last, digit, gap = total + (1 if digit is None else digit) * size, size, None, False
        elif _HAN_DIGITS[sign] == 0 and text not in ("零", "〇", "○"):
            if digit is not None:
                return None
            gap = True
        elif digit is not None:
            return None
        else:
            digit = _HAN_DIGITS[sign]
    if digit is None:
        return None if gap else total
    if total and last > 10 and not gap:
        return None
    return total + digit


_PLACEHOLDERS = {date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1), date(1901, 1, 1)}
_EPOCH = date(1899, 12, 30)
_FIRST_SERIAL, _LAST_SERIAL = 20_000, 80_000
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
# Sixteen o'clock in UTC is the next day in China: an hour of another zone is taken at midnight only.
_CLOCK = re.compile(
    r"[ T]+(?:[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:\+08:?(?:00)?)?"
    r"|00:00(?::00(?:\.0+)?)?(?:Z|\+00:?00))$"
)
_WHOLE_DAY = re.compile(
    r"([0-9]{4})(?:([-./])([0-9]{1,2})\2([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})[日号號]?|([0-9]{2})([0-9]{2}))"
)
_MONTH = re.compile(r"([0-9]{4})(?:[-./]([0-9]{1,2})|年([0-9]{1,2})月份?|([0-9]{2}))")
_YEAR = re.compile(r"([0-9]{4})年?度?")
_HAN_DAY = re.compile(
    r"([〇○零一二三四五六七八九]{4})年(?:([一二三四五六七八九十]{1,2})月份?(?:([一二三四五六七八九十]{1,3})[日号號]?)?)?"
)


def parse_day(cell: object) -> Day:
    """
    Read a cell as a day.

    Parameters
    ----------
    cell : object
        Anything a reader may hand on: dates, text, None, NaN, Excel serials from 20000 to 80000 (1954 on).

    Returns
    -------
    Day
        The day where it is certain, with how precisely it was given; a month or a year stands for its
        last day. ``is_missing`` for blanks and placeholders; ``is_fault`` for all else: two-digit years,
        ``1/2/2024``, and 2024.1, which is January or a 2024.10 typed as a number.

    Examples
    --------
    >>> parse_day("2024年2月")
    Day(value=datetime.date(2024, 2, 29), precision='month', is_missing=False, is_fault=False)
    >>> parse_day(45444).value
    datetime.date(2024, 6, 1)
    """
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return _NO_DAY
    if isinstance(cell, np.datetime64):
        return _NO_DAY if np.isnat(cell) else parse_day(cell.astype("datetime64[s]").item())
    if isinstance(cell, datetime):
        if cell.utcoffset() not in (None, timedelta(hours=8)) and cell.time() != time():
            return _BAD_DAY
        cell = cell.date()
    if isinstance(cell, date):
        return _checked(cell, "day")
    if isinstance(cell, str):
        return _day_in(cell)
    if isinstance(cell, bool | np.bool_) or not isinstance(cell, Real | Decimal):
        return _BAD_DAY
    number = float(cell)
    if number != number:  # noqa: PLR0124 - NaN is how tables say that a cell is blank
        return _NO_DAY
    if _FIRST_SERIAL <= number <= _LAST_SERIAL:
        return _checked(_EPOCH + timedelta(days=int(number)), "day")
    return _day_in(str(int(number))) if isfinite(number) and number.is_integer() else _BAD_DAY


@lru_cache(maxsize=65536)
def _day_in(text: str) -> Day:
    folded = _plain(text)
    if folded is None:
        return _BAD_DAY
    if folded == "" or _MISSING.fullmatch(folded) or folded in ("0000-00-00", "00000000"):
        return _NO_DAY
    folded = _CLOCK.sub("", folded)
    if len(folded) > _LONGEST or re.search(r"[0-9]\s+[0-9]", folded):
        return _BAD_DAY
    folded = re.sub(r"\s+", "", folded)
    if re.fullmatch("[0-9]{5}", folded) and _FIRST_SERIAL <= int(folded) <= _LAST_SERIAL:
        return _checked(_EPOCH + timedelta(days=int(folded)), "day")
    found = _WHOLE_DAY.fullmatch(folded)
    if found:
        year, month, day = (int(part) for part in found.groups() if part and part not in "-./")
        return _built(year, month, day)
    found = _MONTH.fullmatch(folded)
    if found:
        year, month = (int(part) for part in found.groups() if part)
        # 2024.1 may be a 2024.10 that lost its zero as a number; 200111 may be 11 January 2020.
        lost_zero = folded[4] == "." and folded.endswith(".1")
        short_day = folded.isdigit() and int(folded[2:4]) <= 12
        return _BAD_DAY if lost_zero or short_day else _built(year, month, None)
    found = _YEAR.fullmatch(folded)
    if found:
        return _built(int(found[1]), None, None)
    found = _HAN_DAY.fullmatch(folded)
    if found:
        year = int("".join(str(_HAN_DIGITS[c]) for c in found[1]))
        parts = [None if part is None else _han_below_wan(part) for part in found.groups()[1:]]
        said = [part for part in found.groups()[1:] if part is not None]
        return _BAD_DAY if len(said) != sum(p is not None for p in parts) else _built(year, *parts)
    return _BAD_DAY


def _built(year: int, month: int | None, day: int | None) -> Day:
    if month is not None and not 1 <= month <= 12:
        return _BAD_DAY
    precision = "year" if month is None else "month" if day is None else "day"
    try:
        value = date(year, month or 12, day or calendar.monthrange(year, month or 12)[1])
    except ValueError:
        return _BAD_DAY
    return _BAD_DAY if day == 0 else _checked(value, precision)


def _checked(value: date, precision: str) -> Day:
    if precision == "day" and value in _PLACEHOLDERS:
        return _NO_DAY
    return Day(value, precision) if _FIRST_YEAR <= value.year <= _LAST_YEAR else _BAD_DAY
