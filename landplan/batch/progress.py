"""What a batch says while it runs: a bar with the time left on a terminal, otherwise one line per unit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from landplan.batch.folder import shown_name
from landplan.batch.manifest import Manifest, Record
from landplan.schema import column
from landplan.units import convert

__all__ = ["STATES", "SUMMARY", "Progress", "describe_record", "describe_run"]

SUMMARY = "汇总.xlsx"

STATES = {
    "queued": "未做",
    "running": "进行中",
    "done": "完成",
    "inspected": "已检查",
    "rejected": "不可用",
    "failed": "失败",
    "crashed": "异常结束",
    "quarantined": "隔离",
    "gone": "已移走",
}


def describe_record(record: Record) -> str:
    """
    Say on one line what became of a unit.

    Parameters
    ----------
    record : Record
        The unit.

    Returns
    -------
    str
        Only characters that cp936 has, but for those of the data.
    """
    parts = [shown_name(record.name), STATES[record.state]]
    if record.is_carried:
        parts.append("未改动，沿用上次结果")
    if record.counts:
        for state in ("ready", "pending", "not_ready"):
            count, area = record.counts[state]
            parts.append(f"{column('verdict').word(state)} {count} 宗 {convert(area, 'm2', '亩'):,.2f} 亩")
    elif record.state == "inspected":
        parts.append(f"错误 {record.issues['error']}，警告 {record.issues['warning']}")
    if record.faults:
        fault = record.faults[0]
        more = f"（共 {len(record.faults)} 处）" if len(record.faults) > 1 else ""
        parts += [f"{fault['at']} {fault['zh']}{more}".strip(), fault["mend_zh"]]
    if record.note:
        parts.append(record.note)
    if not record.is_carried and record.attempts:
        parts.append(f"{record.seconds:.1f} 秒")
    return shown_name("　".join(filter(None, parts)))


def describe_run(manifest: Manifest, out: Path) -> list[str]:
    """
    Say how a run ended.

    Parameters
    ----------
    manifest : Manifest
        The run.
    out : Path
        Folder of results.

    Returns
    -------
    list of str
        Lines for the terminal.
    """
    here = [record for record in manifest.records.values() if record.state != "gone"]
    failed = [record for record in here if record.is_failed]
    carried = sum(record.is_carried for record in here)
    if not manifest.finished:
        left = sum(record.is_pending for record in here)
        return [f"已中断：还有 {left} 个单元没有做。用 --resume 接着做 / interrupted, go on with --resume"]
    text = f"完成 {len(here)} 个单元：成功 {len(here) - len(failed)}，失败 {len(failed)}，沿用 {carried}"
    if gone := len(manifest.records) - len(here):
        text += f"；上次有、这次没有的 {gone} 个"
    if failed:
        text += "（退出码 3）"
    lines = [text]
    if manifest.ignored:
        lines.append(f"未识别为资料的文件 {len(manifest.ignored)} 个，列在汇总里")
    if manifest.trouble:
        lines.append(f"日志没有写完 / the log is not complete：{manifest.trouble}")
    return [*lines, f"已写 {shown_name(str(out / SUMMARY))}"]


class Progress:
    """
    Tells on stderr how far a batch has come; a context manager.

    Parameters
    ----------
    total : int
        How many units there are.
    """

    def __init__(self, total: int) -> None:
        """Choose how to tell."""
        self._total = total
        self._done = 0
        self._bar: Callable[[str], None] | None = None
        self._stop: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        """Begin to draw where there is somebody to see it."""
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            # Characters that cp936 lacks rich draws on UTF-8 consoles alone; elsewhere its bar is ASCII.
            console = Console(stderr=True, markup=False, highlight=False, emoji=False)
            bar = Bar(
                TextColumn("核验", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("剩余", markup=False),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            row = bar.add_task("", total=self._total)
            bar.start()

            def draw(line: str) -> None:
                console.print(line, soft_wrap=True)
                bar.advance(row)

            self._bar, self._stop = draw, bar.stop
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away; the lines stay."""
        self._stop()

    def tell(self, record: Record) -> None:
        """
        Say that a unit is done with.

        Parameters
        ----------
        record : Record
            The unit.
        """
        self._done += 1
        line = f"[{self._done}/{self._total}] {describe_record(record)}"
        if self._bar is not None:
            self._bar(line)
        else:
            click.echo(line, err=True)
