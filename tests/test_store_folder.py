"""A folder of GeoParquet: law 7 to the last digit, one assessment or the other and never half, and others can read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_store import assessment, frames, parcels, square

from landplan.errors import StoreError
from landplan.schema import as_words, coerce
from landplan.store import compare_assessments, load_assessment, save_assessment
from landplan.store import parquet as folder_store
from landplan.store.parquet import MANIFEST


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_law_7_a_saved_assessment_loads_equal_to_the_last_digit(tmp_path: Path) -> None:
    saved = assessment(registers={"buildings": pd.DataFrame({"building_id": ["F-1"], "built_m2": [1 / 3]})})
    loaded = load_assessment(save_assessment(saved, tmp_path / "核验.parquet"))
    assert compare_assessments(saved, loaded) == []
    assert loaded.provenance == saved.provenance
    pd.testing.assert_frame_equal(
        pd.DataFrame(loaded.parcels.drop(columns="geometry")),
        pd.DataFrame(saved.parcels.drop(columns="geometry")),
        check_exact=True,
    )
    assert loaded.parcels.at["A-2", "area_m2"] == 1 / 3
    assert loaded.registers["buildings"]["built_m2"].tolist() == [1 / 3]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=frames(), rows=st.integers(1, 3))
def test_law_7_holds_for_any_table_however_it_is_sliced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: gpd.GeoDataFrame, rows: int
) -> None:
    monkeypatch.setattr(folder_store, "_ROWS", rows)
    saved = assessment(parcels=frame)
    loaded = load_assessment(save_assessment(saved, tmp_path / "结果"))
    assert compare_assessments(saved, loaded) == []


def test_values_that_repeat_and_that_do_not_come_back_with_their_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_store, "_ROWS", 64)
    monkeypatch.setattr("landplan.store.columnar._MANY", 4)
    some = np.array([0.0, -0.0, np.nan, 1 / 3])[np.arange(200) % 4]
    frame = pd.DataFrame(
        {
            "often": some,
            "once": np.arange(200.0) - 100,
            "days": pd.Series(np.datetime64("2026-01-01") + np.arange(200) % 3).astype("datetime64[s]"),
            "said_once": pd.Series([f"{k} 号" for k in range(200)], dtype="str"),
            "said_often": pd.Series([None if k % 3 else "完成" for k in range(200)], dtype="str"),
            "words": as_words(pd.Series([f"P{k // 2}" if k % 7 else None for k in range(200)], dtype="str")),
        }
    )
    folder = save_assessment(assessment(registers={"odd": frame}), tmp_path / "a")
    stored = pq.read_metadata(next(folder.glob("register*odd-*.parquet"))).row_group(0)
    columns = [stored.column(k) for k in range(stored.num_columns)]
    numbered = {column.path_in_schema for column in columns if "RLE_DICTIONARY" in column.encodings}
    assert numbered == {"often", "days", "said_often", "words"}
    loaded = load_assessment(folder).registers["odd"]
    pd.testing.assert_frame_equal(loaded, frame, check_exact=True, check_categorical=False)
    assert np.signbit(loaded["often"]).tolist() == np.signbit(some).tolist()


def test_a_day_is_told_from_a_moment_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landplan.store.columnar._AT_ONCE", 3)
    days = pd.Series(["2026-01-01", None, "0001-01-01", "9999-12-31", None], dtype="datetime64[s]")
    late = days.where(days.index < 4, pd.Timestamp("2026-01-01 00:00:01"))
    far = days.where(days.index < 4, np.datetime64("10000-01-01", "s"))
    saved = assessment(registers={"odd": pd.DataFrame({"day": days, "moment": late, "far": far})})
    folder = save_assessment(saved, tmp_path / "a")
    layout = json.loads((folder / MANIFEST).read_text("utf-8"))["tables"]
    told = next(each["layout"] for name, each in layout.items() if "odd" in name)
    assert [column["stored"] for column in told["columns"]] == ["day", "moment", "moment"]
    pd.testing.assert_frame_equal(load_assessment(folder).registers["odd"], saved.registers["odd"])


def test_both_ways_of_saving_hold_the_same(tmp_path: Path) -> None:
    saved = assessment()
    folder = load_assessment(save_assessment(saved, tmp_path / "a"))
    package = load_assessment(save_assessment(saved, tmp_path / "a.gpkg"))
    assert compare_assessments(folder, package) == []


def test_texts_held_once_come_back_so_and_those_of_no_slice_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_store, "_ROWS", 2)
    table = coerce(
        pd.DataFrame({"parcel_id": [f"P{k % 4}" for k in range(9)], "status": ["pass", "fail", None] * 3}),
        "findings",
    )
    loaded = load_assessment(save_assessment(assessment(findings=table), tmp_path / "a")).findings
    assert loaded["parcel_id"].tolist() == table["parcel_id"].tolist()
    assert loaded["status"].astype("str").equals(table["status"].astype("str"))
    assert loaded["status"].cat.categories.tolist() == table["status"].cat.categories.tolist()


def test_other_programs_read_the_parcels_as_a_map_and_the_findings_as_words(tmp_path: Path) -> None:
    folder = save_assessment(assessment(), tmp_path / "a")
    drawn = gpd.read_parquet(next(folder.glob("parcels-*.parquet")))
    assert drawn.crs == "EPSG:4526"
    assert drawn.loc[1, "geometry"].geom_type == "MultiPolygon"
    assert drawn["parcel_id"].tolist() == ["A-1", "A-2", "007", "1e5"]
    words = pq.read_table(next(folder.glob("findings-*.parquet"))).to_pylist()[0]
    assert (words["parcel_id"], words["status"], words["margin"]) == ("A-1", "pass", None)


def test_the_same_assessment_gives_the_same_bytes_however_many_threads_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []
    for threads in ("1", "4"):
        monkeypatch.setenv("LANDPLAN_THREADS", threads)
        folders.append(save_assessment(assessment(), tmp_path / threads))
    one, other = folders
    assert files(one) == files(other)
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in files(one))


def test_a_second_save_replaces_the_first_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    folder = save_assessment(assessment(), tmp_path / "a")
    before = files(folder)
    later = replace(assessment(), parcels=parcels().assign(area_m2=[1.0, 2.0, 3.0, 4.0]))
    save_assessment(later, folder)
    assert compare_assessments(load_assessment(folder), later) == []
    assert len(files(folder)) == len(before)
    assert len(set(files(folder)) - set(before)) == 1


@pytest.mark.parametrize("step", ["_write_table", "_is_whole"])
def test_a_save_that_fails_leaves_the_old_assessment_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    folder = save_assessment(assessment(), tmp_path / "a")
    before = files(folder)
    calls = 0
    real = getattr(folder_store, step)

    def breaks(*words: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(28, "No space left on device")
        return real(*words)

    monkeypatch.setattr(folder_store, step, breaks)
    later = replace(assessment(), parcels=parcels().assign(area_m2=[1.0, 2.0, 3.0, 4.0]))
    with pytest.raises(StoreError, match="disk is full"):
        save_assessment(later, folder)
    assert files(folder) == before
    assert compare_assessments(load_assessment(folder), assessment()) == []


def test_a_file_that_is_not_what_was_written_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = folder_store._write_table

    def damages(folder: Path, *words: object) -> str:
        name = real(folder, *words)
        with (folder / name).open("r+b") as file:
            file.seek(100)
            file.write(b"\0")
        return name

    monkeypatch.setattr(folder_store, "_write_table", damages)
    with pytest.raises(StoreError, match="does not read back"):
        save_assessment(assessment(), tmp_path / "a")
    assert files(tmp_path / "a") == []


def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path: Path) -> None:
    folder = save_assessment(assessment(), tmp_path / "a")
    (folder / f"parcels-{'0' * 12}.parquet.4194304.part").write_bytes(b"half")
    (folder / "parcels-0123456789ab.parquet").write_bytes(b"never named")
    assert compare_assessments(load_assessment(folder), assessment()) == []
    before = {told["file"] for told in json.loads((folder / MANIFEST).read_text("utf-8"))["tables"].values()}
    save_assessment(assessment(), folder)
    assert set(files(folder)) == before | {MANIFEST}


def test_a_folder_of_others_is_neither_read_nor_written_into(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "照片.jpg").write_bytes(b"jpg")
    for work in (
        lambda: save_assessment(assessment(), tmp_path / "a"),
        lambda: load_assessment(tmp_path / "a"),
    ):
        with pytest.raises(StoreError):
            work()
    assert files(tmp_path / "a") == ["照片.jpg"]


def test_missing_newer_damaged_and_hostile_folders_say_so(tmp_path: Path) -> None:
    folder = save_assessment(assessment(), tmp_path / "a")
    with pytest.raises(StoreError, match="no assessment"):
        load_assessment(tmp_path / "nowhere")
    manifest = folder / MANIFEST
    good = manifest.read_text("utf-8")
    manifest.write_text(good.replace('"format": 1', '"format": 99'), "utf-8")
    with pytest.raises(StoreError, match="newer"):
        load_assessment(folder)
    manifest.write_text(good[:-20], "utf-8")
    with pytest.raises(StoreError, match="not an assessment"):
        load_assessment(folder)
    about = json.loads(good)
    (tmp_path / "parcels-0123456789ab.parquet").write_bytes(b"")
    about["tables"]["parcels"]["file"] = "../parcels-0123456789ab.parquet"
    manifest.write_text(json.dumps(about), "utf-8")
    with pytest.raises(StoreError, match="damaged"):
        load_assessment(folder)
    manifest.write_text(good, "utf-8")
    file = next(folder.glob("findings-*.parquet"))
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(StoreError, match="damaged"):
        load_assessment(folder)


def test_a_column_that_cannot_be_stored_is_named_with_all_others(tmp_path: Path) -> None:
    frame = parcels().assign(a=pd.Categorical([1.5] * 4), b=[{1}, 2, 3, 4])
    with pytest.raises(StoreError) as caught:
        save_assessment(assessment(parcels=frame), tmp_path / "a")
    assert [fault.at for fault in caught.value.faults] == ["parcels.a", "parcels.b"]
    assert not list(tmp_path.iterdir())


def test_tables_without_rows_columns_or_geometry_survive(tmp_path: Path) -> None:
    empty = parcels().iloc[:0]
    bare = gpd.GeoDataFrame(geometry=[square(0, 0)], crs="EPSG:4526")
    words = pd.DataFrame({"code": as_words(pd.Series([None, None], dtype="str")), "row": np.arange(2)})
    saved = assessment(parcels=empty, zones=bare, issues=words, events=pd.DataFrame(index=pd.RangeIndex(3)))
    assert compare_assessments(saved, load_assessment(save_assessment(saved, tmp_path / "a"))) == []
