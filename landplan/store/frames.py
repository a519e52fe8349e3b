"""
Tables as GeoPackage fields and back, to the last digit.

A GeoPackage knows fewer types than a table, and other programs must still read it: each column is written in
the nearest type, and a *layout* (JSON, kept beside the provenance) says what it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from landplan.errors import Fault, StoreError
from landplan.schema import as_words
from landplan.schema import column as declared

__all__ = ["Packed", "compare_frames", "pack", "read_geometry", "unpack", "words_known"]

Array = np.ndarray[Any, np.dtype[Any]]

_POLYGON, _MULTIPOLYGON = 3, 6
_PLAIN = ("float64", "int64", "bool")
_NULLABLE = {"Int64": "int64", "boolean": "bool"}
_TEXTS = ("str", "string")
_TAKEN = ("fid", "geom")
_ENVELOPES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}


@dataclass(frozen=True)
class Packed:
    """
    A table in the terms of a GeoPackage.

    Parameters
    ----------
    fields : list of str
        Names of its fields, distinct whatever the case.
    data : list of ndarray
        One array per field.
    masks : list of (ndarray of bool or None)
        Where a field is empty; None where the array says so itself.
    geometry : ndarray of (bytes or None), or None
        WKB of each row; None for a table without a map.
    geometry_type : str or None
        As GeoPackage declares it.
    layout : dict
        What ``unpack`` needs to give the table back.
    """

    fields: list[str]
    data: list[Array]
    masks: list[Array | None]
    geometry: Array | None
    geometry_type: str | None
    layout: dict[str, Any]


def pack(frame: pd.DataFrame, table: str) -> Packed:
    """
    Lay a table out in fields of a GeoPackage.

    Parameters
    ----------
    frame : DataFrame or GeoDataFrame, n rows
        Any of the tables of an assessment; not changed.
    table : str
        Its name, for the message.

    Returns
    -------
    Packed
        Fields, values and layout.

    Raises
    ------
    StoreError
        With one fault per column that has a type no field can hold.
    """
    geometry_name = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    faults: list[Fault] = []
    taken: set[str] = set(_TAKEN)
    fields: list[str] = []
    data: list[Array] = []
    masks: list[Array | None] = []

    def _add(name: str, values: pd.Series[Any]) -> dict[str, str]:
        try:
            array, mask, stored = _pack_values(values)
        except (TypeError, ValueError) as error:
            faults.append(
                Fault(
                    en=f"column {name!r} of table {table} cannot be stored ({values.dtype}: {error}).",
                    zh=f"表 {table} 的字段“{name}”含有无法保存的值（{values.dtype}）。",
                    at=f"{table}.{name}",
                    mend_en="give it one of the types of the data dictionary",
                    mend_zh="按数据字典规定的类型填写。",
                )
            )
            return {}
        field = _field_name(name, taken)
        fields.append(field)
        data.append(array)
        masks.append(mask)
        return {"name": name, "field": field, "dtype": str(values.dtype), "stored": stored}

    layout: dict[str, Any] = {
        "geo": isinstance(frame, gpd.GeoDataFrame),
        "index": _index_layout(frame.index, _add),
    }
    if not frame.columns.is_unique:
        doubled = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
        faults.append(
            Fault(
                en=f"table {table} has columns twice: {doubled}.",
                zh=f"表 {table} 的字段重复：{'、'.join(doubled)}。",
            )
        )
        raise StoreError(*faults)
    layout["columns"] = [
        {"name": str(name), "stored": "geometry"} if name == geometry_name else _add(str(name), frame[name])
        for name in frame.columns
    ]
    if faults:
        raise StoreError(*faults)
    geometry = geometry_type = None
    if geometry_name is not None:
        geometry, geometry_type, multiple = _pack_geometry(frame.geometry)
        crs = frame.crs
        layout["crs"] = None if crs is None else crs.to_wkt()
        layout["multiple"] = multiple
    return Packed(fields, data, masks, geometry, geometry_type, layout)


def _field_name(name: str, taken: set[str]) -> str:
    """Names differ whatever their case, and need no quotes: ``promised.far_min`` is ``promised_far_min``."""
    field = re.sub(r"\W", "_", name) or "_"
    while field.lower() in taken:
        field += "_"
    taken.add(field.lower())
    return field


def _index_layout(index: pd.Index[Any], add: Any) -> dict[str, Any]:
    if isinstance(index, pd.RangeIndex):
        return {"name": index.name, "stored": "range", "range": [index.start, index.stop, index.step]}
    column = add(str(index.name or "index"), index.to_series().reset_index(drop=True))
    return {**column, "name": index.name}


def _pack_values(values: pd.Series[Any]) -> tuple[Array, Array | None, str]:
    dtype = str(values.dtype)
    if isinstance(values.dtype, pd.CategoricalDtype):
        if values.cat.ordered or str(values.dtype.categories.dtype) not in (*_TEXTS, "object"):
            raise TypeError("no field type")
        texts = np.array([*values.dtype.categories, None], dtype=object)
        return texts[values.cat.codes.to_numpy()], None, "words"
    if dtype in _TEXTS:
        array = values.astype("object").to_numpy(copy=True)
        array[values.isna().to_numpy()] = None
        return array, None, "text"
    if dtype in _PLAIN:
        return values.to_numpy(), None, "plain"
    if dtype in _NULLABLE:
        mask = values.isna().to_numpy()
        return values.to_numpy(dtype=_NULLABLE[dtype], na_value=0), mask, "plain"
    if dtype.startswith("datetime64[") and "," not in dtype:
        moments = values.to_numpy()
        days = moments.astype("datetime64[D]")
        known = ~np.isnat(moments)
        within = (days[known] >= np.datetime64("0001-01-01")) & (days[known] <= np.datetime64("9999-12-31"))
        if within.all() and (moments[known] == days[known]).all():
            return days, None, "day"
        text = np.datetime_as_string(moments).astype("object")
        text[~known] = None
        return text, None, "moment"
    if dtype == "object":
        cells = [None if cell is None else json.dumps(cell, ensure_ascii=False) for cell in values.tolist()]
        return np.array([*cells, None], dtype="object")[:-1], None, "json"
    raise TypeError("no field type")


def _pack_geometry(values: gpd.GeoSeries) -> tuple[Array, str, list[int]]:
    """WKB, the type the layer declares, and the rows that are multi-part where single ones were promoted."""
    shapes = np.array(values.to_numpy(), dtype="object")
    types = shapely.get_type_id(shapes)
    found = {int(kind) for kind in types if kind >= 0}
    multiple: list[int] = []
    declared = "Unknown"
    if found <= {_POLYGON}:
        declared = "Polygon"
    elif found <= {_POLYGON, _MULTIPOLYGON}:
        # A layer of type "geometry" is split by QGIS into two without a style; one of multi-polygons is not.
        declared = "MultiPolygon"
        multiple = np.flatnonzero(types == _MULTIPOLYGON).tolist()
        for row in np.flatnonzero(types == _POLYGON):
            shapes[row] = shapely.MultiPolygon([] if shapes[row].is_empty else [shapes[row]])
    has_z = shapely.has_z(shapes[types >= 0])
    if declared != "Unknown" and has_z.any():
        declared = f"{declared} Z" if has_z.all() else "Unknown"
    return shapely.to_wkb(shapes, flavor="iso"), declared, multiple


def unpack(rows: Sequence[Sequence[Any]], layout: Mapping[str, Any]) -> pd.DataFrame:
    """
    Give a table back from its stored values.

    Parameters
    ----------
    rows : sequence of sequences
        Stored values, by row: the index where it is stored, then the columns in order, geometry among them.
    layout : mapping
        As ``pack`` made it.

    Returns
    -------
    DataFrame or GeoDataFrame
        With the index, the column order, the types and the CRS it had.
    """
    columns = list(zip(*rows, strict=True)) if rows else []
    count = len(rows)
    place = 0

    def _take() -> list[Any]:
        nonlocal place
        place += 1
        return list(columns[place - 1]) if rows else []

    index_layout = layout["index"]
    if index_layout["stored"] == "range":
        start, stop, step = index_layout["range"]
        index: pd.Index[Any] = pd.RangeIndex(start, stop, step, name=index_layout["name"])
        if len(index) != count:  # rows were added or taken away in a GIS
            index = pd.RangeIndex(count, name=index_layout["name"])
    else:
        index = pd.Index(_unpack_values(_take(), index_layout), name=index_layout["name"])
    found: dict[str, Any] = {}
    geometry_name = None
    for column in layout["columns"]:
        if column["stored"] == "geometry":
            geometry_name = column["name"]
            shapes = _unpack_geometry(_take(), layout["multiple"])
            found[geometry_name] = gpd.GeoSeries(shapes, crs=layout["crs"])
        else:
            found[column["name"]] = _unpack_values(_take(), column)
    frame: pd.DataFrame = pd.DataFrame(found, index=pd.RangeIndex(count))
    frame.index = index  # set afterwards: values are by row, and parcel numbers may repeat
    if not layout["geo"]:
        return frame
    mapped: pd.DataFrame = gpd.GeoDataFrame(frame, geometry=geometry_name)
    return mapped


def _unpack_values(values: list[Any], column: Mapping[str, Any]) -> Any:
    stored, dtype = column["stored"], column["dtype"]
    if stored in ("day", "moment"):
        return pd.Series(np.array(["NaT" if v is None else v for v in values], dtype=dtype))
    if stored == "words":
        return as_words(
            pd.Series([np.nan if v is None else v for v in values], dtype="str"), words_known(column)
        )
    if stored == "json":
        return pd.Series([None if v is None else json.loads(v) for v in values], dtype="object")
    if dtype in _TEXTS:
        missing = np.nan if dtype == "str" else pd.NA
        return pd.Series([missing if v is None else v for v in values], dtype="object").astype(dtype)
    if dtype in ("bool", "boolean"):
        return pd.Series([None if v is None else bool(v) for v in values], dtype="object").astype(dtype)
    if dtype == "float64":
        return pd.Series(np.array(values, dtype="float64"))
    return pd.Series(pd.array([pd.NA if v is None else v for v in values], dtype="Int64")).astype(dtype)


def words_known(column: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Give the words a column of texts held once may come to hold.

    Parameters
    ----------
    column : mapping
        What a layout says of it.

    Returns
    -------
    tuple of str
        The codes of the dictionary; none where it does not know the column.
    """
    try:
        return tuple(declared(str(column["name"])).values)
    except KeyError:
        return ()


