"""Reading what is drawn: every format alike, one bad record one issue, parcels by their number, real data."""

from __future__ import annotations

import math
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from sources import EAST, NORTH, feature, found, geojson, parcels, ring, row_of, squares, write

from landplan.errors import CRSError, ReadError, SchemaError
from landplan.read import read_table
from landplan.read.profile import Profile
from landplan.read.vector import list_layers, read_vector

# --- what is read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".shp", ".gpkg", ".fgb", ".geojson", ".parquet"])
def test_every_format_gives_the_same_parcels_with_their_leading_zeros(tmp_path, suffix):
    frame = parcels(3, DKBH=["001", "002", "010"], DKMC=["甲", "乙", "丙"])
    path = tmp_path / f"a{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        # A FlatGeobuf with an index is written in the order of the index.
        options = {".shp": {"encoding": "UTF-8"}, ".fgb": {"SPATIAL_INDEX": "NO"}}
        write(frame, path, **options.get(suffix, {}))
    raw = read_vector(path)
    assert raw.frame["DKBH"].tolist() == ["001", "002", "010"]
    assert raw.frame["DKMC"].tolist() == ["甲", "乙", "丙"]
    assert raw.rows == [1, 2, 3]
    assert raw.source.crs == "EPSG:4547"
    assert raw.source.area_m2 == pytest.approx(30_000.0, abs=1e-6)
    assert shapely.equals_exact(
        raw.frame.geometry.values, np.array(squares(3)), normalize=True, tolerance=1e-9
    ).all()


def test_text_that_reads_like_a_time_stays_text(tmp_path):
    path = geojson(tmp_path / "a.geojson", feature(ring(), plan="T0101"), feature(ring(112.6), plan="T2359"))
    assert read_vector(path).frame["plan"].tolist() == ["T0101", "T2359"]


def test_nineteen_digits_survive_beside_an_empty_cell(tmp_path):
    frame = parcels(3, code=pd.array([1406000010019872, None, 3301060010010001001], dtype="Int64"))
    path = write(frame, tmp_path / "a.gpkg")
    assert read_vector(path).frame["code"].tolist() == [1406000010019872, None, 3301060010010001001]


def test_an_overflown_number_field_keeps_its_stars_and_becomes_a_named_fault(tmp_path):
    path = write(parcels(2, DKBH=["1", "2"], FAR=[1.25, 2.5]), tmp_path / "a.shp")
    dbf = path.with_suffix(".dbf")
    body = dbf.read_bytes()
    spot = body.index(b"1.25", body.index(b"\r"))
    cell = body[body.rindex(b" ", 0, spot) + 1 : spot + 4]
    dbf.write_bytes(body.replace(cell, b"*" * len(cell), 1))
    assert "*" in str(read_vector(path).frame["FAR"].iloc[0])
    assert read_vector(path).frame["FAR"].iloc[1] == 2.5


def test_a_deleted_dbf_record_is_passed_by_and_the_others_keep_their_own_attributes(tmp_path):
    path = write(parcels(3), tmp_path / "a.shp")
    dbf = path.with_suffix(".dbf")
    body = bytearray(dbf.read_bytes())
    start, length = struct.unpack("<HH", body[8:12])
    body[start + length] = ord("*")
    dbf.write_bytes(bytes(body))
    raw = read_vector(path)
    assert raw.frame["DKBH"].tolist() == ["001", "003"]
    assert raw.rows == [1, 3]
    assert raw.frame.geometry.iloc[1].bounds[0] == EAST + 400


def test_several_polygon_layers_and_none_named_is_a_question(tmp_path):
    path = write(parcels(), tmp_path / "a.gpkg", layer="地块")
    write(parcels(), path, layer="红线", append=True)
    raw = read_vector(path)
    assert [(i.code, i.value) for i in raw.issues] == [("FILE.AMBIGUOUS", "地块、红线")]
    assert read_vector(path, layer="红线").source.rows_imported == 3
    assert found(read_vector(path, layer="绿线")) == ["FILE.NO_LAYER"]
    assert list_layers(path) == ["地块", "红线"]


def test_the_one_polygon_layer_among_points_is_taken(tmp_path):
    path = write(parcels(), tmp_path / "a.gpkg", layer="地块")
    points = gpd.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(EAST, NORTH)], crs=4547)
    write(points, path, layer="点", append=True)
    raw = read_vector(path)
    assert (raw.layer, raw.source.rows_imported) == ("地块", 3)


