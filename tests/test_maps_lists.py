"""Lists on the map as text: who is on them, sums that close, what the panel says, and who may see it."""

from __future__ import annotations

import dataclasses
import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from conftest import AS_OF
from lists_world import list_assessment
from maps_world import HOSTILE
from projects import write_project
from test_maps import Elements, data_of, decoded

from landplan.cli import main
from landplan.errors import UsageError
from landplan.maps import MapPage, draw_map, name_view
from landplan.maps.lists import LISTS
from landplan.maps.themes import Listing, Theme, lay_out
from landplan.schema import coerce
from landplan.supply import list_supply
from landplan.supply.books import book_areas
from landplan.tables import Assessment

VIEWS = [*LISTS, "register:capacities", "register:batches"]


def named(data: dict, title: str) -> tuple[int, dict]:
    return next((at, theme) for at, theme in enumerate(data["list"]["themes"]) if theme["title"] == title)


def classes_of(data: dict, title: str) -> dict[str, str | None]:
    """The class of each parcel on the page, by number; None where it is not on the list."""
    at, theme = named(data, title)
    keys = [row["key"] for row in theme["classes"]]
    return {row["id"]: keys[row["c"][at]] if row["c"][at] >= 0 else None for row in data["parcels"]}


def said(data: dict, pid: str) -> list[tuple[str, dict[str, str]]]:
    row = next(row for row in data["parcels"] if row["id"] == pid)
    labels = data["list"]["labels"]
    return [(title, {labels[n]: text for n, text in facts}) for title, facts in row.get("b", [])]


def with_registers(**changes: pd.DataFrame | None) -> Assessment:
    plain = list_assessment()
    held = {
        **plain.registers,
        **{name: coerce(frame, name) for name, frame in changes.items() if frame is not None},
    }
    held = {name: frame for name, frame in held.items() if name not in changes or changes[name] is not None}
    return dataclasses.replace(plain, registers=held)


@pytest.mark.parametrize("view", LISTS)
def test_the_legend_of_every_list_closes_to_the_last_hundredth_of_a_mu(view):
    assessment = list_assessment()
    data = data_of(draw_map(assessment, view))
    hundredths = int(book_areas(assessment.parcels["area_m2"]).sum())
    for at, theme in enumerate(data["list"]["themes"]):
        rows = [*theme["classes"], theme["rest"]]
        assert sum(row["count"] for row in rows) == theme["total"]["count"] == 12
        assert sum(round(row["mu"] * 100) for row in rows) == round(theme["total"]["mu"] * 100) == hundredths
        assert theme["sum"]["count"] == sum(row["c"][at] >= 0 for row in data["parcels"])
        assert theme["unmeasured"] == 2


def test_what_is_coloured_as_on_offer_is_the_list_itself_and_the_others_are_context():
    assessment = list_assessment()
    for kind, title in (("stock", "可出让清单：按存量类型"),):
        found = classes_of(data_of(draw_map(assessment, kind)), title)
        listed = list_supply(assessment, kind).index
        assert {pid for pid, key in found.items() if key} == set(listed)
    found = classes_of(data_of(draw_map(assessment, "incremental")), "增量：可否报批")
    assert {pid for pid, key in found.items() if key == "incremental"} == {"B-1"}
    assert {pid for pid, key in found.items() if key == "incremental_held"} == {"B-2", "B-3"}


def test_stock_is_told_by_its_kind_and_by_each_axis():
    data = data_of(draw_map(list_assessment(), "stock"))
    found = classes_of(data, "全部存量：按存量类型")
    assert (found["A-3"], found["C-1"], found["B-1"]) == ("reserve", "sold_unused", None)
    titles = [theme["title"] for theme in data["list"]["themes"]]
    assert titles[2:] == [
        "全部存量：报批状态",
        "全部存量：配套状态",
        "全部存量：供应状态",
        "全部存量：利用状态",
    ]
    assert said(data, "A-1")[0][1]["列入理由"] == "2026-03-01 净地"
    assert said(data, "B-1") == []


