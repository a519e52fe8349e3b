"""
Where parcels lie: the measuring zone of each, areas, and transformations that never guess.

Every parcel is measured in its own CGCS2000 3-degree Gauss-Kruger zone: 晋中 straddles 112.5E, and a parcel of six hectares
measured in its neighbour's zone is dozens of square metres off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    "as_crs",
    "crs_name",
    "in_measuring_zones",
    "is_true_to_area",
    "measure_areas",
    "measuring_epsg",
    "same_datum",
    "to_lonlat",
    "transform",
    "working_crs",
]

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
        raise CRSError(
            Fault(
                en=f"coordinates are not finite after {crs_name(frame.crs)} -> {crs_name(target)}.",
                zh=f"坐标从 {crs_name(frame.crs)} 转换到 {crs_name(target)} 后出现无穷值。",
                at=at,
                mend_en="check zone prefix and central meridian",
                mend_zh="核对带号与中央子午线",
            )
        )
    return moved


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
    geodetic = frame.crs.geodetic_crs
    # A three-dimensional or compound base would carry heights along; a map needs the plane.
    return transform(frame, geodetic.to_2d() if len(geodetic.axis_info) > 2 else geodetic)


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
    points = shapely.get_coordinates(shapely.point_on_surface(frame.geometry.values[drawn]))
    if not frame.crs.is_geographic:
        # Only the inner point is moved, on its own datum: a bow-tie or a NaN ring must not stop the batch here.
        mover = pyproj.Transformer.from_crs(frame.crs, frame.crs.geodetic_crs, always_xy=True)
        points = np.column_stack(mover.transform(points[:, 0], points[:, 1]))
    zones = np.floor(points[:, 0] / 3.0 + 0.5)
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
        part = frame[(epsg == code).fillna(False).to_numpy(dtype=bool)]
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
    measured = frame
    if "is_quarantined" in frame.columns:
        measured = frame[~frame["is_quarantined"].fillna(False).to_numpy(dtype=bool)]
    codes = measuring_epsg(measured, measure_crs)
    result.loc[measured.index, "measure_epsg"] = codes
    for _, part in in_measuring_zones(measured, codes):
        result.loc[part.index, "area_m2"] = shapely.area(part.geometry.values)
        result.loc[part.index, "area_ellipsoid_m2"] = _ellipsoid_areas(part)
    return result


def _ellipsoid_areas(part: GeoDataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    degrees = to_lonlat(part)
    ellipsoid = degrees.crs.ellipsoid
    geod = pyproj.Geod(a=ellipsoid.semi_major_metre, rf=ellipsoid.inverse_flattening)
    oriented = shapely.orient_polygons(shapely.force_2d(degrees.geometry.values))
    return np.array([abs(geod.geometry_area_perimeter(polygon)[0]) for polygon in oriented], dtype=np.float64)
