"""Parcels in cells of a grid, and windows of heights: what the ways of covering cells have in common."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from landplan.terrain.heights import Heights

__all__ = ["Placed", "Window", "place"]

_TOUCHED = (
    1e-6  # a cell covered by less, or by less than this share of a small parcel, is touched by rounding only
)


@dataclass(frozen=True)
class Placed:
    """
    Parcels in the cells of a grid.

    Parameters
    ----------
    shapes : array of polygons, n
        In the plane of the grid.
    windows : array of int, n x 4
        First and past last row, first and past last column.
    areas : array of float, n
        In cells.
    grid : Heights
        The grid.
    """

    shapes: Any
    windows: Any
    areas: Any
    grid: Heights

    def into_cells(self, coordinates: Any) -> Any:
        """Eastings and northings in columns eastward and rows southward from the grid's corner."""
        return _into_cells(coordinates, self.grid)

    @cached_property
    def sizes(self) -> Any:
        """Cells of each window."""
        return (self.windows[:, 1] - self.windows[:, 0]) * (self.windows[:, 3] - self.windows[:, 2])

    @cached_property
    def least(self) -> Any:
        """Share of a cell from which it counts as touched."""
        return _TOUCHED * np.minimum(self.areas, 1.0)


@dataclass(frozen=True)
class Window:
    """
    Heights of a window and what is asked of them.

    Parameters
    ----------
    heights : array, rows x columns
        Metres, NaN for none; a cell more on each side than parcels touch.
    top, left : int
        Row and column of the grid of its first cell.
    cell_x, cell_y : float
        Size of a cell in metres.
    steep_deg : float
        Slopes above are steep; NaN where nobody asks.
    """

    heights: Any
    top: int
    left: int
    cell_x: float
    cell_y: float
    steep_deg: float


def place(shapes: Any, grid: Heights) -> Placed:
    """
    Bring parcels into the cells of a grid.

    Parameters
    ----------
    shapes : array of polygons, n
        In the plane of the grid, none missing or empty.
    grid : Heights
        The grid.

    Returns
    -------
    Placed
        The same parcels and the cells around them.
    """
    west, south, east, north = shapely.bounds(shapes).T
    left, top = np.floor(_into_cells(np.column_stack([west, north]), grid)).T
    right, bottom = np.ceil(_into_cells(np.column_stack([east, south]), grid)).T
    # A shape without area has no cell of its own; one keeps the arithmetic simple.
    bottom, right = np.maximum(bottom, top + 1), np.maximum(right, left + 1)
    windows = np.column_stack([top, bottom, left, right]).astype(np.int64)
    areas = shapely.area(shapes) / (grid.cell_x * grid.cell_y)
    return Placed(shapes, windows, areas, grid)


def _into_cells(coordinates: Any, grid: Heights) -> Any:
    return np.column_stack(
        [(coordinates[:, 0] - grid.west) / grid.cell_x, (grid.north - coordinates[:, 1]) / grid.cell_y]
    )
