from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landplan.issues import Issue
from landplan.schema import coerce
from landplan.tables import issue_table
from landplan.verdict import _number, decide, open_findings, open_kinds, say_requirement

STATUSES = ["pass", "fail", "unknown", "refer", "exempt"]
PARCEL = pd.DataFrame(index=pd.Index(["A"], name="parcel_id"))


def findings(*rows):
    frame = pd.DataFrame(
        [{"parcel_id": "A", "rule_id": f"r{n}", "status": s, "force": f} for n, (s, f) in enumerate(rows)]
    )
    return coerce(frame, "findings")


def verdict(rows, *issues):
    return decide(PARCEL, findings(*rows), issue_table(issues)).at["A", "verdict"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("pass", "mandatory")], "ready"),
        ([("pass", "mandatory"), ("exempt", "mandatory")], "ready"),
        ([("pass", "mandatory"), ("fail", "advisory")], "ready"),
        ([("pass", "mandatory"), ("unknown", "mandatory")], "pending"),
        ([("pass", "mandatory"), ("refer", "mandatory")], "pending"),
        ([("fail", "mandatory"), ("unknown", "mandatory")], "not_ready"),
        ([("pass", "advisory")], "pending"),
        ([], "pending"),
        ([("something new", "mandatory")], "pending"),
    ],
)
def test_only_mandatory_findings_decide_and_silence_is_not_a_pass(rows, expected):
    assert verdict(rows) == expected


def test_a_blocking_issue_keeps_a_parcel_pending_and_a_plain_one_does_not():
    rows = [("pass", "mandatory")]
    assert verdict(rows, Issue("GEOM.OVERLAP", parcel_id="A", value="B")) == "pending"
    assert verdict(rows, Issue("GEOM.REPAIRED", parcel_id="A")) == "ready"
    assert verdict(rows, Issue("GEOM.OVERLAP", parcel_id="B", value="C")) == "ready"


_RANK = {"not_ready": 0, "pending": 1, "ready": 2}
_ROWS = st.lists(
    st.tuples(st.sampled_from(STATUSES), st.sampled_from(["mandatory", "advisory"])), min_size=1, max_size=6
)


@given(_ROWS, st.integers(0, 5))
def test_law_5_mending_a_finding_never_makes_a_parcel_less_ready(rows, which):
    which %= len(rows)
    mended = [("pass", force) if n == which else (status, force) for n, (status, force) in enumerate(rows)]
    assert _RANK[verdict(mended)] >= _RANK[verdict(rows)]


@given(_ROWS)
def test_law_5_an_exempt_finding_changes_nothing(rows):
    if any(force == "mandatory" for _, force in rows):
        assert verdict([*rows, ("exempt", "mandatory")]) == verdict(rows)


@given(_ROWS)
def test_law_4_unknown_never_gives_ready(rows):
    assert verdict([*rows, ("unknown", "mandatory")]) != "ready"


@given(st.floats(0.001, 1e4).map(lambda v: round(v, 6)), st.floats(1e-6, 1e-3))
def test_a_failing_number_never_prints_equal_to_its_limit(limit, short):
    assert _number(limit - short, limit) != _number(limit, limit - short)


def test_numbers_are_printed_without_noise():
    assert _number(149.93, 150.0) == "149.93"
    assert _number(150.0, 149.93) == "150"
    assert _number(149.9996, 150.0) == "149.9996"


def test_what_is_open_are_the_mandatory_findings_that_still_decide():
    rows = findings(
        ("fail", "mandatory"), ("unknown", "mandatory"), ("refer", "advisory"), ("pass", "mandatory")
    )
    rows["overridden_by"] = [None, "override.r1", None, None]
    assert open_findings(rows)["rule_id"].tolist() == ["r0"]
    assert open_kinds(rows).to_dict("records")[0]["status"] == "fail"


@given(_ROWS, st.lists(st.booleans(), min_size=6, max_size=6))
def test_an_overridden_finding_decides_nothing(rows, over):
    marked = findings(*rows)
    marked["overridden_by"] = [f"override.r{n}" if over[n] else None for n in range(len(rows))]
    left = [row for row, gone in zip(rows, over, strict=False) if not gone]
    got = decide(PARCEL, coerce(marked, "findings"), issue_table([])).at["A", "verdict"]
    assert got == verdict(left) if left else got == "pending"


def test_a_requirement_is_said_in_the_rules_own_unit_with_the_day_or_the_year_alone():
    row = {"test": "at_least", "required": 150.0, "measured": 149.93, "required_text": None, "unit": "万元/亩", "status": "fail",
           "reason": None, "reference": "示例办法，第一条", "since": pd.Timestamp("2022-12-25"), "indicator": "far_min"}  # fmt: skip
    assert say_requirement(row) == ("不低于 150 万元/亩", "示例办法，第一条", "2022-12-25")
    year = {**row, "reference": "某指标（施行日期只核对到 2023 年）", "since": pd.Timestamp("2023-01-01")}
    assert say_requirement(year, "en")[0] == "at least 150 万元/亩" and say_requirement(year)[2] == "2023"
    silent = {
        **row,
        "required": float("nan"),
        "status": "unknown",
        "reason": "silent",
        "since": pd.NaT,
        "reference": None,
    }
    assert say_requirement(silent) == ("规则集在该日尚无规定", "", "")
