"""
Tables as Arrow columns and back, to the last digit, some rows at a time.

Every type of a table has an Arrow type that other programs read; a *layout* (JSON in the file's metadata) says what it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely

from landplan.errors import Fault, StoreError
from landplan.schema import as_words
from landplan.store.frames import words_known

__all__ = ["arrow_layout", "arrow_slices", "from_arrow"]

_Array = np.ndarray[Any, Any]

_MANY = 1_000  # words from which on those a slice does not hold are left out of it
_AT_ONCE = 1 << 16  # moments looked at in one go
_TEXTS = ("str", "string")
_PLAIN = ("float64", "int64", "bool", "Int64", "boolean")
_TYPES = {
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "Int64": pa.int64(),
    "boolean": pa.bool_(),
}
_KINDS = {
    3: "Polygon",
    6: "MultiPolygon",
    0: "Point",
    1: "LineString",
    4: "MultiPoint",
    5: "MultiLineString",
    7: "GeometryCollection",
}


def arrow_layout(frame: pd.DataFrame, table: str) -> dict[str, Any]:
    """
    Say how each column of a table is stored.

    Parameters
    ----------
    frame : DataFrame or GeoDataFrame
        Any of the tables of an assessment; not changed.
    table : str
        Its name, for the message.

    Returns
    -------
    dict
        What ``arrow_slices`` needs to lay rows out, and ``from_arrow`` to give the table back; JSON values only.

    Raises
    ------
    StoreError
        With one fault per column that has a type no Arrow column can hold.
    """
    faults: list[Fault] = []
    if not frame.columns.is_unique:
        doubled = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
        raise StoreError(
            Fault(
                en=f"table {table} has columns twice: {doubled}.",
                zh=f"表 {table} 的字段重复：{'、'.join(doubled)}。",
            )
        )
    drawn = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    columns = []
    for name in frame.columns:
        how = "geometry" if name == drawn else _stored(frame[name])
        if not how:
            faults.append(
                Fault(
                    en=f"column {str(name)!r} of table {table} cannot be stored ({frame[name].dtype}).",
                    zh=f"表 {table} 的字段“{name}”含有无法保存的值（{frame[name].dtype}）。",
                    at=f"{table}.{name}",
                    mend_en="give it one of the types of the data dictionary",
                    mend_zh="按数据字典规定的类型填写。",
                )
            )
        columns.append({"name": str(name), "stored": how, "dtype": _name_of(frame[name].dtype)})
    if faults:
        raise StoreError(*faults)
    layout: dict[str, Any] = {
        "geo": isinstance(frame, gpd.GeoDataFrame),
        "columns": columns,
        "rows": len(frame),
    }
    index = frame.index
    if isinstance(index, pd.RangeIndex):
        layout["index"] = {
            "name": index.name,
            "stored": "range",
            "range": [index.start, index.stop, index.step],
        }
    else:
        field = str(index.name or "index")
        while field in frame.columns:
            field += "_"
        layout["index"] = {
            "name": index.name,
            "field": field,
            "stored": _stored(index),
            "dtype": _name_of(index.dtype),
        }
    if drawn is not None:
        layout["crs"] = None if frame.crs is None else frame.crs.to_wkt()
    return layout


def _name_of(dtype: Any) -> str:
    return "category" if isinstance(dtype, pd.CategoricalDtype) else str(dtype)


def _stored(values: pd.Series[Any] | pd.Index[Any]) -> str:
    """How a column is stored; empty where it cannot be."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "words" if str(dtype.categories.dtype) in (*_TEXTS, "object") and not dtype.ordered else ""
    name = str(dtype)
    if name in _TEXTS:
        return "text"
    if name in _PLAIN:
        return "plain"
    if name.startswith("datetime64[") and "," not in name:
        return "day" if _are_days(values.to_numpy()) else "moment"
    if name == "object":
        try:
            json.dumps([cell for cell in values.tolist() if cell is not None])
        except (TypeError, ValueError):
            return ""
        return "json"
    return ""


def _are_days(moments: _Array) -> bool:
    """Whether all moments are days that a calendar with years of four digits has."""
    for begin in range(0, len(moments), _AT_ONCE):
        some = moments[begin : begin + _AT_ONCE]
        days = some.astype("datetime64[D]")
        known = ~np.isnat(some)
        within = (days >= np.datetime64("0001-01-01")) & (days <= np.datetime64("9999-12-31"))
        if not (within & (some == days))[known].all():
            return False
    return True


def arrow_slices(frame: pd.DataFrame, layout: Mapping[str, Any], rows: int) -> Iterator[pa.Table]:
    """
    Lay a table out in Arrow columns, so many rows at a time.

    Parameters
    ----------
    frame : DataFrame or GeoDataFrame
        As given to ``arrow_layout``.
    layout : mapping
        What that gave.
    rows : int
        Rows of one slice.

    Yields
    ------
    pyarrow.Table
        One at least; geometry as WKB, missing values as null.
    """
    # Read from the stored columns, not by rows: cutting a wide frame copies all of it.
    columns = [(c["name"], c["stored"], frame[c["name"]].array) for c in layout["columns"]]
    index = layout["index"]
    if index["stored"] != "range":
        columns.insert(0, (index["field"], index["stored"], frame.index.array))
    for start in range(0, max(len(frame), 1), rows):
        arrays = {name: _array(values[start : start + rows], how) for name, how, values in columns}
        count = min(rows, len(frame) - start)
        # A table without columns still has rows.
        yield pa.table(arrays or {"row": pa.array(np.arange(start, start + count))})


