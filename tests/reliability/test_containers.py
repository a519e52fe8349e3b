"""Containers that are cut, foreign, packed, damaged or mislabelled, case by case."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import struct
import zipfile
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.windows import Window
from sources import EAST, NORTH, cut, feature, geojson, parcels, ring, squares, write
from told import codes_of, outcome, said, sentence

from landplan.read import inspect_files, read_source, read_table
from landplan.read.door import open_door
from landplan.read.raster import look_at_raster

AREA_60 = 600_000.0  # sixty squares of one hectare


def sixty(path: Path) -> Path:
    return write(parcels(60, DKBH=[f"{k:03d}" for k in range(60)]), path)


def shapefile(folder: Path, n: int = 6, *, name: str = "a", first: int = 1) -> Path:
    return write(
        parcels(n, DKBH=[f"{k + first:03d}" for k in range(n)]), folder / f"{name}.shp", encoding="UTF-8"
    )


def members(folder: Path, n: int = 3) -> dict[str, bytes]:
    """The files of a shapefile, by suffix."""
    folder.mkdir()
    return {file.suffix: file.read_bytes() for file in shapefile(folder, n).parent.iterdir()}


def zipped(path: Path, parts: dict[str, bytes], info: type[zipfile.ZipInfo] = zipfile.ZipInfo) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in parts.items():
            archive.writestr(info(name), body)
    return path


class GbkName(zipfile.ZipInfo):
    """A member named as Windows in Chinese names it."""

    def _encodeFilenameFlags(self):
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def spoil(path: Path, fid: int, change) -> None:
    """Change the geometry blob of one row of layer ``a``."""
    with closing(sqlite3.connect(path)) as base, base:
        for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            base.execute(f'DROP TRIGGER "{name}"')
        blob = base.execute("SELECT geom FROM a WHERE fid = ?", (fid,)).fetchone()[0]
        base.execute("UPDATE a SET geom = ? WHERE fid = ?", (change(blob), fid))


# --- good controls ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.shp", "a.gpkg", "a.geojson", "a.fgb", "a.gdb", "a.zip"])
def test_a_sound_container_is_read_exactly_and_without_a_word(tmp_path, name):
    path = tmp_path / name
    options = {
        ".shp": {"encoding": "UTF-8"},
        ".fgb": {"SPATIAL_INDEX": "NO"},
        ".gdb": {"driver": "OpenFileGDB"},
    }
    if name == "a.zip":
        zipped(path, {f"a{suffix}": body for suffix, body in members(tmp_path / "x").items()})
    else:
        write(parcels(3, DKBH=["001", "002", "010"]), path, **options.get(path.suffix, {}))
    raw = read_source(path)
    assert codes_of(raw) == (["FILE.UNPACKED"] if name == "a.zip" else [])
    assert outcome(raw) == ("flag" if name == "a.zip" else "accept")
    assert raw.frame["DKBH"].tolist() == (["001", "002", "003"] if name == "a.zip" else ["001", "002", "010"])
    assert shapely.equals(raw.frame.geometry.values, np.array(squares(3))).all()
    assert raw.source.area_m2 == pytest.approx(30_000.0, abs=1e-6)


# --- shapefiles ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 0.9, 0.99])
def test_row_1_a_cut_shp_is_refused_with_its_size(tmp_path, share):
    path = sixty(tmp_path / "a.shp")
    whole = path.stat().st_size
    cut(path, share)
    raw = read_source(path)
    assert outcome(raw) == "reject"
    if share:
        assert said(raw, "FILE.TRUNCATED") == [(None, "", f".shp {int(whole * share)} / {whole} B")]
        assert sentence(raw, "FILE.TRUNCATED") == f"文件不完整：.shp {int(whole * share)} / {whole} B"
    else:
        assert codes_of(raw) == ["FILE.TRUNCATED"]


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_row_2_a_cut_dbf_is_refused_and_not_read_to_where_it_ends(tmp_path, share):
    path = sixty(tmp_path / "a.shp")
    cut(path.with_suffix(".dbf"), share)
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert [value.split()[0] for _, _, value in said(raw, "FILE.TRUNCATED")] == [".dbf"]


@pytest.mark.parametrize("empty", [False, True])
def test_row_3_without_its_dbf_a_shapefile_has_no_parcel_numbers_and_is_refused(tmp_path, empty):
    path = shapefile(tmp_path)
    path.with_suffix(".dbf").unlink()
    if empty:
        path.with_suffix(".dbf").touch()
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert said(raw, "FILE.INCOMPLETE_SET") == [(None, "", ".dbf")]


@pytest.mark.parametrize("rows", [4, 9])
def test_row_4_a_dbf_of_another_export_is_refused_where_its_rows_differ_in_number(tmp_path, rows):
    path = shapefile(tmp_path)
    other = shapefile(tmp_path, rows, name="b")
    shutil.copyfile(other.with_suffix(".dbf"), path.with_suffix(".dbf"))
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert said(raw, "FILE.MISMATCH") == [(None, "", f".shp 6, .dbf {rows}")]


def test_row_5_an_index_that_leads_to_other_parcels_is_refused(tmp_path):
    path = shapefile(tmp_path)
    index = path.with_suffix(".shx")
    body = index.read_bytes()
    entries = [body[at : at + 8] for at in range(100, len(body), 8)]
    index.write_bytes(body[:100] + b"".join(reversed(entries)))
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert said(raw, "FILE.MISMATCH") == [(None, "", ".shp / .shx")]


@pytest.mark.parametrize("empty", [False, True])
def test_row_6_a_missing_index_is_rebuilt_and_said(tmp_path, empty):
    path = shapefile(tmp_path)
    path.with_suffix(".shx").unlink()
    if empty:
        path.with_suffix(".shx").touch()
    before = sorted(file.name for file in tmp_path.iterdir())
    raw = read_source(path)
    assert outcome(raw) == "flag"
    assert said(raw, "FILE.INDEX_REBUILT") == [(None, "", "6")]
    assert raw.frame["DKBH"].tolist() == [f"{k:03d}" for k in range(1, 7)]
    assert [shape.bounds[0] for shape in raw.frame.geometry] == [EAST + 200 * k for k in range(6)]
    assert sorted(file.name for file in tmp_path.iterdir()) == before


def test_row_6_an_index_is_not_rebuilt_over_records_that_do_not_follow_one_another(tmp_path):
    path = shapefile(tmp_path)
    path.with_suffix(".shx").unlink()
    body = bytearray(path.read_bytes())
    body[100:104] = (9).to_bytes(4, "big")
    path.write_bytes(body)
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert said(raw, "FILE.INCOMPLETE_SET") == [(None, "", ".shx")]


@pytest.mark.parametrize("prj", [None, "", "PROJCS[nothing", "\x00\xff\x00"])
def test_row_7_without_a_prj_that_can_be_read_the_crs_is_asked_for(tmp_path, prj):
    path = shapefile(tmp_path)
    path.with_suffix(".prj").unlink()
    if prj is not None:
        path.with_suffix(".prj").write_text(prj)
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert codes_of(raw) == ["CRS.MISSING"]
    assert "--crs" in raw.issues[0].as_row()["mend_zh"]
    named = read_source(path, crs="EPSG:4547")
    assert (named.source.rows_imported, codes_of(named)) == (6, ["CRS.DECLARED"])


NAMES = ["榆次地块", "寿阳县地块", "灵石园区"]


def in_encoding(folder: Path, encoding: str, cpg: str | None) -> Path:
    frame = parcels(3, DKBH=["1", "2", "3"], DKMC=NAMES)
    path = write(frame, folder / "a.shp", encoding=encoding)
    body = bytearray(path.with_suffix(".dbf").read_bytes())
    body[29] = 0
    path.with_suffix(".dbf").write_bytes(body)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg)
    return path


@pytest.mark.parametrize(
    ("encoding", "cpg", "code", "value"),
    [
        ("GBK", None, "ENC.GUESSED", "gb18030"),
        ("UTF-8", None, "ENC.GUESSED", "utf-8"),
        ("GBK", "klingon", "ENC.BAD", "klingon → gb18030"),
        ("GBK", "UTF-8", "ENC.BAD", "UTF-8 → gb18030"),
        ("UTF-8", "GBK", "ENC.BAD", "GBK → utf-8"),
    ],
)
def test_rows_8_to_10_names_are_read_right_and_what_was_assumed_is_said(tmp_path, encoding, cpg, code, value):
    raw = read_source(in_encoding(tmp_path, encoding, cpg))
    assert raw.frame["DKMC"].tolist() == NAMES
    assert outcome(raw) == "flag"
    assert said(raw, code) == [(None, "", value)]


@pytest.mark.parametrize(("encoding", "cpg"), [("GBK", "GBK"), ("UTF-8", "UTF-8"), ("GBK", "936")])
def test_rows_8_to_10_a_cpg_that_is_right_needs_no_word(tmp_path, encoding, cpg):
    raw = read_source(in_encoding(tmp_path, encoding, cpg))
    assert (outcome(raw), raw.frame["DKMC"].tolist()) == ("accept", NAMES)


def test_row_11_a_number_that_overflowed_its_field_is_unknown_and_named(tmp_path):
    path = write(parcels(2, DKBH=["A", "B"], DKMJ=[1.25, 2.5]), tmp_path / "a.shp", encoding="UTF-8")
    dbf = path.with_suffix(".dbf")
    body = dbf.read_bytes()
    (start,) = struct.unpack("<H", body[8:10])
    first, second = body[32 + 16], body[64 + 16]
    cell = start + 1 + first
    dbf.write_bytes(body[:cell] + b"*" * second + body[cell + second :])
    read = read_table(path, "parcels")
    at = [(issue.row, issue.field, issue.parcel_id) for issue in read.issues if issue.code == "ATTR.NUMBER"]
    assert at == [(1, "DKMJ", "A")]
    assert np.isnan(read.frame["area_registered_m2"].tolist()[0])
    assert sentence(read, "ATTR.NUMBER").startswith("不是数：***")


# --- GeoPackage ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_row_12_a_cut_geopackage_is_refused(tmp_path, share):
    path = sixty(tmp_path / "a.gpkg")
    cut(path, share)
    raw = read_source(path)
    assert (outcome(raw), codes_of(raw)) == ("reject", ["FILE.TRUNCATED"])
    assert "SELECT" not in sentence(raw, "FILE.TRUNCATED")


def test_row_12_eight_flipped_bits_are_named_wherever_they_move_a_boundary_by_a_centimetre(tmp_path):
    # The format has no checksum: a bit of the last digits, or of a letter, can be seen by nobody.
    path = sixty(tmp_path / "a.gpkg")
    body, chance = path.read_bytes(), random.Random(12)
    good = read_source(path).frame.geometry.values
    silent = []
    for run in range(80):
        damaged = bytearray(body)
        for _ in range(8):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        raw = read_source(path)
        if outcome(raw) != "accept":
            continue
        if len(raw.frame) != 60 or not shapely.equals_exact(raw.frame.geometry.values, good, 0.01).all():
            silent.append(run)
    assert silent == []


def test_row_12_a_vertex_that_left_the_rectangle_of_its_parcel_is_named(tmp_path):
    path = write(parcels(3), tmp_path / "a.gpkg", layer="a")
    north, moved = struct.pack("<d", NORTH + 100), struct.pack("<d", NORTH + 900)
    spoil(path, 2, lambda blob: blob[:40] + blob[40:].replace(north, moved))
    raw = read_source(path)
    assert outcome(raw) == "flag"
    assert [row for row, _, _ in said(raw, "GEOM.ENVELOPE")] == [2]
    assert "4170900" in sentence(raw, "GEOM.ENVELOPE")


def test_row_13_a_count_that_is_too_small_hides_no_row(tmp_path):
    path = write(parcels(6), tmp_path / "a.gpkg")
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("UPDATE gpkg_ogr_contents SET feature_count = 2")
    raw = read_source(path)
    assert (outcome(raw), raw.source.rows_imported) == ("flag", 6)
    assert said(raw, "FILE.COUNT") == [(None, "", "2 / 6")]


def test_row_14_a_geopackage_copied_in_the_middle_of_a_transaction_is_flagged(tmp_path):
    path = write(parcels(3), tmp_path / "a.gpkg", layer="a")
    copy = tmp_path / "copy.gpkg"
    with closing(sqlite3.connect(path)) as base:
        base.create_function("ST_IsEmpty", 1, lambda blob: 0)
        for bound in ("MinX", "MaxX", "MinY", "MaxY"):
            base.create_function(f"ST_{bound}", 1, lambda blob: 0.0)
        base.execute("PRAGMA cache_size = 2")
        blob = base.execute("SELECT geom FROM a").fetchone()[0]
        base.execute("BEGIN")
        for k in range(3000):
            base.execute("INSERT INTO a (geom, DKBH) VALUES (?, ?)", (blob, "x" * 200 + str(k)))
        shutil.copyfile(path, copy)
        base.rollback()
    raw = read_source(copy)
    assert outcome(raw) in ("flag", "reject")
    assert {"FILE.UNFINISHED", "FILE.TRUNCATED"} & set(codes_of(raw))


def test_row_14_a_journal_beside_the_file_is_a_reason_to_refuse_it(tmp_path):
    path = write(parcels(3), tmp_path / "a.gpkg")
    (tmp_path / "a.gpkg-journal").write_bytes(b"\xd9\xd5\x05\xf9 \xa1c\xd7")
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert "a.gpkg-journal" in " ".join(sentence(raw, code) for code in codes_of(raw))


def test_row_15_a_geopackage_in_wal_mode_without_its_wal_is_flagged(tmp_path):
    path = write(parcels(3), tmp_path / "a.gpkg")
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode = WAL")
    for beside in tmp_path.glob("a.gpkg-*"):
        beside.unlink()
    raw = read_source(path)
    assert (outcome(raw), codes_of(raw)) == ("flag", ["FILE.WAL"])
    assert "-wal" in sentence(raw, "FILE.WAL")
    assert [file.name for file in tmp_path.iterdir()] == ["a.gpkg"]


def too_many_points(blob: bytes) -> bytes:
    at = blob.index(struct.pack("<II", 3, 1)) + 8
    return blob[:at] + b"\xff" * 4 + blob[at + 4 :]


@pytest.mark.parametrize(
    "change",
    [lambda blob: b"garbage", lambda blob: blob[:-20], too_many_points, lambda blob: None],
    ids=["garbage", "cut", "count of 2**32 - 1", "null"],
)
def test_row_16_a_bad_blob_costs_its_own_row_and_no_other(tmp_path, change):
    path = write(parcels(3), tmp_path / "a.gpkg", layer="a")
    spoil(path, 2, change)
    raw = read_source(path)
    assert outcome(raw) == "flag"
    assert raw.source.area_m2 == pytest.approx(20_000.0)
    assert {row for code in ("GEOM.NULL", "FILE.BAD_RECORD") for row, _, _ in said(raw, code)} == {2}


# --- archives -----------------------------------------------------------------------------------------------


def test_row_17_two_layers_are_a_question(tmp_path):
    path = write(parcels(), tmp_path / "a.gpkg", layer="地块")
    write(parcels(), path, layer="红线", append=True)
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert said(raw, "FILE.AMBIGUOUS") == [(None, "", "地块、红线")]
    assert outcome(read_source(path, layer="红线")) == "accept"


def test_row_17_two_shapefiles_in_a_zip_are_a_question_and_either_may_be_named(tmp_path):
    first, second = members(tmp_path / "x"), members(tmp_path / "y", 5)
    parts = {f"地块{suffix}": body for suffix, body in first.items()}
    path = zipped(tmp_path / "a.zip", parts | {f"红线{suffix}": body for suffix, body in second.items()})
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert said(raw, "FILE.AMBIGUOUS") == [(None, "", "地块.shp、红线.shp")]
    assert read_source(path, layer="红线").source.rows_imported == 5


@pytest.mark.parametrize(
    ("info", "codes"), [(zipfile.ZipInfo, []), (GbkName, ["ENC.GUESSED"])], ids=["utf-8 names", "gbk names"]
)
def test_row_18_a_shapefile_in_a_folder_of_a_zip_is_read(tmp_path, info, codes):
    parts = {f"成果/第一批/地块{suffix}": body for suffix, body in members(tmp_path / "x").items()}
    raw = read_source(zipped(tmp_path / "a.zip", parts, info))
    assert codes_of(raw) == [*codes, "FILE.UNPACKED"]
    assert sentence(raw, "FILE.UNPACKED").endswith("成果/第一批/地块.shp")
    assert raw.frame["DKBH"].tolist() == ["001", "002", "003"]
    assert raw.source.path == str(tmp_path / "a.zip")


def test_row_18_a_file_geodatabase_in_a_plain_zip_is_read(tmp_path):
    base = tmp_path / "a.gdb"
    pyogrio.write_dataframe(parcels(5), base, driver="OpenFileGDB", layer="dk")
    parts = {f"数据/库.gdb/{file.name}": file.read_bytes() for file in base.iterdir()}
    raw = read_source(zipped(tmp_path / "a.zip", parts))
    assert (codes_of(raw), raw.source.rows_imported) == (["FILE.UNPACKED"], 5)


def test_row_18_a_zip_in_a_zip_is_refused(tmp_path):
    inner = zipped(
        tmp_path / "b.zip", {f"a{suffix}": body for suffix, body in members(tmp_path / "x").items()}
    )
    raw = read_source(zipped(tmp_path / "a.zip", {"b.zip": inner.read_bytes()}))
    assert outcome(raw) == "reject"
    assert "b.zip" in sentence(raw, "FILE.NESTED")


def test_row_19_a_stored_member_whose_sum_is_wrong_is_refused(tmp_path):
    path = zipped(
        tmp_path / "a.zip", {f"a{suffix}": body for suffix, body in members(tmp_path / "x").items()}
    )
    body = path.read_bytes()
    path.write_bytes(body.replace(b"002", b"902", 1))
    assert b"902" in path.read_bytes()
    raw = read_source(path)
    assert outcome(raw) == "reject"
    assert "a.dbf" in sentence(raw, "FILE.UNREADABLE")


def test_row_20_an_encrypted_zip_is_refused_as_such(tmp_path):
    path = zipped(
        tmp_path / "a.zip", {f"a{suffix}": body for suffix, body in members(tmp_path / "x").items()}
    )
    body = bytearray(path.read_bytes())
    for mark, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = body.find(mark)
        while at >= 0:
            body[at + flag] |= 1
            at = body.find(mark, at + 1)
    path.write_bytes(body)
    raw = read_source(path)
    assert (outcome(raw), codes_of(raw)) == ("reject", ["FILE.ENCRYPTED"])
    assert "加密" in sentence(raw, "FILE.ENCRYPTED")


# --- names and types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["地块;第二版", "地块\n第二版", "a!b?c|d"])
def test_row_21_a_strange_name_is_no_obstacle(tmp_path, name):
    path = write(parcels(), tmp_path / "a.gpkg").rename(tmp_path / f"{name}.gpkg")
    assert outcome(read_source(path)) == "accept"
    folder = tmp_path / "set"
    folder.mkdir()
    for file in list(shapefile(folder).parent.iterdir()):
        file.rename(file.with_name(name + file.suffix))
    raw = read_source(folder / f"{name}.shp")
    assert (outcome(raw), raw.source.rows_imported) == ("accept", 6)


JSON = json.dumps({"type": "FeatureCollection", "features": []}).encode()
CONTENTS = {
    "html": b"<html><body>x</body></html>",
    "png": b"\x89PNG\r\n\x1a\n\x00\x00",
    "zip": b"PK\x03\x04" + bytes(60),
}


@pytest.mark.parametrize(
    "suffix", [".shp", ".gpkg", ".geojson", ".fgb", ".parquet", ".kml", ".xlsx", ".xls", ".tif"]
)
@pytest.mark.parametrize("kind", ["html", "png", "json", "zip"])
def test_row_22_content_under_a_wrong_suffix_is_refused(tmp_path, suffix, kind):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(JSON if kind == "json" else CONTENTS[kind])
    raw = read_source(path)
    assert outcome(raw) == "reject"
    expected = {"FILE.TYPE", "FILE.TRUNCATED", "FILE.UNREADABLE"}
    if (suffix, kind) == (".geojson", "json"):
        expected = {"FILE.EMPTY"}
    assert set(codes_of(raw)) <= expected


def test_row_22_geojson_called_shp_is_not_read_as_what_it_is_not(tmp_path):
    path = geojson(tmp_path / "a.geojson", feature(ring(), DKBH="1")).rename(tmp_path / "a.shp")
    raw = read_source(path)
    assert (outcome(raw), codes_of(raw)) == ("reject", ["FILE.TYPE"])


# --- rasters ------------------------------------------------------------------------------------------------


def raster(path: Path, cells: np.ndarray, nodata: float | None = None, **options: object) -> Path:
    spot = rasterio.transform.from_origin(EAST, NORTH, 10, 10)
    height, width = cells.shape
    with rasterio.open(
        path, "w", driver="GTiff", crs="EPSG:4547", nodata=nodata, transform=spot, count=1,
        width=width, height=height, dtype=cells.dtype, **options,
    ) as file:  # fmt: skip
        file.write(cells, 1)
    return path


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_row_23_a_cut_geotiff_is_refused_although_it_opens(tmp_path, share):
    path = raster(tmp_path / "a.tif", np.arange(250_000, dtype="float32").reshape(500, 500))
    cut(path, share)
    (found,) = inspect_files([path])
    assert found.outcome == "rejected"
    assert {issue.code for issue in found.issues} <= {"RASTER.UNREADABLE", "FILE.TRUNCATED"}
    assert {issue.code for issue in found.issues}


@pytest.mark.parametrize("void", [-32768.0, 3.4028234663852886e38, -9999.0])
def test_row_24_a_void_nobody_declared_is_named(tmp_path, void):
    cells = np.full((20, 20), 800.0, dtype="float32")
    cells[3, 4] = void
    (found,) = inspect_files([raster(tmp_path / "a.tif", cells)])
    assert (found.outcome, [issue.code for issue in found.issues]) == ("flagged", ["RASTER.NODATA"])
    assert f"{void:g}" in found.issues[0].as_row()["message_zh"]
    (declared,) = inspect_files([raster(tmp_path / "b.tif", cells, nodata=void)])
    assert (declared.outcome, declared.raster["holes"]) == ("accepted", 1)


def test_row_24_blocks_that_were_never_written_are_not_heights_of_zero(tmp_path):
    path = tmp_path / "a.tif"
    spot = rasterio.transform.from_origin(EAST, NORTH, 10, 10)
    with rasterio.open(
        path, "w", driver="GTiff", crs="EPSG:4547", transform=spot, count=1, width=512, height=512,
        dtype="float32", tiled=True, blockxsize=256, blockysize=256, SPARSE_OK="TRUE",
    ) as file:  # fmt: skip
        file.write(np.full((1, 256, 256), 800, dtype="float32"), window=Window(0, 0, 256, 256))
    found = look_at_raster(open_door(path))
    assert found.has_blanks
    assert [(issue.code, issue.value) for issue in found.issues] == [("RASTER.NODATA", "0（3 个空块）")]


# --- FileGDB and GeoJSON ------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.2, 0.6, 0.999])
def test_row_25_a_cut_table_of_a_file_geodatabase_is_refused(tmp_path, share):
    base = tmp_path / "a.gdb"
    frame = gpd.GeoDataFrame(
        {"DKBH": [str(k) for k in range(3000)]},
        geometry=[shapely.box(EAST + k, NORTH, EAST + k + 1, NORTH + 1) for k in range(3000)],
        crs=4547,
    )
    pyogrio.write_dataframe(frame, base, driver="OpenFileGDB", layer="dk")
    assert (outcome(read_source(base)), read_source(base).source.rows_imported) == ("accept", 3000)
    table = max(base.glob("*.gdbtable"), key=lambda file: file.stat().st_size)
    whole = table.stat().st_size
    cut(table, share)
    raw = read_source(base)
    assert outcome(raw) == "reject"
    assert said(raw, "FILE.TRUNCATED") == [(None, "", f"{table.name} {int(whole * share)} / {whole} B")]


def test_row_26_metres_in_geojson_without_a_crs_are_not_degrees(tmp_path):
    square = json.loads(shapely.to_geojson(squares(1)[0]))
    raw = read_source(geojson(tmp_path / "a.geojson", feature(square, DKBH="1")))
    assert (outcome(raw), codes_of(raw)) == ("reject", ["CRS.UNITS"])
    assert "X=500050 Y=4170050" in sentence(raw, "CRS.UNITS")


def test_row_27_coordinates_of_text_cost_their_record_and_no_other(tmp_path):
    spelt = ring(112.6)
    spelt["coordinates"][0][1] = ["112.601", "37"]
    raw = read_source(geojson(tmp_path / "a.geojson", feature(ring(), DKBH="1"), feature(spelt, DKBH="2")))
    assert (outcome(raw), raw.frame["DKBH"].tolist()) == ("flag", ["1"])
    assert [row for row, _, _ in said(raw, "FILE.BAD_RECORD")] == [2]
    assert "['112.601', '37']" in sentence(raw, "FILE.BAD_RECORD")


def test_row_27_a_key_that_stands_twice_is_named_with_both_values(tmp_path):
    path = tmp_path / "a.geojson"
    good = json.dumps(feature(ring(), DKBH="1"))
    double = (
        '{"type": "Feature", "properties": {"DKBH": "2", "DKBH": "3"}, "geometry": '
        + json.dumps(ring(112.6))
        + "}"
    )
    path.write_text('{"type": "FeatureCollection", "features": [' + good + "," + double + "]}")
    raw = read_source(path)
    assert outcome(raw) == "flag"
    assert said(raw, "ATTR.DOUBLE_KEY") == [(2, "DKBH", 'DKBH: "2" / "3"')]


def test_row_27_a_column_of_mixed_types_is_named_and_loses_no_value(tmp_path):
    features = [
        feature(ring(112 + k / 10), DKBH=str(k), far=value) for k, value in enumerate([1.5, "2.0", {"a": 1}])
    ]
    raw = read_source(geojson(tmp_path / "a.geojson", *features))
    assert (outcome(raw), raw.source.rows_imported) == ("flag", 3)
    assert said(raw, "ATTR.MIXED_TYPES") == [(2, "far", "number 1, text 1, object 1")]
    assert [str(value)[:3] for value in raw.frame["far"]] == ["1.5", "2.0", '{ "']
