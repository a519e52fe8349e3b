"""
The list of faults for a hundred thousand faulty rows, timed from the issues to the file that stands on the disk.

Run by hand or by the machine that measures: ``python tests/bench/bench_faults.py``; ends with 1 where the goal is missed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from landplan.issues import Issue
from landplan.read import Inspection
from landplan.returns import Material, list_faults, write_faults
from landplan.schema import canonicalise

ROWS = 100_000
GOAL_S = 5.0


def faulty(rows: int) -> list[Issue]:
    """Faults of a ledger in which every number is spelt wrong, each in its own way."""
    raw = pd.DataFrame(
        {
            "地块编号": [f"P-{k}" for k in range(rows)],
            "投资强度（万元/亩）": [f"=约{k}起" for k in range(rows)],
        }
    )
    letters = {"地块编号": "A", "投资强度（万元/亩）": "B"}
    return canonicalise(raw, "parcels", source="台账.xlsx", layer="标准地", letters=letters).issues


def timed(work: Callable[[], object]) -> float:
    """Seconds of the best of three runs: the machine is shared."""
    runs = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        runs.append(time.perf_counter() - start)
    return min(runs)


def main(rows: int = ROWS) -> int:
    """Print what was measured; 1 where the goal is missed."""
    issues = faulty(rows)
    print(f"{len(issues)} faults; found in {timed(lambda: faulty(rows)):.2f} s")
    material = Material(Inspection("台账.xlsx", "flagged", issues=tuple(issues)))
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        print(f"table {timed(lambda: list_faults([material])):.2f} s")
        for name in ("faults.xlsx", "faults.csv"):
            path = Path(folder, name)
            taken = timed(lambda path=path: write_faults(list_faults([material]), path))
            missed += taken > GOAL_S
            print(f"{name} {taken:.2f} s, {path.stat().st_size / 1e6:.1f} MB, goal {GOAL_S:g} s")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
