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
from typing import Any, Protocol, runtime_checkable

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
from landplan.errors import DataError, Fault, InternalError
from landplan.inputs import Inputs, Layer
from landplan.issues import Issue
from landplan.overlay import (
    WHOLE,
    Method,
    choose_method,
    find_pieces,
    measure_boundaries,
    measure_evaluations,
    measure_overlaps,
    measure_reach,
    measure_servicing,
)
from landplan.readiness import judge_evaluations
from landplan.repair import reconcile_areas
from landplan.resources import attach_capacity, measure_headroom
from landplan.rules import Rulebook, evaluate_rules, exempt_evaluations, resolve_industry
from landplan.supply import derive_axes
from landplan.terrain import TERRAIN_COLUMNS, measure_terrain

__all__ = [
    "ByNumber",
    "ByPlace",
    "Engine",
    "Local",
    "Step",
    "StepResult",
    "add_columns",
    "run_steps",
    "steps_of",
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
class ByNumber(Protocol):
    """A step that needs of its tables only the rows of the parcels it is handed."""

    def split(self, part: pd.Series[int], count: int) -> list[Step]:
        """Give a step for each part, ``part`` being the part of each parcel by number."""
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
    for name, step in steps:
        progress(name)
        result = step(parcels)
        parcels = add_columns(parcels, result.columns, name)
        results.append(result)
    return parcels, results


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
    joined = parcels.assign(**filled).join(columns[new]) if filled else parcels.join(columns[new])
    return GeoDataFrame(joined, geometry="geometry", crs=parcels.crs)


def _fills(before: pd.Series[Any], after: pd.Series[Any]) -> bool:
    """Whether a step only filled what was missing: a zone name the source lacked, an industry carried over."""
    kept = before.notna().to_numpy(dtype=bool)
    return bool((before[kept].astype("str").to_numpy() == after[kept].astype("str").to_numpy()).all())


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

    def near(self, choose: Callable[[GeoDataFrame], GeoDataFrame]) -> Step:
        land = replace(self.layer, frame=choose(self.layer.frame), extent=choose(self.layer.extent))
        return replace(self, layer=land)

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
    zones: Mapping[str, Sequence[str]]
    as_of: date
    method: Method

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        shares = measure_evaluations(parcels, self.evaluations, self.items, self.as_of, method=self.method)
        states = judge_evaluations(parcels.join(shares), self.items, self.zones, self.as_of)
        return StepResult(shares.join(states))


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
        if not issues:
            return StepResult(columns)
        place = {pid: row for row, pid in enumerate(parcels.index.astype("str"))}
        here = [issue for issue in issues if issue.parcel_id in place]
        return StepResult(columns, sorted(here, key=lambda issue: place[issue.parcel_id]))

    def split(self, part: pd.Series[int], count: int) -> list[Step]:
        # One row of each indicator goes everywhere: a column is there whether or not a parcel of the part has a value.
        dated = self.indicators["on"].isna() | (self.indicators["on"] <= pd.Timestamp(self.as_of))
        held = self.indicators[dated.to_numpy(dtype=bool)]
        column = held.drop_duplicates(["basis", "indicator"])
        return [
            replace(self, indicators=pd.concat([rows, column[~column.index.isin(rows.index)]]))
            for rows in _rows_by_part(held, part, count)
        ]


@dataclass(frozen=True)
class _Events:
    events: pd.DataFrame
    items: Mapping[str, str]
    complete: Sequence[str]
    as_of: date

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        columns, _ = attach_events(parcels, self.events, self.items, self.complete, self.as_of)
        return StepResult(columns)

    def split(self, part: pd.Series[int], count: int) -> list[Step]:
        return [replace(self, events=rows) for rows in _rows_by_part(self.events, part, count)]


def _rows_by_part(table: pd.DataFrame, part: pd.Series[int], count: int) -> list[pd.DataFrame]:
    """Rows of each part's parcels, in their own order; rows of no parcel in none."""
    number = part.reindex(table["parcel_id"]).fillna(count).to_numpy(dtype="int64")
    order = np.argsort(number, kind="stable")
    cuts = np.searchsorted(number[order], np.arange(count + 1))
    return [table.iloc[order[cuts[k] : cuts[k + 1]]] for k in range(count)]


@dataclass(frozen=True)
class _Servicing:
    servicing: GeoDataFrame
    items: Sequence[str]
    as_of: date
    method: Method

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        served = measure_servicing(parcels, self.servicing, self.items, self.as_of, method=self.method)
        return StepResult(
            served.join(_proved(parcels, served, "servicing", {i: i for i in self.items}, False))
        )


@dataclass(frozen=True)
class _Boundaries:
    boundaries: GeoDataFrame
    complete: Sequence[str]
    as_of: date
    method: Method

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        drawn = self.boundaries
        held = measure_boundaries(parcels, drawn, self.complete, self.as_of, method=self.method)
        axes = {name.split("_")[1]: name.split("_")[1] for name in held.columns if name.endswith("_share")}
        columns = held.join(_proved(parcels, held, "boundary", axes, True))
        pieces = []
        for axis in axes:
            share = held[f"boundary_{axis}_share"]
            partly = parcels[((share > 1e-9) & (share < WHOLE)).to_numpy(dtype=bool)]
            if partly.empty:
                continue
            # What lies within and what beyond is a question for a person: the pieces are kept to be looked at.
            day = pd.Timestamp(self.as_of)
            lasting = (drawn["until"].isna() | (drawn["until"] >= day)) & (drawn["on"] <= day)
            current = drawn[((drawn["axis"] == axis) & lasting).to_numpy(dtype=bool)]
            named = current.assign(_document=current["document"].fillna("").astype("str"))
            pieces.append(
                find_pieces(partly, named, f"boundary_{axis}", feature="_document", method=self.method)
            )
        joined = None
        if pieces:
            together = pd.concat(pieces, ignore_index=True)
            place = parcels.index.astype("str").get_indexer(together["parcel_id"])
            order = np.argsort(place, kind="stable")
            joined = GeoDataFrame(together.iloc[order].reset_index(drop=True), crs=parcels.crs)
        return StepResult(columns, [], joined)


def _proved(
    parcels: GeoDataFrame, shares: pd.DataFrame, stem: str, items: Mapping[str, str], is_closed: bool
) -> pd.DataFrame:
    """States the ledgers say nothing of, where polygons prove them: whole parcels only, and never against a ledger."""
    result: dict[str, pd.Series[Any]] = {}
    nothing = pd.Series(np.nan, index=parcels.index, dtype="str")
    for name, item in items.items():
        state = parcels.get(f"event_{item}_state", nothing)
        silent = state.isna().to_numpy(dtype=bool)
        share = shares[f"{stem}_{name}_share"]
        whole = silent & (share >= WHOLE).to_numpy(dtype=bool)
        outside = silent & (share <= 1e-9).to_numpy(dtype=bool) & is_closed
        result[f"event_{item}_state"] = state.mask(whole, "done").mask(outside, "none").astype("str")
        on = parcels.get(f"event_{item}_on", pd.Series(pd.NaT, index=parcels.index, dtype="datetime64[s]"))
        result[f"event_{item}_on"] = on.where(~whole, shares[f"{stem}_{name}_on"])
        document = parcels.get(f"event_{item}_document", nothing)
        result[f"event_{item}_document"] = document.where(
            ~whole | document.notna(), shares[f"{stem}_{name}_document"]
        ).astype("str")
    return pd.DataFrame(result, index=parcels.index)


@dataclass(frozen=True)
class _Axes:
    as_of: date
    services: Sequence[str]

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        columns, issues = derive_axes(parcels, self.as_of, self.services)
        return StepResult(columns, issues)


@dataclass(frozen=True)
class _Capacity:
    headroom: pd.DataFrame

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        # What is wrong with a node is said once, of the whole, and not by every part of a cluster.
        return StepResult(attach_capacity(parcels, self.headroom)[0])


@dataclass(frozen=True)
class _Rules:
    rulebook: Rulebook
    as_of: date

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        found = evaluate_rules(parcels, self.rulebook, self.as_of)
        return StepResult(pd.DataFrame(index=parcels.index), findings=exempt_evaluations(found, parcels))


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
    steps += [(f"overlay {layer.name}", _Overlay(_land_of(layer), method)) for layer in inputs.layers]
    if inputs.evaluations is not None:
        asked = inputs.evaluation_items, inputs.evaluation_zones
        steps.append(("evaluations", _Evaluations(inputs.evaluations, *asked, as_of, method)))
    if inputs.dem is not None:
        steps.append(("terrain", _Terrain(inputs.dem, inputs.steep_deg, method)))
    steps.append(("indicators", _Indicators(indicators, as_of)))
    if inputs.events is not None:
        steps.append(("events", _Events(inputs.events, inputs.event_items, inputs.complete, as_of)))
    if inputs.servicing is not None:
        served = sorted(set(inputs.servicing["item"].dropna()))
        steps.append(("servicing", _Servicing(inputs.servicing, served, as_of, method)))
    if inputs.boundaries is not None:
        steps.append(("boundaries", _Boundaries(inputs.boundaries, inputs.complete_axes, as_of, method)))
    steps.append(("axes", _Axes(as_of, tuple(inputs.services))))
    if "capacities" in inputs.registers:
        holds = inputs.registers.get("holds")
        headroom, _ = measure_headroom(inputs.registers["capacities"], holds, as_of)
        steps.append(("capacity", _Capacity(headroom)))
    steps.append(("rules", _Rules(inputs.rulebook, as_of)))
    return steps


def _land_of(layer: Layer) -> Layer:
    """Only the land: a step may travel, and the layer's other columns are not asked for."""
    # What fetches its features from a file has none to leave behind.
    frame, extent = (
        each[[each.geometry.name]] if isinstance(each, GeoDataFrame) else each
        for each in (layer.frame, layer.extent)
    )
    return replace(layer, frame=frame, extent=extent)
