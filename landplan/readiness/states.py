"""Where each item stands for each parcel on a day: evaluations, servicing, the six conditions of 净地, the checklist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landplan.readiness.checklist import CLEAR_LAND, Checklist, Item, matches_rule
from landplan.schema.words import is_among
from landplan.verdict import STOPPING, Stops

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "LEVELS",
    "OF_STOP",
    "STATES",
    "State",
    "item_states",
    "judge_clear_land",
    "judge_evaluations",
    "judge_servicing",
    "say_states",
]

State = NDArray[np.int8]
STATES = (
    "not_required", "done", "pending", "partly", "unknown", "suspended", "expired", "missing", "failed",
)  # fmt: skip
"""States of a task, the worst last: of two that make one item the worse counts, and what is known not to be done outweighs
what is not known. A state is held as its place in here."""
_NOT_REQUIRED, _DONE, _PENDING, _PARTLY, _UNKNOWN, _SUSPENDED, _EXPIRED, _MISSING, _FAILED = range(9)

_THREE = ("road", "water", "power", "levelling")
_FIVE = (*_THREE, "drainage", "telecom")
LEVELS = {"three": _THREE, "five": _FIVE, "seven": (*_FIVE, "gas", "heat")}
"""What 三通一平, 五通一平 and 七通一平 are made of, by code of the item."""

_WHOLE = 1.0 - 1e-6  # a surveyor's outline is drawn again, not copied
_OF_EVENT = {"done": _DONE, "pending": _PENDING, "suspended": _SUSPENDED, "none": _MISSING, "void": _MISSING}
_OF_EVALUATION = {
    "covered": _DONE, "partly": _PARTLY, "expired": _EXPIRED, "missing": _MISSING, "not_required": _NOT_REQUIRED,
}  # fmt: skip
_EVALUATED = ("unknown", "covered", "partly", "expired", "missing", "not_required")
_OF_FINDING = {"refer": _PENDING, "unknown": _UNKNOWN, "fail": _FAILED}
OF_STOP = np.array([_OF_FINDING[word] for word in STOPPING], dtype=np.int8)
"""The state of a task by the place of its finding in ``STOPPING``."""


def judge_evaluations(
    parcels: DataFrame, items: Iterable[str], zones: Mapping[str, Sequence[str]], as_of: date
) -> DataFrame:
    """
    Tell whether each area evaluation is there for each parcel, by the list its own zone asks for.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``evaluation_<item>_share`` and ``_until`` where they were measured, and ``zone_code``.
    items : iterable of str
        Codes of the items the project keeps.
    zones : mapping of str to sequence of str
        Items a zone asks for, by its code; a zone not named, and a parcel in no zone, need all.
    as_of : date
        The day.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``evaluation_<item>_state``: ``covered`` by evaluations in date, ``partly``, ``expired`` where the last that covered
        it has run out, ``missing``, ``not_required`` by its zone, ``unknown`` where the share is not known.
    """
    codes = list(dict.fromkeys([*items, *(item for listed in zones.values() for item in listed)]))
    zone = parcels["zone_code"] if "zone_code" in parcels.columns else pd.Series(np.nan, index=parcels.index)
    result: dict[str, Any] = {}
    for item in codes:
        share = _floats(parcels, f"evaluation_{item}_share")
        until = _days(parcels, f"evaluation_{item}_until")
        over = until < np.datetime64(as_of, "s")
        with np.errstate(invalid="ignore"):
            place = np.select([np.isnan(share), share >= _WHOLE, share > 1e-9, over], [0, 1, 2, 3], 4)
        excused = [code for code, listed in zones.items() if item not in listed]
        if excused:
            place[is_among(zone, excused)] = 5
        result[f"evaluation_{item}_state"] = pd.array(_EVALUATED, dtype="str").take(place)
    return pd.DataFrame(result, index=parcels.index)


def judge_servicing(parcels: DataFrame, items: Iterable[str] = ()) -> DataFrame:
    """
    Tell how far each parcel is served, item by item, and which 几通一平 it has reached.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With ``event_<item>_state`` and, where networks were measured, ``servicing_<item>_share`` and ``_expected_on``.
    items : iterable of str
        Codes asked for besides those the frame speaks of.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``servicing_<item>_state``: the parcel's own event counts first, then the networks it lies in: ``done``, ``partly``,
        ``pending`` where under way or expected on a day, ``missing``, ``unknown``. And ``servicing_level``: the highest of
        ``three``, ``five``, ``seven`` whose every item is done; ``none`` where an item of 三通一平 is known not to be;
        else ``unknown``.
    """
    spoken = [
        item
        for item in LEVELS["seven"]
        if f"event_{item}_state" in parcels.columns or f"servicing_{item}_share" in parcels.columns
    ]
    measured = [
        str(name)[len("servicing_") : -len("_share")]
        for name in parcels.columns
        if str(name).startswith("servicing_") and str(name).endswith("_share")
    ]
    states = {item: _served(parcels, item) for item in dict.fromkeys([*spoken, *measured, *items])}
    words = ["unknown", "none", *LEVELS]
    level = np.zeros(len(parcels), dtype=np.int64)
    is_done = {item: state == _DONE for item, state in states.items()}
    nowhere = np.zeros(len(parcels), dtype=bool)
    lacking = np.zeros(len(parcels), dtype=bool)
    for item in _THREE:
        if item in states:
            lacking |= ~is_done[item] & (states[item] != _UNKNOWN)
    level[lacking] = words.index("none")
    for name, needed in LEVELS.items():
        whole = np.logical_and.reduce([is_done.get(item, nowhere) for item in needed])
        level[whole] = words.index(name)
    columns: dict[str, Any] = {f"servicing_{item}_state": say_states(state) for item, state in states.items()}
    columns["servicing_level"] = pd.array(words, dtype="str").take(level)
    return pd.DataFrame(columns, index=parcels.index)


def judge_clear_land(parcels: DataFrame, conditions: Mapping[str, State] | None = None) -> DataFrame:
    """
    Tell whether the land is 净地, and which of its six conditions are not known to be met.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With the states of events: ``clear_land``, and the six conditions where they are kept.
    conditions : mapping of str to State or None
        States of conditions known in another way, by their code.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``clear_land``: ``yes`` where it is certified in force, or all six conditions are met; else ``no`` where it or one of
        them is said not to be; else ``unknown``. ``clear_land_missing``: the codes not met or not known, joined by ``、``;
        missing where it is ``yes``.

    Notes
    -----
    The six conditions: rights clear; compensation settled; no dispute; place, use and planning conditions fixed; no
    encumbrance on the land; the basic works there (road, water and power, where nobody says more).
    """
    count = len(parcels)
    certified = _event(parcels, "clear_land")
    states = {}
    for code in CLEAR_LAND:
        state = (conditions or {}).get(code)
        states[code] = _event(parcels, code) if state is None else state
    met = {code: state <= _DONE for code, state in states.items()}
    is_yes = (certified == _DONE) | np.logical_and.reduce(list(met.values()))
    said_not = np.logical_or.reduce([~met[code] & (states[code] != _UNKNOWN) for code in CLEAR_LAND])
    is_no = (certified > _DONE) & (certified != _UNKNOWN) | said_not
    place = np.where(is_yes, 0, np.where(is_no, 1, 2))
    words = pd.array(["yes", "no", "unknown"], dtype="str").take(place)
    # Each of the 64 sets of conditions is spelt once.
    number = np.zeros(count, dtype=np.int64)
    for bit, code in enumerate(CLEAR_LAND):
        number |= np.where(met[code], 0, 1 << bit)
    spelt = [
        "、".join(code for place, code in enumerate(CLEAR_LAND) if mask >> place & 1) for mask in range(64)
    ]
    listed = pd.array([*spelt, None], dtype="str").take(np.where(is_yes, 64, number))
    return pd.DataFrame({"clear_land": words, "clear_land_missing": listed}, index=parcels.index)


def item_states(parcels: DataFrame, rules: Set[str], stops: Stops, checklist: Checklist) -> dict[str, State]:
    """
    Tell where every item of a checklist stands for every parcel.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With the columns of events, evaluations (``evaluation_<item>_state``) and networks.
    rules : set of str
        Rules that were held against the parcels.
    stops : Stops
        Their findings that keep parcels from being ready.
    checklist : Checklist
        The items.

    Returns
    -------
    dict of str to array of int8, n
        Places in ``STATES``, by code; what no column and no finding speaks of is ``unknown``.
    """
    return {
        code: _by_rules(item, stops, rules, len(parcels))
        if item.known_by == "rules"
        else np.maximum.reduce([_one(parcels, item, name) for name in item.names]).astype(np.int8)
        for code, item in checklist.items.items()
    }


def say_states(states: State) -> Any:
    """
    Say states in words.

    Parameters
    ----------
    states : array of int8, n
        Places in ``STATES``.

    Returns
    -------
    ExtensionArray of str, n
        The words.
    """
    return pd.array(STATES, dtype="str").take(states.astype(np.int64))


def _one(parcels: DataFrame, item: Item, name: str) -> State:
    if item.known_by == "servicing":
        return _served(parcels, name)
    if item.known_by == "evaluation":
        return _coded(parcels, f"evaluation_{name}_state", _OF_EVALUATION)
    return _event(parcels, name)


def _event(parcels: DataFrame, item: str) -> State:
    state = _coded(parcels, f"event_{item}_state", _OF_EVENT)
    if item == "basic_works":
        # Nobody certifies them apart where road, water and power are there.
        works = np.maximum.reduce([_served(parcels, each) for each in ("road", "water", "power")])
        state = np.where((state == _UNKNOWN) & (works <= _DONE), works, state).astype(np.int8)
    return state


def _coded(parcels: DataFrame, name: str, words: Mapping[str, int]) -> State:
    """Number the words of a column; a word nobody knows, and none at all, are unknown."""
    if name not in parcels.columns:
        return np.full(len(parcels), _UNKNOWN, dtype=np.int8)
    codes, found = pd.factorize(parcels[name])
    table = np.array([words.get(str(word), _UNKNOWN) for word in found] + [_UNKNOWN], dtype=np.int8)
    return table[codes]


def _served(parcels: DataFrame, item: str) -> State:
    own = _event(parcels, item)
    share = _floats(parcels, f"servicing_{item}_share")
    expected = ~np.isnat(_days(parcels, f"servicing_{item}_expected_on"))
    with np.errstate(invalid="ignore"):
        network = np.select(
            [share >= _WHOLE, expected, share > 1e-9, share >= 0],
            [_DONE, _PENDING, _PARTLY, _MISSING],
            _UNKNOWN,
        )
    state = np.where(own == _UNKNOWN, network, own)
    # What has not been begun on the parcel may still be on its way to it.
    return np.where((state == _MISSING) & expected, _PENDING, state).astype(np.int8)


def _by_rules(item: Item, stops: Stops, rules: Set[str], count: int) -> State:
    named = [rule for rule in rules if any(matches_rule(rule, name) for name in item.names)]
    silent = not named or any(name not in rules for name in item.names if not name.endswith(".*"))
    state = np.full(count, _UNKNOWN if silent else _DONE, dtype=np.int8)
    for code in stops.rules.get_indexer(pd.Index(named, dtype="str")):
        here = stops.rule == code
        np.maximum.at(state, stops.place[here], OF_STOP[stops.status[here]])
    return state


def _floats(parcels: DataFrame, name: str) -> NDArray[np.float64]:
    if name not in parcels.columns:
        return np.full(len(parcels), np.nan)
    return parcels[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _days(parcels: DataFrame, name: str) -> NDArray[np.datetime64]:
    if name not in parcels.columns:
        return np.full(len(parcels), np.datetime64("NaT", "s"))
    return parcels[name].to_numpy(dtype="datetime64[s]")
