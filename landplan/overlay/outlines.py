"""Outlines taken out of well-known binary without making a geometry of each; compiled by numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from landplan.overlay.blocks import find_near
from landplan.overlay.compiled import compile_loop

__all__ = ["copy_wkb", "measure_rings", "scan_wkb"]

_Array = np.ndarray[Any, Any]

_POLYGON, _MULTIPOLYGON = 3, 6


@compile_loop
def _measure_ring(coordinates: _Array, begin: int, end: int, is_shell: bool, box: _Array) -> int:
    if begin == end:
        box[:] = np.nan
        return 1
    x0, y0 = coordinates[begin, 0], coordinates[begin, 1]
    west, south, east, north = x0, y0, x0, y0
    twice, ax, ay = 0.0, 0.0, 0.0
    for i in range(begin + 1, end):
        x, y = coordinates[i, 0], coordinates[i, 1]
        bx, by = x - x0, y - y0
        twice += ax * by - bx * ay
        ax, ay = bx, by
        west, east = min(west, x), max(east, x)
        south, north = min(south, y), max(north, y)
    box[0], box[1], box[2], box[3] = west, south, east, north
    return 1 if (twice > 0) == is_shell else -1


@compile_loop
def measure_rings(coordinates: _Array, rings: _Array, is_shell: _Array) -> tuple[_Array, _Array]:
    """
    Tell with which sign the trapezoids of each ring count, whichever way it was drawn, and its box.

    Parameters
    ----------
    coordinates : array of float64, v x 2
        Vertices, rings closed.
    rings : array of int64, r + 1
        Where each ring begins.
    is_shell : array of bool, r
        True for outer rings, False for holes.

    Returns
    -------
    array of int8, r
        1 where a shell runs anticlockwise or a hole clockwise, else -1.
    array of float64, r x 4
        West, south, east, north.
    """
    signs = np.empty(len(rings) - 1, np.int8)
    boxes = np.empty((len(signs), 4))
    for r in range(len(signs)):
        signs[r] = _measure_ring(coordinates, rings[r], rings[r + 1], is_shell[r], boxes[r])
    return signs, boxes


@compile_loop
def _number(binary: _Array, at: int) -> int:
    number: int = (
        int(binary[at]) | int(binary[at + 1]) << 8 | int(binary[at + 2]) << 16 | int(binary[at + 3]) << 24
    )
    return number


@compile_loop
def _kind(binary: _Array, at: int) -> tuple[int, int]:
    """Type of a geometry and numbers of each of its vertices; 0 where the type is none of ours."""
    number = _number(binary, at + 1)
    flags = number >> 28
    number &= 0xFFFFFFF
    extra = number // 1000
    numbers = 2 + ((flags >> 3) & 1) + ((flags >> 2) & 1)
    if extra:
        numbers = 4 if extra == 3 else 3
    kind = number % 1000
    known = binary[at] == 1 and extra <= 3 and not flags & 2
    return (kind if known and (kind in (_POLYGON, _MULTIPOLYGON)) else 0), numbers


@compile_loop
def scan_wkb(binary: _Array, offsets: _Array) -> tuple[int, int]:
    """
    Count the rings and vertices of polygons in well-known binary.

    Parameters
    ----------
    binary : array of uint8
        Geometries one behind the other.
    offsets : array of int64, n + 1
        Where each begins; none where the next begins at the same place.

    Returns
    -------
    int, int
        Rings and vertices; -1 and the number of the row where one is no polygon or multipolygon, is written with the high
        byte first, or ends too soon.
    """
    rings, vertices = 0, 0
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        if at == end:
            continue
        if at + 9 > end:
            return -1, row
        kind, numbers = _kind(binary, at)
        if kind == 0:
            return -1, row
        at += 5
        parts = 1
        if kind == _MULTIPOLYGON:
            parts = _number(binary, at)
            at += 4
        for _ in range(parts):
            if kind == _MULTIPOLYGON:
                if at + 9 > end or _kind(binary, at)[0] != _POLYGON:
                    return -1, row
                numbers = _kind(binary, at)[1]
                at += 5
            count = _number(binary, at)
            at += 4
            for _ring in range(count):
                if at + 4 > end:
                    return -1, row
                length = _number(binary, at)
                at += 4 + 8 * numbers * length
                if at > end:
                    return -1, row
                rings += 1
                vertices += length
    return rings, vertices


@compile_loop
def copy_wkb(
    binary: _Array, offsets: _Array, row: int, vertex: int, sums: _Array, step: float, west: int, south: int,
    coordinates: _Array, begins: _Array, signs: _Array, boxes: _Array, rows: _Array,
) -> tuple[int, int]:  # fmt: skip
    """
    Copy the outlines of polygons out of well-known binary that ``scan_wkb`` has passed; heights are left behind.

    Parameters
    ----------
    binary, offsets : arrays
        As in ``scan_wkb``.
    row, vertex : int
        Number of the first polygon; where the first vertex goes.
    sums, step, west, south : array, float and ints
        Squares near which outlines are wanted, as ``find_near`` takes them; all are, where there are no squares.
    coordinates : array of float64, v x 2
        Filled with vertices from ``vertex`` on.
    begins, signs, boxes, rows : arrays of r rows
        Filled from 0 on: where each ring begins, its sign, box and polygon.

    Returns
    -------
    int, int
        How many rings and vertices were kept.
    """
    into = coordinates.reshape(-1).view(np.uint8)
    ring, first = 0, vertex
    for k in range(len(offsets) - 1):
        at = offsets[k]
        if at == offsets[k + 1]:
            continue
        kind, numbers = _kind(binary, at)
        at += 5
        parts = 1
        if kind == _MULTIPOLYGON:
            parts = _number(binary, at)
            at += 4
        for _ in range(parts):
            if kind == _MULTIPOLYGON:
                numbers = _kind(binary, at)[1]
                at += 5
            count = _number(binary, at)
            at += 4
            for inner in range(count):
                length = _number(binary, at)
                at += 4
                if numbers == 2:
                    into[16 * vertex : 16 * (vertex + length)] = binary[at : at + 16 * length]
                else:
                    for i in range(length):
                        begin = at + 8 * numbers * i
                        into[16 * (vertex + i) : 16 * (vertex + i + 1)] = binary[begin : begin + 16]
                at += 8 * numbers * length
                signs[ring] = _measure_ring(coordinates, vertex, vertex + length, inner == 0, boxes[ring])
                if sums.size and not find_near(boxes[ring : ring + 1], sums, step, west, south)[0]:
                    continue
                begins[ring] = vertex
                rows[ring] = row + k
                vertex += length
                ring += 1
    return ring, vertex - first
