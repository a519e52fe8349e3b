"""How far a parcel has come from raw land to a 标准地 that can be sold: the highest stage that is proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landplan.issues import Issue

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["rank_tiers"]

_TIERS = ("raw", "ready_to_apply", "approved", "expropriated", "clear", "standard")
_NOT = ("none", "pending", "void", "suspended")


def rank_tiers(
    parcels: DataFrame, findings: DataFrame, clear_land: NDArray[np.object_], open_tasks: NDArray[np.int64]
) -> tuple[DataFrame, list[Issue]]:
    """
    Give each parcel the highest tier that is proven.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``verdict`` and the states of the events ``plan``, ``approval`` and ``expropriation`` where they are kept.
    findings : DataFrame
        One row per parcel and rule.
    clear_land : array of object, n
        ``yes``, ``no`` or ``unknown``.
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
    nothing = pd.Series(np.nan, index=parcels.index, dtype="str")
    plan, approval, expropriation = (
        parcels.get(f"event_{item}_state", nothing).to_numpy(dtype=object, na_value="")
        for item in ("plan", "approval", "expropriation")
    )
    planned = plan == "done" if "event_plan_state" in parcels.columns else np.ones(len(parcels), dtype=bool)
    proven = {
        "ready_to_apply": planned & _is_unconstrained(parcels, findings),
        "approved": approval == "done",
        "expropriated": expropriation == "done",
        "clear": clear_land == "yes",
    }
    ready = parcels["verdict"].to_numpy(dtype=object) == "ready"
    proven["standard"] = proven["clear"] & ready & (open_tasks == 0)
    barred = {"approved": np.isin(approval, _NOT), "expropriated": np.isin(expropriation, _NOT)}
    rank = np.zeros(len(parcels), dtype=np.int64)
    ceiling = np.full(len(parcels), len(_TIERS))
    for place, name in enumerate(_TIERS[1:], start=1):
        if name in barred:
            ceiling = np.where(barred[name], np.minimum(ceiling, place - 1), ceiling)
        rank = np.where(proven[name], place, rank)
    against = rank > ceiling
    highest = np.zeros(len(parcels), dtype=np.int64)
    for place, name in enumerate(_TIERS[1:], start=1):
        highest = np.where(proven[name] & (place <= ceiling), place, highest)
    keys = list(parcels.index.astype("str"))
    issues = [
        Issue(
            "ATTR.STAGE_ORDER",
            parcel_id=keys[position],
            value=f"{_label(_TIERS[rank[position]])}，{_label(_TIERS[ceiling[position] + 1])}未办",
        )
        for position in np.flatnonzero(against)
    ]
    words = pd.array(_TIERS, dtype="str").take(highest)
    return pd.DataFrame({"tier": words}, index=parcels.index), issues


def _label(tier: str) -> str:
    from landplan.schema import column

    return column("tier").word(tier)


def _is_unconstrained(parcels: DataFrame, findings: DataFrame) -> NDArray[np.bool_]:
    """Whether every mandatory rule on a constraint layer passes; silence is not a pass."""
    about = (
        findings["indicator"].str.contains("_overlap_", regex=False) & (findings["force"] == "mandatory")
    ).to_numpy(dtype=bool)
    rows = findings.loc[about, ["parcel_id", "status"]]
    overridden = findings["overridden_by"].notna() if "overridden_by" in findings.columns else None
    if overridden is not None:
        rows = rows[~overridden.to_numpy(dtype=bool)[about]]
    good = rows["status"].isin(["pass", "exempt"]).groupby(rows["parcel_id"].to_numpy()).all()
    return good.reindex(parcels.index.astype("str"), fill_value=False).to_numpy(dtype=bool)
