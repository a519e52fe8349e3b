"""Tables exported as JSON: each array is a sheet, each record a row, and nothing is lost in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from landplan.read.door import open_door
from landplan.read.json_text import parse_json_values
from landplan.read.source import read_source, read_table

PROFILE = Path(__file__).resolve().parents[1] / "gis_data" / "profiles" / "landchina.yaml"
TWO = [{"编号": "A-1", "坐落": "城东"}, {"编号": "A-2", "坐落": "城西"}]


def text(path, written, encoding="utf-8"):
    path.write_bytes(written.encode(encoding))
    return path


def table(path, *arrays):
    return text(path, "\n".join(json.dumps(array, ensure_ascii=False) for array in arrays))


def found(raw):
    return [(issue.code, issue.row, issue.value) for issue in raw.issues]


def balanced(raw):
    source = raw.source
    assert source.rows_in == source.rows_imported + source.rows_rejected
    return source.rows_in, source.rows_imported, source.rows_rejected


@pytest.fixture(scope="module")
def exported(shared_data):
    return shared_data / "land_transfer" / "landchina_2018-12-31.gb18030.json"


def test_the_export_of_the_land_market_holds_203_results(exported):
    read = read_table(exported, "parcels", profile=PROFILE, sheet="1")
    assert balanced(read) == (203, 203, 0)
    assert read.layer == "1"
    first = read.frame.loc["1306262018B00730"]
    assert (first["source_row"], first["location"]) == (1, "定兴县开放西路北侧、兴达街东侧")
    assert first["area_registered_m2"] == 52928.04  # 5.292804 公顷
    assert (first["far_min"], first["far_max"], first["term_years"]) == (1.0, 2.0, 50)
    assert read.frame["source_row"].iloc[-1] == 203


def test_the_list_behind_the_results_holds_38_rows_numbered_by_record(exported):
    read = read_table(exported, "parcels", profile=PROFILE, sheet="2")
    assert balanced(read) == (38, 38, 0)
    assert read.frame.index[[0, -1]].tolist() == ["LC0001", "LC0038"]
    assert read.frame.loc["LC0001", "location"] == "广州市花都区炭步镇步云村"
    assert read.frame.loc["LC0001", "area_registered_m2"] == 5348.0  # 0.534800 公顷


def test_an_empty_plot_ratio_is_missing_and_a_written_zero_stays(exported):
    frame = read_table(exported, "parcels", profile=PROFILE, sheet="1").frame
    # Counted in the file: 82 floors and 76 ceilings are "", 13 floors are "0.00".
    assert (frame["far_min"].isna().sum(), frame["far_max"].isna().sum()) == (82, 76)
    assert (frame["far_min"] == 0).sum() == 13
    assert frame.loc["6529012018A00707", ["far_min", "far_max"]].isna().all()
    assert frame.loc["3211812018A01837", "far_min"] == 0.1
    assert pd.isna(frame.loc["3211812018A01837", "far_max"])


def test_terms_written_by_use_are_reported_with_their_record_and_parcel(exported):
    read = read_table(exported, "parcels", profile=PROFILE, sheet="1")
    faults = [issue for issue in read.issues if issue.code == "ATTR.NUMBER"]
    assert sorted(issue.row for issue in faults) == [5, 130, 156, 168, 191, 201]
    assert {(issue.field, issue.cell) for issue in faults} == {("duration", "")}
    assert "3704062018B00436" in {issue.parcel_id for issue in faults}
    assert read.frame.loc["3704062018B00436", "term_years"] is pd.NA


def test_gb18030_is_decided_by_content_and_said(exported):
    raw = read_source(exported, sheet="1")
    assert (raw.source.encoding, raw.source.encoding_how) == ("gb18030", "content")
    assert [(issue.code, issue.value) for issue in raw.issues] == [("ENC.GUESSED", "gb18030")]
    # Written as "paid_plan": {"1": ["2019年01月30日", "10484.0000"]}.
    assert raw.frame["paid_plan.1"][0] == '["2019年01月30日", "10484.0000"]'
    assert raw.frame["date4sign"][0] == "2018年12月31日"


def test_two_arrays_ask_for_a_sheet(exported):
    raw = read_source(exported)
    assert found(raw)[1:] == [("FILE.AMBIGUOUS", None, "1、2")]
    missing = read_source(exported, sheet="3")
    assert found(missing)[1:] == [("FILE.NO_LAYER", None, "3（1、2）")]


def test_the_industrial_csv_says_the_same_under_the_same_profile(shared_data, exported):
    listed = read_table(
        shared_data / "land_transfer" / "landchina_2018-12-31_industrial.csv", "parcels", profile=PROFILE
    )
    assert balanced(listed) == (39, 39, 0)
    whole = read_table(exported, "parcels", profile=PROFILE, sheet="1").frame
    columns = ["location", "land_use", "area_registered_m2", "far_min", "far_max", "term_years"]
    pd.testing.assert_frame_equal(listed.frame[columns], whole.loc[listed.frame.index, columns])


def test_utf8_is_what_json_is_and_no_guess(tmp_path):
    for name, encoding in (("plain.json", "utf-8"), ("marked.json", "utf-8-sig")):
        raw = read_source(text(tmp_path / name, json.dumps(TWO, ensure_ascii=False), encoding))
        assert (raw.source.encoding, raw.source.encoding_how, raw.issues) == ("utf-8", "format", [])
        assert raw.frame["坐落"].tolist() == ["城东", "城西"]
        assert (raw.rows, raw.layer) == ([1, 2], "1")


def test_an_encoding_that_is_named_is_obeyed(tmp_path):
    path = text(tmp_path / "a.json", json.dumps(TWO, ensure_ascii=False), "gb18030")
    raw = read_source(path, encoding="gb18030")
    assert (raw.source.encoding, raw.source.encoding_how, raw.issues) == ("gb18030", "option", [])


def test_the_only_array_with_known_names_is_read(tmp_path):
    raw = read_source(table(tmp_path / "a.json", [{"total": 2, "page": 1}], TWO))
    assert (raw.layer, len(raw.frame), raw.issues) == ("2", 2, [])


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_file_cut_anywhere_is_truncated_and_gives_no_record(tmp_path, encoding):
    more = [{"编号": "A-3", "坐落": '城"南', "far": -1.5e3, "is": True, "no": None, "list": [1, {"a": "b"}]}]
    whole = "\n".join(json.dumps(array, ensure_ascii=False) for array in (TWO, more)).encode(encoding)
    between = whole.index(b"]\n[") + 1
    # Less than "[{" is no table yet; between the arrays the first stands whole.
    for end in (k for k in range(2, len(whole)) if k not in (between, between + 1)):
        path = tmp_path / "cut.json"
        path.write_bytes(whole[:end])
        raw = read_source(path, sheet="1")
        codes = {issue.code for issue in raw.issues} - {"ENC.GUESSED", "ENC.UNDECODABLE"}
        assert codes == {"FILE.TRUNCATED"}, whole[:end].decode(encoding, "replace")[-20:]
        assert balanced(raw) == (0, 0, 0)


def test_text_that_is_wrong_inside_is_unreadable_with_its_place(tmp_path):
    raw = read_source(text(tmp_path / "a.json", '[{"编号": "A-1"},\n {"编号" "A-2"}]'))
    assert found(raw) == [("FILE.UNREADABLE", None, "Expecting ':' delimiter: line 2 column 8")]
    raw = read_source(text(tmp_path / "b.json", json.dumps(TWO) + '{"编号": "A-3"}'))
    assert found(raw) == [("FILE.UNREADABLE", None, 'not an array: {"编号": "A-3"}')]


def test_text_nested_without_end_is_unreadable(tmp_path):
    raw = read_source(text(tmp_path / "a.json", '[{"a":' + "[" * 200_000))
    assert [issue.code for issue in raw.issues] in (["FILE.UNREADABLE"], ["FILE.TRUNCATED"])


def test_a_name_that_stands_twice_is_reported_and_the_last_counts(tmp_path):
    body = '[{"编号": "A-1", "坐落": "城东"}, {"编号": "A-2", "坐落": "城西", "坐落": "城南"}]'
    raw = read_source(text(tmp_path / "a.json", body))
    assert found(raw) == [("ATTR.DOUBLE_KEY", 2, '坐落: "城西" / "城南"')]
    assert raw.frame["坐落"].tolist() == ["城东", "城南"]
    assert balanced(raw) == (2, 2, 0)
    read = read_table(tmp_path / "a.json", "parcels")
    assert [i.parcel_id for i in read.issues if i.code == "ATTR.DOUBLE_KEY"] == ["A-2"]


def test_a_name_that_stands_twice_in_a_nested_object_is_reported(tmp_path):
    body = '[{"编号": "A-1", "坐落": "城东", "plan": {"x": [{"d": 1, "d": 2}]}, "a": {"b": 1}, "a.b": 2}]'
    raw = read_source(text(tmp_path / "a.json", body))
    assert found(raw) == [("ATTR.DOUBLE_KEY", 1, "plan.x.d: 1 / 2"), ("ATTR.DOUBLE_KEY", 1, "a.b: 1 / 2")]
    assert raw.frame["a.b"].tolist() == [2]


def test_a_record_that_is_no_object_or_holds_nothing_is_rejected_with_its_number(tmp_path):
    raw = read_source(table(tmp_path / "a.json", [TWO[0], 7, TWO[1], {}, None, {"编号": " ", "坐落": None}]))
    assert found(raw) == [
        ("FILE.BAD_RECORD", 2, "7"),
        ("FILE.BAD_RECORD", 4, "{}"),
        ("FILE.BAD_RECORD", 5, "null"),
        ("FILE.BAD_RECORD", 6, '{"编号": " ", "坐落": null}'),
    ]
    assert balanced(raw) == (6, 2, 4)
    assert (raw.rows, raw.frame["编号"].tolist()) == ([1, 3], ["A-1", "A-2"])


def test_objects_are_spread_one_level_and_the_rest_is_kept_as_text(tmp_path):
    record = {"编号": "A-1", "坐落": "城东", "面积": {"值": 1.5, "注": {"深": [1]}}, "图": [[1, 2], "乙"]}
    raw = read_source(table(tmp_path / "a.json", [record]))
    assert raw.frame.iloc[0].to_dict() == {
        "编号": "A-1",
        "坐落": "城东",
        "面积.值": 1.5,
        "面积.注": '{"深": [1]}',
        "图": '[[1, 2], "乙"]',
    }
    assert raw.issues == []


def test_names_missing_from_a_record_and_nan_are_missing_values(tmp_path):
    body = '[{"编号": "A-1", "容积率上限": NaN}, {"编号": "A-2", "坐落": "城西", "容积率上限": 0}]'
    read = read_table(text(tmp_path / "a.json", body), "parcels")
    assert read.frame["location"].isna().tolist() == [True, False]
    assert read.frame["far_max"].isna().tolist() == [True, False]
    assert read.frame.loc["A-2", "far_max"] == 0.0


def test_intensity_per_hectare_becomes_yuan_per_square_metre(tmp_path):
    path = table(
        tmp_path / "a.json", [{"idnumber": "B1", "投资强度": "3750"}, {"idnumber": "B2", "投资强度": ""}]
    )
    read = read_table(path, "parcels", profile=PROFILE)
    # 3750 万元 = 37 500 000 元 on 10 000 m2.
    assert read.frame.loc["B1", "invest_intensity_cny_per_m2"] == 3750.0
    assert pd.isna(read.frame.loc["B2", "invest_intensity_cny_per_m2"])


def test_a_total_among_the_records_is_rejected_and_named(tmp_path):
    raw = read_source(table(tmp_path / "a.json", [*TWO, {"编号": "合计", "坐落": "2宗"}]))
    assert found(raw) == [("ATTR.TOTAL_ROW", 3, "合计")]
    assert balanced(raw) == (3, 2, 1)


def test_records_are_told_from_geojson_and_from_other_json_by_their_beginning(tmp_path):
    kinds = {
        '{"type": "FeatureCollection", "features": []}': ("geojson", True),
        '[{"编号": "A-1"}]': ("json", True),
        '[{"type": "Feature", "properties": {}, "geometry": null}]': ("geojson", False),
        "[1, 2]": ("geojson", False),
        '{"编号": "A-1"}': ("geojson", False),
    }
    for body, expected in kinds.items():
        door = open_door(text(tmp_path / "a.json", body))
        assert (door.kind, door.is_open) == expected, body


def test_an_array_without_records_is_empty(tmp_path):
    assert found(read_source(text(tmp_path / "a.json", "[]"))) == [("FILE.EMPTY", None, "")]


def test_more_cells_than_can_be_held_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("landplan.read.json_table._MAX_CELLS", 3)
    raw = read_source(table(tmp_path / "a.json", TWO))
    assert found(raw) == [("LIMIT.SIZE", None, "> 3 cells")]
    monkeypatch.setattr("landplan.read.json_table._MAX_JSON", 10)
    assert found(read_source(tmp_path / "a.json"))[0][0] == "LIMIT.SIZE"


def test_values_one_after_the_other_are_parsed_in_their_order():
    assert parse_json_values(" [1]\n\n[2] [3] ") == [[1], [2], [3]]
