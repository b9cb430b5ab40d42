from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import threading

import pytest
from polymarket_ws.simulator import Exchange


def test_plain(polymarket_exchange):
    assert isinstance(polymarket_exchange, Exchange)
    assert polymarket_exchange.url.startswith("ws://127.0.0.1:")
    assert len(polymarket_exchange.markets) == 2


@pytest.mark.polymarket_exchange(markets=5, rate=None)
def test_marked(polymarket_exchange):
    assert len(polymarket_exchange.markets) == 5


def test_closed_afterwards():
    assert not [t for t in threading.enumerate() if t.name.startswith("polymarket-ws")]
"""


def test_the_fixture_gives_an_exchange_for_the_time_of_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(TESTS, encoding="utf-8")
    # Without the entry point: it is there only where the package is installed.
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "--rootdir", str(tmp_path)]
    command += [
        "-p",
        "polymarket_ws.simulator.pytest_plugin",
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout
