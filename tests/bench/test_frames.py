"""The load generator's frames are those that the server reads and writes."""

from __future__ import annotations

import pytest

from exchange.bench.frames import next_frame, text_frame
from exchange.server.port.framing import Framing, text_header

LENGTHS = (0, 1, 125, 126, 300, 65_535)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_server_reads_a_client_s_frame(length: int) -> None:
    text = b"x" * length
    assert list(Framing(1 << 17).receive(text_frame(text) + text_frame(b"next"))) == [text, b"next"]


@pytest.mark.parametrize("length", [*LENGTHS, 65_536, 70_000])
def test_a_server_s_frame_is_found_once_it_is_whole(length: int) -> None:
    before = b"before"
    frame = text_header(length) + b"x" * length
    header = len(frame) - length
    assert next_frame(before + frame + b"\x81", len(before)) == (len(before) + header, len(before) + len(frame))
    for cut in {1, header - 1, header, len(frame) - 1} - {len(frame)}:
        assert next_frame(before + frame[:cut], len(before)) == (0, 0), cut
