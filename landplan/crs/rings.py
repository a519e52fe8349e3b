"""Polygons taken apart into rings of plain numbers, and which of them are valid."""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import shapely

from landplan.cores import count_threads

__all__ = ["Rings", "are_valid", "lay_out_rings", "parts_of", "take_apart"]

_Array = np.ndarray[Any, Any]

_POLYGON = 3
_VALID_AT_ONCE = 5_000  # so few that their points stay near the processor
_LONG = 5_000  # points, from which on what GEOS says of a shape is kept as long as the shape is
_SAID: dict[int, tuple[weakref.ref[Any], bool]] = {}
_SURE = 4.0 * 2.0**-53  # more than the rounding of a cross product of differences (Shewchuk 1997: 3 + 16 ulp)
_LEAST = 1e-290  # below it products lose digits


@dataclass(frozen=True)
class Rings:
    """
    Polygons taken apart into rings of plain numbers.

    Parameters
    ----------
    points : array of float64, k x 2
        Every point, closing points included.
    begins : array of int64, m + 1
        First point of each ring, and one past the last.
    owners : array of int64, m
        Position of the shape each ring belongs to; shells before their holes.
    is_hole : array of bool, m
        Whether a ring is a hole.
    areas : array of float64, m
        Area within each ring; positive where land lies to the left of it as it is drawn.
    """

    points: _Array
    begins: _Array
    owners: _Array
    is_hole: _Array
    areas: _Array


def parts_of(shapes: Any) -> tuple[_Array, _Array]:
    """
    Take shapes apart into polygons; where there is nothing to take apart, no shape is made anew.

    Parameters
    ----------
    shapes : array of n polygons or multipolygons
        None missing.

    Returns
    -------
    tuple of array
        Polygons, and the position of the shape each belongs to.
    """
    whole = np.asarray(shapes, dtype=object)
    if (shapely.get_type_id(whole) == _POLYGON).all():
        return whole, np.arange(len(whole))
    parts, owner = shapely.get_parts(whole, return_index=True)
    return parts, owner


def take_apart(shapes: Any) -> tuple[_Array, _Array, _Array, _Array]:
    """
    Take polygons apart into rings, making no shape of them.

    Parameters
    ----------
    shapes : array of n polygons or multipolygons
        Missing and empty ones have no ring.

    Returns
    -------
    points : array of float64, k x 2
        Every point, closing points included.
    begins : array of int64, m + 1
        First point of each ring, and one past the last.
    owners : array of int64, m
        Position of the shape each ring belongs to; shells before their holes.
    is_hole : array of bool, m
        Whether a ring is a hole.
    """
    parts, owner = parts_of(shapes)
    holes = shapely.get_num_interior_rings(parts)
    first = np.concatenate([[0], np.cumsum(holes + 1)]).astype(np.int64)
    lengths = np.empty(first[-1], dtype=np.int64)
    # Rings are made into objects only where there are holes; a part without is its own ring.
    plain = holes == 0
    lengths[first[:-1][plain]] = shapely.get_num_coordinates(parts[plain])
    is_holed = np.repeat(~plain, holes + 1)
    lengths[is_holed] = shapely.get_num_coordinates(shapely.get_rings(parts[~plain]))
    is_hole = np.ones(first[-1], dtype=bool)
    is_hole[first[:-1]] = False
    real = lengths > 0  # an empty polygon has a shell of no point
    begins = np.concatenate([[0], np.cumsum(lengths[real])]).astype(np.int64)
    owners = np.repeat(owner, holes + 1)[real].astype(np.int64)
    return shapely.get_coordinates(parts), begins, owners, is_hole[real]


