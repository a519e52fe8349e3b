"""Neighbours: land that two claim, land between them that none claims, slivers and doubles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from landplan.cores import count_threads
from landplan.crs import in_measuring_zones, lay_out_rings, measuring_epsg, transform
from landplan.issues import Issue
from landplan.repair.fit import fit_neighbours
from landplan.repair.shapes import rings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geopandas import GeoDataFrame

__all__ = [
    "GAP_AREA_M2",
    "GAP_WIDTH_M",
    "MAX_CROSSINGS",
    "OVERLAP_WIDTH_M",
    "SLIVER_WIDTH_M",
    "find_conflicts",
    "find_tangles",
    "set_tangles_apart",
]

SLIVER_WIDTH_M = 1.0
"""Mean width (2 x area / perimeter) below which a parcel is called a sliver."""

OVERLAP_WIDTH_M = 0.01
"""Mean width below which the overlap of two neighbours is noise of drawing, not a claim to the same land."""

GAP_WIDTH_M = 0.5
"""Distance below which two neighbours are meant to share a boundary."""

GAP_AREA_M2 = 10.0
"""Area below which land enclosed by neighbours and given to none is a gap and not a yard."""

MAX_CROSSINGS = 1_000_000
"""Crossings of two boundaries from which on their intersection takes gigabytes."""

_LONG = 20  # times its width, from which on a strip is a gap and not the corner between two parcels
_MANY = 1_000_000  # product of the vertices of a pair, below which its crossings need no counting
_STEP = 256
_CELLS = 512  # to a side, of the grid on which edges are counted
_GROUPS_AT_ONCE = 200


def find_conflicts(parcels: GeoDataFrame, measure_crs: Any = None) -> list[Issue]:
    """
    Find slivers, doubles, neighbours that claim the same land and land between neighbours that none claims.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        Repaired; quarantined ones are passed over.
    measure_crs : int, str, CRS or None
        As in ``crs.measure_areas``.

    Returns
    -------
    list of Issue
        Both parcels of a pair get one, each naming the other and the area; in the order of the frame.

    Notes
    -----
    The whole table is looked at at once: a neighbour may lie in another file.
    """
    sound = parcels[["geometry"]]
    apart = parcels["is_quarantined"].fillna(False).to_numpy(dtype=bool)
    if apart.any():
        sound = sound[~apart]
    if sound.empty:
        return []
    codes = measuring_epsg(sound, measure_crs).reset_index(drop=True)
    names = sound.index.to_numpy(dtype=object)
    sound = sound.reset_index(drop=True)
    found: list[tuple[int, Issue]] = []  # with the number of the parcel each is told of
    plane = None
    for _, part in in_measuring_zones(sound, codes):
        drawn = np.asarray(part.geometry.values)
        widths = 2 * shapely.area(drawn) / shapely.length(drawn)
        for k in np.flatnonzero(widths < SLIVER_WIDTH_M).tolist():
            at, limit = int(part.index[k]), f"≥ {SLIVER_WIDTH_M:g} m"
            width = f"{widths[k]:.2f} m"
            found.append((at, Issue("GEOM.SLIVER", parcel_id=str(names[at]), value=width, limit=limit)))
        plane = part if len(part) == len(sound) else None
    if plane is None:
        # Neighbours across a zone line are compared in the plane of the zone that holds most parcels.
        # Never in the plane of the source: EPSG:3857 and a plane in feet would give another area than the parcels have.
        most = pd.Series(int(codes.mode().iloc[0]), index=sound.index, dtype="Int64")
        _, plane = next(in_measuring_zones(sound, most))
    shapes = np.asarray(plane.geometry.values)
    fit = fit_neighbours(shapes, GAP_WIDTH_M)
    pairs = fit.pairs[shapely.intersects(shapes[fit.pairs[:, 0]], shapes[fit.pairs[:, 1]])]
    is_tangled = find_tangles(shapes, pairs)
    for one, other in pairs[is_tangled].tolist():
        for a, b in ((one, other), (other, one)):
            value = f"{names[a]} × {names[b]}"
            found.append((a, Issue("LIMIT.MEMORY", parcel_id=str(names[a]), value=value)))
    found += _find_claims(sound, shapes, names, codes, pairs[~is_tangled])
    if not is_tangled.any():
        found += _find_gaps(shapes, names, fit.groups)
    return [issue for _, issue in sorted(found, key=itemgetter(0))]


def _find_claims(
    sound: GeoDataFrame, shapes: Any, names: Any, codes: pd.Series[Any], pairs: Any
) -> list[tuple[int, Issue]]:
    """Land that two claim, told to both."""
    common = shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]])
    area = shapely.area(common)
    perimeter = np.maximum(shapely.length(common), 1e-12)
    larger = np.maximum(shapely.area(shapes[pairs[:, 0]]), shapely.area(shapes[pairs[:, 1]]))
    claimed = np.flatnonzero((area > 0.01) & (2 * area / perimeter > OVERLAP_WIDTH_M))
    # The figure that is told is taken in the zone of the first of the two, as its area is.
    shared = np.zeros(len(pairs))
    zone = codes.iloc[pairs[claimed, 0]].reset_index(drop=True)
    sides = [sound.iloc[pairs[claimed, side]].reset_index(drop=True) for side in (0, 1)]
    parts = zip(in_measuring_zones(sides[0], zone), in_measuring_zones(sides[1], zone), strict=True)
    for (_, one), (_, other) in parts:
        both = shapely.intersection(np.asarray(one.geometry.values), np.asarray(other.geometry.values))
        shared[claimed[one.index]] = shapely.area(both)
    found: list[tuple[int, Issue]] = []
    for k in claimed.tolist():
        a, b = pairs[k].tolist()
        same = shared[k] > (1 - 1e-6) * larger[k]
        for one, other in ((a, b), (b, a)):
            value = str(names[other]) if same else f"{names[other]}（{shared[k]:.2f} m2）"
            code = "GEOM.DUPLICATE" if same else "GEOM.OVERLAP"
            found.append((one, Issue(code, parcel_id=str(names[one]), value=value, limit="0 m2")))
    return found


def find_tangles(shapes: Any, pairs: Any) -> Any:
    """
    Find pairs whose boundaries cross so often that their intersection would take gigabytes.

    Parameters
    ----------
    shapes : array of shapely geometries
        Polygons in one plane.
    pairs : int array, n x 2
        Positions in it.

    Returns
    -------
    bool array, n
        True where boundaries meet more than ``MAX_CROSSINGS`` times: two combs of 2000 teeth crossing do.

    Examples
    --------
    >>> import numpy, shapely
    >>> squares = numpy.array([shapely.box(0, 0, 2, 2), shapely.box(1, 1, 3, 3)])
    >>> find_tangles(squares, numpy.array([[0, 1]])).tolist()
    [False]
    """
    result = np.zeros(len(pairs), dtype=bool)
    if not len(pairs):
        return result
    sizes = shapely.get_num_coordinates(shapes)
    heavy = sizes[pairs[:, 0]].astype(np.int64) * sizes[pairs[:, 1]] > _MANY
    # Two neighbours meet along a common side: only the edges near it are laid out, each outline once.
    outlines: dict[int, tuple[Any, Any]] = {}
    boxes = shapely.bounds(shapes)
    for k in np.flatnonzero(heavy).tolist():
        one, other = pairs[k].tolist()
        common = np.concatenate(
            [np.maximum(boxes[one][:2], boxes[other][:2]), np.minimum(boxes[one][2:], boxes[other][2:])]
        )
        near = []
        for at in (one, other):
            if at not in outlines:
                outlines[at] = _outline(shapes[at])
            near.append(_near(outlines[at], common))
        if len(near[0]) * len(near[1]) <= _MANY:
            continue
        first, second = (shapely.linestrings(edges) for edges in near)
        tree = shapely.STRtree(second)
        crossings = 0
        for start in range(0, len(first), _STEP):
            crossings += tree.query(first[start : start + _STEP]).shape[1]
            if crossings > MAX_CROSSINGS:
                result[k] = True
                break
    return result


def set_tangles_apart(
    parcels: GeoDataFrame, layers: Sequence[tuple[str, GeoDataFrame]]
) -> tuple[GeoDataFrame, list[Issue]]:
    """
    Leave unmeasured what crosses a layer too often to be overlaid with it.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        Repaired. Not changed.
    layers : sequence of (str, GeoDataFrame)
        Names and valid polygons, on the datum of the parcels.

    Returns
    -------
    GeoDataFrame, n rows, same index and order
        With ``is_quarantined`` True for parcels whose boundary meets that of one feature more than
        ``MAX_CROSSINGS`` times: every fact that rests on their land is unknown.
    list of Issue
        LIMIT.MEMORY for each.
    """
    shapes = np.asarray(parcels.geometry.values, dtype=object)
    apart = parcels["is_quarantined"].fillna(False).to_numpy(dtype=bool)
    sizes = np.where(apart, 0, shapely.get_num_coordinates(shapes))
    boxes: Any = None
    issues: list[Issue] = []
    for name, layer in layers:
        features = np.asarray(layer.geometry.values, dtype=object)
        weights = shapely.get_num_coordinates(features)
        # A pair is heavy only if one of its parts is; most layers end here.
        if not len(features) or not len(shapes) or int(sizes.max()) * int(weights.max()) <= _MANY:
            continue
        large = np.flatnonzero(weights * int(sizes.max()) > _MANY)
        moved = np.asarray(transform(layer.iloc[large], parcels.crs).geometry.values, dtype=object)
        # A border of 200,000 points crosses a parcel of twelve a few times: what counts is how much of it is near.
        if boxes is None:
            boxes = np.where(apart[:, None], 0.0, shapely.bounds(shapes))
            size = np.nanmax(boxes[:, 2:] - boxes[:, :2], axis=0)
        crowd = _Crowd(moved)
        if int(sizes.max()) * crowd.most(size) <= _MANY:
            continue
        heavy = np.flatnonzero(sizes * int(weights.max()) > _MANY)
        heavy = heavy[sizes[heavy] * crowd.near(boxes[heavy]) > _MANY]
        if not len(heavy):
            continue
        first, second = shapely.STRtree(moved).query(shapes[heavy], predicate="intersects")
        both = np.concatenate([shapes[heavy], moved])
        tangled = find_tangles(both, np.column_stack([first, second + len(heavy)]))
        for position in sorted({int(heavy[at]) for at in first[tangled]}):
            if not apart[position]:
                apart[position] = True
                pid = str(parcels.index[position])
                issues.append(Issue("LIMIT.MEMORY", layer=name, parcel_id=pid, value=f"{pid} × {name}"))
    if not issues:
        return parcels, []
    return parcels.assign(is_quarantined=pd.array(apart, dtype="boolean")), issues


class _Crowd:
    """
    How many edges of features lie where, counted on a grid.

    Parameters
    ----------
    features : array of polygons or multipolygons
        In one plane.
    """

    def __init__(self, features: Any) -> None:
        rings = lay_out_rings(features)
        joined = np.ones(len(rings.points), dtype=bool)
        joined[rings.begins[1:] - 1] = False
        start, end = rings.points[:-1][joined[:-1]], rings.points[1:][joined[:-1]]
        length = np.abs(end - start).max(axis=1, initial=0.0)
        low, high = rings.points.min(axis=0, initial=np.inf), rings.points.max(axis=0, initial=-np.inf)
        self.low, self.cell = low, max(float((high - low).max()) / _CELLS, 1e-9)
        # Edges longer than a cell are few, and are taken to be near everywhere.
        short = length <= self.cell
        self.everywhere = int(np.sum(~short))
        middle = np.floor(((start + end)[short] / 2 - low) / self.cell).astype(int).clip(0, _CELLS - 1)
        count = np.bincount(middle[:, 0] * _CELLS + middle[:, 1], minlength=_CELLS * _CELLS).reshape(
            _CELLS, _CELLS
        )
        self.total = np.zeros((_CELLS + 1, _CELLS + 1))
        self.total[1:, 1:] = count.cumsum(axis=0).cumsum(axis=1)

    def near(self, boxes: Any) -> Any:
        """How many edges come near each box, at the most."""
        # The middle of an edge that touches a box lies within half a cell of it.
        first = np.clip(np.floor((boxes[:, :2] - self.low) / self.cell - 1), 0, _CELLS).astype(int)
        last = np.clip(np.ceil((boxes[:, 2:] - self.low) / self.cell + 1), 0, _CELLS).astype(int)
        (west, south), (east, north) = first.T, last.T
        total = self.total
        inside = total[east, north] - total[west, north] - total[east, south] + total[west, south]
        return inside + self.everywhere

    def most(self, size: Any) -> float:
        """How many come near any box of a size or below, at the most: those of the fullest window."""
        # Its cells, one on either side, and two for where it begins and ends within them.
        wide, tall = np.clip(np.ceil(size / self.cell) + 4, 1, _CELLS).astype(int).tolist()
        total = self.total
        inside = total[wide:, tall:] - total[:-wide, tall:] - total[wide:, :-tall] + total[:-wide, :-tall]
        return float(inside.max()) + self.everywhere


def _outline(geometry: Any) -> tuple[Any, Any]:
    """First and last points of every edge."""
    points, ring = shapely.get_coordinates(rings_of([geometry])[0], return_index=True)
    joined = ring[1:] == ring[:-1]
    return points[:-1][joined], points[1:][joined]


def _near(outline: tuple[Any, Any], box: Any) -> Any:
    """Edges whose own box touches a box."""
    low, high = np.minimum(*outline), np.maximum(*outline)
    touching = (low <= box[2:]).all(axis=1) & (high >= box[:2]).all(axis=1)
    return np.stack([outline[0][touching], outline[1][touching]], axis=1)


def _find_gaps(shapes: Any, names: Any, groups: Sequence[Any]) -> list[tuple[int, Issue]]:
    """Strips and holes between neighbours, told to each parcel at them."""
    gaps = np.array([*_gaps_of(shapes, groups), None], dtype=object)[:-1]
    if not len(gaps):
        return []
    near = np.unique(np.concatenate(groups))
    gap_of, around = shapely.STRtree(shapes[near]).query(gaps, predicate="dwithin", distance=OVERLAP_WIDTH_M)
    order = np.lexsort((around, gap_of))
    gap_of, around = gap_of[order], near[around[order]]
    area, width = shapely.area(gaps), _width(gaps)
    found: list[tuple[int, Issue]] = []
    for k in np.flatnonzero(np.bincount(gap_of, minlength=len(gaps)) > 1).tolist():
        beside = around[np.searchsorted(gap_of, k) : np.searchsorted(gap_of, k, side="right")].tolist()
        for at in beside:
            others = "、".join(str(names[other]) for other in beside if other != at)
            value = f"{others}（{area[k]:.2f} m2，宽 {width[k]:.2f} m）"
            found.append((at, Issue("GEOM.GAP", parcel_id=str(names[at]), value=value, limit="0 m2")))
    return found


def _gaps_of(shapes: Any, groups: Sequence[Any]) -> Iterator[Any]:
    """Land between the shapes of each group: small holes, then strips."""
    # Groups of like size side by side, so that one call unites many.
    sizes = np.array([len(members).bit_length() for members in groups])
    for size in np.unique(sizes):
        alike = [groups[k] for k in np.flatnonzero(sizes == size).tolist()]
        laid = np.full((len(alike), max(map(len, alike))), None, dtype=object)
        for row, members in enumerate(alike):
            laid[row, : len(members)] = shapes[members]
        with ThreadPoolExecutor(count_threads()) as pool:
            united = list(pool.map(_unite, np.array_split(laid, -(-len(laid) // _GROUPS_AT_ONCE))))
        wholes, rest = (np.concatenate(each) for each in zip(*united, strict=True))
        rings, polygon = shapely.get_rings(shapely.get_parts(wholes), return_index=True)
        is_hole = np.concatenate([[False], polygon[1:] == polygon[:-1]])
        holes = shapely.polygons(rings[is_hole])
        holes = holes[shapely.area(holes) <= GAP_AREA_M2]
        strips = shapely.get_parts(rest)
        long = (shapely.get_type_id(strips) == 3) & (shapely.length(strips) / 2 >= _LONG * _width(strips))
        strips = strips[long]
        told = shapely.STRtree(holes).query(strips, predicate="within")[0]
        for gaps in (holes, np.delete(strips, told)):
            yield from gaps[(shapely.area(gaps) >= 0.01) & (_width(gaps) >= OVERLAP_WIDTH_M)]


def _unite(laid: Any) -> tuple[Any, Any]:
    """The land of each group, and what comes to it where its slots are closed."""
    wholes = shapely.union_all(laid, axis=1)
    half = GAP_WIDTH_M / 2
    # Swollen and shrunk with sharp corners, the land is itself again but for strips narrower than the swelling.
    closed = shapely.buffer(shapely.buffer(wholes, half, join_style="mitre"), -half, join_style="mitre")
    return wholes, shapely.difference(closed, wholes)


def _width(shapes: Any) -> Any:
    return 2 * shapely.area(shapes) / np.maximum(shapely.length(shapes), 1e-12)
