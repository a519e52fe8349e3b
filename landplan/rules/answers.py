"""What a rule says from a day on: figures, words and tables, each with the text that is cited for it."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

import yaml

from landplan.errors import Fault
from landplan.rules.model import OTHER, Answer, Limit, is_industry, strip_section
from landplan.rules.nodes import Reader
from landplan.schema import Column
from landplan.units import convert

__all__ = ["AnswerReader", "Context"]

_REFERENCE = ("title", "article", "document", "url", "since_precision", "notes")
_WORDS = ("refer", "expected", "not_supplied")


@dataclass(frozen=True)
class Context:
    """
    What an answer is read against.

    Parameters
    ----------
    column : Column or None
        The indicator; None where it could not be read.
    test, unit : str
        How it is compared, and in which unit; empty where they could not be read.
    by : Column or None
        The column that chooses the row.
    is_by_named : bool
        Whether the rule names one, readable or not.
    what : str
        The rule, for the fault.
    """

    column: Column | None
    test: str
    unit: str
    by: Column | None
    is_by_named: bool
    what: str


class AnswerReader:
    """
    Reads the dated values of the rules of one book.

    Parameters
    ----------
    reader : Reader
        Takes the faults.
    folder : Path
        Where the book lies; its tables lie there too.
    """

    def __init__(self, reader: Reader, folder: Path) -> None:
        """Begin with no table read."""
        self.reader = reader
        self.folder = folder
        self.tables: dict[str, bytes] = {}

    def _references(self, node: yaml.Node | None, what: str) -> dict[date, tuple[str, bool, yaml.Node]]:
        found: dict[date, tuple[str, bool, yaml.Node]] = {}
        if node is None:
            return found
        for name, key, value in self.reader.pairs(node, f"reference of {what}"):
            day = self.reader.day(key, f"key {name!r} of reference")
            parts = self.reader.mapping(value, "reference", _REFERENCE, ("title",))
            words = {part: self.reader.text(parts.get(part), part) for part in _REFERENCE}
            precision = self.reader.text(parts.get("since_precision"), "since_precision", ("day", "year"))
            is_year_only = precision == "year"
            if day is None:
                continue
            if is_year_only and (day.month, day.day) != (1, 1):
                self.reader.fault(
                    key,
                    "since_precision: year goes with the first of January.",
                    "since_precision: year 时日期应写 1 月 1 日。",
                )
            cited = [words["title"], words["article"], words["document"]]
            found[day] = ("，".join(word for word in cited if word), is_year_only, key)
        return found

    def limits(self, node: yaml.Node | None, reference: yaml.Node | None, context: Context) -> list[Limit]:
        """
        Read ``values:`` and ``reference:``, which go by the same days.

        Parameters
        ----------
        node, reference : yaml.Node or None
            The two mappings.
        context : Context
            What they are read against.

        Returns
        -------
        list of Limit
            In the order of the file; faults are noted in the reader.
        """
        references = self._references(reference, context.what)
        limits: list[Limit] = []
        if node is None or context.column is None or not context.test:
            return limits
        days: set[date] = set()
        is_readable = True
        for name, key, value in self.reader.pairs(node, f"values of {context.what}"):
            day = self.reader.day(key, f"key {name!r} of values")
            if day is None:
                is_readable = False
                continue
            days.add(day)
            if reference is not None and day not in references:
                self.reader.fault(
                    key,
                    f"the value of {context.what} from {day} is not cited.",
                    f"{context.what} 自 {day} 起的数值没有依据。",
                    f"write reference: {{{day}: {{title: ...}}}}",
                    f"写明 reference: {{{day}: {{title: ...}}}}",
                )
            cited, is_year_only, _ = references.get(day, ("", False, key))
            rows, default = self._rows(value, context)
            limits.append(Limit(day, is_year_only, rows, default, cited))
        if not days and isinstance(node, yaml.MappingNode) and not node.value:
            self.reader.fault(node, f"{context.what} has no value.", f"{context.what} 没有数值。")
        for day, (_, _, key) in references.items():
            if is_readable and day not in days:
                self.reader.fault(
                    key,
                    f"{context.what} cites a text for {day} but has no value from that day.",
                    f"{context.what} 有 {day} 的依据，却没有该日起的数值。",
                )
        return limits

    def _rows(self, node: yaml.Node, context: Context) -> tuple[dict[str, Answer], Answer | None]:
        """Read what holds from one day: an answer for all, or a row for each key."""
        if not isinstance(node, yaml.MappingNode):
            return {}, self._answer(node, context)
        if context.by is None:
            if not context.is_by_named:
                self.reader.fault(
                    node,
                    f"{context.what} has a row for each key but no by:.",
                    f"{context.what} 分行取值，却没有写明 by。",
                    "write by: and the column that chooses the row",
                    "写明 by 及用来选行的字段",
                )
            return {}, None
        if any(isinstance(key, yaml.ScalarNode) and key.value == "table" for key, _ in node.value):
            return self._table(node, context)
        rows: dict[str, Answer] = {}
        default: Answer | None = None
        for name, key, value in self.reader.pairs(node, f"values of {context.what}"):
            answer = self._answer(value, context)
            if answer is None:
                continue
            if name == OTHER:
                default = answer
                continue
            plain = self._key(name, self.reader.at(key), context)
            if plain in rows:
                self.reader.fault(
                    key,
                    f"industry {plain} occurs twice in {context.what}.",
                    f"行业 {plain} 在 {context.what} 中重复。",
                )
            if plain:
                rows[plain] = answer
        return rows, default

    def _key(self, name: str, at: str, context: Context) -> str:
        by = context.by
        if by is None:
            return name
        plain = strip_section(name) if is_industry(by.name) else name
        if by.kind == "category" and name not in by.values:
            plain = ""
        if not plain:
            known = f"one of: {', '.join(by.values)}" if by.values else "GB/T 4754, e.g. C30"
            self.reader.faults.append(
                Fault(
                    en=f"{name!r} is not a value of {by.name}.",
                    zh=f"“{name}”不是“{by.label()}”的取值。",
                    at=at,
                    mend_en=f"use {known}, or {OTHER} for all others",
                    mend_zh=f"可用：{'、'.join(by.values) or 'GB/T 4754 代码，如 C30'}；其余用“{OTHER}”",
                )
            )
        return plain

    def _answer(self, node: yaml.Node, context: Context) -> Answer | None:
        """Read one answer: a word, a number, two numbers, or a list of words."""
        reader = self.reader
        if reader.is_null(node):
            return Answer("repealed")
        if isinstance(node, yaml.ScalarNode) and node.value in _WORDS:
            return Answer(node.value)
        declared = context.column
        if declared is None:
            return None
        if context.test in ("one_of", "none_of"):
            if not isinstance(node, yaml.SequenceNode) or not node.value:
                reader.fault(
                    node,
                    f"{context.test} needs a list of words, e.g. [done].",
                    f"{context.test} 需要列表，如 [done]。",
                )
                return None
            allowed = tuple(declared.values) if declared.kind == "category" else ()
            words = tuple(reader.text(part, f"value of {context.what}", allowed) for part in node.value)
            if is_industry(declared.name):
                words = tuple(strip_section(word) or word for word in words)
            return Answer(words=words)
        if context.test == "between":
            if not isinstance(node, yaml.SequenceNode) or len(node.value) != 2:
                reader.fault(node, "between needs [lowest, highest].", "between 需要 [下限, 上限]。")
                return None
            low, high = (reader.number(part, f"value of {context.what}") for part in node.value)
            if low is None or high is None:
                return None
            if low > high:
                reader.fault(
                    node,
                    f"the lower limit {low:g} is above the upper {high:g}.",
                    f"下限 {low:g} 大于上限 {high:g}。",
                )
                return None
            return self._plausible(node, Answer(lower=low, upper=high), context)
        number = reader.number(node, f"value of {context.what}")
        return None if number is None else self._plausible(node, Answer(lower=number), context)

    def _plausible(self, node: yaml.Node | str, answer: Answer, context: Context) -> Answer | None:
        declared = context.column
        if declared is None or declared.kind != "share" or not context.unit:
            return answer
        highest = answer.lower if math.isnan(answer.upper) else answer.upper
        if convert(highest, context.unit, declared.unit, "share") > 1:
            self.reader.faults.append(
                Fault(
                    en=f"{highest:g} in unit {context.unit!r} is a share above the whole.",
                    zh=f"占比 {highest:g}（单位“{context.unit}”）超过 100%。",
                    at=node if isinstance(node, str) else self.reader.at(node),
                    mend_en="check the unit: 40 with '%', 0.4 with '1'",
                    mend_zh="核对单位：40 配“%”，0.4 配“1”",
                )
            )
            return None
        return answer

    def _table(self, node: yaml.Node, context: Context) -> tuple[dict[str, Answer], Answer | None]:
        """Read the rows from a CSV beside the book."""
        reader = self.reader
        parts = reader.mapping(node, "table", ("table", "key", "value"), ("table", "key", "value"))
        name, key, value = (reader.text(parts.get(part), part) for part in ("table", "key", "value"))
        if not (name and key and value):
            return {}, None
        if context.test not in ("at_least", "at_most", "covered"):
            reader.fault(
                node,
                f"a table holds one number a row; test {context.test} needs more.",
                "表格每行只有一个数值。",
            )
            return {}, None
        place = PurePosixPath(name)
        # A book may come from anywhere; it must not make landplan read files outside its folder.
        if place.is_absolute() or ".." in place.parts or "\\" in name or ":" in name:
            reader.fault(
                parts["table"],
                f"table {name!r} leaves the folder of the book.",
                "表格须在规则集所在文件夹内。",
            )
            return {}, None
        try:
            content = (self.folder / place).read_bytes()
            records = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        except OSError:
            reader.fault(parts["table"], f"table {name!r} is not there.", f"找不到表格“{name}”。")
            return {}, None
        except (UnicodeDecodeError, csv.Error):
            reader.fault(
                parts["table"], f"table {name!r} is not CSV in UTF-8.", f"表格“{name}”不是 UTF-8 的 CSV。"
            )
            return {}, None
        self.tables[name] = content
        missing = [title for title in (key, value) if not records or title not in records[0]]
        if missing:
            reader.fault(
                node,
                f"table {name!r} lacks column {', '.join(missing)}.",
                f"表格“{name}”缺少列“{'、'.join(missing)}”。",
            )
            return {}, None
        return self._records(records, name, (key, value), context)

    def _records(
        self, records: list[dict[str, str]], name: str, columns: tuple[str, str], context: Context
    ) -> tuple[dict[str, Answer], Answer | None]:
        rows: dict[str, Answer] = {}
        default: Answer | None = None
        for line, record in enumerate(records, start=2):
            at = f"{(self.folder / name).as_posix()}:{line}"
            key, cell = ((record[title] or "").strip() for title in columns)
            answer: Answer | None
            if cell in _WORDS:
                answer = Answer(cell)
            elif re.fullmatch(r"[-+]?\d+(\.\d+)?", cell):
                answer = self._plausible(at, Answer(lower=float(cell)), context)
                if (record.get("mark") or "").startswith("R"):
                    self.reader.faults.append(
                        Fault(
                            en=f"row {key} is marked R: a figure that was only remembered is never shipped.",
                            zh=f"“{key}”行标为 R：未核对原文的数值不得收录。",
                            at=at,
                            mend_en="write not_supplied",
                            mend_zh="改写为 not_supplied",
                        )
                    )
            else:
                answer = None
                self.reader.faults.append(
                    Fault(
                        en=f"{columns[1]} of row {key} must be a plain number, found {cell!r}.",
                        zh=f"“{key}”行的“{columns[1]}”应为数值，实为“{cell}”。",
                        at=at,
                        mend_en=f"write a number or one of: {', '.join(_WORDS)}",
                        mend_zh=f"写数值，或 {'、'.join(_WORDS)}",
                    )
                )
            if key == OTHER:
                default = answer
                continue
            plain = self._key(key, at, context)
            if plain in rows:
                self.reader.faults.append(
                    Fault(
                        en=f"row {key} occurs twice.",
                        zh=f"“{key}”行重复。",
                        at=at,
                        mend_en="remove one of the two",
                    )
                )
            if plain and answer is not None:
                rows[plain] = answer
        return rows, default
