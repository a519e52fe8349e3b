"""What a project keeps beside its parcels: declared registers, the checklist, days off, and the ledger's record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.attach import name_items
from landplan.gather.reading import Reading
from landplan.ledger import (
    open_ledger,
    recorded_batch_events,
    recorded_commitments,
    recorded_events,
    recorded_holds,
    recorded_overrides,
)
from landplan.project import ledger_source, settings_source
from landplan.readiness import Checklist, load_checklist
from landplan.registers import coerce_register, load_declaration, read_register
from landplan.schema import coerce
from landplan.supply.batches import expand_batches
from landplan.tables import Source
from landplan.workdays import WorkCalendar, load_calendar

if TYPE_CHECKING:
    from landplan.project import RegisterPart

__all__ = ["Kept", "read_kept"]

_RECORDED = {
    "batch_events": recorded_batch_events,
    "overrides": recorded_overrides,
    "holds": recorded_holds,
    "commitments": recorded_commitments,
}


@dataclass
class Kept:
    """
    What is kept beside the parcels.

    Parameters
    ----------
    registers : dict of str to DataFrame
        Rows of the files, then those of the ledger, by the name of the register.
    events : DataFrame or None
        Rows of the events table: the bureau's, those that batches bring about, those recorded; None where there is none.
    checklist : Checklist or None
        What a parcel needs before it can be sold.
    calendar : WorkCalendar
        Days worked.
    """

    registers: dict[str, pd.DataFrame] = field(default_factory=dict)
    events: pd.DataFrame | None = None
    checklist: Checklist | None = None
    calendar: WorkCalendar | None = None


def read_kept(reading: Reading, events: pd.DataFrame | None, known_on: date | None = None) -> Kept:
    """
    Read the registers a project names, and lay what its ledger has recorded beside them.

    Parameters
    ----------
    reading : Reading
        Keeps issues and sources.
    events : DataFrame or None
        The bureau's own table of events.
    known_on : date or None
        Only what the ledger had recorded by the end of this day; everything where None.

    Returns
    -------
    Kept
        A register that cannot be read is left out and said.
    """
    project = reading.project
    kept = Kept()
    for name, part in project.registers.items():
        frame = _read_register(reading, name, part)
        if frame is not None:
            kept.registers[name] = frame
    recorded = _read_ledger(reading, kept, known_on)
    batches = kept.registers.get("batches")
    steps = kept.registers.get("batch_events")
    brought = expand_batches(batches, steps) if batches is not None and steps is not None else None
    tables = [table for table in (events, brought, recorded) if table is not None and len(table)]
    if tables:
        kept.events = coerce(pd.concat(tables, ignore_index=True), "events")
    elif events is not None:
        kept.events = events
    if project.checklist is not None:
        path = project.checklist.path
        kept.checklist = reading.attempt(path, lambda: load_checklist(project.path(path)))
        reading.sources += _settings(reading, path)
    own = project.calendar.path if project.calendar is not None else None
    kept.calendar = reading.attempt(
        own or "calendar", lambda: load_calendar(None if own is None else project.path(own))
    )
    reading.sources += [] if own is None else _settings(reading, own)
    return kept


def _settings(reading: Reading, path: str) -> list[Source]:
    source = reading.attempt(path, lambda: settings_source(reading.project, path))
    return [] if source is None else [source]


def _read_register(reading: Reading, name: str, part: RegisterPart) -> pd.DataFrame | None:
    project = reading.project
    declaration = reading.attempt(
        f"registers.{name}", lambda: load_declaration(part.declaration or name, [project.declarations])
    )
    if declaration is None:
        return None
    if not declaration.is_shipped:
        reading.sources.append(Source("declaration", declaration.name, sha256=declaration.sha256))
    profile = reading.profile(part.profile)
    read = reading.take(
        part.path,
        f"register:{name}",
        lambda: read_register(
            project.path(part.path), declaration, sheet=part.sheet, profile=profile, encoding=part.encoding
        ),
    )
    if read is None:
        return None
    frame = pd.DataFrame(read.frame).reset_index(drop=True).assign(source=part.path)
    if "item" in frame.columns and project.events is not None:
        frame, found = name_items(frame, project.events.items, part.path)
        reading.issues += found
    return coerce_register(frame.reset_index(drop=True), declaration)


def _read_ledger(reading: Reading, kept: Kept, known_on: date | None) -> pd.DataFrame | None:
    """Lay what was recorded behind the rows of the files; gives the recorded events."""
    project = reading.project
    if not project.ledger_path.exists():
        return None
    ledger: Any = open_ledger(project.ledger_path, network=True)
    reading.issues += ledger.faults
    entries = ledger.entries(known_on=known_on)
    source = ledger_source(project)
    reading.sources += [] if source is None else [source]
    for name, recorded in _RECORDED.items():
        rows = recorded(entries, project.ledger.path)
        if rows.empty:
            continue
        declaration = load_declaration(name)
        tables = [table for table in (kept.registers.get(name), rows) if table is not None]
        kept.registers[name] = coerce_register(pd.concat(tables, ignore_index=True), declaration)
    return recorded_events(entries, project.ledger.path)
