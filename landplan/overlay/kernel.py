"""
Areas that polygons share, summed over a grid without building what they share; compiled by numba.

A polygon is a signed sum of trapezoids under its edges, so the area of two is a sum over pairs of edges of the area two
trapezoids share. A grid makes that local: within a cell, a layer is the winding number of the cell's upper left corner, plus
a flat trapezoid right of each place where an edge crosses the cell's upper line, plus the trapezoids of the edges inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

__all__ = ["fill_cells", "mark_cells", "share_cells", "sign_rings", "wind_cells"]

_F = TypeVar("_F", bound=Callable[..., Any])
_Array = np.ndarray[Any, Any]


def _compiled(function: _F) -> _F:
    try:
        return cast(_F, numba.njit(cache=True, nogil=True, fastmath=False)(function))
    except RuntimeError:
        # Neither the installation nor the user has a folder that can be written: compiled anew by every process.
        return cast(_F, numba.njit(nogil=True, fastmath=False)(function))


# A width at which h times the width is lost in the rounding of an area of h by h.
_NARROW = 1e-16


@_compiled
def _cell(at: float, size: float) -> int:
    return int(np.floor(at / size))


@_compiled
def sign_rings(coordinates: _Array, rings: _Array, is_shell: _Array) -> _Array:
    """
    Tell with which sign the trapezoids of each ring count, whichever way it was drawn.

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
    """
    signs = np.empty(len(rings) - 1, np.int8)
    for r in range(len(rings) - 1):
        twice = 0.0
        x0, y0 = coordinates[rings[r], 0], coordinates[rings[r], 1]
        for i in range(rings[r], rings[r + 1] - 1):
            twice += (coordinates[i, 0] - x0) * (coordinates[i + 1, 1] - y0)
            twice -= (coordinates[i + 1, 0] - x0) * (coordinates[i, 1] - y0)
        signs[r] = 1 if (twice > 0) == is_shell[r] else -1
    return signs


@_compiled
def mark_cells(boxes: _Array, size: float, west: int, south: int, columns: int, rows: int) -> _Array:
    """
    Mark the cells that boxes touch.

    Parameters
    ----------
    boxes : array of float64, n x 4
        West, south, east, north.
    size, west, south, columns, rows : float and ints
        Side of a cell, a power of two; number of the grid's first column and row, counted from coordinate 0; its size.

    Returns
    -------
    array of bool, columns x rows
        Row after row from the south.
    """
    touched = np.zeros(columns * rows, np.bool_)
    for p in range(len(boxes)):
        c0 = max(0, _cell(boxes[p, 0], size) - west)
        k0 = max(0, _cell(boxes[p, 1], size) - south)
        c1 = min(columns - 1, _cell(boxes[p, 2], size) - west)
        k1 = min(rows - 1, _cell(boxes[p, 3], size) - south)
        for k in range(k0, k1 + 1):
            for c in range(c0, c1 + 1):
                touched[k * columns + c] = True
    return touched


@_compiled
def fill_cells(
    counting: bool,
    coordinates: _Array,
    rings: _Array,
    signs: _Array,
    codes: _Array,
    chosen: _Array,
    size: float,
    west: int,
    south: int,
    columns: int,
    rows: int,
    touched: _Array,
    place: _Array,
    pieces: _Array,
    marks: _Array,
) -> None:
    """
    Cut the edges of a layer by the grid: first counted, then laid down cell by cell.

    Column 0 stands for all land west of the grid. Everything is reckoned from the cell in which an edge begins, and from
    powers of two, so that what lies in a cell never depends on where the grid begins.

    Parameters
    ----------
    counting : bool
        Only count into ``place``.
    coordinates, rings, signs, codes : arrays
        Vertices; where rings begin; sign and code of each ring.
    chosen : array of int64
        Which rings to lay down.
    size, west, south, columns, rows, touched
        The grid, as in ``mark_cells``; edges are kept only in touched cells, crossings in all.
    place : array of int64, columns x rows
        Counted: how many fall in each cell. Laying down: where the next of each cell goes; moved on.
    pieces : array of float64, m x 4
        Ends of each piece from the lower left corner of its cell, the west one first.
    marks : array of int64, m
        Four times the code, plus 2 for a crossing of the upper line, plus 1 where it counts as land.
    """
    for j in range(len(chosen)):
        r = chosen[j]
        code = codes[r]
        turn = signs[r]
        for i in range(rings[r], rings[r + 1] - 1):
            x0, y0 = coordinates[i, 0], coordinates[i, 1]
            x1, y1 = coordinates[i + 1, 0], coordinates[i + 1, 1]
            # The same way for both neighbours of a shared edge: what they cut cancels to the last digit.
            if x0 < x1 or (x0 == x1 and y0 < y1):
                ax, ay, bx, by = x0, y0, x1, y1
                land = 0 if turn > 0 else 1
            else:
                ax, ay, bx, by = x1, y1, x0, y0
                land = 1 if turn > 0 else 0
            first = _cell(ax, size)
            low = _cell(min(ay, by), size)
            ka = _cell(ay, size)
            kb = _cell(by, size)
            if max(ka, kb) < south or low >= south + rows or first >= west + columns:
                continue
            ax, bx = ax - first * size, bx - first * size
            ay, by = ay - low * size, by - low * size
            ka, kb = ka - low, kb - low
            column0 = first - west
            row0 = low - south
            step = 1 if kb > ka else -1
            # Going up eastwards an edge of the upper side comes down in the ring's own order, and is the ring's west side.
            crossing = 2 + (land if kb > ka else 1 - land)
            slope = (by - ay) / (bx - ax) if bx > ax else 0.0
            lean = (bx - ax) / (by - ay) if by != ay else 0.0
            x_in = ax
            y_in = ay
            k = ka
            while True:
                if k == kb:
                    x_out = bx
                    y_out = by
                else:
                    y_out = (k + 1) * size if step > 0 else k * size
                    # Which rows an edge lies in is decided by these crossings alone, not by heights at the cells' sides: an
                    # almost level edge beside a line would otherwise lose a strip as high as the cell.
                    x_out = min(max(ax + (y_out - ay) * lean, x_in), bx)
                    row = row0 + (k if step > 0 else k - 1)
                    c = _cell(x_out, size) + column0
                    if 0 <= row < rows and c < columns:
                        cell = row * columns + max(c, 0)
                        q = place[cell]
                        place[cell] = q + 1
                        if not counting:
                            pieces[q, 0] = x_out - (c - column0) * size
                            pieces[q, 1] = size
                            pieces[q, 2] = size
                            pieces[q, 3] = size
                            marks[q] = code * 4 + crossing
                row = row0 + k
                if 0 <= row < rows and x_out > x_in:
                    c0 = max(_cell(x_in, size), 1 - column0)
                    c1 = min(_cell(x_out, size), columns - 1 - column0)
                    floor = k * size
                    for c in range(c0, c1 + 1):
                        cell = row * columns + c + column0
                        if not touched[cell]:
                            continue
                        side = c * size
                        xl = max(x_in, side)
                        xr = min(x_out, side + size)
                        if xr - xl <= size * _NARROW:
                            continue
                        q = place[cell]
                        place[cell] = q + 1
                        if not counting:
                            yl = y_in if xl == x_in else ay + (xl - ax) * slope
                            yr = y_out if xr == x_out else ay + (xr - ax) * slope
                            pieces[q, 0] = xl - side
                            pieces[q, 1] = min(max(yl - floor, 0.0), size)
                            pieces[q, 2] = xr - side
                            pieces[q, 3] = min(max(yr - floor, 0.0), size)
                            marks[q] = code * 4 + land
                if k == kb:
                    break
                x_in = x_out
                y_in = y_out
                k += step


@_compiled
def wind_cells(
    starts: _Array, marks: _Array, columns: int, rows: int, codes: int, touched: _Array
) -> tuple[_Array, _Array, _Array]:
    """
    Count how often each code lies over the upper left corner of each touched cell.

    Parameters
    ----------
    starts : array of int64, columns x rows + 1
        Where the pieces of each cell begin.
    marks : array of int64
        As ``fill_cells`` lays down.
    columns, rows, codes : int
        Size of the grid; how many codes there are.
    touched : array of bool
        As ``mark_cells`` gives.

    Returns
    -------
    arrays of int64
        Where the corners of each cell begin, and code and count of each; codes that lie nowhere are left out.
    """
    begins = np.zeros(columns * rows + 1, np.int64)
    which = np.empty(1024, np.int64)
    times = np.empty(1024, np.int64)
    filled = 0
    winding = np.zeros(codes, np.int64)
    active = np.empty(codes, np.int64)
    is_active = np.zeros(codes, np.bool_)
    for row in range(rows):
        count = 0
        for c in range(columns):
            cell = row * columns + c
            if touched[cell]:
                kept = 0
                for a in range(count):
                    code = active[a]
                    if winding[code] == 0:
                        is_active[code] = False
                        continue
                    active[kept] = code
                    kept += 1
                    if filled == len(which):
                        which = np.concatenate((which, np.empty_like(which)))
                        times = np.concatenate((times, np.empty_like(times)))
                    which[filled] = code
                    times[filled] = winding[code]
                    filled += 1
                count = kept
            begins[cell + 1] = filled
            for q in range(starts[cell], starts[cell + 1]):
                if marks[q] & 2:
                    code = marks[q] >> 2
                    winding[code] += 1 if marks[q] & 1 else -1
                    if not is_active[code]:
                        is_active[code] = True
                        active[count] = code
                        count += 1
        for a in range(count):
            winding[active[a]] = 0
            is_active[active[a]] = False
    return begins, which[:filled], times[:filled]


@_compiled
def _lay_edge(
    edges: _Array, n: int, ax: float, ay: float, bx: float, by: float, slope: float, sign: float
) -> int:
    edges[n, 0], edges[n, 1], edges[n, 2], edges[n, 3] = ax, ay, bx, by
    edges[n, 4], edges[n, 5] = slope, sign
    return n + 1


@_compiled
def _clip_edges(
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
    """Trapezoids of one parcel within one cell, from the cell's lower left corner."""
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
            if bx <= 0 or ax >= size or bx - ax <= size * _NARROW or (ay <= 0 and by <= 0):
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
                n = _lay_edge(edges, n, ax, size, bx, size, 0.0, sign)
                continue
            if ay < 0:
                ax = min(ax - ay / slope, bx)
                ay = 0.0
            elif by < 0:
                bx = min(max(ax - ay / slope, ax), bx)
                by = 0.0
            if ay > size:
                cut = min(max(ax + (size - ay) / slope, ax), bx)
                n = _lay_edge(edges, n, ax, size, cut, size, 0.0, sign)
                ax = cut
                ay = size
            elif by > size:
                cut = min(max(ax + (size - ay) / slope, ax), bx)
                n = _lay_edge(edges, n, cut, size, bx, size, 0.0, sign)
                bx = cut
                by = size
            if bx > ax:
                n = _lay_edge(edges, n, ax, ay, bx, by, slope, sign)
    return n


