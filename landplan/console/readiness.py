"""Readiness on the terminal: what a parcel still needs, where all of them stand, and what would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.console.lines import open_console, print_table, say
from landplan.schema import column
from landplan.units import convert

if TYPE_CHECKING:
    from landplan.tables import Assessment
    from landplan.verdict import Reason
    from landplan.workdays import Clock

__all__ = ["print_changes", "print_clock", "print_gap_sums", "print_gaps"]


def _day(value: Any) -> str:
    return "" if pd.isna(value) else pd.Timestamp(value).strftime("%Y-%m-%d")


def _wan(value: Any) -> str:
    return "" if pd.isna(value) else f"{convert(float(value), '元', '万元'):,.2f}"


def _whole(value: Any) -> str:
    return "" if pd.isna(value) else str(int(value))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is(value: Any) -> bool:
    return bool(pd.notna(value) and value)


def print_gaps(
    assessment: Assessment, parcel_id: str, rows: pd.DataFrame, due: date | None, spare: int | None
) -> None:
    """
    Print the 用地清单 of one parcel.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    parcel_id : str
        The parcel.
    rows : DataFrame
        Its tasks.
    due : date or None
        A day it should be ready by.
    spare : int or None
        Working days between the day it could be ready and ``due``; None where that is not known.
    """
    out, parcel = open_console(), assessment.parcels.loc[parcel_id]
    name = _plain(parcel.get("parcel_name", ""))
    day = assessment.provenance.as_of.isoformat()
    tier, verdict = (column(part).word(str(parcel[part])) for part in ("tier", "verdict"))
    say(out, f"{parcel_id}{' ' if name else ''}{name}　{tier}　{verdict}　评定日 {day}")
    if parcel.get("event_sale_state") == "done":
        say(out, "已出让，不再列用地清单")
        return
    if rows.empty:
        say(out, "没有待办事项")
    else:
        heads = [
            "",
            "事项",
            "类别",
            "状态",
            "责任方",
            "办理机关",
            "工作日",
            "费用\n（万元）",
            "最早开始",
            "最早完成",
        ]
        cells = [
            ["★" if _is(row["is_critical"]) else "", _plain(row["title"]), column("task_group").word(row["task_group"]),
             column("task_state").word(row["task_state"]), _plain(row["party"]), _plain(row["office"]), _whole(row["days"]),
             _wan(row["cost_cny"]), _day(row["start_on"]), _day(row["finish_on"])]
            for row in rows.to_dict("records")
        ]  # fmt: skip
        print_table(heads, cells, right=(6, 7), whole=(0, 3, 8, 9))
    say(out, _ready(parcel, due, spare))


def _ready(parcel: Any, due: date | None, spare: int | None) -> str:
    cost = _wan(parcel["ready_cost_cny"])
    money = f"，费用 {cost} 万元" if cost else "，费用未知（有事项未写费用）"
    if pd.isna(parcel["ready_on"]):
        text = f"最早具备条件日：无法确定（★ 事项没有可用的工作日）{money}"
        return text + (f"；能否在 {due} 前完成：无法确定" if due else "")
    provisional = "，日期暂定（有年份尚无放假安排）" if _is(parcel["is_ready_tentative"]) else ""
    text = f"最早具备条件日：{_day(parcel['ready_on'])}，{_whole(parcel['ready_days'])} 个工作日{money}{provisional}"
    if due is not None and spare is not None:
        text += f"；要求 {due}：" + (
            f"可以，余 {spare} 个工作日" if spare >= 0 else f"赶不上，晚 {-spare} 个工作日"
        )
    return text


def print_gap_sums(assessment: Assessment, sums: pd.DataFrame, due: date | None) -> None:
    """
    Print where every parcel stands.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    sums : DataFrame
        As ``readiness.sum_gaps`` gives.
    due : date or None
        The day they should be ready by.
    """
    out = open_console()
    say(
        out,
        f"用地清单汇总　评定日 {assessment.provenance.as_of.isoformat()}" + (f"　要求 {due}" if due else ""),
    )
    heads = ["地块编号", "名称", "成熟度", "结论", "待办", "最早具备", "工作日", "费用\n（万元）", "最先要办"]
    heads += ["余（工作日）"] if due else []
    rows = []
    for pid, row in zip(sums.index.astype("str"), sums.to_dict("records"), strict=True):
        provisional = "（暂定）" if _is(row["is_ready_tentative"]) else ""
        cells = [
            pid, _plain(row.get("parcel_name")), column("tier").word(row["tier"]), column("verdict").word(row["verdict"]),
            _whole(row["task_count"]), f"{_day(row['ready_on']) or '未知'}{provisional}", _whole(row["ready_days"]),
            _wan(row["ready_cost_cny"]), row["next_move"],
        ]  # fmt: skip
        rows.append(cells + ([_whole(row["days_to_spare"]) or "未知"] if due else []))
    print_table(heads, rows, right=(4, 6, 7, 9) if due else (4, 6, 7), whole=(0, 5))
    known = int(sums["ready_on"].notna().sum())
    say(out, f"合计 {len(sums)} 宗，其中 {known} 宗可算出最早具备条件日，{len(sums) - known} 宗无法确定")
    if due is not None:
        spare = sums["days_to_spare"]
        say(
            out,
            f"{due} 前可具备 {int((spare >= 0).sum())} 宗，赶不上 {int((spare < 0).sum())} 宗，"
            f"无法确定 {int(spare.isna().sum())} 宗",
        )


def print_changes(
    changes: pd.DataFrame, reasons: Mapping[str, Sequence[Reason]], names: tuple[str, str], count: int
) -> None:
    """
    Print which verdicts change.

    Parameters
    ----------
    changes : DataFrame
        As ``readiness.compare_verdicts`` gives.
    reasons : mapping of str to sequence of Reason
        Why each is judged as it is now.
    names : tuple of str
        What was compared, before and after.
    count : int
        Parcels judged.
    """
    out = open_console()
    say(out, f"{names[0]} → {names[1]}：{count} 宗中 {len(changes)} 宗结论改变")
    if changes.empty:
        return
    rows = []
    for row in changes.to_dict("records"):
        decisive = [reason.text for reason in reasons.get(row["parcel_id"], ()) if reason.is_decisive]
        words = [
            column(part).word(row[part]) if isinstance(row[part], str) else "（无此地块）"
            for part in ("verdict_before", "verdict_after")
        ]
        cells = [_plain(row[part]) for part in ("rules_opened", "rules_closed")]
        rows.append([row["parcel_id"], *words, *cells, decisive[0] if decisive else ""])
    print_table(
        ["地块编号", "原结论", "新结论", "新增未过", "不再未过", "新结论的首要理由"], rows, whole=(0, 1, 2)
    )
    moves = Counter(zip(changes["verdict_before"], changes["verdict_after"], strict=True))
    for (before, after), number in sorted(moves.items(), key=str):
        told = [
            column("verdict").word(part) if isinstance(part, str) else "（无）" for part in (before, after)
        ]
        say(out, f"{told[0]} → {told[1]}：{number} 宗")


def print_clock(clock: Clock, as_of: date) -> None:
    """
    Print how a time limit stands.

    Parameters
    ----------
    clock : Clock
        As ``workdays.run_clock`` gives.
    as_of : date
        The day it is looked at.
    """
    out = open_console()
    states = {"running": "进行中", "stopped": "中止", "done": "已完成", "late": "已逾期"}
    due = clock.due_on.isoformat() if clock.due_on else "未知（中止未结束）"
    say(out, f"起算日 {clock.start_on}（当日不计）　时限 {clock.days} 个工作日　截止日 {due}")
    left = f"剩余 {clock.left}" if clock.left >= 0 else f"超期 {-clock.left}"
    say(out, f"截至 {as_of}：{states[clock.state]}　已用 {clock.used} 个工作日　{left} 个工作日")
    if clock.unknown_years:
        years = "、".join(map(str, clock.unknown_years))
        say(out, f"注意　{years} 年没有放假安排，按法定节假日推算、未计调休，日期为暂定")
        say(out, f"    no notice of days off for {years}: provisional")
