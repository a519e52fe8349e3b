"""Coordinate systems: read, named, compared, and frames brought from one to another without guessing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
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
    "infinite",
    "is_true_to_area",
    "same_datum",
    "to_lonlat",
    "transform",
    "transform_box",
    "two_dimensional",
    "working_crs",
]

# Realisations of one earth: they differ by less than a metre, which is what a map needs and less than a transformation
# without parameters pretends to. Beijing 54 and Xian 80 are 50 to 100 m away and are not among them.
_MODERN = (
    "china 2000", "world geodetic system 1984", "wgs 84", "wgs_1984", "wgs84", "cgcs2000", "cgcs_2000", "taiwan datum 1997",
    "geocentric datum of korea", "korean geodetic datum 2002", "korea 2000", "d_china_2000", "china_2000",
    "international terrestrial reference frame", "itrf", "european terrestrial reference system 1989",
)  # fmt: skip


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
        raise infinite(crs_name(frame.crs), crs_name(target), at)
    return moved


def infinite(source: str, target: str, at: str) -> CRSError:
    """
    Say that coordinates were lost on the way.

    Parameters
    ----------
    source, target : str
        Names of the systems.
    at : str
        What was brought over.

    Returns
    -------
    CRSError
        To be raised.
    """
    return CRSError(
        Fault(
            en=f"coordinates are not finite after {source} -> {target}.",
            zh=f"坐标从 {source} 转换到 {target} 后出现无穷值。",
            at=at,
            mend_en="check zone prefix and central meridian",
            mend_zh="核对带号与中央子午线",
        )
    )


_MARGIN_M = 1.0  # a box brought into another plane is no box: it is taken a little wider
_ALONG = 21  # points along a side of it that are brought over


def transform_box(
    box: tuple[float, float, float, float], crs: pyproj.CRS, target: pyproj.CRS
) -> tuple[float, float, float, float]:
    """
    Bring a box over, with all that lies in it.

    Parameters
    ----------
    box : tuple of float
        West, south, east, north in a plane in metres.
    crs, target : pyproj.CRS
        The plane, and where to.

    Returns
    -------
    tuple of float
        West, south, east, north of what holds the box and a metre around it.
    """
    west, south, east, north = box
    west, south, east, north = west - _MARGIN_M, south - _MARGIN_M, east + _MARGIN_M, north + _MARGIN_M
    if crs == target:
        return west, south, east, north
    mover = pyproj.Transformer.from_crs(crs, target, always_xy=True)
    return mover.transform_bounds(west, south, east, north, densify_pts=_ALONG)


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
    return transform(frame, two_dimensional(frame.crs.geodetic_crs))


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


def two_dimensional(crs: Any) -> Any:
    """
    Leave the heights of a system out.

    Parameters
    ----------
    crs : pyproj.CRS
        Any system.

    Returns
    -------
    pyproj.CRS
        Its plane.
    """
    # A three-dimensional or compound base would carry heights along; a map needs the plane.
    return crs.to_2d() if len(crs.axis_info) > 2 else crs
