"""Saving and loading: law 7 to the last digit, whole files or none, and a file QGIS opens coloured."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS
from shapely import MultiPolygon, Point, Polygon, box

from landplan.errors import StoreError
from landplan.publish import publish
from landplan.schema import coerce
from landplan.store import compare_assessments, load_assessment, save_assessment
from landplan.store.frames import compare_frames
from landplan.tables import Assessment, Book, Provenance, Source

EAST, NORTH = 38_400_000.0, 4_160_000.0


def square(x: float, y: float, side: float = 100.0) -> Polygon:
    return box(EAST + x, NORTH + y, EAST + x + side, NORTH + y + side)


def parcels() -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame(
        {
            "parcel_name": ["甲", "", np.nan, "=1+1"],
            "parcel_code": ["140107001001GB00001", "0012", "1.10", "2022-12-25"],
            "area_m2": [10000.0, 1 / 3, np.nan, 123456789.123456789],
            "promised.far_min": [1.2, np.nan, 0.1 + 0.2, 1e-300],
            "is_quarantined": [True, False, None, None],
            "fail_count": [0, 3, None, 2**53 + 1],
            "event_approval_on": pd.to_datetime(["2022-12-25", None, "1970-01-01", "1899-12-30"]),
            "verdict": ["ready", "pending", "not_ready", np.nan],
        },
        geometry=[
            square(0, 0),
            MultiPolygon([square(200, 0), square(400, 0)]),
            None,
            MultiPolygon([square(600, 0)]),
        ],
        crs="EPSG:4526",
        index=pd.Index(["A-1", "A-2", "007", "1e5"], name="parcel_id"),
    )
    return coerce(frame, "parcels")


def assessment(**changes: object) -> Assessment:
    zones = gpd.GeoDataFrame(
        {"zone_code": ["S01"], "zone_name": ["示例区"]}, geometry=[square(-50, -50, 900)], crs="EPSG:4526"
    )
    overlaps = gpd.GeoDataFrame(
        {"parcel_id": ["A-2"], "layer": ["farmland"], "overlap_m2": [12.5]},
        geometry=[square(200, 0, 3)],
        crs="EPSG:4526",
    )
    findings = pd.DataFrame(
        {"parcel_id": ["A-1"], "rule_id": ["far.min"], "status": ["pass"], "measured": [1.2]}
    )
    provenance = Provenance(
        as_of=date(2026, 11, 20),
        project="示例开发区",
        is_sample=True,
        version="0.1.0",
        libraries={"shapely": "2.2.0"},
        books=(Book("cn.shanxi", "山西", "ab" * 32, "2026-11-20", "rulebook: cn.shanxi\n# “注”\n"),),
        sources=(Source("parcels", "地块/地块.shp", "cd" * 32, 5, 4, 1, "EPSG:4526", area_m2=1 / 3),),
        layers={"farmland": "永久基本农田"},
        items={"clear_land": "净地"},
        counts={"in": 5, "out": 4, "dropped": 1},
    )
    whole = Assessment(
        parcels=parcels(),
        zones=coerce(zones, "zones"),
        overlaps=coerce(overlaps, "overlaps"),
        indicators=coerce(pd.DataFrame(), "indicators"),
        events=coerce(pd.DataFrame(), "events"),
        findings=coerce(findings, "findings"),
        issues=coerce(pd.DataFrame({"code": ["GEOM.HOLE"], "row": [7], "is_blocking": [True]}), "issues"),
        provenance=provenance,
    )
    return replace(whole, **changes)


def sql(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_law_7_a_saved_assessment_loads_equal_to_the_last_digit(tmp_path: Path) -> None:
    saved = assessment()
    loaded = load_assessment(save_assessment(saved, tmp_path / "结果.gpkg"))
    assert compare_assessments(saved, loaded) == []
    assert loaded.provenance == saved.provenance
    # Said again in pandas' own words, so that the comparison above is itself compared.
    pd.testing.assert_frame_equal(
        pd.DataFrame(loaded.parcels.drop(columns="geometry")),
        pd.DataFrame(saved.parcels.drop(columns="geometry")),
        check_exact=True,
    )
    assert [getattr(shape, "geom_type", None) for shape in loaded.parcels.geometry] == [
        "Polygon",
        "MultiPolygon",
        None,
        "MultiPolygon",
    ]
    assert loaded.parcels.at["A-2", "area_m2"] == 1 / 3
    assert loaded.parcels["parcel_name"].tolist()[:2] == ["甲", ""]
    assert loaded.parcels["parcel_code"].tolist() == ["140107001001GB00001", "0012", "1.10", "2022-12-25"]


def test_the_comparison_sees_a_change_in_any_table(tmp_path: Path) -> None:
    one = assessment()
    moved = one.parcels.copy()
    moved.loc["A-1", "area_m2"] = np.nextafter(10000.0, 10001.0)
    assert compare_assessments(one, replace(one, parcels=moved)) == ["parcels.area_m2"]
    turned = one.parcels.iloc[::-1]
    assert "parcels.index" in compare_assessments(one, replace(one, parcels=turned))
    later = replace(one.provenance, as_of=date(2026, 11, 21))
    assert compare_assessments(one, replace(one, provenance=later)) == ["provenance.as_of"]
    assert "parcels.crs" in compare_assessments(
        one, replace(one, parcels=one.parcels.set_crs("EPSG:4525", allow_override=True))
    )


WORDS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        [
            "",
            " ",
            "NaN",
            "None",
            "0012",
            "1.10",
            "12:30:00",
            "2022-12-25",
            "净地",
            "{}",
            "a\0b",
            "1e5",
            "\u202e",
        ]
    ),
)
DAYS = st.one_of(st.none(), st.dates())
CENTIMETRES = st.integers(0, 10**7).map(lambda n: n / 100)


@st.composite
def shapes(draw: st.DrawFn) -> object:
    kind = draw(
        st.sampled_from(["none", "one", "one with hole", "many", "one in many", "empty", "empty many"])
    )
    x, y = draw(CENTIMETRES), draw(CENTIMETRES)
    first = square(x, y, draw(st.integers(1, 50)))
    return {
        "none": None,
        "one": first,
        "one with hole": Polygon(first.exterior, [square(x + 0.1, y + 0.1, 0.3).exterior]),
        "many": MultiPolygon([first, square(x + 1000, y)]),
        "one in many": MultiPolygon([first]),
        "empty": Polygon(),
        "empty many": MultiPolygon(),
    }[kind]


@st.composite
def frames(draw: st.DrawFn) -> gpd.GeoDataFrame:
    count = draw(st.integers(0, 4))

    def column(values: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(values, min_size=count, max_size=count))

    days = [np.datetime64("NaT") if day is None else np.datetime64(day) for day in column(DAYS)]
    frame = gpd.GeoDataFrame(
        {
            "parcel_name": pd.Series(column(WORDS), dtype="str"),
            "area_m2": pd.Series(column(st.floats()), dtype="float64"),
            "actual.far_min": pd.Series(column(st.floats(allow_infinity=False)), dtype="float64"),
            "fail_count": pd.Series(
                column(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))), dtype="Int64"
            ),
            "is_quarantined": pd.Series(column(st.one_of(st.none(), st.booleans())), dtype="boolean"),
            "approved_on": pd.Series(np.array(days, dtype="datetime64[s]")),
            "geom": pd.Series(
                column(st.one_of(st.none(), st.just(float("nan")), st.booleans(), st.text(max_size=3))),
                dtype="object",
            ),
        },
        geometry=gpd.GeoSeries(column(shapes())),
        crs=draw(
            st.sampled_from(
                ["EPSG:4526", "EPSG:3826", "+proj=tmerc +lon_0=112.6 +x_0=500000 +ellps=krass +units=m", None]
            )
        ),
    )
    frame.index = pd.Index(column(st.text("A1-0 é", max_size=4)), name="parcel_id", dtype="str")
    order = draw(st.permutations(list(frame.columns)))
    return frame[order]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frame=frames())
def test_law_7_holds_for_any_table(frame: gpd.GeoDataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        saved = assessment(parcels=frame, overlaps=frame.iloc[:0])
        loaded = load_assessment(save_assessment(saved, Path(folder, "a.gpkg")))
    assert compare_frames(loaded.parcels, frame) == []
    assert compare_frames(loaded.overlaps, frame.iloc[:0]) == []


def test_tables_without_rows_columns_or_geometry_survive(tmp_path: Path) -> None:
    saved = assessment(
        zones=gpd.GeoDataFrame(),
        overlaps=gpd.GeoDataFrame(geometry=[], crs="EPSG:4526"),
        events=pd.DataFrame(),
    )
    loaded = load_assessment(save_assessment(saved, tmp_path / "a.gpkg"))
    assert compare_assessments(saved, loaded) == []
    assert isinstance(loaded.zones, gpd.GeoDataFrame)
    assert loaded.overlaps.crs == "EPSG:4526"


def test_other_shapes_and_heights_survive(tmp_path: Path) -> None:
    high = Polygon([(0, 0, 1), (1, 0, 2), (1, 1, 3.5)])
    for shapes in (
        [high, high],
        [high, square(0, 0)],
        [Point(1, 2), square(0, 0)],
        [high, MultiPolygon([high])],
    ):
        zones = gpd.GeoDataFrame({"zone_code": ["1", "2"]}, geometry=shapes, crs="EPSG:4526")
        saved = assessment(zones=coerce(zones, "zones"))
        assert compare_assessments(saved, load_assessment(save_assessment(saved, tmp_path / "a.gpkg"))) == []


def test_a_custom_crs_survives(tmp_path: Path) -> None:
    local = CRS.from_wkt(
        CRS("+proj=tmerc +lon_0=112.25 +x_0=38500000 +ellps=GRS80 +units=m")
        .to_wkt()
        .replace("unknown", "示例独立坐标系")
    )
    saved = assessment(parcels=parcels().set_crs(local, allow_override=True))
    loaded = load_assessment(save_assessment(saved, tmp_path / "a.gpkg"))
    assert loaded.parcels.crs == local
    assert loaded.parcels.crs.to_wkt() == local.to_wkt()


def test_a_column_that_cannot_be_stored_is_named_with_all_others(tmp_path: Path) -> None:
    frame = parcels().assign(a=pd.Categorical([1.5] * 4), b=[{1}, 2, 3, 4])
    with pytest.raises(StoreError) as caught:
        save_assessment(assessment(parcels=frame), tmp_path / "a.gpkg")
    assert [fault.at for fault in caught.value.faults] == ["parcels.a", "parcels.b"]
    assert not list(tmp_path.iterdir())


def test_the_same_assessment_gives_the_same_bytes(tmp_path: Path) -> None:
    first = save_assessment(assessment(), tmp_path / "a.gpkg").read_bytes()
    assert save_assessment(assessment(), tmp_path / "b.gpkg").read_bytes() == first


def test_registers_and_tasks_are_saved_with_the_judgement_and_come_back_equal(tmp_path: Path) -> None:
    kept = replace(
        assessment(),
        tasks=coerce(pd.DataFrame({"parcel_id": ["A"], "item": ["power"], "days": [15]}), "tasks"),
        registers={
            "capacities": coerce(pd.DataFrame({"resource": ["power"], "node": ["一号站"]}), "capacities"),
            "园区标签": pd.DataFrame({"label": ["示例"]}, dtype="str"),
        },
    )
    loaded = load_assessment(save_assessment(kept, tmp_path / "a.gpkg"))
    assert compare_assessments(kept, loaded) == []
    assert loaded.registers["园区标签"]["label"].tolist() == ["示例"]
    assert "register_capacities.rows" in compare_assessments(kept, replace(kept, registers={}))


def test_every_table_is_registered_and_gdal_reads_it(tmp_path: Path) -> None:
    path = save_assessment(assessment(), tmp_path / "a.gpkg")
    names = {
        "parcels",
        "zones",
        "overlaps",
        "indicators",
        "events",
        "findings",
        "issues",
        "tasks",
        "provenance",
        "layer_styles",
    }
    rows = sql(path, "SELECT table_name, data_type, identifier, last_change FROM gpkg_contents")
    assert {row[0] for row in rows} == names
    assert {row[0] for row in rows if row[1] == "features"} == {"parcels", "zones", "overlaps"}
    assert {row[3] for row in rows} == {"2026-11-20T00:00:00.000Z"}
    assert dict(row[:1] + row[2:3] for row in rows)["parcels"] == "地块"
    assert {name for name, _ in pyogrio.list_layers(path)} == names
    assert sql(path, "PRAGMA user_version") == [(10200,)]  # GeoPackage 1.2, which older QGIS and ArcGIS know
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]
    read = pyogrio.read_dataframe(path, layer="parcels", fid_as_index=True)
    assert read.index.tolist() == [1, 2, 3, 4]
    assert read["parcel_id"].tolist() == ["A-1", "A-2", "007", "1e5"]
    assert read["promised_far_min"].iloc[0] == 1.2
    assert read.crs == "EPSG:4526"
    assert pyogrio.read_info(path, layer="parcels")["geometry_type"] == "MultiPolygon"
    assert sql(path, "SELECT event_approval_on FROM parcels ORDER BY fid")[0] == ("2022-12-25",)


def test_qgis_finds_a_default_style_by_verdict_with_numbers_as_labels(tmp_path: Path) -> None:
    path = save_assessment(assessment(), tmp_path / "a.gpkg")
    geometry = dict(sql(path, "SELECT table_name, column_name FROM gpkg_geometry_columns"))
    rows = sql(
        path,
        "SELECT f_table_name, f_table_schema, f_geometry_column, useAsDefault, styleQML FROM layer_styles",
    )
    assert {row[0] for row in rows} == {"parcels", "zones", "overlaps"}
    for table, schema, column, default, qml in rows:
        assert (schema, column, default) == ("", geometry[table], 1)
        assert ET.fromstring(str(qml)).tag == "qgis"
    root = ET.fromstring(str(next(row[4] for row in rows if row[0] == "parcels")))
    renderer = root.find("renderer-v2")
    assert renderer is not None
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "verdict")
    assert [(c.get("value"), c.get("label")) for c in renderer.iter("category")] == [
        ("ready", "具备出让条件"),
        ("pending", "待补正"),
        ("not_ready", "暂不具备"),
        ("", "未判定"),
    ]
    assert root.get("labelsEnabled") == "1"
    assert [s.get("fieldName") for s in root.iter("text-style")] == ["parcel_id"]
    fields = set(pyogrio.read_info(path, layer="parcels")["fields"])
    assert {alias.get("field") for alias in root.iter("alias")} == fields
    assert {a.get("field"): a.get("name") for a in root.iter("alias")}["area_m2"] == "平面面积（m2）"


def test_a_control_character_in_a_title_does_not_break_the_style(tmp_path: Path) -> None:
    told = replace(assessment().provenance, layers={"farmland": "基\x01本<农田&\"'"})
    path = save_assessment(assessment(provenance=told), tmp_path / "a.gpkg")
    for (qml,) in sql(path, "SELECT styleQML FROM layer_styles"):
        ET.fromstring(str(qml))
    assert load_assessment(path).provenance.layers == {"farmland": "基\x01本<农田&\"'"}


def test_a_geopackage_of_others_is_neither_read_nor_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "别人的.gpkg"
    parcels().to_file(path, layer="parcels")
    before = path.read_bytes()
    for act in (lambda: save_assessment(assessment(), path), lambda: load_assessment(path)):
        with pytest.raises(StoreError, match="不是 landplan"):
            act()
    assert path.read_bytes() == before
    text = tmp_path / "b.gpkg"
    text.write_text("not a database", encoding="utf-8")
    with pytest.raises(StoreError, match="不是 landplan"):
        save_assessment(assessment(), text)
    assert text.read_text(encoding="utf-8") == "not a database"


def test_a_view_that_wears_the_mark_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE VIEW provenance AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'x' AS key, i AS value FROM n"
        )
    with pytest.raises(StoreError):
        load_assessment(path)


def test_missing_newer_and_damaged_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        load_assessment(tmp_path / "none.gpkg")
    path = save_assessment(assessment(), tmp_path / "a.gpkg")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("""DELETE FROM provenance WHERE key = 'table.issues'""")
    with pytest.raises(StoreError, match="damaged"):
        load_assessment(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("""UPDATE provenance SET value = '{"format": 99}' WHERE key = 'landplan'""")
    with pytest.raises(StoreError, match="newer"):
        load_assessment(path)


def test_a_second_save_replaces_the_first(tmp_path: Path) -> None:
    path = save_assessment(assessment(), tmp_path / "a.gpkg")
    fewer = assessment(parcels=parcels().iloc[:1])
    assert len(load_assessment(save_assessment(fewer, path)).parcels) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.gpkg"]


def refuse(code: int, **marks: int):  # type: ignore[no-untyped-def]
    def write(path: Path) -> None:
        path.write_bytes(b"half")
        error = OSError(code, os.strerror(code))
        for name, value in marks.items():
            setattr(error, name, value)
        raise error

    return write


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (refuse(errno.ENOSPC), "磁盘空间不足"),
        (refuse(errno.EIO), "文件无法写入"),
        (refuse(errno.EACCES), "没有写入权限"),
        (refuse(errno.EACCES, winerror=32), "Excel"),
    ],
)
def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, write, words: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(StoreError, match=words) as caught:
        publish(path, write, lambda new: None)
    assert caught.value.faults[0].at == str(path)
    assert path.read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_fails_its_check_is_not_published(tmp_path: Path) -> None:
    def verify(new: Path) -> None:
        raise ValueError(new.read_text(encoding="utf-8"))

    with pytest.raises(ValueError, match="new"):
        publish(tmp_path / "a.txt", lambda new: new.write_text("new", encoding="utf-8") and None, verify)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_while_the_geopackage_is_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_assessment(assessment(), tmp_path / "a.gpkg")
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("landplan.store.geopackage.write_styles", full)
    with pytest.raises(StoreError, match="disk is full"):
        save_assessment(assessment(), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.gpkg"]


def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        user = os.geteuid()
        try:
            if user == 0:  # root may write anywhere: be nobody for a moment
                os.seteuid(65534)
            with pytest.raises(StoreError, match="没有写入权限") as caught:
                save_assessment(assessment(), folder / "a.gpkg")
        finally:
            os.seteuid(user)
            folder.chmod(0o755)
        assert caught.value.faults[0].at == str(folder / "a.gpkg")
        assert not list(folder.iterdir())


def test_what_a_killed_writer_left_is_cleaned_and_the_living_are_left_alone(tmp_path: Path) -> None:
    dead = tmp_path / ".a.txt.999999999-0.tmp.txt"
    journal = tmp_path / ".a.txt.999999999-0.tmp.txt-journal"
    alive = tmp_path / f".a.txt.{os.getppid()}-0.tmp.txt"
    other = tmp_path / ".b.txt.999999999-0.tmp.txt"
    for file in (dead, journal, alive, other):
        file.touch()
    publish(tmp_path / "a.txt", lambda new: new.touch(), lambda new: None)
    assert {file.name for file in tmp_path.iterdir()} == {"a.txt", alive.name, other.name}
