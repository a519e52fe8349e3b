"""A project file read and checked: all faults at once, each with its key."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from landplan.errors import ConfigError, Fault
from landplan.project.parts import ParcelsPart, Project, ProjectPart, RulesPart
from landplan.rules import Rulebook, load_rulebook

__all__ = ["load_project", "project_of_file", "project_rulebook"]


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
    if project.evaluations is not None:
        faults += [
            Fault(
                en=f"zone {zone!r} asks for {item!r}, which is no item.",
                zh=f"开发区“{zone}”要求的“{item}”不在 items 里。",
                at=f"{file}: evaluations.zones.{zone}",
                mend_en=f"use some of: {', '.join(project.evaluations.items)}",
                mend_zh=f"可用：{'、'.join(project.evaluations.items)}",
            )
            for zone, items in project.evaluations.zones.items()
            for item in items
            if item not in project.evaluations.items
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
