"""A DEM as a grid of square-on cells in a plane in metres, read window by window; what is no height reads as NaN."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyproj
import rasterio
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import TransverseMercatorConversion
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from landplan.crs import crs_name, is_true_to_area
from landplan.errors import CRSError, Fault, ReadError

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

__all__ = ["Heights", "meridian_plane", "open_dem", "open_source"]

_LOWEST_M, _HIGHEST_M = -500.0, 9000.0  # the shore of the Dead Sea and the top of Everest lie between
_EARTH_M = 6_371_008.8  # mean radius
_KNOT = 16  # cells between two points that PROJ places; between them the bend of a 30 m grid is below a centimetre


class Heights(Protocol):
    """A DEM in a plane in metres, its rows counted southward and its columns eastward."""

    @property
    def crs(self) -> pyproj.CRS:
        """The plane."""
        ...

    @property
    def west(self) -> float:
        """Easting of the outer corner of cell (0, 0)."""
        ...

    @property
    def north(self) -> float:
        """Northing of the outer corner of cell (0, 0)."""
        ...

    @property
    def cell_x(self) -> float:
        """Width of a cell in metres."""
        ...

    @property
    def cell_y(self) -> float:
        """Height of a cell in metres."""
        ...

    @property
    def extent(self) -> tuple[int, int, int, int]:
        """First row, past last row, first column and past last column that can hold data."""
        ...

    def read(self, top: int, bottom: int, left: int, right: int) -> Any:
        """Heights in metres of rows and columns, float64; NaN beyond the data."""
        ...


def open_source(dem: Path | DatasetReader, stack: ExitStack) -> tuple[DatasetReader, pyproj.CRS]:
    """
    Open a raster of heights and name its horizontal system.

    Parameters
    ----------
    dem : Path or rasterio dataset
        Heights in metres, first band.
    stack : ExitStack
        Closes what is opened.

    Returns
    -------
    dataset : rasterio dataset
        As it lies in the file.
    crs : pyproj.CRS
        Its horizontal system.

    Raises
    ------
    ReadError
        If the file cannot be read.
    CRSError
        If it has no CRS, or its rows do not run from west to east and from north to south.
    """
    at = str(dem) if isinstance(dem, Path) else ""
    try:
        dataset = stack.enter_context(rasterio.open(dem)) if isinstance(dem, Path) else dem
    except rasterio.errors.RasterioIOError as error:
        raise _unreadable(error, at) from error
    if dataset.crs is None:
        raise CRSError(
            Fault(
                en="the DEM has no CRS.",
                zh="高程数据没有坐标系。",
                at=at,
                mend_en="write its CRS into the file",
                mend_zh="在文件中写明坐标系",
            )
        )
    system = pyproj.CRS.from_user_input(dataset.crs)
    system = system.sub_crs_list[0] if system.is_compound else system
    grid = dataset.transform
    on_earth = system.is_geographic or system.is_projected
    if not on_earth or grid.b != 0 or grid.d != 0 or grid.a <= 0 or grid.e >= 0:
        raise CRSError(
            Fault(
                en=f"the DEM must lie north-up in a system on the earth, not turned in {crs_name(system)}.",
                zh=f"高程数据须为正北朝上并有大地坐标系，当前为 {crs_name(system)}。",
                at=at,
                mend_en="warp it to a plane in metres first",
                mend_zh="先投影到以米为单位的平面坐标系",
            )
        )
    return dataset, system


def open_dem(dem: Path | DatasetReader, crs: Any, stack: ExitStack) -> Heights:
    """
    Open a DEM in a plane in metres, sampling one that is in degrees, feet or Mercator.

    Parameters
    ----------
    dem : Path or rasterio dataset
        Heights in metres, first band, north up.
    crs : pyproj.CRS
        A plane in metres, used where the DEM's own is none that areas and slopes may be taken in.
    stack : ExitStack
        Closes what is opened.

    Returns
    -------
    Heights
        The DEM's own cells where they lie in such a plane. Else cells sampled bilinearly on a grid that depends on
        the DEM's step and the plane alone: as fine as the DEM is from north to south, corners at whole multiples.

    Raises
    ------
    ReadError
        If the file cannot be read.
    CRSError
        If it has no CRS, or its rows do not run from west to east and from north to south.
    """
    dataset, system = open_source(dem, stack)
    # Slope straight on a degree grid takes degrees for metres and makes every hill a cliff.
    return _Plain(dataset, system) if is_true_to_area(system) else _sampled(dataset, system, crs)


def meridian_plane(crs: pyproj.CRS, degrees_east: float) -> pyproj.CRS:
    """
    Give the 3-degree Gauss-Kruger plane around a meridian on the datum of a system.

    Parameters
    ----------
    crs : pyproj.CRS
        Any system with a geodetic base.
    degrees_east : float
        The central meridian.

    Returns
    -------
    pyproj.CRS
        Easting 500,000 m on the meridian, scale 1: on CGCS2000 the plane parcels are measured in.
    """
    around = TransverseMercatorConversion(0.0, degrees_east, 500_000.0, 0.0, 1.0)
    geodetic = crs.geodetic_crs
    assert geodetic is not None  # noqa: S101 - open_source lets nothing else through
    return ProjectedCRS(around, name=f"3-degree CM {degrees_east:g}", geodetic_crs=geodetic.to_2d())


def _unreadable(error: Exception, at: str) -> ReadError:
    return ReadError(
        Fault(
            en=f"the DEM cannot be read: {error}.",
            zh=f"高程数据无法读取：{error}。",
            at=at,
            mend_en="export it again as GeoTIFF",
            mend_zh="重新导出为 GeoTIFF",
        )
    )


def _read_cells(dataset: DatasetReader, top: int, bottom: int, left: int, right: int) -> Any:
    cells = np.full((bottom - top, right - left), np.nan)
    first, last = max(top, 0), min(bottom, dataset.height)
    begin, end = max(left, 0), min(right, dataset.width)
    if first >= last or begin >= end:
        return cells
    window = Window(begin, first, end - begin, last - first)
    flags = set(dataset.mask_flag_enums[0])
    inside = cells[first - top : last - top, begin - left : end - left]
    try:
        if flags <= {MaskFlags.nodata} or flags == {MaskFlags.all_valid}:
            raw = dataset.read(1, window=window)
            inside[:] = raw
            if dataset.nodata is not None:
                inside[raw == raw.dtype.type(dataset.nodata)] = np.nan
        else:
            inside[:] = dataset.read(1, window=window, masked=True).astype("float64").filled(np.nan)
    except rasterio.errors.RasterioIOError as error:
        raise _unreadable(error, str(dataset.name)) from error
    inside *= dataset.scales[0]
    inside += dataset.offsets[0]
    # A void nobody declared is no height; the reader has named it.
    inside[~((inside > _LOWEST_M) & (inside < _HIGHEST_M))] = np.nan
    return cells


class _Plain:
    """A DEM whose own cells lie in a plane in metres."""

    def __init__(self, dataset: DatasetReader, crs: pyproj.CRS) -> None:
        grid = dataset.transform
        self.crs = crs
        self.west, self.north, self.cell_x, self.cell_y = grid.c, grid.f, grid.a, -grid.e
        self.extent = (0, dataset.height, 0, dataset.width)
        self._dataset = dataset

    def read(self, top: int, bottom: int, left: int, right: int) -> Any:
        return _read_cells(self._dataset, top, bottom, left, right)


def _sampled(dataset: DatasetReader, system: pyproj.CRS, crs: Any) -> _Sampled:
    plane = pyproj.CRS.from_user_input(crs)
    grid = dataset.transform
    # From the step alone, as if from north to south: a piece cut out of the DEM has the grid of the whole.
    unit = system.axis_info[0].unit_conversion_factor * (_EARTH_M if system.is_geographic else 1.0)
    cell = max(round(-grid.e * unit, 3), 0.001)
    back = pyproj.Transformer.from_crs(plane, system, always_xy=True)
    west, south, east, north = _within_reach(dataset, system, plane)
    if west >= east:
        return _Sampled(dataset, plane, back, cell, (0, 0, 0, 0))
    here = pyproj.Transformer.from_crs(system, plane, always_xy=True)
    west, south, east, north = here.transform_bounds(west, south, east, north, densify_pts=64)
    # An edge that bends between two knots of the outline still lies within.
    margin = max(east - west, north - south) / 100 + cell
    rows = int(np.floor(-(north + margin) / cell)), int(np.ceil(-(south - margin) / cell))
    cols = int(np.floor((west - margin) / cell)), int(np.ceil((east + margin) / cell))
    return _Sampled(dataset, plane, back, cell, rows + cols)


def _within_reach(
    dataset: DatasetReader, system: pyproj.CRS, plane: pyproj.CRS
) -> tuple[float, float, float, float]:
    """Bounds of the DEM; of one in degrees the part three degrees around the plane's meridian, if any."""
    west, south, east, north = dataset.bounds
    operation = plane.coordinate_operation
    if not system.is_geographic or operation is None or not operation.method_name.startswith("Transverse"):
        return west, south, east, north
    meridian = float(next(p.value for p in operation.params if p.code == "8802"))
    return max(west, meridian - 3.0), max(south, -89.0), min(east, meridian + 3.0), min(north, 89.0)


