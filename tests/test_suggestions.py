"""Suggested values: given where one reading is left, asked where there are two, and never guessed."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pyproj
import pytest
import shapely
from sources import squares

from landplan.attach import attach_ledger
from landplan.crs import measure_areas
from landplan.issues import Issue
from landplan.read.place import decide_crs
from landplan.read.records import Collector
from landplan.repair import find_conflicts, reconcile_areas, repair_parcels
from landplan.schema import canonicalise
from landplan.tables import issue_table


def issues(table: str = "parcels", **columns: list[object]) -> list[Issue]:
    return canonicalise(pd.DataFrame(columns, dtype="object"), table).issues


def only(code: str, table: str = "parcels", **columns: list[object]) -> Issue:
    (found,) = [issue for issue in issues(table, **columns) if issue.code == code]
    return found


def test_limit_and_suggestion_are_columns_of_the_issues_table_and_empty_where_nothing_is_said():
    table = issue_table([Issue("ATTR.NUMBER", value="x", limit="数值", suggestion="12"), Issue("GEOM.NULL")])
    assert table["issue_limit"].tolist() == ["数值", ""]
    assert table["suggestion"].tolist() == ["12", ""]


def test_a_suggestion_can_neither_steer_a_terminal_nor_flood_the_list():
    row = Issue("ATTR.NUMBER", limit="a\x1b[31m", suggestion="x" * 1000).as_row()
    assert row["issue_limit"] == "a [31m"
    assert len(row["suggestion"]) == 200


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("١٢٠.٥", "120.5"),  # Arabic digits
        ("'120.5", "120.5"),
        ("“120.5”", "120.5"),
        ("120.5。", "120.5"),
        ("1O0", ""),  # a letter may be a slip of the finger or of the eye
        ("10²", ""),  # not 102
        ("①", ""),
        ("1 200", ""),  # one number or two
        ("12..5", ""),
        ("abc", ""),
        ("#REF!", ""),
    ],
)
def test_a_number_is_suggested_only_where_its_signs_alone_are_odd(cell, meant):
    found = only("ATTR.NUMBER", **{"投资强度（万元/亩）": [cell]})
    assert (found.suggestion, found.limit) == (meant, "数值（万元/亩）")


@pytest.mark.parametrize("code", ["ATTR.DATE", "ATTR.DATE_PRECISION"])
def test_days_are_suggested_where_one_is_left_and_asked_where_two_are(code):
    cells = {
        "2024年6月": ("ATTR.DATE_PRECISION", "2024-06-01 至 2024-06-30 中的哪一天？", ""),
        "2024": ("ATTR.DATE_PRECISION", "2024-01-01 至 2024-12-31 中的哪一天？", ""),
        "1/2/2024": ("ATTR.DATE", "2024-01-02 还是 2024-02-01？", ""),
        "5/25/2024": ("ATTR.DATE", "年-月-日，如 2024-06-01", "2024-05-25"),
        "5/5/2024": ("ATTR.DATE", "年-月-日，如 2024-06-01", "2024-05-05"),
        "2024、6、1": ("ATTR.DATE", "年-月-日，如 2024-06-01", "2024-06-01"),
        "2024.1": ("ATTR.DATE", "2024 年 1 月还是 10 月？写到日", ""),
        "24.6.1": ("ATTR.DATE", "是 2024-06-01 吗？年份写四位", ""),
        "2024-06-31": ("ATTR.DATE", "年-月-日，如 2024-06-01", ""),  # the 30th or the 1st
        "2024-13-05": ("ATTR.DATE", "年-月-日，如 2024-06-01", ""),
        "待定中": ("ATTR.DATE", "年-月-日，如 2024-06-01", ""),
    }
    wanted = {cell: said for cell, said in cells.items() if said[0] == code}
    found = [i for i in issues("events", 日期=list(wanted)) if i.code == code]
    assert {i.value: (i.code, i.limit, i.suggestion) for i in found} == wanted


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("已完", "已完成"),
        ("（已完成）", "已完成"),
        ("完成。", "完成"),
        ("已收", ""),  # 已收储 is done, 已收回 is void
        ("末完成", ""),  # near to 未完成 and to 已完成 alike
        ("完成了吗", ""),
        ("不通过", ""),
        ("完", ""),
    ],
)
def test_a_word_is_suggested_only_where_it_is_framed_or_begun_and_alone(cell, meant):
    found = only("ATTR.CATEGORY", "events", 状态=[cell])
    assert (found.suggestion, found.limit) == (meant, "完成、办理中、未发生、中止、撤销")


def test_a_code_with_wide_or_invisible_signs_is_named_and_read_as_written():
    cells = ["A-1", "Ａ－２", "A-3\u200b", "A - 4", "2024（工）05号", "地块 1"]
    result = canonicalise(pd.DataFrame({"地块编号": cells}), "parcels")
    found = {issue.row: issue.suggestion for issue in result.issues if issue.code == "ATTR.CODE_SPELLING"}
    assert found == {2: "A-2", 3: "A-3", 4: "A-4"}
    assert result.frame["parcel_id"].tolist() == cells


def test_a_column_without_unit_is_told_how_a_header_with_one_looks():
    assert only("ATTR.NO_UNIT", 投资强度=[100]).limit == "如 固定资产投资强度（万元/亩）"


def test_a_number_of_a_ledger_without_a_parcel_is_told_the_one_that_differs_in_blanks_only():
    parcels = pd.DataFrame(index=pd.Index(["A-1", "A-2", "B1", "b1"], name="parcel_id"))
    ledger = pd.DataFrame({"parcel_name": list("甲乙丙丁")}, index=["A-1", "Ａ-2 ", "A3", "B 1"])
    found = attach_ledger(parcels, ledger, "台账.xlsx")[1]
    assert {issue.value: issue.suggestion for issue in found} == {"Ａ-2 ": "A-2", "A3": "", "B 1": ""}


# --- coordinates ------------------------------------------------------------------------------------------------


def placed(crs: int | None, *, x: float, y: float) -> Issue:
    declared = None if crs is None else pyproj.CRS.from_epsg(crs).to_wkt()
    side = 100 if x > 180 else 0.001
    decision = decide_crs([shapely.box(x, y, x + side, y + side)], declared)
    assert decision.crs is None
    return decision.issues[-1]


@pytest.mark.parametrize(
    ("crs", "x", "y", "code", "meant"),
    [
        (4525, 38_500_000.0, 4_170_000.0, "CRS.ZONE", "EPSG:4526"),  # declared 37, drawn in 38
        (4547, 38_500_000.0, 4_170_000.0, "CRS.ZONE", "EPSG:4526"),  # declared without prefix
        (4526, 500_000.0, 4_170_000.0, "CRS.ZONE", "EPSG:4547"),  # declared with prefix, drawn without
        (4547, 19_500_000.0, 4_170_000.0, "CRS.ZONE", "EPSG:4497"),  # a 6-degree zone
        (4547, 112.5, 37.6, "CRS.UNITS", "EPSG:4490"),
        (4547, 10.0, 20.0, "CRS.UNITS", ""),  # degrees of somewhere else
        (4490, 38_500_000.0, 4_170_000.0, "CRS.UNITS", "EPSG:4526"),
        (4490, 500_000.0, 4_170_000.0, "CRS.UNITS", ""),  # any of 21 zones
    ],
)
def test_the_system_that_fits_is_named_where_prefix_or_declaration_leaves_one(crs, x, y, code, meant):
    found = placed(crs, x=x, y=y)
    assert (found.code, found.suggestion) == (code, meant)


@pytest.mark.parametrize("crs", [4526, None])
def test_swapped_coordinates_are_shown_the_right_way_round(crs):
    found = placed(crs, x=4_170_000.0, y=38_500_000.0)
    assert (found.code, found.suggestion) == ("CRS.AXIS_SWAP", "X=38500050 Y=4170050")


def test_another_datum_is_given_no_zone_of_cgcs2000():
    found = placed(32649, x=38_500_000.0, y=4_170_000.0)
    assert (found.code.startswith("CRS."), found.suggestion) == (True, "")


def test_an_open_ring_is_told_its_first_point():
    collector = Collector("a.geojson", "")
    collector.take({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]}, {})
    (found,) = collector.found.issues
    assert (found.code, found.cell, found.suggestion) == ("GEOM.UNCLOSED", "(0, 0)", "(0, 0)")


# --- areas ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said_m2", "code", "meant"),
    [
        (15.0, "ATTR.UNIT_SUSPECT", "单位：亩"),  # 15 under m2
        (1.0, "ATTR.UNIT_SUSPECT", "单位：公顷"),  # 1 under m2
        (10_000 / 15, "ATTR.UNIT_SUSPECT", "单位：公顷"),  # 1 under 亩
        (150_000.0, "ATTR.UNIT_SUSPECT", "单位：亩"),  # 15 under 公顷
        (10_000 * 2000 / 3, "ATTR.UNIT_SUSPECT", "单位：m2"),  # 10000 under 亩
        (9_000.0, "ATTR.AREA_WRONG", "10000.00 m2（15.00 亩）"),
        (9_950.0, "ATTR.AREA_MISMATCH", "10000.00 m2（15.00 亩）"),
    ],
)
def test_a_suspect_unit_is_named_and_a_wrong_area_is_given_the_measured_one(said_m2, code, meant):
    frame = pd.DataFrame({"area_registered_m2": [said_m2], "area_m2": [10_000.0]}, index=["A"])
    (found,) = reconcile_areas(frame)[1]
    assert (found.code, found.suggestion) == (code, meant)


def test_slivers_and_overlaps_say_what_is_allowed():
    shapes = [
        *squares(1),
        shapely.box(500_090, 4_170_000, 500_190, 4_170_100),
        shapely.box(500_300, 4_170_000, 500_400, 4_170_000.5),
    ]
    frame = gpd.GeoDataFrame(geometry=shapes, index=pd.Index(["A", "B", "C"], name="parcel_id"), crs=4547)
    repaired, _ = repair_parcels(frame)
    assert measure_areas(repaired)["area_m2"].tolist() == [10_000.0, 10_000.0, 50.0]
    limits = {(issue.code, issue.parcel_id): issue.limit for issue in find_conflicts(repaired)}
    assert limits == {
        ("GEOM.OVERLAP", "A"): "0 m2",
        ("GEOM.OVERLAP", "B"): "0 m2",
        ("GEOM.SLIVER", "C"): "≥ 1 m",
    }
