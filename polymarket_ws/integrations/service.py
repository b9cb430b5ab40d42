"""What a web application has of us in one process: a client, a broadcast, and the answers."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Final

from polymarket_ws.client import Client
from polymarket_ws.credentials import Credentials
from polymarket_ws.errors import LookupFailed, PolymarketWSError
from polymarket_ws.integrations import pages
from polymarket_ws.integrations.answers import Answer, json_answer
from polymarket_ws.integrations.catalogue import Catalogue, NotShown, without_python
from polymarket_ws.integrations.options import Options
from polymarket_ws.integrations.sse import payloads
from polymarket_ws.integrations.sse.broadcast import Broadcast
from polymarket_ws.integrations.sse.responses import HEADERS, EventBody, put_off
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.rest import lookup

__all__ = ["PerProcess", "Service"]

logger = logging.getLogger("polymarket_ws.integrations")

#: Where one process serves one request at a time, a response must end before the server takes
#: the process for hung (gunicorn: 30 s) and give way to other requests.
_ALONE_SECONDS: Final = 15.0

#: Who may see an account is asked again this often.
_USER_SECONDS: Final = 300.0


class Service:
    """The client of one process and what is told with it. Inert until it is first used.

    Args:
        options: the settings of the application.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._pid = os.getpid()
        # Taken before the broadcast's. Held while the client is made, which opens nothing.
        self._lock = threading.RLock()
        self._client: Client | None = None
        self._broadcast: Broadcast | None = None
        self._catalogue = Catalogue(self._look_up, options.markets)
        self._closed = False

    @property
    def client(self) -> Client:
        """The one client of this process, for subscriptions of your own.

        Raises:
            CredentialsNotFound: the settings name a place for credentials that has none.
        """
        return self._started()[0]

    def lookup(self, what: str) -> MarketInfo:
        """Return a market, which is remembered for five minutes.

        Args:
            what: the address of its page, its slug, its condition id or one of its token ids.

        Raises:
            LookupFailed: there is none, it is not shown, or it cannot be found out now.
        """
        try:
            return self._catalogue.find(what)
        except NotShown as error:
            raise LookupFailed(str(error), final=True) from error

    def _look_up(self, what: str) -> MarketInfo:
        return lookup(what, endpoints=self.options.endpoints, proxy=self.options.proxy)

    def _started(self) -> tuple[Client, Broadcast]:
        client, broadcast = self._client, self._broadcast
        if client is None or broadcast is None:
            # The keyring may take its time, and asks over D-Bus: not under the lock.
            credentials = self.options.found_credentials()
            with self._lock:
                if self._client is None or self._broadcast is None:
                    self._start(credentials)
                client, broadcast = self._client, self._broadcast
        if client is None or broadcast is None:
            raise RuntimeError("the client was not made")
        return client, broadcast

    def _start(self, credentials: Credentials | None) -> None:
        options = self.options
        self._client = client = Client(
            credentials,
            endpoints=options.endpoints,
            proxy=options.proxy,
            # A service outlives an exchange that is not there.
            connect_timeout=None,
        )
        self._broadcast = Broadcast(
            lambda: client,
            api_key=None if credentials is None else credentials.api_key,
            limits=options.limits,
        )
        if self._closed:
            client.close()
            self._broadcast.close()
        else:
            atexit.register(self.close)

    # -- answers -------------------------------------------------------------------------------

    def events(
        self,
        wanted: Sequence[str],
        *,
        user: bool = False,
        may_see_user: Callable[[], bool] = lambda: False,
        last_event_id: str | None = None,
        alone: bool = False,
    ) -> Answer:
        """Return Server-Sent Events of some markets, and of the account.

        Args:
            wanted: the markets, by address, slug or id; none for all of a fixed list.
            user: whether orders and fills are asked for.
            may_see_user: asked only then; who the session belongs to is the application's to
                know.
            last_event_id: the header ``Last-Event-ID``.
            alone: whether this process can serve nothing else meanwhile.
        """
        if user and not may_see_user():
            return _refused(403, "orders and fills are not shown to this session")
        if user and self.options.credentials is None:
            return _refused(404, "this server shows no account")
        words = list(dict.fromkeys(word for word in wanted if word))
        if not (words or user or self._catalogue.is_limited):
            return _refused(400, "No market was named. Add ?market=… to the address.")
        if len(words) > self.options.limits.markets:
            return _refused(400, f"at most {self.options.limits.markets} markets at once")
        try:
            markets = self._markets(words)
            _, broadcast = self._started()
        except NotShown as error:
            return _refused(error.status, without_python(str(error)))
        except PolymarketWSError as error:
            # Its text is for whoever runs the server: it may name hosts.
            logger.warning("a browser is put off: %s", error)
            text = f"this cannot be shown at the moment ({type(error).__name__})"
            return Answer(200, HEADERS, [put_off("failed", text)])
        limits = [self.options.response_seconds]
        limits += [_ALONE_SECONDS] if alone else []
        limits += [_USER_SECONDS] if user else []
        return Answer(
            200,
            HEADERS,
            EventBody(
                broadcast,
                markets,
                user=user,
                last_event_id=last_event_id,
                keepalive=self.options.keepalive,
                seconds=min((limit for limit in limits if limit is not None), default=None),
            ),
        )

    def _markets(self, words: Sequence[str]) -> list[MarketInfo]:
        if words:
            found = [self._catalogue.find(word) for word in words]
        elif self._catalogue.is_limited:
            found = self._catalogue.everything()
        else:
            found = []
        # Two names of one market are one market.
        return list({market.condition_id: market for market in found}.values())

    def health(self) -> Answer:
        """Return how this process is, for probes: 200, or 503 while the exchange is lost."""
        client, broadcast = self._client, self._broadcast
        told: dict[str, object] = {"status": "idle", "process": self._pid}
        if client is None or broadcast is None:
            return json_answer(200, {**told, "browsers": 0, "markets": 0, "connections": []})
        health = client.health()
        reading = broadcast.reading()
        if health.closed:
            told["status"] = "closed"
        elif any(
            item.state != "open" and item.last_error is not None for item in health.connections
        ):
            told["status"] = "lost"
        elif health.connections:
            told["status"] = "ok"
        # Errors stay in the log: they may name hosts, and anybody may ask for this.
        told.update(
            browsers=reading.browsers,
            markets=reading.markets,
            user=reading.user,
            connected=health.connected,
            last_frame_at=health.last_frame_at,
            buffered=health.buffered,
            dropped=health.dropped,
            connections=[
                {
                    "channel": item.channel,
                    "state": item.state,
                    "epoch": item.epoch,
                    "assets": item.asset_ids,
                }
                for item in health.connections
            ],
        )
        return json_answer(503 if told["status"] in ("closed", "lost") else 200, told)

    def page(self, if_none_match: str | None = None) -> Answer:
        """Return the page."""
        return self.asset("index.html", if_none_match)

    def asset(self, name: str, if_none_match: str | None = None) -> Answer:
        """Return a file of the page."""
        if not self.options.page:
            return json_answer(404, {"error": "there is no page"})
        return pages.asset(name, if_none_match)

    # -- the end -------------------------------------------------------------------------------

    def close(self, timeout: float = 2.0) -> bool:
        """End every response and the client. Final, idempotent; at exit it happens by itself.

        Args:
            timeout: seconds to wait at most.

        Returns:
            False if something did not end in time.
        """
        if self._pid != os.getpid():
            # A forked child that never used its own: what it inherited is the parent's.
            return True
        with self._lock:
            self._closed = True
            client, broadcast = self._client, self._broadcast
        atexit.unregister(self.close)
        ended = broadcast is None or broadcast.close(timeout)
        return (client is None or client.close(timeout)) and ended


class PerProcess:
    """One :class:`Service` for each process that uses it, made when it first does.

    Whatever was forked from it begins anew: nothing of the parent's is touched.

    Args:
        options: the settings of the application.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._services: dict[int, Service] = {}

    @property
    def service(self) -> Service:
        """The service of this process."""
        # One call of C: without a lock that a fork could copy while it is held. A service
        # that is made and not used is nothing.
        pid = os.getpid()
        service = self._services.get(pid)
        return self._services.setdefault(pid, Service(self.options)) if service is None else service

    def close(self, timeout: float = 2.0) -> bool:
        """Close the service of this process, if it was used."""
        service = self._services.get(os.getpid())
        return service is None or service.close(timeout)


def _refused(status: int, text: str) -> Answer:
    return json_answer(status, payloads.problem_json("refused", text))
