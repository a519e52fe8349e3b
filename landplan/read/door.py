"""The front door: what a path is and whether it is whole, judged from its bytes before GDAL sees it."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import stat
import threading
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from landplan.issues import Issue, clean_text, codes
from landplan.read.geodatabase import check_geodatabase
from landplan.read.shapefile import check_shapefile, list_set

__all__ = ["ARCHIVES", "POINTS", "TABLES", "VECTORS", "Door", "hash_files", "kind_of", "open_door"]

VECTORS = frozenset({"shapefile", "gpkg", "geojson", "parquet", "flatgeobuf", "kml", "gdb", "dxf"})
ARCHIVES = frozenset({"zip", "kmz"})
TABLES = frozenset({"xlsx", "xls", "csv", "json"})
POINTS = frozenset({"txt"})

_KIND_OF_SUFFIX = {
    ".shp": "shapefile",
    ".gpkg": "gpkg",
    ".geojson": "geojson",
    ".json": "geojson",
    ".parquet": "parquet",
    ".geoparquet": "parquet",
    ".fgb": "flatgeobuf",
    ".kml": "kml",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xls": "xls",
    ".csv": "csv",
    ".tsv": "csv",
    ".tif": "tif",
    ".tiff": "tif",
    ".txt": "txt",
    ".dxf": "dxf",
    ".dwg": "dwg",
    ".kmz": "kmz",
    ".zip": "zip",
}
_MAGIC = (
    (b"SQLite format 3\x00", "gpkg"),
    (b"\x00\x00\x27\x0a", "shapefile"),
    (b"PAR1", "parquet"),
    (b"fgb", "flatgeobuf"),
    (b"PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
    (b"II*\x00", "tif"),
    (b"MM\x00*", "tif"),
    (b"II+\x00", "tif"),
    (b"MM\x00+", "tif"),
)
# What a suffix promises, in the words of _MAGIC; text kinds are judged by _sniff_text.
_MAGIC_OF_KIND = {"xlsx": "zip", "kmz": "zip", "gdb": "zip"}
_GEOJSON_TYPE = re.compile(
    rb'"type"\s*:\s*"(FeatureCollection|Feature|GeometryCollection|(Multi)?(Point|LineString|Polygon))"'
)
_ADDRESS = re.compile(r"^(/vsi|[A-Za-z][A-Za-z0-9+.\-]*://|[A-Za-z][A-Za-z0-9_+\-]+:)")
_BINARY_DXF = b"AutoCAD Binary DXF\r\n\x1a\x00"
_SECTION = re.compile(rb"^\s*0\s*[\r\n]+\s*SECTION\s*$", re.MULTILINE)
_DWG = re.compile(r"AC1\d\d\d|AC[12]\.\d\d")
_DWG_RELEASES = {
    "AC1009": "R12",
    "AC1012": "R13",
    "AC1014": "R14",
    "AC1015": "2000",
    "AC1018": "2004",
    "AC1021": "2007",
    "AC1024": "2010",
    "AC1027": "2013",
    "AC1032": "2018",
}
_MAX_BYTES = 4 * 1024**3
_STAYING = frozenset(
    {"flatgeobuf", "gpkg"}
)  # kinds whose records can be fetched one by one; a FileGDB is no single file
_LARGE_BYTES = 16 * 1024**2
_MAX_ENTRIES, _MAX_RATIO, _RATIO_FROM = 10_000, 200, 1024**2
_JSON_HEAD = 65_536


@dataclass(frozen=True)
class Door:
    """
    What stands behind a path.

    Parameters
    ----------
    path : Path
        Absolute path.
    name : str
        The path as the caller wrote it; what issues and reports show.
    kind : str
        ``shapefile``, ``gpkg``, ``geojson``, ``json`` (records without geometry), ``xlsx``, ``tif`` ...; empty
        where it is not known.
    files : tuple of Path
        The file, or the files of the set, in the order of their names.
    hashing : Future of str, or None
        Hash of their bytes, which that of large ones may still be on its way to; None where the door stays shut.
    issues : tuple of Issue
        Everything found wrong, all at once.
    """

    path: Path
    name: str
    kind: str
    files: tuple[Path, ...] = ()
    hashing: Future[str] | None = None
    issues: tuple[Issue, ...] = ()

    @property
    def sha256(self) -> str:
        """SHA-256 of their bytes as 64 hexadecimal digits; empty where the door stays shut."""
        return "" if self.hashing is None else self.hashing.result()

    @property
    def is_open(self) -> bool:
        """Whether a reader may go on."""
        return bool(self.kind) and not any(codes()[i.code].severity == "error" for i in self.issues)


def open_door(path: str | os.PathLike[str], *, stays: bool = False) -> Door:
    """
    Say what a path is and whether it is whole, without any geographic library.

    Parameters
    ----------
    path : path
        A file, or a FileGDB folder. Addresses and driver prefixes are refused.
    stays : bool, default False
        Whether its records are fetched where they are asked, or its bytes only hashed: then it may be of any size, if of a
        kind for that.

    Returns
    -------
    Door
        With every fault found; ``is_open`` where a reader may go on.

    Examples
    --------
    >>> [issue.code for issue in open_door("nowhere.shp").issues]
    ['FILE.MISSING']
    >>> [issue.code for issue in open_door("https://example.invalid/a.geojson").issues]
    ['SEC.NAME']
    """
    name = os.fspath(path)
    here = Path(os.path.abspath(name))  # noqa: PTH100 - resolve() would follow the links refused below
    if not here.exists() and not here.is_symlink():
        code = "SEC.NAME" if _ADDRESS.match(name) and not Path(name).drive else "FILE.MISSING"
        return _shut(here, name, "", code, name)
    mode = here.lstat().st_mode
    if stat.S_ISDIR(mode) and here.suffix.lower() == ".gdb":
        files = tuple(sorted(f for f in here.iterdir() if f.is_file() and not f.is_symlink()))
        if not (here / "gdb").is_file():
            return _shut(here, name, "gdb", "FILE.TYPE", here.name)
        return Door(here, name, "gdb", files, _hash(files), tuple(check_geodatabase(here, name)))
    if not stat.S_ISREG(mode):
        return _shut(here, name, "", "SEC.LINK", here.name)
    kind = _kind_of_suffix(here)
    if not kind:
        return _shut(here, name, "", "FILE.TYPE", here.name)
    if here.stat().st_size > _MAX_BYTES and not (stays and kind in _STAYING):
        return _shut(here, name, kind, "LIMIT.SIZE", f"{here.stat().st_size / 1024**3:.1f} GB")
    if here.suffix.lower() == ".json" and _is_json_table(here):
        kind = "json"
    files = tuple(list_set(here).values()) if kind == "shapefile" else (here,)
    hashing = _hash(files)
    return Door(here, name, kind, files, hashing, tuple(_look(here, name, kind)))


def hash_files(files: Sequence[Path]) -> str:
    """
    Hash the bytes of a file, or of a set of files in the order of their names.

    Parameters
    ----------
    files : sequence of Path
        Regular files.

    Returns
    -------
    str
        SHA-256 as 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda p: p.name):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _hash(files: Sequence[Path]) -> Future[str]:
    """Hash files; large ones while they are looked at and read."""
    hashing: Future[str] = Future()

    def work() -> None:
        try:
            hashing.set_result(hash_files(files))
        except OSError as error:
            hashing.set_exception(error)

    if sum(path.stat().st_size for path in files) < _LARGE_BYTES:
        work()
    else:
        threading.Thread(target=work, daemon=True).start()
    return hashing


