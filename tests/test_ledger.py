"""The ledger: what is recorded stays as it was recorded, is recorded once, and never against what is there."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from pyogrio import list_layers, read_dataframe

from landplan.errors import DataError, LandplanError, LedgerError, StoreError
from landplan.ledger import (
    ACTIONS,
    Draft,
    Head,
    draft_events,
    freeze_list,
    frozen_lists,
    frozen_shapes,
    load_frozen,
    open_ledger,
    recorded_batch_events,
    recorded_commitments,
    recorded_events,
    recorded_holds,
    recorded_overrides,
)
from landplan.ledger.locks import hold_lock, network_system

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path):
    return open_ledger(tmp_path / "总账.gpkg")


def event(parcel="A-1", item="clear_land", on="2026-05-01", **more):
    return Draft("event", {"parcel_id": parcel, "item": item, "on": on, **more})


def parcel_hold(parcel="A-1", on="2026-05-01", until="2026-06-01", demand="甲项目", person="张三"):
    return Draft("hold", {"parcel_id": parcel, "demand": demand, "on": on, "until": until, "person": person})


def power_hold(amount, on="2026-05-01", until="2026-06-01", demand="甲项目", unit="kVA", limit=50000.0):
    place = {"resource": "power", "node": "城北变", "amount": amount, "unit": unit}
    return Draft("hold", {**place, "demand": demand, "on": on, "until": until, "person": "张三"}, limit=limit)


def release(hold_id, on):
    return Draft("release", {"hold_id": hold_id, "on": on, "person": "张三"})


def money(amount, parcel="A-1", limit=1_000_000.0, **more):
    body = {"head": "文物勘探", "year": 2026, "parcel_id": parcel, "amount_cny": amount, "on": "2026-05-01"}
    return Draft("commitment", {**body, "person": "张三", **more}, limit=limit)


def codes_of(issues):
    return [issue.code for issue in issues]


def tamper(ledger, *statements):
    """Change the file as somebody could who knows SQL and takes the triggers away for a moment."""
    with contextlib.closing(sqlite3.connect(ledger.path)) as connection, connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement, *values in statements:
            connection.execute(statement, values)
        for _, sql in triggers:
            connection.execute(sql)


# -- appending


def test_a_ledger_that_is_not_there_yet_has_no_entries_and_no_file(ledger):
    assert (
        ledger.entries() == [] and ledger.head() == Head() and ledger.faults == [] and ledger.verify() == []
    )
    assert not ledger.path.exists()


def test_entries_are_numbered_and_each_holds_the_hash_of_the_one_before(ledger):
    first, second = ledger.append([event("A-1"), event("A-2")], "lei", AT)
    (third,) = ledger.append([event("A-3")], "han", AT + timedelta(days=1))
    assert [e.seq for e in (first, second, third)] == [1, 2, 3]
    assert second.prev_hash == first.row_hash and third.prev_hash == second.row_hash
    assert ledger.head() == Head(3, third.row_hash)
    assert ledger.entries() == [first, second, third]
    assert (third.actor, third.at_utc) == ("han", "2026-11-21T08:00:00.000000Z")


def test_the_same_fact_is_recorded_once(ledger):
    (first,) = ledger.append([event()], "lei", AT)
    (again,) = ledger.append([event()], "han", AT + timedelta(days=9))
    assert again == first and first.is_new and not again.is_new
    assert ledger.head().seq == 1
    twice = ledger.append([event("A-2"), event("A-2")], "lei", AT)
    assert [(e.seq, e.is_new) for e in twice] == [(2, True), (2, True)] and ledger.head().seq == 2


def test_all_or_none_and_every_reason_at_once(ledger):
    wrong = [event(), event(on="bald"), Draft("event", {"item": "x", "colour": "red"}), Draft("feast", {})]
    with pytest.raises(LedgerError) as told:
        ledger.append(wrong, "lei", AT)
    said = [fault.en for fault in told.value.faults]
    assert said == [
        "'on' of event cannot be 'bald'.",
        "event has no field 'colour'.",
        "event needs 'parcel_id'.",
        "event needs 'on'.",
        "there is no action 'feast'.",
    ]
    assert [fault.at for fault in told.value.faults] == ["2/4", "3/4", "3/4", "3/4", "4/4"]
    assert ledger.entries() == []


def test_days_may_come_in_any_form_and_blanks_mean_not_given(ledger):
    one = event(on=date(2026, 5, 1), document="  ", amount=float("nan"), party=pd.NA)
    two = event(on=pd.Timestamp("2026-05-01"), until=None)
    first, second = ledger.append([one, two], "lei", AT)
    assert first.seq == second.seq
    assert first.body == {"parcel_id": "A-1", "item": "clear_land", "on": "2026-05-01", "state": "done"}


def test_a_moment_without_a_time_zone_is_refused(ledger):
    with pytest.raises(ValueError, match="time zone"):
        ledger.append([event()], "lei", datetime(2026, 11, 20))


def test_an_end_before_the_beginning_is_refused(ledger):
    with pytest.raises(LedgerError, match="before it begins"):
        ledger.append([event(until="2026-04-30")], "lei", AT)


def test_an_override_needs_grounds_document_person_and_expiry(ledger):
    with pytest.raises(LedgerError) as told:
        ledger.append(
            [Draft("override", {"parcel_id": "A", "rule_id": "slope.max", "on": "2026-05-01"})], "lei", AT
        )
    assert [fault.en.split()[-1] for fault in told.value.faults] == [
        "'person'.",
        "'grounds'.",
        "'document'.",
        "'until'.",
    ]


def test_every_action_has_a_title_and_its_fields_a_label():
    for name, action in ACTIONS.items():
        assert action.name == name and action.title_zh and all(field.label_zh for field in action.fields)
        assert {*action.identity} <= {field.name for field in action.fields}


# -- correcting


def test_a_correction_adds_a_row_and_the_frame_leaves_the_old_one_out(ledger):
    (wrong,) = ledger.append([event(on="2026-05-01")], "lei", AT)
    (right,) = ledger.append([event(on="2026-05-11", supersedes=wrong.seq)], "lei", AT)
    found = recorded_events(ledger.entries(), ledger.name)
    assert found[["parcel_id", "item", "state", "source", "source_row"]].values.tolist() == [
        ["A-1", "clear_land", "done", "总账.gpkg", right.seq]
    ]
    assert found["on"].tolist() == [pd.Timestamp("2026-05-11")]
    assert len(ledger.entries()) == 2


def test_what_is_taken_back_counts_no_more_and_may_be_recorded_anew(ledger):
    ledger.append([event()], "lei", AT)
    ledger.append([Draft("void", {"voids": 1, "grounds": "录入有误", "person": "张三"})], "lei", AT)
    assert recorded_events(ledger.entries()).empty
    (anew,) = ledger.append([event()], "lei", AT)
    assert anew.is_new and anew.seq == 3
    (again,) = ledger.append([event()], "lei", AT)
    assert again.seq == 3 and not again.is_new
    assert len(recorded_events(ledger.entries())) == 1


def test_an_imported_file_does_not_bring_a_corrected_error_back(ledger):
    table = pd.DataFrame({"parcel_id": ["A-1"], "item": ["clear_land"], "on": pd.to_datetime(["2026-05-01"])})
    ledger.append(draft_events(table)[0], "lei", AT)
    ledger.append([event(on="2026-05-11", supersedes=1)], "lei", AT)
    (entry,) = ledger.append(draft_events(table)[0], "lei", AT)
    assert not entry.is_new and ledger.head().seq == 2


def test_only_what_still_counts_can_be_corrected(ledger):
    ledger.append([event(), parcel_hold(), event(on="2026-05-02", supersedes=1)], "lei", AT)
    for supersedes, said in (
        (1, "already replaced or taken back by entry 3"),
        (2, "is none of"),
        (99, "is none of"),
    ):
        with pytest.raises(LedgerError, match=said):
            ledger.append([event(on="2026-05-03", supersedes=supersedes)], "lei", AT)


def test_what_was_known_on_a_day_is_what_was_recorded_by_its_end_in_beijing(ledger):
    ledger.append([event("A-1")], "lei", datetime(2026, 11, 20, 15, 59, tzinfo=UTC))
    ledger.append([event("A-2")], "lei", datetime(2026, 11, 20, 16, 0, tzinfo=UTC))
    ledger.append([event("A-3", supersedes=1)], "lei", datetime(2026, 11, 22, 0, 0, tzinfo=UTC))
    assert [e.seq for e in ledger.entries(known_on=date(2026, 11, 20))] == [1]
    assert [e.seq for e in ledger.entries(known_on=date(2026, 11, 21))] == [1, 2]
    assert len(recorded_events(ledger.entries(known_on=date(2026, 11, 21)))) == 2
    assert recorded_events(ledger.entries())["parcel_id"].tolist() == ["A-2", "A-3"]


# -- holds


def test_two_holds_never_take_one_parcel_on_one_day(ledger):
    ledger.append([parcel_hold()], "lei", AT)
    with pytest.raises(LedgerError, match="held for 甲项目 until 2026-06-01"):
        ledger.append([parcel_hold(demand="乙项目", on="2026-06-01", until="2026-07-01")], "lei", AT)
    ledger.append([parcel_hold(demand="乙项目", on="2026-06-02", until="2026-07-01")], "lei", AT)
    assert recorded_holds(ledger.entries())["hold_id"].tolist() == ["H0001", "H0002"]


def test_a_released_hold_is_free_from_the_day_of_its_release(ledger):
    ledger.append([parcel_hold(), release("H0001", "2026-05-10")], "lei", AT)
    with pytest.raises(LedgerError, match="held for"):
        ledger.append([parcel_hold(demand="乙项目", on="2026-05-09")], "lei", AT)
    ledger.append([parcel_hold(demand="乙项目", on="2026-05-10")], "lei", AT)
    held = recorded_holds(ledger.entries())
    assert held["released_on"].tolist() == [pd.Timestamp("2026-05-10"), pd.NaT]


def test_a_hold_repeated_is_the_same_and_after_its_release_a_new_one(ledger):
    (first,) = ledger.append([parcel_hold()], "lei", AT)
    (again,) = ledger.append([parcel_hold(on="2026-05-02")], "lei", AT)  # run again after midnight
    assert again == first
    ledger.append([release("H0001", "2026-05-10")], "lei", AT)
    (anew,) = ledger.append([parcel_hold(on="2026-05-10")], "lei", AT)
    assert anew.is_new and anew.body["hold_id"] == "H0002"


def test_capacity_is_held_up_to_what_is_free_and_the_rest_is_named(ledger):
    ledger.append([power_hold(20000.0), power_hold(25000.0, demand="乙项目")], "lei", AT)
    with pytest.raises(
        LedgerError, match="has 5000 kVA left of 50000, 6000 are asked for: 1000 kVA are missing"
    ):
        ledger.append([power_hold(6000.0, demand="丙项目")], "lei", AT)
    ledger.append([power_hold(5000.0, demand="丙项目")], "lei", AT)


def test_holds_one_after_the_other_do_not_add_up(ledger):
    ledger.append(
        [
            power_hold(40000.0, on="2026-01-01", until="2026-01-31"),
            power_hold(40000.0, on="2026-03-01", until="2026-03-31", demand="乙项目"),
            power_hold(10000.0, on="2026-01-01", until="2026-12-31", demand="丙项目"),
        ],
        "lei",
        AT,
    )
    with pytest.raises(LedgerError, match="missing"):
        ledger.append([power_hold(1.0, on="2026-01-15", until="2026-06-01", demand="丁项目")], "lei", AT)
    ledger.append([power_hold(40000.0, on="2026-02-01", until="2026-02-28", demand="丁项目")], "lei", AT)


def test_nothing_is_held_where_headroom_is_unknown(ledger):
    with pytest.raises(LedgerError, match="not known"):
        ledger.append([power_hold(1.0, limit=None)], "lei", AT)
    with pytest.raises(LedgerError, match="cannot be held"):
        ledger.append([power_hold(0.0)], "lei", AT)


def test_a_hold_is_on_a_parcel_or_on_capacity_and_not_on_both(ledger):
    both = {**power_hold(1.0).body, "parcel_id": "A-1"}
    half = {k: v for k, v in power_hold(1.0).body.items() if k != "unit"}
    for body in (both, half, {k: v for k, v in parcel_hold().body.items() if k != "parcel_id"}):
        with pytest.raises(LedgerError, match="either on a parcel"):
            ledger.append([Draft("hold", body, limit=9.0)], "lei", AT)


def test_only_what_is_held_can_be_released(ledger):
    ledger.append([parcel_hold()], "lei", AT)
    with pytest.raises(LedgerError, match="there is no hold 'H0009'"):
        ledger.append([release("H0009", "2026-05-10")], "lei", AT)
    with pytest.raises(LedgerError, match="ended by itself"):
        ledger.append([release("H0001", "2026-06-02")], "lei", AT)


_DAYS = st.dates(date(2026, 1, 1), date(2026, 2, 10))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A", "B", "node"]),
            _DAYS,
            st.integers(0, 20),
            st.integers(0, 60),
            st.none() | _DAYS,
        ),
        max_size=12,
    )
)
def test_whatever_is_asked_no_day_sees_a_parcel_held_twice_or_more_taken_than_there_is(
    tmp_path_factory, asked
):
    ledger = open_ledger(tmp_path_factory.mktemp("holds") / "总账.gpkg")
    for number, (what, on, length, amount, freed) in enumerate(asked):
        until, demand = on + timedelta(days=length), f"需求{number}"
        draft = (
            power_hold(amount + 1.0, on=on, until=until, demand=demand, limit=100.0)
            if what == "node"
            else parcel_hold(what, on=on, until=until, demand=demand)
        )
        with contextlib.suppress(LedgerError):
            (entry,) = ledger.append([draft], "lei", AT)
            if freed is not None:
                ledger.append([release(entry.body["hold_id"], freed)], "lei", AT)
    held = recorded_holds(ledger.entries())
    for day in pd.date_range("2026-01-01", "2026-03-10"):
        live = held[(held["on"] <= day) & (held["until"] >= day) & ~(held["released_on"] <= day)]
        assert not live["parcel_id"].dropna().duplicated().any()
        assert live["amount"].sum() <= 100.0


# -- money


def test_money_beyond_the_budget_is_refused_with_the_sum_that_is_missing(ledger):
    ledger.append([money(600_000.0)], "lei", AT)
    with pytest.raises(
        LedgerError, match=r"budget 1000000\.00 元, committed 600000\.00.*100000\.00 元 are missing"
    ):
        ledger.append([money(500_000.0, "A-2")], "lei", AT)
    ledger.append([money(400_000.0, "A-2")], "lei", AT)
    ledger.append([money(900_000.0, "A-3", year=2027)], "lei", AT)
    assert recorded_commitments(ledger.entries())["amount_cny"].sum() == 1_900_000.0


def test_a_replaced_commitment_gives_its_money_back(ledger):
    ledger.append([money(1_000_000.0)], "lei", AT)
    ledger.append([money(700_000.0, supersedes=1), money(300_000.0, "A-2")], "lei", AT)
    ledger.append(
        [Draft("void", {"voids": 3, "grounds": "取消", "person": "张三"}), money(300_000.0, "A-3")], "lei", AT
    )
    assert recorded_commitments(ledger.entries())["parcel_id"].tolist() == ["A-1", "A-3"]


def test_no_money_is_committed_where_the_budget_is_unknown(ledger):
    with pytest.raises(LedgerError, match="not known"):
        ledger.append([money(1.0, limit=None)], "lei", AT)


# -- frames


def test_the_frames_have_the_columns_and_types_of_the_dictionary(ledger):
    override = {
        "parcel_id": "A",
        "rule_id": "slope.max",
        "person": "王",
        "grounds": "已论证",
        "document": "示例1号",
    }
    batch = {"batch_no": "2026-03", "item": "approval", "on": "2026-05-12", "days": 20}
    ledger.append(
        [
            *(event(), parcel_hold(), money(5.0), Draft("batch_event", batch)),
            Draft("override", {**override, "on": "2026-05-01", "until": "2027-05-01"}),
        ],
        "lei",
        AT,
    )
    entries = ledger.entries()
    for frame, names in (
        (
            recorded_events(entries),
            {"parcel_id", "item", "on", "state", "until", "amount", "party", "document"},
        ),
        (
            recorded_batch_events(entries),
            {"batch_no", "item", "on", "state", "until", "days", "party", "document"},
        ),
        (recorded_overrides(entries), {*override, "on", "until"}),
        (
            recorded_holds(entries),
            {"hold_id", "parcel_id", "resource", "node", "amount", "unit", "demand", "released_on"},
        ),
        (recorded_commitments(entries), {"head", "parcel_id", "amount_cny", "on", "document", "person"}),
    ):
        assert names <= {*frame.columns} and len(frame) == 1
        assert str(frame["on"].dtype) == "datetime64[s]"
    assert recorded_events([]).empty and str(recorded_holds([])["released_on"].dtype) == "datetime64[s]"


def test_a_row_of_a_table_that_cannot_be_recorded_costs_no_other():
    table = pd.DataFrame(
        {
            "parcel_id": ["A-1", "Ａ-1", "A-1", "A-1"],
            "item": "clear_land",
            "on": pd.to_datetime(["2026-05-01", "2026-05-01", None, "2026-05-01"]),
            "until": pd.to_datetime([None, None, None, "2020-01-01"]),
            "source": "事项.xlsx",
            "source_row": [2, 3, 4, 5],
        }
    )
    drafts, issues = draft_events(table, ["A-1", "A-2"], "张三")
    assert [draft.body["parcel_id"] for draft in drafts] == ["A-1"]
    assert [(i.code, i.row, i.suggestion) for i in issues] == [
        ("ATTR.UNMATCHED", 3, "A-1"), ("ATTR.EVENT_UNDATED", 4, ""), ("LEDGER.REFUSED", 5, ""),
    ]  # fmt: skip


# -- frozen lists


def listed():
    index = pd.Index(["A", "B", "丙"], name="parcel_id", dtype="str")
    return pd.DataFrame(
        {
            "parcel_name": pd.Series(["甲地", None, "丙\n地"], index=index, dtype="str"),
            "area_m2": [100.1, 0.1 + 0.2, 3.0],
            "count": pd.array([1, None, 3], dtype="Int64"),
            "is_sold": pd.array([True, None, False], dtype="boolean"),
            "on": pd.to_datetime(["2026-05-01", None, "2026-05-03"]).astype("datetime64[s]"),
            "verdict": pd.Series(["ready", "pending", "ready"], index=index, dtype="str"),
            "whole": [1, 2, 3],
        },
        index=index,
    )


def squares(index, size=10.0):
    return pd.Series(
        [shapely.to_wkb(shapely.box(20 * n, 0, 20 * n + size, size)) for n in range(len(index))], index=index
    )


def freeze(ledger, rows=None, kind="stock", **more):
    rows = listed() if rows is None else rows
    wanted = {"as_of": date(2027, 1, 1), "crs": "EPSG:4526", **more}
    return freeze_list(ledger, 2027, kind, rows, squares(rows.index), {"book": "示例"}, "lei", AT, **wanted)


def test_a_frozen_list_comes_back_to_the_last_digit(ledger):
    frozen = freeze(ledger)
    assert (frozen.list_no, frozen.count, frozen.is_new) == ("2027-stock-01", 3, True)
    assert frozen.area_m2 == pytest.approx(103.4)
    rows, meta = load_frozen(ledger, "2027-stock-01")
    assert_frame_equal(rows, listed(), check_exact=True)
    assert meta["provenance"] == {"book": "示例"} and meta["as_of"] == date(2027, 1, 1)
    shapes, crs = frozen_shapes(ledger, "2027-stock-01")
    assert shapes.index.tolist() == ["A", "B", "丙"] and "Gauss-Kruger zone 38" in crs
    assert [shapely.from_wkb(shape).area for shape in shapes] == [100.0] * 3
    assert ledger.verify() == []


def test_the_same_list_frozen_twice_is_one_and_another_has_the_next_number(ledger):
    first, again = freeze(ledger), freeze(ledger)
    assert again.list_no == first.list_no and not again.is_new
    assert freeze(ledger, listed().assign(whole=9)).list_no == "2027-stock-02"
    assert freeze(ledger, kind="incremental").list_no == "2027-incremental-01"
    assert [one.seq for one in frozen_lists(ledger)] == [1, 2, 3]
    assert frozen_lists(ledger)[0].sha256 == frozen_lists(ledger)[2].sha256 == first.sha256


def test_a_list_without_polygons_and_one_without_rows_can_be_frozen(ledger):
    rows = listed()
    freeze_list(ledger, 2027, "capacity", rows, None, {}, "lei", AT, as_of=date(2027, 1, 1))
    freeze(ledger, rows.iloc[:0])
    assert [one.count for one in frozen_lists(ledger)] == [3, 0]
    assert_frame_equal(load_frozen(ledger, "2027-stock-01")[0], rows.iloc[:0])
    assert ledger.verify() == []
    with pytest.raises(StoreError, match="no polygons"):
        frozen_shapes(ledger, "2027-capacity-01")


def test_a_list_that_cannot_be_reconciled_is_not_frozen(ledger):
    rows = listed()
    with pytest.raises(DataError, match="twice"):
        freeze(ledger, pd.concat([rows, rows]))
    with pytest.raises(DataError, match="not those of the rows"):
        freeze_list(
            ledger,
            2027,
            "stock",
            rows,
            squares(rows.index[:2]),
            {},
            "lei",
            AT,
            as_of=date(2027, 1, 1),
            crs=4526,
        )
    lines = squares(rows.index)
    lines["B"] = shapely.to_wkb(shapely.LineString([(0, 0), (1, 1)]))
    with pytest.raises(DataError, match="parcel B has no polygon"):
        freeze_list(ledger, 2027, "stock", rows, lines, {}, "lei", AT, as_of=date(2027, 1, 1), crs=4526)
    with pytest.raises(DataError, match="cannot be kept"):
        freeze(ledger, rows.assign(odd=[object(), 1, 2]))
    with pytest.raises(DataError, match="lists frozen: none"):
        load_frozen(ledger, "2027-stock-01")
    assert not ledger.path.exists()


def test_a_gis_opens_the_ledger_and_sees_the_frozen_parcels_where_they_are(ledger, tmp_path):
    freeze(ledger)
    freeze(ledger, kind="incremental", crs="EPSG:4527")
    copy = ledger.snapshot(tmp_path / "副本.gpkg")
    assert sorted(map(tuple, list_layers(copy))) == [
        ("entries", None), ("frozen_parcels", "MultiPolygon"), ("frozen_parcels_2", "MultiPolygon"),
    ]  # fmt: skip
    seen = read_dataframe(copy, layer="frozen_parcels")
    assert (
        seen["parcel_id"].tolist() == ["A", "B", "丙"] and seen["list_no"].tolist() == ["2027-stock-01"] * 3
    )
    assert seen.crs.to_epsg() == 4526 and seen.total_bounds.tolist() == [0, 0, 50, 10]
    assert read_dataframe(copy, layer="frozen_parcels_2").crs.to_epsg() == 4527
    assert len(read_dataframe(copy, layer="entries")) == 2
    assert open_ledger(copy).verify() == []
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (0x47504B47,)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


# -- what somebody may do to the file


def filled(ledger):
    ledger.append([event("A-1"), event("A-2"), parcel_hold(), release("H0001", "2026-05-10")], "lei", AT)
    freeze(ledger)
    return ledger


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET actor = 'x'",
        "DELETE FROM entries WHERE seq = 5",
        "INSERT OR REPLACE INTO entries SELECT seq, at_utc, 'x', action, idem_key, body, refers, prev_hash, row_hash FROM entries",
        "INSERT INTO entries SELECT seq + 10, at_utc, actor, action, 'k', body, NULL, prev_hash, 'h' FROM entries WHERE seq = 1",
        "UPDATE blobs SET packed = x'00'",
        "DELETE FROM blobs",
        "INSERT OR REPLACE INTO blobs SELECT fid, sha256, x'00' FROM blobs",
        "UPDATE frozen_parcels SET parcel_id = 'Z'",
        "DELETE FROM frozen_parcels",
        "UPDATE ledger_mark SET value = 'x'",
        "INSERT OR REPLACE INTO ledger_mark VALUES ('id', 'x')",
    ],
)
def test_rows_are_only_added_whoever_writes(ledger, statement):
    filled(ledger)
    refused = pytest.raises(sqlite3.IntegrityError, match=r"rows are only added|not the one that follows")
    with contextlib.closing(sqlite3.connect(ledger.path)) as connection, refused:
        connection.execute(statement)
    assert ledger.verify() == []


def test_any_edit_of_an_entry_is_seen(ledger):
    filled(ledger)
    original = ledger.path.read_bytes()
    for column in ("seq", "at_utc", "actor", "action", "idem_key", "body", "refers", "prev_hash", "row_hash"):
        for seq in (1, 4, 5):
            change = {"seq": "seq + 100", "refers": "coalesce(refers, 0) + 1"}.get(
                column, f"replace({column}, substr({column}, 3, 1), '~')"
            )
            tamper(ledger, (f"UPDATE entries SET {column} = {change} WHERE seq = ?", seq))
            assert "LEDGER.CHAIN" in codes_of(open_ledger(ledger.path).faults), (column, seq)
            ledger.path.write_bytes(original)
    assert ledger.verify() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_byte_of_any_row_that_is_changed_is_seen(tmp_path_factory, data):
    ledger = filled(open_ledger(tmp_path_factory.mktemp("bytes") / "总账.gpkg"))
    table, columns = data.draw(
        st.sampled_from(
            [
                ("entries", ["at_utc", "actor", "action", "idem_key", "body", "prev_hash", "row_hash"]),
                ("blobs", ["sha256", "packed"]),
                ("frozen_parcels", ["geom", "parcel_id", "list_no", "parcel_name", "verdict"]),
                ("ledger_mark", ["value"]),
            ]
        )
    )
    column = data.draw(st.sampled_from(columns))
    with contextlib.closing(sqlite3.connect(ledger.path)) as connection:
        rows = connection.execute(
            f"SELECT rowid, CAST({column} AS BLOB) FROM {table} WHERE {column} <> ''"
        ).fetchall()
    rowid, content = data.draw(st.sampled_from(rows))
    # The head of a shape repeats what the shape says: its envelope is no evidence.
    first = 40 if column == "geom" else 0
    at = data.draw(st.integers(first, len(content) - 1))
    changed = bytearray(content)
    changed[at] ^= data.draw(st.integers(1, 255))
    kind = "BLOB" if column in ("geom", "packed") else "TEXT"
    tamper(
        ledger, (f"UPDATE {table} SET {column} = CAST(? AS {kind}) WHERE rowid = ?", bytes(changed), rowid)
    )
    found = open_ledger(ledger.path).verify()
    assert found and all(issue.code.startswith("LEDGER.") for issue in found)


def test_missing_rows_are_seen_inside_by_the_chain_and_at_the_end_by_the_heads_noted(tmp_path):
    path, heads = tmp_path / "总账.gpkg", tmp_path / "首部.log"
    ledger = open_ledger(path, heads=heads)
    for number in range(3):
        ledger.append([event(f"A-{number}")], "lei", AT)
    original = path.read_bytes()
    tamper(ledger, ("DELETE FROM entries WHERE seq = 2",))
    assert codes_of(open_ledger(path).faults) == ["LEDGER.CHAIN"]
    path.write_bytes(original)
    tamper(ledger, ("DELETE FROM entries WHERE seq = 3",))
    assert open_ledger(path).verify() == []  # nothing in the file can show it
    assert codes_of(open_ledger(path, heads=heads).verify()) == ["LEDGER.HEAD"]


def test_a_chain_made_anew_is_seen_by_the_heads_noted(tmp_path):
    heads = tmp_path / "首部.log"
    open_ledger(tmp_path / "总账.gpkg", heads=heads).append([event()], "lei", AT)
    (tmp_path / "总账.gpkg").unlink()
    open_ledger(tmp_path / "总账.gpkg").append([event("B-1")], "lei", AT)
    assert codes_of(open_ledger(tmp_path / "总账.gpkg", heads=heads).verify()) == ["LEDGER.HEAD"]


def test_an_edited_ledger_is_read_but_not_written(ledger):
    filled(ledger)
    tamper(ledger, ("UPDATE entries SET actor = 'x' WHERE seq = 2",))
    opened = open_ledger(ledger.path)
    assert codes_of(opened.faults) == ["LEDGER.CHAIN"] and opened.faults[0].row == 2
    assert [entry.seq for entry in opened.entries()] == [
        1,
        3,
        4,
        5,
    ]  # what was not edited is still what was recorded
    before = ledger.path.read_bytes()
    with pytest.raises(StoreError, match="Entry 2 of the ledger is not what was written"):
        opened.append([event("A-9")], "lei", AT)
    assert ledger.path.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM blobs; END",
        "CREATE VIEW v AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r",
        "DROP TRIGGER entries_no_update",
        "CREATE TABLE strange (a)",
        "CREATE INDEX i ON entries (actor)",
        "ALTER TABLE entries ADD COLUMN colour TEXT",
    ],
)
def test_a_file_with_tables_views_or_triggers_of_others_is_not_written(ledger, statement):
    filled(ledger)
    with contextlib.closing(sqlite3.connect(ledger.path)) as connection, connection:
        connection.execute(statement)
    opened = open_ledger(ledger.path)
    assert set(codes_of(opened.faults)) == {"LEDGER.FOREIGN"}
    with pytest.raises(StoreError, match="not its own"):
        opened.append([event("A-9")], "lei", AT)


def test_tables_that_gis_programs_keep_beside_the_data_are_welcome(ledger):
    filled(ledger)
    with contextlib.closing(sqlite3.connect(ledger.path)) as connection, connection:
        connection.execute("CREATE TABLE layer_styles (id INTEGER PRIMARY KEY, styleQML TEXT)")
        connection.execute("PRAGMA journal_mode = WAL")
    assert ledger.verify() == []
    ledger.append([event("A-9")], "lei", AT)
    assert ledger.path.read_bytes()[18:20] == b"\x01\x01"  # no write-ahead log: one file to hand over


def test_a_foreign_file_is_neither_read_as_a_ledger_nor_written(tmp_path):
    path = tmp_path / "总账.gpkg"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE entries (seq INTEGER)")
    before = path.read_bytes()
    opened = open_ledger(path)
    assert codes_of(opened.faults) == ["LEDGER.MARK"] and opened.entries() == []
    with pytest.raises(StoreError, match="no ledger of landplan"):
        opened.append([event()], "lei", AT)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "总账.gpkg"
    path.write_bytes(content)
    opened = open_ledger(path)
    assert codes_of(opened.faults) == ["LEDGER.CORRUPT"] and codes_of(opened.verify()) == ["LEDGER.CORRUPT"]
    with pytest.raises(StoreError):
        opened.append([event()], "lei", AT)
    assert path.read_bytes() == content


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_ledger_cut_short_is_told(ledger, share):
    filled(ledger)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole[: int(len(whole) * share)])
    assert codes_of(open_ledger(ledger.path).faults) == ["LEDGER.CORRUPT"]


def test_an_empty_file_is_a_ledger_without_entries(tmp_path):
    path = tmp_path / "总账.gpkg"
    path.touch()
    ledger = open_ledger(path)
    assert ledger.faults == [] and ledger.entries() == []
    ledger.append([event()], "lei", AT)
    assert ledger.verify() == []


def test_a_folder_or_another_kind_of_thing_is_no_ledger(tmp_path):
    (tmp_path / "总账.gpkg").mkdir()
    assert codes_of(open_ledger(tmp_path / "总账.gpkg").faults) == ["LEDGER.CORRUPT"]


# -- contents


def test_a_content_is_kept_once_under_its_hash(ledger):
    ledger.append([event()], "lei", AT)
    sha256 = ledger.put_blob("清单".encode() * 1000)
    assert ledger.put_blob("清单".encode() * 1000) == sha256
    assert ledger.get_blob(sha256) == "清单".encode() * 1000
    with pytest.raises(StoreError, match="keeps no content"):
        ledger.get_blob("0" * 64)


# -- several at once


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from landplan.ledger import Draft, open_ledger
ledger = open_ledger(Path(sys.argv[1]))
for turn in range(int(sys.argv[3])):
    body = {"parcel_id": f"{sys.argv[2]}-{turn}", "item": "clear_land", "on": "2026-05-01"}
    ledger.append([Draft("event", body), Draft("event", {**body, "item": "approval"})], sys.argv[2], datetime.now(UTC))
"""


