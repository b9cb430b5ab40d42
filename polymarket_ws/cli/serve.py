"""``polymarket-ws serve``: a page that moves, and the events behind it, on this machine."""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
import click

from polymarket_ws.cli.account import (
    chosen_account,
    markets_named,
    profile_option,
    refuse_profile,
)
from polymarket_ws.cli.exchange import chosen_exchange, demo_option, url_option
from polymarket_ws.cli.notices import Notices
from polymarket_ws.credentials import Credentials
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.market_info import MarketInfo

if TYPE_CHECKING:
    from flask import Flask

    from polymarket_ws.integrations.flask import PolymarketWS

__all__ = ["serve"]

#: Of the two seconds in which Ctrl-C ends everything; the exchange of --demo has the rest.
_CLOSE_SECONDS: Final = 1.0

#: So long the responses have to say so to their browsers, once they are told to end. As a rule it
#: takes milliseconds; a browser that does not read never hears it.
_FAREWELL_SECONDS: Final = 0.75

#: Looks for its end this often, in seconds, as socketserver does.
_POLL_SECONDS: Final = 0.25

_WRONG_KEY: Final = (
    "This key is not the one of this run. Open the address that polymarket-ws serve printed last.\n"
)

_NO_FLASK: Final = (
    'serve needs Flask: pip install "polymarket-ws[flask]", or pip install -e ".[flask]" in a clone'
)


@attrs.frozen(kw_only=True)
class _Shown:
    """What the page shows."""

    endpoints: Endpoints
    markets: Sequence[MarketInfo]
    credentials: Credentials | None = None


@click.command()
@click.argument("what", nargs=-1)
@click.option(
    "--user",
    is_flag=True,
    help="Your own orders and fills, too. Needs an API key: see `polymarket-ws credentials`.",
)
@profile_option
@url_option
@demo_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
def serve(
    *,
    what: tuple[str, ...],
    user: bool,
    profile: str | None,
    endpoints: Endpoints | None,
    demo: bool,
    host: str,
    port: int,
) -> None:
    """Serve a page of live markets until Ctrl-C.

    WHAT is the address of a market's page on polymarket.com, its slug, its condition id, or
    one of its token ids. The first line of output is the address of the page; what the page
    listens to is at `events` below it, as Server-Sent Events.

    With --user it shows your own orders and fills, too, and WHAT may be left out. Only who
    has the address that is printed sees them: it holds a key of this run.

    Any number of browsers cost one subscription. It is meant for your own machine: for more,
    there are the integrations for web frameworks. Ctrl-C is the regular end and exits with 0.
    """
    if not user:
        refuse_profile(profile)
    elif not _is_loopback(host):
        raise click.UsageError("--user shows your orders on this machine only: leave --host out")
    if not what and not demo and not user:
        raise click.UsageError(
            "nothing to serve: name a market by its address on polymarket.com, slug, condition "
            "id or token id, or try --demo"
        )
    try:
        from polymarket_ws.integrations.flask import PolymarketWS
    except ModuleNotFoundError as error:
        if error.name not in ("flask", "werkzeug"):
            raise
        raise click.ClickException(_NO_FLASK) from error
    extension = PolymarketWS()
    with ExitStack() as stack:
        # Wherever it comes from now on, Ctrl-C is how this ends.
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        stack.enter_context(Notices())
        listener = stack.enter_context(_listening(host, port))
        if user:
            account = stack.enter_context(chosen_account(endpoints, demo=demo, profile=profile))
            shown = _Shown(
                endpoints=account.endpoints,
                markets=_found(what, account.endpoints) or account.markets,
                credentials=account.credentials,
            )
        else:
            where, everywhere = stack.enter_context(chosen_exchange(endpoints, demo=demo))
            shown = _Shown(endpoints=where, markets=_found(what, where) or everywhere)
        _serve(stack, extension, shown, host, listener)


def _found(what: Sequence[str], endpoints: Endpoints) -> list[MarketInfo]:
    markets = markets_named(what, endpoints, with_names=True)
    for name, market in zip(what, markets, strict=False):
        if not market.asset_ids:
            raise click.UsageError(f"the market {market.slug or name} cannot be found or shown")
    return markets


def _listening(host: str, port: int) -> socket.socket:
    # Not Werkzeug's own: where it cannot listen it says so in its own words and exits.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise click.ClickException(f"cannot listen on {host}:{port}: {reason}") from error


def _serve(
    stack: ExitStack, extension: PolymarketWS, shown: _Shown, host: str, listener: socket.socket
) -> None:
    from werkzeug.serving import WSGIRequestHandler, make_server

    # The threads that answer. Each comes and goes by itself, in one instruction.
    answering: dict[threading.Thread, None] = {}

    class Quiet(WSGIRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Say nothing: a line for each request would hide what goes wrong."""

        def run_wsgi(self) -> None:
            # Not all of a connection: a browser may open one, and ask for nothing.
            thread = threading.current_thread()
            answering[thread] = None
            try:
                super().run_wsgi()
            finally:
                del answering[thread]

    def wait_for_the_last() -> None:
        deadline = time.monotonic() + _FAREWELL_SECONDS
        for thread in list(answering):
            thread.join(max(0.0, deadline - time.monotonic()))

    port = int(listener.getsockname()[1])
    key = None if shown.credentials is None else secrets.token_urlsafe(18)
    app = _application(extension, shown, key, port, guarded=_is_loopback(host))
    # Threads of the server end with the process: without this, in the middle of a farewell.
    stack.callback(wait_for_the_last)
    stack.callback(extension.close, app, timeout=_CLOSE_SECONDS)
    server = make_server(
        host, port, app, threaded=True, request_handler=Quiet, fd=listener.fileno()
    )
    stack.callback(server.server_close)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    click.echo(address if key is None else f"{address}?key={key}")
    server.serve_forever(_POLL_SECONDS)


def _application(
    extension: PolymarketWS, shown: _Shown, key: str | None, port: int, *, guarded: bool
) -> Flask:
    from flask import Flask, Response, abort, redirect, request

    app = Flask("polymarket_ws", static_folder=None)
    app.config.update(
        POLYMARKET_URL_PREFIX="",
        POLYMARKET_ENDPOINTS=shown.endpoints,
        POLYMARKET_MARKETS=list(shown.markets),
        POLYMARKET_MAX_MARKETS=max(1, len(shown.markets)),
        POLYMARKET_CREDENTIALS=shown.credentials,
    )
    # Cookies know no ports: two of these on one machine must not take each other's.
    cookie = f"polymarket-ws-{port}"

    @app.before_request
    def check_host() -> None:
        # A name of a foreign site may be made to resolve to this machine; its pages could
        # read what they like then.
        if guarded and not _is_loopback(_hostname(request.host)):
            abort(403)

    @app.before_request
    def take_key() -> Any:
        # Off the address bar, the history and the referrer, into a cookie.
        if key is None or request.path != "/" or "key" not in request.args:
            return None
        if not is_key(request.args["key"]):
            # The cookie of a window that was opened with the right one stays as it is.
            return Response(_WRONG_KEY, 403, content_type="text/plain; charset=utf-8")
        response = redirect("/?user=1")
        response.set_cookie(cookie, key, httponly=True, samesite="Strict")
        return response

    def is_key(given: str) -> bool:
        return key is not None and hmac.compare_digest(given.encode(), key.encode())

    def has_key() -> bool:
        return is_key(request.args.get("key") or request.cookies.get(cookie, ""))

    extension.allow_user(has_key)
    extension.init_app(app)
    return app


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
