"""A sender's workbook copied with its values and formats, and without anything that could run or call out."""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.formatting.formatting import ConditionalFormattingList
from openpyxl.utils.exceptions import InvalidFileException

from landplan.read.door import Door
from landplan.read.grid import Grid, read_grids
from landplan.returns.plain import printable

__all__ = ["copy_workbook", "write_text"]

# openpyxl holds a cell in 50 times the memory of its text.
_MOST_CELLS = 1_500_000
_TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "{=")
_REFERENCE = re.compile(r"=?('[^'\[\]|]+'!|[^'\[\]|!()\"]+!)?\$?[A-Z]{1,3}\$?\d+(:\$?[A-Z]{1,3}\$?\d+)?")
_WORDS = re.compile(r'"[^"|=]*"')
_NO_TITLE = re.compile(r"[\\/*?:\[\]]")


def write_text(cell: Any, text: str) -> None:
    """
    Write a text that stays a text, whatever it begins with.

    Parameters
    ----------
    cell : openpyxl cell
        Where it goes; its format is kept.
    text : str
        Any text.
    """
    cell.value = printable(text)
    cell.data_type = "s"
    if text.startswith(_TRIGGERS):
        cell.quotePrefix = True


def copy_workbook(door: Door, encoding: str | None = None) -> Any:
    """
    Copy a spreadsheet or delimited text.

    Parameters
    ----------
    door : Door
        An open door of kind ``xlsx``, ``xls`` or ``csv``.
    encoding : str, optional
        Encoding of delimited text.

    Returns
    -------
    openpyxl Workbook or None
        Formulas are replaced by their results, and by their text where they have none; macros, links to
        other files, charts and rules made of formulas are left behind. None where the file is too large to
        copy or cannot be opened.
    """
    grids = read_grids(door, encoding=encoding).grids
    if not grids or sum(len(row) for grid in grids for row in grid.rows) > _MOST_CELLS:
        return None
    if door.kind == "xlsx":
        try:
            with warnings.catch_warnings():
                # openpyxl says what it leaves out; so does the first sheet of the copy.
                warnings.simplefilter("ignore", UserWarning)
                book = load_workbook(door.path, data_only=True, keep_links=False, rich_text=True)
            _disarm(book, {grid.name: grid for grid in grids})
            return book
        except (
            InvalidFileException,
            zipfile.BadZipFile,
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            IndexError,
        ):
            # Other programs write what openpyxl does not understand; values without formats are still useful.
            pass
    return _from_grids(grids, door.path)


def _disarm(book: Any, grids: dict[str, Grid]) -> None:
    """Leave nothing in a workbook that is computed, linked or fetched."""
    for chart in list(book.chartsheets):
        book.remove(chart)
    _drop_names(book.defined_names)
    for sheet in book.worksheets:
        grid = grids.get(sheet.title)
        for (row, at), text in (grid.uncomputed if grid is not None else {}).items():
            cell = sheet.cell(row + 1, at + 1)
            # A link shows its address where the cell has no value.
            if cell.value is None or cell.hyperlink is not None:
                write_text(cell, text)
        for line in sheet.iter_rows():
            for cell in line:
                if cell.data_type == "f":
                    write_text(cell, str(cell.value))
                elif cell.data_type == "s" and str(cell.value).startswith(_TRIGGERS):
                    cell.quotePrefix = True
                if getattr(cell, "hyperlink", None) is not None:
                    cell.hyperlink = None
        sheet._hyperlinks.clear()
        sheet._pivots.clear()
        _drop_names(sheet.defined_names)
        kept = ConditionalFormattingList()
        for area in sheet.conditional_formatting:
            for rule in area.rules:
                if not rule.formula:
                    kept.add(str(area.sqref), rule)
        sheet.conditional_formatting = kept
        checks = sheet.data_validations
        checks.dataValidation = [check for check in checks.dataValidation if _is_plain_list(check)]
        for table in sheet.tables.values():
            for field in table.tableColumns:
                field.calculatedColumnFormula = field.totalsRowFormula = None


def _drop_names(names: Any) -> None:
    for name in [name for name, held in names.items() if not _REFERENCE.fullmatch(str(held.attr_text or ""))]:
        del names[name]


def _is_plain_list(check: Any) -> bool:
    source = str(check.formula1 or "")
    return check.type == "list" and bool(_WORDS.fullmatch(source) or _REFERENCE.fullmatch(source))


def _from_grids(grids: tuple[Grid, ...], path: Path) -> Any:
    book = Workbook()
    book.remove(book.active)
    for grid in grids:
        sheet = book.create_sheet(_NO_TITLE.sub("_", printable(grid.name or path.stem))[:31] or "Sheet")
        for number, row in enumerate(grid.rows, 1):
            for at, value in enumerate(row, 1):
                if value is None or value == "":
                    continue
                cell = sheet.cell(number, at)
                if isinstance(value, str):
                    write_text(cell, value)
                else:
                    cell.value = value
        for top, left, bottom, right in grid.merges:
            sheet.merge_cells(
                start_row=top + 1, start_column=left + 1, end_row=bottom + 1, end_column=right + 1
            )
    return book
