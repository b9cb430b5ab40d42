from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable
from decimal import Decimal
from email.utils import formatdate
from typing import Any

import attrs
import pytest

from polymarket_ws import account as account_module
from polymarket_ws.account import ask_account
from polymarket_ws.credentials import Credentials
from polymarket_ws.errors import AuthenticationFailed, ConnectionFailed, UsageError
from polymarket_ws.protocol.recovering import Account, Question
from polymarket_ws.signing import l2_signature
from tests.conftest import scaled
from tests.loopback import HTTPExchange, Reply, Request, raw_server

API_KEY = "4f9c1d2e-aaaa-bbbb-cccc-0123456789ab"
SECRET = "c3VwZXItc2VjcmV0LWJ5dGVzLW9mLWEta2V5ISEhIQ=="
PASSPHRASE = "9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e"
ADDRESS = "0x" + "aB" * 20
AFTER = 1_800_000_000
NOTHING = Question(AFTER * 1000, ())

Script = Callable[[Request], Reply]


def wire_order(order_id: str, **fields: object) -> dict[str, object]:
    """Return an order as ``/data/orders`` has it (SDK 0.14.0, docs.polymarket.com)."""
    return {
        "id": order_id,
        "status": "ORDER_STATUS_LIVE",
        "owner": API_KEY,
        "maker_address": ADDRESS,
        "market": "0x1",
        "asset_id": "7",
        "side": "BUY",
        "original_size": "10",
        "size_matched": "2.5",
        "price": "0.5",
        "outcome": "Yes",
        "expiration": "0",
        "order_type": "GTC",
        "associate_trades": [],
        "created_at": 1_700_000_000,
        **fields,
    }


def wire_trade(trade_id: str, matched: int = AFTER, **fields: object) -> dict[str, object]:
    """Return a trade as ``/data/trades`` has it (SDK 0.14.0)."""
    return {
        "id": trade_id,
        "taker_order_id": "0xa",
        "market": "0x1",
        "asset_id": "7",
        "side": "BUY",
        "size": "5",
        "fee_rate_bps": "0",
        "price": "0.5",
        "status": "TRADE_STATUS_MINED",
        "match_time": str(matched),
        "last_update": str(matched),
        "outcome": "Yes",
        "bucket_index": 0,
        "owner": API_KEY,
        "maker_address": ADDRESS,
        "transaction_hash": "",
        "trader_side": "TAKER",
        "maker_orders": [],
        **fields,
    }


def page(*items: object, cursor: str | None = "LTE=") -> Reply:
    return Reply(200, json.dumps({"limit": 100, "next_cursor": cursor, "data": items}).encode())


def as_json(value: object) -> Reply:
    return Reply(200, json.dumps(value).encode())


def key(address: str | None = ADDRESS) -> Credentials:
    return Credentials(API_KEY, SECRET, PASSPHRASE, address)


def ask(script: Script, question: Question = NOTHING, **options: Any) -> Account:
    with HTTPExchange(script) as server:
        return ask_account(question, key(), clob=f"{server.url}/", **options)


def instead(path: str, reply: Reply) -> Script:
    """Answer one path with ``reply`` and all others with an empty page."""
    return lambda request: reply if request.path == path else page()


