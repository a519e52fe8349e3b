from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landplan.errors import InternalError
from landplan.schema import canonicalise, check, coerce, column, dictionary, display, match_header
from landplan.schema.canonical import _fold
from landplan.units import CANONICAL, find_unit


def test_every_quantity_is_declared_with_its_canonical_unit_and_one_people_read():
    for declared in dictionary().values():
        if declared.is_quantity:
            assert declared.unit == CANONICAL[declared.kind], declared.name
            assert declared.shown_in == "" or find_unit(declared.shown_in, declared.kind), declared.name
        else:
            assert not declared.unit, declared.name


def test_no_header_means_two_columns_of_one_table():
    for table in ("parcels", "zones", "events", "evaluations"):
        seen: dict[str, str] = {}
        for declared in dictionary().values():
            if table in declared.tables:
                for alias in {
                    _fold(a) for a in (declared.name, declared.label_zh, declared.label_en, *declared.aliases)
                }:
                    assert seen.setdefault(alias, declared.name) == declared.name, (table, alias)


def test_every_column_says_what_it_means_and_who_may_see_it():
    with files("landplan").joinpath("columns.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["name"] for row in rows}) == len(rows)
    for row in rows:
        assert row["meaning"] and row["label_zh"] and row["label_en"], row["name"]
        assert row["audience"] in ("public", "planner"), row["name"]


def test_a_bound_has_its_sibling_on_the_other_side():
    for declared in dictionary().values():
        if declared.sibling:
            other = column(declared.sibling)
            assert other.sibling == declared.name
            assert {declared.bound, other.bound} == {"min", "max"}


@pytest.mark.parametrize(
    ("header", "name", "unit"),
    [
        ("地块编号", "parcel_id", None),
        ("DKBH", "parcel_id", None),
        ("固定资产投资强度（万元/亩）", "invest_intensity_cny_per_m2", "万元/亩"),
        ("固定资产投", "invest_intensity_cny_per_m2", None),
        ("面积_亩", "area_registered_m2", "亩"),
        ("行业代码（GB/T 4754-2017）", "industry_gbt4754_2017", None),
        ("建筑系数（%）", "building_coefficient_min", "%"),
    ],
)
def test_headers_are_known_as_the_field_writes_them(header, name, unit):
    assert match_header(header, "parcels") == (name, unit)


def test_building_density_is_not_the_building_coefficient():
    assert match_header("建筑密度", "parcels") != match_header("建筑系数", "parcels")


def test_a_number_without_a_unit_is_unknown_and_said_once():
    read = canonicalise(pd.DataFrame({"编号": ["A", "B"], "投资强度": ["300", "200"]}), "parcels")
    assert read.frame["invest_intensity_cny_per_m2"].isna().all()
    assert [issue.code for issue in read.issues] == ["ATTR.NO_UNIT"]
    assert read.unitless == ["投资强度"]


def test_a_cell_may_bring_the_unit_its_header_lacks():
    read = canonicalise(pd.DataFrame({"投资强度": ["3750万元/公顷", "250万元/亩"]}), "parcels")
    assert read.frame["invest_intensity_cny_per_m2"].tolist() == [3750.0, 3750.0]


def test_a_percent_in_the_cell_is_not_applied_twice():
    read = canonicalise(pd.DataFrame({"容積率": ["200", "200%"]}), "parcels", units={"容積率": "%"})
    assert read.frame["far_max"].tolist() == [2.0, 2.0]


def test_a_range_fills_floor_and_ceiling():
    read = canonicalise(pd.DataFrame({"容积率": ["1.0≤容积率≤2.0", "≥1.2", "≤1.8"]}), "parcels")
    assert read.frame["far_min"].tolist()[:2] == [1.0, 1.2]
    assert np.isnan(read.frame["far_min"][2])
    assert read.frame["far_max"][0] == 2.0
    assert read.frame["far_max"][2] == 1.8


def test_what_is_no_number_is_unknown_with_its_cell_and_never_zero():
    raw = pd.DataFrame({"投资强度（万元/亩）": ["abc", "", "—", 0]})
    read = canonicalise(
        raw, "parcels", source="台账.xlsx", rows=[5, 6, 7, 8], letters={"投资强度（万元/亩）": "F"}
    )
    assert read.frame["invest_intensity_cny_per_m2"].isna().tolist() == [True, True, True, False]
    assert [(issue.code, issue.cell, issue.value) for issue in read.issues] == [("ATTR.NUMBER", "F5", "abc")]


def test_numbers_of_parcels_keep_their_leading_zeros_and_lose_a_point_zero():
    read = canonicalise(pd.DataFrame({"编号": ["001", 12.0, 7]}), "parcels")
    assert read.frame["parcel_id"].tolist() == ["001", "12", "7"]


def test_a_nineteen_digit_code_in_a_number_cell_is_called_lost():
    read = canonicalise(pd.DataFrame({"宗地代码": [1.4070200100100001e18]}), "parcels")
    assert [issue.code for issue in read.issues] == ["ATTR.PRECISION"]


def test_a_word_outside_the_dictionary_is_unknown():
    read = canonicalise(pd.DataFrame({"状态": ["已完成", "差不多"]}), "events")
    assert read.frame["state"].tolist()[0] == "done"
    assert read.frame["state"].isna().tolist() == [False, True]
    assert [issue.code for issue in read.issues] == ["ATTR.CATEGORY"]


def test_an_undeclared_column_is_our_own_fault():
    with pytest.raises(InternalError):
        coerce(pd.DataFrame({"nonsense": [1]}), "parcels")


def test_a_public_table_has_no_planner_column():
    frame = pd.DataFrame({"area_m2": [1.0], "reserve_price_cny": [5e6], "notes": ["内部"]})
    assert display(frame, audience="public").columns.tolist() == ["平面面积（亩）"]


_NUMBERS = st.floats(0.01, 9999).map(lambda v: round(v, 4))


@given(
    st.fixed_dictionaries(
        {
            "area_registered_m2": _NUMBERS.map(lambda v: find_unit("亩").factor * 3 * int(v * 100) / 2000),
            "invest_intensity_cny_per_m2": _NUMBERS.map(lambda v: round(v * 15, 6)),
            "far_min": _NUMBERS,
            "green_ratio_max": st.integers(0, 100).map(lambda v: v / 100),
            "parcel_name": st.text("甲乙丙丁地块A1", min_size=1),
        }
    )
)
def test_law_7_canonicalise_reads_back_what_display_shows(row):
    row["area_registered_m2"] = float(row["area_registered_m2"])
    frame = pd.DataFrame({name: [value] for name, value in row.items()})
    again = canonicalise(display(frame), "parcels").frame[frame.columns.tolist()]
    pd.testing.assert_frame_equal(again, coerce(frame, "parcels"), rtol=1e-12)


@pytest.mark.parametrize(
    ("header", "cell"),
    [("容积率", "建筑密度≥30%"), ("出让年限", 50.5), ("出让年限", "50亩"), ("起始价（万元）", "350万")],
)
def test_a_number_that_does_not_fit_its_column_is_a_fault_and_not_a_guess(header, cell):
    read = canonicalise(pd.DataFrame({header: [cell]}), "parcels")
    assert read.frame.iloc[0].isna().all()
    assert "ATTR.NUMBER" in [issue.code for issue in read.issues]


def test_years_may_say_that_they_are_years():
    assert canonicalise(pd.DataFrame({"出让年限": ["50年", 50]}), "parcels").frame["term_years"].tolist() == [
        50,
        50,
    ]


def test_a_code_that_excel_turned_into_a_power_of_ten_is_called_lost():
    read = canonicalise(pd.DataFrame({"宗地代码": ["1.40107E+18"]}), "parcels")
    assert [issue.code for issue in read.issues] == ["ATTR.PRECISION"]


def test_values_no_parcel_can_have_are_said_all_at_once():
    frame = pd.DataFrame(
        {
            "green_ratio_max": [0.2, 20.0, np.nan],
            "area_registered_m2": [100.0, -5.0, 0.0],
            "parcel_code": ["140702001002GB00012", "1407020010", np.nan],
        },
        index=pd.Index(["A", "B", "C"], name="parcel_id"),
    )
    found = [(issue.code, issue.parcel_id, issue.field) for issue in check(frame)]
    assert found == [
        ("ATTR.DOMAIN", "B", "绿地率上限"),
        ("ATTR.DOMAIN", "B", "登记面积"),
        ("ATTR.DOMAIN", "C", "登记面积"),
        ("ATTR.DOMAIN", "B", "宗地代码"),
    ]


@pytest.mark.parametrize(
    ("code", "is_sound"),
    [
        ("140702001002GB00012", True),
        ("140702001002JA00001", True),
        ("140702001002GA00001", False),
        ("140702001002QB00001", False),
        ("140702001002GB0001", False),
        ("140702001002GB00000", False),
    ],
)
def test_a_cadastral_code_is_checked_by_its_structure(code, is_sound):
    assert (check(pd.DataFrame({"parcel_code": [code]}, index=["A"])) == []) is is_sound


@pytest.mark.parametrize(
    ("code", "is_sound"),
    [
        ("140702001002GB00012W00000000", True),
        ("140702001002GB00012F00010001", True),
        ("140702001002GB00012W00000001", False),
        ("140702001002GB00012X00000000", False),
        ("140702001002GB00012", False),
    ],
)
def test_a_real_estate_unit_code_is_its_parcel_and_what_stands_on_it(code, is_sound):
    assert (check(pd.DataFrame({"unit_code": [code]}, index=["A"])) == []) is is_sound
