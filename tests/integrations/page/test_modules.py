"""The page's modules without a document's elements, in the browser that runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

PAGE = Path(__file__).resolve().parents[3] / "polymarket_ws" / "integrations" / "page"


@pytest.fixture
def call(open_page: Callable[..., Any]) -> Callable[..., Any]:
    """Evaluate a function of a module's names: ``call("format", "m => m.cents('0.5')")``."""
    page = open_page("about:blank")
    page.route("**/*", lambda route: route.fulfill(path=PAGE / route.request.url.split("/")[-1]))
    page.goto("http://modules.invalid/icon.svg")

    def run(module: str, function: str) -> Any:
        return page.evaluate(f"async () => ({function})(await import('/{module}.js'))")

    return run


def test_numbers_are_written_as_the_exchange_has_them(call: Callable[..., Any]) -> None:
    written = call(
        "format",
        """({cents, percent, shares, wholeShares, span, ago, places}) => ({
            cents: [cents('0.42'), cents('0.425'), cents('0.42', 1), cents(null), cents('0.0001')],
            percent: [0.425, 0.6685, 0.3315, 0.0004, 0.9999, 1, 0, null]
                .map((one) => percent(one).join('')),
            shares: ['5', '21.21', '2539.4', '1234567', null].map(shares),
            whole: ['0.36', '5.95', '98765', '2500000'].map(wholeShares),
            span: [0.41, 9.96, 42, 180, 7300].map(span),
            ago: [0.2, 3.7, 60].map(ago),
            places: ['0.01', '0.001', '0.0001', '0.1', null].map(places),
        })""",
    )
    assert written == {
        "cents": ["42¢", "42.5¢", "42.0¢", "–", "0.01¢"],
        "percent": ["42.5%", "66.8%", "33.2%", "0.1%", "99.9%", "100.0%", "0.0%", "–"],
        "shares": ["5", "21.21", "2,539", "1.2M", "–"],
        "whole": ["<1", "6", "98,765", "2.5M"],
        "span": ["0.4 s", "10.0 s", "42 s", "3 min", "2 h"],
        "ago": ["just now", "3 s ago", "60 s ago"],
        "places": [0, 1, 2, 0, 0],
    }


def test_the_memory_of_a_market_is_bounded(call: Callable[..., Any]) -> None:
    kept = call(
        "market-state",
        """({MarketState, WINDOW_MS}) => {
            const market = new MarketState({condition_id: '0x1', asset_ids: ['1', '2']});
            for (let at = 0; at < 20_000; at++) {
                const bid = (0.3 + (at % 40) / 100).toFixed(2);
                market.fold({type: 'book', asset_id: '1', best_bid: bid, best_ask: '0.75',
                             bids: [[bid, '5']], asks: [['0.75', '1']], state: 'live'}, at * 100);
                market.fold({type: 'trade', asset_id: '2', price: '0.4', size: '1', side: 'BUY',
                             timestamp: at}, at * 100);
            }
            const points = market.outcomes[0].points;
            return [points.length, points.at(-1).at - points[1].at <= WINDOW_MS,
                    market.trades.length];
        }""",
    )
    assert kept == [301, True, 30]


def test_a_wide_spread_is_priced_by_the_last_trade(call: Callable[..., Any]) -> None:
    prices = call(
        "market-state",
        """({Outcome}) => [['0.4', '0.44', '0.9'], ['0.1', '0.9', '0.3'], ['0.1', '0.9', null],
                          ['0.2', null, null], [null, null, '0.7'], [null, null, null]].map(
            ([bid, ask, last]) => {
                const one = Object.assign(new Outcome('1', 'Yes'), {bid, ask, last});
                one.reprice(0);
                return one.price === null ? null : one.price.toFixed(2);
            })""",
    )
    assert prices == ["0.42", "0.30", "0.50", "0.20", "0.70", None]


