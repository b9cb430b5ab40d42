"""What a client's process measures about itself, in its own consumer."""

from __future__ import annotations

import os
import resource
import statistics
import sys
import time
from pathlib import Path

from benchmarks.mix import END

__all__ = ["Meter"]


class Meter:
    """Counts messages and takes the time. Every client calls ``take`` once a message.

    Args:
        warmup: messages before the clock starts; the opening books are among them.
        stamped: whether the market of each message is the time at which it was sent.
    """

    def __init__(self, warmup: int, *, stamped: bool) -> None:
        self._warmup = warmup
        self._stamped = stamped
        self._seen = 0
        self._began = self._began_cpu = 0.0
        self._late: list[int] = []
        self.first_at = 0.0

    def take(self, market: str) -> bool:
        """Note one message, by its market; return whether it was the last."""
        self._seen += 1
        if self._seen <= self._warmup:
            if self._seen == 1:
                self.first_at = time.monotonic()
            if self._seen == self._warmup:
                self._began, self._began_cpu = time.perf_counter(), time.process_time()
        elif self._stamped and market != END:
            self._late.append(time.perf_counter_ns() - int(market, 16))
        return market == END

    def result(self) -> dict[str, float]:
        """Return what was measured since the warm-up.

        ``messages``, ``seconds``, ``cpu_seconds`` of this process, ``rss_mb`` now and
        ``peak_rss_mb``, ``p50_ms`` and ``p99_ms`` where messages are stamped.
        """
        seconds = time.perf_counter() - self._began
        cpu_seconds = time.process_time() - self._began_cpu
        result = {
            # Without the end mark.
            "messages": self._seen - self._warmup - 1,
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "rss_mb": resident_mb(),
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            / (1024 * 1024 if sys.platform == "darwin" else 1024),
        }
        if self._late:
            hundredths = statistics.quantiles(self._late, n=100)
            result["p50_ms"] = hundredths[49] / 1e6
            result["p99_ms"] = hundredths[98] / 1e6
        return result


def resident_mb() -> float:
    """Return the resident memory of this process in MiB; 0.0 where no ``/proc`` tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except FileNotFoundError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024
