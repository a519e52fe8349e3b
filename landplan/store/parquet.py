"""
An assessment as a folder of GeoParquet and Parquet files: what a million parcels are saved as, and DuckDB or QGIS opens.

One small file names the others by their content, and is put in place last: a reader finds the old assessment or the new,
never half of one.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyproj
import shapely

from landplan.cores import count_threads
from landplan.errors import Fault, StoreError
from landplan.publish import publish
from landplan.store.columnar import arrow_layout, arrow_slices, from_arrow
from landplan.store.geopackage import _REGISTER, _provenance, _provenance_rows, _tables_of
from landplan.tables import Assessment

__all__ = ["FORMAT", "MANIFEST", "load_folder", "save_folder"]

FORMAT = 1
"""Version of the layout of the folder; a higher one is refused, not guessed at."""

MANIFEST = "assessment.json"
"""The file that names the others."""

_ROWS = 122_880  # of one slice, as DuckDB cuts tables: bounds what is held twice while writing
_WORDS = 64 << 20  # bytes of a dictionary before values are written out one by one
_SAMPLE = 8_000  # rows that tell of most columns whether their values repeat
_BLOCK = 1 << 20  # bytes handed to the file at once
_FILE = re.compile(r"(?P<table>.+)-[0-9a-f]{12}\.parquet(?:\.\d+\.part)?")
_DAMAGE = (
    OSError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    pa.ArrowException,
    shapely.errors.ShapelyError,
)


def save_folder(assessment: Assessment, folder: Path) -> Path:
    """
    Save an assessment as a folder of files, one for each table.

    Parameters
    ----------
    assessment : Assessment
        What was judged; its map layers are not saved.
    folder : Path
        Made where it is not there. A folder with files of others is left alone.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StoreError
        If the folder is not landplan's, a column cannot be stored, the place cannot be written, or what was written does
        not read back equal. The assessment that stood there stays.

    Notes
    -----
    Same assessment, same bytes. What an earlier assessment left is removed once the new one stands.
    """
    folder = Path(folder)
    _refuse_others(folder)
    tables = _tables_of(assessment)
    layouts = {name: arrow_layout(frame, name) for name, frame in tables.items()}
    names: dict[str, str] = {}

    def write(manifest: Path) -> None:
        # The longest first, so that no thread is left alone with it at the end.
        order = sorted(tables, key=lambda name: -tables[name].size)
        try:
            written = _side_by_side(
                lambda name: _write_table(folder, name, tables[name], layouts[name]), order
            )
            names.update(zip(order, written, strict=True))
        except pa.ArrowException as error:
            raise _unwritten(folder, error) from error
        about = {
            "landplan": {"format": FORMAT, "version": assessment.provenance.version},
            "tables": {name: {"file": names[name], "layout": layouts[name]} for name in tables},
            "provenance": _provenance_rows(assessment.provenance),
        }
        manifest.write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8", newline="\n")

    def verify(manifest: Path) -> None:
        about = json.loads(manifest.read_text(encoding="utf-8"))
        whole = _side_by_side(
            lambda told: _is_whole(folder / told["file"], told["layout"]), about["tables"].values()
        )
        differing = [name for name, is_whole in zip(about["tables"], whole, strict=True) if not is_whole]
        if differing or about["provenance"] != _provenance_rows(assessment.provenance):
            raise StoreError(
                Fault(
                    en=f"what was written does not read back equal: {', '.join(differing) or 'provenance'}.",
                    zh=f"写入后读回不一致：{'、'.join(differing) or 'provenance'}；原结果未改动。",
                    at=str(folder),
                    mend_en="report this with the input",
                    mend_zh="请连同输入资料反馈。",
                )
            )

    try:
        publish(folder / MANIFEST, write, verify)
    finally:
        _sweep(folder)
    return folder


def load_folder(folder: Path) -> Assessment:
    """
    Load an assessment saved by ``save_folder``.

    Parameters
    ----------
    folder : Path
        A folder of landplan.

    Returns
    -------
    Assessment
        Equal to the one saved, to the last digit; ``layers`` is empty.

    Raises
    ------
    StoreError
        If there is no such folder, it is not landplan's, is of a newer format, or is damaged.
    """
    folder = Path(folder)
    about = _read_manifest(folder)
    try:
        tables: dict[str, Any] = {}
        registers: dict[str, Any] = {}
        for name, told in about["tables"].items():
            file = folder / _plain_name(told["file"])
            if _hash(file) != _digest_of(file.name):
                raise ValueError(f"{file.name} was changed")
            home = registers if name.startswith(_REGISTER) else tables
            home[name.removeprefix(_REGISTER)] = from_arrow(pq.read_table(file), told["layout"])
        return Assessment(**tables, registers=registers, provenance=_provenance(about["provenance"]))
    except _DAMAGE as error:
        raise StoreError(
            Fault(
                en=f"the folder is damaged or was edited beyond reading ({type(error).__name__}: {error}).",
                zh="评价结果文件夹已损坏，或被改动到无法读取。",
                at=str(folder),
                mend_en="run landplan check again",
                mend_zh="重新运行 landplan check。",
            )
        ) from error


def _side_by_side(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Do the work of each item, some at a time: Arrow, the hash and the disk leave Python free for another."""
    with ThreadPoolExecutor(count_threads()) as pool:
        return list(pool.map(work, items))


