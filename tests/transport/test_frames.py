from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from polymarket_ws.errors import ProtocolViolation, UsageError
from polymarket_ws.transport.frames import (
    BINARY,
    CLOSE,
    MAX_MESSAGE_SIZE,
    PING,
    PONG,
    TEXT,
    FrameParser,
    close_frame,
    parse_close,
    ping_frame,
    pong_frame,
    text_frame,
)
from tests.transport.streams import CONTINUATION, byte_by_byte, close_payload, frame, parse

RECORDINGS = Path(__file__).resolve().parents[2].parent / "shared" / "wire" / "recordings"


def violation_of(*reads: bytes, limit: int = MAX_MESSAGE_SIZE) -> ProtocolViolation:
    messages, parser = parse(*reads, limit=limit)
    assert messages == []
    assert parser.violation is not None
    return parser.violation


# Whole messages


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 300, 65_535, 65_536, 200_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_message_of_every_length_form_comes_out_whole(opcode: int, size: int) -> None:
    payload = b"x" * size
    messages, parser = parse(frame(opcode, payload))
    assert messages == [(opcode, payload)]
    assert parser.violation is None


def test_many_messages_in_one_read_come_out_in_order() -> None:
    expected = [(TEXT, b"%d" % number * (number % 200)) for number in range(300)]
    messages, _ = parse(b"".join(frame(*message) for message in expected))
    assert messages == expected


def test_empty_read_yields_nothing() -> None:
    messages, parser = parse(b"")
    assert messages == []
    assert parser.violation is None


def test_empty_text_message_is_delivered() -> None:
    messages, _ = parse(frame(TEXT) + frame(TEXT, b"{}"))
    assert messages == [(TEXT, b""), (TEXT, b"{}")]


def test_payloads_are_bytes_however_they_arrived() -> None:
    data = frame(TEXT, b"a" * 500) + frame(PING, b"b") + frame(BINARY, b"c" * 70_000)
    for reads in ([data], byte_by_byte(data)):
        messages, _ = parse(*reads)
        assert [type(payload) for _, payload in messages] == [bytes, bytes, bytes]


def test_message_is_delivered_by_the_read_that_completes_it() -> None:
    parser = FrameParser()
    data = frame(TEXT, b"a" * 300)
    assert parser.feed(data[:-1]) == []
    assert parser.feed(data[-1:] + frame(TEXT, b"next")) == [b"a" * 300, b"next"]


