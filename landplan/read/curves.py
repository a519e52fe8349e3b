"""Arcs drawn as chords: WKB with curves to WKB without, each chord within a stated distance of its arc."""

from __future__ import annotations

import math
import struct

__all__ = ["CHORD_M", "has_curves", "linearise"]

CHORD_M = 0.001
"""Greatest distance in metres between an arc and the chord that stands for it: the last digit of a survey."""

_STRING, _COMPOUND, _POLYGON, _CURVES, _SURFACES = 8, 9, 10, 11, 12
_NONLINEAR = frozenset({_STRING, _COMPOUND, _POLYGON, _CURVES, _SURFACES})
# Which flat type each curved one becomes: line string, polygon and the collections of both.
_FLAT = {_STRING: 2, _COMPOUND: 2, _POLYGON: 3, _CURVES: 5, _SURFACES: 6}
_MAX_CHORDS = 20_000
_Point = tuple[float, ...]


def has_curves(blob: bytes | None) -> bool:
    """
    Tell whether WKB begins with a type that may hold arcs.

    Parameters
    ----------
    blob : bytes or None
        ISO WKB.

    Returns
    -------
    bool
        False for None and for what is no WKB.

    Examples
    --------
    >>> has_curves(bytes([1, 10, 0, 0, 0]) + bytes(4)), has_curves(bytes([1, 3, 0, 0, 0]) + bytes(4))
    (True, False)
    """
    if not blob or len(blob) < 9 or blob[0] > 1:
        return False
    # Nearly every blob there is: points to collections, little-endian, without heights.
    if blob[0] == 1 and blob[1] < _STRING and not blob[2]:
        return False
    return _kind(blob[0], blob, 1) % 1000 in _NONLINEAR


def linearise(blob: bytes, chord: float = CHORD_M) -> bytes:
    """
    Replace the arcs of a WKB geometry by chords.

    Parameters
    ----------
    blob : bytes
        ISO WKB; heights and measures are left out.
    chord : float, default CHORD_M
        Greatest distance between arc and chord, in the unit of the coordinates.

    Returns
    -------
    bytes
        WKB of lines and polygons; vertices of the arcs are kept as they are.

    Raises
    ------
    ValueError
        If it is cut, or holds something else than arcs and lines.

    References
    ----------
    ISO/IEC 13249-3 (SQL/MM Spatial), clause on well-known binary: types 8 to 12.

    Examples
    --------
    A half circle over a diameter of 2 has one vertex at its top:

    >>> arc = struct.pack("<BII6d", 1, 8, 3, -1, 0, 0, 1, 1, 0)
    >>> points = struct.unpack_from("<BII", linearise(arc))[2]
    >>> points > 30
    True
    """
    try:
        flat, _ = _convert(blob, 0, 0, chord)
    except struct.error as error:
        raise ValueError("WKB is cut") from error
    return flat


def _kind(order: int, blob: bytes, at: int) -> int:
    return int(struct.unpack_from("<I" if order else ">I", blob, at)[0])


