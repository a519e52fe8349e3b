"""
Working days of China: statutory holidays, days moved for them (调休), clocks that stop and go on.

A year is known once the State Council's notice on its holidays (国务院办公厅关于部分节假日安排的通知) is in the tables; a later
year is worked out from the law alone, without days moved, and whoever asks is told so.
"""

from __future__ import annotations

from landplan.workdays.clock import Clock, run_clock
from landplan.workdays.days import Stop, WorkCalendar, add_workdays, count_workdays
from landplan.workdays.source import load_calendar

__all__ = ["Clock", "Stop", "WorkCalendar", "add_workdays", "count_workdays", "load_calendar", "run_clock"]
