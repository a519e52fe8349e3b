"""A DXF opened and taken apart: entities of model space with their layers, blocks exploded, text decoded."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landplan.issues import Issue
from landplan.read.cad.labels import Label
from landplan.read.encoding import Decision, decide_encoding, decode_cell

__all__ = ["Content", "open_drawing"]

_MAX_BYTES = 256 * 1024**2
_MAX_ENTITIES = 500_000
_MAX_DEPTH = 16
_BINARY = b"AutoCAD Binary DXF\r\n\x1a\x00"
_UTF8_SINCE = "AC1021"
# Notes and construction aids bound nothing, and nobody misses them.
_SILENT = re.compile(
    r"POINT|.*DIMENSION|M?LEADER|MULTILEADER|TOLERANCE|VIEWPORT|ATTDEF|SHAPE|XLINE|RAY|SOLID|TRACE|WIPEOUT|IMAGE"
    r"|.*UNDERLAY|OLE2?FRAME|ACAD_TABLE|SUN|LIGHT|GEOPOSITIONMARKER"
)
_TEXTS = frozenset({"TEXT", "MTEXT", "ATTRIB"})
_DRAWN = frozenset(
    ["LINE", "ARC", "CIRCLE", "ELLIPSE", "SPLINE", "LWPOLYLINE", "POLYLINE", "HATCH", "MPOLYGON"]
)
# Code pages of \M+nXXXX, the way old releases of AutoCAD write characters their code page lacks.
_MIF = {"1": "cp932", "2": "cp950", "3": "cp949", "4": "johab", "5": "gbk"}


@dataclass
class Content:
    """
    What model space holds.

    Parameters
    ----------
    drawn : list of (layer, entity)
        Lines, polylines, arcs and hatches in the order of the drawing.
    labels : list of Label
        Texts.
    skipped : Counter
        Entities that may hold a boundary but cannot be read, by kind.
    unit : int
        ``$INSUNITS``; 0 where none is declared.
    decision : Decision
        How text was decoded.
    issues : list of Issue
        What was wrong with the file as a whole; an error means there is no content.
    """

    drawn: list[tuple[str, Any]] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    unit: int = 0
    decision: Decision = field(default_factory=lambda: Decision("utf-8", "format"))
    issues: list[Issue] = field(default_factory=list)


def open_drawing(path: Path, source: str, *, encoding: str | None = None, how: str = "option") -> Content:
    """
    Open a DXF, text or binary, and take its blocks apart.

    Parameters
    ----------
    path : Path
        A local file.
    source : str
        Its name in issues.
    encoding : str, optional
        Overrides ``$DWGCODEPAGE`` and content.
    how : str, default "option"
        Where that encoding was given.

    Returns
    -------
    Content
        With an error among its issues where the file cannot be used.

    Raises
    ------
    UsageError
        If ``encoding`` is not one.
    """
    found = Content()

    def refuse(code: str, value: str) -> Content:
        return Content(issues=[*found.issues, Issue(code, source=source, value=value[:160])])

    if (size := path.stat().st_size) > _MAX_BYTES:
        return refuse("LIMIT.SIZE", f"{size / 1024**2:.0f} MB DXF")
    if fault := _ending(path, size):
        return refuse("FILE.TRUNCATED", fault)
    try:
        document = _load(path, source, found.issues)
        found.unit = int(document.header.get("$INSUNITS", 0) or 0)
        words: list[tuple[Any, Any]] = []
        for layer, entity in _Walk(document, found.skipped).over(document.modelspace()):
            if entity.dxftype() in _TEXTS:
                words.append((layer, entity))
            else:
                found.drawn.append((layer, entity))
    except _TooManyError:
        return refuse("LIMIT.SIZE", f"> {_MAX_ENTITIES} entities")
    except Exception as error:
        # The parser was written for sound files; what a broken one makes it raise is not to be foreseen.
        return refuse("FILE.UNREADABLE", f"{type(error).__name__}: {error}")
    texts = [str(entity.text if entity.dxftype() == "MTEXT" else entity.dxf.text) for _, entity in words]
    decoder = _Decoder(document, [*texts, *{layer for layer, _ in found.drawn}])
    found.decision = decoder.decide(source, encoding, how)
    names = {layer: decoder.read(layer) for layer, _ in found.drawn}
    found.drawn = [(names[layer], entity) for layer, entity in found.drawn]
    for text, (_, entity) in zip(texts, words, strict=True):
        try:
            found.labels += _label(decoder.read(text), entity)
        except Exception:
            # A text that cannot be placed costs a number, not the drawing.
            found.skipped[entity.dxftype()] += 1
    return found


def _ending(path: Path, size: int) -> str:
    """What a file ends with that ought to end with EOF; empty where it does."""
    with path.open("rb") as file:
        file.seek(max(0, size - 512))
        tail = file.read()
    if re.search(rb"(^|[\s\x00])EOF[\s\x00\x1a]*$", tail):
        return ""
    return f"{size} B，…{tail[-24:].decode('latin-1').strip()}"


def _load(path: Path, source: str, issues: list[Issue]) -> Any:
    from ezdxf import recover
    from ezdxf.filemanagement import readfile
    from ezdxf.lldxf.const import DXFError

    # Its warnings are about things nobody asked for; a file's own words must not reach the terminal.
    logging.getLogger("ezdxf").addHandler(logging.NullHandler())
    logging.getLogger("ezdxf").propagate = False
    try:
        return readfile(path)
    except (DXFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OSError) as error:
        with path.open("rb") as file:
            if file.read(len(_BINARY)) == _BINARY:
                raise
        document, found = recover.readfile(path)
        value = f"{error}"[:120] + f"（{len(found.errors) + len(found.fixes)}）"
        issues.append(Issue("FILE.RECORD_READER", source=source, value=value))
        return document


class _TooManyError(Exception):
    """A block inserted a thousand times in a block inserted a thousand times."""


class _Walk:
    """The way through blocks in blocks: how long it is, is reckoned before the first step."""

    def __init__(self, document: Any, skipped: Counter[str]) -> None:
        self.skipped = skipped
        self.sizes: dict[str, int] = {}
        if self.size(document.modelspace(), ()) > _MAX_ENTITIES:
            raise _TooManyError

    def size(self, entities: Iterable[Any], path: tuple[str, ...]) -> int:
        """Entities that are seen when all blocks are exploded."""
        total = 0
        for entity in entities:
            total += 1
            if entity.dxftype() == "INSERT":
                name = str(entity.dxf.get("name", ""))
                block = None if name in path or len(path) >= _MAX_DEPTH else entity.block()
                if block is not None:
                    if name not in self.sizes:
                        self.sizes[name] = self.size(block, (*path, name))
                    total += max(1, int(entity.mcount)) * (1 + self.sizes[name])
        return total

    def over(
        self, entities: Iterable[Any], parent: str = "", path: tuple[str, ...] = ()
    ) -> Iterator[tuple[str, Any]]:
        """Entities with the layer they show on; layer 0 inside a block is the layer of its insert."""
        for entity in entities:
            kind = entity.dxftype()
            own = str(entity.dxf.get("layer", "0"))
            layer = parent if parent and own == "0" else own
            if kind == "INSERT":
                yield from self.inside(entity, layer, path)
            elif kind in _TEXTS or kind in _DRAWN:
                yield layer, entity
            elif not _SILENT.fullmatch(kind):
                self.skipped[kind] += 1

    def inside(self, insert: Any, layer: str, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        """What an insert shows, moved to where it shows it."""
        from ezdxf.lldxf.const import DXFError

        block = insert.block()
        name = str(insert.dxf.get("name", ""))
        if block is None or name in path or len(path) >= _MAX_DEPTH:
            self.skipped[f"INSERT {name}"] += 1
            return
        if block.block is not None and (block.block.is_xref or block.block.is_xref_overlay):
            self.skipped[f"XREF {name}"] += 1
            return
        for attribute in insert.attribs:
            yield layer, attribute
        try:
            for single in insert.multi_insert() if insert.mcount > 1 else (insert,):
                # Parts that cannot be transformed are named, not lost.
                parts = single.virtual_entities(
                    skipped_entity_callback=lambda entity, _: self.skipped.update([entity.dxftype()])
                )
                yield from self.over(parts, layer, (*path, name))
        except (DXFError, ValueError, ZeroDivisionError):
            self.skipped[f"INSERT {name}"] += 1


class _Decoder:
    """Text of a drawing whose code page may lie: its bytes are asked again, all of them together."""

    def __init__(self, document: Any, texts: Iterable[str]) -> None:
        self.assumed = str(document.encoding or "cp1252")
        self.declared = str(document.header.get("$DWGCODEPAGE", "") or "")
        if document.dxfversion >= _UTF8_SINCE:
            self.assumed = self.declared = "utf-8"
        self.texts = set(texts)
        self.encoding = self.assumed

    def decide(self, source: str, option: str | None, how: str) -> Decision:
        bodies = [body for text in self.texts if (body := self._bytes(text)) is not None]
        found = decide_encoding(bodies, declared=self.declared, option=option, how=how, source=source)
        self.encoding = found.encoding
        return found

    def read(self, text: str) -> str:
        body = self._bytes(text)
        if body is not None and not body.isascii():
            text = decode_cell(body, self.encoding)[0]
        text = re.sub(r"\\U\+([0-9A-Fa-f]{4})", lambda m: chr(int(m[1], 16)), text)
        return re.sub(r"\\M\+([1-5])([0-9A-Fa-f]{4})", _of_mif, text).encode("utf-8", "replace").decode()

    def _bytes(self, text: str) -> bytes | None:
        """The bytes a text was read from; None where its characters were written as escapes."""
        try:
            return text.encode(self.assumed, "surrogateescape")
        except UnicodeEncodeError:
            return None


def _of_mif(match: re.Match[str]) -> str:
    try:
        return bytes.fromhex(match[2]).decode(_MIF[match[1]])
    except (UnicodeDecodeError, LookupError):
        return match[0]


def _label(text: str, entity: Any) -> list[Label]:
    """The lines of a text, each with an estimate of its middle; fonts are not asked."""
    from ezdxf.tools.text import plain_mtext, plain_text

    is_block = entity.dxftype() == "MTEXT"
    written = plain_mtext(text, split=True) if is_block else [plain_text(text)]
    lines = [line.strip() for line in written if line.strip()]
    height = float(entity.dxf.get("char_height" if is_block else "height", 0.0) or 0.0)
    spot = entity.dxf.insert
    # 1 2 3 upper, 4 5 6 middle, 7 8 9 lower; left, centre, right.
    anchor = int(entity.dxf.get("attachment_point", 1)) if is_block else 7
    if not is_block and (entity.dxf.get("halign", 0) or entity.dxf.get("valign", 0)):
        spot = entity.dxf.get("align_point", spot)
        across = {0: 0, 1: 1, 2: 2, 4: 1}.get(int(entity.dxf.get("halign", 0)), 0)
        up = {1: 6, 2: 3, 3: 0}.get(int(entity.dxf.get("valign", 0)), 6)
        anchor = 1 + across + (3 if int(entity.dxf.get("halign", 0)) == 4 else up)
    turn = math.radians(float(entity.dxf.get("rotation", 0.0) or 0.0))
    x, y = _on_paper(entity, spot)
    labels = []
    for k, line in enumerate(lines):
        width = height * sum(1.0 if ord(c) > 0x2E7F else 0.65 for c in line)
        right = width / 2 * (1 - (anchor - 1) % 3)
        # Lines of a block run down from its top; as a whole it hangs on its anchor.
        top = (len(lines) * 1.5 * height) * (0.0, 0.5, 1.0)[(anchor - 1) // 3]
        down = top - (k + 0.5) * 1.5 * height
        place = (
            x + right * math.cos(turn) - down * math.sin(turn),
            y + right * math.sin(turn) + down * math.cos(turn),
        )
        labels.append(Label(line, place, (x, y)))
    return labels


def _on_paper(entity: Any, spot: Any) -> tuple[float, float]:
    if entity.dxftype() == "MTEXT":
        return float(spot[0]), float(spot[1])
    ocs = entity.ocs()
    moved = ocs.to_wcs(spot) if ocs.transform else spot
    return float(moved[0]), float(moved[1])