def test_without_axes_the_list_of_stock_is_drawn_all_the_same():
    assessment = list_assessment()
    axes = [name for name in assessment.parcels if name.endswith("_axis") or name == "stock_kind"]
    bare = dataclasses.replace(assessment, parcels=assessment.parcels.drop(columns=axes))
    data = data_of(draw_map(bare, "stock"))
    assert [(row["key"], row["count"]) for row in data["list"]["themes"][0]["classes"]] == [("stock", 2)]


def test_readiness_shows_the_tier_the_first_day_and_the_tasks_still_open():
    data = data_of(draw_map(list_assessment(), "readiness"))
    assert classes_of(data, "成熟度")["A-21"] == "expropriated"
    when = classes_of(data, "最早具备条件日")
    # As of 2026-11-20: 15 January is within three months, 30 April within six, 31 March 2028 beyond a year.
    assert [when[pid] for pid in ("A-1", "A-2", "A-21", "B-1", "B-3", "B-2")] == [
        "now", "quarter", "half", "y1", "later", "unknown",
    ]  # fmt: skip
    blocks = said(data, "A-21")
    assert [title for title, _ in blocks] == ["", "收储", "通电"]
    assert blocks[0][1]["所需费用"] == "450 万元"
    assert blocks[2][1]["最早完成"] == "2027-04-30" and blocks[2][1]["责任方"] == "示例责任单位"
    assert next(row["w"] for row in data["parcels"] if row["id"] == "A-21") == "2027-04-30 可具备"


def test_a_tier_that_is_missing_is_unknown_and_never_a_standard_lot():
    assessment = list_assessment()
    parcels = assessment.parcels.assign(
        tier=assessment.parcels["tier"].where(assessment.parcels.index != "A-1")
    )
    data = data_of(draw_map(dataclasses.replace(assessment, parcels=parcels), "readiness"))
    assert classes_of(data, "成熟度")["A-1"] == "unknown"


def test_capacity_names_the_scarcest_resource_and_a_stale_node_is_unknown():
    data = data_of(draw_map(list_assessment(), "capacity"))
    worst, power, water = (classes_of(data, title) for title in ("最紧的一项要素", "电力", "供水"))
    assert (power["B-1"], water["B-1"], worst["B-1"]) == ("full", "available", "full")
    assert (power["A-1"], worst["A-1"]) == ("available", "available")
    # Figures of March are older than a quarter in November.
    assert (power["C-1"], worst["C-1"]) == ("unknown", "unknown")
    assert worst["D-1"] is None
    figures = dict(said(data, "B-1"))["电力　示例二站"]
    assert figures["总容量"] == "40,000 kVA" and figures["可用余量"] == "0 kVA" and figures["已过期"] == "否"


def test_the_reserve_tells_what_is_in_since_when_and_what_has_left():
    data = data_of(draw_map(list_assessment(), "reserve"))
    inside = classes_of(data, "在库与出库")
    assert (inside["A-3"], inside["A-21"], inside["C-1"], inside["A-1"]) == ("in", "in", "sale", None)
    # On 2026-11-20 the one has been in since May 2024, the other since June 2026.
    ages = classes_of(data, "在库：时间")
    assert (ages["A-3"], ages["A-21"], ages["C-1"]) == ("y3", "y1", None)
    # Nothing is known of a plan, so none of them is known to be fit.
    assert classes_of(data, "在库：是否符合入库条件")["A-3"] == "unknown"
    title, facts = said(data, "C-1")[0]
    assert title == "2021-05-01 入库" and facts["出库日"] == "2022-02-15" and facts["出库原因"] == "出让"


def test_batches_colour_their_parcels_by_approval_step_and_number():
    data = data_of(draw_map(list_assessment(), "batches"))
    state = classes_of(data, "批次：批复与上报")
    assert (state["A-1"], state["B-1"], state["A-3"]) == ("done", "yes", None)
    assert classes_of(data, "批次：当前环节")["B-2"] == "social_risk"
    assert classes_of(data, "批次：哪一批")["A-2"] == "2026-01"
    facts = dict(said(data, "A-1"))["批次 2026-01"]
    assert facts["批次宗数"] == "2" and facts["批准日期"] == "2026-05-12"
    assert data["list"]["notes"] == ["批次中另有 1 宗不在本次地块中，未上图：Z-9。"]


def test_a_parcel_in_two_batches_shows_the_later_and_says_both():
    plain = list_assessment()
    more = pd.DataFrame(
        {"batch_no": ["2026-02"], "batch_name": ["第二批次"], "batch_kind": ["urban"], "parcel_id": ["A-1"]}
    )
    assessment = with_registers(batches=pd.concat([plain.registers["batches"], more]))
    data = data_of(draw_map(assessment, "batches"))
    assert classes_of(data, "批次：哪一批")["A-1"] == "2026-02"
    assert [title for title, _ in said(data, "A-1")] == ["批次 2026-01", "批次 2026-02"]


def test_a_node_that_serves_no_parcel_is_told_under_the_legend():
    plain = list_assessment()
    more = plain.registers["capacities"].iloc[[0]].assign(node="示例四站", zone_code="EX09")
    assessment = with_registers(capacities=pd.concat([plain.registers["capacities"], more]))
    assert data_of(draw_map(assessment, "capacity"))["list"]["notes"] == [
        "另有 1 个节点不对应任何地块：电力 示例四站。"
    ]


def test_a_hold_on_a_node_is_taken_off_what_is_left():
    holds = pd.DataFrame(
        {"hold_id": ["H-1"], "resource": ["power"], "node": ["示例一站"], "amount": [5.0], "unit": ["MVA"],
         "on": ["2026-11-01"], "until": ["2026-12-31"]}
    )  # fmt: skip
    data = data_of(draw_map(with_registers(holds=holds), "capacity"))
    # 63 - 20 - 8 MVA are left, and 5 are held.
    assert dict(said(data, "A-1"))["电力　示例一站"]["可用余量"] == "30,000 kVA"


def test_buildings_are_told_by_the_share_in_use_and_an_unmeasured_one_is_unknown():
    data = data_of(draw_map(list_assessment(), "buildings"))
    found = classes_of(data, "厂房楼宇：使用比例")
    # 13,000 of 20,000 m2 in use; of the office nobody knows.
    assert (found["C-1"], found["C-2"], found["A-1"]) == ("above", "unknown", None)
    assert [title for title, _ in said(data, "C-1")] == ["F-2 示例标准厂房二号", "F-1 示例标准厂房一号"]
    assert said(data, "C-1")[0][1]["空置面积"] == "7,000.00 ㎡"


def test_buildings_on_no_parcel_are_counted_under_the_legend():
    plain = list_assessment()
    lost = plain.registers["buildings"].iloc[[0]].assign(building_id="F-9", parcel_id=np.nan)
    data = data_of(
        draw_map(with_registers(buildings=pd.concat([plain.registers["buildings"], lost])), "buildings")
    )
    assert data["list"]["notes"] == ["另有 1 栋没有落到本次地块，未上图，见工作簿。"]


def test_a_register_of_zones_colours_zones_and_says_its_rows():
    data = data_of(draw_map(list_assessment(), "register:capacities"))
    assert data["list"]["unit"] == "个" and data["list"]["listed"] == 1
    zone = data["parcels"][0]
    assert (zone["id"], zone["z"], zone["c"][0]) == ("EX01", 1, 0) and zone["g"]
    assert all(row["c"][0] == -1 for row in data["parcels"][1:])
    blocks = dict(said(data, "EX01"))
    assert blocks["电力　示例一站"]["总容量"] == "63,000 kVA" and "单位" not in blocks["电力　示例一站"]
    assert "mu" not in data["list"]["themes"][0]["total"]


