"""
Bytes of one small file of each kind are changed at random: landplan gives data or issues, whatever they are.

``python -m tests.fuzz.run 10000`` runs that many; ``--only 1234`` runs one again. A child process reads, this one
watches: no exception, no crash, no more than ten seconds for a file, no process beyond one GiB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

LIMIT_S = 10.0
LIMIT_BYTES = 1024**3
_START_S = 60.0
_ROOT = Path(__file__).resolve().parents[2]
_EXTREMES = [
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80\x00\x00\x00",
    bytes(4),
    bytes(8),
    b"\xff" * 8,
]
_WORDS = [
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
    b"{",
    b"]",
    b'"',
    b"<",
    b"]]>",
    b"\r",
    b"\n",
    b"\xff\xfe",
    "，".encode(),
    b"\x1b[31m",
]


# --- seeds --------------------------------------------------------------------------------------------------


def make_seeds(folder: Path) -> dict[str, list[Path]]:
    """
    Write one small file, or set of files, of each kind.

    Parameters
    ----------
    folder : Path
        An empty folder.

    Returns
    -------
    dict of str to list of Path
        By kind: what is read first, then whatever belongs to it.
    """
    import ezdxf
    import geopandas as gpd
    import numpy as np
    import openpyxl
    import pyogrio
    import rasterio
    import shapely

    east, north = 38_500_000.0, 4_170_000.0
    shapes = [shapely.box(east + 200 * k, north, east + 200 * k + 100, north + 100) for k in range(5)]
    shapes[1] = shapes[1].difference(shapes[1].buffer(-30))
    columns = {
        "DKBH": [f"{k:03d}" for k in range(5)],
        "DKMC": ["东地块", "西", None, "园区", "甲"],
        "DKMJ": [1.5, 2, 3, 4, 5],
    }
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs=4526)
    degrees = frame.to_crs(4490)

    def path(kind: str, name: str) -> Path:
        (folder / kind).mkdir(exist_ok=True)
        return folder / kind / name

    pyogrio.write_dataframe(frame, path("shp", "a.shp"), encoding="GBK")
    pyogrio.write_dataframe(frame, path("gpkg", "a.gpkg"), layer="地块")
    pyogrio.write_dataframe(degrees, path("geojson", "a.geojson"))
    pyogrio.write_dataframe(frame, path("fgb", "a.fgb"))
    pyogrio.write_dataframe(frame, path("gdb", "a.gdb"), driver="OpenFileGDB", layer="dk")
    pyogrio.write_dataframe(degrees, path("kml", "a.kml"), driver="KML")
    frame.to_parquet(path("parquet", "a.parquet"))

    for kind, name, members in (("zip", "a.zip", folder / "shp"), ("kmz", "a.kmz", folder / "kml")):
        with zipfile.ZipFile(path(kind, name), "w", zipfile.ZIP_DEFLATED) as archive:
            for member in sorted(members.iterdir()):
                archive.write(member, f"成果/{member.name}" if kind == "zip" else "doc.kml")

    document = ezdxf.new("R2000")
    for shape in shapes:
        document.modelspace().add_lwpolyline(list(shape.exterior.coords)[:-1], close=True)
        document.modelspace().add_text("A-1").set_placement((shape.centroid.x, shape.centroid.y))
    document.saveas(path("dxf", "a.dxf"))

    head = [
        "[属性描述]",
        "坐标系=2000国家大地坐标系",
        "几度分带=3",
        "投影类型=高斯克吕格",
        "计量单位=米",
        "带号=38",
        "[地块坐标]",
    ]
    lines = [*head]
    for k, shape in enumerate(shapes):
        points = [f"J{n + 1},1,{y:.3f},{x:.3f}" for n, (x, y) in enumerate(shape.exterior.coords)]
        lines += [f"{len(points)},1.0000,A-{k},地块,面,,,,@", *points]
    path("txt", "a.txt").write_text("\r\n".join(lines), encoding="gbk")

    table = [
        ["地块编号", "登记面积（亩）", "容积率", "投资强度（万元/亩）"],
        ["A-1", 15, "1.0≤R≤2.0", 150],
        ["A-2", "约20亩", 1.2, "—"],
    ]
    path("csv", "a.csv").write_text("\n".join(",".join(map(str, row)) for row in table), encoding="gbk")
    book = openpyxl.Workbook()
    for row in [["一览表"], *table, ["合计", 35]]:
        book.active.append(row)
    book.active.merge_cells("A1:D1")
    book.save(path("xlsx", "a.xlsx"))

    spot = rasterio.transform.from_origin(500_000, 4_170_000, 30, 30)
    cells = np.linspace(700, 900, 64 * 64, dtype="float32").reshape(64, 64)
    with rasterio.open(
        path("tif", "a.tif"), "w", driver="GTiff", crs="EPSG:4547", transform=spot, count=1, width=64, height=64,
        dtype="float32", nodata=-9999, compress="deflate", tiled=True, blockxsize=32, blockysize=32,
    ) as raster:  # fmt: skip
        raster.write(cells, 1)

    found: dict[str, list[Path]] = {}
    for inside in sorted(folder.iterdir()):
        first = next(p for p in sorted(inside.iterdir()) if p.suffix == f".{inside.name}")
        files = sorted(p for p in inside.rglob("*") if p.is_file())
        found[inside.name] = [first, *(p for p in files if p != first)]
    return found


# --- mutations ----------------------------------------------------------------------------------------------


def mutate(body: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """
    Damage bytes as transport, editors and bad will do.

    Parameters
    ----------
    body : bytes
        A sound file.
    chance : random.Random
        Decides what and where.
    others : list of bytes
        Bodies of other kinds, from which pieces are taken.

    Returns
    -------
    bytes
        The damaged file, at most some kilobytes longer.
    """
    damaged = bytearray(body)
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        size = len(damaged)
        at = chance.randrange(size) if size else 0
        length = chance.choice([1, 2, 4, 8, 16, 64, 512])
        way = chance.randrange(11)
        if way == 0 and size:
            damaged[at] ^= 1 << chance.randrange(8)
        elif way == 1 and size:
            damaged[at] = chance.randrange(256)
        elif way == 2:
            damaged[at : at + length] = chance.randbytes(length)
        elif way == 3:
            extreme = chance.choice(_EXTREMES)
            damaged[at : at + len(extreme)] = extreme
        elif way == 4:
            del damaged[at:]
        elif way == 5:
            del damaged[at : at + length]
        elif way == 6:
            damaged[at:at] = damaged[at : at + length] * chance.choice([1, 2, 50])
        elif way == 7:
            damaged[at : at + length] = bytes(length)
        elif way == 8:
            damaged[at:at] = chance.choice(_WORDS)
        elif way == 9:
            other = chance.choice(others)
            start = chance.randrange(len(other))
            damaged[at : at + length] = other[start : start + length]
        elif size >= 8:
            at = chance.randrange(size // 4) * 4
            number = chance.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, size, size * 2])
            damaged[at : at + 4] = struct.pack(chance.choice("<>") + "I", number)
    return bytes(damaged)


def write_mutant(seeds: dict[str, list[Path]], number: int, folder: Path) -> tuple[str, Path]:
    """
    Write the mutant of a number: the same damage in the same place whenever it comes up.

    Parameters
    ----------
    seeds : dict of str to list of Path
        As ``make_seeds`` gives.
    number : int
        Which one.
    folder : Path
        An empty folder.

    Returns
    -------
    tuple of (str, Path)
        Its kind, and what is to be read.
    """
    kinds = sorted(seeds)
    kind = kinds[number % len(kinds)]
    chance = random.Random(number)
    base = seeds[kind][0].parent
    shutil.copytree(base, folder, dirs_exist_ok=True)
    files = [file for file in seeds[kind] if file.is_file()]
    others = [
        paths[0].read_bytes() for name, paths in sorted(seeds.items()) if name != kind and paths[0].is_file()
    ]
    for _ in range(chance.choice([1, 1, 2])):
        chosen = folder / chance.choice(files).relative_to(base)
        body = chosen.read_bytes()
        if kind in ("zip", "xlsx", "kmz") and chance.random() < 0.7:
            chosen.write_bytes(_mutate_member(body, chance, others))
        else:
            chosen.write_bytes(mutate(body, chance, others))
    return kind, folder / seeds[kind][0].relative_to(base)


def _mutate_member(body: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Damage a file inside an archive whose sums agree, so that the damage gets through the door."""
    import io

    target = io.BytesIO()
    try:
        with (
            zipfile.ZipFile(io.BytesIO(body)) as source,
            zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed,
        ):
            members = source.infolist()
            chosen = chance.choice(members).filename
            for member in members:
                inside = source.read(member)
                packed.writestr(
                    member, mutate(inside, chance, others) if member.filename == chosen else inside
                )
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        ValueError,
        IndexError,
        NotImplementedError,
        OSError,
        RuntimeError,
        EOFError,
    ):
        return mutate(body, chance, others)
    return target.getvalue()


