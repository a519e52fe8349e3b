"""Points to rings, rings to polygons: where a ring ends, and whether a ring is a hole or a part."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot
from typing import Any

import numpy as np
import shapely

from landplan.read.points.grammar import Plot, Point

__all__ = ["Fault", "Ring", "build_polygon", "moved_east", "split_rings"]

_NEAR_M = 0.05  # published samples miss their first point by 4 cm
_THIN_M = 1e-4  # a tenth of a millimetre: below the digits of any survey
_NOISE_M = 0.01  # mean width of an overlap that is noise of drawing, as in landplan.repair
_MOST_PAIRS = 200_000


@dataclass(frozen=True)
class Fault:
    """What is wrong with a ring: code, line, point and value of the issue to be made of it."""

    code: str
    line: int
    cell: str = ""
    value: str = ""


@dataclass
class Ring:
    """The points of one ring, without the closing one; ``is_closed`` where the file repeats the first."""

    number: str
    points: list[Point] = field(default_factory=list)
    is_closed: bool = False


def split_rings(plot: Plot) -> tuple[list[Ring], list[Fault]]:
    """
    Cut the points of a plot into rings.

    Parameters
    ----------
    plot : Plot
        With at least one point.

    Returns
    -------
    rings : list of Ring
        In the order of the file. A ring ends where its first point comes back, where the number of the ring
        changes, or where the names of the points begin again.
    faults : list of Fault
        Rings left open, and closing points of another name or place.
    """
    rings: list[Ring] = []
    faults: list[Fault] = []
    ring = Ring("")
    names: set[str] = set()
    points = plot.points
    for k, point in enumerate(points):
        is_last = k + 1 == len(points) or points[k + 1].ring != point.ring
        first = ring.points[0] if ring.points else None
        is_long = len(ring.points) >= 3
        if first is None and rings and rings[-1].is_closed and is_last:
            last = rings[-1].points[0]
            if (point.ring, point.x, point.y) == (last.ring, last.x, last.y):
                continue  # closed twice
        if first is not None and is_long and (point.x, point.y) == (first.x, first.y):
            if point.ring == ring.number or is_last:
                if point.name != first.name:
                    faults.append(
                        Fault("TXT.CLOSING_NAME", point.line, point.name, f"{first.name} → {point.name}")
                    )
                ring.is_closed = True
                rings.append(ring)
                ring = Ring("")
                continue
        elif first is not None and is_long and point.ring == ring.number and point.name == first.name:
            is_numbered = len(names) == len(ring.points)
            if is_numbered and is_last:
                gap = hypot(point.x - first.x, point.y - first.y)
                code = "GEOM.UNCLOSED" if gap <= _NEAR_M else "TXT.CLOSING"
                faults.append(Fault(code, point.line, point.name, f"{point.name}，{gap:.3f} m"))
                ring.is_closed = True
                rings.append(ring)
                ring = Ring("")
                continue
            if is_numbered:
                rings.append(ring)
                ring = Ring("")
        if ring.points and point.ring != ring.number:
            rings.append(ring)
            ring = Ring("")
        if not ring.points:
            ring, names = Ring(point.ring), set()
        ring.points.append(point)
        names.add(point.name)
    if ring.points:
        rings.append(ring)
    faults += [
        Fault("GEOM.UNCLOSED", plot.line, r.points[-1].name, f"圈 {r.number}")
        for r in rings
        if not r.is_closed and plot.graphic == "面" and len(r.points) >= 3
    ]
    return rings, faults


def build_polygon(rings: list[Ring], coordinates: list[Any]) -> tuple[Any, list[Fault]]:
    """
    Make one polygon of the rings of a plot; the format has no mark for holes, so containment tells them.

    Parameters
    ----------
    rings : list of Ring
        For the words of faults.
    coordinates : list of arrays, one per ring
        (easting, northing) of its points.

    Returns
    -------
    geometry : Polygon, MultiPolygon or None
        None where a ring has no area or rings cross; an invalid single ring is handed on as it is.
    faults : list of Fault
        Why.

    References
    ----------
    The even-odd nesting of rings: a ring inside an odd number of others is a hole of the innermost.
    """
    faults = []
    for ring, points in zip(rings, coordinates, strict=True):
        line, last = ring.points[0].line, ring.points[-1].name
        if len({tuple(p) for p in points.tolist()}) < 3:
            faults.append(Fault("TXT.FEW_POINTS", line, last, f"圈 {ring.number}：{len(points)}"))
            continue
        hull = shapely.convex_hull(shapely.multipoints(points))
        length = float(shapely.length(hull))
        if hull.geom_type != "Polygon" or 2 * float(shapely.area(hull)) < _THIN_M * length:
            faults.append(Fault("TXT.DEGENERATE", line, last, f"圈 {ring.number}"))
    if faults:
        return None, faults
    shells = np.array([shapely.polygons(points) for points in coordinates], dtype=object)
    if len(rings) == 1:
        return shells[0], []
    inside, crossing = _containment(shells)
    if crossing is not None:
        a, b = (rings[k] for k in crossing)
        value = f"圈 {a.number}（第 {a.points[0].line} 行）、圈 {b.number}（第 {b.points[0].line} 行）"
        return None, [Fault("TXT.RINGS", b.points[0].line, b.points[0].name, value)]
    depth = [len(outer) for outer in inside]
    holes: dict[int, list[Any]] = {k: [] for k, d in enumerate(depth) if d % 2 == 0}
    for k, d in enumerate(depth):
        if d % 2:
            parents = [outer for outer in inside[k] if depth[outer] == d - 1]
            if len(parents) != 1:
                other = rings[min(inside[k])]
                return None, [
                    Fault(
                        "TXT.RINGS", rings[k].points[0].line, "", f"圈 {other.number}、圈 {rings[k].number}"
                    )
                ]
            holes[parents[0]].append(coordinates[k])
    parts = [shapely.Polygon(coordinates[k], found) for k, found in holes.items()]
    return (parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)), []


def moved_east(geometry: Any, metres: float) -> Any:
    """
    Add a zone prefix to the eastings of a geometry, or take it away.

    Parameters
    ----------
    geometry : shapely geometry
        In a plane.
    metres : float
        The zone times a million; negative to take it away.

    Returns
    -------
    shapely geometry
        The same shape further east.
    """
    return shapely.transform(geometry, lambda points: points + np.array([metres, 0.0]))


def _containment(shells: Any) -> tuple[list[set[int]], tuple[int, int] | None]:
    """For each ring those around it; or two rings that are neither apart nor one inside the other."""
    inside: list[set[int]] = [set() for _ in shells]
    sound = shapely.is_valid(shells)
    # Only for the test: what is wrong with a ring is told by the steps that know how.
    tested = np.where(sound, shells, shapely.make_valid(shells)) if not sound.all() else shells
    left, right = shapely.STRtree(tested).query(tested)
    pairs = np.column_stack([left, right])[left < right]
    if len(pairs) > _MOST_PAIRS:
        return inside, (int(pairs[0, 0]), int(pairs[0, 1]))
    for a, b in pairs.tolist():
        try:
            relation = _relation(tested[a], tested[b])
        except shapely.errors.GEOSException:
            relation = "cross"
        if relation == "cross":
            return inside, (a, b)
        if relation == "around":
            inside[b].add(a)
        elif relation == "within":
            inside[a].add(b)
    return inside, None


def _relation(a: Any, b: Any) -> str:
    around, within = bool(shapely.covers(a, b)), bool(shapely.covers(b, a))
    if around and within:
        return "cross"
    if around or within:
        return "around" if around else "within"
    if not shapely.intersects(a, b) or shapely.touches(a, b):
        return "apart"
    if _is_noise(shapely.intersection(a, b)):
        return "apart"
    if _is_noise(shapely.difference(b, a)):
        return "around"
    return "within" if _is_noise(shapely.difference(a, b)) else "cross"


def _is_noise(geometry: Any) -> bool:
    length = float(shapely.length(geometry))
    return length == 0 or 2 * float(shapely.area(geometry)) < _NOISE_M * length
