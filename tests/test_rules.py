"""Rulebooks are refused with file and line, or judge by dated, cited limits; unknown never passes."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landplan.errors import RulebookError
from landplan.rules import (
    Rulebook,
    evaluate_rules,
    lint_rulebook,
    load_rulebook,
    resolve_industry,
    show_rules,
)
from landplan.schema import coerce, dictionary, join_rows
from landplan.units import convert

BROKEN = Path(__file__).parent / "broken_rulebooks"
DAY = date(2026, 11, 20)


def rule(name: str, lines: str, *, since: str = "2020-01-01", value: str = "1.0", extra: str = "") -> str:
    body = "\n".join(f"    {line.strip()}" for line in lines.split(";"))
    return f"  {name}:\n{body}\n    values: {{{since}: {value}}}\n    reference: {{{since}: {{title: 示例文件}}}}\n{extra}"


FAR = 'indicator: far_min; test: at_least; unit: "1"; force: mandatory'
INVEST = "indicator: invest_intensity_cny_per_m2; test: at_least; unit: 万元/亩; force: mandatory"


def write_book(folder: Path, name: str, *rules: str, extends: str = "") -> Path:
    path = folder.joinpath(*name.split(".")).with_suffix(".yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"rulebook: {name}\ntitle: 示例\nchecked_on: 2026-11-20\nmark: 示例\n"
    head += f"extends: {extends}\n" if extends else ""
    path.write_text(head + "rules:\n" + "".join(rules), encoding="utf-8")
    return path


def parcels(**columns: list[object]) -> pd.DataFrame:
    size = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=pd.Index([f"P-{n + 1}" for n in range(size)], name="parcel_id"))


def statuses(frame: pd.DataFrame, book: Rulebook | Path, as_of: date | pd.Series = DAY) -> list[str]:
    rulebook = book if isinstance(book, Rulebook) else load_rulebook(book)
    return evaluate_rules(frame, rulebook, as_of)["status"].tolist()


# -- the loader refuses

REFUSED = {
    "another_name": (1, "calls itself 'cn.shanxi'"),
    "another_rule_than_above": (7, "of sound is another: far_min at_least"),
    "bad_rule_name": (6, "not a name of a rule"),
    "basis_in_indicator": (7, "'actual.far_min' is not a column"),
    "by_without_edition": (11, "names no edition"),
    "circle_a": (3, "circle_a -> circle_b -> circle_a"),
    "circle_b": (3, "circle_b -> circle_a -> circle_b"),
    "doubled_day": (13, "'2022-12-25' occurs twice"),
    "doubled_key": (9, "'test' occurs twice in rule far.min, first in line 8"),
    "doubled_rule": (15, "'far.min' occurs twice in rules, first in line 6"),
    "empty": (1, "empty"),
    "extends_nothing": (3, "no rulebook 'cn.atlantis'"),
    "industry_twice": (13, "industry 30 occurs twice"),
    "marked_from_memory": (4, "only remembered is never shipped"),
    "misspelt_key": (7, "Did you mean 'indicator'?"),
    "never_checked": (5, "when it was last compared with the text"),
    "no_mark": (5, "has no mark"),
    "no_reference": (7, "lacks 'reference'"),
    "no_unit": (7, "has no unit"),
    "not_a_day": (12, "found '2022-13-25'"),
    "not_a_number": (12, "plain number, found '1.0'"),
    "not_finite": (12, "plain number, found '.inf'"),
    "not_yaml": (4, "not YAML"),
    "overrides_not_a_flag": (11, "'maybe'"),
    "overrides_nothing": (6, "overrides nothing"),
    "python_tag": (12, "plain number"),
    "reference_without_title": (14, "lacks 'title'"),
    "reference_without_value": (15, "cites a text for 2025-01-01"),
    "reversed_range": (12, "lower limit 2 is above the upper 1"),
    "rows_without_by": (12, "no by:"),
    "rules_a_list": (3, "must be a mapping"),
    "sexagesimal_number": (12, "found '1:30'"),
    "share_above_the_whole": (12, "share above the whole"),
    "state_not_in_dictionary": (11, "'sold', which is not allowed"),
    "superseded_by_nobody": (3, "must say superseded_by"),
    "table_marked_r": (3, "row 34 is marked R"),
    "table_missing": (13, "'nowhere.csv' is not there"),
    "table_outside_the_folder": (13, "leaves the folder"),
    "test_of_another_kind": (8, "'one_of' does not suit far_min"),
    "uncited_value": (13, "from 2025-01-01 is not cited"),
    "unit_for_a_category": (9, "has no unit"),
    "unit_of_another_kind": (9, "'万元/亩' does not measure far_min, which is of kind ratio"),
    "unknown_book_key": (3, "unknown key 'author'"),
    "unknown_indicator": (7, "'far_minimum' is not a column"),
    "unknown_key": (11, "unknown key 'threshhold'"),
    "unknown_level": (13, "'宇宙级' is not a value of zone_level"),
    "unknown_mark": (4, "'sure', which is not allowed"),
    "unknown_test": (8, "'greater_than', which is not allowed"),
    "year_in_december": (14, "first of January"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_broken_rulebook_is_refused_for_its_one_fault_in_its_line(name: str) -> None:
    line, words = REFUSED[name]
    with pytest.raises(RulebookError) as caught:
        load_rulebook(BROKEN / f"{name}.yaml")
    assert len(caught.value.faults) == 1
    fault = caught.value.faults[0]
    assert words in fault.en
    assert fault.at.endswith(f":{line}")
    assert re.search(r"[\u4e00-\u9fff]", fault.zh)


def test_every_file_of_the_folder_of_broken_rulebooks_has_its_fault_named_here() -> None:
    assert {path.stem for path in BROKEN.glob("*.yaml")} == {*REFUSED, "sound"}


def test_the_sound_book_the_broken_ones_are_made_from_has_no_fault() -> None:
    assert lint_rulebook(BROKEN / "sound.yaml") == []


def test_unknown_keys_are_answered_with_the_known_ones() -> None:
    (fault,) = lint_rulebook(BROKEN / "unknown_key.yaml")
    for key in ("indicator", "basis", "unit", "checked_on", "overrides"):
        assert key in fault.mend_en


def test_all_faults_of_a_book_are_told_at_once(tmp_path: Path) -> None:
    path = write_book(
        tmp_path,
        "bad",
        rule("far.min", 'indicator: far_min; test: at_least; unit: "亩"; force: mandatory'),
        rule("tax.min", "indicator: nothing; test: at_least; unit: 万元/亩; force: sometimes"),
    )
    assert [fault.at.rsplit(":", 1)[1] for fault in lint_rulebook(path)] == ["9", "14", "17"]


def test_a_name_that_is_not_there_is_answered_with_the_names_that_are() -> None:
    with pytest.raises(RulebookError) as caught:
        load_rulebook("cn.henan")
    assert "cn.shanxi" in caught.value.faults[0].mend_en


@pytest.mark.parametrize("name", ["../secret", "cn..shanxi", ""])
def test_a_name_cannot_lead_out_of_the_folders(name: str, tmp_path: Path) -> None:
    with pytest.raises(RulebookError):
        load_rulebook(name, [tmp_path])


def test_a_folder_of_the_user_is_searched_before_the_books_shipped(tmp_path: Path) -> None:
    write_book(tmp_path, "cn.shanxi", rule("far.min", FAR))
    assert load_rulebook("cn.shanxi", [tmp_path]).title == "示例"


def test_a_book_opened_by_its_path_finds_the_book_above_beside_it(tmp_path: Path) -> None:
    write_book(tmp_path, "top.nation", rule("far.min", FAR))
    path = write_book(tmp_path, "top.zone", rule("invest.min", INVEST), extends="top.nation")
    assert [book.name for book in load_rulebook(path).books] == ["top.nation", "top.zone"]


def test_the_hash_of_a_book_covers_the_table_it_names(tmp_path: Path) -> None:
    values = "{table: far.csv, key: code, value: far}"
    path = write_book(tmp_path, "zone", rule("far.min", FAR + "; by: industry_gbt4754_2017", value=values))
    (tmp_path / "far.csv").write_text("code,far\n30,0.7\n", encoding="utf-8")
    before = load_rulebook(path).as_books()[0]
    (tmp_path / "far.csv").write_text("code,far\n30,0.8\n", encoding="utf-8")
    after = load_rulebook(path).as_books()[0]
    assert before.sha256 != after.sha256
    assert "30,0.7" in before.text
    assert before.checked_on == "2026-11-20"


def test_a_case_that_comes_out_otherwise_is_a_fault_in_its_line(tmp_path: Path) -> None:
    path = write_book(tmp_path, "zone", rule("far.min", FAR))
    (tmp_path / "zone.cases.yaml").write_text(
        '- name: 低\n  as_of: 2026-01-01\n  input: {far_min: [0.9, "1"]}\n  expect:\n    far.min: pass\n',
        encoding="utf-8",
    )
    (fault,) = lint_rulebook(path)
    assert "far.min came out fail, expected pass" in fault.en
    assert fault.at.endswith("zone.cases.yaml:5")


def test_a_case_with_a_bare_number_is_a_fault(tmp_path: Path) -> None:
    path = write_book(tmp_path, "zone", rule("far.min", FAR))
    (tmp_path / "zone.cases.yaml").write_text(
        "- name: 裸数\n  as_of: 2026-01-01\n  input: {far_min: 0.9}\n  expect: {far.min: pass}\n",
        encoding="utf-8",
    )
    (fault,) = lint_rulebook(path)
    assert "needs [number, unit]" in fault.en


# -- measuring against limits


def test_149_93_against_150_wan_yuan_per_mu_fails_by_0_07(tmp_path: Path) -> None:
    path = write_book(tmp_path, "zone", rule("invest_intensity.min", INVEST, since="2022-12-25", value="150"))
    found = evaluate_rules(parcels(invest_intensity_cny_per_m2=[2248.95]), load_rulebook(path), DAY).iloc[0]
    assert found["status"] == "fail"
    assert (found["measured"], found["required"], found["unit"]) == (149.93, 150.0, "万元/亩")
    assert round(found["margin"], 2) == -0.07
    assert found["since"] == pd.Timestamp("2022-12-25")
    assert found["reference"] == "示例文件"
    assert (found["basis"], found["force"], found["mark"]) == ("set", "mandatory", "示例")


def test_a_parcel_exactly_at_the_limit_passes_with_no_margin(tmp_path: Path) -> None:
    # 1.1 万元/亩 is 16.5 元/m2; 0.1 + 0.2 is a hair above 0.3.
    path = write_book(
        tmp_path,
        "zone",
        rule("a.min", INVEST, value="1.1"),
        rule("b.max", 'indicator: far_max; test: at_most; unit: "1"; force: mandatory', value="0.3"),
    )
    found = evaluate_rules(
        parcels(invest_intensity_cny_per_m2=[16.5], far_max=[0.1 + 0.2]), load_rulebook(path), DAY
    )
    assert found["status"].tolist() == ["pass", "pass"]
    assert found["margin"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("area", "status"), [(0.0, "pass"), (0.005, "pass"), (0.006, "fail"), (1.0, "fail")])
def test_an_overlap_below_half_the_certified_centimetre_is_no_overlap(
    area: float, status: str, tmp_path: Path
) -> None:
    lines = "indicator: farmland_overlap_m2; test: at_most; unit: m2; force: mandatory"
    path = write_book(tmp_path, "zone", rule("farmland.overlap", lines, value="0"))
    assert statuses(parcels(farmland_overlap_m2=[area]), path) == [status]


def test_the_slack_of_an_area_is_the_same_ground_in_any_unit(tmp_path: Path) -> None:
    lines = "indicator: farmland_overlap_m2; test: at_most; unit: 公顷; force: mandatory"
    path = write_book(tmp_path, "zone", rule("farmland.overlap", lines, value="0"))
    assert statuses(parcels(farmland_overlap_m2=[0.004, 1.0]), path) == ["pass", "fail"]


def test_between_has_two_ends_and_the_margin_to_the_nearer(tmp_path: Path) -> None:
    lines = 'indicator: building_density_min; test: between; unit: "%"; force: mandatory'
    path = write_book(tmp_path, "zone", rule("density.range", lines, value="[35, 65]"))
    found = evaluate_rules(
        parcels(building_density_min=[0.34, 0.35, 0.6, 0.65, 0.66]), load_rulebook(path), DAY
    )
    assert found["status"].tolist() == ["fail", "pass", "pass", "pass", "fail"]
    assert found["margin"].round(6).tolist() == [-1.0, 0.0, 5.0, 0.0, -1.0]
    assert found["required_max"].tolist() == [65.0] * 5


def test_states_are_compared_as_words(tmp_path: Path) -> None:
    path = write_book(
        tmp_path,
        "zone",
        rule(
            "clear.done", "indicator: event_clear_land_state; test: one_of; force: mandatory", value="[done]"
        ),
        rule(
            "sale.open",
            "indicator: event_sale_state; test: none_of; force: mandatory",
            value="[done, pending]",
        ),
    )
    frame = parcels(
        event_clear_land_state=["done", "pending", np.nan], event_sale_state=["none", "done", np.nan]
    )
    found = evaluate_rules(frame, load_rulebook(path), DAY)
    assert found["status"].tolist() == ["pass", "pass", "fail", "fail", "unknown", "unknown"]
    assert found["required_text"].tolist() == ["done", "done、pending"] * 3
    assert found["measured_text"].astype("str").fillna("-").tolist() == [
        "done",
        "none",
        "pending",
        "done",
        "-",
        "-",
    ]


def test_an_admitted_industry_admits_its_classes(tmp_path: Path) -> None:
    lines = "indicator: industry_gbt4754_2017; test: one_of; force: mandatory"
    path = write_book(tmp_path, "zone", rule("industry.admitted", lines, value="[C30, C3511]"))
    frame = parcels(industry_gbt4754_2017=["C3011", "30", "C3511", "C35", "C31"])
    assert statuses(frame, path) == ["pass", "pass", "pass", "fail", "fail"]


def test_the_longest_key_of_an_industry_table_wins(tmp_path: Path) -> None:
    values = "{C30: 1.0, C3011: 2.0, 其他: refer}"
    path = write_book(tmp_path, "zone", rule("far.min", FAR + "; by: industry_gbt4754_2017", value=values))
    frame = parcels(far_min=[1.5] * 4, industry_gbt4754_2017=["C3011", "C3012", "30", "C13"])
    found = evaluate_rules(frame, load_rulebook(path), DAY)
    assert found["status"].tolist() == ["fail", "pass", "pass", "refer"]
    assert found["required"].tolist()[:3] == [2.0, 1.0, 1.0]
    assert found["reason"].fillna("").tolist() == ["", "", "", "refer"]


def test_parcels_are_judged_alike_in_whatever_block_they_fall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = "{C30: 1.0, C3011: 2.0, 其他: refer}"
    write_book(tmp_path, "above", rule("far.min", FAR, value="1.2"), rule("invest.min", INVEST, value="150"))
    path = write_book(
        tmp_path,
        "zone",
        rule("far.min", FAR + "; by: industry_gbt4754_2017", value=values),
        rule("land_use.kind", "indicator: land_use; test: one_of; force: advisory", value="[一类工业用地]"),
        extends="above",
    )
    rows = range(11)
    frame = parcels(
        far_min=[(0.5, 1.1, 1.3, 2.5, np.inf)[n % 5] for n in rows],
        invest_intensity_cny_per_m2=[(2250.0, np.nan, 10.0)[n % 3] for n in rows],
        industry_gbt4754_2017=[("C3011", "C3012", np.nan, "C13")[n % 4] for n in rows],
        land_use=[("一类工业用地", " ", None, "商业用地")[n % 4] for n in rows],
    )
    book = load_rulebook(path)
    days = pd.Series(pd.to_datetime(["2026-11-20", "2019-01-01", None] * 4)[:11], index=frame.index)
    for as_of in (DAY, days):
        whole = evaluate_rules(frame, book, as_of)
        assert set(whole["status"]) >= {"pass", "fail", "unknown"}
        monkeypatch.setattr("landplan.rules.evaluate._BLOCK", 4)
        pd.testing.assert_frame_equal(evaluate_rules(frame, book, as_of), whole, check_exact=True)
        monkeypatch.undo()


def test_a_parcel_without_its_key_is_unknown_and_not_one_of_the_others(tmp_path: Path) -> None:
    values = "{C30: 1.0, 其他: 0.1}"
    path = write_book(tmp_path, "zone", rule("far.min", FAR + "; by: industry_gbt4754_2017", value=values))
    found = evaluate_rules(parcels(far_min=[5.0], industry_gbt4754_2017=[np.nan]), load_rulebook(path), DAY)
    assert found[["status", "reason"]].iloc[0].tolist() == ["unknown", "no_key"]


def test_a_key_without_a_row_is_unknown_where_there_is_no_row_for_others(tmp_path: Path) -> None:
    path = write_book(tmp_path, "zone", rule("far.min", FAR + "; by: zone_level", value="{国家级: 1.0}"))
    found = evaluate_rules(
        parcels(far_min=[5.0, 5.0], zone_level=["国家级", "省级"]), load_rulebook(path), DAY
    )
    assert found["status"].tolist() == ["pass", "unknown"]
    assert found["reason"].fillna("").tolist() == ["", "no_key"]


@pytest.mark.parametrize(
    ("value", "status"),
    [("refer", "refer"), ("expected", "unknown"), ("not_supplied", "unknown"), ("null", "exempt")],
)
def test_answers_that_are_no_figures_are_told_apart(value: str, status: str, tmp_path: Path) -> None:
    path = write_book(tmp_path, "zone", rule("far.min", FAR, value=value))
    found = evaluate_rules(parcels(far_min=[5.0]), load_rulebook(path), DAY).iloc[0]
    assert found["status"] == status
    assert found["reason"] == {"null": "repealed"}.get(value, value)


def test_a_column_nobody_supplied_is_unknown_for_every_parcel(tmp_path: Path) -> None:
    path = write_book(tmp_path, "zone", rule("far.min", FAR), rule("invest.min", INVEST))
    found = evaluate_rules(parcels(area_m2=[1.0, 2.0]), load_rulebook(path), DAY)
    assert found["status"].tolist() == ["unknown"] * 4
    assert found["reason"].tolist() == ["missing"] * 4


def test_a_promise_is_judged_by_what_was_promised_and_a_measurement_has_one_basis(tmp_path: Path) -> None:
    lines = "indicator: slope_mean_deg; test: at_most; unit: 度; force: advisory; basis: actual"
    path = write_book(
        tmp_path, "zone", rule("far.kept", FAR + "; basis: actual"), rule("slope.mean", lines, value="8")
    )
    frame = parcels(**{"far_min": [2.0], "actual.far_min": [0.5], "slope_mean_deg": [3.0]})
    found = evaluate_rules(frame, load_rulebook(path), DAY)
    assert found["status"].tolist() == ["fail", "pass"]
    assert found["basis"].fillna("").tolist() == ["actual", ""]


# -- days


@pytest.fixture
def raised(tmp_path: Path) -> Rulebook:
    text = rule("far.min", FAR).replace(
        "2020-01-01: 1.0", "2020-01-01: 1.0, 2024-01-01: 2.0, 2026-01-01: null"
    )
    text = text.replace(
        "{title: 示例文件}}", "{title: 旧}, 2024-01-01: {title: 新}, 2026-01-01: {title: 废止}}"
    )
    return load_rulebook(write_book(tmp_path, "zone", text))


def test_a_limit_holds_from_its_day_until_the_next(raised: Rulebook) -> None:
    frame = parcels(far_min=[1.5])
    days = ["2019-12-31", "2020-01-01", "2023-12-31", "2024-01-01", "2025-12-31", "2026-01-01"]
    found = pd.concat([evaluate_rules(frame, raised, date.fromisoformat(day)) for day in days])
    assert found["status"].tolist() == ["unknown", "pass", "pass", "fail", "fail", "exempt"]
    assert found["reference"].fillna("").tolist() == ["", "旧", "旧", "新", "新", "废止"]
    assert found["reason"].iloc[0] == "silent"
    assert found["since"].isna().tolist() == [True, False, False, False, False, False]


def test_each_parcel_is_judged_by_the_rule_of_its_own_day(raised: Rulebook) -> None:
    frame = parcels(far_min=[1.5] * 4)
    signed = pd.Series(pd.to_datetime(["2021-05-01", "2025-05-01", None]), index=["P-2", "P-1", "P-3"])
    found = evaluate_rules(frame, raised, signed)
    assert found["status"].tolist() == ["fail", "pass", "unknown", "unknown"]
    assert found["reason"].fillna("").tolist() == ["", "", "silent", "silent"]


def test_a_book_of_which_only_the_year_is_known_says_so(tmp_path: Path) -> None:
    text = rule("far.min", FAR).replace("{title: 示例文件}", "{title: 示例文件, since_precision: year}")
    rulebook = load_rulebook(write_book(tmp_path, "zone", text))
    assert show_rules(rulebook, DAY)["since"].tolist() == ["2020"]
    assert "只核对到 2020 年" in evaluate_rules(parcels(far_min=[1.0]), rulebook, DAY)["reference"].iloc[0]


# -- books above each other


def chain(tmp_path: Path, upper: str, lower: str) -> Rulebook:
    write_book(tmp_path, "nation", upper)
    return load_rulebook(write_book(tmp_path, "zone", lower, extends="nation"))


@pytest.mark.parametrize(("above", "below", "kept"), [("2.0", "1.0", "nation"), ("1.0", "2.0", "zone")])
def test_the_stricter_of_two_books_wins_whichever_it_is(
    above: str, below: str, kept: str, tmp_path: Path
) -> None:
    rulebook = chain(tmp_path, rule("far.min", FAR, value=above), rule("far.min", FAR, value=below))
    found = evaluate_rules(parcels(far_min=[0.5, 1.5, 2.5]), rulebook, DAY)
    assert found["status"].tolist() == ["fail", "fail", "pass"]
    assert found["rulebook"].tolist() == [kept] * 3
    assert found["required"].tolist() == [2.0] * 3


def test_the_stricter_is_found_across_units(tmp_path: Path) -> None:
    # 2400 万元/公顷 is 160 万元/亩.
    hectares = INVEST.replace("万元/亩", "万元/公顷")
    rulebook = chain(tmp_path, rule("i.min", hectares, value="2400"), rule("i.min", INVEST, value="150"))
    found = evaluate_rules(parcels(invest_intensity_cny_per_m2=[155 * 15.0, 170 * 15.0]), rulebook, DAY)
    assert found["status"].tolist() == ["fail", "pass"]
    assert found["required"].tolist() == [2400.0, 2400.0]


def test_a_ceiling_is_stricter_the_lower_it_is(tmp_path: Path) -> None:
    lines = 'indicator: green_ratio_max; test: at_most; unit: "%"; force: mandatory'
    rulebook = chain(tmp_path, rule("green.max", lines, value="20"), rule("green.max", lines, value="15"))
    assert evaluate_rules(parcels(green_ratio_max=[0.1]), rulebook, DAY)["required"].tolist() == [15.0]


def test_what_the_nation_did_not_supply_stays_unknown_though_the_zone_passes(tmp_path: Path) -> None:
    rulebook = chain(tmp_path, rule("far.min", FAR, value="not_supplied"), rule("far.min", FAR))
    found = evaluate_rules(parcels(far_min=[5.0, 0.5]), rulebook, DAY)
    assert found["status"].tolist() == ["unknown", "fail"]


def test_an_override_with_its_own_reference_takes_the_place_of_the_rules_above(tmp_path: Path) -> None:
    lower = rule("far.min", FAR + "; overrides: true", value="0.4")
    rulebook = chain(tmp_path, rule("far.min", FAR, value="2.0"), lower)
    assert statuses(parcels(far_min=[0.5]), rulebook) == ["pass"]


def test_an_advisory_rule_never_hides_a_mandatory_one(tmp_path: Path) -> None:
    lower = rule("far.min", FAR.replace("mandatory", "advisory"), value="9")
    rulebook = chain(tmp_path, rule("far.min", FAR, value="1.0"), lower)
    found = evaluate_rules(parcels(far_min=[2.0]), rulebook, DAY)
    assert found[["status", "force"]].iloc[0].tolist() == ["pass", "mandatory"]


def test_a_repeal_below_leaves_the_rule_above_standing(tmp_path: Path) -> None:
    rulebook = chain(tmp_path, rule("far.min", FAR, value="1.0"), rule("far.min", FAR, value="null"))
    assert statuses(parcels(far_min=[0.5]), rulebook) == ["fail"]


# -- the table that comes out


def test_findings_have_the_columns_and_types_of_the_dictionary(raised: Rulebook) -> None:
    declared = [column for column in dictionary().values() if "findings" in column.tables]
    for frame in (parcels(far_min=[1.5]), parcels(far_min=[1.5]).iloc[:0]):
        found = evaluate_rules(frame, raised, DAY)
        assert found.columns.tolist() == [column.name for column in declared]
        # Texts repeat from parcel to parcel, and each is held once.
        assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {
            c.name: "category" if c.dtype == "str" else c.dtype for c in declared
        }
        pd.testing.assert_frame_equal(coerce(found, "findings"), found)


def test_the_frame_that_is_judged_is_not_changed(raised: Rulebook) -> None:
    frame = parcels(far_min=[1.5, np.nan])
    before = frame.copy()
    evaluate_rules(frame, raised, DAY)
    pd.testing.assert_frame_equal(frame, before)


# -- the laws

numbers = st.one_of(st.none(), st.integers(0, 40_000).map(lambda cents: cents / 100))
industries = st.sampled_from(["C30", "C3011", "30", "C14", "C99", None])
rows = st.lists(st.tuples(numbers, industries), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Rulebook:
    folder = tmp_path_factory.mktemp("books")
    by = "; by: industry_gbt4754_2017"
    write_book(folder, "nation", rule("i.min", INVEST.replace("万元/亩", "万元/公顷"), value="1500"))
    path = write_book(
        folder, "zone", rule("i.min", INVEST + by, value="{C30: 150, C14: 80, 其他: refer}"), extends="nation"
    )
    return load_rulebook(path)


def frame_of(values: list[tuple[float | None, str | None]], start: int = 0) -> pd.DataFrame:
    money = [np.nan if number is None else convert(number, "万元/亩", "元/m2") for number, _ in values]
    frame = parcels(invest_intensity_cny_per_m2=money, industry_gbt4754_2017=[code for _, code in values])
    frame.index = pd.Index([f"P-{start + n}" for n in range(len(values))], name="parcel_id")
    return frame.astype({"industry_gbt4754_2017": "str", "invest_intensity_cny_per_m2": "float64"})


@given(rows)
def test_law_unknown_is_not_a_pass(zone: Rulebook, values: list[tuple[float | None, str | None]]) -> None:
    found = evaluate_rules(frame_of(values), zone, DAY)
    is_missing = np.array([number is None or code is None for number, code in values])
    assert not (found["status"] == "pass").to_numpy()[is_missing].any()
    assert (found["margin"].isna() | found["measured"].notna()).all()


@given(rows, rows)
def test_law_of_locality(
    zone: Rulebook,
    first: list[tuple[float | None, str | None]],
    second: list[tuple[float | None, str | None]],
) -> None:
    a, b = frame_of(first), frame_of(second, start=len(first))
    together = evaluate_rules(pd.concat([a, b]), zone, DAY)
    apart = join_rows([evaluate_rules(a, zone, DAY), evaluate_rules(b, zone, DAY)])
    # Which words a category knows besides those it holds is no matter.
    pd.testing.assert_frame_equal(together, apart, check_categorical=False)


@given(st.integers(0, 40_000), st.integers(0, 10_000), industries)
def test_law_monotone_a_better_value_never_turns_a_pass_into_a_fail(
    zone: Rulebook, cents: int, more: int, code: str | None
) -> None:
    order = ["fail", "unknown", "refer", "pass"]
    worse, better = statuses(frame_of([(cents / 100, code), ((cents + more) / 100, code)]), zone)
    assert order.index(better) >= order.index(worse)


@given(st.dates(max_value=date(2019, 12, 31)), rows)
def test_law_before_the_first_day_the_rulebook_is_silent(
    zone: Rulebook, day: date, values: list[tuple[float | None, str | None]]
) -> None:
    found = evaluate_rules(frame_of(values), zone, day)
    assert (found["status"] == "unknown").all()
    assert (found["reason"] == "silent").all()


@pytest.fixture(scope="module")
def same_limit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rulebook]:
    folder = tmp_path_factory.mktemp("units")
    limits = {"万元/亩": "150", "万元/公顷": "2250", "元/m2": "2250", "亿元/平方公里": "22.5"}
    return {
        unit: load_rulebook(
            write_book(folder, f"book{n}", rule("i.min", INVEST.replace("万元/亩", unit), value=value))
        )
        for n, (unit, value) in enumerate(limits.items())
    }


@settings(max_examples=60)
@given(st.lists(st.integers(14_900, 15_100), min_size=1, max_size=20))
def test_law_the_unit_of_a_rule_does_not_change_the_judgement(
    same_limit: dict[str, Rulebook], cents: list[int]
) -> None:
    frame = frame_of([(each / 100, None) for each in cents])
    expected = ["pass" if each >= 15_000 else "fail" for each in cents]
    for rulebook in same_limit.values():
        assert statuses(frame, rulebook) == expected


# -- industries


def test_a_code_of_a_named_edition_is_carried_over_only_where_one_row_answers_it() -> None:
    frame = parcels(
        industry_code=["C3011", "C31", "C37", "29", "C42", "C24"],
        industry_edition=["2017", "2002", "2002", "2002", "2002", "2017"],
    )
    found, issues = resolve_industry(frame)
    # 3011 of 2017 is division 31 of 2002; vehicles were split, rubber merged, crafts moved.
    assert found["industry_gbt4754_2017"].fillna("").tolist() == ["C3011", "C30", "", "", "", "C24"]
    assert found["industry_gbt4754_2002"].fillna("").tolist() == ["C31", "C31", "C37", "29", "C42", ""]
    assert [(issue.code, issue.value) for issue in issues] == [
        ("ATTR.INDUSTRY_CROSSWALK", code) for code in ("C37", "29", "C42")
    ]


def test_a_code_without_an_edition_from_29_on_is_a_question_and_not_a_guess() -> None:
    frame = parcels(industry_code=["C13", "28", "C29", "C3011", "43", "C2440", "化工", None])
    found, issues = resolve_industry(frame)
    assert found["industry_gbt4754_2017"].fillna("").tolist() == ["C13", "28", "", "", "", "C24", "", ""]
    assert found["industry_gbt4754_2002"].fillna("").tolist() == ["C13", "28", "", "", "", "", "", ""]
    assert [(issue.code, issue.parcel_id, issue.value) for issue in issues] == [
        ("ATTR.INDUSTRY_EDITION", "P-3", "C29"),
        ("ATTR.INDUSTRY_EDITION", "P-4", "C3011"),
        ("ATTR.INDUSTRY_EDITION", "P-5", "43"),
        ("ATTR.CATEGORY", "P-7", "化工"),
    ]


def test_a_column_that_names_its_edition_is_kept_as_it_is() -> None:
    found, issues = resolve_industry(parcels(industry_code=["C30"], industry_gbt4754_2017=["C3021"]))
    assert found.iloc[0].tolist() == ["C3021", "C31"]
    assert issues == []