# --- the child ----------------------------------------------------------------------------------------------


def read_mutant(path: Path) -> str:
    """
    Read a damaged file and say what came of it.

    Parameters
    ----------
    path : Path
        What to read.

    Returns
    -------
    str
        ``data`` or ``issues``; anything else is a fault of landplan.
    """
    import shapely

    from landplan.issues import codes
    from landplan.read import inspect_files, read_source

    if path.suffix == ".tif":
        (found,) = inspect_files([path])
        if found.outcome != "accepted" and not found.issues:
            return "refused without a reason"
        return "data" if found.outcome == "accepted" else "issues"
    raw = read_source(path)
    source = raw.source
    if (
        source.rows_in != source.rows_imported + source.rows_rejected
        or len(raw.frame) != source.rows_imported
    ):
        return f"rows do not balance: {source.rows_in} {source.rows_imported} {source.rows_rejected} {len(raw.frame)}"
    severities = {codes()[issue.code].severity for issue in raw.issues}
    for issue in raw.issues:
        issue.as_row()
    if (
        source.rows_rejected
        and "error" not in severities
        and "ATTR.TOTAL_ROW" not in {i.code for i in raw.issues}
    ):
        return "rows were rejected without an error"
    if not source.rows_imported and not raw.issues:
        return "nothing was read and nothing is said"
    if source.rows_imported and "geometry" in raw.frame:
        named = {issue.row for issue in raw.issues}
        drawn = raw.frame.geometry.values
        for row, is_lost in zip(
            raw.rows, (shapely.is_missing(drawn) | shapely.is_empty(drawn)).tolist(), strict=True
        ):
            if is_lost and row not in named:
                return f"row {row} has no geometry and nothing is said"
    return "issues" if raw.issues else "data"


