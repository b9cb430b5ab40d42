from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

from tests.conftest import scaled

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


def is_installed() -> bool:
    """Whether the entry point is there, which makes the plugin known by itself."""
    return any(
        point.value == "polymarket_ws.simulator.pytest_plugin"
        for point in importlib.metadata.entry_points(group="pytest11")
    )


def test_the_fixture_gives_an_exchange_for_the_time_of_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "--rootdir", str(tmp_path)]
    command += ["-p", "no:cacheprovider", str(tmp_path)]
    if not is_installed():
        command += ["-p", "polymarket_ws.simulator.pytest_plugin"]
    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=scaled(60), check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout
