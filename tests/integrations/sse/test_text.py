from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.integrations.sse.text import comment, identifier, message, retry
from tests.integrations.event_stream import Message, Parser


def test_message_is_read_as_it_was_written() -> None:
    parser = Parser()
    text = identifier("a-1") + message("polymarket-market-update", b'{"a":1}')
    assert parser.feed(text) == [Message("polymarket-market-update", '{"a":1}', "a-1")]


@given(st.text(), st.integers(1, 7))
def test_any_text_comes_through_whole_however_it_is_cut(data: str, size: int) -> None:
    parser = Parser()
    text = message("name", data.encode("utf-8", "replace"))
    messages = [
        found for at in range(0, len(text), size) for found in parser.feed(text[at : at + size])
    ]
    (found,) = messages
    lines = data.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    assert found.data == lines


def test_retry_and_comment_are_no_messages() -> None:
    parser = Parser()
    assert parser.feed(retry(2500) + comment() + comment("still here")) == []
    assert parser.retry == 2500
    assert parser.comments == 2


def test_the_parser_refuses_what_the_standard_does_not_know() -> None:
    with pytest.raises(AssertionError, match="no field 'foo'"):
        Parser().feed(b"foo: bar\n\n")
    assert Parser().feed(b"data: never ended") == []
