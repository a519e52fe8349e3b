"""A judgement on the terminal: the check summed up, what is wrong with the data, reasons, lists, rulebooks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.console.lines import open_console, print_frame, print_points, print_table, say
from landplan.schema import column, display
from landplan.supply import balance_supply, count_by_zone, list_supply
from landplan.supply.books import book_areas
from landplan.units import convert
from landplan.verdict import rank_reasons

if TYPE_CHECKING:
    from landplan.tables import Assessment
    from landplan.verdict import Reason

__all__ = ["check_summary", "print_check", "print_issues", "print_list", "print_reasons", "print_rules"]

_STATES = ("ready", "pending", "not_ready")
_STATES_TOLD = ("stock_kind", "approval_axis", "servicing_axis", "sale_axis", "occupation_axis", "tier")
_MOST_ISSUES = 40


def _mu(area_m2: float) -> str:
    return f"{convert(area_m2, 'm2', '亩'):,.2f}"


def check_summary(assessment: Assessment, lang: str = "zh") -> dict[str, Any]:
    """
    Sum a check up as data: counts by zone, the most common reasons, the balance of supply.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    lang : {"zh", "en"}
        Language of the labels.

    Returns
    -------
    dict
        Fit for JSON; areas in m2.
    """
    origin = assessment.provenance
    issues = assessment.issues
    return {
        "schema_version": "1",
        "as_of": origin.as_of.isoformat(),
        "project": origin.project,
        "is_sample": origin.is_sample,
        "landplan": origin.version,
        "rulebooks": [{"name": b.name, "title": b.title, "sha256": b.sha256, "checked_on": b.checked_on} for b in origin.books],
        "sources": [
            {
                "role": s.role, "path": s.path, "sha256": s.sha256, "rows_in": s.rows_in, "rows_imported": s.rows_imported,
                "rows_rejected": s.rows_rejected, "crs": s.crs, "encoding": s.encoding,
            }
            for s in origin.sources
        ],
        "counts": origin.counts,
        "zones": count_by_zone(assessment).to_dict("records"),
        "reasons": rank_reasons(assessment, lang).head(10).to_dict("records"),
        "supply": balance_supply(assessment).reset_index().to_dict("records"),
        "stock_kinds": _count_classes(assessment, "stock_kind", lang),
        "tiers": _count_classes(assessment, "tier", lang),
        "issues": {s: int((issues["severity"] == s).sum()) for s in ("error", "warning", "info")},
    }  # fmt: skip


def _count_classes(assessment: Assessment, name: str, lang: str) -> list[dict[str, Any]]:
    """Parcels and land by class, in the order of the dictionary; whoever has none is ``unknown``; nothing without the column."""
    parcels = assessment.parcels
    if name not in parcels:
        return []
    declared = column(name)
    found = parcels[name].fillna("unknown").to_numpy(dtype=object)
    area = parcels["area_m2"].fillna(0.0).to_numpy(dtype="float64")
    hundredths = book_areas(parcels["area_m2"]).fillna(0).to_numpy(dtype="int64")
    codes = [*declared.values, *(["unknown"] if "unknown" not in declared.values else [])]
    return [
        {
            "code": code, "label": declared.word(code, lang), "parcels": int((found == code).sum()),
            "area_m2": float(area[found == code].sum()), "mu_hundredths": int(hundredths[found == code].sum()),
        }
        for code in codes
        if (found == code).any()
    ]  # fmt: skip


def print_check(assessment: Assessment) -> None:
    """
    Print what a check found: by zone, by reason, and what rests on what.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    """
    summary = check_summary(assessment)
    out = open_console()
    books = "、".join(f"{b['name']}（核对于 {b['checked_on']}）" for b in summary["rulebooks"])
    counts, faults = summary["counts"], summary["issues"]
    say(out, f"{summary['project']}　评定日 {summary['as_of']}")
    say(out, f"规则集　　{books}")
    out.print(f"地块　　　读入 {counts['in']} 条，评定 {counts['out']} 宗，剔除 {counts['dropped']} 条")
    out.print(f"数据问题　错误 {faults['error']}，警告 {faults['warning']}，提示 {faults['info']}")
    out.print()
    states = [*(column("verdict").word(state) for state in _STATES), "合计"]
    heads = ["开发区", *(head for state in states for head in (f"{state}\n宗", "\n亩"))]
    rows = []
    for zone in summary["zones"]:
        # Where zones have no code their name stands in for it, and is not said twice.
        named = " ".join(dict.fromkeys(filter(None, (zone["zone_code"], zone["zone_name"]))))
        name = {"total": "合计", "": "开发区外或未识别"}.get(zone["zone_code"], named)
        cells = [name]
        for state in (*_STATES, "total"):
            cells += [str(zone[f"{state}_parcels"]), _mu(zone[f"{state}_area_m2"])]
        rows.append(cells)
    print_table(heads, rows, right=range(1, 9))
    out.print()
    if summary["reasons"]:
        out.print("最常见的十项原因")
        print_table(
            ["原因", "宗", "亩"],
            [[r["label"], str(r["parcels"]), _mu(r["area_m2"])] for r in summary["reasons"]],
            right=(1, 2),
        )
        out.print()
    _print_balance(summary["supply"])
    for title, name in (("存量类型", "stock_kinds"), ("成熟度", "tiers")):
        if summary[name]:
            out.print()
            rows = [
                [row["label"], str(row["parcels"]), f"{row['mu_hundredths'] / 100:,.2f}"]
                for row in summary[name]
            ]
            print_table([title, "宗", "亩（逐宗计账）"], rows, right=(1, 2))


def _print_silence(assessment: Assessment) -> None:
    """Say which rules the rulebook does not have on the day."""
    findings = assessment.findings
    silent = sorted(set(findings["rule_id"][(findings["reason"] == "silent").to_numpy(dtype=bool)]))
    if not silent:
        return
    out, day = open_console(sys.stderr), assessment.provenance.as_of.isoformat()
    books = "、".join(book.name for book in assessment.provenance.books)
    every = findings["rule_id"].nunique()
    for line in (
        f"注意　评定日 {day} 规则集 {books} 对 {len(silent)} 条规则（共 {every} 条）尚无规定：{'、'.join(silent)}",
        "    相应结论为无法核验　用 --as-of 换较晚的评定日，或补充当日有效的规则",
        f"    on {day} the rulebook is silent on {len(silent)} of {every} rules; judge for a later day with --as-of, "
        "or supply the rules then in force",
    ):
        say(out, line)
    out.print()


def print_issues(assessment: Assessment) -> None:
    """
    Print what is wrong with the data to stderr, like faults together: what, where, how to mend.

    Parameters
    ----------
    assessment : Assessment
        What was judged. Notes are left to the workbook, and so is whatever goes beyond the first forty; rules the
        rulebook does not have on the day are told.
    """
    _print_silence(assessment)
    issues = assessment.issues
    told = issues[(issues["severity"] != "info").to_numpy(dtype=bool)]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for found in told.to_dict("records"):
        row: dict[str, Any] = {str(name): "" if pd.isna(value) else value for name, value in found.items()}
        groups.setdefault((row["severity"], row["code"], row["source"], row["layer"]), []).append(row)
    if not groups:
        return
    out = open_console(sys.stderr)
    ordered = sorted(groups.items(), key=lambda group: group[0][0] != "error")
    for (severity, code, source, layer), rows in ordered[:_MOST_ISSUES]:
        first = rows[0]
        title = assessment.provenance.layers.get(layer, layer)
        line = f"第 {first['row']} 行" if first["row"] else ""
        at = " ".join(
            filter(None, (source, title, line, first["cell"], first["parcel_id"], _label(first["field"])))
        )
        at = at or assessment.provenance.project
        say(out, f"{column('severity').word(severity)} {code}　{at}{_others(rows)}")
        for text in (
            f"{first['message_zh']}　{first['mend_zh']}",
            f"{first['message_en']}; {first['mend_en']}",
        ):
            say(out, f"    {text.strip('　; ')}")
    if len(ordered) > _MOST_ISSUES:
        left = len(ordered) - _MOST_ISSUES
        out.print(f"另有 {left} 类问题，见工作簿 / {left} more kinds in the workbook")
    out.print()


def _label(field: str) -> str:
    """Headers of the source stay as they are; our own names are for programs."""
    try:
        return column(field).label() if field else ""
    except KeyError:
        return field


def _others(rows: Sequence[dict[str, Any]]) -> str:
    """How many more there are of one kind, and the first of their parcels."""
    if len(rows) == 1:
        return ""
    names = list(dict.fromkeys(row["parcel_id"] or row["issue_value"][:30] for row in rows))
    listed = f"（{'、'.join(names[:8])}{' 等' if len(names) > 8 else ''}）" if len(names) > 1 else ""
    return f"　共 {len(rows)} 处{listed}"


def print_reasons(assessment: Assessment, parcel_id: str, reasons: Sequence[Reason], lang: str) -> None:
    """
    Print why a parcel is judged as it is.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    parcel_id : str
        The parcel.
    reasons : sequence of Reason
        As ``verdict.why`` gives.
    lang : {"zh", "en"}
        Language.
    """
    row = assessment.parcels.loc[parcel_id]
    out = open_console()
    colon = "：" if lang == "zh" else ": "
    verdict = column("verdict").word(str(row["verdict"]), lang)
    area = row["area_m2"]
    day = assessment.provenance.as_of.isoformat()
    name = row.get("parcel_name", "")
    named = f" {name}" if isinstance(name, str) else ""
    if lang == "zh":
        size = "面积未知" if area != area else f"{_mu(area)} 亩（{area:,.2f} ㎡）"  # noqa: PLR0124 - NaN
        head = f"{parcel_id}{named}　{verdict}　{size}　评定日 {day}"
        groups = (("决定结论的理由（{} 条）", True), ("其余（{} 条）", False))
    else:
        size = "area unknown" if area != area else f"{_mu(area)} mu ({area:,.2f} m2)"  # noqa: PLR0124 - NaN
        head = f"{parcel_id}{named}  {verdict}  {size}  as of {day}"
        groups = (("What decides ({})", True), ("The rest ({})", False))
    say(out, head)
    supply = row.get(f"supply_reason_{lang}", "")
    placed = column("supply_class").word(str(row["supply_class"]), lang)
    say(out, f"{placed}{colon}{supply}")
    states = [
        f"{column(name).label(lang)}{colon}{column(name).word(str(row[name]), lang)}"
        for name in _STATES_TOLD
        if isinstance(row.get(name), str) and row[name]
    ]
    if pd.notna(row.get("ready_on")):
        states.append(f"{column('ready_on').label(lang)}{colon}{row['ready_on'].date().isoformat()}")
    if states:
        say(out, ("　" if lang == "zh" else "  ").join(states))
    for title, decisive in groups:
        chosen = [reason for reason in reasons if reason.is_decisive is decisive]
        if chosen:
            out.print()
            out.print(title.format(len(chosen)))
            print_points([f"{reason.text}  [{reason.rule_id}]" for reason in chosen])


def print_list(assessment: Assessment, kind: str) -> None:
    """
    Print a supply list with its totals, and how it closes against the whole.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    kind : {"stock", "incremental"}
        Which list.
    """
    listed = list_supply(assessment, kind)
    shown = [
        n
        for n in ("parcel_name", "zone_name", "area_m2", "industry_name", "supply_reason_zh")
        if n in listed.columns
    ]
    frame = display(listed[shown])
    out = open_console()
    out.print(f"{column('supply_class').word(kind)}清单　评定日 {assessment.provenance.as_of.isoformat()}")
    print_frame(frame.reset_index(names=column("parcel_id").label()))
    out.print(f"合计 {len(listed)} 宗，{_mu(float(listed['area_m2'].sum()))} 亩")
    out.print()
    _print_balance(balance_supply(assessment).reset_index().to_dict("records"))


def _print_balance(rows: Sequence[Any]) -> None:
    """The classes and the whole: every list closes against it."""
    print_table(
        ["供应类别", "宗", "亩", "无面积（宗）"],
        [
            ["合计" if row["supply_class"] == "total" else column("supply_class").word(row["supply_class"]), str(row["parcels"]),
             _mu(row["area_m2"]), str(row["unmeasured"])]
            for row in rows
        ],
        right=(1, 2, 3),
    )  # fmt: skip


def print_rules(shown: Any) -> None:
    """
    Print a rulebook as it stands on a day: one line per rule, the texts they rest on below, each once.

    Parameters
    ----------
    shown : DataFrame
        As ``rules.show_rules`` gives.
    """
    rules = shown.to_dict("records")
    cited = [f"{row['rulebook']}　{row['reference']}" if row["reference"] else "" for row in rules]
    texts = [text for text in dict.fromkeys(cited) if text]
    rows = [
        # A limit that is a word, such as 未提供, has no unit.
        [row["rule_id"], row["label"], row["limit"], row["unit"] if set("≥≤—") & set(row["limit"]) else "", row["force"],
         row["since"], row["mark"], f"[{texts.index(text) + 1}]" if text else ""]
        for row, text in zip(rules, cited, strict=True)
    ]  # fmt: skip
    print_table(
        ["规则", "名称", "要求", "单位", "效力", "自", "把握", "依据"], rows, whole=(0, 3, 4, 5, 6, 7)
    )
    if texts:
        out = open_console()
        out.print()
        for number, text in enumerate(texts, 1):
            say(out, f"[{number}] {text}")
