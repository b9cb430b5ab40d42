from __future__ import annotations

import click
import pytest

from polymarket_ws.cli.exchange import chosen_exchange, made_exchange
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import UsageError
from polymarket_ws.rest import lookup
from tests.cli.shell import run


def test_production_is_chosen_where_nothing_is_said() -> None:
    with chosen_exchange(None, demo=False) as (where, markets):
        assert where == Endpoints()
        assert markets == ()


def test_url_chooses_its_exchange() -> None:
    endpoints = Endpoints.at("ws://127.0.0.1:1")
    with chosen_exchange(endpoints, demo=False) as (where, markets):
        assert where is endpoints
        assert markets == ()


def test_demo_runs_an_exchange_of_eight_markets() -> None:
    with chosen_exchange(None, demo=True) as (where, markets):
        assert len(markets) == 8
        assert sum(market.neg_risk for market in markets) == 4
        assert lookup(markets[0].slug, endpoints=where) == markets[0]


def test_demo_ends_with_the_block(capfd: pytest.CaptureFixture[str]) -> None:
    with chosen_exchange(None, demo=True) as (where, markets):
        slug = markets[0].slug
    with pytest.raises(Exception, match="could not be looked up"):
        lookup(slug, endpoints=where)
    assert capfd.readouterr() == ("", "")


def test_demo_and_url_exclude_each_other() -> None:
    endpoints = Endpoints.at("ws://127.0.0.1:1")
    with (
        pytest.raises(click.UsageError, match="--demo and --url exclude each other"),
        chosen_exchange(endpoints, demo=True),
    ):
        pass


def test_exchange_is_made_with_the_arguments() -> None:
    assert len(made_exchange(markets=3).markets) == 3
    with pytest.raises(UsageError, match="markets takes 1 to 10000"):
        made_exchange(markets=0)


@pytest.mark.parametrize("command", [("stream", "1"), ("watch", "1"), ("credentials", "check")])
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "127.0.0.1:1", "ws://", "ws://[", "ws://a:b", ""]
)
def test_broken_url_is_one_line_that_shows_a_right_one(command: tuple[str, ...], url: str) -> None:
    done = run(*command, "--url", url)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "--url" in line
    assert f"wanted is ws://host:port or wss://host:port, not {url!r}" in line
    assert "Endpoints" not in line
