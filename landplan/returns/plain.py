"""
A long list as a workbook, fast: text cells and whole numbers only, so that no cell can ever be a formula.

The usual writers take ten seconds for a hundred thousand faults; here each kind of row is laid out once.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd

__all__ = ["FILLS", "LINE", "lines_of", "printable", "write_plain"]

FILLS = {"错误": "F8CBC6", "警告": "FFE699", "提示": "DDEBF7"}
"""Colour of each severity, as RRGGBB; light enough for black text, apart in grey print."""

LINE = 15
"""Height of a line of text in points."""

_MOST_ROWS = 1_000_000
_WRAPPED = 5_000
# XML has no way to write these; _x0041_ is how Excel spells an A.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPELT = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
# Styles: 0 none, 1 header, 2 text, 3 number, from 4 on a severity each.
_TEXT, _NUMBER, _FIRST_FILL = 2, 3, 4


def printable(text: str) -> str:
    """
    Take out what XML cannot hold.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text without forbidden characters.

    Examples
    --------
    >>> printable("A" + chr(7) + "B")
    'A B'
    """
    return _FORBIDDEN.sub(" ", text)


def lines_of(text: str, width: float) -> int:
    """
    Count the lines a text takes in a column; rows have to be told, because not every program measures them.

    Parameters
    ----------
    text : str
        What stands in the cell.
    width : float
        Width of the column in characters; a Chinese character takes two.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> lines_of("地块编号", 9), lines_of("地块编号", 6)
    (1, 2)
    """
    room = max(width - 1, 1)
    return max(1, -(-sum(2 if sign > "\u2e7f" else 1 for sign in text) // int(room)))


def write_plain(
    path: Path, name: str, frame: pd.DataFrame, *, widths: Sequence[float], by: str = "", printed: int = 0
) -> None:
    """
    Write a table as a workbook with a frozen header and a filter.

    Parameters
    ----------
    path : Path
        File to write.
    name : str
        Name of the sheet; what does not fit goes on to further sheets.
    frame : DataFrame, n rows, at most 26 columns
        Text and whole numbers; missing cells stay blank. Headers as they are to be read.
    widths : sequence of float
        Width of each column in characters.
    by : str, default ""
        Column whose cells are coloured by severity.
    printed : int, default 0
        How many columns go on paper, the first ones; all where 0.
    """
    strings: list[str] = []
    chunks = [frame.iloc[start : start + _MOST_ROWS] for start in range(0, max(len(frame), 1), _MOST_ROWS)]
    bodies = [_sheet(chunk, strings, widths, by) for chunk in chunks]
    names = [name if k == 0 else f"{name} {k + 1}" for k in range(len(bodies))]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        last = _LETTERS[(printed or frame.shape[1]) - 1]
        for member, body in _parts(names, [f"$A$1:${last}${len(chunk) + 1}" for chunk in chunks]).items():
            archive.writestr(_entry(member), _HEAD + body)
        for number, body in enumerate(bodies, 1):
            archive.writestr(_entry(f"xl/worksheets/sheet{number}.xml"), _HEAD + body)
        listed = "".join(f'<si><t xml:space="preserve">{text}</t></si>' for text in strings)
        archive.writestr(_entry("xl/sharedStrings.xml"), f"{_HEAD}<sst {_MAIN}>{listed}</sst>")


def _entry(name: str) -> zipfile.ZipInfo:
    """A member without the clock: the same list gives the same bytes."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _share(texts: Sequence[str], strings: list[str]) -> int:
    """Add texts to the shared ones, return where they begin."""
    start = len(strings)
    strings += [_SPELT.sub("_x005F_", escape(printable(text))) for text in texts]
    return start


