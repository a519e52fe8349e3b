"""Parcels dealt out in parts that lie close together, and the parts' results laid back in the order of the parcels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from landplan.engines.kit import Kit
from landplan.errors import Fault, InternalError
from landplan.issues import Issue
from landplan.schema import join_rows
from landplan.steps import OnLand, Step, StepResult, add_columns, narrow, run_steps

__all__ = ["Done", "do_part", "join_parts", "order_parcels", "run_apart"]

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Folded:
    """
    A table made small for the way: a law cited for a million parcels travels once, and a parcel is a number.

    Parameters
    ----------
    frame : DataFrame
        Texts as categories; of a table by parcel without ``parcel_id``.
    texts : tuple of str
        Which columns are texts.
    columns : tuple of str
        All columns of the table, in their order.
    row : array of int64, or None
        Position of each row's parcel in the part.
    whole : array of bool, or None
        Of pieces: which ones are their parcel to the last digit, and travel without geometry.
    """

    frame: pd.DataFrame
    texts: tuple[str, ...]
    columns: tuple[str, ...]
    row: _Array | None = None
    whole: _Array | None = None


@dataclass(frozen=True)
class Done:
    """
    What the steps gave for one part.

    Parameters
    ----------
    columns : Folded
        All columns that were added or filled.
    issues : list of list of Issue
        Step by step.
    pieces : dict of int to Folded
        By number of the step.
    """

    columns: Folded
    issues: list[list[Issue]]
    pieces: dict[int, Folded]


def order_parcels(parcels: GeoDataFrame) -> _Array:
    """
    Order parcels along a Hilbert curve.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows
        Those without geometry come last.

    Returns
    -------
    array of int64, n
        Positions.
    """
    shapes = np.asarray(parcels.geometry.values)
    bare = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    drawn, rest = np.flatnonzero(~bare), np.flatnonzero(bare)
    if len(drawn):
        along = parcels.geometry.iloc[drawn].hilbert_distance().to_numpy()
        drawn = drawn[np.argsort(along, kind="stable")]
    return np.concatenate([drawn, rest])


def run_apart(
    steps: Sequence[tuple[str, Step]],
    parcels: GeoDataFrame,
    progress: Callable[[str], None],
    spread: Callable[[Sequence[tuple[str, Step]], GeoDataFrame], tuple[pd.DataFrame, list[StepResult]]],
) -> tuple[GeoDataFrame, list[StepResult]]:
    """
    Run steps in their order, those that measure land elsewhere and all others here.

    Parameters
    ----------
    steps : sequence of (str, Step)
        All of them.
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        Not changed.
    progress : callable
        Called with the name of each step that is run here before it begins.
    spread : callable
        Runs steps that follow one another over parts of parcels, which hold only what these steps read; gives what
        ``join_parts`` does.

    Returns
    -------
    GeoDataFrame, n rows, same index and order
        The parcels with the columns of all steps.
    list of StepResult
        What each step found.
    """
    results: list[StepResult] = []
    for is_land, following in groupby(steps, key=lambda named: isinstance(named[1], OnLand)):
        group = list(following)
        if is_land:
            columns, found = spread(group, narrow(parcels, [step for _, step in group]))
            parcels = add_columns(parcels, columns, "cluster")
        else:
            parcels, found = run_steps(group, parcels, progress)
        results += found
    return parcels, results


def do_part(kit: Kit, parcels: GeoDataFrame) -> Done:
    """
    Run all steps over one part.

    Parameters
    ----------
    kit : Kit
        The steps.
    parcels : GeoDataFrame
        Some of the parcels, with what the steps read of them.

    Returns
    -------
    Done
        What travels back.
    """
    whole, results = run_steps(kit.open_steps(parcels), parcels, lambda _: None)
    given = dict.fromkeys(name for result in results for name in result.columns.columns)
    pieces = {
        number: _fold_pieces(result.pieces, parcels)
        for number, result in enumerate(results)
        if result.pieces is not None
    }
    return Done(_fold(pd.DataFrame(whole[list(given)])), [result.issues for result in results], pieces)


def join_parts(
    parcels: GeoDataFrame, places: Sequence[_Array], dones: Sequence[Done]
) -> tuple[pd.DataFrame, list[StepResult]]:
    """
    Lay the results of all parts in the order of the parcels, as if they had been made in one piece.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        All of them.
    places : sequence of arrays of int64
        Positions of the parcels of each part; together every parcel once.
    dones : sequence of Done
        One for each part, in the same order.

    Returns
    -------
    DataFrame, n rows, same index and order
        The columns of all steps.
    list of StepResult
        What else each step found, in the order of the parcels; an issue of no parcel that every part tells is told once.

    Raises
    ------
    InternalError
        If the parts differ in their columns: some step looks at more than one parcel.
    """
    named = dones[0].columns.frame.columns
    for done in dones:
        if not done.columns.frame.columns.equals(named):
            odd = done.columns.frame.columns.symmetric_difference(named)
            raise InternalError(
                Fault(
                    en=f"parts of one table differ in their columns: {', '.join(map(str, odd))}.",
                    zh=f"同一张表各部分的列不一致：{'、'.join(map(str, odd))}。",
                )
            )
    back = np.empty(len(parcels), dtype=np.int64)
    back[np.concatenate(list(places))] = np.arange(len(parcels))
    columns = pd.concat([_unfold(done.columns) for done in dones]).iloc[back]
    columns.index = parcels.index
    numbers = parcels.index.astype("str")
    results = []
    for number in range(len(dones[0].issues)):
        issues = _in_order([issue for done in dones for issue in done.issues[number]], numbers)
        found = StepResult(pd.DataFrame(index=parcels.index), issues)
        laid = [
            (place, done.pieces[number])
            for place, done in zip(places, dones, strict=True)
            if number in done.pieces
        ]
        if laid:
            joined, place, order = _by_parcel(laid, numbers)
            shapes = np.array(joined["geometry"].array, dtype=object)
            whole = np.concatenate([folded.whole for _, folded in laid])[order]
            shapes[whole] = np.asarray(parcels.geometry.values)[place[whole]]
            found.pieces = GeoDataFrame(joined.drop(columns="geometry"), geometry=shapes, crs=parcels.crs)
        results.append(found)
    return columns, results


def _in_order(issues: list[Issue], numbers: pd.Index[Any]) -> list[Issue]:
    if not issues:
        return []
    places = numbers.get_indexer(pd.Index([issue.parcel_id for issue in issues])).tolist()
    at_large = list(dict.fromkeys(issue for issue, place in zip(issues, places, strict=True) if place < 0))
    of_parcels = [(place, issue) for issue, place in zip(issues, places, strict=True) if place >= 0]
    return at_large + [issue for _, issue in sorted(of_parcels, key=lambda each: each[0])]


def _by_parcel(
    laid: Sequence[tuple[_Array, Folded]], numbers: pd.Index[Any]
) -> tuple[pd.DataFrame, _Array, _Array]:
    """
    Rows of all parts, parcel by parcel, within a parcel as the steps gave them.

    With them where each parcel stands, and which of the rows as they came each of them is.
    """
    joined = join_rows([_unfold(folded) for _, folded in laid])
    place = np.concatenate([place[folded.row] for place, folded in laid])
    order = np.argsort(place, kind="stable")
    joined = joined.iloc[order].reset_index(drop=True)
    place = place[order]
    joined["parcel_id"] = numbers.array.take(place)
    return joined[list(laid[0][1].columns)], place, order


def _fold_pieces(pieces: GeoDataFrame, parcels: GeoDataFrame) -> Folded:
    folded = _fold(pd.DataFrame(pieces), parcels)
    shapes = np.array(pieces.geometry.values, dtype=object)
    whole = shapely.equals_identical(shapes, np.asarray(parcels.geometry.values)[folded.row])
    shapes[whole] = None
    frame = folded.frame.assign(geometry=geopandas.GeoSeries(shapes, index=pieces.index, crs=pieces.crs))
    return replace(folded, frame=frame, whole=whole)


def _fold(frame: pd.DataFrame, parcels: GeoDataFrame | None = None) -> Folded:
    columns, row = tuple(map(str, frame.columns)), None
    if parcels is not None:
        row = parcels.index.astype("str").get_indexer(pd.Index(frame["parcel_id"]))
        frame = frame.drop(columns="parcel_id")
    texts = tuple(str(name) for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.StringDtype))
    folded: dict[str, Any] = {}
    for name in texts:
        codes, known = pd.factorize(frame[name].array)
        folded[name] = pd.Categorical.from_codes(codes, categories=known)
    return Folded(frame.assign(**folded), texts, columns, row)


def _unfold(folded: Folded) -> pd.DataFrame:
    unfolded: dict[str, Any] = {}
    for name in folded.texts:
        codes: Any = folded.frame[name].array
        unfolded[name] = codes.categories.array.take(codes.codes, allow_fill=True)
    return folded.frame.assign(**unfolded)
