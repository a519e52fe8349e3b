"""Record by record: the slow reader that takes over where a file breaks the fast one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape

from landplan.issues import Issue

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Collector", "Records", "pack_records", "read_records", "unpack_records"]

_RINGED = {"Polygon", "MultiPolygon"}
_TYPES = _RINGED | {
    "Point",
    "MultiPoint",
    "LineString",
    "LinearRing",
    "MultiLineString",
    "GeometryCollection",
}


@dataclass
class Records:
    """
    Records of one layer, whichever reader read them.

    Parameters
    ----------
    columns : dict of str to list or array
        Values by header, None or NaN where missing.
    geometries : list or array of object, or None
        Shapely geometries, None where there is none; None alone where the source is a table and no map.
    rows : list of int
        Record number of each, counted from 1.
    rows_in : int
        Records in the container; those not in ``rows`` were rejected.
    crs : str or dict or None
        What the file declares.
    is_crs_by_format : bool
        Whether the file is silent and its format fixes the CRS (GeoJSON: WGS 84).
    issues : list of Issue
        One FILE.BAD_RECORD per record that could not be read, and others.
    """

    columns: dict[str, Any]
    geometries: Any
    rows: list[int]
    rows_in: int
    crs: Any = None
    is_crs_by_format: bool = False
    issues: list[Issue] = field(default_factory=list)


class Collector:
    """
    Gathers good records column by column, and one issue for each bad one.

    Parameters
    ----------
    source, layer : str
        Names of file and layer in issues.
    """

    def __init__(self, source: str, layer: str) -> None:
        """Begin with no record."""
        self.source, self.layer = source, layer
        self.found = Records({}, [], [], 0)

    def take(self, geometry: Any, properties: dict[str, Any], row: int | None = None) -> None:
        """
        Add one record, or say why it is not added.

        Parameters
        ----------
        geometry : dict or None
            As GeoJSON writes it.
        properties : dict
            Attributes by header.
        row : int or None
            Its number; the next one where None.
        """
        self.found.rows_in += 1
        row = row or self.found.rows_in
        try:
            drawn = _draw(geometry)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, ShapelyError) as error:
            self._report("FILE.BAD_RECORD", row, _reason(geometry, error))
            return
        if gap := _gap(geometry):
            length, first = gap
            self._report("GEOM.UNCLOSED", row, f"{length} {first}", cell=first, suggestion=first)
        for name in properties:
            if name not in self.found.columns:
                self.found.columns[name] = [None] * len(self.found.rows)
        for name, values in self.found.columns.items():
            values.append(properties.get(name))
        self.found.geometries.append(drawn)
        self.found.rows.append(row)

    def refuse(self, reason: str) -> None:
        """
        Count one record that could not even be handed over.

        Parameters
        ----------
        reason : str
            Why.
        """
        self.found.rows_in += 1
        self._report("FILE.BAD_RECORD", self.found.rows_in, reason)

    def _report(self, code: str, row: int, value: str, cell: str = "", suggestion: str = "") -> None:
        self.found.issues.append(
            Issue(code, self.source, self.layer, row, cell, value=value, suggestion=suggestion)
        )


def read_records(
    path: Path,
    *,
    layer: str = "",
    encoding: str = "",
    source: str = "",
    driver: str = "",
    options: dict[str, str] | None = None,
) -> Records:
    """
    Read a layer with fiona, one record after the other.

    Parameters
    ----------
    path : Path
        A file that :func:`landplan.read.door.open_door` found whole.
    layer : str, default ""
        Layer to read; the only one where empty.
    encoding : str, default ""
        Of the attributes, where the format leaves it open.
    source : str, default ""
        Name of the file in issues.
    driver : str, default ""
        The only driver that may open it; any where empty.
    options : dict of str to str, optional
        Open options of the driver.

    Returns
    -------
    Records
        Good records and an issue for each bad one; open rings are closed and reported.

    Raises
    ------
    OSError, ValueError, RuntimeError
        If not even the container can be opened.
    """
    import fiona
    from fiona.errors import FionaError

    collector = Collector(source, layer)
    kwargs: dict[str, Any] = dict(options or {})
    if layer:
        kwargs["layer"] = layer
    if encoding:
        kwargs["encoding"] = encoding
    if driver:
        kwargs["enabled_drivers"] = [driver]
    try:
        with fiona.open(path, **kwargs) as collection:
            total = len(collection)
            is_shapefile = collection.driver == "ESRI Shapefile"
            while collector.found.rows_in < total:
                try:
                    # The iterator ends at the first record it cannot make; it goes on behind that one.
                    for _, feature in collection.items(collector.found.rows_in, None):
                        geometry = feature.geometry
                        drawn = None if geometry is None else geometry.__geo_interface__
                        # Records marked as deleted in a .dbf are passed by; only the number tells.
                        row = int(feature.id) + 1 if is_shapefile else None
                        collector.take(drawn, dict(feature.properties), row)
                    break
                except (FionaError, ValueError, TypeError, AttributeError, UnicodeError) as error:
                    collector.refuse(str(error)[:120] or type(error).__name__)
            while collector.found.rows_in < total:
                collector.refuse("no data")
            collector.found.crs = collection.crs_wkt or None
    except FionaError as error:
        raise OSError(str(error)) from error
    return collector.found


def pack_records(records: Records) -> tuple[dict[str, Any], pa.Table]:
    """
    Lay records out for another process.

    Parameters
    ----------
    records : Records
        As :func:`read_records` gives.

    Returns
    -------
    about : dict
        JSON values: names, counts, CRS, issues.
    table : pyarrow.Table
        Geometry as WKB, row numbers, and the columns by position.
    """
    import pyarrow as pa

    texts = []
    arrays = {
        "geometry": pa.array(shapely.to_wkb(_as_array(records.geometries)).tolist(), type=pa.large_binary()),
        "row": pa.array(records.rows, type=pa.int64()),
    }
    for k, values in enumerate(records.columns.values()):
        try:
            arrays[str(k)] = pa.array(values)
        except (pa.ArrowException, UnicodeError, OverflowError):
            # Values of several kinds in one column, or text that is none.
            texts.append(k)
            arrays[str(k)] = pa.array([json.dumps(value, default=str) for value in values])
    about = {
        "names": list(records.columns),
        "texts": texts,
        "rows_in": records.rows_in,
        "crs": records.crs,
        "issues": [asdict(issue) for issue in records.issues],
    }
    return about, pa.table(arrays)


def unpack_records(about: dict[str, Any], table: pa.Table) -> Records:
    """
    Make records of what another process laid out.

    Parameters
    ----------
    about : dict
        As :func:`pack_records` gives.
    table : pyarrow.Table
        As :func:`pack_records` gives.

    Returns
    -------
    Records
        The same.

    Raises
    ------
    shapely.errors.ShapelyError
        If a geometry is damaged.
    """
    with np.errstate(invalid="ignore"):
        drawn = shapely.from_wkb(_as_array(table["geometry"].to_pylist())).tolist()
    columns = {name: table[str(k)].to_pylist() for k, name in enumerate(about["names"])}
    for k in about["texts"]:
        name = about["names"][k]
        columns[name] = [json.loads(text) for text in columns[name]]
    issues = [Issue(**issue) for issue in about["issues"]]
    return Records(columns, drawn, table["row"].to_pylist(), about["rows_in"], about["crs"], issues=issues)


def _as_array(values: list[Any]) -> Any:
    # Filled and not converted: numpy takes one geometry for a sequence.
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _draw(geometry: Any) -> Any:
    """Make the shapely geometry of a GeoJSON-like mapping; rings are closed on the way."""
    if geometry is None:
        return None
    if not isinstance(geometry, dict) and not hasattr(geometry, "keys"):
        raise TypeError("geometry is not an object")
    kind = geometry.get("type")
    if kind not in _TYPES:
        raise ValueError(f"unknown geometry type {kind!r}")
    if kind != "GeometryCollection":
        _check_numbers(geometry.get("coordinates"))
    if kind in _RINGED:
        for ring in _rings(geometry):
            if 0 < len(ring) < 3:
                raise ValueError(f"ring of {len(ring)} points")
    with np.errstate(invalid="ignore"):
        return shape(geometry)


def _check_numbers(coordinates: Any) -> None:
    """Refuse positions of text or of one number only, which other readers turn into no geometry at all."""
    if not isinstance(coordinates, list | tuple):
        raise TypeError("coordinates are missing")
    stack: list[Any] = [coordinates]
    while stack:
        item = stack.pop()
        if item and not isinstance(item[0], list | tuple):
            bad = [v for v in item if isinstance(v, bool) or not isinstance(v, int | float)]
            if bad or len(item) < 2:
                raise ValueError(f"not a position: {str(item)[:60]}")
        else:
            for part in item:
                if not isinstance(part, list | tuple):
                    raise TypeError(f"not a position: {str(part)[:60]}")
                stack.append(part)


def _rings(geometry: Any) -> Iterator[Any]:
    kind, coordinates = geometry.get("type"), geometry.get("coordinates") or ()
    if kind == "Polygon":
        yield from coordinates
    elif kind == "MultiPolygon":
        for polygon in coordinates:
            yield from polygon


def _gap(geometry: Any) -> tuple[str, str] | None:
    """Distance between the ends of the first open ring, and its first point; None where all are closed."""
    if geometry is None or geometry.get("type") not in _RINGED:
        return None
    for ring in _rings(geometry):
        if len(ring) and tuple(ring[0]) != tuple(ring[-1]):
            first, last = ring[0], ring[-1]
            return f"{math.dist(first[:2], last[:2]):.6g}", f"({first[0]}, {first[1]})"
    return None


def _reason(geometry: Any, error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    kind = geometry.get("type", "") if hasattr(geometry, "get") else ""
    return f"{kind}: {text}"[:160] if kind else text[:160]
