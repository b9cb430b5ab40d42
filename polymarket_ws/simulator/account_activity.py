"""What an account does that trades by itself: it places, fills and cancels, by chance.

Pure. Small orders near the best prices, so that a screen shows each way that an order can go
within a minute: filled at once or in parts, killed, cancelled, refused by the chain.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from polymarket_ws.simulator import wire
from polymarket_ws.simulator.account import Account, OrderType
from polymarket_ws.simulator.ledger import BUY, SELL, mirrored
from polymarket_ws.simulator.market import SimulatedMarket
from polymarket_ws.simulator.wire import Message

__all__ = ["AccountActivity"]

_ORDER_TYPES: Final[tuple[OrderType, ...]] = ("GTC", "GTC", "FOK", "FAK")

# A screen of 24 lines shows so many orders.
_MOST_OPEN = 8
# One trade in twelve fails on the chain; live that is rare, but this is here to be seen.
_FAILURES = 1 / 12
# After a longer silence (a suspended machine) only the last moment is caught up on.
_LONGEST_MS = 1_000


class AccountActivity:
    """Trades for an account, at a rate.

    Args:
        account: whose orders they are.
        rng: every choice comes from here.
        rate: actions a second of the exchange's time.
        now_ms: Unix milliseconds; the first action is one interval later.
    """

    def __init__(self, account: Account, rng: random.Random, rate: float, now_ms: int) -> None:
        self._account = account
        self._rng = rng
        self._interval = 1000 / rate
        self._next = now_ms + self._interval

    def due(self, markets: Sequence[SimulatedMarket], now_ms: int) -> list[Message]:
        """Do what is due by now; return what the clients of the market channel hear."""
        messages: list[Message] = []
        self._next = max(self._next, now_ms - _LONGEST_MS)
        while self._next <= now_ms:
            self._next += self._interval
            messages += self._act([market for market in markets if market.moves], now_ms)
        return messages

    def _act(self, markets: Sequence[SimulatedMarket], now_ms: int) -> list[Message]:
        if not markets:
            return []
        rng = self._rng
        chance = rng.random()
        rests = self._account.open_orders
        if rests and (chance < 0.15 or len(rests) > _MOST_OPEN):
            return self._account.cancel(rng.choice(rests).id, now_ms)
        if rests and chance < 0.50:
            return self._meet(rng.choice(rests).id, now_ms)
        if rng.random() < _FAILURES:
            self._account.refuse_next(1)
        market, outcome = rng.choice(markets), rng.randrange(2)
        if chance < 0.70:
            return self._cross(market, outcome, now_ms)
        return self._rest(market, outcome, now_ms)

    def _rest(self, market: SimulatedMarket, outcome: int, now_ms: int) -> list[Message]:
        """Place an order at the best price or a little behind it."""
        side = self._rng.choice((BUY, SELL))
        best_bid, best_ask = market.ledger.top(outcome)
        behind = self._rng.randrange(3) * market.tick
        price = _on_grid(market, best_bid - behind if side == BUY else best_ask + behind)
        size = self._rng.randrange(5, 60) * 100
        return self._account.place(
            market, outcome, side=side, price=price, size=size, order_type="GTC", now_ms=now_ms
        )[1]

    def _cross(self, market: SimulatedMarket, outcome: int, now_ms: int) -> list[Message]:
        """Take the other side's best price, now and then for more than rests there."""
        side = self._rng.choice((BUY, SELL))
        best_bid, best_ask = market.ledger.top(outcome)
        price = _on_grid(market, best_ask if side == BUY else best_bid)
        size = self._rng.randrange(5, 40) * 100
        at_once = market.crossing(outcome, side, price, size)
        order_type = self._rng.choice(_ORDER_TYPES)
        if order_type != "FAK" and self._rng.random() < 0.3:
            size += at_once
        return self._account.place(
            market, outcome, side=side, price=price, size=size, order_type=order_type, now_ms=now_ms
        )[1]

    def _meet(self, order_id: str, now_ms: int) -> list[Message]:
        """Let somebody trade so far that an order is filled, in part or as a whole."""
        market, outcome = self._account.market_of(order_id)
        order = self._account.orders[order_id]
        side = mirrored(order.side)
        left = order.size - order.matched
        reached = market.crossing(outcome, side, order.price, 1_000_000_000)
        part = left if self._rng.random() < 0.5 else self._rng.randrange(left)
        return market.trade(outcome, side, max(reached - part, 1), now_ms)


def _on_grid(market: SimulatedMarket, price: int) -> int:
    tick = market.tick
    return min(max(price - price % tick, tick), wire.ONE - tick)
