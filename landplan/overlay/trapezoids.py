"""Trapezoids within one cell of the grid: those of a parcel, and what they share with those of a layer; compiled by numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from landplan.overlay.compiled import compile_loop

__all__ = ["BLOCK", "NARROW", "add_shared", "clip_edges", "cover_edges", "mark_doubled"]

_Array = np.ndarray[Any, Any]

BLOCK = 32
"""Cells across a block; a power of two, so that a block's corner is exact as a cell's is."""

NARROW = 1e-16
"""Width, as a share of a cell, at which h times the width is lost in the rounding of an area of h by h."""

_DOUBLED = 1e-12  # of a cell: land under two features of a code that is more than rounding


@compile_loop
def _lay(
    edges: _Array, n: int, ax: float, bx: float, ay: float, slope: float, sign: float, height: float
) -> int:
    edges[n, 0], edges[n, 1], edges[n, 2], edges[n, 3], edges[n, 4] = ax, bx, ay, slope, sign
    edges[n, 5] = height
    return n + 1


@compile_loop
def clip_edges(
    coordinates: _Array,
    rings: _Array,
    signs: _Array,
    r0: int,
    r1: int,
    x: float,
    y: float,
    size: float,
    edges: _Array,
) -> int:
    """Trapezoids of one parcel within one cell, from the cell's lower left corner; the last column is the east height."""
    n = 0
    for r in range(r0, r1):
        for i in range(rings[r], rings[r + 1] - 1):
            x0 = coordinates[i, 0] - x
            x1 = coordinates[i + 1, 0] - x
            if x0 < x1:
                ax, bx = x0, x1
                ay, by = coordinates[i, 1] - y, coordinates[i + 1, 1] - y
                sign = -1.0 * signs[r]
            else:
                ax, bx = x1, x0
                ay, by = coordinates[i + 1, 1] - y, coordinates[i, 1] - y
                sign = 1.0 * signs[r]
            if bx <= 0 or ax >= size or bx - ax <= size * NARROW or (ay <= 0 and by <= 0):
                continue
            slope = (by - ay) / (bx - ax)
            if ax < 0:
                ay -= ax * slope
                ax = 0.0
            if bx > size:
                by = ay + (size - ax) * slope
                bx = size
            if ay <= 0 and by <= 0:
                continue
            if ay >= size and by >= size:
                n = _lay(edges, n, ax, bx, size, 0.0, sign, size)
                continue
            if ay < 0:
                ax = min(ax - ay / slope, bx)
                ay = 0.0
            elif by < 0:
                bx = min(max(ax - ay / slope, ax), bx)
                by = 0.0
            if ay > size:
                cut = min(max(ax + (size - ay) / slope, ax), bx)
                n = _lay(edges, n, ax, cut, size, 0.0, sign, size)
                ax = cut
                ay = size
            elif by > size:
                cut = min(max(ax + (size - ay) / slope, ax), bx)
                n = _lay(edges, n, cut, bx, size, 0.0, sign, size)
                bx = cut
                by = size
            if bx > ax:
                n = _lay(edges, n, ax, bx, ay, slope, sign, by)
    return n


@compile_loop
def add_shared(
    ax: float, bx: float, ay: float, slope: float, sign: float,
    x0: _Array, x1: _Array, y0: _Array, run: _Array, shared: _Array,
) -> None:  # fmt: skip
    """
    Add the area one trapezoid shares with each of many: the lower of two lines over the width they have in common.

    Written without a branch, for the processor to take several at a time: the lower of two lines is half their sum less half
    the distance between them, and where the lines cross, the distance's area is that of two triangles.
    """
    for q in range(len(x0)):
        left = x0[q] if x0[q] > ax else ax
        right = x1[q] if x1[q] < bx else bx
        width = right - left
        width = width if width > 0.0 else 0.0
        el = ay + (left - ax) * slope
        er = ay + (right - ax) * slope
        fl = y0[q] + (left - x0[q]) * run[q]
        fr = y0[q] + (right - x0[q]) * run[q]
        dl = el - fl
        dr = er - fr
        apart = abs(dl) + abs(dr)
        cross = -dl * dr
        cross = cross if cross > 0.0 else 0.0
        safe = apart if apart > 1e-300 else 1e-300
        shared[q] += sign * 0.25 * width * (el + er + fl + fr - apart + 2.0 * cross / safe)


