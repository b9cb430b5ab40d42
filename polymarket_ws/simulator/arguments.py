"""What a script gives, checked: sides, prices and sizes.

Pure.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator import wire
from polymarket_ws.simulator.ledger import BUY, SELL

__all__ = ["hundredths", "on_grid", "order_side", "thousandths"]


def order_side(side: object) -> str:
    """Return ``BUY`` or ``SELL``, given in any case."""
    if isinstance(side, str) and side.upper() in (BUY, SELL):
        return side.upper()
    raise UsageError(f'a side is "BUY" or "SELL", not {side!r}')


def thousandths(price: object) -> int:
    """Return a price from 0 to 1 in thousandths."""
    scaled = _number(price, "a price", '"0.62"') * wire.ONE
    if scaled != int(scaled) or not 0 <= scaled <= wire.ONE:
        raise UsageError(f"a price is between 0 and 1 with up to three decimals, not {price}")
    return int(scaled)


def on_grid(price: object, tick_size: Decimal | None) -> int:
    """Return a price that an order can have in a market, in thousandths."""
    level = thousandths(price)
    if not 0 < level < wire.ONE or level % int((tick_size or 0) * wire.ONE):
        raise UsageError(f"a price is between 0 and 1 in steps of {tick_size} here, not {price}")
    return level


def hundredths(size: object) -> int:
    """Return a size in hundredths of a share."""
    scaled = _number(size, "a size", '"100" or 100') * 100
    if scaled != int(scaled) or scaled <= 0:
        raise UsageError(f"a size is above 0 with up to two decimals, not {size}")
    return int(scaled)


def _number(value: object, name: str, example: str) -> Decimal:
    number = None
    # A float would be a price that nobody wrote: 0.1 + 0.2 is none.
    if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = None
    if number is None or not number.is_finite():
        raise UsageError(
            f"{name} is text, a Decimal or a whole number, such as {example}, not {value!r}"
        )
    return number
