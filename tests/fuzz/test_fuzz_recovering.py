"""What broken frames and broken answers of REST do to the recovery of the user channel.

Invariant: whatever comes, in whatever order the connection, the account and the clock allow,

* nothing is raised;
* no status of a trade is told twice, and what is told from REST says so;
* what is no order or trade is never held back;
* nothing is held back once the connection ended, the answer came or the time was up;
* what is remembered is bounded by what was named, and never more than ``MEMORY`` of a kind.
"""

from __future__ import annotations

import json
from collections import Counter

import attrs
import pytest

from polymarket_ws.conversion import structure
from polymarket_ws.errors import UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.user import Order, Trade
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.protocol.recovering import MEMORY, Account, Recovering, normalised_status
from polymarket_ws.protocol.session import Session
from polymarket_ws.spelling import parse_json
from tests.fuzz.bases import REST_ORDERS, REST_TRADES, USER
from tests.fuzz.mutations import Mutator

TIMEOUT = 10.0

#: Unix seconds at which it begins: shortly before what the texts tell of.
START = 1_791_128_000.0

#: Few, so that it is full now and then.
MOST_HELD = 40


class Machine:
    """A recovery with everything that may happen to it."""

    def __init__(self, seed: int) -> None:
        self.live = Mutator(USER.texts, seed)
        self.trades = Mutator(REST_TRADES, seed)
        self.orders = Mutator(REST_ORDERS, seed)
        self.random = self.live.random
        self.session = Session(USER.dialect, Liveness(), connection=1)
        self.session.want(USER.ids, frozenset((Order, Trade)), 0.0)
        self.recovering = Recovering(timeout=TIMEOUT, most_held=MOST_HELD, since=None)
        self.now = 0.0
        self.asked = False
        self.told: set[tuple[str, str]] = set()
        self.counts: Counter[str] = Counter()
        self.open()

    def open(self) -> None:
        received_at = START + self.now
        last = None if self.random.random() < 0.2 else received_at - self.random.randrange(100)
        self.recovering.opened(self.now, received_at, last)
        self.counts["opened"] += 1

    def tell(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, (Order, Trade)):
                self.counts["recovered" if event.recovered else "live"] += 1
            if isinstance(event, Trade):
                key = (event.id, normalised_status(event.status))
                assert key not in self.told
                self.told.add(key)

    def hear(self) -> None:
        text = self.live.text()
        received, _, _ = self.session.receive((text,), START + self.now)
        events = [self.scattered(event) for event in received]
        mine = [event for event in events if isinstance(event, (Order, Trade))]
        # Whatever the wire says: nobody fetched these.
        assert not any(event.recovered for event in mine)
        told = self.recovering.take(events, len(text))
        assert [e for e in told if e not in mine] == [e for e in events if e not in mine]
        self.tell(told)

    def scattered(self, event: Event) -> Event:
        """Return an event about another order or trade, for there are few in the texts."""
        if not isinstance(event, (Order, Trade)):
            return event
        return attrs.evolve(event, id=f"{event.id}-{self.random.randrange(500)}")

    def step(self) -> None:
        chance = self.random.random()
        self.now += self.random.choice((0.0, 0.01, 0.1, 1.0))
        if chance < 0.90:
            self.hear()
        elif chance < 0.92:
            self.tell(self.recovering.closed())
            assert self.recovering.holding_until is None
            self.open()
        elif self.asked and chance < 0.97:
            self.asked = False
            self.tell(self.recovering.answered(self.account(), self.now))
            self.counts["answered"] += 1
        elif self.asked and chance < 0.98:
            self.asked = False
            self.random.choice((self.recovering.failed, self.recovering.refused))(self.now)
        elif not self.asked:
            question = self.recovering.question(self.now)
            self.asked = question is not None
            assert question is None or question.after >= 0
        given_up = self.recovering.give_up(self.now)
        if given_up is not None:
            since, events = given_up
            assert since >= 0
            self.tell(events)
            self.counts["given up"] += 1
        assert not self.recovering.is_full
        if self.recovering.holding_until is None:
            assert self.recovering._held == []

    def account(self) -> Account:
        orders = self.made(Order, self.orders)
        ended = self.made(Order, self.orders)
        return Account(
            trades=self.made(Trade, self.trades),
            open_orders=orders,
            ended_orders=ended,
            missing_orders=tuple(self.recovering._open)[:2],
            is_complete=self.random.random() < 0.8,
        )

    def made(self, cls: type[Event], mutator: Mutator) -> tuple[Event, ...]:
        """Return what can be read of a few broken answers."""
        made = []
        for _ in range(self.random.randrange(4)):
            try:
                wire = parse_json(mutator.text().decode())
                event = structure(cls, wire if isinstance(wire, dict) else {})
                made.append(self.scattered(event))
            except (ValueError, RecursionError, UsageError):
                continue
        return tuple(made)


@pytest.mark.parametrize("seed", range(3))
def test_broken_frames_and_answers_never_break_the_recovery(seed: int) -> None:
    machine = Machine(seed)
    for _ in range(6_000):
        machine.step()
    counts = machine.counts
    assert min(counts[what] for what in ("live", "recovered", "answered", "given up")) > 10, counts
    memories = (machine.recovering._trades, machine.recovering._open, machine.recovering._ended)
    assert all(len(memory) <= MEMORY for memory in memories)


def test_answers_to_be_broken_are_sound() -> None:
    for cls, texts in ((Trade, REST_TRADES), (Order, REST_ORDERS)):
        assert len(texts) > 3
        assert all(structure(cls, json.loads(text)) for text in texts)
