from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landplan.errors import UnitError
from landplan.units import CANONICAL, convert, find_unit, split_header, unit_symbols


def test_fifteen_mu_are_one_hectare_exactly():
    assert find_unit("亩").factor * 15 == find_unit("公顷").factor == Fraction(10_000)


def test_intensities_convert_by_whole_numbers():
    assert convert(1.0, "万元/公顷", "元/m2") == 1.0
    assert convert(1.0, "万元/亩", "元/m2") == 15.0
    assert convert(300.0, "万元/亩", "万元/公顷") == 4500.0


def test_the_golden_number_keeps_its_last_digit():
    assert convert(149.93, "万元/亩", "元/m2") == 2248.95


@pytest.mark.parametrize("written", ["㎡", "m²", "平方米", "M2", " ｍ２ "])
def test_square_metres_are_known_by_every_name(written):
    assert find_unit(written, "area").symbol == "m2"


def test_tax_per_mu_is_yearly_even_where_the_year_is_not_written():
    assert find_unit("万元/亩", "annual_intensity").symbol == "万元/亩·年"
    assert find_unit("万元/亩").kind == "intensity"


def test_a_unit_of_another_kind_is_refused_with_those_that_fit():
    with pytest.raises(UnitError) as error:
        convert(1.0, "亩", "元/m2")
    assert "平方公里" in str(error.value)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("投资强度（万元/亩）", ("投资强度", "万元/亩")),
        ("面积(㎡)", ("面积", "㎡")),
        ("面积_亩", ("面积", "亩")),
        ("用地面积[公顷]", ("用地面积", "公顷")),
        ("面积（单位：亩）", ("面积", "亩")),
        ("容积率（下限）", ("容积率（下限）", None)),
        ("行业代码（GB/T 4754-2017）", ("行业代码（GB/T 4754-2017）", None)),
        ("备注", ("备注", None)),
    ],
)
def test_a_header_gives_up_its_unit_and_nothing_else(header, expected):
    assert split_header(header) == expected


@given(st.floats(0.01, 1e5).map(lambda v: round(v, 4)), st.sampled_from(["亩", "公顷", "平方公里"]))
def test_there_and_back_is_the_same_number(value, unit):
    there = convert(value, unit, CANONICAL["area"])
    assert convert(there, CANONICAL["area"], unit) == pytest.approx(value, rel=1e-12)


def test_nan_stays_nan():
    assert np.isnan(convert(np.array([np.nan]), "亩", "m2")).all()


@pytest.mark.parametrize(
    ("value", "source", "target", "kind", "expected"),
    [
        (20, "MVA", "kVA", "apparent_power", 20_000), (2.5, "万千伏安", "MVA", "apparent_power", 25),
        (1, "MW", "kW", "power", 1000), (3.6, "GJ/h", "kW", "power", 1000),
        (800, "立方米/日", "m3/d", "flow", 800), (1, "m3/h", "m3/d", "flow", 24), (1, "L/s", "m3/d", "flow", 86.4),
        (24, "吨/天", "t/h", "mass_flow", 1), (1, "万吨标准煤", "吨标煤/年", "annual_energy", 10_000),
        (500, "kg/年", "t/a", "annual_mass", 0.5), (12, "元/㎡·年", "元/m2·月", "rent", 1), (5, "t", "kg", "mass", 5000),
        (9.80665, "kN/m2", "吨/平方米", "floor_load", 1), (1000, "kg/㎡", "t/m2", "floor_load", 1),
    ],
)  # fmt: skip
def test_resources_convert_exactly(value, source, target, kind, expected):
    assert convert(float(value), source, target, kind) == expected


def test_a_floor_that_carries_a_tonne_carries_less_than_ten_kilonewtons():
    assert find_unit("t/m2", "floor_load").factor == Fraction(980_665, 100_000)


@pytest.mark.parametrize(
    ("source", "target", "kind"),
    [
        ("kVA", "kW", "apparent_power"), ("t/d", "m3/d", "mass_flow"), ("元/m2·天", "元/m2·月", "rent"),
        ("元/m2·月", "元/m2·年", "annual_intensity"), ("吨", "t/年", "mass"), ("t/方", "kN/m2", "floor_load"),
    ],
)  # fmt: skip
def test_alike_is_not_the_same(source, target, kind):
    with pytest.raises(UnitError):
        convert(1.0, source, target, kind)


def test_every_kind_lists_its_canonical_unit_first():
    for kind, unit in CANONICAL.items():
        assert unit_symbols(kind)[0] == unit and find_unit(unit, kind).factor == 1


def test_the_units_of_new_kinds_take_no_name_from_the_old_ones():
    first = {name: find_unit(name).kind for name in ("方", "万元/亩", "m3", "%", "元/m2·年", "d", "m")}
    assert first == {
        "方": "area", "万元/亩": "intensity", "m3": "volume", "%": "share", "元/m2·年": "annual_intensity", "d": "duration",
        "m": "length",
    }  # fmt: skip


def test_threads_are_what_the_environment_says_or_the_processors_at_hand(monkeypatch):
    from landplan.cores import count_threads

    monkeypatch.setenv("LANDPLAN_THREADS", "3")
    assert count_threads() == 3
    for nonsense in ("0", "-1", "many", ""):
        monkeypatch.setenv("LANDPLAN_THREADS", nonsense)
        assert count_threads() >= 1