@dataclass
class _Sampled:
    """A DEM sampled bilinearly on a grid of another plane, whose origin is the plane's own."""

    dataset: DatasetReader
    crs: pyproj.CRS
    back: pyproj.Transformer
    cell: float
    extent: tuple[int, int, int, int]
    west: float = 0.0
    north: float = 0.0

    @property
    def cell_x(self) -> float:
        return self.cell

    @property
    def cell_y(self) -> float:
        return self.cell

    def read(self, top: int, bottom: int, left: int, right: int) -> Any:
        across, down = self._places(top, bottom, left, right)
        known = np.isfinite(across) & np.isfinite(down)
        known &= (across > -1) & (across < self.dataset.width) & (down > -1) & (down < self.dataset.height)
        heights = np.full(across.shape, np.nan)
        if not known.any():
            return heights
        across, down = across[known], down[known]
        col, row = np.floor(across).astype(np.int64), np.floor(down).astype(np.int64)
        first, begin = int(row.min()), int(col.min())
        cells = _read_cells(self.dataset, first, int(row.max()) + 2, begin, int(col.max()) + 2)
        east, south = across - col, down - row
        row -= first
        col -= begin
        upper = (1 - east) * cells[row, col] + east * cells[row, col + 1]
        lower = (1 - east) * cells[row + 1, col] + east * cells[row + 1, col + 1]
        heights[known] = (1 - south) * upper + south * lower
        return heights

    def _places(self, top: int, bottom: int, left: int, right: int) -> tuple[Any, Any]:
        """Where the middles of the cells lie in the DEM, in its cells from the middle of its first."""
        # Knots at whole multiples of the step, whichever window is asked for: a cell's place is always the same.
        rows = np.arange(top // _KNOT, (bottom - 1) // _KNOT + 2)
        cols = np.arange(left // _KNOT, (right - 1) // _KNOT + 2)
        x, y = np.meshgrid((cols * _KNOT + 0.5) * self.cell, -(rows * _KNOT + 0.5) * self.cell)
        there = self.back.transform(x, y, errcheck=False)
        grid = self.dataset.transform
        places = ((there[0] - grid.c) / grid.a - 0.5, (there[1] - grid.f) / grid.e - 0.5)
        row, col = np.arange(top, bottom), np.arange(left, right)
        i, j = row // _KNOT - rows[0], col // _KNOT - cols[0]
        s, t = ((row % _KNOT) / _KNOT)[:, None], (col % _KNOT) / _KNOT
        found = []
        for place in places:
            finite = np.where(np.isfinite(place), place, np.nan)
            along = (1 - t) * finite[:, j] + t * finite[:, j + 1]
            found.append((1 - s) * along[i] + s * along[i + 1])
        return found[0], found[1]
