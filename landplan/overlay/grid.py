"""Areas shared with a layer by the compiled way: parcels in patches that lie close together, each over a grid of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import shapely

from landplan.overlay.kernel import fill_cells, mark_cells, share_cells, sign_rings, wind_cells

__all__ = ["sum_areas"]

_Array = np.ndarray[Any, Any]

CELL_M = 64.0
"""Side of a cell; a power of two, so that a cell's corner is exact in every coordinate."""

_ACROSS = 16  # a parcel wider than so many cells is measured on a coarser grid
_LARGE, _LITTLE = 20_000, 1_000  # parcels one thread takes at a time, at most and at least
_CELLS = 1 << 22  # cells of one patch: some 100 MB with what lies in them


@dataclass(frozen=True)
class _Flat:
    """Polygons as plain arrays: which rings, of which sign, belong to which row."""

    coordinates: _Array
    rings: _Array
    signs: _Array
    parts: _Array
    rows: _Array
    boxes: _Array


def _flatten(shapes: _Array) -> _Flat:
    parts, rows = shapely.get_parts(shapes, return_index=True)
    points = np.ascontiguousarray(shapely.get_coordinates(parts), dtype=np.float64)
    holes = shapely.get_num_interior_rings(parts)
    begins = np.concatenate([[0], np.cumsum(holes + 1)])
    lengths = np.empty(begins[-1], dtype=np.int64)
    # Rings are made into objects only where there are holes; a part without is its own ring.
    plain = holes == 0
    lengths[begins[:-1][plain]] = shapely.get_num_coordinates(parts[plain])
    is_holed = np.repeat(~plain, holes + 1)
    lengths[is_holed] = shapely.get_num_coordinates(shapely.get_rings(parts[~plain]))
    rings = np.concatenate([[0], np.cumsum(lengths)])
    is_shell = np.zeros(len(lengths), dtype=np.bool_)
    is_shell[begins[:-1]] = True
    signs = sign_rings(points, rings, is_shell)
    return _Flat(points, rings, signs, begins, rows.astype(np.int64), shapely.bounds(parts))


def _find_near(boxes: _Array, reach: _Array) -> _Array:
    meets = (boxes[:, 0] <= reach[2]) & (boxes[:, 2] >= reach[0])
    return np.flatnonzero(meets & (boxes[:, 1] <= reach[3]) & (boxes[:, 3] >= reach[1]))


def _rings_of(parts: _Array, flat: _Flat) -> _Array:
    counts = flat.parts[parts + 1] - flat.parts[parts]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rings: _Array = np.repeat(flat.parts[parts], counts) + within
    return rings


def _patches(boxes: _Array, size: float, most: int) -> Iterator[tuple[float, _Array]]:
    """
    Cell size and parcels of each patch.

    A parcel's cell size is its own affair, never its neighbours': the same parcel gives the same digits in every patch.
    """
    width = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    coarser = np.ceil(np.log2(np.maximum(width / (_ACROSS * size), 1.0))).astype(np.int64)
    centres = geopandas.GeoSeries(shapely.points((boxes[:, :2] + boxes[:, 2:]) / 2))
    order = np.argsort(centres.hilbert_distance().to_numpy(), kind="stable")
    for level in np.unique(coarser):
        cell = float(size * 2.0**level)
        waiting = [order[coarser[order] == level]]
        while waiting:
            patch = waiting.pop()
            west, south = np.floor(boxes[patch, :2].min(axis=0) / cell)
            east, north = np.floor(boxes[patch, 2:].max(axis=0) / cell)
            too_wide = (east - west + 2) * (north - south + 1) > _CELLS
            if len(patch) > most or (too_wide and len(patch) > 1):
                half = len(patch) // 2
                waiting += [patch[half:], patch[:half]]
            else:
                yield cell, patch


