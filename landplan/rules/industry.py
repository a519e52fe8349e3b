"""Industry codes by edition of GB/T 4754: carried over where that is certain, asked for where it is not."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landplan.issues import Issue
from landplan.rules.model import strip_section

__all__ = ["resolve_industry"]

_CROSSWALK = Path(__file__).resolve().parent.parent / "rulebooks" / "cn" / "gbt4754-2002-2017.csv"
_NEW, _OLD = "industry_gbt4754_2017", "industry_gbt4754_2002"


@cache
def _crosswalk() -> tuple[dict[str, str], dict[str, str]]:
    """Give the divisions of 2002 and of 2017 that pass whole into one of the other edition."""
    with _CROSSWALK.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    whole = [row for row in rows if row["relation"] in ("same", "shift")]
    onward = {row["code_2002"]: row["code_2017"] for row in whole}
    # Part of 工艺品 moved into 24, so 24 of 2017 is more than 24 of 2002: the way back is not open.
    joined = {row["code_2017"] for row in rows if row["relation"] not in ("same", "shift")}
    back = {row["code_2017"]: row["code_2002"] for row in whole if row["code_2017"] not in joined}
    return onward, back


def resolve_industry(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Issue]]:
    """
    Tell each parcel's industry in the editions of 2017 and of 2002.

    A code of a named edition is kept in that edition and carried over to the other only where the crosswalk
    is one to one; then only its division (two digits) is known. A code without an edition is taken where its
    division means the same in both; from 29 on the numbers shifted, and it becomes an issue, not a guess.

    Parameters
    ----------
    frame : DataFrame, n rows, indexed by parcel_id
        May have ``industry_code`` and ``industry_edition``, or columns of an edition already filled, which
        are kept.

    Returns
    -------
    tuple of (DataFrame, list of Issue)
        ``industry_gbt4754_2017`` and ``industry_gbt4754_2002``, same index and order, NaN where not certain;
        and one ``ATTR.INDUSTRY_EDITION`` for each code that names no edition and means two things, one
        ``ATTR.INDUSTRY_CROSSWALK`` for each that passes into no single code of 2017, one ``ATTR.CATEGORY`` for
        each text that is not one code.

    Examples
    --------
    2002's 31 is 2017's 30; without an edition 30 may be plastics or cement:

    >>> codes = {"industry_code": ["C31", "C30"], "industry_edition": ["2002", None]}
    >>> frame = pd.DataFrame(codes, index=["A", "B"])
    >>> found, issues = resolve_industry(frame)
    >>> found.loc["A"].tolist()
    ['C30', 'C31']
    >>> [(issue.code, issue.parcel_id) for issue in issues]
    [('ATTR.INDUSTRY_EDITION', 'B')]
    """
    columns = [_texts(frame, name) for name in ("industry_code", "industry_edition", _NEW, _OLD)]
    # Few cases among many parcels, numbered in the order they are met: each is resolved once.
    number = np.zeros(len(frame), dtype=np.int64)
    for codes, texts in columns:
        number = pd.factorize(number * len(texts) + codes)[0]
    first = np.full(number.max(initial=-1) + 1, -1)
    first[number[::-1]] = np.arange(len(number))[::-1]
    written = [[texts[codes[row]] for codes, texts in columns] for row in first.tolist()]
    answers = [_resolve(*case) for case in written]
    found = pd.DataFrame(
        {
            name: pd.array([answer[place] or None for answer in answers], dtype="str").take(number)
            for place, name in enumerate((_NEW, _OLD))
        },
        index=frame.index,
    )
    asked = np.array([bool(answer[2]) for answer in answers], dtype=bool)[number]
    issues = [
        Issue(
            code=answers[number[row]][2],
            parcel_id=str(frame.index[row]),
            field="industry_code",
            value=written[number[row]][0],
        )
        for row in np.flatnonzero(asked).tolist()
    ]
    return found, issues


def _texts(frame: pd.DataFrame, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """Number the texts of a column; the blank is one of them, and stands for what is missing."""
    if name not in frame.columns:
        return np.zeros(len(frame), dtype=np.int64), [""]
    codes, distinct = pd.factorize(frame[name])
    texts = [*(str(value).strip() for value in distinct), ""]
    return np.where(codes < 0, len(distinct), codes), texts


def _resolve(code: str, edition: str, new: str, old: str) -> tuple[str, str, str]:
    """Give the code of 2017, that of 2002, and the issue to raise."""
    onward, back = _crosswalk()
    if new or old:
        return new or _carry(old, onward), old or _carry(new, back), ""
    if not code:
        return "", "", ""
    plain = strip_section(code)
    if not plain:
        return "", "", "ATTR.CATEGORY"
    if edition == "2017":
        return code, _carry(code, back), ""
    if edition == "2002":
        carried = _carry(code, onward)
        return carried, code, "" if carried else "ATTR.INDUSTRY_CROSSWALK"
    if edition:
        # 2011 is in no crosswalk here: the rule answers unknown, which is what we know.
        return "", "", "ATTR.INDUSTRY_CROSSWALK"
    division = plain[:2]
    if onward.get(division) != division:
        return "", "", "ATTR.INDUSTRY_EDITION"
    return _carry(code, onward), division_of(code) if back.get(division) == division else "", ""


def _carry(code: str, table: dict[str, str]) -> str:
    """Carry the division over; classes of four digits were cut anew within it."""
    plain = strip_section(code)
    target = table.get(plain[:2], "") if plain else ""
    return _lettered(code, target)


def division_of(code: str) -> str:
    """
    Cut an industry code to its division.

    Parameters
    ----------
    code : str
        ``C1492`` or ``1492``.

    Returns
    -------
    str
        ``C14`` or ``14``, as written.
    """
    return _lettered(code, strip_section(code)[:2])


def _lettered(code: str, division: str) -> str:
    letter = code.strip().upper()[:1]
    return f"{letter}{division}" if division and letter.isalpha() else division
