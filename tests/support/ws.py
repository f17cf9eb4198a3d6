"""WebSocket in the raw for tests: frames as bytes, a client that only does what it is told, and stand-ins for asyncio.

`RawClient` speaks over a real socket and reads nothing unless asked, so a test can be the worst client there is.
`FakeTransport` and `FakeClock` let a connection run without sockets and without waiting.
"""

from __future__ import annotations

import asyncio
import heapq
import socket
import struct
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Self

from exchange.server.port.websocket import WebSocketConnection

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x37\xfa\x21\x3d"


def client_frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame as a client must send it: masked."""
    masked = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    return frame_header(opcode, len(payload), fin=fin) + MASK + masked


def frame_header(opcode: int, length: int, *, fin: bool = True, mask_bit: int = 0x80) -> bytes:
    """The header up to the mask, which may announce any length."""
    first = opcode | (0x80 if fin else 0)
    if length < 126:
        return struct.pack("!BB", first, mask_bit | length)
    if length < 1 << 16:
        return struct.pack("!BBH", first, mask_bit | 126, length)
    return struct.pack("!BBQ", first, mask_bit | 127, length)


def text(payload: str) -> bytes:
    """A client's text frame."""
    return client_frame(TEXT, payload.encode())


def close_frame(code: int, reason: str = "") -> bytes:
    """A client's close frame."""
    return client_frame(CLOSE, struct.pack("!H", code) + reason.encode())


def take_frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Opcode and payload of the first of a server's frames, and what follows; None while it is not whole."""
    if len(data) < 2:
        return None
    assert not data[1] & 0x80, "a server's frame is never masked"
    assert data[0] & 0x80, "this server does not fragment"
    length, at = data[1] & 0x7F, 2
    if length >= 126:
        at = 4 if length == 126 else 10
        if len(data) < at:
            return None
        length = int.from_bytes(data[2:at], "big")
    if len(data) < at + length:
        return None
    return data[0] & 0x0F, data[at : at + length], data[at + length :]


def server_frames(data: bytes) -> list[tuple[int, bytes]]:
    """All frames of what a server sent, each (opcode, payload); nothing may be left over."""
    frames = []
    while data:
        taken = take_frame(data)
        assert taken is not None, f"{data!r} is no whole frame"
        opcode, payload, data = taken
        frames.append((opcode, payload))
    return frames


def close_of(payload: bytes) -> tuple[int, str]:
    """Code and reason of a close frame."""
    return int.from_bytes(payload[:2], "big"), payload[2:].decode()


