"""Any frames, cut at any bytes: what comes out is what the websockets package makes of them."""

from __future__ import annotations

import re
import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from polymarket_ws.transport.frames import (
    BINARY,
    CLOSE,
    MAX_MESSAGE_SIZE,
    PING,
    PONG,
    TEXT,
    FrameParser,
)
from tests.transport.streams import (
    CONTINUATION,
    Messages,
    byte_by_byte,
    close_payload,
    frame,
    parse,
)

# RFC 3629 §4, with the beginning of one more character behind it: what may become UTF-8. A
# pattern, because our parser asks Python's decoder, which must not be judge of itself.
_TAIL = rb"[\x80-\xbf]"
_MAY_BECOME_UTF8 = re.compile(
    rb"(?:[\x00-\x7f]|[\xc2-\xdf]T|\xe0[\xa0-\xbf]T|[\xe1-\xec\xee\xef]TT|\xed[\x80-\x9f]T"
    rb"|\xf0[\x90-\xbf]TT|[\xf1-\xf3]TTT|\xf4[\x80-\x8f]TT)*"
    rb"(?P<begun>[\xc2-\xdf]|\xe0[\xa0-\xbf]?|[\xe1-\xec\xee\xef]T?|\xed[\x80-\x9f]?"
    rb"|\xf0(?:[\x90-\xbf]T?)?|[\xf1-\xf3](?:TT?)?|\xf4(?:[\x80-\x8f]T?)?)?".replace(b"T", _TAIL)
)


def is_utf8(text: bytes, *, complete: bool) -> bool:
    found = _MAY_BECOME_UTF8.fullmatch(text)
    return found is not None and not (complete and found["begun"])


def reference(data: bytes, limit: int | None = None) -> tuple[Messages, int | None]:
    """Parse with the sans-I/O client of the websockets package.

    It leaves to its callers to join the fragments, and to look at UTF-8.

    Returns:
        What comes out, and the close code that it answers a violation with.
    """
    protocol = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=limit)
    protocol.receive_data(data)
    messages: Messages = []
    opcode, parts = 0, b""
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        if event.opcode >= CLOSE:
            messages.append((int(event.opcode), bytes(event.data)))
            continue
        opcode = int(event.opcode) or opcode
        parts += event.data
        if opcode == TEXT and not is_utf8(parts, complete=event.fin):
            return messages, 1007
        if event.fin:
            messages.append((opcode, parts))
            parts = b""
    if protocol.parser_exc is None:
        return messages, None
    if protocol.close_rcvd is not None:
        # It takes a close frame between two fragments for a violation. RFC 6455 §5.4 allows
        # every control frame there, and a server may have a reason to stop in a message.
        close = protocol.close_rcvd
        payload = b"" if close.code == 1005 else close.serialize()
        return [*messages, (CLOSE, payload)], None
    assert protocol.close_sent is not None
    return messages, int(protocol.close_sent.code)


def outcome(messages: Messages, parser: FrameParser) -> tuple[Messages, int | None, str]:
    violation = parser.violation
    return messages, violation.code if violation else None, str(violation)


def ours(*reads: bytes, limit: int = MAX_MESSAGE_SIZE) -> tuple[Messages, int | None]:
    messages, parser = parse(*reads, limit=limit)
    return messages, parser.violation.code if parser.violation else None


# What is sent


sizes = st.one_of(st.integers(0, 140), st.sampled_from([125, 126, 127, 65_535, 65_536, 66_000]))
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60).map(str.encode),
    sizes.map(lambda size: b"x" * size),
    st.builds(lambda size: ("é€\U0001f600" * size).encode(), st.integers(0, 40)),
)
no_texts = st.builds(
    lambda before, bad, after: before + bad + after,
    texts,
    st.sampled_from(
        [b"\xff", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xce\xba\xe1"]
    ),
    st.sampled_from([b"", b"x", b"\x80"]),
)
control_frames = st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125))


