"""The same digits from parts, in any order, on any process, whatever becomes of one of them."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import worlds
from click.testing import CliRunner
from geopandas import GeoDataFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from strange_steps import Counts, Cuts, Dies, Refuses
from test_laws import SLOW, drawings, world

from landplan.cli import cli
from landplan.crs import measure_areas
from landplan.engines import DaskEngine, open_cluster
from landplan.engines.kit import pack_steps
from landplan.engines.parts import do_part, join_parts, order_parcels, run_apart
from landplan.engines.versions import list_versions
from landplan.errors import CRSError, EngineError, InternalError, UsageError
from landplan.overlay import FileLayer
from landplan.pipeline import assess
from landplan.schema import coerce
from landplan.steps import Local, OnLand, StepResult, steps_of
from landplan.store import load_assessment

AS_OF = date(2026, 11, 20)
NO_INDICATORS = coerce(pd.DataFrame(), "indicators")
TABLES = ("parcels", "zones", "overlaps", "indicators", "events", "findings", "issues", "tasks")


class Piecemeal:
    """Everything a cluster does, but for the cluster: parts dealt out by lot, everything pickled on the way."""

    def __init__(self, places, folder=None):
        self.places, self.folder = places, folder

    def run(self, steps, parcels, progress):
        return run_apart(steps, parcels, progress, self.spread)

    def spread(self, steps, parcels):
        places = self.places(len(parcels))
        kit = pickle.dumps(pack_steps(steps, self.folder))
        parts = [pickle.dumps(parcels.iloc[place]) for place in places]
        dones = [pickle.dumps(do_part(pickle.loads(kit), pickle.loads(part))) for part in parts]
        return join_parts(parcels, places, [pickle.loads(done) for done in dones])


def by_lot(count, seed):
    def deal(size):
        return [
            part for part in np.array_split(np.random.default_rng(seed).permutation(size), count) if len(part)
        ]

    return deal


def assert_same(one, other):
    for name in TABLES:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert type(mine) is type(theirs), name
        if isinstance(mine, GeoDataFrame):
            assert mine.crs == theirs.crs
            assert (shapely.to_wkb(mine.geometry.values) == shapely.to_wkb(theirs.geometry.values)).all(), (
                name
            )
            mine, theirs = (pd.DataFrame(each.drop(columns="geometry")) for each in (mine, theirs))
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True, obj=name)
    assert one.provenance == other.provenance


@settings(SLOW, max_examples=6)
@given(drawings(), st.integers(1, 4), st.integers(0, 99))
def test_parts_dealt_by_lot_give_every_table_of_the_whole_to_the_last_digit(parcels, count, seed):
    inputs = world(parcels)
    whole = assess(inputs, as_of=AS_OF)
    assert_same(assess(inputs, as_of=AS_OF, engine=Piecemeal(by_lot(count, seed))), whole)


def test_the_sample_in_parts_by_path_is_the_sample(sample, judged, tmp_path):
    assert_same(assess(sample, as_of=AS_OF, engine=Piecemeal(by_lot(4, 1), tmp_path)), judged)


def make_town(folder):
    """Land of every size over hills, zones that cross parts, and a layer of a hundred features over each other."""
    rng = np.random.default_rng(4)
    spots = rng.uniform(0, 900, (160, 2))
    parcels = worlds.parcels(
        {
            f"P{k}": worlds.box(x, y, *rng.uniform(2, 90 if k % 50 else 400, 2))
            for k, (x, y) in enumerate(spots)
        },
        invest_intensity_cny_per_m2=rng.uniform(100, 9000, len(spots)).tolist(),
    )
    inputs = world(coerce(parcels, "parcels"))
    many = worlds.layer(*(worlds.box(*rng.uniform(0, 900, 2), *rng.uniform(1, 150, 2)) for _ in range(100)))
    hills = worlds.raster(rng.uniform(700, 900, (30, 30)).tolist(), cell=50.0)
    with rasterio.open(folder / "hills.tif", "w", **hills.profile) as file:
        file.write(hills.read())
    layer = replace(inputs.layers[0], frame=many)
    return replace(inputs, layers=(layer,), dem=folder / "hills.tif", steep_deg=15.0)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return make_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def whole(town):
    found = assess(town, as_of=AS_OF)
    assert found.parcels[["slope_mean_deg", "farmland_overlap_m2"]].notna().any().all()
    return found


def test_the_compiled_way_gives_the_same_in_parts(town, tmp_path, monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setattr("landplan.steps.kinds.choose_method", lambda _: "fast")
    whole = assess(town, as_of=AS_OF)
    for folder in (None, tmp_path):
        assert_same(assess(town, as_of=AS_OF, engine=Piecemeal(by_lot(3, 5), folder)), whole)


def test_areas_do_not_depend_on_the_neighbours_in_the_table():
    """The last row of a table is summed like every other, to the last digit; land of 4 to 12 corners."""
    rng = np.random.default_rng(1)
    rings = [np.sort(rng.uniform(0, 2 * np.pi, count)) for count in np.repeat(np.arange(4, 13), 6)]
    shapes = {
        f"P{k}": shapely.Polygon(worlds.move(np.column_stack([40 * np.cos(a), 35 * np.sin(a)]))).convex_hull
        for k, a in enumerate(rings)
    }
    parcels = worlds.parcels(shapes)
    whole = measure_areas(parcels)
    for row in range(len(parcels)):
        pd.testing.assert_frame_equal(
            measure_areas(parcels.iloc[: row + 1]), whole.iloc[: row + 1], check_exact=True
        )


def land_steps(inputs):
    return [(name, step) for name, step in steps_of(inputs, AS_OF, NO_INDICATORS) if isinstance(step, OnLand)]


def test_a_part_is_handed_the_land_around_its_parcels(tmp_path):
    parcels = coerce(worlds.parcels({"P0": worlds.box(0, 0, 50), "P1": worlds.box(9000, 0, 50)}), "parcels")
    near, far = worlds.box(10, 10, 20), worlds.box(9010, 10, 20)
    inputs = world(parcels)
    inputs = replace(inputs, layers=(replace(inputs.layers[0], frame=worlds.layer(far, None, near)),))
    steps = land_steps(inputs)
    for folder in (None, tmp_path):
        kit = pack_steps(steps, folder)
        for row, land in ((1, far), (0, near)):
            opened = dict(kit.open_steps(parcels.iloc[[row]]))
            assert list(opened) == [name for name, _ in steps]
            assert opened["overlay farmland"].layer.frame.geometry.tolist() == [land]
            assert len(opened["zones"].zones) == 2


def test_only_steps_that_measure_land_travel_and_with_them_only_the_columns_they_read(town):
    seen = []

    class Looking(Piecemeal):
        def spread(self, steps, parcels):
            seen.append(([name for name, _ in steps], list(parcels.columns)))
            return super().spread(steps, parcels)

    assess(town, as_of=AS_OF, engine=Looking(by_lot(2, 1)))
    [(names, columns)] = seen
    assert names == ["measure", "zones", "overlay farmland", "evaluations", "terrain"]
    assert set(columns) <= {"geometry", "is_quarantined", "area_registered_m2"}


def test_a_step_on_land_is_handed_no_column_it_does_not_name():
    class Nosy:
        def reads(self):
            return ("far",)

        def __call__(self, parcels):
            assert parcels.columns.tolist() == ["far", "geometry"]
            return StepResult(pd.DataFrame(index=parcels.index))

    parcels = worlds.parcels({"P0": worlds.box(0, 0, 9)}, near=[1.0], far=[2.0])
    assert Local().run([("nosy", Nosy())], parcels, print)[0].columns.tolist() == parcels.columns.tolist()


def test_parcels_without_geometry_come_last_along_the_curve():
    drawn = worlds.parcels(
        {"A": None, "B": worlds.box(0, 0, 9), "C": shapely.Polygon(), "D": worlds.box(9, 9, 9)}
    )
    order = order_parcels(drawn).tolist()
    assert sorted(order[:2]) == [1, 3] and order[2:] == [0, 2]


def test_a_piece_without_a_shape_stays_without_and_a_whole_one_keeps_its_own():
    parcels = worlds.parcels({f"P{k}": worlds.box(k * 10, 0, 9) for k in range(5)})
    found = Piecemeal(by_lot(2, 3)).run([("cuts", Cuts())], parcels, print)[1][0].pieces
    whole = Cuts()(parcels).pieces
    assert found["parcel_id"].tolist() == whole["parcel_id"].tolist()
    assert found["feature"].tolist() == ["cut", "whole"] * 4
    assert found.geometry.tolist() == whole.geometry.tolist()


def test_a_layer_that_fetches_from_a_file_travels_as_its_path(tmp_path):
    file = tmp_path / "land.parquet"
    land = worlds.layer(worlds.box(10, 10, 20))
    land.to_parquet(file, write_covering_bbox=True)
    inputs = world(coerce(worlds.parcels({"P0": worlds.box(0, 0, 50)}), "parcels"))
    layer = replace(inputs.layers[0], frame=FileLayer(file))
    shared = tmp_path / "shared" / "run"
    shared.mkdir(parents=True)
    for folder, path in ((None, file), (shared, shared / "file-0.parquet")):
        kit = pack_steps(land_steps(replace(inputs, layers=(layer,))), folder)
        assert kit.files == ((path, file.stat().st_size),)
        step = dict(kit.open_steps(inputs.parcels))["overlay farmland"]
        assert step.layer.frame == FileLayer(path)
        assert path.read_bytes() == file.read_bytes()


@pytest.fixture(scope="module")
def cluster():
    with open_cluster(workers=2) as engine:
        yield engine


@pytest.fixture
def in_parts(cluster):
    """The cluster, with parts so small that the town has four."""
    return DaskEngine(cluster._client, size=40)


def test_two_processes_give_the_same_to_the_last_digit_and_say_how_far_they_are(in_parts, town, whole):
    said = []
    assert_same(assess(town, as_of=AS_OF, engine=in_parts, progress=said.append), whole)
    begun = said.index("parts")
    assert said[:begun] == ["read", "repair", "industry", "indicators", "events"]
    assert said[begun + 1 : begun + 6] == ["parts 1/4", "parts 2/4", "parts 3/4", "parts 4/4", "axes"]


def test_layers_and_elevation_by_path_give_the_same_and_leave_nothing_behind(cluster, town, whole, tmp_path):
    seen = set()
    engine = DaskEngine(cluster._client, shared=tmp_path, size=40)

    def look(_):
        seen.update(path.suffix for path in tmp_path.glob("*/*"))

    assert_same(assess(town, as_of=AS_OF, engine=engine, progress=look), whole)
    assert {".parquet", ".pickle", ".tif"} <= seen
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how_many", [1, 2])
def test_a_worker_killed_midway_costs_time_and_nothing_else(cluster, town, whole, how_many):
    """With both gone what every part needs is gone, too, and is made again."""
    cluster._client.wait_for_workers(2, timeout=60)
    engine = DaskEngine(cluster._client, size=12)
    before = engine.ask(os.getpid)

    def kill(word):
        if word.startswith("parts 1/"):
            for pid in list(before.values())[:how_many]:
                os.kill(pid, signal.SIGKILL)

    assert_same(assess(town, as_of=AS_OF, engine=engine, progress=kill), whole)
    assert not set(list(before.values())[:how_many]) & set(engine.ask(os.getpid).values())


def test_the_cluster_it_starts_listens_to_this_machine_alone_and_asks_for_a_key(cluster):
    cluster._client.wait_for_workers(2, timeout=60)
    info = cluster._client.scheduler_info(n_workers=-1)
    addresses = [info["address"], *info["workers"]]
    assert len(addresses) == 3
    assert all(address.startswith("tls://127.0.0.1:") for address in addresses)


def run_one(engine, *steps):
    parcels = worlds.parcels({f"P{k}": worlds.box(k * 10, 0, 9) for k in range(5)})
    return engine.run([(f"step {k}", step) for k, step in enumerate(steps)], parcels, lambda _: None)


def test_what_a_step_refuses_on_a_worker_is_said_here(cluster):
    with pytest.raises(CRSError, match="不行"):
        run_one(cluster, Refuses())


def test_a_step_that_looks_beyond_its_parcel_is_found_out(cluster):
    with pytest.raises(InternalError, match="n_2, n_3"):
        run_one(DaskEngine(cluster._client, size=3), Counts())


def test_workers_of_another_version_are_all_named_before_any_work(cluster, monkeypatch):
    cluster._client.wait_for_workers(2, timeout=60)
    mine = {**list_versions(), "shapely": "2.0.0", "numba": ""}
    monkeypatch.setattr("landplan.engines.dask.list_versions", lambda: mine)
    with pytest.raises(EngineError) as caught:
        run_one(cluster, Refuses())
    assert len(caught.value.faults) == 2
    assert all(fault.at.startswith("worker tls://127.0.0.1:") for fault in caught.value.faults)
    assert "here it is shapely 2.0.0, numba -" in str(caught.value)


def test_a_file_a_worker_does_not_reach_is_named_with_the_way_out(cluster, monkeypatch, tmp_path):
    kit = replace(pack_steps([("step 0", Refuses())], None), files=((tmp_path / "dem.tif", 5),))
    monkeypatch.setattr("landplan.engines.dask.pack_steps", lambda *_: kit)
    with pytest.raises(EngineError, match=r"dem\.tif") as caught:
        run_one(cluster, Refuses())
    assert "--shared" in str(caught.value)


def test_a_shared_folder_that_is_not_there_is_an_error_that_says_so(cluster, tmp_path):
    with pytest.raises(EngineError, match="共享文件夹无法写入"):
        run_one(DaskEngine(cluster._client, shared=tmp_path / "gone"), Refuses())


def test_a_scheduler_that_does_not_answer_is_said_in_two_languages():
    with pytest.raises(EngineError) as caught, open_cluster("tcp://127.0.0.1:9", timeout_s=0.5):
        pass
    assert "does not answer" in str(caught.value) and "无法连接调度程序" in str(caught.value)
    assert caught.value.faults[0].at == "tcp://127.0.0.1:9"


def test_a_scheduler_without_workers_and_a_worker_without_landplan_are_told_apart(monkeypatch, tmp_path):
    monkeypatch.setattr("landplan.engines.dask._START_S", 0.2)
    from distributed import LocalCluster

    here = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    without = (
        "import sys; sys.modules['landplan'] = None; from distributed.cli.dask_worker import main; main()"
    )
    with (
        LocalCluster(n_workers=0, silence_logs=50, **here) as bare,
        open_cluster(bare.scheduler_address) as engine,
    ):
        with pytest.raises(EngineError, match="no workers"):
            run_one(engine, Refuses())
        words = [
            sys.executable,
            "-c",
            without,
            bare.scheduler_address,
            "--host",
            "127.0.0.1",
            "--no-dashboard",
        ]
        worker = subprocess.Popen(
            [*words, "--no-nanny", "--local-directory", str(tmp_path)], stderr=subprocess.DEVNULL
        )
        try:
            engine._client.wait_for_workers(1, timeout=60)
            with pytest.raises(EngineError, match=r"(?s)cannot load landplan .*pip install"):
                run_one(engine, Refuses())
        finally:
            worker.kill()
            worker.wait()


def test_a_part_that_ends_every_worker_is_given_up_and_said():
    with open_cluster(workers=1) as engine, pytest.raises(EngineError, match="ended every worker") as caught:
        run_one(engine, Dies())
    assert "异常结束" in str(caught.value)


def test_check_on_a_cluster_writes_what_check_writes(sample, tmp_path):
    words = ["check", "-p", str(sample), "--as-of", "2026-11-20", "--format", "json", "-o"]
    here = CliRunner().invoke(cli, [*words, str(tmp_path / "here")])
    there = CliRunner().invoke(cli, [*words, str(tmp_path / "there"), "--engine", "dask", "--workers", "1"])
    assert here.exit_code == there.exit_code == 0, there.output
    one, other = (json.loads(each.stdout) for each in (here, there))
    assert [one.pop("files"), other.pop("files")] and one == other
    one, other = (load_assessment(tmp_path / name / "核验.gpkg") for name in ("here", "there"))
    assert_same(one, other)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workers", "2"], "--engine dask"),
        (["--engine", "dask", "--workers", "2", "--scheduler", "tcp://127.0.0.1:9"], "--workers"),
    ],
)
def test_options_that_do_not_go_together_are_refused(sample, words, said):
    result = CliRunner().invoke(cli, ["check", "-p", str(sample), *words])
    assert isinstance(result.exception, UsageError) and said in str(result.exception)


def test_without_dask_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr("landplan.engines.dask.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"landplan\[cluster\]"), open_cluster(workers=1):
        pass
