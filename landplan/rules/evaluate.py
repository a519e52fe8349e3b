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
from landplan.schema import column, dictionary
from landplan.schema.words import number_words, rank_words
from landplan.units import RESOLUTION, convert

__all__ = ["cite_limit", "evaluate_rules"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_Slots = NDArray[np.int32]

_BLOCK = 8192
"""Parcels judged at a time: what is worked on stays near the processor, and only the findings themselves grow long."""

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
    """The findings of one rule for some parcels; an array of one holds for all of them."""

    status: NDArray[np.int64]
    reason: NDArray[np.int64]
    slot: _Slots
    measured: _Floats
    words: _Ints
    margin: _Floats
    strictness: _Floats


@dataclass
class _Bench:
    """What all rules of one evaluation share."""

    frame: pd.DataFrame
    days: NDArray[np.datetime64]
    slots: list[_Slot] = field(default_factory=list)
    words: dict[str, int] = field(default_factory=dict)
    numbered: dict[str, tuple[_Ints, list[str]]] = field(default_factory=dict)

    def slot(self, slot: _Slot) -> int:
        """Number a slot."""
        self.slots.append(slot)
        return len(self.slots) - 1

    def codes(self, name: str) -> tuple[_Ints, list[str]]:
        """Number the distinct texts of a column; -1 where missing or the column is absent."""
        if name not in self.frame.columns:
            return np.full(len(self.frame), -1, dtype=np.int64), []
        if name not in self.numbered:
            codes, uniques = pd.factorize(self.frame[name])
            texts = [str(value).strip() for value in uniques]
            # A blank cell is no answer.
            blank = np.array([not text for text in texts] + [True])
            self.numbered[name] = np.where(blank[codes], -1, codes).astype(np.int64), texts
        return self.numbered[name]

    def numbers(self, name: str) -> _Floats:
        """Give a column as numbers; NaN where missing or absent."""
        if name not in self.frame.columns:
            return np.full(len(self.frame), np.nan)
        values = self.frame[name]
        if values.dtype == np.float64:
            return values.to_numpy()
        return values.to_numpy(dtype=np.float64, na_value=np.nan)


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
    levels = [[_read(bench, *pair) for pair in pairs] for pairs in rulebook.levels.values()]
    return _lay_out(bench, levels)


def _days(frame: pd.DataFrame, as_of: date | pd.Series[Any]) -> NDArray[np.datetime64]:
    """The day of each parcel; one where it is that of all."""
    if isinstance(as_of, pd.Series):
        aligned = as_of if as_of.index.equals(frame.index) else as_of.reindex(frame.index)
        return pd.to_datetime(aligned).to_numpy().astype("datetime64[D]")
    return np.full(min(len(frame), 1), np.datetime64(as_of, "D"))


def _worst(readings: Sequence[_Reading], rows: slice) -> _Outcome:
    """What is found by the rules of one name: the worst, and of equals that of the stricter limit."""
    kept = readings[0].judge(rows)
    best = _rank(kept, readings[0].rule)
    for reading in readings[1:]:
        found = reading.judge(rows)
        rank = _rank(found, reading.rule)
        # Of equals the stricter limit is shown, of equally strict ones that of the book nearer by.
        better = (rank > best) | ((rank == best) & (found.strictness >= kept.strictness))
        best = np.where(better, rank, best)
        kept = _Outcome(
            **{name: np.where(better, getattr(found, name), value) for name, value in vars(kept).items()}
        )
    return kept


def _rank(found: _Outcome, rule: Rule) -> _Ints:
    return np.where(found.status == _EXEMPT, 0, found.status + (10 if rule.force == "mandatory" else 0))


@dataclass(frozen=True)
class _Reading:
    """
    A rule of one book, ready to judge parcels block by block.

    What is held by slot is looked up by ``slot - base``; ``slot`` has one number where the rule says the same to all.
    """

    rule: Rule
    base: int
    slot: _Slots
    is_limit: NDArray[np.bool_]
    status: _Ints
    reason: _Ints
    lower: _Floats
    upper: _Floats
    strictness: _Floats
    values: _Floats | None
    codes: _Ints | None
    words: _Ints
    is_right: NDArray[np.bool_]

    def judge(self, rows: slice) -> _Outcome:
        """Judge some of the parcels."""
        slot = self.slot[rows] if len(self.slot) > 1 else self.slot
        local = slot - self.base
        is_limit = self.is_limit[local]
        nothing = np.full(1, np.nan)
        if self.values is None:
            codes = np.full(1, -1) if self.codes is None else self.codes[rows]
            words, is_right, is_known = self.words[codes], self.is_right[local, codes], codes >= 0
            measured = margin = nothing
        else:
            words = np.full(1, -1)
            measured, margin, is_right = _compare(
                self.rule, self.values[rows], self.lower[local], self.upper[local]
            )
            is_known = ~np.isnan(measured)
        held = np.where(is_known, np.where(is_right, _PASS, _FAIL), _UNKNOWN)
        return _Outcome(
            status=np.where(is_limit, held, self.status[local]),
            reason=np.where(is_limit & ~is_known, _MISSING, self.reason[local]),
            slot=slot,
            measured=measured,
            words=words,
            margin=np.where(is_limit & is_known, margin, np.nan),
            strictness=self.strictness[local],
        )


def _read(bench: _Bench, book: Book, rule: Rule) -> _Reading:
    """Look up what a rule says to each parcel, and what it is held against."""
    base = len(bench.slots)
    slot = _choose(bench, book, rule)
    own = bench.slots[base:]
    is_worded = rule.test in ("one_of", "none_of")
    codes, texts = bench.codes(rule.measured_in) if is_worded else (None, [])
    right = np.zeros((len(own), len(texts) + 1), dtype=bool)
    for number, each in enumerate(own):
        if each.answer is not None and each.word == "limit":
            listed = [_is_listed(text, each.answer.words, rule.indicator) for text in texts] + [False]
            right[number] = listed if rule.test == "one_of" else np.logical_not(listed)
    return _Reading(
        rule=rule,
        base=base,
        slot=slot,
        is_limit=np.array([each.word == "limit" for each in own], dtype=bool),
        status=np.array([_BY_WORD.get(each.word, _UNKNOWN) for each in own], dtype=np.int64),
        reason=np.array(
            [_NO_REASON if each.word == "limit" else _REASONS.index(each.word) for each in own],
            dtype=np.int64,
        ),
        lower=np.array([each.answer.lower if each.answer else np.nan for each in own]),
        upper=np.array([each.answer.upper if each.answer else np.nan for each in own]),
        strictness=np.array([_strictness(each) for each in own], dtype=np.float64),
        values=None if is_worded else bench.numbers(rule.measured_in),
        codes=codes,
        words=np.array(
            [bench.words.setdefault(text, len(bench.words)) for text in texts] + [-1], dtype=np.int64
        ),
        is_right=right,
    )


def _choose(bench: _Bench, book: Book, rule: Rule) -> _Slots:
    """Number for every parcel what the rule says to it on its day; one number where that is the same for all."""
    silent = bench.slot(_Slot(book, rule, None, None, "silent"))
    since = np.array([np.datetime64(limit.since, "D") for limit in rule.limits], dtype="datetime64[D]")
    turn = np.searchsorted(since, bench.days, side="right") - 1
    turn = np.where(np.isnat(bench.days), -1, turn)
    slot: _Slots = np.full(len(turn), silent, dtype=np.int32)
    for number in np.unique(turn[turn >= 0]):
        limit = rule.limits[number]
        here = turn == number
        if not limit.rows:
            slot = np.where(here, np.int32(_default(bench, book, rule, limit)), slot)
            continue
        rows = {
            key: bench.slot(_Slot(book, rule, limit, answer, answer.word))
            for key, answer in limit.rows.items()
        }
        other = _default(bench, book, rule, limit)
        # A parcel that does not say its industry is not one of the others: it may be any.
        no_key = bench.slot(_Slot(book, rule, limit, None, "no_key"))
        codes, keys = bench.codes(rule.by)
        by_key = np.array([_match(key, rows, other, rule.by) for key in keys] + [no_key], dtype=np.int32)
        slot = np.where(here, by_key[codes], slot)
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


def _is_listed(text: str, words: tuple[str, ...], indicator: str) -> bool:
    if not is_industry(indicator):
        return text in words
    plain = strip_section(text)
    return bool(plain) and any(plain.startswith(word) for word in words)


def _compare(
    rule: Rule, values: _Floats, lower: _Floats, upper: _Floats
) -> tuple[_Floats, _Floats, NDArray[np.bool_]]:
    """Give values in the rule's unit, how far they are on the right side, and whether they are."""
    declared = rule.column
    # Infinity is a division by zero upstream; it must not pass every floor.
    values = np.where(np.isfinite(values), values, np.nan)
    measured = convert(values, declared.unit, rule.unit, declared.kind) if rule.unit else values
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


def _lay_out(bench: _Bench, levels: Sequence[Sequence[_Reading]]) -> pd.DataFrame:
    """Judge block by block, straight into the table: what it is made of is never all there at once."""
    size, rules = len(bench.frame), len(levels)
    tables, words = _tables(bench)
    columns: dict[str, NDArray[Any]] = {
        name: np.empty((size, rules), dtype=table.dtype) for name, table in tables.items()
    }
    columns |= {name: np.empty((size, rules)) for name in ("measured", "margin")}
    slots = [np.unique(np.concatenate([each.slot for each in readings])) for readings in levels]
    alike = {name: _alike(tables[name], slots) for name in _FIXED}
    for start in range(0, size, _BLOCK):
        rows = slice(start, min(start + _BLOCK, size))
        numbers = {
            name: np.empty((rows.stop - start, rules), dtype=np.int64)
            for name in ("slot", "status", "reason", "words")
        }
        for place, readings in enumerate(levels):
            outcome = _worst(readings, rows)
            for name in ("measured", "margin"):
                columns[name][rows, place] = getattr(outcome, name)
            for name, held in numbers.items():
                held[:, place] = getattr(outcome, name)
        for name, block in alike.items():
            said = tables[name][numbers["slot"]] if block is None else block[: rows.stop - start]
            columns[name][rows] = said
        for name, number in (("status", "status"), ("reason", "reason"), ("measured_text", "words")):
            columns[name][rows] = tables[name][numbers[number]]
    rank, named = rank_words(bench.frame.index)
    columns["parcel_id"], words["parcel_id"] = np.repeat(rank, rules), named
    # A rule knows of no person's decision over it; that is laid over the findings afterwards.
    none, words["overridden_by"] = number_words([], column("overridden_by").values)
    columns["overridden_by"] = np.broadcast_to(none, size * rules).copy()
    order = [each.name for each in dictionary().values() if "findings" in each.tables]
    laid: dict[str, Any] = {}
    for name in order:
        values = columns.pop(name).reshape(-1)
        laid[name] = pd.Categorical.from_codes(values, categories=words[name]) if name in words else values
    return pd.DataFrame(laid, index=pd.RangeIndex(rules * size), copy=False)


def _tables(bench: _Bench) -> tuple[dict[str, NDArray[Any]], dict[str, pd.Index[Any]]]:
    """What each number stands for, column by column: figures and days, or codes of words; and the words."""
    fixed = pd.DataFrame([_fixed(each) for each in bench.slots], columns=_FIXED)
    texts: dict[str, Sequence[Any]] = {
        "status": _STATUSES,
        "reason": [word or None for word in _REASONS],
        "measured_text": [*bench.words],
    }
    tables: dict[str, NDArray[Any]] = {
        name: fixed[name].to_numpy(dtype=np.float64) for name in ("required", "required_max")
    }
    tables["since"] = fixed["since"].to_numpy(dtype="datetime64[s]")
    texts |= {name: fixed[name].tolist() for name in _FIXED if name not in tables}
    words = {}
    for name, said in texts.items():
        tables[name], words[name] = number_words(said, column(name).values)
    return tables, words


def _alike(table: NDArray[Any], slots: Sequence[NDArray[Any]]) -> NDArray[Any] | None:
    """A block of what each rule says alike to all parcels; None where one of the rules does not."""
    # By their bytes: a figure that is not there is like another that is not.
    if any(len(np.unique(table[each].view(f"V{table.itemsize}"))) > 1 for each in slots):
        return None
    row = table[[each[0] for each in slots if len(each)]]
    return np.tile(row, (_BLOCK, 1))


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
