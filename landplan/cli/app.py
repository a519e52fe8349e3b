"""The group of commands, the options they share, and the only place that reads the clock."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landplan.errors import LandplanError

if TYPE_CHECKING:
    from landplan.project import Project
    from landplan.steps import Engine
    from landplan.tables import Assessment

__all__ = [
    "FOLDER",
    "RESULT",
    "WORKBOOK",
    "Day",
    "assess_project",
    "cli",
    "day_option",
    "format_option",
    "print_json",
    "progress",
    "project_option",
    "recorded",
    "start_readers",
    "today",
]

RESULT, FOLDER, WORKBOOK = "核验.gpkg", "核验.parquet", "核验.xlsx"


class Day(click.ParamType[date]):
    """A day written YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read the day, or say how a day is written."""
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(str(value), "%Y-%m-%d").date()
        except ValueError:
            self.fail(f"“{value}”不是日期，写成 2026-11-20 / not a day, write 2026-11-20", param, ctx)


def project_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--project`` to a command."""
    return click.option(
        "--project", "-p", type=click.Path(path_type=Path), default=Path(), show_default="当前文件夹",
        help="项目文件或其文件夹 / project file or its folder",
    )(command)  # fmt: skip


def day_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--as-of`` to a command."""
    return click.option("--as-of", type=Day(), help="评定日，默认今天 / day judged for; today")(command)


def format_option(*formats: str) -> Callable[..., Any]:
    """Add ``--format`` to a command."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default="text",
        show_default=True,
        help="输出格式 / form of output",
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="landplan")
def cli() -> None:
    """landplan：标准地供应规划。量算地块，按有日期、有出处的规则评定，并说明理由。

    Measures industrial parcels, judges them by dated and cited rules, and says why.
    """


def print_json(data: Any) -> None:
    """Print data as JSON on stdout."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))


def today() -> date:
    """Read the clock: nothing else in landplan does."""
    return datetime.now().astimezone().date()


def progress(step: str) -> None:
    """Say which step begins, to a person at a terminal only."""
    if sys.stderr.isatty():
        click.echo(f"  {step} ...", err=True)


def start_readers() -> None:
    """Start the processes that open files; their imports go on while ours do."""
    from landplan.read.workers import warm_readers

    warm_readers(("vector",))


def assess_project(
    project: Project, as_of: date | None, engine: Engine | None = None, known_on: date | None = None
) -> Assessment:
    """Judge a project on a day, or today; here, or where an engine runs the steps."""
    from landplan.pipeline import assess

    return assess(project, as_of=as_of or today(), engine=engine, known_on=known_on, progress=progress)


def recorded(folder: Path, as_of: date | None) -> Assessment:
    """The assessment of the last check where its inputs have not changed; else one made now, which is said."""
    from landplan.project import changed_sources, load_project
    from landplan.store import load_assessment

    project = load_project(folder)
    found = [path for path in (project.output / RESULT, project.output / FOLDER) if path.exists()]
    if found:
        saved = max(found, key=lambda path: path.stat().st_mtime_ns)
        try:
            assessment = load_assessment(saved)
        except LandplanError as error:
            click.echo(f"{saved}：{error.faults[0].zh}重新评定 / not usable, judging again", err=True)
            return assess_project(project, as_of)
        # What was known on an earlier day is not what is known now.
        if as_of in (None, assessment.provenance.as_of) and not assessment.provenance.known_on:
            changed = changed_sources(assessment.provenance, project)
            if not changed:
                return assessment
            click.echo(
                f"输入已改动（{'、'.join(changed)}），重新评定 / inputs changed, judging again", err=True
            )
    return assess_project(project, as_of)
