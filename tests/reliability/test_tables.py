"""Ledgers, spreadsheets, boundary points and drawings as people write them, case by case."""

from __future__ import annotations

import csv
import math
import re
import time
import tracemalloc
from datetime import date
from pathlib import Path

import ezdxf
import openpyxl
import pandas as pd
import pytest
from told import codes_of, outcome, said, sentence

import landplan
from landplan.issues import codes
from landplan.pipeline import assess
from landplan.read import read_source, read_table
from landplan.store import load_assessment, save_assessment

MU = 2000 / 3


def workbook(
    path: Path, *sheets: list[list[object]], names: tuple[str, ...] = ("Sheet1", "Sheet2", "Sheet3")
) -> Path:
    book = openpyxl.Workbook()
    for number, rows in enumerate(sheets):
        sheet = book.active if not number else book.create_sheet(names[number])
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def column(path: Path, header: str, cells: list[object]) -> Path:
    """A workbook of one column beside the parcel numbers."""
    return workbook(path, [["地块编号", header], *([f"P{k:03d}", cell] for k, cell in enumerate(cells))])


# --- good controls ------------------------------------------------------------------------------------------

PLAIN = [
    ["地块编号", "地块名称", "登记面积（亩）", "容积率", "投资强度（万元/亩）"],
    ["A-1", "东地块", 15, 1.2, 149.93],
    ["A-2", "西地块", 30.5, 1, 200],
]


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_a_plain_ledger_is_read_exactly_and_without_a_word(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".xlsx":
        workbook(path, PLAIN)
    else:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows(PLAIN)
    read = read_table(path, "parcels")
    assert outcome(read) == "flag"
    # 容积率 says neither floor nor ceiling; that it is taken for a floor is the only thing to be said.
    assert codes_of(read) == ["ATTR.BOUND_ASSUMED"]
    assert read.frame.index.tolist() == ["A-1", "A-2"]
    assert read.frame["area_registered_m2"].tolist() == pytest.approx([10_000.0, 30.5 * MU])
    assert read.frame["far_min"].tolist() == [1.2, 1.0]
    assert read.frame["invest_intensity_cny_per_m2"].tolist() == pytest.approx([149.93 * 15, 3_000.0])


# --- 61 numbers ---------------------------------------------------------------------------------------------

# What is written in a column 投资强度（万元/亩）, and what it is in 元/m2 (万元/亩 is 15 元/m2); None: unknown, and said.
INTENSITY = [
    (150, 2250.0),
    (149.93, 2248.95),
    ("150", 2250.0),
    ("１５０", 2250.0),
    ("１５０．５", 2257.5),
    ("150。5", 2257.5),
    (" 150\n", 2250.0),
    ("\ufeff150", 2250.0),
    ("1,200", 18_000.0),
    ("１，２００", 18_000.0),
    ("1.5E+02", 2250.0),
    ("+150", 2250.0),
    ("150万元/亩", 2250.0),
    ("150 万元／亩", 2250.0),
    ("2250万元/公顷", 2250.0),
    ("3750万元/公顷", 3750.0),
    ("2250元/㎡", 2250.0),
    ("≥150", 2250.0),
    ("＞＝150", 2250.0),
    ("不低于150", 2250.0),
    ("应不低于150万元/亩", 2250.0),
    ("不小于150", 2250.0),
    ("不得少于150", 2250.0),
    ("大于或等于150", 2250.0),
    ("150以上", 2250.0),
    ("150（含）以上", 2250.0),
    ("一百五十", 2250.0),
    ("约150", 2250.0),
    ("0", 0.0),
    ("abc", None),
    ("150元", None),
    ("35%", None),
    ("1_000", None),
    ("inf", None),
    ("٢", None),
    ("1,5", None),
    ("1 200", None),
    ("1.2.3", None),
    ("#REF!", None),
    ("****", None),
    ("1/2", None),
    ("2024-06", None),
    ("①", None),
    ("1e999", None),
    ("一百五", None),  # 105 or 150
    ("(150)", None),  # minus 150 to an accountant
]
# In a column 容积率: floor and ceiling.
RATIO = [
    ("1.2", 1.2, None),
    ("200%", 2.0, None),
    ("120％", 1.2, None),
    ("≥1.0", 1.0, None),
    ("≤2.0", None, 2.0),
    ("不高于2.0", None, 2.0),
    ("1.0≤R≤2.5", 1.0, 2.5),
    ("1.0≤容积率≤2.0", 1.0, 2.0),
    ("大于或等于1并且小于或等于2", 1.0, 2.0),
    ("1.0~2.0", 1.0, 2.0),
    ("1.0－2.0", 1.0, 2.0),
    ("1.0以上、2.0以下", 1.0, 2.0),
    ("2.0~1.0", None, None),
    ("≥2.0且≤1.0", None, None),
    ("一点二", 1.2, None),
    ("参见附件", None, None),
]
BLANKS = ["", "—", "/", "无", "不予規定", "NA", "null", "待定", None]


def test_there_are_at_least_61_spellings():
    assert len(INTENSITY) + len(RATIO) >= 61


def test_row_1_every_spelling_of_a_number_is_its_value_or_unknown_and_never_nought(tmp_path):
    read = read_table(
        column(tmp_path / "a.xlsx", "投资强度（万元/亩）", [cell for cell, _ in INTENSITY]), "parcels"
    )
    values = read.frame["invest_intensity_cny_per_m2"].tolist()
    faults = {issue.row: issue for issue in read.issues if codes()[issue.code].severity == "error"}
    for k, ((cell, expected), value) in enumerate(zip(INTENSITY, values, strict=True)):
        if expected is None:
            assert math.isnan(value), cell
            issue = faults[k + 2]
            assert (issue.cell, issue.parcel_id) == (f"B{k + 2}", f"P{k:03d}"), cell
            assert issue.code in {"ATTR.NUMBER", "ATTR.BAD_UNIT", "ATTR.FORMULA"}, cell
        else:
            assert value == pytest.approx(expected), cell
            assert k + 2 not in faults, cell
    assert said(read, "ATTR.APPROXIMATE") == [
        (INTENSITY.index(("约150", 2250.0)) + 2, "投资强度（万元/亩）", "约150")
    ]


def test_row_1_every_spelling_of_a_ratio_is_its_floor_and_ceiling(tmp_path):
    read = read_table(column(tmp_path / "a.xlsx", "容积率", [cell for cell, _, _ in RATIO]), "parcels")
    lows = read.frame["far_min"].tolist()
    highs = read.frame["far_max"].tolist()
    faults = {issue.row for issue in read.issues if codes()[issue.code].severity == "error"}
    for k, (cell, low, high) in enumerate(RATIO):
        found = (None if math.isnan(lows[k]) else lows[k], None if math.isnan(highs[k]) else highs[k])
        assert found == (low, high), cell
        assert (k + 2 in faults) == (low is None and high is None), cell


def test_row_1_a_word_for_nothing_is_missing_and_no_fault(tmp_path):
    path = column(tmp_path / "a.xlsx", "投资强度（万元/亩）", [150, *BLANKS])
    read = read_table(path, "parcels")
    assert [math.isnan(value) for value in read.frame["invest_intensity_cny_per_m2"]] == [False] + [
        True
    ] * len(BLANKS)
    assert said(read, "ATTR.NUMBER") == []


def test_row_1_one_odd_cell_does_not_turn_its_column_to_text(tmp_path):
    read = read_table(column(tmp_path / "a.xlsx", "投资强度（万元/亩）", [150, "odd", 200]), "parcels")
    assert read.frame["invest_intensity_cny_per_m2"].dtype == "float64"
    assert said(read, "ATTR.NUMBER") == [(3, "投资强度（万元/亩）", "odd")]
    assert sentence(read, "ATTR.NUMBER") == "不是数：odd，按未知处理"


# --- 21 days ------------------------------------------------------------------------------------------------

DAYS = [
    (date(2024, 6, 1), "2024-06-01", None),
    ("2024-06-01", "2024-06-01", None),
    ("2024/6/1", "2024-06-01", None),
    ("2024.6.1", "2024-06-01", None),
    ("2024年6月1日", "2024-06-01", None),
    ("２０２４年６月１日", "2024-06-01", None),
    ("20240601", "2024-06-01", None),
    ("2024-06-01 08:30:00", "2024-06-01", None),
    ("2024-06-01T08:30:00", "2024-06-01", None),
    (45444, "2024-06-01", None),  # Excel's number of the day
    ("二〇二四年六月一日", "2024-06-01", None),
    ("2024年6月", "2024-06-30", "ATTR.DATE_PRECISION"),
    ("2024-06", "2024-06-30", "ATTR.DATE_PRECISION"),
    ("2024.06", "2024-06-30", "ATTR.DATE_PRECISION"),
    ("2024年", "2024-12-31", "ATTR.DATE_PRECISION"),
    ("2024-02-30", None, "ATTR.DATE"),
    ("2024-13-01", None, "ATTR.DATE"),
    ("01/06/2024", None, "ATTR.DATE"),  # the first of June or the sixth of January
    ("6月1日", None, "ATTR.DATE"),
    ("明年", None, "ATTR.DATE"),
    (2024.1, None, "ATTR.DATE"),  # 2024.10 typed as a number
    ("1901-01-01", None, None),  # a placeholder: no day, and no fault of the row
]


def test_row_2_every_spelling_of_a_day_is_the_day_or_unknown(tmp_path):
    assert len(DAYS) >= 21
    rows = [
        ["地块编号", "事项", "日期"],
        *([f"P{k:03d}", "净地", cell] for k, (cell, _, _) in enumerate(DAYS)),
    ]
    read = read_table(workbook(tmp_path / "a.xlsx", rows), "events")
    named = {issue.row: issue.code for issue in read.issues if issue.code.startswith("ATTR.DATE")}
    days = [None if pd.isna(day) else str(day)[:10] for day in read.frame["on"]]
    for k, (cell, expected, code) in enumerate(DAYS):
        assert days[k] == expected, cell
        if cell != "1901-01-01":
            assert named.get(k + 2) == code, cell


# --- codes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_row_3_codes_stay_as_they_are_written(tmp_path, suffix):
    numbers = ["001", "NA", "null", "330106", "1E5", "0", "nan", "TRUE"]
    path = tmp_path / f"a{suffix}"
    rows = [["地块编号", "地块名称"], *([number, "x"] for number in numbers)]
    if suffix == ".xlsx":
        workbook(path, rows)
    else:
        path.write_text("\n".join(",".join(row) for row in rows), encoding="utf-8-sig")
    read = read_table(path, "parcels")
    assert read.frame.index.tolist() == numbers
    assert outcome(read) == "accept"


def test_row_3_a_blank_among_codes_changes_no_other_code(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["地块编号", "地块名称"], [330106, "a"], [None, "b"], ["001", "c"]])
    read = read_table(path, "parcels")
    assert read.frame.index.tolist()[0] == "330106"
    assert read.frame.index.tolist()[2] == "001"
    assert [row for row, _, _ in said(read, "ATTR.ID_MISSING")] == [3]


