from __future__ import annotations

import logging

import pytest

from polymarket_ws.instrumentation.logging import INTERVAL_SECONDS, RareWarnings


@pytest.fixture
def warnings() -> RareWarnings:
    return RareWarnings(logging.getLogger("polymarket_ws.test"))


def test_the_first_of_a_kind_is_logged(
    warnings: RareWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    warnings.warn("lost", -5.0, "%s: lost", "host")
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [("WARNING", "host: lost")]


def test_the_next_of_a_kind_within_a_minute_is_not(
    warnings: RareWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    warnings.warn("lost", 0.0, "lost")
    warnings.warn("lost", INTERVAL_SECONDS - 0.001, "lost")
    assert caplog.messages == ["lost"]


def test_what_was_held_back_is_counted_in_the_next(
    warnings: RareWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    warnings.warn("dropped", 0.0, "dropped %d", 7, count=7)
    warnings.warn("dropped", 1.0, "dropped %d", 2, count=2)
    warnings.warn("dropped", 2.0, "dropped %d", 3, count=3)
    warnings.warn("dropped", INTERVAL_SECONDS, "dropped %d", 1)
    assert caplog.messages == [
        "dropped 7",
        "dropped 1 (and 5 more since the last warning of this kind)",
    ]


def test_what_was_counted_is_not_counted_again(
    warnings: RareWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    for now in (0.0, 1.0, INTERVAL_SECONDS, 2 * INTERVAL_SECONDS):
        warnings.warn("lost", now, "lost")
    assert caplog.messages[-1] == "lost"


def test_kinds_are_limited_apart(warnings: RareWarnings, caplog: pytest.LogCaptureFixture) -> None:
    warnings.warn("lost", 0.0, "lost")
    warnings.warn("attempt", 0.0, "refused")
    assert caplog.messages == ["lost", "refused"]


def test_two_connections_are_limited_apart(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("polymarket_ws.test")
    RareWarnings(logger).warn("lost", 0.0, "one")
    RareWarnings(logger).warn("lost", 0.0, "two")
    assert caplog.messages == ["one", "two"]
