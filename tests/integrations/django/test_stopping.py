from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from polymarket_ws.integrations.django.stopping import Stopping
from tests.conftest import scaled

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM to send")

BEGIN = """
import threading, time
from polymarket_ws.integrations.django.stopping import Stopping
with Stopping() as stopping:
"""
END = """
print("asked" if stopping.asked else "not asked", threading.active_count())
"""


def ended(body: str, number: int = signal.SIGTERM) -> tuple[int, str, float]:
    """Signal a script that said it is ready; return its exit code, output, and seconds."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + lines + END],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        process.send_signal(number)
        try:
            process.wait(scaled(10))
        finally:
            process.kill()
        return process.returncode, process.stdout.read(), time.monotonic() - began


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_what_runs(number: int) -> None:
    # Not an Event: its set() needs the lock that the wait holds for a moment, which the signal
    # may interrupt.
    script = """
import queue
done = queue.SimpleQueue()
stopping.stop = lambda: done.put(None)
print("ready", flush=True)
done.get()
"""
    code, output, took = ended(script, number)
    assert (code, output) == (0, "asked 1\n")
    assert took < scaled(2)


def test_where_there_is_nothing_to_stop_the_block_is_interrupted() -> None:
    code, output, took = ended('print("ready", flush=True)\ntime.sleep(60)')
    assert (code, output) == (0, "asked 1\n")
    assert took < scaled(2)


def test_what_does_not_come_back_is_interrupted() -> None:
    script = """
stopping.stop = lambda: None
print("ready", flush=True)
time.sleep(60)
"""
    code, output, took = ended(script)
    assert (code, output) == (0, "what runs does not end: it is interrupted\nasked 1\n")
    assert took < 3 + scaled(2)


def test_a_second_signal_interrupts_at_once() -> None:
    script = """
import os, signal
stopping.stop = lambda: os.kill(os.getpid(), signal.SIGINT)
print("ready", flush=True)
time.sleep(60)
"""
    code, output, took = ended(script)
    assert (code, output) == (0, "asked 1\n")
    assert took < scaled(2)


def test_what_cannot_be_interrupted_ends_all_the_same() -> None:
    script = """
stopping.stop = lambda: None
print("ready", flush=True)
while True:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""
    code, output, took = ended(script)
    assert code == 1
    assert "cannot be interrupted" in output
    assert took < 4 + scaled(1)


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Stopping() as stopping:
        assert signal.getsignal(signal.SIGTERM) not in before
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert after == before
    assert not stopping.asked


def test_an_error_of_the_block_is_raised() -> None:
    with pytest.raises(ValueError, match="mine"):
        with Stopping():
            raise ValueError("mine")
    with pytest.raises(KeyboardInterrupt):
        with Stopping():
            # Nobody has asked for it.
            raise KeyboardInterrupt


def test_in_another_thread_nothing_is_changed() -> None:
    seen: list[object] = []

    def enter() -> None:
        before = signal.getsignal(signal.SIGTERM)
        with Stopping():
            seen.append(signal.getsignal(signal.SIGTERM) is before)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [True]
