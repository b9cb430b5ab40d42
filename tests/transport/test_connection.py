from __future__ import annotations

import contextlib
import itertools
import json
import logging
import re
import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from polymarket_ws.client import Client
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import AuthenticationFailed, ConnectionFailed
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Connected, DecodeFailure, Disconnected, Lifecycle
from polymarket_ws.events.market import LastTradePrice
from polymarket_ws.health import ConnectionHealth
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.stream import Stream
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport import connection as connection_module
from polymarket_ws.transport import line as line_module
from polymarket_ws.transport import outgoing as outgoing_module
from polymarket_ws.transport.backoff import Backoff
from polymarket_ws.transport.readiness import Readiness
from tests.conftest import scaled
from tests.ports import unused_port
from tests.transport.peers import (
    Conversation,
    Peer,
    Script,
    close_frame,
    eventually,
    server_frame,
    trade,
    trades,
)

Seconds = Callable[[float], float]

QUICK = Backoff(initial=0.01, maximum=0.05)


def make_client(url: str, **options: Any) -> Client:
    options.setdefault("backoff", QUICK)
    options.setdefault("connect_timeout", 30.0)
    return Client(endpoints=Endpoints(market=url), **options)


def until(stream: Stream[Any], last: Callable[[Event], bool], patience: float) -> list[Event]:
    """Return the next events of every sort up to one that is the last."""
    events: list[Event] = []
    deadline = time.monotonic() + patience
    while True:
        events.append(stream.all().get(max(0.0, deadline - time.monotonic())))
        if last(events[-1]):
            return events


def sizes(events: list[Event]) -> list[int]:
    return [int(event.size or 0) for event in events if isinstance(event, LastTradePrice)]


def is_size(number: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, LastTradePrice) and event.size == number


def kinds(events: list[Event]) -> list[str]:
    """Name what came, with equal neighbours once and without what the server was told."""
    names = [type(event).__name__ for event in events if type(event).__name__ != "Subscribed"]
    return [name for at, name in enumerate(names) if not at or names[at - 1] != name]


def serve(conversation: Conversation) -> None:
    conversation.accept()
    conversation.read_on()


def refuse_with(answer: bytes, then: Script | None = None) -> Script:
    """Answer the first upgrade with ``answer``, and the others as ``then`` says."""

    def script(conversation: Conversation) -> None:
        if conversation.number and then is not None:
            then(conversation)
            return
        conversation.read_head()
        conversation.sock.sendall(answer)

    return script


# -- how a connection is lost -----------------------------------------------------------------


def reset(conversation: Conversation) -> None:
    conversation.reset()


def hang_up(conversation: Conversation) -> None:
    conversation.sock.shutdown(socket.SHUT_WR)


def half_frame_and(end: Script) -> Script:
    def script(conversation: Conversation) -> None:
        conversation.sock.sendall(server_frame("x" * 1000)[:500])
        end(conversation)

    return script


def say(data: bytes) -> Script:
    def script(conversation: Conversation) -> None:
        conversation.sock.sendall(data)
        with contextlib.suppress(OSError, EOFError):
            conversation.read_on()

    return script


CUTS: dict[str, tuple[Script, int, str]] = {
    "rst": (reset, 1006, "reset"),
    "fin": (hang_up, 1006, "without a close frame"),
    "close 1000": (say(close_frame(1000, "all resolved")), 1000, "^all resolved$"),
    "close 1001": (say(close_frame(1001, "going away")), 1001, "^going away$"),
    "close 1008": (say(close_frame(1008, "invalid subscription payload")), 1008, "^invalid sub"),
    "close 1012": (say(close_frame(1012)), 1012, "^$"),
    "close 1013": (say(close_frame(1013, "slow consumer: send buffer full")), 1013, "slow"),
    "close 4000": (say(close_frame(4000, "é")), 4000, "^é$"),
    "close without a code": (say(server_frame(b"", 8)), 1005, "^$"),
    "half a frame, rst": (half_frame_and(reset), 1006, "reset"),
    "half a frame, fin": (half_frame_and(hang_up), 1006, "without a close frame"),
    "half a frame, stall": (half_frame_and(Conversation.hold), 1006, "no frame of any kind"),
}


