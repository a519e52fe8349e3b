from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import landplan.readiness
from landplan.errors import ConfigError
from landplan.readiness import (
    CLEAR_LAND,
    assess_readiness,
    judge_clear_land,
    judge_evaluations,
    judge_servicing,
    list_gaps,
    load_checklist,
    sum_gaps,
)
from landplan.schema import coerce
from landplan.tables import Assessment, Provenance, issue_table
from landplan.verdict import decide
from landplan.workdays import count_workdays, load_calendar

TODAY = date(2026, 10, 8)  # the first working day after the National Day week
CHINA = load_calendar()
EXAMPLE = Path(landplan.readiness.__file__).parent / "checklists" / "example.yaml"

SMALL = """\
checklist: small
title: 小清单
items:
  approval: {title: 农转用批复, group: approval, days: 10, cost: [10, 万元], party: 甲局}
  survey: {title: 文物勘探, group: heritage, evaluation: heritage, days: 3, cost: [0, 万元], party: 乙局}
  clear_land: {title: 净地, group: clear_land, days: 5, cost: [2, 万元/亩], after: [approval, survey], party: 丙局}
  road: {title: 通路, group: servicing, servicing: road, days: 4, cost: [1, 万元], after: [approval]}
  limits: {title: 指标, group: indicators, rules: [far.min], days: 2, cost: [0, 万元]}
"""


def checklist(tmp_path_factory, text=SMALL):
    path = tmp_path_factory.mktemp("list") / "清单.yaml"
    path.write_text(text, encoding="utf-8")
    return load_checklist(path)


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    return checklist(tmp_path_factory)


def frame(*rows):
    """Parcels of 15 亩, P0, P1 ...; keys without a prefix are states of events."""
    table = pd.DataFrame(
        [
            {
                name if "_" in name and name.split("_")[0] in ("servicing", "evaluation", "event", "zone") else f"event_{name}_state": value
                for name, value in row.items()
            }
            for row in rows
        ],
        index=pd.Index([f"P{n}" for n in range(len(rows))], name="parcel_id", dtype="str"),
    )  # fmt: skip
    return coerce(table.assign(area_m2=10000.0), "parcels")


def found(parcels, *rules):
    """Findings: (rule_id, indicator, status) for every parcel."""
    rows = [
        {"parcel_id": pid, "rule_id": rule, "indicator": indicator, "status": status, "force": "mandatory"}
        for pid in parcels.index
        for rule, indicator, status in rules
    ]
    return coerce(pd.DataFrame(rows), "findings")


PASS = ("far.min", "far_min", "pass")
DONE = {"approval": "done", "clear_land": "done", "road": "done", "evaluation_heritage_state": "covered"}


def assess(parcels, checklist, *rules, as_of=TODAY, issues=()):
    findings = found(parcels, *(rules or (PASS,)))
    judged = parcels.join(decide(parcels, findings, issue_table(issues)))
    return assess_readiness(judged, findings, checklist, as_of, CHINA)


# -- the checklist as it is declared


def test_the_example_checklist_says_that_it_is_made_up_and_loads():
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "示例" in text.splitlines()[0] and "编造" in text.splitlines()[0]
    items = load_checklist(EXAMPLE).items
    order = list(items)
    assert all(order.index(name) < order.index(code) for code, item in items.items() for name in item.after)