def read_geometry(blobs: Sequence[bytes | None]) -> Array:
    """
    Read geometries as a GeoPackage stores them.

    Parameters
    ----------
    blobs : sequence of (bytes or None)
        GeoPackage binary: a header with an envelope, then WKB.

    Returns
    -------
    ndarray of (shapely geometry or None)
        One per blob.
    """
    bodies = [None if blob is None else blob[8 + _ENVELOPES[(blob[3] >> 1) & 7] :] for blob in blobs]
    shapes: Array = shapely.from_wkb(np.array([*bodies, None], dtype="object")[:-1], on_invalid="raise")
    return shapes


def _unpack_geometry(blobs: Sequence[bytes | None], multiple: Sequence[int]) -> Array:
    shapes = read_geometry(blobs)
    if multiple:
        promoted = np.setdiff1d(np.flatnonzero(shapely.get_type_id(shapes) == _MULTIPOLYGON), multiple)
        for row in promoted:
            shapes[row] = shapes[row].geoms[0] if not shapes[row].is_empty else shapely.Polygon()
    return shapes


def compare_frames(left: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    """
    Name what differs between two tables, types and row order included.

    Parameters
    ----------
    left, right : DataFrame or GeoDataFrame
        Two tables.

    Returns
    -------
    list of str
        Names of the columns that differ, or ``rows``, ``index``, ``columns``, ``class``, ``crs``; empty where
        the tables are equal to the last digit.

    Examples
    --------
    >>> compare_frames(pd.DataFrame({"a": [1.0, None]}), pd.DataFrame({"a": [1.0, None]}))
    []
    >>> compare_frames(pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]}))
    ['a']
    """
    if len(left) != len(right):
        return ["rows"]
    if list(left.columns) != list(right.columns):
        return ["columns"]
    found = []
    if isinstance(left, gpd.GeoDataFrame) != isinstance(right, gpd.GeoDataFrame):
        found.append("class")
    same_kind = left.index.dtype == right.index.dtype and left.index.name == right.index.name
    if not (same_kind and left.index.equals(right.index)):
        found.append("index")
    for name in left.columns:
        one, other = left[name], right[name]
        if not _is_alike(one.dtype, other.dtype) or not _is_same(one, other):
            found.append(str(name))
    if isinstance(left, gpd.GeoDataFrame) and "class" not in found:
        same_name = left.active_geometry_name == right.active_geometry_name
        if not same_name or (left.active_geometry_name is not None and left.crs != right.crs):
            found.append("crs")
    return found


def _is_alike(one: Any, other: Any) -> bool:
    """Whether two columns hold the same kind of values; which words a category knows besides is no matter."""
    both = isinstance(one, pd.CategoricalDtype) and isinstance(other, pd.CategoricalDtype)
    return both or bool(one == other)


def _is_same(one: pd.Series[Any], other: pd.Series[Any]) -> bool:
    if isinstance(one.dtype, pd.CategoricalDtype):
        one, other = one.astype("str"), other.astype("str")
    if isinstance(one, gpd.GeoSeries):
        # By bytes: equals() of shapes calls a turned ring equal, and a vertex that is not a number unequal.
        ours = shapely.to_wkb(one.to_numpy(), flavor="iso")
        theirs = shapely.to_wkb(other.to_numpy(), flavor="iso")
        return bool((ours == theirs).all())
    if one.dtype == "object":
        return json.dumps(one.tolist(), default=repr) == json.dumps(other.tolist(), default=repr)
    return one.reset_index(drop=True).equals(other.reset_index(drop=True))
