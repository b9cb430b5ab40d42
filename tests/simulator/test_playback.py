from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path

import pytest

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator import Exchange, Recording
from tests.conftest import scaled
from tests.simulator.clients import get, joined, subscribed, text, until_pong


def recorded(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [r["text"] for r in map(json.loads, lines) if r["kind"] == "recv"]


def written(folder: Path, *records: object) -> Path:
    path = folder / "recording.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture(params=range(6))
def capture(request: pytest.FixtureRequest, wire: Path) -> Path:
    captures = sorted((wire / "recordings").glob("*.jsonl"))
    return captures[int(request.param)]


@pytest.mark.parametrize("rate", [None, 2000.0])
def test_every_text_of_a_capture_is_sent_in_order(capture: Path, rate: float | None) -> None:
    texts = recorded(capture)
    with Exchange(recording=capture, rate=rate) as exchange, subscribed(exchange, ["1"]) as client:
        assert [text(client) for _ in texts] == texts
        # And then it stays open.
        assert until_pong(client) == []


def test_every_client_hears_the_recording_from_its_start(tmp_path: Path) -> None:
    path = written(tmp_path, *({"kind": "recv", "text": str(n)} for n in range(3)))
    with Exchange(recording=path, rate=None) as exchange:
        for _ in range(2):
            with subscribed(exchange, ["1"]) as client:
                assert [text(client) for _ in range(3)] == ["0", "1", "2"]


def test_nothing_is_played_before_the_subscription(tmp_path: Path) -> None:
    path = written(tmp_path, {"kind": "recv", "text": "first"})
    with Exchange(recording=path, rate=None) as exchange, joined(exchange) as client:
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.1)


def test_a_large_recording_does_not_overflow_a_small_queue(tmp_path: Path) -> None:
    records = [{"kind": "recv", "text": f"{n} {'x' * 500}"} for n in range(3000)]
    with Exchange(recording=written(tmp_path, *records), rate=None, queue_messages=5) as exchange:
        with subscribed(exchange, ["1"]) as client:
            assert [text(client) for _ in records] == [record["text"] for record in records]


def test_a_recording_is_played_at_the_rate(tmp_path: Path) -> None:
    path = written(tmp_path, *({"kind": "recv", "text": str(n)} for n in range(20)))
    with Exchange(recording=path, rate=50) as exchange, joined(exchange) as client:
        # Before the subscription: it may be played in part when the test goes on after that.
        started = time.monotonic()
        client.send(json.dumps({"type": "market", "assets_ids": ["1"]}))
        assert [text(client) for _ in range(20)] == [str(n) for n in range(20)]
        assert 0.3 < time.monotonic() - started < scaled(2)


def test_closing_interrupts_a_slow_recording(tmp_path: Path) -> None:
    path = written(tmp_path, *({"kind": "recv", "text": str(n)} for n in range(20)))
    with Exchange(recording=path, rate=1) as exchange, subscribed(exchange, ["1"]) as client:
        assert text(client) == "0"
        started = time.monotonic()
        assert exchange.close(timeout=scaled(2))
        assert time.monotonic() - started < scaled(2)


def test_markets_come_from_the_note(wire: Path) -> None:
    path = wire / "recordings/clob_market__nslaughter__stream-no-replay--repro.jsonl"
    [info] = Recording.read(path).infos
    assert info.slug == "will-david-lisnard-win-the-2027-french-presidential-election"
    assert info.question == "Will David Lisnard win the 2027 French presidential election?"
    assert info.outcomes == ("Yes", "No")
    assert [asset_id[:5] for asset_id in info.asset_ids] == ["55404", "79358"]
    assert info.tick_size == Decimal("0.001")
    assert info.end_date == "2027-04-19T03:59:00+00:00"


def test_markets_are_derived_where_there_is_no_note(wire: Path) -> None:
    [info] = Recording.read(wire / "recordings/clob_market__nslaughter__vance-one-fill.jsonl").infos
    assert info.question == "recording"
    assert info.condition_id.startswith("0x7ad403c3")
    assert len(info.asset_ids) == 2


def test_tokens_that_were_only_asked_for_are_listed_too(wire: Path) -> None:
    [info] = Recording.read(
        wire / "recordings/clob_market__nslaughter__stream-idle-close--no-ping.jsonl"
    ).infos
    assert len(info.asset_ids) == 2


def test_markets_of_a_recording_are_found_over_rest(wire: Path) -> None:
    path = wire / "recordings/clob_market__nslaughter__stream-no-replay--repro.jsonl"
    with Exchange(recording=path) as exchange:
        [info] = exchange.markets
        status, _, body = get(exchange, f"/markets?slug={info.slug}")
        assert status == 200
        assert json.loads(json.loads(body)[0]["clobTokenIds"]) == list(info.asset_ids)
        assert get(exchange, f"/book?token_id={info.asset_ids[0]}")[0] == 404


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "line 1"),
        ("", "nothing to play"),
        ('{"kind":"sent","text":"x"}\n', "nothing to play"),
        ('[1]\n{"kind":"recv","text":1}\n', "nothing to play"),
    ],
)
def test_what_cannot_be_played_is_refused_with_a_reason(
    tmp_path: Path, content: str, complaint: str
) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=complaint):
        Exchange(recording=path)


def test_a_file_that_is_not_there_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.jsonl"):
        Exchange(recording=tmp_path / "nowhere.jsonl")


def test_a_recording_cannot_be_stepped(tmp_path: Path) -> None:
    path = written(tmp_path, {"kind": "recv", "text": "x"})
    with pytest.raises(UsageError, match="stepped"):
        Exchange(recording=path).step()


def test_lines_of_other_kinds_and_odd_notes_are_passed_over(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"kind": "note", "markets": [1, {"condition_id": 2}]},
        {"kind": "close"},
        "text",
        {"kind": "recv", "text": '[{"market":"0x1","asset_id":"7","tick_size":"?"},3]'},
        {"kind": "recv", "text": "PONG"},
    )
    recording = Recording.read(path)
    assert len(recording.texts) == 2
    assert [(i.condition_id, i.asset_ids, i.tick_size) for i in recording.infos] == [
        ("0x1", ("7",), None)
    ]
