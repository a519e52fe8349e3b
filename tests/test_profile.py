"""Profiles: what a provider's headers mean, checked to the key, and right for the real files they are written for."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest

from landplan.errors import ConfigError
from landplan.read.profile import Condition, Profile, load_profile
from landplan.schema import canonicalise

PROFILES = Path(__file__).parent.parent / "gis_data" / "profiles"


def write(folder, text, name="p.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder, text):
    with pytest.raises(ConfigError) as caught:
        load_profile(write(folder, text))
    return list(caught.value.faults)


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_that_is_shipped_is_sound_and_bears_the_name_of_its_file(path):
    assert load_profile(path).profile == path.stem


def test_a_profile_is_found_by_name_in_the_folders_given_and_below_them(tmp_path):
    (tmp_path / "profiles").mkdir()
    write(tmp_path / "profiles", "profile: mine\n", "mine.yaml")
    assert load_profile("mine", folders=[tmp_path]).profile == "mine"
    assert load_profile("taiwan-zoning", folders=[PROFILES.parent.parent]).id_from_row == "TW"


def test_a_profile_that_is_not_there_is_refused_with_the_names_that_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="nowhere") as caught:
        load_profile("nowhere", folders=[PROFILES.parent])
    assert "taiwan-zoning" in caught.value.faults[0].mend_en


def test_a_name_cannot_leave_the_folders(tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path, "profile: out\n", "out.yaml")
    with pytest.raises(ConfigError):
        load_profile("../out", folders=[tmp_path / "in"])


def test_all_faults_are_told_at_once_with_file_and_key(tmp_path):
    text = """
