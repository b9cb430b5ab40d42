from __future__ import annotations

from polymarket_ws.protocol.heartbeat import TextPing


def test_nothing_is_sent_before_the_start() -> None:
    ping = TextPing(10.0)
    assert ping.deadline is None
    assert ping.beat(1e9) is None


def test_the_first_ping_comes_an_interval_after_the_start() -> None:
    ping = TextPing(10.0)
    ping.started(100.0)
    assert ping.deadline == 110.0
    assert ping.beat(109.999) is None
    assert ping.beat(110.0) == "PING"


def test_the_interval_can_only_become_shorter() -> None:
    ping = TextPing(10.0)
    ping.keep_within(4.0)
    ping.keep_within(20.0)
    ping.started(0.0)
    assert ping.deadline == 4.0
    assert ping.beat(4.0) == "PING"
    assert ping.deadline == 8.0


def test_a_late_ping_is_not_made_up_for() -> None:
    ping = TextPing(10.0)
    ping.started(0.0)
    assert ping.beat(35.0) == "PING"
    assert ping.beat(35.0) is None
    assert ping.deadline == 45.0


def test_a_second_start_does_not_put_the_ping_off() -> None:
    ping = TextPing(10.0)
    ping.started(0.0)
    ping.started(9.0)
    assert ping.deadline == 10.0


def test_nothing_is_sent_after_the_stop() -> None:
    ping = TextPing(10.0)
    ping.started(0.0)
    ping.stopped()
    assert ping.deadline is None
    assert ping.beat(1e9) is None


def test_it_starts_anew_after_the_stop() -> None:
    ping = TextPing(10.0, "ping")
    ping.started(0.0)
    ping.stopped()
    ping.started(50.0)
    assert ping.beat(59.0) is None
    assert ping.beat(60.0) == "ping"