@pytest.mark.parametrize("cut", CUTS)
def test_all_before_a_cut_is_delivered_and_the_cut_told_in_order(
    cut: str, seconds: Seconds
) -> None:
    end, code, reason = CUTS[cut]

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        first = 1 + 100 * conversation.number
        conversation.sock.sendall(trades(range(first, first + 100)))
        if conversation.number:
            conversation.read_on()
        else:
            end(conversation)

    liveness = Liveness(socket=seconds(0.5)) if "stall" in cut else Liveness()
    with Peer(script) as peer, make_client(peer.url, liveness=liveness) as client:
        events = until(client.subscribe(Market("1")), is_size(200), seconds(10))

    assert kinds(events) == [
        "Connected",
        "LastTradePrice",
        "Disconnected",
        "Connected",
        "LastTradePrice",
    ]
    assert sizes(events) == list(range(1, 201))
    lost = next(event for event in events if isinstance(event, Disconnected))
    assert lost.code == code
    assert re.search(reason, lost.reason.lower())
    assert lost.last_message_at is not None
    assert lost.asset_ids == ("1",)
    first, second = (event for event in events if isinstance(event, Connected))
    assert (first.epoch, first.gap_seconds) == (1, 0.0)
    assert second.epoch == 2
    assert 0.0 < second.gap_seconds < seconds(10)
    again = events.index(second)
    assert {event.epoch for event in events[:again]} == {1}
    assert {event.epoch for event in events[again:]} == {2}


