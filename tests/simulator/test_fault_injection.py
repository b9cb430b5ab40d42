from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidHandshake, InvalidStatus

from polymarket_ws import (
    Book,
    Connected,
    ConnectionFailed,
    DecodeFailure,
    Disconnected,
    PriceChange,
    UnknownEvent,
    UsageError,
)
from polymarket_ws.simulator import (
    At,
    BadFrame,
    Close,
    Cut,
    Deaf,
    DripHandshake,
    Duplicate,
    Exchange,
    Freeze,
    Garbage,
    HalfOpen,
    InvalidUtf8,
    Latency,
    Lose,
    Mute,
    NoAnswer,
    NoBooks,
    Oversized,
    Redirect,
    Refuse,
    Sent,
    SlowDown,
    Stall,
    Unknown,
    WrongHandshake,
)
from polymarket_ws.simulator.faults import Fault
from tests.conftest import scaled
from tests.simulator.breaking import (
    ACCEPT,
    eventually,
    exactly,
    frame,
    head,
    is_silent,
    line,
    listening,
    say,
)
from tests.simulator.clients import (
    joined,
    subscribed,
    text,
    to_the_end,
    tokens,
    until_pong,
    value,
)
from tests.simulator.user_clients import user


def subscribe(asset_ids: list[str]) -> str:
    return json.dumps({"type": "market", "assets_ids": asset_ids})


# -- what lasts -------------------------------------------------------------------------


def test_a_muted_connection_says_nothing_and_stays() -> None:
    with Exchange(rate=None) as exchange, line(exchange.url) as client:
        head(client)
        say(client, subscribe(tokens(exchange)))
        frame(client)
        exchange.inject(Mute())
        exchange.step(5)
        # Silence has its turn behind what is queued, and the answer to a ping waits for nothing.
        (session,) = exchange._channel.sessions
        eventually(lambda: session.connection.line.muted)
        # The text last: what was heard is known of it alone.
        client.sendall(b"\x89\x80" + bytes(4))
        say(client, "PING")
        assert exchange.wait_for(lambda: len(exchange.received) == 2, scaled(5))
        assert is_silent(client)
        exchange.heal()
        say(client, "PING")
        assert frame(client) == (0x81, b"PONG")


def test_the_client_gives_a_muted_connection_up() -> None:
    with Exchange(rate=100, faults=[At(Mute(), connection=1, messages=5)]) as exchange:
        with listening(exchange, socket_limit=scaled(0.5)) as watched:
            lost = watched.disconnected()
            assert lost.code == 1006
            assert "no frame of any kind" in lost.reason
            watched.until(Book)


def test_what_was_queued_before_a_mute_is_still_sent() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        for number in range(2000):
            exchange.broadcast(f"{number}")
        exchange.inject(Mute())
        exchange.broadcast("after")
        assert [text(client) for _ in range(2000)] == [f"{number}" for number in range(2000)]
        exchange.heal()
        assert until_pong(client) == []


def test_a_half_open_connection_ends_for_the_exchange_only() -> None:
    with Exchange(rate=None) as exchange, line(exchange.url) as client:
        head(client)
        assert exchange.wait_for(lambda: exchange.connections, scaled(5))
        exchange.inject(HalfOpen())
        say(client, subscribe(tokens(exchange)))
        say(client, "PING")
        assert is_silent(client)
        assert exchange.received == ()
        exchange.heal()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_the_client_gives_a_half_open_connection_up() -> None:
    with Exchange(rate=100, faults=[At(HalfOpen(), connection=1, messages=3)]) as exchange:
        with listening(exchange, socket_limit=scaled(0.5)) as watched:
            assert watched.disconnected().code == 1006
            watched.until(Book)


def test_a_stalled_frame_goes_on_when_it_is_healed() -> None:
    with Exchange(rate=None) as exchange, line(exchange.url) as client:
        head(client)
        assert exchange.wait_for(lambda: exchange.connections, scaled(5))
        exchange.inject(Stall())
        begun = exactly(client, 100)
        assert begun[:1] == b"\x81"
        assert is_silent(client)
        exchange.heal()
        whole = begun + exactly(client, int.from_bytes(begun[2:4], "big") + 4 - 100)
        assert json.loads(whole[4:])["event_type"] == "stalled"


