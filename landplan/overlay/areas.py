"""Which area of each parcel each code of a layer holds, by either of two ways that give the same: by shapely, or compiled."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import shapely

from landplan.overlay.cut import Pieces, cut_pieces

__all__ = ["Count", "Method", "Shared", "choose_method", "settle", "share_areas", "unite_pieces"]

_Array = np.ndarray[Any, Any]

Method = Literal["exact", "fast"]
"""``exact`` cuts with shapely, ``fast`` sums trapezoids with compiled code (needs numba: ``landplan[fast]``)."""

Count = Literal["cover", "sum"]
"""``cover``: land under several features of one code counts once. ``sum``: it counts as often as it is covered."""

_SMALL = 2_000
"""Parcels up to which loading compiled code takes longer than the work."""

_NOISE_M2, _NOISE_SHARE = 1e-6, 1e-9
"""A square millimetre, or a billionth of the parcel: what rounding of coordinates with a zone prefix may make or lose."""


@dataclass(frozen=True)
class Shared:
    """
    Area of each parcel under each code.

    Parameters
    ----------
    parcel, code : arrays of int64
        Position of the parcel and code, ordered by parcel, then code; only those that share land.
    area : array of float64
        In m2.
    is_whole : array of bool
        Whether the whole parcel lies within; its area is then that of the parcel to the last digit.
    """

    parcel: _Array
    code: _Array
    area: _Array
    is_whole: _Array


def choose_method(parcels: int) -> Method:
    """
    Choose the way a whole project is measured; a part of it must never choose for itself.

    Parameters
    ----------
    parcels : int
        How many there are in all.

    Returns
    -------
    {"exact", "fast"}
        ``fast`` above 2,000 parcels where numba is installed.

    Examples
    --------
    >>> choose_method(2_000)
    'exact'
    """
    return "fast" if parcels > _SMALL and find_spec("numba") is not None else "exact"


def share_areas(
    shapes: _Array,
    features: _Array,
    codes: _Array,
    *,
    count: Count = "cover",
    method: Method = "exact",
) -> Shared:
    """
    Measure how much of each parcel lies under each code of a layer.

    Parameters
    ----------
    shapes : array of n polygons
        Valid, in a plane in metres; none missing or empty.
    features : array of m polygons
        Valid, in the same plane.
    codes : array of int64, m
        What tells features apart, from 0.
    count : {"cover", "sum"}
        Whether land under two features of one code counts once or twice.
    method : {"exact", "fast"}
        Both give the same to a billionth of the parcel or 1e-6 m2, whichever is more.

    Returns
    -------
    Shared
        Less than that is touching, and not sharing.
    """
    if method == "exact":
        pieces = cut_pieces(shapes, features)
        cut = unite_pieces(pieces, codes)[0] if count == "cover" else _sum_pieces(pieces, codes)
        return settle(cut, shapes)[0]
    from landplan.overlay.grid import sum_rings
    from landplan.overlay.rings import rings_of

    # A code of one feature cannot lie over itself.
    once = np.bincount(codes) > 1 if count == "cover" and len(codes) else None
    found = sum_rings(rings_of(shapes), [(rings_of(features), codes)], once=once)
    shared = Shared(found.parcel, found.code, found.area, np.zeros(len(found.parcel), dtype=bool))
    return settle(shared, shapes)[0]


def unite_pieces(pieces: Pieces, codes: _Array) -> tuple[Shared, _Array]:
    """
    Join the pieces of each parcel and code; land under two of them counts once.

    Parameters
    ----------
    pieces : Pieces
        As ``cut_pieces`` gives.
    codes : array of int64
        Code of each feature.

    Returns
    -------
    Shared
        Nothing settled yet: areas as they were cut.
    array of polygons
        The land of each row.
    """
    order, starts, ends = _groups(pieces, codes)
    shape, area = pieces.shape[order[starts]], pieces.area[order[starts]]
    for k in np.flatnonzero(ends - starts > 1):
        group = order[starts[k] : ends[k]]
        shape[k] = shapely.union_all(pieces.shape[group])
        # Halves of one feature never lie over each other: their sum is nearer the truth than their seam.
        is_one = (pieces.feature[group] == pieces.feature[group[0]]).all()
        area[k] = pieces.area[group].sum() if is_one else shapely.area(shape[k])
    first = order[starts]
    is_whole = np.zeros(len(first), dtype=bool)
    return Shared(pieces.parcel[first], codes[pieces.feature[first]], area, is_whole), shape


def _sum_pieces(pieces: Pieces, codes: _Array) -> Shared:
    order, starts, _ = _groups(pieces, codes)
    first = order[starts]
    area = np.add.reduceat(pieces.area[order], starts) if len(first) else np.zeros(0)
    return Shared(pieces.parcel[first], codes[pieces.feature[first]], area, np.zeros(len(first), dtype=bool))


def _groups(pieces: Pieces, codes: _Array) -> tuple[_Array, _Array, _Array]:
    """Order by parcel, code and feature, and where each parcel and code begins and ends in it."""
    code = codes[pieces.feature]
    order = np.lexsort((pieces.feature, code, pieces.parcel))
    new = (np.diff(pieces.parcel[order]) != 0) | (np.diff(code[order]) != 0)
    ends = np.append(np.flatnonzero(new) + 1, len(order))[: len(order)]
    return order, np.concatenate([[0], ends])[: len(ends)].astype(np.int64), ends


def settle(shared: Shared, shapes: _Array) -> tuple[Shared, _Array]:
    """
    Take rounding out: land below the noise is none, and a parcel within it of whole is whole.

    Parameters
    ----------
    shared : Shared
        As cut or summed.
    shapes : array of polygons
        The parcels.

    Returns
    -------
    Shared
        The rows that are left, whole ones marked.
    array of bool
        Which rows these are.
    """
    full = shapely.area(shapes)[shared.parcel]
    noise = np.maximum(_NOISE_M2, _NOISE_SHARE * full)
    is_whole = np.abs(shared.area - full) <= noise
    area = np.where(is_whole, full, shared.area)
    real = area > noise
    return Shared(shared.parcel[real], shared.code[real], area[real], is_whole[real]), real
