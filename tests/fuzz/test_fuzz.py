"""Three hundred damaged files in every run of the tests; ``make fuzz`` reads ten thousand."""

from __future__ import annotations

import random

from fuzz.run import LIMIT_BYTES, LIMIT_S, fuzz, make_seeds, mutate, write_mutant


def test_every_kind_of_file_has_a_sound_seed(tmp_path):
    from landplan.read import inspect_files

    seeds = make_seeds(tmp_path)
    assert set(seeds) == {
        "csv", "dxf", "fgb", "gdb", "geojson", "gpkg", "kml", "kmz", "parquet", "shp", "tif", "txt", "xlsx", "zip"
    }  # fmt: skip
    for kind, files in seeds.items():
        (found,) = inspect_files([files[0]])
        assert found.outcome != "rejected", (kind, [issue.code for issue in found.issues])


def test_a_mutant_is_the_same_whenever_its_number_comes_up(tmp_path):
    (tmp_path / "seeds").mkdir()
    seeds = make_seeds(tmp_path / "seeds")
    for number in range(56):
        bodies = []
        for run in ("a", "b"):
            folder = tmp_path / f"{number}{run}"
            write_mutant(seeds, number, folder)
            bodies.append({p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()})
        assert bodies[0] == bodies[1]


def test_mutations_change_something():
    body = bytes(range(256)) * 4
    changed = sum(mutate(body, random.Random(k), [b"other"]) != body for k in range(100))
    assert changed > 95


def test_three_hundred_damaged_files_give_data_or_issues():
    assert (LIMIT_S, LIMIT_BYTES) == (10.0, 1024**3)
    counts, findings = fuzz(iter(range(300)))
    assert findings == []
    assert sum(counts.values()) == 300
    assert sum(count for name, count in counts.items() if name.endswith("issues")) > 100