def hang(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.recv(1)


def everything(error: BaseException) -> str:
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def hides(text: str) -> bool:
    return not any(value[5:17] in text for value in (API_KEY, SECRET, PASSPHRASE))


def test_requests_are_signed_without_their_query() -> None:
    with HTTPExchange(lambda _: page()) as server:
        ask_account(NOTHING, key(), clob=server.url)
    assert [request.path for request in server.requests] == ["/data/orders", "/data/trades"]
    for request in server.requests:
        given = request.headers
        assert given["poly_address"] == ADDRESS
        assert given["poly_api_key"] == API_KEY
        assert given["poly_passphrase"] == PASSPHRASE
        timestamp = int(given["poly_timestamp"])
        assert given["poly_signature"] == l2_signature(
            SECRET, timestamp=timestamp, method="GET", path=request.path
        )
        assert abs(time.time() - timestamp) < 60


def test_trades_are_asked_for_since_the_second_before() -> None:
    with HTTPExchange(lambda _: page()) as server:
        ask_account(NOTHING, key(), clob=server.url)
        ask_account(Question(0, ()), key(), clob=server.url)
    assert [request.query for request in server.requests if request.path == "/data/trades"] == [
        [("after", str(AFTER - 1))],
        [("after", "0")],
    ]


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        (lambda now: formatdate(now - 90, usegmt=True), 90),
        (lambda now: formatdate(now - 3, usegmt=True), 0),
        (lambda now: formatdate(now + 90, usegmt=True), 0),
        (lambda now: formatdate(now - 7200, usegmt=True), 0),
        (lambda now: formatdate(now - 90, usegmt=True).replace("GMT", "-0000"), 0),
        (lambda _: "Wed, 31 Oct 9999 99:28:00 GMT", 0),
        (lambda _: "soon", 0),
    ],
)
def test_clock_that_is_ahead_of_the_exchange_hides_no_trade(
    date: Callable[[float], str], ahead: int
) -> None:
    def script(_: Request) -> Reply:
        return attrs.evolve(page(), headers={"Date": date(time.time())})

    with HTTPExchange(script) as server:
        answer = ask_account(NOTHING, key(), clob=server.url)
    (after,) = (
        int(value)
        for request in server.requests
        if request.path == "/data/trades"
        for _, value in request.query
    )
    assert AFTER - 1 - after == pytest.approx(ahead, abs=scaled(2))
    assert answer.ahead == pytest.approx(ahead * 1000, abs=scaled(2000))


def test_answer_has_statuses_as_the_stream_spells_them_and_milliseconds() -> None:
    began = time.time()

    def script(request: Request) -> Reply:
        if request.path == "/data/orders":
            return page(wire_order("o1"))
        return page(wire_trade("t1"))

    answer = ask(script)
    (order,) = answer.open_orders
    (trade,) = answer.trades
    assert (order.status, order.expiration, order.created_at) == ("LIVE", None, 1_700_000_000_000)
    assert (order.original_size, order.size_matched) == (Decimal(10), Decimal("2.5"))
    assert (trade.status, trade.match_time) == ("MINED", AFTER * 1000)
    assert not trade.recovered
    assert began <= order.received_at <= trade.received_at <= time.time()
    assert answer.is_complete


def test_lists_are_read_to_their_last_page() -> None:
    def script(request: Request) -> Reply:
        query = dict(request.query)
        if request.path == "/data/orders":
            return page(wire_order("o1"), cursor=None)
        assert query["after"] == str(AFTER - 1)
        cursors = {"": ("t3", "MTAw"), "MTAw": ("t1", "MjAw"), "MjAw": ("t2", "LTE=")}
        trade_id, following = cursors[query.get("next_cursor", "")]
        return page(wire_trade(trade_id, AFTER + int(trade_id[1])), cursor=following)

    answer = ask(script)
    assert [trade.id for trade in answer.trades] == ["t1", "t2", "t3"]


def test_trade_on_two_pages_comes_once() -> None:
    def script(request: Request) -> Reply:
        more = not dict(request.query).get("next_cursor")
        if request.path == "/data/orders":
            return page()
        return page(wire_trade("t1"), cursor="MTAw" if more else "LTE=")

    assert [trade.id for trade in ask(script).trades] == ["t1"]


def test_pages_without_an_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionFailed, match="/data/orders go round in circles"):
        ask(lambda _: page(cursor="MTAw"))
    monkeypatch.setattr(account_module, "_MOST_PAGES", 5)
    count = iter(range(100))
    with pytest.raises(ConnectionFailed, match="/data/orders has more than 5 pages"):
        ask(lambda _: page(cursor=str(next(count))))
    assert next(count) == 5


