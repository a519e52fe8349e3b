"""
Entries and the chain that binds them: each holds the hash of the one before.

An edited, moved or missing entry breaks the chain at its place. What only the last entries could show - that some
were cut off - is seen where the head was printed or written elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from landplan.issues import Issue

__all__ = [
    "Draft",
    "Entry",
    "Features",
    "Head",
    "Srs",
    "as_json",
    "as_utc",
    "check_chain",
    "hash_entry",
    "known_by",
    "link_entry",
]

# Fixed and not the machine's zone: what was known on a day must not depend on who asks from where.
BEIJING = timezone(timedelta(hours=8))
_MOST = 20
# Made once: a new encoder for each of a hundred thousand entries costs more than the encoding.
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_PLAIN = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True)
class Srs:
    """
    A coordinate system as a GeoPackage declares it.

    Parameters
    ----------
    name : str
        What people call it.
    organization : str
        Who numbers it, e.g. ``EPSG``; ``NONE`` where nobody does.
    code : int
        Its number there.
    definition : str
        WKT.
    """

    name: str
    organization: str
    code: int
    definition: str


@dataclass(frozen=True)
class Features:
    """
    The polygons of a frozen list.

    Parameters
    ----------
    parcel_ids : list of str
        In the order of the list.
    shapes : list of bytes
        WKB of each, multi polygons in two dimensions.
    srs : Srs
        Coordinate system.
    facts : dict of str to list
        A few columns for the attribute table of a GIS, by name.
    """

    parcel_ids: list[str]
    shapes: list[bytes]
    srs: Srs
    facts: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """
    An entry before it is written.

    Parameters
    ----------
    action : str
        A name of ``ACTIONS``.
    body : mapping of str to object
        Values by field.
    limit : float or None
        For a hold on capacity what is free at the node before any hold of the ledger, in the unit of the hold; for a
        commitment the budget of its head and year in 元. None where it is not known: such a draft is refused.
    blob : bytes or None
        Content that goes in with it, found again by its hash.
    features : Features or None
        Polygons that go in with it.
    renew : bool, default True
        Whether a fact that was recorded before and has since been replaced or taken back is recorded anew.
    """

    action: str
    body: Mapping[str, Any]
    limit: float | None = None
    blob: bytes | None = None
    features: Features | None = None
    renew: bool = True


@dataclass(frozen=True)
class Entry:
    """
    One row of the ledger.

    Parameters
    ----------
    seq : int
        Its number, from 1 without gaps.
    at_utc : str
        Moment of recording, ``2026-11-20T08:00:00.000000Z``.
    actor : str
        Whose session wrote it.
    action : str
        A name of ``ACTIONS``.
    idem_key : str
        What makes it the same entry when it is written again.
    body : dict
        Values by field.
    prev_hash, row_hash : str
        Hash of the entry before, and of this one.
    is_new : bool
        False where it was there before it was asked for.
    """

    seq: int
    at_utc: str
    actor: str
    action: str
    idem_key: str
    body: dict[str, Any]
    prev_hash: str
    row_hash: str
    is_new: bool = field(default=False, compare=False)

    @property
    def refers(self) -> int | None:
        """Number of the entry this one replaces, takes back or releases."""
        for name in ("supersedes", "voids", "hold_seq"):
            if name in self.body:
                return int(self.body[name])
        return None


@dataclass(frozen=True)
class Head:
    """
    The last entry: number and hash, to be printed wherever a result is.

    Parameters
    ----------
    seq : int
        0 for a ledger without entries.
    row_hash : str
        Hash that covers every entry up to it.
    """

    seq: int = 0
    row_hash: str = ""

    def __str__(self) -> str:
        """Write both, as reports print them."""
        return f"{self.seq}:{self.row_hash}"


def as_json(value: Any) -> str:
    """
    Write a value as the one JSON text it has.

    Parameters
    ----------
    value : object
        Mappings, lists, text, finite numbers, booleans, None.

    Returns
    -------
    str
        Keys in order, no blanks, characters as they are.

    Raises
    ------
    ValueError
        If a number is not finite.

    Examples
    --------
    >>> as_json({"b": 1.0, "a": "净地"})
    '{"a":"净地","b":1.0}'
    """
    return _CANONICAL.encode(value)


def as_utc(at: datetime) -> str:
    """
    Write a moment as entries hold it.

    Parameters
    ----------
    at : datetime
        With its time zone.

    Returns
    -------
    str
        In UTC, to the microsecond.

    Raises
    ------
    ValueError
        If it has no time zone: nobody could say later when it was.

    Examples
    --------
    >>> as_utc(datetime(2026, 11, 20, 16, tzinfo=BEIJING))
    '2026-11-20T08:00:00.000000Z'
    """
    if at.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def known_by(day: date) -> str:
    """
    Say when a day was over: what was recorded before then was known on it.

    Parameters
    ----------
    day : date
        A day in Beijing, whatever zone the machine is in.

    Returns
    -------
    str
        The first moment no longer of that day, as entries write moments.

    Examples
    --------
    >>> known_by(date(2026, 11, 20))
    '2026-11-20T16:00:00.000000Z'
    """
    return as_utc(datetime(day.year, day.month, day.day, tzinfo=BEIJING) + timedelta(days=1))


def hash_entry(
    seq: int, at_utc: str, actor: str, action: str, idem_key: str, body: str, prev_hash: str
) -> str:
    """
    Hash an entry over everything it says and the hash of the one before.

    Parameters
    ----------
    seq : int
        Its number.
    at_utc, actor, action, idem_key : str
        As the entry holds them.
    body : str
        Its JSON text, as it is stored.
    prev_hash : str
        Hash of the entry before.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    text = _PLAIN.encode([seq, at_utc, actor, action, idem_key, body, prev_hash])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def link_entry(
    head: Head, at_utc: str, actor: str, action: str, idem_key: str, body: Mapping[str, Any]
) -> Entry:
    """
    Make the entry that follows the head.

    Parameters
    ----------
    head : Head
        The last entry.
    at_utc, actor, action, idem_key : str
        As the entry holds them.
    body : mapping
        Values by field, complete.

    Returns
    -------
    Entry
        Numbered and hashed, marked as new.
    """
    seq, facts = head.seq + 1, dict(body)
    row_hash = hash_entry(seq, at_utc, actor, action, idem_key, as_json(facts), head.row_hash)
    return Entry(seq, at_utc, actor, action, idem_key, facts, head.row_hash, row_hash, is_new=True)


