"""
A process stopped at every system call it makes: killed there, or told that the call failed.

Linux only, with nothing but ``ptrace`` through ctypes. A work runs in a fork, so that start-up is paid once.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

IS_X86 = platform.machine() == "x86_64"

_TRACEME, _SYSCALL, _SETOPTIONS, _GETREGS, _SETREGS, _SYSCALL_INFO = 0, 24, 0x4200, 12, 13, 0x420E
_OPTIONS = (
    0x1 | 0x100000 | 0x2 | 0x4 | 0x8
)  # mark stops of system calls; die with the tracer; follow forks and threads
_ENTRY, _EXIT = 1, 2
_RAX, _ORIG_RAX = 10, 15

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class _Info(ctypes.Structure):
    _fields_ = [
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("ip", ctypes.c_uint64),
        ("sp", ctypes.c_uint64),
        ("nr", ctypes.c_uint64),  # of an exit: the result
        ("args", ctypes.c_uint64 * 6),
    ]


@dataclass
class Call:
    """One system call of the work: its number on x86-64, what it was given, the file it concerns."""

    at: int
    nr: int
    args: tuple[int, ...]
    path: str = ""
    offset: int = 0
    data: bytes = b""

    @property
    def name(self) -> str:
        """What it is called."""
        return NAMES.get(self.nr, str(self.nr))


@dataclass
class Outcome:
    """How a work ended."""

    calls: int = 0
    killed: bool = False
    code: int | None = None
    said: str = ""
    writes: list[Call] = field(default_factory=list)
    injected: list[Call] = field(default_factory=list)


# Calls that change a folder, by their x86-64 numbers, and where their file descriptor or path stands.
BY_DESCRIPTOR = {
    1: "write",
    18: "pwrite64",
    20: "writev",
    74: "fsync",
    75: "fdatasync",
    77: "ftruncate",
    285: "fallocate",
}
BY_PATH = {2: 0, 82: 0, 83: 0, 84: 0, 87: 0, 257: 1, 258: 1, 263: 1, 264: 1, 316: 1}
CREATES = {2: 1, 257: 2}  # open and openat count only where they may create
O_CREAT = 0o100
NAMES = {
    **BY_DESCRIPTOR, 2: "open", 82: "rename", 83: "mkdir", 84: "rmdir", 87: "unlink", 257: "openat", 258: "mkdirat",
    263: "unlinkat", 264: "renameat", 316: "renameat2",
}  # fmt: skip


def _ptrace(request: int, pid: int, address: object = None, data: object = None) -> int:
    ctypes.set_errno(0)
    result = int(_libc.ptrace(request, pid, address, data))
    if result == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"ptrace {request}: {os.strerror(ctypes.get_errno())}")
    return result


def is_allowed() -> bool:
    """Whether this machine lets a process be traced."""
    try:
        return run(lambda: 0).code == 0
    except OSError:
        return False


def run(
    work: Callable[[], int],
    *,
    kill_at: int | None = None,
    folder: Path | None = None,
    fail: Callable[[Call, int], int] | None = None,
) -> Outcome:
    """
    Run a work in a fork.

    Parameters
    ----------
    work : callable
        Gives the exit code.
    kill_at : int or None
        Killed when it is about to make its n-th system call, counted from 1.
    folder : Path or None
        Calls that change something below it are listed.
    fail : callable of (Call, int) or None
        Asked at each of those calls, with its number among them from 1; an errno other than 0 fails the call.

    Returns
    -------
    Outcome
        What it said (both streams), its exit code where it came to its end, and how many calls it made.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _be_traced(work, reading, writing)
    os.close(writing)
    outcome = Outcome()
    try:
        _watch(pid, outcome, kill_at, None if folder is None else str(folder.resolve()), fail)
    finally:
        with os.fdopen(reading, "rb") as stream:
            outcome.said = stream.read().decode("utf-8", "replace")
    return outcome


