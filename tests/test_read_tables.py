"""Spreadsheets as bureaus send them: the header is found, records are told from the rest, nothing is lost in silence."""

from __future__ import annotations

import datetime as dt
import random
import struct
import zipfile

import openpyxl
import pandas as pd
import pytest
import xlsxwriter

from landplan.read.grid import Grid
from landplan.read.header import Names, find_header
from landplan.read.tables import read_sheet
from landplan.schema import canonicalise
from landplan.tables import issue_table


def workbook(path, rows, *, merges=(), name="控制指标", more=(), formats=None):
    """Write rows from A1 on; merges are (first row, first column, last row, last column, text)."""
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet(name)
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            if cell is None:
                continue
            style = book.add_format({"num_format": formats[r, c]}) if formats and (r, c) in formats else None
            if isinstance(cell, str):
                sheet.write_string(r, c, cell, style)
            else:
                sheet.write(r, c, cell, style)
    for first_row, first_column, last_row, last_column, text in merges:
        sheet.merge_range(first_row, first_column, last_row, last_column, text)
    for other, other_rows in more:
        extra = book.add_worksheet(other)
        for r, row in enumerate(other_rows):
            extra.write_row(r, 0, row)
    book.close()
    return path


def codes(raw):
    return [issue.code for issue in raw.issues]


def balances(raw):
    source = raw.source
    return source.rows_in == source.rows_imported + source.rows_rejected and source.rows_imported == len(
        raw.frame
    )


def canonical(raw, table="parcels", **options):
    return canonicalise(
        raw.frame, table, layer=raw.layer, rows=raw.rows, letters=raw.letters or None, **options
    )


HORROR = [
    ["示例开发区工业用地控制指标台账（示例数据）"],
    ["填报单位：示例单位", None, None, None, None, None, "2024年6月"],
    ["序号", "地块编号", "用地面积", "控制指标", None, None, "备注"],
    [None, None, None, "容积率", "投资强度", "亩均税收", None],
    [None, None, "亩", "—", "万元/亩", "万元/亩·年", None],
    [1, "A-1", "约20亩", "≥1.2", 300, 15, None],
    [2, "A-2", "１５", "1.0≤容积率≤2.0", "１４９．９３", "3750万元/公顷", "示例"],
    [None],
    [3, 330603, 30, "abc", "1,200", "—", None],
    ["合计", None, 65, None, None, None, None],
    ["备注：本表为示例数据。"],
    ["2.面积以勘测为准。"],
]
HORROR_MERGES = [
    (0, 0, 0, 6, HORROR[0][0]),
    (2, 0, 3, 0, "序号"),
    (2, 1, 3, 1, "地块编号"),
    (2, 2, 3, 2, "用地面积"),
    (2, 3, 2, 5, "控制指标"),
    (2, 6, 3, 6, "备注"),
    (9, 0, 9, 1, "合计"),
    (10, 0, 10, 6, HORROR[10][0]),
]


@pytest.fixture
def horror(tmp_path):
    return read_sheet(workbook(tmp_path / "台账.xlsx", HORROR, merges=HORROR_MERGES))


def test_the_header_is_found_below_the_title_and_its_two_rows_and_the_unit_row_are_joined(horror):
    assert list(horror.frame.columns) == [
        "序号",
        "地块编号",
        "用地面积（亩）",
        "容积率",
        "投资强度（万元/亩）",
        "亩均税收（万元/亩·年）",
        "备注",
    ]
    assert horror.layer == "控制指标"


def test_totals_and_notes_are_set_aside_with_their_rows_and_the_rows_balance(horror):
    aside = [(issue.row, issue.value) for issue in horror.issues if issue.code == "ATTR.TOTAL_ROW"]
    assert aside == [(10, "合计"), (11, "备注：本表为示例数据。"), (12, "2.面积以勘测为准。")]
    assert (horror.source.rows_in, horror.source.rows_imported, horror.source.rows_rejected) == (6, 3, 3)
    assert horror.rows == [6, 7, 9]


