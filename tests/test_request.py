from __future__ import annotations

import gzip
import http.client
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

import pytest
import trustme
import urllib3

from polymarket_ws import request as request_module
from polymarket_ws._version import __version__
from polymarket_ws.errors import UsageError
from polymarket_ws.request import RequestFailed, Requests
from tests.conftest import scaled
from tests.loopback import HTTPExchange, Reply, raw_server
from tests.ports import unused_port

Seconds = Callable[[float], float]


def get(url: str, timeout: float = 10.0, **options: object) -> request_module.Answer:
    with Requests(timeout=timeout, **options) as requests:  # type: ignore[arg-type]
        return requests.request("GET", url)


PRODUCTION = request_module._RETRY

pytestmark = pytest.mark.usefixtures("hasty_requests")


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = connection.recv(65536)
        if not chunk:
            break
        head += chunk
    return head


def test_request_sends_method_query_headers_and_body() -> None:
    with HTTPExchange(lambda _: Reply(201, b"made", {"X-Mark": "1"})) as exchange:
        with Requests(timeout=10.0) as requests:
            answer = requests.request(
                "POST",
                f"{exchange.url}/auth/api-key",
                fields=[("a", "1 2"), ("a", "&")],
                headers={"POLY_ADDRESS": "0xabc"},
                body=b'{"x":1}',
            )
        (seen,) = exchange.requests
    assert (answer.status, answer.body, answer.headers["x-mark"]) == (201, b"made", "1")
    assert (seen.method, seen.path, seen.body) == ("POST", "/auth/api-key", b'{"x":1}')
    assert seen.query == [("a", "1 2"), ("a", "&")]
    assert seen.headers["poly_address"] == "0xabc"


def test_user_agent_names_the_package_and_its_version() -> None:
    with HTTPExchange(lambda _: Reply()) as exchange:
        get(exchange.url)
        assert exchange.requests[0].headers["user-agent"] == f"polymarket-ws/{__version__}"


def test_requests_in_a_row_share_a_connection() -> None:
    connections = []

    def script(connection: socket.socket) -> None:
        connections.append(connection)
        while read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    with raw_server(script) as url, Requests(timeout=10.0) as requests:
        for _ in range(3):
            assert requests.request("GET", url).body == b"[]"
        assert len(connections) == 1


def test_compressed_body_is_decoded() -> None:
    body = gzip.compress(b'{"a":1}')
    with HTTPExchange(lambda _: Reply(200, body, {"Content-Encoding": "gzip"})) as exchange:
        assert get(exchange.url).body == b'{"a":1}'


def test_body_that_claims_to_be_compressed_fails() -> None:
    reply = Reply(200, b"plain", {"Content-Encoding": "gzip"})
    with HTTPExchange(lambda _: reply) as exchange:
        with pytest.raises(RequestFailed, match="cannot be decompressed"):
            get(exchange.url)


def test_endless_body_fails_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "MAX_BODY", 1000)
    with HTTPExchange(lambda _: Reply(200, b"x" * 1001)) as exchange:
        with pytest.raises(RequestFailed, match="sent more than"):
            get(exchange.url)
    with HTTPExchange(lambda _: Reply(200, b"x" * 1000)) as exchange:
        assert len(get(exchange.url).body) == 1000


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_passing_trouble_of_the_server_is_tried_again(status: int) -> None:
    replies = [Reply(status), Reply(status), Reply(200, b"at last")]
    with HTTPExchange(lambda _: replies.pop(0)) as exchange:
        assert get(exchange.url).body == b"at last"


@pytest.mark.parametrize("status", [301, 400, 403, 404, 500])
def test_final_status_is_returned_at_once(status: int) -> None:
    with HTTPExchange(lambda _: Reply(status, b"", {"Location": "/else"})) as exchange:
        assert get(exchange.url).status == status
        assert len(exchange.requests) == 1


def test_lasting_trouble_is_returned_after_four_attempts() -> None:
    with HTTPExchange(lambda _: Reply(503, b"down")) as exchange:
        answer = get(exchange.url)
        assert (answer.status, answer.body, len(exchange.requests)) == (503, b"down", 4)


def test_post_is_not_repeated_after_it_was_sent() -> None:
    with HTTPExchange(lambda _: Reply(503)) as exchange:
        with Requests(timeout=10.0) as requests:
            assert requests.request("POST", exchange.url, body=b"{}").status == 503
        assert len(exchange.requests) == 1


def test_retry_after_is_waited_for() -> None:
    replies = [Reply(429, b"", {"Retry-After": "1"}), Reply(200, b"now")]
    begin = time.monotonic()
    with HTTPExchange(lambda _: replies.pop(0)) as exchange:
        assert get(exchange.url).body == b"now"
    assert time.monotonic() - begin >= 1.0


