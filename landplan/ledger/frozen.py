"""
Frozen lists: the rows as they stood, under the hash of their content, and their polygons for a GIS.

A list is one JSON text, column by column, so that it can be read in ten years without landplan; the polygons lie in a
feature table and are held against the hashes the list keeps of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import DataError, Fault, StoreError
from landplan.issues import Issue
from landplan.ledger.entry import Draft, Entry, Features, Srs, as_json

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from landplan.ledger.seam import Ledger

__all__ = ["FrozenList", "check_frozen", "freeze_list", "frozen_lists", "frozen_shapes", "load_frozen"]

FORMAT = 1
_SHOWN = ("area_m2", "parcel_name", "zone_code", "zone_name", "verdict", "supply_class")


@dataclass(frozen=True)
class FrozenList:
    """
    One list as it was frozen.

    Parameters
    ----------
    list_no : str
        Its number: year, kind and count, ``2027-stock-01``.
    year : int
        Year it is for.
    kind : str
        ``stock``, ``incremental``, ``reserve`` ...
    as_of : date
        Day it was judged for.
    sha256 : str
        Hash of its content.
    seq : int
        Number of its entry in the ledger.
    count : int
        Parcels on it.
    area_m2 : float or None
        Their area; None where one has none.
    frozen_at : str
        Moment, in UTC.
    actor : str
        Who froze it.
    is_new : bool
        False where the same content was frozen before.
    """

    list_no: str
    year: int
    kind: str
    as_of: date
    sha256: str
    seq: int
    count: int
    area_m2: float | None
    frozen_at: str
    actor: str
    is_new: bool = False


def freeze_list(
    ledger: Ledger,
    year: int,
    kind: str,
    rows: DataFrame,
    geometries: Series[Any] | None,
    provenance: Mapping[str, Any],
    actor: str,
    at: datetime,
    *,
    as_of: date,
    crs: Any = None,
) -> FrozenList:
    """
    Freeze a list: its rows, its polygons and what it rests on, in one transaction.

    Parameters
    ----------
    ledger : Ledger
        Where it is kept.
    year : int
        Year it is for.
    kind : str
        ``stock``, ``incremental``, ``reserve`` ...
    rows : DataFrame, n rows, indexed by parcel_id
        The list as it is shown; numbers, text, days, flags, and objects JSON can hold.
    geometries : Series of bytes or None, n rows, same index
        WKB of each parcel, polygons or multi polygons; None for a list without a map.
    provenance : mapping
        What it rests on: rulebooks, inputs, version. Not part of the content.
    actor : str
        Whose session freezes it.
    at : datetime
        Moment, with its time zone.
    as_of : date
        Day it was judged for.
    crs : object, optional
        Coordinate system of the polygons, in any form pyproj takes.

    Returns
    -------
    FrozenList
        The same content frozen again for the same year and kind gives the first one back.

    Raises
    ------
    DataError
        If a parcel stands on it twice, polygons do not belong to the rows, or a value cannot be kept.
    StoreError
        If the ledger cannot be written.
    """
    faults = _faults_of(rows, geometries, crs)
    if faults:
        raise DataError(*faults)
    features = None if geometries is None else _features(rows, geometries, crs)
    content: dict[str, Any] = {"format": FORMAT, **_lay_out(rows)}
    if features is not None:
        content["shapes"] = {
            "crs": features.srs.definition,
            "sha256": [_sha256(wkb) for wkb in features.shapes],
        }
    blob = as_json(content).encode("utf-8")
    area = float(rows["area_m2"].sum(skipna=False)) if "area_m2" in rows.columns else math.nan
    body = {
        "year": year,
        "kind": kind,
        "as_of": as_of,
        "list_sha256": _sha256(blob),
        "count": len(rows),
        "area_m2": area,
        "crs": "" if features is None else features.srs.name,
        "provenance": json.loads(json.dumps(dict(provenance), default=str)),
    }
    (entry,) = ledger.append([Draft("freeze", body, blob=blob, features=features)], actor, at)
    return _frozen(entry)


def _faults_of(rows: DataFrame, geometries: Series[Any] | None, crs: Any) -> list[Fault]:
    faults = [
        Fault(
            en=f"parcel {pid} stands on the list twice.",
            zh=f"地块 {pid} 在清单中出现两次。",
            at=str(pid),
            mend_en="a list is frozen with each parcel once",
            mend_zh="每个地块只能出现一次",
        )
        for pid in rows.index[rows.index.duplicated()].unique()
    ]
    faults += [
        Fault(
            en=f"column {name!r} stands on the list twice.", zh=f"清单中字段“{name}”出现两次。", at=str(name)
        )
        for name in rows.columns[rows.columns.duplicated()].unique()
    ]
    if geometries is not None and not geometries.index.equals(rows.index):
        faults.append(
            Fault(en="the polygons are not those of the rows, in their order.", zh="图形与清单的行不对应。")
        )
    if geometries is not None and crs is None:
        faults.append(Fault(en="polygons need a coordinate system.", zh="图形缺少坐标系。"))
    return faults


def frozen_lists(ledger: Ledger) -> list[FrozenList]:
    """
    List what was frozen.

    Parameters
    ----------
    ledger : Ledger
        Where lists are kept.

    Returns
    -------
    list of FrozenList
        In the order they were frozen.
    """
    return [_frozen(entry) for entry in ledger.entries("freeze")]


def load_frozen(ledger: Ledger, list_no: str) -> tuple[DataFrame, dict[str, Any]]:
    """
    Give a frozen list back as it was.

    Parameters
    ----------
    ledger : Ledger
        Where it is kept.
    list_no : str
        Its number.

    Returns
    -------
    DataFrame
        Equal to the rows that were frozen: values, order, dtypes, index.
    dict
        ``list_no, year, kind, as_of, list_sha256, count, area_m2, crs, provenance, seq, frozen_at, actor``.

    Raises
    ------
    DataError
        If there is no such list; the message names those there are.
    StoreError
        If its content is damaged.
    """
    entries = {entry.body["list_no"]: entry for entry in ledger.entries("freeze")}
    if list_no not in entries:
        raise DataError(
            Fault(
                en=f"no list {list_no!r} was frozen.",
                zh=f"没有编号为“{list_no}”的冻结清单。",
                mend_en=f"lists frozen: {', '.join(entries) or 'none'}",
                mend_zh=f"已冻结的清单：{'、'.join(entries) or '无'}",
            )
        )
    entry = entries[list_no]
    content = ledger.get_blob(entry.body["list_sha256"])
    try:
        rows = _take_in(json.loads(content))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            Fault(
                en=f"list {list_no} cannot be read: {error}.", zh=f"清单 {list_no} 无法读取。", at=ledger.name
            )
        ) from error
    meta = {**entry.body, "as_of": date.fromisoformat(entry.body["as_of"])}
    return rows, {**meta, "seq": entry.seq, "frozen_at": entry.at_utc, "actor": entry.actor}


def frozen_shapes(ledger: Ledger, list_no: str) -> tuple[Series[Any], str]:
    """
    Give the polygons of a frozen list back.

    Parameters
    ----------
    ledger : Ledger
        Where it is kept.
    list_no : str
        Its number.

    Returns
    -------
    Series of bytes, indexed by parcel_id
        WKB of multi polygons, in the order of the list.
    str
        Their coordinate system, as WKT.

    Raises
    ------
    StoreError
        If it was frozen without polygons, or is none.
    """
    features = ledger.features(list_no)
    index = pd.Index(features.parcel_ids, name="parcel_id", dtype="str")
    return pd.Series(features.shapes, index=index, dtype="object"), features.srs.definition


def check_frozen(entry: Entry, content: bytes, features: Features | None, source: str) -> list[Issue]:
    """
    Hold the polygons of a list against the list.

    Parameters
    ----------
    entry : Entry
        The entry that froze it.
    content : bytes
        The list, its hash checked.
    features : Features or None
        What stands in the feature table under its number.
    source : str
        Name of the ledger, for issues.

    Returns
    -------
    list of Issue
        One ``LEDGER.FROZEN`` per parcel whose polygon or facts are not those that were frozen.
    """
    listed = json.loads(content)
    expected = dict(zip(listed["index"]["values"], listed.get("shapes", {}).get("sha256", []), strict=False))
    found = (
        {} if features is None else dict(zip(features.parcel_ids, map(_sha256, features.shapes), strict=True))
    )
    wrong = {pid for pid in expected.keys() | found.keys() if expected.get(pid) != found.get(pid)}
    if features is not None:
        columns = {column["name"]: column["values"] for column in listed["columns"]}
        at = {pid: row for row, pid in enumerate(listed["index"]["values"])}
        for name, values in features.facts.items():
            kept = columns.get(name)
            for pid, value in zip(features.parcel_ids, values, strict=True):
                if pid in at and value != (None if kept is None else kept[at[pid]]):
                    wrong.add(pid)
        if features.srs.definition != listed.get("shapes", {}).get("crs"):
            wrong.add("CRS")
    return [
        Issue("LEDGER.FROZEN", source=source, layer=entry.body["list_no"], row=entry.seq, value=pid)
        for pid in sorted(map(str, wrong))[:20]
    ]


def _frozen(entry: Entry) -> FrozenList:
    body = entry.body
    return FrozenList(
        body["list_no"], body["year"], body["kind"], date.fromisoformat(body["as_of"]), body["list_sha256"], entry.seq,
        body["count"], body.get("area_m2"), entry.at_utc, entry.actor, entry.is_new,
    )  # fmt: skip


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _features(rows: DataFrame, geometries: Series[Any], crs: Any) -> Features:
    import shapely
    from pyproj import CRS

    shapes = shapely.from_wkb(geometries.to_numpy())
    kinds = shapely.get_type_id(shapes)
    odd = rows.index[~np.isin(kinds, (3, 6))]
    if len(odd):
        raise DataError(
            *(
                Fault(
                    en=f"parcel {pid} has no polygon; a list is frozen with the polygons it rests on.",
                    zh=f"地块 {pid} 没有面状图形，不能冻结。",
                    at=str(pid),
                    mend_en="mend its geometry, or leave it off the list",
                    mend_zh="修正其图形，或移出清单",
                )
                for pid in odd[:50]
            )
        )
    # A feature table has one type of geometry.
    parts = [
        shapely.multipolygons([shape]) if kind == 3 else shape
        for shape, kind in zip(shapes, kinds, strict=True)
    ]
    wkb = list(
        shapely.to_wkb(shapely.force_2d(np.array(parts, dtype=object)), byte_order=1, include_srid=False)
    )
    known = CRS.from_user_input(crs)
    authority = known.to_authority(min_confidence=100) or ("NONE", "-1")
    number = int(authority[1]) if authority[0] == "EPSG" and authority[1].isdigit() else -1
    facts = {name: _values(rows[name]) for name in _SHOWN if name in rows.columns}
    srs = Srs(known.name, "EPSG" if number > 0 else "NONE", number, _wkt(known))
    return Features([str(pid) for pid in rows.index], wkb, srs, facts)


def _wkt(crs: Any) -> str:
    """WKT of the first kind is what GeoPackage 1.2 asks for; what it cannot say is written in the second."""
    from pyproj.exceptions import CRSError

    try:
        return str(crs.to_wkt("WKT1_GDAL"))
    except CRSError:
        return str(crs.to_wkt())


def _lay_out(rows: DataFrame) -> dict[str, Any]:
    return {
        "index": {
            "name": rows.index.name,
            "dtype": str(rows.index.dtype),
            "values": _values(rows.index.to_series()),
        },
        "columns": [
            {"name": str(name), "dtype": str(rows[name].dtype), "values": _values(rows[name])}
            for name in rows.columns
        ],
    }


def _values(column: Series[Any]) -> list[Any]:
    """Cells as JSON holds them: exact numbers, days as text, null where missing."""
    dtype = str(column.dtype)
    if dtype.startswith("datetime64"):
        return [None if pd.isna(cell) else cell.isoformat() for cell in column]
    if dtype == "category":
        column = column.astype("object")
    missing = column.isna().to_numpy(dtype=bool) if dtype != "object" else [cell is None for cell in column]
    cells = [None if gone else _plain(cell) for cell, gone in zip(column.tolist(), missing, strict=True)]
    try:
        json.dumps(cells, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            Fault(
                en=f"column {column.name!r} of the list cannot be kept ({error}).",
                zh=f"清单字段“{column.name}”含有无法保存的值。",
                at=str(column.name),
                mend_en="freeze plain numbers, text, days and flags",
                mend_zh="只冻结数字、文字、日期和是否值",
            )
        ) from error
    return cells


def _plain(cell: Any) -> Any:
    if isinstance(cell, np.generic):
        return cell.item()
    # A missing number among objects is missing, not a word.
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def _take_in(content: Mapping[str, Any]) -> DataFrame:
    if content["format"] > FORMAT:
        raise ValueError(f"format {content['format']}")
    index = content["index"]
    made = pd.Index(_typed(index["values"], index["dtype"]), name=index["name"])
    columns = {column["name"]: _typed(column["values"], column["dtype"]) for column in content["columns"]}
    frame = pd.DataFrame({name: values.set_axis(made) for name, values in columns.items()}, index=made)
    return frame[[column["name"] for column in content["columns"]]]


def _typed(values: Sequence[Any], dtype: str) -> Series[Any]:
    if dtype.startswith("datetime64"):
        return pd.Series(pd.to_datetime(list(values)), dtype=dtype)
    kind: Any = dtype
    typed: Series[Any] = pd.Series(list(values), dtype=kind)
    return typed
