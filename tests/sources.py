"""Small drawn sources for the tests of reading: a row of squares in every format, and GeoJSON by hand."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pyogrio
import shapely

EAST, NORTH = 500_000.0, 4_170_000.0  # on the central meridian of a zone without prefix, 晋中's latitude


def squares(
    n: int, *, east: float = EAST, north: float = NORTH, side: float = 100.0
) -> list[shapely.Polygon]:
    """Squares in a row, one side apart."""
    return [
        shapely.box(east + 2 * side * k, north, east + 2 * side * k + side, north + side) for k in range(n)
    ]


def parcels(n: int = 3, **columns: list[object]) -> gpd.GeoDataFrame:
    given = columns or {"DKBH": [f"{k + 1:03d}" for k in range(n)]}
    return gpd.GeoDataFrame(given, geometry=squares(n), crs=4547)


def write(frame: gpd.GeoDataFrame, path: Path, **options: object) -> Path:
    pyogrio.write_dataframe(frame, path, **options)
    return path


def feature(geometry: object, **properties: object) -> dict[str, object]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def geojson(path: Path, *features: object, **members: object) -> Path:
    content = {"type": "FeatureCollection", "features": list(features), **members}
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def ring(
    x: float = 112.5, y: float = 37.0, side: float = 0.001, *, is_closed: bool = True
) -> dict[str, object]:
    points = [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]
    return {"type": "Polygon", "coordinates": [points if is_closed else points[:-1]]}


def found(raw) -> list[str]:
    return [issue.code for issue in raw.issues]


def row_of(raw, code: str) -> int | None:
    return next(issue.row for issue in raw.issues if issue.code == code)


def cut(path: Path, share: float) -> None:
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
