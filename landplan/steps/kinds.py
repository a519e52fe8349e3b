"""The parcel steps of an assessment, each a frozen value that can be handed to an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

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
    WHOLE,
    Ask,
    Method,
    choose_method,
    coverage_of,
    find_pieces,
    locate_pieces,
    measure_boundaries,
    measure_coverage,
    measure_overlaps,
    measure_reach,
    measure_servicing,
)
from landplan.readiness import judge_evaluations
from landplan.repair import reconcile_areas
from landplan.resources import attach_capacity, measure_headroom
from landplan.rules import Rulebook, evaluate_rules, exempt_evaluations, resolve_industry
from landplan.steps.seam import Step, StepResult
from landplan.supply import derive_axes
from landplan.terrain import TERRAIN_COLUMNS, measure_terrain

__all__ = ["steps_of"]

_MEASURED = ("is_quarantined", "area_m2", "measure_epsg")


@dataclass(frozen=True)
class _Measure:
    measure_crs: str | None

    def reads(self) -> tuple[str, ...]:
        return "is_quarantined", "area_registered_m2"

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        areas = measure_areas(parcels, self.measure_crs)
        registered = parcels[[name for name in ("area_registered_m2",) if name in parcels.columns]]
        ratio, issues = reconcile_areas(pd.concat([registered, areas], axis=1))
        return StepResult(pd.concat([areas, ratio], axis=1), issues)


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

    @cached_property
    def current(self) -> GeoDataFrame:
        """The boundaries in force on the day."""
        return zones_on(self.zones, self.as_of)

    def asks(self) -> list[Ask]:
        return [Ask(self.current, "zone_code")]

    def reads(self) -> tuple[str, ...]:
        return _MEASURED

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        pieces = _pieces(parcels, self.current, "zones", "zone_code", self.method)
        columns, issues = attach_zones(parcels, pieces, self.current)
        return StepResult(columns, _far_ones(parcels, self.current, issues), pieces.drop(columns="_at"))


def _pieces(
    parcels: GeoDataFrame, layer: Any, name: str, feature: str | None, method: Method
) -> GeoDataFrame:
    # Where cutting is not the way of measuring, pieces are cut later, and only those that are shown.
    return locate_pieces(parcels, layer, name, feature, method=method, drawn=method == "exact")


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

    def asks(self) -> list[Ask]:
        return [Ask(self.layer.frame), Ask(self.layer.extent)]

    def reads(self) -> tuple[str, ...]:
        return _MEASURED

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        name = self.layer.name
        pieces = _pieces(parcels, self.layer.frame, name, None, self.method)
        reach = measure_reach(parcels, self.layer.extent, method=self.method)
        columns = measure_overlaps(parcels, pieces, reach, name)
        beyond = parcels.index[~reach.to_numpy(dtype=bool) & parcels["area_m2"].notna().to_numpy(dtype=bool)]
        issues = [Issue("GEOM.NOT_COVERED", layer=name, parcel_id=str(pid)) for pid in beyond]
        return StepResult(columns, issues, pieces.drop(columns="_at"))


@dataclass(frozen=True)
class _Evaluations:
    evaluations: GeoDataFrame
    items: Mapping[str, str]
    zones: Mapping[str, Sequence[str]]
    as_of: date
    method: Method

    @cached_property
    def coverage(self) -> Mapping[str, Any]:
        """The evaluations by item, and by what they say on the day."""
        return coverage_of(self.evaluations, self.items, self.as_of)

    def asks(self) -> list[Ask]:
        return [ask for held in self.coverage.values() if held is not None for ask in held.asks()]

    def reads(self) -> tuple[str, ...]:
        return *_MEASURED, "zone_code"

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        shares = measure_coverage(parcels, self.coverage, self.as_of, method=self.method)
        states = judge_evaluations(parcels.join(shares), self.items, self.zones, self.as_of)
        return StepResult(shares.join(states))


@dataclass(frozen=True)
class _Terrain:
    dem: Path
    steep_deg: float | None
    method: Method

    def reads(self) -> tuple[str, ...]:
        return _MEASURED

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
class _Servicing:
    servicing: GeoDataFrame
    items: Sequence[str]
    as_of: date
    method: Method

    def reads(self) -> tuple[str, ...]:
        return *_MEASURED, *_proof(self.items)

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

    def reads(self) -> tuple[str, ...]:
        return *_MEASURED, *_proof(self.boundaries["axis"].dropna().unique().tolist())

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
            pieces.append(find_pieces(partly, named, f"boundary_{axis}", feature="_document"))
        joined = None
        if pieces:
            together = pd.concat(pieces, ignore_index=True)
            place = parcels.index.astype("str").get_indexer(together["parcel_id"])
            order = np.argsort(place, kind="stable")
            joined = GeoDataFrame(together.iloc[order].reset_index(drop=True), crs=parcels.crs)
        return StepResult(columns, [], joined)


def _proof(items: Sequence[str]) -> list[str]:
    return [f"event_{item}_{part}" for item in items for part in ("state", "on", "document")]


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
    steps: list[tuple[str, Step]] = [
        ("industry", _Industry()),
        ("indicators", _Indicators(indicators, as_of)),
    ]
    if inputs.events is not None:
        steps.append(("events", _Events(inputs.events, inputs.event_items, inputs.complete, as_of)))
    # What is measured on the land stands together: it may travel.
    steps.append(("measure", _Measure(inputs.measure_crs)))
    if inputs.zones is not None:
        steps.append(("zones", _Zones(inputs.zones, as_of, method)))
    steps += [(f"overlay {layer.name}", _Overlay(_land_of(layer), method)) for layer in inputs.layers]
    if inputs.evaluations is not None:
        asked = inputs.evaluation_items, inputs.evaluation_zones
        steps.append(("evaluations", _Evaluations(inputs.evaluations, *asked, as_of, method)))
    if inputs.dem is not None:
        steps.append(("terrain", _Terrain(inputs.dem, inputs.steep_deg, method)))
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
