"""
Styles for QGIS: parcels coloured by verdict and labelled by number, zones as outlines, pieces by layer.

Kept in the GeoPackage's own ``layer_styles`` table, so that the file opens as it should without a click.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from landplan.schema import column
from landplan.tables import Assessment

__all__ = ["make_style", "write_styles"]

# Okabe and Ito's palette: told apart by the colour-blind; the hatching tells them apart in print.
_VERDICTS = {
    "ready": ("0,158,115", "solid"),
    "pending": ("230,159,0", "b_diagonal"),
    "not_ready": ("178,24,43", "diagonal_x"),
}
_LAYERS = ("0,114,178", "204,121,167", "86,180,233", "213,94,0", "117,112,179", "102,102,102")
_TABLE = """CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
    f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME)"""

Symbol = tuple[str, str, str, str, str]
"""Value, words, colour, hatching and outline of one class."""


def write_styles(connection: sqlite3.Connection, assessment: Assessment, layouts: Mapping[str, Any]) -> int:
    """
    Write the default style of each layer into the table QGIS looks for.

    Parameters
    ----------
    connection : sqlite3.Connection
        To a GeoPackage without ``layer_styles``.
    assessment : Assessment
        Gives titles of layers and items.
    layouts : mapping of str to dict
        Layout of each table, with the names of its fields.

    Returns
    -------
    int
        Number of styles written.
    """
    titles = assessment.provenance.titles
    fields = {table: _fields(layout, titles) for table, layout in layouts.items()}
    parcels = fields["parcels"]
    verdict = column("verdict")
    judged = [
        (code, verdict.word(code), colour, hatch, "51,51,51") for code, (colour, hatch) in _VERDICTS.items()
    ]
    rest: Symbol = ("", "未判定", "160,160,160", "no", "120,120,120")
    outline: Symbol = ("", "", "0,0,0", "no", "70,70,140")
    layers: list[Symbol] = [
        (name, title, _LAYERS[at % len(_LAYERS)], "f_diagonal", _LAYERS[at % len(_LAYERS)])
        for at, (name, title) in enumerate(assessment.provenance.layers.items())
    ]
    wanted = {
        "parcels": ("结论", "verdict", [*judged, rest], "parcel_id"),
        "zones": ("开发区范围", "", [outline], "zone_name"),
        "overlaps": (
            "压占图斑",
            "layer",
            [*layers, ("", "其他", "160,160,160", "f_diagonal", "120,120,120")],
            "",
        ),
    }
    connection.execute(_TABLE)
    written = 0
    for table, (name, by, symbols, label) in wanted.items():
        if "crs" not in layouts[table]:
            continue
        known = parcels if table == "parcels" else fields[table]
        by_field = next((field for field, (canonical, _) in known.items() if canonical == by), "")
        label_field = next((field for field, (canonical, _) in known.items() if canonical == label), "")
        qml = make_style(symbols if by_field else [symbols[-1]], by_field, label_field, known)
        connection.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
            "styleName, styleQML, styleSLD, useAsDefault, description, owner) "
            "VALUES ('', '', ?, 'geom', ?, ?, '', 1, 'landplan', '')",
            (table, name, qml),
        )
        written += 1
    return written


def _fields(layout: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Field name to canonical name and Chinese label with the unit the file holds."""
    found = {}
    for entry in (layout["index"], *layout["columns"]):
        if "field" not in entry:
            continue
        name = str(entry["name"])
        label = name
        try:
            declared = column(name)
        except KeyError:
            pass
        else:
            label = declared.label("zh", titles)
            if declared.is_quantity and declared.unit not in ("", "1"):
                label = f"{label}（{declared.unit}）"
            if name.startswith(("promised.", "actual.")):
                label = f"{column('basis').word(name.partition('.')[0])}：{label}"
        found[entry["field"]] = (name, label)
    return found


