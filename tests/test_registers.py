"""Registers by declaration: a bureau writes YAML, and its table is read, listed and exported like any other."""

from __future__ import annotations

import json
import re
from datetime import date

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import edit, run, write_project
from told import said

from landplan.errors import ConfigError, UsageError
from landplan.periods import Period, is_stale, parse_period
from landplan.registers import (
    coerce_register,
    display_register,
    filter_register,
    find_stale,
    list_declarations,
    load_declaration,
    read_register,
)
from landplan.schema import dictionary, match_header
from landplan.schema.canonical import _fold

VISITS = """\
register: visits
title: 走访台账
title_en: Visits
about: 每行一次走访
key: [visit_no]
as_of: visited_on
until: [until]
people: [guide]
geometry: parcel_id
stale_after: 2 months
columns:
  - {name: visit_no, label_zh: 走访编号, label_en: Visit, kind: code, required: true}
  - parcel_id
  - {name: visited_on, label_zh: 走访日期, label_en: Visited on, kind: day, required: true, aliases: [日子]}
  - {name: guide, label_zh: 带队人, label_en: Guide, kind: text, aliases: 陪同}
  - {name: party, label_zh: 牵头部门}
  - {name: spoilt_m2, label_zh: 闲置面积, label_en: Idle area, kind: area, unit: 亩, allowed: ">=0", audience: public}
  - name: mood
    label_zh: 企业态度
    label_en: Mood
    kind: category
    values: {willing: [愿意, 积极], unwilling: [不愿意]}
  - until
"""

# What the articles keep as a ledger with dates, parties and consequences.
LEDGERS = {
    *("enclaves", "zone_labels", "grants", "needs", "signed_projects", "committee_items", "agency_cases"),
    *(
        "material_lists",
        "deferred_matters",
        "property_transfers",
        "stalled_works",
        "key_projects",
        "comparisons",
    ),
    *("zone_talks", "promised_matters", "assignments", "problems", "zone_economy"),
}
COUNTED = (
    "batches",
    "batch_events",
    "overrides",
    "holds",
    "capacities",
    "buildings",
    "budget",
    "commitments",
)


@pytest.fixture
def visits(tmp_path):
    (tmp_path / "登记表").mkdir()
    (tmp_path / "登记表" / "visits.yaml").write_text(VISITS, encoding="utf-8")
    return load_declaration("visits", [tmp_path / "登记表"])


def sheet(path, rows, merges=(), name="Sheet"):
    book = openpyxl.Workbook()
    page = book.active
    page.title = name
    for row in rows:
        page.append(row)
    for merged in merges:
        page.merge_cells(merged)
    book.save(path)
    return path


def faults_of(text, tmp_path, name="visits"):
    path = tmp_path / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_declaration(path)
    return [(fault.at.rsplit(":", 1)[-1], fault.en) for fault in error.value.faults]


def test_every_ledger_of_the_articles_comes_declared():
    assert LEDGERS | set(COUNTED) | {"events", "scope"} == set(list_declarations())


@pytest.mark.parametrize("name", [*COUNTED, "events"])
def test_a_register_landplan_counts_with_has_exactly_the_columns_of_the_dictionary(name):
    promised = {c.name for c in dictionary().values() if name in c.tables} - {"source", "source_row"}
    assert set(load_declaration(name).columns) == promised


@pytest.mark.parametrize("name", sorted(list_declarations()))
def test_a_shipped_register_shadows_no_column_of_another_kind_and_says_what_it_is(name):
    declaration = list_declarations()[name]
    for column in declaration.columns.values():
        known = dictionary().get(column.name)
        assert known is None or known.kind == column.kind, column.name
        assert column.meaning and column.audience in ("public", "planner"), column.name
    assert declaration.about_zh and declaration.about_en and declaration.key
    assert set(declaration.people) <= set(declaration.columns)


@pytest.mark.parametrize("name", sorted(list_declarations()))
def test_no_header_means_two_columns_of_one_register(name):
    declaration = list_declarations()[name]
    seen = {}
    for column in declaration.columns.values():
        for header in {_fold(h) for h in (column.name, column.label_zh, column.label_en, *column.aliases)}:
            assert seen.setdefault(header, column.name) == column.name, header
        assert match_header(column.header(), declaration.table)[0] == column.name


