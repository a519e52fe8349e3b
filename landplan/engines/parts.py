"""Parcels dealt out in parts that lie close together, and the parts' results laid back in the order of the parcels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from landplan.engines.kit import Kit
from landplan.errors import Fault, InternalError
from landplan.issues import Issue
from landplan.schema import join_rows, words_of
from landplan.steps import ByNumber, Step, StepResult, add_columns, run_steps

__all__ = ["Done", "Part", "do_part", "join_parts", "make_parts", "order_parcels", "split_steps"]

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """
    What one task is about.

    Parameters
    ----------
    parcels : GeoDataFrame
        Some of the parcels, with what is known of them before the steps.
    own : dict of str to Step
        Steps whose tables hold the rows of these parcels only.
    """

    parcels: GeoDataFrame
    own: dict[str, Step]


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
    is_held_once : bool
        Whether ``parcel_id`` was a category.
    """

    frame: pd.DataFrame
    texts: tuple[str, ...]
    columns: tuple[str, ...]
    row: _Array | None = None
    whole: _Array | None = None
    is_held_once: bool = False


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
    pieces, findings : dict of int to Folded
        By number of the step.
    """

    columns: Folded
    issues: list[list[Issue]]
    pieces: dict[int, Folded]
    findings: dict[int, Folded]


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


def split_steps(
    steps: Sequence[tuple[str, Step]], parcels: GeoDataFrame, places: Sequence[_Array]
) -> tuple[list[tuple[str, Step | None]], list[dict[str, Step]]]:
    """
    Split the steps that hold tables by parcel number.

    Parameters
    ----------
    steps : sequence of (str, Step)
        All of them.
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        All of them.
    places : sequence of arrays of int64
        Positions of the parcels of each part.

    Returns
    -------
    list of (str, Step or None)
        The steps, None in place of those that were split.
    list of dict of str to Step
        For each part what stands in their place.
    """
    part = np.empty(len(parcels), dtype=np.int64)
    for number, place in enumerate(places):
        part[place] = number
    numbers = pd.Series(part, index=parcels.index.astype("str"))
    own: list[dict[str, Step]] = [{} for _ in places]
    common: list[tuple[str, Step | None]] = []
    for name, step in steps:
        if not isinstance(step, ByNumber):
            common.append((name, step))
            continue
        common.append((name, None))
        for mine, piece in zip(own, step.split(numbers, len(places)), strict=True):
            mine[name] = piece
    return common, own


def make_parts(
    parcels: GeoDataFrame, places: Sequence[_Array], own: Sequence[dict[str, Step]]
) -> Iterator[Part]:
    """
    Make the parts one after the other, so that they need not all be in memory.

    Parameters
    ----------
    parcels : GeoDataFrame
        All of them.
    places : sequence of arrays of int64
        Positions of the parcels of each part.
    own : sequence of dict of str to Step
        As ``split_steps`` gives.

    Yields
    ------
    Part
        In the order of ``places``.
    """
    for place, mine in zip(places, own, strict=True):
        yield Part(parcels.iloc[place], mine)


def do_part(kit: Kit, part: Part) -> Done:
    """
    Run all steps over one part.

    Parameters
    ----------
    kit : Kit
        The steps.
    part : Part
        The parcels.

    Returns
    -------
    Done
        What travels back.
    """
    steps = kit.open_steps(part.parcels, part.own)
    whole, results = run_steps(steps, part.parcels, lambda _: None)
    given = dict.fromkeys(name for result in results for name in result.columns.columns)
    pieces, findings = {}, {}
    for number, result in enumerate(results):
        if result.pieces is not None:
            pieces[number] = _fold_pieces(result.pieces, part.parcels)
        if result.findings is not None:
            findings[number] = _fold(result.findings, part.parcels)
    columns = _fold(pd.DataFrame(whole[list(given)]))
    return Done(columns, [result.issues for result in results], pieces, findings)


def join_parts(
    parcels: GeoDataFrame, places: Sequence[_Array], dones: Sequence[Done]
) -> tuple[GeoDataFrame, list[StepResult]]:
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
    GeoDataFrame, n rows, same index and order
        The parcels with the columns of all steps.
    list of StepResult
        What each step found, in the order of the parcels; an issue of no parcel that every part tells is told once.

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
    row = {pid: place for place, pid in enumerate(numbers.tolist())}
    results = []
    for number in range(len(dones[0].issues)):
        found = StepResult(pd.DataFrame(index=parcels.index))
        found.issues = _in_order([issue for done in dones for issue in done.issues[number]], row)
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
        laid = [
            (place, done.findings[number])
            for place, done in zip(places, dones, strict=True)
            if number in done.findings
        ]
        if laid:
            found.findings = _by_parcel(laid, numbers)[0]
        results.append(found)
    return add_columns(parcels, columns, "cluster"), results


def _in_order(issues: list[Issue], row: dict[str, int]) -> list[Issue]:
    at_large: list[Issue] = []
    for issue in issues:
        if issue.parcel_id not in row and issue not in at_large:
            at_large.append(issue)
    of_parcels = [issue for issue in issues if issue.parcel_id in row]
    return at_large + sorted(of_parcels, key=lambda issue: row[issue.parcel_id])


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
    joined["parcel_id"] = (
        words_of(numbers.tolist(), place) if laid[0][1].is_held_once else numbers.array.take(place)
    )
    return joined[list(laid[0][1].columns)], place, order


def _fold_pieces(pieces: GeoDataFrame, parcels: GeoDataFrame) -> Folded:
    folded = _fold(pd.DataFrame(pieces), parcels)
    shapes = np.array(pieces.geometry.values, dtype=object)
    whole = shapely.equals_identical(shapes, np.asarray(parcels.geometry.values)[folded.row])
    shapes[whole] = None
    frame = folded.frame.assign(geometry=geopandas.GeoSeries(shapes, index=pieces.index, crs=pieces.crs))
    return replace(folded, frame=frame, whole=whole)


def _fold(frame: pd.DataFrame, parcels: GeoDataFrame | None = None) -> Folded:
    columns, row, is_held_once = tuple(map(str, frame.columns)), None, False
    if parcels is not None:
        numbers, whose = parcels.index.astype("str"), frame["parcel_id"]
        is_held_once = isinstance(whose.dtype, pd.CategoricalDtype)
        row = numbers.get_indexer(whose.cat.categories if is_held_once else pd.Index(whose))
        row = row[whose.cat.codes] if is_held_once else row
        frame = frame.drop(columns="parcel_id")
    texts = tuple(str(name) for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.StringDtype))
    folded: dict[str, Any] = {}
    for name in texts:
        codes, known = pd.factorize(frame[name].array)
        folded[name] = pd.Categorical.from_codes(codes, categories=known)
    return Folded(frame.assign(**folded), texts, columns, row, is_held_once=is_held_once)


def _unfold(folded: Folded) -> pd.DataFrame:
    unfolded: dict[str, Any] = {}
    for name in folded.texts:
        codes: Any = folded.frame[name].array
        unfolded[name] = codes.categories.array.take(codes.codes, allow_fill=True)
    return folded.frame.assign(**unfolded)
