"""The 用地清单 as a zone declares it: what a parcel needs, how each item is known, its days, cost, and what comes before."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from landplan.errors import ConfigError, Fault, UnitError
from landplan.rules.nodes import Reader
from landplan.schema import column
from landplan.units import CANONICAL, convert, find_unit

__all__ = ["CLEAR_LAND", "Checklist", "Item", "load_checklist", "matches_rule"]

CLEAR_LAND = ("ownership", "compensation", "no_dispute", "plan_conditions", "no_encumbrance", "basic_works")
"""The six conditions of 净地: rights clear, compensation settled, no dispute, planning conditions fixed, no encumbrance on
the land, basic works there."""

_TOP = ("checklist", "title", "notes", "items")
_KNOWN_BY = ("event", "evaluation", "servicing", "rules")
_ITEM = ("title", "group", *_KNOWN_BY, "days", "cost", "party", "office", "after", "notes")
_CODE = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Item:
    """
    One thing a parcel needs.

    Parameters
    ----------
    code, title : str
        Its code, and what people call it.
    group : str
        Part of readiness it belongs to: a value of ``task_group``.
    known_by : str
        ``event``, ``evaluation``, ``servicing`` or ``rules``.
    names : tuple of str
        The item of the event, evaluation or network; or the rules.
    days : float, default NaN
        Working days it takes; NaN where nobody said.
    cost : float, default NaN
        In 元, or in 元/m2 where ``is_cost_by_area``; NaN where nobody said.
    is_cost_by_area : bool, default False
        Whether the cost goes by the area of the parcel.
    party, office : str, default ""
        Whose move it is, and the office that decides.
    after : tuple of str
        Codes of the items that must be done before.
    """

    code: str
    title: str
    group: str
    known_by: str
    names: tuple[str, ...]
    days: float = float("nan")
    cost: float = float("nan")
    is_cost_by_area: bool = False
    party: str = ""
    office: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checklist:
    """
    What a parcel needs before it can be sold.

    Parameters
    ----------
    name, title : str
        What it is called.
    items : mapping of str to Item
        By code, in an order in which everything follows what must be done before.
    path, sha256 : str, default ""
        Where it was read, and the hash of its bytes.
    notes : str, default ""
        What the reader should know.
    """

    name: str
    title: str
    items: Mapping[str, Item]
    path: str = ""
    sha256: str = ""
    notes: str = ""

    def covering(self, rule_id: str, indicator: str) -> list[str]:
        """
        Name the items that stand for a rule, so that its work is not listed twice.

        Parameters
        ----------
        rule_id, indicator : str
            The rule and what it measures.

        Returns
        -------
        list of str
            Codes of items that name the rule, or the event, evaluation or network that the rule looks at.
        """
        return [
            item.code
            for item in self.items.values()
            if (
                any(matches_rule(rule_id, name) for name in item.names)
                if item.known_by == "rules"
                else any(indicator.startswith(stem) for stem in _stems(item))
            )
        ]


def _stems(item: Item) -> list[str]:
    kinds = ("servicing", "event") if item.known_by == "servicing" else (item.known_by,)
    return [f"{kind}_{name}_" for kind in kinds for name in item.names]


def matches_rule(rule_id: str, name: str) -> bool:
    """
    Tell whether a checklist means a rule.

    Parameters
    ----------
    rule_id : str
        Dotted name.
    name : str
        The same, or ``farmland.*`` for all that begin so.

    Returns
    -------
    bool
        True where it does.
    """
    return rule_id.startswith(name[:-1]) if name.endswith(".*") else rule_id == name


def load_checklist(path: Path) -> Checklist:
    """
    Read a checklist.

    Parameters
    ----------
    path : Path
        A YAML file: ``checklist``, ``title`` and ``items``; each item has a ``title``, a ``group``, one of ``event``,
        ``evaluation``, ``servicing`` or ``rules`` that tells how it is known (the event of its own code by default), and
        as far as they are known ``days`` (working days), ``cost`` (``[25, 万元]``, or ``[1.2, 万元/亩]`` by area), ``party``,
        ``office`` and ``after``.

    Returns
    -------
    Checklist
        Its items in an order in which everything follows what must be done before.

    Raises
    ------
    ConfigError
        If it is not there, or anything in it is wrong: doubled and unknown keys, what names nothing, a circle in
        ``after``. Every fault at once, each with its line.
    """
    reader = Reader(path.as_posix())
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            Fault(
                en=f"the checklist cannot be read: {error.strerror}.",
                zh="用地清单文件无法读取。",
                at=path.as_posix(),
                mend_en="check the path under [checklist]",
                mend_zh="核对 [checklist] 的路径",
            )
        ) from error
    root = reader.compose(data)
    top = {} if root is None else reader.mapping(root, "checklist", _TOP, ("checklist", "title", "items"))
    items: dict[str, Item] = {}
    afters: dict[str, list[tuple[str, yaml.Node]]] = {}
    keys: dict[str, yaml.Node] = {}
    for code, key, node in reader.pairs(top["items"], "items") if "items" in top else ():
        keys[code] = key
        item, afters[code] = _read_item(reader, code, key, node)
        items[code] = item
    for code, named in afters.items():
        for name, node in named:
            if name not in keys or name == code:
                reader.fault(
                    node,
                    f"item {code} comes after {name!r}, which is no other item.",
                    f"“{code}”的前置事项“{name}”不是清单中的其他事项。",
                    f"use some of: {', '.join(other for other in keys if other != code)}",
                    f"可用：{'、'.join(other for other in keys if other != code)}",
                )
    order, circle = _sort(items)
    if circle:
        reader.fault(
            keys[circle[0]],
            f"items wait for each other in a circle: {' -> '.join(circle)}.",
            f"事项互为前置，形成循环：{' -> '.join(circle)}。",
            "take one of them out of after:",
            "删去其中一个 after",
        )
    if "items" in top and not items and not reader.faults:
        reader.fault(top["items"], "the checklist has no item.", "清单没有事项。")
    name, title, notes = (reader.text(top.get(part), part) for part in ("checklist", "title", "notes"))
    if reader.faults:
        raise ConfigError(*reader.faults)
    return Checklist(
        name,
        title,
        {code: items[code] for code in order},
        path=path.as_posix(),
        sha256=hashlib.sha256(data).hexdigest(),
        notes=notes,
    )


def _read_item(
    reader: Reader, code: str, key: yaml.Node, node: yaml.Node
) -> tuple[Item, list[tuple[str, yaml.Node]]]:
    what = f"item {code}"
    if not _CODE.fullmatch(code):
        reader.fault(
            key,
            f"{code!r} is not a code of an item.",
            f"“{code}”不是合规的事项代码。",
            "use lower-case words, e.g. soil_survey",
            "用小写英文，如 soil_survey",
        )
    parts = reader.mapping(node, what, _ITEM, ("title", "group"))
    known = [part for part in _KNOWN_BY if part in parts]
    if len(known) > 1:
        reader.fault(
            parts[known[1]],
            f"{what} is known in two ways: {' and '.join(known)}.",
            f"“{code}”写了两种认定方式：{'、'.join(known)}。",
            "keep one",
            "只留一种",
        )
    known_by = known[0] if known else "event"
    names = [name for name, _ in _words(reader, parts.get(known_by), f"{known_by} of {what}")] or [code]
    after = _words(reader, parts.get("after"), f"after of {what}")
    cost, is_by_area = _read_cost(reader, parts.get("cost"), what)
    item = Item(
        code=code,
        title=reader.text(parts.get("title"), f"title of {what}"),
        group=reader.text(parts.get("group"), f"group of {what}", tuple(column("task_group").values)),
        known_by=known_by,
        names=tuple(names),
        days=_read_days(reader, parts.get("days"), what),
        cost=cost,
        is_cost_by_area=is_by_area,
        party=reader.text(parts.get("party"), f"party of {what}"),
        office=reader.text(parts.get("office"), f"office of {what}"),
        after=tuple(dict.fromkeys(name for name, _ in after)),
    )
    return item, after


def _words(reader: Reader, node: yaml.Node | None, what: str) -> list[tuple[str, yaml.Node]]:
    """Read one word or a list of words."""
    if node is None:
        return []
    nodes: Sequence[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return [(word, part) for part in nodes if (word := reader.text(part, what))]


def _read_days(reader: Reader, node: yaml.Node | None, what: str) -> float:
    if node is None:
        return float("nan")
    days = reader.number(node, f"days of {what}")
    if days is None:
        return float("nan")
    if days < 0 or days != int(days) or days > 2500:
        reader.fault(
            node,
            f"days of {what} must be a whole number of working days, at most 2500.",
            f"“{what.removeprefix('item ')}”的 days 应为整数个工作日，不超过 2500。",
        )
        return float("nan")
    return days


def _read_cost(reader: Reader, node: yaml.Node | None, what: str) -> tuple[float, bool]:
    """Read ``[number, unit]``: money, or money by area; in canonical units."""
    if node is None:
        return float("nan"), False
    if not isinstance(node, yaml.SequenceNode) or len(node.value) != 2:
        reader.fault(
            node,
            f"cost of {what} needs [number, unit].",
            f"“{what.removeprefix('item ')}”的 cost 须写成 [数值, 单位]。",
            "e.g. [25, 万元] or [1.2, 万元/亩]",
            "如 [25, 万元] 或 [1.2, 万元/亩]",
        )
        return float("nan"), False
    number = reader.number(node.value[0], f"cost of {what}")
    symbol = reader.text(node.value[1], f"unit of the cost of {what}")
    if number is None or not symbol:
        return float("nan"), False
    if number < 0:
        reader.fault(node, f"cost of {what} is below zero.", f"“{what.removeprefix('item ')}”的 cost 为负。")
        return float("nan"), False
    kind = "intensity" if "/" in symbol or "／" in symbol or "每" in symbol else "money"
    try:
        unit = find_unit(symbol, kind)
    except UnitError as error:
        first = error.faults[0]
        reader.fault(node.value[1], first.en, first.zh, first.mend_en, first.mend_zh)
        return float("nan"), False
    return float(np.float64(convert(number, unit.symbol, CANONICAL[kind], kind))), kind == "intensity"


def _sort(items: Mapping[str, Item]) -> tuple[list[str], list[str]]:
    """Order items so that each follows what comes before it; or the circle that forbids it."""
    order: list[str] = []
    waiting = {
        code: [name for name in item.after if name in items and name != code] for code, item in items.items()
    }
    while waiting:
        free = [code for code, before in waiting.items() if not any(name in waiting for name in before)]
        if not free:
            break
        order += free
        for code in free:
            del waiting[code]
    if not waiting:
        return order, []
    walk = [next(iter(waiting))]
    while walk[-1] not in walk[:-1]:
        walk.append(next(name for name in waiting[walk[-1]] if name in waiting))
    return order, walk[walk.index(walk[-1]) :]
