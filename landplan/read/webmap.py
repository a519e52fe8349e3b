"""Coordinates of web maps (GCJ-02): the numbers look right, and lie 100 to 700 m away from the land."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import shapely
from geopandas import GeoDataFrame

from landplan.crs import to_lonlat, transform
from landplan.issues import Issue

__all__ = ["gcj02_offset", "look_for_marks", "look_for_shift"]

# Columns that the exports of web-map services have and no survey has; all of a set must be there.
_MARKS = (
    frozenset({"cp", "childnum"}),
    frozenset({"adcode", "center"}),
    frozenset({"adcode", "centroid"}),
    frozenset({"adcode", "childrennum"}),
    frozenset({"gcj02"}),
    frozenset({"bd09"}),
    frozenset({"高德坐标"}),
    frozenset({"百度坐标"}),
    frozenset({"火星坐标"}),
)
_ENOUGH = 0.95
_SAMPLE = 20_000
_AXIS, _ECCENTRICITY2 = 6378245.0, 0.00669342162296594323  # Krasovsky 1940, as the shift is defined on


def gcj02_offset(lon: Any, lat: Any) -> tuple[Any, Any]:
    """
    How far GCJ-02 lies from WGS 84 at a place in China.

    Parameters
    ----------
    lon, lat : array of float
        Degrees, WGS 84.

    Returns
    -------
    tuple of array
        Degrees of longitude and latitude to be added to come from WGS 84 to GCJ-02.

    References
    ----------
    The public reconstruction of the shift (eviltransform and others), which agree to a centimetre.

    Examples
    --------
    At 榆次 half a kilometre to the east, and a few dozen metres to the north:

    >>> east, north = gcj02_offset(112.72, 37.69)
    >>> bool(0.005 < east < 0.008), bool(0.0002 < north < 0.0015)
    (True, True)
    """
    x, y = np.asarray(lon, dtype="float64") - 105.0, np.asarray(lat, dtype="float64") - 35.0
    pi, root = np.pi, np.sqrt(np.abs(x))
    common = 20 * np.sin(6 * pi * x) + 20 * np.sin(2 * pi * x)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (common + 20 * np.sin(pi * y) + 40 * np.sin(pi * y / 3)) * 2 / 3
    north += (160 * np.sin(pi * y / 12) + 320 * np.sin(pi * y / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (common + 20 * np.sin(pi * x) + 40 * np.sin(pi * x / 3)) * 2 / 3
    east += (150 * np.sin(pi * x / 12) + 300 * np.sin(pi * x / 30)) * 2 / 3
    latitude = np.radians(np.asarray(lat, dtype="float64"))
    magic = 1 - _ECCENTRICITY2 * np.sin(latitude) ** 2
    metres_north = _AXIS * (1 - _ECCENTRICITY2) / magic**1.5
    metres_east = _AXIS / np.sqrt(magic) * np.cos(latitude)
    return np.degrees(east / metres_east), np.degrees(north / metres_north)


def look_for_marks(headers: Iterable[object]) -> str:
    """
    Tell by its columns that a source comes from a web map.

    Parameters
    ----------
    headers : iterable of object
        Column names as written.

    Returns
    -------
    str
        The columns that say so; empty where none do.

    Examples
    --------
    >>> look_for_marks(["name", "cp", "childNum"]), look_for_marks(["DKBH", "center"])
    ('cp、childNum', '')
    """
    written = {str(header).strip().casefold().replace("-", ""): str(header) for header in headers}
    for mark in _MARKS:
        if mark <= set(written):
            return "、".join(name for key, name in written.items() if key in mark)
    return ""


def look_for_shift(parcels: GeoDataFrame, reference: GeoDataFrame) -> list[Issue]:
    """
    Hold parcels against a layer whose place is known: do they fit only once the shift of web maps is taken back?

    Parameters
    ----------
    parcels : GeoDataFrame, n rows
        With a CRS; parcels without geometry, or quarantined, are passed over.
    reference : GeoDataFrame
        Polygons that should hold them, e.g. the zones; on the same datum.

    Returns
    -------
    list of Issue
        One CRS.GCJ02 where less land lies inside as it stands, and 95 % of it once shifted back.
    """
    drawn = ~(shapely.is_missing(parcels.geometry.values) | shapely.is_empty(parcels.geometry.values))
    if "is_quarantined" in parcels.columns:
        drawn &= ~parcels["is_quarantined"].fillna(False).to_numpy(dtype=bool)
    if not drawn.any() or reference.empty:
        return []
    land = parcels.loc[drawn, [parcels.geometry.name]]
    # By their middles first, and of very many by every so many-th: only where those are better off shifted is the land
    # itself laid over the zones.
    shapes = np.asarray(land.geometry.values)[:: -(-len(land) // _SAMPLE)]
    middles = to_lonlat(GeoDataFrame(geometry=shapely.centroid(shapes), crs=land.crs))
    zones = np.asarray(transform(reference, middles.crs).geometry.values)
    centres = shapely.get_coordinates(middles.geometry.values)
    east, north = gcj02_offset(centres[:, 0], centres[:, 1])
    areas = shapely.area(shapes)
    shapely.prepare(zones)
    places = [centres, centres - np.column_stack([east, north])]
    within = [
        np.any([shapely.contains_xy(zone, *points_of.T) for zone in zones], axis=0) for points_of in places
    ]
    held = [float(areas[inside].sum()) for inside in within]
    if held[0] >= held[1]:
        return []
    whole = shapely.union_all(zones)
    shapes = np.asarray(to_lonlat(land).geometry.values)
    area = float(shapely.area(shapes).sum())
    centres = shapely.get_coordinates(shapely.centroid(shapes))
    east, north = gcj02_offset(centres[:, 0], centres[:, 1])
    points = shapely.get_coordinates(shapes)
    by_vertex = np.repeat(np.column_stack([east, north]), shapely.get_num_coordinates(shapes), axis=0)
    moved = shapely.set_coordinates(np.array(shapes, dtype=object), points - by_vertex)
    shares = [
        float(shapely.area(shapely.intersection(these, whole)).sum()) / area for these in (shapes, moved)
    ]
    if not (shares[1] > _ENOUGH and shares[0] < _ENOUGH):
        return []
    source = parcels["source"].dropna().unique().tolist() if "source" in parcels.columns else []
    name = str(source[0]) if len(source) == 1 else ""
    value = f"落入开发区 {shares[0]:.0%}，移回偏移后 {shares[1]:.0%}"
    return [Issue("CRS.GCJ02", source=name, value=value)]
