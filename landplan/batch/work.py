"""The work on one unit, done in a process of its own: parcels judged, any other file looked into."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landplan.errors import Fault, LandplanError
from landplan.read.door import hash_files, open_door

if TYPE_CHECKING:
    from landplan.project import Project
    from landplan.read import Inspection

__all__ = ["RESULT", "Task", "do_task", "hash_inputs"]

RESULT, WORKBOOK, MAP, INSPECTION = "核验.gpkg", "核验.xlsx", "一张图.html", "检查.json"
_RULE_FILES = (".yaml", ".yml", ".csv")
_MOST_FAULTS = 50


@dataclass(frozen=True)
class Task:
    """
    What a worker is told to do.

    Parameters
    ----------
    kind : {"project", "file", "gone"}
        What the unit is; ``gone`` where it was, and its last result is only held against nothing.
    path, target : str
        Where it is, and the folder of its results.
    as_of : str
        The day judged for.
    run : int
        Number of the run.
    rules, profile : str
        Rulebook and mapping profile for files outside projects; empty for none.
    done, banned : str
        Hash of the inputs whose result need not be made again; and of those it must not be tried with again.
    is_known : bool
        Whether the last run knew the unit.
    """

    kind: str
    path: str
    target: str
    as_of: str
    run: int
    rules: str = ""
    profile: str = ""
    done: str = ""
    banned: str = ""
    is_known: bool = False


def do_task(task: Task, say: Callable[[str, str], None]) -> dict[str, Any]:
    """
    Do what is to be done for one unit.

    Parameters
    ----------
    task : Task
        The unit and what is known of it.
    say : callable of (str, str)
        Told ``("sha256", ...)`` once and ``("step", ...)`` before each step, so that a hang has a place.

    Returns
    -------
    dict
        Fields of ``manifest.Record`` that are now known; ``state`` is ``unchanged`` where nothing had to be
        done.
    """
    if task.kind == "gone":
        changes = _finish_changes(task, None)
        return {"state": "gone", "changes": changes}
    say("step", "hash")
    sha256 = hash_inputs(task)
    say("sha256", sha256)
    if sha256 == task.done:
        return {"state": "unchanged"}
    if sha256 == task.banned:
        return {"state": "quarantined"}
    try:
        if task.kind == "project":
            from landplan.project import load_project

            return _judge(load_project(Path(task.path)), task, say)
        return _look_into(task, say)
    except LandplanError as error:
        return {"state": "failed", "faults": _faults(error.faults, task)}


def _faults(faults: Iterable[Fault], task: Task) -> list[dict[str, str]]:
    """Faults as data; places as people know them, below the unit and not from the root of a disk."""
    path = Path(task.path)
    return [{**asdict(fault), "at": fault.at.replace(str(path), path.name)} for fault in faults][
        :_MOST_FAULTS
    ]


def _look_into(task: Task, say: Callable[[str, str], None]) -> dict[str, Any]:
    from landplan.project import project_of_file
    from landplan.publish import publish_text
    from landplan.read import inspect_files, inspections_json
    from landplan.read.source import faults_of

    say("step", "inspect")
    path = Path(task.path)
    seen = inspect_files([path], profile=task.profile or None)[0]
    # The file is known by its name to whoever sent it, not by where it lies here.
    issues = tuple(replace(issue, source=path.name) for issue in seen.issues)
    found = replace(seen, path=path.name, source=replace(seen.source, path=path.name), issues=issues)
    is_rejected = found.outcome == "rejected"
    facts: dict[str, Any] = {
        "state": "rejected" if is_rejected else "inspected",
        "rows": [found.source.rows_in, found.source.rows_rejected],
        "issues": _count_severities(issue.as_row()["severity"] for issue in found.issues),
    }
    if is_rejected:
        errors = [issue for issue in found.issues if issue.as_row()["severity"] == "error"]
        facts["faults"] = _faults(faults_of(errors or list(found.issues)), task)
    elif task.rules and _has_parcels(found, task):
        try:
            return _judge(project_of_file(path, task.rules, task.profile or None), task, say)
        except LandplanError as error:
            return {**facts, "state": "failed", "faults": _faults(error.faults, task)}
    elif task.rules and found.table == "parcels" and found.source.area_m2:
        facts["note"] = "没有识别到地块编号，只检查、未评定"
    publish_text(Path(task.target, INSPECTION), inspections_json([found]))
    return {**facts, "files": [INSPECTION]}


def _has_parcels(found: Inspection, task: Task) -> bool:
    """Whether a file holds drawn parcels with numbers: farmland lying about is not judged as parcels."""
    is_numbered = "parcel_id" in found.recognised.values() or bool(task.profile)
    return found.table == "parcels" and bool(found.source.area_m2) and is_numbered


def _judge(project: Project, task: Task, say: Callable[[str, str], None]) -> dict[str, Any]:
    from landplan.maps import draw_map
    from landplan.pipeline import assess
    from landplan.reports import write_workbook
    from landplan.store import save_assessment
    from landplan.supply import count_by_zone

    target = Path(task.target)
    assessment = assess(
        project, as_of=date.fromisoformat(task.as_of), progress=lambda step: say("step", step)
    )
    say("step", "write")
    changes = _finish_changes(task, assessment)
    write_workbook(assessment, target / WORKBOOK, project)
    draw_map(assessment, "planner").save(target / MAP)
    # Last: where the archive is new, everything beside it is.
    save_assessment(assessment, target / RESULT)
    whole = count_by_zone(assessment).iloc[-1]
    counts = assessment.provenance.counts
    return {
        "state": "done",
        "counts": {
            name: [int(whole[f"{name}_parcels"]), float(whole[f"{name}_area_m2"])]
            for name in ("ready", "pending", "not_ready", "total")
        },
        "rows": [counts["in"], counts["dropped"]],
        "issues": _count_severities(assessment.issues["severity"]),
        "changes": changes,
        "files": [WORKBOOK, MAP, RESULT],
    }


def _finish_changes(task: Task, assessment: Any) -> dict[str, int]:
    from landplan.batch.change import compare_verdicts, keep_baseline

    target = Path(task.target)
    changes = keep_baseline(target, target / RESULT, task.run, is_known=task.is_known)
    changes.changes = compare_verdicts(changes, assessment)
    changes.save(target)
    return changes.count()


def _count_severities(severities: Any) -> dict[str, int]:
    listed = list(severities)
    return {name: listed.count(name) for name in ("error", "warning", "info")}


def hash_inputs(task: Task) -> str:
    """
    Hash everything the result of a unit rests on.

    Parameters
    ----------
    task : Task
        The unit, the day and the settings.

    Returns
    -------
    str
        SHA-256 over the inputs' bytes, the rulebooks', the profile, the day and the version of landplan.
    """
    parts = [f"version {version('landplan')}", f"as_of {task.as_of}"]
    if task.kind == "project":
        parts += _project_parts(Path(task.path))
    else:
        from landplan.project import project_of_file

        path = Path(task.path)
        project = project_of_file(path, task.rules, task.profile or None)
        parts.append(f"file {_hash_path(path)}")
        parts += _rule_parts(project) if task.rules else []
        parts += _profile_parts(project, task.profile) if task.profile else []
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _project_parts(folder: Path) -> Iterator[str]:
    from landplan.project import load_project

    file = folder / "landplan.toml"
    yield f"project {hash_files([file]) if file.is_file() else ''}"
    try:
        project = load_project(folder)
    except LandplanError:
        return  # it is not going to be judged before the project file is mended
    named = project.model_dump()
    del named["project"]  # its output folder is no input
    texts = list(_leaves(named))
    for name in sorted({text for _, text in texts}):
        # Whatever the project file names that is on the disk is an input: no list of keys can fall behind.
        try:
            path = project.path(name)
            if path.exists():
                yield f"{name} {_hash_path(path)}"
        except (OSError, ValueError):
            continue  # a title that is no path
    yield from _rule_parts(project)
    for name in sorted({text for key, text in texts if key == "profile"}):
        yield from _profile_parts(project, name)


def _leaves(data: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a project file with the key it stands under."""
    if isinstance(data, str):
        yield key, data
    elif isinstance(data, Mapping):
        for name, value in data.items():
            yield from _leaves(value, name)
    elif isinstance(data, list):
        for value in data:
            yield from _leaves(value, key)


