"""Plane and ellipsoidal areas."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyproj
import shapely

from landplan.cores import count_threads
from landplan.crs.rings import lay_out_rings
from landplan.crs.systems import crs_name, infinite, to_lonlat, two_dimensional
from landplan.crs.zones import in_measuring_zones, measuring_epsg

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["measure_areas"]

_Array = np.ndarray[Any, Any]

_SHAPES_AT_ONCE = 20_000
_LONGEST_EDGE_M = 5_000.0  # up to which the formula below is as exact as the coordinates


def measure_areas(frame: GeoDataFrame, measure_crs: Any = None) -> pd.DataFrame:
    """
    Measure plane and ellipsoidal area of each parcel.

    Parameters
    ----------
    frame : GeoDataFrame, n rows
        Valid polygons with a CRS; where a column ``is_quarantined`` is True the parcel is left unmeasured. Not changed.
    measure_crs : int, str, CRS or None
        One plane for all; by default each parcel's own 3-degree zone.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``area_m2`` (plane), ``area_ellipsoid_m2`` (polygon of geodesics on the ellipsoid of its datum) and
        ``measure_epsg``. NaN without geometry: unknown, not zero.

    Raises
    ------
    CRSError
        As ``measuring_epsg``.

    References
    ----------
    .. [1] Karney, C. F. F. (2013). Algorithms for geodesics. Journal of Geodesy, 87, 43-55.
       doi:10.1007/s00190-012-0578-z
    """
    # Only the land: a hundred columns of facts are not carried from zone to zone.
    measured = frame[[frame.geometry.name]].assign(_at=np.arange(len(frame)))
    if "is_quarantined" in frame.columns:
        apart = frame["is_quarantined"].fillna(False).to_numpy(dtype=bool)
        measured = measured[~apart] if apart.any() else measured
    codes = measuring_epsg(measured, measure_crs)
    plane, ellipsoidal = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    for _, part in in_measuring_zones(measured, codes):
        at = part["_at"].to_numpy()
        plane[at] = shapely.area(part.geometry.values)
        ellipsoidal[at] = _ellipsoid_areas(part)
    epsg = np.zeros(len(frame), dtype=np.int64)
    known = np.zeros(len(frame), dtype=bool)
    at = measured["_at"].to_numpy()
    epsg[at], known[at] = codes.fillna(0).to_numpy(dtype=np.int64), codes.notna().to_numpy(dtype=bool)
    return pd.DataFrame(
        {
            "area_m2": plane,
            "area_ellipsoid_m2": ellipsoidal,
            "measure_epsg": pd.arrays.IntegerArray(epsg, ~known),
        },
        index=frame.index,
    )


def _ellipsoid_areas(part: GeoDataFrame) -> _Array:
    """Areas of polygons of geodesics, some at a time, on as many processors as there are."""
    shapes = np.asarray(part.geometry.values)
    drawn = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    found = np.full(len(shapes), np.nan)
    found[shapely.is_empty(shapes)] = 0.0
    if not len(drawn):
        return found
    geodetic = two_dimensional(part.crs.geodetic_crs)

    def work(chunk: _Array) -> tuple[_Array, _Array]:
        return _geodesic_areas(shapes[chunk], part.crs, geodetic)

    chunks = np.array_split(drawn, -(-len(drawn) // _SHAPES_AT_ONCE))
    with ThreadPoolExecutor(count_threads()) as pool:
        answers = list(pool.map(work, chunks))
    found[drawn] = np.concatenate([areas for areas, _ in answers])
    geod = pyproj.Geod(a=geodetic.ellipsoid.semi_major_metre, rf=geodetic.ellipsoid.inverse_flattening)
    for at in drawn[np.concatenate([long for _, long in answers])].tolist():
        polygon = shapely.orient_polygons(shapely.force_2d(to_lonlat(part.iloc[[at]]).geometry.values))[0]
        found[at] = abs(geod.geometry_area_perimeter(polygon)[0])
    return found


def _geodesic_areas(shapes: _Array, crs: Any, geodetic: Any) -> tuple[_Array, _Array]:
    """
    Areas, and which of them have an edge too long for the formula.

    The area between a short geodesic and the equator is that of a trapezoid in longitude and authalic height, and the
    first term of what the geodesic bends away from it; for edges of 5 km the next is below 1e-10 of the whole.
    """
    rings = lay_out_rings(shapes)
    degrees = rings.points
    if crs != geodetic:
        # A transformer of its own for each thread: one is not to be used by two at once.
        mover = pyproj.Transformer.from_crs(crs, geodetic, always_xy=True)
        degrees = np.column_stack(mover.transform(degrees[:, 0], degrees[:, 1]))
    if not np.isfinite(degrees).all():
        raise infinite(crs_name(crs), crs_name(geodetic), "")
    lon, lat = np.radians(degrees[:, 0]), np.radians(degrees[:, 1])
    ellipsoid = geodetic.ellipsoid
    radius = ellipsoid.semi_major_metre
    flat = 1.0 / ellipsoid.inverse_flattening if ellipsoid.inverse_flattening else 0.0
    square = flat * (2.0 - flat)
    # Heights from the first point of each ring, so that small parcels keep their digits.
    height = _authalic(np.sin(lat), radius, square)
    height -= np.repeat(height[rings.begins[:-1]], np.diff(rings.begins))
    east, north = np.diff(lon), np.diff(lat)
    sine = np.sin((lat[1:] + lat[:-1]) / 2)
    curve = 1.0 - square * sine * sine
    meridian = radius * (1 - square) / curve**1.5
    parallel = radius / np.sqrt(curve) * np.sqrt(1 - sine * sine)
    bend = sine / 12.0 * (3.0 * (meridian * north) ** 2 + (parallel * east) ** 2)
    area = np.append(east * ((height[1:] + height[:-1]) / 2 + bend), 0.0)  # as in lay_out_rings
    long = np.hypot(meridian * north, parallel * east) > _LONGEST_EDGE_M
    # From the end of a ring to the beginning of the next there is no edge.
    area[rings.begins[1:-1] - 1] = 0.0
    long[rings.begins[1:-1] - 1] = False
    by_ring = np.abs(np.add.reduceat(area, rings.begins[:-1]))
    areas = np.bincount(
        rings.owners, weights=np.where(rings.is_hole, -by_ring, by_ring), minlength=len(shapes)
    )
    is_long = np.zeros(len(shapes), dtype=bool)
    is_long[rings.owners[np.searchsorted(rings.begins, np.flatnonzero(long), side="right") - 1]] = True
    return areas, is_long


def _authalic(sine: _Array, radius: float, square: float) -> _Array:
    """Area between the equator and a latitude, by radian of longitude."""
    if square == 0.0:
        return radius * radius * sine
    root = np.sqrt(square)
    arc = sine / (1 - square * sine * sine) + np.arctanh(root * sine) / root
    return np.asarray(radius * radius * (1 - square) / 2 * arc)
