"""
A process that does one unit after another; run as ``python -m landplan.batch.worker BYTES``.

Tasks come as lines of JSON on stdin, answers go as lines of JSON to what was stdout. Where the other end is
gone, so is this process: nothing of a batch outlives it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
from typing import Any

from landplan.batch import work
from landplan.errors import Fault

__all__ = ["main"]


def main(limit: int = 0) -> None:
    """
    Do tasks until there are none.

    Parameters
    ----------
    limit : int
        Bytes of address space this process may take; 0 for no limit. Unknown to Windows.
    """
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which ends this process
    # Libraries print; what they print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    if limit:
        _limit_memory(limit)
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()

    def answer(**facts: Any) -> None:
        answers.write(json.dumps(facts).encode() + b"\n")

    while True:
        task = work.Task(**json.loads(tasks.get()))
        try:
            result = work.do_task(task, lambda kind, text: answer(kind=kind, text=text))
        except MemoryError:
            answer(kind="result", state="crashed", faults=[vars(_memory(limit))])
            return  # what is left of the heap is not to be trusted with another unit
        except Exception as error:  # one strange unit must not cost the others
            if os.environ.get("LANDPLAN_DEBUG"):
                sys.excepthook(type(error), error, error.__traceback__)
            result = {"state": "failed", "faults": [work.fault_of_exception(error)]}
        answer(kind="result", **result)


def _listen(tasks: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        tasks.put(line)
    # The parent is done with this process, or dead. Results are written whole or not at all: end anywhere.
    os._exit(0)


def _limit_memory(limit: int) -> None:
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _memory(limit: int) -> Fault:
    return Fault(
        en=f"it needs more memory than the {limit / 1024**3:.1f} GB of one process.",
        zh=f"所需内存超过单个进程的上限 {limit / 1024**3:.1f} GB。",
        mend_en="use fewer --jobs, or split the data",
        mend_zh="减小 --jobs，或拆分资料。",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
