"""Decoded events to mailboxes, without sockets: ``python -m benchmarks.dispatch STREAMS``.

10,000 tokens in so many streams. A router hands over what one read brings, which is about 100
messages; after every tenth read one thread reads what there is, stream by stream. Prints the
microseconds an event, of the router's part and of the reader's.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import cast

from benchmarks.mix import Mix, asset_ids
from polymarket_ws.budget import Budget
from polymarket_ws.delivery import Delivery, Mailbox
from polymarket_ws.events.event import Event
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY
from polymarket_ws.routing import Router, Want
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport.deadline import Deadline

TOKENS = 10_000
_EVENTS = 20_000
_PASSES = 8
_READ = 100
_TURN = 1_000
_NOW = Deadline(0.0)


Received = tuple[list[Event], list[int], list[bytes]]


class Bench:
    """A router, and ``streams`` mailboxes that share ten thousand tokens."""

    def __init__(self, streams: int, tokens: int = TOKENS) -> None:
        self.ids = asset_ids(tokens)
        delivery = Delivery()
        budget = Budget(delivery)
        self.mailboxes = [Mailbox(delivery, budget) for _ in range(streams)]
        self.router = Router(Mailbox(delivery), lambda _: False, channel="market", connection=1)
        self._decoder = Decoder(MARKET_VOCABULARY, connection=1)
        each = tokens // streams
        for number, mailbox in enumerate(self.mailboxes):
            wishes = Market(*self.ids[number * each : (number + 1) * each]).wishes
            self.router.want(Want(mailbox, wishes), connected=None, sent=())

    def events(self, messages: list[bytes]) -> Received:
        """Return what messages say, as a session returns it."""
        events = [self._decoder.decode_object(raw, 0.0, 1) for raw in messages]
        return cast("list[Event]", events), list(map(len, messages)), messages

    def hand_over(self, received: Received) -> None:
        """Route what one read brought, as a connection's thread does."""
        self.router.route(*received)
        self.router.flush()

    def read(self) -> int:
        """Read what waits, stream by stream; return how many events there were."""
        count = 0
        for mailbox in self.mailboxes:
            while mailbox.held[0]:
                hand = mailbox.refill(_NOW)
                assert hand is not None
                while hand.position < hand.size:
                    hand.events[hand.position]
                    hand.position += 1
                    count += 1
                mailbox.measure()
        return count


def main() -> None:
    """Measure one number of streams."""
    parser = argparse.ArgumentParser()
    parser.add_argument("streams", type=int)
    bench = Bench(parser.parse_args().streams)
    messages = list(Mix(bench.ids).messages(_EVENTS))
    routed: dict[int, float] = {}
    read: dict[int, float] = {}
    for _ in range(_PASSES):
        for start in range(0, _EVENTS, _READ):
            events = bench.events(messages[start : start + _READ])
            before = time.perf_counter()
            bench.hand_over(events)
            # The best of all passes: what disturbs one of them is not what is measured.
            routed[start] = min(routed.get(start, 1.0), time.perf_counter() - before)
            if (start + _READ) % _TURN == 0:
                before = time.perf_counter()
                bench.read()
                read[start] = min(read.get(start, 1.0), time.perf_counter() - before)
    costs = {"route_us": sum(routed.values()), "read_us": sum(read.values())}
    print(json.dumps({name: seconds / _EVENTS * 1e6 for name, seconds in costs.items()}))


if __name__ == "__main__":
    main()
