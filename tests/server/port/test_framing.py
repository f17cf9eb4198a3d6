"""Frames without sockets: messages in their places however the bytes are cut, violations with code and reason."""

from __future__ import annotations

import struct
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from exchange.server.port.framing import Framing, clip_reason, measure_frame, text_header
from tests.support.ws import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    client_frame,
    close_frame,
    close_of,
    frame_header,
    server_frames,
    text,
)

MAX_BYTES = 1000


def read(framing: Framing, data: bytes) -> list[bytes]:
    return list(framing.receive(data))


def failure(framing: Framing) -> tuple[int, str]:
    """Code and reason of the close frame that is to be sent; it must be the last one, and then TCP ends."""
    *frames, end = framing.to_send()
    assert end == b""
    assert not framing.open
    opcode, payload = server_frames(b"".join(frames))[-1]
    assert opcode == CLOSE
    return close_of(payload)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 999, 1000])
def test_a_text_of_any_allowed_length_is_one_message(length: int) -> None:
    framing = Framing(MAX_BYTES)
    assert read(framing, text("x" * length)) == [b"x" * length]
    assert framing.open
    assert framing.to_send() == []


def test_a_text_above_64_kib_is_one_message() -> None:
    framing = Framing(1 << 20)
    message = bytes(range(32, 127)) * 1000
    assert read(framing, client_frame(TEXT, message)) == [message]


def test_many_frames_in_one_read_come_in_order() -> None:
    framing = Framing(MAX_BYTES)
    messages = [f"message {number}".encode() for number in range(500)]
    assert read(framing, b"".join(client_frame(TEXT, message) for message in messages)) == messages


def test_a_ping_between_texts_is_answered_with_its_own_payload() -> None:
    framing = Framing(MAX_BYTES)
    assert read(framing, text("a") + client_frame(PING, b"are you there") + text("b")) == [b"a", b"b"]
    assert server_frames(b"".join(framing.to_send())) == [(PONG, b"are you there")]


def test_a_pong_is_noticed_and_is_no_message() -> None:
    framing = Framing(MAX_BYTES)
    assert not framing.pong_seen
    assert read(framing, client_frame(PONG)) == []
    assert framing.pong_seen


def test_fragments_are_joined_and_may_be_interrupted_by_control_frames() -> None:
    framing = Framing(MAX_BYTES)
    euro = "€".encode()
    data = (
        client_frame(TEXT, b"a" + euro[:1], fin=False)
        + client_frame(PING, b"1")
        + client_frame(CONT, b"", fin=False)
        + client_frame(CONT, euro[1:] + b"z")
        + text("next")
    )
    assert read(framing, data) == ["a€z".encode(), b"next"]
    assert server_frames(b"".join(framing.to_send())) == [(PONG, b"1")]


def test_endless_empty_fragments_take_no_memory() -> None:
    framing = Framing(MAX_BYTES)
    read(framing, client_frame(TEXT, b"a", fin=False))
    for _ in range(100):
        assert read(framing, client_frame(CONT, b"", fin=False) * 100) == []
    assert read(framing, client_frame(CONT, b"b")) == [b"ab"]


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        pytest.param(client_frame(BINARY, b"{}"), 1003, "binary frames are not accepted", id="binary"),
        pytest.param(client_frame(BINARY, b"{", fin=False), 1003, "binary frames", id="binary fragment"),
        pytest.param(client_frame(TEXT, b"ok\xff"), 1007, "invalid start byte at byte 2", id="not UTF-8"),
        pytest.param(client_frame(TEXT, b"\xed\xa0\x80"), 1007, "not UTF-8", id="surrogate"),
        pytest.param(client_frame(TEXT, "€".encode()[:2]), 1007, "unexpected end of data", id="half a character"),
        pytest.param(
            client_frame(TEXT, b"\xe2", fin=False) + client_frame(CONT, b"("),
            1007,
            "not UTF-8",
            id="bad across fragments",
        ),
        pytest.param(b"\x81\x01x", 1002, "masking", id="unmasked"),
        pytest.param(b"\x81\x7e\x01\x00" + b"x" * 256, 1002, "masking", id="unmasked and long"),
        pytest.param(client_frame(0x3), 1002, "opcode", id="unknown opcode"),
        pytest.param(client_frame(TEXT | 0x40), 1002, "reserved", id="reserved bit"),
        pytest.param(client_frame(CONT, b"x"), 1002, "continuation", id="continuation of nothing"),
        pytest.param(
            client_frame(TEXT, b"x", fin=False) + text("y"), 1002, "continuation", id="new text within a fragmented one"
        ),
        pytest.param(client_frame(PING, b"x" * 126), 1002, "control frame", id="ping too long"),
        pytest.param(client_frame(PING, b"x", fin=False), 1002, "fragmented control", id="fragmented ping"),
        pytest.param(client_frame(CLOSE, b"\x03"), 1002, "too short", id="close frame of one byte"),
        pytest.param(client_frame(CLOSE, struct.pack("!H", 1006)), 1002, "status", id="close code that is never sent"),
        pytest.param(client_frame(TEXT, b"x" * 1001), 1009, "1001", id="one byte too long"),
        pytest.param(frame_header(TEXT, 1 << 40), 1009, "1099511627776", id="announces a terabyte"),
        pytest.param(frame_header(TEXT, (1 << 64) - 1), 1009, "limit", id="announces all there can be"),
        pytest.param(
            client_frame(TEXT, b"x" * 600, fin=False) + frame_header(CONT, 401), 1009, "401", id="fragments too long"
        ),
    ],
)
def test_a_violation_is_refused_with_code_and_reason(data: bytes, code: int, words: str) -> None:
    """Also in the middle of good messages: what came before counts, what comes behind does not."""
    framing = Framing(MAX_BYTES)
    assert read(framing, text("before") + data + text("behind")) == [b"before"]
    closed_with, reason = failure(framing)
    assert closed_with == code
    assert words in reason
    assert read(framing, text("later")) == []
    assert framing.to_send() == []


