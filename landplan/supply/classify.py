"""Where each parcel stands in the supply of land, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.schema import column
from landplan.schema.words import is_among
from landplan.supply.axes import judge_sale, say_share
from landplan.supply.facts import (
    DONE,
    MISSING,
    NEVER,
    NONE,
    PENDING,
    SUSPENDED,
    VOID,
    Array,
    Facts,
    Settled,
    facts_of,
    settle,
)
from landplan.verdict import STOPPING, Stops, find_stops

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["classify_supply"]

_SHOWN = 3
_CLASSES = ("unknown", "supplied", "stock", "stock_held", "incremental", "incremental_held")


def classify_supply(
    parcels: DataFrame, findings: DataFrame, titles: Mapping[str, str] | None = None
) -> DataFrame:
    """
    Put each parcel where it stands in the supply of land, and say why.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``verdict``; the states of the events ``approval`` (农转用批复), ``sale`` (出让), ``announcement`` (公告) and
        ``withdrawal`` (收回) where known, and the outlines of approvals and sales in force where there are any.
    findings : DataFrame
        One row per parcel and rule.
    titles : mapping of str to str or None
        Titles of layers and items by name, for the reasons.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``supply_class``: ``stock`` approved, unsold and ready; ``stock_held`` approved and unsold but not ready, or up
        for sale already; ``incremental`` not approved and on no constraint; ``incremental_held`` not approved and on
        one, or not known to be clear of them; ``supplied``; ``unknown`` where approval or sale is not known. And
        ``supply_reason_zh``, ``supply_reason_en``. Land taken back after its sale is unsold again.
    """
    facts = facts_of(parcels)
    approved = settle(facts.event("approval"), facts.outlines.get("approval"))
    sold = settle(facts.event("sale"), facts.outlines.get("sale"))
    sale, withdrawn_on = judge_sale(facts, sold)
    sale_state, approval_state = sold.fact.state, approved.fact.state
    is_sold, is_back, is_offered = sale == 3, withdrawn_on != NEVER, sale == 2
    unsold = ~is_sold & (np.isin(sale_state, (NONE, PENDING, VOID)) | is_back)
    has_paper = unsold & (approval_state == DONE)
    to_approve = unsold & np.isin(approval_state, (PENDING, NONE, VOID, SUSPENDED))
    ready = is_among(parcels["verdict"], ["ready"])
    stops = find_stops(findings, parcels.index)
    constrained, failed, layers = _constraints(stops, len(parcels), titles or {})
    offered, ripe = has_paper & is_offered, has_paper & ~is_offered & ready
    held = has_paper & ~is_offered & ~ready
    clear, barred = to_approve & ~constrained, to_approve & constrained
    classes = np.zeros(len(parcels), dtype=np.int8)
    for number, where in ((1, is_sold), (2, ripe), (3, offered | held), (4, clear), (5, barred)):
        classes[where] = number
    words = _Words(parcels, facts, {"approval": approved, "sale": sold})
    lost, silent = ~is_sold & ~unsold, unsold & (approval_state == MISSING)
    said = _Sentences(len(parcels))
    said.add(is_sold, ("已出让", "sold"), *words.of("sale"))
    said.add(lost & ~sold.is_partly, ("出让状态没有记录", "no record of whether it was sold"))
    said.add(lost & sold.is_partly, words.partly("sale", lost & sold.is_partly))
    approval, against, sale_offered = (
        words.of("approval"),
        _against(stops, held, titles or {}),
        words.offered(),
    )
    back = ("，已收回", ", taken back"), *words.paper("event_withdrawal")
    for here, ending in (
        (ripe, (("，具备出让条件", ", ready"),)),
        (held, (("；", "; "), against)),
        (offered, (sale_offered,)),
    ):
        stem = ("农转用已批", "conversion approved"), *approval
        # A sale that was announced may follow one that was taken back.
        said.add(here & is_back, *stem, *back, *ending)
        said.add(here & ~is_back, *stem, ("，未出让", ", not sold"), *ending)
    said.add(
        clear,
        ("农转用未批，未出让，不涉及管控图层", "conversion not approved, not sold, on no constraint"),
    )
    said.add(
        barred & failed, ("农转用未批；涉及管控：", "conversion not approved; on a constraint: "), layers
    )
    said.add(
        barred & ~failed,
        ("农转用未批；管控情况无法核验：", "conversion not approved; constraints unknown: "),
        layers,
    )
    said.add(silent & ~approved.is_partly, ("农转用批复没有记录", "no record of approval of conversion"))
    said.add(silent & approved.is_partly, words.partly("approval", silent & approved.is_partly))
    zh, en = said.lay_out()
    placed = pd.array(_CLASSES, dtype="str").take(classes.astype(np.int64))
    return pd.DataFrame(
        {"supply_class": placed, "supply_reason_zh": zh, "supply_reason_en": en}, index=parcels.index
    )


@dataclass(frozen=True)
class _Part:
    """A part of a sentence: for each parcel one of a few words, by number, in both languages."""

    numbers: Array
    zh: Sequence[str]
    en: Sequence[str]


class _Sentences:
    """One text for each parcel in both languages, put together for those together that say the same."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.rows: list[Array] = []
        self.texts: list[tuple[Any, Any]] = []

    def add(self, where: Array, *parts: tuple[str, str] | _Part) -> None:
        """Say parts, one after the other, of the parcels chosen; each parcel is chosen once."""
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = np.flatnonzero(where)
        if not len(rows):
            return
        text = pa.large_string()
        said: tuple[list[Any], list[Any]] = ([], [])
        for part in parts:
            if isinstance(part, _Part):
                numbers = pa.array(part.numbers[rows])
                zh = pa.array(part.zh, text).take(numbers)
                en = zh if part.en is part.zh else pa.array(part.en, text).take(numbers)
            else:
                zh, en = (pa.scalar(word, text) for word in part)
            said[0].append(zh)
            said[1].append(en)
        zh, en = (pc.binary_join_element_wise(*each, pa.scalar("", text)) for each in said)
        if isinstance(zh, pa.Scalar):
            zh, en = pa.repeat(zh, len(rows)), pa.repeat(en, len(rows))
        self.rows.append(rows)
        self.texts.append((zh, en))

    def lay_out(self) -> tuple[Any, Any]:
        """Give the texts in the order of the parcels."""
        import pyarrow as pa

        nothing = pa.array([], pa.large_string())
        place = np.empty(self.count, dtype=np.int64)
        place[np.concatenate([np.empty(0, dtype=np.int64), *self.rows])] = np.arange(self.count)
        zh, en = (
            pd.array(
                pa.concat_arrays([nothing, *(each[lang] for each in self.texts)]).take(place), dtype="str"
            )
            for lang in (0, 1)
        )
        return zh, en


