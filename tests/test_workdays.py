from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landplan.errors import ConfigError, UsageError
from landplan.workdays import Stop, add_workdays, count_workdays, load_calendar, run_clock

CHINA = load_calendar()
DAYS = st.dates(date(2002, 1, 1), date(2026, 12, 28))


def span(first: str, last: str) -> list[date]:
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [begin + timedelta(days=n) for n in range((end - begin).days + 1)]


# The State Council's notices on 2024, 2025 and 2026 (国务院办公厅关于部分节假日安排的通知), written out day by day.
NOTICES = {
    2024: (
        [("2024-01-01", "2024-01-01"), ("2024-02-10", "2024-02-17"), ("2024-04-04", "2024-04-06"),
         ("2024-05-01", "2024-05-05"), ("2024-06-10", "2024-06-10"), ("2024-09-15", "2024-09-17"),
         ("2024-10-01", "2024-10-07")],
        ["2024-02-04", "2024-02-18", "2024-04-07", "2024-04-28", "2024-05-11", "2024-09-14", "2024-09-29", "2024-10-12"],
    ),
    2025: (
        [("2025-01-01", "2025-01-01"), ("2025-01-28", "2025-02-04"), ("2025-04-04", "2025-04-06"),
         ("2025-05-01", "2025-05-05"), ("2025-05-31", "2025-06-02"), ("2025-10-01", "2025-10-08")],
        ["2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"],
    ),
    2026: (
        [("2026-01-01", "2026-01-03"), ("2026-02-15", "2026-02-23"), ("2026-04-04", "2026-04-06"),
         ("2026-05-01", "2026-05-05"), ("2026-06-19", "2026-06-21"), ("2026-09-25", "2026-09-27"),
         ("2026-10-01", "2026-10-07")],
        ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("year", NOTICES)
def test_every_day_of_a_year_is_as_the_published_notice_has_it(year):
    off = {day for first, last in NOTICES[year][0] for day in span(first, last)}
    made_up = {date.fromisoformat(day) for day in NOTICES[year][1]}
    for day in span(f"{year}-01-01", f"{year}-12-31"):
        expected = day in made_up or (day.weekday() < 5 and day not in off)
        assert CHINA.is_workday(day) is expected, day


@pytest.mark.parametrize(("year", "count"), [(2023, 249), (2024, 251), (2025, 248), (2026, 248)])
def test_a_year_has_as_many_working_days_as_its_weekdays_less_holidays_say(year, count):
    assert count_workdays(date(year - 1, 12, 31), date(year, 12, 31), CHINA) == count


@pytest.mark.parametrize(
    ("start", "due"),
    [
        # Counted on the printed calendar: to the 30th of April 13 (Sunday the 28th is worked), to the 11th of May 19 ...
        ("2024-04-12", "2024-05-27"),
        ("2025-09-01", "2025-10-17"),
        ("2026-09-10", "2026-10-28"),
        ("2026-02-02", "2026-03-20"),
    ],
)
def test_thirty_working_days_to_transfer_end_on_the_day_counted_by_hand(start, due):
    begin = date.fromisoformat(start)
    off = {d for year in NOTICES.values() for first, last in year[0] for d in span(first, last)}
    made_up = {date.fromisoformat(d) for year in NOTICES.values() for d in year[1]}
    day, left = begin, 30
    while left:
        day += timedelta(days=1)
        left -= day in made_up or (day.weekday() < 5 and day not in off)
    assert day.isoformat() == due
    assert add_workdays(begin, 30, CHINA) == day


def test_a_make_up_sunday_counts_and_the_friday_it_was_moved_for_does_not():
    assert count_workdays(date(2026, 9, 18), date(2026, 9, 20), CHINA) == 1
    assert count_workdays(date(2026, 10, 5), date(2026, 10, 6), CHINA) == 0


def test_a_clock_set_on_a_day_off_begins_with_the_next_working_day():
    assert add_workdays(date(2026, 10, 3), 1, CHINA) == date(2026, 10, 8)
    assert add_workdays(date(2026, 10, 3), 0, CHINA) == date(2026, 10, 3)


def test_counting_back_from_a_due_day_gives_the_last_day_to_begin():
    assert add_workdays(date(2026, 10, 28), -30, CHINA) == date(2026, 9, 10)
    assert add_workdays(date(2026, 10, 4), -1, CHINA) == date(2026, 9, 30)


@given(DAYS, st.integers(1, 200))
def test_adding_and_counting_are_each_others_reverse(day, count):
    end = add_workdays(day, count, CHINA)
    assert CHINA.is_workday(end)
    assert count_workdays(day, end, CHINA) == count
    assert count_workdays(end, day, CHINA) == -count


@given(st.lists(DAYS, min_size=1, max_size=5), st.integers(-50, 50))
def test_arrays_give_what_single_days_give(days, count):
    many = add_workdays(np.array(days, dtype="datetime64[D]"), count, CHINA)
    assert [each.item() for each in many] == [add_workdays(day, count, CHINA) for day in days]


def test_a_missing_day_or_count_gives_no_day():
    days = np.array(["2026-09-10", "NaT", "2026-09-10"], dtype="datetime64[D]")
    found = add_workdays(days, np.array([30, 30, np.nan]), CHINA)
    assert found[0].item() == date(2026, 10, 28) and np.isnat(found[1:]).all()
    assert np.isnan(count_workdays(days, found, CHINA)[1:]).all()


def test_years_without_a_notice_are_named_and_never_taken_for_known():
    last = max(CHINA.known_years)
    assert 2026 in CHINA.known_years
    assert CHINA.unknown_years(date(2024, 1, 1), date(2026, 12, 1)) == []
    assert last + 1 not in CHINA.known_years
    assert CHINA.unknown_years(date(last, 6, 1), date(last + 2, 6, 1)) == [last + 1, last + 2]
    ends = np.array(
        [date(last, 12, 28), date(last, 12, 29), date(last + 1, 1, 4), None], dtype="datetime64[D]"
    )
    assert CHINA.are_provisional(np.datetime64(date(last, 6, 1)), ends).tolist() == [False, True, True, False]


@given(DAYS, st.integers(0, 900))
def test_many_spans_are_provisional_where_one_span_names_a_year(first, length):
    last = first + timedelta(days=length)
    many = CHINA.are_provisional(
        np.array([first], dtype="datetime64[D]"), np.array([last], dtype="datetime64[D]")
    )
    assert many[0] == bool(CHINA.unknown_years(first, last))


def test_the_last_days_of_a_year_rest_on_the_notice_of_the_next():
    # In 2018 the 29th of December was worked for the 31st: the notice on 2019 said so.
    assert CHINA.is_workday(date(2018, 12, 29)) and not CHINA.is_workday(date(2018, 12, 31))


def calendar_file(tmp_path, text):
    path = tmp_path / "日历.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_project_supplies_a_year_whose_notice_is_not_in_the_tables(tmp_path):
    path = calendar_file(
        tmp_path,
        "calendar: 试\nyears:\n  2031:\n    document: 示例通知\n"
        "    days_off: [2031-01-01, 2031-01-22 .. 2031-01-28]\n    make_up: [2031-01-19, 2031-02-02]\n",
    )
    calendar = load_calendar(path)
    assert 2031 in calendar.known_years and 2031 not in CHINA.known_years
    assert not calendar.is_workday(date(2031, 1, 23)) and calendar.is_workday(date(2031, 1, 19))
    # The year is taken from the file alone: what the law would give and the notice does not name is worked.
    assert calendar.is_workday(date(2031, 10, 1))
    assert calendar.unknown_years(date(2031, 3, 1), date(2031, 11, 1)) == []


def test_every_fault_of_a_calendar_is_told_at_once_with_its_line(tmp_path):
    path = calendar_file(
        tmp_path,
        "calendar: 试\nyears:\n  2031:\n    document: 示例\n    days_off: [2031-13-01, 2030-12-31]\n"
        "    make_up: [2031-01-20]\n  '1875':\n    x: 1\n",
    )
    with pytest.raises(ConfigError) as found:
        load_calendar(path)
    lines = {fault.at.rsplit(":", 1)[-1] for fault in found.value.faults}
    assert {"5", "3", "7"} <= lines
    text = str(found.value)
    assert "2031-13-01" in text and "2030-12-31" in text and "2031-01-20" in text and "1875" in text


def test_beyond_the_table_there_is_no_answer():
    with pytest.raises(UsageError):
        add_workdays(date(2099, 12, 1), 300, CHINA)
    with pytest.raises(UsageError):
        count_workdays(date(1949, 1, 1), date(2020, 1, 1), CHINA)


def test_agreed_suspensions_do_not_count_and_move_the_due_day():
    start, day = date(2026, 9, 10), date(2026, 10, 20)
    plain = run_clock(start, 30, CHINA, day)
    held = run_clock(start, 30, CHINA, day, stops=[Stop(date(2026, 10, 12), date(2026, 10, 16))])
    assert (plain.due_on, plain.used, plain.left) == (date(2026, 10, 28), 24, 6)
    assert (held.due_on, held.used, held.left) == (date(2026, 11, 4), 19, 11)
    again = run_clock(start, 30, CHINA, day, stops=[Stop(date(2026, 10, 12), date(2026, 10, 16))] * 2)
    assert again == held  # suspensions that overlap count once


def test_an_open_suspension_stops_the_clock_and_leaves_no_due_day():
    clock = run_clock(date(2026, 9, 10), 30, CHINA, date(2026, 10, 20), stops=[Stop(date(2026, 10, 12))])
    assert (clock.state, clock.due_on, clock.used) == ("stopped", None, 17)


def test_a_suspension_after_the_day_looked_at_is_not_known_yet():
    later = [Stop(date(2026, 10, 22), date(2026, 10, 30))]
    assert run_clock(date(2026, 9, 10), 30, CHINA, date(2026, 10, 20), stops=later).due_on == date(
        2026, 10, 28
    )


@pytest.mark.parametrize(
    ("as_of", "done_on", "state", "left"),
    [
        (date(2026, 10, 28), None, "running", 0),
        (date(2026, 10, 29), None, "late", -1),
        (date(2026, 11, 20), date(2026, 10, 27), "done", 1),
        (date(2026, 11, 20), date(2026, 10, 30), "done", -2),
        (date(2026, 10, 20), date(2026, 10, 27), "running", 6),
    ],
)
def test_the_due_day_itself_is_in_time_and_the_next_working_day_is_late(as_of, done_on, state, left):
    clock = run_clock(date(2026, 9, 10), 30, CHINA, as_of, done_on=done_on)
    assert (clock.state, clock.left) == (state, left)


def test_a_clock_that_runs_into_a_year_without_notice_says_which():
    last = max(CHINA.known_years)
    assert run_clock(date(last, 12, 1), 30, CHINA, date(last, 12, 2)).unknown_years == [last + 1]
