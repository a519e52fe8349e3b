"""Columns of a printed table: canonical values as people read them, with the number formats of Excel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from landplan.schema import Column, column, display

__all__ = ["Cell", "Field", "fields_of", "titles_of"]

Cell = str | float | int | date | None

_WIDEST = 44
_WIDE = {"reference": 72, "supply_reason_zh": 56, "industry_name": 24}
_WARNINGS = ("is_stale", "is_late")
_ITEMS = ("item", "step", "after", "missing_items", "clear_land_missing", "admission_missing")
_NUMBERS = {
    "area": "#,##0.00",
    "money": "#,##0.00",
    "share": "0.00",
    "ratio": "0.00##",
    "intensity": "#,##0.00##",
    "annual_intensity": "#,##0.00##",
    "energy_intensity": "0.00##",
    "length": "0.0##",
    "angle": "0.0##",
    "volume": "#,##0",
}


@dataclass
class Field:
    """
    One column of a printed table.

    Parameters
    ----------
    header : str
        Title, with the unit in brackets.
    values : list of Cell
        One per row; None for missing.
    number : str or list of str, default ""
        Number format of Excel, for all rows or row by row; "" for as it is.
    tones : list of str
        Codes that choose the fill, one per row; empty for none.
    widest : int, default 44
        Half-width characters beyond which text is wrapped.
    """

    header: str
    values: list[Cell]
    number: str | list[str] = ""
    tones: list[str] = field(default_factory=list)
    widest: int = _WIDEST

    def numbers(self) -> list[str]:
        """
        Give the number format of each row.

        Returns
        -------
        list of str
            As long as ``values``.
        """
        return [self.number] * len(self.values) if isinstance(self.number, str) else self.number


def fields_of(
    frame: pd.DataFrame,
    names: Sequence[str],
    titles: Mapping[str, str],
    columns: Mapping[str, Column] | None = None,
) -> list[Field]:
    """
    Lay canonical columns out for printing, with labels, the units people read and words for codes.

    Parameters
    ----------
    frame : DataFrame, n rows
        Canonical columns.
    names : sequence of str
        Which of them, in order; those the frame lacks are passed over.
    titles : mapping of str to str
        Titles of layers and items by name; codes of items are printed as them.
    columns : mapping of str to Column or None
        Columns of a table of its own; the dictionary has the others.

    Returns
    -------
    list of Field
        One per column; quantities as numbers, days as days.
    """
    found = []
    for name in names:
        if name not in frame.columns:
            continue
        declared = (columns or {}).get(name) or column(name)
        values = frame[name]
        shown = display(values.to_frame(), titles=titles, columns=columns).iloc[:, 0]
        if declared.kind == "day":
            cells: list[Cell] = [None if pd.isna(day) else pd.Timestamp(day).date() for day in values]
        else:
            cells = [None if pd.isna(value) else value for value in shown.tolist()]
        if name in _ITEMS:
            cells = [titles_of(value, titles) for value in cells]
        is_coded = declared.kind == "category"
        tones = ["" if pd.isna(code) else str(code) for code in values] if is_coded else []
        if name in _WARNINGS:
            tones = ["warning" if value else "" for value in values.fillna(value=False)]
        widest = _WIDE.get(name, _WIDEST)
        found.append(
            Field(
                _header(declared, name, titles), cells, _number_format(declared, name, cells), tones, widest
            )
        )
    return found


def titles_of(codes: Cell, titles: Mapping[str, str]) -> Cell:
    """
    Say codes of items in words.

    Parameters
    ----------
    codes : Cell
        One code, or several joined by 、.
    titles : mapping of str to str
        Titles by code; a code without one stays.

    Returns
    -------
    Cell
        The same number of words.

    Examples
    --------
    >>> titles_of("sale、start", {"sale": "出让"})
    '出让、start'
    """
    return (
        "、".join(titles.get(code, code) for code in codes.split("、")) if isinstance(codes, str) else codes
    )


def _header(declared: Column, name: str, titles: Mapping[str, str]) -> str:
    header = declared.header("zh", titles)
    prefix, dot, _ = name.partition(".")
    return f"{column('basis').word(prefix)}：{header}" if dot else header


def _number_format(declared: Column, name: str, cells: list[Cell]) -> str:
    if name.endswith("_overlap_m2"):
        return "#,##0.00##"  # a sliver of 0.003 亩 inside a red line must not be printed as nothing
    if declared.kind == "integer":
        return "" if name == "year" else "0"
    if declared.dtype == "float64" and declared.kind not in _NUMBERS:
        # Ledgers are kept in units of their own: as many decimals as they hold, and none where all are whole.
        whole = all(isinstance(value, float) and value.is_integer() for value in cells if value is not None)
        return "#,##0" if whole else "#,##0.00####"
    return _NUMBERS.get(declared.kind, "")
