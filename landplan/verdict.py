"""
From findings and issues to a verdict, and from a verdict to sentences.

Only mandatory findings and blocking issues decide: any ``fail`` gives ``not_ready``; else any ``unknown`` or ``refer`` gives
``pending``; else ``ready``. A finding that a person overrode stays and is told, but no longer decides. Findings hold numbers
and codes; the sentences are made here, at the door.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.issues import codes
from landplan.schema import column
from landplan.schema.words import ByParcel, codes_of, is_among, used_words

if TYPE_CHECKING:
    from pandas import DataFrame

    from landplan.tables import Assessment

__all__ = [
    "STOPPING",
    "Reason",
    "Stops",
    "decide",
    "find_stops",
    "is_counting",
    "is_open",
    "open_findings",
    "open_kinds",
    "rank_reasons",
    "say_requirement",
    "wanted_layers",
    "why",
    "why_all",
]

STOPPING = pd.Index(["fail", "unknown", "refer"], dtype="str")
"""States of a finding that keep a parcel from being ready, the worst first."""

_WORDS = {
    "zh": {
        "pass": "达标", "fail": "不达标", "unknown": "无法核验", "refer": "一事一议", "exempt": "不适用",
        "at_least": "不低于", "at_most": "不高于", "one_of": "应为", "none_of": "不得为", "covered": "不低于",
    },
    "en": {
        "pass": "pass", "fail": "fail", "unknown": "unknown", "refer": "for a person to decide", "exempt": "exempt",
        "at_least": "at least", "at_most": "at most", "one_of": "one of", "none_of": "none of", "covered": "at least",
    },
}  # fmt: skip
_GAPS = {
    "zh": {
        "missing": "没有数据",
        "silent": "规则集在该日尚无规定",
        "not_supplied": "规则集没有提供控制值",
        "no_key": "规则表中没有对应的类别",
        "repealed": "该规定已废止，未见替代",
        "expected": "新规定已公布，尚未生效",
        "not_required": "本区不要求",
    },
    "en": {
        "missing": "no data",
        "silent": "the rulebook is silent on the day",
        "not_supplied": "no table supplied",
        "no_key": "the table has no row for it",
        "repealed": "repealed without a successor",
        "expected": "announced, not yet in force",
        "not_required": "not asked for in this zone",
    },
}
# What stands in the place of a value is left out where parcels are counted: each has another.
_VALUE = re.compile(r"\s*[：:]?\s*\{value\}\s*")
_OVERRIDDEN = {
    "zh": ("人工决定不计", "已由人工决定不计"),
    "en": ("set aside by a person", "set aside by a person's decision"),
}
_YEAR_ONLY = re.compile(r"只核对到 \d{4} 年")
_ORDER = {"fail": 0, "unknown": 1, "refer": 2, "issue": 3, "pass": 4, "exempt": 5}


@dataclass(frozen=True)
class Reason:
    """
    One reason of a verdict, in words.

    Parameters
    ----------
    status : str
        ``pass, fail, unknown, refer, exempt``, or ``issue`` for a fault of the data.
    rule_id : str
        The rule, or the code of the issue.
    force : str
        ``mandatory`` or ``advisory``.
    text : str
        The sentence.
    is_overridden : bool, default False
        Whether a person's decision took its force away.
    """

    status: str
    rule_id: str
    force: str
    text: str
    is_overridden: bool = False

    @property
    def is_decisive(self) -> bool:
        """Whether it keeps the parcel from being ready."""
        opens = self.status in ("fail", "unknown", "refer", "issue")
        return self.force == "mandatory" and opens and not self.is_overridden


def is_counting(findings: DataFrame) -> Any:
    """
    Tell which findings decide: mandatory ones that nobody overrode.

    Parameters
    ----------
    findings : DataFrame, r rows
        One row per parcel and rule, and per override.

    Returns
    -------
    ndarray of bool, r
        Whatever they find.
    """
    counts = is_among(findings["force"], ["mandatory"])
    if "overridden_by" in findings.columns:
        counts = counts & findings["overridden_by"].isna().to_numpy(dtype=bool)
    return counts


def is_open(findings: DataFrame) -> Any:
    """
    Tell which findings keep parcels from being ready.

    Parameters
    ----------
    findings : DataFrame, r rows
        One row per parcel and rule, and per override.

    Returns
    -------
    ndarray of bool, r
        True for mandatory ones that fail, are unknown or are referred to a person, and that nobody overrode.
    """
    return is_counting(findings) & is_among(findings["status"], STOPPING)


def open_findings(findings: DataFrame) -> DataFrame:
    """
    Pick the findings that keep parcels from being ready.

    Parameters
    ----------
    findings : DataFrame
        One row per parcel and rule, and per override.

    Returns
    -------
    DataFrame
        Mandatory ones that fail, are unknown or are referred to a person, and that nobody overrode; in their order.
    """
    chosen: DataFrame = findings[is_open(findings)]
    return chosen


def open_kinds(findings: DataFrame) -> DataFrame:
    """
    Pick the findings that keep parcels from being ready, without their figures: a tenth of the memory.

    Parameters
    ----------
    findings : DataFrame
        One row per parcel and rule, and per override.

    Returns
    -------
    DataFrame
        ``parcel_id, rule_id, indicator, status`` of those ``open_findings`` gives.
    """
    kinds: DataFrame = findings[["parcel_id", "rule_id", "indicator", "status"]][is_open(findings)]
    return kinds


@dataclass(frozen=True)
class Stops:
    """
    Findings that keep parcels from being ready, as numbers; those of no parcel of the index are left out.

    Parameters
    ----------
    place : ndarray of int64, k
        Where the parcel of each stands.
    rule, indicator : ndarray of int, k
        Places in ``rules`` and ``indicators``.
    status : ndarray of int8, k
        Places in ``STOPPING``.
    rules, indicators : Index of str
        Words, some of which may not be used.
    """

    place: Any
    rule: Any
    indicator: Any
    status: Any
    rules: pd.Index[Any]
    indicators: pd.Index[Any]


def find_stops(findings: DataFrame, index: pd.Index[Any]) -> Stops:
    """
    Pick the findings that keep parcels from being ready, as numbers.

    Parameters
    ----------
    findings : DataFrame
        One row per parcel and rule, and per override.
    index : Index, n
        Numbers of the parcels.

    Returns
    -------
    Stops
        Those ``open_findings`` gives, in their order.
    """
    chosen = np.flatnonzero(is_open(findings))
    place = ByParcel(findings["parcel_id"], index).places(chosen)
    chosen, place = chosen[place >= 0], place[place >= 0]
    (rule, rules), (indicator, indicators), (status, words) = (
        codes_of(findings[name]) for name in ("rule_id", "indicator", "status")
    )
    rank = STOPPING.get_indexer(words).astype(np.int8)
    return Stops(place, rule[chosen], indicator[chosen], rank[status[chosen]], rules, indicators)


def decide(parcels: DataFrame, findings: DataFrame, issues: DataFrame) -> DataFrame:
    """
    Judge each parcel from its findings and the blocking issues of its data.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        Only the index is read.
    findings : DataFrame
        One row per parcel and rule, and per override; what was overridden does not count.
    issues : DataFrame
        Those with ``is_blocking`` and a ``parcel_id`` count.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``verdict`` (``ready``, ``pending``, ``not_ready``), ``fail_count`` and ``open_count``. A parcel no mandatory
        rule speaks of is pending: silence is not a pass.

    Examples
    --------
    >>> one = pd.DataFrame(index=pd.Index(["A"], name="parcel_id"))
    >>> found = pd.DataFrame({"parcel_id": ["A"], "force": ["mandatory"], "status": ["fail"]})
    >>> none = pd.DataFrame({"parcel_id": [], "is_blocking": []})
    >>> decide(one, found, none).verdict["A"]
    'not_ready'
    """
    rows = ByParcel(findings["parcel_id"], parcels.index)
    counting = is_counting(findings)
    failing = is_among(findings["status"], ["fail"])
    failed = rows.count(counting & failing)
    # A status nobody knows must not pass for a pass.
    undecided = rows.count(counting & ~failing & ~is_among(findings["status"], ["pass", "exempt"]))
    blocking = issues["parcel_id"][issues["is_blocking"].fillna(False).to_numpy(dtype=bool)]
    undecided += ByParcel(blocking, parcels.index).count(np.ones(len(blocking), dtype=bool))
    is_pending = (undecided > 0) | ~rows.has(counting)
    verdict = np.where(failed > 0, 0, np.where(is_pending, 1, 2))
    return pd.DataFrame(
        {
            "verdict": pd.array(["not_ready", "pending", "ready"], dtype="str").take(verdict),
            "fail_count": pd.array(failed, dtype="Int64"),
            "open_count": pd.array(undecided, dtype="Int64"),
        },
        index=parcels.index,
    )


def _number(value: float, other: float = np.nan, decimals: int = 2) -> str:
    """Print a number so that it never looks equal to another that it is not."""
    for digits in range(decimals, 10):
        text, rival = f"{value:.{digits}f}", f"{other:.{digits}f}"
        if text != rival or value == other or np.isnan(other):
            break
    return text.rstrip("0").rstrip(".") if "." in text else text


def _requirement(row: Mapping[str, Any], lang: str, unit: str) -> str:
    words, test = _WORDS[lang], str(row["test"])
    limit, measured = float(row["required"]), float(row["measured"])
    if test in ("one_of", "none_of"):
        declared = column(str(row["indicator"]))
        listed = [declared.word(code, lang) for code in str(row["required_text"]).split("、")]
        return f"{words[test]}{'、'.join(listed)}" if lang == "zh" else f"{words[test]} {', '.join(listed)}"
    if test == "between":
        upper = _number(float(row["required_max"]))
        return (
            f"介于 {_number(limit)} 与 {upper}{unit} 之间"
            if lang == "zh"
            else f"between {_number(limit)} and {upper}{unit}"
        )
    shown = _number(limit, measured)
    return f"{words[test]} {shown}{unit}"


def _measured(row: Mapping[str, Any], lang: str, unit: str) -> str:
    if isinstance(row["measured_text"], str) and row["measured_text"]:
        return column(str(row["indicator"])).word(row["measured_text"], lang)
    # 13.7 decimals of a percentage would be noise, but a failing number must differ from its limit.
    return f"{_number(float(row['measured']), float(row['required']))}{unit}"


def _citation(row: Mapping[str, Any], lang: str) -> str:
    reference = row["reference"] if isinstance(row["reference"], str) else ""
    since = "" if pd.isna(row["since"]) else pd.Timestamp(row["since"]).strftime("%Y-%m-%d")
    # A text known only by the year of its number has no day that could be printed as certain.
    if since and _YEAR_ONLY.search(reference):
        since = since[:4] + ("年" if lang == "zh" else "")
    if lang == "zh":
        return (
            (f"依据：{reference}" if reference else "")
            + (f"，自 {since} 起".replace("年 起", " 年起") if since else "")
            + ("。" if reference or since else "")
        )
    return (
        (f"Reference: {reference}" if reference else "")
        + (f", since {since}" if since else "")
        + ("." if reference or since else "")
    )


def say_requirement(row: Mapping[str, Any], lang: str = "zh") -> tuple[str, str, str]:
    """
    Say what a rule asks of a parcel, in its own unit.

    Parameters
    ----------
    row : mapping
        A finding.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    tuple of str
        The limit (why there is none, where there is none), the text cited, and the day since which it holds (a year where
        only that is known).
    """
    has_unit = isinstance(row["unit"], str) and row["unit"] not in ("", "1")
    unit = (str(row["unit"]) if row["unit"] == "%" else f" {row['unit']}") if has_unit else ""
    knows_limit = not np.isnan(float(row["required"])) or (
        isinstance(row["required_text"], str) and row["required_text"]
    )
    if knows_limit:
        limit = _requirement(row, lang, unit)
    elif row["status"] == "refer":
        limit = _WORDS[lang]["refer"]
    else:
        limit = _GAPS[lang].get(str(row["reason"]), _WORDS[lang]["unknown"])
    reference = row["reference"] if isinstance(row["reference"], str) else ""
    since = "" if pd.isna(row["since"]) else pd.Timestamp(row["since"]).strftime("%Y-%m-%d")
    # The first of January stands for a year of which no day is known, and the text says so.
    return limit, reference, since[:4] if _YEAR_ONLY.search(reference) else since


def _sentence(row: Mapping[str, Any], lang: str, titles: Mapping[str, str], expired: str) -> str:
    words, status = _WORDS[lang], str(row["status"])
    label = column(str(row["indicator"])).label(lang, titles)
    has_unit = isinstance(row["unit"], str) and row["unit"] not in ("", "1")
    unit = (str(row["unit"]) if row["unit"] == "%" else f" {row['unit']}") if has_unit else ""
    zh = lang == "zh"
    stop, comma, opening, closing = ("。", "，", "（", "）") if zh else (". ", ", ", " (", ")")
    head = f"{words[status]}{'：' if zh else ': '}"
    advisory = ("［推荐性］" if zh else "[advisory] ") if row["force"] == "advisory" else ""
    knows_limit = not np.isnan(float(row["required"])) or (
        isinstance(row["required_text"], str) and row["required_text"]
    )
    asked = "required " if not zh else "" if row["test"] in ("one_of", "none_of") else "要求"
    required = f"{comma}{asked}{_requirement(row, lang, unit)}" if knows_limit else ""
    if status in ("pass", "fail"):
        margin = float(row["margin"])
        gap = ""
        if np.isfinite(margin) and abs(margin) > 0:
            word = ("余 " if margin > 0 else "差 ") if zh else ("margin " if margin > 0 else "short by ")
            gap = f"{opening}{word}{_number(abs(margin), 0.0)}{closing}"
        body = f"{label} {_measured(row, lang, unit)}{required}{gap}{expired}"
    elif status == "refer":
        body = f"{label}{'由有权机关个案决定' if zh else ' is decided case by case'}"
    elif status == "exempt" and row["reason"] == "overridden":
        head = f"{_OVERRIDDEN[lang][0]}{'：' if zh else ': '}"
        body = label
    elif status == "exempt":
        gap = _GAPS[lang].get(str(row["reason"]), "")
        body = f"{label}{opening}{gap}{closing}" if gap else label
    else:
        why_not = _GAPS[lang].get(str(row["reason"]), str(row["reason"]))
        body = f"{label}{'：' if zh else ': '}{why_not}{required}"
    if _is_overridden(row):
        body += f"{opening}{_OVERRIDDEN[lang][1]}{closing}"
    return f"{advisory}{head}{body}{stop}{_citation(row, lang)}".strip()


def _is_overridden(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("overridden_by"), str)


def _expiry(parcels: DataFrame, row: Mapping[str, Any], as_of: pd.Timestamp, lang: str) -> str:
    """Say that an evaluation has run out, where that is why the parcel is not covered."""
    stem = column(str(row["indicator"])).stem
    name = f"evaluation_{stem}_until"
    if row["test"] != "covered" or row["status"] != "fail" or name not in parcels.columns:
        return ""
    until: Any = parcels.at[row["parcel_id"], name]
    if pd.isna(until) or until >= as_of:
        return ""
    day = until.strftime("%Y-%m-%d")
    return f"，已于 {day} 到期" if lang == "zh" else f", expired on {day}"


def why_all(
    assessment: Assessment, lang: str = "zh", parcel_ids: Iterable[str] | None = None
) -> dict[str, list[Reason]]:
    """
    Say why, for many parcels at once.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    lang : {"zh", "en"}
        Language of the sentences.
    parcel_ids : iterable of str or None
        Which parcels; all where None.

    Returns
    -------
    dict of str to list of Reason
        What decides comes first (fail, unknown, refer, faults of the data), then what passed, advice last.
    """
    parcels = assessment.parcels
    wanted = set(parcels.index.astype("str") if parcel_ids is None else parcel_ids)
    titles = assessment.provenance.titles
    as_of = pd.Timestamp(assessment.provenance.as_of)
    reasons: dict[str, list[Reason]] = {str(pid): [] for pid in parcels.index if str(pid) in wanted}
    findings = assessment.findings
    rows: Any = findings[findings["parcel_id"].isin(wanted).to_numpy(dtype=bool)].to_dict("records")
    for row in rows:
        expired = _expiry(parcels, row, as_of, lang)
        text = _sentence(row, lang, titles, expired)
        reasons[row["parcel_id"]].append(
            Reason(row["status"], row["rule_id"], row["force"], text, _is_overridden(row))
        )
    issues = assessment.issues
    for row in issues[issues["parcel_id"].isin(wanted).to_numpy(dtype=bool)].to_dict("records"):
        force = "mandatory" if row["is_blocking"] is True else "advisory"
        said = {name: value if isinstance(value, str) else "" for name, value in row.items()}
        cell = f"!{said['cell']}" if said["cell"] else ""
        place = f"（{said['source']}{cell}）" if said["source"] else ""
        field = f"{said['field']}{'：' if lang == 'zh' else ': '}" if said["field"] else ""
        text = (
            f"数据问题：{field}{said['message_zh']}{place}。{said['mend_zh']}"
            if lang == "zh"
            else f"Data: {field}{said['message_en']}{place}. {said['mend_en']}"
        )
        reasons[row["parcel_id"]].append(
            Reason("issue", row["code"], force, text.strip("。 ") + ("。" if lang == "zh" else "."))
        )
    for listed in reasons.values():
        # What was overridden stands with the decision that did it.
        listed.sort(key=lambda r: (r.force != "mandatory", 5 if r.is_overridden else _ORDER.get(r.status, 9)))
    return reasons


def why(assessment: Assessment, parcel_id: str, lang: str = "zh") -> list[Reason]:
    """
    Say why a parcel is ready, pending or not ready: every reason, with value, limit, margin, clause and day.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    parcel_id : str
        The parcel.
    lang : {"zh", "en"}
        Language of the sentences.

    Returns
    -------
    list of Reason
        What decides comes first.

    Raises
    ------
    KeyError
        If there is no such parcel.
    """
    if parcel_id not in assessment.parcels.index:
        raise KeyError(parcel_id)
    return why_all(assessment, lang, [parcel_id])[parcel_id]


def _headline(kind: Mapping[str, str], lang: str, titles: Mapping[str, str]) -> str:
    """Name a reason without the numbers of one parcel; a failed word says what it had to be: 出让 alone says nothing."""
    colon, comma = ("：", "，") if lang == "zh" else (": ", ", ")
    text = f"{_WORDS[lang][kind['status']]}{colon}{column(kind['indicator']).label(lang, titles)}"
    if kind["status"] == "fail" and kind["test"] in ("one_of", "none_of"):
        text += comma + _requirement({**kind, "required": np.nan, "measured": np.nan}, lang, "")
    return text


def rank_reasons(assessment: Assessment, lang: str = "zh") -> DataFrame:
    """
    Count what keeps parcels from being ready, the most common first.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    lang : {"zh", "en"}
        Language of the labels.

    Returns
    -------
    DataFrame
        ``rule_id``, ``status``, ``label``, ``parcels`` (宗) and ``area_m2``; one parcel counts once per rule and status.
    """
    titles = assessment.provenance.titles
    parcels, findings, issues = assessment.parcels, assessment.findings, assessment.issues
    chosen = np.flatnonzero(is_open(findings))
    blocking = np.flatnonzero(issues["is_blocking"].fillna(False).to_numpy(dtype=bool))
    blocking = blocking[ByParcel(issues["parcel_id"], parcels.index).places(blocking) >= 0]
    reasons: list[tuple[str, str, str]] = []
    counted = []
    for table, rows, by in ((findings, chosen, ["rule_id", "status"]), (issues, blocking, ["code"])):
        kind = _number_kinds([table[name] for name in by], rows)
        whose = codes_of(table["parcel_id"])[0][rows].astype(np.int64)
        once = ~pd.Series(whose * (kind.max(initial=0) + 1) + kind).duplicated().to_numpy(dtype=bool)
        place = ByParcel(table["parcel_id"], parcels.index).places(rows[once])
        area = np.append(parcels["area_m2"].to_numpy(dtype=np.float64), np.nan)[place]
        counted.append(pd.DataFrame({"kind": kind[once] + len(reasons), "area_m2": area}))
        # Few kinds of reason among many: each is worded once, by the first.
        first = table.iloc[rows[~pd.Series(kind).duplicated().to_numpy(dtype=bool)]]
        said: Any = first.astype("object").where(first.notna(), "").to_dict("records")
        reasons += [_reason(row, lang, titles) for row in said]
    sums = pd.concat(counted).groupby("kind")["area_m2"].agg(parcels="size", area_m2="sum")
    told = pd.DataFrame(reasons, columns=["rule_id", "status", "label"], dtype="str")
    return (
        told.join(sums)
        .sort_values(["parcels", "rule_id"], ascending=[False, True], kind="stable")
        .reset_index(drop=True)
    )


def _number_kinds(columns: Iterable[pd.Series[Any]], rows: Any) -> Any:
    """Number what rows say in some columns together, in the order in which it is first said."""
    kind: Any = np.zeros(len(rows), dtype=np.int64)
    for values in columns:
        codes, words = codes_of(values)
        kind = kind * (len(words) + 1) + codes[rows]
    return pd.factorize(kind)[0]


def _reason(row: Mapping[str, Any], lang: str, titles: Mapping[str, str]) -> tuple[str, str, str]:
    """Rule, status and headline of a finding, or of a fault of the data."""
    if "code" not in row:
        return row["rule_id"], row["status"], _headline(row, lang, titles)
    head = _VALUE.sub("", getattr(codes()[row["code"]], f"message_{lang}"))
    return row["code"], "issue", ("数据问题：" if lang == "zh" else "data: ") + head


def wanted_layers(findings: DataFrame, names: Iterable[str]) -> set[str]:
    """
    Tell within which layers a parcel should lie, as the rules that were applied say; to overlap these is no fault.

    Parameters
    ----------
    findings : DataFrame
        One row per parcel and rule.
    names : iterable of str
        Names of layers.

    Returns
    -------
    set of str
        Those of the names that some rule asks to be covered by.
    """
    if not {"indicator", "test"} <= set(findings.columns):
        return set()
    covered = used_words(findings["indicator"][is_among(findings["test"], ["covered"])])
    return {name for name in names if f"{name}_overlap_share" in covered}