def test_a_frame_that_is_too_long_is_refused_before_any_of_it_is_gathered() -> None:
    framing = Framing(MAX_BYTES)
    header = frame_header(TEXT, 1 << 40)
    for byte in header[:-1]:
        assert read(framing, bytes([byte])) == []
    assert framing.open
    read(framing, header[-1:])
    assert failure(framing)[0] == 1009


def test_the_far_sides_close_frame_is_echoed_and_ends_tcp() -> None:
    framing = Framing(MAX_BYTES)
    assert read(framing, text("last") + close_frame(1000, "done") + text("too late")) == [b"last"]
    assert failure(framing) == (1000, "done")


def test_our_close_frame_waits_for_the_answer() -> None:
    framing = Framing(MAX_BYTES)
    framing.close(4001, "bye")
    assert not framing.open
    assert server_frames(b"".join(framing.to_send())) == [(CLOSE, struct.pack("!H", 4001) + b"bye")]
    assert read(framing, text("on its way")) == []
    assert framing.to_send() == []
    read(framing, close_frame(4001, "bye"))
    assert framing.to_send() == [b""]


def test_closing_in_the_middle_of_a_read_ends_the_messages() -> None:
    framing = Framing(MAX_BYTES)
    seen = []
    for message in framing.receive(text("a") + text("b") + text("c")):
        seen.append(message)
        if message == b"b":
            framing.close(1008, "enough")
    assert seen == [b"a", b"b"]


def test_the_answer_to_our_close_frame_may_come_behind_half_a_message() -> None:
    framing = Framing(MAX_BYTES)
    whole = text("cut in two")
    read(framing, whole[:7])
    framing.close(1008, "enough")
    framing.to_send()
    assert read(framing, whole[7:] + close_frame(1008)) == []
    assert framing.to_send() == [b""]


def test_only_the_first_end_counts() -> None:
    framing = Framing(MAX_BYTES)
    framing.fail(1008, "first")
    framing.fail(1011, "second")
    framing.close(1000, "third")
    assert failure(framing) == (1008, "first")


def test_a_reason_is_cut_at_the_end_of_a_character() -> None:
    assert clip_reason("short") == "short"
    assert clip_reason("期" * 50) == "期" * 41
    framing = Framing(MAX_BYTES)
    framing.close(1012, "期" * 50)
    assert server_frames(b"".join(framing.to_send()))[0][1][2:].decode() == "期" * 41


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536])
def test_our_text_header_is_what_the_library_writes(length: int) -> None:
    payload = b"x" * length
    assert text_header(length) + payload == Frame(Opcode.TEXT, payload).serialize(mask=False)


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536, 1 << 40])
def test_a_frame_is_measured_only_from_its_whole_length_field(length: int) -> None:
    header = frame_header(TEXT, length)
    for cut in range(len(header)):
        assert measure_frame(b"??" + header[:cut], 2) == (0, 0)
    payload_at = 2 + len(header) + 4
    assert measure_frame(b"??" + header, 2) == (payload_at, payload_at + length)


FRAMES = st.one_of(
    st.text(max_size=300).map(text),
    st.binary(max_size=60).map(lambda payload: client_frame(TEXT, payload)),
    st.tuples(st.sampled_from([TEXT, CONT]), st.text(max_size=200), st.booleans()).map(
        lambda parts: client_frame(parts[0], parts[1].encode(), fin=parts[2])
    ),
    st.sampled_from([PING, PONG]).map(lambda opcode: client_frame(opcode, b"p")),
    st.integers(0, MAX_BYTES + 200).map(lambda length: client_frame(TEXT, b"l" * length)),
    st.sampled_from([client_frame(BINARY, b"b"), close_frame(1000, "bye"), b"\x81\x00", b"\xff\x80mask", b""]),
)


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=12), st.randoms(use_true_random=False))
def test_any_cut_of_the_bytes_gives_what_the_library_alone_reads(frames: list[bytes], random: Random) -> None:
    """The oracle reads with websockets' ServerProtocol alone, frame by frame."""
    expected_messages, expected_code = by_the_library(frames)
    data = b"".join(frames)
    framing = Framing(MAX_BYTES)
    messages: list[bytes] = []
    sent = b""
    while data:
        cut = random.choice([1, 2, 5, 40, 400, len(data)])
        messages += read(framing, data[:cut])
        sent += b"".join(framing.to_send())
        data = data[cut:]
    codes = [close_of(payload)[0] for opcode, payload in server_frames(sent) if opcode == CLOSE]
    assert messages == expected_messages
    assert codes == ([expected_code] if expected_code else [])
    assert framing.open == (expected_code is None)


def by_the_library(frames: list[bytes]) -> tuple[list[bytes], int | None]:
    """Messages, and the code of our close frame if there is one."""
    protocol = ServerProtocol(state=OPEN, max_size=MAX_BYTES)
    messages: list[bytes] = []
    pieces = b""
    for data in frames:
        if not data:
            continue
        protocol.receive_data(data)
        for event in protocol.events_received():
            assert isinstance(event, Frame)
            if event.opcode is Opcode.BINARY:
                return messages, 1003
            if event.opcode in (Opcode.TEXT, Opcode.CONT):
                pieces += bytes(event.data)
                if event.fin:
                    try:
                        pieces.decode()
                    except UnicodeDecodeError:
                        return messages, 1007
                    messages.append(pieces)
                    pieces = b""
        if protocol.state is not OPEN:
            assert protocol.close_sent is not None
            return messages, int(protocol.close_sent.code)
    return messages, None
