"""
A reader that misbehaves on files whose names say how; tests start it in place of the real one.

It is the real one, run with its real limits, but for the works replaced below: no library crashes on order.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time


def misbehave(name: str) -> None:
    if "crash" in name:
        os.abort()
    if "hang" in name:
        time.sleep(3600)
    if "spin" in name:
        while True:
            pass
    if "bomb" in name:
        held = []
        while True:
            held.append(bytes(256 << 20))
    if "leave" in name:
        os._exit(3)
    if "garble" in name:
        os.write(int(os.environ["LANDPLAN_FAKE_OUT"]), b"\xff\xff\xff\xff nonsense")
        time.sleep(3600)


def main() -> None:
    spec = importlib.util.spec_from_file_location("worker", sys.argv[1])
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    works, send, damage = dict(worker._WORKS), worker.send, []

    def fake(request: dict) -> tuple:
        name = request["path"].rpartition(os.sep)[2]
        if damage:
            os.abort()
        if "poison" in name:
            damage.append(name)
        misbehave(name)
        if "environ" in name:
            return {"layers": sorted(os.environ.items())}, None
        return works[request["do"]](request)

    def noted(stream, message: dict) -> None:
        os.environ["LANDPLAN_FAKE_OUT"] = str(stream.fileno())
        send(stream, message)

    worker._WORKS.update(dict.fromkeys(works, fake))
    worker.send = noted
    if "--with-network" in sys.argv:
        worker._cut_network = lambda: False
    worker._serve(json.loads(sys.argv[-1]))


if __name__ == "__main__":
    main()