@st.composite
def message_frames(draw: st.DrawFn, texts: st.SearchStrategy[bytes] = texts) -> bytes:
    """Draw the frames of one message, with control frames between its fragments."""
    opcode = draw(st.sampled_from([TEXT, TEXT, TEXT, BINARY]))
    payload = draw(texts if opcode == TEXT else st.binary(max_size=300))
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    bounds = [0, *cuts, len(payload)]
    frames = []
    for index, start in enumerate(bounds[:-1]):
        frames += draw(st.lists(control_frames, max_size=1))
        final = index == len(cuts)
        frames.append(
            frame(CONTINUATION if index else opcode, payload[start : bounds[index + 1]], fin=final)
        )
    return b"".join(frames)


def raw_frame(head: int, payload: bytes, *, masked: bool = False) -> bytes:
    """Format a frame that the websockets package would not: with any first byte."""
    length, extended = len(payload), b""
    if length >= 126:
        length, extended = 126, struct.pack("!H", length)
    if not masked:
        return bytes([head, length]) + extended + payload
    return bytes([head, length | 0x80]) + extended + b"\0\0\0\0" + payload


close_codes = st.integers(0, 0xFFFF) | st.sampled_from([999, 1004, 1005, 1006, 1015, 2999, 5000])

#: Frames that each break one rule at most: where two are broken at once, either code is right.
lone_frames = st.one_of(
    # Reserved bits, reserved opcodes, a mask.
    st.builds(
        lambda bits, opcode: raw_frame(0x80 | bits | opcode, b"abc" * (opcode != CLOSE)),
        st.sampled_from([0x10, 0x20, 0x40, 0x70]),
        st.sampled_from([TEXT, BINARY, CLOSE, PING, PONG]),
    ),
    st.sampled_from([0x3, 0x7, 0xB, 0xF]).map(lambda opcode: raw_frame(0x80 | opcode, b"abc")),
    st.sampled_from([TEXT, BINARY, PING]).map(
        lambda opcode: raw_frame(0x80 | opcode, b"abc", masked=True)
    ),
    # Control frames that are too long, or in pieces.
    st.builds(
        lambda opcode, size: raw_frame(0x80 | opcode, b"x" * size),
        st.sampled_from([CLOSE, PING, PONG]),
        st.integers(126, 300),
    ),
    st.sampled_from([PING, PONG]).map(lambda opcode: raw_frame(opcode, b"abc")),
    # Close frames, most of them wrong.
    st.binary(max_size=1).map(lambda payload: raw_frame(0x80 | CLOSE, payload)),
    close_codes.map(lambda code: frame(CLOSE, close_payload(code, b"bye"))),
    no_texts.map(lambda text: frame(CLOSE, close_payload(1000, text[:100] + b"\xff"))),
    # Out of their place, more often than not.
    st.builds(
        lambda opcode, payload, fin: frame(opcode, payload, fin=fin),
        st.sampled_from([CONTINUATION, TEXT, BINARY]),
        texts,
        st.booleans(),
    ),
)

valid_streams = st.builds(
    lambda messages, close: b"".join(messages) + close,
    st.lists(message_frames(), max_size=6),
    st.sampled_from([b"", b"", frame(CLOSE), frame(CLOSE, close_payload(1013, b"slow"))]),
)
any_frames = st.lists(
    st.one_of(message_frames(), message_frames(no_texts), control_frames, lone_frames), max_size=6
).map(b"".join)