class _Words:
    """Days and documents of what counts, as they stand in reasons."""

    def __init__(self, parcels: DataFrame, facts: Facts, settled: Mapping[str, Settled]) -> None:
        self.parcels, self.facts, self.settled = parcels, facts, settled

    def _column(self, name: str, say: Callable[[Any], str]) -> _Part:
        """Number what a column says; the last word is that for nothing."""
        if name not in self.parcels.columns:
            return _Part(np.zeros(len(self.parcels), dtype=np.int64), [""], [""])
        codes, distinct = pd.factorize(self.parcels[name])
        words = [*map(say, distinct), ""]
        return _Part(np.where(codes < 0, len(distinct), codes), words, words)

    def _day(self, prefix: str) -> _Part:
        return self._column(f"{prefix}_on", lambda value: pd.Timestamp(value).strftime("%Y-%m-%d"))

    def _document(self, prefix: str) -> _Part:
        return self._column(f"{prefix}_document", lambda value: str(value).rstrip())

    def paper(self, prefix: str) -> tuple[_Part, _Part]:
        """Day and document, each behind a blank, and none at the end."""
        return _spaced(self._day(prefix), self._document(prefix))

    def of(self, axis: str) -> tuple[_Part, _Part]:
        """Day and document of approval or sale, from the outline where that decided."""
        event, outline = f"event_{axis}", f"boundary_{axis}"
        where = self.settled[axis].by_outline
        if not where.any():
            return self.paper(event)
        return _spaced(*(_either(where, say(outline), say(event)) for say in (self._day, self._document)))

    def offered(self) -> _Part:
        """That the sale is announced, and the day: that of the sale under way, else that of the announcement."""
        pending = self.settled["sale"].fact.state == PENDING
        day = _either(pending, self._day("event_sale"), self._day("event_announcement"))
        zh, en = (
            [f"{begin} {text}".rstrip() for text in day.zh] for begin in ("，已公告出让", ", sale announced")
        )
        return _Part(day.numbers, zh, en)

    def partly(self, axis: str, where: Array) -> _Part:
        """Say of parcels that an outline holds in part how much it holds."""
        chosen = np.flatnonzero(where)
        title = {"approval": "批次红线", "sale": "供地红线"}[axis]
        shares = [say_share(float(self.facts.outlines[axis].share[at])) for at in chosen.tolist()]
        numbers = np.zeros(len(where), dtype=np.int64)
        numbers[chosen] = np.arange(len(chosen))
        return _Part(
            numbers,
            [f"{title}只覆盖 {share}%，需核实" for share in shares],
            [f"the outline of {axis} covers {share} % only, to be settled" for share in shares],
        )


