"""Zones as a register, enclaves credited by share, and what a new boundary changes (扩区, 调区)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.supply.books import book_areas

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["compare_zones", "credit_enclaves", "register_zones"]

_FACTS = ("zone_name", "zone_level", "zone_kind", "area_planned_m2")


def register_zones(zones: DataFrame) -> tuple[DataFrame, DataFrame]:
    """
    Register zones with their areas, and add them up by level and kind.

    Parameters
    ----------
    zones : DataFrame
        One row per zone in force: ``zone_code`` and, where known, ``zone_name, zone_level, zone_kind, area_planned_m2`` (as
        approved) and ``area_m2`` (as drawn).

    Returns
    -------
    DataFrame
        The zones by code, with ``area_difference_m2`` (drawn less approved).
    DataFrame
        ``zone_level, zone_kind, zones, area_planned_m2, area_m2``, ``unplanned`` and ``undrawn`` (zones that lack the area: it
        is not in the sum); the last row, ``total``, is counted on the whole.
    """
    table = zones.reindex(columns=["zone_code", *_FACTS, "area_m2"]).sort_values("zone_code", kind="stable")
    table["area_difference_m2"] = table["area_m2"].astype("float64") - table["area_planned_m2"].astype(
        "float64"
    )
    level, kind = (
        table[name].astype("object").fillna("").astype("str") for name in ("zone_level", "zone_kind")
    )
    rows = []
    for one, other in [*sorted(set(zip(level, kind, strict=True))), ("total", "")]:
        mine = table if one == "total" else table[((level == one) & (kind == other)).to_numpy(dtype=bool)]
        rows.append(
            {
                "zone_level": one,
                "zone_kind": other,
                "zones": len(mine),
                "area_planned_m2": float(mine["area_planned_m2"].sum()),
                "area_m2": float(mine["area_m2"].sum()),
                "unplanned": int(mine["area_planned_m2"].isna().sum()),
                "undrawn": int(mine["area_m2"].isna().sum()),
            }
        )
    return table.reset_index(drop=True), pd.DataFrame(rows)


def credit_enclaves(parcels: DataFrame, enclaves: DataFrame | None, as_of: date) -> DataFrame:
    """
    Count parcels where they lie, and credit land of an enclave (飞地) to those who share in it.

    Parameters
    ----------
    parcels : DataFrame, indexed by parcel_id
        With ``zone_code`` and ``area_m2``.
    enclaves : DataFrame or None
        ``zone_code`` (where the land lies), ``partner`` (code or name of who is credited), ``land_share`` (0 to 1), ``on`` and
        ``until`` of the agreement.
    as_of : date
        Agreements count from ``on`` to ``until`` (missing: ever), both included.

    Returns
    -------
    DataFrame, indexed by zone_code
        ``parcels`` (宗, each once, where it lies), ``hundredths`` (0.01 亩, where it lies) and ``credited_hundredths``: with what
        is credited elsewhere taken off and what is credited here added; both columns have the same sum. Land of an enclave
        whose shares are not known, or are more than the whole, stays with its host and is marked ``is_share_unknown``.
    """
    code = parcels["zone_code"].fillna("").astype("str")
    areas = book_areas(parcels["area_m2"]).fillna(0).astype("int64")
    sums = areas.groupby(code.to_numpy()).sum()
    held: dict[str, int] = dict(zip(sums.index.astype("str"), sums.tolist(), strict=True))
    credited, unknown = dict(held), set()
    agreed = _in_force(enclaves, as_of)
    for zone, rows in agreed.groupby("zone_code", sort=True) if len(agreed) else ():
        shares = rows["land_share"].astype("float64")
        if shares.isna().any() or float(shares.sum()) > 1 + 1e-9:
            unknown.add(str(zone))
            continue
        for partner, part in zip(rows["partner"].astype("str"), shares, strict=True):
            # The partner's part is rounded, the host keeps the rest: nothing is credited twice.
            given = int(np.floor(round(held.get(str(zone), 0) * float(part), 6) + 0.5))
            credited[str(zone)] = credited.get(str(zone), 0) - given
            credited[partner] = credited.get(partner, 0) + given
    names = pd.Index(sorted({*credited, *unknown}), name="zone_code", dtype="str")
    return pd.DataFrame(
        {
            "parcels": code.groupby(code).size().reindex(names, fill_value=0).to_numpy(),
            "hundredths": [held.get(name, 0) for name in names],
            "credited_hundredths": [credited.get(name, 0) for name in names],
            "is_share_unknown": names.isin(sorted(unknown)),
        },
        index=names,
    )


def _in_force(enclaves: DataFrame | None, as_of: date) -> DataFrame:
    if enclaves is None or enclaves.empty:
        return pd.DataFrame(columns=["zone_code", "partner", "land_share"])
    day = pd.Timestamp(as_of)
    rows = enclaves.dropna(subset=["zone_code", "partner"])
    begun = (rows["on"].isna() | (rows["on"] <= day)) if "on" in rows.columns else True
    lasting = (rows["until"].isna() | (rows["until"] >= day)) if "until" in rows.columns else True
    return rows[np.broadcast_to(np.asarray(begun & lasting, dtype=bool), len(rows))]


def compare_zones(zones: DataFrame, parcels: DataFrame) -> tuple[DataFrame, DataFrame]:
    """
    Tell what a change of boundaries means: for each zone, and for each parcel that it touches.

    Parameters
    ----------
    zones : DataFrame, indexed by zone_code
        Facts and areas of both days, as ``compare_boundaries`` measures them: ``<fact>_before``, ``<fact>_after``,
        ``area_before_m2, area_after_m2, gained_m2, lost_m2``.
    parcels : DataFrame, indexed by parcel_id
        ``zone_before, share_before, zone_after, share_after`` (codes, missing outside every zone; shares 0 to 1) and
        ``area_m2``.

    Returns
    -------
    DataFrame, indexed by zone_code
        The zones, with ``area_change_m2``, ``parcels_gained, parcels_lost, hundredths_gained, hundredths_lost`` and
        ``facts_changed``: the facts that are not what they were, joined by 、.
    DataFrame, indexed by parcel_id
        Parcels whose zone or share is another: ``change`` (``gained`` by a zone from outside, ``lost`` to outside, ``moved``
        between zones, ``share`` where only the part inside changed), both zones and shares, ``hundredths``.
    """
    before, after = (
        parcels[name].astype("object").fillna("").astype("str") for name in ("zone_before", "zone_after")
    )
    moved = before != after
    shifted = (parcels["share_before"] - parcels["share_after"]).abs() > 1e-6
    change = np.where(
        moved & (before == ""), "gained", np.where(moved & (after == ""), "lost", np.where(moved, "moved", "share"))
    )  # fmt: skip
    rows = pd.DataFrame(parcels).assign(change=change, hundredths=book_areas(parcels["area_m2"]))
    touched = rows[(moved | shifted).to_numpy(dtype=bool)]
    table = zones.copy()
    table["area_change_m2"] = table["area_after_m2"] - table["area_before_m2"]
    left = touched[(touched["change"] != "share").to_numpy(dtype=bool)]
    for name, column in (("gained", "zone_after"), ("lost", "zone_before")):
        groups = left.groupby(column)["hundredths"]
        table[f"parcels_{name}"] = groups.size().reindex(table.index, fill_value=0)
        table[f"hundredths_{name}"] = groups.sum().reindex(table.index).fillna(0).astype("int64")
    changed = []
    for _, row in table.iterrows():
        differing = [name for name in _FACTS if not _same(row[f"{name}_before"], row[f"{name}_after"])]
        changed.append("、".join(differing))
    table["facts_changed"] = pd.Series(changed, index=table.index, dtype="str")
    return table, touched


def _same(one: Any, other: Any) -> bool:
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) and pd.isna(other))
    return bool(one == other)
