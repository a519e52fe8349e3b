"""The command line: exit codes, what is said on which stream, machine formats, and a console in GBK."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from conftest import AS_OF
from projects import check, drawn, edit, result, run, write_layer, write_project

import landplan.pipeline
from landplan.cli import main
from landplan.store import load_assessment, save_assessment
from landplan.units import convert

DAY = AS_OF.isoformat()
HEAVY = (
    "geopandas",
    "pandas",
    "numpy",
    "shapely",
    "pyogrio",
    "rasterio",
    "fiona",
    "folium",
    "pyproj",
    "pydantic",
    "rich",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_project(tmp_path / "项目")


@pytest.fixture(scope="module")
def checked(sample: Path, judged, tmp_path_factory) -> Path:
    """The sample with the result of a check on the day the documentation speaks of."""
    folder = tmp_path_factory.mktemp("cli") / "示例"
    shutil.copytree(sample, folder)
    save_assessment(judged, folder / "结果" / "核验.gpkg")
    return folder


def fresh(*words: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A new process, as a shell starts it."""
    return subprocess.run(
        [sys.executable, *words], capture_output=True, check=False, env={**os.environ, **variables}
    )


# -- exit codes


def test_a_check_that_is_done_exits_with_0_even_where_parcels_fail(folder, capsys):
    assert check(capsys, folder).code == 0


def test_strict_exits_with_1_where_a_parcel_is_not_ready_and_still_writes_the_result(folder, capsys):
    said = check(capsys, folder, "--strict")
    assert said.code == 1
    assert (folder / "结果" / "核验.gpkg").is_file()
    assert (folder / "结果" / "核验.xlsx").is_file()


