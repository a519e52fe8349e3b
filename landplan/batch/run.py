"""One run over a folder: what must be done is handed out, what comes back is put down at once."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from landplan.batch.folder import Unit, find_units
from landplan.batch.manifest import MANIFEST, Log, Manifest, Record, hold_folder
from landplan.batch.pool import WORKER, Event, Pool
from landplan.batch.progress import Progress
from landplan.batch.work import Task
from landplan.errors import Fault, LandplanError, UsageError

__all__ = ["Settings", "run_batch"]

_CRASHES = 2
"""After so many a unit is left alone until its data change."""
_TICK = 0.5


@dataclass(frozen=True)
class Settings:
    """
    How a batch is run.

    Parameters
    ----------
    as_of : date
        The day judged for.
    jobs : int or None
        Processes side by side; one per core by default.
    resume : bool
        Whether results whose inputs have not changed are kept.
    rules, profile : str or Path or None
        Rulebook and mapping profile for parcel files that lie outside projects.
    timeout : float
        Seconds a unit may take.
    memory_gb : float or None
        Address space of one process; a fair share of the machine's memory by default.
    log : Path or None
        NDJSON, appended to.
    worker : sequence of str
        The command that starts a process.
    """

    as_of: date
    jobs: int | None = None
    resume: bool = False
    rules: str | Path | None = None
    profile: str | Path | None = None
    timeout: float = 1800.0
    memory_gb: float | None = None
    log: Path | None = None
    worker: Sequence[str] = WORKER


def run_batch(folder: Path, out: Path, settings: Settings, *, clock: Callable[[], datetime]) -> Manifest:
    """
    Work through a folder, unit by unit, each in a process that may die without costing the others.

    Parameters
    ----------
    folder : Path
        Sub-folders with ``landplan.toml`` are projects; other source files are looked into, or judged by
        ``rules``.
    out : Path
        Folder of results: one folder per unit, ``汇总.xlsx``, ``batch.json``.
    settings : Settings
        The day, and how.
    clock : callable
        Gives the time, with its zone, for the log and the record.

    Returns
    -------
    Manifest
        What became of each unit; ``finished`` is empty where a signal broke the run off.

    Raises
    ------
    UsageError
        If the folder holds nothing to do, a setting is wrong, or another batch is at work there.
    StoreError
        If the folder of results cannot be written.
    """
    folder, out = Path(folder), Path(out)
    fixed = _check(settings)
    units, ignored = find_units(folder, out)
    with hold_folder(out):
        last = Manifest.load(out / MANIFEST)
        log = Log(settings.log, clock)
        try:
            manifest = _open_manifest(last, fixed, settings.resume, clock)
            manifest.folder, manifest.ignored = str(folder), ignored
            run = _Run(out, settings, manifest, {} if last is None else last.records, log, clock)
            run.is_same = last is not None and last.run == manifest.run
            run.plan(units)
            return run.go()
        finally:
            log.close()


def _check(settings: Settings) -> dict[str, str]:
    """What a run can be resumed with; wrong settings are said before anything is begun."""
    faults = []
    if settings.jobs is not None and settings.jobs < 1:
        faults.append(Fault(en="--jobs must be at least 1.", zh="--jobs 至少为 1。"))
    if settings.timeout <= 0:
        faults.append(Fault(en="--timeout must be above 0.", zh="--timeout 应大于 0。"))
    if faults:
        raise UsageError(*faults)
    rules, profile = _absolute(settings.rules), _absolute(settings.profile)
    try:
        if rules:
            from landplan.rules import load_rulebook

            load_rulebook(Path(rules) if Path(rules).is_file() else rules)
        if profile:
            from landplan.read.profile import load_profile

            load_profile(profile)
    except LandplanError as error:
        raise UsageError(*error.faults) from error
    return {
        "as_of": settings.as_of.isoformat(),
        "rules": rules,
        "profile": profile,
        "version": version("landplan"),
    }


def _absolute(name: str | Path | None) -> str:
    """A path, made safe against another current folder; or a name, as it is."""
    if name is None:
        return ""
    return str(Path(name).resolve()) if Path(name).is_file() else str(name)


def _open_manifest(
    last: Manifest | None, fixed: dict[str, str], resume: bool, clock: Callable[[], datetime]
) -> Manifest:
    """Begin a run, or go on with one that was broken off: what it compares with is what stood before it."""
    now = clock().isoformat(timespec="seconds")
    if last is None:
        return Manifest(run=1, settings=fixed, started=now)
    if resume and not last.finished and last.settings == fixed:
        return Manifest(run=last.run, settings=fixed, started=last.started, last=last.last)
    before = {"as_of": last.settings["as_of"], "started": last.started}
    return Manifest(run=last.run + 1, settings=fixed, started=now, last=before)


@dataclass
class _Run:
    """The state of one run."""

    out: Path
    settings: Settings
    manifest: Manifest
    before: dict[str, Record]
    log: Log
    clock: Callable[[], datetime]
    is_same: bool = False
    is_stopped: bool = False
    tasks: dict[str, Task] = field(default_factory=dict)
    tried: dict[str, tuple[int, int]] = field(default_factory=dict)
    waiting: deque[str] = field(default_factory=deque)

    def plan(self, units: Sequence[Unit]) -> None:
        """Write down what there is to do; until its turn comes a unit is what it was."""
        for unit in units:
            self.tasks[unit.name] = self._task(unit)
            kept = self.before.get(unit.name) or Record(unit.name, unit.kind, unit.target)
            self.manifest.records[unit.name] = replace(
                kept, kind=unit.kind, target=unit.target, is_pending=True
            )
        for name, record in self.before.items():
            if name not in self.tasks and (record.state != "gone" or self.is_same):
                self.manifest.records[name] = replace(record, is_pending=True)
                target = str((self.out / record.target).absolute())
                day = self.manifest.settings["as_of"]
                self.tasks[name] = Task("gone", "", target, day, self.manifest.run, is_known=True)
        self.waiting.extend(sorted(self.tasks))

    def _task(self, unit: Unit) -> Task:
        fixed, before = self.manifest.settings, self.before.get(unit.name)
        is_file = unit.kind == "file"
        is_known = before is not None and (before.state != "gone")
        done = banned = ""
        if self.settings.resume and before is not None:
            has_files = all((self.out / before.target / file).is_file() for file in before.files)
            if before.state in ("done", "inspected") and has_files and before.target == unit.target:
                done = before.sha256
            elif before.crashes >= _CRASHES:
                banned = before.sha256
        return Task(
            unit.kind,
            str(unit.path.absolute()),
            str((self.out / unit.target).absolute()),
            fixed["as_of"],
            self.manifest.run,
            fixed["rules"] if is_file else "",
            fixed["profile"] if is_file else "",
            done,
            banned,
            is_known,
        )

    def go(self) -> Manifest:
        jobs = self.settings.jobs or _cores()
        memory = None if self.settings.memory_gb is None else int(self.settings.memory_gb * 1024**3)
        pool = Pool(jobs, self.settings.timeout, memory, self.settings.worker)
        self.log.write(
            "run_started", self.manifest.run, units=len(self.tasks), settings=self.manifest.settings
        )
        self.manifest.save(self.out / MANIFEST)
        with self._heed_signals(), Progress(len(self.tasks)) as progress:
            try:
                while (self.waiting or pool.busy) and not self.is_stopped:
                    while self.waiting and pool.is_free:
                        self._begin(pool, self.waiting.popleft())
                    events = pool.wait(_TICK)
                    ended = [name for event in events if (name := self._take(event))]
                    if ended:
                        self.manifest.save(self.out / MANIFEST)
                    for name in ended:
                        progress.tell(self.manifest.records[name])
            finally:
                pool.close()
        self._finish()
        return self.manifest

    def _begin(self, pool: Pool, name: str) -> None:
        kept = self.manifest.records[name]
        attempts, crashes = self.tried.get(name, (0, 0))
        self.tried[name] = (attempts + 1, crashes)
        record = Record(name, kept.kind, kept.target, "running", attempts=attempts + 1, crashes=crashes)
        record.is_pending = True
        self.manifest.records[name] = record
        self.manifest.changed(name)
        self.log.write("unit_started", self.manifest.run, record)
        pool.begin(name, self.tasks[name])

    def _take(self, event: Event) -> str:
        """Put down what a worker said; the name of the unit where that is the end of it."""
        record = self.manifest.records[event.name]
        before = self.before.get(event.name)
        self.manifest.changed(event.name)
        if event.kind == "sha256":
            record.sha256 = event.facts["text"]
            if before is not None and before.sha256 == record.sha256 and self.settings.resume:
                record.crashes = max(record.crashes, before.crashes)
            return ""
        record.seconds = event.seconds
        facts: dict[str, Any] = dict(event.facts)
        if event.kind != "result":
            facts = {"state": "crashed", "faults": [facts["fault"]]}
        if facts["state"] == "unchanged" and before is not None:
            self._carry(record, before)
        else:
            for name, value in facts.items():
                setattr(record, name, value)
        if facts["state"] == "quarantined" and before is not None:
            record.faults, record.note = before.faults, _QUARANTINED
        if record.state == "crashed":
            record.crashes += 1
            if record.crashes >= _CRASHES:
                record.state, record.note = "quarantined", _QUARANTINED
            elif event.kind != "hung":
                # At the end of the queue: what brought it down may have been a neighbour's hunger. A hang
                # is not waited for twice in one run.
                self.log.write("unit_retried", self.manifest.run, record, faults=record.faults)
                self.tried[event.name] = (record.attempts, record.crashes)
                self.waiting.append(event.name)
                return ""
        record.is_pending = False
        told = {
            "counts": record.counts,
            "issues": record.issues,
            "changes": record.changes,
            "faults": record.faults,
        }
        self.log.write("unit_finished", self.manifest.run, record, is_carried=record.is_carried, **told)
        return event.name

    def _carry(self, record: Record, before: Record) -> None:
        for name in ("state", "counts", "rows", "issues", "files", "note"):
            setattr(record, name, getattr(before, name))
        record.attempts = 0
        # Within a run that was broken off the result is this run's own, with what it changed.
        record.is_carried = before.is_carried or before.is_pending or not self.is_same
        record.changes = {} if record.is_carried else before.changes
        record.seconds = before.seconds

    def _finish(self) -> None:
        self.manifest.trouble = self.log.trouble
        if self.is_stopped and any(record.is_pending for record in self.manifest.records.values()):
            self.manifest.save(self.out / MANIFEST)
            self.log.write("run_interrupted", self.manifest.run)
            return
        from landplan.batch.summary import write_summary

        write_summary(self.manifest, self.out)
        self.manifest.finished = self.clock().isoformat(timespec="seconds")
        self.manifest.save(self.out / MANIFEST)
        records = self.manifest.records.values()
        self.log.write("run_finished", self.manifest.run, failed=sum(record.is_failed for record in records))

    @contextmanager
    def _heed_signals(self) -> Iterator[None]:
        """End in good order when asked to: running units are ended, finished ones are on record."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: object) -> None:
            self.is_stopped = True

        wanted = (signal.SIGINT, signal.SIGTERM)
        kept = {number: signal.signal(number, stop) for number in wanted}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)


_QUARANTINED = "两次异常结束，已隔离：资料改动后，或不带 --resume 时再试"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
