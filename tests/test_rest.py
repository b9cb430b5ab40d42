from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trustme
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import LookupFailed, UsageError
from polymarket_ws.events.market import Book, Level
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.rest import fetch_book, lookup
from tests.loopback import HTTPExchange, Reply, Request
from tests.ports import unused_port

Seconds = Callable[[float], float]
Rows = list[dict[str, Any]]

CONDITION_ID = "0x" + "ab" * 32
YES = "7" * 77
NO = "8" * 76

pytestmark = pytest.mark.usefixtures("hasty_requests")


def market(slug: str = "will-it-rain", **fields: Any) -> dict[str, Any]:
    return {
        "question": "Will it rain?",
        "conditionId": CONDITION_ID,
        "slug": slug,
        "clobTokenIds": json.dumps([YES, NO]),
        "outcomes": '["Yes", "No"]',
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
        "negRisk": False,
        "active": True,
        "closed": False,
        "endDate": "2026-12-31T12:00:00Z",
        **fields,
    }


class Gamma:
    """Answers as Gamma does: by the query, closed markets only on request."""

    def __init__(self, markets: Rows = [], events: Rows = []) -> None:  # noqa: B006
        self.markets = markets
        self.events = events

    def __call__(self, request: Request) -> Reply:
        query = dict(request.query)
        closed = query.pop("closed", "false") == "true"
        rows = {"/markets": self.markets, "/events": self.events}.get(request.path)
        if rows is None:
            return Reply(404, b'{"error":"no such path"}')
        found = [row for row in rows if row.get("closed", False) == closed]
        for key, value in query.items():
            field = {"slug": "slug", "condition_ids": "conditionId"}.get(key, "clobTokenIds")
            found = [row for row in found if value in row[field]]
        return Reply(200, json.dumps(found).encode())


def ask(what: Any, script: Callable[[Request], Reply], **options: Any) -> MarketInfo:
    with HTTPExchange(script) as exchange:
        return lookup(what, endpoints=Endpoints(gamma=exchange.url), **options)


def queries(what: str, script: Callable[[Request], Reply]) -> list[str]:
    """Return the requests that looking ``what`` up makes."""
    with HTTPExchange(script) as exchange:
        with contextlib.suppress(LookupFailed):
            lookup(what, endpoints=Endpoints(gamma=exchange.url))
        return [request.target for request in exchange.requests]


def replying(body: bytes, status: int = 200, **headers: str) -> Callable[[Request], Reply]:
    return lambda _: Reply(status, body, headers)


def test_market_is_found_with_all_its_facts() -> None:
    assert ask("will-it-rain", Gamma([market()])) == MarketInfo(
        question="Will it rain?",
        condition_id=CONDITION_ID,
        slug="will-it-rain",
        outcomes=("Yes", "No"),
        asset_ids=(YES, NO),
        tick_size=Decimal("0.01"),
        min_order_size=Decimal(5),
        neg_risk=False,
        active=True,
        closed=False,
        end_date="2026-12-31T12:00:00Z",
    )


@pytest.mark.parametrize(
    "what",
    [
        "will-it-rain",
        "  will-it-rain\n",
        "https://polymarket.com/event/weather/will-it-rain",
        "https://polymarket.com/event/weather/will-it-rain/",
        "https://polymarket.com/event/weather/will-it-rain?tid=17&x=/y#comments",
        "http://www.polymarket.com/es/event/weather/will-it-rain",
        "polymarket.com/zh-hant/event/weather/will-it-rain",
        "www.polymarket.com/market/will-it-rain",
        "//polymarket.com/market/will-it-rain",
        "HTTPS://Polymarket.com:443/pt-BR/market/will-it-rain?via=me",
        "https://polymarket.com/event/will-it-rain",
        CONDITION_ID,
        "0x" + "AB" * 32,
        YES,
        NO,
    ],
)
def test_every_spelling_finds_the_market(what: str) -> None:
    gamma = Gamma([market("will-it-snow", conditionId="0x" + "cd" * 32, clobTokenIds="[]",
                          outcomes="[]"), market()])  # fmt: skip
    assert ask(what, gamma).slug == "will-it-rain"


