"""Which outlines come near which parcels, found before any area is summed; compiled by numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from landplan.overlay.compiled import compile_loop

__all__ = ["find_near", "join_shares", "list_boxes", "list_runs", "mark_steps", "sort_runs"]

_Array = np.ndarray[Any, Any]


@compile_loop
def mark_steps(
    boxes: _Array, sizes: _Array, step: float, west: int, south: int, columns: int, rows: int
) -> _Array:
    """
    Mark the squares that the cells of parcels touch, and sum the marks towards the north-east.

    Parameters
    ----------
    boxes : array of float64, n x 4
        West, south, east, north of each parcel.
    sizes : array of float64, n
        Side of each parcel's cells, a power of two.
    step, west, south, columns, rows : float and ints
        Side of a square, a power of two; number of the first column and row, counted from coordinate 0; how many.

    Returns
    -------
    array of int64, rows + 1 x columns + 1
        How many marked squares lie south-west of each corner.
    """
    sums = np.zeros((rows + 1, columns + 1), np.int64)
    for p in range(len(boxes)):
        size = sizes[p]
        # A whole cell is asked for, so that it holds the same whoever else is measured.
        c0 = int(np.floor(np.floor(boxes[p, 0] / size) * size / step)) - west
        k0 = int(np.floor(np.floor(boxes[p, 1] / size) * size / step)) - south
        c1 = int(np.floor((np.floor(boxes[p, 2] / size) + 1) * size / step)) - west
        k1 = int(np.floor((np.floor(boxes[p, 3] / size) + 1) * size / step)) - south
        for k in range(max(k0, 0), min(k1, rows - 1) + 1):
            for c in range(max(c0, 0), min(c1, columns - 1) + 1):
                sums[k + 1, c + 1] = 1
    for k in range(1, rows + 1):
        along = 0
        for c in range(1, columns + 1):
            along += sums[k, c]
            sums[k, c] = sums[k - 1, c] + along
    return sums


@compile_loop
def find_near(boxes: _Array, sums: _Array, step: float, west: int, south: int) -> _Array:
    """
    Tell which boxes touch a marked square.

    Parameters
    ----------
    boxes : array of float64, m x 4
        West, south, east, north.
    sums, step, west, south
        As ``mark_steps`` gives and takes.

    Returns
    -------
    array of bool, m
        A closed outline away from every marked square shares nothing with what lies in one, and winds round none.
    """
    rows, columns = sums.shape[0] - 1, sums.shape[1] - 1
    near = np.zeros(len(boxes), np.bool_)
    for q in range(len(boxes)):
        if not boxes[q, 0] <= boxes[q, 2]:
            continue
        c0 = max(np.floor(boxes[q, 0] / step) - west, 0.0)
        k0 = max(np.floor(boxes[q, 1] / step) - south, 0.0)
        c1 = min(np.floor(boxes[q, 2] / step) - west, columns - 1.0)
        k1 = min(np.floor(boxes[q, 3] / step) - south, rows - 1.0)
        if c0 <= c1 and k0 <= k1:
            w, s, e, n = int(c0), int(k0), int(c1) + 1, int(k1) + 1
            near[q] = sums[n, e] - sums[s, e] - sums[n, w] + sums[s, w] > 0
    return near


@compile_loop
def list_boxes(
    boxes: _Array, chosen: _Array, span: float, west: int, south: int, columns: int, rows: int
) -> tuple[_Array, _Array]:
    """
    List the parcels near each block.

    Parameters
    ----------
    boxes : array of float64, n x 4
        Of all parcels.
    chosen : array of int64
        Which parcels.
    span, west, south, columns, rows : float and ints
        Side of a block, a power of two; number of the first column and row, counted from coordinate 0; how many.

    Returns
    -------
    arrays of int64
        Where the list of each block begins (row after row from the south), and parcels in the order chosen.
    """
    begins = np.zeros(columns * rows + 1, np.int64)
    lists = np.empty(0, np.int64)
    for work in range(2):
        for j in range(len(chosen)):
            p = chosen[j]
            c0 = int(np.floor(boxes[p, 0] / span)) - west
            k0 = int(np.floor(boxes[p, 1] / span)) - south
            c1 = int(np.floor(boxes[p, 2] / span)) - west
            k1 = int(np.floor(boxes[p, 3] / span)) - south
            for k in range(k0, k1 + 1):
                for c in range(c0, c1 + 1):
                    block = k * columns + c
                    if work == 1:
                        lists[begins[block]] = p
                    begins[block if work else block + 1] += 1
        if work == 0:
            for block in range(columns * rows):
                begins[block + 1] += begins[block]
            lists = np.empty(begins[-1], np.int64)
    for block in range(columns * rows, 0, -1):
        begins[block] = begins[block - 1]
    begins[0] = 0
    return begins, lists


@compile_loop
def list_runs(
    coordinates: _Array, rings: _Array, chosen: _Array, is_asked: _Array,
    span: float, west: int, south: int, columns: int, rows: int,
) -> _Array:  # fmt: skip
    """
    List the stretches of edges near blocks.

    Parameters
    ----------
    coordinates, rings : arrays
        Vertices; where rings begin.
    chosen : array of int64
        Which rings, in rising order.
    is_asked : array of bool, rows
        Whether any parcel lies in a row of blocks.
    span, west, south, columns, rows : float and ints
        As in ``list_boxes``; the first column stands for all land west of it.

    Returns
    -------
    array of int64, k x 4
        First vertex, last vertex, ring and block of each stretch, ring after ring.
    """
    runs = np.empty((2 * len(chosen) + 16, 4), np.int64)
    filled = 0
    per_m = 1.0 / span
    for j in range(len(chosen)):
        ring = chosen[j]
        open_block = -1
        i = rings[ring]
        ca = np.floor(coordinates[i, 0] * per_m)
        ka = np.floor(coordinates[i, 1] * per_m)
        for i in range(rings[ring], rings[ring + 1] - 1):
            cb = np.floor(coordinates[i + 1, 0] * per_m)
            kb = np.floor(coordinates[i + 1, 1] * per_m)
            c0, c1 = min(ca, cb) - west, max(ca, cb) - west
            k0, k1 = min(ka, kb) - south, max(ka, kb) - south
            ca, ka = cb, kb
            if c0 >= columns or k1 < 0 or k0 >= rows:
                open_block = -1
                continue
            w, e = int(max(c0, 0.0)), int(min(max(c1, 0.0), columns - 1.0))
            s, n = int(max(k0, 0.0)), int(min(k1, rows - 1.0))
            if w == e and s == n:
                block = s * columns + w
                if block == open_block:
                    runs[filled - 1, 1] = i + 1
                    continue
                open_block = block
            else:
                open_block = -1
            for k in range(s, n + 1):
                if not is_asked[k]:
                    open_block = -1
                    continue
                for c in range(w, e + 1):
                    if filled == len(runs):
                        runs = np.concatenate((runs, np.empty_like(runs)))
                    runs[filled, 0], runs[filled, 1] = i, i + 1
                    runs[filled, 2], runs[filled, 3] = ring, k * columns + c
                    filled += 1
    return runs[:filled]


@compile_loop
def sort_runs(runs: _Array, blocks: int) -> tuple[_Array, _Array]:
    """
    Order stretches of edges by block.

    Parameters
    ----------
    runs : array of int64, k x 4
        As ``list_runs`` gives, ring after ring.
    blocks : int
        How many blocks there are.

    Returns
    -------
    arrays of int64
        Where the stretches of each block begin; first vertex, last vertex and ring of each.
    """
    begins = np.zeros(blocks + 2, np.int64)
    for q in range(len(runs)):
        begins[runs[q, 3] + 2] += 1
    for block in range(blocks):
        begins[block + 2] += begins[block + 1]
    ordered = np.empty((len(runs), 3), np.int64)
    for q in range(len(runs)):
        at = begins[runs[q, 3] + 1]
        begins[runs[q, 3] + 1] = at + 1
        ordered[at] = runs[q, :3]
    return begins[:-1], ordered


@compile_loop
def join_shares(
    lists: _Array, ends: _Array, found: _Array, areas: _Array, parcels: int
) -> tuple[_Array, _Array, _Array]:
    """
    Order what was found by parcel and code, and add up what one parcel shares with one code in several blocks.

    Parameters
    ----------
    lists : array of int64, k
        Parcel of each list.
    ends : array of int64, k + 1
        Where the codes of each list begin.
    found, areas : arrays of int32 and float64
        Codes, rising in each list, and their areas.
    parcels : int
        How many parcels there are.

    Returns
    -------
    arrays of int64, int64, float64
        Parcel, code and area, ordered.
    """
    begins = np.zeros(parcels + 2, np.int64)
    for j in range(len(lists)):
        begins[lists[j] + 2] += 1
    for p in range(parcels):
        begins[p + 2] += begins[p + 1]
    order = np.empty(len(lists), np.int64)
    for j in range(len(lists)):
        at = begins[lists[j] + 1]
        begins[lists[j] + 1] = at + 1
        order[at] = j
    owner, codes = np.empty(len(found), np.int64), np.empty(len(found), np.int64)
    sums = np.empty(len(found))
    filled = 0
    for p in range(parcels):
        begin = filled
        for o in range(begins[p], begins[p + 1]):
            for q in range(ends[order[o]], ends[order[o] + 1]):
                codes[filled], sums[filled] = found[q], areas[q]
                filled += 1
        if begins[p + 1] - begins[p] > 1:
            # In several blocks: what one code has in each is added in the order of the blocks.
            ranks = np.argsort(codes[begin:filled], kind="mergesort")
            of_codes, of_areas = codes[begin:filled][ranks], sums[begin:filled][ranks]
            filled = begin
            for a in range(len(of_codes)):
                if filled > begin and codes[filled - 1] == of_codes[a]:
                    sums[filled - 1] += of_areas[a]
                    continue
                codes[filled], sums[filled] = of_codes[a], of_areas[a]
                filled += 1
        owner[begin:filled] = p
    return owner[:filled], codes[:filled], sums[:filled]
