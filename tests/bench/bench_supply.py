"""
Lists and balance of 100,000 parcels with 1,000,000 events, held against a plain loop over parcels.

Run as ``python tests/bench/bench_supply.py [parcels] [events]``: prints the seconds of each step, their sum, the peak of memory
and the seconds the loop would take for all parcels, judged by a sample; ends with 1 where the sum is above 20 s, memory above
2 GB, the balance does not close, or the two do not say the same of the sample. Reading files is not part of it.
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import date

import numpy as np
import pandas as pd

from landplan.attach import attach_events
from landplan.reports.lists import list_as_csv
from landplan.schema import coerce
from landplan.supply import balance_period, classify_supply, derive_axes, list_supply
from landplan.supply.axes import ITEMS
from landplan.tables import Assessment, Provenance
from landplan.verdict import decide

SECONDS, GIGABYTES = 20.0, 2.0
COMPLETE = ("approval", "sale", "start", "withdrawal")
START, END = date(2026, 1, 1), date(2026, 12, 31)
SAMPLE = 200


def make_world(parcels: int, events: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Parcels with areas, a log of events over ten years, some with a last day, and eight findings per parcel."""
    rng = np.random.default_rng(7)
    ids = np.array([f"140702{n:08d}" for n in range(parcels)], dtype=object)
    frame = pd.DataFrame(
        {
            "parcel_name": [f"地块{n}" for n in range(parcels)],
            "zone_code": rng.choice(["Z1", "Z2", "Z3"], parcels),
            "area_m2": np.round(rng.uniform(500, 200_000, parcels), 2),
            "land_use": "工业用地",
        },
        index=pd.Index(ids, name="parcel_id", dtype="str"),
    )
    days = np.datetime64("2017-01-01") + rng.integers(0, 3650, events).astype("timedelta64[D]")
    until = np.where(rng.random(events) < 0.05, days + np.timedelta64(400, "D"), np.datetime64("NaT"))
    log = pd.DataFrame(
        {
            "parcel_id": rng.choice(ids, events),
            "item": rng.choice(ITEMS, events),
            "on": days.astype("datetime64[s]"),
            "state": rng.choice(["done", "pending", "none", "void"], events, p=[0.8, 0.1, 0.05, 0.05]),
            "until": until.astype("datetime64[s]"),
            "document": rng.choice([f"示例〔2026〕{n}号" for n in range(2000)], events),
            "source": "台账.xlsx",
            "source_row": np.arange(events),
        }
    )
    indicators = ["farmland_overlap_m2", "redline_overlap_m2", "far_min", "far_max", "tax_cny_per_m2_yr",
                  "green_ratio_max", "invest_intensity_cny_per_m2", "event_clear_land_state"]  # fmt: skip
    findings = pd.DataFrame(
        {
            "parcel_id": np.repeat(ids, len(indicators)),
            "rule_id": np.tile(indicators, parcels),
            "indicator": np.tile(indicators, parcels),
            "status": rng.choice(["pass", "fail", "unknown"], parcels * len(indicators), p=[0.9, 0.05, 0.05]),
            "force": "mandatory",
        }
    )
    return coerce(frame, "parcels"), coerce(log, "events"), coerce(findings, "findings")


