"""A year on the sample: what is recorded moves parcels, a past day stays as it was, and old figures stop counting."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

import landplan
from landplan.ledger import Draft, open_ledger
from landplan.reports import list_as_csv
from landplan.supply import annual_list

SAMPLE = Path(__file__).resolve().parents[1] / "gis_data" / "sample"
JUNE, SEPTEMBER = date(2026, 6, 30), date(2026, 9, 1)


def at(day):
    return datetime(day.year, day.month, day.day, 9, tzinfo=timezone(timedelta(hours=8)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    copy = tmp_path_factory.mktemp("year") / "sample"
    shutil.copytree(SAMPLE, copy)
    return copy


@pytest.fixture(scope="module")
def june(folder):
    """The sample judged for the end of June before anything is recorded, and what was recorded afterwards."""
    before = landplan.assess(folder, as_of=JUNE)
    ledger = open_ledger(folder / "总账.gpkg")
    first, second = landplan.list_supply(before, "stock").index[:2]
    # One is sold in September; of the other it comes out in September that it was sold in May.
    late = {"parcel_id": first, "item": "sale", "on": SEPTEMBER, "document": "示例挂〔2026〕90号"}
    early = {"parcel_id": second, "item": "sale", "on": date(2026, 5, 20), "document": "示例挂〔2026〕40号"}
    ledger.append([Draft("event", late), Draft("event", early)], "示例", at(SEPTEMBER))
    return before, str(first), str(second)


def test_what_happens_later_does_not_change_a_past_day(folder, june):
    before, first, _ = june
    known = landplan.assess(folder, as_of=JUNE, known_on=JUNE)
    assert list_as_csv(known, "stock") == list_as_csv(before, "stock")
    for kind in ("stock", "incremental", "reserve", "books"):
        assert annual_list(known, kind, 2026).sha256 == annual_list(before, kind, 2026).sha256
    now = landplan.assess(folder, as_of=JUNE)
    assert now.parcels.at[first, "supply_class"] == "stock"


def test_what_comes_out_later_changes_the_day_it_speaks_of_unless_one_asks_what_was_known(folder, june):
    _, _, second = june
    now = landplan.assess(folder, as_of=JUNE)
    assert now.parcels.at[second, "supply_class"] == "supplied"
    assert now.parcels.at[second, "sale_axis"] == "sold"
    assert "总账.gpkg" in now.events.loc[now.events["parcel_id"] == second, "source"].to_list()
    assert now.provenance.known_on == ""
    known = landplan.assess(folder, as_of=JUNE, known_on=JUNE)
    assert known.parcels.at[second, "supply_class"] == "stock"
    assert known.provenance.known_on == "2026-06-30"


def test_a_ledger_that_grew_makes_a_saved_result_stale(folder, june):
    from landplan.project import changed_sources, load_project

    project = load_project(folder)
    judged = landplan.assess(project, as_of=JUNE)
    assert changed_sources(judged.provenance, project) == []
    wanted = {
        "parcel_id": "A-2",
        "demand": "示例项目",
        "on": SEPTEMBER,
        "until": date(2026, 9, 30),
        "person": "示例",
    }
    open_ledger(folder / "总账.gpkg").append([Draft("hold", wanted)], "示例", at(SEPTEMBER))
    assert changed_sources(judged.provenance, project) == ["总账.gpkg"]
    held = landplan.assess(project, as_of=JUNE).registers["holds"]
    assert held[["parcel_id", "demand"]].to_numpy().tolist() == [["A-2", "示例项目"]]


def test_figures_older_than_a_quarter_turn_ready_into_pending(tmp_path):
    copy = tmp_path / "sample"
    shutil.copytree(SAMPLE, copy)
    book = copy / "规则" / "example" / "kaifaqu.yaml"
    text = book.read_text(encoding="utf-8")
    rule = text[text.index("  capacity.power:") :]
    book.write_text(
        text.replace(rule, rule.replace("force: advisory", "force: mandatory", 1)), encoding="utf-8"
    )
    # The ledger of capacities is of 30 September: it keeps to 30 December.
    fresh = landplan.assess(copy, as_of=date(2026, 12, 30)).parcels
    stale = landplan.assess(copy, as_of=date(2026, 12, 31)).parcels
    ready = fresh.index[(fresh["verdict"] == "ready").to_numpy(dtype=bool)]
    assert len(ready) > 100
    assert set(stale.loc[ready, "verdict"]) == {"pending"}
    assert (stale["verdict"] != "ready").all()
