"""Reserve, share of 标准地, year plan, zones and their boundaries; figures of published notices among them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
import worlds
from hypothesis import given, settings
from hypothesis import strategies as st

from landplan.attach import attach_events
from landplan.crs import measure_areas
from landplan.errors import ConfigError
from landplan.schema import coerce
from landplan.supply import (
    announce_admissions,
    balance_period,
    compare_zones,
    credit_enclaves,
    derive_axes,
    measure_supply_years,
    plan_supply,
    register_zones,
    require_standard,
    reserve_register,
    share_standard,
)
from landplan.supply.axes import ITEMS
from landplan.units import convert
from landplan.versions import compare_boundaries, measure_doubles, measure_zones

DAY = date(2026, 11, 20)
COMPLETE = ("approval", "sale", "start")


def mu(*areas):
    return [convert(float(area), "亩", "m2") for area in areas]


def land(ids, areas, **columns):
    frame = pd.DataFrame(
        {"area_m2": areas, **columns}, index=pd.Index(list(ids), name="parcel_id", dtype="str")
    )
    return coerce(frame, "parcels")


def log(*rows):
    names = ["parcel_id", "item", "on", "state", "document"]
    table = pd.DataFrame([dict(zip(names, row, strict=False)) for row in rows], columns=names)
    return coerce(table.assign(state=table["state"].astype("object").fillna("done")), "events")


def on_day(frame, events, day=DAY):
    items = {item: item for item in (*ITEMS, "plan_conditions")}
    joined = frame.join(attach_events(frame, events, items, COMPLETE, day)[0])
    return joined.join(derive_axes(joined, day)[0])


def findings(*rows):
    names = ["parcel_id", "rule_id", "indicator", "basis", "status", "force"]
    return coerce(
        pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows], columns=names), "findings"
    )


FIT = findings(
    *[(p, "far.min", "far_min", "set", "pass", "mandatory") for p in "ABCD"],
    *[(p, "farmland", "farmland_overlap_m2", None, "pass", "mandatory") for p in "ABCD"],
)
STORY = log(
    *[(p, "approval", "2024-01-01") for p in "ABCD"],
    *[(p, "plan", "2024-02-01") for p in "ABC"],
    ("A", "reserve", "2025-11-20"),
    ("B", "reserve", "2024-11-20"),
    ("B", "sale", "2026-01-19"),
    ("C", "reserve", "2026-01-01"),
    ("D", "reserve", "2026-06-01"),
)


def test_the_register_tells_entry_exit_and_age():
    frame = on_day(land("ABCD", mu(15, 30, 45, 60), zone_code=["Z"] * 4), STORY)
    rows = reserve_register(frame, STORY, FIT, DAY, COMPLETE).set_index("parcel_id")
    assert rows.index.tolist() == ["B", "A", "C", "D"]
    assert rows.at["A", "age_days"] == 365
    assert (rows.at["B", "exit_on"], rows.at["B", "exit_cause"]) == (pd.Timestamp("2026-01-19"), "sale")
    assert rows.at["B", "age_days"] == 425
    assert rows["admission"].fillna("").to_dict() == {"B": "", "A": "yes", "C": "yes", "D": "unknown"}
    assert rows.at["D", "admission_missing"] == "规划条件（无法核验）"


def test_land_that_is_taken_back_is_in_reserve_again_only_by_a_new_decision():
    events = log(("A", "approval", "2024-01-01"), ("A", "reserve", "2024-02-01"), ("A", "sale", "2025-01-01"), ("A", "withdrawal", "2026-01-01"), ("A", "reserve", "2026-06-01"))  # fmt: skip
    frame = on_day(land("A", mu(15)), events)
    rows = reserve_register(frame, events, FIT, DAY, COMPLETE)
    assert rows["entry_on"].dt.strftime("%Y-%m-%d").tolist() == ["2024-02-01", "2026-06-01"]
    assert rows["exit_on"].dt.strftime("%Y-%m-%d").fillna("").tolist() == ["2025-01-01", ""]


@pytest.mark.parametrize(
    ("status", "expected"), [("pass", "yes"), ("fail", "no"), ("unknown", "unknown"), ("refer", "unknown")]
)
def test_admission_asks_for_every_indicator(status, expected):
    frame = on_day(land("A", mu(15)), STORY)
    found = findings(
        ("A", "far.min", "far_min", "set", status, "mandatory"),
        ("A", "farmland", "farmland_overlap_m2", None, "pass", "mandatory"),
    )
    assert reserve_register(frame, STORY, found, DAY, COMPLETE)["admission"].tolist() == [expected]


def test_silence_admits_nobody_and_a_condition_nobody_knows_is_refused():
    frame = on_day(land("A", mu(15)), STORY)
    assert reserve_register(frame, STORY, findings(), DAY, COMPLETE)["admission"].tolist() == ["unknown"]
    with pytest.raises(ConfigError, match="nonsense"):
        reserve_register(frame, STORY, FIT, DAY, COMPLETE, ["approval", "nonsense"])
    only = reserve_register(frame, STORY, findings(), DAY, COMPLETE, ["approval", "item:plan"])
    assert only["admission"].tolist() == ["yes"]


def test_years_of_supply_are_the_reserve_over_the_pace_and_without_sales_unknown():
    frame = on_day(land("ABCD", mu(15, 30, 45, 60), zone_code=["Y", "Y", "Y", "Z"]), STORY)
    register = reserve_register(frame, STORY, FIT, DAY, COMPLETE)
    years = measure_supply_years(frame, STORY, register, DAY, 3, complete=COMPLETE).set_index("zone_code")
    # 15 + 45 亩 admitted, 30 亩 sold in three years: 10 亩 a year, six years.
    assert (years.at["Y", "admitted_hundredths"], years.at["Y", "pace_hundredths"]) == (6000, 1000.0)
    assert years.at["Y", "supply_years"] == 6.0
    assert np.isnan(years.at["Z", "supply_years"])
    assert years.at["total", "reserve_hundredths"] == 12_000


def test_investors_are_told_of_what_entered_and_of_public_columns_only():
    frame = on_day(
        land("ABCD", mu(15, 30, 45, 60), reserve_price_cny=[1.0] * 4, holder=["某公司"] * 4), STORY
    )
    register = reserve_register(frame, STORY, FIT, DAY, COMPLETE)
    told = announce_admissions(register, frame, date(2026, 1, 1), DAY)
    assert told.index.tolist() == ["C"]
    assert "area_m2" in told.columns
    assert not {"reserve_price_cny", "holder", "supply_reason_zh", "event_approval_document"} & set(
        told.columns
    )


# -- 标准地


SCOPE = coerce(
    pd.DataFrame(
        [
            {"zone_kind": "工业", "land_use": "1001", "valid_from": "2020-04-01", "is_required": True},
            {"zone_kind": "区外", "land_use": "工业用地", "valid_from": "2024-01-01", "is_required": True},
            {"zone_kind": "工业", "land_use": "仓储用地", "valid_from": "2026-01-01", "is_required": True},
        ]
    ),
    "scope",
)
ZONES = pd.DataFrame({"zone_code": ["Z1", "Z2"], "zone_kind": ["工业", None]})


@pytest.mark.parametrize(
    ("zone", "use", "code", "day", "expected"),
    [
        ("Z1", "工业用地", "100102", "2020-03-31", "no"),
        ("Z1", "工业用地", "100102", "2020-04-01", "yes"),
        (None, "工业用地", None, "2023-12-31", "no"),
        (None, "工业用地", None, "2024-01-01", "yes"),
        ("Z1", "仓储用地", None, "2025-12-31", "no"),
        ("Z1", "仓储用地", None, "2026-01-01", "yes"),
        ("Z1", "住宅用地", "0701", "2026-06-01", "no"),
        ("Z1", None, None, "2026-06-01", "unknown"),
        ("Z2", "仓储用地", None, "2026-06-01", "unknown"),
    ],
)
def test_the_scope_is_data_by_zone_use_and_day(zone, use, code, day, expected):
    frame = land(["A"], mu(15), zone_code=[zone], land_use=[use], land_use_code=[code])
    on = pd.Series(pd.to_datetime([day]), index=frame.index)
    assert require_standard(frame, SCOPE, on, ZONES).tolist() == [expected]
    assert require_standard(frame, SCOPE[:0], on, ZONES).tolist() == ["unknown"]


def sold(total_mu, count, standard=True):
    """So many parcels sold in 2023 that add up to so many 亩, to the last hundredth."""
    hundredths = round(total_mu * 100)
    share, rest = divmod(hundredths, count)
    areas = [(share + (n < rest)) / 100 for n in range(count)]
    ids = [f"P{n}" for n in range(count)]
    frame = land(ids, mu(*areas), land_use=["工业用地"] * count, land_use_code=["1001"] * count, zone_code=["Z1"] * count,
                 sold_as_standard=[standard] * count)  # fmt: skip
    events = log(*[(p, "approval", "2022-01-01") for p in ids], *[(p, "sale", "2023-06-01") for p in ids])
    return frame, events


@pytest.mark.parametrize(
    ("count", "area"), [(278, 22_486.4), (22, 1514.0), (7, 289.21), (10, 777.85), (1, 35.85)]
)
def test_published_totals_of_standard_land_add_up_to_the_last_hundredth(count, area):
    frame, events = sold(area, count)
    shares, exceptions = share_standard(
        frame, events, SCOPE, date(2023, 1, 1), date(2023, 12, 31), zones=ZONES, complete=COMPLETE
    )
    assert (shares.at["parcels", "sold"], shares.at["hundredths", "sold"]) == (count, round(area * 100))
    assert (shares["share_least"] == 1.0).all()
    assert (shares["share_most"] == 1.0).all()
    assert exceptions.empty
    balance = balance_period(frame, events, date(2023, 1, 1), date(2023, 12, 31), complete=COMPLETE)
    flow = balance.flows.set_index("cause").loc["sale"]
    assert (flow["parcels"], flow["hundredths"]) == (count, round(area * 100))


def test_every_exception_to_the_share_is_listed_and_what_is_not_known_is_no_proof():
    frame, events = sold(40.0, 4)
    frame["sold_as_standard"] = pd.array([True, True, False, None], dtype="boolean")
    shares, exceptions = share_standard(
        frame, events, SCOPE, date(2023, 1, 1), date(2023, 12, 31), zones=ZONES, complete=COMPLETE
    )
    assert shares.loc["parcels", ["required", "standard", "doubtful"]].tolist() == [4, 2, 1]
    assert (shares.at["parcels", "share_least"], shares.at["parcels", "share_most"]) == (0.5, 0.75)
    assert exceptions["parcel_id"].tolist() == ["P2", "P3"]


def test_a_period_without_sales_has_no_share():
    frame, events = sold(40.0, 4)
    shares, _ = share_standard(
        frame, events, SCOPE, date(2024, 1, 1), date(2024, 12, 31), zones=ZONES, complete=COMPLETE
    )
    assert shares["share_least"].isna().all()


# -- the plan


def test_fifteen_mu_are_one_hectare_in_the_plan():
    frame = land(["A"], mu(15), stock_kind=["reserve"], planned_on=["2027-05-01"], supply_mode=["flexible"], land_use=["工业用地"], township=["示例镇"])  # fmt: skip
    plan = plan_supply(frame, 2027)
    assert plan.table.to_dict("records") == [
        {"land_use": "工业用地", "quarter": 2, "supply_mode": "flexible", "origin": "stock", "township": "示例镇", "parcels": 1, "hectares": 1.0}
    ]  # fmt: skip


def test_the_plan_takes_the_planned_day_else_the_day_it_could_be_ready_and_tells_of_the_rest():
    frame = land(
        "ABCDEF",
        [10_000.4, 10_000.5, 1.0, 1.0, 1.0, np.nan],
        stock_kind=["incremental", "approved_unsold", "reserve", "in_use", "in_use", "incremental"],
        planned_on=["2027-12-31", None, None, "2027-02-01", "2027-02-01", "2027-01-01"],
        ready_on=["2026-01-01", "2027-03-31", None, None, "2027-01-01", None],
        event_sale_on=[None, None, None, "2027-02-03", "2025-01-01", None],
    )
    plan = plan_supply(frame, 2027)
    told = plan.rows[["quarter", "origin", "basis", "hectare_parts"]]
    assert told.loc["A"].tolist() == [4, "new", "planned", 10_000]
    assert told.loc["B"].tolist() == [1, "stock", "ready", 10_001]
    assert told.loc["D"].tolist() == [1, "stock", "planned", 1]
    assert set(told.index) == set("ABDF")
    assert plan.undated.index.tolist() == ["C"]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 12), st.sampled_from(["甲", "乙", None])), min_size=1, max_size=30))  # fmt: skip
def test_law_every_cut_of_the_plan_adds_up_to_its_total(rows):
    frame = land(
        [f"P{n}" for n in range(len(rows))],
        [area for area, _, _ in rows],
        stock_kind=["reserve"] * len(rows),
        planned_on=[f"2027-{month:02d}-15" for _, month, _ in rows],
        township=[town for _, _, town in rows],
    )
    plan = plan_supply(frame, 2027)
    count, hectares = plan.total()
    assert count == len(rows) == plan.table["parcels"].sum()
    assert round(plan.table["hectares"].sum(), 4) == hectares
    by_quarter = [plan.total(quarter=quarter) for quarter in (1, 2, 3, 4)]
    assert sum(n for n, _ in by_quarter) == count
    assert round(sum(area for _, area in by_quarter), 4) == hectares


# -- zones


def test_eleven_zones_of_a_city_add_up_as_published():
    # 876.02 km2 in all, 373.95 km2 in the nine industrial ones.
    industrial = [40.0] * 8 + [53.95]
    areas = [*industrial, 300.0, 202.07]
    zones = pd.DataFrame(
        {"zone_code": [f"Z{n:02d}" for n in range(11)], "zone_level": ["国家级"] * 2 + ["省级"] * 9,
         "zone_kind": ["工业"] * 9 + ["农业", "生态文旅"], "area_planned_m2": [convert(a, "平方公里", "m2") for a in areas],
         "area_m2": [np.nan] * 11}
    )  # fmt: skip
    register, totals = register_zones(zones)
    whole = totals.iloc[-1]
    assert len(register) == whole["zones"] == 11
    assert round(convert(whole["area_planned_m2"], "m2", "平方公里"), 2) == 876.02
    of_kind = totals[(totals["zone_kind"] == "工业").to_numpy()]["area_planned_m2"].sum()
    assert round(convert(of_kind, "m2", "平方公里"), 2) == 373.95
    assert whole["undrawn"] == 11
    assert totals["zones"].iloc[:-1].sum() == 11


def test_an_enclave_counts_once_and_is_credited_by_share():
    frame = land("ABC", mu(10.01, 20, 30), zone_code=["HOST", "HOST", "OTHER"])
    enclaves = pd.DataFrame({"zone_code": ["HOST"], "partner": ["OWNER"], "land_share": [0.5], "on": pd.to_datetime(["2024-01-01"]), "until": pd.to_datetime([None])})  # fmt: skip
    table = credit_enclaves(frame, enclaves, DAY)
    assert table["parcels"].to_dict() == {"HOST": 2, "OTHER": 1, "OWNER": 0}
    # 30.01 亩 halved: the partner's 15.005 is rounded up, the host keeps the rest.
    assert table["credited_hundredths"].to_dict() == {"HOST": 1500, "OTHER": 3000, "OWNER": 1501}
    assert table["credited_hundredths"].sum() == table["hundredths"].sum()
    before = credit_enclaves(frame, enclaves, date(2023, 1, 1))
    assert before["credited_hundredths"].tolist() == before["hundredths"].tolist()
    doubtful = credit_enclaves(frame, enclaves.assign(land_share=[np.nan]), DAY)
    assert doubtful.at["HOST", "is_share_unknown"]
    assert doubtful.at["HOST", "credited_hundredths"] == 3001


def zone_world():
    """Z1 grows east by 300 m on the first of 2025 and takes the land from Z2, which shrinks."""
    zones = worlds.layer(
        worlds.box(0, 0, 1000), worlds.box(0, 0, 1300, 1000), worlds.box(1000, 0, 1000), worlds.box(1300, 0, 700, 1000),
        zone_code=["Z1", "Z1", "Z2", "Z2"], zone_name=["一区"] * 2 + ["二区"] * 2,
        area_planned_m2=[1e6, 1.3e6, 1e6, 0.7e6],
        valid_from=pd.to_datetime(["2020-01-01", "2025-01-01", "2020-01-01", "2025-01-01"]),
        valid_to=pd.to_datetime(["2025-01-01", None, "2025-01-01", None]),
    )  # fmt: skip
    parcels = worlds.parcels(
        {"inside": worlds.box(100, 100, 100), "moved": worlds.box(1100, 100, 100), "split": worlds.box(1250, 300, 100), "out": worlds.box(2100, 0, 100)}
    )  # fmt: skip
    parcels = parcels.join(measure_areas(parcels))
    return zones, parcels


def test_a_boundary_is_as_of_a_day_and_a_change_names_parcels_areas_and_facts():
    zones, parcels = zone_world()
    change = compare_boundaries(zones, parcels, date(2024, 12, 31), date(2025, 1, 1))
    table, touched = compare_zones(change.zones, change.parcels)
    assert table["gained_m2"].round(2).to_dict() == {"Z1": 300_000.0, "Z2": 0.0}
    assert table["lost_m2"].round(2).to_dict() == {"Z1": 0.0, "Z2": 300_000.0}
    assert table["area_change_m2"].round(2).to_dict() == {"Z1": 300_000.0, "Z2": -300_000.0}
    assert table["parcels_gained"].to_dict() == {"Z1": 2, "Z2": 0}
    assert table["facts_changed"].tolist() == ["area_planned_m2", "area_planned_m2"]
    assert touched["change"].to_dict() == {"moved": "moved", "split": "moved"}
    # Half of it each: of equals the lower code is taken.
    assert touched.at["split", "share_after"] == pytest.approx(0.5)
    assert table.at["Z1", "hundredths_gained"] == 3000


def test_the_same_day_changes_nothing():
    zones, parcels = zone_world()
    change = compare_boundaries(zones, parcels, DAY, DAY)
    table, touched = compare_zones(change.zones, change.parcels)
    assert touched.empty
    assert (table[["gained_m2", "lost_m2", "area_change_m2"]] == 0).all(axis=None)


def test_a_zone_not_yet_there_gains_all_its_land():
    zones, parcels = zone_world()
    change = compare_boundaries(zones, parcels, date(2019, 1, 1), date(2024, 1, 1))
    table, touched = compare_zones(change.zones, change.parcels)
    assert table["area_before_m2"].tolist() == [0.0, 0.0]
    assert touched["change"].tolist() == ["gained", "gained", "gained"]
    measured = measure_zones(zones, date(2024, 1, 1)).set_index("zone_code")["area_m2"]
    assert table["gained_m2"].round(2).to_dict() == measured.round(2).to_dict()


def test_land_that_two_parcels_claim_is_named_with_its_area():
    parcels = worlds.parcels({"A": worlds.box(0, 0, 100), "B": worlds.box(90, 0, 100), "C": worlds.box(190, 0, 50)})  # fmt: skip
    parcels = parcels.join(measure_areas(parcels))
    kinds = pd.Series(["reserve", "in_use", "reserve"], index=parcels.index)
    table = measure_doubles(parcels, kinds)
    assert table[["parcel_id", "other_id", "stock_kind", "other_kind"]].to_numpy().tolist() == [
        ["A", "B", "reserve", "in_use"]
    ]
    assert table["overlap_m2"].round(6).tolist() == [1000.0]
