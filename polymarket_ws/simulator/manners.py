"""What the live exchange does to the messages of one move before they are sent.

Pure. None of it changes what a careful reader ends up with: sizes are absolute, and nothing
promises an order between kinds of messages.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from polymarket_ws.simulator.wire import Message

__all__ = ["as_live"]

# Of the fills in the captures about a quarter was announced after their changes.
_TRADE_LAST = 0.25
# "Not guaranteed": 4 of 40 tokens lacked them in three minutes.
_SUMMARY_MISSING = 0.1
# 60 repeated ones in three busy minutes, about one in a hundred changes.
_REPEATED = 0.01


def as_live(messages: Sequence[Message], rng: random.Random) -> list[Message]:
    """Return the messages of one move as the live exchange would send them.

    A trade is announced before or after the changes and books that it causes, a
    ``best_bid_ask`` may be missing, and a ``price_change`` may come twice, the second time with
    its entries in the other order or not.
    """
    trades = [message for message in messages if _is(message, "last_trade_price")]
    late = bool(trades) and rng.random() < _TRADE_LAST
    sent: list[Message] = []
    for message in messages:
        if late and message in trades:
            continue
        if _is(message, "best_bid_ask") and rng.random() < _SUMMARY_MISSING:
            continue
        sent.append(message)
        if _is(message, "price_change") and rng.random() < _REPEATED:
            sent.append(_reversed(message) if rng.random() < 0.5 else message)
    return [*sent, *trades] if late else sent


def _is(message: Message, kind: str) -> bool:
    return f'"event_type":"{kind}"' in message.text


def _reversed(message: Message) -> Message:
    value = json.loads(message.text)
    value["price_changes"].reverse()
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Message(text, message.market)
