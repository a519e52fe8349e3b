"""GeoJSON from its own text: for what GDAL cannot open, and to see what it lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely

from landplan.issues import Issue
from landplan.read.json_text import Doubled
from landplan.read.records import Collector, Records

__all__ = ["check_properties", "hold_against_text", "is_geojson", "read_geojson_records"]

_GEOMETRIES = {
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
}
_KIND_NAMES: dict[type, str] = {str: "text", int: "number", float: "number", bool: "flag"}


def check_properties(content: Any, source: str) -> list[Issue]:
    """
    Find names that stand twice in a feature and columns of mixed types, both of which readers settle in silence.

    Parameters
    ----------
    content : dict
        The file, as :func:`~landplan.read.json_text.parse_json` gives it.
    source : str
        Name of the file in issues.

    Returns
    -------
    list of Issue
        ATTR.DOUBLE_KEY per feature and name, then ATTR.MIXED_TYPES per column, with the first row that differs.

    Examples
    --------
    >>> two = {"type": "FeatureCollection", "features": [{"properties": {"a": v}} for v in (1, "x")]}
    >>> [(issue.code, issue.row, issue.field, issue.value) for issue in check_properties(two, "")]
    [('ATTR.MIXED_TYPES', 2, 'a', 'number 1, text 1')]
    """
    features = content.get("features") if isinstance(content, dict) else None
    listed = features if isinstance(features, list) else [content]
    issues: list[Issue] = []
    kinds: dict[str, dict[str, int]] = {}
    differs: dict[str, int] = {}
    if listed is features and isinstance(content, Doubled):
        issues += [
            Issue("ATTR.DOUBLE_KEY", source=source, field=name, value=name) for name in content.doubled
        ]
    for row, feature in enumerate(listed, 1):
        if not isinstance(feature, dict):
            continue
        properties = feature.get("properties")
        for part in (feature, properties, feature.get("geometry")):
            for name, values in part.doubled.items() if isinstance(part, Doubled) else ():
                shown = " / ".join(json.dumps(v, ensure_ascii=False)[:40] for v in values)
                issues.append(
                    Issue("ATTR.DOUBLE_KEY", source=source, row=row, field=name, value=f"{name}: {shown}")
                )
        for name, value in properties.items() if isinstance(properties, dict) else ():
            if value is None:
                continue
            seen = kinds.setdefault(name, {})
            kind = _KIND_NAMES.get(type(value), "object")
            if seen and kind not in seen:
                differs.setdefault(name, row)
            seen[kind] = seen.get(kind, 0) + 1
    for name, row in differs.items():
        value = ", ".join(f"{kind} {count}" for kind, count in kinds[name].items())
        issues.append(Issue("ATTR.MIXED_TYPES", source=source, row=row, field=name, value=value))
    return issues


def is_geojson(content: Any) -> bool:
    """
    Tell GeoJSON from other JSON, some of which GDAL takes for a command.

    Parameters
    ----------
    content : object
        The file, parsed.

    Returns
    -------
    bool
        By the type of the top object.

    Examples
    --------
    >>> is_geojson({"type": "gdal_streamed_alg"}), is_geojson({"type": "Feature"})
    (False, True)
    """
    kinds = _GEOMETRIES | {"Feature", "FeatureCollection"}
    return isinstance(content, dict) and isinstance(kind := content.get("type"), str) and kind in kinds


def read_geojson_records(content: Any, *, source: str = "") -> Records:
    """
    Read GeoJSON without GDAL, one feature after the other.

    Parameters
    ----------
    content : dict
        The file, parsed.
    source : str, default ""
        Name of the file in issues.

    Returns
    -------
    Records
        Good features and an issue for each bad one.

    Raises
    ------
    ValueError
        If it is not GeoJSON.

    Examples
    --------
    >>> found = read_geojson_records({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]})
    >>> found.issues[0].code, found.geometries[0].area
    ('GEOM.UNCLOSED', 0.5)
    """
    collector = Collector(source, "")
    for feature in _features(content):
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            collector.refuse(f"not a Feature: {json.dumps(feature, ensure_ascii=False)[:60]}")
            continue
        properties = feature.get("properties")
        if properties is not None and not isinstance(properties, dict):
            collector.refuse("properties is not an object")
            continue
        flat = {name: _flat(value) for name, value in (properties or {}).items()}
        if "id" in feature and "id" not in flat:
            flat["id"] = _flat(feature["id"])
        collector.take(feature.get("geometry"), flat)
    found = collector.found
    found.crs, found.is_crs_by_format = _declared_crs(content)
    return found


def _declared_crs(content: Any) -> tuple[str | None, bool]:
    """
    Say what a GeoJSON object declares as its CRS.

    Parameters
    ----------
    content : dict
        The top object.

    Returns
    -------
    crs : str or None
        Name as written; EPSG:4326 where nothing is said; None where it is ``null`` or cannot be understood.
    is_by_format : bool
        Whether it is the format that says so.

    References
    ----------
    RFC 7946, section 4; the 2008 draft of GeoJSON, section 3, for the member ``crs``.
    """
    if not isinstance(content, dict) or "crs" not in content:
        return "EPSG:4326", True
    member = content["crs"]
    try:
        return str(member["properties"]["name"]), False
    except (TypeError, KeyError):
        return None, False


def _count_positions(feature: Any) -> int:
    """
    Count the positions written in a GeoJSON feature or geometry.

    Parameters
    ----------
    feature : dict
        Feature or geometry; anything else holds none.

    Returns
    -------
    int
        Points of all parts and rings, closing points included.

    Examples
    --------
    >>> _count_positions({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]})
    4
    """
    if not isinstance(feature, dict):
        return 0
    if feature.get("type") == "Feature":
        return _count_positions(feature.get("geometry"))
    if isinstance(parts := feature.get("geometries"), list):
        return sum(_count_positions(part) for part in parts)
    count = 0
    stack = [feature.get("coordinates")]
    while stack:
        item = stack.pop()
        if not isinstance(item, list) or not item:
            continue
        if not isinstance(item[0], list):
            count += 1
        elif item[0] and not isinstance(item[0][0], list):
            count += len(item)
        else:
            stack.extend(item)
    return count


def _features(content: Any) -> Iterator[Any]:
    kind = content.get("type") if isinstance(content, dict) else None
    if kind == "FeatureCollection":
        features = content.get("features")
        if not isinstance(features, list):
            raise ValueError("FeatureCollection without a list of features")
        yield from features
    elif kind == "Feature":
        yield content
    elif isinstance(content, dict) and ("coordinates" in content or "geometries" in content):
        yield {"type": "Feature", "properties": {}, "geometry": content}
    else:
        raise ValueError(f"not GeoJSON: type {kind!r}")


def hold_against_text(content: Any, records: Records, source: str) -> Records:
    """
    Hold what GDAL read of a GeoJSON file against its text, feature by feature and point by point.

    GDAL passes by what is not a feature, draws nothing where coordinates are text, and leaves out a part of a
    multipolygon that is nested wrongly: all in silence.

    Parameters
    ----------
    content : dict
        The file, parsed.
    records : Records
        What GDAL read.
    source : str
        Name of the file in issues.

    Returns
    -------
    Records
        The same, or those of :func:`read_geojson_records` where they differ.
    """
    records.is_crs_by_format = _declared_crs(content)[1]
    features = content.get("features") if isinstance(content, dict) else None
    listed = features if isinstance(features, list) else [content]
    drawn = shapely.get_num_coordinates(np.array([*records.geometries, None], dtype=object))[:-1]
    closed = {issue.row for issue in records.issues if issue.code == "GEOM.UNCLOSED"}
    if len(listed) == records.rows_in and all(
        _is_same(listed[row - 1], points, row in closed)
        for row, points in zip(records.rows, drawn.tolist(), strict=True)
    ):
        return records
    found = read_geojson_records(content, source=source)
    if not found.issues:
        return records
    why = f"GDAL {int((drawn > 0).sum())} / {len(listed)}"
    found.issues.insert(0, Issue("FILE.RECORD_READER", source=source, value=why))
    return found


def _is_same(feature: Any, points: int, is_closed: bool) -> bool:
    """Whether a feature was drawn with as many points as are written, but for one that closes a ring."""
    written = _count_positions(feature)
    if isinstance(feature, dict) and not isinstance(feature.get("properties"), dict | None):
        return False
    if not points:
        return isinstance(feature, dict) and not written and feature.get("geometry") is None
    return points == written or (is_closed and points > written)


def _flat(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
