from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from polymarket_ws import LookupFailed, Market, UsageError
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.event_stream import Tab

flask = pytest.importorskip("flask", reason="flask is not installed: the extra flask has it")

from polymarket_ws.integrations.flask import PolymarketWS, current_polymarket  # noqa: E402
from tests.integrations.serving import Site, site  # noqa: E402
from tests.ports import unused_port  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    # A port of its own, also while it is down: one that the system chose may be given away then.
    with Exchange(port=unused_port(), rate=None, markets=3) as exchange:
        yield exchange


@pytest.fixture
def served(exchange: Exchange) -> Iterator[Site]:
    with site(exchange) as served:
        yield served


def live(tab: Tab) -> None:
    tab.until(lambda message: message.body.get("state") == "live")


# -- an application ----------------------------------------------------------------------------


def test_adding_it_connects_nothing_and_starts_no_thread(exchange: Exchange) -> None:
    before = set(threading.enumerate())
    app = flask.Flask("site")
    app.config["POLYMARKET_ENDPOINTS"] = exchange.url
    PolymarketWS(app)
    client = app.test_client()
    assert client.get("/polymarket/health").json["status"] == "idle"
    assert client.get("/polymarket/").status_code == 200
    # Not their number: one of an earlier test may end meanwhile.
    assert set(threading.enumerate()) <= before
    assert exchange.connections == ()


def test_one_extension_serves_several_applications(exchange: Exchange) -> None:
    extension = PolymarketWS()
    for name in ("one", "two"):
        app = flask.Flask(name)
        app.config["POLYMARKET_URL_PREFIX"] = f"/{name}"
        extension.init_app(app)
        assert app.test_client().get(f"/{name}/health").status_code == 200
    with pytest.raises(UsageError, match="already"):
        extension.init_app(app)


def test_a_wrong_setting_is_told_when_the_application_is_made() -> None:
    app = flask.Flask("site")
    app.config["POLYMARKET_MAX_MARKETS"] = 0
    with pytest.raises(UsageError, match="POLYMARKET_MAX_MARKETS"):
        PolymarketWS(app)


def test_current_polymarket_is_that_of_the_application(exchange: Exchange) -> None:
    app = flask.Flask("site")
    app.config["POLYMARKET_ENDPOINTS"] = exchange.url
    extension = PolymarketWS(app)
    info = exchange.markets[0]
    with app.app_context():
        market = current_polymarket.lookup(info.slug)
        assert market.condition_id == info.condition_id
        client = current_polymarket.client
        assert current_polymarket.client is client
        with client.subscribe(Market(market)) as stream:
            assert stream.get(timeout=scaled(10)).market == info.condition_id
        with pytest.raises(LookupFailed, match="no market"):
            current_polymarket.lookup("no-such-market")
    assert extension.close(app, timeout=scaled(5))
    assert client.closed


def test_current_polymarket_without_the_extension_says_what_to_write() -> None:
    with (
        flask.Flask("bare").app_context(),
        pytest.raises(RuntimeError, match=r"PolymarketWS\(app\)"),
    ):
        current_polymarket.lookup("x")


# -- what a browser gets -------------------------------------------------------------------------


def test_events_have_the_headers_that_keep_proxies_from_gathering_them(
    served: Site, exchange: Exchange
) -> None:
    with served.tab(exchange.markets[0].slug) as tab:
        assert tab.response.status == 200
        header = tab.response.getheader
        assert header("Content-Type") == "text/event-stream"
        assert header("Cache-Control") == "private, no-store, no-transform"
        assert header("X-Accel-Buffering") == "no"
        assert header("Access-Control-Allow-Origin") is None
        live(tab)
        assert tab.parser.retry == 2000


def test_a_page_sees_prices_move(served: Site, exchange: Exchange) -> None:
    market = exchange.market()
    with served.tab(market.info.slug) as tab:
        live(tab)
        market.trade("Yes", "BUY", "0.62", 100)
        trade = tab.next("market-update/trade")
        assert (trade.body["price"], trade.body["size"]) == ("0.62", "100")
        market.place("Yes", "BUY", "0.01", 777)
        tab.until(lambda message: ["0.01", "777"] in message.body.get("bids", []))


def test_a_market_goes_by_any_of_its_names(served: Site, exchange: Exchange) -> None:
    info = exchange.markets[0]
    names = (
        info.slug,
        info.condition_id,
        info.asset_ids[0],
        f"https://polymarket.com/event/{info.slug}",
    )
    with served.tab(*names) as tab:
        (market,) = tab.next("ws-subscribed").body["markets"]
        assert market["condition_id"] == info.condition_id


