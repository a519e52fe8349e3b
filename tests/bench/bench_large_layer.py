"""
A constraint layer that stays in its file, held against the same layer read whole: the same areas, and how much memory.

Run as ``python tests/bench/bench_large_layer.py [parcels] [megabytes] [--alone]``. Takes the seeded world of ``bench_million.py``, lays a
GeoPackage of star-shaped patches of 64 corners over it that is as large as asked (600 MB by default; from 512 MB on a layer stays
in its file), and measures every parcel under it in two processes in turn: left in its file, and read whole. Prints seconds and the
most memory each held, the readers it started included. Ends with 1 where an area differs by more than 1e-9 of the parcel, or
where leaving it costs more memory than reading it. ``--alone`` is for a layer that no memory holds: it is not read whole, and 1
means more than 4 GB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_million import BLOCK_M, CRS, SEED, SOUTH, WEST, run, write_world

CORNERS = 64
MOST_MB = 4000.0
AT_ONCE = 20_000


def write_patches(path: Path, side: float, megabytes: float) -> int:
    """Stars in rows from the south-west, each overlapping its neighbours a little; as many as make the file so large."""
    import geopandas
    import numpy as np
    import pyogrio
    import shapely

    rng = np.random.default_rng(SEED)
    count = int(megabytes * 1e6 / (CORNERS * 16 + 150))
    across = int(np.ceil(np.sqrt(count)))
    step = side / across
    turns = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    for begin in range(0, count, AT_ONCE):
        number = np.arange(begin, min(begin + AT_ONCE, count))
        middle = np.column_stack([number % across, number // across]) * step + [
            WEST + step / 2,
            SOUTH + step / 2,
        ]
        reach = step * rng.uniform(0.35, 0.6, (len(number), CORNERS))
        points = middle[:, None] + reach[..., None] * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
        shapes = shapely.polygons(np.concatenate([points, points[:, :1]], axis=1))
        frame = geopandas.GeoDataFrame(geometry=shapes, crs=CRS)
        pyogrio.write_dataframe(frame, path, layer="patches", append=begin > 0)
    return count


def measure(folder: Path, path: Path, is_left: bool) -> dict[str, float]:
    """Seconds by stage of one way, and what was found."""
    import geopandas
    import numpy as np

    from landplan.crs import measure_areas
    from landplan.gather.large import LargeLayer, tile_of
    from landplan.overlay import measure_shares
    from landplan.read.door import open_door
    from landplan.read.near import is_large, open_near
    from landplan.read.source import read_source
    from landplan.repair import repair_layer, repair_parcels

    begun = time.perf_counter()
    parcels = geopandas.read_parquet(folder / "parcels.parquet", columns=["DKBH", "geometry"]).set_index(
        "DKBH"
    )
    parcels.index.name = "parcel_id"
    parcels, _ = repair_parcels(parcels)
    parcels = parcels.join(measure_areas(parcels))
    drawn = time.perf_counter()
    layer: Any
    if is_left:
        if not is_large(path):
            raise SystemExit(f"{path} is too small to be left in its file")
        opened = open_near(open_door(path, stays=True))
        layer = (
            LargeLayer(opened[0], "patches", tile_of(path.stat().st_size, len(parcels))) if opened else None
        )
    else:
        layer, _, _ = repair_layer(read_source(path).frame[["geometry"]], "patches")
    read = time.perf_counter()
    found = measure_shares(parcels, layer, count="sum", method="fast")
    np.save(folder / f"large-{is_left}.npy", found["overlap_m2"].to_numpy())
    (folder / f"large-{is_left}.json").write_text(json.dumps(found["parcel_id"].tolist()))
    return {"parcels": drawn - begun, "layer": read - drawn, "overlay": time.perf_counter() - read}


def main(arguments: argparse.Namespace) -> int:
    """Print what was measured; 1 where the two ways differ, or leaving the layer takes more memory."""
    import numpy as np

    folder = Path(tempfile.gettempdir()) / f"landplan-million-{arguments.parcels}-{SEED}"
    folder.mkdir(exist_ok=True)
    if not (folder / "about.json").exists():
        write_world(folder, arguments.parcels)
    path = folder / f"patches-{arguments.megabytes:g}.gpkg"
    side = int(np.ceil(np.sqrt(-(-arguments.parcels // 4)))) * BLOCK_M
    if not path.exists():
        write_patches(path, side, arguments.megabytes)
    print(f"{arguments.parcels} parcels, a layer of {path.stat().st_size / 1e6:.0f} MB")
    most = {}
    for is_left in (True,) if arguments.alone else (True, False):
        taken, stages, most[is_left] = run(
            ["--one", str(folder), str(path), str(int(is_left))], Path(__file__)
        )
        name = "left in its file" if is_left else "read whole"
        print(
            f"{name:18} {taken:7.1f} s  {most[is_left]:7.0f} MB   "
            + "  ".join(f"{k} {v:.1f}" for k, v in stages.items())
        )
    if arguments.alone:
        return int(most[True] > MOST_MB)
    ids = [json.loads((folder / f"large-{way}.json").read_text()) for way in (True, False)]
    areas = [np.load(folder / f"large-{way}.npy") for way in (True, False)]
    same = ids[0] == ids[1] and np.allclose(*areas, rtol=1e-9, atol=1e-6)
    print(f"areas {'equal' if same else 'DIFFER'}; memory {most[True] / most[False]:.2f} of reading it whole")
    return int(not same or most[True] > most[False])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(Path(sys.argv[2]), Path(sys.argv[3]), bool(int(sys.argv[4])))))
        sys.exit(0)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parcels", type=int, nargs="?", default=100_000)
    parser.add_argument("megabytes", type=float, nargs="?", default=600.0)
    parser.add_argument("--alone", action="store_true", help="do not read the layer whole to compare")
    sys.exit(main(parser.parse_args()))
