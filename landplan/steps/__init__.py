"""
The parcel steps of an assessment, each written down as something that can be handed to an engine.

A step takes parcels and gives new columns on the same index (and what it found besides): it depends on each parcel alone
(law 1), and never drops, reorders or edits (law 2).

* seam   what a step and an engine are, and how results are laid beside the parcels
* kinds  the steps of an assessment, in the order they are run
"""

from landplan.steps.kinds import steps_of
from landplan.steps.seam import (
    ByPlace,
    Engine,
    Local,
    OnLand,
    Step,
    StepResult,
    add_columns,
    narrow,
    run_steps,
)

__all__ = [
    "ByPlace",
    "Engine",
    "Local",
    "OnLand",
    "Step",
    "StepResult",
    "add_columns",
    "narrow",
    "run_steps",
    "steps_of",
]
