from __future__ import annotations

import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from polymarket_ws import (
    Backoff,
    Client,
    ClientClosed,
    Credentials,
    Endpoints,
    SubscriptionStalled,
)
from polymarket_ws.integrations.sse.broadcast import AtCapacity, Broadcast, Limits
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.event_stream import Parser
from tests.integrations.sse.house import House, Visitor
from tests.ports import unused_port


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    # A port of its own, also while it is down: one that the system chose may be given away then.
    with Exchange(port=unused_port(), rate=None, markets=4) as exchange:
        yield exchange


@pytest.fixture
def house(exchange: Exchange) -> Iterator[House]:
    house = House(exchange)
    yield house
    assert house.broadcast.close(scaled(5))
    assert house.client.close(scaled(5))


def own_threads() -> set[str]:
    names = {thread.name for thread in threading.enumerate()}
    return {name for name in names if name.startswith("polymarket-ws-web")}


def test_first_comes_what_a_page_needs_then_the_books(house: House) -> None:
    visitor = house.visit(0, 1)
    assert visitor.kinds() == ["ws-subscribed"] + ["market-update/book"] * 4
    listed = visitor.messages[0].body["markets"]
    infos = house.exchange.markets[:2]
    assert [market["condition_id"] for market in listed] == [info.condition_id for info in infos]
    for info in infos:
        visitor.live(info)


