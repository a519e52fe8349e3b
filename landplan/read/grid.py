"""Workbooks and delimited text as grids of cells: nothing is interpreted, nothing a cell shows is lost."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from landplan.issues import Issue
from landplan.read.encoding import decide_encoding

if TYPE_CHECKING:
    from landplan.read.door import Door

__all__ = ["Grid", "Workbook", "address", "letter_of", "read_grids"]

_MAX_BOOK, _MAX_UNPACKED, _MAX_CELLS = 200 * 1024**2, 1024**3, 20_000_000
_DELIMITERS = ",;\t|"
_SNIFFED = 40

_ERROR = re.compile(
    rb'<(?:\w+:)?c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]+)([0-9]+)"[^>]*(?<!/)>'
    rb"(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>([^<]*)<",
    flags=re.S,
)
# An empty text is a result (t="str"), an empty number is a formula that was never computed.
_UNCOMPUTED = re.compile(
    rb'<(?:\w+:)?c\b(?![^>]*\bt="str")[^>]*\br="([A-Z]+)([0-9]+)"[^>]*>\s*'
    rb"<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>([^<]*)</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_ROW_NUMBER = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="([0-9]+)"')
_COLUMN_LETTER = re.compile(rb'\br="([A-Z]{1,3})[0-9]')
_FILLED = re.compile(
    rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"[^>]*(?<!/)>\s*<(?:\w+:)?(?:v|f|is)\b'
)
# Number formats 9 and 10 are 0% and 0.00% in every workbook; others are declared in it.
_PERCENT_FORMATS = {9, 10}


@dataclass(frozen=True)
class Grid:
    """
    The cells of one sheet.

    Parameters
    ----------
    name : str
        Name of the sheet; empty for delimited text.
    rows : list of list of object
        Cells from A1 on, ragged; ``""`` where blank. Errors and formulas without a result stand as text.
    merges : list of (int, int, int, int)
        First row, first column, last row, last column of merged ranges, counted from 0.
    uncomputed : dict of (int, int) to str
        Errors, and formulas without a result, by row and column counted from 0.
    is_visible : bool
        Whether the sheet is shown.
    is_delimited : bool
        Whether it comes from delimited text, where a stray delimiter shifts a record.
    may_hide_percent : bool
        Whether 0.35 may be shown as 35% without our knowing: formats of old workbooks cannot be read.
    is_cut : bool
        Whether delimited text ends in the middle of its last record.
    is_records : bool
        Whether it comes from records that name their fields: names stand in the first row, record k in row k.
    notes : tuple of Issue
        What was wrong with single records; those with FILE.BAD_RECORD cannot be taken.
    """

    name: str
    rows: list[list[object]]
    merges: list[tuple[int, int, int, int]] = field(default_factory=list)
    uncomputed: dict[tuple[int, int], str] = field(default_factory=dict)
    is_visible: bool = True
    is_delimited: bool = False
    may_hide_percent: bool = False
    is_cut: bool = False
    is_records: bool = False
    notes: tuple[Issue, ...] = ()


@dataclass(frozen=True)
class Workbook:
    """
    The sheets of one file, or why there are none.

    Parameters
    ----------
    grids : tuple of Grid
        Worksheets in the order of the file.
    encoding, encoding_how : str
        How text was decoded; empty for workbooks.
    issues : tuple of Issue
        What was wrong.
    """

    grids: tuple[Grid, ...] = ()
    encoding: str = ""
    encoding_how: str = ""
    issues: tuple[Issue, ...] = ()


def read_grids(door: Door, *, encoding: str | None = None, how: str = "option") -> Workbook:
    """
    Read every sheet of a workbook or delimited text.

    Parameters
    ----------
    door : Door
        An open door of kind ``xlsx``, ``xls`` or ``csv``.
    encoding : str, optional
        Encoding of delimited text; workbooks know theirs.
    how : str, default "option"
        Where the encoding was given.

    Returns
    -------
    Workbook
        Without grids where the file is refused; its issues say why.
    """
    if door.path.stat().st_size > _MAX_BOOK:
        return _refused(door, "LIMIT.SIZE", f"{door.path.stat().st_size / 1024**2:.0f} MB")
    if door.kind == "csv":
        return _read_delimited(door, encoding, how)
    try:
        shown = _look_inside(door) if door.kind == "xlsx" else {}
        return Workbook(_read_sheets(door, shown))
    except _RefusedError as refusal:
        return _refused(door, refusal.code, refusal.value)
    except (CalamineError, ET.ParseError, zipfile.BadZipFile, OSError, LookupError, ValueError) as error:
        return _refused(door, "FILE.UNREADABLE", (str(error).splitlines() or [type(error).__name__])[0][:160])
    except BaseException as error:
        # A panic of the Rust reader is no Exception; one bad workbook must not end a batch.
        if type(error).__name__ != "PanicException":
            raise
        return _refused(door, "FILE.UNREADABLE", "calamine")


def letter_of(column: int) -> str:
    """
    Name a column as spreadsheets do.

    Parameters
    ----------
    column : int
        Counted from 0.

    Returns
    -------
    str
        Its letters.

    Examples
    --------
    >>> letter_of(0), letter_of(25), letter_of(26), letter_of(701)
    ('A', 'Z', 'AA', 'ZZ')
    """
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def address(row: int, column: int) -> str:
    """
    Name a cell as spreadsheets do.

    Parameters
    ----------
    row, column : int
        Counted from 0.

    Returns
    -------
    str
        E.g. ``E6``.

    Examples
    --------
    >>> address(5, 4)
    'E6'
    """
    return f"{letter_of(column)}{row + 1}"


class _RefusedError(Exception):
    """The workbook is not opened; code and value of the issue."""

    def __init__(self, code: str, value: str) -> None:
        super().__init__(code, value)
        self.code, self.value = code, value


def _refused(door: Door, code: str, value: str) -> Workbook:
    return Workbook(issues=(Issue(code, source=door.name, value=value),))


@dataclass(frozen=True)
class _Shown:
    """What calamine leaves out: errors, formulas without a result, and numbers shown as percentages."""

    uncomputed: dict[tuple[int, int], str]
    percent: dict[tuple[int, int], str]


def _read_sheets(door: Door, shown: dict[str, _Shown]) -> tuple[Grid, ...]:
    grids = []
    with CalamineWorkbook.from_path(str(door.path)) as book:
        for sheet in book.sheets_metadata:
            if sheet.typ != SheetTypeEnum.WorkSheet:
                continue
            cells = book.get_sheet_by_name(sheet.name)
            rows: list[list[object]] = [list(row) for row in cells.to_python(skip_empty_area=False)]
            extra = shown.get(sheet.name, _Shown({}, {}))
            for (row, column), text in [*extra.percent.items(), *extra.uncomputed.items()]:
                while len(rows) <= row:
                    rows.append([])
                rows[row] += [""] * (column + 1 - len(rows[row]))
                rows[row][column] = text
            merges = [
                (top, left, bottom, right) for (top, left), (bottom, right) in cells.merged_cell_ranges or []
            ]
            grids.append(
                Grid(
                    sheet.name,
                    rows,
                    merges,
                    extra.uncomputed,
                    is_visible=sheet.visible == SheetVisibleEnum.Visible,
                    may_hide_percent=door.kind == "xls",
                )
            )
    return tuple(grids)


def _look_inside(door: Door) -> dict[str, _Shown]:
    """Check the parts of an .xlsx, and collect what calamine gives as blanks or without its percent sign."""
    with zipfile.ZipFile(door.path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _MAX_UNPACKED:
            raise _RefusedError("LIMIT.SIZE", f"> {_MAX_UNPACKED / 1024**3:.0f} GB")
        names = set(archive.namelist())
        if "xl/workbook.xml" not in names:
            raise _RefusedError("FILE.TYPE", door.path.name)
        percent = _percent_styles(_part(archive, "xl/styles.xml")) if "xl/styles.xml" in names else set()
        targets = {
            entry.get("Id"): str(entry.get("Target"))
            for entry in ET.fromstring(_part(archive, "xl/_rels/workbook.xml.rels"))  # noqa: S314 - no DOCTYPE passes
        }
        found = {}
        for entry in ET.fromstring(_part(archive, "xl/workbook.xml")).iter():  # noqa: S314
            key = next((value for name, value in entry.attrib.items() if name.endswith("}id")), None)
            target = targets.get(key, "")
            if not entry.tag.endswith("}sheet") or "worksheets/" not in target:
                continue
            member = str(PurePosixPath("xl") / target).lstrip("/") if target[:1] != "/" else target[1:]
            found[str(entry.get("name"))] = _scan(_part(archive, member), percent)
        return found


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    body = archive.read(name)
    # Entities are the way to bombs and to other people's files; Excel writes neither them nor UTF-16.
    if b"<!DOCTYPE" in body or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _RefusedError("FILE.TYPE", f"{name}: DOCTYPE")
    return body


def _percent_styles(styles: bytes) -> set[bytes]:
    """The cell styles that show a number as a percentage."""
    tree = ET.fromstring(styles)  # noqa: S314 - no DOCTYPE passes _part
    formats = set(_PERCENT_FORMATS)
    for entry in tree.iter():
        if entry.tag.endswith("}numFmt"):
            shown = re.sub(r'"[^"]*"|\\.', "", entry.get("formatCode", ""))
            (formats.add if "%" in shown else formats.discard)(int(entry.get("numFmtId", "-1")))
    cells = next((entry for entry in tree if entry.tag.endswith("}cellXfs")), ())
    return {str(k).encode() for k, entry in enumerate(cells) if int(entry.get("numFmtId", "0")) in formats}


def _scan(body: bytes, percent: set[bytes]) -> _Shown:
    rows = max(map(int, set(_ROW_NUMBER.findall(body))), default=0)
    if rows * _number_of(max(set(_COLUMN_LETTER.findall(body)), key=_number_of, default=b"A")) > _MAX_CELLS:
        # A format dragged to the last row is harmless, a value there makes the grid as large as the sheet.
        corner = [0, 0]
        for cell in _FILLED.finditer(body):
            corner = [max(corner[0], int(cell[2])), max(corner[1], _number_of(cell[1]))]
        if corner[0] * corner[1] > _MAX_CELLS:
            raise _RefusedError("LIMIT.SIZE", f"{corner[0]} × {corner[1]}")
    uncomputed = {_place(cell[1], cell[2]): cell[3].decode() for cell in _ERROR.finditer(body)}
    for cell in _UNCOMPUTED.finditer(body):
        uncomputed.setdefault(_place(cell[1], cell[2]), f"={(cell[3] or b'').decode()}")
    return _Shown(uncomputed, _percentages(body, percent) if percent else {})


def _percentages(body: bytes, styles: set[bytes]) -> dict[tuple[int, int], str]:
    pattern = re.compile(
        rb'<(?:\w+:)?c\b(?=[^>]*\bs="(?:' + b"|".join(sorted(styles)) + rb')")(?![^>]*\bt="(?!n"))'
        rb'[^>]*\br="([A-Z]+)([0-9]+)"[^>]*(?<!/)>(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>([^<]+)<',
        flags=re.S,
    )
    # 12 digits: 0.29 is shown as 29%, not as 28.999999999999996%.
    return {_place(cell[1], cell[2]): f"{float(cell[3]) * 100:.12g}%" for cell in pattern.finditer(body)}


def _number_of(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _place(letters: bytes, row: bytes) -> tuple[int, int]:
    return int(row) - 1, _number_of(letters) - 1


def _read_delimited(door: Door, encoding: str | None, how: str) -> Workbook:
    body = door.path.read_bytes()
    notes: tuple[Issue, ...] = ()
    if body.startswith((b"\xff\xfe", b"\xfe\xff")) and not encoding:
        codec, how = "utf-16", "declared"
    else:
        declared = "utf-8" if body.startswith(b"\xef\xbb\xbf") else ""
        body = body.removeprefix(b"\xef\xbb\xbf")
        decision = decide_encoding(
            body.splitlines(), declared=declared, option=encoding, how=how, source=door.name
        )
        codec, how, notes = decision.encoding, decision.how, decision.issues
    issues = list(notes)
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        if len(body) - error.start < 4:
            issues.append(Issue("FILE.TRUNCATED", source=door.name, value=f"{error.start} / {len(body)} B"))
        elif not any(issue.code == "ENC.UNDECODABLE" for issue in issues):
            issues.append(Issue("ENC.UNDECODABLE", source=door.name, value=codec))
        return Workbook((), codec, how, tuple(issues))
    delimiter = _sniff(text)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "end of data" in str(error):
            issues.append(Issue("FILE.TRUNCATED", source=door.name, value='"'))
            return Workbook((), codec, how, tuple(issues))
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error as worse:
            return Workbook(
                (), codec, how, (*issues, Issue("FILE.UNREADABLE", source=door.name, value=str(worse)))
            )
    swallowed = _swallowed(rows, delimiter)
    if swallowed is not None:
        issues.append(Issue("FILE.TRUNCATED", source=door.name, row=swallowed + 1, value='"'))
        return Workbook((), codec, how, tuple(issues))
    widths = [len(row) for row in rows if row]
    is_cut = len(widths) > 2 and widths[-1] < min(widths[:-1]) and not text.endswith(("\n", "\r"))
    grid = Grid("", [list[object](row) for row in rows], is_delimited=True, is_cut=is_cut)
    return Workbook((grid,), codec, how, tuple(issues))


def _sniff(text: str) -> str:
    """The delimiter that cuts most lines into the same number of cells, more than one."""
    lines = [line for line in text.splitlines()[:_SNIFFED] if line.strip()]
    best, score = ",", (0, 0)
    for delimiter in _DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter))
        width, count = max(widths.items(), key=lambda pair: (pair[0] > 1, pair[1], pair[0]), default=(1, 0))
        if width > 1 and (count, width) > score:
            best, score = delimiter, (count, width)
    return best


def _swallowed(rows: list[list[str]], delimiter: str) -> int | None:
    """The record in which a quote that was never closed has eaten whole lines, if any."""
    # The least, because the record that has swallowed others may be wider than all.
    width = min((len(row) for row in rows if len(row) > 2), default=0)
    if not width:
        return None
    for k, row in enumerate(rows):
        for cell in row:
            if "\n" in cell and any(line.count(delimiter) >= width - 1 for line in cell.splitlines()):
                return k
    return None
