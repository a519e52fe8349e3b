"""
An assessment as one GeoPackage: maps and tables any GIS opens, and beside them what judged it.

Written whole and read back before it takes its name; the GeoPackage of another is never overwritten.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyogrio import raw
from pyogrio.errors import DataLayerError, DataSourceError

from landplan.errors import Fault, StoreError
from landplan.publish import publish
from landplan.store.frames import Packed, compare_frames, pack, read_geometry, unpack
from landplan.store.styles import write_styles
from landplan.tables import Assessment, Book, Provenance, Source

__all__ = ["compare_assessments", "load_assessment", "save_assessment"]

FORMAT = 2
"""Version of the layout of the file; a higher one is refused, not guessed at."""

_TABLES = {
    "parcels": ("地块", "每行一个地块：事实、量测、结论与供应类别"),
    "zones": ("开发区范围", "每行一个开发区自某日起的边界"),
    "overlaps": ("压占图斑", "每行一块：底图图层落在地块内的部分"),
    "indicators": ("控制指标", "每行一个地块的一项控制指标"),
    "events": ("事项", "每行一个地块的一件事"),
    "findings": ("判定依据", "每行一条规则用于一个地块的结果"),
    "issues": ("问题清单", "每行一个资料问题"),
    "tasks": ("用地清单", "每行一个地块还缺的一项：谁办、几天、多少钱"),
}
_LATER = ("tasks",)
"""Tables that files of format 1 lack: they read as empty."""
_REGISTER = "register_"
_PROVENANCE = "provenance"


def save_assessment(assessment: Assessment, path: Path) -> Path:
    """
    Save an assessment as a GeoPackage that QGIS opens coloured by verdict and labelled.

    Parameters
    ----------
    assessment : Assessment
        All its tables and its provenance are saved; ``layers`` are not.
    path : Path
        Name of the file, ending in ``.gpkg``. A former assessment under this name is replaced in one step.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    StoreError
        If the file there is not an assessment of landplan, a column cannot be stored, the place cannot be
        written, or what was written does not read back equal. The file that stood there stays.

    Notes
    -----
    Same assessment, same bytes: times of writing are replaced by the day judged for.
    """
    path = Path(path)
    if path.suffix.lower() != ".gpkg":
        raise StoreError(
            Fault(
                en="an assessment is saved in a file that ends in .gpkg.",
                zh="评价结果只能保存为 .gpkg 文件。",
                at=str(path),
            )
        )
    if path.exists():
        _open(path).close()
    packed = {table: pack(frame, table) for table, frame in _tables_of(assessment).items()}

    def _write(target: Path) -> None:
        try:
            for table, content in packed.items():
                _write_table(target, table, content)
            with contextlib.closing(sqlite3.connect(target)) as connection, connection:
                _finish(connection, assessment, packed)
        except (DataLayerError, DataSourceError, sqlite3.Error, UnicodeError) as error:
            raise StoreError(
                Fault(
                    en=f"the GeoPackage cannot be written: {error}.",
                    zh="GeoPackage 写入失败，原文件未改动。",
                    at=str(path),
                    mend_en="check free space on the disk and the text of the columns",
                    mend_zh="检查磁盘空间与字段内容。",
                )
            ) from error

    def _verify(target: Path) -> None:
        differing = compare_assessments(assessment, load_assessment(target))
        if differing:
            raise StoreError(
                Fault(
                    en=f"what was written does not read back equal: {', '.join(differing)}.",
                    zh=f"写入后读回不一致：{'、'.join(differing)}；原文件未改动。",
                    at=str(path),
                    mend_en="report this with the input; the data hold something a GeoPackage cannot",
                    mend_zh="请连同输入资料反馈。",
                )
            )

    return publish(path, _write, _verify)


def load_assessment(path: Path) -> Assessment:
    """
    Load an assessment saved by ``save_assessment``.

    Parameters
    ----------
    path : Path
        A GeoPackage of landplan.

    Returns
    -------
    Assessment
        Equal to the one saved, to the last digit; ``layers`` is empty.

    Raises
    ------
    StoreError
        If there is no such file, it is not landplan's, is of a newer format, or is damaged.
    """
    path = Path(path)
    with contextlib.closing(_open(path)) as connection:
        try:
            known = dict(connection.execute(f"SELECT key, value FROM {_PROVENANCE}"))  # noqa: S608 - a constant
            tables = {
                table: _read_table(connection, table, json.loads(known[f"table.{table}"]))
                for table in _TABLES
                if table not in _LATER or f"table.{table}" in known
            }
            registers = {
                key.removeprefix(f"table.{_REGISTER}"): _read_table(
                    connection, key.removeprefix("table."), json.loads(layout)
                )
                for key, layout in known.items()
                if key.startswith(f"table.{_REGISTER}")
            }
            return Assessment(**tables, registers=registers, provenance=_provenance(known))  # type: ignore[arg-type]
        except (sqlite3.Error, KeyError, ValueError, TypeError, IndexError) as error:
            raise StoreError(
                Fault(
                    en=f"the file is damaged or was edited beyond reading ({type(error).__name__}: {error}).",
                    zh="评价结果文件已损坏，或被改动到无法读取。",
                    at=str(path),
                    mend_en="run landplan check again",
                    mend_zh="重新运行 landplan check。",
                )
            ) from error


def compare_assessments(left: Assessment, right: Assessment) -> list[str]:
    """
    Name what differs between two assessments; the map layers, which are not saved, are left aside.

    Parameters
    ----------
    left, right : Assessment
        Two assessments.

    Returns
    -------
    list of str
        E.g. ``parcels.area_m2``, ``provenance.as_of``; empty where they are equal to the last digit.
    """
    ours, theirs = _tables_of(left), _tables_of(right)
    found = sorted(f"{table}.rows" for table in ours.keys() ^ theirs.keys())
    found += [
        f"{table}.{name}"
        for table, frame in ours.items()
        if table in theirs
        for name in compare_frames(frame, theirs[table])
    ]
    mine, yours = _provenance_rows(left.provenance), _provenance_rows(right.provenance)
    return found + [f"{_PROVENANCE}.{key}" for key in mine if mine[key] != yours[key]]


def _tables_of(assessment: Assessment) -> dict[str, pd.DataFrame]:
    """Every table that is saved, by its name in the file."""
    fixed = {table: getattr(assessment, table) for table in _TABLES}
    return fixed | {f"{_REGISTER}{name}": frame for name, frame in assessment.registers.items()}


def _write_table(target: Path, table: str, content: Packed) -> None:
    title, meaning = _TABLES.get(table, (table.removeprefix(_REGISTER), "登记表"))
    options = {"FID": "fid", "IDENTIFIER": title, "DESCRIPTION": meaning}
    fields, data, masks = content.fields, content.data, content.masks
    if content.geometry is not None:
        options["GEOMETRY_NAME"] = "geom"
    elif not fields:
        count = len(range(*content.layout["index"]["range"]))
        fields, data, masks = ["row"], [np.arange(count)], [None]
    with warnings.catch_warnings():
        # A frame without CRS is told of by an issue; here it is kept as it is.
        warnings.filterwarnings("ignore", message="'crs' was not provided")
        raw.write(
            str(target),
            content.geometry,
            data,
            fields,
            field_mask=masks,
            layer=table,
            driver="GPKG",
            geometry_type=content.geometry_type,
            crs=_crs_text(content.layout.get("crs")),
            promote_to_multi=False,
            dataset_options={} if target.exists() else {"VERSION": "1.2"},
            layer_options=options,
        )


def _crs_text(wkt: str | None) -> str | None:
    """The authority's code where the definition is exactly that, because other programs know codes better."""
    if wkt is None:
        return None
    from pyproj import CRS

    authority = CRS.from_wkt(wkt).to_authority(min_confidence=100)
    return ":".join(authority) if authority else wkt