def test_strict_exits_with_0_where_every_parcel_is_ready(folder, capsys):
    edit(folder / "台账.csv", ("P-3,100", "P-3,150"))
    (folder / "农田.gpkg").unlink()
    edit(
        folder / "规则" / "small.yaml",
        ("farmland_overlap_m2", "zone_share"),
        ("at_most", "covered"),
        ("unit: m2", 'unit: "%"'),
    )
    assert check(capsys, folder, "--strict").code == 0
    assert set(result(folder).parcels["verdict"]) == {"ready"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chek"], "没有这个命令"),
        (["check", "--as-of", "2026-13-01"], "不是日期"),
        (["check", "--as-of", "20.11.2026"], "不是日期"),
        (["check", "--nope"], "没有选项 --nope"),
        (["explain"], "缺少 PARCEL_ID"),
        (["list", "everything"], "取值不对"),
        (["list", "stock", "--format", "xml"], "取值不对"),
        (["rules"], "lint"),
        (["check", "-p", "nowhere"], "找不到项目文件"),
    ],
)
def test_wrong_use_exits_with_2_and_says_so_in_both_languages(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    heard = run(capsys, *words)
    assert (heard.code, heard.out) == (2, "")
    assert said in heard.err
    assert re.search(r"[A-Za-z]{4,}", heard.err)


def test_an_unknown_parcel_exits_with_2_and_names_those_that_are_near(folder, capsys):
    said = run(capsys, "explain", "p-4", "-p", folder)
    assert said.code == 2
    assert "没有编号为“p-4”的地块" in said.err
    assert "there is no parcel 'p-4'" in said.err
    near = run(capsys, "explain", "P2", "-p", folder)
    assert "相近编号：P-2" in near.err
    assert "similar numbers: P-2" in near.err


def test_an_unknown_key_in_the_project_file_exits_with_2(folder, capsys):
    edit(folder / "landplan.toml", ("[rules]", "[rules]\ncolour = 1"))
    said = check(capsys, folder)
    assert said.code == 2
    assert "未知的键“rules.colour”" in said.err
    assert "landplan.toml" in said.err


@pytest.mark.parametrize("broken", ["parcels", "crs", "rulebook"])
def test_unusable_data_exit_with_3(folder, capsys, broken):
    if broken == "parcels":
        (folder / "地块.gpkg").write_bytes(b"")
    elif broken == "crs":
        write_layer(drawn().set_crs(2436, allow_override=True), folder / "地块.gpkg")  # Beijing 1954
    else:
        (folder / "规则" / "small.yaml").write_text("rules: [", encoding="utf-8")
    said = check(capsys, folder)
    assert said.code == 3
    assert said.err


def test_files_of_which_none_can_be_used_exit_with_3(tmp_path, capsys):
    said = run(capsys, "inspect", tmp_path / "nowhere.gpkg")
    assert said.code == 3
    assert "找不到文件" in said.out


def test_a_faulty_rulebook_exits_with_3_and_names_file_and_line(folder, capsys):
    book = folder / "规则" / "small.yaml"
    assert run(capsys, "rules", "lint", book).code == 0
    edit(book, ("unit: 万元/亩", "unit: 亩"))
    said = run(capsys, "rules", "lint", book)
    assert said.code == 3
    assert f"{book}:9" in said.out
    assert said.out.rstrip().endswith("1 处问题")


def test_our_own_fault_exits_with_4_says_so_twice_and_shows_no_traceback(folder, capsys, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero\n\x1b[31mred")

    monkeypatch.setattr(landplan.pipeline, "repair_parcels", broken)
    said = check(capsys, folder)
    assert (said.code, said.out) == (4, "")
    assert said.err.startswith("InternalError: ZeroDivisionError: division by zero  [31mred\n")
    assert "landplan 自身出错" in said.err
    assert "this is a fault of landplan" in said.err
    monkeypatch.setenv("LANDPLAN_DEBUG", "1")
    with pytest.raises(SystemExit):
        main(["check", "-p", str(folder)])
    assert "Traceback" in capsys.readouterr().err


# -- help, quick and within GBK


def test_the_command_line_waits_for_no_heavy_package():
    asked = f"import sys, landplan, landplan.cli; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = fresh("-c", asked)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], b"")


def test_help_names_every_command_in_both_languages(capsys):
    said = run(capsys, "--help")
    assert said.code == 0
    for name in ("check", "demo", "doctor", "explain", "inspect", "list", "map", "rules"):
        (line,) = [line for line in said.out.splitlines() if line.startswith(f"  {name} ")]
        assert re.search(r"[\u4e00-\u9fff]{2}.* / [a-z]", line), line
        assert "..." not in line


def test_everything_the_sample_makes_us_say_exists_in_gbk(checked, capsys, tmp_path):
    files = [
        checked / "地块" / "地块.shp",
        checked / "台账" / "控制指标台账.xlsx",
        checked / "高程" / "dem.tif",
        tmp_path / "no.shp",
    ]
    heard = [
        run(capsys, "--help"),
        check(capsys, checked, "-o", str(tmp_path / "结果")),
        run(capsys, "explain", "A-2", "-p", checked),
        run(capsys, "explain", "A-2", "-p", checked, "--lang", "en"),
        run(capsys, "explain", "nobody", "-p", checked),
        run(capsys, "list", "stock", "-p", checked),
        run(capsys, "list", "incremental", "-p", checked),
        run(capsys, "rules", "show", "example.kaifaqu", "--as-of", DAY),
        run(capsys, "rules", "show", "cn.national-2008", "--as-of", DAY),
        run(capsys, "rules", "lint", "cn.shanxi"),
        run(capsys, "doctor", tmp_path),
        run(capsys, "inspect", *files),
    ]
    assert [said.code for said in heard] == [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    for said in heard:
        said.all.encode("cp936")


def test_a_gbk_console_shows_no_question_marks(folder):
    script = "from landplan.cli import main; main()"
    done = fresh(
        "-c",
        script,
        "check",
        "-p",
        str(folder),
        "--as-of",
        DAY,
        PYTHONIOENCODING="gbk:strict",
        PYTHONUTF8="0",
    )
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("gbk")
    assert "?" not in text
    assert "具备出让条件" in text


def test_a_name_that_gbk_lacks_costs_a_question_mark_and_not_the_command(folder):
    edit(folder / "landplan.toml", ('name = "三宗地"', 'name = "三宗地\u1f600 \U00020bb7"'))
    script = "from landplan.cli import main; main()"
    done = fresh("-c", script, "check", "-p", str(folder), PYTHONIOENCODING="gbk:strict", PYTHONUTF8="0")
    assert done.returncode == 0
    assert "三宗地?" in done.stdout.decode("gbk")


# -- the day


def test_the_day_is_today_where_none_is_named_and_is_written_into_the_result(folder, capsys):
    before = date.today()
    said = run(capsys, "check", "-p", folder, "--format", "json")
    as_of = date.fromisoformat(json.loads(said.out)["as_of"])
    assert before <= as_of <= date.today()
    assert result(folder).provenance.as_of == as_of


def test_the_day_named_is_the_day_judged_for(folder, capsys):
    said = check(capsys, folder, "--format", "json", as_of="2024-05-31")
    assert json.loads(said.out)["as_of"] == "2024-05-31"
    # The land was cleared on the first of June: not yet known on the day before.
    assert set(result(folder).parcels["verdict"]) == {"pending", "not_ready"}


# -- machine formats


def test_check_as_json_counts_what_the_assessment_holds(folder, capsys):
    said = check(capsys, folder, "--format", "json")
    assert said.err == ""
    data = json.loads(said.out)
    judged = result(folder)
    assert data["schema_version"] == "1"
    assert data["counts"] == judged.provenance.counts == {"in": 3, "out": 3, "dropped": 0}
    (zone, total) = data["zones"]
    assert (zone["zone_code"], zone["ready_parcels"], zone["pending_parcels"], zone["not_ready_parcels"]) == (
        "Z1",
        1,
        0,
        2,
    )
    assert total["total_area_m2"] == pytest.approx(float(judged.parcels["area_m2"].sum()))
    assert [reason["parcels"] for reason in data["reasons"]] == [1, 1]
    assert {Path(file).name for file in data["files"]} == {"核验.gpkg", "核验.xlsx"}
    assert all(Path(file).is_file() for file in data["files"])
    roles = {source["role"] for source in data["sources"]}
    assert {
        "project",
        "parcels",
        "table",
        "zones",
        "layer:farmland",
        "extent:farmland",
        "evaluations",
        "events",
    } == roles
    assert all(re.fullmatch("[0-9a-f]{64}", source["sha256"]) for source in data["sources"])


def test_the_sample_counts_agree_between_json_and_assessment(checked, judged, capsys, tmp_path):
    data = json.loads(check(capsys, checked, "--format", "json", "-o", str(tmp_path)).out)
    total = data["zones"][-1]
    for verdict, count in judged.parcels["verdict"].value_counts().items():
        assert total[f"{verdict}_parcels"] == count
        held = (judged.parcels["verdict"] == verdict).to_numpy()
        assert total[f"{verdict}_area_m2"] == pytest.approx(judged.parcels["area_m2"][held].sum())
    for state in ("ready", "pending", "not_ready", "total"):
        assert sum(zone[f"{state}_parcels"] for zone in data["zones"][:-1]) == total[f"{state}_parcels"]
    for severity, count in data["issues"].items():
        assert count == (judged.issues["severity"] == severity).sum()
    ranked = [reason["parcels"] for reason in data["reasons"]]
    assert len(ranked) == 10
    assert ranked == sorted(ranked, reverse=True)


def test_inspect_as_json_has_the_keys_that_are_promised(checked, capsys):
    said = run(capsys, "inspect", checked / "地块" / "地块.shp", "--format", "json")
    data = json.loads(said.out)
    assert set(data) == {"schema_version", "sources"}
    (source,) = data["sources"]
    promised = {
        "path",
        "outcome",
        "rows_in",
        "rows_imported",
        "rows_rejected",
        "area_m2",
        "crs",
        "encoding",
        "issues",
    }
    assert promised <= set(source)
    assert source["outcome"] == "flagged"
    assert (source["rows_in"], source["rows_imported"], source["rows_rejected"]) == (291, 291, 0)
    assert (source["crs"], source["encoding"]) == ("EPSG:4526", "gb18030")
    for issue in source["issues"]:
        assert {"code", "severity", "row", "field", "value", "message_zh", "message_en", "mend"} <= set(issue)
        assert re.fullmatch(r"(FILE|ENC|CRS|GEOM|ATTR|TXT|RASTER|LIMIT|SEC)\.[A-Z_]+", issue["code"])


def test_a_rulebook_as_json_says_its_name_and_day(capsys):
    data = json.loads(
        run(capsys, "rules", "show", "cn.national-2023", "--as-of", DAY, "--format", "json").out
    )
    assert (data["schema_version"], data["rulebook"], data["as_of"]) == ("1", "cn.national-2023", DAY)
    assert [rule["rule_id"] for rule in data["rules"]][:2] == ["far.min", "building_coefficient.min"]


# -- explain


@pytest.mark.parametrize(
    ("lang", "words"),
    [("zh", ("149.93 万元/亩", "不低于 150 万元/亩", "差 0.07", "依据：", "自 2022-12-25 起")),
     ("en", ("149.93 万元/亩", "at least 150 万元/亩", "short by 0.07", "Reference: ", "since 2022-12-25"))],
)  # fmt: skip
def test_explain_gives_value_limit_margin_clause_and_day(checked, capsys, lang, words):
    said = run(capsys, "explain", "A-2", "-p", checked, "--lang", lang)
    assert (said.code, said.err) == (0, "")
    (line,) = [line for line in said.out.splitlines() if "[invest_intensity.min]" in line]
    for word in words:
        assert word in line


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_reason_of_the_sample_parcel_has_value_limit_clause_and_day(checked, capsys, lang):
    said = run(capsys, "explain", "A-2", "-p", checked, "--lang", lang)
    lines = [line for line in said.out.splitlines() if line.startswith("  - ")]
    data = json.loads(run(capsys, "explain", "A-2", "-p", checked, "--lang", lang, "--format", "json").out)
    assert len(lines) == len(data["findings"]) == len(data["reasons"]) == 27
    found = {finding["rule_id"]: finding for finding in data["findings"]}
    cite, since = ("依据：", "自 {} ") if lang == "zh" else ("Reference: ", "since {}")
    for line in lines:
        row = found[re.search(r"\[([a-z_.]+)\]$", line)[1]]
        assert cite + row["reference"] in line
        assert since.format(row["since"][:4])[:-1] in line
        if row["measured"] is not None:
            assert row["unit"].strip("1") in line
            for number in (row["measured"], row["required"]):
                assert f"{number:.2f}".rstrip("0").rstrip(".") in line
            if row["margin"]:
                assert f"{abs(row['margin']):.2f}".rstrip("0").rstrip(".") in line


def test_an_unknown_value_says_what_is_missing(folder, capsys):
    edit(folder / "台账.csv", ("P-1,200", "P-1,"))
    check(capsys, folder)
    said = run(capsys, "explain", "P-1", "-p", folder)
    assert (
        "无法核验：固定资产投资强度：没有数据，要求不低于 150 万元/亩。依据：示例办法，第一条，自 2020-01-01 起。"
        in said.out
    )


# -- lists


def mu(area_m2: float) -> float:
    return round(convert(area_m2, "m2", "亩"), 2)


@pytest.mark.parametrize("kind", ["stock", "incremental"])
def test_every_row_of_a_list_has_its_reason_and_the_totals_close(checked, judged, capsys, kind):
    data = json.loads(run(capsys, "list", kind, "-p", checked, "--format", "json").out)
    assert (data["schema_version"], data["as_of"], data["list"]) == ("1", DAY, kind)
    assert len(data["rows"]) > 10
    assert all(row["supply_reason_zh"] and row["supply_reason_en"] for row in data["rows"])
    balance = {row["supply_class"]: row for row in data["balance"]}
    total = balance.pop("total")
    assert balance[kind]["parcels"] == len(data["rows"])
    assert mu(balance[kind]["area_m2"]) == mu(sum(row["area_m2"] for row in data["rows"]))
    assert sum(row["parcels"] for row in balance.values()) == total["parcels"] == len(judged.parcels)
    assert mu(sum(row["area_m2"] for row in balance.values())) == mu(total["area_m2"])
    said = run(capsys, "list", kind, "-p", checked).out
    assert f"合计 {len(data['rows'])} 宗，{mu(balance[kind]['area_m2']):,.2f} 亩" in said


@pytest.mark.parametrize("kind", ["stock", "incremental"])
def test_a_list_as_csv_adds_up_and_opens_in_excel(checked, capsys, tmp_path, kind):
    file = tmp_path / "清单.csv"
    said = run(capsys, "list", kind, "-p", checked, "-o", file)
    assert said.out == f"已写 {file}\n"
    body = file.read_bytes()
    assert body.startswith(b"\xef\xbb\xbf")
    *rows, total = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    data = json.loads(run(capsys, "list", kind, "-p", checked, "--format", "json").out)
    assert [row["地块编号"] for row in rows] == [row["parcel_id"] for row in data["rows"]]
    assert all(row["列入理由"] for row in rows)
    assert (total["地块编号"], total["地块名称"]) == ("合计", f"{len(rows)} 宗")
    assert float(total["平面面积（亩）"]) == mu(sum(row["area_m2"] for row in data["rows"]))
    # Rounded rows may differ from the sum by half a hundredth each, and by no more.
    assert abs(
        sum(float(row["平面面积（亩）"]) for row in rows) - float(total["平面面积（亩）"])
    ) <= 0.005 * len(rows)


def test_cells_that_excel_would_run_are_quoted(folder, capsys):
    names = ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)"]
    write_layer(drawn(地块编号=["P-1", "P-2", "P-3"], 地块名称=names), folder / "地块.gpkg")
    (folder / "农田.gpkg").unlink()
    edit(
        folder / "规则" / "small.yaml",
        ("farmland_overlap_m2", "zone_share"),
        ("at_most", "covered"),
        ("unit: m2", 'unit: "%"'),
    )
    edit(folder / "台账.csv", ("P-3,100", "P-3,150"))
    check(capsys, folder)
    text = run(capsys, "list", "stock", "-p", folder, "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["地块名称"] for row in rows] == [*(f"'{name}" for name in names), "3 宗"]
    assert "\r" not in text


def test_a_list_is_written_as_csv_or_json_and_as_nothing_else(checked, capsys, tmp_path):
    said = run(capsys, "list", "stock", "-p", checked, "-o", tmp_path / "清单.docx")
    assert said.code == 2
    assert "清单不能写成 .docx" in said.err
    assert run(capsys, "list", "stock", "-p", checked, "-o", tmp_path / "清单.json").code == 0
    assert json.loads((tmp_path / "清单.json").read_text(encoding="utf-8"))["list"] == "stock"


# -- the saved result


@pytest.fixture
def judgings(monkeypatch) -> list[str]:
    """The days judged for, as they are."""
    real = landplan.pipeline.assess
    days: list[str] = []

    def counted(source, *, as_of, **how):
        days.append(as_of.isoformat())
        return real(source, as_of=as_of, **how)

    monkeypatch.setattr(landplan.pipeline, "assess", counted)
    return days


def test_explain_and_list_use_the_saved_result_while_nothing_has_changed(folder, capsys, judgings):
    check(capsys, folder)
    judgings.clear()
    explained = run(capsys, "explain", "P-1", "-p", folder)
    listed = run(capsys, "list", "stock", "-p", folder)
    again = run(capsys, "explain", "P-1", "-p", folder, "--as-of", DAY)
    assert judgings == []
    assert (explained.err, listed.err, again.err) == ("", "", "")
    assert f"评定日 {DAY}" in explained.out
    assert again.out == explained.out


@pytest.mark.parametrize(
    "name", ["台账.csv", "规则/small.yaml", "农田.gpkg", "调查范围.gpkg", "landplan.toml"]
)
def test_a_changed_input_is_judged_again_and_that_is_said(folder, capsys, judgings, name):
    check(capsys, folder)
    judgings.clear()
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    said = run(capsys, "explain", "P-1", "-p", folder)
    assert said.code == 0
    assert len(judgings) == 1
    named = "small" if name.startswith("规则") else name
    assert said.err == f"输入已改动（{named}），重新评定 / inputs changed, judging again\n"


def test_a_changed_figure_changes_the_answer_without_another_check(folder, capsys):
    check(capsys, folder)
    assert "暂不具备" in run(capsys, "explain", "P-3", "-p", folder, "--as-of", DAY).out
    edit(folder / "台账.csv", ("P-3,100", "P-3,150"))
    assert "具备出让条件" in run(capsys, "explain", "P-3", "-p", folder, "--as-of", DAY).out.splitlines()[0]


def test_another_day_is_judged_for_that_day(folder, capsys, judgings):
    check(capsys, folder)
    judgings.clear()
    said = run(capsys, "explain", "P-1", "-p", folder, "--as-of", "2024-05-31")
    assert judgings == ["2024-05-31"]
    assert "评定日 2024-05-31" in said.out
    assert "无法核验：净地" in said.out
    # What was saved is the record of the check and stays so.
    assert result(folder).provenance.as_of == AS_OF


def test_a_saved_result_that_cannot_be_read_is_judged_again(folder, capsys, judgings):
    check(capsys, folder)
    judgings.clear()
    (folder / "结果" / "核验.gpkg").write_bytes(b"not a GeoPackage")
    said = run(capsys, "explain", "P-1", "-p", folder)
    assert said.code == 0
    assert len(judgings) == 1
    assert "重新评定" in said.err
    assert "judging again" in said.err


# -- the demo, the map


def test_the_demo_writes_the_sample_judges_it_and_leaves_every_result(tmp_path, capsys, sample):
    said = run(capsys, "demo", tmp_path / "示例", "--as-of", DAY)
    assert said.code == 0
    made = {file.name for file in (tmp_path / "示例" / "结果").iterdir()}
    assert made == {
        "一张图.html",
        "招商地图.html",
        "存量可出让清单.csv",
        "增量可报批清单.csv",
        "核验.xlsx",
        "核验.gpkg",
    }
    for name in made:
        assert name in said.out
    assert (tmp_path / "示例" / "landplan.toml").read_bytes() == (sample / "landplan.toml").read_bytes()
    assert "示例数据" in said.out.splitlines()[0]
    parcels = load_assessment(tmp_path / "示例" / "结果" / "核验.gpkg").parcels
    assert parcels.at["A-2", "verdict"] == "not_ready"


def test_a_map_is_written_beside_the_results_or_where_it_is_asked_for(folder, capsys, tmp_path):
    check(capsys, folder)
    said = run(capsys, "map", "planner", "-p", folder)
    assert said.code == 0
    assert (folder / "结果" / "一张图.html").is_file()
    run(capsys, "map", "investor", "-p", folder, "-o", tmp_path / "新" / "页.html")
    page = (tmp_path / "新" / "页.html").read_text(encoding="utf-8")
    assert "P-1" in page
    assert "P-3" not in page


def test_doctor_names_what_support_asks_for(tmp_path, capsys):
    said = run(capsys, "doctor", tmp_path)
    assert said.code == 0
    for word in (
        "landplan",
        "Python",
        "GDAL",
        "pyogrio",
        "fiona",
        "rasterio",
        "地图资源",
        "中文字体",
        "控制台编码",
        "写权限",
    ):
        assert word in said.out
    assert str(tmp_path) in said.out


def test_doctor_exits_with_3_where_nothing_can_be_written(tmp_path, capsys):
    said = run(capsys, "doctor", tmp_path / "nowhere")
    assert said.code == 3
    assert "换一个可写的文件夹" in said.out
    assert "choose another folder" in said.out


def test_doctor_says_which_library_does_not_load_and_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "fiona", None)  # what a broken DLL looks like from here
    said = run(capsys, "doctor", tmp_path)
    assert said.code == 3
    assert re.search("注意  GDAL .*ModuleNotFoundError: import of fiona halted", said.out)
    assert "重新安装 landplan / install landplan again" in said.out
    assert re.search("正常  PROJ ", said.out)
    assert "写权限" in said.out


def test_the_version_is_the_one_installed(capsys):
    from importlib.metadata import version

    assert version("landplan") in run(capsys, "--version").out


def test_missing_values_reach_json_as_null(folder, capsys):
    edit(folder / "台账.csv", ("P-1,200", "P-1,"))
    check(capsys, folder)
    data = json.loads(run(capsys, "explain", "P-1", "-p", folder, "--format", "json").out)
    (row,) = [finding for finding in data["findings"] if finding["rule_id"] == "invest_intensity.min"]
    assert (row["measured"], row["status"], row["reason"]) == (None, "unknown", "missing")
    assert pd.Timestamp(row["since"]) == pd.Timestamp("2020-01-01")


@pytest.mark.parametrize("asked", [["--save", "parquet"], []])
def test_very_many_parcels_are_kept_as_a_folder_and_the_lists_read_it(asked, tmp_path, capsys, monkeypatch):
    import shutil

    copy = tmp_path / "项目"
    shutil.copytree(Path(__file__).resolve().parents[1] / "gis_data" / "sample", copy)
    if not asked:
        monkeypatch.setattr("landplan.cli.judged._MOST_IN_BOOK", 10)
    for words in (
        ["check", "-p", str(copy), *asked, "--as-of", "2026-11-20"],
        ["list", "stock", "-p", str(copy)],
    ):
        with pytest.raises(SystemExit) as done:
            main(words)
        assert done.value.code == 0
    said = capsys.readouterr()
    assert (copy / "结果" / "核验.parquet" / "assessment.json").is_file()
    assert not (copy / "结果" / "核验.xlsx").exists()
    assert "重新评定" not in said.err
    assert ("不写工作簿" in said.err) is (not asked)