def test_nothing_runs_before_the_first_browser_and_after_the_last(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    house = House(exchange, grace=0.05)
    assert own_threads() == set()
    assert exchange.connections == ()
    visitor = house.visit(0)
    visitor.live(exchange.markets[0])
    assert own_threads() == {"polymarket-ws-web-clock", "polymarket-ws-web-markets"}
    house.leave(visitor)
    assert exchange.wait_for(lambda: not exchange.connections, seconds(10))
    for thread in threading.enumerate():
        if thread.name.startswith("polymarket-ws-web"):
            thread.join(seconds(5))
    assert own_threads() == set()
    # And again.
    again = house.visit(0)
    again.live(exchange.markets[0])
    assert house.broadcast.close(seconds(5))
    assert house.client.close(seconds(5))


def test_many_browsers_cost_one_subscription_a_token(house: House) -> None:
    exchange = house.exchange
    visitors = [house.visit(*chosen) for _ in range(50) for chosen in ((0,), (1,), (0, 1), (2,))]
    for visitor in visitors:
        for board in visitor.browser.boards:
            visitor.live(board.info)
    (connection,) = exchange.connections
    wanted = [asset_id for info in exchange.markets[:3] for asset_id in info.asset_ids]
    assert exchange.subscribed == set(wanted)
    sent = "".join(text for _, text in exchange.received)
    assert [sent.count(asset_id) for asset_id in wanted] == [1] * 6
    assert house.broadcast.reading().browsers == 200
    assert connection.path == "/ws/market"


def test_a_market_is_let_go_some_time_after_its_last_browser(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    house = House(exchange, grace=0.1)
    stays, first, second = house.visit(0), house.visit(1), house.visit(1)
    stays.live(exchange.markets[0])
    first.live(exchange.markets[1])
    house.leave(first)
    house.leave(first)
    second.live(exchange.markets[1])
    assert exchange.subscribed == {*exchange.markets[0].asset_ids, *exchange.markets[1].asset_ids}
    house.leave(second)
    assert exchange.wait_for(
        lambda: exchange.subscribed == set(exchange.markets[0].asset_ids), seconds(10)
    )
    assert house.broadcast.reading().markets == 1
    assert house.broadcast.close(seconds(5))
    assert house.client.close(seconds(5))


def test_a_market_that_was_settled_is_shown_as_that_however_long_nobody_watched(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    house = House(exchange, grace=0.05)
    first = house.visit(0, 1)
    first.live(exchange.markets[0])
    exchange.market(0).resolve("No")
    first.until(lambda message: message.kind == "market-update/resolved")
    house.leave(first)
    assert exchange.wait_for(lambda: not exchange.connections, seconds(10))
    # Twice: what was remembered once is remembered again.
    for _ in range(2):
        later = house.visit(0)
        assert later.kinds() == [
            "ws-subscribed",
            "market-update/book",
            "market-update/book",
            "market-update/resolved",
        ]
        assert [message.body["resolved"] for message in later.messages[1:3]] == [True, True]
        assert later.messages[-1].body["outcome"] == "No"
        house.leave(later)
        assert exchange.wait_for(lambda: not exchange.connections, seconds(10))
    assert house.broadcast.close(seconds(5))
    assert house.client.close(seconds(5))


def test_every_trade_is_told_and_only_the_newest_book(house: House) -> None:
    exchange = house.exchange
    market = exchange.market(0)
    visitor = house.visit(0)
    visitor.live(market.info)
    began = time.monotonic()
    for size in range(1, 101):
        market.trade("Yes", "BUY", "0.62", size)
    visitor.until(lambda message: message.body.get("size") == "100")
    visitor.until(
        lambda message: (
            message.body.get("last_trade_price") == "0.62" and message.body["outcome"] == "Yes"
        )
    )
    trades = [m.body["size"] for m in visitor.messages if m.kind == "market-update/trade"]
    assert trades == [str(size) for size in range(1, 101)]
    took = time.monotonic() - began
    books = [m for m in visitor.messages if m.kind == "market-update/book"]
    # Four at first; then one of each outcome, 20 times a second. The trades changed both 100 times.
    assert len(books) <= 4 + 2 * (20 * took + 1)


def test_ids_only_grow_and_who_comes_back_misses_nothing_and_gets_nothing_twice(
    house: House,
) -> None:
    exchange = house.exchange
    market = exchange.market(0)
    witness = house.visit(0, 1)
    witness.live(market.info)
    witness.live(exchange.markets[1])
    told: list[str] = []
    since: str | None = None
    size = 0
    for _ in range(10):
        visitor = house.visit(0, 1, since=since)
        for _ in range(7):
            size += 1
            market.trade("Yes", "BUY", "0.62", size)
        witness.until(lambda message: message.body.get("size") == str(size))  # noqa: B023
        visitor.read(0)
        told += [m.body["size"] for m in visitor.messages if m.kind == "market-update/trade"]
        assert "ws-error/gap" not in visitor.kinds()
        since = visitor.id
        house.leave(visitor)
        size += 1
        market.trade("No", "SELL", "0.38", size)  # while nobody but the witness is there
        witness.until(lambda message: message.body.get("size") == str(size))  # noqa: B023
    last = house.visit(0, 1, since=since)
    told += [m.body["size"] for m in last.messages if m.kind == "market-update/trade"]
    assert told == [str(each) for each in range(1, size + 1)]
    numbers = [int(m.last_event_id.partition("-")[2]) for m in witness.messages]
    assert numbers == sorted(numbers)


def test_who_comes_back_is_told_the_present_books(house: House) -> None:
    market = house.exchange.market(0)
    visitor = house.visit(0)
    visitor.live(market.info)
    house.leave(visitor)
    again = house.visit(0, since=visitor.id)
    books = [m for m in again.messages if m.kind == "market-update/book"]
    assert [book.body["state"] for book in books] == ["live", "live"]


@pytest.mark.parametrize(
    "since", ["0badcafe-1", "nonsense", "-", "9" * 5000, "\u0663-\u0663", "{own}-9999999"]
)
def test_an_id_that_is_not_known_here_is_a_gap(house: House, since: str) -> None:
    own = house.visit(0).id.partition("-")[0]
    visitor = house.visit(0, since=since.replace("{own}", own))
    assert visitor.kinds()[:2] == ["ws-subscribed", "ws-error/gap"]
    visitor.live(house.exchange.markets[0])


def test_what_is_too_old_is_a_gap(house: House) -> None:
    market = house.exchange.market(0)
    early = house.visit(0)
    early.live(market.info)
    for size in range(1, 1101):
        market.trade("Yes", "BUY", "0.62", size)
    witness = house.visit(0)
    market.trade("Yes", "BUY", "0.62", 5000)
    witness.until(lambda message: message.body.get("size") == "5000")
    late = house.visit(0, since=early.id)
    assert late.kinds()[:2] == ["ws-subscribed", "ws-error/gap"]
    sizes = [m.body["size"] for m in late.messages if m.kind == "market-update/trade"]
    assert len(sizes) == 1024
    assert sizes[-1] == "5000"


@pytest.mark.parametrize("user", [False, True])
def test_what_happened_while_nobody_listened_is_a_gap(
    exchange: Exchange, seconds: Callable[[float], float], user: bool
) -> None:
    house = House(exchange, grace=0.05)
    markets = () if user else (0,)
    first = house.visit(*markets, user=user)
    assert "ws-error/gap" not in first.kinds()
    assert exchange.wait_for(lambda: exchange.connections, seconds(10))
    first.read(0)
    house.leave(first)
    assert exchange.wait_for(lambda: not exchange.connections, seconds(10))
    # Nothing was numbered meanwhile: nobody was there to number it.
    again = house.visit(*markets, user=user, since=first.id)
    assert again.kinds()[:2] == ["ws-subscribed", "ws-error/gap"]
    # And of what was heard from then on nothing is missing.
    third = house.visit(*markets, user=user, since=again.id)
    assert "ws-error/gap" not in third.kinds()
    assert house.broadcast.close(seconds(5))
    assert house.client.close(seconds(5))


def test_a_slow_browser_is_told_what_it_missed_and_holds_up_nobody(house: House) -> None:
    market = house.exchange.market(0)
    slow, quick = house.visit(0), house.visit(0)
    slow.live(market.info)
    for size in range(1, 1101):
        market.trade("Yes", "BUY", "0.62", size)
    quick.until(lambda message: message.body.get("size") == "1100")
    slow.until(lambda message: message.body.get("size") == "1100")
    (dropped,) = [m for m in slow.messages if m.kind == "ws-error/dropped"]
    trades = [m.body["size"] for m in slow.messages if m.kind == "market-update/trade"]
    assert dropped.body["count"] + len(trades) == 1100
    assert trades == [str(size) for size in range(1101 - len(trades), 1101)]
    # Once.
    market.trade("Yes", "BUY", "0.62", 2000)
    slow.until(lambda message: message.body.get("size") == "2000")
    assert slow.kinds().count("ws-error/dropped") == 1


def test_more_that_went_wrong_than_is_kept_is_told_as_a_gap_once(house: House) -> None:
    broadcast = house.broadcast
    slow, quick = house.visit(0), house.visit(0)
    for visitor in (slow, quick):
        visitor.live(house.exchange.markets[0])
        visitor.read(0)
    del slow.messages[:], quick.messages[:]
    stalled = SubscriptionStalled(channel="market", asset_ids=house.exchange.markets[0].asset_ids)
    reader = broadcast._markets_reader
    assert reader is not None
    for _ in range(300):
        broadcast._deliver(reader, stalled)
        quick.read(0)
    slow.read(0)
    assert slow.kinds() == ["ws-error/gap"] + ["ws-error/stalled"] * 256
    assert quick.kinds() == ["ws-error/stalled"] * 300
    late = house.visit(0, since=quick.messages[0].last_event_id)
    assert late.kinds().count("ws-error/gap") == 1
    broadcast._deliver(reader, stalled)
    for visitor in (slow, quick, late):
        del visitor.messages[:]
        visitor.read(0)
        assert visitor.kinds() == ["ws-error/stalled"]


def test_a_lost_exchange_is_told_and_so_is_its_return(house: House) -> None:
    visitor = house.visit(0)
    info = house.exchange.markets[0]
    visitor.live(info)
    del visitor.messages[:]
    house.exchange.drop("reset")
    lost = visitor.until(lambda message: message.kind == "ws-disconnected")
    assert lost.body["asset_ids"] == list(info.asset_ids)
    back = visitor.until(lambda message: message.kind == "ws-subscribed")
    assert back.body["gap_seconds"] > 0
    assert back.body["asset_ids"] == list(info.asset_ids)
    visitor.live(info)
    states = [m.body["state"] for m in visitor.messages if m.kind == "market-update/book"]
    assert states[0] == "stale"
    assert states[-1] == "live"


def test_who_comes_while_the_exchange_is_lost_is_told_so(
    house: House, seconds: Callable[[float], float]
) -> None:
    exchange = house.exchange
    info = exchange.markets[0]
    first = house.visit(0)
    first.live(info)
    exchange.close("reset")
    first.until(lambda message: message.kind == "ws-disconnected")
    late = house.visit(0)
    assert late.kinds()[-1] == "ws-disconnected"
    assert late.messages[-1].body["asset_ids"] == list(info.asset_ids)
    first.until(lambda message: message.body.get("state") == "stale")
    exchange.start()
    late.until(lambda message: "gap_seconds" in message.body)
    late.live(info)
    after = house.visit(0)
    assert "ws-disconnected" not in after.kinds()
    assert exchange.wait_for(lambda: len(exchange.connections) == 1, seconds(5))


def test_an_exchange_that_was_never_there_is_told_after_a_while(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polymarket_ws.integrations.sse.broadcast._CONNECT_SECONDS", 0.2)
    info = exchange.markets[0]
    endpoints = Endpoints.at(exchange.url)
    exchange.close()
    # For ever, as a service does; by default it would give up after ten seconds.
    backoff = Backoff(initial=0.01, maximum=0.05)
    client = Client(endpoints=endpoints, backoff=backoff, connect_timeout=None)
    broadcast = Broadcast(lambda: client, limits=Limits())
    browser, text = broadcast.join([info], user=False, last_event_id=None)
    visitor = Visitor(broadcast, browser)
    visitor.messages += visitor.parser.feed(text)
    lost = visitor.until(lambda message: message.kind == "ws-disconnected")
    assert lost.body["reason"] == "no connection yet"
    assert lost.body["last_message_at"] is None
    exchange.start()
    visitor.until(lambda message: "gap_seconds" in message.body)
    visitor.live(info)
    assert broadcast.close(scaled(5))
    assert client.close(scaled(5))


def test_a_page_that_is_loaded_anew_shows_the_orders_that_it_showed_before(
    house: House, seconds: Callable[[float], float]
) -> None:
    exchange = house.exchange
    owner = house.visit(user=True)
    assert exchange.wait_for(
        lambda: any("PING" in text for _, text in exchange.received), seconds(20)
    )
    for size in range(5, 215):
        exchange.account.place(exchange.markets[0].asset_ids[0], "BUY", "0.01", size)
    owner.until(lambda message: message.body.get("original_size") == "214")
    anew = house.visit(user=True)
    shown = [m for m in anew.messages if m.type == "polymarket-user-update"]
    assert [m.body["original_size"] for m in shown] == [str(size) for size in range(15, 215)]
    # Their ids are not told: who comes back from here has nothing to read again.
    again = house.visit(user=True, since=anew.id)
    assert [m for m in again.messages if m.type == "polymarket-user-update"] == []


def test_orders_and_fills_are_told_to_who_may_see_them_and_to_nobody_else(
    house: House, seconds: Callable[[float], float]
) -> None:
    exchange = house.exchange
    owner, stranger = house.visit(0, user=True), house.visit(0)
    owner.live(exchange.markets[0])
    assert owner.messages[0].body["user"] is True
    assert exchange.wait_for(
        lambda: any("PING" in text for _, text in exchange.received), seconds(20)
    )
    token = exchange.markets[0].asset_ids[0]
    for size in range(5, 25):
        exchange.account.place(token, "BUY", "0.01", size)
    exchange.account.place(token, "BUY", "0.99", 5, "FOK")
    exchange.account.finish_trades()
    owner.until(lambda message: message.body.get("status") == "CONFIRMED")
    updates = [m.body for m in owner.messages if m.type == "polymarket-user-update"]
    placed = [each["original_size"] for each in updates if each.get("action") == "PLACEMENT"]
    assert placed[:20] == [str(size) for size in range(5, 25)]
    fills = [each["fills"] for each in updates if each["type"] == "trade"]
    assert fills
    assert all(fills)
    stranger.read(0)
    assert [m for m in stranger.messages if m.type == "polymarket-user-update"] == []
    # Coming back without being allowed to does not help.
    thief = house.visit(0, since=owner.messages[0].last_event_id)
    assert [m for m in thief.messages if m.type == "polymarket-user-update"] == []
    again = house.visit(user=True, since=owner.messages[0].last_event_id)
    assert [m.body for m in again.messages if m.type == "polymarket-user-update"] == updates


def test_wrong_credentials_cost_the_orders_and_not_the_markets(exchange: Exchange) -> None:
    right = exchange.account.credentials
    wrong = Credentials(str(uuid.uuid4()), "c2VjcmV0", "passphrase", right.address)
    client = Client(wrong, endpoints=Endpoints.at(exchange.url))
    broadcast = Broadcast(lambda: client, api_key=wrong.api_key, limits=Limits())
    info = exchange.markets[0]
    browser, text = broadcast.join([info], user=True, last_event_id=None)
    only_orders, _ = broadcast.join([], user=True, last_event_id=None)
    visitor = Visitor(broadcast, browser)
    visitor.messages += visitor.parser.feed(text)
    failed = visitor.until(lambda message: message.kind == "ws-error/failed")
    assert failed.body["channel"] == "user"
    visitor.live(info)
    assert browser.farewell is None
    assert only_orders.farewell is not None
    assert broadcast.close(scaled(5))
    assert client.close(scaled(5))


def test_who_sees_markets_too_comes_back_to_a_new_stream_of_the_account_and_a_gap(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    account = exchange.account
    ends, again, markets = clients = [
        Client(account.credentials, endpoints=Endpoints.at(exchange.url)) for _ in range(3)
    ]
    made = iter((markets, ends, again))
    broadcast = Broadcast(lambda: next(made), api_key=account.credentials.api_key, limits=Limits())
    info = exchange.markets[0]
    browser, text = broadcast.join([info], user=True, last_event_id=None)
    visitor = Visitor(broadcast, browser)
    visitor.messages += visitor.parser.feed(text)
    visitor.live(info)
    assert ends.close(seconds(5))
    failed = visitor.until(lambda message: message.kind == "ws-error/failed")
    assert failed.body["channel"] == "user"
    assert browser.farewell is not None
    broadcast.leave(browser)
    browser, text = broadcast.join([info], user=True, last_event_id=visitor.id)
    back = Visitor(broadcast, browser)
    back.messages += back.parser.feed(text)
    assert back.kinds()[:2] == ["ws-subscribed", "ws-error/gap"]
    assert broadcast.reading().user
    assert broadcast.close(seconds(5))
    for client in clients:
        assert client.close(seconds(5))


def test_markets_are_bounded_and_idle_ones_make_room(house: House, exchange: Exchange) -> None:
    small = Broadcast(lambda: house.client, limits=Limits(markets=2))
    first, _ = small.join(exchange.markets[:1], user=False, last_event_id=None)
    second, _ = small.join(exchange.markets[1:2], user=False, last_event_id=None)
    with pytest.raises(AtCapacity, match="markets"):
        small.join(exchange.markets[2:3], user=False, last_event_id=None)
    assert small.reading().markets == 2
    small.join(exchange.markets[:2], user=False, last_event_id=None)
    small.leave(second)
    with pytest.raises(AtCapacity):
        small.join(exchange.markets[1:3], user=False, last_event_id=None)
    assert small.close(scaled(5))
    assert first.farewell is not None


def test_browsers_are_bounded(house: House, exchange: Exchange) -> None:
    small = Broadcast(lambda: house.client, limits=Limits(browsers=1))
    browser, _ = small.join(exchange.markets[:1], user=False, last_event_id=None)
    with pytest.raises(AtCapacity, match="visitors"):
        small.join(exchange.markets[:1], user=False, last_event_id=None)
    small.leave(browser)
    small.join(exchange.markets[:1], user=False, last_event_id=None)
    assert small.close(scaled(5))


def test_closing_says_goodbye_to_every_browser_and_lets_nobody_in(house: House) -> None:
    visitor = house.visit(0)
    assert house.broadcast.close(scaled(5))
    assert visitor.browser.wait(0)
    assert visitor.browser.farewell is not None
    (goodbye,) = Parser().feed(visitor.browser.farewell)
    assert goodbye.kind == "ws-unsubscribed"
    with pytest.raises(AtCapacity, match="this server ends"):
        house.visit(0)
    assert house.broadcast.close()


def test_a_gap_of_the_account_leaves_the_books_alone(
    house: House, seconds: Callable[[float], float]
) -> None:
    exchange = house.exchange
    owner = house.visit(0, user=True)
    owner.live(exchange.markets[0])
    assert exchange.wait_for(
        lambda: any("PING" in text for _, text in exchange.received), seconds(20)
    )
    (connection,) = [each for each in exchange.connections if each.path == "/ws/user"]
    exchange.drop("reset", connection=connection)
    lost = owner.until(lambda message: message.kind == "ws-disconnected")
    assert (lost.body["channel"], lost.body["asset_ids"]) == ("user", [])
    owner.until(lambda message: "gap_seconds" in message.body)
    states = [m.body["state"] for m in owner.messages if m.kind == "market-update/book"]
    assert "stale" not in states


class Server:
    """Keeps a flag for what it was asked, as uvicorn's does."""

    should_exit = False

    def handle_exit(self, number: int, frame: object) -> None:
        self.should_exit = True


def test_a_server_that_stops_ends_who_came_after_a_pause_to_a_quiet_market(
    house: House, seconds: Callable[[float], float]
) -> None:
    before = signal.signal(signal.SIGTERM, Server().handle_exit)
    try:
        first = house.visit(0)
        first.live(house.exchange.markets[0])
        house.leave(first)
        # The clock finds nobody and goes to sleep for as long as the market is kept.
        while not house.broadcast._bell._lock.locked():
            first.browser.wait(0.01)
        first.browser.wait(0.2)
        second = house.visit(0)
        signal.raise_signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds(2)
        while second.browser.farewell is None and time.monotonic() < deadline:
            second.read(seconds(0.2))
        assert second.browser.farewell is not None
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_client_that_somebody_else_closed_ends_the_responses(house: House) -> None:
    visitor = house.visit(0)
    visitor.live(house.exchange.markets[0])
    assert house.client.close(scaled(5))
    while visitor.browser.farewell is None:
        visitor.read(scaled(0.2))
    assert visitor.parser.feed(visitor.browser.farewell)[-1].kind == "ws-error/failed"
    with pytest.raises(ClientClosed):
        house.visit(0)


def test_a_stream_that_failed_for_good_ends_the_responses_and_is_tried_again(
    exchange: Exchange,
) -> None:
    wrong = Client(endpoints=Endpoints(market=f"{exchange.url}/ws/nowhere"))
    right = Client(endpoints=Endpoints.at(exchange.url))
    clients = [right, wrong]
    broadcast = Broadcast(clients.pop, limits=Limits())
    info = exchange.markets[0]
    browser, _ = broadcast.join([info], user=False, last_event_id=None)
    while browser.farewell is None:
        assert browser.wait(scaled(10))
    parser = Parser()
    (message,) = parser.feed(browser.farewell)
    assert (message.kind, parser.retry) == ("ws-error/failed", 10_000)
    assert "nowhere" not in message.data
    broadcast.leave(browser)
    again, text = broadcast.join([info], user=False, last_event_id=None)
    visitor = Visitor(broadcast, again)
    visitor.messages += visitor.parser.feed(text)
    visitor.live(info)
    assert broadcast.close(scaled(5))
    for client in (wrong, right):
        assert client.close(scaled(5))