def test_the_client_gives_a_stalled_frame_up() -> None:
    with Exchange(rate=100, faults=[At(Stall(), connection=1, messages=3)]) as exchange:
        with listening(exchange, socket_limit=scaled(0.5)) as watched:
            assert watched.disconnected().code == 1006
            watched.until(Book)


def test_the_deaf_hear_afterwards_what_was_said() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.inject(Deaf())
        client.send("PING")
        exchange.broadcast("still told")
        assert text(client) == "still told"
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.2)
        assert len(exchange.received) == 1
        exchange.heal()
        assert text(client) == "PONG"


def test_the_deaf_do_not_even_notice_an_end() -> None:
    with Exchange(rate=None) as exchange:
        with subscribed(exchange) as client:
            text(client)
            exchange.inject(Deaf())
            client.socket.shutdown(socket.SHUT_RDWR)
        assert not exchange.wait_for(lambda: not exchange.connections, 0.2)
        exchange.heal()
        assert exchange.wait_for(lambda: not exchange.connections, scaled(5))


def test_a_deaf_exchange_fills_what_a_client_can_write() -> None:
    with Exchange(rate=None) as exchange, line(exchange.url) as client:
        head(client)
        assert exchange.wait_for(lambda: exchange.connections, scaled(5))
        exchange.inject(Deaf())
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.sendall(b"\x82\xff" + (2**26).to_bytes(8, "big") + bytes(4 + 2**26))


def test_a_frozen_asset_is_left_out_of_everything() -> None:
    with Exchange(rate=None, seed=3) as exchange:
        frozen, other = exchange.markets[0].asset_ids
        with subscribed(exchange, [frozen, other]) as client:
            text(client)
            exchange.inject(Freeze(frozen))
            script = exchange.market()
            script.place("Yes", "BUY", "0.01", 40)
            script.trade("Yes", "BUY", "0.62", 40)
            texts = until_pong(client)
            assert texts
            assert all(frozen not in told for told in texts)
            changes = [json.loads(told).get("price_changes") for told in texts]
            assert [c["asset_id"] for c in next(filter(None, changes))] == [other]
            client.send(subscribe_more([frozen]))
            exchange.heal()
            script.place("Yes", "BUY", "0.02", 40)
            assert any(frozen in told for told in until_pong(client))


def subscribe_more(asset_ids: list[str]) -> str:
    return json.dumps({"operation": "subscribe", "assets_ids": asset_ids})


def test_a_frozen_asset_has_no_opening_book() -> None:
    with Exchange(rate=None) as exchange:
        frozen, other = exchange.markets[0].asset_ids
        with listening_to_frozen(exchange, frozen) as client:
            assert [book["asset_id"] for book in value(client)] == [other]


@contextlib.contextmanager
def listening_to_frozen(exchange: Exchange, frozen: str) -> Any:
    exchange.inject(At(Freeze(frozen)))
    with subscribed(exchange, exchange.markets[0].asset_ids) as client:
        yield client


def test_without_books_there_is_no_answer_and_all_else_is_as_usual() -> None:
    with Exchange(rate=None, faults=[NoBooks()]) as exchange, subscribed(exchange) as client:
        assert until_pong(client) == []
        exchange.step()
        assert until_pong(client)


def test_the_books_of_some_can_be_left_out() -> None:
    with Exchange(rate=None) as exchange:
        first, second = exchange.markets[0].asset_ids
        exchange.inject(At(NoBooks(first)))
        with subscribed(exchange, [first, second]) as client:
            assert [book["asset_id"] for book in value(client)] == [second]
        with subscribed(exchange, [first]) as client:
            assert text(client) == "[]\n"


def test_the_client_asks_again_for_a_book_that_does_not_come() -> None:
    with Exchange(rate=None, faults=[At(NoBooks(), lasting=scaled(0.3))]) as exchange:
        with listening(exchange) as watched:
            watched.until(Connected)
            assert exchange.wait_for(lambda: exchange.subscribed, scaled(5))
            exchange.heal()
            exchange.drop("reset")
            watched.until(Book)