@st.composite
def mutated_streams(draw: st.DrawFn) -> bytes:
    """Draw a valid stream and break it in a few places, most often where a header may be."""
    data = bytearray(draw(st.lists(message_frames(), min_size=1, max_size=3).map(b"".join)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.one_of(st.integers(0, min(3, len(data))), st.integers(0, len(data))))
        cut = draw(st.integers(0, 2))
        data[at : at + cut] = draw(st.binary(max_size=2))
    return bytes(data)


@st.composite
def reads_of(draw: st.DrawFn, streams: st.SearchStrategy[bytes]) -> list[bytes]:
    """Draw a stream, cut into reads at any bytes."""
    data = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def fragments(parts: list[bytes]) -> bytes:
    """Return one binary message in as many frames, and a short one behind it."""
    frames = [
        frame(CONTINUATION if index else BINARY, part, fin=index == len(parts) - 1)
        for index, part in enumerate(parts)
    ]
    return b"".join((*frames, frame(TEXT, b"x")))


# What comes out


@given(reads_of(valid_streams))
def test_valid_stream_cut_anywhere_gives_what_the_websockets_package_gives(
    reads: list[bytes],
) -> None:
    expected, code = reference(b"".join(reads))
    assert code is None
    assert ours(*reads) == (expected, None)


@settings(max_examples=400)
@given(reads_of(any_frames))
@example([raw_frame(0x80 | CLOSE, b"\x03")])
@example([frame(TEXT, b"a", fin=False) + frame(CLOSE, close_payload(1001))])
@example([frame(TEXT, b"\xf4", fin=False), frame(PING), frame(CONTINUATION, b"\x90", fin=False)])
@example([frame(TEXT, b"\xed\xa0", fin=False), frame(PING), frame(CONTINUATION, b"\x80")])
def test_any_frames_cut_anywhere_give_the_same_messages_and_the_same_close_code(
    reads: list[bytes],
) -> None:
    assert ours(*reads) == reference(b"".join(reads))


@given(
    reads_of(st.lists(st.binary(max_size=200), max_size=4).map(fragments)),
    st.integers(1, 700),
)
def test_size_limit_is_met_at_the_same_frame_with_the_same_close_code(
    reads: list[bytes], limit: int
) -> None:
    assert ours(*reads, limit=limit) == reference(b"".join(reads), limit)


@given(
    message_frames(),
    st.integers(0, 65_535),
    st.sampled_from([TEXT, BINARY]),
    st.data(),
)
def test_length_in_a_longer_form_is_refused_though_the_websockets_package_takes_it(
    before: bytes, length: int, opcode: int, data: st.DataObject
) -> None:
    long = (
        b"\x7e" + struct.pack("!H", length)
        if length < 126
        else b"\x7f\0\0\0\0" + struct.pack("!I", length)
    )
    stream = before + bytes([0x80 | opcode]) + long + b"x" * length
    reads = data.draw(reads_of(st.just(stream)))
    taken, code = reference(stream)
    assert code is None
    assert ours(*reads) == (taken[:-1], 1002)


@given(st.one_of(mutated_streams(), st.binary(max_size=40)))
def test_broken_stream_gives_what_the_websockets_package_gives_up_to_the_violation(
    data: bytes,
) -> None:
    expected, code = reference(data)
    messages, our_code = ours(data)
    if our_code is None:
        # Nothing that websockets refuses is let through ...
        assert code is None
        assert messages == expected
    else:
        # ... and it refuses less and later: not a length's form, and nothing of a frame that
        # is not complete.
        assert messages == expected[: len(messages)]
        assert our_code in (1002, 1007, 1009)


@given(reads_of(st.one_of(mutated_streams(), any_frames, st.binary(max_size=200))))
def test_how_a_stream_is_cut_makes_no_difference(reads: list[bytes]) -> None:
    assert outcome(*parse(*reads)) == outcome(*parse(b"".join(reads)))


@settings(max_examples=50)
@given(st.one_of(mutated_streams(), any_frames), st.sampled_from([50, 130, MAX_MESSAGE_SIZE]))
def test_byte_by_byte_gives_what_one_read_gives(data: bytes, limit: int) -> None:
    assert outcome(*parse(*byte_by_byte(data), limit=limit)) == outcome(*parse(data, limit=limit))
