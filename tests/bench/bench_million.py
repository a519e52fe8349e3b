"""
A million parcels from files to a saved judgement, held against merely reading and writing them.

Run as ``python tests/bench/bench_million.py [count] [--parcels parquet|gpkg|fgb] [--events parquet|csv] [--goal 5]``. Writes a
seeded project once into a temporary folder (parcels with their indicators, zones, area evaluations, four constraint layers
with extents, events, a rulebook of twelve rules), then runs three processes in turn, each on its own:

- landplan: read, repair, attach, overlay, judge, save as a folder of GeoParquet (the workbook is for people, and is not part
  of it);
- pyogrio: read the same parcels through Arrow from FlatGeobuf or GeoPackage, and write them with ``to_parquet``;
- geopandas: ``read_parquet`` and ``to_parquet`` of them.

Prints seconds by stage, the ratio, and the most memory each process held, the readers it started included. Ends with 1 where
the goal is missed. Machines are shared and noisy: read ratios, and repeat.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

SEED = 20261120
CRS = 4546
WEST, SOUTH = 450_000.0, 3_250_000.0
BLOCK_M, LOT_M = 200.0, 90.0  # four lots to a block, roads between blocks
LAYERS = {
    "farmland": "永久基本农田",
    "redline": "生态保护红线",
    "river": "河湖管理范围",
    "urban": "城镇开发边界",
}
EVALUATIONS = {"flood": "洪水影响评价", "geohazard": "地质灾害危险性评估"}
EVENTS = {"clear_land": "净地", "approval": "农转用批复", "sale": "出让"}
AS_OF = "2026-11-20"

PROFILE = """\
profile: million
title: 示例县（编造）
provider: 示例
columns: {DKBH: parcel_id, DKMC: parcel_name, YT: land_use, HY: industry_gbt4754_2017, MJ: area_registered_m2, RJL: far_min,
          JZXS: building_coefficient_min, TZQD: invest_intensity_cny_per_m2, SS: tax_cny_per_m2_yr,
          NH: energy_tce_per_wan_cny, LDL: green_ratio_max, NX: term_years}
