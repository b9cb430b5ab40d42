from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.simulator.requests import (
    FirstSubscription,
    Operation,
    parse_first,
    parse_operation,
)


def test_the_first_frame_of_a_capture_is_a_subscription() -> None:
    text = '{"type": "market", "assets_ids": ["1", "2", "1"], "custom_feature_enabled": true}'
    assert parse_first(text) == FirstSubscription(
        asset_ids=("1", "2"), custom_feature_enabled=True, initial_dump=True
    )


def test_an_empty_first_subscription_is_one() -> None:
    assert parse_first('{"type":"market","assets_ids":[]}') == FirstSubscription(asset_ids=())


def test_the_opening_books_can_be_declined() -> None:
    first = parse_first('{"type":"market","assets_ids":["1"],"initial_dump":false}')
    assert first is not None
    assert first.initial_dump is False


@pytest.mark.parametrize(
    "text",
    [
        "PING",
        "",
        "[]",
        "null",
        "{",
        '{"type":"user","assets_ids":["1"]}',
        '{"type":"market"}',
        '{"type":"market","assets_ids":"1"}',
        '{"type":"market","assets_ids":[1]}',
        '{"operation":"subscribe","assets_ids":["1"]}',
    ],
)
def test_anything_else_is_no_first_subscription(text: str) -> None:
    assert parse_first(text) is None


def test_an_operation_may_leave_the_flag_alone() -> None:
    assert parse_operation('{"operation":"unsubscribe","assets_ids":["1"]}') == Operation(
        subscribe=False, asset_ids=("1",), custom_feature_enabled=None
    )


def test_an_operation_may_set_the_flag() -> None:
    text = '{"operation":"subscribe","assets_ids":["1"],"custom_feature_enabled":false}'
    assert parse_operation(text) == Operation(
        subscribe=True, asset_ids=("1",), custom_feature_enabled=False
    )


@pytest.mark.parametrize(
    "text", ["PING", '{"operation":"pause","assets_ids":["1"]}', '{"operation":"subscribe"}', "["]
)
def test_anything_else_is_no_operation(text: str) -> None:
    assert parse_operation(text) is None


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(str))
def test_no_text_of_a_client_raises(text: str) -> None:
    parse_first(text)
    parse_operation(text)
