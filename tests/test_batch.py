"""A folder of counties: what fails costs itself, what is done is not done again, and what changed is said."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import unquote

import openpyxl
import pytest
from projects import drawn, edit, write_layer, write_project
from projects import run as landplan
from worlds import box, layer

from landplan.batch import Manifest, Record, Settings, run_batch
from landplan.batch.change import keep_baseline
from landplan.batch.folder import find_units
from landplan.batch.manifest import Log, hold_folder, on_one_line
from landplan.batch.pool import WORKER, Pool
from landplan.batch.progress import describe_record
from landplan.batch.work import Task, hash_inputs
from landplan.errors import StoreError, UsageError
from landplan.publish import publish_text

SETTINGS = Settings(date(2026, 11, 20), jobs=2, timeout=120)
AGAIN = replace(SETTINGS, resume=True)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

# A worker that does to itself what a broken library does, when it comes to the unit named.
HOOK = """\
import os, sys, time
from landplan.batch import work, worker
real = work._judge
def judge(project, task, say):
    if os.path.basename(task.path) == {name!r}:
        {act}
    return real(project, task, say)
work._judge = judge
worker.main(int(sys.argv[1]))
"""


def run(folder: Path, out: Path, settings: Settings = SETTINGS) -> Manifest:
    return run_batch(folder, out, settings, clock=lambda: NOON)


def hooked(folder: Path, name: str, act: str) -> tuple[str, ...]:
    script = folder / "worker.py"
    script.write_text(HOOK.format(name=name, act=act), encoding="utf-8")
    return (sys.executable, str(script))


def states(manifest: Manifest) -> dict[str, str]:
    return {name: record.state for name, record in manifest.records.items()}


def redone(manifest: Manifest) -> set[str]:
    return {name for name, record in manifest.records.items() if not record.is_carried}


def sheet(out: Path, name: str) -> list[dict[str, object]]:
    """Rows of a sheet by header; the header is the first row whose first cell is 单元."""
    rows = [
        [cell.value for cell in row] for row in openpyxl.load_workbook(out / "汇总.xlsx")[name].iter_rows()
    ]
    at = next(k for k, row in enumerate(rows) if row[0] == "单元")
    return [dict(zip(rows[at], row, strict=True)) for row in rows[at + 1 :]]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run over three projects of three parcels, one of them broken."""
    home = tmp_path_factory.mktemp("batch")
    for name in ("上虞", "柯桥", "诸暨"):
        write_project(home / "in" / name)
    (home / "in" / "上虞" / "地块.gpkg").write_bytes(b"SQLite format 3\0 cut off")
    (home / "in" / "请示.docx").write_bytes(b"a letter")
    run(home / "in", home / "out", replace(SETTINGS, log=home / "log.ndjson"))
    return home


@pytest.fixture
def home(first: Path, tmp_path: Path) -> Path:
    """A copy of that run to go on from."""
    return Path(shutil.copytree(first, tmp_path / "home"))


def test_a_broken_project_costs_no_other_and_says_how_to_mend_it(first: Path):
    manifest = Manifest.load(first / "out" / "batch.json")
    assert manifest is not None
    assert states(manifest) == {"上虞": "failed", "柯桥": "done", "诸暨": "done"}
    assert manifest.is_failed
    assert manifest.ignored == ["请示.docx"]
    for name in ("柯桥", "诸暨"):
        assert {file.name for file in (first / "out" / name).iterdir()} == {
            "核验.gpkg", "核验.xlsx", "一张图.html", "变化.json",
        }  # fmt: skip
    assert not (first / "out" / "上虞" / "核验.gpkg").exists()
    failures = sheet(first / "out", "失败")
    assert [row["单元"] for row in failures] == ["上虞"]
    assert "地块.gpkg" in str(failures[0]["位置"])
    assert failures[0]["怎么办"]


