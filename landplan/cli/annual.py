"""Commands on the lists of a year: freezing them, and what changed between two."""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landplan.cli.app import cli, day_option, format_option, project_option, recorded
from landplan.cli.supply import hand_out, output_option, say_origin
from landplan.errors import Fault, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from landplan.ledger import FrozenList, Ledger
    from landplan.project import Project
    from landplan.supply import AnnualList
    from landplan.tables import Assessment

__all__ = ["frozen_books"]

_FROZEN = ("stock", "incremental", "reserve", "books")


@cli.command(short_help="冻结年度清单 / freeze the lists of a year")
@click.argument("year", type=click.IntRange(1990, 2100))
@project_option
@day_option
@click.option("--again", metavar="REASON", help="再次冻结的理由 / reason for freezing the year once more")
def freeze(year: int, project: Path, as_of: date | None, again: str | None) -> None:
    """冻结年度清单：存量、增量、储备和全部地块底账，编号并记入总账；同一年再次冻结须写明理由。

    Freeze the lists of a year: numbered, hashed, kept in the ledger. A list frozen once is not frozen again without a reason.
    """
    from landplan.cli.ledger import ledger_of
    from landplan.ledger import frozen_lists, load_frozen
    from landplan.project import load_project
    from landplan.supply import annual_list, hash_rows

    loaded = load_project(project)
    assessment = recorded(project, as_of)
    ledger = ledger_of(loaded)
    lists = {kind: annual_list(assessment, kind, year) for kind in _FROZEN}
    before = {kind: _last(frozen_lists(ledger), kind, year) for kind in _FROZEN}
    day = assessment.provenance.as_of.isoformat()
    same: list[FrozenList] = []
    other: list[FrozenList] = []
    for kind, known in before.items():
        if known is not None:
            is_same = hash_rows(load_frozen(ledger, known.list_no)[0]) == lists[kind].sha256
            (same if is_same else other).append(known)
    if other and not (again or "").strip():
        raise UsageError(
            *(
                Fault(
                    en=f"{known.list_no} of {year} was frozen on {known.as_of} and is not what it would be now.",
                    zh=f"{year} 年的清单 {known.list_no} 已按 {known.as_of} 冻结，与现在的内容不同。",
                    at=str(loaded.ledger_path),
                    mend_en=f'see `landplan diff {known.list_no} {day}`; freeze once more with --again "reason"',
                    mend_zh=f"用 landplan diff {known.list_no} {day} 查看差别；确需再次冻结，用 --again 写明理由",
                )
                for known in other
            )
        )
    for kind, listed in lists.items():
        known = before[kind]
        if known in same and known is not None:
            frozen = known
            said = "早已冻结，内容相同"
        else:
            frozen = _freeze(ledger, listed, assessment, (again or "").strip())
            said = "已冻结"
        click.echo(f"{frozen.list_no}　{len(listed.rows)} 宗　sha256 {listed.sha256}　{said}")
    say_origin(assessment)


def _last(lists: Sequence[FrozenList], kind: str, year: int) -> FrozenList | None:
    found = [one for one in lists if (one.kind, one.year) == (kind, year)]
    return found[-1] if found else None


def _freeze(ledger: Ledger, listed: AnnualList, assessment: Assessment, grounds: str) -> FrozenList:
    from pandas import Series

    from landplan.ledger import freeze_list

    told = assessment.provenance
    shapes = assessment.parcels.geometry.reindex(listed.rows.index)
    drawn = None
    if listed.kind != "books" and len(shapes) and not (shapes.isna() | shapes.is_empty).any():
        drawn = Series(shapes.to_wkb(), index=listed.rows.index)
    try:
        actor = getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number without a name
        actor = ""
    rests_on = {
        "project": told.project,
        "version": told.version,
        "rows_sha256": listed.sha256,
        "grounds": grounds,
        "rulebooks": [{"name": b.name, "sha256": b.sha256, "checked_on": b.checked_on} for b in told.books],
        "sources": [{"role": s.role, "path": s.path, "sha256": s.sha256} for s in told.sources],
    }
    return freeze_list(
        ledger,
        listed.year,
        listed.kind,
        listed.rows,
        drawn,
        rests_on,
        actor,
        datetime.now().astimezone(),
        as_of=listed.as_of,
        crs=None if drawn is None else assessment.parcels.crs,
    )


