"""What to listen to: one class a wire topic family, with nothing but facts in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from polymarket_ws.errors import UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.market import (
    BestBidAsk,
    Book,
    LastTradePrice,
    MarketEvent,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.events.user import Order, Trade
from polymarket_ws.market_info import MarketInfo

__all__ = ["Market", "Subscription", "User"]

E_co = TypeVar("E_co", bound=Event, covariant=True)
M = TypeVar("M", bound=MarketEvent)

#: The key of what belongs to no asset: the server tells it to every connection.
EVERYWHERE = ""

_DEFAULT_MARKET_EVENTS: frozenset[type[Event]] = frozenset(
    (Book, PriceChange, LastTradePrice, TickSizeChange)
)
_MARKET_EVENTS: tuple[type[Event], ...] = (
    Book,
    PriceChange,
    LastTradePrice,
    TickSizeChange,
    BestBidAsk,
    NewMarket,
    MarketResolved,
)

_USER_EVENTS: frozenset[type[Event]] = frozenset((Order, Trade))

_CONDITION_ID = re.compile("0x[0-9a-f]{64}")

Kinds = frozenset[type[Event]]


class Subscription(Generic[E_co]):
    """Base of everything that ``subscribe`` and ``listen`` take.

    Attributes:
        channel: the name of the channel that it goes to.
        wishes: for each key of the channel (an asset id, or ``""`` for what belongs to no
            asset) the classes wanted.
    """

    __slots__ = ("channel", "wishes")

    channel: str
    wishes: Mapping[str, Kinds]


class Market(Subscription[E_co]):
    """Order books, their changes and trades of some tokens.

    Args:
        assets: token ids (decimal strings) or what ``lookup`` returned, which stands for
            all tokens of its market.
        events: the classes wanted, ``(Book, PriceChange, LastTradePrice, TickSizeChange)``
            by default. A tuple rather than a list: mypy cannot tell what several classes in
            a list have in common. What is not wanted is never decoded. Naming ``BestBidAsk``,
            ``NewMarket`` or ``MarketResolved`` turns the server's custom features on.
            ``NewMarket`` is global and needs no token.

    Raises:
        UsageError: no token, or something that is none; the text shows the right call.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: Market[Book | PriceChange | LastTradePrice | TickSizeChange],
            *assets: str | MarketInfo,
            events: None = None,
        ) -> None: ...

        @overload
        def __init__(
            self: Market[M], *assets: str | MarketInfo, events: Iterable[type[M]]
        ) -> None: ...

    def __init__(
        self, *assets: str | MarketInfo, events: Iterable[type[MarketEvent]] | None = None
    ) -> None:
        kinds = _kinds(events)
        everywhere = kinds & {NewMarket}
        of_assets = kinds - everywhere
        asset_ids = _asset_ids(assets)
        if of_assets and not asset_ids:
            raise UsageError(
                "Market() names no token: write Market(asset_id, …) or Market(lookup(slug)). "
                "Only Market(events=[NewMarket]) works without one"
            )
        wishes: dict[str, Kinds] = dict.fromkeys(asset_ids, of_assets) if of_assets else {}
        if everywhere:
            wishes[EVERYWHERE] = everywhere
        self.channel = "market"
        self.wishes = wishes

    @property
    def asset_ids(self) -> tuple[str, ...]:
        """The tokens, each once, in the order given."""
        return tuple(key for key in self.wishes if key != EVERYWHERE)

    def __repr__(self) -> str:
        kinds = frozenset().union(*self.wishes.values())
        names = ", ".join(kind.__name__ for kind in _MARKET_EVENTS if kind in kinds)
        shown = ", ".join(repr(asset_id) for asset_id in self.asset_ids[:3])
        more = f", … {len(self.asset_ids) - 3} more" if len(self.asset_ids) > 3 else ""
        return f"Market({shown}{more}{', ' if shown else ''}events=[{names}])"


