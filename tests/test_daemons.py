from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from polymarket_ws import daemons
from polymarket_ws.daemons import start_daemon, starting
from tests.conftest import scaled


def run(script: str) -> subprocess.CompletedProcess[str]:
    # -X dev: memory that was freed and is used all the same is filled, which shows.
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", script],
        capture_output=True,
        text=True,
        timeout=scaled(60),
        check=False,
    )


RESTLESS = """
import threading, time
from polymarket_ws.daemons import start_or_end

def restless():
    while True:
        start_or_end(threading.Thread(target=int, daemon=True))

for _ in range(3):
    threading.Thread(target=restless, daemon=True).start()
time.sleep(0.05)
"""


def test_a_process_exits_while_its_daemons_start_others() -> None:
    # On a busy machine half of them crashed on Python 3.10, and one of fifty on 3.13.
    for _ in range(20):
        done = run(RESTLESS)
        assert (done.returncode, done.stderr) == (0, "")


AT_EXIT = """
import atexit, threading

def last():
    thread = threading.Thread(target=print, args=("started",), daemon=True)
    start_daemon(thread)
    thread.join()

# Before the import, so that it is called after the gate is shut.
atexit.register(last)
from polymarket_ws.daemons import start_daemon
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python itself starts none at exit")
def test_the_main_thread_still_starts_some_at_exit() -> None:
    done = run(AT_EXIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "started\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_starts_some_though_another_thread_was_just_starting_one(
    seconds: Callable[[float], float],
) -> None:
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with starting():
            held.set()
            forked.wait(seconds(20))

    holding = threading.Thread(target=hold)
    holding.start()
    assert held.wait(seconds(20))
    pid = os.fork()
    if not pid:
        code = 1
        try:
            # Tried and not waited for: else a child that hangs would stay.
            if daemons._gate.lock.acquire(blocking=False):
                thread = threading.Thread(target=int, daemon=True)
                start_daemon(thread)
                thread.join()
                code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    forked.set()
    holding.join()
    assert os.waitstatus_to_exitcode(status) == 0
