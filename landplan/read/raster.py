"""An elevation model read to its last block: a cut file opens well, and voids nobody declared read as heights."""

from __future__ import annotations

import atexit
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj

from landplan.crs import crs_name
from landplan.issues import Issue
from landplan.read.workers import Reader, ReaderError, private_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landplan.read.door import Door

__all__ = ["Raster", "copy_raster", "look_at_raster"]


@dataclass
class Raster:
    """
    What a raster says of itself and what its cells say.

    Parameters
    ----------
    about : dict
        Width, height, bands, dtype, cell, nodata, bounds, holes, min and max; empty where it cannot be read.
    crs : str
        Name of its CRS; empty where it has none.
    issues : list of Issue
        RASTER.UNREADABLE, RASTER.CRS, RASTER.NODATA, LIMIT.SIZE.
    has_blanks : bool
        Whether blocks were never written and read as zero.
    wkt : str
        Its CRS as WKT; empty where it has none.
    """

    about: dict[str, Any] = field(default_factory=dict)
    crs: str = ""
    issues: list[Issue] = field(default_factory=list)
    has_blanks: bool = False
    wkt: str = ""


def look_at_raster(door: Door) -> Raster:
    """
    Read a GeoTIFF from the first block to the last.

    Parameters
    ----------
    door : Door
        An open one of kind ``tif``.

    Returns
    -------
    Raster
        Never raises for what is in the file.
    """
    try:
        reply = Reader("raster").ask("raster", door.path).about
    except ReaderError as error:
        code = "RASTER.UNREADABLE" if error.code == "FILE.UNREADABLE" else error.code
        return Raster(issues=[Issue(code, source=door.name, value=error.value)])
    about = reply["about"]
    found = Raster(about, crs_name(reply["crs"]) if reply["crs"] else "", wkt=reply["crs"])
    if reply.get("is_large"):
        size = f"{about['width']} × {about['height']}"
        found.issues.append(Issue("LIMIT.SIZE", source=door.name, value=size))
    elif reply.get("fault"):
        found.issues.append(Issue("RASTER.UNREADABLE", source=door.name, value=reply["fault"]))
    found.issues += [Issue("RASTER.NODATA", source=door.name, value=f"{value:g}") for value in reply["voids"]]
    if reply["blank"]:
        found.has_blanks = True
        value = f"0（{reply['blank']} 个空块）"
        found.issues.append(Issue("RASTER.NODATA", source=door.name, value=value))
    if not found.crs:
        found.issues.append(Issue("RASTER.CRS", source=door.name))
    return found


def copy_raster(
    door: Door, seen: Raster, bounds: Sequence[float], crs: Any
) -> tuple[Path | None, list[Issue]]:
    """
    Copy the cells of a raster around a place to a plain file of our own, which GDAL may open in this process.

    Parameters
    ----------
    door : Door
        An open one of kind ``tif``.
    seen : Raster
        As :func:`look_at_raster` gives.
    bounds : sequence of float
        West, south, east and north of the place.
    crs : pyproj.CRS
        Of the bounds.

    Returns
    -------
    path : Path or None
        A GeoTIFF with the first band in its own grid, there until Python ends; None where it cannot be read.
    issues : list of Issue
        Why.
    """
    import rasterio

    system = pyproj.CRS.from_wkt(seen.wkt) if seen.wkt else None
    near = None
    # The grid a raster in degrees is warped to hangs on its extent: a piece of it would give other slopes.
    if system is not None and system.is_projected:
        mover = pyproj.Transformer.from_crs(crs, system, always_xy=True)
        west, south, east, north = bounds
        moved = mover.transform_bounds(west, south, east, north, densify_pts=21)
        near = [float(v) for v in moved] if np.isfinite(moved).all() else None
    try:
        answer = Reader("raster").ask("window", door.path, near=near)
    except ReaderError as error:
        code = "RASTER.UNREADABLE" if error.code == "FILE.UNREADABLE" else error.code
        return None, [Issue(code, source=door.name, value=error.value)]
    said, table = answer.about, answer.table
    if table is None:
        return None, [Issue("RASTER.UNREADABLE", source=door.name)]
    cells = np.frombuffer(table["cells"][0].as_py(), dtype=said["dtype"]).reshape(said["shape"])
    path = private_file(".tif")
    atexit.register(path.unlink, missing_ok=True)
    height, width = said["shape"]
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=1,
        dtype=said["dtype"],
        transform=rasterio.Affine(*said["transform"]),
        crs=said["crs"] or None,
        nodata=None if said["nodata"] is None else float(said["nodata"]),
    ) as raster:
        raster.write(cells, 1)
    return path, []
