"""A client's side of WebSocket with as little work as possible: only what a load generator meets on a loopback."""

from __future__ import annotations

from struct import Struct
from typing import Final

UPGRADE: Final = (
    b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIGtleSBtZWFucyBubw==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
"""The opening request; `%s` is the path."""
UPGRADED: Final = b"HTTP/1.1 101 "
END_OF_HEAD: Final = b"\r\n\r\n"

PING: Final = 0x89
CLOSE: Final = 0x88
PONG: Final = b"\x8a\x80\0\0\0\0"
"""An empty pong; the exchange's pings are empty."""

_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)
"""A mask of zeros leaves the payload as it is. The server takes it off like any other."""
_HEADER_16: Final = Struct("!BBH")


def text_frame(text: bytes) -> bytes:
    """A client's text frame of at most 65535 bytes."""
    if len(text) < 126:
        return bytes((0x81, _MASKED | len(text))) + _NO_MASK + text
    return _HEADER_16.pack(0x81, _MASKED | 126, len(text)) + _NO_MASK + text


def next_frame(data: bytes, at: int) -> tuple[int, int]:
    """Where the payload of a server's frame that begins at `at` begins and ends; `(0, 0)` while it is not whole."""
    available = len(data) - at
    if available < 2:
        return 0, 0
    length, start = data[at + 1], at + 2
    if length == 126:
        start = at + 4
        length = int.from_bytes(data[at + 2 : start]) if available >= 4 else len(data)
    elif length == 127:
        start = at + 10
        length = int.from_bytes(data[at + 2 : start]) if available >= 10 else len(data)
    end = start + length
    return (start, end) if end <= len(data) else (0, 0)
