"""A small zone for the tests of maps: twelve parcels, one of each kind, plain or with hostile names."""

from __future__ import annotations

import datetime

import geopandas
import numpy as np
import pandas as pd
from shapely import Polygon, box
from shapely.affinity import rotate, translate

from landplan.schema import coerce
from landplan.tables import Assessment, Book, Provenance

CRS = 4547
EAST, NORTH = 470_000.0, 4_173_000.0

HOSTILE = [
    "<img src=x onerror=\"window.__pwned='img'\">",
    "</script><script>window.__pwned='script'</script>",
    "{{ 7*7 }}{{ cycler.__init__.__globals__ }}",
    "{% raw %}{% for x in y %}{#",
    "`${window.__pwned='tick'}`",
    "\u2028window.__pwned='line'//\u2029",
    "\"'><svg onload=window.__pwned='svg'>",
    "<!--<script>alert(1)</script>-->",
    "javascript:alert(1)",
    "&lt;b&gt;&amp;#39;",
]

# id, verdict, supply class, left, top, right, bottom in metres from the corner of the zone
ROWS = [
    ("A-1", "ready", "stock", 100, 1500, 420, 1180),
    ("A-2", "not_ready", "stock_held", 440, 1500, 760, 1180),
    ("A-3", "ready", "stock", 780, 1500, 1180, 1180),
    ("A-21", "pending", "stock_held", 1200, 1500, 1500, 1180),
    ("B-1", "ready", "incremental", 100, 1120, 420, 800),
    ("B-2", "pending", "incremental_held", 440, 1120, 760, 800),
    ("B-3", "not_ready", "incremental_held", 780, 1120, 1180, 800),
    ("C-1", "ready", "supplied", 1200, 1120, 1500, 800),
    ("C-2", "not_ready", "supplied", 1560, 1500, 1900, 1180),
    ("D-1", "pending", "unknown", 1560, 1120, 1900, 800),
    ("E-1", "pending", "unknown", 0, 0, 0, 0),
    ("E-2", "pending", "unknown", 100, 700, 400, 500),
]
NAMES = ["龙湖大街北侧地块", "综合保税区一号地", "装备制造园东地块", "潇河产业园地块", "新材料园西地块", "医药园二期地块",
         "汇通路南侧地块", "现有厂区地块", "物流园地块", "食品园地块", "待补绘地块", "自相交地块"]  # fmt: skip


def _shape(number: int, left: float, top: float, right: float, bottom: float) -> Polygon | None:
    if left == right:
        return None
    x0, x1, y0, y1 = EAST + left, EAST + right, NORTH + bottom, NORTH + top
    if number == 11:
        return Polygon([(x0, y0), (x1, y1), (x1, y0), (x0, y1)])
    if number == 6:  # a U, whose centroid lies outside
        return Polygon(
            [
                (x0, y0),
                (x1, y0),
                (x1, y1),
                (x1 - 90, y1),
                (x1 - 90, y0 + 70),
                (x0 + 90, y0 + 70),
                (x0 + 90, y1),
                (x0, y1),
            ]
        )
    shell = [(x0, y0), (x1, y0 + 12), (x1 - 8, y1), (x0 + 40, y1), (x0, y1 - 40)]
    holes = [[(x0 + 120, y0 + 120), (x0 + 180, y0 + 120), (x0 + 180, y0 + 180)]] if number == 2 else []
    return Polygon(shell, holes)


