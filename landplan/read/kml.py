"""KML: folders as layers, placemarks as records, HTML as text; no entity, address or picture is followed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.parsers import expat

from landplan.errors import UsageError
from landplan.issues import Issue
from landplan.read.encoding import Decision, decide_encoding
from landplan.read.records import Collector, Records

__all__ = ["list_kml_layers", "read_kml"]

_MAX_BYTES = 512 * 1024**2
_MAX_DEPTH = 200
_SHOWN = 40
_XML = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._\-]+)["'][^>]*\?>""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_TAGS = re.compile(r"<\s*(/?[A-Za-z][A-Za-z0-9:]*|!--|!\[CDATA\[)[^<]*>")
_CUT = frozenset({3, 5})  # expat: no element found, unclosed token
_SHAPES = frozenset({"Point", "LineString", "LinearRing", "Polygon", "Model", "Track", "MultiTrack"})
_GROUPS = frozenset({"MultiGeometry"})
_HIDDEN = frozenset({"script", "style", "head", "title"})
_BREAKS = frozenset({"br", "p", "div", "tr", "li", "table", "h1", "h2", "h3", "h4"})
Position = tuple[float, ...]


@dataclass
class _Node:
    """An element inside a placemark."""

    tag: str
    name: str = ""
    text: str = ""
    children: list[_Node] = field(default_factory=list)


@dataclass
class _Layer:
    """A folder or document that holds placemarks of its own."""

    name: str = ""
    marks: list[_Node] = field(default_factory=list)


@dataclass
class _Document:
    layers: list[_Layer] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    decision: Decision = field(default_factory=lambda: Decision("utf-8", "format"))
    fault: Issue | None = None


class _Refusal(Exception):  # noqa: N818 - carries an issue out of a parser that knows no other way to stop
    def __init__(self, code: str, value: str) -> None:
        super().__init__(value)
        self.code, self.value = code, value


def read_kml(
    path: Path,
    *,
    layer: str | None = None,
    encoding: str | None = None,
    how: str = "option",
    source: str = "",
) -> tuple[str, Records, Decision]:
    """
    Read one folder of a KML.

    Parameters
    ----------
    path : Path
        A local file.
    layer : str, optional
        Name of a folder; needed where several hold polygons.
    encoding : str, optional
        Overrides the XML declaration.
    how : str, default "option"
        Where that encoding was given.
    source : str, default ""
        Name of the file in issues.

    Returns
    -------
    layer : str
        The folder that was read.
    records : Records
        Placemarks. Where a folder holds polygons, what else it holds is rejected by name; closed lines are
        read as areas and reported. Without rows, and with an error, where nothing can be used.
    decision : Decision
        How text was decoded.

    Raises
    ------
    UsageError
        If ``encoding`` is not one.
    """
    document = _parse(path, source, encoding, how)
    records = Records({}, [], [], 0, crs="OGC:CRS84", is_crs_by_format=True)
    if document.fault is not None:
        records.issues.append(document.fault)
        return layer or "", records, document.decision
    if document.links:
        value = "、".join(document.links[:_SHOWN])
        records.issues.append(Issue("FILE.NETWORK_LINK", source=source, value=value))
    chosen, fault = _choose(document.layers, layer, source)
    if chosen is None:
        records.issues += [fault] if fault else []
        return layer or "", records, document.decision
    found = _collect(chosen, source)
    found.issues = [*records.issues, *found.issues]
    found.crs, found.is_crs_by_format = records.crs, True
    return chosen.name, found, document.decision


def list_kml_layers(path: Path) -> list[str]:
    """
    Name the folders of a KML that hold placemarks.

    Parameters
    ----------
    path : Path
        A local file.

    Returns
    -------
    list of str
        In the order of the file; empty where it cannot be parsed.
    """
    return [layer.name for layer in _parse(path, "", None, "").layers]


def _choose(layers: list[_Layer], wanted: str | None, source: str) -> tuple[_Layer | None, Issue | None]:
    if wanted is not None:
        for layer in layers:
            if layer.name == wanted:
                return layer, None
        names = "、".join(layer.name for layer in layers[:_SHOWN])
        return None, Issue("FILE.NO_LAYER", source=source, value=f"{wanted}；{names}")
    if len(layers) < 2:
        return (layers[0], None) if layers else (None, None)
    drawn = [layer for layer in layers if any(_has_area(mark) for mark in layer.marks)]
    if len(drawn) == 1:
        return drawn[0], None
    names = "、".join(layer.name for layer in (drawn or layers)[:_SHOWN])
    return None, Issue("FILE.AMBIGUOUS", source=source, value=names)


def _has_area(mark: _Node) -> bool:
    return any(shape.tag in {"Polygon", "LinearRing"} for shape in _shapes(mark))


def _parse(path: Path, source: str, encoding: str | None, how: str) -> _Document:
    """Read the XML as a stream; a DOCTYPE ends it, for entities are the way to bombs and to foreign files."""
    found = _Document()
    if (size := path.stat().st_size) > _MAX_BYTES:
        found.fault = Issue("LIMIT.SIZE", source=source, value=f"{size / 1024**2:.0f} MB KML")
        return found
    text, found.decision = _decode(path.read_bytes(), encoding, how, source)
    builder = _Builder(path.stem)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(text, True)
        if not builder.is_kml:
            raise _Refusal("FILE.TYPE", f"{path.name}：XML, but not KML")
    except expat.ExpatError as error:
        code = "FILE.TRUNCATED" if error.code in _CUT else "FILE.UNREADABLE"
        found.fault = Issue(code, source=source, value=f"{error}"[:160])
        return found
    except _Refusal as refusal:
        value = f"{path.name}：{refusal.value}" if refusal.code == "FILE.TYPE" else refusal.value
        found.fault = Issue(refusal.code, source=source, value=value)
        return found
    found.layers, found.links = builder.finish(), builder.links
    return found


def _refuse_doctype(*_: Any) -> None:
    raise _Refusal("FILE.TYPE", "XML with DOCTYPE")


def _decode(body: bytes, option: str | None, how: str, source: str) -> tuple[str, Decision]:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _DECLARATION.sub("", body.decode("utf-16", "replace")), Decision("utf-16", "content")
    body = body.removeprefix(b"\xef\xbb\xbf")
    match = _XML.match(body[:400])
    declared = match[1].decode("ascii") if match else "utf-8"
    decision = decide_encoding(body.splitlines(), declared=declared, option=option, how=how, source=source)
    if not option and any(issue.code == "ENC.UNDECODABLE" for issue in decision.issues):
        # Nothing fits every line: one damaged byte is no reason to doubt what the file says of itself.
        with suppress(UsageError):  # the declaration may be the damaged part
            decision = decide_encoding(body.splitlines(), option=declared, how="declared", source=source)
    text = body.decode(decision.encoding, "replace")
    return _DECLARATION.sub("", text, count=1), decision


class _Builder:
    """Turns the stream into layers of placemarks; everything outside of placemarks but names is let go."""

    def __init__(self, stem: str) -> None:
        self.stem = stem
        self.is_kml = False
        self.links: list[str] = []
        self.folders: list[_Layer] = []
        self.used: list[_Layer] = []
        self.path: list[str] = []
        self.nodes: list[_Node] = []

    def start(self, raw: str, attributes: dict[str, str]) -> None:
        tag = raw.rsplit(":", 1)[-1]
        self.path.append(tag)
        if len(self.path) > _MAX_DEPTH:
            raise _Refusal("FILE.UNREADABLE", f"nested deeper than {_MAX_DEPTH}")
        if len(self.path) == 1:
            self.is_kml = tag in {"kml", "Document", "Folder", "Placemark"}
        if self.nodes:
            node = _Node(tag, attributes.get("name", ""))
            self.nodes[-1].children.append(node)
            self.nodes.append(node)
        elif tag in {"Document", "Folder"}:
            self.folders.append(_Layer())
            self.used.append(self.folders[-1])
        elif tag == "Placemark":
            self.nodes.append(_Node(tag))
        elif tag == "NetworkLink":
            self.links.append("")

    def end(self, raw: str) -> None:
        tag = self.path.pop()
        if self.nodes:
            node = self.nodes.pop()
            if not self.nodes:
                if not self.folders:
                    # A placemark without any folder around it.
                    self.folders.append(_Layer())
                    self.used.append(self.folders[-1])
                self.folders[-1].marks.append(node)
        elif tag in {"Document", "Folder"}:
            self.folders.pop()

    def data(self, text: str) -> None:
        if self.nodes:
            self.nodes[-1].text += text
        elif len(self.path) > 1 and self.path[-1] == "name" and self.path[-2] in {"Document", "Folder"}:
            self.folders[-1].name += text
        elif self.links and "NetworkLink" in self.path and self.path[-1] == "href":
            self.links[-1] += text.strip()

    def finish(self) -> list[_Layer]:
        """Layers with placemarks, each under a name of its own."""
        filled = [layer for layer in self.used if layer.marks]
        taken: set[str] = set()
        for layer in filled:
            name = free = " ".join(layer.name.split()) or self.stem
            k = 2
            while free in taken:
                free, k = f"{name}#{k}", k + 1
            layer.name = free
            taken.add(free)
        return filled


def _collect(layer: _Layer, source: str) -> Records:
    """Placemarks as records; beside polygons, points and lines are labels and no parcels."""
    drawn = [_draw(mark) for mark in layer.marks]
    has_areas = any(shape.areas for shape in drawn)
    collector = Collector(source, layer.name)
    for row, (mark, shape) in enumerate(zip(layer.marks, drawn, strict=True), 1):
        attributes = _attributes(mark)

        def report(code: str, value: object, row: int = row) -> None:
            collector.found.issues.append(Issue(code, source=source, layer=layer.name, row=row, value=value))

        if shape.fault:
            # A parcel that lacks one of its parts is another parcel.
            collector.refuse(shape.fault)
            continue
        if has_areas and not shape.areas and shape.others:
            name = str(attributes.get("Name") or "")
            report("GEOM.SET_ASIDE", f"{'、'.join(sorted(set(shape.others)))} {name}".strip())
            collector.found.rows_in += 1
            continue
        if shape.areas and shape.others:
            report("GEOM.PARTS_DROPPED", "、".join(shape.others))
        if shape.closed:
            report("GEOM.LINE_CLOSED", shape.closed)
        collector.take(shape.geometry(), attributes, row)
    return collector.found


@dataclass
class _Shape:
    """The geometry of one placemark: its areas, and the names of what else is in it."""

    areas: list[list[list[Position]]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    plain: list[dict[str, Any]] = field(default_factory=list)
    closed: int = 0
    fault: str = ""

    def geometry(self) -> dict[str, Any] | None:
        if len(self.areas) == 1:
            return {"type": "Polygon", "coordinates": self.areas[0]}
        if self.areas:
            return {"type": "MultiPolygon", "coordinates": self.areas}
        if len(self.plain) == 1:
            return self.plain[0]
        return {"type": "GeometryCollection", "geometries": self.plain} if self.plain else None


def _draw(mark: _Node) -> _Shape:
    shape = _Shape()
    for node in _shapes(mark):
        try:
            if node.tag == "Polygon":
                rings = [_positions(ring) for ring in _rings(node)]
                if not rings or not rings[0]:
                    shape.fault = shape.fault or "Polygon: no coordinates"
                else:
                    shape.areas.append([ring for ring in rings if ring])
                continue
            points = _positions(node)
        except ValueError as error:
            shape.fault = shape.fault or f"{node.tag}: {error}"
            continue
        is_ring = len(points) > 3 and points[0][:2] == points[-1][:2]
        if is_ring if node.tag == "LineString" else node.tag == "LinearRing" and len(points) > 2:
            shape.areas.append([points])
            shape.closed += 1
            continue
        shape.others.append(node.tag)
        if points:
            is_point = node.tag == "Point" or len(points) == 1
            shape.plain.append(
                {"type": "Point", "coordinates": points[0]}
                if is_point
                else {"type": "LineString", "coordinates": points}
            )
    return shape


def _shapes(node: _Node) -> Iterator[_Node]:
    """Geometries of a placemark, those inside of groups too, in the order of the file."""
    stack = list(reversed(node.children))
    while stack:
        child = stack.pop()
        if child.tag in _SHAPES:
            yield child
        elif child.tag in _GROUPS:
            stack += reversed(child.children)


def _rings(polygon: _Node) -> Iterator[_Node]:
    """Rings of a polygon, the outer one first wherever it stands."""
    for side in ("outerBoundaryIs", "innerBoundaryIs"):
        for child in polygon.children:
            if child.tag == side:
                yield from (ring for ring in child.children if ring.tag == "LinearRing")


def _positions(node: _Node) -> list[Position]:
    """Numbers of a geometry; a blank behind a comma is forgiven, a word is not."""
    positions: list[Position] = []
    for child in node.children:
        if child.tag == "coordinates":
            for item in re.sub(r"\s*,\s*", ",", child.text.strip()).split():
                values = tuple(float(part) for part in item.rstrip(",").split(","))
                if len(values) < 2:
                    raise ValueError(f"not a position: {item[:40]}")
                positions.append(values[:3])
        elif child.tag == "coord":
            positions.append(tuple(float(part) for part in child.text.split()[:3]))
    # Heights on some points only would make one ring of two dimensions.
    size = min((len(position) for position in positions), default=0)
    return [position[:size] for position in positions]


def _attributes(mark: _Node) -> dict[str, Any]:
    """Texts of a placemark by header: its name, its data, and the table programs put into the balloon."""
    values: dict[str, Any] = {}

    def put(header: str, text: str) -> None:
        header = " ".join(header.split())
        if header and values.get(header) is None:
            values[header] = text or None

    for child in mark.children:
        if child.tag == "name":
            put("Name", _plain(child.text))
        elif child.tag == "ExtendedData":
            for header, text in _data(child.children):
                put(header, _plain(text))
    for child in mark.children:
        if child.tag == "description":
            rows, rest = _read_html(child.text)
            for header, text in rows:
                put(header, text)
            put("description", rest)
    return values


def _data(nodes: Iterable[_Node]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if node.tag == "Data":
            text = next((child.text for child in node.children if child.tag == "value"), "")
            yield node.name, text
        elif node.tag == "SchemaData":
            yield from _data(node.children)
        elif node.tag in {"SimpleData", "SimpleArrayData"}:
            yield node.name, node.text


def _plain(text: str) -> str:
    if not _TAGS.search(text) and "&" not in text:
        return text.strip()
    rows, rest = _read_html(text)
    return "；".join([*(f"{header}：{value}" for header, value in rows), *([rest] if rest else [])])


class _Html(HTMLParser):
    """Words of an HTML text, and its table rows of two cells."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.cells: list[list[str]] | None = None
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self.hidden += 1
        elif tag == "tr":
            self._end_row()
            self.cells = []
        elif tag in {"td", "th"} and self.cells is not None:
            self.cells.append([])
        if tag in _BREAKS:
            self.handle_data("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        elif tag in {"tr", "table"}:
            self._end_row()
        if tag in _BREAKS:
            self.handle_data("\n")

    def handle_data(self, data: str) -> None:
        if self.hidden:
            return
        if self.cells:
            self.cells[-1].append(data)
        else:
            self.words.append(data)

    def _end_row(self) -> None:
        cells = [" ".join("".join(cell).split()) for cell in self.cells or []]
        self.cells = None
        if len(cells) == 2 and cells[0]:
            self.rows.append((cells[0].rstrip(":：").strip(), cells[1]))
        else:
            self.words.append(" ".join(cell for cell in cells if cell) + "\n")


def _read_html(text: str) -> tuple[list[tuple[str, str]], str]:
    """Pairs of a table and the rest of the words, on one line each."""
    if not _TAGS.search(text) and "&" not in text:
        return [], text.strip()
    reader = _Html()
    reader.feed(text)
    reader.close()
    reader._end_row()  # a table that was never closed
    lines = [" ".join(line.split()) for line in "".join(reader.words).splitlines()]
    return reader.rows, "；".join(line for line in lines if line)
