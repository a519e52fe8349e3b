"""Frames to plain data: rings as whole millionths of a degree, the kilometre grid, what stands where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from pyproj import CRS, Transformer

from landplan.attach import zones_on
from landplan.crs import measuring_epsg, to_lonlat
from landplan.errors import CRSError
from landplan.units import convert

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = [
    "Ring",
    "draw_grid",
    "draw_layer",
    "draw_zones",
    "encode_shapes",
    "name_crs",
    "to_mu",
]

Ring = list[int]
"""Longitude and latitude of the first vertex in millionths of a degree, then the step to each next one."""

# 1e-6 degree is about 0.1 m: below the width of a line at any zoom, and short to write.
_SCALE = 1e6
_MESH = 25


def _encode_ring(ring: shapely.LinearRing) -> Ring:
    points = np.rint(shapely.get_coordinates(ring) * _SCALE).astype(np.int64)
    keep = np.ones(len(points), dtype=bool)
    keep[1:] = (np.diff(points, axis=0) != 0).any(axis=1)
    points = points[keep][:-1] if keep.sum() > 3 else points[:-1]
    steps: Ring = np.vstack([points[:1], np.diff(points, axis=0)]).ravel().tolist()
    return steps


def _encode_shape(shape: Any) -> list[list[Ring]] | None:
    if shape is None or shape.is_empty:
        return None
    parts = shapely.get_parts(shape)
    polygons = [part for part in parts if part.geom_type == "Polygon" and not part.is_empty]
    return [[_encode_ring(ring) for ring in (p.exterior, *p.interiors)] for p in polygons] or None


def encode_shapes(frame: GeoDataFrame) -> list[list[list[Ring]] | None]:
    """
    Turn areas into rings a page can draw.

    Parameters
    ----------
    frame : GeoDataFrame, n rows
        Areas in any CRS; missing and empty ones are allowed, other types are not drawn.

    Returns
    -------
    list of n shapes
        For each row its polygons, each a list of rings, the outer one first; None where nothing can be drawn.
    """
    if not len(frame):
        return []
    shapes = shapely.force_2d(frame.geometry.to_numpy())
    # A NaN vertex would make the transformation refuse the whole table.
    bad = [shape is not None and not np.isfinite(shapely.get_coordinates(shape)).all() for shape in shapes]
    # Shells one way round and holes the other: the paper draws many shapes as one path.
    turned = shapely.orient_polygons(np.where(bad, None, shapes))
    flat = frame[["geometry"]].set_geometry(turned, crs=frame.crs)
    return [_encode_shape(shape) for shape in to_lonlat(flat).geometry]


def draw_zones(zones: GeoDataFrame, as_of: date) -> list[dict[str, Any]]:
    """
    Lay out the zones in force.

    Parameters
    ----------
    zones : GeoDataFrame
        Versions of boundaries.
    as_of : date
        The day.

    Returns
    -------
    list of dict
        Name, first day of the version and rings of each; only public facts.
    """
    held = zones_on(zones, as_of)
    names = _texts(held, "zone_name")
    codes = _texts(held, "zone_code")
    days = [day[:10] for day in _texts(held, "valid_from")]
    shapes = encode_shapes(held)
    return [
        {"name": name or code, "since": day, "g": shape}
        for name, code, day, shape in zip(names, codes, days, shapes, strict=True)
        if shape
    ]


def _texts(frame: pd.DataFrame, name: str) -> list[str]:
    if name not in frame:
        return [""] * len(frame)
    return ["" if pd.isna(value) else str(value) for value in frame[name]]


def draw_layer(
    name: str, frame: GeoDataFrame, titles: Mapping[str, str], *, is_wanted: bool
) -> dict[str, Any]:
    """
    Lay out one constraint layer; its columns stay behind.

    Parameters
    ----------
    name : str
        Name of the layer.
    frame : GeoDataFrame
        Its areas.
    titles : mapping of str to str
        Titles by name.
    is_wanted : bool
        Whether parcels should lie inside it (a boundary to stay within) and not outside.

    Returns
    -------
    dict
        Name, title, and rings.
    """
    return {
        "name": name,
        "title": titles.get(name, name),
        "within": is_wanted,
        "g": [shape for shape in encode_shapes(frame) if shape],
    }


def name_crs(epsg: int) -> str:
    """
    Name a plane for people.

    Parameters
    ----------
    epsg : int
        Its EPSG code.

    Returns
    -------
    str
        Short and Chinese for the zones of CGCS2000, else the name in the EPSG list; with the code.

    Examples
    --------
    >>> name_crs(4526)
    'CGCS2000 三度带第 38 带（EPSG:4526）'
    """
    name = CRS.from_epsg(epsg).name
    for pattern, words in (
        (r"CGCS2000 / 3-degree Gauss-Kruger zone (\d+)", r"CGCS2000 三度带第 \1 带"),
        (r"CGCS2000 / 3-degree Gauss-Kruger CM (\d+)E", r"CGCS2000 三度带 中央子午线 \1°"),
        (r"CGCS2000 / Gauss-Kruger zone (\d+)", r"CGCS2000 六度带第 \1 带"),
        (r"CGCS2000 / Gauss-Kruger CM (\d+)E", r"CGCS2000 六度带 中央子午线 \1°"),
    ):
        name = re.sub(f"^{pattern}$", words, name)
    return f"{name}（EPSG:{epsg}）"


def _plane_of(frame: GeoDataFrame) -> int | None:
    """The surveyors' own plane where the data are in one, else the zone most of them are measured in."""
    system = CRS.from_user_input(frame.crs)
    operation = system.coordinate_operation
    if system.is_projected and operation is not None and "Transverse Mercator" in operation.method_name:
        return system.to_epsg()
    drawn = frame[frame.geometry.notna() & ~frame.geometry.is_empty]
    try:
        codes = measuring_epsg(drawn).dropna().astype("int64")
    except CRSError:  # not in China, and no plane given: a map without a grid
        return None
    counts = codes.value_counts()
    return int(min(counts[counts == counts.max()].index)) if len(counts) else None


