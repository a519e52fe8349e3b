"""Batches, the lists of a year, their differences and extracts."""

from __future__ import annotations

from datetime import date
from functools import partial

import numpy as np
import pandas as pd
import pytest

from landplan.attach import attach_events
from landplan.errors import UsageError
from landplan.schema import coerce
from landplan.supply import (
    annual_list,
    board_batches,
    classify_supply,
    derive_axes,
    diff_lists,
    expand_batches,
    extract_list,
    hash_rows,
    restore_list,
)
from landplan.tables import Assessment, Provenance
from landplan.workdays import add_workdays, load_calendar

ITEMS = {"approval": "农转用批复", "sale": "出让", "reserve": "收储", "social_security": "社保", "risk_assessment": "社会风险评估"}  # fmt: skip
REQUIRED = ["social_security", "risk_assessment"]


def batches(**members):
    rows = [
        {"batch_no": number, "batch_name": f"第{number}批次", "batch_kind": "urban", "parcel_id": pid}
        for number, pids in members.items()
        for pid in pids
    ]
    return coerce(pd.DataFrame(rows), "batches")


def steps(*rows):
    names = ["batch_no", "item", "on", "state", "document", "days", "party"]
    return coerce(
        pd.DataFrame([dict(zip(names, row, strict=False)) for row in rows], columns=names), "batch_events"
    )


def land(**areas):
    index = pd.Index(list(areas), name="parcel_id", dtype="str")
    frame = pd.DataFrame({"area_m2": list(areas.values()), "parcel_name": [f"地块{p}" for p in areas]}, index=index)  # fmt: skip
    return coerce(frame.assign(zone_code="Z1", zone_name="开发区"), "parcels")


LAND = land(A=10_000.0, B=20_000.0, C=30_000.0)
BATCHES = batches(b1=["A", "B"], b2=["C"])


def judged(events, day, ready=("A", "B", "C"), found=None):
    """An assessment of three parcels, as far as the lists look at it."""
    columns, _ = attach_events(LAND, events, ITEMS, ["approval", "sale", "reserve"], day)
    frame = LAND.join(columns)
    frame["verdict"] = np.where(frame.index.isin(ready), "ready", "not_ready")
    frame = frame.join(derive_axes(frame, day)[0])
    findings = coerce(pd.DataFrame() if found is None else found, "findings")
    frame = frame.join(classify_supply(frame, findings))
    nothing = pd.DataFrame()
    told = Provenance(day, "示例", True, "0", items=ITEMS, complete=("approval", "sale", "reserve"))
    return Assessment(frame, nothing, nothing, nothing, events, findings, nothing, told)


def test_an_approval_moves_every_parcel_of_the_batch_with_its_document():
    rows = expand_batches(BATCHES, steps(("b1", "approval", "2026-05-20", "done", "晋政土〔2026〕5号"), ("b1", "submission", "2026-01-01", "done")))  # fmt: skip
    assert rows[["parcel_id", "item", "document", "source"]].to_numpy().tolist() == [
        ["A", "approval", "晋政土〔2026〕5号", "batch:b1"],
        ["B", "approval", "晋政土〔2026〕5号", "batch:b1"],
    ]


def test_parcels_of_a_batch_go_from_increment_to_stock_on_the_day_of_approval():
    events = expand_batches(BATCHES, steps(("b1", "approval", "2026-05-20", "done", "文")))
    eve, day = judged(events, date(2026, 5, 19)), judged(events, date(2026, 5, 20))
    assert eve.parcels["stock_kind"].to_dict() == dict.fromkeys("ABC", "incremental")
    assert day.parcels["supply_class"].to_dict() == {"A": "stock", "B": "stock", "C": "incremental"}


