"""A zip or KMZ as bureaus send it: one source inside, names in GBK, unpacked under safe names."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zlib import crc32

from landplan.issues import Issue
from landplan.read.door import Door, kind_of

__all__ = ["Unpacked", "list_members", "unpacked"]

_UTF8 = 0x800
_UNICODE_PATH = 0x7075  # Info-ZIP: the name in UTF-8, with a sum of the name it stands for
_STRANGE = re.compile(r'[;!?|*<>:"\\\n\r\t\x00-\x1f\x7f]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)  # devices of Windows
_LEFTOVERS = frozenset({"thumbs.db", "desktop.ini"})
_NOTES = frozenset({"txt", "csv", "xlsx", "xls", "tif"})
_ZIP, _OFFICE = b"PK\x03\x04", frozenset({".xlsx", ".xlsm", ".docx", ".pptx"})
_SHOWN = 40
_ENOUGH = 60  # characters of a name; with its folder it must fit any file system


@dataclass(frozen=True)
class Unpacked:
    """
    What an archive holds.

    Parameters
    ----------
    path : Path or None
        The one source, unpacked; None where there is none or more than one.
    member : str
        Its name in the archive.
    issues : tuple of Issue
        Why nothing was unpacked, or what was assumed.
    """

    path: Path | None
    member: str = ""
    issues: tuple[Issue, ...] = ()


@contextmanager
def unpacked(door: Door, wanted: str | None = None) -> Iterator[Unpacked]:
    """
    Unpack the one source of an archive for as long as it is needed.

    Parameters
    ----------
    door : Door
        An open one of kind ``zip`` or ``kmz``: its sums, sizes and names have been looked at.
    wanted : str, optional
        Name or stem of the member to take where there are several.

    Yields
    ------
    Unpacked
        Files of a set lie beside each other under safe names; a file geodatabase keeps its folder.
    """
    with zipfile.ZipFile(door.path) as archive:
        files, notes, fault = _look(archive, door)
        found = _candidates(files, door.kind)
        if fault is None and len(found) != 1:
            found, fault = _choose(found, files, wanted, door)
        elif fault is None and wanted:
            found = _named(found, wanted) or found
        if fault is not None:
            yield Unpacked(None, issues=(*notes, fault))
            return
        with tempfile.TemporaryDirectory(prefix="landplan-") as folder:
            notes.append(Issue("FILE.UNPACKED", source=door.name, value=str(found[0])))
            yield Unpacked(_unpack(archive, files, found[0], Path(folder)), str(found[0]), tuple(notes))


def list_members(door: Door) -> list[str]:
    """
    Name the sources in an archive.

    Parameters
    ----------
    door : Door
        An open one of kind ``zip`` or ``kmz``.

    Returns
    -------
    list of str
        Their names in the archive.
    """
    with zipfile.ZipFile(door.path) as archive:
        return [str(path) for path in _candidates(_look(archive, door)[0], door.kind)]


_Files = dict[zipfile.ZipInfo, PurePosixPath]


def _look(archive: zipfile.ZipFile, door: Door) -> tuple[_Files, list[Issue], Issue | None]:
    """Members with the names their writer meant, what was guessed of them, and why none must be used."""
    named = {info: _name(info) for info in archive.infolist() if not info.is_dir()}
    files = {info: PurePosixPath(name) for info, (name, _) in named.items() if _counts(name)}
    guessed = sorted({codec for _, codec in named.values() if codec})
    notes = [Issue("ENC.GUESSED", source=door.name, value=codec) for codec in guessed]

    def refuse(code: str, value: str) -> tuple[_Files, list[Issue], Issue]:
        return files, notes, Issue(code, source=door.name, value=value)

    folded = [str(path).casefold() for path in files.values()]
    if len(set(folded)) < len(folded):
        return refuse("FILE.UNREADABLE", "two entries of one name")
    if bad := [path for path in files.values() if ".." in path.parts or path.is_absolute()]:
        return refuse("SEC.PATH", str(bad[0]))
    if nested := [str(path) for info, path in files.items() if _is_archive(archive, info, path)]:
        return refuse("FILE.NESTED", "、".join(nested[:_SHOWN]))
    return files, notes, None


def _name(info: zipfile.ZipInfo) -> tuple[str, str]:
    """The name of a member as its writer meant it, and the codec that had to be guessed."""
    # The original: on Windows the other has had its backslashes changed, half a character of GBK among them.
    name = info.orig_filename.split("\x00")[0]
    if info.flag_bits & _UTF8 or name.isascii():
        return name.replace("\\", "/"), ""
    body = name.encode("cp437", errors="replace")
    if told := _unicode_path(info.extra, body):
        return told.replace("\\", "/"), ""
    for codec in ("utf-8", "gb18030"):
        try:
            return body.decode(codec).replace("\\", "/"), codec
        except UnicodeDecodeError:
            continue
    return name.replace("\\", "/"), ""


def _unicode_path(extra: bytes, body: bytes) -> str:
    """The name in the extra field of Info-ZIP; empty where there is none, or where it is another entry's."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = (
            int.from_bytes(extra[at : at + 2], "little"),
            int.from_bytes(extra[at + 2 : at + 4], "little"),
        )
        field = extra[at + 4 : at + 4 + size]
        if (
            kind == _UNICODE_PATH
            and field[:1] == b"\x01"
            and int.from_bytes(field[1:5], "little") == crc32(body)
        ):
            return field[5:].decode("utf-8", "replace")
        at += 4 + size
    return ""


