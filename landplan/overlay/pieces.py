"""Layer against parcels: shares of area by feature, and the pieces themselves where they are to be shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import geopandas
import numpy as np
import pandas as pd
import pyproj
import shapely

from landplan.crs import in_measuring_zones, transform
from landplan.overlay.areas import Count, Method, Shared, settle, share_areas, unite_pieces
from landplan.overlay.cut import cut_pieces
from landplan.schema import coerce

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["Fetch", "draw_pieces", "find_pieces", "find_shares", "measure_shares"]

_Array = np.ndarray[Any, Any]

Fetch = Callable[[tuple[float, float, float, float], pyproj.CRS], "GeoDataFrame"]
"""Gives the features of a layer that touch a box (west, south, east, north, in that CRS), each of them whole and valid."""

_TILE = 50_000
"""Parcels for which a layer that is fetched is held in memory at a time."""

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
        False leaves out the pieces that would have to be cut, for ``draw_pieces`` to make of those that are shown. Areas are
        the same.

    Returns
    -------
    GeoDataFrame
        One row per parcel (and feature): ``parcel_id, layer, feature, overlap_m2, overlap_share`` and the piece, in
        the CRS of the parcels; ordered as the parcels, then by feature. Pieces that overlap each other count once. Where a
        whole parcel lies inside, the piece is the parcel. A piece left out is None.
    """
    own = np.asarray(parcels.geometry.values)
    rows: list[pd.DataFrame] = []
    shapes: list[_Array] = []
    for part, positions, features, codes, names in _in_tiles(parcels, layer, feature):
        shared, pieces = _locate(np.asarray(part.geometry.values), features, codes, method, drawn)
        shown = own[positions[shared.parcel]]
        astride = ~shared.is_whole
        if pieces is None:
            shown[astride] = None
        else:
            cut = geopandas.GeoDataFrame(geometry=pieces[astride], crs=part.crs)
            shown[astride] = np.asarray(transform(cut, parcels.crs).geometry.values)
        rows.append(_rows_of(shared, positions, part, names))
        shapes.append(shown)
    table = pd.concat(rows, ignore_index=True) if rows else _NO_ROWS
    geometry = np.concatenate(shapes) if shapes else np.empty(0, dtype=object)
    order = _order_of(table)
    table = table.iloc[order].reset_index(drop=True)
    named = {"parcel_id": parcels.index.astype("str")[table["_at"]].to_numpy(), "layer": name}
    frame = coerce(table.drop(columns=["_at", "_code"]).assign(**named), "overlaps")
    columns = ["parcel_id", "layer", "feature", "overlap_m2", "overlap_share"]
    return geopandas.GeoDataFrame(frame[columns], geometry=geometry[order], crs=parcels.crs)


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
    rows: list[pd.DataFrame] = []
    for part, positions, features, codes, names in _in_tiles(parcels, layer, feature):
        shared = share_areas(np.asarray(part.geometry.values), features, codes, count=count, method=method)
        rows.append(_rows_of(shared, positions, part, names))
    table = pd.concat(rows, ignore_index=True) if rows else _NO_ROWS
    return table.iloc[_order_of(table)].drop(columns="_code").reset_index(drop=True)


_NO_ROWS = pd.DataFrame(
    {
        "_at": pd.Series(dtype="int64"),
        "_code": pd.Series(dtype="int64"),
        "feature": pd.Series(dtype="str"),
        "overlap_m2": pd.Series(dtype="float64"),
        "overlap_share": pd.Series(dtype="float64"),
    }
)


def _in_zones(parcels: GeoDataFrame) -> Iterator[tuple[GeoDataFrame, _Array]]:
    """Parcels that have an area, in the plane they are measured in, and where they stand in the table."""
    # Only what measuring needs is cut and carried from zone to zone, not a hundred columns of facts.
    slim = parcels[[parcels.geometry.name, "area_m2", "measure_epsg"]].assign(_at=np.arange(len(parcels)))
    measured = slim[slim["area_m2"].notna().to_numpy(dtype=bool)]
    for _, part in in_measuring_zones(measured, measured["measure_epsg"]):
        yield part, part["_at"].to_numpy()


