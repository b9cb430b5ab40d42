from __future__ import annotations

import pytest

from polymarket_ws.protocol.clob import ClobTexts, compact


@pytest.mark.parametrize("text", [b"PONG", b"PONG\n", b"NO NEW ASSETS", b"", b" \n"])
def test_control_text_means_nothing_to_a_user(text: bytes) -> None:
    assert ClobTexts().is_control(text)
    assert ClobTexts().rejection(text) is None


def test_rejection_is_the_words_of_the_server() -> None:
    assert ClobTexts().rejection(b"INVALID OPERATION\n") == "INVALID OPERATION"
    assert not ClobTexts().is_control(b"INVALID OPERATION")


@pytest.mark.parametrize("text", [b"PING", b"pong", b"hello"])
def test_other_text_is_neither(text: bytes) -> None:
    assert not ClobTexts().is_control(text)
    assert ClobTexts().rejection(text) is None


def test_frames_have_no_spaces() -> None:
    assert compact({"operation": "subscribe", "markets": ["0x1"]}) == (
        '{"operation":"subscribe","markets":["0x1"]}'
    )