def _array(values: Any, how: str) -> pa.Array:
    if how == "geometry":
        shapes = np.asarray(values, dtype=object)
        return pa.array(shapely.to_wkb(shapes, flavor="iso"), type=pa.large_binary())
    if how == "text":
        return _whole(pa.array(values, type=pa.large_string()))
    if how == "words":
        # Only the words of this slice: a dictionary of all parcels would be written with every slice.
        words, numbers = values.categories, np.asarray(values.codes)
        if len(words) > _MANY:
            used, numbers = _used(numbers)
            words = words.take(used)
        return pa.DictionaryArray.from_arrays(
            pa.array(numbers, mask=None if numbers.min(initial=0) == 0 else numbers < 0),
            _whole(pa.array(words.astype("str").array, type=pa.large_string())),
        )
    if how == "day":
        days = np.asarray(values).astype("datetime64[D]")
        return pa.array(days, type=pa.date32())
    if how == "moment":
        moments = np.asarray(values)
        text = np.datetime_as_string(moments).astype(object)
        text[np.isnat(moments)] = None
        return pa.array(text, type=pa.large_string())
    if how == "json":
        cells = [
            None if cell is None else json.dumps(cell, ensure_ascii=False)
            for cell in np.asarray(values, dtype=object)
        ]
        return pa.array(cells, type=pa.large_string())
    # Not a number is no number: other programs know it as null.
    return _whole(pa.array(values, type=_TYPES[str(values.dtype)], from_pandas=True))


def _used(codes: _Array) -> tuple[_Array, _Array]:
    """The codes that occur, in order, and each of them numbered by its place among those; missing is -1 in both."""
    held = codes[codes >= 0]
    if not len(held):
        return held, codes
    least = int(held.min())
    occurs = np.zeros(int(held.max()) - least + 1, dtype=bool)
    occurs[held - least] = True
    place = np.cumsum(occurs, dtype=np.int32) - 1
    numbers = np.where(codes < 0, np.int32(-1), place[np.maximum(codes - least, 0)])
    return np.flatnonzero(occurs) + least, numbers


def _whole(array: Any) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def from_arrow(table: pa.Table, layout: Mapping[str, Any]) -> pd.DataFrame:
    """
    Give a table back from its Arrow columns.

    Parameters
    ----------
    table : pyarrow.Table
        As it was written, slices joined.
    layout : mapping
        As ``arrow_layout`` made it.

    Returns
    -------
    DataFrame or GeoDataFrame
        With the index, the column order, the types and the CRS it had.

    Raises
    ------
    KeyError, ValueError
        If a column is not there, or is not what the layout says.
    """
    about = layout["index"]
    if about["stored"] == "range":
        index: pd.Index[Any] = pd.RangeIndex(range(*about["range"]), name=about["name"])
    else:
        index = pd.Index(_values(table.column(about["field"]), about), name=about["name"])
    found: dict[str, Any] = {}
    drawn = None
    for column in layout["columns"]:
        name = column["name"]
        if column["stored"] == "geometry":
            drawn = name
            blobs = table.column(name).to_numpy()
            shapes = shapely.from_wkb(np.array([*blobs, None], dtype=object)[:-1], on_invalid="raise")
            found[name] = gpd.GeoSeries(shapes, crs=layout["crs"])
        else:
            found[name] = _values(table.column(name), column)
    frame: pd.DataFrame = pd.DataFrame(found, index=pd.RangeIndex(table.num_rows))
    frame.index = index  # set afterwards: values are by row, and parcel numbers may repeat
    if not layout["geo"]:
        return frame
    mapped: pd.DataFrame = gpd.GeoDataFrame(frame, geometry=drawn)
    return mapped


def _values(column: Any, about: Mapping[str, Any]) -> Any:
    how, dtype = about["stored"], about["dtype"]
    if how == "words":
        return _words(column, words_known(about))
    if how == "text":
        return pd.Series(pd.array(column, dtype=dtype))
    if how == "day":
        return pd.Series(column.to_numpy().astype("datetime64[D]").astype(dtype))
    if how == "moment":
        return pd.Series(np.array(["NaT" if v is None else v for v in column.to_pylist()], dtype=dtype))
    if how == "json":
        return pd.Series([None if v is None else json.loads(v) for v in column.to_pylist()], dtype="object")
    if dtype == "float64":
        return pd.Series(column.to_numpy().astype("float64", copy=False))
    if dtype in ("Int64", "boolean"):
        return pd.Series(pd.array(column.combine_chunks().to_pandas(integer_object_nulls=True), dtype=dtype))
    return pd.Series(column.to_numpy().astype(dtype))


def _words(column: Any, known: Sequence[str]) -> pd.Series[Any]:
    unified = column.unify_dictionaries() if isinstance(column, pa.ChunkedArray) else column
    joined = _whole(unified)
    words = pd.Index(pd.array(joined.dictionary, dtype="str"))
    codes = joined.indices.fill_null(-1).to_numpy()
    return as_words(pd.Series(pd.Categorical.from_codes(codes, categories=words)), known)
