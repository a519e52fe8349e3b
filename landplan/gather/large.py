"""A constraint layer too large to hold: looked at once from end to end, then left in its file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import geopandas
import numpy as np
import pyproj
import shapely
from geopandas import GeoDataFrame
from shapely.errors import ShapelyError

from landplan.crs import crs_name, transform
from landplan.read.door import open_door
from landplan.read.near import NearFile, is_large, open_near, size_of
from landplan.read.vector import measure_total
from landplan.read.workers import ReaderError
from landplan.repair import repair_layer
from landplan.tables import Source

if TYPE_CHECKING:
    from landplan.gather.reading import Reading
    from landplan.issues import Issue
    from landplan.project.parts import LayerPart

__all__ = ["LargeLayer", "Survey", "leave_out", "survey_layer", "tile_of"]

_HELD_BYTES = 64 * 1024**2  # of a file, whose features are held at a time
_FEWEST = 500  # parcels of a tile: a fetch costs as much as measuring so many


@dataclass(frozen=True)
class LargeLayer:
    """
    The features of a large layer, fetched box by box and made valid as ``repair_layer`` does.

    Parameters
    ----------
    file : NearFile
        Where they lie.
    name : str
        Name of the layer.
    tile : int
        For how many parcels that lie together features are fetched at a time.
    """

    file: NearFile
    name: str
    tile: int = 50_000

    def __call__(self, box: tuple[float, float, float, float], crs: pyproj.CRS) -> GeoDataFrame:
        """
        Fetch the features that touch a box.

        Parameters
        ----------
        box : tuple of float
            West, south, east, north.
        crs : CRS
            What the box is in.

        Returns
        -------
        GeoDataFrame
            In that CRS, each whole and valid. What cannot be read one way only is left out: the extent of the layer has a
            hole there.
        """
        frame, _, _ = repair_layer(self.file.fetch(box, crs), self.name)
        return transform(frame, crs)


@dataclass(frozen=True)
class Survey:
    """
    What one walk through a large layer tells.

    Parameters
    ----------
    frame : LargeLayer
        The layer, in its file.
    bounds : tuple of float
        West, south, east, north of its features.
    crs : CRS
        What it lies in.
    doubtful : GeoDataFrame
        Boxes of features whose area nobody would sign: the layer says nothing there.
    issues : tuple of Issue
        What repair finds of its features.
    """

    frame: LargeLayer
    bounds: tuple[float, float, float, float]
    crs: pyproj.CRS
    doubtful: GeoDataFrame
    issues: tuple[Issue, ...]


def tile_of(file_bytes: int, parcels: int) -> int:
    """
    Tell for how many parcels features are fetched at a time.

    Parameters
    ----------
    file_bytes : int
        Size of the layer's file.
    parcels : int
        How many there are in all.

    Returns
    -------
    int
        So many that some 64 MB of the file are under them, where both are spread alike; 50,000 at most.

    Examples
    --------
    >>> tile_of(4 * 2**30, 1_000_000)
    15625
    """
    return int(min(50_000, max(_FEWEST, parcels * _HELD_BYTES // max(file_bytes, 1))))


def survey_layer(reading: Reading, part: LayerPart, parcels: int) -> Survey | None:
    """
    Walk through a layer that is too large to hold, and note what is wrong with it.

    Parameters
    ----------
    reading : Reading
        Keeps issues and the source.
    part : LayerPart
        What the project says of the layer.
    parcels : int
        How many it is laid under.

    Returns
    -------
    Survey or None
        None where the layer is to be read whole: it is small, of a kind in which GDAL finds no places, or the ordinary way
        has to say what is wrong with it.
    """
    path = reading.project.path(part.path)
    if not is_large(path):
        return None
    door = open_door(path, stays=True)
    issues: list[Issue] = []
    boxes: list[Any] = []
    bounds: list[Any] = []
    rows_in, area = 0, 0.0
    try:
        opened = open_near(door, layer=part.layer, crs=part.crs)
        if opened is None:
            return None
        file, placed = opened
        for portion in file.walk():
            frame = geopandas.GeoDataFrame(geometry=portion.shapes, crs=placed.crs)
            if portion.curved or len(portion.shapes) < portion.count:
                # Where a record lies that cannot be made is not known: the ordinary way names it and what follows.
                return None
            repaired, doubtful, found = repair_layer(frame, part.name)
            issues += [
                issue if issue.row is None else replace(issue, row=issue.row + rows_in) for issue in found
            ]
            boxes.append(doubtful)
            bounds.append(frame.total_bounds)
            area += measure_total(repaired) or 0.0
            rows_in += portion.count
    except (ReaderError, ShapelyError, OSError, ValueError):
        return None
    tile = tile_of(size_of(path), parcels)
    held = np.array(bounds)
    held = held[~np.isnan(held).any(axis=1)] if len(held) else held
    if not len(held):
        return None
    reading.issues += [replace(issue, source=part.path) for issue in [*door.issues, *placed.issues]]
    reading.sources.append(
        Source(
            f"layer:{part.name}",
            part.path,
            door.sha256,
            rows_in=rows_in,
            rows_imported=rows_in,
            crs=crs_name(placed.crs),
            crs_how=placed.how,
            encoding="utf-8",
            encoding_how="format",
            area_m2=area,
        )
    )
    west, south = held[:, :2].min(axis=0).tolist()
    east, north = held[:, 2:].max(axis=0).tolist()
    crs = pyproj.CRS.from_wkt(file.crs)
    joined = GeoDataFrame(geometry=np.concatenate([each.geometry.values for each in boxes]), crs=crs)
    return Survey(LargeLayer(file, part.name, tile), (west, south, east, north), crs, joined, tuple(issues))


def leave_out(extent: GeoDataFrame, doubtful: GeoDataFrame) -> GeoDataFrame:
    """
    Cut a hole where a layer says nothing.

    Parameters
    ----------
    extent, doubtful : GeoDataFrame
        The land the layer was surveyed for; boxes around features that cannot be measured.

    Returns
    -------
    GeoDataFrame
        The land it speaks for.
    """
    if doubtful.empty:
        return extent
    hole = shapely.union_all(transform(doubtful, extent.crs).geometry.values)
    return extent.set_geometry(shapely.difference(extent.geometry.values, hole))
