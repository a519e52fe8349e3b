from __future__ import annotations

import json
from datetime import date

import pandas as pd
import pytest
from projects import BOOK, edit, run, write_project

from landplan.errors import UsageError
from landplan.pipeline import assess
from landplan.readiness import compare_verdicts, read_changes, rejudge
from landplan.rules import load_rulebook

AS_OF = date(2026, 11, 20)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("project") / "三宗地")


@pytest.fixture(scope="module")
def judged(project):
    return assess(project, as_of=AS_OF)


@pytest.fixture(scope="module")
def book(project):
    return load_rulebook("small", folders=[project / "规则"])


def with_limit(folder, limit, name="small"):
    """The same rulebook with another floor of 投资强度, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(
        BOOK.replace("2020-01-01: 150", f"2020-01-01: {limit}").replace(
            "rulebook: small", f"rulebook: {name}"
        ),
        encoding="utf-8",
    )
    return load_rulebook(name, folders=[folder])


def changed(before, after):
    table = compare_verdicts(before, after)
    return {
        row["parcel_id"]: (
            row["verdict_before"],
            row["verdict_after"],
            row["rules_opened"],
            row["rules_closed"],
        )
        for row in table.to_dict("records")
    }


def test_judging_again_by_the_same_book_changes_nothing(judged, book):
    again = rejudge(judged, book)
    assert compare_verdicts(judged, again).empty
    pd.testing.assert_frame_equal(again.findings, judged.findings)
    pd.testing.assert_series_equal(again.parcels["verdict"], judged.parcels["verdict"])


def test_a_stricter_limit_turns_exactly_those_it_reaches(judged, tmp_path):
    assert judged.parcels["verdict"].tolist() == ["ready", "not_ready", "not_ready"]
    # P-1 and P-2 have 200 万元/亩, P-3 has 100; P-2 lies on farmland whatever the limit is.
    assert changed(judged, rejudge(judged, with_limit(tmp_path / "a", 201))) == {
        "P-1": ("ready", "not_ready", "invest_intensity.min", "")
    }
    assert changed(judged, rejudge(judged, with_limit(tmp_path / "b", 100))) == {
        "P-3": ("not_ready", "ready", "", "invest_intensity.min")
    }
    assert changed(judged, rejudge(judged, with_limit(tmp_path / "c", 150))) == {}


def test_a_value_that_is_tried_changes_its_parcel_alone_and_the_record_not_at_all(judged, book):
    tried = read_changes(["P-3:固定资产投资强度=160 万元/亩"], judged)
    assert [(c.parcel_id, c.name, c.value) for c in tried] == [("P-3", "invest_intensity_cny_per_m2", 2400.0)]
    after = rejudge(judged, book, tried)
    assert changed(judged, after) == {"P-3": ("not_ready", "ready", "", "invest_intensity.min")}
    assert judged.parcels.at["P-3", "invest_intensity_cny_per_m2"] == 1500.0


def test_what_if_an_event_were_undone_everywhere(judged, book):
    after = rejudge(judged, book, read_changes(["*:净地=办理中"], judged))
    assert changed(judged, after) == {"P-1": ("ready", "not_ready", "clear_land.done", "")}


def test_names_units_and_words_that_are_not_known_are_all_told_at_once(judged):
    with pytest.raises(UsageError) as raised:
        read_changes(
            [
                "P-9:固定资产投资强度=1 万元/亩",
                "P-1:没有的指标=3",
                "P-1:固定资产投资强度=3",
                "P-1:净地=大概",
                "P-1",
                "P-1:结论=ready",
            ],
            judged,
        )
    text = str(raised.value)
    assert len(raised.value.faults) == 6
    for word in ("P-9", "没有的指标", "须写明单位", "大概", "地块编号:指标=数值 单位", "结论"):
        assert word in text


def test_a_parcel_that_only_one_of_two_knows_is_a_change(judged, book):
    fewer = rejudge(judged, book)
    object.__setattr__(fewer, "parcels", fewer.parcels.drop("P-1"))
    table = compare_verdicts(judged, fewer)
    assert table["parcel_id"].tolist() == ["P-1"] and table["verdict_after"].isna().all()


def test_rules_diff_tells_which_parcels_change_and_why(project, tmp_path, capsys):
    with_limit(tmp_path / "规则", 201)
    book = tmp_path / "规则" / "small.yaml"
    said = run(capsys, "rules", "diff", book, "-p", project, "--as-of", "2026-11-20")
    assert said.code == 0
    assert "3 宗中 1 宗结论改变" in said.out
    row = next(line for line in said.out.splitlines() if line.startswith("P-1"))
    assert (
        "具备出让条件" in row
        and "暂不具备" in row
        and "invest_intensity.min" in row
        and "要求不低于 201 万元/亩" in row
    )
    both = run(
        capsys, "rules", "diff", "small", book, "-p", project, "--as-of", "2026-11-20", "--format", "json",
        "--set", "P-1:固定资产投资强度=300万元/亩",
    )  # fmt: skip
    told = json.loads(both.out)
    assert told["parcels"] == 3 and told["changes"] == [] and told["set"][0]["value"] == 4500.0


def test_rules_diff_without_a_book_and_without_a_value_is_wrong_use(project, capsys):
    assert run(capsys, "rules", "diff", "-p", project).code == 2
    assert run(capsys, "rules", "diff", "-p", project, "--set", "P-1:x=1").code == 2


CHECKLIST = """\
checklist: small
title: 小清单（示例）
items:
  clear_land: {title: 净地认定, group: clear_land, days: 5, cost: [1, 万元], party: 甲局}
  limits: {title: 控制指标核定, group: indicators, rules: [invest_intensity.min], days: 10, cost: [0, 万元], party: 乙局}
