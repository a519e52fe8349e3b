"""What support asks for first: versions, the GDALs loaded, fonts, map assets, console encoding, write access."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["Check", "examine"]

_FONTS = (
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
)
_FONT_FILES = ("msyh", "simhei", "pingfang", "notosanscjk", "sourcehansans", "wqy-microhei", "simsun")
_LIBRARIES = (
    "geopandas",
    "shapely",
    "pyogrio",
    "fiona",
    "rasterio",
    "pyproj",
    "folium",
    "xlsxwriter",
    "python-calamine",
)


@dataclass(frozen=True)
class Check:
    """
    One thing looked at.

    Parameters
    ----------
    name, found : str
        What was looked at, and what was found.
    is_fine : bool
        Whether it is as it should be.
    mend : str, default ""
        What to do where it is not.
    is_vital : bool, default True
        Whether landplan cannot work without it.
    """

    name: str
    found: str
    is_fine: bool
    mend: str = ""
    is_vital: bool = True


def examine(folder: Path) -> list[Check]:
    """
    Look at everything landplan rests on.

    Parameters
    ----------
    folder : Path
        Where results are to be written.

    Returns
    -------
    list of Check
        In the order support reads them.
    """
    return [
        Check("landplan", version("landplan"), True),
        Check(
            "Python",
            f"{platform.python_version()} {platform.system()} {platform.machine()}",
            sys.version_info >= (3, 11),
        ),
        *(_library(name) for name in _LIBRARIES),
        _attempt("GDAL", _gdals),
        _readers(),
        _attempt("PROJ", _proj),
        _attempt("地图资源 / map assets", _assets),
        _fonts(),
        _console(),
        _writable(folder),
    ]


def _attempt(name: str, look: Callable[[], Check]) -> Check:
    """A library that does not load is what support is called for."""
    try:
        return look()
    except (ImportError, OSError, AttributeError) as error:
        return Check(
            name, f"{type(error).__name__}: {error}", False, "重新安装 landplan / install landplan again"
        )


def _library(name: str) -> Check:
    try:
        return Check(name, version(name), True)
    except PackageNotFoundError:
        return Check(name, "未安装 / not installed", False, f"pip install {name}")


def _gdals() -> Check:
    import fiona
    import pyogrio
    import rasterio

    found = f"pyogrio {pyogrio.__gdal_version_string__}, fiona {fiona.__gdal_version__}, rasterio {rasterio.__gdal_version__}"
    return Check("GDAL", found, True)


def _readers() -> Check:
    """How untrusted files are kept away from this process; a file that crashes GDAL would take it along."""
    from landplan.read.workers import describe_readers

    said = describe_readers()
    name = "读取进程 / readers"
    if said["error"]:
        mend = "检查杀毒软件和进程限制；文件可信时可设 LANDPLAN_READERS=inprocess / see what forbids new processes"
        return Check(name, said["error"], False, mend)
    if said["how"] == "inprocess":
        mend = "取消环境变量 LANDPLAN_READERS / unset LANDPLAN_READERS"
        return Check(name, "在主进程内读取 / in this process", False, mend, is_vital=False)
    memory = f"内存 {said['memory_mb']} MB" if "memory" in said["held"] else "内存不限"
    network = "断网" if "network" in said["held"] else "不能断网（驱动清单仍有效）"
    return Check(name, f"独立进程，每个文件 {said['seconds']:g} 秒，{memory}，{network}", True)


def _proj() -> Check:
    import pyproj

    try:
        pyproj.CRS.from_epsg(4547)
    except pyproj.exceptions.CRSError as error:
        return Check(
            "PROJ",
            str(error),
            False,
            "环境变量 PROJ_LIB/PROJ_DATA 指向了别的程序，请清除 / unset PROJ_LIB and PROJ_DATA",
        )
    return Check("PROJ", f"{pyproj.proj_version_str}，EPSG:4547 可用", True)


def _assets() -> Check:
    from landplan.maps import asset_versions

    found = asset_versions()
    listed = ", ".join(f"{name} {value}" for name, value in found.items()) or "-"
    mend = "重新安装 XStatic-Leaflet / reinstall XStatic-Leaflet"
    return Check("地图资源 / map assets", listed, "Leaflet" in found, mend)


def _fonts() -> Check:
    """Pages and workbooks name fonts; only a browser without any of them would draw boxes."""
    known: list[str] = []
    lister = shutil.which("fc-list")
    if lister:
        listed = subprocess.run(
            [lister, ":lang=zh", "family"], capture_output=True, text=True, check=False
        ).stdout
        known = [name for name in _FONTS if name in listed] or sorted(set(listed.split("\n")))[1:3]
    else:
        folders = [Path("C:/Windows/Fonts"), Path("/System/Library/Fonts"), Path("/Library/Fonts")]
        names = {
            file.stem.lower().replace(" ", "") for each in folders if each.is_dir() for file in each.iterdir()
        }
        known = [stem for stem in _FONT_FILES if any(name.startswith(stem) for name in names)]
    return Check("中文字体 / Chinese fonts", ", ".join(known) or "-", bool(known),
                 "安装任一中文字体，如 Noto Sans CJK SC / install a Chinese font", is_vital=False)  # fmt: skip


def _console() -> Check:
    encoding = sys.stdout.encoding or "ascii"
    try:
        "标准地㎡≥".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return Check(
            "控制台编码 / console encoding",
            encoding,
            False,
            "chcp 936 或设 PYTHONIOENCODING=utf-8",
            is_vital=False,
        )
    return Check("控制台编码 / console encoding", encoding, True)


def _writable(folder: Path) -> Check:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".landplan-", delete=True) as file:
            file.write(b"1")
    except OSError as error:
        return Check(
            "写权限 / write access",
            f"{folder.resolve()}: {error.strerror}",
            False,
            "换一个可写的文件夹 / choose another folder",
        )
    return Check("写权限 / write access", str(folder.resolve()), True)
