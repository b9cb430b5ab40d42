"""A simulated exchange on loopback, with the manners of the live one, and with faults on demand.

``from polymarket_ws.simulator import Exchange`` needs the extra ``simulator``. The random market
itself (:mod:`polymarket_ws.simulator.venue`) is pure and needs nothing, and so are the faults
(:mod:`polymarket_ws.simulator.faults`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polymarket_ws.simulator.audit import Audit
    from polymarket_ws.simulator.exchange import Exchange
    from polymarket_ws.simulator.fault_plan import At
    from polymarket_ws.simulator.fault_script import read_faults
    from polymarket_ws.simulator.faults import (
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
        NoBooks,
        Oversized,
        Redirect,
        Refuse,
        SlowDown,
        Stall,
        Unknown,
        WrongHandshake,
    )
    from polymarket_ws.simulator.interference import Sent
    from polymarket_ws.simulator.playback import Recording
    from polymarket_ws.simulator.relay import Relay
    from polymarket_ws.simulator.script import ScriptedMarket

__all__ = [
    "At",
    "Audit",
    "BadFrame",
    "Close",
    "Cut",
    "Deaf",
    "DripHandshake",
    "Duplicate",
    "Exchange",
    "Freeze",
    "Garbage",
    "HalfOpen",
    "InvalidUtf8",
    "Latency",
    "Lose",
    "Mute",
    "NoAnswer",
    "NoBooks",
    "Oversized",
    "Recording",
    "Redirect",
    "Refuse",
    "Relay",
    "ScriptedMarket",
    "Sent",
    "SlowDown",
    "Stall",
    "Unknown",
    "WrongHandshake",
    "read_faults",
]

_HOMES = {
    "At": "fault_plan",
    "Audit": "audit",
    "Exchange": "exchange",
    "Recording": "playback",
    "Relay": "relay",
    "ScriptedMarket": "script",
    "Sent": "interference",
    "read_faults": "fault_script",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "faults")
    try:
        return getattr(importlib.import_module(f"polymarket_ws.simulator.{home}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "websockets":
            raise
        raise ModuleNotFoundError(
            "the simulated exchange needs the websockets package: "
            'pip install "polymarket-ws[simulator]"',
            name=error.name,
        ) from error
