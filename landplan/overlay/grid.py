"""Areas shared with layers by the compiled way: parcels and outlines over one grid, row of blocks by row of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from landplan.cores import count_threads
from landplan.overlay.blocks import find_near, join_shares, list_boxes, list_runs, mark_steps, sort_runs
from landplan.overlay.kernel import share_row
from landplan.overlay.rings import Rings, join_rings, rings_of
from landplan.overlay.trapezoids import BLOCK

__all__ = ["Field", "Near", "Sums", "lay_field", "near_of", "sum_areas", "sum_rings"]

_Array = np.ndarray[Any, Any]

CELL_M = 64.0
"""Side of a cell; a power of two, so that a cell's corner is exact in every coordinate."""

_ACROSS = 16  # a parcel wider than so many cells is measured on a coarser grid
_STEP = 4  # cells across the squares by which outlines are chosen
_SQUARES = 1 << 23  # of them at most: 64 MB
_BLOCKS = 1 << 21  # blocks at most that parcels are listed for at a time


@dataclass(frozen=True)
class Near:
    """
    Where parcels lie, on a coarse grid.

    Parameters
    ----------
    sums : array of int64
        Marked squares south-west of each corner.
    step : float
        Side of a square.
    west, south : int
        Number of the first column and row.
    """

    sums: _Array
    step: float
    west: int
    south: int

    def finds(self, boxes: _Array) -> _Array:
        """
        Tell which boxes come near a parcel.

        Parameters
        ----------
        boxes : array of float64, m x 4
            West, south, east, north.

        Returns
        -------
        array of bool, m
            False only where nothing of the box can matter to any parcel.
        """
        return find_near(boxes, self.sums, self.step, self.west, self.south)


@dataclass(frozen=True)
class Sums:
    """
    Area of each parcel under each code.

    Parameters
    ----------
    parcel, code : arrays of int64
        Ordered by parcel, then code. A code that lies near a parcel and not in it may have a row of 0 or of rounding.
    area : array of float64
        In m2.
    """

    parcel: _Array
    code: _Array
    area: _Array


@dataclass(frozen=True, eq=False)
class _Region:
    """Parcels measured by cells of one size, and the blocks around them."""

    cell: float
    blocks: tuple[float, int, int, int, int]
    longest: int
    is_asked: _Array
    begins: _Array
    lists: _Array


@dataclass(frozen=True, eq=False)
class Field:
    """
    Parcels and the grid they lie in: what every layer goes over.

    Parameters
    ----------
    rings : Rings
        Of the parcels.
    boxes : array of float64, n x 4
        West, south, east, north of each; NaN without a shape.
    firsts : array of int64, n + 1
        At which ring each begins.
    near : Near or None
        Where they lie; None where none has a shape.
    regions : tuple
        Parcels by the size of their cells.
    """

    rings: Rings
    boxes: _Array
    firsts: _Array
    near: Near | None
    regions: tuple[_Region, ...]


def lay_field(rings: Rings, size: float = CELL_M) -> Field:
    """
    Lay the grid out under parcels.

    Parameters
    ----------
    rings : Rings
        Valid parcels in a plane in metres.
    size : float
        Side of a cell in metres, a power of two.

    Returns
    -------
    Field
        Good for any number of layers.

    Raises
    ------
    ValueError
        If ``size`` is no power of two.
    """
    if np.frexp(size)[0] != 0.5:
        raise ValueError(f"the side of a cell must be a power of two, not {size}")
    boxes, firsts = rings.bounds(), rings.firsts()
    drawn = np.flatnonzero(~np.isnan(boxes[:, 0]))
    if not len(drawn):
        return Field(rings, boxes, firsts, None, ())
    vertices = np.diff(rings.begins[firsts])
    cells = _cells_of(boxes[drawn], size)
    regions = []
    for side in np.unique(cells):
        for cell, chosen in _regions(boxes, drawn[cells == side], float(side)):
            span = cell * BLOCK
            # One column more to the west gathers what the edges beyond it do to the rows.
            west, south = (np.floor(boxes[chosen, :2].min(axis=0) / span)).astype(np.int64).tolist()
            east, north = (np.floor(boxes[chosen, 2:].max(axis=0) / span)).astype(np.int64).tolist()
            west -= 1
            blocks = (span, west, south, east - west + 1, north - south + 1)
            begins, lists = list_boxes(boxes, chosen, *blocks)
            is_asked = np.diff(begins[:: blocks[3]]) > 0
            regions.append(_Region(cell, blocks, int(vertices[chosen].max()), is_asked, begins, lists))
    return Field(rings, boxes, firsts, near_of(boxes, size), tuple(regions))


def _cells_of(boxes: _Array, size: float) -> _Array:
    """
    Side of the cells each parcel is measured by.

    That is the parcel's own affair, never its neighbours': the same parcel gives the same digits in every company.
    """
    width = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    cells: _Array = size * 2.0 ** np.ceil(np.log2(np.maximum(width / (_ACROSS * size), 1.0)))
    return cells


