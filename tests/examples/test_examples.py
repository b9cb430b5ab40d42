"""Every example runs as it is, beside a simulated exchange."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from polymarket_ws.simulator import Exchange
from tests.conftest import scaled

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=None, markets=2) as exchange:
        yield exchange


@contextlib.contextmanager
def running(
    *command: str, folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-X", "dev", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{EXAMPLES}", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        alarm = threading.Timer(scaled(90), process.kill)
        alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_listed_and_tested() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+\.py|\w+/)`", readme, re.MULTILINE)
    there = [path.name + "/" * path.is_dir() for path in EXAMPLES.iterdir()]
    assert sorted(listed) == sorted(set(there) - {"README.md", "__pycache__/"})


def test_notebook_runs_from_the_first_cell_to_the_last(tmp_path: Path) -> None:
    with running(
        "-W", "error", str(EXAMPLES / "notebook.py"), folder=tmp_path, environment={}
    ) as process:
        said, _ = process.communicate(timeout=scaled(60))
    assert process.returncode == 0, said
    lines = said.splitlines()
    assert lines[0].endswith("?")
    assert re.search(r"(BUY|SELL) +(Yes|No) +\d+\.\d\d shares, 0\.\d{3} on average", said)
    assert re.fullmatch(r"No: live, 0\.\d+", lines[-1])


def test_flask_site_shows_its_markets_and_keeps_orders_to_its_owner(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("flask", reason="flask is not installed: the extra flask has it")
    market = exchange.markets[0]
    monkeypatch.setenv("FLASK_POLYMARKET_MARKETS", market.slug)
    monkeypatch.setenv("FLASK_POLYMARKET_ENDPOINTS", exchange.url)
    module = loaded("flask_app")
    client = module.app.test_client()
    assert b"/polymarket/" in client.get("/").data
    assert client.get("/polymarket/").status_code == 200
    assert client.get(f"/markets/{market.slug}").json["question"] == market.question
    assert client.get(f"/markets/{exchange.markets[1].slug}").status_code == 404
    assert client.get("/polymarket/events?user=1").status_code == 403
    with client.session_transaction() as session:
        session["is_owner"] = True
    # Allowed now; there is no account that could be shown.
    assert client.get("/polymarket/events?user=1").status_code == 404
    events = client.get("/polymarket/events")
    sent = b""
    for chunk in events.response:
        sent += chunk
        if b'"state":"live"' in sent:
            break
    events.close()
    assert b"polymarket-ws-subscribed" in sent
    assert module.polymarket.close(module.app)


CELERY = """
from pathlib import Path

broker_url = "filesystem://"
folders = Path("queue"), Path("control")
for folder in folders:
    folder.mkdir(exist_ok=True)
broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control",
}
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Celery has no worker there")
def test_celery_worker_writes_each_confirmed_fill_down_once(
    exchange: Exchange, tmp_path: Path
) -> None:
    pytest.importorskip("celery", reason="celery is not installed: the extra test has it")
    (tmp_path / "celery_here.py").write_text(CELERY, encoding="utf-8")
    account = exchange.account
    key = account.credentials.reveal()
    environment = {
        "CELERY_CONFIG_MODULE": "celery_here",
        "EXCHANGE": exchange.url,
        "LEDGER": str(tmp_path / "fills"),
        "POLYMARKET_API_KEY": key["apiKey"].encode().decode(),
        "POLYMARKET_API_SECRET": key["secret"].encode().decode(),
        "POLYMARKET_API_PASSPHRASE": key["passphrase"].encode().decode(),
        "POLYMARKET_ADDRESS": str(account.credentials.address),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{EXAMPLES}{os.pathsep}{tmp_path}",
    }
    worker = ("-m", "celery", "-A", "celery_fills", "worker", "--concurrency", "2", "-l", "INFO")
    with (
        running(*worker, folder=tmp_path, environment=environment) as handling,
        running(
            str(EXAMPLES / "celery_fills.py"), folder=tmp_path, environment=environment
        ) as listening,
    ):
        assert exchange.wait_for(
            lambda: any("PING" in text for _, text in exchange.received), scaled(40)
        )
        # The workers hold none: there is one connection, that of the listener.
        assert len(exchange.connections) == 1
        token = exchange.markets[0].asset_ids[0]
        for size in (5, 6):
            account.place(token, "BUY", "0.99", size, "FOK")
        exchange.drop("reset")
        account.place(token, "BUY", "0.99", 7, "FOK")
        account.finish_trades()
        pause = threading.Event()
        sizes: set[str] = set()
        for _ in range(2000):
            files = list((tmp_path / "fills").glob("*"))
            sizes = {text.split()[1] for path in files if (text := path.read_text("utf-8"))}
            if sizes == {"5", "6", "7"}:
                break
            pause.wait(scaled(0.02))
        if sizes != {"5", "6", "7"}:
            listening.kill()
            handling.kill()
            raise AssertionError(listening.communicate()[0] + handling.communicate()[0])
        listening.send_signal(signal.SIGINT)
        handling.send_signal(signal.SIGTERM)
        assert listening.wait(scaled(10)) in (-signal.SIGINT, 130)
        assert handling.wait(scaled(20)) == 0
        said = handling.communicate()[0]
        assert "Traceback" not in said, said
