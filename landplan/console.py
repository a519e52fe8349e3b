"""Tables and sentences for the terminal; every character of ours exists in cp936."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from landplan.errors import LandplanError
from landplan.issues import clean_text
from landplan.schema import column, display
from landplan.supply import balance_supply, count_by_zone, list_supply
from landplan.units import convert
from landplan.verdict import rank_reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landplan.read import Inspection
    from landplan.tables import Assessment
    from landplan.verdict import Reason

__all__ = [
    "check_summary",
    "print_check",
    "print_fault",
    "print_frame",
    "print_inspections",
    "print_list",
    "print_reasons",
]

_STATES = ("ready", "pending", "not_ready")


def _console(file: IO[str] | None = None) -> Console:
    stream = file or sys.stdout
    # A pipe has no width: lines must not be cut there, and a name must not be read as markup.
    width = None if stream.isatty() else 200
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, legacy_windows=False)


def _mu(area_m2: float) -> str:
    return f"{convert(area_m2, 'm2', '亩'):,.2f}"


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for at, head in enumerate(heads):
        table.add_column(Text(clean_text(head)), justify="right" if at in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean_text(cell)) for cell in row))
    _console().print(table)


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
        "issues": {s: int((issues["severity"] == s).sum()) for s in ("error", "warning", "info")},
    }  # fmt: skip


def print_check(assessment: Assessment) -> None:
    """
    Print what a check found: by zone, by reason, and what rests on what.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    """
    summary = check_summary(assessment)
    out = _console()
    books = "、".join(f"{b['name']}（核对于 {b['checked_on']}）" for b in summary["rulebooks"])
    out.print(f"{clean_text(summary['project'])}　评定日 {summary['as_of']}　规则集 {clean_text(books)}")
    counts = summary["counts"]
    out.print(f"地块 读入 {counts['in']} 条，评定 {counts['out']} 宗，剔除 {counts['dropped']} 条；"
              f"数据问题 错误 {summary['issues']['error']}、警告 {summary['issues']['warning']}、提示 {summary['issues']['info']}")
    out.print()
    heads = ["开发区"] + [f"{column('verdict').word(s)}（{u}）" for s in _STATES for u in ("宗", "亩")] + ["合计（宗）", "合计（亩）"]
    rows = []
    for zone in summary["zones"]:
        # Where zones have no code their name stands in for it, and is not said twice.
        named = " ".join(dict.fromkeys(filter(None, (zone["zone_code"], zone["zone_name"]))))
        name = {"total": "合计", "": "开发区外或未识别"}.get(zone["zone_code"], named)
        cells = [name]
        for state in (*_STATES, "total"):
            cells += [str(zone[f"{state}_parcels"]), _mu(zone[f"{state}_area_m2"])]
        rows.append(cells)
    _print_table(heads, rows, right=range(1, 9))
    out.print()
    if summary["reasons"]:
        out.print("最常见的十项原因")
        _print_table(
            ["原因", "宗", "亩"],
            [[r["label"], str(r["parcels"]), _mu(r["area_m2"])] for r in summary["reasons"]],
            right=(1, 2),
        )
        out.print()
    out.print("供应类别")
    _print_table(
        ["类别", "宗", "亩", "无面积（宗）"],
        [
            ["合计" if s["supply_class"] == "total" else column("supply_class").word(s["supply_class"]), str(s["parcels"]),
             _mu(s["area_m2"]), str(s["unmeasured"])]
            for s in summary["supply"]
        ],
        right=(1, 2, 3),
    )  # fmt: skip


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
    out = _console()
    verdict = column("verdict").word(str(row["verdict"]), lang)
    area = row["area_m2"]
    day = assessment.provenance.as_of.isoformat()
    name = row.get("parcel_name", "")
    named = f" {name}" if isinstance(name, str) else ""
    if lang == "zh":
        size = "面积未知" if area != area else f"{_mu(area)} 亩（{area:,.2f} ㎡）"  # noqa: PLR0124 - NaN
        head = f"{parcel_id}{named}　{verdict}　{size}　评定日 {day}"
        groups = (("决定结论的", True), ("其余", False))
    else:
        size = "area unknown" if area != area else f"{_mu(area)} mu ({area:,.2f} m2)"  # noqa: PLR0124 - NaN
        head = f"{parcel_id}{named}  {verdict}  {size}  as of {day}"
        groups = (("deciding", True), ("others", False))
    out.print(clean_text(head))
    supply = row.get(f"supply_reason_{lang}", "")
    out.print(clean_text(f"{column('supply_class').word(str(row['supply_class']), lang)}: {supply}"))
    for title, decisive in groups:
        chosen = [reason for reason in reasons if reason.is_decisive is decisive]
        if chosen:
            out.print()
            out.print(f"{title} ({len(chosen)})")
        for reason in chosen:
            out.print(clean_text(f"  {reason.text}  [{reason.rule_id}]"))


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
    shown = [n for n in ("parcel_name", "zone_name", "area_m2", "industry_name", "supply_reason_zh") if n in listed.columns]
    frame = display(listed[shown])
    out = _console()
    out.print(f"{column('supply_class').word(kind)}清单　评定日 {assessment.provenance.as_of.isoformat()}")
    print_frame(frame.reset_index(names=column("parcel_id").label()))
    balance = balance_supply(assessment)
    out.print(f"合计 {len(listed)} 宗，{_mu(float(listed['area_m2'].sum()))} 亩")
    rows = balance.reset_index().to_dict("records")
    parts = [f"{row['parcels']} 宗 {_mu(row['area_m2'])} 亩" for row in rows]
    names = [column("supply_class").word(row["supply_class"]) for row in rows[:-1]]
    closed = "，".join(f"{name} {part}" for name, part in zip(names, parts, strict=False))
    out.print(f"平衡：{closed}；全部 {parts[-1]}")


def print_frame(frame: Any) -> None:
    """
    Print a table laid out for people.

    Parameters
    ----------
    frame : DataFrame
        Headers and cells as they are to be read; missing cells stay blank.
    """
    right = [at for at, name in enumerate(frame.columns) if frame[name].dtype.kind in "fi"]

    def cell(value: Any) -> str:
        if value is None or value != value:  # noqa: PLR0124 - NaN
            return ""
        return f"{value:,.2f}" if isinstance(value, float) else str(value)

    rows = [[cell(value) for value in row] for row in frame.itertuples(index=False)]
    _print_table([str(name) for name in frame.columns], rows, right)


def print_fault(error: LandplanError) -> None:
    """
    Print an error to stderr: what, where, how to mend.

    Parameters
    ----------
    error : LandplanError
        All of its faults are printed.
    """
    out = _console(sys.stderr)
    for line in str(error).splitlines():
        out.print(clean_text(line), soft_wrap=True)


_OUTCOMES = {"accepted": "可用", "flagged": "可用，有问题", "rejected": "不可用"}
_HOW = {"declared": "文件声明", "option": "命令指定", "profile": "映射文件", "content": "按内容判断"}


def print_inspections(inspections: Sequence[Inspection]) -> None:
    """
    Print what was found in files: what they hold, how CRS and encoding were decided, columns, every fault.

    Parameters
    ----------
    inspections : sequence of Inspection
        As ``read.inspect_files`` gives.
    """
    out = _console()
    for found in inspections:
        source = found.source
        out.print(clean_text(f"文件    {found.path}    {_OUTCOMES[found.outcome]}"), soft_wrap=True)
        out.print(f"记录    容器 {source.rows_in}，采用 {source.rows_imported}，剔除 {source.rows_rejected}")
        if found.layers:
            out.print(clean_text(f"图层    {'、'.join(found.layers)}"), soft_wrap=True)
        if source.crs:
            area = "" if source.area_m2 is None else f"    面积 {source.area_m2:,.2f} ㎡（{_mu(source.area_m2)} 亩）"
            out.print(clean_text(f"坐标系  {source.crs}（{_HOW.get(source.crs_how, source.crs_how)}）{area}"))
        if source.encoding:
            out.print(clean_text(f"编码    {source.encoding}（{_HOW.get(source.encoding_how, source.encoding_how)}）"))
        if found.raster is not None:
            shown = "，".join(f"{name} {value}" for name, value in found.raster.items() if value is not None)
            out.print(clean_text(f"栅格    {shown}"), soft_wrap=True)
        if found.recognised:
            pairs = "，".join(f"{header}->{name}" for header, name in found.recognised.items())
            out.print(clean_text(f"字段    {pairs}"), soft_wrap=True)
        for label, headers in (("未识别", found.unknown), ("缺单位", found.unitless)):
            if headers:
                out.print(clean_text(f"{label}  {'、'.join(headers)}"), soft_wrap=True)
        if found.issues:
            _print_table(
                ["级别", "代码", "行", "单元格", "地块", "说明", "处理办法"],
                [
                    [column("severity").word(row["severity"]), row["code"], "" if row["row"] is None else str(row["row"]),
                     row["cell"], row["parcel_id"], row["message_zh"], row["mend_zh"]]
                    for row in (issue.as_row() for issue in found.issues)
                ],
                right=(2,),
            )  # fmt: skip
        else:
            out.print("问题    无")
        out.print()
