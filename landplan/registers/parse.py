"""One declaration of a register read from YAML: every fault at once, with its file and line."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import yaml

from landplan.errors import Fault, UnitError
from landplan.periods import parse_period
from landplan.registers.declaration import PLACES, Declaration
from landplan.rules.nodes import Reader
from landplan.schema import Column, Table, dictionary
from landplan.units import CANONICAL, find_unit

__all__ = ["parse_declaration"]

_KEYS = (
    *("register", "title", "title_en", "about", "about_en", "aliases", "key", "latest_by", "as_of", "until"),
    *("released", "people", "parties", "documents", "geometry", "stale_after", "columns"),
)
_OWN = (
    "name",
    "label_zh",
    "label_en",
    "aliases",
    "kind",
    "unit",
    "shown_in",
    "values",
    "allowed",
    "audience",
)
_COLUMN_KEYS = (*_OWN, "meaning", "required", "unit_in")
_DESCRIBED = ("label_zh", "label_en", "kind")
_KINDS = ("text", "code", "category", "day", "flag", "integer", "number", *CANONICAL)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ALLOWED = re.compile(r"(-?\d+(\.\d+)?\.\.-?\d+(\.\d+)?|>=?-?\d+(\.\d+)?)")
_RESERVED = ("source", "source_row", "geometry")
# Who is asked for by name, unless the declaration says otherwise.
_USUAL = {"people": ("person",), "parties": ("party",), "documents": ("document",), "until": ("until",)}


def parse_declaration(
    data: bytes, path: str, name: str = "", *, is_shipped: bool = False
) -> Declaration | list[Fault]:
    """
    Read the declaration of a register.

    Parameters
    ----------
    data : bytes
        YAML in UTF-8.
    path : str
        Where it stands, for faults.
    name : str, default ""
        What it must be called: the name of its file; any where empty.
    is_shipped : bool, default False
        Whether it comes with landplan.

    Returns
    -------
    Declaration or list of Fault
        The faults where there is any: unknown and doubled keys, columns the dictionary does not have and that are not
        described, units of another kind, two columns under one header, roles that name no column.
    """
    reader = Reader(path)
    root = reader.compose(data)
    if root is None:
        return reader.faults
    found = reader.mapping(root, "register", _KEYS, ("register", "title", "title_en", "key", "columns"))
    called = reader.text(found.get("register"), "register")
    if called and not _NAME.fullmatch(called):
        reader.fault(
            found["register"],
            f"{called!r} is no name of a register.",
            f"“{called}”不能用作登记表的名称。",
            "use small letters, digits and _, a letter first",
            "用小写字母、数字和下划线，以字母开头",
        )
    elif called and name and called != name:
        reader.fault(
            found["register"],
            f"the register is called {called!r}, its file {name!r}.",
            f"登记表名称“{called}”与文件名“{name}”不一致。",
            "make them agree",
            "改成一致",
        )
    columns = _Columns(reader)
    columns.read(found.get("columns"))
    columns.tell_apart()
    names = tuple(columns.found)
    roles = {
        role: _roles(reader, found.get(role), role, names)
        if role in found
        else tuple(n for n in _USUAL.get(role, ()) if n in names)
        for role in ("key", "latest_by", "until", "released", "people", "parties", "documents")
    }
    as_of = (_roles(reader, found.get("as_of"), "as_of", names) or ("",))[0]
    for role in ("as_of", "until", "released"):
        for column in (as_of,) if role == "as_of" else roles[role]:
            if column and columns.found[column].kind != "day":
                reader.fault(
                    found.get(role), f"{role}: {column} is no day.", f"“{role}”中的 {column} 不是日期。"
                )
    geometry = reader.text(found.get("geometry"), "geometry", PLACES) or "none"
    if geometry != "none" and names and geometry not in names:
        reader.fault(
            found["geometry"],
            f"rows are placed by {geometry}, but there is no such column.",
            f"按 {geometry} 上图，但没有这一列。",
            f"add the column {geometry}",
            f"增加 {geometry} 一列",
        )
    stale = reader.text(found.get("stale_after"), "stale_after")
    period = parse_period(stale) if stale else None
    if stale and (period is None or not as_of):
        reader.fault(
            found["stale_after"],
            "rows age by a period, counted from as_of." if period else f"{stale!r} is no length of time.",
            "写了 stale_after，还需写明 as_of。" if period else f"“{stale}”不是时长。",
            "write e.g. stale_after: 1 quarter and as_of: measured_on",
            "如 stale_after: 1 quarter、as_of: measured_on",
        )
    texts = {key: reader.text(found.get(key), key) for key in ("title", "title_en", "about", "about_en")}
    aliases = _texts(reader, found.get("aliases"), "aliases")
    if reader.faults or not names or not called:
        faults = reader.faults or [Fault("no register is declared.", "没有声明登记表。", reader.at(root))]
        return sorted(faults, key=lambda fault: int(fault.at.rpartition(":")[2]))
    return Declaration(
        called,
        texts["title"],
        texts["title_en"],
        texts["about"],
        texts["about_en"],
        Table(called, columns.found, roles["key"][0]),
        aliases,
        required=tuple(columns.required),
        as_of=as_of,
        units=columns.units,
        geometry=geometry,
        stale_after=period,
        text=data.decode("utf-8-sig"),
        sha256=hashlib.sha256(data).hexdigest(),
        path=path,
        is_shipped=is_shipped,
        **roles,
    )


def _texts(reader: Reader, node: yaml.Node | None, what: str) -> tuple[str, ...]:
    """One word or a list of them."""
    if node is None:
        return ()
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return tuple(text for one in nodes if (text := reader.text(one, what)))


def _roles(reader: Reader, node: yaml.Node | None, what: str, names: Collection[str]) -> tuple[str, ...]:
    """Columns that play a part; each must be one of the register's."""
    told = _texts(reader, node, what)
    for name in told:
        if names and name not in names:
            reader.fault(
                node,
                f"{what} names {name!r}, which is no column of the register.",
                f"“{what}”中的“{name}”不是本表的列。",
                f"use some of: {', '.join(names)}",
                f"可用：{'、'.join(names)}",
            )
    return tuple(name for name in told if name in names)


