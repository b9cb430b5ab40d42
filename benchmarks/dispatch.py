"""Decoded events to mailboxes, without sockets: ``python -m benchmarks.dispatch STREAMS``.

10,000 tokens in so many streams, on the 50 connections that a client opens for them. In turn each
connection's router hands over what one read brings, which is about 100 messages; after every tenth
read one thread reads what there is, stream by stream. Prints the microseconds an event, of the
routers' part and of the reader's.
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
_TOKENS_A_CONNECTION = 200
_READS = 200
_PASSES = 8
_MESSAGES_A_READ = 100
_READS_A_TURN = 10
_NOW = Deadline(0.0)

Received = tuple[list[Event], list[int], list[bytes]]


class Bench:
    """The routers of one client, and ``streams`` mailboxes that share its tokens."""

    def __init__(self, streams: int, tokens: int = TOKENS) -> None:
        ids = asset_ids(tokens)
        delivery = Delivery()
        budget = Budget(delivery)
        self.mailboxes = [Mailbox(delivery, budget) for _ in range(streams)]
        self.routers: list[Router] = []
        self._mixes: list[Mix] = []
        self._decoder = Decoder(MARKET_VOCABULARY, connection=1)
        each = tokens // streams
        for first in range(0, tokens, _TOKENS_A_CONNECTION):
            own = ids[first : first + _TOKENS_A_CONNECTION]
            router = Router(Mailbox(delivery), lambda _: False, channel="market", connection=1)
            for start in range(0, len(own), each):
                mailbox = self.mailboxes[(first + start) // each]
                wishes = Market(*own[start : start + each]).wishes
                router.want(Want(mailbox, wishes), connected=None, sent=())
            self.routers.append(router)
            self._mixes.append(Mix(own))

    def messages(self, number: int, count: int) -> list[bytes]:
        """Return what a read of connection ``number`` brings."""
        return list(self._mixes[number].messages(count))

    def received(self, messages: list[bytes]) -> Received:
        """Return what messages say, as a session returns it."""
        events = [self._decoder.decode_object(raw, 0.0, 1) for raw in messages]
        return cast("list[Event]", events), list(map(len, messages)), messages

    def hand_over(self, number: int, received: Received) -> None:
        """Route what a read of connection ``number`` brought, as its thread does."""
        router = self.routers[number]
        router.route(*received)
        router.flush()

    def read(self) -> int:
        """Read what waits, stream by stream; return how many events there were."""
        count = 0
        for mailbox in self.mailboxes:
            while mailbox.held_events:
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
    turns = [number % len(bench.routers) for number in range(_READS)]
    reads = [(number, bench.messages(number, _MESSAGES_A_READ)) for number in turns]
    # The best of all passes: what disturbs one of them is not what is measured.
    routed = [1.0] * _READS
    read = [0.0] * _READS
    for _ in range(_PASSES):
        for place, (number, messages) in enumerate(reads):
            received = bench.received(messages)
            before = time.perf_counter()
            bench.hand_over(number, received)
            routed[place] = min(routed[place], time.perf_counter() - before)
            del received
            if (place + 1) % _READS_A_TURN == 0:
                before = time.perf_counter()
                bench.read()
                seconds = time.perf_counter() - before
                read[place] = min(read[place] or seconds, seconds)
    events = _READS * _MESSAGES_A_READ
    costs = {"route_us": sum(routed), "read_us": sum(read)}
    print(json.dumps({name: seconds / events * 1e6 for name, seconds in costs.items()}))


if __name__ == "__main__":
    main()
