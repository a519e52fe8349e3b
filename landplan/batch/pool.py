"""Processes that do units side by side, watched: one that crashes or hangs costs the unit it was at."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from landplan.batch.work import Task
from landplan.errors import Fault
from landplan.issues import clean_text

__all__ = ["WORKER", "Event", "Pool"]

# -P: a folder of data must not be able to lend Python its modules.
WORKER = (sys.executable, "-P", "-m", "landplan.batch.worker")
_UNITS_PER_WORKER = 200  # what a library leaks goes with its process
_LEAST_MEMORY = 3 * 1024**3
_SHARE_OF_MEMORY = 0.8
_TAIL = 4000
_QUIET = {
    # Nothing a file says may make GDAL or PROJ ask the network.
    "PROJ_NETWORK": "OFF",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    # As many processes as cores already; threads of their own would queue up, and each takes address space.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Event:
    """
    What a worker said, or what became of it.

    Parameters
    ----------
    name : str
        The unit.
    kind : {"sha256", "result", "crashed", "hung"}
        What it is about.
    facts : dict
        ``text`` of the hash; fields of a record; or a ``fault``.
    seconds : float
        Since the unit was begun.
    """

    name: str
    kind: str
    facts: dict[str, Any]
    seconds: float


class _Worker:
    """One process and what it is at."""

    def __init__(self, command: Sequence[str], said: queue.SimpleQueue[tuple[_Worker, bytes]]) -> None:
        home = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, **_QUIET, "PYTHONPATH": path},
            **apart,
        )
        self.name = ""
        self.step = ""
        self.begun = 0.0
        self.done = 0
        self._listener = threading.Thread(target=self._listen, args=(said,), daemon=True)
        self._listener.start()

    def _listen(self, said: queue.SimpleQueue[tuple[_Worker, bytes]]) -> None:
        assert self.process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in self.process.stdout:
            said.put((self, line))
        said.put((self, b""))

    def give(self, name: str, task: Task) -> None:
        self.name, self.step, self.begun = name, "", time.monotonic()
        assert self.process.stdin is not None  # noqa: S101 - a pipe was asked for
        # A process that died while idle is found by its listener; the unit comes back from there.
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(asdict(task)).encode() + b"\n")
            self.process.stdin.flush()

    def end(self) -> None:
        """End the process and whatever it started."""
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self._listener.join(timeout=10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def tail(self) -> str:
        """The last line it left on stderr that says something."""
        with contextlib.suppress(OSError, ValueError):
            size = self.errors.seek(0, os.SEEK_END)
            self.errors.seek(max(0, size - _TAIL))
            lines = self.errors.read().decode("utf-8", "replace").splitlines()
            fatal = [line for line in lines if line.startswith("Fatal Python error")]
            told = fatal or [line for line in lines if line.strip() and not line.startswith(" ")]
            return clean_text(told[-1])[:300] if told else ""
        return ""


class Pool:
    """
    A number of workers.

    Parameters
    ----------
    jobs : int
        How many at most.
    timeout : float
        Seconds a unit may take.
    memory : int or None
        Bytes of address space for each; a fair share of the machine's by default.
    command : sequence of str
        How a worker is started; the limit of memory is added.
    """

    def __init__(
        self, jobs: int, timeout: float, memory: int | None = None, command: Sequence[str] = WORKER
    ) -> None:
        """Start nothing yet: a worker begins with its first unit."""
        self._jobs, self._timeout = jobs, timeout
        self._command = (*command, str(_fair_share(jobs) if memory is None else memory))
        self._workers: list[_Worker] = []
        self._said: queue.SimpleQueue[tuple[_Worker, bytes]] = queue.SimpleQueue()

    @property
    def is_free(self) -> bool:
        """Whether another unit can be begun now."""
        return self.busy < self._jobs

    @property
    def busy(self) -> int:
        """How many units are being done."""
        return sum(bool(worker.name) for worker in self._workers)

    def begin(self, name: str, task: Task) -> None:
        """
        Begin a unit.

        Parameters
        ----------
        name : str
            The unit.
        task : Task
            What to do.
        """
        idle = [worker for worker in self._workers if not worker.name]
        for worker in idle:
            if worker.done >= _UNITS_PER_WORKER or worker.process.poll() is not None:
                self._drop(worker)
        idle = [worker for worker in self._workers if not worker.name]
        if not idle:
            idle = [_Worker(self._command, self._said)]
            self._workers += idle
        idle[0].give(name, task)

    def wait(self, seconds: float) -> list[Event]:
        """
        Wait until a worker says something, ends, or takes too long.

        Parameters
        ----------
        seconds : float
            At most.

        Returns
        -------
        list of Event
            Everything that was said by then; may be empty.
        """
        events: list[Event] = []
        try:
            said = [self._said.get(timeout=seconds)]
            while not self._said.empty():
                said.append(self._said.get())
        except queue.Empty:
            said = []
        for worker, line in said:
            events += self._hear(worker, line)
        for worker in list(self._workers):
            if worker.name and time.monotonic() - worker.begun > self._timeout:
                events.append(
                    Event(
                        worker.name, "hung", {"fault": vars(_hung(self._timeout, worker.step))}, self._timeout
                    )
                )
                self._drop(worker)
        return events

    def _hear(self, worker: _Worker, line: bytes) -> list[Event]:
        if worker not in self._workers:
            return []  # ended already, for taking too long
        seconds = round(time.monotonic() - worker.begun, 3)
        name = worker.name
        facts: dict[str, Any] = {}
        with contextlib.suppress(ValueError):
            facts = json.loads(line) if line.endswith(b"\n") else {}
        kind = facts.pop("kind", "")
        if not line:
            worker.process.wait()
            fault = _crashed(worker.process.returncode, worker.step, worker.tail())
            self._drop(worker)
            return [Event(name, "crashed", {"fault": vars(fault)}, seconds)] if name else []
        if kind == "step":
            worker.step = facts["text"]
        elif kind == "sha256":
            return [Event(name, kind, facts, seconds)]
        elif kind == "result":
            worker.name = ""
            worker.done += 1
            if facts["state"] == "crashed":
                self._drop(
                    worker
                )  # out of memory: it is ending by itself, and must not be given another unit
            return [Event(name, kind, facts, seconds)]
        return []

    def _drop(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()
        worker.errors.close()

    def close(self) -> None:
        """End every process, whatever it is at."""
        for worker in list(self._workers):
            self._drop(worker)


def _fair_share(jobs: int) -> int:
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows keeps no such limit
        return 0
    return max(_LEAST_MEMORY, int(whole * _SHARE_OF_MEMORY / jobs))


def _crashed(code: int, step: str, said: str) -> Fault:
    how = f"exit code {code}"
    if code < 0:
        with contextlib.suppress(ValueError):
            how = signal.Signals(-code).name
    where_en, where_zh = (f" at step {step!r}", f"，当时的步骤：{step}") if step else ("", "")
    return Fault(
        en=f"the process ended ({how}){where_en}{f': {said}' if said else ''}.",
        zh=f"处理进程异常结束（{how}）{where_zh}。",
        mend_en="look into its files one by one with `landplan inspect`; have the damaged one sent again",
        mend_zh="用 landplan inspect 逐个检查该单元的文件，请提供单位重发损坏的文件。",
    )


def _hung(timeout: float, step: str) -> Fault:
    where_en, where_zh = (f" at step {step!r}", f"，停在步骤：{step}") if step else ("", "")
    return Fault(
        en=f"not done after {timeout:g} s{where_en}; it was ended.",
        zh=f"超过 {timeout:g} 秒没有完成{where_zh}，已终止。",
        mend_en="raise --timeout if the data are large; otherwise look into them with `landplan inspect`",
        mend_zh="资料确实很大时调大 --timeout；否则用 landplan inspect 检查该单元的文件。",
    )
