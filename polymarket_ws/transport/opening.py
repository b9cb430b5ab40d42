"""From a URL to an upgraded, non-blocking socket.

Every step waits in the connection's own ``Readiness``, so one deadline holds over all of
them and ``close()`` interrupts each: TCP, a proxy's ``CONNECT``, TLS, the upgrade. Only name
resolution cannot be made non-blocking: it runs in a daemon thread that may be abandoned.

websocket-client does the upgrade. It sees nothing but the head of an HTTP 101: a refusal is
read here, because it would wait for a body that never comes or never ends.
"""

from __future__ import annotations

import base64
import errno
import ipaddress
import math
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Container
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import attrs
import websocket

from polymarket_ws.events.event import one_line
from polymarket_ws.proxies import proxy_for
from polymarket_ws.transport.errand import Errand
from polymarket_ws.transport.tls import TlsSocket

__all__ = ["Opened", "Opener", "OpeningFailed", "Wait"]

#: The head of a response; real ones have one or two kB.
_MAX_HEAD_BYTES = 64 * 1024

#: How much of a refusal's body is shown, and how long it may lag behind its head.
_BODY_BYTES = 200
_BODY_SECONDS = 0.25

#: One address of several may use so much of the time; the others must get their turn.
_MIN_ADDRESS_SECONDS = 1.0

_IN_PROGRESS = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY, errno.EINTR}

#: Answers that a second try can change. Every other 4xx is final before a first success.
_PASSING_STATUSES = frozenset((408, 425, 429))


#: What ``X509_VERIFY_CERT`` calls a certificate of somebody else: host name, IP address.
_OF_ANOTHER_HOST = frozenset((62, 64))

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |$)")

_Address = tuple[socket.AddressFamily, tuple[object, ...]]


class Wait(Protocol):
    """Waits for a socket; raises what ends the opening from outside."""

    def __call__(
        self, sock: socket.socket | None, *, read: bool, write: bool, until: float
    ) -> tuple[bool, bool]:
        """Return whether ``sock`` can be read and written; neither at ``until``."""
        ...


@attrs.frozen
class Opened:
    """An upgraded connection.

    Attributes:
        sock: non-blocking, with TLS done where there is any.
        early: bytes that came right behind the upgrade.
    """

    sock: socket.socket
    early: bytes


