"""The reserve of 标准地 (标准地储备库): who is fit for it, who is in it since when, and how long it lasts at the zone's pace."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import ConfigError, Fault
from landplan.schema import column
from landplan.supply.axes import judge_axes
from landplan.supply.books import book_areas
from landplan.supply.facts import DONE, MISSING, VOID, Array, facts_of
from landplan.supply.flows import balance_period
from landplan.supply.timeline import lay_timeline

if TYPE_CHECKING:
    from pandas import DataFrame

    from landplan.tables import Assessment

__all__ = [
    "ADMISSION",
    "announce_admissions",
    "measure_supply_years",
    "reserve_of",
    "reserve_register",
    "vet_admission",
]

ADMISSION = ("approval", "taken", "plan", "indicators", "clear")
"""Conditions of admission where the project declares none: approved, taken over, planned, indicators met, no constraint."""

_TITLES = {
    "approval": "农转用批复",
    "taken": "征收或收储",
    "plan": "规划条件",
    "indicators": "控制指标",
    "clear": "管控图层",
}
_RESERVE, _SOLD = 3, (4, 5, 6)


def vet_admission(
    parcels: DataFrame,
    findings: DataFrame,
    as_of: date,
    admission: Sequence[str] = ADMISSION,
    titles: Mapping[str, str] | None = None,
) -> DataFrame:
    """
    Vet parcels for admission to the reserve of 标准地.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With the states of events on the day.
    findings : DataFrame
        One row per parcel and rule.
    as_of : date
        The day; outlines of later days do not count.
    admission : sequence of str
        Conditions, all of which must be met: ``approval`` (农转用批复), ``taken`` (expropriated or taken into reserve),
        ``plan`` (规划 or 规划条件: item ``plan`` or ``plan_conditions``), ``indicators`` (every control indicator set
        passes), ``clear`` (no layer stands against it), ``item:<code>`` (the event is done),
        ``rule:<rule_id>`` (the rule passes).
    titles : mapping of str to str or None
        Titles of items.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``admission`` (``no`` where a condition fails, else ``unknown`` where one cannot be checked, else ``yes``) and
        ``admission_missing``.

    Raises
    ------
    ConfigError
        If a condition is none of these.
    """
    wrong = [name for name in admission if name not in _TITLES and not name.startswith(("item:", "rule:"))]
    if wrong:
        raise ConfigError(
            *(
                Fault(
                    en=f"{name!r} is no condition of admission to the reserve.",
                    zh=f"“{name}”不是入库条件。",
                    at="supply.admission",
                    mend_en=f"use {', '.join(_TITLES)}, item:<code> or rule:<rule_id>",
                    mend_zh=f"可用 {'、'.join(_TITLES)}，或 item:事项代码、rule:规则名",
                )
                for name in wrong
            )
        )
    named = dict(titles or {})
    no, open_still = np.zeros(len(parcels), dtype=bool), np.zeros(len(parcels), dtype=bool)
    missing = np.full(len(parcels), "", dtype=object)
    for name in admission:
        answer = _answer(parcels, findings, as_of, name)
        title = _TITLES.get(name) or named.get(name.partition(":")[2], name.partition(":")[2])
        no |= answer < 0
        open_still |= answer == 0
        for where, text in ((answer < 0, title), (answer == 0, f"{title}（无法核验）")):
            missing[where] = np.where(missing[where] == "", "", missing[where] + "、") + text
    words = np.where(no, "no", np.where(open_still, "unknown", "yes"))
    return pd.DataFrame(
        {
            "admission": pd.Series(words, index=parcels.index, dtype="str"),
            "admission_missing": pd.Series(missing, index=parcels.index, dtype="str"),
        },
        index=parcels.index,
    )


def _answer(parcels: DataFrame, findings: DataFrame, as_of: date, name: str) -> Array:
    """1 where the condition is met, -1 where it is not, 0 where nobody can tell."""
    facts = facts_of(parcels, as_of)
    if name in ("approval", "taken"):
        approval = judge_axes(facts).approval
        least = 3 if name == "approval" else 4
        if name == "approval":
            return np.where(approval >= least, 1, np.where(approval == 0, 0, -1))
        silent = (facts.event("expropriation").state == MISSING) | (facts.event("reserve").state == MISSING)
        return np.where(approval >= least, 1, np.where((approval == 0) | silent, 0, -1))
    if name == "plan":
        plans = [facts.event(item).state for item in ("plan", "plan_conditions")]
        done = np.logical_or.reduce([state == DONE for state in plans])
        silent = np.logical_and.reduce([state == MISSING for state in plans])
        return np.where(done, 1, np.where(silent, 0, -1))
    if name.startswith("item:"):
        state = facts.event(name.removeprefix("item:")).state
        return np.where(state == DONE, 1, np.where(state == MISSING, 0, -1))
    indicator = findings["indicator"].fillna("").astype("str")
    if name == "indicators":
        chosen = (findings["force"] == "mandatory") & (findings["basis"] == "set")
        chosen &= ~indicator.str.contains("_overlap_", regex=False)
    elif name == "clear":
        chosen = (findings["force"] == "mandatory") & indicator.str.contains("_overlap_", regex=False)
    else:
        chosen = findings["rule_id"] == name.removeprefix("rule:")
    return _outcome(parcels.index, findings[chosen.fillna(False).to_numpy(dtype=bool)])


def _outcome(index: pd.Index[Any], findings: DataFrame) -> Array:
    """All that is asked passes: 1; something fails: -1; something is open, or nothing is asked at all: 0."""
    at = index.astype("str").get_indexer(pd.Index(findings["parcel_id"]))
    status = findings["status"].to_numpy(dtype=object)
    settled = np.isin(status, ["pass", "exempt"])
    if "overridden_by" in findings.columns:
        settled |= (findings["overridden_by"].fillna("") != "").to_numpy(dtype=bool)
    asked, failed, left = (np.zeros(len(index), dtype=bool) for _ in range(3))
    inside = at >= 0
    asked[at[inside]] = True
    failed[at[inside & (status == "fail") & ~settled]] = True
    left[at[inside & ~settled & (status != "fail")]] = True
    return np.where(failed, -1, np.where(left | ~asked, 0, 1))


def reserve_of(
    assessment: Assessment, admission: Sequence[str] = ADMISSION, titles: Mapping[str, str] | None = None
) -> DataFrame:
    """
    Keep the register of the reserve of an assessment.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    admission : sequence of str
        Conditions of admission, as in ``vet_admission``.
    titles : mapping of str to str or None
        Titles of items; those of the assessment by default.

    Returns
    -------
    DataFrame
        As ``reserve_register`` gives.
    """
    told = assessment.provenance
    return reserve_register(
        assessment.parcels,
        assessment.events,
        assessment.findings,
        told.as_of,
        complete=told.complete,
        admission=admission,
        titles=told.items if titles is None else titles,
    )


def reserve_register(
    parcels: DataFrame,
    events: DataFrame,
    findings: DataFrame,
    as_of: date,
    complete: Collection[str] = (),
    admission: Sequence[str] = ADMISSION,
    titles: Mapping[str, str] | None = None,
) -> DataFrame:
    """
    Keep the register of the reserve: what is in it and what has been, with days of entry and exit.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and the states of events on the day.
    events : DataFrame
        The events table; rows after ``as_of`` do not count.
    findings : DataFrame
        One row per parcel and rule.
    as_of : date
        The day.
    complete : collection of str
        Items of which nothing is missing.
    admission : sequence of str
        Conditions of admission, as in ``vet_admission``.
    titles : mapping of str to str or None
        Titles of items.

    Returns
    -------
    DataFrame
        One row per parcel and stay: ``parcel_id``, name, zone, township and area as far as known, ``mu_hundredths, entry_on,
        exit_on`` (missing: still in), ``exit_cause, age_days`` (calendar days to the day, or to the exit), and of those
        still in ``admission, admission_missing``; by day of entry, then in the order of the parcels.
    """
    begun = (events["on"] <= pd.Timestamp(as_of)).to_numpy(dtype=bool)
    timeline = lay_timeline(parcels.index, events[begun], complete, facts_of(parcels, as_of).outlines)
    today = (as_of - date(1970, 1, 1)).days
    kind = judge_axes(timeline.facts).kind
    within = (kind == _RESERVE) & (timeline.day <= today)
    same = np.zeros(len(kind), dtype=bool)
    same[1:] = timeline.parcel[1:] == timeline.parcel[:-1]
    before = np.zeros(len(kind), dtype=bool)
    before[1:] = within[:-1] & same[1:]
    enters = np.flatnonzero(within & ~before)
    leaves = np.flatnonzero(~within & before & (timeline.day <= today))
    # Every stay ends at the next leaving of its parcel, if there is one.
    ends = np.searchsorted(leaves, enters)
    has_end = ends < len(leaves)
    has_end[has_end] = timeline.parcel[leaves[ends[has_end]]] == timeline.parcel[enters[has_end]]
    out_row = np.full(len(enters), -1, dtype=np.int64)
    out_row[has_end] = leaves[ends[has_end]]
    entry = timeline.day[enters]
    leave = np.where(has_end, timeline.day[out_row], today)
    reserve = timeline.facts.event("reserve").state
    cause = np.full(len(enters), "", dtype=object)
    sold = has_end & np.isin(kind[out_row], _SOLD)
    cause[has_end & ~sold] = "other"
    cause[has_end & ~sold & (timeline.pointer["reserve"][out_row] < 0)] = "expiry"
    cause[has_end & ~sold & (reserve[out_row] == VOID)] = "void"
    cause[sold | (has_end & (timeline.facts.event("sale").state[out_row] == DONE) & (kind[out_row] == 0))] = (
        "sale"
    )
    who = timeline.parcel[enters]
    shown = [
        name
        for name in ("parcel_name", "zone_code", "zone_name", "township", "area_m2")
        if name in parcels.columns
    ]
    table = pd.DataFrame(parcels[shown].iloc[who])
    table.index = pd.RangeIndex(len(table))
    table.insert(0, "parcel_id", parcels.index.astype("str")[who])
    table["mu_hundredths"] = book_areas(table["area_m2"])
    table["entry_on"] = pd.Series(entry.astype("datetime64[D]")).astype("datetime64[s]")
    gone = pd.Series(leave.astype("datetime64[D]")).astype("datetime64[s]")
    table["exit_on"] = gone.where(has_end)
    table["exit_cause"] = pd.Series(cause, dtype="str").where(has_end)
    table["age_days"] = pd.array(leave - entry, dtype="Int64")
    vetted = vet_admission(parcels, findings, as_of, admission, titles).iloc[who].reset_index(drop=True)
    for name in vetted.columns:
        table[name] = vetted[name].where(~has_end)
    order = np.lexsort((who, entry))
    return table.iloc[order].reset_index(drop=True)


def measure_supply_years(
    parcels: DataFrame,
    events: DataFrame,
    register: DataFrame,
    as_of: date,
    pace_years: int,
    *,
    complete: Collection[str] = (),
) -> DataFrame:
    """
    Tell how many years the reserve of each zone lasts at the pace land was sold there.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and, where known, ``zone_code`` and ``zone_name``.
    events : DataFrame
        The events table.
    register : DataFrame
        As ``reserve_register`` gives.
    as_of : date
        The day.
    pace_years : int
        Years up to the day over which the pace is taken; the user's setting.
    complete : collection of str
        Items of which nothing is missing.

    Returns
    -------
    DataFrame
        ``zone_code, zone_name, reserve_parcels, reserve_hundredths`` (all in reserve), ``admitted_parcels,
        admitted_hundredths`` (fit as 标准地), ``sold_parcels, sold_hundredths`` within the years, ``pace_hundredths`` per year
        and ``supply_years``; one row per zone, last ``total``. Where nothing was sold there is no pace, and the years are
        missing: unknown, not endless.
    """
    start = pd.Timestamp(as_of) - pd.DateOffset(years=pace_years) + pd.Timedelta(days=1)
    balance = balance_period(parcels, events, start.date(), as_of, complete=complete)
    sold_kinds = ["sold_unused", "underused", "in_use", "unknown"]
    moves = balance.moves
    # A sale whose use is not on record is a sale all the same.
    sold = moves[(moves["to_kind"].isin(sold_kinds) & (moves["cause"] == "sale")).to_numpy(dtype=bool)]
    blank = pd.Series("", index=parcels.index, dtype="str")
    code, name = (parcels.get(n, blank).fillna("").astype("str") for n in ("zone_code", "zone_name"))
    names = dict(zip(code.tolist(), name.tolist(), strict=True))
    inside = register[register["exit_on"].isna().to_numpy(dtype=bool)]
    fit = inside[(inside["admission"] == "yes").to_numpy(dtype=bool)]
    rows = []
    for zone in [*sorted(names), None]:
        row: dict[str, Any] = {
            "zone_code": "total" if zone is None else zone,
            "zone_name": "" if zone is None else names[zone],
        }
        for title, table in (("reserve", inside), ("admitted", fit), ("sold", sold)):
            of = table["parcel_id"].map(code)
            chosen = table if zone is None else table[(of == zone).to_numpy(dtype=bool)]
            area = "hundredths" if "hundredths" in chosen.columns else "mu_hundredths"
            row[f"{title}_parcels"] = len(chosen)
            row[f"{title}_hundredths"] = int(chosen[area].fillna(0).sum())
        row["pace_hundredths"] = row["sold_hundredths"] / pace_years if row["sold_hundredths"] else np.nan
        row["supply_years"] = row["admitted_hundredths"] / row["pace_hundredths"]
        rows.append(row)
    return pd.DataFrame(rows)


def announce_admissions(register: DataFrame, parcels: DataFrame, since: date, as_of: date) -> DataFrame:
    """
    Pick what investors may be told of: land that entered the reserve in a period, is still in it and fit as 标准地.

    Parameters
    ----------
    register : DataFrame
        As ``reserve_register`` gives.
    parcels : DataFrame, indexed by parcel_id
        All canonical columns.
    since, as_of : date
        First and last day of entry.

    Returns
    -------
    DataFrame, indexed by parcel_id
        ``entry_on`` and those columns of the parcels whose audience is the public; no other value is in it.
    """
    chosen = (register["entry_on"] >= pd.Timestamp(since)) & (register["entry_on"] <= pd.Timestamp(as_of))
    chosen &= register["exit_on"].isna() & (register["admission"] == "yes")
    rows = register[chosen.to_numpy(dtype=bool)].drop_duplicates("parcel_id").set_index("parcel_id")
    public = [
        name for name in parcels.columns if name != "geometry" and column(str(name)).audience == "public"
    ]
    told = pd.DataFrame(parcels[public]).reindex(rows.index)
    told.insert(0, "entry_on", rows["entry_on"])
    return told
