"""What is left at a node, how much of a building is in use, what a head of the budget still holds."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landplan.resources import (
    attach_capacity,
    balance_funds,
    find_overcommitments,
    list_buildings,
    live_holds,
    measure_headroom,
    measure_usage,
    missing_money,
    print_rate,
    report_funds,
)
from landplan.rules import evaluate_rules, load_rulebook
from landplan.schema import coerce
from landplan.tables import issue_table

DAY = date(2026, 11, 20)
STATION = {
    "resource": "power",
    "node": "示例变电站",
    "zone_code": "K1",
    "capacity": 50.0,
    "used": 20.0,
    "committed": 10.0,
    "reserved": 5.0,
    "unit": "MVA",
    "measured_on": "2026-10-01",
}
HOLD = {
    "hold_id": "H1",
    "resource": "power",
    "node": "示例变电站",
    "amount": 5000.0,
    "unit": "kVA",
    "on": "2026-11-01",
    "until": "2026-11-30",
}


def ledger(*rows):
    return pd.DataFrame([{**STATION, **row} for row in rows])


def held(*rows):
    return coerce(pd.DataFrame([{**HOLD, **row} for row in rows]), "holds")


def left(capacities, holds=None, day=DAY):
    frame, issues = measure_headroom(capacities, holds, day)
    return frame["headroom"].tolist(), [issue.code for issue in issues]


def test_headroom_is_capacity_less_used_committed_and_reserved():
    assert left(ledger({})) == ([15.0], [])


def test_a_hold_is_taken_off_in_the_unit_of_the_node_while_it_lives():
    holds = held({})
    assert left(ledger({}), holds) == ([10.0], [])
    assert left(ledger({}), holds, date(2026, 11, 30)) == ([10.0], [])
    assert left(ledger({}), holds, date(2026, 12, 1)) == ([15.0], [])
    assert left(ledger({}), holds, date(2026, 10, 31)) == ([15.0], [])
    frame, _ = measure_headroom(ledger({}), holds, DAY)
    assert frame["reserved"].tolist() == [10.0]


def test_a_hold_given_up_is_free_on_that_day():
    holds = held({"released_on": "2026-11-20"})
    assert left(ledger({}), holds) == ([15.0], [])
    assert left(ledger({}), holds, date(2026, 11, 19)) == ([10.0], [])


def test_a_hold_without_a_day_holds():
    assert len(live_holds(held({"on": None, "until": None}), DAY)) == 1


def test_a_hold_in_a_unit_of_another_kind_makes_the_node_unknown():
    values, codes = left(ledger({}), held({"unit": "kW"}))
    assert np.isnan(values).all() and codes == ["ATTR.BAD_UNIT"]


def test_a_hold_on_a_node_nobody_knows_is_told_and_touches_no_other():
    assert left(ledger({}), held({"node": "别处"})) == ([15.0], ["ATTR.NODE"])


def test_a_hold_on_a_parcel_takes_no_capacity():
    assert left(ledger({}), held({"resource": None, "node": None, "parcel_id": "A"})) == ([15.0], [])


def test_a_part_that_is_missing_makes_the_whole_unknown_and_never_larger():
    values, codes = left(ledger({"committed": None}))
    assert np.isnan(values).all() and codes == ["ATTR.EMPTY"]


def test_an_overdrawn_node_is_said_with_what_it_lacks():
    frame, issues = measure_headroom(ledger({"used": 40.0}), None, DAY)
    assert frame["headroom"].tolist() == [-5.0]
    assert [(issue.code, issue.value) for issue in issues] == [("LEDGER.OVERDRAWN", "电力 示例变电站 -5 MVA")]


def test_the_latest_row_not_after_the_day_counts():
    capacities = ledger(
        {"measured_on": "2026-09-30", "used": 1.0}, {}, {"measured_on": "2026-12-31", "used": 49.0}
    )
    assert left(capacities) == ([15.0], [])
    assert left(capacities, None, date(2026, 9, 30)) == ([34.0], [])
    assert left(capacities, None, date(2026, 1, 1)) == ([], [])


def test_a_row_older_than_a_quarter_is_stale_from_the_day_after():
    capacities = ledger({"measured_on": "2026-08-20"})
    assert measure_headroom(capacities, None, DAY)[0]["is_stale"].tolist() == [False]
    frame, issues = measure_headroom(capacities, None, date(2026, 11, 21))
    assert frame["is_stale"].tolist() == [True]
    assert [(issue.code, issue.value) for issue in issues] == [("ATTR.STALE", "电力 示例变电站 2026-08-20")]


def test_a_row_without_a_day_is_not_used_and_said():
    assert left(ledger({"measured_on": None})) == ([], ["ATTR.EVENT_UNDATED"])


def test_decimal_figures_leave_no_binary_crumbs():
    assert left(ledger({"capacity": 0.3, "used": 0.1, "committed": 0.2, "reserved": 0.0})) == ([0.0], [])


amounts = st.integers(0, 1000).map(float)


@given(st.tuples(amounts, amounts, amounts, amounts), st.lists(amounts, max_size=4), amounts)
def test_one_more_hold_takes_exactly_itself(parts, holds, more):
    capacities = ledger(dict(zip(("capacity", "used", "committed", "reserved"), parts, strict=True)))
    before = (
        held(*({"hold_id": f"H{k}", "amount": a, "unit": "MVA"} for k, a in enumerate(holds)))
        if holds
        else None
    )
    new = held({"hold_id": "N", "amount": more, "unit": "MVA"})
    after = new if before is None else pd.concat([before, new], ignore_index=True)
    assert left(capacities, before)[0][0] - left(capacities, after)[0][0] == more


def headroom(*rows, day=DAY):
    return measure_headroom(ledger(*rows), None, day)[0]


def attached(parcels, frame):
    return attach_capacity(parcels, frame)


def test_a_parcel_is_served_by_its_own_node_or_the_only_one_of_its_zone():
    frame = headroom({}, {"node": "乙站", "zone_code": "K2", "used": 35.0})
    parcels = pd.DataFrame(
        {"zone_code": ["K1", "K2", "K3", "K1", None], "power_node": [None, None, None, "乙站", "示例变电站"]},
        index=pd.Index(list("ABCDE"), name="parcel_id"),
    )
    columns, issues = attached(parcels, frame)
    state = columns["capacity_power_state"]
    assert state.fillna("?").tolist() == ["available", "full", "?", "full", "available"]
    assert columns["capacity_power_node"].fillna("?").tolist() == [
        "示例变电站",
        "乙站",
        "?",
        "乙站",
        "示例变电站",
    ]
    assert columns["capacity_power_on"].dt.date.tolist()[0] == date(2026, 10, 1)
    assert columns.index.equals(parcels.index) and issues == []


def test_of_two_nodes_in_a_zone_none_is_guessed_and_an_unknown_node_is_said():
    frame = headroom({}, {"node": "乙站"})
    parcels = pd.DataFrame({"zone_code": ["K1", "K1"], "power_node": [None, "丙站"]}, index=["A", "B"])
    columns, issues = attached(parcels, frame)
    assert columns["capacity_power_state"].isna().all()
    assert [issue.value for issue in issues] == ["电力 丙站", "电力 K1：乙站、示例变电站"]


def test_a_node_may_serve_several_zones():
    parcels = pd.DataFrame({"zone_code": ["K1", "K2"]}, index=["A", "B"])
    columns, _ = attached(parcels, headroom({"zone_code": "K1、K2"}))
    assert columns["capacity_power_state"].tolist() == ["available", "available"]


BOOK = """\
rulebook: power
title: 示例
rules:
  power.headroom:
    indicator: capacity_power_state
    test: one_of
    force: mandatory
    values:
      2020-01-01: [available]
    reference:
      2020-01-01: {title: 示例, article: 第一条}
    checked_on: 2026-11-20
    mark: 示例
