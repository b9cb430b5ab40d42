"""Recordings: what a server once sent, to be sent again.

A recording is JSONL. Lines with ``"kind":"recv"`` hold the texts that are played, in the order of
the file. ``note`` lines may name the markets; ``sent`` lines tell which tokens were asked for.
Every other line is passed over.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import attrs

from polymarket_ws.errors import UsageError
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.simulator.venue import Listing

__all__ = ["Recording"]

# Stands for the market of tokens that were asked for and that no message told anything about.
_UNKNOWN_MARKET = "0x" + "0" * 64


@attrs.frozen
class Recording:
    """The texts of a recorded session and the markets that they are about.

    A file may hold several connections (``conn``). They are merged in the order of the file,
    because that is the order in which the messages were received; every client hears them all.

    Attributes:
        texts: as received, control texts included.
        infos: from the file's notes where it has any, else derived from the ids in it, with
            ``"recording"`` as the question.
    """

    texts: tuple[str, ...]
    infos: tuple[MarketInfo, ...]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Recording:
        """Read a recording.

        Raises:
            UsageError: the file cannot be read, is no JSONL, or holds nothing to play.
        """
        name = repr(os.fspath(path))
        try:
            lines = Path(path).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the recording {name} cannot be read: {error}") from error
        texts: list[str] = []
        found = _Found()
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise UsageError(
                    f"line {number} of the recording {name} is no JSON: {error}"
                ) from error
            if not isinstance(record, dict):
                continue
            text = record.get("text")
            kind = record.get("kind")
            if kind == "recv" and isinstance(text, str):
                texts.append(text)
                found.in_message(text)
            elif kind == "sent" and isinstance(text, str):
                found.in_request(text)
            elif kind == "note":
                found.in_note(record)
        if not texts:
            raise UsageError(
                f"the recording {name} holds nothing to play: "
                'no line has "kind":"recv" and a "text"'
            )
        return cls(tuple(texts), found.infos())

    def listings(self) -> list[Listing]:
        """Return the markets; a recording does not know their prices."""
        return [Listing(info=info) for info in self.infos]

    def rest_book(self, asset_id: str) -> str | None:  # noqa: ARG002  a Directory has it
        """Return None: a recording keeps no books."""
        return None


class _Found:
    """Collects the markets of a recording while it is read."""

    def __init__(self) -> None:
        self._noted: dict[str, MarketInfo] = {}
        self._derived: dict[str, dict[str, None]] = {}
        self._tick_sizes: dict[str, Decimal] = {}
        self._asked: dict[str, None] = {}

    def in_note(self, record: dict[str, Any]) -> None:
        markets = record.get("markets")
        for market in markets if isinstance(markets, list) else []:
            if not isinstance(market, dict) or not isinstance(market.get("condition_id"), str):
                continue
            ids = market.get("token_ids") or market.get("asset_ids") or ()
            asset_ids = tuple(str(asset_id) for asset_id in ids)
            self._noted[market["condition_id"]] = MarketInfo(
                question=str(market.get("question") or "recording"),
                condition_id=market["condition_id"],
                slug=str(market.get("slug") or ""),
                outcomes=_outcomes(len(asset_ids)),
                asset_ids=asset_ids,
                end_date=market.get("end_date"),
            )

    def in_request(self, text: str) -> None:
        for frame in _objects(text):
            for asset_id in _strings(frame.get("assets_ids")):
                self._asked[asset_id] = None

    def in_message(self, text: str) -> None:
        for message in _objects(text):
            market = message.get("market")
            if not isinstance(market, str):
                continue
            ids = self._derived.setdefault(market, {})
            changes = message.get("price_changes")
            entries = [message, *(changes if isinstance(changes, list) else [])]
            for entry in entries:
                if isinstance(entry, dict) and isinstance(entry.get("asset_id"), str):
                    ids[entry["asset_id"]] = None
            for asset_id in _strings(message.get("assets_ids")):
                ids[asset_id] = None
            if isinstance(message.get("tick_size"), str):
                try:
                    self._tick_sizes[market] = Decimal(message["tick_size"])
                except InvalidOperation:
                    continue

    def infos(self) -> tuple[MarketInfo, ...]:
        infos = dict(self._noted)
        known = {asset_id for info in infos.values() for asset_id in info.asset_ids}
        for ids in self._derived.values():
            known.update(ids)
        unknown = {asset_id: None for asset_id in self._asked if asset_id not in known}
        if unknown:
            self._derived.setdefault(_UNKNOWN_MARKET, {}).update(unknown)
        for condition_id, ids in self._derived.items():
            if condition_id not in infos and ids:
                infos[condition_id] = MarketInfo(
                    question="recording",
                    condition_id=condition_id,
                    slug=f"recording-{len(infos) + 1}",
                    outcomes=_outcomes(len(ids)),
                    asset_ids=tuple(ids),
                )
        return tuple(
            attrs.evolve(info, tick_size=self._tick_sizes.get(info.condition_id))
            for info in infos.values()
        )


def _outcomes(count: int) -> tuple[str, ...]:
    return ("Yes", "No") if count == 2 else tuple(f"Outcome {n}" for n in range(1, count + 1))


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a text; none when it is a control text such as ``PONG``."""
    try:
        value = json.loads(text)
    except ValueError:
        return
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item