def test_a_register_is_found_by_name_by_another_name_and_by_title():
    named = [load_declaration(word).name for word in ("capacities", "capacity", "要素容量台账", "Capacities")]
    assert named == ["capacities"] * 4


def test_a_bureau_declares_a_register_and_its_sheet_is_read_as_people_write(visits, tmp_path):
    path = sheet(
        tmp_path / "走访.xlsx",
        [
            ["示例开发区走访台账（示例数据）"],
            ["走访编号", "地块编号", "走访日期", None, "陪同", "牵头部门", "闲置面积（公顷）", "企业态度"],
            [None, None, "日子", "有效期至", None, None, None, None],
            ["Z-01", "A-1", "2026年9月1日", None, "张三、李四", "示例区自然资源局", 1, "积极"],
            ["Z-02", "A-2", 46300, "2026-12-31", "王五", "示例区招商局", "约3", "不愿意"],
        ],
        merges=["A1:H1"],
    )
    read = read_register(path, visits)
    frame = read.frame
    assert list(frame.columns) == [*visits.columns, "source", "source_row"]
    assert frame["visit_no"].tolist() == ["Z-01", "Z-02"]
    assert frame["visited_on"].dt.date.tolist() == [date(2026, 9, 1), date(2026, 10, 5)]
    assert frame["spoilt_m2"].tolist() == [10_000.0, 30_000.0]
    assert frame["mood"].tolist() == ["willing", "unwilling"]
    assert frame["source_row"].tolist() == [4, 5]
    assert {issue.code for issue in read.issues} == {"ATTR.APPROXIMATE"}
    shown = display_register(frame, visits)
    assert shown["闲置面积（亩）"].tolist() == [15.0, 45.0]
    assert shown["企业态度"].tolist() == ["愿意", "不愿意"]
    assert display_register(frame, visits, audience="public").columns.tolist() == [
        "地块编号",
        "闲置面积（亩）",
        "有效期至",
    ]


def test_everything_wrong_with_a_sheet_is_told_at_once_with_its_cell(visits, tmp_path):
    path = sheet(
        tmp_path / "走访.xlsx",
        [
            ["走访编号", "地块编号", "走访日期", "闲置面积（亩）", "企业态度", "天气"],
            ["Z-01", "A-1", "2026-09-01", -2, "一般", "晴"],
            [None, "A-2", "上周", "很多", "愿意", "晴"],
            ["Z-01", "A-3", "2026-09-01", 1, "愿意", "晴"],
        ],
    )
    read = read_register(path, visits)
    assert len(read.frame) == 3
    assert said(read, "ATTR.CATEGORY") == [(2, "企业态度", "一般")]
    assert said(read, "ATTR.NUMBER") == [(3, "闲置面积（亩）", "很多")]
    assert said(read, "ATTR.DATE") == [(3, "走访日期", "上周")]
    # The day that cannot be read has been told; it is not told again as empty.
    assert [(i.row, i.cell, i.value) for i in read.issues if i.code == "ATTR.EMPTY"] == [
        (3, "A3", "走访编号")
    ]
    assert said(read, "ATTR.DOUBLE_ROW") == [(4, "走访编号", "Z-01")]
    assert [i.value for i in read.issues if i.code == "ATTR.UNKNOWN_COLUMN"] == ["天气"]
    domain = [i for i in read.issues if i.code == "ATTR.DOMAIN"]
    assert [(i.row, i.field) for i in domain] == [(2, "闲置面积")]
    # A wrong figure in a register blocks no parcel.
    assert domain[0].parcel_id == ""


def test_a_required_column_that_is_not_there_is_told_once(tmp_path):
    path = sheet(tmp_path / "a.xlsx", [["经费科目", "年度"], ["文物勘探", 2026]])
    read = read_register(path, load_declaration("budget"))
    assert [issue.value for issue in read.issues if issue.code == "ATTR.LAYER_FIELD"] == [
        "金额（amount_cny）"
    ]
    assert read.frame["amount_cny"].isna().all()


def test_a_file_without_the_register_gives_an_empty_frame_with_its_columns(tmp_path):
    path = sheet(tmp_path / "a.xlsx", [["甲", "乙"], [1, 2]])
    read = read_register(path, load_declaration("budget"))
    assert list(read.frame.columns) == ["head", "year", "amount_cny", "document", "source", "source_row"]
    assert [issue.code for issue in read.issues] == ["ATTR.NO_HEADER"]


