"""
The readers that are kept: started early, used again and again, and asked file by file.

``LANDPLAN_READERS=inprocess`` reads in the main process instead, for debugging and where processes are not allowed:
then a file that crashes GDAL takes landplan with it. ``LANDPLAN_READER_SECONDS`` and ``LANDPLAN_READER_MB`` set the
limits. On Windows there is no limit on memory and the network is not cut off; the watchdog and the list of drivers hold.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from landplan.read.workers import worker
from landplan.read.workers.process import Process, ReaderError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Answer",
    "Pending",
    "Reader",
    "close_readers",
    "describe_readers",
    "private_file",
    "set_readers",
    "warm_readers",
]

_SECONDS, _MEMORY_MB = 120.0, 3072
_SERVES = 1000  # requests until a process makes way for a fresh one: libraries leak
_LEAST_S = 1.0  # for an answer that has long been lying in the pipe


@dataclass(frozen=True)
class Answer:
    """
    What a reader delivered.

    Parameters
    ----------
    about : dict
        JSON values.
    table : pyarrow.Table or None
        Records.
    """

    about: dict[str, Any]
    table: pa.Table | None


class Apart(Protocol):
    """Takes one column of an answer, some records at a time, so that it is never in memory as a whole."""

    def find(self, about: dict[str, Any], schema: pa.Schema) -> int | None:
        """Place of the column, by what was said and what stands in the table; None where it has none such."""

    def take(self, column: pa.Array) -> None:
        """Take the column of some records, in their order."""


@dataclass(frozen=True)
class _Settings:
    seconds: float
    memory_mb: int
    is_inprocess: bool


def _settings_of_environment() -> _Settings:
    def number(name: str, default: float) -> float:
        try:
            return max(float(os.environ.get(name, "")), 0.0) or default
        except ValueError:
            return default

    return _Settings(
        number("LANDPLAN_READER_SECONDS", _SECONDS),
        int(number("LANDPLAN_READER_MB", _MEMORY_MB)),
        os.environ.get("LANDPLAN_READERS", "").strip().lower() == "inprocess",
    )


class _Pool:
    """Idle and busy processes."""

    def __init__(self, settings: _Settings) -> None:
        self.settings = settings
        self.lock = threading.Lock()
        self.idle: dict[str, list[Process]] = {"vector": [], "raster": []}
        self.busy: set[Process] = set()
        self.found: dict[str, frozenset[str]] = {"vector": frozenset(), "raster": frozenset()}

    def take(self, kind: str, *, is_fresh: bool = False) -> Process:
        process = self._next(kind, is_fresh)
        try:
            extra = frozenset(process.greet()["extra"])
            if extra - self.found[kind]:
                # A GDAL newer than the list of drivers: the next process is told of the ones it has besides.
                self.drop(process)
                self.found[kind] |= extra
                process = self._next(kind, is_fresh=True)
                extra = frozenset(process.greet()["extra"])
            if extra:
                raise ReaderError("SEC.READER", ", ".join(sorted(extra)))
        except BaseException:
            self.drop(process)
            raise
        return process

    def _next(self, kind: str, is_fresh: bool) -> Process:
        with self.lock:
            idle = [] if is_fresh else self.idle[kind]
            process = idle.pop() if idle else self._start(kind)
            self.busy.add(process)
        return process

    def _start(self, kind: str) -> Process:
        try:
            return Process(kind, self.settings.memory_mb, self.found[kind])
        except OSError as error:
            raise ReaderError("SEC.READER", str(error)) from error

    def warm(self, kind: str) -> None:
        with self.lock, suppress(ReaderError):
            if not self.settings.is_inprocess and not self.idle[kind]:
                self.idle[kind].append(self._start(kind))

    def give_back(self, process: Process) -> None:
        if process.served >= _SERVES or not process.is_alive:
            self.drop(process)
            return
        with self.lock:
            self.busy.discard(process)
            self.idle[process.kind].append(process)

    def drop(self, process: Process) -> None:
        with self.lock:
            self.busy.discard(process)
        process.close()

    def close(self, *, is_ours: bool = True) -> None:
        for process in [*self.busy, *self.idle["vector"], *self.idle["raster"]]:
            process.close(is_ours=is_ours)
        self.busy.clear()
        self.idle = {"vector": [], "raster": []}


_pool = _Pool(_settings_of_environment())


def _forget() -> None:
    """In a forked child: the processes and their pipes belong to the parent."""
    global _pool  # noqa: PLW0603 - there is one pool for each process
    _pool.close(is_ours=False)
    _pool = _Pool(_pool.settings)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class Reader:
    """
    The dealings of one file with the readers; all its requests together must be done in time.

    Parameters
    ----------
    kind : str
        ``vector`` or ``raster``.
    """

    def __init__(self, kind: str) -> None:
        """Begin without a process: one is taken when something is asked."""
        self.kind = kind
        self.seconds = _pool.settings.seconds
        self.spent = 0.0

    def begin(self, do: str, path: Path, **needs: Any) -> Pending:
        """
        Ask for something and go on with other work.

        Parameters
        ----------
        do : str
            ``layers``, ``table``, ``parquet``, ``records``, ``raster`` or ``window``.
        path : Path
            A file that the door found whole, as it is staged.
        **needs : object
            What that takes besides; JSON values.

        Returns
        -------
        Pending
            To be used in a ``with`` statement: a process nobody listens to is ended.

        Raises
        ------
        ReaderError
            If no process can be started.
        """
        return Pending(self, {"do": do, "path": str(path), **needs})

    def ask(self, do: str, path: Path, **needs: Any) -> Answer:
        """
        Ask for something and wait for it.

        Parameters
        ----------
        do : str
            As :meth:`begin` takes it.
        path : Path
            A file that the door found whole, as it is staged.
        **needs : object
            What that takes besides; JSON values.

        Returns
        -------
        Answer
            What was delivered.

        Raises
        ------
        ReaderError
            If it was not.
        """
        with self.begin(do, path, **needs) as pending:
            return pending.answer()


class Pending:
    """
    A request under way.

    Parameters
    ----------
    reader : Reader
        Who asks.
    request : dict
        What for.
    """

    def __init__(self, reader: Reader, request: dict[str, Any]) -> None:
        """Send the request to an idle process, or to a new one."""
        self._reader, self._request = reader, request
        self._process: Process | None = None
        self._out: Path | None = None
        self._since = 0.0
        if not _pool.settings.is_inprocess:
            self._send(is_fresh=False)

    def __enter__(self) -> Pending:
        """Wait for the answer within."""
        return self

    def __exit__(self, *_: object) -> None:
        """End a process whose answer nobody took."""
        if self._process is not None:
            _pool.drop(self._process)
            self._process = None
        self._discard()

    def _discard(self) -> None:
        if self._out is not None:
            self._out.unlink(missing_ok=True)
            self._out = None

    def _send(self, *, is_fresh: bool) -> None:
        self._process = _pool.take(self._reader.kind, is_fresh=is_fresh)
        self._out = private_file(".arrow")
        self._since = time.monotonic()
        self._process.ask({**self._request, "out": str(self._out), "seconds": self._left()})

    def _left(self) -> float:
        gone = self._reader.spent + time.monotonic() - self._since
        return max(self._reader.seconds - gone, min(_LEAST_S, self._reader.seconds))

    def answer(self, apart: Apart | None = None) -> Answer:
        """
        Wait for the answer.

        Parameters
        ----------
        apart : Apart, optional
            Who takes one of the columns; the table of the answer has nulls in its place.

        Returns
        -------
        Answer
            What was delivered.

        Raises
        ------
        ReaderError
            If it was not: unreadable, crashed, too slow, or too much.
        """
        process = self._process
        if process is None:
            about, table = worker.answer(self._request)
            _refuse_errors(about)
            return Answer(about, None if table is None else _taken_apart(table, about, apart))
        is_used = process.served > 0
        try:
            about = self._listen(process)
        except ReaderError as error:
            # Damage done by an earlier file may show in this one: it gets a process of its own before it is blamed.
            if error.code != "FILE.CRASHED" or not is_used:
                raise
            self._discard()
            self._send(is_fresh=True)
            return self.answer(apart)
        _refuse_errors(about)
        is_empty = self._out is None or not self._out.stat().st_size
        return Answer(about, None if self._out is None or is_empty else _load(self._out, about, apart))

    def _listen(self, process: Process) -> dict[str, Any]:
        reader = self._reader
        about: dict[str, Any] = {"is_memory": True}
        try:
            about = process.listen(self._left())
        except ReaderError as error:
            value = f"{reader.seconds:g} s" if error.code == "LIMIT.TIME" else error.value
            raise ReaderError(error.code, value) from None
        finally:
            self._process = None
            # Whatever went wrong, Ctrl+C among it: its next answer would be taken for that of another request.
            if about.get("is_memory"):
                _pool.drop(process)
            else:
                _pool.give_back(process)
        reader.spent += float(about.pop("took", 0.0))
        return about


def _load(path: Path, about: dict[str, Any], apart: Apart | None) -> pa.Table:
    import pyarrow as pa

    def opened(places: list[int] | None) -> Any:
        return pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=places))

    try:
        # Not mapped: the worker still could cut the file short under our feet.
        with pa.OSFile(str(path)) as file:
            schema = opened(None).schema
            at = None if apart is None else apart.find(about, schema)
            others = [place for place in range(len(schema)) if place != at]
            # No places are all places: a column that stands alone is read twice.
            table = _validated(opened(others).read_all())
            if apart is None or at is None:
                return table
            alone = opened([at])
            for k in range(alone.num_record_batches):
                apart.take(_validated(alone.get_batch(k)).column(0))
            nulls = pa.nulls(table.num_rows)
            name = schema.names[at]
            return table.add_column(at, name, nulls) if others else table.set_column(at, name, nulls)
    except (pa.ArrowException, OSError) as error:
        raise ReaderError("FILE.UNREADABLE", str(error)[:160]) from error


def _taken_apart(table: pa.Table, about: dict[str, Any], apart: Apart | None) -> pa.Table:
    """As ``_load`` gives, of a table that was read here."""
    import pyarrow as pa

    _validated(table)
    at = None if apart is None else apart.find(about, table.schema)
    if apart is None or at is None:
        return table
    for chunk in table.column(at).chunks:
        apart.take(chunk)
    return table.set_column(at, table.schema.names[at], pa.nulls(table.num_rows))


def _validated(part: Any) -> Any:
    import pyarrow as pa

    try:
        # Offsets and text as they came from outside: followed unchecked, they lead anywhere in our memory.
        part.validate(full=True)
    except (pa.ArrowException, UnicodeError) as error:
        raise ReaderError("FILE.UNREADABLE", (str(error).splitlines() or [""])[0][:160]) from error
    return part


def _refuse_errors(about: dict[str, Any]) -> None:
    if "error" in about:
        raise ReaderError(
            "LIMIT.READ_MEMORY" if about.get("is_memory") else "FILE.UNREADABLE", str(about["error"])
        )


def warm_readers(kinds: Iterable[str] = ("vector",)) -> None:
    """
    Start readers before they are needed, so that their imports overlap with other work; returns at once.

    Parameters
    ----------
    kinds : iterable of str, default ("vector",)
        ``vector``, ``raster``.
    """
    for kind in kinds:
        _pool.warm(kind)


def private_file(suffix: str) -> Path:
    """
    Make an empty file that nobody else may read.

    Parameters
    ----------
    suffix : str
        With its dot.

    Returns
    -------
    Path
        In the folder for temporary files; to be removed by the caller.
    """
    handle, name = tempfile.mkstemp(prefix="landplan-", suffix=suffix)
    os.close(handle)
    return Path(name)


def close_readers() -> None:
    """End all readers; the next file starts new ones. Done by itself when Python ends."""
    _pool.close()


def set_readers(
    *, seconds: float | None = None, memory_mb: int | None = None, inprocess: bool | None = None
) -> None:
    """
    Set the limits of the readers; those at work are ended.

    Parameters
    ----------
    seconds : float, optional
        Wall clock one file may take; 120 by default.
    memory_mb : int, optional
        Address space of a reader in MiB; 3072 by default, 0 for no limit.
    inprocess : bool, optional
        Whether to read in this process; what ``LANDPLAN_READERS`` says by default.
    """
    now = _pool.settings
    _pool.close()
    _pool.settings = _Settings(
        now.seconds if seconds is None else seconds,
        now.memory_mb if memory_mb is None else memory_mb,
        now.is_inprocess if inprocess is None else inprocess,
    )


def describe_readers() -> dict[str, Any]:
    """
    Tell how files are read here: what support asks for.

    Returns
    -------
    dict
        ``how`` (``workers`` or ``inprocess``), ``seconds``, ``memory_mb``; ``held``, the limits that took hold
        (``memory``, ``network``); ``error`` where no reader can be started, else empty.
    """
    settings = _pool.settings
    said: dict[str, Any] = {
        "how": "inprocess" if settings.is_inprocess else "workers",
        "seconds": settings.seconds,
        "memory_mb": settings.memory_mb,
        "held": [],
        "error": "",
    }
    if not settings.is_inprocess:
        try:
            process = _pool.take("vector")
            said["held"] = process.greet()["held"]
            _pool.give_back(process)
        except ReaderError as error:
            said["error"] = error.value
    return said


atexit.register(close_readers)
