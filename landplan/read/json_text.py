"""JSON text to Python, with the names that stand twice in one object remembered."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["Doubled", "parse_json", "parse_json_values"]


class Doubled(dict[str, Any]):
    """An object in which a name stands twice; the last value counts, as everywhere."""

    doubled: dict[str, list[Any]]


def parse_json(text: str) -> Any:
    """
    Parse JSON and remember which names stand twice in one object.

    Parameters
    ----------
    text : str
        The file.

    Returns
    -------
    object
        As :func:`json.loads` gives.

    Raises
    ------
    ValueError, RecursionError
        If it is not JSON, or nested too deeply.

    Examples
    --------
    >>> parse_json('{"a": 1, "a": 2}').doubled
    {'a': [1, 2]}
    """
    return json.loads(text, object_pairs_hook=_object)


def parse_json_values(text: str) -> list[Any]:
    """
    Parse JSON values that stand one after the other in one text, as exports write list after list.

    Parameters
    ----------
    text : str
        The file.

    Returns
    -------
    list of object
        Each as :func:`parse_json` gives it.

    Raises
    ------
    ValueError, RecursionError
        If any of it is not JSON, or nested too deeply; the place is counted from the beginning of the text.

    Examples
    --------
    >>> parse_json_values('[{"a": 1}] [2]')
    [[{'a': 1}], [2]]
    """
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    values = []
    at = _behind_blanks(text, 0)
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        values.append(value)
        at = _behind_blanks(text, end)
    return values


def _behind_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    found = Doubled(plain)
    values: dict[str, list[Any]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    found.doubled = {name: given for name, given in values.items() if len(given) > 1}
    return found
