"""The two ways of measuring are one: what shapely cuts, the compiled sum of trapezoids must give."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
import worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landplan import overlay, pipeline
from landplan.crs import measure_areas
from landplan.inputs import Inputs, Layer
from landplan.overlay import areas, choose_method, find_pieces, measure_shares
from landplan.overlay.areas import share_areas
from landplan.overlay.cut import cut_pieces, halve_features
from landplan.overlay.grid import sum_areas
from landplan.overlay.ground import Ground
from landplan.pipeline import assess
from landplan.rules import load_rulebook
from landplan.schema import coerce
from landplan.steps import kinds

# Compiling takes some seconds, once.
PROPERTY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Near nothing; in zone 38 without its prefix; with the prefix; on a corner of a cell and off it.
ORIGINS = [(0.0, 0.0), (400_000.0, 4_140_000.0), (38_400_000.0, 4_140_000.3), (38_400_000.0, 64.0 * 64_000)]


@st.composite
def polygons(draw):
    """A valid polygon within 100 m: on a lattice of whole metres or off it, holed, in parts, thin, drawn either way."""
    kind = draw(st.sampled_from(["boxes", "boxes", "star", "sliver", "comb"]))
    x, y = draw(st.integers(0, 80)), draw(st.integers(0, 80))
    if kind == "boxes":
        corners = st.tuples(st.integers(0, 80), st.integers(0, 80), st.integers(1, 40), st.integers(1, 40))
        boxes = [
            shapely.box(a, b, a + w, b + h) for a, b, w, h in draw(st.lists(corners, min_size=1, max_size=4))
        ]
        shape = shapely.union_all(boxes)
        if draw(st.booleans()):
            shape = shape.difference(shapely.box(x, y, x + 3, y + 5))
    elif kind == "star":
        count = draw(st.integers(3, 24))
        rng = np.random.default_rng(draw(st.integers(0, 10_000)))
        turns, reach = np.sort(rng.uniform(0, 2 * np.pi, count)), rng.uniform(2, 40, count)
        points = np.column_stack([x + reach * np.cos(turns), y + reach * np.sin(turns)])
        if draw(st.booleans()):
            points = np.rint(points)
        shape = shapely.Polygon(points).buffer(0)
    elif kind == "sliver":
        width = draw(st.sampled_from([1e-3, 1e-2, 0.5]))
        shape = shapely.Polygon([(x, y), (x + 90, y + 40), (x + 90, y + 40 + width), (x, y + width)])
    else:
        teeth = [shapely.box(x + 4 * k, y, x + 4 * k + 2, y + 30) for k in range(8)]
        shape = shapely.union_all([shapely.box(x, y - 2, x + 40, y), *teeth])
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 1e-9]
    shape = (
        shapely.MultiPolygon(parts)
        if len(parts) > 1
        else parts[0]
        if parts
        else shapely.box(x, y, x + 1, y + 1)
    )
    if draw(st.booleans()):
        shape = shapely.segmentize(shape, 7.0)
    if draw(st.booleans()):
        shape = shapely.reverse(shape)
    if draw(st.booleans()):  # coincident vertices
        shape = shapely.transform(shape, lambda c: c) if shape.geom_type != "Polygon" else doubled(shape)
    return shape


def doubled(shape):
    points = np.repeat(shapely.get_coordinates(shape.exterior), 2, axis=0)
    return shapely.Polygon(points, [ring.coords for ring in shape.interiors])


@st.composite
def drawings(draw):
    """Parcels and features, some of them the same shape, moved to where surveys have their coordinates."""
    parcels = draw(st.lists(polygons(), min_size=1, max_size=8))
    features = draw(st.lists(polygons(), min_size=1, max_size=6))
    if draw(st.booleans()):
        features = [*features, parcels[0], *tiles_of(parcels[-1])]
    moved = np.array(draw(st.sampled_from(ORIGINS)))
    drawn = shapely.transform(np.array([*parcels, *features], dtype=object), lambda c: c + moved)
    fits = shapely.is_valid(
        drawn
    )  # a sliver of 1 mm may close up where coordinates have eight digits before the point
    codes = draw(st.lists(st.integers(0, 2), min_size=len(features), max_size=len(features)))
    keep = fits[len(parcels) :]
    return (
        drawn[: len(parcels)][fits[: len(parcels)]],
        drawn[len(parcels) :][keep],
        np.array(codes, dtype=np.int64)[keep],
    )


def tiles_of(shape):
    """Two neighbours that share the edge along which a shape is cut."""
    west, south, east, north = shape.bounds
    middle = (west + east) / 2
    boxes = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    halves = [shape.intersection(box) for box in boxes]
    return [half for half in halves if half.geom_type in ("Polygon", "MultiPolygon") and not half.is_empty]


def table(parcel, code, area, count):
    found = np.zeros((count, 3))
    found[parcel, code] = area
    return found


def allowed(shapes):
    return np.maximum(1e-6, 1e-9 * shapely.area(shapes))[:, None]


@PROPERTY
@given(drawings(), st.sampled_from([1.0, 4.0, 64.0]))
def test_summed_trapezoids_are_the_areas_of_intersections(drawing, size):
    shapes, features, codes = drawing
    expected = np.zeros((len(shapes), 3))
    for feature, code in zip(features, codes, strict=True):
        expected[:, code] += shapely.area(shapely.intersection(shapes, feature))
    found = table(*sum_areas(shapes, features, codes, size=size, workers=1), len(shapes))
    assert (np.abs(found - expected) <= allowed(shapes)).all()


@PROPERTY
@given(drawings(), st.sampled_from(["cover", "sum"]))
def test_both_ways_measure_the_same_under_either_meaning(drawing, count):
    shapes, features, codes = drawing
    exact, fast = (
        share_areas(Ground.of(shapes), features, codes, count=count, method=m) for m in ("exact", "fast")
    )
    one, other = (table(s.parcel, s.code, s.area, len(shapes)) for s in (exact, fast))
    # Where one way sees 1e-6 m2 and the other a hair less, that is the tolerance, twice.
    assert (np.abs(one - other) <= 2 * allowed(shapes)).all()


@PROPERTY
@given(drawings())
def test_cover_is_the_area_under_the_union(drawing):
    shapes, features, codes = drawing
    found = share_areas(Ground.of(shapes), features, codes, method="fast")
    expected = np.zeros((len(shapes), 3))
    for code in range(3):
        expected[:, code] = shapely.area(
            shapely.intersection(shapes, shapely.union_all(features[codes == code]))
        )
    difference = table(found.parcel, found.code, found.area, len(shapes)) - expected
    assert (np.abs(difference) <= 2 * allowed(shapes)).all()


@PROPERTY
@given(drawings(), st.randoms(use_true_random=False))
def test_the_order_of_parcels_and_features_changes_nothing(drawing, shuffler):
    shapes, features, codes = drawing
    rows, columns = list(range(len(shapes))), list(range(len(features)))
    shuffler.shuffle(rows)
    shuffler.shuffle(columns)
    one = table(*sum_areas(shapes, features, codes, workers=1), len(shapes))
    other = table(*sum_areas(shapes[rows], features[columns], codes[columns], workers=1), len(shapes))
    np.testing.assert_allclose(other, one[rows], rtol=1e-12, atol=1e-9)


@PROPERTY
@given(drawings(), st.integers(0, 8))
def test_law_1_a_parcel_has_the_same_digits_in_any_company(drawing, cut):
    shapes, features, codes = drawing
    whole = table(*sum_areas(shapes, features, codes, workers=1), len(shapes))
    halves = [shapes[:cut], shapes[cut:]]
    parts = [table(*sum_areas(half, features, codes, workers=1), len(half)) for half in halves]
    assert np.concatenate(parts).tolist() == whole.tolist()


@pytest.mark.parametrize("tilt", [0.0, 1e-9, -1e-9, 1e-6, -1e-3, 0.5])
@pytest.mark.parametrize("offset", [0.0, 1e-9, -1e-9, 1e-3])
def test_an_almost_level_edge_beside_a_line_of_the_grid_loses_no_strip(tilt, offset):
    level = 4_140_032.0 + offset  # 64 687 cells of 64 m, and a half: the next line is 32 m above
    top = level + 32
    feature = shapely.Polygon([(0, level), (1000, level), (1000, top + tilt), (0, top)])
    _, _, found = sum_areas(
        np.array([shapely.box(-5, level - 5, 1005, top + 5)]), np.array([feature]), np.zeros(1, int)
    )
    assert found[0] == pytest.approx(1000 * ((top - level) + (top + tilt - level)) / 2, abs=1e-5)


def test_a_parcel_of_many_kilometres_is_measured_on_a_coarser_grid_as_exactly():
    lake = shapely.Point(3000, 2000).buffer(1500, quad_segs=64)
    county = shapely.box(-4000, -4000, 9000, 8000).difference(shapely.Point(3000, 2000).buffer(500))
    _, _, found = sum_areas(np.array([county]), np.array([lake]), np.zeros(1, int))
    assert found[0] == pytest.approx(shapely.intersection(county, lake).area, rel=1e-12)


def test_patches_and_threads_change_no_digit(monkeypatch):
    shapes, features, codes = strewn(400)
    whole = sum_areas(shapes, features, codes, workers=1)
    monkeypatch.setattr("landplan.overlay.grid._BLOCKS", 4)
    parts = sum_areas(shapes, features, codes, workers=4)
    assert [array.tolist() for array in parts] == [array.tolist() for array in whole]


def strewn(count: int):
    rng = np.random.default_rng(5)
    x, y = rng.uniform(400_000, 403_000, (2, count))
    shapes = shapely.box(x, y, x + rng.uniform(5, 90, count), y + rng.uniform(5, 90, count))
    u, v = rng.uniform(400_000, 403_000, (2, 60))
    features = shapely.buffer(shapely.points(u, v), rng.uniform(30, 400, 60))
    return shapes, features, rng.integers(0, 3, 60)


def test_a_cell_must_be_a_power_of_two_wide():
    with pytest.raises(ValueError, match="power of two"):
        sum_areas(*strewn(3), size=50.0)


# ------------------------------------------------------------------ huge features


def coast(vertices: int):
    turns = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    reach = 1000 + 60 * np.sin(37 * turns) + 9 * np.cos(411 * turns)
    return shapely.Polygon(
        np.column_stack([400_000 + reach * np.cos(turns), 4_140_000 + reach * np.sin(turns)])
    )


def test_a_huge_feature_in_halves_is_the_feature():
    shape = coast(20_000).difference(shapely.Point(400_300, 4_140_200).buffer(250, quad_segs=200))
    shapes = strewn(300)[0]
    shapes = shapely.transform(
        shapes, lambda c: c - np.array([1500.0, 0]) + np.array([0, 4_140_000 - 401_500.0])
    )
    features = np.array([shape])
    pieces = cut_pieces(shapes, features)
    found = np.bincount(pieces.parcel, pieces.area, len(shapes))
    np.testing.assert_allclose(found, shapely.area(shapely.intersection(shapes, shape)), atol=1e-6, rtol=1e-9)
    halves, owners = halve_features(features, shapes)
    assert shapely.get_num_coordinates(halves).max() <= 256
    assert set(owners.tolist()) == {0}


def test_a_parcel_meets_the_same_halves_whatever_lies_beside_it():
    shapes = np.array([worlds.box(900, 0, 200), worlds.box(-1100, -50, 300)])
    moved = shapely.transform(
        shapes, lambda c: c + np.array([400_000.0, 4_140_000.0]) - [worlds.EAST, worlds.NORTH]
    )
    together = cut_pieces(moved, np.array([coast(5000)]))
    alone = cut_pieces(moved[:1], np.array([coast(5000)]))
    assert together.area[together.parcel == 0].tolist() == alone.area.tolist()


def test_the_piece_of_a_halved_feature_has_no_seam():
    frame = measured(worlds.square("A", -50, -50, 100))
    ring = shapely.Point(worlds.EAST, worlds.NORTH).buffer(40, quad_segs=500)
    piece = find_pieces(frame, worlds.layer(ring), "farmland").geometry.iloc[0]
    assert isinstance(piece, shapely.Polygon)
    assert piece.symmetric_difference(ring).area == pytest.approx(0, abs=1e-6)


# ------------------------------------------------------------------ tables


def measured(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    return frame.join(measure_areas(frame))


def county(count: int = 60):
    shapes, features, codes = strewn(count)
    shapes = shapely.transform(shapes, lambda c: c + np.array([0, 3_740_000.0]))
    features = shapely.transform(features, lambda c: c + np.array([0, 3_740_000.0]))
    frame = measured(worlds.parcels({f"P{k:03d}": shape for k, shape in enumerate(shapes)}))
    return frame, worlds.layer(*features, cls=[f"{code:02d}" for code in codes])


@pytest.mark.parametrize("feature", [None, "cls"])
def test_pieces_are_the_same_whichever_way_they_were_found(feature):
    frame, layer = county()
    exact, fast = (find_pieces(frame, layer, "land", feature, method=m) for m in ("exact", "fast"))
    pd.testing.assert_frame_equal(exact.drop(columns="geometry"), fast.drop(columns="geometry"), rtol=1e-9)
    assert shapely.area(exact.geometry.values) == pytest.approx(fast["overlap_m2"].to_numpy(), rel=1e-9)


@pytest.mark.parametrize("method", ["exact", "fast"])
def test_the_piece_of_a_parcel_that_lies_inside_is_the_parcel(method):
    frame = measured(worlds.parcels({"A": worlds.box(0, 0, 100), "B": worlds.box(100, 0, 33.3)}))
    pieces = find_pieces(
        frame, worlds.layer(worlds.box(-50, -50, 120, 900), worlds.box(70, -50, 900)), "zone", method=method
    )
    assert pieces["overlap_share"].tolist() == [1.0, 1.0]
    assert pieces["overlap_m2"].tolist() == frame["area_m2"].tolist()
    assert pieces.geometry.tolist() == frame.geometry.tolist()


@pytest.mark.parametrize("method", ["exact", "fast"])
def test_cover_counts_land_under_two_features_once_and_sum_twice(method):
    frame = measured(worlds.square("A", 0, 0, 100))
    layer = worlds.layer(worlds.box(0, 0, 60, 100), worlds.box(40, 0, 60, 100), cls=["x", "x"])
    cover, total = (
        measure_shares(frame, layer, "cls", count=count, method=method)["overlap_m2"].tolist()
        for count in ("cover", "sum")
    )
    assert (cover, total) == ([10_000.0], [12_000.0])


@pytest.mark.parametrize("method", ["exact", "fast"])
def test_less_than_a_square_millimetre_is_touching(method):
    frame = measured(worlds.square("A", 0, 0, 100))
    assert len(measure_shares(frame, worlds.layer(worlds.box(100 - 1e-9, 0, 50)), method=method)) == 0


@pytest.mark.parametrize("method", ["exact", "fast"])
def test_area_by_class_closes_over_parcels_in_two_measuring_zones(method):
    tiles = [shapely.box(112.49 + 0.005 * k, 37.0, 112.495 + 0.005 * k, 37.01) for k in range(4)]
    layer = worlds.layer(*tiles, crs=4490, cls=["a", "b", "a", "b"])
    west, east = shapely.box(112.492, 37.002, 112.498, 37.006), shapely.box(112.502, 37.002, 112.507, 37.006)
    frame = measured(worlds.parcels({"W": west, "E": east}, crs=4490))
    assert frame["measure_epsg"].tolist() == [4546, 4547]
    shares = measure_shares(frame, layer, "cls", method=method)
    assert shares[["parcel_id", "feature"]].to_numpy().tolist() == [
        ["W", "a"],
        ["W", "b"],
        ["E", "a"],
        ["E", "b"],
    ]
    # A degree of longitude is a hair longer at the southern edge, and meridians draw together.
    assert shares["overlap_share"].tolist() == pytest.approx([0.5, 0.5, 0.6, 0.4], abs=1e-5)


@pytest.mark.parametrize("method", ["exact", "fast"])
def test_a_layer_fetched_in_tiles_measures_as_one_held_in_memory(monkeypatch, method):
    frame, layer = county(90)
    asked = []

    def fetch(box, crs):
        near = layer.iloc[np.sort(layer.sindex.query(shapely.box(*box)))]
        asked.append(len(near))
        return near.to_crs(crs)

    monkeypatch.setattr("landplan.overlay.pieces._TILE", 9)
    tiled = measure_shares(frame, fetch, "cls", method=method)
    pd.testing.assert_frame_equal(tiled, measure_shares(frame, layer, "cls", method=method), rtol=1e-12)
    assert len(asked) == 10
    assert max(asked) < len(layer)


def test_a_layer_without_features_covers_nothing():
    frame, layer = county(5)
    for method in ("exact", "fast"):
        assert len(find_pieces(frame, layer.iloc[:0], "land", "cls", method=method)) == 0
        assert len(measure_shares(frame.iloc[:0], layer, "cls", method=method)) == 0


# ------------------------------------------------------------------ the road a project takes


def test_a_small_project_and_one_without_numba_take_the_exact_way(monkeypatch):
    assert [choose_method(n) for n in (1, 2000, 2001)] == ["exact", "exact", "fast"]
    monkeypatch.setattr(areas, "find_spec", lambda _: None)
    assert choose_method(1_000_000) == "exact"


def test_a_small_project_never_loads_the_compiler():
    code = (
        "import sys, json, geopandas, shapely; from landplan.crs import measure_areas; from landplan.overlay import find_pieces;"
        "f = geopandas.GeoDataFrame(geometry=[shapely.box(400000, 4140000, 400100, 4140100)], index=['A'], crs=4547);"
        "f.index.name = 'parcel_id'; p = find_pieces(f.join(measure_areas(f)), f.reset_index(drop=True), 'x');"
        "print(json.dumps([len(p), 'numba' in sys.modules]))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == [1, False]


def test_the_compiled_way_serves_where_nothing_can_be_kept_on_disk(tmp_path):
    (tmp_path / "file").write_text("")
    code = "from landplan.overlay.outlines import measure_rings; import numpy as n;"
    code += "p = n.array([[0.0, 0], [1, 0], [1, 1], [0, 0]]); r = n.array([0, 4]);"
    code += "print(measure_rings(p, r, n.array([True]))[1][0].tolist())"
    nowhere = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "file" / "below")}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=nowhere
    )
    assert json.loads(told.stdout) == [0.0, 0.0, 1.0, 1.0]


def broken_world() -> Inputs:
    """Six parcels and a layer; a bow-tie, a spike, an empty and a missing shape among them."""

    def tie(x):
        corners = [(x, 0), (x + 90, 100), (x + 90, 0), (x, 100)]
        return shapely.Polygon([(worlds.EAST + a, worlds.NORTH + b) for a, b in corners])

    shapes = {
        "P0": worlds.box(0, 0, 90), "P1": tie(100), "P2": None, "P3": shapely.Polygon(), "P4": worlds.box(310, 0, 90),
        "P5": worlds.box(250, 300, 333),
    }  # fmt: skip
    everywhere = worlds.layer(worlds.box(-2000, -2000, 9000))
    farmland = worlds.layer(tie(20), tie(330), worlds.box(300, 50, 55), worlds.box(340, 50, 400), None)
    zones = worlds.layer(worlds.box(0, 0, 330, 2000), worlds.box(330, 0, 800, 2000), zone_code=["Z1", "Z2"])
    zones["valid_from"] = zones["valid_to"] = pd.Series(pd.NaT, index=zones.index, dtype="datetime64[s]")
    return Inputs(
        name="world",
        parcels=coerce(worlds.parcels(shapes), "parcels"),
        rulebook=load_rulebook("example.kaifaqu"),
        zones=coerce(zones, "zones"),
        layers=(Layer("farmland", "永久基本农田", farmland, everywhere),),
    )


@pytest.mark.parametrize("method", ["exact", "fast"])
def test_invalid_input_never_reaches_the_engine(monkeypatch, method):
    seen = []

    def look_at(shapes, features):
        seen.append(len(shapes))
        assert shapely.is_valid(shapes).all() and shapely.is_valid(features).all()
        assert not shapely.is_empty(shapes).any() and not shapely.is_empty(features).any()
        assert not shapely.is_missing(shapes).any() and not shapely.is_missing(features).any()

    cut, sum_up = areas.cut_pieces, areas.share_together

    def cut_guarded(shapes, features):
        look_at(shapes, features)
        return cut(shapes, features)

    def sum_guarded(ground, layers, counts):
        for features, _ in layers:
            look_at(ground.shapes, features)
        return sum_up(ground, layers, counts)

    monkeypatch.setattr(areas, "cut_pieces", cut_guarded)
    monkeypatch.setattr(sys.modules["landplan.overlay.pieces"], "cut_pieces", cut_guarded)
    monkeypatch.setattr(areas, "share_together", sum_guarded)
    monkeypatch.setattr(kinds, "choose_method", lambda _: method)
    assessment = assess(broken_world(), as_of=date(2026, 11, 20))
    assert sum(seen) > 0
    assert len(assessment.parcels) == 6
    assert assessment.parcels.loc[["P2", "P3"], "farmland_overlap_m2"].isna().all()


def test_a_project_is_judged_the_same_whichever_way_it_was_measured(monkeypatch):
    found = {}
    for method in ("exact", "fast"):
        monkeypatch.setattr(kinds, "choose_method", lambda _, method=method: method)
        found[method] = assess(broken_world(), as_of=date(2026, 11, 20))
    one, other = found["exact"], found["fast"]
    pd.testing.assert_frame_equal(
        one.parcels.drop(columns="geometry"), other.parcels.drop(columns="geometry"), rtol=1e-9
    )
    pd.testing.assert_frame_equal(
        one.overlaps.drop(columns="geometry"), other.overlaps.drop(columns="geometry"), rtol=1e-9
    )
    pd.testing.assert_frame_equal(one.findings, other.findings, rtol=1e-9)
    # By the compiled way only what is shown is cut: the conflicts, and not the zones every parcel lies in.
    drawn = other.overlaps.geometry.notna()
    assert (other.overlaps.loc[drawn, "layer"] == "farmland").all()
    assert (other.overlaps.loc[~drawn, "layer"] == "zones").all()
    assert drawn.sum() == (one.overlaps["layer"] == "farmland").sum() > 0
    same = other.overlaps.geometry[drawn].geom_equals_exact(one.overlaps.geometry[drawn], 1e-6)
    assert same.all()
    assert one.overlaps.geometry.notna().all()


def test_a_million_conflicts_are_measured_and_only_a_map_cuts_them(monkeypatch):
    monkeypatch.setattr(kinds, "choose_method", lambda _: "fast")
    monkeypatch.setattr(pipeline, "_MOST_DRAWN", 1)
    assessment = assess(broken_world(), as_of=date(2026, 11, 20))
    assert assessment.overlaps.geometry.isna().all()
    assert (assessment.overlaps["overlap_m2"] > 0).all()
    layers = list(broken_world().layers)
    monkeypatch.setattr(pipeline, "read_layers", lambda *_: layers)
    shown = pipeline.draw_layers(replace(assessment, layers={}), None).overlaps
    conflicts = (shown["layer"] == "farmland").to_numpy()
    assert shown.geometry.notna().tolist() == conflicts.tolist()
    assert shown.geometry[conflicts].area.tolist() == pytest.approx(shown["overlap_m2"][conflicts].tolist())


def test_the_doors_of_the_package_are_what_they_were():
    for name in ("find_pieces", "measure_evaluations", "measure_overlaps", "measure_reach"):
        assert callable(getattr(overlay, name))
