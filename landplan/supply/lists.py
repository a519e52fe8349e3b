"""Cuts of the judgement: lists, and counts that close against the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import Fault, UsageError
from landplan.schema.words import codes_of, rank_words

if TYPE_CHECKING:
    from pandas import DataFrame

    from landplan.tables import Assessment

__all__ = ["LISTED", "balance_supply", "count_by_zone", "list_supply"]

_STATES = ("ready", "pending", "not_ready")
_CLASSES = ("stock", "stock_held", "incremental", "incremental_held", "supplied", "unknown")
LISTED = (
    "parcel_name", "zone_code", "zone_name", "township", "area_m2", "area_registered_m2", "land_use", "industry_code",
    "industry_name", "far_min", "far_max", "invest_intensity_cny_per_m2", "tax_cny_per_m2_yr", "verdict", "supply_class",
    "supply_reason_zh", "supply_reason_en",
)  # fmt: skip
"""Columns a list of supply shows, as far as the parcels have them."""


def list_supply(assessment: Assessment, kind: str) -> DataFrame:
    """
    Cut a list out of the judgement.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    kind : {"stock", "incremental", "reserve", "books"}
        存量可出让, 增量可报批, 储备, or the books: every parcel.

    Returns
    -------
    DataFrame, indexed by parcel_id
        The canonical columns that a list shows, with the reason why each row is in it; by zone, then by number.

    Raises
    ------
    UsageError
        If there is no such list.
    """
    if kind not in ("stock", "incremental", "reserve", "books"):
        raise UsageError(
            Fault(
                en=f"there is no list {kind!r}.",
                zh=f"没有“{kind}”清单。",
                mend_en="use stock, incremental, reserve or books",
                mend_zh="可用 stock（存量可出让）、incremental（增量可报批）、reserve（储备）或 books（全部地块）",
            )
        )
    parcels = assessment.parcels
    if kind == "books":
        rows = parcels
    else:
        # 储备 is a kind of stock, ready or not; the other two lists are cut by what can be done with the land.
        by = "stock_kind" if kind == "reserve" else "supply_class"
        rows = parcels[(parcels[by] == kind).to_numpy(dtype=bool)]
    listed = rows[[name for name in LISTED if name in rows.columns]]
    zone = listed.get("zone_code", pd.Series("", index=listed.index, dtype="str"))
    number, words = pd.factorize(zone, sort=True)
    order = np.lexsort((rank_words(listed.index)[0], np.where(number < 0, len(words), number)))
    return pd.DataFrame(listed.iloc[order])


def balance_supply(assessment: Assessment) -> DataFrame:
    """
    Count parcels and land by supply class, so that the lists close against the whole.

    Parameters
    ----------
    assessment : Assessment
        What was judged.

    Returns
    -------
    DataFrame, indexed by supply_class
        ``parcels`` (宗), ``area_m2`` and ``unmeasured`` (parcels without an area); the last row, ``total``, is counted
        on the whole table, not summed from the rows above.
    """
    parcels = assessment.parcels
    measured = parcels["area_m2"].notna()
    rows = []
    for name in (*_CLASSES, "total"):
        held = (
            (parcels["supply_class"] == name).to_numpy(dtype=bool)
            if name != "total"
            else np.ones(len(parcels), dtype=bool)
        )
        rows.append(
            (name, int(held.sum()), float(parcels["area_m2"][held].sum()), int((held & ~measured).sum()))
        )
    return pd.DataFrame(rows, columns=["supply_class", "parcels", "area_m2", "unmeasured"]).set_index(
        "supply_class"
    )


def count_by_zone(assessment: Assessment) -> DataFrame:
    """
    Count verdicts by zone.

    Parameters
    ----------
    assessment : Assessment
        What was judged.

    Returns
    -------
    DataFrame
        ``zone_code, zone_name``, and for each of ``ready, pending, not_ready, total`` the parcels (宗) and the area in
        m2 (``<verdict>_parcels``, ``<verdict>_area_m2``); parcels outside every zone under an empty code; the last row,
        with code ``total``, counts the whole table.
    """
    parcels = assessment.parcels
    nothing = pd.Series("", index=parcels.index, dtype="str")  # a project may name no zones at all
    number, words = pd.factorize(parcels.get("zone_code", nothing).fillna(""))
    name = parcels.get("zone_name", nothing).fillna("").array
    verdict, said = codes_of(parcels["verdict"])
    area = parcels["area_m2"].to_numpy(dtype="float64")
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(len(words) + 1))
    inside = {str(zone): order[bounds[n] : bounds[n + 1]] for n, zone in enumerate(words)}
    zones = sorted(zone for zone in inside if zone) + ([""] if "" in inside else [])
    rows = []
    for zone in [*zones, None]:
        held = np.arange(len(parcels)) if zone is None else inside[zone]
        row: dict[str, Any] = {
            "zone_code": "total" if zone is None else zone,
            # Where a zone is named in two ways, by the last.
            "zone_name": "" if zone is None else str(name[held[-1]]),
        }
        judged, land = verdict[held], area[held]
        for place, state in zip(said.get_indexer(pd.Index(_STATES)), _STATES, strict=True):
            met = (judged == place) & (place >= 0)
            row[f"{state}_parcels"] = int(met.sum())
            row[f"{state}_area_m2"] = float(np.nansum(land[met]))
        row["total_parcels"] = len(held)
        row["total_area_m2"] = float(np.nansum(land))
        rows.append(row)
    return pd.DataFrame(rows)
