"""Rows of the ledger's tables as entries and contents, and what SQLite says in words a person can act on."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from landplan.errors import Fault
from landplan.issues import Issue
from landplan.ledger.entry import Entry, Head, as_json, hash_entry
from landplan.ledger.layout import read_mark

__all__ = [
    "CHAIN",
    "ENTRY",
    "Stored",
    "entry_of",
    "fault_of",
    "genesis_of",
    "is_whole",
    "issue_as_fault",
    "last_head",
    "load_blob",
    "store_blob",
    "unpack_blob",
]

ENTRY = "seq, at_utc, actor, action, idem_key, body, prev_hash, row_hash"
"""Columns an entry is made of."""

CHAIN = "seq, at_utc, actor, action, idem_key, body, refers, prev_hash, row_hash"
"""Columns as they are stored, and as the chain is checked."""


class Stored:
    """
    What the file holds, asked inside the transaction that writes.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a ledger, in a transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _one(self, condition: str, value: Any) -> Entry | None:
        row = self._connection.execute(
            f"SELECT {ENTRY} FROM entries WHERE {condition} = ?",  # noqa: S608
            (value,),
        ).fetchone()
        return None if row is None else entry_of(row)

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
        return self._one("idem_key", idem_key)

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
        return self._one("seq", seq)

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
        return self._one("refers", seq)

    def of_action(self, action: str, *, only_whole: bool = False) -> list[Entry]:
        """
        List the entries of one action.

        Parameters
        ----------
        action : str
            A name of ``ACTIONS``.
        only_whole : bool, default False
            Whether those that are no longer what was written are left out.

        Returns
        -------
        list of Entry
            In the order they were written.
        """
        rows = self._connection.execute(
            f"SELECT {ENTRY} FROM entries WHERE action = ? ORDER BY seq",  # noqa: S608
            (action,),
        )
        return [entry_of(row) for row in rows if not only_whole or is_whole(row)]


def entry_of(row: Sequence[Any]) -> Entry:
    """
    Make an entry of a stored row.

    Parameters
    ----------
    row : sequence
        Values of the columns ``ENTRY``.

    Returns
    -------
    Entry
        With its body read.
    """
    seq, at_utc, actor, action, idem_key, body, prev_hash, row_hash = row
    return Entry(seq, at_utc, actor, action, idem_key, json.loads(body), prev_hash, row_hash)


def is_whole(row: Sequence[Any]) -> bool:
    """
    Tell whether a stored row is what was written, looked at alone.

    Parameters
    ----------
    row : sequence
        Values of the columns ``ENTRY``.

    Returns
    -------
    bool
        Whether its hash is right.
    """
    return all(isinstance(value, str) for value in row[1:]) and hash_entry(*row[:-1]) == row[-1]


def genesis_of(connection: sqlite3.Connection) -> str:
    """
    Hash what tells this ledger from others: the first entry is bound to it.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a ledger.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    return hashlib.sha256(as_json(read_mark(connection)).encode("utf-8", "surrogatepass")).hexdigest()


def last_head(connection: sqlite3.Connection) -> Head:
    """
    Find the last entry.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a ledger.

    Returns
    -------
    Head
        Number 0 and the hash the first entry must hold where there is none.
    """
    row = connection.execute("SELECT seq, row_hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    return Head(0, genesis_of(connection)) if row is None else Head(*row)


def store_blob(connection: sqlite3.Connection, content: bytes) -> None:
    """
    Keep a content once.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a ledger, in a transaction.
    content : bytes
        Kept packed, under the hash of what it is unpacked.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    if connection.execute("SELECT 1 FROM blobs WHERE sha256 = ?", (sha256,)).fetchone() is None:
        connection.execute(
            "INSERT INTO blobs (sha256, packed) VALUES (?, ?)", (sha256, zlib.compress(content, 6))
        )


def load_blob(connection: sqlite3.Connection, sha256: str) -> bytes | None:
    """
    Give a content back.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a ledger.
    sha256 : str
        Its hash.

    Returns
    -------
    bytes or None
        None where it is missing or damaged.
    """
    row = connection.execute("SELECT packed FROM blobs WHERE sha256 = ?", (sha256,)).fetchone()
    return None if row is None else unpack_blob(row[0], sha256)


def unpack_blob(packed: Any, sha256: str) -> bytes | None:
    """
    Unpack a content and hold it against its hash.

    Parameters
    ----------
    packed : object
        As it is stored.
    sha256 : str
        Its hash.

    Returns
    -------
    bytes or None
        None where it is not what its hash says.
    """
    try:
        content = zlib.decompress(bytes(packed))
    except (zlib.error, TypeError, ValueError):
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def issue_as_fault(issue: Issue, path: Path) -> Fault:
    """
    Say an issue of the ledger as what stops a run.

    Parameters
    ----------
    issue : Issue
        One of the codes ``LEDGER.*``.
    path : Path
        The ledger.

    Returns
    -------
    Fault
        In two languages.
    """
    row = issue.as_row()
    at = f"{path}{'' if issue.row is None else f' #{issue.row}'}"
    return Fault(row["message_en"], row["message_zh"], at, row["mend_en"], row["mend_zh"])


def fault_of(error: sqlite3.Error, path: Path) -> Fault:
    """
    Say what SQLite says in a word as something a person can act on.

    Parameters
    ----------
    error : sqlite3.Error
        What was raised.
    path : Path
        The ledger.

    Returns
    -------
    Fault
        In two languages.
    """
    said = str(error)
    if "locked" in said or "busy" in said:
        return Fault(
            en="another program holds the ledger open; nothing was written.",
            zh="总账正被其他程序（如 QGIS）占用，没有写入任何内容。",
            at=str(path),
            mend_en="close it there and try again",
            mend_zh="在那个程序里关闭后再试",
        )
    if "full" in said:
        return Fault(
            en="the disk is full; the ledger is as it was.",
            zh="磁盘空间不足，总账保持原样。",
            at=str(path),
            mend_en="free space and try again",
            mend_zh="腾出空间后再试",
        )
    if "readonly" in said or "unable to open" in said:
        return Fault(
            en="the ledger or its folder may not be written; it is as it was.",
            zh="总账或其所在文件夹没有写入权限，总账保持原样。",
            at=str(path),
            mend_en="ask for write access; after a power failure even reading needs it once",
            mend_zh="申请写入权限；断电之后，首次读取也需要写入权限",
        )
    return Fault(
        en=f"the ledger cannot be read or written: {said}.",
        zh=f"总账无法读写（{said}）。",
        at=str(path),
        mend_en="check the disk, then run the same command again: nothing is recorded twice",
        mend_zh="检查磁盘后重新运行同一命令：不会重复记录",
    )
