"""
How much of each layer lies in each parcel, and where.

Areas are taken in the parcel's own measuring zone. Land covered twice by features of one layer counts once. A layer speaks
only for its extent: a parcel that reaches beyond it gets NaN, which is unknown and never clear.

There are two ways, equal to a billionth of the parcel or 1e-6 m2: ``exact`` cuts with shapely; ``fast`` sums trapezoids with
compiled code, and cuts only what must be shown. Which one serves is chosen once for a whole project (``choose_method``).
"""

from __future__ import annotations

from landplan.overlay.areas import Method, choose_method
from landplan.overlay.measure import measure_evaluations, measure_overlaps, measure_reach
from landplan.overlay.pieces import Fetch, find_pieces, measure_shares

__all__ = [
    "Fetch",
    "Method",
    "choose_method",
    "find_pieces",
    "measure_evaluations",
    "measure_overlaps",
    "measure_reach",
    "measure_shares",
]
