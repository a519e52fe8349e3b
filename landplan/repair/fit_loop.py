"""
The borders of neighbours compared edge by edge; compiled by numba.

The same as ``fit.look_at_pairs``, which is the one to read: a million parcels have a hundred million pairs of edges.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

from landplan.cores import count_threads
from landplan.repair import fit
from landplan.repair.fit import OPEN_RAD, Edges

__all__ = ["find_pairs", "find_slots", "look_at_pairs"]

_Array = np.ndarray[Any, Any]
_compiled = njit(cache=True, nogil=True)
_SOME = 50_000
_MOST_CELLS, _MOST_TRIES = 16, 200  # by polygon, from which on a tree finds pairs faster than a grid


@_compiled
def _cell(x, low, cell, count):  # type: ignore[no-untyped-def]
    return min(max(int((x - low) / cell), 0), count - 1)


@_compiled
def _enter(boxes, distance, grid, across, down, places, order):  # type: ignore[no-untyped-def]
    """Count the boxes of each cell, and where there is room for them, write them down."""
    west, south, cell = grid
    for k in range(len(boxes)):
        if not boxes[k, 0] <= boxes[k, 2]:
            continue
        first, last = (
            _cell(boxes[k, 0] - distance, west, cell, across),
            _cell(boxes[k, 2] + distance, west, cell, across),
        )
        low, high = (
            _cell(boxes[k, 1] - distance, south, cell, down),
            _cell(boxes[k, 3] + distance, south, cell, down),
        )
        for column in range(first, last + 1):
            for row in range(low, high + 1):
                at = column * down + row
                if len(order):
                    order[places[at]] = k
                places[at] += 1


@_compiled
def _pair(boxes, distance, grid, across, down, ends, order, begin, stop, pairs):  # type: ignore[no-untyped-def]
    """Write down the pairs of some cells, as far as there is room, and tell how many there are."""
    west, south, cell = grid
    found = 0
    for at in range(begin, stop):
        first = ends[at - 1] if at else 0
        for a in range(first, ends[at]):
            i = order[a]
            low_x, low_y = boxes[i, 0] - distance, boxes[i, 1] - distance
            high_x, high_y = boxes[i, 2] + distance, boxes[i, 3] + distance
            for b in range(a + 1, ends[at]):
                j = order[b]
                if boxes[j, 0] > high_x or boxes[j, 2] < low_x or boxes[j, 1] > high_y or boxes[j, 3] < low_y:
                    continue
                # Two that share some cells are a pair in the first of them alone.
                column = _cell(max(low_x, boxes[j, 0] - distance), west, cell, across)
                if column * down + _cell(max(low_y, boxes[j, 1] - distance), south, cell, down) != at:
                    continue
                if found < len(pairs):
                    pairs[found, 0], pairs[found, 1] = i, j
                found += 1
    return found


@_compiled
def _to_edge(px: float, py: float, ax: float, ay: float, bx: float, by: float) -> float:
    dx, dy = bx - ax, by - ay
    along = ((px - ax) * dx + (py - ay) * dy) / max(dx * dx + dy * dy, 1e-300)
    along = min(max(along, 0.0), 1.0)
    return float(np.hypot(px - ax - along * dx, py - ay - along * dy))


@_compiled
def _side(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> float:
    return (bx - ax) * (py - ay) - (by - ay) * (px - ax)


@_compiled
def _is_near(ax, ay, bx, by, cx, cy, dx, dy, distance):  # type: ignore[no-untyped-def]
    one = _side(ax, ay, bx, by, cx, cy) * _side(ax, ay, bx, by, dx, dy)
    other = _side(cx, cy, dx, dy, ax, ay) * _side(cx, cy, dx, dy, bx, by)
    if one <= 0 and other <= 0:
        return True
    nearest = min(_to_edge(ax, ay, cx, cy, dx, dy), _to_edge(bx, by, cx, cy, dx, dy))
    nearest = min(nearest, _to_edge(cx, cy, ax, ay, bx, by))
    return min(nearest, _to_edge(dx, dy, ax, ay, bx, by)) <= distance


@_compiled
def _is_open(points, before, e, f, open_rad):  # type: ignore[no-untyped-def]
    x, y, turn = points[e, 0], points[e, 1], 2 * np.pi
    out_e = np.arctan2(points[e + 1, 1] - y, points[e + 1, 0] - x)
    out_f = np.arctan2(points[f + 1, 1] - y, points[f + 1, 0] - x)
    back_e = np.arctan2(points[before[e], 1] - y, points[before[e], 0] - x)
    back_f = np.arctan2(points[before[f], 1] - y, points[before[f], 0] - x)
    first, second = (out_f - back_e) % turn, (out_e - back_f) % turn
    land = (back_e - out_e) % turn + (back_f - out_f) % turn
    if abs(land + first + second - turn) >= 1e-6:
        return False
    return (first == 0 or first > open_rad) and (second == 0 or second > open_rad)


@_compiled
def _gather(points, is_edge, begin, stop, west, south, east, north, kept):  # type: ignore[no-untyped-def]
    count = 0
    for e in range(begin, stop):
        if not is_edge[e]:
            continue
        low_x, high_x = min(points[e, 0], points[e + 1, 0]), max(points[e, 0], points[e + 1, 0])
        low_y, high_y = min(points[e, 1], points[e + 1, 1]), max(points[e, 1], points[e + 1, 1])
        if low_x <= east and high_x >= west and low_y <= north and high_y >= south:
            kept[count] = e
            count += 1
    return count


@_compiled
def _look(points, is_edge, before, first, boxes, pairs, distance, open_rad, again, longest):  # type: ignore[no-untyped-def]
    answer = np.zeros(len(pairs), dtype=np.int8)
    ones, others = np.empty(longest, dtype=np.int64), np.empty(longest, dtype=np.int64)
    one_settled, other_settled = np.empty(longest, dtype=np.bool_), np.empty(longest, dtype=np.bool_)
    for k in range(len(pairs)):
        p, q = pairs[k, 0], pairs[k, 1]
        west, south = max(boxes[p, 0], boxes[q, 0]) - distance, max(boxes[p, 1], boxes[q, 1]) - distance
        east, north = min(boxes[p, 2], boxes[q, 2]) + distance, min(boxes[p, 3], boxes[q, 3]) + distance
        m = _gather(points, is_edge, first[p], first[p + 1], west, south, east, north, ones)
        if m == 0:
            continue
        n = _gather(points, is_edge, first[q], first[q + 1], west, south, east, north, others)
        one_settled[:m] = False
        other_settled[:n] = False
        for i in range(m):
            e = ones[i]
            for j in range(n):
                f = others[j]
                starts_alike = points[e, 0] == points[f, 0] and points[e, 1] == points[f, 1]
                forth = points[e, 0] == points[f + 1, 0] and points[e, 1] == points[f + 1, 1]
                back = points[e + 1, 0] == points[f, 0] and points[e + 1, 1] == points[f, 1]
                if forth and back:
                    one_settled[i] = other_settled[j] = True
                    again[1, f] = True
                if starts_alike:
                    again[0, f] = True
                    if not _is_open(points, before, e, f, open_rad):
                        answer[k] = 2
                ends_alike = points[e + 1, 0] == points[f + 1, 0] and points[e + 1, 1] == points[f + 1, 1]
                if answer[k] == 0 and (starts_alike or forth or back or ends_alike):
                    answer[k] = 1
        if answer[k] == 2:
            continue
        for i in range(m):
            if one_settled[i]:
                continue
            e = ones[i]
            low_x, high_x = (
                min(points[e, 0], points[e + 1, 0]) - distance,
                max(points[e, 0], points[e + 1, 0]) + distance,
            )
            low_y, high_y = (
                min(points[e, 1], points[e + 1, 1]) - distance,
                max(points[e, 1], points[e + 1, 1]) + distance,
            )
            for j in range(n):
                f = others[j]
                if (
                    other_settled[j]
                    or max(points[f, 0], points[f + 1, 0]) < low_x
                    or min(points[f, 0], points[f + 1, 0]) > high_x
                ):
                    continue
                if (
                    max(points[f, 1], points[f + 1, 1]) < low_y
                    or min(points[f, 1], points[f + 1, 1]) > high_y
                ):
                    continue
                ax, ay, bx, by = points[e, 0], points[e, 1], points[e + 1, 0], points[e + 1, 1]
                cx, cy, dx, dy = points[f, 0], points[f, 1], points[f + 1, 0], points[f + 1, 1]
                if (ax == cx and ay == cy) or (ax == dx and ay == dy):
                    continue
                if (bx == cx and by == cy) or (bx == dx and by == dy):
                    continue
                if _is_near(ax, ay, bx, by, cx, cy, dx, dy, distance):
                    answer[k] = 2
                    break
            if answer[k] == 2:
                break
    return answer


@_compiled
def _slots(points, is_edge, before, first, polygons, distance, open_rad):  # type: ignore[no-untyped-def]
    found = np.zeros(len(polygons), dtype=np.bool_)
    for k in range(len(polygons)):
        begin, stop = first[polygons[k]], first[polygons[k] + 1]
        for e in range(begin, stop):
            if not is_edge[e]:
                continue
            f = before[e]
            x, y = points[e, 0], points[e, 1]
            out, back = (
                np.arctan2(points[e + 1, 1] - y, points[e + 1, 0] - x),
                np.arctan2(points[f, 1] - y, points[f, 0] - x),
            )
            if (out - back) % (2 * np.pi) <= open_rad:
                found[k] = True
                break
            low_x, high_x = min(x, points[e + 1, 0]) - distance, max(x, points[e + 1, 0]) + distance
            low_y, high_y = min(y, points[e + 1, 1]) - distance, max(y, points[e + 1, 1]) + distance
            for g in range(e + 1, stop):
                if before[g] == e or f == g or not is_edge[g]:
                    continue
                if (
                    max(points[g, 0], points[g + 1, 0]) < low_x
                    or min(points[g, 0], points[g + 1, 0]) > high_x
                ):
                    continue
                if (
                    max(points[g, 1], points[g + 1, 1]) < low_y
                    or min(points[g, 1], points[g + 1, 1]) > high_y
                ):
                    continue
                if _is_near(
                    x,
                    y,
                    points[e + 1, 0],
                    points[e + 1, 1],
                    points[g, 0],
                    points[g, 1],
                    points[g + 1, 0],
                    points[g + 1, 1],
                    distance,
                ):
                    found[k] = True
                    break
            if found[k]:
                break
    return found


def _in_portions(work: Callable[[_Array], _Array], rows: _Array) -> _Array:
    portions = np.array_split(rows, max(1, -(-len(rows) // _SOME)))
    with ThreadPoolExecutor(count_threads()) as pool:
        return np.concatenate(list(pool.map(work, portions)))


def find_pairs(parts: _Array, boxes: _Array, distance: float) -> _Array:
    """
    Find pairs of polygons whose boxes come near each other, on a grid.

    Parameters
    ----------
    parts : array of n polygons
        In one plane.
    boxes : float array, n x 4
        Their bounds.
    distance : float
        How near is near.

    Returns
    -------
    int array, m x 2
        As ``fit.find_pairs``.
    """
    low, high = np.nanmin(boxes[:, :2], axis=0) - distance, np.nanmax(boxes[:, 2:], axis=0) + distance
    # Cells as large as most boxes, and not many more than there are boxes.
    count, size = len(boxes), high - low
    usual = float(np.nanmean(boxes[:, 2:] - boxes[:, :2], axis=0).max()) + 2 * distance
    cell = max(usual, float(np.sqrt(np.prod(size) / count)) / 2, float(size.max()) / count)
    across, down = (np.ceil(size / cell).astype(int) + 1).tolist()
    grid = (float(low[0]), float(low[1]), cell)
    counts = np.zeros(across * down, dtype=np.int64)
    _enter(boxes, distance, grid, across, down, counts, np.empty(0, dtype=np.int32))
    tries = (counts * (counts - 1) // 2).sum()
    if counts.sum() > _MOST_CELLS * count or tries > _MOST_TRIES * count:
        return fit.find_pairs(parts, boxes, distance)
    ends = np.cumsum(counts)
    places = ends - counts
    order = np.empty(int(ends[-1]), dtype=np.int32)
    # As they are entered, places move on to where the next cell begins.
    _enter(boxes, distance, grid, across, down, places, order)

    def work(some: _Array) -> _Array:
        begin, stop = int(some[0]), int(some[-1]) + 1
        pairs = np.empty((4 * len(some), 2), dtype=np.int64)
        found = _pair(boxes, distance, grid, across, down, ends, order, begin, stop, pairs)
        if found > len(pairs):
            pairs = np.empty((found, 2), dtype=np.int64)
            _pair(boxes, distance, grid, across, down, ends, order, begin, stop, pairs)
        return pairs[:found]

    return _in_portions(work, np.arange(across * down))


def find_slots(edges: Edges, polygons: _Array, distance: float) -> _Array:
    """
    Find polygons that come near themselves, one after the other.

    Parameters
    ----------
    edges : Edges
        Borders of all polygons.
    polygons : int array, n
        Which to look at.
    distance : float
        How near is near.

    Returns
    -------
    bool array, n
        As ``fit.find_slots``.
    """

    def work(some: _Array) -> _Array:
        return np.asarray(
            _slots(edges.points, edges.is_edge, edges.before, edges.first, some, distance, OPEN_RAD)
        )

    return _in_portions(work, polygons)


def look_at_pairs(edges: Edges, boxes: _Array, pairs: _Array, distance: float, again: _Array) -> _Array:
    """
    Look at the borders of pairs of polygons, one pair after the other.

    Parameters
    ----------
    edges : Edges
        Borders of all polygons.
    boxes : float array, n x 4
        Their bounds.
    pairs : int array, m x 2
        Polygons to compare, the lower number first.
    distance : float
        How near is near.
    again : bool array, 2 x edges
        Set where the corner an edge begins in, and the edge itself, is there already in a polygon of a lower number.

    Returns
    -------
    int array, m
        0 apart, 1 fitting, 2 in doubt.
    """
    longest = int(np.diff(edges.first).max(initial=0))

    def work(some: _Array) -> _Array:
        # Threads write True and nothing else: whoever comes first, the marks are the same.
        return np.asarray(
            _look(
                edges.points,
                edges.is_edge,
                edges.before,
                edges.first,
                boxes,
                some,
                distance,
                OPEN_RAD,
                again,
                longest,
            )
        )

    return _in_portions(work, pairs)