units: {MJ: 亩, RJL: "1", JZXS: "%", TZQD: 万元/亩, SS: 万元/亩·年, NH: 吨标煤/万元, LDL: "%"}
"""
RULES = {
    "far.min": ("far_min", "at_least", '"1"', "{C14: 1.0, C30: 0.7, C34: 0.7, C39: 1.0, 其他: refer}"),
    "building_coefficient.min": ("building_coefficient_min", "at_least", '"%"', "40"),
    "invest.min": ("invest_intensity_cny_per_m2", "at_least", "万元/亩", "{C14: 150, C34: 200, 其他: 180}"),
    "tax.min": ("tax_cny_per_m2_yr", "at_least", "万元/亩·年", "12"),
    "energy.max": ("energy_tce_per_wan_cny", "at_most", "吨标煤/万元", "0.5"),
    "green.max": ("green_ratio_max", "at_most", '"%"', "20"),
    "farmland.overlap": ("farmland_overlap_m2", "at_most", "m2", "0"),
    "redline.overlap": ("redline_overlap_m2", "at_most", "m2", "0"),
    "urban.covered": ("urban_overlap_share", "covered", '"%"', "100"),
    "evaluation.flood": ("evaluation_flood_share", "covered", '"%"', "100"),
    "evaluation.geohazard": ("evaluation_geohazard_share", "covered", '"%"', "100"),
    "clear_land.done": ("event_clear_land_state", "one_of", "", "[done]"),
}


def rulebook() -> str:
    """Twelve rules of the kinds a zone has; every figure is made up."""
    lines = [
        "rulebook: million",
        "title: 十二条规则（编造）",
        "checked_on: 2026-11-20",
        "mark: 示例",
        "rules:",
    ]
    for rule_id, (indicator, test, unit, value) in RULES.items():
        lines += [f"  {rule_id}:", f"    indicator: {indicator}", f"    test: {test}"]
        lines += [f"    unit: {unit}"] if unit else []
        lines += ["    by: industry_gbt4754_2017"] if "C14" in value else []
        lines += ["    force: mandatory", "    values:", f"      2022-12-25: {value}"]
        lines += ["    reference:", "      2022-12-25: {title: 示例办法（编造）, article: 附表}"]
    return "\n".join(lines) + "\n"


def project(parcels: str, events: str) -> str:
    """The project file of one variant."""
    text = [
        "[project]",
        'name = "百万宗（编造）"',
        "sample = true",
        "[parcels]",
        f'paths = ["parcels.{parcels}"]',
    ]
    text += ['profile = "million.yaml"', "[zones]", 'path = "zones.gpkg"']
    for name, title in LAYERS.items():
        text += [
            "[[layers]]",
            f'name = "{name}"',
            f'title = "{title}"',
            f'path = "{name}.gpkg"',
            f'extent = "{name}-extent.gpkg"',
        ]
    text += ["[evaluations]", 'path = "evaluations.gpkg"', "[evaluations.items]"]
    text += [f'{name} = "{title}"' for name, title in EVALUATIONS.items()]
    text += ["[events]", f'path = "events.{events}"', 'complete = ["sale"]', "[events.items]"]
    text += [f'{name} = "{title}"' for name, title in EVENTS.items()]
    return "\n".join([*text, "[rules]", 'book = "million"', 'folder = "."', ""])


def make_parcels(count: int, rng: Any) -> Any:
    """Lots of twelve corners, four to a block, that share their borders; one in a thousand is drawn wrong."""
    import geopandas
    import numpy as np
    import shapely

    blocks = -(-count // 4)
    across = int(np.ceil(np.sqrt(blocks)))
    at = np.arange(blocks)
    origin = np.column_stack([at % across, at // across]) * BLOCK_M + [WEST, SOUTH]
    step = np.stack(np.meshgrid(np.arange(3), np.arange(3)), axis=-1) * LOT_M  # [row, column, (x, y)]
    corner = origin[:, None, None] + step + rng.uniform(-6, 6, (blocks, 3, 3, 2)) + 8.0

    def bent(start: Any, end: Any) -> Any:
        """Two points between, moved aside; the same for the lots on both sides."""
        thirds = np.array([1 / 3, 2 / 3])[:, None]
        aside = rng.uniform(-4, 4, (*start.shape[:-1], 2, 2))
        return start[..., None, :] + (end - start)[..., None, :] * thirds + aside

    level, upright = bent(corner[:, :, :-1], corner[:, :, 1:]), bent(corner[:, :-1], corner[:, 1:])
    lots = []
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        sides = [
            corner[:, row, column, None], level[:, row, column],
            corner[:, row, column + 1, None], upright[:, row, column + 1],
            corner[:, row + 1, column + 1, None], level[:, row + 1, column, ::-1],
            corner[:, row + 1, column, None], upright[:, row, column, ::-1],
        ]  # fmt: skip
        lots.append(np.concatenate(sides, axis=1))
    points = np.stack(lots, axis=1).reshape(-1, 12, 2)[:count]
    bad = rng.random(count)
    tied = bad < 0.001
    points[tied, 4], points[tied, 5] = points[tied, 5].copy(), points[tied, 4].copy()
    points[(bad > 0.001) & (bad < 0.003)] += 1.0  # over their neighbours
    points[(bad > 0.003) & (bad < 0.004), 6] -= 0.3  # a strip that nobody has
    points = np.round(points, 4)
    shapes = shapely.polygons(np.concatenate([points, points[:, :1]], axis=1))

    def some(values: Any) -> Any:
        return np.where(rng.random(count) < 0.01, np.nan, values)

    area = shapely.area(shapes) * 3 / 2000
    return geopandas.GeoDataFrame(
        {
            "DKBH": [f"140702{k:09d}" for k in range(count)],
            "DKMC": [f"示例园{k % 97:02d}号路{k}号" for k in range(count)],
            "YT": rng.choice(["一类工业用地", "二类工业用地", "三类工业用地", "物流仓储用地"], count),
            "HY": rng.choice(["C14", "C30", "C34", "C39", "C36"], count),
            "MJ": np.round(area * np.where(rng.random(count) < 0.005, 1.02, 1.0), 2),
            "RJL": some(np.round(rng.uniform(0.65, 2.5, count), 2)),
            "JZXS": some(np.round(rng.uniform(38, 60, count), 1)),
            "TZQD": some(np.round(rng.uniform(140, 400, count), 2)),
            "SS": some(np.round(rng.uniform(11, 30, count), 2)),
            "NH": some(np.round(rng.uniform(0.05, 0.55, count), 3)),
            "LDL": some(np.round(rng.uniform(5, 21, count), 1)),
            "NX": rng.choice([20, 30, 50], count),
        },
        geometry=shapes,
        crs=CRS,
    )


def noise(size: int, roughness: float, rng: Any) -> Any:
    """Hills without end: noise whose waves weaken with their number."""
    import numpy as np

    waves = np.fft.rfft2(rng.standard_normal((size, size)))
    number = np.hypot(np.fft.rfftfreq(size)[None, :] * size, np.fft.fftfreq(size)[:, None] * size)
    number[0, 0] = np.inf
    hills = np.fft.irfft2(waves * np.maximum(number, 4.0) ** (-roughness / 2), s=(size, size))
    return (hills - hills.mean()) / hills.std()


def outline(labels: Any, side: float, rng: Any, mask: Any = None) -> tuple[Any, Any]:
    """Polygons around equal labels, corners of cells moved the same for all who meet there."""
    import numpy as np
    import shapely
    from rasterio.features import shapes as trace_shapes

    found = list(trace_shapes(labels.astype("int32"), mask=mask, connectivity=4))
    drawn = [shapely.Polygon(shape["coordinates"][0], shape["coordinates"][1:]) for shape, _ in found]
    size = labels.shape[0]
    moves = rng.uniform(-0.33, 0.33, (size + 1, size + 1, 2))

    def place(corners: Any) -> Any:
        spot = np.rint(corners).astype(int)
        return np.round([WEST, SOUTH] + (corners + moves[spot[:, 1], spot[:, 0]]) * side / size, 4)

    polygons = shapely.transform(shapely.segmentize(np.array(drawn, dtype=object), 1.0), place)
    return shapely.make_valid(polygons), np.array([int(value) for _, value in found])


def write_world(folder: Path, count: int) -> None:
    """Write every file of the project, parcels and events in each of their variants."""
    import geopandas
    import numpy as np
    import pandas as pd
    import pyogrio
    import shapely

    rng = np.random.default_rng(SEED)
    parcels = make_parcels(count, rng)
    parcels.to_parquet(folder / "parcels.parquet")
    pyogrio.write_dataframe(parcels, folder / "parcels.gpkg", use_arrow=True)
    pyogrio.write_dataframe(parcels, folder / "parcels.fgb", use_arrow=True)
    side = int(np.ceil(np.sqrt(-(-count // 4)))) * BLOCK_M
    cells = max(int(side / 100), 60)  # of 100 m

    def save(shapes: Any, name: str, **columns: Any) -> None:
        pyogrio.write_dataframe(
            geopandas.GeoDataFrame(columns, geometry=shapes, crs=CRS), folder / f"{name}.gpkg"
        )

    row, column = np.mgrid[0:cells, 0:cells] / cells * 6
    bend = 0.3 * np.stack([noise(cells, 2.6, rng), noise(cells, 2.6, rng)])
    place = np.clip(np.floor(np.stack([row, column]) + bend), 0, 5).astype(int)
    shapes, codes = outline(place[0] * 6 + place[1], side, rng)
    kept = codes != 7  # the parcels there lie in no zone
    zones = (
        geopandas.GeoSeries(shapes[kept])
        .groupby(codes[kept])
        .agg(lambda parts: shapely.union_all(parts.values))
    )
    save(zones.to_numpy(), "zones", 开发区代码=[f"Z{code:02d}" for code in zones.index],
         开发区名称=[f"示例园{code}" for code in zones.index], 生效日期=["2019-01-01"] * len(zones))  # fmt: skip
    county = shapely.box(WEST - 5000, SOUTH - 5000, WEST + side + 5000, SOUTH + side + 5000)
    vertices = {}
    for k, name in enumerate(LAYERS):
        hills = noise(cells, 2.1, rng)
        raised = hills > (1.2 if name != "urban" else -1.2)
        parts = shapely.get_parts(outline(raised, side, rng, raised)[0])
        huge = shapely.multipolygons(parts[shapely.get_type_id(parts) == 3])
        vertices[name] = int(shapely.get_num_coordinates(huge))
        save([huge], name)
        # The last layer was not surveyed to the very west.
        save([county if k < 3 else shapely.box(WEST + side / 100, *county.bounds[1:])], f"{name}-extent")
    items, boxes, until = [], [], []
    for title in EVALUATIONS.values():
        for part in range(9):
            west, south = WEST + (part % 3) * side / 3, SOUTH + (part // 3) * side / 3
            boxes.append(shapely.box(west - 10, south - 10, west + side / 3 + 10, south + side / 3 + 10))
            items.append(title)
            until.append("2026-06-30" if part == 4 and title == "洪水影响评价" else "2028-01-01")
    save(boxes, "evaluations", 评估事项=items, 批准日期=["2023-01-01"] * len(items), 有效期至=until)
    tables = []
    for title, share in (("净地", 0.5), ("农转用批复", 0.4), ("出让", 0.1)):
        whose = parcels["DKBH"].to_numpy()[rng.random(count) < share]
        days = np.datetime64("2023-01-01") + rng.integers(0, 1200, len(whose))
        tables.append(pd.DataFrame({"地块编号": whose, "事项": title, "日期": days.astype(str), "状态": "完成",
                                    "文号": [f"示例〔2024〕{k % 500}号" for k in range(len(whose))]}))  # fmt: skip
    events = pd.concat(tables, ignore_index=True).sample(frac=1, random_state=SEED)
    events.to_parquet(folder / "events.parquet", index=False)
    events.to_csv(folder / "events.csv", index=False)
    (folder / "million.yaml").write_text(rulebook(), encoding="utf-8")
    (folder / "profile").mkdir(exist_ok=True)
    about = {"parcels": count, "events": len(events), "vertices": vertices, "zones": len(zones)}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def by_landplan(folder: Path, out: Path) -> dict[str, float]:
    """Everything, from files to a folder of files."""
    marks: list[tuple[str, float]] = [("start", time.perf_counter())]
    from datetime import date

    import landplan

    def say(name: str) -> None:
        marks.append((name.split(" ")[0], time.perf_counter()))

    marks.append(("import", time.perf_counter()))
    assessment = landplan.assess(folder, as_of=date.fromisoformat(AS_OF), progress=say)
    say("save")
    landplan.save_assessment(assessment, out)
    say("end")
    spent: dict[str, float] = {}
    for (name, begun), (_, ended) in itertools.pairwise(marks):
        spent[name] = spent.get(name, 0.0) + ended - begun
    counts = assessment.parcels["verdict"].value_counts().to_dict()
    rows = {
        name: len(getattr(assessment, name))
        for name in ("parcels", "overlaps", "indicators", "events", "findings", "issues")
    }
    print(json.dumps({"rows": rows, "verdicts": counts}), file=sys.stderr)
    return spent


def by_pyogrio(source: Path, out: Path) -> dict[str, float]:
    """Read and write, and nothing else."""
    begun = time.perf_counter()
    import geopandas
    import pyogrio

    loaded = time.perf_counter()
    frame = (
        geopandas.read_parquet(source)
        if source.suffix == ".parquet"
        else pyogrio.read_dataframe(source, use_arrow=True)
    )
    read = time.perf_counter()
    frame.to_parquet(out)
    return {"import": loaded - begun, "read": read - loaded, "write": time.perf_counter() - read}


def tree_rss_mb(pid: int) -> float:
    """Memory of a process and of those it started, pages they share counted once where the kernel says so."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) / 1024
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