class _Hashing(io.RawIOBase):
    """A file that hashes what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self.file.write(data)

    def tell(self) -> int:
        return self.file.tell()


def _write_table(folder: Path, name: str, frame: pd.DataFrame, layout: Mapping[str, Any]) -> str:
    """Write one table under the name its content gives it."""
    part = folder / f"{name}-{'0' * 12}.parquet.{os.getpid()}.part"
    slices = arrow_slices(frame, layout, _ROWS)
    first = next(slices)
    schema = first.schema.with_metadata(_metadata(frame, layout))
    with part.open("wb") as file:
        hashing = _Hashing(file)
        with (
            pa.output_stream(hashing, buffer_size=_BLOCK) as stream,
            pq.ParquetWriter(
                stream,
                schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=[c.name for c in schema if _repeats(first[c.name].chunk(0))],
                dictionary_pagesize_limit=_WORDS,
                # Least and greatest of a few words that stand in every slice lead no search past one.
                write_statistics=[
                    c.name
                    for c in schema
                    if not pa.types.is_large_binary(c.type) and not pa.types.is_dictionary(c.type)
                ],
                store_schema=True,
            ) as writer,
        ):
            while first is not None:
                writer.write_table(first.replace_schema_metadata(schema.metadata), row_group_size=_ROWS)
                first = next(slices, None)
        file.flush()
        os.fsync(file.fileno())
    done = folder / f"{name}-{hashing.digest.hexdigest()[:12]}.parquet"
    part.replace(done)
    return done.name


def _repeats(column: pa.Array) -> bool:
    """Whether values stand in a column so often that numbering them pays; its first slice speaks for all."""
    if pa.types.is_dictionary(column.type):
        return 2 * len(column.dictionary) <= len(column)
    if pa.types.is_large_binary(column.type) or pa.types.is_boolean(column.type):
        return False
    # A number is itself hardly longer than the number of its place.
    often = 2 if pa.types.is_large_string(column.type) else 16
    return all(often * pc.count_distinct(some).as_py() <= len(some) for some in (column[:_SAMPLE], column))


def _metadata(frame: pd.DataFrame, layout: Mapping[str, Any]) -> dict[str, str]:
    """What GeoParquet asks for, so that any GIS opens the file by itself."""
    drawn = next((c["name"] for c in layout["columns"] if c["stored"] == "geometry"), None)
    if drawn is None:
        return {}
    shapes = frame[drawn].to_numpy()
    crs = layout["crs"]
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": [],
        "crs": None if crs is None else json.loads(pyproj.CRS.from_wkt(crs).to_json()),
    }
    bounds = shapely.total_bounds(shapes).tolist() if len(shapes) else []
    if bounds and all(abs(value) < float("inf") for value in bounds):
        column["bbox"] = bounds
    return {"geo": json.dumps({"version": "1.1.0", "primary_column": drawn, "columns": {drawn: column}})}


def _is_whole(file: Path, layout: Mapping[str, Any]) -> bool:
    """Whether a file holds the bytes that were handed over, and can be opened: what they mean is proved by tests."""
    if _hash(file) != _digest_of(file.name):
        return False
    with pq.ParquetFile(file) as stored:
        return bool(stored.metadata.num_rows == layout["rows"])


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]


def _digest_of(name: str) -> str:
    return name.removesuffix(".parquet").rpartition("-")[2]


def _plain_name(name: str) -> str:
    """The name of a file in this very folder: a manifest of others must not lead elsewhere."""
    if Path(name).name != name or not _FILE.fullmatch(name):
        raise ValueError(f"no file name: {name!r}")
    return name


def _read_manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    if not file.is_file():
        raise StoreError(
            Fault(
                en="there is no assessment in this folder.",
                zh="文件夹中没有评价结果。",
                at=str(folder),
                mend_en="run landplan check first",
                mend_zh="先运行 landplan check。",
            )
        )
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        found = about["landplan"]["format"]
    except (OSError, ValueError, KeyError, TypeError):
        about, found = {}, None
    if isinstance(found, int) and found <= FORMAT:
        return dict(about)
    if isinstance(found, int):
        raise StoreError(
            Fault(
                en=f"the folder was written by a newer landplan (format {found}; this one knows {FORMAT}).",
                zh="文件夹由更新版本的 landplan 写成，本版本无法读取。",
                at=str(folder),
                mend_en="update landplan",
                mend_zh="请升级 landplan。",
            )
        )
    raise _not_ours(folder)


def _not_ours(folder: Path) -> StoreError:
    return StoreError(
        Fault(
            en="the folder is not an assessment saved by landplan; it is neither read nor overwritten.",
            zh="该文件夹不是 landplan 保存的评价结果：既不读取，也不覆盖。",
            at=str(folder),
            mend_en="choose another name, or move the folder away",
            mend_zh="换一个文件夹名，或移走该文件夹。",
        )
    )


def _refuse_others(folder: Path) -> None:
    """Only an empty folder, or one of landplan's own, is written into."""
    if folder.is_file():
        raise _not_ours(folder)
    if not folder.is_dir():
        return
    if (folder / MANIFEST).exists():
        _read_manifest(folder)
        return
    if any(
        not _FILE.fullmatch(file.name) and not file.name.startswith(f".{MANIFEST}.")
        for file in folder.iterdir()
    ):
        raise _not_ours(folder)


def _sweep(folder: Path) -> None:
    """Take away what the manifest does not name: an earlier assessment, or one that was not finished."""
    named: set[str] = set()
    with contextlib.suppress(StoreError, KeyError, TypeError):
        named = {told["file"] for told in _read_manifest(folder)["tables"].values()}
    for file in _own_files(folder):
        if file.name not in named:
            with contextlib.suppress(OSError):  # in use by a reader on Windows: the next one sweeps it
                file.unlink()


def _own_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (file for file in folder.iterdir() if _FILE.fullmatch(file.name))


def _unwritten(folder: Path, error: BaseException) -> StoreError:
    return StoreError(
        Fault(
            en=f"the files cannot be written: {error}.",
            zh="文件写入失败，原结果未改动。",
            at=str(folder),
            mend_en="check free space on the disk and the text of the columns",
            mend_zh="检查磁盘空间与字段内容。",
        )
    )
