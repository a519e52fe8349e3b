"""The balance of a period: it closes for any events, opens to its rows, and past days never change."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landplan.attach import attach_events
from landplan.errors import UsageError
from landplan.schema import coerce
from landplan.supply import balance_period, derive_axes, kinds_on
from landplan.supply.axes import ITEMS
from landplan.supply.books import book_areas
from landplan.units import convert

FIRST = date(2026, 1, 1)


def parcels(**areas):
    frame = pd.DataFrame(
        {"area_m2": list(areas.values())}, index=pd.Index(list(areas), name="parcel_id", dtype="str")
    )
    return coerce(frame, "parcels")


def log(*rows):
    names = ["parcel_id", "item", "on", "state", "document", "until"]
    table = pd.DataFrame([dict(zip(names, row, strict=False)) for row in rows], columns=names)
    return coerce(table.assign(source="台账", source_row=range(1, len(rows) + 1)), "events")


YEAR = (date(2026, 1, 1), date(2026, 12, 31))
# 15 亩 each: 10,000 m2.
WORLD = parcels(A=10_000.0, B=10_000.0, C=10_000.0, D=10_000.0, E=10_000.0, F=np.nan)
EVENTS = log(
    ("A", "approval", "2026-05-20", "done", "晋政土〔2026〕5号"),
    ("B", "approval", "2025-03-01", "done", "晋政土〔2025〕3号"),
    ("B", "reserve", "2026-06-10", "done", "收储〔2026〕2号"),
    ("B", "sale", "2026-09-30", "done", "出让〔2026〕9号"),
    ("C", "approval", "2024-01-01", "done", "晋政土〔2024〕1号"),
    ("C", "sale", "2024-07-01", "done", "出让〔2024〕7号"),
    ("C", "withdrawal", "2026-04-01", "done", "收回〔2026〕1号"),
    ("D", "approval", "2024-01-01", "done", "晋政土〔2024〕1号"),
    ("D", "sale", "2024-07-01", "done", "出让〔2024〕7号"),
    ("D", "inefficient", "2025-07-01", "done", "低效〔2025〕1号"),
    ("D", "production", "2025-02-01", "done", ""),
    ("D", "utilisation", "2026-08-01", "done", "盘活〔2026〕1号"),
    ("E", "approval", "2027-01-01", "done", "晋政土〔2027〕1号"),
    ("F", "approval", "2026-07-01", "done", "晋政土〔2026〕7号"),
)
COMPLETE = ["approval", "sale", "start"]


def test_a_year_told_move_by_move():
    balance = balance_period(WORLD, EVENTS, *YEAR, complete=COMPLETE)
    told = balance.moves[["parcel_id", "from_kind", "to_kind", "cause", "document"]].to_numpy().tolist()
    assert told == [
        ["C", "sold_unused", "approved_unsold", "withdrawal", "收回〔2026〕1号"],
        ["A", "incremental", "approved_unsold", "approval", "晋政土〔2026〕5号"],
        ["B", "approved_unsold", "reserve", "reserve", "收储〔2026〕2号"],
        ["F", "incremental", "approved_unsold", "approval", "晋政土〔2026〕7号"],
        ["D", "underused", "in_use", "utilisation", "盘活〔2026〕1号"],
        ["B", "reserve", "sold_unused", "sale", "出让〔2026〕9号"],
    ]
    stock = balance.classes.loc["approved_unsold"]
    opening, came, went, closing = (stock[f"{n}_parcels"] for n in ("opening", "in", "out", "closing"))
    assert (opening, came, went, closing) == (1, 3, 1, 3)
    # 1500 hundredths are 15.00 亩; F has no area and counts as a 宗 without 亩.
    assert stock[
        ["opening_hundredths", "in_hundredths", "out_hundredths", "closing_hundredths"]
    ].tolist() == [1500, 3000, 1500, 3000]
    assert stock["unmeasured"] == 1


def test_a_flow_opens_to_its_parcels():
    balance = balance_period(WORLD, EVENTS, *YEAR, complete=COMPLETE)
    for flow in balance.flows.to_dict("records"):
        rows = balance.moves
        for name in ("from_kind", "to_kind", "cause"):
            rows = rows[rows[name] == flow[name]]
        assert (len(rows), rows["hundredths"].sum()) == (flow["parcels"], flow["hundredths"])


def test_an_approval_that_ends_takes_the_parcel_back_on_the_day_after():
    events = log(("A", "approval", "2025-01-01", "done", "晋政土1号", "2026-06-30"))
    balance = balance_period(parcels(A=1000.0), events, *YEAR, complete=["approval", "sale"])
    move = balance.moves.iloc[0]
    assert (move["cause"], move["on"], move["to_kind"]) == (
        "expiry",
        pd.Timestamp("2026-07-01"),
        "incremental",
    )
    assert move["document"] == "晋政土1号"


def test_a_revoked_sale_is_not_called_a_sale():
    events = log(
        ("A", "approval", "2024-01-01", "done", "x"),
        ("A", "sale", "2025-01-01", "done", "y"),
        ("A", "sale", "2026-03-01", "void", "z"),
    )
    balance = balance_period(parcels(A=1000.0), events, *YEAR, complete=["approval", "sale", "start"])
    assert balance.flows[["from_kind", "to_kind", "cause"]].to_numpy().tolist() == [
        ["sold_unused", "approved_unsold", "revoked"]
    ]


def test_a_parcel_that_comes_and_goes_on_one_day_has_not_moved():
    events = log(("A", "approval", "2026-03-01", "done", "x"), ("A", "approval", "2026-03-01", "void", "y"))
    balance = balance_period(parcels(A=1000.0), events, *YEAR, complete=["approval", "sale"])
    assert balance.moves.empty
    assert balance.classes.at["incremental", "closing_parcels"] == 1


def test_a_hundredth_of_a_mu_is_rounded_half_up_and_never_lost():
    # 3.33333 m2 are half a hundredth of a 亩 short of nothing: 0.005 亩 = 10/3 m2.
    areas = pd.Series([convert(0.005, "亩", "m2"), convert(0.0049, "亩", "m2"), 68507.52, 38700.40, np.nan])
    assert book_areas(areas).tolist() == [1, 0, 10276, 5805, pd.NA]


def test_the_row_that_breaks_the_balance_is_named():
    opening = pd.DataFrame(
        {
            "stock_kind": ["approved_unsold", "approved_unsold", "sold_unused", "underused", "reserve"],
            "mu_hundredths": [1500, 1499, 1500, 1500, 700],
        },
        index=pd.Index(["A", "B", "C", "D", "X"], name="parcel_id"),
    )
    balance = balance_period(WORLD, EVENTS, *YEAR, complete=COMPLETE, opening=opening)
    told = balance.breaks.set_index("parcel_id")["cause"].to_dict()
    assert told == {"A": "unexplained", "B": "area", "E": "appeared", "F": "appeared", "X": "vanished"}
    closes(balance)


def test_a_period_that_ends_before_it_begins_is_refused():
    with pytest.raises(UsageError):
        balance_period(WORLD, EVENTS, YEAR[1], YEAR[0])


def closes(balance):
    table = balance.classes
    for what in ("parcels", "hundredths"):
        by_kind = table[f"opening_{what}"] + table[f"in_{what}"] - table[f"out_{what}"]
        assert (by_kind == table[f"closing_{what}"]).all()
        rows = table.drop(index="total")
        for column in ("opening", "in", "out", "closing"):
            assert rows[f"{column}_{what}"].sum() == table.at["total", f"{column}_{what}"]


# Many parcels in few worlds: each world is slow to judge, a parcel more costs nothing.
NAMES = "ABCDEFGH"
FEW = settings(deadline=None, max_examples=25)
_DAYS = st.integers(0, 40).map(lambda n: FIRST + timedelta(days=n))
_ROWS = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(ITEMS),
    _DAYS,
    st.sampled_from(["done", "done", "done", "pending", "none", "suspended", "void", None]),
    st.sampled_from(["x", None]),
    st.one_of(st.none(), _DAYS),
)
_COMPLETE = st.lists(st.sampled_from(ITEMS), unique=True)
_AREAS = st.tuples(*[st.one_of(st.just(np.nan), st.floats(0.01, 1e6))] * len(NAMES))
_OUTLINE = st.tuples(
    st.sampled_from([np.nan, 0.0, 0.4, 1.0]), st.one_of(st.none(), _DAYS), st.sampled_from(["红线1", None])
)


def world(areas, outlines=()):
    frame = parcels(**dict(zip(NAMES, areas, strict=True)))
    for axis, drawn in zip(("approval", "sale"), outlines, strict=False):
        share, on, document = zip(*drawn, strict=True)
        frame[f"boundary_{axis}_share"], frame[f"boundary_{axis}_on"] = share, pd.to_datetime(list(on))
        frame[f"boundary_{axis}_document"] = document
    return coerce(frame, "parcels")


@FEW
@given(
    st.lists(_ROWS, max_size=80),
    _COMPLETE,
    _AREAS,
    st.lists(st.tuples(*[_OUTLINE] * len(NAMES)), max_size=2),
    _DAYS,
    _DAYS,
)
def test_law_the_balance_closes_for_any_events_and_its_ends_are_the_states_of_those_days(
    rows, complete, areas, outlines, one, other
):
    start, end = sorted((one, other))
    events, frame = log(*rows), world(areas, outlines)
    balance = balance_period(frame, events, start, end, complete=complete)
    closes(balance)
    # The same states by the other way: events laid beside the parcels for one day, as an assessment does.
    items = {item: item for item in ITEMS}
    for day, name in ((start - timedelta(days=1), "opening"), (end, "closing")):
        columns, _ = attach_events(frame, events, items, complete, day)
        kinds = derive_axes(frame.join(columns), day)[0]["stock_kind"]
        assert kinds.tolist() == kinds_on(frame, events, day, complete).tolist()
        counted = kinds.value_counts()
        assert all(balance.classes.at[kind, f"{name}_parcels"] == n for kind, n in counted.items())
    assert balance.moves["on"].between(pd.Timestamp(start), pd.Timestamp(end)).all()


@FEW
@given(st.lists(_ROWS, max_size=60), st.lists(_ROWS, max_size=60), _AREAS, _DAYS, _DAYS)
def test_law_what_is_recorded_of_later_days_never_changes_a_past_balance(rows, more, areas, one, other):
    start, end = sorted((one, other))
    later = [(p, i, end + timedelta(days=1 + (on - FIRST).days), *rest[:2]) for p, i, on, *rest in more]
    frame = world(areas)
    before = balance_period(frame, log(*rows), start, end, complete=["sale"])
    after = balance_period(frame, log(*rows, *later), start, end, complete=["sale"])
    for name in ("classes", "flows", "moves", "breaks"):
        assert getattr(before, name).to_csv() == getattr(after, name).to_csv()


@FEW
@given(
    st.lists(_ROWS, max_size=60),
    _AREAS,
    st.dictionaries(
        st.sampled_from([*NAMES, "X"]), st.tuples(st.sampled_from(["reserve", "incremental", "in_use"]), st.integers(0, 500)), min_size=1
    ),
)  # fmt: skip
def test_law_books_closed_before_are_carried_on_whatever_they_say(rows, areas, books):
    opening = pd.DataFrame.from_dict(books, orient="index", columns=["stock_kind", "mu_hundredths"])
    balance = balance_period(world(areas), log(*rows), FIRST, FIRST + timedelta(days=30), opening=opening)
    closes(balance)
    assert balance.classes.at["total", "opening_hundredths"] == opening["mu_hundredths"].sum()
    assert balance.classes.at["total", "opening_parcels"] == len(opening)
