"""A Celery worker that handles fills.

    celery -A celery_fills worker      # handles them, in as many processes as you like
    python celery_fills.py             # listens; one process, which holds the one connection

The listener is a process of its own and not part of a worker: workers fork, come and go, and each
would open a connection. What a lost connection hid is fetched afterwards. A fill may be told more
than once (for each status, and after a restart with ``since``), so the task does nothing that must
not happen twice: here it writes a line for each fill that was confirmed, keyed by its trade.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery

from polymarket_ws import Client, Credentials, Endpoints, Trade, User

app = Celery("celery_fills")  # CELERY_BROKER_URL=redis://… or the module named here
app.config_from_envvar("CELERY_CONFIG_MODULE", silent=True)

LEDGER = Path(os.environ.get("LEDGER", "fills"))


@app.task(acks_late=True, autoretry_for=(OSError,), retry_backoff=True)
def handle_fill(fill: dict[str, Any]) -> None:
    """Write down one fill. Doing it again changes nothing."""
    LEDGER.mkdir(exist_ok=True)
    name = f"{fill['trade_id']}-{fill['order_id']}-{fill['role']}"
    line = f"{fill['side']} {fill['size']} {fill['outcome']} at {fill['price']}\n"
    (LEDGER / name).write_text(line, encoding="utf-8")


def listen() -> None:
    """Hand each confirmed fill of the account to the workers, until Ctrl-C."""
    credentials = Credentials.find()
    url = os.environ.get("EXCHANGE")  # a simulated one; production without
    endpoints = Endpoints.at(url) if url else Endpoints()
    # connect_timeout=None: a service waits for an exchange that is not there.
    with Client(credentials, endpoints=endpoints, connect_timeout=None) as client:
        for event in client.subscribe(User()):
            if not isinstance(event, Trade) or event.status != "CONFIRMED":
                continue
            for fill in event.fills_of(credentials.api_key):
                handle_fill.delay(
                    {
                        "trade_id": fill.trade_id,
                        "order_id": fill.order_id,
                        "role": fill.role,
                        "side": fill.side,
                        "outcome": fill.outcome,
                        "price": str(fill.price),
                        "size": str(fill.size),
                    }
                )


if __name__ == "__main__":
    listen()
