"""
Areas that polygons share, summed over a grid without building what they share; compiled by numba.

A polygon is a signed sum of trapezoids under its edges, so the area of two is a sum over pairs of edges of the area two
trapezoids share. A grid makes that local: within a cell, a layer is the winding number of the cell's upper left corner, plus
a flat trapezoid right of each place where an edge crosses the cell's upper line, plus the trapezoids of the edges inside.

Cells are worked block by block, from west to east along a row of blocks: the winding numbers of a row are carried over, the
cells of one block stay in the processor's own memory, and nothing but the outlines themselves is kept of a layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from landplan.overlay.compiled import compile_loop
from landplan.overlay.trapezoids import BLOCK, NARROW, add_shared, clip_edges, cover_edges, mark_doubled

__all__ = ["share_row"]

_Array = np.ndarray[Any, Any]

_COUNT, _FILL, _CROSS = 0, 1, 2
_SHORT = 32  # codes put in order by hand
_ABREAST = 8  # numbers a processor of today works on at a time


@compile_loop
def _cell(at: float, per_m: float) -> int:
    # Multiplied by one cell's share of a metre, which is exact as the division is: both are powers of two.
    return int(np.floor(at * per_m))


@compile_loop
def _lay_edges(
    work: int,
    coordinates: _Array,
    signs: _Array,
    codes: _Array,
    runs: _Array,
    size: float,
    west: int,
    south: int,
    lowest: int,
    touched: _Array,
    place: _Array,
    pieces: _Array,
    marks: _Array,
    winding: _Array,
    active: _Array,
    counts: _Array,
    is_active: _Array,
) -> None:
    """
    Cut the edges near one block by its cells: counted, laid down cell by cell, or only carried past it.

    Everything is reckoned from the cell in which an edge begins, and from powers of two, so that what lies in a cell never
    depends on where blocks begin. Edges are kept only in touched cells, crossings of a cell's upper line in all. A piece is its
    west end from the lower left corner of the cell, its east end, its west height, and its slope; its mark is four times the
    code, plus 2 for a crossing, plus 1 where it counts as land.
    """
    per_m = 1.0 / size
    for run in range(len(runs)):
        ring = runs[run, 2]
        code = codes[ring]
        turn = signs[ring]
        for i in range(runs[run, 0], runs[run, 1]):
            x0, y0 = coordinates[i, 0], coordinates[i, 1]
            x1, y1 = coordinates[i + 1, 0], coordinates[i + 1, 1]
            # The same way for both neighbours of a shared edge: what they cut cancels to the last digit.
            if x0 < x1 or (x0 == x1 and y0 < y1):
                ax, ay, bx, by = x0, y0, x1, y1
                land = 0 if turn > 0 else 1
            else:
                ax, ay, bx, by = x1, y1, x0, y0
                land = 1 if turn > 0 else 0
            ka = _cell(ay, per_m)
            kb = _cell(by, per_m)
            if work == _CROSS and ka == kb:
                continue
            first = _cell(ax, per_m)
            if ka == kb and _cell(bx, per_m) == first:
                # Most edges lie in one cell.
                row, c = ka - south, first - west
                if not (0 <= row < BLOCK and 0 <= c < BLOCK) or bx - ax <= size * NARROW:
                    continue
                cell = row * BLOCK + c
                if not touched[cell]:
                    continue
                q = place[cell]
                place[cell] = q + 1
                if work == _FILL:
                    ax, bx = ax - first * size, bx - first * size
                    ay, by = ay - ka * size, by - ka * size
                    pieces[0, q] = ax
                    pieces[1, q] = bx
                    pieces[2, q] = ay
                    pieces[3, q] = (by - ay) / (bx - ax)
                    marks[q] = code * 4 + land
                continue
            low = min(ka, kb)
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
                    c = _cell(x_out, per_m) + column0
                    if 0 <= row < BLOCK and lowest <= c < BLOCK:
                        if work == _CROSS:
                            winding[row, code] += 1 if crossing & 1 else -1
                            if not is_active[row, code]:
                                is_active[row, code] = True
                                active[row, counts[row]] = code
                                counts[row] += 1
                        else:
                            cell = row * BLOCK + c
                            q = place[cell]
                            place[cell] = q + 1
                            if work == _FILL:
                                pieces[0, q] = x_out - (c - column0) * size
                                pieces[1, q] = size
                                pieces[2, q] = size
                                pieces[3, q] = 0.0
                                marks[q] = code * 4 + crossing
                row = row0 + k
                if work != _CROSS and 0 <= row < BLOCK and x_out > x_in:
                    c0 = max(_cell(x_in, per_m), -column0)
                    c1 = min(_cell(x_out, per_m), BLOCK - 1 - column0)
                    floor = k * size
                    for c in range(c0, c1 + 1):
                        cell = row * BLOCK + c + column0
                        if not touched[cell]:
                            continue
                        side = c * size
                        xl = max(x_in, side)
                        xr = min(x_out, side + size)
                        if xr - xl <= size * NARROW:
                            continue
                        q = place[cell]
                        place[cell] = q + 1
                        if work == _FILL:
                            yl = y_in if xl == x_in else ay + (xl - ax) * slope
                            yr = y_out if xr == x_out else ay + (xr - ax) * slope
                            yl = min(max(yl - floor, 0.0), size)
                            yr = min(max(yr - floor, 0.0), size)
                            pieces[0, q] = xl - side
                            pieces[1, q] = xr - side
                            pieces[2, q] = yl
                            pieces[3, q] = (yr - yl) / (xr - xl)
                            marks[q] = code * 4 + land
                if k == kb:
                    break
                x_in = x_out
                y_in = y_out
                k += step


@compile_loop
def _wind_cells(
    starts: _Array,
    marks: _Array,
    touched: _Array,
    winding: _Array,
    active: _Array,
    counts: _Array,
    is_active: _Array,
) -> tuple[_Array, _Array, _Array]:
    """Code and count of all that lies over the upper left corner of each touched cell; carries the rows past the block."""
    begins = np.zeros(BLOCK * BLOCK + 1, np.int64)
    which = np.empty(1024, np.int64)
    times = np.empty(1024, np.int64)
    filled = 0
    for row in range(BLOCK):
        for c in range(BLOCK):
            cell = row * BLOCK + c
            if touched[cell]:
                kept = 0
                for a in range(counts[row]):
                    code = active[row, a]
                    if winding[row, code] == 0:
                        is_active[row, code] = False
                        continue
                    active[row, kept] = code
                    kept += 1
                    if filled == len(which):
                        which = np.concatenate((which, np.empty_like(which)))
                        times = np.concatenate((times, np.empty_like(times)))
                    which[filled] = code
                    times[filled] = winding[row, code]
                    filled += 1
                counts[row] = kept
            begins[cell + 1] = filled
            for q in range(starts[cell], starts[cell + 1]):
                if marks[q] & 2:
                    code = marks[q] >> 2
                    winding[row, code] += 1 if marks[q] & 1 else -1
                    if not is_active[row, code]:
                        is_active[row, code] = True
                        active[row, counts[row]] = code
                        counts[row] += 1
    return begins, which, times


@compile_loop
def _area_of(coordinates: _Array, rings: _Array, signs: _Array, r0: int, r1: int) -> float:
    """Area of one parcel, from its first vertex, so that coordinates with a zone prefix lose no digit."""
    area = 0.0
    x, y = coordinates[rings[r0], 0], coordinates[rings[r0], 1]
    for r in range(r0, r1):
        twice = 0.0
        for i in range(rings[r], rings[r + 1] - 1):
            ax, ay = coordinates[i, 0] - x, coordinates[i, 1] - y
            bx, by = coordinates[i + 1, 0] - x, coordinates[i + 1, 1] - y
            twice += ax * by - bx * ay
        area += 0.5 * signs[r] * twice
    return area


@compile_loop
def _look_around(
    c0: int, k0: int, c1: int, k1: int, starts: _Array, marks: _Array, begins: _Array, which: _Array, times: _Array,
    around: _Array, cells: _Array, lies: _Array,
) -> int:  # fmt: skip
    """
    List the codes near a parcel, in how many of its cells each lies with no edge of its own, and how many times over.

    A code that lies alike in every cell lies over the whole parcel; ``cells`` is -1 where an edge of the code comes near, or
    it lies here once and there twice.
    """
    count = 0
    for k in range(k0, k1 + 1):
        for c in range(c0, c1 + 1):
            cell = k * BLOCK + c
            for q in range(begins[cell], begins[cell + 1]):
                code = which[q]
                if cells[code] == 0:
                    around[count] = code
                    count += 1
                    cells[code] = 1
                    lies[code] = times[q]
                elif cells[code] > 0:
                    cells[code] = cells[code] + 1 if lies[code] == times[q] else -1
            for q in range(starts[cell], starts[cell + 1]):
                code = marks[q] >> 2
                if cells[code] == 0:
                    around[count] = code
                    count += 1
                cells[code] = -1
    return count


@compile_loop
def _share_block(
    coordinates: _Array, rings: _Array, signs: _Array, first: _Array, boxes: _Array, listed: _Array,
    edges: _Array, size: float, west: int, south: int,
    starts: _Array, pieces: _Array, marks: _Array, begins: _Array, which: _Array, times: _Array,
    doubled_ends: _Array, doubled: _Array, watched: _Array, names: _Array,
    ends: _Array, head: int, found: _Array, areas: _Array,
) -> tuple[_Array, _Array]:  # fmt: skip
    """Sum, parcel by parcel, the area that each code shares with it within one block; parcels stand from ``head`` on."""
    codes = len(names)
    summed = np.zeros(codes)
    per_m = 1.0 / size
    met = np.empty(codes, np.int64)
    is_met = np.zeros(codes, np.bool_)
    is_doubled = np.zeros(codes, np.bool_)
    is_whole = np.zeros(codes, np.bool_)
    around, cells, lies = np.empty(codes, np.int64), np.zeros(codes, np.int64), np.zeros(codes, np.int64)
    base = np.zeros(codes, np.int64)
    near = np.empty((4, 64))
    whose = np.empty(64, np.int64)
    shared = np.empty(64)
    filled = ends[head]
    for j in range(len(listed)):
        p = listed[j]
        c0, k0 = _cell(boxes[p, 0], per_m) - west, _cell(boxes[p, 1], per_m) - south
        c1, k1 = _cell(boxes[p, 2], per_m) - west, _cell(boxes[p, 3], per_m) - south
        count, others = 0, 1
        if c0 >= 0 and k0 >= 0 and c1 < BLOCK and k1 < BLOCK:
            # Most parcels lie wholly under most codes that come near them, and there is nothing to sum.
            others = _look_around(c0, k0, c1, k1, starts, marks, begins, which, times, around, cells, lies)
            area = 0.0
            for a in range(others):
                code = around[a]
                if cells[code] == (k1 - k0 + 1) * (c1 - c0 + 1):
                    if count == 0:
                        area = _area_of(coordinates, rings, signs, first[p], first[p + 1])
                    is_whole[code] = is_met[code] = True
                    met[count] = code
                    count += 1
                    summed[code] = area if watched[code] else area * lies[code]
                cells[code] = 0
            others -= count
        c0, k0, c1, k1 = max(0, c0), max(0, k0), min(BLOCK - 1, c1), min(BLOCK - 1, k1)
        if others == 0:
            k1 = k0 - 1
        for k in range(k0, k1 + 1):
            for c in range(c0, c1 + 1):
                cell = k * BLOCK + c
                s0, s1 = starts[cell], starts[cell + 1]
                b0, b1 = begins[cell], begins[cell + 1]
                if s0 == s1 and b0 == b1:
                    continue
                d0, d1 = doubled_ends[cell], doubled_ends[cell + 1]
                x = (west + c) * size
                y = (south + k) * size
                n = clip_edges(coordinates, rings, signs, first[p], first[p + 1], x, y, size, edges)
                if n == 0:
                    continue
                for q in range(d0, d1):
                    is_doubled[doubled[q]] = not is_whole[doubled[q]]
                area, xmin, xmax = 0.0, size, 0.0
                for e in range(n):
                    area += edges[e, 4] * 0.5 * (edges[e, 1] - edges[e, 0]) * (edges[e, 2] + edges[e, 5])
                    xmin = min(xmin, edges[e, 0])
                    xmax = max(xmax, edges[e, 1])
                for q in range(b0, b1):
                    code = which[q]
                    if is_whole[code]:
                        continue
                    if not is_met[code]:
                        is_met[code] = True
                        met[count] = code
                        count += 1
                    if not is_doubled[code]:
                        summed[code] += area * times[q]
                if s1 - s0 + _ABREAST > near.shape[1]:
                    near = np.empty((4, 2 * (s1 - s0) + _ABREAST))
                    whose = np.empty(near.shape[1], np.int64)
                    shared = np.empty(near.shape[1])
                m = 0
                for q in range(s0, s1):
                    if pieces[1, q] > xmin and pieces[0, q] < xmax:
                        near[0, m] = pieces[0, q]
                        near[1, m] = pieces[1, q]
                        near[2, m] = pieces[2, q]
                        near[3, m] = pieces[3, q]
                        whose[m] = marks[q]
                        shared[m] = 0.0
                        m += 1
                if d1 > d0:
                    # What several features of a code cover counts once: the few cells where they do are taken strip by strip.
                    for q in range(b0, b1):
                        base[which[q]] = times[q]
                    for q in range(d0, d1):
                        code = doubled[q]
                        if is_whole[code]:
                            continue
                        share = cover_edges(edges, n, near, whose, m, code, base[code])
                        if share > 0.0 and not is_met[code]:
                            is_met[code] = True
                            met[count] = code
                            count += 1
                        summed[code] += share
                    for q in range(b0, b1):
                        base[which[q]] = 0
                if m > 0:
                    # Filled up with pieces of no width: the processor takes as many at a time as it can, and no remainder.
                    w = (m + _ABREAST - 1) // _ABREAST * _ABREAST
                    near[:, m:w] = 0.0
                    x0, x1, y0, run = near[0, :w], near[1, :w], near[2, :w], near[3, :w]
                    for e in range(n):
                        add_shared(
                            edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3], edges[e, 4],
                            x0, x1, y0, run, shared[:w],
                        )  # fmt: skip
                for q in range(m):
                    code = whose[q] >> 2
                    if is_doubled[code]:
                        continue
                    if not is_met[code]:
                        is_met[code] = True
                        met[count] = code
                        count += 1
                    summed[code] += shared[q] if whose[q] & 1 else -shared[q]
                for q in range(d0, d1):
                    is_doubled[doubled[q]] = False
        while filled + count > len(found):
            found = np.concatenate((found, np.empty_like(found)))
            areas = np.concatenate((areas, np.empty_like(areas)))
        if count > _SHORT:
            met[:count] = met[:count][np.argsort(names[met[:count]])]
        else:
            for a in range(1, count):
                code = met[a]
                b = a
                while b > 0 and names[met[b - 1]] > names[code]:
                    met[b] = met[b - 1]
                    b -= 1
                met[b] = code
        for a in range(count):
            code = met[a]
            found[filled] = names[code]
            areas[filled] = summed[code]
            filled += 1
            summed[code] = 0.0
            is_met[code] = is_whole[code] = False
        ends[head + j + 1] = filled
    return found, areas


@compile_loop
def share_row(
    coordinates: _Array, rings: _Array, signs: _Array, first: _Array, boxes: _Array, longest: int,
    layer: _Array, layer_signs: _Array, layer_codes: _Array, codes: int, is_watched: _Array,
    size: float, west: int, south: int, columns: int, row: int,
    run_begins: _Array, runs: _Array, list_begins: _Array, lists: _Array,
) -> tuple[_Array, _Array, _Array]:  # fmt: skip
    """
    Sum the area that each code shares with each parcel, along one row of blocks.

    Parameters
    ----------
    coordinates, rings, signs, first, boxes : arrays
        Of the parcels: vertices; where rings begin; their signs; at which ring each parcel begins; its box.
    longest : int
        Most vertices of any parcel.
    layer, layer_signs, layer_codes : arrays
        Of the layer: vertices; sign and code of each ring.
    codes, is_watched : int, array of bool
        How many codes there are, and of which land that several of their features cover counts once.
    size : float
        Side of a cell, a power of two.
    west, south, columns, row : int
        Number of the first column and row of blocks, counted from coordinate 0; how many columns; which row. The first column
        stands for all land west of it, and no parcel lies there.
    run_begins, runs : arrays of int64
        Where the stretches of edges near each block begin; first vertex, last vertex and ring of each.
    list_begins, lists : arrays of int64
        Where the parcels near each block begin; which they are.

    Returns
    -------
    array of int64, k + 1
        Where the codes of each parcel listed for the row begin.
    arrays of int32 and float64
        Codes, rising, and their areas. A code met in a cell but not in the parcel gives 0 or its rounding.
    """
    begin, end = row * columns, (row + 1) * columns
    total = list_begins[end] - list_begins[begin]
    ends = np.zeros(total + 1, np.int64)
    found = np.empty(8 * total + 16, np.int32)
    areas = np.empty(len(found))
    # Codes of this row only: what is carried along is as wide as they are many.
    local = np.full(codes, -1, np.int64)
    names = np.empty(codes, np.int64)
    known = 0
    for q in range(run_begins[begin], run_begins[end]):
        code = layer_codes[runs[q, 2]]
        if local[code] < 0:
            local[code] = known
            names[known] = code
            known += 1
    if known == 0 or total == 0:
        return ends, found[:0], areas[:0]
    names = names[:known]
    watched = is_watched[names]
    watches = watched.any()
    of_rings = local[layer_codes]
    winding = np.zeros((BLOCK, known), np.int64)
    active = np.empty((BLOCK, known), np.int64)
    is_active = np.zeros((BLOCK, known), np.bool_)
    counts = np.zeros(BLOCK, np.int64)
    touched = np.zeros(BLOCK * BLOCK, np.bool_)
    doubled_ends, doubled = np.zeros(BLOCK * BLOCK + 1, np.int64), np.empty(0, np.int64)
    place = np.zeros(BLOCK * BLOCK, np.int64)
    starts = np.zeros(BLOCK * BLOCK + 1, np.int64)
    pieces, marks = np.empty((4, 1024)), np.empty(1024, np.int64)
    edges = np.empty((2 * longest + 2, 6))
    done = 0
    per_m = 1.0 / size
    for column in range(columns):
        if done == total:
            break
        block = begin + column
        near = runs[run_begins[block] : run_begins[block + 1]]
        listed = lists[list_begins[block] : list_begins[block + 1]]
        cell_west, cell_south = (west + column) * BLOCK, (south + row) * BLOCK
        if len(listed) == 0:
            lowest = 0 if column else -(1 << 62)
            _lay_edges(
                _CROSS, layer, layer_signs, of_rings, near, size, cell_west, cell_south, lowest,
                touched, place, pieces, marks, winding, active, counts, is_active,
            )  # fmt: skip
            continue
        touched[:] = False
        place[:] = 0
        for j in range(len(listed)):
            p = listed[j]
            for k in range(
                max(0, _cell(boxes[p, 1], per_m) - cell_south),
                min(BLOCK - 1, _cell(boxes[p, 3], per_m) - cell_south) + 1,
            ):
                for c in range(
                    max(0, _cell(boxes[p, 0], per_m) - cell_west),
                    min(BLOCK - 1, _cell(boxes[p, 2], per_m) - cell_west) + 1,
                ):
                    touched[k * BLOCK + c] = True
        _lay_edges(
            _COUNT, layer, layer_signs, of_rings, near, size, cell_west, cell_south, 0,
            touched, place, pieces, marks, winding, active, counts, is_active,
        )  # fmt: skip
        for cell in range(BLOCK * BLOCK):
            starts[cell + 1] = starts[cell] + place[cell]
            place[cell] = starts[cell]
        if starts[-1] > len(marks):
            pieces, marks = np.empty((4, 2 * starts[-1])), np.empty(2 * starts[-1], np.int64)
        _lay_edges(
            _FILL, layer, layer_signs, of_rings, near, size, cell_west, cell_south, 0,
            touched, place, pieces, marks, winding, active, counts, is_active,
        )  # fmt: skip
        begins, which, times = _wind_cells(starts, marks, touched, winding, active, counts, is_active)
        if watches:
            doubled_ends, doubled = mark_doubled(
                starts, pieces, marks, begins, which, times, touched, watched, size
            )
        found, areas = _share_block(
            coordinates, rings, signs, first, boxes, listed, edges, size, cell_west, cell_south,
            starts, pieces, marks, begins, which, times, doubled_ends, doubled, watched, names,
            ends, done, found, areas,
        )  # fmt: skip
        done += len(listed)
    return ends, found[: ends[-1]], areas[: ends[-1]]
