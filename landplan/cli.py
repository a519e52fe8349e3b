"""The command line: thin doors to the library; the only place that reads the clock."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landplan.errors import Fault, LandplanError, UsageError
from landplan.issues import clean_text

if TYPE_CHECKING:
    from landplan.project import Project
    from landplan.tables import Assessment

__all__ = ["cli", "main"]

RESULT, WORKBOOK = "核验.gpkg", "核验.xlsx"


class _Day(click.ParamType[date]):
    """A day written YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(str(value), "%Y-%m-%d").date()
        except ValueError:
            self.fail(f"“{value}”不是日期，写成 2026-11-20 / not a day, write 2026-11-20", param, ctx)


def _project_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--project", "-p", type=click.Path(path_type=Path), default=Path(), show_default="当前文件夹",
        help="项目文件或其文件夹 / project file or its folder",
    )(command)  # fmt: skip


def _day_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--as-of", type=_Day(), help="评定日，默认今天 / day judged for; today")(command)


def _format_option(*formats: str) -> Callable[..., Any]:
    return click.option(
        "--format", "form", type=click.Choice(formats), default="text", show_default=True, help="输出格式 / form of output"
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="landplan")
def cli() -> None:
    """landplan：标准地供应规划。量算地块，按有日期、有出处的规则评定，并说明理由。

    Measures industrial parcels, judges them by dated and cited rules, and says why.
    """


def _print_json(data: Any) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))


def _today() -> date:
    return datetime.now().astimezone().date()


def _progress(step: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"  {step} ...", err=True)


def _assess(project: Project, as_of: date | None) -> Assessment:
    from landplan.pipeline import assess

    return assess(project, as_of=as_of or _today(), progress=_progress)


def _recorded(folder: Path, as_of: date | None) -> Assessment:
    """The assessment of the last check where its inputs have not changed; else one made now, which is said."""
    from landplan.project import changed_sources, load_project
    from landplan.store import load_assessment

    project = load_project(folder)
    saved = project.output / RESULT
    if saved.is_file():
        try:
            assessment = load_assessment(saved)
        except LandplanError as error:
            click.echo(f"{saved}：{error.faults[0].zh}重新评定 / not usable, judging again", err=True)
            return _assess(project, as_of)
        if as_of in (None, assessment.provenance.as_of):
            changed = changed_sources(assessment.provenance, project)
            if not changed:
                return assessment
            click.echo(f"输入已改动（{'、'.join(changed)}），重新评定 / inputs changed, judging again", err=True)
    return _assess(project, as_of)


@cli.command(short_help="看文件：坐标系、编码、列、问题 / look into files")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--crs", help="坐标系，如 EPSG:4526 / coordinate reference system")
@click.option("--encoding", help="文字编码，如 gbk / text encoding")
@click.option("--profile", help="映射文件 / mapping profile")
@_format_option("text", "json")
def inspect(files: tuple[Path, ...], crs: str | None, encoding: str | None, profile: str | None, form: str) -> None:
    """看一看文件：图层、坐标系、编码、识别的列和全部问题 / look at files and list every fault."""
    from landplan.console import print_inspections
    from landplan.read import inspect_files, inspections_json

    inspections = inspect_files(list(files), crs=crs, encoding=encoding, profile=profile)
    if form == "json":
        click.echo(inspections_json(inspections))
    else:
        print_inspections(inspections)
    if all(inspection.outcome == "rejected" for inspection in inspections):
        sys.exit(3)


@cli.command(short_help="批量核验，写出结果 / judge all parcels")
@_project_option
@_day_option
@click.option("--strict", is_flag=True, help="有地块不具备条件则以 1 退出 / exit 1 if not ready")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="结果文件夹 / folder of results")
@_format_option("text", "json")
def check(project: Path, as_of: date | None, strict: bool, output: Path | None, form: str) -> None:
    """批量核验：评定全部地块，写出 GeoPackage 和工作簿 / judge all parcels and write the results."""
    from landplan.console import check_summary, print_check, print_issues
    from landplan.project import load_project
    from landplan.reports import write_workbook
    from landplan.store import save_assessment

    loaded = load_project(project)
    assessment = _assess(loaded, as_of)
    folder = output or loaded.output
    print_issues(assessment)
    files = [save_assessment(assessment, folder / RESULT), write_workbook(assessment, folder / WORKBOOK)]
    if form == "json":
        _print_json({**check_summary(assessment), "files": [str(file) for file in files]})
    else:
        print_check(assessment)
        for file in files:
            click.echo(f"已写 {file}")
    if strict and (assessment.parcels["verdict"] != "ready").any():
        sys.exit(1)


