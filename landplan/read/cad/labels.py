"""Texts of a drawing: which boundary they stand in, and which of them is the parcel's number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

__all__ = ["Label", "Naming", "name_boundaries"]

# 宗地代码 (GB/T 37346: 19 characters) and 不动产单元代码 (28), blanks taken out.
_CODE = re.compile(r"^\d{12}[A-Z]{2}\d{5}([A-Z]\d{8})?$")
_TITLED = re.compile(r"^(?:地块|宗地|图斑)?(?:编号|号|代码|编码)\s*[:：=]\s*(?P<number>\S+)$")
_MEASURE = re.compile(
    r"^(?:[^\d]*(?:面积|长度?|周长|坐标|比例|半径|标高|容积率|密度|绿地率)[^\d]*|[SAXYHRL]\s*[=:：]\s*|[≈约]\s*)?"
    r"[+-]?\d[\d,]*(?:\.\d+)?\s*(?:亩|公顷|hm2|ha|m2|㎡|m²|平方米|平方公里|米|m|%|％|万元\S*)?$",
    re.IGNORECASE,
)
_SCALE = re.compile(r"^\d+\s*[:：]\s*\d+$")
_CORNER = re.compile(r"^[JKT]\d{1,4}$", re.IGNORECASE)
_WHOLE = re.compile(r"^\d{1,30}$")
_COUNTED = re.compile(r"^(?:第?[一二三四五六七八九十百\d]+号?|[甲乙丙丁]号?)(?:地块|宗地|地)?$")
_PLAIN = re.compile(r"^[A-Za-z0-9\u4e00-\u9fff()（）\-_/.#〔〕\[\]]{1,40}$")


@dataclass(frozen=True)
class Label:
    """
    One line of text in a drawing.

    Parameters
    ----------
    text : str
        As read, without formatting.
    place, start : tuple of float
        Middle of the text as far as it can be estimated, and where it begins; drawing units.
    """

    text: str
    place: tuple[float, float]
    start: tuple[float, float]


@dataclass(frozen=True)
class Naming:
    """
    What is written in one boundary.

    Parameters
    ----------
    number : str or None
        The parcel's number; None where no text, or no single text, looks like one.
    rivals : tuple of str
        Texts that look like a number equally well.
    others : tuple of str
        All other texts.
    """

    number: str | None
    rivals: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def name_boundaries(polygons: Sequence[Any], labels: Sequence[Label]) -> list[Naming]:
    """
    Give every boundary the number that is written in it.

    Parameters
    ----------
    polygons : sequence of shapely.Polygon
        Boundaries in drawing units.
    labels : sequence of Label
        All texts of the drawing.

    Returns
    -------
    list of Naming
        One per polygon. A text inside nested boundaries belongs to the smallest.

    Examples
    --------
    >>> plot = shapely.box(0, 0, 100, 100)
    >>> words = [Label(t, (50, y), (40, y)) for t, y in (("A-01", 60), ("工业用地", 50), ("10000.00㎡", 40))]
    >>> name_boundaries([plot], words)[0].number
    'A-01'
    """
    inside: list[list[str]] = [[] for _ in polygons]
    if labels and len(polygons):
        shapes = np.asarray(polygons, dtype=object)
        tree = shapely.STRtree(shapes)
        areas = shapely.area(shapes)
        for label in labels:
            for spot in (label.place, label.start):
                # Self-crossing boundaries answer too: their texts help to find them.
                hits = tree.query(shapely.Point(spot), predicate="intersects")
                if len(hits):
                    inside[int(hits[np.argmin(areas[hits])])].append(label.text)
                    break
    return [_choose(texts) for texts in inside]


def _choose(texts: list[str]) -> Naming:
    """Pick the best of the texts, where there is a single best one."""
    ranked: dict[str, float] = {}
    for text in texts:
        number, rank = _rank(text)
        ranked[number] = max(rank, ranked.get(number, 0.0))
    if not ranked:
        return Naming(None)
    best = max(ranked.values())
    first = [number for number, rank in ranked.items() if rank == best]
    if best == 0 or len(first) > 1:
        rivals = tuple(first) if best else ()
        return Naming(None, rivals, tuple(t for t in texts if t not in rivals))
    return Naming(first[0], (), tuple(t for t in texts if _rank(t)[0] != first[0]))


def _rank(text: str) -> tuple[str, float]:
    """How much a text looks like a parcel's number, 0 for not at all; and the number in it."""
    tight = re.sub(r"\s+", "", text)
    if titled := _TITLED.match(text.strip()):
        return titled["number"], 5
    if _CODE.match(tight):
        return tight, 4
    if _CORNER.match(tight):
        return tight, 0.5
    if _WHOLE.match(tight):
        return tight, 2
    if _SCALE.match(tight) or _MEASURE.match(tight) or not _PLAIN.match(tight):
        return text, 0
    if _COUNTED.match(tight):
        return tight, 2
    if any(c.isdigit() for c in tight):
        # A-01, JZ2024-15, 3号地: letters or a hyphen say more than bare digits.
        return tight, 3 if re.search(r"[A-Za-z0-9][-_/]\d|[A-Za-z]\d", tight) else 1.5
    return (tight, 1) if tight.isascii() and len(tight) <= 4 else (text, 0)