def run(words: list[str], script: Path = Path(__file__)) -> tuple[float, dict[str, float], float]:
    """Seconds of a whole process, its own account of them, and the most memory it held with its children."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, str(script), *words], stdout=subprocess.PIPE, text=True)
    most, over = 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.1):
            most = max(most, tree_rss_mb(process.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    said = process.communicate()[0]
    taken = time.perf_counter() - begun
    over.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(process.returncode)
    return taken, json.loads(said.splitlines()[-1]), most


def show(name: str, taken: float, stages: dict[str, float], most: float) -> None:
    print(
        f"{name:34} {taken:7.1f} s  {most:7.0f} MB   " + "  ".join(f"{k} {v:.1f}" for k, v in stages.items())
    )


def main(arguments: argparse.Namespace) -> int:
    """Print what was measured; 1 where the goal is missed."""
    folder = Path(tempfile.gettempdir()) / f"landplan-million-{arguments.count}-{SEED}"
    folder.mkdir(exist_ok=True)
    if not (folder / "about.json").exists():
        begun = time.perf_counter()
        write_world(folder, arguments.count)
        print(f"made in {time.perf_counter() - begun:.0f} s")
    (folder / "profile.yaml").write_text(PROFILE, encoding="utf-8")
    text = project(arguments.parcels, arguments.events).replace('"million.yaml"', '"profile.yaml"')
    (folder / "landplan.toml").write_text(text, encoding="utf-8")
    about = json.loads((folder / "about.json").read_text())
    size = (folder / f"parcels.{arguments.parcels}").stat().st_size / 1e6
    print(f"{about}; parcels.{arguments.parcels} {size:.0f} MB, events.{arguments.events}")
    seconds: list[tuple[float, float]] = []
    for turn in range(arguments.runs):
        base = {}
        for suffix in dict.fromkeys((arguments.parcels, "parquet")):
            base[suffix] = run(["pyogrio", str(folder / f"parcels.{suffix}"), str(folder / "copy.parquet")])
            name = "geopandas.read_parquet" if suffix == "parquet" else f"pyogrio ({suffix})"
            show(f"{name} + to_parquet", *base[suffix])
        mine = run(["landplan", str(folder), str(folder / "result")])
        show(f"landplan ({arguments.parcels}, run {turn + 1})", *mine)
        for suffix, (taken, _, _) in base.items():
            print(f"  {mine[0] / taken:.1f} times reading and writing from {suffix}")
        seconds.append((mine[0], base[arguments.parcels][0]))
    ours, theirs = (statistics.median(column) for column in zip(*seconds, strict=True))
    goal_kept = ours <= arguments.goal * theirs
    print(
        f"medians of {len(seconds)}: {ours:.1f} s against {theirs:.1f} s, {ours / theirs:.1f} times; "
        f"goal of {arguments.goal:g} times: {'kept' if goal_kept else 'MISSED'}"
    )
    return int(not goal_kept)


if __name__ == "__main__":
    if sys.argv[1:2] in (["landplan"], ["pyogrio"]):
        work = by_landplan if sys.argv[1] == "landplan" else by_pyogrio
        print(json.dumps(work(Path(sys.argv[2]), Path(sys.argv[3]))))
        sys.stdout.flush()
        os._exit(0) if "--abrupt" in sys.argv else sys.exit(0)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    parser.add_argument("--parcels", choices=["parquet", "gpkg", "fgb"], default="gpkg")
    parser.add_argument("--events", choices=["parquet", "csv"], default="parquet")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--goal", type=float, default=5.0)
    sys.exit(main(parser.parse_args()))
