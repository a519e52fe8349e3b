from __future__ import annotations

import gc

import geopandas
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
import worlds
from geopandas import GeoDataFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from landplan.crs import are_valid, measure_areas, measuring_epsg, rings, same_datum, to_lonlat, transform
from landplan.errors import CRSError

# Seats of counties, zone by 112.5E
SEATS = {
    "榆次": (112.72, 37.69, 4547), "太谷": (112.55, 37.42, 4547), "祁县": (112.33, 37.36, 4546),
    "平遥": (112.18, 37.19, 4546), "介休": (111.92, 37.03, 4546), "灵石": (111.78, 36.85, 4546),
    "寿阳": (113.18, 37.90, 4547), "临猗": (110.77, 35.14, 4546), "陵川": (113.28, 35.78, 4547),
}  # fmt: skip


def test_what_geos_says_of_a_long_outline_is_asked_once_for_as_long_as_it_lives(monkeypatch):
    asked = []
    real = shapely.is_valid
    monkeypatch.setattr(shapely, "is_valid", lambda shapes: (asked.append(np.size(shapes)), real(shapes))[1])
    turns = np.linspace(0, 2 * np.pi, 6_000, endpoint=False)
    ring = shapely.Polygon(np.column_stack([np.cos(turns), np.sin(turns)]), [[(0, 0), (0.1, 0), (0, 0.1)]])
    tie = shapely.Polygon(np.roll(np.column_stack([np.sin(2 * turns), np.cos(turns)]), 7, axis=0))
    for _ in range(2):
        assert are_valid([ring, tie, None]).tolist() == [True, False, False]
    assert sum(asked) == 2 + 2  # each long one once, and the missing one each time
    known = len(rings._SAID)
    del ring, tie
    gc.collect()
    assert len(rings._SAID) == known - 2


def test_land_that_lies_nowhere_on_the_earth_is_an_error_and_no_warning():
    far = geopandas.GeoDataFrame(geometry=[shapely.box(1e30, 1e30, 2e30, 2e30)], crs=4547)
    with pytest.raises(CRSError, match="outside the 3-degree zones"):
        measuring_epsg(far)


def at(lon: float, lat: float, side: float, epsg: int) -> geopandas.GeoDataFrame:
    mover = pyproj.Transformer.from_crs(4490, epsg, always_xy=True)
    x, y = mover.transform(lon, lat)
    half = side / 2
    return geopandas.GeoDataFrame(geometry=[shapely.box(x - half, y - half, x + half, y + half)], crs=epsg)


@pytest.mark.parametrize(("lon", "lat", "epsg"), SEATS.values(), ids=SEATS)
def test_a_parcel_is_measured_in_its_own_three_degree_zone(lon, lat, epsg):
    assert measuring_epsg(at(lon, lat, 10, epsg)).tolist() == [epsg]


# A square of 100 亩 in the plane, and what it loses on the ellipsoid
@pytest.mark.parametrize(
    ("degrees_off", "lat", "difference"),
    [(0.0, 36.85, 0.0), (0.75, 36.85, 7.211), (0.78, 36.85, 7.975), (1.5, 36.85, 28.896)],
)
def test_plane_and_ellipsoidal_area_differ_as_the_projection_says(degrees_off, lat, difference):
    side = (200_000 / 3) ** 0.5
    areas = measure_areas(at(111.0 + min(degrees_off, 1.4999), lat, side, 4546))
    assert areas["area_m2"][0] == pytest.approx(66666.667, abs=0.001)
    found = areas["area_m2"][0] - areas["area_ellipsoid_m2"][0]
    assert found == pytest.approx(difference, rel=0.02, abs=0.02)


def test_lingshi_measured_in_its_neighbours_zone_is_fifty_square_metres_off():
    side = 60_000**0.5
    own = at(111.78, 36.85, side, 4546)
    ellipsoid = measure_areas(own)["area_ellipsoid_m2"][0]
    in_zone_38 = transform(own, 4547).area[0]
    assert in_zone_38 - ellipsoid == pytest.approx(58, abs=1)
    assert measure_areas(transform(own, 4547))["area_m2"][0] - ellipsoid == pytest.approx(7, abs=0.5)