@_compiled
def _share_edges(
    ax: float, ay: float, bx: float, slope: float, fx0: float, fy0: float, fx1: float, fy1: float
) -> float:
    """Area that two trapezoids share: the lower of two lines over the width they have in common."""
    xl = max(ax, fx0)
    xr = min(bx, fx1)
    width = xr - xl
    if width <= 0:
        return 0.0
    el = ay + (xl - ax) * slope
    er = ay + (xr - ax) * slope
    run = fx1 - fx0
    fl = fy0 + (fy1 - fy0) * ((xl - fx0) / run)
    fr = fy0 + (fy1 - fy0) * ((xr - fx0) / run)
    left = el - fl
    right = er - fr
    if left <= 0 and right <= 0:
        return 0.5 * width * (el + er)
    if left >= 0 and right >= 0:
        return 0.5 * width * (fl + fr)
    t = left / (left - right)
    meet = el + t * (er - el)
    if left < 0:
        return 0.5 * width * (t * (el + meet) + (1 - t) * (meet + fr))
    return 0.5 * width * (t * (fl + meet) + (1 - t) * (meet + er))


@_compiled
def share_cells(
    coordinates: _Array,
    rings: _Array,
    signs: _Array,
    parcels: _Array,
    longest: int,
    chosen: _Array,
    boxes: _Array,
    size: float,
    west: int,
    south: int,
    columns: int,
    rows: int,
    codes: int,
    starts: _Array,
    pieces: _Array,
    marks: _Array,
    begins: _Array,
    which: _Array,
    times: _Array,
) -> tuple[_Array, _Array, _Array]:
    """
    Sum, parcel by parcel, the area that each code of a layer shares with it.

    Parameters
    ----------
    coordinates, rings, signs : arrays
        Vertices of the parcels; where rings begin; their signs.
    parcels : array of int64, n + 1
        At which ring each parcel begins.
    longest, chosen : int, array of int64
        Most vertices of any parcel chosen; which parcels.
    boxes : array of float64, n x 4
        Bounds of all parcels.
    size, west, south, columns, rows, codes
        The grid, as in ``mark_cells``; how many codes there are.
    starts, pieces, marks, begins, which, times : arrays
        The layer in the grid, from ``fill_cells`` and ``wind_cells``.

    Returns
    -------
    arrays of int64, int64, float64
        Parcel, code and area, in the order chosen. A code met in a cell but not in the parcel gives 0 or its rounding.
    """
    edges = np.empty((2 * longest + 2, 6))
    summed = np.zeros(codes)
    met = np.empty(codes, np.int64)
    is_met = np.zeros(codes, np.bool_)
    found = np.empty(2 * len(chosen) + 16, np.int64)
    found_code = np.empty(len(found), np.int64)
    found_area = np.empty(len(found))
    filled = 0
    for j in range(len(chosen)):
        p = chosen[j]
        c0 = max(1, _cell(boxes[p, 0], size) - west)
        k0 = max(0, _cell(boxes[p, 1], size) - south)
        c1 = min(columns - 1, _cell(boxes[p, 2], size) - west)
        k1 = min(rows - 1, _cell(boxes[p, 3], size) - south)
        count = 0
        for k in range(k0, k1 + 1):
            for c in range(c0, c1 + 1):
                cell = k * columns + c
                s0, s1 = starts[cell], starts[cell + 1]
                b0, b1 = begins[cell], begins[cell + 1]
                if s0 == s1 and b0 == b1:
                    continue
                x = (west + c) * size
                y = (south + k) * size
                n = _clip_edges(coordinates, rings, signs, parcels[p], parcels[p + 1], x, y, size, edges)
                if n == 0:
                    continue
                area, xmin, xmax = 0.0, size, 0.0
                for e in range(n):
                    area += edges[e, 5] * 0.5 * (edges[e, 2] - edges[e, 0]) * (edges[e, 1] + edges[e, 3])
                    xmin = min(xmin, edges[e, 0])
                    xmax = max(xmax, edges[e, 2])
                for q in range(b0, b1):
                    code = which[q]
                    if not is_met[code]:
                        is_met[code] = True
                        met[count] = code
                        count += 1
                    summed[code] += area * times[q]
                for q in range(s0, s1):
                    fx0, fx1 = pieces[q, 0], pieces[q, 2]
                    if fx1 <= xmin or fx0 >= xmax or fx1 <= fx0:
                        continue
                    code = marks[q] >> 2
                    if not is_met[code]:
                        is_met[code] = True
                        met[count] = code
                        count += 1
                    fy0, fy1 = pieces[q, 1], pieces[q, 3]
                    shared = 0.0
                    for e in range(n):
                        shared += edges[e, 5] * _share_edges(
                            edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 4], fx0, fy0, fx1, fy1
                        )
                    summed[code] += shared if marks[q] & 1 else -shared
        for a in range(count):
            if filled == len(found):
                found = np.concatenate((found, np.empty_like(found)))
                found_code = np.concatenate((found_code, np.empty_like(found_code)))
                found_area = np.concatenate((found_area, np.empty_like(found_area)))
            code = met[a]
            found[filled] = p
            found_code[filled] = code
            found_area[filled] = summed[code]
            filled += 1
            summed[code] = 0.0
            is_met[code] = False
    return found[:filled], found_code[:filled], found_area[:filled]
