"""What a step and an engine are, and how what steps give is laid beside the parcels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import pandas as pd
from geopandas import GeoDataFrame

from landplan.errors import Fault, InternalError
from landplan.issues import Issue
from landplan.overlay import Ask, together

__all__ = [
    "Asking",
    "ByPlace",
    "Engine",
    "Local",
    "OnLand",
    "Step",
    "StepResult",
    "add_columns",
    "narrow",
    "run_steps",
]


@dataclass
class StepResult:
    """
    What one step gives for the parcels it was handed.

    Parameters
    ----------
    columns : DataFrame, same index as the parcels
        New columns.
    issues : list of Issue
        What was wrong.
    pieces : GeoDataFrame or None
        Rows of the ``overlaps`` table.
    findings : DataFrame or None
        Rows of the ``findings`` table.
    """

    columns: pd.DataFrame
    issues: list[Issue] = field(default_factory=list)
    pieces: GeoDataFrame | None = None
    findings: pd.DataFrame | None = None


Step = Callable[[GeoDataFrame], StepResult]
"""Parcels in, new columns out; it depends on each parcel alone (law 1), and never drops or reorders (law 2)."""


@runtime_checkable
class ByPlace(Protocol):
    """A step that needs of its layers only the land near the parcels it is handed."""

    def near(self, choose: Callable[[GeoDataFrame], GeoDataFrame]) -> Step:
        """Give the step with what is chosen of its layers; the rest changes no digit."""
        ...


@runtime_checkable
class OnLand(Protocol):
    """
    A step that measures land, and is worth sending to another machine.

    Joining tables by number, and judging, cost less than the way there and back.
    """

    def reads(self) -> Sequence[str]:
        """Name the columns it looks at beside the outline; it is handed no others."""
        ...


@runtime_checkable
class Asking(Protocol):
    """A step that can tell beforehand what it will ask of its layers, so that all go over the parcels together."""

    def asks(self) -> Sequence[Ask]:
        """Tell what will be asked: the very frames that the step will hand over."""
        ...


class Engine(Protocol):
    """Where the steps are run; the narrowest seam a cluster can fit."""

    def run(
        self, steps: Sequence[tuple[str, Step]], parcels: GeoDataFrame, progress: Callable[[str], None]
    ) -> tuple[GeoDataFrame, list[StepResult]]:
        """Run steps one after the other, each seeing the columns of those before it, as ``run_steps`` does."""
        ...


class Local:
    """Runs the steps here, each over all parcels in one piece."""

    def run(
        self, steps: Sequence[tuple[str, Step]], parcels: GeoDataFrame, progress: Callable[[str], None]
    ) -> tuple[GeoDataFrame, list[StepResult]]:
        """
        Run steps one after the other.

        Parameters
        ----------
        steps : sequence of (str, Step)
            Names and what to do.
        parcels : GeoDataFrame, n rows, indexed by parcel_id
            Not changed.
        progress : callable
            Called with the name of each step before it begins.

        Returns
        -------
        GeoDataFrame, n rows, same index and order
            The parcels with the columns of all steps.
        list of StepResult
            What each step found.
        """
        return run_steps(steps, parcels, progress)


def run_steps(
    steps: Sequence[tuple[str, Step]], parcels: GeoDataFrame, progress: Callable[[str], None]
) -> tuple[GeoDataFrame, list[StepResult]]:
    """
    Run steps one after the other, each seeing the columns of those before it.

    Parameters
    ----------
    steps : sequence of (str, Step)
        Names and what to do.
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        Not changed.
    progress : callable
        Called with the name of each step before it begins.

    Returns
    -------
    GeoDataFrame, n rows, same index and order
        The parcels with the columns of all steps.
    list of StepResult
        What each step found: issues, pieces and findings in the order of the parcels; issues of no parcel first.
    """
    results = []
    asking: list[Any] = [step for _, step in steps if isinstance(step, Asking)]
    with together(ask for step in asking for ask in step.asks()):
        for name, step in steps:
            progress(name)
            result = step(narrow(parcels, [step]))
            parcels = add_columns(parcels, result.columns, name)
            results.append(result)
    return parcels, results


def narrow(parcels: GeoDataFrame, steps: Sequence[Step]) -> GeoDataFrame:
    """
    Leave of parcels what steps look at.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows
        Not changed.
    steps : sequence of Step
        What is to be run.

    Returns
    -------
    GeoDataFrame, n rows, same index and order
        The outlines, and of the columns those that any of the steps reads; all of them where one is no ``OnLand``.
    """
    read: set[str] = {str(parcels.geometry.name)}
    for step in steps:
        if not isinstance(step, OnLand):
            return parcels
        read.update(step.reads())
    return GeoDataFrame(parcels[[name for name in parcels.columns if name in read]])


def add_columns(parcels: GeoDataFrame, columns: pd.DataFrame, step: str) -> GeoDataFrame:
    """
    Lay new columns beside the parcels; law 2 is checked here, at every step.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        Not changed.
    columns : DataFrame, n rows, same index and order
        A column the parcels have already may only fill what is missing there.
    step : str
        Whose columns they are.

    Returns
    -------
    GeoDataFrame, n rows, same index and order
        With the columns.

    Raises
    ------
    InternalError
        If a value known before would change, or the order of parcels.
    """
    new = [name for name in columns.columns if name not in parcels.columns]
    clash = [
        name
        for name in columns.columns
        if name in parcels.columns and not _fills(parcels[name], columns[name])
    ]
    if clash or not columns.index.equals(parcels.index):
        raise InternalError(
            Fault(
                en=f"step {step!r} changed {', '.join(clash) or 'the order of parcels'}.",
                zh=f"步骤“{step}”改动了{'、'.join(clash) or '地块次序'}。",
            )
        )
    filled = {name: columns[name] for name in columns.columns if name not in new}
    held = parcels.assign(**filled) if filled else parcels
    return GeoDataFrame(
        pd.concat([held, columns[new].set_axis(held.index)], axis=1), geometry="geometry", crs=parcels.crs
    )


def _fills(before: pd.Series[Any], after: pd.Series[Any]) -> bool:
    """Whether a step only filled what was missing: a zone name the source lacked, an industry carried over."""
    kept = before.notna().to_numpy(dtype=bool)
    return bool((before[kept].astype("str").to_numpy() == after[kept].astype("str").to_numpy()).all())
