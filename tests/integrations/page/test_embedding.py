"""The components on a site of somebody else, with one script tag."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from polymarket_ws.integrations.flask import PolymarketWS
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled

flask = pytest.importorskip("flask")
serving = pytest.importorskip("werkzeug.serving")
sync_api = pytest.importorskip("playwright.sync_api")


@contextmanager
def running(app: Any) -> Iterator[str]:
    server = serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def page_of_a_newspaper(script: str, slug: str) -> Any:
    app = flask.Flask("newspaper")

    @app.get("/")
    def article() -> Any:
        return f"""<!doctype html><html lang="en"><title>Weather</title>
            <style>polymarket-market {{ --polymarket-ground: rgb(1, 2, 3); width: 340px }}
                   polymarket-market::part(question) {{ font-style: italic }}</style>
            <script type="module" src="{script}"></script>
            <polymarket-market market="{slug}"></polymarket-market></html>"""

    @app.get("/favicon.ico")
    def icon() -> Any:
        return "", 204

    return app


@pytest.mark.parametrize("allowed", [True, False])
def test_one_script_tag_shows_a_market_on_a_site_that_is_allowed(
    open_page: Callable[..., Any], chromium: Any, *, allowed: bool
) -> None:
    with Exchange(seed=7, rate=None, markets=2) as exchange:
        market = exchange.markets[1]
        live = flask.Flask("live")
        live.config["POLYMARKET_ENDPOINTS"] = exchange.url
        live.config["POLYMARKET_MARKETS"] = [market.slug]
        polymarket = PolymarketWS(live)
        with running(live) as origin:
            paper = page_of_a_newspaper(f"{origin}/polymarket/assets/polymarket.js", market.slug)
            with running(paper) as address:
                if allowed:

                    @live.after_request
                    def embed(response: Any) -> Any:
                        response.headers["Access-Control-Allow-Origin"] = address
                        response.headers["Vary"] = "Origin"
                        return response

                    page = open_page(address)
                    badge = page.locator("polymarket-market [part=state]")
                    sync_api.expect(badge).to_have_text("Live")
                    question = page.locator("polymarket-market [part=question]")
                    sync_api.expect(question).to_have_text(market.question)
                    assert question.evaluate("one => getComputedStyle(one).fontStyle") == "italic"
                    card = page.locator("polymarket-market [part=card]")
                    ground = card.evaluate("one => getComputedStyle(one).backgroundColor")
                    assert ground == "rgb(1, 2, 3)"
                    page.goto("about:blank")
                else:
                    page = chromium.new_page()
                    with page.expect_console_message(
                        lambda message: "blocked by CORS policy" in message.text,
                        timeout=scaled(20.0) * 1000,
                    ):
                        page.goto(address, timeout=scaled(20.0) * 1000)
                    assert not page.evaluate("Boolean(customElements.get('polymarket-market'))")
                    page.context.close()
            polymarket.close(live)


def test_one_component_may_show_more_markets_in_turn_than_a_server_tells_of_at_once(
    open_page: Callable[..., Any],
) -> None:
    with Exchange(seed=7, rate=None, markets=4) as exchange:
        site = flask.Flask("site")
        site.config["POLYMARKET_ENDPOINTS"] = exchange.url
        site.config["POLYMARKET_MAX_MARKETS"] = 2
        # That a browser has left is noticed when something is sent to it.
        site.config["POLYMARKET_KEEPALIVE_SECONDS"] = 0.05
        polymarket = PolymarketWS(site)

        @site.get("/")
        def article() -> Any:
            return """<!doctype html><html lang="en"><title>Weather</title>
                <link rel="icon" href="data:,">
                <script type="module" src="/polymarket/assets/polymarket.js"></script>
                <polymarket-market market="will-it-rain-in-lisbon-on-new-years-day">
                </polymarket-market></html>"""

        with running(site) as address:
            page = open_page(address)
            card = page.locator("polymarket-market")
            badge, question = card.locator("[part=state]"), card.locator("[part=question]")
            sync_api.expect(badge).to_have_text("Live")
            # And back to one that was left: what it showed then is not true any more.
            for market in (*exchange.markets[1:], exchange.markets[0]):
                card.evaluate("(one, slug) => one.setAttribute('market', slug)", market.slug)
                sync_api.expect(question).to_have_text(market.question)
                sync_api.expect(badge).to_have_text("Live")
                page.wait_for_function(
                    """() => fetch('/polymarket/health').then((answer) => answer.json())
                        .then((health) => health.browsers === 1)"""
                )
            page.goto("about:blank")
            polymarket.close(site)


def test_a_component_that_is_added_costs_the_others_no_trade(
    open_page: Callable[..., Any], seconds: Callable[[float], float]
) -> None:
    with Exchange(seed=7, rate=None, markets=2) as exchange:
        first, second = exchange.markets
        site = flask.Flask("site")
        site.config["POLYMARKET_ENDPOINTS"] = exchange.url
        polymarket = PolymarketWS(site)

        @site.get("/")
        def article() -> Any:
            return f"""<!doctype html><html lang="en"><title>Weather</title>
                <link rel="icon" href="data:,">
                <script type="module" src="/polymarket/assets/polymarket.js"></script>
                <polymarket-market market="{first.slug}"></polymarket-market></html>"""

        def told_of_a_trade(address: str) -> None:
            # Once another browser is told of it, the next one to come is not told of it live.
            connection = http.client.HTTPConnection(
                address.removeprefix("http://"), timeout=seconds(10)
            )
            connection.request("GET", f"/polymarket/events?market={first.slug}")
            answer = connection.getresponse()
            exchange.market(0).trade("Yes", "BUY", "0.77", "7")
            while b'"type":"trade","price":"0.77"' not in answer.readline():
                continue
            answer.close()
            connection.close()

        with running(site) as address:
            page = open_page(address)
            card = page.locator("polymarket-market")
            sync_api.expect(card.locator("[part=state]")).to_have_text("Live")
            # An id to come back with.
            exchange.market(0).trade("Yes", "BUY", "0.76", "6")
            trades = card.first.locator("[part=trades] tbody")
            sync_api.expect(trades).to_contain_text("76¢")

            def between(route: Any) -> None:
                told_of_a_trade(address)
                route.continue_()

            page.route("**/polymarket/events?*", between)
            page.evaluate(
                """(slug) => {
                    const one = document.createElement('polymarket-market');
                    one.setAttribute('market', slug);
                    document.body.append(one);
                }""",
                second.slug,
            )
            sync_api.expect(card.last.locator("[part=question]")).to_have_text(second.question)
            sync_api.expect(card.last.locator("[part=state]")).to_have_text("Live")
            sync_api.expect(trades).to_contain_text("77¢")
            assert trades.inner_text().count("76¢") == 1
            note = card.first.locator("[part=note]")
            sync_api.expect(note).to_have_text("nothing missed")
            page.goto("about:blank")
            polymarket.close(site)
