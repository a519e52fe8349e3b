"""The faults of a drawn source as points and polygons in its own coordinates, styled for QGIS."""

from __future__ import annotations

import re
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.errors import GEOSException

from landplan.errors import Fault, StoreError
from landplan.publish import publish
from landplan.repair import repair_parcels
from landplan.returns.listing import show_faults
from landplan.returns.plain import printable
from landplan.schema import column
from landplan.tables import issue_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from landplan.issues import Issue
    from landplan.returns.vetting import Material

__all__ = ["draw_faults"]

POINTS, POLYGONS = "问题点", "问题面"
"""Layers of the file."""

_PLACE = re.compile(r"\(\s*(-?[0-9.eE+]+)\s*[, ]\s*(-?[0-9.eE+]+)")
_FIELDS = {
    "severity": "severity", "code": "code", "parcel_id": "parcel_id", "row": "row", "vertex": "cell",
    "field": "field", "value": "issue_value", "limit": "issue_limit", "suggestion": "suggestion", "message": "message_zh",
    "mend": "mend_zh", "party": "party", "message_en": "message_en", "mend_en": "mend_en",
}  # fmt: skip
# Told apart by the colour-blind, and in print by the shape of the point.
_LOOKS = {
    "错误": ("178,24,43", "triangle"),
    "警告": ("230,159,0", "diamond"),
    "提示": ("86,180,233", "circle"),
}
_STYLES = """CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
    f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME)"""


def draw_faults(material: Material, path: Path) -> Path | None:
    """
    Write a GeoPackage with a point for every fault of a record and the polygon it concerns.

    Parameters
    ----------
    material : Material
        A drawn source that was looked at.
    path : Path
        Name of the file, ending in ``.gpkg``; a former one is replaced in one step.

    Returns
    -------
    Path or None
        The path; None where no fault has a place.

    Raises
    ------
    StoreError
        If the place cannot be written, or what was written does not read back.

    Notes
    -----
    In the CRS of the source. The point is the faulty vertex where it is known, else a point inside; the polygon
    is the piece two neighbours share, else the whole parcel as it was drawn, invalid or not.
    """
    read = material.read
    if read is None or "geometry" not in read.frame:
        return None
    placed = [
        (issue, point, polygon)
        for issue, (point, polygon) in zip(
            material.inspection.issues, _located(material.inspection.issues, read.frame), strict=True
        )
        if point is not None
    ]
    if not placed:
        return None
    told = _table([issue for issue, _, _ in placed])
    points = gpd.GeoDataFrame(told, geometry=[point for _, point, _ in placed], crs=read.frame.crs)
    drawn = [k for k, (_, _, polygon) in enumerate(placed) if polygon is not None]
    polygons = gpd.GeoDataFrame(
        told.iloc[drawn].reset_index(drop=True), geometry=[placed[k][2] for k in drawn], crs=read.frame.crs
    )
    layers = {POLYGONS: polygons, POINTS: points} if drawn else {POINTS: points}

    def write(new: Path) -> None:
        for name, frame in layers.items():
            with warnings.catch_warnings():
                # Invalid polygons are what this file is about.
                warnings.simplefilter("ignore", RuntimeWarning)
                options = {} if new.exists() else {"VERSION": "1.2"}
                frame.to_file(
                    new,
                    layer=name,
                    driver="GPKG",
                    promote_to_multi=name == POLYGONS,
                    GEOMETRY_NAME="geom",
                    **options,
                )
        _add_styles(new, layers)

    return publish(path, write, lambda new: _verify(new, layers, path))


def _table(issues: list[Issue]) -> pd.DataFrame:
    shown = show_faults(issue_table(issues))
    table = pd.DataFrame({field: shown[column(name).header()] for field, name in _FIELDS.items()})
    for field in table.columns.drop("row"):
        table[field] = table[field].map(lambda text: printable(str(text)), na_action="ignore")
    return table


def _located(issues: tuple[Issue, ...], frame: gpd.GeoDataFrame) -> list[tuple[Any, Any]]:
    """Point and polygon of every issue, None where it has no place."""
    shapes = np.asarray(frame.geometry.values, dtype=object)
    by_row = {int(row): at for at, row in enumerate(frame["source_row"].tolist())}
    by_id = (
        {str(pid): at for at, pid in enumerate(frame.index.tolist())}
        if frame.index.name == "parcel_id"
        else {}
    )
    sound: list[Any] = []
    located: list[tuple[Any, Any]] = []
    for issue in issues:
        at = by_id.get(issue.parcel_id, by_row.get(issue.row) if issue.row is not None else None)
        vertex = _vertex(issue)
        if at is None or not _is_drawable(shapes[at]):
            located.append((vertex, None))
            continue
        shape = shapes[at]
        other = by_id.get(str(issue.value).rpartition("（")[0]) if issue.code == "GEOM.OVERLAP" else None
        if other is not None:
            if not sound:
                sound = list(repair_parcels(frame)[0].geometry.values)
            shape = _common(sound[at], sound[other]) or shape
        located.append(
            (vertex or _inside(shape), shape if shape.geom_type in ("Polygon", "MultiPolygon") else None)
        )
    return located


