"""What a file holds and what is wrong with it, without judging a parcel: ``landplan inspect``."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from landplan.crs import as_crs, crs_name
from landplan.errors import LandplanError
from landplan.issues import Issue, codes
from landplan.read.door import TABLES, VECTORS, Door, open_door
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
# Values that stand for "no height" in undeclared rasters: SRTM voids, ESRI floats, the habit of -9999.
_VOIDS = (-32768.0, -9999.0, -3.4028234663852886e38, 3.4028234663852886e38, -99999.0)
_MAX_CELLS = 4_000_000_000


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
    if door.kind in VECTORS:
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
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    issues = list(door.issues)
    about: dict[str, Any] = {}
    name = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(door.path, driver="GTiff") as raster:
                about = {
                    "width": raster.width,
                    "height": raster.height,
                    "bands": raster.count,
                    "dtype": raster.dtypes[0],
                    "cell": [abs(raster.transform.a), abs(raster.transform.e)],
                    "nodata": raster.nodata
                    if raster.nodata is None or np.isfinite(raster.nodata)
                    else str(raster.nodata),
                    "bounds": list(raster.bounds),
                }
                name = crs_name(raster.crs.to_wkt()) if raster.crs else ""
                if raster.width * raster.height * raster.count > _MAX_CELLS:
                    issues.append(
                        Issue("LIMIT.SIZE", source=door.name, value=f"{raster.width} × {raster.height}")
                    )
                else:
                    issues += _scan(raster, door.name, about)
    except (RasterioError, ValueError, OSError) as error:
        issues.append(Issue("RASTER.UNREADABLE", source=door.name, value=str(error).splitlines()[0]))
    if about and not name:
        issues.append(Issue("RASTER.CRS", source=door.name))
    source = Source("", door.name, door.sha256, crs=name, crs_how="declared" if name else "")
    severities = {codes()[issue.code].severity for issue in issues}
    outcome = "rejected" if "error" in severities else ("flagged" if severities - {"info"} else "accepted")
    return Inspection(
        door.name, outcome, door.kind, "dem", source, issues=tuple(issues), raster=about or None
    )


def _scan(raster: Any, source: str, about: dict[str, Any]) -> list[Issue]:
    """Read every block: a cut TIFF opens well, and undeclared voids read as heights."""
    low, high, holes = np.inf, -np.inf, 0
    found: set[float] = set()
    for _, window in raster.block_windows(1):
        block = raster.read(1, window=window, masked=True)
        holes += int(np.ma.getmaskarray(block).sum())
        cells = block.compressed()
        cells = cells[np.isfinite(cells)] if cells.dtype.kind == "f" else cells
        if cells.size:
            low, high = min(low, float(cells.min())), max(high, float(cells.max()))
            if raster.nodata is None:
                found.update(
                    v for v in _VOIDS if float(cells.min()) <= v <= float(cells.max()) and (cells == v).any()
                )
    about["holes"] = holes
    about["min"], about["max"] = (low, high) if low <= high else (None, None)
    return [Issue("RASTER.NODATA", source=source, value=f"{value:g}") for value in sorted(found)]


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
        "message_zh": row["message_zh"],
        "message_en": row["message_en"],
        "mend": row["mend_zh"],
        "mend_en": row["mend_en"],
        "cell": row["cell"],
        "layer": row["layer"],
        "parcel_id": row["parcel_id"],
    }
