"""A second look at what was read: neighbours, slivers, areas and ranges, which no record tells alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from landplan.crs import measure_areas
from landplan.errors import CRSError, LandplanError
from landplan.issues import Issue
from landplan.read import Inspection, Read, inspect_files, read_table
from landplan.repair import find_conflicts, reconcile_areas, repair_parcels
from landplan.schema import check, column

if TYPE_CHECKING:
    from landplan.read.profile import Profile

__all__ = ["Material", "vet_files"]


@dataclass(frozen=True)
class Material:
    """
    One file of a sender, as it was found.

    Parameters
    ----------
    inspection : Inspection
        With every fault, those of the second look too.
    read : Read or None
        What was taken over; None where nothing was.
    """

    inspection: Inspection
    read: Read | None = None


def vet_files(
    paths: Iterable[str | os.PathLike[str]],
    *,
    crs: str | None = None,
    encoding: str | None = None,
    profile: Profile | str | os.PathLike[str] | None = None,
) -> list[Material]:
    """
    Inspect files and hold what they contain against itself: overlaps, doubles, slivers, areas, ranges.

    Parameters
    ----------
    paths : iterable of path
        Drawn sources, spreadsheets, rasters.
    crs, encoding : str, optional
        Override what the files say.
    profile : Profile, name or path, optional
        What the provider's headers mean.

    Returns
    -------
    list of Material
        One per path, in order; a bad file is ``rejected`` and costs no other.

    Raises
    ------
    CRSError, UsageError, ConfigError
        If an option itself is wrong.

    Examples
    --------
    >>> material = vet_files(["nowhere.gpkg"])[0]
    >>> material.inspection.outcome, material.read
    ('rejected', None)
    """
    known = profile
    if isinstance(profile, str | os.PathLike):
        from landplan.read.profile import load_profile

        known = load_profile(profile)
    found = inspect_files(paths, crs=crs, encoding=encoding, profile=known)
    return [_look_again(one, {"crs": crs, "encoding": encoding, "profile": known}) for one in found]


def _look_again(inspection: Inspection, options: dict[str, Any]) -> Material:
    if inspection.table not in ("parcels", "zones", "events") or not inspection.source.rows_imported:
        return Material(inspection)
    try:
        read = read_table(inspection.path, inspection.table, **options)
    except (LandplanError, OSError, ValueError):
        # It was read a moment ago; that it cannot be any more is no news about its content.
        return Material(inspection)
    if inspection.table != "parcels" or "parcel_id" not in read.canonical.recognised.values():
        return Material(inspection, read)
    profile = options["profile"]
    more = _placed(_conflicts(read, profile.measure_crs if profile else None), read)
    if not more:
        return Material(inspection, read)
    outcome = "flagged" if inspection.outcome == "accepted" else inspection.outcome
    return Material(replace(inspection, outcome=outcome, issues=(*inspection.issues, *more)), read)


def _conflicts(read: Read, measure_crs: str | None) -> list[Issue]:
    issues = []
    if "geometry" in read.frame:
        # Its own faults were named by the reader; only what it makes measurable is needed here.
        repaired, _ = repair_parcels(read.frame)
        try:
            issues += find_conflicts(repaired, measure_crs)
            areas = measure_areas(repaired, measure_crs)
        except CRSError:
            # Outside the measuring zones of China there is no agreed plane; a profile or a project names one.
            pass
        else:
            if "area_registered_m2" in read.frame:
                issues += reconcile_areas(areas.assign(area_registered_m2=read.frame["area_registered_m2"]))[
                    1
                ]
    plain = read.frame.drop(columns="geometry", errors="ignore")
    return issues + check(plain, source=read.source.path)


def _placed(issues: list[Issue], read: Read) -> list[Issue]:
    """Say of each issue where it stands: file, layer, row, header and cell."""
    rows = dict(zip(read.frame.index.tolist(), read.frame["source_row"].tolist(), strict=True))
    headers: dict[str, str] = {}
    for header, name in read.canonical.recognised.items():
        headers[name] = headers[column(name).label()] = header
    placed = []
    for issue in issues:
        row, header = rows.get(issue.parcel_id), headers.get(issue.field, issue.field)
        letter = read.letters.get(header, "") if issue.field else ""
        placed.append(
            replace(
                issue,
                source=read.source.path,
                layer=read.layer,
                row=row,
                field=header,
                cell=issue.cell or (f"{letter}{row}" if letter else ""),
            )
        )
    return placed