VIOLATIONS = {
    "garbage": (b"\xff\x00garbage", 1002),
    "a masked frame": (b"\x81\x81aaaab", 1002),
    "text that is not UTF-8": (server_frame(b'{"a":"\xff"}'), 1007),
    "a frame that is too large": (b"\x81\x7f" + struct.pack("!Q", 64 * 1024 * 1024), 1009),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_broken_protocol_is_told_to_both_sides_and_connected_anew(
    violation: str, seconds: Seconds
) -> None:
    data, code = VIOLATIONS[violation]

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        first = 1 + 10 * conversation.number
        conversation.sock.sendall(trades(range(first, first + 10)))
        if not conversation.number:
            conversation.sock.sendall(data)
        conversation.read_on()

    with Peer(script) as peer:
        with make_client(peer.url) as client:
            events = until(client.subscribe(Market("1")), is_size(20), seconds(10))
        # The thread that reads the last frame may be behind the client's next connection.
        eventually(peer.conversations[0].over.is_set, "the end of the first conversation")
        opcode, payload = peer.conversations[0].frames[-1]

    assert kinds(events) == [
        "Connected",
        "LastTradePrice",
        "DecodeFailure",
        "Disconnected",
        "Connected",
        "LastTradePrice",
    ]
    assert sizes(events) == list(range(1, 21))
    failure = next(event for event in events if isinstance(event, DecodeFailure))
    lost = next(event for event in events if isinstance(event, Disconnected))
    assert lost.code == code
    assert lost.reason == failure.error
    assert (opcode, int.from_bytes(payload[:2], "big")) == (8, code)


def test_server_started_again_on_its_port_gets_what_is_wanted_by_then(seconds: Seconds) -> None:
    # Of a port that the system gives to whoever asks for any another test might get hold meanwhile.
    first = Peer(serve, port=unused_port())
    with first, make_client(first.url, connect_timeout=None) as client:
        stream = client.subscribe(Market("1", "2", "3"))
        first.wait_frames(1)
        first.stop()
        until(stream, lambda event: isinstance(event, Disconnected), seconds(10))
        stream.remove("1")
        stream.add("4", "5")
        other = client.subscribe(Market("6"))
        with Peer(serve, port=first.port) as second:
            until(stream, lambda event: isinstance(event, Connected), seconds(10))
            second.wait_frames(1)
            eventually(lambda: second.conversations[0].asset_ids == {"2", "3", "4", "5", "6"})
            frame = json.loads(second.conversations[0].texts[0])
            assert frame["type"] == "market"
            connected = until(other, lambda event: isinstance(event, Connected), seconds(10))[-1]
            assert isinstance(connected, Connected)
            assert (connected.epoch, connected.asset_ids) == (2, ("6",))
            client.close()


def test_wishes_changed_while_the_upgrade_is_awaited_are_in_the_first_frame() -> None:
    go_on = threading.Event()

    def script(conversation: Conversation) -> None:
        go_on.wait()
        serve(conversation)

    with Peer(script) as peer, make_client(peer.url) as client:
        stream = client.subscribe(Market("1", "2"))
        peer.wait(lambda: peer.conversations)
        stream.replace("2", "3")
        go_on.set()
        assert json.loads(peer.wait_frames(1).texts[0])["assets_ids"] == ["2", "3"]


def test_set_of_the_server_equals_the_wanted_one_through_many_cuts(seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        conversation.accept()
        if conversation.number % 2:
            conversation.read()
            conversation.reset()
        elif conversation.number < 8:
            conversation.read()
            conversation.read()
            conversation.sock.close()
        else:
            conversation.read_on()

    with Peer(script) as peer, make_client(peer.url) as client:
        stream = client.subscribe(Market("1"))
        numbers = itertools.count(2)

        def change() -> bool:
            """Change what is wanted until the last connection is there, which needs changes."""
            number = next(numbers)
            stream.add(str(number))
            leaving = number - 1 if number % 3 == 0 else number - 100
            if leaving > 1:
                stream.remove(str(leaving))
            return len(peer.conversations) > 8

        eventually(change, "the last connection")
        eventually(lambda: peer.conversations[-1].asset_ids == set(stream.asset_ids))


def test_events_right_behind_the_upgrade_are_not_lost(seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        conversation.accept(behind=trades(range(1, 4)))
        conversation.read_on()

    with Peer(script) as peer, make_client(peer.url) as client:
        events = until(client.subscribe(Market("1")), is_size(3), seconds(10))
    assert sizes(events) == [1, 2, 3]
    assert isinstance(events[0], Connected)


def test_what_was_sent_before_a_cut_is_read_though_writing_fails_first(
    monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    # The first read ends before the trades, and the pongs meet the reset.
    monkeypatch.setattr(line_module, "LEAST_BYTES", 100)
    monkeypatch.setattr(line_module, "MOST_BYTES", 100)
    cuts = 10

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        if conversation.number == cuts:
            conversation.read_on()
        first = 1 + 50 * conversation.number
        conversation.sock.sendall(server_frame(b"", 9) * 50 + trades(range(first, first + 50)))
        conversation.reset()

    with Peer(script) as peer, make_client(peer.url) as client:
        events = until(
            client.subscribe(Market("1")),
            lambda event: isinstance(event, Connected) and event.epoch == cuts + 1,
            seconds(10),
        )
    assert sizes(events) == list(range(1, 50 * cuts + 1))


# -- closing, in every state ------------------------------------------------------------------


@contextlib.contextmanager
def resolving(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Client, Callable[[], object]]]:
    asked, answer = threading.Event(), threading.Event()
    real = socket.getaddrinfo

    def hang(host: str, *rest: Any, **options: Any) -> Any:
        if host == "exchange.test":
            asked.set()
            answer.wait()
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        yield make_client("ws://exchange.test:1234/x"), asked.is_set
    finally:
        answer.set()


@contextlib.contextmanager
def connecting(_: pytest.MonkeyPatch) -> Iterator[tuple[Client, Callable[[], object]]]:
    # Where the backlog is full, Linux ignores who knocks.
    with contextlib.ExitStack() as waiting:
        listener = waiting.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(10):
            knocking = waiting.enter_context(socket.socket())
            knocking.settimeout(0.2)
            try:
                knocking.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            pytest.skip("this system has no backlog that can be filled")
        client = make_client(f"ws://127.0.0.1:{listener.getsockname()[1]}/x")
        yield client, lambda: health(client).attempts == 1


def mute(*, tls: bool = False) -> Callable[..., Any]:
    @contextlib.contextmanager
    def state(_: pytest.MonkeyPatch) -> Iterator[tuple[Client, Callable[[], object]]]:
        with Peer(Conversation.hold) as peer:
            url = peer.url.replace("ws:", "wss:") if tls else peer.url
            yield make_client(url), lambda: peer.conversations

    return state


@contextlib.contextmanager
def dripping(_: pytest.MonkeyPatch) -> Iterator[tuple[Client, Callable[[], object]]]:
    dripped = []

    def script(conversation: Conversation) -> None:
        conversation.read_head()
        for byte in b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" * 100:
            conversation.sock.sendall(bytes([byte]))
            dripped.append(byte)
            conversation.peer.stopped.wait(0.1)

    with Peer(script) as peer:
        yield make_client(peer.url), lambda: len(dripped) > 3


@contextlib.contextmanager
def idle(_: pytest.MonkeyPatch) -> Iterator[tuple[Client, Callable[[], object]]]:
    with Peer(serve) as peer:
        client = make_client(peer.url)
        yield client, client.wait_connected


@contextlib.contextmanager
def flooded(_: pytest.MonkeyPatch) -> Iterator[tuple[Client, Callable[[], object]]]:
    block = trades(range(2000))

    def script(conversation: Conversation) -> None:
        conversation.accept()
        while True:
            conversation.sock.sendall(block)

    with Peer(script) as peer:
        client = make_client(peer.url)
        yield client, lambda: health(client).last_frame_at


@contextlib.contextmanager
def sending(_: pytest.MonkeyPatch) -> Iterator[tuple[Client, Callable[[], object]]]:
    pings = server_frame(b"p" * 125, 9) * 100

    def script(conversation: Conversation) -> None:
        conversation.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
        conversation.accept()
        while True:
            conversation.sock.sendall(pings)

    with Peer(script) as peer:
        client = make_client(peer.url)
        yield client, lambda: waiting_bytes(client) > 60_000


def health(client: Client) -> ConnectionHealth:
    return client._engine.connections()[0].health()


def waiting_bytes(client: Client) -> int:
    return health(client).unsent_bytes


@contextlib.contextmanager
def backing_off(_: pytest.MonkeyPatch) -> Iterator[tuple[Client, Callable[[], object]]]:
    with Peer(lambda conversation: say(close_frame(1013))(accepted(conversation))) as peer:
        client = make_client(peer.url, backoff=Backoff())
        yield client, lambda: health(client).state == "backing off"


def accepted(conversation: Conversation) -> Conversation:
    conversation.accept()
    return conversation


STATES: dict[str, Callable[..., Any]] = {
    "resolving": resolving,
    "connecting": connecting,
    "in TLS": mute(tls=True),
    "upgrade unanswered": mute(),
    "upgrade dripped": dripping,
    "idle": idle,
    "flooded": flooded,
    "sending to one who does not read": sending,
    "backing off": backing_off,
}


@pytest.mark.parametrize("state", STATES)
def test_close_returns_soon_in_every_state(
    state: str, monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    with STATES[state](monkeypatch) as (client, reached):
        client.listen(Market("1"))
        eventually(reached, state)
        began = time.monotonic()
        assert client.close()
        assert time.monotonic() - began < seconds(0.6)
        assert connection_threads() == []


@pytest.mark.parametrize("state", STATES)
def test_close_in_another_thread_ends_the_loop_in_every_state(
    state: str, monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    with STATES[state](monkeypatch) as (client, reached):
        stream = client.subscribe(Market("1"))
        ended: list[bool] = []

        def close() -> None:
            eventually(reached, state)
            ended.append(client.close())

        closer = threading.Thread(target=close)
        closer.start()
        for _ in stream:
            pass
        closer.join(seconds(2))
        assert ended == [True]


@pytest.mark.parametrize("state", STATES)
def test_close_in_a_signal_handler_returns_soon_in_every_state(
    state: str, monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    with STATES[state](monkeypatch) as (client, reached):
        stream = client.subscribe(Market("1"))
        eventually(reached, state)
        took: list[float] = []

        def handler(*_: object) -> None:
            began = time.monotonic()
            assert client.close()
            took.append(time.monotonic() - began)

        before = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            for _ in stream:
                pass
        finally:
            signal.signal(signal.SIGALRM, before)
        assert took
        assert took[0] < seconds(0.6)


@pytest.mark.parametrize("state", ["idle", "flooded"])
def test_close_in_a_callback_returns_soon(
    state: str, monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    took: list[float] = []
    with STATES[state](monkeypatch) as (client, _):

        @client.on(Connected)
        def close(_: Connected) -> None:
            began = time.monotonic()
            client.close()
            took.append(time.monotonic() - began)

        client.listen(Market("1"))
        client.run()
        eventually(lambda: took)
        assert took[0] < seconds(0.6)


def connection_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("polymarket-ws-market")]


def test_close_says_goodbye_with_1000() -> None:
    with Peer(serve) as peer:
        with make_client(peer.url) as client:
            client.listen(Market("1"))
            peer.wait_frames(1)
        conversation = peer.wait_frames(2)
        assert conversation.frames[-1] == (8, struct.pack("!H", 1000))


def test_two_hundred_connections_leave_nothing_behind() -> None:
    # The check is in the fixture that every test has: no thread, no socket.
    with Peer(serve) as peer:
        for _ in range(200):
            with make_client(peer.url) as client:
                client.listen(Market("1"))


def test_connection_that_nobody_wants_any_more_ends_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "_IDLE_SECONDS", 0.05)
    with Peer(serve) as peer, make_client(peer.url) as client:
        stream = client.subscribe(Market("1"))
        conversation = peer.wait_frames(1)
        stream.close()
        assert conversation.over.wait(scaled(5))
        eventually(lambda: not connection_threads())
        client.listen(Market("1"))
        assert peer.wait_frames(1, 1).asset_ids == {"1"}


def test_connection_left_for_a_moment_is_kept(
    monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    # However long the moment is on a machine that has much else to do.
    monkeypatch.setattr(connection_module, "_IDLE_SECONDS", seconds(30))
    with Peer(serve) as peer, make_client(peer.url) as client:
        first = client.subscribe(Market("1"))
        peer.wait_frames(1)
        first.close()
        client.listen(Market("2"))
        eventually(lambda: peer.conversations[0].asset_ids == {"2"})
        assert len(peer.conversations) == 1


# -- the first connection ------------------------------------------------------------------------


def failure(client: Client, timeout: float) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as raised:
        client.subscribe(Market("1")).get(timeout)
    return raised.value


def test_refused_port_is_tried_until_the_time_is_up(seconds: Seconds) -> None:
    port, limit = unused_port(), seconds(0.5)
    began = time.monotonic()
    with make_client(f"ws://127.0.0.1:{port}/ws/market", connect_timeout=limit) as client:
        error = failure(client, seconds(5))
    assert 0.8 * limit < time.monotonic() - began < seconds(2)
    found = re.fullmatch(
        rf"no connection to 127\.0\.0\.1:{port} within {limit:g} s \((\d+) attempts\); "
        rf"the last: cannot connect to 127\.0\.0\.1:{port}: Connection refused",
        str(error),
    )
    assert found
    assert int(found[1]) > 3
    assert type(error) is ConnectionFailed


def test_one_attempt_is_called_one(seconds: Seconds) -> None:
    limit = seconds(0.3)
    with Peer(Conversation.hold) as peer, make_client(peer.url, connect_timeout=limit) as client:
        error = failure(client, seconds(5))
    assert "(1 attempt); the last: the server did not answer in time" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_status_that_is_final_is_not_tried_again(status: int, seconds: Seconds) -> None:
    answer = f"HTTP/1.1 {status} No\r\nContent-Length: 9\r\n\r\nnot  here".encode()
    with Peer(refuse_with(answer)) as peer:
        with make_client(peer.url) as client:
            error = failure(client, seconds(5))
        assert len(peer.conversations) == 1
    assert f"HTTP {status}: not here" in str(error)
    assert f"127.0.0.1:{peer.port}" in str(error)
    assert isinstance(error, AuthenticationFailed) == (status in (401, 403))


@pytest.mark.parametrize("status", [200, 408, 425, 429, 500, 502, 503, 504])
def test_status_that_may_pass_is_tried_again(status: int, seconds: Seconds) -> None:
    script = refuse_with(f"HTTP/1.1 {status} Later\r\n\r\n".encode(), serve)
    with Peer(script) as peer, make_client(peer.url) as client:
        client.listen(Market("1"))
        assert client.wait_connected(seconds(5))
        assert health(client).attempts == 2


def test_retry_after_is_waited_for(seconds: Seconds) -> None:
    script = refuse_with(b"HTTP/1.1 429 Later\r\nretry-after: 0.5\r\n\r\n", serve)
    with Peer(script) as peer, make_client(peer.url) as client:
        # Taken before the first attempt: a moment noticed later would make the wait look short.
        began = time.monotonic()
        client.listen(Market("1"))
        assert client.wait_connected(seconds(5))
        assert time.monotonic() - began > 0.45


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(status: int, seconds: Seconds) -> None:
    with Peer(serve) as elsewhere:
        answer = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere.url}\r\n\r\n".encode()
        with Peer(refuse_with(answer)) as peer:
            with make_client(peer.url, connect_timeout=seconds(0.3)) as client:
                error = failure(client, seconds(5))
            assert len(peer.conversations) >= 1
        assert not elsewhere.conversations
    assert f"HTTP {status}" in str(error)
    assert "redirect" in str(error)


WRONG_ANSWERS = {
    "wrong accept": (
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: bm90IHRoZSByaWdodCBvbmU=\r\n\r\n"
        ),
        "the server's answer to the upgrade is wrong",
    ),
    "no accept": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "upgrade is wrong"),
    "header without a colon": (b"HTTP/1.1 101 X\r\nnonsense\r\n\r\n", "upgrade is wrong"),
    "header not UTF-8": (b"HTTP/1.1 101 X\r\nA: \xff\r\n\r\n", "upgrade is wrong"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", "is not HTTP: b'SSH-2.0"),
    "almost HTTP": (b"HTTP/1.1 abc\r\n\r\n", "is not HTTP"),
    "an empty head": (b"\r\n\r\n", "is not HTTP"),
    "nothing": (b"", "hung up without an answer"),
    "half a head": (b"HTTP/1.1 101 Switching", "hung up without an answer"),
    "a head without end": (b"HTTP/1.1 101 X\r\n" + b"A: b\r\n" * 50_000, "does not end"),
}


@pytest.mark.parametrize("answer", WRONG_ANSWERS)
def test_wrong_answer_is_named_and_tried_again(answer: str, seconds: Seconds) -> None:
    data, words = WRONG_ANSWERS[answer]
    with Peer(refuse_with(data)) as peer:
        with make_client(peer.url, connect_timeout=seconds(0.5)) as client:
            error = failure(client, seconds(5))
        assert len(peer.conversations) > 1
    assert re.search(words, str(error))


def test_another_protocol_is_noticed_at_once(seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        conversation.sock.sendall(b"220 mail.test ESMTP\r\n")
        conversation.hold()

    with Peer(script) as peer, make_client(peer.url, connect_timeout=None) as client:
        client.listen(Market("1"))
        peer.wait(lambda: len(peer.conversations) > 2, "another attempt")


def test_without_a_time_limit_it_is_tried_for_ever(seconds: Seconds) -> None:
    port = unused_port()
    with make_client(f"ws://127.0.0.1:{port}/x", connect_timeout=None) as client:
        stream = client.subscribe(Market("1"))
        eventually(lambda: health(client).attempts > 20)
        assert "refused" in (health(client).last_error or "")
        with Peer(serve, port=port):
            assert isinstance(stream.all().get(seconds(5)), Connected)
            client.close()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_after_a_first_success_no_status_is_final(status: int, seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        if 0 < conversation.number < 4:
            conversation.read_head()
            conversation.sock.sendall(f"HTTP/1.1 {status} No\r\n\r\n".encode())
            return
        conversation.accept()
        conversation.read()
        if conversation.number:
            conversation.read_on()

    with Peer(script) as peer, make_client(peer.url) as client:
        stream = client.subscribe(Market("1"))
        until(stream, lambda event: isinstance(event, Disconnected), seconds(5))
        connected = until(stream, lambda event: isinstance(event, Connected), seconds(5))[-1]
        assert connected.epoch == 2
        assert health(client).attempts == 5


def test_after_a_first_success_connect_timeout_ends_nothing(seconds: Seconds) -> None:
    peer, limit = Peer(serve, port=unused_port()), seconds(0.5)
    with peer, make_client(peer.url, connect_timeout=limit) as client:
        stream = client.subscribe(Market("1"))
        peer.wait_frames(1)
        peer.stop()
        until(stream, lambda event: isinstance(event, Disconnected), seconds(5))
        with pytest.raises(TimeoutError):
            stream.get(2 * limit)
        assert stream.end_reason is None


# -- liveness ------------------------------------------------------------------------------------


def test_first_frame_is_the_subscription_and_nothing_comes_before_it() -> None:
    with Peer(serve) as peer, make_client(peer.url) as client:
        client.listen(Market("1"))
        conversation = peer.wait_frames(1)
        assert json.loads(conversation.texts[0]) == {
            "type": "market",
            "assets_ids": ["1"],
            "custom_feature_enabled": False,
        }


def test_pings_are_answered_in_the_middle_of_a_fragmented_message(seconds: Seconds) -> None:
    text = trade(7)

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        conversation.sock.sendall(server_frame(text[:20], 1, final=False))
        for payload in (b"", b"\x00\xff" * 60, b"payload"):
            conversation.sock.sendall(server_frame(payload, 9))
            assert conversation.read() == (10, payload)
        conversation.sock.sendall(server_frame(text[20:], 0))
        conversation.read_on()

    with Peer(script) as peer, make_client(peer.url) as client:
        assert client.subscribe(Market("1")).get(seconds(5)).size == 7


def test_mute_server_is_left_for_a_new_connection(seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.hold()

    with Peer(script) as peer:
        with make_client(peer.url, liveness=Liveness(socket=0.5)) as client:
            began = time.monotonic()
            events = until(
                client.subscribe(Market("1")),
                lambda event: isinstance(event, Connected) and event.epoch == 2,
                seconds(5),
            )
            assert time.monotonic() - began > 0.5
    lost = next(event for event in events if isinstance(event, Disconnected))
    assert (lost.code, lost.reason) == (1006, "no frame of any kind for 0.5 s")


def test_message_that_takes_longer_than_silence_may_last_arrives(seconds: Seconds) -> None:
    limit = seconds(0.5)
    padding = "x" * 400_000
    pieces = 20

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        data = server_frame(trade(1, padding=padding))
        step = len(data) // pieces + 1
        for start in range(0, len(data), step):
            conversation.sock.sendall(data[start : start + step])
            conversation.peer.stopped.wait(2 * limit / pieces)
        conversation.read_on()

    with Peer(script) as peer:
        with make_client(peer.url, liveness=Liveness(socket=limit)) as client:
            stream = client.subscribe(Market("1", events=[LastTradePrice]))
            assert stream.get(timeout=10 * limit).size == 1
            assert stream.stats.disconnects == 0
        assert len(peer.conversations) == 1


def test_message_that_hardly_moves_is_silence(seconds: Seconds) -> None:
    limit = seconds(0.3)

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        for byte in server_frame(trade(1)):
            conversation.sock.sendall(bytes((byte,)))
            if conversation.peer.stopped.wait(limit / 10):
                return

    with Peer(script) as peer:
        with make_client(peer.url, liveness=Liveness(socket=limit)) as client:
            told = until(
                client.subscribe(Market("1")),
                lambda event: isinstance(event, Disconnected),
                10 * limit,
            )
    assert str(told[-1]).endswith(f"1006 no frame of any kind for {limit:g} s")


def test_any_frame_keeps_the_connection(seconds: Seconds) -> None:
    limit = seconds(0.75)

    def script(conversation: Conversation) -> None:
        conversation.accept()
        until = time.monotonic() + 2 * limit
        while time.monotonic() < until:
            conversation.sock.sendall(server_frame(b"", 10))
            conversation.peer.stopped.wait(limit / 15)
        conversation.send(trade(1))
        conversation.hold()

    with Peer(script) as peer:
        with make_client(peer.url, liveness=Liveness(socket=limit)) as client:
            events = until(client.subscribe(Market("1")), is_size(1), seconds(10))
    assert not any(isinstance(event, Disconnected) for event in events)


def test_peer_that_does_not_read_is_left_though_it_sends_at_full_rate(
    monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    monkeypatch.setattr(outgoing_module, "STALL_SECONDS", seconds(0.5))
    with sending(monkeypatch) as (client, _), client:
        stream = client.subscribe(Market("1"))
        events = until(stream, lambda event: isinstance(event, Disconnected), seconds(10))
    assert f"the peer took no byte for {seconds(0.5):g} s" in str(events[-1])


def test_pings_of_one_who_does_not_read_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with sending(monkeypatch) as (client, _), client:
        client.listen(Market("1"))
        limit = line_module._MOST_BYTES_BEFORE_PONG
        eventually(lambda: waiting_bytes(client) >= limit)
        connection = client._engine.connections()[0]
        heard = connection.health().last_frame_at
        eventually(lambda: connection.health().last_frame_at != heard)
        assert waiting_bytes(client) < limit + 200


def test_idle_connection_wakes_for_its_deadlines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []
    wait = Readiness.wait

    def counted(self: Readiness, *rest: Any, **options: Any) -> Any:
        waits.append(options["until"])
        return wait(self, *rest, **options)

    with Peer(serve) as peer, make_client(peer.url) as client:
        client.listen(Market("1"))
        peer.wait_frames(1)
        monkeypatch.setattr(Readiness, "wait", counted)
        peer.stopped.wait(2.0)
        # Those with which it comes to rest, if anything: a loop that looked around would have more.
        assert len(waits) <= 4
        monkeypatch.undo()


# -- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_messages_of_all_sizes_arrive_complete_over_tls(
    authority: trustme.CA, trusting: ssl.SSLContext, seconds: Seconds
) -> None:
    count = 5000
    paddings = {0: 300_000, 7: 20_000, 13: 16_384 - 300, 50: 1000}

    def message(number: int) -> bytes:
        size = next((paddings[at] for at in paddings if number % 100 == at), 0)
        return server_frame(trade(number, padding="x" * size))

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        batch = b""
        for number in range(count):
            batch += message(number)
            if number % 17 == 0:
                conversation.sock.sendall(batch)
                batch = b""
        conversation.sock.sendall(batch)
        conversation.read_on()

    with Peer(script, tls=server_context(authority)) as peer:
        with make_client(peer.url, ssl_context=trusting) as client:
            # The wire bytes of all of it are more than the default bound.
            stream = client.subscribe(Market("1"))
            received = [int(stream.get(seconds(20)).size or 0) for _ in range(count)]
    assert received == list(range(count))


def test_many_messages_in_one_tls_record_all_arrive_without_another_byte(
    authority: trustme.CA, trusting: ssl.SSLContext, seconds: Seconds
) -> None:
    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        conversation.sock.sendall(trades(range(60)))
        conversation.read_on()

    with Peer(script, tls=server_context(authority)) as peer:
        with make_client(peer.url, ssl_context=trusting) as client:
            assert until(client.subscribe(Market("1")), is_size(59), seconds(5))


@pytest.mark.parametrize("cut", ["rst", "fin", "close 1001", "half a frame, rst"])
def test_all_before_a_cut_is_delivered_over_tls(
    cut: str, authority: trustme.CA, trusting: ssl.SSLContext, seconds: Seconds
) -> None:
    end, code, _ = CUTS[cut]

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        if conversation.number:
            conversation.read_on()
        conversation.sock.sendall(trades(range(1, 101)))
        end(conversation)

    with Peer(script, tls=server_context(authority)) as peer:
        with make_client(peer.url, ssl_context=trusting) as client:
            stream = client.subscribe(Market("1"))
            events = until(stream, lambda event: isinstance(event, Disconnected), seconds(10))
            until(stream, lambda event: isinstance(event, Connected), seconds(10))
    assert sizes(events) == list(range(1, 101))
    assert isinstance(events[-1], Disconnected)
    assert events[-1].code == code


def test_unknown_authority_is_final_and_the_text_helps(
    authority: trustme.CA, seconds: Seconds
) -> None:
    with Peer(serve, tls=server_context(authority)) as peer, make_client(peer.url) as client:
        error = failure(client, seconds(5))
    assert "certificate does not verify" in str(error)
    assert "pass ssl_context=ssl.create_default_context(cafile=…)" in str(error)
    assert len(peer.conversations) == 1


def test_certificate_of_another_host_is_final(
    authority: trustme.CA, trusting: ssl.SSLContext, seconds: Seconds
) -> None:
    with Peer(serve, tls=server_context(authority, "elsewhere.test")) as peer:
        with make_client(peer.url, ssl_context=trusting) as client:
            error = failure(client, seconds(5))
        assert len(peer.conversations) == 1
    assert "not valid for '127.0.0.1'. Check the host in Endpoints" in str(error)


def test_server_without_tls_is_named(seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        conversation.sock.recv(1000)
        conversation.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Peer(script) as peer:
        url = peer.url.replace("ws:", "wss:")
        with make_client(url, connect_timeout=seconds(0.3)) as client:
            assert "the TLS handshake failed" in str(failure(client, seconds(5)))


# -- saying so -----------------------------------------------------------------------------------


def test_warnings_are_one_of_each_kind(caplog: pytest.LogCaptureFixture, seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        if conversation.number % 2:
            conversation.read_head()
            conversation.sock.sendall(b"HTTP/1.1 500 Oops\r\n\r\n")
        else:
            conversation.accept()
            conversation.read()
            conversation.send("nonsense")
            conversation.send("more nonsense")

    with caplog.at_level(logging.WARNING, "polymarket_ws"):
        with Peer(script) as peer, make_client(peer.url) as client:
            client.listen(Market("1"))
            peer.wait(lambda: len(peer.conversations) > 6)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    host = f"127.0.0.1:{peer.port}"
    assert said[0] == f"{host}: DecodeFailure market#1: neither a JSON event nor a known text"
    assert said[1].startswith(f"{host}: connection lost: 1006 ")
    assert said[2] == f"{host}: the server answered with HTTP 500"


def test_reason_of_a_server_begins_no_line_of_the_log(
    caplog: pytest.LogCaptureFixture, seconds: Seconds
) -> None:
    reason = "bye\nCRITICAL forged \x1b[31m"

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        conversation.sock.sendall(close_frame(4000, reason))
        conversation.read_on()

    with caplog.at_level(logging.WARNING, "polymarket_ws"):
        with Peer(script) as peer, make_client(peer.url) as client:
            events = client.subscribe(Market("1")).all()
            told = [events.get(seconds(5)) for _ in range(3)]
            lost = next(event for event in told if isinstance(event, Disconnected))
            words = client.health().last_error
    assert lost.reason == reason
    assert str(lost) == "Disconnected market#1: 4000 bye CRITICAL forged [31m"
    assert words == "4000 bye CRITICAL forged [31m"
    assert caplog.messages[0] == f"127.0.0.1:{peer.port}: connection lost: {words}"


def test_fault_of_our_own_ends_the_stream_with_its_cause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seconds: Seconds
) -> None:
    def fault(data: bytes) -> tuple[int, str]:
        raise ZeroDivisionError("invented")

    monkeypatch.setattr(line_module, "parse_close", fault)
    script = lambda conversation: say(close_frame(1000))(accepted(conversation))  # noqa: E731
    with Peer(script) as peer, make_client(peer.url) as client:
        with pytest.raises(ConnectionFailed, match="unexpected internal error") as raised:
            client.subscribe(Market("1")).get(seconds(5))
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert "unexpected internal error on connection 1" in caplog.text


def test_lifecycle_events_of_two_streams_name_their_own_assets(seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        conversation.accept()
        if conversation.number:
            conversation.read_on()
        while conversation.asset_ids != {"1", "2"}:
            conversation.read()

    with Peer(script) as peer, make_client(peer.url) as client:
        streams = {asset_id: client.subscribe(Market(asset_id)) for asset_id in ("1", "2")}
        for asset_id, stream in streams.items():
            events = until(
                stream,
                lambda event: isinstance(event, Connected) and event.epoch == 2,
                seconds(5),
            )
            told = [event for event in events if isinstance(event, Lifecycle)]
            assert {event.asset_ids for event in told} == {(asset_id,)}
            assert [event.epoch for event in told if isinstance(event, Connected)] == [1, 2]