def test_a_register_of_parcels_counts_rows_that_stand_nowhere():
    data = data_of(draw_map(list_assessment(), "register:batches"))
    assert {row["id"] for row in data["parcels"] if row["c"][0] == 0} == {"A-1", "A-2", "B-1", "B-2"}
    assert data["list"]["notes"] == ["另有 1 行不对应本次的宗，未上图。"]


def test_a_register_is_drawn_as_it_stood_on_the_day():
    assessment = list_assessment()
    early = dataclasses.replace(
        assessment,
        provenance=dataclasses.replace(assessment.provenance, as_of=pd.Timestamp("2026-09-30").date()),
    )
    blocks = dict(said(data_of(draw_map(early, "register:capacities")), "EX01"))
    assert list(blocks) == ["电力　示例三站"]


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_text_in_lists_adds_no_element_and_stays_inside_the_data(view):
    plain, hostile = Elements(), Elements()
    plain.feed(draw_map(list_assessment(), view).html)
    page = draw_map(list_assessment(hostile=True), view)
    hostile.feed(page.html)
    assert hostile.tags == plain.tags and hostile.running == []
    assert any(payload in str(data_of(page)["parcels"]) for payload in HOSTILE)


@pytest.mark.parametrize("view", VIEWS)
def test_two_draws_of_a_list_are_equal_to_the_byte(view):
    assert draw_map(list_assessment(), view).html == draw_map(list_assessment(), view).html


@pytest.mark.parametrize("view", LISTS)
def test_a_list_is_for_planners(view):
    with pytest.raises(UsageError, match=view) as caught:
        draw_map(list_assessment(), view, audience="investor")
    assert caught.value.faults[0].zh


def test_the_investor_page_is_the_same_whatever_lists_there_are():
    assessment = list_assessment()
    bare = dataclasses.replace(assessment, tasks=assessment.tasks[:0], registers={})
    assert draw_map(assessment, "investor").html == draw_map(bare, "investor").html
    assert data_of(draw_map(assessment, "investor"))["list"] is None


def test_law_8_a_register_for_an_investor_holds_public_columns_of_parcels_on_offer_alone():
    assessment = list_assessment()
    marks = iter(f"KANARI{n:03d}" for n in range(999))
    hidden: list[str] = []

    def mark() -> str:
        hidden.append(next(marks))
        return hidden[-1]

    on_offer = ["A-1", "A-3"]
    overrides = pd.DataFrame(
        [
            {"parcel_id": pid, "rule_id": f"公开{pid}" if pid in on_offer else mark(), "person": mark(), "grounds": mark(),
             "document": f"文号{pid}" if pid in on_offer else mark(), "on": "2026-01-01"}
            for pid in ("A-1", "A-2", "A-3", "C-1", "Z-9")
        ]
    )  # fmt: skip
    assessment = dataclasses.replace(
        assessment,
        registers={**assessment.registers, "overrides": coerce(overrides, "overrides")},
        findings=assessment.findings.assign(reference=mark()),
        tasks=assessment.tasks.assign(title=mark(), party=mark()),
        parcels=assessment.parcels.assign(holder=mark()),
    )
    page = draw_map(assessment, "register:overrides", audience="investor")
    seen = decoded(page.html)
    assert [text for text in hidden if text in seen] == []
    data = data_of(page)
    assert [row["id"] for row in data["parcels"]] == on_offer
    assert said(data, "A-1")[0][1]["文号"] == "文号A-1" and data["list"]["notes"] == []
    everything = decoded(draw_map(assessment, "register:overrides").html)
    assert (
        sum(text in everything for text in hidden) == len(hidden) - 6
    )  # Z-9 is no parcel, tasks are another list


def test_a_register_no_column_puts_on_the_map_says_so():
    budget = pd.DataFrame({"head": ["文物勘探"], "year": [2026], "amount_cny": [5e6]})
    with pytest.raises(UsageError, match="不能上图"):
        draw_map(with_registers(budget=budget), "register:budget")


