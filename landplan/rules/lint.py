"""Whether a rulebook is fit to judge by: its faults, and the cases beside it that come out otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from landplan.errors import Fault, UnitError
from landplan.rules.evaluate import evaluate_rules
from landplan.rules.load import collect_rulebook
from landplan.rules.model import Rulebook
from landplan.rules.nodes import Reader
from landplan.schema import Column, column
from landplan.units import convert

__all__ = ["lint_rulebook"]

_CASE = ("name", "as_of", "input", "expect")


def lint_rulebook(path_or_name: str | Path, folders: Sequence[str | Path] = ()) -> list[Fault]:
    """
    Check a rulebook, those it extends, and the cases beside it.

    Parameters
    ----------
    path_or_name : str or Path
        As for ``load_rulebook``.
    folders : sequence of str or Path, default ()
        As for ``load_rulebook``.

    Returns
    -------
    list of Fault
        Empty where all is well; each with file and line. Cases (``<book>.cases.yaml``) are run only where the
        book itself has no fault.

    Examples
    --------
    >>> lint_rulebook("cn.shanxi")
    []
    """
    rulebook, faults = collect_rulebook(path_or_name, folders)
    if faults or rulebook is None:
        return faults
    book = Path(rulebook.books[-1].path)
    cases = book.with_name(f"{book.stem}.cases.yaml")
    return _run_cases(cases, rulebook) if cases.is_file() else []


def _run_cases(path: Path, rulebook: Rulebook) -> list[Fault]:
    reader = Reader(path.as_posix())
    root = reader.compose(path.read_bytes())
    if root is None:
        return reader.faults
    if not isinstance(root, yaml.SequenceNode):
        reader.fault(
            root,
            "cases must be a list.",
            "案例应写成列表。",
            "begin each with '- name:'",
            "每个案例以“- name:”开头",
        )
        return reader.faults
    for node in root.value:
        _run_case(reader, node, rulebook)
    return reader.faults


def _run_case(reader: Reader, node: yaml.Node, rulebook: Rulebook) -> None:
    before = len(reader.faults)
    parts = reader.mapping(node, "case", _CASE, _CASE)
    name = reader.text(parts.get("name"), "name")
    day = reader.day(parts.get("as_of"), "as_of")
    values: dict[str, Any] = {}
    if "input" in parts:
        for key, key_node, value in reader.pairs(parts["input"], "input"):
            read = _value(reader, key, key_node, value)
            if read is not None:
                values[key] = read
    expected = list(reader.pairs(parts["expect"], "expect")) if "expect" in parts else []
    if len(reader.faults) > before or day is None:
        return
    _compare(reader, name, _judge(values, rulebook, day), expected)


def _judge(values: dict[str, Any], rulebook: Rulebook, day: date) -> dict[str, str]:
    found = evaluate_rules(pd.DataFrame(values, index=["case"]), rulebook, day)
    return dict(zip(found["rule_id"], found["status"], strict=True))


def _compare(
    reader: Reader, name: str, found: dict[str, str], expected: list[tuple[str, yaml.Node, yaml.Node]]
) -> None:
    statuses = tuple(column("status").values)
    for rule_id, key, value in expected:
        status = reader.text(value, f"expect {rule_id}", statuses)
        if rule_id not in found:
            reader.fault(
                key,
                f"case {name!r} expects a rule {rule_id!r}, which the rulebook does not have.",
                f"案例“{name}”涉及的规则 {rule_id} 不在规则集中。",
                f"use one of: {', '.join(found)}",
                f"可用：{'、'.join(found)}",
            )
        elif status and found[rule_id] != status:
            reader.fault(
                value,
                f"case {name!r}: {rule_id} came out {found[rule_id]}, expected {status}.",
                f"案例“{name}”：规则 {rule_id} 的结果是 {found[rule_id]}，应为 {status}。",
                "mend the rule or the case",
                "改正规则或案例",
            )


def _value(reader: Reader, name: str, key: yaml.Node, node: yaml.Node) -> Any:
    """Read one input: a word, or a number with its unit, in the canonical unit of its column."""
    try:
        declared: Column = column(name)
    except KeyError:
        reader.fault(key, f"input {name!r} is not in columns.csv.", f"“{name}”不在 columns.csv 中。")
        return None
    if not declared.is_quantity:
        is_number = declared.dtype in ("float64", "Int64")
        return reader.number(node, name) if is_number else reader.text(node, name)
    if not isinstance(node, yaml.SequenceNode) or len(node.value) != 2:
        reader.fault(
            node,
            f"input {name} needs [number, unit].",
            f"“{name}”须写成 [数值, 单位]。",
            f"e.g. [150, {declared.shown_in}]",
            f"如 [150, {declared.shown_in}]",
        )
        return None
    number = reader.number(node.value[0], name)
    unit = reader.text(node.value[1], f"unit of {name}")
    if number is None or not unit:
        return None
    try:
        return convert(number, unit, declared.unit, declared.kind)
    except UnitError as error:
        first = error.faults[0]
        reader.fault(node.value[1], first.en, first.zh, first.mend_en, first.mend_zh)
        return None
