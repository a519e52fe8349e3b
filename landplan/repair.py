"""
Repair: the only step that changes geometry, and only where every way of reading the parcel gives the same area.

An invalid ring has several areas (a hole outside its shell: 5900 raw, 6300 by buffer, 6700 by make_valid), and choosing
one is a legal decision: where the readings differ the parcel is quarantined and a person is asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from landplan.crs import in_measuring_zones, is_true_to_area, measuring_epsg
from landplan.issues import Issue
from landplan.units import convert, find_unit

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["find_conflicts", "find_tangles", "reconcile_areas", "repair_layer", "repair_parcels"]

AREA_TOLERANCE = 1e-6
"""Share of its area by which the readings of a parcel may differ for a repair to be made."""

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
_FARTHEST = 1e12  # coordinates from here on are damage, not places
_POLYGONAL = (3, 6)
_ROUNDED_M2 = 0.0051 * float(find_unit("亩", "area").factor)
# Registered over drawn area where the document was read in unit a and was written in unit b.
_UNIT_RATIOS = {
    float(find_unit(a, "area").factor / find_unit(b, "area").factor): b
    for a in ("m2", "亩", "公顷")
    for b in ("m2", "亩", "公顷")
    if a != b
}
_REASONS = {
    "Self-intersection": "自相交",
    "Ring Self-intersection": "环自相交",
    "Hole lies outside shell": "洞在外环之外",
    "Holes are nested": "洞相互嵌套",
    "Nested shells": "外环相互嵌套",
    "Interior is disconnected": "内部不连通",
    "Duplicate Rings": "环重复",
    "Too few points in geometry component": "点数不足",
    "Invalid Coordinate": "坐标无效",
    "Ring is not closed": "环未闭合",
}


def _polygons_of(geometry: Any) -> Any:
    """Keep the polygons of what make_valid returns; its loose lines have no area."""
    parts = shapely.get_parts(geometry)
    polygons = [p for p in parts if p.geom_type == "Polygon" and not p.is_empty]
    for nested in (p for p in parts if p.geom_type in ("MultiPolygon", "GeometryCollection")):
        kept = _polygons_of(nested)
        polygons.extend(shapely.get_parts(kept) if kept is not None else [])
    if not polygons:
        return None
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def _readings(geometry: Any) -> tuple[dict[str, float], Any]:
    """Areas of an invalid polygon by each way of reading it, and the polygon of the structural one."""
    structure = _polygons_of(shapely.make_valid(geometry, method="structure", keep_collapsed=False))
    linework = _polygons_of(shapely.make_valid(geometry))
    readings = {
        "raw": float(shapely.area(geometry)),
        "structure": 0.0 if structure is None else float(shapely.area(structure)),
        "linework": 0.0 if linework is None else float(shapely.area(linework)),
        "buffer": float(shapely.area(shapely.buffer(geometry, 0))),
    }
    return readings, structure


def _place(x: float, y: float, crs: Any) -> str:
    """A place as the surveyor writes it: X is north and Y is east."""
    if crs is not None and crs.is_geographic:
        return f"经度 {x:.8f}，纬度 {y:.8f}"
    return f"X {y:.3f} 北，Y {x:.3f} 东"


def _rings(geometry: Any) -> tuple[Any, Any]:
    """Rings of polygons and multipolygons, and the position of the geometry each belongs to."""
    parts, whole = shapely.get_parts(geometry, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    return rings, whole[part]


def _vertex(geometry: Any, x: float, y: float) -> str:
    """Number of the vertex nearest to a place: ring and point, both counted from 1."""
    points, ring = shapely.get_coordinates(_rings([geometry])[0], return_index=True)
    if not len(points):
        return ""
    nearest = int(np.argmin(np.hypot(points[:, 0] - x, points[:, 1] - y)))
    point = nearest - int(np.searchsorted(ring, ring[nearest])) + 1
    # The closing point is the first one again.
    last = int(np.searchsorted(ring, ring[nearest], side="right")) - 1
    return f"{ring[nearest] + 1}-J{1 if nearest == last else point}"


def _mend(geometry: Any, crs: Any, in_metres: bool) -> tuple[Any, str, str]:
    """Give the repaired polygon or None where the readings differ, a sentence on what was found, and the vertex."""
    reason = shapely.is_valid_reason(geometry)
    place = re.search(r"\[([^\]]+)\]", reason)
    words = reason.split("[")[0].strip()
    found, vertex = _REASONS.get(words, words), ""
    if place:
        x, y = (float(number) for number in place.group(1).split()[:2])
        vertex = _vertex(geometry, x, y)
        found += f"（{_place(x, y, crs)}" + (f"，邻近 {vertex}" if vertex else "") + "）"
    readings, structure = _readings(geometry)
    values = list(readings.values())
    largest = max(values)
    if structure is not None and largest > 0 and max(values) - min(values) <= AREA_TOLERANCE * largest:
        return structure, found, vertex
    if in_metres:
        found += "，面积 " + " / ".join(f"{name} {area:.2f}" for name, area in readings.items()) + " m2"
    return None, found, vertex


def _doubled_points(geometry: Any, crs: Any) -> dict[int, tuple[str, str]]:
    """By position: the first vertex that is drawn twice in a row, and a sentence with the number of such."""
    rings, owner = _rings(geometry)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    same = (ring[1:] == ring[:-1]) & (points[1:] == points[:-1]).all(axis=1)
    found: dict[int, list[int]] = {}
    for at in np.flatnonzero(same).tolist():
        found.setdefault(int(owner[ring[at]]), []).append(at)
    result = {}
    for position, places in found.items():
        at = places[0]
        number = int(ring[at] - np.searchsorted(owner, position)) + 1
        vertex = f"{number}-J{at - int(np.searchsorted(ring, ring[at])) + 1}"
        said = f"{vertex}（{_place(points[at, 0], points[at, 1], crs)}）"
        result[position] = (vertex, said + (f" 等 {len(places)} 处" if len(places) > 1 else ""))
    return result


def repair_parcels(parcels: GeoDataFrame) -> tuple[GeoDataFrame, list[Issue]]:
    """
    Make parcels measurable, or set them apart.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        Any geometry, missing and broken ones too. Not changed.

    Returns
    -------
    GeoDataFrame, n rows, same index and order
        Geometry in two dimensions, mended where all readings of the area agree within one millionth;
        ``is_quarantined`` True where the parcel cannot be measured (its geometry stays as it came).
    list of Issue
        One per parcel touched or set apart.

    Examples
    --------
    A bow-tie has no area that everyone would sign:

    >>> import geopandas, shapely
    >>> tie = shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
    >>> frame = geopandas.GeoDataFrame(geometry=[tie], index=pd.Index(["A"], name="parcel_id"), crs=4547)
    >>> repaired, issues = repair_parcels(frame)
    >>> bool(repaired.is_quarantined["A"]), issues[0].code
    (True, 'GEOM.INVALID')
    """
    result = parcels.copy()
    geometry = np.asarray(shapely.force_2d(parcels.geometry.values), dtype=object)
    quarantined = np.zeros(len(parcels), dtype=bool)
    issues: list[Issue] = []

    def report(code: str, position: int, value: str = "", cell: str = "") -> None:
        row = parcels["source_row"].iloc[position] if "source_row" in parcels.columns else pd.NA
        source = parcels["source"].iloc[position] if "source" in parcels.columns else ""
        issues.append(
            Issue(
                code,
                source="" if pd.isna(source) else str(source),
                row=None if pd.isna(row) else int(row),
                cell=cell,
                parcel_id=str(parcels.index[position]),
                value=value,
            )
        )

    missing = shapely.is_missing(geometry)
    empty = shapely.is_empty(geometry) & ~missing
    finite = np.atleast_1d(np.isfinite(shapely.bounds(geometry)).all(axis=1))
    if len(geometry):
        vertices, owner = shapely.get_coordinates(geometry, return_index=True)
        finite[np.unique(owner[~(np.abs(vertices) < _FARTHEST).all(axis=1)])] = False
    polygonal = np.isin(shapely.get_type_id(geometry), _POLYGONAL)
    for code, faulty in (
        ("GEOM.NULL", missing),
        ("GEOM.EMPTY", empty),
        ("GEOM.TYPE", ~polygonal & ~missing & ~empty),
        ("GEOM.NONFINITE", ~finite & ~missing & ~empty & polygonal),
    ):
        for position in np.flatnonzero(faulty):
            report(code, int(position), geometry[position].geom_type if code == "GEOM.TYPE" else "")
        quarantined |= faulty

    in_metres = parcels.crs is not None and is_true_to_area(parcels.crs)
    for position in np.flatnonzero(~quarantined & ~shapely.is_valid(geometry)):
        mended, found, vertex = _mend(geometry[position], parcels.crs, in_metres)
        if mended is None:
            quarantined[position] = True
            report("GEOM.INVALID", int(position), found, vertex)
        else:
            geometry[position] = mended
            report("GEOM.REPAIRED", int(position), f"< {AREA_TOLERANCE:.4%}，{found}", vertex)

    measurable = np.where(quarantined, None, shapely.force_2d(parcels.geometry.values))
    for position, (vertex, said) in _doubled_points(measurable, parcels.crs).items():
        report("GEOM.DOUBLE_POINT", position, said, vertex)

    lifted = shapely.has_z(parcels.geometry.values)
    if lifted.any():
        issues.append(Issue("GEOM.Z_DROPPED", value=int(lifted.sum())))
    result = result.set_geometry(pd.Series(geometry, index=parcels.index), crs=parcels.crs)
    result["is_quarantined"] = pd.array(quarantined, dtype="boolean")
    return result, issues


def repair_layer(layer: GeoDataFrame, name: str) -> tuple[GeoDataFrame, GeoDataFrame, list[Issue]]:
    """
    Make a constraint layer measurable; what cannot be read one way only leaves a hole in its coverage.

    Parameters
    ----------
    layer : GeoDataFrame
        Polygons, broken ones too. Not changed.
    name : str
        Name of the layer, for issues.

    Returns
    -------
    GeoDataFrame
        The features that can be measured.
    GeoDataFrame
        Boxes around those that cannot: the layer says nothing there, and parcels in them are unknown, never clear.
    list of Issue
        One per feature repaired or left out.
    """
    frame, found = repair_parcels(layer.reset_index(drop=True))
    issues = [
        Issue(
            "GEOM.LAYER_INVALID" if issue.code != "GEOM.REPAIRED" else issue.code,
            source=issue.source,
            layer=name,
            row=None if not issue.parcel_id else int(issue.parcel_id) + 1,
            value=issue.value,
        )
        for issue in found
        if issue.code not in ("GEOM.NULL", "GEOM.EMPTY", "GEOM.TYPE", "GEOM.Z_DROPPED", "GEOM.DOUBLE_POINT")
    ]
    apart = frame["is_quarantined"].to_numpy(dtype=bool)
    bounds = shapely.bounds(frame.geometry.values[apart])
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    boxes = frame.iloc[: len(bounds)][["geometry"]].copy()
    boxes = boxes.set_geometry(shapely.box(*bounds.T) if len(bounds) else [], crs=layer.crs)
    return frame[~apart].drop(columns="is_quarantined"), boxes, issues


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
        for pid, width in zip(part.index[widths < SLIVER_WIDTH_M], widths[widths < SLIVER_WIDTH_M], strict=True):
            found.append((order[pid], Issue("GEOM.SLIVER", parcel_id=str(pid), value=f"{width:.2f} m", limit=f"≥ {SLIVER_WIDTH_M:g} m")))
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
            found.append((order[plane.index[a]], Issue("LIMIT.MEMORY", parcel_id=str(plane.index[a]), value=value)))
    pairs = pairs[~is_tangled]
    common = shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]])
    area = shapely.area(common)
    perimeter = np.maximum(shapely.length(common), 1e-12)
    larger = np.maximum(shapely.area(shapes[pairs[:, 0]]), shapely.area(shapes[pairs[:, 1]]))
    claimed = (area > 0.01) & (2 * area / perimeter > OVERLAP_WIDTH_M)
    for (a, b), shared, whole in zip(pairs[claimed], area[claimed], larger[claimed], strict=True):
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
    for k in np.flatnonzero(heavy).tolist():
        first, second = _edges(shapes[pairs[k, 0]]), _edges(shapes[pairs[k, 1]])
        tree = shapely.STRtree(second)
        crossings = 0
        for start in range(0, len(first), _STEP):
            crossings += tree.query(first[start : start + _STEP]).shape[1]
            if crossings > MAX_CROSSINGS:
                result[k] = True
                break
    return result


def _edges(geometry: Any) -> Any:
    points, ring = shapely.get_coordinates(_rings([geometry])[0], return_index=True)
    joined = ring[1:] == ring[:-1]
    return shapely.linestrings(np.stack([points[:-1][joined], points[1:][joined]], axis=1))


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
    strips = [part for part in shapely.get_parts(shapely.difference(closed, whole)) if part.geom_type == "Polygon"]
    found: list[tuple[int, Issue]] = []
    small = [hole for hole in holes if hole.area <= GAP_AREA_M2]
    inside = shapely.STRtree(small)
    for gap in (*small, *strips):
        width = 2 * gap.area / gap.length if gap.length else 0.0
        is_hole = gap in small
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


def reconcile_areas(
    parcels: GeoDataFrame, registered: str = "area_registered_m2", measured: str = "area_m2"
) -> tuple[pd.DataFrame, list[Issue]]:
    """
    Hold the area of the document against the area drawn.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With both areas in m2, NaN where unknown.
    registered, measured : str
        Their columns.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``area_ratio``: registered over measured; NaN where either is unknown.
    list of Issue
        A difference above half of 0.01 亩 and 0.05 % is said, above 1 % it blocks the verdict; a ratio near that of two units of
        area (亩, 公顷, m2) is called a suspected unit.

    Notes
    -----
    Documents round 亩 to two decimals; and below 0.05 % plane and ellipsoidal area differ by themselves at the rim of
    a 3-degree zone.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"area_registered_m2": [15.0], "area_m2": [10000.0]}, index=["A"])
    >>> reconcile_areas(frame)[1][0].code
    'ATTR.UNIT_SUSPECT'
    """
    nothing = pd.Series(np.nan, index=parcels.index)
    said = parcels.get(registered, nothing).to_numpy(dtype="float64")
    drawn = parcels.get(measured, nothing).to_numpy(dtype="float64")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(drawn > 0, said / drawn, np.nan)
    issues: list[Issue] = []
    differ = (np.abs(said - drawn) > np.maximum(_ROUNDED_M2, 5e-4 * drawn)) & np.isfinite(ratio)
    for position in np.flatnonzero(differ):
        value = f"{said[position]:.2f} / {drawn[position]:.2f} m2 = {ratio[position]:.4f}"
        suspect = next((unit for near, unit in _UNIT_RATIOS.items() if abs(ratio[position] / near - 1) < 0.02), "")
        wrong = abs(ratio[position] - 1) > 0.01
        code = "ATTR.UNIT_SUSPECT" if suspect else "ATTR.AREA_WRONG" if wrong else "ATTR.AREA_MISMATCH"
        measured_here = f"{drawn[position]:.2f} m2（{convert(float(drawn[position]), 'm2', '亩'):.2f} 亩）"
        issues.append(
            Issue(
                code,
                parcel_id=str(parcels.index[position]),
                field=registered,
                value=value,
                limit="相差不超过 1%" if wrong else "相差不超过 0.05% 或 0.0051 亩",
                suggestion=f"单位：{suspect}" if suspect else measured_here,
            )
        )
    return pd.DataFrame({"area_ratio": ratio}, index=parcels.index), issues
