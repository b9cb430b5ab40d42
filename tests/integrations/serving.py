"""A Flask application behind a real threaded server, beside a simulated exchange."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.event_stream import Tab

flask = pytest.importorskip("flask", reason="flask is not installed: the extra flask has it")

from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402

from polymarket_ws.integrations.flask import PolymarketWS  # noqa: E402


class Quiet(WSGIRequestHandler):
    def log_request(self, *arguments: Any) -> None:
        pass


@attrs.frozen
class Site:
    """A running site."""

    app: Any
    extension: PolymarketWS
    url: str

    def tab(self, *markets: str, **options: Any) -> Tab:
        return Tab(f"{self.url}/events", *markets, **options)

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        host = self.url.removeprefix("http://").partition("/")[0]
        connection = http.client.HTTPConnection(host, timeout=scaled(20))
        try:
            prefix = "/" + self.url.removeprefix("http://").partition("/")[2]
            connection.request("GET", prefix + path, headers=headers)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return response.status, named, response.read()
        finally:
            connection.close()

    @property
    def health(self) -> dict[str, Any]:
        health = json.loads(self.get("/health")[2])
        assert isinstance(health, dict)
        return health


@contextlib.contextmanager
def site(
    exchange: Exchange, *, extension: PolymarketWS | None = None, **settings: object
) -> Iterator[Site]:
    """Serve an application while the block lasts; settings are those after ``POLYMARKET_``."""
    app = flask.Flask("site")
    app.config.update({f"POLYMARKET_{name.upper()}": value for name, value in settings.items()})
    app.config.setdefault("POLYMARKET_ENDPOINTS", exchange.url)
    extension = extension or PolymarketWS()
    extension.init_app(app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        prefix = app.config.get("POLYMARKET_URL_PREFIX", "/polymarket")
        yield Site(app, extension, f"http://127.0.0.1:{server.port}{prefix}")
    finally:
        assert extension.close(app, timeout=scaled(5.0))
        server.shutdown()
        thread.join()
        server.server_close()
