from __future__ import annotations

from datetime import date

import pandas as pd
import worlds

from landplan.attach import (
    attach_events,
    attach_indicators,
    attach_ledger,
    attach_zones,
    event_issues,
    gather_indicators,
    name_items,
    zones_on,
)
from landplan.crs import measure_areas
from landplan.overlay import find_pieces
from landplan.schema import coerce

AS_OF = date(2026, 11, 20)


def zones(*rows):
    shapes, codes, begun, ended = zip(*rows, strict=True)
    frame = worlds.layer(
        *shapes,
        zone_code=list(codes),
        valid_from=pd.to_datetime(list(begun)),
        valid_to=pd.to_datetime(list(ended)),
    )
    return coerce(frame, "zones")


def placed(parcels, boundaries, as_of=AS_OF):
    frame = parcels.join(measure_areas(parcels))
    current = zones_on(boundaries, as_of)
    return attach_zones(frame, find_pieces(frame, current, "zones", feature="zone_code"), current)


def test_a_parcel_belongs_to_the_zone_with_its_largest_share():
    boundaries = zones(
        (worlds.box(0, 0, 40, 100), "Z1", None, None), (worlds.box(40, 0, 500, 100), "Z2", None, None)
    )
    found, issues = placed(worlds.square("A", 0, 0, 100), boundaries)
    assert found.loc["A", ["zone_code", "zone_share"]].tolist() == ["Z2", 0.6]
    assert not issues


def test_a_tie_is_said_and_falls_to_the_lower_code_whatever_the_order():
    rows = [(worlds.box(0, 0, 50, 100), "Z2", None, None), (worlds.box(50, 0, 50, 100), "Z1", None, None)]
    for boundaries in (zones(*rows), zones(*rows[::-1])):
        found, _ = placed(worlds.square("A", 0, 0, 100), boundaries)
        assert found.loc["A", ["zone_code", "is_zone_tied"]].tolist() == ["Z1", True]


def test_the_boundary_is_that_of_the_day():
    boundaries = zones(
        (worlds.box(0, 0, 50), "Z1", "2018-10-01", "2024-01-01"),
        (worlds.box(0, 0, 500), "Z1", "2024-01-01", None),
    )
    parcel = worlds.square("A", 200, 200, 100)
    assert placed(parcel, boundaries, date(2023, 12, 31))[0]["zone_code"].isna().all()
    assert placed(parcel, boundaries, date(2024, 1, 1))[0]["zone_code"].tolist() == ["Z1"]


def test_a_parcel_outside_every_zone_is_asked_about():
    found, issues = placed(worlds.square("A", 900, 900, 10), zones((worlds.box(0, 0, 50), "Z1", None, None)))
    assert found["zone_share"].tolist() == [0.0]
    assert [(issue.code, issue.parcel_id) for issue in issues] == [("GEOM.OUTSIDE_ZONES", "A")]


def test_a_ledger_fills_what_is_missing_and_says_where_it_differs():
    parcels = worlds.parcels(
        {"A": None, "B": None}, parcel_name=["甲", None], area_registered_m2=[1000.0, 2000.0]
    )
    ledger = pd.DataFrame(
        {
            "parcel_name": ["甲", "乙", "丙"],
            "area_registered_m2": [1000.4, 2100.0, 1.0],
            "far_min": [1.0, 1.0, 1.0],
            "source_row": [5, 6, 7],
        },
        index=pd.Index(["A", "B", "C"], name="parcel_id"),
    )
    found, issues = attach_ledger(parcels, ledger, "台账.xlsx")
    assert found["parcel_name"].tolist() == ["甲", "乙"]
    assert found["area_registered_m2"].tolist() == [1000.0, 2000.0]
    assert "far_min" not in found.columns
    assert [(i.code, i.parcel_id or i.value, i.row) for i in issues] == [
        ("ATTR.UNMATCHED", "C", 7),
        ("ATTR.CONFLICT", "B", None),
    ]


def test_indicators_keep_their_basis_apart():
    frame = pd.DataFrame(
        {"far_min": [1.2, None], "parcel_name": ["甲", "乙"]}, index=pd.Index(["A", "B"], name="parcel_id")
    )
    rows = pd.concat([gather_indicators(frame, "set", "a"), gather_indicators(frame, "actual", "b")])
    wide, issues = attach_indicators(
        worlds.parcels({"A": None, "B": None}), coerce(rows, "indicators"), AS_OF
    )
    assert wide.columns.tolist() == ["far_min", "actual.far_min"]
    assert wide.loc["A"].tolist() == [1.2, 1.2]
    assert wide.loc["B"].isna().all()
    assert not issues