@pytest.mark.parametrize("size", [5, 300, 70_000])
def test_message_cut_at_any_byte_of_its_header_is_whole(size: int) -> None:
    data = frame(TEXT, "é".encode() * size) + frame(PONG, b"p")
    for cut in range(12):
        messages, parser = parse(data[:cut], data[cut:])
        assert messages == [(TEXT, "é".encode() * size), (PONG, b"p")]
        assert parser.violation is None


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not part of the repo")
def test_recorded_frames_come_out_as_they_were_sent() -> None:
    texts = [
        line.rstrip(b"\n")
        for path in sorted(RECORDINGS.glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]
    assert len(texts) > 10
    stream = b"".join(frame(TEXT, text) for text in texts)
    for read in (1_460, 16_384, len(stream)):
        messages, _ = parse(*(stream[at : at + read] for at in range(0, len(stream), read)))
        assert [payload for _, payload in messages] == texts
        assert all(json.loads(payload) is not None for _, payload in messages)


# Fragmentation


def test_fragments_are_joined() -> None:
    data = (
        frame(TEXT, b"one ", fin=False)
        + frame(CONTINUATION, b"two ", fin=False)
        + frame(CONTINUATION, b"three")
    )
    messages, _ = parse(data)
    assert messages == [(TEXT, b"one two three")]


def test_empty_fragments_are_joined() -> None:
    data = frame(BINARY, fin=False) + frame(CONTINUATION, fin=False) + frame(CONTINUATION)
    messages, parser = parse(data + frame(TEXT, b"after"))
    assert messages == [(BINARY, b""), (TEXT, b"after")]
    assert parser.violation is None


def test_control_frames_between_fragments_come_first() -> None:
    data = (
        frame(TEXT, b"a", fin=False)
        + frame(PING, b"1")
        + frame(CONTINUATION, b"b", fin=False)
        + frame(PONG, b"2")
        + frame(CONTINUATION, b"c")
    )
    messages, _ = parse(data)
    assert messages == [(PING, b"1"), (PONG, b"2"), (TEXT, b"abc")]


def test_close_between_fragments_ends_the_stream() -> None:
    payload = close_payload(1001)
    data = frame(TEXT, b"a", fin=False) + frame(CLOSE, payload) + frame(CONTINUATION, b"b")
    messages, parser = parse(data)
    assert messages == [(CLOSE, payload)]
    assert parser.violation is None


def test_character_cut_by_a_fragment_is_valid() -> None:
    euro = "€".encode()
    data = (
        frame(TEXT, euro[:1], fin=False)
        + frame(CONTINUATION, euro[1:2], fin=False)
        + frame(CONTINUATION, euro[2:])
    )
    messages, _ = parse(data)
    assert messages == [(TEXT, euro)]


def test_message_after_a_fragmented_one_starts_afresh() -> None:
    fragmented = frame(TEXT, "é".encode()[:1], fin=False) + frame(CONTINUATION, "é".encode()[1:])
    messages, parser = parse(fragmented + frame(TEXT, b"plain") + fragmented)
    assert messages == [(TEXT, "é".encode()), (TEXT, b"plain"), (TEXT, "é".encode())]
    assert parser.violation is None


def test_continuation_without_a_start_is_refused() -> None:
    assert violation_of(frame(CONTINUATION, b"x")).code == 1002


def test_continuation_after_a_finished_message_is_refused() -> None:
    data = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b") + frame(CONTINUATION, b"c")
    messages, parser = parse(data)
    assert messages == [(TEXT, b"ab")]
    assert parser.violation is not None
    assert parser.violation.code == 1002


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [True, False])
def test_new_message_inside_a_fragmented_one_is_refused(opcode: int, fin: bool) -> None:
    data = frame(TEXT, b"a", fin=False) + frame(opcode, b"b", fin=fin)
    assert violation_of(data).code == 1002


# Headers


@pytest.mark.parametrize("opcode", [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF])
def test_reserved_opcode_is_refused(opcode: int) -> None:
    violation = violation_of(bytes([0x80 | opcode, 0]))
    assert violation.code == 1002
    assert hex(opcode) in str(violation)


@pytest.mark.parametrize("opcode", [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG])
@pytest.mark.parametrize("bit", [0x40, 0x20, 0x10])
def test_reserved_bit_is_refused(opcode: int, bit: int) -> None:
    assert violation_of(bytes([0x80 | bit | opcode, 0])).code == 1002


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
@pytest.mark.parametrize("size", [0, 5, 300])
def test_masked_frame_is_refused(opcode: int, size: int) -> None:
    payload = b"" if opcode == CLOSE else b"x" * min(size, 125 if opcode == PING else size)
    data = Frame(Opcode(opcode), payload).serialize(mask=True)
    violation = violation_of(data)
    assert violation.code == 1002
    assert "masked" in str(violation)


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_fragmented_control_frame_is_refused(opcode: int) -> None:
    assert violation_of(bytes([opcode, 0])).code == 1002


@pytest.mark.parametrize("opcode", [PING, PONG])
def test_control_frame_of_125_bytes_is_taken(opcode: int) -> None:
    messages, _ = parse(frame(opcode, b"x" * 125))
    assert messages == [(opcode, b"x" * 125)]


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
@pytest.mark.parametrize("length", [126, 127])
def test_control_frame_above_125_bytes_is_refused_by_its_header(opcode: int, length: int) -> None:
    assert violation_of(bytes([0x80 | opcode, length])).code == 1002


@pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1])
def test_64_bit_length_with_the_highest_bit_is_refused(length: int) -> None:
    violation = violation_of(b"\x82\x7f" + struct.pack("!Q", length))
    assert violation.code == 1002
    assert "highest bit" in str(violation)


@pytest.mark.parametrize("length", [0, 1, 125])
def test_16_bit_length_below_126_is_refused(length: int) -> None:
    data = b"\x81\x7e" + struct.pack("!H", length) + b"x" * length
    assert violation_of(data).code == 1002


@pytest.mark.parametrize("length", [0, 125, 126, 65_535])
def test_64_bit_length_below_65536_is_refused(length: int) -> None:
    data = b"\x81\x7f" + struct.pack("!Q", length) + b"x" * length
    assert violation_of(data).code == 1002


def test_violation_in_a_header_does_not_wait_for_the_payload() -> None:
    assert violation_of(b"\xc1\x05").code == 1002


# UTF-8

INVALID_UTF8 = [
    pytest.param(b"\xff", id="never a byte of UTF-8"),
    pytest.param(b"\x80", id="continuation byte alone"),
    pytest.param(b"\xc0\xaf", id="overlong"),
    pytest.param(b"\xed\xa0\x80", id="surrogate"),
    pytest.param(b"\xf4\x90\x80\x80", id="above U+10FFFF"),
    pytest.param(b"\xce\xba\xe1", id="ends inside a character"),
]


@pytest.mark.parametrize("payload", INVALID_UTF8)
@pytest.mark.parametrize("padding", [0, 300, 70_000])
def test_invalid_utf8_in_a_text_message_is_refused(payload: bytes, padding: int) -> None:
    assert violation_of(frame(TEXT, b"x" * padding + payload)).code == 1007


@pytest.mark.parametrize("payload", INVALID_UTF8)
def test_invalid_utf8_in_a_fragmented_text_message_is_refused(payload: bytes) -> None:
    fragments = [frame(TEXT, b"x", fin=False)]
    fragments += [frame(CONTINUATION, byte, fin=False) for byte in byte_by_byte(payload)]
    fragments.append(frame(CONTINUATION))
    assert violation_of(b"".join(fragments)).code == 1007


@pytest.mark.parametrize("payload", INVALID_UTF8)
def test_binary_message_may_hold_anything(payload: bytes) -> None:
    messages, parser = parse(frame(BINARY, payload))
    assert messages == [(BINARY, payload)]
    assert parser.violation is None


def test_highest_code_point_is_valid_text() -> None:
    text = "\U0010ffff".encode()
    messages, _ = parse(*byte_by_byte(frame(TEXT, text)))
    assert messages == [(TEXT, text)]


def test_bad_byte_in_a_fragment_is_noticed_before_the_message_ends() -> None:
    good = frame(TEXT, b"a", fin=False)
    assert violation_of(good + frame(CONTINUATION, b"\xff", fin=False)).code == 1007


def test_bad_byte_in_an_unfinished_frame_is_noticed_at_once() -> None:
    data = frame(TEXT, b"x" * 1_000 + b"\xff" + b"x" * 70_000)
    parser = FrameParser()
    assert parser.feed(data[:900]) == []
    assert parser.violation is None
    assert parser.feed(data[900:2_000]) == []
    assert parser.violation is not None
    assert parser.violation.code == 1007


def test_impossible_character_is_noticed_at_its_second_byte() -> None:
    # As in Autobahn 6.4: F4 90 can only begin a character above U+10FFFF.
    data = frame(TEXT, b"\xf4\x90\x80\x80")
    assert violation_of(data[:4]).code == 1007


