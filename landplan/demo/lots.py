"""The parcels of the sample: a sound tiling, awkward shapes put in on purpose, numbers and stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import geopandas as gpd
import numpy as np
import shapely
from numpy.random import Generator
from numpy.typing import NDArray
from shapely import LineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from landplan.demo.ground import EXPANSION, Ground, side, unapproved
from landplan.demo.shapes import EPSG, ORIGIN, clean, cut_lots, place, random_stage, roughen

__all__ = [
    "GOLDEN",
    "GOLDEN_CORNER",
    "UNMEASURED",
    "draw_parcels",
    "leave_open",
    "pick_caught",
    "survey_edge",
]

GOLDEN = "A-2"
GOLDEN_CORNER = (38_367_990, 4_139_520)
"""South-west corner of the golden parcel, a 100 m square east of 112.5E (EPSG:4526)."""

UNMEASURED = ("bowtie", "overlap", "sliver")
"""Kinds that spoil the tiling."""


def leave_open(blocks: list[Polygon]) -> list[Polygon]:
    """
    Leave some blocks without parcels: villages, parks, what was built long ago.

    Parameters
    ----------
    blocks : list of Polygon
        Blocks of the town.

    Returns
    -------
    list of Polygon
        Blocks to be cut into lots; the golden parcel's block is not among them.
    """
    rng = random_stage(2)
    home = shapely.box(*GOLDEN_CORNER, GOLDEN_CORNER[0] + 100, GOLDEN_CORNER[1] + 100)
    return [block for block in blocks if rng.random() > 0.215 and not block.intersects(home)]


def _shuffled(lots: gpd.GeoDataFrame, rng: Generator, fit: Callable[[Polygon], bool]) -> Iterator[int]:
    """Go through the plain lots that fit, in random order."""
    for row in rng.permutation(len(lots)):
        if lots.at[row, "kind"] == "plain" and fit(lots.geometry.iloc[row]):
            yield int(row)


def _longest_edge(line: Polygon | LineString) -> tuple[int, float]:
    points = shapely.get_coordinates(line)
    lengths = np.hypot(*np.diff(points, axis=0).T)
    return int(lengths.argmax()), float(lengths.max())


def _dig_holes(lots: gpd.GeoDataFrame, rng: Generator) -> list[Polygon]:
    """Take holes out of seven lots; return the two that are parcels of their own (a substation in a lot)."""
    islands: list[Polygon] = []
    for count, row in enumerate(_shuffled(lots, rng, lambda lot: lot.area > 38_000)):
        if count == 7:
            break
        lot = lots.geometry.iloc[row]
        middle = np.asarray(shapely.maximum_inscribed_circle(lot, 1.0).coords[0])
        turn = np.linspace(0, 2 * np.pi, 8)
        for shift in ([0.0], [-38.0, 34.0])[count == 3]:
            circle = np.column_stack([np.cos(turn), np.sin(turn)]) * rng.uniform(16, 30)
            ring = middle + circle + [shift, shift / 3]
            ring[-1] = ring[0]
            hole = clean(Polygon(roughen(ring, rng, 9, 0.12)))
            lot = shapely.normalize(lot.difference(hole))
            if count in (1, 5):
                islands.append(hole)
        lots.loc[row, ["geometry", "kind"]] = [lot, "hole"]
    return islands


def _join_across_streets(lots: gpd.GeoDataFrame, rng: Generator) -> list[int]:
    """Make six parcels of two lots each, that face each other over a street; return the rows used up."""
    used: list[int] = []
    for row in _shuffled(lots, rng, lambda lot: 12_000 < lot.area < 45_000):
        lot = lots.geometry.iloc[row]
        every = lots.geometry.to_numpy()
        near = shapely.distance(every, lot)
        facing = np.flatnonzero((near > 5) & (near < 32) & (lots["kind"] == "plain").to_numpy())
        facing = facing[shapely.area(shapely.intersection(every[facing], lot.buffer(50))) > 2_500]
        if not len(facing) or row in used or facing[0] in used:
            continue
        pair = MultiPolygon([lot, lots.geometry.iloc[facing[0]]])
        lots.loc[row, ["geometry", "kind"]] = [shapely.normalize(pair), "multipart"]
        lots.loc[facing[0], "kind"] = "used"
        used.append(int(facing[0]))
        if len(used) == 6:
            break
    return used


def _draw_slivers(lots: gpd.GeoDataFrame, every: BaseGeometry, rng: Generator) -> list[Polygon]:
    """Draw three strips left over between a lot and its street, each on a whole edge of the lot."""
    strips: list[Polygon] = []
    for row in _shuffled(lots, rng, lambda lot: _longest_edge(lot.exterior)[1] > 60):
        points = shapely.get_coordinates(lots.geometry.iloc[row].exterior)
        at, length = _longest_edge(lots.geometry.iloc[row].exterior)
        start, end = points[at], points[at + 1]
        # Rings of a normalised polygon run clockwise: the outside is on the left.
        out = np.array([start[1] - end[1], end[0] - start[0]]) / length * rng.uniform(0.5, 0.85)
        along = (end - start) / length * 2
        strip = Polygon(np.round([start, start + out + along, end + out - along, end], 3))
        if strip.intersection(every).area < 1e-6:
            strips.append(shapely.normalize(strip))
        if len(strips) == 3:
            break
    return strips


def _overlap_neighbours(lots: gpd.GeoDataFrame, rng: Generator) -> None:
    """Let one lot reach over the edge it shares with its neighbour by some 45 m2."""
    for row in _shuffled(lots, rng, lambda lot: len(lot.exterior.coords) < 14 and lot.area > 15_000):
        lot = lots.geometry.iloc[row]
        points = shapely.get_coordinates(lot.exterior)
        at, length = _longest_edge(lot.exterior)
        edge = LineString(points[at : at + 2])
        shared = shapely.length(shapely.intersection(lots.geometry.to_numpy(), edge))
        along = np.flatnonzero(shared > length - 1)
        beside = [i for i in along if i != row and lots.at[i, "kind"] == "plain"]
        if not beside or length < 70:
            continue
        step = points[at + 1] - points[at]
        out = np.array([-step[1], step[0]]) / length
        bulge = np.round((points[at] + points[at + 1]) / 2 + out * 90 / length, 3)
        grown = Polygon(np.insert(points, at + 1, bulge, axis=0))
        lots.loc[row, ["geometry", "kind"]] = [shapely.normalize(grown), "overlap"]
        lots.loc[beside[0], "kind"] = "overlap"
        return


def _tie_a_bow(lots: gpd.GeoDataFrame, rng: Generator) -> None:
    """Put two corners of one lot in the wrong order."""
    for row in _shuffled(lots, rng, lambda lot: len(lot.exterior.coords) < 12):
        points = shapely.get_coordinates(lots.geometry.iloc[row].exterior)
        at, length = _longest_edge(lots.geometry.iloc[row].exterior)
        if not 60 < length < 160 or at == 0 or at + 2 >= len(points):
            continue
        points[[at, at + 1]] = points[[at + 1, at]]
        tied = Polygon(points)
        if not tied.is_valid:
            lots.loc[row, ["geometry", "kind"]] = [tied, "bowtie"]
            return


def _number(lots: gpd.GeoDataFrame) -> list[str]:
    """Number the lots by district, north-west to south-east; A-002 stays free, lest it be taken for A-2."""
    middle = shapely.get_coordinates(shapely.centroid(lots.geometry.to_numpy())) - ORIGIN
    bands = np.digitize(middle[:, 0], [-1_700, -900, 0, 900, 1_900])
    rows = (middle[:, 1] < 180 + 0.11 * middle[:, 0]).astype(int)
    home = 4
    letters = dict(zip([home, *(d for d in range(12) if d != home)], "ABCDEFGHJKLM", strict=True))
    district = bands + 6 * rows
    order = np.lexsort([middle[:, 0], -np.round(middle[:, 1] / 180), district])
    numbers = [""] * len(lots)
    last: dict[int, int] = {}
    for row in order:
        own = int(district[row])
        last[own] = last.get(own, 0) + 1 + (own == home and last.get(own, 0) == 1)
        numbers[row] = f"{letters[own]}-{last[own]:03d}"
    return numbers


def draw_parcels(blocks: list[Polygon], ground: Ground) -> gpd.GeoDataFrame:
    """
    Draw the parcels.

    Parameters
    ----------
    blocks : list of Polygon
        Blocks to cut, in EPSG:4526 metres.
    ground : Ground
        The river, beyond which another township begins.

    Returns
    -------
    GeoDataFrame
        In EPSG:4526, sorted by ``parcel_id``, with ``kind`` (plain, hole, multipart, sliver, overlap, bowtie,
        golden), ``stage`` (stock, incremental) and ``township``.
    """
    rng = random_stage(3)
    tiles = cut_lots(blocks, rng)
    lots = gpd.GeoDataFrame({"kind": ["plain"] * len(tiles)}, geometry=tiles, crs=EPSG)
    islands = _dig_holes(lots, rng)
    _join_across_streets(lots, rng)
    _overlap_neighbours(lots, rng)
    _tie_a_bow(lots, rng)
    strips = _draw_slivers(lots, shapely.union_all(tiles), rng)
    lots = lots[lots["kind"] != "used"]
    shapes = [*lots.geometry, *islands, *strips]
    kinds = [*lots["kind"], *["plain"] * len(islands), *["sliver"] * len(strips)]
    lots = gpd.GeoDataFrame({"kind": kinds}, geometry=shapes, crs=EPSG)
    lots["parcel_id"] = _number(lots)
    square = shapely.box(*GOLDEN_CORNER, GOLDEN_CORNER[0] + 100, GOLDEN_CORNER[1] + 100)
    shapes, kinds, numbers = [*lots.geometry, square], [*lots["kind"], "golden"], [*lots["parcel_id"], GOLDEN]
    lots = gpd.GeoDataFrame({"parcel_id": numbers, "kind": kinds}, geometry=shapes, crs=EPSG)
    lots = lots.sort_values("parcel_id", ignore_index=True)
    middle = shapely.point_on_surface(shapely.make_valid(lots.geometry.to_numpy()))
    added = side(EXPANSION)
    raw = shapely.within(middle, added) | shapely.within(middle, unapproved())
    lots["stage"] = np.where(raw, "incremental", "stock")
    river = shapely.get_coordinates(ground.river)
    x, y = shapely.get_coordinates(middle).T
    south = y < np.interp(x, *river[np.argsort(river[:, 0])].T)
    west = shapely.distance(middle, Point(place([(-2_400, 0)])[0])) < 1_650
    lots["township"] = np.select([south, west], ["范例街道", "样例乡"], "示例镇")
    return lots


def pick_caught(parcels: gpd.GeoDataFrame, blocks: list[Polygon], ground: Ground) -> dict[str, list[Polygon]]:
    """
    Pick the parcels that farmland and the red line reach into.

    Parameters
    ----------
    parcels : GeoDataFrame
        From ``draw_parcels``.
    blocks : list of Polygon
        Blocks of the town, whose rim the farmland touches.
    ground : Ground
        The river.

    Returns
    -------
    dict of str to list of Polygon
        ``farmland``: five parcels still to be converted and one of the stock, at the rim of the town, whose
        neighbours may be caught too; ``redline``: four at the river, of which the red line catches those its
        banks can reach.
    """
    plain = parcels[parcels["kind"] == "plain"]
    outline = shapely.union_all(blocks).buffer(60).buffer(-60)
    rim = np.asarray(shapely.distance(plain.geometry.to_numpy(), outline.convex_hull.boundary))
    bank = np.asarray(shapely.distance(plain.geometry.to_numpy(), ground.river))
    raw = (plain["stage"] == "incremental").to_numpy()

    def nearest(
        distance: NDArray[np.float64], who: NDArray[np.bool_], count: int, step: int
    ) -> list[Polygon]:
        order = [i for i in np.argsort(distance, kind="stable") if who[i]]
        return [plain.geometry.iloc[i] for i in order[: count * step : step]]

    return {
        "farmland": nearest(rim, raw, 5, 2) + nearest(rim, ~raw, 1, 1),
        "redline": nearest(bank, ~raw, 3, 4) + nearest(bank, raw, 1, 1),
    }


def survey_edge(parcels: gpd.GeoDataFrame) -> float:
    """
    Find how far west the farmland was surveyed: six parcels are left out, in whole or in part.

    Parameters
    ----------
    parcels : GeoDataFrame
        From ``draw_parcels``.

    Returns
    -------
    float
        Easting in EPSG:4526.
    """
    edges = np.sort(parcels.geometry.bounds["minx"].to_numpy())
    return float(np.floor(edges[5:7].mean()))
