from __future__ import annotations

import copy
import time
from decimal import Decimal

import pytest

from polymarket_ws.account import ask_account
from polymarket_ws.authentication import check_credentials
from polymarket_ws.credentials import Credentials
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import AuthenticationFailed, UsageError
from polymarket_ws.events.user import Order, Trade
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.recovering import Question
from polymarket_ws.protocol.user_vocabulary import USER_VOCABULARY
from polymarket_ws.simulator import Exchange
from polymarket_ws.simulator.playback import Recording
from tests.conftest import scaled
from tests.simulator.clients import text
from tests.simulator.user_clients import signed, steps, user


def test_its_credentials_are_accepted_and_others_are_not() -> None:
    with Exchange(rate=None) as exchange:
        endpoints = Endpoints.at(exchange.url)
        right = exchange.account.credentials
        check_credentials(right, endpoints=endpoints)
        wrong = Credentials(right.api_key, "d3Jvbmc=", "no", right.address)
        with pytest.raises(AuthenticationFailed):
            check_credentials(wrong, endpoints=endpoints)


def test_the_ledger_tells_how_an_order_ended() -> None:
    with Exchange(rate=None) as exchange:
        account, market = exchange.account, exchange.market()
        market.set_book("Yes", bids=[("0.40", 100)], asks=[("0.60", 100)])
        order_id = account.place(market.info.asset_ids[0], "buy", Decimal("0.50"), "20.5")
        market.trade("Yes", "SELL", "0.50", 5)
        order = account.orders[order_id]
        assert (order.status, order.size_matched) == ("LIVE", Decimal(5))
        assert list(account.open_orders) == [order_id]
        account.cancel(order_id)
        assert account.orders[order_id].status == "CANCELED"
        assert not account.open_orders
        (trade_id,) = order.trades
        assert account.trades[trade_id].status == "MATCHED"
        account.finish_trades()
        assert account.trades[trade_id].status == "CONFIRMED"


def test_a_failing_trade_ends_as_failed() -> None:
    with Exchange(rate=None) as exchange, user(exchange) as client:
        account, market = exchange.account, exchange.market()
        account.fail_next_trade()
        account.place(market.info.asset_ids[0], "BUY", "0.99", 5, "FAK")
        account.finish_trades()
        assert [kind for event, kind in steps(client) if event == "trade"] == [
            "MATCHED",
            "RETRYING",
            "FAILED",
        ]


def test_trades_go_on_with_simulated_time() -> None:
    with Exchange(rate=None, seed=1) as exchange:
        account, market = exchange.account, exchange.market()
        account.place(market.info.asset_ids[0], "BUY", "0.99", 5)
        # 20 ms a step.
        exchange.step(99)
        assert [trade.status for trade in account.trades.values()] == ["MATCHED"]
        exchange.step(2)
        assert [trade.status for trade in account.trades.values()] == ["MINED"]
        exchange.step(200)
        assert [trade.status for trade in account.trades.values()] == ["CONFIRMED"]


def test_cancelling_all_leaves_no_order_open() -> None:
    with Exchange(rate=None) as exchange:
        for asset_id in exchange.markets[0].asset_ids:
            exchange.account.place(asset_id, "BUY", "0.05", 5)
        assert len(exchange.account.open_orders) == 2
        exchange.account.cancel_all()
        assert not exchange.account.open_orders


def test_what_the_client_recovers_is_what_the_ledger_says() -> None:
    with Exchange(rate=None) as exchange:
        account, market = exchange.account, exchange.market()
        account.page_size = 2
        token = market.info.asset_ids[0]
        resting = [account.place(token, "BUY", "0.05", 5 + number) for number in range(5)]
        account.cancel(resting[0])
        for _ in range(5):
            account.place(token, "BUY", "0.99", 5, "FAK")
        account.finish_trades()
        known = ask_account(
            Question(0, tuple(account.orders)),
            account.credentials,
            clob=Endpoints.at(exchange.url).clob,
        )
        assert {t.id: t.status for t in known.trades} == {
            trade.id: trade.status for trade in account.trades.values()
        }
        assert [order.id for order in known.open_orders] == resting[1:]
        assert {order.id: order.size_matched for order in known.ended_orders} == {
            order.id: order.size_matched
            for order in account.orders.values()
            if order.id not in resting[1:]
        }


def test_by_itself_it_trades_what_a_client_can_decode() -> None:
    with Exchange(rate=200, seed=2) as exchange, user(exchange) as client:
        exchange.account.trade_by_itself(50)
        decoder = Decoder(USER_VOCABULARY, connection=1)
        missing = {"PLACEMENT", "UPDATE", "CANCELLATION", "MATCHED", "MINED", "CONFIRMED"}
        deadline = time.monotonic() + scaled(30)
        while missing:
            assert time.monotonic() < deadline, missing
            (event,) = decoder.decode(text(client).encode(), 0.0, 1)
            assert isinstance(event, (Order, Trade)), event
            missing.discard(event.type if isinstance(event, Order) else event.status)
        exchange.account.trade_by_itself(0)


def test_the_same_seed_trades_in_the_same_way() -> None:
    def run() -> dict[str, object]:
        with Exchange(rate=None, seed=3) as exchange:
            exchange.account.trade_by_itself(20)
            exchange.step(500)
            return {**exchange.account.orders, **exchange.account.trades}

    assert run() == run() != {}


def test_only_tokens_and_prices_of_this_exchange_are_taken() -> None:
    with Exchange(rate=None) as exchange:
        account, market = exchange.account, exchange.markets[0]
        with pytest.raises(UsageError, match="no token"):
            account.place(market.condition_id, "BUY", "0.50", 5)
        with pytest.raises(UsageError, match="steps of"):
            account.place(market.asset_ids[0], "BUY", "0.505", 5)
        with pytest.raises(UsageError, match="order_type"):
            account.place(market.asset_ids[0], "BUY", "0.50", 5, "IOC")  # type: ignore[arg-type]
        exchange.market(0).resolve("Yes")
        with pytest.raises(UsageError, match="settled"):
            account.place(market.asset_ids[0], "BUY", "0.50", 5)
        assert account.orders == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("rest", "slow"), ("wrong_credentials", "error"), ("page_size", 0)],
)
def test_manners_that_there_are_not_are_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError):
        setattr(Exchange(rate=None).account, name, value)


def test_a_rate_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match="rate"):
        Exchange(rate=None).account.trade_by_itself(-1)


def test_a_recording_has_no_account() -> None:
    with pytest.raises(UsageError, match="recording"):
        Exchange(recording=Recording(("[]",), ())).account  # noqa: B018  reading it is the point


def test_the_ledger_is_a_copy() -> None:
    with Exchange(rate=None) as exchange:
        account = exchange.account
        order_id = account.place(exchange.markets[0].asset_ids[0], "BUY", "0.05", 5)
        before = copy.copy(dict(account.orders))
        orders = account.orders
        account.cancel(order_id)
        assert dict(orders) == before
        assert signed(exchange, f"/data/order/{order_id}")[1]["status"] == "ORDER_STATUS_CANCELED"
