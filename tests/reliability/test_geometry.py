"""Geometry that has several areas, none, or somebody else's, case by case."""

from __future__ import annotations

import math
import sqlite3
import struct
import time
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import worlds
from sources import EAST, NORTH, parcels, squares, write
from told import codes_of, outcome, said, sentence

from landplan.crs import measure_areas
from landplan.issues import codes
from landplan.overlay import find_pieces, measure_overlaps, measure_reach
from landplan.read import read_source
from landplan.repair import find_conflicts, find_tangles, repair_parcels, set_tangles_apart


def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
    """Points of a drawing near the origin, where the other drawings are."""
    return [(worlds.EAST + x, worlds.NORTH + y) for x, y in points]


def rectangle(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    return at((x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y))


def repaired(shapes: dict[str, object]):
    frame, issues = repair_parcels(worlds.parcels(shapes))
    return frame, [(issue.code, issue.parcel_id) for issue in issues], {i.parcel_id: i for i in issues}


def conflicts(shapes: dict[str, object]) -> list[tuple[str, str, str]]:
    frame, _ = repair_parcels(worlds.parcels(shapes))
    return [(issue.code, issue.parcel_id, str(issue.value)) for issue in find_conflicts(frame)]


def with_blob(path: Path, row: int, wkb: bytes) -> Path:
    """A GeoPackage of three squares, one of which is drawn as we please."""
    write(parcels(3), path, layer="a", geometry_type="Unknown")
    with closing(sqlite3.connect(path)) as base, base:
        for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            base.execute(f'DROP TRIGGER "{name}"')
        head = bytearray(base.execute("SELECT geom FROM a WHERE fid = ?", (row,)).fetchone()[0][:8])
        head[3] &= ~0x0E  # no rectangle in front
        base.execute("UPDATE a SET geom = ? WHERE fid = ?", (bytes(head) + wkb, row))
    return path


def ring_wkb(points: list[tuple[float, ...]], kind: int = 3) -> bytes:
    size = len(points[0])
    body = b"".join(struct.pack(f"<{size}d", *point) for point in points)
    return struct.pack("<BIII", 1, kind, 1, len(points)) + body


SQUARE = [(EAST, NORTH), (EAST + 100, NORTH), (EAST + 100, NORTH + 100), (EAST, NORTH + 100), (EAST, NORTH)]


# --- good controls ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [
        worlds.box(0, 0, 100),
        shapely.reverse(worlds.box(0, 0, 100)),
        shapely.Polygon(rectangle(0, 0, 100, 100), [rectangle(40, 40, 20, 20)]),
        shapely.Polygon(
            rectangle(0, 0, 100, 100), [at((0, 0), (20, 10), (10, 20), (0, 0))]
        ),  # a hole at the corner
        shapely.MultiPolygon([worlds.box(0, 0, 50), worlds.box(200, 0, 50)]),
        shapely.MultiPolygon([worlds.box(0, 0, 50), worlds.box(50, 50, 50)]),  # parts that meet in a point
    ],
)
def test_sound_shapes_pass_untouched_and_without_a_word(shape):
    frame, said_of, _ = repaired({"A": shape})
    assert (said_of, frame["is_quarantined"].tolist()) == ([], [False])
    assert shapely.equals_exact(frame.geometry["A"], shape)
    assert conflicts({"A": shape}) == []
    assert measure_areas(frame)["area_m2"].tolist() == pytest.approx([shape.area], abs=1e-6)


def test_neighbours_that_share_an_edge_pass_without_a_word():
    assert conflicts({f"P{k}": worlds.box(100 * k, 0, 100) for k in range(5)}) == []


# --- the rows -----------------------------------------------------------------------------------------------


def test_row_1_a_bow_tie_has_no_area_until_a_person_says_which():
    tie = shapely.Polygon(at((0, 0), (100, 100), (100, 0), (0, 100), (0, 0)))
    frame, said_of, by_id = repaired({"A": tie, "B": worlds.box(200, 0, 100)})
    assert said_of == [("GEOM.INVALID", "A")]
    assert codes()["GEOM.INVALID"].is_blocking
    words = by_id["A"].as_row()["message_zh"]
    assert "自相交（X 4140050.000 北，Y 400050.000 东" in words
    assert "raw 0.00" in words and "structure 5000.00" in words
    assert by_id["A"].cell.startswith("1-J")
    areas = measure_areas(frame)["area_m2"]
    assert math.isnan(areas["A"]) and areas["B"] == pytest.approx(10_000.0)


