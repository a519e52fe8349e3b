"""What a project file may say: one class for each of its tables, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

__all__ = ["ParcelsPart", "Project", "ProjectPart", "RegisterPart", "RulesPart"]

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
    """``[evaluations]``: area evaluations as dated polygons; ``zones`` names the items a zone must have, all by default."""

    path: str
    layer: str | None = None
    profile: str | None = None
    crs: str | None = None
    encoding: str | None = None
    items: dict[str, str] = Field(min_length=1)
    zones: dict[str, list[str]] = {}


class ServicingPart(_Part):
    """``[servicing]``: land that networks serve, as dated polygons; items are those of ``[events.items]``."""

    path: str
    layer: str | None = None
    profile: str | None = None
    crs: str | None = None
    encoding: str | None = None


class BoundaryPart(_Part):
    """``[[boundaries]]``: land known as approved (批次红线) or sold (供地红线) only by its outline."""

    axis: Literal["approval", "sale"]
    title: str
    path: str
    layer: str | None = None
    profile: str | None = None
    crs: str | None = None
    encoding: str | None = None
    is_complete: bool = False


class RegisterPart(_Part):
    """``[registers.NAME]``: a table of a declared register; ``declaration`` where it is not called NAME."""

    path: str
    sheet: str | None = None
    profile: str | None = None
    encoding: str | None = None
    declaration: str | None = None


class ChecklistPart(_Part):
    """``[checklist]``: what a parcel needs before it can be sold, and how long each item takes."""

    path: str


class CalendarPart(_Part):
    """``[calendar]``: days off and days made up for, of years whose notice the calendar shipped does not hold."""

    path: str


class LedgerPart(_Part):
    """``[ledger]``: what landplan itself must remember; ``heads`` is a file its head is also written to."""

    path: str = "总账.gpkg"
    network: bool = False
    heads: str | None = None


class SupplyPart(_Part):
    """``[supply]``: years the pace is taken over, what a batch, a serviced parcel and the reserve must have."""

    pace_years: int = Field(default=3, ge=1, le=20)
    batch_requires: list[str] = []
    services: list[str] = ["road", "water", "power", "levelling"]
    admission: list[str] = ["approval", "taken", "plan", "indicators", "clear"]


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
    servicing : ServicingPart or None
        Land that networks serve.
    boundaries : list of BoundaryPart
        Outlines of approvals and sales.
    registers : dict of str to RegisterPart
        Tables of declared registers, by name.
    checklist : ChecklistPart or None
        What a parcel needs before it can be sold.
    calendar : CalendarPart or None
        Days off that the calendar shipped does not hold.
    ledger : LedgerPart
        Where landplan keeps what it must remember.
    supply : SupplyPart
        Settings of the lists.
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
    servicing: ServicingPart | None = None
    boundaries: list[BoundaryPart] = []
    registers: dict[str, RegisterPart] = {}
    checklist: ChecklistPart | None = None
    calendar: CalendarPart | None = None
    ledger: LedgerPart = LedgerPart()
    supply: SupplyPart = SupplyPart()
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
    def ledger_path(self) -> Path:
        """The file landplan keeps what it must remember in; made when something is first recorded."""
        return self.path(self.ledger.path)

    @property
    def declarations(self) -> Path:
        """The folder a bureau's own registers are declared in."""
        return self.path("登记表")

    @property
    def output(self) -> Path:
        """The folder results are written to."""
        return self.path(self.project.output)
