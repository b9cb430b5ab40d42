"""Django signals: what ``manage.py polymarket_stream`` tells the project's receivers.

Each is sent with ``send_robust`` in the command's main thread, one event after the other, in the
order in which they were received. The sender is the class of the event, so a receiver can ask
for one class::

    @receiver(market_event, sender=LastTradePrice)
    def traded(event, **kwargs): ...

``market_event`` and ``lifecycle`` pass ``event``. ``user_event`` passes ``event`` and ``fills``:
what fell to the account in a ``Trade``, a tuple of ``Fill``; empty for an ``Order``.
"""

from __future__ import annotations

from django.dispatch import Signal

__all__ = ["lifecycle", "market_event", "user_event"]

#: What happens in markets: ``Book``, ``PriceChange``, ``LastTradePrice``, ``TickSizeChange``, …
market_event = Signal()

#: What happens to the account: ``Order`` and ``Trade``.
user_event = Signal()

#: What happens to the stream itself: ``Connected``, ``Disconnected``, ``Dropped``, ….
lifecycle = Signal()
