"""One HTTP request, bounded in time as a whole.

Only ``rest.py`` and its like import this module, and on first use: with it comes urllib3.

urllib3's own limits are per operation: a name look-up has none, and headers that drip in a
byte a second never end. So each request runs on a daemon thread that the caller stops
waiting for when the time is up; its socket is then shut down, which ends the thread.
"""

from __future__ import annotations

import contextlib
import http.client
import math
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

import attrs
import urllib3
import urllib3.exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    InvalidHeader,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)

from polymarket_ws._version import __version__
from polymarket_ws.daemons import start_daemon
from polymarket_ws.errors import PolymarketWSError, UsageError
from polymarket_ws.proxies import proxy_for

__all__ = ["Answer", "RequestFailed", "Requests"]

# The default agent of Python's clients is answered with 403.
USER_AGENT: Final = f"polymarket-ws/{__version__}"

# An event with 100 markets is about 1 MB. The limit is there for an endpoint that is not
# what it should be, and for compression bombs.
MAX_BODY: Final = 32 * 1024 * 1024

# Three more attempts within about two seconds: enough for a server that is being restarted,
# short enough that a wrong host name is reported while somebody still looks.
_RETRY: Final = urllib3.Retry(
    total=3,
    other=0,  # TLS that does not verify will not verify the next time
    redirect=0,
    status_forcelist=(429, 502, 503, 504),
    backoff_factor=0.2,
    backoff_jitter=0.1,
    raise_on_status=False,
)

_FAILURES: Final = (HTTPError, http.client.HTTPException, OSError, UnicodeError)


class RequestFailed(PolymarketWSError):
    """No answer came. The text is one clause about the host; callers say what was wanted."""


@attrs.frozen
class Answer:
    """What the server said, whatever its status.

    Attributes:
        status: such as 200.
        reason: the words beside it, may be empty.
        headers: of the answer.
        body: decoded from its transfer encodings, as bytes.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)


class Requests:
    """A few requests in a row that share one deadline and their connections.

    For one thread. Use it as a context manager: leaving it closes the connections.
    """

    def __init__(
        self, *, timeout: float, proxy: str | None = None, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        if (
            not isinstance(timeout, (int, float))
            or isinstance(timeout, bool)
            or not (math.isfinite(timeout) and timeout > 0)
        ):
            raise UsageError(f"timeout takes seconds above 0, such as 10.0, not {timeout!r}")
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._proxy = proxy
        self._ssl_context = ssl_context
        self._connections = _Connections()
        self._managers: dict[str | None, urllib3.PoolManager] = {}

    def __enter__(self) -> Requests:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def restart(self) -> None:
        """Give the next requests the whole time again."""
        self._deadline = time.monotonic() + self._timeout

    def close(self) -> None:
        """Close the connections."""
        for manager in self._managers.values():
            manager.clear()

    def request(
        self,
        method: str,
        url: str,
        *,
        fields: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request and return its answer, of whatever status.

        Connections that fail, 429, 502, 503 and 504 are tried again while the deadline
        allows, and ``Retry-After`` is obeyed; what is not idempotent only where nothing was
        sent. Redirects are not followed: headers may hold a signature for this host.

        Args:
            method: such as ``"GET"``.
            url: without a query.
            fields: the query; a name may come more than once.
            headers: beside the usual ones.
            body: sent as it is.

        Raises:
            RequestFailed: no answer within the deadline, or none that can be read. The
                original error is its ``__cause__``.
            UsageError: the proxy cannot be used.
        """
        manager = self._manager(url)
        if fields:
            url = f"{url}?{urlencode(fields)}"
        attempt = _Attempt(
            manager=manager,
            method=method,
            url=url,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", **(headers or {})},
            body=body,
            deadline=self._deadline,
            timeout=self._timeout,
            abandoned=self._connections.abandoned,
        )
        worker = threading.Thread(target=attempt.run, name="polymarket-ws-rest", daemon=True)
        start_daemon(worker)
        overdue = True
        try:
            worker.join(max(0.0, self._deadline - time.monotonic()))
            overdue = worker.is_alive()
        finally:
            # Time is up, or the caller was interrupted (Ctrl-C).
            if overdue:
                self._connections.cut()
        # Cut by us, the connection looks as if the server had ended it: headers that were still
        # coming look complete then, and so may a body without a length.
        if not overdue and attempt.answer is not None:
            return attempt.answer
        if overdue or attempt.error is None:
            raise RequestFailed(_no_answer(url, self._timeout))
        raise attempt.error

    def _manager(self, url: str) -> urllib3.PoolManager:
        proxy = proxy_for(url, self._proxy)
        manager = self._managers.get(proxy)
        if manager is None:
            if proxy is None:
                manager = urllib3.PoolManager(ssl_context=self._ssl_context)
            else:
                manager = _proxy_manager(proxy, self._ssl_context)
            manager.pool_classes_by_scheme = self._connections.pool_classes
            self._managers[proxy] = manager
        return manager