@cli.command(short_help="成批核验一个文件夹 / judge a folder of counties")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", "-o", required=True, type=click.Path(path_type=Path), help="结果文件夹 / folder of results")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="同时处理几个，默认每核一个 / side by side; one per core")
@click.option("--resume", is_flag=True, help="只重做失败的和改动过的 / redo only what failed or changed")
@_day_option
@click.option("--log", type=click.Path(path_type=Path), help="日志文件，每行一个 JSON / NDJSON log")
@click.option("--rules", help="单个地块文件所用的规则集 / rulebook for parcel files outside projects")
@click.option("--profile", help="单个地块文件所用的映射文件 / mapping profile for them")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=1800.0, show_default=True, help="每个单元最多几秒 / seconds per unit")
@_format_option("text", "json")
def batch(
    folder: Path, out: Path, jobs: int | None, resume: bool, as_of: date | None, log: Path | None, rules: str | None,
    profile: str | None, timeout: float, form: str,
) -> None:  # fmt: skip
    """成批核验：每个带 landplan.toml 的子文件夹为一个项目，其余资料逐个检查；一个出错不影响其他。

    Every sub-folder with landplan.toml is judged, every other source looked into; one that fails costs no other.
    """
    from landplan.batch import Settings, describe_run, run_batch

    settings = Settings(as_of or _today(), jobs, resume, rules, profile, timeout, log=log)
    manifest = run_batch(folder, out, settings, clock=lambda: datetime.now().astimezone())
    if form == "json":
        _print_json(manifest.as_json())
    else:
        for line in describe_run(manifest, out):
            click.echo(line)
    if manifest.is_failed:
        sys.exit(3)


@cli.command(short_help="逐条说明一宗地的理由 / say why")
@click.argument("parcel_id")
@_project_option
@_day_option
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="语言 / language")
@_format_option("text", "json")
def explain(parcel_id: str, project: Path, as_of: date | None, lang: str, form: str) -> None:
    """逐条说明一宗地的理由：实测值、要求、余量、条款、日期 / say why, reason by reason."""
    from landplan.console import print_reasons
    from landplan.verdict import why

    assessment = _recorded(project, as_of)
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
        _print_json(
            {
                "schema_version": "1",
                "parcel_id": parcel_id,
                "as_of": assessment.provenance.as_of.isoformat(),
                "verdict": assessment.parcels.at[parcel_id, "verdict"],
                "reasons": [vars(reason) for reason in reasons],
                "findings": json.loads(findings.to_json(orient="records", date_format="iso", force_ascii=False)),
            }
        )
    else:
        print_reasons(assessment, parcel_id, reasons, lang)


def _alike(text: str, names: list[str]) -> list[str]:
    """Names that hold the text, then those that are spelt nearly so."""
    holding = [name for name in names if text.lower() in name.lower()]
    return list(dict.fromkeys([*holding, *get_close_matches(text, names, n=8, cutoff=0.6)]))[:8]


