"""Commands on the ledger: verify it, look at what was recorded, take a copy; and what the commands that record share."""

from __future__ import annotations

import getpass
import os
import sqlite3
import sys
from collections.abc import Collection, Sequence
from contextlib import closing
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landplan.cli.app import RESULT, Day, cli, format_option, print_json, project_option
from landplan.errors import Fault, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from landplan.issues import Issue
    from landplan.ledger import Draft, Entry, Ledger
    from landplan.project import Project

__all__ = [
    "fault_unknown",
    "known_parcels",
    "ledger_of",
    "read_own_register",
    "say_entries",
    "tell_issues",
    "write",
]

_MOST_SHOWN = 20


def ledger_of(project: Project) -> Ledger:
    """The ledger of a project; it need not be there yet."""
    from landplan.ledger import open_ledger

    part = project.ledger
    heads = None if part.heads is None else project.path(part.heads)
    return open_ledger(project.ledger_path, network=part.network, heads=heads)


def write(ledger: Ledger, drafts: Sequence[Draft]) -> list[Entry]:
    """Add entries now, in the name of whoever is at the machine."""
    try:
        actor = getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number without a name
        actor = str(os.getuid()) if hasattr(os, "getuid") else ""
    return ledger.append(drafts, actor, datetime.now().astimezone())


