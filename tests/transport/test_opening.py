from __future__ import annotations

import base64
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
import websocket

from polymarket_ws.transport import opening as opening_module
from polymarket_ws.transport.opening import Opened, Opener, OpeningFailed
from polymarket_ws.transport.readiness import Readiness
from polymarket_ws.transport.tls import TlsSocket
from tests.conftest import scaled
from tests.ports import unused_port
from tests.transport.peers import (
    Conversation,
    Peer,
    eventually,
    server_frame,
)

Seconds = Callable[[float], float]

PASSWORD = "s3cr3t:@/ word"


class Waiter:
    """What a connection gives to its opener, without the connection."""

    def __init__(self) -> None:
        self.readiness = Readiness()
        self.stopping = False
        self.waits = 0

    def __call__(
        self, sock: socket.socket | None, *, read: bool, write: bool, until: float
    ) -> tuple[bool, bool]:
        self.waits += 1
        readable, writable, _ = self.readiness.wait(sock, read=read, write=write, until=until)
        if self.stopping:
            raise InterruptedError("stopped")
        return readable, writable


@pytest.fixture
def waiter() -> Iterator[Waiter]:
    waiter = Waiter()
    yield waiter
    waiter.readiness.close()


def opener(**options: Any) -> Opener:
    return Opener(**{"ssl_context": None, "proxy": None, "user_agent": "test/1", **options})


def open_(waiter: Waiter, url: str, seconds: float = scaled(5.0), **options: Any) -> Opened:
    return opener(**options).open(
        url, wait=waiter, wake=waiter.readiness.wake, until=time.monotonic() + seconds
    )


def failed(waiter: Waiter, url: str, seconds: float = scaled(5.0), **options: Any) -> OpeningFailed:
    with pytest.raises(OpeningFailed) as raised:
        open_(waiter, url, seconds, **options)
    return raised.value


def serve(conversation: Conversation) -> None:
    conversation.accept()
    conversation.hold()


# -- the upgrade ---------------------------------------------------------------------------------


def test_request_is_complete_and_says_who_we_are(waiter: Waiter) -> None:
    with Peer(serve) as peer:
        open_(waiter, peer.url).sock.close()
        head = peer.conversations[0].head.decode()
    lines = head.split("\r\n")
    assert lines[0] == "GET /ws/market HTTP/1.1"
    assert f"Host: 127.0.0.1:{peer.port}" in lines
    assert "User-Agent: test/1" in lines
    assert "Sec-WebSocket-Version: 13" in lines
    assert not any(line.startswith(("Origin", "Cookie", "Sec-WebSocket-Ext")) for line in lines)


def test_bytes_behind_the_upgrade_are_kept_exactly(waiter: Waiter) -> None:
    frames = server_frame("first") + server_frame("x" * 30_000)[:5000]
    with Peer(lambda c: (c.accept(behind=frames), c.hold())) as peer:
        opened = open_(waiter, peer.url)
        received = opened.early
        while len(received) < len(frames):
            assert waiter(opened.sock, read=True, write=False, until=time.monotonic() + 5)[0]
            received += opened.sock.recv(100_000)
        opened.sock.close()
    assert received == frames


@pytest.mark.parametrize("piece", [1, 2, 7])
def test_answer_may_come_in_pieces(piece: int, waiter: Waiter) -> None:
    def script(conversation: Conversation) -> None:
        near, far = socket.socketpair()
        with near, far:
            inner = Conversation(far, conversation.peer, 0)
            near.sendall(conversation.read_head().encode() + b"\r\n\r\n")
            inner.accept(behind=server_frame("early"))
            answer = near.recv(10_000)
        for at in range(0, len(answer), piece):
            conversation.sock.sendall(answer[at : at + piece])
        conversation.hold()

    with Peer(script) as peer:
        opened = open_(waiter, peer.url)
        assert server_frame("early").startswith(opened.early)
        opened.sock.close()


def test_socket_is_non_blocking_and_without_delay(waiter: Waiter) -> None:
    with Peer(serve) as peer:
        sock = open_(waiter, peer.url).sock
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sock.close()