def test_each_message_comes_twice() -> None:
    sent: list[Sent] = []
    with Exchange(rate=None, faults=[Duplicate()], tap=sent.append) as exchange:
        with subscribed(exchange) as client:
            assert text(client) == text(client)
            exchange.broadcast("twice")
            assert until_pong(client) == ["twice", "twice"]
    assert [one.kind for one in sent] == ["data", "duplicate"] * 2


def test_messages_of_a_type_are_lost() -> None:
    with Exchange(rate=None, faults=[Lose("last_trade_price")]) as exchange:
        with subscribed(exchange) as client:
            text(client)
            exchange.market().trade("Yes", "BUY", "0.62", 40)
            texts = until_pong(client)
            assert texts
            assert not any("last_trade_price" in told for told in texts)


def test_latency_delays_everything_and_keeps_the_order() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.inject(Latency(0.3))
        started = time.monotonic()
        for number in range(50):
            exchange.broadcast(f"{number}")
        assert until_pong(client) == [f"{number}" for number in range(50)]
        assert time.monotonic() - started >= 0.3


def test_healed_latency_lets_go_of_what_it_holds() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.inject(Latency(3600))
        exchange.broadcast("held")
        exchange.heal()
        exchange.broadcast("not held")
        assert [text(client), text(client)] == ["held", "not held"]


def test_a_slow_line_takes_its_time() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.inject(SlowDown(10_000))
        started = time.monotonic()
        exchange.broadcast("x" * 3000)
        assert len(text(client)) == 3000
        assert time.monotonic() - started >= 0.2
        exchange.inject(SlowDown(1))
        exchange.broadcast("y" * 3000)
        exchange.heal()
        assert len(text(client)) == 3000


# -- what is sent once ------------------------------------------------------------------


def test_garbage_is_two_frames_that_are_no_json() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.inject(Garbage())
        for told in until_pong(client):
            with pytest.raises(ValueError, match=r"."):
                json.loads(told)


def test_the_client_lives_through_garbage_and_the_unknown() -> None:
    with Exchange(rate=None) as exchange, listening(exchange) as watched:
        watched.until(Book)
        exchange.inject(Garbage())
        for _ in range(2):
            watched.until(DecodeFailure)
        exchange.inject(Unknown("prophecy"))
        unknown = watched.until(UnknownEvent)
        assert isinstance(unknown, UnknownEvent)
        assert unknown.event_type == "prophecy"
        assert not any(isinstance(event, Disconnected) for event in watched.seen)


@pytest.mark.parametrize(
    ("fault", "code"), [(BadFrame(), 1002), (InvalidUtf8(), 1007), (Oversized(), 1009)]
)
def test_the_client_tells_a_broken_protocol_and_comes_back(fault: Fault, code: int) -> None:
    with Exchange(rate=None) as exchange, listening(exchange) as watched:
        watched.until(Book)
        exchange.inject(fault)
        watched.until(DecodeFailure)
        assert watched.disconnected().code == code
        watched.until(Connected)
        watched.until(Book)


@pytest.mark.parametrize(
    ("fault", "code"), [(BadFrame(), 1002), (InvalidUtf8(), 1007), (Oversized(), 1009)]
)
def test_another_client_sees_a_broken_protocol_too(fault: Fault, code: int) -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.inject(fault)
        _, closed = to_the_end(client)
        assert closed.sent is not None
        assert closed.sent.code == code


def test_a_client_that_takes_it_gets_the_oversized_message_whole() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.inject(Oversized(1000))
        assert len(text(client)) == 1000


# -- ends -------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Deaf(), HalfOpen()], ids=["deaf", "half-open"])
def test_who_does_not_hear_from_the_beginning_hears_no_subscription(fault: Fault) -> None:
    for _ in range(3):
        with Exchange(rate=None, faults=[fault]) as exchange, subscribed(exchange) as client:
            assert exchange.wait_for(lambda: exchange.connections, scaled(5))
            exchange.broadcast("sync")
            if fault == Deaf():
                assert text(client) == "sync"
            assert exchange.received == ()


