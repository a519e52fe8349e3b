"""A list on the map: which parcels are on it, how they are coloured, what the list says of each, and sums that close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from landplan.supply.books import book_areas

__all__ = ["Block", "Listing", "Theme", "class_sums", "lay_out"]

_MOST_CLASSES = 8
_OTHER = "\u0000other"


@dataclass(frozen=True)
class Block:
    """
    One row of a list as it stands in the panel.

    Parameters
    ----------
    title : str
        What the row is about; empty where the list has one row a parcel.
    facts : list of (str, str)
        Labels and texts.
    """

    title: str
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class Theme:
    """
    One way to colour the map.

    Parameters
    ----------
    title : str
        Heads the legend, and names it in the chooser where a list has several.
    of : Series of str, indexed by parcel_id or zone_code
        Class of each; missing where it is not on the list.
    words : mapping of str to str
        Classes and the words for them, in the order of the legend; a class no parcel has is shown with 0.
    family : {"kinds", "steps", "signal"}
        Looks are taken from it by position: ``kinds`` that have no order, ``steps`` from early to late, a ``signal``
        of good, bad and doubtful. The class ``unknown`` has a look of its own.
    rest : str
        What those are called that are not on the list.
    """

    title: str
    of: pd.Series[Any]
    words: Mapping[str, str]
    family: str = "kinds"
    rest: str = "未列入"


@dataclass(frozen=True)
class Listing:
    """
    A list as a map shows it.

    Parameters
    ----------
    subtitle : str
        Name of the map.
    group : str
        Heading of the list's facts in the panel.
    themes : sequence of Theme
        The first is shown; the others can be chosen.
    blocks : mapping of str to list of Block
        What the list says, by parcel or zone.
    says : mapping of str to str
        A few words for the tip of each.
    notes : list of str
        Lines under the legend: what is on the list and not on the map.
    is_of_zones : bool
        Whether the list is one of zones, not of parcels.
    empty : str
        What is said where nothing is on the list.
    """

    subtitle: str
    group: str
    themes: Sequence[Theme]
    blocks: Mapping[str, list[Block]] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_of_zones: bool = False
    empty: str = "截至评定日没有符合条件的地块。"


def lay_out(
    listing: Listing, items: pd.Index[Any], areas_m2: pd.Series[Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """
    Turn a list into data for the page.

    Parameters
    ----------
    listing : Listing
        The list.
    items : Index of str, n
        Parcels or zones in the order of the page.
    areas_m2 : Series of float, indexed like them
        Plane areas; NaN where unknown.

    Returns
    -------
    dict
        Heading, labels, themes with their classes and sums, notes.
    list of n dict
        For each item its class in every theme (``c``, -1 for none), rows of the list (``b``) and words (``w``).
    """
    labels: dict[str, int] = {}
    themes, chosen = [], []
    for theme in listing.themes:
        drawn, codes = _theme(theme, items, areas_m2)
        themes.append(drawn)
        chosen.append(codes)
    rows = []
    for at, item in enumerate(items.astype("str")):
        row: dict[str, Any] = {"c": [int(codes[at]) for codes in chosen]}
        blocks = listing.blocks.get(item)
        if blocks:
            row["b"] = [
                [b.title, [[labels.setdefault(label, len(labels)), text] for label, text in b.facts]]
                for b in blocks
            ]
        if listing.says.get(item):
            row["w"] = listing.says[item]
        rows.append(row)
    listed = sum(codes >= 0 for codes in chosen) > 0 if chosen else np.zeros(len(items), dtype=bool)
    data = {
        "group": listing.group,
        "labels": list(labels),
        "themes": themes,
        "notes": listing.notes,
        "unit": "个" if listing.is_of_zones else "宗",
        "listed": int(np.count_nonzero(listed)),
    }
    return data, rows


def _theme(
    theme: Theme, items: pd.Index[Any], areas_m2: pd.Series[Any]
) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    of = theme.of.reindex(items)
    words = {**theme.words, **{key: key for key in sorted(set(of.dropna()) - set(theme.words))}}
    if len(words) > _MOST_CLASSES:  # more could not be told apart: the fullest keep a look of their own
        full = of.value_counts().reindex(list(words)).fillna(0).sort_values(ascending=False, kind="stable")
        kept = {*full.index[: _MOST_CLASSES - 1], "unknown"}
        of = of.where(of.isin(kept) | of.isna(), _OTHER)
        words = {**{key: word for key, word in words.items() if key in kept}, _OTHER: "其他"}
    codes = pd.Categorical(of.to_numpy(dtype=object), categories=list(words)).codes.astype("int64")
    sums = class_sums(codes, areas_m2.reindex(items).to_numpy(dtype="float64"), len(words))
    plain = [key for key in words if key != "unknown"]
    classes = [
        {"key": key, "label": word, "look": plain.index(key) if key in plain else -1, **counted}
        for (key, word), counted in zip(words.items(), sums, strict=False)
    ]
    for known in classes:
        known["key"] = "other" if known["key"] == _OTHER else known["key"]
    drawn = {
        "title": theme.title,
        "family": theme.family,
        "classes": classes,
        "sum": {name: _total(sums[:-1], name) for name in ("count", "mu")},
        "rest": {"label": theme.rest, **sums[-1]},
        "total": {name: _total(sums, name) for name in ("count", "mu")},
        "unmeasured": int(np.isnan(areas_m2.to_numpy(dtype="float64")).sum()),
    }
    return drawn, codes


def _total(sums: Sequence[Mapping[str, Any]], name: str) -> Any:
    return round(sum(row[name] for row in sums), 2)


def class_sums(
    codes: np.ndarray[Any, Any], areas_m2: np.ndarray[Any, Any], classes: int
) -> list[dict[str, Any]]:
    """
    Count each class and those in none.

    Parameters
    ----------
    codes : ndarray of int, n
        Class of each, -1 for none.
    areas_m2 : ndarray of float, n
        NaN adds nothing.
    classes : int
        How many there are.

    Returns
    -------
    list of dict
        ``count`` and ``mu`` (亩) of each class, then of those in none. Areas are rounded to 0.01 亩 half-up parcel by
        parcel, as the balance does, so that the classes add up to the whole to the last digit.

    Examples
    --------
    >>> class_sums(np.array([0, -1]), np.array([10000.0, 5000.0]), 1)
    [{'count': 1, 'mu': 15.0}, {'count': 1, 'mu': 7.5}]
    """
    hundredths = book_areas(pd.Series(areas_m2)).fillna(0).to_numpy(dtype="int64")
    places = np.where(codes < 0, classes, codes)
    counts = np.bincount(places, minlength=classes + 1)
    sums = np.zeros(classes + 1, dtype="int64")
    np.add.at(sums, places, hundredths)
    return [{"count": int(n), "mu": int(s) / 100} for n, s in zip(counts, sums, strict=True)]
