"""Raw cells in: headers recognised, units made canonical; what cannot be read becomes unknown and an issue."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from landplan.errors import UnitError
from landplan.issues import Issue
from landplan.schema.dictionary import Column, Table, column, dictionary
from landplan.schema.suggest import suggest_day, suggest_id, suggest_number, suggest_word, wanted
from landplan.units import convert, find_unit, split_header
from landplan.values import Number, parse_day, parse_number

__all__ = ["Canonical", "canonicalise", "match_header"]

_Array = np.ndarray[Any, Any]

_MOST = 2.0**53  # from here on a whole number is no longer told from its neighbour
_TYPED = ("str", "float64", "int64")
_PLAIN_CODE = r"[!-~]+"  # nothing to be put right in: no blank, nothing wide, nothing invisible
_PLAIN_BYTES, _EXPONENT = b"!~", list(b"eE")
_SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+?\d{2}")
_A_DAY = "年-月-日，如 2024-06-01"
_TRUE = {"是", "有", "true", "1", "yes", "y", "√"}
_FALSE = {"否", "无", "false", "0", "no", "n", "×"}


@dataclass
class Canonical:
    """
    What became of a raw table.

    Parameters
    ----------
    frame : DataFrame
        Canonical columns, same rows and order as the raw table, positional index.
    issues : list of Issue
        Everything found on the way.
    recognised : dict of str to str
        Canonical name by header.
    units : dict of str to str
        Unit read for each canonical quantity.
    unknown, unitless : list of str
        Headers not known, and headers with numbers but no unit.
    """

    frame: pd.DataFrame
    issues: list[Issue] = field(default_factory=list)
    recognised: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    unitless: list[str] = field(default_factory=list)


def _fold(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()


@cache
def _headers(table: str | Table) -> dict[str, str]:
    known: dict[str, str] = {}
    own = isinstance(table, Table)
    for declared in (table.columns if isinstance(table, Table) else dictionary()).values():
        if (own or table in declared.tables) and "*" not in declared.name:
            for alias in (declared.name, declared.label_zh, declared.label_en, *declared.aliases):
                known.setdefault(_fold(alias), declared.name)
    return known


def match_header(header: str, table: str | Table) -> tuple[str, str | None] | None:
    """
    Recognise a column title.

    Parameters
    ----------
    header : str
        As the source writes it, unit in brackets or not.
    table : str or Table
        Table whose columns are looked through.

    Returns
    -------
    tuple of (str, str or None) or None
        Canonical name, and the unit as written; None where the dictionary has no such name. A name cut at the
        ten bytes of a shapefile is matched where only one full name begins with it.

    Examples
    --------
    >>> match_header("固定资产投资强度（万元/亩）", "parcels")
    ('invest_intensity_cny_per_m2', '万元/亩')
    >>> match_header("固定资产投", "parcels")
    ('invest_intensity_cny_per_m2', None)
    """
    known = _headers(table)
    whole = known.get(_fold(header))
    if whole is not None:
        return whole, None
    name, unit = split_header(header)
    folded = _fold(name)
    if folded in known:
        return known[folded], unit
    if re.search(r"[\u4e00-\u9fff]", folded) and len(folded.encode("gb18030")) in (9, 10):
        full = {target for alias, target in known.items() if alias.startswith(folded)}
        if len(full) == 1:
            return full.pop(), unit
    return None


class _Cells:
    """Each distinct cell of a column once, and where it stands: a million rows repeat few spellings."""

    def __init__(self, cells: pd.Series[Any], rows: _Array | None = None) -> None:
        self.rows = rows  # positions in the table, where only some of its rows are looked at
        if str(cells.dtype) in _TYPED:
            codes, found = pd.factorize(cells, use_na_sentinel=False)
            self.values: list[Any] = found.tolist()
            self.where = np.asarray(codes, dtype=np.intp)
        else:
            self._number_all(cells.tolist())
        self._order: Any = None

    def _number_all(self, cells: list[Any]) -> None:
        seen: dict[tuple[type, Any], int] = {}
        self.values = []
        self.where = np.empty(len(cells), dtype=np.intp)
        for position, cell in enumerate(cells):
            key = (type(cell), cell if isinstance(cell, Hashable) and cell == cell else None)  # noqa: PLR0124 - NaN
            at = seen.get(key)
            if at is None:
                at = seen[key] = len(self.values)
                self.values.append(cell)
            self.where[position] = at

    def positions(self, at: int) -> list[int]:
        """Rows of one distinct cell; sorted once, because all faults may be spelt differently."""
        if self._order is None:
            self._order = np.argsort(self.where, kind="stable")
            self._starts = np.searchsorted(self.where[self._order], np.arange(len(self.values) + 1))
        places = self._order[self._starts[at] : self._starts[at + 1]]
        rows: list[int] = (places if self.rows is None else self.rows[places]).tolist()
        return rows


def _matches(texts: pd.Series[Any], pattern: str) -> _Array:
    """Where a pattern matches the whole of a text; compiled once, and not run by Python for each of a million."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.match_substring_regex(pa.array(texts.array), f"^(?:{pattern})$")
    return np.asarray(found.fill_null(False), dtype=bool)