def test_the_totals_of_the_summary_are_the_sums_of_its_rows(first: Path):
    *rows, total = sheet(first / "out", "汇总")
    # Each good project has P-1 ready, P-2 on farmland and P-3 below its intensity: 15 亩 each.
    judged = [row for row in rows if row["结果"] == "完成"]
    assert [(row["具备出让条件（宗）"], row["暂不具备（宗）"], row["评定合计（亩）"]) for row in judged] == [
        (1, 2, 45)
    ] * 2
    for header in ("具备出让条件", "待补正", "暂不具备", "评定合计"):
        for unit in ("（宗）", "（亩）"):
            parts = [row[header + unit] or 0 for row in rows]
            assert total[header + unit] == pytest.approx(sum(parts))
    assert total["评定合计（宗）"] == 6
    assert (
        total["评定合计（亩）"]
        == total["具备出让条件（亩）"] + total["待补正（亩）"] + total["暂不具备（亩）"]
    )
    assert [row["评定合计（宗）"] for row in rows if row["单元"] == "上虞"] == [None]


def test_every_link_of_the_summary_is_relative_and_leads_to_a_file(first: Path):
    page = openpyxl.load_workbook(first / "out" / "汇总.xlsx")["汇总"]
    links = [cell.hyperlink.target for row in page.iter_rows() for cell in row if cell.hyperlink]
    assert len(links) == 6
    for link in links:
        assert not Path(link).is_absolute()
        assert (first / "out" / unquote(link).replace("\\", "/")).is_file()


def test_the_header_is_frozen_and_filtered_and_no_cell_is_a_formula(first: Path):
    for page in openpyxl.load_workbook(first / "out" / "汇总.xlsx"):
        head = next(row[0].row for row in page.iter_rows() if row[0].value == "单元")
        assert page.freeze_panes == f"C{head + 1}"
        assert page.auto_filter.ref.startswith(f"A{head}:")
        assert all(cell.data_type != "f" for row in page.iter_rows() for cell in row)


def test_each_line_of_the_log_is_one_event(first: Path):
    lines = [json.loads(line) for line in (first / "log.ndjson").read_text(encoding="utf-8").splitlines()]
    assert {line["schema_version"] for line in lines} == {"1"}
    assert [line["event"] for line in lines].count("unit_finished") == 3
    assert (lines[0]["event"], lines[-1]["event"]) == ("run_started", "run_finished")
    ended = {line["unit"]: line for line in lines if line["event"] == "unit_finished"}
    assert ended["柯桥"]["counts"]["ready"] == [1, 10000.0]
    assert (ended["柯桥"]["attempt"], len(ended["柯桥"]["sha256"])) == (1, 64)
    assert ended["柯桥"]["seconds"] > 0


def test_a_log_line_stays_one_line_whatever_a_unit_is_called():
    name = "a\n\x1b[31m\u2028\u202e\x85\udcff"
    line = on_one_line({"unit": name})
    assert line.isprintable()
    assert line.isascii()
    assert json.loads(line)["unit"] == name


def test_resume_redoes_what_failed_and_what_changed_and_nothing_else(home: Path):
    archive = home / "out" / "诸暨" / "核验.gpkg"
    before = archive.stat().st_mtime_ns
    edit(home / "in" / "柯桥" / "台账.csv", ("P-3,100", "P-3,200"))
    manifest = run(home / "in", home / "out", AGAIN)
    assert redone(manifest) == {"上虞", "柯桥"}
    assert states(manifest) == {"上虞": "failed", "柯桥": "done", "诸暨": "done"}
    assert archive.stat().st_mtime_ns == before
    total = sheet(home / "out", "汇总")[-1]
    assert total["具备出让条件（宗）"] == 3, "what is carried over still counts"

    changed = sheet(home / "out", "与上次比较")
    assert [(row["单元"], row["地块编号"], row["变化"]) for row in changed] == [("柯桥", "P-3", "结论变化")]
    assert (changed[0]["上次结论"], changed[0]["本次结论"]) == ("暂不具备", "具备出让条件")
    assert changed[0]["上次评定日"] == datetime(2026, 11, 20)
    assert changed[0]["本次理由"] == "强制性规则全部通过"


