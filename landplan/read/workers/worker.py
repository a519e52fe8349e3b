"""
The reader worker: the one place where GDAL meets the files of others, locked down before GDAL is loaded.

Run as a script by :mod:`landplan.read.workers.process`, one process for vectors and one for rasters. It reads requests from its
standard input and answers on its standard output: four bytes of length, then JSON; tables go through an Arrow file
that the asking side names. With ``LANDPLAN_READERS=inprocess`` the same :func:`answer` is called in the main process.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ALLOWED", "answer", "lock_down", "receive", "send", "skipped"]

ALLOWED = {
    "vector": frozenset({"ESRI Shapefile", "FlatGeobuf", "GPKG", "GeoJSON", "OpenFileGDB"}),
    "raster": frozenset({"GTiff"}),
}
"""Drivers that may open a file, by kind of worker; several are of both kinds, so that one list would break the other."""

# Every driver of GDAL 3.9 to 3.12 as the wheels build it. A driver that is not here (a newer GDAL) is found by the first
# worker that starts, and named to the next one.
_KNOWN = (
    "AAIGrid,ACE2,ADBC,ADRG,AIG,AIVector,AVCBin,AVCE00,AirSAR,AmigoCloud,BAG,BIGGIF,BLX,BMP,BSB,BT,BYN,CAD,CALS,CEOS,COASP,"
    "COG,COSAR,CPG,CSV,CSW,CTG,CTable2,Carto,DAAS,DERIVED,DGN,DIMAP,DIPEx,DOQ1,DOQ2,DTED,DXF,ECRGTOC,EDIGEO,EEDA,EEDAI,"
    "EHdr,EIR,ELAS,ENVI,ERS,ESAT,ESRI Shapefile,ESRIC,ESRIJSON,Elasticsearch,FAST,FIT,FlatGeobuf,GDALG,GFF,GIF,GML,"
    "GNMDatabase,GNMFile,GPKG,GPSBabel,GPX,GRASSASCIIGrid,GRIB,GS7BG,GSAG,GSBG,GSC,GTFS,GTI,GTX,GTiff,GXF,GenBin,GeoJSON,"
    "GeoJSONSeq,GeoRSS,Geoconcept,HDF4,HDF4Image,HDF5,HDF5Image,HEIF,HF2,HFA,HTTP,ILWIS,IRIS,ISCE,ISG,ISIS2,ISIS3,Idrisi,"
    "JAXAPALSAR,JDEM,JML,JP2OpenJPEG,JPEG,JPEGXL,JSONFG,KEA,KML,KMLSUPEROVERLAY,KRO,L1B,LAN,LCP,LIBERTIFF,LIBKML,LOSLAS,"
    "LVBAG,Leveller,MAP,MBTiles,MEM,MFF,MFF2,MRF,MSGN,MVT,MapInfo File,MapML,Memory,MiraMonRaster,MiraMonVector,NDF,NGSGEOID,"
    "NGW,NITF,NOAA_B,NSIDCbin,NTv2,NWT_GRC,NWT_GRD,OAPIF,ODS,OGCAPI,OGR_GMT,OGR_PDS,OGR_VRT,OSM,OZI,OpenFileGDB,PAux,PCIDSK,"
    "PCRaster,PDF,PDS,PDS4,PGDUMP,PLMOSAIC,PLSCENES,PMTiles,PNG,PNM,PRF,Parquet,Arrow,PostgreSQL,PostGISRaster,MySQL,R,RCM,"
    "RIK,RMF,ROI_PAC,RPFTOC,RRASTER,RS2,RST,Rasterlite,S102,S104,S111,S57,SAFE,SAGA,SAR_CEOS,SDTS,SENTINEL2,SGI,SIGDEM,"
    "SNAP_TIFF,SNODAS,SQLite,SRP,SRTMHGT,STACIT,STACTA,SVG,SXF,Selafin,TGA,TIGER,TIL,TSX,TileDB,Terragen,TopoJSON,UK .NTF,"
    "USGSDEM,VDV,VFK,VICAR,VRT,WAsP,WCS,WEBP,WFS,WMS,WMTS,XLS,XLSX,XPM,XYZ,ZMap,Zarr,netCDF,NAS,PDAL,Interlis 1,Interlis 2,"
    "GMLAS,SOSI,ODBC,MSSQLSpatial,OCI,MongoDBv3,FileGDB,DWG,DGNV8,ECW,JP2ECW,JP2KAK,MrSID,JP2MrSID,GeoRaster,BASISU,KTX2"
)
_NO_MEMORY = re.compile(
    r"bad_alloc|(cannot|could not|failed to|unable to|out of|not enough).{0,40}(alloc|memory)", re.IGNORECASE
)
# Values that stand for "no height" in undeclared rasters: SRTM voids, ESRI floats, the habit of -9999.
_VOIDS = (-32768.0, -9999.0, -3.4028234663852886e38, 3.4028234663852886e38, -99999.0)
_MOST_CELLS, _MOST_AT_ONCE = 4_000_000_000, 250_000_000
_RIM = 4  # cells around a window, for slopes
_MOST_BYTES = 2 * 1024**3  # of one answer
_NEWNET, _NEWUSER = 0x40000000, 0x10000000  # linux/sched.h
_SLACK_S = 10
_MOST_MESSAGE = 256 << 20


def skipped(kind: str, found: frozenset[str] = frozenset()) -> str:
    """
    Name the drivers GDAL must not register.

    Parameters
    ----------
    kind : str
        ``vector`` or ``raster``.
    found : frozenset of str, optional
        Drivers an earlier worker found besides those known here.

    Returns
    -------
    str
        The value of ``GDAL_SKIP``: names with commas between, since some hold a blank.

    Examples
    --------
    >>> "GTiff" in skipped("vector").split(","), "GTiff" in skipped("raster").split(",")
    (True, False)
    """
    return ",".join(sorted({*_KNOWN.split(","), *found} - ALLOWED[kind]))


def send(stream: IO[bytes], message: dict[str, Any]) -> None:
    """
    Write one message.

    Parameters
    ----------
    stream : binary file
        A pipe.
    message : dict
        JSON values only.

    Raises
    ------
    OSError
        If nobody reads.
    """
    body = json.dumps(message).encode()
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """
    Read one message.

    Parameters
    ----------
    stream : binary file
        A pipe.

    Returns
    -------
    dict or None
        The message; None at the end of the stream.

    Raises
    ------
    ValueError
        If what stands there is no message.
    """
    head = _exactly(stream, 4)
    size = struct.unpack(">I", head)[0] if len(head) == 4 else 0
    if size > _MOST_MESSAGE:
        raise ValueError(f"message of {size} B")
    body = _exactly(stream, size)
    if not body:
        return None
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("not a message")
    return message


def _exactly(stream: IO[bytes], count: int) -> bytes:
    """So many bytes; none where the stream ends before."""
    body = stream.read(count) or b""
    return body if len(body) == count else b""


def answer(request: dict[str, Any]) -> tuple[dict[str, Any], pa.Table | None]:
    """
    Do what a request asks for.

    Parameters
    ----------
    request : dict
        ``do`` (``layers``, ``table``, ``parquet``, ``records``, ``raster``, ``window``), ``path`` and what that
        needs besides.

    Returns
    -------
    reply : dict
        JSON values; ``error`` and ``is_memory`` where it could not be done.
    table : pyarrow.Table or None
        What was read.
    """
    path = Path(request["path"])
    if not path.is_absolute() or not path.exists():
        # To GDAL a name may be an address, a command or the data itself: GeoJSON: and http:// is fetched by the driver.
        return {"error": f"no file: {str(path)[:80]}", "is_memory": False}, None
    try:
        with warnings.catch_warnings():
            # Text is decoded, M values are counted and CRS are asked for by the other side.
            warnings.simplefilter("ignore")
            return _WORKS[request["do"]](request)
    except MemoryError as error:
        return {"error": _line(error), "is_memory": True}, None
    except Exception as error:
        # Libraries raise whatever they like on broken files; each costs the one request.
        return {"error": _line(error), "is_memory": bool(_NO_MEMORY.search(str(error)))}, None


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:160] or type(error).__name__


def _layers(request: dict[str, Any]) -> tuple[dict[str, Any], None]:
    import pyogrio.core

    listed = pyogrio.core.list_layers(request["path"])
    return {"layers": [[str(name), str(drawn or "")] for name, drawn in listed]}, None


def _table(request: dict[str, Any]) -> tuple[dict[str, Any], pa.Table]:
    """A layer whole, geometry as WKB."""
    from pyogrio.raw import read_arrow

    # A box travels as a list.
    options = {n: tuple(v) if isinstance(v, list) else v for n, v in request.get("options", {}).items()}
    meta, table = read_arrow(
        request["path"],
        layer=request.get("layer") or None,
        columns=request.get("columns"),
        encoding=request.get("encoding"),
        return_fids=True,
        **options,
    )
    about = {name: meta[name] for name in ("crs", "fid_column", "geometry_name")}
    return about, table


def _parquet(request: dict[str, Any]) -> tuple[dict[str, Any], pa.Table]:
    import pyarrow.parquet as pq

    return {}, pq.read_table(request["path"])


def _records(request: dict[str, Any]) -> tuple[dict[str, Any], pa.Table]:
    """A layer record by record."""
    from landplan.read.records import pack_records, read_records

    return pack_records(
        read_records(
            Path(request["path"]),
            layer=request.get("layer", ""),
            encoding=request.get("encoding", ""),
            source=request.get("source", ""),
            driver=request.get("driver", ""),
            options=request.get("options"),
        )
    )


def _raster(request: dict[str, Any]) -> tuple[dict[str, Any], None]:
    """What a raster is, and every block of it read: a cut TIFF opens well, and undeclared voids read as heights."""
    import numpy as np
    import rasterio

    with rasterio.open(request["path"], driver="GTiff") as raster:
        grid, nodata = raster.transform, raster.nodata
        about: dict[str, Any] = {
            "width": raster.width,
            "height": raster.height,
            "bands": raster.count,
            "dtype": raster.dtypes[0],
            "cell": [abs(grid.a), abs(grid.e)],
            "nodata": nodata if nodata is None or np.isfinite(nodata) else str(nodata),
            "bounds": list(raster.bounds),
        }
        reply: dict[str, Any] = {
            "about": about,
            "crs": raster.crs.to_wkt() if raster.crs else "",
            "voids": [],
            "blank": 0,
        }
        if raster.width * raster.height * raster.count > _MOST_CELLS:
            return {**reply, "is_large": True}, None
        low, high, holes, blank = np.inf, -np.inf, 0, 0
        found: set[float] = set()
        try:
            for (row, column), window in raster.block_windows(1):
                block = raster.read(1, window=window, masked=True)
                holes += int(np.ma.getmaskarray(block).sum())
                cells = block.compressed()
                cells = cells[np.isfinite(cells)] if cells.dtype.kind == "f" else cells
                if not cells.size:
                    continue
                least, most = float(cells.min()), float(cells.max())
                low, high = min(low, least), max(high, most)
                if nodata is None:
                    found.update(v for v in _VOIDS if least <= v <= most and (cells == v).any())
                    # A block without a place in the file reads as zero: the sea level of nowhere.
                    place = f"BLOCK_OFFSET_{column}_{row}"
                    blank += not least and not most and not raster.get_tag_item(place, "TIFF", 1)
        except rasterio.errors.RasterioError as error:
            return {**reply, "fault": _line(error)}, None
    about["holes"] = holes
    about["min"], about["max"] = (low, high) if low <= high else (None, None)
    return {**reply, "voids": sorted(found), "blank": blank}, None


def _window(request: dict[str, Any]) -> tuple[dict[str, Any], pa.Table | None]:
    """The cells of the first band around a place, in the raster's own grid."""
    import numpy as np
    import pyarrow as pa
    import rasterio

    with rasterio.open(request["path"], driver="GTiff") as raster:
        place = _around(raster, request.get("near"))
        if place.width * place.height > _MOST_AT_ONCE:
            return {"error": f"{place.width} × {place.height}", "is_memory": True}, None
        cells, nodata = raster.read(1, window=place, masked=True), raster.nodata
        if nodata is None and np.ma.getmaskarray(cells).any():
            # A mask beside the cells does not travel; what it hides becomes no number.
            cells, nodata = cells.astype("float64"), float("nan")
        plain = cells.filled(nodata) if nodata is not None else cells.data
        about = {
            "shape": list(plain.shape),
            "dtype": str(plain.dtype),
            "transform": list(raster.window_transform(place))[:6],
            "nodata": None if nodata is None else repr(float(nodata)),
            "crs": raster.crs.to_wkt() if raster.crs else "",
        }
    return about, pa.table({"cells": pa.array([plain.tobytes()], type=pa.large_binary())})