def test_numbers_come_in_the_unit_of_their_row(tmp_path):
    path = sheet(
        tmp_path / "要素.xlsx",
        [
            ["要素", "节点", "总容量", "已用", "已承诺（MVA）", "已预留", "单位", "数据日期"],
            ["电力", "甲站", 50_000, "20MVA", 5, 0, "kVA", "2026-09-30"],
            ["电力", "乙站", "50 MVA", "20000kVA", 5, 0, None, "2026-09-30"],
            ["供水", "丙厂", 800, 300, None, 0, "m3/d", "2026-09-30"],
            ["供水", "丁厂", 800, "20 kVA", None, 0, "m3/d", "2026-09-30"],
        ],
    )
    read = read_register(path, load_declaration("capacities"))
    assert read.frame[["capacity", "used", "committed"]].iloc[:2].to_numpy().tolist() == [
        [50_000.0, 20_000.0, 5_000.0],
        [50.0, 20.0, 5.0],
    ]
    assert read.frame["unit"].tolist() == ["kVA", "MVA", "m3/d", "m3/d"]
    # kVA in a row of m3/d is neither: the cell is unknown and named.
    assert np.isnan(read.frame["used"].iloc[3])
    assert [(i.row, i.cell, i.value) for i in read.issues if i.code == "ATTR.BAD_UNIT"] == [
        (5, "D5", "20 kVA / m3/d")
    ]


def test_every_fault_of_a_declaration_is_told_at_once_with_its_line(tmp_path):
    text = """\
register: visits
title: 走访台账
title_en: Visits
titel: 又一个
key: [visit_number]
geometry: zone_code
stale_after: soon
columns:
  - {name: visit_no, label_zh: 走访编号, label_en: Visit, kind: code}
  - {name: visit_no, label_zh: 走访编号, label_en: Visit, kind: code}
  - {name: what, label_zh: 什么}
  - {name: idle_m2, label_zh: 闲置面积, label_en: Idle, kind: area, unit: 万元}
  - {name: mood, label_zh: 态度, label_en: Mood, kind: category}
  - {name: spoilt, label_zh: 态度, label_en: Spoilt, kind: text, unit: 亩}
  - {name: parcel_id, kind: text}
  - {name: holder, audience: public}
  - {name: Far, label_zh: 远, label_en: Far, kind: text}
  - {name: size, label_zh: 大小, label_en: Size, kind: integer, allowed: some, colour: red}
"""
    found = faults_of(text, tmp_path)
    assert found == [
        ("4", "unknown key 'titel' in register. Did you mean 'title'?"),
        ("5", "key names 'visit_number', which is no column of the register."),
        ("6", "rows are placed by zone_code, but there is no such column."),
        ("7", "'soon' is no length of time."),
        ("10", "column 'visit_no' occurs twice, first in line 9."),
        ("11", "column 'what' is not in columns.csv and lacks label_en, kind."),
        ("12", "'万元' is not a unit of kind area."),
        ("13", "mood: values belong to a category, and a category needs them."),
        ("14", "text has no unit."),
        ("14", "'态度' is a header of mood and of spoilt."),
        ("15", "parcel_id is a column of columns.csv, of kind code."),
        ("16", "holder is for the planner; a register cannot make it public."),
        ("17", "'Far' cannot be the name of a column."),
        ("18", "unknown key 'colour' in column."),
        ("18", "size: 'some' is no range."),
    ]


def test_a_doubled_key_is_refused_and_not_the_last_one_taken(tmp_path):
    text = VISITS.replace("title_en: Visits\n", "title_en: Visits\ntitle: 又一个\n")
    assert [line for line, said in faults_of(text, tmp_path) if "occurs twice" in said] == ["4"]


def test_a_file_is_called_as_its_register_is(tmp_path):
    assert "its file 'calls'" in faults_of(VISITS, tmp_path, "calls")[0][1]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"- a\n- b\n", b"register: [", b"register: a: b"])