def test_two_ledgers_that_disagree_on_an_indicator_block_the_parcel():
    rows = pd.DataFrame(
        {"parcel_id": ["A", "A"], "indicator": ["far_min"] * 2, "basis": ["set"] * 2, "value": [1.0, 1.2]}
    )
    wide, issues = attach_indicators(worlds.parcels({"A": None}), coerce(rows, "indicators"), AS_OF)
    assert wide.at["A", "far_min"] == 1.0
    assert [(issue.code, issue.value) for issue in issues] == [("ATTR.INDICATOR_CONFLICT", "1 | 1.2")]


def events(*rows):
    names = ["parcel_id", "item", "on", "state", "until"]
    return coerce(pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows]), "events")


def states(frame, as_of=AS_OF, complete=()):
    return attach_events(
        worlds.parcels({"A": None, "B": None}), frame, {"clear_land": "净地", "sale": "出让"}, complete, as_of
    )


def test_the_last_event_not_after_the_day_is_in_force():
    log = events(
        ("A", "clear_land", "2024-01-01", "pending", None), ("A", "clear_land", "2025-06-01", "done", None)
    )
    assert states(log, date(2025, 5, 31))[0].at["A", "event_clear_land_state"] == "pending"
    assert states(log, date(2025, 6, 1))[0].at["A", "event_clear_land_state"] == "done"
    assert pd.isna(states(log, date(2023, 1, 1))[0].at["A", "event_clear_land_state"])


def test_a_certificate_stops_counting_after_its_last_day():
    log = events(("A", "clear_land", "2024-01-01", "done", "2025-01-01"))
    assert states(log, date(2025, 1, 1))[0].at["A", "event_clear_land_state"] == "done"
    assert pd.isna(states(log, date(2025, 1, 2))[0].at["A", "event_clear_land_state"])


def test_no_event_is_unknown_unless_the_table_is_declared_complete():
    log = events(("A", "sale", "2024-01-01", "done", None))
    assert pd.isna(states(log)[0].at["B", "event_sale_state"])
    assert states(log, complete=["sale"])[0]["event_sale_state"].tolist() == ["done", "none"]


def test_an_event_without_a_day_is_said_and_not_used():
    found, issues = states(
        events(("A", "sale", None, "done", None), ("X", "sale", "2024-01-01", "done", None))
    )
    assert found["event_sale_state"].isna().all()
    assert [issue.code for issue in issues] == ["ATTR.EVENT_UNDATED", "ATTR.UNMATCHED"]


def test_what_is_wrong_with_events_is_the_same_told_alone():
    log = events(
        ("A", "sale", None, "done", None),
        ("nobody", "sale", None, "done", None),
        ("nobody", "sale", "2024-01-01", "done", None),
        ("B", "sale", "2024-01-01", "done", None),
    )
    alone = event_issues(worlds.parcels({"A": None, "B": None}), log)
    assert [(issue.code, issue.parcel_id) for issue in alone] == [
        ("ATTR.EVENT_UNDATED", "A"),
        ("ATTR.EVENT_UNDATED", ""),
        ("ATTR.UNMATCHED", ""),
    ]
    assert alone == states(log)[1]


def test_indicators_without_a_source_of_their_own_stand_where_their_parcel_does():
    frame = pd.DataFrame(
        {"far_min": [1.0, None, 2.0], "source": ["a.shp", "b.shp", None]},
        index=pd.Index(["B", "C", "A"], name="parcel_id"),
    )
    rows = gather_indicators(frame, "set", "")
    assert rows["parcel_id"].tolist() == ["B", "A"]
    assert rows["source"].astype("str").fillna("-").tolist() == ["a.shp", "-"]
    # A file none of whose parcels has a figure is not named.
    assert rows["source"].cat.categories.tolist() == ["", "a.shp"]
    assert gather_indicators(frame, "set", "c.csv")["source"].tolist() == ["c.csv"] * 2


def test_names_of_items_become_codes_and_unknown_ones_are_said():
    table = pd.DataFrame({"item": ["净地", "clear_land", "地震"]})
    named, issues = name_items(table, {"clear_land": "净地"}, "事项.xlsx")
    assert named["item"].tolist() == ["clear_land", "clear_land"]
    assert [(issue.code, issue.value) for issue in issues] == [("ATTR.ITEM", "地震")]
