"""The two lists of a year (存量可出让, 增量可报批): numbered, hashed, compared with the last, cut for a department."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import Fault, UsageError
from landplan.schema import column
from landplan.supply.books import book_areas
from landplan.supply.lists import list_supply
from landplan.units import RESOLUTION

if TYPE_CHECKING:
    from pandas import DataFrame

    from landplan.tables import Assessment

__all__ = ["LETTERS", "AnnualList", "annual_list", "diff_lists", "extract_list", "hash_rows", "restore_list"]

LETTERS = {"stock": "存", "incremental": "增", "reserve": "储", "books": "账"}
"""What stands between year and number on each list."""

_AXES = ("approval_axis", "servicing_axis", "sale_axis", "occupation_axis", "stock_kind")
_WORDING = ("list_number", "supply_reason_zh", "supply_reason_en")


@dataclass(frozen=True)
class AnnualList:
    """
    A list as it was frozen.

    Parameters
    ----------
    kind : str
        ``stock``, ``incremental``, ``reserve``, or ``books``: every parcel with its kind of stock and its area.
    year : int
        The year it is for.
    as_of : date
        The day it was judged for.
    project : str
        Name of the project.
    rows : DataFrame, indexed by parcel_id
        ``list_number``, the facts of each parcel and why it is on the list; ordered by zone, then number.
    sha256 : str
        Hash of the rows.
    """

    kind: str
    year: int
    as_of: date
    project: str
    rows: DataFrame
    sha256: str

    @property
    def area_m2(self) -> float:
        """Sum of the plane areas; NaN where one is not known."""
        return float(self.rows["area_m2"].sum(skipna=False))


def hash_rows(rows: DataFrame) -> str:
    """
    Hash what rows say, whatever order their columns stand in and however they are stored.

    Parameters
    ----------
    rows : DataFrame
        The order of rows counts, that of columns does not.

    Returns
    -------
    str
        SHA-256, in hexadecimal digits, of one line of JSON per row: keys sorted, days as ISO text, missing as null.
    """
    table = rows.reset_index()
    columns = {str(name): [_plain(value) for value in table[name].tolist()] for name in sorted(table.columns)}
    digest = hashlib.sha256()
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        digest.update(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, (float, np.floating)):
        return float(value)
    return value


def annual_list(assessment: Assessment, kind: str, year: int) -> AnnualList:
    """
    Make the list of a year out of a judgement.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    kind : {"stock", "incremental", "reserve", "books"}
        Which list; ``books`` has every parcel, so that the next year's balance can open with what this one closed with.
    year : int
        The year it is for.

    Returns
    -------
    AnnualList
        Numbered in the order of zones and numbers: the same judgement gives the same numbers and the same hash.

    Raises
    ------
    UsageError
        If there is no such list.
    """
    if kind not in LETTERS:
        raise UsageError(
            Fault(
                en=f"there is no list {kind!r}.",
                zh=f"没有“{kind}”清单。",
                mend_en=f"use one of: {', '.join(LETTERS)}",
                mend_zh=f"可用：{'、'.join(LETTERS)}",
            )
        )
    rows = list_supply(assessment, kind)
    more = [name for name in _AXES if name in assessment.parcels.columns and name not in rows.columns]
    rows = rows.join(pd.DataFrame(assessment.parcels[more]))
    rows["mu_hundredths"] = book_areas(rows["area_m2"])
    width = max(3, len(str(len(rows))))
    numbers = [f"{year}-{LETTERS[kind]}-{n:0{width}d}" for n in range(1, len(rows) + 1)]
    rows.insert(0, "list_number", pd.Series(numbers, index=rows.index, dtype="str"))
    told = assessment.provenance
    return AnnualList(kind, year, told.as_of, told.project, rows, hash_rows(rows))


def restore_list(rows: DataFrame, meta: Mapping[str, Any]) -> AnnualList:
    """
    Take a frozen list out of its drawer again.

    Parameters
    ----------
    rows : DataFrame, indexed by parcel_id
        As it was frozen.
    meta : mapping
        ``kind, year, as_of, project``.

    Returns
    -------
    AnnualList
        With the hash of the rows as they are now.
    """
    as_of = meta["as_of"]
    day = as_of if isinstance(as_of, date) else date.fromisoformat(str(as_of))
    return AnnualList(
        str(meta["kind"]), int(meta["year"]), day, str(meta.get("project", "")), rows, hash_rows(rows)
    )


def diff_lists(
    before: AnnualList,
    after: AnnualList,
    *,
    events: DataFrame | None = None,
    parcels: DataFrame | None = None,
    findings: tuple[DataFrame, DataFrame] | None = None,
    titles: Mapping[str, str] | None = None,
) -> DataFrame:
    """
    Tell what came on a list, what went off it, what changed on it, and why.

    Parameters
    ----------
    before, after : AnnualList
        The two lists, the earlier first.
    events : DataFrame or None
        The events table; those after the day of ``before`` up to that of ``after`` are reasons.
    parcels : DataFrame or None, indexed by parcel_id
        The parcels as judged for ``after``, for those no longer on the list.
    findings : tuple of DataFrame or None
        Findings of both judgements: rules whose outcome changed are reasons.
    titles : mapping of str to str or None
        Titles of layers and items.

    Returns
    -------
    DataFrame
        ``parcel_id, change`` (``in, out, changed``), ``number_before, number_after, field`` (the column that changed),
        ``was, now, area_m2, why_zh, why_en``: one row per parcel that came or went, one per column that changed; in the order
        of the numbers. Wording and numbers of the list are no changes.
    """
    named = dict(titles or {})
    old, new = before.rows, after.rows
    rows: list[dict[str, Any]] = []

    def row(pid: str, change: str, **more: Any) -> None:
        at = new if pid in new.index else old
        rows.append(
            {
                "parcel_id": pid,
                "change": change,
                "number_before": old.at[pid, "list_number"] if pid in old.index else "",
                "number_after": new.at[pid, "list_number"] if pid in new.index else "",
                "field": "",
                "was": "",
                "now": "",
                "area_m2": at.at[pid, "area_m2"],
                **more,
            }
        )

    for pid in new.index.difference(old.index, sort=False):
        row(pid, "in")
    for pid in old.index.difference(new.index, sort=False):
        row(pid, "out")
    both = new.index.intersection(old.index, sort=False)
    shared = [name for name in new.columns if name in old.columns and name not in _WORDING]
    for name in shared:
        was, now = old.loc[both, name], new.loc[both, name]
        for pid in both[_differ(was, now, name)]:
            row(
                pid, "changed", field=column(name).label("zh", named), was=_say(was[pid], name), now=_say(now[pid], name)
            )  # fmt: skip
    names = ["parcel_id", "change", "number_before", "number_after", "field", "was", "now", "area_m2"]
    table = pd.DataFrame(rows, columns=names)
    reasons = _Reasons(before, after, events, parcels, findings, named, set(table["parcel_id"]))
    for lang in ("zh", "en"):
        said = [
            reasons.of(str(pid), str(change), lang)
            for pid, change in zip(table["parcel_id"], table["change"], strict=True)
        ]
        table[f"why_{lang}"] = pd.Series(said, index=table.index, dtype="str")
    rank = table["change"].map({"in": 0, "out": 1, "changed": 2})
    number = table["number_after"].where(table["number_after"] != "", table["number_before"])
    order = table.assign(_rank=rank, _number=number).sort_values(["_rank", "_number"], kind="stable")
    return table.loc[order.index].reset_index(drop=True)


def _differ(was: pd.Series[Any], now: pd.Series[Any], name: str) -> Any:
    declared = column(name)
    missing = (was.isna() != now.isna()).to_numpy(dtype=bool)
    both = (was.notna() & now.notna()).to_numpy(dtype=bool)
    if declared.dtype == "float64":
        least = RESOLUTION.get(declared.kind, 0.0)
        gap = np.abs(was.to_numpy(dtype="float64") - now.to_numpy(dtype="float64"))
        with np.errstate(invalid="ignore"):
            return missing | (both & (gap > np.maximum(least, 1e-9)))
    return missing | (both & (was.astype("str") != now.astype("str")).to_numpy(dtype=bool))


def _say(value: Any, name: str) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    declared = column(name)
    if declared.kind == "category":
        return declared.word(str(plain))
    return f"{plain:.10g}" if isinstance(plain, float) else str(plain)


class _Reasons:
    """Why a parcel came, went or changed: what happened since, what is judged otherwise, else what stands in the lists."""

    def __init__(
        self,
        before: AnnualList,
        after: AnnualList,
        events: DataFrame | None,
        parcels: DataFrame | None,
        findings: tuple[DataFrame, DataFrame] | None,
        titles: Mapping[str, str],
        wanted: set[str],
    ) -> None:
        self.before, self.after, self.parcels, self.titles = before, after, parcels, titles
        self.events: dict[str, list[dict[str, Any]]] = {}
        if events is not None:
            since, until = pd.Timestamp(before.as_of), pd.Timestamp(after.as_of)
            between = (events["on"] > since) & (events["on"] <= until) & events["parcel_id"].isin(wanted)
            chosen = events[between.to_numpy(dtype=bool)].sort_values("on", kind="stable")
            for event in chosen.to_dict("records"):
                self.events.setdefault(str(event["parcel_id"]), []).append(
                    {str(k): v for k, v in event.items()}
                )
        self.judged: dict[str, list[tuple[str, str, str]]] = {}
        if findings is not None:
            keys = ["parcel_id", "rule_id"]
            one, other = (
                part[part["parcel_id"].isin(wanted).to_numpy(dtype=bool)].drop_duplicates(keys, keep="last")
                for part in findings
            )
            joined = one.merge(other, on=keys, suffixes=("_was", "_now"))
            moved = joined[(joined["status_was"] != joined["status_now"]).to_numpy(dtype=bool)]
            for found in moved.to_dict("records"):
                self.judged.setdefault(str(found["parcel_id"]), []).append(
                    (str(found["indicator_now"]), str(found["status_was"]), str(found["status_now"]))
                )

    def of(self, pid: str, change: str, lang: str) -> str:
        parts = [self._event(event, lang) for event in self.events.get(pid, [])]
        words = column("status")
        for indicator, was, now in self.judged.get(pid, []):
            label = column(indicator).label(lang, self.titles if lang == "zh" else None)
            parts.append(f"{label} {words.word(was, lang)} → {words.word(now, lang)}")
        if not parts and change != "changed":
            parts = [self._reason(pid, change, lang)]
        return ("；" if lang == "zh" else "; ").join(part for part in parts if part)

    def _event(self, event: Mapping[str, Any], lang: str) -> str:
        item = str(event["item"])
        title = self.titles.get(item, item) if lang == "zh" else item
        state = _plain(event["state"])
        said = [event["on"].strftime("%Y-%m-%d"), title]
        said += [column("state").word(str(state), lang)] if state is not None else []
        document = _plain(event.get("document"))
        return " ".join([*said, *([str(document)] if document else [])])

    def _reason(self, pid: str, change: str, lang: str) -> str:
        name = f"supply_reason_{lang}"
        rows = self.after.rows if change == "in" else self.parcels
        if rows is None or name not in rows.columns:
            return ""
        if pid not in rows.index:
            return "地块不再存在" if lang == "zh" else "the parcel is no longer there"
        reason = _plain(rows.at[pid, name])
        return "" if reason is None else str(reason)


def extract_list(rows: DataFrame, party: str, *tables: DataFrame) -> DataFrame:
    """
    Cut the rows that concern one person or department out of a list.

    Parameters
    ----------
    rows : DataFrame, indexed by parcel_id
        A list.
    party : str
        Name, or a part of it.
    *tables : DataFrame
        Tables with ``parcel_id`` and ``party``: what is still to be done, what has been.

    Returns
    -------
    DataFrame
        The rows of parcels that one of the tables names the party for, in the same order.
    """
    named: set[str] = set()
    for table in tables:
        if "party" in table.columns and "parcel_id" in table.columns:
            met = table["party"].astype("object").fillna("").astype("str").str.contains(party, regex=False)
            named |= set(table["parcel_id"][met.to_numpy(dtype=bool)].dropna().astype("str"))
    return rows[rows.index.astype("str").isin(named)]