def _memory(pid: int) -> int:
    """Most memory a process and its children have held, in bytes; 0 where the system does not tell."""
    most = 0
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                most = int(line.split()[1]) * 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                most = max(most, _memory(int(child)))
    return most


def _serve(folder: Path) -> None:
    """Read mutants whose numbers come on standard input, one answer a line."""
    sys.path.insert(0, str(_ROOT))
    import traceback

    from landplan.read.workers import set_readers

    set_readers(seconds=LIMIT_S - 2, memory_mb=3072)
    seeds = {
        d.name: [Path(p) for p in json.loads((d / "files.json").read_text())]
        for d in sorted((folder / "seeds").iterdir())
    }
    for name, files in seeds.items():
        seeds[name] = [folder / "seeds" / name / "data" / file for file in files]
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        number = int(line)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            kind, path = write_mutant(seeds, number, Path(place) / "m")
            begun = time.monotonic()
            try:
                result = read_mutant(path)
            except BaseException as error:  # whatever it is, it is the finding
                result = "".join(traceback.format_exception(error))[-3000:]
            answer = {"number": number, "kind": kind, "result": result, "seconds": time.monotonic() - begun}
            answer["bytes"] = _memory(os.getpid())
        print(json.dumps(answer), flush=True)


# --- the parent ---------------------------------------------------------------------------------------------


