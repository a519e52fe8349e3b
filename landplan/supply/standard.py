"""标准地: which land must be sold as such on a day, and how much of what was sold was."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.supply.facts import Array, days_of
from landplan.supply.flows import balance_period

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["OUTSIDE", "require_standard", "share_standard"]

OUTSIDE = "区外"
"""Word for land outside every zone in the column ``zone_kind`` of the scope."""

_SOLD = ("sold_unused", "underused", "in_use")


def require_standard(
    parcels: DataFrame, scope: DataFrame, on: pd.Series[Any], zones: DataFrame | None = None
) -> pd.Series[Any]:
    """
    Tell which parcels must be sold as 标准地 on a day.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``land_use`` or ``land_use_code`` and, where zones are told apart, ``zone_code``.
    scope : DataFrame
        ``zone_kind`` (empty: everywhere; 区外: outside every zone), ``land_use`` (the words of the parcel, or the beginning of
        its code; empty: every use), ``valid_from`` (missing: since ever), ``is_required``.
    on : Series of datetime64, n rows, same index
        Day of the sale of each parcel.
    zones : DataFrame or None
        ``zone_code`` and ``zone_kind``.

    Returns
    -------
    Series of str, n rows, same index
        ``yes``, ``no`` (also where no row of the scope speaks of the land yet) or ``unknown`` (use or kind of zone not known
        where a row asks for it, or there is no scope). Of rows that match, the latest in force on the day decides, of one
        day the last written.
    """
    count = len(parcels)
    answer = np.full(count, "no" if len(scope) else "unknown", dtype=object)
    blank = pd.Series("", index=parcels.index, dtype="str")
    use, code, zone = (
        parcels.get(name, blank).fillna("").astype("str")
        for name in ("land_use", "land_use_code", "zone_code")
    )
    kinds: dict[str, str] = {}
    if zones is not None and "zone_kind" in zones.columns:
        known = zones.dropna(subset=["zone_kind"])
        kinds = dict(zip(known["zone_code"].astype("str"), known["zone_kind"].astype("str"), strict=True))
    kind = zone.map(kinds).astype("object").fillna("").where(zone != "", OUTSIDE).to_numpy(dtype=object)
    days = days_of(on)
    dated = scope.assign(_from=days_of(scope["valid_from"])) if "valid_from" in scope.columns else scope
    dated = dated if "_from" in dated.columns else dated.assign(_from=np.iinfo(np.int64).min)
    for row in dated.sort_values("_from", kind="stable").to_dict("records"):
        asked_kind, asked_use = (_text(row.get(name)) for name in ("zone_kind", "land_use"))
        begun = days >= row["_from"]
        of_kind: Array = kind == asked_kind if asked_kind else np.ones(count, dtype=bool)
        of_use: Array = np.ones(count, dtype=bool)
        if asked_use:
            of_use = ((use == asked_use) | code.str.startswith(asked_use)).to_numpy(dtype=bool)
        doubtful = ((kind == "") & bool(asked_kind) & (of_use | _no_use(use, code))) | (
            _no_use(use, code) & bool(asked_use) & (of_kind | (kind == ""))
        )
        answer[begun & doubtful] = "unknown"
        required = row.get("is_required")
        said = "unknown" if required is None or pd.isna(required) else "yes" if bool(required) else "no"
        answer[begun & of_kind & of_use] = said
    return pd.Series(answer, index=parcels.index, dtype="str")


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str) else ""


def _no_use(use: pd.Series[Any], code: pd.Series[Any]) -> Array:
    without: Array = ((use == "") & (code == "")).to_numpy(dtype=bool)
    return without


def share_standard(
    parcels: DataFrame,
    events: DataFrame,
    scope: DataFrame,
    start: date,
    end: date,
    *,
    zones: DataFrame | None = None,
    complete: Collection[str] = (),
) -> tuple[DataFrame, DataFrame]:
    """
    Measure the share of 标准地 in what was sold in a period and had to be, by 宗 and by 亩, with the exceptions.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``sold_as_standard``, ``area_m2``, ``land_use`` and ``zone_code`` where known.
    events : DataFrame
        The events table.
    scope : DataFrame
        As in ``require_standard``.
    start, end : date
        First and last day.
    zones : DataFrame or None
        ``zone_code`` and ``zone_kind``.
    complete : collection of str
        Items of which nothing is missing.

    Returns
    -------
    DataFrame, indexed by measure
        Rows ``parcels`` (宗) and ``hundredths`` (0.01 亩): ``sold`` in the period, ``required`` of it, ``standard`` of that,
        ``doubtful`` (required or sold as 标准地 not known), and ``share_least``, ``share_most`` (0 to 1): with what is doubtful
        counted against it, and for it. Both NaN where nothing had to be.
    DataFrame
        Every sale that is an exception or doubtful: ``parcel_id, on, document, required, sold_as_standard, hundredths``.
    """
    moves = balance_period(parcels, events, start, end, complete=complete).moves
    is_sale = ~moves["from_kind"].isin(_SOLD) & (moves["cause"] == "sale")
    is_sale &= moves["to_kind"].isin([*_SOLD, "unknown"])
    sales = moves[is_sale.to_numpy(dtype=bool)].reset_index(drop=True)
    land = parcels.loc[sales["parcel_id"].to_numpy()]
    blank = pd.Series(pd.NA, index=land.index, dtype="boolean")
    flag = land.get("sold_as_standard", blank).astype("boolean").reset_index(drop=True)
    days = pd.Series(sales["on"].to_numpy(), index=land.index)
    required = require_standard(land, scope, days, zones).reset_index(drop=True)
    standard = flag.fillna(False).to_numpy(dtype=bool)
    asked = (required == "yes").to_numpy(dtype=bool)
    open_still = (required == "unknown").to_numpy(dtype=bool) | (asked & flag.isna().to_numpy(dtype=bool))
    rows = {}
    for name, weight in (
        ("parcels", np.ones(len(sales), dtype=np.int64)),
        ("hundredths", sales["hundredths"].to_numpy(dtype="int64")),
    ):
        sold, must, met = int(weight.sum()), int(weight[asked].sum()), int(weight[asked & standard].sum())
        doubt = int(weight[open_still].sum())
        # The worst case: what may have been required was not sold as 标准地; the best: it was, or was not required.
        lost = int(weight[open_still & ~asked & ~standard].sum())
        won = int(weight[open_still & asked].sum())
        sure = int(weight[open_still & ~asked & standard].sum())
        least = met / (must + lost) if must + lost else np.nan
        most = (met + won + sure) / (must + sure) if must + sure else np.nan
        rows[name] = {
            "sold": sold,
            "required": must,
            "standard": met,
            "doubtful": doubt,
            "share_least": least,
            "share_most": most,
        }
    exceptions = sales[["parcel_id", "on", "document", "hundredths"]].assign(
        required=required, sold_as_standard=flag
    )
    kept = (asked & ~standard) | open_still
    shares = pd.DataFrame.from_dict(rows, orient="index")
    shares.index.name = "measure"
    return shares, exceptions[kept].reset_index(drop=True)
