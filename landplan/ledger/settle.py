"""
What an entry may do to those before it, decided while nobody else can write.

Written twice is recorded once; two holds never take the same parcel or the same capacity on the same day; money beyond
the budget is refused with the sum that is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from landplan.errors import Fault, LandplanError, LedgerError
from landplan.ledger.actions import ACTIONS, complete_body
from landplan.ledger.entry import Draft, Entry, Head, as_json, link_entry
from landplan.units import convert

__all__ = ["Past", "free_days", "settle_drafts"]

_VOIDABLE = ("event", "batch_event", "override", "commitment")
_SMALL = 1e-9


class Past(Protocol):
    """What a store tells of the entries it holds; asked only inside the transaction that writes."""

    def find(self, idem_key: str) -> Entry | None:
        """
        Find an entry by what makes it the same.

        Parameters
        ----------
        idem_key : str
            Its key.

        Returns
        -------
        Entry or None
            None where there is none.
        """

    def get(self, seq: int) -> Entry | None:
        """
        Find an entry by its number.

        Parameters
        ----------
        seq : int
            Its number.

        Returns
        -------
        Entry or None
            None where there is none.
        """

    def referring(self, seq: int) -> Entry | None:
        """
        Find the entry that replaced, took back or released another.

        Parameters
        ----------
        seq : int
            Number of the other.

        Returns
        -------
        Entry or None
            None where the other still counts.
        """

    def of_action(self, action: str) -> list[Entry]:
        """
        List the entries of one action.

        Parameters
        ----------
        action : str
            A name of ``ACTIONS``.

        Returns
        -------
        list of Entry
            In the order they were written.
        """


@dataclass
class _Present:
    """The past together with what this run has added to it so far."""

    past: Past
    head: Head
    at_utc: str
    actor: str
    added: list[Entry] = field(default_factory=list)
    listed: dict[str, list[Entry]] = field(default_factory=dict)
    by_key: dict[str, Entry] = field(default_factory=dict)
    ended: dict[int, Entry | None] = field(default_factory=dict)

    def find(self, key: str) -> Entry | None:
        return self.by_key.get(key) or self.past.find(key)

    def get(self, seq: int) -> Entry | None:
        at = seq - self.head.seq - 1 + len(self.added)
        return self.added[at] if 0 <= at < len(self.added) else self.past.get(seq)

    def referring(self, seq: int) -> Entry | None:
        if seq not in self.ended:
            self.ended[seq] = self.past.referring(seq)
        return self.ended[seq]

    def of_action(self, action: str) -> list[Entry]:
        if action not in self.listed:
            written = self.past.of_action(action)
            self.listed[action] = written + [entry for entry in self.added if entry.action == action]
        return self.listed[action]

    def add(self, action: str, key: str, body: Mapping[str, Any]) -> Entry:
        entry = link_entry(self.head, self.at_utc, self.actor, action, key, body)
        self.head = Head(entry.seq, entry.row_hash)
        self.added.append(entry)
        self.by_key[key] = entry
        if entry.refers is not None:
            self.ended[entry.refers] = entry
        if action in self.listed:
            self.listed[action].append(entry)
        return entry


def settle_drafts(drafts: Sequence[Draft], past: Past, head: Head, at_utc: str, actor: str) -> list[Entry]:
    """
    Turn drafts into the entries that follow the head, or refuse them all.

    Parameters
    ----------
    drafts : sequence of Draft
        In the order they are to stand.
    past : Past
        The entries there are.
    head : Head
        The last of them; of an empty ledger the hash its first entry must hold.
    at_utc, actor : str
        Moment of recording, and whose session writes.

    Returns
    -------
    list of Entry
        One per draft: new ones follow the head without gaps, and what was recorded before is given back as it stands,
        ``is_new`` False.

    Raises
    ------
    LedgerError
        Every reason against every draft.
    """
    present = _Present(past, head, at_utc, actor)
    faults: list[Fault] = []
    entries: list[Entry] = []
    for number, draft in enumerate(drafts, start=1):
        body, wrong = complete_body(draft.action, draft.body)
        if not wrong:
            try:
                entries.append(_settle(draft, body, present))
                continue
            except LandplanError as error:
                wrong = list(error.faults)
        at = f"{number}/{len(drafts)}" if len(drafts) > 1 else ""
        faults += [fault if fault.at or not at else _placed(fault, at) for fault in wrong]
    if faults:
        raise LedgerError(*faults)
    return entries


def _placed(fault: Fault, at: str) -> Fault:
    return Fault(fault.en, fault.zh, at, fault.mend_en, fault.mend_zh)


def _settle(draft: Draft, body: dict[str, Any], present: _Present) -> Entry:
    named = ACTIONS[draft.action].identity
    key = _key([draft.action, {name: body[name] for name in (named or body) if name in body}])
    # The same fact may be recorded anew once the first was replaced, taken back or released.
    while (before := present.find(key)) is not None:
        ended_by = present.referring(before.seq)
        if ended_by is None or not draft.renew:
            return before
        key = _key([key, ended_by.seq])
    rule = _RULES.get(draft.action)
    if "supersedes" in body:
        _check_target(body["supersedes"], (draft.action,), present)
    if rule is not None:
        body = rule(draft, body, present)
    return present.add(draft.action, key, body)


def _key(identity: Any) -> str:
    return hashlib.sha256(as_json(identity).encode("utf-8")).hexdigest()


def _check_target(seq: int, actions: Sequence[str], present: _Present) -> Entry:
    target = present.get(seq)
    if target is None or target.action not in actions:
        names = "、".join(ACTIONS[name].title_zh for name in actions)
        raise LedgerError(
            Fault(
                en=f"entry {seq} is none of: {', '.join(actions)}.",
                zh=f"第 {seq} 号记录不是{names}，不能更正或作废。",
                mend_en="look the number up with `landplan ledger log`",
                mend_zh="用 landplan ledger log 查看序号",
            )
        )
    ended_by = present.referring(seq)
    if ended_by is not None:
        raise LedgerError(
            Fault(
                en=f"entry {seq} was already replaced or taken back by entry {ended_by.seq}.",
                zh=f"第 {seq} 号记录已被第 {ended_by.seq} 号更正或作废。",
                mend_en=f"refer to entry {ended_by.seq}",
                mend_zh=f"请针对第 {ended_by.seq} 号记录",
            )
        )
    return target


def _settle_void(_: Draft, body: dict[str, Any], present: _Present) -> dict[str, Any]:
    _check_target(body["voids"], _VOIDABLE, present)
    return body


def _settle_release(_: Draft, body: dict[str, Any], present: _Present) -> dict[str, Any]:
    held = [hold for hold in present.of_action("hold") if hold.body["hold_id"] == body["hold_id"]]
    if not held:
        live = [h.body["hold_id"] for h in present.of_action("hold") if present.referring(h.seq) is None]
        raise LedgerError(
            Fault(
                en=f"there is no hold {body['hold_id']!r}.",
                zh=f"没有编号为“{body['hold_id']}”的占用。",
                mend_en=f"holds that are not released: {', '.join(live) or 'none'}",
                mend_zh=f"未释放的占用：{'、'.join(live) or '无'}",
            )
        )
    if body["on"] > held[0].body["until"]:
        raise LedgerError(
            Fault(
                en=f"hold {body['hold_id']} ended by itself on {held[0].body['until']}.",
                zh=f"占用 {body['hold_id']} 已于 {held[0].body['until']} 到期，无需释放。",
            )
        )
    return {**body, "hold_seq": held[0].seq}


def _settle_hold(draft: Draft, body: dict[str, Any], present: _Present) -> dict[str, Any]:
    on_capacity = [name for name in ("resource", "node", "amount", "unit") if name in body]
    if ("parcel_id" in body) == bool(on_capacity) or (on_capacity and len(on_capacity) < 4):
        raise LedgerError(
            Fault(
                en="a hold is either on a parcel, or on capacity with resource, node, amount and unit.",
                zh="占用只能针对一宗地块，或针对一个节点的要素（须有要素、节点、数量、单位）。",
                mend_en="give parcel_id alone, or those four",
                mend_zh="只填地块编号，或填全四项",
            )
        )
    if "parcel_id" in body:
        _check_parcel(body, present)
    else:
        body = _check_capacity(draft, body, present)
    return {**body, "hold_id": f"H{len(present.of_action('hold')) + 1:04d}"}


def _check_parcel(body: dict[str, Any], present: _Present) -> None:
    for hold in present.of_action("hold"):
        if hold.body.get("parcel_id") == body["parcel_id"] and _overlap(hold, body, present):
            raise LedgerError(
                Fault(
                    en=f"parcel {body['parcel_id']} is held for {hold.body['demand']} until {hold.body['until']} "
                    f"({hold.body['hold_id']}).",
                    zh=f"地块 {body['parcel_id']} 已为“{hold.body['demand']}”占用至 {hold.body['until']}"
                    f"（{hold.body['hold_id']}）。",
                    mend_en=f"release {hold.body['hold_id']} first, or begin after it ends",
                    mend_zh=f"先释放 {hold.body['hold_id']}，或从其到期之后起占用",
                )
            )


def _check_capacity(draft: Draft, body: dict[str, Any], present: _Present) -> dict[str, Any]:
    place, unit = f"{body['resource']} {body['node']}", body["unit"]
    if body["amount"] <= 0:
        raise LedgerError(
            Fault(
                en=f"{body['amount']:g} {unit} cannot be held.",
                zh=f"占用数量须大于零，不能是 {body['amount']:g}{unit}。",
            )
        )
    if draft.limit is None:
        raise LedgerError(
            Fault(
                en=f"what is free at {place} is not known; nothing is held on a guess.",
                zh=f"{place} 的余量未知，不能占用。",
                mend_en="supply the capacity of the node, or give what is free there",
                mend_zh="补充该节点的容量资料，或给出余量",
            )
        )
    rivals = [
        (hold, _in_unit(hold.body["amount"], hold.body["unit"], unit))
        for hold in present.of_action("hold")
        if (hold.body.get("resource"), hold.body.get("node")) == (body["resource"], body["node"])
        and _overlap(hold, body, present)
    ]
    # Holds end on different days: what counts is the day on which most is taken.
    days = {body["on"], *(max(hold.body["on"], body["on"]) for hold, _ in rivals)}
    taken = max(
        sum(amount for hold, amount in rivals if free_days(hold, present.referring(hold.seq)).holds_on(day))
        for day in days
    )
    missing = taken + body["amount"] - draft.limit
    if missing > _SMALL * max(1.0, abs(draft.limit)):
        raise LedgerError(
            Fault(
                en=f"{place} has {max(draft.limit - taken, 0.0):g} {unit} left of {draft.limit:g}, "
                f"{body['amount']:g} are asked for: {missing:g} {unit} are missing.",
                zh=f"{place} 余量 {draft.limit:g}{unit}，其中已占用 {taken:g}{unit}，"
                f"申请 {body['amount']:g}{unit}，尚缺 {missing:g}{unit}。",
                mend_en="hold less, release another hold, or take another node",
                mend_zh="减少数量、释放其他占用，或换一个节点",
            )
        )
    return {**body, "headroom": float(draft.limit)}


def _in_unit(amount: float, unit: str, wanted: str) -> float:
    return amount if unit == wanted else float(convert(amount, unit, wanted))


@dataclass(frozen=True)
class _Days:
    first: str
    last: str
    freed: str | None

    def holds_on(self, day: str) -> bool:
        return self.first <= day <= self.last and (self.freed is None or day < self.freed)


def free_days(hold: Entry, release: Entry | None) -> _Days:
    """
    Say on which days a hold counts.

    Parameters
    ----------
    hold : Entry
        A hold.
    release : Entry or None
        What gave it up, if anything did.

    Returns
    -------
    object
        ``holds_on(day)`` for a day as ISO text: from ``on`` to ``until``, both included, and no longer on the day it
        is released.
    """
    freed = None if release is None else str(release.body["on"])
    return _Days(str(hold.body["on"]), str(hold.body["until"]), freed)


def _overlap(hold: Entry, body: Mapping[str, Any], present: _Present) -> bool:
    """Whether there is a day on which both would count."""
    days = free_days(hold, present.referring(hold.seq))
    first = max(days.first, body["on"])
    return first <= body["until"] and days.holds_on(first)


def _settle_commitment(draft: Draft, body: dict[str, Any], present: _Present) -> dict[str, Any]:
    head, year = body["head"], body["year"]
    if draft.limit is None:
        raise LedgerError(
            Fault(
                en=f"the budget of {head} for {year} is not known; nothing is committed on a guess.",
                zh=f"{year} 年“{head}”的预算未知，不能安排经费。",
                mend_en="supply the budget of this head and year",
                mend_zh="补充该科目该年度的预算",
            )
        )
    replaced = body.get("supersedes")
    spent = sum(
        entry.body["amount_cny"]
        for entry in present.of_action("commitment")
        if (entry.body["head"], entry.body["year"]) == (head, year)
        and entry.seq != replaced
        and present.referring(entry.seq) is None
    )
    missing = spent + body["amount_cny"] - draft.limit
    if missing > 0.005:  # half a 分
        raise LedgerError(
            Fault(
                en=f"{head} {year}: budget {draft.limit:.2f} 元, committed {spent:.2f}, asked for "
                f"{body['amount_cny']:.2f}: {missing:.2f} 元 are missing.",
                zh=f"{year} 年“{head}”预算 {draft.limit:.2f} 元，已安排 {spent:.2f} 元，本次 {body['amount_cny']:.2f} 元，"
                f"尚缺 {missing:.2f} 元。",
                mend_en="raise the budget, or commit less",
                mend_zh="追加预算，或减少金额",
            )
        )
    return {**body, "budget_cny": float(draft.limit)}


def _settle_freeze(_: Draft, body: dict[str, Any], present: _Present) -> dict[str, Any]:
    same = [
        entry
        for entry in present.of_action("freeze")
        if (entry.body["year"], entry.body["kind"]) == (body["year"], body["kind"])
    ]
    return {**body, "list_no": f"{body['year']}-{body['kind']}-{len(same) + 1:02d}"}


_RULES: dict[str, Callable[[Draft, dict[str, Any], _Present], dict[str, Any]]] = {
    "hold": _settle_hold,
    "release": _settle_release,
    "void": _settle_void,
    "commitment": _settle_commitment,
    "freeze": _settle_freeze,
}