def test_row_4_a_code_of_19_digits_in_a_numeric_cell_is_refused(tmp_path):
    whole = "1407020010010000123"
    path = workbook(
        tmp_path / "a.xlsx",
        [
            ["地块编号", "宗地代码"],
            ["A", int(whole)],
            ["B", float(whole) + 2000],
            ["C", "140702001001GB00123"],
        ],
    )
    read = read_table(path, "parcels")
    assert [(row, cell) for row, cell, _ in said(read, "ATTR.PRECISION")] == [
        (2, "宗地代码"),
        (3, "宗地代码"),
    ]
    assert codes()["ATTR.PRECISION"].is_blocking
    assert read.frame["parcel_code"].isna().tolist() == [True, True, False]
    assert sentence(read, "ATTR.PRECISION").startswith("编码以数值格式存放，末位可能已丢失")


def test_row_4_numbers_of_parcels_that_lost_their_last_digits_do_not_become_one_parcel(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        [["地块编号", "地块名称"], *([3301060010010009870 + k, str(k)] for k in range(3))],
    )
    read = read_table(path, "parcels")
    assert len(set(read.frame.index)) == 3
    assert len(said(read, "ATTR.PRECISION")) == 3


def test_row_4_a_code_saved_in_exponents_by_excel_is_refused_in_csv_too(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("地块编号,宗地代码\nA,1.40702E+18\n", encoding="utf-8")
    read = read_table(path, "parcels")
    assert [row for row, _, _ in said(read, "ATTR.PRECISION")] == [2]


# --- headers and totals -------------------------------------------------------------------------------------


def test_row_5_title_merged_header_units_total_and_note_leave_the_parcels_alone(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["晋中开发区标准地控制指标一览表", None, None, None],
        ["地块编号", "控制指标", None, "备注"],
        [None, "容积率下限", "投资强度", None],
        [None, None, "万元/亩", None],
        ["A-1", 1.2, 150, None],
        ["A-2", 1.0, 200, None],
        ["合计", None, 350, None],
        ["备注：数据截至2026年6月", None, None, None],
    ):
        sheet.append(row)
    for merged in ("A1:D1", "A2:A4", "B2:C2", "D2:D4", "A8:D8"):
        sheet.merge_cells(merged)
    book.save(tmp_path / "a.xlsx")
    read = read_table(tmp_path / "a.xlsx", "parcels")
    assert read.frame.index.tolist() == ["A-1", "A-2"]
    assert read.frame["invest_intensity_cny_per_m2"].tolist() == pytest.approx([2250.0, 3000.0])
    assert said(read, "ATTR.TOTAL_ROW") == [(7, "A7", "合计"), (8, "A8", "备注：数据截至2026年6月")]
    assert (read.source.rows_in, read.source.rows_imported, read.source.rows_rejected) == (4, 2, 2)


def test_row_5_a_name_merged_over_parcels_holds_for_each_and_an_area_for_none(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["地块编号", "用地单位", "登记面积（亩）"], ["A-1", "甲公司", 30], ["A-2", None, None]):
        sheet.append(row)
    sheet.merge_cells("B2:B3")
    sheet.merge_cells("C2:C3")
    book.save(tmp_path / "a.xlsx")
    raw = read_source(tmp_path / "a.xlsx")
    assert raw.frame["用地单位"].tolist() == ["甲公司", "甲公司"]
    read = read_table(tmp_path / "a.xlsx", "parcels")
    assert read.frame["area_registered_m2"].isna().all()
    assert [row for row, _, _ in said(read, "ATTR.NUMBER")] == [2, 3]


def test_row_5_the_first_parcel_is_not_eaten_as_a_header(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["A-1", 1.2, 150], ["A-2", 1.0, 200]])
    raw = read_source(path)
    assert (outcome(raw), codes_of(raw)) == ("reject", ["ATTR.NO_HEADER"])