def _around(raster: Any, near: list[float] | None) -> Any:
    """The window of a place with a rim; the whole raster where no place is given or its grid is turned."""
    import math

    from rasterio.windows import Window, from_bounds

    grid = raster.transform
    if near is None or grid.b or grid.d:
        return Window(0, 0, raster.width, raster.height)
    box = from_bounds(*near, transform=grid)
    left = min(max(math.floor(box.col_off) - _RIM, 0), raster.width - 1)
    top = min(max(math.floor(box.row_off) - _RIM, 0), raster.height - 1)
    right = min(math.ceil(box.col_off + box.width) + _RIM, raster.width)
    below = min(math.ceil(box.row_off + box.height) + _RIM, raster.height)
    return Window(left, top, max(right - left, 1), max(below - top, 1))


_WORKS: dict[str, Callable[[dict[str, Any]], tuple[dict[str, Any], Any]]] = {
    "layers": _layers,
    "table": _table,
    "parquet": _parquet,
    "records": _records,
    "raster": _raster,
    "window": _window,
}


def lock_down(memory_mb: int) -> list[str]:
    """
    Take from this process what a reader does not need: memory, core dumps, large files and the network.

    Parameters
    ----------
    memory_mb : int
        Address space it may use; 0 for no limit.

    Returns
    -------
    list of str
        What took hold: ``memory``, ``network``. Neither is known to Windows.
    """
    held: list[str] = []
    try:
        import resource
    except ImportError:
        return held
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_BYTES, _MOST_BYTES))
    if memory_mb:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
            held.append("memory")
    if _cut_network():
        held.append("network")
    return held


