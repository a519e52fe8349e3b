"""What a rulebook is made of once it is read: books, rules, limits from a day on, answers for a row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from landplan import tables
from landplan.schema import Column, column

__all__ = ["OTHER", "SPOKEN", "Answer", "Book", "Limit", "Rule", "Rulebook", "is_industry", "strip_section"]

OTHER = "其他"
"""The key of the row for everything not listed."""

SPOKEN = {
    "refer": "一事一议（a person decides）",
    "not_supplied": "未提供（no table supplied）",
    "expected": "已公告、数值未定（announced, no figure yet）",
    "repealed": "已废止（repealed）",
    "silent": "当日尚无规定（silent on the day）",
    "no_key": "无对应行（no row for this key）",
}
"""Answers that are not figures, in words."""

_CODE = re.compile(r"[A-T]?(\d{2,4})")


def strip_section(code: str) -> str:
    """
    Take the section letter off an industry code of GB/T 4754.

    Parameters
    ----------
    code : str
        ``C3011``, ``30``, ``C30``; blanks, width of letters and case as people write them.

    Returns
    -------
    str
        Two to four digits; empty where it is not one industry code.

    Examples
    --------
    >>> strip_section(" c3011 ")
    '3011'
    """
    match = _CODE.fullmatch(code.strip().upper().replace("Ｃ", "C"))
    return match.group(1) if match else ""


def is_industry(name: str) -> bool:
    """
    Tell whether a column holds industry codes of a named edition, which match by their leading digits.

    Parameters
    ----------
    name : str
        A name of the dictionary.

    Returns
    -------
    bool
        True for ``industry_gbt4754_2017`` and its like.
    """
    return name.startswith("industry_gbt4754_")


@dataclass(frozen=True)
class Answer:
    """
    What a rule says for one row of its table: a figure, words, or why there is none.

    Parameters
    ----------
    word : str
        ``limit``, ``refer`` 一事一议, ``repealed``, ``expected`` or ``not_supplied``.
    lower, upper : float
        Limit in the rule's unit; ``upper`` for ``between`` only. NaN where there is none.
    words : tuple of str
        Categories allowed or barred.
    """

    word: str = "limit"
    lower: float = float("nan")
    upper: float = float("nan")
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limit:
    """
    What a rule says from a day on.

    Parameters
    ----------
    since : date
        First day on which it holds.
    is_year_only : bool
        Whether only the year is known, by the number of the document.
    rows : mapping of str to Answer
        Answers by key; keys of industries without their section letter. Empty where one answer serves all.
    default : Answer or None
        The answer for every parcel, or for keys not listed (其他); None where a key must be listed.
    reference : str
        Title and article of the text.
    """

    since: date
    is_year_only: bool
    rows: Mapping[str, Answer]
    default: Answer | None
    reference: str


@dataclass(frozen=True)
class Rule:
    """
    One rule of one book.

    Parameters
    ----------
    rule_id : str
        Dotted name, e.g. ``invest_intensity.min``.
    indicator : str
        A name of ``columns.csv``.
    basis : str
        ``set``, ``promised`` or ``actual``; empty for what landplan measures itself.
    test : str
        ``at_least, at_most, between, one_of, none_of`` or ``covered``.
    unit : str
        Unit of the limits; empty for words and plain numbers.
    force : str
        ``mandatory`` 规范性 or ``advisory`` 推荐性.
    by : str
        Column that chooses the row; empty where there is one answer for all.
    limits : tuple of Limit
        In the order of their days.
    checked_on : date
        Day on which a person last compared the rule with the text.
    mark : str
        ``V1``, ``V2``, ``user`` or ``示例``.
    overrides : bool, default False
        Whether the rules of the same name in the books above no longer count.
    title : str, default ""
        What people call it; the label of the indicator where empty.
    at : str, default ""
        File and line.
    """

    rule_id: str
    indicator: str
    basis: str
    test: str
    unit: str
    force: str
    by: str
    limits: tuple[Limit, ...]
    checked_on: date
    mark: str
    overrides: bool = False
    title: str = ""
    at: str = ""

    @property
    def column(self) -> Column:
        """The indicator as the dictionary declares it."""
        return column(self.indicator)

    @property
    def measured_in(self) -> str:
        """The column of the frame that holds the value on the rule's basis."""
        return f"{self.basis}.{self.indicator}" if self.basis in ("promised", "actual") else self.indicator

    @property
    def label(self) -> str:
        """What people call it, in Chinese."""
        return self.title or self.column.label("zh")


@dataclass(frozen=True)
class Book:
    """
    One rulebook file.

    Parameters
    ----------
    name, title : str
        Its dotted name and its title.
    rules : mapping of str to Rule
        By rule_id, in the order of the file.
    text : str
        The file and the tables it names, as read.
    sha256 : str
        Hash of the bytes of the file, followed by those of its tables.
    path : str
        Where it was found.
    extends : str, default ""
        The book above it.
    status : str, default "in_force"
        ``in_force`` or ``superseded``.
    superseded_by : str, default ""
        The book that took its place.
    superseded_on : date or None
        The day it did.
    notes : str, default ""
        What the reader should know.
    """

    name: str
    title: str
    rules: Mapping[str, Rule]
    text: str
    sha256: str
    path: str
    extends: str = ""
    status: str = "in_force"
    superseded_by: str = ""
    superseded_on: date | None = None
    notes: str = ""

    @property
    def checked_on(self) -> str:
        """Latest day a person compared one of its rules with the text."""
        return max((rule.checked_on.isoformat() for rule in self.rules.values()), default="")


@dataclass(frozen=True)
class Rulebook:
    """
    A book with those it extends, ready to judge by.

    Parameters
    ----------
    books : tuple of Book
        From the nation down to the zone.
    levels : mapping of str to tuple of (Book, Rule)
        The rules that count under each name, from the nation down; those overridden are left out.
    """

    books: tuple[Book, ...]
    levels: Mapping[str, tuple[tuple[Book, Rule], ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Dotted name of the lowest book."""
        return self.books[-1].name

    @property
    def title(self) -> str:
        """Title of the lowest book."""
        return self.books[-1].title

    def as_books(self) -> tuple[tables.Book, ...]:
        """
        Lay the books out as an assessment keeps them.

        Returns
        -------
        tuple of tables.Book
            From the nation down to the zone, each with its text and hash.
        """
        return tuple(
            tables.Book(
                name=book.name,
                title=book.title,
                sha256=book.sha256,
                checked_on=book.checked_on,
                text=book.text,
            )
            for book in self.books
        )
