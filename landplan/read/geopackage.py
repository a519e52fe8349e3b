"""A GeoPackage held against itself: its own count of rows, and the rectangle each geometry is filed under."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from landplan.issues import Issue

__all__ = ["check_count", "check_envelopes"]

# Bounds are written as the same doubles as the vertices; the last digit may go through text on the way.
_NOISE = 1e-9
_LONG_ENVELOPE = 40  # magic, version, flags, CRS and four doubles


def check_count(path: Path, layer: str, source: str) -> list[Issue]:
    """
    Hold the GeoPackage's own count against the rows; most readers believe it and hide the rest.

    Parameters
    ----------
    path : Path
        The file.
    layer : str
        A layer it lists.
    source : str
        Its name in issues.

    Returns
    -------
    list of Issue
        FILE.COUNT where they differ.
    """
    try:
        with _opened(path) as base:
            told = base.execute(
                "SELECT feature_count FROM gpkg_ogr_contents WHERE lower(table_name) = lower(?)", (layer,)
            ).fetchone()
            real = base.execute(f"SELECT COUNT(*) FROM {_quoted(layer)}").fetchone()  # noqa: S608 - quoted
    except (sqlite3.Error, UnicodeDecodeError):
        return []  # the table of counts is optional
    if told is None or told[0] is None or told[0] == real[0]:
        return []
    return [Issue("FILE.COUNT", source=source, layer=layer, value=f"{told[0]} / {real[0]}")]


def check_envelopes(
    path: Path, layer: str, source: str, geometries: Sequence[Any], rows: Sequence[int], rows_in: int
) -> list[Issue]:
    """
    Hold each geometry against the rectangle written in front of it.

    The format has no checksum: a flipped bit moves a vertex and leaves a file that every reader takes.

    Parameters
    ----------
    path : Path
        The file.
    layer : str
        A layer it lists.
    source : str
        Its name in issues.
    geometries : sequence of shapely geometries, n
        As read.
    rows : sequence of int, n
        Record number of each.
    rows_in : int
        Records in the layer.

    Returns
    -------
    list of Issue
        GEOM.ENVELOPE, one per geometry that does not fill its rectangle.
    """
    try:
        with _opened(path) as base:
            found = base.execute(
                "SELECT column_name FROM gpkg_geometry_columns WHERE lower(table_name) = lower(?)", (layer,)
            ).fetchone()
            if found is None:
                return []
            drawn = _quoted(str(found[0]))
            heads = base.execute(
                f"SELECT CAST(substr({drawn}, 1, {_LONG_ENVELOPE}) AS BLOB) FROM {_quoted(layer)}"  # noqa: S608
            ).fetchall()
    except (sqlite3.Error, UnicodeDecodeError):
        return []
    if len(heads) != rows_in:
        return []
    filed = _envelopes([head for (head,) in heads])[np.asarray(rows, dtype=int) - 1]
    bounds = shapely.bounds(np.array([*geometries, None], dtype=object))[:-1]
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.abs(filed).max(axis=1, initial=0.0), np.abs(bounds).max(axis=1, initial=0.0))
        off = (np.abs(filed - bounds) > _NOISE * size[:, None]).any(axis=1)
    wrong = off & np.isfinite(filed).all(axis=1) & np.isfinite(bounds).all(axis=1)
    return [
        Issue("GEOM.ENVELOPE", source=source, layer=layer, row=rows[k], value=_show(bounds[k], filed[k]))
        for k in np.flatnonzero(wrong).tolist()
    ]


def _opened(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path.as_uri() + "?mode=ro&immutable=1", uri=True))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _envelopes(heads: list[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Rectangles in front of the geometries; NaN where there is none."""
    result = np.full((len(heads), 4), np.nan)
    by_order: dict[str, list[int]] = {"<f8": [], ">f8": []}
    for k, head in enumerate(heads):
        if isinstance(head, bytes) and len(head) == _LONG_ENVELOPE and head[:2] == b"GP" and head[3] >> 1 & 7:
            by_order["<f8" if head[3] & 1 else ">f8"].append(k)
    for order, places in by_order.items():
        if places:
            body = b"".join(heads[k][8:] for k in places)
            result[places] = np.frombuffer(body, dtype=order).reshape(-1, 4)
    return result[:, [0, 2, 1, 3]]


def _show(bounds: Any, filed: Any) -> str:
    worst = int(np.argmax(np.abs(bounds - filed)))
    return f"{bounds[worst]:.10g} / {filed[worst]:.10g}"
