"""The header of a sheet: the row, or the rows below one another, that hold the names of its columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from landplan.errors import UnitError
from landplan.read.grid import Grid
from landplan.schema import Column, Table, column, match_header
from landplan.units import find_unit, split_header

__all__ = [
    "Header",
    "Names",
    "cell_at",
    "declared_as",
    "find_header",
    "fold",
    "row_key",
    "text_of",
    "unit_in",
]

_READ_TABLES = ("parcels", "zones", "events", "evaluations", "indicators")
_HEADER_WITHIN = 50
_MOST_LEVELS = 4


@dataclass(frozen=True)
class Header:
    """
    Where the header of a sheet is, and what its columns are called.

    Parameters
    ----------
    first, last : int
        Its rows, counted from 0.
    names : dict of int to str
        Name of every column that has one, by column counted from 0.
    parts : tuple of tuple of str
        The words of each of its rows, to know it again where it is repeated.
    """

    first: int
    last: int
    names: dict[int, str]
    parts: tuple[tuple[str, ...], ...] = ()


def fold(text: str) -> str:
    """
    Take widths, blanks and case off a text, so that spellings of one name are equal.

    Parameters
    ----------
    text : str
        As written.

    Returns
    -------
    str
        Folded.

    Examples
    --------
    >>> fold(" 投资强度（万元／亩） ")
    '投资强度(万元/亩)'
    """
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()


def text_of(cell: object) -> str:
    """
    Say a cell in words.

    Parameters
    ----------
    cell : object
        As the sheet holds it.

    Returns
    -------
    str
        Empty where blank; whole numbers without their point.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def cell_at(grid: Grid, row: int, at: int) -> object:
    """
    Look at a cell of a ragged grid.

    Parameters
    ----------
    grid : Grid
        The sheet.
    row, at : int
        Row and column, counted from 0.

    Returns
    -------
    object
        What stands there; ``""`` beyond the end.
    """
    cells = grid.rows[row] if row < len(grid.rows) else []
    return cells[at] if at < len(cells) else ""


def row_key(row: Iterable[object]) -> tuple[str, ...]:
    """
    Gather the words of a row, to compare it with another.

    Parameters
    ----------
    row : iterable of object
        Cells.

    Returns
    -------
    tuple of str
        Folded words, blanks left out.
    """
    return tuple(text for cell in row if (text := fold(text_of(cell))))


def _title(cell: object) -> str:
    """A cell of a header: lines joined, marks of required columns taken off."""
    text = text_of(cell).strip("*＊★ ")
    return re.sub(r"\s*[\r\n]+\s*", "" if re.search(r"[\u4e00-\u9fff]", text) else " ", text)


@cache
def declared_as(title: str) -> Column | None:
    """
    Find the column of the dictionary a title means.

    Parameters
    ----------
    title : str
        With its unit or without.

    Returns
    -------
    Column or None
        From the first table that has it.
    """
    for table in _READ_TABLES:
        found = match_header(title, table)
        if found is not None:
            return column(found[0])
    return None


@dataclass(frozen=True)
class Names:
    """
    The names a header may hold.

    Parameters
    ----------
    mapped : frozenset of str
        Folded headers a profile knows.
    table : Table or None
        The one table the sheet is to become; any of the dictionary's where None.
    """

    mapped: frozenset[str] = frozenset()
    table: Table | None = None

    def meant_by(self, title: str) -> Column | None:
        """
        Find the column a title means.

        Parameters
        ----------
        title : str
            With its unit or without.

        Returns
        -------
        Column or None
            Of the table, or of the first table of the dictionary that has it.
        """
        if self.table is None:
            return declared_as(title)
        found = match_header(title, self.table)
        return None if found is None else self.table.columns[found[0]]


def _is_known(title: str, names: Names) -> bool:
    return bool(title) and (fold(title) in names.mapped or names.meant_by(title) is not None)


def unit_in(text: str) -> str | None:
    """
    Read a cell that holds a unit and nothing else.

    Parameters
    ----------
    text : str
        E.g. ``亩``, ``（万元/亩）``, ``单位：公顷``.

    Returns
    -------
    str or None
        The unit as written; None where the cell says more or less.

    Examples
    --------
    >>> unit_in("（万元/亩）"), unit_in("工业用地")
    ('万元/亩', None)
    """
    bare = re.sub(r"^[（(\[【]?\s*(?:单位\s*[：:])?\s*|\s*[）)\]】]?$", "", text.strip())
    try:
        find_unit(bare)
    except UnitError:
        return None
    return bare


