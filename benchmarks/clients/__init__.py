"""One module a client, each with ``run(url, ids, take)``.

``run`` subscribes to ``ids`` at ``url``, calls ``take(event.market)`` for each event and
returns when that says True. What it returns goes into the result.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping

import attrs

__all__ = ["CLIENTS", "OFFICIAL", "OURS", "PRACTICAL_LIMIT", "Peer", "Run", "Take"]

Take = Callable[[str], bool]
Run = Callable[[str, list[str], Take], dict[str, float]]

OURS = "ours"
OFFICIAL = "official"
PRACTICAL_LIMIT = "picows"


@attrs.frozen
class Peer:
    """A client to measure.

    Attributes:
        label: what the table calls it.
        package: the module that must be importable.
        install: what ``pip install`` takes.
    """

    label: str
    package: str
    install: str

    @property
    def missing(self) -> bool:
        """Whether it is not installed."""
        return importlib.util.find_spec(self.package) is None


CLIENTS: Mapping[str, Peer] = {
    "usual": Peer(
        "thread + queue + json + cattrs on WebSocketApp", "websocket", "websocket-client"
    ),
    OFFICIAL: Peer("official polymarket-client", "polymarket", "polymarket-client==0.14.0"),
    "websocket_client": Peer("websocket-client + msgspec", "websocket", "websocket-client"),
    "websockets_sync": Peer("websockets.sync + msgspec", "websockets", "websockets"),
    "prototype": Peer("bare prototype: large reads + msgspec", "msgspec", "msgspec"),
    OURS: Peer("polymarket-ws", "polymarket_ws", "polymarket-ws"),
    PRACTICAL_LIMIT: Peer("picows (C event loop) + msgspec", "picows", "picows"),
}
