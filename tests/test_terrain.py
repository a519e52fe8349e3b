from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import worlds

from landplan.errors import CRSError, ReadError
from landplan.terrain import measure_terrain


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


def test_a_parcel_beyond_the_model_is_unknown():
    found = measure_terrain(worlds.parcels({"A": worlds.box(0, 0, 50), "B": worlds.box(90_000, 0, 50)}), tilted(0.1))
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
    with pytest.raises(ReadError, match="dem.tif"):
        measure_terrain(worlds.square("A", 0, 0, 50), broken)


def test_a_model_in_degrees_is_warped_before_its_slope_is_taken(shared_data: Path):
    """A slope straight on the degree grid of the Zion DEM would be near 90 everywhere."""
    path = shared_data / "raster" / "zion_srtm.tif"
    with rasterio.open(path) as dataset:
        box = shapely.box(*dataset.bounds).buffer(-0.05)
    frame = geopandas.GeoDataFrame(geometry=[box], crs=4326, index=pd.Index(["zion"], name="parcel_id")).to_crs(32612)
    found = measure_terrain(frame, path).loc["zion"]
    assert 1024 < found["elevation_mean_m"] < 2892
    assert 10 < found["slope_mean_deg"] < 30


@pytest.mark.parametrize("name", ["spearfish_sfdem.tif", "mongon_dem.tif"])
def test_the_slope_agrees_with_gdaldem(shared_data: Path, tmp_path: Path, name: str):
    from landplan.terrain import _slope

    tool = shutil.which("gdaldem")
    if tool is None:
        pytest.fail("gdaldem (Debian gdal-bin) is missing") if __import__("os").environ.get("CI") == "true" else pytest.skip(
            "gdaldem is missing; this test runs where gdal-bin is installed"
        )
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
        own = _slope(heights, abs(dataset.transform.a), abs(dataset.transform.e))
    both = np.isfinite(expected) & np.isfinite(own)
    assert both.sum() > 1000
    assert np.isfinite(expected).sum() == np.isfinite(own).sum()
    assert np.abs(own[both] - expected[both]).max() < 1e-3
