"""Files on the terminal: what they hold, how CRS and encoding were decided, every fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from landplan.console.lines import open_console, print_table, say
from landplan.schema import column
from landplan.units import convert

if TYPE_CHECKING:
    from landplan.read import Inspection

__all__ = ["print_inspections"]

_OUTCOMES = {"accepted": "可用", "flagged": "可用，有问题", "rejected": "不可用"}
_HOW = {
    "declared": "文件声明", "option": "命令指定", "profile": "映射文件", "content": "按内容判断", "format": "格式规定",
}  # fmt: skip
_RASTER = {
    "width": "列", "height": "行", "bands": "波段", "dtype": "类型", "cell": "像元", "nodata": "无效值", "bounds": "范围",
    "holes": "无效像元", "min": "最低", "max": "最高",
}  # fmt: skip


def print_inspections(inspections: Sequence[Inspection]) -> None:
    """
    Print what was found in files: what they hold, how CRS and encoding were decided, columns, every fault.

    Parameters
    ----------
    inspections : sequence of Inspection
        As ``read.inspect_files`` gives.
    """
    out = open_console()
    for found in inspections:
        source = found.source
        say(out, f"文件    {found.path}    {_OUTCOMES[found.outcome]}")
        if found.raster is None:
            out.print(
                f"记录    容器 {source.rows_in}，采用 {source.rows_imported}，剔除 {source.rows_rejected}"
            )
        if found.layers:
            say(out, f"图层    {'、'.join(found.layers)}")
        if source.crs:
            area = (
                ""
                if source.area_m2 is None
                else f"    面积 {source.area_m2:,.2f} ㎡（{convert(source.area_m2, 'm2', '亩'):,.2f} 亩）"
            )
            say(out, f"坐标系  {source.crs}（{_HOW.get(source.crs_how, source.crs_how)}）{area}")
        if source.encoding:
            say(out, f"编码    {source.encoding}（{_HOW.get(source.encoding_how, source.encoding_how)}）")
        if found.raster is not None:
            shown = "，".join(
                f"{_RASTER.get(name, name)} {_figures(value)}"
                for name, value in found.raster.items()
                if value is not None
            )
            say(out, f"栅格    {shown}")
        if found.recognised:
            pairs = "，".join(f"{header}->{name}" for header, name in found.recognised.items())
            say(out, f"字段    {pairs}")
        for label, headers in (("未识别", found.unknown), ("缺单位", found.unitless)):
            if headers:
                say(out, f"{label}  {'、'.join(headers)}")
        if found.issues:
            out.print(f"问题    {len(found.issues)} 处")
            _print_faults([issue.as_row() for issue in found.issues])
        else:
            out.print("问题    无")
        out.print()


def _print_faults(issues: Sequence[dict[str, Any]]) -> None:
    """Lay issues out as a table; columns that none of them fills are left out."""
    heads = {
        "severity": "级别", "code": "代码", "row": "行", "cell": "位置", "parcel_id": "地块",
        "message_zh": "说明", "mend_zh": "处理办法",
    }  # fmt: skip
    names = [name for name in heads if any(row[name] not in ("", None) for row in issues)]

    def cell(row: dict[str, Any], name: str) -> str:
        if name == "severity":
            return column(name).word(row[name])
        return "" if row[name] is None else str(row[name])

    print_table(
        [heads[name] for name in names],
        [[cell(row, name) for name in names] for row in issues],
        right=[at for at, name in enumerate(names) if name == "row"],
    )


def _figures(value: Any) -> str:
    if isinstance(value, list):
        return " × ".join(map(_figures, value)) if len(value) == 2 else "、".join(map(_figures, value))
    return f"{value:.10g}" if isinstance(value, float) else str(value)
