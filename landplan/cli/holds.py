"""Commands that hold a parcel, or capacity at a node, for a named demand."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landplan.cli.app import Day, cli, format_option, print_json, project_option, today
from landplan.cli.ledger import (
    fault_unknown,
    known_parcels,
    ledger_of,
    read_own_register,
    say_entries,
    tell_issues,
    write,
)
from landplan.errors import Fault, LedgerError, UsageError

if TYPE_CHECKING:
    from landplan.project import Project

_by_option = click.option("--by", required=True, help="经办人 / person")


@cli.group()
def hold() -> None:
    """占用地块或要素容量 / hold a parcel or capacity for a named demand."""


@hold.command("parcel", short_help="占用一宗地 / hold a parcel")
@click.argument("parcel_id")
@click.option("--for", "demand", required=True, help="需求（项目）名称 / named demand")
@click.option("--on", "begins", type=Day(), help="起始日，默认今天 / first day; today")
@click.option("--until", required=True, type=Day(), help="到期日，含当日 / last day, included")
@_by_option
@click.option("--document", help="文号 / document")
@click.option("--unchecked", is_flag=True, help="地块编号不核对 / do not look the number up")
@project_option
@format_option("text", "json")
def hold_parcel(
    parcel_id: str,
    demand: str,
    begins: date | None,
    until: date,
    by: str,
    document: str | None,
    unchecked: bool,
    project: Path,
    form: str,
) -> None:
    """为一个需求占用一宗地，到期自动失效；同一宗地不能重复占用 / no parcel is held twice on one day."""
    from landplan.ledger import Draft
    from landplan.project import load_project

    loaded = load_project(project)
    known = None if unchecked else known_parcels(loaded)
    if known is not None and parcel_id not in set(known["parcel_id"]):
        raise UsageError(
            fault_unknown("地块", "parcel", parcel_id, known["parcel_id"], "；确认无误可加 --unchecked")
        )
    on = begins or today()
    _refuse_held(loaded, parcel_id, on, until)
    body = {
        "parcel_id": parcel_id, "demand": demand, "on": on, "until": until, "person": by, "document": document,
    }  # fmt: skip
    ledger = ledger_of(loaded)
    say_entries(ledger, write(ledger, [Draft("hold", body)]), form)


def _refuse_held(project: Project, parcel_id: str, on: date, until: date) -> None:
    """A table of holds the bureau keeps itself is asked too; the ledger asks its own."""
    import pandas as pd

    holds = read_own_register(project, "holds")
    if holds is None:
        return
    meets = (
        (holds["parcel_id"] == parcel_id)
        & ~(holds["on"] > pd.Timestamp(until))
        & ~(holds["until"] < pd.Timestamp(on))
        & ~(holds["released_on"] <= pd.Timestamp(on))
    )
    held = holds[meets.fillna(False).to_numpy(dtype=bool)]
    if len(held):
        row = held.iloc[0]
        raise LedgerError(
            Fault(
                en=f"parcel {parcel_id} is held for {row['demand']} in {row['source']}, row {row['source_row']}.",
                zh=f"地块 {parcel_id} 已为“{row['demand']}”占用（{row['source']} 第 {row['source_row']} 行）。",
                mend_en="release it there first",
                mend_zh="先在该表中释放",
            )
        )


@hold.command("capacity", short_help="占用要素容量 / hold capacity")
@click.option(
    "--resource", required=True, help="要素：电、水、气、热、能耗 / power, water, gas, heat, energy ..."
)
@click.option("--node", required=True, help="节点（变电站、水厂） / node")
@click.option("--amount", required=True, type=float, help="数量 / amount")
@click.option("--unit", required=True, help="单位，如 kVA / unit")
@click.option("--for", "demand", required=True, help="需求（项目）名称 / named demand")
@click.option("--on", "begins", type=Day(), help="起始日，默认今天 / first day; today")
@click.option("--until", required=True, type=Day(), help="到期日，含当日 / last day, included")
@_by_option
@click.option("--document", help="文号 / document")
@click.option(
    "--available",
    type=float,
    help="节点可用余量，未建容量登记表时给出，须同时给 --document / what is free at the node",
)
@project_option
@format_option("text", "json")
def hold_capacity(
    resource: str,
    node: str,
    amount: float,
    unit: str,
    demand: str,
    begins: date | None,
    until: date,
    by: str,
    document: str | None,
    available: float | None,
    project: Path,
    form: str,
) -> None:
    """为一个需求占用某节点的容量；余量不足则拒绝并说明缺多少 / refused with what is missing where too little is free."""
    from landplan.ledger import Draft
    from landplan.project import load_project

    if available is not None and not document:
        raise UsageError(
            Fault(
                en="--available needs --document: somebody must have said so.",
                zh="给出 --available 时须同时给出 --document（余量的依据）。",
            )
        )
    loaded = load_project(project)
    code = _word_code("resource", resource)
    on = begins or today()
    limit = available if available is not None else _free_at(loaded, code, node, unit)
    body = {
        "resource": code, "node": node, "amount": amount, "unit": unit, "demand": demand, "on": on, "until": until,
        "person": by, "document": document,
    }  # fmt: skip
    ledger = ledger_of(loaded)
    say_entries(ledger, write(ledger, [Draft("hold", body, limit=limit)]), form)


def _word_code(name: str, given: str) -> str:
    from landplan.schema import column

    values = column(name).values
    found = {word.lower(): code for code, words in values.items() for word in (code, *words)}.get(
        given.lower()
    )
    if found is None:
        raise UsageError(
            fault_unknown(column(name).label_zh, name, given, [words[0] for words in values.values()])
        )
    return found


def _free_at(project: Project, resource: str, node: str, unit: str) -> float | None:
    """What is free at a node before any hold of the ledger, in the unit asked for; None where it is not known."""
    from landplan.resources import measure_headroom
    from landplan.units import convert

    capacities = read_own_register(project, "capacities")
    if capacities is None:
        return None
    # Figures must be fresh on the day of the decision, whichever day the hold begins. Holds kept in a table of the
    # bureau's own count against it as those of the ledger do.
    rows, issues = measure_headroom(capacities, read_own_register(project, "holds"), today())
    rows = rows[(rows["resource"] == resource).to_numpy(dtype=bool)]
    here = rows[(rows["node"] == node).to_numpy(dtype=bool)]
    if here.empty:
        raise UsageError(fault_unknown("节点", "node", node, sorted(rows["node"].dropna())))
    row = here.iloc[0]
    if bool(row["is_stale"]):
        measured = row["measured_on"]
        raise UsageError(
            Fault(
                en=f"the figures of {node} are of {measured:%Y-%m-%d}: too old to hold capacity on.",
                zh=f"{node} 的容量数据为 {measured:%Y-%m-%d}，已过期，不能据以占用。",
                mend_en="bring the register of capacities up to date",
                mend_zh="更新容量登记表",
            )
        )
    free = row["headroom"]
    if free != free:  # noqa: PLR0124 - NaN: some part of the sum is not known
        tell_issues(issues)
        return None
    return float(free) if unit == row["unit"] else float(convert(float(free), str(row["unit"]), unit))


@hold.command("list", short_help="占用清单 / list holds")
@click.option("--as-of", "as_of", type=Day(), help="哪一天，默认今天 / day; today")
@click.option("--all", "everything", is_flag=True, help="含已到期、已释放的 / also those that ended")
@project_option
@format_option("text", "json")
def hold_list(as_of: date | None, everything: bool, project: Path, form: str) -> None:
    """占用清单：谁、为什么、到哪天 / who holds what, for whom, until when."""
    import pandas as pd

    from landplan.console import print_frame
    from landplan.ledger import recorded_holds
    from landplan.project import load_project
    from landplan.schema import display

    ledger = ledger_of(load_project(project))
    tell_issues(ledger.faults)
    day = pd.Timestamp(as_of or today())
    holds = recorded_holds(ledger.entries(), ledger.name)
    begun = (holds["on"] <= day).to_numpy(dtype=bool)
    ended = ((holds["until"] < day) | (holds["released_on"] <= day)).to_numpy(dtype=bool)
    shown = holds if everything else holds[~ended]
    if form == "json":
        rows = shown.assign(is_live=(begun & ~ended)[shown.index])
        print_json(
            {
                "schema_version": "1",
                "as_of": day.date().isoformat(),
                "holds": [
                    {name: None if pd.isna(value) else value for name, value in row.items()}
                    for row in rows.assign(
                        **{
                            name: rows[name].dt.strftime("%Y-%m-%d")
                            for name in ("on", "until", "released_on")
                        }
                    ).to_dict("records")
                ],
            }
        )
        return
    wanted = [
        "hold_id", "parcel_id", "resource", "node", "amount", "unit", "demand", "on", "until", "released_on", "person",
    ]  # fmt: skip
    shown = shown[wanted].dropna(axis=1, how="all") if len(shown) else shown[wanted]
    print_frame(display(shown))
    click.echo(f"{day:%Y-%m-%d} 占用中 {int((begun & ~ended).sum())} 项")


@hold.command("release", short_help="释放占用 / release a hold")
@click.argument("hold_id")
@click.option("--on", "day", type=Day(), help="释放日，默认今天；当日起不再占用 / day; today")
@_by_option
@click.option("--grounds", help="理由 / why")
@click.option("--document", help="文号 / document")
@project_option
@format_option("text", "json")
def hold_release(
    hold_id: str,
    day: date | None,
    by: str,
    grounds: str | None,
    document: str | None,
    project: Path,
    form: str,
) -> None:
    """释放一项占用，自释放日起不再计入 / it no longer counts from the day of release."""
    from landplan.ledger import Draft
    from landplan.project import load_project

    ledger = ledger_of(load_project(project))
    body = {"hold_id": hold_id, "on": day or today(), "person": by, "grounds": grounds, "document": document}
    say_entries(ledger, write(ledger, [Draft("release", body)]), form)
