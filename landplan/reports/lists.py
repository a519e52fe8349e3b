"""A supply list as CSV, for the systems and the colleagues that take nothing else."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

from landplan.issues import clean_text
from landplan.schema import column, display
from landplan.supply import list_supply
from landplan.units import convert

if TYPE_CHECKING:
    from landplan.tables import Assessment

__all__ = ["list_as_csv"]

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def _cell(value: Any) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    text = clean_text(str(value))
    # Excel takes text that begins so for a formula and runs it.
    return f"'{text}" if text[:1] in "=+-@" and text and not _NUMBER.fullmatch(text) else text


def list_as_csv(assessment: Assessment, kind: str) -> str:
    """
    Lay a supply list out as CSV.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    kind : {"stock", "incremental"}
        Which list.

    Returns
    -------
    str
        A header with units, one row per parcel with its reason, and a last row 合计 whose area is summed in m2, not
        from the rounded 亩 above it. Text that Excel would run as a formula begins with an apostrophe.

    Raises
    ------
    UsageError
        If there is no such list.
    """
    listed = list_supply(assessment, kind)
    titles = {**assessment.provenance.layers, **assessment.provenance.items}
    shown = display(listed.drop(columns=["supply_reason_en"]), titles=titles)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column("parcel_id").header(), *shown.columns])
    for pid, row in zip(listed.index, shown.itertuples(index=False), strict=True):
        writer.writerow([_cell(str(pid)), *map(_cell, row)])
    total = f"{convert(float(listed['area_m2'].sum()), 'm2', '亩'):.2f}"
    area = column("area_m2").header()
    count = column("parcel_name").header()
    sums = {area: total, count: f"{len(listed)} 宗"}
    writer.writerow(["合计", *(sums.get(str(name), "") for name in shown.columns)])
    return out.getvalue()
