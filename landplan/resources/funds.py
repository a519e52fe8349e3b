"""Money for preparation by head and year: what is committed, what is left, what a readied 亩 has cost."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from landplan.issues import Issue
from landplan.schema import coerce
from landplan.units import convert

__all__ = ["balance_funds", "find_overcommitments", "missing_money", "report_funds"]


def _cents(values: pd.Series[Any]) -> pd.Series[Any]:
    """Sums in 分, as whole numbers: a head of 500 万元 must close to the last one."""
    return (values * 100).round().astype("Int64")


def _committed(commitments: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Commitments up to a day in the order of their days, each with the year of the budget it is taken from."""
    table = coerce(commitments, "commitments").reset_index(drop=True)
    told = table[~(table["on"] > pd.Timestamp(as_of)).to_numpy(dtype=bool)]
    year = told["year"].fillna(told["on"].dt.year.astype("Int64"))
    # Without a day it is not known to have come later: it stands first, so that no other is refused too late.
    return told.assign(year=year).sort_values("on", kind="stable", na_position="first")


def balance_funds(
    budget: pd.DataFrame, commitments: pd.DataFrame, as_of: date, readied: pd.Series[Any] | None = None
) -> pd.DataFrame:
    """
    Balance every head of every year: amount, committed, what is left, and the cost per area readied.

    Parameters
    ----------
    budget : DataFrame
        The table ``budget``: ``head``, ``year``, ``amount_cny``; several rows of one head and year add up.
    commitments : DataFrame
        The table ``commitments``; each is taken from the budget of its ``year``, else of the year of its day ``on``.
    as_of : date
        The day; later commitments do not count.
    readied : Series of float, optional
        Area in m2 by parcel number, of the parcels that have been readied.

    Returns
    -------
    DataFrame, one row per year and head
        The table ``funds``, with ``parcels`` (readied parcels that the head paid for), ``area_m2`` and ``cost_cny_per_m2``
        (its commitments to them over their area; NaN where there is none, or the area of one is unknown). A head that
        has commitments and no budget has an unknown amount and balance. An amount that is missing makes the sum
        unknown, never smaller.

    Examples
    --------
    >>> budget = pd.DataFrame({"head": ["文物勘探"], "year": [2026], "amount_cny": [5e6]})
    >>> spent = pd.DataFrame({"head": ["文物勘探"], "parcel_id": ["A"], "amount_cny": [2e6], "on": ["2026-03-01"]})
    >>> balance_funds(budget, spent, date(2026, 12, 31), pd.Series({"A": 10_000.0}))["balance_cny"].tolist()
    [3000000.0]
    """
    table = coerce(budget, "budget")
    told = _committed(commitments, as_of)
    keys = ["year", "head"]
    amounts = _summed(table, keys)
    spent = _summed(told, keys)
    index = amounts.index.union(spent.index, sort=True)
    amount = amounts.reindex(index)
    committed = spent.reindex(index).where(index.isin(spent.index), 0)
    result = pd.DataFrame({"amount_cny": amount, "committed_cny": committed}, index=index)
    result["balance_cny"] = result["amount_cny"] - result["committed_cny"]
    result = result.astype("float64") / 100
    areas = pd.Series(dtype="float64") if readied is None else readied
    paid = told[told["parcel_id"].isin(areas.index).to_numpy(dtype=bool)]
    for key, rows in paid.groupby(keys, sort=True):
        area = areas.reindex(rows["parcel_id"].unique())
        result.loc[key, "parcels"] = len(area)
        total = area.sum(skipna=False)
        result.loc[key, "area_m2"] = total
        result.loc[key, "cost_cny_per_m2"] = (
            rows["amount_cny"].sum(skipna=False) / total if total > 0 else np.nan
        )
    for name in ("parcels", "area_m2", "cost_cny_per_m2"):
        if name not in result.columns:
            result[name] = np.nan
    result["parcels"] = result["parcels"].fillna(0).astype("int64")
    return result.reset_index()


