"""An elevation model read to its last block: a cut file opens well, and voids nobody declared read as heights."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from landplan.crs import crs_name
from landplan.issues import Issue

if TYPE_CHECKING:
    from landplan.read.door import Door

__all__ = ["Raster", "look_at_raster"]

# Values that stand for "no height" in undeclared rasters: SRTM voids, ESRI floats, the habit of -9999.
_VOIDS = (-32768.0, -9999.0, -3.4028234663852886e38, 3.4028234663852886e38, -99999.0)
_MAX_CELLS = 4_000_000_000


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
    """

    about: dict[str, Any] = field(default_factory=dict)
    crs: str = ""
    issues: list[Issue] = field(default_factory=list)
    has_blanks: bool = False


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
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    found = Raster()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            # The driver is named: a raster of another kind may stand for other people's files.
            with rasterio.open(door.path, driver="GTiff") as raster:
                nodata = raster.nodata
                found.about = {
                    "width": raster.width,
                    "height": raster.height,
                    "bands": raster.count,
                    "dtype": raster.dtypes[0],
                    "cell": [abs(raster.transform.a), abs(raster.transform.e)],
                    "nodata": nodata if nodata is None or np.isfinite(nodata) else str(nodata),
                    "bounds": list(raster.bounds),
                }
                found.crs = crs_name(raster.crs.to_wkt()) if raster.crs else ""
                if raster.width * raster.height * raster.count > _MAX_CELLS:
                    size = f"{raster.width} × {raster.height}"
                    found.issues.append(Issue("LIMIT.SIZE", source=door.name, value=size))
                else:
                    _scan(raster, door.name, found)
    except (RasterioError, ValueError, OSError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        found.issues.append(Issue("RASTER.UNREADABLE", source=door.name, value=why))
    if found.about and not found.crs:
        found.issues.append(Issue("RASTER.CRS", source=door.name))
    return found


def _scan(raster: Any, source: str, found: Raster) -> None:
    """Read every block, look for heights that are none and for blocks that were never written."""
    low, high, holes, blank = np.inf, -np.inf, 0, 0
    voids: set[float] = set()
    for (row, column), window in raster.block_windows(1):
        block = raster.read(1, window=window, masked=True)
        holes += int(np.ma.getmaskarray(block).sum())
        cells = block.compressed()
        cells = cells[np.isfinite(cells)] if cells.dtype.kind == "f" else cells
        if cells.size:
            low, high = min(low, float(cells.min())), max(high, float(cells.max()))
            if raster.nodata is None:
                lowest, highest = float(cells.min()), float(cells.max())
                voids.update(v for v in _VOIDS if lowest <= v <= highest and (cells == v).any())
                # A block without a place in the file reads as zero: the sea level of nowhere.
                if not lowest and not highest and not raster.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", 1):
                    blank += 1
    found.about["holes"] = holes
    found.about["min"], found.about["max"] = (low, high) if low <= high else (None, None)
    found.issues += [Issue("RASTER.NODATA", source=source, value=f"{value:g}") for value in sorted(voids)]
    if blank:
        found.has_blanks = True
        found.issues.append(Issue("RASTER.NODATA", source=source, value=f"0（{blank} 个空块）"))
