"""The rulebooks that come with landplan say what was verified, and say so where nothing was."""

from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import landplan.rules
from landplan.rules import evaluate_rules, lint_rulebook, load_rulebook, show_rules
from landplan.schema import column

FOLDER = Path(landplan.rules.__file__).parent.parent / "rulebooks"
NAMES = sorted(
    ".".join(path.relative_to(FOLDER).with_suffix("").parts)
    for path in FOLDER.rglob("*.yaml")
    if not path.name.endswith(".cases.yaml")
)
DAY = date(2026, 11, 20)


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / "cn" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def limits(name: str, rule_id: str) -> pd.DataFrame:
    shown = show_rules(load_rulebook(name), DAY)
    return shown[shown["rule_id"] == rule_id]


def test_the_four_books_of_the_first_release_are_there() -> None:
    assert NAMES == ["cn.national-2008", "cn.national-2023", "cn.shanxi", "example.kaifaqu"]


@pytest.mark.parametrize("name", NAMES)
def test_every_book_shipped_is_sound_and_its_cases_come_out(name: str) -> None:
    assert lint_rulebook(name) == []
    assert (FOLDER.joinpath(*name.split(".")).with_suffix(".cases.yaml")).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_no_figure_shipped_was_only_remembered(name: str) -> None:
    for book in load_rulebook(name).books:
        assert {rule.mark for rule in book.rules.values()} <= {"V1", "V2", "示例"}


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_shipped_cites_a_title_and_was_checked_on_a_day(name: str) -> None:
    for book in load_rulebook(name).books:
        for rule in book.rules.values():
            assert rule.checked_on <= DAY
            assert all(limit.reference for limit in rule.limits)


def test_the_far_table_of_2008_holds_the_values_of_its_three_copies() -> None:
    # Codes 13 to 33 as printed in three copies of the table.
    printed = [
        1.0,
        1.0,
        1.0,
        1.0,
        0.8,
        1.0,
        1.0,
        0.8,
        0.8,
        0.8,
        0.8,
        1.0,
        0.5,
        0.6,
        0.7,
        0.8,
        0.8,
        1.0,
        0.7,
        0.6,
        0.6,
    ]
    codes = [str(code) for code in range(13, 34)]
    frame = pd.DataFrame({"industry_gbt4754_2002": codes, "far_min": 9.0}, index=codes)
    found = evaluate_rules(frame, load_rulebook("cn.national-2008"), date(2020, 1, 1))
    assert found.loc[found["rule_id"] == "far.min", "required"].tolist() == printed


def test_the_far_rows_whose_code_was_not_read_answer_that_no_table_is_supplied() -> None:
    codes = ["34", "35", "36", "37", "39", "40", "41", "42", "43"]
    frame = pd.DataFrame({"industry_gbt4754_2002": codes, "far_min": 9.0}, index=codes)
    found = evaluate_rules(frame, load_rulebook("cn.national-2008"), date(2020, 1, 1))
    found = found[found["rule_id"] == "far.min"]
    assert found["status"].tolist() == ["unknown"] * 9
    assert found["reason"].tolist() == ["not_supplied"] * 9
    assert found["required"].isna().all()


def test_the_book_of_2008_says_in_every_reference_that_it_is_superseded() -> None:
    shown = show_rules(load_rulebook("cn.national-2008"), DAY)
    assert len(shown) == 3
    assert shown["reference"].str.contains("已被 cn.national-2023 取代", regex=False).all()


def test_the_book_of_2023_answers_no_table_supplied_for_the_floor_area_ratio() -> None:
    assert limits("cn.national-2023", "far.min")["limit"].tolist() == ["未提供（no table supplied）"]
    assert limits("cn.national-2023", "building_coefficient.min")["limit"].tolist() == [
        "未提供（no table supplied）"
    ]


def test_the_office_shares_of_2023_are_7_and_15_percent_and_its_year_is_all_that_is_known() -> None:
    for rule_id, limit in {"office_land.max": "≤ 7", "office_floor.max": "≤ 15"}.items():
        (shown,) = limits("cn.national-2023", rule_id).to_dict("records")
        assert (shown["limit"], shown["unit"], shown["force"], shown["since"]) == (
            limit,
            "%",
            "规范性",
            "2023",
        )


def test_shanxi_asks_4500_and_3000_wan_yuan_per_hectare() -> None:
    frame = pd.DataFrame(
        {"zone_level": ["国家级", "省级", "县级"], "invest_intensity_cny_per_m2": [4500.0, 3000.0, 9000.0]}
    )
    found = evaluate_rules(frame, load_rulebook("cn.shanxi"), DAY)
    found = found[found["rule_id"] == "invest_intensity.min"]
    assert found["status"].tolist() == ["pass", "pass", "unknown"]
    assert found["margin"].tolist()[:2] == [0.0, 0.0]


def test_the_rule_shown_before_its_first_day_says_that_the_book_is_silent() -> None:
    shown = show_rules(load_rulebook("cn.shanxi"), date(2017, 6, 1))
    assert shown["limit"].str.startswith("当日尚无规定").all()


def test_the_example_says_in_every_reference_of_its_own_that_it_is_no_law() -> None:
    shown = show_rules(load_rulebook("example.kaifaqu"), DAY)
    own = shown[shown["rulebook"] == "example.kaifaqu"]
    assert own["reference"].str.contains("示例数据，不是法律依据", regex=False).all()
    assert (own["mark"] == "示例").all()
    assert len(own) == 25


def test_the_crosswalk_lets_no_code_pass_whole_into_two_or_meet_another() -> None:
    table = rows("gbt4754-2002-2017.csv")
    assert {row["relation"] for row in table} == {"same", "shift", "merged", "split", "moved"}
    whole = [row for row in table if row["relation"] in ("same", "shift")]
    assert len({row["code_2002"] for row in whole}) == len({row["code_2017"] for row in whole}) == len(whole)
    assert all((row["code_2002"] == row["code_2017"]) == (row["relation"] == "same") for row in whole)
    split = [row["code_2002"] for row in table if row["relation"] in ("split", "moved")]
    assert set(split).isdisjoint(row["code_2002"] for row in whole)


def test_the_crosswalk_has_a_row_for_each_industry_of_the_far_table_and_marks_what_was_read() -> None:
    table = rows("gbt4754-2002-2017.csv")
    assert {row["code_2002"] for row in table} == {row["code_2002"] for row in rows("national-2008-far.csv")}
    # These codes of 2017 were confirmed by an announcement; the rest is by name only.
    read = {row["code_2017"] for row in table if row["mark"] == "V2"}
    assert read == {"17", "29", "33", "34", "35", "37", "38"}


def test_words_of_a_rulebook_are_the_words_of_the_dictionary() -> None:
    shown = show_rules(load_rulebook("example.kaifaqu"), DAY).set_index("rule_id")
    assert shown.at["sale.open", "limit"] == "完成、办理中"
    assert shown.at["slope.mean", "force"] == column("force").word("advisory") == "推荐性"
    assert shown.at["farmland.overlap", "label"] == "永久基本农田压占"


def test_what_a_rulebook_shows_can_be_printed_on_a_gbk_console() -> None:
    for name in NAMES:
        text = show_rules(load_rulebook(name), DAY).to_string()
        assert re.sub(r"\s", "", text).encode("cp936")
