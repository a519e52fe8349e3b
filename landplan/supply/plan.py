"""The year plan of supply (供应计划): use x quarter x method x stock or new x township, in hectares, from the parcels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.units import convert

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Plan", "plan_supply"]

_BY = ("land_use", "quarter", "supply_mode", "origin", "township")
_ORIGINS = {"incremental": "new", "approved_unsold": "stock", "reserve": "stock"}
_SOLD = ("sold_unused", "underused", "in_use")


@dataclass(frozen=True)
class Plan:
    """
    A plan of supply for one year.

    Parameters
    ----------
    year : int
        The year.
    rows : DataFrame, indexed by parcel_id
        What is to be sold: ``land_use, quarter`` (1 to 4), ``supply_mode, origin`` (``stock, new``), ``township, day, basis``
        (``planned`` by the bureau, ``ready`` where only the first day it could be ready is known) and ``hectare_parts``:
        0.0001 公顷, whole numbers, half-up parcel by parcel. What is not on record is empty.
    table : DataFrame
        The rows added up by ``land_use, quarter, supply_mode, origin, township``: ``parcels`` (宗), ``hectares``.
    undated : DataFrame, indexed by parcel_id
        Unsold land with neither a planned day nor one on which it could be ready: in no plan, and told.
    """

    year: int
    rows: DataFrame
    table: DataFrame
    undated: DataFrame

    def total(self, **cut: Any) -> tuple[int, float]:
        """
        Count parcels and hectares, of all rows or of a cut.

        Parameters
        ----------
        **cut : object
            Values of columns of ``rows``.

        Returns
        -------
        tuple of (int, float)
            宗 and 公顷, to the fourth decimal.
        """
        chosen = self.rows
        for name, value in cut.items():
            chosen = chosen[(chosen[name] == value).to_numpy(dtype=bool)]
        return len(chosen), int(chosen["hectare_parts"].sum()) / 10_000


def plan_supply(parcels: DataFrame, year: int) -> Plan:
    """
    Lay the plan of a year out from the parcels.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``area_m2``, ``stock_kind`` and, where known, ``planned_on``, ``ready_on``, ``supply_mode``, ``land_use``,
        ``township`` and ``event_sale_on``.
    year : int
        The year.

    Returns
    -------
    Plan
        Land that is unsold, or was sold within the year, whose planned day lies in the year; where no day is planned, the
        first day it could be ready. Land without an area is a 宗 of no hectare.

    Notes
    -----
    0.0001 公顷 is 1 m2: each parcel is rounded half-up to a whole m2 before anything is added, so that every total is the sum
    of what stands above it.
    """
    nothing = pd.Series(pd.NaT, index=parcels.index, dtype="datetime64[s]")
    planned, ready = (parcels.get(name, nothing) for name in ("planned_on", "ready_on"))
    sold_on = parcels.get("event_sale_on", nothing)
    kind = parcels["stock_kind"]
    unsold = kind.isin(list(_ORIGINS)).to_numpy(dtype=bool)
    this_year = (sold_on.dt.year == year).to_numpy(dtype=bool) & kind.isin([*_SOLD, "unknown"]).to_numpy(
        dtype=bool
    )
    day = planned.where(planned.notna(), ready.where(pd.Series(unsold, index=parcels.index)))
    within = (day.dt.year == year).to_numpy(dtype=bool) & (unsold | this_year)
    chosen = parcels[within]
    days = day[within]
    parts = np.floor(
        np.round(convert(chosen["area_m2"].to_numpy(dtype="float64", na_value=0.0), "m2", "公顷") * 10_000, 6)
        + 0.5
    )
    blank = pd.Series("", index=chosen.index, dtype="str")
    origin = kind[within].map(_ORIGINS).fillna("stock")
    rows = pd.DataFrame(
        {
            "land_use": chosen.get("land_use", blank).fillna("").astype("str"),
            "quarter": days.dt.quarter.astype("Int64"),
            "supply_mode": chosen.get("supply_mode", blank).fillna("").astype("str"),
            "origin": origin.astype("str"),
            "township": chosen.get("township", blank).fillna("").astype("str"),
            "day": days,
            "basis": np.where(planned[within].notna(), "planned", "ready"),
            "hectare_parts": pd.array(parts.astype("int64"), dtype="Int64"),
        },
        index=chosen.index,
    ).sort_values(["quarter", "land_use", "township"], kind="stable")
    table = (
        rows.groupby(list(_BY), sort=True)
        .agg(parcels=("day", "size"), parts=("hectare_parts", "sum"))
        .reset_index()
    )
    table["hectares"] = table.pop("parts").to_numpy(dtype="int64") / 10_000
    undated = parcels[unsold & day.isna().to_numpy(dtype=bool)]
    shown = [
        n for n in ("parcel_name", "zone_name", "township", "area_m2", "stock_kind") if n in parcels.columns
    ]
    return Plan(year, rows, table, pd.DataFrame(undated[shown]))
