"""
The tables of the ledger as a GeoPackage, and whether a file holds exactly these.

Every statement is compared as text with what the file says it was made by: a table that became a view, a trigger that
was dropped or added, make the file one that is read but never written.
"""

from __future__ import annotations

import re
import sqlite3
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from landplan.issues import Issue
from landplan.ledger.entry import Entry, Features, Srs, as_json

__all__ = ["create_tables", "describe_mark", "find_foreign", "insert_features", "read_features", "read_mark"]

FORMAT = 1
"""Version of the layout; a higher one is read by a newer landplan only."""

_APPLICATION, _VERSION = 0x47504B47, 10200  # "GPKG", 1.2: what QGIS and older programs read alike
_FACTS = ("parcel_name", "zone_code", "zone_name", "verdict", "supply_class")
_GENERIC_SRS = (
    ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined"),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined"),
    (
        "WGS 84 geodetic",
        4326,
        "EPSG",
        4326,
        'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],'
        'AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],'
        'UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],'
        'AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]',
    ),
)
_TABLES = {
    "gpkg_spatial_ref_sys": "CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL "
    "PRIMARY KEY, organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, "
    "description TEXT)",
    "gpkg_contents": "CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, "
    "identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT "
    "(strftime('%Y-%m-%dT%H:%M:%fZ','now')), min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER, "
    "CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id))",
    "gpkg_geometry_columns": "CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, "
    "geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, CONSTRAINT "
    "pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name), CONSTRAINT "
    "fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name), CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) "
    "REFERENCES gpkg_spatial_ref_sys (srs_id))",
    "ledger_mark": "CREATE TABLE ledger_mark (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    "entries": "CREATE TABLE entries (seq INTEGER PRIMARY KEY NOT NULL, at_utc TEXT NOT NULL, actor TEXT NOT NULL, "
    "action TEXT NOT NULL, idem_key TEXT NOT NULL UNIQUE, body TEXT NOT NULL, refers INTEGER UNIQUE, "
    "prev_hash TEXT NOT NULL, row_hash TEXT NOT NULL UNIQUE)",
    "blobs": "CREATE TABLE blobs (fid INTEGER PRIMARY KEY NOT NULL, sha256 TEXT NOT NULL UNIQUE, packed BLOB NOT NULL)",
}
_INDEXES = {"entries_action": "CREATE INDEX entries_action ON entries (action)"}
_APPEND_ONLY = ("ledger_mark", "entries", "blobs")
_SINGLE = {  # INSERT OR REPLACE deletes without firing a delete trigger, unless recursive triggers are on
    "ledger_mark": "SELECT 1 FROM ledger_mark WHERE key = NEW.key",
    "entries": "SELECT 1 FROM entries WHERE seq = NEW.seq OR idem_key = NEW.idem_key OR row_hash = NEW.row_hash "
    "OR refers = NEW.refers",
    "blobs": "SELECT 1 FROM blobs WHERE fid = NEW.fid OR sha256 = NEW.sha256",
}
# What GIS programs keep beside the data: harmless where they are plain tables.
_GUESTS = re.compile(
    r"(gpkg_(ogr_contents|extensions|metadata|metadata_reference|tile_matrix|tile_matrix_set|data_columns"
    r"|data_column_constraints)|layer_styles|qgis_projects|sqlite_(sequence|stat\d))"
)
_FEATURES = re.compile(r"frozen_parcels(_[2-9]|_[1-9]\d+)?")


def _feature_sql(table: str) -> str:
    facts = ", ".join(f"{name} TEXT" for name in _FACTS)
    return (
        f"CREATE TABLE {table} (fid INTEGER PRIMARY KEY NOT NULL, geom MULTIPOLYGON, list_no TEXT NOT NULL, "
        f"year INTEGER, kind TEXT, parcel_id TEXT NOT NULL, area_m2 DOUBLE, {facts}, UNIQUE (list_no, parcel_id))"
    )


def _trigger_sql(table: str) -> dict[str, str]:
    single = _SINGLE.get(
        table,
        f"SELECT 1 FROM {table} WHERE fid = NEW.fid OR (list_no = NEW.list_no AND parcel_id = NEW.parcel_id)",  # noqa: S608
    )
    only_added = f"SELECT RAISE(ABORT, '{table}: rows are only added')"
    made = {
        f"{table}_no_{verb.lower()}": f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN {only_added}; END"
        for verb in ("UPDATE", "DELETE")
    }
    made[f"{table}_no_replace"] = (
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS ({single}) BEGIN {only_added}; END"
    )
    if table == "entries":
        made["entries_chain"] = (
            "CREATE TRIGGER entries_chain BEFORE INSERT ON entries WHEN NEW.seq > 1 AND NOT EXISTS (SELECT 1 FROM "
            "entries WHERE seq = NEW.seq - 1 AND row_hash = NEW.prev_hash) BEGIN SELECT RAISE(ABORT, "
            "'entries: not the one that follows'); END"
        )
    return made


def create_tables(connection: sqlite3.Connection, mark: Mapping[str, str], at_utc: str) -> None:
    """
    Make the empty ledger, inside a transaction the caller has begun.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a file without tables.
    mark : mapping of str to str
        What tells this ledger from others; the first entry is bound to it.
    at_utc : str
        Moment, for the table of contents.
    """
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    for sql in (*_TABLES.values(), *_INDEXES.values()):
        connection.execute(sql)
    connection.executemany(
        "INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, organization_coordsys_id, definition) "
        "VALUES (?, ?, ?, ?, ?)",
        _GENERIC_SRS,
    )
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) "
        "VALUES ('entries', 'attributes', '总账', '只增不改：每行一条记录，含前一行的哈希', ?, 0)",
        (at_utc,),
    )
    connection.executemany("INSERT INTO ledger_mark (key, value) VALUES (?, ?)", sorted(mark.items()))
    for table in _APPEND_ONLY:
        for sql in _trigger_sql(table).values():
            connection.execute(sql)


