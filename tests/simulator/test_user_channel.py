from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from polymarket_ws.simulator import Exchange
from polymarket_ws.simulator.playback import Recording
from tests.conftest import scaled
from tests.simulator.clients import subscribed, text
from tests.simulator.user_clients import auth, joined_user, steps, told, user


def test_orders_and_trades_are_told_as_they_happen() -> None:
    with Exchange(rate=None) as exchange, user(exchange) as client:
        market = exchange.market()
        market.set_book("Yes", bids=[("0.40", 100)], asks=[("0.60", 100)])
        order_id = exchange.account.place(market.info.asset_ids[0], "BUY", "0.50", 20)
        market.trade("Yes", "SELL", "0.50", 5)
        exchange.account.cancel(order_id)
        exchange.account.finish_trades()
        assert steps(client) == [
            ("order", "PLACEMENT"),
            ("trade", "MATCHED"),
            ("order", "UPDATE"),
            ("order", "CANCELLATION"),
            ("trade", "MINED"),
            ("trade", "CONFIRMED"),
        ]


def test_nothing_is_acknowledged_and_nothing_replayed() -> None:
    with Exchange(rate=None) as exchange:
        token = exchange.markets[0].asset_ids[0]
        exchange.account.place(token, "BUY", "0.05", 20)
        with user(exchange) as client:
            assert told(client) == []


@pytest.mark.parametrize("name", ["apiKey", "secret", "passphrase"])
def test_wrong_credentials_lose_the_connection_without_a_word(name: str) -> None:
    with Exchange(rate=None) as exchange:
        wrong = auth(exchange, **{name: "d3Jvbmc="})
        with user(exchange, auth=wrong) as client, pytest.raises(ConnectionClosedError) as caught:
            text(client)
        assert caught.value.rcvd is None


def test_wrong_credentials_may_get_silence() -> None:
    with Exchange(rate=None) as exchange:
        exchange.account.wrong_credentials = "silence"
        with user(exchange, auth=auth(exchange, secret="d3Jvbmc=")) as client:
            exchange.account.place(exchange.markets[0].asset_ids[0], "BUY", "0.05", 20)
            assert told(client) == []
            assert not exchange.connections[0].subscribed


@pytest.mark.parametrize(
    "frame", ["PING", "{}", '{"type":"user"}', '{"operation":"subscribe","markets":[]}']
)
def test_a_first_frame_that_is_no_subscription_is_closed_with_1008(frame: str) -> None:
    with Exchange(rate=None) as exchange, joined_user(exchange) as client:
        client.send(frame)
        with pytest.raises(ConnectionClosed) as caught:
            text(client)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008


def test_some_markets_are_told_and_others_not() -> None:
    with Exchange(rate=None, markets=2) as exchange:
        first, second = exchange.markets
        with user(exchange, markets=[second.condition_id.upper().replace("0X", "0x")]) as client:
            for market in (first, second):
                exchange.account.place(market.asset_ids[0], "BUY", "0.05", 20)
            assert [event["market"] for event in told(client)] == [second.condition_id]
            assert exchange.connections[0].condition_ids == (second.condition_id,)


def test_the_set_of_markets_changes_on_the_open_socket() -> None:
    with Exchange(rate=None, markets=2) as exchange, user(exchange) as client:
        markets = [market.condition_id for market in exchange.markets]

        def heard() -> list[str]:
            for market in exchange.markets:
                exchange.account.place(market.asset_ids[0], "BUY", "0.05", 20)
            return [event["market"] for event in told(client)]

        def change(operation: str, *condition_ids: str) -> None:
            client.send(json.dumps({"operation": operation, "markets": condition_ids}))
            assert told(client) == []

        assert heard() == markets
        change("subscribe", markets[1])
        assert heard() == [markets[1]]
        change("subscribe", markets[0])
        assert heard() == markets
        change("unsubscribe", markets[1])
        assert heard() == [markets[0]]
        # The last one gone means all again, which is how the official SDK goes back to all.
        change("unsubscribe", markets[0])
        assert heard() == markets


def test_frames_that_mean_nothing_are_ignored() -> None:
    with Exchange(rate=None) as exchange, user(exchange) as client:
        for frame in ("ping", "[]", '{"operation":"dance"}', "{"):
            client.send(frame)
        assert told(client) == []


def test_the_market_channel_shows_the_account_s_orders() -> None:
    with Exchange(rate=None) as exchange:
        market = exchange.market()
        market.set_book("Yes", bids=[("0.40", 100)], asks=[("0.60", 100)])
        with subscribed(exchange) as client:
            text(client)
            exchange.account.place(market.info.asset_ids[0], "BUY", "0.50", 20)
            change = json.loads(text(client))["price_changes"][0]
            assert (change["price"], change["size"], change["side"]) == ("0.5", "20", "BUY")


def test_users_hear_nothing_of_the_market_channel_nor_others_of_theirs() -> None:
    with Exchange(rate=None) as exchange, user(exchange) as mine, subscribed(exchange) as other:
        text(other)
        exchange.list_market("Will the account stay alone?")
        exchange.step(20)
        assert told(mine) == []
        other.send("PING")
        kinds = set()
        while (received := text(other)) != "PONG":
            kinds.add(json.loads(received)["event_type"])
        assert not kinds & {"order", "trade"}


def test_every_connection_of_the_account_is_told() -> None:
    with Exchange(rate=None) as exchange, user(exchange) as one, user(exchange) as other:
        exchange.account.place(exchange.markets[0].asset_ids[0], "BUY", "0.05", 20)
        assert told(one) == told(other) != []


def test_a_quiet_user_connection_is_ended_without_a_close_frame() -> None:
    with (
        Exchange(rate=None, idle_seconds=scaled(0.2)) as exchange,
        user(exchange) as client,
        pytest.raises(ConnectionClosedError) as caught,
    ):
        text(client)
    assert caught.value.rcvd is None


def test_a_recording_has_no_user_channel() -> None:
    with (
        Exchange(rate=None, recording=Recording(("[]",), ())) as exchange,
        pytest.raises(InvalidStatus) as caught,
        connect(f"{exchange.url}/ws/user"),
    ):
        pass
    assert caught.value.response.status_code == 404
