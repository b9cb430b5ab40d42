from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from polymarket_ws.simulator.exchange import Exchange
from tests.conftest import scaled
from tests.market_server import eventually
from tests.processes.programs import ROOT

pytest.importorskip("gunicorn", reason="gunicorn is not installed, or not for this system")

PAGE = ROOT / "docs" / "howto" / "services.md"

WORKERS = 4


def shown(name: str) -> str:
    """Return the file that the page shows under ``name``."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"(?ms):caption: {re.escape(name)}\n\n(.*?)^```", text)
    assert found is not None
    return found[1]


#: Subscribed at import, which with --preload is before the fork.
USED = """
import json
import os

import myapp
from polymarket_ws import ClientForked, Disconnected


@myapp.client.on(Disconnected)
def lost(event):
    print("LOST", event, flush=True)


myapp.start()
myapp.client.wait_connected(30)


def app(environ, start_response):
    try:
        return myapp.app(environ, start_response)
    except ClientForked as error:
        start_response("200 OK", [])
        return [json.dumps({"worker": os.getpid(), "error": str(error)}).encode()]
"""


class Service:
    """A running gunicorn."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self._url = ""

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_ready(self) -> None:
        def listening() -> re.Match[str] | None:
            assert self.process.poll() is None, self.log
            return re.search(r"Listening at: (http://\S+)", self.log)

        eventually(listening, "listening")
        found = listening()
        assert found is not None
        self._url = found[1]

    def ask(self, _: object = None) -> dict[str, Any]:
        with urllib.request.urlopen(self._url, timeout=scaled(10.0)) as answer:
            result: dict[str, Any] = json.load(answer)
        return result

    def ask_everybody(self, key: str) -> list[dict[str, Any]]:
        """Ask until every worker has answered with a value for ``key``."""
        answers: dict[int, dict[str, Any]] = {}

        def all_answered() -> bool:
            # Many at once: a single request would go to whoever is the quickest, always.
            with ThreadPoolExecutor(4 * WORKERS) as pool:
                for answer in pool.map(self.ask, range(4 * WORKERS)):
                    if answer.get(key):
                        answers[answer["worker"]] = answer
            return len(answers) >= WORKERS

        try:
            eventually(all_answered, f"an answer of every worker with {key}")
        except (AssertionError, OSError) as error:
            # A worker that hangs is seen here first, as a request without an answer.
            raise AssertionError(f"{error}: {answers}\n{self.log}") from error
        return list(answers.values())

    def stop(self) -> float:
        """Stop it as a supervisor does; return the seconds that this took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(scaled(30.0)) == 0, self.log
        return time.monotonic() - began


@contextlib.contextmanager
def gunicorn(folder: Path, exchange: Exchange, *options: str) -> Iterator[Service]:
    for name in ("myapp.py", "gunicorn.conf.py", "lazy.py"):
        (folder / name).write_text(shown(name), encoding="utf-8")
    (folder / "used.py").write_text(USED, encoding="utf-8")
    (folder / "nothing.py").touch()
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-w", str(WORKERS), "-b", "127.0.0.1:0"),
                *("--worker-tmp-dir", str(folder), "--timeout", str(int(scaled(30)))),
                *options,
            ],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "EXCHANGE": exchange.url,
                "ASSET": exchange.markets[0].asset_ids[0],
                "HOME": str(folder),
                "XDG_RUNTIME_DIR": str(folder),
            },
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
        try:
            service = Service(process, log)
            service.wait_ready()
            yield service
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=200, markets=1) as running:
        yield running


def needs(options: str) -> None:
    if "gevent" in options:
        pytest.importorskip("gevent", reason="gevent is not installed, or not for this system")


@pytest.mark.parametrize(
    "options",
    [
        "myapp:app",
        "--preload myapp:app",
        pytest.param("-k gthread --threads 8 myapp:app", marks=pytest.mark.slow),
        pytest.param("-k gthread --threads 8 --preload myapp:app", marks=pytest.mark.slow),
        "-k gevent myapp:app",
        "-k gevent --preload myapp:app",
        pytest.param("-c nothing.py lazy:app", marks=pytest.mark.slow),
        pytest.param("-c nothing.py --preload lazy:app", marks=pytest.mark.slow),
        pytest.param("-c nothing.py -k gthread --threads 8 lazy:app", marks=pytest.mark.slow),
        "-c nothing.py -k gevent --preload lazy:app",
    ],
)
def test_every_worker_answers_with_what_its_own_connection_told(
    options: str, exchange: Exchange, tmp_path: Path
) -> None:
    needs(options)
    with gunicorn(tmp_path, exchange, *options.split()) as service:
        answers = service.ask_everybody("price")
        assert all(answer["connected"] for answer in answers), f"{answers}\n{service.log}"
        # One each, and from no worker that was started anew.
        numbers = sorted(connection.number for connection in exchange.connections)
        assert numbers == list(range(1, WORKERS + 1)), service.log
        assert service.stop() < scaled(5.0), service.log
        for complaint in ("TIMEOUT", "SIGKILL", "Traceback", "rror"):
            assert complaint not in service.log, service.log
    eventually(lambda: not exchange.connections, "the end of every connection")


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_client_that_the_master_used_says_so_in_every_worker_and_goes_on_in_the_master(
    kind: str, exchange: Exchange, tmp_path: Path
) -> None:
    needs(kind)
    pause = threading.Event()
    with gunicorn(
        tmp_path, exchange, "-c", "nothing.py", "-k", kind, "--preload", "used:app"
    ) as service:
        for answer in service.ask_everybody("error"):
            assert "was in use when the process forked" in answer["error"]
            assert "gunicorn: in post_worker_init" in answer["error"]
        # The master's own, and no other, before and after.
        (connection,) = exchange.connections
        sent = connection.sent
        eventually(lambda: exchange.connections[0].sent > sent + 20, "more for the master")
        pause.wait(0.1)
        assert [item.number for item in exchange.connections] == [1]
        assert service.stop() < scaled(5.0), service.log
        for complaint in ("LOST", "TIMEOUT", "SIGKILL", "Traceback"):
            assert complaint not in service.log, service.log