def test_what_is_no_declaration_is_said_to_be_none(data, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as error:
        load_declaration(path)
    assert all(re.search("[\u4e00-\u9fff]", fault.zh) and fault.at for fault in error.value.faults)


@given(st.text(alphabet="register: {}[]\n-key,columns'\"#&*!|>%@`", max_size=200))
def test_no_text_makes_the_loader_crash(text):
    from landplan.registers.parse import parse_declaration

    found = parse_declaration(text.encode(), "a.yaml")
    assert isinstance(found, list) and found


def test_a_bureau_may_add_to_a_register_landplan_counts_with_but_not_take_from_it(tmp_path):
    own = tmp_path / "budget.yaml"
    text = "register: budget\ntitle: 经费\ntitle_en: Money\nkey: [head]\ncolumns: [head, year, amount_cny, document, party]\n"
    own.write_text(text, encoding="utf-8")
    assert list(load_declaration("budget", [tmp_path]).columns)[-1] == "party"
    assert list_declarations([tmp_path])["budget"].title_zh == "经费"
    own.write_text(text.replace("amount_cny, ", ""), encoding="utf-8")
    with pytest.raises(ConfigError, match="must keep amount_cny"):
        load_declaration("budget", [tmp_path])


def test_a_name_the_dictionary_gains_later_does_not_break_a_column_described_in_full(tmp_path):
    assert dictionary()["state"].kind == "category"
    text = VISITS + "  - {name: state, label_zh: 州, label_en: Province, kind: text}\n"
    (tmp_path / "visits.yaml").write_text(text, encoding="utf-8")
    assert load_declaration("visits", [tmp_path]).columns["state"].kind == "text"


def test_an_unknown_register_is_named_with_those_that_are_near():
    with pytest.raises(ConfigError) as error:
        load_declaration("capacitys")
    assert "capacities" in error.value.faults[0].mend_en


def world(visits):
    return coerce_register(
        pd.DataFrame(
            {
                "visit_no": ["Z-1", "Z-2", "Z-3", "Z-4"],
                "parcel_id": ["A", "B", None, "A"],
                "visited_on": ["2026-01-10", "2026-05-01", None, "2026-06-30"],
                "guide": ["张三、李四", "张三丰", "李四", None],
                "party": ["示例区自然资源局", "示例区招商局", None, "自然资源局"],
                "until": [None, "2026-05-31", None, None],
            }
        ),
        visits,
    )


def picked(frame):
    return frame["visit_no"].tolist()


def test_rows_are_picked_by_person_by_department_and_by_zone(visits):
    frame = world(visits)
    # 张三丰 is another man.
    assert picked(filter_register(frame, visits, person="张三")) == ["Z-1"]
    assert picked(filter_register(frame, visits, person="李四")) == ["Z-1", "Z-3"]
    assert picked(filter_register(frame, visits, department="自然资源局")) == ["Z-1", "Z-4"]
    zone_of = pd.Series({"A": "K1", "B": "K2"})
    assert picked(filter_register(frame, visits, zone="K1", zone_of=zone_of)) == ["Z-1", "Z-4"]
    assert picked(filter_register(frame, visits, zone="K1", person="张三", zone_of=zone_of)) == ["Z-1"]


def test_rows_stand_from_their_day_to_their_last_day_included(visits):
    frame = world(visits)
    assert picked(filter_register(frame, visits, as_of=date(2026, 1, 9))) == ["Z-3"]
    assert picked(filter_register(frame, visits, as_of=date(2026, 5, 31))) == ["Z-1", "Z-2", "Z-3"]
    assert picked(filter_register(frame, visits, as_of=date(2026, 6, 1))) == ["Z-1", "Z-3"]


def test_a_hold_given_up_no_longer_stands_on_that_day():
    holds = load_declaration("holds")
    frame = coerce_register(
        pd.DataFrame(
            {"hold_id": ["H1"], "on": ["2026-01-01"], "until": ["2026-12-31"], "released_on": ["2026-03-01"]}
        ),
        holds,
    )
    assert len(filter_register(frame, holds, as_of=date(2026, 2, 28))) == 1
    assert len(filter_register(frame, holds, as_of=date(2026, 3, 1))) == 0


def test_of_a_ledger_brought_up_to_date_only_the_latest_row_counts():
    capacities = load_declaration("capacities")
    frame = coerce_register(
        pd.DataFrame(
            {
                "resource": ["power", "power", "power"],
                "node": ["甲", "甲", "乙"],
                "used": [1.0, 2.0, 3.0],
                "measured_on": ["2026-03-31", "2026-06-30", "2026-03-31"],
            }
        ),
        capacities,
    )
    listed = filter_register(frame, capacities, as_of=date(2026, 7, 1))
    assert listed["used"].tolist() == [2.0, 3.0]
    assert filter_register(frame, capacities, as_of=date(2026, 5, 1))["used"].tolist() == [1.0, 3.0]
    assert find_stale(listed, capacities, date(2026, 7, 1))["node"].tolist() == ["乙"]


def test_a_register_that_cannot_be_picked_by_something_says_so():
    with pytest.raises(UsageError, match="has no person"):
        filter_register(pd.DataFrame(), load_declaration("budget"), person="张三")


@given(st.data())
def test_what_is_picked_is_a_part_of_the_register_in_its_order(data):
    declaration = load_declaration("problems")
    days = st.sampled_from(["2026-01-01", "2026-02-01", None])
    rows = data.draw(
        st.lists(
            st.fixed_dictionaries(
                {"opened_on": days, "person": st.sampled_from(["甲", "乙", "甲、乙", None])}
            )
        )
    )
    frame = coerce_register(pd.DataFrame(rows, columns=["opened_on", "person"]), declaration)
    chosen = filter_register(frame, declaration, person="甲", as_of=date(2026, 1, 15))
    assert chosen.index.is_monotonic_increasing
    expected = [
        at
        for at, row in enumerate(rows)
        if row["opened_on"] != "2026-02-01" and "甲" in (row["person"] or "")
    ]
    assert chosen.index.tolist() == expected


def test_a_quarter_is_three_calendar_months_to_the_day():
    measured = pd.Series(pd.to_datetime(["2026-03-15"]))
    assert not is_stale(measured, date(2026, 6, 15)).item()
    assert is_stale(measured, date(2026, 6, 16)).item()
    assert not is_stale(pd.Series(pd.to_datetime(["2026-11-30"])), date(2027, 2, 28)).item()
    assert is_stale(pd.Series(pd.to_datetime(["2026-11-30"])), date(2027, 3, 1)).item()


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("1 quarter", Period(months=3)), ("30 days", Period(days=30)), ("2 weeks", Period(days=14)),
        ("1 年", Period(months=12)), ("soon", None), ("0 days", None), ("quarter", None),
    ],
)  # fmt: skip
def test_lengths_of_time_are_read_as_they_are_written(text, period):
    assert parse_period(text) == period


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(0, 200))
def test_a_fact_once_stale_stays_stale(measured, later):
    days = pd.Series(pd.to_datetime([measured]))
    at = (pd.Timestamp(measured) + pd.Timedelta(days=later)).date()
    next_day = (pd.Timestamp(at) + pd.Timedelta(days=1)).date()
    assert is_stale(days, at).item() <= is_stale(days, next_day).item()
    assert is_stale(days, at).item() is (later > 92) or later in range(89, 93)


@pytest.fixture
def folder(tmp_path):
    """Three parcels with a register of the bureau's own, capacities, and money."""
    folder = write_project(tmp_path / "项目")
    (folder / "登记表").mkdir()
    (folder / "登记表" / "visits.yaml").write_text(VISITS, encoding="utf-8")
    sheet(
        folder / "走访.xlsx",
        [
            ["走访编号", "地块编号", "走访日期", "带队人", "牵头部门", "闲置面积（亩）"],
            ["Z-01", "P-1", "2026-11-01", "张三", "示例区自然资源局", 3],
            ["Z-02", "P-2", "2026-05-01", "李四", "示例区招商局", None],
        ],
    )
    (folder / "预算.csv").write_text("经费科目,年度,金额（万元）\n文物勘探,2026,500\n", encoding="utf-8")
    (folder / "安排.csv").write_text(
        "经费科目,地块编号,金额（万元）,日期\n文物勘探,P-1,30,2026-03-01\n文物勘探,P-2,480,2026-04-01\n",
        encoding="utf-8",
    )
    parts = "".join(
        f'[registers.{name}]\npath = "{path}"\n'
        for name, path in (("visits", "走访.xlsx"), ("budget", "预算.csv"), ("commitments", "安排.csv"))
    )
    edit(folder / "landplan.toml", ("[rules]", f"{parts}[rules]"))
    return folder


