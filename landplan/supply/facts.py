"""What papers say of each parcel on a day: the state of an item, its day, whether a dated document stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "DONE", "MISSING", "NEVER", "NONE", "PENDING", "STATES", "SUSPENDED", "VOID", "WHOLE", "Array", "Fact", "Facts",
    "Outline", "Settled", "days_of", "facts_of", "is_written", "places",
    "settle",
]  # fmt: skip

Array = np.ndarray[Any, Any]

STATES = ("", "done", "pending", "none", "suspended", "void")
"""States of an event by code; code 0 is no record, which is unknown."""

MISSING, DONE, PENDING, NONE, SUSPENDED, VOID = range(6)

NEVER = int(np.iinfo(np.int64).min)
"""The day of what has none; earlier than every day."""

WHOLE = 1.0 - 1e-6
"""Share from which an outline holds the whole parcel, as the overlay has it."""

_NOTHING = 1e-9


@dataclass(frozen=True)
class Fact:
    """
    What events say of one item, row by row.

    Parameters
    ----------
    state : ndarray of int8, n
        Codes of ``STATES``.
    day : ndarray of int64, n
        Days since 1970; ``NEVER`` where there is none.
    is_papered : ndarray of bool, n
        Whether the event has a day and a document.
    """

    state: Array
    day: Array
    is_papered: Array

    @property
    def is_done(self) -> Array:
        """Where the item is done."""
        done: Array = self.state == DONE
        return done


@dataclass(frozen=True)
class Outline:
    """
    What boundaries say of one axis, row by row.

    Parameters
    ----------
    share : ndarray of float, n
        Share of the parcel inside; NaN where nothing is known.
    day : ndarray of int64, n
        Day of the outline, ``NEVER`` where there is none.
    is_papered : ndarray of bool, n
        Whether it has a day and a document.
    """

    share: Array
    day: Array
    is_papered: Array


@dataclass(frozen=True)
class Settled:
    """
    One item after events and outlines were held against each other.

    Parameters
    ----------
    fact : Fact
        What counts.
    by_outline : ndarray of bool, n
        Where the outline decided.
    is_partly : ndarray of bool, n
        Where an outline holds a part of the parcel only, and no paper settles it.
    is_contrary : ndarray of bool, n
        Where the two said different things.
    """

    fact: Fact
    by_outline: Array
    is_partly: Array
    is_contrary: Array


@dataclass(frozen=True)
class Facts:
    """
    What is known of n rows: parcels on one day, or parcels on many days.

    Parameters
    ----------
    size : int
        How many rows.
    event : callable of str
        Gives the ``Fact`` of an item; without events of it, one that is missing everywhere.
    outlines : dict of str to Outline
        By axis, ``approval`` or ``sale``.
    """

    size: int
    event: Callable[[str], Fact]
    outlines: dict[str, Outline]


def places(values: pd.Series[Any], names: Sequence[str]) -> Array:
    """
    Find the place of each word.

    Parameters
    ----------
    values : Series of str, n rows
        Words.
    names : sequence of str
        Words known.

    Returns
    -------
    ndarray of int64, n
        Places in ``names``; -1 for a word not known and for missing.
    """
    codes, distinct = pd.factorize(values)
    found = pd.Index(list(names), dtype="object").get_indexer(pd.Index(distinct, dtype="object"))
    return np.append(found, -1)[codes]


def is_written(values: pd.Series[Any]) -> Array:
    """
    Tell where a text says something.

    Parameters
    ----------
    values : Series of str, n rows
        Texts; few distinct ones among many rows.

    Returns
    -------
    ndarray of bool, n
        False for missing and for blanks.
    """
    codes, distinct = pd.factorize(values)
    flags: Array = np.array([*(bool(str(text).strip()) for text in distinct), False])[codes]
    return flags


def days_of(values: pd.Series[Any]) -> Array:
    """
    Count days since 1970.

    Parameters
    ----------
    values : Series of datetime64, n rows
        Days.

    Returns
    -------
    ndarray of int64, n
        ``NEVER`` for missing.
    """
    return values.to_numpy(dtype="datetime64[s]").astype("datetime64[D]").astype("int64")


def facts_of(parcels: DataFrame, as_of: date | None = None) -> Facts:
    """
    Read facts from the columns of parcels.

    Parameters
    ----------
    parcels : DataFrame, n rows
        ``event_<item>_state/_on/_document`` and ``boundary_<axis>_share/_on/_document`` where there are any.
    as_of : date or None
        Outlines of later days do not count.

    Returns
    -------
    Facts
        Of n rows.
    """
    count = len(parcels)

    def papered(prefix: str, day: Array) -> Array:
        name = f"{prefix}_document"
        if name not in parcels.columns:
            return np.zeros(count, dtype=bool)
        papers: Array = is_written(parcels[name]) & (day != NEVER)
        return papers

    def day_of(prefix: str) -> Array:
        name = f"{prefix}_on"
        return days_of(parcels[name]) if name in parcels.columns else np.full(count, NEVER, dtype=np.int64)

    def event(item: str) -> Fact:
        prefix = f"event_{item}"
        if f"{prefix}_state" not in parcels.columns:
            return Fact(np.zeros(count, dtype=np.int8), np.full(count, NEVER), np.zeros(count, dtype=bool))
        state = places(parcels[f"{prefix}_state"], STATES[1:]) + 1
        day = day_of(prefix)
        return Fact(state.astype(np.int8), day, papered(prefix, day))

    outlines = {}
    for axis in ("approval", "sale"):
        prefix = f"boundary_{axis}"
        if f"{prefix}_share" in parcels.columns:
            share = parcels[f"{prefix}_share"].to_numpy(dtype="float64")
            day = day_of(prefix)
            if as_of is not None:
                share = np.where(day > (as_of - date(1970, 1, 1)).days, np.nan, share)
            outlines[axis] = Outline(share, day, papered(prefix, day))
    return Facts(count, event, outlines)


def settle(fact: Fact, outline: Outline | None) -> Settled:
    """
    Hold the event of an item against the outline that says the same.

    Parameters
    ----------
    fact : Fact
        What events say.
    outline : Outline or None
        What boundaries say.

    Returns
    -------
    Settled
        What counts.

    Notes
    -----
    Where only one of the two speaks, it counts; an outline that holds a part of the parcel says nothing of the whole. Where
    they disagree, a dated document decides: the one that has it, of two the later, of one day the event; where neither has
    one, nothing is known.
    """
    no = np.zeros(len(fact.state), dtype=bool)
    if outline is None:
        return Settled(fact, no, no, no)
    known = fact.state != MISSING
    with np.errstate(invalid="ignore"):
        whole = outline.share >= WHOLE
        outside = outline.share <= _NOTHING
    partly = ~np.isnan(outline.share) & ~whole & ~outside
    contrary = known & ((fact.is_done & (outside | partly)) | (~fact.is_done & (whole | partly)))
    drawn = outline.is_papered & ~outside
    event_holds = contrary & fact.is_papered & (~drawn | (fact.day >= outline.day))
    outline_holds = contrary & ~event_holds & whole & drawn
    alone = ~known & (whole | outside)
    by_outline = alone | outline_holds
    lost = (contrary & ~event_holds & ~outline_holds) | (partly & ~known)
    state = np.where(by_outline, np.where(whole, DONE, NONE), np.where(lost, MISSING, fact.state))
    day = np.where(by_outline, np.where(whole, outline.day, NEVER), np.where(lost, NEVER, fact.day))
    papered = np.where(by_outline, outline.is_papered & whole, fact.is_papered & ~lost)
    return Settled(Fact(state.astype(np.int8), day, papered), by_outline, partly & lost, contrary)
