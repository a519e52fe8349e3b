"""Steps made fit to travel: what is large is held by reference, and opened where the work is done."""

from __future__ import annotations

import dataclasses
import io
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from landplan.crs import transform
from landplan.errors import CRSError
from landplan.steps import ByPlace, Step

__all__ = ["Kit", "Place", "pack_steps"]

_ROW = "_row"
_GROUP = 4_096  # features of one group of a file, which is read or left as a whole


@dataclass(frozen=True)
class Place:
    """
    The land of a layer in a file that all workers reach.

    Parameters
    ----------
    path : Path
        GeoParquet along a Hilbert curve, with boxes, so that a part of it can be read.
    crs : CRS
        Of the frame that was written: a file may name the same system in other words.
    """

    path: Path
    crs: Any

    def read(self, box: Sequence[float] | None = None) -> GeoDataFrame:
        """
        Read features in the order they had before they were written.

        Parameters
        ----------
        box : west, south, east, north, or None
            Only those whose boxes meet it, in the CRS of the layer.

        Returns
        -------
        GeoDataFrame
            The features' geometry.
        """
        found = geopandas.read_parquet(self.path, bbox=None if box is None else tuple(box))
        found = found.sort_values(_ROW, ignore_index=True).drop(columns=_ROW)
        return found.set_crs(self.crs, allow_override=True)


@dataclass(frozen=True)
class Kit:
    """
    The steps of one assessment, written down.

    Parameters
    ----------
    steps : tuple of (str, bytes)
        Names and pickled steps, whose frames are numbers.
    frames : tuple of DataFrame, Place or Path
        The frames: themselves, a layer that is read in part, or a file that is read whole.
    files : tuple of (Path, int)
        Files the steps open by themselves, and their sizes in bytes.
    """

    steps: tuple[tuple[str, bytes], ...]
    frames: tuple[Any, ...]
    files: tuple[tuple[Path, int], ...] = ()

    def open_steps(self, parcels: GeoDataFrame) -> list[tuple[str, Step]]:
        """
        Give the steps back for some parcels.

        Parameters
        ----------
        parcels : GeoDataFrame
            Which ones.

        Returns
        -------
        list of (str, Step)
            In the order they were packed; layers hold only what comes near the parcels.
        """
        choose = partial(_choose, _surroundings(parcels))
        opened: list[tuple[str, Step]] = []
        for name, _ in self.steps:
            step: Any = self._bare[name]
            opened.append((name, step.near(choose) if isinstance(step, ByPlace) else step))
        return opened

    @cached_property
    def _bare(self) -> dict[str, Any]:
        # Opened once where the kit is kept: the tree over a layer's boxes is then built once, too.
        return {name: _Unpickler(text, self).load() for name, text in self.steps}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is opened."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}


def pack_steps(steps: Sequence[tuple[str, Step]], folder: Path | None) -> Kit:
    """
    Write steps down.

    Parameters
    ----------
    steps : sequence of (str, Step)
        Names, all different, and what can be pickled.
    folder : Path or None
        An empty folder that all workers reach, for frames and files; without one, frames travel with the kit, and files
        must be where they are on every worker.

    Returns
    -------
    Kit
        To be opened on a worker.
    """
    luggage = _Luggage(folder)
    packed = []
    for name, step in steps:
        file = io.BytesIO()
        _Pickler(file, luggage, is_near=isinstance(step, ByPlace)).dump(step)
        packed.append((name, file.getvalue()))
    return Kit(tuple(packed), tuple(luggage.frames), tuple(luggage.files))