def _vertex(issue: Issue) -> Any:
    found = _PLACE.match(issue.cell)
    try:
        return shapely.Point(float(found[1]), float(found[2])) if found else None
    except ValueError:
        return None


def _is_drawable(shape: Any) -> bool:
    return (
        shape is not None and not shape.is_empty and bool(np.isfinite(shapely.get_coordinates(shape)).all())
    )


def _common(one: Any, other: Any) -> Any:
    """The land two parcels share, as polygons; None where there is none."""
    try:
        parts = shapely.get_parts(shapely.intersection(one, other))
    except GEOSException:
        return None
    polygons = [part for part in parts if part.geom_type == "Polygon" and not part.is_empty]
    return shapely.MultiPolygon(polygons) if polygons else None


def _inside(shape: Any) -> Any:
    try:
        point = shapely.point_on_surface(shape)
    except GEOSException:
        point = None
    # A bow-tie may have no inside that GEOS can find; its first vertex is always on it.
    return (
        point
        if point is not None and not point.is_empty
        else shapely.Point(shapely.get_coordinates(shape)[0])
    )


def _add_styles(path: Path, layers: Mapping[str, gpd.GeoDataFrame]) -> None:
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(_STYLES)
        for name in layers:
            base.execute(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
                "styleName, styleQML, styleSLD, useAsDefault, description, owner, update_time) "
                "VALUES ('', '', ?, 'geom', ?, ?, '', 1, 'landplan', '', '1970-01-01T00:00:00.000Z')",
                (name, name, _style(is_point=name == POINTS)),
            )
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) "
            "VALUES ('layer_styles', 'attributes', 'layer_styles', 'QGIS 样式', 0)"
        )
        base.execute("INSERT INTO gpkg_ogr_contents VALUES ('layer_styles', ?)", (len(layers),))
        # The clock has no part in it: the same faults give the same file.
        base.execute("UPDATE gpkg_contents SET last_change = '1970-01-01T00:00:00.000Z'")


def _style(*, is_point: bool) -> str:
    """The look of a layer in QML: a class for each severity; points bear the code."""
    root = ET.Element(
        "qgis",
        version="3.22.0",
        styleCategories="Symbology|Labeling|Fields",
        labelsEnabled=str(int(is_point)),
    )
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr="severity", symbollevels="0")
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for at, (word, (colour, shape)) in enumerate(_LOOKS.items()):
        ET.SubElement(categories, "category", value=word, label=word, symbol=str(at), render="true")
        kind, name = ("marker", "SimpleMarker") if is_point else ("fill", "SimpleFill")
        symbol = ET.SubElement(symbols, "symbol", name=str(at), type=kind, alpha="1" if is_point else "0.6")
        layer = ET.SubElement(symbol, "layer", {"class": name, "enabled": "1", "locked": "0", "pass": "0"})
        properties = (
            {"name": shape, "color": f"{colour},255", "size": "3.4", "size_unit": "MM",
             "outline_color": "0,0,0,255"}
            if is_point
            else {"color": f"{colour},255", "style": "b_diagonal", "outline_color": f"{colour},255",
                  "outline_style": "solid", "outline_width": "0.5", "outline_width_unit": "MM"}
        )  # fmt: skip
        options = ET.SubElement(layer, "Option", type="Map")
        for key, value in properties.items():
            ET.SubElement(options, "Option", name=key, value=value, type="QString")
            ET.SubElement(layer, "prop", k=key, v=value)  # the form QGIS before 3.20 reads
    if is_point:
        labels = ET.SubElement(root, "labeling", type="simple")
        settings = ET.SubElement(labels, "settings", calloutType="simple")
        ET.SubElement(
            settings, "text-style", fieldName="code", isExpression="0", fontFamily="Microsoft YaHei",
            fontSize="8", fontSizeUnit="Point", textColor="34,34,34,255", textOpacity="1",
            namedStyle="Regular", multilineHeight="1",
        )  # fmt: skip
        ET.SubElement(settings, "placement", placement="6", dist="1", distUnits="MM", priority="5")
        ET.SubElement(settings, "rendering", drawLabels="1", obstacle="1", scaleVisibility="0")
    aliases = ET.SubElement(root, "aliases")
    for at, (field, name) in enumerate(_FIELDS.items(), start=1):  # 0 is the fid
        ET.SubElement(aliases, "alias", field=field, index=str(at), name=column(name).label())
    return (
        f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{ET.tostring(root, encoding='unicode')}"
    )


def _verify(written: Path, layers: Mapping[str, gpd.GeoDataFrame], path: Path) -> None:
    wanted = {name: len(frame) for name, frame in layers.items()}
    try:
        with closing(sqlite3.connect(f"{written.absolute().as_uri()}?mode=ro", uri=True)) as base:
            found = {name: base.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in wanted}  # noqa: S608 - our own names
    except sqlite3.Error as error:
        found = {str(error): 0}
    if found != wanted:
        raise StoreError(
            Fault(
                en=f"the file of faults does not read back as written ({found}).",
                zh="问题图层写入后读回不一致。",
                at=str(path),
                mend_en="check the disk and try again",
                mend_zh="检查磁盘后重试。",
            )
        )