def test_a_survey_already_in_its_zone_keeps_every_digit():
    square = shapely.box(38_400_000, 4_140_000, 38_400_100, 4_140_100)
    frame = geopandas.GeoDataFrame(geometry=[square], crs=4526)
    assert measure_areas(frame)["area_m2"].tolist() == [10000.0]


def test_a_missing_shape_has_no_area_rather_than_none_at_all():
    frame = worlds.parcels({"A": worlds.box(0, 0, 100), "B": None})
    areas = measure_areas(frame)
    assert areas["area_m2"].isna().tolist() == [False, True]
    assert pd.isna(areas["measure_epsg"]["B"])


def test_beijing_54_is_never_taken_for_cgcs2000():
    frame = geopandas.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=2434)
    with pytest.raises(CRSError, match="parameters"):
        transform(frame, 4546)


def test_a_coordinate_without_its_zone_prefix_stops_rather_than_turning_infinite():
    frame = geopandas.GeoDataFrame(geometry=[shapely.box(400_000, 4_140_000, 400_100, 4_140_100)], crs=4526)
    with pytest.raises(CRSError, match="finite"):
        transform(frame, 4490)


def test_degrees_for_the_map_come_without_a_shift_of_datum():
    taiwan = geopandas.GeoDataFrame(geometry=[shapely.Point(250_000, 2_700_000)], crs=3826)
    assert to_lonlat(taiwan).crs.to_epsg() == 3824
    assert same_datum(taiwan.crs, pyproj.CRS(4490))


def test_a_parcel_outside_china_needs_a_plane_named_for_it():
    london = geopandas.GeoDataFrame(geometry=[shapely.box(-0.1, 51, 0, 51.1)], crs=4326, index=["L"])
    with pytest.raises(CRSError, match="L"):
        measuring_epsg(london)
    assert measuring_epsg(london, "EPSG:32630").tolist() == [32630]


@settings(max_examples=40, deadline=None)
@given(st.floats(74, 135), st.floats(4, 53), st.sampled_from([1e-5, 1e-4, 1e-3, 5e-3]), st.integers(0, 1000))
def test_ellipsoidal_areas_are_those_of_a_plane_laid_at_the_parcel_itself(lon, lat, size, seed):
    """A transverse Mercator with its origin in the parcel is true to area there to the twelfth digit."""
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 9))
    ring = np.column_stack([lon + size * np.cos(angle) / np.cos(np.radians(lat)), lat + size * np.sin(angle)])
    shape = shapely.Polygon(ring)
    if shapely.area(shape) < size * size / 10:
        return
    middle = shape.centroid
    plane = pyproj.CRS(f"+proj=tmerc +lat_0={middle.y} +lon_0={middle.x} +k=1 +ellps=GRS80 +units=m")
    mover = pyproj.Transformer.from_crs(4490, plane, always_xy=True)
    # Edges are geodesics: in that plane they are straight but for a hair.
    known = shapely.Polygon(np.column_stack(mover.transform(*shapely.get_coordinates(shape).T))).area
    measured = measure_areas(GeoDataFrame(geometry=[shape], crs=4490))["area_ellipsoid_m2"].iloc[0]
    assert measured == pytest.approx(known, rel=3e-9, abs=1e-7)


def test_a_polygon_of_long_edges_is_measured_by_geodesics():
    zone = shapely.box(112.0, 37.0, 113.0, 38.0)
    geod = pyproj.Geod(ellps="GRS80")
    measured = measure_areas(GeoDataFrame(geometry=[zone, shapely.box(112, 37, 112.01, 37.01)], crs=4490))
    assert measured["area_ellipsoid_m2"].iloc[0] == pytest.approx(
        abs(geod.geometry_area_perimeter(zone)[0]), rel=1e-12
    )


