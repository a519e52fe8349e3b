"""
Repair: the only step that changes geometry, and only where every way of reading the parcel gives the same area.

An invalid ring has several areas (a hole outside its shell: 5900 raw, 6300 by buffer, 6700 by make_valid), and choosing
one is a legal decision: where the readings differ the parcel is quarantined and a person is asked.
"""

from __future__ import annotations

from landplan.repair.areas import reconcile_areas
from landplan.repair.neighbours import find_conflicts, find_tangles, set_tangles_apart
from landplan.repair.shapes import repair_layer, repair_parcels

__all__ = [
    "find_conflicts",
    "find_tangles",
    "reconcile_areas",
    "repair_layer",
    "repair_parcels",
    "set_tangles_apart",
]
