"""``columns.csv`` read: what each column is called, which unit it has, who may see it, and its dtype in every table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from landplan.errors import Fault, InternalError
from landplan.schema.words import as_words, words_of
from landplan.units import CANONICAL

__all__ = ["Column", "Table", "coerce", "column", "dictionary"]

_DTYPES = {
    "day": "datetime64[s]",
    "flag": "boolean",
    "integer": "Int64",
    "text": "str",
    "code": "str",
    "category": "str",
}
_WORDED = ("findings", "indicators")
"""Tables of very many rows whose texts repeat: each text is held once, as a category."""
_WIDE = ("parcels", "zones", "evaluations", "servicing", "boundaries")


@dataclass(frozen=True)
class Column:
    """
    One row of the dictionary.

    Parameters
    ----------
    name : str
        Canonical name; ``*`` in it stands for the name of a layer or item.
    tables : tuple of str
        Tables that have it.
    label_zh, label_en : str
        Labels; ``{layer}`` or ``{item}`` stand for a title the project gives.
    aliases : tuple of str
        Headers it is known by.
    kind : str
        ``text, code, category, day, flag, integer, number`` or a kind of quantity of ``units.CANONICAL``.
    unit, shown_in : str
        Canonical unit, and the unit people read.
    bound : str
        ``min`` or ``max`` where the value is a floor or a ceiling.
    sibling : str
        The column that holds the other bound.
    values : dict of str to tuple of str
        Codes of a category with the words for them, the label first.
    allowed : str
        What values may be, in the canonical unit: ``0..1``, ``>0``, ``>=0``, or a pattern that codes match whole.
    audience : str
        ``public`` or ``planner``.
    made_by : str
        The step that makes it.
    meaning : str
        What it means, for the manual.
    stem : str
        What ``*`` stood for, once resolved.
    """

    name: str
    tables: tuple[str, ...]
    label_zh: str
    label_en: str
    aliases: tuple[str, ...]
    kind: str
    unit: str
    shown_in: str
    bound: str
    sibling: str
    values: dict[str, tuple[str, ...]]
    allowed: str
    audience: str
    made_by: str
    meaning: str
    stem: str = ""

    @property
    def is_quantity(self) -> bool:
        """Whether values carry a unit of measure."""
        return self.kind in CANONICAL

    @property
    def dtype(self) -> str:
        """The pandas dtype its values have in every table."""
        return _DTYPES.get(self.kind, "float64")

    def label(self, lang: str = "zh", titles: Mapping[str, str] | None = None) -> str:
        """
        Name the column for people, without the unit.

        Parameters
        ----------
        lang : {"zh", "en"}
            Language of the label.
        titles : mapping of str to str or None
            Titles of layers and items by name.

        Returns
        -------
        str
            The label.
        """
        text = self.label_zh if lang == "zh" else self.label_en
        title = (titles or {}).get(self.stem) or self._word_of_stem(lang)
        return text.replace("{layer}", title).replace("{item}", title)

    def _word_of_stem(self, lang: str) -> str:
        # Nodes and capacities are named by what they supply, which the dictionary itself has words for.
        resource = dictionary().get("resource") if self.stem else None
        return self.stem if resource is None else resource.word(self.stem, lang)

    def header(self, lang: str = "zh", titles: Mapping[str, str] | None = None) -> str:
        """
        Name the column for people with the unit in brackets: ``登记面积（亩）``.

        Parameters
        ----------
        lang : {"zh", "en"}
            Language of the label.
        titles : mapping of str to str or None
            Titles of layers and items by name.

        Returns
        -------
        str
            Label and unit; a plain ratio has none.
        """
        label = self.label(lang, titles)
        if self.is_quantity and self.shown_in not in ("", "1"):
            return f"{label}（{self.shown_in}）" if lang == "zh" else f"{label} ({self.shown_in})"
        return label

    def word(self, code: str, lang: str = "zh") -> str:
        """
        Say the code of a category in words.

        Parameters
        ----------
        code : str
            A key of ``values``.
        lang : {"zh", "en"}
            English gives the code itself, in which words are joined by blanks.

        Returns
        -------
        str
            The word; the code itself where the dictionary has none.
        """
        if lang == "en":
            return code.replace("_", " ")
        return self.values.get(code, (code,))[0]


@dataclass(frozen=True, eq=False)
class Table:
    """
    A table with columns of its own beside those of ``columns.csv``: a register declared by a bureau.

    Parameters
    ----------
    name : str
        Of the table.
    columns : mapping of str to Column
        Every column it may have, in order.
    key : str
        The column that names a row: a row without it may be a total.
    """

    name: str
    columns: Mapping[str, Column]
    key: str


@cache
def dictionary() -> dict[str, Column]:
    """
    Read the data dictionary.

    Returns
    -------
    dict of str to Column
        In the order of ``columns.csv``.
    """
    found: dict[str, Column] = {}
    text = files("landplan").joinpath("columns.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        values = dict(part.split("=", 1) for part in row.pop("values").split(";") if part)
        found[row["name"]] = Column(
            tables=tuple(row.pop("tables").split()),
            aliases=tuple(a for a in row.pop("aliases").split("|") if a),
            values={code: tuple(words.split("|")) for code, words in values.items()},
            **row,
        )
    return found


@cache
def column(name: str) -> Column:
    """
    Look a column up, by name or by pattern.

    Parameters
    ----------
    name : str
        E.g. ``area_m2``, ``farmland_overlap_m2``, ``actual.far_min``.

    Returns
    -------
    Column
        With ``name`` as asked for and ``stem`` filled where a pattern matched.

    Raises
    ------
    KeyError
        If the dictionary has no such column.

    Examples
    --------
    >>> column("farmland_overlap_m2").stem
    'farmland'
    """
    plain = name.removeprefix("promised.").removeprefix("actual.")
    exact = dictionary().get(plain)
    if exact is not None:
        return replace(exact, name=name)
    for pattern, declared in dictionary().items():
        if "*" in pattern and fnmatchcase(plain, pattern):
            before, after = pattern.split("*")
            return replace(declared, name=name, stem=plain[len(before) : len(plain) - len(after)])
    raise KeyError(name)


def coerce(frame: pd.DataFrame, table: str | Table) -> pd.DataFrame:
    """
    Give every declared column its dtype; a long table gets all of its columns, in the order of the dictionary.

    Parameters
    ----------
    frame : DataFrame or GeoDataFrame
        Columns of the table, some or all.
    table : str or Table
        One of the wide tables (``parcels, zones, evaluations, servicing, boundaries``: columns present are kept) or a
        long one; or a table with columns of its own.

    Returns
    -------
    DataFrame or GeoDataFrame
        A copy with the dtypes of the dictionary; geometry untouched. Texts of ``findings`` and ``indicators`` are categories.

    Raises
    ------
    InternalError
        If a column is not declared: every column has one place where its meaning is written.
    """
    own = table.columns if isinstance(table, Table) else {}
    wide = table in _WIDE
    result = frame.copy(deep=False)
    if not wide:
        names = list(own) or [c.name for c in dictionary().values() if table in c.tables]
        for name in names:
            if name not in result.columns:
                declared = own.get(name) or column(name)
                said_once = table in _WORDED and declared.dtype == "str"
                result[name] = _nothing(result.index, declared, said_once=said_once)
        keep = [*names, *(["geometry"] if "geometry" in result.columns else [])]
        result = result[keep]
    for name in result.columns:
        if name == "geometry":
            continue
        try:
            declared = own.get(str(name)) or column(str(name))
        except KeyError:
            raise InternalError(
                Fault(
                    en=f"column {name!r} is not in columns.csv.", zh=f"字段“{name}”未在 columns.csv 中声明。"
                )
            ) from None
        if table in _WORDED and declared.dtype == "str":
            result[name] = as_words(result[name], declared.values)
        else:
            result[name] = _typed(result[name], declared)
    return result


def _nothing(index: pd.Index[Any], declared: Column, *, said_once: bool) -> pd.Series[Any]:
    """A column that says nothing, of its dtype from the first: there may be many millions of rows."""
    dtype: Any = declared.dtype
    nothing: Any
    if said_once:
        nothing = words_of([], np.full(len(index), -1, dtype=np.int8), declared.values)
    elif dtype == "float64":
        nothing = np.full(len(index), np.nan)
    else:
        nothing = pd.array([None], dtype=dtype).repeat(len(index))
    return pd.Series(nothing, index=index, copy=False)


def _typed(values: pd.Series[Any], declared: Column) -> pd.Series[Any]:
    if str(values.dtype) == declared.dtype:
        return values
    if declared.kind == "day":
        return pd.to_datetime(values, errors="coerce").astype("datetime64[s]")
    if declared.dtype == "str":
        return values.astype("object").where(values.notna(), np.nan).astype("str")
    if declared.dtype == "float64":
        numbers: pd.Series[Any] = pd.to_numeric(values, errors="coerce").astype("float64")
        return numbers
    dtype: Any = declared.dtype
    nullable: pd.Series[Any] = pd.Series(values.astype("object").where(values.notna(), None), dtype=dtype)
    return nullable
