"""勘测定界 界址点坐标交换格式, read line by line: plots with their rings, and every fault with its line."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from landplan.crs import as_crs, crs_name, transform
from landplan.issues import Issue
from landplan.read.door import Door, open_door
from landplan.read.encoding import Decision, decide_encoding, decode_cell
from landplan.read.place import decide_crs
from landplan.read.points.grammar import Block, Exchange, Plot, parse_lines
from landplan.read.points.rings import Fault, Ring, build_polygon, moved_east, split_rings
from landplan.read.points.zones import Said, Sight, find_sight, plane_of, read_description
from landplan.read.raw import Raw
from landplan.read.vector import measure_total
from landplan.tables import Source
from landplan.units import find_unit
from landplan.values import parse_number

__all__ = ["read_points"]

_MOST_BYTES = 256 * 1024**2
_LINES = re.compile(rb"\r\n|\n|\r")
_ZONE = 1_000_000.0
_CLOSE = 0.01  # share by which a declared area may miss the shape and still tell its unit
_SAME = 5e-4  # plane and ellipsoidal area differ by as much at the rim of a zone
_HALF = 1.001  # what was rounded from exactly a half must not fail by the noise of a double
_COLUMNS = {
    "number": "地块编号",
    "name": "地块名称",
    "use": "地块用途",
    "code": "地类编码",
    "sheet": "图幅号",
}
_REJECTING = {"TXT.FEW_POINTS", "TXT.DEGENERATE", "TXT.RINGS", "TXT.CLOSING"}


@dataclass
class _Found:
    """One plot on its way: what its numbers say, and what was made of them."""

    plot: Plot
    sight: Sight | None = None
    rings: list[Ring] = field(default_factory=list)
    geometry: Any = None
    zone: int = 0
    area: float | None = None  # as declared, in the unit of the cell
    unit: str = ""  # 公顷 or m2


def read_points(
    door: Door | str | os.PathLike[str],
    *,
    crs: str | None = None,
    encoding: str | None = None,
    crs_how: str = "option",
    encoding_how: str = "option",
) -> Raw:
    """
    Read a file of boundary points in the exchange format of land surveys.

    Parameters
    ----------
    door : Door or path
        The file.
    crs, encoding : str, optional
        Override what the file says; the numbers are still held against the CRS.
    crs_how, encoding_how : str, default "option"
        Where those were given: ``option``, or ``profile``, which speaks only where the file is silent.

    Returns
    -------
    Raw
        One row per plot that could be read, in order, ``rows`` being the line of its header. Cells are text
        as written; the area column names the unit that the shapes bear out. Geometry is in (easting,
        northing) of the plane the file names; where it names several, in degrees (EPSG:4490). A bad plot is
        rejected and named, the others are read; an unusable file has no rows and its issues say why.

    Raises
    ------
    CRSError, UsageError
        If ``crs`` or ``encoding`` itself is not one.

    References
    ----------
    The layout of [属性描述] and [地块坐标]: 勘测定界 界址点坐标交换格式, as surveying offices hand it on.
    """
    if not isinstance(door, Door):
        door = open_door(door)
    if crs:
        as_crs(crs)
    if encoding:
        decide_encoding([], option=encoding)
    issues = list(door.issues)
    if not door.is_open:
        return _refused(door, issues)
    if (size := door.path.stat().st_size) > _MOST_BYTES:
        value = f"{size / 1024**2:.0f} MB"
        return _refused(door, [*issues, Issue("LIMIT.SIZE", source=door.name, value=value)])
    lines, decision, faults = _decode(door, encoding, encoding_how)
    exchange = parse_lines(lines, door.name)
    if not exchange.is_exchange:
        return _refused(
            door, [*issues, Issue("TXT.NOT_EXCHANGE", source=door.name, value=door.path.name)], decision
        )
    issues += [*faults, *exchange.issues]
    return _Reading(door, exchange, decision, issues).run(crs, crs_how)


def _refused(door: Door, issues: list[Issue], decision: Decision | None = None) -> Raw:
    source = Source("", door.name, door.sha256)
    if decision is not None:
        source = replace(source, encoding=decision.encoding, encoding_how=decision.how)
    return Raw(gpd.GeoDataFrame({"geometry": []}, geometry="geometry"), source, issues=issues)


def _decode(door: Door, option: str | None, how: str) -> tuple[list[str], Decision, list[Issue]]:
    body = door.path.read_bytes()
    if not option and body.startswith((b"\xff\xfe", b"\xfe\xff")):
        decision = Decision("utf-16", "content")
        text = body.decode("utf-16", errors="replace")
        faults = [Issue("ENC.UNDECODABLE", source=door.name, value="utf-16")] if "\ufffd" in text else []
        return re.split("\r\n|\n|\r", text), decision, faults
    is_marked = body.startswith(b"\xef\xbb\xbf")
    parts = _LINES.split(body.removeprefix(b"\xef\xbb\xbf"))
    decision = decide_encoding(
        parts, declared="utf-8" if is_marked else "", option=option, how=how, source=door.name
    )
    lines, faults = [], list(decision.issues)
    for number, part in enumerate(parts, 1):
        text, code = decode_cell(part, decision.encoding)
        lines.append(text)
        if code == "ENC.CUT":
            faults.append(Issue(code, source=door.name, row=number, value=text[-20:]))
    return lines, decision, faults


class _Reading:
    """The plots of one file on their way to a frame."""

    def __init__(self, door: Door, exchange: Exchange, decision: Decision, issues: list[Issue]) -> None:
        self.door, self.exchange, self.decision, self.issues = door, exchange, decision, issues
        numbers = Counter(plot.number for block in exchange.blocks for plot in block.plots)
        self.unique = {number for number, count in numbers.items() if number and count == 1}

    def report(
        self, code: str, row: int, value: object = "", cell: str = "", plot: Plot | None = None
    ) -> None:
        # A number that stands twice would put the fault on the wrong plot; the line is right in any case.
        number = plot.number if plot is not None and plot.number in self.unique else ""
        issue = Issue(code, source=self.door.name, row=row, cell=cell, parcel_id=number, value=value)
        self.issues.append(issue)

    def run(self, crs: str | None, crs_how: str) -> Raw:
        blocks = [(block, [self._look(plot) for plot in block.plots]) for block in self.exchange.blocks]
        total = sum(len(found) for _, found in blocks)
        if not total:
            self.issues.append(Issue("FILE.EMPTY", source=self.door.name))
        sound = [one for _, found in blocks for one in found if one.geometry is not None]
        for one in sound:
            self._count(one)
        unit = self._areas(sound)
        how, system = "", None
        if crs and crs_how != "profile":
            system, how = self._by_option(sound, crs, crs_how)
            kept = sound if system is not None else []
        else:
            noted = len(self.issues)
            kept = [one for block, found in blocks for one in self._place(block, found)]
            told = {issue.code for issue in self.issues[noted:]}
            if crs and sound and not kept and not told & {"CRS.DATUM", "TXT.PROJECTION"}:
                # The file is silent on its zone, and the profile knows the provider.
                self.issues = [issue for issue in self.issues if issue.code != "TXT.NO_ZONE"]
                system, how = self._by_option(sound, crs, crs_how)
                kept = sound if system is not None else []
            elif kept:
                said = any(block.value("带号") for block, _ in blocks)
                how = "declared" if said else "content"
                system = self._one_plane(kept)
                if not said:
                    self.issues.append(
                        Issue("CRS.ZONE_FROM_PREFIX", source=self.door.name, value=crs_name(system))
                    )
        return self._hand_over(kept, total, system, how, unit)

    def _look(self, plot: Plot) -> _Found:
        """Make the rings of a plot, or say of each why not."""
        found = _Found(plot)
        if not plot.points:
            if not plot.is_bad:
                self.report("TXT.FEW_POINTS", plot.line, 0, plot=plot)
            return found
        found.sight = sight = find_sight(plot)
        for point in sight.strays:
            value = f"X={point.x:.10g} Y={point.y:.10g}"
            self.report("TXT.POINT", point.line, value, point.name, plot)
        if sight.is_degrees:
            first = plot.points[0]
            self.report("CRS.UNITS", plot.line, f"X={first.x:.10g} Y={first.y:.10g}", plot=plot)
        found.rings, faults = split_rings(plot)
        is_bad = plot.is_bad or bool(sight.strays) or sight.is_degrees
        if sight.is_swapped:
            first = plot.points[0]
            self.report("TXT.AXES", plot.line, f"X={first.x:.10g} Y={first.y:.10g}", plot=plot)
        geometry, wrong = self._draw(found)
        # A ring that lacks the points already told as bad is not a second fault.
        faults += [] if is_bad else wrong
        for fault in faults:
            self.report(fault.code, fault.line, fault.value, fault.cell, plot)
        if not is_bad and not any(fault.code in _REJECTING for fault in faults):
            found.geometry = geometry
        return found

    def _draw(self, found: _Found) -> tuple[Any, list[Fault]]:
        plot, is_swapped = found.plot, found.sight is not None and found.sight.is_swapped
        coordinates = [
            np.array([(p.x, p.y) if is_swapped else (p.y, p.x) for p in ring.points]) for ring in found.rings
        ]
        if plot.graphic == "面":
            return build_polygon(found.rings, coordinates)
        self.report("GEOM.TYPE", plot.line, plot.graphic, plot=plot)
        if plot.graphic == "点":
            return shapely.multipoints(np.vstack(coordinates)), []
        short = [ring for ring in found.rings if len(ring.points) < 2]
        if short:
            return None, [
                Fault("TXT.FEW_POINTS", ring.points[0].line, "", f"圈 {ring.number}") for ring in short
            ]
        lines = [
            shapely.LineString(np.vstack([c, c[:1]]) if ring.is_closed else c)
            for ring, c in zip(found.rings, coordinates, strict=True)
        ]
        return shapely.MultiLineString(lines), []

    def _count(self, one: _Found) -> None:
        """Hold the declared number of points against the list; offices count the closing point or not."""
        declared = one.plot.count
        if not declared.isdecimal():
            return
        points = sum(len(ring.points) for ring in one.rings)
        if int(declared) not in {points, points + len(one.rings), len(one.plot.points)}:
            self.report("TXT.COUNT", one.plot.line, f"{declared} / {len(one.plot.points)}", plot=one.plot)

    def _areas(self, found: list[_Found]) -> str:
        """Read the declared areas and give the unit of the column: the one that most shapes bear out."""
        votes: Counter[str] = Counter()
        ratios = []
        for one in found:
            text, drawn = one.plot.area, float(shapely.area(one.geometry))
            number = parse_number(text)
            if number.is_missing or not drawn:
                continue
            if number.is_fault or number.upper is not None or number.value <= 0:
                self.report("TXT.AREA_TEXT", one.plot.line, text[:40], plot=one.plot)
                continue
            one.area = float(number.value)
            if number.unit:
                one.unit = number.unit
                continue
            ratios.append(one.area / drawn)
            fits = [unit for unit in ("公顷", "m2") if self._fits(one, unit, drawn)]
            if len(fits) == 1:
                one.unit = fits[0]
                votes[fits[0]] += 1
        most = votes.most_common(1)
        # Where no shape bears out either, the nearer one is taken; between both lies a hundredth.
        nearer = "m2" if ratios and float(np.median(ratios)) > 0.01 else "公顷"
        common = most[0][0] if most else nearer
        for one in found:
            if one.area is not None:
                is_told = bool(parse_number(one.plot.area).unit)
                one.unit = one.unit or common
                self._hold(one, is_told)
        return common

    @staticmethod
    def _fits(one: _Found, unit: str, drawn: float) -> bool:
        factor = float(find_unit(unit, "area").factor)
        rounded = 0.5 * 10.0 ** -_decimals(one.plot.area) * factor
        return abs((one.area or 0.0) * factor - drawn) <= max(_CLOSE * drawn, rounded)

    def _hold(self, one: _Found, is_told: bool) -> None:
        drawn = float(shapely.area(one.geometry))
        factor = float(find_unit(one.unit, "area").factor)
        rounded = 0.5 * 10.0 ** -_decimals(one.plot.area) * factor
        if one.unit == "m2" and not is_told:
            self.report("TXT.AREA_UNIT", one.plot.line, one.plot.area, plot=one.plot)
        declared = (one.area or 0.0) * factor
        if abs(declared - drawn) > max(_SAME * drawn, rounded * _HALF):
            value = f"{declared:.2f} / {drawn:.2f} m2"
            self.report("TXT.AREA", one.plot.line, value, plot=one.plot)

    def _by_option(self, sound: list[_Found], crs: str, how: str) -> tuple[Any, str]:
        placed = decide_crs(
            np.array([one.geometry for one in sound] + [None], dtype=object)[:-1],
            None,
            option=crs,
            how=how,
            source=self.door.name,
            rows=[one.plot.line for one in sound],
        )
        self.issues += placed.issues
        return placed.crs, how

    def _place(self, block: Block, found: list[_Found]) -> list[_Found]:
        """Give every plot of a block its zone, or refuse what cannot be placed."""
        said = read_description(block)
        silent = [one for one in found if one.sight is not None and not one.sight.zone]
        missing = [*said.missing, *(["带号"] if silent and not block.value("带号") else [])]
        if missing and found:
            self.report("TXT.KEYS", block.line, "、".join(missing))
        if said.parameters:
            self.report("TXT.PARAMETERS", block.line_of("转换参数"), said.parameters)
        if said.datum:
            self.report("CRS.DATUM", block.line_of("坐标系"), said.datum)
        if said.projection:
            self.report("TXT.PROJECTION", block.line, said.projection)
        sound = [one for one in found if one.geometry is not None and one.sight is not None]
        if said.datum or said.projection:
            return []
        kept: list[_Found] = []
        nowhere: list[_Found] = []
        for one in sound:
            one.zone = (one.sight.zone if one.sight else 0) or said.zone or 0
            (kept if one.zone else nowhere).append(one)
        if nowhere:
            value = f"{len(nowhere)} 宗" + (f"，带号={block.value('带号')}" if block.value("带号") else "")
            self.report("TXT.NO_ZONE", block.line_of("带号"), value)
        self._compare(block, said, kept)
        for one in kept:
            if one.sight is not None and not one.sight.is_placed:
                first = one.plot.points[0]
                value = (
                    f"{crs_name(plane_of(one.zone, bool(one.sight.zone)))}，X={first.x:.10g} Y={first.y:.10g}"
                )
                self.report("CRS.ZONE", one.plot.line, value, plot=one.plot)
        return kept

    def _compare(self, block: Block, said: Said, kept: list[_Found]) -> None:
        for zone in sorted({one.zone for one in kept}):
            if block.value("带号") and zone != said.zone:
                value = f"带号={block.value('带号')}，坐标前缀 {zone}"
                self.report("TXT.ZONE_MISMATCH", block.line_of("带号"), value)
            width = 6 if zone < 25 else 3
            if said.width is not None and width != said.width:
                value = f"几度分带={said.width}，{zone} 带是 {width} 度带"
                self.report("TXT.ZONE_MISMATCH", block.line_of("几度分带"), value)

    def _one_plane(self, kept: list[_Found]) -> Any:
        """Bring plots of several planes together; those of one plane keep every digit."""
        zones = {one.zone for one in kept}
        has_prefix = any(one.sight is not None and one.sight.zone for one in kept)
        for one in kept:
            if has_prefix and one.sight is not None and not one.sight.zone:
                one.geometry = moved_east(one.geometry, one.zone * _ZONE)
        if len(zones) == 1:
            return plane_of(zones.pop(), has_prefix)
        degrees = as_crs(4490)
        for zone in zones:
            part = [one for one in kept if one.zone == zone]
            frame = gpd.GeoDataFrame(geometry=[one.geometry for one in part], crs=plane_of(zone, has_prefix))
            moved = transform(frame, degrees, at=self.door.name).geometry
            for one, geometry in zip(part, moved, strict=True):
                one.geometry = geometry
        return degrees

    def _hand_over(self, kept: list[_Found], total: int, system: Any, how: str, unit: str) -> Raw:
        rows = [one.plot.line for one in kept]
        columns: dict[str, list[Any]] = {
            title: [getattr(one.plot, name) or None for one in kept] for name, title in _COLUMNS.items()
        }
        columns[f"地块面积（{unit}）"] = [_area_cell(one, unit) for one in kept]
        for k in range(max((len(one.plot.extras) for one in kept), default=0)):
            columns[f"附加列{k + 9}"] = [(one.plot.extras[k : k + 1] or [""])[0] or None for one in kept]
        # Columns nobody filled in are no columns; without a number a plot is still told from others.
        filled = {
            title: pd.Series(cells, dtype=object)
            for title, cells in columns.items()
            if title == "地块编号" or any(cell is not None for cell in cells)
        }
        frame = gpd.GeoDataFrame(
            pd.DataFrame(filled, index=range(len(kept))), geometry=[one.geometry for one in kept], crs=system
        )
        source = Source(
            "",
            self.door.name,
            self.door.sha256,
            rows_in=total,
            rows_imported=len(kept),
            rows_rejected=total - len(kept),
            crs=crs_name(system),
            crs_how=how,
            encoding=self.decision.encoding,
            encoding_how=self.decision.how,
            area_m2=measure_total(frame) if kept else None,
        )
        self.issues.sort(key=lambda issue: issue.row or 0)
        return Raw(frame, source, rows, issues=self.issues)


def _decimals(text: str) -> int:
    found = re.search(r"\.([0-9]+)", text)
    return len(found.group(1)) if found else 0


def _area_cell(one: _Found, unit: str) -> str | None:
    """The declared area as written; where its unit is not that of the column, with it."""
    if one.area is None:
        return None
    is_told = bool(parse_number(one.plot.area).unit)
    return one.plot.area if is_told or one.unit == unit else f"{one.plot.area}{one.unit}"