def test_orders_that_are_not_open_any_more_are_looked_up() -> None:
    def script(request: Request) -> Reply:
        replies = {
            "/data/orders": page(wire_order("0xopen")),
            "/data/order/0xended": as_json(wire_order("0xended", status="ORDER_STATUS_CANCELED")),
            "/data/order/0xgone": Reply(404, b'{"error":"not found"}'),
            # What the exchange says of some that ended (py-clob-client issue 217).
            "/data/order/0xnull": as_json(None),
            "/data/trades": page(),
        }
        return replies[request.path]

    question = Question(AFTER, ("0xopen", "0xended", "0xgone", "0xnull"))
    answer = ask(script, question)
    assert [order.id for order in answer.open_orders] == ["0xopen"]
    assert [(order.id, order.status) for order in answer.ended_orders] == [("0xended", "CANCELED")]
    assert set(answer.missing_orders) == {"0xgone", "0xnull"}
    assert answer.is_complete


def test_orders_are_read_before_trades() -> None:
    def script(request: Request) -> Reply:
        return as_json(wire_order("a")) if "/order/" in request.path else page()

    with HTTPExchange(script) as server:
        ask_account(Question(AFTER, ("a",)), key(), clob=server.url)
    assert [request.path for request in server.requests] == [
        "/data/orders",
        "/data/order/a",
        "/data/trades",
    ]


def test_id_of_an_order_is_no_path() -> None:
    with HTTPExchange(lambda _: page()) as server, pytest.raises(ConnectionFailed):
        ask_account(Question(AFTER, ("../auth?x=é/",)), key(), clob=server.url)
    assert server.requests[1].target == "/data/order/..%2Fauth%3Fx%3D%C3%A9%2F"


def test_many_orders_to_look_up_do_not_hold_up_the_trades() -> None:
    hurry = threading.Event()

    def script(request: Request) -> Reply:
        if "/order/" in request.path:
            hurry.wait(scaled(0.15))
            order_id = request.path.rpartition("/")[2]
            return as_json(wire_order(order_id, status="ORDER_STATUS_MATCHED"))
        return page()

    question = Question(AFTER, tuple(str(n) for n in range(50)))
    answer = ask(script, question, timeout=scaled(1.0))
    assert not answer.is_complete
    # The latest first, and one at least, so that asking on comes to an end.
    assert 1 <= len(answer.ended_orders) < 10
    assert answer.ended_orders[0].id == "49"
    assert answer.missing_orders == ()


def test_old_trades_are_asked_for_by_their_id() -> None:
    def script(request: Request) -> Reply:
        query = dict(request.query)
        if request.path == "/data/orders":
            return page()
        if "id" in query:
            assert "after" not in query
            # As a server does that does not know the parameter.
            return page(wire_trade("old", AFTER - 9999), wire_trade("other", AFTER - 999))
        return page(wire_trade("new"))

    answer = ask(script, Question(AFTER * 1000, (), ("old",)))
    assert [trade.id for trade in answer.trades] == ["old", "new"]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("path", ["/data/orders", "/data/order/a", "/data/trades"])
def test_refusal_is_authentication_failed(status: int, path: str) -> None:
    with pytest.raises(AuthenticationFailed, match=rf"{path} refuses .* \({status}\)"):
        ask(instead(path, Reply(status)), Question(AFTER, ("a",) if "order/" in path else ()))


@pytest.mark.parametrize("path", ["/data/orders", "/data/trades"])
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(500, b"oops"), "answered 500 Internal Server Error"),
        (Reply(404), "answered 404 Not Found"),
        (Reply(302, b"", {"Location": "http://127.0.0.1:9/"}), "answered 302 Found"),
        (Reply(200, b"<html>"), "did not answer with JSON: not JSON: Expecting value"),
        (Reply(200, b'{"data":['), "did not answer with JSON"),
        (Reply(200, b"\xff"), "did not answer with JSON: not UTF-8"),
        (Reply(200, b"[" * 100_000), "did not answer with JSON: nested too deeply"),
        (Reply(200, b"[]"), "did not answer with a list"),
        (Reply(200, b"null"), "did not answer with a list"),
        (Reply(200, b'{"data":{}}'), "did not answer with a list"),
        (page(5), "did not answer with objects"),
        (page({"id": "x"}), "market is missing"),
        (page(wire_order("x", price="much", size="1")), "price: a decimal is wanted, not 'much'"),
    ],
    ids=range(13),
)
def test_unusable_answer_is_connection_failed(path: str, reply: Reply, expected: str) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        ask(instead(path, reply))
    assert not isinstance(caught.value, AuthenticationFailed)
    assert f"{path}" in str(caught.value)
    assert expected in str(caught.value)