@pytest.mark.parametrize("how", ["reset", "fin", "half_frame"])
def test_a_cut_ends_without_a_close_frame(how: Any) -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.inject(Cut(how))
        _, closed = to_the_end(client)
        assert closed.rcvd is None


@pytest.mark.parametrize("how", ["reset", "fin", "half_frame"])
def test_the_client_calls_a_cut_1006(how: Any) -> None:
    with Exchange(rate=50, faults=[At(Cut(how), connection=1, messages=5)]) as exchange:
        with listening(exchange) as watched:
            assert watched.disconnected().code == 1006
            watched.until(Book)


@pytest.mark.parametrize("code", [1000, 1001, 1012, 1013, 4000])
def test_a_close_has_its_code_and_reason(code: int) -> None:
    faults = [At(Close(code, "as told"), connection=1, messages=1)]
    with Exchange(rate=None, faults=faults) as exchange:
        with subscribed(exchange) as client:
            _, closed = to_the_end(client)
            assert closed.rcvd is not None
            assert (closed.rcvd.code, closed.rcvd.reason) == (code, "as told")
    faults = [At(Close(code, "as told"), connection=1, messages=1)]
    with Exchange(rate=None, faults=faults) as exchange, listening(exchange) as watched:
        lost = watched.disconnected()
        assert (lost.code, lost.reason) == (code, "as told")


# -- upgrades ---------------------------------------------------------------------------


def test_a_refusal_has_its_status_and_retry_after() -> None:
    with Exchange(rate=None) as exchange:
        exchange.inject(Refuse(429, retry_after=1.5))
        for _ in range(2):
            with pytest.raises(InvalidStatus) as caught, joined(exchange):
                pass
            assert caught.value.response.status_code == 429
            assert caught.value.response.headers["Retry-After"] == "2"
        exchange.heal()
        with subscribed(exchange) as client:
            text(client)
            # Upgrades count that never became a connection.
            assert [connection.number for connection in exchange.connections] == [3]


def test_the_client_waits_as_long_as_it_is_told_to() -> None:
    with Exchange(rate=None, faults=[At(Refuse(429, 1), connection=1)]) as exchange:
        started = time.monotonic()
        with listening(exchange) as watched:
            watched.until(Book)
            assert time.monotonic() - started >= 0.9


def test_the_client_takes_a_first_403_for_final() -> None:
    with Exchange(rate=None, faults=[At(Refuse(403))]) as exchange:
        with listening(exchange) as watched, pytest.raises(ConnectionFailed, match="403"):
            watched.until(Book)


def test_a_wrong_handshake_has_another_accept() -> None:
    with Exchange(rate=None, faults=[At(WrongHandshake(), connection=1)]) as exchange:
        with pytest.raises(InvalidHandshake), joined(exchange):
            pass
        assert exchange.connections == ()
        with listening(exchange) as watched:
            watched.until(Book)


def test_the_client_tries_again_after_a_wrong_handshake() -> None:
    with Exchange(rate=None, faults=[At(WrongHandshake(), connection=1)]) as exchange:
        with listening(exchange) as watched:
            watched.until(Book)
            assert [connection.number for connection in exchange.connections] == [2]


def test_a_dripped_handshake_is_right_in_the_end() -> None:
    with Exchange(rate=None, faults=[DripHandshake(0.002)]) as exchange:
        # Before it is asked for: some of it may have come when the test goes on after that.
        started = time.monotonic()
        with line(exchange.url) as client:
            assert ACCEPT in head(client)
            assert time.monotonic() - started >= 0.2
            say(client, subscribe(tokens(exchange)))
            assert frame(client)[0] == 0x81
        with listening(exchange) as watched:
            watched.until(Book)


def test_an_upgrade_without_an_answer_stays_open() -> None:
    with Exchange(rate=None, faults=[At(NoAnswer(), connection=1)]) as exchange:
        with line(exchange.url) as client:
            assert is_silent(client)
            assert exchange.connections == ()