def test_row_5_the_table_on_the_third_sheet_is_found_and_two_tables_are_a_question(tmp_path):
    found = read_source(workbook(tmp_path / "a.xlsx", [["封面"]], [["说明"]], PLAIN))
    assert (found.layer, found.source.rows_imported) == ("Sheet3", 2)
    several = read_source(workbook(tmp_path / "b.xlsx", PLAIN, PLAIN))
    assert outcome(several) == "reject"
    assert [value for _, _, value in said(several, "FILE.AMBIGUOUS")] == ["Sheet、Sheet2"]


@pytest.mark.parametrize(("cell", "shown"), [("=1+1", "=1+1"), ("=A9/0", "=A9/0")])
def test_row_6_a_formula_that_was_never_computed_is_named_and_unknown(tmp_path, cell, shown):
    read = read_table(column(tmp_path / "a.xlsx", "投资强度（万元/亩）", [150, cell]), "parcels")
    assert [(row, value) for row, _, value in said(read, "ATTR.FORMULA")] == [(3, shown)]
    assert math.isnan(read.frame["invest_intensity_cny_per_m2"].tolist()[1])


def test_row_6_an_error_of_excel_is_named_and_unknown(tmp_path):
    path = column(tmp_path / "a.xlsx", "投资强度（万元/亩）", [150, "#REF!"])
    read = read_table(path, "parcels")
    assert math.isnan(read.frame["invest_intensity_cny_per_m2"].tolist()[1])
    assert {row for code in ("ATTR.FORMULA", "ATTR.NUMBER") for row, _, _ in said(read, code)} == {3}