def test_cookies_stay_out_of_the_jar_that_the_process_shares(waiter: Waiter) -> None:
    def script(conversation: Conversation) -> None:
        conversation.accept("Set-Cookie: session=1; Domain=127.0.0.1", "set-cookie: a=b")
        conversation.hold()

    with Peer(script) as peer:
        open_(waiter, peer.url).sock.close()
        open_(waiter, peer.url).sock.close()
        assert b"ookie" not in peer.conversations[1].head
    assert not websocket._handshake.CookieJar.jar


def test_body_that_never_comes_does_not_hide_the_status(waiter: Waiter, seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.sock.sendall(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 999999999\r\n\r\nhalf"
        )
        conversation.hold()

    with Peer(script) as peer:
        began = time.monotonic()
        failure = failed(waiter, peer.url)
        assert time.monotonic() - began < seconds(1)
    assert str(failure) == "the server answered with HTTP 404: half"
    assert failure.fatal


def test_body_that_comes_a_moment_later_is_told(
    waiter: Waiter, monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    monkeypatch.setattr(opening_module, "_BODY_SECONDS", seconds(2))

    def script(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.sock.sendall(b"HTTP/1.1 403 Forbidden\r\nCONTENT-LENGTH: 11\r\n\r\n")
        conversation.peer.stopped.wait(0.02)
        conversation.sock.sendall(b"not\n\nfor you")
        conversation.hold()

    with Peer(script) as peer:
        assert str(failed(waiter, peer.url)) == "the server answered with HTTP 403: not for yo"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT\r\nDate: Wed, 21 Oct 2026 07:27:48 GMT", 12.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT\r\nDate: Wed, 21 Oct 2026 07:28:01 GMT", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT\r\nDate: Wed, 21 Oct 2026 07:27:48 -0000", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT\r\nDate: soon", None),
        ("soon\r\nDate: Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("\xff\r\nDate: \xff", None),
        ("Wed, 31 Oct 9999 99:28:00 GMT\r\nDate: Wed, 21 Oct 0000 07:27:48 GMT", None),
        ("", None),
    ],
)
def test_retry_after_is_read(value: str, expected: float | None, waiter: Waiter) -> None:
    answer = f"HTTP/1.1 429 Too Many\r\nRetry-After: {value}\r\n\r\n".encode("latin-1")
    with Peer(lambda c: (c.read_head(), c.sock.sendall(answer))) as peer:
        failure = failed(waiter, peer.url)
    assert failure.retry_after == expected
    assert failure.status == 429
    assert not failure.fatal


def test_words_of_a_refusal_command_no_terminal_and_begin_no_line(waiter: Waiter) -> None:
    body = b"no\r\n\x1b[31mCRITICAL\x00 forged"
    answer = b"HTTP/1.1 502 Bad\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with Peer(lambda c: (c.read_head(), c.sock.sendall(answer))) as peer:
        words = str(failed(waiter, peer.url))
    assert words == "the server answered with HTTP 502: no [31mCRITICAL forged"


def test_one_limit_holds_over_everything(waiter: Waiter, seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        conversation.read_head()
        for byte in b"HTTP/1.1 101 Switching Protocols\r\nA: " + b"b" * 1000:
            conversation.sock.sendall(bytes([byte]))
            conversation.peer.stopped.wait(0.02)

    with Peer(script) as peer:
        began, limit = time.monotonic(), seconds(0.4)
        failure = failed(waiter, peer.url, limit)
        assert 0.9 * limit < time.monotonic() - began < limit + seconds(1)
    assert str(failure) == "the server did not answer in time"
    assert not failure.fatal


def test_tls_handshake_has_the_same_limit(waiter: Waiter, seconds: Seconds) -> None:
    with Peer(Conversation.hold) as peer:
        began, limit = time.monotonic(), seconds(0.3)
        failure = failed(waiter, peer.url.replace("ws:", "wss:"), limit)
        assert time.monotonic() - began < limit + seconds(1)
    assert str(failure) == "the TLS handshake was not finished in time"


# -- names and addresses -------------------------------------------------------------------------


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[int], Any]]:
    """Names of our own, beside those of the system."""
    known: dict[str, Callable[[int], Any]] = {}
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *rest: Any, **options: Any) -> Any:
        return known[host](port) if host in known else real(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def address(host: str, port: int) -> tuple[Any, ...]:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))


