"""Commands on readiness: what is missing, the planning conditions of a parcel, working days, and what a rulebook would change."""

from __future__ import annotations

import json
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landplan.cli.app import Day, cli, day_option, format_option, print_json, project_option, recorded, today
from landplan.cli.tools import rules
from landplan.errors import Fault, UsageError

if TYPE_CHECKING:
    from landplan.project import Project
    from landplan.rules import Rulebook
    from landplan.tables import Assessment
    from landplan.workdays import WorkCalendar


def _calendar(project: Project | None, path: Path | None = None) -> WorkCalendar:
    from landplan.workdays import load_calendar

    part = getattr(project, "calendar", None)
    return load_calendar(path or (None if project is None or part is None else project.path(part.path)))


def _known(assessment: Assessment, parcel_id: str) -> str:
    if parcel_id in assessment.parcels.index:
        return parcel_id
    near = get_close_matches(parcel_id, [str(pid) for pid in assessment.parcels.index], n=8)
    raise UsageError(
        Fault(
            en=f"there is no parcel {parcel_id!r}.",
            zh=f"没有编号为“{parcel_id}”的地块。",
            mend_en=f"similar numbers: {', '.join(near) or 'none'}",
            mend_zh=f"相近编号：{'、'.join(near) or '无'}",
        )
    )


@cli.command(short_help="用地清单：还缺什么 / what is missing")
@click.argument("parcel_id", required=False)
@project_option
@day_option
@click.option("--due", type=Day(), help="须在哪一天前具备 / ready by")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="写到文件 .csv .json .xlsx / write to a file"
)
@format_option("text", "csv", "json", "xlsx")
def gaps(
    parcel_id: str | None, project: Path, as_of: date | None, due: date | None, output: Path | None, form: str
) -> None:
    """用地清单：一宗或全部地块还缺什么、谁办、几个工作日、多少钱、最早哪天具备（★ 为关键）/ what is missing, whose move."""
    from landplan.console.readiness import print_gap_sums, print_gaps
    from landplan.project import load_project
    from landplan.readiness import list_gaps, sum_gaps

    loaded = load_project(project)
    assessment = recorded(project, as_of)
    if parcel_id is not None:
        _known(assessment, parcel_id)
    rows = list_gaps(assessment, parcel_id)
    sums = sum_gaps(assessment, _calendar(loaded), due)
    if parcel_id is not None:
        sums = sums[sums.index == parcel_id]
    if output is not None:
        form = output.suffix.lstrip(".").lower()
    if form == "xlsx":
        from landplan.reports.gaps import write_gaps

        target = (
            output or loaded.output / f"用地清单{'' if parcel_id is None else f'_{_safe(parcel_id)}'}.xlsx"
        )
        click.echo(f"已写 {write_gaps(assessment, rows, sums, target, due)}")
    elif form == "text" and output is None:
        if parcel_id is None:
            print_gap_sums(assessment, sums, due)
        else:
            spare = _whole(sums["days_to_spare"].iloc[0]) if due is not None and len(sums) else None
            print_gaps(assessment, parcel_id, rows, due, spare)
    elif form in ("csv", "json"):
        from landplan.reports.gaps import gaps_as_csv

        text = gaps_as_csv(assessment, rows) if form == "csv" else _as_json(assessment, rows, sums, due)
        _give(text, output, form)
    else:
        raise UsageError(
            Fault(
                en=f"a checklist is not written as .{form}.",
                zh=f"用地清单不能写成 .{form}。",
                mend_en="use .csv, .json or .xlsx",
                mend_zh="用 .csv、.json 或 .xlsx",
            )
        )


def _whole(value: Any) -> int | None:
    import pandas as pd

    return None if pd.isna(value) else int(value)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)


def _as_json(assessment: Assessment, rows: Any, sums: Any, due: date | None) -> str:
    def records(frame: Any) -> Any:
        return json.loads(
            frame.to_json(orient="records", date_format="iso", date_unit="s", force_ascii=False)
        )

    return json.dumps(
        {
            "schema_version": "1",
            "as_of": assessment.provenance.as_of.isoformat(),
            "due": None if due is None else due.isoformat(),
            "parcels": records(sums.reset_index()),
            "tasks": records(rows),
        },
        ensure_ascii=False,
        indent=2,
    )


def _give(text: str, output: Path | None, form: str) -> None:
    if output is None:
        # Text streams end lines their own way; \r\n written there becomes \r\r\n on Windows.
        click.echo(text.replace("\r\n", "\n").rstrip("\n"))
        return
    from landplan.publish import publish_text

    # Excel and WPS take a CSV for GBK unless it begins with a byte order mark.
    publish_text(output, text, encoding="utf-8-sig" if form == "csv" else "utf-8")
    click.echo(f"已写 {output}")


@cli.command(short_help="规划条件告知单 / planning conditions of a parcel")
@click.argument("parcel_id")
@project_option
@day_option
@click.option("--output", "-o", type=click.Path(path_type=Path), help="文件 .html .xlsx / file to write")
def conditions(parcel_id: str, project: Path, as_of: date | None, output: Path | None) -> None:
    """规划条件告知单：一宗地的控制指标、限值、条款、日期，计算面积与登记面积并列，留实测面积空格；可打印 A4。

    The planning conditions of a parcel on one page of paper: indicators, limits, clauses, days; areas side by side.
    """
    from landplan.project import load_project
    from landplan.reports.conditions import write_conditions

    loaded = load_project(project)
    assessment = recorded(project, as_of)
    target = output or loaded.output / f"规划条件告知_{_safe(_known(assessment, parcel_id))}.html"
    _known(assessment, parcel_id)
    click.echo(f"已写 {write_conditions(assessment, parcel_id, target)}")


