"""
Readers in processes of their own: a file that crashes, hangs or bloats one costs only itself.

``worker`` is what runs there, ``process`` one such process and its watchdog, ``pool`` those that are kept and asked.
"""

from __future__ import annotations

from landplan.read.workers.pool import (
    Answer,
    Pending,
    Reader,
    close_readers,
    describe_readers,
    private_file,
    set_readers,
    warm_readers,
)
from landplan.read.workers.process import ReaderError

__all__ = [
    "Answer",
    "Pending",
    "Reader",
    "ReaderError",
    "close_readers",
    "describe_readers",
    "private_file",
    "set_readers",
    "warm_readers",
]
