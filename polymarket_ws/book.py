"""The order book of one token, kept from the events of a stream.

Pure: no I/O, clock or thread, and no locking either. One thread applies and reads;
others get a :class:`BookSnapshot` or a :class:`~polymarket_ws.events.market.Book`, which
are immutable.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from polymarket_ws.book_hash import (
    HashFacts,
    HashFields,
    book_hash,
    fitting_facts,
    hashed_levels,
    padded_price,
    wire_text,
)
from polymarket_ws.book_side import BookSide
from polymarket_ws.book_snapshot import BookSnapshot, BookState, crossed, midpoint, spread
from polymarket_ws.errors import StaleBook, UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    DecodeFailure,
    Disconnected,
    Dropped,
    Lifecycle,
    Unsubscribed,
)
from polymarket_ws.events.market import (
    Book,
    LastTradePrice,
    Level,
    MarketResolved,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.market_info import MarketInfo

__all__ = ["BookLayout", "BookSnapshot", "BookState", "HashFields", "OrderBook"]

BookLayout = Literal["opening", "post_trade", "rest"]
"""Which optional fields a ``Book`` has, by where the exchange sends it."""

_BOOK_ENDERS = (Disconnected, Dropped, Unsubscribed, DecodeFailure)


class OrderBook:
    """The order book of one token: feed it events, read it while it is live.

    ::

        book = OrderBook(asset_id)
        for event in stream.all():      # all(): so that it hears of gaps
            if book.apply(event) and book.state == "live":
                print(book.best_bid, book.best_ask)

    Every property that shows levels raises :class:`~polymarket_ws.errors.StaleBook`
    unless the book is live; ``snapshot(allow_stale=True)`` shows the last known levels.
    A crossed book is reported by ``crossed`` and left as the exchange sent it.

    Args:
        asset_id: the token.
        market: its condition id, if known before the first ``Book``: trades of the
            other outcome are recognised by it.
        min_order_size: in shares. Part of the hash, and not on the stream; 5 on every
            market that was checked.
        neg_risk: whether the market is one of several exclusive ones. Part of the hash,
            and not on the stream. ``None``: not known, ``verify`` finds it.
        tick_size: smallest price step, if known. Part of the hash; the opening ``Book``
            has it, a ``Book`` after a trade does not.

    Raises:
        UsageError: an argument is of the wrong type.
    """

    __slots__ = (
        "_announced",
        "_asks",
        "_asset_id",
        "_bids",
        "_last_trade_price",
        "_market",
        "_min_order_size",
        "_missed",
        "_neg_risk",
        "_resolved",
        "_sides",
        "_state",
        "_tick_size",
        "_timestamp",
        "_verified",
        "_version",
        "_wire_hash",
    )

    def __init__(
        self,
        asset_id: str,
        *,
        market: str = "",
        min_order_size: Decimal = Decimal(5),
        neg_risk: bool | None = None,
        tick_size: Decimal | None = None,
    ) -> None:
        token: object = asset_id  # For type checkers, to which the check below is idle.
        if not isinstance(token, str) or not token:
            raise UsageError(
                f'OrderBook takes one token id as text, OrderBook("123…"), not {asset_id!r}; '
                "for a MarketInfo: OrderBook.of(market, asset_id)"
            )
        for name, number in (("min_order_size", min_order_size), ("tick_size", tick_size)):
            # A float would be hashed with digits that the exchange never wrote.
            if not isinstance(number, Decimal) and (name, number) != ("tick_size", None):
                raise UsageError(f'OrderBook({name}=…) takes a Decimal("…"), not {number!r}')
        self._asset_id = asset_id
        self._market = market
        self._min_order_size = min_order_size
        self._neg_risk = neg_risk
        self._tick_size = tick_size
        self._bids = BookSide(highest_first=True)
        self._asks = BookSide(highest_first=False)
        # Lower case is in old examples of the wire.
        self._sides = {
            "BUY": self._bids,
            "buy": self._bids,
            "SELL": self._asks,
            "sell": self._asks,
        }
        self._state = BookState.SYNCING
        self._version = 0
        self._timestamp: int | None = None
        self._wire_hash: str | None = None
        self._last_trade_price: Decimal | None = None
        self._announced: Decimal | None = None
        self._verified: Decimal | None = None
        self._resolved = False
        self._missed: Event | None = None

    @classmethod
    def of(cls, market: MarketInfo, asset_id: str) -> OrderBook:
        """Return the book of one token of a market, with all that its hash needs.

        Args:
            market: as ``lookup`` returns it.
            asset_id: one of ``market.asset_ids``.

        Raises:
            UsageError: the token is not one of that market.
        """
        if asset_id not in market.asset_ids:
            raise UsageError(
                f"{asset_id!r} is no token of {market.slug or market.condition_id}: "
                f"take one of {', '.join(market.asset_ids) or 'none'}"
            )
        size = market.min_order_size
        return cls(
            asset_id,
            market=market.condition_id,
            min_order_size=Decimal(5) if size is None else size,
            neg_risk=market.neg_risk,
            tick_size=market.tick_size,
        )

    # -- applying ----------------------------------------------------------------------

    def apply(self, event: Event) -> bool:
        """Take one event of a stream and return whether the book changed.

        Any event may be given, in the order of the stream; what does not concern this
        token is ignored. Applying an event twice in a row changes nothing the second
        time. ``version`` rises by one when and only when this returns ``True``.

        * ``Book`` replaces everything and makes the book live.
        * ``PriceChange`` sets absolute sizes, 0 removes the level. Ignored before the
          first ``Book``, and when it is older than the book (right after connecting the
          exchange may send a change that its opening book already has).
        * ``LastTradePrice`` of either outcome, ``TickSizeChange`` and ``MarketResolved``.
        * ``Disconnected``, ``Dropped``, ``Unsubscribed`` and ``DecodeFailure`` that name
          this token, and ``Dropped`` that names none, make the book stale until the
          next ``Book``. Changes are applied meanwhile, for readers that allow stale.
        """
        if isinstance(event, PriceChange):
            changed = self._apply_changes(event)
        elif isinstance(event, Book):
            changed = event.asset_id == self._asset_id and self._replace(event)
        elif isinstance(event, LastTradePrice):
            changed = self._apply_trade(event)
        elif isinstance(event, TickSizeChange):
            changed = event.asset_id == self._asset_id and self._apply_tick_size(event)
        elif isinstance(event, MarketResolved):
            changed = self._resolve(event)
        elif isinstance(event, _BOOK_ENDERS):
            changed = self._miss(event)
        else:
            return False
        if changed:
            self._version += 1
        return changed

    def _apply_changes(self, event: PriceChange) -> bool:
        if self._state is BookState.SYNCING:
            return False  # A book made of changes only would lack most of its levels.
        timestamp = event.timestamp
        known = self._timestamp
        if timestamp is not None and known is not None and timestamp < known:
            return False
        asset_id = self._asset_id
        changed = concerned = False
        wire_hash = self._wire_hash
        for change in event.price_changes:
            if change.asset_id != asset_id:
                continue
            concerned = True
            side = self._sides.get(change.side)
            if side is None:
                # A level changed and nobody can say on which side.
                changed |= self._go_stale(event)
            elif side.put(change.price, change.size):
                changed = True
            wire_hash = change.hash
        if not concerned:
            return False
        if timestamp is not None and timestamp != known:
            self._timestamp = timestamp
            changed = True
        if wire_hash != self._wire_hash:
            self._wire_hash = wire_hash
            changed = True
        return changed

    def _replace(self, event: Book) -> bool:
        before = self._facts()
        self._market = event.market
        self._timestamp = event.timestamp
        self._wire_hash = event.hash
        # A post-trade book has none of these: what was known stays true.
        if event.tick_size is not None:
            self._tick_size = event.tick_size
        if event.last_trade_price is not None:
            self._last_trade_price = event.last_trade_price
        if event.min_order_size is not None:
            self._min_order_size = event.min_order_size
        if event.neg_risk is not None:
            self._neg_risk = event.neg_risk
        self._resolved = False
        self._state = BookState.LIVE
        self._missed = None
        changed = self._bids.replace(event.bids)
        changed |= self._asks.replace(event.asks)
        return changed or before != self._facts()

    def _apply_trade(self, event: LastTradePrice) -> bool:
        # Both outcomes share one last trade price (PROTOCOL: "per market, not per token").
        of_market = bool(self._market) and event.market == self._market
        if not of_market and event.asset_id != self._asset_id:
            return False
        price = padded_price(event.price)
        changed = price != self._last_trade_price
        self._announced = self._last_trade_price = price
        return changed

    def _apply_tick_size(self, event: TickSizeChange) -> bool:
        # Some clients begin a new epoch here and wait for a snapshot. This one stays live:
        # no level is missed, since sizes are absolute and cancelled orders arrive as price
        # changes, and no snapshot is known to follow before the next trade, which on a
        # quiet market may never come. If levels were off, verify() would say so.
        if event.new_tick_size == self._tick_size:
            return False  # These are known to come twice.
        self._tick_size = event.new_tick_size
        self._wire_hash = None  # It was taken over the old step.
        return True

    def _resolve(self, event: MarketResolved) -> bool:
        of_market = bool(self._market) and event.market == self._market
        if not of_market and self._asset_id not in event.assets_ids:
            return False
        if self._resolved:
            return False
        # The exchange empties the book two minutes earlier; where that burst was missed,
        # levels that nobody can trade against must not stay.
        self._resolved = True
        self._wire_hash = None
        self._bids.replace(())
        self._asks.replace(())
        return True

    def _miss(self, event: Lifecycle) -> bool:
        unnamed = isinstance(event, Dropped) and not event.asset_ids
        if not unnamed and self._asset_id not in event.asset_ids:
            return False
        # Nothing follows the end of a market (the server even closes the connection when
        # its last one has ended), so nothing can be missed.
        if self._resolved:
            return False
        return self._go_stale(event)

    def _go_stale(self, event: Event) -> bool:
        if self._state is not BookState.LIVE:
            return False
        self._state = BookState.STALE
        self._missed = event
        return True

    def _facts(self) -> tuple[object, ...]:
        return (
            self._state,
            self._market,
            self._timestamp,
            self._wire_hash,
            self._tick_size,
            self._last_trade_price,
            self._min_order_size,
            self._neg_risk,
            self._resolved,
        )

    # -- what is known in every state --------------------------------------------------

    @property
    def asset_id(self) -> str:
        """The token."""
        return self._asset_id

    @property
    def market(self) -> str:
        """The condition id; empty as long as nothing named it."""
        return self._market

    @property
    def condition_id(self) -> str:
        """``market`` under the name that it has elsewhere."""
        return self._market

    @property
    def state(self) -> BookState:
        """``syncing``, ``live`` or ``stale``."""
        return self._state

    @property
    def version(self) -> int:
        """How often the book changed. At equal versions nothing that can be read differs."""
        return self._version

    @property
    def timestamp(self) -> int | None:
        """Unix milliseconds of the last change, by the exchange's clock."""
        return self._timestamp

    @property
    def tick_size(self) -> Decimal | None:
        """Smallest price step; ``None`` until an opening ``Book`` or a change told it."""
        return self._tick_size

    @property
    def last_trade_price(self) -> Decimal | None:
        """The market's, as far as known; it may be in terms of the other outcome."""
        return self._last_trade_price

    @property
    def min_order_size(self) -> Decimal:
        """In shares."""
        return self._min_order_size

    @property
    def neg_risk(self) -> bool | None:
        """Whether the market is one of several exclusive ones; ``None`` if not known."""
        return self._neg_risk

    @property
    def resolved(self) -> bool:
        """Whether the market was settled. Its book is empty from then on."""
        return self._resolved

    @property
    def wire_hash(self) -> str | None:
        """The hash that the last ``Book`` or ``PriceChange`` carried.

        All changes of one burst (the same ``timestamp``) carry the hash of the book
        after the last of them, so within a burst it is ahead of the levels.
        """
        return self._wire_hash

    # -- reading -----------------------------------------------------------------------

    @property
    def bids(self) -> tuple[Level, ...]:
        """Bids, best first. Raises ``StaleBook`` unless live."""
        self._require_live()
        return self._bids.best_first()

    @property
    def asks(self) -> tuple[Level, ...]:
        """Asks, best first. Raises ``StaleBook`` unless live."""
        self._require_live()
        return self._asks.best_first()

    @property
    def best_bid(self) -> Decimal | None:
        """The highest bid; ``None`` when there is none. Raises ``StaleBook`` unless live."""
        self._require_live()
        return self._bids.best()

    @property
    def best_ask(self) -> Decimal | None:
        """The lowest ask; ``None`` when there is none. Raises ``StaleBook`` unless live."""
        self._require_live()
        return self._asks.best()

    @property
    def spread(self) -> Decimal | None:
        """``best_ask - best_bid``, negative when crossed. Raises ``StaleBook`` unless live."""
        return spread(self.best_bid, self.best_ask)

    @property
    def midpoint(self) -> Decimal | None:
        """The exact middle of bid and ask. Raises ``StaleBook`` unless live."""
        return midpoint(self.best_bid, self.best_ask)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask. Raises ``StaleBook`` unless live.

        It happens for a few messages within a burst, and is not repaired here.
        """
        return crossed(self.best_bid, self.best_ask)

    def snapshot(self, *, allow_stale: bool = False) -> BookSnapshot:
        """Return the book as it is now.

        Args:
            allow_stale: return what is known in any state, which may be nothing; the
                snapshot's ``state`` tells.

        Raises:
            StaleBook: the book is not live, and ``allow_stale`` is false.
        """
        if not allow_stale:
            self._require_live()
        return BookSnapshot(
            asset_id=self._asset_id,
            market=self._market,
            state=self._state,
            version=self._version,
            timestamp=self._timestamp,
            bids=self._bids.best_first(),
            asks=self._asks.best_first(),
            tick_size=self._tick_size,
            last_trade_price=self._last_trade_price,
            resolved=self._resolved,
        )

    def to_book(self, layout: BookLayout = "opening", *, allow_stale: bool = False) -> Book:
        """Return the event that the exchange would send for this book now.

        Levels stand in wire order. The hash is the one that the last event carried, or
        is computed where it carried none and ``tick_size`` and ``neg_risk`` are known.

        Args:
            layout: ``"opening"`` as on subscribing; ``"post_trade"`` without tick size
                and last trade price; ``"rest"`` as ``GET /book`` answers.
            allow_stale: return the last known levels of a stale book too.

        Raises:
            StaleBook: the book is not live, and ``allow_stale`` is false; or there was
                no ``Book`` yet.
            UsageError: there is no such layout.
        """
        if layout not in ("opening", "post_trade", "rest"):
            raise UsageError(f'to_book takes "opening", "post_trade" or "rest", not {layout!r}')
        if not allow_stale or self._state is BookState.SYNCING:
            self._require_live()
        wire_hash = self._wire_hash
        # Never over guessed facts: no hash is better than one that nobody can reproduce.
        if wire_hash is None and self._tick_size is not None and self._neg_risk is not None:
            wire_hash = book_hash(self._hashed_levels(), self._hash_facts())
        brief = layout == "post_trade"
        rest = layout == "rest"
        return Book(
            market=self._market,
            asset_id=self._asset_id,
            timestamp=self._timestamp,
            hash=wire_hash,
            bids=self._bids.best_first()[::-1],
            asks=self._asks.best_first()[::-1],
            tick_size=None if brief else self._tick_size,
            last_trade_price=None if brief else self._last_trade_price,
            min_order_size=self._min_order_size if rest else None,
            neg_risk=self._neg_risk if rest else None,
        )

    def _require_live(self) -> None:
        if self._state is BookState.LIVE:
            return
        token = self._asset_id if len(self._asset_id) <= 12 else f"{self._asset_id[:12]}…"
        if self._state is BookState.SYNCING:
            raise StaleBook(f"the book of {token} has not come yet: apply its Book first")
        if self._resolved:
            raise StaleBook(
                f"the book of {token} went stale ({self._missed}) before its market was settled: "
                "no Book will come any more"
            )
        raise StaleBook(
            f"the book of {token} is stale ({self._missed}): wait until the next Book makes it "
            "live, or read snapshot(allow_stale=True)"
        )

    # -- the hash ----------------------------------------------------------------------

    def hash(self, fields: HashFields = "2026") -> str:
        """Return the SHA-1 of the book as the exchange computes it, 40 hex digits.

        It covers ``min_order_size``, ``neg_risk``, ``tick_size`` and the exchange's own
        last trade price, which changes before the trade is announced: prefer
        :meth:`verify` to comparing.

        Args:
            fields: which keys go into it, by the date from which the exchange had them.

        Raises:
            StaleBook: the book is not live.
            UsageError: the tick size or ``neg_risk`` is needed and not known.
        """
        self._require_live()
        return book_hash(self._hashed_levels(), self._hash_facts(), fields)

    def verify(self, wire_hash: str | None = None, *, fields: HashFields = "2026") -> bool:
        """Return whether the exchange's hash fits this book.

        The last trade price in the hash is looked for: the current one, the last that
        fitted, the announced one and its complement, then 0.000 to 1.000 (about a
        millisecond). The one found becomes ``last_trade_price``. A tick size or
        ``neg_risk`` that is not known is looked for too. A stale book can be verified
        as well.

        ``False`` alone is no proof of a wrong book: within a burst the hash is ahead of
        the levels, and some hashes already have the change after it.

        Args:
            wire_hash: the hash to fit; ``None`` takes :attr:`wire_hash`.
            fields: which keys go into it, by the date from which the exchange had them.

        Raises:
            StaleBook: there was no ``Book`` yet.
            UsageError: no hash was given and the last event carried none.
        """
        if self._state is BookState.SYNCING:
            self._require_live()
        wanted = self._wire_hash if wire_hash is None else wire_hash
        if wanted is None:
            raise UsageError("the last event carried no hash: give one, verify(wire_hash)")
        likely = (self._last_trade_price, self._verified, self._announced)
        facts = fitting_facts(
            wanted,
            self._hashed_levels(),
            self._hash_facts(),
            [price for price in likely if price is not None],
            fields,
        )
        if facts is None:
            return False
        if facts != self._hash_facts():
            self._version += 1
        # In any case, for the spelling: 0.5 and 0.500 are equal and hash differently.
        self._tick_size = facts.tick_size
        self._neg_risk = facts.neg_risk
        self._verified = self._last_trade_price = facts.last_trade_price
        return True

    def _hashed_levels(self) -> str:
        return hashed_levels(
            self._market,
            self._asset_id,
            self._timestamp,
            self._bids.best_first(),
            self._asks.best_first(),
        )

    def _hash_facts(self) -> HashFacts:
        return HashFacts(
            self._min_order_size, self._tick_size, self._neg_risk, self._last_trade_price
        )

    def __repr__(self) -> str:
        token = self._asset_id if len(self._asset_id) <= 12 else f"{self._asset_id[:12]}…"
        return (
            f"<OrderBook {token} {self._state} version={self._version} "
            f"{wire_text(self._bids.best()) or '-'}/{wire_text(self._asks.best()) or '-'}>"
        )
