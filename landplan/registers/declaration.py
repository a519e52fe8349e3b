"""What a register is: its columns, its key, its dates, parties and documents, who may see it, how long a row keeps."""

from __future__ import annotations

from dataclasses import dataclass, field

from landplan.periods import Period
from landplan.schema import Column, Table

__all__ = ["PLACES", "Declaration"]

PLACES = ("none", "parcel_id", "zone_code")
"""What puts a row on the map: nothing, the number of a parcel, or the code of a zone."""


@dataclass(frozen=True, eq=False)
class Declaration:
    """
    A register as its declaration says it is; a bureau writes one, and no code.

    Parameters
    ----------
    name : str
        Its code; the name of its file.
    title_zh, title_en : str
        What people call it.
    about_zh, about_en : str
        What one row is, for the form.
    table : Table
        Its columns in order, by canonical name.
    aliases : tuple of str
        Other names it is asked for by.
    key : tuple of str
        Columns that together name a row.
    latest_by : tuple of str
        Columns of which the latest row counts on a day; empty where every row counts.
    required : tuple of str
        Columns without which a row says nothing.
    as_of : str
        The day from which a row counts; empty where it counts always.
    until, released : tuple of str
        Last day on which it counts, and first day on which it no longer does.
    people, parties, documents : tuple of str
        Columns with names of persons, of departments, and of papers.
    units : dict of str to str
        Number by number the column that holds its unit.
    geometry : str
        One of ``PLACES``.
    stale_after : Period or None
        How long a row keeps.
    text, sha256, path : str
        The declaration itself, its hash and where it stands.
    is_shipped : bool
        Whether it comes with landplan.
    """

    name: str
    title_zh: str
    title_en: str
    about_zh: str
    about_en: str
    table: Table
    aliases: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    latest_by: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    as_of: str = ""
    until: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    geometry: str = "none"
    stale_after: Period | None = None
    text: str = ""
    sha256: str = ""
    path: str = ""
    is_shipped: bool = False

    @property
    def columns(self) -> dict[str, Column]:
        """Its columns in order, by canonical name."""
        return dict(self.table.columns)

    @property
    def dates(self) -> tuple[str, ...]:
        """Its columns of days."""
        return tuple(name for name, declared in self.table.columns.items() if declared.kind == "day")

    def title(self, lang: str = "zh") -> str:
        """
        Name the register for people.

        Parameters
        ----------
        lang : {"zh", "en"}
            Language.

        Returns
        -------
        str
            Its title.
        """
        return self.title_zh if lang == "zh" else self.title_en