def test_every_value_keeps_its_cell(horror):
    assert horror.letters["投资强度（万元/亩）"] == "E"
    fault = next(issue for issue in canonical(horror).issues if issue.code == "ATTR.NUMBER")
    assert (fault.cell, fault.row, fault.layer, fault.value) == ("D9", 9, "控制指标", "abc")


def test_the_horror_becomes_the_numbers_that_were_meant(horror):
    read = canonical(horror)
    assert read.frame["parcel_id"].tolist() == ["A-1", "A-2", "330603"]
    # 20 亩, 15 亩 and 30 亩 are 4/3, 1 and 2 hectares.
    assert read.frame["area_registered_m2"].round(2).tolist() == [13333.33, 10000.0, 20000.0]
    assert read.frame["far_min"].tolist()[:2] == [1.2, 1.0]
    assert read.frame["far_max"].tolist()[1] == 2.0
    assert read.frame["invest_intensity_cny_per_m2"].tolist() == [4500.0, 2248.95, 18000.0]
    # A unit in the cell is louder than the header's; 3750 万元/公顷 is no yearly rate and stays unknown.
    assert read.frame["tax_cny_per_m2_yr"].tolist()[0] == 225.0
    assert "ATTR.APPROXIMATE" in [issue.code for issue in read.issues]


def test_the_issues_of_a_sheet_can_be_laid_out_as_a_table(horror):
    assert (issue_table(horror.issues)["code"] == "ATTR.TOTAL_ROW").all()


def test_a_plain_table_is_read_as_it_stands(tmp_path):
    day = dt.datetime(2024, 6, 1)
    path = workbook(
        tmp_path / "a.xlsx",
        [["地块编号", "地块名称", "日期"], ["B-1", "一号", day], ["B-2", "二号", 45444]],
        formats={(1, 2): "yyyy-mm-dd"},
    )
    raw = read_sheet(path)
    assert raw.frame["日期"].tolist() == [day.date(), 45444.0]
    assert (raw.issues, raw.rows) == ([], [2, 3])
    assert len(raw.source.sha256) == 64


def test_a_table_that_does_not_begin_at_a1_keeps_its_addresses(tmp_path):
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    sheet = book.add_worksheet("表")
    sheet.write_row("C5", ["地块编号", "容积率"])
    sheet.write_row("C6", ["A-1", 1.2])
    book.close()
    raw = read_sheet(tmp_path / "a.xlsx")
    assert (raw.letters, raw.rows) == ({"地块编号": "C", "容积率": "D"}, [6])


def test_a_group_above_gives_its_name_where_the_lower_word_alone_says_nothing(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        [["地块编号", "容积率", None, "用地面积"], [None, "下限", "上限", "公顷"], ["A-1", 1.0, 2.0, 1.5]],
        merges=[(0, 0, 1, 0, "地块编号"), (0, 1, 0, 2, "容积率")],
    )
    raw = read_sheet(path)
    assert list(raw.frame.columns) == ["地块编号", "容积率下限", "容积率上限", "用地面积（公顷）"]
    assert canonical(raw).frame["area_registered_m2"].tolist() == [15000.0]


def test_two_units_below_one_merged_name_make_two_columns(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        [["地块编号", "用地面积", None], [None, "亩", "公顷"], ["A-1", 15, 1]],
        merges=[(0, 0, 1, 0, "地块编号"), (0, 1, 0, 2, "用地面积")],
    )
    raw = read_sheet(path)
    assert list(raw.frame.columns) == ["地块编号", "用地面积（亩）", "用地面积（公顷）"]


def test_a_header_and_a_unit_row_that_disagree_leave_the_column_without_a_unit(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["地块编号", "用地面积（亩）"], [None, "公顷"], ["A-1", 15]])
    raw = read_sheet(path)
    assert codes(raw) == ["ATTR.BAD_UNIT"]
    assert list(raw.frame.columns) == ["地块编号", "用地面积"]
    assert canonical(raw).frame["area_registered_m2"].isna().all()


