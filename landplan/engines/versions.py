"""What must be the same on every worker for every digit to be."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyproj
import shapely

__all__ = ["list_versions", "look_around"]

_MEASURING = (
    "numpy",
    "pandas",
    "geopandas",
    "shapely",
    "pyproj",
    "pyarrow",
    "rasterio",
    "exactextract",
    "numba",
)


@cache
def list_versions() -> dict[str, str]:
    """
    List the versions of landplan and of what measures for it, as they are in this process.

    Returns
    -------
    dict of str to str
        Version by name; that of landplan with the first digits of a hash over its code and tables; empty for what
        is not installed.

    Examples
    --------
    >>> sorted(list_versions())[:3]
    ['GEOS', 'PROJ', 'exactextract']
    """
    found = {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "landplan": f"{_version('landplan')} {_hash_code()}",
    }
    found |= {name: _version(name) for name in _MEASURING}
    return found | {"GEOS": shapely.geos_version_string, "PROJ": pyproj.proj_version_str}


def look_around(wanted: list[tuple[Path, int]]) -> dict[str, Any]:
    """
    Look what a worker has; asked of each of them before any work is given out.

    Parameters
    ----------
    wanted : list of (Path, int)
        Files the steps open, and their sizes in bytes.

    Returns
    -------
    dict
        ``versions``, and ``missing``: those of the files that are not there, or of another size.
    """
    missing = [path for path, size in wanted if not path.is_file() or path.stat().st_size != size]
    return {"versions": list_versions(), "missing": missing}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _hash_code() -> str:
    home = Path(str(files("landplan")))
    digest = hashlib.sha256()
    for path in sorted(home.rglob("*")):
        if path.suffix in (".py", ".csv", ".yaml"):
            digest.update(path.relative_to(home).as_posix().encode())
            # Git on Windows ends lines its own way.
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]
