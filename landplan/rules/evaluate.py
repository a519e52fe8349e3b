"""Holding measurements against limits: frame x rulebook x day -> findings, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landplan.rules.model import Answer, Book, Limit, Rule, Rulebook, is_industry, strip_section
from landplan.schema import column, dictionary, words_of
from landplan.units import RESOLUTION, convert

__all__ = ["cite_limit", "evaluate_rules"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

# In the order in which the worse one is kept; a repealed rule says nothing, so anything else goes before it.
_STATUSES = ("exempt", "pass", "refer", "unknown", "fail")
_EXEMPT, _PASS, _REFER, _UNKNOWN, _FAIL = range(5)
_REASONS = ("", "missing", "silent", "not_supplied", "no_key", "refer", "repealed", "expected")
_NO_REASON, _MISSING = 0, 1
_BY_WORD = {"refer": _REFER, "repealed": _EXEMPT}


@dataclass(frozen=True)
class _Slot:
    """What one rule says to one group of parcels: the fixed half of their findings."""

    book: Book
    rule: Rule
    limit: Limit | None
    answer: Answer | None
    word: str

    @property
    def reference(self) -> str | None:
        """The text cited, which says where only the year is known and where its book no longer holds."""
        return cite_limit(self.book, self.limit) if self.limit else None


def cite_limit(book: Book, limit: Limit) -> str:
    """
    Cite the text a limit rests on.

    Parameters
    ----------
    book : Book
        The book it stands in.
    limit : Limit
        What holds from a day on.

    Returns
    -------
    str
        Title and article; says so where the book is superseded, or only the year of the text is known.
    """
    text = limit.reference
    if limit.is_year_only:
        text += f"（施行日期只核对到 {limit.since.year} 年）"
    if book.status == "superseded":
        since = f"，{book.superseded_on.isoformat()} 起" if book.superseded_on else ""
        text += f"（已被 {book.superseded_by} 取代{since}）"
    return text


@dataclass
class _Outcome:
    """The findings of one rule for all parcels, before they are laid out."""

    status: NDArray[np.int8]
    reason: NDArray[np.int8]
    slot: NDArray[np.int32]
    measured: _Floats
    words: NDArray[np.int32]
    margin: _Floats
    strictness: _Floats


@dataclass
class _Bench:
    """What all rules of one evaluation share."""

    frame: pd.DataFrame
    days: NDArray[np.datetime64]
    slots: list[_Slot] = field(default_factory=list)
    words: dict[str, int] = field(default_factory=dict)

    def slot(self, slot: _Slot) -> int:
        """Number a slot."""
        self.slots.append(slot)
        return len(self.slots) - 1

    def codes(self, name: str) -> tuple[_Ints, list[str]]:
        """Number the distinct texts of a column; -1 where missing or the column is absent."""
        if name not in self.frame.columns:
            return np.full(len(self.frame), -1, dtype=np.int64), []
        column = self.frame[name]
        codes, uniques = pd.factorize(column)
        texts = [str(value).strip() for value in uniques]
        # A blank cell is no answer.
        blank = np.array([not text for text in texts] + [True])
        return np.where(blank[codes], -1, codes).astype(np.int64), texts

    def numbers(self, name: str) -> _Floats:
        """Give a column as numbers; NaN where missing, infinite or absent."""
        if name not in self.frame.columns:
            return np.full(len(self.frame), np.nan)
        values = self.frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        # Infinity is a division by zero upstream; it must not pass every floor.
        return np.where(np.isfinite(values), values, np.nan)


def evaluate_rules(frame: pd.DataFrame, rulebook: Rulebook, as_of: date | pd.Series[Any]) -> pd.DataFrame:
    """
    Judge parcels by the rules in force on a day.

    Parameters
    ----------
    frame : DataFrame, n rows, indexed by parcel_id
        Canonical columns in canonical units (``columns.csv``); a column that is absent is unknown for every
        parcel. Not changed.
    rulebook : Rulebook
        The books to judge by. Where several have a rule of one name, the worst mandatory outcome is kept
        (fail, unknown, refer, pass), and of equal ones that with the stricter limit.
    as_of : date, or Series of days by parcel_id
        The day judged for; a Series judges each parcel by the rules of its own day (a signed parcel by those
        of its signing). A parcel without a day is unknown.

    Returns
    -------
    DataFrame, n x m rows for m rules
        The ``findings`` of the dictionary: parcels in the order of the frame, rules in that of the books; texts as
        categories, because they repeat.
        Numbers are in the rule's own unit. A missing value is ``unknown``, never a pass.

    Examples
    --------
    >>> from landplan.rules import load_rulebook
    >>> frame = pd.DataFrame({"office_land_share_max": [0.07, 0.08]}, index=["A-1", "A-2"])
    >>> found = evaluate_rules(frame, load_rulebook("cn.national-2023"), date(2026, 11, 20))
    >>> found[found.rule_id == "office_land.max"][["parcel_id", "status", "measured", "required", "unit"]]
      parcel_id status  measured  required unit
    2       A-1   pass       7.0       7.0    %
    6       A-2   fail       8.0       7.0    %
    """
    bench = _Bench(frame, _days(frame, as_of))
    outcomes = [_worst(bench, pairs) for pairs in rulebook.levels.values()]
    return _lay_out(bench, outcomes)


def _days(frame: pd.DataFrame, as_of: date | pd.Series[Any]) -> NDArray[np.datetime64]:
    if isinstance(as_of, pd.Series):
        aligned = as_of if as_of.index.equals(frame.index) else as_of.reindex(frame.index)
        return pd.to_datetime(aligned).to_numpy().astype("datetime64[D]")
    return np.full(len(frame), np.datetime64(as_of, "D"))


def _worst(bench: _Bench, pairs: tuple[tuple[Book, Rule], ...]) -> _Outcome:
    outcomes = [_evaluate(bench, book, rule) for book, rule in pairs]
    ranks = [
        np.where(found.status == _EXEMPT, 0, found.status + (10 if rule.force == "mandatory" else 0))
        for found, (_, rule) in zip(outcomes, pairs, strict=True)
    ]
    kept, best = outcomes[0], ranks[0]
    for found, rank in zip(outcomes[1:], ranks[1:], strict=True):
        # Of equals the stricter limit is shown, of equally strict ones that of the book nearer by.
        better = (rank > best) | ((rank == best) & (found.strictness >= kept.strictness))
        best = np.where(better, rank, best)
        kept = _Outcome(
            **{name: np.where(better, getattr(found, name), value) for name, value in vars(kept).items()}
        )
    return kept


def _evaluate(bench: _Bench, book: Book, rule: Rule) -> _Outcome:
    base = len(bench.slots)
    slot = _choose(bench, book, rule)
    own = bench.slots[base:]
    local = slot - base
    is_limit = np.array([each.word == "limit" for each in own], dtype=bool)[local]
    status = np.array([_BY_WORD.get(each.word, _UNKNOWN) for each in own], dtype=np.int64)[local]
    reason = np.array(
        [_NO_REASON if each.word == "limit" else _REASONS.index(each.word) for each in own], dtype=np.int64
    )[local]
    if rule.test in ("one_of", "none_of"):
        measured = np.full(len(local), np.nan)
        margin = np.full(len(local), np.nan)
        words, is_right, is_known = _compare_words(bench, rule, own, local)
    else:
        words = np.full(len(local), -1, dtype=np.int64)
        measured, margin, is_right = _compare_numbers(bench, rule, own, local)
        is_known = ~np.isnan(measured)
    status = np.where(is_limit, np.where(is_known, np.where(is_right, _PASS, _FAIL), _UNKNOWN), status)
    reason = np.where(is_limit & ~is_known, _MISSING, reason)
    margin = np.where(is_limit & is_known, margin, np.nan)
    strictness = np.array([_strictness(each) for each in own], dtype=np.float64)[local]
    narrow = status.astype(np.int8), reason.astype(np.int8), slot.astype(np.int32)
    return _Outcome(*narrow, measured, words.astype(np.int32), margin, strictness)


def _choose(bench: _Bench, book: Book, rule: Rule) -> _Ints:
    """Number for every parcel what the rule says to it on its day."""
    silent = bench.slot(_Slot(book, rule, None, None, "silent"))
    since = np.array([np.datetime64(limit.since, "D") for limit in rule.limits], dtype="datetime64[D]")
    turn = np.searchsorted(since, bench.days, side="right") - 1
    turn = np.where(np.isnat(bench.days), -1, turn)
    slot = np.full(len(bench.frame), silent, dtype=np.int64)
    codes, keys = bench.codes(rule.by) if rule.by else (np.empty(0, dtype=np.int64), [])
    for number in np.unique(turn[turn >= 0]):
        limit = rule.limits[number]
        here = turn == number
        if not limit.rows:
            slot[here] = _default(bench, book, rule, limit)
            continue
        rows = {
            key: bench.slot(_Slot(book, rule, limit, answer, answer.word))
            for key, answer in limit.rows.items()
        }
        other = _default(bench, book, rule, limit)
        # A parcel that does not say its industry is not one of the others: it may be any.
        no_key = bench.slot(_Slot(book, rule, limit, None, "no_key"))
        by_key = np.array([_match(key, rows, other, rule.by) for key in keys] + [no_key], dtype=np.int64)
        slot[here] = by_key[codes[here]]
    return slot


def _default(bench: _Bench, book: Book, rule: Rule, limit: Limit) -> int:
    word = limit.default.word if limit.default else "no_key"
    return bench.slot(_Slot(book, rule, limit, limit.default, word))


def _match(key: str, rows: Mapping[str, int], other: int, by: str) -> int:
    if not is_industry(by):
        return rows.get(key, other)
    plain = strip_section(key)
    for length in range(len(plain), 1, -1):
        if plain[:length] in rows:
            return rows[plain[:length]]
    return other


def _compare_words(
    bench: _Bench, rule: Rule, own: list[_Slot], local: _Ints
) -> tuple[_Ints, NDArray[np.bool_], NDArray[np.bool_]]:
    codes, texts = bench.codes(rule.measured_in)
    is_right = np.zeros(len(local), dtype=bool)
    for number, each in enumerate(own):
        if each.answer is None or each.word != "limit":
            continue
        listed = np.array([_is_listed(text, each.answer.words, rule.indicator) for text in texts] + [False])
        here = local == number
        is_right[here] = listed[codes[here]] if rule.test == "one_of" else ~listed[codes[here]]
    shared = np.array(
        [bench.words.setdefault(text, len(bench.words)) for text in texts] + [-1], dtype=np.int64
    )
    return shared[codes], is_right, codes >= 0


def _is_listed(text: str, words: tuple[str, ...], indicator: str) -> bool:
    if not is_industry(indicator):
        return text in words
    plain = strip_section(text)
    return bool(plain) and any(plain.startswith(word) for word in words)


def _compare_numbers(
    bench: _Bench, rule: Rule, own: list[_Slot], local: _Ints
) -> tuple[_Floats, _Floats, NDArray[np.bool_]]:
    """Give values in the rule's unit, how far they are on the right side, and whether they are."""
    declared = rule.column
    values = bench.numbers(rule.measured_in)
    measured = convert(values, declared.unit, rule.unit, declared.kind) if rule.unit else values
    lower = np.array([each.answer.lower if each.answer else np.nan for each in own])[local]
    upper = np.array([each.answer.upper if each.answer else np.nan for each in own])[local]
    if rule.test in ("at_least", "covered"):
        margin = measured - lower
    elif rule.test == "at_most":
        margin = lower - measured
    else:
        margin = np.minimum(measured - lower, upper - measured)
    if declared.kind in RESOLUTION:
        # A parcel is certified to this and no finer; half of it is no trespass.
        slack: Any = convert(RESOLUTION[declared.kind] / 2, declared.unit, rule.unit, declared.kind)
    else:
        slack = 1e-9 * np.fmax(np.abs(measured), np.fmax(np.abs(lower), np.abs(upper)))
    with np.errstate(invalid="ignore"):
        is_right = margin >= -slack
        # Within the slack it passes, and a pass has no negative margin.
        # Twelve digits of a difference are noise of binary fractions: 0.7 short is not 0.6999999999999997.
        margin = np.where(is_right, np.maximum(margin, 0.0), np.minimum(np.round(margin, 12), -5e-324))
    return measured, margin, is_right