def _sheet(frame: pd.DataFrame, strings: list[str], widths: Sequence[float], by: str) -> str:
    count, letters = len(frame), _LETTERS[: frame.shape[1]]
    values = np.zeros((count, len(letters)), dtype=np.int64)
    filled = np.zeros((count, len(letters)), dtype=bool)
    is_text, styles = [], []
    for at, header in enumerate(frame.columns):
        column = frame[header]
        is_text.append(not pd.api.types.is_integer_dtype(column.dtype))
        styles.append(_TEXT if is_text[-1] else _NUMBER)
        if is_text[-1]:
            codes, texts = pd.factorize(column)
            values[:, at] = codes + _share([str(text) for text in texts], strings)
            filled[:, at] = (codes >= 0) & (column != "").to_numpy(dtype=bool, na_value=False)
        else:
            filled[:, at] = column.notna()
            values[:, at] = column.fillna(0).to_numpy(dtype=np.int64)
    start = _share([str(header) for header in frame.columns], strings)
    head = "".join(f'<c r="{c}1" s="1" t="s"><v>{start + k}</v></c>' for k, c in enumerate(letters))
    rows = _rows(values, filled, is_text, styles, _shades(frame, by), _heights(frame, widths))
    wide = "".join(
        f'<col min="{k}" max="{k}" width="{width}" customWidth="1"/>' for k, width in enumerate(widths, 1)
    )
    corner = f"{letters[-1]}{count + 1}"
    return (
        f'<worksheet {_MAIN}><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><dimension ref="A1:{corner}"/>'
        '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" '
        'state="frozen"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/>'
        f'<cols>{wide}</cols><sheetData><row r="1">{head}</row>{rows}</sheetData>'
        f'<autoFilter ref="A1:{corner}"/>'
        '<pageMargins left="0.4" right="0.4" top="0.5" bottom="0.5" header="0.3" footer="0.3"/>'
        '<pageSetup paperSize="9" orientation="landscape" fitToHeight="0"/></worksheet>'
    )


def _shades(frame: pd.DataFrame, by: str) -> tuple[int, Any]:
    """Which column is coloured, and the style of each of its cells."""
    if not by:
        return -1, np.zeros(len(frame), dtype=np.int64)
    known = {word: _FIRST_FILL + k for k, word in enumerate(FILLS)}
    styles = frame[by].map(known).fillna(_TEXT).to_numpy(dtype=np.int64)
    return list(frame.columns).index(by), styles


def _heights(frame: pd.DataFrame, widths: Sequence[float]) -> Any:
    """Lines each row takes; 0 for all where there are too many rows to wrap text."""
    lines = np.zeros(len(frame), dtype=np.int64)
    if len(frame) <= _WRAPPED:
        for header, width in zip(frame.columns, widths, strict=True):
            counts = [
                lines_of(str(text), width) if text is not None else 1 for text in frame[header].tolist()
            ]
            lines = np.maximum(lines, np.array(counts, dtype=np.int64))
    return lines


def _rows(
    values: Any, filled: Any, is_text: list[bool], styles: list[int], shades: tuple[int, Any], tall: Any
) -> str:
    """Lay out each pattern of filled cells once and pour the numbers of its rows in."""
    count, width = values.shape
    coloured, shade = shades
    wrap = len(FILLS) + _FIRST_FILL if count <= _WRAPPED else 0
    pattern = filled @ (1 << np.arange(width, dtype=np.int64)) + (shade << width) + (tall << (width + 4))
    lines = np.empty(count, dtype=object)
    numbers = np.arange(2, count + 2)
    for kind in np.unique(pattern):
        mine = np.flatnonzero(pattern == kind)
        lines_here = int(tall[mine[0]])
        height = f' ht="{LINE * lines_here}" customHeight="1"' if lines_here > 1 else ""
        cells, facts = [f'<row r="%d"{height}>'], [numbers[mine]]
        for at, is_filled in enumerate(filled[mine[0]].tolist()):
            style = int(shade[mine[0]]) if at == coloured else styles[at]
            style = wrap if style == _TEXT and wrap else style
            if is_filled:
                kind_of = ' t="s"' if is_text[at] else ""
                cells.append(f'<c r="{_LETTERS[at]}%d" s="{style}"{kind_of}><v>%d</v></c>')
                facts += [numbers[mine], values[mine, at]]
            elif wrap:
                # The rule below a row runs through its blank cells; a long list does without.
                cells.append(f'<c r="{_LETTERS[at]}%d" s="{style}"/>')
                facts.append(numbers[mine])
        line = "".join([*cells, "</row>"])
        lines[mine] = [line % tuple(row) for row in np.column_stack(facts).tolist()]
    return "".join(lines)


