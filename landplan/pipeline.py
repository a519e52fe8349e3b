"""
The order of work: from a project's files to one assessment.

Each step takes parcels and gives new columns on the same index (and what it found besides); an engine runs it, here or on
a cluster. Whole-table work - doubles, neighbours, the balance - stays outside that seam.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyproj
import shapely
from geopandas import GeoDataFrame, GeoSeries

from landplan.attach import event_issues, gather_indicators, zones_on
from landplan.crs import measure_areas, transform
from landplan.errors import Fault, SchemaError
from landplan.gather import leave_out, read_inputs, read_layers
from landplan.inputs import Inputs, Layer
from landplan.issues import Issue
from landplan.overlay import draw_pieces
from landplan.project import Project, load_project
from landplan.read.webmap import look_for_shift
from landplan.readiness import assess_readiness
from landplan.repair import find_conflicts, reconcile_areas, repair_layer, repair_parcels, set_tangles_apart
from landplan.resources import attach_capacity, measure_headroom, report_funds
from landplan.rules import apply_overrides
from landplan.schema import check, coerce
from landplan.schema.words import is_among
from landplan.steps import Engine, Local, add_columns, steps_of
from landplan.supply import classify_supply
from landplan.tables import Assessment, Provenance, issue_table
from landplan.verdict import decide, wanted_layers
from landplan.workdays import load_calendar

__all__ = ["assess", "draw_layers"]

_MOST_DRAWN = 20_000
"""Pieces of layers in parcels that are cut for all to see, and parcels on a page; a map cuts those it shows beyond."""


def assess(
    source: Inputs | Project | Path | str,
    *,
    as_of: date,
    engine: Engine | None = None,
    known_on: date | None = None,
    progress: Callable[[str], None] | None = None,
) -> Assessment:
    """
    Judge parcels on a day and say why.

    Parameters
    ----------
    source : Inputs, Project, or path of a project
        What to judge: a folder with ``landplan.toml``, or frames already read.
    as_of : date
        The day. Nothing in landplan reads the clock but the command line.
    engine : Engine or None
        Where the steps are run; here by default.
    known_on : date or None
        Of the project's ledger, only what was recorded by the end of this day: what was known then. Everything where
        None.
    progress : callable or None
        Called with the name of each step before it begins.

    Returns
    -------
    Assessment
        The tables and what they rest on. Every parcel handed in is in it.

    Raises
    ------
    ConfigError, DataError
        If the project, the parcels or the rulebook cannot be used at all; all faults at once.
    """
    runner = engine or Local()
    say = progress or (lambda _: None)
    say("read")
    if isinstance(source, Inputs):
        inputs = source
    else:
        project = source if isinstance(source, Project) else load_project(Path(source))
        inputs = read_inputs(project, known_on)
    if inputs.parcels.empty:
        raise SchemaError(
            Fault(
                en="there are no parcels.",
                zh="没有地块。",
                mend_en="check the parcel files",
                mend_zh="核对地块文件",
            )
        )
    issues = list(inputs.issues)
    say("repair")
    parcels, found = repair_parcels(inputs.parcels)
    # The reader has already named what it saw in the file; the same fault is not told twice.
    told = {(issue.parcel_id, issue.code) for issue in issues}
    issues += [issue for issue in found if (issue.parcel_id, issue.code) not in told]
    inputs, found = _repair_layers(inputs)
    issues += found
    overlaid = [(layer.name, layer.frame) for layer in inputs.layers if not callable(layer.frame)]
    overlaid += [("zones", inputs.zones)] if inputs.zones is not None else []
    overlaid += [("evaluations", inputs.evaluations)] if inputs.evaluations is not None else []
    parcels, found = set_tangles_apart(parcels, overlaid)
    issues += found
    indicators = _indicators_of(parcels, inputs)
    parcels = GeoDataFrame(
        parcels.drop(columns=[c for c in indicators["indicator"].unique() if c in parcels.columns]),
        geometry="geometry",
        crs=parcels.crs,
    )
    pieces: list[GeoDataFrame] = []
    findings = pd.DataFrame()
    # Neighbours are a matter of the outlines alone: they are looked at while the steps run.
    with ThreadPoolExecutor(1) as beside:
        conflicts = beside.submit(
            find_conflicts, parcels[["is_quarantined", parcels.geometry.name]], inputs.measure_crs
        )
        parcels, results = runner.run(steps_of(inputs, as_of, indicators), parcels, say)
        for result in results:
            issues += result.issues
            pieces += [result.pieces] if result.pieces is not None else []
            findings = findings if result.findings is None else result.findings
        issues += check(parcels)
        if inputs.zones is not None and (parcels["zone_share"] < 0.99).any():
            # Of all parcels together: one alone beside its zone is no sign of a shift.
            issues += look_for_shift(parcels, zones_on(inputs.zones, as_of))
        say("neighbours")
        issues += conflicts.result()
    if inputs.events is not None:
        issues += event_issues(parcels, inputs.events)
    issues += _zone_areas(inputs, as_of)
    issues += _told_of_registers(inputs, parcels, as_of)
    say("verdict")
    findings, found = apply_overrides(findings, inputs.registers.get("overrides", pd.DataFrame()), as_of)
    issues += found
    findings = coerce(findings, "findings")
    table = issue_table(issues)
    # A fault of a zone or a file stops no parcel, and must not be listed as if it did.
    table["is_blocking"] &= (table["parcel_id"].fillna("") != "").astype("boolean")
    parcels = add_columns(parcels, decide(parcels, findings, table), "verdict")
    titles = (
        {layer.name: layer.title for layer in inputs.layers}
        | dict(inputs.evaluation_items)
        | dict(inputs.event_items)
    )
    parcels = add_columns(parcels, classify_supply(parcels, findings, titles), "supply")
    say("readiness")
    calendar = inputs.calendar or load_calendar()
    ready, tasks, found = assess_readiness(parcels, findings, inputs.checklist, as_of, calendar, titles)
    parcels = add_columns(parcels, ready, "readiness")
    # What readiness finds is advice on days and papers: the verdict stands already.
    table = pd.concat([table, issue_table(found)], ignore_index=True) if found else table
    table["is_blocking"] &= (table["parcel_id"].fillna("") != "").astype("boolean")
    empty = GeoDataFrame({"zone_code": [], "valid_from": [], "valid_to": []}, geometry=[], crs=parcels.crs)
    return Assessment(
        parcels=coerce(parcels, "parcels"),
        zones=coerce(empty if inputs.zones is None else transform(inputs.zones, parcels.crs), "zones"),
        overlaps=_draw_shown(
            _overlaps(pieces, parcels.crs), parcels, inputs.layers, findings, most=_MOST_DRAWN
        ),
        indicators=indicators,
        events=coerce(pd.DataFrame() if inputs.events is None else inputs.events, "events"),
        findings=findings,
        issues=table,
        provenance=replace(
            _provenance(inputs, as_of, len(parcels)),
            known_on="" if known_on is None else known_on.isoformat(),
        ),
        tasks=tasks,
        registers=dict(inputs.registers),
        layers=_surroundings(inputs.layers, parcels),
    )


def draw_layers(assessment: Assessment, project: Project) -> Assessment:
    """
    Give an assessment that was loaded its constraint layers back, for the map.

    Parameters
    ----------
    assessment : Assessment
        Loaded from a file, which keeps the pieces inside parcels but not the layers around them.
    project : Project
        Where the layers are; its files are those the assessment was made from.

    Returns
    -------
    Assessment
        The same with ``layers``, and with every piece a map shows.
    """
    if assessment.layers:
        return assessment
    parcels = assessment.parcels
    layers = [
        layer if callable(layer.frame) else replace(layer, frame=repair_layer(layer.frame, layer.name)[0])
        for layer in read_layers(project, len(parcels))
    ]
    overlaps = _draw_shown(assessment.overlaps, parcels, layers, assessment.findings)
    return replace(assessment, layers=_surroundings(layers, parcels), overlaps=overlaps)


def _repair_layers(inputs: Inputs) -> tuple[Inputs, list[Issue]]:
    issues: list[Issue] = []
    layers = []
    for layer in inputs.layers:
        if callable(layer.frame):
            # It stays in its file: it was looked at there, and what is fetched of it is valid.
            issues += layer.issues
            layers.append(layer)
            continue
        frame, doubtful, found = repair_layer(layer.frame, layer.name)
        issues += found
        layers.append(replace(layer, frame=frame, extent=leave_out(layer.extent, doubtful)))
    zones, evaluations = inputs.zones, inputs.evaluations
    if zones is not None:
        zones, _, found = repair_layer(zones, "zones")
        issues += found
    if evaluations is not None:
        evaluations, _, found = repair_layer(evaluations, "evaluations")
        issues += found
    return replace(inputs, layers=tuple(layers), zones=zones, evaluations=evaluations), issues


def _indicators_of(parcels: GeoDataFrame, inputs: Inputs) -> pd.DataFrame:
    drawn = gather_indicators(pd.DataFrame(parcels.drop(columns="geometry")), "set", "")
    tables = [table for table in (drawn, *inputs.indicators) if len(table)]
    joined = (
        tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    )
    return coerce(joined, "indicators")


def _zone_areas(inputs: Inputs, as_of: date) -> list[Issue]:
    """Hold the approved area of each zone in force against its digitised area."""
    if inputs.zones is None or "area_planned_m2" not in inputs.zones.columns:
        return []
    current = zones_on(inputs.zones, as_of).set_index("zone_code")
    if current.empty:
        return []
    areas = measure_areas(current, inputs.measure_crs)
    _, issues = reconcile_areas(current.join(areas), registered="area_planned_m2")
    path = next((source.path for source in inputs.sources if source.role == "zones"), "")
    # A zone is no parcel: its fault is told of the layer, and stops no verdict.
    return [
        replace(issue, source=path, parcel_id="", layer="zones", value=f"{issue.parcel_id} {issue.value}")
        for issue in issues
    ]


def _told_of_registers(inputs: Inputs, parcels: GeoDataFrame, as_of: date) -> list[Issue]:
    """What is wrong with ledgers of capacities and money as a whole: rows too old, nodes unclear, heads overdrawn."""
    registers = inputs.registers
    issues: list[Issue] = []
    if "capacities" in registers:
        headroom, found = measure_headroom(registers["capacities"], registers.get("holds"), as_of)
        issues += [*found, *attach_capacity(parcels, headroom)[1]]
    if "budget" in registers and "commitments" in registers:
        issues += report_funds(registers["budget"], registers["commitments"], as_of)
    return issues


def _overlaps(pieces: Sequence[GeoDataFrame], crs: pyproj.CRS) -> GeoDataFrame:
    filled = [piece for piece in pieces if len(piece)]
    if not filled:
        empty: dict[str, list[Any]] = {
            name: [] for name in ("parcel_id", "layer", "feature", "overlap_m2", "overlap_share")
        }
        return GeoDataFrame(
            coerce(GeoDataFrame(empty, geometry=[], crs=crs), "overlaps"), geometry="geometry", crs=crs
        )
    joined = pd.concat(filled, ignore_index=True)
    return GeoDataFrame(coerce(joined, "overlaps"), geometry="geometry", crs=crs)


def _draw_shown(
    overlaps: GeoDataFrame,
    parcels: GeoDataFrame,
    layers: Sequence[Layer],
    findings: pd.DataFrame,
    most: int | None = None,
) -> GeoDataFrame:
    """
    Cut the pieces that are shown and were only measured.

    A map shows what lies on a layer that no rule wants the parcel to lie within; of a layer that it should lie within, a finding
    shows how much of a parcel that fails does. Zones are drawn as they are.
    """
    waiting = overlaps.geometry.isna().to_numpy(dtype=bool)
    names = {layer.name for layer in layers}
    wanted = wanted_layers(findings, names)
    shown = waiting & overlaps["layer"].isin(names - wanted).to_numpy(dtype=bool)
    if most is not None and shown.sum() > most:
        return overlaps
    for name in sorted(wanted):
        about = is_among(findings["indicator"], [f"{name}_overlap_share", f"{name}_overlap_m2"])
        about &= is_among(findings["status"], ["fail", "refer"])
        failing = findings["parcel_id"][about].astype("str").unique()
        here = waiting & (overlaps["layer"] == name).to_numpy(dtype=bool)
        shown |= here & overlaps["parcel_id"].isin(failing).to_numpy(dtype=bool)
    if not shown.any() or (most is not None and shown.sum() > most):
        return overlaps
    shapes = np.asarray(overlaps.geometry.values).copy()
    for layer in layers:
        here = np.flatnonzero(shown & (overlaps["layer"] == layer.name).to_numpy(dtype=bool))
        if not len(here):
            continue
        frame = layer.frame
        if callable(frame):
            # Shapely is asked for the first time: what crosses the layer a million times is not drawn.
            met = parcels[parcels.index.isin(overlaps["parcel_id"].iloc[here])]
            frame = frame(tuple(met.total_bounds.tolist()), parcels.crs)
            tame = set_tangles_apart(met, [(layer.name, frame)])[0]
            tame = tame.index[~tame["is_quarantined"].fillna(False).to_numpy(dtype=bool)]
            here = here[overlaps["parcel_id"].iloc[here].isin(tame).to_numpy(dtype=bool)]
        shapes[here] = draw_pieces(overlaps.iloc[here], parcels, frame).geometry.to_numpy()
    return overlaps.set_geometry(GeoSeries(shapes, index=overlaps.index, crs=overlaps.crs))


def _surroundings(layers: Sequence[Layer], parcels: GeoDataFrame) -> dict[str, Any]:
    """Clip layers to the surroundings of the parcels: what a map can show of them."""
    bounds = parcels.total_bounds
    if not np.isfinite(bounds).all():
        return {}
    margin = 0.15 * max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    box = (bounds[0] - margin, bounds[1] - margin, bounds[2] + margin, bounds[3] + margin)
    shown: dict[str, Any] = {}
    for layer in layers:
        if not callable(layer.frame):
            frame = transform(layer.frame, parcels.crs)
        elif len(parcels) <= _MOST_DRAWN:
            frame = layer.frame(box, parcels.crs)
        else:
            continue  # no page shows so many parcels
        near = frame.iloc[sorted(frame.sindex.query(shapely.box(*box)))]
        clipped = shapely.clip_by_rect(near.geometry.values, *box)
        kept = ~shapely.is_empty(clipped) & np.isin(shapely.get_type_id(clipped), (3, 6))
        shown[layer.name] = geopandas.GeoDataFrame(geometry=clipped[kept], crs=parcels.crs)
    return shown


def _provenance(inputs: Inputs, as_of: date, count: int) -> Provenance:
    libraries = {
        name: version(name) for name in ("geopandas", "shapely", "pyproj", "pyogrio", "rasterio", "pandas")
    }
    libraries |= {"GEOS": shapely.geos_version_string, "PROJ": pyproj.proj_version_str}
    rows = [source for source in inputs.sources if source.role == "parcels"]
    return Provenance(
        as_of=as_of,
        project=inputs.name,
        is_sample=inputs.is_sample,
        version=version("landplan"),
        libraries=libraries,
        books=inputs.rulebook.as_books(),
        sources=tuple(inputs.sources),
        layers={layer.name: layer.title for layer in inputs.layers},
        items={**inputs.evaluation_items, **inputs.event_items},
        counts={
            "in": sum(source.rows_in for source in rows) or count,
            "out": count,
            "dropped": sum(source.rows_rejected for source in rows),
        },
        complete=tuple(inputs.complete),
    )
