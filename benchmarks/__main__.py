"""``python -m benchmarks``: everything side by side, a table, a chart."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import experiments
from benchmarks.chart import svg
from benchmarks.clients import CLIENTS, OFFICIAL, OURS
from benchmarks.experiments import Samples
from benchmarks.report import conditions, markdown

#: Below this line a page is made, above it somebody wrote it.
_MARK = "% What follows was made by python -m benchmarks --page\n"


def main() -> None:
    """Measure what was asked for and print it."""
    arguments = _arguments()
    names = [name for name in arguments.clients if not _is_missing(name)]
    duel = [name for name in (OURS, OFFICIAL) if name in names]
    frames, rounds, seconds = arguments.frames, arguments.rounds, arguments.seconds
    steady = {"rate": 1_000, "seconds": seconds, "rounds": rounds}
    sections: dict[str, Callable[[], Samples]] = {
        "throughput": lambda: experiments.throughput(names, frames=frames, rounds=rounds),
        "tls": lambda: experiments.throughput(names, frames=frames, rounds=rounds, tls=True),
        "latency": lambda: experiments.latency(names, **steady),
        "trades": lambda: experiments.trades_only(frames=frames, rounds=rounds),
        "sharding": lambda: experiments.sharding(**{**steady, "rate": 5_000}),
        "dispatch": lambda: experiments.dispatch(rounds=rounds),
        "start": lambda: experiments.start(duel, rounds=2 * rounds),
        "idle": lambda: experiments.idle(duel, seconds=30),
        "dump": lambda: experiments.dump(duel, rounds=rounds),
    }
    facts = conditions(frames, rounds)
    measured: dict[str, Samples] = {}
    for section in arguments.only or sections:
        print(section, file=sys.stderr, flush=True)
        measured[section] = sections[section]()
    report = markdown(facts, measured)
    print(report)
    if arguments.output is not None:
        arguments.output.mkdir(parents=True, exist_ok=True)
        everything = json.dumps({"conditions": facts, "samples": measured}, indent=1)
        (arguments.output / "benchmarks.json").write_text(everything, encoding="utf-8")
        (arguments.output / "benchmarks.md").write_text(report, encoding="utf-8")
        (arguments.output / "benchmarks.svg").write_text(svg(measured), encoding="utf-8")
    if arguments.page is not None:
        _renew(arguments.page, report, svg(measured))


def _renew(page: Path, report: str, chart: str) -> None:
    """Replace what a page tells below its mark, and the chart beside it."""
    told, mark, _ = page.read_text(encoding="utf-8").partition(_MARK)
    if not mark:
        sys.exit(f"{page} has no line {_MARK.strip()}")
    page.write_text(f"{told}{mark}\n{report}", encoding="utf-8")
    page.with_suffix(".svg").write_text(chart, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, help="all by default")
    parser.add_argument("--only", nargs="+", metavar="SECTION", help="one or more of the sections")
    parser.add_argument("--frames", type=int, default=200_000, help="in each blast")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each steady stream")
    parser.add_argument("--output", type=Path, help="folder for the report and the chart")
    parser.add_argument("--page", type=Path, help="page to renew, docs/explanation/benchmarks.md")
    parser.add_argument(
        "--quick", action="store_true", help="500 frames of our client: does it still run?"
    )
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.clients = arguments.clients or [OURS]
        arguments.only = arguments.only or ["throughput"]
        arguments.frames, arguments.rounds, arguments.seconds = 500, 1, 1
    arguments.clients = arguments.clients or list(CLIENTS)
    return arguments


def _is_missing(name: str) -> bool:
    peer = CLIENTS[name]
    if peer.missing:
        print(f"{peer.label} is left out: pip install {peer.install}", file=sys.stderr)
    return peer.missing


if __name__ == "__main__":
    main()
