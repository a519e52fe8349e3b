"""Commands on the supply of land: lists, the year's frozen lists, differences, the balance, the plan, shares, zones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landplan.cli.app import Day, cli, day_option, format_option, project_option, recorded, today
from landplan.errors import Fault, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from landplan.project import Project
    from landplan.reports.lists import Listing
    from landplan.tables import Assessment

__all__ = ["hand_out", "output_option", "say_origin"]

_KINDS = ("stock", "incremental", "reserve", "batches", "capacity", "buildings")
_SUFFIXES = ("csv", "json", "xlsx")
_MANY = 200

output_option = click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="写到文件 .csv .json .xlsx / write to a file"
)


def _form(form: str, output: Path | None) -> str:
    """The form asked for; the ending of the file says it too."""
    if output is None:
        return form
    suffix = output.suffix.lstrip(".").lower()
    if suffix not in _SUFFIXES:
        raise UsageError(
            Fault(
                en=f"a list is not written as .{suffix}.",
                zh=f"清单不能写成 .{suffix}。",
                mend_en="use .csv, .json or .xlsx",
                mend_zh="用 .csv、.json 或 .xlsx",
            )
        )
    return suffix


def hand_out(
    listings: Sequence[Listing], assessment: Assessment, form: str, output: Path | None, folder: Path
) -> None:
    """Print listings or write them: text and workbook hold all of them, CSV and JSON the first."""
    from landplan.reports.lists import listing_as_csv, listing_as_json, write_listings

    form, first = _form(form, output), listings[0]
    if form == "text":
        for listing in listings:
            _print(listing)
        say_origin(assessment)
    elif form == "xlsx":
        path = output or folder / f"{first.title}.xlsx"
        click.echo(f"已写 {write_listings(listings, assessment, path, first.title)}")
    else:
        text = (listing_as_csv if form == "csv" else listing_as_json)(first, assessment)
        _write_text(text, form, output)


def _write_text(text: str, form: str, output: Path | None) -> None:
    if output is None:
        # Text streams end lines their own way; \r\n written there becomes \r\r\n on Windows.
        click.echo(text.replace("\r\n", "\n").rstrip("\n"))
        return
    from landplan.publish import publish_text

    # Excel and WPS take a CSV for GBK unless it begins with a byte order mark.
    publish_text(output, text, encoding="utf-8-sig" if form == "csv" else "utf-8")
    click.echo(f"已写 {output}")


def _print(listing: Listing) -> None:
    from landplan.console.lines import open_console, print_table, say
    from landplan.reports.lists import cell_text

    out = open_console()
    say(out, listing.title)
    for note in listing.notes:
        say(out, f"  {note}")
    fields = [
        item for item in listing.fields if any(cell_text(value) for value in item.values)
    ] or listing.fields
    shown = [
        [
            cell_text(value, number, is_grouped=True)
            for value, number in zip(item.values[:_MANY], item.numbers(), strict=False)
        ]
        for item in fields
    ]
    rows = [list(row) for row in zip(*shown, strict=True)]
    if listing.total is not None:
        by_field = {id(item): value for item, value in zip(listing.fields, listing.total, strict=True)}
        numbers = [item.number if isinstance(item.number, str) else "" for item in fields]
        rows.append(
            [
                cell_text(by_field[id(item)], number, is_grouped=True)
                for item, number in zip(fields, numbers, strict=True)
            ]
        )
    right = [
        at
        for at, item in enumerate(fields)
        if any(isinstance(v, (int, float)) for v in item.values if v is not None)
    ]
    if listing.fields[0].values:
        print_table([item.header for item in fields], rows, right)
    else:
        say(out, "（无）")
    if len(listing.records) > _MANY:
        say(out, f"另有 {len(listing.records) - _MANY} 行，用 --format xlsx 查看全部")
    out.print()


def say_origin(assessment: Assessment) -> None:
    """Print the line that says what a list rests on."""
    from landplan.console.lines import open_console, say
    from landplan.reports.lists import origin_line

    say(open_console(), origin_line(assessment))


# -- lists


@cli.command("list", short_help="清单：存量、增量、储备、批次、容量、厂房 / lists")
@click.argument("kind", type=click.Choice(_KINDS))
@project_option
@day_option
@click.option("--zone", help="只列一个开发区：代码或名称 / one zone, by code or name")
@click.option("--party", help="只列涉及该部门或个人的行 / rows that concern a department or person")
@click.option(
    "--since",
    type=Day(),
    help="只列该日起入库且符合条件的，供招商（仅 reserve）/ admitted since, for investors",
)
@click.option("--public", "is_public", is_flag=True, help="只含公开字段 / public columns only")
@output_option
@format_option("text", "json", "csv", "xlsx")
def list_(
    kind: str,
    project: Path,
    as_of: date | None,
    zone: str | None,
    party: str | None,
    since: date | None,
    is_public: bool,
    output: Path | None,
    form: str,
) -> None:
    """清单：stock 存量可出让，incremental 增量可报批，reserve 储备库，batches 报批批次，capacity 要素容量，buildings 厂房楼宇。

    Lists, each row with its reason and each list with what it rests on.
    """
    from landplan.console import print_list
    from landplan.project import load_project

    form = _form(form, output)
    assessment = recorded(project, as_of)
    loaded = load_project(project)
    if kind in ("stock", "incremental"):
        if form == "text" and zone is None and party is None and not is_public:
            print_list(assessment, kind)
            say_origin(assessment)
            return
        from landplan.reports.lists import list_rows
        from landplan.supply import list_supply

        rows = _of_party(_of_zone(list_supply(assessment, kind), assessment, zone), assessment, party)
        listings = [list_rows(assessment, kind, rows, "public" if is_public else "planner")]
    elif kind == "reserve":
        listings = _reserve(assessment, loaded, zone, party, since, is_public)
    elif kind == "batches":
        listings = [_batches(assessment, loaded, zone, party)]
    else:
        if party is not None:
            raise UsageError(
                Fault(
                    en=f"rows of {kind} name no party.",
                    zh=f"{kind} 清单没有责任方一列。",
                    mend_en="leave --party out",
                    mend_zh="去掉 --party",
                )
            )
        listings = [_capacities(assessment, zone) if kind == "capacity" else _buildings(assessment, zone)]
    hand_out(listings, assessment, form, output, loaded.output)


def _zone_code(assessment: Assessment, zone: str) -> str:
    """The code of a zone named by code or by name."""
    table = assessment.zones
    names: dict[str, str] = {}
    for name in ("zone_name", "zone_code"):
        if name in table.columns:
            known = table.dropna(subset=[name, "zone_code"])
            names |= dict(zip(known[name].astype("str"), known["zone_code"].astype("str"), strict=True))
    if zone not in names:
        raise UsageError(
            Fault(
                en=f"there is no zone {zone!r}.",
                zh=f"没有开发区“{zone}”。",
                mend_en=f"use one of: {', '.join(sorted(names)) or 'none'}",
                mend_zh=f"可用：{'、'.join(sorted(names)) or '无'}",
            )
        )
    return names[zone]


def _of_zone(rows: pd.DataFrame, assessment: Assessment, zone: str | None) -> pd.DataFrame:
    if zone is None:
        return rows
    code = _zone_code(assessment, zone)
    if "zone_code" not in rows.columns:
        return rows[:0]
    return rows[(rows["zone_code"] == code).to_numpy(dtype=bool)]


def _of_party(rows: pd.DataFrame, assessment: Assessment, party: str | None) -> pd.DataFrame:
    if party is None:
        return rows
    from landplan.supply import extract_list

    return extract_list(rows, party, assessment.tasks, assessment.events)


def _reserve(
    assessment: Assessment,
    project: Project,
    zone: str | None,
    party: str | None,
    since: date | None,
    is_public: bool,
) -> list[Listing]:
    import pandas as pd

    from landplan.reports.balances import list_admissions, list_reserve
    from landplan.supply import announce_admissions, measure_supply_years, reserve_of

    told = assessment.provenance
    register = reserve_of(assessment, project.supply.admission, assessment.provenance.titles)
    years = measure_supply_years(
        assessment.parcels,
        assessment.events,
        register,
        told.as_of,
        project.supply.pace_years,
        complete=told.complete,
    )
    register = _of_zone(register, assessment, zone)
    if zone is not None:
        years = years[(years["zone_code"] == _zone_code(assessment, zone)).to_numpy(dtype=bool)]
    if party is not None:
        kept = _of_party(register.set_index("parcel_id"), assessment, party)
        register = kept.reset_index(names="parcel_id")
    if since is not None or is_public:
        first = since or date(1900, 1, 1)
        told_of = announce_admissions(register, pd.DataFrame(assessment.parcels), first, told.as_of)
        return [list_admissions(told_of, assessment.provenance.titles)]
    return list_reserve(register, years, project.supply.pace_years, assessment.provenance.titles)


def _register(assessment: Assessment, *names: str) -> list[pd.DataFrame]:
    """Registers of the assessment, or what to write to have them."""
    missing = [name for name in names if name not in assessment.registers]
    if missing:
        raise UsageError(
            *(
                Fault(
                    en=f"the project has no register {name!r}.",
                    zh=f"项目没有登记表“{name}”。",
                    mend_en=f'write [registers.{name}] path = "..." in landplan.toml; landplan template {name} makes the form',
                    mend_zh=f'在 landplan.toml 写 [registers.{name}] path = "..."；空表用 landplan template {name} 生成',
                )
                for name in missing
            )
        )
    return [assessment.registers[name] for name in names]


def _batches(assessment: Assessment, project: Project, zone: str | None, party: str | None) -> Listing:
    from functools import partial

    from landplan.reports.balances import list_batches
    from landplan.supply import board_batches
    from landplan.workdays import add_workdays, load_calendar

    batches, steps = _register(assessment, "batches", "batch_events")
    part = project.calendar
    calendar = load_calendar(None if part is None else project.path(part.path))
    board = board_batches(
        batches,
        steps,
        assessment.parcels,
        assessment.provenance.as_of,
        project.supply.batch_requires,
        partial(add_workdays, calendar=calendar),
        assessment.provenance.titles,
    )
    if zone is not None:
        inside = _of_zone(assessment.parcels, assessment, zone).index.astype("str")
        numbers = batches["batch_no"][batches["parcel_id"].isin(inside).to_numpy(dtype=bool)]
        board = board[board.index.isin(numbers)]
    if party is not None:
        board = board[board["party"].fillna("").str.contains(party, regex=False).to_numpy(dtype=bool)]
    return list_batches(board, assessment.provenance.titles)


def _capacities(assessment: Assessment, zone: str | None) -> Listing:
    from landplan.reports.balances import list_capacities
    from landplan.resources import measure_headroom

    (capacities,) = _register(assessment, "capacities")
    headroom, _ = measure_headroom(capacities, assessment.registers.get("holds"), assessment.provenance.as_of)
    return list_capacities(_of_zone(headroom, assessment, zone), assessment.provenance.titles)


def _buildings(assessment: Assessment, zone: str | None) -> Listing:
    from landplan.reports.balances import list_buildings_of
    from landplan.resources import list_buildings, measure_usage

    (buildings,) = _register(assessment, "buildings")
    code = None if zone is None else _zone_code(assessment, zone)
    listed, _ = list_buildings(buildings, assessment.provenance.as_of, code)
    return list_buildings_of(listed, measure_usage(listed), assessment.provenance.titles)


# -- a period


@cli.command(short_help="收支平衡：期初 + 转入 － 转出 = 期末 / balance of a period")
@click.argument("start", type=Day())
@click.argument("end", type=Day())
@project_option
@click.option(
    "--opening", "year", type=int, help="以该年冻结的底账为期初 / open with the books frozen for a year"
)
@output_option
@format_option("text", "json", "csv", "xlsx")
def balance(start: date, end: date, project: Path, year: int | None, output: Path | None, form: str) -> None:
    """收支平衡：按宗和 0.01 亩，期初 + 转入 － 转出 = 期末；每笔变动可展开到地块和事项。

    The balance of a period, in parcels and to the last 0.01 亩; every flow opens to its parcels and events.
    """
    from landplan.project import load_project
    from landplan.reports.balances import list_balance
    from landplan.supply import balance_period, kinds_on
    from landplan.versions import measure_doubles

    loaded = load_project(project)
    assessment = recorded(project, None if end >= today() else end)
    complete = assessment.provenance.complete
    opening = None
    if year is not None:
        from landplan.cli.annual import frozen_books

        opening = frozen_books(loaded, year, start)
    told = balance_period(
        assessment.parcels, assessment.events, start, end, complete=complete, opening=opening
    )
    kinds = kinds_on(assessment.parcels, assessment.events, end, complete)
    doubles = measure_doubles(assessment.parcels, kinds)
    hand_out(list_balance(told, doubles), assessment, form, output, loaded.output)


@cli.command(short_help="年度供应计划 / plan of supply")
@click.argument("year", type=click.IntRange(1990, 2100))
@project_option
@day_option
@output_option
@format_option("text", "json", "csv", "xlsx")
def plan(year: int, project: Path, as_of: date | None, output: Path | None, form: str) -> None:
    """年度供应计划：用途 × 季度 × 供应方式 × 存量或新增 × 乡镇，公顷保留四位，由地块相加 / the year plan, in hectares."""
    from landplan.project import load_project
    from landplan.reports.plans import list_plan
    from landplan.supply import plan_supply

    assessment = recorded(project, as_of)
    listings = list_plan(plan_supply(assessment.parcels, year))
    hand_out(listings, assessment, form, output, load_project(project).output)


@cli.command(short_help="标准地占比 / share of 标准地")
@click.argument("start", type=Day())
@click.argument("end", type=Day())
@project_option
@output_option
@format_option("text", "json", "csv", "xlsx")
def share(start: date, end: date, project: Path, output: Path | None, form: str) -> None:
    """标准地占比：期内应以标准地供应的出让中，以标准地供应的宗数和亩数，例外逐条列出 / share of 标准地, with the exceptions."""
    from landplan.project import load_project
    from landplan.reports.plans import list_shares
    from landplan.supply import share_standard

    assessment = recorded(project, None if end >= today() else end)
    (scope,) = _register(assessment, "scope")
    shares, exceptions = share_standard(
        assessment.parcels,
        assessment.events,
        scope,
        start,
        end,
        zones=assessment.zones,
        complete=assessment.provenance.complete,
    )
    period = f"{start.isoformat()} 至 {end.isoformat()}"
    listings = list_shares(shares, exceptions, period)
    hand_out(listings, assessment, form, output, load_project(project).output)


@cli.command(short_help="开发区名录和边界变化 / zones and their boundaries")
@project_option
@day_option
@click.option(
    "--compare", nargs=2, type=Day(), help="比较两天的边界（扩区、调区）/ compare the boundaries of two days"
)
@output_option
@format_option("text", "json", "csv", "xlsx")
def zones(
    project: Path,
    as_of: date | None,
    compare: tuple[date, date] | None,
    output: Path | None,
    form: str,
) -> None:
    """开发区名录：级别、类型、批准面积与图上面积，飞地按比例计；--compare 列出两天之间调入调出的地块和变化的事项。

    The register of zones, approved against drawn area; --compare tells which parcels a new boundary gains and loses.
    """
    from landplan.project import load_project
    from landplan.reports.plans import list_zones
    from landplan.supply import compare_zones, credit_enclaves, register_zones
    from landplan.versions import compare_boundaries, measure_zones

    loaded = load_project(project)
    assessment = recorded(project, as_of)
    crs = loaded.project.measure_crs
    current = measure_zones(assessment.zones, assessment.provenance.as_of, crs)
    register, totals = register_zones(current)
    enclaves = assessment.registers.get("enclaves")
    credits = credit_enclaves(assessment.parcels, enclaves, assessment.provenance.as_of)
    change = None
    if compare is not None:
        measured = compare_boundaries(assessment.zones, assessment.parcels, *compare, crs)
        change = (measured, *compare_zones(measured.zones, measured.parcels))
    listings = list_zones(register, totals, credits, change)
    if change is not None and _form(form, output) in ("csv", "json"):
        listings = [listings[-1], *listings[:-1]]
    hand_out(listings, assessment, form, output, loaded.output)
