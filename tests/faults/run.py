"""
The ledger under faults: whatever happens, at whichever system call, it is as before or as after.

``python -m tests.faults.run`` visits every point; ``--quick`` a sample. Three kinds of fault:

kill
    the process is killed at each system call it makes;
fail
    each call that changes the folder is told that the disk is full, or that reading and writing failed - once, and
    from there on;
cut
    the power goes at each of those calls: what was not flushed by then is lost, whole, in part or torn in half.

Afterwards the ledger must open, verify, and hold what it held before or after; the same command run again must bring
it to after; and where the command said it was done, it must be after.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pandas as pd
import shapely

from landplan.cli import main
from landplan.errors import LandplanError
from landplan.ledger import Draft, freeze_list, frozen_shapes, load_frozen, open_ledger
from tests.faults import tracer

LEDGER = "总账.gpkg"
_CUTS = 6  # ways in which what was not flushed may be lost
AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
TOML = """\
[project]
name = "三宗地"
[parcels]
paths = ["地块.gpkg"]
[events]
path = "事项.csv"
items = { clear_land = "净地", approval = "农转用批复" }
[ledger]
heads = "首部.log"
[rules]
book = "small"
"""


def _command(*words: str) -> Callable[[Path], int]:
    def work(folder: Path) -> int:
        try:
            main([*words, "--project", str(folder)])
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 0
        return 0

    return work


def _told(work: Callable[[Path], None]) -> Callable[[Path], int]:
    """A function of the library as a command: refused, it says why and gives the exit code."""

    def told(folder: Path) -> int:
        try:
            work(folder)
        except LandplanError as error:
            print(error)
            return error.exit_code
        return 0

    return told


def _freeze(folder: Path) -> None:
    """Freeze fifty parcels with their squares."""
    names = [f"P-{number}" for number in range(50)]
    rows = pd.DataFrame(
        {"parcel_name": [f"地块{n}" for n in range(50)], "area_m2": 100.0},
        index=pd.Index(names, name="parcel_id"),
    )
    squares = [shapely.to_wkb(shapely.box(20 * n, 0, 20 * n + 10, 10)) for n in range(50)]
    ledger = open_ledger(folder / LEDGER, heads=folder / "首部.log")
    shapes = pd.Series(squares, index=rows.index)
    done = freeze_list(
        ledger, 2027, "stock", rows, shapes, {"rulebook": "small"}, "test", datetime.now(UTC),
        as_of=date(2027, 1, 1), crs="EPSG:4526",
    )  # fmt: skip
    print(done.list_no)


def _import(folder: Path) -> None:
    """Record three hundred events in one run: the journal holds many pages."""
    ledger = open_ledger(folder / LEDGER, heads=folder / "首部.log")
    drafts = [
        Draft("event", {"parcel_id": f"P-{n}", "item": "approval", "on": "2026-06-01"}) for n in range(300)
    ]
    print(len(ledger.append(drafts, "test", datetime.now(UTC))))


_EVENT = ("record", "净地", "--parcel", "P-1", "--on", "2026-05-01", "--document", "示例1号", "--by", "张三")
_PARCEL = (
    "hold",
    "parcel",
    "P-1",
    "--for",
    "甲项目",
    "--on",
    "2026-05-01",
    "--until",
    "2027-05-01",
    "--by",
    "李四",
)
_POWER = (
    "hold", "capacity", "--resource", "电", "--node", "城北变", "--amount", "20000", "--unit", "kVA", "--for", "甲项目",
    "--on", "2026-05-01", "--until", "2027-05-01", "--by", "李四", "--available", "50000", "--document", "示例2号",
)  # fmt: skip
WORKS: dict[str, tuple[bool, Callable[[Path], int]]] = {
    "record_first": (False, _command(*_EVENT)),
    "record": (True, _command(*_EVENT)),
    "record_many": (True, _told(_import)),
    "hold_parcel": (True, _command(*_PARCEL)),
    "hold_capacity": (True, _command(*_POWER)),
    "release": (True, _command("hold", "release", "H0001", "--on", "2026-06-01", "--by", "李四")),
    "freeze": (True, _told(_freeze)),
}
"""Name, whether the ledger is there already, and what is run."""


@dataclass
class Report:
    """What became of one work under one kind of fault."""

    work: str
    fault: str
    points: int = 0
    before: int = 0
    after: int = 0
    wrong: list[str] = field(default_factory=list)


def _prepare(folder: Path, has_ledger: bool) -> Path:
    folder.mkdir()
    (folder / "landplan.toml").write_text(TOML, encoding="utf-8")
    if has_ledger:
        hold = {
            "parcel_id": "P-9",
            "demand": "乙",
            "on": "2026-01-01",
            "until": "2027-01-01",
            "person": "王五",
        }
        drafts = [
            Draft("event", {"parcel_id": f"P-{n}", "item": "clear_land", "on": "2026-04-01"})
            for n in range(2, 6)
        ]
        open_ledger(folder / LEDGER, heads=folder / "首部.log").append(
            [*drafts, Draft("hold", hold)], "test", AT
        )
    return folder


def _state(folder: Path) -> str:
    """Everything the ledger holds, without the moments and the hashes they go into; or what is wrong with it."""
    ledger = open_ledger(folder / LEDGER, heads=folder / "首部.log")
    faults = ledger.verify()
    if faults:
        return f"faults: {[issue.as_row()['message_en'] for issue in faults]}"
    held = []
    for entry in ledger.entries():
        held.append([entry.seq, entry.action, entry.idem_key, entry.body])
        if entry.action == "freeze":
            rows, _ = load_frozen(ledger, entry.body["list_no"])
            shapes, crs = frozen_shapes(ledger, entry.body["list_no"])
            held.append([rows.to_json(), [bytes(shape).hex() for shape in shapes], crs])
    return json.dumps(held, ensure_ascii=False, sort_keys=True)


class Stage:
    """One work, its folder before, and the two states there may be."""

    def __init__(self, root: Path, name: str) -> None:
        has_ledger, self.work = WORKS[name]
        self.name, self.root = name, root
        self.original = _prepare(root / f"{name}-before", has_ledger)
        self.before = _state(self.original)
        with self.fresh() as folder, contextlib.redirect_stdout(io.StringIO()):
            self.work(folder)  # here, so that what it imports is there already in every fork
        with self.fresh() as folder:
            self.clean = tracer.run(partial(self.work, folder), folder=folder)
            self.after = _state(folder)
            again = tracer.run(partial(self.work, folder))
            if self.clean.code or again.code or self.before == self.after or _state(folder) != self.after:
                raise RuntimeError(f"{name} does not work: {self.clean.said} {again.said}")

    @contextlib.contextmanager
    def fresh(self) -> Iterator[Path]:
        """A copy of the folder as it was before."""
        # One name for all: the text of a path may decide how many calls are made.
        folder = self.root / "work"
        shutil.copytree(self.original, folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def judge(
        self, report: Report, folder: Path, point: str, outcome: tracer.Outcome | None, *, must_be_after: bool
    ) -> None:
        """Hold what is there against what may be there; then run the work again."""
        report.points += 1
        state = _state(folder)
        said = "" if outcome is None else outcome.said[-300:]
        if state not in (self.before, self.after):
            report.wrong.append(f"{point}: neither before nor after: {state[-300:]} {said}")
        elif must_be_after and state != self.after:
            report.wrong.append(f"{point}: said to be done, and is not: {said}")
        report.before += state == self.before
        report.after += state == self.after
        again = tracer.run(partial(self.work, folder))
        if again.code or _state(folder) != self.after:
            report.wrong.append(f"{point}: run again, it is not after: {again.said[-300:]}")


def _sample(points: list[int], quick: int | None) -> list[int]:
    if quick is None or len(points) <= quick:
        return points
    return sorted(random.Random(1).sample(points, quick))


def kill_everywhere(stage: Stage, quick: int | None) -> Report:
    """Kill the work at each of its system calls."""
    report = Report(stage.name, "kill")
    points = list(range(1, stage.clean.calls + 1))
    if quick is not None:
        # Of a few points most should be those where something is under way.
        near = sorted({at for call in stage.clean.writes for at in (call.at, call.at + 1)})
        points = sorted({*_sample(near, quick), *_sample(points, quick // 3)})
    for at in points:
        with stage.fresh() as folder:
            outcome = tracer.run(partial(stage.work, folder), kill_at=at)
            stage.judge(report, folder, f"call {at}", outcome, must_be_after=outcome.code == 0)
    return report


class _Failing:
    """What the disk answers: an error at one call, and where it lasts at every later one."""

    def __init__(self, at: int, error: int, lasting: bool) -> None:
        self.at, self.error, self.lasting = at, error, lasting
        self.hit = ""

    def __call__(self, call: tracer.Call, number: int) -> int:
        if number < self.at or (number > self.at and not self.lasting):
            return 0
        # A disk that is full still lets files be cut, flushed and removed.
        if self.error == errno.ENOSPC and call.name in (
            "ftruncate",
            "fsync",
            "fdatasync",
            "unlink",
            "unlinkat",
        ):
            return 0
        self.hit = self.hit or call.name
        return self.error


def fail_everywhere(stage: Stage, quick: int | None) -> Report:
    """Fail each call that changes the folder, once or for good."""
    report = Report(stage.name, "fail")
    modes = [(error, lasting) for error in (errno.ENOSPC, errno.EIO) for lasting in (False, True)]
    wanted = [(at, *mode) for at in range(1, len(stage.clean.writes) + 1) for mode in modes]
    for turn in _sample(list(range(len(wanted))), quick):
        failing = _Failing(*wanted[turn])
        with stage.fresh() as folder:
            outcome = tracer.run(partial(stage.work, folder), folder=folder, fail=failing)
            if not failing.hit:
                continue
            how = "from" if failing.lasting else "at"
            point = f"{errno.errorcode[failing.error]} {how} {failing.at} ({failing.hit})"
            stage.judge(report, folder, point, outcome, must_be_after=outcome.code == 0)
            if outcome.code not in (0, 3) or (outcome.code == 3 and "StoreError" not in outcome.said):
                report.wrong.append(
                    f"{point}: not told as it should be: {outcome.code} {outcome.said[-300:]}"
                )
    return report


def cut_everywhere(stage: Stage, quick: int | None) -> Report:
    """Let the power go at each call that changes the folder."""
    report = Report(stage.name, "cut")
    writes = stage.clean.writes
    disk = Disk(stage.original)
    chosen = set(_sample(list(range(_CUTS * (len(writes) + 1))), quick))
    for at in range(len(writes) + 1):
        for seed in range(_CUTS):
            if _CUTS * at + seed not in chosen:
                continue
            folder = stage.root / "work"
            disk.fall(folder, seed)
            try:
                is_done = at == len(writes)
                stage.judge(
                    report, folder, f"power cut before {at}, seed {seed}", None, must_be_after=is_done
                )
            finally:
                shutil.rmtree(folder)
        if at < len(writes):
            disk.take(writes[at], stage.root / "work")
    return report


class Disk:
    """
    A disk that loses what was not flushed.

    A write is safe once its file was flushed, a name that came or went once its folder was.
    """

    def __init__(self, original: Path) -> None:
        self.original = original
        self.safe = {file.name: bytearray(file.read_bytes()) for file in original.iterdir()}
        self.files: dict[str, int] = {}  # names as they stand, and the file each stands for
        self.content: list[bytearray] = []
        self.durable: list[bytearray] = []
        self.pending: list[list[tuple[int, bytes] | int]] = []
        for name, content in self.safe.items():
            self.files[name] = self._new(content)
        self.safe_names = dict(self.files)
        self.moves: list[tuple[str, int | None]] = []  # names that came or went since the folder was flushed

    def _new(self, content: bytearray) -> int:
        self.content.append(bytearray(content))
        self.durable.append(bytearray(content))
        self.pending.append([])
        return len(self.content) - 1

    def take(self, call: tracer.Call, folder: Path) -> None:
        """Do what a call did."""
        name = Path(call.path).name
        if Path(call.path) == folder.resolve():
            if call.name in ("fsync", "fdatasync"):
                self.safe_names, self.moves = dict(self.files), []
            return
        if call.name in ("open", "openat"):
            if name not in self.files:
                self.files[name] = self._new(bytearray())
                self.moves.append((name, self.files[name]))
        elif call.name in ("unlink", "unlinkat"):
            if self.files.pop(name, None) is not None:
                self.moves.append((name, None))
        elif name in self.files:
            file = self.files[name]
            if call.name in ("write", "pwrite64"):
                _apply(self.content[file], (call.offset, call.data))
                self.pending[file].append((call.offset, call.data))
            elif call.name == "ftruncate":
                _apply(self.content[file], call.args[1])
                self.pending[file].append(call.args[1])
            elif call.name in ("fsync", "fdatasync"):
                self.durable[file] = bytearray(self.content[file])
                self.pending[file] = []
        else:
            raise RuntimeError(f"{call.name} of a file that is not there: {call.path}")

    def fall(self, folder: Path, seed: int) -> None:
        """Write what may be left: nothing of what was not flushed, all of it, or any part, torn or whole."""
        chance = random.Random(seed)
        share = {0: 0.0, 1: 1.0}.get(seed, 0.5)
        names = dict(self.safe_names)
        for name, file in self.moves:
            if chance.random() < share:
                if file is None:
                    names.pop(name, None)
                else:
                    names[name] = file
        folder.mkdir()
        for name, file in names.items():
            content = bytearray(self.durable[file])
            for change in self.pending[file]:
                if chance.random() >= share:
                    continue
                if (
                    not isinstance(change, int) and seed > 3
                ):  # sectors are whole: half a page, never half a sector
                    keep = (
                        chance.randrange(0, len(change[1]) + 1, 512)
                        if len(change[1]) >= 512
                        else len(change[1])
                    )
                    change = (change[0], change[1][:keep])  # noqa: PLW2901
                _apply(content, change)
            (folder / name).write_bytes(content)


def _apply(content: bytearray, change: tuple[int, bytes] | int) -> None:
    if isinstance(change, int):
        if change <= len(content):
            del content[change:]
        else:
            content.extend(bytes(change - len(content)))
        return
    offset, data = change
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


FAULTS = {"kill": kill_everywhere, "fail": fail_everywhere, "cut": cut_everywhere}


def main_run() -> int:
    """Visit the points asked for; 1 where one is wrong, 2 where processes may not be traced here."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", type=int, help="at most so many points of each work and fault")
    parser.add_argument("--work", choices=sorted(WORKS), action="append")
    parser.add_argument("--fault", choices=sorted(FAULTS), action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not tracer.is_allowed():
        print("processes may not be traced here", file=sys.stderr)
        return 2
    reports = []
    # In memory where there is such a disk: flushing costs nothing there, and what is asked is the same.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as root:
        for name in options.work or WORKS:
            stage = Stage(Path(root).resolve(), name)
            for fault in options.fault or FAULTS:
                if fault != "kill" and not tracer.IS_X86:
                    print(f"{fault}: calls are failed and followed on x86-64 only", file=sys.stderr)
                    continue
                report = FAULTS[fault](stage, options.quick)
                reports.append(report)
                if not options.json:
                    print(
                        f"{report.work:14} {report.fault:5} {report.points:6} points: {report.before} before, "
                        f"{report.after} after, {len(report.wrong)} wrong", flush=True,
                    )  # fmt: skip
                    for wrong in report.wrong[:10]:
                        print(f"    {wrong}")
    if options.json:
        print(json.dumps([vars(report) for report in reports], ensure_ascii=False))
    return 1 if any(report.wrong for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main_run())
