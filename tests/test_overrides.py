from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landplan.rules import apply_overrides, evaluate_rules, exempt_evaluations, load_rulebook
from landplan.schema import coerce, join_rows
from landplan.tables import Assessment, Provenance, issue_table
from landplan.verdict import decide, open_findings, rank_reasons, why

TODAY = date(2026, 11, 20)
WHOLE = {
    "parcel_id": "A", "rule_id": "far.min", "person": "示例科长", "grounds": "旧厂房改造", "document": "示函〔2026〕1号",
    "on": "2026-03-01", "until": "2026-11-20",
}  # fmt: skip


def overrides(*rows):
    frame = pd.DataFrame([{**WHOLE, **row} for row in rows])
    return coerce(frame.assign(**{n: pd.to_datetime(frame[n]) for n in ("on", "until")}), "overrides")


def findings(**statuses):
    """One mandatory finding per rule of parcel A; dots are written as two underscores."""
    return coerce(
        pd.DataFrame(
            [
                {"parcel_id": "A", "rule_id": rule.replace("__", "."), "status": status, "force": "mandatory",
                 "indicator": "far_min", "test": "at_least", "measured": 0.6, "required": 0.7, "margin": -0.1}
                for rule, status in statuses.items()
            ]
        ),
        "findings",
    )  # fmt: skip


def parcels(*names):
    return pd.DataFrame(index=pd.Index(names or ["A"], name="parcel_id", dtype="str"))


def verdict(found):
    return decide(parcels(), found, issue_table([])).at["A", "verdict"]


def test_a_decision_in_force_is_a_finding_of_its_own_and_the_overridden_one_stays():
    before = findings(far__min="fail", tax__min="pass")
    after, issues = apply_overrides(before, overrides({}), TODAY)
    assert not issues
    assert after["rule_id"].tolist() == ["far.min", "tax.min", "override.far.min"]
    assert after["status"].tolist() == ["fail", "pass", "exempt"]
    assert after["overridden_by"].fillna("").tolist() == ["override.far.min", "", ""]
    own = after.iloc[2]
    assert own["reason"] == "overridden" and own["since"] == pd.Timestamp("2026-03-01")
    for part in ("示例科长", "旧厂房改造", "示函〔2026〕1号", "2026-11-20"):
        assert part in own["reference"]
    pd.testing.assert_frame_equal(before, findings(far__min="fail", tax__min="pass"))  # not changed
    assert verdict(before) == "not_ready" and verdict(after) == "ready"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-02-28", "not_ready"),
        ("2026-03-01", "ready"),
        ("2026-11-20", "ready"),
        ("2026-11-21", "not_ready"),
    ],
)
def test_an_override_counts_from_its_day_to_its_expiry_and_not_a_day_longer(day, expected):
    found, issues = apply_overrides(findings(far__min="fail"), overrides({}), date.fromisoformat(day))
    assert verdict(found) == expected
    assert [i.code for i in issues] == (["LEDGER.OVERRIDE_EXPIRED"] if day > "2026-11-20" else [])


@pytest.mark.parametrize("part", ["person", "grounds", "document", "on", "until"])
def test_an_override_that_lacks_what_it_must_say_is_an_issue_and_does_not_count(part):
    found, issues = apply_overrides(findings(far__min="fail"), overrides({part: None}), TODAY)
    assert verdict(found) == "not_ready" and len(found) == 1
    assert [i.code for i in issues] == ["LEDGER.OVERRIDE_INCOMPLETE"]
    words = {"person": "决定人", "grounds": "理由", "document": "文号", "on": "日期", "until": "有效期至"}
    assert words[part] in str(issues[0].value) and "A far.min" in str(issues[0].value)


def test_blanks_are_no_grounds():
    _, issues = apply_overrides(findings(far__min="fail"), overrides({"grounds": "  "}), TODAY)
    assert [i.code for i in issues] == ["LEDGER.OVERRIDE_INCOMPLETE"]


def test_an_override_of_what_is_not_there_is_told_and_one_bad_row_stops_no_other():
    table = overrides({"rule_id": "far.mni"}, {"parcel_id": "Z"}, {"person": None}, {})
    found, issues = apply_overrides(findings(far__min="fail"), table, TODAY)
    assert verdict(found) == "ready"
    assert (
        sorted(i.code for i in issues) == ["LEDGER.OVERRIDE_INCOMPLETE"] + ["LEDGER.OVERRIDE_UNMATCHED"] * 2
    )
    assert {str(i.value) for i in issues if i.code.endswith("UNMATCHED")} == {"A far.mni", "Z far.min"}


def test_of_two_decisions_over_one_rule_the_later_counts_and_the_key_stays_unique():
    table = overrides({"document": "旧", "on": "2026-01-01"}, {"document": "新", "on": "2026-05-01"})
    found, _ = apply_overrides(findings(far__min="fail"), table, TODAY)
    assert not found.duplicated(["parcel_id", "rule_id"]).any()
    assert found["reference"].iloc[-1].startswith("新")


def test_an_override_of_one_rule_leaves_the_others_deciding():
    found, _ = apply_overrides(findings(far__min="fail", tax__min="unknown"), overrides({}), TODAY)
    assert verdict(found) == "pending"
    assert open_findings(found)["rule_id"].tolist() == ["tax.min"]


