"""
Where each parcel stands in the supply of land: stock that can be sold, land still to be approved, land already sold.

Stock is not the complement of increment: a parcel whose approval is unknown is on neither list, and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import Fault, UsageError
from landplan.schema import column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pandas import DataFrame

    from landplan.tables import Assessment

__all__ = ["balance_supply", "classify_supply", "count_by_zone", "list_supply"]

_CLASSES = ("stock", "stock_held", "incremental", "incremental_held", "supplied", "unknown")
_LISTED = (
    "parcel_name", "zone_code", "zone_name", "township", "area_m2", "area_registered_m2", "land_use", "industry_code",
    "industry_name", "far_min", "far_max", "invest_intensity_cny_per_m2", "tax_cny_per_m2_yr", "verdict", "supply_class",
    "supply_reason_zh", "supply_reason_en",
)  # fmt: skip


def _day_of(parcels: DataFrame, item: str, position: int) -> tuple[str, str]:
    """Day and document of an event in force, for a reason."""
    on = parcels[f"event_{item}_on"].iloc[position] if f"event_{item}_on" in parcels.columns else pd.NaT
    document = (
        parcels[f"event_{item}_document"].iloc[position]
        if f"event_{item}_document" in parcels.columns
        else ""
    )
    day = "" if pd.isna(on) else pd.Timestamp(on).strftime("%Y-%m-%d")
    return day, "" if not isinstance(document, str) else document


def classify_supply(
    parcels: DataFrame, findings: DataFrame, titles: Mapping[str, str] | None = None
) -> DataFrame:
    """
    Put each parcel where it stands in the supply of land, and say why.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``verdict``; the states of the events ``approval`` (农转用批复) and ``sale`` (出让) where known.
    findings : DataFrame
        One row per parcel and rule.
    titles : mapping of str to str or None
        Titles of layers and items by name, for the reasons.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``supply_class``: ``stock`` approved, unsold and ready; ``stock_held`` approved and unsold but not ready, or up
        for sale already; ``incremental`` not approved and on no constraint; ``incremental_held`` not approved and on
        one, or not known to be clear of them; ``supplied``; ``unknown`` where approval or sale is not known. And
        ``supply_reason_zh``, ``supply_reason_en``.
    """
    nothing = pd.Series(np.nan, index=parcels.index, dtype="str")
    approval = parcels.get("event_approval_state", nothing).to_numpy(dtype=object, na_value="")
    sale = parcels.get("event_sale_state", nothing).to_numpy(dtype=object, na_value="")
    verdict = parcels["verdict"].to_numpy(dtype=object)
    binding = findings[(findings["force"] == "mandatory").to_numpy(dtype=bool)]
    stopping = binding[binding["status"].isin(["fail", "unknown", "refer"]).to_numpy(dtype=bool)]
    by_parcel = stopping.groupby("parcel_id")
    groups: dict[str, Any] = {str(pid): rows for pid, rows in by_parcel}
    rows = []
    for position, pid in enumerate(parcels.index.astype("str")):
        against = groups.get(pid)
        constraints = (
            []
            if against is None
            else [
                (i, s)
                for i, s in zip(against["indicator"], against["status"], strict=True)
                if "_overlap_" in i
            ]
        )
        rows.append(
            _place(
                parcels,
                position,
                approval[position],
                sale[position],
                verdict[position],
                against,
                constraints,
                titles or {},
            )
        )
    return pd.DataFrame(
        rows, columns=["supply_class", "supply_reason_zh", "supply_reason_en"], index=parcels.index
    ).astype("str")


def _place(
    parcels: DataFrame,
    position: int,
    approval: str,
    sale: str,
    verdict: str,
    against: Any,
    constraints: list[tuple[str, str]],
    titles: Mapping[str, str],
) -> tuple[str, str, str]:
    sold_on, sold_by = _day_of(parcels, "sale", position)
    approved_on, approved_by = _day_of(parcels, "approval", position)
    if sale == "done":
        return "supplied", f"已出让 {sold_on} {sold_by}".strip(), f"sold {sold_on} {sold_by}".strip()
    if sale not in ("none", "pending", "void"):
        return "unknown", "出让状态没有记录", "no record of whether it was sold"
    if approval == "done":
        zh = f"农转用已批 {approved_on} {approved_by}".strip() + "，未出让"
        en = f"conversion approved {approved_on} {approved_by}".strip() + ", not sold"
        if sale == "pending":
            return (
                "stock_held",
                f"{zh}，已公告出让 {sold_on}".strip(),
                f"{en}, sale announced {sold_on}".strip(),
            )
        if verdict == "ready":
            return "stock", f"{zh}，具备出让条件", f"{en}, ready"
        why_zh, why_en = _against(against, titles)
        return "stock_held", f"{zh}；{why_zh}", f"{en}; {why_en}"
    if approval in ("pending", "none", "void", "suspended"):
        if constraints:
            names = sorted({i.rsplit("_overlap_", 1)[0] for i, _ in constraints})
            failed = any(status == "fail" for _, status in constraints)
            named = "、".join(titles.get(name, name) for name in names)
            zh = "农转用未批；" + ("涉及管控" if failed else "管控情况无法核验") + f"：{named}"
            en = (
                "conversion not approved; "
                + ("on a constraint" if failed else "constraints unknown")
                + f": {', '.join(names)}"
            )
            return "incremental_held", zh, en
        return (
            "incremental",
            "农转用未批，未出让，不涉及管控图层",
            "conversion not approved, not sold, on no constraint",
        )
    return "unknown", "农转用批复没有记录", "no record of approval of conversion"


def _against(against: Any, titles: Mapping[str, str]) -> tuple[str, str]:
    if against is None or against.empty:
        return "数据有待核实的问题", "faults of the data to be settled"
    ordered = against.sort_values(
        "status", key=lambda s: s.map({"fail": 0, "unknown": 1, "refer": 2}), kind="stable"
    )
    zh = [column(i).label("zh", titles) for i in ordered["indicator"]]
    en = [column(i).label("en") for i in ordered["indicator"]]
    more_zh = f" 等 {len(zh)} 项" if len(zh) > 3 else ""
    more_en = f" and {len(en) - 3} more" if len(en) > 3 else ""
    return "未通过：" + "、".join(zh[:3]) + more_zh, "not passed: " + ", ".join(en[:3]) + more_en


def list_supply(assessment: Assessment, kind: str) -> DataFrame:
    """
    Cut a list out of the judgement.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    kind : {"stock", "incremental"}
        存量可出让 or 增量可报批.

    Returns
    -------
    DataFrame, indexed by parcel_id
        The canonical columns that a list shows, with the reason why each row is in it; by zone, then by number.

    Raises
    ------
    UsageError
        If there is no such list.
    """
    if kind not in ("stock", "incremental"):
        raise UsageError(
            Fault(
                en=f"there is no list {kind!r}.",
                zh=f"没有“{kind}”清单。",
                mend_en="use stock or incremental",
                mend_zh="可用 stock（存量可出让）或 incremental（增量可报批）",
            )
        )
    parcels = assessment.parcels
    rows = parcels[(parcels["supply_class"] == kind).to_numpy(dtype=bool)]
    listed = rows[[name for name in _LISTED if name in rows.columns]]
    zone = listed.get("zone_code", pd.Series("", index=listed.index, dtype="str"))
    keys = pd.DataFrame({"zone": zone, "id": listed.index.astype("str")}, index=listed.index)
    return pd.DataFrame(listed.loc[keys.sort_values(["zone", "id"], kind="stable").index])


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
    code = parcels.get("zone_code", nothing).to_numpy(dtype=object, na_value="")
    name = parcels.get("zone_name", nothing).to_numpy(dtype=object, na_value="")
    names = dict(zip(code.tolist(), name.tolist(), strict=True))
    zones = sorted((z for z in names if z), key=str) + ([""] if "" in names else [])
    verdict = parcels["verdict"].to_numpy(dtype=object)
    area = parcels["area_m2"].to_numpy(dtype="float64")
    rows = []
    for zone in [*zones, None]:
        inside = np.ones(len(parcels), dtype=bool) if zone is None else code == zone
        row: dict[str, Any] = {
            "zone_code": "total" if zone is None else zone,
            "zone_name": "" if zone is None else names[zone],
        }
        for state in ("ready", "pending", "not_ready", "total"):
            held = inside if state == "total" else inside & (verdict == state)
            row[f"{state}_parcels"] = int(held.sum())
            row[f"{state}_area_m2"] = float(np.nansum(area[held]))
        rows.append(row)
    return pd.DataFrame(rows)
