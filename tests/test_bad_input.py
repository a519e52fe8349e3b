"""Bad input: each fault is said in two languages with its place and its mend, and costs only what rests on it."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest
import shapely
from projects import EVENTS, check, drawn, edit, result, run, statuses, verdicts, write_layer, write_project
from worlds import box, layer

SOUND = {"P-1": "ready", "P-2": "not_ready", "P-3": "not_ready"}
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_project(tmp_path / "项目")


def told(text: str, *parts: str) -> None:
    """Every part is said, and what is said is in both languages."""
    for part in parts:
        assert part in text, f"{part!r} is not said in:\n{text}"
    assert HAN.search(text)
    assert re.search(r"[a-z]{3,} [a-z]{2,}", text)


def without_crs(frame, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_layer(frame.set_crs(None, allow_override=True), path)


def test_the_sound_project_has_one_parcel_of_each_fate_and_nothing_to_say(folder, capsys):
    said = check(capsys, folder)
    assert (said.code, said.err) == (0, "")
    assert verdicts(folder) == SOUND


def test_without_the_parcel_file_nothing_can_be_judged(folder, capsys):
    (folder / "地块.gpkg").unlink()
    said = check(capsys, folder)
    assert said.code == 3
    told(
        said.err,
        "地块.gpkg",
        "File not found",
        "找不到文件",
        "检查路径，或把文件放到该位置",
        "check the path",
    )
    assert not (folder / "结果").exists()


def test_a_missing_layer_makes_its_rule_unknown_and_leaves_the_others_judged(folder, capsys):
    (folder / "农田.gpkg").unlink()
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, "FILE.MISSING　农田.gpkg", "找不到文件", "File not found", "把文件放到该位置")
    assert statuses(folder, "farmland.overlap") == dict.fromkeys(SOUND, "unknown")
    assert statuses(folder, "invest_intensity.min") == {"P-1": "pass", "P-2": "pass", "P-3": "fail"}
    assert verdicts(folder) == {"P-1": "pending", "P-2": "pending", "P-3": "not_ready"}


def test_a_missing_ledger_zone_evaluation_and_event_file_are_all_named_at_once(folder, capsys):
    gone = ("台账.csv", "范围.gpkg", "评估.gpkg", "事项.csv")
    for name in gone:
        (folder / name).unlink()
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, *(f"FILE.MISSING　{name}" for name in gone))
    # The farmland is still measured: the one thing left is still judged.
    assert statuses(folder, "farmland.overlap") == {"P-1": "pass", "P-2": "fail", "P-3": "pass"}
    for rule in ("invest_intensity.min", "evaluation.flood", "clear_land.done"):
        assert statuses(folder, rule) == dict.fromkeys(SOUND, "unknown")


def test_parcels_without_a_crs_are_refused_with_the_way_to_name_one(folder, capsys):
    without_crs(drawn(), folder / "地块.gpkg")
    said = check(capsys, folder)
    assert said.code == 3
    told(said.err, "地块.gpkg", "没有坐标系说明", "No coordinate reference system", "landplan.toml")
    edit(folder / "landplan.toml", ('paths = ["地块.gpkg"]', 'paths = ["地块.gpkg"]\ncrs = "EPSG:4547"'))
    assert check(capsys, folder).code == 0
    assert verdicts(folder) == SOUND


def test_a_layer_without_a_crs_is_unknown_and_never_clear(folder, capsys):
    without_crs(layer(box(250, 0, 50, 100)), folder / "农田.gpkg")
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, "CRS.MISSING　农田.gpkg", "没有坐标系说明")
    assert "FILE.UNREADABLE" not in said.err
    assert statuses(folder, "farmland.overlap") == dict.fromkeys(SOUND, "unknown")


def test_parcels_on_another_datum_are_not_taken_for_cgcs2000(folder, capsys):
    write_layer(drawn().set_crs(2436, allow_override=True), folder / "地块.gpkg")
    said = check(capsys, folder)
    assert said.code == 3
    told(said.err, "地块.gpkg", "Beijing 1954", "不能直接当作 CGCS2000", "ask the surveyor")


def test_settings_that_name_no_crs_no_encoding_and_no_profile_are_all_told_as_wrong_use(folder, capsys):
    edit(
        folder / "landplan.toml",
        ('path = "范围.gpkg"', 'path = "范围.gpkg"\ncrs = "EPSG:9"'),
        ('path = "台账.csv"', 'path = "台账.csv"\nencoding = "klingon"'),
        ('path = "事项.csv"', 'path = "事项.csv"\nprofile = "nobody"'),
        ('name = "三宗地"', 'name = "三宗地"\nmeasure_crs = "EPSG:1"'),
    )
    said = check(capsys, folder)
    assert said.code == 2
    told(
        said.err,
        "landplan.toml: 范围.gpkg",
        "“EPSG:9”不是可识别的坐标系",
        "landplan.toml: 台账.csv",
        "“klingon”不是编码名称",
    )
    told(said.err, "没有映射文件“nobody”", "landplan.toml: project.measure_crs", "“EPSG:1”")
    assert not (folder / "结果").exists()


def test_parcels_without_a_number_are_judged_under_their_rows_and_that_is_said(folder, capsys):
    write_layer(drawn(颜色=["红", "绿", "蓝"]), folder / "地块.gpkg")
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, "ATTR.NO_ID　地块.gpkg", "颜色", "改用“地块编号”作表头", "use the header 地块编号")
    # Half of the second square lies on farmland whatever it is called; the ledger fits none of them.
    assert verdicts(folder) == {"row-0001": "pending", "row-0002": "not_ready", "row-0003": "pending"}


def test_a_ledger_without_numbers_is_not_joined_by_its_rows(folder, capsys):
    write_layer(drawn(颜色=["红", "绿", "蓝"]), folder / "地块.gpkg")
    (folder / "台账.csv").write_text(
        "地块名称,固定资产投资强度（万元/亩）\n甲,1\n乙,1\n丙,1\n", encoding="utf-8"
    )
    said = check(capsys, folder)
    told(said.err, "ATTR.NO_ID　地块.gpkg", "ATTR.NO_ID　台账.csv")
    assert set(statuses(folder, "invest_intensity.min").values()) == {"unknown"}


def test_a_doubled_number_keeps_both_parcels_and_stops_both(folder, capsys):
    write_layer(drawn(地块编号=["P-1", "P-1", "P-3"]), folder / "地块.gpkg")
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, "ATTR.ID_DUPLICATE　地块.gpkg", "P-1", "P-1#2", "地块编号重复", "核对后改正编号")
    assert verdicts(folder) == {"P-1": "pending", "P-1#2": "not_ready", "P-3": "not_ready"}


def test_a_number_in_two_files_keeps_both_parcels(folder, capsys):
    write_layer(layer(box(600, 0, 100), 地块编号=["P-1"]), folder / "又一.gpkg")
    edit(folder / "landplan.toml", ('["地块.gpkg"]', '["地块.gpkg", "又一.gpkg"]'))
    said = check(capsys, folder)
    told(said.err, "ATTR.ID_DUPLICATE", "P-1")
    assert set(verdicts(folder)) == {"P-1", "P-1#2", "P-2", "P-3"}


def test_a_quantity_without_a_unit_is_unknown_and_never_a_guess(folder, capsys):
    edit(folder / "台账.csv", ("（万元/亩）", ""))
    said = check(capsys, folder)
    assert said.code == 0
    told(
        said.err,
        "ATTR.NO_UNIT　台账.csv",
        "“固定资产投资强度”一列没有写明单位",
        "投资强度（万元/亩）",
        "has no unit",
    )
    assert statuses(folder, "invest_intensity.min") == dict.fromkeys(SOUND, "unknown")
    assert verdicts(folder)["P-2"] == "not_ready"


def test_an_empty_layer_is_unknown_and_never_clear(folder, capsys):
    write_layer(layer(box(250, 0, 50, 100)).iloc[:0], folder / "农田.gpkg")
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, "FILE.EMPTY　农田.gpkg", "图层里没有记录", "The layer holds no record")
    assert statuses(folder, "farmland.overlap") == dict.fromkeys(SOUND, "unknown")


def test_an_empty_parcel_file_is_unusable(folder, capsys):
    write_layer(drawn().iloc[:0], folder / "地块.gpkg")
    said = check(capsys, folder)
    assert said.code == 3
    told(said.err, "地块.gpkg", "图层里没有记录", "ask the supplier for a layer with content")


def test_a_survey_that_ends_before_a_parcel_leaves_it_unknown_and_never_clear(folder, capsys):
    write_layer(layer(box(-10, -10, 120, 200)), folder / "调查范围.gpkg")  # around P-1 only
    said = check(capsys, folder)
    assert said.code == 0
    told(
        said.err,
        "GEOM.NOT_COVERED　永久基本农田",
        "P-2、P-3",
        "does not reach the parcel",
        "索取覆盖该地块的图层",
    )
    assert statuses(folder, "farmland.overlap") == {"P-1": "pass", "P-2": "unknown", "P-3": "unknown"}
    assert verdicts(folder) == {"P-1": "ready", "P-2": "pending", "P-3": "not_ready"}


def test_without_an_extent_a_layer_speaks_for_its_own_rectangle_only(folder, capsys):
    edit(folder / "landplan.toml", ('extent = "调查范围.gpkg"\n', ""))
    assert check(capsys, folder).code == 0
    assert statuses(folder, "farmland.overlap") == dict.fromkeys(SOUND, "unknown")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("title: 三条规则\n", "title: 三条规则\ntitle: 又一\n"),
            ("small.yaml:3", "“title”重复", "occurs twice", "删去其中一个"),
        ),
        (
            ("    unit: 万元/亩\n", "    unit: 万元/亩\n    colour: red\n"),
            ("small.yaml:10", "未知的键“colour”", "overrides"),
        ),
        (
            ("    unit: 万元/亩\n", "    unit: 亩\n"),
            ("small.yaml:9", "单位“亩”", "kind intensity", "万元/亩"),
        ),
        (
            ("{title: 示例办法, article: 第一条}", "{article: 第一条}"),
            ("small.yaml:14", "缺少“title”", "lacks 'title'"),
        ),
        (
            ("    reference:\n      2020-01-01: {title: 示例办法, article: 第一条}\n", ""),
            ("small.yaml:", "reference"),
        ),
    ],
    ids=["doubled key", "unknown key", "unit of another kind", "source without a title", "uncited values"],
)
def test_a_broken_rulebook_stops_the_check_with_file_and_line(folder, capsys, change, words):
    edit(folder / "规则" / "small.yaml", change)
    said = check(capsys, folder)
    assert said.code == 3
    told(said.err, *words)
    assert not (folder / "结果").exists()


def test_a_broken_rulebook_and_a_missing_file_are_told_together(folder, capsys):
    edit(folder / "规则" / "small.yaml", ("    unit: 万元/亩\n", "    unit: 万元/亩\n    colour: red\n"))
    (folder / "地块.gpkg").unlink()
    said = check(capsys, folder)
    assert said.code == 3
    told(said.err, "未知的键“colour”", "找不到文件")


def test_on_a_day_before_any_rule_everything_is_unknown_and_the_silence_is_said(folder, capsys):
    said = check(capsys, folder, as_of="2019-12-31")
    assert said.code == 0
    told(
        said.err,
        "评定日 2019-12-31 规则集 small",
        "4 条规则（共 4 条）尚无规定",
        "--as-of",
        "silent on 4 of 4 rules",
    )
    assert verdicts(folder) == dict.fromkeys(SOUND, "pending")


def test_evaluations_without_an_item_column_count_for_nothing(folder, capsys):
    write_layer(layer(box(-1000, -1000, 3000), 批准日期=["2023-01-01"]), folder / "评估.gpkg")
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, "ATTR.LAYER_FIELD　评估.gpkg", "事项（item）", "lacks a column")
    assert statuses(folder, "evaluation.flood") == dict.fromkeys(SOUND, "unknown")
    assert statuses(folder, "clear_land.done") == dict.fromkeys(SOUND, "pass")


def test_events_without_a_day_column_count_for_nothing(folder, capsys):
    (folder / "事项.csv").write_text(EVENTS.replace(",2024-06-01", "").replace(",日期", ""), encoding="utf-8")
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, "ATTR.LAYER_FIELD　事项.csv", "日期（on）")
    assert statuses(folder, "clear_land.done") == dict.fromkeys(SOUND, "unknown")
    assert statuses(folder, "evaluation.flood") == dict.fromkeys(SOUND, "pass")


def test_one_event_without_a_day_and_one_unknown_item_cost_only_themselves(folder, capsys):
    edit(folder / "事项.csv", ("P-1,净地,2024-06-01", "P-1,净地,"), ("P-2,净地", "P-2,净土"))
    said = check(capsys, folder)
    told(said.err, "ATTR.EVENT_UNDATED　事项.csv 第 2 行 P-1", "补填日期", "ATTR.ITEM　事项.csv", "净土")
    assert statuses(folder, "clear_land.done") == {"P-1": "unknown", "P-2": "unknown", "P-3": "pass"}


def test_two_faults_in_two_files_are_both_reported(folder, capsys):
    (folder / "农田.gpkg").unlink()
    edit(folder / "台账.csv", ("（万元/亩）", ""))
    said = check(capsys, folder)
    told(said.err, "FILE.MISSING　农田.gpkg", "ATTR.NO_UNIT　台账.csv")
    codes = set(result(folder).issues["code"])
    assert {"FILE.MISSING", "ATTR.NO_UNIT"} <= codes


def test_a_point_among_the_parcels_costs_that_parcel_only(folder, capsys):
    write_layer(layer(box(0, 0, 100), shapely.Point(400_250, 4_140_050), box(400, 0, 100), 地块编号=["P-1", "P-2", "P-3"]),
                folder / "地块.gpkg")  # fmt: skip
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, "GEOM.TYPE　地块.gpkg", "第 2 行 P-2", "Point", "闭合成面后再提交")
    assert verdicts(folder) == {"P-1": "ready", "P-2": "pending", "P-3": "not_ready"}


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("dem.tif", None, "FILE.MISSING"),
        ("dem.tif", b"II*\0garbage", "RASTER.UNREADABLE"),
        ("台账.csv", None, "RASTER.UNREADABLE"),
    ],
    ids=["missing", "garbage", "a table"],
)
def test_an_elevation_model_that_cannot_be_used_costs_the_slopes_only(folder, capsys, name, content, code):
    if content is not None:
        (folder / name).write_bytes(content)
    edit(folder / "landplan.toml", ("[rules]", f'[terrain]\ndem = "{name}"\n[rules]'))
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, f"{code}　{name}")
    assert verdicts(folder) == SOUND


def test_an_elevation_model_without_a_crs_costs_the_slopes_only(folder, capsys):
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    shape = {"driver": "GTiff", "width": 3, "height": 3, "count": 1, "dtype": "float32"}
    with rasterio.open(
        folder / "dem.tif", "w", transform=from_origin(399_000, 4_141_000, 900, 900), **shape
    ) as file:
        file.write(np.ones((1, 3, 3), dtype="float32"))
    edit(folder / "landplan.toml", ("[rules]", '[terrain]\ndem = "dem.tif"\n[rules]'))
    said = check(capsys, folder)
    assert said.code == 0
    told(said.err, "RASTER.CRS　dem.tif", "补写坐标系", "supply its CRS")
    assert verdicts(folder) == SOUND


def test_hostile_names_reach_no_terminal_and_forge_no_line(folder, capsys):
    names = ["P-1\x1b[31m", "P-2\nerror: forged", "=cmd|' /C calc'!A0"]
    write_layer(
        drawn(地块编号=names, 地块名称=["\x1b]0;x\x07", "[bold red]x[/bold red]", "\u202egpj"]),
        folder / "地块.gpkg",
    )
    (folder / "台账.csv").write_text(
        f"地块编号,固定资产投资强度（万元/亩）\n{names[2]},100\n\x1b[2JX,1\n", encoding="utf-8"
    )
    heard = [
        check(capsys, folder),
        run(capsys, "explain", names[1], "-p", folder),
        run(capsys, "explain", "P-9", "-p", folder),
        run(capsys, "explain", "P-2\nerror: other", "-p", folder),
        run(capsys, "list", "incremental", "-p", folder),
    ]
    assert [said.code for said in heard] == [0, 0, 2, 2, 0]
    for said in heard:
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", said.all)
        assert not [line for line in said.all.splitlines() if line.startswith("error")]
    assert "P-2 error: forged" in heard[1].out
    assert set(verdicts(folder)) == set(names)


def test_a_folder_that_cannot_hold_results_is_said_and_is_not_our_fault(folder, capsys):
    (folder / "结果").write_text("a file", encoding="utf-8")
    said = check(capsys, folder)
    assert said.code == 3
    told(said.err, "StoreError", "核验.gpkg")
    assert (folder / "结果").read_text(encoding="utf-8") == "a file"
