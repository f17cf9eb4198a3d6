"""One WebSocket connection's frames without a socket: bytes in, whole text messages out, and the bytes that answer.

Nearly all inbound frames are whole, unfragmented text: those are read here, as are the headers of all outbound ones.
Everything else (control frames, fragments, the closing handshake, every violation) is the business of websockets'
`ServerProtocol`, which is given one whole frame at a time, so that both see every message in its place.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from struct import Struct
from sys import maxsize

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # the C extension is optional in websockets' own build
    from websockets.utils import apply_mask

FINAL_TEXT = 0x81
"""First byte of a text frame that is a whole message, without reserved bits (RFC 6455 section 5.2)."""
MASKED = 0x80
"""Bit of the second byte that every frame of a client must carry."""
MASK_BYTES = 4
ALLOWANCE_SHIFT = 12
"""A frame takes one of the allowance, and one more for every whole 4 KiB: large ones are no way around the bound."""
REASON_MAX_BYTES = 123
"""A close frame carries at most 125 bytes, two of them the code (RFC 6455 section 5.5)."""

_LENGTH_16 = Struct("!H")
_LENGTH_64 = Struct("!Q")
_HEADER_16 = Struct("!BBH")
_HEADER_64 = Struct("!BBQ")
_SHORT_HEADERS = tuple(bytes((FINAL_TEXT, length)) for length in range(126))


def at_least_warning(record: logging.LogRecord) -> bool:
    """A filter that lets no lower record pass, whatever level somebody sets."""
    return record.levelno >= logging.WARNING


library_log = logging.getLogger("exchange.websocket.library")
"""Given to `ServerProtocol`, which reports every opening and closing as INFO: nothing worth a line each."""
library_log.setLevel(logging.WARNING)
# At DEBUG it shows what clients send, passwords and tickets among it: that must not depend on a level alone.
library_log.addFilter(at_least_warning)


class Framing:
    """Reads what the far side sends after the opening handshake, and words our control frames.

    `receive` yields messages, `to_send` gives what must go out because of them. A violation of the protocol (RFC 6455),
    a binary frame, text that is not UTF-8 or a message above the bound ends the connection: `open` turns False and
    a close frame with code and reason is among the bytes to send.
    """

    __slots__ = (
        "_message_max_bytes",
        "_needed_bytes",
        "_partial",
        "_pieces",
        "_protocol",
        "allowance",
        "held",
        "open",
        "pong_seen",
    )

    def __init__(self, message_max_bytes: int) -> None:
        self.allowance = maxsize
        """Frames that may still be read, of any kind: to be raised before `receive`, and whenever none is left. Below 0
        when the last one was large."""
        self.held = False
        """Whether `receive` stopped for want of allowance and kept the rest: call it again, with nothing, to go on."""
        self.open = True
        """Whether neither side has begun to close."""
        self.pong_seen = False
        """Set whenever a pong arrives, whatever it answers: also an unasked pong shows that the far side lives."""
        self._message_max_bytes = message_max_bytes
        self._protocol = ServerProtocol(state=OPEN, max_size=message_max_bytes, logger=library_log)
        self._partial: bytearray | None = None
        """The beginning of a frame that has not arrived whole."""
        self._needed_bytes = 0
        """How long `_partial` must grow before it is worth another look."""
        self._pieces: bytearray | None = None
        """The fragments so far of a message that comes in several frames."""

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Take what the socket gave and yield each whole message in order, unmasked, valid UTF-8, within the bound.

        To be exhausted before the next call. Ends early when the allowance is used up, see `held`, and when the
        connection begins to close, also by a `close` of whoever handles the message in hand: what comes behind is no
        message any more.
        """
        data = self._with_partial(data)
        self.held = False
        at = 0
        while self.open:
            if self.allowance <= 0:
                self.held = at < len(data)
                self._keep(data, at, needed_bytes=0)
                return
            payload_at, end = measure_frame(data, at)
            if payload_at == 0:
                self._keep(data, at, needed_bytes=len(data) - at + 1)
                return
            length = end - payload_at
            if (
                end <= len(data)
                and data[at] == FINAL_TEXT
                and data[at + 1] >= MASKED
                and length <= self._message_max_bytes
                and self._pieces is None
            ):
                message: bytes | None = self._checked_text(unmask(data, payload_at, end))
            elif end <= len(data) or data[at + 1] < MASKED or length > self._room():
                # Whole, or to be refused by its header alone: a frame that is too long is never gathered.
                message = self._receive_frame(data[at:end])
            else:
                self._keep(data, at, needed_bytes=end - at)
                return
            at = end
            self.allowance -= 1 + (length >> ALLOWANCE_SHIFT)
            if message is not None:
                yield message
        if at < len(data):
            self._protocol.receive_data(data[at:])

    def ping(self) -> None:
        """Ask the far side whether it lives."""
        self._protocol.send_ping(b"")

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; the far side is to answer with a close frame of its own."""
        if self.open:
            self.open = False
            self._protocol.send_close(code, clip_reason(reason))

    def fail(self, code: int, reason: str) -> None:
        """Say why and end our side at once, without waiting for the far side's close frame."""
        if self.open:
            self.open = False
            self._protocol.fail(code, clip_reason(reason))

    def to_send(self) -> list[bytes]:
        """Take the frames that must go out; an empty one at the end means: then end our side of the TCP connection."""
        return self._protocol.data_to_send()

    def _with_partial(self, data: bytes) -> bytes:
        """What arrived, behind what was kept; empty while that is still too short to be read."""
        if self._partial is None:
            return data
        # Appending and looking only when enough is there keeps a frame that comes byte by byte from costing its square.
        self._partial += data
        if len(self._partial) < self._needed_bytes:
            return b""
        data = bytes(self._partial)
        self._partial = None
        return data

    def _keep(self, data: bytes, at: int, *, needed_bytes: int) -> None:
        """Keep the beginning of a frame until `needed_bytes` of it are there."""
        if at < len(data):
            self._partial = bytearray(data[at:])
            self._needed_bytes = needed_bytes

    def _room(self) -> int:
        """Bytes that the message in hand may still grow by."""
        return self._message_max_bytes - len(self._pieces or b"")

    def _receive_frame(self, data: bytes) -> bytes | None:
        """Give one frame to the library; the message that it completes, if any."""
        self._protocol.receive_data(data)
        message = None
        for event in self._protocol.events_received():
            assert isinstance(event, Frame), f"{event!r} after the opening handshake"
            message = self._message_of(event)
        self.open = self._protocol.state is OPEN
        return message

    def _message_of(self, frame: Frame) -> bytes | None:
        """The message that a frame completes; pings and close frames have been answered by the library already."""
        match frame.opcode:
            case Opcode.TEXT | Opcode.CONT:
                # A continuation belongs to a text: a binary message was refused with its first frame.
                pieces = self._pieces or bytearray()
                pieces += frame.data
                self._pieces = None if frame.fin else pieces
                return self._checked_text(bytes(pieces)) if frame.fin else None
            case Opcode.BINARY:
                self.fail(CloseCode.UNSUPPORTED_DATA, "binary frames are not accepted: send JSON in text frames")
            case Opcode.PONG:
                self.pong_seen = True
            case Opcode.PING | Opcode.CLOSE:
                pass
        return None

    def _checked_text(self, message: bytes) -> bytes | None:
        """The message if it is UTF-8, as text frames must be; the connection fails otherwise."""
        if message.isascii():
            return message
        try:
            message.decode()
        except UnicodeDecodeError as error:
            self.fail(CloseCode.INVALID_DATA, f"text is not UTF-8: {error.reason} at byte {error.start}")
            return None
        return message