def test_holes_parts_and_the_way_rings_are_drawn_change_no_ellipsoidal_area():
    shell, hole = shapely.box(112.70, 37.60, 112.71, 37.61), shapely.box(112.703, 37.603, 112.704, 37.604)
    away = shapely.box(112.72, 37.60, 112.73, 37.61)
    holed = shapely.Polygon(shell.exterior.coords, [hole.exterior.coords])
    turned = shapely.Polygon(shell.exterior.coords[::-1], [hole.exterior.coords[::-1]])
    shapes = [shell, hole, away, holed, turned, shapely.MultiPolygon([holed, away])]
    whole, less, other, rest, same, both = measure_areas(GeoDataFrame(geometry=shapes, crs=4490))[
        "area_ellipsoid_m2"
    ]
    assert rest == pytest.approx(whole - less, rel=1e-12)
    assert same == rest
    assert both == pytest.approx(rest + other, rel=1e-12)


def test_every_parcel_gets_the_zone_of_its_inner_point_however_many_there_are():
    """Counties within one zone are decided at a glance, those astride a line parcel by parcel."""
    west = shapely.box(112.40, 37.3, 112.41, 37.31)
    line = shapely.box(112.495, 37.3, 112.515, 37.31)
    east = shapely.box(112.60, 37.3, 112.61, 37.31)
    for crs in (4490, 4547):
        frame = GeoDataFrame(geometry=[west, line, east], crs=4490).to_crs(crs)
        alone = [int(measuring_epsg(frame.iloc[[row]]).iloc[0]) for row in range(3)]
        assert measuring_epsg(frame).tolist() == alone == [4546, 4547, 4547]


# ------------------------------------------------------------------ validity


@st.composite
def outlines(draw):
    """Rings of all kinds: round a middle once, twice or back and forth, on a lattice and off it, far from zero, damaged."""
    count = draw(st.integers(3, 9))
    turns = np.array(draw(st.lists(st.floats(0, 2 * np.pi), min_size=count, max_size=count)))
    kind = draw(st.sampled_from(["star", "star", "any", "twice"]))
    turns = turns if kind == "any" else np.sort(turns)
    turns = np.concatenate([turns, turns]) if kind == "twice" else turns
    reach = np.array(draw(st.lists(st.floats(0.01, 1), min_size=len(turns), max_size=len(turns))))
    points = np.column_stack([np.cos(turns), np.sin(turns)]) * reach[:, None]
    points = np.round(points * 4) / 4 if draw(st.booleans()) else points
    points = points[::-1] if draw(st.booleans()) else points
    points = draw(st.sampled_from([0.0, 112.0, 38_500_000.0])) + points * draw(
        st.sampled_from([1e-4, 1.0, 100.0])
    )
    damage = draw(st.sampled_from([None] * 8 + [np.nan, np.inf, 1e300]))
    if damage is not None:
        points[draw(st.integers(1, len(points) - 1)), 0] = damage  # the first closes the ring
    with np.errstate(invalid="ignore", over="ignore"):
        return shapely.Polygon(np.vstack([points, points[:1]]))


@settings(max_examples=60, deadline=None)
@given(st.lists(outlines(), min_size=30, max_size=60))
def test_what_is_told_from_coordinates_is_what_geos_tells(drawn):
    square = shapely.box(0, 0, 1, 1)
    others = [
        None, shapely.Polygon(), shapely.Point(0, 0), shapely.force_3d(square, z=3.0),
        square.difference(shapely.box(0.2, 0.2, 0.8, 0.8)),
        shapely.MultiPolygon([square, shapely.box(0.5, 0.5, 2, 2)]),
        shapely.Polygon([(0, 0), (1, 0), (1, 0), (1, 1), (0, 0)]),
        shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]),
    ]  # fmt: skip
    shapes = np.array([*drawn, *others, None], dtype=object)[:-1]
    with np.errstate(invalid="ignore", over="ignore"):
        expected = shapely.is_valid(shapes)
    assert are_valid(shapes).tolist() == expected.tolist()
    assert are_valid(np.concatenate([shapes] * 90)).tolist() == expected.tolist() * 90  # by threads
