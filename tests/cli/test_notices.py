from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from polymarket_ws.cli.notices import Notices
from tests.cli.shell import ROOT

logger = logging.getLogger("polymarket_ws.somewhere")


@pytest.fixture(autouse=True)
def only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("polymarket_ws"), "propagate", False)


def test_warning_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with Notices():
        logger.warning("lost:\n %s", "gone")
        logger.info("nobody wants to know")
    assert capsys.readouterr() == ("", "polymarket-ws: lost: gone\n")


def test_exception_is_named_without_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with Notices():
        try:
            raise ValueError("seven")
        except ValueError:
            logger.exception("unexpected")
    assert capsys.readouterr().err == "polymarket-ws: unexpected: ValueError: seven\n"


def test_what_is_held_back_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    with Notices(held=True):
        logger.warning("attempt failed")
    assert capsys.readouterr().err == ""


def test_what_was_held_back_is_said_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    with Notices(held=True) as notices:
        logger.warning("one")
        logger.warning("two")
        notices.let_through()
        logger.warning("three")
        notices.let_through()
    assert capsys.readouterr().err.split() == [
        word for n in ("one", "two", "three") for word in ("polymarket-ws:", n)
    ]


def test_nothing_is_left_on_the_logger() -> None:
    before = list(logging.getLogger("polymarket_ws").handlers)
    with Notices():
        assert logging.getLogger("polymarket_ws").handlers != before
    assert logging.getLogger("polymarket_ws").handlers == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_stderr_that_takes_nothing_changes_nothing() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "polymarket_ws.cli", "stream"],
            cwd=ROOT,
            stderr=full,
            check=False,
        )
    assert done.returncode == 2
