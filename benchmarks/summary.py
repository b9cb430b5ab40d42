"""Samples to medians, and medians to what was promised."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

import attrs

from benchmarks.clients import OFFICIAL, OURS, PRACTICAL_LIMIT
from benchmarks.experiments import Samples

__all__ = ["Promise", "median", "per_second", "promises", "spread", "us_a_message"]

Reading = Mapping[str, float]
Measure = Callable[[Reading], float]


def per_second(reading: Reading) -> float:
    """Return messages a second."""
    return reading["messages"] / reading["seconds"]


def us_a_message(reading: Reading) -> float:
    """Return microseconds of CPU a message, all threads of the client together."""
    return reading["cpu_seconds"] / reading["messages"] * 1e6


def field(name: str) -> Measure:
    """Return what takes one field out of a reading."""
    return lambda reading: reading[name]


def median(samples: Samples, name: str, measure: Measure) -> float | None:
    """Return the middle of all rounds; ``None`` where there is none."""
    readings = [measure(reading) for reading in samples.get(name, [])]
    return statistics.median(readings) if readings else None


def spread(samples: Samples, name: str, measure: Measure) -> tuple[float, float]:
    """Return the lowest and the highest of all rounds."""
    readings = [measure(reading) for reading in samples[name]]
    return min(readings), max(readings)


@attrs.frozen
class Promise:
    """Something that must be true, and what was measured.

    Attributes:
        text: what.
        value: the ratio, or the number.
        limit: its bound.
        at_least: whether it must not be below the bound; else not above.
    """

    text: str
    value: float
    limit: float
    at_least: bool

    @property
    def kept(self) -> bool:
        """Whether it is true."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def promises(sections: Mapping[str, Samples]) -> list[Promise]:
    """Return every promise that the sections can be asked about."""
    found: list[Promise] = []
    for text, section, over, under, measure, limit in _RATIOS:
        samples = sections.get(section, {})
        first, second = median(samples, over, measure), median(samples, under, measure)
        if first is not None and second:
            found.append(Promise(text, first / second, limit, measure is per_second))
    stall = median(sections.get("dump", {}), OURS, field("longest_stall_ms"))
    if stall is not None:
        text = "longest stall of another thread during a dump of 200 books, ms"
        found.append(Promise(text, stall, 50.0, at_least=False))
    return found


#: What, in which section, of whom, by whom, measured how, and its bound: the least of what is
#: a speed, the most of what is a cost.
_RATIOS: tuple[tuple[str, str, str, str, Measure, float], ...] = (
    ("throughput, of the official client's", "throughput", OURS, OFFICIAL, per_second, 4.0),
    ("throughput, of picows + msgspec", "throughput", OURS, PRACTICAL_LIMIT, per_second, 0.5),
    ("throughput over TLS, of the official client's", "tls", OURS, OFFICIAL, per_second, 4.0),
    (
        "dispatch to 1,000 streams of 10 tokens, of one stream's",
        "dispatch", "1000", "1", field("route_us"), 1.5,
    ),
    (
        "CPU with trades alone wanted, of everything's",
        "trades", "trades only", "everything", us_a_message, 1 / 3,
    ),
    ("latency, p50, of the official client's", "latency", OURS, OFFICIAL, field("p50_ms"), 1.0),
    ("latency, p99, of the official client's", "latency", OURS, OFFICIAL, field("p99_ms"), 1.0),
    (
        "resident memory while streaming, of the official client's",
        "latency", OURS, OFFICIAL, field("rss_mb"), 0.6,
    ),
    ("time of the import, of the official client's", "start", OURS, OFFICIAL,
     field("import_ms"), 0.1),
    (
        "from the start of a process to its first event, of the official client's",
        "start", OURS, OFFICIAL, field("first_event_ms"), 1 / 3,
    ),
)  # fmt: skip
