"""
The planning conditions of one parcel on a page of A4: what is fixed for it, by which clause, and its areas side by side.

It is handed to a firm before anything is signed: nothing on it comes from a column that is not public.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd

from landplan.errors import Fault, UsageError
from landplan.publish import publish_text
from landplan.reports.book import publish_book
from landplan.reports.page import BORDER, Field, Page
from landplan.schema import Column, column, dictionary, display
from landplan.units import convert
from landplan.verdict import say_requirement

if TYPE_CHECKING:
    from landplan.tables import Assessment

__all__ = ["Conditions", "gather_conditions", "write_conditions"]

_FACTS = (
    "parcel_id", "parcel_name", "location", "township", "zone_name", "land_use", "industry_name", "term_years",
)  # fmt: skip
_BOUNDS = {"min": "不低于", "max": "不高于"}
_NOTES = (
    "“本宗设定”为出让时对本宗地确定的数值，“规则要求”为评定日规则集所载的控制标准；以出让公告和出让合同为准。",
    "计算面积由界址点坐标算得，登记面积来自资料；实测面积由测绘单位在签约前实地丈量后填写，三者不符的，签约前核清。",
)


@dataclass(frozen=True)
class Conditions:
    """
    What the sheet says, in words.

    Parameters
    ----------
    heading, source : str
        Title, and the line that says what it rests on.
    facts : list of (str, str)
        What the parcel is: label and value.
    areas : list of (str, str, str)
        Areas: what it is, m2, 亩; blank for the one to be measured.
    indicators : list of tuple of str
        Indicator, set for the parcel, asked for by the rule, since, clause.
    evaluations : list of tuple of str
        Evaluation, state, valid until.
    notes : tuple of str
        What the reader should know.
    is_sample : bool
        Whether the data are made up.
    """

    heading: str
    source: str
    facts: list[tuple[str, str]]
    areas: list[tuple[str, str, str]]
    indicators: list[tuple[str, str, str, str, str]]
    evaluations: list[tuple[str, str, str]]
    notes: tuple[str, ...]
    is_sample: bool


def gather_conditions(assessment: Assessment, parcel_id: str) -> Conditions:
    """
    Gather what is fixed for one parcel: its indicators with limit, clause and day, its areas, its evaluations.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    parcel_id : str
        The parcel.

    Returns
    -------
    Conditions
        In words; from public columns only.

    Raises
    ------
    KeyError
        If there is no such parcel.
    """
    told = assessment.provenance
    titles = told.titles
    frame = pd.DataFrame(assessment.parcels.loc[[parcel_id]].drop(columns="geometry"))
    names = [str(name) for name in frame.columns if column(str(name)).audience == "public"]
    # Shown as people read it: unit and word by the dictionary, and nothing that is not public gets this far.
    frame = frame[names].assign(parcel_id=parcel_id)
    findings = assessment.findings
    rows: Any = findings[(findings["parcel_id"] == parcel_id).to_numpy(dtype=bool)].to_dict("records")
    books = "、".join(book.name for book in told.books)
    return Conditions(
        heading="规划条件告知单",
        source=f"{told.project}　评定日 {told.as_of.isoformat()}　规则集 {books}　landplan {told.version}",
        facts=[
            (column(n).label("zh"), _shown(frame, n))
            for n in _FACTS
            if n in frame.columns and _shown(frame, n)
        ],
        areas=[
            ("计算面积（界址点坐标）", *_areas(frame, "area_m2")),
            ("登记面积（资料所载）", *_areas(frame, "area_registered_m2")),
            ("实测面积（实地丈量后填写）", "", ""),
        ],
        indicators=_indicators(frame, rows, titles),
        evaluations=_evaluations(frame, titles),
        notes=_NOTES,
        is_sample=told.is_sample,
    )


def _shown(frame: pd.DataFrame, name: str) -> str:
    value: Any = display(frame[[name]]).iloc[0, 0]
    if pd.isna(value):
        return ""
    return f"{value:,.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _areas(frame: pd.DataFrame, name: str) -> tuple[str, str]:
    value = float(frame[name].iloc[0]) if name in frame.columns and pd.notna(frame[name].iloc[0]) else None
    return ("未知", "未知") if value is None else (f"{value:,.2f}", f"{convert(value, 'm2', '亩'):,.2f}")


def _set_value(frame: pd.DataFrame, declared: Column) -> str:
    shown = _shown(frame, declared.name) if declared.name in frame.columns else ""
    if not shown:
        return "未设定"
    unit = (
        ""
        if declared.shown_in in ("", "1")
        else declared.shown_in
        if declared.shown_in == "%"
        else f" {declared.shown_in}"
    )
    return f"{_BOUNDS[declared.bound]} {shown}{unit}" if declared.is_quantity else shown


def _indicators(
    frame: pd.DataFrame, rows: list[dict[str, Any]], titles: dict[str, str]
) -> list[tuple[str, str, str, str, str]]:
    """Rules on the indicators set for the parcel, then what is set for it and no rule speaks of."""
    found = []
    spoken = set()
    for row in rows:
        declared = column(str(row["indicator"]))
        if not declared.bound or declared.audience != "public" or row["reason"] == "overridden":
            continue
        if row["basis"] not in ("set", None) and isinstance(row["basis"], str):
            continue
        spoken.add(declared.name)
        limit, reference, since = say_requirement(row)
        if isinstance(row["overridden_by"], str):
            limit += "（已由人工决定不计）"
        advisory = "（推荐性）" if row["force"] == "advisory" else ""
        found.append(
            (declared.label("zh", titles) + advisory, _set_value(frame, declared), limit, since, reference)
        )
    for declared in dictionary().values():
        known = declared.bound and declared.audience == "public" and declared.name in frame.columns
        if known and declared.name not in spoken and _shown(frame, declared.name):
            found.append((declared.label("zh"), _set_value(frame, declared), "—", "", ""))
    return found


def _evaluations(frame: pd.DataFrame, titles: dict[str, str]) -> list[tuple[str, str, str]]:
    found = []
    for name in frame.columns:
        declared = column(str(name))
        if str(name).startswith("evaluation_") and str(name).endswith("_state"):
            until = f"evaluation_{declared.stem}_until"
            title = titles.get(declared.stem, declared.stem)
            found.append(
                (title, _shown(frame, str(name)), _shown(frame, until) if until in frame.columns else "")
            )
    return found


def write_conditions(assessment: Assessment, parcel_id: str, path: Path) -> Path:
    """
    Write the planning conditions of a parcel for print.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    parcel_id : str
        The parcel.
    path : Path
        Ends in ``.html`` (one page of A4 that opens anywhere and asks the network for nothing) or ``.xlsx``.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    KeyError
        If there is no such parcel.
    UsageError
        If the file ends in something else.
    StoreError
        If the place cannot be written; a former file stays.
    """
    path = Path(path)
    told = gather_conditions(assessment, parcel_id)
    if path.suffix.lower() in (".html", ".htm"):
        return publish_text(path, _TEMPLATE.render(told=told))
    if path.suffix.lower() == ".xlsx":
        return publish_book(
            path,
            {"规划条件告知": lambda page: _fill(page, told)},
            title=told.heading,
            author=told.source.rsplit("　", 1)[-1],
            day=assessment.provenance.as_of,
            footer=told.source,
        )
    raise UsageError(
        Fault(
            en=f"the sheet is not written as {path.suffix!r}.",
            zh=f"告知单不能写成“{path.suffix}”。",
            mend_en="use .html or .xlsx",
            mend_zh="用 .html 或 .xlsx",
        )
    )


def _fill(page: Page, told: Conditions) -> None:
    page.sheet.set_portrait()
    page.sheet.fit_to_pages(1, 0)
    for place, width in enumerate([26, 22, 24, 12, 40]):
        page.widths[place] = width
        page.sheet.set_column(place, place, width)
    page.title(told.heading, [told.source], span=5, is_sample=told.is_sample)
    for label, value in told.facts:
        page.write(page.row, 0, label, **BORDER, bold=True)
        page.merge(page.row, 1, 4, value, **BORDER)
        page.row += 1
    tables: list[tuple[str, list[str], list[Any], tuple[int, ...]]] = [
        ("一、面积", ["面积", "平方米", "亩"], told.areas, (1, 2, 2)),
        ("二、控制指标", ["指标", "本宗设定", "规则要求", "自", "依据"], told.indicators, (1, 1, 1, 1, 1)),
        ("三、区域评估（可共享使用）", ["评估事项", "状态", "有效期至"], told.evaluations, (1, 2, 2)),
    ]
    for title, heads, rows, spans in tables:
        page.row += 1
        page.write(page.row, 0, title, bold=True, font_size=11)
        page.row += 1
        fields = [Field(head, [row[at] for row in rows]) for at, head in enumerate(heads)]
        page.table(fields, is_list=False, spans=spans)
    page.row += 1
    for note in told.notes:
        page.merge(page.row, 0, 4, note, text_wrap=True, font_size=9)
        page.sheet.set_row(page.row, 28)
        page.row += 1
    page.row += 1
    for text in _SIGNED:
        page.merge(page.row, 0, 4, text)
        page.sheet.set_row(page.row, 24)
        page.row += 1


_SIGNED = (
    "丈量单位：____________________    丈量人：______________    丈量日期：______________",
    "告知单位（盖章）：________________    经办人：______________    告知日期：______________",
    "企业签收（盖章）：________________    签收人：______________    签收日期：______________",
)

_TEMPLATE = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string("""\
<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ told.heading }} {{ told.facts[0][1] }}</title>
<style>
@page { size: A4 portrait; margin: 13mm 15mm 12mm; }
body { font: 9.5pt/1.36 "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei", sans-serif; color: #111;
       max-width: 178mm; margin: 8mm auto; }
