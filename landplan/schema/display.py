"""Canonical columns out: labels with units, values in the unit people read, words for codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from landplan.schema.dictionary import Column, column
from landplan.units import convert

__all__ = ["display"]


def display(
    frame: pd.DataFrame,
    *,
    lang: str = "zh",
    audience: str = "planner",
    titles: Mapping[str, str] | None = None,
    columns: Mapping[str, Column] | None = None,
) -> pd.DataFrame:
    """
    Lay a table out for people: labels with units, values in the unit people read, words for codes.

    Parameters
    ----------
    frame : DataFrame
        Canonical columns; geometry is left out. The index is kept.
    lang : {"zh", "en"}
        Language of labels and words.
    audience : {"planner", "public"}
        ``public`` leaves out every column whose audience is ``planner``.
    titles : mapping of str to str or None
        Titles of layers and items by name.
    columns : mapping of str to Column or None
        Columns of a table of its own; the dictionary has the others.

    Returns
    -------
    DataFrame
        Same rows and order; days as ISO text, missing as NaN or None.

    Examples
    --------
    >>> display(pd.DataFrame({"area_m2": [10000.0]})).columns.tolist()
    ['平面面积（亩）']
    """
    shown: dict[str, Any] = {}
    for name in frame.columns:
        if name == "geometry":
            continue
        declared = (columns or {}).get(str(name)) or column(str(name))
        if audience == "public" and declared.audience != "public":
            continue
        shown[declared.header(lang, titles)] = _shown(frame[name], declared, lang)
    return pd.DataFrame(shown, index=frame.index)


def _shown(values: pd.Series[Any], declared: Column, lang: str) -> pd.Series[Any]:
    if declared.is_quantity and declared.shown_in:
        numbers = values.to_numpy(dtype="float64", na_value=np.nan)
        return pd.Series(
            convert(numbers, declared.unit, declared.shown_in, declared.kind), index=values.index
        )
    if declared.kind == "day":
        days: pd.Series[Any] = values.dt.strftime("%Y-%m-%d")
        return days
    if declared.kind == "category":
        return values.map(lambda code: declared.word(code, lang), na_action="ignore")
    if declared.kind == "flag":
        yes, no = ("是", "否") if lang == "zh" else ("yes", "no")
        return values.map({True: yes, False: no}, na_action="ignore")
    return values.copy()