def test_whatever_a_result_rests_on_makes_another_hash_and_nothing_else_does(tmp_path: Path):
    folder = write_project(tmp_path / "诸暨")
    task = Task("project", str(folder), str(tmp_path / "out"), "2026-11-20", 1)
    seen = [hash_inputs(task)]
    (folder / "往来函件.docx").write_bytes(b"a letter")
    (folder / "结果").mkdir()
    (folder / "结果" / "核验.xlsx").write_bytes(b"of landplan check")
    assert hash_inputs(replace(task, run=2, target="elsewhere")) == seen[0]

    seen.append(hash_inputs(replace(task, as_of="2026-11-21")))
    for name, old, new in (
        ("台账.csv", "P-3,100", "P-3,200"),
        ("事项.csv", "P-3,净地,2024", "P-3,净地,2023"),
        ("规则/small.yaml", "2020-01-01: 150", "2020-01-01: 90"),
        ("landplan.toml", "三宗地", "三宗"),
    ):
        edit(folder / name, (old, new))
        seen.append(hash_inputs(task))
    write_layer(layer(box(250, 0, 50, 99)), folder / "农田.gpkg")
    seen.append(hash_inputs(task))
    assert len(set(seen)) == len(seen) == 7


def test_a_parcel_file_is_hashed_with_its_parts_its_rulebook_and_its_profile(tmp_path: Path):
    file = write_layer(drawn(DKBH=["P-1", "P-2", "P-3"]), tmp_path / "地块.shp")
    (tmp_path / "县.yaml").write_text("columns: {DKBH: parcel_id}", encoding="utf-8")
    task = Task("file", str(file), str(tmp_path / "out"), "2026-11-20", 1)
    seen = [hash_inputs(task), hash_inputs(replace(task, rules="cn.shanxi"))]
    seen.append(hash_inputs(replace(task, profile=str(tmp_path / "县.yaml"))))
    file.with_suffix(".cpg").write_text("GB18030")
    seen.append(hash_inputs(task))
    assert len(set(seen)) == 4


def test_parcels_and_counties_that_came_or_went_are_named(home: Path):
    moved = layer(box(0, 0, 100), box(200, 0, 100), box(400, 0, 100), 地块编号=["P-1", "P-2", "P-9"])
    write_layer(moved, home / "in" / "柯桥" / "地块.gpkg")
    shutil.rmtree(home / "in" / "诸暨")
    manifest = run(home / "in", home / "out")
    assert states(manifest) == {"上虞": "failed", "柯桥": "done", "诸暨": "gone"}
    found = {(row["单元"], row["地块编号"]): row["变化"] for row in sheet(home / "out", "与上次比较")}
    assert found == {
        ("柯桥", "P-9"): "新增", ("柯桥", "P-3"): "消失",
        ("诸暨", "P-1"): "消失", ("诸暨", "P-2"): "消失", ("诸暨", "P-3"): "消失",
    }  # fmt: skip
    assert "诸暨" not in states(run(home / "in", home / "out", AGAIN)), "gone is said once"


def test_what_a_run_compares_with_is_what_stood_before_it_however_often_it_is_broken_off(home: Path):
    folder = home / "out" / "柯桥"
    before = keep_baseline(folder, folder / "核验.gpkg", 2, is_known=True).before
    assert {pid: verdict for pid, (verdict, _) in before.items()} == {
        "P-1": "ready", "P-2": "not_ready", "P-3": "not_ready",
    }  # fmt: skip
    (folder / "核验.gpkg").unlink()
    assert keep_baseline(folder, folder / "核验.gpkg", 2, is_known=True).before == before
    assert keep_baseline(folder, folder / "核验.gpkg", 3, is_known=True).before == {}


