"""The commands that record, hold and look: what they write, what they refuse, and what they say about it."""

from __future__ import annotations

import json
from datetime import date

import pytest

from landplan.cli import main
from landplan.ledger import open_ledger, recorded_events, recorded_holds

TOML = """\
[project]
name = "三宗地"
[parcels]
paths = ["地块.gpkg"]
[events]
path = "事项.csv"
items = { clear_land = "净地", approval = "农转用批复" }
[rules]
book = "small"
folder = "规则"
"""
BOOK = """\
rulebook: small
title: 一条规则
checked_on: 2026-11-20
mark: 示例
rules:
  clear_land.done:
    indicator: event_clear_land_state
    test: one_of
    force: mandatory
    values:
      2020-01-01: [done]
    reference:
      2020-01-01: {title: 示例办法, article: 第一条}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "landplan.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "规则").mkdir()
    (tmp_path / "规则" / "small.yaml").write_text(BOOK, encoding="utf-8")
    return tmp_path


@pytest.fixture
def checked(folder, monkeypatch):
    """As after a check that found three parcels in two zones."""
    import pandas as pd

    known = pd.DataFrame({"parcel_id": ["P-1", "P-2", "P-3"], "zone_code": ["Z1", "Z1", "Z2"]})
    for module in ("record", "holds"):
        monkeypatch.setattr(f"landplan.cli.{module}.known_parcels", lambda project: known)
    return folder


def call(folder, capsys, *words):
    with pytest.raises(SystemExit) as end:
        main([*words, "--project", str(folder)])
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


def ledger_in(folder):
    return open_ledger(folder / "总账.gpkg")


def test_an_event_is_recorded_by_its_title_and_only_once(checked, capsys):
    words = (
        "record",
        "净地",
        "--parcel",
        "P-1",
        "--on",
        "2026-05-01",
        "--document",
        "示例1号",
        "--by",
        "张三",
    )
    code, out, _ = call(checked, capsys, *words)
    assert code == 0 and "已记入第 1 号" in out and f"总账首部 {ledger_in(checked).head()}" in out
    code, out, _ = call(checked, capsys, *words)
    assert code == 0 and "此前已记入第 1 号" in out
    (entry,) = ledger_in(checked).entries()
    assert entry.body == {
        "parcel_id": "P-1", "item": "clear_land", "on": "2026-05-01", "state": "done", "document": "示例1号",
        "person": "张三",
    }  # fmt: skip


def test_states_may_be_said_in_words(checked, capsys):
    call(checked, capsys, "record", "approval", "--parcel", "P-1", "--on", "2026-05-01", "--state", "办理中")
    assert ledger_in(checked).entries()[0].body["state"] == "pending"
    code, _, err = call(
        checked, capsys, "record", "approval", "--parcel", "P-1", "--on", "2026-05-01", "--state", "快了"
    )
    assert code == 2 and "没有状态“快了”" in err


def test_a_zone_stands_for_each_of_its_parcels(checked, capsys):
    code, out, _ = call(checked, capsys, "record", "净地", "--zone", "Z1", "--on", "2026-05-01")
    assert code == 0 and "共 2 宗，新记入 2 条" in out
    assert recorded_events(ledger_in(checked).entries())["parcel_id"].tolist() == ["P-1", "P-2"]
    code, _, err = call(checked, capsys, "record", "净地", "--zone", "Z9", "--on", "2026-05-01")
    assert code == 2 and "Z1" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["净土", "--parcel", "P-1", "--on", "2026-05-01"], "净地（clear_land）"),
        (["净地", "--parcel", "P-12", "--on", "2026-05-01"], "P-1、P-3"),
        (["净地", "--on", "2026-05-01"], "--parcel、--zone 或 --batch"),
        (["净地", "--parcel", "P-1"], "缺少“日期”"),
        (["净地", "--parcel", "P-1", "--batch", "B", "--on", "2026-05-01"], "不能与"),
        ([], "净地、农转用批复"),
        (
            ["override", "--parcel", "P-1", "--rule", "clear_land.don", "--on", "2026-05-01"],
            "相近：clear_land.done",
        ),
        (["override", "--parcel", "P-1", "--rule", "clear_land.done", "--on", "2026-05-01"], "缺少“理由”"),
        (["void", "--entry", "7", "--grounds", "误", "--by", "张三"], "第 7 号记录不是"),
        (
            [
                "commitment",
                "--parcel",
                "P-1",
                "--head",
                "文物",
                "--amount",
                "3",
                "--on",
                "2026-05-01",
                "--by",
                "张",
            ],
            "预算未知",
        ),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_what_comes_near(checked, capsys, words, said):
    code, _, err = call(checked, capsys, "record", *words)
    assert code in (2, 3) and said in err
    assert ledger_in(checked).entries() == []


def test_numbers_are_not_looked_up_before_the_first_check_and_that_is_said(folder, capsys):
    code, _, err = call(folder, capsys, "record", "净地", "--parcel", "new", "--on", "2026-05-01")
    assert code == 0 and "地块编号未核对" in err
    assert len(ledger_in(folder).entries()) == 1


def test_an_override_and_a_batch_step_and_a_correction_are_recorded(checked, capsys):
    override = (
        "override",
        "--rule",
        "clear_land.done",
        "--parcel",
        "P-1",
        "--grounds",
        "已论证",
        "--document",
        "示例3号",
    )
    assert (
        call(
            checked, capsys, "record", *override, "--on", "2026-05-01", "--until", "2027-05-01", "--by", "王"
        )[0]
        == 0
    )
    assert (
        call(
            checked,
            capsys,
            "record",
            "农转用批复",
            "--batch",
            "2026-03",
            "--on",
            "2026-05-12",
            "--days",
            "20",
        )[0]
        == 0
    )
    assert call(checked, capsys, "record", "净地", "--parcel", "P-1", "--on", "2026-05-01")[0] == 0
    correction = ("净地", "--parcel", "P-1", "--on", "2026-05-11", "--supersedes", "3")
    assert call(checked, capsys, "record", *correction)[0] == 0
    assert [entry.action for entry in ledger_in(checked).entries()] == [
        "override",
        "batch_event",
        "event",
        "event",
    ]
    assert recorded_events(ledger_in(checked).entries())["source_row"].tolist() == [4]


def test_a_table_is_recorded_row_by_row_and_each_bad_row_is_told(checked, capsys):
    (checked / "新事项.csv").write_text(
        "地块编号,事项,日期,状态\nP-1,净地,2026-05-01,完成\nP-9,净地,2026-05-01,完成\nP-2,净土,2026-05-01,完成\n"
        "P-2,净地,,完成\nP-3,农转用批复,2026-05-02,办理中\n",
        encoding="utf-8",
    )
    file = str(checked / "新事项.csv")
    code, out, err = call(checked, capsys, "record", "--from", file, "--by", "张三")
    assert code == 3 and "新记入 2 条" in out
    for told in ("P-9", "净土", "P-2"):
        assert told in err
    code, out, _ = call(checked, capsys, "record", "--from", file, "--by", "张三")
    assert code == 3 and "新记入 0 条，此前已有 2 条" in out
    assert recorded_events(ledger_in(checked).entries())["parcel_id"].tolist() == ["P-1", "P-3"]


def test_a_whole_table_recorded_is_done(checked, capsys):
    (checked / "新事项.csv").write_text("地块编号,事项,日期\nP-1,净地,2026-05-01\n", encoding="utf-8")
    code, out, _ = call(checked, capsys, "record", "--from", str(checked / "新事项.csv"), "--format", "json")
    assert code == 0
    said = json.loads(out)
    assert said["entries"][0]["is_new"] and said["head"]["seq"] == 1


def test_a_parcel_is_held_listed_and_released(checked, capsys):
    hold = ("hold", "parcel", "P-1", "--on", "2026-05-01", "--until", "2026-12-31", "--by", "李四")
    assert call(checked, capsys, *hold, "--for", "甲项目")[0] == 0
    code, _, err = call(checked, capsys, *hold, "--for", "乙项目")
    assert code == 3 and "已为“甲项目”占用至 2026-12-31（H0001）" in err
    _, out, _ = call(checked, capsys, "hold", "list", "--as-of", "2026-06-01")
    assert "H0001" in out and "占用中 1 项" in out
    assert call(checked, capsys, "hold", "release", "H0001", "--on", "2026-06-10", "--by", "李四")[0] == 0
    _, out, _ = call(checked, capsys, "hold", "list", "--as-of", "2026-06-10")
    assert "H0001" not in out and "占用中 0 项" in out
    _, out, _ = call(checked, capsys, "hold", "list", "--as-of", "2026-06-09", "--all", "--format", "json")
    (held,) = json.loads(out)["holds"]
    assert (held["is_live"], held["released_on"]) == (True, "2026-06-10")
    assert call(checked, capsys, "hold", "release", "H0007", "--by", "李四")[0] == 3
    assert call(checked, capsys, *hold[:2], "P-7", *hold[3:], "--for", "丙")[0] == 2


def test_capacity_is_held_on_a_figure_somebody_answers_for(checked, capsys):
    hold = (
        "hold",
        "capacity",
        "--resource",
        "电",
        "--node",
        "城北变",
        "--amount",
        "20000",
        "--unit",
        "kVA",
        "--for",
        "甲",
    )
    days = ("--on", "2026-05-01", "--until", "2026-12-31", "--by", "李四")
    code, _, err = call(checked, capsys, *hold, *days)
    assert code == 3 and "余量未知" in err
    code, _, err = call(checked, capsys, *hold, *days, "--available", "50000")
    assert code == 2 and "--document" in err
    assert call(checked, capsys, *hold, *days, "--available", "50000", "--document", "示例4号")[0] == 0
    held = recorded_holds(ledger_in(checked).entries())
    assert held[["resource", "node", "amount", "unit"]].values.tolist() == [
        ["power", "城北变", 20000.0, "kVA"]
    ]
    assert call(checked, capsys, *hold[:2], "--resource", "煤", *hold[4:], *days)[0] == 2


def test_the_log_shows_what_was_recorded_and_what_became_of_it(checked, capsys):
    call(checked, capsys, "record", "净地", "--parcel", "P-1", "--on", "2026-05-01")
    call(checked, capsys, "record", "净地", "--parcel", "P-2", "--on", "2026-05-01")
    call(checked, capsys, "record", "void", "--entry", "1", "--grounds", "录入有误", "--by", "张三")
    _, out, _ = call(checked, capsys, "ledger", "log")
    assert out.count("\n") == 4 and "已由第 3 号更正、作废或释放" in out.splitlines()[0]
    _, out, _ = call(checked, capsys, "ledger", "log", "--parcel", "P-2", "--format", "json")
    assert [entry["seq"] for entry in json.loads(out)["entries"]] == [2]
    _, out, _ = call(checked, capsys, "ledger", "log", "--action", "作废", "--last", "5")
    assert "录入有误" in out and out.endswith("1 条\n")
    assert call(checked, capsys, "ledger", "log", "--action", "煮饭")[0] == 2


def test_the_ledger_is_verified_and_its_head_printed(checked, capsys):
    call(checked, capsys, "record", "净地", "--parcel", "P-1", "--on", "2026-05-01")
    head = ledger_in(checked).head()
    assert call(checked, capsys, "ledger", "verify")[:2] == (0, f"总账完好：1 条记录，首部 {head}\n")
    assert call(checked, capsys, "ledger", "head")[1] == f"{head}\n"
    code, _, _ = call(checked, capsys, "ledger", "copy", str(checked / "副本.gpkg"))
    assert code == 0 and open_ledger(checked / "副本.gpkg").head() == head
    content = bytearray((checked / "总账.gpkg").read_bytes())
    at = content.index(b"clear_land")
    content[at : at + 5] = b"CLEAR"
    (checked / "总账.gpkg").write_bytes(content)
    code, _, err = call(checked, capsys, "ledger", "verify")
    assert code == 3 and "LEDGER.CHAIN" in err
    code, _, err = call(checked, capsys, "record", "净地", "--parcel", "P-2", "--on", "2026-05-01")
    assert code == 3 and "第 1 号记录与写入时不一致" in err


def test_a_name_cannot_forge_a_line_of_the_log(folder, capsys):
    call(folder, capsys, "record", "净地", "--parcel", "P-1\n2  forged", "--on", "2026-05-01")
    _, out, _ = call(folder, capsys, "ledger", "log")
    assert out.count("\n") == 2


def test_the_day_a_hold_begins_is_today_where_none_is_given(checked, capsys, monkeypatch):
    monkeypatch.setattr("landplan.cli.holds.today", lambda: date(2026, 11, 20))
    call(checked, capsys, "hold", "parcel", "P-1", "--for", "甲", "--until", "2026-12-31", "--by", "李四")
    assert ledger_in(checked).entries()[0].body["on"] == "2026-11-20"


REGISTERS = """\
[registers.capacities]
path = "容量.csv"
[registers.budget]
path = "预算.csv"
[registers.holds]
path = "占用.csv"
"""


@pytest.fixture
def registered(checked, monkeypatch):
    """With the bureau's own tables: 50 MVA at a node of which 20 are free, ten thousand 元 under a head, one parcel held."""
    for module in ("app", "holds"):
        monkeypatch.setattr(f"landplan.cli.{module}.today", lambda: date(2026, 11, 20))
    (checked / "landplan.toml").write_text(TOML + REGISTERS, encoding="utf-8")
    (checked / "容量.csv").write_text(
        "要素,节点,总容量,已用,已承诺,已预留,单位,数据日期\n电,城北变,50,20,10,0,MVA,2026-10-01\n"
        "电,城南变,50,20,,0,MVA,2026-10-01\n电,城东变,50,20,10,0,MVA,2026-01-01\n",
        encoding="utf-8",
    )
    (checked / "预算.csv").write_text("年度,经费科目,金额（万元）\n2026,文物勘探,1\n", encoding="utf-8")
    (checked / "占用.csv").write_text(
        "占用编号,地块编号,需求,日期,有效期至,经办人\n老-1,P-3,老项目,2026-01-01,2026-12-31,王五\n",
        encoding="utf-8",
    )
    return checked


