"""Polygons as plain arrays of outlines: what the compiled way measures, from shapes or from files alike."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from landplan.cores import count_threads

if TYPE_CHECKING:
    import pyarrow as pa

    from landplan.overlay.grid import Near

__all__ = ["Rings", "join_rings", "rings_of", "rings_of_lists", "rings_of_wkb"]

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rings:
    """
    Polygons as outlines one behind the other.

    Parameters
    ----------
    coordinates : array of float64, v x 2
        Vertices in a plane in metres; each ring ends where it began.
    begins : array of int64, r + 1
        At which vertex each ring begins.
    signs : array of int8, r
        1 where an outer ring runs anticlockwise or a hole clockwise, else -1.
    boxes : array of float64, r x 4
        West, south, east and north of each ring.
    rows : array of int64, r
        Which polygon each ring belongs to, never falling; a polygon may have none.
    count : int
        How many polygons there are.
    """

    coordinates: _Array
    begins: _Array
    signs: _Array
    boxes: _Array
    rows: _Array
    count: int

    def firsts(self) -> _Array:
        """
        Find at which ring each polygon begins.

        Returns
        -------
        array of int64, count + 1
            And where the last ends.
        """
        return np.searchsorted(self.rows, np.arange(self.count + 1)).astype(np.int64)

    def bounds(self) -> _Array:
        """
        Find the box of each polygon.

        Returns
        -------
        array of float64, count x 4
            NaN where a polygon has no ring.
        """
        firsts = self.firsts()
        boxes = np.full((self.count, 4), np.nan)
        drawn = np.diff(firsts) > 0
        begins = firsts[:-1][drawn]
        if len(begins):
            boxes[drawn, :2] = np.minimum.reduceat(self.boxes[:, :2], begins)
            boxes[drawn, 2:] = np.maximum.reduceat(self.boxes[:, 2:], begins)
        return boxes


def _rings(coordinates: _Array, begins: _Array, rows: _Array, is_shell: _Array, count: int) -> Rings:
    from landplan.overlay.outlines import measure_rings

    signs, boxes = measure_rings(coordinates, begins, is_shell)
    return Rings(coordinates, begins, signs, boxes, rows, count)


def rings_of(shapes: _Array) -> Rings:
    """
    Take the outlines out of polygons.

    Parameters
    ----------
    shapes : array of n polygons and multipolygons
        Valid, in a plane in metres; missing and empty ones have no ring.

    Returns
    -------
    Rings
        Of the same polygons in the same order.
    """
    from landplan.crs import take_apart

    points, begins, rows, is_hole = take_apart(shapes)
    return _rings(np.ascontiguousarray(points, dtype=np.float64), begins, rows, ~is_hole, len(shapes))


def rings_of_wkb(columns: Sequence[pa.Array], near: Near | None = None, workers: int | None = None) -> Rings:
    """
    Take the outlines out of columns of well-known binary, making no geometry.

    Parameters
    ----------
    columns : sequence of pyarrow arrays of binary or large_binary
        Polygons and multipolygons, heights and measures ignored; a missing or empty one has no ring.
    near : Near or None
        Only outlines near parcels are taken; the others would share nothing.
    workers : int or None
        Threads; as many as there are processors by default.

    Returns
    -------
    Rings
        Of the rows of all columns, one behind the other.

    Raises
    ------
    shapely.errors.ShapelyError
        If a row is damaged.
    ValueError
        If a row is no polygon.
    """
    from landplan.overlay.outlines import copy_wkb, scan_wkb

    bytes_of = [_bytes_of(column) for column in columns]
    scans = [scan_wkb(*column) for column in bytes_of]
    if any(rings < 0 for rings, _ in scans):
        # Written by rare hands (high byte first, collections): GEOS reads or refuses it.
        return join_rings([_rings_of_odd(column) for column in columns])
    first = np.cumsum([0, *(vertices for _, vertices in scans)])
    rows = np.cumsum([0, *(len(column) for column in columns)])
    # Laid out whole at once: nothing is copied twice, and what is not wanted takes no memory.
    coordinates = np.empty((first[-1], 2))
    sums, step, west, south = np.empty((0, 0), np.int64), 1.0, 0, 0
    if near is not None:
        sums, step, west, south = near.sums, near.step, near.west, near.south

    def take(k: int) -> tuple[_Array, ...]:
        rings = scans[k][0] + 1
        begins, signs = np.empty(rings, np.int64), np.empty(rings, np.int8)
        boxes, owners = np.empty((rings, 4)), np.empty(rings, np.int64)
        binary, offsets = bytes_of[k]
        kept, vertices = copy_wkb(
            binary, offsets, int(rows[k]), int(first[k]), sums, step, west, south,
            coordinates, begins, signs, boxes, owners,
        )  # fmt: skip
        if vertices < scans[k][1]:
            # A ring that is nowhere stands for the room that was left.
            begins[kept], signs[kept], boxes[kept] = first[k] + vertices, 1, np.nan
            owners[kept] = rows[k + 1] - 1
            kept += 1
        return begins[:kept], signs[:kept], boxes[:kept], owners[:kept]

    with ThreadPoolExecutor(workers or count_threads()) as pool:
        begins, signs, boxes, owners = (
            np.concatenate(part) for part in zip(*pool.map(take, range(len(columns))), strict=True)
        )
    return Rings(coordinates, np.append(begins, first[-1]), signs, boxes, owners, int(rows[-1]))


def _bytes_of(column: pa.Array) -> tuple[_Array, _Array]:
    import pyarrow as pa

    if column.null_count:
        column = column.fill_null(b"")
    if len(column) == 0:
        return np.frombuffer(b"", np.uint8), np.zeros(1, np.int64)
    wide = pa.types.is_large_binary(column.type)
    _, ends, data = column.buffers()
    offsets = np.frombuffer(ends, np.int64 if wide else np.int32)[column.offset :][: len(column) + 1]
    binary = np.frombuffer(b"" if data is None else data, np.uint8)
    binary.flags.writeable = False
    return binary, offsets.astype(np.int64)


def _rings_of_odd(column: pa.Array) -> Rings:
    import shapely

    shapes = shapely.from_wkb(np.array([value or None for value in column.to_pylist()], dtype=object))
    kinds = np.unique(shapely.get_type_id(shapes[~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)]))
    if not np.isin(kinds, (3, 6)).all():
        raise ValueError(f"polygons are measured, not geometries of type {kinds.tolist()}")
    return rings_of(shapes)


def rings_of_lists(column: pa.Array) -> Rings:
    """
    Take the outlines out of a GeoArrow column: lists of parts of rings of vertices.

    Parameters
    ----------
    column : pyarrow array of n rows
        Polygons (rings of vertices) or multipolygons (parts of them), vertices as structs of x and y or as pairs.

    Returns
    -------
    Rings
        Of the same rows in the same order.

    Raises
    ------
    ValueError
        If the lists are no polygons.
    """
    import pyarrow as pa

    def is_list(kind: Any) -> bool:
        return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))

    count = len(column)
    offsets: list[_Array] = []
    while is_list(column.type):
        if column.null_count:
            column = pa.array(
                [[] if value is None else value for value in column.to_pylist()], type=column.type
            )
        ends = column.offsets.to_numpy().astype(np.int64)
        offsets.append(ends - ends[0])
        column = column.flatten()
    if len(offsets) not in (2, 3):
        raise ValueError(f"polygons are measured, not lists of type {column.type}")
    if pa.types.is_struct(column.type):
        columns = [column.field(name).to_numpy() for name in ("x", "y")]
        points = np.ascontiguousarray(np.column_stack(columns), dtype=np.float64)
    else:
        points = column.flatten().to_numpy().reshape(len(column), -1)[:, :2]
        points = np.ascontiguousarray(points, dtype=np.float64)
    *upper, begins = offsets
    of_parts = upper[-1]
    rows = np.repeat(np.arange(len(of_parts) - 1), np.diff(of_parts))
    if len(upper) == 2:
        rows = np.repeat(np.arange(count), np.diff(upper[0]))[rows]
    is_shell = np.zeros(len(begins) - 1, dtype=np.bool_)
    is_shell[of_parts[:-1][np.diff(of_parts) > 0]] = True
    return _rings(points, begins, rows.astype(np.int64), is_shell, count)


def join_rings(parts: Sequence[Rings]) -> Rings:
    """
    Put polygons behind one another.

    Parameters
    ----------
    parts : sequence of Rings
        At least one.

    Returns
    -------
    Rings
        Of all of them.
    """
    if len(parts) == 1:
        return parts[0]
    vertices = np.cumsum([0, *(len(part.coordinates) for part in parts)])
    counts = np.cumsum([0, *(part.count for part in parts)])
    begins = [part.begins[:-1] + at for part, at in zip(parts, vertices, strict=False)]
    return Rings(
        np.concatenate([part.coordinates for part in parts]),
        np.concatenate([*begins, vertices[-1:]]),
        np.concatenate([part.signs for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.rows + at for part, at in zip(parts, counts, strict=False)]),
        int(counts[-1]),
    )