def test_row_1_a_bow_tie_is_in_no_overlay():
    tie = shapely.Polygon(at((0, 0), (100, 100), (100, 0), (0, 100), (0, 0)))
    frame, _, _ = repaired({"A": tie, "B": worlds.box(200, 0, 100)})
    frame = frame.join(measure_areas(frame))
    pieces = find_pieces(frame, worlds.layer(worlds.box(-50, -50, 500)), "红线")
    reach = measure_reach(frame, worlds.layer(worlds.box(-50, -50, 500)))
    overlaps = measure_overlaps(frame, pieces, reach, "farmland")["farmland_overlap_m2"]
    assert math.isnan(overlaps["A"])
    assert overlaps["B"] == pytest.approx(10_000.0)


SHELL = rectangle(0, 0, 90, 70)


@pytest.mark.parametrize(
    ("shape", "raw", "right"),
    [
        (shapely.Polygon(SHELL + SHELL[1:]), 12_600.0, 6_300.0),
        (
            shapely.MultiPolygon([shapely.Polygon(SHELL), shapely.Polygon(rectangle(80, 0, 55, 70))]),
            10_150.0,
            None,
        ),
        (shapely.Polygon(SHELL, [rectangle(10, 10, 30, 30), rectangle(20, 10, 30, 30)]), 4_500.0, None),
        (shapely.Polygon(SHELL, [rectangle(200, 0, 20, 20)]), 5_900.0, None),
    ],
    ids=["a ring drawn twice", "overlapping parts", "overlapping holes", "a hole outside"],
)
def test_row_2_a_shape_with_several_areas_is_set_apart_with_all_of_them(shape, raw, right):
    frame, said_of, by_id = repaired({"A": shape})
    assert said_of == [("GEOM.INVALID", "A")]
    words = by_id["A"].as_row()["message_zh"]
    assert f"raw {raw:.2f}" in words
    assert all(name in words for name in ("structure", "linework", "buffer"))
    if right is not None:
        assert f" {right:.2f}" in words
    assert math.isnan(measure_areas(frame)["area_m2"]["A"])


def test_row_2_a_hole_that_is_drawn_as_a_part_of_its_own_is_set_apart():
    drawn = shapely.MultiPolygon([shapely.Polygon(SHELL), shapely.Polygon(rectangle(10, 10, 30, 30))])
    assert drawn.area == 7_200.0
    frame, said_of, by_id = repaired({"A": drawn})
    assert said_of == [("GEOM.INVALID", "A")]
    assert "7200.00" in by_id["A"].as_row()["message_zh"]
    assert frame["is_quarantined"].tolist() == [True]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
@pytest.mark.parametrize("path", ["a.gpkg", "a.shp", "a.geojson"])
def test_row_3_numbers_that_are_no_place_are_named_and_leave_the_total_alone(tmp_path, path, value):
    points = [*SQUARE]
    points[1] = (EAST + 100, value)
    if path == "a.gpkg":
        raw = read_source(with_blob(tmp_path / path, 2, ring_wkb(points)))
    else:
        with np.errstate(invalid="ignore"):
            shapes = [squares(3)[0], shapely.Polygon(points), squares(3)[2]]
        if path == "a.geojson":
            text = '{"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "EPSG:4547"}}, "features": ['
            rows = []
            for number, shape in zip("123", shapes, strict=True):
                ring = ", ".join(f"[{x!r}, {y!r}]" for x, y in np.asarray(shape.exterior.coords).tolist())
                ring = ring.replace("nan", "NaN").replace("-inf", "-Infinity").replace("inf", "Infinity")
                rows.append(
                    f'{{"type": "Feature", "properties": {{"DKBH": "{number}"}}, '
                    f'"geometry": {{"type": "Polygon", "coordinates": [[{ring}]]}}}}'
                )
            (tmp_path / path).write_text(text + ", ".join(rows) + "]}")
        else:
            write(parcels(3), tmp_path / path, encoding="UTF-8")
            body = bytearray((tmp_path / path).read_bytes())
            at_vertex = (
                100 + (8 + 128) + 8 + 48 + 16 + 8
            )  # the second record, behind head and parts; its first north
            body[at_vertex : at_vertex + 8] = struct.pack("<d", value)
            (tmp_path / path).write_bytes(body)
        raw = read_source(tmp_path / path)
    assert outcome(raw) == "flag"
    named = said(raw, "GEOM.NONFINITE") or said(raw, "FILE.BAD_RECORD")
    assert [row for row, _, _ in named] == [2]
    assert raw.source.area_m2 == pytest.approx(20_000.0)
    frame, issues = repair_parcels(raw.frame)
    assert int(frame["is_quarantined"].sum()) == len([i for i in issues if i.code == "GEOM.NONFINITE"])