@attrs.define(eq=False)
class _Attempt:
    """One request with its repetitions, on a thread of its own."""

    manager: urllib3.PoolManager
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    deadline: float
    timeout: float
    abandoned: threading.Event
    answer: Answer | None = None
    error: Exception | None = None

    def run(self) -> None:
        try:
            self.answer = self._repeat()
        except Exception as error:  # noqa: BLE001  # raised again on the caller's thread
            self.error = error

    def _repeat(self) -> Answer:
        retry = _RETRY
        while True:
            answer: Answer | None = None
            failure: Exception | None = None
            wait: float | None = None
            try:
                response = self._send()
                try:
                    answer = self._read(response)
                    if not retry.is_retry(
                        self.method, answer.status, "Retry-After" in answer.headers
                    ):
                        return answer
                    retry = retry.increment(self.method, self.url, response=response)
                    with contextlib.suppress(InvalidHeader):
                        wait = retry.get_retry_after(response)
                finally:
                    response.close()
            except MaxRetryError as exhausted:
                if answer is not None:
                    return answer
                raise self._failed(exhausted) from exhausted
            except _FAILURES as error:
                failure = error
                try:
                    retry = retry.increment(self.method, self.url, error=error)
                except MaxRetryError:
                    raise self._failed(error) from error
                except _FAILURES as final:  # not idempotent: it raises what it was given
                    raise self._failed(final) from final
            if wait is None:
                wait = retry.get_backoff_time()
            if time.monotonic() + wait >= self.deadline or self.abandoned.wait(wait):
                if answer is not None:
                    return answer
                raise self._failed(failure) from failure

    def _send(self) -> urllib3.BaseHTTPResponse:
        left = max(0.001, self.deadline - time.monotonic())
        return self.manager.urlopen(
            self.method,
            self.url,
            body=self.body,
            headers=self.headers,
            redirect=False,
            retries=False,
            preload_content=False,
            # Half for connecting, so that a first address that swallows packets (IPv6 on
            # many networks) leaves time for the second.
            timeout=urllib3.Timeout(connect=left / 2, read=left),
        )

    def _read(self, response: urllib3.BaseHTTPResponse) -> Answer:
        body = response.read(MAX_BODY + 1, decode_content=True)
        if len(body) > MAX_BODY:
            raise RequestFailed(
                f"{_host(self.url)} sent more than {MAX_BODY // 1024 // 1024} MiB, which is "
                "no answer of Polymarket"
            )
        response.release_conn()
        return Answer(response.status, response.reason or "", response.headers, body)

    def _failed(self, error: BaseException | None) -> RequestFailed:
        return RequestFailed(_in_words(error, self.url, self.timeout))


class _Connections:
    """The sockets of one :class:`Requests`, and the way to cut them from another thread."""

    def __init__(self) -> None:
        self.abandoned = threading.Event()
        self._sockets: list[socket.socket] = []
        opened = self._opened

        # debuglevel: http.client prints headers where somebody has set its own, and some of
        # them are secret.

        class _Plain(HTTPConnection):
            debuglevel = 0

            def connect(self) -> None:
                super().connect()
                opened(self)

        class _Secure(HTTPSConnection):
            debuglevel = 0

            def connect(self) -> None:
                super().connect()
                opened(self)

        class _PlainPool(HTTPConnectionPool):
            # urllib3's own HTTPConnection does not fit its protocol class either.
            ConnectionCls = _Plain  # pyright: ignore[reportAssignmentType]

        class _SecurePool(HTTPSConnectionPool):
            ConnectionCls = _Secure  # pyright: ignore[reportAssignmentType]

        self.pool_classes = {"http": _PlainPool, "https": _SecurePool}

    def _opened(self, connection: HTTPConnection) -> None:
        # Noted here and not looked up later: http.client forgets the socket of an answer
        # that says "Connection: close" while its body is still being read.
        sock = connection.sock
        if sock is not None:
            # TLS inside TLS is no socket but holds one.
            self._sockets.append(getattr(sock, "socket", sock))
        if self.abandoned.is_set():
            self.cut()

    def cut(self) -> None:
        """Shut all sockets down, which wakes and ends the thread that reads from one."""
        self.abandoned.set()
        for sock in tuple(self._sockets):
            # Closed meanwhile, or never connected: then nobody waits on it either.
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown: it takes the TLS state away from under the reader.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _proxy_manager(proxy: str, ssl_context: ssl.SSLContext | None) -> urllib3.ProxyManager:
    parts = urlsplit(proxy)
    authorization = None
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = urllib3.make_headers(proxy_basic_auth=login)
    return urllib3.ProxyManager(
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        proxy_headers=authorization,
        ssl_context=ssl_context,
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _no_answer(url: str, timeout: float) -> str:
    return f"{_host(url)} did not answer within {timeout:g} s"


def _in_words(error: BaseException | None, url: str, timeout: float) -> str:
    host = _host(url)
    if isinstance(error, MaxRetryError):
        error = error.reason
    if isinstance(error, ProxyError):
        return f"the proxy on the way to {host} failed: {_root(error.original_error)}"
    if isinstance(error, NameResolutionError):
        return f"the name {urlsplit(url).hostname} cannot be resolved (is there a network?)"
    if isinstance(error, NewConnectionError):
        return f"there is no connection to {host}: {_root(error)}"
    if isinstance(error, ConnectTimeoutError):
        return f"there is no connection to {host}: it does not answer"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return _no_answer(url, timeout)
    if isinstance(error, (SSLError, ssl.SSLError)):
        return f"TLS with {host} failed: {_root(error)}"
    if isinstance(error, DecodeError):
        return f"the answer of {host} cannot be decompressed"
    if isinstance(error, (ProtocolError, http.client.HTTPException, ConnectionError)):
        return f"{host} broke off its answer: {_root(error)}"
    return f"the request to {host} failed: {_root(error)}"


def _root(error: BaseException | None) -> str:
    """Return the words of the error at the bottom, where urllib3 wrapped several."""
    while error is not None:
        inner = error.__cause__ or error.__context__
        nested = next((a for a in reversed(error.args) if isinstance(a, BaseException)), None)
        if inner is None and nested is None:
            break
        error = nested or inner
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(words.split()) or type(error).__name__