def test_retry_after_beyond_the_deadline_is_not_waited_for(seconds: Seconds) -> None:
    begin = time.monotonic()
    with HTTPExchange(lambda _: Reply(429, b"", {"Retry-After": "3600"})) as exchange:
        assert get(exchange.url).status == 429
        assert len(exchange.requests) == 1
    assert time.monotonic() - begin < seconds(2.0)


def test_retry_after_that_is_no_time_is_ignored() -> None:
    replies = [Reply(503, b"", {"Retry-After": "soon"}), Reply(200, b"now")]
    with HTTPExchange(lambda _: replies.pop(0)) as exchange:
        assert get(exchange.url).body == b"now"


def test_refused_connection_is_tried_again_before_it_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_module, "_RETRY", PRODUCTION)
    port = unused_port()
    begin = time.monotonic()
    with pytest.raises(RequestFailed, match="no connection to 127.0.0.1:.*refused") as caught:
        get(f"http://127.0.0.1:{port}")
    assert isinstance(caught.value.__cause__, urllib3.exceptions.NewConnectionError)
    assert time.monotonic() - begin > 0.5  # it did wait between attempts


@pytest.mark.usefixtures("nameless")
def test_name_that_does_not_resolve_is_said() -> None:
    with pytest.raises(RequestFailed, match=r"the name gamma\.invalid cannot be resolved"):
        get("http://gamma.invalid/markets")


def test_impossible_host_name_fails() -> None:
    with pytest.raises(RequestFailed):
        get(f"http://{'a' * 64}.example/")


def drip(head: bytes) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(head)
        connection.settimeout(0.02)
        while True:
            connection.sendall(b"a")
            try:
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                continue

    return script


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="status line"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Slow: ", id="header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", id="body"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n", id="body until close"),
    ],
)
def test_answer_that_drips_in_ends_at_the_deadline(head: bytes, seconds: Seconds) -> None:
    timeout = seconds(0.2)
    begin = time.monotonic()
    with raw_server(drip(head)) as url:
        with pytest.raises(RequestFailed, match="did not answer within"):
            get(url, timeout=timeout)
        assert timeout <= time.monotonic() - begin < timeout + seconds(1.0)


def test_silent_server_ends_at_the_deadline(seconds: Seconds) -> None:
    timeout = seconds(0.3)
    begin = time.monotonic()
    with raw_server(read_to_end) as url:
        with pytest.raises(RequestFailed, match="did not answer within"):
            get(url, timeout=timeout)
    assert time.monotonic() - begin < timeout + seconds(1.0)


def read_to_end(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def test_tls_handshake_that_is_never_answered_ends_in_time(seconds: Seconds) -> None:
    timeout = seconds(0.5)
    begin = time.monotonic()
    with raw_server(read_to_end) as url:
        with pytest.raises(RequestFailed):
            get(url.replace("http:", "https:"), timeout=timeout)
    assert time.monotonic() - begin < timeout + seconds(1.0)


def test_all_requests_share_one_deadline(seconds: Seconds) -> None:
    with HTTPExchange(lambda _: Reply()) as exchange, raw_server(read_to_end) as silent:
        begin = time.monotonic()
        with Requests(timeout=seconds(1.0)) as requests:
            requests.request("GET", exchange.url)
            with pytest.raises(RequestFailed):
                requests.request("GET", silent)
            with pytest.raises(RequestFailed):
                requests.request("GET", silent)
        # Each with its own would take twice as long.
        assert time.monotonic() - begin < seconds(1.9)


def reset(connection: socket.socket) -> None:
    read_head(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(reset, id="reset"),
        pytest.param(read_head, id="closed"),
        pytest.param(
            lambda connection: (
                read_head(connection),
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
            ),
            id="cut short",
        ),
        pytest.param(
            lambda connection: (read_head(connection), connection.sendall(b"SSH-2.0-x\r\n")),
            id="no HTTP",
        ),
        pytest.param(
            lambda connection: (
                read_head(connection),
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            ),
            id="bad chunk",
        ),
    ],
)
def test_broken_answer_is_one_clear_failure(script: Callable[[socket.socket], None]) -> None:
    with raw_server(script) as url:
        with pytest.raises(RequestFailed, match=r"^127\.0\.0\.1:\d+ broke off") as caught:
            get(url)
    assert caught.value.__cause__ is not None
    assert "\n" not in str(caught.value)


