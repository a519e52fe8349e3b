"""The twelve parcels of the map tests with what the lists say of them: axes, tiers, tasks and registers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from maps_world import HOSTILE, make_assessment

from landplan.schema import coerce
from landplan.tables import Assessment

IDS = ("A-1", "A-2", "A-3", "A-21", "B-1", "B-2", "B-3", "C-1", "C-2", "D-1", "E-1", "E-2")
KIND = ("approved_unsold", "approved_unsold", "reserve", "approved_unsold", "incremental", "incremental", "incremental",
        "sold_unused", "in_use", "unknown", "unknown", "unknown")  # fmt: skip
TIER = (
    "standard",
    "clear",
    "standard",
    "expropriated",
    "ready_to_apply",
    "raw",
    "raw",
    "approved",
    "approved",
    "raw",
    "raw",
    "raw",
)
READY = (
    "2026-11-20",
    "2027-01-15",
    "2026-11-20",
    "2027-04-30",
    "2027-09-30",
    None,
    "2028-03-31",
    None,
    None,
    None,
    None,
    None,
)


def list_assessment(*, hostile: bool = False) -> Assessment:
    """Twelve parcels as ``make_assessment`` gives, with the columns and tables of the lists."""
    plain = make_assessment(hostile=hostile)
    ids = [str(pid) for pid in plain.parcels.index]

    def text(number: int, words: str) -> str:
        return HOSTILE[number % len(HOSTILE)] + words if hostile else words

    axes = {
        "stock_kind": KIND,
        "approval_axis": ("approved", "expropriated", "reserved", "approved", "planned", "planned", "none", "approved",
                          "approved", "unknown", "unknown", "unknown"),
        "servicing_axis": ("full", "partial", "full", "partial", "none", "none", "none", "full", "full", "unknown",
                           "unknown", "unknown"),
        "sale_axis": ("unsold", "announced", "unsold", "unsold", "unsold", "unsold", "unsold", "sold", "sold", "unknown",
                      "unknown", "unknown"),
        "occupation_axis": ("empty",) * 7 + ("idle", "producing", "unknown", "unknown", "unknown"),
        "tier": TIER,
        "servicing_level": ("five", "three", "seven", "none", "none", "none", "none", "five", "five", "unknown",
                            "unknown", "unknown"),
        "clear_land": ("yes", "no", "yes", "no", "no", "no", "no", "yes", "yes", "unknown", "unknown", "unknown"),
        "ready_on": pd.to_datetime(pd.Series(READY)).to_numpy(),
        "ready_days": [0, 38, 0, 108, 210, None, 340, None, None, None, None, None],
        "ready_cost_cny": [0.0, 120_000.0, 0.0, 4_500_000.0, 9_000_000.0, np.nan, 1.2e7] + [np.nan] * 5,
        "is_ready_tentative": [False, True, False, True, True, None, True, None, None, None, None, None],
        "task_count": [0, 1, 0, 2, 3, 4, 5, None, None, None, None, None],
        "capacity_power_state": ["available"] * 4 + ["full"] * 3 + [None] * 5,
        "capacity_power_node": ["示例一站"] * 4 + ["示例二站"] * 3 + ["示例三站"] * 2 + [None] * 3,
        "capacity_power_on": pd.to_datetime(["2026-10-31"] * 7 + ["2026-03-31"] * 2 + [None] * 3),
        "capacity_water_state": ["available"] * 7 + [None] * 5,
        "capacity_water_node": ["示例水厂"] * 7 + [None] * 5,
        "capacity_water_on": pd.to_datetime(["2026-10-31"] * 7 + [None] * 5),
    }  # fmt: skip
    from landplan.schema import dictionary

    known = set(dictionary())
    kept = {n: list(v) for n, v in axes.items() if n in known or n.startswith("capacity_")}
    parcels = coerce(plain.parcels.assign(**kept), "parcels")
    tasks = pd.DataFrame(
        [
            task(ids[1], "heritage", "heritage", text(1, "文物勘探"), "missing", 20, 120_000.0, "2026-11-20", "2027-01-15"),
            task(ids[3], "reserve", "clear_land", text(2, "收储"), "pending", 60, 4_000_000.0, "2026-11-20", "2027-02-20"),
            task(ids[3], "power", "servicing", text(3, "通电"), "missing", 90, 500_000.0, "2026-11-20", "2027-04-30"),
            task(ids[3], "water", "servicing", text(4, "通水"), "done", 0, 0.0, None, None),
        ]
    )  # fmt: skip
    registers: dict[str, Any] = {
        "batches": pd.DataFrame(
            {
                "batch_no": ["2026-01", "2026-01", "2026-02", "2026-02", "2026-02"],
                "batch_name": [text(5, "第一批次")] * 2 + [text(6, "第二批次")] * 3,
                "batch_kind": "urban",
                "parcel_id": [ids[0], ids[1], ids[4], ids[5], "Z-9"],
            }
        ),
        "batch_events": pd.DataFrame(
            {
                "batch_no": ["2026-01", "2026-02", "2026-02"],
                "item": ["approval", "social_security", "social_risk"],
                "on": pd.to_datetime(["2026-05-12", "2026-08-01", "2026-09-10"]),
                "state": ["done", "done", "pending"],
                "party": text(7, "自然资源局"),
                "document": ["示例批复〔2026〕1号", "示例", "示例"],
            }
        ),
        "capacities": pd.DataFrame(
            {
                "resource": ["power", "power", "power", "water"],
                "node": ["示例一站", "示例二站", "示例三站", "示例水厂"],
                "zone_code": "EX01",
                "capacity": [63_000.0, 40_000.0, 20_000.0, 30_000.0],
                "used": [20_000.0, 39_000.0, 5_000.0, 12_000.0],
                "committed": [8_000.0, 1_000.0, 0.0, 3_000.0],
                "reserved": 0.0,
                "unit": ["kVA", "kVA", "kVA", "m3/d"],
                "measured_on": pd.to_datetime(["2026-10-31", "2026-10-31", "2026-03-31", "2026-10-31"]),
            }
        ),
        "buildings": pd.DataFrame(
            {
                "building_id": ["F-1", "F-2", "F-3"],
                "building_name": [text(8, "示例标准厂房一号"), "示例标准厂房二号", "示例楼宇"],
                "parcel_id": [ids[7], ids[7], ids[8]],
                "zone_code": "EX01",
                "built_m2": [12_000.0, 8_000.0, 5_000.0],
                "used_m2": [12_000.0, 1_000.0, np.nan],
                "measured_on": pd.to_datetime(["2026-10-31"] * 3),
            }
        ),
    }  # fmt: skip
    registers = {name: coerce(frame, name) for name, frame in registers.items()}
    events = pd.DataFrame(
        [
            {"parcel_id": ids[at], "item": item, "on": on, "state": "done", "document": text(at, "示例文号")}
            for at, item, on in (
                (2, "approval", "2023-01-10"), (2, "expropriation", "2023-03-01"), (2, "reserve", "2024-05-01"),
                (3, "approval", "2024-01-10"), (3, "expropriation", "2024-03-01"), (3, "reserve", "2026-06-01"),
                (7, "approval", "2020-01-10"), (7, "expropriation", "2020-03-01"), (7, "reserve", "2021-05-01"),
                (7, "sale", "2022-02-15"),
            )
        ]
    )  # fmt: skip
    parcels = coerce(
        parcels.assign(
            **{
                f"event_{item}_state": [
                    "done" if ((events["parcel_id"] == pid) & (events["item"] == item)).any() else "none"
                    for pid in ids
                ]
                for item in ("approval", "expropriation", "reserve", "sale")
            }
        ),
        "parcels",
    )
    complete = ("approval", "expropriation", "reserve", "announcement", "sale", "withdrawal")
    return dataclasses.replace(
        plain,
        parcels=parcels,
        tasks=coerce(tasks, "tasks"),
        events=coerce(events, "events"),
        registers=registers,
        provenance=dataclasses.replace(plain.provenance, complete=complete),
    )


def task(
    pid: str,
    item: str,
    group: str,
    title: str,
    state: str,
    days: int,
    cost: float,
    start: str | None,
    finish: str | None,
) -> dict[str, Any]:
    return {
        "parcel_id": pid, "item": item, "task_group": group, "title": title, "task_state": state, "party": "示例责任单位",
        "days": days, "cost_cny": cost, "after": "", "start_on": start, "finish_on": finish, "is_critical": True,
    }  # fmt: skip