def read_mark(connection: sqlite3.Connection) -> dict[str, str]:
    """
    Read what tells this ledger from others.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a ledger.

    Returns
    -------
    dict of str to str
        ``application``, ``format``, ``id``.
    """
    return dict(connection.execute("SELECT key, value FROM ledger_mark"))


def find_foreign(connection: sqlite3.Connection, source: str = "") -> list[Issue] | None:
    """
    Compare what a file is made of with what a ledger is made of; nothing in it is run to do so.

    Parameters
    ----------
    connection : sqlite3.Connection
        To any database.
    source : str, default ""
        Its name, for issues.

    Returns
    -------
    list of Issue or None
        ``LEDGER.FOREIGN`` for each table, view or trigger that is not the ledger's or not as it was made,
        ``LEDGER.MARK`` where it is no ledger at all; None for a file without any table.
    """
    found = {
        name: (kind, sql)
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master")
        if sql is not None  # the indexes SQLite makes for itself
    }
    if not found:
        return None
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != _APPLICATION or found.get("ledger_mark", ("", ""))[1] != _TABLES["ledger_mark"]:
        return [Issue("LEDGER.MARK", source=source)]
    mark = read_mark(connection)
    if mark.get("application") != "landplan" or mark.get("format") != str(FORMAT):
        return [Issue("LEDGER.MARK", source=source, value=mark.get("format", ""))]
    wanted = {**_TABLES, **_INDEXES}
    for table in (*_APPEND_ONLY, *(name for name in found if _FEATURES.fullmatch(name))):
        wanted |= _trigger_sql(table)
        if table not in _APPEND_ONLY:
            wanted[table] = _feature_sql(table)
    odd = [name for name, sql in wanted.items() if found.get(name, ("", None))[1] != sql]
    odd += [
        name
        for name, (kind, sql) in found.items()
        if name not in wanted
        and not (
            (kind == "table" and _GUESTS.fullmatch(name) and not re.match(r"\s*CREATE\s+VIRTUAL", sql, re.I))
            or (
                kind == "index"
                and not re.search(r"\bON\s+[\"`\[]?(entries|blobs|ledger_mark|frozen)", sql, re.I)
            )
        )
    ]
    return [Issue("LEDGER.FOREIGN", source=source, layer=name, value=name) for name in sorted(set(odd))]


def feature_table(connection: sqlite3.Connection, srs: Srs, at_utc: str) -> tuple[str, int]:
    """
    Find the table for polygons of a coordinate system, or make it.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a ledger, in a transaction.
    srs : Srs
        Coordinate system; a table of a GeoPackage has one, so each has its own table.
    at_utc : str
        Moment, for the table of contents.

    Returns
    -------
    str
        Name of the table.
    int
        Number of the coordinate system in the file.
    """
    row = connection.execute(
        "SELECT srs_id FROM gpkg_spatial_ref_sys WHERE definition = ? AND srs_id > 0 AND srs_id <> 4326",
        (srs.definition,),
    ).fetchone()
    if row is None:
        (free,) = connection.execute(
            "SELECT max(99999, max(srs_id)) + 1 FROM gpkg_spatial_ref_sys"
        ).fetchone()
        taken = connection.execute(
            "SELECT 1 FROM gpkg_spatial_ref_sys WHERE srs_id = ?", (srs.code,)
        ).fetchone()
        number = srs.code if srs.organization == "EPSG" and srs.code > 0 and not taken else int(free)
        connection.execute(
            "INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, organization_coordsys_id, definition) "
            "VALUES (?, ?, ?, ?, ?)",
            (srs.name, number, srs.organization, srs.code, srs.definition),
        )
    else:
        number = int(row[0])
    tables = dict(connection.execute("SELECT srs_id, table_name FROM gpkg_geometry_columns"))
    if number in tables:
        return str(tables[number]), number
    table = "frozen_parcels" if not tables else f"frozen_parcels_{len(tables) + 1}"
    title = "冻结清单" if not tables else f"冻结清单（{srs.name}）"
    connection.execute(_feature_sql(table))
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) "
        "VALUES (?, 'features', ?, '每行一份冻结清单里的一宗地', ?, ?)",
        (table, title, at_utc, number),
    )
    connection.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'MULTIPOLYGON', ?, 0, 0)", (table, number)
    )
    for sql in _trigger_sql(table).values():
        connection.execute(sql)
    return table, number