def test_broken_answer_is_asked_for_again() -> None:
    attempts = []

    def script(connection: socket.socket) -> None:
        attempts.append(connection)
        read_head(connection)
        if len(attempts) > 1:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with raw_server(script) as url:
        assert get(url).body == b"ok"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_tls_works_with_the_callers_context(
    authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with HTTPExchange(lambda _: Reply(200, b"safe"), tls=server_tls) as exchange:
        assert get(exchange.url, ssl_context=context).body == b"safe"


def test_certificate_that_does_not_verify_fails_at_once(
    server_tls: ssl.SSLContext, seconds: Seconds
) -> None:
    with HTTPExchange(lambda _: Reply(), tls=server_tls) as exchange:
        begin = time.monotonic()
        with pytest.raises(RequestFailed, match=r"TLS with 127.*certificate verify failed"):
            get(exchange.url)
        assert time.monotonic() - begin < seconds(2.0)
        assert exchange.requests == []


def test_tls_answer_that_drips_in_ends_at_the_deadline(
    authority: trustme.CA, server_tls: ssl.SSLContext, seconds: Seconds
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    dripping = drip(b"HTTP/1.1 200 OK\r\nX-Slow: ")

    def script(connection: socket.socket) -> None:
        with server_tls.wrap_socket(connection, server_side=True) as secure:
            dripping(secure)

    timeout = seconds(0.5)
    begin = time.monotonic()
    with raw_server(script) as url:
        with pytest.raises(RequestFailed, match="did not answer within"):
            get(url.replace("http:", "https:"), timeout=timeout, ssl_context=context)
    assert time.monotonic() - begin < timeout + seconds(1.0)


def test_proxy_gets_the_request_and_its_password() -> None:
    with HTTPExchange(lambda _: Reply(200, b"via proxy")) as proxy:
        address = f"http://me:p%40ss@127.0.0.1:{proxy.port}"
        assert get("http://gamma.invalid/markets", proxy=address).body == b"via proxy"
        (seen,) = proxy.requests
    assert seen.target == "http://gamma.invalid/markets"
    assert seen.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="


def test_proxy_of_the_environment_is_used_only_when_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with HTTPExchange(lambda _: Reply(200, b"via proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert get("http://gamma.invalid/", proxy="env").body == b"via proxy"
        with pytest.raises(RequestFailed):
            get("http://gamma.invalid/")
        assert len(proxy.requests) == 1


def test_loopback_goes_past_the_proxy() -> None:
    with HTTPExchange(lambda _: Reply(200, b"direct")) as exchange:
        proxy = f"http://127.0.0.1:{unused_port()}"
        assert get(exchange.url, proxy=proxy).body == b"direct"


def test_dead_proxy_is_named_without_its_password() -> None:
    proxy = f"http://me:hunter2@127.0.0.1:{unused_port()}"
    with pytest.raises(RequestFailed, match="the proxy on the way to .* failed") as caught:
        get("http://gamma.invalid/", proxy=proxy)
    assert "hunter2" not in str(caught.value)


def test_tunnel_that_the_proxy_refuses_is_one_clear_failure() -> None:
    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with raw_server(script) as url:
        with pytest.raises(RequestFailed, match="the proxy on the way to gamma.invalid"):
            get("https://gamma.invalid/", proxy=url)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), None, "10", True])
def test_useless_timeout_is_a_usage_error(timeout: object) -> None:
    with pytest.raises(UsageError, match="timeout takes seconds"):
        Requests(timeout=timeout)  # type: ignore[arg-type]


def test_interrupted_wait_ends_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    join = threading.Thread.join

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if thread.name == "polymarket-ws-rest":
            asked.wait(10.0)
            raise KeyboardInterrupt
        join(thread, timeout)

    def script(connection: socket.socket) -> None:
        read_head(connection)
        asked.set()
        read_to_end(connection)

    with raw_server(script) as url, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get(url, timeout=60.0)
        patch.undo()
        for thread in threading.enumerate():
            if thread.name == "polymarket-ws-rest":
                thread.join(scaled(5.0))
                assert not thread.is_alive()


def test_signature_headers_do_not_follow_a_redirect() -> None:
    with HTTPExchange(lambda _: Reply()) as other:
        away = Reply(307, b"", {"Location": f"{other.url}/"})
        with HTTPExchange(lambda _: away) as exchange, Requests(timeout=10.0) as requests:
            answer = requests.request("GET", exchange.url, headers={"POLY_SIGNATURE": "s"})
        assert answer.status == 307
        assert other.requests == []


@pytest.mark.parametrize("tls", [False, True])
def test_headers_are_not_printed_whatever_the_debug_level_of_http_client(
    tls: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    with HTTPExchange(lambda _: Reply(), server_side if tls else None) as exchange:
        with Requests(timeout=10.0, ssl_context=client_side) as requests:
            requests.request("GET", exchange.url, headers={"POLY_PASSPHRASE": "hush"})
        assert exchange.requests[0].headers["poly_passphrase"] == "hush"
    assert capsys.readouterr() == ("", "")


def test_restart_gives_the_next_request_the_whole_time_again() -> None:
    slow = threading.Event()

    def script(_: object) -> Reply:
        slow.wait(scaled(0.2))
        return Reply()

    with HTTPExchange(script) as exchange, Requests(timeout=scaled(0.8)) as requests:
        for _ in range(5):
            requests.restart()
            assert requests.request("GET", exchange.url).status == 200
