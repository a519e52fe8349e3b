"""Everything one assessment judges, already read: what a project gathers, or a program hands over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from geopandas import GeoDataFrame

from landplan.issues import Issue
from landplan.tables import Source

if TYPE_CHECKING:
    from landplan.overlay import Fetch
    from landplan.readiness import Checklist
    from landplan.rules import Rulebook
    from landplan.workdays import WorkCalendar

__all__ = ["Inputs", "Layer"]


@dataclass(frozen=True)
class Layer:
    """
    A constraint layer and what it speaks for.

    Parameters
    ----------
    name, title : str
        Its code and what people call it.
    frame : GeoDataFrame, or what fetches one box by box
        Its polygons, with a CRS. A layer too large to hold stays in its file; what is fetched of it is valid.
    extent : GeoDataFrame
        The land it was surveyed for; parcels that reach beyond it are unknown.
    issues : tuple of Issue
        Of a layer that stays in its file, what repair finds of its features.
    """

    name: str
    title: str
    frame: GeoDataFrame | Fetch
    extent: GeoDataFrame
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """
    Everything one assessment judges, already read.

    Parameters
    ----------
    name : str
        Name of the project.
    parcels : GeoDataFrame, indexed by parcel_id
        Canonical columns and geometry as drawn, in the working CRS.
    rulebook : Rulebook
        What judges.
    is_sample : bool
        Whether the data are made up.
    zones, evaluations : GeoDataFrame or None
        All versions of zone boundaries; area evaluations with ``item`` as codes.
    layers : tuple of Layer
        Constraint layers.
    indicators : tuple of DataFrame
        Rows of the ``indicators`` table, from ledgers.
    events : DataFrame or None
        The events table, ``item`` as codes.
    evaluation_items, event_items : mapping of str to str
        Titles by code.
    evaluation_zones : mapping of str to sequence of str
        Items each zone must have evaluated; a zone not named must have all.
    complete : sequence of str
        Event items nothing is missing of.
    servicing : GeoDataFrame or None
        Land that networks serve, ``item`` as codes.
    boundaries : GeoDataFrame or None
        Outlines of approvals and sales.
    complete_axes : sequence of str
        Axes of which no outline is missing.
    registers : mapping of str to DataFrame
        Tables of declared registers, by name.
    checklist : Checklist or None
        What a parcel needs before it can be sold.
    calendar : WorkCalendar or None
        Days worked, with what the project supplies for years not yet announced.
    services : sequence of str
        Items that make a parcel serviced (几通一平).
    dem : Path or None
        The elevation model around the parcels: a copy of our own, there until Python ends.
    steep_deg : float or None
        Slope in degrees above which ground is steep.
    measure_crs : str or None
        One plane for all; each parcel's own 3-degree zone where None.
    issues : tuple of Issue
        What was wrong with the files.
    sources : tuple of Source
        The files as they were used.
    """

    name: str
    parcels: GeoDataFrame
    rulebook: Rulebook
    is_sample: bool = False
    zones: GeoDataFrame | None = None
    evaluations: GeoDataFrame | None = None
    layers: tuple[Layer, ...] = ()
    indicators: tuple[pd.DataFrame, ...] = ()
    events: pd.DataFrame | None = None
    evaluation_items: Mapping[str, str] = field(default_factory=dict)
    event_items: Mapping[str, str] = field(default_factory=dict)
    evaluation_zones: Mapping[str, Sequence[str]] = field(default_factory=dict)
    complete: Sequence[str] = ()
    servicing: GeoDataFrame | None = None
    boundaries: GeoDataFrame | None = None
    complete_axes: Sequence[str] = ()
    registers: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    checklist: Checklist | None = None
    calendar: WorkCalendar | None = None
    services: Sequence[str] = ()
    dem: Path | None = None
    steep_deg: float | None = None
    measure_crs: str | None = None
    issues: tuple[Issue, ...] = ()
    sources: tuple[Source, ...] = ()
