"""``汇总.xlsx``: a row per unit with links to its results, what changed, what failed and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from landplan.batch.change import load_changes
from landplan.batch.folder import shown_name
from landplan.batch.manifest import Manifest, Record
from landplan.batch.progress import STATES, SUMMARY
from landplan.batch.work import INSPECTION, MAP, RESULT, WORKBOOK
from landplan.reports.book import publish_book
from landplan.reports.page import BORDER, TONES, Cell, Field, Page
from landplan.schema import column
from landplan.units import convert

__all__ = ["write_summary"]

_VERDICTS = ("ready", "pending", "not_ready")
_TONES = {
    "done": "ready",
    "inspected": "info",
    "rejected": "error",
    "failed": "error",
    "crashed": "error",
    "quarantined": "error",
    "queued": "pending",
    "running": "pending",
    "gone": "info",
}
_KINDS = {"project": "项目", "file": "文件"}
_CHANGES = {"changed": "结论变化", "added": "新增", "gone": "消失"}
_CHANGE_TONES = {"changed": "pending", "added": "incremental", "gone": "info"}
_LINKS = {"工作簿": WORKBOOK, "一张图": MAP, "数据": RESULT, "检查": INSPECTION}
_MOST_LINKS = 60_000  # Excel takes 65 530 on a sheet and says the file is damaged where there are more
_AREA = "#,##0.00"
_ALIKE = "合计由平方米相加后换算，可能与各行显示值之和差 0.01。"


def write_summary(manifest: Manifest, out: Path) -> Path:
    """
    Write the workbook of a batch.

    Parameters
    ----------
    manifest : Manifest
        What became of each unit.
    out : Path
        Folder of results; links are relative to it, so that it can be moved as a whole.

    Returns
    -------
    Path
        The workbook.

    Raises
    ------
    StoreError
        If it cannot be written, or is open in Excel or WPS; the old one stays.

    Notes
    -----
    Sheets: 汇总, 与上次比较, 失败. No cell holds a formula.
    """

    def of(fill: Callable[[Page, Manifest, Path], None]) -> Callable[[Page], None]:
        return lambda page: fill(page, manifest, out)

    day = date.fromisoformat(manifest.settings["as_of"])
    return publish_book(
        out / SUMMARY,
        {"汇总": of(_units), "与上次比较": of(_changes), "失败": of(_failures)},
        title="批量核验汇总",
        author=_made_by(manifest),
        day=day,
        footer=f"批量核验  评定日 {day.isoformat()}  第 {manifest.run} 次  {_made_by(manifest)}",
    )


def _made_by(manifest: Manifest) -> str:
    return f"landplan {manifest.settings['version']}"


def _mu(area_m2: float | None) -> float | None:
    return None if area_m2 is None else float(convert(area_m2, "m2", "亩"))


def _units(page: Page, manifest: Manifest, out: Path) -> None:
    records = list(manifest.records.values())
    here = [record for record in records if record.state != "gone"]
    failed = sum(record.is_failed for record in here)
    carried = sum(record.is_carried for record in here)
    fields = _unit_fields(records)
    begun = manifest.started[:16].replace("T", " ")
    notes = [
        f"评定日 {manifest.settings['as_of']}    资料文件夹 {shown_name(manifest.folder)}    开始于 {begun}",
        f"共 {len(here)} 个单元：成功 {len(here) - failed}，失败 {failed}；"
        f"其中 {carried} 个资料未改动，沿用上次结果。失败的单元没有计入宗数和亩数。",
        f"亩数由平方米换算（1 亩 = 2000/3 平方米），{_ALIKE}链接指向本文件夹内的结果，须与本文件一起移动。",
    ]
    if manifest.ignored:
        named = _list_names([shown_name(name) for name in manifest.ignored])
        notes.append(f"未识别为资料、没有处理的文件 {len(manifest.ignored)} 个：{named}。")
    page.fit(fields)
    page.title("批量核验汇总", notes, span=12)
    top = page.row
    page.table(fields, total=_totals(fields, here), empty="（没有单元）")
    _link(page, top + 1, fields, records)
    _fill(page, top + 1, fields, records)


def _list_names(names: Sequence[str]) -> str:
    return f"{'、'.join(names[:20])}{' 等' if len(names) > 20 else ''}"


def _unit_fields(records: Sequence[Record]) -> list[Field]:
    def pick(read: Callable[[Record], Cell]) -> list[Cell]:
        return [read(record) for record in records]

    def number(title: str, group: str, key: str) -> Field:
        return Field(title, pick(lambda r: getattr(r, group).get(key)), "#,##0")

    def counted(state: str, at: int) -> Callable[[Record], Cell]:
        return lambda r: None if not r.counts else r.counts[state][0] if at == 0 else _mu(r.counts[state][1])

    fields = [
        Field("单元", pick(lambda r: shown_name(r.name))),
        Field("结果", pick(lambda r: STATES[r.state]), tones=[_TONES[r.state] for r in records]),
    ]
    fields += [
        Field(title, [title if file in r.files and r.state != "gone" else None for r in records])
        for title, file in _LINKS.items()
        if any(file in r.files for r in records)
    ]
    for state, word in _states():
        fields += [
            Field(f"{word}（宗）", pick(counted(state, 0)), "#,##0"),
            Field(f"{word}（亩）", pick(counted(state, 1)), _AREA),
        ]
    severity = column("severity")
    fields += [
        number(f"{severity.word(code)}（处）", "issues", code) for code in ("error", "warning", "info")
    ]
    fields += [number(f"{word}（宗）", "changes", code) for code, word in _CHANGES.items()]
    return [
        *fields,
        Field("读入（条）", pick(lambda r: r.rows[0] if any(r.rows) else None), "#,##0"),
        Field("剔除（条）", pick(lambda r: r.rows[1] if any(r.rows) else None), "#,##0"),
        Field("类型", pick(lambda r: _KINDS[r.kind])),
        Field("用时（秒）", pick(lambda r: r.seconds if r.attempts else None), "#,##0.0"),
        Field("说明", pick(_remark), widest=60),
    ]


def _states() -> list[tuple[str, str]]:
    return [*((state, column("verdict").word(state)) for state in _VERDICTS), ("total", "评定合计")]


def _totals(fields: Sequence[Field], records: Sequence[Record]) -> list[Cell]:
    """Sums of the columns; areas are summed in m2, as everywhere."""
    areas = {
        f"{word}（亩）": _mu(sum(record.counts[state][1] for record in records if record.counts))
        for state, word in _states()
    }
    total: list[Cell] = []
    for item in fields:
        if item.header in areas:
            total.append(areas[item.header])
        elif item.number:
            total.append(sum(value for value in item.values if isinstance(value, int | float)))
        else:
            total.append(None)
    total[0] = "合计"
    return total


def _remark(record: Record) -> str | None:
    parts = [record.note] if record.note else []
    if record.is_carried:
        parts.append("资料未改动，沿用上次结果")
    if record.faults:
        more = f"（共 {len(record.faults)} 处，见“失败”）" if len(record.faults) > 1 else ""
        parts.append(f"{record.faults[0]['zh']}{more}")
    return shown_name("；".join(parts)) or None


def _link(page: Page, top: int, fields: Sequence[Field], records: Sequence[Record]) -> None:
    """Turn the names of results into links; only names landplan made itself go into an address."""
    style = page.style(**BORDER, font_color="#0563C1", underline=1, align="center")
    left = _MOST_LINKS
    for place, item in enumerate(fields):
        for at, record in enumerate(records):
            if item.header in _LINKS and item.values[at] is not None and left:
                left -= 1
                address = f"external:{record.target}/{_LINKS[item.header]}"
                page.sheet.write_url(top + at, place, address, style, item.header)


def _fill(page: Page, top: int, fields: Sequence[Field], records: Sequence[Record]) -> None:
    """Tint the parcels of a verdict where there are any; numbers stay where numbers stand."""
    tones = {f"{word}（宗）": TONES[state] for state, word in _states() if state in _VERDICTS}
    tones["错误（处）"] = TONES["error"]
    for place, item in enumerate(fields):
        for at in range(len(records)):
            if item.header in tones and item.values[at]:
                fill = {**BORDER, "num_format": "#,##0", "bg_color": f"#{tones[item.header]}"}
                page.write(top + at, place, item.values[at], **fill)


def _changes(page: Page, manifest: Manifest, out: Path) -> None:
    rows = []
    without = []
    for record in manifest.records.values():
        found = load_changes(out / record.target) if record.state in ("done", "gone") else None
        # A result that was carried over is that of the last run: nothing changed.
        if found is not None and not record.is_carried:
            rows += [(record, found.as_of, change) for change in found.changes]
        if record.state == "done" and not record.is_carried and not record.changes:
            without.append(shown_name(record.name))
    verdict = column("verdict")
    changes = [change for _, _, change in rows]
    befores, afters = [change.before for change in changes], [change.after for change in changes]
    kinds = [change.kind for change in changes]
    fields = [
        Field("单元", [shown_name(record.name) for record, _, _ in rows]),
        Field("地块编号", [shown_name(change.parcel_id) for change in changes]),
        Field("变化", [_CHANGES[kind] for kind in kinds], tones=[_CHANGE_TONES[kind] for kind in kinds]),
        Field("上次结论", [verdict.word(code) if code else None for code in befores], tones=befores),
        Field("本次结论", [verdict.word(code) if code else None for code in afters], tones=afters),
        Field("上次面积（亩）", [_mu(change.area_before_m2) for change in changes], _AREA),
        Field("本次面积（亩）", [_mu(change.area_after_m2) for change in changes], _AREA),
        Field("上次评定日", [date.fromisoformat(day) for _, day, _ in rows]),
        Field("本次理由", [shown_name(change.reason) or None for change in changes], widest=80),
    ]
    notes = ["逐宗比较同一单元上一份结果与本次结果；失败的单元不比较，其原有结果保留到下次。"]
    if manifest.last:
        begun = manifest.last["started"][:16].replace("T", " ")
        notes.append(f"上次运行开始于 {begun}，评定日 {manifest.last['as_of']}。")
    if without:
        notes.append(f"没有上一份结果可比的单元 {len(without)} 个：{_list_names(without)}。")
    page.fit(fields)
    page.title("与上次比较", notes)
    page.table(fields, empty="（没有变化）" if manifest.last else "（首次运行，没有上次结果）")


def _failures(page: Page, manifest: Manifest, out: Path) -> None:
    rows = [
        (record, fault) for record in manifest.records.values() if record.is_failed for fault in record.faults
    ]
    fields = [
        Field("单元", [shown_name(record.name) for record, _ in rows]),
        Field(
            "结果",
            [STATES[record.state] for record, _ in rows],
            tones=[_TONES[record.state] for record, _ in rows],
        ),
        Field("位置", [shown_name(fault["at"]) or None for _, fault in rows]),
        Field("说明", [shown_name(fault["zh"]) for _, fault in rows], widest=60),
        Field("怎么办", [shown_name(fault["mend_zh"]) or None for _, fault in rows], widest=60),
        Field("英文说明", [shown_name(fault["en"]) for _, fault in rows], widest=60),
        Field("次数", [record.attempts or None for record, _ in rows], "0"),
    ]
    page.fit(fields)
    page.title("失败的单元", ["每行一处问题；改好后用 --resume 重新运行，只重做失败的和改动过的。"])
    page.table(fields, empty="（没有失败）")
