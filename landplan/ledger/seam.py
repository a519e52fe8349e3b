"""The seam: what every ledger can do, whichever database keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from landplan.issues import Issue
from landplan.ledger.entry import Draft, Entry, Features, Head

__all__ = ["Ledger"]


class Ledger(Protocol):
    """
    Entries that are only ever added, each bound to the one before.

    ``name`` is what people call it; ``faults`` says why it may be read but not written, empty where it may.
    """

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def faults(self) -> list[Issue]:
        """Why it may not be written; empty where it may."""

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
            If the ledger cannot be written; it is then as it was, or - where the failure came after the entries were
            safe - says so, and doing it again does no harm.
        """

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
            In the order they were written.
        """

    def head(self) -> Head:
        """
        Tell the last entry.

        Returns
        -------
        Head
            Number 0 and no hash where there is none.
        """

    def verify(self) -> list[Issue]:
        """
        Look through everything: the file, the chain, contents by their hashes, frozen polygons.

        Returns
        -------
        list of Issue
            Empty where all is as it was written.
        """

    def put_blob(self, content: bytes) -> str:
        """
        Keep a content under its hash.

        Parameters
        ----------
        content : bytes
            Anything.

        Returns
        -------
        str
            Its SHA-256 in hexadecimal.
        """

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
        """
