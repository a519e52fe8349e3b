"""
Whole files or none: a result is written beside its place, read back, and only then put there.

After a kill, a full disk or a failed check the file that stood there before still stands there, untouched.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from landplan.errors import Fault, StoreError

__all__ = ["publish", "publish_text"]

_WINDOWS_IN_USE = (32, 33)
_SIDECARS = ("-journal", "-wal", "-shm")
_count = itertools.count()
_writing: set[Path] = set()


def publish(path: Path, write: Callable[[Path], None], verify: Callable[[Path], None]) -> Path:
    """
    Write a file so that its name holds either the old content or the new, whole and read back.

    Parameters
    ----------
    path : Path
        Where the file shall stand; missing folders are made.
    write : callable of Path
        Writes the whole content to the path it is given and closes it. The name is hidden, lies in the same
        folder and ends in the same suffix.
    verify : callable of Path
        Opens what was written and raises where it is not what it should be.

    Returns
    -------
    Path
        The path, now holding the new content.

    Raises
    ------
    StoreError
        If the folder cannot be written, the disk is full, or another program holds the file open. Whatever
        ``write`` and ``verify`` raise themselves is passed on; the old file stays in every case.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = publish(Path(folder, "a.txt"), lambda new: new.touch(), lambda new: None)
    ...     [file.name for file in Path(folder).iterdir()]
    ['a.txt']
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_count)}.tmp{path.suffix}")
    _writing.add(temporary)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_orphans(path)
        # Asked of the system here, because a driver asked to write in a closed folder answers in riddles.
        temporary.touch(exist_ok=False)
        temporary.unlink()
        write(temporary)
        verify(temporary)
        _flush(temporary)
        # On POSIX a rename is durable only once its folder is; Windows cannot open folders.
        temporary.replace(path)
        if os.name == "posix":
            _flush(path.parent)
    except OSError as error:
        raise StoreError(_fault(error, path)) from error
    finally:
        _remove(temporary)
        _writing.discard(temporary)
    return path


def publish_text(path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    """
    Write a text so that its name holds either the old content or the new, whole and read back.

    Parameters
    ----------
    path : Path
        Where the file shall stand.
    text : str
        The whole content; line ends are written as they are.
    encoding : str, default "utf-8"
        ``utf-8-sig`` for what Excel and WPS are to open.

    Returns
    -------
    Path
        The path, now holding the new content.

    Raises
    ------
    StoreError
        As ``publish``.
    """
    body = text.encode(encoding)

    def verify(written: Path) -> None:
        if written.read_bytes() != body:
            raise OSError(errno.EIO, "what was read back is not what was written", str(written))

    def write(temporary: Path) -> None:
        temporary.write_bytes(body)

    return publish(path, write, verify)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(temporary: Path) -> None:
    for name in (temporary, *(temporary.with_name(temporary.name + end) for end in _SIDECARS)):
        with contextlib.suppress(OSError):
            name.unlink(missing_ok=True)


def _remove_orphans(path: Path) -> None:
    """Each kill leaves one hidden file; the next writer of the same name takes it away."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(\d+)-\d+\.tmp{re.escape(path.suffix)}")
    for file in path.parent.iterdir():
        match = pattern.fullmatch(file.name)
        if match and file not in _writing and not _is_alive(int(match.group(1))):
            _remove(file)


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # ours would be in _writing: this one belonged to an earlier process of the same number
    if sys.platform == "win32":
        return False  # signal 0 is Ctrl+C there; but a file in use cannot be removed, so trying is safe
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _fault(error: OSError, path: Path) -> Fault:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG):
        return Fault(
            en="the disk is full; the file was not written.",
            zh="磁盘空间不足，文件未写入，原文件未改动。",
            at=str(path),
            mend_en="free some space, or choose another output folder",
            mend_zh="清理磁盘，或换一个输出文件夹。",
        )
    # Windows refuses to replace an open file with "access denied" as well as with a sharing violation.
    in_use = getattr(error, "winerror", None) in _WINDOWS_IN_USE
    if in_use or (os.name == "nt" and isinstance(error, PermissionError) and path.is_file()):
        return Fault(
            en="the file cannot be replaced: it is open in Excel, WPS or QGIS, or may not be written.",
            zh="文件无法替换：可能正在 Excel、WPS 或 QGIS 中打开，或没有写入权限。原文件未改动。",
            at=str(path),
            mend_en="close it there and try again",
            mend_zh="关闭后重试。",
        )
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return Fault(
            en="the folder may not be written.",
            zh="文件夹没有写入权限。",
            at=str(path),
            mend_en="choose another output folder, or ask for write access",
            mend_zh="换一个输出文件夹，或申请写入权限。",
        )
    return Fault(
        en=f"the file cannot be written: {error.strerror or error}.",
        zh="文件无法写入，原文件未改动。",
        at=str(path),
        mend_en="check the path and the disk",
        mend_zh="检查路径与磁盘。",
    )