def test_row_4_an_open_ring_costs_only_its_own_record_and_is_closed_with_a_word(tmp_path):
    raw = read_source(with_blob(tmp_path / "a.gpkg", 2, ring_wkb(SQUARE[:-1])))
    assert (outcome(raw), raw.source.rows_imported) == ("flag", 3)
    assert [row for row, _, _ in said(raw, "GEOM.UNCLOSED")] == [2]
    assert raw.source.area_m2 == pytest.approx(30_000.0)


@pytest.mark.parametrize("kind", [16, 15], ids=["TIN", "polyhedral surface"])
def test_row_4_a_surface_of_triangles_costs_only_its_own_record(tmp_path, kind):
    face = ring_wkb([SQUARE[0], SQUARE[1], SQUARE[2], SQUARE[0]], kind=17 if kind == 16 else 3)
    raw = read_source(with_blob(tmp_path / "a.gpkg", 2, struct.pack("<BII", 1, kind, 1) + face))
    assert outcome(raw) == "flag"
    assert {1, 3} <= set(raw.rows)
    named = {issue.row for issue in raw.issues if issue.row is not None}
    assert named == {2}


def test_row_5_an_arc_becomes_chords_of_a_stated_tolerance(tmp_path):
    half = [(EAST, NORTH + 50), (EAST + 50, NORTH + 100), (EAST + 100, NORTH + 50)]
    whole = [*half, (EAST + 50, NORTH), (EAST, NORTH + 50)]
    arcs = struct.pack("<BII", 1, 8, 5) + b"".join(struct.pack("<dd", *point) for point in whole)
    raw = read_source(with_blob(tmp_path / "a.gpkg", 2, struct.pack("<BII", 1, 10, 1) + arcs))
    assert (outcome(raw), raw.source.rows_imported) == ("flag", 3)
    assert said(raw, "GEOM.CURVE") == [(2, "", "0.001")]
    assert sentence(raw, "GEOM.CURVE") == "含圆弧，已改为折线，弦差不超过 0.001 m"
    circle = raw.frame.geometry.iloc[1]
    # No chord leaves its arc by more than a millimetre: the missing strip is thinner than that all around.
    assert 0 < math.pi * 2_500 - circle.area < 2 * math.pi * 50 * 0.001
    away = shapely.distance(
        shapely.points(shapely.get_coordinates(circle)), shapely.Point(EAST + 50, NORTH + 50)
    )
    assert away == pytest.approx(50.0, abs=1e-6)


def test_row_6_measures_along_a_line_are_laid_aside_with_a_word(tmp_path):
    raw = read_source(
        with_blob(tmp_path / "a.gpkg", 2, ring_wkb([(*point, 7.0) for point in SQUARE], kind=2003))
    )
    assert (outcome(raw), codes_of(raw)) == ("flag", ["GEOM.Z_DROPPED"])
    assert raw.source.area_m2 == pytest.approx(30_000.0)
    assert not shapely.has_m(raw.frame.geometry.values).any()


def test_row_7_points_and_lines_among_parcels_are_named_and_have_no_area(tmp_path):
    shapes = [
        squares(1)[0],
        shapely.Point(EAST, NORTH),
        shapely.LineString(SQUARE),
        shapely.LineString(SQUARE[:3]),
    ]
    frame = gpd.GeoDataFrame({"DKBH": list("1234")}, geometry=shapes, crs=4547)
    raw = read_source(write(frame, tmp_path / "a.gpkg", geometry_type="Unknown"))
    assert outcome(raw) == "flag"
    assert said(raw, "GEOM.TYPE") == [(2, "", "Point"), (3, "", "LineString"), (4, "", "LineString")]
    assert raw.source.area_m2 == pytest.approx(10_000.0)
    quarantined = repair_parcels(raw.frame)[0]["is_quarantined"].tolist()
    assert quarantined == [False, True, True, True]


