from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import worlds
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from landplan.errors import CRSError, ReadError, UsageError
from landplan.inputs import Inputs
from landplan.pipeline import assess
from landplan.rules import load_rulebook
from landplan.schema import coerce
from landplan.terrain import TERRAIN_COLUMNS, measure, measure_terrain, trapezoids
from landplan.terrain.fractions import slope_at

BOTH = pytest.mark.parametrize("method", ["exact", "fast"])


def tilted(rise: float, cells: int = 12, cell: float = 10.0):
    """A plane that rises `rise` metres per metre towards the east, 0 at the west edge."""
    east = (np.arange(cells) + 0.5) * cell * rise
    return worlds.raster(np.tile(east, (cells, 1)).tolist(), cell=cell)


def test_a_parcel_astride_two_cells_takes_each_by_its_covered_area():
    dem = worlds.raster([[10.0, 30.0]], cell=100)
    assert measure_terrain(worlds.square("A", 75, 0, 50), dem).at["A", "elevation_mean_m"] == 20.0


def test_a_plane_rising_one_in_ten_slopes_by_its_arc_tangent():
    found = measure_terrain(worlds.square("A", 30, 30, 40), tilted(0.1)).loc["A"]
    assert found["slope_mean_deg"] == pytest.approx(np.degrees(np.arctan(0.1)), abs=1e-4)
    assert found["slope_max_deg"] == pytest.approx(5.7106, abs=1e-3)
    assert found["elevation_mean_m"] == pytest.approx(5.0)
    assert found["dem_share"] == pytest.approx(1.0)


def test_no_data_is_unknown_and_not_sea_level():
    dem = worlds.raster([[-9999.0, -9999.0], [-9999.0, -9999.0]])
    found = measure_terrain(worlds.square("A", 50, 50, 50), dem).loc["A"]
    assert found.drop("dem_share").isna().all()
    assert found["dem_share"] == 0.0


@BOTH
def test_a_step_of_two_metres_is_levelled_in_the_middle(method):
    """Half a hectare 10 m high and half 12 m: 5000 m2 x 1 m is cut and the same filled, counted once."""
    dem = worlds.raster([[10.0, 12.0]] * 2, cell=50)
    found = measure_terrain(worlds.square("A", 0, 0, 100), dem, method=method).loc["A"]
    assert found[["level_elevation_m", "earthwork_m3", "relief_m"]].tolist() == pytest.approx([11, 5000, 2])


@BOTH
def test_a_third_on_high_ground_fills_the_rest_by_half_its_height(method):
    """30 m of 90 m lie 3 m higher: level at 1 m; 30 x 90 m2 x 2 m are cut."""
    dem = worlds.raster([[0.0, 0.0, 3.0]] * 3, cell=30)
    found = measure_terrain(worlds.square("A", 0, 0, 90), dem, method=method).loc["A"]
    assert found[["level_elevation_m", "earthwork_m3"]].tolist() == pytest.approx([1, 5400])


@BOTH
def test_a_tilted_plane_moves_an_eighth_of_its_rise_times_its_area(method):
    """Rise h over a length L moves the wedge L/2 x h/2 x width / 2 = area x h / 8 (cells of 1 m: 1 in 10,000 less)."""
    dem = tilted(0.1, cells=104, cell=1.0)
    found = measure_terrain(worlds.square("A", 2, 2, 100), dem, method=method).loc["A"]
    assert found["earthwork_m3"] == pytest.approx(10_000 * 10 / 8, rel=2e-4)
    assert found["level_elevation_m"] == pytest.approx(5.2)


def test_flat_ground_needs_no_earthwork():
    found = measure_terrain(worlds.square("A", 20, 20, 40), worlds.raster([[7.0] * 9] * 9, cell=10)).loc["A"]
    assert found[["earthwork_m3", "slope_max_deg", "relief_m"]].tolist() == [0, 0, 0]


def test_half_a_parcel_without_heights_has_no_known_earthwork():
    dem = worlds.raster([[10.0, 12.0, -9999.0]], cell=50)
    found = measure_terrain(worlds.square("A", 60, 0, 50), dem).loc["A"]
    assert found[["earthwork_m3", "level_elevation_m"]].isna().all()
    assert found["elevation_mean_m"] == 12.0


