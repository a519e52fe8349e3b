"""Tables exported as JSON: each array of records becomes a sheet, each record one of its rows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from landplan.issues import Issue
from landplan.read.encoding import Decision, decide_encoding
from landplan.read.grid import Grid, Workbook
from landplan.read.json_text import Doubled, parse_json_values

if TYPE_CHECKING:
    from landplan.read.door import Door

__all__ = ["read_json_grids"]

_MAX_JSON = 512 * 1024**2  # as for GeoJSON
_MAX_CELLS = 20_000_000
_SHOWN = 60
# What is left where a text ends within a number or a word.
_BEGUN = re.compile(r"-|[.eE][+-]?|t(ru?)?|f(a(ls?)?)?|n(ul?)?|\\(u[0-9a-fA-F]{0,3})?|")


def read_json_grids(door: Door, *, encoding: str | None = None, how: str = "option") -> Workbook:
    """
    Read every array of records in a JSON file.

    Parameters
    ----------
    door : Door
        An open door of kind ``json``.
    encoding : str, optional
        Encoding of the text; where None, UTF-8 as the format has it, or what the bytes say.
    how : str, default "option"
        Where the encoding was given.

    Returns
    -------
    Workbook
        One grid per array, named ``1``, ``2``, ...: names in row 0, record k in row k. Objects within a record
        are spread one level deep under dotted names; lists and what lies deeper are kept as JSON text.
        Without grids where the file is refused; its issues say why.
    """
    if (size := door.path.stat().st_size) > _MAX_JSON:
        issue = Issue("LIMIT.SIZE", source=door.name, value=f"{size / 1024**2:.0f} MB JSON")
        return Workbook(issues=(issue,))
    body = door.path.read_bytes()
    decision = _decide(body, encoding, how, door.name)
    notes = list(decision.issues)

    def refuse(code: str, value: str) -> Workbook:
        refusal = Issue(code, source=door.name, value=value)
        return Workbook((), decision.encoding, decision.how, (*notes, refusal))

    try:
        text = body.decode(decision.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if len(body) - error.start < 4:
            return refuse("FILE.TRUNCATED", f"{error.start} / {len(body)} B")
        if any(note.code == "ENC.UNDECODABLE" for note in notes):
            return Workbook((), decision.encoding, decision.how, tuple(notes))
        return refuse("ENC.UNDECODABLE", decision.encoding)
    try:
        values = parse_json_values(text)
    except json.JSONDecodeError as error:
        code = "FILE.TRUNCATED" if _is_cut(text, error) else "FILE.UNREADABLE"
        return refuse(code, f"{error.msg}: line {error.lineno} column {error.colno}")
    except (ValueError, RecursionError) as error:
        return refuse("FILE.UNREADABLE", str(error)[:160])
    grids = []
    for number, value in enumerate(values, 1):
        if not isinstance(value, list):
            return refuse("FILE.UNREADABLE", f"not an array: {_shown(value)}")
        grid = _spread(value, str(number), door.name)
        if grid is None:
            return refuse("LIMIT.SIZE", f"> {_MAX_CELLS} cells")
        grids.append(grid)
    return Workbook(tuple(grids), decision.encoding, decision.how, tuple(notes))


def _decide(body: bytes, encoding: str | None, how: str, source: str) -> Decision:
    if encoding:
        return decide_encoding(body.splitlines(), option=encoding, how=how, source=source)
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return decide_encoding(body.splitlines(), source=source)
    # RFC 8259, section 8.1: JSON is UTF-8, so that nothing was guessed.
    return Decision("utf-8", "format")


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Whether a text is no JSON because its end is missing."""
    return error.msg.startswith("Unterminated string") or bool(_BEGUN.fullmatch(text[error.pos :].rstrip()))


def _spread(records: list[Any], name: str, source: str) -> Grid | None:
    """One array as a grid; None where it is too large."""
    notes: list[Issue] = []
    places: dict[str, int] = {}
    flat: list[dict[str, object]] = []
    for row, record in enumerate(records, 1):
        cells: dict[str, object] = {}
        for field, values in _doubled(record):
            shown = f"{field}: " + " / ".join(_shown(given) for given in values)
            notes.append(Issue("ATTR.DOUBLE_KEY", source, name, row, field=field, value=shown))
        for field, value in _flatten(record) if isinstance(record, dict) else ():
            if field in cells:
                # {"a": {"b": 1}, "a.b": 2}
                shown = f"{field}: {_shown(cells[field])} / {_shown(value)}"
                notes.append(Issue("ATTR.DOUBLE_KEY", source, name, row, field=field, value=shown))
            cells[field] = value
            places.setdefault(field, len(places))
        if all(value is None or (isinstance(value, str) and not value.strip()) for value in cells.values()):
            notes.append(Issue("FILE.BAD_RECORD", source, name, row, value=_shown(record)))
        flat.append(cells)
        if len(records) * len(places) > _MAX_CELLS:
            return None
    rows: list[list[object]] = [list(places)]
    rows += [[cells.get(field, "") for field in places] for cells in flat]
    return Grid(name, rows, is_records=True, notes=tuple(notes))


def _flatten(record: dict[str, Any]) -> Iterator[tuple[str, object]]:
    for field, value in record.items():
        if isinstance(value, dict):
            yield from ((f"{field}.{inner}", _cell(part)) for inner, part in value.items())
        else:
            yield field, _cell(value)


def _cell(value: Any) -> object:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and not math.isfinite(value):
        # NaN is a missing value; an infinite one must fault as a number.
        return None if math.isnan(value) else str(value)
    return value


def _doubled(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Names that stand twice, at whatever depth, with the values given."""
    if isinstance(value, Doubled):
        yield from ((f"{path}{name}", given) for name, given in value.doubled.items())
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _doubled(part, f"{path}{name}.")
    elif isinstance(value, list):
        for part in value:
            yield from _doubled(part, path)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:_SHOWN]