def test_a_row_that_numbers_the_columns_is_no_record(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        [["地块编号", "地块名称", "用途"], ["(1)", "(2)", "(3)"], ["A-1", "一号", "工业"]],
    )
    raw = read_sheet(path)
    assert raw.frame["地块编号"].tolist() == ["A-1"]


def test_a_header_repeated_on_the_next_page_and_a_section_heading_are_set_aside(tmp_path):
    head = ["地块编号", "地块名称", "用途"]
    path = workbook(
        tmp_path / "a.xlsx",
        [
            head,
            ["一、存量地块"],
            ["A-1", "一号", "工业"],
            head,
            ["A-2", "二号", "工业"],
            ["一期小计", None, "2宗"],
        ],
    )
    raw = read_sheet(path)
    assert raw.frame["地块编号"].tolist() == ["A-1", "A-2"]
    assert [issue.row for issue in raw.issues if issue.code == "ATTR.TOTAL_ROW"] == [2, 4, 6]
    assert balances(raw)


def test_a_parcel_whose_name_begins_like_a_total_or_a_note_stays_a_parcel(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        [
            ["地块编号", "地块名称", "用途"],
            ["A-1", "小计量器具厂", "工业"],
            ["A-2", "说明书印刷厂", "工业"],
            ["一号地块"],
        ],
    )
    raw = read_sheet(path)
    assert raw.frame["地块编号"].tolist() == ["A-1", "A-2", "一号地块"]


def test_a_word_merged_over_records_holds_for_each_but_an_area_does_not(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        [["地块编号", "开发区", "容积率", "用地面积（亩）"], ["A-1"], ["A-2"], ["A-3", "西区", 1.5, 10]],
        merges=[(1, 1, 2, 1, "东区"), (1, 2, 2, 2, "≥1.2"), (1, 3, 2, 3, 30)],
    )
    read = canonical(read_sheet(path))
    assert read.frame["zone_name"].tolist() == ["东区", "东区", "西区"]
    assert read.frame["far_min"].tolist() == [1.2, 1.2, 1.5]
    assert read.frame["area_registered_m2"].isna().tolist() == [True, True, False]
    assert [issue.code for issue in read.issues].count("ATTR.NUMBER") == 2


def test_a_number_shown_as_a_percentage_is_read_as_shown(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        [
            ["地块编号", "建筑系数（%）", "绿地率"],
            ["A-1", 0.35, 0.2],
            ["A-2", 40, "20%"],
            ["A-3", 0.29, None],
        ],
        formats={(1, 1): "0%", (1, 2): '0.0%"绿"', (3, 1): "0.00%"},
    )
    read = canonical(read_sheet(path))
    assert read.frame["building_coefficient_min"].tolist() == [0.35, 0.4, 0.29]
    assert read.frame["green_ratio_max"].tolist()[:2] == [0.2, 0.2]


def test_an_error_and_a_formula_without_a_result_are_named_and_never_read_as_blank(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in [
        ["地块编号", "容积率", "地块名称"],
        ["A-1", "=1+1", "x"],
        ["=B9", 1.2, "y"],
        ["A-3", "#REF!", "z"],
    ]:
        sheet.append(row)
    sheet["B4"].data_type = "e"
    book.save(tmp_path / "a.xlsx")
    raw = read_sheet(tmp_path / "a.xlsx")
    found = {issue.cell: issue.value for issue in raw.issues if issue.code == "ATTR.FORMULA"}
    assert found == {"B2": "=1+1", "A3": "=B9", "B4": "#REF!"}
    assert raw.frame["地块编号"].tolist() == ["A-1", None, "A-3"]
    read = canonical(raw)
    assert [issue.cell for issue in read.issues if issue.code == "ATTR.NUMBER"] == ["B2", "B4"]
    assert read.frame["far_min"].isna().tolist() == [True, False, True]


def test_a_formula_whose_result_is_an_empty_text_is_blank(tmp_path):
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["地块编号", "地块名称"])
    sheet.write_row(1, 0, ["A-1"])
    sheet.write_formula(1, 1, '=IF(A9="","",A9)', None, "")
    book.close()
    body = (tmp_path / "a.xlsx").read_bytes()
    assert body  # xlsxwriter writes the result without t="str": add it as Excel does
    with zipfile.ZipFile(tmp_path / "a.xlsx") as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry).replace(b'<c r="B2">', b'<c r="B2" t="str">'))
    assert read_sheet(tmp_path / "b.xlsx").issues == []
    assert codes(read_sheet(tmp_path / "a.xlsx")) == ["ATTR.FORMULA"]