"""


def test_a_stale_ledger_makes_the_rules_that_rest_on_it_unknown(tmp_path):
    (tmp_path / "power.yaml").write_text(BOOK, encoding="utf-8")
    book = load_rulebook(tmp_path / "power.yaml")
    parcels = pd.DataFrame({"zone_code": ["K1"]}, index=pd.Index(["A"], name="parcel_id"))
    statuses = {}
    for measured in ("2026-10-01", "2026-08-19"):
        columns, _ = attached(parcels, headroom({"measured_on": measured}))
        statuses[measured] = evaluate_rules(parcels.join(columns), book, DAY)["status"].tolist()
    assert statuses == {"2026-10-01": ["pass"], "2026-08-19": ["unknown"]}


@given(st.lists(st.sampled_from(["K1", "K2", None]), min_size=1, max_size=6), st.data())
def test_attaching_is_local(zones, data):
    cut = data.draw(st.integers(0, len(zones)))
    parcels = pd.DataFrame(
        {"zone_code": pd.Series(zones, dtype="str")}, index=pd.Index([f"P{k}" for k in range(len(zones))])
    )
    frame = headroom({}, {"node": "乙站", "zone_code": "K2", "used": 50.0})
    whole = attached(parcels, frame)[0]
    parts = [attached(parcels.iloc[:cut], frame)[0], attached(parcels.iloc[cut:], frame)[0]]
    pd.testing.assert_frame_equal(pd.concat(parts), whole)


def buildings(*rows):
    plain = {"zone_code": "K1", "built_m2": 100.0, "used_m2": 40.0, "measured_on": "2026-10-01"}
    return pd.DataFrame([{**plain, "building_id": f"B{k}", **row} for k, row in enumerate(rows)])


def test_the_rate_of_the_articles_is_truncated_and_both_rules_are_named():
    stock = buildings({"built_m2": 1_066_000.0, "used_m2": 894_000.0})
    usage = measure_usage(stock, rounding="truncate", digits=1).iloc[-1]
    assert (usage["usage_printed"], usage["rounding"]) == ("83.8%", "truncate")
    assert usage["usage_rate"] == 894 / 1066
    rounded = measure_usage(stock, rounding="round_half_up", digits=2).iloc[-1]
    assert (rounded["usage_printed"], rounded["rounding"]) == ("83.86%", "round_half_up")
    assert measure_usage(stock, rounding="round_half_up", digits=1).iloc[-1]["usage_printed"] == "83.9%"


@pytest.mark.parametrize(
    ("rate", "digits", "half_up", "cut"),
    [
        (Fraction(1, 8), 1, "12.5%", "12.5%"), (Fraction(1, 8), 0, "13%", "12%"), (Fraction(838, 1000), 1, "83.8%", "83.8%"),
        (Fraction(1), 2, "100.00%", "100.00%"), (Fraction(0), 1, "0.0%", "0.0%"), (Fraction(9995, 10000), 1, "100.0%", "99.9%"),
        (Fraction(1, 200), 1, "0.5%", "0.5%"), (Fraction(1, 2000), 1, "0.1%", "0.0%"),
    ],
)  # fmt: skip
def test_percentages_are_printed_by_the_rule_named(rate, digits, half_up, cut):
    assert print_rate(rate, "round_half_up", digits) == half_up
    assert print_rate(rate, "truncate", digits) == cut


def test_zones_and_total_count_only_what_is_known_and_say_what_is_not():
    stock = buildings({}, {"zone_code": "K2"}, {"used_m2": None}, {"used_m2": 101.0}, {"zone_code": None})
    usage = measure_usage(stock).set_index("zone_code")
    assert usage["buildings"].to_dict() == {"": 1, "K1": 1, "K2": 1, "total": 3}
    assert usage["unmeasured"].to_dict() == {"": 0, "K1": 2, "K2": 0, "total": 2}
    assert usage.loc["total", "built_m2"] == 300.0 and usage.loc["total", "usage_rate"] == 0.4


def test_nothing_built_has_no_rate():
    usage = measure_usage(buildings({"built_m2": None}))
    assert usage["usage_rate"].isna().all() and set(usage["usage_printed"]) == {""}


@given(st.lists(st.tuples(st.integers(1, 10**7), st.integers(0, 10**7)), min_size=1, max_size=8))
def test_the_rate_of_the_whole_is_the_sum_of_its_parts(areas):
    stock = buildings(*({"built_m2": b / 100, "used_m2": min(u, b) / 100} for b, u in areas))
    exact = Fraction(sum(min(u, b) for b, u in areas), sum(b for b, _ in areas))
    total = measure_usage(stock, rounding="truncate", digits=1).iloc[-1]
    assert total["usage_rate"] == float(exact)
    assert total["usage_printed"] == print_rate(exact, "truncate", 1)


def test_buildings_stand_as_of_the_day_the_most_vacant_first():
    stock = buildings(
        {"building_id": "B0", "used_m2": 90.0, "measured_on": "2026-06-30"},
        {"building_id": "B0", "used_m2": 10.0, "measured_on": "2026-09-30"},
        {"building_id": "B0", "used_m2": 0.0, "measured_on": "2026-12-31"},
        {"building_id": "B1", "measured_on": "2026-08-19"},
        {"building_id": "B2", "storey": "2", "used_m2": 120.0},
        {"building_id": "B2", "storey": "3", "used_m2": None},
        {"building_id": "B3", "zone_code": "K0"},
    )
    listed, issues = list_buildings(stock, DAY)
    assert listed["building_id"].tolist() == ["B3", "B0", "B1", "B2", "B2"]
    assert listed["vacant_m2"].fillna(-1).tolist() == [60.0, 90.0, 60.0, -1.0, -1.0]
    assert listed["is_stale"].tolist() == [False, False, True, False, False]
    assert [(issue.code, issue.value) for issue in issues] == [
        ("ATTR.STALE", "B1 2026-08-19"),
        ("ATTR.DOMAIN", "B2 2 120 > 100 m2"),
    ]
    assert list_buildings(stock, DAY, zone="K0")[0]["building_id"].tolist() == ["B3"]


HEADS = ("进地清单", "基础设施", "文物勘探")


def budget(*amounts):
    return pd.DataFrame({"head": HEADS, "year": 2026, "amount_cny": [a * 1e4 for a in amounts]})


def spent(*rows):
    columns = ["head", "parcel_id", "amount_cny", "on"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(amount_cny=frame["amount_cny"] * 1e4)


def test_the_budget_of_the_articles_is_two_thousand_in_three_heads():
    balance = balance_funds(budget(1000, 500, 500), spent(), DAY)
    assert balance["amount_cny"].sum() == 2000 * 1e4
    assert dict(zip(balance["head"], balance["balance_cny"], strict=True)) == {
        "进地清单": 1e7,
        "基础设施": 5e6,
        "文物勘探": 5e6,
    }


def test_each_head_balances_and_says_what_a_readied_area_cost():
    commitments = spent(
        ("文物勘探", "A", 25, "2026-03-01"), ("文物勘探", "B", 35, "2026-04-01"),
        ("进地清单", "A", 10, "2026-03-01"), ("文物勘探", "C", 40, "2026-12-01"),
    )  # fmt: skip
    # Thirty 亩 of A and B are ready; C is paid for after the day.
    readied = pd.Series({"A": 10_000.0, "B": 10_000.0, "C": 10_000.0})
    balance = balance_funds(budget(1000, 500, 500), commitments, DAY, readied).set_index("head")
    assert balance["committed_cny"].to_dict() == {
        "基础设施": 0.0,
        "文物勘探": 600_000.0,
        "进地清单": 100_000.0,
    }
    assert balance["balance_cny"].to_dict() == {"基础设施": 5e6, "文物勘探": 4.4e6, "进地清单": 9.9e6}
    assert balance["parcels"].to_dict() == {"基础设施": 0, "文物勘探": 2, "进地清单": 1}
    # 60 万元 over 30 亩 are 2 万元/亩, which are 30 元/m2.
    assert balance.loc["文物勘探", "cost_cny_per_m2"] == 30.0
    assert np.isnan(balance.loc["基础设施", "cost_cny_per_m2"])


def test_the_cost_of_a_parcel_whose_area_is_unknown_is_unknown():
    commitments = spent(("文物勘探", "A", 25, "2026-03-01"), ("文物勘探", "B", 35, "2026-04-01"))
    readied = pd.Series({"A": 10_000.0, "B": np.nan})
    balance = balance_funds(budget(1, 1, 500), commitments, DAY, readied).set_index("head")
    assert balance.at["文物勘探", "parcels"] == 2
    assert np.isnan(balance.at["文物勘探", "cost_cny_per_m2"])


def test_what_goes_beyond_a_head_is_named_in_its_turn_with_the_sum_missing():
    commitments = spent(
        ("文物勘探", "B", 300, "2026-05-01"), ("文物勘探", "A", 300, "2026-03-01"), ("文物勘探", "C", 50, "2026-06-01"),
        ("进地清单", "A", 1000, "2026-03-01"),
    )  # fmt: skip
    over = find_overcommitments(budget(1000, 500, 500), commitments, DAY)
    assert dict(zip(over["parcel_id"], over["missing_cny"], strict=True)) == {"B": 1e6, "C": 5e5}
    issues = report_funds(budget(1000, 500, 500), commitments, DAY)
    assert [(issue.code, issue.value) for issue in issues] == [
        ("LEDGER.OVERCOMMITTED", "2026 文物勘探 B 缺 100 万元"),
        ("LEDGER.OVERCOMMITTED", "2026 文物勘探 C 缺 50 万元"),
    ]
    assert "缺 100 万元" in issue_table(issues)["message_zh"].iloc[0]


def test_a_commitment_is_refused_by_the_sum_it_lacks():
    commitments = spent(("文物勘探", "A", 490, "2026-03-01"))
    plan = budget(1000, 500, 500)
    assert missing_money(plan, commitments, "文物勘探", 2026, 1e5, DAY) == 0.0
    assert missing_money(plan, commitments, "文物勘探", 2026, 125_000.5, DAY) == 25_000.5
    assert np.isnan(missing_money(plan, commitments, "文物勘探", 2027, 1.0, DAY))
    assert np.isnan(missing_money(plan, commitments, "别的", 2026, 1.0, DAY))


def test_money_comes_from_the_year_it_is_booked_to():
    commitments = spent(("文物勘探", "A", 10, "2027-01-05")).assign(year=2026)
    balance = balance_funds(budget(1, 1, 500), commitments, date(2027, 2, 1)).set_index(["year", "head"])
    assert balance.loc[(2026, "文物勘探"), "committed_cny"] == 1e5


def test_a_head_without_a_budget_has_an_unknown_balance_and_is_told():
    commitments = spent(("拆迁", "A", 10, "2026-03-01"))
    balance = balance_funds(budget(1, 1, 1), commitments, DAY).set_index("head")
    assert balance.at["拆迁", "committed_cny"] == 1e5
    assert np.isnan(balance.at["拆迁", "balance_cny"])
    assert [(i.code, i.value) for i in report_funds(budget(1, 1, 1), commitments, DAY)] == [
        ("ATTR.ITEM", "2026 拆迁")
    ]


def test_a_sum_nobody_wrote_makes_the_balance_unknown():
    commitments = spent(("文物勘探", "A", None, "2026-03-01"), ("文物勘探", "B", 1, "2026-03-01"))
    balance = balance_funds(budget(1, 1, 500), commitments, DAY).set_index("head")
    assert np.isnan(balance.at["文物勘探", "committed_cny"])
    assert np.isnan(balance.at["文物勘探", "balance_cny"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(HEADS), st.integers(0, 10**9), st.dates(date(2026, 1, 1), date(2026, 11, 20))
        )
    ),
    st.tuples(*[st.integers(0, 10**9)] * 3),
)
def test_every_head_closes_and_what_is_missing_adds_up(rows, amounts):
    plan = pd.DataFrame({"head": HEADS, "year": 2026, "amount_cny": [a / 100 for a in amounts]})
    commitments = pd.DataFrame(
        [(head, f"P{k}", cents / 100, day) for k, (head, cents, day) in enumerate(rows)],
        columns=["head", "parcel_id", "amount_cny", "on"],
    )
    balance = balance_funds(plan, commitments, DAY)
    closed = (balance["amount_cny"] - balance["committed_cny"] - balance["balance_cny"]).abs()
    assert (closed < 0.005).all()
    over = find_overcommitments(plan, commitments, DAY)
    lacking = over.groupby("head")["missing_cny"].sum().reindex(balance["head"]).fillna(0.0).to_numpy()
    assert np.allclose(lacking, (-balance["balance_cny"]).clip(lower=0).to_numpy(), atol=0.005, rtol=0)
