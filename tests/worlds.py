"""Worlds small enough to draw."""

from __future__ import annotations

from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

# The south-west corner of every drawing: a round place in zone 38 (EPSG:4547), so that numbers stay readable.
EAST, NORTH = 400_000.0, 4_140_000.0


def box(x: float, y: float, width: float, height: float | None = None) -> Any:
    return shapely.box(
        EAST + x, NORTH + y, EAST + x + width, NORTH + y + (width if height is None else height)
    )


def parcels(shapes: dict[str, Any], crs: int = 4547, **columns: list[Any]) -> GeoDataFrame:
    index = pd.Index(list(shapes), name="parcel_id", dtype="str")
    return GeoDataFrame(columns, geometry=list(shapes.values()), index=index, crs=crs)


def square(pid: str, x: float, y: float, side: float) -> GeoDataFrame:
    return parcels({pid: box(x, y, side)})


def layer(*shapes: Any, crs: int = 4547, **columns: list[Any]) -> GeoDataFrame:
    return geopandas.GeoDataFrame(columns, geometry=list(shapes), crs=crs)


def raster(rows: list[list[float]], cell: float = 100.0, crs: int = 4547, nodata: float = -9999.0) -> Any:
    """An open one-band raster whose south-west corner is that of the drawing."""
    heights = np.array(rows, dtype="float32")
    top = NORTH + heights.shape[0] * cell
    file = MemoryFile()
    with file.open(
        driver="GTiff", width=heights.shape[1], height=heights.shape[0], count=1, dtype="float32",
        crs=f"EPSG:{crs}", transform=from_origin(EAST, top, cell, cell), nodata=nodata,
    ) as dataset:  # fmt: skip
        dataset.write(heights, 1)
    return file.open()


def move(coordinates: Any) -> Any:
    """Put a drawing near the origin where the others are."""
    return coordinates + np.array([EAST, NORTH])
