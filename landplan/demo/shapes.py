"""
Shapes that look surveyed: bent streets, the blocks between them, lots cut from blocks, ragged outlines.

Plan coordinates are metres east and north of ``ORIGIN`` in EPSG:4526, some 330 m west of 112.5E.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.random import PCG64, Generator
from numpy.typing import NDArray
from shapely import LineString, Polygon
from shapely.ops import polygonize, split

__all__ = ["EPSG", "ORIGIN", "clean", "cut_blocks", "cut_lots", "parts", "place", "random_stage", "roughen"]

EPSG = 4526
ORIGIN = (38_366_800.0, 4_139_000.0)
SEED = 20261120
GRID = 0.001
"""Coordinates are kept to the millimetre, as survey files are."""

# fmt: off
COLUMNS = (
    -3420, -2990, -2600, -2130, -1720, -1230, -860, -400, 20, 520, 900, 1380, 1790, 2260, 2640, 3090, 3460,
)
# fmt: on
ROWS = (-1560, -1190, -760, -420, 30, 390, 860, 1210, 1590)
ARTERIAL_COLUMNS = (3, 8, 12)
ARTERIAL_ROWS = (2, 6)

Points = NDArray[np.float64]


def random_stage(stage: int) -> Generator:
    """
    Random numbers of one stage of the work, so that a change in one stage leaves the others as they were.

    Parameters
    ----------
    stage : int
        Number of the stage.

    Returns
    -------
    numpy.random.Generator
        PCG64, seeded by the sample's seed and the stage.
    """
    return Generator(PCG64([SEED, stage]))


def place(points: Any) -> Points:
    """
    Carry points of the straight street plan to where the bent streets run.

    Parameters
    ----------
    points : array_like, shape (n, 2)
        Plan coordinates in metres.

    Returns
    -------
    numpy.ndarray, shape (n, 2)
        EPSG:4526 easting and northing in metres.
    """
    u, v = np.asarray(points, dtype=np.float64).T
    x = u + 120 * np.sin(v / 800 + 0.4) + 45 * np.sin(u / 700 + v / 1100)
    y = v + 150 * np.sin(u / 1400 + 0.8) + 42 * np.sin(u / 520 - v / 700)
    turn = np.radians(6.5)
    east = x * np.cos(turn) - y * np.sin(turn) + ORIGIN[0]
    north = x * np.sin(turn) + y * np.cos(turn) + ORIGIN[1]
    return np.column_stack([east, north])


def clean(geometry: Any) -> Any:
    """
    Round to the millimetre, validly, in a normal order of rings and vertices.

    Parameters
    ----------
    geometry : shapely geometry
        Anything valid.

    Returns
    -------
    shapely geometry
        The same on a grid of 0.001 m.
    """
    return shapely.normalize(shapely.set_precision(geometry, GRID))


def parts(geometry: Any) -> list[Polygon]:
    """
    List the polygons a geometry is made of, largest first.

    Parameters
    ----------
    geometry : shapely geometry
        Of any type; lines and points are left out.

    Returns
    -------
    list of Polygon
        Largest first.
    """
    found = [piece for piece in shapely.get_parts(geometry) if isinstance(piece, Polygon)]
    return sorted(found, key=lambda piece: (-round(piece.area, 2), piece.bounds))


def roughen(points: Any, rng: Generator, shortest: float, share: float) -> Points:
    """
    Make a line ragged by moving the middles of its edges, again and again (midpoint displacement).

    Parameters
    ----------
    points : array_like, shape (n, 2)
        A line, or a ring whose last point repeats the first; its own points stay where they are.
    rng : numpy.random.Generator
        Where the raggedness comes from.
    shortest : float
        Edges shorter than this, in metres, are left alone.
    share : float
        Standard deviation of a move as a share of the edge.

    Returns
    -------
    numpy.ndarray, shape (m, 2)
        The ragged line.
    """
    line = np.asarray(points, dtype=np.float64)
    while True:
        step = np.diff(line, axis=0)
        length = np.hypot(step[:, 0], step[:, 1])
        long = length > shortest
        if not long.any():
            return line
        across = np.column_stack([-step[:, 1], step[:, 0]])
        middle = line[:-1] + step / 2 + across * rng.normal(0.0, share, len(step))[:, None]
        line = np.insert(line, np.flatnonzero(long) + 1, middle[long], axis=0)


def _streets(rng: Generator) -> tuple[list[LineString], list[LineString], Any]:
    """Return arterial streets, lesser streets and the cells of the town between them."""
    broad, narrow, every = [], [], []
    for index, column in enumerate(COLUMNS):
        for low, high in pairwise(ROWS):
            v = np.linspace(low, high, 15)
            every.append(LineString(place(np.column_stack([np.full_like(v, column), v]))))
            if index in ARTERIAL_COLUMNS:
                broad.append(every[-1])
            elif rng.random() > 0.14:
                narrow.append(every[-1])
    for index, row in enumerate(ROWS):
        for low, high in pairwise(COLUMNS):
            u = np.linspace(low, high, 15)
            every.append(LineString(place(np.column_stack([u, np.full_like(u, row)]))))
            if index in ARTERIAL_ROWS:
                broad.append(every[-1])
            elif rng.random() > 0.10:
                narrow.append(every[-1])
    centres = [((a + b) / 2, (c + d) / 2) for a, b in pairwise(COLUMNS) for c, d in pairwise(ROWS)]
    # A town grows along its main streets: a lopsided oval, frayed at the rim.
    oval = [abs((u + 0.25 * v) / 3350) ** 3 + abs(v / 1560) ** 3 for u, v in centres]
    kept = [centre for centre, far in zip(centres, oval, strict=True) if far < rng.uniform(0.72, 1.0)]
    cells = shapely.polygonize([shapely.unary_union(every)])
    wanted = shapely.points(place(kept))
    town = shapely.union_all([cell for cell in cells.geoms if shapely.intersects(cell, wanted).any()])
    return broad, narrow, town


def cut_blocks(barriers: Any, rng: Generator) -> list[Polygon]:
    """
    Cut the town into blocks by its streets and by what else lies across it.

    Parameters
    ----------
    barriers : shapely geometry
        Ground no block may take: the river's bank, the highway.
    rng : numpy.random.Generator
        Decides which streets were never built and how the rim frays.

    Returns
    -------
    list of Polygon
        Blocks above 1.1 ha, corners bevelled, in EPSG:4526 metres.
    """
    broad, narrow, town = _streets(rng)
    streets = [
        shapely.buffer(shapely.union_all(lines), wide, cap_style="flat", join_style="mitre")
        for lines, wide in ((broad, 26), (narrow, 13))
    ]
    ground = town.difference(shapely.union_all([*streets, town.boundary.buffer(13), barriers]))
    blocks = []
    for block in parts(ground):
        # Opening with bevelled joins cuts the corners drivers must see round.
        opened = block.buffer(-11, join_style="mitre").buffer(11, join_style="bevel").simplify(0.5)
        blocks += [piece for piece in parts(opened) if piece.area > 11_000]
    return blocks


def _across(polygon: Polygon, rng: Generator) -> LineString | None:
    """Draw a line across the longer side of a polygon, near the middle, now and then with a jog."""
    corners = shapely.get_coordinates(polygon.minimum_rotated_rectangle)[:4]
    a, b = corners[1] - corners[0], corners[3] - corners[0]
    if np.hypot(*a) < np.hypot(*b):
        a, b = b, a
    at = rng.uniform(0.38, 0.62)
    tilt = rng.normal(0.0, 0.045)
    jog, half = (rng.uniform(0.05, 0.11), rng.uniform(0.35, 0.65)) if rng.random() < 0.09 else (0.0, 0.5)
    frame = [(at - tilt, -0.1), (at, half), (at + jog, half), (at + jog + tilt, 1.1)]
    line = LineString([corners[0] + s * a + t * b for s, t in frame])
    # A centimetre of overshoot, or rounding leaves the line short of the edge it must meet.
    inside = line.intersection(polygon.buffer(0.01))
    return inside if isinstance(inside, LineString) and not inside.is_empty else None


def _notch(polygon: Polygon, rng: Generator, kind: str) -> LineString | None:
    """Draw the line that leaves an L (a corner taken out) or a U (a bay taken out of one side)."""
    corners = shapely.get_coordinates(polygon.minimum_rotated_rectangle)[:4]
    a, b = corners[1] - corners[0], corners[3] - corners[0]
    p, q = rng.uniform(0.42, 0.58, 2)
    frames = {
        "L": [(p, -0.1), (p + 0.02, q), (-0.1, q - 0.02)],
        "U": [(0.3, -0.1), (0.31, q), (0.69, q + 0.02), (0.7, -0.1)],
    }
    line = LineString([corners[0] + s * a + t * b for s, t in frames[kind]])
    inside = line.intersection(polygon.buffer(0.01))
    return inside if isinstance(inside, LineString) and len(inside.coords) == len(frames[kind]) else None


def cut_lots(blocks: list[Polygon], rng: Generator) -> list[Polygon]:
    """
    Cut blocks into lots that share their edges vertex by vertex.

    Parameters
    ----------
    blocks : list of Polygon
        Disjoint polygons in metres.
    rng : numpy.random.Generator
        Decides how large each lot becomes and where the lines run.

    Returns
    -------
    list of Polygon
        A valid coverage on a grid of 1 mm; bits under 0.25 ha are left to the street.
    """
    lots: list[Polygon] = []
    notches = 0
    for block in blocks:
        lines: list[Any] = [block.boundary]
        waiting = [block]
        usual = float(np.clip(rng.lognormal(10.85, 0.45), 26_000, 110_000))
        while waiting:
            piece = waiting.pop()
            wanted = usual * rng.uniform(0.85, 1.5)
            shape = ("L", "U")[notches % 2] if 20_000 < piece.area < 60_000 and rng.random() < 0.07 else ""
            if piece.area < wanted and not shape:
                continue
            line = _notch(piece, rng, shape) if shape else _across(piece, rng)
            if line is None:
                continue
            found = parts(split(piece, line))
            if len(found) < 2 or found[-1].area < 3_000:
                continue
            lines.append(line)
            notches += bool(shape)
            waiting += [] if shape else found
        # Noding all lines of a block at once gives neighbours the same vertices, T-junctions included.
        noded = shapely.unary_union(shapely.union_all(lines, grid_size=GRID), grid_size=GRID)
        lots += [clean(lot) for lot in polygonize(noded) if lot.area > 2_500]
    return sorted(lots, key=lambda lot: (round(lot.centroid.x), round(lot.centroid.y)))