@pytest.mark.parametrize(
    ("view", "register"), [("batches", "batches"), ("capacity", "capacities"), ("buildings", "buildings")]
)
def test_a_list_without_its_register_names_what_to_supply(view, register):
    with pytest.raises(UsageError, match=rf"\[registers.{register}\]") as caught:
        draw_map(with_registers(**{register: None}), view)
    assert caught.value.faults[0].en and caught.value.faults[0].zh


def test_readiness_without_tiers_says_what_is_missing():
    assessment = list_assessment()
    bare = dataclasses.replace(assessment, parcels=assessment.parcels.drop(columns="tier"))
    with pytest.raises(UsageError, match="成熟度"):
        draw_map(bare, "readiness")


def test_an_unknown_view_is_told_of_the_lists_there_are():
    with pytest.raises(UsageError, match="incremental, reserve, batches"):
        draw_map(list_assessment(), "reserves")


def test_an_empty_list_says_so_on_the_map():
    assessment = list_assessment()
    none = assessment.parcels.assign(supply_class="supplied", stock_kind="in_use")
    data = data_of(draw_map(dataclasses.replace(assessment, parcels=coerce(none, "parcels")), "stock"))
    assert data["notice"][0] == "清单信息：无" and data["list"]["listed"] == 0


def test_more_classes_than_can_be_told_apart_are_drawn_together_as_others():
    items = pd.Index([f"P{n}" for n in range(20)])
    of = pd.Series([f"B{n % 12}" for n in range(20)], index=items)
    theme = Theme("批次", of, {f"B{n}": f"第{n}批" for n in range(12)})
    data, rows = lay_out(Listing("图", "批次信息", [theme]), items, pd.Series(1000.0, index=items))
    classes = data["themes"][0]["classes"]
    assert len(classes) == 8 and classes[-1]["label"] == "其他" and classes[-1]["key"] == "other"
    assert sum(row["count"] for row in classes) == 20 == data["themes"][0]["total"]["count"]
    assert all(row["c"][0] >= 0 for row in rows)


def test_names_of_files_keep_views_and_audiences_apart():
    names = [name_view(view) for view in ("planner", "investor", *LISTS)]
    assert len(set(names)) == len(names)
    assert name_view("register:zone_labels") != name_view("register:zone_labels", "investor")
    assert "/" not in name_view("register:a/b")


def light(colour: str) -> float:
    """Lightness of a fill from 0 to 1, as a copier sees it."""
    full = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    red, green, blue = (int(full[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_looks_of_a_family_differ_in_hatch_or_in_lightness():
    text = files("landplan.maps").joinpath("paint.js").read_text(encoding="utf-8")
    families = text.split("var FAMILIES = {")[1].split("\n};")[0]
    for name in ("kinds", "steps"):
        part = re.search(rf"{name}: \[(.*?)\n  \]", families, flags=re.S).group(1)
        looks = re.findall(r'fill: "(#[0-9a-f]+)".*?hatch: "(\w*)"', part)
        assert len(looks) == 8
        # The grey of what is not on the list, and of what is unknown, must not be met either.
        for one, other in combinations([*looks, ("#eceef1", ""), ("#dcdfe4", "cross")], 2):
            apart = abs(light(one[0]) - light(other[0]))
            assert apart > 0.2 or (one[1] != other[1] and apart > 0.0), (name, one, other)


def told(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def test_the_command_writes_a_list_beside_the_results_under_its_own_name(tmp_path, capsys):
    folder = write_project(tmp_path / "项目")
    where = ["-p", str(folder), "--as-of", AS_OF.isoformat()]
    for view, name in (("stock", "存量可出让图.html"), ("incremental", "增量可报批图.html")):
        assert told("map", view, *where) == 0
        page = MapPage((folder / "结果" / name).read_text(encoding="utf-8"))
        assert data_of(page)["list"]["group"] == "清单信息"
    assert told("map", "capacity", *where) != 0
    said_to_user = capsys.readouterr().err
    assert "[registers.capacities]" in said_to_user and "登记簿" in said_to_user
    assert not (folder / "结果" / "要素保障图.html").exists()
