"""What each parcel still needs, whose move it is, what it costs, and the first day it could be ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landplan.issues import Issue
from landplan.readiness.checklist import CLEAR_LAND, Checklist
from landplan.readiness.schedule import Span, schedule_items
from landplan.readiness.states import (
    OF_STOP,
    STATES,
    State,
    item_states,
    judge_clear_land,
    judge_evaluations,
    judge_servicing,
)
from landplan.readiness.tiers import rank_tiers
from landplan.schema import coerce, column
from landplan.schema.words import is_among, used_words
from landplan.verdict import Stops, find_stops
from landplan.workdays import WorkCalendar, count_workdays

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["assess_readiness"]

_DONE = STATES.index("done")
_NO_CHECKLIST = Checklist("", "", {})


@dataclass
class _Tasks:
    """Tasks as they are found: constants of an item, and one row per parcel that needs it."""

    items: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)

    def add(self, fixed: dict[str, Any], rows: dict[str, Any]) -> None:
        """Note one item for the parcels at ``rows['place']``."""
        rows["number"] = np.full(len(rows["place"]), len(self.items), dtype=np.int64)
        self.items.append(fixed)
        self.parts.append(rows)

    def lay_out(self, parcels: DataFrame) -> DataFrame:
        """Give the ``tasks`` table: parcels in their order, items in that of the checklist."""
        if not self.parts or not sum(len(part["place"]) for part in self.parts):
            return coerce(pd.DataFrame(), "tasks")
        joined = {name: np.concatenate([part.pop(name) for part in self.parts]) for name in [*self.parts[0]]}
        # Each part is in order already: a stable sort of one key only merges them.
        order = np.argsort(joined["place"] * len(self.items) + joined["number"], kind="stable")
        joined = {name: joined.pop(name)[order] for name in [*joined]}
        texts = {
            name: pd.array([fixed[name] or None for fixed in self.items], dtype="str").take(joined["number"])
            for name in ("item", "task_group", "title", "party", "office", "after")
        }
        days = np.array([fixed["days"] for fixed in self.items], dtype=np.float64)
        timeless = np.isnan(days)
        whole = np.where(timeless, 0, days).astype(np.int64)
        frame = pd.DataFrame(
            {
                **texts,
                "parcel_id": parcels.index.astype("str").array.take(joined["place"]),
                "task_state": pd.array(STATES, dtype="str").take(joined["state"].astype(np.int64)),
                "days": pd.arrays.IntegerArray(whole[joined["number"]], timeless[joined["number"]]),
                "cost_cny": joined["cost"],
                "start_on": joined["start"].astype("datetime64[s]"),
                "finish_on": joined["finish"].astype("datetime64[s]"),
                "is_critical": pd.array(joined["critical"], dtype="boolean"),
            }
        )
        return coerce(frame, "tasks")


def assess_readiness(
    parcels: DataFrame,
    findings: DataFrame,
    checklist: Checklist | None,
    as_of: date,
    calendar: WorkCalendar,
    titles: Mapping[str, str] | None = None,
) -> tuple[DataFrame, DataFrame, list[Issue]]:
    """
    Tell how ready each parcel is, what it still needs, and when it could have it.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        Judged: with ``verdict``, ``fail_count``, ``open_count``; ``area_m2``; states of events, evaluations and networks.
    findings : DataFrame
        One row per parcel and rule, and per override.
    checklist : Checklist or None
        What the zone asks for; without one only open rules and faults of the data are listed, with no time known.
    as_of : date
        The day.
    calendar : WorkCalendar
        Which days are worked.
    titles : mapping of str to str or None
        Titles of layers and items by name.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``servicing_<item>_state``, ``servicing_level``, ``clear_land``, ``clear_land_missing``, ``tier``, ``task_count``,
        ``ready_on``, ``ready_days``, ``ready_cost_cny``, ``is_ready_tentative``; ``evaluation_<item>_state`` where the
        parcels lack it. A parcel ready on the day is ready on ``as_of`` in 0 days. Where one task has no days, the day is
        missing; where one has no cost, the cost is. A sold parcel has neither tasks nor a day.
    DataFrame
        The ``tasks`` table: what is open, by parcel, in the order of the checklist; last the mandatory rules that are open
        and that no open item stands for, and faults of the data.
    list of Issue
        Years without a notice of days off; stages and certificates that contradict each other.

    Notes
    -----
    An item that is not known to be done counts as still to be done in full: the day is never earlier than it could be
    shown to be.
    """
    used = checklist or _NO_CHECKLIST
    columns = []
    if not any(_is_evaluation_state(str(name)) for name in parcels.columns):
        shares = [
            str(n)[11:-6]
            for n in parcels.columns
            if str(n).startswith("evaluation_") and str(n).endswith("_share")
        ]
        columns.append(judge_evaluations(parcels, shares, {}, as_of))
        parcels = parcels.join(columns[0])
    networks = [name for item in used.items.values() if item.known_by == "servicing" for name in item.names]
    columns.append(judge_servicing(parcels, networks))
    stops = find_stops(findings, parcels.index)
    asks_rules = any(item.known_by == "rules" for item in used.items.values())
    states = item_states(parcels, used_words(findings["rule_id"]) if asks_rules else set(), stops, used)
    clear = judge_clear_land(parcels, {code: states[code] for code in CLEAR_LAND if code in states})
    is_clear = is_among(clear["clear_land"], ["yes"])
    for code in CLEAR_LAND:
        if code in states:
            # The certificate stands for the conditions it certifies.
            states[code] = np.where(is_clear, np.minimum(states[code], _DONE), states[code]).astype(np.int8)
    sold = is_among(parcels["event_sale_state"], ["done"]) if "event_sale_state" in parcels.columns else None
    if sold is not None:
        states = {code: np.where(sold, _DONE, state).astype(np.int8) for code, state in states.items()}
    spans = schedule_items(parcels, used, states, as_of, calendar)
    tasks = _Tasks()
    area = parcels["area_m2"].to_numpy(dtype=np.float64, na_value=np.nan)
    for code, item in used.items.items():
        place = np.flatnonzero(spans[code].is_open)
        cost = item.cost * area[place] if item.is_cost_by_area else np.full(len(place), item.cost)
        fixed = {
            "item": code, "task_group": item.group, "title": item.title, "party": item.party, "office": item.office,
            "after": "、".join(item.after), "days": item.days,
        }  # fmt: skip
        tasks.add(fixed, _rows(place, states[code], spans[code], cost))
    _add_rules(tasks, parcels, stops, used, spans, sold, titles or {})
    totals = _total(tasks, parcels, as_of, calendar, sold)
    opened = totals["task_count"].to_numpy(dtype=np.int64)
    tier, issues = rank_tiers(parcels, findings, is_clear, opened)
    columns += [clear, tier, totals]
    table = tasks.lay_out(parcels)
    issues += _contradicted(parcels, is_clear)
    issues += _say_years(table, totals, as_of, calendar)
    return pd.concat(columns, axis=1), table, issues


def _is_evaluation_state(name: str) -> bool:
    return name.startswith("evaluation_") and name.endswith("_state")


def _rows(
    place: NDArray[np.int64], state: State, span: Span | None, cost: NDArray[np.float64]
) -> dict[str, Any]:
    never = np.full(len(place), np.datetime64("NaT", "D"))
    return {
        "place": place,
        "state": state[place] if span is not None else state,
        "cost": cost,
        "start": never if span is None else span.start[place],
        "finish": never if span is None else span.finish[place],
        "critical": np.ones(len(place), dtype=bool) if span is None else span.is_critical[place],
    }


def _add_rules(
    tasks: _Tasks,
    parcels: DataFrame,
    stops: Stops,
    checklist: Checklist,
    spans: Mapping[str, Span],
    sold: NDArray[np.bool_] | None,
    titles: Mapping[str, str],
) -> None:
    """List what keeps a parcel from being ready and no open item stands for: it has no time, and hides none."""
    counted = np.bincount(stops.place, minlength=len(parcels))
    # Rules in the order in which they are first met.
    kinds = pd.unique(stops.rule.astype(np.int64) * len(stops.indicators) + stops.indicator)
    for kind in kinds.tolist():
        rule, about = divmod(kind, len(stops.indicators))
        rule_id, indicator = str(stops.rules[rule]), str(stops.indicators[about])
        here = stops.rule == rule
        place = stops.place[here]
        standing = [spans[code].is_open for code in checklist.covering(rule_id, indicator)]
        stands = np.logical_or.reduce(standing)[place] if standing else np.zeros(len(place), dtype=bool)
        if sold is not None:
            stands = stands | sold[place]
        fixed = {
            "item": rule_id, "task_group": _group_of(indicator), "title": column(indicator).label("zh", titles),
            "party": "", "office": "", "after": "", "days": np.nan,
        }  # fmt: skip
        state = OF_STOP[stops.status[here][~stands]]
        tasks.add(fixed, _rows(place[~stands], state, None, np.full(len(state), np.nan)))
    if "open_count" not in parcels.columns:
        return
    told = parcels["fail_count"].to_numpy(dtype=np.int64) + parcels["open_count"].to_numpy(dtype=np.int64)
    faulty = told > counted if sold is None else (told > counted) & ~sold
    place = np.flatnonzero(faulty)
    fixed = {
        "item": "data", "task_group": "data", "title": "核实数据问题", "party": "", "office": "", "after": "", "days": np.nan,
    }  # fmt: skip
    state = np.full(len(place), STATES.index("unknown"), dtype=np.int8)
    tasks.add(fixed, _rows(place, state, None, np.full(len(place), np.nan)))


def _group_of(indicator: str) -> str:
    declared = column(indicator)
    if "_overlap_" in indicator:
        return "constraints"
    if indicator.startswith("evaluation_"):
        return "evaluation"
    return "indicators" if declared.bound else "other"


def _total(
    tasks: _Tasks, parcels: DataFrame, as_of: date, calendar: WorkCalendar, sold: NDArray[np.bool_] | None
) -> DataFrame:
    """Sum the tasks of each parcel up: how many, until when, for how much."""
    count = len(parcels)
    opened = np.zeros(count, dtype=np.int64)
    cost = np.zeros(count)
    ready_on = np.full(count, np.datetime64(as_of, "D"))
    for part in tasks.parts:
        place = part["place"]  # each parcel at most once in a part
        opened[place] += 1
        cost[place] += part["cost"]
        ready_on[place] = np.maximum(ready_on[place], part["finish"])
    # Nothing open and yet not ready: no day may be named for it.
    ready = is_among(parcels["verdict"], ["ready"])
    nameless = ~ready & (opened == 0) if sold is None else sold | (~ready & (opened == 0))
    ready_on = np.where(nameless, np.datetime64("NaT", "D"), ready_on)
    cost = np.where(nameless, np.nan, cost)
    days = count_workdays(np.full(count, np.datetime64(as_of, "D")), ready_on, calendar)
    unknown = np.isnan(days)
    provisional = calendar.are_provisional(np.datetime64(as_of, "D"), ready_on)
    never = np.isnat(ready_on)
    return pd.DataFrame(
        {
            "task_count": pd.array(opened, dtype="Int64"),
            "ready_on": ready_on.astype("datetime64[s]"),
            "ready_days": pd.arrays.IntegerArray(np.where(unknown, 0, days).astype(np.int64), unknown),
            "ready_cost_cny": cost,
            "is_ready_tentative": pd.arrays.BooleanArray(provisional & ~never, never),
        },
        index=parcels.index,
    )


def _contradicted(parcels: DataFrame, is_clear: NDArray[np.bool_]) -> list[Issue]:
    """Tell of certificates whose own conditions are said not to be met."""
    found: dict[int, list[str]] = {}
    for code in CLEAR_LAND:
        name = f"event_{code}_state"
        if name in parcels.columns:
            denied = is_clear & is_among(parcels[name], ["none", "void", "suspended", "pending"])
            for place in np.flatnonzero(denied):
                found.setdefault(int(place), []).append(code)
    keys = parcels.index.astype("str")
    return [
        Issue("ATTR.CLEAR_LAND", parcel_id=keys[place], value="、".join(listed))
        for place, listed in sorted(found.items())
    ]


def _say_years(tasks: DataFrame, totals: DataFrame, as_of: date, calendar: WorkCalendar) -> list[Issue]:
    """Tell once of every year an answer rests on whose notice of days off is not there."""
    ends = tasks["finish_on"].dropna()
    if ends.empty:
        return []
    years = calendar.unknown_years(as_of, ends.max().date())
    parcels = int(totals["is_ready_tentative"].fillna(False).sum())
    return (
        [Issue("ATTR.CALENDAR_YEAR", value=f"{'、'.join(map(str, years))}（{parcels} 宗）")] if years else []
    )
