from __future__ import annotations

import json
import os
import signal
import socket
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from polymarket_ws import Client, Disconnected, Endpoints, Market, lookup
from tests.cli.shell import run, started
from tests.conftest import scaled

MARKET = "0x" + "ab" * 32

#: 4 October 2026, where simulated time begins.
SIMULATED = datetime(2026, 10, 4, tzinfo=timezone.utc).timestamp()

posix = pytest.mark.skipif(os.name == "nt", reason="there is no signal to send")


def test_first_line_tells_the_address_and_the_markets() -> None:
    with started("simulate", "--markets", "3") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert list(told) == ["url", "markets"]
        assert len(told["markets"]) == 3
        endpoints = Endpoints.at(told["url"])
        for market in told["markets"]:
            assert list(market) == ["slug", "question", "condition_id", "asset_ids"]
            found = lookup(market["slug"], endpoints=endpoints)
            assert found.question == market["question"]
            assert found.condition_id == market["condition_id"]
            assert list(found.asset_ids) == market["asset_ids"]


def test_stream_of_the_printed_address_is_alive() -> None:
    with started("simulate", "--rate", "500") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assets = [asset_id for market in told["markets"] for asset_id in market["asset_ids"]]
        with Client(endpoints=Endpoints.at(told["url"])) as client:
            stream = client.subscribe(Market(*assets))
            for _ in range(200):
                stream.get(timeout=scaled(5))


def test_same_seed_gives_the_same_markets_and_frames() -> None:
    def seen(seed: str) -> tuple[object, list[str]]:
        with started("simulate", "--seed", seed, "--rate", "500") as process:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            done = run("stream", told["markets"][0]["slug"], "--url", told["url"], "--limit", "50")
            return told["markets"], done.stdout.splitlines()

    first = seen("7")
    assert len(first[1]) == 50
    assert first == seen("7")
    assert first[0] != seen("8")[0]


@pytest.mark.parametrize("seed", [None, "7"])
def test_time_is_real_without_a_seed_and_simulated_with_one(seed: str | None) -> None:
    with started("simulate", *([] if seed is None else ["--seed", seed])) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        slug = told["markets"][0]["slug"]
        done = run("stream", slug, "--url", told["url"], "--events", "price_change", "--limit", "1")
    at = int(json.loads(done.stdout)["timestamp"]) / 1000
    if seed is None:
        assert abs(at - time.time()) < 60
    else:
        assert 0 <= at - SIMULATED < 60


def test_showcase_lists_a_market() -> None:
    with started("simulate", "--seed", "1", "--showcase", "--rate", "500") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        done = run(
            *("stream", told["markets"][0]["slug"], "--url", told["url"]),
            *("--events", "new_market", "--limit", "1"),
        )
    assert json.loads(done.stdout)["question"] == "Will the coin of draw 3 show heads?"


@posix
def test_ctrl_c_is_the_regular_end() -> None:
    with started("simulate") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=scaled(5)) == ("", "")
        assert process.returncode == 0


@posix
def test_ctrl_c_ends_it_while_a_client_is_connected() -> None:
    with started("simulate") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        asset_id = told["markets"][0]["asset_ids"][0]
        with Client(endpoints=Endpoints.at(told["url"])) as client:
            client.subscribe(Market(asset_id)).get(timeout=scaled(5))
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=scaled(5)) == ("", "")
        assert process.returncode == 0


@posix
def test_sigterm_ends_it_as_every_program() -> None:
    with started("simulate") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.communicate(timeout=scaled(5)) == ("", "")
        assert process.returncode == -signal.SIGTERM


def test_recording_is_sent_with_its_markets_told_first(tmp_path: Path) -> None:
    book = {"event_type": "book", "asset_id": "11", "market": MARKET, "bids": [], "asks": []}
    changes = [{"asset_id": "22", "price": "0.5", "size": "3", "side": "BUY"}]
    change = {"event_type": "price_change", "market": MARKET, "price_changes": changes}
    recording = tmp_path / "recording.jsonl"
    recording.write_text(
        "".join(
            json.dumps({"kind": "recv", "text": json.dumps(message)}) + "\n"
            for message in (book, change)
        )
    )
    with started("simulate", "--recording", str(recording), "--rate", "0") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["markets"][0]["condition_id"] == MARKET
        assert told["markets"][0]["asset_ids"] == ["11", "22"]
        done = run("stream", "11", "22", "--url", told["url"], "--limit", "2")
    assert [json.loads(line)["event_type"] for line in done.stdout.splitlines()] == [
        "book",
        "price_change",
    ]


def test_port_in_use_is_one_line_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("simulate", "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"polymarket-ws: cannot listen on 127.0.0.1:{port}: ")
    assert "attempting" not in line


@pytest.mark.parametrize("content", [None, b"", b"{}\n", b"\xff\xfe", b"no json\n"])
def test_recording_that_cannot_be_played_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    recording = tmp_path / "recording.jsonl"
    if content is not None:
        recording.write_bytes(content)
    done = run("simulate", "--recording", str(recording))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "recording" in line


@posix
def test_folder_is_no_recording(tmp_path: Path) -> None:
    done = run("simulate", "--recording", str(tmp_path))
    assert done.returncode == 2
    assert "is a directory" in done.stderr


def test_garbage_from_a_stranger_is_no_traceback() -> None:
    with started("simulate") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        host, port = told["url"].removeprefix("ws://").split(":")
        with socket.create_connection((host, int(port)), timeout=scaled(5)) as stranger:
            stranger.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            while stranger.recv(4096):
                continue
        slug = told["markets"][0]["slug"]
        assert lookup(slug, endpoints=Endpoints.at(told["url"])).slug == slug
        process.terminate()
        _, said = process.communicate(timeout=scaled(5))
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 1


def test_faults_of_a_file_are_done(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"fault": "Close", "code": 4001, "messages": 3}]', encoding="utf-8")
    with started("simulate", "--faults", str(script), "--rate", "200") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        with Client(endpoints=Endpoints.at(told["url"])) as client:
            stream = client.subscribe(Market(told["markets"][0]["asset_ids"][0]))
            while not isinstance(event := stream.all().get(timeout=scaled(5)), Disconnected):
                continue
            assert event.code == 4001


def test_a_fault_that_does_not_exist_is_said_in_one_line(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"fault": "Silence"}]', encoding="utf-8")
    done = run("simulate", "--faults", str(script))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "'Silence', there are Refuse, WrongHandshake" in line