def test_every_fault_of_a_checklist_is_told_at_once_with_its_line(tmp_path):
    path = tmp_path / "清单.yaml"
    path.write_text(
        "checklist: x\ntitle: y\nitems:\n"
        "  a: {title: 甲, group: heritage, dayz: 3}\n"  # line 4
        "  b: {title: 乙, group: nowhere, days: -1}\n"
        "  c: {title: 丙, group: other, cost: 25}\n"
        "  d: {title: 丁, group: other, cost: [25, 公顷]}\n"
        "  e: {title: 戊, group: other, after: [zz]}\n"
        "  f: {title: 己, group: other, event: f, servicing: f}\n"
        "  a: {title: 庚, group: other}\n"  # line 10
        "  Bad: {title: 辛, group: other, days: 1.5}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as raised:
        load_checklist(path)
    lines = {int(fault.at.rsplit(":", 1)[1]) for fault in raised.value.faults}
    assert lines == {4, 5, 6, 7, 8, 9, 10, 11}
    assert all(fault.zh and fault.en for fault in raised.value.faults)


def test_items_that_wait_for_each_other_are_refused(tmp_path):
    path = tmp_path / "清单.yaml"
    path.write_text(
        "checklist: x\ntitle: y\nitems:\n  a: {title: 甲, group: other, after: [b]}\n"
        "  b: {title: 乙, group: other, after: [c]}\n  c: {title: 丙, group: other, after: [a]}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match="a -> b -> c -> a"):
        load_checklist(path)


# -- evaluations, servicing, clear land


def test_an_evaluation_is_inherited_only_where_it_covers_and_is_in_date():
    parcels = pd.DataFrame(
        {
            "zone_code": ["Z7", "Z7", "Z7", "Z7", "Z7", "Z8", None],
            "evaluation_flood_share": [1.0, 0.4, 0.0, 0.0, np.nan, 0.0, 0.0],
            "evaluation_flood_until": pd.to_datetime(
                ["2028-01-01"] * 2 + ["2026-10-07", None, None, None, None]
            ),
        },
        index=pd.Index([f"P{n}" for n in range(7)], name="parcel_id", dtype="str"),
    )
    states = judge_evaluations(parcels, ["flood"], {"Z8": []}, TODAY)["evaluation_flood_state"]
    assert states.tolist() == [
        "covered",
        "partly",
        "expired",
        "missing",
        "unknown",
        "not_required",
        "missing",
    ]


def test_an_item_the_zone_asks_for_and_nobody_supplied_is_unknown():
    parcels = frame({"zone_code": "Z"})
    assert judge_evaluations(parcels, [], {"Z": ["seismic"]}, TODAY)["evaluation_seismic_state"].tolist() == [
        "unknown"
    ]


def test_servicing_is_the_parcels_own_event_first_and_then_the_network_it_lies_in():
    parcels = frame(
        {"road": "done"},
        {"road": None, "servicing_road_share": 1.0},
        {"road": "none", "servicing_road_share": 1.0},
        {"road": None, "servicing_road_share": 0.3},
        {"road": None, "servicing_road_share": 0.0},
        {"road": None, "servicing_road_share": 0.0, "servicing_road_expected_on": pd.Timestamp("2027-02-01")},
        {"road": None, "servicing_road_share": None},
    )
    assert judge_servicing(parcels)["servicing_road_state"].tolist() == [
        "done", "done", "missing", "partly", "missing", "pending", "unknown",
    ]  # fmt: skip


def test_three_five_and_seven_are_reached_only_whole():
    three = dict.fromkeys(["road", "water", "power", "levelling"], "done")
    five = three | dict.fromkeys(["drainage", "telecom"], "done")
    seven = five | dict.fromkeys(["gas", "heat"], "done")
    nothing = dict.fromkeys(seven)
    rows = [
        three,
        five,
        seven,
        seven | {"telecom": None},
        three | {"power": None},
        three | {"power": "pending"},
    ]
    levels = judge_servicing(frame(*(nothing | row for row in rows)))["servicing_level"]
    assert levels.tolist() == ["three", "five", "seven", "three", "unknown", "none"]


SIX = dict.fromkeys(CLEAR_LAND, "done")


@pytest.mark.parametrize(
    ("states", "expected", "missing"),
    [
        ({"clear_land": "done"}, "yes", ""),
        (SIX, "yes", ""),
        (SIX | {"clear_land": "none"}, "yes", ""),
        (SIX | {"compensation": "pending"}, "no", "compensation"),
        (SIX | {"no_dispute": None}, "unknown", "no_dispute"),
        (SIX | {"no_dispute": None, "ownership": "none"}, "no", "ownership、no_dispute"),
        ({"clear_land": "void"}, "no", "、".join(CLEAR_LAND)),
        ({}, "unknown", "、".join(CLEAR_LAND)),
        (SIX | {"basic_works": None, "road": "done", "water": "done", "power": "done"}, "yes", ""),
        (
            SIX | {"basic_works": None, "road": "done", "water": "done", "power": None},
            "unknown",
            "basic_works",
        ),
    ],
)
def test_clear_land_is_certified_or_has_all_six_conditions(states, expected, missing):
    told = judge_clear_land(frame(states or {"sale": None})).iloc[0]
    assert told["clear_land"] == expected
    assert (told["clear_land_missing"] if isinstance(told["clear_land_missing"], str) else "") == missing


# -- tasks, days, costs


def tasks_of(tasks, pid="P0"):
    return tasks[tasks["parcel_id"] == pid].set_index("item")


def test_the_first_ready_day_is_the_longest_path_in_working_days(small):
    columns, tasks, issues = assess(frame({"sale": "none"}), small, ("far.min", "far_min", "unknown"))
    rows = tasks_of(tasks)
    # 8 October is Thursday: 9, 10 (Saturday, made up), 12-16, 19-21 are the ten days of the approval; 22-28 the five after.
    days = {item: rows.at[item, "finish_on"].strftime("%m-%d") for item in rows.index}
    assert days == {
        "approval": "10-21",
        "survey": "10-12",
        "clear_land": "10-28",
        "road": "10-27",
        "limits": "10-10",
    }
    assert rows["is_critical"].to_dict() == {
        "approval": True, "survey": False, "clear_land": True, "road": False, "limits": False,
    }  # fmt: skip
    first = columns.iloc[0]
    assert first["ready_on"] == pd.Timestamp("2026-10-28") and first["ready_days"] == 15
    assert first["ready_cost_cny"] == 100_000 + 0 + 2 * 15 * 10_000 + 10_000
    assert rows.at["clear_land", "start_on"] == pd.Timestamp("2026-10-22")
    assert first["task_count"] == 5 and not first["is_ready_tentative"] and not issues


def test_a_parcel_with_nothing_open_is_ready_today_and_costs_nothing(small):
    columns, tasks, _ = assess(frame(DONE), small)
    assert tasks.empty
    row = columns.iloc[0]
    assert (row["ready_on"], row["ready_days"], row["ready_cost_cny"]) == (pd.Timestamp(TODAY), 0, 0)
    assert row["tier"] == "standard"


def test_an_item_without_days_has_no_day_and_is_what_the_parcel_waits_for(tmp_path_factory):
    without = checklist(tmp_path_factory, SMALL.replace("days: 10, ", ""))
    columns, tasks, _ = assess(frame({"sale": "none"}), without)
    rows = tasks_of(tasks)
    assert columns["ready_on"].isna().all() and columns["ready_days"].isna().all()
    assert rows["finish_on"].isna().to_dict() == {
        "approval": True,
        "survey": False,
        "clear_land": True,
        "road": True,
    }
    assert rows["is_critical"].to_dict() == {
        "approval": True,
        "survey": False,
        "clear_land": False,
        "road": False,
    }


def test_an_item_without_a_cost_leaves_the_sum_unknown_and_not_zero(tmp_path_factory):
    without = checklist(tmp_path_factory, SMALL.replace("cost: [10, 万元], ", ""))
    columns, _, _ = assess(frame({"sale": "none"}), without)
    assert np.isnan(columns["ready_cost_cny"].iloc[0]) and columns["ready_on"].notna().all()


def test_a_cost_by_area_is_unknown_where_the_area_is(small):
    parcels = frame(DONE | {"clear_land": None}).assign(area_m2=np.nan)
    assert np.isnan(assess(parcels, small)[0]["ready_cost_cny"].iloc[0])


def test_work_under_way_counts_the_days_gone_and_overdue_work_counts_in_full():
    items = load_checklist(EXAMPLE)
    only = replace(items, items={"clear_land": replace(items.items["clear_land"], after=(), days=10.0)})
    rows = [
        DONE | {"clear_land": "pending", "event_clear_land_on": pd.Timestamp(day)}
        for day in ("2026-09-28", "2026-01-05")
    ]
    parcels = frame(*rows)
    _, tasks, _ = assess(parcels, only)
    # Ten days from 28 September: 29, 30, 8, 9, 10, 12-16 October.
    assert tasks_of(tasks, "P0").at["clear_land", "finish_on"] == pd.Timestamp("2026-10-16")
    assert tasks_of(tasks, "P1").at["clear_land", "finish_on"] == pd.Timestamp("2026-10-21")


def test_a_network_expected_on_a_day_is_there_on_that_day(small):
    row = DONE | {
        "road": None,
        "servicing_road_share": 0.0,
        "servicing_road_expected_on": pd.Timestamp("2026-12-01"),
    }
    columns, tasks, _ = assess(frame(row), small)
    assert (
        tasks_of(tasks).at["road", "finish_on"] == pd.Timestamp("2026-12-01") == columns["ready_on"].iloc[0]
    )
    late = row | {"servicing_road_expected_on": pd.Timestamp("2026-09-01")}
    columns, _, _ = assess(frame(late), small)
    assert columns["ready_on"].iloc[0] == pd.Timestamp("2026-10-13")  # overdue: four working days from today


def test_suspended_work_has_no_known_end(small):
    columns, tasks, _ = assess(frame(DONE | {"approval": "suspended"}), small)
    assert tasks["task_state"].tolist() == ["suspended"] and columns["ready_on"].isna().all()


def test_a_rule_no_item_stands_for_is_listed_and_hides_no_day(small):
    rules = (PASS, ("farmland.overlap", "farmland_overlap_m2", "fail"))
    columns, tasks, _ = assess(frame(DONE), small, *rules)
    assert tasks[["item", "task_group", "task_state"]].values.tolist() == [
        ["farmland.overlap", "constraints", "failed"]
    ]
    assert columns["ready_on"].isna().all() and columns["task_count"].tolist() == [1]


def test_a_rule_whose_item_says_done_is_still_listed(small):
    # The rule asks for more than the item knows: two documents, a later day ...
    columns, tasks, _ = assess(frame(DONE), small, PASS, ("road.done", "event_road_state", "fail"))
    assert tasks["item"].tolist() == ["road.done"] and columns["ready_on"].isna().all()


def test_faults_of_the_data_that_block_are_a_task(small):
    from landplan.issues import Issue

    columns, tasks, _ = assess(frame(DONE), small, issues=[Issue("GEOM.OVERLAP", parcel_id="P0", value="B")])
    assert tasks["item"].tolist() == ["data"] and columns["ready_on"].isna().all()
    assert columns["tier"].tolist() == ["clear"]


def test_an_override_closes_the_task_of_its_rule(small):
    from landplan.rules import apply_overrides

    parcels = frame(DONE)
    findings = found(parcels, ("far.min", "far_min", "fail"))
    said = {
        "parcel_id": ["P0"],
        "rule_id": ["far.min"],
        "person": ["甲"],
        "grounds": ["乙"],
        "document": ["丙"],
    }
    days = {"on": pd.to_datetime(["2026-01-01"]), "until": pd.to_datetime(["2026-12-31"])}
    findings, _ = apply_overrides(findings, pd.DataFrame({**said, **days}), TODAY)
    judged = parcels.join(decide(parcels, findings, issue_table([])))
    columns, tasks, _ = assess_readiness(judged, findings, small, TODAY, CHINA)
    assert tasks.empty and columns["tier"].tolist() == ["standard"]


def test_a_sold_parcel_has_no_list_and_no_day(small):
    columns, tasks, _ = assess(frame({"sale": "done"}), small)
    assert tasks.empty and columns["ready_on"].isna().all() and columns["ready_cost_cny"].isna().all()


def test_days_that_rest_on_a_year_without_a_notice_are_flagged_and_the_year_is_named(small):
    last = max(CHINA.known_years)
    columns, _, issues = assess(frame({"sale": "none"}, DONE), small, as_of=date(last, 12, 20))
    assert columns["is_ready_tentative"].tolist() == [True, False]
    assert [(i.code, str(i.value)) for i in issues] == [("ATTR.CALENDAR_YEAR", f"{last + 1}（1 宗）")]


def test_without_a_checklist_nothing_is_promised():
    parcels = frame(DONE, DONE)
    columns, tasks, _ = assess(parcels, None, ("far.min", "far_min", "fail"))
    assert columns["ready_on"].isna().all() and tasks["item"].tolist() == ["far.min"] * 2


# -- tiers


@pytest.mark.parametrize(
    ("states", "rules", "expected"),
    [
        ({}, (PASS,), "raw"),
        ({}, (("farmland.overlap", "farmland_overlap_m2", "pass"),), "ready_to_apply"),
        ({}, (("farmland.overlap", "farmland_overlap_m2", "unknown"),), "raw"),
        ({"plan": None}, (("farmland.overlap", "farmland_overlap_m2", "pass"),), "raw"),
        ({"plan": "done"}, (("farmland.overlap", "farmland_overlap_m2", "pass"),), "ready_to_apply"),
        ({"approval": "done"}, (PASS,), "approved"),
        ({"approval": "done", "expropriation": "done"}, (PASS,), "expropriated"),
        ({"approval": "done", "expropriation": None, "clear_land": "done"}, (PASS,), "clear"),
        (DONE, (PASS,), "standard"),
        (DONE, (PASS, ("tax.min", "tax_cny_per_m2_yr", "unknown")), "clear"),
        ({"approval": None, "clear_land": None}, (PASS,), "raw"),
    ],
)
def test_the_tier_is_the_highest_that_is_proven(small, states, rules, expected):
    columns, _, issues = assess(frame({"sale": "none"} | states), small, *rules)
    assert columns["tier"].tolist() == [expected] and not issues


def test_a_stage_past_one_that_is_said_not_done_is_told_and_does_not_count(small):
    columns, _, issues = assess(frame(DONE | {"approval": "pending"}), small)
    assert columns["tier"].tolist() == ["raw"]
    assert [(i.code, i.parcel_id) for i in issues] == [("ATTR.STAGE_ORDER", "P0")]


def test_a_certificate_against_its_own_conditions_is_told(small):
    _, _, issues = assess(frame(DONE | {"no_dispute": "none"}), small)
    assert [(i.code, str(i.value)) for i in issues] == [("ATTR.CLEAR_LAND", "no_dispute")]


# -- laws

STATE = st.sampled_from(["done", "pending", "none", "suspended", "void", None])
SHARE = st.sampled_from(["covered", "partly", "missing", "unknown", "expired", "not_required"])
ROW = st.fixed_dictionaries(
    {"approval": STATE, "clear_land": STATE, "road": STATE, "evaluation_heritage_state": SHARE,
     "event_approval_on": st.sampled_from([None, pd.Timestamp("2026-09-15"), pd.Timestamp("2024-01-05")])}
)  # fmt: skip
STATUS = st.sampled_from(["pass", "fail", "unknown", "refer"])
TIERS = ["raw", "ready_to_apply", "approved", "expropriated", "clear", "standard"]
NEVER = pd.Timestamp("2100-01-01")


def _with_days(row):
    """A state with a day, as events have it; nothing has none."""
    return row | {"event_approval_on": row["event_approval_on"] if row["approval"] else None}


@settings(max_examples=150)
@given(
    ROW,
    STATUS,
    st.sampled_from(["approval", "clear_land", "road", "evaluation_heritage_state", "far"]),
    st.booleans(),
)
def test_law_5_mending_one_item_never_makes_a_parcel_later_dearer_or_lower(
    small, row, status, which, is_begun
):
    row = _with_days(row)
    mended = dict(row)
    if which.startswith("evaluation"):
        mended[which] = "covered"
    elif which != "far":
        # To begin what was not begun is to mend it, too.
        mended[which] = "pending" if is_begun and row[which] in ("none", "void", "suspended") else "done"
    after = "pass" if which == "far" else status
    before_of, after_of = (
        assess(frame(r), small, ("far.min", "far_min", s))[0].iloc[0]
        for r, s in ((row, status), (mended, after))
    )
    assert after_of["ready_on"] <= before_of["ready_on"] if pd.notna(before_of["ready_on"]) else True
    if pd.notna(before_of["ready_on"]):
        assert pd.notna(after_of["ready_on"])
    assert after_of["ready_cost_cny"] <= before_of["ready_cost_cny"] or np.isnan(before_of["ready_cost_cny"])
    assert after_of["task_count"] <= before_of["task_count"]
    assert TIERS.index(after_of["tier"]) >= TIERS.index(before_of["tier"])


@settings(max_examples=150)
@given(ROW, STATUS)
def test_law_4_unknown_is_never_ready_nor_a_standard_parcel(small, row, status):
    row = _with_days(row)
    columns, tasks, _ = assess(frame(row), small, ("far.min", "far_min", status))
    told = columns.iloc[0]
    unknown = status != "pass" or any(row[n] is None for n in ("approval", "clear_land", "road"))
    if unknown or row["evaluation_heritage_state"] == "unknown":
        assert told["tier"] != "standard" and told["task_count"] > 0
        assert pd.isna(told["ready_on"]) or told["ready_on"] > pd.Timestamp(TODAY)
    if pd.notna(told["ready_on"]):
        assert told["ready_days"] == count_workdays(TODAY, told["ready_on"].date(), CHINA)
        assert (tasks["finish_on"] <= told["ready_on"]).all()
        # A day is named by the items it hangs on, the last of which ends on it.
        critical = tasks[tasks["is_critical"].fillna(False)]
        assert tasks.empty or critical["finish_on"].max() == told["ready_on"]
    else:
        assert tasks["is_critical"].any()


@settings(max_examples=60)
@given(st.lists(st.tuples(ROW, STATUS), min_size=2, max_size=5))
def test_law_1_the_whole_is_what_its_parcels_are_one_by_one(small, rows):
    parcels = frame(*(_with_days(row) for row, _ in rows))
    findings = found(parcels, PASS)
    findings["status"] = [status for _, status in rows]
    judged = parcels.join(decide(parcels, findings, issue_table([])))
    whole, tasks, _ = assess_readiness(judged, findings, small, TODAY, CHINA)
    parts = [
        assess_readiness(judged.loc[[pid]], findings[findings["parcel_id"] == pid], small, TODAY, CHINA)
        for pid in judged.index
    ]
    pd.testing.assert_frame_equal(whole, pd.concat([part[0] for part in parts]))
    pd.testing.assert_frame_equal(
        tasks, coerce(pd.concat([p[1] for p in parts if len(p[1])] or [tasks], ignore_index=True), "tasks")
    )
    assert whole.index.equals(judged.index)
    coerce(whole, "parcels")  # every column is declared


# -- cuts of it


def judged_of(small, *rows):
    parcels = frame(*rows)
    findings = found(parcels, PASS)
    judged = parcels.join(decide(parcels, findings, issue_table([])))
    columns, tasks, _ = assess_readiness(judged, findings, small, TODAY, CHINA)
    judged = judged.join(columns[[c for c in columns if c not in judged]])
    return Assessment(
        parcels=judged, zones=parcels, overlaps=parcels, indicators=parcels, events=parcels, findings=findings,
        issues=issue_table([]), provenance=Provenance(TODAY, "试", True, "0"), tasks=tasks,
    )  # fmt: skip


def test_the_sum_tells_who_is_in_time_for_a_day_and_who_is_not_known(small):
    assessment = judged_of(small, {"sale": "none"}, DONE, DONE | {"approval": "suspended"}, {"sale": "done"})
    sums = sum_gaps(assessment, CHINA, due=date(2026, 10, 20))
    assert sums.index.tolist() == ["P1", "P0", "P2"]  # the soonest first, the sold one left out
    assert sums["days_to_spare"].fillna(-99).tolist() == [9, -6, -99]
    assert sums.at["P0", "next_move"] == "农转用批复（甲局）"
    assert list_gaps(assessment, "P0")["item"].tolist() == ["approval", "survey", "clear_land", "road"]
    with pytest.raises(KeyError):
        list_gaps(assessment, "P9")
