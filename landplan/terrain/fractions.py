"""The covered share of every cell by exactextract, and the sums over the covered cells in numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import geopandas
import numpy as np
import shapely
from exactextract import exact_extract
from exactextract.raster import RasterSource

from landplan.terrain.shapes import Placed, Window

__all__ = ["add_by_exactextract"]

_CELLS = 4_000_000  # cells under parcels worked on at once


def add_by_exactextract(
    placed: Placed, chosen: Any, strip: tuple[int, int] | None, window: Window, step: str, out: Any
) -> None:
    """
    Add the cells that parcels cover to their sums, shares of cells by exactextract.

    Parameters
    ----------
    placed : Placed
        All parcels, in cells.
    chosen : array of int
        Those to work on, whose rows and columns the window holds.
    strip : (int, int) or None
        Only these rows of the grid; None for all.
    window : Window
        Heights, and what is asked of them.
    step : {"all", "sums", "cut"}
        Sums of heights and slopes, the cut above the mean height that is known by then, or both.
    out : array, n x 9
        Changed; see ``measure``.

    References
    ----------
    .. [1] Baston, D. exactextract. https://github.com/isciences/exactextract
    """
    for part in _portions(placed, chosen):
        owner, row, col, share = _cover(placed, part, strip)
        keep = share > placed.least[owner]
        owner, row, col, share = owner[keep], row[keep] - window.top, col[keep] - window.left, share[keep]
        heights = window.heights[row, col]
        known = np.isfinite(heights)
        owner, row, col, share, heights = owner[known], row[known], col[known], share[known], heights[known]
        if step != "cut":
            _add_sums(owner, row, col, share, heights, window, out)
        if step != "sums":
            # ufunc.at adds one after another: a parcel's sum is the same whatever lies beside it in the batch.
            level = out[owner, 1] / out[owner, 0]
            np.add.at(out[:, 8], owner, share * np.maximum(heights - level, 0.0))


def _add_sums(owner: Any, row: Any, col: Any, share: Any, heights: Any, window: Window, out: Any) -> None:
    np.add.at(out[:, 0], owner, share)
    np.add.at(out[:, 1], owner, share * heights)
    np.minimum.at(out[:, 2], owner, heights)
    np.maximum.at(out[:, 3], owner, heights)
    slope = slope_at(window.heights, row, col, window.cell_x, window.cell_y)
    known = np.isfinite(slope)
    owner, share, slope = owner[known], share[known], slope[known]
    np.add.at(out[:, 4], owner, share)
    np.add.at(out[:, 5], owner, share * slope)
    np.maximum.at(out[:, 6], owner, slope)
    np.add.at(out[:, 7], owner, share * (slope > window.steep_deg))


def slope_at(heights: Any, row: Any, col: Any, cell_x: float, cell_y: float) -> Any:
    """
    Take Horn's slope at cells that have neighbours on all sides.

    Parameters
    ----------
    heights : array, rows x columns
        Metres; NaN for none.
    row, col : arrays of int
        Cells, none on the rim of the array.
    cell_x, cell_y : float
        Size of a cell in metres.

    Returns
    -------
    array
        Degrees; NaN where one of the nine heights is missing.
    """
    a, b, c = heights[row - 1, col - 1], heights[row - 1, col], heights[row - 1, col + 1]
    d, e, f = heights[row, col - 1], heights[row, col], heights[row, col + 1]
    g, h, i = heights[row + 1, col - 1], heights[row + 1, col], heights[row + 1, col + 1]
    east = ((c + 2 * f + i) - (a + 2 * d + g)) / (8 * cell_x)
    south = ((g + 2 * h + i) - (a + 2 * b + c)) / (8 * cell_y)
    return np.where(np.isnan(e), np.nan, np.degrees(np.arctan(np.sqrt(east * east + south * south))))


def _portions(placed: Placed, chosen: Any) -> Iterator[Any]:
    cells = np.cumsum(placed.sizes[chosen])
    cuts = np.searchsorted(cells, np.arange(_CELLS, cells[-1], _CELLS))
    yield from (part for part in np.split(chosen, np.unique(cuts)) if len(part))


class _Blank(RasterSource):  # type: ignore[misc]
    """A raster of unit cells without values: only the shares of its cells are asked for."""

    def __init__(self, top: int, bottom: int, width: int, wkt: str) -> None:
        super().__init__()
        self._box = (0.0, float(-bottom), float(width), float(-top))
        self._wkt = wkt

    def res(self) -> tuple[float, float]:
        return 1.0, 1.0

    def extent(self) -> tuple[float, float, float, float]:
        return self._box

    def nodata_value(self) -> None:
        return None

    def srs_wkt(self) -> str:
        return self._wkt

    def read_window(self, x0: int, y0: int, nx: int, ny: int) -> Any:
        return np.zeros((ny, nx), dtype="uint8")


def _cover(placed: Placed, part: Any, strip: tuple[int, int] | None) -> tuple[Any, Any, Any, Any]:
    """Owner, row and column of the grid, and share of each cell touched."""
    shapes = placed.shapes[part]
    coordinates, owner = shapely.get_coordinates(shapes, return_index=True)
    coordinates = placed.into_cells(coordinates)
    first = placed.windows[part]
    # Each parcel in whole cells from its own corner: shares do not depend on the batch, to the last digit.
    coordinates[:, 0] -= first[owner, 2]
    coordinates[:, 1] = first[owner, 0] - coordinates[:, 1]
    local = shapely.set_coordinates(shapely.force_2d(shapes), coordinates)
    width = int((first[:, 3] - first[:, 2]).max())
    top, bottom = 0, int((first[:, 1] - first[:, 0]).max())
    if strip is not None:
        # A strip is asked of one parcel alone.
        top, bottom = strip[0] - int(first[0, 0]), strip[1] - int(first[0, 0])
    frame = geopandas.GeoDataFrame(geometry=local, crs=placed.grid.crs)
    blank = _Blank(top, bottom, width, placed.grid.crs.to_wkt())
    found = exact_extract(blank, frame, ["cell_id", "coverage"], output="pandas")
    counts = [len(cells) for cells in found["cell_id"]]
    cells = np.concatenate(found["cell_id"].to_list()).astype(np.int64)
    which = np.repeat(np.arange(len(part)), counts)
    row = cells // width + top + first[which, 0]
    col = cells % width + first[which, 2]
    return part[which], row, col, np.concatenate(found["coverage"].to_list()).astype("float64")