def _shut(path: Path, name: str, kind: str, code: str, value: object) -> Door:
    return Door(path, name, kind, issues=(Issue(code, source=name, value=value),))


def kind_of(path: str | os.PathLike[str]) -> str:
    """
    Say what kind of source a name promises; what the file is, only its bytes tell.

    Parameters
    ----------
    path : path
        Need not exist.

    Returns
    -------
    str
        As ``Door.kind``; empty where the name is of no kind of source.

    Examples
    --------
    >>> kind_of("地块.SHP"), kind_of("地块.dbf")
    ('shapefile', '')
    """
    return _kind_of_suffix(Path(path))


def _kind_of_suffix(path: Path) -> str:
    if path.name.lower().endswith(".gdb.zip"):
        return "gdb"
    return _KIND_OF_SUFFIX.get(path.suffix.lower(), "")


def _look(path: Path, name: str, kind: str) -> list[Issue]:
    """Hold the bytes against the suffix, then against themselves."""
    with path.open("rb") as file:
        head = file.read(_JSON_HEAD)
    if not head:
        return [Issue("FILE.TRUNCATED", source=name, value="0 B")]
    magic = next((found for mark, found in _MAGIC if head.startswith(mark)), "")
    if kind == "dwg" or (kind == "dxf" and _dwg_release(head)):
        release = _dwg_release(head)
        return [
            Issue(
                "FILE.DWG" if release else "FILE.TYPE", source=name, value=f"{path.name}（{release or '?'}）"
            )
        ]
    if kind in {"geojson", "json", "kml", "csv", "txt", "dxf"}:
        trouble = _sniff_text(head, magic, kind)
        return [Issue("FILE.TYPE", source=name, value=f"{path.name}：{trouble}")] if trouble else []
    if magic != _MAGIC_OF_KIND.get(kind, kind):
        if kind == "gpkg" and not magic:
            return [Issue("FILE.TYPE", source=name, value=f"{path.name}：SQLite")]
        return [Issue("FILE.TYPE", source=name, value=f"{path.name}：{magic or '?'}")]
    if kind == "shapefile":
        return check_shapefile(path, name)
    if kind == "gpkg":
        return _check_gpkg(path, name, head)
    if magic == "zip":
        found = _check_zip(path, name)
        return found or (check_geodatabase(path, name) if kind == "gdb" else [])
    if kind == "parquet":
        with path.open("rb") as file:
            file.seek(-4, os.SEEK_END)
            if file.read(4) != b"PAR1":
                return [Issue("FILE.TRUNCATED", source=name, value=path.name)]
    return []