def test_row_8_an_overlap_is_told_to_both_with_its_area():
    assert conflicts({"A": worlds.box(0, 0, 100), "B": worlds.box(99.7, 0, 100)}) == [
        ("GEOM.OVERLAP", "A", "B（30.00 m2）"),
        ("GEOM.OVERLAP", "B", "A（30.00 m2）"),
    ]


def test_row_8_a_gap_is_told_to_both_with_its_area_and_width():
    assert conflicts({"A": worlds.box(0, 0, 100), "B": worlds.box(100.2, 0, 100)}) == [
        ("GEOM.GAP", "A", "B（20.00 m2，宽 0.20 m）"),
        ("GEOM.GAP", "B", "A（20.00 m2，宽 0.20 m）"),
    ]


def test_row_8_land_enclosed_by_three_neighbours_is_told_to_all_of_them():
    # A corner was cut off A; two square metres lie between A, B and C.
    a = shapely.Polygon(at((0, 0), (100, 0), (100, 98), (98, 100), (0, 100)))
    b, c = worlds.box(100, 0, 100), worlds.box(0, 100, 200, 50)
    assert conflicts({"A": a, "B": b, "C": c}) == [
        ("GEOM.GAP", "A", "B、C（2.00 m2，宽 0.59 m）"),
        ("GEOM.GAP", "B", "A、C（2.00 m2，宽 0.59 m）"),
        ("GEOM.GAP", "C", "A、B（2.00 m2，宽 0.59 m）"),
    ]


@pytest.mark.parametrize("street", [0.6, 4.0, 8.0])
def test_row_8_a_path_or_street_between_parcels_is_no_gap(street):
    assert conflicts({"A": worlds.box(0, 0, 100), "B": worlds.box(100 + street, 0, 100)}) == []


def test_row_8_a_sliver_is_named_with_its_width():
    assert conflicts({"A": worlds.box(0, 0, 200, 0.5)}) == [("GEOM.SLIVER", "A", "0.50 m")]


@pytest.mark.parametrize("turn", [lambda shape: shape, shapely.reverse, shapely.normalize])
def test_row_8_a_parcel_drawn_twice_is_named_on_both(turn):
    square = worlds.box(0, 0, 100)
    assert conflicts({"A": square, "B": turn(square)}) == [
        ("GEOM.DUPLICATE", "A", "B"),
        ("GEOM.DUPLICATE", "B", "A"),
    ]


def test_row_8_a_point_drawn_twice_in_a_row_is_noted_with_its_place():
    points = [*rectangle(0, 0, 100, 100)]
    points.insert(2, points[2])
    frame, said_of, by_id = repaired({"A": shapely.Polygon(points)})
    assert said_of == [("GEOM.DOUBLE_POINT", "A")]
    assert str(by_id["A"].value) == "1-J3（X 4140100.000 北，Y 400100.000 东）"
    assert codes()["GEOM.DOUBLE_POINT"].severity == "info"
    assert measure_areas(frame)["area_m2"].tolist() == pytest.approx([10_000.0])


def test_row_9_noise_between_neighbours_makes_no_pieces_and_no_conflicts():
    noise = 1e-9
    shapes = {f"P{k}": worlds.box(100 * k - noise * (k % 2), 0, 100 + noise) for k in range(6)}
    assert conflicts(shapes) == []
    frame, _ = repair_parcels(worlds.parcels(shapes))
    frame = frame.join(measure_areas(frame))
    zones = worlds.layer(
        *(worlds.box(100 * k, 0, 100) for k in range(6)), zone_code=[f"Z{k}" for k in range(6)]
    )
    pieces = find_pieces(frame, zones, "zones", feature="zone_code")
    real = pieces[pieces["overlap_m2"] > 0.01]
    assert len(real) == 6
    # What is below the resolution of land is kept in the sum: the parts are the whole.
    whole = pieces.groupby("parcel_id")["overlap_m2"].sum()
    assert whole.to_numpy() == pytest.approx([10_000.0] * 6, abs=0.01)