def test_a_browser_that_comes_back_with_its_last_id_has_no_hole(
    served: Site, exchange: Exchange
) -> None:
    market = exchange.market()
    told: list[str] = []
    last = ""
    size = 0
    with served.tab(market.info.slug) as witness:
        live(witness)
        for _ in range(5):
            headers = {"Last-Event-ID": last} if last else {}
            with served.tab(market.info.slug, headers=headers) as tab:
                for _ in range(10):
                    size += 1
                    market.trade("Yes", "BUY", "0.62", size)
                tab.until(lambda message: message.body.get("size") == str(size))  # noqa: B023
                last = tab.parser.last_event_id
                told += [m.body["size"] for m in tab.messages if m.kind == "market-update/trade"]
                assert "ws-error/gap" not in {m.kind for m in tab.messages}
            size += 1
            market.trade("Yes", "BUY", "0.62", size)
            witness.until(lambda message: message.body.get("size") == str(size))  # noqa: B023
        with served.tab(market.info.slug, last_event_id=last) as tab:
            tab.until(lambda message: message.body.get("size") == str(size))
            told += [m.body["size"] for m in tab.messages if m.kind == "market-update/trade"]
    assert told == [str(each) for each in range(1, size + 1)]


def test_two_hundred_browsers_cost_one_subscription(served: Site, exchange: Exchange) -> None:
    slugs = [info.slug for info in exchange.markets]
    with contextlib.ExitStack() as stack:
        tabs = [stack.enter_context(served.tab(slugs[at % 3])) for at in range(200)]
        for tab in tabs:
            live(tab)
        assert served.health["browsers"] == 200
        assert served.health["markets"] == 3
        assert len(exchange.connections) == 1
        sent = "".join(text for _, text in exchange.received)
        for info in exchange.markets:
            assert [sent.count(asset_id) for asset_id in info.asset_ids] == [1, 1]


def test_a_browser_that_hangs_up_is_noticed(exchange: Exchange) -> None:
    with site(exchange, keepalive_seconds=0.05, grace_seconds=0.05) as served:
        with served.tab(exchange.markets[0].slug) as tab:
            live(tab)
            assert served.health["browsers"] == 1
        assert exchange.wait_for(lambda: not exchange.connections, scaled(20))
        assert served.health["browsers"] == 0


@pytest.mark.slow
def test_a_browser_that_does_not_read_costs_bounded_memory_and_is_told(
    served: Site, exchange: Exchange
) -> None:
    market = exchange.market()
    with served.tab(market.info.slug) as slow, served.tab(market.info.slug) as quick:
        live(slow)
        live(quick)
        # More than the sockets between them hold, and than the server keeps.
        size = 0
        while size < 15_000:
            for _ in range(500):
                size += 1
                market.trade("Yes", "BUY", "0.62", size)
            quick.until(lambda message: message.body.get("size") == str(size))  # noqa: B023
        slow.until(lambda message: message.body.get("size") == str(size))
        trades = [m for m in slow.messages if m.kind == "market-update/trade"]
        dropped = sum(m.body["count"] for m in slow.messages if m.kind == "ws-error/dropped")
        assert dropped > 0
        assert dropped + len(trades) == size


def test_closing_ends_every_response(exchange: Exchange) -> None:
    with site(exchange) as served:
        tabs = [served.tab(exchange.markets[0].slug) for _ in range(5)]
        for tab in tabs:
            live(tab)
        assert served.extension.close(served.app)
        for tab in tabs:
            assert tab.rest()[-1].kind == "ws-unsubscribed"
            tab.close()
        assert served.get("/health")[0] == 503
        with served.tab(exchange.markets[0].slug) as late:
            assert late.rest()[-1].kind == "ws-error/refused"


# -- who is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?market=", 400),
        ("?market=no-such-market", 404),
        ("?market=0x12", 400),
        ("?market=a&market=b&market=c&market=d", 400),
        ("?user=1", 403),
        ("?market={slug}&user=1", 403),
    ],
)
def test_what_cannot_be_shown_is_refused_for_good(
    exchange: Exchange, query: str, status: int
) -> None:
    with site(exchange, max_markets=3, credentials=exchange.account.credentials) as served:
        path = "/events" + query.replace("{slug}", exchange.markets[0].slug)
        answered, headers, body = served.get(path)
        assert answered == status
        assert headers["content-type"] == "application/json"
        assert json.loads(body)["data"]["type"] == "refused"
        assert exchange.connections == ()


def test_of_a_fixed_list_nothing_else_is_shown(exchange: Exchange) -> None:
    first, second, third = exchange.markets
    with site(exchange, markets=f"{first.slug},{second.slug}") as served:
        with served.tab() as tab:
            listed = tab.next("ws-subscribed").body["markets"]
            assert [market["slug"] for market in listed] == [first.slug, second.slug]
        assert served.get(f"/events?market={third.slug}")[0] == 403
        with served.tab(second.slug) as tab:
            live(tab)


