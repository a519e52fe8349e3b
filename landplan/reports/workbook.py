"""The workbook of an assessment: what stands on each sheet, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.reports.book import publish_report
from landplan.reports.ledgers import list_sheets
from landplan.reports.page import Cell, Field, Page, fields_of
from landplan.schema import column, dictionary
from landplan.supply import balance_supply, count_by_zone, list_supply
from landplan.tables import Assessment
from landplan.units import convert
from landplan.verdict import rank_reasons

if TYPE_CHECKING:
    from landplan.project import Project

__all__ = ["write_workbook"]

_FIRST = (
    "parcel_id", "parcel_name", "zone_name", "verdict", "supply_class", "stock_kind", "tier", "ready_on",
    "is_ready_tentative", "supply_reason_zh", "fail_count", "open_count", "task_count", "area_m2", "area_registered_m2",
    "approval_axis", "servicing_axis", "sale_axis", "occupation_axis", "clear_land", "clear_land_missing",
    "servicing_level", "ready_days", "ready_cost_cny",
)  # fmt: skip
_UNLISTED = ("zone_code", "supply_class", "supply_reason_en")
_ISSUES = (
    "code", "severity", "is_blocking", "parcel_id", "message_zh", "field", "issue_value", "issue_limit",
    "suggestion", "mend_zh", "party",
    "source", "layer", "row", "cell",
)  # fmt: skip
_STATUS = {"fail": 0, "unknown": 1, "refer": 2, "exempt": 3, "pass": 4}
_SEVERITY = {"error": 0, "warning": 1, "info": 2}
_VERDICTS = ("ready", "pending", "not_ready")
_AREA = "#,##0.00"
_AREA_NOTE = (
    "亩数由平方米换算（1 亩 = 2000/3 平方米），显示到 0.01；"
    "合计由平方米相加后换算，可能与各行显示值之和差 0.01。"
)


def write_workbook(assessment: Assessment, path: Path, project: Project | None = None) -> Path:
    """
    Write an assessment as an Excel workbook for planners.

    Parameters
    ----------
    assessment : Assessment
        What was judged; areas in m2, shown in 亩.
    path : Path
        Name of the file, ending in ``.xlsx``; a former one is replaced in one step.
    project : Project or None
        What it asks of batches and of the reserve, and where its own declarations of registers stand.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    StoreError
        If the place cannot be written, or the file is open in Excel or WPS; the old one stays.

    Notes
    -----
    Sheets: 汇总, 存量可出让, 增量可报批; where there is something to say 供应结构, 储备库, 报批批次, 用地清单, 要素台账,
    厂房楼宇, 前期经费; 地块, 判定依据, 问题清单; one for each other register with rows; 规则集, 对照. No cell holds a
    formula.
    """

    def of(fill: Callable[[Page, Assessment], None]) -> Callable[[Page], None]:
        return lambda page: fill(page, assessment)

    lists, registers = list_sheets(assessment, project)
    sheets: dict[str, Callable[[Page], None]] = {}
    for name, fill in _SHEETS.items():
        if name == "地块":
            sheets |= lists
        if name == "规则集":
            sheets |= {f"{title} 2" if title in _SHEETS else title: made for title, made in registers.items()}
        sheets[name] = of(fill)
    sheets["对照"] = lambda page: _dictionary(page, assessment, lists)
    return publish_report(path, sheets, assessment, "评定结果")


def _mu(area_m2: float) -> float:
    return convert(float(area_m2), "m2", "亩")


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a table keyed by parcel_id as a plain one with the key in front."""
    plain = pd.DataFrame(frame.drop(columns="geometry", errors="ignore"))
    keys = pd.Series(frame.index.astype("str"), name="parcel_id").reset_index(drop=True)
    return pd.concat([keys, plain.drop(columns="parcel_id", errors="ignore").reset_index(drop=True)], axis=1)


def _list(
    page: Page, title: str, notes: list[str], fields: list[Field], assessment: Assessment, **how: Any
) -> None:
    page.fit(fields)
    span = min(len(fields), 10)
    page.title(title, notes, span=span, is_sample=assessment.provenance.is_sample)
    left_over = page.table(fields, **how)
    if left_over:
        page.write(page.row, 0, f"另有 {left_over} 行超出工作表上限，见同名 GeoPackage。", bold=True)
        page.row += 1


