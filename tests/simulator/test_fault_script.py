from __future__ import annotations

import json
from pathlib import Path

import pytest

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator import At, Close, Freeze, Mute, NoBooks, Refuse, read_faults
from polymarket_ws.simulator.faults import FAULTS


def written(folder: Path, value: object) -> Path:
    path = folder / "faults.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_a_file_says_what_and_when(tmp_path: Path) -> None:
    entries = [
        {"fault": "Mute", "connection": 1, "messages": 20, "lasting": 1.5},
        {"fault": "Refuse", "status": 503, "retry_after": 1, "every": 2},
        {"fault": "Freeze", "asset_id": "7", "seconds": 3, "channel": "market"},
        {"fault": "NoBooks", "asset_ids": ["1", "2"]},
        {"fault": "Close", "code": 1012, "reason": "bye"},
    ]
    assert read_faults(written(tmp_path, entries)) == (
        At(Mute(), connection=1, messages=20, lasting=1.5),
        At(Refuse(503, 1), every=2),
        At(Freeze("7"), seconds=3, channel="market"),
        At(NoBooks(("1", "2"))),
        At(Close(1012, "bye")),
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("[", "are no JSON"),
        ({}, "are no list"),
        (["Mute"], "fault 1 of .*wanted is an object"),
        ([{}], 'there is no "fault" None'),
        ([{"fault": "Mute"}, {"fault": "Deafen"}], "fault 2 of .*'Deafen'"),
        ([{"fault": "Mute", "after": 3}], "Mute has no 'after', it has connection, every"),
        ([{"fault": "Freeze"}], "Freeze needs 'asset_id'"),
        ([{"fault": "Refuse", "code": 3}], "Refuse has no 'code', it has status, retry_after"),
        ([{"fault": "Latency", "delay": "1"}], "delay of Latency takes"),
        ([{"fault": "Mute", "messages": "1"}], "messages of At takes"),
    ],
)
def test_what_is_wrong_is_said_with_what_there_is(tmp_path: Path, value: object, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_faults(written(tmp_path, value))


def test_an_unknown_fault_lists_all_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_faults(written(tmp_path, [{"fault": "x"}]))
    assert all(name in str(caught.value) for name in FAULTS)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_faults(tmp_path / "nothing.json")
