"""The tables of one assessment, and what they rest on: the one thing saved, mapped, listed and reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.schema import coerce, column

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

    from landplan.issues import Issue

__all__ = ["Assessment", "Book", "Provenance", "Source", "issue_table"]


@dataclass(frozen=True)
class Source:
    """
    One input file as it was used.

    Parameters
    ----------
    role : str
        What it served as: ``parcels``, ``zones``, ``layer:farmland``, ``table``, ``events``, ``dem`` ...
    path : str
        As the project names it.
    sha256 : str
        Hash of its bytes; for a set of files (a shapefile) of all of them in the order of their names.
    rows_in, rows_imported, rows_rejected : int
        Records in the container, taken over, and refused; the first is the sum of the others.
    crs : str
        Coordinate system it was read in, empty for tables.
    crs_how, encoding, encoding_how : str
        How both were decided: ``declared``, ``option``, ``profile``, ``content`` ...
    area_m2 : float or None
        Sum of the plane areas of its polygons, each in its own measuring zone.
    """

    role: str
    path: str
    sha256: str = ""
    rows_in: int = 0
    rows_imported: int = 0
    rows_rejected: int = 0
    crs: str = ""
    crs_how: str = ""
    encoding: str = ""
    encoding_how: str = ""
    area_m2: float | None = None


@dataclass(frozen=True)
class Book:
    """
    One rulebook as it judged.

    Parameters
    ----------
    name, title : str
        Its dotted name and its title.
    sha256 : str
        Hash of its file.
    checked_on : str
        Latest day a person compared it with the text.
    text : str
        The file itself, so that the judgement can be read in ten years.
    """

    name: str
    title: str
    sha256: str
    checked_on: str
    text: str


@dataclass(frozen=True)
class Provenance:
    """
    What an assessment rests on.

    Parameters
    ----------
    as_of : date
        The day judged for.
    project : str
        Name of the project.
    is_sample : bool
        Whether the data are 示例, made up.
    version : str
        Version of landplan.
    libraries : dict of str to str
        Versions of the libraries that measured.
    books : tuple of Book
        Rulebooks, from the nation down to the zone.
    sources : tuple of Source
        Inputs.
    layers : dict of str to str
        Names and titles of the constraint layers, in the order they are drawn.
    items : dict of str to str
        Names and titles of event and evaluation items.
    counts : dict of str to int
        Parcels ``in``, ``out`` and ``dropped``.
    complete : tuple of str
        Event items nothing is missing of: there, no event means that it did not happen.
    known_on : str
        Day by whose end the ledger's record was taken, as ISO text; empty where all of it was.
    """

    as_of: date
    project: str
    is_sample: bool
    version: str
    libraries: dict[str, str] = field(default_factory=dict)
    books: tuple[Book, ...] = ()
    sources: tuple[Source, ...] = ()
    layers: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    complete: tuple[str, ...] = ()
    known_on: str = ""

    @property
    def titles(self) -> dict[str, str]:
        """Titles of layers and items by name: what columns and findings about them are called."""
        return {**self.layers, **self.items}


@dataclass(frozen=True)
class Assessment:
    """
    The tables of one judgement; every door out takes it and nothing else.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        One canonical column per fact, with verdict and supply class; in the working CRS.
    zones : GeoDataFrame
        Boundaries in force on the day and before, same CRS.
    overlaps : GeoDataFrame
        Pieces of layers inside parcels (``parcel_id, layer, feature, overlap_m2, overlap_share, geometry``).
    indicators, events, findings, issues : DataFrame
        The long tables of the dictionary.
    provenance : Provenance
        The day, the rulebooks, the inputs.
    tasks : DataFrame
        What each parcel still needs (用地清单): whose move, days, cost; empty where the project has no checklist.
    registers : dict of str to DataFrame
        Every register by its name: batches, capacities, buildings, holds ..., and those a bureau declares itself.
    layers : dict of str to GeoDataFrame
        The constraint layers clipped to the surroundings of the parcels, for the map; not saved.
    """

    parcels: GeoDataFrame
    zones: GeoDataFrame
    overlaps: GeoDataFrame
    indicators: DataFrame
    events: DataFrame
    findings: DataFrame
    issues: DataFrame
    provenance: Provenance
    tasks: DataFrame = field(default_factory=lambda: coerce(pd.DataFrame(), "tasks"))
    registers: dict[str, DataFrame] = field(default_factory=dict)
    layers: dict[str, Any] = field(default_factory=dict, compare=False)


def issue_table(issues: Iterable[Issue]) -> pd.DataFrame:
    """
    Gather issues in a table, in the order they were found.

    Parameters
    ----------
    issues : iterable of Issue
        May be empty.

    Returns
    -------
    DataFrame, one row per issue
        With the columns of the ``issues`` table of the dictionary.
    """
    rows = [issue.as_row() for issue in issues]
    # Column by column and typed at once: a hundred thousand rows of mixed objects are slow to put right.
    lists = zip(*(row.values() for row in rows), strict=True)
    names = rows[0] if rows else ()
    columns = {name: _issue_column(values, name) for name, values in zip(names, lists, strict=True)}
    return coerce(pd.DataFrame(columns), "issues")


def _issue_column(values: Sequence[Any], name: str) -> pd.Series[Any]:
    dtype: Any = column(name).dtype
    typed: pd.Series[Any] = pd.Series(values, dtype=dtype)
    return typed
