"""
How much of each layer lies in each parcel, and where.

Areas are taken in the parcel's own measuring zone. Land covered twice by features of one layer counts once. A layer speaks
only for its extent: a parcel that reaches beyond it gets NaN, which is unknown and never clear.

There are two ways, equal to a billionth of the parcel or 1e-6 m2: ``exact`` cuts with shapely; ``fast`` sums trapezoids with
compiled code, and cuts only what must be shown. Which one serves is chosen once for a whole project (``choose_method``).

The compiled way works on plain outlines (``Rings``). They come from shapes, or straight from the bytes of a file: then no
geometry is made at all (``share_files``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landplan.overlay.areas import choose_method
    from landplan.overlay.dated import WHOLE, measure_boundaries, measure_servicing
    from landplan.overlay.files import FileShares, read_rings, share_files
    from landplan.overlay.ground import Ask, Fetch, Method, together
    from landplan.overlay.measure import (
        coverage_of,
        measure_coverage,
        measure_evaluations,
        measure_overlaps,
        measure_reach,
    )
    from landplan.overlay.pieces import draw_pieces, find_pieces, locate_pieces, measure_shares
    from landplan.overlay.rings import Rings
    from landplan.overlay.tiles import FileLayer

_HOMES = {
    "WHOLE": "dated",
    "Ask": "ground",
    "Fetch": "ground",
    "FileLayer": "tiles",
    "FileShares": "files",
    "Method": "ground",
    "Rings": "rings",
    "choose_method": "areas",
    "coverage_of": "measure",
    "draw_pieces": "pieces",
    "find_pieces": "pieces",
    "locate_pieces": "pieces",
    "measure_boundaries": "dated",
    "measure_coverage": "measure",
    "measure_evaluations": "measure",
    "measure_overlaps": "measure",
    "measure_reach": "measure",
    "measure_servicing": "dated",
    "measure_shares": "pieces",
    "read_rings": "files",
    "share_files": "files",
    "together": "ground",
}

__all__ = [
    "WHOLE",
    "Ask",
    "Fetch",
    "FileLayer",
    "FileShares",
    "Method",
    "Rings",
    "choose_method",
    "coverage_of",
    "draw_pieces",
    "find_pieces",
    "locate_pieces",
    "measure_boundaries",
    "measure_coverage",
    "measure_evaluations",
    "measure_overlaps",
    "measure_reach",
    "measure_servicing",
    "measure_shares",
    "read_rings",
    "share_files",
    "together",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: outlines read from files wait for no geometry library."""
    if name not in _HOMES:
        raise AttributeError(f"module 'landplan.overlay' has no attribute {name!r}")
    return getattr(import_module(f"landplan.overlay.{_HOMES[name]}"), name)