def write_at_once(path, writers, turns):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), f"w{n}", str(turns)], stderr=subprocess.PIPE
        )
        for n in range(writers)
    ]
    seen = set()
    while any(process.poll() is None for process in running):
        entries = open_ledger(path).entries()
        runs = [entries[at : at + 2] for at in range(0, len(entries), 2)]
        assert all(a.body["parcel_id"] == b.body["parcel_id"] for a, b in runs)  # never half a run
        seen.add(len(entries))
    assert [process.stderr.read() for process in running] == [b""] * writers
    for process in running:
        process.stderr.close()
        assert process.wait() == 0
    return seen


def test_eight_processes_recording_at_once_lose_nothing_and_readers_see_whole_runs(tmp_path):
    path = tmp_path / "总账.gpkg"
    write_at_once(path, 8, 50)
    ledger = open_ledger(path)
    assert ledger.verify() == []
    found = recorded_events(ledger.entries())
    assert len(found) == 800 and found["parcel_id"].nunique() == 400
    assert [entry.seq for entry in ledger.entries()] == list(range(1, 801))


def test_a_ledger_somebody_holds_is_waited_for_and_then_told(ledger):
    ledger.append([event()], "lei", AT)
    with (
        hold_lock(ledger.path),
        pytest.raises(StoreError, match="others have been writing"),
        hold_lock(ledger.path, 0.1),
    ):
        pass
    ledger.append([event("A-2")], "lei", AT)


