"""Canonical values held against what the dictionary allows; all failures at once, each with its parcel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from landplan.issues import Issue
from landplan.schema.dictionary import Column, column

__all__ = ["check"]

_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)")


def check(
    frame: pd.DataFrame, *, source: str = "", columns: Mapping[str, Column] | None = None
) -> list[Issue]:
    """
    Hold canonical columns against what ``columns.csv`` allows: ranges of quantities, the structure of codes.

    Parameters
    ----------
    frame : DataFrame, n rows, indexed by parcel_id
        Canonical columns; those without a rule, and missing values, pass.
    source : str, default ""
        File, for issues where the frame has no column ``source``.
    columns : mapping of str to Column or None
        Columns of a table of its own; the dictionary has the others.

    Returns
    -------
    list of Issue
        One ``ATTR.DOMAIN`` per value, by column, then by row.

    Notes
    -----
    The structure of 宗地代码 is that of GB/T 37346; it has no check digit.

    Examples
    --------
    >>> frame = pd.DataFrame({"green_ratio_max": [0.2, 20.0]}, index=["A", "B"])
    >>> [(issue.parcel_id, issue.value) for issue in check(frame)]
    [('B', '20.0 (0..1)')]
    """
    ruled = [
        declared
        for name in map(str, frame.columns.drop("geometry", errors="ignore"))
        if (declared := (columns or {}).get(name) or column(name)).allowed
    ]
    if not ruled or frame.empty:
        return []
    return [
        Issue(
            "ATTR.DOMAIN",
            parcel_id=str(frame.index[row]),
            field=declared.label(),
            value=f"{frame[declared.name].iloc[row]} ({declared.allowed})",
            limit=declared.allowed,
            **_where(frame, row, source),
        )
        for declared in ruled
        for row in np.flatnonzero(_outside(frame[declared.name], declared.allowed)).tolist()
    ]


def _outside(values: pd.Series[Any], allowed: str) -> Any:
    """True where a value is known and not allowed."""
    known = values.notna().to_numpy(dtype=bool)
    span = _RANGE.fullmatch(allowed)
    if span is None and not allowed.startswith(">"):
        return known & ~values.astype("str").str.fullmatch(allowed).fillna(False).to_numpy(dtype=bool)
    numbers = values.to_numpy(dtype="float64", na_value=np.nan)
    if span is not None:
        return known & ~((numbers >= float(span.group(1))) & (numbers <= float(span.group(2))))
    limit = float(allowed.lstrip(">="))
    return known & ~(numbers >= limit if allowed.startswith(">=") else numbers > limit)


def _where(frame: pd.DataFrame, row: int, source: str) -> dict[str, Any]:
    named = frame["source"].iloc[row] if "source" in frame.columns else source
    line = frame["source_row"].iloc[row] if "source_row" in frame.columns else None
    return {
        "source": source if pd.isna(named) else str(named),
        "row": None if line is None or pd.isna(line) else int(line),
    }