def _measure_patch(
    parcels: _Flat,
    first: _Array,
    boxes: _Array,
    cell: float,
    patch: _Array,
    layer: _Flat,
    codes: _Array,
    count: int,
) -> tuple[_Array, _Array, _Array]:
    low, high = boxes[patch, :2].min(axis=0), boxes[patch, 2:].max(axis=0)
    # One column more to the west gathers what the edges beyond it do to the rows.
    west, south = int(np.floor(low[0] / cell)) - 1, int(np.floor(low[1] / cell))
    columns, rows = int(np.floor(high[0] / cell)) - west + 1, int(np.floor(high[1] / cell)) - south + 1
    # All that comes near the cells, not only near the parcels: a cell must hold the same whoever else is in the patch.
    reach = np.array([west + 1, south, west + columns, south + rows]) * cell
    near = _find_near(layer.boxes, reach)
    grid = (cell, west, south, columns, rows)
    touched = mark_cells(boxes[patch], *grid)
    chosen = _rings_of(near, layer)
    edges = (layer.coordinates, layer.rings, layer.signs, codes, chosen, *grid, touched)
    place = np.zeros(columns * rows, dtype=np.int64)
    nothing = np.empty((0, 4)), np.empty(0, dtype=np.int64)
    fill_cells(True, *edges, place, *nothing)
    starts = np.concatenate([[0], np.cumsum(place)])
    pieces, marks = np.empty((starts[-1], 4)), np.empty(starts[-1], dtype=np.int64)
    fill_cells(False, *edges, starts[:-1].copy(), pieces, marks)
    winding = wind_cells(starts, marks, columns, rows, count, touched)
    longest = int(np.max(parcels.rings[first[patch + 1]] - parcels.rings[first[patch]]))
    return share_cells(
        parcels.coordinates, parcels.rings, parcels.signs, first, longest, patch, boxes, *grid, count,
        starts, pieces, marks, *winding,
    )  # fmt: skip


def sum_areas(
    shapes: _Array,
    features: _Array,
    codes: _Array,
    *,
    size: float = CELL_M,
    workers: int | None = None,
) -> tuple[_Array, _Array, _Array]:
    """
    Sum the areas that features of each code share with each parcel, without building what they share.

    Parameters
    ----------
    shapes : array of n polygons
        Valid parcels in a plane in metres, none missing or empty.
    features : array of m polygons
        Valid, in the same plane.
    codes : array of int64, m
        What tells features apart, from 0.
    size : float
        Side of a cell in metres, a power of two.
    workers : int or None
        Threads; as many as there are processors by default. No thread changes a digit.

    Returns
    -------
    arrays of int64, int64, float64
        Parcel (0 to n - 1), code and area, ordered by parcel and code. Land that two features of one code cover counts
        twice. Where a code lies near a parcel and not in it, there may be a row of 0 or of rounding (1e-9 m2).

    Raises
    ------
    ValueError
        If ``size`` is no power of two.
    """
    if np.frexp(size)[0] != 0.5:
        raise ValueError(f"the side of a cell must be a power of two, not {size}")
    if len(shapes) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    parcels = _flatten(shapes)
    # Rings of one parcel follow one another, part after part.
    first = parcels.parts[np.searchsorted(parcels.rows, np.arange(len(shapes) + 1))]
    boxes = shapely.bounds(shapes)
    threads = workers or os.cpu_count() or 1
    # Four patches for each thread, that none waits long for another.
    jobs = list(_patches(boxes, size, min(_LARGE, max(_LITTLE, len(shapes) // (4 * threads)))))
    margin = max(cell for cell, _ in jobs)
    reach = np.concatenate([boxes[:, :2].min(axis=0) - margin, boxes[:, 2:].max(axis=0) + margin])
    near = _find_near(shapely.bounds(features), reach)
    layer = _flatten(features[near])
    of_rings = np.repeat(codes[near][layer.rows], np.diff(layer.parts)).astype(np.int64)
    count = int(codes.max(initial=-1)) + 1

    def work(job: tuple[float, _Array]) -> tuple[_Array, _Array, _Array]:
        return _measure_patch(parcels, first, boxes, *job, layer, of_rings, count)

    if min(threads, len(jobs)) > 1:
        with ThreadPoolExecutor(min(threads, len(jobs))) as pool:
            found = list(pool.map(work, jobs))
    else:
        found = [work(job) for job in jobs]
    rows, found_codes, areas = (np.concatenate([part[k] for part in found]) for k in range(3))
    order = np.lexsort((found_codes, rows))
    return rows[order], found_codes[order], areas[order]