def test_half_a_surrogate_is_noticed_before_its_third_byte() -> None:
    half = "é".encode() + b"\xed\xa0"
    for reads in (
        [frame(TEXT, half, fin=False)],
        byte_by_byte(frame(TEXT, half, fin=False)),
        [frame(TEXT, half[:3], fin=False), frame(CONTINUATION, half[3:], fin=False)],
        [frame(TEXT, half + b"\x80" * 70_000)[:14]],
    ):
        violation = violation_of(*reads)
        assert violation.code == 1007
        assert "at byte 2: invalid continuation byte" in str(violation)
    _, parser = parse(frame(TEXT, b"\xed\x9f", fin=False))
    assert parser.violation is None


def test_violation_names_the_place_in_the_message_of_the_bad_byte() -> None:
    payload = "é".encode() * 100 + b"\xff"
    data = frame(TEXT, payload)
    fragmented = frame(TEXT, payload[:151], fin=False) + frame(CONTINUATION, payload[151:])
    for reads in ([data], byte_by_byte(data), [fragmented], byte_by_byte(fragmented)):
        assert "at byte 200:" in str(violation_of(*reads))


def test_place_of_a_bad_byte_is_counted_from_the_start_of_its_own_message() -> None:
    first = frame(TEXT, b"x" * 50, fin=False) + frame(CONTINUATION, b"y" * 50)
    _, parser = parse(first + frame(TEXT, b"z", fin=False) + frame(CONTINUATION, b"\xff"))
    assert "at byte 1:" in str(parser.violation)


# The size limit


def test_default_limit_is_32_mib() -> None:
    header = b"\x82\x7f" + struct.pack("!Q", 32 * 1024 * 1024)
    assert parse(header)[1].violation is None
    header = b"\x82\x7f" + struct.pack("!Q", 32 * 1024 * 1024 + 1)
    assert violation_of(header).code == 1009