def _summed(table: pd.DataFrame, keys: list[str]) -> pd.Series[Any]:
    """Sums in 分 by year and head; unknown where one amount is."""
    known = table[table[keys].notna().all(axis=1).to_numpy(dtype=bool)]
    cents = known.assign(_cents=_cents(known["amount_cny"]))
    grouped = cents.groupby(keys, sort=True)["_cents"]
    return grouped.sum().where(grouped.count() == grouped.size())


def find_overcommitments(budget: pd.DataFrame, commitments: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """
    Name the commitments that go beyond their head, in the order of their days.

    Parameters
    ----------
    budget, commitments : DataFrame
        As ``balance_funds`` takes them.
    as_of : date
        The day.

    Returns
    -------
    DataFrame
        Rows of the table ``commitments`` with ``missing_cny``: what the head lacked for it when its turn came. The sums
        add up to what the head is overdrawn by. Heads without a budget, and amounts that are missing, are not judged.
    """
    told = _committed(commitments, as_of)
    amounts = _summed(coerce(budget, "budget"), ["year", "head"])
    keys = pd.MultiIndex.from_frame(told[["year", "head"]])
    limit = pd.Series(amounts.reindex(keys).to_numpy(), index=told.index, dtype="Int64")
    cents = _cents(told["amount_cny"]).fillna(0)
    running = cents.groupby([told["year"], told["head"]], dropna=False).cumsum()
    beyond = (running - limit).clip(lower=0)
    missing = beyond.mask((beyond > cents).fillna(value=False), cents)
    over = (missing > 0).fillna(value=False).to_numpy(dtype=bool)
    return told[over].assign(missing_cny=missing[over].astype("float64") / 100)


def report_funds(budget: pd.DataFrame, commitments: pd.DataFrame, as_of: date) -> list[Issue]:
    """
    Say what is wrong between budget and commitments.

    Parameters
    ----------
    budget, commitments : DataFrame
        As ``balance_funds`` takes them.
    as_of : date
        The day.

    Returns
    -------
    list of Issue
        One per commitment that goes beyond its head, with the sum missing, and one per head without a budget.
    """
    issues = []
    for row in find_overcommitments(budget, commitments, as_of).to_dict("records"):
        short = convert(float(row["missing_cny"]), "元", "万元", "money")
        name = "" if pd.isna(row["parcel_id"]) else f" {row['parcel_id']}"
        issues.append(
            _said(row, "LEDGER.OVERCOMMITTED", f"{row['year']} {row['head']}{name} 缺 {short:,.10g} 万元")
        )
    known = set(_summed(coerce(budget, "budget"), ["year", "head"]).index)
    told = _committed(commitments, as_of).drop_duplicates(["year", "head"]).to_dict("records")
    return issues + [
        _said(row, "ATTR.ITEM", f"{row['year']} {row['head']}")
        for row in told
        if (row["year"], row["head"]) not in known
    ]


def _said(row: dict[Any, Any], code: str, value: str) -> Issue:
    source, line = row.get("source"), row.get("source_row")
    return Issue(
        code,
        source="" if source is None or pd.isna(source) else str(source),
        row=None if line is None or pd.isna(line) else int(line),
        field="head",
        value=value,
    )


def missing_money(
    budget: pd.DataFrame, commitments: pd.DataFrame, head: str, year: int, amount_cny: float, as_of: date
) -> float:
    """
    Say what a head lacks for one more commitment, so that it can be refused.

    Parameters
    ----------
    budget, commitments : DataFrame
        As ``balance_funds`` takes them.
    head : str
        Head it is to be taken from.
    year : int
        Year of the budget.
    amount_cny : float
        Sum in 元.
    as_of : date
        The day.

    Returns
    -------
    float
        0 where it fits; the sum missing in 元 where it does not; NaN where the head has no budget for the year or an
        amount is unknown.
    """
    rows = balance_funds(budget, commitments, as_of)
    found = rows[((rows["head"] == head) & (rows["year"] == year)).to_numpy(dtype=bool)]
    if found.empty:
        return float("nan")
    left = float(found["balance_cny"].iloc[0])
    return left if np.isnan(left) else max(round(amount_cny - left, 2), 0.0)
