"""Filling and emptying mailboxes in tests."""

from __future__ import annotations

import sys
from decimal import Decimal

from polymarket_ws.delivery import Mailbox
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Dropped
from polymarket_ws.events.market import LastTradePrice
from polymarket_ws.transport.deadline import Deadline

NOW = Deadline(0)


def trade(number: int) -> LastTradePrice:
    return LastTradePrice(
        market="m", asset_id="1", price=Decimal(1), size=Decimal(number), side="BUY"
    )


def trades(*numbers: int) -> list[Event]:
    return [trade(number) for number in numbers]


def put(mailbox: Mailbox, *numbers: int, size: int = 1) -> int:
    """Put trades, and relieve the budget as a router does. Returns how many were dropped."""
    dropped = mailbox.put(trades(*numbers), [size] * len(numbers))
    return dropped if mailbox.budget is None else dropped + mailbox.budget.relieve()


def take(mailbox: Mailbox, most: int = sys.maxsize) -> list[Event]:
    """Return up to ``most`` events that are there now."""
    taken: list[Event] = []
    while len(taken) < most:
        try:
            hand = mailbox.refill(NOW)
        except TimeoutError:
            break
        if hand is None:
            break
        taken.append(hand.events[hand.position])
        hand.position += 1
    return taken


def balance(mailbox: Mailbox) -> None:
    """Check that every event that was put is in exactly one place."""
    reading = mailbox.reading()
    read = sum(reading.read.values()) - reading.read[Dropped]
    elsewhere = reading.waiting + reading.dropped + reading.merged + reading.discarded
    assert reading.received == read + elsewhere
