"""The units of a folder: projects, and source files that belong to none."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from landplan.errors import Fault, UsageError
from landplan.issues import clean_text
from landplan.read.door import kind_of

__all__ = ["Unit", "find_units", "shown_name"]

PROJECT_FILE = "landplan.toml"
# Names of a folder must stand in a link of Excel (# begins an anchor, % a code) and on a disk of Windows.
_UNSAFE = re.compile(r"[^\w .,()+@~\-（）【】《》、，。·—]")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_OURS = (
    "汇总.xlsx",
    "batch.json",
    ".batch.lock",
    "变化.json",
    "核验.gpkg",
    "核验.xlsx",
    "一张图.html",
    "检查.json",
)
_LONGEST = 80


@dataclass(frozen=True)
class Unit:
    """
    What is judged or looked into by itself.

    Parameters
    ----------
    name : str
        Path below the folder of the batch, with ``/``; what the unit is known by from run to run.
    kind : {"project", "file"}
        A folder with ``landplan.toml``, or a source file.
    path : Path
        Where it is.
    target : str
        Folder of its results below that of the batch, with ``/``; fit for any disk and any link.
    """

    name: str
    kind: str
    path: Path
    target: str


def find_units(folder: Path, out: Path) -> tuple[list[Unit], list[str]]:
    """
    Find what there is to do in a folder and the folders below it.

    Parameters
    ----------
    folder : Path
        A folder of counties. A folder with ``landplan.toml`` is one project, and nothing in it is looked at
        twice.
    out : Path
        Where results go; passed over where it lies inside.

    Returns
    -------
    tuple of (list of Unit, list of str)
        Units in the order of their names; and names of files that are no source landplan knows.

    Raises
    ------
    UsageError
        If there is no such folder, it is itself one project, results would fall into it, or nothing is in it.
    """
    if not folder.is_dir():
        raise UsageError(
            _fault("there is no such folder.", "找不到这个文件夹。", folder, "check the path", "核对路径")
        )
    if (folder / PROJECT_FILE).is_file():
        raise UsageError(
            _fault(
                "the folder is itself one project.",
                "这个文件夹本身就是一个项目。",
                folder,
                "run `landplan check`, or name the folder above it",
                "用 landplan check，或改为它的上一级文件夹",
            )
        )
    if out.resolve() == folder.resolve():
        raise UsageError(
            _fault(
                "results would be written among the sources.",
                "结果会和资料混在一起。",
                out,
                "choose another folder with --out",
                "用 --out 另选文件夹",
            )
        )
    ignored: list[str] = []
    found = list(_walk(folder, "", out.resolve(), ignored))
    if not found:
        raise UsageError(
            _fault(
                "there is neither a project nor a source file in it.",
                "文件夹里没有项目，也没有可识别的资料文件。",
                folder,
                "give each county a folder with landplan.toml, or put its files there",
                "每个县一个带 landplan.toml 的文件夹，或放入资料文件",
            )
        )
    taken: set[str] = {name.casefold() for name in _OURS}
    return [Unit(name, kind, path, _target(name, taken)) for name, kind, path in found], ignored


def _fault(en: str, zh: str, at: Path, mend_en: str, mend_zh: str) -> Fault:
    return Fault(en=en, zh=zh, at=shown_name(str(at)), mend_en=mend_en, mend_zh=mend_zh)


def _walk(folder: Path, above: str, out: Path, ignored: list[str]) -> Iterator[tuple[str, str, Path]]:
    entries = sorted(folder.iterdir(), key=lambda p: p.name)
    stems = {path.stem.casefold() for path in entries if _is_source(path)}
    for path in entries:
        name = f"{above}{path.name}"
        # Hidden files, and the owner files Excel and WPS leave beside an open workbook.
        if path.name.startswith((".", "~$")) or path.resolve() == out:
            continue
        if path.is_symlink():
            # The front door refuses links and says so; following one may lead anywhere, or round in a circle.
            yield name, "file", path
        elif path.is_dir() and path.suffix.lower() != ".gdb":
            if (path / PROJECT_FILE).is_file():
                yield name, "project", path
            elif os.access(path, os.R_OK | os.X_OK):
                yield from _walk(path, f"{name}/", out, ignored)
            else:
                yield name, "file", path  # refused in its own row, instead of ending the batch here
        elif _is_source(path):
            yield name, "file", path
        elif not _belongs(path.name.casefold(), stems):
            ignored.append(name)


def _is_source(path: Path) -> bool:
    return bool(kind_of(path)) or path.suffix.lower() == ".gdb"


def _belongs(name: str, stems: set[str]) -> bool:
    """Whether a file is a part of a source: .dbf and .prj of a shapefile, .tfw of a raster."""
    return any(name[:at] in stems for at, letter in enumerate(name) if letter == ".")


def shown_name(name: str) -> str:
    """
    Make a name of the disk fit to be shown: whatever bytes a file is named with.

    Parameters
    ----------
    name : str
        May hold control characters, or surrogates for bytes that are no text.

    Returns
    -------
    str
        On one line, in Unicode that can be written.

    Examples
    --------
    >>> shown_name("a" + chr(10) + "b" + chr(0xDCFF))
    'a b?'
    """
    return clean_text(name.encode("utf-8", "replace").decode("utf-8"))


def _target(name: str, taken: set[str]) -> str:
    parts = []
    for part in name.split("/"):
        safe = _UNSAFE.sub("_", shown_name(part))[:_LONGEST].lstrip().rstrip(". ")
        is_same = safe == part and not _DEVICES.fullmatch(part)
        parts.append(safe if is_same else f"{safe}-{_mark(name)}")
    target = "/".join(parts)
    # Two names that differ in case alone are one on Windows.
    if target.casefold() in taken:
        target = f"{target}-{_mark(name)}"
    taken.add(target.casefold())
    return target


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:6]
