"""One WebSocket connection under one `asyncio.Protocol`: no task, no queue, no ASGI hop per frame.

The text messages of the far side go to a `Peer`, which answers through the connection it was made with. What was sent
in one pass of the loop leaves in one `transport.write`.

An open connection always waits for exactly one thing, in that one's line of deadlines (`WebSocketGate` has the lines):

    pings    until it is time to ask whether the far side lives
    pongs    until it answers; then it is back in `pings`, else it is disconnected
    stalled  until a full transport has drained; then it is back in `pings`, else it is cut. Nothing is read meanwhile:
             pongs could not be seen, and whoever sends without reading fills its own buffers instead of ours
    closing  until the far side ends TCP, after a close frame went out or came in; else it is cut

Beside that it stands in the line `paused` while it has sent more than it may: nothing is read meanwhile, and what was
read already waits, at most one read of the socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from websockets.frames import CloseCode

from exchange.server.identity.online import OnlineUser
from exchange.server.port.addresses import address_text, host_of, network_of
from exchange.server.port.deadlines import DeadlineLine
from exchange.server.port.framing import Framing, text_header
from exchange.server.port.limits import Pace

if TYPE_CHECKING:
    from exchange.server.port.gate import WebSocketGate

log = logging.getLogger("exchange.websocket")


class Peer(Protocol):
    """What a connection talks to: one for each connection, made by the factory of its path.

    The calls come from the event loop, one at a time. An exception disconnects the connection with code 1011, is
    logged, and reaches nobody else.
    """

    def on_text(self, text: bytes) -> None:
        """One whole text message: valid UTF-8, within the path's bound."""

    def on_writable(self) -> None:
        """`WebSocketConnection.writable` is True again: a held-back step may be made."""

    def on_disconnect(self) -> None:
        """The connection is over, for whatever reason; called exactly once, in a loop pass of its own, and last."""


PeerFactory = Callable[["WebSocketConnection"], Peer]


