"""What became of each unit: ``batch.json``, whole after every unit, and a log with one event per line."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from landplan.errors import Fault, StoreError, UsageError
from landplan.publish import publish_text

__all__ = ["MANIFEST", "Log", "Manifest", "Record", "hold_folder", "on_one_line"]

MANIFEST = "batch.json"
SCHEMA_VERSION = "1"
_FAILED = ("rejected", "failed", "crashed", "quarantined", "queued")

# What ends a line for some reader, moves a cursor, turns the direction of text, or is no text at all.
_CONTROL = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass
class Record:
    """
    What became of one unit.

    Parameters
    ----------
    name, kind, target : str
        As ``folder.Unit``.
    state : str
        ``queued``, ``running``, ``done`` judged, ``inspected`` looked into, ``rejected`` not usable,
        ``failed``, ``crashed`` the process ended or hung, ``quarantined`` crashed twice, ``gone`` no longer
        in the folder.
    sha256 : str
        Hash of inputs, rulebooks, version and day: what the result is a result of.
    attempts, crashes : int
        How often it was begun in this run; how often its process ended or hung since its inputs changed.
    seconds : float
        Of the last attempt.
    is_carried : bool
        Whether the result is that of an earlier run, its inputs being the same.
    is_pending : bool
        Whether its turn has not come in this run; the rest is then what the last run said.
    counts : dict of str to list
        Parcels and m2 by ``ready``, ``pending``, ``not_ready``, ``total``; empty where nothing was judged.
    rows : list of int
        Records read, and records rejected.
    issues, changes : dict of str to int
        Issues by severity; parcels ``added``, ``gone``, ``changed`` since the last result.
    files : list of str
        Results, by name in the target folder.
    faults : list of dict
        What stopped it: ``en, zh, at, mend_en, mend_zh``.
    note : str
        What else is to be said, in Chinese.
    """

    name: str
    kind: str
    target: str
    state: str = "queued"
    sha256: str = ""
    attempts: int = 0
    crashes: int = 0
    seconds: float = 0.0
    is_carried: bool = False
    is_pending: bool = False
    counts: dict[str, list[float]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    issues: dict[str, int] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    faults: list[dict[str, str]] = field(default_factory=list)
    note: str = ""

    @property
    def is_failed(self) -> bool:
        """Whether something is left to mend or to do again."""
        return self.is_pending or self.state in _FAILED


@dataclass
class Manifest:
    """
    One run of a batch, as written to ``batch.json``.

    Parameters
    ----------
    run : int
        Number of the run in this folder of results; one that was broken off keeps it when resumed.
    settings : dict
        Day, rulebook, profile, version: what must be equal for a run to be resumed.
    folder : str
        What was worked through.
    started, finished : str
        UTC; the second is empty while the run is not over.
    records : dict of str to Record
        By name of the unit.
    ignored : list of str
        Files that are no source.
    last : dict of str to str
        ``as_of`` and ``started`` of the run before; empty for the first.
    trouble : str
        Why the log is not complete; empty where it is.
    """

    run: int
    settings: dict[str, str]
    folder: str = ""
    started: str = ""
    finished: str = ""
    records: dict[str, Record] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    last: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    _lines: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_failed(self) -> bool:
        """Whether a unit failed, or the run was broken off."""
        return not self.finished or any(record.is_failed for record in self.records.values())

    def as_json(self) -> dict[str, Any]:
        """
        Lay the run out as data.

        Returns
        -------
        dict
            What ``batch.json`` holds.
        """
        return {**self._head(), "units": [asdict(record) for record in self.records.values()]}

    def _head(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "tool": "landplan batch",
            "run": self.run,
            "settings": self.settings,
            "folder": self.folder,
            "started": self.started,
            "finished": self.finished,
            "last": self.last,
            "ignored": self.ignored,
        }

    def changed(self, name: str) -> None:
        """
        Forget how a record was written, because it is not so any more.

        Parameters
        ----------
        name : str
            Of the unit.
        """
        self._lines.pop(name, None)

    def save(self, path: Path) -> None:
        """
        Write the manifest in one step.

        Parameters
        ----------
        path : Path
            Of ``batch.json``.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        # Thousands of units, one of them new: the lines of the others are kept.
        for name, record in self.records.items():
            if name not in self._lines:
                self._lines[name] = f"  {on_one_line(asdict(record))}"
        begun = on_one_line(self._head()).removesuffix("}")
        body = ",\n".join(self._lines[name] for name in self.records)
        publish_text(path, f'{begun}, "units": [\n{body}\n]}}\n')

    @classmethod
    def load(cls, path: Path) -> Manifest | None:
        """
        Read the manifest of the last run.

        Parameters
        ----------
        path : Path
            Of ``batch.json``.

        Returns
        -------
        Manifest or None
            None where there is none yet.

        Raises
        ------
        StoreError
            If the file there is not one of landplan's, or of a newer landplan; it is not overwritten.
        """
        if not path.exists():
            return None
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if (data["tool"], data["schema_version"]) != ("landplan batch", SCHEMA_VERSION):
                raise ValueError("written by another program or version")
            known = {item.name for item in fields(Record)}
            records = {
                str(row["name"]): Record(**{k: v for k, v in row.items() if k in known})
                for row in data["units"]
            }
            return cls(
                run=int(data["run"]),
                settings=dict(data["settings"]),
                folder=str(data["folder"]),
                started=str(data["started"]),
                finished=str(data["finished"]),
                records=records,
                ignored=list(data["ignored"]),
                last=dict(data["last"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                Fault(
                    en=f"the record of the last run is not readable, and not overwritten ({error!r}).",
                    zh="上次运行的记录无法读取，不予覆盖。",
                    at=str(path),
                    mend_en="move it away, or choose another folder with --out",
                    mend_zh="移走该文件，或用 --out 另选文件夹。",
                )
            ) from error


def on_one_line(data: Any) -> str:
    """
    Write data as JSON that is one line for every reader and harmless on a terminal.

    Parameters
    ----------
    data : object
        Of JSON's kinds.

    Returns
    -------
    str
        Chinese as it is; control and direction characters and lone surrogates escaped.

    Examples
    --------
    >>> on_one_line({"单元": "a" + chr(10) + chr(27) + chr(0x2028)})
    '{"单元": "a\\\\n\\\\u001b\\\\u2028"}'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Log:
    """
    The log for other programs: NDJSON, one event per line, appended to.

    Parameters
    ----------
    path : Path or None
        None for no log.
    clock : callable
        Gives the time of an event.

    Raises
    ------
    StoreError
        If it cannot be opened.
    """

    def __init__(self, path: Path | None, clock: Callable[[], datetime]) -> None:
        """Open the log at its end."""
        self._clock = clock
        self._file = None
        self.trouble = ""
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
        except OSError as error:
            raise StoreError(
                Fault(
                    en=f"the log cannot be written: {error.strerror}.",
                    zh="日志文件无法写入。",
                    at=str(path),
                    mend_en="choose another file with --log",
                    mend_zh="用 --log 另选文件。",
                )
            ) from error

    def write(self, event: str, run: int, record: Record | None = None, **facts: Any) -> None:
        """
        Add an event.

        Parameters
        ----------
        event : str
            ``run_started``, ``unit_started``, ``unit_finished``, ``run_finished`` ...
        run : int
            Number of the run.
        record : Record or None
            The unit it is about.
        **facts : object
            What else there is to say, of JSON's kinds.
        """
        if self._file is None:
            return
        line = {
            "schema_version": SCHEMA_VERSION,
            "time": self._clock().isoformat(timespec="milliseconds"),
            "run": run,
            "event": event,
            "unit": record.name if record else None,
            "state": record.state if record else None,
            "sha256": record.sha256 if record else None,
            "attempt": record.attempts if record else None,
            "seconds": record.seconds if record else None,
            **facts,
        }
        try:
            self._file.write(f"{on_one_line(line)}\n".encode())
            self._file.flush()
        except OSError as error:
            # A full disk under the log must not cost the results; it is said at the end.
            self.trouble = str(error.strerror or error)
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None


@contextlib.contextmanager
def hold_folder(out: Path) -> Iterator[None]:
    """
    Keep a folder of results to one batch at a time.

    Parameters
    ----------
    out : Path
        The folder; made where it is missing.

    Yields
    ------
    None
        While it is held. The system lets go when the process ends, however it ends.

    Raises
    ------
    UsageError
        If another batch holds it.
    StoreError
        If it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / ".batch.lock").open("ab")
    except OSError as error:
        raise StoreError(
            Fault(
                en=f"the folder of results cannot be written: {error.strerror}.",
                zh="结果文件夹无法写入。",
                at=str(out),
                mend_en="choose another with --out",
                mend_zh="用 --out 另选文件夹。",
            )
        ) from error
    with lock:
        try:
            _lock(lock.fileno())
        except OSError as error:
            raise UsageError(
                Fault(
                    en="another batch is writing to this folder.",
                    zh="另一个批量任务正在写这个文件夹。",
                    at=str(out),
                    mend_en="wait for it, or choose another with --out",
                    mend_zh="等它结束，或用 --out 另选文件夹。",
                )
            ) from error
        yield


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
