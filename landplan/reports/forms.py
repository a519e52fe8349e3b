"""Excel forms for declared registers, which read back as they are filled in, and registers as workbooks."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from landplan.issues import clean_text
from landplan.registers import Declaration, display_register
from landplan.reports.book import publish_book
from landplan.reports.lists import safe_text
from landplan.reports.page import BORDER, TONES, Cell, Field, Page, text_width
from landplan.schema import Column
from landplan.units import convert, unit_symbols

__all__ = ["Choices", "register_as_csv", "write_form", "write_register"]

_GUIDE, _LISTS = "填表说明", "选项"
_FIRST = 3  # title, note, header; records from the fourth row on
_CHECKED_ROWS = 20_000
_LAST_COLUMN = 16_383
_PAGE_WIDTH = 190  # half-width characters that a sheet of A4 shows in a size one can write into
_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")
_MOST_LISTED = 60
_MOST_MESSAGE, _MOST_TITLE = 255, 32
_SPAN = re.compile(r"(-?[\d.]+)\.\.(-?[\d.]+)")
# Kinds that ledgers with a unit in every row are kept in.
_ROW_UNITS = ("apparent_power", "power", "flow", "mass_flow", "annual_energy", "annual_mass", "mass", "area")


@dataclass(frozen=True)
class Choices:
    """
    What a project offers to choose from.

    Parameters
    ----------
    parcels : sequence of str
        Numbers of its parcels.
    zones : mapping of str to str
        Names of its zones by code.
    items : mapping of str to str
        Titles of its events by code.
    """

    parcels: Sequence[str] = ()
    zones: Mapping[str, str] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _List:
    """What a column may hold: shown in a drop-down, and whether anything else is refused."""

    words: tuple[str, ...]
    notes: tuple[str, ...] = ()
    is_closed: bool = True

    def spelt(self) -> tuple[str, ...]:
        """The words with what they stand for."""
        if not self.notes:
            return self.words
        pairs = zip(self.words, self.notes, strict=True)
        return tuple(f"{word}（{note}）" if note else word for word, note in pairs)


def write_form(
    path: Path, declaration: Declaration, choices: Choices | None = None, *, day: date, project: str = ""
) -> Path:
    """
    Write the Excel form of a register: headers with units, drop-downs, checks with messages in Chinese.

    Parameters
    ----------
    path : Path
        The ``.xlsx`` to write.
    declaration : Declaration
        What the register is.
    choices : Choices, optional
        The project's parcels, zones and items, offered in drop-downs.
    day : date
        The day the file is dated.
    project : str, default ""
        Name of the project, for the title.

    Returns
    -------
    Path
        The workbook. Sheets: the form, whose header is locked and whose rows are free; 填表说明, what each column asks
        for; and 选项, hidden, the lists behind the drop-downs, as named ranges. The form holds no sample row: what is
        filled in is what is read.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    lists = {
        name: found
        for name, column in declaration.columns.items()
        if (found := _list_of(column, declaration, choices or Choices())) is not None
    }
    title = f"{project}　{declaration.title_zh}" if project else declaration.title_zh
    return publish_book(
        path,
        {
            _sheet_name(declaration.title_zh): partial(
                _fill_form, declaration=declaration, lists=lists, title=title
            ),
            _GUIDE: partial(_fill_guide, declaration=declaration, lists=lists, title=title),
            _LISTS: partial(_fill_lists, lists=lists),
        },
        title=title,
        author="landplan",
        day=day,
        footer=title,
    )