def test_an_order_never_goes_back_and_old_ones_are_forgotten(call: Callable[..., Any]) -> None:
    seen = call(
        "order-state",
        """({AccountState}) => {
            const account = new AccountState();
            const tell = (id, matched, more) => account.fold('0x1', {type: 'order', id, side: 'BUY',
                price: '0.4', original_size: '10', size_matched: String(matched), status: 'LIVE',
                order_type: 'GTC', ...more}, 0);
            tell('a', 0); tell('a', 4); tell('a', 2); tell('a', 10); tell('a', 4);
            tell('b', 0, {order_type: 'FOK'}); tell('b', 0, {action: 'CANCELLATION'});
            tell('c', 3); tell('c', 3, {status: 'CANCELED_MARKET_RESOLVED'});
            tell('d', 1, {recovered: true});
            const ways = account.orders.map((one) => [one.id, one.matched, ...one.way]);
            for (let index = 0; index < 500; index++) tell(`x${index}`, 10);
            for (let index = 0; index < 500; index++) account.fold('0x1', {type: 'trade',
                id: `t${index}`, status: 'MATCHED', fills: [{order_id: 'a', role: 'MAKER',
                side: 'BUY', price: '0.4', size: '1', asset_id: '1'}]}, 0);
            return [ways, account.filled, account.cancelled, account.open.size,
                    account.orders.length, account.lastFills.length];
        }""",
    )
    assert seen == [
        [
            ["d", 1, "partly"],
            ["c", 3, "partly", "cancelled"],
            ["b", 0, "placed", "killed"],
            ["a", 10, "placed", "partly", "filled"],
        ],
        501,
        2,
        1,
        51,
        50,
    ]


def test_what_was_missed_is_told_in_plain_words(call: Callable[..., Any]) -> None:
    told = call(
        "story",
        """({story}) => {
            const calm = {link: 'live', told: true, since: 0, gaps: 0, missedSeconds: 0, outages: 0,
                outageSeconds: 0, dropped: {browser: 0, server: 0}, complaint: '',
                lostChannels: new Set()};
            return [{}, {gaps: 1, missedSeconds: 4.2}, {outages: 1, outageSeconds: 12},
                {dropped: {browser: 31, server: 0}}, {link: 'away'}, {link: 'away', since: 9000},
                {link: 'away', told: false}, {lostChannels: new Set(['market'])},
                {link: 'away', complaint: 'this market is not shown'}, {link: 'connecting'},
                {link: 'away', complaint: 'No market was named.', refused: true}]
                .map((other) => story({...calm, ...other}, 10_000))
                .map(({tone, word, detail}) => `${tone}/${word}/${detail}`);
        }""",
    )
    assert told == [
        "live/Live/nothing missed",
        "live/Live/missed 4.2 s in 1 gap",
        "live/Live/back after 12 s, nothing missed",
        "live/Live/this browser was too slow: 31 updates left out",
        "away/The server is away/connection lost 10 s ago, trying again",
        "live/Live/renewing the connection",
        "away/The server is away/no answer yet, trying again",
        "away/Reconnecting/the server lost Polymarket 10 s ago, prices are as of then",
        "wrong/Trouble/this market is not shown; trying again",
        "connecting/Connecting/waiting for the server",
        "wrong/Nothing to show/No market was named.",
    ]


def told(name: str, data: dict[str, Any], market: str = "") -> str:
    body = json.dumps({"event": name, "v": 1, "market": market, "data": data})
    return f"event: {name}\ndata: {body}\n\n"


