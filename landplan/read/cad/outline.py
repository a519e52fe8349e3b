"""Points of what is drawn: polylines, lines, arcs, circles, ellipses, splines and the edges of hatches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Outline", "bend", "outline_of", "paths_of_hatch"]

Points = NDArray[np.float64]
_MAX_CHORDS = 20_000
_MIN_CHORDS = 8  # of a full circle, however small
_FRAME_POINT = 16  # vertex flag: control point of a fitted curve, not on the line
_TEXT_BOX = 8  # flag of a hatch path cut out around a text
_LINES = frozenset({"LINE", "ARC", "CIRCLE", "ELLIPSE", "SPLINE", "LWPOLYLINE", "POLYLINE"})


@dataclass(frozen=True)
class Outline:
    """
    What one entity draws, in the plane of the drawing.

    Parameters
    ----------
    points : array, n x 2
        In drawing units; a closed one does not repeat its first point.
    is_closed : bool
        Whether it bounds an area.
    is_curved : bool
        Whether arcs were replaced by chords.
    gap : float
        Distance between the ends that was closed; 0 where they agree.
    """

    points: Points
    is_closed: bool
    is_curved: bool
    gap: float = 0.0


def outline_of(entity: Any, chord: float, snap: float) -> Outline | None:
    """
    Draw an entity as a chain of points.

    Parameters
    ----------
    entity : ezdxf entity
        Any.
    chord : float
        Greatest distance between an arc and its chords, drawing units.
    snap : float
        Ends nearer than this to each other are one point, drawing units.

    Returns
    -------
    Outline or None
        None for what is not a line (texts, meshes, hatches).
    """
    kind = entity.dxftype()
    if kind not in _LINES:
        return None
    points, is_closed, is_curved = _DRAWN[kind](entity, chord)
    return _closed(points, is_closed, is_curved, snap)


def paths_of_hatch(entity: Any, chord: float, snap: float) -> list[list[Outline]]:
    """
    Draw the boundary paths of a hatch.

    Parameters
    ----------
    entity : ezdxf entity
        HATCH or MPOLYGON.
    chord, snap : float
        As for :func:`outline_of`.

    Returns
    -------
    list of list of Outline
        One list per path: one closed outline, or the edges it is to be closed from. Boxes that were cut out
        around texts are left out.
    """
    place = _placer(entity)
    paths = []
    for path in entity.paths:
        if path.path_type_flags & _TEXT_BOX:
            continue
        if hasattr(path, "vertices"):
            points, is_curved = _bulged([tuple(v) for v in path.vertices], True, chord)
            paths.append([_closed(place(points), True, is_curved, snap)])
            continue
        edges = []
        for edge in path.edges:
            points, is_curved = _edge(edge, chord)
            edges.append(Outline(place(points), False, is_curved))
        if len(edges) == 1:
            edges = [_closed(edges[0].points, False, edges[0].is_curved, snap)]
        paths.append(edges)
    return paths


def bend(start: tuple[float, float], end: tuple[float, float], bulge: float, chord: float) -> Points:
    """
    Give the points of an arc after its start, its end included.

    Parameters
    ----------
    start, end : tuple of float
        Where it begins and ends.
    bulge : float
        Tangent of a quarter of its angle; positive to the left.
    chord : float
        Greatest distance between arc and chords.

    Returns
    -------
    array, n x 2
        The same points, in reverse, where the arc is drawn from its other end: two parcels that share an arc
        share its vertices.

    Examples
    --------
    >>> half = bend((0.0, 0.0), (2.0, 0.0), 1.0, 0.5)
    >>> half[len(half) // 2 - 1].round(6).tolist()
    [1.0, -1.0]
    """
    if end < start:
        # Always computed from the same end, so that neighbours agree to the last bit.
        return np.vstack([bend(end, start, -bulge, chord)[:-1][::-1], [end]])
    width = math.dist(start, end)
    if not bulge or not width or not math.isfinite(bulge):
        return np.array([end])
    angle = 4 * math.atan(bulge)
    radius = width * (1 + bulge * bulge) / (4 * abs(bulge))
    # The centre lies on the perpendicular of the chord, to the left for small positive bulges.
    off = width * (1 - bulge * bulge) / (4 * bulge)
    ux, uy = (end[0] - start[0]) / width, (end[1] - start[1]) / width
    cx, cy = (start[0] + end[0]) / 2 - uy * off, (start[1] + end[1]) / 2 + ux * off
    first = math.atan2(start[1] - cy, start[0] - cx)
    angles = first + angle * np.arange(1, (count := _chords(radius, angle, chord)) + 1) / count
    points = np.column_stack([cx + radius * np.cos(angles), cy + radius * np.sin(angles)])
    points[-1] = end
    return points


def _chords(radius: float, angle: float, chord: float) -> int:
    least = math.ceil(abs(angle) / (2 * math.pi) * _MIN_CHORDS)
    if not math.isfinite(radius) or radius <= chord:
        return max(least, 2)
    # The height of a segment of angle t over its chord is r (1 - cos(t / 2)).
    step = 2 * math.acos(1 - chord / radius)
    # An even number keeps the middle of the arc, where a surveyor measured it.
    count = 2 * math.ceil(abs(angle) / step / 2) if step else _MAX_CHORDS
    return min(max(count, least, 2), _MAX_CHORDS)


def _closed(points: Points, is_closed: bool, is_curved: bool, snap: float) -> Outline:
    """Decide whether a chain is closed: by its flag, or because it comes back to where it began."""
    gap = float(math.dist(points[0], points[-1])) if len(points) else 0.0
    returns = len(points) > 3 and gap <= snap
    if returns:
        points = points[:-1]
    is_ring = (is_closed or returns) and len(points) > 2
    return Outline(points, is_ring, is_curved, gap if is_ring and not is_closed else 0.0)


def _placer(entity: Any) -> Callable[[Points], Points]:
    """From the plane of an entity to that of the drawing: seen from below, east and west change places."""
    ocs = entity.ocs()
    if not ocs.transform:
        return lambda points: points
    return lambda points: np.array([ocs.to_wcs((x, y, 0.0)).vec2 for x, y in points]).reshape(-1, 2)


def _flat(vectors: Iterable[Any]) -> Points:
    return np.array([(v[0], v[1]) for v in vectors], dtype=float).reshape(-1, 2)


def _line(entity: Any, _: float) -> tuple[Points, bool, bool]:
    return _flat([entity.dxf.start, entity.dxf.end]), False, False


def _circular(centre: Any, radius: float, first: float, last: float, chord: float) -> Points:
    """Points from one angle counterclockwise to another, in radians."""
    turn = (last - first) % (2 * math.pi) or 2 * math.pi
    angles = first + turn * np.arange((count := _chords(radius, turn, chord)) + 1) / count
    return np.column_stack([centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles)])


def _arc(entity: Any, chord: float) -> tuple[Points, bool, bool]:
    first, last = math.radians(entity.dxf.start_angle), math.radians(entity.dxf.end_angle)
    points = _circular(entity.dxf.center, abs(entity.dxf.radius), first, last, chord)
    return _placer(entity)(points), False, True


def _circle(entity: Any, chord: float) -> tuple[Points, bool, bool]:
    points = _circular(entity.dxf.center, abs(entity.dxf.radius), 0.0, 2 * math.pi, chord)
    return _placer(entity)(points[:-1]), True, True


def _fitted(entity: Any, chord: float) -> tuple[Points, bool, bool]:
    return _sampled(entity.construction_tool(), chord), bool(getattr(entity, "closed", False)), True


def _sampled(curve: Any, chord: float) -> Points:
    """
    Points of an ellipse or a spline, twice as many until they are near enough.

    Counted, unlike the flattening of ezdxf: the numbers of a damaged spline would keep that busy for days.
    """
    if hasattr(curve, "vertices"):
        turn = (curve.end_param - curve.start_param) % (2 * math.pi) or 2 * math.pi
        first, last, place = curve.start_param, curve.start_param + turn, curve.vertices
    else:
        first, last, place = 0.0, float(curve.max_t), curve.points
    count = 2 * _MIN_CHORDS
    while True:
        points = _flat(place(np.linspace(first, last, count + 1).tolist()))
        if count > _MAX_CHORDS // 2:
            return points
        # A half of the chords goes over every second point: the points left out show how far they are off.
        off = float(np.hypot(*(points[1::2] - (points[:-1:2] + points[2::2]) / 2).T).max())
        if not off > chord:
            return points
        count *= 2


def _lwpolyline(entity: Any, chord: float) -> tuple[Points, bool, bool]:
    is_closed = bool(entity.closed)
    points, is_curved = _bulged(entity.get_points("xyb"), is_closed, chord)
    return _placer(entity)(points), is_closed, is_curved


def _polyline(entity: Any, chord: float) -> tuple[Points, bool, bool]:
    if not (entity.is_2d_polyline or entity.is_3d_polyline):
        return np.empty((0, 2)), False, False
    drawn = [v for v in entity.vertices if not v.dxf.flags & _FRAME_POINT]
    is_closed = bool(entity.is_closed)
    if entity.is_3d_polyline:
        return _flat(v.dxf.location for v in drawn), is_closed, False
    corners = [(v.dxf.location[0], v.dxf.location[1], v.dxf.get("bulge", 0.0)) for v in drawn]
    points, is_curved = _bulged(corners, is_closed, chord)
    return _placer(entity)(points), is_closed, is_curved


_DRAWN: dict[str, Callable[[Any, float], tuple[Points, bool, bool]]] = {
    "LINE": _line,
    "ARC": _arc,
    "CIRCLE": _circle,
    "ELLIPSE": _fitted,
    "SPLINE": _fitted,
    "LWPOLYLINE": _lwpolyline,
    "POLYLINE": _polyline,
}


def _bulged(corners: Sequence[tuple[float, ...]], is_closed: bool, chord: float) -> tuple[Points, bool]:
    """Points of a polyline whose corners carry bulges, and whether any segment is an arc."""
    if not corners:
        return np.empty((0, 2)), False
    flat = np.array([corner[:2] for corner in corners], dtype=float)
    bulges = [float(corner[2]) if len(corner) > 2 else 0.0 for corner in corners]
    if not is_closed:
        bulges[-1] = 0.0
    if not any(bulges):
        return flat, False
    parts: list[Points] = [flat[:1]]
    for k, bulge in enumerate(bulges):
        if k + 1 < len(flat) or is_closed:
            a, b = flat[k], flat[(k + 1) % len(flat)]
            parts.append(bend((a[0], a[1]), (b[0], b[1]), bulge, chord))
    points = np.vstack(parts)
    return (points[:-1] if is_closed else points), True


def _edge(edge: Any, chord: float) -> tuple[Points, bool]:
    """Points of one edge of a hatch path; its direction does not matter, edges are joined by their ends."""
    if hasattr(edge, "start") and hasattr(edge, "end"):
        return _flat([edge.start, edge.end]), False
    if hasattr(edge, "radius"):
        first, last = math.radians(edge.start_angle), math.radians(edge.end_angle)
        return _circular(edge.center, abs(edge.radius), first, last, chord), True
    return _sampled(edge.construction_tool(), chord), True