def write_register(
    path: Path, frame: pd.DataFrame, declaration: Declaration, *, day: date, project: str = ""
) -> Path:
    """
    Write rows of a register as a workbook for reading and printing.

    Parameters
    ----------
    path : Path
        The ``.xlsx`` to write.
    frame : DataFrame
        Rows of the register.
    declaration : Declaration
        What it is.
    day : date
        The day the rows are as of; the file is dated with it.
    project : str, default ""
        Name of the project.

    Returns
    -------
    Path
        The workbook, which reads back as the register.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    title = f"{project}　{declaration.title_zh}" if project else declaration.title_zh
    note = f"截至 {day.isoformat()}，共 {len(frame)} 行"

    def fill(page: Page) -> None:
        shown = display_register(frame, declaration)
        names = [name for name in declaration.table.columns if name in frame.columns]
        fields = [
            _printed(frame[name], shown.iloc[:, at], declaration.columns[name], str(shown.columns[at]))
            for at, name in enumerate(names)
        ]
        page.fit(fields)
        page.title(title, [note], span=len(fields))
        page.table(fields)

    return publish_book(
        path,
        {_sheet_name(declaration.title_zh): fill},
        title=title,
        author="landplan",
        day=day,
        footer=f"{title}　{note}",
    )


def register_as_csv(frame: pd.DataFrame, declaration: Declaration) -> str:
    """
    Lay rows of a register out as CSV.

    Parameters
    ----------
    frame : DataFrame
        Rows of the register.
    declaration : Declaration
        What it is.

    Returns
    -------
    str
        A header with units and one line per row, which reads back as the register. Text that Excel would run as a
        formula begins with an apostrophe.
    """
    shown = display_register(frame, declaration)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(shown.columns)
    for row in shown.itertuples(index=False):
        writer.writerow(["" if pd.isna(cell) else _plain(cell) for cell in row])
    return out.getvalue()


def _plain(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:.12g}"
    return safe_text(clean_text(str(cell)))


def _printed(values: pd.Series[Any], shown: pd.Series[Any], column: Column, header: str) -> Field:
    if column.kind == "day":
        cells: list[Cell] = [None if pd.isna(day) else pd.Timestamp(day).date() for day in values]
    else:
        cells = [None if pd.isna(value) else value for value in shown.tolist()]
    return Field(header, cells, "#,##0.######" if column.dtype == "float64" else "")


def _sheet_name(title: str) -> str:
    return _SHEET_NAME.sub("", title)[:31]


def _list_of(column: Column, declaration: Declaration, choices: Choices) -> _List | None:
    """The drop-down of a column, where it has one."""
    if column.kind == "category":
        return _List(tuple(words[0] for words in column.values.values()))
    if column.kind == "flag":
        return _List(("是", "否"))
    if column.name == "item" and choices.items:
        return _List(tuple(choices.items.values()))
    if column.name == "parcel_id" and choices.parcels:
        # A parcel not yet drawn may be named: asked about, not refused.
        return _List(tuple(map(str, choices.parcels)), is_closed=False)
    if column.name == "zone_code" and choices.zones:
        return _List(tuple(choices.zones), tuple(choices.zones.values()), is_closed=False)
    if column.name in declaration.units.values():
        return _List(tuple(symbol for kind in _ROW_UNITS for symbol in unit_symbols(kind)), is_closed=False)
    return None


def _fill_form(page: Page, *, declaration: Declaration, lists: Mapping[str, _List], title: str) -> None:
    sheet = page.sheet
    page.write(0, 0, title, bold=True, font_size=15)
    sheet.set_row(0, 26)
    note = (
        f"{declaration.about_zh}。带 * 的列必填；从第 {_FIRST + 1} 行起填写，每行一条；各列要求见“{_GUIDE}”。"
    )
    page.write(1, 0, note, font_size=9, font_color="#555555")
    lines = 1
    total = 0
    for place, (name, column) in enumerate(declaration.columns.items()):
        is_required = name in declaration.required
        header = f"*{column.header()}" if is_required else column.header()
        width = min(max(text_width(header) + 4, 12), 26)
        total += width
        free = page.style(locked=False, **_form_of(column))
        sheet.set_column(place, place, width, free)
        lines = max(lines, math.ceil(text_width(header) / (width - 1)))
        page.write(
            _FIRST - 1,
            place,
            header,
            **BORDER,
            bold=True,
            text_wrap=True,
            align="center",
            locked=True,
            bg_color=f"#{TONES['sample'] if is_required else TONES['header']}",
        )
        sheet.data_validation(
            _FIRST, place, _FIRST + _CHECKED_ROWS - 1, place, _check_of(column, lists.get(name), is_required)
        )
    # Free up to the last column: Excel deletes a row of a protected sheet only where no cell of it is locked.
    sheet.set_column(len(declaration.columns), _LAST_COLUMN, None, page.style(locked=False))
    sheet.set_row(_FIRST - 1, 15 * lines + 6)
    sheet.freeze_panes(_FIRST, 1)
    sheet.hide_gridlines(0)
    sheet.repeat_rows(_FIRST - 1)
    sheet.repeat_columns(0)
    sheet.fit_to_pages(max(round(total / _PAGE_WIDTH), 1), 0)
    allowed = (
        "format_cells",
        "format_columns",
        "format_rows",
        "insert_rows",
        "delete_rows",
        "sort",
        "autofilter",
    )
    sheet.protect("", dict.fromkeys(allowed, True))
    sheet.activate()


def _form_of(column: Column) -> dict[str, Any]:
    """Format of the cells to be filled in: text stays text, so that 0012 keeps its zeros."""
    if column.kind == "day":
        return {"num_format": "yyyy-mm-dd", "align": "center"}
    if column.dtype in ("float64", "Int64"):
        return {"num_format": "0" if column.kind == "integer" else "General"}
    return {"num_format": "@", "text_wrap": column.kind == "text"}


def _check_of(column: Column, choices: _List | None, is_required: bool) -> dict[str, Any]:
    """The check of a column as Excel, WPS and LibreOffice make it, with what it says."""
    asked = _asked(column, choices)
    told = f"{'必填。' if is_required else ''}{asked}"[:_MOST_MESSAGE]
    check: dict[str, Any] = {
        "ignore_blank": True,
        "input_title": column.label()[:_MOST_TITLE],
        "input_message": told,
        "error_title": f"{column.label()}填写有误"[:_MOST_TITLE],
        "error_message": f"{asked}。"[:_MOST_MESSAGE],
    }
    if choices is not None:
        kind = "stop" if choices.is_closed else "warning"
        return {**check, "validate": "list", "source": f"={_range_name(column.name)}", "error_type": kind}
    if column.kind == "day":
        return {
            **check,
            "validate": "date",
            "criteria": "between",
            "minimum": date(1950, 1, 1),
            "maximum": date(2100, 12, 31),
        }
    if column.dtype in ("float64", "Int64"):
        validate = "integer" if column.kind == "integer" else "decimal"
        return {**check, "validate": validate, **_limits(column)}
    return {**check, "validate": "any"}


def _limits(column: Column) -> dict[str, Any]:
    """The range a number must lie in, in the unit of the header."""

    def shown(text: str) -> float:
        if not column.is_quantity:
            return float(text)
        return convert(float(text), column.unit, column.shown_in, column.kind)

    if span := _SPAN.fullmatch(column.allowed):
        return {"criteria": "between", "minimum": shown(span[1]), "maximum": shown(span[2])}
    if column.allowed.startswith(">="):
        return {"criteria": ">=", "value": shown(column.allowed[2:])}
    if column.allowed.startswith(">"):
        return {"criteria": ">", "value": shown(column.allowed[1:])}
    return {"criteria": "between", "minimum": -1e15, "maximum": 1e15}


def _asked(column: Column, choices: _List | None) -> str:
    """What a column asks for, in a sentence."""
    if choices is not None:
        return "从下拉列表中选择" if choices.is_closed else "从下拉列表中选择；不在列表中的须核对后填写"
    if column.kind == "day":
        return "填日期，如 2026-11-20"
    if column.kind == "integer":
        return f"填整数{_range_in_words(column)}"
    if column.dtype == "float64":
        unit = f"，单位 {column.shown_in}" if column.is_quantity and column.shown_in not in ("", "1") else ""
        return f"填数字{unit}{_range_in_words(column)}"
    return "填编号，按文本填写" if column.kind == "code" else "填文字"


def _range_in_words(column: Column) -> str:
    limits = _limits(column)
    if not column.allowed:
        return ""
    if limits["criteria"] == "between":
        return f"，{limits['minimum']:g} 至 {limits['maximum']:g}"
    return f"，{'不小于' if limits['criteria'] == '>=' else '大于'} {limits['value']:g}"


def _range_name(column: str) -> str:
    return f"list_{column}"


def _fill_guide(page: Page, *, declaration: Declaration, lists: Mapping[str, _List], title: str) -> None:
    columns = declaration.columns
    words = []
    for name in columns:
        offered = lists[name].spelt() if name in lists else ()
        rest = f" 等 {len(offered)} 项" if len(offered) > _MOST_LISTED else ""
        words.append("、".join(offered[:_MOST_LISTED]) + rest)
    fields: list[Field] = [
        Field("栏目", [column.header() for column in columns.values()]),
        Field("是否必填", ["必填" if name in declaration.required else "选填" for name in columns]),
        Field("怎样填写", [_asked(column, lists.get(name)) for name, column in columns.items()], widest=48),
        Field("可填内容", [text or None for text in words], widest=72),
    ]
    notes = [f"{declaration.about_zh}。"]
    if declaration.key:
        notes.append(
            f"每行由 {'、'.join(columns[name].label() for name in declaration.key)} 确定，不要重复。"
        )
    if declaration.stale_after is not None:
        notes.append(
            f"超过 {declaration.stale_after.word()}没有更新的行按过期处理，以此为据的结论变为待补正。"
        )
    notes.append("表头不要改动；可以增加行，不需要合计行。没有数据的单元格留空，确实为零的填 0。")
    page.fit(fields)
    page.title(f"{title}　填表说明", notes, span=4)
    page.table(fields, is_list=False)
    page.sheet.fit_to_pages(1, 0)


def _fill_lists(page: Page, *, lists: Mapping[str, _List]) -> None:
    page.sheet.hide()
    at = 0
    for name, offered in lists.items():
        page.write(0, at, name, bold=True)
        for row, word in enumerate(offered.words, start=1):
            page.write(row, at, word, num_format="@")
        letter = _letter(at)
        page.book.define_name(_range_name(name), f"={_LISTS}!${letter}$2:${letter}${len(offered.words) + 1}")
        at += 1
        if offered.notes:
            for row, note in enumerate(offered.notes, start=1):
                page.write(row, at, note)
            at += 1


def _letter(at: int) -> str:
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