def _in_tiles(
    parcels: GeoDataFrame, layer: GeoDataFrame | Fetch, feature: str | None
) -> Iterator[tuple[GeoDataFrame, _Array, _Array, _Array, _Array]]:
    """Parcels in their plane, where they stand, and the features near them with codes and what these mean, in order."""
    for part, positions in _in_zones(parcels):
        shapes = np.asarray(part.geometry.values)
        for tile in _tiles(shapes) if callable(layer) else [slice(None)]:
            frame = layer(_bounds(shapes[tile]), part.crs) if callable(layer) else layer
            features, labels = _features_of(frame, part.crs, feature)
            codes, names = pd.factorize(labels, sort=True)
            yield part.iloc[tile], positions[tile], features, codes, names


def _order_of(table: pd.DataFrame) -> _Array:
    """As the parcels stand, then by feature: codes rise as the names do, and a parcel lies in one tile only."""
    return np.lexsort((table["_code"].to_numpy(), table["_at"].to_numpy()))


def _features_of(layer: GeoDataFrame, crs: pyproj.CRS, feature: str | None) -> tuple[_Array, _Array]:
    features = np.asarray(transform(layer, crs).geometry.values)
    labels = (
        np.full(len(layer), "", dtype=object)
        if feature is None
        else layer[feature].astype("str").to_numpy(object)
    )
    real = ~(shapely.is_missing(features) | shapely.is_empty(features))
    return features[real], labels[real]


def _rows_of(shared: Shared, positions: _Array, part: GeoDataFrame, names: _Array) -> pd.DataFrame:
    share = np.minimum(shared.area / part["area_m2"].to_numpy(dtype="float64")[shared.parcel], 1.0)
    return pd.DataFrame(
        {
            "_at": positions[shared.parcel],
            "_code": shared.code,
            "feature": pd.Series(names[shared.code], dtype="str"),
            "overlap_m2": shared.area,
            "overlap_share": share,
        }
    )


def _locate(
    shapes: _Array, features: _Array, codes: _Array, method: Method, drawn: bool
) -> tuple[Shared, _Array | None]:
    """What parcels and codes share, and its land if it is to be drawn; that of a whole parcel is left to the caller."""
    if method == "exact":
        return _cut(shapes, features, codes)
    shared = share_areas(shapes, features, codes, method=method)
    if not drawn:
        return shared, None
    astride = np.unique(shared.parcel[~shared.is_whole])
    cut, land = _cut(shapes[astride], features, codes)
    rest = ~np.isin(shared.parcel, astride)
    pieces = np.concatenate([shapes[shared.parcel[rest]], land])
    joined = Shared(
        np.concatenate([shared.parcel[rest], astride[cut.parcel]]),
        np.concatenate([shared.code[rest], cut.code]),
        np.concatenate([shared.area[rest], cut.area]),
        np.concatenate([shared.is_whole[rest], cut.is_whole]),
    )
    return joined, pieces


def _cut(shapes: _Array, features: _Array, codes: _Array) -> tuple[Shared, _Array]:
    united, land = unite_pieces(cut_pieces(shapes, features), codes)
    shared, real = settle(united, shapes)
    land = land[real]
    for k in np.flatnonzero(~np.isin(shapely.get_type_id(land), _POLYGONAL)):
        # Where the two also touch along a line, the line is not land.
        parts = shapely.get_parts(shapely.get_parts(land[k]))
        parts = parts[shapely.area(parts) > 0]
        land[k] = parts[0] if len(parts) == 1 else shapely.multipolygons(parts)
    return shared, land


def _tiles(shapes: _Array) -> Iterator[_Array]:
    """Parcels that lie close together."""
    order = np.argsort(geopandas.GeoSeries(shapes).hilbert_distance().to_numpy(), kind="stable")
    for start in range(0, len(order), _TILE):
        yield np.sort(order[start : start + _TILE])


def _bounds(shapes: _Array) -> tuple[float, float, float, float]:
    west, south, east, north = shapely.total_bounds(shapes).tolist()
    return west, south, east, north
