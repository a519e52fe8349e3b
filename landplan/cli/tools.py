"""Commands around the work: rulebooks, the sample, the self-check."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landplan.cli.app import (
    RESULT,
    WORKBOOK,
    assess_project,
    cli,
    day_option,
    format_option,
    print_json,
    today,
)
from landplan.issues import clean_text

if TYPE_CHECKING:
    pass


@cli.group()
def rules() -> None:
    """规则集 / rulebooks."""


@rules.command("show", short_help="某一天的规则集 / a rulebook on a day")
@click.argument("book")
@day_option
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    help="先查找的文件夹 / folders searched first",
)
@format_option("text", "json")
def rules_show(book: str, as_of: date | None, folders: tuple[Path, ...], form: str) -> None:
    """某一天的规则集 / a rulebook as it stands on a day."""
    from landplan.console import print_rules
    from landplan.rules import load_rulebook, show_rules

    loaded = load_rulebook(_book(book), folders=list(folders))
    day = as_of or today()
    frame = show_rules(loaded, day)
    if form == "json":
        print_json(
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
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    help="先查找的文件夹 / folders searched first",
)
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
@day_option
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
    assessment = assess_project(project, as_of)
    out = project.output
    print_check(assessment)
    click.echo()
    from landplan.publish import publish_text

    made = [
        ("地图（规划）", draw_map(assessment, "planner").save(out / "一张图.html")),
        ("地图（招商）", draw_map(assessment, "investor").save(out / "招商地图.html")),
        (
            "存量清单",
            publish_text(out / "存量可出让清单.csv", list_as_csv(assessment, "stock"), encoding="utf-8-sig"),
        ),
        (
            "增量清单",
            publish_text(
                out / "增量可报批清单.csv", list_as_csv(assessment, "incremental"), encoding="utf-8-sig"
            ),
        ),
        ("工作簿", write_workbook(assessment, out / WORKBOOK, project)),
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
        click.echo(
            f"{'正常' if one.is_fine else '注意'}  {set_cell_size(one.name, width)}  {clean_text(one.found)}"
        )
        if not one.is_fine and one.mend:
            click.echo(f"      {one.mend}")
    if not all(one.is_fine for one in checks if one.is_vital):
        sys.exit(3)
