from __future__ import annotations

import json
import os
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from polymarket_ws.simulator import Exchange
from tests.cli.shell import lines_once_live, run, started
from tests.conftest import scaled
from tests.integrations.event_stream import Tab
from tests.production import Production, as_production, interrupt

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TYPED = ROOT / "tests" / "typing" / "readme"

PROGRAMS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LOOP, BOOK, OBSERVER, ORDERS, WEB = PROGRAMS

interrupted = pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=200) as exchange:
        yield exchange


@pytest.fixture
def production(exchange: Exchange, tmp_path: Path) -> Iterator[Production]:
    with as_production(exchange, tmp_path) as production:
        yield production


def written(folder: Path, program: str) -> Path:
    path = folder / "program.py"
    path.write_text(program, encoding="utf-8")
    return path


def test_readme_has_the_programs_that_the_type_checkers_read() -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in TYPED.glob("*.py")}
    assert files == {
        "loop.py": LOOP,
        "book.py": BOOK,
        "observer.py": OBSERVER,
        "orders.py": ORDERS,
        "web.py": WEB,
    }


@interrupted
def test_loop_prints_events_of_production_until_interrupted(
    exchange: Exchange, production: Production, tmp_path: Path
) -> None:
    market = exchange.markets[0]
    address = f"https://polymarket.com/event/{market.slug}"
    with production.running(written(tmp_path, LOOP), address) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(100)]
        assert exchange.subscribed == set(market.asset_ids)
        _, said = interrupt(process)
    assert lines[0] == f"{market.question}\n"
    assert {line.split()[0] for line in lines[1:]} == {"Book", "PriceChange", "LastTradePrice"}
    assert process.returncode == -signal.SIGINT
    assert said.strip().endswith("KeyboardInterrupt")


@interrupted
def test_book_tells_its_best_prices_and_the_gap(
    exchange: Exchange, production: Production, tmp_path: Path
) -> None:
    with production.running(written(tmp_path, BOOK), exchange.markets[0].slug) as process:
        assert process.stdout is not None
        before = [process.stdout.readline() for _ in range(20)]
        exchange.drop("reset")
        after: list[str] = []
        while not after or not after[-1].startswith("missed what came after this: Disconnected"):
            after.append(process.stdout.readline())
        again = [process.stdout.readline() for _ in range(20)]
        interrupt(process)
    for line in before + again:
        bid, ask = line.split()
        assert 0 < float(bid) < float(ask) < 1


@interrupted
def test_observer_is_called_for_trades_until_interrupted(
    exchange: Exchange, production: Production, tmp_path: Path
) -> None:
    with production.running(
        written(tmp_path, OBSERVER), exchange.markets[1].condition_id
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        interrupt(process)
    assert all(re.fullmatch(r"(BUY|SELL) [\d.]+ at 0\.\d+\n", line) for line in lines)
    assert process.returncode == -signal.SIGINT


@interrupted
def test_own_orders_and_fills_are_printed_and_none_is_lost_in_a_gap(
    exchange: Exchange, production: Production, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = exchange.account
    key = account.credentials.reveal()
    for name, field in (("KEY", "apiKey"), ("SECRET", "secret"), ("PASSPHRASE", "passphrase")):
        monkeypatch.setenv(f"POLYMARKET_API_{name}", key[field].encode().decode())
    monkeypatch.setenv("POLYMARKET_ADDRESS", str(account.credentials.address))
    market = exchange.market()
    token = market.info.asset_ids[0]
    with production.running(written(tmp_path, ORDERS)) as process:
        assert process.stdout is not None
        assert exchange.wait_for(
            lambda: any(connection.path == "/ws/user" for connection in exchange.connections),
            scaled(20),
        )
        # Whatever was placed before the subscription was read is of no interest here.
        assert exchange.wait_for(
            lambda: any("PING" in text for _, text in exchange.received), scaled(20)
        )
        order_id = account.place(token, "BUY", "0.01", 7)
        placed = process.stdout.readline()
        exchange.drop("reset")
        account.cancel(order_id)
        account.place(token, "BUY", "0.99", 5, "FOK")
        account.finish_trades()
        after: list[str] = []
        while not any(line.startswith("CONFIRMED BUY 5 at ") for line in after):
            after.append(process.stdout.readline())
            assert after[-1], process.stderr
        interrupt(process)
    assert placed == "PLACEMENT BUY 0 of 7\n"


_SERVE = """
import sys
sys.path.insert(0, sys.argv[1])
import program
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, program.app, threaded=True)
print(server.port)
server.serve_forever()
"""


@interrupted
def test_site_tells_a_browser_of_its_market(
    exchange: Exchange, production: Production, tmp_path: Path
) -> None:
    pytest.importorskip("flask", reason="flask is not installed: the extra flask has it")
    written(tmp_path, WEB)
    serve = tmp_path / "serve.py"
    serve.write_text(_SERVE, encoding="utf-8")
    with production.running(serve, str(tmp_path)) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        with Tab(f"http://127.0.0.1:{port}/polymarket/events") as tab:
            (market,) = tab.next("ws-subscribed").body["markets"]
            assert market["slug"] == exchange.markets[0].slug
            tab.next("market-update/trade")
            assert len(exchange.connections) == 1
        interrupt(process)


def test_first_installation_has_the_extras_of_every_command_of_the_readme() -> None:
    *_, installing, _ = COMMANDS[0].strip().split(" && ")
    extras = shlex.split(installing)[-1].removeprefix(".[").removesuffix("]").split(",")
    assert "`polymarket-ws serve --user --demo`" in README
    # The command line, what serves its page, and the exchange of --demo.
    assert {"cli", "flask", "simulator"} <= set(extras)


@interrupted
def test_main_command_without_a_terminal_prints_lines_until_interrupted() -> None:
    *_, installing, running = COMMANDS[0].strip().split(" && ")
    program, *arguments = shlex.split(running)
    assert shlex.split(installing)[:2] == [".venv/bin/pip", "install"]
    assert (program, arguments) == (".venv/bin/polymarket-ws", ["watch", "--demo"])
    with started(*arguments) as process:
        assert process.stdout is not None
        lines = lines_once_live(process, 2)
        assert interrupt(process)[1] == ""
    assert process.returncode == 130
    for line in lines:
        assert re.match(r"\d\d:\d\d:\d\d  live  .* nothing missed \| ", line)
        assert line.count(" | ") == 8


def test_command_for_pipes_prints_what_the_readme_promises() -> None:
    (running,) = re.findall(r"`\.venv/bin/polymarket-ws (stream [^`]+)`", README)
    done = run(*shlex.split(running))
    assert (done.returncode, done.stderr) == (0, "")
    kinds = {json.loads(line)["event_type"] for line in done.stdout.splitlines()}
    assert {"book", "price_change", "last_trade_price"} <= kinds
    assert len(done.stdout.splitlines()) == 500


def test_commands_of_the_shell_section_exist() -> None:
    for line in COMMANDS[2].strip().splitlines():
        program, command, *arguments = shlex.split(line.partition("|")[0], comments=True)
        assert program == "polymarket-ws"
        usage = run(command, "-h").stdout
        for option in (argument for argument in arguments if argument.startswith("--")):
            assert option in usage


def test_linked_files_are_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []
