from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landplan.errors import UsageError
from landplan.schema import coerce
from landplan.supply import balance_supply, classify_supply, count_by_zone, list_supply
from landplan.tables import Assessment, Provenance


def parcels(*rows):
    names = ["parcel_id", "event_approval_state", "event_sale_state", "verdict", "area_m2", "zone_code"]
    frame = pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows]).set_index("parcel_id")
    return coerce(frame.assign(zone_name=frame["zone_code"]), "parcels")


def findings(*rows):
    frame = pd.DataFrame(
        [
            {"parcel_id": p, "rule_id": r, "indicator": i, "status": s, "force": "mandatory"}
            for p, r, i, s in rows
        ]
    )
    return coerce(frame, "findings")


FAIL = findings(
    ("C", "farmland.overlap", "farmland_overlap_m2", "fail"),
    ("D", "redline.overlap", "redline_overlap_m2", "unknown"),
    ("B", "tax.min", "tax_cny_per_m2_yr", "fail"),
)
FRAME = parcels(
    ("A", "done", "none", "ready", 1000.0, "Z1"),
    ("B", "done", "none", "not_ready", 500.0, "Z1"),
    ("C", "pending", "none", "not_ready", 300.0, "Z1"),
    ("D", "pending", "none", "not_ready", 300.0, "Z2"),
    ("E", "pending", "none", "not_ready", 200.0, "Z2"),
    ("F", "done", "done", "not_ready", 100.0, "Z2"),
    ("G", None, "none", "pending", 50.0, "Z2"),
    ("H", "done", None, "pending", 25.0, None),
    ("I", "done", "pending", "ready", 12.0, None),
)


def judged(frame=FRAME, found=FAIL):
    classes = classify_supply(frame, found)
    from datetime import date

    nothing = pd.DataFrame()
    return Assessment(
        frame.join(classes),
        nothing,
        nothing,
        nothing,
        nothing,
        found,
        nothing,
        Provenance(date(2026, 1, 1), "", True, "0"),
    )


def test_each_parcel_stands_where_its_papers_put_it():
    assert judged().parcels["supply_class"].to_dict() == {
        "A": "stock", "B": "stock_held", "C": "incremental_held", "D": "incremental_held", "E": "incremental",
        "F": "supplied", "G": "unknown", "H": "unknown", "I": "stock_held",
    }  # fmt: skip


def test_increment_is_not_whatever_is_not_stock():
    assert judged().parcels.at["G", "supply_reason_zh"] == "农转用批复没有记录"


def test_a_parcel_not_on_the_list_says_why():
    assert "亩均税收" in judged().parcels.at["B", "supply_reason_zh"]
    assert "farmland" in judged().parcels.at["C", "supply_reason_en"]


def test_the_lists_close_against_the_whole_table():
    balance = balance_supply(judged())
    rows = balance.drop(index="total")
    assert rows["parcels"].sum() == balance.at["total", "parcels"] == 9
    assert rows["area_m2"].sum() == pytest.approx(balance.at["total", "area_m2"]) == pytest.approx(2487.0)


def test_a_list_is_ordered_by_zone_and_number():
    assert list_supply(judged(), "stock").index.tolist() == ["A"]
    assert list_supply(judged(), "incremental").index.tolist() == ["E"]
    with pytest.raises(UsageError):
        list_supply(judged(), "nonsense")


def test_zones_and_verdicts_add_up_in_parcels_and_land():
    table = count_by_zone(judged()).set_index("zone_code")
    assert table.index.tolist() == ["Z1", "Z2", "", "total"]
    for column in table.columns.drop("zone_name"):
        assert table[column].drop("total").sum() == pytest.approx(table.at["total", column])
    assert table.at["total", "total_parcels"] == 9


_STATES = st.sampled_from([None, "done", "pending", "none", "void", "suspended"])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(_STATES, _STATES, st.sampled_from(["ready", "pending", "not_ready"]), st.floats(0, 1e6)),
        min_size=1,
        max_size=12,
    )
)
def test_only_what_is_ready_approved_and_unsold_is_ever_offered(rows):
    frame = parcels(*((f"P{n}", a, s, v, area, "Z") for n, (a, s, v, area) in enumerate(rows)))
    classes = classify_supply(frame, findings(("X", "r", "far_min", "pass")))["supply_class"]
    offered = (classes == "stock").to_numpy()
    approved = (frame["event_approval_state"] == "done").to_numpy()
    unsold = frame["event_sale_state"].isin(["none", "void"]).to_numpy()
    assert (offered == (approved & unsold & (frame["verdict"] == "ready").to_numpy())).all()
    assert np.isin(
        classes, ["stock", "stock_held", "incremental", "incremental_held", "supplied", "unknown"]
    ).all()