@dataclass
class _Columns:
    """Reads the columns: names of the dictionary, or descriptions of new ones."""

    reader: Reader
    found: dict[str, Column] = field(default_factory=dict)
    nodes: dict[str, yaml.Node] = field(default_factory=dict)
    told: dict[str, tuple[str, ...]] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)

    def read(self, node: yaml.Node | None) -> None:
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.reader.fault(
                node, "columns must be a list.", "“columns”应为列表。", "write - name", "写成 - 列名"
            )
            return
        later: list[tuple[str, str, yaml.Node]] = []
        for one in node.value:
            if isinstance(one, yaml.ScalarNode):
                parts: dict[str, yaml.Node] = {"name": one}
            else:
                parts = self.reader.mapping(one, "column", _COLUMN_KEYS, ("name",))
            name = self.reader.text(parts.get("name"), "name")
            if not name:
                continue
            if self._is_taken(name, parts["name"]):
                continue
            known = dictionary().get(name)
            # A column described in full is the register's own: a name that columns.csv gains later must not break it.
            is_own = known is None or all(key in parts for key in _DESCRIBED)
            column = self._described(name, parts) if is_own or known is None else self._adapted(known, parts)
            if column is None:
                continue
            self.found[name], self.nodes[name] = column, parts["name"]
            self.told[name] = _texts(self.reader, parts.get("aliases"), "aliases")
            if self.reader.flag(parts.get("required"), "required"):
                self.required.append(name)
            if "unit_in" in parts:
                later.append((name, self.reader.text(parts["unit_in"], "unit_in"), parts["unit_in"]))
        for name, unit, at in later:
            if unit not in self.found or self.found[name].kind != "number":
                self.reader.fault(
                    at,
                    f"{name}: unit_in needs a number, and a column that holds its unit.",
                    f"{name}：unit_in 只用于 number 类的列，并指向存放单位的列。",
                )
            else:
                self.units[name] = unit

    def _is_taken(self, name: str, node: yaml.Node) -> bool:
        if not _NAME.fullmatch(name) or name in _RESERVED:
            self.reader.fault(
                node,
                f"{name!r} cannot be the name of a column.",
                f"“{name}”不能用作列名。",
                "use small letters, digits and _; source, source_row and geometry are landplan's own",
                "用小写字母、数字和下划线；source、source_row、geometry 由 landplan 自用",
            )
            return True
        if name in self.found:
            first = self.nodes[name].start_mark.line + 1
            self.reader.fault(
                node,
                f"column {name!r} occurs twice, first in line {first}.",
                f"列“{name}”重复，首次出现在第 {first} 行。",
                "remove one of the two",
                "删去其中一个",
            )
            return True
        return False

    def _described(self, name: str, parts: Mapping[str, yaml.Node]) -> Column | None:
        """A column the dictionary does not have."""
        reader, at = self.reader, parts["name"]
        lacking = [key for key in _DESCRIBED if key not in parts]
        if lacking:
            reader.fault(
                at,
                f"column {name!r} is not in columns.csv and lacks {', '.join(lacking)}.",
                f"列“{name}”不在 columns.csv 中，又缺少 {'、'.join(lacking)}。",
                "describe it, or use a name of columns.csv",
                "补写，或改用 columns.csv 中的列名",
            )
            return None
        kind = reader.text(parts["kind"], "kind", _KINDS)
        if not kind:
            return None
        values = self._values(parts.get("values"))
        if (kind == "category") != bool(values):
            reader.fault(
                parts.get("values", at),
                f"{name}: values belong to a category, and a category needs them.",
                f"{name}：category 类的列必须写 values，其他类不能写。",
                "write values: {done: 已办结, open: [未办, 待办]}",
                "如 values: {done: 已办结, open: [未办, 待办]}",
            )
        unit = CANONICAL.get(kind, "")
        return Column(
            name=name,
            tables=("registers",),
            label_zh=reader.text(parts["label_zh"], "label_zh"),
            label_en=reader.text(parts["label_en"], "label_en"),
            aliases=_texts(reader, parts.get("aliases"), "aliases"),
            kind=kind,
            unit=unit,
            shown_in=self._shown_in(parts, kind) or unit,
            bound="",
            sibling="",
            values=values,
            allowed=self._allowed(name, parts, kind),
            # What a bureau does not say to be public is nobody else's.
            audience=reader.text(parts.get("audience"), "audience", ("public", "planner")) or "planner",
            made_by="read",
            meaning=reader.text(parts.get("meaning"), "meaning"),
        )

    def _shown_in(self, parts: Mapping[str, yaml.Node], kind: str) -> str:
        """The unit people read: shown_in, else unit; inside, quantities are in the canonical unit of their kind."""
        units = [self._unit(parts[key], kind, key) for key in ("unit", "shown_in") if key in parts]
        return units[-1] if units else ""

    def _allowed(self, name: str, parts: Mapping[str, yaml.Node], kind: str) -> str:
        node = parts.get("allowed")
        allowed = self.reader.text(node, "allowed")
        if not allowed:
            return ""
        if kind not in ("code", "text"):
            if not _ALLOWED.fullmatch(allowed):
                unit = CANONICAL.get(kind, "")
                self.reader.fault(
                    node,
                    f"{name}: {allowed!r} is no range.",
                    f"{name}：“{allowed}”不是取值范围。",
                    "write 0..1, >0 or >=0" + (f", in {unit}" if unit else ""),
                    "写成 0..1、>0 或 >=0" + (f"，以 {unit} 计" if unit else ""),
                )
            return allowed
        try:
            re.compile(allowed)
        except re.error as error:
            self.reader.fault(
                node, f"{name}: {allowed!r} is no pattern: {error}.", f"{name}：“{allowed}”不是合法的格式。"
            )
        return allowed

    def _unit(self, node: yaml.Node, kind: str, key: str) -> str:
        text = self.reader.text(node, key)
        if kind not in CANONICAL:
            self.reader.fault(
                node,
                f"{kind} has no unit.",
                f"{kind} 类的列没有单位。",
                f"choose a kind of quantity: {', '.join(CANONICAL)}",
                f"改用有单位的类：{'、'.join(CANONICAL)}",
            )
            return ""
        try:
            return find_unit(text, kind).symbol if text else ""
        except UnitError as error:
            self.reader.faults.append(replace(error.faults[0], at=self.reader.at(node)))
            return ""

    def _values(self, node: yaml.Node | None) -> dict[str, tuple[str, ...]]:
        if node is None:
            return {}
        found = {}
        for code, at, words in self.reader.pairs(node, "values"):
            if not _NAME.fullmatch(code):
                self.reader.fault(
                    at,
                    f"{code!r} is no code.",
                    f"“{code}”不是代码。",
                    "write a code in small letters, then the words for it",
                    "冒号前写小写字母代码，冒号后写中文",
                )
            found[code] = _texts(self.reader, words, "values")
        return found

    def _adapted(self, known: Column, parts: Mapping[str, yaml.Node]) -> Column:
        """A column of the dictionary, under another label or in another unit; its kind stays."""
        reader = self.reader
        kind = reader.text(parts.get("kind"), "kind", _KINDS) or known.kind
        if kind != known.kind:
            reader.fault(
                parts["kind"],
                f"{known.name} is a column of columns.csv, of kind {known.kind}.",
                f"{known.name} 是 columns.csv 中的列，类别为 {known.kind}。",
                "leave the kind out, or give the column a name of its own",
                "删去 kind，或另起列名",
            )
            return known
        shown = self._shown_in(parts, known.kind) or known.shown_in
        allowed = self._allowed(known.name, parts, known.kind) or known.allowed
        audience = reader.text(parts.get("audience"), "audience", ("public", "planner")) or known.audience
        if audience == "public" and known.audience == "planner":
            reader.fault(
                parts["audience"],
                f"{known.name} is for the planner; a register cannot make it public.",
                f"{known.name} 仅供内部使用，登记表不能改为公开。",
            )
        values = dict(known.values)
        if "values" in parts and known.kind != "category":
            reader.fault(
                parts["values"], f"{known.name} is no category.", f"{known.name} 不是 category 类的列。"
            )
        for code, words in self._values(parts.get("values")).items():
            values[code] = tuple(dict.fromkeys((*values.get(code, ()), *words)))
        label = reader.text(parts.get("label_zh"), "label_zh")
        aliases = (*_texts(reader, parts.get("aliases"), "aliases"), *known.aliases)
        return replace(
            known,
            label_zh=label or known.label_zh,
            label_en=reader.text(parts.get("label_en"), "label_en") or known.label_en,
            # Under a new label the old one is still understood.
            aliases=(*aliases, known.label_zh) if label else aliases,
            values=values,
            audience=audience,
            shown_in=shown,
            allowed=allowed,
            meaning=reader.text(parts.get("meaning"), "meaning") or known.meaning,
        )

    def tell_apart(self) -> None:
        """See that no header means two columns; names the dictionary brings along give way."""
        taken: dict[str, str] = {}

        def claim(header: str, name: str) -> bool:
            return taken.setdefault(_fold(header), name) == name

        for name, column in self.found.items():
            for header in (name, column.label_zh, column.label_en):
                if not claim(header, name):
                    self._clash(name, header, taken[_fold(header)])
        for name, aliases in self.told.items():
            for alias in aliases:
                if not claim(alias, name):
                    self._clash(name, alias, taken[_fold(alias)])
        for name, column in self.found.items():
            kept = tuple(alias for alias in column.aliases if claim(alias, name))
            self.found[name] = replace(column, aliases=kept)

    def _clash(self, name: str, header: str, other: str) -> None:
        self.reader.fault(
            self.nodes[name],
            f"{header!r} is a header of {other} and of {name}.",
            f"表头“{header}”同时指 {other} 和 {name} 两列。",
            "give one of them another label_zh, label_en or alias",
            "改写其中一列的 label_zh、label_en 或 aliases",
        )


def _fold(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()
