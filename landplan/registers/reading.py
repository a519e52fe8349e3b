"""A sheet read as a declared register: every row taken over, and everything wrong with any of them told at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import UnitError
from landplan.issues import Issue, codes
from landplan.read import Raw, Read, read_source
from landplan.read.source import as_table
from landplan.registers.declaration import Declaration
from landplan.schema import check, coerce, match_header
from landplan.units import Unit, convert, find_unit
from landplan.values import parse_number

if TYPE_CHECKING:
    from landplan.read.profile import Profile

__all__ = ["coerce_register", "read_register"]


def coerce_register(frame: pd.DataFrame, declaration: Declaration) -> pd.DataFrame:
    """
    Give a frame every column of a register, typed and in order.

    Parameters
    ----------
    frame : DataFrame, n rows
        Some of the columns, and where known ``source`` and ``source_row``.
    declaration : Declaration
        What the register is.

    Returns
    -------
    DataFrame, n rows, same index
        A copy; columns that were not there are missing throughout, others are left out.

    Examples
    --------
    >>> from landplan.registers.load import load_declaration
    >>> held = coerce_register(pd.DataFrame({"head": ["文物勘探"]}), load_declaration("budget"))
    >>> held.dtypes.astype("str").to_dict()["amount_cny"]
    'float64'
    """
    own = coerce(frame, declaration.table)
    places = [name for name in ("source", "source_row") if name in frame.columns and name not in own.columns]
    if not places:
        return own
    return own.join(coerce(frame[places], "parcels"))


def read_register(
    path: str | os.PathLike[str],
    declaration: Declaration,
    *,
    sheet: str | None = None,
    profile: Profile | None = None,
    encoding: str | None = None,
) -> Read:
    """
    Read a spreadsheet, CSV or JSON as a declared register.

    Parameters
    ----------
    path : path
        The file; a form of ``write_form`` reads back as it was filled in.
    declaration : Declaration
        What the register is.
    sheet : str, optional
        Sheet to read; the only one with a header of the register where None.
    profile : Profile, optional
        What the provider's headers mean.
    encoding : str, optional
        Encoding of delimited text.

    Returns
    -------
    Read
        ``frame`` has every column of the register, then ``source`` and ``source_row``; numbers whose unit stands in
        the row are in that unit. No row is dropped: required cells left empty, values out of range and rows that
        repeat a key are issues. A file that cannot be read gives an empty frame, and issues that say why.

    Raises
    ------
    UsageError
        If ``encoding`` is none.
    """
    raw = read_source(
        path,
        sheet=sheet or (profile.sheet if profile else None),
        layer=profile.layer if profile else None,
        encoding=encoding or (profile.encoding if profile else None),
        encoding_how="option" if encoding else "profile",
        headers=profile.columns if profile else None,
        table=declaration.table,
    )
    raw = _in_unit_of_row(raw, declaration)
    read = as_table(raw, declaration.table, profile=profile, role=f"register:{declaration.name}")
    issues = list(read.issues)
    names = read.canonical.recognised
    letters = {name: read.letters.get(header, "") for header, name in names.items()}
    told = {(issue.row, names.get(issue.field, "")) for issue in issues}
    where = Issue("ATTR.EMPTY", source=read.source.path, layer=read.layer)
    stopped = not len(read.frame) and any(codes()[issue.code].severity == "error" for issue in issues)
    if not stopped:
        for name in declaration.required:
            if name not in read.frame.columns:
                title = f"{declaration.columns[name].label()}（{name}）"
                issues.append(replace(where, code="ATTR.LAYER_FIELD", value=title))
    frame = coerce_register(pd.DataFrame(read.frame.drop(columns="geometry", errors="ignore")), declaration)
    issues += [
        empty
        for empty, name in _empty_cells(frame, declaration, set(read.frame.columns), letters, where)
        if (empty.row, name) not in told
    ]
    # A value out of range in a register is the register's fault: it must not block a parcel that is named beside it.
    issues += [
        replace(issue, parcel_id="", layer=read.layer)
        for issue in check(frame, source=read.source.path, columns=declaration.columns)
    ]
    issues += _doubles(frame, declaration, where)
    return replace(read, frame=frame, issues=issues)


def _empty_cells(
    frame: pd.DataFrame, declaration: Declaration, there: set[str], letters: dict[str, str], where: Issue
) -> Iterator[tuple[Issue, str]]:
    """Required cells that hold nothing, with their column."""
    for name in declaration.required:
        label = declaration.columns[name].label()
        rows: list[Any] = frame.loc[frame[name].isna().to_numpy(dtype=bool), "source_row"].tolist()
        for row in rows if name in there else ():
            cell = f"{letters[name]}{row}" if letters[name] else ""
            yield replace(where, row=int(row), cell=cell, field=label, value=label), name


def _doubles(frame: pd.DataFrame, declaration: Declaration, where: Issue) -> list[Issue]:
    """Rows that repeat the key of an earlier one; a part of the key that is empty is a value like any other."""
    key = list(declaration.key)
    if not key or frame.empty:
        return []
    named = frame[key[0]].notna().to_numpy(dtype=bool)
    again = named & frame.duplicated(key, keep="first").to_numpy(dtype=bool)
    labels = [declaration.columns[name].label() for name in key]
    found = []
    for at in np.flatnonzero(again).tolist():
        parts = [frame[name].iloc[at] for name in key]
        told = "、".join("" if pd.isna(part) else _plain(part) for part in parts)
        found.append(
            replace(
                where,
                code="ATTR.DOUBLE_ROW",
                row=int(frame["source_row"].iloc[at]),
                field="、".join(labels),
                value=told,
            )
        )
    return found


def _plain(part: Any) -> str:
    return part.date().isoformat() if isinstance(part, pd.Timestamp) else str(part)


def _in_unit_of_row(raw: Raw, declaration: Declaration) -> Raw:
    """Numbers whose unit stands in another column, brought to that unit: 20 MVA in a row of kVA is 20,000."""
    matched = {str(h): m for h in raw.frame.columns if (m := match_header(str(h), declaration.table))}
    issues: list[Issue] = []
    frame = raw.frame
    for holder in dict.fromkeys(declaration.units.values()):
        numbers = {h: m[1] for h, m in matched.items() if declaration.units.get(m[0]) == holder}
        if not numbers or frame.empty:
            continue
        home = next((h for h, m in matched.items() if m[0] == holder), declaration.columns[holder].label_zh)
        frame = frame.copy()
        if home not in frame.columns:
            frame[home] = pd.Series(None, index=frame.index, dtype="object")
        cells = {header: frame[header].tolist() for header in numbers}
        homes = frame[home].tolist()
        for at in range(len(frame)):
            issues += _row_in_unit(cells, homes, at, numbers, raw)
        for header, values in cells.items():
            frame[header] = pd.Series(values, index=frame.index, dtype="object")
        frame[home] = pd.Series(homes, index=frame.index, dtype="object")
    return replace(raw, frame=frame, issues=[*raw.issues, *issues])


def _row_in_unit(
    cells: dict[str, list[Any]], homes: list[Any], at: int, numbers: dict[str, str | None], raw: Raw
) -> list[Issue]:
    issues = []
    told = _unit(homes[at])
    for header, of_header in numbers.items():
        parsed = parse_number(cells[header][at])
        own = _unit(parsed.unit or of_header)
        if own is None or parsed.is_fault or parsed.is_missing:
            continue
        if told is None:
            if homes[at] is None or not str(homes[at]).strip():
                homes[at], told = own.symbol, own
            else:
                # 2 台 in one cell and MVA in another: which of them is meant is not ours to say.
                issues.append(_of_another_kind(raw, header, at, cells[header][at], homes[at]))
                cells[header][at] = None
            continue
        if own.kind != told.kind or parsed.upper is not None:
            issues.append(_of_another_kind(raw, header, at, cells[header][at], homes[at]))
            cells[header][at] = None
        else:
            cells[header][at] = convert(float(parsed.value), own.symbol, told.symbol, told.kind)
    return issues


def _of_another_kind(raw: Raw, header: str, at: int, cell: object, unit: object) -> Issue:
    row = raw.rows[at] if at < len(raw.rows) else at + 1
    letter = raw.letters.get(header, "")
    return Issue(
        "ATTR.BAD_UNIT",
        raw.source.path,
        raw.layer,
        row,
        f"{letter}{row}" if letter else "",
        field=header,
        value=f"{cell} / {unit}",
    )


def _unit(symbol: object) -> Unit | None:
    if symbol is None or not str(symbol).strip():
        return None
    try:
        return find_unit(str(symbol))
    except UnitError:
        return None
