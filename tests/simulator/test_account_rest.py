from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from polymarket_ws.credentials import Credentials
from polymarket_ws.simulator.account import Account
from polymarket_ws.simulator.account_rest import answer, is_private
from polymarket_ws.simulator.catalogue import Topic, described
from polymarket_ws.simulator.market import SimulatedMarket

NOW = 1_791_072_000


@pytest.fixture
def account() -> Account:
    """Seven open orders, and seven trades a second apart."""
    rng = random.Random(7)
    market = SimulatedMarket(described(Topic.alone("Will it rain?"), rng), rng, NOW, middle=500)
    account = Account(7)
    for number in range(7):
        for price in (100 + 10 * number, 990):
            account.place(
                market,
                0,
                side="BUY",
                price=price,
                size=500,
                order_type="GTC" if price < 990 else "FAK",
                now_ms=(NOW + number) * 1000,
            )
    assert len(account.open_orders) == len(account.trades) == 7
    return account


def headers(account: Account, path: str, timestamp: int = NOW) -> dict[str, str]:
    keys = account.keys
    credentials = Credentials(keys.api_key, keys.secret, keys.passphrase, keys.address)
    signed = credentials.l2_headers("GET", path, timestamp=timestamp)
    return {name: "".join(value) for name, value in signed.items()}


def asked(account: Account, target: str, page_size: int = 3) -> tuple[int, Any]:
    path = target.partition("?")[0]
    said = answer(target, headers(account, path), account, now=NOW, page_size=page_size)
    return said.status, json.loads(said.body)


def every(account: Account, path: str, query: str = "") -> list[Any]:
    """Turn all pages."""
    items, cursor = [], "MA=="
    while cursor != "LTE=":
        status, page = asked(account, f"{path}?next_cursor={cursor}{query}")
        assert status == 200
        assert page["count"] == len(page["data"]) <= page["limit"] == 3
        items += page["data"]
        cursor = page["next_cursor"]
    return items


def test_a_right_signature_is_told_the_keys(account: Account) -> None:
    assert asked(account, "/auth/api-keys") == (200, {"apiKeys": [account.keys.api_key]})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLY_SIGNATURE", "bm8="),
        ("POLY_API_KEY", "00000000-0000-0000-0000-000000000000"),
        ("POLY_PASSPHRASE", "no"),
        ("POLY_ADDRESS", "0x" + "0" * 40),
        ("POLY_TIMESTAMP", str(NOW + 1)),
        ("POLY_TIMESTAMP", "now"),
        ("POLY_TIMESTAMP", ""),
    ],
)
def test_whatever_is_wrong_in_a_signature_is_refused(
    account: Account, name: str, value: str
) -> None:
    wrong = {**headers(account, "/auth/api-keys"), name: value}
    assert answer("/auth/api-keys", wrong, account, now=NOW, page_size=3).status == 401
    del wrong[name]
    assert answer("/auth/api-keys", wrong, account, now=NOW, page_size=3).status == 401


def test_a_signature_is_for_one_path(account: Account) -> None:
    other = headers(account, "/data/trades")
    assert answer("/data/orders", other, account, now=NOW, page_size=3).status == 401


@pytest.mark.parametrize(("seconds", "status"), [(60, 200), (-60, 200), (61, 401), (-61, 401)])
def test_a_signature_is_good_for_a_minute(account: Account, seconds: int, status: int) -> None:
    signed = headers(account, "/data/orders", NOW + seconds)
    assert answer("/data/orders", signed, account, now=NOW, page_size=3).status == status


def test_open_orders_come_in_pages(account: Account) -> None:
    assert [o["id"] for o in every(account, "/data/orders")] == [
        order.id for order in account.open_orders
    ]


def test_an_order_that_ended_is_in_no_list_but_can_be_asked_for(account: Account) -> None:
    (killed, *_) = [key for key, order in account.orders.items() if order.order_type == "FAK"]
    assert killed not in [order["id"] for order in every(account, "/data/orders")]
    status, order = asked(account, f"/data/order/{killed}")
    assert (status, order["status"]) == (200, "ORDER_STATUS_MATCHED")
    assert asked(account, "/data/order/0x00")[0] == 404


def test_trades_come_newest_first_and_in_pages(account: Account) -> None:
    times = [int(trade["match_time"]) for trade in every(account, "/data/trades")]
    assert times == [NOW + number for number in reversed(range(7))]


def test_trades_are_filtered_by_when_they_were_matched(account: Account) -> None:
    found = every(account, "/data/trades", f"&after={NOW + 2}&before={NOW + 4}")
    assert [int(trade["match_time"]) - NOW for trade in found] == [4, 3, 2]


def test_a_trade_has_the_status_that_it_has_now(account: Account) -> None:
    assert {trade["status"] for trade in every(account, "/data/trades")} == {"TRADE_STATUS_MATCHED"}
    account.finish(NOW * 1000)
    found = every(account, "/data/trades")
    assert {trade["status"] for trade in found} == {"TRADE_STATUS_CONFIRMED"}
    assert len(found) == 7


def test_lists_can_be_narrowed(account: Account) -> None:
    order = account.open_orders[2]
    assert [o["id"] for o in every(account, "/data/orders", f"&id={order.id}")] == [order.id]
    assert every(account, "/data/orders", "&market=0x0") == []
    assert len(every(account, "/data/orders", f"&asset_id={order.asset_id}")) == 7


@pytest.mark.parametrize(
    "target",
    ["/data/trades?after=yesterday", "/data/orders?next_cursor=x", "/data/orders?next_cursor=LTE="],
)
def test_a_query_without_sense_is_refused(account: Account, target: str) -> None:
    assert asked(account, target)[0] == 400


def test_only_some_paths_are_private() -> None:
    assert all(map(is_private, ("/auth/api-keys", "/data/orders?x=1", "/data/order/0x1")))
    assert not any(map(is_private, ("/markets", "/book?token_id=1", "/data", "/")))


def test_the_official_client_signs_in_the_same_way(account: Account) -> None:
    build = pytest.importorskip("polymarket._internal.hmac").build_hmac_signature
    now = int(time.time())
    signature = build(secret=account.keys.secret, timestamp=now, method="GET", path="/data/orders")
    assert headers(account, "/data/orders", now)["POLY_SIGNATURE"] == signature
    signed = {**headers(account, "/data/orders", now), "POLY_SIGNATURE": signature}
    assert answer("/data/orders", signed, account, now=now, page_size=3).status == 200
