"""
One sheet of the workbook: titles, tables, formats and print set-up, and every cell that is written.

All writing goes through here because here text is kept from becoming a formula, a link or a number.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from landplan.reports.fields import Cell, Field, fields_of

__all__ = ["BORDER", "TONES", "Cell", "Field", "Page", "fields_of", "text_width"]

FONT = "Microsoft YaHei"
TONES = {
    "ready": "D5F0E3", "pass": "D5F0E3", "stock": "D5F0E3",
    "pending": "FDEBC8", "unknown": "FDEBC8", "refer": "FDEBC8", "warning": "FDEBC8",
    "not_ready": "F8D3D3", "fail": "F8D3D3", "error": "F8D3D3",
    "incremental": "D6E6F5", "incremental_held": "EDF3F9", "stock_held": "EDF7F2",
    "exempt": "EDEDED", "supplied": "EDEDED", "info": "EDEDED",
    "header": "DCE6EE", "total": "F2F2F2", "sample": "FFF2A8",
}  # fmt: skip
"""Fill of a cell by code; the word always stands in the cell, so that nothing hangs on the colour."""

BORDER: dict[str, Any] = {"border": 1, "border_color": "#BBBBBB"}

_FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r", "{")
_MAX_ROWS = 1_048_576
_MAX_TEXT = 32_767
_MAX_FOOTER = 255
_EXACT = 10**15
_NUMERIC = (int, float, np.number)
_ONE_PAGE = 265
_PAGE_WIDTH = 170


@lru_cache(maxsize=1 << 16)
def text_width(text: str) -> int:
    """
    Width of a text in the half-width characters Excel counts in.

    Parameters
    ----------
    text : str
        Any; of several lines the widest counts.

    Returns
    -------
    int
        Two for each Chinese character.

    Examples
    --------
    >>> text_width("面积（亩）"), text_width("A-2")
    (10, 3)
    """
    if text.isascii() and "\n" not in text:
        return len(text)
    return max(
        (
            sum(2 if unicodedata.east_asian_width(c) in "WFA" else 1 for c in line)
            for line in text.split("\n")
        ),
        default=0,
    )


class Page:
    """
    A sheet being written from the top down.

    Parameters
    ----------
    book : xlsxwriter.Workbook
        Opened with text kept as text.
    name : str
        Of the sheet.
    footer : str
        Source line, printed at the foot of each page.

    Attributes
    ----------
    row : int
        Where the next thing is written, counted from 0.
    height : int
        Rows down to the last that holds something.
    """

    def __init__(self, book: Any, name: str, footer: str) -> None:
        """Add the sheet and set up its print."""
        self.book, self.name = book, name
        self.sheet = book.add_worksheet(name)
        self.row = 0
        self.height = 0
        self.widths: dict[int, int] = {}
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}
        self.sheet.set_landscape()
        self.sheet.set_paper(9)
        self.sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        self.sheet.hide_gridlines(2)
        page = "&R&8第 &P / &N 页"
        safe = footer.replace("&", "&&")
        self.sheet.set_footer(f"&L&8{safe[: _MAX_FOOTER - len(page) - 8].rstrip('&')}{page}")

    def style(self, **properties: Any) -> Any:
        """
        Give the format with these properties, made once.

        Parameters
        ----------
        **properties : object
            As xlsxwriter names them; font and alignment are set already.

        Returns
        -------
        xlsxwriter.Format
            The format.
        """
        # Asked for every cell: the order of the words is looked past only where they are new.
        words = tuple(properties.items())
        if words not in self._formats:
            key = tuple(sorted(words))
            if key not in self._formats:
                base = {"font_name": FONT, "font_size": 10, "valign": "vcenter"}
                self._formats[key] = self.book.add_format({**base, **properties})
            self._formats[words] = self._formats[key]
        return self._formats[words]

    def write(self, row: int, place: int, value: Cell, **properties: Any) -> None:
        """
        Write one cell by its type; text is never read as anything else.

        Parameters
        ----------
        row, place : int
            Row and column, counted from 0.
        value : Cell
            None leaves the cell empty.
        **properties : object
            Of the format.
        """
        if value is not None and value != "":
            self.height = max(self.height, row + 1)
        if isinstance(value, date):
            if value.year > 1900:
                style = self.style(**{**properties, "num_format": "yyyy-mm-dd", "align": "center"})
                self.sheet.write_datetime(row, place, value, style)
                return
            value = value.isoformat()
        if isinstance(value, bool):
            value = "是" if value else "否"
        if isinstance(value, _NUMERIC) and math.isfinite(value) and abs(value) < _EXACT:
            self.sheet.write_number(row, place, value, self.style(**properties))
        elif value is None:
            self.sheet.write_blank(row, place, None, self.style(**properties))
        else:
            text = str(value)
            if len(text) > _MAX_TEXT:
                text = text[: _MAX_TEXT - 1] + "…"
            if text.startswith(_FORMULA_MARKS):
                properties["quote_prefix"] = True
            properties.pop("num_format", None)
            if "align" not in properties and "border" in properties:
                properties["indent"] = 1
            self.sheet.write_string(row, place, text, self.style(**properties))

    def merge(self, row: int, first: int, last: int, value: Cell, **properties: Any) -> None:
        """
        Write one value over several cells of a row.

        Parameters
        ----------
        row, first, last : int
            Row, and the first and last column, counted from 0.
        value : Cell
            What stands there.
        **properties : object
            Of the format.
        """
        if last > first:
            self.sheet.merge_range(row, first, row, last, "", self.style(**properties))
        self.write(row, first, value, **properties)

    def title(self, text: str, notes: Sequence[str] = (), *, span: int = 8, is_sample: bool = False) -> None:
        """
        Write the title of the sheet and lines of small print under it.

        Parameters
        ----------
        text : str
            The title.
        notes : sequence of str
            Small print, one line each.
        span : int
            How many columns both may take; fewer where those would not fit the first sheet of paper.
        is_sample : bool
            Whether the title bears the mark of 示例 data.
        """
        marked = f"{text}    【示例数据，不作依据】" if is_sample else text
        fill = {"bg_color": f"#{TONES['sample']}"} if is_sample else {}
        first_page = sum(self.widths.values()) / max(self._across(), 1) * 0.9
        while self._across() > 1 and span > 2 and self._room(0, span) > first_page:
            span -= 1
        self.merge(self.row, 0, span - 1, marked, bold=True, font_size=15, **fill)
        self.sheet.set_row(self.row, 26)
        self.row += 1
        for note in notes:
            room = self._room(0, span)
            lines = math.ceil(text_width(note) * 0.9 / max(room - 2, 20))
            self.merge(self.row, 0, span - 1, note, font_size=9, font_color="#555555", text_wrap=True)
            self.sheet.set_row(self.row, 14 * lines + 2)
            self.row += 1

    def fit(self, fields: Sequence[Field]) -> None:
        """
        Choose column widths for a table, before anything is written.

        Parameters
        ----------
        fields : sequence of Field
            Its columns.
        """
        for place, item in enumerate(fields):
            printed = {self._printed(v, f) for v, f in zip(item.values, item.numbers(), strict=True)}
            longest = max((text_width(text) for text in printed), default=0)
            header = text_width(item.header)
            width = min(max(longest, header if header <= 12 else math.ceil(header / 2) + 1), item.widest) + 3
            self.widths[place] = width
            self.sheet.set_column(place, place, width)

    @staticmethod
    def _printed(value: Cell, number: str) -> str:
        if isinstance(value, float) and number:
            after = number.partition(".")[2]
            text = f"{value:,.{max(len(after), 2)}f}"
            needless = len(text) - len(text.rstrip("0"))
            return text[: len(text) - min(needless, after.count("#"))]
        return "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)

    def _room(self, first: int, after: int) -> int:
        return sum(self.widths.get(place, 10) for place in range(first, after))

    def _across(self) -> int:
        """How many sheets of paper the columns take side by side."""
        whole = sum(self.widths.values())
        return 1 if whole <= _ONE_PAGE else math.ceil(whole / _PAGE_WIDTH)

    def table(
        self,
        fields: Sequence[Field],
        *,
        total: Sequence[Cell] | None = None,
        empty: str = "（无）",
        is_list: bool = True,
        spans: Sequence[int] | None = None,
    ) -> int:
        """
        Write a table at the present row.

        Parameters
        ----------
        fields : sequence of Field
            Its columns.
        total : sequence of Cell or None
            The row under it, set apart from the filter.
        empty : str
            What stands there when it has no row.
        is_list : bool
            Whether the sheet is this list: header frozen, repeated in print, and filtered.
        spans : sequence of int or None
            How many columns of the sheet each field takes; one where None.

        Returns
        -------
        int
            Rows that found no room on the sheet; 0 but for a million of them.
        """
        starts = np.concatenate([[0], np.cumsum(spans if spans is not None else [1] * len(fields))]).tolist()
        header = {
            **BORDER,
            "bold": True,
            "text_wrap": True,
            "align": "center",
            "bg_color": f"#{TONES['header']}",
        }
        top = self.row
        lines = 1
        for item, first, after in zip(fields, starts, starts[1:], strict=False):
            self.merge(top, first, after - 1, item.header, **header)
            room = self._room(first, after)
            parts = item.header.split("\n")
            lines = max(lines, sum(math.ceil(text_width(part) / max(room - 1, 4)) for part in parts))
        self.sheet.set_row(top, 15 * lines + 4)
        count = len(fields[0].values)
        room_left = _MAX_ROWS - top - 2
        left_over = max(count - room_left, 0)
        heights = [1] * (count - left_over)
        for item, first, after in zip(fields, starts, starts[1:], strict=False):
            self._column(item, top + 1, first, after - 1, heights)
        for at, needed in enumerate(heights):
            if needed > 1:  # LibreOffice and merged cells do not raise a row by themselves
                self.sheet.set_row(top + 1 + at, min(15 * needed + 1, 400))
        self.row = top + 1 + count - left_over
        if not count:
            self.merge(self.row, 0, starts[-1] - 1, empty, **BORDER, font_color="#777777")
            self.row += 1
        if total is not None:
            for value, item, first, after in zip(total, fields, starts, starts[1:], strict=False):
                plain = isinstance(value, str) or not isinstance(item.number, str) or not item.number
                number = {} if plain else {"num_format": item.number}
                properties = {**BORDER, **number, "bold": True, "bg_color": f"#{TONES['total']}"}
                self.merge(self.row, first, after - 1, value, **properties)
            self.row += 1
        if is_list:
            self._make_list(top, count - left_over, starts[-1])
        return left_over

    def _column(self, item: Field, top: int, first: int, last: int, heights: list[int]) -> None:
        room = self._room(first, last + 1)
        write: Callable[..., None] = (
            self.write
            if last == first
            else (lambda row, place, value, **how: self.merge(row, place, last, value, **how))
        )
        numbers = item.numbers()
        for at, value in enumerate(item.values[: len(heights)]):
            properties = {**BORDER, "num_format": numbers[at]} if numbers[at] else {**BORDER}
            # A character is two wide at most: short text needs no measuring.
            may_wrap = isinstance(value, str) and (2 * len(value) > room - 2 or "\n" in value)
            if may_wrap and isinstance(value, str) and (text_width(value) > room - 2 or "\n" in value):
                properties["text_wrap"] = True
                lines = sum(
                    max(1, math.ceil(text_width(line) * 0.95 / max(room - 3, 4)))
                    for line in value.split("\n")
                )
                heights[at] = max(heights[at], lines)
            tone = TONES.get(item.tones[at]) if item.tones else None
            if tone:
                properties |= {"bg_color": f"#{tone}", "align": "center"}
            write(top + at, first, value, **properties)

    def _make_list(self, top: int, count: int, columns: int) -> None:
        self.sheet.freeze_panes(top + 1, min(2, columns))
        self.sheet.autofilter(top, 0, top + max(count, 1), columns - 1)
        self.sheet.repeat_rows(0, top)
        across = self._across()
        # Seventy columns on one A4 are grey dust: then several side by side, each with the number.
        self.sheet.fit_to_pages(across, 0)
        if across > 1:
            self.sheet.repeat_columns(0, min(1, columns - 1))
