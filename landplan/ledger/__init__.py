"""
What landplan itself must remember: recorded events, decisions, holds, money committed, frozen lists.

The user's own files stay the source of everything else. The ledger is one GeoPackage per project; rows are only ever
added, each bound to the one before by its hash, a run in one transaction: after a kill or a full disk it is as before
or as after, and a run repeated records nothing twice.
"""

from landplan.ledger.actions import ACTIONS, Action, Field
from landplan.ledger.drafting import draft_events
from landplan.ledger.entry import Draft, Entry, Features, Head
from landplan.ledger.frames import (
    recorded_batch_events,
    recorded_commitments,
    recorded_events,
    recorded_holds,
    recorded_overrides,
)
from landplan.ledger.frozen import FrozenList, freeze_list, frozen_lists, frozen_shapes, load_frozen
from landplan.ledger.geopackage import open_ledger
from landplan.ledger.seam import Ledger

__all__ = [
    "ACTIONS",
    "Action",
    "Draft",
    "Entry",
    "Features",
    "Field",
    "FrozenList",
    "Head",
    "Ledger",
    "draft_events",
    "freeze_list",
    "frozen_lists",
    "frozen_shapes",
    "load_frozen",
    "open_ledger",
    "recorded_batch_events",
    "recorded_commitments",
    "recorded_events",
    "recorded_holds",
    "recorded_overrides",
]
