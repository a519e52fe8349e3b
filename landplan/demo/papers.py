"""The papers of the sample: what its ledgers say of each parcel, spelled as people spell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import geopandas as gpd
import numpy as np
import shapely
from numpy.random import Generator

from landplan.demo.lots import GOLDEN
from landplan.demo.shapes import EPSG, random_stage
from landplan.units import convert

__all__ = [
    "EVENT_HEADERS",
    "HEADERS",
    "NOTES",
    "TITLE",
    "UNDRAWN",
    "Plan",
    "make_plan",
    "write_events",
    "write_ledger",
]

TITLE = "示例经济技术开发区工业用地“标准地”控制指标台账（示例数据，不是真实地块）"
NOTES = (
    "备注：1. 本表为示例数据，地块、数值、文号均为编造，不是真实地块。",
    "2. “≥”为不低于，“≤”为不高于；空白为尚未确定。",
)
UNDRAWN = ("K-901", "M-902")
"""Numbers that stand in the ledger though nobody drew the parcel."""

HEADERS = (
    ("", "序号", ""),
    ("地块信息", "地块编号", ""),
    ("地块信息", "地块名称", ""),
    ("地块信息", "面积（亩）", "亩"),
    ("地块信息", "行业代码（GB/T 4754-2017）", ""),
    ("地块信息", "行业名称", ""),
    ("控制指标", "容积率", "—"),
    ("控制指标", "建筑系数", "%"),
    ("控制指标", "绿地率", "%"),
    ("控制指标", "行政办公用地占比", "%"),
    ("控制指标", "行政办公建筑占比", "%"),
    ("经济指标", "固定资产投资强度", "万元/亩"),
    ("经济指标", "亩均税收", "万元/亩"),
    ("经济指标", "单位能耗", "吨标煤/万元"),
    ("经济指标", "起始价", "万元"),
    ("经济指标", "征拆补偿", "万元"),
    ("供应", "供应方式", ""),
    ("供应", "计划供应日期", ""),
    ("供应", "以标准地供应", ""),
    ("", "备注", ""),
)
"""Group, name and unit of each column of the ledger."""

INDUSTRIES = {
    # code: name in GB/T 4754-2017, floor of the floor area ratio and of the investment in the 示例 rulebook
    "C14": ("食品制造业", 1.0, 150),
    "C30": ("非金属矿物制品业", 0.8, 150),
    "C34": ("通用设备制造业", 0.8, 200),
    "C35": ("专用设备制造业", 0.8, 200),
    "C36": ("汽车制造业", 0.8, 250),
    "C38": ("电气机械和器材制造业", 0.8, 250),
    "C39": ("计算机、通信和其他电子设备制造业", 1.0, 300),
}
OTHERS = {
    "C26": ("化学原料和化学制品制造业", 0.8, 260),
    "C27": ("医药制造业", 1.0, 280),
    "C33": ("金属制品业", 0.8, 220),
    "C42": ("废弃资源综合利用业", 0.8, 180),
}
"""Industries the rulebook leaves to a person."""

EVENT_HEADERS = ("地块编号", "事项", "日期", "状态", "有效期至", "责任方", "文号")
ITEMS = ("农转用批复", "土地征收", "收储", "净地", "通路", "通水", "通电", "场地平整")
PARTIES = {
    "农转用批复": "示例县自然资源局",
    "土地征收": "示例县自然资源局",
    "收储": "示例县土地储备中心",
    "净地": "示例开发区管委会",
    "通路": "示例开发区管委会",
    "通水": "示例供水公司",
    "通电": "示例供电公司",
    "场地平整": "示例开发区管委会",
    "出让": "示例县自然资源局",
}


@dataclass(frozen=True)
class Plan:
    """
    What shall be wrong, missing or odd about which parcel, decided once for all papers.

    Parameters
    ----------
    areas : dict of str to float
        Registered area by parcel number, in 亩 to two decimals.
    oddities : dict of str to str
        The one oddity of a parcel, e.g. ``blank``, ``no_power``, ``low_invest``.
    stages : dict of str to str
        ``stock``, ``sold`` or ``incremental`` by parcel number.
    """

    areas: dict[str, float]
    oddities: dict[str, str]
    stages: dict[str, str]


ODDITIES = {
    # drawn from the stock, in this order: how many parcels of each
    "unledgered": 3,
    "refer": 9,
    "blank": 10,
    "no_power": 4,
    "no_clearance": 3,
    "no_water": 2,
    "no_approval": 3,
    "lapsed_clearance": 2,
    "about": 4,
    "hectares": 1,
    "old_survey": 1,
    "low_invest": 2,
    "low_far": 1,
    "low_tax": 1,
    "low_coefficient": 1,
    "high_energy": 1,
    "high_office": 1,
    "uncleared": 3,
    "unlevelled": 2,
    "on_sale": 2,
}
SOLD = 25


def _mu(area: float) -> float:
    """Round as documents do: 亩, two decimals, half up."""
    exact = Decimal(repr(round(convert(area, "m2", "亩"), 6)))
    return float(exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def make_plan(parcels: gpd.GeoDataFrame) -> Plan:
    """
    Decide what the papers will say of each parcel.

    Parameters
    ----------
    parcels : GeoDataFrame
        ``parcel_id``, ``kind`` and ``stage``, in EPSG:4526.

    Returns
    -------
    Plan
        Registered areas measured in each parcel's own 3-degree zone; one oddity at most per parcel.
    """
    rng = random_stage(20)
    west = shapely.get_x(shapely.centroid(parcels.to_crs(4490).geometry.to_numpy())) < 112.5
    # A bow-tie encloses next to nothing; its document tells the area the surveyor meant.
    outlines = parcels.geometry.where(parcels["kind"] != "bowtie", parcels.geometry.convex_hull)
    measured = np.where(west, outlines.to_crs(EPSG - 1).area, outlines.area)
    ids = parcels["parcel_id"].tolist()
    areas = {number: _mu(area) for number, area in zip(ids, measured, strict=True)}
    stages = dict(zip(ids, parcels["stage"], strict=True))
    stock = parcels[(parcels["stage"] == "stock") & parcels["kind"].isin(["plain", "hole", "multipart"])]
    middle = shapely.get_coordinates(shapely.centroid(stock.geometry.to_numpy()))
    centres = middle[rng.choice(len(middle), 3, replace=False)]
    near = np.hypot(*(middle[:, None, :] - centres[None, :, :]).T).min(axis=0)
    for number in stock["parcel_id"].to_numpy()[np.argsort(near + rng.uniform(0, 260, len(near)))[:SOLD]]:
        stages[number] = "sold"
    free = [str(n) for n in rng.permutation(stock["parcel_id"].to_numpy()) if stages[n] == "stock"]
    oddities = {free.pop(): oddity for oddity, count in ODDITIES.items() for _ in range(count)}
    for number, oddity in oddities.items():
        if oddity == "hectares":
            areas[number] = round(areas[number] / 15, 4)
        elif oddity == "old_survey":
            areas[number] = round(areas[number] * 0.963, 2)
    return Plan(areas, oddities, stages)


def _ledger_row(number: str, area: float, oddity: str, rng: Generator) -> list[object]:
    """Write one row of the ledger, from 地块名称 on."""
    code = str(rng.choice(list(INDUSTRIES)))
    name, far, invest = INDUSTRIES[code]
    if oddity == "refer":
        code = str(rng.choice(list(OTHERS)))
        name, far, invest = OTHERS[code]
    if number == GOLDEN:
        code, (name, far, invest) = "C30", INDUSTRIES["C30"]
    far += float(rng.choice([0.0, 0.2, 0.4]))
    far = 0.6 if oddity == "low_far" else round(far, 1)
    coefficient = 35 if oddity == "low_coefficient" else int(rng.choice([40, 40, 45, 50]))
    green = int(rng.choice([20, 15, 15, 10]))
    office = 9 if oddity == "high_office" else int(rng.choice([7, 7, 6, 5]))
    floor = int(rng.choice([15, 15, 12, 10]))
    money = int(invest * rng.choice([1.0, 1.1, 1.2, 1.4]) / 10) * 10
    money = invest - 20 if oddity == "low_invest" else money
    tax = 8 if oddity == "low_tax" else int(rng.choice([12, 15, 18, 20, 25, 30]))
    energy = 0.62 if oddity == "high_energy" else float(rng.choice([0.12, 0.18, 0.25, 0.3, 0.45]))
    price = round(area * float(rng.choice([18.5, 20, 22])), 1)
    moving = round(area * rng.uniform(7, 12), 1)
    spelling = rng.random()
    ratio: object = f"≥{far:.1f}"
    if spelling < 0.10:
        ratio = f"{far:.1f}≤容积率≤{far + 1:.1f}"
    elif spelling < 0.18:
        ratio = f"{far:.1f}".translate(str.maketrans("0123456789.", "０１２３４５６７８９．"))
    elif spelling < 0.30:
        ratio = far
    build: object = f"≥{coefficient}" if rng.random() < 0.4 else coefficient
    grass: object = f"≤{green}" if rng.random() < 0.4 else green
    invested: object = f"≥{money}" if rng.random() < 0.3 else money
    extent: object = f"约{area:.0f}亩" if oddity == "about" else area
    if number == GOLDEN:
        ratio, build, grass, invested, tax, energy = "≥1.2", 45, 15, 149.93, 20, 0.25
    row: list[object] = [f"示例地块{number}", extent, code, name]
    row += [ratio, build, grass, office, floor, invested, tax, energy, price, moving, None]
    if oddity == "blank":
        # Blank, dash or words: each a way to say that nobody has decided yet.
        row[int(rng.choice([4, 5, 9, 10, 11]))] = [None, "—", "待定"][int(rng.integers(3))]
        row[-1] = "指标待论证"
    elif oddity == "old_survey":
        row[-1] = "面积按旧图量算"
    return row


def _offer(stage: str, rng: Generator) -> list[object]:
    """How and when the land is to be supplied; of sold land, whether it went as 标准地."""
    mode = str(rng.choice(["挂牌出让", "挂牌出让", "挂牌出让", "弹性年期", "先租后让"]))
    month, is_standard = int(rng.integers(0, 24)), bool(rng.random() < 0.88)
    if stage == "sold":
        return [mode, None, "是" if is_standard else "否"]
    # About half of the stock has a day; what has none is planned by the first day it could be ready.
    planned = (
        f"{2026 + (11 + month) // 12}-{(11 + month) % 12 + 1:02d}-15"
        if stage == "stock" and month < 13
        else None
    )
    return [mode if stage == "stock" else None, planned, None]


def write_ledger(parcels: gpd.GeoDataFrame, plan: Plan) -> list[list[object]]:
    """
    Write the rows of the ledger of control indicators.

    Parameters
    ----------
    parcels : GeoDataFrame
        Drawn parcels.
    plan : Plan
        Their areas and oddities.

    Returns
    -------
    list of list
        One row per parcel in the order of ``HEADERS``; some drawn parcels are not among them, and two numbers
        are that nobody drew.
    """
    rng, later = random_stage(21), random_stage(33)
    rows: list[list[object]] = []
    for number in sorted([*parcels["parcel_id"], *UNDRAWN]):
        oddity = plan.oddities.get(number, "")
        area = plan.areas.get(number, 30.0)
        written = _ledger_row(number, area, oddity, rng)
        if oddity != "unledgered":
            offer = _offer(plan.stages.get(number, ""), later)
            rows.append([len(rows) + 1, number, *written[:-1], *offer, written[-1]])
    return rows


def _spell(on: date, rng: Generator) -> str | date:
    """Spell a day in one of the ways people do."""
    styles = (
        on,
        f"{on:%Y-%m-%d}",
        f"{on.year}年{on.month}月{on.day}日",
        f"{on.year}.{on.month}.{on.day}",
        f"{on.year}/{on.month}/{on.day}",
    )
    return styles[int(rng.integers(len(styles)))]


def _say(rng: Generator, *ways: str) -> str:
    return ways[int(rng.integers(len(ways)))]


def _done(item: str, rng: Generator) -> str:
    if item == "农转用批复":
        return _say(rng, "已批", "批复", "完成")
    return _say(rng, "完成", "已完成", "已完成", "办结")


def _history(number: str, stage: str, oddity: str, rng: Generator) -> list[list[object]]:
    """List what happened to one parcel: number, item, day, state, until, party, document."""
    rows: list[list[object]] = []
    day = date(2018, 11, 1) + timedelta(days=int(rng.integers(0, 900)))

    def enter(item: str, state: str, until: str | None = None, document: str | None = None) -> None:
        rows.append([number, item, _spell(day, rng), state, until, PARTIES[item], document])

    if stage == "incremental":
        day = date(2025, 1, 6) + timedelta(days=int(rng.integers(0, 600)))
        enter("农转用批复", _say(rng, "办理中", "正在办理", "未批"))
        if rng.random() < 0.6:
            enter("土地征收", _say(rng, "办理中", "未完成"))
        if rng.random() < 0.3:
            enter("通路", "完成")
        return rows
    skipped = {"no_power": "通电", "no_clearance": "净地", "no_water": "通水", "no_approval": "农转用批复"}
    unfinished = {"uncleared": "净地", "unlevelled": "场地平整"}
    for item in ITEMS:
        day += timedelta(days=int(rng.integers(20, 160)))
        if skipped.get(oddity) == item:
            continue
        if unfinished.get(oddity) == item:
            enter(item, _say(rng, "办理中", "推进中", "未完成"))
            continue
        if item == "净地" and rng.random() < 0.08:
            enter(item, "办理中")
            day += timedelta(days=120)
        until = document = None
        if item in ("农转用批复", "土地征收"):
            document = f"示例政地字〔{day.year}〕{day.month + 3}号"
        if item == "净地":
            document = f"示例净认〔{day.year}〕{int(rng.integers(1, 90))}号"
            until = "2026-06-30" if oddity == "lapsed_clearance" else _say(rng, "2027-12-31", "2028-06-30")
        enter(item, _done(item, rng), until, document)
    if stage == "sold":
        day = max(day, date(2021, 3, 1)) + timedelta(days=int(rng.integers(60, 600)))
        enter("出让", _say(rng, "完成", "已完成"), None, f"示例挂〔{day.year}〕{int(rng.integers(1, 60))}号")
    elif oddity == "on_sale":
        day = date(2026, 11, 5)
        enter("出让", "办理中", None, f"示例挂〔{day.year}〕{int(rng.integers(60, 80))}号")
    return rows


def write_events(parcels: gpd.GeoDataFrame, plan: Plan) -> list[list[object]]:
    """
    Write the rows of the table of events.

    Parameters
    ----------
    parcels : GeoDataFrame
        Drawn parcels.
    plan : Plan
        Their stages and oddities.

    Returns
    -------
    list of list
        One row per event in the order of ``EVENT_HEADERS``; days as text in several spellings, some as dates.
    """
    rng = random_stage(22)
    return [
        row
        for number in parcels["parcel_id"]
        for row in _history(number, plan.stages[number], plan.oddities.get(number, ""), rng)
    ]
