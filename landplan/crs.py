"""
Where parcels lie: the measuring zone of each, areas, and transformations that never guess.

Every parcel is measured in its own CGCS2000 3-degree Gauss-Kruger zone: 晋中 straddles 112.5E, and a parcel of six hectares
measured in its neighbour's zone is dozens of square metres off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyproj
import shapely
from pyproj.exceptions import CRSError as ProjCRSError
from pyproj.exceptions import ProjError

from landplan.errors import CRSError, Fault

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = [
    "Rings",
    "are_valid",
    "as_crs",
    "crs_name",
    "in_measuring_zones",
    "is_true_to_area",
    "lay_out_rings",
    "measure_areas",
    "measuring_epsg",
    "same_datum",
    "to_lonlat",
    "transform",
    "working_crs",
]

_Array = np.ndarray[Any, Any]

# Realisations of one earth: they differ by less than a metre, which is what a map needs and less than a transformation
# without parameters pretends to. Beijing 54 and Xian 80 are 50 to 100 m away and are not among them.
_MODERN = (
    "china 2000", "world geodetic system 1984", "wgs 84", "wgs_1984", "wgs84", "cgcs2000", "cgcs_2000", "taiwan datum 1997",
    "geocentric datum of korea", "korean geodetic datum 2002", "korea 2000", "d_china_2000", "china_2000",
    "international terrestrial reference frame", "itrf", "european terrestrial reference system 1989",
)  # fmt: skip

_PLAIN, _PREFIXED = 4534, 4513  # EPSG codes of zone 25 without and with the zone prefix in the easting
_FIRST_ZONE, _LAST_ZONE = 25, 45


def as_crs(text: object) -> pyproj.CRS:
    """
    Read a coordinate reference system.

    Parameters
    ----------
    text : str, int or pyproj.CRS
        An EPSG code, ``EPSG:4547``, WKT or PROJ text.

    Returns
    -------
    pyproj.CRS
        The system.

    Raises
    ------
    CRSError
        If it cannot be read.

    Examples
    --------
    >>> as_crs("EPSG:4547").to_epsg()
    4547
    """
    try:
        return pyproj.CRS.from_user_input(text)
    except ProjCRSError as error:
        raise CRSError(
            Fault(
                en=f"{str(text)[:80]!r} is not a coordinate reference system.",
                zh=f"“{str(text)[:80]}”不是可识别的坐标系。",
                mend_en="write an EPSG code, e.g. EPSG:4547 (CGCS2000, 3 degrees, 114E)",
                mend_zh="写 EPSG 代码，如 EPSG:4547（CGCS2000 三度带 中央子午线 114°）",
            )
        ) from error


def crs_name(crs: Any) -> str:
    """
    Name a CRS as people cite it: its EPSG code where it has one, else its own name.

    Parameters
    ----------
    crs : pyproj.CRS or None
        The system.

    Returns
    -------
    str
        E.g. ``EPSG:4547``; empty for None.
    """
    if crs is None:
        return ""
    system = pyproj.CRS.from_user_input(crs)
    # A lower confidence would call every plane of unknown datum by the code of some country's own.
    authority = system.to_authority(min_confidence=90)
    return ":".join(authority) if authority else str(system.name)


def _is_modern(crs: pyproj.CRS) -> bool:
    # A custom CRS without a code still names its datum or its ellipsoid somewhere in these.
    geodetic = crs.geodetic_crs
    names = " ".join(
        part.name.lower()
        for part in (crs.datum, geodetic, geodetic.datum if geodetic else None)
        if part is not None
    )
    return any(known in names for known in _MODERN)


def same_datum(a: Any, b: Any) -> bool:
    """
    Tell whether coordinates of two systems may be brought together without parameters.

    Parameters
    ----------
    a, b : pyproj.CRS
        The systems.

    Returns
    -------
    bool
        True for one datum, and for realisations of the earth within a metre (CGCS2000, WGS 84, TWD97, KGD2002).

    Examples
    --------
    >>> same_datum(as_crs(4547), as_crs(4326)), same_datum(as_crs(4547), as_crs(2383))
    (True, False)
    """
    first, second = pyproj.CRS.from_user_input(a), pyproj.CRS.from_user_input(b)
    if first.geodetic_crs is not None and first.geodetic_crs == second.geodetic_crs:
        return True
    return _is_modern(first) and _is_modern(second)


def transform(frame: GeoDataFrame, crs: Any, *, at: str = "") -> GeoDataFrame:
    """
    Bring geometry to another CRS, or refuse.

    Parameters
    ----------
    frame : GeoDataFrame
        With a CRS.
    crs : pyproj.CRS or int
        Where to.
    at : str, default ""
        What the frame is, for the message.

    Returns
    -------
    GeoDataFrame
        Same rows and index; the frame itself where nothing changes.

    Raises
    ------
    CRSError
        If there is no CRS, if the datums differ by more than a metre, or if a coordinate comes out infinite (a wrong
        zone prefix does that silently, and then nothing intersects anything).
    """
    target = pyproj.CRS.from_user_input(crs)
    if frame.crs is None:
        raise CRSError(Fault(en="no CRS is given.", zh="没有坐标系说明。", at=at))
    if frame.crs == target:
        return frame
    if not same_datum(frame.crs, target):
        raise CRSError(
            Fault(
                en=f"{crs_name(frame.crs)} and {crs_name(target)} rest on different datums; parameters are needed.",
                zh=f"{crs_name(frame.crs)} 与 {crs_name(target)} 的大地基准不同，需要转换参数。",
                at=at,
                mend_en="ask the surveyor for CGCS2000 coordinates",
                mend_zh="请测绘单位提供 CGCS2000 成果",
            )
        )
    try:
        moved = frame.to_crs(target)
    except ProjError as error:
        raise CRSError(
            Fault(
                en=f"{crs_name(frame.crs)} cannot be brought to {crs_name(target)}: {str(error)[:120]}.",
                zh=f"{crs_name(frame.crs)} 无法转换到 {crs_name(target)}。",
                at=at,
                mend_en="check the .prj, or pass --crs",
                mend_zh="核对 .prj，或用 --crs 指定",
            )
        ) from error
    bounds = shapely.bounds(moved.geometry.values)
    drawn = ~(shapely.is_missing(moved.geometry.values) | shapely.is_empty(moved.geometry.values))
    if not np.isfinite(bounds[drawn]).all():
        raise _infinite(crs_name(frame.crs), crs_name(target), at)
    return moved


def _infinite(source: str, target: str, at: str) -> CRSError:
    return CRSError(
        Fault(
            en=f"coordinates are not finite after {source} -> {target}.",
            zh=f"坐标从 {source} 转换到 {target} 后出现无穷值。",
            at=at,
            mend_en="check zone prefix and central meridian",
            mend_zh="核对带号与中央子午线",
        )
    )


def to_lonlat(frame: GeoDataFrame) -> GeoDataFrame:
    """
    Give longitude and latitude on the frame's own datum, which shifts nothing.

    Parameters
    ----------
    frame : GeoDataFrame
        With a CRS.

    Returns
    -------
    GeoDataFrame
        Degrees, longitude first.
    """
    return transform(frame, _two_dimensional(frame.crs.geodetic_crs))


def working_crs(systems: Sequence[Any]) -> pyproj.CRS:
    """
    Choose the one CRS a project works in.

    Parameters
    ----------
    systems : sequence of pyproj.CRS
        Those of the parcel sources, at least one.

    Returns
    -------
    pyproj.CRS
        The common one, else CGCS2000 in degrees (EPSG:4490). Measuring is done per parcel in its own zone either way.

    Raises
    ------
    CRSError
        If sources rest on different datums.
    """
    first = pyproj.CRS.from_user_input(systems[0])
    for other in systems[1:]:
        if not same_datum(first, other):
            raise CRSError(
                Fault(
                    en=f"parcel sources rest on different datums: {crs_name(first)}, {crs_name(other)}.",
                    zh=f"地块来源的大地基准不同：{crs_name(first)}、{crs_name(other)}。",
                    mend_en="bring them to CGCS2000 first",
                    mend_zh="先统一到 CGCS2000",
                )
            )
    return first if all(first == other for other in systems[1:]) else as_crs(4490)


def is_true_to_area(crs: pyproj.CRS) -> bool:
    """
    Tell whether areas may be taken in a system: a plane in metres, and none whose scale grows with latitude.

    Parameters
    ----------
    crs : pyproj.CRS
        The system.

    Returns
    -------
    bool
        False for degrees, feet and Mercator planes: EPSG:3857 makes an area at 50 degrees 2.4 times too big.

    Examples
    --------
    >>> is_true_to_area(as_crs(4547)), is_true_to_area(as_crs(3857))
    (True, False)
    """
    operation = crs.coordinate_operation
    method = "" if operation is None else operation.method_name
    in_metres = crs.is_projected and crs.axis_info[0].unit_name == "metre"
    return in_metres and not method.startswith(("Mercator", "Popular Visualisation"))


def measuring_epsg(frame: GeoDataFrame, measure_crs: Any = None) -> pd.Series[Any]:
    """
    Find the plane each parcel is measured in.

    Parameters
    ----------
    frame : GeoDataFrame, n rows
        With a CRS.
    measure_crs : int, str, CRS or None
        One projected CRS for all, where a project is not measured in CGCS2000 zones.

    Returns
    -------
    Series of Int64, n rows, same index
        EPSG code of the 3-degree zone (without prefix) that holds the parcel's inner point; missing without geometry.

    Raises
    ------
    CRSError
        If a parcel lies outside zones 25 to 45, or ``measure_crs`` is not a plane to measure in (metres, an EPSG code,
        no web Mercator) or rests on another datum than the parcels.

    References
    ----------
    EPSG codes 4534 to 4554: CGCS2000 / 3-degree Gauss-Kruger CM 75E to 135E.

    Examples
    --------
    >>> import geopandas
    >>> places = geopandas.GeoSeries.from_xy([112.72, 112.33], [37.69, 37.36], crs=4490)
    >>> measuring_epsg(geopandas.GeoDataFrame(geometry=places)).tolist()
    [4547, 4546]
    """
    codes = pd.Series(pd.NA, index=frame.index, dtype="Int64")
    drawn = ~(shapely.is_missing(frame.geometry.values) | shapely.is_empty(frame.geometry.values))
    if measure_crs is not None:
        system = as_crs(measure_crs)
        code = system.to_epsg()
        if code is None or not is_true_to_area(system):
            raise CRSError(
                Fault(
                    en=f"measure_crs {crs_name(system)!r} is no plane to measure in: metres, an EPSG code, not Mercator.",
                    zh=f"measure_crs“{crs_name(system)}”不能用于量算：须有 EPSG 代码、以米为单位，墨卡托除外。",
                    mend_en="name e.g. EPSG:4547 (CGCS2000, 3 degrees, 114E) or the UTM zone of the parcels",
                    mend_zh="写如 EPSG:4547（CGCS2000 三度带 中央子午线 114°）或地块所在的 UTM 带",
                )
            )
        if not same_datum(frame.crs, system):
            raise CRSError(
                Fault(
                    en=f"measure_crs {crs_name(system)} is not on the datum of the parcels ({crs_name(frame.crs)}).",
                    zh=f"measure_crs {crs_name(system)} 与地块坐标系 {crs_name(frame.crs)} 的大地基准不同。",
                    mend_en="name a plane on the datum of the parcels, e.g. the UTM zone they lie in",
                    mend_zh="写与地块同一大地基准的平面坐标系，如所在的 UTM 带",
                )
            )
        codes[drawn] = code
        return codes
    if not drawn.any():
        return codes
    zones = _zones_of(np.asarray(frame.geometry.values)[drawn], frame.crs)
    inside = np.isfinite(zones) & (zones >= _FIRST_ZONE) & (zones <= _LAST_ZONE)
    if not inside.all():
        names = frame.index[drawn][~inside][:5].astype(str).tolist()
        raise CRSError(
            Fault(
                en=f"parcels lie outside the 3-degree zones of China: {', '.join(names)}.",
                zh=f"地块不在我国三度带范围内：{'、'.join(names)}。",
                mend_en="check the CRS, or name measure_crs in landplan.toml",
                mend_zh="核对坐标系，或在 landplan.toml 中写明 measure_crs",
            )
        )
    codes[drawn] = (_PLAIN + zones - _FIRST_ZONE).astype(int)
    return codes


def _zones_of(shapes: _Array, crs: Any) -> _Array:
    """3-degree zone of the inner point of each shape; NaN or infinite where it lies nowhere."""
    boxes = shapely.bounds(shapes)
    corners = boxes[:, [0, 1, 0, 3, 2, 1, 2, 3]].reshape(-1, 2)
    low, high = np.full(2, np.nan), np.full(2, np.nan)
    if np.isfinite(boxes).all():
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    # A county is first looked at as a whole: most lie in one zone, and no point of any parcel needs to be found.
    whole = _longitudes(
        np.array([(low[0], low[1]), (low[0], high[1]), (high[0], low[1]), (high[0], high[1])]), crs
    )
    common = _common_zone(whole[None, :])
    if np.isfinite(common[0]):
        return np.full(len(shapes), common[0])
    zones = _common_zone(_longitudes(corners, crs).reshape(-1, 4))
    unsure = ~np.isfinite(zones)
    inner = shapely.get_coordinates(shapely.point_on_surface(shapes[unsure]))
    zones[unsure] = np.floor(_longitudes(inner, crs) / 3.0 + 0.5)
    return zones


def _common_zone(longitudes: _Array) -> _Array:
    """The zone all corners of a box lie well within; NaN where they do not."""
    low, high = longitudes.min(axis=1), longitudes.max(axis=1)
    # Meridians are bent in the plane: between its corners a box may bulge, by less than a tenth of its width.
    margin = 0.1 * (high - low) + 1e-9
    first, last = np.floor((low - margin) / 3.0 + 0.5), np.floor((high + margin) / 3.0 + 0.5)
    with np.errstate(invalid="ignore"):
        return np.where(
            np.isfinite(low) & np.isfinite(high) & (first == last) & (high - low < 3), first, np.nan
        )


def _longitudes(points: _Array, crs: Any) -> _Array:
    if crs.is_geographic:
        return points[:, 0]
    # Only points are moved, on their own datum: a bow-tie or a NaN ring must not stop the batch here.
    mover = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    return np.asarray(mover.transform(points[:, 0], points[:, 1])[0])


def in_measuring_zones(frame: GeoDataFrame, epsg: pd.Series[Any]) -> Iterator[tuple[int, GeoDataFrame]]:
    """
    Walk through parcels zone by zone, each part in its own plane.

    Parameters
    ----------
    frame : GeoDataFrame
        Parcels with a CRS.
    epsg : Series
        As ``measuring_epsg`` gives, same index.

    Yields
    ------
    tuple of (int, GeoDataFrame)
        EPSG code and the parcels measured in it, in metres. A frame already in that plane, with or without the
        zone prefix, is handed over untouched: no digit of the survey is lost to a transformation.
    """
    own = frame.crs.to_epsg()
    for code in sorted({int(c) for c in epsg.dropna().unique()}):
        here = (epsg == code).fillna(False).to_numpy(dtype=bool)
        part = frame if here.all() else frame[here]
        same_plane = own is not None and own in (code, code - _PLAIN + _PREFIXED)
        yield code, part if same_plane else transform(part, code)


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
    result = pd.DataFrame(
        {
            "area_m2": pd.Series(np.nan, index=frame.index, dtype="float64"),
            "area_ellipsoid_m2": pd.Series(np.nan, index=frame.index, dtype="float64"),
            "measure_epsg": pd.Series(pd.NA, index=frame.index, dtype="Int64"),
        }
    )
    # Only the land: a hundred columns of facts are not carried from zone to zone.
    measured = frame[[frame.geometry.name]]
    if "is_quarantined" in frame.columns:
        apart = frame["is_quarantined"].fillna(False).to_numpy(dtype=bool)
        measured = measured[~apart] if apart.any() else measured
    codes = measuring_epsg(measured, measure_crs)
    result.loc[measured.index, "measure_epsg"] = codes
    for _, part in in_measuring_zones(measured, codes):
        result.loc[part.index, "area_m2"] = shapely.area(part.geometry.values)
        result.loc[part.index, "area_ellipsoid_m2"] = _ellipsoid_areas(part)
    return result


@dataclass(frozen=True)
class Rings:
    """
    Polygons taken apart into rings of plain numbers.

    Parameters
    ----------
    points : array of float64, k x 2
        Every point, closing points included.
    begins : array of int64, m + 1
        First point of each ring, and one past the last.
    owners : array of int64, m
        Position of the shape each ring belongs to; shells before their holes.
    is_hole : array of bool, m
        Whether a ring is a hole.
    areas : array of float64, m
        Area within each ring; positive where land lies to the left of it as it is drawn.
    """

    points: _Array
    begins: _Array
    owners: _Array
    is_hole: _Array
    areas: _Array


def lay_out_rings(shapes: Any) -> Rings:
    """
    Take polygons apart into rings, making no shape of them.

    Parameters
    ----------
    shapes : array of n polygons or multipolygons
        None missing.

    Returns
    -------
    Rings
        In the order of the shapes.

    Examples
    --------
    >>> shell = shapely.box(0, 0, 3, 3)
    >>> rings = lay_out_rings([shell.difference(shapely.box(1, 1, 2, 2))])
    >>> rings.is_hole.tolist(), abs(rings.areas).tolist()
    ([False, True], [9.0, 1.0])
    """
    parts, owner = shapely.get_parts(shapes, return_index=True)
    points = shapely.get_coordinates(parts)
    holes = shapely.get_num_interior_rings(parts)
    first = np.concatenate([[0], np.cumsum(holes + 1)]).astype(np.int64)
    lengths = np.empty(first[-1], dtype=np.int64)
    # Rings are made into objects only where there are holes; a part without is its own ring.
    plain = holes == 0
    lengths[first[:-1][plain]] = shapely.get_num_coordinates(parts[plain])
    is_holed = np.repeat(~plain, holes + 1)
    lengths[is_holed] = shapely.get_num_coordinates(shapely.get_rings(parts[~plain]))
    is_hole = np.ones(first[-1], dtype=bool)
    is_hole[first[:-1]] = False
    real = lengths > 0  # an empty polygon has a shell of no point
    begins = np.concatenate([[0], np.cumsum(lengths[real])]).astype(np.int64)
    is_hole, owners = is_hole[real], np.repeat(owner, holes + 1)[real]
    # From the first point of each ring: products of coordinates with a zone prefix would lose the centimetres.
    near = points - np.repeat(points[begins[:-1]], lengths[real], axis=0)
    cross = near[:-1, 0] * near[1:, 1] - near[1:, 0] * near[:-1, 1]
    # A nothing closes the last ring as it does every other: of eight numbers numpy adds four pairs, of seven one by one.
    cross = np.append(cross, 0.0)
    cross[begins[1:-1] - 1] = 0.0
    areas = np.add.reduceat(cross, begins[:-1]) / 2 if len(owners) else np.zeros(0)
    return Rings(points, begins, owners.astype(np.int64), is_hole, np.where(is_hole, -areas, areas))


def are_valid(shapes: Any) -> _Array:
    """
    Tell which shapes are valid, on as many processors as there are.

    Parameters
    ----------
    shapes : array of n shapely geometries
        Missing ones are not valid.

    Returns
    -------
    array of bool, n
        As ``shapely.is_valid``.
    """
    values = np.asarray(shapes, dtype=object)
    if len(values) < _SHAPES_AT_ONCE:
        return np.asarray(shapely.is_valid(values))
    with ThreadPoolExecutor() as pool:
        chunks = np.array_split(values, -(-len(values) // _SHAPES_AT_ONCE))
        return np.concatenate(list(pool.map(shapely.is_valid, chunks)))


_SHAPES_AT_ONCE = 20_000
_LONGEST_EDGE_M = 5_000.0  # up to which the formula below is as exact as the coordinates
_AT_ONCE = 500_000  # points in one call of PROJ


def _ellipsoid_areas(part: GeoDataFrame) -> _Array:
    """
    Areas of polygons of geodesics.

    The area between a short geodesic and the equator is that of a trapezoid in longitude and authalic height, and the
    first term of what the geodesic bends away from it; for edges of 5 km the next is below 1e-10 of the whole.
    """
    shapes = np.asarray(part.geometry.values)
    drawn = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    found = np.full(len(shapes), np.nan)
    found[shapely.is_empty(shapes)] = 0.0
    if not drawn.any():
        return found
    geodetic = _two_dimensional(part.crs.geodetic_crs)
    ellipsoid = geodetic.ellipsoid
    rings = lay_out_rings(shapes[drawn])
    degrees = rings.points if part.crs == geodetic else _to_degrees(rings.points, part.crs, geodetic)
    if not np.isfinite(degrees).all():
        raise _infinite(crs_name(part.crs), crs_name(geodetic), "")
    lon, lat = np.radians(degrees[:, 0]), np.radians(degrees[:, 1])
    radius, flat = (
        ellipsoid.semi_major_metre,
        1.0 / ellipsoid.inverse_flattening if ellipsoid.inverse_flattening else 0.0,
    )
    square = flat * (2.0 - flat)
    height = _authalic(np.sin(lat), radius, square)
    # Longitudes and heights from the first point of each ring, so that small parcels keep their digits.
    lengths = np.diff(rings.begins)
    height -= np.repeat(height[rings.begins[:-1]], lengths)
    east, north = np.diff(lon), np.diff(lat)
    sine = np.sin((lat[1:] + lat[:-1]) / 2)
    curve = 1.0 - square * sine * sine
    meridian, parallel = (
        radius * (1 - square) / curve**1.5,
        radius / np.sqrt(curve) * np.sqrt(1 - sine * sine),
    )
    bend = sine / 12.0 * (3.0 * (meridian * north) ** 2 + (parallel * east) ** 2)
    area = np.append(east * ((height[1:] + height[:-1]) / 2 + bend), 0.0)  # as in lay_out_rings
    long = np.hypot(meridian * north, parallel * east) > _LONGEST_EDGE_M
    area[rings.begins[1:-1] - 1] = 0.0
    long[rings.begins[1:-1] - 1] = False
    by_ring = np.abs(np.add.reduceat(area, rings.begins[:-1]))
    signed = np.where(rings.is_hole, -by_ring, by_ring)
    position = np.flatnonzero(drawn)
    found[drawn] = np.bincount(rings.owners, weights=signed, minlength=len(position))
    if long.any():
        ring = np.searchsorted(rings.begins, np.flatnonzero(long), side="right") - 1
        geod = pyproj.Geod(a=radius, rf=ellipsoid.inverse_flattening)
        for at in position[np.unique(rings.owners[ring])]:
            one = to_lonlat(part.iloc[[at]]).geometry.values
            polygon = shapely.orient_polygons(shapely.force_2d(one))[0]
            found[at] = abs(geod.geometry_area_perimeter(polygon)[0])
    return found


def _authalic(sine: _Array, radius: float, square: float) -> _Array:
    """Area between the equator and a latitude, by radian of longitude."""
    if square == 0.0:
        return radius * radius * sine
    root = np.sqrt(square)
    arc = sine / (1 - square * sine * sine) + np.arctanh(root * sine) / root
    return np.asarray(radius * radius * (1 - square) / 2 * arc)


def _to_degrees(points: _Array, crs: Any, geodetic: Any) -> _Array:
    """Longitude and latitude of points, on as many processors as there are."""

    def work(chunk: _Array) -> _Array:
        # A transformer of its own for each: one is not to be used by two threads at once.
        mover = pyproj.Transformer.from_crs(crs, geodetic, always_xy=True)
        return np.column_stack(mover.transform(chunk[:, 0], chunk[:, 1]))

    chunks = np.array_split(points, max(1, -(-len(points) // _AT_ONCE)))
    if len(chunks) == 1:
        return work(points)
    with ThreadPoolExecutor() as pool:
        return np.concatenate(list(pool.map(work, chunks)))


def _two_dimensional(crs: Any) -> Any:
    # A three-dimensional or compound base would carry heights along; a map needs the plane.
    return crs.to_2d() if len(crs.axis_info) > 2 else crs
