"""A simulated exchange on loopback, with the manners of the live one.

``from polymarket_ws.simulator import Exchange`` needs the extra ``simulator``. The random market
itself (:mod:`polymarket_ws.simulator.venue`) is pure and needs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polymarket_ws.simulator.exchange import Exchange
    from polymarket_ws.simulator.playback import Recording
    from polymarket_ws.simulator.script import ScriptedMarket

__all__ = ["Exchange", "Recording", "ScriptedMarket"]


def __getattr__(name: str) -> Any:
    if name == "Recording":
        from polymarket_ws.simulator.playback import Recording

        return Recording
    if name in ("Exchange", "ScriptedMarket"):
        try:
            from polymarket_ws.simulator.exchange import Exchange
            from polymarket_ws.simulator.script import ScriptedMarket
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "websockets":
                raise
            raise ModuleNotFoundError(
                "the simulated exchange needs the websockets package: "
                'pip install "polymarket-ws[simulator]"',
                name=error.name,
            ) from error
        return Exchange if name == "Exchange" else ScriptedMarket
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
