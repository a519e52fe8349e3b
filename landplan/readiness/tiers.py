"""How far a parcel has come from raw land to a 标准地 that can be sold: the highest stage that is proven."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landplan.issues import Issue
from landplan.schema.words import ByParcel, codes_of, is_among
from landplan.verdict import is_counting

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["rank_tiers"]

_TIERS = ("raw", "ready_to_apply", "approved", "expropriated", "clear", "standard")
_DONE = ("done",)
_NOT = ("none", "pending", "void", "suspended")


def rank_tiers(
    parcels: DataFrame, findings: DataFrame, is_clear: NDArray[np.bool_], open_tasks: NDArray[np.int64]
) -> tuple[DataFrame, list[Issue]]:
    """
    Give each parcel the highest tier that is proven.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``verdict`` and the states of the events ``plan``, ``approval`` and ``expropriation`` where they are kept.
    findings : DataFrame
        One row per parcel and rule.
    is_clear : array of bool, n
        Whether it is 净地.
    open_tasks : array of int, n
        Tasks the parcel still needs.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``tier``: ``standard`` where it is clear land, its verdict ready and no task open; ``clear``; ``expropriated``;
        ``approved``; ``ready_to_apply`` where every mandatory rule on a constraint layer passes and the plan, if the project
        keeps that event, is done; ``raw``. What is not known proves nothing.
    list of Issue
        Parcels whose later stage is proven while an earlier one is said not to be done: nothing beyond that one counts.
    """
    count = len(parcels)

    def said(item: str, states: Sequence[str]) -> NDArray[np.bool_]:
        name = f"event_{item}_state"
        if name not in parcels.columns:
            return np.zeros(count, dtype=bool)
        return is_among(parcels[name], states)

    planned = said("plan", _DONE) if "event_plan_state" in parcels.columns else np.ones(count, dtype=bool)
    proven = {
        "ready_to_apply": planned & _is_unconstrained(parcels, findings),
        "approved": said("approval", _DONE),
        "expropriated": said("expropriation", _DONE),
        "clear": is_clear,
        "standard": is_clear & is_among(parcels["verdict"], ["ready"]) & (open_tasks == 0),
    }
    barred = {"approved": said("approval", _NOT), "expropriated": said("expropriation", _NOT)}
    rank = np.zeros(count, dtype=np.int64)
    ceiling = np.full(count, len(_TIERS))
    for place, name in enumerate(_TIERS[1:], start=1):
        if name in barred:
            ceiling = np.where(barred[name], np.minimum(ceiling, place - 1), ceiling)
        rank = np.where(proven[name], place, rank)
    against = rank > ceiling
    highest = np.zeros(count, dtype=np.int64)
    for place, name in enumerate(_TIERS[1:], start=1):
        highest = np.where(proven[name] & (place <= ceiling), place, highest)
    keys = parcels.index.astype("str")
    issues = [
        Issue(
            "ATTR.STAGE_ORDER",
            parcel_id=keys[position],
            value=f"{_label(_TIERS[rank[position]])}，{_label(_TIERS[ceiling[position] + 1])}未办",
        )
        for position in np.flatnonzero(against).tolist()
    ]
    words = pd.array(_TIERS, dtype="str").take(highest)
    return pd.DataFrame({"tier": words}, index=parcels.index), issues


def _label(tier: str) -> str:
    from landplan.schema import column

    return column("tier").word(tier)


def _is_unconstrained(parcels: DataFrame, findings: DataFrame) -> NDArray[np.bool_]:
    """Whether every mandatory rule on a constraint layer passes; silence is not a pass."""
    layers = [name for name in codes_of(findings["indicator"])[1] if "_overlap_" in name]
    about = is_counting(findings) & is_among(findings["indicator"], layers)
    rows = ByParcel(findings["parcel_id"], parcels.index)
    passes: NDArray[np.bool_] = rows.has(about)
    passes &= ~rows.has(about & ~is_among(findings["status"], ["pass", "exempt"]))
    return passes