def test_reading_the_file_with_gdal_meanwhile_costs_no_entry(ledger, tmp_path):
    """Closing any handle of a file drops every POSIX lock on it; the lock beside it holds."""
    freeze(ledger)
    script = tmp_path / "writer.py"
    script.write_text(WRITER, encoding="utf-8")
    process = subprocess.Popen([sys.executable, str(script), str(ledger.path), "other", "20"])
    for number in range(20):
        ledger.append([event(f"mine-{number}")], "lei", AT)
        ledger.path.open("rb").close()
    assert process.wait() == 0
    assert len(recorded_events(ledger.entries())) == 60 and ledger.verify() == []


# -- where it lies


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/u/总账.gpkg", ""),
        ("/share/x/总账.gpkg", "cifs"),
        ("/share/local/总账.gpkg", ""),
        ("/mnt/my disk/总账.gpkg", "nfs4"),
        ("/mnt/c/总账.gpkg", "9p"),
        ("/media/stick/总账.gpkg", ""),
        ("/cloud/总账.gpkg", "fuse.sshfs"),
        ("/shared/总账.gpkg", ""),
    ],
)
def test_network_file_systems_are_known_by_their_mounts(path, kind):
    mounts = (
        "1 0 0:1 / / rw - ext4 /dev/sda rw\n2 1 0:2 / /share rw - cifs //server/land rw\n"
        "3 2 0:3 / /share/local rw - ext4 /dev/sdb rw\n4 1 0:4 / /mnt/my\\040disk rw - nfs4 server:/x rw\n"
        "5 1 0:5 / /mnt/c rw - 9p C: rw\n6 1 0:6 / /media/stick rw - fuseblk /dev/sdc rw\n"
        "7 1 0:7 / /cloud rw - fuse.sshfs host: rw\n"
    )
    assert network_system(Path(path), mounts) == kind