def test_a_code_typed_as_a_number_loses_its_point_and_a_long_one_is_reported(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        [["地块编号", "宗地代码"], [330603, 140702001001.0], ["007", 1407020010010012345]],
    )
    read = canonical(read_sheet(path))
    assert read.frame["parcel_id"].tolist() == ["330603", "007"]
    assert read.frame["parcel_code"].tolist()[0] == "140702001001"
    assert [(issue.code, issue.cell) for issue in read.issues] == [("ATTR.PRECISION", "B3")]


def test_of_several_sheets_the_only_one_with_a_header_is_read(tmp_path):
    rows = [["地块编号", "容积率"], ["A-1", 1.2]]
    path = workbook(tmp_path / "a.xlsx", rows, more=[("说明", [["填表说明", "无"]])])
    assert read_sheet(path).layer == "控制指标"


def test_of_several_sheets_with_headers_one_must_be_named(tmp_path):
    rows = [["地块编号", "容积率"], ["A-1", 1.2]]
    path = workbook(tmp_path / "a.xlsx", rows, more=[("二期", [["地块编号", "容积率"], ["B-1", 1.5]])])
    raw = read_sheet(path)
    assert [(issue.code, issue.value) for issue in raw.issues] == [("FILE.AMBIGUOUS", "控制指标、二期")]
    assert raw.frame.empty
    assert read_sheet(path, sheet="二期").frame["地块编号"].tolist() == ["B-1"]
    missing = read_sheet(path, sheet="三期").issues[0]
    assert (missing.code, missing.value) == ("FILE.NO_LAYER", "三期（控制指标、二期）")


def test_a_sheet_without_known_names_or_without_cells_says_so(tmp_path):
    assert codes(read_sheet(workbook(tmp_path / "a.xlsx", [["甲", "乙"], [1, 2]]))) == ["ATTR.NO_HEADER"]
    assert codes(read_sheet(workbook(tmp_path / "b.xlsx", []))) == ["FILE.EMPTY"]
    assert codes(read_sheet(workbook(tmp_path / "c.xlsx", [["地块编号", "容积率"]]))) == ["FILE.EMPTY"]


def test_headers_a_profile_knows_make_a_header(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["某某表"], ["Plot", "FAR max"], ["A-1", 2]])
    raw = read_sheet(path, headers={"Plot": "parcel_id", "FAR max": "far_max"})
    assert raw.rows == [3]
    assert raw.frame["Plot"].tolist() == ["A-1"]


def test_two_columns_of_one_name_are_both_kept_and_reported(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["地块编号", "容积率", "容积率"], ["A-1", 1.0, 2.0]])
    raw = read_sheet(path)
    assert list(raw.frame.columns) == ["地块编号", "容积率", "容积率 C"]
    assert [(issue.code, issue.cell) for issue in raw.issues] == [("ATTR.DOUBLE_COLUMN", "C1")]


def test_a_hidden_sheet_is_not_taken_for_the_table(tmp_path):
    rows = [["地块编号", "容积率"], ["A-1", 1.2]]
    book = openpyxl.Workbook()
    book.active.title = "公开"
    for row in rows:
        book.active.append(row)
    old = book.create_sheet("旧")
    old.append(["地块编号", "容积率"])
    old.append(["Z-9", 9])
    old.sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    assert read_sheet(tmp_path / "a.xlsx").layer == "公开"