@cli.command(short_help="工作日时限 / a time limit in working days")
@click.argument("start", type=Day())
@click.argument("days", type=click.IntRange(min=1))
@day_option
@click.option(
    "--stop", "stops", multiple=True, help="中止期间 起:止，如 2026-10-12:2026-10-16 / suspension from:until"
)
@click.option("--done", type=Day(), help="办结日 / day it was done")
@click.option(
    "--calendar", type=click.Path(path_type=Path), help="补充的工作日历 / calendar of years not yet known"
)
@format_option("text", "json")
def workdays(
    start: date,
    days: int,
    as_of: date | None,
    stops: tuple[str, ...],
    done: date | None,
    calendar: Path | None,
    form: str,
) -> None:
    """从 START 起 DAYS 个工作日：截止日、已用、剩余，扣除中止期间，按放假安排计调休 / due day, used and left."""
    from landplan.console.readiness import print_clock
    from landplan.workdays import run_clock

    day = as_of or today()
    clock = run_clock(
        start, days, _calendar(None, calendar), day, stops=[_stop(text) for text in stops], done_on=done
    )
    if form == "json":
        print_json({"schema_version": "1", "as_of": day.isoformat(), **vars(clock)})
    else:
        print_clock(clock, day)


def _stop(text: str) -> Any:
    from landplan.workdays import Stop

    begin, _, end = text.partition(":")
    try:
        on, until = (
            date.fromisoformat(begin.strip()),
            date.fromisoformat(end.strip()) if end.strip() else None,
        )
    except ValueError:
        on, until = date.min, date.min
    if on == date.min or (until is not None and until < on):
        raise UsageError(
            Fault(
                en=f"{text!r} is no span of days.",
                zh=f"“{text}”不是起止日期。",
                mend_en="write 2026-10-12:2026-10-16, or 2026-10-12: while it lasts",
                mend_zh="写成 2026-10-12:2026-10-16；仍在中止的写 2026-10-12:",
            )
        )
    return Stop(on, until)


@rules.command("diff", short_help="换规则集或指标值，哪些结论会变 / what would change")
@click.argument("books", nargs=-1, metavar="[BOOK_A] [BOOK_B]")
@project_option
@day_option
@click.option(
    "--set", "changes", multiple=True, help="试一个值：地块:指标=数值 单位；全部地块用 * / try a value"
)
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    help="先查找的文件夹 / folders searched first",
)
@click.option(
    "--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="语言 / language"
)
@format_option("text", "csv", "json")
def rules_diff(
    books: tuple[str, ...], project: Path, as_of: date | None, changes: tuple[str, ...], folders: tuple[Path, ...],
    lang: str, form: str,
) -> None:  # fmt: skip
    """换一个规则集或版本，或改一个指标值，哪些地块的结论会变、因哪条规则；地块不重新量算。

    BOOK_A 与 BOOK_B 相比；只写一个则与项目所用的相比；不写则以项目所用的规则集试 --set 的值。
    Which verdicts change between rulebooks, or with other values; nothing is measured anew.
    """
    from landplan.console.readiness import print_changes
    from landplan.project import load_project, project_rulebook
    from landplan.readiness import compare_verdicts, read_changes, rejudge
    from landplan.verdict import why_all

    if len(books) > 2 or not (books or changes):
        raise UsageError(
            Fault(
                en="name one or two rulebooks, or a value with --set.",
                zh="请写一至两个规则集，或用 --set 写要试的值。",
                mend_en="e.g. landplan rules diff example.kaifaqu 规则/新.yaml -p 项目",
                mend_zh="如 landplan rules diff example.kaifaqu 规则/新.yaml -p 项目",
            )
        )
    loaded = load_project(project)
    assessment = recorded(project, as_of)
    own = project_rulebook(loaded)
    searched = [*folders, *([loaded.path(loaded.rules.folder)] if loaded.rules.folder else [])]
    named = [_load(text, searched) for text in books]
    first, last = ([own, own, *named])[-2:]
    tried = read_changes(changes, assessment)
    before, after = rejudge(assessment, first), rejudge(assessment, last, tried)
    table = compare_verdicts(before, after)
    after_name = f"{last.name}{f'（改值 {len(tried)} 处）' if tried else ''}"
    if form == "text":
        reasons = why_all(after, lang, list(table["parcel_id"]))
        print_changes(table, reasons, (first.name, after_name), len(assessment.parcels))
    elif form == "csv":
        _give(table.to_csv(index=False), None, form)
    else:
        print_json(
            {
                "schema_version": "1",
                "as_of": assessment.provenance.as_of.isoformat(),
                "before": {"rulebook": first.name, "sha256": [book.sha256 for book in first.books]},
                "after": {"rulebook": last.name, "sha256": [book.sha256 for book in last.books]},
                "set": [vars(change) for change in tried],
                "parcels": len(assessment.parcels),
                "changes": json.loads(table.to_json(orient="records", force_ascii=False)),
            }
        )


def _load(text: str, folders: list[Path]) -> Rulebook:
    from landplan.rules import load_rulebook

    is_file = text.endswith((".yaml", ".yml")) or Path(text).is_file()
    return load_rulebook(Path(text) if is_file else text, folders=folders)