"""


@pytest.fixture
def listed(tmp_path):
    folder = write_project(tmp_path / "三宗地")
    (folder / "清单.yaml").write_text(CHECKLIST, encoding="utf-8")
    edit(folder / "landplan.toml", ("[rules]", '[checklist]\npath = "清单.yaml"\n[rules]'))
    return folder


def test_gaps_tells_what_a_parcel_lacks_whose_move_it_is_and_the_first_day(listed, capsys):
    said = run(capsys, "gaps", "P-3", "-p", listed, "--as-of", "2026-11-20", "--due", "2026-12-01")
    assert said.code == 0
    row = next(line for line in said.out.splitlines() if "控制指标核定" in line)
    assert row.startswith("★") and "乙局" in row and "2026-12-04" in row
    assert "最早具备条件日：2026-12-04，10 个工作日，费用 0.00 万元" in said.out
    assert "赶不上，晚 3 个工作日" in said.out
    farm = run(capsys, "gaps", "P-2", "-p", listed, "--as-of", "2026-11-20", "--due", "2026-12-01").out
    assert "无法确定" in farm and "永久基本农田压占面积" in farm


def test_gaps_of_all_parcels_in_every_form(listed, capsys, tmp_path):
    words = ("gaps", "-p", listed, "--as-of", "2026-11-20", "--due", "2026-12-01")
    text = run(capsys, *words).out
    assert "2026-12-01 前可具备 1 宗，赶不上 1 宗，无法确定 1 宗" in text
    told = json.loads(run(capsys, *words, "--format", "json").out)
    assert [row["parcel_id"] for row in told["parcels"]] == ["P-1", "P-3", "P-2"]
    assert {(row["parcel_id"], row["item"]) for row in told["tasks"]} == {
        ("P-2", "farmland.overlap"),
        ("P-3", "limits"),
    }
    lines = run(capsys, *words, "--format", "csv").out.splitlines()
    assert lines[0].startswith("地块编号,关键,事项名称") and len(lines) == 3
    book = tmp_path / "用地清单.xlsx"
    assert run(capsys, *words, "-o", book).code == 0
    sheets = pd.read_excel(book, sheet_name=None, header=None, engine="calamine")
    assert list(sheets) == ["汇总", "用地清单"]
    cells = {str(cell) for cell in sheets["用地清单"].to_numpy().ravel()}
    assert {"★", "控制指标核定", "乙局", "P-3"} <= cells
    assert run(capsys, *words, "-o", tmp_path / "x.pdf").code == 2


def test_gaps_of_a_parcel_that_is_not_there_names_its_like(listed, capsys):
    said = run(capsys, "gaps", "P-33", "-p", listed, "--as-of", "2026-11-20")
    assert said.code == 2 and "P-3" in said.err


def test_workdays_counts_suspensions_and_says_when_it_is_late(capsys):
    said = run(
        capsys, "workdays", "2026-09-10", "30", "--as-of", "2026-11-05", "--stop", "2026-10-12:2026-10-16"
    )
    assert "截止日 2026-11-04" in said.out and "已逾期" in said.out and "超期 1 个工作日" in said.out
    assert run(capsys, "workdays", "2026-09-10", "30", "--stop", "昨天").code == 2


def test_the_planning_conditions_are_one_page_of_public_facts(listed, capsys, tmp_path):
    page, book = tmp_path / "告知.html", tmp_path / "告知.xlsx"
    for file in (page, book):
        said = run(capsys, "conditions", "P-3", "-p", listed, "--as-of", "2026-11-20", "-o", file)
        assert said.code == 0 and str(file) in said.out
    html = page.read_text(encoding="utf-8")
    for word in (
        "规划条件告知单",
        "P-3",
        "不低于 100 万元/亩",
        "不低于 150 万元/亩",
        "2020-01-01",
        "示例办法，第一条",
        "10,000.00",
        "实测面积",
    ):
        assert word in html
    # It goes out of the house: nothing internal, nothing that could run or be fetched.
    for word in ("压占", "椭球", "<script", "http://", "https://", "src="):
        assert word not in html
    assert "default-src 'none'" in html
    cells = pd.read_excel(book, header=None, engine="calamine").to_numpy().ravel()
    assert {"规划条件告知单", "不低于 150 万元/亩"} <= {str(cell) for cell in cells}
    assert (
        run(
            capsys, "conditions", "P-3", "-p", listed, "-o", tmp_path / "x.docx", "--as-of", "2026-11-20"
        ).code
        == 2
    )


def test_a_name_that_would_be_markup_stays_text_on_the_sheet(listed, capsys, tmp_path):
    from dataclasses import replace

    from landplan.reports.conditions import write_conditions

    told = assess(listed, as_of=AS_OF)
    told = replace(told, parcels=told.parcels.assign(parcel_name="<img src=x onerror=alert(1)>"))
    html = write_conditions(told, "P-3", tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<img" not in html and "&lt;img" in html