def insert_features(connection: sqlite3.Connection, features: Features, entry: Entry) -> None:
    """
    Write the polygons of a frozen list.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a ledger, in a transaction.
    features : Features
        Polygons and a few facts.
    entry : Entry
        The entry that freezes the list.
    """
    import shapely

    table, number = feature_table(connection, features.srs, entry.at_utc)
    shapes = shapely.from_wkb(features.shapes)
    bounds = shapely.bounds(shapes)
    flat = shapely.is_empty(shapes)
    facts = [features.facts.get(name, [None] * len(shapes)) for name in ("area_m2", *_FACTS)]
    marks = ", ".join("?" * (5 + len(facts)))
    connection.executemany(
        f"INSERT INTO {table} (geom, list_no, year, kind, parcel_id, area_m2, {', '.join(_FACTS)}) "  # noqa: S608
        f"VALUES ({marks})",
        (
            (
                _header(number, box, bool(empty)) + wkb,
                entry.body["list_no"],
                entry.body["year"],
                entry.body["kind"],
                pid,
                *values,
            )
            for box, empty, wkb, pid, *values in zip(
                bounds.tolist(), flat, features.shapes, features.parcel_ids, *facts, strict=True
            )
        ),
    )
    if not flat.all():
        left, low, right, high = shapely.total_bounds(shapes).tolist()
        connection.execute(
            "UPDATE gpkg_contents SET last_change = ?, min_x = min(?, ifnull(min_x, ?)), "
            "min_y = min(?, ifnull(min_y, ?)), max_x = max(?, ifnull(max_x, ?)), max_y = max(?, ifnull(max_y, ?)) "
            "WHERE table_name = ?",
            (entry.at_utc, left, left, low, low, right, right, high, high, table),
        )


def _header(srs_id: int, box: Iterable[float], is_empty: bool) -> bytes:
    """What a GeoPackage writes before the WKB: its mark, the coordinate system, the envelope."""
    if is_empty:
        return b"GP\x00" + struct.pack("<Bi", 0b00010001, srs_id)
    left, low, right, high = box
    return b"GP\x00" + struct.pack("<Bi4d", 0b00000011, srs_id, left, right, low, high)


def read_features(connection: sqlite3.Connection, list_no: str) -> Features | None:
    """
    Read the polygons of a frozen list.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a ledger.
    list_no : str
        Number of the list.

    Returns
    -------
    Features or None
        In the order they were written; None where there are none.
    """
    tables = connection.execute(
        "SELECT table_name, srs_id FROM gpkg_geometry_columns ORDER BY table_name"
    ).fetchall()
    for table, number in tables:
        if not _FEATURES.fullmatch(str(table)):
            continue
        rows = connection.execute(
            f"SELECT geom, parcel_id, area_m2, {', '.join(_FACTS)} FROM {table} WHERE list_no = ? ORDER BY fid",  # noqa: S608
            (list_no,),
        ).fetchall()
        if not rows:
            continue
        name, organization, code, definition = connection.execute(
            "SELECT srs_name, organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys "
            "WHERE srs_id = ?",
            (number,),
        ).fetchone()
        facts: dict[str, list[Any]] = {
            fact: [row[at] for row in rows] for at, fact in enumerate(("area_m2", *_FACTS), start=2)
        }
        shapes = [bytes(row[0])[40 if bytes(row[0])[3] & 0b1110 else 8 :] for row in rows]
        return Features(
            [str(row[1]) for row in rows], shapes, Srs(name, organization, int(code), definition), facts
        )
    return None


def describe_mark(identity: str) -> dict[str, str]:
    """
    Make the mark of a new ledger.

    Parameters
    ----------
    identity : str
        What tells it from others.

    Returns
    -------
    dict of str to str
        As ``ledger_mark`` holds it.
    """
    return {
        "application": "landplan",
        "format": str(FORMAT),
        "id": identity,
        "layout": as_json(sorted(_TABLES)),
    }