def known_parcels(project: Project) -> pd.DataFrame | None:
    """Numbers and zones of the parcels of the last check; None where there was none: nothing is judged for this."""
    import pandas as pd

    saved = project.output / RESULT
    if not saved.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{saved.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            fields = {row[1] for row in connection.execute("PRAGMA table_info(parcels)")}
            zone = "zone_code" if "zone_code" in fields else "NULL"
            rows = connection.execute(f"SELECT parcel_id, {zone} FROM parcels").fetchall()  # noqa: S608
    except sqlite3.Error:
        return None
    return pd.DataFrame(rows, columns=["parcel_id", "zone_code"], dtype="str")


def fault_unknown(what_zh: str, what_en: str, given: str, known: Collection[str], more: str = "") -> Fault:
    """Say that something is not there, and what comes near it."""
    names = list(map(str, known))
    near = list(
        dict.fromkeys(
            [
                *(name for name in names if given.lower() in name.lower()),
                *get_close_matches(given, names, n=8, cutoff=0.5),
            ]
        )
    )[:8]
    return Fault(
        en=f"there is no {what_en} {given!r}.",
        zh=f"没有{what_zh}“{given}”。",
        mend_en=f"similar: {', '.join(near) or 'none'}",
        mend_zh=f"相近：{'、'.join(near) or '无'}{more}",
    )


def tell_issues(issues: Sequence[Issue]) -> None:
    """Print what is wrong, one line each, on stderr."""
    from landplan.issues import clean_text

    for issue in issues[:_MOST_SHOWN]:
        row = issue.as_row()
        place = " ".join(
            str(part) for part in (issue.source, issue.row, issue.cell) if part not in (None, "")
        )
        meant = f"（应为 {row['suggestion']}？）" if row["suggestion"] else ""
        click.echo(clean_text(f"{place}: {row['code']} {row['message_zh']}{meant}"), err=True)
    if len(issues) > _MOST_SHOWN:
        click.echo(f"…… 共 {len(issues)} 处", err=True)


def entry_json(entry: Entry) -> dict[str, Any]:
    """Lay an entry out for a program."""
    names = ("seq", "at_utc", "actor", "action", "body", "row_hash", "is_new")
    return {name: getattr(entry, name) for name in names}


def say_entries(
    ledger: Ledger, entries: Sequence[Entry], form: str, issues: Sequence[Issue] = (), title: str = ""
) -> None:
    """Say what is recorded now, what was before, and where the ledger stands."""
    head = ledger.head()
    if form == "json":
        print_json(
            {
                "schema_version": "1",
                "entries": [entry_json(entry) for entry in entries],
                "issues": [issue.as_row() for issue in issues],
                "head": {"seq": head.seq, "row_hash": head.row_hash},
            }
        )
        return
    from landplan.issues import clean_text

    new = [entry for entry in entries if entry.is_new]
    for entry in entries[:_MOST_SHOWN]:
        how = "已记入" if entry.is_new else "此前已记入"
        click.echo(clean_text(f"{how}第 {entry.seq} 号：{_summary(entry)}"))
    if len(entries) > _MOST_SHOWN:
        click.echo("……")
    if len(entries) != 1:
        click.echo(f"{title}新记入 {len(new)} 条，此前已有 {len(entries) - len(new)} 条")
    click.echo(f"总账首部 {head}")


def _summary(entry: Entry) -> str:
    from landplan.ledger import ACTIONS
    from landplan.schema import column

    declared = ACTIONS[entry.action]
    parts = []
    for field in declared.fields:
        value = entry.body.get(field.name)
        if value is None or field.name in (
            "provenance",
            "rulebooks",
            "hold_seq",
            "list_sha256",
            "result_sha256",
        ):
            continue
        if field.kind == "number":
            parts.append(f"{field.label_zh} {value:,.10g}")
        elif field.kind == "integer":
            parts.append(f"{field.label_zh} {value}")
        elif field.kind == "state":
            parts.append(column("state").word(value))
        else:
            parts.append(
                str(value) if field.is_required or field.name == "parcel_id" else f"{field.label_zh} {value}"
            )
    return f"{declared.title_zh} {'，'.join(parts)}"


def read_own_register(project: Project, name: str) -> pd.DataFrame | None:
    """The table of a register the project names; None where it names none, or it cannot be read."""
    from landplan.registers import load_declaration, read_register

    part = project.registers.get(name)
    if part is None:
        return None
    declaration = load_declaration(part.declaration or name, [project.path("登记表")])
    profile = None
    if part.profile is not None:
        from landplan.project import profile_source

        profile, _ = profile_source(project, part.profile)
    read = read_register(
        project.path(part.path), declaration, sheet=part.sheet, profile=profile, encoding=part.encoding
    )
    tell_issues([issue for issue in read.issues if issue.as_row()["severity"] == "error"])
    return None if read.frame.empty else read.frame


@cli.group("ledger")
def book() -> None:
    """总账：核验、查看、取副本 / the ledger: verify, look, copy."""


@book.command("verify", short_help="核验总账是否与写入时一致 / check the chain")
@project_option
@format_option("text", "json")
def ledger_verify(project: Path, form: str) -> None:
    """核验总账：文件完好、哈希链未断、冻结清单与图形一致 / exit 3 where anything was changed."""
    from landplan.project import load_project

    opened = ledger_of(load_project(project))
    found = opened.verify()
    head = opened.head()
    if form == "json":
        print_json(
            {
                "schema_version": "1",
                "ledger": opened.name,
                "head": {"seq": head.seq, "row_hash": head.row_hash},
                "faults": [issue.as_row() for issue in found],
            }
        )
    elif found:
        tell_issues(found)
    else:
        click.echo(f"总账完好：{head.seq} 条记录，首部 {head}")
    if found:
        sys.exit(3)


@book.command("log", short_help="逐条查看 / entries, one by one")
@click.option("--parcel", "parcel_id", help="只看一宗地 / of one parcel")
@click.option("--action", help="只看一种记录 / of one action")
@click.option("--known-on", type=Day(), help="截至某日已知的 / as known on a day")
@click.option("--last", type=click.IntRange(min=1), help="最后几条 / the last ones")
@project_option
@format_option("text", "json")
def ledger_log(
    parcel_id: str | None,
    action: str | None,
    known_on: date | None,
    last: int | None,
    project: Path,
    form: str,
) -> None:
    """逐条查看：序号、时间、谁、记了什么 / number, moment, who, what."""
    from landplan.issues import clean_text
    from landplan.ledger import ACTIONS
    from landplan.project import load_project

    if action is not None and action not in ACTIONS:
        titles = {declared.title_zh: name for name, declared in ACTIONS.items()}
        if action not in titles:
            raise UsageError(fault_unknown("记录种类", "action", action, [*ACTIONS, *titles]))
        action = titles[action]
    opened = ledger_of(load_project(project))
    tell_issues(opened.faults)
    entries = opened.entries(known_on=known_on)
    ended = {entry.refers: entry.seq for entry in entries if entry.refers is not None}
    shown = [
        entry
        for entry in entries
        if (action is None or entry.action == action)
        and (parcel_id is None or entry.body.get("parcel_id") == parcel_id)
    ][-(last or 0) :]
    if form == "json":
        print_json(
            {
                "schema_version": "1",
                "entries": [
                    {**entry_json(entry), "prev_hash": entry.prev_hash, "ended_by": ended.get(entry.seq)}
                    for entry in shown
                ],
            }
        )
        return
    for entry in shown:
        end = f"（已由第 {ended[entry.seq]} 号更正、作废或释放）" if entry.seq in ended else ""
        local = datetime.fromisoformat(entry.at_utc).astimezone()
        click.echo(
            clean_text(f"{entry.seq}  {local:%Y-%m-%d %H:%M:%S}  {entry.actor}  {_summary(entry)}{end}")
        )
    click.echo(f"{len(shown)} 条")


@book.command("head", short_help="首部哈希 / head hash")
@project_option
@format_option("text", "json")
def ledger_head(project: Path, form: str) -> None:
    """打印首部：条数和哈希，抄录在别处可发现末尾被截 / noted elsewhere, it shows when the end was cut off."""
    from landplan.project import load_project

    head = ledger_of(load_project(project)).head()
    if form == "json":
        print_json({"schema_version": "1", "seq": head.seq, "row_hash": head.row_hash})
    else:
        click.echo(str(head))


@book.command("copy", short_help="取副本，供 QGIS 打开 / a copy for QGIS")
@click.argument("target", type=click.Path(path_type=Path))
@project_option
def ledger_copy(target: Path, project: Path) -> None:
    """取一份副本供 QGIS 等程序打开；总账本身不要用其他程序写 / other programs open the copy, never the ledger."""
    from landplan.project import load_project

    if target.suffix.lower() != ".gpkg":
        raise UsageError(
            Fault(en="a copy ends in .gpkg.", zh="副本的文件名须以 .gpkg 结尾。", at=str(target))
        )
    click.echo(f"已写 {ledger_of(load_project(project)).snapshot(target)}")
