"""Parcels laid out once for everything that is measured over them, and what is to be measured, told beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from operator import is_
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyproj
import shapely

from landplan.crs import in_measuring_zones, transform

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from landplan.overlay.areas import Shared
    from landplan.overlay.grid import Field

__all__ = ["Ask", "Count", "Fetch", "Ground", "Method", "features_of", "grounds_of", "recall", "together"]

_Array = np.ndarray[Any, Any]

Method = Literal["exact", "fast"]
"""``exact`` cuts with shapely, ``fast`` sums trapezoids with compiled code (needs numba: ``landplan[fast]``)."""

Count = Literal["cover", "sum"]
"""``cover``: land under several features of one code counts once. ``sum``: it counts as often as it is covered."""

Fetch = Callable[[tuple[float, float, float, float], pyproj.CRS], "GeoDataFrame"]
"""Gives the features of a layer that touch a box (west, south, east, north, in that CRS), each of them whole and valid."""

_AT_ONCE = 20_000_000
"""Vertices of layers that go over the parcels together; more take too much memory."""


@dataclass(frozen=True, eq=False)
class Ground:
    """
    Parcels in the plane they are measured in.

    Parameters
    ----------
    shapes : array of n polygons
        Valid, in a plane in metres; none missing or empty.
    positions : array of int64, n
        Where they stand in their table.
    area_m2 : array of float64, n
        As the table has them.
    crs : CRS
        Of the plane.
    """

    shapes: _Array
    positions: _Array
    area_m2: _Array
    crs: Any = None

    @classmethod
    def of(cls, shapes: _Array) -> Ground:
        """
        Take shapes as they lie.

        Parameters
        ----------
        shapes : array of n polygons
            In one plane.

        Returns
        -------
        Ground
            Of these.
        """
        return cls(shapes, np.arange(len(shapes)), shapely.area(shapes))

    @cached_property
    def full(self) -> _Array:
        """Area of each shape in m2."""
        return np.asarray(shapely.area(self.shapes))

    @cached_property
    def field(self) -> Field:
        """The outlines and the grid they lie in, for the compiled way."""
        from landplan.overlay.grid import lay_field
        from landplan.overlay.rings import rings_of

        return lay_field(rings_of(self.shapes))

    def take(self, places: _Array) -> Ground:
        """
        Take some of the parcels.

        Parameters
        ----------
        places : array of int64
            Which ones.

        Returns
        -------
        Ground
            Of these.
        """
        return Ground(self.shapes[places], self.positions[places], self.area_m2[places], self.crs)


@dataclass(frozen=True, eq=False)
class Ask:
    """
    What will be asked of a layer.

    Parameters
    ----------
    layer : GeoDataFrame, or what fetches one box by box
        The very frame that will be asked.
    feature : str or None
        Column that tells its features apart.
    count : {"cover", "sum"}
        How land under several features counts.
    """

    layer: GeoDataFrame | Fetch
    feature: str | None = None
    count: Count = "cover"

    @property
    def key(self) -> tuple[int, str | None, Count]:
        """What makes two questions one."""
        return id(self.layer), self.feature, self.count


class _Together:
    """The questions of one run, the ground they are about, and answers nobody came for yet."""

    def __init__(self, asks: Iterable[Ask]) -> None:
        # Layers that are fetched box by box are too large to be laid over together.
        self.asks = [ask for ask in asks if not callable(ask.layer)]
        self.waiting = Counter(ask.key for ask in self.asks)
        self.told: tuple[_Array, _Array, _Array] | None = None
        self.grounds: tuple[Ground, ...] = ()
        self.answers: dict[Any, list[tuple[Ground, Shared, _Array]]] = {}

    def grounds_of(self, parcels: GeoDataFrame) -> tuple[Ground, ...]:
        told = _told_of(parcels)
        if self.told is None:
            self.told, self.grounds = told, tuple(_lay_grounds(parcels))
            return self.grounds
        return self.grounds if _are_same(told, self.told) else tuple(_lay_grounds(parcels))

    def recall(self, grounds: tuple[Ground, ...], ask: Ask) -> Sequence[tuple[Ground, Shared, _Array]] | None:
        if grounds is not self.grounds or not self.waiting[ask.key]:
            return None
        if ask.key not in self.answers:
            self._measure()
        self.waiting[ask.key] -= 1
        return self.answers[ask.key] if self.waiting[ask.key] else self.answers.pop(ask.key)

    def _measure(self) -> None:
        """Lay all layers over the parcels at once, as many as memory allows."""
        portion: dict[Any, Ask] = {}
        held = 0
        for ask in self.asks:
            if ask.key in portion or ask.key in self.answers or not self.waiting[ask.key]:
                continue
            size = int(shapely.get_num_coordinates(ask.layer.geometry.values).sum())  # type: ignore[union-attr]
            if portion and held + size > _AT_ONCE:
                self._answer(portion)
                portion, held = {}, 0
            portion[ask.key] = ask
            held += size
        self._answer(portion)

    def _answer(self, portion: dict[Any, Ask]) -> None:
        from landplan.overlay.areas import share_together

        for key in portion:
            self.answers[key] = []
        for ground in self.grounds:
            laid = [features_of(ask.layer, ground.crs, ask.feature) for ask in portion.values()]
            shares = share_together(
                ground,
                [(features, codes) for features, codes, _ in laid],
                [ask.count for ask in portion.values()],
            )
            for key, shared, (_, _, names) in zip(portion, shares, laid, strict=True):
                self.answers[key].append((ground, shared, names))


_RUN: ContextVar[_Together | None] = ContextVar("landplan_overlay_run", default=None)


@contextmanager
def together(asks: Iterable[Ask]) -> Iterator[None]:
    """
    Lay parcels out once while the work lasts, and measure together what is announced.

    Parameters
    ----------
    asks : iterable of Ask
        What will be asked by the compiled way. A question that was not announced is answered all the same.

    Yields
    ------
    None
        Answers are those that each question would get alone, to the last digit: areas are sums of each parcel's own.
    """
    token = _RUN.set(_Together(asks))
    try:
        yield
    finally:
        _RUN.reset(token)


def recall(grounds: tuple[Ground, ...], ask: Ask) -> Sequence[tuple[Ground, Shared, _Array]] | None:
    """
    Give the answer to a question that was announced.

    Parameters
    ----------
    grounds : tuple of Ground
        What it is about, as ``grounds_of`` gives.
    ask : Ask
        The question.

    Returns
    -------
    sequence of (Ground, Shared, array of str), or None
        What each ground shares, and the names of the codes; None where it was not announced, or is about other parcels.
    """
    run = _RUN.get()
    return None if run is None else run.recall(grounds, ask)


def grounds_of(parcels: GeoDataFrame) -> tuple[Ground, ...]:
    """
    Lay parcels out in the planes they are measured in; once, while ``together`` lasts.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows
        With ``area_m2`` and ``measure_epsg``; parcels without an area are passed over.

    Returns
    -------
    tuple of Ground
        One for each measuring zone.
    """
    run = _RUN.get()
    return tuple(_lay_grounds(parcels)) if run is None else run.grounds_of(parcels)


def _lay_grounds(parcels: GeoDataFrame) -> Iterator[Ground]:
    # Only what measuring needs is cut and carried from zone to zone, not a hundred columns of facts.
    slim = parcels[[parcels.geometry.name, "area_m2", "measure_epsg"]].assign(_at=np.arange(len(parcels)))
    measured = slim[slim["area_m2"].notna().to_numpy(dtype=bool)]
    for _, part in in_measuring_zones(measured, measured["measure_epsg"]):
        shapes, areas = np.asarray(part.geometry.values), part["area_m2"].to_numpy(dtype="float64")
        yield Ground(shapes, part["_at"].to_numpy(), areas, part.crs)


def _told_of(parcels: GeoDataFrame) -> tuple[_Array, _Array, _Array]:
    return (
        np.asarray(parcels.geometry.values),
        parcels["area_m2"].to_numpy(dtype="float64"),
        parcels["measure_epsg"].to_numpy(dtype="float64", na_value=np.nan),
    )


def _are_same(one: tuple[_Array, ...], other: tuple[_Array, ...]) -> bool:
    """Whether these are the very same shapes, measured the same."""
    numbers = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one[1:], other[1:], strict=True))
    return numbers and all(map(is_, one[0], other[0]))


def features_of(layer: GeoDataFrame, crs: pyproj.CRS, feature: str | None) -> tuple[_Array, _Array, _Array]:
    """
    Bring the features of a layer to a plane, numbered by what tells them apart.

    Parameters
    ----------
    layer : GeoDataFrame
        Valid polygons, any CRS on the same datum; missing and empty ones are left out.
    crs : CRS
        Where to.
    feature : str or None
        Column that tells them apart; None takes the layer as one.

    Returns
    -------
    arrays of polygons, int64 and str
        Features, the code of each from 0, and what the codes mean, in order.
    """
    features = np.asarray(transform(layer, crs).geometry.values)
    real = ~(shapely.is_missing(features) | shapely.is_empty(features))
    if feature is None:
        count = int(real.sum())
        names = np.array([""] if count else [], dtype=object)
        return features[real], np.zeros(count, dtype=np.int64), names
    names, codes = np.unique(layer[feature].astype("str").to_numpy(object)[real], return_inverse=True)
    return features[real], codes.astype(np.int64), names
