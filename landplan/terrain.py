"""Height, relief and slope of each parcel from a digital elevation model, cells weighted by covered area."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyproj
import rasterio
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window, from_bounds

from landplan.crs import crs_name, transform
from landplan.errors import CRSError, Fault, ReadError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from rasterio.io import DatasetReader

__all__ = ["TERRAIN_COLUMNS", "measure_terrain", "open_dem"]

_LOWEST_M, _HIGHEST_M = -500.0, 9000.0  # the shore of the Dead Sea and the top of Everest lie between
TERRAIN_COLUMNS = ("elevation_mean_m", "relief_m", "slope_mean_deg", "slope_max_deg", "dem_share")
"""What ``measure_terrain`` gives."""


def open_dem(path: Path, crs: Any, stack: ExitStack) -> DatasetReader:
    """
    Open a DEM in a plane in metres, warping one that is in degrees.

    Parameters
    ----------
    path : Path
        A raster of heights in metres, first band.
    crs : pyproj.CRS
        A plane in metres, used where the DEM is in degrees.
    stack : ExitStack
        Closes what is opened.

    Returns
    -------
    rasterio dataset
        In its own CRS where that is a plane in metres, else warped bilinearly to ``crs``.

    Raises
    ------
    ReadError
        If the file cannot be read.
    CRSError
        If it has no CRS.
    """
    try:
        dataset = stack.enter_context(rasterio.open(path))
    except rasterio.errors.RasterioIOError as error:
        raise ReadError(
            Fault(
                en=f"the DEM cannot be read: {error}.",
                zh=f"高程数据无法读取：{error}。",
                at=str(path),
                mend_en="export it again as GeoTIFF",
                mend_zh="重新导出为 GeoTIFF",
            )
        ) from error
    if dataset.crs is None:
        raise CRSError(
            Fault(
                en="the DEM has no CRS.",
                zh="高程数据没有坐标系。",
                at=str(path),
                mend_en="write its CRS into the file",
                mend_zh="在文件中写明坐标系",
            )
        )
    if dataset.crs.is_geographic:
        # Slope straight on a degree grid takes degrees for metres and makes every hill a cliff.
        target = rasterio.crs.CRS.from_wkt(pyproj.CRS.from_user_input(crs).to_wkt())
        return stack.enter_context(WarpedVRT(dataset, crs=target, resampling=Resampling.bilinear, nodata=dataset.nodata))
    return dataset


def measure_terrain(parcels: GeoDataFrame, dem: Path | DatasetReader) -> pd.DataFrame:
    """
    Average height and slope of each parcel, weighting cells by covered area.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        Valid polygons with a CRS; those without geometry, or quarantined, stay unknown. Not changed.
    dem : path or rasterio dataset, one band
        Heights in metres in a plane in metres, on the datum of the parcels; a path where the work may travel.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``elevation_mean_m``, ``relief_m`` (m), ``slope_mean_deg``, ``slope_max_deg`` (degrees, 0 to 90) and
        ``dem_share``, the share of the parcel over cells with data. NaN where no cell with data is touched:
        unknown, not flat. A cell at the rim of the data has a height but no slope.

    Raises
    ------
    CRSError
        If the DEM is in degrees, has no CRS, or rests on another datum.
    ReadError
        If the file cannot be read.

    References
    ----------
    .. [1] Horn, B. K. P. (1981). Hill shading and the reflectance map. Proceedings of the IEEE, 69(1), 14-47.
       doi:10.1109/PROC.1981.11918
    """
    result = pd.DataFrame(np.nan, index=parcels.index, columns=list(TERRAIN_COLUMNS), dtype="float64")
    drawn = ~(shapely.is_missing(parcels.geometry.values) | shapely.is_empty(parcels.geometry.values))
    if "is_quarantined" in parcels.columns:
        drawn &= ~parcels["is_quarantined"].fillna(False).to_numpy(dtype=bool)
    with ExitStack() as stack:
        dataset = open_dem(dem, parcels.crs, stack) if isinstance(dem, Path) else dem
        system = pyproj.CRS.from_user_input(dataset.crs) if dataset.crs else None
        if system is None or system.is_geographic or abs(dataset.transform.b) + abs(dataset.transform.d) > 0:
            raise CRSError(
                Fault(
                    en=f"the DEM must be north-up in a plane in metres, not {crs_name(system) or 'without CRS'}.",
                    zh=f"高程数据须为正北朝上、以米为单位的平面坐标，当前为 {crs_name(system) or '无坐标系'}。",
                    mend_en="warp it first, or pass its path",
                    mend_zh="先投影，或直接给出文件路径",
                )
            )
        if not drawn.any():
            return result
        placed = transform(parcels[drawn], system, at="DEM")
        heights, bounds = _window(dataset, placed.total_bounds)
        if heights is None:
            return result
        cell_x, cell_y = abs(dataset.transform.a), abs(dataset.transform.e)
    slope = _slope(heights, cell_x, cell_y)
    west, south, east, north = bounds
    sources = [
        NumPyRasterSource(values, xmin=west, ymin=south, xmax=east, ymax=north, nodata=np.nan, name=name, srs_wkt=system.to_wkt())
        for name, values in (("elevation", heights), ("slope", slope))
    ]
    plain = placed[[placed.geometry.name]].assign(_position=np.arange(len(placed)))
    cells = exact_extract(
        sources, plain, ["mean", "min", "max", "count"], output="pandas", include_cols=["_position"]
    ).set_index("_position").sort_index()
    touched = cells["elevation_count"].to_numpy(dtype="float64") > 0
    sloped = cells["slope_count"].to_numpy(dtype="float64") > 0
    areas = shapely.area(placed.geometry.values)

    def column(name: str, known: Any) -> Any:
        return np.where(known, pd.to_numeric(cells[name], errors="coerce").to_numpy(dtype="float64"), np.nan)

    measured = pd.DataFrame(
        {
            "elevation_mean_m": column("elevation_mean", touched),
            "relief_m": column("elevation_max", touched) - column("elevation_min", touched),
            "slope_mean_deg": column("slope_mean", sloped),
            "slope_max_deg": column("slope_max", sloped),
            "dem_share": np.minimum(cells["elevation_count"].to_numpy(dtype="float64") * cell_x * cell_y / areas, 1.0),
        },
        index=placed.index,
    )
    result.loc[drawn] = measured.to_numpy()
    return result


def _window(dataset: DatasetReader, bounds: Any) -> tuple[Any, tuple[float, float, float, float]]:
    """Heights around the parcels with one more cell on each side for the slope; nodata as NaN."""
    whole = from_bounds(*bounds, transform=dataset.transform)
    col, row = int(np.floor(whole.col_off)) - 1, int(np.floor(whole.row_off)) - 1
    right = int(np.ceil(whole.col_off + whole.width)) + 1
    below = int(np.ceil(whole.row_off + whole.height)) + 1
    col, row = max(col, 0), max(row, 0)
    right, below = min(right, dataset.width), min(below, dataset.height)
    if right <= col or below <= row:
        return None, (0.0, 0.0, 0.0, 0.0)
    window = Window(col, row, right - col, below - row)
    heights = dataset.read(1, window=window, masked=True).astype("float64").filled(np.nan)
    # A void nobody declared is no height; the reader has named it.
    heights[~((heights > _LOWEST_M) & (heights < _HIGHEST_M))] = np.nan
    grid = dataset.transform
    west, east = grid.c + grid.a * col, grid.c + grid.a * right
    return heights, (west, grid.f + grid.e * below, east, grid.f + grid.e * row)


def _slope(heights: Any, cell_x: float, cell_y: float) -> Any:
    """Horn's slope in degrees; NaN where one of the nine cells is missing."""
    slope = np.full(heights.shape, np.nan)
    if min(heights.shape) < 3:
        return slope
    a, b, c = heights[:-2, :-2], heights[:-2, 1:-1], heights[:-2, 2:]
    d, f = heights[1:-1, :-2], heights[1:-1, 2:]
    g, h, i = heights[2:, :-2], heights[2:, 1:-1], heights[2:, 2:]
    east = ((c + 2 * f + i) - (a + 2 * d + g)) / (8 * cell_x)
    south = ((g + 2 * h + i) - (a + 2 * b + c)) / (8 * cell_y)
    inner = np.degrees(np.arctan(np.hypot(east, south)))
    slope[1:-1, 1:-1] = np.where(np.isnan(heights[1:-1, 1:-1]), np.nan, inner)
    return slope