def check_chain(rows: Iterable[Sequence[Any]], genesis: str, source: str = "") -> tuple[Head, list[Issue]]:
    """
    Follow the chain from its beginning.

    Parameters
    ----------
    rows : iterable of (seq, at_utc, actor, action, idem_key, body, refers, prev_hash, row_hash)
        As they are stored, in the order of their numbers.
    genesis : str
        Hash the first entry must hold.
    source : str, default ""
        Name of the ledger, for issues.

    Returns
    -------
    Head
        The last entry.
    list of Issue
        One ``LEDGER.CHAIN`` per entry that is not what was written, at most twenty.
    """
    issues: list[Issue] = []
    seq, previous = 0, genesis
    for stored in rows:
        number, at_utc, actor, action, idem_key, body, refers, prev_hash, row_hash = stored
        wrong = ""
        try:
            if number != seq + 1:
                wrong = f"{seq + 1} … {number - 1}"  # those between are missing
            elif prev_hash != previous:
                wrong = "prev_hash"
            elif hash_entry(number, at_utc, actor, action, idem_key, body, prev_hash) != row_hash:
                wrong = "row_hash"
            # Loading a million bodies costs more than hashing them: only those that say so refer to another.
            elif refers != (_refers(body) if _may_refer(body) else None):
                wrong = "refers"
        except (TypeError, ValueError):
            wrong = "body"
        if wrong and len(issues) < _MOST:
            issues.append(
                Issue("LEDGER.CHAIN", source=source, row=_as_row(number), field=wrong, value=number)
            )
        seq, previous = number if isinstance(number, int) else seq + 1, row_hash
    return Head(seq, previous if seq else ""), issues


def _may_refer(body: str) -> bool:
    return '"supersedes":' in body or '"voids":' in body or '"hold_seq":' in body


def _refers(body: str) -> int | None:
    return Entry(0, "", "", "", "", json.loads(body), "", "").refers


def _as_row(number: Any) -> int | None:
    return number if isinstance(number, int) else None