def test_a_redirect_leads_elsewhere_and_the_client_does_not_follow() -> None:
    with Exchange(rate=None) as other, Exchange(rate=None) as exchange:
        exchange.inject(At(Redirect(f"{other.url}/ws/market"), connection=1))
        with line(exchange.url) as client:
            answer = head(client)
        assert answer.startswith(b"HTTP/1.1 302 ")
        assert f"Location: {other.url}/ws/market".encode() in answer
        exchange.inject(At(Redirect(f"{other.url}/ws/market"), connection=2))
        with listening(exchange) as watched:
            watched.until(Book)
        assert other.received == ()


# -- when -------------------------------------------------------------------------------


def test_a_script_says_which_connection_and_after_how_many_messages() -> None:
    faults = [At(Cut("fin"), every=2, messages=3)]
    with Exchange(rate=None, faults=faults) as exchange:
        for number in range(1, 5):
            with subscribed(exchange) as client:
                text(client)
                assert exchange.connections[-1].number == number
                for _ in range(5):
                    exchange.broadcast("one")
                if number % 2:
                    assert until_pong(client) == ["one"] * 5
                else:
                    assert to_the_end(client)[0] == ["one"] * 2


def test_seconds_count_from_the_subscription() -> None:
    with Exchange(rate=None, faults=[At(Cut("fin"), seconds=0.2)]) as exchange:
        with joined(exchange) as client:
            with pytest.raises(TimeoutError):
                client.recv(timeout=0.4)
            started = time.monotonic()
            client.send(subscribe(tokens(exchange)))
            texts, _ = to_the_end(client)
            assert len(texts) == 1
            assert time.monotonic() - started >= 0.2


def test_what_lasts_can_last_for_a_while() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        # As long as a test may be held up before what it says next.
        exchange.inject(Mute(), lasting=scaled(0.5))
        exchange.broadcast("unheard")
        pause = time.monotonic() + scaled(5)
        while time.monotonic() < pause:
            exchange.broadcast("heard")
            with contextlib.suppress(TimeoutError):
                assert client.recv(timeout=0.05) == "heard"
                break
        else:
            pytest.fail("it is mute for ever")


def test_refusals_can_last_for_a_while() -> None:
    with Exchange(rate=None) as exchange:
        exchange.inject(Refuse(503), lasting=scaled(0.5))
        with pytest.raises(InvalidStatus), joined(exchange):
            pass
        with listening(exchange) as watched:
            watched.until(Book)


def test_one_connection_can_be_chosen() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as one:
        text(one)
        with subscribed(exchange) as other:
            text(other)
            exchange.inject(Mute(), exchange.connections[1])
            exchange.broadcast("hello")
            assert until_pong(one) == ["hello"]
            with pytest.raises(TimeoutError):
                other.recv(timeout=0.2)
            with pytest.raises(UsageError, match="number 9"):
                exchange.inject(Mute(), 9)


def test_the_user_channel_has_faults_as_well_and_numbers_of_its_own() -> None:
    faults = [At(Garbage("noise"), channel="user", connection=1)]
    with Exchange(rate=None, faults=faults) as exchange, subscribed(exchange) as market:
        text(market)
        with user(exchange) as client:
            assert until_pong(client) == ["noise"]
            exchange.inject(Close(1012, "bye"), 2)
            _, closed = to_the_end(client)
            assert closed.rcvd is not None
            assert closed.rcvd.code == 1012
        assert until_pong(market) == []


def test_a_recording_can_be_broken_too(tmp_path: Path) -> None:
    lines = [json.dumps({"kind": "recv", "text": f"text {number}"}) for number in range(20)]
    recording = tmp_path / "recording.jsonl"
    recording.write_text("\n".join(lines), encoding="utf-8")
    sent: list[Sent] = []
    faults = [At(Close(1012), connection=1, messages=5)]
    exchange = Exchange(rate=None, recording=recording, faults=faults, tap=sent.append)
    with exchange, subscribed(exchange, ["1"]) as client:
        texts, closed = to_the_end(client)
        assert texts == [f"text {number}" for number in range(5)]
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1012
        assert [one.text for one in sent] == texts


