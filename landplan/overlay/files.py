"""Shares measured from file to answer: outlines are taken from the bytes of files, and no geometry is made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landplan.cores import count_threads
from landplan.errors import CRSError, Fault

if TYPE_CHECKING:
    import pyarrow as pa

    from landplan.overlay.grid import Near
    from landplan.overlay.rings import Rings

__all__ = ["FileShares", "read_rings", "share_files"]

_Array = np.ndarray[Any, Any]

_AT_ONCE = 800_000_000
"""Bytes of a layer, unpacked, that are held at a time; a larger layer is summed part by part."""


@dataclass(frozen=True)
class FileShares:
    """
    What parcels share with one layer.

    Parameters
    ----------
    parcel : array of int64, k
        Row of the parcel in its file, from 0; rising.
    value : array, k
        Value of the column asked for; rising within a parcel.
    area : array of float64, k
        In m2; at least 1e-6, less is touching.
    """

    parcel: _Array
    value: _Array
    area: _Array


def read_rings(path: Path, column: str | None = None) -> tuple[Rings, _Array | None, str]:
    """
    Read the outlines of a GeoParquet file, and one column.

    Parameters
    ----------
    path : Path
        Polygons as well-known binary or as GeoArrow lists.
    column : str or None
        A column to read with them.

    Returns
    -------
    Rings
        One polygon a row, as it lies in the file.
    array or None
        The column.
    str
        The system of coordinates: authority and code, or its whole text where it has none.

    Raises
    ------
    OSError, pyarrow.ArrowException
        If the file cannot be read.
    ValueError
        If it is no GeoParquet, or a row is no polygon.
    """
    with _Parquet(path, column) as file:
        tables = list(file.read(range(file.groups)))
    values = None if column is None else _values(tables)
    return _rings_of([table for table, _ in tables]), values, file.crs


def share_files(
    parcels: Path, layers: Mapping[str, tuple[Path, str]], *, workers: int | None = None
) -> dict[str, FileShares]:
    """
    Measure how much of each parcel lies under each value of a column of each layer, over all layers at once.

    Parameters
    ----------
    parcels : Path
        GeoParquet of valid polygons in a plane in metres.
    layers : mapping of str to (Path, str)
        By name: GeoParquet of valid polygons in the same plane, and the column that tells them apart. What ``landplan``
        has repaired and saved is valid; nothing is checked again here. A layer larger than memory is summed part by part.
    workers : int or None
        Threads; as many as there are processors by default. No thread changes a digit.

    Returns
    -------
    dict of FileShares
        By name. Land that two features of one value cover counts twice, as when intersections are summed by group.

    Raises
    ------
    CRSError
        If a layer does not lie in the plane of the parcels.
    OSError, ValueError, pyarrow.ArrowException
        If a file cannot be read.
    """
    files = {name: _Parquet(path, column, workers) for name, (path, column) in layers.items()}
    with ExitStack() as stack:
        asked = stack.enter_context(_Parquet(parcels, None, workers))
        for name, file in files.items():
            stack.enter_context(file)
            if file.crs != asked.crs:
                raise CRSError(
                    Fault(
                        en=f"the layer lies in {file.crs}, the parcels in {asked.crs}.",
                        zh=f"图层坐标系为 {file.crs}，地块为 {asked.crs}。",
                        at=str(layers[name][0]),
                        mend_en="save both in one measuring plane",
                        mend_zh="请先统一到同一量算坐标系",
                    )
                )
        land = asked.read(range(asked.groups))
        # Read by other threads while the compiled code is being loaded.
        waiting = {name: file.read(file.batches()[0]) for name, file in files.items()}
        from landplan.overlay.grid import near_of

        shapes = _rings_of([table for table, _ in land], workers=workers)
        boxes = shapes.bounds()
        found: dict[str, list[tuple[_Array, _Array, _Array]]] = {name: [] for name in layers}
        if not np.isnan(boxes[:, 0]).all():
            near = near_of(boxes)
            # The first part of every layer goes over the grid together; most layers have no other.
            _sum_tables(shapes, near, {n: list(tables) for n, tables in waiting.items()}, found, workers)
            waiting.clear()
            for name, file in files.items():
                for groups in file.batches()[1:]:
                    _sum_tables(shapes, near, {name: list(file.read(groups))}, found, workers)
    return {name: _join(found[name]) for name in layers}


def _sum_tables(
    shapes: Rings,
    near: Near,
    tables: Mapping[str, Sequence[tuple[pa.ChunkedArray, _Array]]],
    found: dict[str, list[tuple[_Array, _Array, _Array]]],
    workers: int | None,
) -> None:
    from landplan.overlay.grid import sum_rings

    values = [_values(tables[name]) for name in tables]
    distinct = [np.unique(column) for column in values]
    first = np.cumsum([0, *(len(names) for names in distinct)])
    codes = [
        at + np.searchsorted(names, column)
        for at, names, column in zip(first, distinct, values, strict=False)
    ]
    columns = [column for name in tables for column, _ in tables[name]]
    outlines = _rings_of(columns, near, workers)
    sums = sum_rings(shapes, [(outlines, np.concatenate(codes))], workers=workers)
    for k, name in enumerate(tables):
        own = (sums.code >= first[k]) & (sums.code < first[k + 1])
        found[name].append((sums.parcel[own], distinct[k][sums.code[own] - first[k]], sums.area[own]))


_NOISE_M2 = 1e-6


def _join(parts: Sequence[tuple[_Array, _Array, _Array]]) -> FileShares:
    if not parts:
        return FileShares(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    parcel, value, area = (np.concatenate(column) for column in zip(*parts, strict=True))
    if len(parts) > 1:
        order = np.lexsort((value, parcel))
        parcel, value, area = parcel[order], value[order], area[order]
        new = np.flatnonzero(np.append(True, (np.diff(parcel) != 0) | (value[1:] != value[:-1]))[: len(area)])
        parcel, value = parcel[new], value[new]
        area = np.add.reduceat(area, new) if len(new) else area
    real = area > _NOISE_M2
    return FileShares(parcel[real], value[real], area[real])


class _Parquet:
    """The outlines of a GeoParquet file, row group by row group, read by threads ahead of who asks."""

    def __init__(self, path: Path, column: str | None, workers: int | None = None) -> None:
        import pyarrow.parquet as pq

        self._path, self._column = path, column
        self._file = pq.ParquetFile(path)
        about = json.loads((self._file.schema_arrow.metadata or {}).get(b"geo", b"{}"))
        if not about:
            raise ValueError(f"{path} says nothing of geometry: it is no GeoParquet")
        self._geometry = about["primary_column"]
        meta = about["columns"][self._geometry]
        self.crs = _system(meta.get("crs", "OGC:CRS84"))
        self.groups = self._file.num_row_groups
        self._pool = ThreadPoolExecutor(workers or count_threads())

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._pool.shutdown()
        self._file.close()

    def batches(self) -> list[list[int]]:
        """Row groups that are held in memory at a time; the file alone decides, so that every run adds up the same."""
        batches: list[list[int]] = [[]]
        held = 0
        for group in range(self.groups):
            size = self._file.metadata.row_group(group).total_byte_size
            if batches[-1] and held + size > _AT_ONCE:
                batches.append([])
                held = 0
            batches[-1].append(group)
            held += size
        return batches

    def read(self, groups: Sequence[int]) -> Iterator[tuple[pa.ChunkedArray, _Array]]:
        """Geometry and values of row groups, in their order."""
        begun = [self._pool.submit(self._read, group) for group in groups]
        return (future.result() for future in begun)

    def _read(self, group: int) -> tuple[pa.ChunkedArray, _Array]:
        import pyarrow.parquet as pq

        wanted = [self._geometry, *([self._column] if self._column else [])]
        # A handle of its own: one file is not read by two threads.
        with pq.ParquetFile(self._path) as file:
            table = file.read_row_group(group, columns=wanted, use_threads=False)
        return table[self._geometry], _plain(table[self._column]) if self._column else np.empty(0)


def _plain(column: pa.ChunkedArray) -> _Array:
    """A column as numpy has it; pyarrow's own way would load pandas first."""
    import pyarrow as pa

    chunks = []
    for chunk in column.chunks:
        if chunk.null_count:
            raise ValueError("a feature has no value in the column that tells features apart")
        if pa.types.is_integer(chunk.type):
            kind = np.dtype(chunk.type.to_pandas_dtype())
            chunks.append(np.frombuffer(chunk.buffers()[1], kind)[chunk.offset :][: len(chunk)])
            continue
        packed = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        names = np.array(packed.dictionary.to_pylist(), dtype=object)
        places = packed.indices
        kind = np.dtype(places.type.to_pandas_dtype())
        at = np.frombuffer(places.buffers()[1], kind)[places.offset :][: len(places)]
        chunks.append(names[at])
    return np.concatenate(chunks) if chunks else np.empty(0)


def _values(tables: Sequence[tuple[pa.ChunkedArray, _Array]]) -> _Array:
    return np.concatenate([values for _, values in tables]) if tables else np.empty(0)


def _rings_of(
    columns: Sequence[pa.ChunkedArray], near: Near | None = None, workers: int | None = None
) -> Rings:
    import pyarrow as pa

    from landplan.overlay.rings import join_rings, rings_of_lists, rings_of_wkb

    chunks = [chunk for column in columns for chunk in column.chunks]
    chunks = chunks or [pa.array([], type=pa.binary())]
    is_wkb = [pa.types.is_binary(chunk.type) or pa.types.is_large_binary(chunk.type) for chunk in chunks]
    if all(is_wkb):
        return rings_of_wkb(chunks, near, workers)
    return join_rings(
        [
            rings_of_wkb([chunk], near) if plain else rings_of_lists(chunk)
            for chunk, plain in zip(chunks, is_wkb, strict=True)
        ]
    )


def _system(crs: Any) -> str:
    if isinstance(crs, dict):
        named = crs.get("id")
        return f"{named['authority']}:{named['code']}" if named else json.dumps(crs, sort_keys=True)
    return str(crs)