def test_the_board_says_where_each_batch_stands_and_what_it_lacks():
    told = steps(
        ("b1", "social_security", "2026-01-10", "done"),
        ("b1", "risk_assessment", "2026-02-10", "pending", "", 10, "镇政府"),
        ("b2", "social_security", "2026-01-10", "done"),
    )
    board = board_batches(BATCHES, told, LAND, date(2026, 2, 20), REQUIRED, titles=ITEMS)
    first, second = board.loc["b1"], board.loc["b2"]
    assert (first["batch_parcels"], first["batch_area_m2"], first["step"]) == (2, 30_000.0, "社会风险评估")
    assert (first["step_days"], first["can_submit"], first["missing_items"]) == (10, "no", "社会风险评估")
    assert (second["can_submit"], second["missing_items"]) == ("unknown", "社会风险评估（没有记录）")
    done = steps(*[(b, item, "2026-01-01", "done") for b in ("b1", "b2") for item in REQUIRED])
    board = board_batches(BATCHES, done, LAND, date(2026, 2, 20), REQUIRED)
    assert board["can_submit"].tolist() == ["yes", "yes"]


def test_a_batch_that_is_approved_asks_for_nothing_more():
    board = board_batches(BATCHES, steps(("b1", "approval", "2026-05-20", "done", "文5")), LAND, date(2026, 6, 1), REQUIRED)  # fmt: skip
    row = board.loc["b1"]
    assert (row["can_submit"], row["missing_items"], row["approval_no"]) == ("done", "", "文5")
    assert row["approved_on"] == pd.Timestamp("2026-05-20")


def test_a_step_is_due_after_its_working_days_and_without_a_calendar_no_day_is_given():
    # 2026-10-01 to 10-07 are days off; 2026-10-10 is a Saturday that is worked.
    told = steps(("b1", "social_security", "2026-09-30", "pending", "", 2))
    calendar = partial(add_workdays, calendar=load_calendar())
    board = board_batches(BATCHES, told, LAND, date(2026, 10, 12), REQUIRED, calendar)
    assert board.at["b1", "due_on"] == pd.Timestamp("2026-10-09")
    assert board.at["b1", "is_late"]
    assert pd.isna(board_batches(BATCHES, told, LAND, date(2026, 10, 12), REQUIRED).at["b1", "due_on"])


def test_an_area_that_is_not_known_leaves_the_area_of_the_batch_unknown():
    board = board_batches(batches(b1=["A", "无图"]), steps(), LAND, date(2026, 1, 1))
    assert np.isnan(board.at["b1", "batch_area_m2"])
    assert board.at["b1", "batch_parcels"] == 2


APPROVED = expand_batches(batches(b0=["A", "B"]), steps(("b0", "approval", "2025-05-20", "done", "文25")))


def test_a_list_is_numbered_and_its_hash_is_of_what_it_says():
    listed = annual_list(judged(APPROVED, date(2026, 1, 5)), "stock", 2026)
    assert listed.rows["list_number"].to_dict() == {"A": "2026-存-001", "B": "2026-存-002"}
    assert listed.rows["mu_hundredths"].tolist() == [1500, 3000]
    assert (
        listed.sha256
        == hash_rows(listed.rows[listed.rows.columns[::-1]])
        == annual_list(judged(APPROVED, date(2026, 1, 5)), "stock", 2026).sha256
    )
    assert listed.sha256 != hash_rows(listed.rows.assign(area_m2=[10_000.0, 20_000.01]))
    assert listed.sha256 != hash_rows(listed.rows.iloc[::-1])
    restored = restore_list(listed.rows, {"kind": "stock", "year": 2026, "as_of": "2026-01-05"})
    assert restored.sha256 == listed.sha256


def test_the_books_hold_every_parcel_and_no_other_list_is_known():
    assessment = judged(APPROVED, date(2026, 1, 5))
    books = annual_list(assessment, "books", 2026)
    assert books.rows["stock_kind"].tolist() == ["approved_unsold", "approved_unsold", "incremental"]
    with pytest.raises(UsageError):
        annual_list(assessment, "nonsense", 2026)


