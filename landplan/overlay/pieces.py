"""Layer against parcels: shares of area by feature, and the pieces themselves where they are to be shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from geopandas.array import GeometryArray

from landplan.crs import transform
from landplan.overlay.areas import Shared, settle, share_areas, unite_pieces
from landplan.overlay.cut import cut_pieces
from landplan.overlay.ground import Ask, Count, Fetch, Ground, Method, features_of, grounds_of, recall

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["draw_pieces", "find_pieces", "find_shares", "locate_pieces", "measure_shares"]

_Array = np.ndarray[Any, Any]

_TILE = 50_000
"""Parcels for which a layer that is fetched is held in memory at a time, where the layer itself does not say."""

_POLYGONAL = (3, 6)


def find_pieces(
    parcels: GeoDataFrame,
    layer: GeoDataFrame | Fetch,
    name: str,
    feature: str | None = None,
    *,
    method: Method = "exact",
    drawn: bool = True,
) -> GeoDataFrame:
    """
    Cut out the pieces of a layer that lie inside parcels.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and ``measure_epsg``; parcels without an area are passed over.
    layer : GeoDataFrame, or what fetches one box by box
        Valid polygons, any CRS on the same datum.
    name : str
        Name of the layer.
    feature : str or None
        Column that tells features apart (a zone's code); None takes the layer as one and joins its pieces.
    method : {"exact", "fast"}
        ``fast`` cuts only parcels that lie partly inside.
    drawn : bool, default True
        False gives rows and areas without geometry; ``draw_pieces`` then cuts those that are shown.

    Returns
    -------
    GeoDataFrame
        One row per parcel (and feature): ``parcel_id, layer, feature, overlap_m2, overlap_share`` and the piece, in
        the CRS of the parcels; ordered as the parcels, then by feature. Pieces that overlap each other count once. Where a
        whole parcel lies inside, the piece is the parcel.
    """
    return locate_pieces(parcels, layer, name, feature, method=method, drawn=drawn).drop(columns="_at")


def locate_pieces(
    parcels: GeoDataFrame,
    layer: GeoDataFrame | Fetch,
    name: str,
    feature: str | None = None,
    *,
    method: Method = "exact",
    drawn: bool = True,
) -> GeoDataFrame:
    """
    Cut out pieces as ``find_pieces`` does, and tell where the parcel of each stands: no number need be looked up.

    Parameters
    ----------
    parcels, layer, name, feature, method, drawn
        As in ``find_pieces``.

    Returns
    -------
    GeoDataFrame
        The same, with ``_at``: position of the parcel in its table.
    """
    if drawn:
        table, shapes = _draw(parcels, layer, feature, method)
    else:
        table = find_shares(parcels, layer, feature, method=method)
        shapes = np.full(len(table), None, dtype=object)
    at = table["_at"].to_numpy()
    columns = {
        "parcel_id": parcels.index.astype("str").array.take(at),
        "layer": pd.array([name], dtype="str").take(np.zeros(len(at), dtype=np.int64)),
        **{name: table[name] for name in ("feature", "overlap_m2", "overlap_share", "_at")},
    }
    return geopandas.GeoDataFrame(columns, geometry=GeometryArray(shapes, crs=parcels.crs), copy=False)


def _draw(
    parcels: GeoDataFrame, layer: GeoDataFrame | Fetch, feature: str | None, method: Method
) -> tuple[pd.DataFrame, _Array]:
    """Rows as ``find_shares`` gives, and the piece of each in the CRS of the parcels."""
    own = np.asarray(parcels.geometry.values)
    rows: list[pd.DataFrame] = [_NO_ROWS]
    shapes: list[_Array] = [np.empty(0, dtype=object)]
    for ground, features, codes, names in _in_tiles(parcels, layer, feature):
        shared, pieces = _locate(ground, features, codes, method)
        shown, astride = own[ground.positions[shared.parcel]], ~shared.is_whole
        cut = geopandas.GeoDataFrame(geometry=pieces[astride], crs=ground.crs)
        shown[astride] = np.asarray(transform(cut, parcels.crs).geometry.values)
        rows.append(_rows_of(shared, ground, names))
        shapes.append(shown)
    table, order = _in_order(rows)
    return table, np.concatenate(shapes)[order]


def draw_pieces(
    pieces: GeoDataFrame, parcels: GeoDataFrame, layer: GeoDataFrame | Fetch, feature: str | None = None
) -> GeoDataFrame:
    """
    Cut out those pieces that ``find_pieces`` left out.

    Parameters
    ----------
    pieces : GeoDataFrame
        Rows of one layer, or some of them: those that a map or a finding shows.
    parcels : GeoDataFrame, indexed by parcel_id
        The parcels they were found in.
    layer : GeoDataFrame, or what fetches one box by box
        The layer they were found in.
    feature : str or None
        As they were found.

    Returns
    -------
    GeoDataFrame
        The same rows, each with its piece.
    """
    waiting = np.asarray(pieces.geometry.isna())
    if not waiting.any():
        return pieces
    asked = parcels.loc[parcels.index.astype("str").isin(pieces.loc[waiting, "parcel_id"])]
    cut = find_pieces(asked, layer, "", feature)
    keys = ["parcel_id", "feature"]
    places = pd.MultiIndex.from_frame(cut[keys].fillna("")).get_indexer(
        pd.MultiIndex.from_frame(pieces.loc[waiting, keys].fillna(""))
    )
    shapes = np.asarray(pieces.geometry.values).copy()
    found = np.asarray(cut.geometry.values)[places]
    # A piece at the very edge of rounding is seen by one way and not by the other.
    found[places < 0] = None
    shapes[waiting] = found
    return pieces.set_geometry(geopandas.GeoSeries(shapes, index=pieces.index, crs=pieces.crs))


def measure_shares(
    parcels: GeoDataFrame,
    layer: GeoDataFrame | Fetch,
    feature: str | None = None,
    *,
    count: Count = "cover",
    method: Method = "exact",
) -> pd.DataFrame:
    """
    Measure how much of each parcel lies under each feature or class of a layer, cutting out nothing.

    Parameters
    ----------
    parcels : GeoDataFrame, n rows, indexed by parcel_id
        With ``area_m2`` and ``measure_epsg``; parcels without an area are passed over.
    layer : GeoDataFrame, or what fetches one box by box
        Valid polygons, any CRS on the same datum. A layer larger than memory is fetched for parcels that lie together.
    feature : str or None
        Column of codes or classes to tell apart (land use); None takes the layer as one.
    count : {"cover", "sum"}
        ``cover``: land under several features of one class counts once. ``sum``: areas of the features are added.
    method : {"exact", "fast"}
        By shapely, or compiled.

    Returns
    -------
    DataFrame
        ``parcel_id, feature, overlap_m2, overlap_share``, one row where a parcel and a class share land; ordered as the
        parcels, then by feature.
    """
    table = find_shares(parcels, layer, feature, count=count, method=method)
    table.insert(0, "parcel_id", parcels.index.astype("str")[table["_at"]].to_numpy())
    return table.drop(columns="_at")


def find_shares(
    parcels: GeoDataFrame,
    layer: GeoDataFrame | Fetch,
    feature: str | None = None,
    *,
    count: Count = "cover",
    method: Method = "exact",
) -> pd.DataFrame:
    """
    Measure shares as ``measure_shares`` does, parcels told by their place in the table: no number is looked up.

    Parameters
    ----------
    parcels, layer, feature, count, method
        As in ``measure_shares``.

    Returns
    -------
    DataFrame
        ``_at`` (position of the parcel), ``feature, overlap_m2, overlap_share``, in the same order.
    """
    return _in_order(
        [_NO_ROWS]
        + [
            _rows_of(shared, ground, names)
            for ground, shared, names in _share(parcels, layer, feature, count, method)
        ]
    )[0]


def _share(
    parcels: GeoDataFrame, layer: GeoDataFrame | Fetch, feature: str | None, count: Count, method: Method
) -> Iterator[tuple[Ground, Shared, _Array]]:
    """What parcels of each plane share with the layer, and what its codes mean."""
    told = recall(grounds_of(parcels), Ask(layer, feature, count)) if method == "fast" else None
    if told is not None:
        yield from told
        return
    for ground, features, codes, names in _in_tiles(parcels, layer, feature):
        yield ground, share_areas(ground, features, codes, count=count, method=method), names


_NO_ROWS = pd.DataFrame(
    {
        "_at": pd.Series(dtype="int64"),
        "_code": pd.Series(dtype="int64"),
        "feature": pd.Series(dtype="str"),
        "overlap_m2": pd.Series(dtype="float64"),
        "overlap_share": pd.Series(dtype="float64"),
    }
)


def _in_tiles(
    parcels: GeoDataFrame, layer: GeoDataFrame | Fetch, feature: str | None
) -> Iterator[tuple[Ground, _Array, _Array, _Array]]:
    """Parcels in their plane, and the features near them with codes and what these mean, in order."""
    for ground in grounds_of(parcels):
        if not callable(layer):
            yield ground, *features_of(layer, ground.crs, feature)
            continue
        for tile in _tiles(ground.shapes, getattr(layer, "tile", _TILE)):
            part = ground.take(tile)
            yield part, *features_of(layer(_bounds(part.shapes), ground.crs), ground.crs, feature)


def _in_order(rows: list[pd.DataFrame]) -> tuple[pd.DataFrame, _Array]:
    """As the parcels stand, then by feature: codes rise as the names do, and a parcel lies in one tile only."""
    table = rows[-1] if len(rows) == 2 else pd.concat(rows, ignore_index=True)
    at, code = table["_at"].to_numpy(), table["_code"].to_numpy()
    order = np.arange(len(at))
    if not ((at[1:] > at[:-1]) | ((at[1:] == at[:-1]) & (code[1:] >= code[:-1]))).all():
        order = np.lexsort((code, at))
        table = table.iloc[order].reset_index(drop=True)
    return table.drop(columns="_code"), order


def _rows_of(shared: Shared, ground: Ground, names: _Array) -> pd.DataFrame:
    share = np.minimum(shared.area / ground.area_m2[shared.parcel], 1.0)
    return pd.DataFrame(
        {
            "_at": ground.positions[shared.parcel],
            "_code": shared.code,
            "feature": pd.array(names, dtype="str").take(shared.code),
            "overlap_m2": shared.area,
            "overlap_share": share,
        },
        copy=False,
    )


def _locate(ground: Ground, features: _Array, codes: _Array, method: Method) -> tuple[Shared, _Array]:
    """What parcels and codes share, and its land; that of a whole parcel is left to the caller."""
    if method == "exact":
        return _cut(ground, features, codes)
    shared = share_areas(ground, features, codes, method=method)
    astride = np.unique(shared.parcel[~shared.is_whole])
    cut, land = _cut(ground.take(astride), features, codes)
    rest = ~np.isin(shared.parcel, astride)
    pieces = np.concatenate([ground.shapes[shared.parcel[rest]], land])
    joined = Shared(
        np.concatenate([shared.parcel[rest], astride[cut.parcel]]),
        np.concatenate([shared.code[rest], cut.code]),
        np.concatenate([shared.area[rest], cut.area]),
        np.concatenate([shared.is_whole[rest], cut.is_whole]),
    )
    return joined, pieces


def _cut(ground: Ground, features: _Array, codes: _Array) -> tuple[Shared, _Array]:
    united, land = unite_pieces(cut_pieces(ground.shapes, features), codes)
    shared, real = settle(united, ground.full)
    land = land[real]
    for k in np.flatnonzero(~np.isin(shapely.get_type_id(land), _POLYGONAL)):
        # Where the two also touch along a line, the line is not land.
        parts = shapely.get_parts(shapely.get_parts(land[k]))
        parts = parts[shapely.area(parts) > 0]
        land[k] = parts[0] if len(parts) == 1 else shapely.multipolygons(parts)
    return shared, land


def _tiles(shapes: _Array, most: int) -> Iterator[_Array]:
    """Parcels that lie close together, so many at the most."""
    order = np.argsort(geopandas.GeoSeries(shapes).hilbert_distance().to_numpy(), kind="stable")
    for start in range(0, len(order), most):
        yield np.sort(order[start : start + most])


def _bounds(shapes: _Array) -> tuple[float, float, float, float]:
    west, south, east, north = shapely.total_bounds(shapes).tolist()
    return west, south, east, north
