"""A shapefile as a set: arithmetic over the headers of .shp, .shx and .dbf, and attributes to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landplan.issues import Issue
from landplan.read.encoding import ASCII_SAFE, Decision, decide_encoding, decode_cell

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Attributes", "check_shapefile", "list_set", "read_attributes", "rebuild_index"]

_SUFFIXES = (".cpg", ".dbf", ".prj", ".shp", ".shx")
_HEADER = 100
# Language driver ids of dBASE that name a code page; 0x57 means "whatever the writer's Windows used".
_LANGUAGES = {
    0x03: "cp1252",
    0x4D: "gbk",
    0x4E: "cp949",
    0x4F: "big5",
    0x50: "cp874",
    0x13: "cp932",
    0x79: "cp949",
    0x7A: "gbk",
    0x78: "big5",
    0x7B: "cp932",
    0xC8: "cp1250",
    0xC9: "cp1251",
    0x26: "cp866",
    0x65: "cp866",
}


@dataclass(frozen=True)
class _Column:
    name: bytes
    kind: str
    start: int
    length: int
    decimals: int


@dataclass(frozen=True)
class _Header:
    rows: int
    start: int
    length: int
    language: int
    columns: tuple[_Column, ...]


@dataclass
class Attributes:
    """
    The attribute table of a shapefile.

    Parameters
    ----------
    columns : dict of str to list
        Cells by header, in the order of the records; None where empty.
    is_deleted : array of bool
        Records marked as deleted, which GDAL does not return.
    decision : Decision
        How the text was decoded.
    issues : list of Issue
        Cells that were cut or could not be decoded.
    """

    columns: dict[str, list[Any]]
    is_deleted: NDArray[np.bool_]
    decision: Decision
    issues: list[Issue]


def list_set(shp: Path) -> dict[str, Path]:
    """
    The files of a shapefile that are read, by suffix.

    Parameters
    ----------
    shp : Path
        The ``.shp``; the others are looked for beside it in any case of letters.

    Returns
    -------
    dict of str to Path
        In the order of the suffixes, with those only that exist.
    """
    stem = shp.stem.casefold()
    found = {
        file.suffix.lower(): file
        for file in sorted(shp.parent.iterdir(), reverse=True)
        if file.stem.casefold() == stem and file.suffix.lower() in _SUFFIXES and file.is_file()
    }
    found[".shp"] = shp
    return dict(sorted(found.items()))


def check_shapefile(shp: Path, source: str) -> list[Issue]:
    """
    Hold the files of a shapefile against their headers and against one another.

    Parameters
    ----------
    shp : Path
        The ``.shp``.
    source : str
        Its name in issues.

    Returns
    -------
    list of Issue
        Missing, cut or foreign members; empty where the set is whole.
    """
    parts = list_set(shp)
    missing = [
        suffix for suffix in (".shx", ".dbf") if suffix not in parts or not parts[suffix].stat().st_size
    ]
    index = rebuild_index(shp) if missing == [".shx"] else None
    if missing and index is None:
        return [Issue("FILE.INCOMPLETE_SET", source=source, value=" ".join(missing))]
    if any(part.is_symlink() for part in parts.values()):
        return [Issue("SEC.LINK", source=source, value=shp.name)]
    issues = []
    if index is not None:
        count = (len(index) - _HEADER) // 8
        issues.append(Issue("FILE.INDEX_REBUILT", source=source, value=count))
    for suffix in (".shp",) if index is not None else (".shp", ".shx"):
        size = parts[suffix].stat().st_size
        declared = _declared_size(parts[suffix])
        if size < max(declared, _HEADER) or declared < _HEADER:
            issues.append(Issue("FILE.TRUNCATED", source=source, value=f"{suffix} {size} / {declared} B"))
        elif size > declared:
            issues.append(Issue("FILE.TRAILING", source=source, value=f"{suffix} {size} / {declared} B"))
    dbf_size = parts[".dbf"].stat().st_size
    header = _read_header(parts[".dbf"])
    if header is None:
        return [*issues, Issue("FILE.TRUNCATED", source=source, value=f".dbf {dbf_size} B")]
    declared = header.start + header.rows * header.length
    if dbf_size < declared:
        issues.append(Issue("FILE.TRUNCATED", source=source, value=f".dbf {dbf_size} / {declared} B"))
    elif dbf_size > declared + 1:
        issues.append(Issue("FILE.TRAILING", source=source, value=f".dbf {dbf_size} / {declared} B"))
    if any(issue.code == "FILE.TRUNCATED" for issue in issues):
        return issues
    shapes, is_foreign = (
        _check_index(parts[".shp"], parts[".shx"]) if index is None else ((len(index) - _HEADER) // 8, False)
    )
    if is_foreign:
        issues.append(Issue("FILE.MISMATCH", source=source, value=".shp / .shx"))
    elif shapes != header.rows:
        issues.append(Issue("FILE.MISMATCH", source=source, value=f".shp {shapes}, .dbf {header.rows}"))
    return issues


def rebuild_index(shp: Path) -> bytes | None:
    """
    Make the ``.shx`` of a ``.shp`` that came without one, by walking from record to record.

    Parameters
    ----------
    shp : Path
        The ``.shp``.

    Returns
    -------
    bytes or None
        Content of the ``.shx``; None where the records do not follow one another to the declared end.
    """
    body = shp.read_bytes()
    end = 2 * int.from_bytes(body[24:28], "big")
    if len(body) < _HEADER or end > len(body):
        return None
    entries = bytearray()
    at, number = _HEADER, 0
    while at < end:
        number += 1
        length = int.from_bytes(body[at + 4 : at + 8], "big")
        if int.from_bytes(body[at : at + 4], "big") not in (number, number - 1) or at + 8 + 2 * length > end:
            return None
        entries += (at // 2).to_bytes(4, "big") + length.to_bytes(4, "big")
        at += 8 + 2 * length
    words = (_HEADER + len(entries)) // 2
    return body[:24] + words.to_bytes(4, "big") + body[28:_HEADER] + bytes(entries)


def read_attributes(
    shp: Path, source: str, *, encoding: str | None = None, how: str = "option"
) -> Attributes:
    """
    Read the ``.dbf`` of a shapefile, cell by cell as written.

    Parameters
    ----------
    shp : Path
        The ``.shp`` of a set that :func:`check_shapefile` found whole.
    source : str
        Its name in issues.
    encoding : str, optional
        Overrides ``.cpg``, language id and content.
    how : str, default "option"
        Where that encoding was given.

    Returns
    -------
    Attributes
        Integers stay text, so that 007 stays 007 and 19 digits stay 19 digits; a field overflown with ``*``
        stays as it is, for the schema to name it.
    """
    parts = list_set(shp)
    header = _read_header(parts[".dbf"])
    if header is None:
        return Attributes({}, np.zeros(0, bool), Decision("", ""), [])
    dtype = np.dtype(
        {
            "names": ["flag", *(f"f{i}" for i in range(len(header.columns)))],
            "formats": ["S1", *(f"S{c.length}" for c in header.columns)],
            "offsets": [0, *(c.start for c in header.columns)],
            "itemsize": header.length,
        }
    )
    table = np.fromfile(parts[".dbf"], dtype=dtype, count=header.rows, offset=header.start)
    cells = [_trimmed(table[f"f{i}"]).tolist() for i in range(len(header.columns))]
    # Each distinct text is looked at once; a column of a million rows often holds ten of them.
    distinct = {i: list(dict.fromkeys(cells[i])) for i, c in enumerate(header.columns) if c.kind == "C"}
    texts = {c.name for c in header.columns}
    for known in distinct.values():
        texts.update(cell.strip(b" \x00") for cell in known if not cell.isascii())
    declared = _LANGUAGES.get(header.language, "")
    if ".cpg" in parts:
        declared = parts[".cpg"].read_text("ascii", errors="replace").strip("\ufeff\x00 \r\n\t") or declared
    decision = decide_encoding(texts, declared=declared, option=encoding, how=how, source=source)
    issues = list(decision.issues)
    columns: dict[str, list[Any]] = {}
    for i, column in enumerate(header.columns):
        name = _free_name(decode_cell(column.name, decision.encoding)[0] or f"field_{i + 1}", columns)
        if column.kind != "C":
            columns[name] = _values(cells[i], column)
            continue
        read, faults = _decode(distinct[i], decision.encoding)
        columns[name] = list(map(read.__getitem__, cells[i]))
        if faults:
            issues += [
                Issue(faults[cell], source=source, row=row, field=name, value=read[cell] or "")
                for row, cell in enumerate(cells[i], 1)
                if cell in faults
            ]
    return Attributes(columns, table["flag"] == b"*", decision, issues)


def _trimmed(column: NDArray[np.bytes_]) -> NDArray[np.bytes_]:
    """A column of cells without the padding that all of them share."""
    cells = np.ascontiguousarray(column)
    if not cells.size or not cells.itemsize:
        return cells
    matrix = cells.view(np.uint8).reshape(cells.size, cells.itemsize)
    # Written from the left, most fields are blank behind the first third: looked at from the right, in steps.
    width = cells.itemsize
    while width > 1 and not ((matrix[:, width - 1] != 0x20) & (matrix[:, width - 1] != 0)).any():
        width -= 1
    return cells if width == cells.itemsize else cells.astype(f"S{width}")


def _decode(cells: list[bytes], encoding: str) -> tuple[dict[bytes, str | None], dict[bytes, str]]:
    """The text of every cell, None where it is blank, and the codes of those where something was lost."""
    stripped = [cell.strip(b" \x00") for cell in cells]
    if encoding in ASCII_SAFE:
        # All at once: a character cut at the end of a cell meets the line feed and is found out.
        try:
            texts = b"\n".join(stripped).decode(encoding).split("\n")
        except UnicodeDecodeError:
            texts = []
        if len(texts) == len(cells):
            return {cell: text.strip() or None for cell, text in zip(cells, texts, strict=True)}, {}
    read: dict[bytes, str | None] = {}
    faults: dict[bytes, str] = {}
    for cell, bare in zip(cells, stripped, strict=True):
        text, fault = decode_cell(bare, encoding)
        read[cell] = text or None
        if fault:
            faults[cell] = fault
    return read, faults


def _declared_size(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(_HEADER)
    return 2 * int.from_bytes(head[24:28], "big")


def _read_header(dbf: Path) -> _Header | None:
    """Field descriptions of a .dbf; None where the header itself is cut or makes no sense."""
    with dbf.open("rb") as file:
        head = file.read(32)
        if len(head) < 32:
            return None
        rows, start, length = (int.from_bytes(head[a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12)))
        rest = file.read(max(start - 32, 0))
    columns = []
    position = 1
    for k in range(0, len(rest) - 31, 32):
        field = rest[k : k + 32]
        if field[0] == 0x0D:
            break
        name = field[:11].split(b"\x00")[0].strip()
        kind = chr(field[11])
        # In character fields of Clipper the decimal count is the high byte of the length.
        columns.append(_Column(name, kind, position, field[16], 0 if kind == "C" else field[17]))
        position += field[16]
    if len(rest) < start - 32 or position > length or not columns:
        return None
    return _Header(rows, start, length, head[29], tuple(columns))


def _check_index(shp: Path, shx: Path) -> tuple[int, bool]:
    """
    Number of shapes, and whether the index belongs to other shapes.

    An index of another export gives every parcel another parcel's boundary, in silence; offsets need not rise
    (an edited shape is appended), but each must lead to the record of its own number and length.
    """
    count = max((_declared_size(shx) - _HEADER) // 8, 0)
    index = np.fromfile(shx, dtype=">i4", count=2 * count, offset=_HEADER).reshape(-1, 2).astype(np.int64)
    if not count:
        return 0, _declared_size(shp) > _HEADER
    starts, lengths = index[:, 0] * 2, index[:, 1]
    end = shp.stat().st_size
    if (starts < _HEADER).any() or (lengths < 0).any() or (starts + 8 + lengths * 2 > end).any():
        return count, True
    data = np.memmap(shp, dtype=np.uint8, mode="r")
    heads = np.ascontiguousarray(data[starts[:, None] + np.arange(8)]).view(">i4").reshape(-1, 2)
    numbers = heads[:, 0] - np.arange(count)
    # Some writers count from 0, and some leave the header length 4 words short or long of the index.
    is_foreign = bool((numbers != numbers[0]).any()) or numbers[0] not in (0, 1)
    return count, is_foreign or bool((heads[:, 1] != lengths).any())


def _free_name(name: str, taken: dict[str, list[Any]]) -> str:
    free, k = name, 1
    while free in taken:
        free, k = f"{name}_{k}", k + 1
    return free


def _values(cells: list[bytes], column: _Column) -> list[Any]:
    """The values of a column that is not text."""
    if column.kind == "F" or (column.kind == "N" and column.decimals):
        try:
            return list(map(float, cells))
        except ValueError:
            pass  # blank or overflown somewhere: told apart cell by cell below
    elif column.kind == "N":
        texts = b"\n".join(cells).decode("latin-1").split("\n")
        if len(texts) == len(cells):
            return [text.strip(" \x00").strip() or None for text in texts]
    known = {cell: _value(cell.strip(b" \x00"), column) for cell in dict.fromkeys(cells)}
    return list(map(known.__getitem__, cells))


def _value(cell: bytes, column: _Column) -> Any:
    """The value of a cell that is not text; what cannot be read stays as written."""
    text = cell.decode("latin-1").strip()
    if not text:
        return None
    if column.kind == "D":
        if text == "00000000":
            return None
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        except ValueError:
            return text
    if column.kind == "L":
        return {"T": True, "Y": True, "F": False, "N": False}.get(text.upper())
    if column.kind == "F" or (column.kind == "N" and column.decimals):
        try:
            return float(text)
        except ValueError:
            return text
    return text
