from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.chart import svg
from benchmarks.mix import END, Mix, asset_ids
from benchmarks.report import markdown
from benchmarks.summary import promises
from polymarket_ws.events.market import BestBidAsk, Book, LastTradePrice, PriceChange
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY
from tests.conftest import scaled

ROOT = Path(__file__).resolve().parents[1]

pytest.importorskip("resource", reason="the benchmarks read what Unix knows of a process")


def test_the_harness_measures_our_client_over_a_real_socket(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--output", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=scaled(60),
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert re.search(r"\| \*\*polymarket-ws\*\* \| [\d,]+ \|", run.stdout), run.stdout
    assert (tmp_path / "benchmarks.svg").read_text(encoding="utf-8").startswith("<svg ")


def test_the_mix_is_what_it_says_and_the_same_every_time() -> None:
    ids = asset_ids(40)
    messages = list(Mix(ids).messages(1000))
    assert messages == list(Mix(ids).messages(1000))
    decoder = Decoder(MARKET_VOCABULARY, connection=1)
    events = [event for raw in messages for event in decoder.decode(raw, 0.0, 1)]
    counts = {kind: sum(type(event) is kind for event in events) for kind in map(type, events)}
    assert counts == {PriceChange: 880, Book: 50, LastTradePrice: 40, BestBidAsk: 30}
    for event in events:
        if isinstance(event, PriceChange):
            assert len(event.price_changes) == 2
        elif isinstance(event, Book):
            assert len(event.bids) + len(event.asks) == 60
    assert 600 < sum(map(len, messages)) / 1000 < 750
    (last,) = decoder.decode(Mix.end(ids), 0.0, 1)
    assert isinstance(last, LastTradePrice)
    assert last.market == END


def test_a_report_names_ratios_and_what_is_not_kept() -> None:
    fast = {"messages": 1000, "seconds": 1.0, "cpu_seconds": 0.5}
    slow = {"messages": 1000, "seconds": 2.0, "cpu_seconds": 1.5}
    sections = {"throughput": {"ours": [fast], "official": [slow]}}
    (promise,) = promises(sections)
    assert (promise.value, promise.kept) == (2.0, False)
    text = markdown({"machine": "one"}, sections)
    assert "| **polymarket-ws** | 1,000 | 1,000 to 1,000 | 500.0 µs | 2.0 x |" in text
    assert "| NO |" in text
    assert svg(sections).count("<rect") == 1 + 2 * 2
