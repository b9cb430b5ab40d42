"""The components on a site of somebody else, with one script tag."""

from __future__ import annotations

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
