"""
The parcel steps of an assessment, each written down as something that can be handed to an engine.

A step takes parcels and gives new columns on the same index (and what it found besides): it depends on each parcel alone
(law 1), and never drops, reorders or edits (law 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from landplan.attach import (
    attach_events,
    attach_indicators,
    attach_zones,
    zones_on,
)
from landplan.crs import measure_areas, transform
from landplan.errors import DataError
from landplan.inputs import Inputs, Layer
from landplan.issues import Issue
from landplan.overlay import (
    Method,
    choose_method,
    find_pieces,
    measure_evaluations,
    measure_overlaps,
    measure_reach,
)
from landplan.repair import reconcile_areas
from landplan.rules import Rulebook, evaluate_rules, resolve_industry
from landplan.terrain import TERRAIN_COLUMNS, measure_terrain

__all__ = ["Engine", "Local", "Step", "StepResult", "steps_of"]


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


class Engine(Protocol):
    """Where a step is run; the narrowest seam a cluster can fit."""

    def run(self, step: Step, parcels: GeoDataFrame) -> StepResult:
        """Run one step over all parcels."""
        ...


class Local:
    """Runs each step here, in one piece."""

    def run(self, step: Step, parcels: GeoDataFrame) -> StepResult:
        """
        Run one step over all parcels.

        Parameters
        ----------
        step : Step
            What to do.
        parcels : GeoDataFrame, n rows, indexed by parcel_id
            Not changed.

        Returns
        -------
        StepResult
            Columns on the same index.
        """
        return step(parcels)


@dataclass(frozen=True)
class _Measure:
    measure_crs: str | None

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        areas = measure_areas(parcels, self.measure_crs)
        ratio, issues = reconcile_areas(parcels.join(areas))
        return StepResult(areas.join(ratio), issues)


@dataclass(frozen=True)
class _Industry:
    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        columns, issues = resolve_industry(parcels)
        return StepResult(columns, issues)


@dataclass(frozen=True)
class _Zones:
    zones: GeoDataFrame
    as_of: date
    method: Method

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        current = zones_on(self.zones, self.as_of)
        pieces = find_pieces(parcels, current, "zones", feature="zone_code", method=self.method)
        columns, issues = attach_zones(parcels, pieces, current)
        return StepResult(columns, _far_ones(parcels, current, issues), pieces)


def _far_ones(parcels: GeoDataFrame, zones: GeoDataFrame, issues: list[Issue]) -> list[Issue]:
    """
    Tell a parcel beside its zone from one whose zone prefix or CRS must be wrong.

    The box of what is plausible is the zones' own surroundings, never the country: coordinates read with the
    neighbouring meridian still land in China.
    """
    if not issues or zones.empty:
        return issues
    west, south, east, north = transform(zones, parcels.crs).total_bounds
    reach = np.hypot(east - west, north - south)
    box = shapely.box(west - reach, south - reach, east + reach, north + reach)
    shapes = parcels.geometry.reindex([issue.parcel_id for issue in issues])
    near = shapely.intersects(shapes.to_numpy(), box)
    return [
        issue if close else replace(issue, code="CRS.OUTSIDE")
        for issue, close in zip(issues, near, strict=True)
    ]


@dataclass(frozen=True)
class _Overlay:
    layer: Layer
    method: Method

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        name = self.layer.name
        pieces = find_pieces(parcels, self.layer.frame, name, method=self.method)
        reach = measure_reach(parcels, self.layer.extent, method=self.method)
        columns = measure_overlaps(parcels, pieces, reach, name)
        beyond = parcels.index[~reach.to_numpy(dtype=bool) & parcels["area_m2"].notna().to_numpy(dtype=bool)]
        return StepResult(
            columns, [Issue("GEOM.NOT_COVERED", layer=name, parcel_id=str(pid)) for pid in beyond], pieces
        )


@dataclass(frozen=True)
class _Evaluations:
    evaluations: GeoDataFrame
    items: Mapping[str, str]
    as_of: date
    method: Method

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        return StepResult(
            measure_evaluations(parcels, self.evaluations, self.items, self.as_of, method=self.method)
        )


@dataclass(frozen=True)
class _Terrain:
    dem: Path
    steep_deg: float | None
    method: Method

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        try:
            return StepResult(
                measure_terrain(parcels, self.dem, steep_deg=self.steep_deg, method=self.method)
            )
        except DataError as error:
            # Damaged away from where it was tried: the slopes are unknown, and the rest is judged.
            lost = pd.DataFrame(np.nan, index=parcels.index, columns=list(TERRAIN_COLUMNS), dtype="float64")
            return StepResult(
                lost, [Issue("RASTER.UNREADABLE", source=self.dem.name, value=error.faults[0].zh)]
            )


@dataclass(frozen=True)
class _Indicators:
    indicators: pd.DataFrame
    as_of: date

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        columns, issues = attach_indicators(parcels, self.indicators, self.as_of)
        here = set(parcels.index.astype("str"))
        return StepResult(columns, [issue for issue in issues if issue.parcel_id in here])


@dataclass(frozen=True)
class _Events:
    events: pd.DataFrame
    items: Mapping[str, str]
    complete: Sequence[str]
    as_of: date

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        columns, _ = attach_events(parcels, self.events, self.items, self.complete, self.as_of)
        return StepResult(columns)


@dataclass(frozen=True)
class _Rules:
    rulebook: Rulebook
    as_of: date

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        return StepResult(
            pd.DataFrame(index=parcels.index), findings=evaluate_rules(parcels, self.rulebook, self.as_of)
        )


def steps_of(inputs: Inputs, as_of: date, indicators: pd.DataFrame) -> list[tuple[str, Step]]:
    """
    Write the parcel steps of an assessment down as a list one can read aloud.

    Parameters
    ----------
    inputs : Inputs
        What was read; layers repaired.
    as_of : date
        The day judged for.
    indicators : DataFrame
        The long table of control indicators.

    Returns
    -------
    list of (str, Step)
        Name and step, in the order they are run; each sees the columns of those before it.
    """
    # Chosen once, by the whole project: a part of it, on another machine, must be measured the same way.
    method = choose_method(len(inputs.parcels))
    steps: list[tuple[str, Step]] = [("measure", _Measure(inputs.measure_crs)), ("industry", _Industry())]
    if inputs.zones is not None:
        steps.append(("zones", _Zones(inputs.zones, as_of, method)))
    steps += [(f"overlay {layer.name}", _Overlay(layer, method)) for layer in inputs.layers]
    if inputs.evaluations is not None:
        steps.append(
            ("evaluations", _Evaluations(inputs.evaluations, inputs.evaluation_items, as_of, method))
        )
    if inputs.dem is not None:
        steps.append(("terrain", _Terrain(inputs.dem, inputs.steep_deg, method)))
    steps.append(("indicators", _Indicators(indicators, as_of)))
    if inputs.events is not None:
        steps.append(("events", _Events(inputs.events, inputs.event_items, inputs.complete, as_of)))
    steps.append(("rules", _Rules(inputs.rulebook, as_of)))
    return steps
