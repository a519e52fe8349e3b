"""One source to one canonical table: reader by kind, headers by dictionary, parcels by their number."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import CRSError, DataError, Fault, ReadError, SchemaError
from landplan.issues import Issue, codes
from landplan.read.door import ARCHIVES, POINTS, TABLES, VECTORS, Door, open_door
from landplan.read.raw import Raw
from landplan.read.vector import measure_total, read_vector
from landplan.schema import Canonical, Table, canonicalise
from landplan.tables import Source

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

    from landplan.read.profile import Profile

__all__ = ["Read", "as_table", "faults_of", "read_source", "read_table"]

_SHOWN_COLUMNS = 30


@dataclass
class Read:
    """
    A canonical table and how it came about.

    Parameters
    ----------
    frame : DataFrame or GeoDataFrame
        Canonical columns; ``parcels`` are indexed by parcel_id, other tables by position.
    issues : list of Issue
        In the order they were found, with the parcel where it is known.
    source : Source
        Rows in, imported and rejected, CRS, encoding, hash.
    canonical : Canonical
        Which header became what.
    layer : str, default ""
        Layer or sheet that was read.
    letters : dict of str to str
        Column letter of every header of a spreadsheet; empty otherwise.
    """

    frame: DataFrame | GeoDataFrame
    issues: list[Issue]
    source: Source
    canonical: Canonical = field(default_factory=lambda: Canonical(pd.DataFrame()))
    layer: str = ""
    letters: dict[str, str] = field(default_factory=dict)

    @property
    def is_rejected(self) -> bool:
        """Whether nothing was taken over, or parcels have no number to be known by."""
        has_error = any(codes()[issue.code].severity == "error" for issue in self.issues)
        return (has_error and not self.source.rows_imported) or any(
            i.code == "ATTR.NO_ID" for i in self.issues
        )

    def require(self) -> Read:
        """
        Hand the table on, or stop where work cannot go on without it.

        Returns
        -------
        Read
            Itself.

        Raises
        ------
        CRSError, SchemaError, ReadError
            If it was rejected, with every fault.
        """
        if not self.is_rejected:
            return self
        bad = [issue for issue in self.issues if codes()[issue.code].severity == "error"]
        kinds: tuple[tuple[str, type[DataError]], ...] = (
            ("FILE.", ReadError),
            ("CRS.", CRSError),
            ("ATTR.", SchemaError),
        )
        families = {issue.code for issue in bad if issue.row is None} or {issue.code for issue in bad}
        error = next(
            (kind for family, kind in kinds if any(c.startswith(family) for c in families)), ReadError
        )
        raise error(*faults_of(bad))


def read_source(
    path: str | os.PathLike[str],
    *,
    layer: str | None = None,
    sheet: str | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    crs_how: str = "option",
    encoding_how: str = "option",
    headers: Mapping[str, str] | None = None,
    table: Table | None = None,
) -> Raw:
    """
    Read a source as it stands, whichever kind it is.

    Parameters
    ----------
    path : path
        A drawn source, a spreadsheet or a CSV.
    layer, sheet : str, optional
        Which part of it.
    crs, encoding : str, optional
        Override what the file says.
    crs_how, encoding_how : str, default "option"
        Where those were given: ``option`` or ``profile``.
    headers : mapping of str to str, optional
        Canonical names by header, from a profile: they help to find the header of a sheet.
    table : Table, optional
        The table a sheet is to become, where that has columns of its own.

    Returns
    -------
    Raw
        Records and issues; empty with issues where the source cannot be used.

    Raises
    ------
    CRSError, UsageError
        If ``crs`` or ``encoding`` itself is not one.
    """
    door = open_door(path)
    if door.is_open and door.kind in TABLES:
        from landplan.read.tables import read_sheet

        return read_sheet(
            path, sheet=sheet, encoding=encoding, encoding_how=encoding_how, headers=headers, table=table
        )
    if door.is_open and door.kind in ARCHIVES:
        return _read_packed(
            door,
            layer=layer,
            sheet=sheet,
            crs=crs,
            encoding=encoding,
            crs_how=crs_how,
            encoding_how=encoding_how,
            headers=headers,
            table=table,
        )
    if door.is_open and door.kind in POINTS:
        from landplan.read.points import read_points

        return read_points(door, crs=crs, encoding=encoding, crs_how=crs_how, encoding_how=encoding_how)
    if door.is_open and door.kind not in VECTORS:
        source = Source("", door.name, door.sha256)
        wrong = Issue("FILE.TYPE", source=door.name, value=door.path.name)
        return Raw(pd.DataFrame(), source, issues=[*door.issues, wrong])
    return read_vector(
        path, layer=layer, crs=crs, encoding=encoding, crs_how=crs_how, encoding_how=encoding_how, door=door
    )


def _read_packed(door: Door, *, layer: str | None, **options: Any) -> Raw:
    """The one source of an archive, under the name of the archive."""
    from landplan.read.archive import unpacked

    with unpacked(door, layer) as inside:
        notes = [*door.issues, *inside.issues]
        if inside.path is None:
            return Raw(pd.DataFrame(), Source("", door.name, door.sha256), issues=notes)
        names = {inside.member, inside.member.rsplit("/", 1)[-1], inside.path.stem}
        raw = read_source(inside.path, layer=None if layer in names else layer, **options)
        unpacked_name, shown = str(inside.path), f"{door.name}/{inside.member}"
    issues = [
        replace(issue, source=shown if issue.source == unpacked_name else issue.source)
        for issue in raw.issues
    ]
    return replace(
        raw, source=replace(raw.source, path=door.name, sha256=door.sha256), issues=[*notes, *issues]
    )


def read_table(
    path: str | os.PathLike[str],
    table: str | Table,
    *,
    profile: Profile | str | os.PathLike[str] | None = None,
    layer: str | None = None,
    sheet: str | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    role: str = "",
) -> Read:
    """
    Read a source as one table of the dictionary.

    Parameters
    ----------
    path : path
        A drawn source, a spreadsheet or a CSV.
    table : str or Table
        ``parcels``, ``zones``, ``events`` ..., or a table with columns of its own.
    profile : Profile, name or path, optional
        What the provider's headers mean; what is passed here otherwise wins over it.
    layer, sheet, crs, encoding : str, optional
        As :func:`read_source` takes them.
    role : str, default ""
        What the source serves as; the table where empty.

    Returns
    -------
    Read
        Never raises for what is in the file: ``require()`` does, where work cannot go on.

    Raises
    ------
    ConfigError
        If the profile is wrong.
    CRSError, UsageError
        If ``crs`` or ``encoding`` itself is not one.
    """
    known = _profile(profile)
    raw = read_source(
        path,
        layer=layer or (known.layer if known else None),
        sheet=sheet or (known.sheet if known else None),
        crs=crs or (known.crs if known else None),
        encoding=encoding or (known.encoding if known else None),
        crs_how="option" if crs else "profile",
        encoding_how="option" if encoding else "profile",
        headers=known.columns if known else None,
        table=table if isinstance(table, Table) else None,
    )
    return as_table(raw, table, profile=known, role=role)


def as_table(raw: Raw, table: str | Table, *, profile: Profile | None = None, role: str = "") -> Read:
    """
    Make records that were read one table of the dictionary.

    Parameters
    ----------
    raw : Raw
        As :func:`read_source` gives.
    table : str or Table
        ``parcels``, ``zones``, ``events`` ..., or a table with columns of its own.
    profile : Profile, optional
        What the provider's headers mean.
    role : str, default ""
        What the source serves as; the table where empty.

    Returns
    -------
    Read
        As :func:`read_table` gives.
    """
    known = profile
    issues = list(raw.issues)
    source = replace(raw.source, role=role or (table.name if isinstance(table, Table) else table))
    frame, rows = raw.frame, list(raw.rows)
    if known is not None and known.where and len(frame):
        keep = known.selects(frame)
        if missing := sorted(set(known.where) - set(map(str, frame.columns))):
            issues.append(
                Issue("ATTR.LAYER_FIELD", source=source.path, layer=raw.layer, value="、".join(missing))
            )
        dropped = int((~keep).sum())
        frame = frame[keep].reset_index(drop=True)
        rows = [row for row, kept in zip(rows, keep.tolist(), strict=True) if kept]
        if dropped:
            issues.append(Issue("FILE.FILTERED", source=source.path, layer=raw.layer, value=dropped))
            source = replace(
                source,
                rows_imported=source.rows_imported - dropped,
                rows_rejected=source.rows_rejected + dropped,
            )
            # Issues of records outside the filter are of no concern to this table.
            gone = set(raw.rows) - set(rows)
            issues = [issue for issue in issues if issue.row not in gone]
    if "geometry" in frame and known is not None and (known.where or known.measure_crs) and len(frame):
        source = replace(source, area_m2=measure_total(frame, known.measure_crs))
    canonical = canonicalise(
        frame,
        table,
        columns=known.columns if known else None,
        units=known.units if known else None,
        missing=known.missing if known else (),
        source=source.path,
        layer=raw.layer,
        rows=rows,
        letters=raw.letters or None,
    )
    issues += canonical.issues
    result = canonical.frame.copy(deep=False)
    if "geometry" in frame:
        import geopandas as gpd

        result = gpd.GeoDataFrame(result, geometry=frame.geometry.values, crs=frame.crs)
    if (
        known is not None
        and known.industry_edition
        and table == "parcels"
        and "industry_edition" not in result
    ):
        result["industry_edition"] = pd.Series(known.industry_edition, index=result.index, dtype="str")
    result["source"] = pd.Series(source.path, index=result.index, dtype="str")
    result["source_row"] = pd.Series(np.array(rows, dtype="int64"), index=result.index, dtype="Int64")
    if table == "parcels" and len(result):
        headers = [str(header) for header in frame.columns if header != "geometry"]
        ids, faults = _number(result, rows, known, headers, Issue("ATTR.NO_ID", source.path, raw.layer))
        issues += faults
        result = result.drop(columns="parcel_id", errors="ignore")
        result.index = pd.Index(ids, dtype="str", name="parcel_id")
        issues = _name_all(issues, rows, ids)
    elif "parcel_id" in result:
        issues = _name_all(issues, rows, result["parcel_id"].fillna("").array)
    elif table == "parcels":
        result.index = pd.Index([], dtype="str", name="parcel_id")
    return Read(result, issues, source, canonical, raw.layer, dict(raw.letters))


def faults_of(issues: Sequence[Issue]) -> list[Fault]:
    """
    Put issues in the words of an error.

    Parameters
    ----------
    issues : sequence of Issue
        What stops the work.

    Returns
    -------
    list of Fault
        One for each, with place and mend.
    """
    faults = []
    for issue in issues:
        row = issue.as_row()
        place = [issue.source, issue.layer, f"row {issue.row}" if issue.row else "", issue.cell]
        at = ", ".join(part for part in place if part)
        faults.append(Fault(row["message_en"], row["message_zh"], at, row["mend_en"], row["mend_zh"]))
    return faults


def _profile(profile: Profile | str | os.PathLike[str] | None) -> Profile | None:
    if profile is None or not isinstance(profile, str | os.PathLike):
        return profile
    from landplan.read.profile import load_profile

    return load_profile(profile)


def _number(
    frame: DataFrame, rows: list[int], profile: Profile | None, headers: list[str], like: Issue
) -> tuple[Any, list[Issue]]:
    """Give every parcel its number: the bureau's, or one that says which record it was."""
    issues: list[Issue] = []

    def report(code: str, row: int | None, value: object = "") -> None:
        issues.append(replace(like, code=code, row=row, value=value))

    if "parcel_id" not in frame:
        if profile is None or not profile.id_from_row:
            report("ATTR.NO_ID", None, "、".join(headers[:_SHOWN_COLUMNS]))
        prefix = (profile.id_from_row if profile is not None else None) or "row-"
        return [f"{prefix}{row:04d}" for row in rows], issues
    wanted = frame["parcel_id"]
    if str(wanted.dtype) == "str" and wanted.is_unique and not wanted.hasnans:
        return wanted.array, issues
    odd = wanted.isna() | wanted.duplicated(keep=False)
    ids: list[str] = wanted.tolist()
    # Only those that share a number or have none get another; the rest are taken as they are.
    taken = set(ids) if odd.any() else set()
    seen: dict[str, int] = {}
    for position in np.flatnonzero(odd.to_numpy(dtype=bool)).tolist():
        row, value = rows[position], ids[position]
        if not isinstance(value, str):
            name = _free(f"row-{row}", taken)
            report("ATTR.ID_MISSING", row)
        else:
            seen[value] = seen.get(value, 0) + 1
            # Which of the two is the right one is not ours to say: both are named, neither is lost.
            name = value if seen[value] == 1 else _free(f"{value}#{seen[value]}", taken)
            report("ATTR.ID_DUPLICATE", row, value)
        taken.add(name)
        ids[position] = name
    return ids, issues


def _free(name: str, taken: set[str]) -> str:
    free, k = name, 2
    while free in taken:
        free, k = f"{name}#{k}", k + 1
    return free


def _name_all(issues: list[Issue], rows: list[int], ids: Any) -> list[Issue]:
    """Tell with each issue of a record whose it is."""
    asked = {issue.row for issue in issues if issue.row is not None and not issue.parcel_id}
    if not asked:
        return issues
    found = np.flatnonzero(np.isin(np.array(rows), np.array([*asked])))
    by_row = {rows[at]: ids[at] for at in found.tolist()}
    return [
        issue if issue.row is None or issue.parcel_id else replace(issue, parcel_id=by_row.get(issue.row, ""))
        for issue in issues
    ]