def test_a_unit_that_kills_its_process_twice_is_quarantined_until_its_data_change(home: Path):
    shutil.rmtree(home / "in" / "上虞")
    shutil.rmtree(home / "out")
    killed = hooked(home, "诸暨", "os.kill(os.getpid(), 9)")
    log = home / "kill.ndjson"
    manifest = run(home / "in", home / "out", replace(SETTINGS, worker=killed, log=log))
    assert states(manifest) == {"柯桥": "done", "诸暨": "quarantined"}
    assert manifest.records["诸暨"].attempts == 2
    events = [json.loads(line)["event"] for line in log.read_text(encoding="utf-8").splitlines()]
    assert events.count("unit_retried") == 1
    row = next(row for row in sheet(home / "out", "汇总") if row["单元"] == "诸暨")
    assert row["结果"] == "隔离"
    assert "已隔离" in str(row["说明"])

    # Its worker is well again, but nobody knows that: its data are the same.
    again = run(home / "in", home / "out", AGAIN)
    assert states(again) == {"柯桥": "done", "诸暨": "quarantined"}
    edit(home / "in" / "诸暨" / "台账.csv", ("P-3,100", "P-3,200"))
    assert states(run(home / "in", home / "out", AGAIN))["诸暨"] == "done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_batch_that_is_ended_loses_the_running_unit_alone(home: Path, number: int):
    shutil.rmtree(home / "in" / "上虞")
    shutil.rmtree(home / "out")
    script = home / "main.py"
    worker = hooked(home, "诸暨", "time.sleep(300)")
    script.write_text(
        "import sys\nfrom landplan.batch import run\nfrom landplan.cli import main\npool = run.Pool\n"
        f"run.Pool = lambda jobs, timeout, memory, command: pool(jobs, timeout, memory, {worker!r})\n"
        "main(sys.argv[1:])\n",
        encoding="utf-8",
    )
    words = ["batch", str(home / "in"), "--out", str(home / "out"), "--jobs", "1", "--as-of", "2026-11-20"]
    batch = subprocess.Popen(
        [sys.executable, str(script), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 30
    while '"state": "done"' not in _text(home / "out" / "batch.json") and time.monotonic() < until:
        time.sleep(0.05)
    batch.send_signal(number)
    out, _ = batch.communicate(timeout=30)
    if number == signal.SIGTERM:
        assert batch.returncode == 3
        assert "已中断" in out.decode()
    manifest = Manifest.load(home / "out" / "batch.json")
    assert manifest is not None
    assert not manifest.finished
    assert {name: record.is_pending for name, record in manifest.records.items()} == {
        "柯桥": False,
        "诸暨": True,
    }
    ended = run(home / "in", home / "out", AGAIN)
    assert (ended.run, states(ended)) == (1, {"柯桥": "done", "诸暨": "done"})
    assert {name: record.attempts for name, record in ended.records.items()} == {"柯桥": 0, "诸暨": 1}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


TASK = Task("file", "nowhere", "nowhere", "2026-11-20", 1)


def _events(pool: Pool) -> list[tuple[str, dict[str, object]]]:
    pool.begin("a", TASK)
    found = []
    try:
        until = time.monotonic() + 30
        while not found and time.monotonic() < until:
            found = [(event.kind, event.facts) for event in pool.wait(0.2)]
    finally:
        pool.close()
    return found


def test_a_unit_that_hangs_is_ended_and_its_place_is_said():
    idle = (
        sys.executable,
        "-c",
        'import time; print(\'{"kind": "step", "text": "read"}\', flush=True); time.sleep(99)',
    )
    ((kind, facts),) = _events(Pool(1, timeout=1.0, command=idle))
    assert kind == "hung"
    assert "停在步骤：read" in str(facts["fault"])


def test_a_unit_that_eats_memory_is_refused_it(tmp_path: Path):
    script = tmp_path / "worker.py"
    script.write_text(
        "import sys\nfrom landplan.batch import work, worker\n"
        "work.do_task = lambda task, say: bytearray(4 << 30)\nworker.main(int(sys.argv[1]))\n"
    )
    pool = Pool(1, timeout=60, memory=1 << 30, command=(sys.executable, str(script)))
    ((kind, facts),) = _events(pool)
    assert (kind, facts["state"]) == ("result", "crashed")
    assert "1.0 GB" in str(facts["faults"])


def test_a_worker_does_not_outlive_its_parent():
    assert subprocess.run([*WORKER, "0"], stdin=subprocess.DEVNULL, timeout=30, check=False).returncode == 0


def test_loose_files_are_looked_into_and_judged_where_they_hold_parcels(tmp_path: Path):
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "诸暨").mkdir(parents=True)
    write_layer(drawn(), folder / "诸暨" / "地块.gpkg")
    write_layer(layer(box(0, 0, 100)), folder / "农田.gpkg")
    (folder / "断.shp").write_bytes(b"\x00\x00\x27\x0a")
    manifest = run(folder, out, replace(SETTINGS, rules="cn.shanxi"))
    assert states(manifest) == {"农田.gpkg": "inspected", "断.shp": "rejected", "诸暨/地块.gpkg": "done"}
    # No layer, no ledger, no event: nothing is known, and nothing unknown is a pass.
    assert manifest.records["诸暨/地块.gpkg"].counts["pending"] == [3, 30000.0]
    assert "没有识别到地块编号" in manifest.records["农田.gpkg"].note
    assert (
        json.loads((out / "农田.gpkg" / "检查.json").read_text(encoding="utf-8"))["sources"][0]["path"]
        == "农田.gpkg"
    )
    assert manifest.records["断.shp"].faults[0]["at"].startswith("断.shp")


HOSTILE = ["=1+1", "a\nb", "#锚%20", "CON", "汇总.xlsx", "尾点.", "\x1b[31m红", "\u202e反向", "a&b'c"]


def test_results_of_units_with_hostile_names_have_folders_of_their_own(tmp_path: Path):
    for name in [*HOSTILE, os.fsdecode(b"\xff\xfe")]:
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "landplan.toml").touch()
    units, _ = find_units(tmp_path / "in", tmp_path / "out")
    targets = [unit.target for unit in units]
    assert len(targets) == len(HOSTILE) + 1
    assert len({target.casefold() for target in targets}) == len(targets)
    for target in targets:
        assert not set(target) & set("\\/:*?\"<>|#%&'\n\x1b\u202e")
        assert target == target.strip(". ")
        assert target not in ("CON", "汇总.xlsx")
        target.encode("utf-8")