profile: bad
colums: {a: far_max}
columns: {容积率: far_maximum}
crs: EPSG:999999
encoding: utf-9
industry_edition: "1994"
where: {用途: {holds: 工业}}
"""
    found = faults(tmp_path, text)
    keys = {fault.at.rsplit(", ", 1)[-1] for fault in found}
    assert keys >= {"colums", "columns", "crs", "encoding", "industry_edition", "where.用途.holds"}
    assert all("p.yaml" in fault.at for fault in found)
    assert all(fault.zh and fault.mend_zh for fault in found)
    assert "columns" in next(fault.mend_en for fault in found if fault.at.endswith("colums"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("profile: x\nprofile: y\n", "occurs twice"),
        ("profile: x\ncolumns: {a: far_max, a: far_min}\n", "occurs twice"),
        ("- a\n- b\n", "keys and values"),
        ("profile: [\n", "not a YAML file"),
        ("title: x\n", "Field required"),
        ("profile: x\ncolumns: {a: far_max, b: far_max}\n", "two headers"),
        ("profile: x\ncolumns: {a: area_registered_m2}\nunits: {a: 万元}\n", "not a unit of kind area"),
        ("profile: x\ncolumns: {a: land_use}\nunits: {a: 亩}\n", "has no unit"),
        ("profile: x\nunits: {a: 亩}\n", "not under columns"),
        ("profile: x\nwhere: {a: {contains: b, equals: c}}\n", "exactly one"),
        ("profile: x\nwhere: {a: {}}\n", "exactly one"),
        ('profile: x\nwhere: {a: {contains: ""}}\n', "at least 1 character"),
        ("profile: !!python/object/apply:os.getcwd []\n", "not a YAML file"),
    ],
)
def test_a_profile_that_says_two_things_or_a_wrong_one_is_refused(tmp_path, text, said):
    assert said in faults(tmp_path, text)[0].en


def test_words_that_look_like_numbers_or_flags_stay_text(tmp_path):
    profile = load_profile(
        write(tmp_path, "profile: x\nmissing: [0, no, 2024-01-01]\nindustry_edition: 2017\n")
    )
    assert profile.missing == ("0", "no", "2024-01-01")
    assert profile.industry_edition == "2017"


def test_a_condition_compares_text_and_wants_no_missing_cell():
    cells = ["乙種工業區", " 工業區 ", "體育園區用地", None, float("nan"), 7]
    assert [Condition(contains="工業").allows(cell) for cell in cells] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert [Condition(equals="工業區").allows(cell) for cell in cells] == [
        False,
        True,
        False,
        False,
        False,
        False,
    ]
    assert [Condition(one_of=("工業區", "7")).allows(cell) for cell in cells] == [
        False,
        True,
        False,
        False,
        False,
        True,
    ]


def test_records_are_selected_where_every_condition_holds_and_a_missing_header_filters_nothing():
    frame = pd.DataFrame({"a": ["x", "x", "y"], "b": ["1", "2", "1"]}, index=[5, 6, 7])
    where = {"a": Condition(equals="x"), "b": Condition(equals="1"), "c": Condition(equals="z")}
    assert Profile(profile="p", where=where).selects(frame).to_dict() == {5: True, 6: False, 7: False}


def read(frame, profile, table):
    return canonicalise(frame, table, columns=profile.columns, units=profile.units, missing=profile.missing)


def test_in_the_taiwan_zoning_profile_200_and_200_percent_are_both_two_and_no_rule_is_not_zero():
    profile = load_profile(PROFILES / "taiwan-zoning.yaml")
    cells = ["200", "200%", "180~200", "不予規定", "0", "-", None]
    result = read(pd.DataFrame({"容積率": cells}), profile, "parcels")
    assert result.frame["far_max"].tolist()[:3] == [2.0, 2.0, 2.0]
    assert result.frame["far_min"].tolist()[2] == 1.8
    assert result.frame["far_max"].isna().tolist()[3:] == [True] * 4
    assert [issue for issue in result.issues if issue.code == "ATTR.NUMBER"] == []


def test_the_taiwan_zoning_profile_reads_the_industrial_zones_of_13310_polygons(shared_data):
    profile = load_profile(PROFILES / "taiwan-zoning.yaml")
    frame = gpd.read_parquet(shared_data / "zoning_far" / "tw_zoning_HJO_13310.parquet")
    wanted = frame[profile.selects(frame)].reset_index(drop=True)
    # Counted by hand from the words: 工業區 272, 乙種 133, 零星 102, （乙種） 24, 甲種 15, （特種） 1.
    assert len(wanted) == 547
    assert "體育園區用地" not in set(wanted["使用分"])
    result = read(wanted, profile, "parcels")
    # 427 of 210 and 4 of 210%; 45 blanks.
    assert (result.frame["far_max"] == 2.1).sum() == 431
    assert result.frame["far_max"].isna().sum() == 45
    assert result.unitless == []
    ratio = result.frame["area_registered_m2"].to_numpy() / wanted.area.to_numpy()
    assert round(float(pd.Series(ratio).median()), 4) == 1.0


def test_the_taiwan_zoning_profile_names_headers_that_the_json_files_have(shared_data):
    profile = load_profile(PROFILES / "taiwan-zoning.yaml")
    for path in sorted((shared_data / "zoning_far").glob("tw_*.json")):
        assert set(profile.columns) <= set(pyogrio.read_info(path)["fields"]), path.name


def test_the_taiwan_parks_profile_reads_hectares(shared_data):
    profile = load_profile(PROFILES / "taiwan-parks.yaml")
    frame = pyogrio.read_dataframe(
        shared_data / "industrial" / "tw_industrial_parks.shp", encoding=profile.encoding
    )
    result = read(frame, profile, "zones")
    assert result.frame["zone_name"].iloc[0] == "臺中港科技產業園區"
    assert result.frame["area_planned_m2"].iloc[0] == 1772800.0
    assert len(result.frame) == 212
    # 1.003, 0.16 and 2.36 are drawn over approved area.
    ratio = frame.area / result.frame["area_planned_m2"]
    assert [round(float(number), 3) for number in (ratio.median(), ratio.min(), ratio.max())] == [
        1.003,
        0.159,
        2.356,
    ]


def test_the_seoul_profile_reads_registered_areas_that_fit_the_drawn_ones(shared_data):
    profile = load_profile(PROFILES / "seoul-parcels.yaml")
    frame = pyogrio.read_dataframe(shared_data / "parcels" / "seoul_nonhyeon_parcels.shp")
    result = read(frame, profile, "parcels")
    # 1.053 is drawn over registered area.
    ratio = frame.area / result.frame["area_registered_m2"]
    assert round(float(ratio.median()), 4) == 1.0
    assert round(float(ratio.max()), 3) == 1.053
    assert result.frame["parcel_id"].is_unique
    assert result.frame["parcel_id"].iloc[0] == "1168010800100370013"
    assert result.unitless == []