def test_a_ledger_on_a_network_file_system_is_written_only_where_that_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr("landplan.ledger.geopackage.network_system", lambda path: "cifs")
    path = tmp_path / "总账.gpkg"
    opened = open_ledger(path)
    assert codes_of(opened.faults) == ["LEDGER.NETWORK"]
    with pytest.raises(StoreError, match="network file system"):
        opened.append([event()], "lei", AT)
    open_ledger(path, network=True).append([event()], "lei", AT)
    assert len(open_ledger(path).entries()) == 1


def test_a_folder_that_may_not_be_written_is_told(tmp_path):
    with pytest.raises(LandplanError) as told:
        open_ledger(tmp_path / "gone" / "总账.gpkg").append([event()], "lei", AT)
    assert "lock of the ledger cannot be made" in str(told.value)


def test_two_names_of_one_file_share_one_lock(ledger, tmp_path):
    ledger.append([event()], "lei", AT)
    link = tmp_path / "别名.gpkg"
    link.symlink_to(ledger.path)
    other = open_ledger(link)
    assert other.path == ledger.path
    other.append([event("A-2")], "lei", AT)
    assert ledger.head().seq == 2 and ledger.verify() == []


def test_the_body_is_one_canonical_text(ledger):
    ledger.append([event(document="示例〔2026〕1号", amount=1)], "lei", AT)
    with contextlib.closing(sqlite3.connect(ledger.path)) as connection:
        (body,) = connection.execute("SELECT body FROM entries").fetchone()
    assert body == (
        '{"amount":1.0,"document":"示例〔2026〕1号","item":"clear_land","on":"2026-05-01","parcel_id":"A-1","state":"done"}'
    )
    assert json.loads(body)["amount"] == 1.0


def test_a_file_that_may_not_grow_stays_as_it_was(ledger):
    pytest.importorskip("resource")
    ledger.append([event()], "lei", AT)
    before = ledger.entries()
    size = ledger.path.stat().st_size
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]),) * 2)\n"
        + WRITER.replace(
            "ledger.append(", "ledger.append([Draft('event', {**body, 'note': 'x' * 99_000})] + "
        )
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(ledger.path), "w", "1", str(size)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "StoreError" in done.stderr
    assert ledger.entries() == before and ledger.verify() == []