class _Side:
    """One side of a comparison: frozen lists, a day judged for, or a saved assessment."""

    def __init__(self, text: str, folder: Path) -> None:
        from landplan.project import load_project

        self.text = text
        self.project = load_project(folder)
        self.assessment: Assessment | None = None
        self.number: str | None = None
        self.year: int | None = None
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            self.assessment = recorded(folder, date.fromisoformat(text))
        elif re.fullmatch(r"\d{4}", text):
            self.year = int(text)
        elif Path(text).is_file():
            from landplan.store import load_assessment

            self.assessment = load_assessment(Path(text))
        else:
            self.number = text

    def take(self, kind: str) -> AnnualList | None:
        """The list of a kind on this side; None where this side is a frozen list of another kind."""
        from landplan.supply import annual_list

        if self.assessment is not None:
            listed = annual_list(self.assessment, kind, self.assessment.provenance.as_of.year)
            # A list that was never frozen has no numbers.
            return replace(listed, rows=listed.rows.assign(list_number=""))
        return self._frozen(kind)

    def _frozen(self, kind: str) -> AnnualList | None:
        listed = _frozen_list(self.project, kind, self.year, self.number)
        return listed if listed.kind == kind else None


def _frozen_list(project: Project, kind: str, year: int | None, number: str | None = None) -> AnnualList:
    """A frozen list by its number, or the last of a kind that was frozen for a year."""
    from landplan.cli.ledger import ledger_of
    from landplan.ledger import frozen_lists, load_frozen
    from landplan.supply import restore_list

    ledger = ledger_of(project)
    if number is None and year is not None:
        known = _last(frozen_lists(ledger), kind, year)
        if known is None:
            found = sorted({str(one.year) for one in frozen_lists(ledger)})
            raise UsageError(
                Fault(
                    en=f"no lists of {year} were frozen.",
                    zh=f"{year} 年没有冻结过清单。",
                    mend_en=f"years frozen: {', '.join(found) or 'none'}; a day is written 2026-01-05",
                    mend_zh=f"已冻结的年份：{'、'.join(found) or '无'}；也可写日期，如 2026-01-05",
                )
            )
        number = known.list_no
    rows, meta = load_frozen(ledger, str(number))
    told = meta.get("provenance", {})
    return restore_list(rows, {**meta, "project": told.get("project", "")})


@cli.command(short_help="两份清单的差别 / what changed between two lists")
@click.argument("before")
@click.argument("after")
@project_option
@click.option(
    "--kind",
    type=click.Choice(_FROZEN),
    help="哪一种清单，默认存量和增量 / which list; stock and incremental",
)
@output_option
@format_option("text", "json", "csv", "xlsx")
def diff(before: str, after: str, project: Path, kind: str | None, output: Path | None, form: str) -> None:
    """两份清单的差别：列入、移出、变动，各有原因。BEFORE 和 AFTER 可写年份、清单编号、日期，或保存的评定结果文件。

    What came on a list, went off it and changed, and why: a year, the number of a frozen list, a day, or a saved assessment.
    """
    from pandas import DataFrame

    from landplan.reports.balances import list_differences
    from landplan.supply import diff_lists

    one, other = _Side(before, project), _Side(after, project)
    now = other.assessment or one.assessment or recorded(project, None)
    found = None
    if one.assessment is not None and other.assessment is not None:
        found = (one.assessment.findings, other.assessment.findings)
    differences = []
    for name in (kind,) if kind else ("stock", "incremental", "reserve", "books"):
        pair = one.take(name), other.take(name)
        if pair[0] is None or pair[1] is None:
            continue
        if kind is None and name in ("reserve", "books") and one.number is None and other.number is None:
            continue
        books = DataFrame(now.parcels) if other.assessment is not None else None
        if books is None and other.year is not None:
            closed = other.take("books")
            books = None if closed is None else closed.rows
        table = diff_lists(
            pair[0], pair[1], events=now.events, parcels=books, findings=found, titles=now.provenance.titles
        )
        days = f"{pair[0].as_of.isoformat()} → {pair[1].as_of.isoformat()}"
        differences.append((name, table, f"{before} → {after}（{days}）"))
    if not differences:
        raise UsageError(
            Fault(
                en="the two are lists of different kinds.",
                zh="两份清单种类不同，不能比较。",
                mend_en="compare two lists of one kind",
                mend_zh="比较同一种清单",
            )
        )
    hand_out(list_differences(differences), now, form, output, one.project.output)


def frozen_books(project: Project, year: int, start: date) -> pd.DataFrame:
    """The books as they were frozen for a year: every parcel with its kind of stock and its area, on the eve of a period."""
    books = _frozen_list(project, "books", year)
    first = books.as_of + timedelta(days=1)
    if start != first:
        raise UsageError(
            Fault(
                en=f"the books of {year} were closed on {books.as_of}, and the period begins on {start}.",
                zh=f"{year} 年底账按 {books.as_of} 冻结，期初却是 {start}。",
                mend_en=f"begin with {first}, or leave --opening out",
                mend_zh=f"起始日改为 {first}，或去掉 --opening",
            )
        )
    return books.rows
