"""Land that networks serve, and land known as approved or sold only by its outline."""

from datetime import date

import geopandas
import pandas as pd
import pytest
import shapely

from landplan.overlay import measure_boundaries, measure_servicing

DAY = date(2026, 6, 1)
CRS = 4546


def parcels(**boxes):
    frame = geopandas.GeoDataFrame(
        geometry=[shapely.box(*box) for box in boxes.values()],
        index=pd.Index(list(boxes), name="parcel_id", dtype="str"),
        crs=CRS,
    )
    frame["area_m2"] = frame.area
    frame["measure_epsg"] = pd.array([CRS] * len(frame), dtype="Int64")
    return frame


def polygons(**columns):
    boxes = columns.pop("boxes")
    frame = geopandas.GeoDataFrame(columns, geometry=[shapely.box(*box) for box in boxes], crs=CRS)
    for name in ("on", "until", "expected_on"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name])
    return frame


WEST, EAST = (500_000, 3_300_000, 500_100, 3_300_100), (500_100, 3_300_000, 500_200, 3_300_100)
BOTH = (500_000, 3_300_000, 500_200, 3_300_100)


def test_a_parcel_half_in_a_served_area_has_half_and_no_expected_day():
    served = polygons(
        item=["water"], on=["2025-01-01"], until=[None], document=["供水〔2025〕1号"], boxes=[WEST]
    )
    found = measure_servicing(parcels(A=BOTH), served, ["water"], DAY)
    assert found.at["A", "servicing_water_share"] == pytest.approx(0.5)
    assert found.at["A", "servicing_water_document"] == "供水〔2025〕1号"
    assert pd.isna(found.at["A", "servicing_water_expected_on"])


def test_the_expected_day_is_the_first_on_which_all_of_the_parcel_is_served():
    served = polygons(
        item=["water"] * 3,
        on=["2025-01-01", None, None],
        expected_on=[None, "2027-03-01", "2026-12-31"],
        document=["a", "b", "c"],
        boxes=[WEST, EAST, (500_100, 3_300_000, 500_150, 3_300_100)],
    )
    found = measure_servicing(parcels(A=BOTH, B=WEST), served, ["water"], DAY)
    assert found.at["A", "servicing_water_expected_on"] == pd.Timestamp("2027-03-01")
    assert found.at["B", "servicing_water_share"] == pytest.approx(1.0)
    assert pd.isna(found.at["B", "servicing_water_expected_on"])


def test_an_item_no_network_was_supplied_for_is_unknown_and_not_unserved():
    served = polygons(item=["water"], on=["2025-01-01"], document=["a"], boxes=[WEST])
    found = measure_servicing(parcels(A=EAST), served, ["water", "gas"], DAY)
    assert found.at["A", "servicing_water_share"] == 0.0
    assert pd.isna(found.at["A", "servicing_gas_share"])


def test_a_network_ends_on_its_last_day():
    served = polygons(item=["water"], on=["2025-01-01"], until=["2026-05-31"], document=["a"], boxes=[WEST])
    assert measure_servicing(parcels(A=WEST), served, ["water"], DAY).at["A", "servicing_water_share"] == 0.0


def test_land_outside_every_outline_is_unknown_unless_none_is_missing():
    drawn = polygons(axis=["approval"], on=["2025-01-01"], document=["政地字1号"], boxes=[WEST])
    world = parcels(A=WEST, B=EAST, C=BOTH)
    open_world = measure_boundaries(world, drawn, [], DAY)["boundary_approval_share"]
    closed = measure_boundaries(world, drawn, ["approval"], DAY)
    assert open_world["A"] == pytest.approx(1.0) and pd.isna(open_world["B"])
    assert closed["boundary_approval_share"].tolist() == pytest.approx([1.0, 0.0, 0.5])
    assert closed.at["A", "boundary_approval_document"] == "政地字1号"
    assert closed.at["A", "boundary_approval_on"] == pd.Timestamp("2025-01-01")


def test_an_outline_not_yet_in_force_holds_nothing_and_one_without_a_day_is_unknown():
    drawn = polygons(axis=["sale"] * 2, on=["2026-06-02", None], document=["x", "y"], boxes=[WEST, EAST])
    found = measure_boundaries(parcels(A=WEST, B=EAST), drawn, ["sale"], DAY)["boundary_sale_share"]
    assert found["A"] == 0.0 and pd.isna(found["B"])


def test_the_order_of_outlines_changes_nothing():
    drawn = polygons(axis=["sale"] * 2, on=["2025-01-01"] * 2, document=["x", "y"], boxes=[WEST, EAST])
    world = parcels(A=BOTH, B=WEST)
    pd.testing.assert_frame_equal(
        measure_boundaries(world, drawn, [], DAY), measure_boundaries(world, drawn.iloc[::-1], [], DAY)
    )
