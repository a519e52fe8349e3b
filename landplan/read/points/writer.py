"""Parcels to the 界址点坐标交换格式, in the edition an office asks for; nothing counts before it is read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyproj
import shapely

from landplan.crs import to_lonlat, transform
from landplan.errors import Fault, StoreError, UsageError
from landplan.issues import clean_text
from landplan.publish import publish
from landplan.read.points.grammar import GRAPHICS
from landplan.read.points.reader import read_points
from landplan.read.points.rings import moved_east
from landplan.read.points.zones import plane_of, zone_of_plane
from landplan.units import convert

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["EDITIONS", "Edition", "find_edition", "write_points"]

_ZONE = 1_000_000.0
_CELLS = ("parcel_name", "map_sheet", "land_use", "land_use_code")
_MOST_DECIMALS = 6  # a double holds 38500000 to some 1e-9 m
_SHOWN = 5


@dataclass(frozen=True)
class Edition:
    """
    How an office wants the file.

    Parameters
    ----------
    columns : int, default 9
        Columns of the line of a plot, ``@`` included: 8 to 14, or 0 for coordinates only.
    has_prefix : bool, default True
        Whether eastings carry the zone (添加大数 / 移除大数).
    decimals : int, default 3
        Digits behind the point of a coordinate, 0 to 6.
    encoding : str, default "gb18030"
        E.g. ``gbk``, ``utf-8``, ``utf-8-sig``.
    is_closed : bool, default True
        Whether the first point is repeated at the end of a ring.
    point_prefix : str, default "J"
        What stands before the number of a point; may be empty.
    is_restarting : bool, default True
        Whether the points of each ring begin at 1, or go on through the plot.
    newline : str, default "\\r\\n"
        End of a line.
    area_unit : {"公顷", "m2"}, default "公顷"
        Unit of the declared area.
    zone_width : {3, 6}, default 3
        Degrees of a zone.
    """

    columns: int = 9
    has_prefix: bool = True
    decimals: int = 3
    encoding: str = "gb18030"
    is_closed: bool = True
    point_prefix: str = "J"
    is_restarting: bool = True
    newline: str = "\r\n"
    area_unit: str = "公顷"
    zone_width: int = 3


EDITIONS: dict[str, Edition] = {
    "standard": Edition(),
    "short": Edition(columns=8),
    "long": Edition(columns=14),
    "plain": Edition(has_prefix=False),
    "utf8": Edition(encoding="utf-8", newline="\n"),
    "open": Edition(is_closed=False, point_prefix="", is_restarting=False),
    "points": Edition(columns=0),
}
"""Editions met in the field, by name; others are made with ``dataclasses.replace``."""


def find_edition(name: str, **changes: Any) -> Edition:
    """
    Give an edition by its name, changed where an office differs.

    Parameters
    ----------
    name : str
        A name of ``EDITIONS``.
    **changes : object
        Fields of :class:`Edition`; None changes nothing.

    Returns
    -------
    Edition
        The edition; whether its fields can be written is told by :func:`write_points`.

    Raises
    ------
    UsageError
        If there is none of that name.

    Examples
    --------
    >>> find_edition("plain", decimals=4, encoding=None).decimals
    4
    """
    if name not in EDITIONS:
        known = ", ".join(EDITIONS)
        raise UsageError(
            Fault(
                f"there is no edition {name!r}.",
                f"没有名为“{name}”的版式。",
                mend_en=f"use {known}",
                mend_zh=f"可用 {known}",
            )
        )
    return replace(EDITIONS[name], **{key: value for key, value in changes.items() if value is not None})


def write_points(
    parcels: GeoDataFrame,
    path: Path,
    edition: Edition | None = None,
    *,
    made_by: str = "",
    made_on: date | None = None,
) -> Path:
    """
    Write parcels as a file of boundary points.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        Valid polygons with a CRS; ``parcel_name``, ``map_sheet``, ``land_use`` and ``land_use_code`` are
        written where they are there. Parcels already in a CGCS2000 plane of the width asked for stay in it,
        to the last digit; others go to their own zone, and each zone becomes a block of its own.
    path : Path
        Where the file shall stand.
    edition : Edition, optional
        How it is written; ``EDITIONS["standard"]`` by default.
    made_by : str, default ""
        数据产生单位.
    made_on : date, optional
        数据产生日期; left empty where not given.

    Returns
    -------
    Path
        The file, read back and found equal.

    Raises
    ------
    UsageError
        If the edition is none.
    StoreError
        If a parcel cannot be written: no polygon, invalid, invalid after rounding, a number with a comma, a
        character the encoding lacks; or several parcels in an edition that cannot tell them apart.
    CRSError
        If the parcels rest on another datum.

    Notes
    -----
    The format has no mark for holes: each ring gets its number, and containment tells holes from parts.
    Commas and line ends in names become full-width commas and blanks. The declared area is that of the points
    as written.
    """
    form = edition or EDITIONS["standard"]
    _check_edition(form)
    _check(parcels, form)
    blocks = list(_blocks(parcels, form))
    _check_rounded(blocks)
    text = form.newline.join(line for block in blocks for line in _lines(block, form, made_by, made_on))
    try:
        body = (text + form.newline).encode(form.encoding)
    except UnicodeEncodeError as error:
        lacking = text[error.start : error.start + 10]
        raise StoreError(
            Fault(
                en=f"{form.encoding} lacks {lacking[0]!r}.",
                zh=f"编码 {form.encoding} 中没有“{lacking[0]}”字。",
                at=clean_text(lacking),
                mend_en="write gb18030 or utf-8",
                mend_zh="改用 gb18030 或 utf-8",
            )
        ) from error

    def write(temporary: Path) -> None:
        temporary.write_bytes(body)

    def verify(written: Path) -> None:
        _read_back(written, blocks, form)

    return publish(Path(path), write, verify)


@dataclass(frozen=True)
class _Block:
    """Parcels of one zone, rounded, eastings without prefix."""

    zone: int
    parcels: GeoDataFrame


def _check_edition(form: Edition) -> None:
    faults: list[tuple[str, object, str]] = []
    if form.columns and not 8 <= form.columns <= 14:
        faults.append(("columns", form.columns, "8-14, 0"))
    if not 0 <= form.decimals <= _MOST_DECIMALS:
        faults.append(("decimals", form.decimals, f"0-{_MOST_DECIMALS}"))
    if form.area_unit not in ("公顷", "m2"):
        faults.append(("area_unit", form.area_unit, "公顷, m2"))
    if form.zone_width not in (3, 6):
        faults.append(("zone_width", form.zone_width, "3, 6"))
    if form.newline not in ("\r\n", "\n", "\r"):
        faults.append(("newline", repr(form.newline), r"\r\n, \n, \r"))
    if form.point_prefix and not form.point_prefix.isalpha():
        faults.append(("point_prefix", form.point_prefix, "J"))
    try:
        is_ascii = "A,1\r\n".encode(form.encoding).removeprefix(b"\xef\xbb\xbf") == b"A,1\r\n"
    except LookupError:
        is_ascii = False
    if not is_ascii:
        faults.append(("encoding", form.encoding, "gbk, gb18030, utf-8, utf-8-sig"))
    if faults:
        raise UsageError(
            *(
                Fault(
                    f"edition: {name} {value} is not known.",
                    f"版式中 {name} 的取值不对：{value}。",
                    mend_en=known,
                    mend_zh=f"可用 {known}",
                )
                for name, value, known in faults
            )
        )


def _fault(zh: str, en: str, ids: Sequence[object], mend_zh: str, mend_en: str) -> Fault:
    shown = "、".join(clean_text(str(pid)) for pid in ids[:_SHOWN]) + (
        f" 等 {len(ids)} 宗" if len(ids) > _SHOWN else ""
    )
    return Fault(en=en, zh=zh, at=shown, mend_en=mend_en, mend_zh=mend_zh)


def _check(parcels: GeoDataFrame, form: Edition) -> None:
    """Everything that keeps parcels from being written, all at once."""
    faults = []
    values = np.asarray(parcels.geometry.values, dtype=object)
    bad = ~(
        np.isin(shapely.get_type_id(values), (3, 6)) & shapely.is_valid(values) & ~shapely.is_empty(values)
    )
    if bad.any():
        faults.append(
            _fault(
                "图形不是合法的面，不能写成界址点文件。", "not a valid polygon.",
                list(parcels.index[bad]), "先按问题清单修正图形", "mend the geometry first",
            )
        )  # fmt: skip
    ids = [str(pid) for pid in parcels.index]
    odd = [
        pid
        for pid in ids
        if set(pid) & set(",\r\n") or pid != pid.strip() or pid != clean_text(pid) or pid in GRAPHICS
    ]
    if odd and form.columns:
        faults.append(
            _fault(
                "地块编号含逗号、换行或首尾空格。",
                "a parcel number holds a comma, a line end or a blank at its ends.",
                odd, "改正编号", "mend the number",
            )
        )  # fmt: skip
    if not form.columns and len(parcels) > 1:
        faults.append(
            _fault(
                "只有坐标的版式分不清多个地块。", "an edition of coordinates only cannot tell parcels apart.",
                ids, "每宗一个文件，或换用有地块行的版式", "write one file each, or an edition with lines of plots",
            )
        )  # fmt: skip
    if not len(parcels):
        faults.append(Fault("there is no parcel to write.", "没有可写的地块。"))
    if faults:
        raise StoreError(*faults)


def _blocks(parcels: GeoDataFrame, form: Edition) -> Iterator[_Block]:
    known = zone_of_plane(parcels.crs.to_epsg()) if parcels.crs is not None else None
    if known is not None and (form.zone_width == 6) == (known[0] < 25):
        zone, has_prefix = known
        yield _Block(zone, _rounded(parcels, zone * _ZONE if has_prefix else 0.0, form.decimals))
        return
    degrees = to_lonlat(parcels) if parcels.crs is not None else transform(parcels, 4490)
    lon = shapely.get_x(shapely.point_on_surface(degrees.geometry.values))
    zones = np.floor(lon / 3 + 0.5) if form.zone_width == 3 else np.floor(lon / 6) + 1
    first, last = (25, 45) if form.zone_width == 3 else (13, 23)
    outside = ~((zones >= first) & (zones <= last))
    if outside.any():
        raise StoreError(
            _fault(
                f"地块不在 {form.zone_width} 度带 {first}-{last} 带范围内。",
                f"parcels lie outside the {form.zone_width}-degree zones {first}-{last}.",
                list(parcels.index[outside]), "核对坐标系", "check the CRS",
            )
        )  # fmt: skip
    for zone in sorted({int(z) for z in zones}):
        part = parcels[zones == zone]
        yield _Block(zone, _rounded(transform(part, plane_of(zone, False)), 0.0, form.decimals))


def _rounded(parcels: GeoDataFrame, false_easting: float, decimals: int) -> GeoDataFrame:
    """Coordinates as they will be written; what was within half of the last digit becomes the same point."""

    flat = moved_east(shapely.force_2d(np.asarray(parcels.geometry.values, dtype=object)), -false_easting)
    rounded = shapely.transform(flat, lambda points: np.round(points, decimals))
    # Points that fell together would end a ring where its first comes back too early.
    whole = shapely.remove_repeated_points(rounded)
    return parcels.set_geometry(whole, crs=None).set_crs(None, allow_override=True)


def _check_rounded(blocks: Sequence[_Block]) -> None:
    broken = [pid for b in blocks for pid in b.parcels.index[~shapely.is_valid(b.parcels.geometry.values)]]
    if broken:
        raise StoreError(
            _fault(
                "坐标按所选位数取整后图形不合法。", "rounded to the digits asked for, the polygon is invalid.",
                broken, "增加小数位数，或先处理过近的界址点", "write more decimals, or mend points too close",
            )
        )  # fmt: skip


def _lines(block: _Block, form: Edition, made_by: str, made_on: date | None) -> Iterator[str]:
    yield "[属性描述]"
    yield "格式版本号=1.01"
    yield f"数据产生单位={_cell(made_by)}"
    yield f"数据产生日期={'' if made_on is None else f'{made_on.year}-{made_on.month}-{made_on.day}'}"
    yield "坐标系=2000国家大地坐标系"
    yield f"几度分带={form.zone_width}"
    yield "投影类型=高斯克吕格"
    yield "计量单位=米"
    yield f"带号={block.zone}"
    yield f"精度={10.0**-form.decimals:.{form.decimals}f}"
    yield "转换参数=,,,,,,"
    yield "[地块坐标]"
    cells = {name: _texts(block.parcels, name) for name in _CELLS}
    for k, (pid, geometry) in enumerate(zip(block.parcels.index, block.parcels.geometry.values, strict=True)):
        rings = [ring for part in shapely.get_parts(geometry) for ring in (part.exterior, *part.interiors)]
        points = list(_points(rings, block.zone if form.has_prefix else 0, form))
        if form.columns:
            name, sheet, use, code = (cells[column][k] for column in _CELLS)
            full = [str(len(points)), _area(geometry, form.area_unit), str(pid), name, "面", sheet, use, code]
            full += [""] * 6
            yield ",".join([*full[: form.columns - 1], "@"])
        yield from points


def _points(rings: Sequence[Any], zone: int, form: Edition) -> Iterator[str]:
    number = 0
    for k, ring in enumerate(rings, 1):
        points = shapely.get_coordinates(ring)
        first = 1 if form.is_restarting else number + 1
        for j, (east, north) in enumerate(points if form.is_closed else points[:-1]):
            is_closing = j == len(points) - 1
            number = first if is_closing else first + j
            place = f"{north:.{form.decimals}f},{east + zone * _ZONE:.{form.decimals}f}"
            yield f"{form.point_prefix}{number},{k},{place}"
        number = first + len(points) - 2


def _texts(parcels: GeoDataFrame, name: str) -> list[str]:
    if name not in parcels:
        return [""] * len(parcels)
    return ["" if pd.isna(value) else _cell(str(value)) for value in parcels[name].tolist()]


def _cell(text: str) -> str:
    """A cell that cannot be taken for two, nor for the end of the line."""
    return clean_text(text).replace(",", "，").strip()


def _area(geometry: Any, unit: str) -> str:
    area = convert(float(shapely.area(geometry)), "m2", unit, "area")
    decimals = 4 if unit == "公顷" else 2
    # An area of zero would be no area at all.
    while decimals < 12 and float(f"{area:.{decimals}f}") == 0:
        decimals += 1
    return f"{area:.{decimals}f}"


def _read_back(written: Path, blocks: Sequence[_Block], form: Edition) -> None:
    """Hold the file against what was to be written, point by point."""
    raw = read_points(written, encoding=form.encoding)
    wanted = [geometry for block in blocks for geometry in block.parcels.geometry.values]
    ids = [str(pid) for block in blocks for pid in block.parcels.index]
    found: list[Any] = []
    if len(raw.frame) == len(wanted):
        start = 0
        for block in blocks:
            part = raw.frame.iloc[start : start + len(block.parcels)]
            start += len(block.parcels)
            found += _shifted(part, block.zone, form)
    read = raw.frame["地块编号"].tolist() if form.columns and len(found) == len(ids) else ids
    off = [
        pid
        for pid, back, a, b in zip(ids, read, wanted, found, strict=False)
        if pid != back or not _same(a, b, form)
    ]
    if off or len(found) != len(wanted):
        raise StoreError(
            _fault(
                "写出的文件读回后与原图形不一致，未保存。", "what was read back is not what was written.",
                off or ids, "换一种版式或增加小数位数", "choose another edition or more decimals",
            )
        )  # fmt: skip


def _shifted(part: GeoDataFrame, zone: int, form: Edition) -> list[Any]:
    plane = plane_of(zone, form.has_prefix)
    moved = part if part.crs == pyproj.CRS(plane) else transform(part, plane)
    east = zone * _ZONE if form.has_prefix else 0.0
    return [moved_east(geometry, -east) for geometry in moved.geometry.values]


def _same(a: Any, b: Any, form: Edition) -> bool:
    return bool(shapely.equals_exact(_multi(a), _multi(b), tolerance=0.25 * 10.0**-form.decimals))


def _multi(geometry: Any) -> Any:
    return shapely.MultiPolygon(list(shapely.get_parts(geometry)))
