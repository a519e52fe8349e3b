"""What the sample's zone keeps beside its parcels: batches, resources, buildings, money, networks, outlines, decisions."""

from __future__ import annotations

from datetime import date
from typing import Any

import geopandas as gpd
import shapely

from landplan.demo.papers import Plan
from landplan.demo.shapes import EPSG, clean, parts, random_stage

__all__ = [
    "BATCHES",
    "CHECKLIST",
    "draw_networks",
    "draw_outlines",
    "plan_batches",
    "write_later_events",
    "write_registers",
]

Rows = list[list[object]]
Sheet = tuple[str, tuple[str, ...], Rows]

BATCHES = {
    # number: name, kind, parcels, and what was done when
    "SLP-2026-01": ("示例县2026年第一批次（示例）", "城镇批次", 12),
    "SLP-2026-02": ("示例县2026年第二批次（示例）", "城镇批次", 14),
    "SLP-2026-03": ("示例县2026年第三批次（示例）", "乡村建设用地", 6),
}
STEPS: Rows = [
    [
        "SLP-2026-01",
        "失地农民养老保险",
        date(2026, 1, 20),
        "完成",
        None,
        "示例县人社局",
        "示例社保〔2026〕3号",
    ],
    [
        "SLP-2026-01",
        "社会稳定风险评估",
        date(2026, 2, 11),
        "完成",
        None,
        "示例开发区管委会",
        "示例稳评〔2026〕2号",
    ],
    ["SLP-2026-01", "组卷上报", date(2026, 3, 9), "完成", 20, "示例县自然资源局", "示例自然资〔2026〕15号"],
    ["SLP-2026-01", "农转用批复", date(2026, 5, 18), "批复", 40, "示例省政府", "示例政地字〔2026〕101号"],
    [
        "SLP-2026-02",
        "失地农民养老保险",
        date(2026, 8, 6),
        "完成",
        None,
        "示例县人社局",
        "示例社保〔2026〕19号",
    ],
    [
        "SLP-2026-02",
        "社会稳定风险评估",
        date(2026, 8, 28),
        "完成",
        None,
        "示例开发区管委会",
        "示例稳评〔2026〕11号",
    ],
    ["SLP-2026-02", "组卷上报", date(2026, 10, 12), "办理中", 20, "示例县自然资源局", None],
    [
        "SLP-2026-03",
        "社会稳定风险评估",
        date(2026, 9, 15),
        "完成",
        None,
        "示例开发区管委会",
        "示例稳评〔2026〕14号",
    ],
    ["SLP-2026-03", "失地农民养老保险", date(2026, 10, 20), "办理中", None, "示例县人社局", None],
]
CAPACITIES: Rows = [
    ["供电", "示例一号变电站", "SL01", 63000, 31500, 12000, 4000, "kVA", date(2026, 9, 30)],
    ["供电", "示例二号变电站", "SL02", 40000, 26000, 5000, 2000, "kVA", date(2026, 9, 30)],
    ["供水", "示例水厂东线", "SL01", 12000, 5200, 1500, 500, "m3/d", date(2026, 9, 30)],
    # Nobody has brought this row up to date for more than a quarter: what rests on it is open again.
    ["供水", "示例水厂西线", "SL02", 8000, 4100, 900, 300, "m3/d", date(2026, 6, 30)],
    ["供气", "示例门站", "SL01", 90000, 42000, 8000, 0, "m3/d", date(2026, 9, 30)],
    ["供热", "示例热源厂", "SL01", 120, 85, 10, 0, "t/h", date(2026, 9, 30)],
    ["能耗", "SL01 能耗指标", "SL01", 180000, 96000, 21000, 10000, "吨标煤/年", date(2026, 9, 30)],
    ["能耗", "SL02 能耗指标", "SL02", 60000, 41000, 9000, 0, "吨标煤/年", date(2026, 9, 30)],
]
CAPACITY_HEADERS = ("要素", "节点", "开发区代码", "总容量", "已用", "已承诺", "已预留", "单位", "数据日期")
BUILDING_HEADERS = (
    *(
        "建筑编号",
        "建筑名称",
        "建筑类型",
        "地块编号",
        "开发区代码",
        "建成面积（m2）",
        "已使用面积（m2）",
        "层高（m）",
    ),
    *("楼面荷载（kN/m2）", "吊车吨位（t）", "配电容量（kVA）", "租金（元/m2·月）", "可用日期", "数据日期"),
)
BUDGET: Rows = [
    ["进地清单", 2026, 1000, "示例财预〔2026〕8号"],
    ["特殊项目基础设施配套", 2026, 500, "示例财预〔2026〕8号"],
    ["文物勘探发掘", 2026, 500, "示例财预〔2026〕8号"],
]
SCOPE: Rows = [["工业类", "工业用地", date(2020, 1, 1), "是", "示例标准地〔2019〕1号"]]
CHECKLIST = "规则/用地清单.yaml"


