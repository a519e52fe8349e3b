"""``inspect``: what a file holds and what is wrong with it, for people and for programs, and never an exception."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from openpyxl import Workbook

from landplan.errors import CRSError, UsageError
from landplan.read import inspect_files, inspections_json
from landplan.read.inspect import Inspection

EAST, NORTH = 500_000.0, 4_170_000.0


def box(x: float, side: float = 100.0) -> shapely.Polygon:
    return shapely.box(EAST + x, NORTH, EAST + x + side, NORTH + side)


def layer(path: Path, shapes: list[object] | None = None, **columns: list[object]) -> Path:
    shapes = shapes or [box(0), box(200)]
    pyogrio.write_dataframe(gpd.GeoDataFrame(columns, geometry=shapes, crs=4547), path)
    return path


def look(path: Path, **options: object) -> Inspection:
    found = inspect_files([path], **options)[0]
    source = found.source
    assert source.rows_in == source.rows_imported + source.rows_rejected
    return found


def raster(path: Path, cells: object, crs: str | None = "EPSG:4547", nodata: float | None = None) -> Path:
    cells = np.asarray(cells, dtype="float32")
    shape = {"width": cells.shape[1], "height": cells.shape[0], "count": 1, "dtype": "float32"}
    spot = rasterio.transform.from_origin(EAST, NORTH, 10, 10)
    with rasterio.open(path, "w", driver="GTiff", crs=crs, nodata=nodata, transform=spot, **shape) as file:
        file.write(cells, 1)
    return path


def test_a_good_file_is_accepted_with_its_area_and_crs(tmp_path):
    found = look(layer(tmp_path / "a.gpkg", 地块编号=["A-1", "A-2"]))
    assert (found.outcome, found.kind, found.table, found.layers) == ("accepted", "gpkg", "parcels", ("a",))
    assert (found.source.crs, found.source.crs_how, found.source.rows_imported) == (
        "EPSG:4547",
        "declared",
        2,
    )
    assert found.source.area_m2 == pytest.approx(20_000.0)
    assert found.issues == ()


def test_columns_are_told_as_recognised_unknown_and_without_unit(tmp_path):
    found = look(layer(tmp_path / "a.gpkg", 地块编号=["A", "B"], 投资强度=["1", "2"], 颜色=["红", "绿"]))
    assert found.recognised["地块编号"] == "parcel_id"
    assert found.unknown == ("颜色",)
    assert found.unitless == ("投资强度",)
    assert found.outcome == "flagged"


def test_a_bow_tie_is_flagged_with_its_crossing(tmp_path):
    bow = shapely.Polygon(
        [(EAST, NORTH), (EAST + 100, NORTH + 100), (EAST + 100, NORTH), (EAST, NORTH + 100), (EAST, NORTH)]
    )
    found = look(layer(tmp_path / "a.gpkg", [box(300), bow], 地块编号=["A", "B"]))
    assert found.outcome == "flagged"
    (issue,) = found.issues
    assert (issue.code, issue.row, issue.parcel_id) == ("GEOM.INVALID", 2, "B")
    assert issue.cell == "(500050, 4170050)"
    assert "Self-intersection" in issue.value
    # The area of a bow-tie is a matter of repair; only the sound parcel is summed.
    assert found.source.area_m2 == pytest.approx(10_000.0)


def test_a_bad_file_is_rejected_and_costs_the_others_nothing(tmp_path):
    good = layer(tmp_path / "a.gpkg", 地块编号=["A", "B"])
    (tmp_path / "b.shp").write_bytes(b"no shapefile")
    found = inspect_files([tmp_path / "none.gpkg", tmp_path / "b.shp", good])
    assert [f.outcome for f in found] == ["rejected", "rejected", "accepted"]
    assert [f.issues[0].code for f in found[:2]] == ["FILE.MISSING", "FILE.TYPE"]


def test_a_reader_that_breaks_down_is_an_issue_and_not_an_exception(tmp_path, monkeypatch):
    def explode(*_: object, **__: object) -> None:
        raise MemoryError("out of memory")

    monkeypatch.setattr("landplan.read.inspect.read_source", explode)
    found = look(layer(tmp_path / "a.gpkg", 地块编号=["A", "B"]))
    assert (found.outcome, found.issues[0].code) == ("rejected", "FILE.UNREADABLE")
    assert "MemoryError" in found.issues[0].value


def test_a_source_that_cannot_be_placed_counts_its_rows_as_rejected(tmp_path):
    path = layer(tmp_path / "a.shp", DKBH=["A", "B"])
    path.with_suffix(".prj").unlink()
    found = look(path)
    assert (found.outcome, found.source.rows_in, found.source.rows_rejected) == ("rejected", 2, 2)
    placed = look(path, crs="EPSG:4547")
    assert (placed.outcome, placed.source.crs_how) == ("accepted", "option")


def test_a_wrong_option_is_the_users_fault_and_raised(tmp_path):
    with pytest.raises(CRSError):
        inspect_files([tmp_path / "a.gpkg"], crs="EPSG:nonsense")
    with pytest.raises(UsageError):
        inspect_files([tmp_path / "a.gpkg"], encoding="klingon")


def test_zones_are_told_by_their_days_and_events_by_their_items(tmp_path):
    zones = layer(tmp_path / "z.gpkg", 开发区代码=["Z1", "Z1"], 生效日期=["2019-01-01", "2024-06-01"])
    assert look(zones).table == "zones"
    book = Workbook()
    for row in (["地块编号", "事项", "状态", "日期"], ["A-1", "净地", "完成", "2024-06-01"]):
        book.active.append(row)
    book.save(tmp_path / "e.xlsx")
    found = look(tmp_path / "e.xlsx")
    assert (found.table, found.kind, found.source.rows_imported) == ("events", "xlsx", 1)


def test_a_file_may_be_read_through_a_profile(tmp_path):
    path = layer(tmp_path / "a.gpkg", 甲=["A", "B"], 乙=["1", "2"])
    (tmp_path / "p.yaml").write_text(
        "profile: p\ncolumns: {甲: parcel_id, 乙: invest_intensity_cny_per_m2}\nunits: {乙: 万元/亩}\n",
        encoding="utf-8",
    )
    found = look(path, profile=tmp_path / "p.yaml")
    assert found.recognised == {"甲": "parcel_id", "乙": "invest_intensity_cny_per_m2"}
    assert found.outcome == "accepted"


def test_the_json_has_a_version_and_every_field_programs_rely_on(tmp_path):
    path = layer(tmp_path / "a.gpkg", [box(0), None], 地块编号=["A", "B"])
    content = json.loads(inspections_json(inspect_files([path])))
    assert content["schema_version"] == "1"
    (source,) = content["sources"]
    assert source["path"] == str(path)
    assert (source["outcome"], source["rows_in"], source["rows_imported"], source["rows_rejected"]) == (
        "flagged",
        2,
        2,
        0,
    )
    assert source["area_m2"] == pytest.approx(10_000.0)
    assert (source["crs"], source["encoding"], source["layers"]) == ("EPSG:4547", "utf-8", ["a"])
    assert source["columns"] == {"recognised": {"地块编号": "parcel_id"}, "unknown": [], "unitless": []}
    (issue,) = source["issues"]
    assert (issue["code"], issue["severity"], issue["row"], issue["parcel_id"]) == (
        "GEOM.NULL",
        "error",
        2,
        "B",
    )
    assert (issue["message_zh"], issue["message_en"], issue["mend"]) == (
        "没有图形",
        "No geometry",
        "补绘边界",
    )
    assert {"field", "value", "cell"} <= issue.keys()


def test_a_raster_tells_its_size_nodata_and_range(tmp_path):
    found = look(raster(tmp_path / "a.tif", [[10, 20], [30, -9999]], nodata=-9999))
    assert (found.outcome, found.table, found.source.crs) == ("accepted", "dem", "EPSG:4547")
    assert found.raster is not None
    assert (found.raster["width"], found.raster["height"], found.raster["cell"]) == (2, 2, [10.0, 10.0])
    assert (found.raster["min"], found.raster["max"], found.raster["holes"]) == (10.0, 30.0, 1)


def test_undeclared_voids_are_flagged_before_they_become_heights(tmp_path):
    found = look(raster(tmp_path / "a.tif", [[10, 20], [30, -32768]]))
    assert (found.outcome, [(i.code, i.value) for i in found.issues]) == (
        "flagged",
        [("RASTER.NODATA", "-32768")],
    )


def test_a_raster_without_crs_is_rejected(tmp_path):
    found = look(raster(tmp_path / "a.tif", [[10, 20]], crs=None))
    assert (found.outcome, [i.code for i in found.issues]) == ("rejected", ["RASTER.CRS"])


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_a_raster_cut_anywhere_is_rejected_although_it_opens(tmp_path, share):
    path = raster(tmp_path / "a.tif", np.arange(40_000).reshape(200, 200))
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
    found = look(path)
    assert (found.outcome, found.issues[0].code) == ("rejected", "RASTER.UNREADABLE")


# --- real data ------------------------------------------------------------------------------------------------

# Defects of GeoJSON that change neither a point nor an attribute.
_HARMLESS = {
    "bbox",
    "ccw",
    "_cw",
    "3d_",
    "4d_",
    "precision",
    "vertices",
    "holes",
    "wrapped",
    "crs_defined",
    "no_properties",
}


def _files(folder: Path) -> list[Path]:
    sidecars = {".md", ".dbf", ".shx", ".prj", ".cpg", ".result", ".xml"}
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in sidecars)


def test_no_real_file_raises_and_every_balance_closes(shared_data):
    paths = [p for p in _files(shared_data) if "zoning_far" not in p.parts]
    found = inspect_files(paths)
    assert len(found) == len(paths)
    for one in found:
        assert one.outcome in {"accepted", "flagged", "rejected"}
        assert one.source.rows_in == one.source.rows_imported + one.source.rows_rejected
        assert one.outcome != "rejected" or one.issues, one.path
        assert not any("Error:" in str(i.value) for i in one.issues), (one.path, one.issues)
    json.loads(inspections_json(found))


def test_every_invalid_geojson_of_the_collections_is_flagged_or_rejected(shared_data, tmp_path):
    # A number per feature, so that only what is broken is left to complain of.
    (tmp_path / "p.yaml").write_text("profile: p\nid_from_row: X\n", encoding="utf-8")
    paths = _files(shared_data / "broken" / "chrieke" / "invalid_structure")
    paths += _files(shared_data / "broken" / "chrieke" / "invalid_geometries")
    paths = [p for p in paths if not any(word in p.name for word in _HARMLESS)]
    silent = [f.path for f in inspect_files(paths, profile=tmp_path / "p.yaml") if f.outcome == "accepted"]
    assert len(paths) > 20
    assert silent == []


def test_valid_polygons_of_the_collections_are_taken_whole(shared_data, tmp_path):
    (tmp_path / "p.yaml").write_text("profile: p\nid_from_row: X\n", encoding="utf-8")
    for found in inspect_files(
        _files(shared_data / "broken" / "chrieke" / "valid"), profile=tmp_path / "p.yaml"
    ):
        is_empty = "empty_features" in found.path
        assert (found.outcome == "rejected") == is_empty, found.path
        assert found.source.rows_rejected == 0


def test_the_four_invalid_parks_of_taiwan_are_named_by_row_and_place(shared_data):
    found = look(shared_data / "industrial" / "tw_industrial_parks.shp")
    invalid = [issue for issue in found.issues if issue.code == "GEOM.INVALID"]
    assert len(invalid) == 4
    assert all(issue.row and issue.cell.startswith("(") for issue in invalid)
    assert found.source.rows_imported == 212


def test_the_zoning_of_taiwan_has_nine_invalid_polygons(shared_data):
    found = look(shared_data / "zoning_far" / "tw_zoning_HJO_13310.parquet")
    assert found.source.rows_imported == 13_310
    assert sum(issue.code == "GEOM.INVALID" for issue in found.issues) == 9


def test_the_dem_of_spearfish_has_10101_holes(shared_data):
    found = look(shared_data / "raster" / "spearfish_sfdem.tif")
    assert found.raster is not None
    assert found.raster["holes"] == 10_101


def test_a_drawing_in_a_closed_format_says_how_to_go_on(shared_data):
    found = look(shared_data / "cad" / "sample_r2000.dwg")
    assert (found.outcome, found.issues[0].code) == ("rejected", "FILE.DWG")