def _strictness(slot: _Slot) -> float:
    """Order limits of one test, whatever their units; the higher the stricter."""
    if slot.answer is None or slot.word != "limit" or slot.rule.test in ("one_of", "none_of"):
        return -np.inf
    declared, unit = slot.rule.column, slot.rule.unit
    low, high = (
        convert(value, unit, declared.unit, declared.kind) if unit else value
        for value in (slot.answer.lower, slot.answer.upper)
    )
    if slot.rule.test == "between":
        return low - high
    return -low if slot.rule.test == "at_most" else low


def _lay_out(bench: _Bench, outcomes: list[_Outcome]) -> pd.DataFrame:
    rules, size = len(outcomes), len(bench.frame)

    def stack(name: str, dtype: Any) -> Any:
        """One column of all rules, parcel by parcel; what it is made of is let go."""
        columns = np.empty((size, rules), dtype=dtype)
        for place, outcome in enumerate(outcomes):
            columns[:, place] = vars(outcome).pop(name)
        return columns.ravel()

    # The longest first: a table of many millions of rows is laid out once, and its parts are gone when it is.
    columns: dict[str, Any] = {name: stack(name, np.float64) for name in ("measured", "margin")}
    slot = stack("slot", np.int32)
    columns |= {
        "parcel_id": _repeat(bench.frame.index, rules),
        "status": _take(_STATUSES, stack("status", np.int8), "status"),
        "measured_text": _take([*bench.words], stack("words", np.int32), "measured_text"),
        "reason": _take([word or None for word in _REASONS], stack("reason", np.int8), "reason"),
        # A rule knows of no person's decision over it; that is laid over the findings afterwards.
        "overridden_by": _take([], np.full(rules * size, -1, dtype=np.int8), "overridden_by"),
    }
    fixed = pd.DataFrame([_fixed(each) for each in bench.slots], columns=_FIXED)
    for name in ("required", "required_max"):
        columns[name] = fixed[name].to_numpy(dtype=np.float64)[slot]
    columns["since"] = fixed["since"].to_numpy(dtype="datetime64[s]")[slot]
    for name in _FIXED:
        if name not in columns:
            columns[name] = _take(fixed[name].tolist(), slot, name)
    order = [each.name for each in dictionary().values() if "findings" in each.tables]
    return pd.DataFrame(
        {name: columns.pop(name) for name in order}, index=pd.RangeIndex(rules * size), copy=False
    )


