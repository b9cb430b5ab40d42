"""One client's process: ``python -m benchmarks.client NAME URL``. Prints what it measured."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import threading
import time

from benchmarks.meter import Meter
from benchmarks.mix import asset_ids

#: What importing and connecting leave behind has come to rest by then.
_SETTLING_SECONDS = 2.0


class Ticker(threading.Thread):
    """A thread that wants to run every millisecond, and notes how long it could not."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(daemon=True)
        self._meter = meter
        self.longest_ms = 0.0
        self.usual_ms = 0.0
        self.ending = threading.Event()

    def run(self) -> None:
        """Tick until the end; the half second before the dump says what is usual."""
        pause = threading.Event()
        last = time.monotonic()
        while not self.ending.is_set():
            pause.wait(0.001)
            now = time.monotonic()
            gap_ms = (now - last) * 1000
            last = now
            since_first = now - self._meter.first_at if self._meter.first_at else 0.0
            if 0.3 < since_first < 0.8:
                self.usual_ms = max(self.usual_ms, gap_ms)
            elif since_first >= 0.8:
                self.longest_ms = max(self.longest_ms, gap_ms)


def leave_alone(seconds: float) -> None:
    """Count for ``seconds`` how often this process wakes, print it, and end the process."""
    time.sleep(_SETTLING_SECONDS)
    before = resource.getrusage(resource.RUSAGE_SELF)
    time.sleep(seconds)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # One of them is this thread's own.
    woken = after.ru_nvcsw - before.ru_nvcsw - 1
    print(json.dumps({"seconds": seconds, "woken": woken, "cpu_seconds": cpu}), flush=True)
    os._exit(0)


def main() -> None:
    """Run one client to the end of the traffic."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("--assets", type=int, default=40)
    parser.add_argument("--warmup", type=int, default=0)
    parser.add_argument("--stamped", action="store_true")
    parser.add_argument("--ticks", action="store_true")
    parser.add_argument("--idle", type=float)
    arguments = parser.parse_args()
    run = importlib.import_module(f"benchmarks.clients.{arguments.name}").run
    meter = Meter(arguments.warmup, stamped=arguments.stamped)
    ticker = Ticker(meter)
    if arguments.ticks:
        ticker.start()
    if arguments.idle is not None:
        threading.Thread(target=leave_alone, args=(arguments.idle,), daemon=True).start()
    result = run(arguments.url, asset_ids(arguments.assets), meter.take)
    ticker.ending.set()
    result |= {**meter.result(), "first_at": meter.first_at}
    if arguments.ticks:
        ticker.join()
        result |= {"longest_stall_ms": ticker.longest_ms, "usual_stall_ms": ticker.usual_ms}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
