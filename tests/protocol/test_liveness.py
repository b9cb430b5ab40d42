from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from polymarket_ws.errors import UsageError
from polymarket_ws.protocol.liveness import Liveness


def test_defaults_watch_the_socket_and_first_books_but_not_data() -> None:
    assert Liveness() == Liveness(socket=30.0, first_book=30.0, data=None)


@pytest.mark.parametrize("name", ["socket", "first_book", "data"])
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, True, "30", Liveness])
def test_a_limit_that_is_no_time_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"Liveness\({name}=…\) takes seconds above 0"):
        Liveness(**{name: value})


@pytest.mark.parametrize("value", [0.1, 5, None])
def test_a_limit_is_seconds_or_off(value: float | None) -> None:
    liveness = Liveness(socket=value, first_book=value, data=value)
    assert attrs.astuple(liveness) == (value, value, value)
