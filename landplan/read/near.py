"""
A drawn layer too large to hold: walked through once in portions, then fetched box by box where parcels lie.

Both go through the reader processes as every file of others does. GDAL finds places in these formats by an index of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyproj
import shapely
from geopandas import GeoDataFrame

from landplan.crs import transform_box
from landplan.read.door import Door
from landplan.read.drawn import Shapes, name_layers
from landplan.read.place import Placement, decide_crs
from landplan.read.stage import is_plain, staged
from landplan.read.workers import Reader

__all__ = ["NearFile", "Portion", "is_large", "open_near", "size_of"]

_Array = np.ndarray[Any, Any]

_LARGE_BYTES = 512 * 1024**2
"""Size of a file from which on its layer stays in it."""

_PORTION = 100_000  # records that are looked at together
_KINDS = frozenset({"flatgeobuf", "gdb", "gpkg"})


@dataclass(frozen=True)
class Portion:
    """
    Some records of a layer.

    Parameters
    ----------
    shapes : array of n geometries
        In two dimensions, as they are drawn.
    count : int
        Records there were; more than n where the shape of one cannot be made.
    curved : int
        How many had arcs, which became chords.
    """

    shapes: _Array
    count: int
    curved: int


@dataclass(frozen=True)
class NearFile:
    """
    A layer of a file that is read where it is asked; it is a path, and can travel to another machine.

    Parameters
    ----------
    path : Path
        GeoPackage, FlatGeobuf or FileGDB.
    layer : str
        Its name in the file.
    crs : str
        What it lies in, as WKT.
    """

    path: Path
    layer: str
    crs: str

    def walk(self) -> Iterator[Portion]:
        """
        Walk through all records in the order of the file.

        Yields
        ------
        Portion
            Some of them at a time.

        Raises
        ------
        ReaderError, shapely.errors.ShapelyError
            If the file cannot be read to its end.
        """
        done = 0
        while True:
            shapes, _, count, curved = _ask(self.path, self.layer, skip_features=done, max_features=_PORTION)
            if count:
                yield Portion(shapes, count, curved)
            done += count
            if count < _PORTION:
                return

    def fetch(self, box: tuple[float, float, float, float], crs: pyproj.CRS) -> GeoDataFrame:
        """
        Fetch the records that touch a box.

        Parameters
        ----------
        box : tuple of float
            West, south, east, north.
        crs : CRS
            What the box is in.

        Returns
        -------
        GeoDataFrame
            As they are drawn, in the CRS of the file; none without a shape.

        Raises
        ------
        ReaderError, shapely.errors.ShapelyError
            If the file cannot be read.
        """
        own = pyproj.CRS.from_wkt(self.crs)
        shapes, *_ = _ask(self.path, self.layer, bbox=list(transform_box(box, crs, own)))
        drawn = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
        return geopandas.GeoDataFrame(geometry=drawn, crs=own)


def size_of(path: Path) -> int:
    """
    Tell how large a source is, without opening it.

    Parameters
    ----------
    path : Path
        A file, or the folder of a FileGDB.

    Returns
    -------
    int
        Bytes; 0 where there is nothing.
    """
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir())
    return path.stat().st_size if path.is_file() else 0


def is_large(path: Path) -> bool:
    """
    Tell whether a file is so large that its layer is left in it, if it is of a kind for that.

    Parameters
    ----------
    path : Path
        A file, or the folder of a FileGDB; it is not opened, and not a byte is hashed.

    Returns
    -------
    bool
        True from 512 MB on.
    """
    return size_of(path) >= _LARGE_BYTES


def open_near(
    door: Door, *, layer: str | None = None, crs: str | None = None
) -> tuple[NearFile, Placement] | None:
    """
    Open a large layer, and decide where it lies by its first records.

    Parameters
    ----------
    door : Door
        What stands behind a large file.
    layer, crs : str, optional
        As the project says.

    Returns
    -------
    tuple of (NearFile, Placement), or None
        None where GDAL finds no places in such a file, or must not be given it as it is, or where the ordinary way has
        something to say: what is wrong with it, which layer is meant, or where it lies.

    Raises
    ------
    ReaderError
        If the file cannot be opened.
    CRSError
        If ``crs`` is not one.
    """
    if not (door.is_open and door.kind in _KINDS and is_plain(door)):
        return None
    with staged(door) as stage:
        names = [name for name, kind in name_layers(stage, door.kind) if kind]
    chosen = layer if layer in names else names[0] if layer is None and len(names) == 1 else None
    if chosen is None:
        return None
    shapes, declared, *_ = _ask(door.path, chosen, max_features=_PORTION)
    placed = decide_crs(shapes, declared, option=crs, source=door.name, layer=chosen)
    if placed.crs is None:
        return None
    return NearFile(door.path, chosen, placed.crs.to_wkt()), placed


def _ask(path: Path, layer: str, **options: Any) -> tuple[_Array, Any, int, int]:
    """Shapes, what the file says they lie in, records there were, and those with arcs."""
    made = Shapes(is_sieve=True)
    with Reader("vector").begin("table", path, layer=layer, columns=[], options=options) as pending:
        answer = pending.answer(made)
    count = 0 if answer.table is None else answer.table.num_rows
    shapes, _ = made.of(count)
    lifted = shapely.has_z(shapes) | shapely.has_m(shapes)
    flat = shapely.force_2d(shapes) if lifted.any() else shapes
    return flat, answer.about.get("crs"), count, len(made.curved)