@pytest.mark.parametrize(
    ("what", "target"),
    [
        ("will-it-rain", "/markets?slug=will-it-rain"),
        (CONDITION_ID, f"/markets?condition_ids={CONDITION_ID}"),
        (YES, f"/markets?clob_token_ids={YES}"),
    ],
)
def test_open_market_costs_one_request(what: str, target: str) -> None:
    assert queries(what, Gamma([market()])) == [target]


def test_gamma_under_a_path_is_asked_there() -> None:
    with HTTPExchange(replying(json.dumps([market()]).encode())) as exchange:
        lookup("will-it-rain", endpoints=Endpoints(gamma=f"{exchange.url}/gamma/"))
        assert exchange.requests[0].target == "/gamma/markets?slug=will-it-rain"


@pytest.mark.parametrize("what", ["will-it-rain", CONDITION_ID, NO])
def test_closed_market_is_asked_for_a_second_time(what: str) -> None:
    gamma = Gamma([market(closed=True)])
    assert ask(what, gamma).closed
    first, second = queries(what, gamma)
    assert second == f"{first}&closed=true"


def test_slug_of_an_event_with_one_open_market_gives_that_market() -> None:
    event = {
        "slug": "weather",
        "markets": [
            market("gone", closed=True),
            market("will-it-rain"),
            market("not-yet", active=False, clobTokenIds=None),
        ],
    }
    assert ask("weather", Gamma(events=[event])).slug == "will-it-rain"
    assert ask("https://polymarket.com/event/weather", Gamma(events=[event])).asset_ids == (YES, NO)


def test_settled_event_of_one_market_gives_that_market() -> None:
    event = {"slug": "weather", "closed": True, "markets": [market(closed=True)]}
    assert ask("weather", Gamma(events=[event])).closed


def test_event_with_several_open_markets_lists_them_with_the_call_to_write() -> None:
    markets = [market(f"rain-in-{n}", question=f"Rain in\n{n}?") for n in range(12)]
    gamma = Gamma(events=[{"slug": "weather", "markets": markets}])
    with pytest.raises(LookupFailed, match="has 12 open markets") as caught:
        ask("weather", gamma)
    text = str(caught.value)
    assert "'weather'" in text
    assert 'lookup("rain-in-0")  Rain in 0?' in text
    assert 'lookup("rain-in-9")' in text
    assert "rain-in-10" not in text
    assert "and 2 more" in text
    assert caught.value.final


def test_address_of_an_event_is_the_event_even_if_a_market_has_its_slug() -> None:
    event = {"slug": "weather", "markets": [market("weather"), market("weather-2")]}
    gamma = Gamma([market("weather")], [event])
    with pytest.raises(LookupFailed, match="2 open markets"):
        ask("https://polymarket.com/event/weather", gamma)
    assert ask("weather", gamma).slug == "weather"


def test_event_whose_markets_are_all_closed_lists_them() -> None:
    markets = [market(f"rain-{n}", closed=True) for n in range(2)]
    with pytest.raises(LookupFailed, match="2 closed markets"):
        ask("weather", Gamma(events=[{"slug": "weather", "markets": markets}]))


def test_event_without_markets_fails() -> None:
    with pytest.raises(LookupFailed, match="no markets yet"):
        ask("weather", Gamma(events=[{"slug": "weather", "markets": []}]))


