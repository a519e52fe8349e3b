"""One parcel walked through everything, to the last digit (the walk of A-2)."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from landplan.pipeline import assess
from landplan.supply import list_supply
from landplan.verdict import why


@pytest.fixture(scope="module")
def a2(judged):
    return judged.parcels.loc["A-2"]


def test_the_ledger_number_is_canonical_to_the_last_digit(a2):
    assert a2["invest_intensity_cny_per_m2"] == 2248.95


def test_the_square_of_a_hundred_metres_is_fifteen_mu(a2):
    assert a2["area_m2"] == 10000.0
    assert a2["area_registered_m2"] == 10000.0
    assert a2["measure_epsg"] == 4547
    assert a2["area_ellipsoid_m2"] == pytest.approx(9996.0, abs=2.0)


def test_no_farmland_lies_under_it_and_that_is_known(a2):
    assert a2["farmland_overlap_m2"] == 0.0
    assert a2["redline_overlap_m2"] == 0.0
    assert a2["urban_overlap_share"] == 1.0


def test_its_papers_are_in_order_and_the_ground_is_known(a2):
    assert a2["event_clear_land_state"] == "done"
    assert a2["zone_code"] == "SL01"
    assert 0 <= a2["slope_mean_deg"] < 8


def test_it_fails_by_seven_hundredths_and_nothing_else(judged):
    findings = judged.findings
    rows = findings[((findings["parcel_id"] == "A-2") & (findings["status"] != "pass")).to_numpy()]
    assert rows[["rule_id", "status", "measured", "required", "unit"]].to_numpy().tolist() == [
        ["invest_intensity.min", "fail", 149.93, 150.0, "万元/亩"]
    ]
    assert rows["margin"].iloc[0] == pytest.approx(-0.07)
    assert rows["since"].iloc[0] == pd.Timestamp("2022-12-25")


def test_the_verdict_and_its_sentence(judged, a2):
    assert a2["verdict"] == "not_ready"
    first = why(judged, "A-2")[0]
    assert first.text.startswith(
        "不达标：固定资产投资强度 149.93 万元/亩，要求不低于 150 万元/亩（差 0.07）。依据："
    )
    assert first.text.endswith("，自 2022-12-25 起。")
    english = why(judged, "A-2", "en")[0].text
    assert english.startswith(
        "fail: Fixed-asset investment intensity 149.93 万元/亩, required at least 150 万元/亩 (short by 0.07)."
    )


def test_it_is_on_no_list_and_says_why(judged, a2):
    assert "A-2" not in list_supply(judged, "stock").index
    assert a2["supply_class"] == "stock_held"
    assert "固定资产投资强度" in a2["supply_reason_zh"]


def test_before_any_rule_the_books_are_silent_and_nobody_is_ready(sample):
    early = assess(sample, as_of=date(2000, 1, 1))
    assert not (early.parcels["verdict"] == "ready").any()
    mandatory = early.findings[(early.findings["force"] == "mandatory").to_numpy()]
    assert set(mandatory["status"]) == {"unknown"}
    assert set(mandatory["reason"]) <= {"silent"}
    assert any("规则集在该日尚无规定" in reason.text for reason in why(early, "A-2"))


def test_the_sample_covers_every_verdict_and_class(judged):
    assert set(judged.parcels["verdict"]) == {"ready", "pending", "not_ready"}
    assert set(judged.parcels["supply_class"]) == {
        "stock", "stock_held", "incremental", "incremental_held", "supplied", "unknown",
    }  # fmt: skip
    assert set(judged.parcels["measure_epsg"].dropna()) == {4546, 4547}


def test_every_parcel_drawn_is_judged_and_counted(judged):
    counts = judged.provenance.counts
    assert counts["in"] == counts["out"] + counts["dropped"] == len(judged.parcels)
    for source in judged.provenance.sources:
        assert source.rows_in == source.rows_imported + source.rows_rejected, source.path
        assert len(source.sha256) == 64


def test_the_same_day_gives_the_same_paper(sample, judged):
    again = assess(sample, as_of=judged.provenance.as_of)
    pd.testing.assert_frame_equal(pd.DataFrame(again.parcels), pd.DataFrame(judged.parcels))
    pd.testing.assert_frame_equal(again.findings, judged.findings)
    pd.testing.assert_frame_equal(again.issues, judged.issues)
    assert again.provenance == judged.provenance
