"""One reader process: how it is started and locked down, asked, watched and ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from landplan.read.workers import worker

__all__ = ["Process", "ReaderError", "command"]

# What a reader needs of the environment; tokens, proxies and settings of GDAL stay outside.
_KEPT = re.compile(
    r"(PATH|LD_LIBRARY_PATH|DYLD_\w+|HOME|USERPROFILE|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|TE?MP|TMPDIR|LANG|LC_\w+|TZ"
    r"|CONDA_PREFIX|GDAL_DATA|PROJ_DATA|PROJ_LIB)",
    re.IGNORECASE,
)
_LOCKS = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_HTTP_TIMEOUT": "1",
    "PROJ_NETWORK": "OFF",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    "OGR_SQLITE_STATIC_VIRTUAL_OGR": "NO",
    "LIBKML_RESOLVE_STYLE": "NO",
    "GDAL_CACHEMAX": "128",
    # Threads reserve address space each, which the limit on memory would count.
    "GDAL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
}
_START_S = 60.0
_TAIL = 4096
_OUT_OF_MEMORY = re.compile(r"bad_alloc|MemoryError|out of memory|cannot allocate", re.IGNORECASE)


class ReaderError(Exception):
    """
    A reader did not deliver.

    Parameters
    ----------
    code : str
        Code of the issue this is: ``FILE.UNREADABLE`` (another way of reading may help), or ``FILE.CRASHED``,
        ``LIMIT.TIME``, ``LIMIT.READ_MEMORY``, ``SEC.READER`` (none will).
    value : str
        What there is to say about it.
    """

    def __init__(self, code: str, value: str) -> None:
        """Keep both."""
        self.code, self.value = code, value
        super().__init__(f"{code}: {value}")


class Process:
    """
    A reader process and its pipes.

    Parameters
    ----------
    kind : str
        ``vector`` or ``raster``.
    memory_mb : int
        Address space it may use; 0 for no limit.
    found : frozenset of str
        Drivers an earlier process found besides those known.

    Raises
    ------
    OSError
        If processes cannot be started here.
    """

    def __init__(self, kind: str, memory_mb: int, found: frozenset[str]) -> None:
        """Start it and return at once; its imports go on while ours do."""
        self.kind = kind
        self.served = 0
        self._hello: dict[str, Any] | None = None
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
        paths = [str(Path(entry).absolute()) for entry in sys.path]
        try:
            popen = subprocess.Popen(
                [*command(kind), json.dumps({"kind": kind, "memory_mb": memory_mb, "path": paths})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env={**kept, **_LOCKS, "GDAL_SKIP": worker.skipped(kind, found)},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError:
            self._stderr.close()
            raise
        if popen.stdin is None or popen.stdout is None:
            raise OSError("no pipes")
        self._popen, self._inlet, self._outlet = popen, popen.stdin, popen.stdout

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def greet(self) -> dict[str, Any]:
        """
        Wait until it is ready; the first time this takes as long as its imports still do.

        Returns
        -------
        dict
            ``held``: the limits that took hold; ``extra``: drivers besides those allowed.

        Raises
        ------
        ReaderError
            If it did not start.
        """
        if self._hello is None:
            hello, _ = self._wait(_START_S)
            if hello is None:
                why = self._said().strip().splitlines()[-1:] or [""]
                raise ReaderError("SEC.READER", f"{_name_of(self._popen.wait())} {why[0]}".strip())
            self._hello = hello
        return self._hello

    def ask(self, request: dict[str, Any]) -> None:
        """
        Send a request.

        Parameters
        ----------
        request : dict
            As :func:`landplan.read.workers.worker.answer` takes it.
        """
        self._stderr.truncate(0)
        with suppress(OSError):  # it is gone; the answer will say how
            worker.send(self._inlet, request)

    def listen(self, seconds: float) -> dict[str, Any]:
        """
        Wait for the answer to a request.

        Parameters
        ----------
        seconds : float
            As long as this; then it is ended.

        Returns
        -------
        dict
            The answer.

        Raises
        ------
        ReaderError
            If the process ended without one, with why it did.
        """
        reply, is_late = self._wait(seconds)
        self.served += 1
        if reply is not None:
            return reply
        name = _name_of(self._popen.wait())
        if is_late or name in {"SIGXCPU", "SIGALRM"}:
            raise ReaderError("LIMIT.TIME", "")
        # Nobody but the kernel, short of memory, sends SIGKILL.
        if name == "SIGKILL" or _OUT_OF_MEMORY.search(self._said()):
            raise ReaderError("LIMIT.READ_MEMORY", name)
        raise ReaderError("FILE.CRASHED", name)

    def _wait(self, seconds: float) -> tuple[dict[str, Any] | None, bool]:
        """Read a message; a watchdog kills the process where none comes, and that ends the wait."""
        is_late = threading.Event()

        def bark() -> None:
            is_late.set()
            self._popen.kill()

        watchdog = threading.Timer(seconds, bark)
        watchdog.daemon = True
        watchdog.start()
        try:
            message = worker.receive(self._outlet)
        except (OSError, ValueError) as error:
            raise ReaderError("FILE.CRASHED", str(error)[:80]) from error
        finally:
            watchdog.cancel()
        return message, message is None and is_late.is_set()

    def _said(self) -> str:
        """The end of what its libraries printed."""
        with suppress(OSError, ValueError):
            size = self._stderr.seek(0, os.SEEK_END)
            self._stderr.seek(max(size - _TAIL, 0))
            return self._stderr.read().decode(errors="replace").replace("\x00", "")
        return ""

    def close(self, *, is_ours: bool = True) -> None:
        """
        End it.

        Parameters
        ----------
        is_ours : bool, default True
            False in a forked child: the process is the parent's, and only our copies of its pipes are closed.
        """
        if is_ours:
            self._popen.kill()
            self._popen.wait()
        else:
            # Popen would complain of a child it cannot wait for.
            self._popen.returncode = 0
        for stream in (self._inlet, self._outlet, self._stderr):
            with suppress(OSError, ValueError):
                stream.close()


def command(kind: str) -> list[str]:
    """
    Say how a reader is started.

    Parameters
    ----------
    kind : str
        ``vector`` or ``raster``.

    Returns
    -------
    list of str
        The script alone, isolated from the user's settings of Python: as a module it would load half of geopandas.
    """
    return [sys.executable, "-I", str(Path(worker.__file__).resolve())]


def _name_of(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit {code}" if code < 256 else f"exit {code:#x}"