# --- delimited text -----------------------------------------------------------------------------------------


def test_row_7_a_quote_that_is_never_closed_is_refused_and_swallows_no_parcel(tmp_path):
    path = tmp_path / "a.csv"
    rows = ["地块编号,地块名称,容积率"] + [f"A-{k},名称,1.2" for k in range(500)]
    rows[3] = 'A-2,"名称,1.2'
    path.write_text("\n".join(rows), encoding="utf-8")
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert [row for row, _, _ in said(raw, "FILE.TRUNCATED")] in ([None], [4])


def test_row_7_a_decimal_comma_between_semicolons_shifts_no_column(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("地块编号;容积率;地块名称\nA-1;2,5;东\nA-2;1.5;西\n", encoding="utf-8")
    read = read_table(path, "parcels")
    assert read.frame["parcel_name"].tolist() == ["东", "西"]
    assert math.isnan(read.frame["far_min"].tolist()[0])
    assert said(read, "ATTR.NUMBER") == [(2, "容积率", "2,5")]


def test_row_7_a_comma_too_many_rejects_its_record(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("地块编号,地块名称,容积率\nA-1,东,1.2\nA-2,西,1,2\n", encoding="utf-8")
    raw = read_source(path)
    assert (raw.source.rows_in, raw.source.rows_imported) == (2, 1)
    assert [row for row, _, _ in said(raw, "FILE.BAD_RECORD")] == [3]


def test_row_8_a_stray_cell_in_the_last_row_is_refused_before_it_fills_the_memory(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in PLAIN:
        sheet.append(row)
    sheet.cell(1_048_576, 16_384, "x")
    book.save(tmp_path / "a.xlsx")
    begun = time.monotonic()
    tracemalloc.start()
    raw = read_source(tmp_path / "a.xlsx")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (outcome(raw), codes_of(raw)) == ("reject", ["LIMIT.SIZE"])
    assert peak < 100e6
    assert time.monotonic() - begun < 5


# --- boundary points ----------------------------------------------------------------------------------------

HEAD = [
    "[属性描述]", "格式版本号=1.01", "坐标系=2000国家大地坐标系", "几度分带=3", "投影类型=高斯克吕格", "计量单位=米",
    "带号=38", "精度=0.001", "转换参数=,,,,,,", "[地块坐标]",
]  # fmt: skip


def points(path: Path, *plots: str, head: list[str] = HEAD) -> Path:
    path.write_text("\n".join([*head, *plots]) + "\n", encoding="utf-8")
    return path


def square_ring(
    side: float = 100.0,
    *,
    x: float = 0.0,
    y: float = 0.0,
    ring: int = 1,
    east: float = 38_500_000.0,
    first: int = 1,
):
    corners = [(y, x), (y, x + side), (y + side, x + side), (y + side, x), (y, x)]
    return [
        f"J{first + (k % 4)},{ring},{4_170_000 + north:.3f},{east + e:.3f}"
        for k, (north, e) in enumerate(corners)
    ]


def plot(*lines: str, area: str = "1.0000", name: str = "A-1") -> str:
    return "\n".join([f"{len(lines)},{area},{name},东地块,面,,,,@", *lines])


def test_a_sound_file_of_boundary_points_is_read_exactly(tmp_path):
    raw = read_source(points(tmp_path / "a.txt", plot(*square_ring())))
    assert raw.source.rows_imported == 1
    assert {codes()[code].severity for code in codes_of(raw)} <= {"info"}
    assert raw.source.area_m2 == pytest.approx(10_000.0, abs=1e-6)
    assert raw.frame.crs.to_epsg() == 4526
    assert raw.frame.geometry.iloc[0].bounds == (38_500_000.0, 4_170_000.0, 38_500_100.0, 4_170_100.0)


def test_row_9_a_full_width_comma_loses_no_point(tmp_path):
    lines = square_ring()
    lines[1] = lines[1].replace(",", "，")
    raw = read_source(points(tmp_path / "a.txt", plot(*lines)))
    assert outcome(raw) == "flag"
    assert raw.source.area_m2 == pytest.approx(10_000.0, abs=1e-6)
    assert len(said(raw, "TXT.FULLWIDTH")) == 1


@pytest.mark.parametrize(
    "bad", ["J2,1,4170000.000,3850", "J2,1,4170000.000,", "J2,1,41x0000,38500100.000", "J2,1"]
)
def test_row_9_a_truncated_number_rejects_its_plot_by_its_line_and_no_other(tmp_path, bad):
    lines = square_ring()
    lines[1] = bad
    raw = read_source(points(tmp_path / "a.txt", plot(*lines), plot(*square_ring(x=500), name="A-2")))
    assert (raw.source.rows_in, raw.source.rows_imported, raw.source.rows_rejected) == (2, 1, 1)
    at = [row for code in set(codes_of(raw)) if code.startswith("TXT.") for row, _, _ in said(raw, code)]
    assert len(HEAD) + 3 in at
    assert raw.source.area_m2 == pytest.approx(10_000.0, abs=1e-6)


def test_row_9_a_hole_is_taken_off_and_two_rings_of_one_number_are_told_apart(tmp_path):
    hole = square_ring(20, x=40, y=40, ring=2, first=5)
    raw = read_source(points(tmp_path / "a.txt", plot(*square_ring(), *hole, area="0.9600")))
    assert raw.source.area_m2 == pytest.approx(9_600.0, abs=1e-6)
    same = square_ring(20, x=40, y=40, ring=1, first=5)
    raw = read_source(points(tmp_path / "b.txt", plot(*square_ring(), *same, area="0.9600")))
    assert raw.source.area_m2 == pytest.approx(9_600.0, abs=1e-6)


@pytest.mark.parametrize(("area", "code"), [("10000", "TXT.AREA_UNIT"), ("1.2000", "TXT.AREA")])
def test_row_9_the_declared_area_is_held_against_the_shape(tmp_path, area, code):
    raw = read_source(points(tmp_path / "a.txt", plot(*square_ring(), area=area)))
    assert (outcome(raw), raw.source.rows_imported) == ("flag", 1)
    assert len(said(raw, code)) == 1


def test_row_9_the_declared_count_is_held_against_the_points(tmp_path):
    lines = plot(*square_ring()).replace("5,1.0000", "9,1.0000")
    raw = read_source(points(tmp_path / "a.txt", lines))
    assert outcome(raw) == "flag"
    assert len(said(raw, "TXT.COUNT")) == 1


@pytest.mark.parametrize("datum", ["1980西安坐标系", "北京54坐标系", "1954北京坐标系"])
def test_row_10_old_datums_of_boundary_points_are_refused(tmp_path, datum):
    head = [line if not line.startswith("坐标系") else f"坐标系={datum}" for line in HEAD]
    raw = read_source(points(tmp_path / "a.txt", plot(*square_ring()), head=head))
    assert outcome(raw) == "reject"
    assert "CRS.DATUM" in codes_of(raw)


def test_row_10_a_zone_that_contradicts_the_prefix_is_told_and_the_prefix_believed(tmp_path):
    raw = read_source(points(tmp_path / "a.txt", plot(*square_ring(east=40_500_000.0))))
    assert (outcome(raw), raw.frame.crs.to_epsg()) == ("flag", 4528)
    assert len(said(raw, "TXT.ZONE_MISMATCH")) == 1


def test_row_10_swapped_axes_are_told(tmp_path):
    lines = []
    for line in square_ring():
        number, ring, north, east = line.split(",")
        lines.append(f"{number},{ring},{east},{north}")
    raw = read_source(points(tmp_path / "a.txt", plot(*lines)))
    assert outcome(raw) == "flag"
    assert {"TXT.AXES", "CRS.AXIS_SWAP"} & set(codes_of(raw))
    assert raw.frame.geometry.iloc[0].bounds[:2] == (38_500_000.0, 4_170_000.0)


# --- drawings -----------------------------------------------------------------------------------------------


def drawing(path: Path, draw, *, units: int = 6, version: str = "R2010") -> Path:
    document = ezdxf.new(version)
    document.header["$INSUNITS"] = units
    draw(document)
    document.saveas(path)
    return path


def outline(east: float = 38_500_000.0, side: float = 100.0, scale: float = 1.0) -> list[tuple[float, float]]:
    corners = [(0, 0), (side, 0), (side, side), (0, side)]
    return [((east + x) * scale, (4_170_000 + y) * scale) for x, y in corners]


def test_row_11_a_drawing_has_no_crs_and_is_asked_for_it_or_tells_by_its_prefix(tmp_path):
    path = drawing(
        tmp_path / "a.dxf", lambda d: d.modelspace().add_lwpolyline(outline(500_000.0), close=True)
    )
    raw = read_source(path)
    assert (outcome(raw), codes_of(raw)[-1]) == ("reject", "CRS.MISSING")
    assert read_source(path, crs="EPSG:4547").source.area_m2 == pytest.approx(10_000.0, abs=1e-6)
    told = read_source(
        drawing(tmp_path / "b.dxf", lambda d: d.modelspace().add_lwpolyline(outline(), close=True))
    )
    assert (told.source.crs, "CRS.ZONE_FROM_PREFIX" in codes_of(told)) == ("EPSG:4526", True)


def test_row_11_a_closed_polyline_is_an_area_and_a_bulge_an_arc_within_a_millimetre(tmp_path):
    def draw(document):
        east, north = 38_500_000.0, 4_170_000.0
        document.modelspace().add_lwpolyline(
            [(east, north, 0, 0, 1.0), (east + 100, north, 0, 0, 1.0)], close=True
        )  # two half circles: a disc of radius 50

    raw = read_source(drawing(tmp_path / "a.dxf", draw))
    assert raw.frame.geometry.geom_type.tolist() == ["Polygon"]
    missing = math.pi * 2_500 - raw.source.area_m2
    assert 0 < missing < 2 * math.pi * 50 * 0.001
    assert "GEOM.CURVE" in codes_of(raw)


def test_row_11_a_drawing_in_millimetres_is_brought_to_metres_with_a_word(tmp_path):
    path = drawing(
        tmp_path / "a.dxf",
        lambda d: d.modelspace().add_lwpolyline(outline(scale=1000.0), close=True),
        units=4,
    )
    raw = read_source(path)
    assert outcome(raw) == "flag"
    assert raw.source.area_m2 == pytest.approx(10_000.0, abs=1e-3)


def test_row_11_chinese_layers_in_gbk_and_blocks_are_read(tmp_path):
    def draw(document):
        document.layers.add("宗地界线")
        block = document.blocks.new("ZD")
        block.add_lwpolyline([(0, 0), (100, 0), (100, 100), (0, 100)], close=True, dxfattribs={"layer": "0"})
        document.modelspace().add_blockref(
            "ZD", (38_500_000.0, 4_170_000.0), dxfattribs={"layer": "宗地界线"}
        )

    path = drawing(tmp_path / "a.dxf", draw, version="R2000")
    text = path.read_bytes()
    path.write_bytes(
        text.replace(b"$DWGCODEPAGE\n  3\nANSI_1252", b"$DWGCODEPAGE\n  3\nANSI_936").replace(
            "宗地界线".encode("cp1252", errors="replace"), "宗地界线".encode("gbk")
        )
    )
    raw = read_source(path)
    assert raw.source.rows_imported == 1
    assert raw.source.area_m2 == pytest.approx(10_000.0, abs=1e-6)


def test_row_11_a_drawing_without_a_closed_boundary_says_so(tmp_path):
    path = drawing(
        tmp_path / "a.dxf",
        lambda d: d.modelspace().add_line((38_500_000, 4_170_000), (38_500_100, 4_170_000)),
    )
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert any("闭合" in issue.as_row()["message_zh"] for issue in raw.issues)


# --- what we write ourselves --------------------------------------------------------------------------------


def test_row_12_what_landplan_saves_keeps_codes_of_19_digits_empty_flags_and_small_numbers(tmp_path, sample):
    from dataclasses import replace

    assessment = assess(sample, as_of=date(2026, 11, 20))
    ids = [f"33010600100100{k:05d}" for k in range(len(assessment.parcels))]
    parcels = assessment.parcels.assign(parcel_code=ids)
    save_assessment(replace(assessment, parcels=parcels), tmp_path / "a.gpkg")
    loaded = load_assessment(tmp_path / "a.gpkg").parcels
    assert loaded["parcel_code"].tolist() == ids
    pd.testing.assert_frame_equal(
        pd.DataFrame(loaded.drop(columns="geometry")),
        pd.DataFrame(parcels.drop(columns="geometry"))[[c for c in loaded.columns if c != "geometry"]],
    )


def test_row_12_the_only_shapefile_landplan_writes_is_the_sample_and_it_reads_back_with_every_field(sample):
    package = Path(landplan.__file__).parent
    writers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(
            r"(write_dataframe|to_file)\([^)]*ESRI Shapefile", path.read_text(encoding="utf-8"), re.DOTALL
        )
    }
    assert writers == {"demo/files.py"}
    (path,) = sample.rglob("*.shp")
    raw = read_source(path)
    assert outcome(raw) == "flag"
    assert codes_of(raw) == ["ENC.GUESSED"]
    names = [name for name in raw.frame.columns if name != "geometry"]
    assert all(len(name.encode("gbk")) <= 10 for name in names)
    assert len(set(names)) == len(names)
