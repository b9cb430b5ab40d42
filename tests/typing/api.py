"""How the public names are used, for mypy and pyright; never run."""

from __future__ import annotations

from decimal import Decimal

from typing_extensions import assert_type

from polymarket_ws import (
    Backoff,
    BestBidAsk,
    Book,
    BookSnapshot,
    Client,
    Connected,
    Delivery,
    Endpoints,
    Event,
    Feed,
    Health,
    LastTradePrice,
    Level,
    Lifecycle,
    Liveness,
    Market,
    MarketEvent,
    MarketInfo,
    NewMarket,
    OrderBook,
    PriceChange,
    Stats,
    Stream,
    Subscription,
    TickSizeChange,
    from_json,
    lookup,
)


def a_market_is_looked_up() -> None:
    market = lookup("https://polymarket.com/event/weather", timeout=5.0, proxy="env")
    assert_type(market, MarketInfo)
    assert_type(market.asset_ids, tuple[str, ...])
    assert_type(market.tick_size, Decimal | None)
    lookup("will-it-rain", endpoints=Endpoints.at("ws://127.0.0.1:8765"))


def an_event_comes_back_from_json(book: OrderBook) -> None:
    event = from_json("{}")
    assert_type(event, Event)
    assert_type(event.to_json(), str)
    assert_type(book.apply(event), bool)


def a_client_takes_its_settings() -> None:
    with Client(
        endpoints=Endpoints(),
        delivery=Delivery(max_events=10, overflow="fail"),
        backoff=Backoff(initial=0.5),
        liveness=Liveness(socket=10.0, first_book=None),
        assets_per_connection=100,
        connect_timeout=None,
        proxy="env",
        on_error="stop",
    ) as client:
        assert_type(client, Client)
        assert_type(client.wait_connected(5.0), bool)
        assert_type(client.health(), Health)
        assert_type(client.close(timeout=1.0), bool)


def a_stream_yields_what_its_subscription_is_of(client: Client, a: str) -> None:
    stream = client.subscribe(Market(a))
    assert_type(stream, Stream[Book | PriceChange | LastTradePrice | TickSizeChange])
    for event in stream:
        assert_type(event, Book | PriceChange | LastTradePrice | TickSizeChange)
        assert_type(event.condition_id, str)
    assert_type(next(stream), Book | PriceChange | LastTradePrice | TickSizeChange)
    assert_type(stream.get(timeout=1.0), Book | PriceChange | LastTradePrice | TickSizeChange)
    assert_type(stream.stats, Stats)


def a_stream_of_one_class_yields_that_class(client: Client, a: str, market: MarketInfo) -> None:
    for book in client.subscribe(Market(a, market, events=[Book])):
        assert_type(book, Book)
        assert_type(book.bids, tuple[Level, ...])
        assert_type(book.best_bid, Decimal | None)


def a_mixed_stream_yields_the_union(client: Client, a: str, b: str) -> None:
    for event in client.subscribe(Market(a), Market(b, events=[NewMarket])):
        assert_type(event, Book | PriceChange | LastTradePrice | TickSizeChange | NewMarket)
    # mypy joins classes to their base where pyright makes a union of them. Both take the
    # union from where it is written.
    stream: Stream[Book | BestBidAsk]
    stream = client.subscribe(Market(a, events=[Book]), Market(b, events=[BestBidAsk]))
    for other in stream:
        assert_type(other, Book | BestBidAsk)
    # Of a list of several classes mypy would not know what they have in common.
    for of_three in client.subscribe(Market(a, events=(Book, NewMarket, LastTradePrice))):
        assert_type(of_three.market, str)
    wish: Market[Book | NewMarket] = Market(a, events=(Book, NewMarket))
    assert_type(client.subscribe(wish), Stream[Book | NewMarket])


def all_adds_what_happens_to_the_stream(client: Client, a: str) -> None:
    view = client.subscribe(Market(a, events=[Book])).all()
    for event in view:
        assert_type(event, Book | Lifecycle)
        if isinstance(event, Connected):
            assert_type(event.gap_seconds, float)
    assert_type(view.get(timeout=1.0), Book | Lifecycle)


def subscriptions_and_streams_are_covariant(client: Client, a: str) -> None:
    def subscribed(wish: Subscription[MarketEvent]) -> Stream[MarketEvent]:
        return client.subscribe(wish)

    narrow = client.subscribe(Market(a, events=[Book]))
    assert_type(narrow, Stream[Book])
    for stream in (subscribed(Market(a, events=[Book])), narrow):
        stream.close()


def a_feed_changes_while_it_lives(client: Client, a: str, b: str) -> None:
    with client.listen(Market(a)) as feed:
        feed.add(Market(b))
        feed.remove(a)
        feed.replace(Market(a, b))
    another = client.listen(Market(a))
    assert_type(another, Feed)
    assert_type(another.asset_ids, tuple[str, ...])


def with_gives_the_stream_itself(client: Client, a: str) -> None:
    with client.subscribe(Market(a, events=[Book])) as stream:
        for event in stream:
            assert_type(event, Book)


def observers_get_the_class_that_they_ask_for(client: Client) -> None:
    def looked(book: Book) -> None:
        assert_type(book.asks, tuple[Level, ...])

    client.on(Book, looked)
    client.on(Lifecycle, lambda event: event.channel)

    @client.on(LastTradePrice)
    def traded(trade: LastTradePrice) -> int:
        assert_type(trade.price, Decimal)
        return 0

    # The decorator gives the function back as it was.
    assert_type(traded(LastTradePrice.__new__(LastTradePrice)), int)
    client.off(traded)
    client.run()


def a_book_is_read(market: MarketInfo) -> None:
    book = OrderBook.of(market, market.asset_ids[0])
    assert_type(book.best_ask, Decimal | None)
    assert_type(book.asks, tuple[Level, ...])
    assert_type(book.snapshot(), BookSnapshot)
    assert_type(book.hash(), str)