def plan_batches(plan: Plan) -> dict[str, str]:
    """
    Put parcels that are not approved yet into batches.

    Parameters
    ----------
    plan : Plan
        Stages by parcel number.

    Returns
    -------
    dict of str to str
        Batch by parcel number.
    """
    rng = random_stage(30)
    free = [str(n) for n in rng.permutation(sorted(n for n, s in plan.stages.items() if s == "incremental"))]
    return {free.pop(): number for number, (_, _, count) in BATCHES.items() for _ in range(count)}


def write_later_events(plan: Plan, batches: dict[str, str]) -> Rows:
    """
    Write what happened on sold land after its sale, and what is known of clear land condition by condition.

    Parameters
    ----------
    plan : Plan
        Stages and oddities.
    batches : dict of str to str
        Batch by parcel number.

    Returns
    -------
    list of list
        Rows of the table of events: number, item, day, state, until, party, document.
    """
    rng = random_stage(31)
    committee, bureau = "示例开发区管委会", "示例县自然资源局"
    rows: Rows = []
    sold = sorted(number for number, stage in plan.stages.items() if stage == "sold")
    for number, fate in zip(sold, rng.permutation(len(sold)).tolist(), strict=True):
        if fate < 2:  # sold, never begun
            rows.append([number, "闲置认定", date(2026, 3, 12), "完成", None, bureau, "示例闲认〔2026〕1号"])
            continue
        if fate == 2:  # taken back: it is stock again
            rows.append([number, "收回", date(2026, 7, 8), "完成", None, bureau, "示例收〔2026〕2号"])
            continue
        if fate < 5:  # sold, waiting
            continue
        rows.append([number, "开工", date(2024, 3, 1 + fate), "完成", None, committee, None])
        if fate < 9:
            continue
        rows.append([number, "竣工", date(2025, 4, 1 + fate), "完成", None, committee, None])
        rows.append([number, "投产", date(2025, 9, 1 + fate), "完成", None, committee, None])
        if fate > 22:
            rows.append(
                [number, "低效认定", date(2026, 6, 16), "完成", None, committee, "示例低效〔2026〕4号"]
            )
    rows += [
        [number, "农转用批复", date(2025, 3, 3), "未批", None, bureau, None] for number in sorted(batches)
    ]
    for number, stage in sorted(plan.stages.items()):
        if stage in ("stock", "sold") and plan.oddities.get(number) != "blank":
            day = date(2018, 9, 3 + int(rng.integers(0, 27)))
            rows.append([number, "规划条件", day, "完成", None, bureau, f"示例规条〔2018〕{day.day}号"])
    for number, oddity in sorted(plan.oddities.items()):
        if oddity in ("uncleared", "no_clearance"):
            rows.append([number, "权属清晰", date(2025, 5, 6), "完成", None, bureau, None])
            rows.append([number, "安置补偿落实", date(2025, 8, 20), "完成", None, committee, None])
            rows.append([number, "无法律经济纠纷", date(2026, 9, 1), "办理中", None, committee, None])
    return rows


