"""The page in a real Chromium, from a real server, on the simulated exchange."""

from __future__ import annotations

import os
import re
import time
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.page.site import Site
from tests.ports import unused_port

sync_api = pytest.importorskip("playwright.sync_api")

Open = Callable[..., Any]
Serve = Callable[..., Site]

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}


expect = sync_api.expect


def until_the_account_is_listened_to(exchange: Exchange) -> None:
    """A page may say that it is live before the server is: it is told of what comes later only."""
    assert exchange.wait_for(
        lambda: any(one.path == "/ws/user" and one.subscribed for one in exchange.connections),
        scaled(20.0),
    )


def card(page: Any, index: int = 0) -> Any:
    return page.locator("polymarket-market").nth(index)


def state(page: Any) -> Any:
    return page.locator("#state")


def best(site: Site, asset_id: str) -> tuple[str, str]:
    book = site.book(asset_id)
    bid = max((level["price"] for level in book["bids"]), key=Decimal)
    ask = min((level["price"] for level in book["asks"]), key=Decimal)
    return bid, ask


def expect_the_books_of_the_exchange(page: Any, site: Site) -> list[tuple[str, str]]:
    seen = []
    for index, market in enumerate(site.exchange.markets):
        for row, asset_id in enumerate(market.asset_ids):
            bid, ask = best(site, asset_id)
            expect(card(page, index).locator("[part=bid]").nth(row)).to_have_attribute("value", bid)
            expect(card(page, index).locator("[part=ask]").nth(row)).to_have_attribute("value", ask)
            seen.append((bid, ask))
    return seen


def text_of(page: Any) -> str:
    """All that is on the page, the components' insides included."""
    return str(
        page.evaluate(
            """() => [document.documentElement.outerHTML,
                ...[...document.querySelectorAll('*')].map((one) => one.shadowRoot?.innerHTML)]
                .join('\\n')"""
        )
    )


# -- markets -------------------------------------------------------------------------------------


def test_prices_move_and_equal_those_of_the_exchange(open_page: Open, served: Serve) -> None:
    with Exchange(seed=7, rate=None, markets=4) as exchange:
        site = served(exchange)
        page = open_page(site.address)
        expect(state(page)).to_have_text("Live")
        expect(card(page).locator("h2")).to_have_text(exchange.markets[0].question)
        seen = []
        for _ in range(4):
            exchange.step(60)
            seen.append(expect_the_books_of_the_exchange(page, site))
        assert len({tuple(prices) for prices in seen}) > 1
        exchange.market().place("Yes", "SELL", exchange.market().best_bid("Yes"), 12)
        newest = card(page).locator("[part=trades] tbody tr").first
        expect(newest).to_contain_text("Sell")
        expect(newest).to_contain_text("12")
        depth = card(page).locator("[part=depth] tbody tr")
        expect(depth).to_have_count(6)
        expect(depth.first.locator("td").nth(1).locator("data")).to_have_attribute(
            "value", best(site, exchange.markets[0].asset_ids[0])[0]
        )


def test_nothing_jumps_and_nothing_is_read_aloud_when_prices_move(
    open_page: Open, served: Serve
) -> None:
    with Exchange(seed=7, rate=None, markets=2) as exchange:
        site = served(exchange)
        page = open_page(site.address, viewport=DESKTOP)
        expect(card(page, 1).locator("[part=state]")).to_have_text("Live")
        exchange.step(80)
        expect_the_books_of_the_exchange(page, site)
        page.evaluate(
            """() => {
                window.shifts = [];
                new PerformanceObserver((list) => window.shifts.push(...list.getEntries()))
                    .observe({type: 'layout-shift'});
                window.spoken = [];
                const roots = [document, ...[...document.querySelectorAll('polymarket-market')]
                    .map((one) => one.shadowRoot)];
                for (const root of roots) for (const one of root.querySelectorAll('[role=status]'))
                    new MutationObserver(() => window.spoken.push(one.textContent)).observe(
                        one, {childList: true, characterData: true, subtree: true});
            }"""
        )
        for _ in range(5):
            exchange.step(60)
            expect_the_books_of_the_exchange(page, site)
        assert page.evaluate("window.shifts.map((one) => one.value)") == []
        assert page.evaluate("window.spoken") == []


