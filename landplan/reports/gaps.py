"""用地清单 on paper and for other systems: the workbook of what is still to be done, and its rows as CSV."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.issues import clean_text
from landplan.reports.book import publish_report
from landplan.reports.fields import titles_of
from landplan.reports.page import Cell, Field, Page, fields_of
from landplan.schema import column, display
from landplan.units import convert

if TYPE_CHECKING:
    from landplan.tables import Assessment

__all__ = ["gaps_as_csv", "write_gaps"]

_ROWS = (
    "parcel_id", "is_critical", "title", "task_group", "task_state", "party", "office", "days", "cost_cny", "start_on",
    "finish_on", "after", "item",
)  # fmt: skip
_SUMS = (
    "parcel_id", "parcel_name", "zone_name", "tier", "verdict", "task_count", "ready_on", "is_ready_tentative", "ready_days",
    "ready_cost_cny",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@")
_NOTES = (
    "★ 为关键事项：在此多一天，具备条件就晚一天；日期无法确定时，为没有可用工作日、使日期无法确定的事项。",
    "工作日按国务院放假安排计，含调休；工作日和费用由使用单位填写，没有填写的为未知，不按零计。"
    "不能证明已办的事项按全部工作日计。",
)


def gaps_as_csv(assessment: Assessment, rows: pd.DataFrame) -> str:
    """
    Lay tasks out as CSV.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    rows : DataFrame
        Rows of its tasks.

    Returns
    -------
    str
        A header with units, one row per task. Text that Excel would run as a formula begins with an apostrophe.
    """
    shown = display(rows[list(_ROWS)], titles=assessment.provenance.titles)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(shown.columns)
    for row in shown.itertuples(index=False):
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def write_gaps(
    assessment: Assessment, rows: pd.DataFrame, sums: pd.DataFrame, path: Path, due: date | None = None
) -> Path:
    """
    Write the 用地清单 as a workbook.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    rows : DataFrame
        Rows of its tasks.
    sums : DataFrame, indexed by parcel_id
        As ``readiness.sum_gaps`` gives.
    path : Path
        Name of the file, ending in ``.xlsx``; a former one is replaced in one step.
    due : date or None
        The day the sums were held against.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    StoreError
        If the place cannot be written, or the file is open in Excel or WPS; the old one stays.
    """
    return publish_report(
        path,
        {
            "汇总": lambda page: _sums(page, assessment, sums, due),
            "用地清单": lambda page: _rows(page, assessment, rows),
        },
        assessment,
        "用地清单",
        names_books=False,
    )


def _sums(page: Page, assessment: Assessment, sums: pd.DataFrame, due: date | None) -> None:
    frame = sums.reset_index(names="parcel_id")
    fields = fields_of(frame, _SUMS, assessment.provenance.titles)
    fields.append(Field("最先要办", frame["next_move"].tolist()))
    if due is not None:
        spare: list[Cell] = [None if pd.isna(value) else int(value) for value in frame["days_to_spare"]]
        fields.append(Field(f"距 {due} 余（工作日）", spare, "0"))
    page.fit(fields)
    cost = float(frame["ready_cost_cny"].sum())
    known = int(frame["ready_cost_cny"].notna().sum())
    notes = [*_NOTES, f"费用已知的 {known} 宗合计 {convert(cost, '元', '万元'):,.2f} 万元。"]
    page.title("用地清单汇总", notes, span=min(len(fields), 9), is_sample=assessment.provenance.is_sample)
    page.table(fields, empty="（没有地块）")


def _rows(page: Page, assessment: Assessment, rows: pd.DataFrame) -> None:
    fields = fields_of(rows, [name for name in _ROWS if name != "is_critical"], assessment.provenance.titles)
    stars: list[Cell] = ["★" if value else None for value in rows["is_critical"].fillna(False)]
    fields.insert(1, Field(column("is_critical").label("zh"), stars))
    # Codes of what comes before are for programs; people read the titles.
    titles = dict(zip(rows["item"], rows["title"], strict=True))
    for item in fields:
        if item.header == column("after").label("zh"):
            item.values = [titles_of(value, titles) for value in item.values]
    page.fit(fields)
    page.title("用地清单", list(_NOTES), span=9, is_sample=assessment.provenance.is_sample)
    left_over = page.table(fields, empty="（没有待办事项）")
    if left_over:
        page.write(page.row, 0, f"另有 {left_over} 行超出工作表上限，见结果文件的 tasks 表。", bold=True)
        page.row += 1


def _cell(value: Any) -> str:
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124 - NaN
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    text = clean_text(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text
