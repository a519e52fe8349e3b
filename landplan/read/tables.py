"""
Spreadsheets and delimited text to records: the header is found by the names it holds, wherever it stands.

Titles above it, units below it and totals among the records are told apart; every value keeps its cell.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from landplan.issues import Issue, codes
from landplan.read.door import TABLES, open_door
from landplan.read.grid import Grid, Workbook, address, letter_of, read_grids
from landplan.read.header import Header, Names, cell_at, find_header, fold, row_key, text_of, unit_in
from landplan.read.json_table import read_json_grids
from landplan.read.raw import Raw
from landplan.schema import Column, Table, column
from landplan.tables import Source
from landplan.units import CANONICAL, split_header

__all__ = ["read_sheet"]

_DASHES = {"", "-", "—", "——", "–", "/", "无", "_"}
# Ten hectares merged over three parcels are not ten each; a plot ratio merged over three holds for each.
_EXTENSIVE = {"area", "money", "volume", "count", "duration", "length", "number"}
_TOTAL = re.compile(
    r"(?:本页|本表|.{0,12}[\u4e00-\u9fff])?(?:合计|小计|总计|累计|共计|总和|平均值?|汇总)"
    r"(?::.*|\(.*\)|[0-9]+[宗块个家].*)?"
)
_NOTE = re.compile(
    r"(?:备注|附注|注释?|(?:填表)?说明|填[表报](?:人|单位|日期)|制表人?|编制人?|[审复]核人?|(?:单位)?负责人|"
    r"联系人|联系电话|(?:数据|资料)?来源)(?:[0-9]*[:.、].*)?"
)
_SECTION = re.compile(r"(?:[一二三四五六七八九十]+[、.:)]|\([一二三四五六七八九十0-9]+\)).*")


def read_sheet(
    path: str | os.PathLike[str],
    *,
    sheet: str | None = None,
    encoding: str | None = None,
    encoding_how: str = "option",
    headers: Mapping[str, str] | None = None,
    table: Table | None = None,
) -> Raw:
    """
    Read the records of one sheet of a workbook, or of delimited text.

    Parameters
    ----------
    path : path
        ``.xlsx``, ``.xls``, ``.csv`` (comma, semicolon, tab or bar), or ``.json`` with arrays of records.
    sheet : str, optional
        Sheet to read, for JSON the number of the array; where None, the only one with a header landplan knows.
    encoding : str, optional
        Encoding of delimited text or JSON.
    encoding_how : str, default "option"
        Where it was given: ``option`` or ``profile``.
    headers : mapping of str to str, optional
        Canonical names by header, from a profile; they make a header beside those of the dictionary.
    table : Table, optional
        The table the sheet is to become, where that has columns of its own.

    Returns
    -------
    Raw
        One row per record, cells as written, None where blank. Blank rows are passed over; totals, notes
        and repeated headers are counted as rejected and named in the issues. An unusable file gives an
        empty frame and issues that say why.
    """
    door = open_door(path)
    issues = list(door.issues)
    source = Source("", door.name, door.sha256)
    if door.is_open and door.kind not in TABLES:
        issues.append(Issue("FILE.TYPE", source=door.name, value=door.path.name))
    if any(codes()[issue.code].severity == "error" for issue in issues):
        return Raw(pd.DataFrame(), source, issues=issues)
    read_book = read_json_grids if door.kind == "json" else read_grids
    book = read_book(door, encoding=encoding, how=encoding_how)
    issues += book.issues
    source = replace(source, encoding=book.encoding, encoding_how=book.encoding_how)
    names = Names(frozenset(fold(header) for header in headers or {}), table)
    chosen = _choose(book, sheet, names, door.name)
    if isinstance(chosen, Issue):
        if len(book.grids) == 1:
            issues += book.grids[0].notes
        refused = any(codes()[issue.code].severity == "error" for issue in issues)
        return Raw(pd.DataFrame(), source, issues=issues if refused else [*issues, chosen])
    grid, header = chosen
    return _Records(grid, header, door.name, headers or {}, names).read(source, issues)


def _choose(book: Workbook, wanted: str | None, names: Names, source: str) -> tuple[Grid, Header] | Issue:
    """The sheet to read with its header, or why there is none."""
    grids = book.grids
    if wanted is not None and grids and grids[0].name:
        grids = tuple(grid for grid in grids if grid.name == wanted) or tuple(
            grid for grid in grids if fold(grid.name) == fold(wanted)
        )
        if not grids:
            there = "、".join(grid.name for grid in book.grids)
            return Issue("FILE.NO_LAYER", source=source, value=f"{wanted}（{there}）")
    elif any(grid.is_visible for grid in grids):
        grids = tuple(grid for grid in grids if grid.is_visible)
    found = [(grid, header) for grid in grids if (header := find_header(grid, names)) is not None]
    if len(found) == 1:
        return found[0]
    if found:
        return Issue("FILE.AMBIGUOUS", source=source, value="、".join(grid.name for grid, _ in found))
    if not any(text_of(cell) for grid in grids for row in grid.rows for cell in row):
        return Issue("FILE.EMPTY", source=source, layer=grids[0].name if len(grids) == 1 else "")
    return Issue("ATTR.NO_HEADER", source=source, layer=grids[0].name if len(grids) == 1 else "")


@dataclass
class _Records:
    """Takes the records of a sheet below its header."""

    grid: Grid
    header: Header
    source: str
    mapped: Mapping[str, str]
    names: Names
    issues: list[Issue] = field(default_factory=list)

    def report(
        self, code: str, row: int | None, at: int | None = None, value: object = "", title: str = ""
    ) -> None:
        cell = "" if at is None else address(row, at) if row is not None else letter_of(at)
        number = None if row is None else row + 1
        if self.grid.is_records:
            # Records are counted from 1 and have no cells; the names stand in no record.
            number, cell = row or None, ""
        self.issues.append(Issue(code, self.source, self.grid.name, number, cell, field=title, value=value))

    def _column(self, title: str) -> Column | None:
        if title not in self.mapped:
            return self.names.meant_by(title)
        own = self.names.table.columns if self.names.table is not None else {}
        return own.get(self.mapped[title]) or column(self.mapped[title])

    def read(self, source: Source, issues: list[Issue]) -> Raw:
        """Read the records and balance the rows."""
        start = self.header.last + 1
        start = start if self.grid.is_records else self._take_units(start)
        titles = self._unique_titles(start)
        found = {at: self._column(title) for at, title in titles.items()}
        kinds = {at: declared.kind for at, declared in found.items() if declared}
        key = "parcel_id" if self.names.table is None else self.names.table.key
        id_at = next((at for at, declared in found.items() if declared and declared.name == key), None)
        width = max(titles, default=0) + 1
        kept: list[int] = []
        total = 0
        after_note = False
        broken = {note.row for note in self.grid.notes if note.code == "FILE.BAD_RECORD"}
        for row in range(start, len(self.grid.rows)):
            cells = [(at, text) for at, cell in enumerate(self.grid.rows[row]) if (text := text_of(cell))]
            if self.grid.is_records and row in broken:
                total += 1
                continue
            if not cells:
                continue
            total += 1
            aside, is_note = self._is_aside(row, cells, id_at, after_note, start)
            after_note |= is_note
            if aside:
                self.report("ATTR.TOTAL_ROW", row, cells[0][0], cells[0][1])
            elif self.grid.is_delimited and cells[-1][0] >= width:
                # One cell too many: a comma inside a number has pushed every value after it one column on.
                self.report("FILE.BAD_RECORD", row, cells[-1][0], f"{cells[-1][0] + 1} > {width}")
            else:
                kept.append(row)
        if self.grid.is_cut and kept:
            self.report("FILE.TRUNCATED", len(self.grid.rows) - 1, value=text_of(self.grid.rows[-1][-1]))
            if kept[-1] == len(self.grid.rows) - 1:
                kept.pop()
        filled = self._fill_down(kept, kinds)
        columns = {
            title: [self._taken(row, at, kinds.get(at, ""), filled, title) for row in kept]
            for at, title in titles.items()
        }
        if not total:
            self.report("FILE.EMPTY", None)
        frame = pd.DataFrame({t: pd.Series(v, dtype="object") for t, v in columns.items()})
        balance = replace(source, rows_in=total, rows_imported=len(kept), rows_rejected=total - len(kept))
        has_letters = not (self.grid.is_delimited or self.grid.is_records)
        letters = {title: letter_of(at) for at, title in titles.items()} if has_letters else {}
        rows = [row if self.grid.is_records else row + 1 for row in kept]
        found_wrong = [*issues, *self.grid.notes, *self.issues]
        return Raw(frame, balance, rows, letters, found_wrong, self.grid.name)

    def _take_units(self, row: int) -> int:
        """Fold a row of units into the header, pass over column numbers; return where records begin."""
        while row < len(self.grid.rows):
            texts = {at: text for at, cell in enumerate(self.grid.rows[row]) if (text := text_of(cell))}
            units = {at: unit_in(text) for at, text in texts.items() if text not in _DASHES}
            rest = [text for at, text in texts.items() if text not in _DASHES and units[at] is None]
            if units and all(text in ("单位", "计量单位") for text in rest) and any(units.values()):
                self._fold_units({at: unit for at, unit in units.items() if unit}, row)
            elif texts and not (len(texts) >= 3 and _is_counting(list(texts.values()))):
                return row
            row += 1
        return row

    def _fold_units(self, units: dict[int, str], row: int) -> None:
        for at, unit in units.items():
            title = self.header.names.get(at, "")
            name, written = split_header(title)
            if title and written is None:
                self.header.names[at] = f"{title}（{unit}）"
            elif written is not None and fold(written) != fold(unit):
                # Header and unit row disagree: the column has no unit until a person says which.
                self.report("ATTR.BAD_UNIT", row, at, f"{written} / {unit}", title)
                self.header.names[at] = name

    def _unique_titles(self, start: int) -> dict[int, str]:
        """Columns with a name or with content, every name once."""
        width = max((len(row) for row in self.grid.rows[start:]), default=0)
        titles: dict[int, str] = {}
        for at in range(max([width, *(k + 1 for k in self.header.names)])):
            title = self.header.names.get(at, "")
            if not title:
                if self.grid.is_delimited or not any(
                    text_of(cell_at(self.grid, r, at)) for r in range(start, len(self.grid.rows))
                ):
                    continue
                title = f"列{letter_of(at)}"
            if title in titles.values():
                self.report("ATTR.DOUBLE_COLUMN", self.header.last, at, title, title)
                title = f"{title} {letter_of(at)}"
            titles[at] = title
        return titles

    def _is_aside(
        self, row: int, cells: list[tuple[int, str]], id_at: int | None, after_note: bool, start: int
    ) -> tuple[bool, bool]:
        """Whether a row is a total, a note, a heading or the header again; and whether it is a note."""
        first = fold(cells[0][1])
        number = next((text for at, text in cells if at == id_at), "")
        has_number = bool(number) and cells[0][0] != id_at
        alone = len(cells) == 1
        if not has_number and any(
            _TOTAL.fullmatch(fold(text)) for _, text in cells[:3] if not number or text == number
        ):
            return True, False
        if _NOTE.fullmatch(first) and (alone or not has_number) and (alone or re.search("[:：]", first)):
            return True, True
        # Below the notes stand only notes; 一、存量地块 is a heading.
        if alone and (after_note or _SECTION.fullmatch(first) or self._is_merged_across(row, cells[0][0])):
            return True, after_note
        # The first word is looked at before the whole row is folded: a hundred thousand rows are none of it.
        is_again = any(part[:1] == (first,) for part in self.header.parts)
        return row > start and is_again and row_key(self.grid.rows[row]) in self.header.parts, False

    def _is_merged_across(self, row: int, at: int) -> bool:
        width = max(self.header.names, default=0) + 1
        return any(
            top <= row <= bottom and left <= at <= right and (right - left + 1) * 2 > width
            for top, left, bottom, right in self.grid.merges
        )

    def _fill_down(self, kept: list[int], kinds: dict[int, str]) -> dict[tuple[int, int], object]:
        """Values of cells merged over several records."""
        records = set(kept)
        filled: dict[tuple[int, int], object] = {}
        for top, left, bottom, _ in self.grid.merges:
            rows = [row for row in range(top, min(bottom, len(self.grid.rows) - 1) + 1) if row in records]
            value = cell_at(self.grid, top, left)
            if len(rows) < 2 or not text_of(value):
                continue
            if kinds.get(left) in _EXTENSIVE:
                value = f"{text_of(value)}（{address(top, left)}:{address(bottom, left)} 合并）"
            filled.update({(row, left): value for row in rows})
        return filled

    def _taken(
        self, row: int, at: int, kind: str, filled: dict[tuple[int, int], object], title: str
    ) -> object:
        cell = filled.get((row, at), cell_at(self.grid, row, at))
        if (row, at) in self.grid.uncomputed:
            self.report("ATTR.FORMULA", row, at, self.grid.uncomputed[row, at], title)
            # As a number it must fault; as a name it would be taken for one.
            return None if kind in ("text", "code", "category", "flag") else cell
        in_percent = self.grid.may_hide_percent and split_header(title)[1] in ("%", "％")
        if in_percent and kind in CANONICAL and isinstance(cell, int | float) and 0 < cell <= 1:
            return f"{cell:g}（{cell:g}% 或 {cell * 100:g}%？）"
        return cell if not isinstance(cell, str) or cell.strip() else None


def _is_counting(texts: list[str]) -> bool:
    """Whether cells number the columns: 1, 2, 3 or （1）（2）（3）, after 甲 and 乙."""
    bare = [re.sub(r"[()（）\s]", "", text) for text in texts]
    while bare and bare[0] in ("甲", "乙", "丙", "栏次", "序号"):
        bare = bare[1:]
    return len(bare) >= 2 and bare == [str(k + 1) for k in range(len(bare))]
