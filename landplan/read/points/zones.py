"""Where a plot lies: the zone its eastings carry, the zone the description names, and which number is the northing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import median_low

import pyproj

from landplan.crs import as_crs
from landplan.read.points.grammar import Block, Plot, Point

__all__ = ["Said", "Sight", "find_sight", "plane_of", "read_description", "zone_of_plane"]

# First zone, last zone, and EPSG codes of the first with the prefix in the easting and without (EPSG v11).
_WIDTHS = {3: (25, 45, 4513, 4534), 6: (13, 23, 4491, 4502)}
_ZONE = 1_000_000.0
_HALF_WIDTH = 350_000.0  # half of a 6-degree zone at 18N is 318 km
_FAR_M = 300_000.0  # a lost digit moves a point by thousands of kilometres, a long road by tens
_CGCS = re.compile(r"2000|cgcs|epsg:?4(49|5[0-5])\d", re.I)
_OLD = re.compile(r"80|54|西安|北京|xi'?an|beijing", re.I)
_GAUSS = re.compile(r"高斯|gauss|gk|横轴墨卡托|transverse", re.I)
_METRE = {"米", "m", "metre", "meter", "公尺"}
_HAN_WIDTHS = {"三": "3", "六": "6"}


@dataclass(frozen=True)
class Said:
    """
    What a description says of the place, as far as it can be used.

    Parameters
    ----------
    zone : int or None
        The zone it names; None where it names none that exists.
    width : int or None
        Degrees of a zone, 3 or 6.
    datum, projection : str
        What it says where that cannot be taken for CGCS2000, or for a Gauss-Kruger plane in metres; else empty.
    missing : tuple of str
        Items that say nothing; 带号 is not among them, because a prefix may stand for it.
    parameters : str
        Transformation parameters other than zero.
    """

    zone: int | None
    width: int | None
    datum: str = ""
    projection: str = ""
    missing: tuple[str, ...] = ()
    parameters: str = ""


@dataclass(frozen=True)
class Sight:
    """
    What the numbers of a plot say of its place.

    Parameters
    ----------
    zone : int
        Prefix of the eastings; 0 where they carry none.
    is_swapped, is_degrees : bool
        Whether X holds the easting; whether the numbers are degrees.
    is_placed : bool
        Whether northing and easting lie where a Gauss-Kruger zone of China has them.
    strays : tuple of Point
        Points that lie elsewhere than the plot: a digit was lost, or the prefix.
    """

    zone: int
    is_swapped: bool
    is_degrees: bool
    is_placed: bool
    strays: tuple[Point, ...] = ()


def read_description(block: Block) -> Said:
    """
    Read what a description says of datum, projection and zone.

    Parameters
    ----------
    block : Block
        Its items.

    Returns
    -------
    Said
        Nothing is assumed here; what is missing is named.
    """
    missing = tuple(key for key in ("坐标系", "几度分带", "计量单位") if not block.value(key))
    datum, odd = block.value("坐标系"), []
    projection, unit = block.value("投影类型"), block.value("计量单位")
    if projection and not _GAUSS.search(projection):
        odd.append(f"投影类型={projection}")
    if unit and unit.lower() not in _METRE:
        odd.append(f"计量单位={unit}")
    width_text = block.value("几度分带")
    width = _number(_HAN_WIDTHS.get(width_text[:1], width_text), r"([36])(?:\.0)?\s*(?:度|°|$)")
    if width_text and width is None:
        odd.append(f"几度分带={width_text}")
    zone = _number(block.value("带号"), r"第?([0-9]{2})(?:\.0)?\s*(?:带|$)")
    if zone is not None and not any(first <= zone <= last for first, last, *_ in _WIDTHS.values()):
        zone = None
    # WGS 84 in the same plane differs by less than a metre; 西安80 and 北京54 by 50 to 100 m, a local plane by anything.
    is_modern = bool(_CGCS.search(datum) and not re.search("西安|北京", datum)) or "WGS" in datum.upper()
    parameters = block.value("转换参数")
    is_used = re.search(r"[1-9]", parameters) is not None
    return Said(
        zone, width, "" if is_modern else datum, "，".join(odd), missing, parameters if is_used else ""
    )


def find_sight(plot: Plot) -> Sight:
    """
    Tell from its numbers where a plot lies.

    Parameters
    ----------
    plot : Plot
        With at least one point.

    Returns
    -------
    Sight
        By the middle of the points, so that one bad point is a stray and not the measure of the others.
    """
    x, y = median_low(p.x for p in plot.points), median_low(p.y for p in plot.points)
    if _prefix(y) and not _prefix(x):
        is_swapped = False
    elif _prefix(x) and not _prefix(y):
        is_swapped = True
    else:
        is_swapped = _is_north(y) and not _is_north(x)
    north, east = (y, x) if is_swapped else (x, y)
    zone = _prefix(east)
    is_degrees = any(17 <= a <= 55 and 72 <= b <= 137 for a, b in ((x, y), (y, x)))
    off = abs(east - zone * _ZONE - 500_000)
    strays = []
    for point in plot.points:
        n, e = (point.y, point.x) if is_swapped else (point.x, point.y)
        if _prefix(e) != zone or abs(n - north) > _FAR_M or abs(e - east) > _FAR_M:
            strays.append(point)
    return Sight(zone, is_swapped, is_degrees, _is_north(north) and off < _HALF_WIDTH, tuple(strays))


def plane_of(zone: int, has_prefix: bool) -> pyproj.CRS:
    """
    Give the CGCS2000 plane of a zone.

    Parameters
    ----------
    zone : int
        13 to 23 (6 degrees) or 25 to 45 (3 degrees): the number alone tells the width.
    has_prefix : bool
        Whether eastings carry it.

    Returns
    -------
    pyproj.CRS
        EPSG 4491 to 4554.

    Examples
    --------
    >>> plane_of(38, True).to_epsg(), plane_of(38, False).to_epsg(), plane_of(19, True).to_epsg()
    (4526, 4547, 4497)
    """
    first, _, prefixed, plain = next(w for w in _WIDTHS.values() if w[0] <= zone <= w[1])
    return as_crs((prefixed if has_prefix else plain) + zone - first)


def zone_of_plane(epsg: int | None) -> tuple[int, bool] | None:
    """
    Give the zone of a CGCS2000 plane.

    Parameters
    ----------
    epsg : int or None
        Its code.

    Returns
    -------
    tuple of (int, bool) or None
        Zone, and whether eastings carry it; None for any other system.

    Examples
    --------
    >>> zone_of_plane(4526), zone_of_plane(4547), zone_of_plane(4490)
    ((38, True), (38, False), None)
    """
    for first, last, prefixed, plain in _WIDTHS.values():
        for start, has_prefix in ((prefixed, True), (plain, False)):
            if epsg is not None and start <= epsg <= start + last - first:
                return epsg - start + first, has_prefix
    return None


def _prefix(value: float) -> int:
    zone = int(value // _ZONE)
    return zone if any(first <= zone <= last for first, last, *_ in _WIDTHS.values()) else 0


def _is_north(value: float) -> bool:
    return 1_500_000 < value < 6_500_000


def _number(text: str, pattern: str) -> int | None:
    found = re.match(pattern, text)
    return int(found.group(1)) if found else None
