"""Rows of a table of events as drafts: the good ones are recorded, each of the others is told."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.issues import Issue
from landplan.ledger.actions import complete_body
from landplan.ledger.entry import Draft
from landplan.schema.suggest import suggest_known

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["draft_events"]

_FIELDS = ("parcel_id", "item", "on", "state", "until", "amount", "party", "document")


def draft_events(
    events: DataFrame, known: Collection[str] | None = None, person: str | None = None
) -> tuple[list[Draft], list[Issue]]:
    """
    Make drafts of a table of events; a row that cannot be recorded costs no other.

    Parameters
    ----------
    events : DataFrame
        Canonical columns of the table ``events``, ``item`` as codes.
    known : collection of str or None
        Numbers of the parcels there are; not looked at where None.
    person : str or None
        Who records them.

    Returns
    -------
    list of Draft
        One per row that can be recorded. What was recorded before and since corrected is not recorded anew: a file
        imported twice must not bring an error back.
    list of Issue
        Rows without a day, of numbers that are no parcel, or ending before they begin.
    """
    drafts: list[Draft] = []
    issues: list[Issue] = []
    present = [name for name in _FIELDS if name in events.columns]
    columns = {name: events[name].tolist() for name in present}
    places: list[Any] = (
        events["source_row"].tolist() if "source_row" in events.columns else [None] * len(events)
    )
    sources = events["source"].tolist() if "source" in events.columns else [""] * len(events)
    numbers = {} if known is None else dict.fromkeys(known)
    strangers = sorted({str(pid) for pid in columns["parcel_id"] if known is not None and pid not in numbers})
    meant = suggest_known(strangers, numbers) if strangers else {}
    for at in range(len(events)):
        body: dict[str, Any] = {name: columns[name][at] for name in present}
        pid, on = body["parcel_id"], body.get("on")
        where: dict[str, Any] = {
            "source": "" if pd.isna(sources[at]) else str(sources[at]),
            "row": None if pd.isna(places[at]) else int(places[at]),
        }
        if known is not None and pid not in numbers:
            issues.append(Issue("ATTR.UNMATCHED", value=pid, suggestion=meant.get(str(pid), ""), **where))
        elif pd.isna(on):
            issues.append(Issue("ATTR.EVENT_UNDATED", value=f"{pid} {body['item']}", **where))
        else:
            complete, faults = complete_body("event", {**body, "person": person})
            if faults:
                issues.append(Issue("LEDGER.REFUSED", value=faults[0].zh, **where))
            else:
                drafts.append(Draft("event", complete, renew=False))
    return drafts, issues
