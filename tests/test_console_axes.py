"""What the terminal says of kinds of stock and of tiers: counts that close, and nothing where nothing was judged."""

from __future__ import annotations

import dataclasses

from lists_world import list_assessment

from landplan.console import check_summary, print_check, print_reasons
from landplan.supply.books import book_areas


def test_kinds_of_stock_and_tiers_are_counted_so_that_they_close():
    assessment = list_assessment()
    parcels = assessment.parcels.assign(
        tier=assessment.parcels["tier"].where(assessment.parcels.index != "A-1")
    )
    summary = check_summary(dataclasses.replace(assessment, parcels=parcels))
    whole = int(book_areas(parcels["area_m2"]).sum())
    for name in ("stock_kinds", "tiers"):
        assert sum(row["parcels"] for row in summary[name]) == 12
        assert sum(row["mu_hundredths"] for row in summary[name]) == whole
    # A tier nobody judged is a class of its own, not a low tier.
    assert {row["code"]: row["parcels"] for row in summary["tiers"]}["unknown"] == 1
    assert next(row for row in summary["stock_kinds"] if row["code"] == "reserve")["label"] == "储备"


def test_an_assessment_without_axes_says_nothing_of_them(capsys):
    assessment = list_assessment()
    bare = dataclasses.replace(assessment, parcels=assessment.parcels.drop(columns=["stock_kind", "tier"]))
    assert check_summary(bare)["stock_kinds"] == [] == check_summary(bare)["tiers"]
    print_check(bare)
    assert "存量类型" not in capsys.readouterr().out
    print_check(assessment)
    assert "存量类型" in capsys.readouterr().out


def test_a_parcel_is_explained_with_its_states_and_its_first_day(capsys):
    print_reasons(list_assessment(), "A-21", [], "zh")
    said = capsys.readouterr().out
    assert (
        "报批状态：农转用已批" in said and "成熟度判定：已征" in said and "最早具备条件日：2027-04-30" in said
    )
