"""The records of a drawn layer: asked of a reader as one table, and one by one where a file breaks that."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyproj
import shapely
from shapely.errors import ShapelyError

from landplan.issues import Issue
from landplan.read.curves import CHORD_M, has_curves, linearise
from landplan.read.door import Door
from landplan.read.encoding import Decision
from landplan.read.geojson import check_properties, hold_against_text, read_geojson_records
from landplan.read.geopackage import check_count, check_envelopes
from landplan.read.records import Records, unpack_records
from landplan.read.shapefile import read_attributes
from landplan.read.stage import Stage
from landplan.read.workers import Answer, Pending, ReaderError

__all__ = ["name_layers", "read_drawn", "reason"]

# Text like T0101 is taken for the time 01:01:00 otherwise, in silence.
_OPTIONS = {"geojson": {"DATE_AS_STRING": "YES"}}
_DRIVERS = {
    "shapefile": "ESRI Shapefile",
    "gpkg": "GPKG",
    "geojson": "GeoJSON",
    "flatgeobuf": "FlatGeobuf",
    "gdb": "OpenFileGDB",
}


def name_layers(stage: Stage, kind: str) -> list[tuple[str, str]]:
    """
    Name the layers of a source.

    Parameters
    ----------
    stage : Stage
        As :func:`landplan.read.stage.staged` gives.
    kind : str
        Format, as the door found it.

    Returns
    -------
    list of (str, str)
        Names and geometry types, in the order of the file.

    Raises
    ------
    ReaderError
        If it cannot be opened.
    """
    if kind in {"parquet", "shapefile"}:
        return [(stage.path.stem, "Unknown")]
    listed = stage.reader.ask("layers", stage.path).about["layers"]
    return [(name, drawn) for name, drawn in listed]


def read_drawn(
    stage: Stage, door: Door, layer: str, *, option: str | None, how: str
) -> tuple[Records, Decision]:
    """
    Read a layer the fast way, and record by record where that breaks.

    Parameters
    ----------
    stage : Stage
        As :func:`landplan.read.stage.staged` gives.
    door : Door
        An open one.
    layer : str
        Its name in the file.
    option : str or None
        Encoding of the text, where it is said.
    how : str
        Where it is said.

    Returns
    -------
    records : Records
        As they stand in the source, with what was wrong with them.
    decision : Decision
        How text was decoded.

    Raises
    ------
    ReaderError, shapely.errors.ShapelyError, ValueError
        If nothing can be read.
    UsageError
        If ``option`` is not an encoding.
    """
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
            records = _read_slowly(stage, door, layer, reason(error))
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
    blobs: list[bytes | None] = table.column(table.column_names.index(name)).to_numpy().tolist()
    return blobs


def _columns(table: Any, names: list[str], kept: list[int]) -> dict[str, list[Any]]:
    """The columns of a table, of the records that are kept."""
    columns: dict[str, list[Any]] = {}
    for at, name in enumerate(table.column_names):
        if name in names:
            # A damaged file may call two columns alike; both are kept.
            columns[f"{name}_{at + 1}" if name in columns else name] = table.column(at).to_pylist()
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


def _from_wkb(blobs: list[bytes | None], is_sieve: bool, crs: Any) -> tuple[list[Any], list[int], list[int]]:
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
            # The table came through, so only geometries are at fault.
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


def reason(error: BaseException) -> str:
    """
    Say in one line why something failed.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str
        First line of its message, or its name.
    """
    if isinstance(error, ReaderError):
        return error.value
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
