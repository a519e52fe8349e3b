"""What a terminal shows: columns that stay straight with Chinese in them, and no character of ours that GBK lacks."""

from __future__ import annotations

import io
import re
import sys

import pandas as pd
import pytest
from conftest import AS_OF
from projects import edit, write_project
from rich.cells import cell_len

from landplan import console
from landplan.errors import Fault, ReadError
from landplan.pipeline import assess
from landplan.read import inspect_files
from landplan.rules import load_rulebook, show_rules
from landplan.schema import column
from landplan.units import CANONICAL
from landplan.verdict import why


@pytest.fixture
def small(tmp_path):
    return assess(write_project(tmp_path / "项目"), as_of=AS_OF)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def ends(line: str, word: str) -> int:
    """The column of the terminal in which a word ends."""
    assert word in line, line
    return cell_len(line[: line.index(word) + len(word)])


def starts(line: str, word: str) -> int:
    return ends(line, word) - cell_len(word)


def test_columns_stay_straight_where_chinese_stands_beside_latin(capsys):
    console.print_frame(
        pd.DataFrame(
            {
                "名称": ["甲", "Plant 7", "示例经济技术开发区"],
                "面积（亩）": [15.0, 1234.5, 0.25],
                "备注": ["x", None, "y"],
            }
        )
    )
    head, *rows = capsys.readouterr().out.splitlines()
    assert rows[1].rstrip() == "Plant 7               1,234.50"
    # Numbers end in one column, words begin in one.
    assert {
        ends(head, "面积（亩）"),
        ends(rows[0], "15.00"),
        ends(rows[1], "1,234.50"),
        ends(rows[2], "0.25"),
    } == {30}
    assert {starts(head, "备注"), starts(rows[0], "x"), starts(rows[2], "y")} == {32}


def test_no_line_ends_in_blanks_and_none_is_broken_in_a_pipe(capsys):
    long = "很长的一句话" * 60
    console.print_frame(pd.DataFrame({"说明": [long, "短"], "甲": ["a", "b"]}))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines == [line.rstrip() for line in lines]
    assert long in lines[1]