@compile_loop
def cover_edges(
    edges: _Array, count: int, near: _Array, whose: _Array, pieces: int, code: int, base: int
) -> float:
    """
    Area of a parcel's trapezoids that lies under a code, however many of its features lie there, within one cell.

    Between neighbouring ends and crossings of all lines their order from top to bottom is one and the same: strip by strip, and
    in each from line to line, the land counts where the parcel and the code both are.
    """
    lines = np.empty((count + pieces, 5))
    lines[:count] = edges[:count, :5]
    total = count
    for q in range(pieces):
        if whose[q] >> 2 == code:
            lines[total, 0], lines[total, 1] = near[0, q], near[1, q]
            lines[total, 2], lines[total, 3] = near[2, q], near[3, q]
            lines[total, 4] = 1.0 if whose[q] & 1 else -1.0
            total += 1
    ends = np.empty(4 * total)
    filled = 2 * total
    for a in range(total):
        ends[2 * a], ends[2 * a + 1] = lines[a, 0], lines[a, 1]
        for b in range(a):
            left, right = max(lines[a, 0], lines[b, 0]), min(lines[a, 1], lines[b, 1])
            if right <= left:
                continue
            dl = lines[a, 2] + (left - lines[a, 0]) * lines[a, 3]
            dl -= lines[b, 2] + (left - lines[b, 0]) * lines[b, 3]
            dr = lines[a, 2] + (right - lines[a, 0]) * lines[a, 3]
            dr -= lines[b, 2] + (right - lines[b, 0]) * lines[b, 3]
            if (dl < 0) != (dr < 0) and dl != dr:
                if filled == len(ends):
                    ends = np.concatenate((ends, np.empty_like(ends)))
                ends[filled] = left + (right - left) * (dl / (dl - dr))
                filled += 1
    strips = np.sort(ends[:filled])
    height = np.empty(total)
    which = np.empty(total, np.int64)
    covered = 0.0
    for i in range(filled - 1):
        width = strips[i + 1] - strips[i]
        if width <= 0:
            continue
        middle = strips[i] + 0.5 * width
        active = 0
        for a in range(total):
            if lines[a, 0] <= middle < lines[a, 1]:
                at = lines[a, 2] + (middle - lines[a, 0]) * lines[a, 3]
                b = active
                while b > 0 and height[b - 1] < at:
                    height[b], which[b] = height[b - 1], which[b - 1]
                    b -= 1
                height[b], which[b] = at, a
                active += 1
        inside, over = 0.0, float(base)
        for b in range(active):
            if which[b] < count:
                inside += lines[which[b], 4]
            else:
                over += lines[which[b], 4]
            if inside > 0.5 and over > 0.5:
                covered += width * (height[b] - (height[b + 1] if b + 1 < active else 0.0))
    return covered


@compile_loop
def mark_doubled(
    starts: _Array,
    pieces: _Array,
    marks: _Array,
    begins: _Array,
    which: _Array,
    times: _Array,
    touched: _Array,
    watched: _Array,
    size: float,
) -> tuple[_Array, _Array]:
    """
    List, cell by cell, the watched codes of which two features cover the same land there.

    Where a code's winding number w is 0 or 1 everywhere, the area under w squared is that under w; both are sums over the
    same trapezoids. Each code is judged by its own trapezoids, whatever other codes lie in the cell.
    """
    codes = len(watched)
    once, twice, base = np.zeros(codes), np.zeros(codes), np.zeros(codes)
    own = np.zeros(codes, np.int64)
    is_doubled = np.zeros(codes, np.bool_)
    shared = np.zeros(64)
    ends = np.zeros(BLOCK * BLOCK + 1, np.int64)
    doubled = np.empty(256, np.int64)
    filled = 0
    for cell in range(BLOCK * BLOCK):
        ends[cell] = filled
        s0, s1 = starts[cell], starts[cell + 1]
        if not touched[cell]:
            continue
        if filled + codes > len(doubled):
            doubled = np.concatenate((doubled, np.empty(len(doubled) + codes, np.int64)))
        for q in range(begins[cell], begins[cell + 1]):
            code = which[q]
            base[code] = times[q]
            if watched[code] and times[q] > 1:
                is_doubled[code] = True
                doubled[filled] = code
                filled += 1
        count = s1 - s0
        if count > len(shared):
            shared = np.zeros(2 * count)
        x0, x1, y0, run = pieces[0, s0:s1], pieces[1, s0:s1], pieces[2, s0:s1], pieces[3, s0:s1]
        for p in range(count):
            code = marks[s0 + p] >> 2
            if not watched[code] or is_doubled[code]:
                continue
            sign = 1.0 if marks[s0 + p] & 1 else -1.0
            for q in range(count):
                shared[q] = 0.0
            add_shared(x0[p], x1[p], y0[p], run[p], sign, x0, x1, y0, run, shared)
            for q in range(count):
                if marks[s0 + q] >> 2 == code:
                    twice[code] += shared[q] if marks[s0 + q] & 1 else -shared[q]
            width = x1[p] - x0[p]
            once[code] += sign * width * (y0[p] + 0.5 * width * run[p])
            own[code] += 1
        for p in range(count):
            code = marks[s0 + p] >> 2
            if own[code] == 0:
                continue
            lies = base[code]
            under = (lies * lies - lies) * size * size + (2.0 * lies - 1.0) * once[code] + twice[code]
            if under > _DOUBLED * own[code] * size * size:
                doubled[filled] = code
                filled += 1
            once[code] = twice[code] = 0.0
            own[code] = 0
        for q in range(ends[cell], filled):
            is_doubled[doubled[q]] = False
        for q in range(begins[cell], begins[cell + 1]):
            base[which[q]] = 0.0
    ends[BLOCK * BLOCK] = filled
    return ends, doubled
