"""gunicorn as people run it: four workers of each kind, with and without ``--preload``."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.event_stream import Tab
from tests.ports import unused_port

for needed in ("flask", "gunicorn"):
    pytest.importorskip(needed, reason=f"{needed} is not installed: the extra test has it")

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 4

pytestmark = pytest.mark.slow

APP = """\
import os

from flask import Flask

from polymarket_ws.integrations.flask import PolymarketWS

app = Flask(__name__)
app.config["POLYMARKET_ENDPOINTS"] = os.environ["EXCHANGE"]
PolymarketWS(app)
"""


@contextlib.contextmanager
def gunicorn(
    exchange: Exchange, folder: Path, *options: str
) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """Run it while the block lasts; yield the site's URL, the process, and its log."""
    (folder / "application.py").write_text(APP, encoding="utf-8")
    port = unused_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS)]
    command += ["--bind", f"127.0.0.1:{port}", *options, "application:app"]
    log = folder / "log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "EXCHANGE": exchange.url, "PYTHONPATH": str(ROOT)},
            stderr=stderr,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}/polymarket", process, log
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def asked(url: str) -> int | None:
    """Return which process answers for its health; ``None`` where nothing listens."""
    connection = http.client.HTTPConnection(
        url.removeprefix("http://").partition("/")[0], timeout=scaled(20)
    )
    try:
        connection.request("GET", "/polymarket/health")
        process = json.loads(connection.getresponse().read())["process"]
        assert isinstance(process, int)
        return process
    except ConnectionError:
        return None
    finally:
        connection.close()


def wait_for_all(url: str) -> set[int]:
    found: set[int | None] = set()
    pause = threading.Event()
    deadline = time.monotonic() + scaled(40)
    while len(found - {None}) < WORKERS and time.monotonic() < deadline:
        # Several at once: one alone would be taken by the same idle worker again and again.
        threads = [threading.Thread(target=lambda: found.add(asked(url))) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pause.wait(0.05)
    return {process for process in found if process is not None}


@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_each_worker_serves_events_over_one_connection_and_stops_at_once(
    kind: str, preload: bool, tmp_path: Path
) -> None:
    if kind == "gevent":
        pytest.importorskip("gevent", reason="gevent is not installed: the extra test has it")
    options = ["--worker-class", kind, *(["--preload"] if preload else [])]
    if kind == "gthread":
        # As many browsers as threads: what a worker has accepted no other one takes.
        options += ["--threads", "200"]
    with (
        Exchange(rate=100, markets=1) as exchange,
        gunicorn(exchange, tmp_path, *options) as (url, process, log),
        contextlib.ExitStack() as stack,
    ):
        workers = wait_for_all(url)
        assert len(workers) == WORKERS, log.read_text(encoding="utf-8")
        # Nobody watches, so nothing is connected: not by the parent either.
        assert exchange.connections == ()
        slug = exchange.markets[0].slug
        tabs = []
        seen: set[str] = set()
        deadline = time.monotonic() + scaled(40)
        # A sync worker serves one at a time, and its system tells no other where it is idle:
        # so many until each of the four has one. The id tells the process.
        while len(seen) < WORKERS:
            tab = stack.enter_context(Tab(f"{url}/events", slug))
            tab.until(lambda message: message.body.get("state") == "live")
            instance = tab.parser.last_event_id.partition("-")[0]
            if instance in seen:
                # One a worker is enough: more would fill the threads of the one that is quick.
                tab.close()
            else:
                tabs.append(tab)
            seen.add(instance)
            assert time.monotonic() < deadline, seen
        assert len(exchange.connections) == WORKERS
        assert exchange.subscribed == set(exchange.markets[0].asset_ids)
        began = time.monotonic()
        process.terminate()
        readers = [threading.Thread(target=tab.rest) for tab in tabs]
        for reader in readers:
            reader.start()
        # gunicorn itself looks once a second; its grace would be 30.
        assert process.wait(scaled(10)) == 0
        assert time.monotonic() - began < scaled(8)
        for reader in readers:
            reader.join()
        assert [tab.messages[-1].kind for tab in tabs] == ["ws-unsubscribed"] * len(tabs)
        assert exchange.wait_for(lambda: not exchange.connections, scaled(5))
        said = log.read_text(encoding="utf-8")
        for trouble in ("Traceback", "[ERROR]", "[CRITICAL]", "[WARNING]"):
            assert trouble not in said, said


def test_a_sync_worker_gives_way_before_it_is_taken_for_hung(tmp_path: Path) -> None:
    with (
        Exchange(rate=20, markets=1) as exchange,
        gunicorn(exchange, tmp_path, "--worker-class", "sync") as (url, _, log),
    ):
        wait_for_all(url)
        began = time.monotonic()
        with Tab(f"{url}/events", exchange.markets[0].slug) as tab:
            told = tab.rest()
        assert 14 < time.monotonic() - began < 29
        assert told[-1].type == "polymarket-market-update"
        assert "WORKER TIMEOUT" not in log.read_text(encoding="utf-8")