def draw_grid(frame: GeoDataFrame, bounds: tuple[float, float, float, float]) -> dict[str, Any] | None:
    """
    Prepare the kilometre grid in the plane of the survey, or in the one most parcels are measured in.

    The page cannot project, so it is given a mesh of nodes at equal eastings and northings with their places
    on the earth, and interpolates between them by parabolas. With nodes 5 km apart that is off by less than a
    millimetre, with 50 km by less than a metre.

    Parameters
    ----------
    frame : GeoDataFrame
        What is drawn: parcels, or zones where there are none.
    bounds : tuple of float
        West, south, east, north of the map in degrees.

    Returns
    -------
    dict or None
        Name of the plane, first easting and northing, steps (m), and longitudes and latitudes of the nodes,
        row by row from the south; None where nothing is placed.
    """
    epsg = _plane_of(frame)
    if epsg is None:
        return None
    plane = CRS.from_epsg(epsg)
    there = Transformer.from_crs(plane.geodetic_crs, plane, always_xy=True)
    west, south, east, north = there.transform_bounds(*bounds)
    if not np.isfinite([west, south, east, north]).all():
        return None
    # One map's width beyond its edges, so that a user may move about without leaving the grid.
    wide, high = max(east - west, 4000.0), max(north - south, 4000.0)
    eastings = np.linspace((west + east) / 2 - 1.5 * wide, (west + east) / 2 + 1.5 * wide, _MESH)
    northings = np.linspace((south + north) / 2 - 1.5 * high, (south + north) / 2 + 1.5 * high, _MESH)
    mesh_e, mesh_n = np.meshgrid(eastings, northings)
    lon, lat = there.transform(mesh_e.ravel(), mesh_n.ravel(), direction="INVERSE")
    if not np.isfinite([lon, lat]).all():
        return None
    return {
        "plane": name_crs(epsg),
        "e0": round(float(eastings[0]), 3),
        "n0": round(float(northings[0]), 3),
        "de": round(float(eastings[1] - eastings[0]), 6),
        "dn": round(float(northings[1] - northings[0]), 6),
        "size": _MESH,
        "lon": np.round(lon, 8).tolist(),
        "lat": np.round(lat, 8).tolist(),
    }


def to_mu(area_m2: float) -> float:
    """
    Say an area in 亩, to the hundredth.

    Parameters
    ----------
    area_m2 : float
        Square metres.

    Returns
    -------
    float
        亩.

    Examples
    --------
    >>> to_mu(10000.0)
    15.0
    """
    return round(convert(float(area_m2), "m2", "亩", "area"), 2)
