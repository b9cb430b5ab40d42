"""One market: orders rest, match and are cancelled, and every move becomes messages.

Pure: chance comes from the ``random.Random`` that is passed in and time from the caller, so the
same seed and the same steps give the same messages. What moves a market at random is in
:mod:`polymarket_ws.simulator.flow`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal

import attrs

from polymarket_ws.book_hash import wire_text
from polymarket_ws.errors import UsageError
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.simulator import wire
from polymarket_ws.simulator.flow import OrderFlow
from polymarket_ws.simulator.ledger import BUY, SELL, Ladder, Ledger, mirrored
from polymarket_ws.simulator.stakes import Match, Stakes
from polymarket_ws.simulator.wire import Message

__all__ = ["SimulatedMarket"]

# Past these prices the live exchange makes the tick of a market finer.
_LOW_PRICE, _HIGH_PRICE = 40, 960
_COARSE, _FINE = 10, Decimal("0.001")

# Two bursts in one millisecond get two timestamps; this far ahead of the clock at most.
_LEAD_MS = 100

# A settlement empties this many levels in one message.
_SETTLED_LEVELS = 5

Change = tuple[Ladder, int, int]
"""A level: its ladder, its price in thousandths of the first outcome, its new size."""


class SimulatedMarket:
    """A market of two mirrored outcomes.

    Args:
        info: with two ``asset_ids``, ``tick_size`` and ``min_order_size``.
        rng: every choice of this market comes from here.
        now_ms: Unix milliseconds of the opening books.
        middle: where it opens, in thousandths; None chooses.
        number: its id in what Gamma and the custom events say.
    """

    def __init__(
        self,
        info: MarketInfo,
        rng: random.Random,
        now_ms: int,
        *,
        middle: int | None = None,
        number: int = 1,
    ) -> None:
        self.number = number
        #: Index of the outcome that came true; None before.
        self.winner: int | None = None
        #: Whether orders still come; not from the settlement on.
        self.moves = True
        #: The orders in it that belong to the exchange's account.
        self.stakes = Stakes()
        self._rng = rng
        if middle is None:
            middle = rng.randrange(300, 701, 10)
        self._ledger = Ledger(info, last_trade=middle)
        self.flow = OrderFlow(self, rng, middle)
        for side, price, size in self.flow.ladders(middle):
            self._ledger.ladder(side).set(price, size)
        self._ledger.seal(now_ms)

    @property
    def info(self) -> MarketInfo:
        """What it is at the moment."""
        return attrs.evolve(self._ledger.info, closed=self.winner is not None)

    @property
    def condition_id(self) -> str:
        """The condition id."""
        return self._ledger.info.condition_id

    @property
    def ledger(self) -> Ledger:
        """What rests at the moment."""
        return self._ledger

    @property
    def tick(self) -> int:
        """The smallest price step in thousandths."""
        return int((self._ledger.info.tick_size or 0) * wire.ONE)

    def others(self, ladder: Ladder, price: int) -> int:
        """Return how much of a level is not the account's, which nobody else can cancel."""
        return ladder.size(price) - self.stakes.owned(ladder.side, price)

    def step(self, now_ms: int) -> list[Message]:
        """Do one random thing and return what the clients hear of it, in order."""
        return self.flow.step(now_ms)

    # -- orders -------------------------------------------------------------------------

    def place(self, outcome: int, side: str, price: int, size: int, now_ms: int) -> list[Message]:
        """Let an order rest that crosses nothing.

        Args:
            outcome: 0 or 1, the index in ``info.asset_ids``.
            side: ``BUY`` or ``SELL``.
            price: in thousandths.
            size: in hundredths of a share.
            now_ms: Unix milliseconds.

        Raises:
            ValueError: the price is off the grid, or the order would trade.
        """
        self._check(price, size)
        best_bid, best_ask = self._ledger.top(outcome)
        if price >= best_ask if side == BUY else price <= best_bid:
            raise ValueError(f"a {side} at {price} thousandths trades with {best_bid}/{best_ask}")
        ladder, own = self._locate(outcome, side, price)
        changes = [(ladder, own, ladder.size(own) + size)]
        return [*self._changed(outcome, changes, now_ms), *self._stepped(now_ms)]

    def submit(self, outcome: int, side: str, price: int, size: int, now_ms: int) -> list[Message]:
        """Take a limit order: what crosses trades at the makers' prices, the rest rests.

        Args:
            outcome: 0 or 1, the index in ``info.asset_ids``.
            side: ``BUY`` or ``SELL``.
            price: the limit in thousandths.
            size: in hundredths of a share.
            now_ms: Unix milliseconds.

        Raises:
            ValueError: the price is off the grid.
        """
        self._check(price, size)
        own_ladder, own = self._locate(outcome, side, price)
        filled, changes = self._matched(outcome, side, size, own)
        if not filled:
            return self.place(outcome, side, price, size, now_ms)
        if filled < size:
            changes.append((own_ladder, own, own_ladder.size(own) + size - filled))
        return self._traded(outcome, side, filled, changes, now_ms)

    def crossing(self, outcome: int, side: str, price: int, size: int) -> int:
        """Return how much of an order like that would trade at once; as in ``submit``."""
        self._check(price, size)
        return self._matched(outcome, side, size, self._locate(outcome, side, price)[1])[0]

    def cancel(
        self, outcome: int, side: str, price: int, size: int | None, now_ms: int
    ) -> list[Message]:
        """Take ``size`` away from a level; None takes all of it.

        Raises:
            ValueError: less than that rests there.
        """
        ladder, own = self._locate(outcome, side, price)
        resting = self.others(ladder, own)
        taken = resting if size is None else size
        if not 0 < taken <= resting:
            raise ValueError(f"{resting} hundredths rest at {price}, {taken} cannot be cancelled")
        return self._changed(outcome, [(ladder, own, ladder.size(own) - taken)], now_ms)

    def trade(self, outcome: int, side: str, size: int, now_ms: int) -> list[Message]:
        """Let a taker buy or sell ``size`` hundredths of a share at the best prices.

        One trade is announced at the price of the first level it hits; the levels that it used
        up follow as changes of one burst, then both books.

        Raises:
            ValueError: less than that rests on the other side.
        """
        filled, changes = self._matched(outcome, side, size, None)
        if size <= 0 or filled < size:
            raise ValueError(f"no {size} hundredths of a share rest there to trade with")
        return self._traded(outcome, side, size, changes, now_ms)

    def trade_at(
        self, outcome: int, side: str, price: int, size: int, now_ms: int
    ) -> list[Message]:
        """Let ``size`` be traded at exactly ``price``, whatever rests.

        First the orders in the way are cancelled (better ones of the makers, and those that
        would cross the maker's), and what lacks at that price is placed by a maker: one burst,
        left out where all is well already. Then the taker comes.

        Raises:
            ValueError: the price is off the grid.
            UsageError: an order of the account is in the way.
        """
        self._check(price, size)
        makers, own = self._locate(outcome, mirrored(side), price)
        takers = self._ledger.ladder(mirrored(makers.side))
        changes = [(makers, better, 0) for better in makers.prices if _beats(makers, better, own)]
        changes += [
            (takers, crossing, 0)
            for crossing in takers.prices
            if crossing == own or _beats(takers, crossing, own)
        ]
        if any(self.stakes.owned(ladder.side, level) for ladder, level, _ in changes):
            raise UsageError("an order of the account is in the way of that trade: cancel it first")
        if makers.size(own) < size:
            changes.append((makers, own, size))
        messages = self._changed(outcome, changes, now_ms) if changes else []
        return messages + self.trade(outcome, side, size, now_ms)

    def rework(self, changes: Sequence[tuple[str, int, int]], now_ms: int) -> list[Message]:
        """Set several levels in one burst.

        Args:
            changes: side, price in thousandths and new size, of the first outcome. What goes
                comes before what is placed in its stead.
            now_ms: Unix milliseconds.

        Raises:
            ValueError: the bids would reach the asks.
        """
        after = {BUY: set(self._ledger.bids.prices), SELL: set(self._ledger.asks.prices)}
        owned = self.stakes.owned
        changes = [(side, price, max(size, owned(side, price))) for side, price, size in changes]
        for side, price, size in changes:
            if size:
                self._check(price, size)
                after[side].add(price)
            else:
                after[side].discard(price)
        if after[BUY] and after[SELL] and max(after[BUY]) >= min(after[SELL]):
            raise ValueError("no book can have its bids at or above its asks")
        located = [(self._ledger.ladder(side), price, size) for side, price, size in changes]
        messages = self._changed(0, located, now_ms) if located else []
        return [*messages, *self._stepped(now_ms)]

    # -- its life -----------------------------------------------------------------------

    def announce(self, now_ms: int) -> Message:
        """Return the ``new_market`` of this market."""
        info = self._ledger.info
        text = wire.new_market(
            number=self.number,
            question=info.question,
            market=info.condition_id,
            slug=info.slug,
            asset_ids=info.asset_ids,
            outcomes=info.outcomes,
            tick_size=wire_text(info.tick_size),
            timestamp=now_ms,
        )
        return Message(text, info.condition_id, custom=True, everybody=True)

    def change_tick_size(self, tick_size: Decimal, now_ms: int) -> list[Message]:
        """Make the price grid finer or coarser, and tell both tokens' subscribers."""
        info = self._ledger.info
        old = wire_text(info.tick_size)
        self._ledger.change_tick_size(tick_size)
        new, stamp = wire_text(tick_size), self._stamp(now_ms)
        return [
            Message(
                wire.tick_size_change(info.condition_id, asset_id, old, new, stamp),
                info.condition_id,
                asset_id,
            )
            for asset_id in info.asset_ids
        ]

    def settle(self, now_ms: int) -> list[Message]:
        """Take every order away, as the exchange does two minutes before a resolution."""
        self.moves = False
        if self.stakes.owner is not None:
            self.stakes.owner.dissolved(self, now_ms)
        self.stakes.clear()
        ladders = (self._ledger.bids, self._ledger.asks)
        changes = [(ladder, price, 0) for ladder in ladders for price in ladder.prices]
        return self._changed(0, changes, now_ms, per_message=_SETTLED_LEVELS) if changes else []

    def resolve(self, outcome: int, now_ms: int) -> list[Message]:
        """Close the market: whatever rests goes, and the outcome is told."""
        messages = self.settle(now_ms)
        self.winner = outcome
        info = self._ledger.info
        text = wire.market_resolved(
            number=self.number,
            market=info.condition_id,
            asset_ids=info.asset_ids,
            winning_asset_id=info.asset_ids[outcome],
            winning_outcome=info.outcomes[outcome],
            timestamp=self._stamp(now_ms),
        )
        return [*messages, Message(text, info.condition_id, custom=True, final=True)]

    # -- how it is told -----------------------------------------------------------------

    def _check(self, price: int, size: int) -> None:
        if not 0 < price < wire.ONE or price % self.tick or size <= 0:
            raise ValueError(f"no order can rest at {price} thousandths with size {size}")

    def _locate(self, outcome: int, side: str, price: int) -> tuple[Ladder, int]:
        if outcome:
            return self._ledger.ladder(mirrored(side)), wire.ONE - price
        return self._ledger.ladder(side), price

    def _stamp(self, now_ms: int) -> int:
        # A wall clock may be set back; the timestamps of one book never go back. And each burst
        # has one of its own, as far as that does not lead too far into the future.
        last = self._ledger.timestamp
        return max(now_ms, last + 1 if last - now_ms < _LEAD_MS else last)

    def _matched(
        self, outcome: int, side: str, size: int, limit: int | None
    ) -> tuple[int, list[Change]]:
        """Return how much finds a maker, and what is left of the makers' levels.

        ``limit`` is in thousandths of the first outcome; None takes any price.
        """
        makers, _ = self._locate(outcome, mirrored(side), 0)
        changes: list[Change] = []
        left = size
        for price in reversed(makers.prices):
            if left <= 0 or (limit is not None and _beats(makers, limit, price)):
                break
            used = min(left, makers.size(price))
            changes.append((makers, price, makers.size(price) - used))
            left -= used
        return size - left, changes

    def _traded(
        self, outcome: int, side: str, size: int, changes: Sequence[Change], now_ms: int
    ) -> list[Message]:
        info = self._ledger.info
        hit = wire.ONE - changes[0][1] if outcome else changes[0][1]
        transaction_hash = f"0x{self._rng.getrandbits(256):064x}"
        parts = tuple(
            part
            for ladder, level, left in changes
            if left < (resting := ladder.size(level))
            for part in self.stakes.take(ladder.side, level, resting - left, resting)
        )
        self._ledger.traded(hit)
        text = wire.last_trade_price(
            market=info.condition_id,
            asset_id=info.asset_ids[outcome],
            price=hit,
            size=size,
            side=side,
            timestamp=self._stamp(now_ms),
            transaction_hash=transaction_hash,
        )
        if self.stakes.owner is not None:
            match = Match(
                market=self,
                outcome=outcome,
                side=side,
                price=hit,
                size=size,
                parts=parts,
                transaction_hash=transaction_hash,
            )
            self.stakes.owner.matched(match, now_ms)
        announcement = Message(text, info.condition_id, info.asset_ids[outcome])
        messages = [announcement, *self._changed(outcome, changes, now_ms)]
        for index, asset_id in enumerate(info.asset_ids):
            book = self._ledger.post_trade(index)
            messages.append(Message(book, info.condition_id, asset_id))
        return [*messages, *self._stepped(now_ms, hit)]

    def _changed(
        self, first: int, changes: Sequence[Change], now_ms: int, *, per_message: int = 1
    ) -> list[Message]:
        """Apply one burst and return its messages; ``first`` is the outcome listed first."""
        ledger = self._ledger
        tops_before = (ledger.top(0), ledger.top(1))
        chunks = [
            (changes[start : start + per_message]) for start in range(0, len(changes), per_message)
        ]
        tops = []
        for chunk in chunks:
            for ladder, price, size in chunk:
                ladder.set(price, size)
                self.stakes.shrunk(ladder.side, price, size)
            tops.append((ledger.top(0), ledger.top(1)))
        if per_message > 1:
            # A settlement is told as one thing: 0 and 1 from its first message on.
            tops = [tops[-1]] * len(tops)
        # One hash for the whole burst: that of the book after its last change, as live.
        ledger.seal(self._stamp(now_ms))
        market = ledger.info.condition_id
        messages = []
        for outcome in (0, 1):
            if ledger.top(outcome) != tops_before[outcome]:
                asset_id = ledger.info.asset_ids[outcome]
                text = wire.best_bid_ask(market, asset_id, *ledger.top(outcome), ledger.timestamp)
                messages.append(Message(text, market, asset_id, custom=True))
        for chunk, top in zip(chunks, tops, strict=True):
            entries = tuple(self._entries(first, chunk, top))
            messages.append(Message(wire.price_change(market, entries, ledger.timestamp), market))
        return messages

    def _entries(
        self, first: int, chunk: Sequence[Change], top: Sequence[tuple[int, int]]
    ) -> Iterable[wire.Entry]:
        for ladder, price, size in chunk:
            for outcome in (first, 1 - first):
                yield wire.Entry(
                    self._ledger.info.asset_ids[outcome],
                    wire.price_text(wire.ONE - price if outcome else price),
                    wire.size_text(size),
                    mirrored(ladder.side) if outcome else ladder.side,
                    self._ledger.hashes[outcome],
                    wire.price_text(top[outcome][0]),
                    wire.price_text(top[outcome][1]),
                )

    def _stepped(self, now_ms: int, traded: int | None = None) -> list[Message]:
        """Make the tick finer once the price is near 0 or 1; of four live ones two came twice."""
        if self.tick != _COARSE:
            return []
        bid, ask = self._ledger.bids.best, self._ledger.asks.best
        prices = [] if traded is None else [traded]
        if bid is not None and ask is not None:
            prices.append((bid + ask) // 2)
        if all(_LOW_PRICE <= price <= _HIGH_PRICE for price in prices):
            return []
        messages = self.change_tick_size(_FINE, now_ms)
        return messages * 2 if self._rng.random() < 0.5 else messages


def _beats(ladder: Ladder, price: int, other: int) -> bool:
    """Return whether ``price`` is nearer to the middle than ``other``, on that side."""
    return price > other if ladder.side == BUY else price < other
