"""What an exchange does by itself, each on a thread of its own until it is told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from polymarket_ws.simulator.client_session import ClientSession, Ending
from polymarket_ws.simulator.connection import text_frame
from polymarket_ws.simulator.pacing import Pacer

__all__ = ["end_idle", "keep_pace", "play"]


def keep_pace(move: Callable[[int], int], rate: float, stop: threading.Event) -> None:
    """Let the market move at its rate.

    Args:
        move: called with how many messages are due; returns how many it made, which may be a
            few more.
        rate: messages a second.
        stop: ends it.
    """
    pacer = Pacer(rate, time.monotonic())
    while not stop.is_set():
        due = pacer.due(time.monotonic())
        if due:
            pacer.sent(move(due))
        stop.wait(pacer.delay(time.monotonic()))


def play(session: ClientSession, texts: Sequence[str], rate: float | None) -> None:
    """Send one client a recording.

    Args:
        session: the client; its end ends it.
        texts: one frame each.
        rate: messages a second; None is as fast as the client reads.
    """
    frames = [text_frame(text) for text in texts]
    if rate is None:
        for frame in frames:
            if not session.put([frame], timeout=None):
                break
        return
    pacer = Pacer(rate, time.monotonic())
    position = 0
    while position < len(frames):
        due = frames[position : position + pacer.due(time.monotonic())]
        session.put(due)
        pacer.sent(len(due))
        position += len(due)
        if session.wait_ending(pacer.delay(time.monotonic())):
            return


def end_idle(
    sessions: Callable[[], Sequence[ClientSession]], limit: float, stop: threading.Event
) -> None:
    """End connections on which nothing comes and goes: by TCP, without a close frame.

    Args:
        sessions: asked for the clients that are connected.
        limit: seconds without a frame in either direction.
        stop: ends it.
    """
    delay = limit
    while not stop.wait(delay):
        now = time.monotonic()
        delay = limit
        for session in sessions():
            left = session.last_traffic + limit - now
            if left > 0:
                delay = min(delay, left)
            else:
                session.end(Ending("fin"))