class _Luggage:
    """What steps hold, each thing once."""

    def __init__(self, folder: Path | None) -> None:
        self.frames: list[Any] = []
        self.files: list[tuple[Path, int]] = []
        self._folder = folder
        self._frame_numbers: dict[int, int] = {}
        self._file_numbers: dict[Path, int] = {}

    def add_frame(self, frame: pd.DataFrame, is_near: bool) -> int:
        # By identity: the table of two steps is one object.
        if id(frame) not in self._frame_numbers:
            self._frame_numbers[id(frame)] = number = len(self.frames)
            kept = frame if self._folder is None else _store(frame, self._folder / str(number), is_near)
            self.frames.append(kept)
        return self._frame_numbers[id(frame)]

    def add_file(self, path: Path) -> int:
        if path not in self._file_numbers:
            self._file_numbers[path] = number = len(self.files)
            place = path.absolute()
            # What lies in the folder all reach need not be copied there.
            if self._folder is not None and not place.is_relative_to(self._folder.parent):
                place = self._folder / f"file-{number}{path.suffix}"
                shutil.copyfile(path, place)
            self.files.append((place, path.stat().st_size))
        return self._file_numbers[path]


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, luggage: _Luggage, is_near: bool) -> None:
        super().__init__(file, protocol=5)
        self._luggage, self._is_near = luggage, is_near

    def persistent_id(self, obj: Any) -> tuple[str, int] | None:
        if isinstance(obj, pd.DataFrame):
            return "frame", self._luggage.add_frame(obj, self._is_near)
        return ("file", self._luggage.add_file(obj)) if isinstance(obj, Path) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, text: bytes, kit: Kit) -> None:
        super().__init__(io.BytesIO(text))
        self._kit = kit

    def persistent_load(self, pid: Any) -> Any:
        kind, number = pid
        if kind == "file":
            return self._kit.files[number][0]
        frame = self._kit.frames[number]
        return _read_whole(frame) if isinstance(frame, Path) else frame


@lru_cache(maxsize=16)
def _read_whole(path: Path) -> pd.DataFrame:
    with path.open("rb") as file:
        frame: pd.DataFrame = pickle.load(file)  # noqa: S301 - written by the program that gives the work
    return frame


def _store(frame: pd.DataFrame, stem: Path, is_near: bool) -> Path | Place:
    if not (is_near and isinstance(frame, GeoDataFrame)):
        path = stem.with_suffix(".pickle")
        with path.open("wb") as file:
            pickle.dump(frame, file, protocol=5)
        return path
    shapes = np.asarray(frame.geometry.values)
    real = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    if len(real):
        real = real[np.argsort(frame.geometry.iloc[real].hilbert_distance().to_numpy(), kind="stable")]
    numbered = geopandas.GeoDataFrame({_ROW: real}, geometry=shapes[real], crs=frame.crs)
    place = Place(stem.with_suffix(".parquet"), frame.crs)
    numbered.to_parquet(
        place.path, index=False, compression=None, write_covering_bbox=True, row_group_size=_GROUP
    )
    return place


def _surroundings(parcels: GeoDataFrame) -> GeoDataFrame | None:
    """
    The land around parcels on which their figures may rest.

    The compiled way looks at whole cells of a grid, of 64 m or an eighth of the parcel: a margin as wide as the widest
    parcel, and a kilometre, holds them twice over.
    """
    bounds = parcels.geometry.bounds.to_numpy()
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    if not len(bounds):
        return None
    widest = float((bounds[:, 2:] - bounds[:, :2]).max())
    margin = widest + (0.02 if parcels.crs.is_geographic else 1000.0)
    (west, south), (east, north) = bounds[:, :2].min(axis=0) - margin, bounds[:, 2:].max(axis=0) + margin
    box = shapely.box(west, south, east, north)
    # A straight side bends on its way to another plane.
    return geopandas.GeoDataFrame(
        geometry=[shapely.segmentize(box, max(east - west, north - south) / 32)], crs=parcels.crs
    )


def _choose(land: GeoDataFrame | None, layer: GeoDataFrame | Place) -> GeoDataFrame:
    if not isinstance(layer, (GeoDataFrame, Place)):
        return layer  # it fetches from a file what comes near, by itself
    if land is None:
        whole = layer.read((0.0, 0.0, 0.0, 0.0)) if isinstance(layer, Place) else layer
        return whole.iloc[:0]
    box: Sequence[float] | None
    try:
        west, south, east, north = transform(land, layer.crs).total_bounds.tolist()
    except CRSError:
        box = None
    else:
        more = max(east - west, north - south) / 100
        box = (west - more, south - more, east + more, north + more)
    if isinstance(layer, Place):
        return layer.read(box)
    return layer if box is None else layer.iloc[np.sort(layer.sindex.query(shapely.box(*box)))]
