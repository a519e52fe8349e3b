"""
Pieces of a layer inside parcels, cut by shapely.

A huge feature is halved, box by box, first: no parcel pays for all of its vertices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

__all__ = ["Pieces", "cut_pieces", "halve_features"]

_Array = np.ndarray[Any, Any]

_MOST_VERTICES = 256  # of a feature left whole
_POLYGON = 3
_NOISE_M = 1e-8  # of a coordinate with a zone prefix, 38 000 000 m


@dataclass(frozen=True)
class Pieces:
    """
    What parcels and features share.

    Parameters
    ----------
    parcel, feature : arrays of int64
        Positions, ordered by parcel, then feature. A feature that was halved may give several rows for a parcel.
    shape : array of polygons
        What the two share: polygons, and lines where they touch as well.
    area : array of float64
        Its area.
    """

    parcel: _Array
    feature: _Array
    shape: _Array
    area: _Array


def cut_pieces(shapes: _Array, features: _Array) -> Pieces:
    """
    Cut out what parcels and features share.

    Parameters
    ----------
    shapes, features : arrays of polygons
        Valid, in one plane.

    Returns
    -------
    Pieces
        Every pair that shares an area; touching along an edge is not sharing.
    """
    halves, owners = halve_features(features, shapes)
    first, second = shapely.STRtree(halves).query(shapes, predicate="intersects")
    shapely.prepare(halves)
    # Most parcels lie wholly inside or outside, and a prepared feature knows that without cutting.
    whole = shapely.covers(halves[second], shapes[first])
    common = shapes[first]
    common[~whole] = shapely.intersection(shapes[first[~whole]], halves[second[~whole]])
    area = shapely.area(common)
    real = np.flatnonzero(area > 0)
    order = real[np.lexsort((second[real], owners[second[real]], first[real]))]
    return Pieces(first[order], owners[second[order]], common[order], area[order])


def halve_features(features: _Array, shapes: _Array, most: int = _MOST_VERTICES) -> tuple[_Array, _Array]:
    """
    Halve the box of every large feature until what is left of it is small; the features themselves decide where.

    Parameters
    ----------
    features : array of polygons
        Valid.
    shapes : array of polygons
        What will be asked of the features: parts that none of these comes near are left out. They decide nothing else, so
        that what a parcel meets never depends on its neighbours.
    most : int
        Vertices of what is small.

    Returns
    -------
    array of polygons
        The features, large ones in halves of halves.
    array of int64
        Which feature each belongs to.
    """
    large = shapely.get_num_coordinates(features) > most
    if not large.any():
        return features, np.arange(len(features))
    parts, owners = shapely.get_parts(features[large], return_index=True)
    owners = np.flatnonzero(large)[owners]
    near = shapely.STRtree(shapes)
    # Boxes a hair wider than the part: a parcel that only touches it is then met as well.
    asked = np.unique(near.query(shapely.box(*shapely.bounds(parts).T))[0])
    done: list[Any] = list(features[~large])
    whose: list[int] = np.flatnonzero(~large).tolist()
    waiting = [(parts[k], int(owners[k])) for k in asked]
    while waiting:
        part, owner = waiting.pop()
        if shapely.get_num_coordinates(part) <= most:
            done.append(part)
            whose.append(owner)
            continue
        for half in _halve(part):
            pieces = shapely.get_parts(half)
            pieces = pieces[(shapely.get_type_id(pieces) == _POLYGON) & ~shapely.is_empty(pieces)]
            waiting += [(piece, owner) for piece in pieces if len(near.query(shapely.box(*piece.bounds)))]
    return np.array(done, dtype=object), np.array(whose, dtype=np.int64)


def _halve(part: Any) -> list[Any]:
    west, south, east, north = part.bounds
    if east - west >= north - south:
        middle = (west + east) / 2
        boxes = [(west, south, middle, north), (middle, south, east, north)]
    else:
        middle = (south + north) / 2
        boxes = [(west, south, east, middle), (west, middle, east, north)]
    halves = [shapely.clip_by_rect(part, *box) for box in boxes]
    kept = sum(half.area for half in halves)
    # The quick cut may go wrong where the part touches the box; the exact one may not.
    if abs(kept - part.area) <= _NOISE_M * part.length and all(half.is_valid for half in halves):
        return halves
    return [shapely.intersection(part, shapely.box(*box)) for box in boxes]