@pytest.mark.parametrize("limit", [10, 125, 126, 1_000, 65_535, 65_536, 100_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_message_of_exactly_the_limit_is_taken(opcode: int, limit: int) -> None:
    messages, parser = parse(frame(opcode, b"x" * limit), limit=limit)
    assert [len(payload) for _, payload in messages] == [limit]
    assert parser.violation is None


@pytest.mark.parametrize("limit", [10, 125, 126, 1_000, 65_535, 65_536, 100_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_message_above_the_limit_is_refused(opcode: int, limit: int) -> None:
    violation = violation_of(frame(opcode, b"x" * (limit + 1)), limit=limit)
    assert violation.code == 1009
    assert f"{limit + 1} bytes" in str(violation)
    assert f"{limit} bytes" in str(violation)


def test_message_above_the_limit_is_refused_by_its_header() -> None:
    assert violation_of(frame(TEXT, b"x" * 1_000)[:4], limit=999).code == 1009


def test_limit_holds_for_all_fragments_together() -> None:
    data = frame(TEXT, b"x" * 60, fin=False) + frame(CONTINUATION, b"x" * 41)
    violation = violation_of(data[:-41], limit=100)
    assert violation.code == 1009
    assert "101 bytes" in str(violation)


def test_limit_starts_afresh_with_every_message() -> None:
    fragmented = frame(TEXT, b"x" * 60, fin=False) + frame(CONTINUATION, b"x" * 40)
    messages, parser = parse(fragmented * 5, limit=100)
    assert messages == [(TEXT, b"x" * 100)] * 5
    assert parser.violation is None


def test_control_frames_do_not_count_against_the_limit() -> None:
    data = frame(TEXT, b"x" * 10, fin=False) + frame(PING, b"y" * 50) + frame(CONTINUATION)
    messages, parser = parse(data, limit=10)
    assert messages == [(PING, b"y" * 50), (TEXT, b"x" * 10)]
    assert parser.violation is None


# Close frames


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4008, 4999]
)
def test_close_code_that_may_be_sent_is_taken(code: int) -> None:
    payload = close_payload(code, "später".encode())
    messages, parser = parse(frame(CLOSE, payload))
    assert messages == [(CLOSE, payload)]
    assert parser.violation is None
    assert parse_close(payload) == (code, "später")


@pytest.mark.parametrize(
    "code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]
)
def test_close_code_that_may_not_be_sent_is_refused(code: int) -> None:
    violation = violation_of(frame(CLOSE, close_payload(code)))
    assert violation.code == 1002
    assert str(code) in str(violation)


def test_close_without_a_code_is_taken() -> None:
    messages, _ = parse(frame(CLOSE))
    assert messages == [(CLOSE, b"")]
    assert parse_close(b"") == (1005, "")


def test_close_with_half_a_code_is_refused() -> None:
    violation = violation_of(frame(CLOSE, b"\x03"))
    assert violation.code == 1002
    assert "half a close code" in str(violation)


def test_close_reason_that_is_not_utf8_is_refused() -> None:
    violation = violation_of(frame(CLOSE, close_payload(1013, b"slow\xff")))
    assert violation.code == 1007
    assert "1013" in str(violation)


def test_parse_close_raises_what_the_parser_keeps() -> None:
    for payload in (b"\x03", close_payload(1005), close_payload(1000, b"\xff")):
        with pytest.raises(ProtocolViolation) as raised:
            parse_close(payload)
        kept = violation_of(frame(CLOSE, payload))
        assert (raised.value.code, str(raised.value)) == (kept.code, str(kept))


def test_close_with_the_longest_reason_is_taken() -> None:
    payload = close_payload(1008, b"r" * 123)
    messages, _ = parse(*byte_by_byte(frame(CLOSE, payload)))
    assert messages == [(CLOSE, payload)]


def test_frames_after_a_close_frame_are_ignored() -> None:
    close = frame(CLOSE, close_payload(1000))
    messages, parser = parse(close + frame(TEXT, b"late") + b"\xff\xff", frame(TEXT, b"later"))
    assert messages == [(CLOSE, close_payload(1000))]
    assert parser.violation is None


# After a violation


def test_what_was_complete_before_a_violation_is_returned() -> None:
    data = frame(TEXT, b"a") + frame(PING, b"b") + frame(CONTINUATION, b"c") + frame(TEXT, b"d")
    messages, parser = parse(data)
    assert messages == [(TEXT, b"a"), (PING, b"b")]
    assert parser.violation is not None


def test_what_was_complete_before_invalid_utf8_is_returned() -> None:
    messages, parser = parse(frame(TEXT, b"a") + frame(TEXT, b"\xff") + frame(TEXT, b"c"))
    assert messages == [(TEXT, b"a")]
    assert parser.violation is not None


def test_nothing_is_returned_after_a_violation() -> None:
    parser = FrameParser()
    parser.feed(b"\xff\xff")
    violation = parser.violation
    assert violation is not None
    assert parser.feed(frame(TEXT, b"a")) == []
    assert parser.feed(frame(CONTINUATION, b"a")) == []
    assert parser.violation is violation


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"\xff\xff", id="header"),
        pytest.param(frame(TEXT, b"\xff"), id="text"),
        pytest.param(frame(TEXT, b"\xff", fin=False), id="fragment"),
        pytest.param(frame(CLOSE, close_payload(1000, b"\xff")), id="close reason"),
    ],
)
def test_violation_does_not_keep_the_read_alive(bad: bytes) -> None:
    data = frame(TEXT, b"x" * 1_000) + bad
    before = sys.getrefcount(data)
    parser = FrameParser()
    parser.feed(data)
    assert parser.violation is not None
    assert sys.getrefcount(data) == before


# Large messages in many reads


