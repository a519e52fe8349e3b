"""
What is laid over findings once the rules have spoken: a zone that does not ask for an item, a person who decided.

Nothing is taken out: a finding that no longer decides stays, and says why.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from landplan.issues import Issue
from landplan.schema import as_words, join_rows, words_of
from landplan.schema.words import ByParcel, is_among

__all__ = ["OVERRIDE", "apply_overrides", "exempt_evaluations"]

OVERRIDE = "override."
"""The rule_id of the finding that records an override begins with it."""

_MUST_SAY = {"person": "决定人", "grounds": "理由", "document": "文号", "on": "日期", "until": "有效期至"}


def exempt_evaluations(findings: pd.DataFrame, parcels: pd.DataFrame) -> pd.DataFrame:
    """
    Exempt parcels from rules on area evaluations that their zone does not ask for.

    Parameters
    ----------
    findings : DataFrame
        One row per parcel and rule.
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``evaluation_<item>_state``; without such columns nothing is exempt.

    Returns
    -------
    DataFrame
        The findings, same rows and order; those on an item whose state is ``not_required`` are ``exempt`` for the reason
        ``not_required``. The table itself where there is none.
    """
    asked = [
        str(name)
        for name in parcels.columns
        if str(name).startswith("evaluation_") and str(name).endswith("_state")
    ]
    excused = {name: is_among(parcels[name], ["not_required"]) for name in asked}
    excused = {name: mask for name, mask in excused.items() if mask.any()}
    if not excused:
        return findings
    owners = ByParcel(findings["parcel_id"], parcels.index)
    rows = [np.empty(0, dtype=np.int64)]
    for name, mask in excused.items():
        stem = name.removesuffix("_state")
        about = np.flatnonzero(is_among(findings["indicator"], [f"{stem}_share", f"{stem}_until"]))
        # Of no parcel is -1, which is none of those excused.
        rows.append(about[np.append(mask, False)[owners.places(about)]])
    here = np.concatenate(rows)
    if not len(here):
        return findings
    findings = findings.copy(deep=False)
    told: dict[str, Any] = {"status": "exempt", "reason": "not_required", "margin": np.nan}
    for name, value in told.items():
        column = findings[name].copy()
        column.iloc[here] = value
        findings[name] = column
    return findings


def apply_overrides(
    findings: pd.DataFrame, overrides: pd.DataFrame, as_of: date
) -> tuple[pd.DataFrame, list[Issue]]:
    """
    Lay the decisions of persons over the findings: each is a finding of its own, and the one it overrides stays.

    Parameters
    ----------
    findings : DataFrame
        One row per parcel and rule; not changed.
    overrides : DataFrame
        ``parcel_id, rule_id, person, grounds, document, on, until``; one counts from ``on`` to ``until``, both included.
        Of two in force for one finding the later counts.
    as_of : date
        The day.

    Returns
    -------
    DataFrame
        The findings in their order, with ``overridden_by`` filled where a decision is in force; then one finding per
        decision: ``rule_id`` is ``override.<rule_id>``, ``status`` ``exempt`` (it neither passes nor fails: the rule is not
        held against the parcel), ``since`` the day of the decision, ``reference`` document, person, grounds and expiry.
    list of Issue
        Decisions that lack person, grounds, document, day or expiry, or name what is not there: they do not count. And
        those expired.

    Examples
    --------
    >>> found = pd.DataFrame({"parcel_id": ["A"], "rule_id": ["far.min"], "status": ["fail"], "overridden_by": [None]})
    >>> decided = pd.DataFrame({"parcel_id": ["A"], "rule_id": ["far.min"], "person": ["甲"], "grounds": ["旧厂改造"],
    ...     "document": ["示函1号"], "on": pd.to_datetime(["2026-01-05"]), "until": pd.to_datetime(["2026-12-31"])})
    >>> apply_overrides(found, decided, date(2026, 11, 20))[0][["rule_id", "status", "overridden_by"]]
               rule_id  status     overridden_by
    0          far.min    fail  override.far.min
    1  override.far.min  exempt               NaN
    """
    if "overridden_by" not in findings.columns:
        findings = findings.assign(overridden_by=pd.Series(np.nan, index=findings.index, dtype="str"))
    if overrides.empty:
        return findings, []
    rows, issues = _counting(overrides, pd.Timestamp(as_of))
    if rows.empty:
        return findings, issues
    here = np.flatnonzero(findings["parcel_id"].isin(rows["parcel_id"]).to_numpy(dtype=bool))
    keys = findings.iloc[here][["parcel_id", "rule_id"]].assign(_place=here)
    matched = rows.merge(keys, on=["parcel_id", "rule_id"], how="left").sort_values("_place", kind="stable")
    nowhere = matched["_place"].isna().to_numpy(dtype=bool)
    known = set(keys["parcel_id"])
    issues += [
        Issue("LEDGER.OVERRIDE_UNMATCHED", parcel_id=pid if pid in known else "", value=f"{pid} {rule}")
        for pid, rule in zip(matched["parcel_id"][nowhere], matched["rule_id"][nowhere], strict=True)
    ]
    matched = matched[~nowhere]
    if matched.empty:
        return findings, issues
    places = matched["_place"].to_numpy(dtype=np.int64)
    own = findings.iloc[places].astype(dict.fromkeys(_texts(findings), "str"))
    named = [f"{OVERRIDE}{rule_id}" for rule_id in own["rule_id"]]
    told: dict[str, Any] = {
        "rule_id": named,
        "status": "exempt",
        "reason": "overridden",
        "margin": np.nan,
        "mark": "user",
    }
    told |= {"since": matched["on"].to_numpy(dtype="datetime64[s]"), "reference": _told(matched)}
    own = own.assign(
        **{name: value for name, value in told.items() if name in own.columns}, overridden_by=np.nan
    )
    numbers = np.full(len(findings), -1, dtype=np.int32)
    numbers[places] = np.arange(len(places))
    words: Any = words_of(named, numbers)
    shared = _texts(findings)
    if shared:
        own = own.assign(**{name: as_words(own[name].astype("str")) for name in shared})
        return join_rows([findings.assign(overridden_by=words), own]), issues
    marked = findings.assign(overridden_by=pd.Series(words, index=findings.index).astype("str"))
    return pd.concat([marked, own.astype(marked.dtypes.to_dict())], ignore_index=True), issues


def _texts(findings: pd.DataFrame) -> list[str]:
    """Columns whose texts are held once each."""
    return [str(n) for n in findings.columns if isinstance(findings[n].dtype, pd.CategoricalDtype)]


def _counting(overrides: pd.DataFrame, day: pd.Timestamp) -> tuple[pd.DataFrame, list[Issue]]:
    """Keep what says all it must and is in force, one per finding; tell of the rest."""
    issues: list[Issue] = []
    blank = pd.DataFrame(
        {
            name: overrides[name].isna() | (overrides[name].astype("str").str.strip() == "")
            for name in ("parcel_id", "rule_id", *_MUST_SAY)
        }
    )
    for place in np.flatnonzero(blank.to_numpy(dtype=bool).any(axis=1)):
        row = overrides.iloc[place]
        lacking = [_MUST_SAY.get(name, name) for name in blank.columns if blank[name].iloc[place]]
        named = " ".join(str(row[name]) for name in ("parcel_id", "rule_id") if not blank[name].iloc[place])
        issues.append(
            Issue("LEDGER.OVERRIDE_INCOMPLETE", value=f"{named}（缺：{'、'.join(lacking)}）".strip())
        )
    whole = overrides[~blank.to_numpy(dtype=bool).any(axis=1)]
    begun = whole[(whole["on"] <= day).to_numpy(dtype=bool)]
    over = (begun["until"] < day).to_numpy(dtype=bool)
    issues += [
        Issue("LEDGER.OVERRIDE_EXPIRED", value=f"{pid} {rule}，{until:%Y-%m-%d}")
        for pid, rule, until in zip(
            begun["parcel_id"][over], begun["rule_id"][over], begun["until"][over], strict=True
        )
    ]
    lasting: Any = begun[~over]
    current: pd.DataFrame = lasting.sort_values("on", kind="stable")
    return current.drop_duplicates(["parcel_id", "rule_id"], keep="last"), issues


def _told(rows: pd.DataFrame) -> list[str]:
    return [
        f"{document}；{person}：{grounds}；{on:%Y-%m-%d} — {until:%Y-%m-%d}"
        for document, person, grounds, on, until in zip(
            *(rows[name] for name in ("document", "person", "grounds", "on", "until")), strict=True
        )
    ]