class User(Subscription[Order | Trade]):
    """The user's own orders and trades. Needs a client with credentials.

    Args:
        markets: condition ids (``0x`` and 64 hex digits) or what ``lookup`` returned; none
            for all markets.

    Raises:
        UsageError: something that is no condition id; the text shows the right call.
    """

    __slots__ = ()

    def __init__(self, *markets: str | MarketInfo) -> None:
        keys = [_condition_id(market) for market in markets]
        self.channel = "user"
        self.wishes = dict.fromkeys(keys or (EVERYWHERE,), _USER_EVENTS)

    @property
    def condition_ids(self) -> tuple[str, ...]:
        """The markets, each once, in the order given; none for all."""
        return tuple(key for key in self.wishes if key != EVERYWHERE)

    def __repr__(self) -> str:
        return f"User({', '.join(map(repr, self.condition_ids))})"


def _condition_id(market: object) -> str:
    if isinstance(market, MarketInfo):
        return market.condition_id.lower()
    if isinstance(market, str):
        # Lower case, so that one market has one key: hex digits come in either.
        text = market.lower()
        if _CONDITION_ID.fullmatch(text):
            return text
        if market.isascii() and market.isdecimal():
            raise UsageError(
                f"{market[:100]!r} is a token id; the user channel takes condition ids: write "
                f"User(lookup({market[:100]!r}))"
            )
        raise UsageError(
            f"{market[:100]!r} is no condition id (0x and 64 hex digits); for a slug or a URL "
            f"write User(lookup({market[:100]!r}))"
        )
    if isinstance(market, Iterable):
        raise UsageError(
            "User takes the condition ids one by one, not in a list: write User(*condition_ids)"
        )
    raise UsageError(f"User takes condition ids or what lookup() returned, not {market!r}")


def _kinds(events: Iterable[type[Event]] | None) -> Kinds:
    if events is None:
        return _DEFAULT_MARKET_EVENTS
    if isinstance(events, (type, str)) or not isinstance(events, Iterable):
        name = events.__name__ if isinstance(events, type) else "Book"
        raise UsageError(f"events takes a list of classes: Market(…, events=[{name}])")
    kinds: set[type[Event]] = set()
    for kind in events:
        if kind is MarketEvent:
            kinds.update(_MARKET_EVENTS)
        elif kind in _MARKET_EVENTS:
            kinds.add(kind)
        else:
            known = ", ".join(known.__name__ for known in _MARKET_EVENTS)
            raise UsageError(f"events takes classes out of {known}; {kind!r} is none of them")
    if not kinds:
        raise UsageError("events is empty: name the classes wanted, or leave it out")
    return frozenset(kinds)


def _asset_ids(assets: tuple[object, ...]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for asset in assets:
        if isinstance(asset, MarketInfo):
            if not asset.asset_ids:
                raise UsageError(f"the market {asset.slug or asset.condition_id} has no tokens yet")
            found.update(dict.fromkeys(asset.asset_ids))
        elif isinstance(asset, str):
            found[_asset_id(asset)] = None
        elif isinstance(asset, bool) or asset is None:
            raise UsageError(f"Market takes token ids as strings, not {asset!r}")
        elif isinstance(asset, int):
            raise UsageError(f'token ids are strings, quote them: Market("{asset}")')
        elif isinstance(asset, Iterable):
            raise UsageError(
                "Market takes the ids one by one, not in a list: write Market(*asset_ids)"
            )
        else:
            raise UsageError(f"Market takes token ids or what lookup() returned, not {asset!r}")
    return tuple(found)


def _asset_id(text: str) -> str:
    # ASCII only: str.isdecimal alone would let Arabic-Indic digits through to the wire.
    if text.isascii() and text.isdecimal() and len(text) <= 78:
        return text
    if text.startswith("0x") and len(text) == 66:
        raise UsageError(
            f"{text!r} is a condition id; the market channel takes token ids: "
            f"write Market(lookup({text!r}))"
        )
    raise UsageError(
        f"{text[:100]!r} is no token id (up to 78 decimal digits); "
        f"for a slug or a URL write Market(lookup({text[:100]!r}))"
    )
