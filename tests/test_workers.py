"""Readers in processes of their own: what a bad file costs, what a good one gives, and what they cannot reach."""

from __future__ import annotations

import http.server
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from sources import feature, found, geojson, parcels, ring, write

from landplan.issues import codes
from landplan.read import inspect_files, read_source
from landplan.read.door import VECTORS, open_door
from landplan.read.raster import copy_raster, look_at_raster
from landplan.read.workers import (
    Reader,
    ReaderError,
    close_readers,
    describe_readers,
    pool,
    process,
    set_readers,
    warm_readers,
    worker,
)

FAKE = Path(__file__).with_name("reader_fake.py")


@pytest.fixture(autouse=True)
def _as_it_was():
    before = pool._pool.settings
    yield
    close_readers()
    pool._pool.settings = before


@pytest.fixture
def fake(monkeypatch):
    """Readers that misbehave on order, with little patience and little memory."""
    command = [sys.executable, "-I", str(FAKE), str(Path(worker.__file__).resolve())]
    monkeypatch.setattr(process, "command", lambda kind: command)
    set_readers(seconds=3.0, memory_mb=1200, inprocess=False)


def square(folder: Path, name: str) -> Path:
    return geojson(folder / f"{name}.geojson", feature(ring(), DKBH=name))


# ---- what a bad file costs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "code", "value"),
    [
        ("crash", "FILE.CRASHED", "SIGABRT"),
        ("leave", "FILE.CRASHED", "exit 3"),
        ("garble", "FILE.CRASHED", "message of 4294967295 B"),
        ("hang", "LIMIT.TIME", "3 s"),
        ("spin", "LIMIT.TIME", "3 s"),
        ("bomb", "LIMIT.READ_MEMORY", "MemoryError"),
    ],
)
def test_a_file_that_kills_its_reader_costs_only_itself(fake, tmp_path, name, code, value):
    begun = time.monotonic()
    raw = read_source(square(tmp_path, name))
    assert time.monotonic() - begun < 10
    assert found(raw) == [code]
    assert raw.issues[0].value == value
    assert codes()[code].mend_zh
    assert (raw.source.rows_in, raw.source.rows_imported, raw.source.rows_rejected, len(raw.frame)) == (
        0,
        0,
        0,
        0,
    )
    good = read_source(square(tmp_path, "good"))
    assert found(good) == []
    assert good.frame["DKBH"].tolist() == ["good"]


def test_two_hundred_files_are_all_answered_though_some_kill_their_readers(fake, tmp_path):
    set_readers(seconds=2.0)
    names = [
        f"{k:03d}" + {20: "crash", 77: "hang", 99: "leave", 140: "crash", 180: "bomb"}.get(k, "")
        for k in range(200)
    ]
    seen = inspect_files([square(tmp_path, name) for name in names])
    outcomes = {one.path.rpartition("/")[2].split(".")[0]: one for one in seen}
    assert len(outcomes) == 200
    bad = {
        name: [issue.code for issue in one.issues]
        for name, one in outcomes.items()
        if one.outcome == "rejected"
    }
    assert bad == {
        "020crash": ["FILE.CRASHED"],
        "077hang": ["LIMIT.TIME"],
        "099leave": ["FILE.CRASHED"],
        "140crash": ["FILE.CRASHED"],
        "180bomb": ["LIMIT.READ_MEMORY"],
    }
    assert sum(one.source.rows_imported for one in seen) == 195


def test_a_file_is_not_blamed_for_the_damage_an_earlier_one_did(fake, tmp_path):
    assert found(read_source(square(tmp_path, "poison")))[:1] == []
    assert found(read_source(square(tmp_path, "innocent"))) == []


def test_all_requests_of_one_file_share_its_time(fake, tmp_path):
    reader = Reader("vector")
    reader.ask("layers", square(tmp_path, "a"))
    reader.spent = reader.seconds - 0.5
    begun = time.monotonic()
    with pytest.raises(ReaderError, match=r"LIMIT\.TIME"):
        reader.ask("layers", square(tmp_path, "hang"))
    assert time.monotonic() - begun < 2.0


