"""Neighbours: land that two claim, land between them that none claims, slivers and doubles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from landplan.crs import in_measuring_zones, measuring_epsg, transform
from landplan.issues import Issue
from landplan.repair.shapes import rings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    sound = parcels[~parcels["is_quarantined"].fillna(False).to_numpy(dtype=bool)]
    if sound.empty:
        return []
    codes = measuring_epsg(sound, measure_crs)
    found: list[tuple[int, Issue]] = []
    order = {pid: n for n, pid in enumerate(parcels.index)}
    for _, part in in_measuring_zones(sound, codes):
        widths = 2 * shapely.area(part.geometry.values) / shapely.length(part.geometry.values)
        for pid, width in zip(
            part.index[widths < SLIVER_WIDTH_M], widths[widths < SLIVER_WIDTH_M], strict=True
        ):
            limit = f"≥ {SLIVER_WIDTH_M:g} m"
            found.append(
                (order[pid], Issue("GEOM.SLIVER", parcel_id=str(pid), value=f"{width:.2f} m", limit=limit))
            )
    # Neighbours across a zone line are compared in the plane of the zone that holds most parcels.
    # Never in the plane of the source: EPSG:3857 and a plane in feet would give another area than the parcels have.
    most = pd.Series(int(codes.mode().iloc[0]), index=sound.index, dtype="Int64")
    _, plane = next(in_measuring_zones(sound, most))
    shapes = plane.geometry.values
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = np.column_stack([left, right])[left < right]
    is_tangled = find_tangles(shapes, pairs)
    for one, other in pairs[is_tangled].tolist():
        for a, b in ((one, other), (other, one)):
            value = f"{plane.index[a]} × {plane.index[b]}"
            found.append(
                (order[plane.index[a]], Issue("LIMIT.MEMORY", parcel_id=str(plane.index[a]), value=value))
            )
    pairs = pairs[~is_tangled]
    common = shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]])
    area = shapely.area(common)
    perimeter = np.maximum(shapely.length(common), 1e-12)
    larger = np.maximum(shapely.area(shapes[pairs[:, 0]]), shapely.area(shapes[pairs[:, 1]]))
    claimed = (area > 0.01) & (2 * area / perimeter > OVERLAP_WIDTH_M)
    for (a, b), whole in zip(pairs[claimed], larger[claimed], strict=True):
        # The figure that is told is taken in the zone of the first of the two, as its area is.
        both = sound.iloc[[a, b]]
        own = pd.Series(codes.iloc[a], index=both.index, dtype="Int64")
        _, drawn = next(in_measuring_zones(both, own))
        shared = float(shapely.area(shapely.intersection(*drawn.geometry.values)))
        same = shared > (1 - 1e-6) * whole
        for one, other in ((plane.index[a], plane.index[b]), (plane.index[b], plane.index[a])):
            value = str(other) if same else f"{other}（{shared:.2f} m2）"
            code = "GEOM.DUPLICATE" if same else "GEOM.OVERLAP"
            found.append((order[one], Issue(code, parcel_id=str(one), value=value, limit="0 m2")))
    if not is_tangled.any():
        found += [(order[plane.index[at]], issue) for at, issue in _find_gaps(plane)]
    return [issue for _, issue in sorted(found, key=lambda pair: pair[0])]


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
    issues: list[Issue] = []
    for name, layer in layers:
        features = np.asarray(layer.geometry.values, dtype=object)
        weights = shapely.get_num_coordinates(features)
        # A pair is heavy only if one of its parts is; most layers end here.
        if not len(features) or not len(shapes) or int(sizes.max()) * int(weights.max()) <= _MANY:
            continue
        heavy = np.flatnonzero(sizes * int(weights.max()) > _MANY)
        large = np.flatnonzero(weights * int(sizes.max()) > _MANY)
        moved = np.asarray(transform(layer.iloc[large], parcels.crs).geometry.values, dtype=object)
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


def _find_gaps(plane: GeoDataFrame) -> list[tuple[int, Issue]]:
    """Strips and holes between neighbours, told to each parcel at them."""
    shapes = plane.geometry.values
    tree = shapely.STRtree(shapes)
    left, right = tree.query(shapes, predicate="dwithin", distance=GAP_WIDTH_M)
    near = np.unique(left[left != right])
    if not len(near):
        return []
    whole = shapely.union_all(shapes[near])
    holes = [shapely.Polygon(ring) for part in shapely.get_parts(whole) for ring in part.interiors]
    half = GAP_WIDTH_M / 2
    # Swollen and shrunk with sharp corners, the land is itself again but for strips narrower than the swelling.
    closed = shapely.buffer(shapely.buffer(whole, half, join_style="mitre"), -half, join_style="mitre")
    strips = [
        part for part in shapely.get_parts(shapely.difference(closed, whole)) if part.geom_type == "Polygon"
    ]
    found: list[tuple[int, Issue]] = []
    small = [hole for hole in holes if hole.area <= GAP_AREA_M2]
    inside = shapely.STRtree(small)
    for gap, is_hole in (*((hole, True) for hole in small), *((strip, False) for strip in strips)):
        width = 2 * gap.area / gap.length if gap.length else 0.0
        if gap.area < 0.01 or width < OVERLAP_WIDTH_M:
            continue
        if not is_hole and (gap.length / 2 < _LONG * width or len(inside.query(gap, predicate="within"))):
            continue
        around = sorted(tree.query(gap, predicate="dwithin", distance=OVERLAP_WIDTH_M).tolist())
        if len(around) < 2:
            continue
        for at in around:
            others = "、".join(str(plane.index[other]) for other in around if other != at)
            value = f"{others}（{gap.area:.2f} m2，宽 {width:.2f} m）"
            found.append((at, Issue("GEOM.GAP", parcel_id=str(plane.index[at]), value=value, limit="0 m2")))
    return found