@BOTH
def test_two_columns_of_five_on_the_bank_are_two_fifths_steep(method):
    """West flat, east rising 45 degrees; the flat cell beside the foot slopes by atan(1/2), 26.6 degrees."""
    dem = worlds.raster([[0.0] * 6 + [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]] * 12, cell=10)
    parcel = worlds.parcels({"A": worlds.box(30, 30, 50, 40)})
    found = measure_terrain(parcel, dem, steep_deg=30, method=method).loc["A"]
    assert found["slope_max_deg"] == pytest.approx(45)
    assert found["slope_steep_share"] == pytest.approx(2 / 5)


@BOTH
def test_a_slope_at_the_limit_is_not_steeper_than_it(method):
    dem, parcel = tilted(1.0), worlds.square("A", 30, 30, 40)
    shares = [
        measure_terrain(parcel, dem, steep_deg=limit, method=method).at["A", "slope_steep_share"]
        for limit in (45, 44.999)
    ]
    assert shares == [0.0, 1.0]


def test_without_a_limit_the_steep_share_is_unknown():
    assert np.isnan(measure_terrain(worlds.square("A", 30, 30, 40), tilted(1.0)).at["A", "slope_steep_share"])


def test_a_limit_beyond_the_vertical_is_refused():
    with pytest.raises(UsageError, match="between 0 and 90"):
        measure_terrain(worlds.square("A", 30, 30, 40), tilted(1.0), steep_deg=150)


@BOTH
def test_a_cone_has_one_slope_everywhere_but_at_its_tip(method):
    """Two metres down in ten from the middle; a ring around the tip slopes by atan(0.2)."""
    x, y = np.meshgrid(np.arange(200) + 0.5 - 100, np.arange(200) + 0.5 - 100)
    dem = worlds.raster((100 - 0.2 * np.hypot(x, y)).tolist(), cell=1.0)
    middle = shapely.Point(worlds.EAST + 100, worlds.NORTH + 100)
    ring = middle.buffer(90, quad_segs=64).difference(middle.buffer(30, quad_segs=64))
    found = measure_terrain(worlds.parcels({"A": ring}), dem, steep_deg=11, method=method).loc["A"]
    assert found["slope_mean_deg"] == pytest.approx(np.degrees(np.arctan(0.2)), abs=2e-3)
    assert found["slope_steep_share"] == 1.0
    # The mean distance from the middle over a ring is 2/3 (R3 - r3) / (R2 - r2).
    assert found["elevation_mean_m"] == pytest.approx(
        100 - 0.2 * 2 / 3 * (90**3 - 30**3) / (90**2 - 30**2), abs=0.01
    )
    assert found["relief_m"] == pytest.approx(12, abs=0.3)


def test_a_parcel_beyond_the_model_is_unknown():
    found = measure_terrain(
        worlds.parcels({"A": worlds.box(0, 0, 50), "B": worlds.box(90_000, 0, 50)}), tilted(0.1)
    )
    assert found.loc["B"].drop("dem_share").isna().all()


def test_half_a_parcel_on_data_says_so():
    dem = worlds.raster([[10.0, -9999.0]])
    found = measure_terrain(worlds.square("A", 75, 0, 50), dem).loc["A"]
    assert found[["elevation_mean_m", "dem_share"]].tolist() == pytest.approx([10.0, 0.5])


def test_a_parcel_without_a_shape_stays_unknown_and_in_its_place():
    frame = worlds.parcels({"A": None, "B": worlds.box(30, 30, 40)})
    assert measure_terrain(frame, tilted(0.1))["slope_mean_deg"].isna().tolist() == [True, False]


def test_a_model_on_another_datum_is_refused():
    dem = worlds.raster([[1.0, 2.0]], crs=2435)
    with pytest.raises(CRSError, match="datum"):
        measure_terrain(worlds.square("A", 0, 0, 50), dem)


def test_a_file_that_is_no_raster_is_refused_by_name(tmp_path):
    broken = tmp_path / "dem.tif"
    broken.write_bytes(b"II*\x00rubbish")
    with pytest.raises(ReadError, match=r"dem\.tif"):
        measure_terrain(worlds.square("A", 0, 0, 50), broken)


def test_a_model_in_degrees_is_warped_before_its_slope_is_taken(shared_data: Path):
    """A slope straight on the degree grid of the Zion DEM would be near 90 everywhere."""
    path = shared_data / "raster" / "zion_srtm.tif"
    with rasterio.open(path) as dataset:
        box = shapely.box(*dataset.bounds).buffer(-0.05)
    frame = geopandas.GeoDataFrame(
        geometry=[box], crs=4326, index=pd.Index(["zion"], name="parcel_id")
    ).to_crs(32612)
    found = measure_terrain(frame, path).loc["zion"]
    assert 1024 < found["elevation_mean_m"] < 2892
    assert 10 < found["slope_mean_deg"] < 30


