"""The project file ``landplan.toml``: which files play which part, and which rulebook judges them."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from landplan.errors import ConfigError, Fault, LandplanError
from landplan.read.door import open_door
from landplan.read.profile import Profile, load_profile
from landplan.rules import Rulebook, load_rulebook
from landplan.tables import Source

if TYPE_CHECKING:
    from landplan.tables import Provenance

__all__ = [
    "Project",
    "changed_sources",
    "load_project",
    "own_source",
    "profile_source",
    "project_of_file",
    "project_rulebook",
]

_CODE = r"^[a-z][a-z0-9_]*$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProjectPart(_Part):
    """``[project]``: its name, whether the data are a sample, where results go, how areas are measured."""

    name: str
    sample: bool = False
    output: str = "结果"
    measure_crs: str | None = None


class ParcelsPart(_Part):
    """``[parcels]``: the files with the drawn parcels."""

    paths: list[str] = Field(min_length=1)
    profile: str | None = None
    layer: str | None = None
    crs: str | None = None
    encoding: str | None = None


class TablePart(_Part):
    """``[[tables]]``: a ledger joined by parcel number."""

    path: str
    sheet: str | None = None
    basis: Literal["set", "promised", "actual"] = "set"
    profile: str | None = None
    encoding: str | None = None


class ZonesPart(_Part):
    """``[zones]``: boundaries of development zones, all versions."""

    path: str
    layer: str | None = None
    profile: str | None = None
    crs: str | None = None
    encoding: str | None = None


class LayerPart(_Part):
    """``[[layers]]``: a constraint layer and the extent it was surveyed for."""

    name: str = Field(pattern=_CODE)
    title: str
    path: str
    layer: str | None = None
    extent: str | None = None
    crs: str | None = None
    encoding: str | None = None


class EvaluationsPart(_Part):
    """``[evaluations]``: area evaluations as dated polygons, and the items the zone must have."""

    path: str
    layer: str | None = None
    profile: str | None = None
    crs: str | None = None
    encoding: str | None = None
    items: dict[str, str] = Field(min_length=1)


class EventsPart(_Part):
    """``[events]``: what was done, certified or sold, by day; ``complete`` names the items nothing is missing of."""

    path: str
    sheet: str | None = None
    profile: str | None = None
    encoding: str | None = None
    items: dict[str, str] = Field(min_length=1)
    complete: list[str] = []


class TerrainPart(_Part):
    """``[terrain]``: the elevation model, and the slope in degrees above which ground is steep."""

    dem: str
    steep_deg: float | None = Field(default=None, ge=0, le=90)


class RulesPart(_Part):
    """``[rules]``: the rulebook, by dotted name or path, and a folder looked through first."""

    book: str
    folder: str | None = None


class Project(_Part):
    """
    A project: everything ``landplan.toml`` says.

    Paths are relative to the folder of the file. Unknown keys are refused, so that a misspelt one is not
    ignored.

    Parameters
    ----------
    project : ProjectPart
        Its name, where results go, how areas are measured.
    parcels : ParcelsPart
        The files with the drawn parcels.
    tables : list of TablePart
        Ledgers joined by parcel number.
    zones : ZonesPart or None
        Boundaries of development zones.
    layers : list of LayerPart
        Constraint layers, in the order they are drawn.
    evaluations, events : EvaluationsPart, EventsPart or None
        Area evaluations; what was done by day.
    terrain : TerrainPart or None
        The elevation model.
    rules : RulesPart
        The rulebook that judges.
    """

    project: ProjectPart
    parcels: ParcelsPart
    tables: list[TablePart] = []
    zones: ZonesPart | None = None
    layers: list[LayerPart] = []
    evaluations: EvaluationsPart | None = None
    events: EventsPart | None = None
    terrain: TerrainPart | None = None
    rules: RulesPart

    _folder: Path = PrivateAttr(default=Path())
    _file: str = PrivateAttr(default="")

    @property
    def folder(self) -> Path:
        """The folder that paths are relative to."""
        return self._folder

    @property
    def file(self) -> str:
        """Name of the project file in that folder; empty where the project was not read from one."""
        return self._file

    def path(self, name: str) -> Path:
        """
        Resolve a path of the project file.

        Parameters
        ----------
        name : str
            As the file writes it.

        Returns
        -------
        Path
            Relative to the folder of the file.
        """
        return self._folder / name

    @property
    def output(self) -> Path:
        """The folder results are written to."""
        return self.path(self.project.output)


def load_project(path: Path) -> Project:
    """
    Read a project file.

    Parameters
    ----------
    path : Path
        ``landplan.toml``, or the folder that holds it.

    Returns
    -------
    Project
        With paths relative to its folder.

    Raises
    ------
    ConfigError
        If the file is missing, is not TOML, or says what it may not: all faults at once, each with its key.
    """
    file = path / "landplan.toml" if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(
            Fault(
                en="there is no project file.",
                zh="找不到项目文件。",
                at=str(file),
                mend_en="run `landplan demo` for an example, or name the file with --project",
                mend_zh="运行 landplan demo 查看示例，或用 --project 指定",
            )
        )
    try:
        # Notepad writes a byte order mark, which TOML does not allow.
        data = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            Fault(
                en=f"the project file is not TOML in UTF-8: {error}.",
                zh=f"项目文件不是 UTF-8 编码的 TOML：{error}。",
                at=str(file),
                mend_en="save it as UTF-8 and mend the line named",
                mend_zh="存为 UTF-8 并改正所指行",
            )
        ) from error
    try:
        project = Project.model_validate(data)
    except ValidationError as error:
        raise ConfigError(*(_fault(file, dict(one)) for one in error.errors())) from error
    faults = [
        Fault(
            en=f"{what} names {name!r} twice.",
            zh=f"{what} 中“{name}”出现两次。",
            at=f"{file}: {what}",
            mend_en="give each its own name",
            mend_zh="改用不同名称",
        )
        for what, names in (
            ("layers.name", [layer.name for layer in project.layers]),
            ("parcels.paths", project.parcels.paths),
        )
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if project.events is not None:
        faults += [
            Fault(
                en=f"complete names {item!r}, which is no item.",
                zh=f"complete 中的“{item}”不在 items 里。",
                at=f"{file}: events.complete",
                mend_en=f"use one of: {', '.join(project.events.items)}",
                mend_zh=f"可用：{'、'.join(project.events.items)}",
            )
            for item in project.events.complete
            if item not in project.events.items
        ]
    if faults:
        raise ConfigError(*faults)
    project._folder, project._file = file.parent, file.name
    return project


def project_of_file(path: Path, book: str, profile: str | None = None) -> Project:
    """
    Make a project of one parcel file, without layers: what rests on a layer becomes unknown.

    Parameters
    ----------
    path : Path
        The file.
    book : str
        Rulebook, by dotted name or path.
    profile : str or None
        What the provider's headers mean.

    Returns
    -------
    Project
        Named like the file; not read from a project file.
    """
    project = Project(
        project=ProjectPart(name=path.stem),
        parcels=ParcelsPart(paths=[path.name], profile=profile),
        rules=RulesPart(book=book),
    )
    project._folder = path.parent
    return project


def _fault(file: Path, error: dict[str, object]) -> Fault:
    place = error["loc"]
    key = ".".join(str(part) for part in place) if isinstance(place, tuple) else ""
    kind, message = str(error["type"]), str(error["msg"])
    if kind == "extra_forbidden":
        return Fault(
            en=f"unknown key {key!r}.",
            zh=f"未知的键“{key}”。",
            at=f"{file}: {key}",
            mend_en="remove it or check its spelling",
            mend_zh="删除或核对拼写",
        )
    if kind == "missing":
        return Fault(
            en=f"key {key!r} is missing.",
            zh=f"缺少键“{key}”。",
            at=f"{file}: {key}",
            mend_en="add it",
            mend_zh="补写该键",
        )
    return Fault(
        en=f"{key}: {message}.",
        zh=f"“{key}”的取值不对：{message}。",
        at=f"{file}: {key}",
        mend_en="mend the value",
        mend_zh="改正取值",
    )


def project_rulebook(project: Project) -> Rulebook:
    """
    Load the rulebook a project names.

    Parameters
    ----------
    project : Project
        Its folder of rules is looked through before the rulebooks shipped.

    Returns
    -------
    Rulebook
        Fit to judge by.

    Raises
    ------
    RulebookError
        If it is not.
    """
    folders = [] if project.rules.folder is None else [project.path(project.rules.folder)]
    named = project.path(project.rules.book)
    return load_rulebook(named if named.is_file() else project.rules.book, folders=folders)


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
    if source.role != "profile":
        return open_door(project.path(source.path)).sha256
    try:
        return profile_source(project, source.path)[1].sha256
    except LandplanError:
        return ""


def _named_paths(project: Project) -> list[str]:
    """Every input the project file names, and itself; one added or taken out since makes the record stale."""
    parts = [project.zones, project.evaluations, project.events]
    profiled = [project.parcels, *project.tables, *parts]
    profiles = [part.profile for part in profiled if part is not None and part.profile is not None]
    extents = [layer.extent for layer in project.layers if layer.extent is not None]
    dem = [] if project.terrain is None else [project.terrain.dem]
    return [
        *project.parcels.paths,
        *(table.path for table in project.tables),
        *(part.path for part in parts if part is not None),
        *(layer.path for layer in project.layers),
        *extents,
        *dem,
        *profiles,
        *([project.file] if project.file else []),
    ]
