"""
Neighbours whose borders fit, told from those that must be cut to know.

Most parcels of a survey share their corners to the last digit. Where two do, and leave one another's borders at an open
angle, nothing overlaps and no strip lies between them: that is seen from the coordinates alone, a hundred times faster than
by cutting. Whatever is not seen so is doubtful, and goes the long way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from landplan.crs import lay_out_rings, parts_of

__all__ = ["OPEN_RAD", "Edges", "Fit", "find_pairs", "find_slots", "fit_neighbours", "look_at_pairs"]

_Array = np.ndarray[Any, Any]

OPEN_RAD = 0.12
"""The corner between two borders that leave one another at less is a strip as long as twenty widths."""

_LARGE = 5_000  # edges of a polygon, from which on it is not looked at edge by edge
_AT_ONCE = 2_000_000  # edges laid out at a time
_BOXES_AT_ONCE, _PARTS_AT_ONCE = 100_000, 5_000
_SMALL = 2_000  # polygons up to which loading compiled code takes longer than the work
_FITS, _DOUBTFUL = 1, 2


@dataclass(frozen=True)
class Fit:
    """
    What the coordinates do not settle.

    Parameters
    ----------
    pairs : int array, n x 2
        Positions of shapes that may overlap; all others do not.
    groups : list of int arrays
        Positions of shapes that lie together and may leave land between them; all others leave none.
    """

    pairs: _Array
    groups: list[_Array]


@dataclass(frozen=True)
class Edges:
    """
    The borders of polygons, land to the left; edges of one polygon follow one another.

    Parameters
    ----------
    points : float array, n x 2
        Points of all rings; an edge leads from each to the next.
    is_edge : bool array, n
        False where the next point begins another ring.
    before : int array, n
        The edge that ends where this one begins.
    first : int array
        First point of each polygon, and one past the last.
    """

    points: _Array
    is_edge: _Array
    before: _Array
    first: _Array


def fit_neighbours(shapes: Any, distance: float) -> Fit:
    """
    Tell which neighbours fit by their coordinates alone, and which must be looked at.

    Parameters
    ----------
    shapes : array of n polygons or multipolygons
        Valid, in one plane.
    distance : float
        How near two borders must come to be looked at, in the unit of the plane.

    Returns
    -------
    Fit
        Pairs and groups that are in doubt.

    Notes
    -----
    Two shapes fit where every pair of their edges nearer than ``distance`` is one and the same edge, or meets in a common
    corner and leaves it at more than 7 degrees, land beside land. A group encloses no land where corners less edges plus
    polygons is one (Euler).

    Examples
    --------
    >>> import shapely
    >>> squares = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(1.9, 1, 3, 2)]
    >>> fit_neighbours(np.array(squares[:2]), 0.5).pairs.tolist()
    []
    >>> fit_neighbours(np.array(squares), 0.5).pairs.tolist()
    [[1, 2]]
    """
    parts, owner = parts_of(shapes)
    if len(parts) < 2:
        return Fit(np.empty((0, 2), dtype=np.int64), [])
    boxes = shapely.bounds(parts)
    loops = _loops(len(parts))
    pairs = loops.find_pairs(parts, boxes, distance)
    if len(parts) > len(shapes):
        pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
    left, right = pairs.T
    edges, holes = _edges_of(parts)
    sizes = np.diff(edges.first)
    # Corners and edges that a polygon before has as well.
    again = np.zeros((2, len(edges.points)), dtype=bool)
    is_large = sizes > _LARGE
    if is_large.any():
        large = is_large[left] | is_large[right]
        answer = np.zeros(len(pairs), dtype=np.int8)
        far = ~shapely.dwithin(parts[left[large]], parts[right[large]], distance)
        answer[large] = np.where(far, 0, _DOUBTFUL)
        answer[~large] = loops.look_at_pairs(edges, boxes, pairs[~large], distance, again)
    else:
        answer = loops.look_at_pairs(edges, boxes, pairs, distance, again)
    # One may lie in the midst of the other, and no border of the two be near.
    inside = np.flatnonzero(answer == 0)
    one, other = left[inside], right[inside]
    inside = inside[_is_within(boxes, one, other) | _is_within(boxes, other, one)]
    inside = inside[shapely.intersects(parts[left[inside]], parts[right[inside]])]
    answer[inside] = _DOUBTFUL
    doubtful, meets = answer == _DOUBTFUL, answer > 0
    group = _join(len(parts), left[meets], right[meets])
    count = int(group.max(initial=-1)) + 1
    balance = np.bincount(group, weights=1.0 - holes, minlength=count)
    drawn = np.flatnonzero(sizes)
    for sign, mask in zip((-1, 1), again, strict=True):
        known = np.add.reduceat(mask, edges.first[drawn], dtype=np.int64) if len(drawn) else drawn
        balance += sign * np.bincount(group[drawn], weights=known, minlength=count)
    loose = balance != 1
    loose[group[left[doubtful]]] = True
    shared = np.bincount(group, minlength=count) > 1
    beside = np.flatnonzero((shared & ~loose)[group])
    slotted = sizes[beside] > _LARGE
    slotted[~slotted] = loops.find_slots(edges, beside[~slotted], distance)
    loose[group[beside[slotted]]] = True
    loose &= shared
    members = np.flatnonzero(loose[group])
    order = members[np.argsort(group[members], kind="stable")]
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    groups = np.split(order, cuts) if len(order) else []
    if len(parts) > len(shapes):
        groups = [np.unique(owner[each]) for each in groups]
    pairs = np.unique(
        np.sort(np.column_stack([owner[left[doubtful]], owner[right[doubtful]]]), axis=1), axis=0
    )
    return Fit(pairs, groups)


def find_pairs(parts: _Array, boxes: _Array, distance: float) -> _Array:
    """
    Find pairs of polygons whose boxes come near each other.

    Parameters
    ----------
    parts : array of n polygons
        In one plane.
    boxes : float array, n x 4
        Their bounds.
    distance : float
        How near is near.

    Returns
    -------
    int array, m x 2
        Positions, the lower one first; in no order.
    """
    tree = shapely.STRtree(parts)
    found = []
    # Some at a time: a box is an object of its own, and a million of them weigh more than what is asked.
    for begin in range(0, len(parts), _BOXES_AT_ONCE):
        low, high = np.split(boxes[begin : begin + _BOXES_AT_ONCE], 2, axis=1)
        some, others = tree.query(shapely.box(*(low - distance).T, *(high + distance).T))
        some += begin
        found.append(np.column_stack([some, others])[some < others])
    return np.concatenate(found)


def _loops(count: int) -> Any:
    """Choose the module whose loops look at borders; both give the same."""
    if count > _SMALL and find_spec("numba") is not None:
        from landplan.repair import fit_loop

        return fit_loop
    return sys.modules[__name__]


def _is_within(boxes: _Array, inner: _Array, outer: _Array) -> _Array:
    within = boxes[inner, 0] >= boxes[outer, 0]
    for at, is_within in ((1, np.greater_equal), (2, np.less_equal), (3, np.less_equal)):
        within &= is_within(boxes[inner, at], boxes[outer, at])
    return np.asarray(within)


def _edges_of(parts: _Array) -> tuple[Edges, _Array]:
    """Every edge, and the number of holes of each polygon."""
    first = np.concatenate([[0], np.cumsum(shapely.get_num_coordinates(parts))]).astype(np.int64)
    points = np.empty((first[-1], 2))
    is_edge = np.ones(first[-1], dtype=bool)
    before = np.arange(-1, first[-1] - 1, dtype=np.int32)
    holes = np.zeros(len(parts), dtype=np.int64)
    # So few at a time that their points stay near the processor.
    for begin in range(0, len(parts), _PARTS_AT_ONCE):
        rings = lay_out_rings(parts[begin : begin + _PARTS_AT_ONCE])
        at, lengths = first[begin], np.diff(rings.begins)
        place = np.arange(len(rings.points))
        # Turned where need be, so that land is always to the left.
        is_turned = np.repeat(rings.areas < 0, lengths)
        other_way = np.repeat(rings.begins[:-1] + rings.begins[1:] - 1, lengths) - place
        points[at : at + len(place)] = rings.points[np.where(is_turned, other_way, place)]
        is_edge[at + rings.begins[1:] - 1] = False
        before[at + rings.begins[:-1]] = at + rings.begins[1:] - 2
        count = len(parts[begin : begin + _PARTS_AT_ONCE])
        holes[begin : begin + count] = np.bincount(rings.owners, minlength=count) - 1
    return Edges(points, is_edge, before, first), holes


def _portions(weights: _Array) -> Iterator[slice]:
    """Pairs, so many at a time that their edges can be laid out."""
    number = np.cumsum(weights) // _AT_ONCE
    cuts = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(weights)]
    for begin, end in pairwise(cuts):
        if end > begin:
            yield slice(begin, end)


def look_at_pairs(edges: Edges, boxes: _Array, pairs: _Array, distance: float, again: _Array) -> _Array:
    """
    Look at the borders of pairs of polygons, all of some pairs at once.

    Parameters
    ----------
    edges : Edges
        Borders of all polygons.
    boxes : float array, n x 4
        Their bounds.
    pairs : int array, m x 2
        Polygons to compare, the lower number first.
    distance : float
        How near is near.
    again : bool array, 2 x edges
        Set where the corner an edge begins in, and the edge itself, is there already in a polygon of a lower number.

    Returns
    -------
    int array, m
        0 apart, 1 fitting, 2 in doubt.
    """
    answer = np.zeros(len(pairs), dtype=np.int8)
    sizes = np.diff(edges.first)
    for some in _portions(sizes[pairs[:, 0]] + sizes[pairs[:, 1]]):
        answer[some] = _look_at_some(edges, boxes, pairs[some], distance, again)
    return answer


def _look_at_some(edges: Edges, boxes: _Array, pairs: _Array, distance: float, again: _Array) -> _Array:
    one, other = pairs.T
    common = np.column_stack(
        [
            np.maximum(boxes[one, :2], boxes[other, :2]) - distance,
            np.minimum(boxes[one, 2:], boxes[other, 2:]) + distance,
        ]
    )
    e, f, pair = _cross(*_near_edges(edges, one, common), *_near_edges(edges, other, common), len(pairs))
    a, b, c, d = edges.points[e], edges.points[e + 1], edges.points[f], edges.points[f + 1]
    near = (np.minimum(a, b) <= np.maximum(c, d) + distance).all(axis=1)
    near &= (np.maximum(a, b) >= np.minimum(c, d) - distance).all(axis=1)
    e, f, pair, a, b, c, d = (each[near] for each in (e, f, pair, a, b, c, d))
    corner = (a == c).all(axis=1)
    is_shared = (a == d).all(axis=1) & (b == c).all(axis=1)
    touching = corner | (a == d).all(axis=1) | (b == c).all(axis=1) | (b == d).all(axis=1)
    answer = np.zeros(len(pairs), dtype=np.int8)
    answer[pair[touching]] = _FITS
    # An edge that two have in common lies between them; what else comes near it is the land of one of them.
    settled = _marked(pair, e, pair[is_shared], e[is_shared]) | _marked(
        pair, f, pair[is_shared], f[is_shared]
    )
    close = np.flatnonzero(~touching & ~settled)
    answer[pair[close[_distance(a[close], b[close], c[close], d[close]) <= distance]]] = _DOUBTFUL
    met = np.flatnonzero(corner)
    answer[pair[met[~_is_open(edges, e[met], f[met])]]] = _DOUBTFUL
    again[0, f[corner]] = True
    again[1, f[is_shared]] = True
    return answer


def find_slots(edges: Edges, polygons: _Array, distance: float) -> _Array:
    """
    Find polygons that come near themselves: a neighbour may close the slot.

    Parameters
    ----------
    edges : Edges
        Borders of all polygons.
    polygons : int array, n
        Which to look at.
    distance : float
        How near is near.

    Returns
    -------
    bool array, n
        True where two edges that do not follow one another are as near, or a notch is sharper than ``OPEN_RAD``.
    """
    found = np.zeros(len(polygons), dtype=bool)
    sizes = np.diff(edges.first)[polygons]
    for some in _portions(sizes * sizes):
        e, of_e = _edges_in(edges, polygons[some])
        e, f, of = _cross(e, of_e, e, of_e, some.stop - some.start)
        follows = edges.before[e] == f
        apart = (e < f) & ~follows & (edges.before[f] != e)
        near = np.flatnonzero(apart)
        a, b, c, d = (edges.points[at[near]] for at in (e, e + 1, f, f + 1))
        close = near[_distance(a, b, c, d) <= distance]
        notch = np.flatnonzero(follows)
        corner = edges.points[e[notch]]
        out, back = _heading(corner, edges.points[e[notch] + 1]), _heading(corner, edges.points[f[notch]])
        sharp = notch[(out - back) % (2 * np.pi) <= OPEN_RAD]
        found[some][of[close]] = True
        found[some][of[sharp]] = True
    return found


def _edges_in(edges: Edges, whose: _Array) -> tuple[_Array, _Array]:
    """Edges of each polygon, and the place of the polygon in the list."""
    counts = edges.first[whose + 1] - edges.first[whose]
    of = np.repeat(np.arange(len(whose)), counts)
    at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - edges.first[whose], counts)
    return at[edges.is_edge[at]], of[edges.is_edge[at]]


def _heading(corner: _Array, towards: _Array) -> _Array:
    way = towards - corner
    return np.asarray(np.arctan2(way[:, 1], way[:, 0]))


def _near_edges(edges: Edges, whose: _Array, box: _Array) -> tuple[_Array, _Array]:
    """Edges of each polygon that touch a box of its own, and which box that is."""
    edge, of = _edges_in(edges, whose)
    start, end, limit = edges.points[edge], edges.points[edge + 1], box[of]
    kept = (np.minimum(start, end) <= limit[:, 2:]).all(axis=1)
    kept &= (np.maximum(start, end) >= limit[:, :2]).all(axis=1)
    return edge[kept], of[kept]


def _cross(e: _Array, of_e: _Array, f: _Array, of_f: _Array, count: int) -> tuple[_Array, _Array, _Array]:
    """Every edge of one with every edge of the other, pair by pair."""
    many = np.bincount(of_f, minlength=count)
    first = np.cumsum(many) - many
    times = many[of_e]
    pair = np.repeat(of_e, times)
    place = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    return np.repeat(e, times), f[first[pair] + place], pair


def _marked(pair: _Array, edge: _Array, at_pair: _Array, at_edge: _Array) -> _Array:
    """Whether an edge is among those named for its pair."""
    if not len(at_pair):
        return np.zeros(len(pair), dtype=bool)
    width = int(max(edge.max(initial=0), at_edge.max())) + 1
    found: _Array = np.isin(pair * width + edge, at_pair * width + at_edge)
    return found


def _is_open(edges: Edges, e: _Array, f: _Array) -> _Array:
    """Whether at a common corner land lies beside land, and what is between them is nothing or no splinter."""
    corner = edges.points[e]
    out_e, back_e = _heading(corner, edges.points[e + 1]), _heading(corner, edges.points[edges.before[e]])
    out_f, back_f = _heading(corner, edges.points[f + 1]), _heading(corner, edges.points[edges.before[f]])
    turn = 2 * np.pi
    between = (out_f - back_e) % turn, (out_e - back_f) % turn
    land = (back_e - out_e) % turn + (back_f - out_f) % turn
    beside = np.abs(land + between[0] + between[1] - turn) < 1e-6
    for gap in between:
        beside &= (gap == 0) | (gap > OPEN_RAD)
    answer: _Array = beside
    return answer


def _distance(a: _Array, b: _Array, c: _Array, d: _Array) -> _Array:
    """Distance of each edge a-b from each edge c-d."""

    def to_edge(point: _Array, start: _Array, end: _Array) -> _Array:
        way = end - start
        along = ((point - start) * way).sum(axis=1) / np.maximum((way * way).sum(axis=1), 1e-300)
        foot = start + np.clip(along, 0.0, 1.0)[:, None] * way
        return np.asarray(np.hypot(*(point - foot).T))

    def side(start: _Array, end: _Array, point: _Array) -> _Array:
        way, off = end - start, point - start
        return np.asarray(way[:, 0] * off[:, 1] - way[:, 1] * off[:, 0])

    nearest = np.minimum.reduce([to_edge(a, c, d), to_edge(b, c, d), to_edge(c, a, b), to_edge(d, a, b)])
    crossing = (side(a, b, c) * side(a, b, d) <= 0) & (side(c, d, a) * side(c, d, b) <= 0)
    return np.where(crossing, 0.0, nearest)


def _join(count: int, left: _Array, right: _Array) -> _Array:
    """Number the groups that links join, from 0, by their first members."""
    label = np.arange(count)
    while len(left):
        low = np.minimum(label[left], label[right])
        np.minimum.at(label, label[left], low)
        np.minimum.at(label, label[right], low)
        while (label != label[label]).any():
            label = label[label]
        differ = label[left] != label[right]
        left, right = left[differ], right[differ]
    return np.unique(label, return_inverse=True)[1]