@pytest.mark.parametrize("name", ["spearfish_sfdem.tif", "mongon_dem.tif"])
def test_the_slope_agrees_with_gdaldem(shared_data: Path, tmp_path: Path, name: str):
    tool = shutil.which("gdaldem")
    if tool is None:
        if os.environ.get("CI") == "true":
            pytest.fail("gdaldem (Debian gdal-bin) is missing")
        pytest.skip("gdaldem is missing; this test runs where gdal-bin is installed")
    source = shared_data / "raster" / name
    with rasterio.open(source) as dataset:
        if dataset.crs is None or dataset.crs.is_geographic:
            plain = tmp_path / "plain.tif"
            profile = {**dataset.profile, "crs": "EPSG:32618"}
            profile["transform"] = rasterio.transform.from_origin(0, 0, 30, 30)
            with rasterio.open(plain, "w", **profile) as out:
                out.write(dataset.read(1), 1)
            source = plain
    target = tmp_path / "slope.tif"
    subprocess.run([tool, "slope", str(source), str(target), "-q"], check=True)
    with rasterio.open(source) as dataset, rasterio.open(target) as slope:
        heights = dataset.read(1, masked=True).astype("float64").filled(np.nan)
        expected = slope.read(1, masked=True).filled(np.nan)
        own = np.full(heights.shape, np.nan)
        row, col = (grid.ravel() + 1 for grid in np.indices((dataset.height - 2, dataset.width - 2)))
        own[row, col] = slope_at(heights, row, col, dataset.transform.a, -dataset.transform.e)
    both = np.isfinite(expected) & np.isfinite(own)
    assert both.sum() > 1000
    assert np.isfinite(expected).sum() == np.isfinite(own).sum()
    assert np.abs(own[both] - expected[both]).max() < 1e-3


# Shapes of every kind, strewn over a rough 12 x 12 grid of 10 m with a void; corners on grid lines and off them.
CORNER = st.one_of(st.integers(0, 120), st.floats(-15, 135, allow_nan=False, width=32))
ROUGH = np.round(np.random.default_rng(4).normal(500, 6, (12, 12)), 2)
ROUGH[3, 4] = -9999.0


@st.composite
def shapes(draw):
    points = draw(st.lists(st.tuples(CORNER, CORNER), min_size=3, max_size=9))
    hull = shapely.MultiPoint(points).convex_hull
    if draw(st.booleans()):
        x, y = draw(CORNER), draw(CORNER)
        hull = hull.difference(shapely.box(x, y, x + draw(st.integers(1, 40)), y + draw(st.integers(1, 40))))
    if draw(st.booleans()):
        hull = hull.union(shapely.box(0, 0, draw(st.integers(1, 30)), 7.5))
    parts = [part for part in shapely.get_parts(hull) if part.geom_type == "Polygon" and part.area > 0.5]
    moved = shapely.transform(shapely.MultiPolygon(parts), worlds.move)
    return moved if draw(st.booleans()) else shapely.reverse(moved)


@settings(max_examples=150)
@given(st.lists(shapes(), min_size=1, max_size=3))
def test_trapezoids_and_exactextract_agree_on_any_shape(drawn):
    frame = worlds.parcels({str(k): shape for k, shape in enumerate(drawn)})
    dem = worlds.raster(ROUGH.tolist(), cell=10)
    one = measure_terrain(frame, dem, steep_deg=15)
    other = measure_terrain(frame, dem, steep_deg=15, method="fast")
    pd.testing.assert_frame_equal(one, other, rtol=1e-6, atol=1e-6)


@BOTH
def test_plain_holed_and_many_part_parcels_lie_beside_each_other(method):
    """Columns of 10 m lie 0.5, 1.5, 2.5 ... m high; the plain one takes (10 x 2.5 + 10 x 3.5 + 5 x 4.5) / 25 = 3.3."""
    holed = worlds.box(20, 20, 60).difference(worlds.box(40, 40, 20))
    pair = shapely.union_all([worlds.box(20, 20, 10), worlds.box(80, 90, 10)])
    solid = shapely.force_3d(worlds.box(30, 30, 50, 15), 4000.0)
    line = shapely.LineString([(worlds.EAST + 20, worlds.NORTH + 20), (worlds.EAST + 90, worlds.NORTH + 20)])
    frame = worlds.parcels(
        {"plain": worlds.box(20, 20, 25), "holed": holed, "pair": pair, "solid": solid, "line": line}
    )
    found = measure_terrain(frame, tilted(0.1), method=method)
    assert found["elevation_mean_m"].tolist() == pytest.approx([3.3, 5, 5.5, 5.5, np.nan], nan_ok=True)
    assert found["dem_share"].tolist() == pytest.approx([1, 1, 1, 1, np.nan], nan_ok=True)


