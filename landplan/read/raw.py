"""What every reader hands on: the records of one source as they stand in it, and what was wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

    from landplan.issues import Issue
    from landplan.tables import Source

__all__ = ["Raw"]


@dataclass
class Raw:
    """
    The records of one layer or sheet, untouched: headers and cells as written, geometry as drawn.

    Parameters
    ----------
    frame : DataFrame or GeoDataFrame, n rows, positional index
        One row per record taken over, in the order of the source. Missing cells are None or NaN.
        A GeoDataFrame is in (easting, northing) or (longitude, latitude) order.
    source : Source
        What was read and how; its rows balance: in == imported + rejected.
    rows : list of int, n items
        Record or sheet row of every row of the frame, counted from 1.
    letters : dict of str to str
        Column letter of every header of a spreadsheet, for the addresses of cells; empty otherwise.
    issues : list of Issue
        What was wrong, in the order it was found.
    layer : str, default ""
        Layer or sheet that was read.
    """

    frame: DataFrame | GeoDataFrame
    source: Source
    rows: list[int] = field(default_factory=list)
    letters: dict[str, str] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    layer: str = ""
