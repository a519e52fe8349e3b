"""The eight laws; those of one room are tested beside it and named here."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
import worlds
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import landplan
from landplan.inputs import Inputs, Layer
from landplan.pipeline import _indicators_of, assess
from landplan.repair import repair_parcels
from landplan.rules import load_rulebook
from landplan.schema import coerce, column, join_rows
from landplan.steps import steps_of

AS_OF = date(2026, 11, 20)
PACKAGE = Path(landplan.__file__).parent
# Shrinking a whole assessment takes minutes and a drawing of six squares is small enough to read.
SLOW = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@st.composite
def drawings(draw):
    """Two to six parcels strewn over a square kilometre, some astride each other's edges, one maybe broken."""
    count = draw(st.integers(2, 6))
    shapes: dict = {}
    for number in range(count):
        x, y = draw(st.integers(0, 800)), draw(st.integers(0, 800))
        width, height = draw(st.integers(5, 150)), draw(st.integers(5, 150))
        square = worlds.box(x, y, width, height)
        kind = draw(st.sampled_from(["box", "box", "hole", "pair", "tie", "none"]))
        if kind == "hole":
            square = square.difference(worlds.box(x + width / 4, y + height / 4, width / 2, height / 2))
        elif kind == "pair":
            square = shapely.union_all([square, worlds.box(x + 300, y, width)])
        elif kind == "tie":
            corners = [(x, y), (x + width, y + height), (x + width, y), (x, y + height)]
            square = shapely.Polygon([(worlds.EAST + a, worlds.NORTH + b) for a, b in corners])
        shapes[f"P{number}"] = None if kind == "none" else square
    values = draw(
        st.lists(st.sampled_from([np.nan, 100.0, 2248.95, 2250.0, 9000.0]), min_size=count, max_size=count)
    )
    industry = draw(st.lists(st.sampled_from(["C30", "C14", "C99", None]), min_size=count, max_size=count))
    frame = worlds.parcels(shapes, invest_intensity_cny_per_m2=values, industry_gbt4754_2017=industry)
    return coerce(frame, "parcels")


def world(parcels: geopandas.GeoDataFrame) -> Inputs:
    everywhere = worlds.layer(worlds.box(-100, -100, 1000))
    zones = worlds.layer(worlds.box(0, 0, 500, 2000), worlds.box(500, 0, 500, 2000), zone_code=["Z1", "Z2"])
    zones["valid_from"] = zones["valid_to"] = pd.Series(pd.NaT, index=zones.index, dtype="datetime64[s]")
    evaluation = worlds.layer(
        worlds.box(0, 0, 700),
        item=["flood"],
        approved_on=pd.to_datetime(["2024-01-01"]),
        until=pd.to_datetime(["2028-01-01"]),
    )
    log = pd.DataFrame(
        {
            "parcel_id": ["P0", "P1"],
            "item": ["clear_land"] * 2,
            "state": ["done"] * 2,
            "on": pd.to_datetime(["2024-01-01"] * 2),
        }
    )
    return Inputs(
        name="world",
        parcels=parcels,
        rulebook=load_rulebook("example.kaifaqu"),
        zones=coerce(zones, "zones"),
        layers=(Layer("farmland", "永久基本农田", worlds.layer(worlds.box(100, 100, 300)), everywhere),),
        evaluations=coerce(evaluation, "evaluations"),
        evaluation_items={"flood": "洪水影响评价"},
        events=coerce(log, "events"),
        event_items={"clear_land": "净地", "sale": "出让"},
        complete=["sale"],
    )


@SLOW
@given(drawings(), st.integers(1, 5))
def test_law_1_a_step_on_two_halves_is_the_step_on_the_whole(parcels, cut):
    cut = min(cut, len(parcels) - 1)
    inputs = world(parcels)
    whole, _ = repair_parcels(parcels)
    indicators = _indicators_of(whole, inputs)
    whole = whole.drop(columns="invest_intensity_cny_per_m2")
    for name, step in steps_of(inputs, AS_OF, indicators):
        one, two, together = step(whole.iloc[:cut]), step(whole.iloc[cut:]), step(whole)
        assert one.issues + two.issues == together.issues, name
        halves = pd.concat([one.columns, two.columns])
        pd.testing.assert_frame_equal(halves, together.columns, check_dtype=True, obj=name, rtol=0, atol=0)
        if together.findings is not None:
            # Rows lie parcel by parcel, so the halves' rows follow one another.
            pd.testing.assert_frame_equal(
                join_rows([one.findings, two.findings]),
                together.findings.reset_index(drop=True),
                check_categorical=False,
            )
        if together.pieces is not None:
            joined = pd.concat([one.pieces, two.pieces], ignore_index=True)
            assert joined[["parcel_id", "feature", "overlap_m2"]].equals(
                together.pieces[["parcel_id", "feature", "overlap_m2"]]
            )
        new = [c for c in together.columns.columns if c not in whole.columns]
        whole = geopandas.GeoDataFrame(whole.join(together.columns[new]), geometry="geometry", crs=whole.crs)