def test_a_declared_register_is_listed_by_person_department_and_day(folder, capsys):
    said_ = run(capsys, "register", "visits", "-p", folder, "--as-of", "2026-11-20")
    assert (said_.code, "Z-01" in said_.out, "Z-02" in said_.out) == (0, True, True)
    assert "其中 1 行超过 2 个月没有更新：Z-02" in said_.out
    by_person = run(capsys, "register", "走访台账", "-p", folder, "--as-of", "2026-11-20", "--person", "李四")
    assert "Z-02" in by_person.out and "Z-01" not in by_person.out
    by_office = run(
        capsys, "register", "visits", "-p", folder, "--as-of", "2026-11-20", "--department", "自然资源局"
    )
    assert "Z-01" in by_office.out and "Z-02" not in by_office.out
    early = run(capsys, "register", "visits", "-p", folder, "--as-of", "2026-04-30")
    assert "共 0 行" in early.out


def test_a_declared_register_is_written_as_json_csv_and_workbook(folder, capsys, tmp_path):
    words = ("register", "visits", "-p", folder, "--as-of", "2026-11-20")
    rows = json.loads(run(capsys, *words, "--format", "json").out)["rows"]
    # Inside, areas are square metres: 3 亩 are 2000.
    assert [row["spoilt_m2"] for row in rows] == [2000.0, None]
    assert run(capsys, *words, "-o", tmp_path / "走访.csv").code == 0
    assert run(capsys, *words, "-o", tmp_path / "走访.xlsx").code == 0
    visits = load_declaration("visits", [folder / "登记表"])
    for name in ("走访.csv", "走访.xlsx"):
        read = read_register(tmp_path / name, visits)
        assert read.frame["spoilt_m2"].fillna(-1).tolist() == [2000.0, -1.0]
        assert read.issues == []
    assert run(capsys, *words, "-o", tmp_path / "走访.doc").code == 2


def test_without_a_name_every_register_is_shown_with_its_rows(folder, capsys):
    text = run(capsys, "register", "-p", folder, "--as-of", "2026-11-20").out
    assert re.search(r"visits +走访台账 +2 +本项目", text)
    assert re.search(r"capacities +要素容量台账 +landplan", text)
    listed = json.loads(
        run(capsys, "register", "-p", folder, "--as-of", "2026-11-20", "--format", "json").out
    )
    assert {one["name"]: one["rows"] for one in listed}["visits"] == 2


def test_the_budget_is_listed_with_what_each_head_still_holds(folder, capsys):
    text = run(capsys, "register", "budget", "-p", folder, "--as-of", "2026-11-20").out
    assert re.search(r"2026 +文物勘探 +500.00 +510.00 +-10.00", text)


def test_a_register_the_project_has_not_is_empty_and_says_how_to_name_it(folder, capsys):
    said_ = run(capsys, "register", "grants", "-p", folder, "--as-of", "2026-11-20")
    assert "共 0 行" in said_.out and "[registers.grants]" in said_.err


def test_a_wrong_declaration_is_told_with_its_line_before_anything_is_judged(folder, capsys):
    edit(folder / "登记表" / "visits.yaml", ("kind: area", "kind: aera"))
    said_ = run(capsys, "register", "-p", folder)
    assert said_.code == 2
    assert "visits.yaml:17" in said_.err and "aera" in said_.err


def test_the_form_of_a_project_offers_its_parcels_and_is_read_back(folder, capsys, tmp_path):
    target = tmp_path / "走访.xlsx"
    assert run(capsys, "template", "visits", "-p", folder, "-o", target).code == 0
    book = openpyxl.load_workbook(target)
    assert [cell.value for cell in book["选项"]["A"]][1:] == ["P-1", "P-2", "P-3"]
    assert book.worksheets[0]["A1"].value == "三宗地　走访台账"
    assert run(capsys, "template", "visits", "-p", folder, "-o", tmp_path / "走访.pdf").code == 2
    assert run(capsys, "template", "events", "-o", tmp_path / "事项.xlsx").code == 0
    assert run(capsys, "template", "nothing", "-o", tmp_path / "无.xlsx").code == 2