@BOTH
def test_a_brute_sample_of_points_finds_the_same(method):
    """A million points over a ragged parcel with a hole: a mean of them strays by 6 m / 1000."""
    rng = np.random.default_rng(7)
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    reach = rng.uniform(25, 55, 40)
    star = shapely.Polygon(np.column_stack([60 + reach * np.cos(turn), 60 + reach * np.sin(turn)]))
    star = star.difference(shapely.Point(63, 58).buffer(9))
    heights = np.round(rng.normal(500, 6, (12, 12)), 2)
    x, y = (np.arange(1200) + 0.5) / 10, (np.arange(1200) + 0.5) / 10
    east, north = (a.ravel() for a in np.meshgrid(x, y))
    inside = shapely.contains_xy(star, east, north)
    sample = heights[11 - (north[inside] // 10).astype(int), (east[inside] // 10).astype(int)]
    parcel = worlds.parcels({"A": shapely.transform(star, worlds.move)})
    found = measure_terrain(parcel, worlds.raster(heights.tolist(), cell=10), method=method).loc["A"]
    assert found["elevation_mean_m"] == pytest.approx(sample.mean(), abs=5e-3)
    cut = np.maximum(sample - sample.mean(), 0).mean() * star.area
    assert found["earthwork_m3"] == pytest.approx(cut, rel=2e-3)


def strewn(count: int = 60, extent: float = 600.0, seed: int = 3) -> geopandas.GeoDataFrame:
    rng = np.random.default_rng(seed)
    shapes = {}
    for k in range(count):
        x, y, size = *rng.uniform(0, extent, 2), rng.uniform(0.5, 90)
        turn = np.sort(rng.uniform(0, 2 * np.pi, 9))
        ring = np.column_stack([x + size * np.cos(turn), y + size * np.sin(turn)])
        shapes[f"P{k}"] = shapely.transform(shapely.convex_hull(shapely.MultiPoint(ring)), worlds.move)
    return worlds.parcels(shapes)


def hills(cells: int = 64, cell: float = 10.0):
    rng = np.random.default_rng(5)
    return worlds.raster(np.round(rng.normal(500, 9, (cells, cells)), 2).tolist(), cell=cell)


@BOTH
@pytest.mark.parametrize(("tile", "side", "strip"), [(1, 64, 10**6), (7, 64, 10**6), (16, 3, 5), (16, 3, 40)])
def test_how_the_model_is_cut_into_tiles_changes_no_digit(monkeypatch, method, tile, side, strip):
    parcels, dem = strewn(), hills()
    whole = measure_terrain(parcels, dem, steep_deg=40, method=method)
    assert whole["slope_mean_deg"].notna().sum() > 50
    for name, value in (("_TILE", tile), ("_SIDE", side), ("_STRIP", strip)):
        monkeypatch.setattr(measure, name, value)
    cut = measure_terrain(parcels, dem, steep_deg=40, method=method)
    pd.testing.assert_frame_equal(cut, whole, rtol=0, atol=0)


@BOTH
def test_a_parcel_alone_measures_as_among_others_to_the_last_digit(monkeypatch, method):
    monkeypatch.setattr(trapezoids, "_BATCH", 10)
    parcels, dem = strewn(), hills()
    together = measure_terrain(parcels, dem, steep_deg=40, method=method)
    alone = [
        measure_terrain(parcels.iloc[[k]], dem, steep_deg=40, method=method) for k in range(len(parcels))
    ]
    pd.testing.assert_frame_equal(pd.concat(alone), together, rtol=0, atol=0)


def in_degrees(step: float = 0.0004, cells: int = 60, nodata: float | None = None):
    """Heights around 112.5 E 37.4 N, on the seam of two zones, rising 100 m per degree to the east."""
    lon = 112.49 + (np.arange(cells) + 0.5) * step
    heights = np.tile(500 + 100 * (lon - 112.49), (cells, 1)).astype("float32")
    heights[:4, :4] = -32768
    file = MemoryFile()
    with file.open(
        driver="GTiff", width=cells, height=cells, count=1, dtype="float32", crs="EPSG:4326",
        transform=from_origin(112.49, 37.41, step, step), nodata=nodata,
    ) as dataset:  # fmt: skip
        dataset.write(heights, 1)
    return file.open()


def on_the_seam() -> geopandas.GeoDataFrame:
    rng = np.random.default_rng(8)
    corners = np.column_stack([rng.uniform(112.4905, 112.512, 20), rng.uniform(37.3875, 37.4085, 20)])
    shapes = [shapely.box(x, y, x + 0.001, y + 0.0008) for x, y in corners]
    index = pd.Index([f"P{k}" for k in range(20)], name="parcel_id")
    return geopandas.GeoDataFrame(geometry=shapes, index=index, crs=4490)


@BOTH
def test_in_degrees_too_no_digit_depends_on_which_parcels_are_asked(monkeypatch, method):
    parcels, dem = on_the_seam(), in_degrees()
    together = measure_terrain(parcels, dem, steep_deg=0.01, method=method)
    assert together["slope_mean_deg"].notna().sum() > 15
    alone = [measure_terrain(parcels.iloc[[k]], dem, steep_deg=0.01, method=method) for k in range(20)]
    pd.testing.assert_frame_equal(pd.concat(alone), together, rtol=0, atol=0)
    monkeypatch.setattr(measure, "_TILE", 3)
    cut = measure_terrain(parcels, dem, steep_deg=0.01, method=method)
    pd.testing.assert_frame_equal(cut, together, rtol=0, atol=0)


def test_a_piece_cut_out_of_a_model_in_degrees_measures_as_the_whole(tmp_path: Path):
    path, window = tmp_path / "piece.tif", rasterio.windows.Window(7, 11, 40, 37)
    whole = in_degrees()
    place = whole.window_transform(window)
    with rasterio.open(
        path, "w", **{**whole.profile, "width": 40, "height": 37, "transform": place}
    ) as piece:
        piece.write(whole.read(window=window))
    of_piece, of_whole = measure_terrain(on_the_seam(), path), measure_terrain(on_the_seam(), whole)
    within = of_piece["slope_mean_deg"].notna() & (of_piece["dem_share"] == 1.0)
    assert within.sum() > 5
    heights = ["elevation_mean_m", "relief_m", "earthwork_m3", "level_elevation_m"]
    pd.testing.assert_frame_equal(of_piece.loc[within, heights], of_whole.loc[within, heights], rtol=1e-7)


def test_a_plane_in_degrees_slopes_by_the_metres_of_its_latitude():
    """At 37.4 N a degree of longitude is 88.5 km long: 100 m in that is 0.0647 degrees of slope."""
    found = measure_terrain(on_the_seam(), in_degrees())
    sound = found[found["dem_share"] == 1.0]
    assert len(sound) > 10
    assert sound["slope_mean_deg"].to_numpy() == pytest.approx(0.0647, rel=0.01)
    middle = shapely.get_x(shapely.centroid(on_the_seam().geometry.values))[
        (found["dem_share"] == 1.0).to_numpy()
    ]
    assert sound["elevation_mean_m"].to_numpy() == pytest.approx(500 + 100 * (middle - 112.49), abs=2e-3)


@pytest.mark.parametrize("nodata", [None, -32768.0])
def test_beside_a_void_in_degrees_nothing_is_mixed_with_it(nodata):
    corner = geopandas.GeoDataFrame(
        geometry=[shapely.box(112.4901, 37.407, 112.493, 37.4099)],
        index=pd.Index(["A"], name="parcel_id"),
        crs=4490,
    )
    found = measure_terrain(corner, in_degrees(nodata=nodata)).loc["A"]
    assert 0.5 < found["dem_share"] < 1.0
    assert found["relief_m"] < 0.4
    assert np.isnan(found["earthwork_m3"])


def test_a_model_in_web_mercator_is_not_taken_for_metres():
    """At 37.4 N its metre is 0.794 of one: a rise of one in ten there is one in 7.94."""
    cells, cell = 40, 20.0
    west, north = 12_523_000.0, 4_493_000.0
    file = MemoryFile()
    with file.open(
        driver="GTiff", width=cells, height=cells, count=1, dtype="float32", crs="EPSG:3857",
        transform=from_origin(west, north, cell, cell),
    ) as dataset:  # fmt: skip
        dataset.write(np.tile(np.arange(cells) * cell * 0.1, (cells, 1)).astype("float32"), 1)
    middle = shapely.box(west + 300, north - 500, west + 500, north - 300)
    frame = geopandas.GeoDataFrame(geometry=[middle], index=pd.Index(["A"], name="parcel_id"), crs=3857)
    latitude = np.radians(frame.to_crs(4326).geometry.iloc[0].centroid.y)
    with file.open() as dem:
        found = measure_terrain(frame, dem).loc["A"]
    # Web Mercator is a sphere's: on the ellipsoid east-west scale is off by less than 1 in 500.
    assert np.tan(np.radians(found["slope_mean_deg"])) == pytest.approx(0.1 / np.cos(latitude), rel=3e-3)


def test_only_the_windows_of_the_parcels_are_read_of_a_model_larger_than_memory(tmp_path: Path):
    """1.6 thousand million cells, written sparsely; parcels in two corners and the middle."""
    path = tmp_path / "large.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=40_000, height=40_000, count=1, dtype="float32", crs="EPSG:4547",
        transform=from_origin(worlds.EAST, worlds.NORTH + 400_000, 10, 10), tiled=True, sparse_ok=True, nodata=-9999,
        bigtiff="yes",
    ) as dataset:  # fmt: skip
        for col, row in ((0, 39_488), (20_000, 20_000), (39_488, 0)):
            block = np.tile(np.arange(512, dtype="float32"), (512, 1))
            dataset.write(block, 1, window=rasterio.windows.Window(col, row, 512, 512))
    spots = {"SW": (1000, 1000), "MID": (201_000, 197_000), "NE": (396_000, 396_000)}
    found = measure_terrain(worlds.parcels({k: worlds.box(x, y, 200) for k, (x, y) in spots.items()}), path)
    assert found["dem_share"].tolist() == [1, 1, 1]
    assert found["slope_mean_deg"].tolist() == pytest.approx([np.degrees(np.arctan(0.1))] * 3)


def test_heights_in_decimetres_are_read_by_the_scale_the_file_names(tmp_path: Path):
    path = tmp_path / "dm.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=2, height=2, count=1, dtype="int16", crs="EPSG:4547",
        transform=from_origin(worlds.EAST, worlds.NORTH + 100, 50, 50),
    ) as dataset:  # fmt: skip
        dataset.write(np.full((1, 2, 2), 7954, dtype="int16"))
        dataset.scales = (0.1,)
    assert measure_terrain(worlds.square("A", 0, 0, 100), path).at["A", "elevation_mean_m"] == pytest.approx(
        795.4
    )