def _repeat(index: pd.Index[Any], times: int) -> pd.Categorical:
    """Every number of a parcel so many times, each held once."""
    numbers = index.astype("str")
    if numbers.is_monotonic_increasing and numbers.is_unique:
        rank, words = np.arange(len(numbers), dtype=np.int32), numbers
    else:
        places, words = pd.factorize(numbers, sort=True)
        rank = places.astype(np.int32)
    if not len(words) or words[0] != "":
        rank, words = rank + np.int32(1), pd.Index([""], dtype="str").append(pd.Index(words, dtype="str"))
    return pd.Categorical.from_codes(np.repeat(rank, times), categories=words)


_FIXED = [
    *("rule_id", "rulebook", "indicator", "basis", "force", "test", "required", "required_max"),
    *("required_text", "unit", "since", "reference", "mark"),
]


def _fixed(slot: _Slot) -> dict[str, Any]:
    rule, answer = slot.rule, slot.answer
    return {
        "rule_id": rule.rule_id,
        "rulebook": slot.book.name,
        "indicator": rule.indicator,
        "basis": rule.basis or None,
        "force": rule.force,
        "test": rule.test,
        "required": answer.lower if answer else np.nan,
        "required_max": answer.upper if answer else np.nan,
        "required_text": "、".join(answer.words) if answer and answer.words else None,
        "unit": rule.unit or None,
        "since": np.datetime64(slot.limit.since, "s") if slot.limit else np.datetime64("NaT", "s"),
        "reference": slot.reference,
        "mark": rule.mark,
    }


def _take(texts: Sequence[Any], numbers: NDArray[Any], name: str) -> pd.Categorical:
    """Look texts up by number; -1 and None are missing."""
    return words_of(texts, numbers, column(name).values)