def _summary(page: Page, assessment: Assessment) -> None:
    told = assessment.provenance
    for place, width in enumerate([34, *[13] * 8, 40]):
        page.widths[place] = width
        page.sheet.set_column(place, place, width)
    page.sheet.fit_to_pages(1, 0)
    counts = told.counts
    facts = [
        f"评定日：{told.as_of.isoformat()}    地块：读入 {counts.get('in', len(assessment.parcels))}，"
        f"评定 {counts.get('out', len(assessment.parcels))}，剔除 {counts.get('dropped', 0)}（见“问题清单”）",
        "landplan "
        + "，".join([told.version, *(f"{name} {version}" for name, version in told.libraries.items())]),
        _AREA_NOTE,
    ]
    page.title(f"{told.project} 地块评定结果", facts, span=10, is_sample=told.is_sample)
    _section(page, "一、按开发区")
    zones = count_by_zone(assessment)
    named = [
        "合计" if code == "total" else str(name or code) if code else "开发区外或未识别"
        for code, name in zip(zones["zone_code"], zones["zone_name"], strict=True)
    ]
    fields = [Field("开发区", [*named])]
    for state in (*_VERDICTS, "total"):
        word = "合计" if state == "total" else column("verdict").word(state)
        fields.append(Field(f"{word}（宗）", zones[f"{state}_parcels"].tolist(), "0"))
        fields.append(Field(f"{word}（亩）", [_mu(area) for area in zones[f"{state}_area_m2"]], _AREA))
    _with_total(page, fields)
    _section(page, "二、按供应类别")
    balance = balance_supply(assessment)
    words: list[Cell] = [
        column("supply_class").word(str(code)) if code != "total" else "合计" for code in balance.index
    ]
    fields = [
        Field("供应类别", words),
        Field("宗数（宗）", balance["parcels"].tolist(), "0"),
        Field("面积（亩）", [_mu(area) for area in balance["area_m2"]], _AREA),
        Field("其中无面积（宗）", balance["unmeasured"].tolist(), "0"),
    ]
    _with_total(page, fields)
    _section(page, "三、最常见的十个原因（一宗地可有多个原因，不可相加）")
    reasons = rank_reasons(assessment).head(10)
    fields = [
        Field("原因", reasons["label"].tolist()),
        Field("宗数（宗）", reasons["parcels"].tolist(), "0"),
        Field("面积（亩）", [_mu(area) for area in reasons["area_m2"]], _AREA),
        Field("规则或问题代码", reasons["rule_id"].tolist()),
    ]
    page.table(fields, is_list=False, spans=(3, 1, 1, 3), empty="（没有未通过的项）")
    page.row += 1
    _section(page, "四、规则集（全文见“规则集”）")
    fields = [
        Field("名称", [book.title for book in told.books]),
        Field("编号", [book.name for book in told.books]),
        Field("核对日", [book.checked_on for book in told.books]),
        Field("SHA-256", [book.sha256 for book in told.books]),
    ]
    page.table(fields, is_list=False, spans=(2, 2, 1, 5))
    page.row += 1
    _section(page, "五、输入文件")
    inputs = told.sources
    areas: list[Cell] = [None if source.area_m2 is None else _mu(source.area_m2) for source in inputs]
    fields = [
        Field("文件", [source.path for source in inputs]),
        Field("用途", [source.role for source in inputs]),
        Field("读入（行）", [source.rows_in for source in inputs], "0"),
        Field("导入（行）", [source.rows_imported for source in inputs], "0"),
        Field("剔除（行）", [source.rows_rejected for source in inputs], "0"),
        Field("面积（亩）", areas, _AREA),
        Field("坐标系", [source.crs for source in inputs]),
        Field("编码", [source.encoding for source in inputs]),
        Field("SHA-256", [source.sha256 for source in inputs]),
    ]
    page.table(fields, is_list=False, spans=(1, 1, 1, 1, 1, 1, 1, 1, 2))


def _section(page: Page, text: str) -> None:
    page.write(page.row, 0, text, bold=True, font_size=11)
    page.sheet.set_row(page.row, 20)
    page.row += 1


