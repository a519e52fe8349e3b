"""What is asked for in a cell, and what was surely meant: one reading and no other, or a question."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date

from landplan.schema.dictionary import Column
from landplan.values import parse_day, parse_number

__all__ = ["suggest_day", "suggest_id", "suggest_known", "suggest_number", "suggest_word", "wanted"]

# Marks that frame a value and are never part of one: quotes of an export, the full stop of a sentence.
_FRAME = "'\"`‘’“”「」。；;！!"
_PUNCTUATION = re.compile(r"[\s'\"`‘’“”「」。，,；;：:！!？?、.·()（）\[\]【】-]+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ－]")
_WIDE_BLANK = re.compile("[\t\n\r\u00a0\u2000-\u200a\u3000]")
_LOOSE_HYPHEN = re.compile(r" +([-_/])|(?<=[-_/]) +")
_YEAR_FIRST = re.compile(
    r"([0-9]{4})[-./_\\、，,。年]{1,2}([0-9]{1,2})[-./_\\、，,。月]{1,2}([0-9]{1,2})[日号號]?"
)
_YEAR_LAST = re.compile(r"([0-9]{1,2})[-./]([0-9]{1,2})[-./]([0-9]{4})")
_SHORT_YEAR = re.compile(r"([0-9]{2})[-./年]([0-9]{1,2})[-./月]([0-9]{1,2})日?")
_LOST_ZERO = re.compile(r"([0-9]{4})\.1")
_MOST_WORDS = 12


def _digits(text: str) -> str:
    """Write every decimal digit of every script as 0-9; signs such as ① are no digits and stay."""
    return "".join(
        str(unicodedata.decimal(sign)) if unicodedata.category(sign) == "Nd" else sign for sign in text
    )


def wanted(declared: Column, unit: str | None = None) -> str:
    """
    Say what a column asks for.

    Parameters
    ----------
    declared : Column
        The column of the dictionary.
    unit : str or None
        Unit its header or profile names.

    Returns
    -------
    str
        In Chinese, for the list of faults.

    Examples
    --------
    >>> from landplan.schema.dictionary import column
    >>> wanted(column("invest_intensity_cny_per_m2"), "万元/亩")
    '数值（万元/亩）'
    >>> wanted(column("zone_level"))
    '国家级、省级、市级、县级'
    """
    if declared.kind == "category":
        return "、".join(words[0] for words in list(declared.values.values())[:_MOST_WORDS])
    if declared.kind == "flag":
        return "是、否"
    if declared.kind == "day":
        return "年-月-日，如 2024-06-01"
    if declared.kind == "integer":
        return "整数"
    shown = unit or declared.shown_in
    return f"数值（{shown}）" if declared.is_quantity and shown not in ("", "1") else "数值"


def suggest_number(cell: object) -> str:
    """
    Write a number plainly where only its signs are odd: digits of other scripts, quotes around it.

    Parameters
    ----------
    cell : object
        What was no certain number.

    Returns
    -------
    str
        The number as text; empty where more than its spelling is in doubt.

    Examples
    --------
    >>> suggest_number("'١٢.٥"), suggest_number("1O0"), suggest_number("10²"), suggest_number("1 200")
    ('12.5', '', '', '')
    """
    if not isinstance(cell, str):
        return ""
    plain = _digits(_INVISIBLE.sub("", cell)).strip().strip(_FRAME).strip()
    parsed = parse_number(plain)
    return "" if plain == cell or parsed.is_fault or parsed.is_missing else plain


def suggest_day(cell: object) -> tuple[str, str]:
    """
    Find the one day a cell can mean, or ask which of two.

    Parameters
    ----------
    cell : object
        What was no certain day, or one given to the month or year only.

    Returns
    -------
    tuple of (str, str)
        What is asked, and the day; one of them may be empty.

    Examples
    --------
    >>> suggest_day("2024年6月")
    ('2024-06-01 至 2024-06-30 中的哪一天？', '')
    >>> suggest_day("1/2/2024"), suggest_day("5/25/2024")
    (('2024-01-02 还是 2024-02-01？', ''), ('', '2024-05-25'))
    """
    text = _digits(_INVISIBLE.sub("", str(cell))).strip().strip(_FRAME).strip()
    parsed = parse_day(text)
    if parsed.value is not None:
        last = parsed.value
        if parsed.precision == "day":
            return "", last.isoformat()
        first = last.replace(day=1) if parsed.precision == "month" else last.replace(month=1, day=1)
        return f"{first.isoformat()} 至 {last.isoformat()} 中的哪一天？", ""
    bare = re.sub(r"\s+", "", text)
    if found := _YEAR_FIRST.fullmatch(bare):
        return "", _iso(int(found[1]), int(found[2]), int(found[3]))
    if found := _YEAR_LAST.fullmatch(bare):
        year = int(found[3])
        readings = sorted(
            {_iso(year, int(found[1]), int(found[2])), _iso(year, int(found[2]), int(found[1]))} - {""}
        )
        return (f"{readings[0]} 还是 {readings[1]}？", "") if len(readings) == 2 else ("", "".join(readings))
    if (found := _SHORT_YEAR.fullmatch(bare)) and (
        day := _iso(2000 + int(found[1]), int(found[2]), int(found[3]))
    ):
        return f"是 {day} 吗？年份写四位", ""
    if found := _LOST_ZERO.fullmatch(bare):
        return f"{found[1]} 年 1 月还是 10 月？写到日", ""
    return "", ""


def _iso(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).isoformat() if 1900 <= year <= 2100 else ""
    except ValueError:
        return ""


def suggest_word(cell: object, words: Mapping[str, object]) -> str:
    """
    Find the one word of a list that a cell is, but for marks around it, or begins.

    Parameters
    ----------
    cell : object
        What is not in the list.
    words : mapping of str to object
        Words as they are compared, and the code each stands for.

    Returns
    -------
    str
        The word; empty where words of two codes come near, or none.

    Examples
    --------
    >>> words = {"已完成": "done", "未完成": "pending", "已收储": "done", "已收回": "void"}
    >>> [suggest_word(cell, words) for cell in ("已完", "（已完成）", "已收", "完成")]
    ['已完成', '已完成', '', '']
    """
    bare = _PUNCTUATION.sub("", unicodedata.normalize("NFKC", _INVISIBLE.sub("", str(cell)))).lower()
    if bare in words:
        return bare
    begun = [word for word in words if len(bare) > 1 and word.startswith(bare)]
    return begun[0] if begun and len({words[word] for word in begun}) == 1 else ""


def suggest_id(text: str) -> str:
    """
    Write a code without what nobody means: full-width letters and digits, invisible signs, loose blanks.

    Parameters
    ----------
    text : str
        As the source writes it.

    Returns
    -------
    str
        The plain spelling; empty where it is plain already. Blanks between words stay.

    Examples
    --------
    >>> [suggest_id(text) for text in ("Ａ－２", "A - 2", "2024（工）05号", "地块 1")]
    ['A-2', 'A-2', '', '']
    """
    plain = _INVISIBLE.sub("", _WIDE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text))
    plain = _LOOSE_HYPHEN.sub(r"\1", _WIDE_BLANK.sub("", plain)).strip()
    return "" if plain == text.strip(" ") else plain


def suggest_known(texts: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """
    Find for each text the one known code that differs from it in blanks, width and case only.

    Parameters
    ----------
    texts : iterable of str
        Codes that are not known.
    known : iterable of str
        Those that are.

    Returns
    -------
    dict of str to str
        The known one by text; texts near to none, or to more than one, are left out.

    Examples
    --------
    >>> suggest_known(["a 2", "A3"], ["A-2", "A2", "A-3"]), suggest_known(["A 2"], ["A2", "a2"])
    ({'a 2': 'A2'}, {})
    """
    near: dict[str, list[str]] = {}
    for code in known:
        near.setdefault(_bare(code), []).append(code)
    found = {text: near.get(_bare(text), []) for text in texts}
    return {text: codes[0] for text, codes in found.items() if len(codes) == 1}


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))).lower()