def near_of(boxes: _Array, size: float = CELL_M) -> Near:
    """
    Mark where parcels lie, for outlines to be chosen by.

    Parameters
    ----------
    boxes : array of float64, n x 4
        West, south, east, north of each parcel; NaN without a shape. At least one has a shape.
    size : float
        Side of a cell in metres.

    Returns
    -------
    Near
        Good for the same parcels only.
    """
    drawn = boxes[~np.isnan(boxes[:, 0])]
    cells = _cells_of(drawn, size)
    low, high = drawn[:, :2].min(axis=0) - cells.max(), drawn[:, 2:].max(axis=0) + cells.max()
    step = size * _STEP
    while True:
        west, south = np.floor(low / step)
        east, north = np.floor(high / step)
        columns, rows = east - west + 1, north - south + 1
        if columns * rows <= _SQUARES:
            break
        step *= 2
    grid = (step, int(west), int(south))
    return Near(mark_steps(drawn, cells, *grid, int(columns), int(rows)), *grid)


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
        Parcel (0 to n - 1), code and area, as ``Sums`` has them.

    Raises
    ------
    ValueError
        If ``size`` is no power of two.
    """
    found = sum_rings(rings_of(shapes), [(rings_of(features), codes)], size=size, workers=workers)
    return found.parcel, found.code, found.area


def sum_rings(
    parcels: Rings | Field,
    layers: Sequence[tuple[Rings, _Array]],
    *,
    once: _Array | None = None,
    size: float = CELL_M,
    workers: int | None = None,
) -> Sums:
    """
    Sum the areas that features of each code share with each parcel, over any number of layers at once.

    Parameters
    ----------
    parcels : Rings or Field
        Valid parcels in a plane in metres; laid out already where they are asked more than once.
    layers : sequence of (Rings, array of int64)
        Valid features in the same plane, and the code of each, from 0. Layers that are to be told apart have codes of their
        own.
    once : array of bool or None
        Codes of which land that several of their features cover counts once; by default it counts as often as it is covered.
    size : float
        Side of a cell in metres, a power of two; of a field that is laid out, its own.
    workers : int or None
        Threads; as many as there are processors by default. No thread changes a digit.

    Returns
    -------
    Sums
        Rows are those of ``parcels``; one without a shape shares nothing.

    Raises
    ------
    ValueError
        If ``size`` is no power of two.
    """
    field = parcels if isinstance(parcels, Field) else lay_field(parcels, size)
    if field.near is None or not layers:
        nothing = np.zeros(0, np.int64)
        return Sums(nothing, nothing, np.zeros(0))
    own = field.rings
    layer = join_rings([rings for rings, _ in layers])
    codes = np.concatenate([codes for _, codes in layers]).astype(np.int64)
    count = int(codes.max(initial=-1)) + 1
    is_once = np.zeros(count, dtype=np.bool_) if once is None else once
    of_rings = codes[layer.rows]
    near = np.flatnonzero(field.near.finds(layer.boxes))
    found: list[tuple[_Array, _Array, _Array]] = []
    threads = workers or count_threads()
    with ThreadPoolExecutor(threads) as pool:
        for region in field.regions:
            blocks = region.blocks
            stretches = pool.map(
                lambda rings, region=region: list_runs(
                    layer.coordinates, layer.begins, rings, region.is_asked, *region.blocks
                ),
                np.array_split(near, threads),
            )
            run_begins, runs = sort_runs(np.concatenate(list(stretches)), blocks[3] * blocks[4])

            def work(
                row: int, region: _Region = region, run_begins: _Array = run_begins, runs: _Array = runs
            ) -> tuple[_Array, _Array, _Array]:
                _, west, south, columns, _ = region.blocks
                return share_row(
                    own.coordinates, own.begins, own.signs, field.firsts, field.boxes, region.longest,
                    layer.coordinates, layer.signs, of_rings, count, is_once,
                    region.cell, west, south, columns, row, run_begins, runs, region.begins, region.lists,
                )  # fmt: skip

            found += pool.map(work, np.flatnonzero(region.is_asked).tolist())
    ends = np.cumsum(np.concatenate([[0], *(np.diff(part[0]) for part in found)]))
    lists = np.concatenate([region.lists for region in field.regions])
    areas = np.concatenate([part[2] for part in found])
    return Sums(*join_shares(lists, ends, np.concatenate([part[1] for part in found]), areas, own.count))


def _regions(boxes: _Array, chosen: _Array, cell: float) -> Iterator[tuple[float, _Array]]:
    """Cell and parcels, halved until the blocks around them can be listed."""
    span = cell * BLOCK
    low = np.floor(boxes[chosen, :2].min(axis=0) / span)
    high = np.floor(boxes[chosen, 2:].max(axis=0) / span)
    wide = high - low + 2
    if wide.prod() <= _BLOCKS or len(chosen) == 1:
        yield cell, chosen
        return
    order = np.argsort(boxes[chosen, int(wide.argmax())], kind="stable")
    half = len(chosen) // 2
    yield from _regions(boxes, np.sort(chosen[order[:half]]), cell)
    yield from _regions(boxes, np.sort(chosen[order[half:]]), cell)
