"""Commands on a project: check, explain, lists, maps; and a whole folder of them."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landplan.cli.app import (
    FOLDER,
    RESULT,
    WORKBOOK,
    Day,
    assess_project,
    cli,
    day_option,
    format_option,
    print_json,
    project_option,
    recorded,
    start_readers,
    today,
)
from landplan.cli.engine import engine_options, open_engine
from landplan.errors import Fault, UsageError

if TYPE_CHECKING:
    pass


_MOST_IN_BOOK = (
    50_000  # beyond, the workbook takes minutes and gigabytes, and its sheets end at 1,048,576 rows
)


@cli.command(short_help="批量核验，写出结果 / judge all parcels")
@project_option
@day_option
@click.option("--strict", is_flag=True, help="有地块不具备条件则以 1 退出 / exit 1 if not ready")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="结果文件夹 / folder of results")
@click.option(
    "--save",
    type=click.Choice(["gpkg", "parquet"]),
    help="parquet：存为文件夹，不写工作簿；默认超过 5 万宗时如此 / a folder, no workbook: by default beyond 50,000 parcels",
)
@click.option(
    "--known-on", type=Day(), help="只按总账在该日之前已记入的内容评定 / by what the ledger knew on a day"
)
@engine_options
@format_option("text", "json")
def check(
    project: Path,
    as_of: date | None,
    strict: bool,
    output: Path | None,
    save: str | None,
    known_on: date | None,
    form: str,
    **where: Any,
) -> None:
    """批量核验：评定全部地块，写出 GeoPackage 和工作簿 / judge all parcels and write the results."""
    start_readers()
    from landplan.console import check_summary, print_check, print_issues
    from landplan.project import load_project
    from landplan.reports import write_workbook
    from landplan.store import save_assessment

    loaded = load_project(project)
    with open_engine(**where) as engine:
        assessment = assess_project(loaded, as_of, engine, known_on)
    folder = output or loaded.output
    print_issues(assessment)
    if save is None and len(assessment.parcels) > _MOST_IN_BOOK:
        click.echo(
            f"超过 {_MOST_IN_BOOK} 宗，结果存为文件夹，不写工作簿（--save gpkg 照写）/ more than {_MOST_IN_BOOK} parcels: "
            "kept as a folder, no workbook (--save gpkg writes both)",
            err=True,
        )
        save = "parquet"
    files = [save_assessment(assessment, folder / (FOLDER if save == "parquet" else RESULT))]
    if save != "parquet":
        files.append(write_workbook(assessment, folder / WORKBOOK, loaded))
    if form == "json":
        print_json({**check_summary(assessment), "files": [str(file) for file in files]})
    else:
        print_check(assessment)
        for file in files:
            click.echo(f"已写 {file}")
    if strict and (assessment.parcels["verdict"] != "ready").any():
        sys.exit(1)


@cli.command(short_help="成批核验一个文件夹 / judge a folder of counties")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", "-o", required=True, type=click.Path(path_type=Path), help="结果文件夹 / folder of results"
)
@click.option(
    "--jobs", "-j", type=click.IntRange(min=1), help="同时处理几个，默认每核一个 / side by side; one per core"
)
@click.option("--resume", is_flag=True, help="只重做失败的和改动过的 / redo only what failed or changed")
@day_option
@click.option("--log", type=click.Path(path_type=Path), help="日志文件，每行一个 JSON / NDJSON log")
@click.option("--rules", help="单个地块文件所用的规则集 / rulebook for parcel files outside projects")
@click.option("--profile", help="单个地块文件所用的映射文件 / mapping profile for them")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=1800.0,
    show_default=True,
    help="每个单元最多几秒 / seconds per unit",
)
@format_option("text", "json")
def batch(
    folder: Path,
    out: Path,
    jobs: int | None,
    resume: bool,
    as_of: date | None,
    log: Path | None,
    rules: str | None,
    profile: str | None,
    timeout: float,
    form: str,
) -> None:
    """成批核验：每个带 landplan.toml 的子文件夹为一个项目，其余资料逐个检查；一个出错不影响其他。

    Every sub-folder with landplan.toml is judged, every other source looked into; one that fails costs no other.
    """
    from landplan.batch import Settings, describe_run, run_batch

    settings = Settings(as_of or today(), jobs, resume, rules, profile, timeout, log=log)
    manifest = run_batch(folder, out, settings, clock=lambda: datetime.now().astimezone())
    if form == "json":
        print_json(manifest.as_json())
    else:
        for line in describe_run(manifest, out):
            click.echo(line)
    if manifest.is_failed:
        sys.exit(3)


@cli.command(short_help="逐条说明一宗地的理由 / say why")
@click.argument("parcel_id")
@project_option
@day_option
@click.option(
    "--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="语言 / language"
)
@format_option("text", "json")
def explain(parcel_id: str, project: Path, as_of: date | None, lang: str, form: str) -> None:
    """逐条说明一宗地的理由：实测值、要求、余量、条款、日期 / say why, reason by reason."""
    from landplan.console import print_reasons
    from landplan.verdict import why

    assessment = recorded(project, as_of)
    if parcel_id not in assessment.parcels.index:
        near = _alike(parcel_id, [str(pid) for pid in assessment.parcels.index])
        raise UsageError(
            Fault(
                en=f"there is no parcel {parcel_id!r}.",
                zh=f"没有编号为“{parcel_id}”的地块。",
                mend_en=f"similar numbers: {', '.join(near) or 'none'}",
                mend_zh=f"相近编号：{'、'.join(near) or '无'}",
            )
        )
    reasons = why(assessment, parcel_id, lang)
    if form == "json":
        findings = assessment.findings[(assessment.findings["parcel_id"] == parcel_id).to_numpy(dtype=bool)]
        print_json(
            {
                "schema_version": "1",
                "parcel_id": parcel_id,
                "as_of": assessment.provenance.as_of.isoformat(),
                "verdict": assessment.parcels.at[parcel_id, "verdict"],
                "reasons": [vars(reason) for reason in reasons],
                "findings": json.loads(
                    findings.to_json(orient="records", date_format="iso", force_ascii=False)
                ),
            }
        )
    else:
        print_reasons(assessment, parcel_id, reasons, lang)


def _alike(text: str, names: list[str]) -> list[str]:
    """Names that hold the text, then those that are spelt nearly so."""
    holding = [name for name in names if text.lower() in name.lower()]
    return list(dict.fromkeys([*holding, *get_close_matches(text, names, n=8, cutoff=0.6)]))[:8]


@cli.command("map", short_help="离线地图 / offline map")
@click.argument("view")
@project_option
@day_option
@click.option(
    "--for",
    "audience",
    type=click.Choice(["planner", "investor"]),
    default="planner",
    show_default=True,
    help="登记簿图给谁看 / who a register is drawn for",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="网页文件 / page to write")
def map_(view: str, project: Path, as_of: date | None, audience: str, output: Path | None) -> None:
    """离线地图：planner 规划科，investor 招商（只含可出让地块和公开字段）；清单图 stock、incremental、reserve、batches、
    capacity、buildings、readiness；登记簿图 register:名称。

    One offline page: planner, investor; a list: stock, incremental, reserve, batches, capacity, buildings, readiness; or
    register:NAME.
    """
    from landplan.maps import draw_map, name_view
    from landplan.pipeline import draw_layers
    from landplan.project import load_project

    loaded = load_project(project)
    assessment = draw_layers(recorded(project, as_of), loaded)
    page = draw_map(assessment, view, audience=audience, project=loaded)
    target = output or loaded.output / f"{name_view(view, audience)}.html"
    click.echo(f"已写 {page.save(target)}，不访问网络")
