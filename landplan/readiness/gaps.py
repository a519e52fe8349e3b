"""Cuts of the tasks: what one parcel still needs, and where every parcel stands against a day."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from landplan.tables import Assessment
from landplan.workdays import WorkCalendar, count_workdays

__all__ = ["list_gaps", "sum_gaps"]

_SUMMED = ("parcel_name", "zone_name", "tier", "verdict", "task_count", "ready_on", "ready_days", "ready_cost_cny",
           "is_ready_tentative")  # fmt: skip


def list_gaps(assessment: Assessment, parcel_id: str | None = None) -> pd.DataFrame:
    """
    List what is still to be done, whose move it is, and by when it could be done.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    parcel_id : str or None
        One parcel; all where None.

    Returns
    -------
    DataFrame
        Rows of ``tasks``, parcels in the order of the assessment, items in that of the checklist.

    Raises
    ------
    KeyError
        If there is no such parcel.
    """
    tasks = assessment.tasks
    if parcel_id is None:
        return tasks
    if parcel_id not in assessment.parcels.index:
        raise KeyError(parcel_id)
    return tasks[(tasks["parcel_id"] == parcel_id).to_numpy(dtype=bool)].reset_index(drop=True)


def sum_gaps(assessment: Assessment, calendar: WorkCalendar, due: date | None = None) -> pd.DataFrame:
    """
    Sum up, parcel by parcel, what is missing and when it could be ready; the soonest first.

    Parameters
    ----------
    assessment : Assessment
        What was judged, with its tasks.
    calendar : WorkCalendar
        Which days are worked.
    due : date or None
        A day they should be ready by.

    Returns
    -------
    DataFrame, indexed by parcel_id
        Name, zone, tier, verdict, how many tasks, the first day, working days and cost; ``next_move``: title and party of
        what the day waits for first; and, with ``due``, ``days_to_spare``: working days between the two, below zero where it
        is late, missing where the day is not known. Sold parcels are left out.
    """
    parcels = assessment.parcels
    if "event_sale_state" in parcels.columns:
        parcels = parcels[(parcels["event_sale_state"] != "done").to_numpy(dtype=bool)]
    frame = pd.DataFrame(parcels[[name for name in _SUMMED if name in parcels.columns]]).copy()
    tasks = assessment.tasks
    critical = tasks[tasks["is_critical"].fillna(False).to_numpy(dtype=bool)]
    first = critical.sort_values("start_on", kind="stable", na_position="last").drop_duplicates("parcel_id")
    moves = {
        pid: f"{title}（{party}）" if isinstance(party, str) and party else title
        for pid, title, party in zip(first["parcel_id"], first["title"], first["party"], strict=True)
    }
    frame["next_move"] = [moves.get(str(pid), "") for pid in frame.index]
    if due is not None:
        spare = count_workdays(
            frame["ready_on"].to_numpy(dtype="datetime64[D]"),
            np.full(len(frame), np.datetime64(due, "D")),
            calendar,
        )
        whole: Any = pd.array(np.where(np.isnan(spare), 0, spare), dtype="Int64")
        whole[np.isnan(spare)] = pd.NA
        frame["days_to_spare"] = whole
    order = frame.assign(_id=frame.index.astype("str")).sort_values(
        ["ready_on", "_id"], kind="stable", na_position="last"
    )
    return frame.loc[order.index]