def _hash_path(path: Path) -> str:
    if path.is_dir() and path.suffix.lower() != ".gdb":
        # The only folders a project names are those of rulebooks.
        files = sorted(
            file for file in path.rglob("*") if file.suffix.lower() in _RULE_FILES and file.is_file()
        )
        return " ".join(f"{file.relative_to(path)}={hash_files([file])}" for file in files)
    # What the front door will not hash has no bytes to compare by; it is refused in the work itself.
    return open_door(path).sha256 or (hash_files([path]) if path.is_file() and not path.is_symlink() else "")


def _rule_parts(project: Project) -> Iterator[str]:
    from landplan.project import project_rulebook

    try:
        for book in project_rulebook(project).as_books():
            yield f"rulebook {book.name} {book.sha256}"
    except LandplanError:
        yield "rulebook not usable"


def _profile_parts(project: Project, name: str) -> Iterator[str]:
    from landplan.project import profile_source

    try:
        yield f"profile {name} {profile_source(project, name)[1].sha256}"
    except LandplanError:
        yield f"profile {name} not usable"


def fault_of_exception(error: BaseException) -> dict[str, str]:
    """
    Say that the fault is landplan's own.

    Parameters
    ----------
    error : BaseException
        What nobody had thought of.

    Returns
    -------
    dict of str to str
        Fields of a ``Fault``.
    """
    what = f"{type(error).__name__}: {error}"[:500]
    return asdict(
        Fault(
            en=f"landplan itself failed: {what}",
            zh=f"landplan 自身出错：{what}",
            mend_en="send this line to the maintainers; LANDPLAN_DEBUG=1 shows more",
            mend_zh="请把这一行发给维护者；设 LANDPLAN_DEBUG=1 可看详情。",
        )
    )
