"""Forms that bureaus fill in: what is written into them is what is read, for every register there is."""

from __future__ import annotations

import zipfile
from datetime import date

import numpy as np
import openpyxl
import pandas as pd
import pytest
from openpyxl.utils import range_boundaries

from landplan.read import read_table
from landplan.registers import (
    coerce_register,
    display_register,
    list_declarations,
    load_declaration,
    read_register,
)
from landplan.reports.forms import Choices, register_as_csv, write_form, write_register
from landplan.units import convert

DAY = date(2026, 11, 20)
CHOICES = Choices(
    ["A-1", "0012", "A-3"], {"K1": "示例一区", "K2": ""}, {"clear_land": "净地", "sale": "出让"}
)
REGISTERS = sorted(list_declarations())
# Whole numbers of the unit people write in, so that both ways of writing them are the same number.
NUMBERS = {"share": (25, 50), "ratio": (3, 8)}


def filled_with(declaration):
    """Two rows for every column: what is typed into the form, and what must come out of it."""
    typed, meant = [], []
    for name, column in declaration.columns.items():
        for place in (0, 1):
            cell, value = _cell(name, column, place, declaration)
            if place == len(typed):
                typed.append({})
                meant.append({})
            typed[place][name], meant[place][name] = cell, value
    return typed, meant


def _cell(name, column, place, declaration):
    if name in declaration.units.values():
        return ("kVA", "kVA") if place == 0 else ("m3/d", "m3/d")
    if column.kind == "day":
        day = pd.Timestamp(2026, 3 + place, 5)
        return day.to_pydatetime(), day
    if column.kind == "category":
        code, words = list(column.values.items())[place % len(column.values)]
        return words[0], code
    if column.kind == "flag":
        return ("是", True) if place == 0 else ("否", False)
    if column.kind == "integer":
        return 2026 + place, 2026 + place
    if column.dtype == "float64":
        number = NUMBERS.get(column.kind, (1250.5, 20))[place]
        value = (
            convert(float(number), column.shown_in, column.unit, column.kind)
            if column.is_quantity
            else number
        )
        return number, float(value)
    # Leading zeros, a formula that is none, and a number that is a name.
    text = f"00{place + 12}" if column.kind == "code" else f"={name}" if place else "示例 300"
    return text, text


def fill(path, declaration, typed, first=4):
    book = openpyxl.load_workbook(path)
    page = book.worksheets[0]
    for at, row in enumerate(typed):
        for place, cell in enumerate(row.values(), start=1):
            target = page.cell(first + at, place, cell)
            if isinstance(cell, str):
                target.data_type = "s"
    book.save(path)


@pytest.mark.parametrize("name", REGISTERS)
def test_a_form_that_is_filled_in_reads_back_as_the_canonical_rows(name, tmp_path):
    declaration = load_declaration(name)
    path = write_form(tmp_path / "form.xlsx", declaration, CHOICES, day=DAY, project="示例项目")
    typed, meant = filled_with(declaration)
    fill(path, declaration, typed)
    read = read_register(path, declaration)
    expected = coerce_register(pd.DataFrame(meant), declaration)
    pd.testing.assert_frame_equal(read.frame.drop(columns=["source", "source_row"]), expected)
    assert [issue.code for issue in read.issues if issue.code != "ATTR.DOMAIN"] == []
    assert read.frame["source_row"].tolist() == [4, 5]


@pytest.mark.parametrize("name", REGISTERS)
def test_a_form_nobody_has_filled_in_holds_no_row(name, tmp_path):
    declaration = load_declaration(name)
    path = write_form(tmp_path / "form.xlsx", declaration, CHOICES, day=DAY)
    read = read_register(path, declaration)
    assert len(read.frame) == 0
    assert [issue.code for issue in read.issues] == ["FILE.EMPTY"]


def test_the_form_of_events_reads_as_the_table_of_events_too(tmp_path):
    declaration = load_declaration("events")
    path = write_form(tmp_path / "form.xlsx", declaration, CHOICES, day=DAY)
    fill(path, declaration, [{"parcel_id": "A-1", "item": "净地", "on": date(2026, 5, 1), "state": "完成"}])
    read = read_table(path, "events")
    assert read.frame[["parcel_id", "item", "state"]].iloc[0].tolist() == ["A-1", "净地", "done"]
    assert read.issues == []


def checks_of(path):
    """The data validations of the form by header."""
    page = openpyxl.load_workbook(path).worksheets[0]
    heads = {place: cell.value.strip("*") for place, cell in enumerate(page[3], start=1) if cell.value}
    found = {}
    for check in page.data_validations.dataValidation:
        left, top, right, bottom = range_boundaries(str(check.sqref))
        assert left == right and top == 4 and bottom > 10_000
        found[heads[left]] = check
    return found