def test_an_empty_layer_is_refused(tmp_path):
    assert found(read_vector(write(parcels().iloc[:0], tmp_path / "a.gpkg"))) == ["FILE.EMPTY"]


def test_rows_without_a_usable_shape_are_kept_and_named(tmp_path):
    frame = gpd.GeoDataFrame(
        {"DKBH": ["1", "2", "3", "4"]},
        geometry=[squares(1)[0], None, shapely.Polygon(), shapely.Point(EAST, NORTH)],
        crs=4547,
    )
    raw = read_vector(write(frame, tmp_path / "a.gpkg", geometry_type="Unknown"))
    assert [(i.code, i.row) for i in raw.issues] == [("GEOM.NULL", 2), ("GEOM.EMPTY", 3), ("GEOM.TYPE", 4)]
    assert (raw.source.rows_in, raw.source.rows_imported, len(raw.frame)) == (4, 4, 4)


def test_coordinates_that_are_not_numbers_are_named_and_leave_the_total_alone(tmp_path):
    values = squares(2)
    with np.errstate(invalid="ignore"):
        broken = shapely.Polygon([(EAST, NORTH), (math.nan, NORTH), (EAST + 1, NORTH + 1), (EAST, NORTH)])
    frame = gpd.GeoDataFrame({"DKBH": ["1", "2", "3"]}, geometry=[values[0], broken, values[1]], crs=4547)
    raw = read_vector(write(frame, tmp_path / "a.gpkg"))
    assert [(i.code, i.row) for i in raw.issues] == [("GEOM.NONFINITE", 2)]
    assert raw.source.area_m2 == pytest.approx(20_000.0)


def test_a_hole_that_leads_nowhere_is_named_though_its_shell_is_sound(tmp_path):
    shell = squares(1)[0]
    hole = np.array([(EAST + x, NORTH + y) for x, y in [(20, 20), (40, 20), (40, 40), (20, 20)]])
    holes = [hole, np.where(hole == hole.max(), 1e13, hole), np.where(hole == hole.max(), math.nan, hole)]
    with np.errstate(invalid="ignore"):
        values = [shapely.Polygon(shell.exterior, [ring]) for ring in holes]
    frame = gpd.GeoDataFrame({"DKBH": ["1", "2", "3"]}, geometry=values, crs=4547)
    raw = read_vector(write(frame, tmp_path / "a.fgb", SPATIAL_INDEX="NO"))
    assert [(i.code, i.row) for i in raw.issues] == [("GEOM.NONFINITE", 2), ("GEOM.NONFINITE", 3)]


def test_heights_are_dropped_with_one_note(tmp_path):
    frame = parcels(2)
    frame = frame.set_geometry(shapely.force_3d(frame.geometry.values, 800.0), crs=4547)
    raw = read_vector(write(frame, tmp_path / "a.gpkg"))
    assert [(i.code, i.value) for i in raw.issues] == [("GEOM.Z_DROPPED", 2)]
    assert not raw.frame.geometry.has_z.any()


def test_a_geopackage_whose_own_count_is_wrong_is_read_to_the_last_row(tmp_path):
    path = write(parcels(6), tmp_path / "a.gpkg")
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("UPDATE gpkg_ogr_contents SET feature_count = 2")
    raw = read_vector(path)
    assert [(i.code, i.value) for i in raw.issues] == [("FILE.COUNT", "2 / 6")]
    assert raw.source.rows_imported == 6


# --- record by record -------------------------------------------------------------------------------------


def spoil(path: Path, fid: int, change) -> None:
    """Change the geometry blob of one row of a GeoPackage."""
    with closing(sqlite3.connect(path)) as base, base:
        for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            base.execute(f'DROP TRIGGER "{name}"')
        blob = base.execute("SELECT geom FROM a WHERE fid = ?", (fid,)).fetchone()[0]
        base.execute("UPDATE a SET geom = ? WHERE fid = ?", (bytes(change(bytearray(blob))), fid))


