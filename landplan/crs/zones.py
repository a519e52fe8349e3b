"""The CGCS2000 3-degree zone each parcel is measured in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyproj
import shapely

from landplan.crs.systems import as_crs, crs_name, is_true_to_area, same_datum, transform
from landplan.errors import CRSError, Fault

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["in_measuring_zones", "measuring_epsg"]

_Array = np.ndarray[Any, Any]

_PLAIN, _PREFIXED = 4534, 4513  # EPSG codes of zone 25 without and with the zone prefix in the easting
_FIRST_ZONE, _LAST_ZONE = 25, 45


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
    # A corner that lies nowhere on the earth is infinite.
    with np.errstate(invalid="ignore"):
        margin = 0.1 * (high - low) + 1e-9
        first, last = np.floor((low - margin) / 3.0 + 0.5), np.floor((high + margin) / 3.0 + 0.5)
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
