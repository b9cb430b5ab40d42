"""Hours of faults in minutes: nothing may be lost without a word, and nothing may grow.

``python -m benchmarks.soak --minutes 10`` runs a simulated exchange at a steady rate, breaks
something every few seconds, and holds two consumers of one client to account: a fast one, event
by event, and a slow one, whose ``Dropped`` must add up. It ends with a table, and with exit
code 1 if anything is unexplained.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import resource
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from polymarket_ws import (
    Backoff,
    Client,
    ClientClosed,
    Connected,
    Delivery,
    Disconnected,
    Dropped,
    Endpoints,
    Lifecycle,
    Liveness,
    Market,
    __version__,
)
from polymarket_ws.simulator import (
    Audit,
    BadFrame,
    Close,
    Cut,
    Deaf,
    DripHandshake,
    Duplicate,
    Exchange,
    Freeze,
    Garbage,
    HalfOpen,
    InvalidUtf8,
    Latency,
    Mute,
    NoAnswer,
    Oversized,
    Redirect,
    Refuse,
    Stall,
    Unknown,
    WrongHandshake,
)
from polymarket_ws.simulator.background import keep_pace
from polymarket_ws.simulator.faults import Fault, HandshakeFault, LastingFault

#: Long enough that a busy machine is not taken for a mute socket.
SILENCE_SECONDS = 3.0

#: How long a fault that lasts is in force: longer than the watchdog's limit.
LASTING_SECONDS = 4.0

#: Everything has settled long before; an end that takes longer is a finding.
SETTLE_SECONDS = 30.0


def faults(asset_id: str) -> list[Fault]:
    """Return one of each fault whose loss is declared or none."""
    return [
        BadFrame(),
        Close(1000, "all subscribed assets resolved"),
        Close(1001),
        Close(1011, "oops"),
        Cut("fin"),
        Cut("half_frame"),
        Cut("reset"),
        Deaf(),
        DripHandshake(0.002),
        Duplicate(),
        Freeze(asset_id),
        Garbage(),
        HalfOpen(),
        InvalidUtf8(),
        Latency(0.2),
        Mute(),
        NoAnswer(),
        Oversized(),
        Redirect("ws://127.0.0.1:1/"),
        Refuse(429, retry_after=1.0),
        Refuse(502),
        Stall(),
        Unknown(),
        WrongHandshake(),
    ]


def inject(exchange: Exchange, fault: Fault) -> None:
    """Break something; what concerns upgrades is followed by the loss of the connections."""
    if isinstance(fault, HandshakeFault):
        exchange.inject(fault, lasting=LASTING_SECONDS / 2)
        exchange.drop("reset")
    elif isinstance(fault, LastingFault):
        exchange.inject(fault, lasting=LASTING_SECONDS)
    else:
        exchange.inject(fault)


class Mover:
    """Lets the market move at a rate, until it is stopped."""

    def __init__(self, exchange: Exchange, rate: float) -> None:
        self.moved = 0
        self._exchange = exchange
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=keep_pace, args=(self._move, rate, self._stop), daemon=True
        )
        self._thread.start()

    def _move(self, due: int) -> int:
        moved = 0
        while moved < due and not self._stop.is_set():
            moved += self._exchange.step()
        self.moved += moved
        return max(moved, 1)

    def stop(self) -> None:
        """End it, and wait until nothing more is sent."""
        self._stop.set()
        self._thread.join(SETTLE_SECONDS)


class Reader:
    """Reads a stream on a thread of its own and counts what it is given."""

    def __init__(self, stream: Any, *, audit: Audit | None = None, per_second: float = 0.0) -> None:
        self.stream = stream
        self.data = self.dropped = self.disconnects = self.reconnects = 0
        self.longest_gap = 0.0
        self._audit = audit
        self._interval = 1.0 / per_second if per_second else 0.0
        self._hurried = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for event in self.stream.all():
                if self._audit is not None:
                    self._audit.received(event)
                if isinstance(event, Dropped):
                    self.dropped += event.count
                elif isinstance(event, Disconnected):
                    self.disconnects += 1
                elif isinstance(event, Connected):
                    self.reconnects += event.epoch > 1
                    self.longest_gap = max(self.longest_gap, event.gap_seconds)
                elif not isinstance(event, Lifecycle):
                    self.data += 1
                if self._interval:
                    self._hurried.wait(self._interval)
        except ClientClosed:
            return

    @property
    def odd(self) -> int:
        """How many events it was given that nobody could read."""
        stats = self.stream.stats
        return int(stats.decode_failures + stats.unknown_events)

    def hurry(self) -> None:
        """Read on as fast as it can."""
        self._interval = 0.0
        self._hurried.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the thread; False if it has not come."""
        self._thread.join(timeout)
        return not self._thread.is_alive()


