"""Writers that give the same bytes at every run: shapefile, GeoPackage, GeoJSON, GeoTIFF, workbooks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import rasterio
import shapely
import xlsxwriter
from numpy.typing import NDArray
from rasterio import Affine
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

__all__ = [
    "write_events_book",
    "write_gbk_shapefile",
    "write_geojson",
    "write_heights",
    "write_layer",
    "write_ledger_book",
    "write_sheets",
]

WRITTEN_ON = "2026-10-31"
"""The day the sample says it was written; the clock is never read."""


@contextmanager
def _fixed_clock() -> Iterator[None]:
    """Give GDAL a fixed time to write into GeoPackages."""
    name = "OGR_CURRENT_DATE"
    before = pyogrio.get_gdal_config_option(name)
    pyogrio.set_gdal_config_options({name: f"{WRITTEN_ON}T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({name: before})


def write_gbk_shapefile(frame: gpd.GeoDataFrame, path: Path) -> None:
    """
    Write a shapefile as surveyors deliver it: GBK text, Chinese field names, no .cpg, no language id.

    Parameters
    ----------
    frame : GeoDataFrame
        Column names of at most 10 bytes in GBK.
    path : Path
        Where the .shp goes; its neighbours get the same stem.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pyogrio.write_dataframe(
        frame, path, driver="ESRI Shapefile", encoding="GBK", RESIZE="YES", DBF_DATE_LAST_UPDATE=WRITTEN_ON
    )
    path.with_suffix(".cpg").unlink(missing_ok=True)
    dbf = path.with_suffix(".dbf")
    content = bytearray(dbf.read_bytes())
    content[29] = 0  # the language id: 0 says nothing, as most exports do
    dbf.write_bytes(content)


def write_layer(frame: gpd.GeoDataFrame, path: Path) -> None:
    """
    Write one layer as a GeoPackage, named like its file.

    Parameters
    ----------
    frame : GeoDataFrame
        Any columns.
    path : Path
        Where the .gpkg goes; an old one is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with _fixed_clock():
        pyogrio.write_dataframe(
            frame, path, driver="GPKG", layer=path.stem, geometry_type="MultiPolygon", promote_to_multi=True
        )


def write_geojson(frame: gpd.GeoDataFrame, path: Path) -> None:
    """
    Write one layer as GeoJSON in CGCS2000 degrees, with the ``crs`` member QGIS writes.

    Parameters
    ----------
    frame : GeoDataFrame
        In any CRS of the CGCS2000 datum.
    path : Path
        Where the file goes.
    """
    degrees = frame.to_crs(4490)
    degrees.geometry = shapely.transform(degrees.geometry, lambda points: np.round(points, 9))
    features = [
        {
            "type": "Feature",
            "properties": {name: row[name] for name in frame.columns if name != "geometry"},
            "geometry": shapely.geometry.mapping(row["geometry"]),
        }
        for row in degrees.to_dict("records")
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}
    content = {"type": "FeatureCollection", "name": path.stem, "crs": crs, "features": features}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def write_heights(heights: NDArray[np.float32], corner: tuple[float, float], cell: float, path: Path) -> None:
    """
    Write a height model as GeoTIFF.

    Parameters
    ----------
    heights : numpy.ndarray of float32
        Metres, north row first; -9999 where unknown.
    corner : (float, float)
        North-west corner in EPSG:4526.
    cell : float
        Side of a cell in metres.
    path : Path
        Where the file goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = heights.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=rows,
        width=columns,
        count=1,
        dtype="float32",
        nodata=-9999.0,
        crs="EPSG:4526",
        transform=Affine(cell, 0, corner[0], 0, -cell, corner[1]),
        compress="deflate",
        predictor=3,
    ) as target:
        target.write(heights, 1)


def _open_book(path: Path) -> xlsxwriter.Workbook:
    path.parent.mkdir(parents=True, exist_ok=True)
    book = xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False})
    created = datetime.fromisoformat(WRITTEN_ON)
    book.set_properties({"title": "示例数据", "author": "landplan 示例", "created": created})
    return book


