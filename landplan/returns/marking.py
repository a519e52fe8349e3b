"""The workbook a sender gave, with every fault marked in its cell and listed on the first sheet."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from openpyxl import load_workbook
from openpyxl.cell.cell import MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.worksheet.hyperlink import Hyperlink

from landplan.errors import Fault, StoreError
from landplan.issues import codes
from landplan.publish import publish
from landplan.read.door import open_door
from landplan.read.header import fold
from landplan.returns.copying import copy_workbook, write_text
from landplan.returns.listing import PRINTED, WIDTHS, list_faults, show_faults
from landplan.returns.plain import FILLS, LINE, lines_of, printable
from landplan.schema import column
from landplan.units import split_header

if TYPE_CHECKING:
    from landplan.issues import Issue
    from landplan.returns.vetting import Material

__all__ = ["mark_workbook"]

_SHEET = "问题清单"
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})?")
_RANK = ("错误", "警告", "提示")
# Comments are drawings: Excel takes minutes to open a hundred thousand of them.
_MOST_COMMENTS, _MOST_LISTED = 2_000, 20_000
_HEADER_ROWS = 60
# The sheet is about one file; its name stands in the title.
_WIDTHS = {name: width for name, width in WIDTHS.items() if name != "source"}
_RULE = Border(bottom=Side("hair"))

Place = tuple[int, int]


def mark_workbook(material: Material, path: Path) -> Path | None:
    """
    Write a marked copy of a workbook or of delimited text.

    Parameters
    ----------
    material : Material
        A spreadsheet that was looked at.
    path : Path
        Name of the copy, ending in ``.xlsx``.

    Returns
    -------
    Path or None
        The path; None where the file cannot be opened or is too large to be copied.

    Raises
    ------
    StoreError
        If the place cannot be written.

    Notes
    -----
    Faulty cells are coloured by severity and carry a comment with code, message, mend and suggestion; the
    original file is only read.
    """
    inspection = material.inspection
    door = open_door(inspection.path)
    if not door.is_open:
        return None
    book = copy_workbook(door, inspection.source.encoding if door.kind == "csv" else None)
    if book is None:
        return None
    marker = _Marker(book, material)
    places = [marker.mark(issue) for issue in inspection.issues]
    marker.comment()
    _list_first(book, material, places, marker.is_cut)
    sheets = list(book.sheetnames)

    def verify(written: Path) -> None:
        try:
            names = load_workbook(written, read_only=True).sheetnames
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            names = [str(error)]
        if names != sheets:
            raise StoreError(
                Fault(
                    en=f"the marked copy does not read back as written ({names}).",
                    zh="标注副本写入后读回不一致。",
                    at=str(path),
                    mend_en="check the disk and try again",
                    mend_zh="检查磁盘后重试。",
                )
            )

    return publish(path, book.save, verify)


class _Marker:
    """Finds the cell of each fault, colours it and gathers what its comment is to say."""

    def __init__(self, book: Any, material: Material) -> None:
        self.book, self.material = book, material
        self.notes: dict[tuple[str, Place], list[Issue]] = {}
        self.is_cut = False
        self._headers: dict[tuple[str, str], Place | None] = {}
        self._tops: dict[str, dict[Place, Place]] = {}
        read = material.read
        names = {name: header for header, name in material.inspection.recognised.items()}
        self.id_header = names.get("parcel_id", "")
        self.main = read.layer if read is not None else next(iter(material.inspection.layers), "")

    def mark(self, issue: Issue) -> tuple[str, Place] | None:
        """Note a fault at its cell; None where it concerns the whole file."""
        name = issue.layer or self.main
        if name not in self.book.sheetnames:
            if issue.layer or len(self.book.sheetnames) != 1:
                return None
            name = self.book.sheetnames[0]
        place = self._place(self.book[name], issue)
        if place is None:
            return None
        place = self._top(name).get(place, place)
        self.notes.setdefault((name, place), []).append(issue)
        return name, place

    def _place(self, sheet: Any, issue: Issue) -> Place | None:
        found = _CELL.fullmatch(issue.cell.partition(":")[0])
        if found and found[2]:
            return int(found[2]), column_index_from_string(found[1])
        header = self._header(sheet, issue.field) if issue.field else None
        if issue.row is None:
            return header or ((1, column_index_from_string(found[1])) if found else None)
        if issue.row < 1:
            return None
        at = header or (self._header(sheet, self.id_header) if self.id_header else None)
        return issue.row, column_index_from_string(found[1]) if found else at[1] if at else 1

    def _header(self, sheet: Any, title: str) -> Place | None:
        """Where a header stands; of one made of several rows, its lowest part."""
        key = (sheet.title, title)
        if key not in self._headers:
            whole, bare = fold(title), fold(split_header(title)[0])
            places: dict[int, Place] = {}
            for line in sheet.iter_rows(max_row=min(sheet.max_row, _HEADER_ROWS)):
                for cell in line:
                    text = fold(str(cell.value)) if cell.value is not None else ""
                    rank = (
                        0
                        if text == whole
                        else 1
                        if text == bare
                        else 2
                        if text and whole.endswith(text)
                        else 3
                    )
                    if rank < 3:
                        places.setdefault(rank, (cell.row, cell.column))
            self._headers[key] = places[min(places)] if places else None
        return self._headers[key]

    def _top(self, name: str) -> dict[Place, Place]:
        """Cells hidden in merged ranges, and the one that shows: only that can hold a comment."""
        if name not in self._tops:
            self._tops[name] = {
                (row, at): (area.min_row, area.min_col)
                for area in self.book[name].merged_cells.ranges
                for row in range(area.min_row, area.max_row + 1)
                for at in range(area.min_col, area.max_col + 1)
            }
        return self._tops[name]

    def comment(self) -> None:
        """Colour every faulty cell, and comment on the worst first."""
        ordered = sorted(self.notes.items(), key=lambda note: min(_RANK.index(_severity(i)) for i in note[1]))
        for count, ((name, place), issues) in enumerate(ordered):
            cell = self.book[name].cell(*place)
            if isinstance(cell, MergedCell):
                continue
            worst = min((_severity(issue) for issue in issues), key=_RANK.index)
            cell.fill = PatternFill("solid", fgColor=FILLS[worst])
            if count >= _MOST_COMMENTS:
                self.is_cut = True
                continue
            before = f"\n原批注：{cell.comment.text}" if cell.comment is not None else ""
            text = printable("\n".join(map(_sentence, issues[:5])) + before)
            cell.comment = Comment(
                text, "landplan", width=320, height=min(60 + 18 * (len(text) // 22 + 1), 400)
            )


def _severity(issue: Issue) -> str:
    return column("severity").word(codes()[issue.code].severity)


def _sentence(issue: Issue) -> str:
    row = issue.as_row()
    lines = [f"[{_severity(issue)}] {row['code']}", row["message_zh"], row["message_en"]]
    for label, text in (("要求", row["issue_limit"]), ("处理", row["mend_zh"]), ("建议", row["suggestion"])):
        lines += [f"{label}：{text}"] if text else []
    return "\n".join(lines)


def _list_first(
    book: Any, material: Material, places: Sequence[tuple[str, Place] | None], is_cut: bool
) -> None:
    """Put the list of faults before the sender's own sheets, each row with a link to its cell."""
    taken = {name.casefold() for name in book.sheetnames}
    name = next(n for n in (_SHEET, *(f"{_SHEET} {k}" for k in range(2, 1000))) if n.casefold() not in taken)
    sheet = book.create_sheet(name, 0)
    for other in book.worksheets:
        # Sheets selected together would all be written into at once.
        other.sheet_view.tabSelected = other is sheet
    book.active = 0
    faults = list_faults([material])
    issues = material.inspection.issues
    order = sorted(range(len(issues)), key=lambda k: _RANK.index(_severity(issues[k])))
    shown = show_faults(faults).drop(columns=column("source").header())
    counts = [f"{word} {int((shown[column('severity').header()] == word).sum())}" for word in _RANK]
    write_text(
        sheet["A1"],
        f"{_SHEET}　{Path(material.inspection.path).name}　共 {len(faults)} 处：{'，'.join(counts)}",
    )
    sheet["A1"].font = Font(bold=True, size=13)
    notes = ["有问题的单元格已按严重程度着色并加批注，改正后请返回原文件。"]
    notes.append("本副本中公式已换为其结果，宏、图表、外部链接不随副本保留；原文件未改动。")
    if is_cut:
        notes.append(f"批注只写了较重的 {_MOST_COMMENTS} 处，其余只着色。")
    if len(faults) > _MOST_LISTED:
        notes.append(f"本表只列前 {_MOST_LISTED} 处，全部见同一文件夹的 问题清单.xlsx。")
    write_text(sheet["A2"], "".join(notes))
    for at, word in enumerate(_RANK, 1):
        sheet.cell(3, at, word).fill = PatternFill("solid", fgColor=FILLS[word])
    headers = list(shown.columns)
    for at, (header, width) in enumerate(zip(headers, _WIDTHS.values(), strict=True), 1):
        cell = sheet.cell(4, at, header)
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="D9D9D9")
        cell.alignment = Alignment(vertical="center", wrap_text=True)
        sheet.column_dimensions[get_column_letter(at)].width = width
    rows = shown.head(_MOST_LISTED).astype("object").to_numpy().tolist()
    for number, values in enumerate(rows, 5):
        _write_row(sheet, number, values, places[order[number - 5]])
    sheet.freeze_panes = "A5"
    sheet.auto_filter.ref = f"A4:{get_column_letter(len(headers))}{len(rows) + 4}"
    sheet.print_area = f"A1:{get_column_letter(PRINTED - 1)}{len(rows) + 4}"
    sheet.print_title_rows = "4:4"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _write_row(sheet: Any, number: int, values: Sequence[Any], place: tuple[str, Place] | None) -> None:
    tall = 1
    for at, ((name, width), value) in enumerate(zip(_WIDTHS.items(), values, strict=True), 1):
        is_blank = bool(pd.isna(value)) or value == ""
        is_link = name == "cell" and place is not None
        cell = sheet.cell(number, at)
        cell.border = _RULE
        if is_blank and not is_link:
            continue
        cell.alignment = Alignment(vertical="top", wrap_text=True)
        tall = max(tall, 1 if is_blank else lines_of(str(value), width))
        if name == "row":
            cell.value = int(value)
            continue
        where = f"{get_column_letter(place[1][1])}{place[1][0]}" if place is not None else ""
        write_text(cell, where if is_blank else str(value))
        if name == "severity":
            cell.fill = PatternFill("solid", fgColor=FILLS[str(value)])
        if is_link and place is not None:
            quoted = place[0].replace("'", "''")
            cell.hyperlink = Hyperlink(ref=cell.coordinate, location=f"'{quoted}'!{where}")
            cell.font = Font(color="0563C1", underline="single")
    sheet.row_dimensions[number].height = LINE * tall