def upgrade_request(path: str = "/ws", *, host: str = "localhost", **headers: str) -> bytes:
    """The request for a WebSocket; further headers by name, `_` for `-`; an empty value leaves one out."""
    fields = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class RawClient:
    """A TCP client that reads and writes exactly what the test says."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = b""
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def connect(cls, port: int, *, receive_buffer_bytes: int | None = None) -> Self:
        """Connect to the port on 127.0.0.1; a small receive buffer makes the server feel sooner that nobody reads."""
        sock = socket.socket()
        if receive_buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        return cls(sock)

    @classmethod
    async def open(cls, port: int, path: str = "/ws", *, receive_buffer_bytes: int | None = None) -> Self:
        """Connect and become a WebSocket."""
        client = await cls.connect(port, receive_buffer_bytes=receive_buffer_bytes)
        await client.send(upgrade_request(path))
        status, _ = await client.read_head()
        assert status == 101, f"the upgrade was answered with {status}"
        return client

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    async def read_head(self) -> tuple[int, str]:
        """Status and whole head of an HTTP answer."""
        while b"\r\n\r\n" not in self.received:
            assert await self._read_more(), f"the connection ended within a head: {self.received!r}"
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), head.decode()

    async def read_bytes(self, count_bytes: int) -> bytes:
        """Exactly so many bytes."""
        while len(self.received) < count_bytes:
            assert await self._read_more(), f"the connection ended within {count_bytes} bytes: {self.received!r}"
        data, self.received = self.received[:count_bytes], self.received[count_bytes:]
        return data

    async def read_frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
        while (taken := take_frame(self.received)) is None:
            assert await self._read_more(), f"the connection ended within a frame: {self.received!r}"
        opcode, payload, self.received = taken
        return opcode, payload

    async def read_text(self) -> str:
        opcode, payload = await self.read_frame()
        assert opcode == TEXT, (opcode, payload)
        return payload.decode()

    async def read_close(self) -> tuple[int, str]:
        """Code and reason of the close frame that must come next."""
        opcode, payload = await self.read_frame()
        assert opcode == CLOSE, (opcode, payload)
        return close_of(payload)

    async def read_to_end(self) -> bytes:
        """All that comes until the server ends the connection, in order or by a reset."""
        try:
            while await self._read_more():
                pass
        except ConnectionError:
            pass
        return self.received

    def close(self) -> None:
        self.sock.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    async def _read_more(self) -> bool:
        data = await self._loop.sock_recv(self.sock, 1 << 16)
        self.received += data
        return bool(data)


class RecordingPeer:
    """Keeps what it is told, and answers each text as `answer` says (default: with the same text)."""

    def __init__(
        self,
        connection: WebSocketConnection,
        answer: Callable[[WebSocketConnection, bytes], None] = lambda connection, text: connection.send(text),
    ) -> None:
        self.connection = connection
        self.texts: list[bytes] = []
        self.writable_calls = 0
        self.disconnect_calls = 0
        self.disconnected = asyncio.Event()
        self._answer = answer

    def on_text(self, text: bytes) -> None:
        self.texts.append(text)
        self._answer(self.connection, text)

    def on_writable(self) -> None:
        self.writable_calls += 1

    def on_disconnect(self) -> None:
        self.disconnect_calls += 1
        self.disconnected.set()


class FakeClock:
    """The event loop's clock and calls, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self._soon: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._numbers = count()

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], object]) -> None:
        self._soon.append(callback)

    def call_at(self, when: float, callback: Callable[[], object]) -> FakeTimer:
        timer = FakeTimer(callback)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def run_pass(self) -> None:
        """One pass of the loop: what was to be called soon, but not what those calls ask for."""
        for _ in range(len(self._soon)):
            self._soon.popleft()()

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that it brings."""
        end = self.now + seconds
        self._run_soon()
        while self._timers and self._timers[0][0] <= end:
            self.now, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                timer.callback()
            self._run_soon()
        self.now = end

    def calls_waiting(self) -> int:
        """How many calls the next pass will make."""
        return len(self._soon)

    def timers_set(self) -> int:
        """How many timers are running."""
        return sum(timer.callback is not None for _, _, timer in self._timers)

    def _run_soon(self) -> None:
        while self._soon:
            self.run_pass()


class FakeTimer:
    """What `call_at` gives back."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeTransport(asyncio.Transport):
    """A transport whose far side reads only when told, and which then does to its protocol what asyncio's would."""

    def __init__(self, *, can_half_close: bool = True) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        """Each call of `write`, whole."""
        self.unread_bytes = 0
        """What the far side has not read."""
        self.reads = True
        """Whether the far side reads at once all that is written."""
        self.reading = True
        self.eof_written = False
        self.closed = False
        self.aborted = False
        self.protocol: asyncio.Protocol | None = None
        self._can_half_close = can_half_close
        self._high = self._low = 0
        self._full = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 50412) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high, self._low = high or 0, low or 0

    def write(self, data: bytes) -> None:  # type: ignore[override]
        assert not self.eof_written, "written after the end"
        assert not self.closed, "written after the connection was closed"
        self.writes.append(data)
        if not self.reads:
            self.unread_bytes += len(data)
        if self.unread_bytes > self._high and not self._full:
            self._full = True
            assert self.protocol is not None
            self.protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return self.unread_bytes

    def drain(self, read_bytes: int | None = None) -> None:
        """The far side reads so many bytes, or all there are."""
        self.unread_bytes -= self.unread_bytes if read_bytes is None else read_bytes
        if self._full and self.unread_bytes <= self._low:
            self._full = False
            assert self.protocol is not None
            self.protocol.resume_writing()

    def sent(self) -> bytes:
        """All that was written since the last call."""
        data = b"".join(self.writes)
        self.writes.clear()
        return data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def can_write_eof(self) -> bool:
        return self._can_half_close

    def write_eof(self) -> None:
        assert not self.eof_written, "ended twice"
        self.eof_written = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed
