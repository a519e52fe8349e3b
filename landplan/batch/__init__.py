"""
A folder of counties, each a unit that can fail alone.

``folder`` finds the units, ``pool`` runs them in processes of their own (``worker``, which does ``work``),
``change`` holds what a unit said last time, ``manifest`` records what became of each, and ``summary`` lays it
all out for people.
"""

from __future__ import annotations

from landplan.batch.manifest import Manifest, Record
from landplan.batch.progress import describe_run
from landplan.batch.run import Settings, run_batch

__all__ = ["Manifest", "Record", "Settings", "describe_run", "run_batch"]