@media print { body { margin: 0 auto; } }
h1 { font-size: 18pt; text-align: center; letter-spacing: 4pt; margin: 0 0 1mm; }
h2 { font-size: 11pt; margin: 3mm 0 1mm; }
p { margin: 0.7mm 0; font-size: 8.5pt; color: #333; }
p.source { text-align: center; }
p.sample { background: #fff2a8; color: #111; text-align: center; font-weight: bold; print-color-adjust: exact; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 0.3mm solid #777; padding: 0.6mm 1.6mm; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: #e8eef3; font-weight: 600; print-color-adjust: exact; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.day { white-space: nowrap; }
td.limit, table.limits td.day { font-size: 8.5pt; }
td.blank { height: 7mm; }
td.clause { font-size: 7.5pt; line-height: 1.25; }
table.limits { table-layout: fixed; }
tr { break-inside: avoid; }
table.facts th { width: 22mm; }
.signed { margin-top: 5mm; display: grid; grid-template-columns: 1.5fr 1fr 1fr; gap: 4mm 6mm; break-inside: avoid; }
.signed div { border-bottom: 0.3mm solid #555; padding-bottom: 0.5mm; white-space: nowrap; }
</style>
</head>
<body>
<h1>{{ told.heading }}</h1>
{% if told.is_sample %}<p class="sample">示例数据，不作依据</p>{% endif %}
<p class="source">{{ told.source }}</p>
<table class="facts">
{% for pair in told.facts|batch(2) %}<tr>
{% for label, value in pair %}<th>{{ label }}</th><td{% if pair|length == 1 %} colspan="3"{% endif %}>{{ value }}</td>
{% endfor %}</tr>
{% endfor %}</table>
<h2>一、面积</h2>
<table>
<tr><th>面积</th><th>平方米</th><th>亩</th></tr>
{% for label, m2, mu in told.areas %}<tr><td>{{ label }}</td>
<td class="number{% if not m2 %} blank{% endif %}">{{ m2 }}</td><td class="number">{{ mu }}</td></tr>
{% endfor %}</table>
<h2>二、控制指标</h2>
<table class="limits">
<colgroup><col style="width:29mm"><col style="width:33mm"><col style="width:33mm"><col style="width:18mm"><col></colgroup>
<tr><th>指标</th><th>本宗设定</th><th>规则要求</th><th>自</th><th>依据</th></tr>
{% for label, value, limit, since, clause in told.indicators %}<tr><td>{{ label }}</td><td class="limit">{{ value }}</td>
<td class="limit">{{ limit }}</td><td class="day">{{ since }}</td><td class="clause">{{ clause }}</td></tr>
{% else %}<tr><td colspan="5">（没有设定，规则集也没有要求）</td></tr>
{% endfor %}</table>
{% if told.evaluations %}<h2>三、区域评估（可共享使用）</h2>
<table>
<tr>{% for _ in (1, 2) %}<th>评估事项</th><th>状态</th><th>有效期至</th>{% endfor %}</tr>
{% for pair in told.evaluations|batch(2, ("", "", "")) %}<tr>{% for title, state, until in pair %}
<td>{{ title }}</td><td>{{ state }}</td><td class="day">{{ until }}</td>{% endfor %}</tr>
{% endfor %}</table>{% endif %}
{% for note in told.notes %}<p>{{ note }}</p>
{% endfor %}<div class="signed">
<div>丈量单位：</div><div>丈量人：</div><div>丈量日期：</div>
<div>告知单位（盖章）：</div><div>经办人：</div><div>告知日期：</div>
<div>企业签收（盖章）：</div><div>签收人：</div><div>签收日期：</div>
</div>
</body>
</html>
""")
