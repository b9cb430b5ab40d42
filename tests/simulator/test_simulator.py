from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from polymarket_ws import simulator
from tests.conftest import scaled

ROOT = Path(__file__).resolve().parents[2]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=scaled(60),
        check=False,
    )


def test_the_random_market_needs_no_websockets() -> None:
    code = "import sys, polymarket_ws.simulator.venue; sys.exit('websockets' in sys.modules)"
    assert run(code).returncode == 0


def test_without_the_extra_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['websockets'] = None; from polymarket_ws.simulator import Exchange"
    )
    assert 'pip install "polymarket-ws[simulator]"' in run(code).stderr


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Exchanges"):
        simulator.Exchanges  # noqa: B018  reading it is the point


def test_all_public_names_are_there() -> None:
    assert all(getattr(simulator, name) for name in simulator.__all__)
