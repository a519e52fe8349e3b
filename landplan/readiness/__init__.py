"""
What stands between a parcel and its sale: the checklist of a zone, what is open, whose move, days, cost, the first day.

Evidence comes as dated events and polygons; unknown never counts as done, and what has no time gives no day.
"""

from __future__ import annotations

from landplan.readiness.assess import assess_readiness
from landplan.readiness.checklist import CLEAR_LAND, Checklist, Item, load_checklist
from landplan.readiness.gaps import list_gaps, sum_gaps
from landplan.readiness.states import judge_clear_land, judge_evaluations, judge_servicing
from landplan.readiness.what_if import Change, compare_verdicts, read_changes, rejudge

__all__ = [
    "CLEAR_LAND",
    "Change",
    "Checklist",
    "Item",
    "assess_readiness",
    "compare_verdicts",
    "judge_clear_land",
    "judge_evaluations",
    "judge_servicing",
    "list_gaps",
    "load_checklist",
    "read_changes",
    "rejudge",
    "sum_gaps",
]