def _counts(name: str) -> bool:
    """Whether a member is the sender's own and not what a file system leaves behind."""
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "__MACOSX" or parts[-1].lower() in _LEFTOVERS:
        return False
    return not parts[-1].startswith((".", "~$")) or parts[-1] in {".", ".."}


def _is_archive(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: PurePosixPath) -> bool:
    if path.suffix.lower() in {".zip", ".kmz"}:
        return True
    if path.suffix.lower() in _OFFICE or info.file_size < len(_ZIP):
        return False
    with archive.open(info) as member:
        return member.read(len(_ZIP)) == _ZIP


def _candidates(files: _Files, kind: str) -> list[PurePosixPath]:
    """Members that are sources by themselves, each once."""
    found: dict[PurePosixPath, None] = {}
    for path in sorted(files.values(), key=str):
        base = next((p for p in (path, *path.parents) if p.suffix.lower() == ".gdb"), None)
        if base is not None:
            found[base] = None
        elif kind_of(path.name) not in ("", "zip", "kmz"):
            found[path] = None
    if kind != "kmz":
        return list(found)
    # Its pictures are no sources; doc.kml is the one that programs open.
    drawn = [path for path in found if path.suffix.lower() == ".kml"]
    return [path for path in drawn if str(path).lower() == "doc.kml"] or drawn


def _choose(
    found: list[PurePosixPath], files: _Files, wanted: str | None, door: Door
) -> tuple[list[PurePosixPath], Issue | None]:
    """The one that is named, or the one that is drawn; a note beside a drawing is no second drawing."""
    drawn = [path for path in found if kind_of(path.name) not in _NOTES]
    for chosen in (_named(found, wanted), drawn):
        if len(chosen) == 1:
            return chosen, None
    listed = found or list(files.values())
    value = "、".join(str(path) for path in listed[:_SHOWN]) or door.path.name
    return [], Issue("FILE.AMBIGUOUS" if found else "FILE.TYPE", source=door.name, value=value)


def _named(found: list[PurePosixPath], wanted: str | None) -> list[PurePosixPath]:
    return [path for path in found if wanted and wanted in (str(path), path.name, path.stem)]


def _unpack(archive: zipfile.ZipFile, files: _Files, member: PurePosixPath, folder: Path) -> Path:
    stem = _safe(member.stem)
    target = folder / f"{stem}{member.suffix.lower()}"
    is_base = member.suffix.lower() == ".gdb"
    if is_base:
        target.mkdir()
    for info, path in files.items():
        if is_base and member in path.parents:
            place = target / _STRANGE.sub("_", path.name)
        elif not is_base and path.parent == member.parent and path.stem.casefold() == member.stem.casefold():
            place = folder / f"{stem}{_STRANGE.sub('_', path.suffix.lower())}"
        else:
            continue
        with archive.open(info) as packed, place.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    return target


def _safe(stem: str) -> str:
    """A name that every file system takes, as near to the sender's as can be."""
    kept = _STRANGE.sub("_", stem)[:_ENOUGH].strip(". ")
    return f"_{kept}" if _RESERVED.match(kept) else kept or "in"
