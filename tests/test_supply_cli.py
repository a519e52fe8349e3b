"""A year on the command line: January lists, a batch approved in May, a sale in September, the December balance."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import openpyxl
import pytest
from projects import edit, run, write_project

EVENTS = (
    "地块编号,事项,日期,状态,文号\n"
    + "".join(f"P-{n},净地,2024-06-01,完成,\n" for n in (1, 2, 3))
    + "P-2,农转用批复,2024-06-01,完成,晋政土〔2024〕1号\nP-3,农转用批复,2024-06-01,完成,晋政土〔2024〕1号\n"
    "P-2,收储,2025-03-01,完成,收储〔2025〕1号\nP-3,出让,2026-09-30,完成,出让〔2026〕9号\n"
)
BATCHES = "批次号,批次名称,批次类型,地块编号\n2026-1,第一批次,城镇批次,P-1\n"
STEPS = "批次号,事项,日期,状态,文号,办理天数\n2026-1,社保,2026-03-02,完成,,\n2026-1,农转用批复,2026-05-20,完成,晋政土〔2026〕5号,\n"
SCOPE = "开发区类型,土地用途,生效日期,须以标准地供应\n,,2020-04-01,是\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project = write_project(tmp_path / "项目")
    edit(
        project / "landplan.toml",
        ('sale = "出让" }', 'sale = "出让", reserve = "收储", start = "开工", withdrawal = "收回", social_security = "社保", risk_assessment = "社会风险评估" }'),
        ('complete = ["sale"]', 'complete = ["sale", "approval", "reserve", "start", "withdrawal"]'),
        ("[rules]\n", '[registers]\nbatches = { path = "批次.csv" }\nbatch_events = { path = "进度.csv" }\nscope = { path = "规定.csv" }\n'
         '[supply]\nbatch_requires = ["social_security", "risk_assessment"]\nadmission = ["approval", "clear"]\n[rules]\n'),
    )  # fmt: skip
    for name, text in (("事项", EVENTS), ("批次", BATCHES), ("进度", STEPS), ("规定", SCOPE)):
        (project / f"{name}.csv").write_text(text, encoding="utf-8")
    return project


def data(capsys, *words):
    said = run(capsys, *words, "--format", "json")
    assert said.code == 0, said.all
    return json.loads(said.out)


def test_a_year_from_the_january_lists_to_the_december_balance(folder, capsys):
    january = run(capsys, "freeze", 2026, "-p", folder, "--as-of", "2026-01-05")
    assert january.code == 0, january.all
    assert [line.split("　")[:2] for line in january.out.splitlines()[:4]] == [
        ["2026-stock-01", "0 宗"], ["2026-incremental-01", "1 宗"], ["2026-reserve-01", "1 宗"], ["2026-books-01", "3 宗"],
    ]  # fmt: skip
    # May: the batch is approved, and its parcel is stock by itself.
    assert [row["parcel_id"] for row in data(capsys, "list", "stock", "-p", folder, "--as-of", "2026-05-20")["rows"]] == ["P-1"]  # fmt: skip
    assert run(capsys, "freeze", 2027, "-p", folder, "--as-of", "2027-01-05").code == 0
    for kind, change in (("stock", "in"), ("incremental", "out")):
        (row,) = data(capsys, "diff", 2026, 2027, "-p", folder, "--kind", kind)["rows"]
        assert (row["parcel_id"], row["change"], row["why_zh"]) == ("P-1", change, "2026-05-20 农转用批复 完成 晋政土〔2026〕5号")  # fmt: skip
    told = data(capsys, "balance", "2026-01-06", "2027-01-05", "-p", folder, "--opening", "2026")
    assert told["breaks"] == []
    assert [(m["parcel_id"], m["cause"], m["from_kind"], m["to_kind"]) for m in told["moves"]] == [
        ("P-1", "approval", "incremental", "approved_unsold"),
        ("P-3", "sale", "approved_unsold", "sold_unused"),
    ]
    for row in told["rows"]:
        for what in ("parcels", "hundredths"):
            assert row[f"opening_{what}"] + row[f"in_{what}"] - row[f"out_{what}"] == row[f"closing_{what}"]
    assert told["rows"][-1]["closing_hundredths"] == 3 * 1500


def test_a_list_frozen_once_is_not_frozen_again_without_a_reason(folder, capsys):
    words = ("freeze", 2026, "-p", folder, "--as-of", "2026-06-01")
    first = run(capsys, *words)
    again = run(capsys, *words)
    assert (first.code, again.code) == (0, 0)
    assert again.out.count("早已冻结，内容相同") == 4
    assert [line.split("sha256 ")[1][:64] for line in first.out.splitlines()[:4]] == [
        line.split("sha256 ")[1][:64] for line in again.out.splitlines()[:4]
    ]
    edit(folder / "事项.csv", ("P-2,农转用批复,2024-06-01,完成,晋政土〔2024〕1号\n", ""))
    refused = run(capsys, *words)
    assert refused.code == 2
    assert "--again" in refused.err
    assert "2026-books-01" in refused.err
    assert run(capsys, *words, "--again", "批文撤回").code == 0
    numbers = {row["list_number"] for row in data(capsys, "diff", "2026-books-01", "2026-books-02", "-p", folder)["rows"] if "list_number" in row}  # fmt: skip
    assert not numbers
    changed = data(capsys, "diff", "2026-books-01", "2026-books-02", "-p", folder)["rows"]
    assert {row["parcel_id"] for row in changed} == {"P-2"}


def test_the_balance_opens_with_books_closed_on_its_eve_only(folder, capsys):
    run(capsys, "freeze", 2026, "-p", folder, "--as-of", "2026-01-05")
    said = run(capsys, "balance", "2026-02-01", "2026-03-01", "-p", folder, "--opening", "2026")
    assert said.code == 2
    assert "2026-01-06" in said.err
    said = run(capsys, "balance", "2026-02-01", "2026-03-01", "-p", folder, "--opening", "2019")
    assert said.code == 2
    assert "2019 年没有冻结过清单" in said.err


@pytest.mark.parametrize("kind", ["stock", "incremental", "reserve", "batches"])
@pytest.mark.parametrize("suffix", ["csv", "json", "xlsx"])
def test_every_list_leaves_in_every_form_with_what_it_rests_on(folder, capsys, tmp_path, kind, suffix):
    file = tmp_path / f"清单.{suffix}"
    said = run(capsys, "list", kind, "-p", folder, "--as-of", "2026-04-01", "-o", file)
    assert (said.code, said.out.splitlines()[-1]) == (0, f"已写 {file}"), said.all
    if suffix == "csv":
        rows = list(csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="")))
        assert len({len(row) for row in rows}) == 1
        text = " ".join(rows[-1])
    elif suffix == "json":
        told = json.loads(file.read_text(encoding="utf-8"))
        assert (told["list"], told["as_of"]) == (kind, "2026-04-01")
        text = told["origin"]
    else:
        book = openpyxl.load_workbook(file)
        sheet = book[book.sheetnames[0]]
        text = " ".join(
            str(cell) for row in sheet.iter_rows(max_row=6, values_only=True) for cell in row if cell
        )
    assert "来源：三宗地，评定日 2026-04-01" in text


def test_the_board_of_batches_names_what_is_missing(folder, capsys):
    (row,) = data(capsys, "list", "batches", "-p", folder, "--as-of", "2026-04-01")["rows"]
    assert (row["can_submit"], row["missing_items"], row["step"]) == (
        "unknown",
        "社会风险评估（没有记录）",
        "社保",
    )
    (row,) = data(capsys, "list", "batches", "-p", folder, "--as-of", "2026-06-01")["rows"]
    assert (row["can_submit"], row["approval_no"]) == ("done", "晋政土〔2026〕5号")
    assert "第一批次" in run(capsys, "list", "batches", "-p", folder, "--as-of", "2026-04-01").out


def test_lists_are_cut_by_zone_and_by_party(folder, capsys):
    edit(folder / "事项.csv", ("地块编号,事项,日期,状态,文号\n", "地块编号,事项,日期,状态,文号,办理单位\n"), ("P-2,收储,2025-03-01,完成,收储〔2025〕1号", "P-2,收储,2025-03-01,完成,收储〔2025〕1号,示例收储中心"))  # fmt: skip
    words = ("list", "reserve", "-p", folder, "--as-of", "2026-04-01")
    assert len(data(capsys, *words, "--zone", "示例园")["rows"]) == 1
    assert len(data(capsys, *words, "--party", "收储中心")["rows"]) == 1
    assert data(capsys, *words, "--party", "消防")["rows"] == []
    said = run(capsys, *words, "--zone", "别处")
    assert said.code == 2
    assert "示例园" in said.err


def test_investors_are_told_of_public_columns_only(folder, capsys):
    told = data(capsys, "list", "stock", "-p", folder, "--as-of", "2026-06-01", "--public")
    assert [row["parcel_id"] for row in told["rows"]] == ["P-1"]
    assert "supply_reason_zh" not in told["rows"][0]
    assert "balance" not in told
    admitted = data(capsys, "list", "reserve", "-p", folder, "--as-of", "2026-06-01", "--since", "2025-01-01")
    assert admitted["list"] == "admissions"
    assert admitted["rows"] == []  # P-2 lies on farmland: it is in reserve, and not fit as 标准地


def test_plan_share_and_zones_answer(folder, capsys):
    edit(folder / "台账.csv", ("地块编号,", "地块编号,计划供应日期,供应方式,是否标准地,"), ("P-1,", "P-1,2026-08-01,弹性年期,,"), ("P-2,", "P-2,,,,"), ("P-3,", "P-3,2026-09-30,出让,是,"))  # fmt: skip
    plan = data(capsys, "plan", 2026, "-p", folder, "--as-of", "2026-06-01")
    assert plan["total"] == {"parcels": 2, "hectares": 2.0}
    assert {(row["quarter"], row["supply_mode"], row["hectares"]) for row in plan["rows"]} == {(3, "flexible", 1.0), (3, "grant", 1.0)}  # fmt: skip
    share = data(capsys, "share", "2026-01-01", "2026-10-31", "-p", folder)
    assert [(row["measure"], row["required"], row["share_least"]) for row in share["rows"]] == [("parcels", 1, 1.0), ("hundredths", 1500, 1.0)]  # fmt: skip
    zones = data(
        capsys, "zones", "-p", folder, "--as-of", "2026-06-01", "--compare", "2018-01-01", "2026-06-01"
    )
    assert {row["change"] for row in zones["rows"]} == {"gained"}
    assert "示例园" in run(capsys, "zones", "-p", folder, "--as-of", "2026-06-01").out


def test_a_register_that_is_not_there_is_asked_for(folder, capsys):
    said = run(capsys, "list", "capacity", "-p", folder, "--as-of", "2026-06-01")
    assert said.code == 2
    assert "capacities" in said.err
    assert run(capsys, "list", "buildings", "-p", folder, "--as-of", "2026-06-01", "--party", "x").code == 2


def test_two_days_are_compared_without_anything_frozen(folder, capsys):
    told = run(capsys, "diff", "2026-01-05", "2026-10-01", "-p", folder)
    assert told.code == 0
    assert "2026-05-20 农转用批复 完成 晋政土〔2026〕5号" in told.out
    assert run(capsys, "diff", "2026", "2027", "-p", folder).code == 2