def lay_out_rings(shapes: Any) -> Rings:
    """
    Take polygons apart into rings, and measure the area within each.

    Parameters
    ----------
    shapes : array of n polygons or multipolygons
        None missing.

    Returns
    -------
    Rings
        In the order of the shapes.

    Examples
    --------
    >>> shell = shapely.box(0, 0, 3, 3)
    >>> rings = lay_out_rings([shell.difference(shapely.box(1, 1, 2, 2))])
    >>> rings.is_hole.tolist(), abs(rings.areas).tolist()
    ([False, True], [9.0, 1.0])
    """
    points, begins, owners, is_hole = take_apart(shapes)
    # From the first point of each ring: products of coordinates with a zone prefix would lose the centimetres.
    near = points - np.repeat(points[begins[:-1]], np.diff(begins), axis=0)
    cross = near[:-1, 0] * near[1:, 1] - near[1:, 0] * near[:-1, 1]
    # A nothing closes the last ring as it does every other: of eight numbers numpy adds four pairs, of seven one by one.
    cross = np.append(cross, 0.0)
    cross[begins[1:-1] - 1] = 0.0
    areas = np.add.reduceat(cross, begins[:-1]) / 2 if len(owners) else np.zeros(0)
    return Rings(points, begins, owners, is_hole, np.where(is_hole, -areas, areas))


def are_valid(shapes: Any) -> _Array:
    """
    Tell which shapes are valid, on as many processors as there are.

    Parameters
    ----------
    shapes : array of n shapely geometries
        Missing ones are not valid.

    Returns
    -------
    array of bool, n
        As ``shapely.is_valid``.
    """
    values = np.asarray(shapes, dtype=object)
    if len(values) <= _VALID_AT_ONCE:
        return _are_valid(values)
    with ThreadPoolExecutor(count_threads()) as pool:
        chunks = np.array_split(values, -(-len(values) // _VALID_AT_ONCE))
        return np.concatenate(list(pool.map(_are_valid, chunks)))


def _are_valid(shapes: _Array) -> _Array:
    found: _Array = (shapely.get_type_id(shapes) == _POLYGON) & (shapely.get_num_interior_rings(shapes) == 0)
    found[found] = _are_stars(shapes[found])
    found[~found] = _ask_geos(shapes[~found])
    return found


def _ask_geos(shapes: _Array) -> _Array:
    """What GEOS says; of a shape that takes it long, once: readers and repair look at the same one."""
    found: _Array = np.zeros(len(shapes), dtype=bool)
    long = shapely.get_num_coordinates(shapes) >= _LONG
    with np.errstate(invalid="ignore", over="ignore"):
        found[~long] = shapely.is_valid(shapes[~long])
        for k in np.flatnonzero(long).tolist():
            shape = shapes[k]
            known, said = _SAID.get(id(shape), (None, False))
            if known is None or known() is not shape:
                said = bool(shapely.is_valid(shape))
                _SAID[id(shape)] = weakref.ref(shape, partial(_forget, id(shape))), said
            found[k] = said
    return found


def _forget(number: int, gone: Any) -> None:
    # The number may belong to another shape by now.
    if _SAID.get(number, (None,))[0] is gone:
        _SAID.pop(number, None)


def _are_stars(polygons: _Array) -> _Array:
    """
    Whether the border of polygons without holes runs once around their middle, always the same way: then it cannot meet itself.

    What lies too near to a straight line to tell is not said to be a star.
    """
    counts = shapely.get_num_coordinates(polygons)
    stars: _Array = counts > 3
    counts = counts[stars]
    if not len(counts):
        return stars
    points = shapely.get_coordinates(polygons[stars])
    begins = np.concatenate([[0], np.cumsum(counts)])
    first, last = begins[:-1], begins[1:] - 1
    with np.errstate(invalid="ignore", over="ignore"):
        middle = (np.add.reduceat(points, first, axis=0) - points[first]) / (counts - 1)[:, None]
        x, y = (points - np.repeat(middle, counts, axis=0)).T.copy()
        ahead, back = x[:-1] * y[1:], y[:-1] * x[1:]
        cross, doubt = ahead - back, _SURE * (np.abs(ahead) + np.abs(back)) + _LEAST
        turns = np.append((cross > doubt).astype(np.int32) - (cross < -doubt), 0)
    # From the end of a ring to the beginning of the next there is no edge.
    turns[last] = 0
    is_above = y >= 0
    rises = np.append(~is_above[:-1] & is_above[1:], False)
    rises[last] = False
    one_way = np.abs(np.add.reduceat(turns, first)) == counts - 1
    stars[stars] = one_way & (np.add.reduceat(rises.astype(np.int32), first) == 1)
    return stars