def _convert(blob: bytes, at: int, depth: int, chord: float) -> tuple[bytes, int]:
    """Flat WKB of the geometry that begins at a byte, and the byte behind it."""
    if depth > 8:
        raise ValueError("nested too deeply")
    order = blob[at] if at < len(blob) else 2
    if order > 1:
        raise ValueError("not WKB")
    mark = "<" if order else ">"
    kind = _kind(order, blob, at + 1)
    base, size = kind % 1000, 2 + (kind // 1000 in (1, 3)) + (kind // 1000 in (2, 3))
    if base in (2, _STRING, _COMPOUND):
        points, at = _line(blob, at, depth, chord)
        return struct.pack("<BII", 1, 2, len(points)) + _pack(points), at
    (count,) = struct.unpack_from(mark + "I", blob, at + 5)
    at += 9
    if base == 3:
        rings = []
        for _ in range(count):
            points, at = _points(blob, at, mark, size)
            rings.append(struct.pack("<I", len(points)) + _pack(points))
        return struct.pack("<BII", 1, 3, len(rings)) + b"".join(rings), at
    if base == _POLYGON:
        rings = []
        for _ in range(count):
            points, at = _line(blob, at, depth + 1, chord)
            rings.append(struct.pack("<I", len(points)) + _pack(points))
        return struct.pack("<BII", 1, 3, len(rings)) + b"".join(rings), at
    if base in (5, 6, 7, _CURVES, _SURFACES):
        parts = []
        for _ in range(count):
            part, at = _convert(blob, at, depth + 1, chord)
            parts.append(part)
        return struct.pack("<BII", 1, _FLAT.get(base, base), len(parts)) + b"".join(parts), at
    raise ValueError(f"WKB type {kind}")


def _line(blob: bytes, at: int, depth: int, chord: float) -> tuple[list[_Point], int]:
    """Points of a line, an arc string or a compound of both, arcs replaced; and the byte behind it."""
    order = blob[at] if at < len(blob) else 2
    if order > 1 or depth > 8:
        raise ValueError("not WKB")
    mark = "<" if order else ">"
    kind = _kind(order, blob, at + 1)
    base, size = kind % 1000, 2 + (kind // 1000 in (1, 3)) + (kind // 1000 in (2, 3))
    if base == _COMPOUND:
        (count,) = struct.unpack_from(mark + "I", blob, at + 5)
        at += 9
        joined: list[_Point] = []
        for _ in range(count):
            part, at = _line(blob, at, depth + 1, chord)
            joined += part[1:] if joined and part and joined[-1] == part[0] else part
        return joined, at
    if base not in (2, _STRING):
        raise ValueError(f"WKB type {kind} in a ring")
    points, at = _points(blob, at + 5, mark, size)
    if base == 2 or len(points) < 3:
        return points, at
    bent = [points[0]]
    for k in range(0, len(points) - 2, 2):
        bent += _arc(points[k], points[k + 1], points[k + 2], chord)
    return bent, at


def _points(blob: bytes, at: int, mark: str, size: int) -> tuple[list[_Point], int]:
    (count,) = struct.unpack_from(mark + "I", blob, at)
    at += 4
    if at + count * size * 8 > len(blob):
        raise ValueError("WKB is cut")
    values = struct.unpack_from(f"{mark}{count * size}d", blob, at)
    return [values[k : k + 2] for k in range(0, count * size, size)], at + count * size * 8


def _pack(points: list[_Point]) -> bytes:
    return struct.pack(f"<{2 * len(points)}d", *(value for point in points for value in point))


def _arc(start: _Point, middle: _Point, end: _Point, chord: float) -> list[_Point]:
    """Points after the start of the arc through three points; the middle and the end stay as they are."""
    (ax, ay), (bx, by) = (middle[0] - start[0], middle[1] - start[1]), (end[0] - start[0], end[1] - start[1])
    cross = 2 * (ax * by - ay * bx)
    if start == end:
        # Three points of which the ends agree are a full circle over the diameter to the middle.
        centre, turn = ((start[0] + middle[0]) / 2, (start[1] + middle[1]) / 2), 2 * math.pi
        radius = math.hypot(ax, ay) / 2
        halves = [(start, middle, math.pi), (middle, end, math.pi)]
    else:
        if not math.isfinite(cross) or abs(cross) <= 1e-12 * (ax * ax + ay * ay + bx * bx + by * by):
            return [middle, end]
        a2, b2 = ax * ax + ay * ay, bx * bx + by * by
        ux, uy = (by * a2 - ay * b2) / cross, (ax * b2 - bx * a2) / cross
        centre, radius = (start[0] + ux, start[1] + uy), math.hypot(ux, uy)
        angles = [math.atan2(p[1] - centre[1], p[0] - centre[0]) for p in (start, middle, end)]
        sign = 1.0 if cross > 0 else -1.0
        first = (sign * (angles[1] - angles[0])) % (2 * math.pi) * sign
        second = (sign * (angles[2] - angles[1])) % (2 * math.pi) * sign
        turn = abs(first) + abs(second)
        halves = [(start, middle, first), (middle, end, second)]
    if not (math.isfinite(radius) and radius > chord) or not math.isfinite(turn):
        return [middle, end]
    # The height of a segment of angle t over its chord is r (1 - cos(t / 2)).
    step = 2 * math.acos(max(-1.0, 1 - chord / radius))
    bent: list[_Point] = []
    for begin, stop, angle in halves:
        count = min(max(1, math.ceil(abs(angle) / step)), _MAX_CHORDS)
        origin = math.atan2(begin[1] - centre[1], begin[0] - centre[0])
        for k in range(1, count):
            at = origin + angle * k / count
            bent.append((centre[0] + radius * math.cos(at), centre[1] + radius * math.sin(at)))
        bent.append(stop)
    return bent