@SLOW
@given(drawings())
def test_law_2_nothing_is_dropped_reordered_or_edited(parcels):
    before = parcels.copy(deep=True)
    result = assess(world(parcels), as_of=AS_OF).parcels
    pd.testing.assert_frame_equal(pd.DataFrame(parcels), pd.DataFrame(before))
    assert result.index.tolist() == parcels.index.tolist()
    for mine, theirs in zip(parcels.geometry, result.geometry, strict=True):
        assert (mine is None) == (theirs is None)
        assert mine is None or shapely.equals_exact(shapely.normalize(mine), shapely.normalize(theirs), 0.0)


def test_law_3_no_factor_of_a_unit_is_written_outside_units():
    """0.0015, 666.67 and their kind are what makes fifteen 亩 not one 公顷."""
    forbidden = {0.0015, 666.67, 666.667, 666.6667, 2000 / 3, 1 / 15, 0.0667}
    for file in PACKAGE.rglob("*.py"):
        if file.name == "units.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                assert not any(abs(node.value - factor) < 1e-4 * factor for factor in forbidden), (
                    file.name,
                    node.lineno,
                )


@SLOW
@given(drawings())
def test_law_4_a_layer_taken_away_never_makes_a_parcel_ready(parcels):
    inputs = world(parcels)
    from dataclasses import replace

    without = assess(replace(inputs, layers=()), as_of=AS_OF)
    findings = without.findings
    farmland = findings[(findings["rule_id"] == "farmland.overlap").to_numpy()]
    assert (farmland["status"] == "unknown").all()
    assert not (without.parcels["verdict"] == "ready").any()


@SLOW
@given(drawings())
def test_law_4_what_is_not_known_is_never_passed(parcels):
    result = assess(world(parcels), as_of=AS_OF)
    for rule, name in (
        ("invest_intensity.min", "invest_intensity_cny_per_m2"),
        ("farmland.overlap", "farmland_overlap_m2"),
    ):
        rows = result.findings[(result.findings["rule_id"] == rule).to_numpy()].set_index("parcel_id")
        unknown = result.parcels.index[result.parcels[name].isna().to_numpy()]
        assert not rows.loc[unknown, "status"].isin(["pass", "fail"]).any()


def test_law_6_only_the_command_line_reads_the_clock():
    clocks = {"now", "today", "utcnow", "time"}
    for file in PACKAGE.rglob("*.py"):
        if file.parent.name == "cli":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in clocks
            ):
                owner = ast.unparse(node.func.value)
                assert owner not in ("datetime", "date", "time", "pd.Timestamp", "datetime.date"), (
                    file.name,
                    node.lineno,
                )


def test_law_6_the_past_is_judged_by_the_rules_of_its_day(sample):
    now, then = (assess(sample, as_of=day) for day in (date(2026, 11, 20), date(2024, 6, 1)))
    limits = [
        f.loc[((f["rule_id"] == "tax.min") & (f["parcel_id"] == "A-2")).to_numpy(), "required"].item()
        for f in (now.findings, then.findings)
    ]
    assert limits == [12.0, 10.0]


def test_law_8_what_is_public_is_said_column_by_column():
    for private in ("reserve_price_cny", "compensation_cny", "holder", "notes", "source"):
        assert column(private).audience == "planner"


@pytest.mark.parametrize(
    ("law", "where"),
    [
        ("law 5, monotone", "test_law_5_mending_a_finding_never_makes_a_parcel_less_ready"),
        ("law 7, round trip of words", "test_law_7_canonicalise_reads_back_what_display_shows"),
    ],
)
def test_laws_of_one_room_are_tested_beside_it(law, where):
    tests = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert f"def {where}(" in tests, law
