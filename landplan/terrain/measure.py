"""The walk over parcels tile by tile, and the columns that come of the sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import geopandas
import numpy as np
import pandas as pd
import shapely

from landplan.crs import is_true_to_area, transform
from landplan.errors import Fault, UsageError
from landplan.terrain.fractions import add_by_exactextract
from landplan.terrain.heights import Heights, meridian_plane, open_dem, open_source
from landplan.terrain.shapes import Placed, Window, place
from landplan.terrain.trapezoids import Trapezoids

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from rasterio.io import DatasetReader

__all__ = ["TERRAIN_COLUMNS", "measure_terrain"]

TERRAIN_COLUMNS = (
    "elevation_mean_m",
    "relief_m",
    "slope_mean_deg",
    "slope_max_deg",
    "slope_steep_share",
    "level_elevation_m",
    "earthwork_m3",
    "dem_share",
)
"""What ``measure_terrain`` gives."""

_TILE = 1024  # rows and columns of the DEM whose parcels are worked on together
_SIDE = 1024  # a parcel longer than this goes alone, strip by strip, so that no window grows beyond 75 MB
_STRIP = 4_000_000  # cells of a strip
_SLACK = 1e-5  # shares are sums of many roundings; a parcel so nearly covered is covered
_POLYGONS = (3, 6)  # type numbers of shapely: polygons and multipolygons
_TIE = 1e-9  # degrees: a slope at the limit is not steeper than it


def measure_terrain(
    parcels: GeoDataFrame,
    dem: Path | DatasetReader,
    *,
    steep_deg: float | None = None,
    method: Literal["exact", "fast"] = "exact",
) -> pd.DataFrame:
    """
    Measure height, slope and earthwork of each parcel, weighting cells by covered area.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        Valid polygons with a CRS; those without geometry, or quarantined, stay unknown. Not changed.
    dem : path or rasterio dataset, one band, north up
        Heights in metres on the datum of the parcels; a path where the work may travel. One in degrees, feet or
        Mercator is sampled bilinearly in the 3-degree Gauss-Kruger plane each parcel lies in, on a grid that depends
        on the DEM alone.
    steep_deg : float or None, degrees, 0 to 90
        Slopes above this limit are steep; without it ``slope_steep_share`` is unknown.
    method : {"exact", "fast"}, default "exact"
        How the covered share of a cell is found; results agree within 1e-6. ``exact`` asks exactextract, ``fast``
        sums trapezoids with compiled code (needs numba: ``landplan[fast]``). Name one for a whole job, not by the
        size of its parts.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``elevation_mean_m``, ``relief_m`` (m), ``slope_mean_deg``, ``slope_max_deg`` (degrees, 0 to 90),
        ``slope_steep_share`` (of the cells with a slope), ``level_elevation_m`` (m), ``earthwork_m3`` and
        ``dem_share``, the share of the parcel over cells with data. NaN where no cell with data is touched:
        unknown, not flat. A cell at the rim of the data has a height but no slope.

        ``level_elevation_m`` is the height of the level plane at which cut equals fill (挖填平衡), the mean of the
        heights; ``earthwork_m3`` the volume cut, which is the volume filled: earth moved is counted once. The plane
        at the median would move less, but leave earth over or wanting. Loosening, slopes and walls are not in it.
        Both are unknown unless data cover the whole parcel.

    Raises
    ------
    CRSError
        If the DEM has no CRS, is turned, or rests on another datum.
    ReadError
        If the file cannot be read.
    UsageError
        If ``steep_deg`` is no slope, or ``fast`` is asked for without numba.

    References
    ----------
    .. [1] Horn, B. K. P. (1981). Hill shading and the reflectance map. Proceedings of the IEEE, 69(1), 14-47.
       doi:10.1109/PROC.1981.11918

    Examples
    --------
    Half a hectare at 10 m and half at 12 m is levelled at 11 m, by moving 5000 m3 over the middle:

    >>> import geopandas, numpy, rasterio, shapely
    >>> square = geopandas.GeoDataFrame(geometry=[shapely.box(4e5, 4e6, 4e5 + 100, 4e6 + 100)], crs=4547)
    >>> with rasterio.MemoryFile() as file:
    ...     with file.open(driver="GTiff", width=2, height=1, count=1, dtype="float32", crs="EPSG:4547",
    ...                    transform=rasterio.Affine(50, 0, 4e5, 0, -100, 4e6 + 100)) as dem:
    ...         dem.write(numpy.float32([[[10, 12]]]))
    ...     with file.open() as dem:
    ...         measure_terrain(square, dem)[["level_elevation_m", "earthwork_m3"]]
       level_elevation_m  earthwork_m3
    0               11.0        5000.0
    """
    if steep_deg is not None and not 0 <= steep_deg <= 90:
        raise UsageError(
            Fault(
                en=f"steep_deg is {steep_deg:g}; a slope lies between 0 and 90 degrees.",
                zh=f"steep_deg 为 {steep_deg:g}，坡度应在 0 至 90 度之间。",
            )
        )
    result = pd.DataFrame(np.nan, index=parcels.index, columns=list(TERRAIN_COLUMNS), dtype="float64")
    drawn = np.isin(shapely.get_type_id(parcels.geometry.values), _POLYGONS)
    drawn &= ~shapely.is_empty(parcels.geometry.values)
    if "is_quarantined" in parcels.columns:
        drawn &= ~parcels["is_quarantined"].fillna(False).to_numpy(dtype=bool)
    where = np.flatnonzero(drawn)
    with ExitStack() as stack:
        for part, grid in _planes(parcels, where, dem, stack):
            shapes = transform(_bare(parcels, part), grid.crs, at="DEM").geometry.values
            placed = place(np.asarray(shapes), grid)
            sums = _sum_cells(placed, grid, steep_deg, method)
            result.iloc[part] = _columns(placed, grid, sums, steep_deg)
    return result


def _bare(parcels: GeoDataFrame, part: Any) -> GeoDataFrame:
    return geopandas.GeoDataFrame(geometry=parcels.geometry.iloc[part].values, crs=parcels.crs)


def _planes(
    parcels: GeoDataFrame, where: Any, dem: Path | DatasetReader, stack: ExitStack
) -> Iterator[tuple[Any, Heights]]:
    """Positions of parcels and the DEM in the plane they are measured in."""
    dataset, system = open_source(dem, stack)
    if not len(where):
        return
    if is_true_to_area(system):
        yield where, open_dem(dataset, system, stack)
        return
    inner = geopandas.GeoDataFrame(
        geometry=shapely.point_on_surface(parcels.geometry.values[where]), crs=parcels.crs
    )
    geodetic = system.geodetic_crs
    degrees = shapely.get_x(transform(inner, geodetic and geodetic.to_2d(), at="DEM").geometry.values)
    meridians = 3.0 * np.floor(degrees / 3.0 + 0.5)
    for meridian in np.unique(meridians):
        plane = meridian_plane(system, float(meridian))
        yield where[meridians == meridian], open_dem(dataset, plane, stack)


def _sum_cells(placed: Placed, grid: Heights, steep_deg: float | None, method: str) -> Any:
    """
    Sums over the cells of each parcel.

    Columns: covered cells with a height, their heights, lowest, highest, covered cells with a slope, their slopes,
    steepest, covered cells that are steep, height above the mean.
    """
    out = np.zeros((len(placed.shapes), 9))
    out[:, 2], out[:, 3], out[:, 6] = np.inf, -np.inf, -np.inf
    add: Callable[..., None]
    add = Trapezoids(placed).add if method == "fast" else partial(add_by_exactextract, placed)
    limit = np.nan if steep_deg is None else steep_deg + _TIE

    def look(top: int, bottom: int, left: int, right: int) -> Window:
        # One cell more on each side for the slope.
        heights = grid.read(top - 1, bottom + 1, left - 1, right + 1)
        return Window(heights, top - 1, left - 1, grid.cell_x, grid.cell_y, limit)

    alone, tiles = _tiles(placed, grid.extent)
    for chosen in tiles:
        windows = placed.windows[chosen]
        top, left = windows[:, [0, 2]].min(axis=0)
        bottom, right = windows[:, [1, 3]].max(axis=0)
        add(chosen, None, look(int(top), int(bottom), int(left), int(right)), "all", out)
    for number in alone:
        top, bottom, left, right = (int(v) for v in placed.windows[number])
        first, last = max(top, grid.extent[0]), min(bottom, grid.extent[1])
        rows = max(_STRIP // (right - left), 1)
        for step in ("sums", "cut"):
            for row in range(first, last, rows):
                strip = (row, min(row + rows, last))
                add(np.array([number]), strip, look(*strip, left, right), step, out)
    return out


def _tiles(placed: Placed, extent: tuple[int, int, int, int]) -> tuple[Any, list[Any]]:
    """Parcels too long for a tile, and the others tile by tile along a Hilbert curve; none beyond the data."""
    top, bottom, left, right = placed.windows.T
    near = (bottom > extent[0]) & (top < extent[1]) & (right > extent[2]) & (left < extent[3])
    long = (bottom - top > _SIDE) | (right - left > _SIDE)
    small = np.flatnonzero(near & ~long)
    if not len(small):
        return np.flatnonzero(near & long), []
    row, col = (top + bottom)[small] // 2 // _TILE, (left + right)[small] // 2 // _TILE
    _, first, tile = np.unique(row * 2**32 + col, return_index=True, return_inverse=True)
    # Neighbouring tiles follow one another: blocks of the file on their border are read once.
    order = np.argsort(geopandas.GeoSeries.from_xy(col[first], row[first]).hilbert_distance(), kind="stable")
    groups = np.split(small[np.argsort(tile, kind="stable")], np.cumsum(np.bincount(tile))[:-1])
    return np.flatnonzero(near & long), [groups[k] for k in order]


def _columns(placed: Placed, grid: Heights, sums: Any, steep_deg: float | None) -> Any:
    covered, heights, lowest, highest, sloped, slopes, steepest, steep, above = sums.T
    touched, has_slope = covered > 0, sloped > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, slope = heights / covered, slopes / sloped
        share = np.where(touched, covered / placed.areas, 0.0)
        steeper = steep / sloped
    share = np.where(share > 1 - _SLACK, 1.0, share)
    whole = share == 1.0

    def known(values: Any, where: Any) -> Any:
        return np.where(where, values, np.nan)

    columns = {
        "elevation_mean_m": known(mean, touched),
        "relief_m": known(highest - lowest, touched),
        "slope_mean_deg": known(slope, has_slope),
        "slope_max_deg": known(steepest, has_slope),
        "slope_steep_share": known(steeper, has_slope & (steep_deg is not None)),
        "level_elevation_m": known(mean, whole),
        "earthwork_m3": known(above * grid.cell_x * grid.cell_y, whole),
        "dem_share": share,
    }
    return np.column_stack([columns[name] for name in TERRAIN_COLUMNS])