def test_healing_makes_everything_normal() -> None:
    faults: list[Fault] = [Mute(), Deaf(), Latency(60), NoBooks(), Duplicate()]
    with Exchange(rate=None, faults=faults) as exchange, subscribed(exchange) as client:
        assert exchange.wait_for(lambda: exchange.connections, scaled(5))
        exchange.inject(Refuse(503))
        exchange.heal()
        assert len(value(client)) == 4
        exchange.broadcast("one")
        assert until_pong(client) == ["one"]
        with subscribed(exchange) as second:
            assert len(value(second)) == 4


# -- the tap ----------------------------------------------------------------------------


def test_the_tap_tells_exactly_what_is_sent() -> None:
    sent: list[Sent] = []
    with Exchange(rate=None, seed=5, tap=sent.append) as exchange:
        with subscribed(exchange) as one, subscribed(exchange) as other:
            seen = {1: [text(one)], 2: [text(other)]}
            exchange.step(200)
            exchange.inject(Unknown(), 1)
            exchange.inject(Freeze(tokens(exchange)[0]), 2)
            exchange.step(200)
            seen[1] += until_pong(one)
            seen[2] += until_pong(other)
    for number, texts in seen.items():
        assert [told.text for told in sent if told.connection == number] == texts
    assert [told.kind for told in sent if "surprise" in told.text] == ["intrusion"]


def test_the_tap_costs_no_order_under_load() -> None:
    sent: list[Sent] = []
    with Exchange(rate=2000, seed=5, tap=sent.append) as exchange:
        with subscribed(exchange) as client:
            texts = [text(client) for _ in range(1000)]
    assert [told.text for told in sent][:1000] == texts


def test_bytes_of_faults_are_tapped_as_text() -> None:
    sent: list[Sent] = []
    with Exchange(rate=None, tap=sent.append) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.inject(InvalidUtf8())
        assert sent[-1].kind == "intrusion"
        assert "\\xff" in sent[-1].text


# -- closing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Mute(),
        HalfOpen(),
        Stall(),
        Deaf(),
        Latency(3600),
        SlowDown(1),
        DripHandshake(3600),
        NoAnswer(),
        WrongHandshake(),
        Oversized(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_closing_is_quick_with_any_fault_in_force(fault: Fault) -> None:
    with Exchange(rate=None, faults=[fault]) as exchange, line(exchange.url) as client:
        say(client, subscribe(tokens(exchange)))
        exchange.wait_for(lambda: exchange.subscribed, 0.2)
        exchange.step(3)
        started = time.monotonic()
        assert exchange.close(timeout=scaled(2))
        assert time.monotonic() - started < scaled(2)


def test_an_exchange_that_comes_back_still_has_its_script() -> None:
    exchange = Exchange(rate=None, faults=[At(Cut(), every=2)])
    for _ in range(2):
        with exchange:
            with subscribed(exchange) as client:
                text(client)
            with joined(exchange) as client:
                to_the_end(client)


# -- what makes no sense ----------------------------------------------------------------


def test_what_is_for_upgrades_takes_no_connection() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange):
        with pytest.raises(UsageError, match="upgrades to come"):
            exchange.inject(Refuse(), 1)
        with pytest.raises(UsageError, match="lasting"):
            exchange.inject(Garbage(), lasting=1)
        with pytest.raises(UsageError, match="Mute"):
            exchange.inject("mute")  # type: ignore[arg-type]


def test_the_client_sees_the_other_half_of_a_frozen_change() -> None:
    with Exchange(rate=None) as exchange, listening(exchange) as watched:
        watched.until(Book)
        frozen = exchange.markets[0].asset_ids[0]
        exchange.inject(Freeze(frozen))
        exchange.market().place("Yes", "BUY", "0.01", 40)
        change = watched.until(PriceChange)
        assert isinstance(change, PriceChange)
        assert [one.asset_id for one in change.price_changes] == [exchange.markets[0].asset_ids[1]]
