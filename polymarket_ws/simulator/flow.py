"""What happens in one market by chance: orders, cancels and trades around a fair price.

Pure. Makers place, cancel and, now and then, pull or move several quotes at once, which opens the
spread; orders between bid and ask close it again. Takers buy below the fair price and sell above
it, more often the further away it is: so the market follows the fair price, which wanders.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import TYPE_CHECKING

from polymarket_ws.simulator import wire
from polymarket_ws.simulator.ledger import BUY, SELL, Ladder, mirrored
from polymarket_ws.simulator.manners import as_live
from polymarket_ws.simulator.wire import Message

if TYPE_CHECKING:
    from polymarket_ws.simulator.market import SimulatedMarket

__all__ = ["OrderFlow"]

# A side keeps at least this many levels, so that neither a trade nor a cancel empties it.
_THIN = 3
# And at most this many: opening books of about 2 kB, as the live ones of a usual market.
_DEEP = 20
# Prices stay clear of 0.04 and 0.96, where the live exchange changes the tick size.
_LOWEST, _HIGHEST = 80, 920
# The fair price stays further inside, so that both sides have room for their levels.
_LOWEST_FAIR, _HIGHEST_FAIR = 150, 850

# A move in twenty is news: at 25 moves a second, about five cents within a minute.
_NEWS = 0.05
_NEWS_THOUSANDTHS = 6.0
# Where a market that runs away ends up.
_RALLY = 960
# Spreads that the makers agree on, in ticks. Closing one takes the next few orders.
_WIDTHS = (1, 1, 1, 1, 2, 3, 5)
# How deep quotes are behind the best one, on average: two ticks, but so many thousandths at least.
_FINE_DEPTH = 12
# This far from the fair price (in thousandths) every taker is on the same side.
_PULL = 80


class OrderFlow:
    """The random traders of one market.

    Args:
        market: where they trade.
        rng: all they do by chance.
        fair: the fair price in thousandths of the first outcome.
    """

    def __init__(self, market: SimulatedMarket, rng: random.Random, fair: float) -> None:
        self._market = market
        self._rng = rng
        self.fair = fair
        #: Whether the fair price wanders by itself; that of a group's member does not.
        self.wanders = True
        self._width = 1
        self._lowest, self._highest = _LOWEST, _HIGHEST

    def ladders(self, middle: int) -> Iterable[tuple[str, int, int]]:
        """Yield side, price and size of a whole book around ``middle``."""
        tick = self._market.tick
        for side, sign in ((BUY, -1), (SELL, 1)):
            for distance in range(1, self._rng.randint(8, 14)):
                price = middle + sign * distance * tick
                if 0 < price < wire.ONE:
                    yield side, price, self._size()

    def rally(self, now_ms: int) -> list[Message]:
        """Let the market run to 0.97, as one does whose outcome is known, and stay there."""
        self.wanders = False
        self.fair, self._lowest, self._highest = 970, 900, 995
        ledger = self._market.ledger
        messages = self._clear(_RALLY, now_ms)
        messages += self._market.rework(
            [
                *((BUY, price, 0) for price in ledger.bids.prices),
                *((SELL, price, 0) for price in ledger.asks.prices),
                *self.ladders(_RALLY),
            ],
            now_ms,
        )
        best = ledger.asks.prices[-1]
        messages += self._market.trade(0, BUY, ledger.asks.size(best), now_ms)
        return messages

    def _clear(self, middle: int, now_ms: int) -> list[Message]:
        """Trade with what cannot be cancelled and would cross a book around ``middle``."""
        market = self._market
        messages: list[Message] = []
        for side in (BUY, SELL):
            makers = market.ledger.ladder(mirrored(side))
            crossing = [
                price
                for price in market.stakes.prices(makers.side)
                if (price <= middle if side == BUY else price >= middle)
            ]
            if crossing:
                limit = max(crossing) if side == BUY else min(crossing)
                reached = (p for p in makers.prices if (p <= limit) == (side == BUY) or p == limit)
                size = sum(map(makers.size, reached))
                messages += market.trade(0, side, size, now_ms)
        return messages

    def step(self, now_ms: int) -> list[Message]:
        """Do one random thing and return what the clients hear of it, in order."""
        rng = self._rng
        if self.wanders and rng.random() < _NEWS:
            news = self.fair + rng.gauss(0, _NEWS_THOUSANDTHS)
            self.fair = min(max(news, _LOWEST_FAIR), _HIGHEST_FAIR)
        outcome = rng.randrange(2)
        chance = rng.random()
        if chance < 0.08:
            messages = self._random_trade(outcome, now_ms)
        elif chance < 0.10:
            messages = self._pull(outcome, now_ms)
        elif chance < 0.11:
            messages = self._breathe(outcome, now_ms)
        elif chance < 0.36:
            messages = self._random_cancel(outcome, now_ms)
        else:
            messages = self._random_order(outcome, now_ms)
        return as_live(messages, rng)

    def _rising(self) -> bool:
        """Choose a direction: that of the fair price, the likelier the further away it is."""
        bid, ask = self._market.ledger.top(0)
        distance = self.fair - (bid + ask) / 2
        return self._rng.random() < 0.5 + distance / (2 * _PULL)

    def _random_order(self, outcome: int, now_ms: int) -> list[Message]:
        rng = self._rng
        market = self._market
        tick = market.tick
        yes_side = rng.choice((BUY, SELL))
        ladder = market.ledger.ladder(yes_side)
        distance = self._width * tick / 2 + rng.expovariate(1 / max(2 * tick, _FINE_DEPTH))
        price = self._quote(yes_side, distance)
        # Out of bounds or one level too many: the side is deep enough, so its far end goes.
        inside = self._lowest <= price <= self._highest
        full = len(ladder) >= _DEEP and not ladder.size(price)
        if len(ladder) > _THIN and (full or not inside):
            far = next((p for p in ladder.prices if market.others(ladder, p)), ladder.prices[0])
            return self._cancel_level(outcome, ladder, far, None, now_ms)
        bid, ask = market.ledger.top(0)
        crosses = price >= ask if yes_side == BUY else price <= bid
        side, price = _seen_from(outcome, yes_side, price)
        # Only where the account has taken everything up to the last price of the grid.
        send = market.submit if crosses else market.place
        return send(outcome, side, price, self._size(), now_ms)

    def _quote(self, yes_side: str, distance: float) -> int:
        """Return the price on the grid, so far from the fair one, that crosses nothing."""
        tick = self._market.tick
        bid, ask = self._market.ledger.top(0)
        if yes_side == BUY:
            price = min(int(self.fair - distance), ask - 1)
            return max(price - price % tick, tick)
        price = max(int(self.fair + distance) + 1, bid + 1)
        return min(price + -price % tick, wire.ONE - tick)

    def _random_cancel(self, outcome: int, now_ms: int) -> list[Message]:
        rng = self._rng
        ladder = self._market.ledger.ladder(rng.choice((BUY, SELL)))
        if len(ladder) <= _THIN:
            return self._random_order(outcome, now_ms)
        best = ladder.prices[-1]
        if best > self.fair if ladder.side == BUY else best < self.fair:
            # Who is on the wrong side of the news withdraws.
            return self._cancel_level(outcome, ladder, best, None, now_ms)
        price = rng.choice(ladder.prices)
        resting = self._market.others(ladder, price)
        part = None if rng.random() < 0.5 or resting < 200 else rng.randrange(100, resting)
        return self._cancel_level(outcome, ladder, price, part, now_ms)

    def _random_trade(self, outcome: int, now_ms: int) -> list[Message]:
        rng = self._rng
        market = self._market
        yes_side = BUY if self._rising() else SELL
        ladder = market.ledger.ladder(mirrored(yes_side))
        if len(ladder) <= _THIN:
            return self._random_order(outcome, now_ms)
        best = ladder.prices[-1]
        size = ladder.size(best)
        chance = rng.random()
        if chance < 0.5 and size > 200:
            size = rng.randrange(100, size)
        elif chance > 0.9:
            size += ladder.size(ladder.prices[-2])
        elif chance > 0.8 and self._lowest <= best <= self._highest and not best % market.tick:
            # A limit order larger than the level: what is left of it rests at its limit.
            side, price = _seen_from(outcome, yes_side, best)
            return market.submit(outcome, side, price, size + self._size(), now_ms)
        side = mirrored(yes_side) if outcome else yes_side
        return market.trade(outcome, side, size, now_ms)

    def _pull(self, outcome: int, now_ms: int) -> list[Message]:
        """Let a maker pull its best quotes, and perhaps place them elsewhere, in one burst."""
        rng = self._rng
        market = self._market
        ladder = market.ledger.ladder(rng.choice((BUY, SELL)))
        count = min(rng.randint(2, 4), len(ladder) - _THIN)
        if count < 1:
            return self._random_order(outcome, now_ms)
        away = -market.tick if ladder.side == BUY else market.tick
        pulled = ladder.prices[-count:]
        changes = [(ladder.side, price, 0) for price in pulled]
        room = _DEEP - len(ladder) + count
        if rng.random() < 0.5:
            for moved in [price + count * away for price in pulled][:room]:
                inside = self._lowest <= moved <= self._highest
                if inside and not moved % market.tick and moved not in pulled:
                    changes.append((ladder.side, moved, ladder.size(moved) + self._size()))
        return market.rework(changes, now_ms)

    def _breathe(self, outcome: int, now_ms: int) -> list[Message]:
        """Let the makers agree on another spread: a wider one opens in one burst."""
        self._width = self._rng.choice(_WIDTHS)
        ledger = self._market.ledger
        changes: list[tuple[str, int, int]] = []
        for ladder in (ledger.bids, ledger.asks):
            near = self._width * self._market.tick / 2
            inside = [price for price in ladder.prices[_THIN:] if abs(price - self.fair) < near]
            changes += [(ladder.side, price, 0) for price in inside]
        if not changes:
            return self._random_order(outcome, now_ms)
        return self._market.rework(changes, now_ms)

    def _cancel_level(
        self, outcome: int, ladder: Ladder, price: int, size: int | None, now_ms: int
    ) -> list[Message]:
        if not self._market.others(ladder, price):
            return []
        side, own = _seen_from(outcome, ladder.side, price)
        return self._market.cancel(outcome, side, own, size, now_ms)

    def _size(self) -> int:
        if self._rng.random() < 0.5:
            return self._rng.choice((500, 1000, 2500, 5000, 10000, 50000))
        return self._rng.randrange(500, 200000)


def _seen_from(outcome: int, yes_side: str, price: int) -> tuple[str, int]:
    return (mirrored(yes_side), wire.ONE - price) if outcome else (yes_side, price)
