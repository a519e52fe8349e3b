"""What a file holds and what is wrong with it, without judging a parcel: ``landplan inspect``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from landplan.crs import as_crs
from landplan.errors import LandplanError
from landplan.issues import Issue, codes
from landplan.read.door import ARCHIVES, TABLES, VECTORS, Door, open_door
from landplan.read.encoding import decide_encoding
from landplan.read.source import Read, as_table, read_source
from landplan.read.vector import list_layers
from landplan.schema import match_header
from landplan.tables import Source

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from landplan.read.profile import Profile
    from landplan.read.raw import Raw

__all__ = ["Inspection", "inspect_files", "inspections_json"]

_SCHEMA_VERSION = "1"
_PLACE = re.compile(r"^(?P<reason>.*?)\s*\[(?P<place>[^\]]*)\]")


@dataclass(frozen=True)
class Inspection:
    """
    What was found in one file.

    Parameters
    ----------
    path : str
        As it was asked for.
    outcome : str
        ``accepted`` (nothing above a note), ``flagged``, or ``rejected`` (nothing could be taken over).
    kind, table : str
        Format, and the table its content would become; empty where neither is known.
    source : Source
        Rows, area, CRS and encoding, and how they were decided.
    layers : tuple of str
        Layers or sheets in the file.
    recognised : dict of str to str
        Canonical name by header.
    unknown, unitless : tuple of str
        Headers the dictionary does not know, and quantities without a unit.
    issues : tuple of Issue
        Every fault.
    raster : dict or None
        Size, cell, nodata and bounds of a raster.
    """

    path: str
    outcome: str
    kind: str = ""
    table: str = ""
    source: Source = field(default_factory=lambda: Source("", ""))
    layers: tuple[str, ...] = ()
    recognised: dict[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    unitless: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()
    raster: dict[str, Any] | None = None


def inspect_files(
    paths: Iterable[str | os.PathLike[str]],
    *,
    crs: str | None = None,
    encoding: str | None = None,
    profile: Profile | str | os.PathLike[str] | None = None,
) -> list[Inspection]:
    """
    Look into files and report everything that is wrong, file by file.

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
    list of Inspection
        One per path, in order; a bad file is ``rejected`` and costs no other.

    Raises
    ------
    CRSError, UsageError, ConfigError
        If an option itself is wrong.

    Examples
    --------
    >>> found = inspect_files(["nowhere.gpkg"])[0]
    >>> found.outcome, found.issues[0].code
    ('rejected', 'FILE.MISSING')
    """
    if crs:
        as_crs(crs)
    if encoding:
        decide_encoding([], option=encoding)
    known = profile
    if isinstance(profile, str | os.PathLike):
        from landplan.read.profile import load_profile

        known = load_profile(profile)
    return [_inspect(path, crs, encoding, known) for path in paths]


def inspections_json(inspections: Sequence[Inspection]) -> str:
    """
    Lay inspections out as JSON for other programs.

    Parameters
    ----------
    inspections : sequence of Inspection
        As :func:`inspect_files` gives.

    Returns
    -------
    str
        One object with ``schema_version`` and ``sources``.

    Examples
    --------
    >>> json.loads(inspections_json(inspect_files(["nowhere.gpkg"])))["sources"][0]["rows_in"]
    0
    """
    return json.dumps(
        {"schema_version": _SCHEMA_VERSION, "sources": [_as_json(found) for found in inspections]},
        ensure_ascii=False,
        indent=2,
        allow_nan=False,
    )


def _inspect(path: str | os.PathLike[str], crs: str | None, encoding: str | None, profile: Any) -> Inspection:
    door = open_door(path)
    try:
        if door.kind == "tif" and door.is_open:
            return _inspect_raster(door)
        return _inspect_table(door, crs, encoding, profile)
    except LandplanError as error:
        value = error.faults[0].zh if error.faults else str(error)
    except Exception as error:
        # One strange file must not cost the others their report; what it did is said in its own row.
        value = f"{type(error).__name__}: {error}"
    issues = (*door.issues, Issue("FILE.UNREADABLE", source=door.name, value=value))
    return Inspection(
        door.name, "rejected", door.kind, source=Source("", door.name, door.sha256), issues=issues
    )


def _inspect_table(door: Door, crs: str | None, encoding: str | None, profile: Any) -> Inspection:
    raw = read_source(
        door.name,
        layer=profile.layer if profile else None,
        sheet=profile.sheet if profile else None,
        crs=crs or (profile.crs if profile else None),
        encoding=encoding or (profile.encoding if profile else None),
        crs_how="option" if crs else "profile",
        encoding_how="option" if encoding else "profile",
        headers=profile.columns if profile else None,
    )
    table = _table_of(raw, profile)
    read = as_table(raw, table, profile=profile)
    issues = list(read.issues)
    if "geometry" in read.frame:
        issues += _invalid(read)
    layers: Sequence[str] = ()
    if door.kind in VECTORS | ARCHIVES:
        layers = list_layers(door.path)
    elif door.kind in TABLES and raw.layer:
        layers = [raw.layer]
    source = replace(read.source, role="")
    return Inspection(
        door.name,
        _outcome(issues, source.rows_imported),
        door.kind,
        table if len(read.frame) else "",
        source,
        tuple(layers),
        dict(read.canonical.recognised),
        tuple(read.canonical.unknown),
        tuple(read.canonical.unitless),
        tuple(issues),
    )


def _outcome(issues: Sequence[Issue], imported: int) -> str:
    severities = {codes()[issue.code].severity for issue in issues}
    if not imported:
        return "rejected"
    return "flagged" if severities - {"info"} else "accepted"


def _table_of(raw: Raw, profile: Any) -> str:
    """The table a source would become, told from its headers."""
    mapped = set(profile.columns.values()) if profile else set()

    def names(table: str) -> set[str]:
        matches = (match_header(str(header), table) for header in raw.frame.columns)
        return mapped | {match[0] for match in matches if match is not None}

    if "geometry" not in raw.frame:
        return (
            "events"
            if {"item", "state"} <= names("events") or {"item", "on"} <= names("events")
            else "parcels"
        )
    zones = names("zones")
    is_zones = "valid_from" in zones or (
        zones & {"zone_code", "zone_name"} and "parcel_id" not in names("parcels")
    )
    return "zones" if is_zones else "parcels"


def _invalid(read: Read) -> list[Issue]:
    """Why and where polygons are invalid."""
    frame: GeoDataFrame = read.frame
    values = np.asarray(frame.geometry.values, dtype=object)
    bounds = shapely.bounds(values)
    # NaN and infinity are named by the reader already.
    is_polygon = np.isin(shapely.get_type_id(values), (3, 6))
    bad = np.flatnonzero(is_polygon & ~shapely.is_valid(values) & np.isfinite(bounds).all(axis=1))
    rows = frame["source_row"].tolist()
    ids = list(frame.index) if frame.index.name == "parcel_id" else [""] * len(frame)
    issues = []
    for k in bad:
        found = _PLACE.match(shapely.is_valid_reason(values[k]))
        reason, place = (found["reason"], found["place"].replace(" ", ", ")) if found else ("invalid", "")
        issues.append(
            Issue(
                "GEOM.INVALID",
                source=read.source.path,
                row=int(rows[k]),
                cell=f"({place})" if place else "",
                parcel_id=str(ids[k]),
                value=f"{reason} ({place})" if place else reason,
            )
        )
    return issues


def _inspect_raster(door: Door) -> Inspection:
    from landplan.read.raster import look_at_raster

    found = look_at_raster(door)
    issues = [*door.issues, *found.issues]
    source = Source("", door.name, door.sha256, crs=found.crs, crs_how="declared" if found.crs else "")
    severities = {codes()[issue.code].severity for issue in issues}
    outcome = "rejected" if "error" in severities else ("flagged" if severities - {"info"} else "accepted")
    return Inspection(
        door.name, outcome, door.kind, "dem", source, issues=tuple(issues), raster=found.about or None
    )


def _as_json(found: Inspection) -> dict[str, Any]:
    source = found.source
    return {
        "path": found.path,
        "outcome": found.outcome,
        "kind": found.kind,
        "table": found.table,
        "sha256": source.sha256,
        "rows_in": source.rows_in,
        "rows_imported": source.rows_imported,
        "rows_rejected": source.rows_rejected,
        "area_m2": source.area_m2,
        "crs": source.crs,
        "crs_how": source.crs_how,
        "encoding": source.encoding,
        "encoding_how": source.encoding_how,
        "layers": list(found.layers),
        "columns": {
            "recognised": found.recognised,
            "unknown": list(found.unknown),
            "unitless": list(found.unitless),
        },
        "raster": found.raster,
        "issues": [_issue_json(issue) for issue in found.issues],
    }


def _issue_json(issue: Issue) -> dict[str, Any]:
    row = issue.as_row()
    return {
        "code": row["code"],
        "severity": row["severity"],
        "row": row["row"],
        "field": row["field"],
        "value": row["issue_value"],
        "limit": row["issue_limit"],
        "suggestion": row["suggestion"],
        "message_zh": row["message_zh"],
        "message_en": row["message_en"],
        "mend": row["mend_zh"],
        "mend_en": row["mend_en"],
        "party": row["party"],
        "cell": row["cell"],
        "layer": row["layer"],
        "parcel_id": row["parcel_id"],
    }
