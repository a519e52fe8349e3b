"""One layer of a drawing as records: closed boundaries with their numbers, in metres, nothing silent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.errors import ShapelyError

from landplan.issues import Issue, codes
from landplan.read.cad.drawing import Content, open_drawing
from landplan.read.cad.faces import close_lines, ring_of_edges
from landplan.read.cad.labels import Naming, name_boundaries
from landplan.read.cad.outline import Outline, outline_of, paths_of_hatch
from landplan.read.curves import CHORD_M
from landplan.read.encoding import Decision
from landplan.read.place import FARTHEST, decide_crs
from landplan.read.records import Records

__all__ = ["list_drawing_layers", "read_drawing"]

_NUMBER, _WORDS = "地块编号", "图上文字"
_UNITS = {
    1: ("in", 0.0254),
    2: ("ft", 0.3048),
    4: ("mm", 0.001),
    5: ("cm", 0.01),
    7: ("km", 1000.0),
    14: ("dm", 0.1),
    21: ("US survey ft", 1200 / 3937),
}
_MM = 4
_SAMPLE = 2000
_SHOWN = 40
_SAME_SHAPE = 0.999
_NEARLY = 0.02  # of its own length: a polyline with so small a gap was meant to be closed


@dataclass
class _Sheet:
    """What one layer holds, in drawing units."""

    rings: list[tuple[Any, Outline]] = field(default_factory=list)
    loose: list[tuple[Any, Outline]] = field(default_factory=list)
    hatches: list[tuple[Any, Any, bool]] = field(default_factory=list)
    broken: list[Any] = field(default_factory=list)


def read_drawing(
    path: Path,
    *,
    layer: str | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    how: str = "option",
    source: str = "",
) -> tuple[str, Records, Decision]:
    """
    Read the closed boundaries of one layer of a DXF.

    Parameters
    ----------
    path : Path
        A local file.
    layer : str, optional
        Needed where several layers hold closed boundaries.
    crs : str, optional
        What the user says of the coordinates; tells metres from millimetres.
    encoding : str, optional
        Overrides ``$DWGCODEPAGE`` and content.
    how : str, default "option"
        Where that encoding was given.
    source : str, default ""
        Name of the file in issues.

    Returns
    -------
    layer : str
        The one that was read.
    records : Records
        Polygons in metres, in the order of the drawing, with the number written in each. Without rows, and
        with an error among the issues, where nothing can be used.
    decision : Decision
        How text was decoded.

    Raises
    ------
    CRSError, UsageError
        If ``crs`` or ``encoding`` is not one.
    """
    content = open_drawing(path, source, encoding=encoding, how=how)
    records = Records({}, [], [], 0, issues=list(content.issues))
    if any(codes()[issue.code].severity == "error" for issue in content.issues):
        return layer or "", records, content.decision
    places = _places(content)
    unit, scale, note = _scale(content.unit, places, crs)
    if note:
        records.issues.append(Issue(note, source=source, value=unit))
    snap = _snap(places, scale)
    chord = CHORD_M / scale
    wanted = [(name, entity) for name, entity in content.drawn if layer is None or name == layer]
    if layer is not None and not wanted:
        names = "、".join(list(dict.fromkeys(name for name, _ in content.drawn))[:_SHOWN])
        records.issues.append(Issue("FILE.NO_LAYER", source=source, value=f"{layer}；{names}"))
        return "", records, content.decision
    if content.skipped:
        value = "、".join(f"{kind} × {count}" for kind, count in content.skipped.most_common(_SHOWN))
        records.issues.append(Issue("GEOM.SKIPPED", source=source, value=value))
    sheets = _sort(wanted, chord, snap)
    try:
        found = {name: _boundaries(sheet, snap) for name, sheet in sheets.items()}
    except (ShapelyError, ValueError) as error:
        # Numbers of a damaged file can be beyond all geometry.
        records.issues.append(Issue("FILE.UNREADABLE", source=source, value=f"{error}"[:160]))
        return layer or "", records, content.decision
    chosen = [name for name, bounds in found.items() if bounds.shapes or bounds.broken]
    if len(chosen) > 1:
        records.issues.append(Issue("FILE.AMBIGUOUS", source=source, value="、".join(chosen[:_SHOWN])))
        return "", records, content.decision
    if not chosen:
        records.issues += _no_boundary(sheets, found, source)
        return layer or "", records, content.decision
    taken = chosen[0]
    records.issues += _said(found[taken], source, taken, scale)
    named = name_boundaries(found[taken].shapes, content.labels)
    _collect(records, found[taken], named, source=source, layer=taken, scale=scale)
    return taken, records, content.decision


def list_drawing_layers(path: Path) -> list[str]:
    """
    Name the layers of a drawing on which lines are drawn.

    Parameters
    ----------
    path : Path
        A local DXF.

    Returns
    -------
    list of str
        In the order of the drawing; empty where it cannot be opened.
    """
    return list(dict.fromkeys(name for name, _ in open_drawing(path, "").drawn))


@dataclass
class _Bounds:
    """Boundaries of one layer in drawing units, and how they came about."""

    shapes: list[Any] = field(default_factory=list)
    curved: list[bool] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    made: int = 0
    doubles: int = 0
    faces: Any = None
    nearly: list[tuple[float, float, float]] = field(default_factory=list)


def _sort(wanted: Iterable[tuple[str, Any]], chord: float, snap: float) -> dict[str, _Sheet]:
    """Entities by layer: rings, loose lines, hatches, and those that cannot be drawn."""
    sheets: dict[str, _Sheet] = {}
    for name, entity in wanted:
        sheet = sheets.setdefault(name, _Sheet())
        try:
            if entity.dxftype() in {"HATCH", "MPOLYGON"}:
                for shape, is_curved in _areas(entity, chord, snap):
                    if not (np.abs(shape.bounds) < FARTHEST).all():
                        raise ValueError(f"{np.abs(shape.bounds).max():g}")
                    sheet.hatches.append((entity, shape, is_curved))
                continue
            drawn = outline_of(entity, chord, snap)
        except Exception as error:
            # One strange entity must not cost the drawing; it is named like any other bad record.
            sheet.broken.append(f"{_handle(entity)} {type(error).__name__}: {error}"[:120])
            continue
        if drawn is None or len(drawn.points) < 2:
            continue
        if not (np.abs(drawn.points) < FARTHEST).all():
            sheet.broken.append(f"{_handle(entity)} {np.abs(drawn.points).max():g}")
        elif drawn.is_closed:
            sheet.rings.append((entity, drawn))
        else:
            sheet.loose.append((entity, drawn))
    return sheets


def _handle(entity: Any) -> str:
    """Kind and handle of an entity: in AutoCAD (handent "1F") finds it."""
    return f"{entity.dxftype()} #{entity.dxf.get('handle', '?') or '?'}"


def _areas(entity: Any, chord: float, snap: float) -> list[tuple[Any, bool]]:
    """Polygons of a hatch: its rings nested by the even-odd rule."""
    rings, is_curved = [], False
    for path in paths_of_hatch(entity, chord, snap):
        is_curved |= any(edge.is_curved for edge in path)
        if len(path) == 1 and path[0].is_closed:
            rings.append(shapely.Polygon(path[0].points))
        elif (ring := ring_of_edges([edge.points for edge in path], snap)) is not None:
            rings.append(ring)
    if not rings:
        return []
    if len(rings) == 1:
        return [(rings[0], is_curved)]
    whole: Any = shapely.Polygon()
    for ring in rings:
        whole = shapely.symmetric_difference(whole, shapely.make_valid(ring))
    return [(part, is_curved) for part in shapely.get_parts(whole) if part.geom_type == "Polygon"]


def _boundaries(sheet: _Sheet, snap: float) -> _Bounds:
    """Closed polylines first, hatches that double none of them, then faces of loose lines."""
    bounds = _Bounds(broken=list(sheet.broken))
    for _, drawn in sheet.rings:
        bounds.shapes.append(shapely.Polygon(drawn.points))
        bounds.curved.append(drawn.is_curved)
        bounds.gaps.append(drawn.gap)
    hatched = _new([shape for _, shape, _ in sheet.hatches], bounds.shapes)
    bounds.doubles += len(sheet.hatches) - len(hatched)
    bounds.shapes += [sheet.hatches[k][1] for k in hatched]
    bounds.curved += [sheet.hatches[k][2] for k in hatched]
    bounds.gaps += [0.0] * len(hatched)
    faces = close_lines([drawn.points for _, drawn in sheet.loose], snap)
    new = [faces.polygons[k] for k in _new(faces.polygons, bounds.shapes)]
    bounds.doubles += len(faces.polygons) - len(new)
    bounds.made, bounds.faces = len(new), faces
    bounds.shapes += new
    bounds.gaps += [0.0] * len(new)
    bends = [drawn for _, drawn in sheet.loose if drawn.is_curved]
    bounds.curved += _touched(new, bends, snap)
    bounds.nearly = _nearly_closed(sheet, faces.polygons, snap)
    return bounds


def _new(shapes: Sequence[Any], known: Sequence[Any]) -> list[int]:
    """Positions of the shapes that are drawn for the first time; a hatch drawn twice counts once too."""
    tree = shapely.STRtree([*known, *shapes])
    fresh: list[int] = []
    for k, shape in enumerate(shapes):
        before = (j for j in tree.query(shape).tolist() if j < len(known) + k)
        if not any(_is_same(shape, tree.geometries[j]) for j in before):
            fresh.append(k)
    return fresh


def _is_same(one: Any, other: Any) -> bool:
    """Whether two areas have one outer boundary; a hatch and the polyline around it are one parcel."""
    a, b = np.array(one.bounds), np.array(other.bounds)
    if not np.allclose(a, b, rtol=0, atol=0.01 * float(max(a[2] - a[0], a[3] - a[1]))):
        return False
    first, second = shapely.Polygon(one.exterior), shapely.Polygon(other.exterior)
    if not (first.is_valid and second.is_valid):
        return bool(first.equals_exact(second, 1e-9))
    common = shapely.intersection(first, second).area
    return bool(common > _SAME_SHAPE * max(first.area, second.area))


def _touched(faces: Sequence[Any], bends: Sequence[Outline], snap: float) -> list[bool]:
    if not faces or not bends:
        return [False] * len(faces)
    tree = shapely.STRtree([shapely.Point(drawn.points[len(drawn.points) // 2]) for drawn in bends])
    edges = [face.boundary for face in faces]
    hit = set(tree.query(np.array(edges, dtype=object), predicate="dwithin", distance=snap)[0].tolist())
    return [k in hit for k in range(len(faces))]


def _nearly_closed(sheet: _Sheet, faces: Sequence[Any], snap: float) -> list[tuple[float, float, float]]:
    """Polylines that miss their beginning by a little and bound nothing: the commonest fault of a drawing."""
    found = []
    edges = shapely.union_all([face.boundary for face in faces]) if faces else None
    for entity, drawn in sheet.loose:
        if entity.dxftype() not in {"LWPOLYLINE", "POLYLINE"} or len(drawn.points) < 4:
            continue
        gap = float(np.hypot(*(drawn.points[0] - drawn.points[-1])))
        line = shapely.LineString(drawn.points)
        is_used = edges is not None and shapely.dwithin(shapely.Point(drawn.points[1]), edges, snap)
        if gap < _NEARLY * line.length and not is_used:
            found.append((gap, float(drawn.points[-1][0]), float(drawn.points[-1][1])))
    return found


def _scale(declared: int, places: Any, crs: str | None) -> tuple[str, float, str]:
    """
    Unit of the drawing in words, metres per unit, and the code of what is to be said of it.

    Most drawings say millimetres because the template did; the numbers decide where they can.
    """
    named, factor = _UNITS.get(declared, ("", 1.0))
    if not len(places):
        return named, factor, "CRS.SCALED" if factor != 1.0 else ""

    def fits(by: float) -> bool:
        x, y = np.median(places, axis=0) * by
        return decide_crs([shapely.box(x - 1, y - 1, x + 1, y + 1)], None, option=crs).crs is not None

    if factor == 1.0:
        # No declaration, and numbers that make sense as millimetres only.
        if not fits(1.0) and fits(_UNITS[_MM][1]):
            return "mm", _UNITS[_MM][1], "CRS.SCALED"
        return named, 1.0, ""
    if fits(1.0) and not fits(factor):
        return named, 1.0, "CRS.UNITS_DECLARED"
    return named, factor, "CRS.SCALED"


def _places(content: Content) -> Any:
    """A place of each of the first entities, in drawing units."""
    places = []
    for _, entity in content.drawn[:_SAMPLE]:
        try:
            drawn = outline_of(entity, 1.0, 0.0)
        except Exception:  # noqa: S112 - named when the layer is read
            continue
        if drawn is not None and len(drawn.points) and (np.abs(drawn.points) < FARTHEST).all():
            places.append(drawn.points.mean(axis=0))
    return np.array(places).reshape(-1, 2)


def _snap(places: Any, scale: float) -> float:
    """Distance under which two ends are one point: a millimetre, less where numbers look like degrees."""
    if not len(places) or (np.abs(places) > 400).any():
        return CHORD_M / scale
    extent = float((places.max(axis=0) - places.min(axis=0)).max())
    return min(CHORD_M / scale, 1e-6 * extent) if extent else CHORD_M / scale


def _no_boundary(sheets: dict[str, _Sheet], found: dict[str, _Bounds], source: str) -> list[Issue]:
    """A drawing without an area: what it has instead, and where a boundary was nearly closed."""
    loose = sum(len(sheet.loose) for sheet in sheets.values())
    issues = [Issue("GEOM.NO_BOUNDARY", source=source, value=f"{loose} lines")]
    for name, bounds in found.items():
        issues += [_open(near, source, name, 1.0) for near in bounds.nearly]
    return issues


def _open(near: tuple[float, float, float], source: str, layer: str, scale: float) -> Issue:
    gap, x, y = near[0] * scale, near[1] * scale, near[2] * scale
    place = f"({x:.3f}, {y:.3f})"
    return Issue("GEOM.OPEN", source=source, layer=layer, cell=place, value=f"{gap:.3f} m {place}")


def _said(bounds: _Bounds, source: str, layer: str, scale: float) -> list[Issue]:
    """What is to be said of a layer as a whole."""
    issues = []
    faces = bounds.faces
    if bounds.made:
        value = f"{bounds.made} polygons, {faces.dangles} dangles, {faces.cuts} cuts"
        value += f", {faces.invalid} invalid rings"
        if faces.gap:
            value += f", ends joined within {faces.gap * scale:.2g} m"
        issues.append(Issue("GEOM.POLYGONISED", source=source, layer=layer, value=value))
    elif faces is not None and (rest := faces.dangles + faces.cuts + faces.invalid):
        issues.append(Issue("GEOM.LOOSE", source=source, layer=layer, value=rest))
    if bounds.doubles:
        issues.append(Issue("GEOM.DRAWN_TWICE", source=source, layer=layer, value=bounds.doubles))
    return issues + [_open(near, source, layer, scale) for near in bounds.nearly]


def _collect(
    records: Records, bounds: _Bounds, names: Sequence[Naming], *, source: str, layer: str, scale: float
) -> None:
    """Lay boundaries and numbers out as records; what could not be drawn is rejected by name."""
    shapes = bounds.shapes
    if scale != 1.0:
        shapes = list(shapely.transform(np.array(shapes, dtype=object), lambda points: points * scale))
    records.rows_in = len(shapes) + len(bounds.broken)
    records.geometries = list(shapes)
    records.rows = list(range(1, len(shapes) + 1))
    records.columns = {_NUMBER: [named.number for named in names]}
    if any(named.others or named.rivals for named in names):
        records.columns[_WORDS] = ["；".join((*named.rivals, *named.others)) or None for named in names]

    def report(code: str, row: int, value: object) -> None:
        records.issues.append(Issue(code, source=source, layer=layer, row=row, value=value))

    for row, named in enumerate(names, 1):
        if bounds.curved[row - 1]:
            report("GEOM.CURVE", row, f"{CHORD_M:g}")
        if bounds.gaps[row - 1]:
            report("GEOM.UNCLOSED", row, f"{bounds.gaps[row - 1] * scale:.3g} m")
        if named.rivals:
            report("ATTR.ID_SEVERAL", row, "、".join(named.rivals))
    for k, reason in enumerate(bounds.broken, len(shapes) + 1):
        report("FILE.BAD_RECORD", k, reason)
