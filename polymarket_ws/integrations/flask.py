"""Live markets in a Flask application. Needs the extra ``flask``.

::

    app = Flask(__name__)
    app.config["POLYMARKET_MARKETS"] = ["will-it-rain-in-lisbon-tomorrow"]
    polymarket = PolymarketWS(app)

Then ``/polymarket/`` is a page that moves, ``/polymarket/events`` what it listens to and
``/polymarket/health`` what a probe asks. See docs/howto/flask.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar, cast

try:
    import click
    from flask import Blueprint, Flask, Response, current_app, request
    from werkzeug.local import LocalProxy
except ModuleNotFoundError as error:
    if error.name not in ("flask", "werkzeug", "click"):
        raise
    raise ModuleNotFoundError(
        'polymarket_ws.integrations.flask needs Flask: pip install "polymarket-ws[flask]"',
        name=error.name,
    ) from error

from polymarket_ws.errors import PolymarketWSError, UsageError
from polymarket_ws.integrations.answers import Answer
from polymarket_ws.integrations.catalogue import without_python
from polymarket_ws.integrations.options import Options
from polymarket_ws.integrations.service import PerProcess, Service
from polymarket_ws.subscriptions import Market

__all__ = ["PolymarketWS", "current_polymarket"]

F = TypeVar("F", bound=Callable[[], object])

_EXTENSION = "polymarket_ws"

_NO_ASYNC = "allows_user takes a function without async: what it returns is believed at once"

#: How long ``flask polymarket check`` waits for a book.
_CHECK_SECONDS = 10.0


class PolymarketWS:
    """Flask's extension. Nothing connects before the first browser comes.

    Args:
        app: calls :meth:`init_app` with it.
        allows_user: decides in a request whether its session may see orders and fills. Nobody
            may without.

    Raises:
        UsageError: a setting that cannot mean anything, or an asynchronous ``allows_user``.
    """

    def __init__(
        self, app: Flask | None = None, *, allows_user: Callable[[], object] | None = None
    ) -> None:
        self._allows_user = _checked(allows_user)
        if app is not None:
            self.init_app(app)

    def allow_user(self, function: F) -> F:
        """Have a function decide, as ``allows_user`` does. A decorator.

        Raises:
            UsageError: it is asynchronous.
        """
        self._allows_user = _checked(function)
        return function

    def init_app(self, app: Flask) -> None:
        """Add the routes and the commands to an application, as ``app.config`` says.

        Raises:
            UsageError: a setting that cannot mean anything, or this application has it already.
        """
        if _EXTENSION in app.extensions:
            raise UsageError("PolymarketWS was added to this application already")
        processes = PerProcess(Options.of(app.config))
        app.extensions[_EXTENSION] = processes
        app.register_blueprint(self._blueprint(processes.options))

    def close(self, app: Flask, timeout: float = 2.0) -> bool:
        """End every response and the client of this process; happens at exit by itself.

        Args:
            app: the application.
            timeout: seconds to wait at most.

        Returns:
            False if something did not end in time.
        """
        return _processes(app).close(timeout)

    def _may_see_user(self) -> bool:
        if self._allows_user is None:
            return False
        answer = self._allows_user()
        if inspect.isawaitable(answer):
            # It is true, whatever it would say, and everybody would see the account.
            close = getattr(answer, "close", None)
            if close is not None:
                close()
            raise UsageError(_NO_ASYNC)
        return bool(answer)

    def _blueprint(self, options: Options) -> Blueprint:
        # No static folder: assets come from the package, with their own headers.
        blueprint = Blueprint(
            "polymarket", __name__, url_prefix=options.url_prefix or None, cli_group="polymarket"
        )

        @blueprint.get("/events")
        def events() -> Response:
            asked = request.args
            return _response(
                _service().events(
                    asked.getlist("market"),
                    user=asked.get("user", "") not in ("", "0", "false"),
                    may_see_user=self._may_see_user,
                    last_event_id=request.headers.get("Last-Event-ID")
                    or asked.get("last_event_id"),
                    alone=not request.environ.get("wsgi.multithread", True),
                )
            )

        @blueprint.get("/health")
        def health() -> Response:
            return _response(_service().health())

        @blueprint.get("/")
        def page() -> Response:
            return _response(_service().page(request.headers.get("If-None-Match")))

        @blueprint.get("/assets/<name>")
        def assets(name: str) -> Response:
            return _response(_service().asset(name, request.headers.get("If-None-Match")))

        blueprint.cli.command("check")(_check)
        return blueprint


def _checked(function: F | None) -> F | None:
    if inspect.iscoroutinefunction(function):
        raise UsageError(_NO_ASYNC)
    return function


def _processes(app: Flask) -> PerProcess:
    processes = app.extensions.get(_EXTENSION)
    if not isinstance(processes, PerProcess):
        raise RuntimeError("this application has no PolymarketWS: write PolymarketWS(app)")
    return processes


def _service() -> Service:
    return _processes(current_app).service


#: The :class:`~polymarket_ws.integrations.service.Service` of the current application in this
#: process: its ``client``, and ``lookup``.
current_polymarket: Service = cast("Service", LocalProxy(_service))


def _response(answer: Answer) -> Response:
    return Response(answer.body, status=answer.status, headers=list(answer.headers))


@click.argument("what", nargs=-1)
def _check(what: tuple[str, ...]) -> None:
    """Look markets up, connect, and say what their books are.

    WHAT is the address of a market's page, its slug, its condition id or one of its token ids;
    those of POLYMARKET_MARKETS by default. Ends with 1 where something does not work.
    """
    service = _service()
    names = what or tuple(
        item if isinstance(item, str) else item.slug for item in service.options.markets or ()
    )
    if not names:
        raise click.UsageError("name a market, or set POLYMARKET_MARKETS")
    try:
        for name in names:
            click.echo(_book_of(service, name))
    except PolymarketWSError as error:
        raise click.ClickException(without_python(str(error))) from error
    finally:
        service.close()


def _book_of(service: Service, name: str) -> str:
    market = service.lookup(name)
    with service.client.subscribe(Market(market)) as stream:
        try:
            return f"{market.slug}: {stream.get(timeout=_CHECK_SECONDS)}"
        except TimeoutError:
            raise click.ClickException(
                f"no book of {name} came in {_CHECK_SECONDS:.0f} s"
            ) from None
