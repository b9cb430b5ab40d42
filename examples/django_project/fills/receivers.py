"""What is done with what happens. Called by ``manage.py polymarket_stream``, one by one."""

from datetime import datetime, timezone
from typing import Any

from django.dispatch import receiver

from fills.models import Fill, Gap
from polymarket_ws import Disconnected, Dropped, Lifecycle, RecoveryFailed, Trade
from polymarket_ws.integrations.django.signals import lifecycle, user_event


@receiver(user_event, sender=Trade)
def keep_fills(event: Trade, fills: tuple[Any, ...], **_: Any) -> None:
    """Keep each fill once, with the newest status of its trade."""
    when = event.match_time
    for fill in fills:
        Fill.objects.update_or_create(
            trade_id=fill.trade_id,
            order_id=fill.order_id,
            defaults={
                "asset_id": fill.asset_id,
                "outcome": fill.outcome or "",
                "side": fill.side,
                "price": fill.price,
                "size": fill.size,
                "status": event.status,
                "matched_at": None
                if when is None
                else datetime.fromtimestamp(when / 1000, timezone.utc),
            },
        )


@receiver(lifecycle)
def keep_gaps(event: Lifecycle, **_: Any) -> None:
    """Keep that something may have been missed."""
    if isinstance(event, (Disconnected, Dropped, RecoveryFailed)):
        Gap.objects.create(channel=event.channel, text=str(event))
