"""The list of faults: one row per fault, with its place, its words and whose move it is; workbook or CSV."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.errors import Fault, StoreError, UsageError
from landplan.publish import publish, publish_text
from landplan.returns.plain import write_plain
from landplan.schema import column, display
from landplan.tables import issue_table

if TYPE_CHECKING:
    from landplan.returns.vetting import Material

__all__ = ["PRINTED", "WIDTHS", "list_faults", "show_faults", "write_faults"]

WIDTHS = {
    "severity": 8, "code": 23, "source": 18, "layer": 11, "row": 6, "cell": 10, "parcel_id": 11, "field": 15,
    "issue_value": 18, "issue_limit": 20, "suggestion": 18, "message_zh": 36, "mend_zh": 26, "party": 13,
    "is_blocking": 8, "message_en": 36, "mend_en": 26,
}  # fmt: skip
"""Columns of the list in their order, with the width of each in characters."""

PRINTED = 15
"""Columns that go on paper; the English ones behind them are for the screen."""

_RANK = {"error": 0, "warning": 1, "info": 2}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def list_faults(materials: Iterable[Material]) -> pd.DataFrame:
    """
    Gather the faults of several files in one table.

    Parameters
    ----------
    materials : iterable of Material
        As :func:`vet_files` gives.

    Returns
    -------
    DataFrame, one row per fault
        The ``issues`` table of the dictionary; file by file, errors before warnings before notes.
    """
    tables = []
    for material in materials:
        table = issue_table(material.inspection.issues)
        rank = table["severity"].map(_RANK).to_numpy()
        tables.append(table.iloc[rank.argsort(kind="stable")])
    return pd.concat(tables, ignore_index=True) if tables else issue_table([])


def show_faults(faults: pd.DataFrame) -> pd.DataFrame:
    """
    Lay the list out for people: headers and categories in words, columns in the order of use.

    Parameters
    ----------
    faults : DataFrame
        As :func:`list_faults` gives.

    Returns
    -------
    DataFrame
        Same rows; text, and whole numbers for rows.
    """
    return display(faults[list(WIDTHS)])


def write_faults(faults: pd.DataFrame, path: Path) -> Path:
    """
    Write the list of faults, by the ending of the name as a workbook or as CSV.

    Parameters
    ----------
    faults : DataFrame
        As :func:`list_faults` gives; may be empty.
    path : Path
        Ends in ``.xlsx`` or ``.csv``; a former one is replaced in one step.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    UsageError
        If the name ends otherwise.
    StoreError
        If the place cannot be written.

    Notes
    -----
    No cell is ever a formula: the workbook holds text and numbers only, and in CSV text that Excel would run
    begins with an apostrophe.
    """
    path = Path(path)
    shown = show_faults(faults)
    if path.suffix.lower() == ".csv":
        # Excel and WPS take a CSV for GBK unless it begins with a byte order mark.
        return publish_text(path, _as_csv(shown), encoding="utf-8-sig")
    if path.suffix.lower() != ".xlsx":
        raise UsageError(
            Fault(
                en=f"a list of faults is not written as {path.suffix or path.name!r}.",
                zh=f"问题清单不能写成“{path.suffix or path.name}”。",
                at=str(path),
                mend_en="use .xlsx or .csv",
                mend_zh="用 .xlsx 或 .csv",
            )
        )
    widths = list(WIDTHS.values())
    severity = column("severity").header()
    return publish(
        path,
        lambda new: write_plain(new, "问题清单", shown, widths=widths, by=severity, printed=PRINTED),
        lambda new: _verify(new, path),
    )


def _verify(written: Path, path: Path) -> None:
    try:
        with zipfile.ZipFile(written) as archive:
            broken = archive.testzip()
    except zipfile.BadZipFile as error:
        broken = str(error)
    if broken:
        raise StoreError(
            Fault(
                en=f"the list does not read back as written ({broken}).",
                zh="问题清单写入后读回不一致；原文件未改动。",
                at=str(path),
                mend_en="check the disk and try again",
                mend_zh="检查磁盘后重试。",
            )
        )


def _as_csv(shown: pd.DataFrame) -> str:
    guarded = {name: _guarded(shown[name]) for name in shown.columns}
    return pd.DataFrame(guarded, index=shown.index).to_csv(index=False, lineterminator="\r\n")


def _guarded(values: pd.Series[Any]) -> pd.Series[Any]:
    """Text that Excel would take for a formula and run gets an apostrophe in front."""
    if pd.api.types.is_integer_dtype(values.dtype):
        return values
    codes, texts = pd.factorize(values)
    safe = [*(_harmless(str(text)) for text in texts), None]
    return pd.Series([safe[code] for code in codes.tolist()], index=values.index, dtype="object")


def _harmless(text: str) -> str:
    return (
        f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not _NUMBER.fullmatch(text) else text
    )
