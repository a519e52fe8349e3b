"""
Parcels against zones, huge constraints and land use: landplan's two ways beside what users of geopandas and shapely write.

Run by hand or by the machine that measures: ``python tests/bench/bench_overlay.py 10000``; answers are held equal before
times are compared, and it ends with 1 where they differ or the goal is missed. Read the ratios: machines differ.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from rasterio.features import shapes as trace_shapes

from landplan.overlay import measure_shares

SEED = 20261120
CRS = 4546
WEST, SOUTH = 450_000.0, 3_250_000.0
PITCH_M = 100.0  # between the middles of parcels
CONSTRAINTS, VERTICES, CLASSES = 5, 200_000, 12
GOAL = 100.0  # times faster than geopandas
ANSWER = ["parcel_id", "layer", "feature", "overlap_m2"]


def noise(size: int, roughness: float, rng: np.random.Generator) -> Any:
    """Hills without end: noise whose waves weaken with their number."""
    waves = np.fft.rfft2(rng.standard_normal((size, size)))
    number = np.hypot(np.fft.rfftfreq(size)[None, :] * size, np.fft.fftfreq(size)[:, None] * size)
    number[0, 0] = np.inf
    hills = np.fft.irfft2(waves * np.maximum(number, 4.0) ** (-roughness / 2), s=(size, size))
    return (hills - hills.mean()) / hills.std()


def outline(labels: Any, side: float, rng: np.random.Generator, mask: Any = None) -> tuple[Any, Any]:
    """Polygons around equal labels; every corner of a cell is moved, the same for all who meet there."""
    found = list(trace_shapes(labels.astype("int32"), mask=mask, connectivity=4))
    drawn = [shapely.Polygon(shape["coordinates"][0], shape["coordinates"][1:]) for shape, _ in found]
    size = labels.shape[0]
    moves = rng.uniform(-0.33, 0.33, (size + 1, size + 1, 2))

    def place(corners: Any) -> Any:
        at = np.rint(corners).astype(int)
        moved = corners + moves[at[:, 1], at[:, 0]]
        return np.round(np.array([WEST, SOUTH]) + moved * side / size, 4)

    polygons = shapely.transform(shapely.segmentize(np.array(drawn, dtype=object), 1.0), place)
    return shapely.make_valid(polygons), np.array([int(value) for _, value in found])


def tessellation(count: int, cells: int, side: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """About ``count`` neighbours that leave no gap, with winding borders."""
    across = max(int(np.sqrt(count)), 1)
    row, column = np.mgrid[0:cells, 0:cells] / cells * across
    bend = 0.3 * np.stack([noise(cells, 2.6, rng), noise(cells, 2.6, rng)])
    place = np.clip(np.floor(np.stack([row, column]) + bend), 0, across - 1).astype(int)
    return outline(place[0] * across + place[1], side, rng)


def make_world(count: int) -> tuple[Any, dict[str, Any]]:
    """Parcels, and layers by name."""
    rng = np.random.default_rng(SEED)
    across = int(np.ceil(np.sqrt(count)))
    side = across * PITCH_M
    spot = np.arange(count)
    middle = np.column_stack([spot % across, spot // across]) + 0.5 + rng.uniform(-0.08, 0.08, (count, 2))
    corners = rng.integers(5, 24, count)
    owner = np.repeat(spot, corners)
    turn = (
        np.arange(len(owner))
        - np.repeat(np.cumsum(corners) - corners, corners)
        + rng.uniform(0.1, 0.9, len(owner))
    )
    angle = turn / corners[owner] * 2 * np.pi
    reach = 0.4 * rng.uniform(0.4, 1.0, count)[owner] * rng.uniform(0.62, 1.0, len(owner))
    points = (middle[owner] + reach[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])) * PITCH_M
    points = np.round(points + np.array([WEST, SOUTH]), 4)
    parcels = shapely.polygons(shapely.linearrings(points, indices=owner))
    index = pd.Index([f"P{k:07d}" for k in spot], name="parcel_id", dtype="str")
    frame = geopandas.GeoDataFrame(geometry=parcels, index=index, crs=CRS)
    frame["area_m2"], frame["measure_epsg"] = shapely.area(parcels), pd.array([CRS] * count, dtype="Int64")
    cells = 2000
    zones, code = tessellation(40, cells, side, rng)
    huge = []
    for _ in range(CONSTRAINTS):
        low, high = 1.2, 4.0
        hills = np.random.default_rng(rng.integers(1 << 31))
        state = hills.bit_generator.state
        while high - low > 0.02:  # as rough as gives the vertices wanted
            roughness = (low + high) / 2
            hills.bit_generator.state = state
            raised = noise(cells, roughness, hills) > 0.8
            edges = int((raised[1:] != raised[:-1]).sum() + (raised[:, 1:] != raised[:, :-1]).sum())
            low, high = (roughness, high) if edges > VERTICES else (low, roughness)
        parts = shapely.get_parts(outline(raised, side, rng, raised)[0])
        huge.append(shapely.multipolygons(parts[shapely.get_type_id(parts) == 3]))
    patches, _ = tessellation(count // 2, cells, side, rng)
    classes = np.array([f"{k:02d}" for k in range(CLASSES)])[rng.integers(0, CLASSES, len(patches))]
    layers = {
        "zones": geopandas.GeoDataFrame({"feature": code.astype(str)}, geometry=zones, crs=CRS),
        "constraints": geopandas.GeoDataFrame(
            {"feature": [f"c{k}" for k in range(CONSTRAINTS)]}, geometry=huge, crs=CRS
        ),
        "classes": geopandas.GeoDataFrame({"feature": classes}, geometry=patches, crs=CRS),
    }
    return frame, layers


def by_landplan(method: Any) -> Callable[[Any, dict[str, Any]], pd.DataFrame]:
    def run(parcels: Any, layers: dict[str, Any]) -> pd.DataFrame:
        found = [
            measure_shares(parcels, layer, "feature", count="sum", method=method).assign(layer=name)
            for name, layer in layers.items()
        ]
        return pd.concat(found)[ANSWER]

    return run


def by_geopandas(parcels: Any, layers: dict[str, Any]) -> pd.DataFrame:
    """Join where they meet, overlay, group: what a user of geopandas writes."""
    found = []
    for name, layer in layers.items():
        met = geopandas.sjoin(parcels.reset_index()[["parcel_id", "geometry"]], layer, predicate="intersects")
        kept = parcels.loc[met["parcel_id"].unique(), ["geometry"]].reset_index()
        cut = geopandas.overlay(kept, layer, how="intersection", keep_geom_type=True)
        cut["overlap_m2"] = cut.area
        found.append(
            cut.groupby(["parcel_id", "feature"], as_index=False)["overlap_m2"].sum().assign(layer=name)
        )
    return pd.concat(found)[ANSWER]


def by_strtree(parcels: Any, layers: dict[str, Any]) -> pd.DataFrame:
    """A tree and vectorised intersections: what a user of shapely writes."""
    found = []
    shapes = np.asarray(parcels.geometry.values)
    for name, layer in layers.items():
        features = np.asarray(layer.geometry.values)
        first, second = shapely.STRtree(features).query(shapes, predicate="intersects")
        area = shapely.area(shapely.intersection(shapes[first], features[second]))
        names = {
            "parcel_id": parcels.index[first],
            "feature": layer["feature"].to_numpy()[second],
            "overlap_m2": area,
        }
        summed = pd.DataFrame(names).groupby(["parcel_id", "feature"], as_index=False)["overlap_m2"].sum()
        found.append(summed.assign(layer=name))
    return pd.concat(found)[ANSWER]


def differ(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Largest difference, as a share of the larger area, of one m2 at least."""
    key = ["parcel_id", "layer", "feature"]
    both = one.set_index(key)["overlap_m2"].align(other.set_index(key)["overlap_m2"], fill_value=0.0)
    return float(((both[0] - both[1]).abs() / np.maximum(np.maximum(*both), 1.0)).max())


