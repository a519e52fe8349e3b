"""Which area of each parcel each code of a layer holds, by either of two ways that give the same: by shapely, or compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import shapely

from landplan.overlay.cut import Pieces, cut_pieces
from landplan.overlay.ground import Count, Ground, Method

__all__ = ["Shared", "choose_method", "settle", "share_areas", "share_together", "unite_pieces"]

_Array = np.ndarray[Any, Any]

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
    ground: Ground,
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
    ground : Ground
        The parcels.
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
    if method == "fast":
        return share_together(ground, [(features, codes)], [count])[0]
    pieces = cut_pieces(ground.shapes, features)
    cut = unite_pieces(pieces, codes)[0] if count == "cover" else _sum_pieces(pieces, codes)
    return settle(cut, ground.full)[0]


def share_together(
    ground: Ground, layers: Sequence[tuple[_Array, _Array]], counts: Sequence[Count]
) -> list[Shared]:
    """
    Measure several layers by the compiled way, all in one walk over the parcels.

    Parameters
    ----------
    ground : Ground
        The parcels.
    layers : sequence of (array of polygons, array of int64)
        Features and codes of each layer, as in ``share_areas``.
    counts : sequence of {"cover", "sum"}
        For each layer.

    Returns
    -------
    list of Shared
        One for each layer: what it would give alone, to the last digit.
    """
    from landplan.overlay.grid import sum_rings
    from landplan.overlay.rings import rings_of

    sizes = [int(codes.max(initial=-1)) + 1 for _, codes in layers]
    first = np.cumsum([0, *sizes])
    # A code of one feature cannot lie over itself.
    once = [
        np.bincount(codes, minlength=size) > 1 if count == "cover" else np.zeros(size, dtype=bool)
        for (_, codes), size, count in zip(layers, sizes, counts, strict=True)
    ]
    laid = [(rings_of(features), codes + at) for (features, codes), at in zip(layers, first, strict=False)]
    found = sum_rings(ground.field, laid, once=np.concatenate(once))
    if len(layers) == 1:
        return [settle(Shared(found.parcel, found.code, found.area, _none_whole(found.code)), ground.full)[0]]
    shares = []
    for k in range(len(layers)):
        own = np.flatnonzero((found.code >= first[k]) & (found.code < first[k + 1]))
        code = found.code[own] - first[k]
        shared = Shared(found.parcel[own], code, found.area[own], _none_whole(own))
        shares.append(settle(shared, ground.full)[0])
    return shares


def _none_whole(rows: _Array) -> _Array:
    return np.zeros(len(rows), dtype=bool)


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


def settle(shared: Shared, full: _Array) -> tuple[Shared, _Array]:
    """
    Take rounding out: land below the noise is none, and a parcel within it of whole is whole.

    Parameters
    ----------
    shared : Shared
        As cut or summed.
    full : array of float64
        Area of each parcel in m2.

    Returns
    -------
    Shared
        The rows that are left, whole ones marked.
    array of bool
        Which rows these are.
    """
    full = full[shared.parcel]
    noise = np.maximum(_NOISE_M2, _NOISE_SHARE * full)
    is_whole = np.abs(shared.area - full) <= noise
    area = np.where(is_whole, full, shared.area)
    real = area > noise
    return Shared(shared.parcel[real], shared.code[real], area[real], is_whole[real]), real
