"""Where each parcel stands in the supply of land, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.schema import column
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
from landplan.verdict import open_kinds

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["classify_supply"]

_RANK = {"fail": 0, "unknown": 1, "refer": 2}
_SHOWN = 3


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
    ready = (parcels["verdict"] == "ready").to_numpy(dtype=bool)
    stopping = open_kinds(findings)
    constrained, failed, named_zh, named_en = _constraints(parcels.index, stopping, titles or {})
    offered, ripe = has_paper & is_offered, has_paper & ~is_offered & ready
    held = has_paper & ~is_offered & ~ready
    clear, barred = to_approve & ~constrained, to_approve & constrained
    classes = np.full(len(parcels), "unknown", dtype=object)
    for where, name in (
        (is_sold, "supplied"),
        (ripe, "stock"),
        (offered | held, "stock_held"),
        (clear, "incremental"),
        (barred, "incremental_held"),
    ):
        classes[where] = name
    words = _Words(parcels, facts, approved, sold, is_back)
    why_zh, why_en = _against(parcels.index, stopping, titles or {})
    reasons = {}
    for lang, held_why, named in (("zh", why_zh, named_zh), ("en", why_en, named_en)):
        zh = lang == "zh"
        text = np.full(len(parcels), "", dtype=object)
        text[is_sold] = _trimmed(("已出让 " if zh else "sold ") + words.of("sale")[is_sold])
        lost = ~is_sold & ~unsold
        text[lost] = "出让状态没有记录" if zh else "no record of whether it was sold"
        words.partly(text, sold, "sale", lost, lang)
        stem = _trimmed(("农转用已批 " if zh else "conversion approved ") + words.of("approval"))
        stem = stem + words.sale_of(lang)
        text[ripe] = stem[ripe] + ("，具备出让条件" if zh else ", ready")
        text[held] = stem[held] + ("；" if zh else "; ") + held_why[held]
        day = words.offered_on(lang)
        text[offered] = _trimmed(
            stem[offered] + ("，已公告出让 " if zh else ", sale announced ") + day[offered]
        )
        text[clear] = (
            "农转用未批，未出让，不涉及管控图层"
            if zh
            else "conversion not approved, not sold, on no constraint"
        )
        word = np.where(failed, "涉及管控", "管控情况无法核验")
        if not zh:
            word = np.where(failed, "on a constraint", "constraints unknown")
        begin, colon = ("农转用未批；", "：") if zh else ("conversion not approved; ", ": ")
        text[barred] = begin + word.astype(object)[barred] + colon + named[barred]
        silent = unsold & (approval_state == MISSING)
        text[silent] = "农转用批复没有记录" if zh else "no record of approval of conversion"
        words.partly(text, approved, "approval", silent, lang)
        reasons[f"supply_reason_{lang}"] = pd.Series(text, index=parcels.index, dtype="str")
    placed = pd.Series(classes, index=parcels.index, dtype="str")
    return pd.DataFrame({"supply_class": placed, **reasons}, index=parcels.index)


def _trimmed(texts: Array) -> Array:
    """Strip each text; the few shapes they have are worked on once."""
    codes, distinct = pd.factorize(texts)
    return (
        np.array([text.strip() for text in distinct.tolist()], dtype=object)[codes] if len(texts) else texts
    )


class _Words:
    """Days and documents of what counts, as they stand in reasons."""

    def __init__(
        self, parcels: DataFrame, facts: Facts, approved: Settled, sold: Settled, is_back: Array
    ) -> None:
        self.parcels, self.facts, self.is_back = parcels, facts, is_back
        self.settled = {"approval": approved, "sale": sold}

    def _column(self, name: str, say: Callable[[Any], str]) -> Array:
        if name not in self.parcels.columns:
            return np.full(len(self.parcels), "", dtype=object)
        codes, distinct = pd.factorize(self.parcels[name])
        said = np.array([*(say(value) for value in distinct), ""], dtype=object)
        return said[codes]

    def paper(self, prefix: str) -> Array:
        """Day and document, one blank between them."""
        day = self._column(f"{prefix}_on", lambda value: pd.Timestamp(value).strftime("%Y-%m-%d"))
        return day + " " + self._column(f"{prefix}_document", str)

    def of(self, axis: str) -> Array:
        """Day and document of approval or sale, from the outline where that decided."""
        papers = self.paper(f"event_{axis}")
        by_outline = self.settled[axis].by_outline
        if by_outline.any():
            papers = np.where(by_outline, self.paper(f"boundary_{axis}"), papers)
        return papers

    def sale_of(self, lang: str) -> Array:
        """Not sold, or taken back, and if so by what; nothing where a sale is announced."""
        unsold, back = ("，未出让", "，已收回 ") if lang == "zh" else (", not sold", ", taken back ")
        text = np.full(len(self.parcels), unsold, dtype=object)
        if self.is_back.any():
            taken = _trimmed(back + self.paper("event_withdrawal"))
            text[self.is_back] = taken[self.is_back]
        return text

    def offered_on(self, lang: str) -> Array:
        """Day on which the sale was announced: that of the sale under way, else that of the announcement."""
        pending = self.settled["sale"].fact.state == PENDING
        day = [
            self._column(f"event_{item}_on", lambda value: pd.Timestamp(value).strftime("%Y-%m-%d"))
            for item in ("sale", "announcement")
        ]
        return np.where(pending, *day)

    def partly(self, text: Array, settled: Settled, axis: str, where: Array, lang: str) -> None:
        """Say of parcels that an outline holds in part how much it holds."""
        chosen = np.flatnonzero(where & settled.is_partly)
        title = {"approval": "批次红线", "sale": "供地红线"}[axis]
        for at in chosen.tolist():
            share = say_share(float(self.facts.outlines[axis].share[at]))
            text[at] = (
                f"{title}只覆盖 {share}%，需核实"
                if lang == "zh"
                else f"the outline of {axis} covers {share} % only, to be settled"
            )


def _places(index: pd.Index[Any], stopping: DataFrame) -> tuple[DataFrame, Array]:
    """Stopping findings of these parcels, and the place of the parcel of each."""
    at = index.astype("str").get_indexer(pd.Index(stopping["parcel_id"]))
    return stopping[at >= 0], at[at >= 0]


def _constraints(
    index: pd.Index[Any], stopping: DataFrame, titles: Mapping[str, str]
) -> tuple[Array, Array, Array, Array]:
    """Which parcels a layer stands against, whether one fails, and the names of the layers in both languages."""
    count = len(index)
    barred, failed = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    zh, en = np.full(count, "", dtype=object), np.full(count, "", dtype=object)
    codes, indicators = pd.factorize(stopping["indicator"])
    layers: dict[str, list[int]] = {}
    for code, indicator in enumerate(indicators.tolist()):
        if "_overlap_" in indicator:
            layers.setdefault(indicator.rsplit("_overlap_", 1)[0], []).append(code)
    rows, at = _places(index, stopping)
    of_row = codes[index.astype("str").get_indexer(pd.Index(stopping["parcel_id"])) >= 0]
    fails = (rows["status"] == "fail").to_numpy(dtype=bool)
    for name in sorted(layers):
        met = np.isin(of_row, layers[name])
        here = np.zeros(count, dtype=bool)
        here[at[met]] = True
        failed[at[met & fails]] = True
        barred |= here
        zh[here] = np.where(zh[here] == "", "", zh[here] + "、") + titles.get(name, name)
        en[here] = np.where(en[here] == "", "", en[here] + ", ") + name
    return barred, failed, zh, en


def _against(index: pd.Index[Any], stopping: DataFrame, titles: Mapping[str, str]) -> tuple[Array, Array]:
    """The first three indicators that stand against each parcel, failed ones first, and how many more there are."""
    count = len(index)
    zh = np.full(count, "数据有待核实的问题", dtype=object)
    en = np.full(count, "faults of the data to be settled", dtype=object)
    rows, at = _places(index, stopping)
    if rows.empty:
        return zh, en
    rank = rows["status"].map(_RANK).to_numpy(dtype="int64")
    order = np.lexsort((rank, at))
    codes, indicators = pd.factorize(rows["indicator"])
    at, codes = at[order], codes[order]
    begin = np.flatnonzero(np.r_[True, at[1:] != at[:-1]])
    size = np.diff(np.r_[begin, len(at)])
    who = at[begin]
    labels = {
        lang: [column(i).label(lang, titles if lang == "zh" else None) for i in indicators]
        for lang in ("zh", "en")
    }
    for text, lang, first, comma, more in (
        (zh, "zh", "未通过：", "、", " 等 {} 项"),
        (en, "en", "not passed: ", ", ", " and {} more"),
    ):
        label = np.array(labels[lang], dtype=object)
        said = first + label[codes[begin]]
        for place in range(1, _SHOWN):
            has = size > place
            said[has] = said[has] + comma + label[codes[begin[has] + place]]
        many = size > _SHOWN
        left = size[many] if lang == "zh" else size[many] - _SHOWN
        numbers, distinct = pd.factorize(left)
        tails = np.array([more.format(number) for number in distinct.tolist()], dtype=object)
        said[many] = said[many] + (tails[numbers] if len(tails) else "")
        text[who] = said
    return zh, en