def test_name_is_resolved_on_another_thread(
    waiter: Waiter, names: dict[str, Callable[[int], Any]]
) -> None:
    threads = []

    def look_up(port: int) -> Any:
        threads.append(threading.current_thread())
        return [address("127.0.0.1", port)]

    names["exchange.test"] = look_up
    with Peer(serve) as peer:
        open_(waiter, peer.url.replace("127.0.0.1", "exchange.test")).sock.close()
    assert [thread.name for thread in threads] == ["polymarket-ws-resolve"]
    assert threads[0].daemon


def test_address_is_not_looked_up_on_another_thread(waiter: Waiter) -> None:
    with Peer(serve) as peer:
        before = threading.active_count()
        open_(waiter, peer.url).sock.close()
        assert threading.active_count() <= before + 1


def test_unknown_name_is_said_so(waiter: Waiter, names: dict[str, Callable[[int], Any]]) -> None:
    def look_up(port: int) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    names["exchange.test"] = look_up
    failure = failed(waiter, "ws://exchange.test/")
    assert str(failure) == "the name exchange.test cannot be resolved: Name or service not known"
    assert not failure.fatal


def test_impossible_name_is_said_so(waiter: Waiter) -> None:
    assert "cannot be resolved" in str(failed(waiter, f"ws://{'a' * 70}.test/"))


def test_resolver_that_hangs_is_left_behind(
    waiter: Waiter, names: dict[str, Callable[[int], Any]], seconds: Seconds
) -> None:
    answer = threading.Event()

    def look_up(port: int) -> Any:
        answer.wait()
        return [address("127.0.0.1", port)]

    names["exchange.test"] = look_up
    began = time.monotonic()
    failure = failed(waiter, "ws://exchange.test/", 0.2)
    answer.set()
    assert time.monotonic() - began < seconds(1)
    assert str(failure) == "the name exchange.test cannot be resolved: no answer in time"