def _with_total(page: Page, fields: list[Field]) -> None:
    total = [item.values.pop() for item in fields]
    page.table(fields, is_list=False, total=total)
    page.row += 1


def _supply(kind: str, title: str, note: str) -> Callable[[Page, Assessment], None]:
    def fill(page: Page, assessment: Assessment) -> None:
        listed = _plain(list_supply(assessment, kind))
        names = [name for name in listed.columns if name not in _UNLISTED]
        fields = fields_of(listed, names, assessment.provenance.titles)
        headers = {
            column(name).header(): float(listed[name].sum())
            for name in ("area_m2", "area_registered_m2")
            if name in listed
        }
        total: list[Cell] = [_mu(headers[item.header]) if item.header in headers else None for item in fields]
        total[:2] = ["合计", f"{len(listed)} 宗"]
        _list(
            page, title, [note, _AREA_NOTE], fields, assessment, total=total, empty="（没有符合条件的地块）"
        )

    return fill


def _parcels(page: Page, assessment: Assessment) -> None:
    frame = _plain(assessment.parcels)
    known = [name for name in frame.columns if not name.endswith("_en")]
    filled = [name for name in known if name in _FIRST or frame[name].notna().any()]
    titles = assessment.provenance.titles
    order = [*(name for name in _FIRST if name in filled), *(name for name in filled if name not in _FIRST)]
    notes = [_AREA_NOTE]
    empty = [column(name).label("zh", titles) for name in known if name not in filled]
    if empty:
        notes.append(f"整列没有数据、未列出的字段：{'、'.join(empty)}。")
    _list(page, "全部地块", notes, fields_of(frame, order, titles), assessment)


def _findings(page: Page, assessment: Assessment) -> None:
    titles = assessment.provenance.titles
    rank = assessment.findings["status"].map(_STATUS).fillna(9)
    advisory = assessment.findings["force"] != "mandatory"
    overridden = assessment.findings["overridden_by"].notna()
    settled = (rank >= _STATUS["exempt"]) | overridden
    order = pd.DataFrame({"passed": settled, "advisory": advisory, "rank": rank})
    findings = assessment.findings.loc[order.sort_values(["passed", "advisory", "rank"], kind="stable").index]
    rows = findings.to_dict("records")
    before = fields_of(findings, ["parcel_id", "status"], titles)
    rule = Field("核验内容", [column(str(row["indicator"])).label("zh", titles) for row in rows])
    digits = [_digits(row) for row in rows]
    measured = Field("实测值", [_measured(row) for row in rows], digits)
    required = Field("要求", [_required(row) for row in rows], digits)
    margin = Field(column("margin").label("zh"), fields_of(findings, ["margin"], titles)[0].values, digits)
    reason, compared, *after = fields_of(
        findings,
        ["reason", "test", "unit", "force", "since", "reference", "rule_id", "rulebook", "mark", "basis"],
        titles,
    )
    fields = [*before, rule, reason, measured, compared, required, margin, *after]
    if overridden.any():
        fields += fields_of(findings, ["overridden_by"], titles)
    notes = [
        "先列未通过（不达标、无法核验、一事一议），后列通过、不适用和被人工决定取代的。",
        "实测值、要求、余量同用“单位”一列的单位；余量为负即不达标。",
    ]
    _list(page, "判定依据", notes, fields, assessment)


def _digits(row: dict[Any, Any]) -> str:
    """As many decimals as keep a failing number from printing equal to its limit."""
    measured, required = float(row["measured"]), float(row["required"])
    digits = 2
    while digits < 9 and measured != required and f"{measured:.{digits}f}" == f"{required:.{digits}f}":
        digits += 1
    return f"#,##0.{'0' * digits}"


def _measured(row: dict[Any, Any]) -> Cell:
    if isinstance(row["measured_text"], str) and row["measured_text"]:
        return column(str(row["indicator"])).word(row["measured_text"])
    return None if pd.isna(row["measured"]) else float(row["measured"])


