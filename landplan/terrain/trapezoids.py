"""
The same sums by signed trapezoids, compiled by numba: for large jobs (``pip install landplan[fast]``).

A polygon is a signed sum of trapezoids to the east of its edges. Each edge leaves in every row the part of the cells it
crosses, and the running sum along the row is the covered share of each cell.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import shapely

from landplan.cores import count_threads
from landplan.errors import Fault, UsageError
from landplan.terrain.shapes import Placed, Window

__all__ = ["Trapezoids"]

_STEPS = {"all": 0, "sums": 1, "cut": 2}
_BATCH = 256  # parcels below which a second thread costs more than it brings


class Trapezoids:
    """
    Edges of parcels, laid out once.

    Parameters
    ----------
    placed : Placed
        The parcels, in cells.

    Raises
    ------
    UsageError
        If numba is not installed.
    """

    def __init__(self, placed: Placed) -> None:
        self._work = _compiled()
        self._placed = placed
        _, coordinates, offsets = shapely.to_ragged_array(placed.shapes, include_z=False)
        # Rings by their vertices, polygons by their rings, and parcels of several parts by their polygons.
        starts, polygons, *parts = (np.asarray(level, dtype=np.int64) for level in offsets)
        owners = polygons[parts[0]] if parts else polygons
        shell = np.zeros(len(starts) - 1, dtype=np.bool_)
        shell[polygons[:-1]] = True
        coordinates = placed.into_cells(coordinates)
        self._edges = (coordinates, starts, shell, owners)

    def add(self, chosen: Any, strip: tuple[int, int] | None, window: Window, step: str, out: Any) -> None:
        """
        Add the cells that parcels cover to their sums.

        Parameters
        ----------
        chosen : array of int
            Parcels to work on, whose rows and columns the window holds.
        strip : (int, int) or None
            Only these rows of the grid; None for all.
        window : Window
            Heights, and what is asked of them.
        step : {"all", "sums", "cut"}
            Sums of heights and slopes, the cut above the mean height that is known by then, or both.
        out : array, n x 9
            Changed; see ``measure``.
        """
        first, last = strip or (-(2**62), 2**62)
        placed, least = self._placed, self._placed.least

        def run(part: Any) -> None:
            self._work(
                part, *self._edges, placed.windows, least, first, last, window.heights, window.top,
                window.left, window.cell_x, window.cell_y, window.steep_deg, _STEPS[step], out,
            )  # fmt: skip

        threads = min(count_threads(), len(chosen) // _BATCH, 8)
        if threads < 2:
            run(chosen)
            return
        with ThreadPoolExecutor(threads) as pool:
            # Each parcel has its own row of the sums: threads never meet.
            list(pool.map(run, np.array_split(chosen, threads * 4)))


@cache
def _compiled() -> Callable[..., None]:
    try:
        import numba
    except ImportError as error:
        raise UsageError(
            Fault(
                en="covering cells by trapezoids needs numba, which is not installed.",
                zh="按梯形法计算格网覆盖需要 numba，当前未安装。",
                mend_en='pip install "landplan[fast]", or take method="exact"',
                mend_zh='运行 pip install "landplan[fast]"，或改用 method="exact"',
            )
        ) from error
    compiled: Callable[..., None] = numba.njit(nogil=True, cache=True)(_add)
    return compiled


def _add(
    chosen: Any, coordinates: Any, starts: Any, shell: Any, owners: Any, windows: Any, least: Any, first: Any,
    last: Any, z: Any, top: Any, left: Any, cell_x: Any, cell_y: Any, steep_deg: Any, step: Any, out: Any,
) -> None:  # fmt: skip
    """Compiled, so in the few words numba knows; helpers would each have to be compiled too."""
    kept = np.zeros(4096)
    for p in chosen:
        row0, row1 = max(windows[p, 0], first), min(windows[p, 1], last)
        height, width = row1 - row0, windows[p, 3] - windows[p, 2]
        if height <= 0:
            continue
        # Two columns more: an edge on the last line of the grid leaves its part beyond it.
        stride = width + 2
        if kept.size < stride * height:
            kept = np.zeros(stride * height)
        kept[: stride * height] = 0.0
        for ring in range(owners[p], owners[p + 1]):
            i0, i1 = starts[ring], starts[ring + 1]
            turn = 0.0
            for i in range(i0, i1 - 1):
                ax, ay = coordinates[i, 0] - coordinates[i0, 0], coordinates[i, 1] - coordinates[i0, 1]
                bx, by = (
                    coordinates[i + 1, 0] - coordinates[i0, 0],
                    coordinates[i + 1, 1] - coordinates[i0, 1],
                )
                turn += ax * by - bx * ay
            sign = -1.0 if (turn > 0) == shell[ring] else 1.0
            for i in range(i0, i1 - 1):
                ax, ay = coordinates[i, 0] - windows[p, 2], coordinates[i, 1] - row0
                bx, by = coordinates[i + 1, 0] - windows[p, 2], coordinates[i + 1, 1] - row0
                down = sign
                if ay > by:
                    ax, ay, bx, by, down = bx, by, ax, ay, -sign
                if ay == by or by <= 0 or ay >= height:
                    continue
                lean = (bx - ax) / (by - ay)
                low, high = min(ax, bx), max(ax, bx)
                row = max(int(np.floor(ay)), 0)
                while row < min(by, float(height)):
                    y0, y1 = max(ay, float(row)), min(by, row + 1.0)
                    # From the end of the edge, not from the row above: a strip begins as the whole would go on.
                    x0 = ax if y0 == ay else min(max(ax + (y0 - ay) * lean, low), high)
                    x1 = bx if y1 == by else min(max(ax + (y1 - ay) * lean, low), high)
                    xa, xb = min(x0, x1), max(x0, x1)
                    dy, base = down * (y1 - y0), row * stride
                    ca, cb = int(np.floor(xa)), int(np.floor(xb))
                    if ca == cb:
                        part = dy * (1.0 - (0.5 * (xa + xb) - ca))
                        kept[base + ca] += part
                        kept[base + ca + 1] += dy - part
                    else:
                        each = dy / (xb - xa)
                        begin = 0.5 * each * (1.0 - (xa - ca)) ** 2
                        end = 0.5 * each * (xb - cb) ** 2
                        kept[base + ca] += begin
                        if cb == ca + 1:
                            kept[base + cb] += dy - begin - end
                        else:
                            second = each * (1.5 - (xa - ca))
                            kept[base + ca + 1] += second - begin
                            for k in range(ca + 2, cb):
                                kept[base + k] += each
                            kept[base + cb] += dy - (second + (cb - ca - 2) * each) - end
                        kept[base + cb + 1] += end
                    row += 1
        if step != 2:
            for r in range(height):
                share = 0.0
                for k in range(width):
                    share += kept[r * stride + k]
                    i, j = row0 + r - top, windows[p, 2] + k - left
                    if share <= least[p] or np.isnan(z[i, j]):
                        continue
                    covered = min(share, 1.0)
                    out[p, 0] += covered
                    out[p, 1] += covered * z[i, j]
                    out[p, 2] = min(out[p, 2], z[i, j])
                    out[p, 3] = max(out[p, 3], z[i, j])
                    north = z[i - 1, j - 1] + 2 * z[i - 1, j] + z[i - 1, j + 1]
                    south = z[i + 1, j - 1] + 2 * z[i + 1, j] + z[i + 1, j + 1]
                    west = z[i - 1, j - 1] + 2 * z[i, j - 1] + z[i + 1, j - 1]
                    east = z[i - 1, j + 1] + 2 * z[i, j + 1] + z[i + 1, j + 1]
                    dx, dy = (east - west) / (8 * cell_x), (south - north) / (8 * cell_y)
                    slope = np.degrees(np.arctan(np.sqrt(dx * dx + dy * dy)))
                    if np.isnan(slope):
                        continue
                    out[p, 4] += covered
                    out[p, 5] += covered * slope
                    out[p, 6] = max(out[p, 6], slope)
                    if slope > steep_deg:
                        out[p, 7] += covered
        if step != 1 and out[p, 0] > 0:
            level = out[p, 1] / out[p, 0]
            for r in range(height):
                share = 0.0
                for k in range(width):
                    share += kept[r * stride + k]
                    i, j = row0 + r - top, windows[p, 2] + k - left
                    if share > least[p] and z[i, j] > level:
                        out[p, 8] += min(share, 1.0) * (z[i, j] - level)