class _Child:
    """A reading process of our own, watched from outside."""

    def __init__(self, folder: Path) -> None:
        self.log = (folder / "child.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(Path(__file__).resolve()), "--serve", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=_ROOT,
            start_new_session=True,
        )
        self.answer(_START_S)

    def answer(self, seconds: float) -> dict[str, Any] | None:
        """Wait for one line; None where none comes in time or the process is gone."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else b""
        return json.loads(line) if line else None

    def ask(self, number: int) -> dict[str, Any] | None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(b"%d\n" % number)
            self.process.stdin.flush()
        return self.answer(LIMIT_S + 1)

    def end(self) -> int | None:
        """End the process and the readers it started; give its exit code where it was gone already."""
        gone = None
        with suppress(subprocess.TimeoutExpired):
            # Its last words are read before it is quite gone.
            gone = self.process.wait(0.5)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.log):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        return gone


def fuzz(
    numbers: Iterator[int], say: Callable[[str], None] = lambda text: None
) -> tuple[Counter[str], list[str]]:
    """
    Read mutants and collect what must not be.

    Parameters
    ----------
    numbers : iterator of int
        Which mutants.
    say : callable
        Told of every finding as it comes.

    Returns
    -------
    tuple of (Counter, list of str)
        How many gave data and issues, by kind; and one text per finding.
    """
    counts: Counter[str] = Counter()
    findings: list[str] = []

    def report(text: str) -> None:
        findings.append(text)
        say(text)

    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        _store_seeds(folder)
        child = _Child(folder)
        try:
            for number in numbers:
                found = child.ask(number)
                if found is None:
                    gone = child.end()
                    what = (
                        f"hangs for more than {LIMIT_S:g} s"
                        if gone is None
                        else f"ends the process with {gone}"
                    )
                    words = (folder / "child.log").read_text(errors="replace")[-2000:]
                    report(f"{number}: {what}\n{words}")
                    child = _Child(folder)
                    continue
                counts[
                    f"{found['kind']} {found['result']}"
                    if found["result"] in ("data", "issues")
                    else found["kind"]
                ] += 1
                if found["result"] not in ("data", "issues"):
                    report(f"{number} ({found['kind']}): {found['result']}")
                if found["seconds"] > LIMIT_S:
                    report(f"{number} ({found['kind']}): {found['seconds']:.1f} s")
                if found["bytes"] > LIMIT_BYTES:
                    report(f"{number} ({found['kind']}): {found['bytes'] / 1024**2:.0f} MiB")
                    child.end()
                    child = _Child(folder)
        finally:
            child.end()
    return counts, findings


def _store_seeds(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="seeds-") as place:
        for kind, files in make_seeds(Path(place)).items():
            base = Path(place) / kind
            shutil.copytree(base, folder / "seeds" / kind / "data")
            listed = json.dumps([str(file.relative_to(base)) for file in files])
            (folder / "seeds" / kind / "files.json").write_text(listed)


def main() -> int:
    """Run as many mutants as asked for; exit code 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=10_000, help="how many mutants")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--only", type=int, help="one mutant again")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve is not None:
        _serve(asked.serve)
        return 0
    numbers = range(asked.first, asked.first + asked.count) if asked.only is None else [asked.only]
    begun = time.monotonic()
    counts, findings = fuzz(iter(numbers), print)
    for name, count in sorted(counts.items()):
        print(f"{name:20} {count:6}")
    print(f"{len(numbers)} mutants, {len(findings)} findings, {time.monotonic() - begun:.0f} s")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
