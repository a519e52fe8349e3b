"""A rulebook on a day, in words."""

from __future__ import annotations

from datetime import date

import pandas as pd

from landplan.rules.evaluate import cite_limit
from landplan.rules.model import OTHER, SPOKEN, Answer, Book, Limit, Rule, Rulebook
from landplan.schema import column

__all__ = ["show_rules"]

_COLUMNS = ["rule_id", "rulebook", "label", "test", "limit", "unit", "force", "since", "reference", "mark"]
_SIGNS = {"at_least": "≥ ", "at_most": "≤ ", "covered": "≥ "}


def show_rules(rulebook: Rulebook, as_of: date) -> pd.DataFrame:
    """
    List what a rulebook and those it extends say on a day.

    Parameters
    ----------
    rulebook : Rulebook
        The books.
    as_of : date
        The day.

    Returns
    -------
    DataFrame, one row per rule and book
        ``rule_id, rulebook, label, test, limit, unit, force, since, reference, mark`` as text, in the order
        of the findings; rules that a lower book overrides are left out. ``since`` is a year where only that
        is known.

    Examples
    --------
    >>> from landplan.rules import load_rulebook
    >>> shown = show_rules(load_rulebook("cn.national-2023"), date(2026, 11, 20))
    >>> shown[["rule_id", "limit", "since"]]
                        rule_id                     limit since
    0                   far.min  未提供（no table supplied）  2023
    1  building_coefficient.min  未提供（no table supplied）  2023
    2           office_land.max                       ≤ 7  2023
    3          office_floor.max                      ≤ 15  2023
    """
    rows = [_row(book, rule, as_of) for pairs in rulebook.levels.values() for book, rule in pairs]
    return pd.DataFrame(rows, columns=_COLUMNS, dtype="str")


def _row(book: Book, rule: Rule, as_of: date) -> dict[str, str]:
    limit = next((limit for limit in reversed(rule.limits) if limit.since <= as_of), None)
    since = ""
    if limit is not None:
        since = str(limit.since.year) if limit.is_year_only else limit.since.isoformat()
    return {
        "rule_id": rule.rule_id,
        "rulebook": book.name,
        "label": rule.label,
        "test": column("test").word(rule.test),
        "limit": _say_limit(rule, limit),
        "unit": "" if rule.unit == "1" else rule.unit,
        "force": column("force").word(rule.force),
        "since": since,
        "reference": cite_limit(book, limit) if limit else "",
        "mark": rule.mark,
    }


def _say_limit(rule: Rule, limit: Limit | None) -> str:
    if limit is None:
        return SPOKEN["silent"]
    rows = [f"{key} {_say(rule, answer)}" for key, answer in limit.rows.items()]
    if limit.default is not None:
        said = _say(rule, limit.default)
        rows.append(f"{OTHER} {said}" if rows else said)
    return "；".join(rows)


def _say(rule: Rule, answer: Answer) -> str:
    if answer.word != "limit":
        return SPOKEN[answer.word]
    if answer.words:
        return "、".join(rule.column.word(word) for word in answer.words)
    if rule.test == "between":
        return f"{_plain(answer.lower)}—{_plain(answer.upper)}"
    return _SIGNS[rule.test] + _plain(answer.lower)


def _plain(number: float) -> str:
    """Write a limit as the book does: no digits lost, no exponent."""
    return f"{number:.9f}".rstrip("0").rstrip(".")
