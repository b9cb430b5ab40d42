"""A market in the hands of a test: what happens on it is what the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import attrs

from polymarket_ws.errors import UsageError
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.simulator import wire
from polymarket_ws.simulator.arguments import hundredths, on_grid, order_side, thousandths
from polymarket_ws.simulator.client_session import Drop
from polymarket_ws.simulator.ledger import BUY, SELL, mirrored
from polymarket_ws.simulator.market import SimulatedMarket
from polymarket_ws.simulator.wire import Message

__all__ = ["ScriptedMarket", "Stage"]

_TICK_SIZES = ("0.1", "0.01", "0.001")


@attrs.frozen(kw_only=True)
class Stage:
    """What an exchange lends to a script.

    Attributes:
        lock: held while the market is looked at.
        act: called with a move; does it at the exchange's time and publishes what came of it.
        cut: called with a condition id and a way; ends the connections subscribed to it.
    """

    lock: AbstractContextManager[Any]
    act: Callable[[Callable[[int], list[Message]]], object]
    cut: Callable[[str, Drop], None]


class ScriptedMarket:
    """One market of an exchange, to be moved by a script. See ``Exchange.market``.

    ::

        with Exchange(rate=None) as exchange:
            market = exchange.market()
            market.set_book("Yes", bids=[("0.58", 200)], asks=[("0.62", 100)])
            market.place("Yes", "BUY", "0.60", 50)
            market.trade("Yes", "BUY", "0.62", 100)
            market.resolve("Yes")

    Subscribers hear of each call as of the live exchange, before it returns at the latest
    queued for them. All methods may be called from any thread. Outcomes are named as in
    ``info.outcomes`` in any case, by a token id, or by 0 and 1. Prices are text or ``Decimal``
    on the market's price grid; sizes are shares, in hundredths at the finest.

    Beside a script the random market goes on: give the exchange ``rate=None`` where nothing else
    should happen.

    Raises:
        UsageError: from every method, for an argument that makes no sense or cannot be done,
            and once the market is settled.
    """

    def __init__(self, market: SimulatedMarket, stage: Stage) -> None:
        self._market = market
        self._stage = stage

    # -- looking ------------------------------------------------------------------------

    @property
    def info(self) -> MarketInfo:
        """What the market is at the moment."""
        with self._stage.lock:
            return self._market.info

    def best_bid(self, outcome: str | int) -> Decimal | None:
        """Return the highest bid; None when there is none."""
        index = self._outcome(outcome)
        with self._stage.lock:
            price = self._market.ledger.top(index)[0]
        return Decimal(wire.price_text(price)) if price else None

    def best_ask(self, outcome: str | int) -> Decimal | None:
        """Return the lowest ask; None when there is none."""
        index = self._outcome(outcome)
        with self._stage.lock:
            price = self._market.ledger.top(index)[1]
        return Decimal(wire.price_text(price)) if price < wire.ONE else None

    # -- orders -------------------------------------------------------------------------

    def place(
        self, outcome: str | int, side: str, price: str | Decimal, size: str | Decimal | int
    ) -> None:
        """Place a limit order: what crosses trades at the makers' prices, the rest rests.

        A fill is told as live: ``last_trade_price``, the changes, both books.

        Args:
            outcome: whose token.
            side: ``BUY`` or ``SELL``.
            price: the limit.
            size: in shares.
        """
        index, how, shares = self._outcome(outcome), order_side(side), hundredths(size)
        self._act(lambda now: self._market.submit(index, how, self._on_grid(price), shares, now))

    def cancel(
        self,
        outcome: str | int,
        side: str,
        price: str | Decimal,
        size: str | Decimal | int | None = None,
    ) -> None:
        """Cancel ``size`` shares of what rests at ``price``; None cancels all of it."""
        index, how = self._outcome(outcome), order_side(side)
        level, shares = thousandths(price), None if size is None else hundredths(size)

        def move(now_ms: int) -> list[Message]:
            try:
                return self._market.cancel(index, how, level, shares, now_ms)
            except ValueError as error:
                rests = "so much" if size is not None else "nothing"
                raise UsageError(
                    f"cannot cancel a {how} of {self._name(index)} at {price}: "
                    f"{'not ' if size is not None else ''}{rests} rests there"
                ) from error

        self._act(move)

    def trade(
        self, outcome: str | int, side: str, price: str | Decimal, size: str | Decimal | int
    ) -> None:
        """Let a taker trade ``size`` shares at exactly ``price``, whatever rests.

        The market gets out of the way first: better offers are cancelled, and what lacks at
        that price is placed. So there is exactly one ``last_trade_price``, with these values.

        Args:
            outcome: whose token.
            side: the taker's, ``BUY`` or ``SELL``.
            price: of the trade.
            size: in shares.
        """
        index, how, shares = self._outcome(outcome), order_side(side), hundredths(size)
        self._act(lambda now: self._market.trade_at(index, how, self._on_grid(price), shares, now))

    def set_book(
        self,
        outcome: str | int,
        *,
        bids: Iterable[tuple[str | Decimal, str | Decimal | int]] = (),
        asks: Iterable[tuple[str | Decimal, str | Decimal | int]] = (),
    ) -> None:
        """Replace all that rests, in one burst; the other outcome is the mirror.

        Args:
            outcome: in whose terms ``bids`` and ``asks`` are.
            bids: pairs of price and size, in any order; none empties the side.
            asks: likewise.
        """
        index = self._outcome(outcome)
        wanted = [(BUY, *pair) for pair in bids] + [(SELL, *pair) for pair in asks]

        def move(now_ms: int) -> list[Message]:
            ledger = self._market.ledger
            before = {(BUY, price): ledger.bids.size(price) for price in ledger.bids.prices}
            before |= {(SELL, price): ledger.asks.size(price) for price in ledger.asks.prices}
            after = {}
            for side, price, size in wanted:
                level = self._on_grid(price)
                own = (mirrored(side), wire.ONE - level) if index else (side, level)
                after[own] = hundredths(size)
            changes = [(*level, 0) for level in before if level not in after]
            changes += [
                (*level, size) for level, size in after.items() if before.get(level) != size
            ]
            try:
                return self._market.rework(changes, now_ms)
            except ValueError as error:
                raise UsageError(f"this is no book: {error}") from error

        self._act(move)

    # -- its life -----------------------------------------------------------------------

    def change_tick_size(self, tick_size: str | Decimal, *, twice: bool = False) -> None:
        """Change the price grid to ``"0.1"``, ``"0.01"`` or ``"0.001"``.

        It happens by itself when a price passes 0.96 or 0.04. Orders that rest stay.

        Args:
            tick_size: the new one.
            twice: tell it twice, as the live exchange often does.
        """
        if str(tick_size) not in _TICK_SIZES:
            raise UsageError(f"a tick size is one of {', '.join(_TICK_SIZES)}, not {tick_size!r}")
        size = Decimal(str(tick_size))
        self._act(lambda now: self._market.change_tick_size(size, now) * (2 if twice else 1))

    def announce(self) -> None:
        """Send ``new_market`` (again) to every client that has the custom features."""
        self._act(lambda now: [self._market.announce(now)])

    def settle(self) -> None:
        """Empty the book, which is the beginning of a resolution: every level goes to size 0."""
        self._act(self._market.settle)

    def resolve(self, outcome: str | int) -> None:
        """Resolve the market: empty the book, tell ``market_resolved``, close it for good.

        Clients of which every market is resolved now are closed with
        ``1000 "all subscribed assets resolved"``.

        Args:
            outcome: which one came true.
        """
        index = self._outcome(outcome)
        self._act(lambda now: self._market.resolve(index, now), settled=True)

    def cut(self, how: Drop = "reset") -> None:
        """End every connection that is subscribed to this market, see ``Exchange.drop``."""
        self._stage.cut(self._market.condition_id, how)

    # -- arguments ----------------------------------------------------------------------

    def _act(self, move: Callable[[int], list[Message]], *, settled: bool = False) -> None:
        def checked(now_ms: int) -> list[Message]:
            market = self._market
            if market.winner is not None or not (market.moves or settled):
                raise UsageError(f"{market.info.slug} is settled: nothing happens on it any more")
            return move(now_ms)

        self._stage.act(checked)

    def _outcome(self, outcome: object) -> int:
        info = self._market.ledger.info
        if isinstance(outcome, int) and not isinstance(outcome, bool) and outcome in (0, 1):
            return outcome
        if isinstance(outcome, str):
            if outcome in info.asset_ids:
                return info.asset_ids.index(outcome)
            names = [name.lower() for name in info.outcomes]
            if outcome.lower() in names:
                return names.index(outcome.lower())
        raise UsageError(f"an outcome is one of {', '.join(info.outcomes)}, not {outcome!r}")

    def _name(self, index: int) -> str:
        return self._market.ledger.info.outcomes[index]

    def _on_grid(self, price: str | Decimal) -> int:
        return on_grid(price, self._market.ledger.info.tick_size)
