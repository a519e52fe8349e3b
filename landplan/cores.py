"""How many threads our compiled code may use, so that workers side by side on one machine do not take it twice."""

from __future__ import annotations

import os

__all__ = ["count_threads"]


def count_threads() -> int:
    """
    Tell how many threads to start.

    Returns
    -------
    int
        ``LANDPLAN_THREADS`` where it is a whole number above zero, else the processors this process may run on.
    """
    said = os.environ.get("LANDPLAN_THREADS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