def test_exchange_that_knows_no_events_still_finds_a_market_by_its_address() -> None:
    def script(request: Request) -> Reply:
        return Reply(404) if request.path == "/events" else Gamma([market()])(request)

    assert ask("https://polymarket.com/event/will-it-rain", script).slug == "will-it-rain"
    with pytest.raises(LookupFailed, match="no market or event"):
        ask("unheard-of", script)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("unheard-of", "market or event with this slug"),
        ("https://polymarket.com/event/unheard-of", "market or event with this slug"),
        ("https://polymarket.com/market/unheard-of", "market with this slug"),
        ("0x" + "11" * 32, "market with this condition id"),
        ("12345", "market with this token id"),
    ],
)
def test_unknown_market_names_the_word_and_a_way_out(what: str, kind: str) -> None:
    with pytest.raises(LookupFailed) as caught:
        ask(what, Gamma([market()]))
    assert repr(what) in str(caught.value)
    assert f"Polymarket has no {kind}." in str(caught.value)
    assert 'lookup("https://polymarket.com/event/…")' in str(caught.value)


def test_service_that_ignores_the_query_finds_nothing() -> None:
    everything = replying(json.dumps([market("other")]).encode())
    for what in ("will-it-rain", "0x" + "11" * 32, "12345"):
        with pytest.raises(LookupFailed, match="Polymarket has no market"):
            ask(what, everything)


@pytest.mark.parametrize(
    "what",
    [
        None, 17, 1.5, b"slug", ["slug"], MarketInfo(question="", condition_id=""),
        pytest.param(10**5000, id="huge"),
        "", "   ", "Will it rain?", "-leading", "a.b", "naïve", "a" * 257, "x\x00y",
        "0x", "0x12", "0x" + "a" * 63, "0x" + "a" * 65,
        "9" * 78, "1" * 79, "１２３",
        "https://polymarket.com", "polymarket.com", "https://polymarket.com/",
        "polymarket.com/event",
        "https://polymarket.com/event/", "https://polymarket.com/event/a/b/c",
        "https://polymarket.com/profile/me", "https://polymarket.com/event/a%20b",
        "https://example.com/event/weather", "https://notpolymarket.com/event/weather",
        "https://polymarket.com.evil.com/event/weather", "ftp://polymarket.com/event/weather",
        "http://[", "http://[::1/event/x", "/event/weather", "///", "https://",
    ],
)  # fmt: skip
def test_what_cannot_be_a_market_is_a_usage_error_that_shows_the_call(what: Any) -> None:
    with pytest.raises(UsageError) as caught:
        lookup(what, endpoints=Endpoints(gamma="http://127.0.0.1:1"))
    assert len(str(caught.value)) < 600
    assert "polymarket.com/event/" in str(caught.value) or "digits" in str(caught.value)


@given(st.text() | st.text("0123456789abcdefx/:.-_?#%", max_size=100))
def test_any_text_is_either_refused_or_asked_for(what: str) -> None:
    # Port 1 is refused at once; the deadline keeps the repetitions out.
    with pytest.raises((UsageError, LookupFailed)):
        lookup(what, endpoints=Endpoints(gamma="http://127.0.0.1:1"), timeout=0.05)


def test_lists_may_be_plain() -> None:
    row = market(clobTokenIds=[YES, NO], outcomes=["Yes", "No"])
    info = ask("will-it-rain", Gamma([row]))
    assert (info.asset_ids, info.outcomes) == ((YES, NO), ("Yes", "No"))