def test_a_new_tick_and_the_end_of_a_market_are_shown(open_page: Open, served: Serve) -> None:
    with Exchange(seed=7, rate=None, markets=1) as exchange:
        page = open_page(served(exchange).address)
        badge = card(page).locator("[part=state]")
        expect(badge).to_have_text("Live")
        expect(card(page).locator("[part=footer]")).to_contain_text("Tick size 1¢")
        exchange.market().change_tick_size("0.001")
        expect(card(page).locator("[part=footer]")).to_contain_text("Tick size 0.1¢")
        exchange.market().resolve("No")
        expect(badge).to_have_text("Resolved: No")
        expect(card(page).locator("[part=chance]").nth(1)).to_have_text("100.0%")
        expect(card(page).locator("[part=depth] caption")).to_have_text("Order book of Yes: empty")


def test_a_market_that_was_settled_before_the_page_was_opened_is_shown_as_that(
    open_page: Open, served: Serve
) -> None:
    with Exchange(seed=7, rate=None, markets=2) as exchange:
        exchange.market(0).resolve("No")
        site = served(exchange)
        page = open_page(site.address, viewport=DESKTOP)
        expect(card(page, 1).locator("[part=state]")).to_have_text("Live")
        expect(card(page).locator("[part=state]")).to_have_text("Closed")
        expect(card(page).locator("[part=note]")).to_have_text("settled, no prices come any more")
        rows = card(page).locator("[part=trades] tbody tr")
        expect(rows.first).to_have_text("No trade seen")
        expect(card(page, 1).locator("[part=trades] tbody tr").first).to_have_text("No trade yet")
        # Settled while somebody looks: who comes later is told who won.
        exchange.market(1).resolve("Yes")
        expect(card(page, 1).locator("[part=state]")).to_have_text("Resolved: Yes")
        later = open_page(site.address)
        expect(card(later, 1).locator("[part=state]")).to_have_text("Resolved: Yes")
        expect(card(later).locator("[part=state]")).to_have_text("Closed")


def test_a_book_that_does_not_come_is_said_after_a_while(open_page: Open, served: Serve) -> None:
    with Exchange(seed=7, rate=None, markets=1) as exchange:
        site = served(exchange)
        page = open_page("about:blank")
        # A server that was told of the silence before this page came says nothing of it.
        page.add_init_script(
            """const listen = EventSource.prototype.addEventListener;
            EventSource.prototype.addEventListener = function (name, ...more) {
                if (name !== 'polymarket-market-update') listen.call(this, name, ...more);
            };"""
        )
        page.clock.install()
        page.goto(site.address)
        expect(card(page).locator("[part=state]")).to_have_text("Waiting")
        expect(card(page).locator("[part=note]")).to_have_text("waiting for the first book")
        page.clock.fast_forward(25_000)
        expect(card(page).locator("[part=state]")).to_have_text("Silent")
        expect(card(page).locator("[part=note]")).to_have_text("no book has come yet")


def test_the_keyboard_chooses_whose_book_is_shown(open_page: Open, served: Serve) -> None:
    with Exchange(seed=7, rate=None, markets=1) as exchange:
        site = served(exchange)
        page = open_page(site.address)
        caption = card(page).locator("[part=depth] caption")
        expect(caption).to_have_text("Order book of Yes")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(caption).to_have_text("Order book of No")
        bid = best(site, exchange.markets[0].asset_ids[1])[0]
        shown = card(page).locator("[part=depth] tbody td:nth-child(2) data").first
        expect(shown).to_have_attribute("value", bid)
        outline = "getComputedStyle(document.querySelector('polymarket-market').shadowRoot"
        assert page.evaluate(f"{outline}.activeElement).outlineStyle") == "solid"
        cut_by = page.evaluate(
            """() => {
                const button = document.querySelector('polymarket-market').shadowRoot.activeElement;
                const style = getComputedStyle(button);
                const ring = parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset);
                const box = button.getBoundingClientRect();
                const cut = [];
                for (let one = button.parentElement; one; one = one.parentElement) {
                    if (getComputedStyle(one).overflow === 'visible') continue;
                    const place = one.getBoundingClientRect();
                    if (box.left - ring < place.left || box.top - ring < place.top)
                        cut.push(one.tagName);
                }
                return cut;
            }"""
        )
        assert cut_by == []


# -- connections -----------------------------------------------------------------------------------


