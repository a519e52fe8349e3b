"""
A county of 100 km by 100 km, drawn from a seed: what the overlay is measured on, kept in a folder once it is drawn.

``python tests/bench/county.py [--folder FOLDER]`` draws what is not there yet: some minutes and 1 GB. Parcels of 5 to 40
vertices (10,000 and 100,000 of them are samples of the million), 200 zones that leave no gap, 20 constraints of about 200,000
vertices each with holes and many parts, and some 480,000 patches of 12 classes of land use that leave no gap either. The
last two as they come, and (``_cut``) with every large polygon halved until it is small, as databases want them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely
from rasterio.features import shapes as trace_shapes

from landplan.overlay.cut import halve_features

SEED, CRS = 20261120, 4546
ORIGIN, SIDE = np.array([450_000.0, 3_250_000.0]), 100_000.0
SIZES = (10_000, 100_000, 1_000_000)
ZONES, CONSTRAINTS, CLASSES = 200, 20, 12
VERTICES = 200_000  # of one constraint, about
SMALL = 128  # vertices of a polygon cut for databases
PATCHES = 440_000  # seeds of patches; some fall apart into more
ROW_GROUP = 100_000

FOLDER = Path(os.environ.get("LANDPLAN_BENCH", Path(tempfile.gettempdir()) / "landplan-bench"))


def _noise(size: int, roughness: float, rng: np.random.Generator, longest: float = 1.0) -> Any:
    """Hills without end: noise whose waves weaken with their number; mean 0, deviation 1."""
    waves = np.fft.rfft2(rng.standard_normal((size, size)).astype(np.float32))
    number = np.hypot(np.fft.rfftfreq(size)[None, :] * size, np.fft.fftfreq(size)[:, None] * size)
    number[0, 0] = np.inf
    hills = np.fft.irfft2(waves * np.maximum(number, longest) ** (-roughness / 2), s=(size, size))
    hills = hills.astype(np.float32)
    return (hills - hills.mean()) / hills.std()


def _outline(labels: Any, rng: np.random.Generator, mask: Any = None) -> tuple[Any, Any]:
    """Polygons around equal labels; every corner of a cell is moved, the same for all who meet there."""
    size = labels.shape[0]
    drawn, found = [], []
    for shape, value in trace_shapes(labels, mask=mask, connectivity=4):
        rings = shape["coordinates"]
        drawn.append(shapely.Polygon(rings[0], rings[1:]))
        found.append(int(value))
    moves = rng.uniform(-0.33, 0.33, (size + 1, size + 1, 2)).astype(np.float32)
    moves[[0, -1], :, 1] = 0.0
    moves[:, [0, -1], 0] = 0.0
    polygons = shapely.segmentize(np.array(drawn, dtype=object), 1.0)
    corners = shapely.get_coordinates(polygons)
    at = np.rint(corners).astype(np.int64)
    moved = (at + moves[at[:, 1], at[:, 0]]) * (SIDE / size)
    polygons = shapely.set_coordinates(polygons, np.round(ORIGIN + moved, 4))
    broken = ~shapely.is_valid(polygons)
    polygons[broken] = shapely.make_valid(polygons[broken])
    return polygons, np.array(found)


def _nearest(seeds: Any, size: int, bend: float, roughness: float, rng: np.random.Generator) -> Any:
    """Number of the nearest seed for each cell, borders bent by noise."""
    from scipy.spatial import cKDTree

    row, column = np.mgrid[0:size, 0:size]
    bends = [_noise(size, roughness, rng) * bend for _ in range(2)]
    spots = np.stack([(column + 0.5 + bends[0]).ravel(), (row + 0.5 + bends[1]).ravel()], axis=1)
    return cKDTree(seeds).query(spots, workers=-1)[1].reshape(size, size).astype(np.int32)


def _parcels(rng: np.random.Generator) -> Any:
    across = 1000
    count, pitch = across * across, SIDE / across
    spot = np.arange(count)
    middle = np.column_stack([spot % across, spot // across]) + 0.5 + rng.uniform(-0.08, 0.08, (count, 2))
    corners = np.clip(np.rint(np.exp(rng.normal(2.35, 0.45, count))), 5, 40).astype(np.int64)
    begins = np.concatenate([[0], np.cumsum(corners)])
    owner = np.repeat(spot, corners)
    within = np.arange(begins[-1]) - begins[owner]
    turn = within + rng.uniform(0.1, 0.9, len(owner))
    angle = turn / corners[owner] * 2 * np.pi + rng.uniform(0, 2 * np.pi, count)[owner]
    reach = 0.4 * np.clip(np.exp(rng.normal(-0.15, 0.25, count)), 0.25, 1.0)
    reach = reach[owner] * rng.uniform(0.62, 1.0, len(owner))
    points = (middle[owner] + reach[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])) * pitch
    rings = begins + np.arange(count + 1)
    closed = np.empty((rings[-1], 2))
    closed[rings[owner] + within] = np.round(points + ORIGIN, 4)
    closed[rings[1:] - 1] = closed[rings[:-1]]
    shapes = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, closed, (rings, np.arange(count + 1, dtype=np.int64))
    )
    return geopandas.GeoDataFrame({"parcel_id": spot}, geometry=shapes, crs=CRS)


def _zones(rng: np.random.Generator) -> Any:
    size = 2000
    labels = _nearest(rng.uniform(0, size, (ZONES, 2)), size, size * 0.006, 2.6, rng)
    shapes, codes = _outline(labels, rng)
    return geopandas.GeoDataFrame({"code": codes}, geometry=shapes, crs=CRS).dissolve("code", as_index=False)


def _constraints(rng: np.random.Generator) -> Any:
    size = 4000
    drawn = []
    for number in range(CONSTRAINTS):
        share = (0.06, 0.12, 0.2, 0.3, 0.4)[number % 5]
        seed = int(rng.integers(1 << 31))
        low, high = 1.6, 4.4
        for _ in range(10):  # as rough as gives the vertices wanted
            roughness = (low + high) / 2
            hills = _noise(size, roughness, np.random.default_rng(seed), 4.0)
            raised = hills > np.quantile(hills[::4, ::4], 1 - share)
            edges = int((raised[1:] != raised[:-1]).sum() + (raised[:, 1:] != raised[:, :-1]).sum())
            low, high = (roughness, high) if edges > VERTICES else (low, roughness)
            if abs(edges - VERTICES) < 0.05 * VERTICES:
                break
        parts = shapely.get_parts(_outline(raised.astype(np.uint8), rng, raised)[0])
        drawn.append(shapely.multipolygons(parts[shapely.get_type_id(parts) == 3]))
    return geopandas.GeoDataFrame({"code": np.arange(CONSTRAINTS)}, geometry=drawn, crs=CRS)


def _patches(rng: np.random.Generator) -> Any:
    size, blocks = 5000, 1000
    weight = np.exp(_noise(blocks, 2.5, rng) * 0.7).ravel().astype(np.float64)
    block = rng.choice(weight.size, PATCHES, p=weight / weight.sum())
    seeds = np.column_stack([block % blocks, block // blocks]) + rng.uniform(0, 1, (PATCHES, 2))
    shapes, _ = _outline(_nearest(seeds * (size / blocks), size, 0.75, 2.0, rng), rng)
    use = _noise(blocks, 2.2, rng)
    inner = shapely.get_coordinates(shapely.point_on_surface(shapes))
    at = np.clip((inner - ORIGIN) / (SIDE / blocks), 0, blocks - 1).astype(np.int64)
    bounds = np.quantile(use, np.linspace(0, 1, CLASSES + 1)[1:-1])
    codes = np.digitize(use[at[:, 1], at[:, 0]] + rng.normal(0, 0.25, len(shapes)), bounds)
    return geopandas.GeoDataFrame({"code": codes}, geometry=shapes, crs=CRS)


def _cut(layer: Any) -> Any:
    """The layer with every large polygon halved until it is small."""
    features = np.asarray(layer.geometry.values)
    halves, owners = halve_features(features, np.array([shapely.box(*layer.total_bounds)]), SMALL)
    codes = layer["code"].to_numpy()[owners]
    return geopandas.GeoDataFrame({"code": codes}, geometry=halves, crs=CRS)


def _write(frame: Any, path: Path, said: Callable[[str], None]) -> None:
    partial = path.with_suffix(".partial")
    frame.to_parquet(partial, row_group_size=ROW_GROUP, write_covering_bbox=True, compression="zstd")
    partial.rename(path)
    vertices = shapely.get_num_coordinates(frame.geometry.values)
    invalid = int((~shapely.is_valid(frame.geometry.values)).sum())
    said(
        f"{path.name}: {len(frame):,} rows, {vertices.sum():,} vertices, most {vertices.max():,}, invalid {invalid}"
    )


def make_county(folder: Path = FOLDER, said: Callable[[str], None] = print) -> Path:
    """
    Draw whatever of the county is not in a folder yet.

    Parameters
    ----------
    folder : Path
        Made where it is missing. By default what LANDPLAN_BENCH names, else a folder beside other temporary ones.
    said : callable
        Told what was drawn.

    Returns
    -------
    Path
        The folder: ``parcels_<n>.parquet`` (parcel_id), ``zones``, ``constraints``, ``patches`` (code) and the first two
        once more as ``_cut``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    makers = {"parcels": _parcels, "zones": _zones, "constraints": _constraints, "patches": _patches}
    for number, (name, make) in enumerate(makers.items()):
        rng = np.random.default_rng([SEED, number])
        paths = [folder / f"parcels_{size}.parquet" for size in SIZES] if name == "parcels" else []
        paths = paths or [folder / f"{name}.parquet"]
        if not all(path.exists() for path in paths):
            begun = time.perf_counter()
            frame = make(rng)
            if name == "parcels":
                mixed = rng.permutation(len(frame))
                for size, path in zip(SIZES, paths, strict=True):
                    _write(frame.iloc[np.sort(mixed[:size])].reset_index(drop=True), path, said)
            else:
                _write(frame, paths[0], said)
            said(f"{name} drawn in {time.perf_counter() - begun:.0f} s")
        cut = folder / f"{name}_cut.parquet"
        if name in ("zones", "constraints") and not cut.exists():
            _write(_cut(geopandas.read_parquet(paths[0])), cut, said)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    make_county(parser.parse_args().folder)
