from __future__ import annotations

import geopandas
import pandas as pd
import pyproj
import pytest
import shapely
import worlds

from landplan.crs import measure_areas, measuring_epsg, same_datum, to_lonlat, transform
from landplan.errors import CRSError

# Seats of counties, zone by 112.5E
SEATS = {
    "榆次": (112.72, 37.69, 4547), "太谷": (112.55, 37.42, 4547), "祁县": (112.33, 37.36, 4546),
    "平遥": (112.18, 37.19, 4546), "介休": (111.92, 37.03, 4546), "灵石": (111.78, 36.85, 4546),
    "寿阳": (113.18, 37.90, 4547), "临猗": (110.77, 35.14, 4546), "陵川": (113.28, 35.78, 4547),
}  # fmt: skip


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
