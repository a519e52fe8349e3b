"""Neighbours told apart by their coordinates: never another answer than by cutting, whichever way they are looked at."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
import worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landplan.repair import find_conflicts, repair_parcels
from landplan.repair import fit as fitting
from landplan.repair.fit import fit_neighbours

NEAR = 0.5
SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def blocks(draw):
    """Nine lots of a block that share bent borders; some are then moved, bent, thinned or doubled."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    corner = np.stack(np.meshgrid(np.arange(4.0), np.arange(4.0)), axis=-1) * 60 + rng.uniform(
        -5, 5, (4, 4, 2)
    )
    level = (corner[:, :-1] + corner[:, 1:]) / 2 + rng.uniform(-3, 3, (4, 3, 2))
    upright = (corner[:-1] + corner[1:]) / 2 + rng.uniform(-3, 3, (3, 4, 2))
    lots = []
    for row in range(3):
        for column in range(3):
            around = [
                *(corner[row, column], level[row, column], corner[row, column + 1], upright[row, column + 1]),
                *(corner[row + 1, column + 1], level[row + 1, column], corner[row + 1, column]),
                upright[row, column],
            ]
            lots.append(np.round(worlds.move(np.array(around)), 4))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, 8))
        kind = draw(st.sampled_from(["moved", "bent", "thinned", "turned", "gone"]))
        by = rng.normal(0, draw(st.sampled_from([0.005, 0.05, 0.3, 3.0])), 2)
        if kind == "moved":
            lots[at] = lots[at] + by
        elif kind == "bent":
            lots[at][draw(st.integers(0, 7)) % len(lots[at])] += by
        elif kind == "thinned" and len(lots[at]) > 5:
            lots[at] = np.delete(lots[at], draw(st.integers(0, len(lots[at]) - 1)), axis=0)
        elif kind == "turned":
            lots[at] = lots[at][::-1]
        elif kind == "gone":
            lots[at] = lots[at] + 5000.0 * (at + 1)
    shapes = np.array([shapely.Polygon(lot) for lot in lots])
    if draw(st.booleans()):
        shapes = np.append(shapes, shapes[draw(st.integers(0, 8))])
    return shapes[shapely.is_valid(shapes)]


@SOME
@given(blocks())
def test_shapes_that_overlap_are_never_called_fitting(shapes):
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    common = shapely.area(shapely.intersection(shapes[first], shapes[second]))
    over = {(a, b) for a, b, area in zip(first, second, common, strict=True) if a < b and area > 1e-6}
    assert over <= set(map(tuple, fit_neighbours(shapes, NEAR).pairs.tolist()))


@SOME
@given(blocks())
def test_land_between_shapes_is_never_passed_over(shapes):
    """Everything that closing finds between all shapes lies in the groups that are in doubt."""
    whole = shapely.union_all(shapes)
    half = NEAR / 2
    closed = shapely.buffer(shapely.buffer(whole, half, join_style="mitre"), -half, join_style="mitre")
    strips = shapely.get_parts(shapely.difference(closed, whole))
    holes = [shapely.Polygon(ring) for part in shapely.get_parts(whole) for ring in part.interiors]
    width = 2 * shapely.area(strips) / np.maximum(shapely.length(strips), 1e-12)
    long = (shapely.area(strips) > 0.01) & (width > 0.01) & (shapely.length(strips) / 2 > 20 * width)
    doubtful = {at for group in fit_neighbours(shapes, NEAR).groups for at in group.tolist()}
    for gap in [*strips[long], *holes]:
        beside = np.flatnonzero(shapely.dwithin(shapes, gap, 0.01)).tolist()
        assert len(beside) < 2 or set(beside) <= doubtful


@SOME
@given(blocks())
def test_compiled_or_not_the_answer_is_the_same(shapes):
    pytest.importorskip("numba")
    was = fitting._SMALL
    try:
        fitting._SMALL = 10**9
        plain = fit_neighbours(shapes, NEAR)
        fitting._SMALL = 0
        compiled = fit_neighbours(shapes, NEAR)
    finally:
        fitting._SMALL = was
    assert plain.pairs.tolist() == compiled.pairs.tolist()
    assert [group.tolist() for group in plain.groups] == [group.tolist() for group in compiled.groups]


@pytest.mark.parametrize("odd", ["none", "one far away", "one over all", "all in one place"])
def test_the_grid_finds_the_pairs_the_tree_finds(odd):
    loop = pytest.importorskip("landplan.repair.fit_loop")
    rng = np.random.default_rng(5)
    low = rng.uniform(0, 1 if odd == "all in one place" else 3000, (1500, 2))
    high = low + rng.uniform(1, 90, low.shape)
    if odd == "one far away":
        low[7], high[7] = (9e5, 0), (9e5 + 40, 40)
    elif odd == "one over all":
        low[7], high[7] = (-10, -10), (3100, 3100)
    parts = shapely.box(*low.T, *high.T)
    boxes = shapely.bounds(parts)
    tree, grid = (np.unique(way.find_pairs(parts, boxes, NEAR), axis=0) for way in (fitting, loop))
    assert len(loop.find_pairs(parts, boxes, NEAR)) == len(grid) > 1000
    assert grid.tolist() == tree.tolist()


@SOME
@given(blocks(), blocks())
def test_what_is_found_of_a_block_is_the_same_wherever_other_blocks_are(one, other):
    far = shapely.transform(other, lambda points: points + np.array([2000.0, 0.0]))

    def told(shapes):
        index = pd.Index([f"P{at}" for at in range(len(shapes))], name="parcel_id")
        parcels, _ = repair_parcels(geopandas.GeoDataFrame(geometry=shapes, index=index, crs=4547))
        return [(i.parcel_id, i.code, i.value) for i in find_conflicts(parcels)]

    alone = told(one)
    assert [row for row in told(np.concatenate([one, far])) if int(row[0][1:]) < len(one)] == alone


def test_a_whole_block_that_fits_leaves_nothing_to_cut():
    squares = np.array([worlds.box(x, y, 100) for x in (0, 100, 200) for y in (0, 100)])
    found = fit_neighbours(squares, NEAR)
    assert len(found.pairs) == 0
    assert found.groups == []


def test_a_hole_that_eight_lots_leave_between_them_is_looked_at():
    lots = [worlds.box(x, y, 100) for x in (0, 100, 200) for y in (0, 100, 200) if (x, y) != (100, 100)]
    assert [group.tolist() for group in fit_neighbours(np.array(lots), NEAR).groups] == [list(range(8))]


def test_a_lot_in_the_midst_of_another_is_looked_at():
    lots = np.array([worlds.box(0, 0, 100), worlds.box(40, 40, 10)])
    assert fit_neighbours(lots, NEAR).pairs.tolist() == [[0, 1]]