def test_a_model_lying_south_up_is_refused():
    file = MemoryFile()
    with file.open(
        driver="GTiff", width=2, height=2, count=1, dtype="float32", crs="EPSG:4547",
        transform=rasterio.Affine(50, 0, worlds.EAST, 0, 50, worlds.NORTH),
    ) as dataset:  # fmt: skip
        dataset.write(np.ones((1, 2, 2), dtype="float32"))
    with file.open() as dem, pytest.raises(CRSError, match="north-up"):
        measure_terrain(worlds.square("A", 0, 0, 50), dem)


def test_trapezoids_without_numba_are_refused_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    trapezoids._compiled.cache_clear()
    with pytest.raises(UsageError, match=r"landplan\[fast\]"):
        measure_terrain(worlds.square("A", 30, 30, 40), tilted(0.1), method="fast")
    trapezoids._compiled.cache_clear()


def test_all_declared_columns_are_given_in_order():
    assert tuple(measure_terrain(worlds.square("A", 30, 30, 40), tilted(0.1)).columns) == TERRAIN_COLUMNS


def test_the_limit_of_a_project_reaches_the_measure(tmp_path: Path):
    path = tmp_path / "dem.tif"
    with tilted(1.0) as dem, rasterio.open(path, "w", **dem.profile) as file:
        file.write(dem.read())
    parcels = coerce(worlds.square("A", 30, 30, 40), "parcels")
    inputs = Inputs(
        name="bank", parcels=parcels, rulebook=load_rulebook("example.kaifaqu"), dem=path, steep_deg=30
    )
    judged = assess(inputs, as_of=date(2026, 11, 20))
    assert judged.parcels.loc["A", "slope_steep_share"] == 1.0
    # A wedge of 40 m x 40 m rising 40 m in cells of 10 m: 5 m and 15 m above the middle on 400 m2 each.
    assert judged.parcels.loc["A", "earthwork_m3"] == pytest.approx(8000)
