"""What GDAL may be given: the file itself, or a copy where its name, text or .prj would mislead it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyproj

from landplan.issues import Issue
from landplan.read.door import Door
from landplan.read.encoding import Decision, decide_encoding
from landplan.read.geojson import is_geojson
from landplan.read.json_text import parse_json
from landplan.read.shapefile import rebuild_index
from landplan.read.workers import Reader

__all__ = ["Stage", "is_plain", "staged"]

_STRANGE_NAME = re.compile(r"[;!?|\n\r\t]")
_MAX_JSON = 512 * 1024**2  # Python's tree of a JSON text takes some eight times its size
_COMMAND = b"gdal_streamed_alg"


@dataclass(frozen=True)
class Stage:
    """
    A source made safe to open.

    Parameters
    ----------
    path : Path
        What to open.
    decision : Decision
        How text is encoded where the format fixes it.
    content : object
        GeoJSON, parsed; None for other formats.
    fault : Issue or None
        Why it must not be opened.
    reader : Reader
        Who opens it; never this process.
    """

    path: Path
    decision: Decision
    content: Any = None
    fault: Issue | None = None
    reader: Reader = field(default_factory=lambda: Reader("vector"))


@contextmanager
def staged(door: Door) -> Iterator[Stage]:
    """
    Give GDAL's path to a source for as long as it is needed.

    A name is cut at a semicolon; GeoJSON in GBK gives text of question marks; a .prj of garbage costs the
    whole shapefile, and so does a missing .shx; a GeoPackage in WAL mode gets files beside it.

    Parameters
    ----------
    door : Door
        An open one.

    Yields
    ------
    Stage
        To be opened only where it has no fault.
    """
    decision = Decision("utf-8", "format")
    content: Any = None
    text: bytes | None = None
    if door.kind == "geojson":
        text, decision, content, fault = _parse(door)
        if fault is not None:
            yield Stage(door.path, decision, fault=fault)
            return
    if text is None and is_plain(door):
        yield Stage(door.path, decision, content)
        return
    files = [file for file in door.files if file.suffix.lower() != ".prj" or _is_wkt(file)]
    needs_index = any(issue.code == "FILE.INDEX_REBUILT" for issue in door.issues)
    with tempfile.TemporaryDirectory(prefix="landplan-") as folder:
        # The name stays where it can: GDAL calls the layer of a GeoJSON by it.
        place = Path(folder) / (_STRANGE_NAME.sub("_", door.path.stem) or "in")
        if door.path.is_dir():
            shutil.copytree(door.path, place.with_name(place.name + ".gdb"))
        for file in files if not door.path.is_dir() else ():
            copy = place.with_name(place.name + file.suffix.lower())
            if text is not None:
                copy.write_bytes(text)
            else:
                shutil.copyfile(file, copy)
        if needs_index:
            place.with_name(place.name + ".shx").write_bytes(rebuild_index(door.path) or b"")
        yield Stage(place.with_name(place.name + door.path.suffix.lower()), decision, content)


def is_plain(door: Door) -> bool:
    """
    Tell whether GDAL may be given the file as it lies.

    Parameters
    ----------
    door : Door
        An open one.

    Returns
    -------
    bool
        False where its name, its .prj, its index or files beside it would mislead it.
    """
    misled = {"FILE.INDEX_REBUILT", "FILE.WAL"}
    return (
        not any(issue.code in misled for issue in door.issues)
        and not _STRANGE_NAME.search(str(door.path))
        and all(file.suffix.lower() != ".prj" or _is_wkt(file) for file in door.files)
    )


def _parse(door: Door) -> tuple[bytes | None, Decision, Any, Issue | None]:
    """Text in UTF-8 where the GeoJSON is in another encoding, how that was told, its content, or a fault."""
    decision = Decision("utf-8", "format")

    def refuse(code: str, value: str) -> tuple[None, Decision, None, Issue]:
        return None, decision, None, Issue(code, source=door.name, value=value)

    if (size := door.path.stat().st_size) > _MAX_JSON:
        return refuse("LIMIT.SIZE", f"{size / 1024**2:.0f} MB JSON")
    body = door.path.read_bytes()
    text: bytes | None = None
    try:
        written = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        if body.startswith((b"\xff\xfe", b"\xfe\xff")):
            decision = Decision("utf-16", "content")
        else:
            found = decide_encoding([body], declared="utf-8", source=door.name)
            decision = Decision(found.encoding, "content", found.issues)
        written = body.decode(decision.encoding, errors="replace")
        text = written.encode()
    try:
        content = parse_json(written)
    except (ValueError, RecursionError) as error:
        return refuse("FILE.UNREADABLE", str(error)[:160])
    # GDAL runs such a text as a command that opens other files, wherever the words stand.
    if not is_geojson(content) or _COMMAND in body:
        return refuse("FILE.TYPE", f"{door.path.name}：JSON, but not GeoJSON")
    return text, decision, content, None


def _is_wkt(prj: Path) -> bool:
    """Whether a .prj can be read; GDAL gives up the whole shapefile where it cannot."""
    try:
        pyproj.CRS.from_wkt(prj.read_text("utf-8", errors="replace"))
    except pyproj.exceptions.CRSError:
        return False
    return True
