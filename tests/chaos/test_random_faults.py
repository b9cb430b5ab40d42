"""Faults in any order and mixture: every message has its place, and nothing is left behind."""

from __future__ import annotations

import random
import threading

import pytest

from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.simulator import (
    BadFrame,
    Close,
    Cut,
    Deaf,
    DripHandshake,
    Duplicate,
    Freeze,
    Garbage,
    HalfOpen,
    InvalidUtf8,
    Latency,
    Lose,
    Mute,
    NoAnswer,
    Oversized,
    Redirect,
    Refuse,
    SlowDown,
    Stall,
    Unknown,
    WrongHandshake,
)
from polymarket_ws.simulator.faults import Fault, HandshakeFault, LastingFault
from tests.chaos.arena import SILENCE, Arena, arena
from tests.conftest import scaled


def faults(asset_id: str) -> list[Fault]:
    return [
        BadFrame(),
        Close(1000, "all subscribed assets resolved"),
        Close(1001),
        Close(1011),
        Close(4003),
        Cut("fin"),
        Cut("half_frame"),
        Cut("half_frame", then="fin"),
        Cut("reset"),
        Deaf(),
        DripHandshake(0.002),
        Duplicate(),
        Freeze(asset_id),
        Garbage(),
        HalfOpen(),
        InvalidUtf8(),
        Latency(0.1),
        Lose(("last_trade_price",)),
        Mute(),
        NoAnswer(),
        Oversized(),
        Redirect("ws://127.0.0.1:1/"),
        Refuse(429, retry_after=0.2),
        Refuse(502),
        SlowDown(100_000),
        Stall(),
        Unknown(),
        WrongHandshake(),
    ]


def torment(field: Arena, chance: random.Random, count: int) -> None:
    """Inject so many faults, one or several at a time, and let the client live with them."""
    pause = threading.Event()
    for _ in range(count):
        fault = chance.choice(faults(chance.choice(field.fast.stream.asset_ids)))
        connections = field.exchange.connections
        one = chance.choice(connections).number if connections and chance.random() < 0.5 else None
        if isinstance(fault, HandshakeFault):
            field.exchange.inject(fault, lasting=SILENCE)
            field.exchange.drop(chance.choice(["reset", "fin"]))
        elif isinstance(fault, LastingFault):
            if any(item.number == one for item in field.exchange.connections):
                field.exchange.inject(fault, one, lasting=SILENCE * chance.uniform(0.5, 3.0))
            else:
                field.exchange.inject(fault, lasting=SILENCE)
        else:
            field.exchange.inject(fault)
        pause.wait(chance.uniform(0.0, 0.3))


@pytest.mark.parametrize("seed", range(3))
def test_every_message_has_its_place(seed: int) -> None:
    chance = random.Random(seed)
    with arena(liveness=Liveness(socket=SILENCE)) as field:
        torment(field, chance, 12)
        field.settle()


@pytest.mark.parametrize("seed", range(2))
def test_every_message_has_its_place_on_many_connections(seed: int) -> None:
    chance = random.Random(seed)
    limits = Liveness(socket=SILENCE)
    with arena(markets=20, assets_per_connection=9, liveness=limits) as field:
        assert len(field.exchange.connections) >= 4
        torment(field, chance, 10)
        field.settle()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(100, 130))
def test_every_message_has_its_place_in_a_long_run(seed: int) -> None:
    chance = random.Random(seed)
    size = chance.choice([7, 20, 200])
    limits = Liveness(socket=SILENCE, first_book=scaled(30.0))
    with arena(markets=20, assets_per_connection=size, liveness=limits) as field:
        torment(field, chance, 60)
        field.settle()
