"""The account of a simulated exchange in the hands of a test or a demo."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, get_args

import attrs

from polymarket_ws.credentials import Credentials
from polymarket_ws.errors import UsageError
from polymarket_ws.simulator import wire
from polymarket_ws.simulator.account import OrderType
from polymarket_ws.simulator.account_service import AccountService, RestMode
from polymarket_ws.simulator.arguments import hundredths, on_grid, order_side
from polymarket_ws.simulator.user_channel import Refusal
from polymarket_ws.simulator.user_wire import OrderState, TradeState
from polymarket_ws.simulator.venue import SimulatedVenue
from polymarket_ws.simulator.wire import Message

__all__ = ["LedgerOrder", "LedgerTrade", "ScriptedAccount"]

# Past this a market would be nothing but the account.
_HIGHEST_RATE = 1000


@attrs.frozen(kw_only=True)
class LedgerOrder:
    """An order as the exchange knows it.

    Attributes:
        id: the order's hash.
        market: the condition id.
        asset_id: the token.
        side: ``BUY`` or ``SELL``.
        price: the limit.
        original_size: shares at first.
        size_matched: shares filled.
        order_type: ``GTC``, ``FOK`` or ``FAK``.
        status: ``LIVE``, ``MATCHED``, ``CANCELED`` or a reason that begins with it.
        trades: ids of the trades that filled it.
    """

    id: str
    market: str
    asset_id: str
    side: str
    price: Decimal
    original_size: Decimal
    size_matched: Decimal
    order_type: str
    status: str
    trades: tuple[str, ...]


@attrs.frozen(kw_only=True)
class LedgerTrade:
    """A trade as the exchange knows it.

    Attributes:
        id: a UUID.
        market: the condition id.
        status: the last one that it has reached.
        trader_side: what the account is in it: ``TAKER`` or ``MAKER``.
        size: shares, of all makers together.
        match_time: Unix milliseconds.
    """

    id: str
    market: str
    status: str
    trader_side: Literal["TAKER", "MAKER"]
    size: Decimal
    match_time: int


class ScriptedAccount:
    """The account of an exchange. See ``Exchange.account``.

    ::

        with Exchange(rate=None) as exchange:
            account = exchange.account
            market = exchange.market()
            token = market.info.asset_ids[0]
            order_id = account.place(token, "BUY", "0.40", 100)
            market.trade(token, "SELL", "0.40", 30)     # fills 30 of it, if nobody is in front
            account.cancel(order_id)
            account.finish_trades()

    Its orders rest in the market's book behind those that were there before, and the random
    traders meet them. Each step is one event on ``/ws/user``, in which nothing is replayed; REST
    (``/auth/api-keys``, ``/data/orders``, ``/data/order/{id}``, ``/data/trades``) knows the
    present only. All methods may be called from any thread.

    A trade is ``MATCHED`` at once, ``MINED`` after 2 s of the exchange's time and ``CONFIRMED``
    after 6 s, looked at whenever the market moves: with ``rate=None`` at each step and call.

    Somebody who recovers what a gap hid asks for trades by the clock on the wall: give a seeded
    exchange ``clock=time.time`` for that, because its own time is simulated.
    """

    def __init__(
        self,
        service: AccountService,
        venue: SimulatedVenue,
        changed: threading.Condition,
        act: Callable[[Callable[[int], list[Message]]], object],
    ) -> None:
        self._service = service
        self._venue = venue
        self._changed = changed
        self._act = act

    @property
    def credentials(self) -> Credentials:
        """What is right on this exchange; the same for the same seed."""
        keys = self._service.account.keys
        return Credentials(keys.api_key, keys.secret, keys.passphrase, keys.address)

    # -- manners ------------------------------------------------------------------------

    @property
    def rest(self) -> RestMode:
        """How the account's REST answers.

        ``ok``; ``down``: 503; ``hang``: not at all, until this is changed or the client gives
        up. Markets and books are not concerned.
        """
        return self._service.rest

    @rest.setter
    def rest(self, mode: RestMode) -> None:
        if mode not in get_args(RestMode):
            raise UsageError(f"rest is one of {', '.join(get_args(RestMode))}, not {mode!r}")
        with self._changed:
            self._service.rest = mode
            self._changed.notify_all()

    @property
    def wrong_credentials(self) -> Refusal:
        """What wrong credentials get on ``/ws/user``.

        ``drop``: the connection is lost right after the first frame. ``silence``: nothing but
        ``PONG``. Both were seen of the live exchange.
        """
        return self._service.users.refusal

    @wrong_credentials.setter
    def wrong_credentials(self, refusal: Refusal) -> None:
        if refusal not in get_args(Refusal):
            raise UsageError(
                f"wrong_credentials is one of {', '.join(get_args(Refusal))}, not {refusal!r}"
            )
        with self._changed:
            self._service.users.refusal = refusal

    @property
    def page_size(self) -> int:
        """How many items REST has on a page: 3 at first, which live is 100."""
        return self._service.page_size

    @page_size.setter
    def page_size(self, size: int) -> None:
        if size < 1:
            raise UsageError(f"a page has at least one item, not {size!r}")
        with self._changed:
            self._service.page_size = size

    # -- trading ------------------------------------------------------------------------

    def place(
        self,
        asset_id: str,
        side: str,
        price: str | Decimal,
        size: str | Decimal | int,
        order_type: OrderType = "GTC",
    ) -> str:
        """Place an order; return its id.

        What crosses trades at once, at the makers' prices.

        Args:
            asset_id: the token.
            side: ``BUY`` or ``SELL``.
            price: the limit, on the market's price grid.
            size: in shares, in hundredths at the finest.
            order_type: ``GTC``: the rest rests. ``FOK``: all at once, or it is killed.
                ``FAK``: what can be had at once, and the rest is killed.

        Raises:
            UsageError: an argument makes no sense, or the market is settled.
        """
        how, shares = order_side(side), hundredths(size)
        if order_type not in get_args(OrderType):
            raise UsageError(
                f"order_type is one of {', '.join(get_args(OrderType))}, not {order_type!r}"
            )
        placed = ""

        def move(now_ms: int) -> list[Message]:
            nonlocal placed
            market = self._venue.find(asset_id)
            if market is None or asset_id not in market.info.asset_ids:
                raise UsageError(f"this exchange has no token {asset_id!r}")
            if not market.moves:
                raise UsageError(f"{market.info.slug} is settled: it takes no orders any more")
            placed, messages = self._service.account.place(
                market,
                market.info.asset_ids.index(asset_id),
                side=how,
                price=on_grid(price, market.info.tick_size),
                size=shares,
                order_type=order_type,
                now_ms=now_ms,
            )
            return messages

        self._act(move)
        return placed

    def cancel(self, order_id: str) -> None:
        """Cancel what rests of an order.

        Raises:
            UsageError: there is no such order, or it is not open any more.
        """
        self._act(lambda now: self._service.account.cancel(order_id, now))

    def cancel_all(self) -> None:
        """Cancel every open order."""

        def move(now_ms: int) -> list[Message]:
            account = self._service.account
            messages = []
            for order in account.open_orders:
                messages += account.cancel(order.id, now_ms)
            return messages

        self._act(move)

    def fail_next_trade(self, count: int = 1) -> None:
        """Let the next ``count`` trades fail on the chain: ``RETRYING``, then ``FAILED``."""
        with self._changed:
            self._service.account.refuse_next(count)

    def finish_trades(self) -> None:
        """Let each trade reach its last status now, through those before it."""

        def move(now_ms: int) -> list[Message]:
            self._service.account.finish(now_ms)
            return []

        self._act(move)

    def trade_by_itself(self, rate: float = 1.0) -> None:
        """Place, fill and cancel orders by chance, as long as the market moves.

        Orders rest, cross, are filled in parts and as a whole, killed and cancelled; now and
        then a trade fails on the chain. Reproducible with a seed.

        Args:
            rate: actions a second of the exchange's time, up to 1,000; 0 ends it.

        Raises:
            UsageError: the rate is out of range.
        """
        if not 0 <= rate <= _HIGHEST_RATE:
            raise UsageError(f"rate takes 0 to {_HIGHEST_RATE}, not {rate!r}")

        def move(now_ms: int) -> list[Message]:
            self._service.trade_by_itself(rate, now_ms)
            return []

        self._act(move)

    # -- the ledger ---------------------------------------------------------------------

    @property
    def orders(self) -> Mapping[str, LedgerOrder]:
        """Every order by its id, oldest first; those that ended, too."""
        with self._changed:
            states = self._service.account.orders
            return MappingProxyType({key: _order(state) for key, state in states.items()})

    @property
    def open_orders(self) -> tuple[str, ...]:
        """The ids of the orders that rest, oldest first."""
        with self._changed:
            return tuple(order.id for order in self._service.account.open_orders)

    @property
    def trades(self) -> Mapping[str, LedgerTrade]:
        """Every trade by its id, oldest first, with its last status."""
        with self._changed:
            states = self._service.account.trades
            return MappingProxyType({key: _trade(state) for key, state in states.items()})


def _order(state: OrderState) -> LedgerOrder:
    return LedgerOrder(
        id=state.id,
        market=state.market,
        asset_id=state.asset_id,
        side=state.side,
        price=Decimal(wire.price_text(state.price)),
        original_size=Decimal(wire.size_text(state.size)),
        size_matched=Decimal(wire.size_text(state.matched)),
        order_type=state.order_type,
        status=state.status,
        trades=tuple(state.trades),
    )


def _trade(state: TradeState) -> LedgerTrade:
    return LedgerTrade(
        id=state.id,
        market=state.market,
        status=state.status,
        trader_side=state.trader_side,
        size=Decimal(wire.size_text(state.size)),
        match_time=state.matched_ms,
    )
