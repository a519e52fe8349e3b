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

__all__ = ["check_count", "check_envelopes", "read_envelopes"]

_Array = np.ndarray[Any, np.dtype[np.float64]]

# Bounds are written as the same doubles as the vertices; the last digit may go through text on the way.
_NOISE = 1e-9
_LONG_ENVELOPE = 40  # magic, version, flags, CRS and four doubles
_AT_ONCE = 65_536


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


def read_envelopes(path: Path, layer: str) -> _Array | None:
    """
    Read the rectangles written in front of the geometries.

    Parameters
    ----------
    path : Path
        The file.
    layer : str
        A layer it lists.

    Returns
    -------
    array of float, n x 4, or None
        West, south, east, north of every record, NaN where there is none; None where they cannot be read.
    """
    found = [np.empty((0, 4))]
    try:
        with _opened(path) as base:
            drawn = base.execute(
                "SELECT column_name FROM gpkg_geometry_columns WHERE lower(table_name) = lower(?)", (layer,)
            ).fetchone()
            if drawn is None:
                return None
            column = _quoted(str(drawn[0]))
            heads = base.execute(
                f"SELECT CAST(substr({column}, 1, {_LONG_ENVELOPE}) AS BLOB) FROM {_quoted(layer)}"  # noqa: S608
            )
            while some := heads.fetchmany(_AT_ONCE):
                found.append(_envelopes([head for (head,) in some]))
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    return np.concatenate(found)


def check_envelopes(
    envelopes: _Array | None,
    layer: str,
    source: str,
    geometries: Sequence[Any],
    rows: Sequence[int],
    rows_in: int,
) -> list[Issue]:
    """
    Hold each geometry against the rectangle written in front of it.

    The format has no checksum: a flipped bit moves a vertex and leaves a file that every reader takes.

    Parameters
    ----------
    envelopes : array or None
        As :func:`read_envelopes` gives.
    layer : str
        A layer the file lists.
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
    if envelopes is None or len(envelopes) != rows_in:
        return []
    filed = envelopes[np.asarray(rows, dtype=int) - 1]
    drawn = np.empty(len(geometries), dtype=object)
    drawn[:] = geometries
    bounds = shapely.bounds(drawn)
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


def _envelopes(heads: list[Any]) -> _Array:
    """Rectangles in front of the geometries; NaN where there is none."""
    whole = b"".join(head for head in heads if isinstance(head, bytes))
    if heads and len(whole) == len(heads) * _LONG_ENVELOPE:
        # As every writer has them: read at one go.
        rows = np.frombuffer(whole, dtype=np.uint8).reshape(-1, _LONG_ENVELOPE)
        if (rows[:, :2] == (0x47, 0x50)).all() and (rows[:, 3] & 1).all() and (rows[:, 3] >> 1 & 7).all():
            return rows[:, 8:].copy().view("<f8")[:, [0, 2, 1, 3]]
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