def test_capacity_is_held_against_the_register_in_whatever_unit(registered, capsys):
    hold = (
        "hold",
        "capacity",
        "--resource",
        "电",
        "--node",
        "城北变",
        "--unit",
        "kVA",
        "--until",
        "2026-12-31",
        "--by",
        "李",
    )
    assert call(registered, capsys, *hold, "--amount", "15000", "--for", "甲")[0] == 0
    code, _, err = call(registered, capsys, *hold, "--amount", "8000", "--for", "乙")
    assert code == 3 and "尚缺 3000kVA" in err
    assert call(registered, capsys, *hold, "--amount", "5000", "--for", "乙")[0] == 0


@pytest.mark.parametrize(
    ("node", "said"), [("城南变", "余量未知"), ("城东变", "已过期"), ("城西变", "没有节点")]
)
def test_no_capacity_is_held_on_figures_that_lack_are_old_or_of_no_node(registered, capsys, node, said):
    hold = (
        "hold",
        "capacity",
        "--resource",
        "电",
        "--node",
        node,
        "--unit",
        "MVA",
        "--until",
        "2026-12-31",
        "--by",
        "李",
    )
    code, _, err = call(registered, capsys, *hold, "--amount", "1", "--for", "甲")
    assert code in (2, 3) and said in err
    assert ledger_in(registered).entries() == []


def test_money_is_committed_up_to_the_budget_of_the_register(registered, capsys):
    words = (
        "record",
        "commitment",
        "--head",
        "文物勘探",
        "--unit",
        "万元",
        "--on",
        "2026-05-01",
        "--by",
        "张三",
    )
    assert call(registered, capsys, *words, "--parcel", "P-1", "--amount", "0.6")[0] == 0
    code, _, err = call(registered, capsys, *words, "--parcel", "P-2", "--amount", "0.5")
    assert code == 3 and "尚缺 1000.00 元" in err
    code, _, err = call(
        registered, capsys, *words[:3], "文物", *words[4:], "--parcel", "P-2", "--amount", "0.1"
    )
    assert code == 2 and "文物勘探" in err


def test_a_parcel_held_in_the_bureaus_own_table_is_not_held_again(registered, capsys):
    hold = ("hold", "parcel", "P-3", "--for", "甲", "--by", "李四")
    code, _, err = call(registered, capsys, *hold, "--until", "2027-06-30")
    assert code == 3 and "已为“老项目”占用" in err
    assert call(registered, capsys, *hold, "--on", "2027-01-01", "--until", "2027-06-30")[0] == 0
