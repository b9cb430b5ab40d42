from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polymarket_ws.authentication import check_credentials
from polymarket_ws.credentials import Credentials
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import AuthenticationFailed, ConnectionFailed, UsageError
from polymarket_ws.signing import l2_signature
from tests.conftest import scaled
from tests.loopback import HTTPExchange, Reply, Request, raw_server
from tests.ports import unused_port

ROOT = Path(__file__).resolve().parents[1]

API_KEY = "4f9c1d2e-aaaa-bbbb-cccc-0123456789ab"
SECRET = "c3VwZXItc2VjcmV0LWJ5dGVzLW9mLWEta2V5ISEhIQ=="
PASSPHRASE = "9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e"
ADDRESS = "0x" + "aB" * 20


def exchange(request: Request) -> Reply:
    """Check the signature as the CLOB does, and answer as it does."""
    given = request.headers
    expected = l2_signature(
        SECRET,
        timestamp=int(given["poly_timestamp"]),
        method=request.method,
        path=request.path,
        body=request.body,
    )
    right = (given["poly_address"], given["poly_api_key"], given["poly_passphrase"]) == (
        ADDRESS,
        API_KEY,
        PASSPHRASE,
    )
    if request.target != "/auth/api-keys":
        return Reply(404, b'{"error":"not found"}')
    if not right or given["poly_signature"] != expected:
        return Reply(401, b'{"error":"Unauthorized/Invalid api key"}')
    return Reply(200, json.dumps({"apiKeys": [API_KEY]}).encode())


def key(
    api_key: str = API_KEY,
    secret: str = SECRET,
    passphrase: str = PASSPHRASE,
    address: str | None = ADDRESS,
) -> Credentials:
    return Credentials(api_key, secret, passphrase, address)


def check(credentials: Credentials, script: Callable[[Request], Reply], **options: Any) -> None:
    with HTTPExchange(script) as server:
        check_credentials(credentials, endpoints=Endpoints(clob=server.url), **options)


def everything(error: BaseException) -> str:
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def hides(text: str) -> bool:
    return not any(value[5:17] in text for value in (API_KEY, SECRET, PASSPHRASE))


def test_right_credentials_are_accepted() -> None:
    check(key(), exchange)


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": API_KEY[::-1]},
        {"secret": "QW5vdGhlciBzZWNyZXQ="},
        {"passphrase": PASSPHRASE[::-1]},
        {"address": "0x" + "cd" * 20},
    ],
)
def test_wrong_credentials_are_refused_with_the_likely_causes(wrong: dict[str, str]) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        check(key(**wrong), exchange)
    said = str(caught.value)
    assert "401 Unauthorized: Unauthorized/Invalid api key" in said
    assert "They come from the arguments of Credentials" in said
    for cause in ("do not belong together", "another wallet", "Builder key"):
        assert cause in said


def test_refusal_is_not_retried() -> None:
    with HTTPExchange(lambda _: Reply(403, b"<html>")) as server:
        with pytest.raises(AuthenticationFailed, match="403 Forbidden"):
            check_credentials(key(), endpoints=Endpoints(clob=server.url))
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(200, b"<html>Log in to this hotel</html>"), "answered 200 OK"),
        (Reply(200, b"[]"), "answered 200 OK"),
        (Reply(200, b'{"apiKeys":null}'), "answered 200 OK"),
        (Reply(302, b"", {"Location": "http://127.0.0.1:9/"}), "answered 302 Found"),
        (Reply(404, b'{"error":"not\\n found"}'), "answered 404 Not Found: not found"),
        (Reply(500, b'{"error":7}'), "answered 500 Internal Server Error,"),
    ],
)
def test_answer_that_says_neither_is_no_refusal(reply: Reply, expected: str) -> None:
    with pytest.raises(ConnectionFailed, match="says neither") as caught:
        check(key(), lambda _: reply)
    assert not isinstance(caught.value, AuthenticationFailed)
    assert expected in str(caught.value)


def test_server_that_repeats_the_secrets_is_not_quoted() -> None:
    words = f"no key {API_KEY} with {SECRET} and {PASSPHRASE}"
    with pytest.raises(AuthenticationFailed, match="no key <hidden> with <hidden>") as caught:
        check(key(), lambda _: Reply(401, json.dumps({"error": words}).encode()))
    assert hides(str(caught.value))


@pytest.mark.usefixtures("hasty_requests")
def test_no_connection_is_no_refusal(seconds: Callable[[float], float]) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    with pytest.raises(ConnectionFailed, match="could not be checked: there is no conn") as caught:
        check_credentials(key(), endpoints=Endpoints(clob=url), timeout=seconds(5))
    assert not isinstance(caught.value, AuthenticationFailed)
    assert isinstance(caught.value.__cause__, Exception)


