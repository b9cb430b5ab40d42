from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import attrs
import pytest

from polymarket_ws import Credentials
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.event_stream import Tab
from tests.integrations.processes import ROOT, Running, running
from tests.ports import unused_port

django = pytest.importorskip("django", reason="django is not installed: the extra django has it")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and gunicorn are POSIX")

EXAMPLE = ROOT / "examples" / "django_project"
EVENTS = "/polymarket/events"
HEALTH = "/polymarket/health"


@attrs.frozen
class Project:
    """The example, with a database of its own beside an exchange of its own."""

    exchange: Exchange
    folder: Path
    scratch: Path
    environment: dict[str, str]

    def run(self, *arguments: str, **environment: str) -> AbstractContextManager[Running]:
        return running(
            arguments,
            log=self.scratch / f"{uuid.uuid4().hex}.log",
            cwd=self.folder,
            environment={**self.environment, **environment},
        )

    def manage(self, *arguments: str, **environment: str) -> AbstractContextManager[Running]:
        return self.run("manage.py", *arguments, **environment)

    def done(self, *arguments: str, **environment: str) -> str:
        """Run a command to its end, which must be a good one; return what it wrote."""
        with self.manage(*arguments, **environment) as command:
            code = command.process.wait(scaled(30))
            assert code == 0, command.text
            return command.text

    @contextlib.contextmanager
    def runserver(self, *options: str) -> Iterator[Running]:
        port = unused_port()
        with self.manage("runserver", f"127.0.0.1:{port}", *options) as server:
            server.url = f"http://127.0.0.1:{port}"
            server.until("Starting .*development server")
            self.until_answering(server)
            yield server

    @contextlib.contextmanager
    def gunicorn(self, *options: str) -> Iterator[Running]:
        pytest.importorskip("gunicorn", reason="gunicorn is not installed")
        with self.run("-m", "gunicorn", "-b", "127.0.0.1:0", *options, "project.wsgi") as server:
            server.url = server.until(r"Listening at: (http://[\d.:]+)")[1]
            server.until("Booting worker")
            self.until_answering(server)
            yield server

    @contextlib.contextmanager
    def uvicorn(self, *options: str) -> Iterator[Running]:
        pytest.importorskip("uvicorn", reason="uvicorn is not installed")
        command = ("-m", "uvicorn", "--port", "0", "--lifespan", "off", *options)
        with self.run(*command, "project.asgi:application") as server:
            server.url = server.until(r"running on (http://[\d.:]+)")[1]
            yield server

    def until_answering(self, server: Running) -> None:
        deadline = time.monotonic() + scaled(20)
        while True:
            try:
                server.get(HEALTH)
            except OSError:
                assert time.monotonic() < deadline, server.text
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.process.wait(0.05)
            else:
                return

    def rows(self, query: str) -> list[tuple[object, ...]]:
        # Who writes may hold it for long on a loaded machine.
        path, patience = self.scratch / "db.sqlite3", scaled(20)
        with contextlib.closing(sqlite3.connect(path, timeout=patience)) as database:
            return database.execute(query).fetchall()

    def until_rows(self, query: str) -> list[tuple[object, ...]]:
        deadline = time.monotonic() + scaled(20)
        pause = threading.Event()
        while True:
            rows = self.rows(query)
            if rows:
                return rows
            assert time.monotonic() < deadline, query
            pause.wait(0.05)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables, made once."""
    database = tmp_path_factory.mktemp("project") / "db.sqlite3"
    with running(
        ["manage.py", "migrate", "-v", "0"],
        log=database.with_suffix(".log"),
        cwd=EXAMPLE,
        environment={"DJANGO_DATABASE": str(database)},
    ) as command:
        assert command.process.wait(scaled(60)) == 0, command.text
    return database


@pytest.fixture
def project(migrated: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copy(migrated, tmp_path / "db.sqlite3")
    with Exchange(rate=200, markets=2) as exchange:
        environment = {
            "DJANGO_DATABASE": str(tmp_path / "db.sqlite3"),
            "POLYMARKET_URL": exchange.url,
            "POLYMARKET_MARKETS": str(exchange.markets[0].slug),
            "TMPDIR": str(tmp_path),
            # gunicorn keeps a socket there.
            "HOME": str(tmp_path),
            "NO_PROXY": "127.0.0.1",
        }
        yield Project(exchange, EXAMPLE, tmp_path, environment)


def live(tab: Tab) -> None:
    tab.until(lambda message: message.body.get("state") == "live")


def variables(credentials: Credentials) -> dict[str, str]:
    key = credentials.reveal()
    return {
        "POLYMARKET_API_KEY": key["apiKey"].encode().decode(),
        "POLYMARKET_API_SECRET": key["secret"].encode().decode(),
        "POLYMARKET_API_PASSPHRASE": key["passphrase"].encode().decode(),
        "POLYMARKET_ADDRESS": str(credentials.address),
    }


def connections(exchange: Exchange) -> int:
    return len(exchange.connections)


def until(found: Callable[[], object]) -> None:
    deadline = time.monotonic() + scaled(20)
    pause = threading.Event()
    while not found():
        assert time.monotonic() < deadline
        pause.wait(0.02)


# -- manage.py ---------------------------------------------------------------------------------


def test_check_finds_nothing_and_no_migration_is_missing(project: Project) -> None:
    assert "no issues" in project.done("check")
    assert "No changes" in project.done("makemigrations", "--check", "--dry-run")
    assert connections(project.exchange) == 0


def test_a_fill_is_kept_once_with_the_status_of_its_trade(project: Project) -> None:
    account = project.exchange.account
    secrets = variables(account.credentials)
    with project.manage("polymarket_stream", "--user", **secrets) as stream:
        stream.until("Subscribed user")
        stream.until("Connected market")
        account.trade_by_itself(20.0)
        project.until_rows("SELECT side, price, size FROM fills_fill WHERE status = 'CONFIRMED'")
        assert stream.stop() == 0
        assert "Stopped: " in stream.text
        assert "Traceback" not in stream.text
        for name in ("POLYMARKET_API_SECRET", "POLYMARKET_API_PASSPHRASE"):
            assert secrets[name] not in stream.text
    counts = project.rows("SELECT count(*), count(DISTINCT trade_id || order_id) FROM fills_fill")
    assert counts[0][0] == counts[0][1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_with_0(project: Project, number: int) -> None:
    with project.manage("polymarket_stream", "-v", "2") as stream:
        stream.until("Book ")
        assert stream.stop(number) == 0
        assert "Traceback" not in stream.text
    until(lambda: connections(project.exchange) == 0)


def test_a_market_that_is_not_found_ends_it_with_1(project: Project) -> None:
    with project.manage("polymarket_stream", "no-such-market") as stream:
        assert stream.process.wait(scaled(30)) == 1
        assert "CommandError: " in stream.text
        assert "Traceback" not in stream.text


def test_a_signal_ends_it_while_the_exchange_is_away(project: Project) -> None:
    with project.manage("polymarket_stream") as stream:
        stream.until("Connected")
        project.exchange.close()
        stream.until("Disconnected")
        assert stream.stop() == 0
        assert "Traceback" not in stream.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_a_market_is_looked_up(project: Project, number: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        with project.manage("polymarket_stream", POLYMARKET_URL=url) as stream:
            silent.settimeout(scaled(20))
            asked, _ = silent.accept()
            with asked:
                assert stream.stop(number) == 0
            assert stream.text == "Stopped.\n"


def test_it_does_not_run_twice(project: Project) -> None:
    with project.manage("polymarket_stream") as first:
        first.until("Connected")
        with project.manage("polymarket_stream") as second:
            assert second.process.wait(scaled(30)) == 1
            assert f"CommandError: it runs already (process {first.process.pid})" in second.text
        with project.manage("polymarket_stream", "--no-lock") as third:
            third.until("Connected")
            assert third.stop() == 0
        # However it ends, the lock ends with it.
        first.process.kill()
        first.process.wait()
    with project.manage("polymarket_stream") as again:
        again.until("Connected")
        assert again.stop() == 0


def test_a_lost_connection_is_kept_as_a_gap(project: Project) -> None:
    with project.manage("polymarket_stream") as stream:
        stream.until("Connected")
        until(lambda: connections(project.exchange) == 1)
        project.exchange.drop()
        ((text,),) = project.until_rows("SELECT text FROM fills_gap")
        assert "Disconnected" in str(text)
        stream.until(r"epoch 2")
        assert stream.stop() == 0


def test_the_demo_needs_nothing(project: Project) -> None:
    with project.manage("polymarket_stream", "--demo", "--user", POLYMARKET_URL="") as stream:
        stream.until("Subscribed user")
        project.until_rows("SELECT * FROM fills_fill")
        assert stream.stop(signal.SIGINT) == 0


# -- the development server --------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--noreload",)])
def test_runserver_serves_events_over_one_connection(
    project: Project, options: tuple[str, ...]
) -> None:
    with project.runserver(*options) as server:
        assert connections(project.exchange) == 0
        assert server.get("/polymarket/")[0] == 200
        with server.tab(EVENTS) as one, server.tab(EVENTS) as other:
            live(one)
            live(other)
            assert connections(project.exchange) == 1
            headers = {name.lower(): value for name, value in one.response.getheaders()}
            assert headers["content-type"] == "text/event-stream"
            assert headers["x-accel-buffering"] == "no"
            assert "access-control-allow-origin" not in headers
        server.until_healthy(HEALTH, browsers=0)
        server.stop(signal.SIGINT)
        assert "Traceback" not in server.text
    until(lambda: connections(project.exchange) == 0)


def test_the_reloader_leaves_no_client_behind(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(EXAMPLE, folder)
    project = attrs.evolve(project, folder=folder)
    with project.runserver() as server:
        before = server.health(HEALTH)["process"]
        with server.tab(EVENTS) as tab:
            live(tab)
            over = threading.Event()

            def change() -> None:
                # Again and again: a change before the reloader's first look is none to it.
                while not over.wait(0.5):
                    with (folder / "project" / "urls.py").open("a") as source:
                        source.write("# changed\n")

            thread = threading.Thread(target=change)
            thread.start()
            try:
                tab.rest()
            finally:
                over.set()
                thread.join()
        until(lambda: connections(project.exchange) == 0)
        project.until_answering(server)
        assert server.health(HEALTH)["process"] != before
        with server.tab(EVENTS) as tab:
            live(tab)
            assert connections(project.exchange) == 1


def test_a_browser_that_accepts_gzip_gets_each_event_when_it_happens(project: Project) -> None:
    with project.runserver("--noreload") as server:
        with server.tab(EVENTS, headers={"Accept-Encoding": "gzip"}) as tab:
            live(tab)
            assert tab.response.getheader("Content-Encoding") is None
            tab.next("market-update/trade")


# -- gunicorn ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_each_worker_of_gunicorn_serves_and_none_hangs(
    project: Project, worker: str, preload: bool
) -> None:
    if worker == "gevent":
        pytest.importorskip("gevent", reason="gevent is not installed")
    options = ["--workers", "4", "--worker-class", worker, "--graceful-timeout", "20"]
    options += ["--threads", "16"] if worker == "gthread" else []
    options += ["--preload"] if preload else []
    with project.gunicorn(*options) as server, ExitStack() as tabs:
        assert connections(project.exchange) == 0
        seen: set[str] = set()
        deadline = time.monotonic() + scaled(30)
        # Whichever worker is free takes a connection. Only one of each is kept: a worker with
        # threads takes more connections than it has threads for, and the rest would wait.
        # Several at once, or the same idle worker takes one after the other.
        burst = 1 if worker == "sync" else 8
        pool = tabs.enter_context(ThreadPoolExecutor(burst))
        while len(seen) < 4:
            for tab in pool.map(lambda _: server.tab(EVENTS), range(burst)):
                tabs.callback(tab.close)
                live(tab)
                instance = tab.parser.last_event_id.partition("-")[0]
                if instance in seen:
                    tab.close()
                seen.add(instance)
            assert time.monotonic() < deadline, seen
        assert connections(project.exchange) == 4
        server.stop(within=10.0)
        assert "Traceback" not in server.text, server.text
        assert "WORKER TIMEOUT" not in server.text
    until(lambda: connections(project.exchange) == 0)


@pytest.mark.slow
def test_a_worker_that_serves_one_at_a_time_gives_way(project: Project) -> None:
    with project.gunicorn("--workers", "1", "--worker-class", "sync") as server:
        with server.tab(EVENTS) as tab:
            live(tab)
            began = time.monotonic()
            tab.rest()
            assert time.monotonic() - began < scaled(20)
        assert server.get(HEALTH)[0] == 200


# -- uvicorn -----------------------------------------------------------------------------------


def test_many_browsers_of_uvicorn_cost_no_thread_each(project: Project) -> None:
    with project.uvicorn() as server, ExitStack() as tabs:
        assert server.get("/polymarket/")[0] == 200
        assert connections(project.exchange) == 0
        for _ in range(30):
            live(tabs.enter_context(server.tab(EVENTS)))
        assert server.health(HEALTH)["browsers"] == 30
        assert connections(project.exchange) == 1
        threads = Path(f"/proc/{server.process.pid}/task")
        if threads.is_dir():
            # Main, reader, connection, clock, name resolution, and the pools' few.
            assert len(list(threads.iterdir())) < 25
        # uvicorn waits for its responses to end, as long as it takes.
        server.stop(within=5.0)
        assert "Traceback" not in server.text
    until(lambda: connections(project.exchange) == 0)


def test_a_browser_of_uvicorn_that_hangs_up_is_noticed(project: Project) -> None:
    with project.uvicorn() as server:
        tabs = [server.tab(EVENTS) for _ in range(5)]
        for tab in tabs:
            live(tab)
        server.until_healthy(HEALTH, browsers=5)
        for tab in tabs:
            tab.close()
        # Django 4.2 is told nothing: there the responses end after 15 s.
        server.until_healthy(HEALTH, browsers=0)
        assert "Traceback" not in server.text


def test_events_of_uvicorn_come_when_they_happen(project: Project) -> None:
    with project.uvicorn() as server:
        with server.tab(EVENTS, headers={"Accept-Encoding": "gzip"}) as tab:
            live(tab)
            trade = tab.next("market-update/trade")
        with server.tab(EVENTS, headers={"Last-Event-ID": trade.last_event_id}) as tab:
            assert tab.next("market-update/trade").last_event_id != trade.last_event_id
            assert not [message for message in tab.messages if message.kind == "ws-error/gap"]
        with server.tab(EVENTS, headers={"Last-Event-ID": "of-another-process"}) as tab:
            tab.next("ws-error/gap")
