"""Drawn layers (Shapefile, GeoPackage, GeoJSON, GeoParquet, FlatGeobuf, FileGDB, KML), read to the last."""

from __future__ import annotations

import json
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyogrio.errors import DataSourceError, FieldError
from shapely.errors import ShapelyError

from landplan.crs import crs_name, in_measuring_zones, measuring_epsg
from landplan.errors import CRSError
from landplan.issues import Issue
from landplan.read.door import VECTORS, Door, open_door
from landplan.read.encoding import Decision
from landplan.read.geojson import hold_against_text, read_geojson_records
from landplan.read.place import Placement, decide_crs
from landplan.read.raw import Raw
from landplan.read.records import Records, read_records
from landplan.read.shapefile import read_attributes
from landplan.read.stage import Stage, staged
from landplan.tables import Source

__all__ = ["list_layers", "measure_total", "read_vector"]

_POLYGONS = ("polygon", "surface", "unknown", "geometry")
# Text like T0101 is taken for the time 01:01:00 otherwise, in silence.
_OPTIONS = {"geojson": {"DATE_AS_STRING": "YES"}}
_SHOWN_LAYERS = 40


def read_vector(
    path: str | os.PathLike[str],
    *,
    layer: str | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    crs_how: str = "option",
    encoding_how: str = "option",
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
    door = open_door(path)
    if door.is_open and door.kind not in VECTORS:
        door = replace(
            door, issues=(*door.issues, Issue("FILE.TYPE", source=door.name, value=door.path.name))
        )
    if not door.is_open:
        return _refused(door, list(door.issues))
    issues = list(door.issues)
    with staged(door) as stage:
        if stage.fault is not None:
            return _refused(door, [*issues, *stage.decision.issues, stage.fault])
        try:
            names = _layers(stage.path, door.kind)
        except (DataSourceError, OSError, ValueError, RuntimeError) as error:
            names = []
            if door.kind != "geojson":
                return _refused(door, [*issues, _unreadable(door, error)])
        chosen, fault = _choose(names, layer, door.name)
        if fault:
            return _refused(door, [*issues, fault])
        try:
            records, decision = _read(stage, door, chosen, option=encoding, how=encoding_how)
        except (DataSourceError, OSError, ValueError, RuntimeError, RecursionError) as error:
            return _refused(door, [*issues, _unreadable(door, error)])
    issues += [*decision.issues, *records.issues]
    if not records.rows_in:
        return _refused(door, [*issues, Issue("FILE.EMPTY", source=door.name, layer=chosen)], layer=chosen)
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
    return _hand_over(
        door, chosen, records, geometries=geometries, placed=placed, decision=decision, issues=issues
    )


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
    if not door.is_open or door.kind not in VECTORS:
        return []
    with staged(door) as stage:
        if stage.fault is not None:
            return []
        try:
            return [name for name, _ in _layers(stage.path, door.kind)]
        except (DataSourceError, OSError, ValueError, RuntimeError):
            return []


def _refused(door: Door, issues: list[Issue], layer: str = "") -> Raw:
    source = Source("", door.name, door.sha256)
    return Raw(gpd.GeoDataFrame({"geometry": []}, geometry="geometry"), source, issues=issues, layer=layer)


def _unreadable(door: Door, error: BaseException) -> Issue:
    return Issue("FILE.UNREADABLE", source=door.name, value=_short(error))


def _short(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


@contextmanager
def _quiet() -> Iterator[None]:
    """M values are counted and text is decoded by ourselves; pyogrio's word on them is not needed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Measured", category=UserWarning)
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        yield


def _layers(path: Path, kind: str) -> list[tuple[str, str]]:
    """Names and geometry types of the layers."""
    if kind == "parquet":
        return [(path.stem, "Unknown")]
    import pyogrio

    with _quiet():
        return [(str(name), str(drawn or "")) for name, drawn in pyogrio.list_layers(path)]


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


def _read(stage: Stage, door: Door, layer: str, *, option: str | None, how: str) -> tuple[Records, Decision]:
    """Read a layer the fast way, and record by record where that breaks."""
    path, decision, shapes = stage.path, stage.decision, None
    if door.kind == "shapefile":
        shapes = read_attributes(path, door.name, encoding=option, how=how)
        decision = replace(shapes.decision, issues=tuple(shapes.issues))
    try:
        records = (
            _read_parquet(path, door.name) if door.kind == "parquet" else _read_fast(path, door.kind, layer)
        )
    except (DataSourceError, FieldError, ShapelyError, OSError, ValueError, RuntimeError) as error:
        if door.kind == "parquet":
            raise
        records = _read_slowly(stage, door, layer, _short(error))
    if shapes is not None:
        kept = np.array(records.rows, dtype=int) - 1
        records.columns = {name: [values[k] for k in kept] for name, values in shapes.columns.items()}
    if door.kind == "gpkg":
        records.issues[:0] = _check_count(path, layer, door.name)
    if door.kind == "geojson":
        records = hold_against_text(stage.content, records, door.name)
    return records, decision


def _read_fast(path: Path, kind: str, layer: str, *, is_sieve: bool = False, source: str = "") -> Records:
    """Read a layer whole; as a sieve, leave out the records whose geometry cannot be made and name them."""
    from pyogrio.raw import read_arrow

    with _quiet():
        meta, table = read_arrow(
            path,
            layer=layer or None,
            # The attributes of a shapefile are read by ourselves, to the byte.
            columns=[] if kind == "shapefile" else None,
            encoding="ISO-8859-1" if kind == "shapefile" else None,
            return_fids=True,
            **_OPTIONS.get(kind, {}),
        )
    fid = meta["fid_column"] or "OGC_FID"
    drawn = meta["geometry_name"] or "wkb_geometry"
    blobs = table[drawn].to_pylist() if drawn in table.column_names else [None] * table.num_rows
    geometries, kept = _from_wkb(blobs, is_sieve)
    columns = {
        name: [values[k] for k in kept]
        for name, values in ((n, table[n].to_pylist()) for n in table.column_names if n not in (fid, drawn))
    }
    fids = table[fid].to_pylist() if kind == "shapefile" else range(table.num_rows)
    records = Records(columns, geometries, [fids[k] + 1 for k in kept], table.num_rows, meta["crs"])
    lost = sorted({k + 1 for k in fids} - set(records.rows))
    records.issues = [
        Issue("FILE.BAD_RECORD", source=source, layer=layer, row=row, value="WKB") for row in lost
    ]
    return records


def _read_parquet(path: Path, source: str) -> Records:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise ValueError(_short(error)) from error
    about = json.loads((table.schema.metadata or {}).get(b"geo", b"null"))
    if not about:
        raise ValueError("Parquet without the GeoParquet key 'geo'")
    drawn = about["primary_column"]
    said = about["columns"][drawn]
    if said.get("encoding", "WKB") != "WKB":
        raise ValueError(f"geometry encoding {said.get('encoding')}")
    geometries, kept = _from_wkb(table[drawn].to_pylist(), is_sieve=True)
    lost = sorted(set(range(table.num_rows)) - set(kept))
    issues = [Issue("FILE.BAD_RECORD", source=source, row=k + 1, value="WKB") for k in lost]
    columns = {}
    for name in table.column_names:
        if name != drawn:
            values = table[name].to_pylist()
            columns[name] = [values[k] for k in kept]
    is_silent = "crs" not in said
    declared = "OGC:CRS84" if is_silent else said["crs"]
    return Records(columns, geometries, [k + 1 for k in kept], table.num_rows, declared, is_silent, issues)


def _from_wkb(blobs: list[bytes | None], is_sieve: bool) -> tuple[list[Any], list[int]]:
    """Geometries, and the positions of the records they belong to."""
    # The trailing None keeps numpy from taking one geometry for a sequence; NaN is named later, by its row.
    with np.errstate(invalid="ignore"):
        values = shapely.from_wkb(
            np.array([*blobs, None], dtype=object), on_invalid="ignore" if is_sieve else "raise"
        )
    kept = [k for k, blob in enumerate(blobs) if blob is None or values[k] is not None]
    return [values[k] for k in kept], kept


def _read_slowly(stage: Stage, door: Door, layer: str, why: str) -> Records:
    """Read record by record: fiona, and for GeoJSON that GDAL cannot open at all, its own text."""
    path = stage.path
    note = Issue("FILE.RECORD_READER", source=door.name, layer=layer, value=why)
    # Its attributes are not used; a code page that decodes anything lets every shape through.
    encoding = "iso-8859-1" if door.kind == "shapefile" else ""
    try:
        records = read_records(
            path, layer=layer, encoding=encoding, source=door.name, options=_OPTIONS.get(door.kind)
        )
    except (OSError, ValueError, RuntimeError, TypeError, AttributeError):
        if door.kind == "geojson":
            records = read_geojson_records(stage.content, source=door.name)
        else:
            # fiona's GDAL knows no KML; the table came through, so only geometries are at fault.
            records = _read_fast(path, door.kind, layer, is_sieve=True, source=door.name)
    else:
        if door.kind != "geojson":
            # The older GDAL believes a GeoPackage's own count, and stops early in a cut table, in silence.
            sieved = _read_fast(path, door.kind, layer, is_sieve=True, source=door.name)
            records = sieved if sieved.rows_in > records.rows_in else records
    records.issues.insert(0, note)
    return records


def _check_count(path: Path, layer: str, source: str) -> list[Issue]:
    """Hold the GeoPackage's own count against the rows; most readers believe it and hide the rest."""
    quoted = '"' + layer.replace('"', '""') + '"'
    try:
        with closing(sqlite3.connect(path.as_uri() + "?mode=ro&immutable=1", uri=True)) as base:
            told = base.execute(
                "SELECT feature_count FROM gpkg_ogr_contents WHERE lower(table_name) = lower(?)", (layer,)
            ).fetchone()
            real = base.execute(f"SELECT COUNT(*) FROM {quoted}").fetchone()  # noqa: S608 - quoted name of a listed layer
    except sqlite3.Error:
        return []  # the table of counts is optional
    if told is None or told[0] is None or told[0] == real[0]:
        return []
    return [Issue("FILE.COUNT", source=source, layer=layer, value=f"{told[0]} / {real[0]}")]


def _look_at(records: Records, source: str, layer: str) -> tuple[Any, list[Issue]]:
    """Bring geometry to the plane and name every record without a usable one."""
    values = np.empty(len(records.geometries), dtype=object)
    values[:] = records.geometries
    lifted = shapely.has_z(values) | shapely.has_m(values)
    flat = shapely.force_2d(values)
    missing, empty = shapely.is_missing(values), shapely.is_empty(values)
    points, owners = shapely.get_coordinates(flat, return_index=True)
    infinite = np.zeros(len(values), dtype=bool)
    infinite[owners[~np.isfinite(points).all(axis=1)]] = True
    is_polygon = np.isin(shapely.get_type_id(values), (3, 6))

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
    columns = {
        (f"{name}_1" if name == "geometry" else name): pd.Series(values, dtype=object)
        for name, values in records.columns.items()
    }
    frame = gpd.GeoDataFrame(pd.DataFrame(columns, index=range(count)), geometry=geometries, crs=placed.crs)
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
    values = frame.geometry.values
    sound = frame[
        np.isin(shapely.get_type_id(values), (3, 6)) & shapely.is_valid(values) & ~shapely.is_empty(values)
    ]
    if sound.empty:
        return None
    try:
        total = 0.0
        for _, part in in_measuring_zones(sound, measuring_epsg(sound, measure_crs)):
            total += float(shapely.area(part.geometry.values).sum())
    except CRSError:
        # Outside the measuring zones of China there is no agreed plane; the project names one.
        return None
    return total
