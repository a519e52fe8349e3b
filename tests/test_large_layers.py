"""A layer too large to hold stays in its file: nothing that is measured, said or judged may change by that."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import projects
import pytest
import shapely
import worlds
from test_overlay_engine import county

from landplan import pipeline
from landplan.gather import files, large, read_inputs
from landplan.pipeline import assess, draw_layers
from landplan.project import changed_sources, load_project
from landplan.read import near
from landplan.read.door import open_door
from landplan.steps import kinds

AS_OF = date(2026, 11, 20)
FORMATS = {".gpkg": "GPKG", ".fgb": "FlatGeobuf", ".gdb": "OpenFileGDB"}


def tie(x: float, y: float) -> shapely.Polygon:
    corners = [(0, 0), (9, 10), (9, 0), (0, 10)]
    return shapely.Polygon([(worlds.EAST + x + a, worlds.NORTH + y + b) for a, b in corners])


def features() -> list[shapely.Polygon]:
    """Farmland in many pieces, one over another; one that is repaired, and one whose area nobody would sign."""
    pieces = [worlds.box(30 * k, 20 * (k % 3), 25) for k in range(24)]
    doubled = shapely.Polygon(
        np.repeat(shapely.get_coordinates(worlds.box(255, 5, 30)), [1, 2, 1, 1, 1], axis=0)
    )
    return [*pieces, doubled, tie(440, 60)]


def project(folder: Path, suffix: str, *, extent: bool = True) -> Path:
    projects.write_project(folder)
    frame = worlds.layer(*features())
    target = folder / f"农田{suffix}"
    frame.to_file(target, driver=FORMATS[suffix], engine="pyogrio", layer="农田")
    projects.edit(folder / "landplan.toml", ("农田.gpkg", target.name))
    if not extent:
        projects.edit(folder / "landplan.toml", ('extent = "调查范围.gpkg"\n', ""))
    return folder


@pytest.fixture
def compiled(monkeypatch):
    monkeypatch.setattr(kinds, "choose_method", lambda _: "fast")
    monkeypatch.setattr(files, "choose_method", lambda _: "fast")


@pytest.fixture
def staying(compiled, monkeypatch):
    def begin(portion: int = 7) -> None:
        monkeypatch.setattr(near, "_LARGE_BYTES", 1)
        monkeypatch.setattr(near, "_PORTION", portion)

    return begin


def tables_of(assessment):
    return {
        "parcels": pd.DataFrame(assessment.parcels.drop(columns="geometry")),
        "overlaps": pd.DataFrame(assessment.overlaps.drop(columns="geometry")),
        "findings": assessment.findings,
        "issues": assessment.issues,
    }


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("extent", [True, False])
def test_a_layer_that_stays_in_its_file_judges_as_one_that_was_read(tmp_path, staying, suffix, extent):
    folder = project(tmp_path / "p", suffix, extent=extent)
    whole = assess(folder, as_of=AS_OF)
    staying()
    inputs = read_inputs(load_project(folder))
    assert isinstance(inputs.layers[0].frame, large.LargeLayer)
    left = assess(folder, as_of=AS_OF)
    for name, table in tables_of(whole).items():
        pd.testing.assert_frame_equal(table, tables_of(left)[name], check_exact=True, obj=name)
    assert left.provenance.sources == whole.provenance.sources
    assert left.provenance.counts == whole.provenance.counts
    one, other = (a.overlaps.geometry for a in (whole, left))
    assert one.isna().tolist() == other.isna().tolist()
    assert one.dropna().geom_equals_exact(other.dropna(), 1e-6).all()
    # P-3 reaches into the box of the feature nobody can measure: what lies there is unknown, and never clear.
    assert np.isnan(left.parcels.loc["P-3", "farmland_overlap_m2"])


def test_a_layer_that_stays_may_be_of_any_size_and_what_is_read_whole_may_not(tmp_path, staying, monkeypatch):
    folder = project(tmp_path / "p", ".gpkg")
    # Larger than any other file of the project by what it says of each feature.
    wordy = worlds.layer(*features()).assign(note="农田" * 20_000)
    wordy.to_file(folder / "农田.gpkg", driver="GPKG", engine="pyogrio", layer="农田")
    whole = assess(folder, as_of=AS_OF)
    staying()
    monkeypatch.setattr("landplan.read.door._MAX_BYTES", (folder / "农田.gpkg").stat().st_size - 1)
    left = assess(folder, as_of=AS_OF)
    pd.testing.assert_frame_equal(left.findings, whole.findings)
    assert changed_sources(left.provenance, load_project(folder)) == []
    assert [issue.code for issue in open_door(folder / "农田.gpkg").issues] == ["LIMIT.SIZE"]
    assert open_door(folder / "农田.gpkg", stays=True).is_open


def test_the_map_is_drawn_from_the_file(tmp_path, staying):
    folder = project(tmp_path / "p", ".gpkg")
    whole = draw_layers(assess(folder, as_of=AS_OF), load_project(folder))
    staying()
    bare = assess(folder, as_of=AS_OF)
    drawn = draw_layers(pipeline.replace(bare, layers={}), load_project(folder))
    assert drawn.layers["farmland"].area.sum() == pytest.approx(whole.layers["farmland"].area.sum())


@pytest.mark.parametrize("portion", [1, 5, 1000])
def test_every_record_is_walked_over_once(tmp_path, portion, monkeypatch):
    _, layer = county(60)
    layer.to_file(tmp_path / "land.gpkg", layer="land")
    monkeypatch.setattr(near, "_PORTION", portion)
    opened = near.open_near(open_door(tmp_path / "land.gpkg"))
    portions = list(opened[0].walk())
    assert sum(each.count for each in portions) == len(layer)
    walked = np.concatenate([each.shapes for each in portions])
    assert shapely.equals_exact(walked, layer.geometry.to_numpy()).all()


def test_what_is_fetched_is_what_touches_the_box_in_whatever_plane_it_is_asked(tmp_path):
    frame, layer = county(60)
    layer.to_crs(4490).to_file(tmp_path / "land.gpkg", layer="land")
    file, _ = near.open_near(open_door(tmp_path / "land.gpkg"))
    west, south, *_ = frame.total_bounds
    box = (west, south, west + 400.0, south + 300.0)
    fetched = large.LargeLayer(file, "land")(box, frame.crs)
    touching = layer[layer.intersects(shapely.box(*box))]
    assert fetched.crs == frame.crs
    found = geopandas.GeoSeries(fetched.geometry).intersection(shapely.box(*box)).area.sum()
    assert found == pytest.approx(touching.intersection(shapely.box(*box)).area.sum(), rel=1e-6)
    assert len(fetched) < len(layer)


def test_what_the_ordinary_way_has_to_say_is_said_by_it(tmp_path, staying):
    """Two layers in a file, a CRS that cannot be, a file that is cut off: read whole, and refused in its words."""
    folder = project(tmp_path / "p", ".gpkg")
    worlds.layer(worlds.box(0, 0, 5)).to_file(folder / "农田.gpkg", layer="别的")
    staying()
    inputs = read_inputs(load_project(folder))
    assert inputs.layers == ()
    assert "FILE.AMBIGUOUS" in {issue.code for issue in inputs.issues}
    projects.edit(folder / "landplan.toml", ('name = "farmland"', 'name = "farmland"\nlayer = "农田"'))
    assert (
        tomllib.loads((folder / "landplan.toml").read_text(encoding="utf-8"))["layers"][0]["layer"] == "农田"
    )
    assert isinstance(read_inputs(load_project(folder)).layers[0].frame, large.LargeLayer)
    body = (folder / "农田.gpkg").read_bytes()
    (folder / "农田.gpkg").write_bytes(body[: len(body) // 2])
    assert read_inputs(load_project(folder)).layers == ()


def test_small_layers_and_few_parcels_are_read_whole(tmp_path, monkeypatch):
    folder = project(tmp_path / "p", ".gpkg")
    assert isinstance(read_inputs(load_project(folder)).layers[0].frame, geopandas.GeoDataFrame)
    monkeypatch.setattr(near, "_LARGE_BYTES", 1)
    assert isinstance(read_inputs(load_project(folder)).layers[0].frame, geopandas.GeoDataFrame)