def _is_json_table(path: Path) -> bool:
    """Whether a JSON file begins with an array that holds records and no features."""
    with path.open("rb") as file:
        text = file.read(_JSON_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    is_listed = b"{" in text or text[1:].lstrip().startswith(b"]")
    return text.startswith(b"[") and is_listed and not _GEOJSON_TYPE.search(text)


def _sniff_text(head: bytes, magic: str, kind: str) -> str:
    """What is wrong with the beginning of a text file; empty where nothing is."""
    if magic:
        return magic
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if kind == "geojson":
        if not text.startswith(b"{"):
            return "JSON, but not GeoJSON" if text.startswith(b"[") else "not JSON"
        if not _GEOJSON_TYPE.search(text) and len(head) < _JSON_HEAD:
            return "JSON without a GeoJSON type"
    if kind == "kml":
        if not text.startswith(b"<"):
            return "not XML"
        if b"<!DOCTYPE" in head.upper() or b"<!ENTITY" in head.upper():
            # Entities are the way to bombs and to other people's files.
            return "XML with DOCTYPE"
    if kind == "dxf" and not head.startswith(_BINARY_DXF) and not _SECTION.search(head):
        return "not DXF"
    if kind in {"csv", "txt"} and b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "binary"
    return ""


def _dwg_release(head: bytes) -> str:
    """The release of a DWG, as ``AutoCAD 2000``; empty where it is none."""
    mark = head[:6].decode("latin-1")
    return f"AutoCAD {_DWG_RELEASES.get(mark, mark)}" if _DWG.fullmatch(mark) else ""


def _check_gpkg(path: Path, name: str, head: bytes) -> list[Issue]:
    """Let SQLite check the file, and look for what a copy may have left behind."""
    pages = int.from_bytes(head[28:32], "big")
    size = int.from_bytes(head[16:18], "big")
    declared = pages * (65536 if size == 1 else size)
    if path.stat().st_size < declared:
        return [Issue("FILE.TRUNCATED", source=name, value=f"{path.stat().st_size} / {declared} B")]
    issues = []
    if _is_unfinished(head, path.stat().st_size):
        issues.append(Issue("FILE.UNFINISHED", source=name, value=f"{path.stat().st_size} / {declared} B"))
    wal = path.with_name(path.name + "-wal")
    if head[18:20] == b"\x02\x02" and not wal.exists():
        issues.append(Issue("FILE.WAL", source=name))
    # Read-only and not immutable: a hot journal left by a crash must be seen, not overlooked.
    address = path.as_uri() + ("?mode=ro" if wal.exists() else "?mode=ro&immutable=1")
    try:
        with closing(sqlite3.connect(address, uri=True)) as base:
            found = base.execute("PRAGMA quick_check(1)").fetchone()
            if not found or found[0] != "ok":
                issues.append(Issue("FILE.TRUNCATED", source=name, value=str(found and found[0])))
            elif not base.execute("SELECT 1 FROM sqlite_master WHERE name='gpkg_contents'").fetchone():
                issues.append(Issue("FILE.TYPE", source=name, value=f"{path.name}：SQLite"))
            else:
                # A view runs its author's SQL on our machine, endlessly if he likes; a virtual table that is
                # no spatial index may open any file.
                query = (
                    "SELECT name FROM sqlite_master WHERE type = 'view'"
                    " OR (sql LIKE 'CREATE VIRTUAL%' AND sql NOT LIKE '%USING rtree%')"
                )
                issues += [Issue("SEC.VIEW", source=name, value=row[0]) for row in base.execute(query)]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # The message of SQLite quotes the damaged schema, which need not be text.
        issues.append(Issue("FILE.TRUNCATED", source=name, value=clean_text(str(error))[:160]))
    if path.with_name(path.name + "-journal").exists():
        issues.append(Issue("FILE.UNREADABLE", source=name, value=f"{path.name}-journal"))
    return issues


def _is_unfinished(head: bytes, size: int) -> bool:
    """Whether a database was copied while it was written: pages behind the end that its header states."""
    page = int.from_bytes(head[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(head[28:32], "big")
    # SQLite file format, 1.3.7: the size in the header counts where offsets 24 and 92 agree.
    return head[24:28] == head[92:96] and pages > 0 and size >= (pages + 1) * page > 0


def _check_zip(path: Path, name: str) -> list[Issue]:
    """Bombs, names that leave the folder, encryption and bad sums, from the directory of the archive."""
    trouble = ""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if len(entries) > _MAX_ENTRIES or sum(entry.file_size for entry in entries) > _MAX_BYTES:
                return [Issue("LIMIT.SIZE", source=name, value=f"{len(entries)} entries")]
            for entry in entries:
                if entry.file_size > _RATIO_FROM and entry.file_size > _MAX_RATIO * entry.compress_size:
                    return [Issue("LIMIT.SIZE", source=name, value=entry.filename)]
                parts = entry.filename.replace("\\", "/").split("/")
                if ".." in parts or parts[0] == "" or ":" in parts[0]:
                    return [Issue("SEC.PATH", source=name, value=entry.filename)]
                if stat.S_ISLNK(entry.external_attr >> 16):
                    return [Issue("SEC.LINK", source=name, value=entry.filename)]
                if entry.flag_bits & 0x1:
                    return [Issue("FILE.ENCRYPTED", source=name, value=entry.filename)]
            if len({n.casefold() for n in names}) < len(names):
                trouble = "two entries of one name"
            if not trouble and (bad := archive.testzip()):
                trouble = f"CRC: {bad}"
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        return [Issue("FILE.TRUNCATED", source=name, value=str(error))]
    return [Issue("FILE.UNREADABLE", source=name, value=trouble)] if trouble else []
