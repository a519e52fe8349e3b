"""
Parcels against zones, huge constraints and land use, from files to answers: landplan beside geopandas and three databases.

``python tests/bench/bench_peers.py [10000 100000 1000000]``: each way is a process of its own, timed from its start until it
has the answer, imports, reading and all; compiled code is cached and PostGIS has its tables loaded and indexed beforehand.
Databases get the big layers already cut. The question is the same for all: which zone holds most of each parcel, its area in
each of 20 constraints, its area under each of 12 classes. Answers are held equal before times are compared.

A peer that is missing is said by name. Needs ``pip install duckdb duckdb-extension-spatial sedonadb geoarrow-pyarrow psutil
scipy psycopg[binary]`` and Debian's ``postgresql postgis``. Ends with 1 where answers differ or a goal is missed: read ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

CLASSES, CONSTRAINTS, ZONES = 12, 20, 200
LAYERS = {"zones": ZONES, "constraints": CONSTRAINTS, "patches": CLASSES}
DATABASES = ("PostGIS", "DuckDB", "SedonaDB")
GEOPANDAS_GOAL, GOALS = 100.0, {10_000: 1.0, 100_000: 2.0, 1_000_000: 8.0}
MOST_GB = 4.0
TOLERANCE = 1e-6
ANSWERED = "answered"
THREADS = os.cpu_count() or 1


# ------------------------------------------------------------------ the ways, each run in a process of its own


def settle(tables: dict[str, tuple[Any, Any, Any]], count: int) -> dict[str, Any]:
    """Rows of parcel, code and area of each layer -> one answer."""
    answer = {}
    for name, (parcel, code, area) in tables.items():
        wide = np.zeros((count, LAYERS[name]))
        wide[np.asarray(parcel, np.int64), np.asarray(code, np.int64)] = np.asarray(area, float)
        answer[name] = wide
    zones = answer.pop("zones")
    best = zones.argmax(axis=1)
    return {"zone": best, "zone_m2": zones[np.arange(count), best], **answer}


def numbers(folder: Path, count: int) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(folder / f"parcels_{count}.parquet", columns=["parcel_id"])["parcel_id"].to_numpy()


def by_landplan(folder: Path, count: int, _: Any) -> dict[str, Any]:
    from landplan.overlay import share_files

    layers = {name: (folder / f"{name}.parquet", "code") for name in LAYERS}
    found = share_files(folder / f"parcels_{count}.parquet", layers)
    return settle({name: (rows.parcel, rows.value, rows.area) for name, rows in found.items()}, count)


def by_geopandas(folder: Path, count: int, sample: Any, explode: bool = False) -> dict[str, Any]:
    """What a user writes: join where they meet, overlay, group."""
    import geopandas
    import pandas as pd

    parcels = geopandas.read_parquet(folder / f"parcels_{count}.parquet", columns=["parcel_id", "geometry"])
    if sample:
        parcels = parcels.iloc[:: max(count // sample, 1)].reset_index(drop=True)
    tables = {}
    for name in LAYERS:
        layer = geopandas.read_parquet(folder / f"{name}.parquet", columns=["code", "geometry"])
        if name == "zones":
            joined = geopandas.sjoin(parcels, layer, predicate="intersects")
            met = layer.geometry.loc[joined["index_right"]]
            area = joined.geometry.intersection(met, align=False).area.to_numpy()
            table = pd.DataFrame(
                {"parcel_id": joined["parcel_id"].to_numpy(), "code": joined["code"].to_numpy()}
            )
            table["area"] = area
        else:
            layer = layer.explode(ignore_index=True) if explode else layer
            table = geopandas.overlay(parcels, layer, how="intersection", keep_geom_type=True)
            table["area"] = table.area
        summed = table.groupby(["parcel_id", "code"], as_index=False)["area"].sum()
        row = pd.Index(parcels["parcel_id"]).get_indexer(summed["parcel_id"])
        tables[name] = row, summed["code"].to_numpy(), summed["area"].to_numpy()
    return settle(tables, len(parcels))


def by_geopandas_exploded(folder: Path, count: int, sample: Any) -> dict[str, Any]:
    return by_geopandas(folder, count, sample, explode=True)


def cut_of(name: str) -> str:
    return name if name == "patches" else f"{name}_cut"


def by_postgis(folder: Path, count: int, address: Any) -> dict[str, Any]:
    import psycopg

    ids = numbers(folder, count)
    tables = {}
    with psycopg.connect(address) as connection:
        connection.execute(f"set max_parallel_workers_per_gather = {THREADS}")
        for setting in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
            connection.execute(f"set {setting} = 0")
        for name in LAYERS:
            rows = connection.execute(
                f"""select p.id, q.code, sum(case when ST_Covers(q.geom, p.geom) then ST_Area(p.geom)
                    else ST_Area(ST_Intersection(p.geom, q.geom)) end)
                    from parcels_{count} p join {cut_of(name)} q on ST_Intersects(q.geom, p.geom) group by 1, 2"""
            ).fetchall()
            found = np.array(rows, dtype=float).reshape(-1, 3)
            tables[name] = np.searchsorted(ids, found[:, 0]), found[:, 1], found[:, 2]
    return settle(tables, count)


def by_duckdb(folder: Path, count: int, _: Any) -> dict[str, Any]:
    ids = numbers(folder, count)
    connection = open_duckdb()
    connection.execute(f"set threads = {THREADS}")
    connection.execute("set preserve_insertion_order = false")
    tables = {}
    for table in (f"parcels_{count}", *map(cut_of, LAYERS)):
        key = "parcel_id" if table.startswith("parcels") else "code"
        connection.execute(
            f"create table {table} as select {key}, geometry from read_parquet('{folder}/{table}.parquet')"
        )
    for name in LAYERS:
        found = connection.execute(
            f"""select p.parcel_id, q.code, sum(ST_Area(ST_Intersection(p.geometry, q.geometry))) as area
                from parcels_{count} p join {cut_of(name)} q on ST_Intersects(p.geometry, q.geometry) group by 1, 2"""
        ).fetchnumpy()
        tables[name] = np.searchsorted(ids, found["parcel_id"]), found["code"], found["area"]
    return settle(tables, count)


def open_duckdb() -> Any:
    import duckdb

    connection = duckdb.connect()
    try:
        import duckdb_extension_spatial

        inside = Path(duckdb_extension_spatial.__file__).parent / "extensions" / f"v{duckdb.__version__}"
        connection.execute(f"load '{inside / 'spatial.duckdb_extension'}'")
    except ImportError:
        connection.install_extension("spatial")
        connection.load_extension("spatial")
    return connection


def by_sedonadb(folder: Path, count: int, _: Any) -> dict[str, Any]:
    import sedonadb

    ids = numbers(folder, count)
    session = sedonadb.connect()
    session.options.memory_limit = "unlimited"
    session.read_parquet(f"{folder}/parcels_{count}.parquet").to_view("p", overwrite=True)
    tables = {}
    for name in LAYERS:
        session.read_parquet(f"{folder}/{cut_of(name)}.parquet").to_view("q", overwrite=True)
        found = session.sql(
            """select parcel_id, code, sum(area) as area from (
                 select p.parcel_id, q.code, ST_Area(ST_Intersection(p.geometry, q.geometry)) as area
                 from p join q on ST_Intersects(p.geometry, q.geometry)) t group by parcel_id, code"""
        ).to_pandas()
        columns = (found[key].to_numpy() for key in ("parcel_id", "code", "area"))
        parcel, code, area = columns
        tables[name] = np.searchsorted(ids, parcel), code, area
    return settle(tables, count)


WAYS = {
    "landplan": by_landplan,
    "geopandas": by_geopandas,
    "geopandas, exploded": by_geopandas_exploded,
    "PostGIS": by_postgis,
    "DuckDB": by_duckdb,
    "SedonaDB": by_sedonadb,
}


# ------------------------------------------------------------------ what is there


def why_missing(folder: Path) -> dict[str, str]:
    """Peers this machine lacks, and what each lacks."""
    missing = {}
    try:
        open_duckdb().execute("select ST_Area(ST_MakeEnvelope(0, 0, 1, 1))")
    except Exception as error:  # whatever a peer's loader says
        missing["DuckDB"] = str(error).splitlines()[0]
    try:
        import sedonadb  # noqa: F401
    except ImportError as error:
        missing["SedonaDB"] = str(error)
    try:
        load_postgis(folder)
    except Exception as error:
        missing["PostGIS"] = str(error).splitlines()[0]
    return missing


def postgis_address(folder: Path) -> str:
    return os.environ.get("LANDPLAN_PG", f"host={folder / 'pg'} port=54321 dbname=postgres user=postgres")


def run_as_postgres(*words: object) -> None:
    """Postgres refuses to be run by root."""
    command = [str(word) for word in words]
    command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
    done = subprocess.run(
        command if os.geteuid() == 0 else command[4:], capture_output=True, text=True, cwd="/", check=False
    )
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip() or f"{words[0]} failed")


def start_postgis(folder: Path) -> bool:
    """Start a server of our own in the folder; False where the environment names one, or one of ours runs already."""
    if "LANDPLAN_PG" in os.environ:
        return False
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        raise RuntimeError("no PostgreSQL is installed")
    home = folder / "pg"
    data = home / "data"
    if not data.exists():
        home.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            subprocess.run(["chown", "postgres:postgres", home], check=True)
        run_as_postgres(programs[-1] / "initdb", "-D", data, "-U", "postgres", "-A", "trust")
    try:
        run_as_postgres(programs[-1] / "pg_ctl", "-D", data, "status")
    except RuntimeError:
        pass
    else:
        return False
    settings = {
        "port": 54321, "listen_addresses": "", "unix_socket_directories": home, "shared_buffers": "3GB",
        "work_mem": "256MB", "maintenance_work_mem": "512MB", "fsync": "off", "jit": "off", "max_wal_size": "4GB",
    }  # fmt: skip
    options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    run_as_postgres(
        programs[-1] / "pg_ctl", "-D", data, "-w", "-t", 120, "-l", home / "log", "-o", options, "start"
    )
    return True


def stop_postgis(folder: Path) -> None:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    run_as_postgres(programs[-1] / "pg_ctl", "-D", folder / "pg" / "data", "-m", "fast", "stop")


def load_postgis(folder: Path) -> None:
    """Load and index what is not in the database yet; not timed."""
    import psycopg
    import pyarrow.parquet as pq

    with psycopg.connect(postgis_address(folder)) as connection:
        connection.execute("create extension if not exists postgis")
        for path in sorted(folder.glob("*.parquet")):
            table = path.stem
            known = connection.execute("select to_regclass(%s)", [table]).fetchone()
            if (known and known[0]) or table in ("zones", "constraints"):
                continue
            key = "id" if table.startswith("parcels") else "code"
            connection.execute(f"create unlogged table {table} ({key} int, geom geometry)")
            with connection.cursor().copy(f"copy {table} from stdin (format binary)") as copy:
                copy.set_types(["int4", "bytea"])
                for batch in pq.ParquetFile(path).iter_batches(50_000):
                    frame = batch.to_pydict()
                    codes = frame["parcel_id" if key == "id" else "code"]
                    for code, shape in zip(codes, frame["geometry"], strict=True):
                        copy.write_row((code, shape))
            connection.execute(f"create index on {table} using gist (geom)")
            connection.execute(f"analyze {table}")
            connection.commit()


# ------------------------------------------------------------------ timing


class Memory:
    """Most memory that processes hold together, looked at every 50 ms; the children of the server count with its client."""

    def __init__(self, process: subprocess.Popen[str], is_server: bool) -> None:
        import psutil

        self.most = 0.0
        self._ends = threading.Event()
        self._process = psutil.Process(process.pid)
        self._is_server = is_server
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        import psutil

        while not self._ends.wait(0.25 if self._is_server else 0.05):
            total = 0
            try:
                seen = [self._process, *self._process.children(recursive=True)]
                if self._is_server:
                    seen += [p for p in psutil.process_iter(["name"]) if p.info["name"] == "postgres"]
            except psutil.Error:
                continue
            for process in seen:
                try:
                    about = process.memory_info()
                except psutil.Error:
                    continue
                # The server's shared buffers are in every one of its processes: they are not counted at all.
                total += about.rss - (about.shared if self._is_server else 0)
            self.most = max(self.most, total / 2**30)

    def stop(self) -> float:
        self._ends.set()
        self._thread.join()
        return self.most


def run_way(name: str, folder: Path, count: int, given: str, answer: Path) -> tuple[float, float]:
    """Seconds until the answer was there, and GB."""
    command = [sys.executable, __file__, "--way", name, "--folder", str(folder), "--answer", str(answer)]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--given", given, str(count)], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    memory = Memory(process, name == "PostGIS")
    assert process.stdout is not None
    line = process.stdout.readline()
    taken = time.perf_counter() - begun
    most = memory.stop()
    process.stdout.read()
    if process.wait() or line.strip() != ANSWERED:
        raise RuntimeError(f"{name} gave no answer for {count} parcels")
    return taken, most


def differ(one: Path, other: Path, sample: int = 0) -> float:
    """Largest difference of areas, as a share of the larger, of 1 m2 at least; 1 where a zone is another one."""
    worst = 0.0
    with np.load(one) as mine, np.load(other) as theirs:
        count = len(mine["zone"])
        rows = slice(None, None, max(count // sample, 1)) if sample else slice(None)
        for key in theirs.files:
            a, b = mine[key][rows], theirs[key]
            if key == "zone":
                # Where two zones hold the same to the last digits, either is right.
                same = (a == b) | (np.abs(mine["zone_m2"][rows] - theirs["zone_m2"]) <= TOLERANCE)
                worst = max(worst, float(not same.all()))
            else:
                worst = max(worst, float((np.abs(a - b) / np.maximum(np.maximum(a, b), 1.0)).max()))
    return worst


def main(counts: list[int], folder: Path, repeats: int, sample: int, only: list[str]) -> int:
    from county import make_county

    make_county(folder)
    is_ours = False
    try:
        is_ours = start_postgis(folder)
    except Exception as error:
        print(f"PostGIS cannot be started: {str(error).splitlines()[0]}")
    try:
        return compare(counts, folder, repeats, sample, only)
    finally:
        if is_ours:
            stop_postgis(folder)


def compare(counts: list[int], folder: Path, repeats: int, sample: int, only: list[str]) -> int:
    missing = why_missing(folder)
    for name, reason in missing.items():
        print(f"{name} is missing on this machine and is compared with nothing: {reason}")
    is_missed = False
    each: dict[int, float] = {}
    # Compiled once, before anything is timed.
    run_way("landplan", folder, counts[0], "", folder / "answer_warm.npz")
    for count in counts:
        ways = ["landplan", *DATABASES, *(["geopandas, exploded", "geopandas"] if count == 10_000 else [])]
        ways = [way for way in ways if way not in missing and (not only or way in only or way == "landplan")]
        taken: dict[str, list[float]] = {way: [] for way in ways}
        fewer = 0.0
        most: dict[str, float] = dict.fromkeys(ways, 0.0)
        for turn in range(repeats):
            for way in ways:
                if way.startswith("geopandas") and turn:
                    continue
                given = {"PostGIS": postgis_address(folder), "geopandas": str(sample)}.get(way, "")
                if way == "geopandas":
                    # Twice, to tell what every parcel costs from what is paid once.
                    fewer = run_way(way, folder, count, str(sample // 4), folder / "answer_few.npz")[0]
                seconds, memory = run_way(way, folder, count, given, folder / f"answer_{way}.npz")
                taken[way].append(seconds)
                most[way] = max(most[way], memory)
        base = statistics.median(taken["landplan"])
        each[count] = base / count
        print(f"\n{count:,} parcels; load {os.getloadavg()[0]:.1f}; medians of {repeats}, geopandas once")
        for way in ways:
            seconds = statistics.median(taken[way])
            part = sample if way == "geopandas" and sample < count else 0
            apart = differ(folder / "answer_landplan.npz", folder / f"answer_{way}.npz", part)
            is_missed |= apart > TOLERANCE
            said = f" for {part} of them" if part else ""
            print(
                f"{way:20} {seconds:8.2f} s  x {seconds / base:7.2f}  {most[way]:5.2f} GB  differs {apart:.0e}"
                f"  ({min(taken[way]):.2f} to {max(taken[way]):.2f}){said}",
                flush=True,
            )
        rivals = {way: statistics.median(taken[way]) for way in ways if way in DATABASES}
        if rivals:
            best = min(rivals, key=lambda way: rivals[way])
            ratio, goal = rivals[best] / base, GOALS.get(count, 1.0)
            is_missed |= ratio < goal
            print(f"best database {best}: {ratio:.2f} times as long as landplan; goal {goal:g}")
        if "geopandas" in taken:
            seconds = taken["geopandas"][0]
            each_parcel = (seconds - fewer) / (sample - sample // 4)
            whole = seconds + each_parcel * (count - sample)
            is_missed |= whole < GEOPANDAS_GOAL * base
            print(
                f"geopandas: {fewer:.0f} s for {sample // 4} parcels, {seconds:.0f} s for {sample}: {whole:.0f} s for all, "
                f"{whole / base:.0f} times as long as landplan; goal {GEOPANDAS_GOAL:g}"
            )
        is_missed |= most["landplan"] > MOST_GB
    costs = {count: round(cost * 1e6, 1) for count, cost in each.items()}
    large = [costs[count] for count in sorted(costs) if count >= 100_000]
    is_missed |= any(later > 1.05 * before for before, later in pairwise(large))
    print(
        f"\nlandplan, microseconds for a parcel: {costs}; goal: falling or level from 100,000 on, {MOST_GB:g} GB at most"
    )
    return int(is_missed)


def answer_as(way: str, folder: Path, count: int, given: str, answer: Path) -> None:
    found = WAYS[way](folder, count, int(given) if given.isdigit() else given)
    print(ANSWERED, flush=True)
    np.savez(answer, **found)


if __name__ == "__main__":
    from tempfile import gettempdir

    kept = Path(os.environ.get("LANDPLAN_BENCH", Path(gettempdir()) / "landplan-bench"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("counts", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=kept, help="where the county is kept")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sample", type=int, default=400, help="parcels of 10,000 given to plain geopandas")
    parser.add_argument(
        "--only", action="append", default=[], choices=list(WAYS), help="peers to compare with"
    )
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--given", default="", help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=Path, default=Path("answer.npz"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        answer_as(asked.way, asked.folder, asked.counts[0], asked.given, asked.answer)
    else:
        sys.exit(main(asked.counts, asked.folder, asked.repeats, asked.sample, asked.only))