def _parts(names: Sequence[str], areas: Sequence[str]) -> dict[str, str]:
    """The parts of a workbook beside its sheets and its text."""
    sheets = range(1, len(names) + 1)
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{k}.xml" ContentType="{_KIND}.worksheet+xml"/>'
        for k in sheets
    )
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{k}" r:id="rId{k}"/>'
        for k, name in zip(sheets, names, strict=True)
    )
    related = "".join(
        f'<Relationship Id="rId{k}" Type="{_RELATED}/worksheet" Target="worksheets/sheet{k}.xml"/>'
        for k in sheets
    )
    other = len(names) + 1
    printed = "".join(
        f'<definedName name="_xlnm.Print_Area" localSheetId="{k}">\'{escape(name)}\'!{area}</definedName>'
        f'<definedName name="_xlnm.Print_Titles" localSheetId="{k}">\'{escape(name)}\'!$1:$1</definedName>'
        for k, (name, area) in enumerate(zip(names, areas, strict=True))
    )
    return {
        "[Content_Types].xml": (
            f'<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>{types}'
            f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>'
            f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_KIND}.sharedStrings+xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
            f'Type="{_RELATED}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_RELATED}"><sheets>{listed}</sheets>'
        f"<definedNames>{printed}</definedNames></workbook>",
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">{related}'
            f'<Relationship Id="rId{other}" Type="{_RELATED}/styles" Target="styles.xml"/>'
            f'<Relationship Id="rId{other + 1}" Type="{_RELATED}/sharedStrings" Target="sharedStrings.xml"/>'
            "</Relationships>"
        ),
        "xl/styles.xml": _styles(),
    }


def _styles() -> str:
    def fill(colour: str) -> str:
        return f'<fill><patternFill patternType="solid"><fgColor rgb="FF{colour}"/></patternFill></fill>'

    top = '<alignment vertical="top"/>'
    # quotePrefix: typing into the cell leaves text that begins with = a text.
    ruled = 'borderId="1" applyBorder="1" xfId="0" applyAlignment="1"'
    quoted = f'numFmtId="49" quotePrefix="1" applyNumberFormat="1" {ruled}'
    shades = "".join(
        f'<xf {quoted} fontId="0" fillId="{3 + k}" applyFill="1">{top}</xf>' for k in range(len(FILLS))
    )
    return (
        f'<styleSheet {_MAIN}><fonts count="2"><font><sz val="10"/><name val="Microsoft YaHei"/></font>'
        '<font><b/><sz val="10"/><name val="Microsoft YaHei"/></font></fonts>'
        f'<fills count="{3 + len(FILLS)}"><fill><patternFill patternType="none"/></fill>'
        f'<fill><patternFill patternType="gray125"/></fill>{fill("D9D9D9")}'
        f"{''.join(map(fill, FILLS.values()))}</fills>"
        '<borders count="2"><border><left/><right/><top/><bottom/><diagonal/></border>'
        '<border><left/><right/><top/><bottom style="hair"/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{5 + len(FILLS)}"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        f'<xf {quoted} fontId="1" fillId="2" applyFont="1" applyFill="1"><alignment vertical="center"/></xf>'
        f'<xf {quoted} fontId="0" fillId="0">{top}</xf>'
        f'<xf numFmtId="0" fontId="0" fillId="0" {ruled}>{top}</xf>{shades}'
        f'<xf {quoted} fontId="0" fillId="0"><alignment vertical="top" wrapText="1"/></xf>'
        '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )
