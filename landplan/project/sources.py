"""Files of settings as sources of an assessment, and which inputs have changed since one was made."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from landplan.errors import ConfigError, Fault, LandplanError
from landplan.ledger import open_ledger
from landplan.project.load import project_rulebook
from landplan.read.door import open_door
from landplan.read.profile import Profile, load_profile
from landplan.registers import load_declaration
from landplan.tables import Source

if TYPE_CHECKING:
    from landplan.project.parts import Project
    from landplan.tables import Provenance

__all__ = ["changed_sources", "ledger_source", "own_source", "profile_source", "settings_source"]

_RESTING = ("freeze", "assessment")
"""Actions of the ledger that say what was, and move no parcel."""


def own_source(project: Project) -> Source:
    """
    Name the project file as a source: a changed setting may change a verdict.

    Parameters
    ----------
    project : Project
        Read from a file.

    Returns
    -------
    Source
        With the hash of its bytes.
    """
    return Source(
        "project", project.file, sha256=hashlib.sha256(project.path(project.file).read_bytes()).hexdigest()
    )


def profile_source(project: Project, name: str) -> tuple[Profile, Source]:
    """
    Load a profile a project names.

    Parameters
    ----------
    project : Project
        Its folder is looked through first.
    name : str
        As the project file writes it.

    Returns
    -------
    Profile
        Checked.
    Source
        With the hash of what it says, not of its bytes: it may stand in any of several folders.

    Raises
    ------
    ConfigError
        If it is not found or wrong.
    """
    profile = load_profile(name, folders=[project.folder])
    return profile, Source(
        "profile", name, sha256=hashlib.sha256(profile.model_dump_json().encode()).hexdigest()
    )


def settings_source(project: Project, path: str) -> Source:
    """
    Name a file of settings, a checklist or a calendar, as a source.

    Parameters
    ----------
    project : Project
        Its folder.
    path : str
        As the project file writes it.

    Returns
    -------
    Source
        With the hash of its bytes.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    try:
        return Source("settings", path, sha256=hashlib.sha256(project.path(path).read_bytes()).hexdigest())
    except OSError as error:
        raise ConfigError(
            Fault(en=f"the file cannot be read: {error}.", zh="找不到或无法读取该文件。", at=path)
        ) from error


def ledger_source(project: Project) -> Source | None:
    """
    Name the project's ledger as a source.

    Parameters
    ----------
    project : Project
        Its ledger may not be there yet.

    Returns
    -------
    Source or None
        With the hash of the last entry that can move a parcel: a list frozen changes no judgement. While others write, the
        bytes of the ledger must not be opened but through SQLite. None where nothing of that kind is recorded.
    """
    if not project.ledger_path.exists():
        return None
    entries = open_ledger(project.ledger_path, network=True).entries()
    moving = [entry for entry in entries if entry.action not in _RESTING]
    return Source("ledger", project.ledger.path, sha256=moving[-1].row_hash) if moving else None


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
    changed = [source.path for source in provenance.sources if _hash_now(source, project) != source.sha256]
    changed += sorted(set(_named_paths(project)) ^ {source.path for source in provenance.sources})
    try:
        now = project_rulebook(project).as_books()
    except LandplanError:
        return [*changed, project.rules.book]
    if [b.sha256 for b in now] != [b.sha256 for b in provenance.books]:
        changed.append(project.rules.book)
    return list(dict.fromkeys(changed))


def _hash_now(source: Source, project: Project) -> str:
    if source.role == "project":
        return own_source(project).sha256
    try:
        if source.role == "profile":
            return profile_source(project, source.path)[1].sha256
        if source.role == "declaration":
            return load_declaration(source.path, [project.declarations]).sha256
        if source.role == "settings":
            return settings_source(project, source.path).sha256
        if source.role == "ledger":
            recorded = ledger_source(project)
            return "" if recorded is None else recorded.sha256
        return open_door(project.path(source.path), stays=True).sha256
    except LandplanError:
        return ""


def _named_paths(project: Project) -> list[str]:
    """Every input the project file names, and itself; one added or taken out since makes the record stale."""
    parts = [
        *(project.zones, project.evaluations, project.events, project.servicing),
        *project.boundaries,
        *project.registers.values(),
    ]
    settings = [part for part in (project.checklist, project.calendar) if part is not None]
    profiled = [project.parcels, *project.tables, *parts]
    profiles = [part.profile for part in profiled if part is not None and part.profile is not None]
    extents = [layer.extent for layer in project.layers if layer.extent is not None]
    dem = [] if project.terrain is None else [project.terrain.dem]
    return [
        *project.parcels.paths,
        *(table.path for table in project.tables),
        *(part.path for part in (*parts, *settings) if part is not None),
        *(layer.path for layer in project.layers),
        *extents,
        *dem,
        *profiles,
        *_own_declarations(project),
        *([] if ledger_source(project) is None else [project.ledger.path]),
        *([project.file] if project.file else []),
    ]


def _own_declarations(project: Project) -> list[str]:
    """Names of registers whose declaration stands in the project's own folder."""
    found = []
    for name, part in project.registers.items():
        try:
            declaration = load_declaration(part.declaration or name, [project.declarations])
        except LandplanError:
            continue
        found += [] if declaration.is_shipped else [declaration.name]
    return found
