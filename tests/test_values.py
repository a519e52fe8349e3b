"""What people write in cells: every spelling is read right, said to be missing, or said to be doubtful."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from math import inf, isnan, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landplan.values import parse_day, parse_number

# cell, value, upper, bound, unit
READ = [
    (1.2, 1.2, None, None, None),
    (0, 0.0, None, None, None),
    (np.int64(7), 7.0, None, None, None),
    (np.float32(0.5), 0.5, None, None, None),
    (Decimal("149.93"), 149.93, None, None, None),
    ("0", 0.0, None, None, None),
    ("-0", 0.0, None, None, None),
    (" 1.2\n", 1.2, None, None, None),
    ("\ufeff1.2", 1.2, None, None, None),
    ("１２００", 1200.0, None, None, None),
    ("１，２００．５", 1200.5, None, None, None),
    ("1,200", 1200.0, None, None, None),
    ("12,345,678.9", 12345678.9, None, None, None),
    ("2。5", 2.5, None, None, None),
    ("２．５", 2.5, None, None, None),
    (".5", 0.5, None, None, None),
    ("+5", 5.0, None, None, None),
    ("－5", -5.0, None, None, None),
    ("−5", -5.0, None, None, None),
    ("1.5E+06", 1500000.0, None, None, None),
    ("1e-3", 0.001, None, None, None),
    ("200%", 200.0, None, None, "%"),
    ("35％", 35.0, None, None, "%"),
    ("35 %", 35.0, None, None, "%"),
    ("百分之三十五", 35.0, None, None, "%"),
    ("≥1.0", 1.0, None, "min", None),
    ("＞１．０", 1.0, None, "min", None),
    (">=1.0", 1.0, None, "min", None),
    ("≮1.0", 1.0, None, "min", None),
    ("不低于1.0", 1.0, None, "min", None),
    ("应不低于1.0", 1.0, None, "min", None),
    ("不小于30%", 30.0, None, "min", "%"),
    ("不得少于 300 万元／亩", 300.0, None, "min", "万元/亩"),
    ("大于或等于1", 1.0, None, "min", None),
    ("1.0以上", 1.0, None, "min", None),
    ("1.0（含）以上", 1.0, None, "min", None),
    ("容积率≥1.0", 1.0, None, "min", None),
    ("≤2.0", 2.0, None, "max", None),
    ("＜2.0", 2.0, None, "max", None),
    ("≯2.0", 2.0, None, "max", None),
    ("不高于2.0", 2.0, None, "max", None),
    ("不大于2.0", 2.0, None, "max", None),
    ("不得大于2.0", 2.0, None, "max", None),
    ("不超过7%", 7.0, None, "max", "%"),
    ("小于或等于2", 2.0, None, "max", None),
    ("7%以下", 7.0, None, "max", "%"),
    ("7%以内", 7.0, None, "max", "%"),
    ("1.0≤容积率≤2.0", 1.0, 2.0, None, None),
    ("1.0≤R≤2.5", 1.0, 2.5, None, None),
    ("1.0<FAR<2.5", 1.0, 2.5, None, None),
    ("2.0≥容积率≥1.0", 1.0, 2.0, None, None),
    ("≥1.0且≤2.0", 1.0, 2.0, None, None),
    ("≤2.0，≥1.0", 1.0, 2.0, None, None),
    (">=1 <=2", 1.0, 2.0, None, None),
    ("大于或等于1并且小于或等于2", 1.0, 2.0, None, None),
    ("不低于1.0，不高于2.0", 1.0, 2.0, None, None),
    ("1.0以上、2.0以下", 1.0, 2.0, None, None),
    ("1.0~2.0", 1.0, 2.0, None, None),
    ("50～60", 50.0, 60.0, None, None),
    ("50%-60%", 50.0, 60.0, None, "%"),
    ("180~200%", 180.0, 200.0, None, "%"),
    ("1.0至2.0", 1.0, 2.0, None, None),
    ("1.0—2.0", 1.0, 2.0, None, None),
    ("820-960", 820.0, 960.0, None, None),
    ("2~3万元", 2.0, 3.0, None, "万元"),
    ("1.2万元/亩", 1.2, None, None, "万元/亩"),
    ("3750万元/公顷", 3750.0, None, None, "万元/公顷"),
    ("15 万元/亩·年", 15.0, None, None, "万元/亩·年"),
    ("1200㎡", 1200.0, None, None, "m2"),
    ("1200 m²", 1200.0, None, None, "m2"),
    ("20万平方米", 200000.0, None, None, "平方米"),
    ("1.2万亩", 1.2, None, None, "万亩"),
    ("50年", 50.0, None, None, "年"),
    ("三百五十万", 3500000.0, None, None, None),
    ("叁佰伍拾万元", 3500000.0, None, None, "元"),
    ("三百五十万平方米", 3500000.0, None, None, "平方米"),
    ("三亿零五百万", 305000000.0, None, None, None),
    ("一千零五", 1005.0, None, None, None),
    ("两百一十", 210.0, None, None, None),
    ("十五亩", 15.0, None, None, "亩"),
    ("一点二", 1.2, None, None, None),
    ("零", 0.0, None, None, None),
]

MISSING = [
    None,
    nan,
    pd.NA,
    pd.NaT,
    "",
    "  ",
    "\u3000",
    "—",
    "——",
    "－",
    "-",
    "--",
    "/",
    "／",
    "无",
    "不予規定",
    "不予规定",
    "未提供",
    "尚無資料",
    "NA",
    "N/A",
    "null",
    "None",
]

DOUBTFUL = [
    True,
    False,
    np.True_,
    inf,
    dt.date(2024, 6, 1),
    dt.time(0, 0),
    b"1",
    "#REF!",
    "#DIV/0!",
    "#N/A",
    "abc",
    "****",
    "1_000",
    "inf",
    "nan",
    "٢",
    "1e999",
    "1,2",
    "1,20,000",
    "1 200",
    "1.2.3",
    "1.",
    "1.0,",
    "10²",
    "①",
    "½",
    "(5)",
    "1/2",
    "=1+2",
    "12:00",
    "2024年",
    "2024-06",
    "A-2",
    "1-1",
    "60%*",
    "160;參土管",
    "15及12",
    "參土管",
    "1.0≤",
    "1.0~",
    "~20",
    "2.0~1.0",
    "1~2~3",
    "≥2.0且≤1.0",
    "≤1.0≥2.0",
    "≥1.0以下",
    "50%~60",
    "2~3万",
    "2万~3万元",
    "严禁大于2.0",
    "不要超过2.0",
    "防止超过2.0",
    "20亩/宗",
    "20 xyz",
    "约",
    "亩",
    "万",
    "百",
    "一",
    "一一",
    "一千二",
    "三万五",
    "一百五",
    "二〇二四",
    "1" * 200,
]


@pytest.mark.parametrize(("cell", "value", "upper", "bound", "unit"), READ)
def test_a_number_is_read_as_it_is_written(cell, value, upper, bound, unit):
    number = parse_number(cell)
    assert (number.value, number.upper, number.bound, number.unit) == (value, upper, bound, unit)
    assert not number.is_missing
    assert not number.is_fault
    assert not number.is_approximate


@pytest.mark.parametrize("cell", MISSING, ids=repr)
def test_a_word_for_no_value_is_missing_and_never_zero(cell):
    number = parse_number(cell)
    assert number.is_missing
    assert not number.is_fault
    assert isnan(number.value)


@pytest.mark.parametrize("cell", DOUBTFUL, ids=lambda cell: repr(cell)[:30])
def test_a_doubtful_cell_is_a_fault_and_never_a_guess(cell):
    number = parse_number(cell)
    assert number.is_fault
    assert not number.is_missing
    assert isnan(number.value)


@pytest.mark.parametrize("cell", ["约20亩", "约２０亩", "20亩左右", "20余亩", "大约20亩", "二十多亩"])
def test_an_approximate_number_says_so(cell):
    number = parse_number(cell)
    assert (number.value, number.unit, number.is_approximate) == (20.0, "亩", True)


def test_a_bare_wan_is_multiplied_in_and_says_so_because_the_header_may_be_in_wan_yuan():
    assert parse_number("350万").value == 3500000.0
    assert parse_number("350万").is_scaled
    assert not parse_number("350万元").is_scaled
    assert not parse_number("20万平方米").is_scaled


def test_the_name_inside_a_cell_is_kept_so_that_it_can_be_held_against_the_header():
    assert parse_number("1.0≤容积率≤2.0").label == "容积率"
    assert parse_number("建筑系数不低于30%").label == "建筑系数"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_any_float_reads_back_to_the_same_float(number):
    assert parse_number(repr(number)).value == number


@given(st.text(alphabet="0123456789.,-~≤≥%约不大于小以上下至万亩元/ 一二三百十年R①²_eE", max_size=12))
def test_no_text_raises_and_a_number_never_comes_without_its_digits(text):
    number = parse_number(text)
    if number.is_missing or number.is_fault:
        assert isnan(number.value)
    else:
        assert any(sign in text for sign in "0123456789一二三十")


JUNE_1 = dt.date(2024, 6, 1)
DAYS = [
    (JUNE_1, JUNE_1, "day"),
    (dt.datetime(2024, 6, 1, 9, 30), JUNE_1, "day"),
    (pd.Timestamp("2024-06-01"), JUNE_1, "day"),
    (np.datetime64("2024-06-01"), JUNE_1, "day"),
    ("2024-06-01", JUNE_1, "day"),
    ("2024-6-1", JUNE_1, "day"),
    ("2024/6/1", JUNE_1, "day"),
    ("2024.6.1", JUNE_1, "day"),
    ("２０２４．６．１", JUNE_1, "day"),
    ("20240601", JUNE_1, "day"),
    (20240601.0, JUNE_1, "day"),
    ("2024年6月1日", JUNE_1, "day"),
    ("2024 年 06 月 01 日", JUNE_1, "day"),
    ("二〇二四年六月一日", JUNE_1, "day"),
    ("二○二四年十二月三十一日", dt.date(2024, 12, 31), "day"),
    ("2024-06-01 00:00:00", JUNE_1, "day"),
    ("2024-06-01T00:00:00Z", JUNE_1, "day"),
    ("2024-06-01T16:00:00+08:00", JUNE_1, "day"),
    (45444, JUNE_1, "day"),
    (45444.75, JUNE_1, "day"),
    ("45444", JUNE_1, "day"),
    ("2024年6月", dt.date(2024, 6, 30), "month"),
    ("2024年2月", dt.date(2024, 2, 29), "month"),
    ("2024-06", dt.date(2024, 6, 30), "month"),
    ("2024.6", dt.date(2024, 6, 30), "month"),
    ("2024.10", dt.date(2024, 10, 31), "month"),
    ("202406", dt.date(2024, 6, 30), "month"),
    ("二〇二四年六月", dt.date(2024, 6, 30), "month"),
    ("2024年", dt.date(2024, 12, 31), "year"),
    ("2024", dt.date(2024, 12, 31), "year"),
    (2024.0, dt.date(2024, 12, 31), "year"),
]


@pytest.mark.parametrize(("cell", "value", "precision"), DAYS)
def test_a_day_is_read_as_it_is_written_and_a_month_or_year_stands_for_its_last_day(cell, value, precision):
    day = parse_day(cell)
    assert (day.value, day.precision, day.is_missing, day.is_fault) == (value, precision, False, False)
    assert type(day.value) is dt.date


@pytest.mark.parametrize(
    "cell",
    [
        None,
        nan,
        pd.NaT,
        pd.NA,
        np.datetime64("NaT"),
        "",
        "—",
        "无",
        "0000-00-00",
        "1900-01-01",
        "1901-01-01",
        "1899-12-30",
        dt.datetime(1900, 1, 1),
        "1901年1月1日",
    ],
    ids=repr,
)
def test_a_placeholder_day_is_missing(cell):
    day = parse_day(cell)
    assert (day.value, day.is_missing, day.is_fault) == (None, True, False)


@pytest.mark.parametrize(
    "cell",
    [
        2024.1,
        "2024.1",
        "1/2/2024",
        "24-6-1",
        "6月1日",
        "2024-06-31",
        "2024/13/1",
        "2024-6/1",
        "2024 1 1",
        "200111",
        "2024年6月1日前",
        "2024年底",
        "2023-02-29",
        "9999-12-31",
        "1024-01-01",
        1717200000000,
        0,
        45.5,
        True,
        dt.time(8, 0),
        "2024-05-31T16:00:00Z",
        pd.Timestamp("2024-05-31T16:00Z"),
        "①",
        inf,
        "二四年六月",
        "2024-06-00",
        "长期",
    ],
    ids=repr,
)
def test_an_ambiguous_or_impossible_day_is_a_fault(cell):
    day = parse_day(cell)
    assert (day.value, day.is_missing, day.is_fault) == (None, False, True)


@given(st.dates(dt.date(1901, 1, 2), dt.date(2100, 12, 31)))
def test_every_day_reads_back_from_each_way_of_writing_it(day):
    ways = [
        day.isoformat(),
        f"{day.year}.{day.month}.{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day:%Y%m%d}",
    ]
    assert {parse_day(way).value for way in ways} == {day}


@given(st.text(max_size=12) | st.floats() | st.integers(-(10**12), 10**12))
def test_no_cell_raises_and_a_day_is_value_missing_or_fault(cell):
    day = parse_day(cell)
    assert [day.value is not None, day.is_missing, day.is_fault].count(True) == 1
