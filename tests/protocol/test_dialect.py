from __future__ import annotations

import inspect

import pytest

from polymarket_ws.credentials import Credentials
from polymarket_ws.protocol.dialect import Dialect
from polymarket_ws.protocol.market import MarketDialect
from polymarket_ws.protocol.subscribing import Spelling
from polymarket_ws.protocol.user import UserDialect

# The annotation is the test for type checkers.
DIALECTS: list[Dialect] = [MarketDialect(), UserDialect(Credentials("key", "c2VjcmV0", "words"))]


def names_of(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_has_all_that_a_session_asks_for(dialect: Dialect) -> None:
    wanted = names_of(Dialect) | names_of(Spelling)
    assert {"channel", "first", "heartbeat"} <= wanted
    for name in wanted:
        assert hasattr(dialect, name), name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_method_takes_what_the_protocol_says(dialect: Dialect) -> None:
    for protocol in (Dialect, Spelling):
        for name in names_of(protocol):
            declared = getattr(protocol, name)
            if inspect.isfunction(declared):
                expected = list(inspect.signature(declared).parameters)[1:]
                assert list(inspect.signature(getattr(dialect, name)).parameters) == expected


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_channel_of_a_dialect_is_that_of_its_vocabulary(dialect: Dialect) -> None:
    assert dialect.channel == dialect.vocabulary.channel


def test_channels_are_told_apart() -> None:
    assert len({dialect.channel for dialect in DIALECTS}) == len(DIALECTS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_refusal_is_no_control_text(dialect: Dialect) -> None:
    assert dialect.rejection(b"INVALID OPERATION") is not None
    assert not dialect.is_control(b"INVALID OPERATION")