def test_a_hostile_name_stays_text_in_every_outlet(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    name = "=cmd|'!A1\n\x1b[31m#"
    write_project(tmp_path / "in" / "诸暨").rename(tmp_path / "in" / name)
    (tmp_path / "in" / os.fsdecode(b"\xff.csv")).write_text("x", encoding="utf-8")
    log = tmp_path / "log.ndjson"
    said = landplan(
        capsys,
        "batch",
        tmp_path / "in",
        "--out",
        tmp_path / "out",
        "--as-of",
        "2026-11-20",
        "--log",
        log,
        "--jobs",
        2,
    )
    assert said.code == 3, "the CSV is no table"
    assert "\x1b" not in said.all
    assert len(said.err.splitlines()) == 2
    assert all(json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    cell = next(row["单元"] for row in sheet(tmp_path / "out", "汇总") if row["结果"] == "完成")
    assert cell == "=cmd|'!A1  [31m#"
    page = openpyxl.load_workbook(tmp_path / "out" / "汇总.xlsx")["汇总"]
    links = [cell.hyperlink.target for row in page.iter_rows() for cell in row if cell.hyperlink]
    assert len(links) == 3
    assert all((tmp_path / "out" / unquote(link).replace("\\", "/")).is_file() for link in links)


def test_a_link_is_never_followed(tmp_path: Path):
    write_project(tmp_path / "elsewhere")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "诸暨").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "in" / "圈").symlink_to(tmp_path / "in", target_is_directory=True)
    units, _ = find_units(tmp_path / "in", tmp_path / "out")
    assert [(unit.name, unit.kind) for unit in units] == [("圈", "file"), ("诸暨", "file")]
    manifest = run(tmp_path / "in", tmp_path / "out")
    assert {record.faults[0]["en"] for record in manifest.records.values()} != {""}
    assert states(manifest) == {"圈": "rejected", "诸暨": "rejected"}


def test_results_inside_the_folder_are_not_taken_for_sources(tmp_path: Path):
    write_project(tmp_path / "诸暨")
    out = tmp_path / "结果"
    (out / "柯桥").mkdir(parents=True)
    write_layer(drawn(), out / "柯桥" / "核验.gpkg")
    units, _ = find_units(tmp_path, out)
    assert [unit.name for unit in units] == ["诸暨"]


