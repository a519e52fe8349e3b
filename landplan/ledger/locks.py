"""
One writer at a time, told by a lock on a file of its own beside the ledger.

A lock on the ledger itself is not enough: on POSIX it is dropped as soon as any part of the process opens and closes
the file, and on many network file systems it never held.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from landplan.errors import Fault, StoreError

__all__ = ["hold_lock", "network_system"]

_STEP_S = 0.02
_NETWORK = re.compile(
    r"(nfs\d?|cifs|smb\d?|smbfs|afs|ncpfs?|davfs\d?|webdav|ceph|lustre|gpfs|beegfs|glusterfs|ocfs2|gfs2|9p|vboxsf|"
    r"prl_fs|drvfs|fuse\.(?!gvfsd-fuse$|ntfs|exfat|ext|portal|lxcfs|squash|zip|archive|enc|gocrypt|bindfs|overlay).+)"
)
_REMOTE_DRIVE = 4


@contextlib.contextmanager
def hold_lock(path: Path, seconds: float = 30.0) -> Iterator[None]:
    """
    Hold the lock of a ledger; another process, or another thread of this one, waits.

    Parameters
    ----------
    path : Path
        The ledger. Its lock is the file of the same name with ``.lock`` added, which stays.
    seconds : float, default 30
        How long to wait.

    Yields
    ------
    None
        While the lock is held. It ends with the process, however that ends.

    Raises
    ------
    StoreError
        If others held it all this time, or the folder may not be written.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        raise StoreError(
            Fault(
                en=f"the lock of the ledger cannot be made: {error.strerror}.",
                zh="无法建立总账的锁文件，没有写入任何内容。",
                at=str(lock),
                mend_en="ask for write access to the folder, and check free space on the disk",
                mend_zh="申请文件夹的写入权限，并检查磁盘空间。",
            )
        ) from error
    try:
        for _ in range(max(1, round(seconds / _STEP_S))):
            if _try_lock(handle):
                break
            time.sleep(_STEP_S)
        else:
            raise StoreError(
                Fault(
                    en=f"others have been writing to the ledger for {seconds:g} seconds.",
                    zh=f"总账正被他人写入，等待 {seconds:g} 秒仍未结束，没有写入任何内容。",
                    at=str(path),
                    mend_en="try again when they are done",
                    mend_zh="稍后再试",
                )
            )
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def network_system(path: Path, mounts: str | None = None) -> str:
    """
    Tell whether a path lies on a file system whose locks cannot be trusted.

    Parameters
    ----------
    path : Path
        Resolved; need not exist.
    mounts : str or None
        What Linux says in ``/proc/self/mountinfo``; read where None.

    Returns
    -------
    str
        Kind of the network file system; empty where it is none, or not known to be one.

    Examples
    --------
    >>> network_system(Path("/share/总账.gpkg"), "36 1 0:30 / / rw - ext4 /dev/sda1 rw\\n"
    ...                "40 36 0:41 / /share rw - cifs //server/land rw")
    'cifs'
    """
    if sys.platform == "win32":
        return _windows_system(path)
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        # A later mount over the same place hides the earlier one.
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split(" ")[0]
    # Sandboxes serve their own root by 9p: that disk is theirs alone.
    is_own = kind == "9p" and best == 1
    return kind if _NETWORK.fullmatch(kind) and not is_own else ""


def _windows_system(path: Path) -> str:
    if sys.platform != "win32":
        return ""
    import ctypes

    if path.drive.startswith("\\\\"):
        return "UNC"
    kind = ctypes.windll.kernel32.GetDriveTypeW(path.anchor)
    return "remote drive" if kind == _REMOTE_DRIVE else ""
