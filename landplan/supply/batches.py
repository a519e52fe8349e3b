"""Batches of approval (报批): what they do to their parcels, and where each stands on a day."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.schema import coerce

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["board_batches", "expand_batches"]

AddDays = Callable[[date, int], date]
"""Counts working days on from a day."""


def expand_batches(
    batches: DataFrame, batch_events: DataFrame, items: Collection[str] = ("approval",)
) -> DataFrame:
    """
    Give every parcel of a batch the events of the batch that are its own: an approval moves them all on one day.

    Parameters
    ----------
    batches : DataFrame
        One row per parcel in a batch: ``batch_no, parcel_id``.
    batch_events : DataFrame
        Steps of batches: ``batch_no, item`` (codes), ``on, state, until, party, document``.
    items : collection of str
        Steps that are events of the parcels; the rest are of the batch alone.

    Returns
    -------
    DataFrame
        Rows of the ``events`` table, in the order of the steps, then of the parcels; ``source`` is ``batch:`` and the
        number of the batch. A parcel in two batches gets the events of both.

    Examples
    --------
    >>> batches = pd.DataFrame({"batch_no": ["1", "1"], "parcel_id": ["A", "B"]})
    >>> steps = pd.DataFrame({"batch_no": ["1"], "item": ["approval"], "on": ["2026-05-20"], "state": ["done"]})
    >>> expand_batches(batches, steps)[["parcel_id", "item", "source"]].to_numpy().tolist()
    [['A', 'approval', 'batch:1'], ['B', 'approval', 'batch:1']]
    """
    steps = batch_events[batch_events["item"].isin(list(items)).to_numpy(dtype=bool)]
    members = batches[["batch_no", "parcel_id"]].dropna().drop_duplicates()
    joined = steps.assign(_step=np.arange(len(steps))).merge(
        members.assign(_member=np.arange(len(members))),
        on="batch_no",
        how="inner",
        suffixes=("_of_batch", ""),
    )
    ordered = joined.sort_values(["_step", "_member"], kind="stable").reset_index(drop=True)
    source = "batch:" + ordered["batch_no"].astype("str")
    ordered = ordered.drop(columns=["source", "source_row"], errors="ignore").assign(source=source)
    return coerce(ordered, "events")


def board_batches(
    batches: DataFrame,
    batch_events: DataFrame,
    parcels: DataFrame,
    as_of: date,
    required_items: Sequence[str] = (),
    add_days: AddDays | None = None,
    titles: Mapping[str, str] | None = None,
) -> DataFrame:
    """
    Tell where each batch stands on a day, what it still lacks before it can be submitted, and when its step is due.

    Parameters
    ----------
    batches : DataFrame
        One row per parcel in a batch: ``batch_no, batch_name, batch_kind, parcel_id``.
    batch_events : DataFrame
        Steps: ``batch_no, item`` (codes), ``on, state, until, days, party, document``; a step counts from ``on`` to
        ``until`` (missing: for ever), of one day the last row.
    parcels : DataFrame, indexed by parcel_id
        With ``area_m2``.
    as_of : date
        The day; later steps do not count.
    required_items : sequence of str
        Items that must be done before submission: 社保, 社会风险评估 ...
    add_days : callable or None
        Counts working days on; without it no due day is given.
    titles : mapping of str to str or None
        Titles of items.

    Returns
    -------
    DataFrame, indexed by batch_no
        ``batch_name, batch_kind, batch_parcels`` (宗), ``batch_area_m2`` (NaN where a parcel has no area or is not drawn),
        ``step, step_state, step_on, step_days, missing_items, can_submit`` (``done`` once approved; ``no`` where a condition
        is on record as not done; ``unknown`` where one is not on record at all), ``approval_no, approved_on, due_on,
        is_late, party``; by number.
    """
    named = dict(titles or {})
    day = pd.Timestamp(as_of)
    members = batches.dropna(subset=["batch_no"]).drop_duplicates(["batch_no", "parcel_id"])
    numbers = pd.Index(sorted(set(members["batch_no"].astype("str"))), name="batch_no", dtype="str")
    first = members.drop_duplicates("batch_no").set_index("batch_no").reindex(numbers)
    drawn = parcels["area_m2"].reindex(members["parcel_id"].astype("str")).to_numpy(dtype="float64")
    sums = pd.Series(drawn, index=members["batch_no"].astype("str")).groupby(level=0)
    board = pd.DataFrame(index=numbers)
    for name in ("batch_name", "batch_kind"):
        board[name] = first[name] if name in first.columns else np.nan
    board["batch_parcels"] = members.groupby("batch_no")["parcel_id"].count().reindex(numbers)
    # One area that is not known leaves the sum unknown.
    board["batch_area_m2"] = sums.apply(lambda areas: float(areas.sum(skipna=False))).reindex(numbers)
    steps = _in_force(batch_events, day)
    last = steps.drop_duplicates("batch_no", keep="last").set_index("batch_no").reindex(numbers)
    board["step"] = last["item"].map(lambda item: named.get(item, item), na_action="ignore")
    board["step_state"], board["step_on"] = last["state"], last["on"]
    board["step_days"] = (day - last["on"]).dt.days
    by_item = steps.drop_duplicates(["batch_no", "item"], keep="last")
    states = {
        item: by_item[(by_item["item"] == item).to_numpy(dtype=bool)].set_index("batch_no").reindex(numbers)
        for item in {*required_items, "approval"}
    }
    approval = states["approval"]
    is_approved = (approval["state"] == "done").to_numpy(dtype=bool)
    lacking, silent = np.zeros(len(numbers), dtype=bool), np.zeros(len(numbers), dtype=bool)
    missing = np.full(len(numbers), "", dtype=object)
    for item in required_items:
        state = states[item]["state"]
        unknown = state.isna().to_numpy(dtype=bool)
        open_still = ~(state == "done").to_numpy(dtype=bool)
        lacking |= open_still & ~unknown
        silent |= unknown
        told = named.get(item, item)
        for mask, text in ((open_still & ~unknown, told), (unknown, f"{told}（没有记录）")):
            missing[mask] = np.where(missing[mask] == "", "", missing[mask] + "、") + text
    board["missing_items"] = np.where(is_approved, "", missing)
    board["can_submit"] = np.where(
        is_approved, "done", np.where(lacking, "no", np.where(silent, "unknown", "yes"))
    )
    board["approval_no"] = approval["document"].where(is_approved)
    board["approved_on"] = approval["on"].where(is_approved)
    board["due_on"] = _due(last, add_days)
    open_step = ~(last["state"] == "done").to_numpy(dtype=bool)
    late = (board["due_on"] < day).to_numpy(dtype=bool) & open_step
    board["is_late"] = pd.array(late, dtype="boolean")
    board.loc[(board["due_on"].isna() & open_step).to_numpy(dtype=bool), "is_late"] = pd.NA
    board["party"] = last["party"] if "party" in last.columns else np.nan
    typed = coerce(board.reset_index(), "board")
    ordered = ["batch_no", *board.columns]
    return typed[ordered].set_index("batch_no")


def _in_force(batch_events: DataFrame, day: pd.Timestamp) -> DataFrame:
    """Steps that have begun and not ended, in the order of their days."""
    begun = (batch_events["on"] <= day).to_numpy(dtype=bool)
    lasting = (batch_events["until"].isna() | (batch_events["until"] >= day)).to_numpy(dtype=bool)
    return batch_events[begun & lasting].sort_values("on", kind="stable")


def _due(last: DataFrame, add_days: AddDays | None) -> pd.Series[Any]:
    """Day on which the step under way must be done; a step that is done has none."""
    blank = pd.Series(pd.NaT, index=last.index, dtype="datetime64[s]")
    if add_days is None or "days" not in last.columns:
        return blank
    counted = [
        add_days(on.date(), int(days)) if pd.notna(days) and pd.notna(on) and state != "done" else None
        for on, days, state in zip(last["on"], last["days"], last["state"], strict=True)
    ]
    return pd.Series(pd.to_datetime(pd.Series(counted, dtype="object")).to_numpy(), index=last.index).astype(
        "datetime64[s]"
    )
