from __future__ import annotations

import threading
import time
from collections.abc import Callable

from polymarket_ws.integrations.sse.board import Board
from polymarket_ws.integrations.sse.browser import Browser
from polymarket_ws.integrations.sse.ring import Frame, Ring
from tests.integrations.sse.wire import MARKET


def test_wait_ends_when_it_is_woken_and_not_before(seconds: Callable[[float], float]) -> None:
    browser = Browser((), user=False, cursor=0)
    began = time.monotonic()
    assert not browser.wait(0.05)
    assert time.monotonic() - began >= 0.05
    waker = threading.Thread(target=browser.wake)
    waker.start()
    assert browser.wait(seconds(10))
    waker.join()


def test_waking_many_times_is_waking_once() -> None:
    browser = Browser((), user=False, cursor=0)
    for _ in range(1000):
        browser.wake()
    assert browser.wait(0)
    assert not browser.wait(0)
    browser.wake()
    assert browser.wait(0)


def test_a_browser_shows_the_tokens_of_its_markets() -> None:
    browser = Browser([Board(MARKET, since=0)], user=False, cursor=0)
    assert browser.assets == {"111", "222"}


def test_what_went_before_it_was_read_is_counted_once() -> None:
    ring = Ring(most_frames=2, most_bytes=1000, since=0)
    browser = Browser((), user=False, cursor=0)
    browser.read[ring] = ring.total
    for number in range(1, 6):
        ring.put(Frame(number, b"", b""))
    assert browser.missed(ring) == 3
    assert browser.missed(ring) == 0
    for number in range(6, 9):
        ring.put(Frame(number, b"", b""))
    assert browser.missed(ring) == 1


def test_whoever_reads_without_waiting_is_rung_once_until_it_has_heard() -> None:
    rung: list[bool] = []
    browser = Browser((), user=False, cursor=0, ring=lambda: rung.append(True))
    for _ in range(10):
        browser.wake()
    assert rung == [True]
    browser.heard()
    browser.wake()
    assert rung == [True, True]
