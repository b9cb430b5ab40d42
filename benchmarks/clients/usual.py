"""The usual way: a thread that runs WebSocketApp, a queue, json and cattrs."""

from __future__ import annotations

import json
import queue
import threading
from decimal import Decimal
from typing import Any

import cattrs
from websocket import WebSocketApp

from benchmarks.clients import Take
from benchmarks.clients.bare import (
    BestBidAsk,
    Book,
    LastTradePrice,
    PriceChange,
    first_frame,
)

_CLASSES = {
    "price_change": PriceChange,
    "book": Book,
    "last_trade_price": LastTradePrice,
    "best_bid_ask": BestBidAsk,
}


def run(url: str, ids: list[str], take: Take) -> dict[str, float]:
    """See the package."""
    converter = cattrs.Converter(detailed_validation=False)
    converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))
    texts: queue.Queue[str] = queue.Queue()

    def subscribe(app: Any) -> None:
        app.send(first_frame(ids))

    app = WebSocketApp(url, on_open=subscribe, on_message=lambda _, text: texts.put(text))
    thread = threading.Thread(target=app.run_forever, daemon=True)
    thread.start()
    ended = False
    while not ended:
        message = json.loads(texts.get())
        for wire in message if isinstance(message, list) else [message]:
            event: Any = converter.structure(wire, _CLASSES[wire["event_type"]])
            ended = take(event.market)
    app.close()
    thread.join(5)
    return {}
