"""What is said of a parcel beside the map: labels and values as people read them, in groups, text only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.schema import Column, column, dictionary, display

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["GROUPS", "HEAD", "gather_facts", "print_value", "say_rows"]

GROUPS = (
    *("基本信息", "控制指标", "企业承诺", "实测指标", "区域评估", "前期工作"),
    *("供应与成熟度", "几通一平", "要素保障", "压占情况", "地形", "判定", "内部信息"),
)
"""Headings of the facts, in the order they are read."""

HEAD = ("parcel_id", "parcel_name", "verdict", "supply_class", "area_m2", "supply_reason_en")
"""Columns that stand in the heading of a parcel, or nowhere."""

_BY_NAME = (
    ("promised.", "企业承诺"),
    ("actual.", "实测指标"),
    ("evaluation_", "区域评估"),
    ("event_", "前期工作"),
    ("servicing_axis", "供应与成熟度"),
    ("servicing_", "几通一平"),
    ("capacity_", "要素保障"),
    ("boundary_", "供应与成熟度"),
)
_BY_STEP = {
    "overlay": "压占情况",
    "terrain": "地形",
    "verdict": "判定",
    "supply": "供应与成熟度",
    "readiness": "供应与成熟度",
}
_SIGNS = {"m2": "㎡", "m3": "m³"}
_JUDGED = ("supply_reason_zh",)


def gather_facts(parcels: GeoDataFrame, titles: dict[str, str]) -> tuple[list[list[Any]], list[list[str]]]:
    """
    Print every column of the parcels that is not in the heading.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows
        Declared columns, already cut to the audience.
    titles : dict of str to str
        Titles of layers and items by name.

    Returns
    -------
    list of [int, str]
        Group (a place in ``GROUPS``) and label of each column that holds anything, in the order they are read.
    list of list of str
        For each of them n texts; empty where a value is missing.
    """
    order = {name: at for at, name in enumerate(dictionary())}
    found = []
    for at, name in enumerate(parcels.columns):
        if name == "geometry" or name in HEAD:
            continue
        declared = column(str(name))
        base = next((n for n in order if _is_made_from(declared, n)), "")
        texts = _print_column(parcels, str(name), titles)
        if any(texts):
            key = (GROUPS.index(_group(declared)), order.get(base, 999), at)
            found.append((key, declared.label("zh", titles), texts))
    found.sort(key=lambda fact: fact[0])
    return [[key[0], label] for key, label, _ in found], [texts for _, _, texts in found]


def say_rows(
    frame: pd.DataFrame, names: Sequence[str], titles: Mapping[str, str]
) -> list[list[tuple[str, str]]]:
    """
    Print rows of a declared table for the panel.

    Parameters
    ----------
    frame : DataFrame, n rows
        Canonical columns; where a column ``unit`` is among them, plain numbers are said in it.
    names : sequence of str
        Columns to say, in order; those the frame lacks are passed over.
    titles : mapping of str to str
        Titles of layers and items by name.

    Returns
    -------
    list of n lists of (str, str)
        Label and text of what each row holds; what is missing is left out.
    """
    names = [name for name in names if name in frame.columns]
    units = frame["unit"].tolist() if "unit" in frame.columns else []
    printed = {}
    for name in names:
        declared = column(name)
        texts = _print_column(frame, name, dict(titles))
        if units and declared.kind == "number":
            texts = [f"{t} {u}" if t and isinstance(u, str) else t for t, u in zip(texts, units, strict=True)]
        if declared.name == "item":
            texts = [titles.get(text, text) for text in texts]
        printed[declared.label("zh", titles)] = texts
    return [[(label, texts[at]) for label, texts in printed.items() if texts[at]] for at in range(len(frame))]


def _print_column(frame: pd.DataFrame, name: str, titles: dict[str, str]) -> list[str]:
    declared = column(name)
    values = display(frame[[name]], titles=titles).iloc[:, 0].tolist()
    return [print_value(value, declared) for value in values]


def _is_made_from(declared: Column, pattern: str) -> bool:
    plain = declared.name.removeprefix("promised.").removeprefix("actual.")
    return plain == (pattern.replace("*", declared.stem) if declared.stem else pattern)


def _group(declared: Column) -> str:
    name = declared.name
    for beginning, group in _BY_NAME:
        if name.startswith(beginning):
            return group
    if declared.made_by in _BY_STEP:
        return "判定" if name in _JUDGED else _BY_STEP[declared.made_by]
    if declared.audience == "planner":
        return "内部信息"
    return "控制指标" if declared.bound or name == "environment_standard" else "基本信息"


def print_value(value: Any, declared: Column) -> str:
    """
    Print one value as ``display`` gives it.

    Parameters
    ----------
    value : object
        In the unit people read; missing values give an empty text.
    declared : Column
        Its column.

    Returns
    -------
    str
        A quantity with its unit.
    """
    if value is None or pd.isna(value):
        return ""
    if not declared.is_quantity and declared.kind not in ("number", "integer"):
        return str(value)
    if declared.kind == "integer":
        return str(int(value))
    number = float(value) + 0.0
    # Areas are certified to 0.01; other figures keep what people write, without a tail of zeros.
    text = f"{number:,.2f}" if declared.kind == "area" else f"{number:,.4f}".rstrip("0").rstrip(".")
    unit = _SIGNS.get(declared.shown_in, declared.shown_in)
    return f"{text} {unit}" if unit not in ("", "1") else text