def find_header(grid: Grid, names: Names) -> Header | None:
    """
    Find the header of a sheet among its first rows.

    Parameters
    ----------
    grid : Grid
        The sheet.
    names : Names
        Headers that are known.

    Returns
    -------
    Header or None
        None where no row holds two names that are known.
    """
    counts = [
        len({fold(title) for cell in row if _is_known(title := _title(cell), names)})
        for row in grid.rows[: 1 if grid.is_records else _HEADER_WITHIN]
    ]
    enough = max(2, max(counts, default=0) / 2)
    first = next((k for k, count in enumerate(counts) if count >= enough), None)
    if first is None:
        return None
    if grid.is_records:
        return _compose(grid, [0], {}, names)
    merged = _spans(grid)
    levels = [first - 1, first] if first and _is_group_row(grid, first, merged, names) else [first]
    while len(levels) < _MOST_LEVELS and levels[-1] + 1 < len(grid.rows):
        below = levels[-1] + 1
        if not _is_lower_header(grid, levels, below, merged, names):
            break
        levels.append(below)
    return _compose(grid, levels, merged, names)


def _is_wordy(row: Sequence[object]) -> bool:
    return all(
        isinstance(cell, str) and not re.fullmatch(r"[\s\d.,%]+", cell) for cell in row if text_of(cell)
    )


def _spans(grid: Grid) -> dict[tuple[int, int], tuple[int, int]]:
    """For every cell of a merged range the cell that holds its value."""
    return {
        (row, at): (top, left)
        for top, left, bottom, right in grid.merges
        if (bottom - top + 1) * (right - left + 1) < 100_000
        for row in range(top, bottom + 1)
        for at in range(left, right + 1)
    }


def _is_group_row(
    grid: Grid, first: int, merged: dict[tuple[int, int], tuple[int, int]], names: Names
) -> bool:
    """Whether the row above the names holds the groups they belong to, and not a title."""
    above = grid.rows[first - 1]
    if sum(bool(_title(cell)) for cell in above) < 2 or not _is_wordy(above):
        return False
    for at, cell in enumerate(above):
        title, below = _title(cell), _title(cell_at(grid, first, at))
        if title and (first - 1, at) in merged:
            return True
        if title and grid.is_delimited and (not below or _is_known(title + below, names)):
            return True
    return False


def _is_lower_header(
    grid: Grid,
    levels: list[int],
    below: int,
    merged: dict[tuple[int, int], tuple[int, int]],
    names: Names,
) -> bool:
    """Whether a row continues the header: words only, below groups or blanks, some of them known."""
    row = grid.rows[below]
    if not _is_wordy(row):
        return False
    named = 0
    for at, cell in enumerate(row):
        title = _title(cell)
        if not title:
            continue
        above = _title(cell_at(grid, levels[-1], at))
        beside = _title(cell_at(grid, levels[-1], at + 1))
        left = next((t for k in range(at, -1, -1) if (t := _title(cell_at(grid, levels[-1], k)))), "")
        holder = merged.get((levels[-1], at))
        neighbour = at + 1 if holder and holder[1] == at else at - 1
        is_group = holder is not None and merged.get((levels[-1], neighbour)) == holder
        known = _is_known(title, names) or _is_known(left + title, names)
        is_unit = unit_in(title) is not None
        continues = is_group or is_unit or (known and not beside)
        if above and _is_known(above, names) and not continues:
            return False
        named += known or (is_unit and is_group)
    return named > 0


def _compose(
    grid: Grid, levels: list[int], merged: dict[tuple[int, int], tuple[int, int]], names: Names
) -> Header:
    """Name every column by its lowest words; where they alone say nothing, with the words above them."""
    reach = [right + 1 for top, _, bottom, right in grid.merges if top <= levels[-1] and bottom >= levels[0]]
    width = max(*reach, *(len(grid.rows[row]) for row in levels), 0)
    found: dict[int, str] = {}
    for at in range(width):
        words: list[str] = []
        for row in levels:
            here = merged.get((row, at), (row, at))
            title = _title(cell_at(grid, *here))
            if (
                not title
                and grid.is_delimited
                and row != levels[-1]
                and _title(cell_at(grid, levels[-1], at))
            ):
                # Text knows no merged cells: a group's name stands over its first column only.
                title = next((t for k in range(at, -1, -1) if (t := _title(cell_at(grid, row, k)))), "")
            # A title merged across the table is no group.
            if title and here[0] >= levels[0] and (not words or words[-1] != title):
                words.append(title)
        if words:
            found[at] = _joined(words, names)
    return Header(levels[0], levels[-1], found, tuple(row_key(grid.rows[row]) for row in levels))


def _joined(words: list[str], names: Names) -> str:
    leaf = words[-1]
    if len(words) == 1 or _is_known(leaf, names):
        return leaf
    unit = unit_in(leaf)
    if unit is not None:
        above = _joined(words[:-1], names)
        return above if split_header(above)[1] else f"{above}（{unit}）"
    return next(
        (t for t in ("".join(words[k:]) for k in range(len(words) - 2, -1, -1)) if _is_known(t, names)),
        "".join(words[-2:]),
    )