def test_a_difference_says_what_came_what_went_what_changed_and_why():
    before = judged(APPROVED, date(2026, 1, 5))
    more = coerce(
        pd.DataFrame(
            [
                {"parcel_id": "A", "item": "sale", "on": "2026-09-30", "state": "done", "document": "让9号"},
                {
                    "parcel_id": "C",
                    "item": "approval",
                    "on": "2026-06-01",
                    "state": "done",
                    "document": "文6",
                },
            ]
        ),
        "events",
    )
    events = coerce(pd.concat([APPROVED, more], ignore_index=True), "events")
    after = judged(events, date(2027, 1, 5))
    after.parcels.loc["B", "area_m2"] = 20_100.0
    table = diff_lists(
        annual_list(before, "stock", 2026), annual_list(after, "stock", 2027), events=events, parcels=after.parcels, titles=ITEMS
    )  # fmt: skip
    told = table.set_index(["parcel_id", "field"])
    assert table["change"].tolist() == ["in", "out", "changed", "changed"]
    assert told.at[("C", ""), "why_zh"] == "2026-06-01 农转用批复 完成 文6"
    assert told.at[("A", ""), "why_zh"] == "2026-09-30 出让 完成 让9号"
    assert (told.at[("A", ""), "number_before"], told.at[("A", ""), "number_after"]) == ("2026-存-001", "")
    assert (told.at[("B", "平面面积"), "was"], told.at[("B", "平面面积"), "now"]) == ("20000", "20100")


def test_a_parcel_that_goes_without_an_event_goes_by_its_finding_or_by_its_reason():
    found = [
        pd.DataFrame([{"parcel_id": "A", "rule_id": "tax.min", "indicator": "tax_cny_per_m2_yr", "status": status, "force": "mandatory"}])
        for status in ("pass", "fail")
    ]  # fmt: skip
    one = judged(APPROVED, date(2026, 1, 5), found=found[0])
    other = judged(APPROVED, date(2027, 1, 5), ready=("B",), found=found[1])
    lists = annual_list(one, "stock", 2026), annual_list(other, "stock", 2027)
    by_finding = diff_lists(*lists, parcels=other.parcels, findings=(one.findings, other.findings))
    assert by_finding["why_zh"].tolist() == ["亩均税收 达标 → 不达标"]
    by_reason = diff_lists(*lists, parcels=other.parcels)
    assert by_reason["why_zh"].tolist() == ["农转用已批 2025-05-20 文25，未出让；未通过：亩均税收"]


def test_two_lists_that_say_the_same_do_not_differ():
    listed = annual_list(judged(APPROVED, date(2026, 1, 5)), "stock", 2026)
    again = annual_list(judged(APPROVED, date(2027, 1, 5)), "stock", 2027)
    assert diff_lists(listed, again).empty


def test_an_extract_has_the_rows_that_name_the_department():
    listed = annual_list(judged(APPROVED, date(2026, 1, 5)), "books", 2026).rows
    tasks = pd.DataFrame({"parcel_id": ["B", "C"], "party": ["示例县自然资源局", "示例县水利局"]})
    assert extract_list(listed, "自然资源局", tasks).index.tolist() == ["B"]
    assert extract_list(listed, "消防", tasks).empty


def test_law_a_past_list_is_the_same_to_the_byte_whatever_was_recorded_since():
    later = coerce(
        pd.DataFrame([{"parcel_id": p, "item": i, "on": "2026-02-01", "state": "done", "document": "迟"} for p in "ABC" for i in ("approval", "sale", "reserve")]),
        "events",
    )  # fmt: skip
    both = coerce(pd.concat([APPROVED, later], ignore_index=True), "events")
    from landplan.reports import list_as_csv
    from landplan.reports.lists import list_rows, listing_as_json

    one, other = judged(APPROVED, date(2026, 1, 31)), judged(both, date(2026, 1, 31))
    for kind in ("stock", "incremental"):
        assert list_as_csv(one, kind) == list_as_csv(other, kind)
        assert listing_as_json(list_rows(one, kind), one) == listing_as_json(list_rows(other, kind), other)
    assert annual_list(one, "books", 2026).sha256 == annual_list(other, "books", 2026).sha256