def _write_row(sheet: Worksheet, row: int, cells: Sequence[object], style: Format | None = None) -> None:
    for column, cell in enumerate(cells):
        if cell is not None:
            sheet.write(row, column, cell, style)


def write_ledger_book(
    headers: Sequence[tuple[str, str, str]],
    rows: Sequence[Sequence[object]],
    title: str,
    notes: Sequence[str],
    path: Path,
) -> None:
    """
    Write the ledger as offices lay it out: title, unit line, merged two-row header, unit row, total, notes.

    Parameters
    ----------
    headers : sequence of (group, name, unit)
        One per column; a column without group has its name merged over both header rows.
    rows : sequence of sequence
        Cells: text, numbers or None.
    title : str
        First line.
    notes : sequence of str
        Lines below the total.
    path : Path
        Where the .xlsx goes.
    """
    book = _open_book(path)
    sheet = book.add_worksheet("控制指标")
    bold = book.add_format(
        {"bold": True, "align": "center", "valign": "vcenter", "text_wrap": True, "border": 1}
    )
    last = len(headers) - 1
    sheet.merge_range(0, 0, 0, last, title, bold)
    sheet.write(1, 0, "单位：见表头　　填报日期：2026年10月31日")
    start = 0
    for column, (group, name, unit) in enumerate(headers):
        if not group:
            sheet.merge_range(2, column, 3, column, name, bold)
        else:
            sheet.write(3, column, name, bold)
        sheet.write(4, column, unit, bold)
        if column == last or headers[column + 1][0] != group:
            if group:
                sheet.merge_range(2, start, 2, column, group, bold)
            start = column + 1
    for row, cells in enumerate(rows, start=5):
        _write_row(sheet, row, cells)
    row = 5 + len(rows)
    area = [name for _, name, _ in headers].index("面积（亩）")
    areas = [cells[area] for cells in rows]
    total = round(sum(cell for cell in areas if isinstance(cell, float)), 2)
    sheet.merge_range(row, 0, row, area - 1, "合计", bold)
    sheet.write(row, area, total, bold)
    for further, note in enumerate(notes, start=1):
        sheet.write(row + further, 0, note)
    sheet.set_column(0, 0, 6)
    sheet.set_column(1, last, 13)
    sheet.set_row(3, 48)
    sheet.freeze_panes(5, 2)
    how = book.add_worksheet("填表说明")
    _write_row(how, 0, ["示例数据：本工作簿由 landplan demo 生成，地块与数值均为编造。"])
    book.close()


def write_events_book(columns: Sequence[str], rows: Sequence[Sequence[object]], path: Path) -> None:
    """
    Write the table of events.

    Parameters
    ----------
    columns : sequence of str
        Header.
    rows : sequence of sequence
        Cells: text, dates or None.
    path : Path
        Where the .xlsx goes.
    """
    title = "示例经济技术开发区地块事项台账（示例数据，不是真实地块）"
    write_sheets([("事项", columns, rows)], title, path)


def write_sheets(
    sheets: Sequence[tuple[str, Sequence[str], Sequence[Sequence[object]]]], title: str, path: Path
) -> None:
    """
    Write plain tables, a title over each.

    Parameters
    ----------
    sheets : sequence of (str, sequence of str, sequence of sequence)
        Name, header and rows of each sheet; cells are text, numbers, dates or None.
    title : str
        First line of every sheet.
    path : Path
        Where the .xlsx goes.
    """
    book = _open_book(path)
    bold = book.add_format({"bold": True, "align": "center", "border": 1})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for name, columns, rows in sheets:
        sheet = book.add_worksheet(name)
        sheet.merge_range(0, 0, 0, len(columns) - 1, title, bold)
        _write_row(sheet, 1, columns, bold)
        for row, cells in enumerate(rows, start=2):
            _write_row(sheet, row, [None if isinstance(cell, date) else cell for cell in cells])
            for column, cell in enumerate(cells):
                if isinstance(cell, date):
                    sheet.write_datetime(row, column, cell, day)
        sheet.set_column(0, len(columns) - 1, 15)
        sheet.freeze_panes(2, 1)
    book.close()