def test_strangers_cannot_make_it_subscribe_without_bound(exchange: Exchange) -> None:
    first, second, third = exchange.markets
    with (
        site(exchange, max_markets=2) as served,
        served.tab(first.slug) as one,
        served.tab(second.slug) as two,
    ):
        live(one)
        live(two)
        with served.tab(third.slug) as refused:
            (message,) = refused.rest()
            assert message.kind == "ws-error/refused"
            assert refused.parser.retry == 10_000
        assert exchange.subscribed == {*first.asset_ids, *second.asset_ids}


def test_an_exchange_that_is_not_there_is_told_and_tried_again(exchange: Exchange) -> None:
    slug = exchange.markets[0].slug
    with site(exchange) as served:
        exchange.close()
        with served.tab(slug) as tab:
            (message,) = tab.rest()
            assert message.kind == "ws-error/failed"
            assert re.search(r"\d{4}", message.body["message"]) is None


def test_orders_are_shown_to_the_session_that_the_hook_allows(exchange: Exchange) -> None:
    extension = PolymarketWS()

    @extension.allow_user
    def is_owner() -> bool:
        return flask.request.headers.get("Cookie") == "session=owner"

    account = exchange.account
    with site(exchange, extension=extension, credentials=account.credentials) as served:
        assert served.get("/events?user=1")[0] == 403
        assert served.get("/events?user=1", Cookie="session=other")[0] == 403
        owner = {"Cookie": "session=owner"}
        with served.tab(user="1", headers=owner) as tab:
            assert tab.next("ws-subscribed").body["user"] is True
            assert exchange.wait_for(
                lambda: any("PING" in text for _, text in exchange.received), scaled(20)
            )
            account.place(exchange.markets[0].asset_ids[0], "BUY", "0.01", 7)
            update = tab.next("user-update/order")
            assert (update.body["action"], update.body["original_size"]) == ("PLACEMENT", "7")
        with served.tab(exchange.markets[0].slug, user="0") as tab:
            live(tab)


def test_hook_that_is_asynchronous_lets_nobody_in(exchange: Exchange) -> None:
    async def anybody() -> bool:
        return True

    with pytest.raises(UsageError, match="without async"):
        PolymarketWS(allows_user=anybody)
    extension = PolymarketWS(allows_user=lambda: anybody())  # noqa: PLW0108 a way past the look
    account = exchange.account
    with site(exchange, extension=extension, credentials=account.credentials) as served:
        assert served.get("/events?user=1")[0] == 500


def test_no_secret_is_in_anything_that_is_sent(exchange: Exchange) -> None:
    account = exchange.account
    secrets = [value.encode() for value in account.credentials.reveal().values()]
    extension = PolymarketWS(allows_user=lambda: True)
    with site(exchange, extension=extension, credentials=account.credentials) as served:
        with served.tab(exchange.markets[0].slug, user="1") as tab:
            live(tab)
            assert exchange.wait_for(
                lambda: any("PING" in text for _, text in exchange.received), scaled(20)
            )
            account.place(exchange.markets[0].asset_ids[0], "BUY", "0.99", 5, "FOK")
            account.finish_trades()
            sent = b""
            while b"CONFIRMED" not in sent:
                sent += tab.read()
        sent += b"".join(served.get(path)[2] for path in ("/", "/health"))
    assert b"polymarket-user-update" in sent
    assert [secret for secret in secrets if secret in sent] == []


def test_an_account_that_the_server_has_not_is_not_found(exchange: Exchange) -> None:
    extension = PolymarketWS(allows_user=lambda: True)
    with site(exchange, extension=extension) as served:
        assert served.get("/events?user=1")[0] == 404


# -- the rest of the routes ------------------------------------------------------------------------


def test_health_tells_how_the_exchange_is(served: Site, exchange: Exchange) -> None:
    assert served.health["status"] == "idle"
    with served.tab(exchange.markets[0].slug) as tab:
        live(tab)
        health = served.health
        assert (health["status"], health["browsers"], health["markets"]) == ("ok", 1, 1)
        assert health["process"] == os.getpid()
        exchange.close()
        tab.next("ws-disconnected")
        pause = threading.Event()
        while served.health["status"] == "ok":
            pause.wait(0.01)
        status, _, body = served.get("/health")
        assert (status, json.loads(body)["status"]) == (503, "lost")
        assert b"127.0.0.1" not in body


