"""State axes: each of its own, from dated papers; what no paper settles is unknown."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landplan.overlay import WHOLE as OVERLAY_WHOLE
from landplan.schema import column
from landplan.supply import classify_supply, derive_axes
from landplan.supply.axes import ITEMS, say_share
from landplan.supply.facts import WHOLE

DAY = date(2026, 11, 20)


def parcel(**columns):
    """One parcel; ``sale="done 2024-01-01 文号"`` lays an event beside it."""
    row = {}
    for name, value in columns.items():
        if name in ITEMS or name in ("road", "water", "power", "levelling"):
            state, on, document = [*value.split(" "), None, None][:3]
            row |= {f"event_{name}_state": state, f"event_{name}_on": pd.Timestamp(on) if on else pd.NaT}
            row[f"event_{name}_document"] = document
        elif name.startswith("boundary"):
            axis = name.removeprefix("boundary_")
            share, on, document = value
            row |= {
                f"boundary_{axis}_share": share,
                f"boundary_{axis}_on": pd.Timestamp(on) if on else pd.NaT,
            }
            row[f"boundary_{axis}_document"] = document
        else:
            row[name] = value
    return pd.DataFrame([row], index=pd.Index(["A"], name="parcel_id"))


def axis(name, **columns):
    return derive_axes(parcel(**columns), DAY)[0].at["A", name]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ({}, "unknown"),
        ({"approval": "none"}, "none"),
        ({"approval": "pending 2026-01-01", "plan": "done 2025-01-01"}, "planned"),
        ({"plan": "done 2025-01-01"}, "unknown"),
        ({"approval": "done 2024-01-01 文1"}, "approved"),
        ({"approval": "done 2024-01-01 文1", "expropriation": "done 2024-06-01"}, "expropriated"),
        ({"expropriation": "done 2024-06-01", "reserve": "done 2025-01-01"}, "reserved"),
        ({"approval": "void 2025-01-01 撤销"}, "none"),
    ],
)
def test_approval_is_the_highest_step_on_record(events, expected):
    assert axis("approval_axis", **events) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ({}, "unknown"),
        ({"sale": "none"}, "unsold"),
        ({"sale": "pending 2026-10-01"}, "announced"),
        ({"sale": "none", "announcement": "done 2026-10-01"}, "announced"),
        ({"announcement": "done 2026-10-01"}, "unknown"),
        ({"sale": "done 2024-01-01"}, "sold"),
        ({"sale": "done 2024-01-01", "announcement": "done 2023-11-01"}, "sold"),
        ({"sale": "done 2024-01-01", "withdrawal": "done 2026-01-01"}, "withdrawn"),
        ({"sale": "done 2026-05-01", "withdrawal": "done 2026-01-01"}, "sold"),
        ({"sale": "done 2024-01-01", "withdrawal": "pending 2026-01-01"}, "sold"),
        ({"sale": "done 2024-01-01", "withdrawal": "done 2026-01-01", "announcement": "done 2026-06-01"}, "announced"),
        ({"sale": "void 2026-06-01", "announcement": "done 2026-05-01"}, "unsold"),
        ({"sale": "suspended 2026-06-01"}, "unknown"),
    ],
)  # fmt: skip
def test_sale_follows_the_latest_of_sale_announcement_and_withdrawal(events, expected):
    assert axis("sale_axis", **events) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ({}, "unknown"),
        ({"start": "none"}, "empty"),
        ({"start": "done 2025-01-01"}, "building"),
        ({"start": "suspended 2025-01-01"}, "building"),
        ({"start": "done 2025-01-01", "production": "done 2026-01-01"}, "producing"),
        ({"start": "none", "idle": "done 2026-01-01"}, "idle"),
        ({"production": "done 2025-01-01", "inefficient": "done 2026-01-01"}, "inefficient"),
        ({"production": "done 2025-01-01", "inefficient": "done 2026-01-01", "utilisation": "done 2026-06-01"}, "producing"),
        ({"production": "done 2025-01-01", "inefficient": "done 2026-07-01", "utilisation": "done 2026-06-01"}, "inefficient"),
        ({"start": "done 2023-01-01", "withdrawal": "done 2026-01-01"}, "unknown"),
    ],
)  # fmt: skip
def test_occupation_is_what_was_found_and_what_a_former_holder_did_no_longer_counts(events, expected):
    assert axis("occupation_axis", **events) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ({"approval": "none", "sale": "none"}, "incremental"),
        ({"approval": "done 2024-01-01", "sale": "none"}, "approved_unsold"),
        ({"reserve": "done 2024-01-01", "sale": "none"}, "reserve"),
        ({"reserve": "done 2024-01-01", "sale": "done 2025-01-01", "start": "none"}, "sold_unused"),
        ({"sale": "done 2025-01-01", "start": "done 2025-02-01"}, "in_use"),
        ({"sale": "done 2025-01-01", "start": "done 2025-02-01", "idle": "done 2026-02-01"}, "sold_unused"),
        ({"sale": "done 2025-01-01", "inefficient": "done 2026-02-01"}, "underused"),
        ({"sale": "done 2025-01-01"}, "unknown"),
        ({"approval": "done 2024-01-01"}, "unknown"),
        ({"reserve": "done 2024-01-01", "sale": "done 2025-01-01", "withdrawal": "done 2026-01-01"}, "approved_unsold"),
        ({"reserve": "done 2026-02-01", "sale": "done 2025-01-01", "withdrawal": "done 2026-01-01"}, "reserve"),
    ],
)  # fmt: skip
def test_stock_splits_into_its_kinds(events, expected):
    assert axis("stock_kind", **events) == expected


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("done", "done", "done", "done"), "full"),
        (("none", "pending", "none", "void"), "none"),
        (("done", "none", "done", "done"), "partial"),
        (("done", None, "done", "done"), "unknown"),
        (("none", None, "none", "none"), "unknown"),
    ],
)
def test_servicing_is_full_only_where_everything_is_on_record(states, expected):
    items = ("road", "water", "power", "levelling")
    events = {item: state for item, state in zip(items, states, strict=True) if state}
    assert axis("servicing_axis", **events) == expected


def test_an_outline_that_holds_the_whole_parcel_is_its_approval_with_the_document():
    frame = parcel(sale="none", boundary_approval=(1.0, "2024-05-01", "晋政土〔2024〕5号"), verdict="ready")
    assert derive_axes(frame, DAY)[0].at["A", "approval_axis"] == "approved"
    nothing = pd.DataFrame({"force": [], "status": [], "parcel_id": [], "rule_id": [], "indicator": []})
    reason = classify_supply(frame, nothing).loc["A"]
    assert reason["supply_class"] == "stock"
    assert reason["supply_reason_zh"] == "农转用已批 2024-05-01 晋政土〔2024〕5号，未出让，具备出让条件"


def test_an_outline_that_holds_a_part_is_a_question_with_the_share():
    frame = parcel(sale="none", boundary_approval=(0.3725, "2024-05-01", "文1"), verdict="pending")
    columns, issues = derive_axes(frame, DAY)
    assert columns.at["A", "approval_axis"] == columns.at["A", "stock_kind"] == "unknown"
    assert [(issue.code, issue.parcel_id, issue.value) for issue in issues] == [
        ("GEOM.PARTLY_APPROVED", "A", "37.25%")
    ]
    nothing = pd.DataFrame({"force": [], "status": [], "parcel_id": [], "rule_id": [], "indicator": []})
    assert classify_supply(frame, nothing).at["A", "supply_reason_zh"] == "批次红线只覆盖 37.25%，需核实"


def test_land_outside_every_outline_of_a_complete_layer_is_not_approved_and_without_one_unknown():
    assert axis("approval_axis", boundary_approval=(0.0, None, None)) == "none"
    assert axis("approval_axis", boundary_approval=(np.nan, None, None)) == "unknown"


def test_a_sale_known_as_an_outline_only_is_a_sale():
    assert axis("sale_axis", boundary_sale=(1.0, "2024-05-01", "供地1")) == "sold"


@pytest.mark.parametrize(
    ("event", "outline", "expected"),
    [
        # A dated document decides: the one that has it, of two the later.
        ("done 2024-01-01 文1", (0.0, None, None), "approved"),
        ("done 2024-01-01", (0.0, None, None), "unknown"),
        ("void 2025-01-01 撤1", (1.0, "2024-01-01", "红1"), "none"),
        ("void 2023-01-01 撤1", (1.0, "2024-01-01", "红1"), "approved"),
        ("none", (1.0, "2024-01-01", "红1"), "approved"),
        ("none", (1.0, "2024-01-01", None), "unknown"),
        ("done 2024-01-01 文1", (0.4, "2023-01-01", "红1"), "approved"),
        ("done 2024-01-01 文1", (0.4, "2025-01-01", "红1"), "unknown"),
    ],
)
def test_where_event_and_outline_disagree_a_dated_document_decides_and_it_is_said(event, outline, expected):
    columns, issues = derive_axes(parcel(approval=event, boundary_approval=outline), DAY)
    assert columns.at["A", "approval_axis"] == expected
    assert len(issues) == 1


def test_an_outline_of_a_later_day_does_not_count():
    frame = parcel(boundary_approval=(1.0, "2026-12-01", "文"))
    assert derive_axes(frame, DAY)[0].at["A", "approval_axis"] == "unknown"


def test_the_overlay_and_the_axes_mean_the_same_by_whole():
    assert WHOLE == OVERLAY_WHOLE


def test_a_part_is_never_printed_as_the_whole():
    assert (say_share(0.999996), say_share(1.0), say_share(0.0), say_share(0.000001)) == ("99.9996", "100.00", "0.00", "0.0001")  # fmt: skip


def test_every_code_of_an_axis_has_its_word():
    from landplan.supply import axes

    for name, codes in (
        ("approval_axis", axes.APPROVALS),
        ("sale_axis", axes.SALES),
        ("occupation_axis", axes.OCCUPATIONS),
        ("stock_kind", axes.KINDS),
    ):
        assert set(codes) == set(column(name).values)


_STATE = st.sampled_from([None, "done", "pending", "none", "suspended", "void"])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(ITEMS, _STATE)), min_size=1, max_size=8))
def test_law_what_is_not_on_record_is_never_an_answer(rows):
    frame = pd.DataFrame(
        [
            {f"event_{i}_state": s for i, s in row.items()} | {f"event_{i}_on": pd.Timestamp("2024-01-01") for i in row}
            for row in rows
        ]
    )  # fmt: skip
    columns, _ = derive_axes(frame, DAY)
    for at, row in enumerate(rows):
        told = columns.loc[at]
        if row["sale"] is None and row["withdrawal"] != "done":
            assert told["sale_axis"] == told["stock_kind"] == "unknown"
        if all(row[item] is None for item in ("approval", "expropriation", "reserve")):
            assert told["approval_axis"] == "unknown"
