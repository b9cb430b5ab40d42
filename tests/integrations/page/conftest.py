"""A real Chromium, and a page for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.page.site import Site

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# Not of the session: while Playwright runs, no other test of this thread can use asyncio.run().
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium; without it, or without Playwright, the test is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api")
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("there is no Chromium")
    # What is expected is waited for, by default five seconds however slow the machine is.
    sync_api.expect.set_options(timeout=scaled(20.0) * 1000)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open an address in a window of its own: ``open_page(address, color_scheme="dark")``.

    Whatever a page says on its console fails the test, but that something cannot be loaded: a
    script that breaks, and what a Content-Security-Policy forbids.
    """
    said: list[str] = []

    def heard(message: Any) -> None:
        if message.type in ("error", "warning") and "Failed to load" not in message.text:
            said.append(message.text)

    with ExitStack() as stack:

        def opened(address: str, **options: Any) -> Any:
            context = chromium.new_context(**options)
            stack.callback(context.close)
            context.set_default_timeout(scaled(10.0) * 1000)
            page = context.new_page()
            page.on("console", heard)
            page.on("pageerror", lambda error: said.append(str(error)))
            page.goto(address)
            return page

        yield opened
    assert not said


@pytest.fixture
def served() -> Iterator[Callable[..., Site]]:
    """Serve some markets of an exchange: ``served(exchange, user=True)``."""
    with ExitStack() as stack:

        def start(exchange: Exchange, *, user: bool = False, count: int | None = None) -> Site:
            site = Site(exchange, [one.slug for one in exchange.markets[:count]], user=user)
            stack.callback(site.kill)
            site.start()
            return site

        yield start
