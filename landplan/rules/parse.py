"""From the text of one rulebook to its rules, refusing whatever could be read in two ways."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from landplan.errors import Fault, UnitError
from landplan.rules.answers import AnswerReader, Context
from landplan.rules.model import Book, Rule
from landplan.rules.nodes import Reader
from landplan.schema import Column, column, dictionary
from landplan.units import find_unit

__all__ = ["Parsed", "parse_book"]

_BOOK = (
    *("rulebook", "title", "extends", "status", "superseded_by", "superseded_on"),
    *("checked_on", "mark", "notes", "rules"),
)
_RULE = (
    *("title", "indicator", "basis", "test", "unit", "force", "by", "values", "reference"),
    *("checked_on", "mark", "overrides", "notes"),
)
_TESTS = ("at_least", "at_most", "between", "one_of", "none_of", "covered")
_MARKS = ("V1", "V2", "user", "示例")
_RULE_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


@dataclass
class Parsed:
    """
    One book as read, with what is wrong in it.

    Parameters
    ----------
    book : Book or None
        The rules that could be read; None where the file is no book at all.
    faults : list of Fault
        Everything wrong, in the order of the file.
    extends_at : str, default ""
        Where the book above is named.
    broken : set of str
        Names of the rules that could not be read.
    """

    book: Book | None
    faults: list[Fault] = field(default_factory=list)
    extends_at: str = ""
    broken: set[str] = field(default_factory=set)


def parse_book(path: Path) -> Parsed:
    """
    Read one rulebook file, and the tables it names.

    Parameters
    ----------
    path : Path
        A YAML file.

    Returns
    -------
    Parsed
        The book and its faults, all at once.
    """
    reader = Reader(path.as_posix())
    try:
        data = path.read_bytes()
    except OSError as error:
        reader.fault(None, f"the file cannot be read: {error.strerror}.", "文件无法读取。")
        return Parsed(None, reader.faults)
    root = reader.compose(data)
    if root is None:
        return Parsed(None, reader.faults)
    top = reader.mapping(root, "rulebook", _BOOK, ("rulebook", "title", "rules"))
    name = reader.text(top.get("rulebook"), "rulebook")
    _check_name(reader, top.get("rulebook"), name, path)
    status = reader.text(top.get("status"), "status", ("in_force", "superseded")) or "in_force"
    if status == "superseded" and "superseded_by" not in top:
        reader.fault(
            top["status"],
            "a superseded book must say superseded_by.",
            "已被取代的规则集须写明 superseded_by。",
        )
    parser = _Parser(reader, path.parent, top)
    rules: dict[str, Rule] = {}
    broken: set[str] = set()
    if "rules" in top:
        for rule_id, key, node in reader.pairs(top["rules"], "rules"):
            rule = parser.rule(rule_id, key, node)
            if rule is None:
                broken.add(rule_id)
            else:
                rules[rule_id] = rule
    digest = hashlib.sha256(data)
    text = data.decode("utf-8-sig")
    for table, content in parser.answers.tables.items():
        digest.update(content)
        text += f"\n# ---- {table} ----\n" + content.decode("utf-8-sig", errors="replace")
    book = Book(
        name=name,
        title=reader.text(top.get("title"), "title"),
        rules=rules,
        text=text,
        sha256=digest.hexdigest(),
        path=path.as_posix(),
        extends=reader.text(top.get("extends"), "extends"),
        status=status,
        superseded_by=reader.text(top.get("superseded_by"), "superseded_by"),
        superseded_on=reader.day(top.get("superseded_on"), "superseded_on"),
        notes=reader.text(top.get("notes"), "notes"),
    )
    return Parsed(book, reader.faults, reader.at(top.get("extends")), broken)


def _check_name(reader: Reader, node: yaml.Node | None, name: str, path: Path) -> None:
    parts = name.split(".")
    tail = [*path.parts[:-1], path.stem][-len(parts) :]
    if name and tail != parts:
        reader.fault(
            node,
            f"the book calls itself {name!r} but lies at {'/'.join(path.parts[-len(parts) :])!r}.",
            f"规则集名“{name}”与所在路径不一致。",
            f"name it {'.'.join(tail)!r}, or move it to {'/'.join(parts)}.yaml",
            f"改名为“{'.'.join(tail)}”，或移到 {'/'.join(parts)}.yaml",
        )


class _Parser:
    """Reads the rules of one book."""

    def __init__(self, reader: Reader, folder: Path, top: dict[str, yaml.Node]) -> None:
        self.reader = reader
        self.answers = AnswerReader(reader, folder)
        self.checked_on = reader.day(top.get("checked_on"), "checked_on")
        self.mark = self._mark(top.get("mark"))
        # A fault of the book is said once, not again for every rule that leans on it.
        self.is_checked, self.is_marked = "checked_on" in top, "mark" in top

    def _mark(self, node: yaml.Node | None) -> str:
        if isinstance(node, yaml.ScalarNode) and node.value.strip().upper().startswith("R"):
            self.reader.fault(
                node,
                f"mark is {node.value!r}: a figure that was only remembered is never shipped.",
                f"把握程度为“{node.value}”：未核对原文的数值不得收录。",
                f"check it against the text and mark it {', '.join(_MARKS)}, or write not_supplied",
                "核对原文后改标，或写 not_supplied",
            )
            return ""
        return self.reader.text(node, "mark", _MARKS)

    def rule(self, rule_id: str, key: yaml.Node, node: yaml.Node) -> Rule | None:
        """Read one rule; None where it has a fault."""
        reader = self.reader
        before = len(reader.faults)
        what = f"rule {rule_id}"
        if not _RULE_ID.fullmatch(rule_id):
            reader.fault(
                key,
                f"{rule_id!r} is not a name of a rule.",
                f"“{rule_id}”不是合规的规则名。",
                "use dotted lower-case words, e.g. far.min",
                "用小写英文加点，如 far.min",
            )
        parts = reader.mapping(node, what, _RULE, ("indicator", "test", "force", "values", "reference"))
        declared = self._column(parts.get("indicator"), "indicator")
        test = reader.text(parts.get("test"), "test", _TESTS)
        unit = self._unit(parts.get("unit"), node, declared, rule_id) if declared else ""
        if declared and test:
            self._check_test(parts["test"], declared, test)
        by = self._by(parts.get("by"))
        context = Context(declared, test, unit, by, "by" in parts, what)
        limits = self.answers.limits(parts.get("values"), parts.get("reference"), context)
        checked_on = reader.day(parts.get("checked_on"), "checked_on") or self.checked_on
        mark = self._mark(parts.get("mark")) or self.mark
        if checked_on is None and not self.is_checked and "checked_on" not in parts:
            reader.fault(
                key,
                f"{what} does not say when it was last compared with the text.",
                f"规则 {rule_id} 没有写明最近一次与原文核对的日期。",
                "write checked_on: for the rule or for the book",
                "在规则或规则集写明 checked_on",
            )
        if not mark and not self.is_marked and "mark" not in parts:
            reader.fault(
                key,
                f"{what} has no mark.",
                f"规则 {rule_id} 没有写明把握程度。",
                f"write mark: {', '.join(_MARKS)}",
                f"写明 mark：{'、'.join(_MARKS)}",
            )
        force = reader.text(parts.get("force"), "force", ("mandatory", "advisory"))
        basis = reader.text(parts.get("basis"), "basis", ("set", "promised", "actual")) or "set"
        overrides = reader.flag(parts.get("overrides"), "overrides")
        if len(reader.faults) > before or declared is None or checked_on is None or not mark:
            return None
        return Rule(
            rule_id=rule_id,
            indicator=declared.name,
            # What landplan measures itself has one basis: the ground.
            basis=basis if "read" in declared.made_by.split() else "",
            test=test,
            unit=unit,
            force=force,
            by=by.name if by else "",
            limits=tuple(sorted(limits, key=lambda limit: limit.since)),
            checked_on=checked_on,
            mark=mark,
            overrides=overrides,
            title=reader.text(parts.get("title"), "title"),
            at=reader.at(key),
        )

    def _column(self, node: yaml.Node | None, what: str) -> Column | None:
        name = self.reader.text(node, what)
        if not name:
            return None
        try:
            declared = column(name)
        except KeyError:
            declared = None
        # The basis is said by basis:, not by a prefix.
        if declared is None or "parcels" not in declared.tables or "." in name:
            known = [c.name for c in dictionary().values() if "parcels" in c.tables]
            self.reader.fault(
                node,
                f"{what} {name!r} is not a column of parcels in columns.csv.",
                f"“{name}”不是 columns.csv 中的地块字段。",
                f"use one of: {', '.join(known)}",
                "使用 columns.csv 中的字段名",
            )
            return None
        return declared

    def _unit(self, node: yaml.Node | None, rule: yaml.Node, declared: Column, rule_id: str) -> str:
        if not declared.is_quantity:
            if node is not None:
                self.reader.fault(
                    node,
                    f"{declared.name} is {declared.kind} and has no unit.",
                    f"“{declared.label()}”没有单位。",
                    "remove unit:",
                    "删去 unit",
                )
            return ""
        if node is None:
            self.reader.fault(
                rule,
                f"rule {rule_id} has no unit; a bare number is not a limit.",
                f"规则 {rule_id} 没有写明单位。",
                f"write unit: {declared.shown_in or declared.unit}",
                f"写明 unit: {declared.shown_in or declared.unit}",
            )
            return ""
        symbol = self.reader.text(node, "unit")
        if not symbol:
            return ""
        try:
            return find_unit(symbol, declared.kind).symbol
        except UnitError as error:
            first = error.faults[0]
            self.reader.fault(
                node,
                f"unit {symbol!r} does not measure {declared.name}, which is of kind {declared.kind}.",
                f"单位“{symbol}”与指标“{declared.label()}”的种类不符。",
                first.mend_en,
                first.mend_zh,
            )
            return ""

    def _check_test(self, node: yaml.Node, declared: Column, test: str) -> None:
        is_number = declared.is_quantity or declared.kind in ("number", "integer")
        is_words = declared.kind in ("category", "code", "text")
        if test == "covered":
            fits = declared.kind == "share"
        elif test in ("one_of", "none_of"):
            fits = is_words
        else:
            fits = is_number
        if not fits:
            self.reader.fault(
                node,
                f"test {test!r} does not suit {declared.name}, which is of kind {declared.kind}.",
                f"比较方式“{test}”不适用于“{declared.label()}”（{declared.kind}）。",
                "numbers: at_least, at_most, between; words: one_of, none_of; shares also covered",
                "数值用 at_least、at_most、between；文字用 one_of、none_of；占比可用 covered",
            )

    def _by(self, node: yaml.Node | None) -> Column | None:
        if node is None:
            return None
        declared = self._column(node, "by")
        if declared is None:
            return None
        if declared.name == "industry_code":
            self.reader.fault(
                node,
                "industry_code names no edition; a table holds for one edition only.",
                "“行业代码”未注明版本，表格只能按一个版本编制。",
                "use industry_gbt4754_2017 or industry_gbt4754_2002",
                "使用 industry_gbt4754_2017 或 industry_gbt4754_2002",
            )
            return None
        if declared.kind not in ("category", "code", "text"):
            self.reader.fault(
                node,
                f"by: {declared.name} is {declared.kind}; only words choose a row.",
                f"“{declared.label()}”不是文字，不能用来选行。",
            )
            return None
        return declared