@attrs.frozen
class Sample:
    """The process at one moment."""

    seconds: float
    rss: float
    threads: int
    descriptors: int


def sample(began: float) -> Sample:
    """Return a reading; resident memory in MB."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        rss = int(pages) * resource.getpagesize() / 1e6
        descriptors = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except FileNotFoundError:
        # Elsewhere the peak is all that can be had.
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        descriptors = 0
    return Sample(time.monotonic() - began, rss, threading.active_count(), descriptors)


@attrs.frozen(kw_only=True)
class Findings:
    """What a run showed."""

    minutes: float
    rate: float
    seed: int
    injected: dict[str, int]
    moved: int
    account: Any
    fast: Reader
    slow: Reader
    samples: list[Sample]
    settled: bool
    left_behind: list[str]

    @property
    def unexplained(self) -> int:
        """Events that nothing accounts for: lost or made up, in either stream."""
        fast = self.account.lost + self.account.strange + self.account.waiting
        slow = self.slow.data + self.slow.dropped + self.slow.odd
        return int(fast + abs(slow - self.fast.data - self.fast.odd - self.fast.dropped))

    @property
    def is_good(self) -> bool:
        """Whether the promise was kept."""
        return self.settled and not self.unexplained and not self.left_behind


def run(minutes: float, rate: float, every: float, seed: int) -> Findings:
    """Break things for so many minutes, and return what came of it."""
    chance = random.Random(seed)
    audit = Audit()
    injected: dict[str, int] = {}
    before = set(threading.enumerate())
    exchange = Exchange(rate=None, markets=40, tap=audit.sent)
    with exchange:
        client = Client(
            endpoints=Endpoints.at(exchange.url),
            backoff=Backoff(initial=0.1, maximum=2.0),
            liveness=Liveness(socket=SILENCE_SECONDS),
            connect_timeout=SILENCE_SECONDS,
        )
        with client:
            wish = Market(*exchange.markets)
            fast = Reader(client.subscribe(wish), audit=audit)
            small = Delivery(max_events=2_000)
            slow = Reader(client.subscribe(wish, delivery=small), per_second=rate / 10)
            # Before anything moves: then both are meant for the same events.
            await_books(fast, slow)
            mover = Mover(exchange, rate)
            began = time.monotonic()
            samples = [sample(began)]
            pause = threading.Event()
            for due in _moments(every, minutes * 60):
                pause.wait(max(0.0, began + due - time.monotonic()))
                fault = chance.choice(faults(chance.choice(fast.stream.asset_ids)))
                injected[type(fault).__name__] = injected.get(type(fault).__name__, 0) + 1
                inject(exchange, fault)
                samples.append(sample(began))
            pause.wait(max(0.0, began + minutes * 60 - time.monotonic()))
            exchange.heal()
            client.wait_connected(SETTLE_SECONDS)
            # From here on nothing is sent, and the connection stays.
            mover.stop()
            settled = settle(audit, fast, slow)
            samples.append(sample(began))
            account = audit.account()
        ended = fast.join(5.0) and slow.join(5.0)
    left = [t.name for t in threading.enumerate() if t not in before and t.is_alive()]
    return Findings(
        minutes=minutes,
        rate=rate,
        seed=seed,
        injected=injected,
        moved=mover.moved,
        account=account,
        fast=fast,
        slow=slow,
        samples=samples,
        settled=settled and ended,
        left_behind=left,
    )


def _moments(every: float, seconds: float) -> Iterator[float]:
    due = every
    while due < seconds:
        yield due
        due += every


def await_books(*readers: Reader) -> None:
    """Wait until each has the opening book of every asset."""
    deadline = time.monotonic() + SETTLE_SECONDS
    pause = threading.Event()
    while any(reader.data < len(reader.stream.asset_ids) for reader in readers):
        if time.monotonic() > deadline:
            raise TimeoutError("the opening books did not come")
        pause.wait(0.01)


def settle(audit: Audit, fast: Reader, slow: Reader) -> bool:
    """Wait until everything that was sent has its place; False if it has not in time."""
    slow.hurry()
    deadline = time.monotonic() + SETTLE_SECONDS
    pause = threading.Event()
    while time.monotonic() < deadline:
        done = slow.data + slow.dropped + slow.odd >= fast.data + fast.dropped + fast.odd
        if done and audit.account().waiting == 0:
            return True
        pause.wait(0.05)
    return False


def table(found: Findings) -> str:
    """Return the findings as text."""
    account, fast, slow = found.account, found.fast, found.slow
    first, last = found.samples[0], found.samples[-1]
    seconds = max(last.seconds, 1e-9)
    faults_injected = ", ".join(f"{n} {name}" for name, n in sorted(found.injected.items()))
    rows = [
        ("machine", f"{platform.machine()}, {os.cpu_count()} cores"),
        ("Python, polymarket_ws", f"{platform.python_version()}, {__version__}"),
        ("minutes, seed", f"{found.minutes:g}, {found.seed}"),
        ("messages a second", f"{found.moved / seconds:,.0f} of {found.rate:,.0f} wanted"),
        ("faults", f"{sum(found.injected.values())}: {faults_injected}"),
        ("", ""),
        ("sent", f"{account.sent:,}"),
        ("delivered", f"{account.delivered:,}"),
        ("declared lost, in gaps", f"{account.in_gaps:,}"),
        ("declared lost, dropped", f"{account.dropped:,}"),
        ("unexplained", f"{found.unexplained:,}"),
        ("slow consumer: delivered", f"{slow.data:,}"),
        ("slow consumer: dropped", f"{slow.dropped:,}"),
        ("reconnects", f"{fast.reconnects:,}"),
        ("longest gap", f"{fast.longest_gap:.1f} s"),
        ("unreadable or unknown, told", f"{fast.odd:,}"),
        ("", ""),
        ("settled in time", "yes" if found.settled else "NO"),
        ("threads left behind", ", ".join(found.left_behind) or "none"),
    ]
    lines = [f"{name:<30} {value}".rstrip() for name, value in rows]
    lines += ["", f"{'after':>8} {'RSS':>9} {'threads':>8} {'descriptors':>12}"]
    step = max(1, len(found.samples) // 12)
    shown = [*found.samples[:-1:step], last]
    for item in shown:
        when = f"{item.seconds:.0f} s"
        lines.append(f"{when:>8} {item.rss:>6.1f} MB {item.threads:>8} {item.descriptors:>12}")
    if account.first is not None:
        lines += ["", f"first finding: {account.first}"]
    lines += ["", f"RSS grew by {last.rss - first.rss:.1f} MB"]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description="Break things, and account for everything."
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (1)")
    parser.add_argument("--rate", type=float, default=2000.0, help="messages a second (2000)")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between faults (5)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (1)")
    options = parser.parse_args(arguments)
    found = run(options.minutes, options.rate, options.every, options.seed)
    sys.stdout.write(table(found) + "\n")
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