def count_by_loop(frame: pd.DataFrame, log: pd.DataFrame) -> tuple[float, dict[str, tuple[int, int]]]:
    """Opening and closing as one writes them first: one parcel after the other, its rows sorted and looked through."""
    begun = time.perf_counter()
    counts: dict[str, list[int]] = {}
    groups = dict(list(log.groupby("parcel_id")))
    for pid in frame.index:
        rows = groups.get(pid)
        for place, day in enumerate((pd.Timestamp(START) - pd.Timedelta(days=1), pd.Timestamp(END))):
            row = {}
            for item in ITEMS:
                state, on = ("none" if item in COMPLETE else None), pd.NaT
                if rows is not None:
                    mine = rows[
                        (rows["item"] == item)
                        & (rows["on"] <= day)
                        & (rows["until"].isna() | (rows["until"] >= day))
                    ]
                    if len(mine):
                        last = mine.sort_values("on", kind="stable").iloc[-1]
                        state, on = last["state"], last["on"]
                row[f"event_{item}_state"], row[f"event_{item}_on"] = state, on
            one = pd.DataFrame([row], index=[pid])
            kind = derive_axes(one, day.date())[0].at[pid, "stock_kind"]
            counts.setdefault(kind, [0, 0])[place] += 1
    return time.perf_counter() - begun, {kind: (a, b) for kind, (a, b) in counts.items()}


def main(parcels: int = 100_000, events: int = 1_000_000) -> int:
    """Print seconds and memory, and whether both keep to their limits."""
    frame, log, findings = make_world(parcels, events)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seconds: dict[str, float] = {}
    cpu = time.process_time()

    def timed(name: str, call):  # type: ignore[no-untyped-def]
        begun = time.perf_counter()
        result = call()
        seconds[name] = time.perf_counter() - begun
        return result

    items = {item: item for item in ITEMS}
    columns, _ = timed("attach_events", lambda: attach_events(frame, log, items, COMPLETE, END))
    joined = frame.join(columns)
    axes, _ = timed("derive_axes", lambda: derive_axes(joined, END))
    verdicts = timed(
        "decide", lambda: decide(joined, findings, pd.DataFrame({"parcel_id": [], "is_blocking": []}))
    )
    joined = joined.join(axes).join(verdicts)
    joined = joined.join(timed("classify_supply", lambda: classify_supply(joined, findings)))
    nothing = pd.DataFrame()
    told = Provenance(END, "速度", True, "0", complete=COMPLETE)
    assessment = Assessment(joined, nothing, nothing, nothing, log, findings, nothing, told)
    lists = timed("list_supply", lambda: [list_supply(assessment, kind) for kind in ("stock", "incremental")])
    texts = timed("list_as_csv", lambda: [list_as_csv(assessment, kind) for kind in ("stock", "incremental")])
    balance = timed("balance_period", lambda: balance_period(frame, log, START, END, complete=COMPLETE))
    for name, one in seconds.items():
        print(f"  {name:16s} {one:6.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    total = sum(seconds.values())
    print(f"of the processor {time.process_time() - cpu:.2f} s")
    print(f"{parcels} parcels, {events} events: {total:.2f} s (limit {SECONDS:g}), peak {peak:.2f} GB of which the world {before:.2f} GB (limit {GIGABYTES:g})")  # fmt: skip
    print(
        f"rows listed {[len(rows) for rows in lists]}, CSV {sum(map(len, texts)) / 1e6:.1f} MB, moves {len(balance.moves)}"
    )
    table = balance.classes
    closes = all(
        (
            table[f"opening_{what}"] + table[f"in_{what}"] - table[f"out_{what}"] == table[f"closing_{what}"]
        ).all()
        for what in ("parcels", "hundredths")
    )
    part = frame.iloc[:: max(parcels // SAMPLE, 1)][:SAMPLE]
    few = log[log["parcel_id"].isin(part.index)]
    plain, expected = count_by_loop(part, few)
    begun = time.perf_counter()
    small = balance_period(part, few, START, END, complete=COMPLETE).classes
    ours = time.perf_counter() - begun
    same = all(
        (small.at[kind, "opening_parcels"], small.at[kind, "closing_parcels"]) == counted
        for kind, counted in expected.items()
    )
    print(
        f"plain loop: {plain:.2f} s for {len(part)} parcels ({ours:.2f} s here), so about {plain / len(part) * parcels:.0f} s for all"
    )
    print(f"balance closes: {closes}; loop and balance say the same: {same}")
    return 0 if closes and same and total <= SECONDS and peak <= GIGABYTES else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
