"""What is left of a resource at a node, and which parcels that reaches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from landplan.errors import UnitError
from landplan.issues import Issue
from landplan.periods import QUARTER, Period, is_stale
from landplan.schema import coerce, column
from landplan.units import convert, find_unit

__all__ = ["attach_capacity", "live_holds", "measure_headroom"]

_PARTS = ("capacity", "used", "committed", "reserved")
_JOINTS = re.compile(r"[、，,;；/\s]+")
# Sums of decimal figures: what binary fractions add to them is no shortage.
_EXACT = 9


def live_holds(holds: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """
    Pick the holds that count on a day.

    Parameters
    ----------
    holds : DataFrame
        ``on`` (first day), ``until`` (last day), ``released_on`` (first day on which it no longer holds).
    as_of : date
        The day.

    Returns
    -------
    DataFrame
        Rows in their order. A hold without a first or last day holds: what is not said to be free is not.
    """
    day = pd.Timestamp(as_of)
    gone = (holds["on"] > day) | (holds["until"] < day) | (holds["released_on"] <= day)
    return holds[~gone.to_numpy(dtype=bool)]


def measure_headroom(
    capacities: pd.DataFrame,
    holds: pd.DataFrame | None,
    as_of: date,
    stale_after: Period = QUARTER,
) -> tuple[pd.DataFrame, list[Issue]]:
    """
    Say what is left at every node: capacity less used, committed and reserved, live holds included.

    Parameters
    ----------
    capacities : DataFrame
        The table ``capacities``: one row per resource, node and day, numbers in the ``unit`` of the row. Of a node the
        latest row not after ``as_of`` counts, of one day the last written.
    holds : DataFrame or None
        The table ``holds``; those without a resource hold a parcel and are passed by. They come on top of what the
        ledger itself has reserved.
    as_of : date
        The day.
    stale_after : Period, default QUARTER
        How long a row keeps.

    Returns
    -------
    DataFrame, one row per resource and node
        The table ``headroom``, by resource, then by node: ``reserved`` with the live holds, ``headroom`` in the unit of
        the row, negative where overdrawn; NaN, never a guess, where one of its parts is missing or a hold is in a unit
        of another kind. ``is_stale`` where the row is older than the period.
    list of Issue
        Stale nodes, overdrawn ones, parts that are missing, holds that fit no node or no unit, rows without a day.

    Notes
    -----
    A quarter is three calendar months, to the day: figures of 15 March count up to 15 June.

    Examples
    --------
    >>> row = {"resource": "power", "node": "示例变电站", "capacity": 50.0, "used": 20.0, "committed": 10.0}
    >>> ledger = pd.DataFrame([row | {"reserved": 0.0, "unit": "MVA", "measured_on": "2026-10-01"}])
    >>> left, issues = measure_headroom(ledger, None, date(2026, 11, 20))
    >>> left["headroom"].tolist(), issues
    ([20.0], [])
    """
    table = coerce(capacities, "capacities")
    issues: list[Issue] = []
    named = (table["resource"].notna() & table["node"].notna()).to_numpy(dtype=bool)
    undated = named & table["measured_on"].isna().to_numpy(dtype=bool)
    issues += [_said("ATTR.EVENT_UNDATED", row, _node(row)) for row in table[undated].to_dict("records")]
    day = pd.Timestamp(as_of)
    told = table[named & (table["measured_on"] <= day).to_numpy(dtype=bool)]
    ordered = told.sort_values("measured_on", kind="stable")
    latest = ordered.drop_duplicates(["resource", "node"], keep="last")
    latest = latest.sort_values(["resource", "node"], kind="stable").reset_index(drop=True)
    held, unfit, found = _held(latest, holds, as_of)
    issues += found
    result = latest.assign(reserved=latest["reserved"] + held)
    left = result["capacity"] - result["used"] - result["committed"] - result["reserved"]
    # A hold nobody can count makes the whole unknown: it may be the last of it.
    result["headroom"] = left.round(_EXACT).where(~unfit)
    result["is_stale"] = is_stale(result["measured_on"], as_of, stale_after)
    for row, is_unfit in zip(result.to_dict("records"), unfit.tolist(), strict=True):
        issues += _faults(row, is_unfit)
    return coerce(result, "headroom"), issues


def _held(
    latest: pd.DataFrame, holds: pd.DataFrame | None, as_of: date
) -> tuple[pd.Series[float], pd.Series[bool], list[Issue]]:
    """The sum of live holds at each node, in its unit; whether one of them cannot be counted."""
    total = pd.Series(0.0, index=latest.index)
    unfit = pd.Series(data=False, index=latest.index, dtype=bool)
    issues: list[Issue] = []
    if holds is None or holds.empty:
        return total, unfit, issues
    live = live_holds(coerce(holds, "holds"), as_of)
    place = {(r, n): at for at, r, n in zip(latest.index, latest["resource"], latest["node"], strict=True)}
    for row in live[live["resource"].notna().to_numpy(dtype=bool)].to_dict("records"):
        at = place.get((row["resource"], row["node"]))
        if at is None:
            issues.append(_said("ATTR.NODE", row, f"{row['hold_id']} {_node(row)}"))
            continue
        amount = _converted(row["amount"], row["unit"], str(latest["unit"].loc[at]))
        if amount is None:
            issues.append(_said("ATTR.BAD_UNIT", row, f"{row['hold_id']} {row['amount']} {row['unit']}"))
            unfit.loc[at] = True
        else:
            total.loc[at] += amount
    return total, unfit, issues


def _converted(amount: Any, unit: Any, target: str) -> float | None:
    """An amount in the unit of its node; None where it is missing or of another kind."""
    if pd.isna(amount) or pd.isna(unit):
        return None
    if str(unit).strip() == target.strip():
        return float(amount)
    try:
        end = find_unit(target)
        return convert(float(amount), str(unit), end.symbol, end.kind)
    except UnitError:
        return None


def _faults(row: dict[Any, Any], is_unfit: bool) -> list[Issue]:
    issues = []
    lacking = [column(part).label() for part in _PARTS if pd.isna(row[part])]
    if pd.isna(row["unit"]):
        lacking.append(column("unit").label())
    if lacking:
        issues.append(_said("ATTR.EMPTY", row, f"{_node(row)}：{'、'.join(lacking)}"))
    if not is_unfit and row["headroom"] < 0:
        issues.append(_said("LEDGER.OVERDRAWN", row, f"{_node(row)} {row['headroom']:g} {row['unit']}"))
    if row["is_stale"]:
        issues.append(_said("ATTR.STALE", row, f"{_node(row)} {row['measured_on'].date().isoformat()}"))
    return issues


def _node(row: dict[Any, Any]) -> str:
    return f"{column('resource').word(str(row['resource']))} {row['node']}"


def _said(code: str, row: dict[Any, Any], value: str) -> Issue:
    source, line = row.get("source"), row.get("source_row")
    return Issue(
        code,
        source="" if source is None or pd.isna(source) else str(source),
        row=None if line is None or pd.isna(line) else int(line),
        value=value,
    )


def attach_capacity(
    parcels: pd.DataFrame, headroom: pd.DataFrame, resources: Sequence[str] | None = None
) -> tuple[pd.DataFrame, list[Issue]]:
    """
    Lay beside each parcel whether the nodes that serve it have headroom.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``zone_code`` and, where known, ``<resource>_node``.
    headroom : DataFrame
        As ``measure_headroom`` gives. ``zone_code`` may name several zones, joined by 、.
    resources : sequence of str, optional
        Resources to attach; those of ``headroom`` where None.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``capacity_<resource>_state`` (``available`` above zero, ``full`` at or below it), ``capacity_<resource>_node``,
        ``capacity_<resource>_on``. The node is the parcel's own, else the only one that serves its zone. The state is
        missing where there is no such node, or its figures are stale or incomplete: a rule that rests on it becomes
        unknown, and the parcel pending.
    list of Issue
        One per node that parcels name and the ledger does not, and per zone with several nodes to choose from.

    Examples
    --------
    >>> left = pd.DataFrame({"resource": ["power"], "node": ["站"], "zone_code": ["K1"], "headroom": [5.0],
    ...                      "is_stale": [False], "measured_on": pd.to_datetime(["2026-10-01"])})
    >>> parcels = pd.DataFrame({"zone_code": ["K1", "K2"]}, index=["A", "B"])
    >>> attach_capacity(parcels, left)[0]["capacity_power_state"].tolist()
    ['available', nan]
    """
    issues: list[Issue] = []
    nodes = coerce(headroom, "headroom")
    wanted = list(dict.fromkeys(nodes["resource"].dropna())) if resources is None else list(resources)
    made: dict[str, Any] = {}
    nothing: pd.Series[Any] = pd.Series(np.nan, index=parcels.index, dtype="str")
    names = [name for name in ("zone_code", *(f"{r}_node" for r in wanted)) if name in parcels.columns]
    told = coerce(pd.DataFrame(parcels[names]), "parcels")
    for resource in wanted:
        rows = nodes[(nodes["resource"] == resource).to_numpy(dtype=bool)].set_index("node")
        own = told.get(f"{resource}_node", nothing)
        zones = told.get("zone_code", nothing)
        serving = _serving(rows)
        single = {zone: names[0] for zone, names in serving.items() if len(names) == 1}
        sole: pd.Series[Any] = zones.map(single).astype("str")
        node = own.where(own.notna(), sole)
        issues += _unclear(resource, rows, own, zones, serving)
        free = rows["headroom"].where(~rows["is_stale"].fillna(value=True).to_numpy(dtype=bool))
        state = pd.Series(np.where(free > 0, "available", "full"), index=rows.index, dtype="object")
        stem = f"capacity_{resource}"
        made[f"{stem}_state"] = node.map(state.where(free.notna())).astype("str")
        made[f"{stem}_node"] = node
        made[f"{stem}_on"] = node.map(rows["measured_on"]).astype("datetime64[s]")
    return pd.DataFrame(made, index=parcels.index), issues


def _serving(rows: pd.DataFrame) -> dict[str, list[str]]:
    """The nodes that serve each zone."""
    found: dict[str, list[str]] = {}
    for node, zones in rows["zone_code"].dropna().items():
        for zone in filter(None, _JOINTS.split(str(zones))):
            found.setdefault(zone, []).append(str(node))
    return found


def _unclear(
    resource: str,
    rows: pd.DataFrame,
    own: pd.Series[Any],
    zones: pd.Series[Any],
    serving: dict[str, list[str]],
) -> list[Issue]:
    word = column("resource").word(resource)
    strange = sorted(set(own.dropna().unique()) - set(rows.index))
    asking = zones[own.isna().to_numpy(dtype=bool)].dropna().unique()
    torn = sorted(zone for zone in asking if len(serving.get(zone, ())) > 1)
    return [
        *(Issue("ATTR.NODE", value=f"{word} {node}") for node in strange),
        *(Issue("ATTR.NODE", value=f"{word} {zone}：{'、'.join(serving[zone])}") for zone in torn),
    ]
