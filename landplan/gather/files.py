"""The files of a project read: parcels, ledgers, zones, layers, evaluations, networks, outlines, events, heights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from landplan.attach import attach_ledger, gather_indicators, name_items
from landplan.crs import as_crs, crs_name, transform, working_crs
from landplan.errors import ConfigError, CRSError, DataError, Fault, LandplanError
from landplan.gather.kept import read_kept
from landplan.gather.large import leave_out, survey_layer
from landplan.gather.reading import Reading, lacks
from landplan.inputs import Inputs, Layer
from landplan.issues import Issue, codes
from landplan.overlay import choose_method
from landplan.project import own_source, project_rulebook
from landplan.read.door import open_door
from landplan.read.raster import copy_raster, look_at_raster
from landplan.read.workers import warm_readers
from landplan.schema import coerce
from landplan.tables import Source
from landplan.terrain import measure_terrain

if TYPE_CHECKING:
    from datetime import date

    from landplan.project import Project
    from landplan.project.parts import LayerPart

__all__ = ["read_inputs", "read_layers"]

_LARGE_BYTES = 64 * 1024**2


def read_inputs(project: Project, known_on: date | None = None) -> Inputs:
    """
    Read every file a project names.

    Parameters
    ----------
    project : Project
        What ``landplan.toml`` says.
    known_on : date or None
        Of the ledger, only what was recorded by the end of this day; everything where None.

    Returns
    -------
    Inputs
        Frames, and the issues of every file. A layer, ledger or evaluation that cannot be read is left out and said:
        whatever rests on it becomes unknown.

    Raises
    ------
    DataError
        If no parcel at all can be read, or the rulebook cannot be used: all faults at once.
    ConfigError
        If only settings are wrong: a CRS, an encoding or a profile that is none.
    """
    reading = Reading(project)
    if project.file:
        reading.sources.append(own_source(project))
    rulebook = None
    try:
        rulebook = project_rulebook(project)
    except LandplanError as error:
        reading.faults += error.faults
    profile = reading.profile(project.parcels.profile)
    if project.events is not None and _are_large(project):
        reading.begin(project.events.path, "events", project.events)
    parcels = _read_parcels(reading)
    if project.terrain is not None:
        # Its imports go on while tables are read; two readers starting at once would only hinder each other.
        warm_readers(("raster",))
    zones = _read_zones(reading)
    layers = _read_layers(reading, 0 if parcels is None else len(parcels))
    evaluations = _read_evaluations(reading)
    servicing = _read_servicing(reading)
    boundaries = _read_boundaries(reading)
    indicators, ledgers = _read_ledgers(reading, None if parcels is None else parcels.index)
    kept = read_kept(reading, _read_events(reading), known_on)
    dem = _find_dem(reading, parcels)
    if project.project.measure_crs is not None:
        reading.attempt("project.measure_crs", lambda: as_crs(project.project.measure_crs))
    if parcels is None or rulebook is None:
        raise _unusable(reading)
    if reading.settings:
        raise ConfigError(*dict.fromkeys(reading.settings))
    for ledger, path in ledgers:
        columns, found = attach_ledger(parcels, ledger, path)
        reading.issues += found
        parcels = GeoDataFrame(
            parcels.assign(**{n: columns[n] for n in columns.columns}), geometry="geometry", crs=parcels.crs
        )
    return Inputs(
        name=project.project.name,
        parcels=parcels,
        rulebook=rulebook,
        is_sample=project.project.sample,
        zones=zones,
        evaluations=evaluations,
        layers=tuple(layers),
        indicators=tuple(indicators),
        events=kept.events,
        evaluation_items=project.evaluations.items if project.evaluations else {},
        event_items=project.events.items if project.events else {},
        evaluation_zones=project.evaluations.zones if project.evaluations else {},
        complete=project.events.complete if project.events else (),
        servicing=servicing,
        boundaries=boundaries,
        complete_axes=_complete_axes(project),
        registers=kept.registers,
        checklist=kept.checklist,
        calendar=kept.calendar,
        services=tuple(project.supply.services),
        dem=dem,
        steep_deg=project.terrain.steep_deg if project.terrain else None,
        measure_crs=project.project.measure_crs or (profile.measure_crs if profile else None),
        issues=tuple(reading.issues),
        sources=tuple(reading.sources),
    )


def _are_large(project: Project) -> bool:
    """Whether the parcels take longer to be read than another reader takes to start."""
    files = [project.path(path) for path in project.parcels.paths]
    return sum(file.stat().st_size for file in files if file.is_file()) >= _LARGE_BYTES


def _unusable(reading: Reading) -> LandplanError:
    """Everything that stands in the way, in one error."""
    faults = [*reading.settings, *reading.faults]
    for issue in reading.issues:
        row = issue.as_row()
        if row["severity"] == "error":
            at = " ".join(
                str(part)
                for part in (issue.source, issue.layer, issue.row, issue.cell)
                if part not in ("", None)
            )
            faults.append(Fault(row["message_en"], row["message_zh"], at, row["mend_en"], row["mend_zh"]))
    shown = list(dict.fromkeys(faults))[:50]
    if len(faults) == len(reading.settings) > 0:
        return ConfigError(*shown)
    return DataError(*(shown or [Fault(en="no parcel can be read.", zh="没有可读取的地块。")]))


def _read_parcels(reading: Reading) -> GeoDataFrame | None:
    part = reading.project.parcels
    frames: list[GeoDataFrame] = []
    taken: dict[str, str] = {}
    for path in part.paths:
        begun = len(reading.issues)
        read = reading.table(path, "parcels", "parcels", **reading.how(part))
        if read is None or not isinstance(read.frame, GeoDataFrame) or read.frame.crs is None:
            continue
        frame = read.frame
        frame["source"] = path
        # Numbers made of rows repeat from file to file; the name of the file tells them apart.
        is_made = len(part.paths) > 1 and "parcel_id" not in read.canonical.recognised.values()
        frames.append(frame)
        if len(part.paths) == 1:
            continue  # within a file the reader has told them apart
        names, doubles = _tell_apart(
            frame.index.astype("str"), f"{Path(path).stem}-" if is_made else "", taken, path
        )
        frame.index = frame.index.astype("str").map(names)
        # What the reader said of a parcel follows it to its new name.
        said = [replace(issue, parcel_id=names.get(issue.parcel_id, "")) for issue in reading.issues[begun:]]
        reading.issues[begun:] = said + doubles
    if not frames:
        return None
    try:
        crs = working_crs([frame.crs for frame in frames])
    except LandplanError as error:
        reading.faults += error.faults
        return None
    joined = GeoDataFrame(
        pd.concat([transform(f, crs, at=str(f["source"].iloc[0])) for f in frames]),
        geometry="geometry",
        crs=crs,
    )
    joined.index = joined.index.astype("str")
    joined.index.name = "parcel_id"
    return GeoDataFrame(coerce(joined, "parcels"), geometry="geometry", crs=crs)


def _tell_apart(
    index: pd.Index[Any], prefix: str, taken: dict[str, str], path: str
) -> tuple[dict[str, str], list[Issue]]:
    """New names for the parcels of one more file; one number in two files: both are kept, both are asked about."""
    names: dict[str, str] = {}
    issues: list[Issue] = []
    for pid in index:
        name = number = f"{prefix}{pid}"
        count = 1
        while name in taken:
            count += 1
            name = f"{number}#{count}"
        if count > 1:
            both = [(taken[number], number)] if count == 2 else []
            issues += [
                Issue("ATTR.ID_DUPLICATE", source=p, parcel_id=n, value=number)
                for p, n in (*both, (path, name))
            ]
        names[pid] = name
        taken[name] = path
    return names, issues


def _read_zones(reading: Reading) -> GeoDataFrame | None:
    part = reading.project.zones
    if part is None:
        return None
    read = reading.table(part.path, "zones", "zones", **reading.how(part))
    if read is None or not isinstance(read.frame, GeoDataFrame) or read.frame.crs is None:
        return None
    frame = read.frame.reset_index(drop=True)
    if "zone_code" not in frame.columns:
        if "zone_name" not in frame.columns:
            reading.issues.append(lacks(part.path, "zone_code"))
            return None
        # Real names run over two lines in their cell; a code is one line.
        frame["zone_code"] = frame["zone_name"].str.split().str.join(" ")
    for name in ("valid_from", "valid_to"):
        if name not in frame.columns:
            frame[name] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")
    # A version whose first or last day cannot be read may be in force or not: it is left out, and its issue says why.
    undated = {issue.row for issue in read.issues if issue.code == "ATTR.DATE"}
    doubtful = frame["source_row"].isin(undated) if "source_row" in frame.columns else False
    kept = frame[(frame["zone_code"].notna() & ~doubtful).to_numpy(dtype=bool)]
    return GeoDataFrame(coerce(kept, "zones"), geometry="geometry", crs=frame.crs)


def read_layers(project: Project, parcels: int = 0) -> list[Layer]:
    """
    Read the constraint layers of a project alone.

    Parameters
    ----------
    project : Project
        What ``landplan.toml`` says.
    parcels : int, default 0
        How many they are laid under; very large layers stay in their files where there are many.

    Returns
    -------
    list of Layer
        Those that can be read, in the order of the file.
    """
    return _read_layers(Reading(project), parcels)


def _read_layers(reading: Reading, parcels: int) -> list[Layer]:
    # The compiled way alone takes a layer as it comes from its file: shapely wants to have seen all of it.
    may_stay = choose_method(parcels) == "fast"
    layers = []
    for part in reading.project.layers:
        survey = survey_layer(reading, part, parcels) if may_stay else None
        frame = _read_outlines(reading, part) if survey is None else None
        surveyed = None if part.extent is None else reading.geometry(part.extent, f"extent:{part.name}")
        if survey is not None:
            bounds, crs = survey.bounds, survey.crs
        elif frame is not None:
            bounds, crs = tuple(frame.total_bounds.tolist()), frame.crs
        else:
            continue
        if surveyed is not None:
            extent = GeoDataFrame(surveyed.frame[["geometry"]], geometry="geometry", crs=surveyed.frame.crs)
        else:
            # The safe side: a layer is taken to speak for the rectangle of its features and for nothing beyond.
            told = ", ".join(f"{value:.1f}" for value in bounds)
            extent = geopandas.GeoDataFrame(geometry=[shapely.box(*bounds)], crs=crs)
            reading.issues.append(
                Issue(
                    "GEOM.EXTENT_ASSUMED", source=part.path, layer=part.name, value=f"{told} {crs_name(crs)}"
                )
            )
        if survey is None:
            layers.append(Layer(part.name, part.title, frame, extent))
        else:
            land = leave_out(extent, survey.doubtful)
            layers.append(Layer(part.name, part.title, survey.frame, land, survey.issues))
    return layers


def _read_outlines(reading: Reading, part: LayerPart) -> GeoDataFrame | None:
    """The outlines of a layer, read whole."""
    raw = reading.geometry(part.path, f"layer:{part.name}", part.layer, part.crs, part.encoding)
    if raw is None:
        told = {issue.code for issue in reading.issues if issue.source == part.path}
        if not any(codes()[code].severity == "error" for code in told):
            reading.issues.append(
                Issue("FILE.UNREADABLE", source=part.path, layer=part.name, value=part.title)
            )
        return None
    return GeoDataFrame(raw.frame[["geometry"]], geometry="geometry", crs=raw.frame.crs)


def _read_evaluations(reading: Reading) -> GeoDataFrame | None:
    part = reading.project.evaluations
    if part is None:
        return None
    read = reading.table(part.path, "evaluations", "evaluations", **reading.how(part))
    if read is None or not isinstance(read.frame, GeoDataFrame) or read.frame.crs is None:
        return None
    frame = read.frame.reset_index(drop=True)
    if "item" not in frame.columns:
        reading.issues.append(lacks(part.path, "item"))
        return None
    for name in ("approved_on", "until"):
        if name not in frame.columns:
            reading.issues.append(lacks(part.path, name))
            frame[name] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")
    named, found = name_items(frame, part.items, part.path)
    reading.issues += found
    return GeoDataFrame(coerce(named, "evaluations"), geometry="geometry", crs=frame.crs)


def _read_servicing(reading: Reading) -> GeoDataFrame | None:
    part = reading.project.servicing
    if part is None:
        return None
    read = reading.table(part.path, "servicing", "servicing", **reading.how(part))
    if read is None or not isinstance(read.frame, GeoDataFrame) or read.frame.crs is None:
        return None
    frame = read.frame.reset_index(drop=True)
    if "item" not in frame.columns:
        reading.issues.append(lacks(part.path, "item"))
        return None
    items = reading.project.events.items if reading.project.events is not None else {}
    named, found = name_items(_with_days(frame, "on", "until", "expected_on"), items, part.path)
    reading.issues += found
    return GeoDataFrame(coerce(named, "servicing"), geometry="geometry", crs=frame.crs)


def _read_boundaries(reading: Reading) -> GeoDataFrame | None:
    frames: list[GeoDataFrame] = []
    for part in reading.project.boundaries:
        read = reading.table(part.path, "boundaries", f"boundary:{part.axis}", **reading.how(part))
        if read is None or not isinstance(read.frame, GeoDataFrame) or read.frame.crs is None:
            continue
        # The project file says what the outlines are; a column of the same meaning could only contradict it.
        frame = _with_days(read.frame.reset_index(drop=True), "on", "until").assign(axis=part.axis)
        frames.append(GeoDataFrame(coerce(frame, "boundaries"), geometry="geometry", crs=read.frame.crs))
    if not frames:
        return None
    crs = frames[0].crs
    joined = pd.concat([transform(frame, crs) for frame in frames], ignore_index=True)
    return GeoDataFrame(joined, geometry="geometry", crs=crs)


def _with_days(frame: GeoDataFrame, *names: str) -> GeoDataFrame:
    lacking = {
        name: pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")
        for name in names
        if name not in frame.columns
    }
    return GeoDataFrame(frame.assign(**lacking), geometry="geometry", crs=frame.crs)


def _complete_axes(project: Project) -> tuple[str, ...]:
    """Axes every file of which is said to be complete: one file with gaps leaves gaps."""
    axes = {part.axis for part in project.boundaries}
    return tuple(sorted(a for a in axes if all(p.is_complete for p in project.boundaries if p.axis == a)))


def _read_ledgers(
    reading: Reading, known: pd.Index[Any] | None
) -> tuple[list[pd.DataFrame], list[tuple[pd.DataFrame, str]]]:
    indicators, ledgers = [], []
    for part in reading.project.tables:
        read = reading.table(part.path, "parcels", "table", **reading.how(part))
        # Without numbers of its own a ledger would be joined by its row numbers: to the wrong parcels.
        if read is None or any(issue.code == "ATTR.NO_ID" for issue in read.issues):
            continue
        frame = pd.DataFrame(read.frame.drop(columns="geometry", errors="ignore"))
        found = gather_indicators(frame, part.basis, part.path)
        # A ledger number without a drawn parcel is told once, by attach_ledger.
        indicators.append(
            found if known is None else found[found["parcel_id"].isin(known).to_numpy(dtype=bool)]
        )
        ledgers.append((frame, part.path))
    return indicators, ledgers


def _read_events(reading: Reading) -> pd.DataFrame | None:
    part = reading.project.events
    if part is None:
        return None
    read = reading.table(part.path, "events", "events", **reading.how(part))
    if read is None:
        return None
    frame = pd.DataFrame(read.frame)
    if "parcel_id" not in frame.columns:
        frame = frame.reset_index()
    lacking = [name for name in ("parcel_id", "item", "on") if name not in frame.columns]
    if lacking:
        reading.issues += [lacks(part.path, name) for name in lacking]
        return None
    if "state" not in frame.columns:
        frame["state"] = "done"
    frame["source"] = part.path
    named, found = name_items(frame, part.items, part.path)
    reading.issues += found
    return coerce(named.reset_index(drop=True), "events")


def _find_dem(reading: Reading, parcels: GeoDataFrame | None) -> Path | None:
    part = reading.project.terrain
    if part is None:
        return None
    path = reading.project.path(part.dem)
    door = open_door(path)
    reading.sources.append(Source("dem", part.dem, sha256=door.sha256))
    reading.issues += [replace(issue, source=part.dem) for issue in door.issues]
    if not door.is_open or parcels is None:
        return None
    # A cut raster opens well and fails at the parcel it does not reach: it is read to its end here.
    seen = look_at_raster(door)
    reading.issues += [replace(issue, source=part.dem) for issue in seen.issues]
    if seen.has_blanks or any(codes()[issue.code].severity == "error" for issue in seen.issues):
        return None
    copy, faults = copy_raster(door, seen, parcels.total_bounds, parcels.crs)
    reading.issues += [replace(issue, source=part.dem) for issue in faults]
    if copy is None:
        return None
    # One spot is measured now: a DEM that cannot be used costs the slopes, not the judgement.
    bounds = parcels.total_bounds
    spot = shapely.Point((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
    try:
        measure_terrain(geopandas.GeoDataFrame(geometry=[spot.buffer(1.0)], crs=parcels.crs), copy)
    except CRSError:
        reading.issues.append(Issue("RASTER.CRS", source=part.dem))
    except LandplanError as error:
        reading.issues.append(
            Issue(
                "RASTER.UNREADABLE", source=part.dem, value=error.faults[0].en.partition(": ")[2].rstrip(".")
            )
        )
    else:
        return copy
    return None
