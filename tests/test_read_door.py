"""The front door: what is refused, and why, before a library opens it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from sources import cut, feature, found, geojson, parcels, ring, write

from landplan.read import read_source
from landplan.read.door import hash_files, open_door
from landplan.read.vector import read_vector


def test_a_file_that_is_not_there_is_named_and_nothing_is_raised():
    raw = read_source("地块/没有.shp")
    assert [(i.code, i.value) for i in raw.issues] == [("FILE.MISSING", "地块/没有.shp")]


@pytest.mark.parametrize(
    "name", ["https://example.invalid/a.shp", "/vsicurl/example.invalid/a.shp", "CSV:a.csv", "WFS:x"]
)
def test_addresses_and_driver_prefixes_are_refused_as_names(name):
    assert [i.code for i in open_door(name).issues] == ["SEC.NAME"]


def test_a_link_is_not_followed(tmp_path):
    target = write(parcels(), tmp_path / "a.gpkg")
    link = tmp_path / "b.gpkg"
    link.symlink_to(target)
    assert [i.code for i in open_door(link).issues] == ["SEC.LINK"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.shp", b'{"type": "FeatureCollection", "features": []}'),
        ("a.gpkg", b"<OGRVRTDataSource><OGRVRTLayer/></OGRVRTDataSource>"),
        ("a.geojson", b"SQLite format 3\x00"),
        ("a.geojson", b"[1, 2]"),
        ("a.tif", b"<VRTDataset/>"),
        ("a.xlsx", b"<html>"),
        ("a.kml", b'<!DOCTYPE kml [<!ENTITY a "b">]><kml/>'),
        ("a.docx", b"PK\x03\x04"),
    ],
)
def test_a_file_whose_bytes_do_not_match_its_suffix_is_refused(tmp_path, name, body):
    (tmp_path / name).write_bytes(body)
    door = open_door(tmp_path / name)
    assert [i.code for i in door.issues] == ["FILE.TYPE"]
    assert not door.is_open


def test_a_plain_sqlite_file_is_no_geopackage(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.gpkg")) as base, base:
        base.execute("CREATE TABLE t (a)")
    assert [i.code for i in open_door(tmp_path / "a.gpkg").issues] == ["FILE.TYPE"]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("suffix", [".shp", ".shx", ".dbf"])
def test_a_shapefile_cut_anywhere_is_refused_and_never_half_read(tmp_path, suffix, share):
    path = write(parcels(20), tmp_path / "a.shp")
    cut(path.with_suffix(suffix), share)
    raw = read_vector(path)
    assert "FILE.TRUNCATED" in found(raw)
    assert raw.source.rows_imported == 0
    assert raw.frame.empty


@pytest.mark.parametrize("suffix", [".dbf"])
def test_a_shapefile_without_one_of_its_files_is_refused(tmp_path, suffix):
    path = write(parcels(), tmp_path / "a.shp")
    path.with_suffix(suffix).unlink()
    assert [(i.code, i.value) for i in read_vector(path).issues] == [("FILE.INCOMPLETE_SET", suffix)]


def test_attributes_of_another_export_are_refused_when_their_number_differs(tmp_path):
    path = write(parcels(6), tmp_path / "a.shp")
    other = write(parcels(4), tmp_path / "b.shp")
    path.with_suffix(".dbf").write_bytes(other.with_suffix(".dbf").read_bytes())
    assert [(i.code, i.value) for i in read_vector(path).issues] == [("FILE.MISMATCH", ".shp 6, .dbf 4")]


def test_an_index_in_another_order_is_refused_because_it_swaps_boundaries_in_silence(tmp_path):
    path = write(parcels(6), tmp_path / "a.shp")
    index = path.with_suffix(".shx")
    body = index.read_bytes()
    entries = [body[k : k + 8] for k in range(100, len(body), 8)]
    index.write_bytes(body[:100] + b"".join(reversed(entries)))
    assert "FILE.MISMATCH" in found(read_vector(path))


def test_bytes_behind_the_end_are_told_and_the_rest_is_read(tmp_path):
    path = write(parcels(), tmp_path / "a.shp")
    path.write_bytes(path.read_bytes() + b"rest")
    raw = read_vector(path)
    assert found(raw) == ["FILE.TRAILING"]
    assert raw.source.rows_imported == 3


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_geopackage_cut_anywhere_is_refused(tmp_path, share):
    path = write(parcels(50), tmp_path / "a.gpkg")
    cut(path, share)
    assert found(read_vector(path)) == ["FILE.TRUNCATED"]


def test_a_view_in_a_geopackage_is_not_run(tmp_path):
    path = write(parcels(), tmp_path / "a.gpkg")
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE VIEW v AS SELECT * FROM a")
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('v', 'features', 'v')"
        )
    assert found(read_vector(path)) == ["SEC.VIEW"]


def test_a_table_that_opens_other_files_is_not_run(tmp_path):
    path = write(parcels(), tmp_path / "a.gpkg")
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE VIRTUAL TABLE words USING fts4(body)")
    assert set(found(read_vector(path))) == {"SEC.VIEW"}


def test_a_geopackage_in_wal_mode_is_flagged_and_nothing_is_left_beside_it(tmp_path):
    path = write(parcels(), tmp_path / "a.gpkg")
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode = wal")
    before = path.read_bytes()
    raw = read_vector(path)
    assert (found(raw), raw.source.rows_imported) == (["FILE.WAL"], 3)
    assert [p.name for p in tmp_path.iterdir()] == ["a.gpkg"]
    assert path.read_bytes() == before


def test_json_that_gdal_would_run_as_a_command_is_refused(tmp_path):
    secret = geojson(tmp_path / "secret.geojson", feature(ring(), word="geheim"))
    command = f"gdal vector pipeline ! read {secret}"
    for name, extra in (
        ("a", {}),
        ("b", {"x": {"type": "Feature"}}),
        ("c", {"type": "FeatureCollection", "features": []}),
    ):
        body = '{"type": "gdal_streamed_alg", "command_line": ' + json.dumps(command)
        body += "".join(f", {json.dumps(k)}: {json.dumps(v)}" for k, v in extra.items()) + "}"
        path = tmp_path / f"{name}.geojson"
        path.write_text(body, encoding="utf-8")
        raw = read_vector(path)
        assert found(raw) == ["FILE.TYPE"]
        assert raw.frame.empty


def test_the_hash_of_a_shapefile_covers_every_file_of_the_set(tmp_path):
    path = write(parcels(), tmp_path / "a.shp")
    before = open_door(path)
    assert before.sha256 == hash_files(before.files)
    assert [f.suffix for f in before.files] == [".cpg", ".dbf", ".prj", ".shp", ".shx"]
    path.with_suffix(".prj").write_text(path.with_suffix(".prj").read_text() + " ")
    assert open_door(path).sha256 != before.sha256


def test_a_name_with_a_semicolon_is_read_whole(tmp_path):
    write(parcels(), tmp_path / "a.shp")
    for part in list(tmp_path.iterdir()):
        part.rename(tmp_path / f"一;二{part.suffix}")
    assert read_vector(tmp_path / "一;二.shp").source.rows_imported == 3
