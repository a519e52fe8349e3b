"""What landplan says of a file: taken over, flagged or refused; with which codes, where, in which words."""

from __future__ import annotations

import re
from typing import Any

from landplan.issues import codes

_HAN = re.compile(r"[\u4e00-\u9fff]")


def outcome(found: Any) -> str:
    """
    ``accept`` (everything taken over, nothing to say), ``flag`` (taken over, with issues) or ``reject``.

    The rows balance in every case, and whatever was not taken over has an error that says so.
    """
    source = found.source
    assert source.rows_in == source.rows_imported + source.rows_rejected
    assert len(found.frame) == source.rows_imported
    severities = {codes()[issue.code].severity for issue in found.issues}
    if source.rows_rejected or not source.rows_imported:
        assert "error" in severities or found.issues
    if not source.rows_imported:
        return "reject"
    return "flag" if found.issues else "accept"


def said(found: Any, code: str) -> list[tuple[int | None, str, str]]:
    """Row, field or cell, and value of every issue of a code, whose sentence is whole in both languages."""
    result = []
    for issue in found.issues:
        if issue.code == code:
            row = issue.as_row()
            assert _HAN.search(row["message_zh"]) and re.search(r"[a-z]{2,}", row["message_en"])
            assert "{value}" not in row["message_zh"] + row["message_en"]
            assert row["mend_zh"] or row["severity"] == "info"
            assert row["party"]
            result.append((issue.row, issue.field or issue.cell, str(issue.value)))
    return result


def codes_of(found: Any) -> list[str]:
    return [issue.code for issue in found.issues]


def sentence(found: Any, code: str) -> str:
    """The Chinese sentence of the first issue of a code."""
    return next(issue.as_row()["message_zh"] for issue in found.issues if issue.code == code)