def _required(row: dict[Any, Any]) -> Cell:
    if isinstance(row["required_text"], str) and row["required_text"]:
        declared = column(str(row["indicator"]))
        return "、".join(declared.word(code) for code in row["required_text"].split("、"))
    if pd.isna(row["required"]):
        return None
    if not pd.isna(row["required_max"]):
        return f"{row['required']:.10g} 至 {row['required_max']:.10g}"
    return float(row["required"])


def _issues(page: Page, assessment: Assessment) -> None:
    issues = assessment.issues
    order = pd.DataFrame(
        {
            "open": ~issues["is_blocking"].fillna(False).astype("bool"),
            "rank": issues["severity"].map(_SEVERITY).fillna(9),
        }
    )
    issues = issues.loc[order.sort_values(["open", "rank"], kind="stable").index]
    notes = ["影响结论的在前；“影响结论”为“是”的问题未处理之前，该地块不会是“具备出让条件”。"]
    _list(
        page,
        "问题清单",
        notes,
        fields_of(issues, _ISSUES, assessment.provenance.titles),
        assessment,
        empty="（没有发现问题）",
    )


def _rulebooks(page: Page, assessment: Assessment) -> None:
    lines = [
        (book.name, number, text)
        for book in assessment.provenance.books
        for number, text in enumerate(book.text.splitlines(), start=1)
    ]
    fields = [
        Field("规则集", [name for name, _, _ in lines]),
        Field("行", [number for _, number, _ in lines]),
        Field("原文", [text for _, _, text in lines]),
    ]
    notes = [
        f"{book.name}  {book.title}  核对日 {book.checked_on}  SHA-256 {book.sha256}"
        for book in assessment.provenance.books
    ]
    page.fit(fields)
    page.widths[2] = 130
    page.sheet.set_column(2, 2, 130)
    page.title("规则集（判定时所用的全文）", notes, span=3, is_sample=assessment.provenance.is_sample)
    page.table(fields)


_TABLES = {
    "储备库": ["reserve"],
    "报批批次": ["board"],
    "用地清单": ["tasks"],
    "要素台账": ["headroom"],
    "厂房楼宇": ["buildings", "buildings_list"],
    "前期经费": ["funds"],
}
"""Tables of the dictionary by the sheet they stand on."""


def _dictionary(page: Page, assessment: Assessment, lists: Iterable[str]) -> None:
    titles = assessment.provenance.titles
    used: dict[str, str] = {"parcel_id": "地块"}
    used |= {str(name): "地块" for name in assessment.parcels.columns if name != "geometry"}
    shown = {"findings": "判定依据", "issues": "问题清单"}
    shown |= {table: title for title, tables in _TABLES.items() if title in lists for table in tables}
    shown |= {name: "登记簿" for name, frame in assessment.registers.items() if len(frame)}
    for name in dictionary():
        for table, title in shown.items():
            if table in dictionary()[name].tables:
                used.setdefault(name, title)
    declared = [column(name) for name in used]
    audiences = {"public": "可公开", "planner": "仅内部"}
    fields = [
        Field("中文名", [item.label("zh", titles) for item in declared]),
        Field("英文名", [item.label("en", titles) for item in declared]),
        Field("表", list(used.values())),
        Field("显示单位", [item.shown_in if item.shown_in != "1" else None for item in declared]),
        Field("GeoPackage 字段", [item.name.replace(".", "_") for item in declared]),
        Field("GeoPackage 单位", [item.unit if item.unit != "1" else None for item in declared]),
        Field("公开范围", [audiences.get(item.audience, item.audience) for item in declared]),
        Field("含义", [item.meaning for item in declared]),
    ]
    _list(
        page,
        "字段对照",
        ["本工作簿各表的字段、单位与含义；GeoPackage 结果用英文名与标准单位。"],
        fields,
        assessment,
    )


_SHEETS: dict[str, Callable[[Page, Assessment], None]] = {
    "汇总": _summary,
    "存量可出让": _supply("stock", "存量可出让清单", "农转用已批、未出让、具备出让条件的地块。"),
    "增量可报批": _supply("incremental", "增量可报批清单", "农转用未批、未出让、不涉及管控图层的地块。"),
    "地块": _parcels,
    "判定依据": _findings,
    "问题清单": _issues,
    "规则集": _rulebooks,
}