class OpeningFailed(Exception):
    """One attempt failed.

    Attributes:
        fatal: trying again cannot help.
        status: the HTTP status of a refusal.
        retry_after: seconds that the server asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        fatal: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.fatal = fatal
        self.status = status
        self.retry_after = retry_after


class Opener:
    """How one client opens its connections.

    Args:
        ssl_context: ``None`` for the default: verification against the system's roots.
        proxy: ``None``, ``"env"`` or a URL.
        user_agent: the header of that name.
    """

    def __init__(
        self, *, ssl_context: ssl.SSLContext | None, proxy: str | None, user_agent: str
    ) -> None:
        self._ssl_context = ssl_context
        self._ssl_lock = threading.Lock()
        self._proxy = proxy
        self._user_agent = user_agent

    def open(self, url: str, *, wait: Wait, wake: Callable[[], None], until: float) -> Opened:
        """Open a connection.

        Args:
            url: ``ws://`` or ``wss://``.
            wait: waits in the connection's thread.
            wake: ends that wait, for the daemon thread that resolves names.
            until: when it must be open, monotonic seconds.

        Raises:
            OpeningFailed: with the reason in one line.
        """
        parts = urlsplit(url)
        secure = parts.scheme == "wss"
        host = parts.hostname or ""
        port = parts.port or (443 if secure else 80)
        proxy = proxy_for(url, self._proxy)
        if proxy is None:
            sock = _connect(host, port, f"{host}:{port}", wait=wait, wake=wake, until=until)
        else:
            sock = self._tunnel(proxy, host, port, wait=wait, wake=wake, until=until)
        try:
            if secure:
                sock = _start_tls(sock, self._context(), host, wait=wait, until=until)
            return self._upgrade(sock, url, wait=wait, until=until)
        except BaseException:
            sock.close()
            raise

    def _context(self) -> ssl.SSLContext:
        # Loading the roots takes tens of milliseconds: once a client, not once a socket.
        # Only connection threads come here, so a plain lock cannot meet a signal handler.
        with self._ssl_lock:
            if self._ssl_context is None:
                self._ssl_context = ssl.create_default_context()
            return self._ssl_context

    def _tunnel(
        self,
        proxy: str,
        host: str,
        port: int,
        *,
        wait: Wait,
        wake: Callable[[], None],
        until: float,
    ) -> socket.socket:
        """Return a socket that leads through ``proxy`` to ``host``."""
        parts = urlsplit(proxy)
        if parts.scheme != "http":
            # The password would leave in clear text, which is not what such a URL asks for.
            raise OpeningFailed(
                "streams go through http:// proxies only: TLS to the proxy itself is not "
                "supported (TLS to the exchange is, inside the tunnel)",
                fatal=True,
            )
        proxy_host, proxy_port = parts.hostname or "", parts.port or 80
        name = f"the proxy {proxy_host}:{proxy_port}"
        request = self._connect_request(parts, host, port)
        sock = _connect(proxy_host, proxy_port, name, wait=wait, wake=wake, until=until)
        try:
            exchange = _Exchange(sock, name, wait, until)
            exchange.send(request)
            exchange.read_head(wanted=range(200, 300))
            if exchange.rest:
                raise OpeningFailed(f"{name} sent something of its own behind its answer")
        except OSError as error:
            sock.close()
            raise OpeningFailed(f"lost {name}: {_words(error)}") from error
        except OpeningFailed as failure:
            sock.close()
            # The status is the proxy's: a 403 of it says nothing about credentials there.
            failure.status = None
            raise
        except BaseException:
            sock.close()
            raise
        return sock

    def _connect_request(self, proxy: SplitResult, host: str, port: int) -> bytes:
        try:
            name = host if ":" not in host else f"[{host}]"
            target = f"{name}:{port}".encode("ascii" if host.isascii() else "idna").decode()
        except UnicodeError as error:
            raise OpeningFailed(f"the name {host} cannot be resolved: {error}") from error
        lines = [
            f"CONNECT {target} HTTP/1.1",
            f"Host: {target}",
            f"User-Agent: {self._user_agent}",
        ]
        if proxy.username is not None:
            pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
        return "\r\n".join((*lines, "", "")).encode()

    def _upgrade(self, sock: socket.socket, url: str, *, wait: Wait, until: float) -> Opened:
        response = _Handshake(sock, "the server", wait, until)
        upgrading = websocket.WebSocket(skip_utf8_validation=True, enable_multithread=False)
        try:
            upgrading.connect(
                url,
                socket=response,
                redirect_limit=0,
                suppress_origin=True,
                header=[f"User-Agent: {self._user_agent}"],
            )
        except (websocket.WebSocketException, UnicodeError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise OpeningFailed(f"the server's answer to the upgrade is wrong: {reason}") from error
        except OSError as error:
            raise OpeningFailed(f"lost during the upgrade: {_words(error)}") from error
        return Opened(sock, response.early())


def _look_up(host: str, port: int, flags: int = 0) -> list[_Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolve(
    host: str, port: int, *, wait: Wait, wake: Callable[[], None], until: float
) -> list[_Address]:
    try:
        if _is_address(host):
            return _look_up(host, port, socket.AI_NUMERICHOST)
        return Errand("resolve", lambda: _look_up(host, port), wake).result(wait, until)
    except (OSError, UnicodeError) as error:
        raise OpeningFailed(f"the name {host} cannot be resolved: {_words(error)}") from error
    except RuntimeError as error:
        # No thread can be started: out of them, or the interpreter is about to end.
        raise OpeningFailed(f"the name {host} cannot be resolved: {error}") from error


def _connect(
    host: str, port: int, name: str, *, wait: Wait, wake: Callable[[], None], until: float
) -> socket.socket:
    addresses = _resolve(host, port, wait=wait, wake=wake, until=until)
    reasons: dict[str, None] = {}
    for position, (family, address) in enumerate(addresses):
        now = time.monotonic()
        share = max(_MIN_ADDRESS_SECONDS, (until - now) / (len(addresses) - position))
        try:
            return _connect_address(family, address, wait=wait, until=min(until, now + share))
        except OSError as error:
            reasons[_words(error)] = None
    raise OpeningFailed(f"cannot connect to {name}: {'; '.join(reasons) or 'no address'}")


def _connect_address(
    family: socket.AddressFamily, address: tuple[object, ...], *, wait: Wait, until: float
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # Heartbeats and wishes are small and must not wait for one another.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(address)
        if code not in _IN_PROGRESS and code != getattr(errno, "WSAEWOULDBLOCK", code + 1):
            raise OSError(code, os.strerror(code))
        while True:
            _, writable = wait(sock, read=False, write=True, until=until)
            if writable:
                break
            if time.monotonic() >= until:
                raise TimeoutError("no answer in time")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        return sock
    except BaseException:
        sock.close()
        raise


def _start_tls(
    sock: socket.socket, context: ssl.SSLContext, host: str, *, wait: Wait, until: float
) -> TlsSocket:
    try:
        secure = TlsSocket(sock, context, host)
    except (OSError, ValueError) as error:
        raise OpeningFailed(f"TLS cannot be started: {_words(error)}") from error
    try:
        while True:
            try:
                secure.do_handshake()
                return secure
            except ssl.SSLWantReadError:
                read = True
            except ssl.SSLWantWriteError:
                read = False
            if time.monotonic() >= until:
                raise OpeningFailed("the TLS handshake was not finished in time")
            wait(secure, read=read, write=not read, until=until)
    except ssl.SSLCertVerificationError as error:
        secure.close()
        raise _unverified(error) from error
    except OSError as error:
        secure.close()
        raise OpeningFailed(f"the TLS handshake failed: {_words(error)}") from error
    except BaseException:
        secure.close()
        raise


class _Exchange:
    """One HTTP request and the head of its answer, on a non-blocking socket.

    Args:
        peer: who answers, for errors.
    """

    def __init__(self, sock: socket.socket, peer: str, wait: Wait, until: float) -> None:
        self._sock = sock
        self._peer = peer
        self._wait = wait
        self._until = until
        self.head = b""
        self.rest = b""

    def send(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
                continue
            except (BlockingIOError, ssl.SSLWantWriteError):
                read = False
            except ssl.SSLWantReadError:
                read = True
            self._pause(self._until, read=read)
        return len(data)

    def read_head(self, wanted: Container[int]) -> None:
        """Read up to the blank line; what came behind it is kept in ``rest``.

        Raises:
            OpeningFailed: the answer is not HTTP, or its status is not a wanted one.
        """
        received = b""
        while b"\r\n\r\n" not in received:
            if len(received) > _MAX_HEAD_BYTES:
                raise OpeningFailed(f"the answer of {self._peer} does not end")
            piece = self._read_some(self._until)
            if not piece:
                raise OpeningFailed(f"{self._peer} hung up without an answer")
            received += piece
            # At once: something else that listens there may wait for us to go on.
            if not b"HTTP/1.".startswith(received[:7]):
                raise OpeningFailed(f"the answer of {self._peer} is not HTTP: {received[:40]!r}")
        self.head, _, self.rest = received.partition(b"\r\n\r\n")
        line = _STATUS_LINE.match(self.head.partition(b"\r\n")[0])
        if line is None:
            raise OpeningFailed(f"the answer of {self._peer} is not HTTP: {received[:40]!r}")
        status = int(line[1])
        if status not in wanted:
            raise self._refusal(status)

    def _refusal(self, status: int) -> OpeningFailed:
        words = f"{self._peer} answered with HTTP {status}"
        if 300 <= status < 400:
            words += ", a redirect, which is never followed"
        body = one_line(self._read_body().decode(errors="replace"))
        return OpeningFailed(
            f"{words}: {body}" if body else words,
            fatal=400 <= status < 500 and status not in _PASSING_STATUSES,
            status=status,
            retry_after=_seconds(self._header(b"retry-after"), self._header(b"date")),
        )

    def _header(self, name: bytes) -> bytes:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip()
        return b""

    def _read_body(self) -> bytes:
        # Of another length it would be in chunks, which are not worth the code.
        length = self._header(b"content-length")
        size = min(int(length), _BODY_BYTES) if length.isdigit() and len(length) < 10 else 0
        until = min(self._until, time.monotonic() + _BODY_SECONDS)
        body = self.rest
        try:
            while len(body) < size and (piece := self._read_some(until)):
                body += piece
        except (OSError, OpeningFailed):
            # The status is known; its explanation is not worth another attempt.
            return body[:size]
        return body[:size]

    def _read_some(self, until: float) -> bytes:
        while True:
            try:
                # A whole TLS record: nothing decrypted stays where no selector sees it.
                return self._sock.recv(16 * 1024)
            except (BlockingIOError, ssl.SSLWantReadError):
                read = True
            except ssl.SSLWantWriteError:
                read = False
            self._pause(until, read=read)

    def _pause(self, until: float, *, read: bool) -> None:
        if time.monotonic() >= until:
            raise OpeningFailed(f"{self._peer} did not answer in time")
        self._wait(self._sock, read=read, write=not read, until=until)


class _Handshake(_Exchange):
    """The socket that websocket-client sees during the upgrade.

    It reads the whole head in large pieces before it gives out the first byte
    (websocket-client asks for one byte at a time), and keeps ``Set-Cookie`` from it, which
    would end in a cookie jar that the whole process shares.
    """

    _given_out = b""
    _position = 0

    def recv(self, size: int) -> bytes:
        if not self._given_out:
            self.read_head(wanted=(101,))
            lines = self.head.split(b"\r\n")
            kept = [line for line in lines if not line.lower().startswith(b"set-cookie:")]
            self._given_out = b"\r\n".join((*kept, b"", b""))
        piece = self._given_out[self._position : self._position + size]
        self._position += len(piece)
        return piece

    def early(self) -> bytes:
        """Return what came behind the response."""
        return self.rest

    def settimeout(self, timeout: float | None) -> None:
        """Limits are this class's own."""

    def gettimeout(self) -> float:
        # 0 keeps websocket-client from waiting by itself.
        return 0.0

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()


def _seconds(retry_after: bytes, date: bytes) -> float | None:
    """Return what a ``Retry-After`` asks for: seconds, or a moment after the answer's ``Date``."""
    try:
        seconds = float(retry_after)
    except ValueError:
        seconds = _apart(date.decode("latin-1"), retry_after.decode("latin-1"))
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _apart(date: str, moment: str) -> float:
    # Rarely needed, and one of the larger modules of the standard library.
    from email.utils import parsedate_to_datetime

    try:
        # Both by the server's clock: ours need not be right.
        return (parsedate_to_datetime(moment) - parsedate_to_datetime(date)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _unverified(error: ssl.SSLCertVerificationError) -> OpeningFailed:
    advice = (
        "Check the host in Endpoints"
        if error.verify_code in _OF_ANOTHER_HOST
        else "If this machine lacks root certificates, install them, or pass "
        "ssl_context=ssl.create_default_context(cafile=…)"
    )
    return OpeningFailed(
        f"the server's certificate does not verify: {error.verify_message.rstrip('.')}. {advice}",
        fatal=True,
    )


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
