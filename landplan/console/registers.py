"""Declared registers for the terminal: which there are, and the rows of one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from landplan.console.lines import open_console, print_frame, print_table, say
from landplan.registers import Declaration, display_register, find_stale
from landplan.schema import display

__all__ = ["print_funds", "print_register", "print_registers"]

_MOST_NAMED = 8


def print_registers(declared: Mapping[str, Declaration], frames: Mapping[str, pd.DataFrame]) -> None:
    """
    Print which registers are declared, and how many rows the project has of each.

    Parameters
    ----------
    declared : mapping of str to Declaration
        By name.
    frames : mapping of str to DataFrame
        What the project has, by name.
    """
    rows = [
        [
            name,
            declaration.title_zh,
            "" if name not in frames else str(len(frames[name])),
            "landplan" if declaration.is_shipped else "本项目",
            declaration.about_zh,
        ]
        for name, declaration in declared.items()
    ]
    print_table(["登记表", "名称", "行数", "声明", "每行是什么"], rows, right=(2,), whole=(0,))
    say(
        open_console(),
        "行数空白：项目没有这张表。新增登记表：在项目的“登记表”文件夹写一个 YAML 声明 / declare your own in YAML",
    )


def print_register(
    frame: pd.DataFrame, declaration: Declaration, as_of: date, picked: Mapping[str, Any]
) -> None:
    """
    Print rows of a register.

    Parameters
    ----------
    frame : DataFrame
        Rows.
    declaration : Declaration
        What they are.
    as_of : date
        The day they stand for; rows not brought up to date in time are named.
    picked : mapping of str to object
        What they were picked by, in words; empty ones are passed by.
    """
    shown = display_register(frame, declaration)
    names = [declaration.columns[name].header() for name in declaration.latest_by or declaration.key]
    # A column nobody filled in takes room from those that say something.
    shown = shown.loc[:, shown.notna().any().to_numpy(dtype=bool) | (len(shown) == 0)]
    by = "　".join(f"{word} {value}" for word, value in picked.items() if value)
    out = open_console()
    say(out, f"{declaration.title_zh}　截至 {as_of.isoformat()}　{by}".rstrip())
    if len(shown):
        print_frame(shown)
    stale = find_stale(frame, declaration, as_of)
    out.print(f"共 {len(frame)} 行")
    if len(stale) and declaration.stale_after is not None:
        named = [
            " ".join(str(row[n]) for n in names)
            for row in display_register(stale, declaration).to_dict("records")
        ]
        listed = "、".join(named[:_MOST_NAMED]) + (" 等" if len(named) > _MOST_NAMED else "")
        say(out, f"其中 {len(stale)} 行超过 {declaration.stale_after.word()}没有更新：{listed}")


def print_funds(balance: pd.DataFrame) -> None:
    """
    Print how every head of the budget stands.

    Parameters
    ----------
    balance : DataFrame
        As ``resources.balance_funds`` gives.
    """
    names = ["year", "head", "amount_cny", "committed_cny", "balance_cny", "cost_cny_per_m2"]
    out = open_console()
    out.print()
    say(out, "各科目余额（单位面积费用只计净地地块）")
    print_frame(display(balance[names]))