def make_style(
    symbols: Sequence[Symbol],
    by: str = "",
    label: str = "",
    fields: Mapping[str, tuple[str, str]] | None = None,
) -> str:
    """
    Describe a polygon layer's look in QML, the style language of QGIS (3.4 and later).

    Parameters
    ----------
    symbols : sequence of (value, words, colour, hatching, outline)
        Classes in the order of the legend; colours as ``r,g,b``. The value "" stands for all others.
    by : str, default ""
        Field that chooses the class; "" draws everything with the first.
    label : str, default ""
        Field written into each polygon; "" for none.
    fields : mapping of str to (str, str) or None
        Canonical name and Chinese label by field, for the attribute table.

    Returns
    -------
    str
        A QML document.

    Examples
    --------
    >>> 'type="categorizedSymbol" attr="verdict"' in make_style(
    ...     [("ready", "具备出让条件", "0,158,115", "solid", "0,0,0")], by="verdict")
    True
    """
    root = ET.Element(
        "qgis",
        version="3.22.0",
        styleCategories="Symbology|Labeling|Fields|Forms",
        labelsEnabled="1" if label else "0",
    )
    _add_renderer(root, symbols, by)
    if label:
        _add_labels(root, label)
    if fields:
        _add_fields(root, fields)
    # XML has no way to write a control character, and names come from files of others.
    body = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", " ", ET.tostring(root, encoding="unicode"))
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{body}"


def _add_renderer(root: ET.Element, symbols: Sequence[Symbol], by: str) -> None:
    kind = "categorizedSymbol" if by else "singleSymbol"
    renderer = ET.SubElement(
        root, "renderer-v2", type=kind, symbollevels="0", enableorderby="0", forceraster="0"
    )
    if by:
        renderer.attrib = {
            "type": kind,
            "attr": by,
            "symbollevels": "0",
            "enableorderby": "0",
            "forceraster": "0",
        }
        categories = ET.SubElement(renderer, "categories")
        for at, (value, words, *_) in enumerate(symbols):
            ET.SubElement(categories, "category", value=value, label=words, symbol=str(at), render="true")
    drawn = ET.SubElement(renderer, "symbols")
    for at, (_, _, colour, hatch, outline) in enumerate(symbols):
        symbol = ET.SubElement(
            drawn, "symbol", name=str(at), type="fill", alpha="0.75", clip_to_extent="1", force_rhr="0"
        )
        layer = ET.SubElement(
            symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"}
        )
        properties = {
            "color": f"{colour},255",
            "style": hatch,
            "joinstyle": "miter",
            "outline_color": f"{outline},255",
            "outline_style": "solid",
            "outline_width": "0.3" if by else "0.5",
            "outline_width_unit": "MM",
        }
        _add_options(layer, properties)
        for key, value in properties.items():  # the form QGIS before 3.20 reads
            ET.SubElement(layer, "prop", k=key, v=value)


def _add_options(parent: ET.Element, properties: Mapping[str, str]) -> None:
    options = ET.SubElement(parent, "Option", type="Map")
    for key, value in properties.items():
        ET.SubElement(options, "Option", name=key, value=value, type="QString")


def _add_labels(root: ET.Element, field: str) -> None:
    labeling = ET.SubElement(root, "labeling", type="simple")
    settings = ET.SubElement(labeling, "settings", calloutType="simple")
    style = ET.SubElement(
        settings,
        "text-style",
        fieldName=field,
        isExpression="0",
        fontFamily="Microsoft YaHei",
        namedStyle="Regular",
        fontSize="9",
        fontSizeUnit="Point",
        textColor="34,34,34,255",
        textOpacity="1",
        multilineHeight="1",
    )
    ET.SubElement(
        style,
        "text-buffer",
        bufferDraw="1",
        bufferSize="0.8",
        bufferSizeUnits="MM",
        bufferColor="255,255,255,255",
        bufferOpacity="1",
        bufferNoFill="1",
    )
    ET.SubElement(settings, "text-format", multilineAlign="1", decimals="3")
    ET.SubElement(settings, "placement", placement="1", priority="5", centroidWhole="1", centroidInside="1")
    ET.SubElement(settings, "rendering", drawLabels="1", obstacle="1", obstacleType="0", scaleVisibility="0")


def _add_fields(root: ET.Element, fields: Mapping[str, tuple[str, str]]) -> None:
    """Chinese names for the attribute table, and words for the codes of categories."""
    configuration = ET.SubElement(root, "fieldConfiguration")
    aliases = ET.Element("aliases")
    for at, (field, (name, label)) in enumerate(fields.items(), start=1):  # 0 is the fid
        ET.SubElement(aliases, "alias", field=field, index=str(at), name=label)
        try:
            words = column(name).values
        except KeyError:
            words = {}
        if not words:
            continue
        widget = ET.SubElement(
            ET.SubElement(configuration, "field", name=field), "editWidget", type="ValueMap"
        )
        outer = ET.SubElement(ET.SubElement(widget, "config"), "Option", type="Map")
        listed = ET.SubElement(outer, "Option", name="map", type="List")
        for code, spelling in words.items():
            _add_options(listed, {spelling[0]: code})
    root.append(aliases)
