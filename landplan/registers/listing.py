"""A register cut to a person, a department, a zone or a day, and laid out for people."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from landplan.errors import Fault, UsageError
from landplan.periods import is_stale
from landplan.registers.declaration import Declaration
from landplan.schema import display

__all__ = ["display_register", "filter_register", "find_stale"]

_JOINTS = re.compile(r"[、，,;；/\s]+")


def filter_register(
    frame: pd.DataFrame,
    declaration: Declaration,
    *,
    person: str | None = None,
    department: str | None = None,
    zone: str | None = None,
    as_of: date | None = None,
    zone_of: pd.Series[Any] | None = None,
) -> pd.DataFrame:
    """
    Pick the rows that concern a person, a department or a zone, as they stood on a day.

    Parameters
    ----------
    frame : DataFrame, n rows
        The register.
    declaration : Declaration
        What it is.
    person : str, optional
        A name; of several in one cell (张三、李四) each counts.
    department : str, optional
        A department, or a part of its name: 自然资源局 finds 示例区自然资源局.
    zone : str, optional
        Code or name of a zone.
    as_of : date, optional
        The day. Rows that begin later, have ended or were released by then are left out, and of a register brought up
        to date by new rows only the latest counts. A row without its day cannot be told to have begun later: it stays.
    zone_of : Series of str, optional
        Zone code by parcel number, for registers whose rows name a parcel and no zone.

    Returns
    -------
    DataFrame
        Rows in the order of the register; every column.

    Raises
    ------
    UsageError
        If the register has no column a row could be picked by.
    """
    keep = np.ones(len(frame), dtype=bool)
    if as_of is not None:
        keep &= _on_the_day(frame, declaration, pd.Timestamp(as_of))
    if person is not None:
        keep &= _named(frame, declaration.people, person, declaration, "person", "经办人")
    if department is not None:
        keep &= _named(frame, declaration.parties, department, declaration, "department", "部门", part=True)
    if zone is not None:
        keep &= _zoned(frame, declaration, zone, zone_of)
    return frame[keep]


def _on_the_day(frame: pd.DataFrame, declaration: Declaration, day: pd.Timestamp) -> Any:
    keep = np.ones(len(frame), dtype=bool)
    if declaration.as_of:
        keep &= ~(frame[declaration.as_of] > day).to_numpy(dtype=bool)
    for name in declaration.until:
        keep &= ~(frame[name] < day).to_numpy(dtype=bool)
    for name in declaration.released:
        keep &= ~(frame[name] <= day).to_numpy(dtype=bool)
    if declaration.latest_by and declaration.as_of:
        ordered = frame[keep].sort_values(declaration.as_of, kind="stable", na_position="first")
        latest = ordered.drop_duplicates(list(declaration.latest_by), keep="last").index
        keep &= frame.index.isin(latest)
    return keep


def _named(
    frame: pd.DataFrame,
    columns: tuple[str, ...],
    wanted: str,
    declaration: Declaration,
    en: str,
    zh: str,
    *,
    part: bool = False,
) -> Any:
    if not columns:
        raise _no_column(declaration, en, zh)
    text = wanted.strip().casefold()
    found = np.zeros(len(frame), dtype=bool)
    for name in columns:
        cells = frame[name].dropna().unique()
        hits = [
            cell
            for cell in cells
            if any(text in one if part else text == one for one in _JOINTS.split(str(cell).casefold()))
        ]
        found |= frame[name].isin(hits).to_numpy(dtype=bool)
    return found


def _zoned(frame: pd.DataFrame, declaration: Declaration, zone: str, zone_of: pd.Series[Any] | None) -> Any:
    columns = [name for name in ("zone_code", "zone_name") if name in declaration.table.columns]
    by_parcel = "parcel_id" in declaration.table.columns and zone_of is not None
    if not columns and not by_parcel:
        raise _no_column(declaration, "zone", "开发区")
    found = np.zeros(len(frame), dtype=bool)
    for name in columns:
        found |= (frame[name] == zone).to_numpy(dtype=bool, na_value=False)
    if by_parcel and zone_of is not None:
        # What the row itself says goes before where its parcel lies.
        silent = (
            frame["zone_code"].isna() if "zone_code" in columns else pd.Series(data=True, index=frame.index)
        )
        lies = frame["parcel_id"].map(zone_of[~zone_of.index.duplicated()]) == zone
        found |= (silent & lies).to_numpy(dtype=bool, na_value=False)
    return found


def _no_column(declaration: Declaration, en: str, zh: str) -> UsageError:
    return UsageError(
        Fault(
            en=f"the register {declaration.name} has no {en}.",
            zh=f"“{declaration.title_zh}”没有{zh}一列，无法据此筛选。",
            mend_en="leave the option out, or declare the column",
            mend_zh="去掉该选项，或在声明中增加这一列",
        )
    )


def find_stale(frame: pd.DataFrame, declaration: Declaration, as_of: date) -> pd.DataFrame:
    """
    Pick the rows that have not been brought up to date in time.

    Parameters
    ----------
    frame : DataFrame, n rows
        Rows as ``filter_register`` gives them for the day.
    declaration : Declaration
        What they are.
    as_of : date
        The day.

    Returns
    -------
    DataFrame
        Rows older than the register's ``stale_after``, or without a day; none where rows do not age.
    """
    if declaration.stale_after is None:
        return frame.iloc[:0]
    return frame[is_stale(frame[declaration.as_of], as_of, declaration.stale_after).to_numpy(dtype=bool)]


def display_register(
    frame: pd.DataFrame, declaration: Declaration, *, lang: str = "zh", audience: str = "planner"
) -> pd.DataFrame:
    """
    Lay a register out for people: labels with units, values in the unit people read, words for codes.

    Parameters
    ----------
    frame : DataFrame, n rows
        The register; columns it does not declare, such as where a row was read, are left out.
    declaration : Declaration
        What it is.
    lang : {"zh", "en"}
        Language of labels and words.
    audience : {"planner", "public"}
        ``public`` leaves out every column whose audience is ``planner``.

    Returns
    -------
    DataFrame, n rows
        Its columns in the order of the declaration.
    """
    names = [name for name in declaration.table.columns if name in frame.columns]
    return display(frame[names], lang=lang, audience=audience, columns=declaration.table.columns)
