"""From the files a project names to the frames an assessment needs; every file that fails costs only itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from landplan.attach import attach_ledger, gather_indicators, name_items
from landplan.crs import crs_name, transform, working_crs
from landplan.errors import DataError, Fault, LandplanError
from landplan.issues import Issue
from landplan.read import Raw, Read, read_source, read_table
from landplan.read.door import open_door
from landplan.read.profile import Profile, load_profile
from landplan.rules import load_rulebook
from landplan.schema import coerce
from landplan.tables import Provenance, Source

if TYPE_CHECKING:
    from landplan.project import Project
    from landplan.rules import Rulebook

__all__ = ["Inputs", "Layer", "changed_sources", "read_inputs", "read_layers"]


@dataclass(frozen=True)
class Layer:
    """
    A constraint layer and what it speaks for.

    Parameters
    ----------
    name, title : str
        Its code and what people call it.
    frame : GeoDataFrame
        Its polygons, with a CRS.
    extent : GeoDataFrame
        The land it was surveyed for; parcels that reach beyond it are unknown.
    """

    name: str
    title: str
    frame: GeoDataFrame
    extent: GeoDataFrame


@dataclass(frozen=True)
class Inputs:
    """
    Everything one assessment judges, already read.

    Parameters
    ----------
    name : str
        Name of the project.
    parcels : GeoDataFrame, indexed by parcel_id
        Canonical columns and geometry as drawn, in the working CRS.
    rulebook : Rulebook
        What judges.
    is_sample : bool
        Whether the data are made up.
    zones, evaluations : GeoDataFrame or None
        All versions of zone boundaries; area evaluations with ``item`` as codes.
    layers : tuple of Layer
        Constraint layers.
    indicators : tuple of DataFrame
        Rows of the ``indicators`` table, from ledgers.
    events : DataFrame or None
        The events table, ``item`` as codes.
    evaluation_items, event_items : mapping of str to str
        Titles by code.
    complete : sequence of str
        Event items nothing is missing of.
    dem : Path or None
        The elevation model.
    measure_crs : str or None
        One plane for all; each parcel's own 3-degree zone where None.
    issues : tuple of Issue
        What was wrong with the files.
    sources : tuple of Source
        The files as they were used.
    """

    name: str
    parcels: GeoDataFrame
    rulebook: Rulebook
    is_sample: bool = False
    zones: GeoDataFrame | None = None
    evaluations: GeoDataFrame | None = None
    layers: tuple[Layer, ...] = ()
    indicators: tuple[pd.DataFrame, ...] = ()
    events: pd.DataFrame | None = None
    evaluation_items: Mapping[str, str] = field(default_factory=dict)
    event_items: Mapping[str, str] = field(default_factory=dict)
    complete: Sequence[str] = ()
    dem: Path | None = None
    measure_crs: str | None = None
    issues: tuple[Issue, ...] = ()
    sources: tuple[Source, ...] = ()


class _Reading:
    """Reads one project; keeps issues, sources and the faults that no assessment can do without."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.issues: list[Issue] = []
        self.sources: list[Source] = []
        self.faults: list[Fault] = []

    def profile(self, name: str | None) -> Profile | None:
        return None if name is None else load_profile(name, folders=[self.project.folder])

    def table(self, path: str, table: str, role: str, **how: Any) -> Read | None:
        try:
            read = read_table(self.project.path(path), table, role=role, **how)
        except LandplanError as error:
            self.faults += error.faults
            return None
        # The project's own spelling of the path is what people look for, on whichever machine.
        self.issues += [replace(issue, source=path) for issue in read.issues]
        self.sources.append(replace(read.source, role=role, path=path))
        return read if read.source.rows_imported or not _stopped(read.issues) else None

    def geometry(self, path: str, role: str, layer: str | None = None, crs: str | None = None, encoding: str | None = None) -> Raw | None:
        try:
            raw = read_source(self.project.path(path), layer=layer, crs=crs, encoding=encoding)
        except LandplanError as error:
            self.faults += error.faults
            return None
        self.issues += [replace(issue, source=path) for issue in raw.issues]
        self.sources.append(replace(raw.source, role=role, path=path))
        if not isinstance(raw.frame, GeoDataFrame) or raw.frame.crs is None or raw.frame.empty:
            return None
        return raw


def _stopped(issues: Sequence[Issue]) -> bool:
    return any(issue.parcel_id == "" and issue.row is None for issue in issues)


def read_inputs(project: Project) -> Inputs:
    """
    Read every file a project names.

    Parameters
    ----------
    project : Project
        What ``landplan.toml`` says.

    Returns
    -------
    Inputs
        Frames, and the issues of every file. A layer, ledger or evaluation that cannot be read is left out and said:
        whatever rests on it becomes unknown.

    Raises
    ------
    DataError
        If no parcel at all can be read, or the rulebook cannot be used: all faults at once.
    """
    reading = _Reading(project)
    rulebook = None
    try:
        folders = [] if project.rules.folder is None else [project.path(project.rules.folder)]
        named = project.path(project.rules.book)
        rulebook = load_rulebook(named if named.is_file() else project.rules.book, folders=folders)
    except LandplanError as error:
        reading.faults += error.faults
    profile = reading.profile(project.parcels.profile)
    parcels = _read_parcels(reading, profile)
    zones = _read_zones(reading)
    layers = _read_layers(reading)
    evaluations = _read_evaluations(reading)
    indicators, ledgers = _read_ledgers(reading, None if parcels is None else parcels.index)
    events = _read_events(reading)
    dem = _find_dem(reading)
    if parcels is None or rulebook is None:
        raise _unusable(reading)
    for ledger, path in ledgers:
        columns, found = attach_ledger(parcels, ledger, path)
        reading.issues += found
        parcels = GeoDataFrame(parcels.assign(**{n: columns[n] for n in columns.columns}), geometry="geometry", crs=parcels.crs)
    return Inputs(
        name=project.project.name,
        parcels=parcels,
        rulebook=rulebook,
        is_sample=project.project.sample,
        zones=zones,
        evaluations=evaluations,
        layers=tuple(layers),
        indicators=tuple(indicators),
        events=events,
        evaluation_items=project.evaluations.items if project.evaluations else {},
        event_items=project.events.items if project.events else {},
        complete=project.events.complete if project.events else (),
        dem=dem,
        measure_crs=project.project.measure_crs or (profile.measure_crs if profile else None),
        issues=tuple(reading.issues),
        sources=tuple(reading.sources),
    )


def _unusable(reading: _Reading) -> DataError:
    """Everything that stands in the way, in one error."""
    faults = list(reading.faults)
    for issue in reading.issues:
        row = issue.as_row()
        if row["severity"] == "error":
            at = " ".join(str(part) for part in (issue.source, issue.layer, issue.row, issue.cell) if part not in ("", None))
            faults.append(Fault(row["message_en"], row["message_zh"], at, row["mend_en"], row["mend_zh"]))
    shown = list(dict.fromkeys(faults))[:50]
    return DataError(*(shown or [Fault(en="no parcel can be read.", zh="没有可读取的地块。")]))


def _read_parcels(reading: _Reading, profile: Profile | None) -> GeoDataFrame | None:
    part = reading.project.parcels
    frames: list[GeoDataFrame] = []
    for path in part.paths:
        read = reading.table(
            path, "parcels", "parcels", profile=profile, layer=part.layer, crs=part.crs, encoding=part.encoding
        )
        if read is None or not isinstance(read.frame, GeoDataFrame) or read.frame.crs is None:
            continue
        frame = read.frame
        frame["source"] = path
        frames.append(frame)
    if not frames:
        return None
    try:
        crs = working_crs([frame.crs for frame in frames])
    except LandplanError as error:
        reading.faults += error.faults
        return None
    joined = GeoDataFrame(pd.concat([transform(f, crs, at=str(f["source"].iloc[0])) for f in frames]), geometry="geometry", crs=crs)
    doubled = joined.index.duplicated()
    if doubled.any():
        # One number in two files: both are kept, both are asked about.
        names = joined.index.to_series().astype("str")
        count = names.groupby(names).cumcount()
        for pid in dict.fromkeys(joined.index[doubled]):
            reading.issues.append(Issue("ATTR.ID_DUPLICATE", parcel_id=str(pid), value=str(pid)))
        joined.index = pd.Index(names.where(count == 0, names + "#" + (count + 1).astype("str")), name="parcel_id")
    joined.index = joined.index.astype("str")
    joined.index.name = "parcel_id"
    return GeoDataFrame(coerce(joined, "parcels"), geometry="geometry", crs=crs)


def _read_zones(reading: _Reading) -> GeoDataFrame | None:
    part = reading.project.zones
    if part is None:
        return None
    read = reading.table(
        part.path, "zones", "zones", profile=reading.profile(part.profile), layer=part.layer, crs=part.crs, encoding=part.encoding
    )
    if read is None or not isinstance(read.frame, GeoDataFrame) or read.frame.crs is None:
        return None
    frame = read.frame.reset_index(drop=True)
    if "zone_code" not in frame.columns:
        if "zone_name" not in frame.columns:
            reading.issues.append(Issue("ATTR.LAYER_FIELD", source=part.path, field="zone_code", value="开发区代码 zone_code"))
            return None
        frame["zone_code"] = frame["zone_name"]
    for name in ("valid_from", "valid_to"):
        if name not in frame.columns:
            frame[name] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")
    kept = frame[frame["zone_code"].notna().to_numpy(dtype=bool)]
    return GeoDataFrame(coerce(kept, "zones"), geometry="geometry", crs=frame.crs)


def read_layers(project: Project) -> list[Layer]:
    """
    Read the constraint layers of a project alone.

    Parameters
    ----------
    project : Project
        What ``landplan.toml`` says.

    Returns
    -------
    list of Layer
        Those that can be read, in the order of the file.
    """
    return _read_layers(_Reading(project))


def _read_layers(reading: _Reading) -> list[Layer]:
    layers = []
    for part in reading.project.layers:
        raw = reading.geometry(part.path, f"layer:{part.name}", part.layer, part.crs, part.encoding)
        if raw is None:
            reading.issues.append(Issue("FILE.UNREADABLE", source=part.path, layer=part.name, value=part.title))
            continue
        frame = GeoDataFrame(raw.frame[["geometry"]], geometry="geometry", crs=raw.frame.crs)
        extent = None
        if part.extent is not None:
            surveyed = reading.geometry(part.extent, f"extent:{part.name}")
            if surveyed is not None:
                extent = GeoDataFrame(surveyed.frame[["geometry"]], geometry="geometry", crs=surveyed.frame.crs)
        if extent is None:
            # The safe side: a layer is taken to speak for the rectangle of its features and for nothing beyond.
            bounds = ", ".join(f"{value:.1f}" for value in frame.total_bounds)
            extent = geopandas.GeoDataFrame(geometry=[shapely.box(*frame.total_bounds)], crs=frame.crs)
            reading.issues.append(Issue("GEOM.EXTENT_ASSUMED", source=part.path, layer=part.name, value=f"{bounds} {crs_name(frame.crs)}"))
        layers.append(Layer(part.name, part.title, frame, extent))
    return layers


def _read_evaluations(reading: _Reading) -> GeoDataFrame | None:
    part = reading.project.evaluations
    if part is None:
        return None
    read = reading.table(
        part.path, "evaluations", "evaluations", profile=reading.profile(part.profile),
        layer=part.layer, crs=part.crs, encoding=part.encoding,
    )  # fmt: skip
    if read is None or not isinstance(read.frame, GeoDataFrame) or read.frame.crs is None:
        return None
    frame = read.frame.reset_index(drop=True)
    if "item" not in frame.columns:
        reading.issues.append(Issue("ATTR.LAYER_FIELD", source=part.path, field="item", value="事项 item"))
        return None
    for name in ("approved_on", "until"):
        if name not in frame.columns:
            reading.issues.append(Issue("ATTR.LAYER_FIELD", source=part.path, field=name, value=name))
            frame[name] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")
    named, found = name_items(frame, part.items, part.path)
    reading.issues += found
    return GeoDataFrame(coerce(named, "evaluations"), geometry="geometry", crs=frame.crs)


