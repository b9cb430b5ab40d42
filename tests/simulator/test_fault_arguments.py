from __future__ import annotations

import attrs
import pytest

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator.fault_arguments import number, one_of, whole, words


@attrs.frozen
class Example:
    amount: float = attrs.field(default=1, validator=number(0, 10))
    count: int = attrs.field(default=1, validator=whole(1))
    name: str = attrs.field(default="a", validator=one_of("a", "b"))
    names: tuple[str, ...] = attrs.field(default=(), validator=words)


@pytest.mark.parametrize(
    "arguments", [{"amount": 0}, {"amount": 9.5}, {"count": 7}, {"name": "b"}, {"names": ("x",)}]
)
def test_what_fits_passes(arguments: dict[str, object]) -> None:
    Example(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        {"amount": -1},
        {"amount": 11},
        {"amount": float("nan")},
        {"amount": "1"},
        {"amount": True},
        {"count": 0},
        {"count": 1.5},
        {"count": True},
        {"name": "c"},
        {"names": (1,)},
    ],
)
def test_what_does_not_is_named_with_its_owner(arguments: dict[str, object]) -> None:
    (name,) = arguments
    with pytest.raises(UsageError, match=f"{name} of Example takes"):
        Example(**arguments)  # type: ignore[arg-type]
