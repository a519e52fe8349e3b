"""勘测定界 界址点 TXT: every variant of the field read as what it means, every fault told by its line, and written back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sources import found, row_of

from landplan.cli import main
from landplan.crs import measure_areas
from landplan.errors import CRSError, StoreError, UsageError
from landplan.issues import codes
from landplan.read import inspect_files, read_source, read_table
from landplan.read.points import EDITIONS, Edition, read_points, write_points
from landplan.read.points.zones import plane_of

N, E = 4_170_000.0, 500_000.0  # a northing of 晋中 and the central meridian, without prefix
NOTES = {"ENC.GUESSED", "CRS.ZONE_FROM_PREFIX", "TXT.CLOSING_NAME"}


def head(**items: str) -> list[str]:
    said = {
        "坐标系": "2000国家大地坐标系",
        "几度分带": "3",
        "投影类型": "高斯克吕格",
        "计量单位": "米",
        "带号": "38",
        **items,
    }
    return ["[属性描述]", *(f"{key}={value}" for key, value in said.items() if value != "-"), "[地块坐标]"]


def square(
    side: float = 100.0, *, x: float = 0.0, y: float = 0.0, zone: int = 38
) -> list[tuple[float, float]]:
    """Corners (north, east) of a square whose south-west corner lies x east and y north of the origin."""
    n, e = N + y, zone * 1e6 + E + x
    return [(n, e), (n, e + side), (n + side, e + side), (n + side, e)]


def listed(
    points: list[tuple[float, float]], ring: int = 1, *, closed: bool = True, first: int = 1, j: str = "J"
) -> list[str]:
    lines = [f"{j}{first + k},{ring},{n:.3f},{e:.3f}" for k, (n, e) in enumerate(points)]
    return [*lines, f"{j}{first},{ring},{points[0][0]:.3f},{points[0][1]:.3f}"] if closed else lines


def plot(
    *rings: list[str], number: str = "A-1", area: str = "1.0000", count: str = "", tail: str = ",,,"
) -> list[str]:
    points = [line for ring in rings for line in ring]
    return [f"{count or len(points)},{area},{number},东地块,面{tail},@", *points]


def save(tmp_path, lines: list[str], *, encoding: str = "utf-8", newline: str = "\n", name: str = "a.txt"):
    path = tmp_path / name
    path.write_bytes(newline.join(lines).encode(encoding))
    return path


def read(tmp_path, lines: list[str], **options):
    raw = read_points(save(tmp_path, lines), **options)
    balanced(raw)
    return raw


def balanced(raw) -> None:
    source = raw.source
    assert source.rows_in == source.rows_imported + source.rows_rejected
    assert len(raw.frame) == len(raw.rows) == source.rows_imported
    # Nothing is refused in silence.
    assert not source.rows_rejected or any(codes()[i.code].severity == "error" for i in raw.issues)


def faults(raw) -> list[str]:
    return [code for code in found(raw) if code not in NOTES]


def areas(raw) -> list[float]:
    return raw.frame.geometry.area.round(2).tolist()


# --- the fifteen files of the field


@pytest.mark.parametrize(
    ("name", "area", "declared"),
    [
        ("44120000072", 12_247.10, "1.2247"),
        ("44120000120", 26_707.77, "2.6708"),
        ("44120000326", 100.04, "0.01"),
        ("44120000669_44120001725_44120002171", 432.53, "0.0433"),
        ("44120000957", 7_749.13, "0.7749"),
        ("44120001111", 60_254.31, "6.0254"),
    ],
)
def test_real_plots_have_the_hectares_their_files_declare_and_no_fault(shared_data, name, area, declared):
    raw = read_points(shared_data / "txt_cn" / f"{name}.txt")
    balanced(raw)
    assert areas(raw) == [area]
    assert raw.frame["地块面积（公顷）"].tolist() == [declared]
    assert (raw.source.crs, raw.source.crs_how, raw.rows, faults(raw)) == ("EPSG:4526", "declared", [10], [])


def test_a_closing_row_under_another_name_gives_the_same_shape(shared_data):
    raw = read_points(shared_data / "txt_cn" / "plot_000.txt")
    same = read_points(shared_data / "txt_cn" / "44120000072.txt")
    assert raw.frame.geometry[0].equals(same.frame.geometry[0])
    assert areas(raw) == [12_247.10]
    assert [(i.code, i.row, i.cell) for i in raw.issues if i.code != "ENC.GUESSED"] == [
        ("TXT.CLOSING_NAME", 16, "J6")
    ]
    assert [title for title in raw.frame.columns if title != "geometry"] == ["地块编号", "地块名称"]


def test_text_in_the_column_of_the_area_is_a_warning_and_the_shape_is_kept(shared_data):
    raw = read_points(shared_data / "txt_cn" / "44120000957_shifted_columns.txt")
    assert areas(raw) == [7_749.13]
    assert [(i.code, i.row, i.value) for i in raw.issues if i.code not in NOTES] == [
        ("TXT.AREA_TEXT", 10, "DKMC")
    ]
    assert codes()["TXT.AREA_TEXT"].severity == "warning"


def test_swapped_axes_are_told_and_a_ring_without_area_costs_its_plot(shared_data):
    raw = read_points(shared_data / "txt_cn" / "readme_xy_swapped.txt")
    balanced(raw)
    assert [(i.code, i.row) for i in raw.issues if i.code != "ENC.GUESSED"] == [
        ("TXT.AXES", 7),
        ("TXT.DEGENERATE", 8),
    ]
    assert [codes()[code].severity for code in ("TXT.AXES", "TXT.DEGENERATE")] == ["warning", "error"]
    assert (raw.source.rows_in, raw.source.rows_rejected) == (1, 1)


def test_three_open_plots_of_one_shape_declare_square_metres(shared_data):
    raw = read_points(shared_data / "txt_cn" / "multi_plot_3.txt")
    assert areas(raw) == [149.5, 149.5, 149.5]
    assert raw.frame["地块面积（m2）"].tolist() == ["100.5", "200.5", "300.5"]
    assert raw.frame["地块名称"].tolist()[:2] == ["地块甲", "地块乙"]
    assert raw.frame["地块名称"].isna().tolist() == [False, False, True]
    assert raw.rows == [10, 15, 20]
    assert faults(raw) == ["GEOM.UNCLOSED", "TXT.AREA_UNIT", "TXT.AREA"] * 3


def test_a_second_ring_beside_the_first_is_a_part_and_a_place_off_china_blocks(shared_data):
    raw = read_points(shared_data / "txt_cn" / "multi_part_short_meta.txt")
    shape = raw.frame.geometry[0]
    assert (shape.geom_type, [part.area for part in shape.geoms]) == ("MultiPolygon", [50.0, 50.0])
    assert [(i.code, i.row, i.value) for i in raw.issues if i.code not in NOTES] == [
        ("TXT.AREA", 10, "10000.00 / 100.00 m2"),
        ("CRS.ZONE", 10, "EPSG:4547，X=10 Y=10"),
    ]
    assert codes()["CRS.ZONE"].is_blocking


def test_a_hundred_square_metres_declared_as_100_are_square_metres(shared_data):
    raw = read_points(shared_data / "txt_cn" / "kanyu_sample.txt")
    assert (areas(raw), faults(raw), raw.source.crs) == ([100.0], ["TXT.AREA_UNIT"], "EPSG:4527")
    table = read_table(shared_data / "txt_cn" / "kanyu_sample.txt", "parcels")
    assert table.frame["area_registered_m2"].tolist() == [100.0]
    assert table.frame.index.tolist() == ["1"]


def test_an_open_ring_is_closed_with_a_warning(shared_data):
    raw = read_points(shared_data / "txt_cn" / "kanyu_unclosed.txt")
    assert (areas(raw), faults(raw)) == ([100.0], ["GEOM.UNCLOSED", "TXT.AREA_UNIT"])
    assert codes()["GEOM.UNCLOSED"].severity == "warning"


def test_a_fullwidth_comma_and_missing_items_are_two_findings_with_their_lines(shared_data):
    raw = read_points(shared_data / "txt_cn" / "kanyu_bad_fullwidth_comma.txt")
    balanced(raw)
    told = [(i.code, i.row, i.value) for i in raw.issues if i.code != "ENC.GUESSED"]
    assert told[:2] == [
        ("TXT.KEYS", 1, "坐标系、几度分带、计量单位、带号"),
        ("TXT.FULLWIDTH", 4, "第 4 行"),
    ]
    # The one point it lists is no ring: that is what costs the plot.
    assert [t[:2] for t in told[2:]] == [("TXT.FEW_POINTS", 5)]
    assert raw.source.rows_rejected == 1


def test_a_list_of_points_with_mixed_separators_is_no_exchange_file(shared_data):
    raw = read_points(shared_data / "txt_cn" / "kanyu_points.txt")
    assert faults(raw) == ["TXT.NOT_EXCHANGE"]
    assert (raw.source.rows_in, raw.frame.empty) == (0, True)
    assert "CSV" in raw.issues[0].as_row()["mend_zh"]


# --- how a file may be written


@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_encodings_and_line_ends_change_nothing(tmp_path, encoding, newline):
    lines = [*head(), *plot(listed(square()), tail=",图幅,工业用地,0601")]
    raw = read_points(save(tmp_path, lines, encoding=encoding, newline=newline))
    assert (areas(raw), raw.rows, faults(raw)) == ([10_000.0], [8], [])
    assert raw.frame[["地块名称", "地块用途", "地类编码", "图幅号"]].iloc[0].tolist() == [
        "东地块",
        "工业用地",
        "0601",
        "图幅",
    ]


def test_the_encoding_a_user_names_is_obeyed_and_a_wrong_name_is_an_error(tmp_path):
    path = save(tmp_path, [*head(), *plot(listed(square()))], encoding="gbk")
    assert read_points(path, encoding="gbk").source.encoding_how == "option"
    with pytest.raises(UsageError):
        read_points(path, encoding="klingon")
    with pytest.raises(CRSError):
        read_points(path, crs="EPSG:1")


@pytest.mark.parametrize(
    "section", [" [属性描述]", "【属性描述】", "［属性描述］", "\ufeff[属性描述]\t", "[ 属性描述 ]"]
)
def test_brackets_of_any_kind_and_blanks_before_them_are_read(tmp_path, section):
    raw = read(tmp_path, [section, *head()[1:-1], "【地块坐标】", *plot(listed(square()))])
    assert (areas(raw), faults(raw)) == ([10_000.0], [])


@pytest.mark.parametrize(
    ("cells", "extras"),
    [
        (",,", []),
        (",,,", []),
        (",图幅,工业用地,0601,,1,B", ["1", "B"]),
        (",图幅,工业用地,0601,,1,B,C,备注", ["1", "B", "C", "备注"]),
    ],
)
def test_lines_of_plots_with_8_to_14_columns_are_read_and_nothing_of_them_is_lost(tmp_path, cells, extras):
    raw = read(tmp_path, [*head(), *plot(listed(square()), tail=cells)])
    assert (areas(raw), faults(raw)) == ([10_000.0], [])
    assert [raw.frame[title][0] for title in raw.frame if title.startswith("附加列")] == extras


@pytest.mark.parametrize("width", [7, 15])
def test_a_line_of_a_plot_with_other_columns_is_told(tmp_path, width):
    cells = ["5", "1.0000", "A-1", "东", "面", *[""] * (width - 6), "@"]
    raw = read(tmp_path, [*head(), ",".join(cells), *listed(square())])
    assert [(i.code, i.row, i.value) for i in raw.issues if i.code == "TXT.HEADER"] == [
        ("TXT.HEADER", 8, f"{width} 列")
    ]
    assert areas(raw) == [10_000.0]


def test_a_line_of_a_plot_without_its_sign_is_read_and_told(tmp_path):
    raw = read(tmp_path, [*head(), "5,1.0000,A-1,东,面,,,", *listed(square())])
    assert (areas(raw), found(raw)[-1]) == ([10_000.0], "TXT.HEADER")
    assert raw.frame["地块编号"].tolist() == ["A-1"]


def test_a_comma_inside_a_name_moves_nothing(tmp_path):
    raw = read(tmp_path, [*head(), "5,1.0000,A-1,东,西,面,图幅,,,@", *listed(square())])
    assert raw.frame.loc[0, ["地块名称", "图幅号"]].tolist() == ["东,西", "图幅"]
    assert faults(raw) == ["TXT.HEADER"]
    wide = read(tmp_path, [*head(), "5,1.0000,A-1,东，西,面,图幅,,,@", *listed(square())])
    assert (wide.frame["地块名称"][0], faults(wide)) == ("东，西", [])


def test_without_a_line_of_a_plot_the_points_are_one_plot_known_by_its_line(tmp_path):
    raw = read(tmp_path, [*head(), *listed(square())])
    assert (areas(raw), raw.rows) == ([10_000.0], [8])
    assert [(i.code, i.row) for i in raw.issues if i.code == "TXT.HEADER"] == [("TXT.HEADER", 8)]
    table = read_table(tmp_path / "a.txt", "parcels")
    assert table.frame.index.tolist() == ["row-8"]
    assert not table.is_rejected


def test_bare_points_without_any_section_are_read_and_what_is_missing_is_told(tmp_path):
    raw = read(tmp_path, listed(square(), j=""))
    assert (areas(raw), raw.source.crs, raw.source.crs_how) == ([10_000.0], "EPSG:4526", "content")
    assert set(found(raw)) == {"ENC.GUESSED", "TXT.HEADER", "TXT.KEYS", "CRS.ZONE_FROM_PREFIX"} - {
        "ENC.GUESSED"
    }


def test_two_blocks_of_one_zone_make_one_frame_and_one_of_each_zone_degrees(tmp_path):
    one = [*head(), *plot(listed(square()))]
    raw = read(tmp_path, [*one, *head(), *plot(listed(square(x=300)), number="A-2")])
    assert (raw.source.crs, areas(raw), raw.frame["地块编号"].tolist()) == (
        "EPSG:4526",
        [1e4, 1e4],
        ["A-1", "A-2"],
    )
    two = read(tmp_path, [*one, *head(带号="37"), *plot(listed(square(zone=37)), number="B-1")])
    assert (two.source.crs, two.source.rows_imported, faults(two)) == ("EPSG:4490", 2, [])
    measured = measure_areas(two.frame)
    assert measured["area_m2"].round(3).tolist() == [10_000.0, 10_000.0]
    assert measured["measure_epsg"].tolist() == [4547, 4546]


def test_other_sections_and_comments_are_passed_over(tmp_path):
    raw = read(tmp_path, ["[扩展信息]", "1,2,3,4", "x", *head(), "# 注释", *plot(listed(square()))])
    assert (areas(raw), faults(raw)) == ([10_000.0], [])


def test_fullwidth_commas_points_and_digits_are_read_and_told_once_with_their_lines(tmp_path):
    lines = [*head(), *plot(listed(square()))]
    lines[8] = lines[8].replace(",", "，")
    lines[10] = lines[10].replace(".", "。").replace("1", "１")
    lines[11] = lines[11].replace(".", "．")
    raw = read(tmp_path, lines)
    assert areas(raw) == [10_000.0]
    assert [(i.code, i.row, i.value) for i in raw.issues if i.code == "TXT.FULLWIDTH"] == [
        ("TXT.FULLWIDTH", 9, "第 9、11、12 行")
    ]


# --- rings


def test_a_ring_inside_another_is_a_hole_and_one_inside_that_a_part(tmp_path):
    rings = [listed(square(100)), listed(square(60, x=20, y=20), 2), listed(square(20, x=40, y=40), 3)]
    raw = read(tmp_path, [*head(), *plot(*rings, area="0.6800")])
    assert (areas(raw), faults(raw)) == ([6_800.0], [])  # 10000 - 3600 + 400
    assert raw.frame.geometry[0].geom_type == "MultiPolygon"


def test_two_rings_of_one_number_are_told_apart_by_their_closing(tmp_path):
    raw = read(tmp_path, [*head(), *plot(listed(square()), listed(square(20, x=40, y=40)), area="0.9600")])
    assert (areas(raw), faults(raw)) == ([9_600.0], [])


def test_open_rings_of_one_number_are_told_apart_by_their_names(tmp_path):
    rings = [listed(square(), closed=False), listed(square(20, x=40, y=40), closed=False)]
    raw = read(tmp_path, [*head(), *plot(*rings, area="0.9600")])
    assert (areas(raw), faults(raw)) == ([9_600.0], ["GEOM.UNCLOSED", "GEOM.UNCLOSED"])


@pytest.mark.parametrize("j", ["J", "", "JZD-"])
def test_numbers_may_go_on_through_the_rings_and_names_may_lack_their_letter(tmp_path, j):
    rings = [listed(square(), j=j), listed(square(20, x=40, y=40), 2, first=5, j=j)]
    raw = read(tmp_path, [*head(), *plot(*rings, area="0.9600")])
    assert (areas(raw), faults(raw)) == ([9_600.0], [])


def test_a_closing_point_with_the_number_of_another_ring_still_closes(tmp_path):
    points = listed(square())
    points[-1] = points[-1].replace("J1,1,", "J1,3,")
    raw = read(tmp_path, [*head(), *plot(points)])
    assert (areas(raw), faults(raw)) == ([10_000.0], [])


def test_a_ring_closed_twice_is_one_ring(tmp_path):
    points = listed(square())
    raw = read(tmp_path, [*head(), *plot([*points, points[0]])])
    assert (areas(raw), faults(raw)) == ([10_000.0], [])


def test_a_closing_point_four_centimetres_off_is_taken_for_the_first_and_one_further_off_is_not(tmp_path):
    near = [*listed(square(), closed=False), f"J1,1,{N + 0.04:.3f},38500000.000"]
    raw = read(tmp_path, [*head(), *plot(near)])
    assert (areas(raw), faults(raw)) == ([10_000.0], ["GEOM.UNCLOSED"])
    far = [*listed(square(), closed=False), f"J1,1,{N + 4:.3f},38500000.000"]
    raw = read(tmp_path, [*head(), *plot(far)])
    assert [(i.code, i.row) for i in raw.issues if i.code != "ENC.GUESSED"] == [("TXT.CLOSING", 13)]
    assert raw.source.rows_rejected == 1


@pytest.mark.parametrize("second", [square(100, x=50, y=50), square(100)])
def test_rings_that_cross_or_repeat_are_not_guessed_at(tmp_path, second):
    raw = read(tmp_path, [*head(), *plot(listed(square()), listed(second, 2))])
    assert [(i.code, i.row) for i in raw.issues if i.code != "ENC.GUESSED"] == [("TXT.RINGS", 14)]
    assert raw.source.rows_rejected == 1


def test_a_bow_tie_is_handed_on_as_drawn_for_a_person_to_settle(tmp_path):
    a, b, c, d = square()
    raw = read(tmp_path, [*head(), *plot(listed([a, c, b, d]), area="")])
    assert raw.source.rows_imported == 1
    assert "GEOM.INVALID" in [i.code for i in inspect_files([tmp_path / "a.txt"])[0].issues]


def test_lines_and_points_are_no_plots_and_are_said_so(tmp_path):
    line = ["4,,L-1,路,线,,,,@", *listed(square(), closed=False)]
    point = ["4,,P-1,桩,点,,,,@", *listed(square(), closed=False)]
    raw = read(tmp_path, [*head(), *line, *point, *plot(listed(square()))])
    assert raw.frame.geom_type.tolist() == ["MultiLineString", "MultiPoint", "Polygon"]
    assert [(i.code, i.row, i.value) for i in raw.issues if i.code == "GEOM.TYPE"] == [
        ("GEOM.TYPE", 8, "线"),
        ("GEOM.TYPE", 13, "点"),
    ]


# --- bad lines cost their plot and no other


@pytest.mark.parametrize(
    "bad",
    [
        "J3,1,4170100.000",
        "J3,1,4170100.000,3850010o.000",
        "J3,1,4170100.000,3.85E+07",
        "J3,1,4170100.000,",
        "J3,1,417 0100.000,38500100.000",
        "J3,1,4170100.000,nan",
        "J3,x,4170100.000,38500100.000",
        "J3,1,4170100,000,38500100.000",
        "J3",
        "J3,1,4170100.000,385001",
        "J3,1,41701,38500100.000",
        "J3,1,4170100.000,500100.000",
        "J3,1,4170100.000,37500100.000",
    ],
)
def test_a_bad_point_is_told_by_its_line_and_costs_its_plot_only(tmp_path, bad):
    points = listed(square())
    points[2] = bad
    raw = read(tmp_path, [*head(), *plot(points), *plot(listed(square(x=300)), number="A-2")])
    assert [(i.code, i.row) for i in raw.issues if i.code in {"TXT.POINT", "TXT.FEW_POINTS"}] == [
        ("TXT.POINT", 11)
    ]
    assert (raw.frame["地块编号"].tolist(), areas(raw), raw.source.rows_rejected) == (["A-2"], [10_000.0], 1)
    assert next(i.value for i in raw.issues if i.code == "TXT.POINT")


def test_every_bad_line_of_a_plot_is_told_at_once(tmp_path):
    points = listed(square())
    points[1], points[3] = "J2,1,x,y", "J4,1,a,b"
    raw = read(tmp_path, [*head(), *plot(points)])
    assert [(i.row, i.cell, i.parcel_id) for i in raw.issues if i.code == "TXT.POINT"] == [
        (10, "J2", ""),
        (12, "J4", ""),
    ]


def test_a_point_left_out_is_told_by_the_count(tmp_path):
    raw = read(tmp_path, [*head(), *plot(listed(square()), count="9")])
    assert [(i.code, i.row, i.value) for i in raw.issues if i.code == "TXT.COUNT"] == [
        ("TXT.COUNT", 8, "9 / 5")
    ]


@pytest.mark.parametrize("count", ["4", "5"])
def test_the_count_may_hold_the_closing_point_or_not(tmp_path, count):
    assert faults(read(tmp_path, [*head(), *plot(listed(square()), count=count)])) == []


def test_a_plot_without_points_is_rejected(tmp_path):
    raw = read(tmp_path, [*head(), "5,1.0,A-1,东,面,,,,@", *plot(listed(square()), number="A-2")])
    assert [(i.code, i.row) for i in raw.issues if i.code == "TXT.FEW_POINTS"] == [("TXT.FEW_POINTS", 8)]
    assert (raw.source.rows_in, raw.source.rows_rejected) == (2, 1)


def test_a_file_with_sections_and_nothing_in_them_is_empty(tmp_path):
    assert faults(read(tmp_path, head())) == ["FILE.EMPTY"]


# --- where it lies


def shifted(zone_written: int | None, **items: str) -> list[str]:
    points = [(n, e if zone_written is None else e - 38e6 + zone_written * 1e6) for n, e in square()]
    return [*head(**items), *plot(listed(points))]


@pytest.mark.parametrize(
    ("written", "said", "epsg", "told"),
    [
        (38, "38", 4526, []),
        (38, "-", 4526, []),
        (0, "38", 4547, []),
        (39, "38", 4527, ["TXT.ZONE_MISMATCH"]),
        (38, "99", 4526, ["TXT.ZONE_MISMATCH"]),
        (38, "第38带", 4526, []),
    ],
)
def test_the_prefix_wins_then_the_description_and_what_disagrees_is_told(tmp_path, written, said, epsg, told):
    raw = read(tmp_path, shifted(written, 带号=said))
    assert (raw.frame.crs.to_epsg(), areas(raw), faults(raw)) == (epsg, [10_000.0], told)
    if told:
        assert row_of(raw, "TXT.ZONE_MISMATCH") == 6


def test_without_prefix_and_without_zone_the_plots_are_refused(tmp_path):
    raw = read(tmp_path, shifted(0, 带号="-"))
    assert (faults(raw), raw.source.rows_rejected) == (["TXT.KEYS", "TXT.NO_ZONE"], 1)
    assert [i.value for i in raw.issues if i.code == "TXT.KEYS"] == ["带号"]
    told = read(tmp_path, shifted(0, 带号="-"), crs="EPSG:4547")
    assert (told.source.crs, told.source.crs_how, faults(told)) == ("EPSG:4547", "option", ["CRS.DECLARED"])
    by_profile = read(tmp_path, shifted(0, 带号="-"), crs="EPSG:4547", crs_how="profile")
    assert (by_profile.source.crs, by_profile.source.crs_how) == ("EPSG:4547", "profile")


def test_a_profile_does_not_speak_for_a_file_that_speaks_for_itself(tmp_path):
    raw = read(tmp_path, shifted(38), crs="EPSG:4525", crs_how="profile")
    assert (raw.source.crs, raw.source.crs_how) == ("EPSG:4526", "declared")


def test_a_crs_the_numbers_contradict_is_refused(tmp_path):
    raw = read(tmp_path, shifted(38), crs="EPSG:4525")
    assert (faults(raw), raw.source.rows_rejected) == (["CRS.DECLARED", "CRS.ZONE"], 1)


@pytest.mark.parametrize(("written", "said", "epsg"), [(19, "19", 4497), (0, "19", 4508)])
def test_zones_of_six_degrees_are_read(tmp_path, written, said, epsg):
    raw = read(tmp_path, shifted(written, 带号=said, 几度分带="6"))
    assert (raw.frame.crs.to_epsg(), areas(raw), faults(raw)) == (epsg, [10_000.0], [])


def test_a_width_that_does_not_have_the_zone_is_told_and_the_zone_believed(tmp_path):
    raw = read(tmp_path, shifted(38, 几度分带="6"))
    assert (raw.source.crs, faults(raw), row_of(raw, "TXT.ZONE_MISMATCH")) == (
        "EPSG:4526",
        ["TXT.ZONE_MISMATCH"],
        3,
    )


@pytest.mark.parametrize("width", ["3度", "三度带", "3.0", "3度分带"])
def test_the_width_of_a_zone_may_be_in_words(tmp_path, width):
    assert faults(read(tmp_path, shifted(38, 几度分带=width))) == []


@pytest.mark.parametrize(
    "datum",
    ["1980西安坐标系", "西安80", "北京54", "1954年北京坐标系", "80国家大地坐标系", "太原市独立坐标系"],
)
def test_other_datums_are_refused_with_the_reason(tmp_path, datum):
    raw = read(tmp_path, shifted(38, 坐标系=datum))
    assert [(i.code, i.row, i.value) for i in raw.issues if i.code != "ENC.GUESSED"] == [
        ("CRS.DATUM", 2, datum)
    ]
    assert "转换参数" in raw.issues[-1].as_row()["message_zh"]
    assert raw.source.rows_rejected == 1


@pytest.mark.parametrize(
    "datum", ["2000国家大地坐标系", "CGCS2000", "国家2000", "CGCS_2000", "ＣＧＣＳ２０００", "WGS84"]
)
def test_names_of_the_modern_datum_are_understood(tmp_path, datum):
    assert faults(read(tmp_path, shifted(38, 坐标系=datum))) == []


@pytest.mark.parametrize("items", [{"投影类型": "UTM"}, {"计量单位": "度"}, {"几度分带": "1.5"}])
def test_other_projections_and_units_are_refused(tmp_path, items):
    raw = read(tmp_path, shifted(38, **items))
    assert (faults(raw), raw.source.rows_rejected) == (["TXT.PROJECTION"], 1)


def test_transformation_parameters_are_not_applied_in_silence(tmp_path):
    raw = read(tmp_path, shifted(38, 转换参数="1.5,0,0,0,0,0,0"))
    assert (faults(raw), row_of(raw, "TXT.PARAMETERS")) == (["TXT.PARAMETERS"], 7)
    assert faults(read(tmp_path, shifted(38, 转换参数="0,0,0,0,0,0,0"))) == []


@pytest.mark.parametrize("written", [38, 0])
def test_swapped_axes_are_put_right_and_told(tmp_path, written):
    lines = shifted(written)
    lines[8:] = [",".join([a, b, d, c]) for a, b, c, d in (line.split(",") for line in lines[8:])]
    raw = read(tmp_path, lines)
    assert (areas(raw), faults(raw), row_of(raw, "TXT.AXES")) == ([10_000.0], ["TXT.AXES"], 8)
    assert raw.frame.geometry[0].equals(read(tmp_path, shifted(written)).frame.geometry[0])


def test_degrees_are_not_taken_for_metres(tmp_path):
    points = [(37.5, 112.7), (37.5, 112.701), (37.501, 112.701)]
    raw = read(tmp_path, [*head(), *plot(listed(points))])
    assert ([c for c in faults(raw) if c != "TXT.KEYS"], raw.source.rows_rejected) == (["CRS.UNITS"], 1)


# --- areas


@pytest.mark.parametrize(
    ("declared", "title", "canonical", "told"),
    [
        ("1.0000", "地块面积（公顷）", 10_000.0, []),
        ("1", "地块面积（公顷）", 10_000.0, []),
        ("1.0000公顷", "地块面积（公顷）", 10_000.0, []),
        ("10000.00", "地块面积（m2）", 10_000.0, ["TXT.AREA_UNIT"]),
        ("10000平方米", "地块面积（公顷）", 10_000.0, []),
        ("15亩", "地块面积（公顷）", 10_000.0, []),
        ("1.2", "地块面积（公顷）", 12_000.0, ["TXT.AREA"]),
        ("9000", "地块面积（m2）", 9_000.0, ["TXT.AREA_UNIT", "TXT.AREA"]),
    ],
)
def test_the_shape_tells_hectares_from_square_metres(tmp_path, declared, title, canonical, told):
    raw = read(tmp_path, [*head(), *plot(listed(square()), area=declared)])
    assert (raw.frame[title].tolist(), faults(raw)) == ([declared], told)
    table = read_table(tmp_path / "a.txt", "parcels").frame
    assert table["area_registered_m2"].tolist() == [pytest.approx(canonical)]


def test_one_plot_in_another_unit_than_the_rest_keeps_its_own(tmp_path):
    lines = head()
    for k, area in enumerate(["1.0000", "1.0", "10000"]):
        lines += plot(listed(square(x=300 * k)), number=f"A-{k}", area=area)
    raw = read(tmp_path, lines)
    assert raw.frame["地块面积（公顷）"].tolist() == ["1.0000", "1.0", "10000m2"]
    assert [(i.code, i.row) for i in raw.issues if i.code in {"TXT.AREA_UNIT", "TXT.AREA"}] == [
        ("TXT.AREA_UNIT", 20)
    ]
    assert read_table(tmp_path / "a.txt", "parcels").frame["area_registered_m2"].tolist() == [1e4, 1e4, 1e4]


def test_an_area_of_nought_is_unknown_and_not_nought(tmp_path):
    raw = read(tmp_path, [*head(), *plot(listed(square()), area="0")])
    assert (faults(raw), "地块面积（公顷）" in raw.frame) == (["TXT.AREA_TEXT"], False)


# --- as a source like any other


def test_the_front_door_reads_it_like_any_source(tmp_path):
    path = save(
        tmp_path,
        [*head(), *plot(listed(square())), *plot(listed(square(x=300)), number="A-2")],
        encoding="gbk",
    )
    raw = read_source(path)
    assert (areas(raw), raw.source.encoding) == ([1e4, 1e4], "gb18030")
    inspected = inspect_files([path])[0]
    assert (inspected.outcome, inspected.kind, inspected.table) == ("accepted", "txt", "parcels")
    assert inspected.recognised == {
        "地块编号": "parcel_id",
        "地块名称": "parcel_name",
        "地块面积（公顷）": "area_registered_m2",
    }
    assert inspected.source.area_m2 == pytest.approx(20_000.0)


def test_what_is_told_of_a_plot_names_the_parcel(tmp_path):
    lines = [
        *head(),
        *plot(listed(square(), closed=False)),
        *plot(listed(square(x=300)), number="A-2", count="9"),
    ]
    issues = read_table(save(tmp_path, lines), "parcels").issues
    assert [(i.code, i.parcel_id) for i in issues if i.row] == [
        ("GEOM.UNCLOSED", "A-1"),
        ("TXT.COUNT", "A-2"),
    ]


def test_a_picture_under_the_suffix_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 9)
    assert found(read_source(tmp_path / "a.txt")) == ["FILE.TYPE"]


@settings(max_examples=150)
@given(st.data())
def test_bytes_changed_at_random_give_plots_or_issues_and_never_an_exception(tmp_path_factory, data):
    body = bytearray(
        "\r\n".join([*head(), *plot(listed(square()), listed(square(20, x=40, y=40), 2))]).encode("gbk")
    )
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(body) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "double"]))
        if kind == "set":
            body[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del body[at : at + data.draw(st.integers(1, 30))]
        else:
            body[at:at] = body[at : at + 30]
        assume(body)
    path = tmp_path_factory.mktemp("fuzz") / "a.txt"
    path.write_bytes(bytes(body))
    raw = read_source(path)
    balanced(raw)
    assert raw.source.rows_imported or raw.issues


# --- written


def parcels(shapes: list[shapely.Geometry], crs: int = 4547, **columns: list[object]) -> gpd.GeoDataFrame:
    index = pd.Index([f"A-{k + 1}" for k in range(len(shapes))], name="parcel_id")
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=crs, index=index)


def box(x: float = 0.0, side: float = 100.0) -> shapely.Polygon:
    return shapely.box(E + x, N, E + x + side, N + side)


def test_the_standard_edition_is_what_surveyors_write(tmp_path):
    frame = parcels([box()], parcel_name=["东,西\n地块"], land_use=["工业用地"], land_use_code=["0601"])
    path = write_points(frame, tmp_path / "out.txt", made_by="测绘院", made_on=date(2026, 11, 20))
    assert path.read_bytes().decode("gbk").split("\r\n") == [
        "[属性描述]", "格式版本号=1.01", "数据产生单位=测绘院", "数据产生日期=2026-11-20", "坐标系=2000国家大地坐标系", "几度分带=3",
        "投影类型=高斯克吕格", "计量单位=米", "带号=38", "精度=0.001", "转换参数=,,,,,,", "[地块坐标]",
        "5,1.0000,A-1,东，西 地块,面,,工业用地,0601,@",
        "J1,1,4170000.000,38500100.000", "J2,1,4170100.000,38500100.000", "J3,1,4170100.000,38500000.000",
        "J4,1,4170000.000,38500000.000", "J1,1,4170000.000,38500100.000", "",
    ]  # fmt: skip


@pytest.mark.parametrize("name", list(EDITIONS))
def test_every_edition_reads_back_as_it_was(tmp_path, name):
    ring = box().difference(shapely.box(E + 40, N + 40, E + 60, N + 60))
    frame = parcels([shapely.MultiPolygon([ring, box(200, 30)])])
    raw = read_points(write_points(frame, tmp_path / "out.txt", EDITIONS[name]))
    assert areas(raw) == [10_500.0]
    assert set(faults(raw)) <= (
        {"GEOM.UNCLOSED"} if name == "open" else {"TXT.HEADER"} if name == "points" else set()
    )
    assert raw.source.crs == ("EPSG:4547" if name == "plain" else "EPSG:4526")


def test_parcels_of_two_zones_become_two_blocks(tmp_path):
    lonlat = gpd.GeoSeries([box(), shapely.box(500_000, N, 500_100, N + 100)], crs=4547)
    west = gpd.GeoSeries([lonlat[1]], crs=4546).to_crs(4490)[0]
    frame = parcels([lonlat.to_crs(4490)[0], west], crs=4490)
    path = write_points(frame, tmp_path / "out.txt", replace(EDITIONS["standard"], decimals=4))
    text = path.read_bytes().decode("gbk")
    assert [line for line in text.split("\r\n") if line.startswith("带号")] == ["带号=37", "带号=38"]
    raw = read_points(path)
    assert raw.frame["地块编号"].tolist() == ["A-2", "A-1"]
    assert measure_areas(raw.frame)["area_m2"].round(1).tolist() == [10_000.0, 10_000.0]


def test_zones_of_six_degrees_are_written_on_demand(tmp_path):
    frame = parcels([box(-10_000)])  # west of 114E: zone 19, 108E to 114E
    raw = read_points(write_points(frame, tmp_path / "out.txt", Edition(zone_width=6)))
    assert raw.source.crs == "EPSG:4497"
    back = raw.frame.to_crs(4547).geometry[0]
    assert back.hausdorff_distance(frame.geometry.iloc[0]) < 0.002


def test_a_frame_in_a_zoned_plane_keeps_every_digit(tmp_path):
    shape = shapely.box(38_500_000.123, N + 0.456, 38_500_100.789, N + 99.001)
    raw = read_points(write_points(parcels([shape], crs=4526), tmp_path / "out.txt"))
    assert np.array_equal(shapely.get_coordinates(raw.frame.geometry[0]), shapely.get_coordinates(shape))


def test_what_cannot_be_written_is_said_all_at_once_and_nothing_is_written(tmp_path):
    bow = shapely.Polygon([(E, N), (E + 9, N + 9), (E + 9, N), (E, N + 9)])
    frame = parcels([bow, box()])
    frame.index = pd.Index(["A,1", "B"], name="parcel_id")
    with pytest.raises(StoreError) as error:
        write_points(frame, tmp_path / "out.txt", EDITIONS["points"])
    assert len(error.value.faults) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_polygon_that_rounding_breaks_is_refused(tmp_path):
    thin = shapely.Polygon([(E, N), (E + 100, N), (E + 100, N + 0.0001)])
    with pytest.raises(StoreError) as error:
        write_points(parcels([thin]), tmp_path / "out.txt")
    assert "小数" in error.value.faults[0].mend_zh


def test_a_character_the_encoding_lacks_is_named(tmp_path):
    frame = parcels([box()], parcel_name=["𠮷"])
    with pytest.raises(StoreError) as error:
        write_points(frame, tmp_path / "out.txt", replace(EDITIONS["standard"], encoding="gbk"))
    assert "𠮷" in error.value.faults[0].zh
    assert read_points(write_points(frame, tmp_path / "out.txt")).frame["地块名称"].tolist() == ["𠮷"]


def test_an_edition_that_is_none_is_a_wrong_use_with_every_reason(tmp_path):
    wrong = Edition(
        columns=7, decimals=9, encoding="utf-16", area_unit="亩", zone_width=5, newline="x", point_prefix="1,"
    )
    with pytest.raises(UsageError) as error:
        write_points(parcels([box()]), tmp_path / "out.txt", wrong)
    assert len(error.value.faults) == 7


def test_another_datum_is_not_written_as_cgcs2000(tmp_path):
    with pytest.raises(CRSError):
        write_points(parcels([box()], crs=2383), tmp_path / "out.txt")


def test_the_command_writes_the_edition_that_is_asked_for(tmp_path, capsys):
    source = write_points(parcels([box(), box(300)]), tmp_path / "a.txt")
    out = tmp_path / "out.txt"
    words = [
        "export-txt",
        str(source),
        "-o",
        str(out),
        "--edition",
        "plain",
        "--columns",
        "8",
        "--decimals",
        "2",
        "--parcel",
        "A-2",
    ]
    with pytest.raises(SystemExit) as left:
        main([*words, "--text-encoding", "utf-8", "--made-by", "测绘院"])
    assert left.value.code == 0
    assert "1 宗" in capsys.readouterr().out
    lines = out.read_text("utf-8").splitlines()
    assert (lines[2], lines[8], lines[12]) == ("数据产生单位=测绘院", "带号=38", "5,1.0000,A-2,,面,,,@")
    assert lines[13] == "J1,1,4170000.00,500400.00"


@pytest.mark.parametrize("wrong", [["--edition", "x"], ["--columns", "3"], ["--parcel", "B-1"]])
def test_the_command_says_what_is_wrong_with_its_words(tmp_path, capsys, wrong):
    source = write_points(parcels([box()]), tmp_path / "a.txt")
    with pytest.raises(SystemExit) as left:
        main(["export-txt", str(source), "-o", str(tmp_path / "out.txt"), *wrong])
    assert left.value.code == 2
    assert wrong[1] in capsys.readouterr().err
    assert not (tmp_path / "out.txt").exists()


@st.composite
def polygon_sets(draw) -> list[shapely.Geometry]:
    """Unions of cells, turned and stretched: parts, holes, parts in holes, rings that touch in a point."""
    shapes = []
    for k in range(draw(st.integers(1, 4))):
        cells = draw(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
        union = shapely.union_all([shapely.box(x, y, x + 1, y + 1) for x, y in sorted(cells)])
        angle = draw(st.floats(0, 2 * np.pi))
        scale = draw(st.floats(0.5, 500))
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        move = np.array([E + draw(st.floats(-9e4, 9e4)) + 5_000 * k, N + draw(st.floats(-9e5, 9e5))])
        shapes.append(shapely.transform(union, lambda c, t=turn, m=move: c @ t.T + m))
    return shapes


@st.composite
def editions(draw) -> Edition:
    return Edition(
        columns=draw(st.integers(8, 14)),
        has_prefix=draw(st.booleans()),
        decimals=draw(st.integers(2, 5)),
        encoding=draw(st.sampled_from(["gbk", "gb18030", "utf-8", "utf-8-sig"])),
        is_closed=draw(st.booleans()),
        point_prefix=draw(st.sampled_from(["J", "", "D"])),
        is_restarting=draw(st.booleans()),
        newline=draw(st.sampled_from(["\r\n", "\n", "\r"])),
        area_unit=draw(st.sampled_from(["公顷", "m2"])),
    )


@settings(max_examples=100)
@given(shapes=polygon_sets(), form=editions(), zone=st.sampled_from([37, 38, 39]))
def test_any_polygon_set_reads_back_as_written(tmp_path_factory, shapes, form, zone):
    frame = parcels(
        shapes, crs=plane_of(zone, False).to_epsg(), parcel_name=[f"地块{k}" for k in range(len(shapes))]
    )
    wanted = [shapely.transform(g, lambda c: np.round(c, form.decimals)) for g in shapes]
    assume(all(shapely.is_valid(g) for g in wanted))
    raw = read_points(write_points(frame, tmp_path_factory.mktemp("points") / "a.txt", form))
    balanced(raw)
    assert raw.source.rows_imported == len(shapes)
    assert raw.frame["地块编号"].tolist() == frame.index.tolist()
    assert raw.frame["地块名称"].tolist() == frame["parcel_name"].tolist()
    assert raw.frame.crs == plane_of(zone, form.has_prefix)
    shift = [zone * 1e6, 0.0] if form.has_prefix else [0.0, 0.0]
    for back, before in zip(raw.frame.geometry, wanted, strict=True):
        moved = shapely.transform(back, lambda c: c - shift)
        assert shapely.equals_exact(
            moved.normalize(), before.normalize(), tolerance=10.0**-form.decimals / 100
        )
    title = next(t for t in raw.frame if t.startswith("地块面积"))
    factor = 1e4 if "公顷" in title else 1.0
    declared = [float(cell.removesuffix("m2").removesuffix("公顷")) * factor for cell in raw.frame[title]]
    assert declared == pytest.approx([g.area for g in wanted], rel=1e-3, abs=0.51)
    assert "TXT.AREA" not in found(raw)
    assert not {"TXT.RINGS", "TXT.COUNT", "CRS.ZONE", "TXT.ZONE_MISMATCH"} & set(found(raw))
