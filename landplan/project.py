"""The project file ``landplan.toml``: which files play which part, and which rulebook judges them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from landplan.errors import ConfigError, Fault

__all__ = ["Project", "load_project"]

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
    """``[terrain]``: the elevation model."""

    dem: str


class RulesPart(_Part):
    """``[rules]``: the rulebook, by dotted name or path, and a folder looked through first."""

    book: str
    folder: str | None = None


class Project(_Part):
    """
    A project: everything ``landplan.toml`` says.

    Paths are relative to the folder of the file. Unknown keys are refused, so that a misspelt one is not ignored.
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

    @property
    def folder(self) -> Path:
        """The folder that paths are relative to."""
        return self._folder

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
        for what, names in (("layers.name", [layer.name for layer in project.layers]), ("parcels.paths", project.parcels.paths))
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
    project._folder = file.parent
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
            en=f"key {key!r} is missing.", zh=f"缺少键“{key}”。", at=f"{file}: {key}", mend_en="add it", mend_zh="补写该键"
        )
    return Fault(
        en=f"{key}: {message}.", zh=f"“{key}”的取值不对：{message}。", at=f"{file}: {key}", mend_en="mend the value", mend_zh="改正取值"
    )