def test_the_parts_of_a_source_are_not_sources_of_their_own(tmp_path: Path):
    for name in (
        "a.b.shp",
        "a.b.dbf",
        "a.b.prj",
        "a.b.shp.xml",
        "~$台账.xlsx",
        "台账.xlsx",
        ".x.gpkg",
        "说明.pdf",
    ):
        (tmp_path / name).touch()
    units, ignored = find_units(tmp_path, tmp_path / "out")
    assert [unit.name for unit in units] == ["a.b.shp", "台账.xlsx"]
    assert ignored == ["说明.pdf"]


def test_a_batch_with_nothing_wrong_leaves_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_project(tmp_path / "in" / "诸暨")
    said = landplan(capsys, "batch", tmp_path / "in", "--out", tmp_path / "out", "--as-of", "2026-11-20")
    assert said.code == 0
    assert "成功 1，失败 0" in said.out
    assert said.err.startswith("[1/1] 诸暨　完成　具备出让条件 1 宗 15.00 亩")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere", "--out", "out"], "找不到这个文件夹"),
        (["empty", "--out", "out"], "没有项目"),
        (["in", "--out", "in"], "混在一起"),
        (["in/诸暨", "--out", "out"], "本身就是一个项目"),
        (["in", "--out", "out", "--rules", "no.such"], "no.such"),
        (["in", "--out", "out", "--profile", "nosuch"], "nosuch"),
        (["in", "--out", "out", "--jobs", "0"], "jobs"),
        (["in", "--out", "out", "--timeout", "0"], "timeout"),
        (["in"], "--out"),
    ],
)
def test_wrong_use_leaves_with_2_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    expected: str,
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "in" / "诸暨").mkdir(parents=True)
    (tmp_path / "in" / "诸暨" / "landplan.toml").touch()
    monkeypatch.chdir(tmp_path)
    said = landplan(capsys, "batch", *words)
    assert said.code == 2
    assert expected in said.err
    assert not (tmp_path / "out").exists()


def test_two_batches_do_not_write_to_one_folder(tmp_path: Path):
    write_project(tmp_path / "in" / "诸暨")
    with hold_folder(tmp_path / "out"), pytest.raises(UsageError, match="another batch"):
        run(tmp_path / "in", tmp_path / "out")


def test_a_manifest_of_another_is_not_overwritten(tmp_path: Path):
    write_project(tmp_path / "in" / "诸暨")
    other = publish_text(tmp_path / "out" / "batch.json", '{"jobs": []}')
    with pytest.raises(StoreError, match="not readable"):
        run(tmp_path / "in", tmp_path / "out")
    assert other.read_text() == '{"jobs": []}'


def test_a_manifest_reads_back_as_it_was_written(tmp_path: Path):
    record = Record(
        "a\udcff\n", "file", "a", faults=[{"en": "\x1b", "zh": "坏", "at": "", "mend_en": "", "mend_zh": ""}]
    )
    manifest = Manifest(
        3, {"as_of": "2026-11-20"}, records={record.name: record}, ignored=["b"], last={"as_of": "x"}
    )
    manifest.save(tmp_path / "batch.json")
    assert Manifest.load(tmp_path / "batch.json") == manifest
    record.state = "done"
    manifest.changed(record.name)
    manifest.save(tmp_path / "batch.json")
    assert Manifest.load(tmp_path / "batch.json") == manifest


def test_a_log_on_a_full_disk_costs_no_result(tmp_path: Path):
    log = Log(Path("/dev/full"), lambda: NOON)
    log.write("run_started", 1)
    assert log.trouble
    log.write("run_finished", 1)


def test_what_is_said_of_a_unit_survives_a_console_of_cp936():
    counts = {state: [1, 10000.0] for state in ("ready", "pending", "not_ready", "total")}
    fault = {"en": "", "zh": "坏", "at": "a", "mend_en": "", "mend_zh": "重发"}
    for record in (
        Record("诸暨", "project", "", "done", attempts=1, counts=counts),
        Record("诸暨", "project", "", "failed", attempts=1, faults=[fault, fault]),
        Record("a", "file", "", "inspected", issues={"error": 0, "warning": 1, "info": 0}, is_carried=True),
    ):
        assert describe_record(record).encode("cp936")
