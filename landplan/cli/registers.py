"""Commands on declared registers: their forms, and their rows."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landplan.cli.app import (
    cli,
    day_option,
    format_option,
    project_option,
    recorded,
    today,
)
from landplan.errors import Fault, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from landplan.registers import Declaration
    from landplan.tables import Assessment


@cli.command(short_help="填报用 Excel 表 / Excel form that reads back")
@click.argument("name")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="写到文件 .xlsx / file to write")
@click.option(
    "--project",
    "-p",
    type=click.Path(path_type=Path),
    help="项目：下拉列表列出其地块、开发区和事项 / project whose parcels, zones and items are offered",
)
def template(name: str, output: Path | None, project: Path | None) -> None:
    """填报用 Excel 表：NAME 为登记表名称（events、capacity、buildings……见 landplan register），填好后可直接读回。

    An Excel form of a register, with drop-downs and checks, that reads back as it is filled in.
    """
    from landplan.registers import load_declaration
    from landplan.reports.forms import Choices, write_form

    choices, folders, title, day = Choices(), [Path("登记表")], "", today()
    if project is not None:
        from landplan.project import load_project

        loaded = load_project(project)
        folders = [loaded.declarations]
        assessment = recorded(project, None)
        zones = assessment.zones.drop_duplicates("zone_code", keep="last")
        names = zones["zone_name"] if "zone_name" in zones.columns else zones["zone_code"]
        choices = Choices(
            [str(pid) for pid in assessment.parcels.index],
            dict(zip(zones["zone_code"].astype("str"), names.fillna("").astype("str"), strict=True)),
            loaded.events.items if loaded.events is not None else {},
        )
        title = loaded.project.name
    declaration = load_declaration(name, folders)
    target = output or Path(f"{declaration.title_zh}.xlsx")
    if target.suffix.lower() != ".xlsx":
        raise UsageError(
            Fault(
                en=f"a form is not written as {target.suffix or target.name}.",
                zh=f"填报表不能写成 {target.suffix or target.name}。",
                mend_en="use .xlsx",
                mend_zh="用 .xlsx",
            )
        )
    click.echo(f"已写 {write_form(target, declaration, choices, day=day, project=title)}")


@cli.command(short_help="登记表 / declared registers and their rows")
@click.argument("name", required=False)
@project_option
@day_option
@click.option("--person", help="经办人 / person")
@click.option("--department", help="部门，可写一部分 / department, or part of its name")
@click.option("--zone", help="开发区代码或名称 / code or name of a zone")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="写到文件 .csv .json .xlsx / write to a file"
)
@format_option("text", "csv", "json", "xlsx")
def register(
    name: str | None,
    project: Path,
    as_of: date | None,
    person: str | None,
    department: str | None,
    zone: str | None,
    output: Path | None,
    form: str,
) -> None:
    """登记表：不写 NAME 列出全部登记表及行数；写 NAME 列出其内容，可按人、部门、开发区和日期筛选。

    Without NAME: the registers that are declared; with it: its rows, by person, department, zone and day.
    """
    from landplan.console.registers import print_register, print_registers
    from landplan.project import load_project
    from landplan.registers import filter_register, list_declarations, load_declaration

    folders = [load_project(project).declarations]
    # Where a declaration is wrong nothing is judged first.
    declared = list_declarations(folders) if name is None else {}
    declaration = None if name is None else load_declaration(name, folders)
    assessment = recorded(project, as_of)
    frames = {"events": assessment.events, **assessment.registers}
    if declaration is None:
        if form == "text" and output is None:
            print_registers(declared, frames)
            return
        _only_json(output, form)
        _write(
            output,
            json.dumps([_about(one, frames) for one in declared.values()], ensure_ascii=False, indent=2),
        )
        return
    day = as_of or assessment.provenance.as_of
    rows = filter_register(
        _rows(frames, declaration),
        declaration,
        person=person,
        department=department,
        zone=zone,
        as_of=day,
        zone_of=assessment.parcels.get("zone_code"),
    )
    if output is not None:
        form = output.suffix.lstrip(".").lower()
    if form == "text":
        picked = {"经办人": person, "部门": department, "开发区": zone}
        print_register(_titled(rows, assessment), declaration, day, picked)
        if declaration.name in ("budget", "commitments"):
            _print_balance(assessment, day)
    elif form == "json":
        _write(output, json.dumps(_as_json(rows, declaration, day), ensure_ascii=False, indent=2))
    else:
        _write_table(_titled(rows, assessment), declaration, assessment, day, output, form)


def _print_balance(assessment: Assessment, day: date) -> None:
    import pandas as pd

    from landplan.console.registers import print_funds
    from landplan.resources import balance_funds

    nothing = pd.DataFrame()
    parcels = assessment.parcels
    readied = None
    if "clear_land" in parcels.columns:
        readied = parcels["area_m2"][(parcels["clear_land"] == "yes").to_numpy(dtype=bool)]
    registers = assessment.registers
    print_funds(
        balance_funds(registers.get("budget", nothing), registers.get("commitments", nothing), day, readied)
    )


def _rows(frames: dict[str, Any], declaration: Declaration) -> pd.DataFrame:
    import pandas as pd

    from landplan.registers import coerce_register

    if declaration.name in frames:
        return coerce_register(frames[declaration.name], declaration)
    click.echo(
        f"项目没有“{declaration.title_zh}”：在 landplan.toml 写 [registers.{declaration.name}] path / not in this project",
        err=True,
    )
    return coerce_register(pd.DataFrame(), declaration)


def _titled(rows: pd.DataFrame, assessment: Assessment) -> pd.DataFrame:
    """Items under the names people gave them, where they are read by people."""
    if "item" not in rows.columns:
        return rows
    titles = assessment.provenance.items
    return rows.assign(item=rows["item"].map(lambda code: titles.get(code, code), na_action="ignore"))


def _about(declaration: Declaration, frames: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": declaration.name,
        "title": declaration.title_zh,
        "title_en": declaration.title_en,
        "about": declaration.about_zh,
        "about_en": declaration.about_en,
        "rows": len(frames[declaration.name]) if declaration.name in frames else None,
        "is_shipped": declaration.is_shipped,
        "columns": list(declaration.columns),
        "key": declaration.key,
        "required": declaration.required,
        "dates": declaration.dates,
        "people": declaration.people,
        "parties": declaration.parties,
        "documents": declaration.documents,
        "placed_by": declaration.geometry,
    }


def _as_json(rows: pd.DataFrame, declaration: Declaration, day: date) -> dict[str, Any]:
    return {
        "schema_version": "1",
        "as_of": day.isoformat(),
        "register": declaration.name,
        "title": declaration.title_zh,
        "rows": json.loads(rows.to_json(orient="records", date_format="iso", force_ascii=False)),
    }


def _only_json(output: Path | None, form: str) -> None:
    suffix = output.suffix.lstrip(".").lower() if output is not None else form
    if suffix != "json":
        raise UsageError(
            Fault(
                en=f"the list of registers is not written as .{suffix}.",
                zh=f"登记表目录不能写成 .{suffix}。",
                mend_en="use --format json, or name a register",
                mend_zh="用 --format json，或写明登记表名称",
            )
        )


def _write(output: Path | None, text: str, encoding: str = "utf-8") -> None:
    if output is None:
        # Text streams end lines their own way; \r\n written there becomes \r\r\n on Windows.
        click.echo(text.replace("\r\n", "\n").rstrip("\n"))
        return
    from landplan.publish import publish_text

    publish_text(output, text, encoding=encoding)
    click.echo(f"已写 {output}")


def _write_table(
    rows: pd.DataFrame,
    declaration: Declaration,
    assessment: Assessment,
    day: date,
    output: Path | None,
    form: str,
) -> None:
    from landplan.reports.forms import register_as_csv, write_register

    if form == "csv":
        # Excel and WPS take a CSV for GBK unless it begins with a byte order mark.
        _write(output, register_as_csv(rows, declaration), "utf-8-sig")
    elif form == "xlsx":
        target = output or Path(f"{declaration.title_zh}.xlsx")
        written = write_register(target, rows, declaration, day=day, project=assessment.provenance.project)
        click.echo(f"已写 {written}")
    else:
        raise UsageError(
            Fault(
                en=f"a register is not written as .{form}.",
                zh=f"登记表不能写成 .{form}。",
                mend_en="use .csv, .json or .xlsx",
                mend_zh="用 .csv、.json 或 .xlsx",
            )
        )