def test_a_page_that_names_no_market_says_so_and_does_not_ask_for_ever(
    open_page: Callable[..., Any],
) -> None:
    text = "No market was named. Add ?market=… to the address."
    asked: list[str] = []

    def answer(route: Any) -> None:
        name = route.request.url.partition("?")[0].rpartition("/")[2] or "index.html"
        if name == "events":
            asked.append(route.request.resource_type)
            route.fulfill(status=400, json={"data": {"type": "refused", "message": text}})
        else:
            route.fulfill(path=PAGE / name)

    page = open_page("about:blank")
    page.route("**/*", answer)
    page.clock.install()
    page.goto("http://page.invalid/")
    page.get_by_text("Nothing to show").wait_for()
    assert page.locator("#detail").inner_text() == text
    assert page.locator("#count").inner_text() == ""
    before = len(asked)
    for _ in range(4):
        page.clock.fast_forward(60_000)
        page.evaluate("async () => { await fetch('/icon.svg'); }")
    assert len(asked) == before


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_long_names_and_huge_numbers_fit_and_what_is_unknown_is_passed_over(
    open_page: Callable[..., Any], width: int
) -> None:
    film = {
        "condition_id": "0xab",
        "question": "Which of the extraordinarily long-titled films opens the festival? " * 3,
        "slug": "film",
        "outcomes": ["The Lighthouse Keeper of the Northern Isles", "Salt", "<b>Nine Winters</b>"],
        "asset_ids": ["1", "2", "3"],
        "tick_size": "0.0001",
    }
    bare = {"condition_id": "0xcd", "asset_ids": ["4", "5"], "outcomes": [], "tick_size": None}
    book = {
        "type": "book",
        "asset_id": "1",
        "best_bid": "0.9985",
        "best_ask": "0.9995",
        "bids": [["0.9985", "1234567.89"], ["0.0001", "98765.4"]],
        "asks": [["0.9995", "12345678"]],
        "state": "live",
    }
    empty = {"type": "book", "asset_id": "2", "best_bid": None, "best_ask": None, "bids": []}
    trade = {
        "type": "trade",
        "asset_id": "1",
        "price": "0.9995",
        "size": "123456.78",
        "side": "BUY",
    }
    silent = {"type": "stalled", "message": "no book came", "asset_ids": ["4", "5"]}
    events = [
        told("polymarket-ws-subscribed", {"markets": [film, bare], "asset_ids": []}),
        told("polymarket-market-update", book, "0xab"),
        told("polymarket-market-update", empty, "0xab"),
        told("polymarket-market-update", trade, "0xab"),
        told("polymarket-market-update", {"type": "of tomorrow"}, "0xab"),
        told("polymarket-of-tomorrow", {}),
        told("polymarket-ws-error", silent),
        "data: no name\n\n",
    ]

    def answer(route: Any) -> None:
        name = route.request.url.partition("?")[0].rpartition("/")[2] or "index.html"
        if name == "events":
            route.fulfill(content_type="text/event-stream", body="".join(events))
        else:
            route.fulfill(path=PAGE / name)

    page = open_page("about:blank", viewport={"width": width, "height": 800})
    page.route("**/*", answer)
    page.goto("http://page.invalid/")
    page.get_by_text("no book came").wait_for()
    first, second = page.locator("polymarket-market").all()
    assert "<b>Nine Winters</b>" in first.locator("[part=outcomes]").inner_text()
    assert "99.85¢" in first.locator("[part=outcomes]").inner_text()
    assert "123.5K" in first.locator("[part=trades]").inner_text()
    # On a phone a line beside such names would be too short to tell anything.
    assert first.locator("td.spark").first.is_visible() is (width == 1280)
    # Waited for: the stream is over, and a browser that is slow to ask again says so meanwhile.
    expect(second.locator("[part=state]")).to_have_text("Silent")
    assert second.locator("[part=question]").inner_text() == "0xcd…"
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_another_market_in_the_same_place_leaves_nothing_of_the_last_one(
    open_page: Callable[..., Any],
) -> None:
    film = {
        "condition_id": "0xab",
        "question": "Which film opens the festival?",
        "slug": "film",
        "outcomes": ["The Lighthouse Keeper", "Salt", "Nine Winters"],
        "asset_ids": ["1", "2", "3"],
    }
    rain = {
        "condition_id": "0xcd",
        "question": "Will it rain?",
        "slug": "rain",
        "outcomes": ["Yes", "No"],
        "asset_ids": ["4", "5"],
    }
    book = {"type": "book", "asset_id": "3", "bids": [["0.31", "70"]], "asks": []}
    trade = {"type": "trade", "asset_id": "3", "price": "0.32", "size": "8", "side": "BUY"}
    events = [
        told("polymarket-ws-subscribed", {"markets": [film, rain], "asset_ids": []}),
        told("polymarket-market-update", book, "0xab"),
        told("polymarket-market-update", trade, "0xab"),
    ]

    def answer(route: Any) -> None:
        name = route.request.url.partition("?")[0].rpartition("/")[2] or "index.html"
        if name == "events":
            route.fulfill(content_type="text/event-stream", body="".join(events))
        else:
            route.fulfill(path=PAGE / name)

    page = open_page("about:blank", viewport={"width": 390, "height": 800})
    page.route("**/*", answer)
    page.goto("http://page.invalid/")
    card = page.locator("polymarket-market").first
    outcomes = card.locator("[part=outcomes] tbody tr")
    depth = card.locator("[part=depth]")
    trades = card.locator("[part=trades] tbody")
    outcomes.nth(2).get_by_role("button").click()
    depth.get_by_text("31¢").wait_for()
    trades.get_by_text("32¢").wait_for()

    card.evaluate("one => one.setAttribute('market', 'rain')")
    card.get_by_text("Will it rain?").wait_for()
    assert outcomes.count() == 2
    assert depth.locator("caption").inner_text() == "Order book of Yes: empty"
    assert "31¢" not in depth.inner_text()
    assert trades.inner_text().strip() == "No trade yet"

    # What nobody knows may have a name of 77 digits; it must not make the card any wider.
    name = "7" * 77
    card.evaluate("(one, name) => one.setAttribute('market', name)", name)
    card.get_by_text(name).wait_for()
    assert outcomes.count() == 0
    assert depth.locator("caption").inner_text() == "Order book"
    assert trades.inner_text().strip() == ""
    inside = card.locator("[part=card]")
    assert inside.evaluate("one => one.scrollWidth - one.clientWidth") == 0
