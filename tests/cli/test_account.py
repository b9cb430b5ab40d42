from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from polymarket_ws import Credentials, CredentialsNotFound, Endpoints, LookupFailed
from polymarket_ws.cli.account import chosen_account, markets_named, refuse_profile
from polymarket_ws.simulator import Exchange


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=None) as exchange:
        yield exchange


def test_markets_are_found_by_anything_that_names_them_and_each_once(exchange: Exchange) -> None:
    first, second = exchange.markets
    where = Endpoints.at(exchange.url)
    what = [
        first.slug,
        f"https://polymarket.com/event/{second.slug}",
        first.condition_id,
        second.condition_id.upper().replace("0X", "0x"),
    ]
    found = markets_named(what, where)
    assert [market.condition_id for market in found] == [first.condition_id, second.condition_id]


def test_condition_id_is_taken_as_it_is_where_nothing_can_be_looked_up() -> None:
    condition_id = "0x" + "ab" * 32
    nowhere = Endpoints.at("ws://127.0.0.1:1")
    for with_names in (False, True):
        (market,) = markets_named([condition_id], nowhere, with_names=with_names)
        assert market.condition_id == condition_id


def test_condition_id_is_given_its_name_where_that_is_asked_for(exchange: Exchange) -> None:
    first = exchange.markets[0]
    (market,) = markets_named([first.condition_id], Endpoints.at(exchange.url), with_names=True)
    assert market.question == first.question


def test_market_that_is_none_is_told(exchange: Exchange) -> None:
    with pytest.raises(LookupFailed):
        markets_named(["no-such-market"], Endpoints.at(exchange.url))


def test_demo_has_an_account_that_trades_by_itself() -> None:
    with chosen_account(None, demo=True, profile=None) as account:
        assert len(account.markets) == 8
        assert account.credentials.address is not None
        assert account.endpoints.user.startswith("ws://127.0.0.1:")


def test_credentials_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("KEY", "k" * 36), ("SECRET", "c2VjcmV0"), ("PASSPHRASE", "word" * 4)):
        monkeypatch.setenv(f"POLYMARKET_API_{name}", value)
    with chosen_account(None, demo=False, profile=None) as account:
        assert isinstance(account.credentials, Credentials)
        assert account.endpoints == Endpoints()


def test_no_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYMARKET_API_KEY", "k" * 36)
    monkeypatch.delenv("POLYMARKET_API_SECRET", raising=False)
    with pytest.raises(CredentialsNotFound, match="POLYMARKET_API_SECRET"):
        with chosen_account(None, demo=False, profile=None):
            pass


@pytest.mark.parametrize(
    ("url", "profile", "words"),
    [("ws://127.0.0.1:1", None, "--demo and --url"), (None, "bot", "--demo and --profile")],
)
def test_what_excludes_each_other_is_refused(
    url: str | None, profile: str | None, words: str
) -> None:
    endpoints = Endpoints.at(url) if url else None
    with pytest.raises(click.UsageError, match=words):
        with chosen_account(endpoints, demo=True, profile=profile):
            pass


def test_profile_is_refused_where_no_account_is_asked_for() -> None:
    refuse_profile(None)
    with pytest.raises(click.UsageError, match="--user"):
        refuse_profile("bot")