def test_a_server_that_is_killed_and_comes_back_is_told_without_a_reload(
    open_page: Open, served: Serve
) -> None:
    with Exchange(seed=7, rate=None, markets=2) as exchange:
        site = served(exchange)
        page = open_page(site.address)
        expect(state(page)).to_have_text("Live")
        page.evaluate("window.never_reloaded = true")
        site.kill()
        expect(state(page)).to_have_text("The server is away")
        expect(page.locator("#detail")).to_have_text(re.compile(r"connection lost \d+ s ago"))
        expect(card(page).locator("[part=state]")).to_have_text("Reconnecting")
        exchange.step(100)
        site.start()
        expect(state(page)).to_have_text("Live")
        expect(page.locator("#detail")).to_have_text(re.compile(r"missed \d+(\.\d)? s in 1 gap"))
        expect(card(page).locator("[part=state]")).to_have_text("Live")
        expect_the_books_of_the_exchange(page, site)
        exchange.step(100)
        expect_the_books_of_the_exchange(page, site)
        assert page.evaluate("window.never_reloaded")


def test_a_server_that_hangs_is_told_although_the_connection_stands(
    open_page: Open, served: Serve
) -> None:
    with Exchange(seed=7, rate=None, markets=1) as exchange:
        site = served(exchange)
        page = open_page(site.address)
        expect(state(page)).to_have_text("Live")
        # The page looks once a second: one look at least has to be between the two.
        quiet, answer = scaled(1500), scaled(600)
        page.evaluate(
            f"""import('/assets/feed.js').then(({{Feed}}) =>
                Object.assign(Feed, {{quietMs: {quiet}, answerMs: {answer}}}))"""
        )
        # Quiet alone is nothing: it asks, and is answered.
        with page.expect_request("**/events?*last_event_id=*"):
            pass
        with page.expect_request("**/events?*last_event_id=*"):
            pass
        expect(state(page)).to_have_text("Live")
        expect(page.locator("#detail")).to_have_text("nothing missed")
        site.freeze()
        expect(state(page)).to_have_text("The server is away")
        exchange.step(30)
        site.thaw()
        expect(state(page)).to_have_text("Live")
        expect_the_books_of_the_exchange(page, site)


def test_an_exchange_that_is_lost_and_found_is_told_with_what_was_missed(
    open_page: Open, served: Serve
) -> None:
    # A port of its own, also while it is down: one that the system chose may be given away then.
    with Exchange(port=unused_port(), seed=7, rate=None, markets=2) as exchange:
        site = served(exchange, user=True)
        page = open_page(site.address)
        expect(page.locator("polymarket-orders [part=state]")).to_have_text("Live")
        assert exchange.wait_for(lambda: len(exchange.connections) == 2, scaled(20.0))
        exchange.close()
        expect(state(page)).to_have_text("Reconnecting")
        expect(page.locator("#detail")).to_contain_text("the server lost Polymarket")
        exchange.start()
        expect(state(page)).to_have_text("Live")
        expect(page.locator("#detail")).to_have_text(re.compile(r"missed .* in 1 gap"))
        exchange.step(50)
        expect_the_books_of_the_exchange(page, site)


def test_an_answer_that_is_no_stream_is_asked_for_again(open_page: Open, served: Serve) -> None:
    with Exchange(seed=7, rate=None, markets=1) as exchange:
        site = served(exchange)
        page = open_page("about:blank")
        # As a proxy answers whose server is being deployed: an EventSource gives up on that.
        page.route(
            "**/events", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>")
        )
        page.goto(site.address)
        expect(state(page)).to_have_text("The server is away")
        page.unroute("**/events")
        expect(state(page)).to_have_text("Live")
        expect_the_books_of_the_exchange(page, site)


def test_components_share_one_connection_and_the_last_one_closes_it(
    open_page: Open, served: Serve
) -> None:
    with Exchange(seed=7, rate=None, markets=3) as exchange:
        site = served(exchange)
        page = open_page(site.address)
        expect(page.locator("polymarket-market")).to_have_count(3)
        expect(card(page, 2).locator("[part=state]")).to_have_text("Live")
        assert site.health()["browsers"] == 1
        slugs = [market.slug for market in exchange.markets]
        # Another address is another feed: this one names what it wants.
        page.evaluate(
            """async (slugs) => {
                for (const slug of slugs) {
                    const one = document.createElement('polymarket-market');
                    one.setAttribute('src', '/events?shared');
                    one.setAttribute('market', slug);
                    document.querySelector('main').append(one);
                }
            }""",
            slugs[:2],
        )
        expect(card(page, 4).locator("[part=state]")).to_have_text("Live")
        expect(card(page, 4).locator("h2")).to_have_text(exchange.markets[1].question)
        assert site.health()["browsers"] == 2
        page.evaluate("document.querySelectorAll('[src*=shared]').forEach((one) => one.remove())")
        page.wait_for_function(
            "async () => (await (await fetch('/health')).json()).browsers === 1", polling=100
        )