def test_missing_facts_keep_their_defaults() -> None:
    row = {"question": "Q", "conditionId": CONDITION_ID, "slug": "s"}
    info = ask("s", replying(json.dumps([row]).encode()))
    assert info == MarketInfo(question="Q", condition_id=CONDITION_ID, slug="s")


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [("0.001", "0.001"), ('"0.01"', "0.01"), ("1e-2", "0.01"), ("0.10", "0.10"), ("5", "5")],
)
def test_tick_size_is_exact(spelled: str, expected: str) -> None:
    body = json.dumps([market()]).replace("0.01", spelled).encode()
    tick_size = ask("will-it-rain", replying(body)).tick_size
    assert tick_size is not None
    assert format(tick_size, "f") == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"question": None}, {"question": 7}, {"conditionId": None}, {"conditionId": ["0x"]},
        {"clobTokenIds": "[1, 2]"}, {"clobTokenIds": "not json"}, {"clobTokenIds": '"text"'},
        pytest.param({"clobTokenIds": "[" * 100_000}, id="deep"),
        {"clobTokenIds": {"a": 1}}, {"outcomes": 5},
        {"outcomes": '["Yes", "No", "Maybe"]'}, {"clobTokenIds": json.dumps([YES])},
        {"orderPriceMinTickSize": "cheap"}, {"orderPriceMinTickSize": True},
        {"orderPriceMinTickSize": "NaN"}, {"orderMinSize": []}, {"orderMinSize": "Infinity"},
        {"negRisk": "yes"}, {"closed": 0}, {"active": "true"}, {"endDate": 5},
    ],
)  # fmt: skip
def test_wrong_shape_of_a_market_fails_clearly(fields: dict[str, Any]) -> None:
    body = json.dumps([market(**fields)]).encode()
    with pytest.raises(LookupFailed, match="makes no sense") as caught:
        ask("will-it-rain", replying(body))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"{}", b"[1]", b'["x"]', b"true", b"<html>", b"[", b"\xff\xfe", b"[NaN]",
        b"[1e99999999999999999999]", pytest.param(b"[" * 100_000, id="deep"), b'{"data": []}',
    ],
)  # fmt: skip
def test_answer_that_is_no_list_of_markets_fails_clearly(body: bytes) -> None:
    with pytest.raises(LookupFailed, match=r"/markets makes no sense") as caught:
        ask("will-it-rain", replying(body))
    assert "\n" not in str(caught.value)
    assert not caught.value.final


@pytest.mark.parametrize("event", [{}, {"markets": None}, {"markets": ["x"]}, {"markets": {}}])
def test_event_of_a_wrong_shape_fails_clearly(event: dict[str, Any]) -> None:
    with pytest.raises(LookupFailed, match="no list of markets"):
        ask("weather", Gamma(events=[{"slug": "weather", **event}]))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500])
def test_refusal_is_told_in_the_servers_words(status: int) -> None:
    body = b'{"type":"validation error","error":"slug\\nis \\u001b[31mbad"}'
    with pytest.raises(LookupFailed, match=f"answered {status} .*; slug is .*bad$") as caught:
        ask("will-it-rain", replying(body, status))
    assert str(caught.value).isprintable()
    assert not caught.value.final


def test_refusal_without_usable_words_has_its_status() -> None:
    for body in (b"", b"<html>" * 1000, b"[]", b'{"error": 5}'):
        with pytest.raises(LookupFailed, match="answered 403 Forbidden$"):
            ask("will-it-rain", replying(body, 403))


def test_server_that_stays_in_trouble_is_reported() -> None:
    with pytest.raises(LookupFailed, match="answered 503 Service Unavailable"):
        ask("will-it-rain", replying(b"", 503))


def test_too_many_requests_says_when_to_ask_again(seconds: Seconds) -> None:
    begin = time.monotonic()
    with pytest.raises(LookupFailed, match="429.*; ask again in 60 s"):
        ask("will-it-rain", replying(b"", 429, **{"Retry-After": "60"}))
    assert time.monotonic() - begin < seconds(2.0)


def test_too_many_requests_are_tried_again_in_time() -> None:
    replies = [Reply(429, b"", {"Retry-After": "0"}), Reply(200, json.dumps([market()]).encode())]
    assert ask("will-it-rain", lambda _: replies.pop(0)).slug == "will-it-rain"


def test_no_network_is_one_clear_sentence_with_its_cause() -> None:
    port = unused_port()
    with pytest.raises(LookupFailed) as caught:
        lookup("will-it-rain", endpoints=Endpoints(gamma=f"http://127.0.0.1:{port}"))
    assert str(caught.value) == (
        f"'will-it-rain' could not be looked up: there is no connection to 127.0.0.1:{port}: "
        "Connection refused"
    )
    assert isinstance(caught.value.__cause__, urllib3.exceptions.HTTPError)


