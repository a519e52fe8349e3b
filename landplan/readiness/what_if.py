"""What if: another rulebook, or another value, held against parcels already measured; and which verdicts change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from landplan.errors import Fault, UnitError, UsageError
from landplan.rules import Rulebook, apply_overrides, evaluate_rules, exempt_evaluations
from landplan.schema import Column, coerce, column, match_header
from landplan.tables import Assessment
from landplan.units import convert, find_unit
from landplan.values import parse_day
from landplan.verdict import decide, open_kinds

__all__ = ["ALL", "Change", "compare_verdicts", "read_changes", "rejudge"]

ALL = "*"
"""Stands for every parcel."""

_CHANGE = re.compile(r"(?P<pid>[^:：]+)[:：](?P<name>[^=＝]+)[=＝](?P<value>.+)", re.DOTALL)
_NUMBER = re.compile(r"\s*(?P<number>[-+]?\d+(?:\.\d+)?)\s*(?P<unit>.*)", re.DOTALL)
_OVERRIDES = "overrides"


@dataclass(frozen=True)
class Change:
    """
    One value to be tried.

    Parameters
    ----------
    parcel_id : str
        The parcel; ``*`` for all.
    name : str
        A column of parcels.
    value : float or str
        In the canonical unit, or the code of a category.
    """

    parcel_id: str
    name: str
    value: Any


def read_changes(texts: Iterable[str], assessment: Assessment) -> list[Change]:
    """
    Read changes as people write them: ``A-2:固定资产投资强度=160 万元/亩``.

    Parameters
    ----------
    texts : iterable of str
        Parcel (or ``*``), a name or label of an indicator or event, a value with its unit or word.
    assessment : Assessment
        What they are tried on.

    Returns
    -------
    list of Change
        In canonical units.

    Raises
    ------
    UsageError
        If one names no parcel, no column that a rule may look at, no unit or a word that is not allowed: every fault at
        once.
    """
    faults: list[Fault] = []
    changes = []
    for text in texts:
        try:
            changes.append(_read(text, assessment))
        except UsageError as error:
            faults += error.faults
    if faults:
        raise UsageError(*faults)
    return changes


def rejudge(assessment: Assessment, rulebook: Rulebook, changes: Sequence[Change] = ()) -> Assessment:
    """
    Judge measured parcels again: by another rulebook, with other values, or both. Nothing is measured anew.

    Parameters
    ----------
    assessment : Assessment
        What was measured, on the day it was measured for; its overrides hold as before.
    rulebook : Rulebook
        What judges.
    changes : sequence of Change
        Values to be tried.

    Returns
    -------
    Assessment
        With new findings and verdicts, and the rulebook in its provenance. Lists, tiers and tasks are those of before: they
        are made by a check.
    """
    parcels = assessment.parcels
    for change in changes:
        parcels = _changed(parcels, change)
    told = assessment.provenance
    findings = evaluate_rules(pd.DataFrame(parcels), rulebook, told.as_of)
    findings = exempt_evaluations(findings, parcels)
    overrides = getattr(assessment, "registers", {}).get(_OVERRIDES)
    if overrides is not None:
        findings, _ = apply_overrides(findings, overrides, told.as_of)
    findings = coerce(findings, "findings")
    verdicts = decide(parcels, findings, assessment.issues)
    return replace(
        assessment,
        parcels=parcels.assign(**{str(name): verdicts[name] for name in verdicts.columns}),
        findings=findings,
        provenance=replace(told, books=rulebook.as_books()),
    )


def compare_verdicts(before: Assessment, after: Assessment) -> pd.DataFrame:
    """
    Tell which parcels are judged otherwise, and by which rules.

    Parameters
    ----------
    before, after : Assessment
        Of the same parcels, or of some of the same.

    Returns
    -------
    DataFrame, one row per parcel whose verdict differs, in the order of ``after``
        ``parcel_id, verdict_before, verdict_after, rules_opened, rules_closed``: rules that keep it from being ready now and
        did not, and those that did and do not now, joined by ``、``. A parcel only one of them knows has no verdict in the
        other.

    Examples
    --------
    A parcel that loses its only failing rule::

        parcel_id verdict_before verdict_after rules_opened        rules_closed
              A-2      not_ready         ready              invest_intensity.min
    """
    old, new = (a.parcels["verdict"].rename(a.parcels.index.name) for a in (before, after))
    keys = [*new.index.astype("str"), *(pid for pid in old.index.astype("str") if pid not in set(new.index))]
    old.index, new.index = old.index.astype("str"), new.index.astype("str")
    table = pd.DataFrame(
        {
            "parcel_id": pd.array(keys, dtype="str"),
            "verdict_before": old.reindex(keys).to_numpy(dtype=object),
            "verdict_after": new.reindex(keys).to_numpy(dtype=object),
        }
    )
    same = (table["verdict_before"].fillna("") == table["verdict_after"].fillna("")).to_numpy(dtype=bool)
    table = table[~same].reset_index(drop=True)
    was, now = (_opened(a, set(table["parcel_id"])) for a in (before, after))
    pairs = [(was.get(pid, []), now.get(pid, [])) for pid in table["parcel_id"]]
    opened = ["、".join(rule for rule in here if rule not in there) for there, here in pairs]
    closed = ["、".join(rule for rule in there if rule not in here) for there, here in pairs]
    return coerce(table.assign(rules_opened=opened, rules_closed=closed), "verdict_changes")


def _opened(assessment: Assessment, wanted: set[str]) -> dict[str, list[str]]:
    rows = open_kinds(assessment.findings)
    rows = rows[rows["parcel_id"].isin(wanted).to_numpy(dtype=bool)]
    found: dict[str, list[str]] = {}
    for pid, rule_id in zip(rows["parcel_id"], rows["rule_id"], strict=True):
        found.setdefault(pid, []).append(rule_id)
    return found


def _changed(parcels: Any, change: Change) -> Any:
    """Give parcels with one value changed."""
    declared = column(change.name)
    if change.name in parcels.columns:
        values = parcels[change.name].copy()
    else:
        dtype: Any = declared.dtype
        values = pd.Series(np.nan, index=parcels.index, dtype="object").astype(dtype)
    here = np.ones(len(parcels), dtype=bool) if change.parcel_id == ALL else parcels.index == change.parcel_id
    values[here] = change.value
    return parcels.assign(**{change.name: values})


def _read(text: str, assessment: Assessment) -> Change:
    match = _CHANGE.fullmatch(text.strip())
    if match is None:
        raise _fault(
            f"{text!r} is no change of a value.",
            f"“{text}”不是合规的写法。",
            "write PARCEL:indicator=value unit, e.g. A-2:固定资产投资强度=160 万元/亩",
            "写成 地块编号:指标=数值 单位，如 A-2:固定资产投资强度=160 万元/亩",
        )
    pid, name, value = (match[part].strip() for part in ("pid", "name", "value"))
    if pid != ALL and pid not in assessment.parcels.index:
        near = get_close_matches(pid, [str(known) for known in assessment.parcels.index], n=5)
        raise _fault(
            f"there is no parcel {pid!r}.",
            f"没有编号为“{pid}”的地块。",
            f"similar numbers: {', '.join(near) or 'none'}; * stands for all",
            f"相近编号：{'、'.join(near) or '无'}；全部地块用 *",
        )
    declared = _find_column(name, assessment)
    return Change(pid, declared.name, _value(value, declared))


def _find_column(name: str, assessment: Assessment) -> Column:
    """Find what a person calls an indicator or an event: a name, a label, a title of the project."""
    titles = assessment.provenance.items
    by_title = {title: code for code, title in titles.items()}
    candidates = [name, f"event_{by_title.get(name, name)}_state"]
    recognised = match_header(name, "parcels")
    if recognised is not None:
        candidates.insert(1, recognised[0])
    for candidate in candidates:
        try:
            declared = column(candidate)
        except KeyError:
            continue
        is_event = declared.stem and candidate.startswith("event_") and declared.stem in titles
        # What landplan concludes itself is not tried out: it follows from what is.
        is_given = bool({"read", "attach", "overlay", "terrain", "crs"} & set(declared.made_by.split()))
        if is_given and "parcels" in declared.tables and (not declared.stem or is_event or candidate == name):
            return declared
    known = sorted(set(assessment.findings["indicator"].dropna()))
    raise _fault(
        f"{name!r} is no column of parcels.",
        f"“{name}”不是地块的指标或事项。",
        f"the rules look at: {', '.join(known)}",
        f"规则所看的：{'、'.join(column(each).label('zh', titles) for each in known)}",
    )


def _value(text: str, declared: Column) -> Any:
    """Read a value in the canonical unit of its column: a quantity needs its unit, a word must be one of its own."""
    if declared.kind == "day":
        day = parse_day(text)
        if day.value is None:
            raise _fault(f"{text!r} is no day.", f"“{text}”不是日期。", "write 2026-11-20", "写成 2026-11-20")
        return pd.Timestamp(day.value)
    if declared.dtype == "str":
        words = {word: code for code, listed in declared.values.items() for word in (code, *listed)}
        if declared.values and text not in words:
            raise _fault(
                f"{text!r} is no value of {declared.name}.",
                f"“{text}”不是“{declared.label()}”的取值。",
                f"use one of: {', '.join(declared.values)}",
                f"可用：{'、'.join(listed[0] for listed in declared.values.values())}",
            )
        return words.get(text, text)
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise _fault(
            f"{text!r} is no number.", f"“{text}”不是数值。", "write digits and a unit", "写数字和单位"
        )
    number, symbol = float(match["number"]), match["unit"].strip()
    if not declared.is_quantity:
        return number
    if not symbol and declared.shown_in not in ("", "1"):
        raise _fault(
            f"{declared.name} needs a unit.",
            f"“{declared.label()}”须写明单位。",
            f"e.g. {number:g} {declared.shown_in}",
            f"如 {number:g} {declared.shown_in}",
        )
    try:
        unit = find_unit(symbol or "1", declared.kind)
    except UnitError as error:
        raise UsageError(*error.faults) from error
    return float(np.float64(convert(number, unit.symbol, declared.unit, declared.kind)))


def _fault(en: str, zh: str, mend_en: str, mend_zh: str) -> UsageError:
    return UsageError(Fault(en=en, zh=zh, mend_en=mend_en, mend_zh=mend_zh))
