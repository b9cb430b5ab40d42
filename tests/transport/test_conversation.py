from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from polymarket_ws.delivery import Delivery, Mailbox
from polymarket_ws.events.lifecycle import DecodeFailure
from polymarket_ws.events.market import LastTradePrice
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.protocol.market import MarketDialect
from polymarket_ws.protocol.session import Session
from polymarket_ws.routing import Router, Want
from polymarket_ws.transport.conversation import Conversation
from polymarket_ws.transport.line import ABNORMAL, End, Line
from polymarket_ws.transport.opening import Opened
from polymarket_ws.transport.readiness import Readiness
from tests.mailboxes import take
from tests.transport.peers import server_frame

TRADE = (
    b'{"market":"0x1","asset_id":"1","price":"0.5","size":"2","side":"BUY",'
    b'"timestamp":"1791128525003","event_type":"last_trade_price"}'
)


class Talk:
    """A conversation over a socket pair, in the thread of the test."""

    def __init__(self, early: bytes = b"", liveness: Liveness | None = None) -> None:
        ours, self.peer = socket.socketpair()
        ours.setblocking(False)
        self.ours = ours
        self.mailbox = Mailbox(Delivery())
        self.session = Session(MarketDialect(), liveness or Liveness(), connection=1)
        self.router = Router(Mailbox(Delivery()), lambda _: False, channel="market", connection=1)
        self.readiness = Readiness()
        want = Want(self.mailbox, {"1": frozenset((LastTradePrice,))})
        self.router.want(want, connected=None, sent=())
        self.session.want(self.router.ids, self.router.decoded, time.monotonic())
        self.line = Line(Opened(ours, early), self.readiness)
        self.conversation = Conversation(
            self.line,
            session=self.session,
            router=self.router,
            recovery=None,
            ask_elsewhere=self.ask_elsewhere,
            wait=self.wait,
            flush=self.router.flush,
            is_stopping=lambda: False,
        )
        self.session.opened(time.monotonic(), time.time())

    def ask_elsewhere(self, ids: list[str]) -> list[str]:
        return ids

    def wait(
        self, sock: socket.socket | None, *, read: bool, write: bool, until: float | None
    ) -> tuple[bool, bool]:
        readable, writable, _ = self.readiness.wait(sock, read=read, write=write, until=until)
        return readable, writable

    def close(self) -> None:
        self.ours.close()
        self.peer.close()
        self.readiness.close()


@pytest.fixture
def talk() -> Iterator[Talk]:
    talk = Talk()
    yield talk
    talk.close()


def test_everything_before_a_hang_up_is_routed(talk: Talk) -> None:
    talk.peer.sendall(server_frame(TRADE) * 3)
    talk.peer.shutdown(socket.SHUT_WR)
    assert talk.conversation.hold() == End(
        ABNORMAL, "the peer hung up without a close frame", by_peer=True
    )
    assert talk.mailbox.reading().received == 4  # with the word that it was subscribed


def test_bytes_behind_the_upgrade_are_the_first_to_be_routed() -> None:
    talk = Talk(early=server_frame(TRADE) + server_frame(b"\x03\xe8bye", 8))
    assert talk.conversation.hold() == End(1000, "bye", by_peer=True)
    assert talk.mailbox.reading().received == 1
    talk.close()


def test_broken_frame_ends_it_with_its_close_code(talk: Talk) -> None:
    talk.peer.sendall(b"\xff\x00")
    end = talk.conversation.hold()
    assert end.code == 1002
    assert not end.by_peer
    *_, told = take(talk.mailbox)
    assert isinstance(told, DecodeFailure)
    assert told.error == end.reason


def test_silence_ends_it(seconds: Callable[[float], float]) -> None:
    talk = Talk(liveness=Liveness(socket=0.1))
    began = time.monotonic()
    assert "no frame of any kind" in talk.conversation.hold().reason
    assert time.monotonic() - began < seconds(5)
    talk.close()


def test_binary_message_is_told_and_the_talk_goes_on(talk: Talk) -> None:
    talk.peer.sendall(server_frame(b"\x00\xff", 2) + server_frame(TRADE))
    talk.peer.shutdown(socket.SHUT_WR)
    talk.conversation.hold()
    told, event, *_ = take(talk.mailbox)
    assert isinstance(told, DecodeFailure)
    assert told.error == "a binary message"
    assert isinstance(event, LastTradePrice)