def _finish(connection: sqlite3.Connection, assessment: Assessment, packed: Mapping[str, Packed]) -> None:
    """Add what GDAL does not write: styles, provenance, text with a NUL in it; and take the clock out."""
    for table, content in packed.items():
        _mend_nul(connection, table, content)
    rows = _provenance_rows(assessment.provenance)
    rows["landplan"] = json.dumps({"format": FORMAT, "version": assessment.provenance.version})
    rows |= {
        f"table.{table}": json.dumps(content.layout, ensure_ascii=False) for table, content in packed.items()
    }
    connection.execute(
        f"CREATE TABLE {_PROVENANCE} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "
        "key TEXT NOT NULL UNIQUE, value TEXT NOT NULL)"
    )
    connection.executemany(f"INSERT INTO {_PROVENANCE} (key, value) VALUES (?, ?)", rows.items())  # noqa: S608
    styled = write_styles(
        connection, assessment, {table: content.layout for table, content in packed.items()}
    )
    moment = f"{assessment.provenance.as_of.isoformat()}T00:00:00.000Z"
    for name, title, meaning, count in (
        (_PROVENANCE, "依据与来源", "键与值（JSON）：评价日、规则集全文、输入文件及其哈希", len(rows)),
        ("layer_styles", "layer_styles", "QGIS 样式", styled),
    ):
        connection.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) "
            "VALUES (?, 'attributes', ?, ?, 0)",
            (name, title, meaning),
        )
        connection.execute("INSERT INTO gpkg_ogr_contents VALUES (?, ?)", (name, count))
    connection.execute("UPDATE gpkg_contents SET last_change = ?", (moment,))
    connection.execute("UPDATE layer_styles SET update_time = ?", (moment,))