def test_a_wrong_name_in_the_address_of_the_page_costs_the_other_markets_nothing(
    open_page: Open, served: Serve
) -> None:
    with Exchange(seed=7, rate=None, markets=3) as exchange:
        first, second, _ = exchange.markets
        address = served(exchange).address
        # The last is a second name of the first.
        names = (second.slug, "no-such-market", first.asset_ids[1], second.condition_id)
        page = open_page(f"{address}?{'&'.join(f'market={name}' for name in names)}")
        questions = page.locator("polymarket-market [part=question]")
        expect(questions).to_have_text([second.question, "no-such-market", first.question])
        states = page.locator("polymarket-market [part=state]")
        expect(states).to_have_text(["Live", "Not here", "Live"])
        expect(page.locator("#count")).to_have_text("2 markets")


def test_a_market_that_the_server_does_not_show_is_said(open_page: Open, served: Serve) -> None:
    with Exchange(seed=7, rate=None, markets=2) as exchange:
        site = served(exchange, count=1)
        page = open_page(f"{site.address}?market={exchange.markets[1].slug}")
        expect(state(page)).to_have_text("Trouble")
        expect(page.locator("#detail")).to_contain_text("not shown")
        # Beside others it costs only itself.
        other = open_page(site.address)
        expect(state(other)).to_have_text("Live")
        other.evaluate(
            """(names) => names.forEach((name) => {
                const one = document.createElement('polymarket-market');
                one.setAttribute('src', '/events?few');
                one.setAttribute('market', name);
                document.querySelector('main').append(one);
            })""",
            [market.slug for market in exchange.markets],
        )
        expect(card(other, 1).locator("[part=state]")).to_have_text("Live")
        expect(card(other, 2).locator("[part=state]")).to_have_text("Not here")


# -- orders ----------------------------------------------------------------------------------------


def test_an_order_goes_from_placed_to_filled_on_the_screen(open_page: Open, served: Serve) -> None:
    with Exchange(seed=7, rate=None, markets=1) as exchange:
        market, account = exchange.market(), exchange.account
        market.set_book("Yes", bids=[("0.40", 200)], asks=[("0.62", 100)])
        site = served(exchange, user=True)
        page = open_page(site.address)
        expect(page.locator("polymarket-orders [part=state]")).to_have_text("Live")
        until_the_account_is_listened_to(exchange)
        token = market.info.asset_ids[0]
        order_id = account.place(token, "BUY", "0.45", 100)
        row = page.locator(f"polymarket-orders tr[data-order='{order_id}']")
        expect(row).to_contain_text("Buy Yes at 45¢")
        expect(row).to_contain_text("0 of 100")
        expect(row.locator(".way b")).to_have_text("placed")
        market.trade("Yes", "SELL", "0.45", 30)
        expect(row).to_contain_text("30 of 100")
        expect(row.locator(".way b")).to_have_text("partly")
        market.trade("Yes", "SELL", "0.45", 70)
        expect(row).to_contain_text("100 of 100")
        expect(row.locator(".way")).to_contain_text("placed → partly → filled")
        fill = page.locator("polymarket-orders [part=fills] tbody tr").first
        expect(fill).to_contain_text("Buy 70 Yes at 45¢")
        account.finish_trades()
        expect(fill).to_contain_text("Confirmed")
        other = account.place(token, "BUY", "0.44", 5)
        account.cancel(other)
        cancelled = page.locator(f"polymarket-orders tr[data-order='{other}']")
        expect(cancelled).to_contain_text("placed → cancelled")
        expect(page.locator("polymarket-orders [part=footer]")).to_contain_text(
            "0 open, 1 filled, 1 cancelled"
        )
        # No secret is on a page: an owner is an API key.
        assert order_id in text_of(page)
        assert [secret for secret in site.secrets if secret in text_of(page)] == []


def test_a_session_that_has_ended_costs_the_orders_and_not_the_prices(
    open_page: Open, served: Serve
) -> None:
    with Exchange(seed=7, rate=None, markets=1) as exchange:
        site = served(exchange, user=True)
        page = open_page(site.address)
        orders = page.locator("polymarket-orders [part=state]")
        expect(orders).to_have_text("Live")
        site.kill()
        site.start()  # its key is another one
        expect(orders).to_have_text("Not shown")
        expect(state(page)).to_have_text("Live")
        stranger = open_page(f"http://127.0.0.1:{site.port}/?user=1")
        expect(state(stranger)).to_have_text("Live")
        expect(stranger.locator("polymarket-orders [part=state]")).to_have_text("Not shown")
        exchange.step(50)
        expect_the_books_of_the_exchange(page, site)


