"""Loose lines closed to faces: near ends joined, crossings made points, what remains open counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["Faces", "close_lines", "ring_of_edges"]

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Faces:
    """
    Areas that loose lines bound.

    Parameters
    ----------
    polygons : list of shapely.Polygon
        One per face; a face inside another is a hole of it and a face of its own.
    dangles, cuts, invalid : int
        Lines with a free end, lines between faces that bound none, rings that cross themselves.
    slivers : int
        Faces thinner than the snapping distance, left out.
    gap : float
        Largest distance between two ends that were joined, drawing units.
    """

    polygons: list[Any]
    dangles: int = 0
    cuts: int = 0
    invalid: int = 0
    slivers: int = 0
    gap: float = 0.0


def close_lines(lines: Sequence[Points], snap: float) -> Faces:
    """
    Find the areas that lines bound together.

    Parameters
    ----------
    lines : sequence of array, n x 2
        Chains of points in drawing units.
    snap : float
        Ends nearer than this to each other, or to a line, meet there; drawing units.

    Returns
    -------
    Faces
        Vertices that were drawn are kept but for the ends that were joined.

    Examples
    --------
    >>> sides = [[(0, 0), (9, 0)], [(9, 0), (9, 9)], [(9, 9), (0, 9)], [(0, 9), (0, 0)], [(9, 9), (12, 12)]]
    >>> found = close_lines([np.array(side, dtype=float) for side in sides], 0.001)
    >>> [face.area for face in found.polygons], found.dangles
    ([81.0], 1)
    """
    chains = [np.asarray(line, dtype=float) for line in lines]
    chains = [chain for chain in chains if len(chain) > 1 and np.isfinite(chain).all()]
    if not chains:
        return Faces([])
    chains, gap = _join_ends(chains, snap)
    if not chains:
        return Faces([])
    chains = _meet_lines(chains, snap)
    network = shapely.union_all([_string(chain) for chain in chains])
    faces, cuts, dangles, invalid = shapely.polygonize_full(shapely.get_parts(network))
    polygons, slivers = [], 0
    for face in shapely.get_parts(faces):
        if 2 * face.area > face.length * snap:
            polygons.append(face)
        else:
            slivers += 1
    free, between, crossed = (int(shapely.get_num_geometries(part)) for part in (dangles, cuts, invalid))
    return Faces(polygons, free, between, crossed, slivers, gap)


def ring_of_edges(edges: Sequence[Points], snap: float) -> Any:
    """
    Close the edges of one boundary path of a hatch.

    Parameters
    ----------
    edges : sequence of array, n x 2
        In any order and direction.
    snap : float
        Ends nearer than this are one point.

    Returns
    -------
    shapely.Polygon or None
        Their outer ring filled; None where they bound nothing.
    """
    found = close_lines(edges, snap).polygons
    if not found:
        return None
    whole = shapely.union_all(found)
    largest = max(shapely.get_parts(whole), key=lambda part: part.area)
    return shapely.Polygon(largest.exterior)


def _string(chain: Points) -> Any:
    return shapely.LineString(chain)


def _join_ends(chains: list[Points], snap: float) -> tuple[list[Points], float]:
    """Give ends that lie within the snapping distance of each other one common point."""
    ends = np.array([chain[k] for chain in chains for k in (0, -1)])
    places = [shapely.Point(end) for end in ends]
    tree = shapely.STRtree(places)
    left, right = tree.query(places, predicate="dwithin", distance=snap)
    parent = list(range(len(ends)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        if a < b:
            low, high = sorted((root(a), root(b)))
            parent[high] = low
    roots = np.array([root(k) for k in range(len(ends))])
    gap = float(np.abs(ends - ends[roots]).max(initial=0.0))
    joined = []
    for k, chain in enumerate(chains):
        moved = chain.copy()
        moved[0], moved[-1] = ends[roots[2 * k]], ends[roots[2 * k + 1]]
        if len(moved) > 2 or (moved[0] != moved[1]).any():
            joined.append(moved)
    return joined, gap


def _meet_lines(chains: list[Points], snap: float) -> list[Points]:
    """Put a vertex into a line where the end of another all but touches it: T-junctions of a drawing."""
    ends = np.unique(np.array([chain[k] for chain in chains for k in (0, -1)]), axis=0)
    strings = [_string(chain) for chain in chains]
    tree = shapely.STRtree(strings)
    # Twice the distance: a joined end may have moved by once.
    near, owners = tree.query(shapely.points(ends), predicate="dwithin", distance=2 * snap)
    wanted: dict[int, list[int]] = {}
    for end, owner in zip(near.tolist(), owners.tolist(), strict=True):
        chain = chains[owner]
        if not (chain == ends[end]).all(axis=1).any():
            wanted.setdefault(owner, []).append(end)
    met = list(chains)
    for owner, added in wanted.items():
        chain, string = chains[owner], strings[owner]
        along = np.concatenate([[0.0], np.hypot(*np.diff(chain, axis=0).T).cumsum()])
        places = shapely.line_locate_point(string, shapely.points(ends[added]))
        inside = (places > snap) & (places < along[-1] - snap)
        points = np.vstack([chain, ends[added][inside]])
        order = np.argsort(np.concatenate([along, places[inside]]), kind="stable")
        met[owner] = points[order]
    return met