def _mend_nul(connection: sqlite3.Connection, table: str, content: Packed) -> None:
    """GDAL ends text at the first NUL; a cell that has one is written again."""
    for field, values in zip(content.fields, content.data, strict=True):
        if values.dtype == "object":
            cut = [(text, row) for row, text in enumerate(values.tolist(), start=1) if text and "\0" in text]
            if cut:
                _know_geometry(connection)
                connection.executemany(f"UPDATE {_quote(table)} SET {_quote(field)} = ? WHERE fid = ?", cut)  # noqa: S608


def _know_geometry(connection: sqlite3.Connection) -> None:
    """Lend SQLite the functions GDAL's triggers name, without which no row can be changed."""
    connection.create_function("ST_IsEmpty", 1, lambda blob: None if blob is None else blob[3] >> 4 & 1)
    for place, name in enumerate(("ST_MinX", "ST_MinY", "ST_MaxX", "ST_MaxY")):
        connection.create_function(
            name,
            1,
            lambda blob, at=place: None if blob is None else float(read_geometry([blob])[0].bounds[at]),
        )


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _open(path: Path) -> sqlite3.Connection:
    """Open for reading only what carries landplan's mark, in tables and not in views."""
    if not path.is_file():
        raise StoreError(
            Fault(
                en="there is no such file.",
                zh="找不到评价结果文件。",
                at=str(path),
                mend_en="run landplan check first",
                mend_zh="先运行 landplan check。",
            )
        )
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        # A view of a foreign file can run for ever: only real tables are asked.
        names = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        row = None
        if _PROVENANCE in names:
            row = connection.execute(f"SELECT value FROM {_PROVENANCE} WHERE key = 'landplan'").fetchone()  # noqa: S608
        mark = json.loads(row[0]) if row else {}
        found = mark.get("format") if isinstance(mark, dict) else None
    except (sqlite3.Error, ValueError, TypeError):
        names, found = set(), None
    if isinstance(found, int) and found <= FORMAT and names.issuperset(set(_TABLES) - set(_LATER)):
        return connection
    connection.close()
    if isinstance(found, int) and found > FORMAT:
        raise StoreError(
            Fault(
                en=f"the file was written by a newer landplan (format {found}; this one knows {FORMAT}).",
                zh="文件由更新版本的 landplan 写成，本版本无法读取。",
                at=str(path),
                mend_en="update landplan",
                mend_zh="请升级 landplan。",
            )
        )
    raise StoreError(
        Fault(
            en="the file is not an assessment saved by landplan; it is neither read nor overwritten.",
            zh="该文件不是 landplan 保存的评价结果：既不读取，也不覆盖。",
            at=str(path),
            mend_en="choose another name, or move the file away",
            mend_zh="换一个文件名，或移走该文件。",
        )
    )


def _read_table(connection: sqlite3.Connection, table: str, layout: Mapping[str, Any]) -> pd.DataFrame:
    columns: Sequence[Mapping[str, Any]] = [layout["index"], *layout["columns"]]
    fields = ["geom" if c["stored"] == "geometry" else c["field"] for c in columns if c["stored"] != "range"]
    wanted = ", ".join(map(_quote, fields)) or "fid"
    rows = connection.execute(f"SELECT {wanted} FROM {_quote(table)} ORDER BY fid").fetchall()  # noqa: S608
    return unpack(rows, layout)


def _provenance_rows(provenance: Provenance) -> dict[str, str]:
    facts = {**asdict(provenance), "as_of": provenance.as_of.isoformat()}
    return {key: json.dumps(value, ensure_ascii=False) for key, value in facts.items()}


def _provenance(known: Mapping[str, str]) -> Provenance:
    # What a file of format 1 does not say keeps its default.
    facts = {key: json.loads(known[key]) for key in Provenance.__dataclass_fields__ if key in known}
    return Provenance(
        **{
            **facts,
            "as_of": date.fromisoformat(facts["as_of"]),
            "books": tuple(Book(**book) for book in facts["books"]),
            "sources": tuple(Source(**source) for source in facts["sources"]),
            "complete": tuple(facts.get("complete", ())),
        }
    )
