"""
Issues: what is wrong with the data, one row each, all at once.

``codes.csv`` holds how bad each code is, whose move it is, and the words; the code that finds a fault states
facts only.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["Code", "Issue", "clean_text", "codes"]

# Terminal escapes and forged log lines come in through names and values.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# A cell of ten thousand characters must not flood the list.
_LONGEST = 200


def clean_text(text: str) -> str:
    """
    Take out what would reach a terminal or a log as a command: control and direction characters.

    Parameters
    ----------
    text : str
        Any text of a user's file.

    Returns
    -------
    str
        The text on one line.

    Examples
    --------
    >>> clean_text("A" + chr(27) + "[31m")
    'A [31m'
    """
    # What is printable holds none of them; hardly a text is not.
    return text if text.isprintable() else _CONTROL.sub(" ", text)


@dataclass(frozen=True)
class Code:
    """One row of ``codes.csv``: what a code means and whose move it is."""

    code: str
    severity: str
    is_blocking: bool
    party: str
    message_zh: str
    message_en: str
    mend_zh: str
    mend_en: str


@cache
def codes() -> dict[str, Code]:
    """
    Every issue code landplan knows.

    Returns
    -------
    dict of str to Code
        By code, e.g. ``GEOM.OVERLAP``.
    """
    text = files("landplan").joinpath("codes.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return {row["code"]: Code(is_blocking=row.pop("is_blocking") == "yes", **row) for row in rows}


@dataclass(frozen=True)
class Issue:
    """
    One thing wrong with the data.

    Parameters
    ----------
    code : str
        A code of ``codes.csv``.
    source : str, default ""
        File it stands in.
    layer : str, default ""
        Layer or sheet.
    row : int or None
        Record or sheet row, counted from 1.
    cell : str, default ""
        Cell address or vertex.
    parcel_id : str, default ""
        Parcel it concerns; empty where it concerns the whole source.
    field : str, default ""
        Column as the source names it.
    value : object, default ""
        What stands there; goes into the sentence.
    limit : str, default ""
        What is asked for: the values allowed, the range, the form; a question where two readings are
        possible.
    suggestion : str, default ""
        What it should be, only where one is sure.
    """

    code: str
    source: str = ""
    layer: str = ""
    row: int | None = None
    cell: str = ""
    parcel_id: str = ""
    field: str = ""
    value: Any = ""
    limit: str = ""
    suggestion: str = ""

    def as_row(self) -> dict[str, Any]:
        """
        Lay the issue out as a row of the ``issues`` table, in words.

        Returns
        -------
        dict
            One value per column of the table.

        Examples
        --------
        >>> Issue("ENC.GUESSED", source="a.shp", value="gb18030").as_row()["message_en"]
        'No encoding is declared; judged by content as gb18030'
        """
        known = codes()[self.code]
        value = clean_text(str(self.value))[:_LONGEST]
        return {
            "source": self.source,
            "layer": self.layer,
            "row": self.row,
            "cell": self.cell,
            "parcel_id": self.parcel_id,
            "code": self.code,
            "severity": known.severity,
            "is_blocking": known.is_blocking,
            "field": clean_text(self.field),
            "issue_value": value,
            "issue_limit": clean_text(self.limit)[:_LONGEST],
            "suggestion": clean_text(self.suggestion)[:_LONGEST],
            "message_zh": known.message_zh.replace("{value}", value),
            "message_en": known.message_en.replace("{value}", value),
            "mend_zh": known.mend_zh,
            "mend_en": known.mend_en,
            "party": known.party,
        }