def write_registers(plan: Plan, batches: dict[str, str], zones: dict[str, str]) -> dict[str, list[Sheet]]:
    """
    Write the ledgers as sheets.

    Parameters
    ----------
    plan : Plan
        Stages and oddities.
    batches : dict of str to str
        Batch by parcel number.
    zones : dict of str to str
        Zone by parcel number.

    Returns
    -------
    dict of str to list of (str, tuple of str, list of list)
        Sheets by file name: title of the sheet, header, rows.
    """
    rng = random_stage(32)
    of_batch = {number: [p for p, b in batches.items() if b == number] for number in BATCHES}
    members: Rows = [
        [number, name, kind, parcel]
        for number, (name, kind, _) in BATCHES.items()
        for parcel in sorted(of_batch[number])
    ]
    sold = sorted(n for n, s in plan.stages.items() if s == "sold")
    buildings: Rows = []
    for number, parcel in enumerate(
        [sold[int(at)] for at in rng.choice(len(sold), 8, replace=False)], start=1
    ):
        built = int(rng.integers(6, 22)) * 500
        used = built if number % 3 == 0 else round(built * float(rng.uniform(0.2, 0.8)), -1)
        is_hall = number % 4 != 0
        buildings.append(
            [
                f"CF-{number:02d}",
                f"示例{'标准厂房' if is_hall else '楼宇'}{number}号",
                "标准厂房" if is_hall else "楼宇",
                *(parcel, zones.get(parcel, "SL01"), built, used),
                *((9.0, 20.0, 10, 800) if is_hall else (3.9, 4.0, 0, 400)),
                *(12.5 if is_hall else 22.0, date(2027, 1, 1) if used < built else None, date(2026, 9, 30)),
            ]
        )
    unfinished = sorted(
        n for n, o in plan.oddities.items() if o in ("uncleared", "unlevelled", "no_power", "no_water")
    )
    commitments: Rows = [
        [
            *(("进地清单", parcel, 45) if at % 2 else ("特殊项目基础设施配套", parcel, 80)),
            *(date(2026, 4, 10 + at), f"示例经费〔2026〕{at + 1}号", "示例经办人甲"),
        ]
        for at, parcel in enumerate(unfinished[:6])
    ]
    referred = sorted(n for n, o in plan.oddities.items() if o == "refer")[:2]
    decided: Rows = [
        [
            *(
                parcel,
                "far.min",
                "示例经办人乙",
                "专家论证后按 0.8 控制（示例）",
                f"示例会纪〔2026〕{at + 5}号",
            ),
            *(date(2026, 8, 3), until),
        ]
        for at, (parcel, until) in enumerate(
            # The second has run out: it counts no more from the day after.
            zip(referred, (date(2027, 8, 2), date(2026, 10, 31)), strict=True)
        )
    ]
    return {
        "报批批次": [
            ("批次地块", ("批次号", "批次名称", "批次类型", "地块编号"), members),
            ("批次进度", ("批次号", "事项", "日期", "状态", "工作日", "责任方", "文号"), STEPS),
        ],
        "要素台账": [("要素", CAPACITY_HEADERS, CAPACITIES)],
        "厂房台账": [("厂房", BUILDING_HEADERS, buildings)],
        "前期经费": [
            ("预算", ("经费科目", "年度", "金额（万元）", "文号"), BUDGET),
            ("使用", ("经费科目", "地块编号", "金额（万元）", "日期", "文号", "经办人"), commitments),
        ],
        "标准地范围": [
            ("范围", ("开发区类型", "土地用途", "生效日期", "是否必须", "文号"), SCOPE),
        ],
        "核定意见": [
            ("核定", ("地块编号", "规则编号", "经办人", "理由", "文号", "日期", "有效期至"), decided),
        ],
    }


def draw_networks(zones: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """
    Draw the land that the gas and heat networks serve, now and from an expected day on.

    Parameters
    ----------
    zones : GeoDataFrame
        As ``draw_zones`` gives; the last row is the second zone.

    Returns
    -------
    GeoDataFrame
        In EPSG:4526; one row is one network with its days and document.
    """
    core, _, park = zones.geometry.to_list()
    west, south, east, north = park.bounds
    north_half = shapely.box(west, (south + north) / 2, east, north).intersection(park)
    rows: list[tuple[str, Any, str | None, str | None, str]] = [
        ("通气", core, "2022-09-01", None, "示例燃气〔2022〕6号"),
        ("通热", core, "2023-11-01", None, "示例供热〔2023〕2号"),
        ("通气", north_half, None, "2027-06-30", "示例燃气〔2026〕3号"),
    ]
    return gpd.GeoDataFrame(
        {
            "事项": [item for item, *_ in rows],
            "日期": [on for _, _, on, _, _ in rows],
            "预计通达日": [expected for *_, expected, _ in rows],
            "责任方": ["示例燃气公司", "示例热力公司", "示例燃气公司"],
            "文号": [document for *_, document in rows],
        },
        geometry=[clean(shape) for _, shape, *_ in rows],
        crs=EPSG,
    )


def draw_outlines(parcels: gpd.GeoDataFrame, plan: Plan) -> gpd.GeoDataFrame:
    """
    Draw an outline of an old approval: it takes in parcels the ledger is silent of, one of them only in part.

    Parameters
    ----------
    parcels : GeoDataFrame
        ``parcel_id`` and outlines, in EPSG:4526.
    plan : Plan
        Those with the oddity ``no_approval`` are meant.

    Returns
    -------
    GeoDataFrame
        In EPSG:4526; two outlines with day and document.
    """
    silent = sorted(n for n, oddity in plan.oddities.items() if oddity == "no_approval")
    shapes = parcels.set_index("parcel_id").geometry.reindex(silent).to_list()
    west, south, east, north = shapes[1].bounds
    half = shapely.box(west - 30, south - 30, (west + east) / 2, north + 30)
    drawn = [shapes[0], half.intersection(shapes[1])]
    return gpd.GeoDataFrame(
        {
            "批次": ["示例县2019年第四批次（示例）", "示例县2020年第一批次（示例）"],
            "日期": ["2019-11-05", "2020-06-22"],
            "文号": ["示例政地字〔2019〕77号", "示例政地字〔2020〕12号"],
        },
        geometry=[shapely.union_all(parts(clean(shape))) for shape in drawn],
        crs=EPSG,
    )