def _is_plain_throughout(texts: pd.Series[Any]) -> bool:
    """Whether every text is a plain code and none a number in powers of ten, as the bytes of all of them tell at once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pa.chunked_array(pa.array(texts.array))
    if column.null_count or not len(column) or not pc.min(pc.binary_length(column)).as_py():
        return False
    for chunk in column.chunks:
        _, offsets, body = chunk.buffers()
        ends = np.frombuffer(offsets, dtype=np.int64 if pa.types.is_large_string(chunk.type) else np.int32)
        held = np.frombuffer(body, dtype=np.uint8)[ends[chunk.offset] : ends[chunk.offset + len(chunk)]]
        if held.min() < _PLAIN_BYTES[0] or held.max() > _PLAIN_BYTES[1] or np.isin(held, _EXPONENT).any():
            return False
    return True


class _Reader:
    """Reads the columns of one raw table; gathers issues as it goes."""

    def __init__(
        self,
        raw: pd.DataFrame,
        source: str,
        layer: str,
        rows: Sequence[int],
        letters: Mapping[str, str],
        missing: Collection[str],
    ) -> None:
        self.raw = raw
        self.source, self.layer, self.rows, self.letters = source, layer, rows, letters
        self.missing = {_fold(word) for word in missing}
        self.issues: list[Issue] = []

    def report(
        self,
        code: str,
        header: Hashable,
        position: int | None,
        value: object,
        *,
        limit: str = "",
        meant: str = "",
    ) -> None:
        row = None if position is None else int(self.rows[position])
        letter = self.letters.get(str(header), "")
        cell = f"{letter}{row}" if letter and row is not None else letter
        self.issues.append(
            Issue(code, self.source, self.layer, row, cell, "", str(header), value, limit, meant)
        )

    def report_all(
        self, code: str, header: Hashable, cells: _Cells, at: int, *, limit: str = "", meant: str = ""
    ) -> None:
        """Name every record in which one faulty cell stands."""
        for position in cells.positions(at):
            self.report(code, header, position, cells.values[at], limit=limit, meant=meant)

    def is_missing(self, cell: object) -> bool:
        if cell is None or (isinstance(cell, float) and np.isnan(cell)) or cell is pd.NaT or cell is pd.NA:
            return True
        text = _fold(str(cell))
        return text == "" or text in self.missing

    def text(self, header: Hashable, declared: Column) -> pd.Series[Any]:
        written = self.raw[header]
        if str(written.dtype) != "str":
            return self._text(_Cells(written), header, declared)
        # Plain cells are taken as they are, all at once; what may be missing or misspelt is looked at one by one.
        if declared.kind == "code" and not self.missing and _is_plain_throughout(written):
            return written.reset_index(drop=True)
        trimmed = written.str.strip()
        plain = self._is_plain(trimmed, declared)
        rows = np.flatnonzero(~plain)
        if len(rows):
            looked_at = self._text(_Cells(written.iloc[rows], rows), header, declared)
            place = np.arange(len(written))
            place[rows] = len(written) + np.arange(len(rows))
            trimmed = pd.concat([trimmed, looked_at]).iloc[place]
        laid: pd.Series[Any] = trimmed.reset_index(drop=True)
        return laid

    def _is_plain(self, trimmed: pd.Series[Any], declared: Column) -> _Array:
        if declared.kind == "code":
            plain = _matches(trimmed, _PLAIN_CODE) & ~_matches(trimmed, _SCIENTIFIC.pattern)
        else:
            plain = (trimmed != "").to_numpy(dtype=bool) & trimmed.notna().to_numpy(dtype=bool)
        if self.missing:
            # A word may be written wider than it is, not four times as long.
            plain &= trimmed.str.len().to_numpy(na_value=0) > 4 * max(map(len, self.missing)) + 4
        return plain

    def _text(self, cells: _Cells, header: Hashable, declared: Column) -> pd.Series[Any]:
        read: list[Any] = []
        for at, cell in enumerate(cells.values):
            if self.is_missing(cell):
                read.append(np.nan)
                continue
            if isinstance(cell, float) and cell.is_integer():
                cell = cells.values[at] = int(cell)  # noqa: PLW2901 - the issue names it as a whole number
            is_code = declared.kind == "code"
            if is_code and (
                abs(cell) >= 10**15 if isinstance(cell, int) else _SCIENTIFIC.fullmatch(str(cell).strip())
            ):
                self.report_all("ATTR.PRECISION", header, cells, at, limit="文本格式；数值格式只保 15 位")
                if declared.name != "parcel_id":
                    # Three codes that became one are no code; the number of a parcel stays, so that it can be named.
                    read.append(np.nan)
                    continue
            elif is_code and (plain := suggest_id(str(cell))):
                self.report_all("ATTR.CODE_SPELLING", header, cells, at, meant=plain)
            read.append(str(cell).strip())
        return pd.Series(read, dtype="object").iloc[cells.where].reset_index(drop=True).astype("str")

    def day(self, header: Hashable) -> pd.Series[Any]:
        cells = _Cells(self.raw[header])
        read: list[Any] = []
        for at, cell in enumerate(cells.values):
            parsed = None if self.is_missing(cell) else parse_day(cell)
            read.append(pd.NaT if parsed is None or parsed.value is None else pd.Timestamp(parsed.value))
            if parsed is None or parsed.is_missing:
                continue
            code = (
                "ATTR.DATE" if parsed.is_fault else "ATTR.DATE_PRECISION" if parsed.precision != "day" else ""
            )
            if code:
                asked, sure = suggest_day(cell)
                self.report_all(code, header, cells, at, limit=asked or _A_DAY, meant=sure)
        days = pd.Series(read, dtype="datetime64[ns]") if read else pd.Series([], dtype="datetime64[ns]")
        return days.iloc[cells.where].reset_index(drop=True).astype("datetime64[s]")

    def category(self, header: Hashable, declared: Column) -> pd.Series[Any]:
        words = {_fold(w): code for code, words in declared.values.items() for w in (code, *words)}
        return self._worded(header, words, wanted(declared)).astype("str")

    def flag(self, header: Hashable) -> pd.Series[Any]:
        words: dict[str, Any] = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
        return self._worded(header, words, "是、否", absent=None).astype("boolean")

    def _worded(
        self, header: Hashable, words: Mapping[str, Any], limit: str, absent: Any = np.nan
    ) -> pd.Series[Any]:
        cells = _Cells(self.raw[header])
        read: list[Any] = []
        for at, cell in enumerate(cells.values):
            value = absent if self.is_missing(cell) else words.get(_fold(str(cell)), absent)
            read.append(value)
            if value is absent and not self.is_missing(cell):
                self.report_all(
                    "ATTR.CATEGORY", header, cells, at, limit=limit, meant=suggest_word(cell, words)
                )
        return pd.Series(read, dtype="object").iloc[cells.where].reset_index(drop=True)

    def number(
        self, header: Hashable, declared: Column, unit: str | None
    ) -> tuple[pd.Series[Any], pd.Series[Any], bool]:
        """Values for the column, values for its sibling, and whether numbers without any unit were met."""
        count = len(self.raw)
        if not count:
            return pd.Series([], dtype="float64"), pd.Series([], dtype="float64"), False
        written = self.raw[header]
        if str(written.dtype) not in ("float64", "int64"):
            return self._number(_Cells(written), header, declared, unit)
        numbers = written.to_numpy(dtype="float64")
        plain = np.isfinite(numbers)
        if declared.kind == "integer":
            plain &= (numbers == np.floor(numbers)) & (np.abs(numbers) < _MOST)
        rows = np.flatnonzero(~plain & ~np.isnan(numbers))
        own, bare = self._plain_numbers(np.where(plain, numbers, np.nan), declared, unit)
        other = np.full(count, np.nan)
        if len(rows):
            odd, odd_other, odd_bare = self._number(_Cells(written.iloc[rows], rows), header, declared, unit)
            own[rows], other[rows], bare = odd, odd_other, bare or odd_bare
        return pd.Series(own), pd.Series(other), bare

    @staticmethod
    def _plain_numbers(numbers: _Array, declared: Column, unit: str | None) -> tuple[_Array, bool]:
        """Numbers in the canonical unit, and whether they have none."""
        if not declared.is_quantity:
            return numbers + 0.0, False
        symbol = unit or (declared.unit if declared.kind in ("ratio", "count") else None)
        if symbol is None:
            return np.full(len(numbers), np.nan), bool(np.isfinite(numbers).any())
        return convert(numbers + 0.0, symbol, declared.unit, declared.kind), False

    def _number(
        self, cells: _Cells, header: Hashable, declared: Column, unit: str | None
    ) -> tuple[pd.Series[Any], pd.Series[Any], bool]:
        own = np.full(len(cells.values), np.nan)
        other = np.full(len(cells.values), np.nan)
        unitless = False
        for at, cell in enumerate(cells.values):
            parsed = (
                Number(np.nan, None, None, None, False, True, False)
                if self.is_missing(cell)
                else parse_number(cell)
            )
            if parsed.is_missing:
                continue
            code = "ATTR.NUMBER" if parsed.is_fault or _is_doubtful(parsed, declared, unit) else ""
            if not code:
                try:
                    lower, upper, bare = self._in_unit(parsed, declared, unit)
                except UnitError:
                    code = "ATTR.BAD_UNIT"
                else:
                    unitless |= bare
                    if bare:
                        continue
                    own[at], other[at], placed = _placed(lower, upper, parsed, declared)
                    code = "" if placed else "ATTR.NUMBER"
                    if placed and parsed.is_approximate:
                        code = "ATTR.APPROXIMATE"
            if code:
                sure = suggest_number(cell) if code == "ATTR.NUMBER" and parsed.is_fault else ""
                self.report_all(code, header, cells, at, limit=wanted(declared, unit), meant=sure)
        return pd.Series(own[cells.where]), pd.Series(other[cells.where]), unitless

    @staticmethod
    def _in_unit(parsed: Number, declared: Column, unit: str | None) -> tuple[float, float, bool]:
        upper = np.nan if parsed.upper is None else parsed.upper
        if not declared.is_quantity:
            return parsed.value, upper, False
        # The cell speaks louder than the header: 200% under a header in % is two, not two hundredths.
        symbol = parsed.unit or unit or (declared.unit if declared.kind in ("ratio", "count") else None)
        if symbol is None:
            return parsed.value, upper, True
        return (
            convert(float(parsed.value), symbol, declared.unit, declared.kind),
            convert(float(upper), symbol, declared.unit, declared.kind),
            False,
        )


def _is_doubtful(parsed: Number, declared: Column, unit: str | None) -> bool:
    """Whether a number, plain in itself, does not fit the column it stands in."""
    if parsed.is_scaled and parsed.unit is None and unit is not None and unit[0] in "万亿":
        # 350万 under 万元 means 350 万元 to whoever wrote it, and 35 亿元 to arithmetic.
        return True
    if parsed.label:
        named = match_header(parsed.label, "parcels")
        if named is not None and named[0] not in (declared.name, declared.sibling):
            return True
    if declared.kind == "integer":
        return (
            not float(parsed.value).is_integer()
            or abs(parsed.value) >= _MOST
            or parsed.upper is not None
            or parsed.unit not in (None, "年")
        )
    return False


def _placed(lower: float, upper: float, parsed: Number, declared: Column) -> tuple[float, float, bool]:
    """Put floor and ceiling into the column and its sibling; False where one of them has no home."""
    if parsed.upper is not None:
        if not declared.sibling:
            return np.nan, np.nan, False
        return (lower, upper, True) if declared.bound == "min" else (upper, lower, True)
    if parsed.bound and declared.bound and parsed.bound != declared.bound:
        return (np.nan, lower, True) if declared.sibling else (np.nan, np.nan, False)
    return lower, np.nan, True


def canonicalise(
    raw: pd.DataFrame,
    table: str | Table,
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    missing: Collection[str] = (),
    source: str = "",
    layer: str = "",
    rows: Sequence[int] | None = None,
    letters: Mapping[str, str] | None = None,
) -> Canonical:
    """
    Turn a raw table into canonical columns; what cannot be read becomes unknown and an issue, never zero.

    Parameters
    ----------
    raw : DataFrame, n rows
        Cells as they were read, any objects; a ``geometry`` column is passed by.
    table : str or Table
        Table of the dictionary it is to become, or one with columns of its own.
    columns, units : mapping of str to str or None
        Canonical name and unit by header, from a profile; they win over the header's own words.
    missing : collection of str
        Words that mean "no value" beside the usual ones.
    source, layer : str
        File and sheet, for issues.
    rows : sequence of int or None
        Row numbers in the source; 1, 2, ... where None.
    letters : mapping of str to str or None
        Letter of each column of a sheet, for cell addresses.

    Returns
    -------
    Canonical
        Frame, issues, and which header became what.

    Examples
    --------
    >>> raw = pd.DataFrame({"编号": ["A-2"], "投资强度（万元/亩）": ["149.93"]})
    >>> canonicalise(raw, "parcels").frame.loc[0, "invest_intensity_cny_per_m2"].item()
    2248.95
    """
    count = len(raw)
    reader = _Reader(
        raw, source, layer, rows if rows is not None else range(1, count + 1), letters or {}, missing
    )
    result = Canonical(pd.DataFrame(index=pd.RangeIndex(count)), reader.issues)
    siblings: dict[str, pd.Series[Any]] = {}
    for header in raw.columns:
        if header == "geometry":
            continue
        title = str(header)
        matched = (
            (columns[title], split_header(title)[1])
            if columns and title in columns
            else match_header(title, table)
        )
        if matched is None:
            result.unknown.append(title)
            continue
        name, unit = matched
        if name in result.frame.columns:
            reader.report("ATTR.DOUBLE_COLUMN", header, None, f"{title} = {name}")
            continue
        declared = (table.columns if isinstance(table, Table) else {}).get(name) or column(name)
        result.recognised[title] = name
        if declared.kind in ("text", "code"):
            result.frame[name] = reader.text(header, declared)
        elif declared.kind == "day":
            result.frame[name] = reader.day(header)
        elif declared.kind == "category":
            result.frame[name] = reader.category(header, declared)
        elif declared.kind == "flag":
            result.frame[name] = reader.flag(header)
        else:
            unit = (units or {}).get(title, unit)
            if unit is not None and declared.is_quantity:
                try:
                    unit = find_unit(unit, declared.kind).symbol
                except UnitError:
                    reader.report("ATTR.BAD_UNIT", header, None, f"{title}: {unit}")
                    unit = None
            own, other, unitless = reader.number(header, declared, unit)
            if unitless:
                result.unitless.append(title)
                reader.report("ATTR.NO_UNIT", header, None, title, limit=f"如 {declared.header()}")
            if declared.is_quantity and unit:
                result.units[name] = unit
            result.frame[name] = own.astype("Int64") if declared.kind == "integer" else own
            if declared.sibling and other.notna().any():
                siblings[declared.sibling] = other
            plain = not re.search(r"[上下]限|最[大小]|[≥≤<>]|m(in|ax)", title, flags=re.I)
            if declared.sibling and plain and own.notna().any() and not (columns and title in columns):
                reader.report("ATTR.BOUND_ASSUMED", header, None, title)
    for name, values in siblings.items():
        if name in result.frame.columns:
            result.frame[name] = result.frame[name].fillna(values)
        else:
            result.frame[name] = values
    if result.unknown:
        reader.report("ATTR.UNKNOWN_COLUMN", "", None, "、".join(result.unknown))
    return result