def test_drop_downs_offer_the_words_of_the_register_and_the_things_of_the_project(tmp_path):
    path = write_form(tmp_path / "form.xlsx", load_declaration("events"), CHOICES, day=DAY)
    book = openpyxl.load_workbook(path)
    lists = {name: next(iter(defined.destinations)) for name, defined in book.defined_names.items()}
    offered = {
        name: [cell.value for (cell,) in book[where][area.replace("$", "")]]
        for name, (where, area) in lists.items()
    }
    assert offered["list_parcel_id"] == ["A-1", "0012", "A-3"]
    assert offered["list_item"] == ["净地", "出让"]
    assert offered["list_state"] == ["完成", "办理中", "未发生", "中止", "撤销"]
    checks = checks_of(path)
    assert checks["地块编号"].formula1 == "list_parcel_id" and checks["地块编号"].errorStyle == "warning"
    assert checks["状态"].type == "list" and checks["状态"].errorStyle in (None, "stop")
    assert book["选项"].sheet_state == "hidden"
    assert [page.title for page in book.worksheets] == ["事项台账", "填表说明", "选项"]


def test_checks_speak_chinese_and_know_the_unit_of_the_header(tmp_path):
    path = write_form(tmp_path / "form.xlsx", load_declaration("buildings"), CHOICES, day=DAY)
    checks = checks_of(path)
    built = checks["建成面积（m2）"]
    assert (built.type, built.operator, float(built.formula1)) == ("decimal", "greaterThan", 0.0)
    assert built.error == "填数字，单位 m2，大于 0。" and built.prompt.startswith("必填。")
    assert checks["可用日期"].type == "date"
    assert checks["开发区代码"].formula1 == "list_zone_code"
    enclaves = write_form(tmp_path / "enclaves.xlsx", load_declaration("enclaves"), CHOICES, day=DAY)
    share = checks_of(enclaves)["税收分享比例（%）"]
    # Between is what a check means that names no operator.
    assert share.operator in (None, "between")
    assert (float(share.formula1), float(share.formula2)) == (0.0, 100.0)


def test_the_header_is_locked_and_the_rows_are_free(tmp_path):
    path = write_form(tmp_path / "form.xlsx", load_declaration("holds"), CHOICES, day=DAY)
    page = openpyxl.load_workbook(path).worksheets[0]
    assert page.protection.sheet and not page.protection.insertRows and not page.protection.deleteRows
    assert page["A3"].protection.locked
    assert not page.column_dimensions["A"].protection.locked
    assert page.freeze_panes == "B4"


def test_a_share_typed_with_its_sign_is_not_taken_for_a_hundredth(tmp_path):
    declaration = load_declaration("enclaves")
    path = write_form(tmp_path / "form.xlsx", declaration, CHOICES, day=DAY)
    book = openpyxl.load_workbook(path)
    page = book.worksheets[0]
    at = next(cell.column for cell in page[3] if cell.value == "税收分享比例（%）")
    page.cell(4, 1, "示例飞地")
    # Excel turns 40% into 0.4 and shows it as 40%.
    page.cell(4, at, 0.4).number_format = "0%"
    page.cell(5, 1, "示例飞地二")
    page.cell(5, at, 40)
    book.save(path)
    assert read_register(path, declaration).frame["tax_share"].tolist() == [0.4, 0.4]


def test_a_form_calls_nothing_and_runs_nothing(tmp_path):
    choices = Choices(
        ['=HYPERLINK("http://example.invalid")', "+1", "A-1"], {"K1": "=1+1"}, {"sale": "@出让"}
    )
    path = write_form(tmp_path / "form.xlsx", load_declaration("events"), choices, day=DAY, project="=1+1")
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        assert [name for name in sheets if name.endswith(".rels")] == []
        for name in sheets:
            body = archive.read(name)
            assert b"<f>" not in body and b"<hyperlink" not in body, name


def test_the_same_form_is_the_same_bytes(tmp_path):
    declaration = load_declaration("capacities")
    one = write_form(tmp_path / "a.xlsx", declaration, CHOICES, day=DAY).read_bytes()
    assert write_form(tmp_path / "b.xlsx", declaration, CHOICES, day=DAY).read_bytes() == one


@pytest.mark.parametrize("name", ["buildings", "capacities", "enclaves"])
def test_a_register_written_as_a_workbook_or_as_csv_reads_back(name, tmp_path):
    declaration = load_declaration(name)
    _, meant = filled_with(declaration)
    frame = coerce_register(pd.DataFrame(meant), declaration)
    text = tmp_path / "a.csv"
    text.write_text(register_as_csv(frame, declaration), encoding="utf-8-sig", newline="")
    book = write_register(tmp_path / "a.xlsx", frame, declaration, day=DAY, project="示例项目")
    for path in (text, book):
        read = read_register(path, declaration).frame.drop(columns=["source", "source_row"])
        # Text that Excel would run bears an apostrophe in CSV.
        plain = read.apply(lambda c: c.str.removeprefix("'") if str(c.dtype) == "str" else c)
        pd.testing.assert_frame_equal(plain, frame)


def test_missing_values_are_written_as_blanks_and_not_as_zero(tmp_path):
    declaration = load_declaration("buildings")
    frame = coerce_register(pd.DataFrame({"building_id": ["B1"], "built_m2": [np.nan]}), declaration)
    shown = display_register(frame, declaration)
    assert shown["建成面积（m2）"].isna().all()
    assert register_as_csv(frame, declaration).splitlines()[1] == "B1" + "," * (len(declaration.columns) - 1)
