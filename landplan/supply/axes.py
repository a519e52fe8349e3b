"""
State axes of a parcel: approval, servicing, sale and occupation, each of its own, and the kind of stock they add up to.

One status column could not say that land is approved, half served, announced and empty at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.issues import Issue
from landplan.supply.facts import (
    DONE,
    MISSING,
    NEVER,
    NONE,
    PENDING,
    STATES,
    SUSPENDED,
    VOID,
    WHOLE,
    Array,
    Fact,
    Facts,
    Settled,
    facts_of,
    settle,
)

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "ITEMS",
    "KINDS",
    "SERVICES",
    "Axes",
    "derive_axes",
    "judge_axes",
    "judge_sale",
    "name_codes",
    "say_share",
]

APPROVALS = ("unknown", "none", "planned", "approved", "expropriated", "reserved")
SALES = ("unknown", "unsold", "announced", "sold", "withdrawn")
OCCUPATIONS = ("unknown", "empty", "building", "producing", "idle", "inefficient")
KINDS = ("unknown", "incremental", "approved_unsold", "reserve", "sold_unused", "underused", "in_use")
"""Kinds of stock by code."""

ITEMS = (
    "plan", "approval", "expropriation", "reserve", "announcement", "sale", "withdrawal", "start", "completion",
    "production", "idle", "inefficient", "utilisation",
)  # fmt: skip
"""Items of events that the axes are made of."""

SERVICES = ("road", "water", "power", "levelling")
"""三通一平: what must reach a parcel where the project asks for nothing else."""

_SERVICING = ("unknown", "none", "partial", "full")


@dataclass(frozen=True)
class Axes:
    """
    Axes as codes, row by row.

    Parameters
    ----------
    approval, sale, occupation, kind : ndarray of int8, n
        Codes of the axes and of ``KINDS``.
    approved, sold : Settled
        Approval and sale after events and outlines were held against each other.
    withdrawn_on : ndarray of int64, n
        Day of the withdrawal in force that took the land back, else ``NEVER``.
    """

    approval: Array
    sale: Array
    occupation: Array
    kind: Array
    approved: Settled
    sold: Settled
    withdrawn_on: Array


def judge_sale(facts: Facts, sold: Settled) -> tuple[Array, Array]:
    """
    Tell where the sale of each parcel stands.

    Parameters
    ----------
    facts : Facts
        Events of ``announcement`` and ``withdrawal``.
    sold : Settled
        The sale.

    Returns
    -------
    ndarray of int8
        Codes: unknown, unsold, announced, sold, withdrawn.
    ndarray of int64
        Day of the withdrawal in force, else ``NEVER``.
    """
    sale, announced, taken = sold.fact, facts.event("announcement"), facts.event("withdrawal")
    # Of one day the withdrawal is the later: only what was sold can be taken back.
    is_back = taken.is_done & (~sale.is_done | (taken.day >= sale.day))
    withdrawn_on = np.where(taken.is_done, taken.day, NEVER)
    code = np.zeros(facts.size, dtype=np.int8)
    code[np.isin(sale.state, (NONE, VOID))] = 1
    code[sale.state == PENDING] = 2
    code[is_back & ~((sale.state == PENDING) & (sale.day > taken.day))] = 4
    known = (sale.state != MISSING) | is_back
    offered = np.isin(announced.state, (DONE, PENDING)) & known & (announced.day > withdrawn_on)
    offered &= ~((sale.state == VOID) & (sale.day >= announced.day)) & (sale.state != SUSPENDED)
    code[offered] = 2
    code[sale.is_done & ~is_back] = 3
    return code, withdrawn_on


def judge_axes(facts: Facts) -> Axes:
    """
    Judge the axes of every row.

    Parameters
    ----------
    facts : Facts
        Of n rows.

    Returns
    -------
    Axes
        Of n rows, each judged alone.
    """
    approved = settle(facts.event("approval"), facts.outlines.get("approval"))
    sold = settle(facts.event("sale"), facts.outlines.get("sale"))
    sale, withdrawn_on = judge_sale(facts, sold)
    taken, reserved = facts.event("expropriation"), facts.event("reserve")
    approval = np.zeros(facts.size, dtype=np.int8)
    state = approved.fact.state
    open_still = (state != MISSING) & (state != DONE)
    approval[open_still] = 1
    approval[open_still & facts.event("plan").is_done] = 2
    approval[state == DONE] = 3
    approval[taken.is_done] = 4
    approval[reserved.is_done] = 5
    occupation = _judge_occupation(facts, withdrawn_on)
    kind = np.zeros(facts.size, dtype=np.int8)
    unsold = (sale == 1) | (sale == 2) | (sale == 4)
    kind[unsold & ((approval == 1) | (approval == 2))] = 1
    # What was sold once had been approved, whether or not the paper is at hand.
    kind[unsold & ((approval >= 3) | ((approval == 0) & (sale == 4) & ~approved.is_partly))] = 2
    # Sale ends a reserve: land taken back is in it again only by a new decision.
    kind[unsold & (approval == 5) & (reserved.day >= withdrawn_on)] = 3
    is_sold = sale == 3
    kind[is_sold & ((occupation == 1) | (occupation == 4))] = 4
    kind[is_sold & (occupation == 5)] = 5
    kind[is_sold & ((occupation == 2) | (occupation == 3))] = 6
    return Axes(approval, sale, occupation, kind, approved, sold, withdrawn_on)


def _judge_occupation(facts: Facts, withdrawn_on: Array) -> Array:
    """What stands on the land; what the former holder did before the land was taken back no longer counts."""
    code = np.zeros(facts.size, dtype=np.int8)

    def counts(fact: Fact) -> Array:
        fresh: Array = (fact.day >= withdrawn_on) | (fact.state == NONE)
        return fresh

    start, completion = facts.event("start"), facts.event("completion")
    code[np.isin(start.state, (NONE, PENDING, VOID)) & counts(start)] = 1
    code[np.isin(start.state, (DONE, SUSPENDED)) & counts(start)] = 2
    code[completion.is_done & counts(completion)] = 2
    production = facts.event("production")
    code[production.is_done & counts(production)] = 3
    # Idle and inefficient are findings of the bureau: they stand until the land is put to use by a finding of its own.
    idle, inefficient = facts.event("idle"), facts.event("inefficient")
    used = facts.event("utilisation")
    cleared_on = np.where(used.is_done, used.day, NEVER)
    is_idle = idle.is_done & counts(idle) & ((idle.day > cleared_on) | ~used.is_done)
    is_poor = inefficient.is_done & counts(inefficient) & ((inefficient.day > cleared_on) | ~used.is_done)
    code[is_poor] = 5
    code[is_idle & ~(is_poor & (inefficient.day > idle.day))] = 4
    return code


def name_codes(codes: Array, names: Sequence[str], index: pd.Index[Any]) -> pd.Series[Any]:
    """
    Turn codes into words.

    Parameters
    ----------
    codes : ndarray of int, n
        Places in ``names``.
    names : sequence of str
        Words.
    index : Index, n
        Of the result.

    Returns
    -------
    Series of str, n rows
        The words.
    """
    words: Any = pd.array(names, dtype="str")
    return pd.Series(words.take(codes.astype(np.int64)), index=index)


def derive_axes(
    parcels: DataFrame, as_of: date, services: Sequence[str] = SERVICES
) -> tuple[DataFrame, list[Issue]]:
    """
    Derive the state axes of parcels on a day from events and outlines.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        ``event_<item>_state/_on/_document`` of the items in ``ITEMS`` and of the services, and
        ``boundary_<axis>_share/_on/_document`` of the axes ``approval`` (批次红线) and ``sale`` (供地红线); any may be absent.
    as_of : date
        Outlines of later days do not count; events are taken as laid beside the parcels for this day.
    services : sequence of str
        Items that must be done for full servicing.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``approval_axis``, ``servicing_axis``, ``sale_axis``, ``occupation_axis`` and ``stock_kind``; what no paper settles is
        ``unknown``, never ``none``.
    list of Issue
        Parcels that an outline holds in part, with the share, and parcels of which events and outlines disagree.

    Notes
    -----
    Approval is the highest step on record. Sold land is 供而未用 (``sold_unused``) while empty or found idle, 用而不足
    (``underused``) while found inefficient, else in use; unsold land is in reserve, 批而未供 (``approved_unsold``) or increment.
    Where events and outlines disagree a dated document decides: see ``settle``.

    Examples
    --------
    >>> one = pd.DataFrame({"event_approval_state": ["done"], "event_sale_state": ["none"]}, index=["A"])
    >>> derive_axes(one, date(2026, 1, 1))[0].loc["A", ["approval_axis", "sale_axis", "stock_kind"]].tolist()
    ['approved', 'unsold', 'approved_unsold']
    """
    facts = facts_of(parcels, as_of)
    axes = judge_axes(facts)
    columns = {
        "approval_axis": name_codes(axes.approval, APPROVALS, parcels.index),
        "servicing_axis": name_codes(_judge_servicing(parcels, facts, services), _SERVICING, parcels.index),
        "sale_axis": name_codes(axes.sale, SALES, parcels.index),
        "occupation_axis": name_codes(axes.occupation, OCCUPATIONS, parcels.index),
        "stock_kind": name_codes(axes.kind, KINDS, parcels.index),
    }
    issues = []
    for settled, axis, code in (
        (axes.approved, "approval", "GEOM.PARTLY_APPROVED"),
        (axes.sold, "sale", "GEOM.PARTLY_SOLD"),
    ):
        for at in np.flatnonzero(settled.is_partly | settled.is_contrary).tolist():
            share = f"{say_share(float(facts.outlines[axis].share[at]))}%"
            pid = str(parcels.index[at])
            if settled.is_partly[at]:
                issues.append(Issue(code, layer=f"boundary_{axis}", parcel_id=pid, value=share, limit="100%"))
            else:
                said = facts.event(axis).state[at]
                value = f"{axis} {STATES[said]} | {share}"
                issues.append(
                    Issue("ATTR.STATE_CONFLICT", layer=f"boundary_{axis}", parcel_id=pid, value=value)
                )
    return pd.DataFrame(columns, index=parcels.index), issues


def say_share(share: float) -> str:
    """
    Print a share so that a part never looks like the whole, nor like nothing.

    Parameters
    ----------
    share : float
        0 to 1.

    Returns
    -------
    str
        Percent, with as many decimals as it takes, two at least.

    Examples
    --------
    >>> say_share(0.999999), say_share(0.3725)
    ('99.9999', '37.25')
    """
    for decimals in range(2, 8):
        text = f"{share * 100:.{decimals}f}"
        if share in (0.0, 1.0) or float(text) not in (0.0, 100.0):
            return text
    return f"{share * 100:g}"


def _judge_servicing(parcels: DataFrame, facts: Facts, services: Sequence[str]) -> Array:
    """Whether all services are there; a network that reaches a part of the parcel does not serve it."""
    has = np.zeros(facts.size, dtype=np.int64)
    lacks = np.zeros(facts.size, dtype=np.int64)
    for item in services:
        fact = facts.event(item)
        done, known = fact.is_done.copy(), fact.state != MISSING
        name = f"servicing_{item}_share"
        if name in parcels.columns:
            share = parcels[name].to_numpy(dtype="float64")
            with np.errstate(invalid="ignore"):
                done |= share >= WHOLE
            known |= ~np.isnan(share)
        has += done
        lacks += known & ~done
    code = np.zeros(facts.size, dtype=np.int8)
    code[(lacks == len(services)) & (len(services) > 0)] = 1
    code[(has > 0) & (lacks > 0)] = 2
    code[(has == len(services)) & (len(services) > 0)] = 3
    return code
