"""The ground of the sample: river, highway, zones, constraint layers, evaluations and heights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.random import Generator
from numpy.typing import NDArray
from shapely import LineString, Polygon

from landplan.demo.shapes import EPSG, clean, parts, place, random_stage, roughen

__all__ = [
    "DEM_CELL",
    "DEM_CORNER",
    "EXPANSION",
    "Ground",
    "draw_evaluations",
    "draw_extents",
    "draw_farmland",
    "draw_heights",
    "draw_redline",
    "draw_urban",
    "draw_zones",
    "lay_ground",
    "side",
    "unapproved",
]

EXPANSION = 1_830
"""East of this street the zone was enlarged in 2024; what lies there is not yet converted."""
PARK_BORDER = -860
"""West of about this street lies the second zone."""
PARK_JOGS = ((-640.0, -180.0, -95.0), (470.0, 700.0, 80.0))
"""Where the border cuts across lots instead."""
DEM_CELL = 30.0
DEM_CORNER = (38_362_400.0, 4_141_760.0)
DEM_SHAPE = (176, 300)
HILL = (3_560.0, 1_210.0)


@dataclass(frozen=True)
class Ground:
    """
    What lies in the sample's country before any parcel is drawn.

    Parameters
    ----------
    river, stream, highway : LineString
        Centre lines in EPSG:4526.
    barriers : shapely geometry
        Ground no block may take.
    """

    river: LineString
    stream: LineString
    highway: LineString
    barriers: Any


def lay_ground() -> Ground:
    """
    Lay the river, its stream and the highway.

    Returns
    -------
    Ground
        Lines in EPSG:4526 metres; no randomness.
    """
    u = np.linspace(-5_600, 5_600, 225)
    v = -1_170 + 250 * np.sin(u / 1_250 + 0.6) + 120 * np.sin(u / 420) - 25 * np.cos(u / 190)
    river = LineString(place(np.column_stack([u, v])))
    w = np.linspace(-1_120, 3_200, 90)
    stream = LineString(
        place(np.column_stack([-1_140 + 110 * np.sin(w / 420) + 40 * np.sin(w / 170), w])),
    )
    road = 770 - 0.2 * u + 55 * np.sin(u / 900)
    highway = LineString(place(np.column_stack([u, road])))
    barriers = shapely.union_all([river.buffer(96), stream.buffer(26), highway.buffer(34)])
    return Ground(river, stream, highway, barriers)


def side(plan_u: float, jogs: tuple[tuple[float, float, float], ...] = ()) -> Polygon:
    """
    Return everything east of a north-south street.

    Parameters
    ----------
    plan_u : float
        Where the street runs, in plan metres.
    jogs : tuple of (float, float, float)
        Stretches, from south to north, where the border leaves the street: from, to, and how far east.

    Returns
    -------
    Polygon
        In EPSG:4526 metres.
    """
    line = [(plan_u, v) for v in np.arange(-4_000, 4_001, 160.0)]
    for low, high, shift in jogs:
        inside = [(plan_u + shift, v) for v in np.linspace(low, high, 4)]
        step = [(plan_u, low), *inside, (plan_u, high)]
        line = [p for p in line if p[1] < low] + step + [p for p in line if p[1] > high]
    return Polygon(place([*line, (9_000.0, 4_000.0), (9_000.0, -4_000.0)]))


def unapproved() -> Polygon:
    """
    Return the ground in the north that no approval takes in: parcels there lie outside the zones, or astride.

    Returns
    -------
    Polygon
        In EPSG:4526 metres.
    """
    return Polygon(place([(-330, 1_130), (420, 1_190), (560, 1_380), (470, 2_400), (-330, 2_400)]))


def _frame(geometries: list[Any], **columns: list[Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=[clean(shape) for shape in geometries], crs=EPSG)


def _town(blocks: list[Polygon], reach: float) -> Any:
    """Return the town as one outline: its blocks with the streets between them."""
    outline = shapely.union_all(blocks).buffer(60).buffer(reach - 60).simplify(3)
    return shapely.union_all(
        [
            Polygon(piece.exterior, [ring for ring in piece.interiors if Polygon(ring).area > 60_000])
            for piece in parts(outline)
        ]
    )


def _oval(middle: tuple[float, float], size: Any, rng: Generator, shortest: float = 25) -> Polygon:
    turn = np.linspace(0, 2 * np.pi, 13)
    ring = place(np.asarray(middle) + np.column_stack([np.cos(turn), np.sin(turn)]) * size)
    ring[-1] = ring[0]
    return max(parts(Polygon(roughen(ring, rng, shortest, 0.09)).buffer(0)), key=lambda piece: piece.area)


def _wood() -> Polygon:
    """Return the wood on the hill."""
    return _oval(HILL, (520, 400), random_stage(13), 16)


def draw_zones(blocks: list[Polygon]) -> gpd.GeoDataFrame:
    """
    Draw the boundaries of the two zones; the first has two versions.

    Parameters
    ----------
    blocks : list of Polygon
        Blocks of the town.

    Returns
    -------
    GeoDataFrame, 3 rows
        In EPSG:4526; Chinese column names; areas in 平方公里 to two decimals.
    """
    town = _town(blocks, 22)
    town = town.difference(unapproved())
    east = town.intersection(side(PARK_BORDER, PARK_JOGS))
    park = town.difference(side(PARK_BORDER, PARK_JOGS))
    core = east.difference(side(EXPANSION))
    shapes = [shapely.union_all(parts(shape)[:6]) for shape in (core, east, park)]
    return _frame(
        shapes,
        开发区代码=["SL01", "SL01", "SL02"],
        开发区名称=["示例经济技术开发区", "示例经济技术开发区", "示例高新园"],
        级别=["省级", "省级", "省级"],
        类型=["工业类", "工业类", "工业类"],
        **{"批准面积（平方公里）": [round(shape.area / 1e6, 2) for shape in shapes]},
        生效日期=["2018-10-01", "2024-01-01", "2020-03-01"],
        失效日期=["2024-01-01", None, None],
    )


def draw_farmland(blocks: list[Polygon], ground: Ground, lots: list[Polygon]) -> gpd.GeoDataFrame:
    """
    Draw permanent basic farmland round the town: ragged fields with villages cut out of them.

    Parameters
    ----------
    blocks : list of Polygon
        Blocks of the town, which the fields keep clear of.
    ground : Ground
        River, stream and highway.
    lots : list of Polygon
        Parcels a field reaches into, each at its corner farthest from the origin of the town.

    Returns
    -------
    GeoDataFrame
        In EPSG:4526; fields of the YJJBNTTB layer; areas in m2.
    """
    rng = random_stage(10)
    nodes = {
        (i, j): place([(u + rng.uniform(-150, 150), v + (i % 2) * 170 + rng.uniform(-95, 95))])[0]
        for i, u in enumerate(np.arange(-4_700, 4_900, 520))
        for j, v in enumerate(np.arange(-2_600, 2_700, 390))
    }
    edges = [
        LineString(roughen([start, nodes[far]], rng, 24, 0.085))
        for (i, j), start in nodes.items()
        for far in ((i + 1, j), (i, j + 1))
        if far in nodes
    ]
    cells = shapely.polygonize([shapely.unary_union(edges)])
    fields = [clean(cell) for cell in cells.geoms if cell.area > 3e4]
    fields.sort(key=lambda cell: (round(cell.centroid.x), round(cell.centroid.y)))
    rim = np.vstack([shapely.get_coordinates(piece.exterior) for piece in parts(_town(blocks, 34))[:1]])
    keep = Polygon(roughen(rim, rng, 60, 0.06)).buffer(0).union(shapely.union_all(blocks).buffer(14))
    villages = [
        _oval((rng.uniform(-4_300, 4_300), rng.uniform(-2_400, 2_500)), size, rng)
        for size in [*rng.uniform(40, 120, (52, 2)), *rng.uniform(160, 400, (16, 2))]
    ]
    water = [ground.river.buffer(150), ground.stream.buffer(32)]
    free = shapely.union_all([keep, *water, ground.highway.buffer(40), _wood(), *villages])
    shapes = []
    for field in fields:
        if rng.random() < 0.09:
            continue
        # A farm track of some metres runs round every field.
        tilled = field.buffer(-rng.uniform(1.5, 4)).difference(free)
        shapes += [piece for piece in parts(tilled) if piece.area > 6_000]
    middle = place([(0.0, 0.0)])[0]
    for lot in lots:
        corners = shapely.get_coordinates(lot)
        far = corners[np.hypot(*(corners - middle).T).argmax()]
        turn = np.linspace(0, 2 * np.pi, 9)
        ring = far + np.column_stack([np.cos(turn), np.sin(turn)]) * rng.uniform(45, 80)
        ring[-1] = ring[0]
        shapes.append(parts(Polygon(roughen(ring, rng, 9, 0.1)).buffer(0))[0])
    kinds = rng.random(len(shapes)) < 0.7
    count = range(1, len(shapes) + 1)
    return _frame(
        shapes,
        BSM=[f"SL{n:08d}" for n in count],
        YSDM=["示例"] * len(shapes),
        XZQMC=["示例县"] * len(shapes),
        YJJBNTTBBH=[f"{n:05d}" for n in count],
        DLBM=["0102" if wet else "0103" for wet in kinds],
        DLMC=["水浇地" if wet else "旱地" for wet in kinds],
        YJJBNTTBMJ=[round(shape.area, 2) for shape in shapes],
        SJNF=[2023] * len(shapes),
    )


def draw_redline(ground: Ground, blocks: list[Polygon], lots: list[Polygon]) -> gpd.GeoDataFrame:
    """
    Draw the ecological red line: the river's banks, and the wood on the hill.

    Parameters
    ----------
    ground : Ground
        The river.
    blocks : list of Polygon
        Blocks of the town, which the wood and the banks keep clear of.
    lots : list of Polygon
        Riverside parcels the red line reaches into.

    Returns
    -------
    GeoDataFrame, 2 rows
        In EPSG:4526; fields of the STBHHX layer; areas in m2.
    """
    rng = random_stage(11)
    at = np.linspace(0, ground.river.length, 120)
    centre = shapely.get_coordinates(ground.river.interpolate(at))
    along = np.gradient(centre, axis=0)
    across = np.column_stack([-along[:, 1], along[:, 0]]) / np.hypot(*along.T)[:, None]
    left = centre + across * (74 + 14 * np.sin(at / 610))[:, None]
    right = centre - across * (72 + 15 * np.sin(at / 740 + 1))[:, None]
    ring = np.vstack([roughen(left, rng, 18, 0.08), roughen(right[::-1], rng, 18, 0.08)])
    banks = parts(Polygon(ring).buffer(0))[0].difference(shapely.union_all(blocks).buffer(2))
    reach = shapely.union_all([lot.intersection(ground.river.buffer(130)) for lot in lots])
    joined = shapely.union_all([banks, reach, reach.buffer(45).intersection(ground.river.buffer(130))])
    others = shapely.union_all([block for block in blocks if not block.intersects(reach)]).buffer(2)
    rest = shapely.union_all(blocks).difference(shapely.union_all(lots)).buffer(0.05)
    banks = parts(joined.difference(others).difference(rest))[0]
    wood = _wood().difference(shapely.union_all(blocks).buffer(20))
    shapes = [banks, parts(wood)[0]]
    return _frame(
        shapes,
        BSM=["SL00000001", "SL00000002"],
        YSDM=["示例", "示例"],
        SJXZQMC=["示例市", "示例市"],
        XJXZQMC=["示例县", "示例县"],
        LHLX=["示例河流生态保护红线", "示例水土保持生态保护红线"],
        MJ=[round(shape.area, 2) for shape in shapes],
    )


def draw_urban(blocks: list[Polygon]) -> gpd.GeoDataFrame:
    """
    Draw the urban boundary in its two parts; it cuts through a block in the north-west.

    Parameters
    ----------
    blocks : list of Polygon
        Blocks of the town.

    Returns
    -------
    GeoDataFrame, 2 rows
        In EPSG:4526; fields of the CZKFBJ layer; areas in m2.
    """
    beyond = Polygon(place([(-2_860, 700), (-2_740, 3_000), (-6_000, 3_000), (-6_000, 760)]))
    town = _town(blocks, 40).difference(beyond)
    east = side(EXPANSION)
    shapes = [town.difference(east), town.intersection(east)]
    return _frame(
        [shapely.union_all(parts(shape)) for shape in shapes],
        BSM=["SL00000001", "SL00000002"],
        YSDM=["示例", "示例"],
        XZQMC=["示例县", "示例县"],
        GHFQMC=["城镇集中建设区", "城镇弹性发展区"],
        MJ=[round(shape.area, 2) for shape in shapes],
    )


def draw_extents(blocks: list[Polygon], west_edge: float) -> dict[str, gpd.GeoDataFrame]:
    """
    Draw for what ground the constraint layers were surveyed.

    Parameters
    ----------
    blocks : list of Polygon
        Blocks of the town.
    west_edge : float
        Easting in EPSG:4526 west of which nobody surveyed the farmland.

    Returns
    -------
    dict of str to GeoDataFrame
        ``调查范围`` for farmland, ``规划范围`` for the planned layers; one row each, EPSG:4526.
    """
    west, south, east, north = shapely.union_all(blocks).bounds
    survey = Polygon(
        [
            (west_edge, south - 700),
            (west_edge, north + 750),
            ((west + east) / 2, north + 800),
            (east + 820, north + 640),
            (east + 900, south - 560),
            ((west + east) / 2, south - 820),
        ]
    )
    plan = shapely.box(west - 900, south - 900, east + 900, north + 900)
    return {
        "调查范围": _frame([survey], 名称=["示例永久基本农田调查范围"], 年份=[2023]),
        "规划范围": _frame([plan], 名称=["示例国土空间规划范围"], 年份=[2023]),
    }


def draw_evaluations(blocks: list[Polygon]) -> gpd.GeoDataFrame:
    """
    Draw what the seven area evaluations cover, and until when.

    Parameters
    ----------
    blocks : list of Polygon
        Blocks of the town.

    Returns
    -------
    GeoDataFrame
        In EPSG:4526; one row is one approved document over one area.
    """
    town = _town(blocks, 48)
    east = town.intersection(side(PARK_BORDER - 30))
    park = town.difference(side(PARK_BORDER + 30))
    core, added = east.difference(side(EXPANSION + 25)), east.intersection(side(EXPANSION - 25))
    corner = Polygon(place([(-5_000, -300), (-2_560, -260), (-2_600, -2_600), (-5_000, -2_600)]))
    wash = Polygon(place([(2_180, 480), (2_300, 560), (5_000, 640), (5_000, 3_000), (2_120, 3_000)]))
    rows: list[tuple[str, Any, str, str]] = [
        ("区域环境影响评价", east, "2024-03-18", "2029-03-17"),
        ("区域环境影响评价", park, "2023-06-05", "2028-06-04"),
        ("地质灾害危险性评估", town, "2024-01-22", "2029-01-21"),
        # The eastern wash was left for a later study: parcels there are not covered.
        ("洪水影响评价", town.difference(wash), "2023-11-10", "2028-11-09"),
        ("水土保持评价", core, "2023-04-12", "2028-04-11"),
        ("水土保持评价", added, "2024-05-20", "2029-05-19"),
        ("水土保持评价", park, "2023-04-12", "2028-04-11"),
        ("压覆重要矿产资源评估", town, "2023-09-01", "2028-08-31"),
        ("地震安全性评价", town, "2022-08-15", "2032-08-14"),
        ("考古调查勘探", east, "2023-07-07", "2028-07-06"),
        ("考古调查勘探", park.difference(corner), "2023-07-07", "2028-07-06"),
        ("考古调查勘探", park.intersection(corner.buffer(10)), "2020-09-01", "2025-08-31"),
    ]
    return _frame(
        [shapely.union_all(parts(shape)) for _, shape, _, _ in rows],
        评估事项=[item for item, _, _, _ in rows],
        批准文号=[f"示例评审〔{on[:4]}〕{n}号" for n, (_, _, on, _) in enumerate(rows, start=1)],
        批准日期=[on for _, _, on, _ in rows],
        有效期至=[until for _, _, _, until in rows],
    )


def draw_heights(ground: Ground) -> NDArray[np.float32]:
    """
    Model the heights: a plain falling to the river, and one steep hillside in the east.

    Parameters
    ----------
    ground : Ground
        The river.

    Returns
    -------
    numpy.ndarray of float32, 176 rows by 300 columns
        Metres to a decimetre in cells of ``DEM_CELL`` from ``DEM_CORNER``; -9999 where no height is known.
    """
    rows, columns = np.indices(DEM_SHAPE)
    east = DEM_CORNER[0] + (columns + 0.5) * DEM_CELL
    north = DEM_CORNER[1] - (rows + 0.5) * DEM_CELL
    river = shapely.distance(shapely.points(east, north), ground.river)
    hill_east, hill_north = place([HILL])[0]
    away = np.hypot((east - hill_east) / 1.15, north - hill_north)
    height = 781 + 0.0065 * river - 4 * np.exp(-((river / 60) ** 2)) + 230 * np.exp(-((away / 480) ** 2))
    height += 2.2 * np.sin(east / 610) * np.cos(north / 470) + random_stage(12).normal(0, 0.15, DEM_SHAPE)
    known = (columns < 268) | (rows > 18 - 0.25 * (columns - 268))
    known &= ~((columns < 14) & (rows < 40))
    return np.where(known, np.round(height, 1), -9999).astype(np.float32)
