"""Drawn layers (Shapefile, GeoPackage, GeoJSON, GeoParquet, FlatGeobuf, FileGDB, KML, DXF), read to the last."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from shapely.errors import ShapelyError

from landplan.crs import crs_name, in_measuring_zones, measuring_epsg
from landplan.errors import CRSError
from landplan.issues import Issue, codes
from landplan.read.curves import CHORD_M, has_curves, linearise
from landplan.read.door import VECTORS, Door, open_door
from landplan.read.encoding import Decision
from landplan.read.geojson import check_properties, hold_against_text, read_geojson_records
from landplan.read.geopackage import check_count, check_envelopes
from landplan.read.place import FARTHEST, Placement, decide_crs
from landplan.read.raw import Raw
from landplan.read.records import Records, unpack_records
from landplan.read.shapefile import read_attributes
from landplan.read.stage import Stage, staged
from landplan.read.workers import Answer, Pending, ReaderError
from landplan.tables import Source

__all__ = ["list_layers", "measure_total", "read_vector"]

_POLYGONS = ("polygon", "surface", "unknown", "geometry")
# Text like T0101 is taken for the time 01:01:00 otherwise, in silence.
_OPTIONS = {"geojson": {"DATE_AS_STRING": "YES"}}
_DRIVERS = {
    "shapefile": "ESRI Shapefile",
    "gpkg": "GPKG",
    "geojson": "GeoJSON",
    "flatgeobuf": "FlatGeobuf",
    "gdb": "OpenFileGDB",
    "kml": "KML",
}
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
    if door.kind in _PARSED:
        chosen, records, decision = _parse(door, layer=layer, crs=crs, encoding=encoding, how=encoding_how)
        return _place(door, chosen, records, decision, issues=issues, crs=crs, crs_how=crs_how)
    with staged(door) as stage:
        if stage.fault is not None:
            return _refused(door, [*issues, *stage.decision.issues, stage.fault])
        try:
            names = _layers(stage, door.kind)
        except ReaderError as error:
            names = []
            if door.kind != "geojson" or error.code != "FILE.UNREADABLE":
                return _refused(door, [*issues, _unreadable(door, error)])
        chosen, fault = _choose(names, layer, door.name)
        if fault:
            return _refused(door, [*issues, fault])
        try:
            records, decision = _read(stage, door, chosen, option=encoding, how=encoding_how)
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
            return [name for name, _ in _layers(stage, door.kind)]
        except ReaderError:
            return []


def _parse(
    door: Door, *, layer: str | None, crs: str | None, encoding: str | None, how: str
) -> tuple[str, Records, Decision]:
    """Read a format whose text we parse ourselves: GDAL drops what it cannot draw, and says nothing."""
    if door.kind == "dxf":
        from landplan.read.cad import read_drawing

        return read_drawing(
            door.path, layer=layer, crs=crs, encoding=encoding, how=how, source=door.name
        )
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


def _refused(door: Door, issues: list[Issue], layer: str = "") -> Raw:
    source = Source("", door.name, door.sha256)
    return Raw(gpd.GeoDataFrame({"geometry": []}, geometry="geometry"), source, issues=issues, layer=layer)


def _unreadable(door: Door, error: BaseException) -> Issue:
    code = error.code if isinstance(error, ReaderError) else "FILE.UNREADABLE"
    return Issue(code, source=door.name, value=_short(error))


def _short(error: BaseException) -> str:
    if isinstance(error, ReaderError):
        return error.value
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


def _layers(stage: Stage, kind: str) -> list[tuple[str, str]]:
    """Names and geometry types of the layers."""
    if kind in {"parquet", "shapefile"}:
        return [(stage.path.stem, "Unknown")]
    listed = stage.reader.ask("layers", stage.path).about["layers"]
    return [(name, drawn) for name, drawn in listed]


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
    with _ask_whole(stage, door.kind, layer) as pending:
        if door.kind == "shapefile":
            # While the reader draws, the attributes are read here: pure Python needs no sandbox.
            shapes = read_attributes(path, door.name, encoding=option, how=how)
            decision = replace(shapes.decision, issues=tuple(shapes.issues))
        try:
            answer = pending.answer()
            records = (
                _from_parquet(answer, door.name)
                if door.kind == "parquet"
                else _from_table(answer, door.kind, layer, source=door.name)
            )
        except (ReaderError, ShapelyError) as error:
            is_fatal = isinstance(error, ReaderError) and error.code != "FILE.UNREADABLE"
            if door.kind == "parquet" or is_fatal:
                raise
            records = _read_slowly(stage, door, layer, _short(error))
    if shapes is not None:
        kept = np.array(records.rows, dtype=int) - 1
        is_whole = np.array_equal(kept, np.arange(len(shapes.is_deleted)))
        records.columns = {
            name: values if is_whole else [values[k] for k in kept] for name, values in shapes.columns.items()
        }
    if door.kind == "gpkg":
        records.issues[:0] = check_count(path, layer, door.name)
        records.issues += check_envelopes(
            path, layer, door.name, records.geometries, records.rows, records.rows_in
        )
    if door.kind == "geojson":
        records = hold_against_text(stage.content, records, door.name)
        records.issues += check_properties(stage.content, door.name)
    return records, decision


def _ask_whole(stage: Stage, kind: str, layer: str) -> Pending:
    """Ask for a layer as one table."""
    if kind == "parquet":
        return stage.reader.begin("parquet", stage.path)
    is_shapefile = kind == "shapefile"
    return stage.reader.begin(
        "table",
        stage.path,
        layer="" if is_shapefile else layer,
        # The attributes of a shapefile are read by ourselves, to the byte.
        columns=[] if is_shapefile else None,
        encoding="ISO-8859-1" if is_shapefile else None,
        options=_OPTIONS.get(kind, {}),
    )


def _sieve(stage: Stage, kind: str, layer: str, source: str) -> Records:
    """Read a layer whole, but leave out the records whose geometry cannot be made, and name them."""
    with _ask_whole(stage, kind, layer) as pending:
        return _from_table(pending.answer(), kind, layer, source=source, is_sieve=True)


def _from_table(answer: Answer, kind: str, layer: str, *, source: str, is_sieve: bool = False) -> Records:
    """The records of a table that GDAL made."""
    meta, table = answer.about, answer.table
    if table is None:
        raise ReaderError("FILE.UNREADABLE", "no table")
    fid = meta["fid_column"] or "OGC_FID"
    drawn = meta["geometry_name"] or "wkb_geometry"
    blobs = _blobs(table, drawn)
    geometries, kept, curved = _from_wkb(blobs, is_sieve, meta["crs"])
    columns = _columns(table, [n for n in table.column_names if n not in (fid, drawn)], kept)
    fids = table[fid].to_pylist() if kind == "shapefile" else range(table.num_rows)
    records = Records(columns, geometries, [fids[k] + 1 for k in kept], table.num_rows, meta["crs"])
    lost = sorted({k + 1 for k in fids} - set(records.rows))
    records.issues = [
        Issue("FILE.BAD_RECORD", source=source, layer=layer, row=row, value="WKB") for row in lost
    ]
    records.issues += [
        Issue("GEOM.CURVE", source=source, layer=layer, row=fids[k] + 1, value=CHORD_M) for k in curved
    ]
    return records


def _blobs(table: Any, name: str) -> list[bytes | None]:
    """A column of WKB; empty ones where there is none."""
    if name not in table.column_names:
        return [None] * table.num_rows
    blobs: list[bytes | None] = table[name].to_numpy().tolist()
    return blobs


def _columns(table: Any, names: list[str], kept: list[int]) -> dict[str, list[Any]]:
    """The columns of a table, of the records that are kept."""
    columns = {name: table[name].to_pylist() for name in names}
    if len(kept) == table.num_rows:
        return columns
    return {name: [values[k] for k in kept] for name, values in columns.items()}


def _from_parquet(answer: Answer, source: str) -> Records:
    """The records of a GeoParquet file."""
    table = answer.table
    if table is None:
        raise ReaderError("FILE.UNREADABLE", "no table")
    about = json.loads((table.schema.metadata or {}).get(b"geo", b"null"))
    if not about:
        raise ValueError("Parquet without the GeoParquet key 'geo'")
    drawn = about["primary_column"]
    said = about["columns"][drawn]
    if said.get("encoding", "WKB") != "WKB":
        raise ValueError(f"geometry encoding {said.get('encoding')}")
    geometries, kept, _ = _from_wkb(_blobs(table, drawn), is_sieve=True, crs=None)
    lost = sorted(set(range(table.num_rows)) - set(kept))
    issues = [Issue("FILE.BAD_RECORD", source=source, row=k + 1, value="WKB") for k in lost]
    columns = _columns(table, [name for name in table.column_names if name != drawn], kept)
    is_silent = "crs" not in said
    declared = "OGC:CRS84" if is_silent else said["crs"]
    return Records(columns, geometries, [k + 1 for k in kept], table.num_rows, declared, is_silent, issues)


def _from_wkb(
    blobs: list[bytes | None], is_sieve: bool, crs: Any
) -> tuple[list[Any], list[int], list[int]]:
    """Geometries, the positions of the records they belong to, and of those whose arcs became chords."""
    flat, curved = list(blobs), [k for k, blob in enumerate(blobs) if has_curves(blob)]
    if curved:
        # In degrees a millimetre is a hundred-millionth.
        in_degrees = crs is not None and pyproj.CRS.from_user_input(crs).is_geographic
        for k in curved:
            try:
                flat[k] = linearise(blobs[k] or b"", CHORD_M * (1e-5 if in_degrees else 1.0))
            except ValueError:
                flat[k] = b""
    # The trailing None keeps numpy from taking one geometry for a sequence; NaN is named later, by its row.
    with np.errstate(invalid="ignore"):
        values = shapely.from_wkb(
            np.array([*flat, None], dtype=object), on_invalid="ignore" if is_sieve else "raise"
        )
    kept = [k for k, blob in enumerate(blobs) if blob is None or values[k] is not None]
    return [values[k] for k in kept], kept, [k for k in curved if values[k] is not None]


def _read_slowly(stage: Stage, door: Door, layer: str, why: str) -> Records:
    """Read record by record: fiona, and for GeoJSON that GDAL cannot open at all, its own text."""
    note = Issue("FILE.RECORD_READER", source=door.name, layer=layer, value=why)
    # Its attributes are not used; a code page that decodes anything lets every shape through.
    encoding = "iso-8859-1" if door.kind == "shapefile" else ""
    try:
        answer = stage.reader.ask(
            "records",
            stage.path,
            layer=layer,
            encoding=encoding,
            source=door.name,
            driver=_DRIVERS[door.kind],
            options=_OPTIONS.get(door.kind),
        )
        if answer.table is None:
            raise ReaderError("FILE.UNREADABLE", "no table")
        records = unpack_records(answer.about, answer.table)
    except (ReaderError, ShapelyError) as error:
        if isinstance(error, ReaderError) and error.code != "FILE.UNREADABLE":
            raise
        if door.kind == "geojson":
            records = read_geojson_records(stage.content, source=door.name)
        else:
            # fiona's GDAL knows no KML; the table came through, so only geometries are at fault.
            records = _sieve(stage, door.kind, layer, door.name)
    else:
        if door.kind != "geojson":
            # The older GDAL believes a GeoPackage's own count, and stops early in a cut table, in silence.
            sieved = _sieve(stage, door.kind, layer, door.name)
            told = {issue.row for issue in records.issues} | set(sieved.rows)
            records.issues += [
                Issue("FILE.RECORD_READER", source=door.name, layer=layer, row=row, value=drawn.geom_type)
                for row, drawn in zip(records.rows, records.geometries, strict=True)
                if row not in told and drawn is not None
            ]
            records = sieved if sieved.rows_in > records.rows_in else records
    records.issues.insert(0, note)
    return records


def _look_at(records: Records, source: str, layer: str) -> tuple[Any, list[Issue]]:
    """Bring geometry to the plane and name every record without a usable one."""
    values = np.empty(len(records.geometries), dtype=object)
    values[:] = records.geometries
    lifted = shapely.has_z(values) | shapely.has_m(values)
    flat = shapely.force_2d(values) if lifted.any() else values
    missing, empty = shapely.is_missing(values), shapely.is_empty(values)
    points, owners = shapely.get_coordinates(flat, return_index=True)
    infinite = np.zeros(len(values), dtype=bool)
    # Numbers beyond the solar system are damage as NaN is, and squared they are infinite.
    infinite[owners[~(np.abs(points) < FARTHEST).all(axis=1)]] = True
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