def _read_ledgers(reading: _Reading, known: pd.Index[Any] | None) -> tuple[list[pd.DataFrame], list[tuple[pd.DataFrame, str]]]:
    indicators, ledgers = [], []
    for part in reading.project.tables:
        read = reading.table(
            part.path, "parcels", "table", profile=reading.profile(part.profile), sheet=part.sheet, encoding=part.encoding
        )
        if read is None:
            continue
        frame = pd.DataFrame(read.frame.drop(columns="geometry", errors="ignore"))
        found = gather_indicators(frame, part.basis, part.path)
        # A ledger number without a drawn parcel is told once, by attach_ledger.
        indicators.append(found if known is None else found[found["parcel_id"].isin(known).to_numpy(dtype=bool)])
        ledgers.append((frame, part.path))
    return indicators, ledgers


def _read_events(reading: _Reading) -> pd.DataFrame | None:
    part = reading.project.events
    if part is None:
        return None
    read = reading.table(
        part.path, "events", "events", profile=reading.profile(part.profile), sheet=part.sheet, encoding=part.encoding
    )
    if read is None:
        return None
    frame = pd.DataFrame(read.frame)
    if "parcel_id" not in frame.columns:
        frame = frame.reset_index()
    lacking = [name for name in ("parcel_id", "item", "on") if name not in frame.columns]
    if lacking:
        reading.issues.append(Issue("ATTR.LAYER_FIELD", source=part.path, value="、".join(lacking)))
        return None
    if "state" not in frame.columns:
        frame["state"] = "done"
    frame["source"] = part.path
    named, found = name_items(frame, part.items, part.path)
    reading.issues += found
    return coerce(named.reset_index(drop=True), "events")


def _find_dem(reading: _Reading) -> Path | None:
    part = reading.project.terrain
    if part is None:
        return None
    path = reading.project.path(part.dem)
    if not path.is_file():
        reading.issues.append(Issue("FILE.MISSING", source=part.dem, value=part.dem))
        return None
    reading.sources.append(Source("dem", part.dem, sha256=open_door(path).sha256))
    return path


def changed_sources(provenance: Provenance, project: Project) -> list[str]:
    """
    Tell which inputs are no longer the files an assessment was made from.

    Parameters
    ----------
    provenance : Provenance
        What the assessment rests on.
    project : Project
        Where the files are.

    Returns
    -------
    list of str
        Paths whose bytes changed or are gone, the rulebook among them; empty where nothing did.
    """
    changed = [s.path for s in provenance.sources if s.sha256 and open_door(project.path(s.path)).sha256 != s.sha256]
    named = {part for part in _named_paths(project)}
    changed += sorted(named ^ {source.path for source in provenance.sources})
    folders = [] if project.rules.folder is None else [project.path(project.rules.folder)]
    book = project.path(project.rules.book)
    try:
        now = load_rulebook(book if book.is_file() else project.rules.book, folders=folders).as_books()
    except LandplanError:
        return [*changed, project.rules.book]
    if [b.sha256 for b in now] != [b.sha256 for b in provenance.books]:
        changed.append(project.rules.book)
    return list(dict.fromkeys(changed))


def _named_paths(project: Project) -> list[str]:
    """Every input the project file names; one added or taken out since makes the record stale."""
    parts = [project.zones, project.evaluations, project.events]
    extents = [layer.extent for layer in project.layers if layer.extent is not None]
    dem = [] if project.terrain is None else [project.terrain.dem]
    return [
        *project.parcels.paths,
        *(table.path for table in project.tables),
        *(part.path for part in parts if part is not None),
        *(layer.path for layer in project.layers),
        *extents,
        *dem,
    ]
