"""Coordinates that do not lie where their CRS says, case by case."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
import worlds
from projects import write_layer, write_project
from sources import feature, geojson, ring
from told import codes_of, outcome, said, sentence

from landplan.crs import measure_areas, transform, working_crs
from landplan.errors import CRSError
from landplan.overlay import find_pieces
from landplan.pipeline import assess
from landplan.read import read_source
from landplan.read.webmap import gcj02_offset, look_for_shift

AS_OF = date(2026, 11, 20)
# 100 m squares beside the central meridian of zone 38, where the sample lies.
EAST, NORTH = 500_000.0, 4_170_000.0
ZONE_38 = 38_000_000.0


def drawn(
    path: Path, crs: int | None, east: float = EAST, north: float = NORTH, *, size: float = 100.0, n: int = 2
) -> Path:
    """A shapefile of squares whose .prj says what we want it to say."""
    shapes = [
        shapely.box(east + 2 * size * k, north, east + 2 * size * k + size, north + size) for k in range(n)
    ]
    frame = gpd.GeoDataFrame({"DKBH": [f"A-{k}" for k in range(n)]}, geometry=shapes, crs=crs or 4547)
    frame.to_file(path, encoding="UTF-8")
    if crs is None:
        path.with_suffix(".prj").unlink()
    return path


def swapped(path: Path, crs: int, east: float, north: float, size: float = 100.0) -> Path:
    frame = gpd.GeoDataFrame(
        {"DKBH": ["A"]}, geometry=[shapely.box(north, east, north + size, east + size)], crs=crs
    )
    frame.to_file(path, encoding="UTF-8")
    return path


# --- good controls ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crs", "east", "north", "size"),
    [
        (4547, EAST, NORTH, 100.0),
        (4526, ZONE_38 + EAST, NORTH, 100.0),
        (4525, 37_000_000 + EAST, NORTH, 100.0),
        (4549, EAST, NORTH, 100.0),
        (4528, 40_000_000 + EAST, NORTH, 100.0),
        (4547, 380_000.0, 3_900_000.0, 100.0),
        (4490, 112.72, 37.69, 0.001),
        (4326, 112.72, 37.69, 0.001),
        (3826, 250_000.0, 2_650_000.0, 100.0),
    ],
)
def test_sound_coordinates_are_taken_at_their_word(tmp_path, crs, east, north, size):
    raw = read_source(drawn(tmp_path / "a.shp", crs, east, north, size=size))
    assert outcome(raw) == "accept"
    assert raw.frame.crs.to_epsg() == crs
    assert raw.frame.geometry.iloc[0].bounds == (east, north, east + size, north + size)
    if size == 100.0:
        epsg = "EPSG:3826" if crs == 3826 else None
        assert measure_areas(raw.frame, epsg)["area_m2"].tolist() == pytest.approx([10_000.0] * 2, abs=1e-3)


# --- the rows -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crs", [4528, 4526, 4513])
def test_row_1_a_missing_zone_prefix_rejects_the_source_before_anything_becomes_infinite(tmp_path, crs):
    raw = read_source(drawn(tmp_path / "a.shp", crs))
    assert (outcome(raw), codes_of(raw)) == ("reject", ["CRS.ZONE"])
    assert said(raw, "CRS.ZONE") == [(None, "", f"EPSG:{crs}，X=500150 Y=4170050")]
    assert sentence(raw, "CRS.ZONE") == f"坐标与声明的坐标系不符：EPSG:{crs}，X=500150 Y=4170050"


def test_row_1_a_transformation_to_infinity_is_an_error_and_never_a_place():
    # Straight from a caller: no reader stands between these numbers and the library.
    shape = shapely.box(EAST, NORTH, EAST + 100, NORTH + 100)
    with pytest.raises(CRSError, match="无穷值"):
        transform(gpd.GeoDataFrame(geometry=[shape], crs=4528), 4490)


@pytest.mark.parametrize("crs", [4549, 4547])
def test_row_2_a_zone_prefix_under_a_crs_without_one_rejects_the_source(tmp_path, crs):
    raw = read_source(drawn(tmp_path / "a.shp", crs, ZONE_38 + EAST))
    assert (outcome(raw), codes_of(raw)) == ("reject", ["CRS.ZONE"])
    assert f"EPSG:{crs}，X=38500150 Y=4170050" in sentence(raw, "CRS.ZONE")


def test_row_2_a_zone_prefix_where_nothing_is_declared_decides_and_is_said(tmp_path):
    raw = read_source(drawn(tmp_path / "a.shp", None, ZONE_38 + EAST))
    assert (outcome(raw), raw.source.crs, raw.source.crs_how) == ("flag", "EPSG:4526", "content")
    assert said(raw, "CRS.ZONE_FROM_PREFIX") == [(None, "", "EPSG:4526")]


def test_row_3_numbers_of_zone_41_under_zone_40_reject_the_source(tmp_path):
    raw = read_source(drawn(tmp_path / "a.shp", 4528, 41_000_000 + EAST))
    assert (outcome(raw), codes_of(raw)) == ("reject", ["CRS.ZONE"])


@pytest.mark.parametrize(
    "wrong",
    [4546, 4548, 4509],
    ids=["the meridian to the west", "the meridian to the east", "the 6-degree zone beside"],
)
def test_row_3_a_neighbouring_meridian_has_the_same_numbers_and_is_told_by_the_project(tmp_path, wrong):
    folder = write_project(tmp_path / "项目")
    assert "CRS.OUTSIDE" not in set(assess(folder, as_of=AS_OF).issues["code"])
    drawn = pyogrio.read_dataframe(folder / "地块.gpkg")
    assert drawn.crs.to_epsg() == 4547
    write_layer(drawn.set_crs(wrong, allow_override=True), folder / "地块.gpkg")
    # Nothing in the file can tell: its numbers fit its words, and only the place is hundreds of kilometres off.
    raw = read_source(folder / "地块.gpkg")
    assert (outcome(raw), raw.source.rows_imported) == ("accept", len(drawn))
    assessment = assess(folder, as_of=AS_OF)
    outside = assessment.issues[assessment.issues["code"] == "CRS.OUTSIDE"]
    assert sorted(outside["parcel_id"]) == sorted(assessment.parcels.index)
    assert outside["is_blocking"].all()
    assert set(assessment.parcels["verdict"]) <= {"pending", "not_ready"}


def test_row_4_northings_written_as_eastings_reject_the_source(tmp_path):
    for number, (crs, east) in enumerate([(4547, EAST), (4526, ZONE_38 + EAST)]):
        raw = read_source(swapped(tmp_path / f"{number}.shp", crs, east, NORTH))
        assert (outcome(raw), codes_of(raw)) == ("reject", ["CRS.AXIS_SWAP"])
        assert sentence(raw, "CRS.AXIS_SWAP").startswith("东、北坐标疑似颠倒")


def test_row_4_northings_written_as_eastings_are_found_without_any_declaration_by_their_prefix(tmp_path):
    path = swapped(tmp_path / "a.shp", 4526, ZONE_38 + EAST, NORTH)
    path.with_suffix(".prj").unlink()
    assert codes_of(read_source(path)) == ["CRS.AXIS_SWAP"]


@pytest.mark.parametrize("crs", [4490, 4326])
def test_row_5_latitude_written_first_rejects_the_source(tmp_path, crs):
    raw = read_source(swapped(tmp_path / "a.shp", crs, 112.72, 37.69, 0.001))
    assert (outcome(raw), codes_of(raw)) == ("reject", ["CRS.AXIS_SWAP"])


@pytest.mark.parametrize(
    ("crs", "east", "north", "size"),
    [
        (4547, 112.72, 37.69, 0.001),  # degrees called metres
        (4526, 112.72, 37.69, 0.001),
        (4490, EAST, NORTH, 100.0),  # metres called degrees
        (4326, ZONE_38 + EAST, NORTH, 100.0),
        (4547, 500.0, 4_170.0, 0.1),  # kilometres
        (4547, EAST * 1000, NORTH * 1000, 100_000.0),  # millimetres
    ],
)
def test_row_6_numbers_of_another_unit_reject_the_source(tmp_path, crs, east, north, size):
    raw = read_source(drawn(tmp_path / "a.shp", crs, east, north, size=size))
    assert (outcome(raw), codes_of(raw)) == ("reject", ["CRS.UNITS"])
    assert "核对是经纬度（度）还是平面坐标（米）" in raw.issues[0].as_row()["mend_zh"]


@pytest.mark.parametrize(
    ("crs", "east", "name"),
    [
        (2383, EAST, "Xian 1980"),
        (2362, ZONE_38 + EAST, "Xian 1980"),
        (2435, EAST, "Beijing 1954"),
        (2414, ZONE_38 + EAST, "Beijing 1954"),
    ],
)
def test_row_7_an_old_datum_is_refused_with_its_name_and_never_taken_for_cgcs2000(tmp_path, crs, east, name):
    raw = read_source(drawn(tmp_path / "a.shp", crs, east))
    assert (outcome(raw), codes_of(raw)) == ("reject", ["CRS.DATUM"])
    assert name in sentence(raw, "CRS.DATUM")
    assert "CGCS2000" in raw.issues[0].as_row()["mend_zh"]


@pytest.mark.parametrize("crs", [2383, 2435, 4610, 4214])
def test_row_7_no_transformation_without_parameters_is_ever_made(crs):
    shape = (
        shapely.box(112, 37, 113, 38)
        if crs in (4610, 4214)
        else shapely.box(EAST, NORTH, EAST + 9, NORTH + 9)
    )
    with pytest.raises(CRSError, match="大地基准不同"):
        transform(gpd.GeoDataFrame(geometry=[shape], crs=crs), 4490)
    with pytest.raises(CRSError):
        working_crs([crs, 4490])


def test_row_7_wgs_84_and_cgcs2000_are_one_earth():
    frame = gpd.GeoDataFrame(geometry=[shapely.Point(112.72, 37.69)], crs=4326)
    moved = transform(frame, 4490).geometry.iloc[0]
    assert (moved.x, moved.y) == pytest.approx((112.72, 37.69), abs=1e-9)


def test_row_8_layers_in_two_systems_are_overlaid_where_they_lie_and_not_where_their_numbers_meet():
    plain = worlds.parcels({"A": worlds.box(0, 0, 100)}, area_m2=[10_000.0], measure_epsg=[4547])
    west = shapely.box(worlds.EAST, worlds.NORTH, worlds.EAST + 50, worlds.NORTH + 100)
    east = plain.crs.to_epsg()
    assert east is not None
    layer = gpd.GeoDataFrame(geometry=[west], crs=plain.crs)
    for crs in (plain.crs.to_epsg(), 4526 if east == 4547 else 4547, 4490):
        pieces = find_pieces(plain, layer.to_crs(crs), "红线")
        assert pieces["overlap_m2"].tolist() == pytest.approx([5_000.0], abs=0.01)


def test_row_8_layers_on_two_datums_are_an_error():
    plain = worlds.parcels({"A": worlds.box(0, 0, 100)}, area_m2=[10_000.0], measure_epsg=[4547])
    layer = gpd.GeoDataFrame(geometry=[worlds.box(0, 0, 50)], crs=plain.crs).set_crs(
        2383, allow_override=True
    )
    with pytest.raises(CRSError, match="大地基准不同"):
        find_pieces(plain, layer, "红线")


def test_row_9_areas_in_web_mercator_are_measured_in_the_parcels_own_zone(tmp_path):
    square = gpd.GeoDataFrame(
        {"DKBH": ["A"]}, geometry=[shapely.box(EAST, NORTH, EAST + 240, NORTH + 200)], crs=4547
    )
    path = tmp_path / "a.gpkg"
    square.to_crs(3857).to_file(path)
    raw = read_source(path)
    assert outcome(raw) == "accept"
    assert raw.frame.geometry.area.iloc[0] > 60_000
    assert raw.source.area_m2 == pytest.approx(48_000.0, abs=0.01)
    assert measure_areas(raw.frame)["area_m2"].tolist() == pytest.approx([48_000.0], abs=0.01)


@pytest.mark.parametrize(
    "columns", [{"cp": [112.7, 37.6], "childNum": 1}, {"adcode": 140702, "center": [112.7, 37.6]}]
)
def test_row_10_the_columns_of_web_maps_raise_the_suspicion_of_their_coordinates(tmp_path, columns):
    raw = read_source(geojson(tmp_path / "a.geojson", feature(ring(), name="榆次区", **columns)))
    assert outcome(raw) == "flag"
    assert said(raw, "CRS.GCJ02") == [(None, "", "列名 " + "、".join(columns))]
    assert "GCJ-02" in sentence(raw, "CRS.GCJ02")


def test_row_10_the_columns_of_a_survey_raise_none(tmp_path):
    raw = read_source(geojson(tmp_path / "a.geojson", feature(ring(), DKBH="1", center="甲方中心")))
    assert outcome(raw) == "accept"


@pytest.fixture
def reference() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=[shapely.box(112.70, 37.68, 112.72, 37.70)], crs=4490)


def in_zone(shift: bool) -> gpd.GeoDataFrame:
    """Parcels along the eastern rim of the zone, as a survey or as a web map has them."""
    shapes = [shapely.box(112.715, 37.681 + k / 500, 112.7199, 37.6825 + k / 500) for k in range(8)]
    if shift:
        east, north = (float(v) for v in gcj02_offset(112.7175, 37.69))
        shapes = [
            shapely.transform(shape, lambda points: points + np.array([east, north])) for shape in shapes
        ]
    index = pd.Index([f"A-{k}" for k in range(8)], name="parcel_id")
    return gpd.GeoDataFrame({"source": ["a.geojson"] * 8}, geometry=shapes, index=index, crs=4490)


def test_row_10_parcels_that_fit_their_zone_only_with_the_shift_taken_back_are_suspected(reference):
    (issue,) = look_for_shift(in_zone(shift=True), reference)
    assert (issue.code, issue.source) == ("CRS.GCJ02", "a.geojson")
    assert issue.value.endswith("移回偏移后 100%")
    assert look_for_shift(in_zone(shift=False), reference) == []


def test_row_10_the_shift_is_the_one_that_others_have_measured():
    # The example of coordtransform: 116.404, 39.915 becomes 116.41024449916938, 39.91640428150164.
    east, north = (float(v) for v in gcj02_offset(116.404, 39.915))
    assert (116.404 + east, 39.915 + north) == pytest.approx(
        (116.41024449916938, 39.91640428150164), abs=1e-9
    )
    for lon, lat in ((112.72, 37.69), (121.4737, 31.2304), (87.6, 43.8)):
        east, north = (float(v) for v in gcj02_offset(lon, lat))
        assert 128 < np.hypot(east * 111_320 * np.cos(np.radians(lat)), north * 110_950) < 721
