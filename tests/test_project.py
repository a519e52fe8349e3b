"""The project file: what it may say, and that all it may not say is told at once, with the key."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from conftest import AS_OF
from projects import edit, write_project

from landplan.errors import ConfigError
from landplan.gather import read_inputs, read_layers
from landplan.gather.reading import Reading
from landplan.pipeline import assess
from landplan.project import changed_sources, load_project, own_source

SMALLEST = '[project]\nname = "甲"\n[parcels]\npaths = ["a.gpkg"]\n[rules]\nbook = "b"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_project(tmp_path / "项目")


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "landplan.toml"
    file.write_text(text, encoding=encoding)
    return file


def faults(folder: Path, text: str) -> dict[str, str]:
    """Places and Chinese words of every fault of a project file."""
    file = written(folder, text)
    with pytest.raises(ConfigError) as raised:
        load_project(file)
    for fault in raised.value.faults:
        assert fault.en
        assert fault.mend_zh
        assert fault.at.startswith(str(file))
    return {fault.at.removeprefix(f"{file}: "): fault.zh for fault in raised.value.faults}


def test_the_smallest_project_names_parcels_and_a_rulebook(tmp_path):
    project = load_project(written(tmp_path, SMALLEST))
    assert (project.project.name, project.parcels.paths, project.rules.book) == ("甲", ["a.gpkg"], "b")
    assert (project.project.sample, project.tables, project.layers, project.zones, project.terrain) == (
        False,
        [],
        [],
        None,
        None,
    )


def test_paths_are_relative_to_the_folder_of_the_file_wherever_it_is_read_from(tmp_path, monkeypatch):
    (tmp_path / "深").mkdir()
    written(tmp_path / "深", SMALLEST)
    monkeypatch.chdir(tmp_path)
    project = load_project(Path("深"))
    assert project.path("a.gpkg") == Path("深/a.gpkg")
    assert project.output == Path("深/结果")
    assert load_project(tmp_path / "深" / "landplan.toml").folder == tmp_path / "深"


def test_a_file_that_notepad_saved_with_a_byte_order_mark_is_read(tmp_path):
    assert load_project(written(tmp_path, SMALLEST, "utf-8-sig")).project.name == "甲"


def test_a_file_in_gbk_is_refused_with_the_way_to_save_it(tmp_path):
    file = written(tmp_path, SMALLEST, "gbk")
    with pytest.raises(ConfigError) as raised:
        load_project(file)
    assert "存为 UTF-8" in str(raised.value)
    assert str(file) in str(raised.value)


def test_a_line_that_is_not_toml_is_named(tmp_path):
    with pytest.raises(ConfigError, match="line 1, column 9"):
        load_project(written(tmp_path, "[project\nname = 1"))


def test_a_folder_without_a_project_file_says_how_to_get_one(tmp_path):
    with pytest.raises(ConfigError) as raised:
        load_project(tmp_path)
    assert raised.value.exit_code == 2
    assert "landplan demo" in raised.value.faults[0].mend_zh
    assert str(tmp_path / "landplan.toml") == raised.value.faults[0].at


def test_every_wrong_key_is_told_at_once_with_its_place(tmp_path):
    said = faults(
        tmp_path,
        '[project]\ncolour = 1\n[parcels]\npaths = []\n[[layers]]\nname = "Farm Land"\ntitle = "田"\npath = "a.gpkg"\n'
        '[[tables]]\npath = "t.csv"\nbasis = "guessed"\n',
    )
    assert said["project.name"] == "缺少键“project.name”。"
    assert said["project.colour"] == "未知的键“project.colour”。"
    assert said["rules"] == "缺少键“rules”。"
    assert set(said) == {
        "project.name",
        "project.colour",
        "parcels.paths",
        "layers.0.name",
        "tables.0.basis",
        "rules",
    }


def test_two_layers_of_one_name_and_one_file_named_twice_are_both_told(tmp_path):
    layers = '[[layers]]\nname = "farmland"\ntitle = "田"\npath = "a.gpkg"\n' * 2
    said = faults(tmp_path, SMALLEST.replace('["a.gpkg"]', '["a.gpkg", "a.gpkg"]') + layers)
    assert said == {
        "layers.name": "layers.name 中“farmland”出现两次。",
        "parcels.paths": "parcels.paths 中“a.gpkg”出现两次。",
    }


def test_an_item_that_is_complete_must_be_an_item(tmp_path):
    said = faults(
        tmp_path, SMALLEST + '[events]\npath = "e.csv"\ncomplete = ["sail"]\nitems = { sale = "出让" }\n'
    )
    assert said == {"events.complete": "complete 中的“sail”不在 items 里。"}


def test_the_inputs_hold_every_file_with_its_part_and_its_hash(folder):
    inputs = read_inputs(load_project(folder))
    assert {source.role: source.path for source in inputs.sources} == {
        "project": "landplan.toml",
        "parcels": "地块.gpkg",
        "zones": "范围.gpkg",
        "layer:farmland": "农田.gpkg",
        "extent:farmland": "调查范围.gpkg",
        "evaluations": "评估.gpkg",
        "table": "台账.csv",
        "events": "事项.csv",
    }
    assert len({source.sha256 for source in inputs.sources}) == 8
    assert [layer.title for layer in inputs.layers] == ["永久基本农田"]
    assert inputs.complete == ["sale"]


def test_what_is_read_beside_large_parcels_is_read_as_ever(folder, monkeypatch):
    project = load_project(folder)
    alone = read_inputs(project)
    monkeypatch.setenv("LANDPLAN_THREADS", "2")
    monkeypatch.setattr("landplan.gather.files._LARGE_BYTES", 1)
    monkeypatch.setattr("landplan.read.door._LARGE_BYTES", 1)
    begun = []
    real = Reading.begin
    monkeypatch.setattr(Reading, "begin", lambda *given: begun.append(given[1]) or real(*given))
    beside = read_inputs(project)
    assert begun == ["事项.csv"]
    assert beside.sources == alone.sources
    assert beside.issues == alone.issues
    pd.testing.assert_frame_equal(beside.events, alone.events)
    pd.testing.assert_frame_equal(beside.parcels, alone.parcels)


def test_layers_can_be_read_alone(folder):
    (found,) = read_layers(load_project(folder))
    assert (found.name, len(found.frame), len(found.extent)) == ("farmland", 1, 1)


def test_nothing_has_changed_right_after_a_judgement(folder):
    project = load_project(folder)
    assert changed_sources(assess(project, as_of=AS_OF).provenance, project) == []


@pytest.mark.parametrize(
    "name", ["地块.gpkg", "台账.csv", "范围.gpkg", "农田.gpkg", "调查范围.gpkg", "评估.gpkg", "事项.csv"]
)
def test_a_file_that_is_gone_has_changed(folder, name):
    project = load_project(folder)
    origin = assess(project, as_of=AS_OF).provenance
    (folder / name).unlink()
    assert changed_sources(origin, project) == [name]


def test_a_file_that_was_missing_and_still_is_has_not_changed_until_it_comes(folder):
    kept = (folder / "农田.gpkg").read_bytes()
    (folder / "农田.gpkg").unlink()
    project = load_project(folder)
    origin = assess(project, as_of=AS_OF).provenance
    assert changed_sources(origin, project) == []
    (folder / "农田.gpkg").write_bytes(kept)
    assert changed_sources(origin, project) == ["农田.gpkg"]


def test_a_setting_counts_as_an_input(folder):
    origin = assess(folder, as_of=AS_OF).provenance
    before = own_source(load_project(folder))
    # The files are the same and so is the book; the items for which silence means "not done" are not.
    edit(folder / "landplan.toml", ('complete = ["sale"]', "complete = []"))
    assert own_source(load_project(folder)) != before
    assert changed_sources(origin, load_project(folder)) == ["landplan.toml"]


def test_a_profile_counts_as_an_input_by_what_it_says(folder):
    profile = folder / "台账.yaml"
    profile.write_text(
        "profile: 台账\ntitle: 台账\ncolumns: {地块编号: parcel_id, 投资强度: invest_intensity_cny_per_m2}\n"
        "units: {投资强度: 万元/亩}\n",
        encoding="utf-8",
    )
    edit(folder / "台账.csv", ("固定资产投资强度（万元/亩）", "投资强度"))
    edit(folder / "landplan.toml", ('path = "台账.csv"', 'path = "台账.csv"\nprofile = "台账.yaml"'))
    project = load_project(folder)
    judged = assess(project, as_of=AS_OF)
    assert judged.parcels["invest_intensity_cny_per_m2"].tolist() == [3000.0, 3000.0, 1500.0]
    assert changed_sources(judged.provenance, project) == []
    with profile.open("a", encoding="utf-8") as file:
        file.write("# a remark changes nothing\n")
    assert changed_sources(judged.provenance, project) == []
    edit(profile, ("万元/亩", "万元/公顷"))
    assert changed_sources(judged.provenance, project) == ["台账.yaml"]
    profile.unlink()
    assert changed_sources(judged.provenance, project) == ["台账.yaml"]


def test_a_rulebook_that_changed_or_broke_has_changed(folder):
    project = load_project(folder)
    origin = assess(project, as_of=AS_OF).provenance
    edit(folder / "规则" / "small.yaml", ("2020-01-01: 150", "2020-01-01: 151"))
    assert changed_sources(origin, project) == ["small"]
    (folder / "规则" / "small.yaml").write_text("rules: [", encoding="utf-8")
    assert changed_sources(origin, project) == ["small"]


def test_a_rulebook_may_be_named_by_its_path(folder):
    edit(folder / "landplan.toml", ('book = "small"\nfolder = "规则"', 'book = "规则/small.yaml"'))
    judged = assess(folder, as_of=AS_OF)
    assert [book.name for book in judged.provenance.books] == ["small"]
