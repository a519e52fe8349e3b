"""Drawn layers (Shapefile, GeoPackage, GeoJSON, GeoParquet, FlatGeobuf, FileGDB, KML, DXF), read to the last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj.exceptions import ProjError
from shapely.errors import ShapelyError

from landplan.crs import are_valid, crs_name, in_measuring_zones, measuring_epsg
from landplan.errors import CRSError
from landplan.issues import Issue, codes
from landplan.read.door import ARCHIVES, VECTORS, Door, open_door
from landplan.read.drawn import name_layers, read_drawn, reason
from landplan.read.encoding import Decision
from landplan.read.place import FARTHEST, Placement, decide_crs
from landplan.read.raw import Raw
from landplan.read.records import Records
from landplan.read.stage import staged
from landplan.read.webmap import look_for_marks
from landplan.read.workers import ReaderError
from landplan.tables import Source

__all__ = ["list_layers", "measure_total", "read_vector"]

_POLYGONS = ("polygon", "surface", "unknown", "geometry")
_SHOWN_LAYERS = 40
_PARSED = frozenset({"dxf", "kml"})


def read_vector(
    path: str | os.PathLike[str],
    *,
    layer: str | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    crs_how: str = "option",
    encoding_how: str = "option",
    door: Door | None = None,
) -> Raw:
    """
    Read one layer of a drawn source, whole or record by record, and balance its rows.

    Parameters
    ----------
    path : path
        File or FileGDB folder.
    layer : str, optional
        Layer to read; needed where several hold polygons.
    crs, encoding : str, optional
        Override what the file says; the numbers are still held against the CRS.
    crs_how, encoding_how : str, default "option"
        Where those were given: ``option`` or ``profile``.
    door : Door, optional
        What stands behind the path, where that was looked at just now: every byte is hashed there.

    Returns
    -------
    Raw
        Cells as written, geometry in the plane and in (east, north) order. An unusable file is no exception:
        its frame is empty and its issues say why. Rows without geometry or with a wrong one are kept, named.

    Raises
    ------
    CRSError, UsageError
        If ``crs`` or ``encoding`` itself is not one.
    """
    door = open_door(path) if door is None else door
    if door.is_open and door.kind not in VECTORS:
        door = replace(
            door, issues=(*door.issues, Issue("FILE.TYPE", source=door.name, value=door.path.name))
        )
    if not door.is_open:
        return _refused(door, list(door.issues))
    issues = list(door.issues)
    if door.kind in _PARSED:
        chosen, records, decision = _parse(door, layer=layer, crs=crs, encoding=encoding, how=encoding_how)
        return _place(door, chosen, records, decision, issues=issues, crs=crs, crs_how=crs_how)
    with staged(door) as stage:
        if stage.fault is not None:
            return _refused(door, [*issues, *stage.decision.issues, stage.fault])
        try:
            names = name_layers(stage, door.kind)
        except ReaderError as error:
            names = []
            if door.kind != "geojson" or error.code != "FILE.UNREADABLE":
                return _refused(door, [*issues, _unreadable(door, error)])
        chosen, fault = _choose(names, layer, door.name)
        if fault:
            return _refused(door, [*issues, fault])
        try:
            records, decision = read_drawn(stage, door, chosen, option=encoding, how=encoding_how)
        except (ReaderError, ShapelyError, OSError, ValueError, RuntimeError) as error:
            return _refused(door, [*issues, _unreadable(door, error)])
    return _place(door, chosen, records, decision, issues=issues, crs=crs, crs_how=crs_how)


def list_layers(path: str | os.PathLike[str]) -> list[str]:
    """
    Name the layers of a drawn source.

    Parameters
    ----------
    path : path
        File or FileGDB folder.

    Returns
    -------
    list of str
        In the order of the file; empty where it cannot be opened.
    """
    door = open_door(path)
    if door.is_open and door.kind in ARCHIVES:
        from landplan.read.archive import list_members, unpacked

        with unpacked(door) as inside:
            return list_layers(inside.path) if inside.path is not None else list_members(door)
    if not door.is_open or door.kind not in VECTORS:
        return []
    if door.kind == "dxf":
        from landplan.read.cad import list_drawing_layers

        return list_drawing_layers(door.path)
    if door.kind == "kml":
        from landplan.read.kml import list_kml_layers

        return list_kml_layers(door.path)
    with staged(door) as stage:
        if stage.fault is not None:
            return []
        try:
            return [name for name, _ in name_layers(stage, door.kind)]
        except ReaderError:
            return []


def _parse(
    door: Door, *, layer: str | None, crs: str | None, encoding: str | None, how: str
) -> tuple[str, Records, Decision]:
    """Read a format whose text we parse ourselves: GDAL drops what it cannot draw, and says nothing."""
    if door.kind == "dxf":
        from landplan.read.cad import read_drawing

        return read_drawing(door.path, layer=layer, crs=crs, encoding=encoding, how=how, source=door.name)
    from landplan.read.kml import read_kml

    return read_kml(door.path, layer=layer, encoding=encoding, how=how, source=door.name)


def _place(
    door: Door,
    chosen: str,
    records: Records,
    decision: Decision,
    *,
    issues: list[Issue],
    crs: str | None,
    crs_how: str,
) -> Raw:
    """Look at every geometry and decide where the records lie."""
    issues = [*issues, *decision.issues, *records.issues]
    if not records.rows_in:
        if not any(codes()[issue.code].severity == "error" for issue in issues):
            issues = [*issues, Issue("FILE.EMPTY", source=door.name, layer=chosen)]
        return _refused(door, issues, layer=chosen)
    if records.geometries is None:
        return _hand_over_table(door, chosen, records, issues=issues)
    geometries, faults = _look_at(records, door.name, chosen)
    issues += faults
    placed = decide_crs(
        geometries,
        records.crs,
        is_by_format=records.is_crs_by_format,
        option=crs,
        how=crs_how,
        source=door.name,
        layer=chosen,
        rows=records.rows,
    )
    issues += placed.issues
    marks = look_for_marks(records.columns)
    if marks and placed.crs is not None and placed.crs.is_geographic:
        issues.append(Issue("CRS.GCJ02", source=door.name, layer=chosen, value=f"列名 {marks}"))
    return _hand_over(
        door, chosen, records, geometries=geometries, placed=placed, decision=decision, issues=issues
    )


def _refused(door: Door, issues: list[Issue], layer: str = "") -> Raw:
    source = Source("", door.name, door.sha256)
    return Raw(gpd.GeoDataFrame({"geometry": []}, geometry="geometry"), source, issues=issues, layer=layer)


def _unreadable(door: Door, error: BaseException) -> Issue:
    code = error.code if isinstance(error, ReaderError) else "FILE.UNREADABLE"
    return Issue(code, source=door.name, value=reason(error))


def _choose(names: list[tuple[str, str]], layer: str | None, source: str) -> tuple[str, Issue | None]:
    listed = "、".join(name for name, _ in names[:_SHOWN_LAYERS])
    if layer is not None and names:
        if any(name == layer for name, _ in names):
            return layer, None
        return "", Issue("FILE.NO_LAYER", source=source, value=f"{layer}；{listed}")
    if len(names) > 1:
        drawn = [name for name, kind in names if kind and any(word in kind.lower() for word in _POLYGONS)]
        if len(drawn) != 1:
            return "", Issue("FILE.AMBIGUOUS", source=source, value=listed)
        return drawn[0], None
    return (names[0][0], None) if names else (layer or "", None)


def _look_at(records: Records, source: str, layer: str) -> tuple[Any, list[Issue]]:
    """Bring geometry to the plane and name every record without a usable one."""
    values = np.empty(len(records.geometries), dtype=object)
    values[:] = records.geometries
    missing, empty = shapely.is_missing(values), shapely.is_empty(values)
    lifted = shapely.get_coordinate_dimension(values) > 2
    lifted[lifted] = shapely.has_z(values[lifted]) | shapely.has_m(values[lifted])
    flat = shapely.force_2d(values) if lifted.any() else values
    kinds = shapely.get_type_id(values)
    is_polygon = np.isin(kinds, (3, 6))
    is_sound = (kinds == 3) & (shapely.get_num_interior_rings(flat) == 0)
    # The area of one ring is no number where any coordinate is none: only points of what may be wrong are laid out.
    with np.errstate(invalid="ignore", over="ignore"):
        is_sound &= np.isfinite(shapely.area(flat))
        is_sound &= (np.abs(shapely.bounds(flat)) < FARTHEST).all(axis=1)
    doubtful = np.flatnonzero(~is_sound)
    points, owners = shapely.get_coordinates(flat[doubtful], return_index=True)
    infinite = np.zeros(len(values), dtype=bool)
    # Numbers beyond the solar system are damage as NaN is, and squared they are infinite.
    is_near = (np.abs(points[:, 0]) < FARTHEST) & (np.abs(points[:, 1]) < FARTHEST)
    infinite[doubtful[owners[~is_near]]] = True

    def issues_of(code: str, mask: Any) -> Iterator[Issue]:
        for k in np.flatnonzero(mask):
            value = values[k].geom_type if code == "GEOM.TYPE" else ""
            yield Issue(code, source=source, layer=layer, row=records.rows[k], value=value)

    issues = [
        *issues_of("GEOM.NULL", missing),
        *issues_of("GEOM.EMPTY", empty),
        *issues_of("GEOM.TYPE", ~missing & ~empty & ~is_polygon),
        *issues_of("GEOM.NONFINITE", infinite),
    ]
    if lifted.any():
        issues.append(Issue("GEOM.Z_DROPPED", source=source, layer=layer, value=int(lifted.sum())))
    return flat, issues


def _hand_over_table(door: Door, layer: str, records: Records, *, issues: list[Issue]) -> Raw:
    """Records of a table that draws nothing."""
    count = len(records.rows)
    source = Source("", door.name, door.sha256, rows_in=records.rows_in, rows_imported=count)
    return Raw(_frame_of(records), source, list(records.rows), issues=issues, layer=layer)


def _frame_of(records: Records) -> pd.DataFrame:
    columns = {
        (f"{name}_1" if name == "geometry" else name): pd.Series(
            values, dtype=object if isinstance(values, list) else None
        )
        for name, values in records.columns.items()
    }
    return pd.DataFrame(columns, index=range(len(records.rows)), copy=False)


def _hand_over(
    door: Door,
    layer: str,
    records: Records,
    *,
    geometries: Any,
    placed: Placement,
    decision: Decision,
    issues: list[Issue],
) -> Raw:
    count = len(records.rows)
    is_placed = placed.crs is not None
    source = Source(
        "",
        door.name,
        door.sha256,
        rows_in=records.rows_in,
        rows_imported=count if is_placed else 0,
        rows_rejected=records.rows_in - (count if is_placed else 0),
        crs=crs_name(placed.crs),
        crs_how=placed.how,
        encoding=decision.encoding,
        encoding_how=decision.how,
    )
    frame = gpd.GeoDataFrame(_frame_of(records), geometry=geometries, crs=placed.crs)
    if not is_placed:
        return Raw(frame.iloc[:0], source, issues=issues, layer=layer)
    source = replace(source, area_m2=measure_total(frame))
    return Raw(frame, source, list(records.rows), issues=issues, layer=layer)


def measure_total(frame: gpd.GeoDataFrame, measure_crs: Any = None) -> float | None:
    """
    Sum the plane areas of the polygons that can be measured.

    Parameters
    ----------
    frame : GeoDataFrame
        With a CRS.
    measure_crs : int, str, CRS or None
        One plane for all; by default each polygon's own 3-degree zone.

    Returns
    -------
    float or None
        Square metres; invalid ones are left out (their area is a matter of
        repair). None where none can be measured, or where they lie outside the measuring zones.
    """
    values = np.asarray(frame.geometry.values)
    is_sound = np.isin(shapely.get_type_id(values), (3, 6)) & are_valid(values) & ~shapely.is_empty(values)
    sound = frame[[frame.geometry.name]]
    sound = sound if is_sound.all() else sound[is_sound]
    if sound.empty:
        return None
    try:
        total = 0.0
        for _, part in in_measuring_zones(sound, measuring_epsg(sound, measure_crs)):
            total += float(shapely.area(part.geometry.values).sum())
    except (CRSError, ProjError):
        # Outside the measuring zones of China there is no agreed plane; the project names one.
        return None
    return total
