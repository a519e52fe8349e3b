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
from landplan.read.geopackage import check_count, check_envelopes, read_envelopes
from landplan.read.records import Records, unpack_records
from landplan.read.shapefile import read_attributes
from landplan.read.stage import Stage
from landplan.read.workers import Pending, ReaderError

__all__ = ["Shapes", "name_layers", "read_drawn", "reason"]

_Array = np.ndarray[Any, Any]

_SHORTEST, _CURVED = 9, 8  # bytes of the shortest WKB there is, and the first type of geometry with arcs
_TYPED = frozenset({"flatgeobuf", "gdb", "gpkg"})  # the others are held against their own text
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
    path, decision, shapes, envelopes = stage.path, stage.decision, None, None
    with _ask_whole(stage, door.kind, layer) as pending:
        if door.kind == "shapefile":
            # While the reader draws, the attributes are read here: pure Python needs no sandbox.
            shapes = read_attributes(path, door.name, encoding=option, how=how)
            decision = replace(shapes.decision, issues=tuple(shapes.issues))
        if door.kind == "gpkg":
            envelopes = read_envelopes(path, layer)
        try:
            records = (
                _from_parquet(pending, door.name)
                if door.kind == "parquet"
                else _from_table(pending, door.kind, layer, source=door.name)
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
            envelopes, layer, door.name, records.geometries, records.rows, records.rows_in
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
        return _from_table(pending, kind, layer, source=source, is_sieve=True)


class Shapes:
    """
    Shapes made of some records of a table at a time: their WKB is never in memory as a whole.

    Parameters
    ----------
    is_sieve : bool
        Whether records whose geometry cannot be made are left out, or end the work.
    """

    def __init__(self, *, is_sieve: bool) -> None:
        self._is_sieve, self._crs = is_sieve, None
        self._values: list[_Array] = [np.empty(0, dtype=object)]
        self._kept: list[_Array] = [np.empty(0, dtype=np.intp)]
        self._count = 0
        self.curved: list[int] = []
        """Positions of records whose arcs became chords."""

    def of(self, count: int) -> tuple[_Array, _Array]:
        """Shapes, and the positions of the records they belong to among so many."""
        if self._count != count:
            # A table without such a column: records that draw nothing.
            return np.full(count, None, dtype=object), np.arange(count)
        return np.concatenate(self._values), np.concatenate(self._kept)

    def find(self, about: dict[str, Any], schema: Any) -> int | None:
        """Where the WKB stands, by what GDAL says or the file itself."""
        if "geometry_name" in about:
            self._crs, name = about["crs"], about["geometry_name"] or "wkb_geometry"
        elif geo := _geo_of(schema):
            name = geo["primary_column"]
            encoding = geo["columns"][name].get("encoding", "WKB")
            if encoding != "WKB":
                raise ValueError(f"geometry encoding {encoding}")
        else:
            return None
        return schema.names.index(name) if name in schema.names else None

    def take(self, column: Any) -> None:
        """Make the shapes of some records."""
        blobs = np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)
        values, kept, curved = _from_wkb(blobs, _suspects(column), is_sieve=self._is_sieve, crs=self._crs)
        self._values.append(values)
        self._kept.append(kept + self._count)
        self.curved += [k + self._count for k in curved]
        self._count += len(column)


def _geo_of(schema: Any) -> Any:
    return json.loads((schema.metadata or {}).get(b"geo", b"null"))


def _from_table(pending: Pending, kind: str, layer: str, *, source: str, is_sieve: bool = False) -> Records:
    """The records of a table that GDAL makes."""
    shapes = Shapes(is_sieve=is_sieve)
    answer = pending.answer(shapes)
    meta, table = answer.about, answer.table
    if table is None:
        raise ReaderError("FILE.UNREADABLE", "no table")
    fid = meta["fid_column"] or "OGC_FID"
    drawn = meta["geometry_name"] or "wkb_geometry"
    geometries, kept = shapes.of(table.num_rows)
    typed = kind in _TYPED
    columns = _columns(table, [n for n in table.column_names if n not in (fid, drawn)], kept, typed=typed)
    # Record numbers of a shapefile leave out the deleted ones.
    fids = np.array(table[fid].to_pylist()) if kind == "shapefile" else np.arange(table.num_rows)
    records = Records(columns, geometries, (fids[kept] + 1).tolist(), table.num_rows, meta["crs"])
    lost = np.sort(np.delete(fids, kept) + 1).tolist()
    records.issues = [
        Issue("FILE.BAD_RECORD", source=source, layer=layer, row=row, value="WKB") for row in lost
    ]
    records.issues += [
        Issue("GEOM.CURVE", source=source, layer=layer, row=int(fids[k]) + 1, value=CHORD_M)
        for k in shapes.curved
    ]
    return records