class WebSocketConnection(asyncio.Protocol):
    """A connection as its peer holds it, and as asyncio drives it.

    `send` and `disconnect` are for the peer, from the loop's thread only. Both do nothing once the connection closes.
    """

    __slots__ = (
        "_ends",
        "_framing",
        "_gate",
        "_is_full",
        "_is_paused",
        "_line",
        "_outgoing",
        "_outgoing_bytes",
        "_overrun_bytes",
        "_pace",
        "_peer",
        "_transport",
        "connected_at",
        "headers",
        "logged_in_at",
        "network",
        "number",
        "path",
        "query",
        "remote",
        "user",
        "writable",
    )

    def __init__(self, gate: WebSocketGate) -> None:
        self.number = gate.next_number()
        """Counts the connections of this process, from 1."""
        self.path = ""
        self.query = ""
        """What follows the question mark in the address, not decoded."""
        self.headers: Mapping[str, str] = {}
        """The headers of the request, by name in any case."""
        self.remote = ""
        """The far side's address, such as `127.0.0.1:50412` or `[::1]:50412`."""
        self.network = ""
        """What counts as the far side's address: see `network_of`."""
        self.user: OnlineUser | None = None
        """Whose connection it is; None before the login."""
        self.connected_at = gate.clock.time()
        """In seconds of the gate's clock, as `logged_in_at`."""
        self.logged_in_at: float | None = None
        self.writable = False
        """Whether a step may be made: open, and the transport not too full. What is sent nevertheless is bounded."""
        self._gate = gate
        self._transport: asyncio.Transport
        self._framing: Framing | None = None
        self._peer: Peer | None = None
        self._line: DeadlineLine[WebSocketConnection] | None = None
        self._outgoing: list[bytes] = []
        self._outgoing_bytes = 0
        self._overrun_bytes = 0
        self._ends = False
        self._pace = Pace(gate.settings.messages_per_connection)
        self._is_full = False
        """Whether the transport is, and must drain first."""
        self._is_paused = False
        """Whether it stands in `paused`."""

    # For the peer.

    def send(self, text: bytes) -> None:
        """Queue one text frame; all of a loop pass go out together. `text` is UTF-8 and not checked again.

        A peer minds `writable`. What it sends while that is False is queued too, so that an answer in hand is not lost,
        up to `overrun_max_bytes`; beyond, the connection is cut.
        """
        if not self.writable and not self._may_overrun(len(text)):
            return
        if not self._outgoing:
            self._gate.flush_soon(self)
        self._outgoing += (text_header(len(text)), text)
        self._outgoing_bytes += len(text)
        if self._outgoing_bytes >= self._gate.settings.write_high_water_bytes:
            # So that the transport can say it is full while the peer is still making steps.
            self.flush()

    def disconnect(self, code: int, reason: str) -> None:
        """Send what is queued and a close frame; cut the connection if the far side has not closed in time.

        `reason` is for whoever reads the client's log; what is longer than 123 bytes is left out.
        """
        assert reason, f"close code {code} needs a reason"
        if self._framing is not None and self._framing.open:
            self._framing.close(code, reason)
            self._after_frames(self._framing)

    def join_user(self, name: str, token_hash: bytes | None) -> bool:
        """Count as a connection of this user from now on; False where the user may have no further one."""
        if not self._is_open():
            return True  # nobody is there any more: nothing to count, and nothing to refuse
        assert self.user is None, f"connection {self.number} has logged in already"
        self.user = self._gate.online.join(self, name, token_hash)
        if self.user is not None:
            self.logged_in_at = self._gate.clock.time()
            self._pace.of_user = self.user.messages
            self._gate.strangers.discard(self)
        return self.user is not None

    # For who watches the connections.

    @property
    def peer(self) -> Peer | None:
        """What it talks to; None before the opening handshake is done."""
        return self._peer

    @property
    def unsent_bytes(self) -> int:
        """What the far side was sent and has not read, as far as this process knows."""
        return self._outgoing_bytes + self._transport.get_write_buffer_size()

    # For the gate.

    def read_on(self) -> None:
        """A pause for having sent too much is over."""
        self._is_paused = False
        self._read_on()

    def ping(self) -> None:
        """Ask whether the far side lives."""
        assert self._framing is not None
        self._framing.ping()
        self._queue(self._framing.to_send())
        self._wait_in(self._gate.pongs)

    def give_up(self) -> None:
        """No pong came: disconnect without waiting for an answer to the close frame either."""
        assert self._framing is not None
        self._framing.fail(
            CloseCode.INTERNAL_ERROR, f"no pong came within {self._gate.settings.ping_timeout_s:g} s of a ping"
        )
        self._after_frames(self._framing)

    def cut(self) -> None:
        """End the TCP connection at once and throw away what was not sent: the far side has had its time."""
        self._gate.cut_total += 1
        self._begin_closing()
        self._transport.abort()

    def flush(self) -> None:
        """Give the transport all that is queued, in one write."""
        outgoing, self._outgoing, self._outgoing_bytes = self._outgoing, [], 0
        if self._transport.is_closing():
            return
        if outgoing:
            self._transport.write(b"".join(outgoing))
        if self._ends:
            self._ends = False
            self._end_tcp()

    # For asyncio.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # only TCP comes here
        """Take over the transport from the HTTP protocol, which read the request."""
        self._transport = transport
        peername = transport.get_extra_info("peername")
        self.remote = address_text(peername)
        self.network = network_of(host_of(peername))
        high_water = self._gate.settings.write_high_water_bytes
        transport.set_write_buffer_limits(high=high_water, low=high_water // 4)
        self._gate.remember(self)

    def data_received(self, data: bytes) -> None:
        """Read frames; the first call brings the request, which the HTTP protocol has read and hands over."""
        framing = self._framing
        if framing is None:
            # After a refused request there is no framing either: what still comes is of no interest.
            if self._line is None:
                self._open(data)
            return
        self._read(framing, data)
        self._after_frames(framing)

    def eof_received(self) -> None:
        """The far side sends no more. asyncio closes the transport after this, once everything is written."""
        self.flush()
        self._begin_closing()

    def pause_writing(self) -> None:
        """The transport holds more than the high water mark."""
        self.writable = False
        self._is_full = True
        self._transport.pause_reading()
        if self._is_open():
            self._wait_in(self._gate.stalled)

    def resume_writing(self) -> None:
        """The transport has drained to the low water mark."""
        self._is_full = False
        if self._is_open():
            self.writable = True
            self._overrun_bytes = 0
            self._wait_in(self._gate.pings)
            self._tell(lambda peer: peer.on_writable())
        self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP is over."""
        self._begin_closing()
        self._wait_in(None)
        self._outgoing.clear()
        self._gate.forget(self)

    # Within.

    def _open(self, request: bytes) -> None:
        """Answer the request, and make the peer if it is granted."""
        answer = self._gate.answer_upgrade(request, self.network)
        self._queue(answer.to_send)
        if answer.endpoint is None:
            self._begin_closing()
            return
        self.path, self.query, self.headers = answer.path, answer.query, answer.headers
        self._framing = Framing(answer.endpoint.message_max_bytes)
        self._framing.allowance = 0
        self.writable = True
        self._gate.strangers.add(self)
        self._wait_in(self._gate.pings)
        try:
            self._peer = answer.endpoint.make_peer(self)
        except Exception:
            self._peer_failed()

    def _read(self, framing: Framing, data: bytes) -> None:
        """Hand the messages to the peer, as many as may come; the rest waits in the framing."""
        peer, clock = self._peer, self._gate.clock
        while True:
            for message in framing.receive(data):
                assert peer is not None
                try:
                    peer.on_text(message)
                except Exception:
                    self._peer_failed()
                if framing.allowance <= 0:
                    framing.allowance += self._pace.granted(clock.time(), owed=-framing.allowance)
            if not framing.held:
                return
            framing.allowance += self._pace.granted(clock.time(), owed=-framing.allowance)
            if framing.allowance <= 0:
                self._pause()
                return
            data = b""

    def _pause(self) -> None:
        """Read nothing for a moment: too much has come."""
        self._is_paused = True
        self._gate.paused.join(self)
        self._transport.pause_reading()
        if self._line is self._gate.pongs:
            # The pong may stand behind all that is not read yet; and who sends this much lives.
            self._wait_in(self._gate.pings)

    def _read_on(self) -> None:
        """Read again, first what waits already, unless something else still keeps it from that."""
        if self._is_full or self._is_paused or self._transport.is_closing():
            return
        self._transport.resume_reading()
        if self._framing is not None and self._framing.held:
            self.data_received(b"")

    def _after_frames(self, framing: Framing) -> None:
        """Send what the frames demand, and see what they changed."""
        self._queue(framing.to_send())
        if framing.pong_seen:
            framing.pong_seen = False
            if self._line is self._gate.pongs:
                self._wait_in(self._gate.pings)
        if not framing.open:
            self._begin_closing()

    def _queue(self, frames: list[bytes]) -> None:
        """Queue what the library wants sent; its empty frame means: end our side of TCP after the others."""
        if frames:
            if not self._outgoing:
                self._gate.flush_soon(self)
            self._ends = frames[-1] == b""
            self._outgoing += frames

    def _is_open(self) -> bool:
        return self._framing is not None and self._framing.open

    def _may_overrun(self, more_bytes: int) -> bool:
        """Whether this may be sent although the connection is not writable; one that sends too much so is cut."""
        if not self._is_open():
            return False
        self._overrun_bytes += more_bytes
        if self._overrun_bytes <= self._gate.settings.overrun_max_bytes:
            return True
        log.warning(
            "connection %d (%s, %s) is cut: %d bytes were sent to it while it was not writable",
            self.number,
            self.remote,
            self.path,
            self._overrun_bytes,
        )
        self.cut()
        return False

    def _begin_closing(self) -> None:
        """Nothing more is read or sent but the closing handshake; the peer is told, after whatever it is doing now."""
        if self._line is self._gate.closing:
            return
        self.writable = False
        if self._framing is not None:
            self._framing.open = False
        self._wait_in(self._gate.closing)
        self._gate.clock.call_soon(self._end_peer)
        if self._is_paused:
            # To see the far side close; what it said before that is of no interest any more.
            self._gate.paused.leave(self)
            self.read_on()

    def _end_peer(self) -> None:
        self._tell(lambda peer: peer.on_disconnect())
        self._peer = None

    def _tell(self, call: Callable[[Peer], None]) -> None:
        """Call the peer, if there is one."""
        if self._peer is not None:
            try:
                call(self._peer)
            except Exception:
                self._peer_failed()

    def _peer_failed(self) -> None:
        """To be called while the peer's exception is being handled."""
        log.exception("connection %d (%s, %s): its peer failed", self.number, self.remote, self.path)
        self.disconnect(CloseCode.INTERNAL_ERROR, "the server failed on this connection; the failure is logged")

    def _end_tcp(self) -> None:
        """End our side and go on reading: closing both would reset the far side before it has read our close frame."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _wait_in(self, line: DeadlineLine[WebSocketConnection] | None) -> None:
        """Leave the line it waits in for another one."""
        if self._line is not None:
            self._line.leave(self)
        self._line = line
        if line is not None:
            line.join(self)
