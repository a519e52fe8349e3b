"""A file geodatabase held against its own headers: a table that was cut loses its last rows in silence."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from landplan.issues import Issue

__all__ = ["check_geodatabase"]

_HEADER = 40
_BLOCK = 1024  # rows of one block of the offset table


def check_geodatabase(path: Path, source: str) -> list[Issue]:
    """
    Hold every table of a file geodatabase against the size its header states.

    Parameters
    ----------
    path : Path
        Folder ``*.gdb``, or the same in a zip.
    source : str
        Its name in issues.

    Returns
    -------
    list of Issue
        Tables that are cut, and offset tables that are missing or cut; empty where all are whole.

    References
    ----------
    The layout of the tables as GDAL's driver OpenFileGDB documents and reads it.
    """
    if path.is_dir():
        sizes = {f.name: f.stat().st_size for f in sorted(path.iterdir()) if f.is_file()}
        return _check(sizes, lambda name: _head(path / name), source)
    with zipfile.ZipFile(path) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}

        def head(name: str) -> bytes:
            with archive.open(name) as member:
                return member.read(_HEADER)

        return _check(sizes, head, source)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEADER)


def _check(sizes: dict[str, int], head: Callable[[str], bytes], source: str) -> list[Issue]:
    issues = []

    def report(code: str, value: str) -> None:
        issues.append(Issue(code, source=source, value=value))

    for name, size in sizes.items():
        if not name.lower().endswith(".gdbtable"):
            continue
        top = head(name)
        short = name.rsplit("/", 1)[-1]
        declared = int.from_bytes(top[24:32], "little")
        if len(top) < _HEADER or size < declared:
            report("FILE.TRUNCATED", f"{short} {size} / {declared} B")
            continue
        index = name[: -len("gdbtable")] + "gdbtablx"
        if index not in sizes:
            if int.from_bytes(top[4:8], "little"):
                report("FILE.TRUNCATED", f"{short[: -len('gdbtable')]}gdbtablx")
            continue
        offsets = head(index)
        blocks, width = int.from_bytes(offsets[4:8], "little"), int.from_bytes(offsets[12:16], "little")
        needed = 16 + blocks * _BLOCK * width
        if len(offsets) < 16 or sizes[index] < needed:
            report("FILE.TRUNCATED", f"{index.rsplit('/', 1)[-1]} {sizes[index]} / {needed} B")
    return issues