def make_assessment(*, hostile: bool = False, rows: list[int] | None = None) -> Assessment:
    """Twelve parcels in EPSG:4547; with ``hostile``, every text holds something that would like to run."""
    numbers = list(range(len(ROWS))) if rows is None else rows

    def text(number: int, plain: str) -> str:
        return HOSTILE[number % len(HOSTILE)] + plain if hostile else plain

    ids = [text(n, ROWS[n][0]) if hostile and n > 2 else ROWS[n][0] for n in numbers]
    shapes = [_shape(n, *ROWS[n][3:]) for n in numbers]
    areas = [np.nan if n in (10, 11) else shape.area for n, shape in zip(numbers, shapes, strict=True)]
    parcels = geopandas.GeoDataFrame(
        {
            "parcel_name": [text(n + 1, NAMES[n]) for n in numbers],
            "parcel_code": [text(n + 2, f"140702001001GB{n:05d}") for n in numbers],
            "location": [text(n + 3, "示例路以东、示范街以北") for n in numbers],
            "zone_code": "EX01",
            "zone_name": [text(0, "示例经济技术开发区") for n in numbers],
            "land_use": [text(n + 4, "工业用地") for n in numbers],
            "industry_gbt4754_2017": "C30",
            "contact": [text(n + 5, "招商局 0354-0000000") for n in numbers],
            "holder": [text(n + 6, "示例控股公司") for n in numbers],
            "notes": [text(n + 7, "内部备注") for n in numbers],
            "source": [text(n + 8, "地块/地块.shp") for n in numbers],
            "source_row": [n + 1 for n in numbers],
            "reserve_price_cny": [1.0e6 * (n + 1) for n in numbers],
            "start_price_cny": [2.0e6 * (n + 1) for n in numbers],
            "area_registered_m2": areas,
            "area_m2": areas,
            "measure_epsg": CRS,
            "is_quarantined": [n == 11 for n in numbers],
            "far_min": [1.2 + n / 10 for n in numbers],
            "promised.far_min": [1.5 if n == 0 else np.nan for n in numbers],
            "building_coefficient_min": 0.4,
            "invest_intensity_cny_per_m2": [
                2248.95 if ROWS[n][1] == "not_ready" else 2400.0 for n in numbers
            ],
            "tax_cny_per_m2_yr": 300.0,
            "farmland_overlap_m2": [1200.0 if n == 6 else 0.0 for n in numbers],
            "evaluation_flood_share": 1.0,
            "event_clear_land_state": "done",
            "event_clear_land_on": pd.Timestamp("2026-03-01"),
            "slope_mean_deg": [1.5 + n for n in numbers],
            "verdict": [ROWS[n][1] for n in numbers],
            "fail_count": [int(ROWS[n][1] == "not_ready") for n in numbers],
            "open_count": [int(ROWS[n][1] == "pending") for n in numbers],
            "supply_class": [ROWS[n][2] for n in numbers],
            "supply_reason_zh": [text(n + 9, "2026-03-01 净地") for n in numbers],
            "supply_reason_en": [text(n + 9, "clear since 2026-03-01") for n in numbers],
        },
        geometry=shapes,
        index=pd.Index(ids, name="parcel_id", dtype="str"),
        crs=CRS,
    )
    parcels = coerce(parcels, "parcels")
    outline = box(EAST, NORTH + 400, EAST + 2000, NORTH + 1650)
    zones = geopandas.GeoDataFrame(
        {
            "zone_code": ["EX01", "EX01"],
            "zone_name": [text(0, "示例经济技术开发区（原范围）"), text(0, "示例经济技术开发区")],
            "valid_from": pd.to_datetime(["2015-01-01", "2024-06-01"]),
            "valid_to": pd.to_datetime(["2024-06-01", None]),
        },
        geometry=[box(EAST, NORTH + 400, EAST + 1200, NORTH + 1650), outline],
        crs=CRS,
    )
    farmland = geopandas.GeoDataFrame(
        {"name": [text(0, "基本农田图斑"), text(1, "基本农田图斑")]},
        geometry=[
            box(EAST + 1050, NORTH + 900, EAST + 1190, NORTH + 1060),
            rotate(box(EAST + 60, NORTH + 420, EAST + 700, NORTH + 620), 8),
        ],
        crs=CRS,
    )
    redline = geopandas.GeoDataFrame(geometry=[translate(outline, 1700, -900)], crs=CRS)
    urban = geopandas.GeoDataFrame(geometry=[outline.buffer(60, join_style="mitre")], crs=CRS)
    layers = {"farmland": farmland, "redline": redline, "urban": urban} if numbers else {}
    piece = box(EAST + 1090, NORTH + 900, EAST + 1180, NORTH + 1060)
    # The table also keeps which zone holds a parcel, which is no conflict.
    overlaps = geopandas.GeoDataFrame(
        {
            "parcel_id": [ids[numbers.index(6)]] * 3 if 6 in numbers else [],
            "layer": ["farmland", "urban", "zones"] if 6 in numbers else [],
            "feature": [text(2, "图斑 7"), "1", "EX01"] if 6 in numbers else [],
            "overlap_m2": [piece.area, 73_000.0, 73_000.0] if 6 in numbers else [],
            "overlap_share": [0.2, 1.0, 1.0] if 6 in numbers else [],
        },
        geometry=[piece, shapes[numbers.index(6)], shapes[numbers.index(6)]] if 6 in numbers else [],
        crs=CRS,
    )
    findings = [
        {
            "parcel_id": pid, "rule_id": "invest_intensity.min", "rulebook": "example.kaifaqu", "basis": "set",
            "indicator": "invest_intensity_cny_per_m2", "test": "at_least", "force": "mandatory",
            "status": "fail" if ROWS[n][1] == "not_ready" else "pass", "measured": 149.93 if ROWS[n][1] == "not_ready" else 160.0, "required": 150.0, "unit": "万元/亩",
            "margin": -0.07 if ROWS[n][1] == "not_ready" else 10.0, "since": pd.Timestamp("2022-12-25"), "reference": text(n, "示例控制指标（示例数据，不是法律依据）附表"),
        }
        for n, pid in zip(numbers, ids, strict=True)
    ] + [
        {
            "parcel_id": pid, "rule_id": "urban.covered", "rulebook": "example.kaifaqu", "basis": "set",
            "indicator": "urban_overlap_share", "test": "covered", "force": "mandatory", "status": "unknown" if ROWS[n][1] == "pending" else "pass",
            "measured": np.nan if ROWS[n][1] == "pending" else 100.0, "required": 100.0, "unit": "%", "margin": 0.0, "reason": "missing",
            "since": pd.Timestamp("2022-12-25"), "reference": "示例城镇开发边界（示例数据，不是法律依据）",
        }
        for n, pid in zip(numbers, ids, strict=True)
    ]  # fmt: skip
    issues = [
        {
            "code": "GEOM.NULL" if n == 10 else "GEOM.INVALID", "severity": "error", "is_blocking": True, "party": "测绘单位",
            "source": "地块/地块.shp", "row": n + 1, "parcel_id": pid, "field": text(1, "图形"), "issue_value": text(3, "自相交"),
            "message_zh": text(4, "没有图形" if n == 10 else "图形不合法，无法量算"), "mend_zh": "补绘边界", "message_en": "x", "mend_en": "y",
        }
        for n, pid in zip(numbers, ids, strict=True)
        if n in (10, 11)
    ]  # fmt: skip
    return Assessment(
        parcels=parcels,
        zones=zones if numbers else zones[:0],
        overlaps=coerce(overlaps, "overlaps"),
        indicators=coerce(pd.DataFrame(), "indicators"),
        events=coerce(pd.DataFrame(), "events"),
        findings=coerce(pd.DataFrame(findings), "findings"),
        issues=coerce(pd.DataFrame(issues), "issues"),
        provenance=Provenance(
            as_of=datetime.date(2026, 11, 20),
            project=text(1, "示例经济技术开发区（示例数据）"),
            is_sample=True,
            version="0.1.0",
            books=(
                Book("cn.national-2023", "国家标准", "0" * 64, "2026-11-20", "PLANTED-BOOK-TEXT"),
                Book("example.kaifaqu", text(2, "示例规则"), "1" * 64, "2026-11-20", ""),
            ),
            layers={
                "farmland": text(3, "永久基本农田"),
                "redline": text(4, "生态保护红线"),
                "urban": text(5, "城镇开发边界"),
            },
            items={"flood": text(6, "洪水影响评价"), "clear_land": text(7, "净地")},
            counts={"in": 13, "out": 12, "dropped": 1},
        ),
        layers=layers,
    )
