"""YAML read with its lines: every value knows where it stands, and every fault is noted, none raised."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

import yaml

from landplan.errors import Fault

__all__ = ["Reader"]

# YAML 1.1 reads 1:30 as 90 and 010 as 8; a limit is a plain decimal or it is refused.
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class _Loader(yaml.SafeLoader):
    """The safe loader; only its composer is used, so no value is ever built from a tag."""


class Reader:
    """
    Take a YAML text apart and note every fault with its line.

    Parameters
    ----------
    path : str
        The file, for the place of a fault.
    """

    def __init__(self, path: str) -> None:
        """Begin without a fault."""
        self.path = path
        self.faults: list[Fault] = []

    def at(self, node: yaml.Node | None) -> str:
        """
        Name the place of a node.

        Parameters
        ----------
        node : yaml.Node or None
            None for the whole file.

        Returns
        -------
        str
            ``file:line``.
        """
        return f"{self.path}:{node.start_mark.line + 1}" if node is not None else f"{self.path}:1"

    def fault(self, node: yaml.Node | None, en: str, zh: str, mend_en: str = "", mend_zh: str = "") -> None:
        """
        Note a fault.

        Parameters
        ----------
        node : yaml.Node or None
            Where it stands.
        en, zh : str
            What is wrong.
        mend_en, mend_zh : str, default ""
            What to do.
        """
        self.faults.append(Fault(en=en, zh=zh, at=self.at(node), mend_en=mend_en, mend_zh=mend_zh))

    def compose(self, data: bytes) -> yaml.Node | None:
        """
        Compose the nodes of a file.

        Parameters
        ----------
        data : bytes
            UTF-8, with or without a byte order mark.

        Returns
        -------
        yaml.Node or None
            None where the text cannot be read; the fault is noted.
        """
        try:
            node: yaml.Node | None = yaml.compose(data.decode("utf-8-sig"), Loader=_Loader)
        except UnicodeDecodeError:
            self.fault(
                None,
                "the file is not UTF-8.",
                "文件不是 UTF-8 编码。",
                "save it as UTF-8",
                "另存为 UTF-8 编码",
            )
            return None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.faults.append(
                Fault(
                    en=f"this is not YAML: {error.problem or error.context}.",
                    zh="不是合法的 YAML。",
                    at=f"{self.path}:{line}",
                    mend_en="check indents, colons and quotes on this line and the one above",
                    mend_zh="检查本行和上一行的缩进、冒号和引号",
                )
            )
            return None
        except (yaml.YAMLError, RecursionError) as error:
            self.fault(None, f"this is not YAML: {error}.", "不是合法的 YAML。")
            return None
        if node is None:
            self.fault(None, "the file is empty.", "文件是空的。")
        return node

    def pairs(self, node: yaml.Node, what: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """
        Walk a mapping; a doubled key is a fault, never the last one wins.

        Parameters
        ----------
        node : yaml.Node
            Should be a mapping.
        what : str
            What it is, for the fault.

        Yields
        ------
        tuple of (str, Node, Node)
            Key as written, its node, and the node of its value; doubles left out.
        """
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{what} must be a mapping (key: value).", f"“{what}”应写成“键: 值”。")
            return
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fault(key, f"a key of {what} must be one word.", f"“{what}”的键应为一个词。")
                continue
            name = key.value.strip()
            if name in seen:
                first = seen[name].start_mark.line + 1
                self.fault(
                    key,
                    f"key {name!r} occurs twice in {what}, first in line {first}.",
                    f"“{what}”中键“{name}”重复，首次出现在第 {first} 行。",
                    "remove one of the two",
                    "删去其中一个",
                )
                continue
            seen[name] = key
            yield name, key, value

    def mapping(
        self, node: yaml.Node, what: str, known: Collection[str], required: Collection[str] = ()
    ) -> dict[str, yaml.Node]:
        """
        Read a mapping whose keys are known.

        Parameters
        ----------
        node : yaml.Node
            The mapping.
        what : str
            What it is, for the fault.
        known, required : collection of str
            Keys allowed, and those that must be there.

        Returns
        -------
        dict of str to Node
            Values by known key.
        """
        found: dict[str, yaml.Node] = {}
        meant: set[str] = set()
        for name, key, value in self.pairs(node, what):
            if name in known:
                found[name] = value
                continue
            close = difflib.get_close_matches(name, list(known), n=1)
            meant.update(close)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            self.fault(
                key,
                f"unknown key {name!r} in {what}.{hint}",
                f"“{what}”中有未知的键“{name}”。",
                f"use one of: {', '.join(known)}",
                f"可用的键：{'、'.join(known)}",
            )
        if isinstance(node, yaml.MappingNode):
            for name in required:
                if name not in found and name not in meant:
                    self.fault(node, f"{what} lacks {name!r}.", f"“{what}”缺少“{name}”。")
        return found

    def text(self, node: yaml.Node | None, what: str, allowed: Collection[str] = ()) -> str:
        """
        Read a word.

        Parameters
        ----------
        node : yaml.Node or None
            The value; None gives an empty text.
        what : str
            What it is, for the fault.
        allowed : collection of str
            Words allowed; any where empty.

        Returns
        -------
        str
            The text as written, or empty where it is at fault.
        """
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode) or self.is_null(node):
            self.fault(node, f"{what} must be a text.", f"“{what}”应为文字。")
            return ""
        value: str = node.value.strip()
        if allowed and value not in allowed:
            self.fault(
                node,
                f"{what} is {value!r}, which is not allowed.",
                f"“{what}”不能是“{value}”。",
                f"use one of: {', '.join(allowed)}",
                f"可用：{'、'.join(allowed)}",
            )
            return ""
        return value

    def day(self, node: yaml.Node | None, what: str) -> date | None:
        """
        Read a day written as 2022-12-25.

        Parameters
        ----------
        node : yaml.Node or None
            The value or key.
        what : str
            What it is, for the fault.

        Returns
        -------
        date or None
            None where absent or at fault.
        """
        if node is None:
            return None
        value = str(node.value).strip() if isinstance(node, yaml.ScalarNode) else ""
        try:
            if _DAY.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        self.fault(
            node,
            f"{what} must be a day, found {value!r}.",
            f"“{what}”应为日期，实为“{value}”。",
            "write it as 2022-12-25",
            "写成 2022-12-25",
        )
        return None

    def number(self, node: yaml.Node, what: str) -> float | None:
        """
        Read a plain decimal number.

        Parameters
        ----------
        node : yaml.Node
            The value.
        what : str
            What it is, for the fault.

        Returns
        -------
        float or None
            None where at fault; a number in quotes is a text.
        """
        value: Any = node.value
        if isinstance(node, yaml.ScalarNode) and node.style is None and _NUMBER.fullmatch(value):
            return float(value)
        shown = repr(value) if isinstance(node, yaml.ScalarNode) else "a list or mapping"
        self.fault(
            node,
            f"{what} must be a plain number, found {shown}.",
            f"“{what}”应为数值。",
            "write digits and a decimal point, no quotes and no unit",
            "只写数字和小数点，不加引号和单位",
        )
        return None

    def flag(self, node: yaml.Node | None, what: str) -> bool:
        """
        Read true or false.

        Parameters
        ----------
        node : yaml.Node or None
            The value; None is false.
        what : str
            What it is, for the fault.

        Returns
        -------
        bool
            The flag; false where at fault.
        """
        return self.text(node, what, ("true", "false")) == "true"

    @staticmethod
    def is_null(node: yaml.Node) -> bool:
        """
        Tell whether a value is written as null.

        Parameters
        ----------
        node : yaml.Node
            The value.

        Returns
        -------
        bool
            True for ``null``, ``~`` and nothing at all.
        """
        return bool(node.tag == "tag:yaml.org,2002:null")
