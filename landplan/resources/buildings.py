"""Built space for lease: what stands vacant on a day, and how much of it is in use."""

from __future__ import annotations

import math
from datetime import date
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pandas as pd

from landplan.issues import Issue
from landplan.periods import QUARTER, Period, is_stale
from landplan.schema import coerce

__all__ = ["Rounding", "list_buildings", "measure_usage", "print_rate"]

Rounding = Literal["round_half_up", "truncate"]


def list_buildings(
    buildings: pd.DataFrame, as_of: date, zone: str | None = None, stale_after: Period = QUARTER
) -> tuple[pd.DataFrame, list[Issue]]:
    """
    List buildings as they stood on a day, the most vacant first within each zone.

    Parameters
    ----------
    buildings : DataFrame
        The table ``buildings``. Of a building (and storey) the latest row not after ``as_of`` counts; one without a day
        counts where there is no other.
    as_of : date
        The day.
    zone : str, optional
        Code of the zone.
    stale_after : Period, default QUARTER
        How long a row keeps.

    Returns
    -------
    DataFrame
        Columns of the table, with ``vacant_m2`` (NaN where the built area or the area in use is unknown, or more is
        said to be in use than stands) and ``is_stale``.
    list of Issue
        Rows in which more is in use than was built, and rows that are stale.
    """
    table = coerce(buildings, "buildings")
    begun = ~(table["measured_on"] > pd.Timestamp(as_of)).to_numpy(dtype=bool)
    ordered = table[begun].sort_values("measured_on", kind="stable", na_position="first")
    named = ordered["building_id"].notna().to_numpy(dtype=bool)
    older = named & ordered.duplicated(["building_id", "storey"], keep="last").to_numpy(dtype=bool)
    latest = ordered[~older]
    if zone is not None:
        latest = latest[(latest["zone_code"] == zone).to_numpy(dtype=bool)]
    over = (latest["used_m2"] > latest["built_m2"]).to_numpy(dtype=bool)
    latest = latest.assign(
        vacant_m2=(latest["built_m2"] - latest["used_m2"]).where(~over),
        is_stale=is_stale(latest["measured_on"], as_of, stale_after).astype("boolean"),
    )
    listed = latest.sort_values(
        ["zone_code", "vacant_m2", "building_id", "storey"],
        ascending=[True, False, True, True],
        kind="stable",
        na_position="last",
    )
    issues = []
    for row in listed.to_dict("records"):
        name = f"{row['building_id']}" + ("" if pd.isna(row["storey"]) else f" {row['storey']}")
        if row["used_m2"] > row["built_m2"]:
            value = f"{name} {row['used_m2']:g} > {row['built_m2']:g} m2"
            issues.append(_said("ATTR.DOMAIN", row, value, "已使用面积不大于建成面积"))
        if row["is_stale"]:
            day = "" if pd.isna(row["measured_on"]) else f" {row['measured_on'].date().isoformat()}"
            issues.append(_said("ATTR.STALE", row, f"{name}{day}"))
    return listed, issues


def _said(code: str, row: dict[Any, Any], value: str, limit: str = "") -> Issue:
    source, line = row.get("source"), row.get("source_row")
    return Issue(
        code,
        source="" if source is None or pd.isna(source) else str(source),
        row=None if line is None or pd.isna(line) else int(line),
        value=value,
        limit=limit,
    )


def measure_usage(
    buildings: pd.DataFrame,
    by: str = "zone_code",
    *,
    rounding: Rounding = "round_half_up",
    digits: int = 2,
) -> pd.DataFrame:
    """
    Say how much of the built area is in use, exactly and as it is printed.

    Parameters
    ----------
    buildings : DataFrame
        One row per building as ``list_buildings`` gives: ``built_m2``, ``used_m2``.
    by : str, default "zone_code"
        Column of the table to group by; rows without it are grouped under the empty text.
    rounding : {"round_half_up", "truncate"}
        How the printed figure is made. Bulletins truncate without saying so: 89.4 of 106.6 is 83.8649 %, which they
        print as 83.8 % and rounding as 83.9 %.
    digits : int, default 2
        Decimals of the percentage.

    Returns
    -------
    DataFrame, one row per group, then ``total``
        ``buildings`` (rows counted), ``unmeasured`` (rows left out because an area is unknown, or more is in use than
        stands), ``built_m2``, ``used_m2``, ``usage_rate`` (exact, 0 to 1, NaN without built area), ``usage_printed``
        (e.g. ``83.8%``) and ``rounding``, the rule it was printed by.

    Examples
    --------
    >>> built = pd.DataFrame({"zone_code": ["Z"], "built_m2": [1_066_000.0], "used_m2": [894_000.0]})
    >>> measure_usage(built)["usage_printed"].tolist()
    ['83.86%', '83.86%']
    >>> measure_usage(built, rounding="truncate", digits=1)["usage_printed"].tolist()
    ['83.8%', '83.8%']
    """
    buildings = coerce(buildings, "buildings")
    known = (buildings["built_m2"].notna() & (buildings["used_m2"] <= buildings["built_m2"])).to_numpy(
        dtype=bool
    )
    # Areas are certified to 0.01 m2: summed as whole numbers of that, so that no binary fraction decides a digit.
    cents = pd.DataFrame(
        {
            "group": buildings[by].fillna("").astype("str"),
            "buildings": known.astype("int64"),
            "unmeasured": (~known).astype("int64"),
            "built": np.rint(buildings["built_m2"].where(known).fillna(0.0).to_numpy() * 100).astype("int64"),
            "used": np.rint(buildings["used_m2"].where(known).fillna(0.0).to_numpy() * 100).astype("int64"),
        }
    )
    sums = cents.groupby("group", sort=True).sum()
    sums.loc["total"] = sums.sum().astype("int64")
    result = pd.DataFrame({by: sums.index.astype("str")})
    for name in ("buildings", "unmeasured"):
        result[name] = sums[name].to_numpy()
    result["built_m2"], result["used_m2"] = sums["built"].to_numpy() / 100, sums["used"].to_numpy() / 100
    rates = [
        Fraction(int(used), int(built)) if built else None
        for used, built in zip(sums["used"], sums["built"], strict=True)
    ]
    result["usage_rate"] = [np.nan if rate is None else float(rate) for rate in rates]
    result["usage_printed"] = ["" if rate is None else print_rate(rate, rounding, digits) for rate in rates]
    result["rounding"] = rounding
    return result


def print_rate(rate: Fraction, rounding: Rounding, digits: int) -> str:
    """
    Write an exact share as a percentage by a named rule.

    Parameters
    ----------
    rate : Fraction
        0 or more.
    rounding : {"round_half_up", "truncate"}
        The rule.
    digits : int
        Decimals.

    Returns
    -------
    str
        E.g. ``83.8%``.

    Examples
    --------
    >>> rate = Fraction(894, 1066)
    >>> print_rate(rate, "truncate", 1), print_rate(rate, "round_half_up", 1), print_rate(rate, "round_half_up", 2)
    ('83.8%', '83.9%', '83.86%')
    """
    scaled = rate * 100 * 10**digits
    whole = math.floor(scaled + Fraction(1, 2)) if rounding == "round_half_up" else math.floor(scaled)
    before, after = divmod(whole, 10**digits)
    return f"{before}.{after:0{digits}d}%" if digits else f"{before}%"
