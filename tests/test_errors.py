from __future__ import annotations

import pickle
import re

import pytest

from polymarket_ws import errors
from polymarket_ws.errors import PolymarketWSError, ProtocolViolation, StreamGap, UsageError
from polymarket_ws.events.lifecycle import Dropped

EVERY = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("error", EVERY)
def test_error_is_one_of_the_tree(error: type[Exception]) -> None:
    assert issubclass(error, PolymarketWSError)
    assert error.__doc__


def test_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    assert sorted(drawn) == sorted(errors.__all__)
    for line in (errors.__doc__ or "").splitlines():
        child = re.match(r"^    ([ │]*)[├└]── (\w+)(?: \((\w+)\))?", line)
        if child and child[3]:
            assert child[3] in {base.__name__ for base in getattr(errors, child[2]).__mro__}


def test_wrong_call_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="write it"):
        raise UsageError("write it like this")


def test_gap_holds_the_event_where_the_hole_is() -> None:
    event = Dropped(count=3)
    error = StreamGap(event)
    assert error.event is event
    assert str(event) in str(error)


def test_violation_holds_the_close_code() -> None:
    assert ProtocolViolation(1002, "reserved bits").code == 1002


@pytest.mark.parametrize(
    "error", [StreamGap(Dropped(count=3)), ProtocolViolation(1002, "reserved bits")]
)
def test_errors_with_facts_survive_pickling(error: PolymarketWSError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