@cli.command("list", short_help="存量或增量清单 / lists of supply")
@click.argument("kind", type=click.Choice(["stock", "incremental"]))
@_project_option
@_day_option
@click.option("--output", "-o", type=click.Path(path_type=Path), help="写到文件 .csv .json / write to a file")
@_format_option("text", "json", "csv")
def list_(kind: str, project: Path, as_of: date | None, output: Path | None, form: str) -> None:
    """存量可出让（stock）或增量可报批（incremental）清单，每行写明理由 / lists, each row with its reason."""
    from landplan.console import print_list
    from landplan.reports import list_as_csv
    from landplan.supply import balance_supply, list_supply

    assessment = _recorded(project, as_of)
    if output is not None:
        form = output.suffix.lstrip(".").lower()
    if form == "text":
        print_list(assessment, kind)
        return
    if form == "csv":
        text = list_as_csv(assessment, kind)
    elif form == "json":
        rows = list_supply(assessment, kind).reset_index()
        text = json.dumps(
            {
                "schema_version": "1",
                "as_of": assessment.provenance.as_of.isoformat(),
                "list": kind,
                "rows": json.loads(rows.to_json(orient="records", date_format="iso", force_ascii=False)),
                "balance": balance_supply(assessment).reset_index().to_dict("records"),
            },
            ensure_ascii=False,
            indent=2,
        )
    else:
        raise UsageError(
            Fault(en=f"a list is not written as .{form}.", zh=f"清单不能写成 .{form}。", mend_en="use .csv or .json", mend_zh="用 .csv 或 .json")
        )
    if output is None:
        # Text streams end lines their own way; \r\n written there becomes \r\r\n on Windows.
        click.echo(text.replace("\r\n", "\n").rstrip("\n"))
    else:
        from landplan.publish import publish_text

        # Excel and WPS take a CSV for GBK unless it begins with a byte order mark.
        publish_text(output, text, encoding="utf-8-sig" if form == "csv" else "utf-8")
        click.echo(f"已写 {output}")


@cli.command("map", short_help="离线地图 / offline map")
@click.argument("view", type=click.Choice(["planner", "investor"]))
@_project_option
@_day_option
@click.option("--output", "-o", type=click.Path(path_type=Path), help="网页文件 / page to write")
def map_(view: str, project: Path, as_of: date | None, output: Path | None) -> None:
    """离线地图：planner 规划科，investor 招商（只含可出让地块和公开字段）/ one offline page."""
    from landplan.maps import draw_map
    from landplan.pipeline import draw_layers
    from landplan.project import load_project

    loaded = load_project(project)
    assessment = draw_layers(_recorded(project, as_of), loaded)
    target = output or loaded.output / f"{'一张图' if view == 'planner' else '招商地图'}.html"
    click.echo(f"已写 {draw_map(assessment, view).save(target)}，不访问网络")


@cli.group()
def rules() -> None:
    """规则集 / rulebooks."""


@rules.command("show", short_help="某一天的规则集 / a rulebook on a day")
@click.argument("book")
@_day_option
@click.option("--folder", "folders", multiple=True, type=click.Path(path_type=Path), help="先查找的文件夹 / folders searched first")
@_format_option("text", "json")
def rules_show(book: str, as_of: date | None, folders: tuple[Path, ...], form: str) -> None:
    """某一天的规则集 / a rulebook as it stands on a day."""
    from landplan.console import print_rules
    from landplan.rules import load_rulebook, show_rules

    loaded = load_rulebook(_book(book), folders=list(folders))
    day = as_of or _today()
    frame = show_rules(loaded, day)
    if form == "json":
        _print_json(
            {
                "schema_version": "1",
                "rulebook": loaded.name,
                "title": loaded.title,
                "as_of": day.isoformat(),
                "rules": json.loads(frame.to_json(orient="records", date_format="iso", force_ascii=False)),
            }
        )
        return
    click.echo(clean_text(f"{loaded.name}　{loaded.title}　{day.isoformat()}"))
    print_rules(frame)


def _book(text: str) -> Path | str:
    return Path(text) if text.endswith((".yaml", ".yml")) or Path(text).is_file() else text


@rules.command("lint", short_help="检查规则集 / check rulebooks")
@click.argument("books", nargs=-1, required=True)
@click.option("--folder", "folders", multiple=True, type=click.Path(path_type=Path), help="先查找的文件夹 / folders searched first")
def rules_lint(books: tuple[str, ...], folders: tuple[Path, ...]) -> None:
    """检查规则集，指明文件和行 / check rulebooks; faults come with file and line."""
    from landplan.console import fault_lines
    from landplan.rules import lint_rulebook

    count = 0
    for book in books:
        faults = lint_rulebook(_book(book), folders=list(folders))
        count += len(faults)
        for fault in faults:
            click.echo("\n".join(fault_lines(fault)))
        click.echo(f"{book}：{len(faults)} 处问题" if faults else f"{book}：没有问题")
    if count:
        sys.exit(3)


