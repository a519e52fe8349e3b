"""The hand that reads one project: keeps issues, sources and the faults that no assessment can do without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geopandas import GeoDataFrame

from landplan.cores import count_threads
from landplan.errors import Fault, LandplanError
from landplan.issues import Issue
from landplan.project import profile_source
from landplan.read import Raw, Read, read_source, read_table
from landplan.schema import column
from landplan.tables import Source

if TYPE_CHECKING:
    from landplan.project import Project
    from landplan.read.profile import Profile

__all__ = ["Reading", "lacks"]


class Reading:
    """Reads one project; keeps issues, sources and the faults that no assessment can do without."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.issues: list[Issue] = []
        self.sources: list[Source] = []
        self.faults: list[Fault] = []
        self.settings: list[Fault] = []
        self._begun: dict[tuple[str, str], Future[Read]] = {}

    def profile(self, name: str | None) -> Profile | None:
        """Load a profile and note it among the sources."""
        found = None if name is None else self.attempt(name, lambda: profile_source(self.project, name))
        if found is not None and found[1] not in self.sources:
            self.sources.append(found[1])
        return found[0] if found is not None else None

    def how(self, part: Any) -> dict[str, Any]:
        """What the project says of how a file is to be read."""
        return {**self._given(part), "profile": self.profile(part.profile)}

    @staticmethod
    def _given(part: Any) -> dict[str, Any]:
        return {
            name: getattr(part, name) for name in ("layer", "sheet", "crs", "encoding") if hasattr(part, name)
        }

    def attempt(self, what: str, work: Callable[[], Any]) -> Any:
        """Do what only a wrong setting can stop; it is told with all the others."""
        try:
            return work()
        except LandplanError as error:
            at = f"landplan.toml: {what}"
            self.settings += [fault if fault.at else replace(fault, at=at) for fault in error.faults]
            return None

    def begin(self, path: str, table: str, part: Any) -> None:
        """Read a table of the dictionary while this thread waits for another; ``table`` then has it from there."""
        try:
            profile = None if part.profile is None else profile_source(self.project, part.profile)[0]
        except LandplanError:
            return  # told when its turn comes
        if count_threads() > 1:
            pool = ThreadPoolExecutor(1)
            how = {**self._given(part), "profile": profile}
            file = self.project.path(path)
            self._begun[path, table] = pool.submit(read_table, file, table, role=table, **how)
            pool.shutdown(wait=False)

    def table(self, path: str, table: str, role: str, **how: Any) -> Read | None:
        """Read a table of the dictionary; None where nothing of it can be used, and the issues say why."""
        begun = self._begun.pop((path, role), None)
        if begun is not None:
            return self.take(path, role, begun.result)
        return self.take(path, role, lambda: read_table(self.project.path(path), table, role=role, **how))

    def take(self, path: str, role: str, work: Callable[[], Read]) -> Read | None:
        """Keep what a reader found of one file; None where nothing of it can be used."""
        read: Read | None = self.attempt(path, work)
        if read is None:
            return None
        # The project's own spelling of the path is what people look for, on whichever machine.
        self.issues += [replace(issue, source=path) for issue in read.issues]
        self.sources.append(replace(read.source, role=role, path=path))
        return read if read.source.rows_imported or not _stopped(read.issues) else None

    def geometry(
        self,
        path: str,
        role: str,
        layer: str | None = None,
        crs: str | None = None,
        encoding: str | None = None,
    ) -> Raw | None:
        """Read a layer of which only the outlines count."""
        file = self.project.path(path)
        raw: Raw | None = self.attempt(
            path, lambda: read_source(file, layer=layer, crs=crs, encoding=encoding)
        )
        if raw is None:
            return None
        self.issues += [replace(issue, source=path) for issue in raw.issues]
        self.sources.append(replace(raw.source, role=role, path=path))
        if not isinstance(raw.frame, GeoDataFrame) or raw.frame.crs is None or raw.frame.empty:
            return None
        return raw


def _stopped(issues: Sequence[Issue]) -> bool:
    return any(issue.parcel_id == "" and issue.row is None for issue in issues)


def lacks(path: str, name: str) -> Issue:
    """
    Say that a table has no such column.

    Parameters
    ----------
    path : str
        As the project names it.
    name : str
        Canonical name of the column.

    Returns
    -------
    Issue
        Of the file.
    """
    return Issue("ATTR.LAYER_FIELD", source=path, value=f"{column(name).label()}（{name}）")
