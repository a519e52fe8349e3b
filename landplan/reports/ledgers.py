"""Sheets that stand in the workbook where there is something to say: structure of supply, reserve, batches, tasks, registers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import ConfigError
from landplan.registers import filter_register, load_declaration
from landplan.reports.page import Cell, Field, Page, fields_of
from landplan.resources import balance_funds, list_buildings, measure_headroom, measure_usage
from landplan.schema import Column, coerce, column, dictionary
from landplan.supply import ADMISSION, board_batches, reserve_of
from landplan.supply.books import BOOK_RULE, book_areas
from landplan.workdays import add_workdays, load_calendar

if TYPE_CHECKING:
    from pandas import DataFrame

    from landplan.project import Project
    from landplan.tables import Assessment

__all__ = ["list_sheets"]

Fill = Callable[[Page], None]

_AXES = ("approval_axis", "servicing_axis", "sale_axis", "occupation_axis")
_COUNT, _AREA = '0;-0;"—"', '#,##0.00;-#,##0.00;"—"'
_TASKS = (
    "parcel_id", "title", "task_group", "task_state", "is_critical", "party", "office", "days", "cost_cny", "start_on",
    "finish_on", "after",
)  # fmt: skip
_RESERVE = ("admission", "admission_missing", "entry_on", "age_days", "exit_on", "exit_cause")
_LAND = ("parcel_name", "zone_name", "area_m2", "verdict", "tier")
_SUMMED = ("capacities", "buildings", "budget", "batches")
"""Registers that have a sheet of their own, made of them."""

_BAD_NAME = re.compile(r"[\[\]:*?/\\']")
_LONGEST_NAME = 31


def list_sheets(
    assessment: Assessment, project: Project | None = None
) -> tuple[dict[str, Fill], dict[str, Fill]]:
    """
    Choose the sheets an assessment has something to say on.

    Parameters
    ----------
    assessment : Assessment
        What was judged. Not changed.
    project : Project or None
        What it asks of batches and of the reserve, and where its own declarations of registers stand.

    Returns
    -------
    dict of str to callable
        Lists made of the judgement, by the name of the sheet, in order: 供应结构, 储备库, 报批批次, 用地清单, 要素台账,
        厂房楼宇, 前期经费; one that would be empty is left out.
    dict of str to callable
        Other registers with rows, by their titles.
    """
    lists: dict[str, Fill] = {}
    for name, make in _LISTS.items():
        fill = make(assessment, project)
        if fill is not None:
            lists[name] = fill
    registers: dict[str, Fill] = {}
    for name, frame in assessment.registers.items():
        if len(frame) and name not in _SUMMED:
            title, fill = _register(assessment, name, frame, project)
            registers[_sheet_name(title, {*lists, *registers})] = fill
    return lists, registers


def _sheet_name(title: str, taken: set[str]) -> str:
    """Give a name Excel takes, and no other sheet has."""
    plain = _BAD_NAME.sub("", title).strip()[:_LONGEST_NAME] or "登记簿"
    name, number = plain, 2
    while name in taken:
        name = f"{plain[: _LONGEST_NAME - 3]} {number}"
        number += 1
    return name


def _sheet(
    assessment: Assessment,
    title: str,
    notes: Sequence[str],
    fields: list[Field],
    total: Sequence[Cell] | None = None,
) -> Fill:
    def fill(page: Page) -> None:
        page.fit(fields)
        page.title(title, notes, span=min(len(fields), 10), is_sample=assessment.provenance.is_sample)
        left_over = page.table(fields, total=total)
        if left_over:
            page.write(page.row, 0, f"另有 {left_over} 行超出工作表上限，见同名 GeoPackage。", bold=True)
            page.row += 1

    return fill


def _total(fields: Sequence[Field], sums: dict[str, Cell]) -> list[Cell]:
    """The row under a table: sums by the header of their column."""
    return [sums.get(item.header) for item in fields]


def _book(area_m2: pd.Series[Any]) -> float:
    return int(book_areas(area_m2).sum()) / 100


def _structure(assessment: Assessment, _: Project | None) -> Fill | None:
    parcels = assessment.parcels
    if "stock_kind" not in parcels or parcels.empty:
        return None
    kinds = [code for code in column("stock_kind").values if (parcels["stock_kind"] == code).any()]
    # Whoever has no kind counts all the same: the table closes against the parcels, not against itself.
    kind = parcels["stock_kind"].fillna("unknown").to_numpy(dtype=object)
    kinds = [*kinds, *([] if "unknown" in kinds or "unknown" not in kind else ["unknown"])]
    hundredths = book_areas(parcels["area_m2"])
    unmeasured = int(hundredths.isna().sum())
    cents = hundredths.fillna(0).to_numpy(dtype="int64")
    notes = [BOOK_RULE[0], "每张表的合计都等于全部地块。"]
    if unmeasured:
        notes.append(f"其中 {unmeasured} 宗面积未知，计宗数，不计面积。")

    def fill(page: Page) -> None:
        for place, width in enumerate([18, *[10, 12] * (len(kinds) + 1)]):
            page.widths[place] = width
            page.sheet.set_column(place, place, width)
        page.sheet.fit_to_pages(1, 0)
        page.title("供应结构", notes, span=9, is_sample=assessment.provenance.is_sample)
        for number, axis in enumerate(name for name in _AXES if name in parcels):
            declared = column(axis)
            page.write(
                page.row, 0, f"{'一二三四'[number]}、{declared.label()} × 存量类型", bold=True, font_size=11
            )
            page.sheet.set_row(page.row, 20)
            page.row += 1
            values = parcels[axis].fillna("unknown").to_numpy(dtype=object)
            rows = [code for code in declared.values if (values == code).any()]
            fields = [Field(declared.label(), [*(declared.word(code) for code in rows)])]
            total: list[Cell] = ["合计"]
            for code in (*kinds, None):
                held = np.ones(len(kind), dtype=bool) if code is None else kind == code
                word = "合计" if code is None else column("stock_kind").word(code)
                cells = [held & (values == row) for row in rows]
                fields.append(Field(f"{word}\n（宗）", [int(cell.sum()) for cell in cells], _COUNT))
                fields.append(
                    Field(f"{word}\n（亩）", [int(cents[cell].sum()) / 100 for cell in cells], _AREA)
                )
                total += [int(held.sum()), int(cents[held].sum()) / 100]
            page.table(fields, is_list=False, total=total)
            page.row += 1

    return fill


def _with_land(rows: DataFrame, parcels: DataFrame) -> DataFrame:
    """Lay beside rows what people know their parcels by."""
    names = [name for name in _LAND if name in parcels and name not in rows]
    land = pd.DataFrame(parcels[names])
    return rows.join(land, on="parcel_id")


def _reserve(assessment: Assessment, project: Project | None) -> Fill | None:
    told = assessment.provenance
    asked = tuple(project.supply.admission) if project else ADMISSION
    rows = reserve_of(assessment, asked)
    if rows.empty:
        return None
    rows = _with_land(rows, assessment.parcels)
    fields = fields_of(rows, ["parcel_id", *_LAND[:3], *_RESERVE, *_LAND[3:]], assessment.provenance.titles)
    inside = rows["exit_on"].isna().to_numpy(dtype=bool)
    area = column("area_m2").header()
    sums: dict[str, Cell] = {fields[0].header: "在库合计", fields[1].header: f"{int(inside.sum())} 宗"}
    sums[area] = _book(rows["area_m2"][inside])
    notes = [
        f"标准地储备库，截至 {told.as_of.isoformat()} 的入库、出库记录；合计只计在库地块。",
        BOOK_RULE[0],
    ]
    return _sheet(assessment, "标准地储备库", notes, fields, _total(fields, sums))


def _batches(assessment: Assessment, project: Project | None) -> Fill | None:
    members = assessment.registers.get("batches")
    if members is None or members.empty:
        return None
    steps = assessment.registers.get("batch_events", coerce(pd.DataFrame(), "batch_events"))
    calendar = load_calendar(project.path(project.calendar.path) if project and project.calendar else None)
    board = board_batches(
        members,
        steps,
        assessment.parcels,
        assessment.provenance.as_of,
        project.supply.batch_requires if project else (),
        lambda day, count: add_workdays(day, count, calendar),
        assessment.provenance.items,
    ).reset_index()
    fields = fields_of(board, [str(name) for name in board.columns], assessment.provenance.titles)
    listed = members.groupby("batch_no", sort=False)["parcel_id"].agg(
        lambda ids: "、".join(ids.astype("str"))
    )
    numbers = [listed.get(no, "") for no in board["batch_no"]]
    fields.append(Field("所含地块", [*numbers], widest=60))
    notes = ["每行一个批次：当前环节、已历天数（自然日）、上报前置条件；一宗地可先后列入几个批次。"]
    return _sheet(assessment, "报批批次", notes, fields)


def _tasks(assessment: Assessment, _: Project | None) -> Fill | None:
    tasks = assessment.tasks
    if tasks.empty:
        return None
    titles = assessment.provenance.titles
    titles |= {
        str(item): title
        for item, title in zip(tasks["item"], tasks["title"], strict=True)
        if isinstance(title, str)
    }
    fields = fields_of(tasks, _TASKS, titles)
    notes = [
        "每行一项待办：谁来办、几个工作日、多少费用、最早何时办完；“关键”为“是”的，晚一天就整体晚一天。",
        "工作日和费用由使用单位填写，没有填写的为未知，不按零计。",
    ]
    return _sheet(assessment, "用地清单", notes, fields)


def _capacities(assessment: Assessment, _: Project | None) -> Fill | None:
    capacities = assessment.registers.get("capacities")
    if capacities is None or capacities.empty:
        return None
    as_of = assessment.provenance.as_of
    nodes, _issues = measure_headroom(capacities, assessment.registers.get("holds"), as_of)
    if nodes.empty:
        return None
    names = [
        "resource", "node", "zone_code", "headroom", "unit", "capacity", "used", "committed", "reserved", "measured_on",
        "is_stale",
    ]  # fmt: skip
    notes = [
        f"每个节点截至 {as_of.isoformat()} 的最近一行；余量 = 总容量 - 已用 - 已承诺 - 已预留（含在册占用），单位见“单位”列。",
        "超过一个季度未更新的为“已过期”，依据它的结论转为待补正；余量空白为无法计算。",
    ]
    return _sheet(assessment, "要素台账", notes, fields_of(nodes, names, assessment.provenance.titles))


def _buildings(assessment: Assessment, _: Project | None) -> Fill | None:
    buildings = assessment.registers.get("buildings")
    if buildings is None or buildings.empty:
        return None
    as_of = assessment.provenance.as_of
    rows, _issues = list_buildings(buildings, as_of)
    if rows.empty:
        return None
    usage = measure_usage(rows).iloc[-1]
    names = [
        one.name
        for one in dictionary().values()
        if {"buildings", "buildings_list"} & set(one.tables) and one.name not in ("source", "source_row")
    ]
    ordered = ["building_id", "storey", "building_name", "building_kind", "parcel_id", "zone_code"]
    fields = fields_of(
        rows, [*ordered, *(name for name in names if name not in ordered)], assessment.provenance.titles
    )
    fields = [item for item in fields if any(value is not None for value in item.values)]
    notes = [f"每栋（层）截至 {as_of.isoformat()} 的最近一行，空置多的在前；超过一个季度未更新的为“已过期”。"]
    if usage["usage_printed"]:
        left = f"；另有 {usage['unmeasured']} 行面积不明或有误，未计入" if usage["unmeasured"] else ""
        notes.append(
            f"使用率 {usage['usage_printed']}（{usage['used_m2']:,.2f} / {usage['built_m2']:,.2f} ㎡，四舍五入{left}）。"
        )
    return _sheet(assessment, "厂房楼宇", notes, fields)


def _funds(assessment: Assessment, _: Project | None) -> Fill | None:
    budget = assessment.registers.get("budget", coerce(pd.DataFrame(), "budget"))
    spent = assessment.registers.get("commitments", coerce(pd.DataFrame(), "commitments"))
    if budget.empty and spent.empty:
        return None
    parcels = assessment.parcels
    readied = None
    if "clear_land" in parcels:
        readied = parcels["area_m2"][(parcels["clear_land"] == "yes").to_numpy(dtype=bool)]
    rows = balance_funds(budget, spent, assessment.provenance.as_of, readied)
    if rows.empty:
        return None
    names = [one.name for one in dictionary().values() if "funds" in one.tables]
    ordered = ["year", "head", "amount_cny", "committed_cny", "balance_cny"]
    fields = fields_of(rows, [*ordered, *(name for name in names if name not in ordered)], {})
    notes = [
        "每行一个年度一个科目：预算、已安排、余额；有安排而无预算的科目，余额为未知。",
        "单位面积费用只计净地地块：本科目安排到这些地块的费用除以其面积。",
    ]
    return _sheet(assessment, "前期经费", notes, fields)


_LISTS: dict[str, Callable[[Assessment, Project | None], Fill | None]] = {
    "供应结构": _structure,
    "储备库": _reserve,
    "报批批次": _batches,
    "用地清单": _tasks,
    "要素台账": _capacities,
    "厂房楼宇": _buildings,
    "前期经费": _funds,
}


def _register(
    assessment: Assessment, name: str, frame: DataFrame, project: Project | None
) -> tuple[str, Fill]:
    part = project.registers.get(name) if project else None
    folders = [project.path("登记表")] if project else []
    as_of = assessment.provenance.as_of
    columns: dict[str, Column]
    try:
        declared = load_declaration((part.declaration if part else None) or name, folders)
        title, columns = declared.title("zh"), declared.columns
        live = filter_register(frame, declared, as_of=as_of)
        notes = [
            f"{declared.about_zh}。截至 {as_of.isoformat()} 有效的 {len(live)} 行，登记簿共 {len(frame)} 行。"
        ]
    except ConfigError:  # its declaration is not at hand where a saved assessment is opened elsewhere
        title, columns, live = name, {}, frame
        notes = ["没有找到这个登记簿的声明，照原样列出。"]
    known = [n for n in live.columns if n in columns or n in dictionary()]
    shown = [n for n in (columns or known) if n in live.columns]
    fields = fields_of(live, [str(n) for n in shown], assessment.provenance.titles, columns)
    if not columns:
        fields += [
            Field(str(n), [None if pd.isna(value) else str(value) for value in live[n]])
            for n in live.columns
            if n not in known
        ]
    return title, _sheet(assessment, title, notes, fields)
