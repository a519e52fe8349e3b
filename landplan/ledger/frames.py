"""
What was recorded as the canonical tables: the ledger's rows beside those of the user's own files.

An entry that was replaced or taken back is left out; what a person is shown of it stands in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.ledger.entry import Entry
from landplan.schema import coerce

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "recorded_batch_events",
    "recorded_commitments",
    "recorded_events",
    "recorded_holds",
    "recorded_overrides",
]


def recorded_events(entries: Iterable[Entry], source: str = "") -> DataFrame:
    """
    Lay recorded events out as the ``events`` table.

    Parameters
    ----------
    entries : iterable of Entry
        Of any action, in the order they were written; those that replace or take back must be among them.
    source : str, default ""
        Name of the ledger.

    Returns
    -------
    DataFrame
        ``parcel_id, item, on, state, until, amount, party, document, source, source_row``; the last is the number of
        the entry.
    """
    return _table(_standing(entries, "event"), "events", source)


def recorded_batch_events(entries: Iterable[Entry], source: str = "") -> DataFrame:
    """
    Lay recorded steps of batches out as the ``batch_events`` table.

    Parameters
    ----------
    entries : iterable of Entry
        Of any action, in the order they were written.
    source : str, default ""
        Name of the ledger.

    Returns
    -------
    DataFrame
        ``batch_no, item, on, state, until, days, party, document``.
    """
    return _table(_standing(entries, "batch_event"), "batch_events", source)


def recorded_overrides(entries: Iterable[Entry], source: str = "") -> DataFrame:
    """
    Lay recorded decisions of persons out as the ``overrides`` table.

    Parameters
    ----------
    entries : iterable of Entry
        Of any action, in the order they were written.
    source : str, default ""
        Name of the ledger.

    Returns
    -------
    DataFrame
        ``parcel_id, rule_id, person, grounds, document, on, until``.
    """
    return _table(_standing(entries, "override"), "overrides", source)


def recorded_holds(entries: Iterable[Entry], source: str = "") -> DataFrame:
    """
    Lay holds out as the ``holds`` table, released ones with the day of their release.

    Parameters
    ----------
    entries : iterable of Entry
        Of any action, in the order they were written.
    source : str, default ""
        Name of the ledger.

    Returns
    -------
    DataFrame
        ``hold_id, parcel_id, resource, node, amount, unit, demand, on, until, released_on, person, document``. A hold
        counts from ``on`` to ``until``, both included, and no longer on ``released_on``.
    """
    known = list(entries)
    released = {entry.body["hold_id"]: entry.body["on"] for entry in known if entry.action == "release"}
    holds = [entry for entry in known if entry.action == "hold"]
    return _table(holds, "holds", source, [{"released_on": released.get(h.body["hold_id"])} for h in holds])


def recorded_commitments(entries: Iterable[Entry], source: str = "") -> DataFrame:
    """
    Lay commitments of money out as the ``commitments`` table.

    Parameters
    ----------
    entries : iterable of Entry
        Of any action, in the order they were written.
    source : str, default ""
        Name of the ledger.

    Returns
    -------
    DataFrame
        ``head, parcel_id, amount_cny, on, document, person``, and the budget year.
    """
    return _table(_standing(entries, "commitment"), "commitments", source)


def _standing(entries: Iterable[Entry], action: str) -> list[Entry]:
    known = list(entries)
    ended = {entry.refers for entry in known if entry.refers is not None}
    return [entry for entry in known if entry.action == action and entry.seq not in ended]


def _table(
    entries: Sequence[Entry], table: str, source: str, more: Sequence[Mapping[str, Any]] = ()
) -> DataFrame:
    rows = [{**entry.body, "source": source, "source_row": entry.seq} for entry in entries]
    frame = pd.DataFrame.from_records(
        [{**row, **extra} for row, extra in zip(rows, more, strict=True)] if more else rows
    )
    return coerce(frame, table).reset_index(drop=True)