def test_a_terminal_gets_lines_no_wider_than_it_is_and_no_escape_sequence(small, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    console.print_check(small)
    console.print_list(small, "stock")
    console.print_rules(show_rules(load_rulebook("example.kaifaqu"), AS_OF))
    shown = terminal.getvalue()
    assert "\x1b" not in shown
    tables = [line for line in shown.splitlines() if not line.startswith(("[", "规则集", "example"))]
    assert max(map(cell_len, tables)) <= 80


def test_a_reason_that_is_broken_goes_on_under_its_first_word(small, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    console.print_reasons(small, "P-3", why(small, "P-3"), "zh")
    lines = terminal.getvalue().splitlines()
    (first,) = [at for at, line in enumerate(lines) if "不达标：固定资产投资强度" in line]
    assert lines[first].startswith("  - 不达标")
    assert lines[first + 1].startswith("    ")
    assert lines[first + 1].strip()
    assert max(map(cell_len, lines[first : first + 4])) <= 60


def test_markup_and_emoji_codes_in_data_are_text(small, capsys):
    small.parcels.loc["P-1", "parcel_name"] = "[bold]甲[/bold] :smile:"
    console.print_reasons(small, "P-1", why(small, "P-1"), "zh")
    assert "P-1 [bold]甲[/bold] :smile:　具备出让条件　15.00 亩（10,000.00 ㎡）" in capsys.readouterr().out


def test_the_check_counts_parcels_and_land_by_zone_and_the_rows_add_up(small, capsys):
    console.print_check(small)
    lines = capsys.readouterr().out.splitlines()
    (zone,) = [line.split() for line in lines if line.startswith("Z1 示例园")]
    assert zone == ["Z1", "示例园", "1", "15.00", "0", "0.00", "2", "30.00", "3", "45.00"]
    whole = [line.split() for line in lines if line.startswith("合计")]
    assert whole == [
        ["合计", "1", "15.00", "0", "0.00", "2", "30.00", "3", "45.00"],
        ["合计", "3", "45.00", "0"],
    ]
    assert "地块　　　读入 3 条，评定 3 宗，剔除 0 条" in lines


def test_reasons_are_grouped_into_what_decides_and_the_rest(small, capsys):
    console.print_reasons(small, "P-2", why(small, "P-2", "en"), "en")
    said = capsys.readouterr().out
    before, after = said.split("The rest (3)")
    assert "What decides (1)" in before
    assert "[farmland.overlap]" in before
    assert "[farmland.overlap]" not in after
    assert "5000 m2" in before


def test_problems_of_one_kind_are_told_once_with_their_number_and_their_parcels(tmp_path, capsys):
    folder = write_project(tmp_path / "项目")
    edit(folder / "台账.csv", ("P-1,200", "P-1,约200"), ("P-3,100", "P-3,约100"))
    console.print_issues(assess(folder, as_of=AS_OF))
    captured = capsys.readouterr()
    assert captured.out == ""
    heads = [line for line in captured.err.splitlines() if line and not line.startswith(" ")]
    assert len(heads) == 1
    assert heads[0].startswith("警告 ATTR.APPROXIMATE　台账.csv 第 2 行")
    assert heads[0].endswith("共 2 处（P-1、P-3）")


def test_no_more_than_forty_kinds_are_told_and_the_rest_is_counted(small, capsys):
    from dataclasses import replace

    from landplan.issues import Issue
    from landplan.tables import issue_table

    many = issue_table([Issue("FILE.MISSING", source=f"{n:02d}.gpkg", value=n) for n in range(45)])
    console.print_issues(replace(small, issues=many))
    said = capsys.readouterr().err
    assert said.count("FILE.MISSING") == 40
    assert "另有 5 类问题，见工作簿 / 5 more kinds in the workbook" in said


def test_a_fault_that_holds_a_line_end_forges_no_line(capsys):
    console.print_fault(
        ReadError(
            Fault(en="no file 'a\nError: b'.", zh="没有文件“a\x1b[2J”。", at="c\rd", mend_zh="改\u202e名")
        )
    )
    assert capsys.readouterr().err.splitlines() == [
        "ReadError: no file 'a Error: b'.", "  at: c d", "  没有文件“a [2J”。", "  改 名"
    ]  # fmt: skip


def test_each_text_a_rulebook_rests_on_is_printed_once(capsys):
    shown = show_rules(load_rulebook("example.kaifaqu"), AS_OF)
    console.print_rules(shown)
    lines = capsys.readouterr().out.splitlines()
    texts = [line for line in lines if re.match(r"\[\d+\] ", line)]
    assert len(texts) == shown["reference"].nunique()
    (row,) = [line for line in lines if line.startswith("invest_intensity.min")]
    assert "万元/亩" in row
    number = re.search(r"\[\d+\]", row)[0]
    (cited,) = [line for line in texts if line.startswith(f"{number} ")]
    assert cited.endswith("附表第 3 列")


def test_a_limit_that_is_a_word_has_no_unit(capsys):
    console.print_rules(show_rules(load_rulebook("cn.national-2023"), AS_OF))
    (row,) = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("building_coefficient.min")
    ]
    assert "%" not in row


def test_an_inspection_leaves_out_columns_that_nothing_fills(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("地块编号,投资强度\nA,1\nB,约2\n", encoding="utf-8-sig")
    console.print_inspections(inspect_files([tmp_path / "a.csv"]))
    said = capsys.readouterr().out
    (head,) = [line for line in said.splitlines() if line.startswith("级别")]
    assert "地块" not in head
    assert head.split()[:2] == ["级别", "代码"]
    assert "缺单位  投资强度" in said
    assert "记录    容器 2，采用 2，剔除 0" in said


def test_every_word_of_the_dictionaries_that_a_terminal_may_show_exists_in_gbk():
    from landplan.issues import codes
    from landplan.schema import dictionary

    words = [
        text
        for code in codes().values()
        for text in (code.message_zh, code.message_en, code.mend_zh, code.mend_en)
    ]
    words += [declared.label(lang) for declared in dictionary().values() for lang in ("zh", "en")]
    words += [column("verdict").word(state) for state in ("ready", "pending", "not_ready")]
    words += list(CANONICAL.values())
    for word in words:
        word.encode("cp936")


def test_a_broken_line_splits_no_number_and_begins_with_no_stop(small, monkeypatch):
    for width in range(40, 90):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setenv("COLUMNS", str(width))
        console.print_reasons(small, "P-3", why(small, "P-3"), "zh")
        lines = terminal.getvalue().splitlines()
        assert sum("2020-01-01" in line for line in lines) == 4
        assert sum("[invest_intensity.min]" in line for line in lines) == 1
        assert not [line for line in lines if line.strip()[:1] in tuple("，。；：、）”》〕") and line.strip()]
