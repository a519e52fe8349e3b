"""Lines and tables for a terminal: straight columns with Chinese in them, and nothing that data could forge."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import IO, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from landplan.errors import Fault, LandplanError
from landplan.issues import clean_text

__all__ = ["fault_lines", "open_console", "print_fault", "print_frame", "print_points", "print_table", "say"]

# Latin words and numbers stay whole; between two Chinese characters a line may break, but not before a stop.
_UNBROKEN = re.compile(r"[（“《〔［]*(?:[!-~]+|.)[，。；：、）”》〕］]*")
_MARK = "  - "


def open_console(file: IO[str] | None = None) -> Console:
    """
    Open a stream for lines of text.

    Parameters
    ----------
    file : text stream or None
        Standard output where None.

    Returns
    -------
    rich.console.Console
        Without markup, colour or emoji.
    """
    stream = file or sys.stdout
    # A pipe has no width: lines must not be cut there, and a name must not be read as markup. No colour: a console of
    # Windows 10 that has not been told of escape sequences prints them.
    width = None if stream.isatty() else 100_000
    return Console(
        file=stream,
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        color_system=None,
    )


def say(out: Console, text: str) -> None:
    """
    Print one line, whatever its length.

    Parameters
    ----------
    out : rich.console.Console
        Where to.
    text : str
        May hold anything; control characters are taken out.
    """
    out.print(clean_text(text), soft_wrap=True)


def print_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = (), whole: Sequence[int] = ()
) -> None:
    """
    Print rows below heads.

    Parameters
    ----------
    heads : sequence of str
        One per column; a line end in a head begins its second line.
    rows : sequence of sequence of str
        Cells.
    right, whole : sequence of int
        Columns of numbers, which end in one line, and columns that are never broken.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for at, head in enumerate(heads):
        lines = "\n".join(map(clean_text, head.split("\n")))
        is_number = at in right
        table.add_column(
            Text(lines),
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=is_number or at in whole,
        )
    for row in rows:
        table.add_row(*(Text(clean_text(cell)) for cell in row))
    out = open_console()
    with out.capture() as drawn:
        out.print(table)
    # Without the blanks that fill the last column up; and what has been laid out is not wrapped once more.
    out.file.write("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))


def print_points(texts: Sequence[str]) -> None:
    """
    Print sentences one below the other; where a terminal is too narrow, the rest is indented.

    Parameters
    ----------
    texts : sequence of str
        Sentences.
    """
    out = open_console()
    for text in texts:
        first, *rest = _broken(clean_text(text), out.width - len(_MARK))
        out.file.write("".join([f"{_MARK}{first}\n", *(f"{' ' * len(_MARK)}{line}\n" for line in rest)]))


def _broken(text: str, width: int) -> list[str]:
    lines = [""]
    for part in _UNBROKEN.findall(text):
        if lines[-1] and cell_len(lines[-1] + part.rstrip()) > width:
            lines.append("")
        lines[-1] += part if lines[-1] else part.lstrip()
    return [line.rstrip() for line in lines]


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
    print_table([str(name) for name in frame.columns], rows, right)


def print_fault(error: LandplanError) -> None:
    """
    Print an error to stderr: what, where, how to mend.

    Parameters
    ----------
    error : LandplanError
        All of its faults are printed.
    """
    out = open_console(sys.stderr)
    for fault in error.faults:
        first, *rest = fault_lines(fault)
        out.print(f"{type(error).__name__}: {first}", soft_wrap=True)
        for line in rest:
            out.print(line, soft_wrap=True)


def fault_lines(fault: Fault) -> list[str]:
    """
    Lay a fault out in lines: a name with a line end in it forges none.

    Parameters
    ----------
    fault : Fault
        What is wrong.

    Returns
    -------
    list of str
        As ``str(fault)`` has them, without control characters.
    """
    return str(
        Fault(*map(clean_text, (fault.en, fault.zh, fault.at, fault.mend_en, fault.mend_zh)))
    ).splitlines()