@cli.command(short_help="示例项目 / sample project")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("landplan-demo"))
@_day_option
def demo(folder: Path, as_of: date | None) -> None:
    """写出示例项目并走完主流程 / write the sample project and run the main job on it."""
    from landplan.console import print_check
    from landplan.demo import write_sample
    from landplan.maps import draw_map
    from landplan.project import load_project
    from landplan.reports import list_as_csv, write_workbook
    from landplan.store import save_assessment

    written = write_sample(folder)
    project = load_project(written)
    assessment = _assess(project, as_of)
    out = project.output
    print_check(assessment)
    click.echo()
    from landplan.publish import publish_text

    made = [
        ("地图（规划）", draw_map(assessment, "planner").save(out / "一张图.html")),
        ("地图（招商）", draw_map(assessment, "investor").save(out / "招商地图.html")),
        ("存量清单", publish_text(out / "存量可出让清单.csv", list_as_csv(assessment, "stock"), encoding="utf-8-sig")),
        ("增量清单", publish_text(out / "增量可报批清单.csv", list_as_csv(assessment, "incremental"), encoding="utf-8-sig")),
        ("工作簿", write_workbook(assessment, out / WORKBOOK)),
        ("评定结果", save_assessment(assessment, out / RESULT)),
    ]
    click.echo(f"示例项目　{written}")
    for label, path in made:
        click.echo(f"{label}　{path}")


@cli.command(short_help="自检 / self-check")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def doctor(folder: Path) -> None:
    """自检：版本、三套 GDAL、字体、地图资源、控制台编码、写权限 / what support asks for first."""
    from rich.cells import cell_len, set_cell_size

    from landplan.doctor import examine

    checks = examine(folder)
    width = max(cell_len(one.name) for one in checks)
    for one in checks:
        click.echo(f"{'正常' if one.is_fine else '注意'}  {set_cell_size(one.name, width)}  {clean_text(one.found)}")
        if not one.is_fine and one.mend:
            click.echo(f"      {one.mend}")
    if not all(one.is_fine for one in checks if one.is_vital):
        sys.exit(3)


def _in_chinese(error: click.ClickException) -> str:
    """What click says in English only."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    help_of = f"{context.command_path} --help" if context else "landplan --help"
    parameter = getattr(error, "param", None)
    named = parameter.get_error_hint(context).strip("'") if isinstance(parameter, click.Parameter) and context else ""
    if isinstance(error, click.NoSuchOption):
        said = f"没有选项 {clean_text(error.option_name)}"
    elif isinstance(error, click.MissingParameter):
        said = f"缺少 {named or '参数'}"
    elif isinstance(error, click.BadParameter):
        said = f"{named or '参数'} 的取值不对"
    elif "No such command" in error.message:
        said = "没有这个命令"
    else:
        said = "命令写法不对"
    return f"{said}。运行 {help_of} 查看写法。"


def main(arguments: list[str] | None = None) -> None:
    """
    Run the command line and leave with the exit code the README promises.

    Parameters
    ----------
    arguments : list of str or None
        Words of the command; those of the process where None.

    Notes
    -----
    0 done; 1 ``--strict`` and something not ready; 2 wrong use; 3 unusable data; 4 our own fault.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A parcel's name may hold a character that cp936 lacks; a question mark there must not end the batch.
            stream.reconfigure(errors="replace")
    try:
        code = cli.main(args=arguments, prog_name="landplan", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        if error.format_message() and not isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(f"用法有误：{_in_chinese(error)}", err=True)
        code = 2
    except click.Abort:
        code = 2
    except LandplanError as error:
        from landplan.console import print_fault

        print_fault(error)
        code = error.exit_code
    except BrokenPipeError:
        # The reader of a pipe has seen enough; Python would complain once more while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # the last wall: our own fault is said as such, with what support needs
        if os.environ.get("LANDPLAN_DEBUG"):
            traceback.print_exc()
        click.echo(
            f"InternalError: {type(error).__name__}: {clean_text(str(error))}\n"
            "  landplan 自身出错，请把这一行和 landplan doctor 的输出发给维护者；设 LANDPLAN_DEBUG=1 可看详情。\n"
            "  this is a fault of landplan; send this line and the output of landplan doctor; LANDPLAN_DEBUG=1 shows more.",
            err=True,
        )
        code = 4
    sys.exit(code if isinstance(code, int) else 0)