def test_order_that_is_no_order_is_connection_failed() -> None:
    with pytest.raises(ConnectionFailed, match="/data/order/a did not answer with objects"):
        ask(instead("/data/order/a", as_json([])), Question(AFTER, ("a",)))


def test_no_answer_is_connection_failed_in_time(seconds: Callable[[float], float]) -> None:
    began = time.monotonic()
    with (
        raw_server(hang) as url,
        pytest.raises(ConnectionFailed, match="did not answer within 0.3 s") as caught,
    ):
        ask_account(NOTHING, key(), clob=url, timeout=0.3)
    assert time.monotonic() - began < seconds(3)
    assert caught.value.__cause__ is not None


def test_long_history_has_the_time_for_each_page() -> None:
    slow = threading.Event()

    def script(request: Request) -> Reply:
        slow.wait(scaled(0.15))
        cursor = int(dict(request.query).get("next_cursor", "0"))
        if request.path == "/data/orders":
            return page()
        return page(wire_trade(f"t{cursor}"), cursor=str(cursor + 1) if cursor < 5 else "LTE=")

    assert len(ask(script, timeout=scaled(0.6)).trades) == 6


def test_without_an_address_nothing_is_asked() -> None:
    with HTTPExchange(lambda _: page()) as server:
        with pytest.raises(UsageError, match="POLYMARKET_ADDRESS"):
            ask_account(NOTHING, key(address=None), clob=server.url)
        assert server.requests == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(401, f'{{"error":"no key {API_KEY}"}}'.encode()),
        Reply(500, SECRET.encode()),
        Reply(200, f'"{PASSPHRASE}"'.encode()),
        Reply(200, f'{{"data":["{PASSPHRASE}"]}}'.encode()),
        page(wire_order("x", price=API_KEY)),
        page(wire_trade("x"), wire_trade("y", price=None)),
        page(wire_trade("x", maker_orders=[{"owner": API_KEY}])),
    ],
    ids=range(7),
)
@pytest.mark.parametrize("path", ["/data/orders", "/data/order/x", "/data/trades"])
def test_error_and_its_traceback_with_locals_show_no_secret(path: str, reply: Reply) -> None:
    question = Question(AFTER, ("x",) if path == "/data/order/x" else ())
    with HTTPExchange(instead(path, reply)) as server:
        with pytest.raises(ConnectionFailed) as caught:
            ask_account(question, key(), clob=server.url)
    error = caught.value
    assert error.__context__ is None or error.__context__ is error.__cause__
    # From inside: this test's own frame names the secrets.
    error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    assert "ask_account" in everything(error)
    assert hides(everything(error))
    assert hides(repr(error))


@pytest.mark.parametrize(
    "script",
    [
        lambda connection: None,
        lambda connection: connection.recv(65536) and connection.sendall(b"HTTP/1.1 huh\r\n\r\n"),
        lambda connection: connection.recv(65536) and connection.recv(1),
    ],
)
def test_broken_connection_and_its_traceback_with_locals_show_no_secret(
    script: Callable[[Any], Any],
) -> None:
    with raw_server(script) as url, pytest.raises(ConnectionFailed) as caught:
        ask_account(NOTHING, key(), clob=url, timeout=0.5)
    assert hides(everything(caught.value))
    links: list[BaseException | None] = [caught.value.__cause__, caught.value.__context__]
    while links:
        link = links.pop()
        if link is not None:
            assert link.__traceback__ is None
            links += [link.__cause__, link.__context__]


def test_every_log_and_the_trace_of_http_show_no_secret(
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with caplog.at_level(logging.DEBUG):
        ask(lambda _: page())
    assert "urllib3" in caplog.text
    captured = capsys.readouterr()
    assert hides(caplog.text + captured.out + captured.err)
    assert "POLY_SIGNATURE" not in captured.out