@pytest.mark.usefixtures("nameless")
def test_name_that_does_not_resolve_is_a_lookup_failure() -> None:
    with pytest.raises(LookupFailed, match=r"gamma\.invalid cannot be resolved"):
        lookup("will-it-rain", endpoints=Endpoints(gamma="https://gamma.invalid"))


def test_server_that_does_not_answer_ends_in_time(seconds: Seconds) -> None:
    timeout = seconds(0.3)
    begin = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gamma = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(LookupFailed, match="did not answer within"):
            lookup("will-it-rain", endpoints=Endpoints(gamma=gamma), timeout=timeout)
    assert time.monotonic() - begin < timeout + seconds(1.0)


def test_private_certificate_authority_is_trusted_on_request() -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    with HTTPExchange(Gamma([market()]), tls=server) as exchange:
        endpoints = Endpoints(gamma=exchange.url)
        with pytest.raises(LookupFailed, match="TLS with .* failed"):
            lookup("will-it-rain", endpoints=endpoints)
        assert lookup("will-it-rain", endpoints=endpoints, ssl_context=client).active


def test_proxy_is_used_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints = Endpoints(gamma="http://gamma.invalid")
    with HTTPExchange(Gamma([market()])) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(LookupFailed):
            lookup("will-it-rain", endpoints=endpoints)
        proxy_script = [request.target for request in proxy.requests]
        assert proxy_script == []
    absolute = json.dumps([market()]).encode()
    with HTTPExchange(replying(absolute)) as proxy:
        assert lookup("will-it-rain", endpoints=endpoints, proxy=proxy.url).active
        monkeypatch.setenv("http_proxy", proxy.url)
        assert lookup("will-it-rain", endpoints=endpoints, proxy="env").active


def test_bad_timeout_is_a_usage_error_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match="timeout takes seconds"):
        lookup("will-it-rain", endpoints=Endpoints(gamma="http://127.0.0.1:1"), timeout=0)


@pytest.mark.parametrize("endpoints", ["ws://127.0.0.1:8765", None])
def test_endpoints_of_another_type_are_a_usage_error(endpoints: Any) -> None:
    with pytest.raises(UsageError, match="endpoints takes Endpoints"):
        lookup("will-it-rain", endpoints=endpoints)
    with pytest.raises(UsageError, match="endpoints takes Endpoints"):
        fetch_book(YES, endpoints=endpoints)


def test_captured_market_is_read(wire: Path) -> None:
    sample = (wire / "samples/rest/gamma_market__1.json").read_bytes()
    info = ask("btc-updown-5m-1773307200", replying(b"[" + sample + b"]"))
    assert info == MarketInfo(
        question="Bitcoin Up or Down - March 12, 5:20AM-5:25AM ET",
        condition_id="0x78443f961b9a65869dcb39359de9960165c7e5cbad0904eac7f29cd77872a63b",
        slug="btc-updown-5m-1773307200",
        outcomes=("Up", "Down"),
        asset_ids=(
            "104239898038807136052399800151408521467737075933964991162589336683346093173875",
            "71183960810705820955071415844881728181970340514894896943812046065452395013351",
        ),
        tick_size=Decimal("0.01"),
        min_order_size=Decimal(5),
        end_date="2026-03-12T09:25:00Z",
    )


def test_captured_market_with_plain_lists_is_read(wire: Path) -> None:
    sample = (wire / "samples/rest/gamma_market_by_slug__1.json").read_bytes()
    info = ask("kamala-harris-divorce-in-2025", replying(b"[" + sample + b"]"))
    assert info.asset_ids[0].startswith("41731245504777162452560887531170605263832832998797")
    assert (len(info.asset_ids), info.outcomes, info.tick_size) == (2, (), None)


