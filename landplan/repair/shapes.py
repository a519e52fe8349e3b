"""Shapes made measurable, or set apart where a person must say which of their areas is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoSeries

from landplan.crs import are_valid, is_true_to_area
from landplan.issues import Issue

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["AREA_TOLERANCE", "repair_layer", "repair_parcels", "rings_of"]

AREA_TOLERANCE = 1e-6
"""Share of its area by which the readings of a parcel may differ for a repair to be made."""

_FARTHEST = 1e12  # coordinates from here on are damage, not places
_AT_ONCE = 5_000
_POLYGONAL = (3, 6)
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


def rings_of(geometry: Any) -> tuple[Any, Any]:
    """
    Take shapes apart into rings.

    Parameters
    ----------
    geometry : sequence of shapely geometries
        Polygons and multipolygons; others have no rings.

    Returns
    -------
    tuple of array
        Linear rings, and the position of the shape each belongs to.
    """
    parts, whole = shapely.get_parts(geometry, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    return rings, whole[part]


def _vertex(geometry: Any, x: float, y: float) -> str:
    """Number of the vertex nearest to a place: ring and point, both counted from 1."""
    points, ring = shapely.get_coordinates(rings_of([geometry])[0], return_index=True)
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


def _look_at_points(geometry: Any) -> tuple[Any, Any]:
    """Positions of shapes with a point that lies nowhere, and of those that may have one drawn twice in a row."""
    nowhere, doubled = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    # So few at a time that their points stay near the processor.
    for begin in range(0, len(geometry), _AT_ONCE):
        some = geometry[begin : begin + _AT_ONCE]
        points = shapely.get_coordinates(some)
        lost = ~(np.abs(points) < _FARTHEST)
        same = points[1:] == points[:-1]
        twice = np.flatnonzero(same[:, 0] & same[:, 1])
        if len(twice) or lost.any():
            last = np.cumsum(shapely.get_num_coordinates(some))
            owners = np.searchsorted(last, twice, side="right")
            # The end of one shape may be the beginning of the next.
            doubled.append(begin + np.unique(owners[twice + 1 < last[owners]]))
            owners = np.searchsorted(last, np.flatnonzero(lost.any(axis=1)), side="right")
            nowhere.append(begin + np.unique(owners))
    return np.concatenate(nowhere), np.concatenate(doubled)


def _doubled_points(geometry: Any, crs: Any) -> dict[int, tuple[str, str]]:
    """By position: the first vertex that is drawn twice in a row, and a sentence with the number of such."""
    rings, owner = rings_of(geometry)
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
    geometry = np.array(parcels.geometry.values, dtype=object)
    lifted = shapely.has_z(geometry)
    geometry[lifted] = shapely.force_2d(geometry[lifted])
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
    finite = np.ones(len(parcels), dtype=bool)
    nowhere, doubled = _look_at_points(geometry)
    finite[nowhere] = False
    drawn_twice = _doubled_points(geometry[doubled], parcels.crs)
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
    for position in np.flatnonzero(~quarantined & ~are_valid(geometry)):
        mended, found, vertex = _mend(geometry[position], parcels.crs, in_metres)
        if mended is None:
            quarantined[position] = True
            report("GEOM.INVALID", int(position), found, vertex)
        else:
            geometry[position] = mended
            report("GEOM.REPAIRED", int(position), f"< {AREA_TOLERANCE:.4%}，{found}", vertex)

    for at, (vertex, said) in drawn_twice.items():
        if not quarantined[doubled[at]]:
            report("GEOM.DOUBLE_POINT", int(doubled[at]), said, vertex)

    if lifted.any():
        issues.append(Issue("GEOM.Z_DROPPED", value=int(lifted.sum())))
    result = parcels.set_geometry(GeoSeries(geometry, index=parcels.index, crs=parcels.crs))
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
