"""A broadcast beside a simulated exchange, and browsers without a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from polymarket_ws import Backoff, Client, Endpoints, MarketInfo
from polymarket_ws.integrations.sse.broadcast import Broadcast, Limits
from polymarket_ws.integrations.sse.browser import Browser
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.event_stream import Message, Parser


@attrs.define
class Visitor:
    """A browser without a network: what it was told, parsed."""

    broadcast: Broadcast
    browser: Browser
    parser: Parser = attrs.field(factory=Parser)
    messages: list[Message] = attrs.field(factory=list)

    def read(self, timeout: float) -> None:
        self.browser.wait(timeout)
        self.messages += self.parser.feed(self.broadcast.read(self.browser))

    def until(self, found: Callable[[Message], object]) -> Message:
        for _ in range(200):
            for message in self.messages:
                if found(message):
                    return message
            self.read(scaled(0.2))
        raise AssertionError([message.kind for message in self.messages])

    def kinds(self) -> list[str]:
        return [message.kind for message in self.messages]

    def live(self, info: MarketInfo) -> None:
        for asset_id in info.asset_ids:
            self.until(
                lambda message, asset_id=asset_id: (  # type: ignore[misc]
                    message.body.get("asset_id") == asset_id and message.body.get("state") == "live"
                )
            )

    @property
    def id(self) -> str:
        return self.parser.last_event_id


class House:
    """A broadcast beside an exchange."""

    def __init__(self, exchange: Exchange, **limits: Any) -> None:
        self.exchange = exchange
        account = exchange.account.credentials
        self.client = Client(
            account, endpoints=Endpoints.at(exchange.url), backoff=Backoff(initial=0.01)
        )
        self.broadcast = Broadcast(
            lambda: self.client, api_key=account.api_key, limits=Limits(**limits)
        )

    def visit(self, *markets: int, user: bool = False, since: str | None = None) -> Visitor:
        infos = [self.exchange.markets[at] for at in markets]
        browser, text = self.broadcast.join(infos, user=user, last_event_id=since)
        visitor = Visitor(self.broadcast, browser)
        visitor.messages += visitor.parser.feed(text)
        return visitor

    def leave(self, visitor: Visitor) -> None:
        self.broadcast.leave(visitor.browser)
