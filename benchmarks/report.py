"""What was measured, as Markdown."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.clients import CLIENTS, OFFICIAL, OURS
from benchmarks.experiments import Samples
from benchmarks.mix import DESCRIPTION, SEED
from benchmarks.summary import (
    Measure,
    field,
    median,
    per_second,
    promises,
    spread,
    us_a_message,
)

__all__ = ["conditions", "markdown"]

_PACKAGES = (
    "polymarket-ws",
    "polymarket-client",
    "picows",
    "websockets",
    "websocket-client",
    "msgspec",
    "attrs",
    "cattrs",
    "pydantic",
)


def conditions(frames: int, rounds: int) -> dict[str, str]:
    """Return what a reader must know to compare: machine, versions, mix."""
    installed = {one.name.lower(): one.version for one in importlib.metadata.distributions()}
    versions = [f"{name} {installed[name]}" for name in _PACKAGES if name in installed]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.system()}, loopback",
        "python": python,
        "versions": ", ".join(versions),
        "mix": f"{DESCRIPTION}; seed {SEED}",
        "frames": f"{frames:,} a round, {rounds} interleaved rounds; medians",
        "other load at the begin": f"{os.getloadavg()[0]:.1f} processes",
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1].strip() if named else platform.machine()


def markdown(facts: Mapping[str, str], sections: Mapping[str, Samples]) -> str:
    """Return every table that the sections make."""
    blocks = ["\n".join(f"- {name}: {value}" for name, value in facts.items())]
    if "throughput" in sections:
        blocks.append("### Throughput")
        blocks.append("\n".join(_speeds(sections["throughput"])))
    if "tls" in sections:
        blocks.append("### Throughput over TLS")
        blocks.append("\n".join(_speeds(sections["tls"])))
    if "latency" in sections:
        blocks.append("### Latency and memory at a steady rate")
        blocks.append("\n".join(_latencies(sections["latency"])))
    for title, name, columns in _OTHERS:
        if name in sections:
            blocks.append(f"### {title}")
            blocks.append("\n".join(_table(_FIRST.get(name, ""), sections[name], columns)))
    kept = promises(sections)
    if kept:
        blocks.append("### What must be true")
        rows = [f"| {p.text} | {p.value:.2f} | {'at least' if p.at_least else 'at most'} "
                f"{p.limit:.3g} | {'yes' if p.kept else 'NO'} |" for p in kept]  # fmt: skip
        blocks.append("\n".join(["| | measured | wanted | |", "| --- | --- | --- | --- |", *rows]))
    return "\n\n".join(blocks) + "\n"


def _speeds(samples: Samples) -> Iterator[str]:
    official = median(samples, OFFICIAL, per_second)
    yield "| client | messages/s | lowest to highest | CPU a message | of the official client's |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name in (name for name in CLIENTS if name in samples):
        speed, cost = median(samples, name, per_second), median(samples, name, us_a_message)
        assert speed is not None
        low, high = spread(samples, name, per_second)
        times = f"{speed / official:.1f} x" if official else ""
        lost = sum(reading.get("dropped", 0) for reading in samples[name])
        note = f" ({lost:,.0f} dropped)" if lost else ""
        yield (
            f"| {_label(name)}{note} | {speed:,.0f} | {low:,.0f} to {high:,.0f} "
            f"| {cost:.1f} µs | {times} |"
        )


def _latencies(samples: Samples) -> Iterator[str]:
    yield "| client | p50 | p99 | CPU a message | resident memory |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name in (name for name in CLIENTS if name in samples):
        p50, p99, cost, memory = (
            median(samples, name, measure)
            for measure in (field("p50_ms"), field("p99_ms"), us_a_message, field("rss_mb"))
        )
        yield (
            f"| {_label(name)} | {p50:.2f} ms | {p99:.2f} ms | {cost:.0f} µs | {memory:.0f} MiB |"
        )


_Columns = Mapping[str, tuple[Measure, str]]

_OTHERS: tuple[tuple[str, str, _Columns], ...] = (
    (
        "Events that nobody asked for",
        "trades",
        {"CPU a frame": (us_a_message, "{:.1f} µs")},
    ),
    (
        "One rate over several connections",
        "sharding",
        {
            "CPU a message": (us_a_message, "{:.0f} µs"),
            "p50": (field("p50_ms"), "{:.2f} ms"),
            "p99": (field("p99_ms"), "{:.2f} ms"),
            "resident memory": (field("rss_mb"), "{:.0f} MiB"),
        },
    ),
    (
        "Dispatch: 10,000 tokens in so many streams",
        "dispatch",
        {
            "handing over, an event": (field("route_us"), "{:.2f} µs"),
            "reading, an event": (field("read_us"), "{:.2f} µs"),
        },
    ),
    (
        "Start",
        "start",
        {
            "import": (field("import_ms"), "{:.1f} ms"),
            "process start to first event": (field("first_event_ms"), "{:.0f} ms"),
        },
    ),
    (
        "Idle, connected",
        "idle",
        {
            "seconds": (field("seconds"), "{:.0f}"),
            "woken": (field("woken"), "{:.0f} times"),
            "CPU": (lambda reading: reading["cpu_seconds"] * 1000, "{:.1f} ms"),
        },
    ),
    (
        "A dump of 200 books of 100 levels in one array",
        "dump",
        {
            "longest stall of another thread": (field("longest_stall_ms"), "{:.0f} ms"),
            "before the dump": (field("usual_stall_ms"), "{:.0f} ms"),
            "peak memory": (field("peak_rss_mb"), "{:.0f} MiB"),
        },
    ),
)


#: What the first column is, where that is no client.
_FIRST = {"trades": "wanted", "sharding": "connections", "dispatch": "streams"}


def _table(first: str, samples: Samples, columns: _Columns) -> Iterator[str]:
    yield "| " + " | ".join([first or "client", *columns]) + " |"
    yield "| --- |" + " ---: |" * len(columns)
    for name in samples:
        cells = [shape.format(median(samples, name, take)) for take, shape in columns.values()]
        yield "| " + " | ".join([_label(name), *cells]) + " |"


def _label(name: str) -> str:
    label = CLIENTS[name].label if name in CLIENTS else name
    return f"**{label}**" if name == OURS else label