STATUS = st.sampled_from(["pass", "fail", "unknown", "refer", "exempt"])
RANK = {"not_ready": 0, "pending": 1, "ready": 2}


@given(st.lists(STATUS, min_size=1, max_size=4), st.lists(st.integers(0, 3), max_size=3))
def test_an_override_never_makes_a_parcel_less_ready_and_none_changes_nothing(statuses, which):
    plain = findings(**{f"r{n}__min": status for n, status in enumerate(statuses)})
    same, _ = apply_overrides(plain, overrides({})[:0], TODAY)
    pd.testing.assert_frame_equal(same, plain)
    chosen = [f"r{n}.min" for n in sorted(set(which)) if n < len(statuses)]
    if not chosen:
        return
    found, _ = apply_overrides(plain, overrides(*({"rule_id": rule} for rule in chosen)), TODAY)
    assert RANK[verdict(found)] >= RANK[verdict(plain)]
    left = [
        s for n, s in enumerate(statuses) if f"r{n}.min" not in chosen and s in ("fail", "unknown", "refer")
    ]
    assert len(open_findings(found)) == len(left)
    kept = found.iloc[: len(plain)].drop(columns="overridden_by").astype("object")
    pd.testing.assert_frame_equal(kept, plain.drop(columns="overridden_by").astype("object"))


def test_law_1_overrides_of_two_halves_are_those_of_the_whole():
    rows = [findings(far__min="fail").assign(parcel_id=pid) for pid in "ABC"]
    table = overrides({}, {"parcel_id": "C"})
    whole, _ = apply_overrides(pd.concat(rows, ignore_index=True), table, TODAY)
    halves = [
        apply_overrides(part, table[table["parcel_id"].isin(part["parcel_id"])], TODAY)[0] for part in rows
    ]
    key = ["parcel_id", "rule_id"]
    joined = join_rows(halves).astype("object").sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(whole.astype("object").sort_values(key, ignore_index=True), joined)


def assessment(found):
    frame = parcels().assign(area_m2=10000.0)
    return Assessment(
        parcels=frame, zones=frame, overlaps=frame, indicators=frame, events=frame, findings=found,
        issues=issue_table([]), provenance=Provenance(TODAY, "试", True, "0"),
    )  # fmt: skip


def test_why_tells_both_the_rule_and_the_decision_over_it():
    found, _ = apply_overrides(findings(far__min="fail"), overrides({}), TODAY)
    told = why(assessment(found), "A")
    assert [reason.is_decisive for reason in told] == [False, False]
    rule, decision = told
    assert rule.text.startswith("不达标") and "已由人工决定不计" in rule.text and rule.is_overridden
    assert decision.text.startswith("人工决定不计") and "示例科长：旧厂房改造" in decision.text
    english = [reason.text for reason in why(assessment(found), "A", "en")]
    assert "set aside by a person's decision" in english[0] and english[1].startswith("set aside by a person")
    assert rank_reasons(assessment(found)).empty


def test_a_rule_on_an_evaluation_the_zone_does_not_ask_for_is_exempt_and_no_other():
    frame = pd.DataFrame(
        {
            "evaluation_flood_share": [0.0, 0.0],
            "evaluation_heritage_share": [0.0, 0.0],
            "evaluation_flood_state": ["not_required", "missing"],
            "evaluation_heritage_state": ["missing", "missing"],
        },
        index=pd.Index(["A", "B"], name="parcel_id", dtype="str"),
    )
    plain = evaluate_rules(frame, load_rulebook("example.kaifaqu"), TODAY)
    before = plain.copy()
    found = exempt_evaluations(plain, frame)
    pd.testing.assert_frame_equal(plain, before)
    told = found.set_index(["rule_id", "parcel_id"])
    assert told.loc[("evaluation.flood", "A"), ["status", "reason"]].tolist() == ["exempt", "not_required"]
    for key in (("evaluation.flood", "B"), ("evaluation.heritage", "A")):
        assert told.loc[key, "status"] == "fail"
    assert exempt_evaluations(found, frame.drop(columns=[c for c in frame if c.endswith("_state")])) is found


def test_findings_as_the_rules_give_them_take_decisions_and_keep_their_dtypes():
    frame = pd.DataFrame({"far_min": [0.1, 0.9]}, index=pd.Index(["A", "B"], name="parcel_id", dtype="str"))
    plain = evaluate_rules(frame, load_rulebook("cn.national-2008"), TODAY)
    found, issues = apply_overrides(plain, overrides({"rule_id": "far.min", "parcel_id": "B"}), TODAY)
    assert not issues and len(found) == len(plain) + 1
    assert found.dtypes.astype("str").tolist() == plain.dtypes.astype("str").tolist()
    pd.testing.assert_frame_equal(
        found.iloc[:-1].drop(columns="overridden_by").astype("object"),
        plain.drop(columns="overridden_by").astype("object"),
    )
    last = found.iloc[-1]
    assert (last["parcel_id"], last["rule_id"], last["status"], last["reason"]) == (
        "B",
        "override.far.min",
        "exempt",
        "overridden",
    )
    marked = found[found["overridden_by"].notna()]
    assert marked[["parcel_id", "rule_id", "overridden_by"]].astype("object").values.tolist() == [
        ["B", "far.min", "override.far.min"]
    ]
    pd.testing.assert_frame_equal(coerce(found, "findings"), found)