def _either(where: Array, one: _Part, other: _Part) -> _Part:
    """The one where it is so, else the other; both have the same words in both languages."""
    words = [*one.zh, *other.zh]
    return _Part(np.where(where, one.numbers, other.numbers + len(one.zh)), words, words)


def _spaced(day: _Part, document: _Part) -> tuple[_Part, _Part]:
    """Put a blank before each of the two; where there is neither, there is none."""
    is_bare = np.array([not text for text in document.zh])[document.numbers]
    is_bare &= np.array([not text for text in day.zh])[day.numbers]
    days = [*(f" {text}" for text in day.zh), ""]
    documents = [f" {text}" if text else "" for text in document.zh]
    return (
        _Part(np.where(is_bare, len(day.zh), day.numbers), days, days),
        _Part(document.numbers, documents, documents),
    )


def _constraints(stops: Stops, count: int, titles: Mapping[str, str]) -> tuple[Array, Array, _Part]:
    """Which parcels a layer stands against, whether one fails, and the names of the layers in both languages."""
    barred, failed = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    layers: dict[str, list[int]] = {}
    for code, indicator in enumerate(stops.indicators.tolist()):
        if "_overlap_" in indicator:
            layers.setdefault(indicator.rsplit("_overlap_", 1)[0], []).append(code)
    numbers = np.zeros(count, dtype=np.int64)
    zh, en = [""], [""]
    for name in sorted(layers):
        met = np.logical_or.reduce([stops.indicator == code for code in layers[name]])
        here = np.zeros(count, dtype=bool)
        here[stops.place[met]] = True
        failed[stops.place[met & (stops.status == 0)]] = True
        barred |= here
        # Few sets of layers among many parcels: each is spelt once.
        before = np.flatnonzero(np.bincount(numbers[here], minlength=len(zh)))
        longer = np.zeros(len(zh), dtype=np.int64)
        longer[before] = len(zh) + np.arange(len(before))
        numbers[here] = longer[numbers[here]]
        zh += [f"{zh[at]}、{titles.get(name, name)}" if zh[at] else titles.get(name, name) for at in before]
        en += [f"{en[at]}, {name}" if en[at] else name for at in before]
    return barred, failed, _Part(numbers, zh, en)


def _against(stops: Stops, where: Array, titles: Mapping[str, str]) -> _Part:
    """The first three indicators that stand against each parcel chosen, failed ones first, and how many there are."""
    chosen = where[stops.place]
    at, rank, codes = (each[chosen].astype(np.int64) for each in (stops.place, stops.status, stops.indicator))
    order = np.argsort(at * len(STOPPING) + rank, kind="stable")
    at, codes = at[order], codes[order]
    begin = np.flatnonzero(np.r_[len(at) > 0, at[1:] != at[:-1]])
    size = np.diff(np.r_[begin, len(at)])
    # The few lists there are, each as a number: how many, then the first three in turn.
    kinds = len(stops.indicators)
    lists = size.copy()
    for place in range(_SHOWN):
        held = size > place
        lists *= kinds
        lists[held] += codes[begin[held] + place]
    seen, distinct = pd.factorize(lists)
    numbers = np.zeros(len(where), dtype=np.int64)
    numbers[at[begin]] = seen + 1
    zh, en = ["数据有待核实的问题"], ["faults of the data to be settled"]
    for number in distinct.tolist():
        much, shown = number, list[str]()
        for _ in range(_SHOWN):
            much, code = divmod(much, kinds)
            shown.insert(0, str(stops.indicators[code]))
        named = [column(name) for name in shown[:much]]
        more_zh, more_en = (f" 等 {much} 项", f" and {much - _SHOWN} more") if much > _SHOWN else ("", "")
        zh.append(f"未通过：{'、'.join(each.label('zh', titles) for each in named)}{more_zh}")
        en.append(f"not passed: {', '.join(each.label('en') for each in named)}{more_en}")
    return _Part(numbers, zh, en)