def test_page_and_assets_are_served_and_can_be_left_out(exchange: Exchange) -> None:
    with site(exchange) as served:
        status, headers, body = served.get("/")
        assert status == 200
        assert headers["content-type"].startswith("text/html")
        assert "default-src 'self'" in headers["content-security-policy"]
        assert served.get("/", **{"If-None-Match": headers["etag"]})[0] == 304
        assert served.get("/assets/index.html")[2] == body
        for path in ("/assets/..%2fpages.py", "/assets/../pages.py", "/assets/"):
            assert served.get(path)[0] == 404
    with site(exchange, page=False) as served:
        assert served.get("/")[0] == 404
        assert served.get("/assets/index.html")[0] == 404


def test_a_head_request_is_answered_and_costs_nothing(exchange: Exchange) -> None:
    app = flask.Flask("site")
    app.config["POLYMARKET_ENDPOINTS"] = exchange.url
    extension = PolymarketWS(app)
    http = app.test_client()
    answer = http.head(f"/polymarket/events?market={exchange.markets[0].slug}")
    assert (answer.status_code, answer.data) == (200, b"")
    assert http.head("/polymarket/events?market=no-such-market").status_code == 404
    assert http.get("/polymarket/health").get_json()["browsers"] == 0
    assert exchange.connections == ()
    assert extension.close(app, timeout=scaled(5))


# -- the command, and the development server -------------------------------------------------------


def test_check_shows_the_book_of_each_market(exchange: Exchange) -> None:
    app = flask.Flask("site")
    app.config.update(
        POLYMARKET_ENDPOINTS=exchange.url,
        POLYMARKET_MARKETS=[exchange.markets[0].slug, exchange.markets[1].slug],
    )
    PolymarketWS(app)
    done = app.test_cli_runner().invoke(args=["polymarket", "check"])
    assert done.exit_code == 0, done.output
    first, second = done.output.splitlines()
    assert first.startswith(f"{exchange.markets[0].slug}: Book ")
    assert second.startswith(f"{exchange.markets[1].slug}: Book ")


@pytest.mark.parametrize(
    ("words", "code", "said"), [(["no-such-market"], 1, "no market"), ([], 2, "name a market")]
)
def test_check_fails_where_something_does_not_work(
    exchange: Exchange, words: list[str], code: int, said: str
) -> None:
    app = flask.Flask("site")
    app.config["POLYMARKET_ENDPOINTS"] = exchange.url
    PolymarketWS(app)
    done = app.test_cli_runner().invoke(args=["polymarket", "check", *words])
    assert done.exit_code == code
    assert said in done.output
    assert "lookup(" not in done.output


APP = """\
import os

from flask import Flask

from polymarket_ws.integrations.flask import PolymarketWS

app = Flask(__name__)
app.config["POLYMARKET_ENDPOINTS"] = os.environ["EXCHANGE"]
PolymarketWS(app)
"""


@contextlib.contextmanager
def flask_run(exchange: Exchange, folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    (folder / "application.py").write_text(APP, encoding="utf-8")
    port = unused_port()
    command = [sys.executable, "-m", "flask", "--app", "application", "run"]
    command += ["--reload", "--port", str(port)]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "EXCHANGE": exchange.url, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        alarm = threading.Timer(scaled(90), os.killpg, (process.pid, signal.SIGKILL))
        alarm.start()
        try:
            yield f"http://127.0.0.1:{port}/polymarket/events", process
        finally:
            alarm.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def opened(url: str, slug: str, **headers: str) -> Tab:
    pause = threading.Event()
    for _ in range(1000):
        try:
            return Tab(url, slug, headers=headers)
        except OSError:
            pause.wait(scaled(0.02))
    raise AssertionError("nothing listens")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send")
def test_the_reloader_starts_one_client_and_leaves_none_behind(
    exchange: Exchange, tmp_path: Path, seconds: Callable[[float], float]
) -> None:
    slug = exchange.markets[0].slug
    with flask_run(exchange, tmp_path) as (url, process):
        with opened(url, slug) as tab:
            live(tab)
            assert len(exchange.connections) == 1
            (tmp_path / "application.py").write_text(APP + "# saved\n", encoding="utf-8")
            with contextlib.suppress(OSError):
                tab.rest()
        with opened(url, slug, **{"Last-Event-ID": tab.parser.last_event_id}) as tab:
            live(tab)
            assert {m.kind for m in tab.messages} >= {"ws-subscribed", "ws-error/gap"}
            assert exchange.wait_for(lambda: len(exchange.connections) == 1, seconds(10))
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(seconds(10)) in (0, -signal.SIGINT, 130)
    assert exchange.wait_for(lambda: not exchange.connections, seconds(10))


def test_without_flask_it_says_what_to_install() -> None:
    script = """
import sys
sys.modules["flask"] = None
try:
    import polymarket_ws.integrations.flask
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 'pip install "polymarket-ws[flask]"' in done.stdout


def test_importing_the_integration_starts_nothing() -> None:
    script = "import threading, polymarket_ws.integrations.flask; print(threading.active_count())"
    done: Any = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
