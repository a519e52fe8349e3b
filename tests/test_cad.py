"""Drawings: what bounds an area, in which unit, under which number, and what is said of the rest."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from pathlib import Path

import ezdxf
import pytest
import shapely
from sources import found, row_of

from landplan.read import read_source, read_table
from landplan.read.cad import list_drawing_layers
from landplan.read.cad.faces import close_lines
from landplan.read.cad.labels import Label, name_boundaries
from landplan.read.cad.outline import bend
from landplan.read.curves import CHORD_M

EAST, NORTH = 38_500_000.0, 4_170_000.0  # zone 38, with its prefix


def box(x: float = 0, y: float = 0, side: float = 100, *, by: float = 1.0) -> list[tuple[float, float]]:
    x, y = EAST + x, NORTH + y
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    return [(a * by, b * by) for a, b in corners]


def drawing(version: str = "R2010", unit: int = 6) -> tuple[object, object]:
    document = ezdxf.new(version)
    document.header["$INSUNITS"] = unit
    return document, document.modelspace()


def saved(document: object, path: Path, **options: object) -> Path:
    document.saveas(path, **options)
    return path


def read(document: object, tmp_path: Path, **options: object):
    return read_source(saved(document, tmp_path / "a.dxf"), **options)


def areas(raw) -> list[float]:
    return [round(area, 3) for area in raw.frame.geometry.area]


def test_a_closed_polyline_is_a_parcel_with_the_number_written_in_it(tmp_path):
    document, space = drawing()
    space.add_lwpolyline(box(), close=True, dxfattribs={"layer": "DK"})
    space.add_text("A-01", height=5, dxfattribs={"layer": "ZJ", "insert": (EAST + 40, NORTH + 50)})
    raw = read(document, tmp_path)
    assert areas(raw) == [10_000.0]
    assert raw.frame["地块编号"].tolist() == ["A-01"]
    assert raw.layer == "DK"
    assert raw.frame.crs.to_epsg() == 4526
    assert found(raw) == ["CRS.ZONE_FROM_PREFIX"]
    assert (raw.source.rows_in, raw.source.rows_imported, raw.source.rows_rejected) == (1, 1, 0)
    assert read_table(tmp_path / "a.dxf", "parcels").require().frame.index.tolist() == ["A-01"]


def test_a_polyline_that_returns_to_its_beginning_is_closed_without_the_flag(tmp_path):
    document, space = drawing()
    space.add_lwpolyline([*box(), box()[0]], close=False)
    raw = read(document, tmp_path)
    assert areas(raw) == [10_000.0]
    assert "GEOM.UNCLOSED" not in found(raw)


def test_a_gap_of_half_a_millimetre_is_closed_and_said(tmp_path):
    document, space = drawing()
    x, y = box()[0]
    space.add_lwpolyline([*box(), (x, y + 0.0005)], close=False)
    raw = read(document, tmp_path)
    assert len(raw.frame) == 1
    assert row_of(raw, "GEOM.UNCLOSED") == 1


def test_a_gap_of_half_a_metre_is_not_closed_but_its_place_is_given(tmp_path):
    document, space = drawing()
    x, y = box()[0]
    space.add_lwpolyline([*box(), (x, y + 0.5)], close=False)
    raw = read(document, tmp_path)
    assert found(raw) == ["GEOM.NO_BOUNDARY", "GEOM.OPEN"]
    assert raw.issues[1].cell == "(38500000.000, 4170000.500)"
    assert raw.issues[1].value.startswith("0.500 m")
    assert raw.frame.empty


def test_an_old_style_polyline_is_read_like_a_new_one(tmp_path):
    document, space = drawing("R12")
    space.add_polyline2d(box(), close=True)
    assert areas(read(document, tmp_path)) == [10_000.0]


def test_a_bulge_is_an_arc_drawn_within_a_millimetre(tmp_path):
    document, space = drawing()
    a, b, c, d = box()
    # A half circle of 50 m stands on the northern side.
    space.add_lwpolyline([(*a, 0), (*b, 0), (*c, 1), (*d, 0)], format="xyb", close=True)
    raw = read(document, tmp_path)
    exact = 10_000 + math.pi * 50**2 / 2
    assert raw.frame.geometry.area[0] == pytest.approx(exact, abs=math.pi * 50 * CHORD_M)
    assert raw.frame.geometry.area[0] < exact
    assert [(i.row, i.value) for i in raw.issues if i.code == "GEOM.CURVE"] == [(1, "0.001")]


def test_the_chords_of_an_arc_stay_within_the_stated_distance():
    start, end = (0.0, 0.0), (30.0, 40.0)
    points = [start, *map(tuple, bend(start, end, 0.3, CHORD_M))]
    radius = 50 * (1 + 0.3**2) / (4 * 0.3)
    off = 50 * (1 - 0.3**2) / (4 * 0.3)
    centre = (15 - 0.8 * off, 20 + 0.6 * off)
    for p, q in pairwise(points):
        assert math.dist(p, centre) == pytest.approx(radius)
        middle = ((p[0] + q[0]) / 2, (p[1] + q[1]) / 2)
        assert 0 <= radius - math.dist(middle, centre) <= CHORD_M
    assert points[-1] == end


def test_two_parcels_that_share_an_arc_share_its_vertices(tmp_path):
    document, space = drawing()
    a, b, c, d = box()
    e, f = box(100)[1:3]
    space.add_lwpolyline([(*a, 0), (*b, 0.4), (*c, 0), (*d, 0)], format="xyb", close=True)
    space.add_lwpolyline([(*b, 0), (*e, 0), (*f, 0), (*c, -0.4)], format="xyb", close=True)
    one, other = read(document, tmp_path).frame.geometry
    assert one.intersection(other).area == 0
    assert one.union(other).area == pytest.approx(20_000, abs=1e-3)


def test_a_mirrored_polyline_lies_where_it_is_seen(tmp_path):
    document, space = drawing()
    turned = [(-x, y) for x, y in box()]
    space.add_lwpolyline(turned, close=True, dxfattribs={"extrusion": (0, 0, -1)})
    assert shapely.equals(read(document, tmp_path).frame.geometry[0], shapely.Polygon(box()))


def test_circles_and_closed_splines_bound_areas(tmp_path):
    document, space = drawing()
    space.add_circle((EAST, NORTH), 10)
    space.add_ellipse((EAST + 100, NORTH), major_axis=(20, 0), ratio=0.5)
    raw = read(document, tmp_path)
    assert areas(raw) == [pytest.approx(math.pi * 100, abs=0.1), pytest.approx(math.pi * 200, abs=0.1)]
    assert found(raw).count("GEOM.CURVE") == 2


def test_a_spline_of_senseless_numbers_ends(tmp_path):
    document, space = drawing()
    space.add_spline([(EAST, NORTH), (EAST + 50, NORTH + 80), (EAST + 100, NORTH), (EAST, NORTH)])
    space.add_open_spline([(EAST, NORTH), (1e11, 1e11), (EAST, -1e11), (EAST + 9, NORTH)])
    began = time.perf_counter()
    assert len(read(document, tmp_path).frame) >= 1
    assert time.perf_counter() - began < 5


def test_loose_lines_and_arcs_are_put_together_and_counted(tmp_path):
    document, space = drawing()
    a, b, c, d = box()
    for start, end in ((b, a), (b, c), (d, a)):
        space.add_line(start, end)
    # Its ends come from angles and miss the corners by a few nanometres.
    space.add_arc((EAST + 50, NORTH + 100), radius=50, start_angle=0, end_angle=180)
    space.add_line(c, (EAST + 200, NORTH + 200))
    raw = read(document, tmp_path)
    assert areas(raw) == [pytest.approx(10_000 + math.pi * 1250, abs=0.2)]
    assert set(found(raw)) == {"GEOM.POLYGONISED", "GEOM.CURVE", "CRS.ZONE_FROM_PREFIX"}
    value = next(i.value for i in raw.issues if i.code == "GEOM.POLYGONISED")
    assert value.startswith("1 polygons, 1 dangles, 0 cuts, 0 invalid rings")


def test_lines_that_cross_without_a_common_vertex_bound_an_area():
    sides = [[(-1, 0), (10, 0)], [(9, -1), (9, 10)], [(10, 9), (-1, 9)], [(0, 10), (0, -1)]]
    faces = close_lines([shapely.get_coordinates(shapely.LineString(s)) for s in sides], 0.001)
    assert [face.area for face in faces.polygons] == [81.0]
    assert faces.dangles == 8


def test_a_line_that_stops_a_hair_short_of_another_meets_it():
    sides = [
        [(0, 0), (9, 0)],
        [(9, 0), (9, 9)],
        [(9, 9), (0, 9)],
        [(0, 9), (0, 0)],
        [(4, 1e-7), (4, 9 - 1e-7)],
    ]
    faces = close_lines([shapely.get_coordinates(shapely.LineString(s)) for s in sides], 0.001)
    assert sorted(round(face.area) for face in faces.polygons) == [36, 45]


def test_a_hatch_is_an_area_with_its_holes(tmp_path):
    document, space = drawing()
    hatch = space.add_hatch()
    hatch.paths.add_polyline_path(box(), is_closed=True, flags=1)
    hatch.paths.add_polyline_path(box(40, 40, 20), is_closed=True, flags=0)
    raw = read(document, tmp_path)
    assert areas(raw) == [9_600.0]
    assert len(raw.frame.geometry[0].interiors) == 1


def test_a_hatch_bounded_by_edges_is_closed_from_them(tmp_path):
    document, space = drawing()
    a, b, c, d = box()
    path = space.add_hatch().paths.add_edge_path()
    path.add_line(a, b)
    path.add_line(b, c)
    path.add_arc((EAST + 50, NORTH + 100), radius=50, start_angle=0, end_angle=180)
    path.add_line(d, a)
    assert areas(read(document, tmp_path)) == [pytest.approx(10_000 + math.pi * 1250, abs=0.2)]


def test_a_parcel_that_is_drawn_and_hatched_is_one_parcel(tmp_path):
    document, space = drawing()
    space.add_lwpolyline(box(), close=True)
    space.add_hatch().paths.add_polyline_path(box(), is_closed=True)
    raw = read(document, tmp_path)
    assert len(raw.frame) == 1
    assert "GEOM.DRAWN_TWICE" in found(raw)


def test_a_block_is_exploded_where_it_was_inserted_and_on_the_layer_of_the_insert(tmp_path):
    document, space = drawing()
    block = document.blocks.new("地块")
    block.add_lwpolyline([(0, 0), (10, 0), (10, 10), (0, 10)], close=True)
    block.add_text("B-07", height=1, dxfattribs={"insert": (4, 5)})
    outer = document.blocks.new("外层")
    outer.add_blockref("地块", (5, 5))
    space.add_blockref(
        "外层", (EAST, NORTH), dxfattribs={"layer": "宗地", "xscale": 2, "yscale": 2, "rotation": 90}
    )
    raw = read(document, tmp_path)
    assert raw.layer == "宗地"
    assert shapely.normalize(raw.frame.geometry[0]).equals_exact(
        shapely.normalize(shapely.box(EAST - 30, NORTH + 10, EAST - 10, NORTH + 30)), 1e-6
    )
    assert raw.frame["地块编号"].tolist() == ["B-07"]


def test_a_block_that_holds_itself_ends_and_costs_no_other(tmp_path):
    document, space = drawing()
    block = document.blocks.new("K")
    block.add_lwpolyline([(0, 0), (10, 0), (10, 10), (0, 10)], close=True, dxfattribs={"layer": "块"})
    block.add_blockref("K", (20, 0))
    space.add_blockref("K", (EAST, NORTH))
    space.add_lwpolyline(box(500), close=True, dxfattribs={"layer": "DK"})
    raw = read(document, tmp_path, layer="DK")
    assert areas(raw) == [10_000.0]
    assert "GEOM.SKIPPED" in found(raw)


def test_blocks_that_multiply_without_end_are_refused(tmp_path):
    document, space = drawing()
    document.blocks.new("K0").add_line((0, 0), (1, 1))
    for level in range(1, 4):
        block = document.blocks.new(f"K{level}")
        grid = {"row_count": 200, "column_count": 200, "row_spacing": 1, "column_spacing": 1}
        block.add_blockref(f"K{level - 1}", (0, 0), dxfattribs=grid)
    space.add_blockref("K3", (EAST, NORTH))
    began = time.perf_counter()
    assert found(read(document, tmp_path)) == ["LIMIT.SIZE"]
    assert time.perf_counter() - began < 5


def test_several_layers_with_boundaries_are_listed_and_one_must_be_named(tmp_path):
    document, space = drawing()
    space.add_lwpolyline(box(), close=True, dxfattribs={"layer": "地块界线"})
    space.add_lwpolyline(box(-500, -500, 2000), close=True, dxfattribs={"layer": "图框"})
    space.add_line(*box()[:2], dxfattribs={"layer": "道路"})
    raw = read(document, tmp_path)
    assert [(i.code, i.value) for i in raw.issues] == [("FILE.AMBIGUOUS", "地块界线、图框")]
    assert areas(read(document, tmp_path, layer="地块界线")) == [10_000.0]
    assert found(read(document, tmp_path, layer="没有")) == ["FILE.NO_LAYER"]
    assert found(read(document, tmp_path, layer="道路")) == ["GEOM.NO_BOUNDARY"]
    assert list_drawing_layers(tmp_path / "a.dxf") == ["地块界线", "图框", "道路"]


def test_a_drawing_in_millimetres_is_brought_to_metres_and_it_is_said(tmp_path):
    document, space = drawing(unit=4)
    space.add_lwpolyline(box(by=1000.0), close=True)
    raw = read(document, tmp_path)
    assert areas(raw) == [10_000.0]
    assert [(i.code, i.value) for i in raw.issues if i.code.startswith("CRS.S")] == [("CRS.SCALED", "mm")]


def test_millimetres_are_found_out_where_the_drawing_names_no_unit(tmp_path):
    document, space = drawing(unit=0)
    space.add_lwpolyline(box(by=1000.0), close=True)
    raw = read(document, tmp_path)
    assert areas(raw) == [10_000.0]
    assert "CRS.SCALED" in found(raw)


def test_a_template_that_says_millimetres_over_numbers_in_metres_is_not_believed(tmp_path):
    document, space = drawing(unit=4)
    space.add_lwpolyline(box(), close=True)
    raw = read(document, tmp_path)
    assert areas(raw) == [10_000.0]
    assert "CRS.UNITS_DECLARED" in found(raw)


def test_without_a_zone_prefix_the_user_says_where_the_drawing_lies(tmp_path):
    document, space = drawing(unit=4)
    space.add_lwpolyline([(x - 38_000_000, y) for x, y in box()], close=True)
    assert "CRS.MISSING" in found(read(document, tmp_path))
    raw = read(document, tmp_path, crs="EPSG:4547")
    assert areas(raw) == [10_000.0]
    assert "CRS.UNITS_DECLARED" in found(raw)


@pytest.mark.parametrize("page", ["ANSI_936", "ANSI_1252", None])
def test_chinese_text_of_old_drawings_is_read_whatever_code_page_they_name(tmp_path, page):
    document, space = drawing("R12")
    space.add_polyline2d(box(), close=True, dxfattribs={"layer": "JIEXIAN"})
    space.add_text("ZONGDI12", height=5, dxfattribs={"insert": (EAST + 40, NORTH + 50)})
    path = saved(document, tmp_path / "a.dxf")
    body = path.read_bytes().replace(b"JIEXIAN", "地块界线".encode("gbk"))
    body = body.replace(b"ZONGDI12", "榆次地块12".encode("gbk"))
    page_now = b"$DWGCODEPAGE\n  3\n" + document.header["$DWGCODEPAGE"].encode()
    assert body.count(page_now) == 1
    body = body.replace(page_now, b"$DWGCODEPAGE\n  3\n" + page.encode() if page else b"$USERI1\n 70\n0")
    path.write_bytes(body)
    raw = read_source(path)
    assert raw.layer == "地块界线"
    assert raw.frame["地块编号"].tolist() == ["榆次地块12"]
    told = {"ANSI_936": [], "ANSI_1252": ["ENC.BAD"], None: ["ENC.GUESSED"]}[page]
    assert [code for code in found(raw) if code.startswith("ENC")] == told


def test_the_user_may_name_the_encoding_of_a_drawing(tmp_path):
    document, space = drawing("R2000")
    document.encoding = "cp950"
    document.header["$DWGCODEPAGE"] = "ANSI_950"
    space.add_lwpolyline(box(), close=True, dxfattribs={"layer": "產業園區"})
    raw = read(document, tmp_path, encoding="big5")
    assert (raw.layer, raw.source.encoding_how) == ("產業園區", "option")


def test_characters_written_as_escapes_are_read(tmp_path):
    document, space = drawing("R12")
    space.add_polyline2d(box(), close=True, dxfattribs={"layer": "JIEXIAN"})
    path = saved(document, tmp_path / "a.dxf")
    path.write_bytes(path.read_bytes().replace(b"JIEXIAN", rb"\U+5730\U+5757-1"))
    assert read_source(path).layer == "地块-1"


def test_a_binary_drawing_is_read_like_a_text_one(tmp_path):
    document, space = drawing("R2000")
    space.add_lwpolyline(box(), close=True)
    space.add_mtext(
        "{\\fSimSun|b0;A-02}\\P工业用地", dxfattribs={"insert": (EAST + 50, NORTH + 50), "char_height": 3}
    )
    raw = read_source(saved(document, tmp_path / "a.dxf", fmt="bin"))
    assert areas(raw) == [10_000.0]
    assert raw.frame["地块编号"].tolist() == ["A-02"]
    assert raw.frame["图上文字"].tolist() == ["工业用地"]


@pytest.mark.parametrize(
    ("texts", "number"),
    [
        (["A-01"], "A-01"),
        (["A-01", "工业用地", "12.5亩", "J1", "J2", "100.00"], "A-01"),
        (["地块编号：JZ2024-15", "15"], "JZ2024-15"),
        (["140702 001 002 GB 00013", "2-13"], "140702001002GB00013"),
        (["3号地块", "面积：12000平方米"], "3号地块"),
        (["12", "8000.5"], "12"),
        (["工业用地"], None),
        (["12345.67㎡"], None),
        (["1:500"], None),
        ([], None),
    ],
)
def test_the_text_that_looks_like_a_number_is_the_number(texts, number):
    plot = shapely.box(0, 0, 10, 10)
    assert name_boundaries([plot], [Label(text, (5, 5), (5, 5)) for text in texts])[0].number == number


def test_two_texts_that_look_alike_are_named_and_none_is_taken(tmp_path):
    document, space = drawing()
    space.add_lwpolyline(box(), close=True)
    for text, y in (("A-01", 30), ("A-02", 60)):
        space.add_text(text, height=5, dxfattribs={"insert": (EAST + 40, NORTH + y)})
    raw = read(document, tmp_path)
    assert raw.frame["地块编号"].tolist() == [None]
    assert [(i.row, i.value) for i in raw.issues if i.code == "ATTR.ID_SEVERAL"] == [(1, "A-01、A-02")]


def test_a_text_in_a_parcel_inside_another_belongs_to_the_inner_one():
    outer, inner = shapely.box(0, 0, 100, 100), shapely.box(40, 40, 60, 60)
    named = name_boundaries([outer, inner], [Label("7", (50, 50), (45, 50)), Label("8", (10, 10), (5, 10))])
    assert [one.number for one in named] == ["8", "7"]


def test_objects_that_may_hold_boundaries_but_cannot_be_read_are_counted(tmp_path):
    document, space = drawing()
    space.add_lwpolyline(box(), close=True)
    space.add_3dface([(*p, 0) for p in box()])
    raw = read(document, tmp_path)
    assert [(i.code, i.value) for i in raw.issues if i.code == "GEOM.SKIPPED"] == [
        ("GEOM.SKIPPED", "3DFACE × 1")
    ]


@pytest.mark.parametrize("fmt", ["asc", "bin"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_drawing_cut_anywhere_is_refused_and_never_half_read(tmp_path, share, fmt):
    document, space = drawing("R2000")
    for k in range(20):
        space.add_lwpolyline(box(200 * k), close=True)
    path = saved(document, tmp_path / "a.dxf", fmt=fmt)
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
    raw = read_source(path)
    assert found(raw) == ["FILE.TRUNCATED"]
    assert raw.frame.empty


def test_damaged_drawings_give_data_or_issues_and_never_raise(tmp_path):
    import random

    document, space = drawing("R2000")
    space.add_lwpolyline([(*p, 0.2) for p in box()], format="xyb", close=True)
    space.add_hatch().paths.add_polyline_path(box(300), is_closed=True)
    space.add_text("A-01", height=5, dxfattribs={"insert": (EAST + 40, NORTH + 50)})
    path = saved(document, tmp_path / "a.dxf")
    body = path.read_bytes()
    chance = random.Random(3)
    for _ in range(40):
        broken = bytearray(body)
        for _ in range(chance.randint(1, 8)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        path.write_bytes(bytes(broken))
        raw = read_source(path)
        assert len(raw.frame) or raw.issues
        assert raw.source.rows_in == raw.source.rows_imported + raw.source.rows_rejected


@pytest.mark.parametrize("name", ["a.dwg", "a.dxf"])
def test_a_dwg_is_refused_with_what_to_do_under_whichever_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"AC1032" + bytes(100))
    raw = read_source(tmp_path / name)
    assert found(raw) == ["FILE.DWG"]
    assert raw.issues[0].value == f"{name}（AutoCAD 2018）"
    assert "DXF" in raw.issues[0].as_row()["mend_zh"]


def test_text_that_is_no_drawing_is_refused(tmp_path):
    (tmp_path / "a.dxf").write_text("hello\n" * 20)
    assert found(read_source(tmp_path / "a.dxf")) == ["FILE.TYPE"]


def test_the_us_states_close_from_5650_lines_in_seconds(shared_data):
    began = time.perf_counter()
    raw = read_source(shared_data / "cad" / "5_us_states.dxf", crs="EPSG:4547")
    assert time.perf_counter() - began < 20
    # Numbers of a drawing in some projection of its own: it is read, but lies nowhere.
    assert "GEOM.POLYGONISED" in found(raw)
    assert raw.source.rows_in == 106
    assert raw.source.rows_imported == 0


def test_the_states_do_not_overlap(shared_data):
    from landplan.read.cad import read_drawing

    _, records, _ = read_drawing(shared_data / "cad" / "5_us_states.dxf")
    total = sum(face.area for face in records.geometries)
    assert shapely.union_all(records.geometries).area == pytest.approx(total, rel=1e-9)
    assert all(face.is_valid for face in records.geometries)


@pytest.mark.parametrize(
    ("name", "codes", "rows"),
    [
        ("2_polylines.dxf", {"GEOM.POLYGONISED", "GEOM.CURVE", "CRS.MISSING"}, 38),
        ("6_closed_loop_with_arcs.dxf", {"GEOM.POLYGONISED", "GEOM.CURVE", "CRS.MISSING"}, 2),
        ("ASCII_R12.dxf", {"GEOM.NO_BOUNDARY"}, 0),
        ("bin_dxf_r2000.dxf", {"GEOM.NO_BOUNDARY"}, 0),
        ("sample_r2000.dwg", {"FILE.DWG"}, 0),
        ("sample_ellipse.dwg", {"FILE.DWG"}, 0),
    ],
)
def test_every_drawing_of_the_shared_data_is_read_or_refused_clearly(shared_data, name, codes, rows):
    raw = read_source(shared_data / "cad" / name)
    assert codes <= set(found(raw))
    assert raw.source.rows_in == rows