def _be_traced(work: Callable[[], int], reading: int, writing: int) -> None:
    code = 99
    try:
        os.close(reading)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        # Those of the parent may stand for a file, and would look for their place in a pipe.
        sys.stdout, sys.stderr = (
            os.fdopen(stream, "w", encoding="utf-8", closefd=False) for stream in (1, 2)
        )
        _ptrace(_TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        code = work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _watch(
    first: int,
    outcome: Outcome,
    kill_at: int | None,
    folder: str | None,
    fail: Callable[[Call, int], int] | None,
) -> None:
    os.waitpid(first, 0)
    _ptrace(_SETOPTIONS, first, None, _OPTIONS)
    _ptrace(_SYSCALL, first)
    info = _Info()
    failing: dict[int, int] = {}
    while True:
        pid, status = os.waitpid(-1, 0x40000000)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            if pid == first:
                outcome.code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
                return
            continue
        signal_given = os.WSTOPSIG(status)
        if signal_given != (signal.SIGTRAP | 0x80):
            # The stops that announce a thread or a fork pass nothing on; a new one begins with a stop of its own.
            passed = 0 if signal_given in (signal.SIGTRAP, signal.SIGSTOP) else signal_given
            _ptrace(_SYSCALL, pid, None, passed)
            continue
        _ptrace(_SYSCALL_INFO, pid, ctypes.sizeof(info), ctypes.byref(info))
        if info.op == _ENTRY:
            outcome.calls += 1
            if outcome.calls == kill_at:
                outcome.killed = True
                os.kill(first, signal.SIGKILL)
                os.waitpid(first, 0)
                return
            if folder is not None and IS_X86:
                call = _changing(pid, info, outcome.calls, folder)
                if call is not None:
                    outcome.writes.append(call)
                    error = 0 if fail is None else fail(call, len(outcome.writes))
                    if error:
                        failing[pid] = error
                        outcome.injected.append(call)
                        _set_register(pid, _ORIG_RAX, 2**64 - 1)  # no such call: nothing is done
        elif info.op == _EXIT and pid in failing:
            _set_register(pid, _RAX, 2**64 - failing.pop(pid))
        _ptrace(_SYSCALL, pid)


def _changing(pid: int, info: _Info, at: int, folder: str) -> Call | None:
    """The call, where it changes something in the folder."""
    number, args = int(info.nr), tuple(int(value) for value in info.args)
    path = ""
    if number in BY_DESCRIPTOR:
        try:
            path = str(Path(f"/proc/{pid}/fd/{args[0]}").readlink())
        except OSError:
            return None
    elif number in BY_PATH:
        if number in CREATES and not args[CREATES[number]] & O_CREAT:
            return None
        path = _text_at(pid, args[BY_PATH[number]])
    if path != folder and not path.startswith(folder + "/"):
        return None
    call = Call(at, number, args, path)
    if call.name in ("write", "pwrite64"):
        call.data = _bytes_at(pid, args[1], args[2])
        call.offset = args[3] if call.name == "pwrite64" else _position(pid, args[0])
    return call


def _position(pid: int, descriptor: int) -> int:
    facts = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text().split()
    if int(facts[3], 8) & os.O_APPEND:
        return Path(f"/proc/{pid}/fd/{descriptor}").stat().st_size
    return int(facts[1])


def _bytes_at(pid: int, address: int, size: int) -> bytes:
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        memory.seek(address)
        return memory.read(size)


def _text_at(pid: int, address: int) -> str:
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        memory.seek(address)
        found = b""
        # Byte by byte to the end of its page at most: what follows may not be readable.
        while b"\0" not in found and len(found) < 4096:
            found += memory.read(min(256, 4096 - (address + len(found)) % 4096))
    return found.split(b"\0")[0].decode("utf-8", "surrogateescape")


def _set_register(pid: int, which: int, value: int) -> None:
    registers = (ctypes.c_uint64 * 27)()
    _ptrace(_GETREGS, pid, None, ctypes.byref(registers))
    registers[which] = value
    _ptrace(_SETREGS, pid, None, ctypes.byref(registers))