def test_a_workbook_with_a_document_type_is_refused(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["地块编号", "容积率"], ["A-1", 1.2]])
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for entry in old.namelist():
            body = old.read(entry)
            if entry == "xl/workbook.xml":
                body = body.replace(b"<workbook", b'<!DOCTYPE x [<!ENTITY a "b">]><workbook', 1)
            new.writestr(entry, body)
    raw = read_sheet(tmp_path / "b.xlsx")
    assert codes(raw) == ["FILE.TYPE"]
    assert raw.frame.empty


def test_a_value_in_the_last_cell_of_the_sheet_does_not_fill_the_memory(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["地块编号", "容积率"], ["A-1", 1.2]])
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for entry in old.namelist():
            body = old.read(entry).replace(
                b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
            )
            new.writestr(entry, body)
    assert codes(read_sheet(tmp_path / "b.xlsx")) == ["LIMIT.SIZE"]


def test_a_format_in_the_last_cell_of_the_sheet_is_harmless(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["地块编号", "容积率"], ["A-1", 1.2]])
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for entry in old.namelist():
            body = old.read(entry).replace(
                b"</sheetData>", b'<row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>'
            )
            new.writestr(entry, body)
    assert read_sheet(tmp_path / "b.xlsx").frame["地块编号"].tolist() == ["A-1"]