def test_time_is_limited(seconds: Callable[[float], float]) -> None:
    began = time.monotonic()
    with (
        raw_server(lambda connection: connection.recv(65536) and connection.recv(1)) as url,
        pytest.raises(ConnectionFailed, match="did not answer within 0.3 s"),
    ):
        check_credentials(key(), endpoints=Endpoints(clob=url), timeout=0.3)
    assert time.monotonic() - began < seconds(3)


@pytest.mark.parametrize(
    "script",
    [
        lambda connection: None,
        lambda connection: connection.recv(65536) and connection.sendall(b"HTTP/1.1 huh\r\n\r\n"),
        lambda connection: connection.recv(65536) and connection.recv(1),
    ],
)
def test_traceback_with_locals_of_a_failure_shows_no_secret(script: Callable[[Any], Any]) -> None:
    with (
        raw_server(script) as url,
        pytest.raises(ConnectionFailed) as caught,
    ):
        check_credentials(key(), endpoints=Endpoints(clob=url), timeout=0.5)
    assert hides(everything(caught.value))


def test_traceback_with_locals_of_a_refusal_shows_no_secret() -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        check(key(address="0x" + "cd" * 20), exchange)
    assert hides(everything(caught.value))


def test_traceback_with_locals_of_a_wrong_proxy_shows_no_secret() -> None:
    with pytest.raises(UsageError, match="proxy must be") as caught:
        check_credentials(
            key(), endpoints=Endpoints(clob="http://example.invalid"), proxy="socks5://x:1"
        )
    assert hides(everything(caught.value))


def test_without_an_address_nothing_is_asked() -> None:
    with HTTPExchange(exchange) as server:
        with pytest.raises(UsageError, match="POLYMARKET_ADDRESS"):
            check_credentials(key(address=None), endpoints=Endpoints(clob=server.url))
        assert server.requests == []


LOUD = """
    import json, logging, pickle, sys, traceback
    import attrs, keyring, websocket
    from rich.console import Console
    from polymarket_ws.authentication import check_credentials
    from polymarket_ws.credentials import Credentials
    from polymarket_ws.endpoints import Endpoints
    from tests.keyrings import Forgetful, Memory, Refusing
    from tests.loopback import HTTPExchange, Reply
    from tests.test_authentication import exchange

    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    websocket.enableTrace(True)
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.DEBUG)
    log = logging.getLogger("everything")
    console = Console(width=200)

    def attempt(act):
        try:
            result = act()
            log.debug("%s %r", result, result)
            print(result, repr(result), file=sys.stderr)
        except Exception as error:
            log.exception("%r", error)
            kind, value, frames = sys.exc_info()
            if frames.tb_next is not None and frames.tb_next.tb_next is not None:
                # This file's own frames may hold what they were given.
                frames = frames.tb_next.tb_next
                told = traceback.TracebackException(kind, value, frames, capture_locals=True)
                print("".join(told.format()), file=sys.stderr)
            console.print_exception(show_locals=False)

    credentials = Credentials.from_env()
    keyring.set_keyring(Memory())
    attempt(lambda: credentials)
    attempt(lambda: credentials.save_to_keyring())
    attempt(lambda: Credentials.from_keyring())
    attempt(lambda: Credentials.find())
    attempt(lambda: Credentials.from_keyring("absent"))
    attempt(lambda: Credentials.delete_from_keyring())
    for backend in (Refusing(), Refusing(ValueError("no")), Forgetful()):
        keyring.set_keyring(backend)
        attempt(lambda: credentials.save_to_keyring())
        attempt(lambda: Credentials.from_keyring())
    attempt(lambda: attrs.asdict(credentials))
    attempt(lambda: pickle.dumps(credentials))
    attempt(lambda: json.dumps(credentials))
    attempt(lambda: credentials.reveal())
    attempt(lambda: credentials.l2_headers("GET", "/auth/api-keys"))
    attempt(lambda: credentials.l2_headers("GET", "no path"))
    for reply in (None, Reply(401), Reply(200, b"?"), Reply(503, b"", {"Retry-After": "9"})):
        # Only where it is said to come later is the time waited for.
        limit = 2.0 if reply and reply.status == 503 else 30.0
        with HTTPExchange(exchange if reply is None else lambda _: reply) as server:
            where = Endpoints(clob=server.url)
            attempt(lambda: check_credentials(credentials, endpoints=where, timeout=limit))
    attempt(lambda: check_credentials(credentials, endpoints=where, timeout=0.3))
    print("done")
"""


def test_everything_at_debug_and_with_trace_shows_no_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(LOUD)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "POLYMARKET_API_KEY": API_KEY,
            "POLYMARKET_API_SECRET": SECRET,
            "POLYMARKET_API_PASSPHRASE": PASSPHRASE,
            "POLYMARKET_ADDRESS": ADDRESS,
        },
        capture_output=True,
        text=True,
        timeout=scaled(60),
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "done", done.stderr
    # That the loggers were on, and that errors were shown.
    assert "urllib3.connectionpool" in done.stdout
    assert "AuthenticationFailed" in done.stderr
    assert "<hidden>" in done.stderr
    output = done.stdout + done.stderr
    assert hides(output)