def test_thread_that_cannot_be_started_is_a_failed_attempt(
    waiter: Waiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    failure = failed(waiter, "ws://exchange.test/")
    assert str(failure) == "the name exchange.test cannot be resolved: can't start new thread"


def test_addresses_are_tried_in_turn(
    waiter: Waiter, names: dict[str, Callable[[int], Any]]
) -> None:
    with Peer(serve) as peer:
        dead = unused_port()
        names["exchange.test"] = lambda port: [
            address("127.0.0.1", dead),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", dead, 0, 0)),
            address("127.0.0.1", port),
        ]
        open_(waiter, peer.url.replace("127.0.0.1", "exchange.test")).sock.close()


def test_address_that_is_silent_leaves_time_for_the_others(
    waiter: Waiter, names: dict[str, Callable[[int], Any]], seconds: Seconds
) -> None:
    with contextlib.ExitStack() as waiting, Peer(serve) as peer:
        listener = waiting.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            knocking = waiting.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        silent = listener.getsockname()[1]
        names["exchange.test"] = lambda port: [
            address("127.0.0.1", silent),
            address("127.0.0.1", port),
        ]
        began, limit = time.monotonic(), seconds(2.4)
        url = peer.url.replace("127.0.0.1", "exchange.test")
        open_(waiter, url, limit).sock.close()
        # It had a share of the time, and the other one was reached in what was left.
        assert 0.375 * limit < time.monotonic() - began < limit


def test_reasons_of_all_addresses_are_told_once(
    waiter: Waiter, names: dict[str, Callable[[int], Any]]
) -> None:
    dead = unused_port()
    names["exchange.test"] = lambda port: [address("127.0.0.1", dead)] * 3
    assert (
        str(failed(waiter, "ws://exchange.test:81/"))
        == "cannot connect to exchange.test:81: Connection refused"
    )


def test_address_of_ipv6_is_reached(waiter: Waiter) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this system has no IPv6")
    with listener:
        port = listener.getsockname()[1]

        def accept() -> None:
            sock, _ = listener.accept()
            with sock:
                Conversation(sock, None, 0).accept()  # type: ignore[arg-type]

        thread = threading.Thread(target=accept)
        thread.start()
        open_(waiter, f"ws://[::1]:{port}/").sock.close()
        thread.join()


def test_interrupted_wait_leaves_no_socket(waiter: Waiter) -> None:
    # The check is in the fixture that every test has.
    def interrupt(conversation: Conversation) -> None:
        conversation.read_head()
        waiter.stopping = True
        waiter.readiness.wake()
        conversation.hold()

    with Peer(interrupt) as peer:
        with pytest.raises((InterruptedError, OpeningFailed), match="stopped"):
            open_(waiter, peer.url)
        # Not the interpreter's garbage collector closes it.
        assert peer.conversations[0].sock.recv(1) == b""


# -- proxies -------------------------------------------------------------------------------------


class Proxy(Peer):
    """A CONNECT proxy whose names all mean one port on loopback."""

    def __init__(self, target: int, *, user: str | None = None) -> None:
        self.heads: list[str] = []
        self._target = target
        self._user = user
        super().__init__(self._pass_on)

    def _pass_on(self, conversation: Conversation) -> None:
        head = conversation.read_head()
        self.heads.append(head)
        if self._user is not None:
            wanted = base64.b64encode(self._user.encode()).decode()
            if f"Proxy-Authorization: Basic {wanted}" not in head:
                conversation.sock.sendall(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!"
                )
                return
        with socket.create_connection(("127.0.0.1", self._target)) as there:
            conversation.sock.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
            back = threading.Thread(target=pump, args=(there, conversation.sock))
            back.start()
            pump(conversation.sock, there)
            back.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for sock in (source, target):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def test_proxy_is_asked_for_the_name_and_passes_everything_on(waiter: Waiter) -> None:
    with Peer(serve) as peer, Proxy(peer.port) as proxy:
        opened = open_(waiter, "ws://exchange.test/ws", proxy=f"http://127.0.0.1:{proxy.port}")
        opened.sock.close()
        assert b"Host: exchange.test\r\n" in peer.conversations[0].head + b"\r\n"
    lines = proxy.heads[0].split("\r\n")
    assert lines == [
        "CONNECT exchange.test:80 HTTP/1.1",
        "Host: exchange.test:80",
        "User-Agent: test/1",
    ]


def test_tls_goes_through_the_proxy_to_the_exchange(waiter: Waiter) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("exchange.test").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with Peer(serve, tls=server) as peer, Proxy(peer.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        opened = open_(waiter, "wss://exchange.test/ws", proxy=url, ssl_context=trusting)
        assert isinstance(opened.sock, TlsSocket)
        opened.sock.close()
        assert proxy.heads[0].startswith("CONNECT exchange.test:443 ")
        failure = failed(waiter, "wss://other.test/ws", proxy=url, ssl_context=trusting)
        assert "not valid for 'other.test'" in str(failure)
        assert failure.fatal


def test_loopback_is_never_proxied(waiter: Waiter) -> None:
    with Peer(serve) as peer, Peer(Conversation.hold) as proxy:
        open_(waiter, peer.url, proxy=f"http://127.0.0.1:{proxy.port}").sock.close()
        assert not proxy.conversations


def test_proxy_of_the_environment_is_used(waiter: Waiter, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Peer(serve) as peer, Proxy(peer.port) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        open_(waiter, "ws://exchange.test/", proxy="env").sock.close()
        assert proxy.heads


def with_password(proxy: Peer, password: str = PASSWORD) -> str:
    quoted = "".join(f"%{byte:02x}" for byte in password.encode())
    return f"http://us%65r:{quoted}@127.0.0.1:{proxy.port}"


def test_proxy_gets_its_password_and_nobody_else(
    waiter: Waiter, caplog: pytest.LogCaptureFixture
) -> None:
    with Peer(serve) as peer, Proxy(peer.port, user=f"user:{PASSWORD}") as proxy:
        with caplog.at_level(logging.DEBUG):
            # Somebody in this process wants to see what websocket-client does.
            websocket.enableTrace(True, logging.NullHandler(), "DEBUG")
            try:
                open_(waiter, "ws://exchange.test/", proxy=with_password(proxy)).sock.close()
            finally:
                websocket.enableTrace(False, logging.NullHandler(), "ERROR")
        assert b"Proxy-Auth" not in peer.conversations[0].head
    assert base64.b64encode(f"user:{PASSWORD}".encode()).decode() not in caplog.text
    assert PASSWORD not in caplog.text


def test_wrong_password_is_final_and_not_told(waiter: Waiter) -> None:
    with Peer(serve) as peer, Proxy(peer.port, user="user:another") as proxy:
        failure = failed(waiter, "ws://exchange.test/", proxy=with_password(proxy))
        assert not peer.conversations
    assert str(failure) == f"the proxy 127.0.0.1:{proxy.port} answered with HTTP 407: no!"
    assert failure.fatal
    # Nothing about the exchange's credentials.
    assert failure.status is None


FAILING_PROXIES: dict[str, tuple[Callable[[Conversation], Any], str, bool]] = {
    "forbids": (
        lambda c: (c.read_head(), c.sock.sendall(b"HTTP/1.0 403 Forbidden\r\n\r\n")),
        "answered with HTTP 403",
        True,
    ),
    "has no way": (
        lambda c: (c.read_head(), c.sock.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")),
        "answered with HTTP 502",
        False,
    ),
    "hangs up": (lambda c: c.read_head(), "hung up without an answer", False),
    "resets": (lambda c: (c.read_head(), c.reset()), "Connection reset by peer", False),
    "hangs": (Conversation.hold, "did not answer in time", False),
    "is none": (
        lambda c: (c.read_head(), c.sock.sendall(b"SSH-2.0-x\r\n"), c.hold()),
        "is not HTTP",
        False,
    ),
    "says too much": (
        lambda c: (c.read_head(), c.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello"), c.hold()),
        "sent something of its own",
        False,
    ),
}


@pytest.mark.parametrize("proxy", FAILING_PROXIES)
def test_proxy_that_fails_is_named_without_its_password(
    proxy: str, waiter: Waiter, seconds: Seconds
) -> None:
    script, words, fatal = FAILING_PROXIES[proxy]
    with Peer(script) as peer:
        began = time.monotonic()
        url = with_password(peer)
        failure = failed(waiter, "ws://exchange.test/", seconds(0.5), proxy=url)
        assert time.monotonic() - began < seconds(1.5)
    assert f"the proxy 127.0.0.1:{peer.port}" in str(failure)
    assert words in str(failure)
    assert failure.fatal == fatal
    chain: BaseException | None = failure
    while chain is not None:
        assert PASSWORD not in repr(chain)
        assert "%73" not in repr(chain)
        chain = chain.__cause__ or chain.__context__


def test_proxy_that_is_not_there_is_named(waiter: Waiter) -> None:
    port = unused_port()
    failure = failed(waiter, "ws://exchange.test/", proxy=f"http://u:{'p' * 9}@127.0.0.1:{port}")
    assert str(failure) == f"cannot connect to the proxy 127.0.0.1:{port}: Connection refused"


def test_proxy_that_wants_tls_itself_is_refused_before_the_password_leaves(waiter: Waiter) -> None:
    with Peer(Conversation.hold) as peer:
        url = with_password(peer).replace("http:", "https:")
        failure = failed(waiter, "ws://exchange.test/", proxy=url)
        assert not peer.conversations
    assert "http:// proxies only" in str(failure)
    assert failure.fatal


def test_name_in_other_letters_is_sent_in_its_ascii_form(waiter: Waiter) -> None:
    with Peer(lambda c: (c.read_head(), c.sock.sendall(b"HTTP/1.1 503 No\r\n\r\n"))) as proxy:
        failed(waiter, "ws://börse.test/", proxy=f"http://127.0.0.1:{proxy.port}")
        assert proxy.conversations[0].head.startswith(b"CONNECT xn--brse-5qa.test:80 ")


def test_address_of_ipv6_is_sent_in_brackets(waiter: Waiter) -> None:
    with Peer(lambda c: (c.read_head(), c.sock.sendall(b"HTTP/1.1 503 No\r\n\r\n"))) as proxy:
        failed(waiter, "ws://[2001:db8::1]/", proxy=f"http://127.0.0.1:{proxy.port}")
        assert proxy.conversations[0].head.startswith(b"CONNECT [2001:db8::1]:80 ")
        eventually(proxy.conversations[0].over.is_set)
