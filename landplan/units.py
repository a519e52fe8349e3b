"""
Units of measure: the only place where a factor is written.

Canonical units (m2, 元, 元/m2, 元/m2·年, m, m3, degree, day; shares and ratios as plain numbers) are chosen so that
intensities convert by whole numbers: 1 万元/公顷 = 1 元/m2, 1 万元/亩 = 15 元/m2, 15 亩 = 1 公顷.

Alike is not the same: kVA and kW (no power factor is assumed), a cubic metre and a tonne a day (no density is), a rent by
the month and by the day (no month has a fixed number of days) are of different kinds or have no conversion at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from landplan.errors import Fault, UnitError

__all__ = ["CANONICAL", "RESOLUTION", "Unit", "convert", "find_unit", "split_header", "unit_symbols"]

# Fraction, not 666.67: fifteen 亩 must be one 公顷, and a parcel at the line must not fail by rounding.
MU = Fraction(2000, 3)
HECTARE = Fraction(10_000)
WAN = Fraction(10_000)
YI = Fraction(100_000_000)
# Standard gravity, exact by definition (CGPM 1901): a floor that carries 1 t/m2 carries 9.80665 kN/m2, not 10.
GRAVITY = Fraction(980_665, 100_000)

CANONICAL = {
    "area": "m2",
    "money": "元",
    "intensity": "元/m2",
    "annual_intensity": "元/m2·年",
    "energy_intensity": "吨标煤/万元",
    "length": "m",
    "volume": "m3",
    "angle": "度",
    "share": "1",
    "ratio": "1",
    "duration": "天",
    "count": "个",
    "apparent_power": "kVA",
    "power": "kW",
    "flow": "m3/d",
    "mass": "t",
    "mass_flow": "t/h",
    "annual_mass": "t/年",
    "annual_energy": "吨标煤/年",
    "floor_load": "kN/m2",
    "rent": "元/m2·月",
}
"""The canonical unit of each kind of quantity."""

RESOLUTION = {"area": 0.01, "length": 0.001, "volume": 0.01}
"""Certified precision by kind, in the canonical unit: areas are printed to 0.01 m2, coordinates to 0.001 m."""


@dataclass(frozen=True)
class Unit:
    """
    A unit of measure of one kind.

    Parameters
    ----------
    symbol : str
        As it is printed, e.g. ``万元/亩``.
    kind : str
        A key of ``CANONICAL``.
    factor : Fraction
        How many canonical units one of it is, exactly.
    """

    symbol: str
    kind: str
    factor: Fraction


def _table() -> dict[str, dict[str, Unit]]:
    areas = {
        "m2": (Fraction(1), "㎡ m² m^2 平方米 平米 方"),
        "亩": (MU, "市亩 mu"),
        "公顷": (HECTARE, "hm2 hm² ha hectare"),
        "平方公里": (Fraction(1_000_000), "km2 km² k㎡ ㎢ 平方千米"),
        "万亩": (WAN * MU, ""),
    }
    money = {
        "元": (Fraction(1), "人民币元 cny rmb"),
        "万元": (WAN, "万人民币"),
        "亿元": (YI, "亿"),
    }
    found: dict[str, dict[str, Unit]] = {kind: {} for kind in CANONICAL}

    def add(kind: str, symbol: str, factor: Fraction, aliases: str = "") -> None:
        unit = Unit(symbol, kind, factor)
        for name in (symbol, *aliases.split()):
            found[kind][_fold(name)] = unit

    for symbol, (factor, aliases) in areas.items():
        add("area", symbol, factor, aliases)
    for symbol, (factor, aliases) in money.items():
        add("money", symbol, factor, aliases)
    for symbol, (top, tops) in money.items():
        for below, (bottom, bottoms) in areas.items():
            names = [f"{a}/{b}" for a in (symbol, *tops.split()) for b in (below, *bottoms.split())]
            names += [f"{a}每{b}" for a in (symbol,) for b in (below,)]
            add("intensity", f"{symbol}/{below}", top / bottom, " ".join(names))
            yearly = [f"{name}{end}" for name in names for end in ("·年", "/年", ".年", "*年")]
            # 亩均税收（万元/亩）is a yearly figure by definition and is printed without 年 in every announcement.
            add("annual_intensity", f"{symbol}/{below}·年", top / bottom, " ".join([*yearly, *names]))
    add("energy_intensity", "吨标煤/万元", Fraction(1), "吨标准煤/万元 tce/万元")
    add("energy_intensity", "千克标煤/万元", Fraction(1, 1000), "千克标准煤/万元 公斤标煤/万元 kgce/万元")
    add("length", "m", Fraction(1), "米 metre meter")
    add("length", "km", Fraction(1000), "公里 千米")
    add("volume", "m3", Fraction(1), "立方米 m³ 方")
    add("volume", "万m3", WAN, "万立方米 万方 万m³")
    add("angle", "度", Fraction(1), "° deg degree degrees")
    for kind in ("share", "ratio"):
        add(kind, "1", Fraction(1), "无量纲 小数")
        add(kind, "%", Fraction(1, 100), "％ 百分比 百分数 percent")
    add("duration", "天", Fraction(1), "日 d day days")
    add("count", "个", Fraction(1), "宗 块 家 栋 处 次")
    _add_resources(add, areas)
    return found


def _add_resources(
    add: Callable[[str, str, Fraction, str], None], areas: Mapping[str, tuple[Fraction, str]]
) -> None:
    """What networks, quotas and buildings are measured in."""
    add("apparent_power", "kVA", Fraction(1), "千伏安")
    add("apparent_power", "MVA", Fraction(1000), "兆伏安")
    add("apparent_power", "万kVA", WAN, "万千伏安")
    add("power", "kW", Fraction(1), "千瓦")
    add("power", "MW", Fraction(1000), "兆瓦")
    add("power", "万kW", WAN, "万千瓦")
    # Heat is power too: 1 GJ/h is a million kJ in 3600 s.
    add("power", "GJ/h", Fraction(2500, 9), "吉焦/小时 吉焦/时 gj/小时")
    add("flow", "m3/d", Fraction(1), _per("m3 m³ 立方米 立方 方 nm3", "d 日 天"))
    add("flow", "m3/h", Fraction(24), _per("m3 m³ 立方米 立方 方 nm3", "h 小时 时"))
    add("flow", "万m3/d", WAN, _per("万m3 万m³ 万立方米 万方", "d 日 天"))
    add("flow", "L/s", Fraction(864, 10), "升/秒")
    for symbol, factor, names in (
        ("t", 1, "吨"),
        ("kg", Fraction(1, 1000), "千克 公斤"),
        ("万t", WAN, "万吨"),
    ):
        add("mass", symbol, Fraction(factor), names)
        add("annual_mass", f"{symbol}/年", Fraction(factor), _per(f"{symbol} {names}", "年 a yr"))
    add("mass_flow", "t/h", Fraction(1), f"{_per('t 吨', 'h 小时 时')} 蒸吨")
    add("mass_flow", "t/d", Fraction(1, 24), _per("t 吨", "d 日 天"))
    # A quota of energy is a yearly figure by definition and is printed without 年 as often as with it.
    for symbol, factor, names in (
        ("吨标煤", Fraction(1), "吨标准煤 tce"),
        ("千克标煤", Fraction(1, 1000), "千克标准煤 公斤标煤 kgce"),
        ("万吨标煤", WAN, "万吨标准煤 万tce"),
    ):
        add("annual_energy", f"{symbol}/年", factor, f"{_per(f'{symbol} {names}', '年 a')} {symbol} {names}")
    squares = areas["m2"][1].replace(" 方", "")  # t/方 may mean a cubic metre
    for symbol, factor, names in (
        ("kN", Fraction(1), "千牛"),
        ("kg", GRAVITY / 1000, "kgf 公斤 千克"),
        ("t", GRAVITY, "tf 吨"),
    ):
        add("floor_load", f"{symbol}/m2", factor, _per(f"{symbol} {names}", f"m2 {squares}"))
    add("floor_load", "kPa", Fraction(1), "千帕")
    for symbol, factor, names in (("元/m2·月", Fraction(1), "月"), ("元/m2·年", Fraction(1, 12), "年")):
        bases = [f"元/{area}" for area in ("m2", *squares.split())]
        written = [f"{base}{mark}{names}" for base in bases for mark in ("·", "/", ".", "*")]
        add(
            "rent",
            symbol,
            factor,
            " ".join([*written, *(f"{b.replace('元', '元/' + names)}" for b in bases)]),
        )


def _per(tops: str, bottoms: str) -> str:
    return " ".join(f"{top}/{bottom}" for top in tops.split() for bottom in bottoms.split())


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).strip().lower()
    return re.sub(r"\s+", "", folded).replace("・", "·").replace("∕", "/")


_UNITS = _table()


def find_unit(symbol: str, kind: str | None = None) -> Unit:
    """
    Find the unit a text names.

    Parameters
    ----------
    symbol : str
        As written by people: ``㎡``, ``hm²``, ``万元／亩``; width, case and blanks do not matter.
    kind : str or None
        A key of ``CANONICAL``; where given, only units of this kind are looked at. ``万元/亩`` names a
        yearly rate only where the kind says so.

    Returns
    -------
    Unit
        The unit, with its exact factor.

    Raises
    ------
    UnitError
        If no unit has this name, or none of this kind.

    Examples
    --------
    >>> find_unit("公顷").factor / find_unit("亩").factor
    Fraction(15, 1)
    >>> find_unit("万元／亩", "annual_intensity").symbol
    '万元/亩·年'
    """
    folded = _fold(symbol)
    for name in (kind,) if kind else tuple(CANONICAL):
        unit = _UNITS.get(name, {}).get(folded)
        if unit is not None:
            return unit
    known = sorted({unit.symbol for unit in (_UNITS.get(kind, {}) if kind else _merged()).values()})
    of_kind = f" of kind {kind}" if kind else ""
    raise UnitError(
        Fault(
            en=f"{symbol!r} is not a unit{of_kind}.",
            zh=f"“{symbol}”不是可识别的单位。",
            mend_en=f"use one of: {', '.join(known)}",
            mend_zh=f"可用单位：{'、'.join(known)}",
        )
    )


def unit_symbols(kind: str) -> tuple[str, ...]:
    """
    List the units of a kind as they are printed.

    Parameters
    ----------
    kind : str
        A key of ``CANONICAL``.

    Returns
    -------
    tuple of str
        The canonical one first.

    Examples
    --------
    >>> unit_symbols("apparent_power")
    ('kVA', 'MVA', '万kVA')
    """
    return tuple(dict.fromkeys(unit.symbol for unit in _UNITS[kind].values()))


@cache
def _merged() -> dict[str, Unit]:
    return {name: unit for units in _UNITS.values() for name, unit in units.items()}


@overload
def convert(value: float, source: str, target: str, kind: str | None = None) -> float: ...
@overload
def convert(
    value: NDArray[np.float64], source: str, target: str, kind: str | None = None
) -> NDArray[np.float64]: ...
def convert(value: Any, source: str, target: str, kind: str | None = None) -> Any:
    """
    Convert a number, or an array of them, from one unit to another of the same kind.

    Parameters
    ----------
    value : float or array of float
        Numbers in ``source``; NaN stays NaN.
    source, target : str
        Names of units.
    kind : str or None
        The kind both must have; where None, the kind of ``source``.

    Returns
    -------
    float or array of float
        The same numbers in ``target``. Below one million, digits beyond the ninth decimal, which are noise
        of binary fractions, are dropped: 149.93 万元/亩 is 2248.95 元/m2, not 2248.9500000000003.

    Raises
    ------
    UnitError
        If a name is unknown or the kinds differ.

    Examples
    --------
    >>> convert(15.0, "亩", "公顷")
    1.0
    >>> convert(149.93, "万元/亩", "元/m2")
    2248.95
    """
    start = find_unit(source, kind)
    end = find_unit(target, start.kind)
    factor = start.factor / end.factor
    numbers = np.asarray(value, dtype=np.float64)
    if factor != 1:
        numbers = numbers * float(factor.numerator) / float(factor.denominator)
        with np.errstate(invalid="ignore"):
            numbers = np.where(np.abs(numbers) < 1e6, np.round(numbers, 9), numbers)
    return float(numbers) if np.isscalar(value) else numbers


def split_header(header: str) -> tuple[str, str | None]:
    """
    Split a column title into its name and the unit in brackets or behind a slash-free comma.

    Parameters
    ----------
    header : str
        E.g. ``固定资产投资强度（万元/亩）``, ``面积(㎡)``, ``用地面积[公顷]``, ``面积_亩``.

    Returns
    -------
    tuple of (str, str or None)
        The name without the unit, and the unit as written; None where the brackets hold no unit.

    Examples
    --------
    >>> split_header("固定资产投资强度（万元/亩）")
    ('固定资产投资强度', '万元/亩')
    >>> split_header("容积率（下限）")
    ('容积率（下限）', None)
    """
    text = header.strip()
    match = re.fullmatch(
        r"(.*?)[\s]*[（(\[【]\s*(?:单位[：:])?\s*([^（()）\[\]【】]+?)\s*[)）\]】]", text, flags=re.S
    )
    if match is None:
        match = re.fullmatch(r"(.+?)[_＿,，:：]\s*([^_＿,，:：]+)", text, flags=re.S)
    if match is None:
        return text, None
    name, unit = match.group(1).strip(), match.group(2)
    if name and _fold(unit) in _merged():
        return name, unit
    return text, None