def main(count: int, sample: int) -> int:
    """Print what was measured; 1 where answers differ or geopandas is not beaten by the goal."""
    begun = time.perf_counter()
    parcels, layers = make_world(count)
    vertices = {
        name: int(shapely.get_num_coordinates(layer.geometry.values).sum()) for name, layer in layers.items()
    }
    print(f"{count} parcels; vertices {vertices}; made in {time.perf_counter() - begun:.0f} s")
    begun = time.perf_counter()
    by_landplan("fast")(parcels.iloc[:2], {name: layer.iloc[:1] for name, layer in layers.items()})
    print(f"compiled, or loaded from its cache, in {time.perf_counter() - begun:.1f} s")
    few = parcels.iloc[np.sort(np.random.default_rng(SEED).choice(count, min(sample, count), replace=False))]
    ways: list[tuple[str, Callable[..., pd.DataFrame], Any]] = [
        ("landplan fast", by_landplan("fast"), parcels),
        ("landplan exact", by_landplan("exact"), parcels.iloc[:10_000]),
        ("shapely STRtree", by_strtree, few),
        ("geopandas overlay", by_geopandas, few),
    ]
    missed = False
    answers: list[pd.DataFrame] = []
    base = 0.0
    for name, way, asked in ways:
        begun = time.perf_counter()
        answers.append(way(asked, layers))
        taken = (time.perf_counter() - begun) / len(asked)
        base = base or taken
        mine = answers[0][answers[0]["parcel_id"].isin(asked.index)]
        apart = differ(mine, answers[-1])
        missed |= apart > 1e-6 or (name.startswith("geopandas") and taken < GOAL * base)
        print(
            f"{name:18} {len(asked):7} parcels {taken * 1e6:10.1f} us each  x {taken / base:8.1f}  differs {apart:.1e}"
        )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB")
    return int(missed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--sample", type=int, default=100, help="parcels given to the slow ways")
    arguments = parser.parse_args()
    sys.exit(main(arguments.count, arguments.sample))
