from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.dispatch import receiver

from polymarket_ws import LastTradePrice, TickSizeChange
from polymarket_ws.integrations.django.signals import market_event


def test_a_receiver_can_ask_for_one_class_of_events() -> None:
    seen: list[object] = []

    @receiver(market_event, sender=TickSizeChange)
    def changed(event: TickSizeChange, **_: Any) -> None:
        seen.append(event)

    other = LastTradePrice(
        market="0x1", asset_id="1", price=Decimal("0.5"), size=Decimal(1), side="BUY"
    )
    change = TickSizeChange(market="0x1", asset_id="1", new_tick_size=Decimal("0.001"))
    for event in (other, change):
        market_event.send_robust(sender=type(event), event=event)
    assert seen == [change]
    assert market_event.disconnect(changed, sender=TickSizeChange)
