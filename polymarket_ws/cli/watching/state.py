"""What a screen shows of some markets, folded from the events of their stream.

Pure: no clock, terminal or network. Whoever reads events says what time it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from statistics import median
from typing import Literal

import attrs

from polymarket_ws.book import OrderBook
from polymarket_ws.book_snapshot import BookSnapshot, BookState, midpoint, spread
from polymarket_ws.cli.watching.connections import Connections
from polymarket_ws.cli.watching.figures import cents, printable, span
from polymarket_ws.cli.watching.history import LagMeter, PriceHistory, RateMeter
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    Disconnected,
    Dropped,
    Lifecycle,
    SubscriptionStalled,
)
from polymarket_ws.events.market import (
    Book,
    LastTradePrice,
    MarketResolved,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.market_info import MarketInfo

__all__ = [
    "Basis",
    "MarketState",
    "OutcomeState",
    "Quote",
    "Remark",
    "Trade",
    "WatchState",
]

#: Rates and lags are read and a point of the price history is made this often: a number that
#: changes more often cannot be read.
READING_SECONDS = 0.5

#: With a wider spread the middle says little, and polymarket.com shows the last trade instead.
WIDEST_SPREAD = Decimal("0.10")

#: More than the tallest screen shows.
_TAPE_ROWS = 200

#: The wire repeats itself within milliseconds, if it does.
_RECENT_TRADES = 64

_ONE = Decimal(1)

Basis = Literal["", "mid", "last", "bid", "ask", "settled"]


@attrs.frozen
class Quote:
    """A price, and what it is.

    Attributes:
        price: ``None`` where nothing is known.
        basis: ``"mid"`` of a spread of up to 10 cents, else the ``"last"`` trade, else the
            only side there is; ``"settled"`` is 1 or 0; empty for none.
        stale: something was missed since.
    """

    price: Decimal | None = None
    basis: Basis = ""
    stale: bool = False


@attrs.frozen
class Trade:
    """A row of the tape.

    Attributes:
        at: Unix seconds, the exchange's.
        side: ``BUY`` or ``SELL``, the taker's.
        outcome: of the taker's token.
        size: shares.
        price: of the taker's token.
        transaction_hash: empty where the wire had none.
    """

    at: float
    side: str
    outcome: str
    size: Decimal
    price: Decimal
    transaction_hash: str = ""


@attrs.frozen
class Remark:
    """A row of the tape that is no trade: a gap, a new tick size, a settlement.

    Attributes:
        at: Unix seconds.
        text: a few words.
        alarming: whether data is missing.
    """

    at: float
    text: str
    alarming: bool = False


@attrs.define(eq=False)
class OutcomeState:
    """One token.

    Attributes:
        name: ``Yes``, …
        book: kept from the stream.
        traded: price of the last trade of the market, in terms of this token.
        start: the first price that was known.
        won: ``None`` until the market is settled and the winner is told.
        stalled: the exchange never answered for it.
    """

    name: str
    book: OrderBook
    traded: Decimal | None = None
    start: Decimal | None = None
    won: bool | None = None
    stalled: bool = False

    @property
    def quote(self) -> Quote:
        """The price of the moment."""
        if self.won is not None:
            return Quote(_ONE if self.won else Decimal(0), "settled")
        book = self.book
        stale = book.state is not BookState.LIVE
        if stale:
            seen = book.snapshot(allow_stale=True)
            bid, ask = seen.best_bid, seen.best_ask
        else:
            bid, ask = book.best_bid, book.best_ask
        apart = spread(bid, ask)
        if apart is not None and (apart <= WIDEST_SPREAD or self.traded is None):
            return Quote(midpoint(bid, ask), "mid", stale)
        if self.traded is not None:
            return Quote(self.traded, "last", stale)
        if bid is not None:
            return Quote(bid, "bid", stale)
        if ask is not None:
            return Quote(ask, "ask", stale)
        return Quote(stale=stale)

    @property
    def change(self) -> Decimal | None:
        """How far the price is from the first one."""
        price = self.quote.price
        return None if price is None or self.start is None else price - self.start


class MarketState:
    """One market.

    Args:
        info: what it is.
    """

    def __init__(self, info: MarketInfo) -> None:
        self.info = info
        self.question = printable(info.question) or info.slug or info.condition_id
        names = info.outcomes if len(info.outcomes) == len(info.asset_ids) else ()
        self.outcomes = tuple(
            OutcomeState(
                name=printable(names[index]) if names else f"token {index + 1}",
                book=OrderBook.of(info, asset_id),
            )
            for index, asset_id in enumerate(info.asset_ids)
        )
        self.by_asset_id = {outcome.book.asset_id: outcome for outcome in self.outcomes}
        self.tape: deque[Trade | Remark] = deque(maxlen=_TAPE_ROWS)
        self.volume = Decimal(0)
        self.rate = RateMeter()
        self.lag = LagMeter()
        self.history = PriceHistory(READING_SECONDS)
        # Gamma knew: nothing will come, not even the news of it.
        self.resolved = info.closed
        self._recent: deque[LastTradePrice] = deque(maxlen=_RECENT_TRADES)

    @property
    def leading(self) -> OutcomeState:
        """The first outcome, whose book and chart are shown."""
        return self.outcomes[0]

    @property
    def depth(self) -> BookSnapshot:
        """The book of the first outcome, whether or not it is true at the moment."""
        return self.leading.book.snapshot(allow_stale=True)

    @property
    def winner(self) -> str:
        """The outcome that won; empty as long as none is known to have."""
        return next((outcome.name for outcome in self.outcomes if outcome.won), "")

    @property
    def condition(self) -> str:
        """What is wrong with it, in a word or two; empty if nothing is."""
        if self.resolved:
            return f"{self.winner} won" if self.winner else "settled"
        if all(outcome.stalled for outcome in self.outcomes):
            return "no book"
        state = self.leading.book.state
        if state is BookState.SYNCING:
            return "waiting"
        return "stale" if state is BookState.STALE else ""

    def remark(self, text: str, wall: float, *, alarming: bool = False) -> None:
        """Put something that is no trade on the tape."""
        self.tape.appendleft(Remark(wall, text, alarming))

    def read(self, now: float) -> list[float]:
        """Read the meters and add a point to the history; return the lags that were new."""
        for outcome in self.outcomes:
            if outcome.start is None:
                outcome.start = outcome.quote.price
        quote = self.leading.quote
        self.history.add(None if quote.stale else quote.price, now)
        self.rate.read(now)
        return self.lag.read()

    # -- folding -------------------------------------------------------------------------

    def apply(self, event: Event, wall: float) -> None:
        """Fold an event of this market, or a lifecycle event that concerns it."""
        for outcome in self.outcomes:
            outcome.book.apply(event)
        if isinstance(event, Lifecycle):
            self._follow(event, wall)
            return
        self.rate.count += 1
        if isinstance(event, Book):
            # Its timestamp is that of the last change: no lag can be told from it.
            outcome = self.by_asset_id[event.asset_id]
            outcome.stalled, outcome.won = False, None
            self.resolved = False  # whoever said so was wrong: it has a book
            return
        timestamp = getattr(event, "timestamp", None)
        if timestamp is not None and event.received_at:
            self.lag.add(event.received_at * 1000 - timestamp)
        if isinstance(event, LastTradePrice):
            self._trade(event, wall)
        elif isinstance(event, TickSizeChange):
            self._tick(event, wall)
        elif isinstance(event, MarketResolved):
            self._resolve(event, wall)

    def _trade(self, event: LastTradePrice, wall: float) -> None:
        # A fill that is told twice is one fill. Without a hash two that look alike may be two.
        if event.transaction_hash and event in self._recent:
            return
        self._recent.append(event)
        for outcome in self.outcomes:
            if outcome.book.asset_id == event.asset_id:
                outcome.traded = event.price
            elif len(self.outcomes) == 2:
                outcome.traded = _ONE - event.price
        self.volume += event.size
        self.tape.appendleft(
            Trade(
                at=event.timestamp / 1000 if event.timestamp is not None else wall,
                side=printable(event.side).upper(),
                outcome=self.by_asset_id[event.asset_id].name,
                size=event.size,
                price=event.price,
                transaction_hash=printable(event.transaction_hash or ""),
            )
        )

    def _tick(self, event: TickSizeChange, wall: float) -> None:
        text = f"tick size now {cents(event.new_tick_size)}"
        # Once for each token, and sometimes twice.
        if not any(isinstance(row, Remark) and row.text == text for row in list(self.tape)[:4]):
            self.remark(text, wall)

    def _resolve(self, event: MarketResolved, wall: float) -> None:
        if self.resolved:
            return
        self.resolved = True
        for outcome in self.outcomes:
            if event.winning_asset_id:
                outcome.won = outcome.book.asset_id == event.winning_asset_id
            elif event.winning_outcome:
                outcome.won = outcome.name == event.winning_outcome
        self.remark(f"settled: {self.winner} won" if self.winner else "settled", wall)

    def _follow(self, event: Lifecycle, wall: float) -> None:
        if isinstance(event, Connected) and event.epoch > 1:
            self.remark(f"back, {span(event.gap_seconds)} missed", wall, alarming=True)
        elif isinstance(event, Disconnected):
            self.remark("connection lost", wall, alarming=True)
        elif isinstance(event, Dropped):
            self.remark(f"{event.count:,} events dropped", wall, alarming=True)
        elif isinstance(event, DecodeFailure):
            self.remark("something unreadable came", wall, alarming=True)
        elif isinstance(event, SubscriptionStalled) and not self.resolved:
            for asset_id in event.asset_ids:
                if asset_id in self.by_asset_id:
                    self.by_asset_id[asset_id].stalled = True
            self.remark("no book came", wall, alarming=True)


class WatchState(Connections):
    """Everything that is shown.

    Args:
        infos: the markets, in the order of the screen; at least one, each with tokens.
        where: the exchange, as the screen names it.
        now: monotonic seconds.
    """

    def __init__(self, infos: Sequence[MarketInfo], where: str, now: float) -> None:
        super().__init__(where)
        self.markets = tuple(MarketState(info) for info in infos)
        self.began = now
        self.selected = 0
        self.rate = RateMeter()
        self.lag_milliseconds: float | None = None
        self._by_condition_id = {market.info.condition_id: market for market in self.markets}
        self._by_asset_id = {
            asset_id: market for market in self.markets for asset_id in market.info.asset_ids
        }
        self._next_reading = now
        self._following[SubscriptionStalled] = self._stalled

    @property
    def shown(self) -> MarketState:
        """The market whose details are shown."""
        return self.markets[self.selected]

    def select(self, step: int) -> None:
        """Show the details of another market; after the last comes the first."""
        self.selected = (self.selected + step) % len(self.markets)

    # -- folding -------------------------------------------------------------------------

    def apply(self, event: Event, now: float, wall: float) -> None:
        """Fold one event.

        Args:
            event: of the stream, in its order.
            now: monotonic seconds.
            wall: Unix seconds.
        """
        if isinstance(event, Lifecycle):
            self.follow(event, now)
            for concerned in self._concerned(event):
                concerned.apply(event, wall)
            return
        market = self._market_of(event)
        if market is not None:
            self.rate.count += 1
            market.apply(event, wall)

    def _market_of(self, event: Event) -> MarketState | None:
        if isinstance(event, PriceChange):
            # Its entries name the tokens, and the stream leaves only those asked for.
            return self._by_condition_id.get(event.market) or next(
                (
                    self._by_asset_id[change.asset_id]
                    for change in event.price_changes
                    if change.asset_id in self._by_asset_id
                ),
                None,
            )
        if isinstance(event, (Book, LastTradePrice, TickSizeChange)):
            return self._by_asset_id.get(event.asset_id)
        if isinstance(event, MarketResolved):
            return self._by_condition_id.get(event.market) or next(
                (self._by_asset_id[one] for one in event.assets_ids if one in self._by_asset_id),
                None,
            )
        return None

    def _concerned(self, event: Lifecycle) -> Iterable[MarketState]:
        if isinstance(event, Dropped) and not event.asset_ids:
            return self.markets
        # A dict, not a set: one after the other in the order of the event.
        return {
            market: None
            for asset_id in event.asset_ids
            if (market := self._by_asset_id.get(asset_id)) is not None
        }

    def _stalled(self, event: SubscriptionStalled, now: float) -> None:
        # A settled market has no book any more: after a reconnection that is no news.
        count = sum(
            asset_id not in self._by_asset_id or not self._by_asset_id[asset_id].resolved
            for asset_id in event.asset_ids
        )
        if not count:
            return
        tokens = f"{count} tokens" if count > 1 else "a token"
        self.tell(f"no book came for {tokens}: unknown, or settled", now, "bad")

    # -- reading -------------------------------------------------------------------------

    def tick(self, now: float) -> bool:
        """Read the meters when it is time; return whether it was."""
        if now < self._next_reading:
            return False
        self._next_reading += READING_SECONDS
        if self._next_reading <= now:  # the process was stopped for a while
            self._next_reading = now + READING_SECONDS
        self.rate.read(now)
        lags: list[float] = []
        for market in self.markets:
            lags += market.read(now)
        if lags:
            self.lag_milliseconds = median(lags)
        self.over = all(market.resolved for market in self.markets)
        return True
