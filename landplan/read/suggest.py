"""What coordinates that do not fit their system surely are: another zone, degrees, or swapped numbers."""

from __future__ import annotations

import pyproj

__all__ = ["suggest_place"]

_ZONE = 1_000_000
# EPSG codes of CGCS2000 Gauss-Kruger zones: with the zone in the easting, and by central meridian without it.
_THREE, _THREE_PLAIN = 4513 - 25, 4534 - 25
_SIX, _SIX_PLAIN = 4491 - 13, 4502 - 13
_HALF_WIDTH = {3: 350_000, 6: 500_000}
_MARGIN_DEG = 3.0


def suggest_place(code: str, crs: pyproj.CRS | None, x: float, y: float) -> str:
    """
    Name the system that fits, or the coordinates the right way round.

    Parameters
    ----------
    code : str
        ``CRS.ZONE``, ``CRS.AXIS_SWAP`` or ``CRS.UNITS``.
    crs : pyproj.CRS or None
        What was declared.
    x, y : float
        First and second number of a coordinate, as easting and northing.

    Returns
    -------
    str
        E.g. ``EPSG:4526``; empty where the datum is not CGCS2000, or more than one system fits.

    Examples
    --------
    >>> declared = pyproj.CRS.from_epsg(4525)
    >>> suggest_place("CRS.ZONE", declared, 38_500_050.0, 4_170_050.0)
    'EPSG:4526'
    >>> suggest_place("CRS.AXIS_SWAP", declared, 4_170_050.0, 37_500_050.0)
    'X=37500050 Y=4170050'
    """
    if code == "CRS.AXIS_SWAP":
        return f"X={y:.10g} Y={x:.10g}"
    if crs is not None and not _is_cgcs2000(crs):
        return ""
    if code == "CRS.UNITS" and crs is not None and abs(x) <= 180 and abs(y) <= 90:
        area, geodetic = crs.area_of_use, crs.geodetic_crs
        # A plane that says where it may be used tells degrees of that place from two small numbers.
        is_there = area is not None and (
            area.west - _MARGIN_DEG <= x <= area.east + _MARGIN_DEG
            and area.south - _MARGIN_DEG <= y <= area.north + _MARGIN_DEG
        )
        known = geodetic.to_epsg() if geodetic is not None and is_there else None
        return f"EPSG:{known}" if known else ""
    if code not in ("CRS.ZONE", "CRS.UNITS") or not 1_500_000 < y < 6_500_000:
        return ""
    prefix = int(x // _ZONE)
    off = abs(x - prefix * _ZONE - 500_000)
    if 25 <= prefix <= 45 and off < _HALF_WIDTH[3]:
        return f"EPSG:{_THREE + prefix}"
    if 13 <= prefix <= 23 and off < _HALF_WIDTH[6]:
        return f"EPSG:{_SIX + prefix}"
    # Coordinates without the prefix in a system with it: the zone was named, the easting is its own.
    declared = _prefix_of(crs) if crs is not None and prefix == 0 else 0
    if 25 <= declared <= 45 and off < _HALF_WIDTH[3]:
        return f"EPSG:{_THREE_PLAIN + declared}"
    if 13 <= declared <= 23 and off < _HALF_WIDTH[6]:
        return f"EPSG:{_SIX_PLAIN + declared}"
    return ""


def _is_cgcs2000(crs: pyproj.CRS) -> bool:
    geodetic = crs.geodetic_crs
    if geodetic is None or geodetic.datum is None:
        return False
    return "china_2000" in geodetic.datum.name.lower().replace(" ", "_")


def _prefix_of(crs: pyproj.CRS) -> int:
    operation = crs.coordinate_operation
    easting = (
        {p.name: float(p.value) for p in operation.params}.get("False easting", 0.0) if operation else 0.0
    )
    return int(easting // _ZONE)
