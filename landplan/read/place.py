"""Where coordinates lie: a declaration is held against the numbers; nothing is guessed but a zone prefix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import shapely
from pyproj.enums import WktVersion
from pyproj.exceptions import CRSError as ProjCRSError
from pyproj.exceptions import ProjError

from landplan.crs import as_crs, crs_name
from landplan.issues import Issue
from landplan.read.suggest import suggest_place

__all__ = ["FARTHEST", "Placement", "decide_crs"]

FARTHEST = 1e12
"""Coordinates from here on are damage and not a place, in whatever unit."""

_FIRST_ZONE, _LAST_ZONE = 25, 45  # 3-degree zones of China, 75E to 135E
_PREFIXED = 4513  # EPSG code of zone 25 with the prefix in the easting
_ZONE = 1_000_000
_HALF_WIDTH = 350_000  # half of a 3-degree zone at 18N is 159 km; cities are drawn in one zone past its edge
_MARGIN_DEG = 3.0
_NEAR_DEG, _NEAR_M = 5.0, 100_000.0
_OLD_DATUMS = (
    "beijing 1954",
    "beijing_1954",
    "xian 1980",
    "xian_1980",
    "beijing54",
    "xian80",
    "krasovsky_1940",
)
_ENOUGH_LIKE = 70  # pyproj: the same in all but names


@dataclass(frozen=True)
class Placement:
    """
    Where a source lies.

    Parameters
    ----------
    crs : pyproj.CRS or None
        The CRS; None where the source cannot be placed and is to be rejected.
    how : str
        ``declared``, ``option``, ``profile``, ``content`` (zone prefix), or ``format`` (GeoJSON is WGS 84).
    issues : tuple of Issue
        Why it was doubted or refused.
    """

    crs: pyproj.CRS | None
    how: str
    issues: tuple[Issue, ...] = ()


def decide_crs(
    geometries: Any,
    declared: Any,
    *,
    is_by_format: bool = False,
    option: str | None = None,
    how: str = "option",
    source: str = "",
    layer: str = "",
    rows: Sequence[int] = (),
) -> Placement:
    """
    Decide the CRS of a source and hold its numbers against it.

    Parameters
    ----------
    geometries : array of shapely geometries, n
        First number east or longitude, second north or latitude.
    declared : object
        What the file says: WKT, code, PROJJSON, or None.
    is_by_format : bool, default False
        Whether that is the default of the format and not a word of the file.
    option : str, optional
        What the user says; it wins, but is held against the numbers too.
    how : str, default "option"
        Where the user says it: what a ``profile`` says counts only where the file says nothing.
    source, layer : str, default ""
        For issues.
    rows : sequence of int, n items
        Record numbers, for issues.

    Returns
    -------
    Placement
        Without a CRS where the numbers contradict it, where there is none, or where its datum needs
        parameters.

    Raises
    ------
    CRSError
        If the option is not a CRS.

    Examples
    --------
    >>> square = [shapely.box(38500000, 4170000, 38500100, 4170100)]
    >>> placed = decide_crs(square, None)
    >>> placed.crs.to_epsg(), placed.how, placed.issues[0].code
    (4526, 'content', 'CRS.ZONE_FROM_PREFIX')
    >>> decide_crs([shapely.box(500000, 4170000, 500100, 4170100)], None).issues[0].code
    'CRS.MISSING'
    """

    def issue(code: str, value: object = "", row: int | None = None, suggestion: str = "") -> Issue:
        return Issue(code, source=source, layer=layer, row=row, value=value, suggestion=suggestion)

    notes: list[Issue] = []
    crs = _understood(declared)
    if option and how == "profile" and crs is not None and not is_by_format:
        # A profile speaks for a provider, the file for itself.
        option = None
    if option:
        crs = as_crs(option)
    told = how if option else ("format" if is_by_format else "declared")
    if option:
        notes.append(issue("CRS.DECLARED", crs_name(crs)))
    centres = _centres(geometries)
    drawn = np.isfinite(centres).all(axis=1)
    zone = _prefix(centres[drawn])
    is_silent = crs is None or (is_by_format and not option and _is_plane(centres[drawn]))
    if is_silent and drawn.any():
        if zone:
            crs = as_crs(_PREFIXED + zone - _FIRST_ZONE)
            return Placement(crs, "content", (issue("CRS.ZONE_FROM_PREFIX", crs_name(crs)),))
        if _prefix(centres[drawn][:, ::-1]):
            swapped = suggest_place("CRS.AXIS_SWAP", None, *np.median(centres[drawn], axis=0).tolist())
            return Placement(None, "", (issue("CRS.AXIS_SWAP", _show(centres[drawn]), suggestion=swapped),))
    if crs is None:
        return Placement(None, "", (issue("CRS.MISSING"),))
    crs = _normal(crs)
    if old := _old_datum(crs):
        return Placement(None, told, (*notes, issue("CRS.DATUM", old)))
    if not drawn.any():
        return Placement(crs, told, tuple(notes))
    middle = np.median(centres[drawn], axis=0)
    if fault := _misfit(crs, float(middle[0]), float(middle[1])):
        meant = suggest_place(fault, crs, float(middle[0]), float(middle[1]))
        seen = f"{crs_name(crs)}，{_show(centres[drawn])}"
        return Placement(None, told, (*notes, issue(fault, seen, suggestion=meant)))
    # One parcel of another zone among good ones costs that parcel only; near ones need no second look.
    near = _NEAR_DEG if crs.is_geographic else _NEAR_M
    far = drawn & (np.abs(centres - middle) > near).any(axis=1)
    if crs.is_geographic:
        bounds = shapely.bounds(np.asarray(geometries, dtype=object))
        off = drawn & (np.abs(bounds) > np.array([180, 90, 180, 90]) + 1e-9).any(axis=1)
        for k in np.flatnonzero(off & ~far).tolist():
            value = f"{crs_name(crs)}，{bounds[k].round(6).tolist()}"
            notes.append(issue("CRS.UNITS", value, rows[k] if len(rows) else k + 1))
    for k in np.flatnonzero(far).tolist():
        if fault := _misfit(crs, float(centres[k, 0]), float(centres[k, 1])):
            value = f"{crs_name(crs)}，{_show(centres[k : k + 1])}"
            meant = suggest_place(fault, crs, float(centres[k, 0]), float(centres[k, 1]))
            notes.append(issue(fault, value, rows[k] if len(rows) else k + 1, meant))
    return Placement(crs, told, tuple(notes))


def _understood(declared: Any) -> pyproj.CRS | None:
    """The declared CRS; None for none, for garbage and for "engineering" planes that lie nowhere."""
    if declared is None or declared == "":
        return None
    try:
        crs = pyproj.CRS.from_user_input(declared)
    except (ProjCRSError, TypeError, ValueError):
        return None
    return crs if crs.is_geographic or crs.is_projected or crs.is_compound or crs.is_bound else None


def _normal(crs: pyproj.CRS) -> pyproj.CRS:
    """The registered CRS that a .prj without a code describes, where there is exactly such a one."""
    if crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    if len(crs.axis_info) > 2:
        crs = crs.to_2d()
    if crs.to_authority() == ("OGC", "CRS84"):
        # The same earth with the axes the other way on paper; here the first number is east in any case.
        return pyproj.CRS.from_epsg(4326)
    if (code := crs.to_epsg(min_confidence=100)) is not None:
        # From the registry and not from the text: only there is written where it may be used.
        return pyproj.CRS.from_epsg(code)
    code = crs.to_epsg(min_confidence=_ENOUGH_LIKE)
    if code is None:
        return crs
    known = pyproj.CRS.from_epsg(code)
    # pyproj calls systems alike that differ in origin, and gives an unknown datum to any with its ellipsoid.
    a, b = crs.datum, known.datum
    is_same = a is not None and b is not None and a.name == b.name and _same_plane(crs, known)
    return known if is_same else crs


def _same_plane(a: pyproj.CRS, b: pyproj.CRS) -> bool:
    if a.is_geographic or b.is_geographic:
        return bool(a.is_geographic and b.is_geographic)
    first, second = _parameters(a), _parameters(b)
    return first.keys() == second.keys() and all(abs(first[k] - second[k]) < 1e-6 for k in first)


def _parameters(crs: pyproj.CRS) -> dict[str, float]:
    operation = crs.coordinate_operation
    return {p.name: float(p.value) for p in operation.params} if operation is not None else {}


def _old_datum(crs: pyproj.CRS) -> str:
    """Name of a datum that is dozens of metres from CGCS2000; empty for others."""
    geodetic = crs.geodetic_crs
    names = [
        crs.name,
        geodetic.name if geodetic else "",
        geodetic.datum.name if geodetic and geodetic.datum else "",
    ]
    text = " ".join(names).lower()
    return crs_name(crs) + f"（{names[2] or names[0]}）" if any(old in text for old in _OLD_DATUMS) else ""


def _centres(geometries: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    bounds = shapely.bounds(np.asarray(geometries, dtype=object))
    if not len(bounds):
        return np.empty((0, 2))
    with np.errstate(invalid="ignore", over="ignore"):
        bounds[~(np.abs(bounds) < FARTHEST).all(axis=1)] = np.nan
        return np.column_stack([(bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2])


def _prefix(centres: np.ndarray[Any, np.dtype[np.float64]]) -> int:
    """The zone all eastings carry in front; 0 where they do not, or not the same one."""
    if not len(centres):
        return 0
    zones = centres[:, 0] // _ZONE
    zone = int(zones[0])
    off = np.abs(centres[:, 0] - zone * _ZONE - 500_000)
    is_northing = (centres[:, 1] > 1_500_000) & (centres[:, 1] < 6_500_000)
    good = (zones == zone).all() and _FIRST_ZONE <= zone <= _LAST_ZONE and (off < _HALF_WIDTH).all()
    return zone if good and is_northing.all() else 0


def _is_plane(centres: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    return bool(len(centres)) and bool((np.abs(np.median(centres, axis=0)) > 400).any())


def _show(centres: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    x, y = np.median(centres, axis=0)
    return f"X={x:.10g} Y={y:.10g}"


def _misfit(crs: pyproj.CRS, x: float, y: float) -> str:
    """The code of what is wrong between a CRS and a pair of numbers; empty where they fit."""
    if crs.is_geographic:
        return _misfit_degrees(crs, x, y)
    if abs(x) <= 180 and abs(y) <= 90:
        return "CRS.UNITS"
    if _looks_gauss(crs):
        easting = _parameters(crs).get("False easting", 0.0)
        if easting >= _ZONE:
            wanted = int(easting // _ZONE)
            if int(x // _ZONE) == wanted:
                return "" if abs(x - easting) < 2 * _HALF_WIDTH and _is_north(y) else "CRS.ZONE"
            if int(y // _ZONE) == wanted and _is_north(x):
                return "CRS.AXIS_SWAP"
            if int(x // _ZONE) in range(13, _LAST_ZONE + 1) or (0 < x < _ZONE and _is_north(y)):
                return "CRS.ZONE"
        else:
            if int(x // _ZONE) in range(13, _LAST_ZONE + 1) and _is_north(y):
                return "CRS.ZONE"
            if int(y // _ZONE) in range(13, _LAST_ZONE + 1) and _is_north(x):
                return "CRS.ZONE"
    if _lies_in(crs, x, y):
        return ""
    if _lies_in(crs, y, x):
        return "CRS.AXIS_SWAP"
    if any(_lies_in(crs, x * factor, y * factor) for factor in (1000.0, 0.001)):
        return "CRS.UNITS"
    return "CRS.ZONE"


def _misfit_degrees(crs: pyproj.CRS, x: float, y: float) -> str:
    if abs(x) <= 180 and abs(y) <= 90:
        area = crs.area_of_use
        is_swapped = area is not None and not _in_box(area, x, y) and abs(x) <= 90 and _in_box(area, y, x)
        return "CRS.AXIS_SWAP" if is_swapped else ""
    if abs(x) <= 90 and abs(y) <= 180:
        return "CRS.AXIS_SWAP"
    return "CRS.UNITS"


def _looks_gauss(crs: pyproj.CRS) -> bool:
    """Whether a CRS is a Gauss-Kruger zone of China: there the zone prefix is lost and doubled."""
    operation, names = crs.coordinate_operation, _parameters(crs)
    if operation is None or operation.method_name != "Transverse Mercator":
        return False
    easting, scale = names.get("False easting", 0.0), names.get("Scale factor at natural origin", 1.0)
    return scale == 1.0 and easting % _ZONE == 500_000 and names.get("False northing", 0.0) == 0.0


def _is_north(y: float) -> bool:
    return 1_500_000 < y < 6_500_000


def _in_box(area: Any, lon: float, lat: float) -> bool:
    if area.west > area.east:
        return bool(area.south - _MARGIN_DEG <= lat <= area.north + _MARGIN_DEG)
    return bool(
        area.west - _MARGIN_DEG <= lon <= area.east + _MARGIN_DEG
        and area.south - _MARGIN_DEG <= lat <= area.north + _MARGIN_DEG
    )


def _lies_in(crs: pyproj.CRS, x: float, y: float) -> bool:
    """Whether a place lies in the area a CRS is meant for; without such an area, on the earth."""
    if crs.geodetic_crs is None:
        return True
    try:
        lon, lat = _to_degrees(crs).transform(x, y)
    except ProjError:
        # A text may describe a plane that nothing leads to.
        return False
    if not (np.isfinite(lon) and np.isfinite(lat)):
        return False
    area = crs.area_of_use
    return _in_box(area, lon, lat) if area is not None else abs(lat) <= 90


_MOVERS: dict[str, pyproj.Transformer] = {}


def _to_degrees(crs: pyproj.CRS) -> pyproj.Transformer:
    key = crs.to_wkt(WktVersion.WKT2_2019)
    if key not in _MOVERS:
        _MOVERS[key] = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    return _MOVERS[key]
