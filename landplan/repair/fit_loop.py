"""
The borders of neighbours compared edge by edge; compiled by numba.

The same as ``fit.look_at_pairs``, which is the one to read: a million parcels have a hundred million pairs of edges.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

from landplan.cores import count_threads
from landplan.repair.fit import OPEN_RAD, Edges

__all__ = ["find_slots", "look_at_pairs"]

_Array = np.ndarray[Any, Any]
_compiled = njit(cache=True, nogil=True)
_SOME = 50_000


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
    return np.asarray(
        _slots(edges.points, edges.is_edge, edges.before, edges.first, polygons, distance, OPEN_RAD)
    )


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

    portions = np.array_split(pairs, max(1, -(-len(pairs) // _SOME)))
    with ThreadPoolExecutor(count_threads()) as pool:
        return np.concatenate(list(pool.map(work, portions)))