@pytest.mark.parametrize(
    "body",
    [b"", b"PK\x03\x04 not a zip", b"<html></html>", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600],
)
@pytest.mark.parametrize("suffix", [".xlsx", ".xls"])
def test_a_file_that_is_no_workbook_is_refused_with_an_issue(tmp_path, body, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(body)
    raw = read_sheet(path)
    assert raw.frame.empty
    assert all(code.startswith("FILE.") for code in codes(raw))
    assert raw.issues
    assert raw.source.rows_in == 0


CSV = "地块编号,地块名称,用地面积（亩）\nA-1,一号,15\nA-2,二号,30\n合计,,45\n"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8-sig", []), ("utf-8", ["ENC.GUESSED"]), ("gb18030", ["ENC.GUESSED"]), ("utf-16", [])],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimited_text_is_read_in_any_usual_encoding_and_delimiter(tmp_path, encoding, said, delimiter):
    path = tmp_path / "a.csv"
    path.write_bytes(CSV.replace(",", delimiter).encode(encoding))
    raw = read_sheet(path)
    assert raw.frame["用地面积（亩）"].tolist() == ["15", "30"]
    assert codes(raw) == [*said, "ATTR.TOTAL_ROW"]
    assert (raw.rows, balances(raw)) == ([2, 3], True)


def test_a_quote_that_is_never_closed_does_not_swallow_records(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(CSV.replace("一号", '"一号'), encoding="utf-8")
    assert "FILE.TRUNCATED" in codes(read_sheet(path))
    path.write_text(CSV.replace("一号", '"一号').replace("合计", '合"计'), encoding="utf-8")
    raw = read_sheet(path)
    assert "FILE.TRUNCATED" in codes(raw)
    assert raw.frame.empty


def test_a_cell_of_two_lines_is_no_fault(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(CSV.replace("一号", '"一号\n（北）"'), encoding="utf-8-sig")
    assert read_sheet(path).frame["地块名称"].tolist() == ["一号\n（北）", "二号"]


def test_a_record_with_one_cell_too_many_is_rejected_because_its_values_have_shifted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("地块编号,用地面积（亩）,用途\nA-1,1,200,工业\nA-2,30,工业\n", encoding="utf-8-sig")
    raw = read_sheet(path)
    assert raw.frame["地块编号"].tolist() == ["A-2"]
    assert [(issue.code, issue.row) for issue in raw.issues] == [("FILE.BAD_RECORD", 2)]
    assert balances(raw)


def test_text_that_ends_within_a_record_is_reported_and_that_record_is_not_taken(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("地块编号,用地面积（亩）,用途\nA-1,15,工业\nA-2,30,工业\nA-3,4", encoding="utf-8-sig")
    raw = read_sheet(path)
    assert raw.frame["地块编号"].tolist() == ["A-1", "A-2"]
    assert [(issue.code, issue.row) for issue in raw.issues] == [("FILE.TRUNCATED", 4)]
    assert balances(raw)


def test_groups_in_text_stand_over_their_first_column_only(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "台账,,,,\n地块编号,地块名称,控制指标,,备注\n,,容积率,投资强度（万元/亩）,\nA-1,一号,1.2,300,\n",
        encoding="utf-8-sig",
    )
    raw = read_sheet(path)
    assert list(raw.frame.columns) == ["地块编号", "地块名称", "容积率", "投资强度（万元/亩）", "备注"]
    assert raw.rows == [4]


def test_records_of_words_only_are_not_taken_for_a_second_header_row():
    grid = Grid(
        "", [["地块编号", "地块名称", "用途"], ["A-1", "名称", "工业用地"], ["A-2", "二号", "工业用地"]]
    )
    header = find_header(grid, Names())
    assert (header.first, header.last) == (0, 0)


def test_a_form_line_above_the_table_is_not_the_header():
    grid = Grid("", [["项目名称", "某园区"], ["地块编号", "容积率", "用途"], ["A-1", 1.2, "工业"]])
    header = find_header(grid, Names())
    assert (header.first, list(header.names.values())) == (1, ["地块编号", "容积率", "用途"])


def test_the_land_sale_records_of_beijing_are_read_whole(shared_data):
    columns = {
        "Electronic supervision number": "parcel_id",
        "Project name": "parcel_name",
        "Area (hectare)": "area_registered_m2",
        "Agreed floor area ratio upper limit": "far_max",
    }
    raw = read_sheet(shared_data / "land_transfer" / "landchina_beijing_2019.xlsx", headers=columns)
    assert raw.source.rows_in == 189
    assert balances(raw)
    read = canonicalise(
        raw.frame, "parcels", columns=columns, units={"Area (hectare)": "公顷"}, rows=raw.rows
    )
    assert read.frame["area_registered_m2"].iloc[0] == 1206.05
    assert read.frame["area_registered_m2"].notna().all()


def test_the_industrial_land_sale_records_are_read_whole(shared_data):
    columns = {"idnumber": "parcel_id", "area": "area_registered_m2", "plot_ratio_minimum": "far_min"}
    raw = read_sheet(shared_data / "land_transfer" / "landchina_2018-12-31_industrial.csv", headers=columns)
    assert len(raw.frame) == raw.source.rows_in == 39
    read = canonicalise(raw.frame, "parcels", columns=columns, units={"area": "公顷"}, rows=raw.rows)
    assert read.frame["far_min"].iloc[0] == 0.7
    assert pd.api.types.is_float_dtype(read.frame["far_min"])


def test_a_workbook_that_makes_the_reader_of_cells_panic_costs_only_itself(tmp_path):
    # The head of an OLE file of 527 bytes: its sector table points into what is not there.
    head = struct.pack("<8s16xHHHHH6x", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6)
    (tmp_path / "a.xls").write_bytes(
        head + struct.pack("<9I", 0, 1, 0, 0, 4096, 0, 0, 0xFFFFFFFE, 0) + bytes(451)
    )
    raw = read_sheet(tmp_path / "a.xls")
    assert [(issue.code, issue.value) for issue in raw.issues] == [("FILE.UNREADABLE", "calamine")]


def test_a_damaged_part_of_a_workbook_never_raises_and_the_rows_balance(tmp_path):
    path = workbook(tmp_path / "a.xlsx", HORROR, merges=HORROR_MERGES)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    chance = random.Random(20240601)
    for _ in range(60):
        name = chance.choice([n for n in parts if n.startswith("xl/")])
        body = bytearray(parts[name])
        for _ in range(chance.randint(1, 5)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
            for other, whole in parts.items():
                archive.writestr(other, bytes(body) if other == name else whole)
        raw = read_sheet(tmp_path / "b.xlsx")
        assert len(raw.frame) or raw.issues
        assert balances(raw)
