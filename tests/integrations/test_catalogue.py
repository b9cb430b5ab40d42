from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from polymarket_ws import Endpoints, LookupFailed, MarketInfo, lookup
from polymarket_ws.integrations.catalogue import Catalogue, NotShown
from polymarket_ws.simulator import Exchange
from tests.ports import unused_port


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    # A port of its own, also while it is down: one that the system chose may be given away then.
    with Exchange(port=unused_port(), rate=None, markets=2) as exchange:
        yield exchange


class Asked:
    """Looks up on a simulated exchange, and counts."""

    def __init__(self, exchange: Exchange) -> None:
        self.endpoints = Endpoints.at(exchange.url)
        self.words: list[str] = []

    def __call__(self, what: str) -> MarketInfo:
        self.words.append(what)
        return lookup(what, endpoints=self.endpoints)


def test_a_market_is_asked_for_once(exchange: Exchange) -> None:
    asked = Asked(exchange)
    catalogue = Catalogue(asked)
    market = exchange.markets[0]
    for _ in range(3):
        assert catalogue.find(market.slug).condition_id == market.condition_id
    assert catalogue.find(market.asset_ids[1]).slug == market.slug
    assert asked.words == [market.slug, market.asset_ids[1]]
    assert not catalogue.is_limited


def test_many_who_ask_for_the_same_at_once_ask_little(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    asked = Asked(exchange)
    catalogue = Catalogue(asked)
    slug = exchange.markets[0].slug
    found: list[MarketInfo] = []
    threads = [
        threading.Thread(target=lambda: found.append(catalogue.find(slug))) for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds(20))
    assert len(found) == 40
    assert len(asked.words) <= 4


def test_what_does_not_exist_is_remembered_too(exchange: Exchange) -> None:
    asked = Asked(exchange)
    catalogue = Catalogue(asked)
    for _ in range(3):
        with pytest.raises(NotShown, match="has no market") as raised:
            catalogue.find("no-such-market")
        assert raised.value.status == 404
    assert asked.words == ["no-such-market"]


@pytest.mark.parametrize("final", [False, True])
def test_whether_to_try_again_is_no_question_of_words(final: bool) -> None:
    def look_up(what: str) -> MarketInfo:
        raise LookupFailed("choose one:\n  Will it be answered by June?", final=final)

    with pytest.raises(NotShown if final else LookupFailed):
        Catalogue(look_up).find("two-markets")


def test_who_waits_too_long_for_a_turn_is_not_told_that_there_is_no_market(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polymarket_ws.integrations.catalogue._TURN_SECONDS", 0.01)
    monkeypatch.setattr("polymarket_ws.integrations.catalogue._AT_ONCE", 0)
    with pytest.raises(LookupFailed, match="too many others"):
        Catalogue(Asked(exchange)).find(exchange.markets[0].slug)


def test_what_names_no_market_is_a_bad_request(exchange: Exchange) -> None:
    with pytest.raises(NotShown) as raised:
        Catalogue(Asked(exchange)).find("0x12")
    assert raised.value.status == 400


def test_an_exchange_that_does_not_answer_is_no_verdict() -> None:
    def look_up(what: str) -> MarketInfo:
        return lookup(what, endpoints=Endpoints.at("ws://127.0.0.1:9"), timeout=0.2)

    with pytest.raises(LookupFailed):
        Catalogue(look_up).find("some-market")


def test_what_was_found_once_outlives_an_exchange_that_does_not_answer(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polymarket_ws.integrations.catalogue._FOUND_SECONDS", 0.0)
    monkeypatch.setattr("polymarket_ws.integrations.catalogue._FAILED_SECONDS", 0.0)
    asked = Asked(exchange)
    slug = exchange.markets[0].slug
    catalogue = Catalogue(asked)
    market = catalogue.find(slug)
    exchange.close()
    assert catalogue.find(slug) == market
    assert catalogue.find(slug) == market
    assert asked.words == [slug] * 3


def test_what_is_too_long_for_a_market_is_not_even_asked_for(exchange: Exchange) -> None:
    asked = Asked(exchange)
    with pytest.raises(NotShown) as raised:
        Catalogue(asked).find("https://polymarket.com/event/x?" + "y" * 1000)
    assert raised.value.status == 400
    assert asked.words == []


def test_what_strangers_ask_for_is_remembered_within_bounds() -> None:
    def look_up(what: str) -> MarketInfo:
        return MarketInfo(question=what, condition_id="0x" + what, asset_ids=("1",))

    catalogue = Catalogue(look_up)
    for number in range(3000):
        catalogue.find(str(number))
    assert len(catalogue._known) == 1024
    assert "2999" in catalogue._known


def test_a_market_without_tokens_is_not_shown() -> None:
    def look_up(what: str) -> MarketInfo:
        return MarketInfo(question="?", condition_id="0x1", slug=what)

    with pytest.raises(NotShown, match="no tokens"):
        Catalogue(look_up).find("new")


def test_of_a_fixed_list_only_its_markets_are_shown_by_any_of_their_names(
    exchange: Exchange,
) -> None:
    asked = Asked(exchange)
    first, second = exchange.markets
    catalogue = Catalogue(asked, [first.slug])
    assert catalogue.is_limited
    assert [market.slug for market in catalogue.everything()] == [first.slug]
    for name in (
        first.slug,
        first.condition_id.upper().replace("0X", "0x"),
        first.asset_ids[1],
        f"https://polymarket.com/event/something/{first.slug}",
        f"https://polymarket.com/market/{first.slug}/",
    ):
        assert catalogue.find(name).slug == first.slug
    for name in (second.slug, second.asset_ids[0], "", "/", "http://[", "no-such-market"):
        with pytest.raises(NotShown) as raised:
            catalogue.find(name)
        assert raised.value.status == 403
    # Strangers cannot make it ask for anything.
    assert asked.words == [first.slug]


def test_markets_that_are_known_need_no_asking(exchange: Exchange) -> None:
    asked = Asked(exchange)
    catalogue = Catalogue(asked, exchange.markets)
    assert catalogue.everything() == list(exchange.markets)
    assert catalogue.find(exchange.markets[1].slug) == exchange.markets[1]
    assert asked.words == []


def test_markets_that_are_known_are_seen_to_have_been_settled(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polymarket_ws.integrations.catalogue._FOUND_SECONDS", 0.0)
    asked = Asked(exchange)
    first, second = exchange.markets
    elsewhere = MarketInfo(question="?", condition_id="0x" + "0" * 64, asset_ids=("1",))
    catalogue = Catalogue(asked, [elsewhere, first, second])
    exchange.market(0).resolve("No")
    assert [market.closed for market in catalogue.everything()] == [False, True, False]
    assert catalogue.find(first.slug).closed
    # What is settled stays so; what nobody else knows is shown as the application has it.
    assert catalogue.everything()[0] is elsewhere
    assert asked.words.count(first.condition_id) == 1
    exchange.close()
    asked.words.clear()
    assert [market.slug for market in catalogue.everything()] == ["", first.slug, second.slug]
    # Of an exchange that does not answer, one look-up waits.
    assert asked.words == [elsewhere.condition_id]