def test_one_open_ring_costs_one_warning_and_not_the_file(tmp_path):
    path = write(parcels(5), tmp_path / "a.gpkg")
    # The last point of parcel 2 lies 5 m north of the first.
    first = squares(5)[1].exterior.coords[0]
    spoil(path, 2, lambda blob: blob[:-16] + struct.pack("<dd", first[0], first[1] + 5))
    raw = read_vector(path)
    assert found(raw) == ["FILE.RECORD_READER", "GEOM.UNCLOSED"]
    assert row_of(raw, "GEOM.UNCLOSED") == 2
    assert raw.issues[1].value.startswith("5 (")
    assert raw.source.rows_imported == 5


def test_one_corrupt_blob_is_one_named_row(tmp_path):
    path = write(parcels(5), tmp_path / "a.gpkg")
    spoil(path, 3, lambda blob: blob[:-40])
    raw = read_vector(path)
    assert [(i.code, i.row) for i in raw.issues] == [("FILE.RECORD_READER", None), ("GEOM.NULL", 3)]
    assert raw.frame["DKBH"].tolist() == ["001", "002", "003", "004", "005"]


def test_a_wrong_count_does_not_hide_rows_from_the_record_reader(tmp_path):
    path = write(parcels(6), tmp_path / "a.gpkg")
    spoil(path, 2, lambda blob: blob[:-8] + struct.pack("<d", NORTH + 5))
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("UPDATE gpkg_ogr_contents SET feature_count = 2")
    raw = read_vector(path)
    assert found(raw) == ["FILE.COUNT", "FILE.RECORD_READER", "FILE.BAD_RECORD"]
    assert (raw.source.rows_in, raw.source.rows_imported, raw.source.rows_rejected) == (6, 5, 1)


def test_open_rings_in_geojson_are_closed_and_named(tmp_path):
    path = geojson(tmp_path / "a.geojson", feature(ring()), feature(ring(112.6, is_closed=False)))
    raw = read_vector(path)
    assert found(raw) == ["FILE.RECORD_READER", "GEOM.UNCLOSED"]
    assert row_of(raw, "GEOM.UNCLOSED") == 2
    assert raw.frame.geometry.is_valid.all()