# The order book.


def book_json(**fields: Any) -> bytes:
    book = {
        "market": CONDITION_ID,
        "asset_id": YES,
        "timestamp": "1786728198766",
        "hash": "4514cbfcdad578db98c9bdac47e6c3b3b4632ced",
        "bids": [{"price": "0.001", "size": "28195.33"}],
        "asks": [],
        "min_order_size": "5",
        "tick_size": "0.001",
        "neg_risk": True,
        "last_trade_price": "0.004",
        **fields,
    }
    return json.dumps(book).encode()


def ask_book(asset_id: Any, script: Callable[[Request], Reply], **options: Any) -> Book:
    with HTTPExchange(script) as exchange:
        return fetch_book(asset_id, endpoints=Endpoints(clob=exchange.url), **options)


def test_book_is_fetched_with_all_its_facts() -> None:
    before = time.time()
    book = ask_book(YES, replying(book_json()))
    assert book == Book(
        market=CONDITION_ID,
        asset_id=YES,
        timestamp=1786728198766,
        hash="4514cbfcdad578db98c9bdac47e6c3b3b4632ced",
        bids=(Level(Decimal("0.001"), Decimal("28195.33")),),
        asks=(),
        min_order_size=Decimal(5),
        tick_size=Decimal("0.001"),
        neg_risk=True,
        last_trade_price=Decimal("0.004"),
    )
    assert before <= book.received_at <= time.time()


def test_book_is_asked_for_by_token_id() -> None:
    with HTTPExchange(replying(book_json())) as exchange:
        fetch_book(YES, endpoints=Endpoints(clob=f"{exchange.url}/"))
        assert [request.target for request in exchange.requests] == [f"/book?token_id={YES}"]


@pytest.mark.parametrize("name", ["clob_book__1.json", "clob_book_2025__1.json"])
def test_captured_book_is_read_field_by_field(wire: Path, name: str) -> None:
    sample = (wire / "samples/rest" / name).read_bytes()
    fields = json.loads(sample)
    book = ask_book(fields["asset_id"], replying(sample))
    assert book.timestamp == int(fields["timestamp"])
    assert book.neg_risk == fields["neg_risk"]
    for key in ("min_order_size", "tick_size", "last_trade_price"):
        value = getattr(book, key)
        assert (None if value is None else format(value, "f")) == fields.get(key)
    for side in ("bids", "asks"):
        assert [
            {"price": format(level.price, "f"), "size": format(level.size, "f")}
            for level in getattr(book, side)
        ] == fields[side]
    assert (book.market, book.hash) == (fields["market"], fields["hash"])


def test_missing_book_is_told_in_the_servers_words(wire: Path) -> None:
    sample = (wire / "samples/rest/clob_book_error_404__1.json").read_bytes()
    with pytest.raises(LookupFailed, match="No orderbook exists for the requested token id"):
        ask_book(YES, replying(sample, 404))


def test_book_of_another_token_is_refused() -> None:
    with pytest.raises(LookupFailed, match="another token"):
        ask_book(NO, replying(book_json()))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{}", b"not json", book_json(bids=[[1, 2]]), book_json(market=None),
        book_json(tick_size="cheap"), book_json(bids=[{"price": "NaN", "size": "1"}]),
    ],
)  # fmt: skip
def test_answer_that_is_no_book_fails_clearly(body: bytes) -> None:
    with pytest.raises(LookupFailed, match=r"/book makes no sense") as caught:
        ask_book(YES, replying(body))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "asset_id", [None, 5, "", "slug", "0x12", "1" * 79, "9" * 78, " 12", "１２"]
)
def test_what_is_no_token_id_is_a_usage_error(asset_id: Any) -> None:
    with pytest.raises(UsageError, match="fetch_book.. takes one token id"):
        fetch_book(asset_id, endpoints=Endpoints(clob="http://127.0.0.1:1"))
