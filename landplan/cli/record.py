"""The command that records: events of parcels, zones and batches, decisions, money, and what takes them back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landplan.cli.app import Day, cli, format_option, project_option
from landplan.cli.ledger import (
    fault_unknown,
    known_parcels,
    ledger_of,
    read_own_register,
    say_entries,
    tell_issues,
    write,
)
from landplan.errors import Fault, UsageError

if TYPE_CHECKING:
    from landplan.ledger import Draft
    from landplan.project import Project

_DECISIONS = ("override", "commitment", "void")


@cli.command(short_help="记入总账，只增不改 / record; never edited")
@click.argument("item", required=False)
@click.option("--parcel", "parcels", multiple=True, help="地块编号，可多次 / parcel, may be repeated")
@click.option("--batch", help="报批批次号 / batch of approval")
@click.option("--zone", help="开发区代码：记到其全部地块 / every parcel of a zone")
@click.option("--on", "day", type=Day(), help="发生日期 / day of the fact")
@click.option("--state", help="状态，默认 完成 / state; done")
@click.option("--until", type=Day(), help="有效期至，含当日 / last day, included")
@click.option("--days", type=click.IntRange(min=0), help="批次环节所用工作日 / working days of a batch step")
@click.option("--party", help="责任方 / party")
@click.option("--document", help="文号 / document")
@click.option("--amount", type=float, help="数量；经费为金额 / amount, or money")
@click.option("--unit", default="元", show_default=True, help="金额单位 / unit of money")
@click.option("--by", help="经办人或决定人 / person")
@click.option("--note", help="备注 / note")
@click.option("--rule", help="override：规则编号 / rule overridden")
@click.option("--grounds", help="override、void：理由 / why")
@click.option("--head", help="commitment：经费科目 / budget head")
@click.option("--year", type=int, help="commitment：预算年度，默认取日期所在年 / budget year")
@click.option("--supersedes", type=int, help="更正第几号记录 / number of the entry this one replaces")
@click.option("--entry", type=int, help="void：作废第几号记录 / number of the entry taken back")
@click.option("--from", "file", type=click.Path(path_type=Path), help="从表格成批记入 / many from a table")
@click.option("--sheet", help="工作表 / sheet")
@click.option("--profile", help="映射文件 / mapping profile")
@click.option("--encoding", help="编码 / encoding")
@click.option("--unchecked", is_flag=True, help="地块编号不核对 / do not look numbers up")
@project_option
@format_option("text", "json")
def record(
    item: str | None,
    parcels: tuple[str, ...],
    batch: str | None,
    zone: str | None,
    file: Path | None,
    project: Path,
    form: str,
    **given: Any,
) -> None:
    """记入一件事：ITEM 为项目 [events.items] 里的代码或名称；只增不改，重复运行不会重复记录。

    \b
    landplan record 净地 --parcel A-1 --on 2026-05-01 --document 示例〔2026〕1号
    landplan record 农转用批复 --batch 2026-03 --on 2026-05-12
    landplan record --from 事项.xlsx
    landplan record override --rule 规则 --parcel A-1 --grounds 理由 --document 文号 --on 日期 --until 日期 --by 决定人
    landplan record commitment --head 文物勘探 --parcel A-1 --amount 3 --unit 万元 --on 日期 --by 经办人
    landplan record void --entry 12 --grounds 录入有误 --by 经办人

    Appends, never edits; the same command run twice records nothing twice.
    """
    from landplan.project import load_project

    loaded = load_project(project)
    if file is not None:
        _record_file(loaded, file, given, form)
        return
    if item is None:
        raise UsageError(
            Fault(
                en="say what is to be recorded, or name a table with --from.",
                zh="请写明记录什么事项，或用 --from 指定表格。",
                mend_en=f"items: {', '.join(_items(loaded).values())}; or {', '.join(_DECISIONS)}",
                mend_zh=f"事项：{'、'.join(_items(loaded).values())}；或 {'、'.join(_DECISIONS)}",
            )
        )
    title = ""
    if item == "void":
        drafts = [_draft_void(given)]
    elif batch is not None:
        if parcels or zone:
            raise UsageError(
                Fault(
                    en="--batch stands alone: a step of a batch is recorded for the batch.",
                    zh="--batch 不能与 --parcel、--zone 同用。",
                )
            )
        drafts = [_draft_batch(loaded, item, batch, given)]
    else:
        numbers = _numbers(loaded, parcels, zone, given["unchecked"])
        title = f"共 {len(numbers)} 宗，"
        if item == "override":
            drafts = _draft_overrides(loaded, numbers, given)
        elif item == "commitment":
            drafts = _draft_commitments(loaded, numbers, given)
        else:
            drafts = _draft_events(loaded, item, numbers, zone, given)
    ledger = ledger_of(loaded)
    say_entries(ledger, write(ledger, drafts), form, title=title)


def _items(project: Project) -> Mapping[str, str]:
    return project.events.items if project.events is not None else {}


def _item_code(project: Project, given: str) -> str:
    items = _items(project)
    codes = {title.strip(): code for code, title in items.items()} | {code: code for code in items}
    if given not in codes:
        named = [f"{title}（{code}）" for code, title in items.items()]
        more = f"；全部：{'、'.join(named) or '无'}；新事项请先写入 landplan.toml 的 [events.items]"
        raise UsageError(fault_unknown("事项", "item", given, [*items, *items.values(), *_DECISIONS], more))
    return codes[given]


def _numbers(project: Project, parcels: tuple[str, ...], zone: str | None, is_unchecked: bool) -> list[str]:
    """Numbers of the parcels meant; each that is not known is told, with those that come near."""
    known = known_parcels(project)
    if zone is not None:
        if known is None:
            raise UsageError(
                Fault(
                    en="which parcels lie in a zone is known after the first check.",
                    zh="尚未核验，不知道开发区内有哪些地块。",
                    mend_en="run landplan check first",
                    mend_zh="先运行 landplan check",
                )
            )
        within = known.loc[(known["zone_code"] == zone).to_numpy(dtype=bool), "parcel_id"].tolist()
        if not within:
            zones = sorted(known["zone_code"].dropna().unique())
            raise UsageError(fault_unknown("含地块的开发区", "zone with parcels", zone, zones))
        return [*within, *(pid for pid in parcels if pid not in within)]
    if not parcels:
        raise UsageError(
            Fault(
                en="say for which parcel: --parcel, --zone or --batch.",
                zh="请用 --parcel、--zone 或 --batch 写明对象。",
            )
        )
    if known is None and not is_unchecked:
        click.echo("尚未核验，地块编号未核对 / no check yet: numbers are not looked up", err=True)
    elif known is not None and not is_unchecked:
        there = set(known["parcel_id"])
        faults = [
            fault_unknown("地块", "parcel", pid, known["parcel_id"], "；确认无误可加 --unchecked")
            for pid in dict.fromkeys(parcels)
            if pid not in there
        ]
        if faults:
            raise UsageError(*faults)
    return list(dict.fromkeys(parcels))


def _state_code(given: str | None) -> str | None:
    from landplan.schema import column

    if given is None:
        return None
    values = column("state").values
    found = {word: code for code, words in values.items() for word in (code, *words)}.get(given.strip())
    if found is None:
        raise UsageError(fault_unknown("状态", "state", given, [words[0] for words in values.values()]))
    return found


def _draft_events(
    project: Project, item: str, numbers: list[str], zone: str | None, given: Mapping[str, Any]
) -> list[Draft]:
    from landplan.ledger import Draft

    common = {
        "item": _item_code(project, item), "on": given["day"], "state": _state_code(given["state"]),
        "until": given["until"], "amount": given["amount"], "party": given["party"], "document": given["document"],
        "person": given["by"], "note": given["note"], "zone_code": zone, "supersedes": given["supersedes"],
    }  # fmt: skip
    if given["supersedes"] is not None and len(numbers) > 1:
        raise UsageError(
            Fault(en="one entry is replaced by one entry.", zh="更正只能一条对一条，请只写一个地块。")
        )
    return [Draft("event", {"parcel_id": pid, **common}) for pid in numbers]


def _draft_batch(project: Project, item: str, batch: str, given: Mapping[str, Any]) -> Draft:
    from landplan.ledger import Draft

    code = _item_code(project, item)
    batches = read_own_register(project, "batches")
    known = [] if batches is None else sorted(batches["batch_no"].dropna().unique())
    if known and batch not in known and not given["unchecked"]:
        raise UsageError(fault_unknown("批次", "batch", batch, known, "；确认无误可加 --unchecked"))
    body = {
        "batch_no": batch, "item": code, "on": given["day"], "state": _state_code(given["state"]),
        "until": given["until"], "days": given["days"], "party": given["party"], "document": given["document"],
        "person": given["by"], "note": given["note"], "supersedes": given["supersedes"],
    }  # fmt: skip
    return Draft("batch_event", body)


def _draft_overrides(project: Project, numbers: list[str], given: Mapping[str, Any]) -> list[Draft]:
    from landplan.ledger import Draft
    from landplan.project import project_rulebook

    rule = given["rule"]
    rules = project_rulebook(project).levels
    if rule is not None and rule not in rules:
        raise UsageError(fault_unknown("规则", "rule", rule, list(rules)))
    common = {
        "rule_id": rule, "person": given["by"], "grounds": given["grounds"], "document": given["document"],
        "on": given["day"], "until": given["until"], "supersedes": given["supersedes"],
    }  # fmt: skip
    return [Draft("override", {"parcel_id": pid, **common}) for pid in numbers]


def _draft_commitments(project: Project, numbers: list[str], given: Mapping[str, Any]) -> list[Draft]:
    from landplan.ledger import Draft
    from landplan.units import convert

    day: date | None = given["day"]
    head, year = given["head"], given["year"] or (None if day is None else day.year)
    amount = (
        None if given["amount"] is None else float(convert(given["amount"], given["unit"], "元", "money"))
    )
    common = {
        "head": head, "year": year, "amount_cny": amount, "on": day, "person": given["by"],
        "document": given["document"], "supersedes": given["supersedes"],
    }  # fmt: skip
    budget = read_own_register(project, "budget")
    limit = None
    if budget is not None and head is not None:
        heads = sorted(budget["head"].dropna().unique())
        if head not in heads:
            raise UsageError(fault_unknown("经费科目", "budget head", head, heads))
        rows = budget[
            ((budget["head"] == head) & (budget["year"] == year)).fillna(False).to_numpy(dtype=bool)
        ]
        amounts = rows["amount_cny"]
        # One amount that cannot be read leaves the whole unknown: nothing is committed on a guess.
        limit = float(amounts.sum()) if len(rows) and amounts.notna().all() else None
    return [Draft("commitment", {"parcel_id": pid, **common}, limit=limit) for pid in numbers]


def _draft_void(given: Mapping[str, Any]) -> Draft:
    from landplan.ledger import Draft

    body = {
        "voids": given["entry"], "grounds": given["grounds"], "person": given["by"], "document": given["document"],
    }  # fmt: skip
    return Draft("void", body)


def _record_file(project: Project, file: Path, given: Mapping[str, Any], form: str) -> None:
    """Every row that can be recorded is; the others are told, and the exit code says that there are some."""
    from landplan.attach import name_items
    from landplan.ledger import draft_events
    from landplan.read import read_table
    from landplan.schema import coerce

    profile: Any = given["profile"]
    if profile is not None:
        from landplan.project import profile_source

        profile, _ = profile_source(project, profile)
    read = read_table(file, "events", profile=profile, sheet=given["sheet"], encoding=given["encoding"])
    issues = list(read.issues)
    drafts: list[Draft] = []
    frame = read.frame
    lacking = [name for name in ("item", "on") if name not in frame.columns]
    if len(frame) and not lacking and not any(issue.code == "ATTR.NO_ID" for issue in issues):
        rows = coerce(frame.reset_index().assign(source=file.name), "events")
        rows, found = name_items(rows, _items(project), file.name)
        known = None if given["unchecked"] else known_parcels(project)
        drafts, refused = draft_events(
            rows, None if known is None else known["parcel_id"].tolist(), given["by"]
        )
        issues += [*found, *refused]
    elif lacking:
        from landplan.issues import Issue
        from landplan.schema import column

        issues += [
            Issue("ATTR.LAYER_FIELD", source=file.name, value=f"{column(name).label()}（{name}）")
            for name in lacking
        ]
    ledger = ledger_of(project)
    entries = write(ledger, drafts)
    if form != "json":
        tell_issues(issues)
    say_entries(ledger, entries, form, issues)
    if len(drafts) < len(frame) or any(issue.as_row()["severity"] == "error" for issue in issues):
        sys.exit(3)
