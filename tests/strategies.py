"""Hypothesis strategies: every event, and the many spellings of its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import strategies as st

from polymarket_ws import events
from polymarket_ws.conversion import to_dict

DECIMALS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.integers(-(10**20), 10**20),
    st.integers(-20, 6),
)
TIMESTAMPS = st.integers(10**11, 4 * 10**12)
TEXTS = st.text(max_size=12)
IDS = st.integers(0, 10**78).map(str)


def maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


def tuples(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(strategy, max_size=4).map(tuple)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TIMES = st.datetimes(
    datetime(1973, 6, 1),  # noqa: DTZ001 the strategy wants them naive
    datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=-5, minutes=-30))]),
)
LEVELS = tuples(st.builds(events.Level, price=DECIMALS, size=DECIMALS))
EVENT_MESSAGES = st.builds(
    events.EventMessage,
    id=maybe(TEXTS),
    ticker=maybe(TEXTS),
    slug=maybe(TEXTS),
    title=maybe(TEXTS),
    description=maybe(TEXTS),
)

BOOKS = st.builds(
    events.Book,
    market=TEXTS,
    timestamp=maybe(TIMESTAMPS),
    asset_id=IDS,
    bids=LEVELS,
    asks=LEVELS,
    hash=maybe(TEXTS),
    tick_size=maybe(DECIMALS),
    last_trade_price=maybe(DECIMALS),
    min_order_size=maybe(DECIMALS),
    neg_risk=maybe(st.booleans()),
)
PRICE_CHANGES = st.builds(
    events.PriceChange,
    market=TEXTS,
    timestamp=maybe(TIMESTAMPS),
    price_changes=tuples(
        st.builds(
            events.LevelChange,
            asset_id=IDS,
            price=DECIMALS,
            size=DECIMALS,
            side=st.sampled_from(["BUY", "SELL", "buy", "?"]),
            hash=maybe(TEXTS),
            best_bid=maybe(DECIMALS),
            best_ask=maybe(DECIMALS),
        )
    ),
)
LAST_TRADE_PRICES = st.builds(
    events.LastTradePrice,
    market=TEXTS,
    timestamp=maybe(TIMESTAMPS),
    asset_id=IDS,
    price=DECIMALS,
    size=DECIMALS,
    side=st.sampled_from(["BUY", "SELL", "sell"]),
    fee_rate_bps=maybe(DECIMALS),
    transaction_hash=maybe(TEXTS),
)
BEST_BID_ASKS = st.builds(
    events.BestBidAsk,
    market=TEXTS,
    timestamp=maybe(TIMESTAMPS),
    asset_id=IDS,
    best_bid=maybe(DECIMALS),
    best_ask=maybe(DECIMALS),
    spread=maybe(DECIMALS),
)
TICK_SIZE_CHANGES = st.builds(
    events.TickSizeChange,
    market=TEXTS,
    timestamp=maybe(TIMESTAMPS),
    asset_id=IDS,
    old_tick_size=maybe(DECIMALS),
    new_tick_size=DECIMALS,
)
NEW_MARKETS = st.builds(
    events.NewMarket,
    market=TEXTS,
    timestamp=maybe(TIMESTAMPS),
    id=maybe(TEXTS),
    question=maybe(TEXTS),
    slug=maybe(TEXTS),
    description=maybe(TEXTS),
    assets_ids=tuples(IDS),
    outcomes=tuples(TEXTS),
    event_message=maybe(EVENT_MESSAGES),
    tags=tuples(TEXTS),
    condition_id=maybe(TEXTS),
    active=maybe(st.booleans()),
    clob_token_ids=tuples(IDS),
    sports_market_type=maybe(TEXTS),
    line=maybe(DECIMALS),
    game_start_time=maybe(TIMES),
    order_price_min_tick_size=maybe(DECIMALS),
    group_item_title=maybe(TEXTS),
    taker_base_fee=maybe(DECIMALS),
    fees_enabled=maybe(st.booleans()),
    fee_schedule=maybe(st.dictionaries(TEXTS, JSON_VALUES, max_size=3)),
)
MARKETS_RESOLVED = st.builds(
    events.MarketResolved,
    market=TEXTS,
    timestamp=maybe(TIMESTAMPS),
    id=maybe(TEXTS),
    assets_ids=tuples(IDS),
    winning_asset_id=maybe(IDS),
    winning_outcome=maybe(TEXTS),
    event_message=maybe(EVENT_MESSAGES),
    tags=tuples(TEXTS),
    question=maybe(TEXTS),
    slug=maybe(TEXTS),
    description=maybe(TEXTS),
    outcomes=tuples(TEXTS),
)
USER_TIMES = st.integers(0, 10**8).map(lambda seconds: seconds * 1000) | TIMESTAMPS
ORDERS = st.builds(
    events.Order,
    market=TEXTS,
    timestamp=maybe(USER_TIMES),
    recovered=st.booleans(),
    type=st.sampled_from(["", "PLACEMENT", "UPDATE", "CANCELLATION"]),
    id=TEXTS,
    asset_id=IDS,
    side=st.sampled_from(["BUY", "SELL", "buy"]),
    price=DECIMALS,
    original_size=DECIMALS,
    size_matched=maybe(DECIMALS),
    status=maybe(TEXTS),
    order_type=maybe(TEXTS),
    outcome=maybe(TEXTS),
    owner=maybe(TEXTS),
    order_owner=maybe(TEXTS),
    maker_address=maybe(TEXTS),
    associate_trades=tuples(TEXTS),
    created_at=maybe(USER_TIMES),
    # 0 is the wire's word for none.
    expiration=maybe(USER_TIMES.filter(bool)),
)
TRADES = st.builds(
    events.Trade,
    market=TEXTS,
    timestamp=maybe(USER_TIMES),
    recovered=st.booleans(),
    type=st.sampled_from(["", "TRADE"]),
    id=TEXTS,
    taker_order_id=maybe(TEXTS),
    asset_id=IDS,
    side=st.sampled_from(["BUY", "SELL", "sell"]),
    size=DECIMALS,
    price=DECIMALS,
    fee_rate_bps=maybe(DECIMALS),
    status=TEXTS,
    match_time=maybe(USER_TIMES),
    last_update=maybe(USER_TIMES),
    outcome=maybe(TEXTS),
    owner=maybe(TEXTS),
    trade_owner=maybe(TEXTS),
    maker_address=maybe(TEXTS),
    transaction_hash=maybe(TEXTS),
    bucket_index=maybe(st.integers(0, 10**6)),
    maker_orders=tuples(
        st.builds(
            events.MakerOrder,
            order_id=TEXTS,
            owner=maybe(TEXTS),
            maker_address=maybe(TEXTS),
            matched_amount=DECIMALS,
            price=DECIMALS,
            fee_rate_bps=maybe(DECIMALS),
            asset_id=IDS,
            outcome=maybe(TEXTS),
            outcome_index=maybe(st.integers(0, 1)),
            side=maybe(st.sampled_from(["BUY", "SELL"])),
        )
    ),
    trader_side=maybe(st.sampled_from(["TAKER", "MAKER"])),
)
USER_EVENTS = ORDERS | TRADES
FAST_EVENTS = st.one_of(BOOKS, PRICE_CHANGES, LAST_TRADE_PRICES, BEST_BID_ASKS, TICK_SIZE_CHANGES)
DATA_EVENTS = FAST_EVENTS | NEW_MARKETS | MARKETS_RESOLVED

_ABOUT = {
    "channel": st.sampled_from(["", "market", "user"]),
    "connection": st.integers(0, 99),
    "asset_ids": tuples(IDS),
    "condition_ids": tuples(TEXTS),
}
_SECONDS = st.floats(0, 4e9)
LIFECYCLE_EVENTS = st.one_of(
    st.builds(
        events.Connected,
        epoch=st.integers(1, 99),
        gap_seconds=_SECONDS,
        recovers=maybe(st.booleans()),
        **_ABOUT,
    ),
    st.builds(
        events.Disconnected,
        code=st.integers(1000, 4999),
        reason=TEXTS,
        last_message_at=maybe(_SECONDS),
        **_ABOUT,
    ),
    st.builds(events.Subscribed, **_ABOUT),
    st.builds(events.Unsubscribed, **_ABOUT),
    st.builds(events.SubscriptionStalled, **_ABOUT),
    st.builds(events.SubscriptionRejected, message=TEXTS, **_ABOUT),
    st.builds(events.Dropped, count=st.integers(1, 10**9), **_ABOUT),
    st.builds(events.DecodeFailure, raw=TEXTS, error=TEXTS, **_ABOUT),
    st.builds(events.UnknownEvent, event_type=TEXTS, raw=TEXTS, **_ABOUT),
    st.builds(
        events.RecoveryFailed,
        since=st.integers(0, 10**13),
        until=st.integers(0, 10**13),
        error=TEXTS,
        **_ABOUT,
    ),
    st.builds(events.CallbackFailed, callback=TEXTS, error=TEXTS, **_ABOUT),
)

EVENTS = DATA_EVENTS | USER_EVENTS | LIFECYCLE_EVENTS

_UNKNOWN_KEYS = ("received_at", "epoch", "level", "side_note", "Ø")
_NUMBERS = frozenset(
    [
        "price",
        "size",
        "best_bid",
        "best_ask",
        "spread",
        "tick_size",
        "last_trade_price",
        "min_order_size",
        "fee_rate_bps",
        "old_tick_size",
        "new_tick_size",
        "timestamp",
        "original_size",
        "size_matched",
        "matched_amount",
        "created_at",
        "expiration",
        "match_time",
        "last_update",
    ]
)


@st.composite
def wire_texts(draw: st.DrawFn, event: events.Event) -> str:
    """Render an event as the exchange might: any order, spacing, escapes and extra fields."""
    comma, colon, escape = draw(
        st.tuples(
            st.sampled_from([",", ", ", " ,\n  "]),
            st.sampled_from([":", ": ", "\t: "]),
            st.booleans(),
        )
    )

    def write(value: object, key: str = "") -> str:
        if isinstance(value, Mapping) and key != "fee_schedule":
            fields = [
                f"{json.dumps(name, ensure_ascii=escape)}{colon}{write(item, name)}"
                for name, item in value.items()
            ]
            if draw(st.booleans()):
                name = draw(st.sampled_from(_UNKNOWN_KEYS))
                if name not in value:
                    extra = json.dumps(draw(JSON_VALUES))
                    fields.append(f"{json.dumps(name)}{colon}{extra}")
            return "{" + comma.join(draw(st.permutations(fields))) + "}"
        if isinstance(value, list):
            return "[" + comma.join(write(item) for item in value) + "]"
        if key in _NUMBERS and isinstance(value, str) and draw(st.integers(0, 3)) == 0:
            return value
        return json.dumps(value, ensure_ascii=escape)

    return write(to_dict(event))
