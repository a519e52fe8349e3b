from __future__ import annotations

from datetime import date

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
import worlds

from landplan.crs import measure_areas
from landplan.overlay import find_pieces, measure_evaluations, measure_overlaps, measure_reach

AS_OF = date(2026, 11, 20)


def measured(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    return frame.join(measure_areas(frame))


def overlaps_of(frame, layer, extent=None, name="farmland"):
    extent = worlds.layer(worlds.box(-1000, -1000, 5000)) if extent is None else extent
    return measure_overlaps(frame, find_pieces(frame, layer, name), measure_reach(frame, extent), name)


def test_half_a_parcel_on_farmland_is_half_its_area():
    frame = measured(worlds.square("A", 0, 0, 100))
    found = overlaps_of(frame, worlds.layer(worlds.box(50, 0, 100)))
    assert found.loc["A"].tolist() == [5000.0, 0.5]


def test_land_covered_twice_by_one_layer_counts_once():
    frame = measured(worlds.square("A", 0, 0, 100))
    found = overlaps_of(frame, worlds.layer(worlds.box(0, 0, 60), worlds.box(40, 0, 60)))
    assert found.at["A", "farmland_overlap_m2"] == pytest.approx(6000.0)


def test_touching_along_an_edge_is_not_lying_in():
    frame = measured(worlds.square("A", 0, 0, 100))
    assert overlaps_of(frame, worlds.layer(worlds.box(100, 0, 100))).loc["A"].tolist() == [0.0, 0.0]


def test_a_hole_in_the_layer_is_not_the_layer():
    frame = measured(worlds.square("A", 0, 0, 100))
    ring = worlds.box(-50, -50, 200).difference(worlds.box(25, 25, 50))
    assert overlaps_of(frame, worlds.layer(ring)).at["A", "farmland_overlap_m2"] == pytest.approx(7500.0)


def test_law_4_a_parcel_beyond_the_extent_of_a_layer_is_unknown_and_not_clear():
    frame = measured(worlds.parcels({"A": worlds.box(0, 0, 100), "B": worlds.box(450, 0, 100)}))
    found = overlaps_of(frame, worlds.layer(worlds.box(0, 0, 10)), worlds.layer(worlds.box(0, 0, 500)))
    assert found["farmland_overlap_m2"].isna().tolist() == [False, True]


def test_a_parcel_without_a_shape_is_unknown_under_every_layer():
    frame = measured(worlds.parcels({"A": worlds.box(0, 0, 100), "B": None}))
    assert overlaps_of(frame, worlds.layer(worlds.box(0, 0, 10)))["farmland_overlap_m2"].isna().tolist() == [
        False,
        True,
    ]


def test_two_parcels_sharing_an_edge_and_two_zones_never_double():
    frame = measured(worlds.parcels({"A": worlds.box(0, 0, 100), "B": worlds.box(100, 0, 100)}))
    zones = worlds.layer(worlds.box(0, 0, 130, 100), worlds.box(130, 0, 200, 100), zone_code=["Z1", "Z2"])
    pieces = find_pieces(frame, zones, "zones", feature="zone_code")
    assert pieces[["parcel_id", "feature"]].to_numpy().tolist() == [["A", "Z1"], ["B", "Z1"], ["B", "Z2"]]
    assert pieces["overlap_m2"].tolist() == pytest.approx([10000.0, 3000.0, 7000.0])


def test_the_order_of_rows_and_features_changes_nothing():
    rng = np.random.default_rng(7)
    shapes = {f"P{k}": worlds.box(*rng.uniform(0, 900, 2), rng.uniform(20, 90)) for k in range(30)}
    frame = measured(worlds.parcels(shapes))
    layer = worlds.layer(*(worlds.box(*rng.uniform(0, 900, 2), 70) for _ in range(20)))
    one = overlaps_of(frame, layer)
    other = overlaps_of(frame.iloc[::-1], layer.iloc[::-1].reset_index(drop=True)).loc[one.index]
    pd.testing.assert_frame_equal(one, other, rtol=1e-12)


def test_a_layer_in_degrees_measures_as_in_metres():
    frame = measured(worlds.square("A", 0, 0, 100))
    layer = worlds.layer(worlds.box(50, 0, 100)).to_crs(4490)
    assert overlaps_of(frame, layer).at["A", "farmland_overlap_m2"] == pytest.approx(5000.0, abs=0.01)


def test_pieces_of_a_parcel_add_up_to_what_the_layer_takes():
    frame = measured(worlds.square("A", 0, 0, 100))
    layer = worlds.layer(worlds.box(0, 0, 10), worlds.box(90, 90, 50))
    piece = find_pieces(frame, layer, "farmland").iloc[0]
    assert piece.geometry.area == pytest.approx(piece["overlap_m2"]) == pytest.approx(200.0)
    assert isinstance(piece.geometry, shapely.MultiPolygon)


def evaluations(*rows):
    shapes, items, begun, until = zip(*rows, strict=True)
    return worlds.layer(
        *shapes, item=list(items), approved_on=pd.to_datetime(list(begun)), until=pd.to_datetime(list(until))
    )


def test_an_evaluation_counts_only_where_it_covers_and_only_in_date():
    frame = measured(
        worlds.parcels(
            {"A": worlds.box(0, 0, 100), "B": worlds.box(150, 0, 100), "C": worlds.box(900, 0, 50)}
        )
    )
    supplied = evaluations(
        (worlds.box(0, 0, 200), "flood", "2024-01-01", "2027-01-01"),
        (worlds.box(900, 0, 50), "flood", "2020-01-01", "2025-01-01"),
    )
    found = measure_evaluations(frame, supplied, {"flood": "洪水影响评价", "seismic": "地震"}, AS_OF)
    assert found["evaluation_flood_share"].tolist() == pytest.approx([1.0, 0.5, 0.0])
    assert found["evaluation_flood_until"].dt.strftime("%Y").tolist() == ["2027", "2027", "2025"]
    assert found["evaluation_seismic_share"].isna().all()


def test_an_evaluation_counts_on_its_last_day_and_not_on_the_next():
    frame = measured(worlds.square("A", 0, 0, 100))
    supplied = evaluations((worlds.box(0, 0, 200), "flood", "2024-01-01", "2026-11-20"))
    last = measure_evaluations(frame, supplied, {"flood": "x"}, date(2026, 11, 20))
    after = measure_evaluations(frame, supplied, {"flood": "x"}, date(2026, 11, 21))
    before = measure_evaluations(frame, supplied, {"flood": "x"}, date(2023, 12, 31))
    assert [f.at["A", "evaluation_flood_share"] for f in (last, after, before)] == [1.0, 0.0, 0.0]


def test_an_evaluation_without_a_day_of_expiry_is_unknown_where_it_alone_would_cover():
    frame = measured(
        worlds.parcels({"A": worlds.box(0, 0, 100), "B": worlds.box(150, 0, 50), "C": worlds.box(900, 0, 50)})
    )
    supplied = evaluations(
        (worlds.box(0, 0, 200), "flood", "2024-01-01", None),
        (worlds.box(150, 0, 50), "flood", "2024-01-01", "2027-01-01"),
    )
    found = measure_evaluations(frame, supplied, {"flood": "洪水影响评价"}, AS_OF)["evaluation_flood_share"]
    assert np.isnan(found["A"])
    assert found[["B", "C"]].tolist() == [1.0, 0.0]