def comb(teeth: int, upright: bool) -> shapely.Polygon:
    length = 4.0 * teeth
    points = [
        p for k in range(teeth) for p in ((4 * k, 0), (4 * k, length), (4 * k + 2, length), (4 * k + 2, 0))
    ]
    drawn = np.array([*points, (length, 0), (length, -2), (0, -2)], dtype="float64")
    return shapely.Polygon((drawn if upright else drawn[:, ::-1]) + [worlds.EAST, worlds.NORTH])


def test_row_10_two_combs_that_cross_four_million_times_are_refused_at_once():
    one, other = comb(2000, True), comb(2000, False)
    assert one.is_valid and other.is_valid
    begun = time.monotonic()
    found = conflicts({"A": one, "B": other})
    assert time.monotonic() - begun < 10
    assert found == [("LIMIT.MEMORY", "A", "A × B"), ("LIMIT.MEMORY", "B", "B × A")]
    assert codes()["LIMIT.MEMORY"].is_blocking


def test_row_10_a_comb_across_a_comb_of_a_layer_is_left_unmeasured_and_the_others_are_not():
    frame, _ = repair_parcels(worlds.parcels({"A": comb(2000, True), "B": worlds.box(-500, 0, 100)}))
    begun = time.monotonic()
    apart, issues = set_tangles_apart(
        frame, [("farmland", worlds.layer(comb(2000, False), worlds.box(-600, 0, 300)))]
    )
    assert time.monotonic() - begun < 10
    assert [(i.code, i.parcel_id, i.layer, i.value) for i in issues] == [
        ("LIMIT.MEMORY", "A", "farmland", "A × farmland")
    ]
    assert apart["is_quarantined"].tolist() == [True, False]
    areas = measure_areas(apart)["area_m2"]
    assert math.isnan(areas["A"]) and areas["B"] == pytest.approx(10_000.0)


def test_row_10_two_combs_of_fifty_teeth_are_measured():
    shapes = np.array([comb(50, True), comb(50, False)])
    assert not find_tangles(shapes, np.array([[0, 1]])).any()
    shared = shapes[0].intersection(shapes[1]).area
    assert conflicts({"A": shapes[0], "B": shapes[1]})[0] == ("GEOM.OVERLAP", "A", f"B（{shared:.2f} m2）")


def test_the_property_run_in_float_keeps_the_area_of_random_pairs():
    chance = np.random.default_rng(23)
    for _ in range(300):
        centres = chance.uniform(0, 120, (2, 2))
        pair = [
            shapely.Polygon(
                [(x + r * math.cos(t) + worlds.EAST, y + r * math.sin(t) + worlds.NORTH)
                 for t, r in zip(np.sort(chance.uniform(0, 2 * math.pi, 9)), chance.uniform(30, 60, 9), strict=True)]
            )
            for x, y in centres
        ]  # fmt: skip
        frame, issues = repair_parcels(worlds.parcels({"A": pair[0]}))
        if issues or not pair[1].is_valid:
            continue
        frame = frame.join(measure_areas(frame))
        inside = find_pieces(frame, worlds.layer(pair[1]), "x")["overlap_m2"].sum()
        assert inside + pair[0].difference(pair[1]).area == pytest.approx(pair[0].area, abs=1e-3)


def test_no_issue_of_geometry_is_without_a_mender_and_a_place(tmp_path):
    tie = shapely.Polygon(
        [(EAST, NORTH), (EAST + 100, NORTH + 100), (EAST + 100, NORTH), (EAST, NORTH + 100)]
    )
    frame = gpd.GeoDataFrame({"DKBH": ["A", "B"]}, geometry=[tie, squares(2)[1]], crs=4547)
    raw = read_source(write(frame, tmp_path / "a.gpkg"))
    numbered = raw.frame.set_index(pd.Index(["A", "B"], name="parcel_id")).assign(
        source="a.gpkg", source_row=raw.rows
    )
    _, issues = repair_parcels(numbered)
    assert [(i.code, i.source, i.row, i.parcel_id) for i in issues] == [("GEOM.INVALID", "a.gpkg", 1, "A")]
    assert issues[0].as_row()["party"] == "测绘单位"
    assert issues[0].as_row()["mend_zh"] == "按给出的位置改正边界"