def test_an_answer_nobody_waited_for_is_not_given_to_the_next_request(tmp_path):
    a, b = square(tmp_path, "a"), square(tmp_path, "b")
    reader = Reader("vector")
    with reader.begin("layers", a):
        pass
    assert reader.ask("layers", b).about["layers"] == [["b", "Polygon"]]


def test_a_small_parquet_file_that_unfolds_to_gigabytes_is_refused(tmp_path):
    # One blob of a megabyte, written once and meant four thousand times.
    blob = pa.DictionaryArray.from_arrays(pa.array([0] * 4000, pa.int32()), pa.array([b"\x00" * (1 << 20)]))
    geo = json.dumps(
        {"version": "1.0.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    )
    table = pa.table({"geometry": blob}).replace_schema_metadata({"geo": geo})
    pq.write_table(table, tmp_path / "bomb.parquet", store_schema=False)
    assert (tmp_path / "bomb.parquet").stat().st_size < 2 << 20
    set_readers(memory_mb=1200)
    assert found(read_source(tmp_path / "bomb.parquet")) == ["LIMIT.READ_MEMORY"]


def test_readers_that_cannot_be_started_are_said_and_not_replaced_by_this_process(monkeypatch, tmp_path):
    monkeypatch.setattr(process, "command", lambda kind: [str(tmp_path / "nothing")])
    close_readers()
    assert found(read_source(square(tmp_path, "a"))) == ["SEC.READER"]
    assert describe_readers()["error"]
    monkeypatch.setattr(
        process, "command", lambda kind: [sys.executable, "-c", "import sys; sys.exit('no GDAL here')"]
    )
    with pytest.raises(ReaderError, match="no GDAL here"):
        Reader("vector").ask("layers", square(tmp_path, "a"))


# ---- what a good file gives -----------------------------------------------------------------------------------------


def contents(raw) -> tuple:
    """Everything of a source, in a form in which NaN equals NaN and every byte of a boundary counts."""
    drawn = [shapely.to_wkb(shape) for shape in raw.frame.geometry.values] if "geometry" in raw.frame else []
    cells = {name: repr(values.tolist()) for name, values in raw.frame.items() if name != "geometry"}
    types = [str(kind) for kind in raw.frame.dtypes]
    where = str(getattr(raw.frame, "crs", None))
    return (
        cells,
        types,
        drawn,
        where,
        raw.rows,
        raw.layer,
        repr(raw.source),
        [repr(issue) for issue in raw.issues],
    )


def test_real_files_read_apart_and_read_here_are_equal_to_the_byte(shared_data):
    files = [
        path for path in sorted(shared_data.rglob("*")) if path.is_file() and open_door(path).kind in VECTORS
    ]
    assert len(files) > 150
    set_readers(inprocess=False)
    apart = [contents(read_source(path)) for path in files]
    set_readers(inprocess=True)
    for path, there in zip(files, apart, strict=True):
        assert contents(read_source(path)) == there, path


def test_every_format_written_here_reads_equal_apart_and_here(tmp_path):
    frame = parcels(3, DKBH=["001", "002", "003"], MJ=[1.5, None, 2.0], 名称=["甲", None, "丙"])
    dated = frame.assign(日期=pd.to_datetime(["2024-06-01", None, "2025-01-02"]), N=[1, 2, 3])
    paths = [
        write(dated, tmp_path / "a.gpkg"),
        write(frame, tmp_path / "a.shp", encoding="GBK"),
        write(dated, tmp_path / "a.fgb", SPATIAL_INDEX="NO"),
        write(frame, tmp_path / "a.gdb", driver="OpenFileGDB"),
        write(dated.to_crs(4326), tmp_path / "a.geojson"),
    ]
    dated.to_parquet(tmp_path / "a.parquet")
    for path in [*paths, tmp_path / "a.parquet"]:
        set_readers(inprocess=False)
        there = read_source(path)
        set_readers(inprocess=True)
        assert contents(read_source(path)) == contents(there), path
        assert there.source.rows_imported == 3
        assert there.frame["DKBH"].tolist() == ["001", "002", "003"]


def test_the_slow_reader_says_the_same_apart_and_here(tmp_path):
    path = write(parcels(4), tmp_path / "a.gpkg")
    base = sqlite3.connect(path)
    blob = bytes(base.execute("SELECT geom FROM a WHERE fid = 2").fetchone()[0])
    head = 8 + 32
    # The ring of record 2 says it has 4 thousand million points.
    base.execute("DROP TRIGGER IF EXISTS rtree_a_geom_update6")
    for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        base.execute(f'DROP TRIGGER "{name}"')
    base.execute(
        "UPDATE a SET geom = ? WHERE fid = 2", (blob[: head + 9] + b"\xff\xff\xff\xff" + blob[head + 13 :],)
    )
    base.commit()
    base.close()
    set_readers(inprocess=False)
    there = read_source(path)
    set_readers(inprocess=True)
    assert contents(read_source(path)) == contents(there)
    assert there.source.rows_in == there.source.rows_imported + there.source.rows_rejected == 4


def test_eight_threads_read_at_once_and_each_gets_its_own_file(tmp_path):
    paths = [square(tmp_path, f"t{k}") for k in range(24)]
    got: dict[str, list[str]] = {}

    def read(share: list[Path]) -> None:
        for path in share:
            got[path.stem] = read_source(path).frame["DKBH"].tolist()

    threads = [threading.Thread(target=read, args=(paths[k::8],)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {path.stem: [path.stem] for path in paths}


def test_both_kinds_of_reader_have_exactly_their_drivers_and_both_read(tmp_path, sample):
    for kind in ("vector", "raster"):
        one = pool._pool.take(kind)
        assert one.greet()["extra"] == []
        pool._pool.give_back(one)
    assert Reader("vector").ask("table", write(parcels(2), tmp_path / "a.gpkg")).table.num_rows == 2
    dem = next((sample / "高程").glob("*.tif"))
    assert Reader("raster").ask("raster", dem).about["about"]["holes"] == 1032
    with pytest.raises(ReaderError, match=r"FILE\.UNREADABLE"):
        Reader("vector").ask("layers", dem)
    with pytest.raises(ReaderError, match=r"FILE\.UNREADABLE"):
        Reader("raster").ask("raster", tmp_path / "a.gpkg")


def test_a_driver_of_a_newer_gdal_is_found_and_taken_out(monkeypatch, tmp_path):
    monkeypatch.setattr(worker, "_KNOWN", worker._KNOWN.replace("OGR_VRT,", ""))
    close_readers()
    pool._pool.found["vector"] = frozenset()
    one = pool._pool.take("vector")
    assert one.greet()["extra"] == []
    assert pool._pool.found["vector"] == {"OGR_VRT"}
    pool._pool.give_back(one)
    pool._pool.found["vector"] = frozenset()


def test_the_copy_of_a_raster_holds_the_cells_around_a_place(tmp_path):
    import numpy as np
    import rasterio

    heights = np.arange(100.0 * 100).reshape(100, 100)
    grid = rasterio.Affine(10, 0, 500_000, 0, -10, 4_001_000)
    about = {
        "driver": "GTiff",
        "width": 100,
        "height": 100,
        "count": 1,
        "dtype": "float64",
        "transform": grid,
    }
    with rasterio.open(tmp_path / "a.tif", "w", crs="EPSG:4547", nodata=-1.0, **about) as raster:
        raster.write(heights, 1)
    door = open_door(tmp_path / "a.tif")
    place = (500_500, 4_000_400, 500_600, 4_000_500)
    copy, issues = copy_raster(door, look_at_raster(door), place, "EPSG:4547")
    assert issues == []
    with rasterio.open(copy) as raster:
        # Ten cells by ten, and four more on each side.
        assert raster.shape == (18, 18)
        assert raster.read(1)[0, 0] == heights[46, 46]
        assert (raster.nodata, raster.crs.to_epsg()) == (-1.0, 4547)
        assert raster.transform * (0, 0) == (500_460, 4_000_540)


# ---- what readers cannot reach --------------------------------------------------------------------------------------


@pytest.fixture
def web():
    """A web server that notes who asks."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - the name http.server asks for

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("network", ["cut", "open"])
def test_no_name_and_no_file_makes_a_reader_ask_the_network_or_open_another_file(
    web, tmp_path, monkeypatch, network
):
    address, asked = web
    if network == "open":
        # Where the system cannot cut it off, the list of drivers alone must hold.
        command = [sys.executable, "-I", str(FAKE), str(Path(worker.__file__).resolve()), "--with-network"]
        monkeypatch.setattr(process, "command", lambda kind: command)
        close_readers()
        assert "network" not in describe_readers()["held"]
    secret = tmp_path / "secret.csv"
    secret.write_text("id,wkt\n1,POINT (1 1)\n")
    inner = f"/vsicurl/{address}/x.geojson"
    ogr = '<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>{}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
    raster = (
        '<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>/vsicurl/{address}/x.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    texts = [ogr.format(inner), ogr.format(secret), raster]
    texts.append(f'{{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read {inner}"}}')
    texts.append(
        f'<gml:FeatureCollection xmlns:gml="x" xmlns:xlink="y"><a xlink:href="{address}/x.gml"/></gml:FeatureCollection>'
    )
    names = [
        inner, f"/vsisubfile/0_9,{secret}", f"{address}/x.geojson", f"WFS:{address}/", f"OAPIF:{address}/", f"CSV:{secret}",
        f"GeoJSON:{address}/x", f"WMS:{address}/", f'{{"type": "FeatureCollection", "url": "{address}"}}', ogr.format(inner),
    ]  # fmt: skip
    for name in names:
        assert found(read_source(name)) in (["SEC.NAME"], ["FILE.MISSING"]), name
    files = []
    for k, text in enumerate(texts):
        for suffix in ("gpkg", "geojson", "json", "shp", "fgb", "kml", "tif", "gdb.zip", "parquet"):
            path = tmp_path / f"f{k}.{suffix}"
            path.write_text(text)
            files.append(path)
    for path, one in zip(files, inspect_files(files), strict=True):
        assert one.outcome == "rejected", path
    # Past the door the drivers are not there either.
    for name in [*names, *map(str, files)]:
        for kind, do in (("vector", "layers"), ("vector", "table"), ("raster", "raster")):
            with pytest.raises(ReaderError):
                Reader(kind).ask(do, _Name(name))
    assert asked == []


class _Name:
    """A name that pathlib would change."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name


def test_readers_get_no_tokens_proxies_or_settings_of_gdal(fake, monkeypatch, tmp_path):
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "PGPASSWORD",
        "https_proxy",
        "GDAL_HTTP_PROXY",
        "OGR_CT_OP_SELECTION",
    ):
        monkeypatch.setenv(name, "secret")
    close_readers()
    (tmp_path / "environ.geojson").write_text("{}")
    there = dict(Reader("vector").ask("layers", tmp_path / "environ.geojson").about["layers"])
    assert "secret" not in there.values()
    assert there["CPL_VSIL_CURL_ALLOWED_EXTENSIONS"] == ".none"
    assert (there["PROJ_NETWORK"], there["GDAL_PAM_ENABLED"]) == ("OFF", "NO")


# ---- beginning and end ----------------------------------------------------------------------------------------------


def run(code: str, **environment: str) -> str:
    """Run code in a Python of its own, warnings as errors, and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=False, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[1], env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


READ = """
import sys
from landplan.read import inspect_files, read_source
from landplan.read.workers import pool
paths = {paths!r}
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie of this container's first process has ended.
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def ends_soon(pid: int) -> bool:
    return any(not is_running(pid) or time.sleep(0.05) for _ in range(200))


def test_reading_never_loads_gdal_into_this_process(tmp_path, sample):
    paths = [
        str(path)
        for path in (
            write(parcels(2), tmp_path / "a.gpkg"),
            write(parcels(2), tmp_path / "a.shp"),
            write(parcels(2), tmp_path / "a.fgb"),
            square(tmp_path, "a"),
            geojson(tmp_path / "open.geojson", feature(ring(is_closed=False), DKBH="1")),
            next((sample / "高程").glob("*.tif")),
        )
    ]
    code = READ + (
        "seen = inspect_files(paths)\n"
        "assert [one.outcome for one in seen] != ['rejected'] * 6, seen\n"
        "for path in paths[:-1]: assert read_source(path).source.rows_imported, path\n"
        "print(sorted({{'pyogrio', 'fiona', 'rasterio', 'osgeo'}} & set(sys.modules)))"
    )
    assert run(code.format(paths=paths)) == "[]"


def test_read_in_this_process_where_the_environment_says_so(tmp_path):
    code = READ + (
        "assert read_source(paths[0]).source.rows_imported == 1\n"
        "print(sum(map(len, pool._pool.idle.values())), 'pyogrio' in sys.modules)"
    )
    assert run(code.format(paths=[str(square(tmp_path, "a"))]), LANDPLAN_READERS="inprocess") == "0 True"


def test_readers_end_with_python(tmp_path):
    code = READ + "read_source(paths[0]); print(pool._pool.idle['vector'][0]._popen.pid)"
    assert ends_soon(int(run(code.format(paths=[str(square(tmp_path, "a"))]))))


def test_readers_end_where_python_is_killed(tmp_path):
    code = READ + (
        "import os, signal\nread_source(paths[0]); print(pool._pool.idle['vector'][0]._popen.pid, flush=True)\n"
        "os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code.format(paths=[str(square(tmp_path, "a"))])],
        check=False, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode != 0
    assert ends_soon(int(done.stdout))


def test_a_reader_that_hangs_ends_though_nobody_is_left_to_watch_it(tmp_path):
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from landplan.read.workers import process, worker\n"
        "worker_script, fake, path = {paths!r}\n"
        "process.command = lambda kind: [sys.executable, '-I', fake, worker_script]\n"
        "one = process.Process('vector', 0, frozenset())\n"
        "one.greet()\n"
        "one.ask({{'do': 'layers', 'path': path, 'out': '', 'seconds': -9.0}})\n"
        "print(one._popen.pid, flush=True)\n"
        "os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))"
    )
    paths = [worker.__file__, str(FAKE), str(square(tmp_path, "hang"))]
    done = subprocess.run(
        [sys.executable, "-c", code.format(paths=paths)],
        check=False, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert ends_soon(int(done.stdout))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows knows no fork")
def test_a_forked_child_reads_with_readers_of_its_own(tmp_path):
    code = READ + (
        "import os\n"
        "read_source(paths[0]); mine = pool._pool.idle['vector'][0]._popen.pid\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    ok = read_source(paths[0]).source.rows_imported == 1 and pool._pool.idle['vector'][0]._popen.pid != mine\n"
        "    pool.close_readers()\n"
        "    os._exit(0 if ok else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert read_source(paths[0]).source.rows_imported == 1 and pool._pool.idle['vector'][0]._popen.pid == mine\n"
        "print('both')"
    )
    assert run(code.format(paths=[str(square(tmp_path, "a"))])) == "both"


def test_warming_returns_at_once_and_the_first_file_finds_the_reader_there(tmp_path):
    close_readers()
    begun = time.monotonic()
    warm_readers(("vector", "raster"))
    assert time.monotonic() - begun < 0.15
    waiting = pool._pool.idle["vector"][0]._popen.pid
    read_source(square(tmp_path, "a"))
    assert [one._popen.pid for one in pool._pool.idle["vector"]] == [waiting]
    # A second call starts no second one.
    warm_readers(("vector",))
    assert len(pool._pool.idle["vector"]) == 1


def test_ctrl_c_at_the_terminal_does_not_end_a_reader(tmp_path):
    read_source(square(tmp_path, "a"))
    one = pool._pool.idle["vector"][0]
    os.kill(one._popen.pid, signal.SIGINT)
    time.sleep(0.2)
    assert one.is_alive


def test_no_file_is_left_behind(fake, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    for name in ("good", "crash", "hang", "bomb"):
        read_source(square(tmp_path, name))
    close_readers()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_holds_here_is_told_to_support():
    said = describe_readers()
    assert (said["how"], said["error"]) == ("workers", "")
    if sys.platform.startswith("linux"):
        assert "memory" in said["held"]
    set_readers(inprocess=True)
    assert describe_readers()["how"] == "inprocess"