# -- everybody -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(open_page: Open, served: Serve, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with Exchange(seed=7, rate=None, markets=2) as exchange:
        exchange.account.trade_by_itself(100)
        site = served(exchange, user=True)
        page = open_page(site.address, color_scheme=scheme, viewport=DESKTOP)
        expect(page.locator("polymarket-orders [part=state]")).to_have_text("Live")
        until_the_account_is_listened_to(exchange)
        exchange.step(100)
        expect(page.locator("polymarket-orders [part=fills] tbody tr").first).to_be_visible()

        def faults() -> list[str]:
            # What is dark differs in its colours only.
            rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
            found = axe.run(page, options={"resultTypes": ["violations"], **rules})
            return [
                f"{one['impact']} {one['id']}: {node['html']}"
                for one in found.response["violations"]
                for node in one["nodes"]
            ]

        exchange.market().resolve("Yes")
        expect(card(page).locator("[part=state]")).to_have_text("Resolved: Yes")
        assert faults() == []
        page.set_viewport_size(PHONE)
        site.kill()
        expect(state(page)).to_have_text("The server is away")
        assert faults() == []


@pytest.mark.timeout(300)
def test_everything_fits_and_pictures_can_be_taken(
    open_page: Open, served: Serve, tmp_path: Path
) -> None:
    # With POLYMARKET_WS_PICTURES=docs/_static these are the pictures of the documentation.
    wanted = os.environ.get("POLYMARKET_WS_PICTURES")
    folder = Path(wanted or tmp_path)
    # A market that moves by itself is painted all the time, in four windows.
    rate, clock, own_rate = (20, time.time, 1.5) if wanted else (None, None, 20)
    with Exchange(seed=7, rate=rate, markets=2, clock=clock) as exchange:
        exchange.account.trade_by_itself(own_rate)
        site = served(exchange, user=True)
        still = {"reduced_motion": "reduce"}
        windows = {
            f"page-{name}-{scheme}": open_page(
                site.address, color_scheme=scheme, viewport=size, **still
            )
            for name, size in (("desktop", DESKTOP), ("phone", PHONE))
            for scheme in ("light", "dark")
        }
        for page in windows.values():
            expect(page.locator("polymarket-orders [part=state]")).to_have_text("Live")
            expect(card(page, 1).locator("[part=state]")).to_have_text("Live")
        until_the_account_is_listened_to(exchange)
        if not wanted:
            exchange.step(100)
        for page in windows.values():
            expect(page.locator("polymarket-orders [part=fills] tbody tr")).not_to_have_count(0)
        if wanted:
            # So that there is a line to be seen.
            windows["page-phone-dark"].wait_for_timeout(150_000)
        # One order that rests, and one that is filled in part unless somebody else was quicker.
        script = exchange.market(1)
        token = script.info.asset_ids[0]
        exchange.account.place(token, "BUY", "0.31", 240)
        bid = script.best_bid("Yes")
        exchange.account.place(token, "BUY", bid, 120)
        script.trade("Yes", "SELL", bid, 45)
        for name, page in windows.items():
            expect(page.locator("polymarket-orders [part=orders]")).to_contain_text("0 of 240")
            wide, seen = page.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert wide == seen
            cut = page.evaluate(
                """() => [...document.querySelectorAll('polymarket-market')].flatMap((one) =>
                    [...one.shadowRoot.querySelectorAll('th, td, h2, .badge')])
                    .filter((one) => !one.querySelector('.fill'))
                    .filter((one) => one.scrollWidth > one.clientWidth + 1)
                    .map((one) => one.outerHTML)"""
            )
            assert cut == []
            # The desktop whole, of the phone what is seen at first.
            page.screenshot(path=folder / f"{name}.png", full_page="desktop" in name)
            assert 10_000 < (folder / f"{name}.png").stat().st_size < 300_000


def test_the_page_is_allowed_nothing_from_elsewhere_and_nothing_inline(
    open_page: Open, served: Serve
) -> None:
    with Exchange(seed=7, rate=None, markets=1) as exchange:
        site = served(exchange)
        with urllib.request.urlopen(site.address) as answer:
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            assert "Access-Control-Allow-Origin" not in answer.headers
            html = answer.read().decode()
        assert 'lang="en"' in html
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", html)
        asked: list[str] = []
        page = open_page("about:blank")
        page.on("request", lambda request: asked.append(request.url))
        page.goto(site.address)
        expect(state(page)).to_have_text("Live")
        assert asked
        assert all(address.startswith(site.address) for address in asked)