def measure_frame(data: bytes, at: int) -> tuple[int, int]:
    """Where the payload of the masked frame that begins at `at` begins, and where the frame ends, maybe behind `data`.

    `(0, 0)` while the header is not complete. A frame without the mask bit is measured as if it had a mask.
    """
    available = len(data) - at
    if available < 2:
        return 0, 0
    length = data[at + 1] & 0x7F
    if length < 126:
        payload_at = at + 2 + MASK_BYTES
    elif length == 126:
        if available < 4:
            return 0, 0
        (length,) = _LENGTH_16.unpack_from(data, at + 2)
        payload_at = at + 4 + MASK_BYTES
    else:
        if available < 10:
            return 0, 0
        (length,) = _LENGTH_64.unpack_from(data, at + 2)
        payload_at = at + 10 + MASK_BYTES
    return payload_at, payload_at + length


def unmask(data: bytes, payload_at: int, end: int) -> bytes:
    """The payload of a whole frame as `measure_frame` found it, its mask taken off."""
    return apply_mask(data[payload_at:end], data[payload_at - MASK_BYTES : payload_at])


def text_header(length: int) -> bytes:
    """The header of a server's text frame: a whole message of `length` bytes, unmasked."""
    if length < 126:
        return _SHORT_HEADERS[length]
    if length < 1 << 16:
        return _HEADER_16.pack(FINAL_TEXT, 126, length)
    return _HEADER_64.pack(FINAL_TEXT, 127, length)


def clip_reason(reason: str) -> str:
    """The reason cut to what a close frame holds, at the end of a character."""
    return reason.encode()[:REASON_MAX_BYTES].decode(errors="ignore")
