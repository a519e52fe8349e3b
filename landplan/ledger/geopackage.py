"""
The ledger as one GeoPackage, written through SQLite alone: a run is one transaction, as before or as after.

No handle stays open between calls, and nothing else of the process may open the file: closing any handle of it drops
every lock the process holds on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

from landplan.errors import Fault, StoreError
from landplan.issues import Issue
from landplan.ledger.entry import Draft, Entry, Features, Head, as_json, as_utc, check_chain, known_by
from landplan.ledger.frozen import check_frozen
from landplan.ledger.layout import (
    create_tables,
    describe_mark,
    find_foreign,
    insert_features,
    read_features,
)
from landplan.ledger.locks import hold_lock, network_system
from landplan.ledger.rows import (
    CHAIN,
    ENTRY,
    Stored,
    entry_of,
    fault_of,
    genesis_of,
    is_whole,
    issue_as_fault,
    last_head,
    load_blob,
    store_blob,
    unpack_blob,
)
from landplan.ledger.settle import settle_drafts
from landplan.publish import publish

__all__ = ["FileLedger", "open_ledger"]

_BUSY_S = 30.0


def open_ledger(path: Path, *, network: bool = False, heads: Path | None = None) -> FileLedger:
    """
    Open a project's ledger and look whether it is as it was written.

    Parameters
    ----------
    path : Path
        A GeoPackage; one that is not there yet is a ledger without entries, made when something is first recorded.
    network : bool, default False
        Whether it may be written on a network file system, whose locks may not hold.
    heads : Path or None
        File the head is also written to after each run, best on another disk: it shows when the end was cut off.

    Returns
    -------
    FileLedger
        What a killed run left half done is rolled back. One that is damaged, foreign or edited may still be read;
        its ``faults`` say why it is not written.

    Raises
    ------
    StoreError
        If it cannot be opened at all.
    """
    ledger = FileLedger(path, network=network, heads=heads)
    ledger.faults = ledger.look()
    return ledger


class FileLedger:
    """
    A ledger in one file; see ``Ledger`` for what it can do.

    Parameters
    ----------
    path : Path
        A GeoPackage.
    network : bool, default False
        Whether it may be written on a network file system.
    heads : Path or None
        File the head is also written to.
    """

    def __init__(self, path: Path, *, network: bool = False, heads: Path | None = None) -> None:
        self.name = path.name
        # Two names of one file must share one lock.
        self.path = path.resolve()
        self.heads = heads
        self.network = network
        self.faults: list[Issue] = []

    def append(self, drafts: Sequence[Draft], actor: str, at: datetime) -> list[Entry]:
        """
        Add entries, all or none, in one transaction.

        Parameters
        ----------
        drafts : sequence of Draft
            What is to be recorded, in this order.
        actor : str
            Whose session writes.
        at : datetime
            Moment of recording, with its time zone.

        Returns
        -------
        list of Entry
            One per draft; ``is_new`` is False for what was recorded before.

        Raises
        ------
        LedgerError
            If a draft is incomplete, or refused by what is recorded already: every reason, and nothing is written.
        StoreError
            If the ledger cannot be written.
        """
        at_utc = as_utc(at)
        if not drafts:
            return []
        with self._writing(at_utc, f"{at_utc} {actor}") as connection:
            head = last_head(connection)
            entries = settle_drafts(drafts, Stored(connection), head, at_utc, actor)
            # Two drafts of one run may be the same fact.
            new = {e.seq: (draft, e) for draft, e in zip(drafts, entries, strict=True) if e.seq > head.seq}
            connection.executemany(
                f"INSERT INTO entries ({CHAIN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (
                    (
                        *(e.seq, e.at_utc, e.actor, e.action, e.idem_key, as_json(e.body), e.refers),
                        *(e.prev_hash, e.row_hash),
                    )
                    for _, e in new.values()
                ),
            )
            for draft, entry in new.values():
                if draft.blob is not None:
                    store_blob(connection, draft.blob)
                if draft.features is not None:
                    insert_features(connection, draft.features, entry)
            last = last_head(connection)
        self._note_head(last, at_utc)
        return entries

    def entries(self, action: str | None = None, known_on: date | None = None) -> list[Entry]:
        """
        Read entries as they stood at one moment.

        Parameters
        ----------
        action : str or None
            Only those of this action.
        known_on : date or None
            Only those recorded before this day was over in Beijing.

        Returns
        -------
        list of Entry
            In the order they were written; without those that are no longer what was written, which ``faults`` tells.
        """
        where, values = ["1"], []
        if action is not None:
            where.append("action = ?")
            values.append(action)
        if known_on is not None:
            where.append("at_utc < ?")
            values.append(known_by(known_on))
        with self._reading() as connection:
            if connection is None:
                return []
            rows = connection.execute(
                f"SELECT {ENTRY} FROM entries WHERE {' AND '.join(where)} ORDER BY seq",  # noqa: S608
                values,
            )
            # Where something was edited, what was not is still what was recorded.
            return [entry_of(row) for row in rows if not self.faults or is_whole(row)]

    def head(self) -> Head:
        """
        Tell the last entry.

        Returns
        -------
        Head
            Number 0 and no hash where there is none.
        """
        with self._reading() as connection:
            head = Head() if connection is None else last_head(connection)
        return head if head.seq else Head()

    def verify(self) -> list[Issue]:
        """
        Look through everything: the file, the chain, contents by their hashes, frozen polygons, heads noted.

        Returns
        -------
        list of Issue
            Empty where all is as it was written.
        """
        found = self.look()
        if any(issue.code in ("LEDGER.MARK", "LEDGER.CORRUPT", "LEDGER.FOREIGN") for issue in found):
            return found
        with self._reading() as connection:
            if connection is None:
                return found
            kept = set()
            for sha256, packed in connection.execute("SELECT sha256, packed FROM blobs ORDER BY fid"):
                kept.add(sha256)
                if unpack_blob(packed, sha256) is None:
                    found.append(Issue("LEDGER.BLOB", source=self.name, value=sha256))
            for entry in Stored(connection).of_action("freeze", only_whole=True):
                sha256 = entry.body["list_sha256"]
                content = load_blob(connection, sha256)
                if content is not None:
                    features = read_features(connection, entry.body["list_no"])
                    found += check_frozen(entry, content, features, self.name)
                elif sha256 not in kept:
                    found.append(Issue("LEDGER.BLOB", source=self.name, row=entry.seq, value=sha256))
            found += self._check_heads(connection)
        return found

    def put_blob(self, content: bytes, at: datetime | None = None) -> str:
        """
        Keep a content under its hash.

        Parameters
        ----------
        content : bytes
            Anything.
        at : datetime or None
            Moment, needed only where this is the first thing the ledger keeps.

        Returns
        -------
        str
            Its SHA-256 in hexadecimal.

        Raises
        ------
        StoreError
            If the ledger cannot be written.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        with self._writing("" if at is None else as_utc(at), sha256) as connection:
            store_blob(connection, content)
        return sha256

    def get_blob(self, sha256: str) -> bytes:
        """
        Give a content back.

        Parameters
        ----------
        sha256 : str
            Its hash.

        Returns
        -------
        bytes
            Equal to what was kept.

        Raises
        ------
        StoreError
            If there is none of this hash, or it is damaged.
        """
        with self._reading() as connection:
            content = None if connection is None else load_blob(connection, sha256)
        if content is None:
            raise StoreError(
                Fault(
                    en=f"the ledger keeps no content with the hash {sha256}, or it is damaged.",
                    zh=f"总账里没有哈希为 {sha256} 的内容，或该内容已损坏。",
                    at=str(self.path),
                    mend_en="run `landplan ledger verify`",
                    mend_zh="运行 landplan ledger verify",
                )
            )
        return content

    def features(self, list_no: str) -> Features:
        """
        Give the polygons of a frozen list back.

        Parameters
        ----------
        list_no : str
            Its number.

        Returns
        -------
        Features
            In the order of the list.

        Raises
        ------
        StoreError
            If it was frozen without polygons, or is none.
        """
        with self._reading() as connection:
            found = None if connection is None else read_features(connection, list_no)
        if found is None:
            raise StoreError(
                Fault(
                    en=f"the ledger keeps no polygons of a list {list_no!r}.",
                    zh=f"总账里没有清单“{list_no}”的图形。",
                    at=str(self.path),
                )
            )
        return found

    def snapshot(self, path: Path) -> Path:
        """
        Copy the ledger as it stands, for programs that must not touch it.

        Parameters
        ----------
        path : Path
            GeoPackage to write.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        StoreError
            If there is no ledger yet, or the place cannot be written.
        """
        if path.resolve() == self.path:
            raise StoreError(
                Fault(en="a copy needs another name.", zh="副本须用另一个文件名。", at=str(path))
            )

        def _write(target: Path) -> None:
            with self._reading() as connection:
                if connection is None:
                    raise StoreError(
                        Fault(en="nothing is recorded yet.", zh="总账里还没有记录。", at=str(self.path))
                    )
                with contextlib.closing(sqlite3.connect(target)) as copy:
                    connection.backup(copy)

        def _verify(target: Path) -> None:
            faults = FileLedger(target).look()
            if [issue.code for issue in faults] != [issue.code for issue in self.look()]:
                raise OSError("the copy is not what was copied")

        return publish(path, _write, _verify)

    def look(self) -> list[Issue]:
        """
        Look whether the file is a ledger and its chain whole.

        Returns
        -------
        list of Issue
            Empty where it may be written.
        """
        system = "" if self.network else network_system(self.path)
        found = [Issue("LEDGER.NETWORK", source=self.name, value=system)] if system else []
        try:
            with self._reading(checked=False) as connection:
                return found if connection is None else found + self._faults_of(connection)
        except StoreError as error:
            return [*found, Issue("LEDGER.CORRUPT", source=self.name, value=error.faults[0].en)]

    def _faults_of(self, connection: sqlite3.Connection) -> list[Issue]:
        """The open routine: sound pages, the ledger's own tables and no others, the chain unbroken."""
        foreign = find_foreign(connection, self.name)
        if foreign is None or foreign:
            return foreign or []
        said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
        if said != ["ok"]:
            return [Issue("LEDGER.CORRUPT", source=self.name, value="; ".join(said))]
        rows = connection.execute(f"SELECT {CHAIN} FROM entries ORDER BY seq")  # noqa: S608
        return check_chain(rows, genesis_of(connection), self.name)[1]

    @contextlib.contextmanager
    def _writing(self, at_utc: str, identity: str) -> Iterator[sqlite3.Connection]:
        """One transaction that commits where nothing was raised; the file is looked through inside it."""
        with hold_lock(self.path, _BUSY_S):
            try:
                with contextlib.closing(self._connect(create=True)) as connection:
                    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "delete":
                        connection.execute("PRAGMA journal_mode = DELETE")
                    connection.execute("BEGIN IMMEDIATE")
                    try:
                        self._refuse_unfit(connection, at_utc, identity)
                        yield connection
                        connection.execute("COMMIT")
                    except BaseException:
                        if connection.in_transaction:
                            with contextlib.suppress(sqlite3.Error):
                                connection.execute("ROLLBACK")
                        raise
            except sqlite3.Error as error:
                raise StoreError(fault_of(error, self.path)) from error

    def _refuse_unfit(self, connection: sqlite3.Connection, at_utc: str, identity: str) -> None:
        system = "" if self.network else network_system(self.path)
        issues = [Issue("LEDGER.NETWORK", source=self.name, value=system)] if system else []
        empty = find_foreign(connection, self.name) is None
        issues += [] if empty else self._faults_of(connection)
        if issues:
            raise StoreError(*(issue_as_fault(issue, self.path) for issue in issues))
        if empty:
            mark = describe_mark(hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:32])
            create_tables(connection, mark, at_utc)

    @contextlib.contextmanager
    def _reading(self, *, checked: bool = True) -> Iterator[sqlite3.Connection | None]:
        """One moment of the ledger; None where there is none yet."""
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            yield None
            return
        if not stat.S_ISREG(mode):
            raise StoreError(Fault(en="this is no file.", zh="这不是文件。", at=str(self.path)))
        try:
            with contextlib.closing(self._connect(create=False)) as connection:
                connection.execute("BEGIN")
                if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                    yield None
                elif checked and find_foreign(connection, self.name):
                    # What is not the ledger's own is told by `faults`; it is not asked for rows.
                    yield None
                else:
                    yield connection
        except sqlite3.Error as error:
            raise StoreError(fault_of(error, self.path)) from error

    def _connect(self, *, create: bool) -> sqlite3.Connection:
        # Read and write even to read: what a killed run left is rolled back by whoever opens the file next.
        uri = f"{self.path.as_uri()}?mode={'rwc' if create else 'rw'}"
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)
        # A byte that is no text must be seen as an edit, and not end the looking.
        connection.text_factory = lambda content: content.decode("utf-8", "surrogateescape")
        for setting in (
            "trusted_schema = OFF",
            "recursive_triggers = ON",
            "cell_size_check = ON",
            "synchronous = EXTRA",
            "fullfsync = ON",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {setting}")
        return connection

    def _note_head(self, head: Head, at_utc: str) -> None:
        if self.heads is None:
            return
        try:
            handle = os.open(self.heads, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                os.write(handle, f"{at_utc} {head}\n".encode())
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise StoreError(
                Fault(
                    en=f"it is recorded, but its head could not be noted: {error.strerror}.",
                    zh="已记入总账，但首部哈希未能写入备查文件。",
                    at=str(self.heads),
                    mend_en="mend the place and run the command again: nothing is recorded twice",
                    mend_zh="排除故障后重新运行：不会重复记录",
                )
            ) from error

    def _check_heads(self, connection: sqlite3.Connection) -> list[Issue]:
        if self.heads is None or not self.heads.is_file():
            return []
        issues = []
        for number, line in enumerate(
            self.heads.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        ):
            seq, _, row_hash = line.rpartition(" ")[2].partition(":")
            if not seq.isdigit() or len(row_hash) != 64:
                continue  # a line cut short by a power failure
            row = connection.execute("SELECT row_hash FROM entries WHERE seq = ?", (int(seq),)).fetchone()
            if row is None or row[0] != row_hash:
                issues.append(Issue("LEDGER.HEAD", source=self.heads.name, row=number, value=seq))
        return issues