def _cut_network() -> bool:
    """Move to a network namespace without any device, where Linux allows it."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    unshare = ctypes.CDLL(None, use_errno=True).unshare
    # As root alone: in a user namespace of its own root may no longer read what belongs to others.
    return bool(unshare(_NEWNET) == 0 or (os.geteuid() != 0 and unshare(_NEWUSER | _NEWNET) == 0))


def _limit_time(seconds: float) -> None:
    """Let the kernel end a request that spins or sleeps on, should nobody be left to watch over it."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        signal.alarm(int(seconds) + _SLACK_S)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + _SLACK_S, hard))


def _load(kind: str) -> list[str]:
    """Load GDAL and name the drivers it has besides those allowed."""
    import pyarrow  # noqa: F401 - loaded now, while the asking side is still busy with its own imports

    if kind == "vector":
        # pyogrio looks for what it could make frames of; none is made here.
        hidden = {name: sys.modules.setdefault(name, None) for name in ("geopandas", "pandas")}  # type: ignore[arg-type]
        import pyogrio.raw

        for name, module in hidden.items():
            if module is None:
                del sys.modules[name]
        found = set(pyogrio.core.list_drivers())
    else:
        import rasterio

        with rasterio.Env() as env:
            found = set(env.drivers())
    return sorted(found - ALLOWED[kind])


def _serve(setting: dict[str, Any]) -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the asking side decides what Ctrl+C means
    # Libraries print; what they print must not reach the protocol.
    inlet, outlet = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    held = lock_down(int(setting["memory_mb"]))
    sys.path[:] = setting["path"]
    send(outlet, {"held": held, "extra": _load(setting["kind"])})
    while (request := receive(inlet)) is not None:
        _limit_time(float(request["seconds"]))
        begun = time.monotonic()
        reply, table = answer(request)
        if table is not None:
            try:
                _write(table, request["out"])
            except (MemoryError, OSError) as error:
                is_large = isinstance(error, MemoryError) or error.errno in (errno.EFBIG, errno.ENOMEM)
                reply = {"error": _line(error), "is_memory": is_large}
            del table
        if hasattr(signal, "alarm"):
            signal.alarm(0)
        send(outlet, {**reply, "took": time.monotonic() - begun})


def _write(table: pa.Table, path: str) -> None:
    import pyarrow as pa

    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
