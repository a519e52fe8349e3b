"""Canonical values held against what the dictionary allows; all failures at once, each with its parcel."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from landplan.issues import Issue
from landplan.schema.dictionary import Column, column

__all__ = ["check"]

_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)")


def check(frame: pd.DataFrame, *, source: str = "") -> list[Issue]:
    """
    Hold canonical columns against what ``columns.csv`` allows: ranges of quantities, the structure of codes.

    Parameters
    ----------
    frame : DataFrame, n rows, indexed by parcel_id
        Canonical columns; those without a rule, and missing values, pass.
    source : str, default ""
        File, for issues where the frame has no column ``source``.

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
        for declared in map(column, map(str, frame.columns.drop("geometry", errors="ignore")))
        if declared.allowed
    ]
    if not ruled or frame.empty:
        return []
    # Heavy, and only needed where a table is judged.
    import pandera.pandas as pa
    from pandera.errors import SchemaErrors

    plain = pd.DataFrame(frame[[declared.name for declared in ruled]]).reset_index(drop=True)
    schema = pa.DataFrameSchema(
        {d.name: pa.Column(checks=_rule(d), nullable=True, required=True) for d in ruled}
    )
    try:
        schema.validate(plain, lazy=True)
    except SchemaErrors as error:
        failures = error.failure_cases.dropna(subset=["index"])
    else:
        return []
    order = {declared.name: place for place, declared in enumerate(ruled)}
    found = sorted(
        {(order[name], int(row)) for name, row in zip(failures["column"], failures["index"], strict=True)}
    )
    issues = []
    for place, row in found:
        declared = ruled[place]
        where = _where(frame, row, source)
        value = f"{plain[declared.name].iloc[row]} ({declared.allowed})"
        issues.append(
            Issue(
                "ATTR.DOMAIN",
                parcel_id=str(frame.index[row]),
                field=declared.label(),
                value=value,
                limit=declared.allowed,
                **where,
            )
        )
    return issues


def _rule(declared: Column) -> Any:
    import pandera.pandas as pa

    span = _RANGE.fullmatch(declared.allowed)
    if span:
        return pa.Check.in_range(float(span.group(1)), float(span.group(2)))
    if declared.allowed.startswith(">="):
        return pa.Check.ge(float(declared.allowed[2:]))
    if declared.allowed.startswith(">"):
        return pa.Check.gt(float(declared.allowed[1:]))
    return pa.Check.str_matches(f"^(?:{declared.allowed})$")


def _where(frame: pd.DataFrame, row: int, source: str) -> dict[str, Any]:
    named = frame["source"].iloc[row] if "source" in frame.columns else source
    line = frame["source_row"].iloc[row] if "source_row" in frame.columns else None
    return {
        "source": source if pd.isna(named) else str(named),
        "row": None if line is None or pd.isna(line) else int(line),
    }