def test_large_frame_in_many_reads_is_appended_to_one_buffer() -> None:
    payload = b"0123456789abcdef" * (20_000_000 // 16)
    data = frame(BINARY, payload)
    parser = FrameParser()
    read = 64 * 1024
    buffer = None
    *reads, last = (data[at : at + read] for at in range(0, len(data), read))
    for number, part in enumerate(reads, start=1):
        assert parser.feed(part) == []
        # The same growing buffer and nothing left to join: a byte is copied a few times, where
        # joining a remainder with every read would copy 3 GB here.
        assert buffer is None or parser._buffer is buffer
        buffer = parser._buffer
        assert len(buffer) == number * read - 10
        assert parser._remainder == b""
    assert parser.feed(last) == [(BINARY, payload)]
    assert len(parser._buffer) == 0


def test_rest_of_a_large_frame_does_not_delay_what_follows() -> None:
    payload = "€".encode() * 100_000
    data = frame(TEXT, payload) + frame(TEXT, b"next") + frame(PING)
    messages, _ = parse(*(data[at : at + 1_000] for at in range(0, len(data), 1_000)))
    assert messages == [(TEXT, payload), (TEXT, b"next"), (PING, b"")]


# What the client sends


def received_by_a_server(data: bytes) -> list[Frame]:
    """Parse with the sans-I/O server of the websockets package, which insists on masks."""
    protocol = ServerProtocol(state=OPEN)
    protocol.receive_data(data)
    assert protocol.parser_exc is None
    frames = []
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        frames.append(event)
    return frames


@pytest.mark.parametrize("text", ["", "PING", '{"type": "market"}', "é€\U0001f600", "x" * 70_000])
def test_text_frame_arrives_at_a_server(text: str) -> None:
    expected = [Frame(Opcode.TEXT, text.encode())]
    assert received_by_a_server(text_frame(text)) == expected
    assert received_by_a_server(text_frame(text.encode())) == expected


@pytest.mark.parametrize("payload", [b"", b"abc", bytes(range(125))])
def test_ping_and_pong_frames_arrive_at_a_server(payload: bytes) -> None:
    assert received_by_a_server(ping_frame(payload)) == [Frame(Opcode.PING, payload)]
    assert received_by_a_server(pong_frame(payload)) == [Frame(Opcode.PONG, payload)]


def test_client_frames_are_masked_with_a_new_key_each() -> None:
    keys = {text_frame("PING")[2:6] for _ in range(50)}
    assert len(keys) > 1
    assert text_frame("PING")[1] & 0x80


def test_ping_and_pong_refuse_more_than_125_bytes() -> None:
    for format_frame in (ping_frame, pong_frame):
        with pytest.raises(UsageError, match="at most 125 bytes, not 126"):
            format_frame(b"x" * 126)


def test_close_frame_arrives_at_a_server() -> None:
    (received,) = received_by_a_server(close_frame(1002, "gebrochen: é"))
    assert received.opcode == Opcode.CLOSE
    assert parse_close(bytes(received.data)) == (1002, "gebrochen: é")


def test_close_frame_without_arguments_is_a_normal_closure() -> None:
    (received,) = received_by_a_server(close_frame())
    assert parse_close(bytes(received.data)) == (1000, "")


def test_close_frame_echoes_a_close_without_a_code() -> None:
    (received,) = received_by_a_server(close_frame(*parse_close(b"")))
    assert bytes(received.data) == b""


@pytest.mark.parametrize("code", [0, 999, 1004, 1006, 1015, 2999, 5000, 70_000, -1])
def test_close_frame_refuses_a_code_that_may_not_be_sent(code: int) -> None:
    with pytest.raises(UsageError, match=f"close code {code} may not be sent"):
        close_frame(code)


@pytest.mark.parametrize("reason", ["r" * 200, "é" * 100, "x" + "\U0001f600" * 50])
def test_close_frame_cuts_a_long_reason_between_characters(reason: str) -> None:
    (received,) = received_by_a_server(close_frame(1008, reason))
    _, received_reason = parse_close(bytes(received.data))
    assert reason.startswith(received_reason)
    assert 123 - 3 <= len(received_reason.encode()) <= 123


def test_close_frame_takes_a_reason_that_cannot_be_encoded() -> None:
    (received,) = received_by_a_server(close_frame(1008, "bad \ud800"))
    assert parse_close(bytes(received.data)) == (1008, "bad ?")