def _columns(table: Any, names: list[str], kept: _Array, *, typed: bool) -> dict[str, Any]:
    """The columns of a table, of the records that are kept: as lists, or plain text and numbers as they lie there."""
    columns: dict[str, Any] = {}
    for at, name in enumerate(table.column_names):
        if name in names:
            # A damaged file may call two columns alike; both are kept.
            title = f"{name}_{at + 1}" if name in columns else name
            columns[title] = _cells(table.column(at)) if typed else table.column(at).to_pylist()
    if len(kept) == table.num_rows:
        return columns
    return {
        name: [values[k] for k in kept] if isinstance(values, list) else values[kept]
        for name, values in columns.items()
    }


def _cells(column: Any) -> Any:
    """A column as pandas holds it: no object of Python for each of a million cells, where its type allows that."""
    import pandas as pd
    import pyarrow.types as kinds

    kind = column.type
    if kinds.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if kinds.is_string(kind) or kinds.is_large_string(kind):
        # In one piece of its own: a part of what was read would hold all of it.
        return pd.array(column.combine_chunks(), dtype="str")
    if kinds.is_floating(kind):
        return column.to_numpy().astype("float64", copy=False)
    if kinds.is_signed_integer(kind) and not column.null_count:
        return column.to_numpy().astype("int64", copy=False)
    return column.to_pylist()


def _from_parquet(pending: Pending, source: str) -> Records:
    """The records of a GeoParquet file, or of a Parquet file without geometry."""
    shapes = Shapes(is_sieve=True)
    table = pending.answer(shapes).table
    if table is None:
        raise ReaderError("FILE.UNREADABLE", "no table")
    about = _geo_of(table.schema)
    if not about:
        # A table and no map: ledgers and events of a million rows come so.
        everyone = np.arange(table.num_rows)
        columns = _columns(table, table.column_names, everyone, typed=True)
        return Records(columns, None, (everyone + 1).tolist(), table.num_rows)
    drawn = about["primary_column"]
    said = about["columns"][drawn]
    geometries, kept = shapes.of(table.num_rows)
    lost = np.delete(np.arange(table.num_rows), kept)
    issues = [Issue("FILE.BAD_RECORD", source=source, row=int(k) + 1, value="WKB") for k in lost]
    columns = _columns(table, [name for name in table.column_names if name != drawn], kept, typed=True)
    is_silent = "crs" not in said
    declared = "OGC:CRS84" if is_silent else said["crs"]
    rows = (kept + 1).tolist()
    return Records(columns, geometries, rows, table.num_rows, declared, is_silent, issues)


def _suspects(column: Any) -> list[int]:
    """Positions of WKB that does not begin as nearly all of it does: points to collections, little-endian, no heights."""
    import pyarrow.types as kinds

    wide = kinds.is_large_binary(column.type)
    if not wide and not kinds.is_binary(column.type):
        return list(range(len(column)))
    _, offsets, body = column.buffers()
    at = np.frombuffer(offsets, dtype=np.int64 if wide else np.int32)[column.offset :][: len(column) + 1]
    bytes_of = np.frombuffer(body, dtype=np.uint8) if body is not None else np.empty(0, dtype=np.uint8)
    # Null and short ones are looked at too: there are few.
    plain = np.diff(at) >= _SHORTEST
    first = at[:-1][plain]
    kind = bytes_of[first + 1]
    plain[plain] = (bytes_of[first] == 1) & (kind > 0) & (kind < _CURVED) & (bytes_of[first + 2] == 0)
    found: list[int] = np.flatnonzero(~plain).tolist()
    return found


def _from_wkb(
    blobs: _Array, suspects: list[int], *, is_sieve: bool, crs: Any
) -> tuple[_Array, _Array, list[int]]:
    """Geometries, the positions of the records they belong to, and of those whose arcs became chords."""
    curved = [k for k in suspects if has_curves(blobs[k])]
    flat = blobs.copy() if curved else blobs
    if curved:
        # In degrees a millimetre is a hundred-millionth.
        in_degrees = crs is not None and pyproj.CRS.from_user_input(crs).is_geographic
        for k in curved:
            try:
                flat[k] = linearise(blobs[k] or b"", CHORD_M * (1e-5 if in_degrees else 1.0))
            except ValueError:
                flat[k] = b""
    # NaN is named later, by its row.
    with np.errstate(invalid="ignore"):
        values = shapely.from_wkb(flat, on_invalid="ignore" if is_sieve else "raise")
    missing = np.flatnonzero(shapely.is_missing(values)).tolist()
    kept = np.delete(np.arange(len(values)), [k for k in missing if blobs[k] is not None])
    return values[kept], kept, [k for k in curved if values[k] is not None]


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