@pytest.mark.parametrize(
    "bad",
    [
        feature({"type": "Polygon", "coordinates": [[["a", 0], [1, 0], [1, 1], ["a", 0]]]}),
        feature({"type": "Polygon", "coordinates": [[[5], [1], [2], [5]]]}),
        feature({"type": "Polygoon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}),
        feature("POLYGON ((0 0, 1 0, 1 1, 0 0))"),
        feature(
            {"type": "MultiPolygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]], ring()["coordinates"]]}
        ),
        None,
        {"type": "feature", "properties": {}, "geometry": None},
    ],
    ids=["text", "one number", "type", "wkt", "half nested", "null", "lower case"],
)
def test_a_feature_gdal_loses_in_silence_is_rejected_by_its_row(tmp_path, bad):
    path = geojson(tmp_path / "a.geojson", feature(ring(), n="1"), bad, feature(ring(112.6), n="3"))
    raw = read_vector(path)
    assert found(raw) == ["FILE.RECORD_READER", "FILE.BAD_RECORD"]
    assert row_of(raw, "FILE.BAD_RECORD") == 2
    assert raw.frame["n"].tolist() == ["1", "3"]
    assert raw.rows == [1, 3]
    assert (raw.source.rows_in, raw.source.rows_imported, raw.source.rows_rejected) == (3, 2, 1)


def test_a_file_that_is_no_json_says_where_it_breaks(tmp_path):
    (tmp_path / "a.geojson").write_text('{"type": "FeatureCollection", "features": [}', encoding="utf-8")
    raw = read_vector(tmp_path / "a.geojson")
    assert found(raw) == ["FILE.UNREADABLE"]
    assert "line 1 column 44" in raw.issues[0].value


# --- parcels by their number --------------------------------------------------------------------------------


def profile(**given: object) -> Profile:
    return Profile(profile="示例", **given)


def test_parcels_are_indexed_by_the_bureaus_number(tmp_path):
    frame = parcels(2, DKBH=["A-1", "A-2"])
    frame["投资强度（万元/亩）"] = ["149.93", "150"]
    read = read_table(write(frame, tmp_path / "a.gpkg"), "parcels")
    assert read.frame.index.name == "parcel_id"
    assert read.frame.index.tolist() == ["A-1", "A-2"]
    assert read.frame.at["A-1", "invest_intensity_cny_per_m2"] == pytest.approx(2248.95)
    assert read.frame["source_row"].tolist() == [1, 2]
    assert read.frame.crs.to_epsg() == 4547
    assert read.source.role == "parcels"
    assert read.require() is read


def test_a_missing_number_is_named_by_its_row_and_a_double_one_loses_nothing(tmp_path):
    read = read_table(write(parcels(4, DKBH=["A", None, "A", "B"]), tmp_path / "a.gpkg"), "parcels")
    assert read.frame.index.tolist() == ["A", "row-2", "A#2", "B"]
    faults = [(i.code, i.row, i.parcel_id) for i in read.issues if i.code.startswith("ATTR.ID")]
    assert faults == [
        ("ATTR.ID_DUPLICATE", 1, "A"),
        ("ATTR.ID_MISSING", 2, "row-2"),
        ("ATTR.ID_DUPLICATE", 3, "A#2"),
    ]


def test_issues_of_a_row_bear_the_parcels_number(tmp_path):
    frame = gpd.GeoDataFrame({"DKBH": ["A", "B"]}, geometry=[squares(1)[0], None], crs=4547)
    read = read_table(write(frame, tmp_path / "a.gpkg"), "parcels")
    assert [(i.code, i.parcel_id) for i in read.issues] == [("GEOM.NULL", "B")]


def test_parcels_without_a_number_column_stop_the_work_and_name_the_columns(tmp_path):
    read = read_table(write(parcels(2, 甲=["1", "2"], 乙=["3", "4"]), tmp_path / "a.gpkg"), "parcels")
    assert read.is_rejected
    with pytest.raises(SchemaError, match="甲、乙"):
        read.require()


def test_a_profile_may_number_parcels_by_their_row(tmp_path):
    path = write(parcels(2, 甲=["1", "2"]), tmp_path / "a.gpkg")
    read = read_table(path, "parcels", profile=profile(id_from_row="TW"))
    assert read.frame.index.tolist() == ["TW0001", "TW0002"]
    assert "ATTR.NO_ID" not in [i.code for i in read.issues]


def test_records_outside_the_filter_of_a_profile_are_counted_and_the_sum_still_closes(tmp_path):
    path = write(
        parcels(4, DKBH=["1", "2", "3", "4"], use=["工业", "住宅", "工业", None]), tmp_path / "a.gpkg"
    )
    read = read_table(path, "parcels", profile=profile(where={"use": {"equals": "工业"}}))
    assert read.frame.index.tolist() == ["1", "3"]
    assert read.frame["source_row"].tolist() == [1, 3]
    assert (read.source.rows_in, read.source.rows_imported, read.source.rows_rejected) == (4, 2, 2)
    assert [i.value for i in read.issues if i.code == "FILE.FILTERED"] == [2]
    assert read.source.area_m2 == pytest.approx(20_000.0)


def test_an_unusable_file_raises_only_when_it_is_required(tmp_path):
    read = read_table(tmp_path / "none.gpkg", "parcels")
    with pytest.raises(ReadError, match="找不到文件"):
        read.require()
    path = write(parcels(), tmp_path / "a.shp")
    path.with_suffix(".prj").unlink()
    with pytest.raises(CRSError, match="没有坐标系"):
        read_table(path, "parcels").require()


# --- known answers of the real data ---------------------------------------------------------------------------


def test_chinese_poly_is_gbk_without_a_word_of_it(shared_data):
    raw = read_vector(shared_data / "encodings" / "chinese_poly.shp")
    assert "黑龙江省" in raw.frame.astype(str).to_numpy().ravel().tolist()
    assert (raw.source.encoding, raw.source.encoding_how) == ("gb18030", "content")


def test_windows_1251_with_a_cpg_is_read_as_declared(shared_data):
    raw = read_vector(shared_data / "encodings" / "rus-windows-1251.shp")
    assert (raw.source.encoding, raw.source.encoding_how) == ("cp1251", "declared")
    text = "".join(raw.frame.drop(columns="geometry").astype(str).to_numpy().ravel())
    assert any("а" <= letter <= "я" for letter in text)


def test_the_212_industrial_parks_of_taiwan_have_their_names(shared_data):
    raw = read_vector(shared_data / "industrial" / "tw_industrial_parks.shp")
    names = raw.frame["NAME"].tolist()
    assert raw.source.rows_imported == 212
    assert (raw.source.crs, raw.source.encoding_how) == ("EPSG:3826", "declared")
    assert names[0] == "臺中港科技產業園區"
    assert names[51] == "歸仁恒耀工業區"  # 恒 (F9DA) stands in the Big5 of Windows only
    ratio = (raw.frame.geometry.area / (raw.frame["NN"].astype(float) * 1e4)).median()
    assert ratio == pytest.approx(1.003, abs=0.0005)


def test_the_235_parcels_of_seoul_agree_with_their_registered_area(shared_data):
    raw = read_vector(shared_data / "parcels" / "seoul_nonhyeon_parcels.shp")
    assert (raw.source.rows_imported, raw.source.crs) == (235, "EPSG:5186")
    assert raw.frame["A3"].iloc[0] == "서울특별시 강남구 논현동"
    assert (raw.frame["A12"].astype(float) / raw.frame.geometry.area).median() == pytest.approx(1.0, abs=5e-5)


def test_plan_code_t0101_is_not_one_minute_past_one(shared_data):
    raw = read_vector(shared_data / "zoning_far" / "tw_T0101.json")
    assert raw.source.rows_imported == 984
    assert "T0101" in raw.frame.astype(str).to_numpy().ravel().tolist()


def test_the_eleven_counties_of_jinzhong_are_read(shared_data):
    raw = read_vector(shared_data / "admin_cn" / "echarts_晋中市_counties.geojson")
    areas = dict(zip(raw.frame["name"], raw.frame.to_crs(4526).area / 1e6, strict=True))
    assert len(areas) == 11
    assert sum(areas.values()) == pytest.approx(16_403, abs=1)
    assert areas["灵石县"] == pytest.approx(1_217, abs=1)
    assert areas["寿阳县"] == pytest.approx(2_127, abs=1)


def test_bubenec_asks_which_layer_and_reads_the_407_plots(shared_data):
    path = shared_data / "parcels" / "bubenec.gpkg"
    assert found(read_vector(path)) == ["FILE.AMBIGUOUS"]
    assert read_vector(path, layer="plots").source.rows_imported == 407
    assert read_vector(path, layer="buildings").source.rows_imported == 144


def test_geoparquet_of_taiwan_is_read_whole(shared_data):
    raw = read_vector(shared_data / "zoning_far" / "tw_zoning_HJO_13310.parquet")
    assert raw.source.rows_imported == 13_310
    assert (~raw.frame.geometry.is_valid).sum() == 9


def test_the_ring_of_a_kml_that_crashes_others_is_an_area(shared_data):
    raw = read_vector(shared_data / "kml" / "togeojson_linear_ring.kml")
    assert found(raw) == ["GEOM.LINE_CLOSED", "GEOM.Z_DROPPED"]
    assert raw.frame.geometry[0].geom_type == "Polygon"
    networked = read_vector(shared_data / "kml" / "togeojson_networklink.kml")
    assert found(networked) == ["FILE.NETWORK_LINK", "FILE.EMPTY"]


def test_a_zipped_file_geodatabase_is_read_by_layer(shared_data):
    path = shared_data / "gdb" / "testopenfilegdb.gdb.zip"
    assert len(list_layers(path)) == 37
    raw = read_vector(path, layer="polygon", crs="EPSG:4326")
    assert raw.source.rows_in == raw.source.rows_imported + raw.source.rows_rejected > 0


def test_parquet_without_geometry_is_read_as_a_table(tmp_path):
    table = pd.DataFrame({"地块编号": ["A-1", "A-2", None], "事项": ["净地"] * 3, "日期": ["2024-06-01"] * 3})
    table.astype({"事项": "category"}).to_parquet(tmp_path / "事项.parquet", index=False)
    read = read_table(tmp_path / "事项.parquet", "events")
    assert not isinstance(read.frame, gpd.GeoDataFrame)
    assert read.frame["item"].tolist() == ["净地"] * 3
    assert read.frame["on"].tolist() == [pd.Timestamp("2024-06-01")] * 3
    assert read.frame["source_row"].tolist() == [1, 2, 3]
    assert (read.source.rows_in, read.source.rows_imported, read.source.crs) == (3, 3, "")
