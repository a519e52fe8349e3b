from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import worlds
from test_laws import world

from landplan.issues import Issue
from landplan.pipeline import assess
from landplan.schema import coerce
from landplan.steps import Local, steps_of

AS_OF = date(2026, 11, 20)


def parcels(**shapes):
    return coerce(worlds.parcels(shapes, invest_intensity_cny_per_m2=[2250.0] * len(shapes)), "parcels")


def test_a_parcel_beside_its_zone_is_asked_about_and_one_three_degrees_off_is_misplaced():
    inputs = world(
        parcels(
            inside=worlds.box(10, 10, 50), beside=worlds.box(1100, 10, 50), far=worlds.box(260_000, 10, 50)
        )
    )
    found = assess(inputs, as_of=AS_OF).issues
    told = found[found["code"].isin(["GEOM.OUTSIDE_ZONES", "CRS.OUTSIDE"]).to_numpy()]
    assert told[["parcel_id", "code"]].to_numpy().tolist() == [
        ["beside", "GEOM.OUTSIDE_ZONES"],
        ["far", "CRS.OUTSIDE"],
    ]
    assert told["is_blocking"].all()


def test_a_damaged_elevation_model_costs_the_slopes_and_nothing_else(tmp_path):
    broken = tmp_path / "dem.tif"
    broken.write_bytes(b"II*\x00rubbish")
    result = assess(replace(world(parcels(A=worlds.box(10, 10, 50))), dem=broken), as_of=AS_OF)
    assert result.parcels["slope_mean_deg"].isna().all()
    assert result.parcels["area_m2"].tolist() == [2500.0]
    assert "RASTER.UNREADABLE" in result.issues["code"].tolist()


def test_what_the_reader_said_of_a_parcel_is_not_said_twice():
    inputs = replace(
        world(parcels(A=None, B=worlds.box(10, 10, 50))), issues=(Issue("GEOM.NULL", parcel_id="A"),)
    )
    assert (assess(inputs, as_of=AS_OF).issues["code"] == "GEOM.NULL").sum() == 1


def test_the_steps_can_be_read_aloud():
    inputs = world(parcels(A=worlds.box(10, 10, 50)))
    names = [name for name, _ in steps_of(inputs, AS_OF, pd.DataFrame(columns=["indicator"]))]
    assert names == [
        "industry",
        "indicators",
        "events",
        "measure",
        "zones",
        "overlay farmland",
        "evaluations",
        "axes",
        "rules",
    ]


def test_the_engine_is_asked_for_every_step():
    class Counting(Local):
        names = ()

        def run(self, steps, frame, progress):
            self.names = [name for name, _ in steps]
            return super().run(steps, frame, progress)

    engine, said = Counting(), []
    assess(world(parcels(A=worlds.box(10, 10, 50))), as_of=AS_OF, engine=engine, progress=said.append)
    assert len(engine.names) == 9
    assert said == ["read", "repair", *engine.names, "neighbours", "verdict", "readiness"]
