"""uvicorn's HTTP protocol with bounds: on the head, the body, and the time that everything may take.

uvicorn itself bounds none of: a connection that never sends a request, a head that trickles in, a large head that comes
in one piece, the body, a client that does not read its answer. A connection here always stands in the line of deadlines
of what it waits for, unless an application works on its request or uvicorn's own keep-alive timer runs.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from exchange.server.port.addresses import host_of, network_of
from exchange.server.port.deadlines import DeadlineLine, LoopClock
from exchange.server.port.limits import AddressCounts, too_many_of_address

HEAD_MAX_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Bounds of HTTP connections; times in seconds. They cover a WebSocket until it is granted."""

    head_max_bytes: int = HEAD_MAX_BYTES
    """Request line and headers; above: 431."""
    body_max_bytes: int = 1024 * 1024
    """Above: 413."""
    request_timeout_s: float = 10.0
    """From the connection, or the first byte of a later request, to the end of the request; then 408."""
    keep_alive_s: int = 5
    """From an answer to the next request."""
    stalled_timeout_s: float = 30.0
    """How long an answer may wait without one byte of it being read."""
    close_timeout_s: float = 5.0
    """How long the far side may take to close; shutdown waits as long for requests in hand."""
    connections_max: int = 10_000
    """Above: 503. A crowd that comes back at once is a crowd of HTTP connections, until their requests are read;
    WebSocket connections are counted by their gate."""
    connections_per_address: int = 10_000
    """Above: 429. WebSocket connections are counted with these."""


class HttpDoor:
    """All HTTP connections of a port, and the deadlines they share."""

    def __init__(self, settings: HttpSettings, clock: LoopClock, addresses: AddressCounts) -> None:
        self.settings = settings
        self.addresses = addresses
        """All connections of the port, also those that became WebSockets."""
        self.state = ServerState()
        """uvicorn's register of connections and of tasks that answer requests."""
        self.requests = DeadlineLine(settings.request_timeout_s, HttpConnection.request_late, clock)
        self.stalled = DeadlineLine(settings.stalled_timeout_s, HttpConnection.answer_stalled, clock)
        self.closing = DeadlineLine(settings.close_timeout_s, HttpConnection.cut, clock)
        self._empty = asyncio.Event()

    def connection_gone(self) -> None:
        """To be called after a connection has left the register."""
        if not self.state.connections:
            self._empty.set()

    async def stop(self) -> None:
        """Close what is idle, let requests in hand end within the close timeout, then cut them."""
        for connection in list(self.state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.settings.close_timeout_s):
                await self._all_gone()
        except TimeoutError:
            for connection in list(self.state.connections):
                connection.transport.abort()
            for task in self.state.tasks:
                task.cancel()
            if self.state.tasks:
                await asyncio.wait(list(self.state.tasks), timeout=self.settings.close_timeout_s)
        for line in (self.requests, self.stalled, self.closing):
            line.stop()

    async def _all_gone(self) -> None:
        while self.state.connections:
            self._empty.clear()
            await self._empty.wait()
        if self.state.tasks:
            await asyncio.wait(list(self.state.tasks))


class BoundedParser(h11.Connection):
    """h11's parser that bounds the whole head, however it arrives, and the whole body.

    h11's own bound is for heads that are not complete: one that comes in a single read passes at any size.
    """

    def __init__(self, settings: HttpSettings) -> None:
        super().__init__(h11.SERVER, settings.head_max_bytes)
        self._head_max_bytes = settings.head_max_bytes
        self._body_max_bytes = settings.body_max_bytes
        self._body_bytes = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """As h11's, and raises RemoteProtocolError with a hint of 413 or 431 for what is too large."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            head_bytes = len(event.target) + sum(len(name) + len(value) + 4 for name, value in event.headers)
            if head_bytes > self._head_max_bytes:
                raise h11.RemoteProtocolError(
                    f"The head of the request has {head_bytes} bytes; at most {self._head_max_bytes} are read.", 431
                )
            self._body_bytes = 0
            names = {name for name, _ in event.headers}
            if {b"transfer-encoding", b"content-length"} <= names:
                # A proxy in front might go by the other one, and take a part of the body for the next request.
                raise h11.RemoteProtocolError("A request tells the length of its body in one way only.", 400)
            # The announced length counts at once, so that nothing of a body that is too large is gathered.
            self._check_body(int(dict(event.headers).get(b"content-length", b"0")))
        elif isinstance(event, h11.Data):
            self._body_bytes += len(event.data)
            self._check_body(self._body_bytes)
        return event

    def _check_body(self, body_bytes: int) -> None:
        if body_bytes > self._body_max_bytes:
            raise h11.RemoteProtocolError(
                f"The body of the request has {body_bytes} bytes or more; at most {self._body_max_bytes} are read.", 413
            )


class HttpConnection(H11Protocol):
    """One HTTP connection of a port; it becomes a WebSocket connection when a request asks for that."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], *, door: HttpDoor) -> None:
        super().__init__(config, server_state, app_state)
        self.conn = BoundedParser(door.settings)
        self._door = door
        self._line: DeadlineLine[HttpConnection] | None = None
        self._unread_bytes = 0
        """Of the answer, when it was last looked at."""
        self._refused = False
        self._handed_over = False
        self._network = ""

    # For asyncio.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """A client has connected; from now on its first request must come."""
        super().connection_made(transport)
        # So that the transport reports whatever the client leaves unread. Not 0: asyncio's TLS transport would take
        # an empty buffer for a full one.
        transport.set_write_buffer_limits(high=1, low=0)
        self._network = network_of(host_of(transport.get_extra_info("peername")))
        of_address = self._door.addresses.enter(self._network)
        settings = self._door.settings
        if len(self.connections) > 2 * settings.connections_max:
            # Whoever is told why may take some time to read it, and that many are told already.
            self.transport.abort()
        elif len(self.connections) > settings.connections_max:
            self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "All HTTP connections of this server are taken.")
        elif of_address > settings.connections_per_address:
            self.refuse(HTTPStatus.TOO_MANY_REQUESTS, too_many_of_address(settings.connections_per_address))
        else:
            self._wait_in(self._door.requests)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        if self._refused:
            return
        self.server_state.default_headers = date_header(int(time.time()))
        super().data_received(data)
        self._watch_request()

    def pause_writing(self) -> None:
        """The client has not read all of the answer."""
        super().pause_writing()
        if self._line is not self._door.closing:
            self._unread_bytes = self.transport.get_write_buffer_size()
            self._wait_in(self._door.stalled)

    def resume_writing(self) -> None:
        """The client has read everything."""
        super().resume_writing()
        if self._line is self._door.stalled:
            self._wait_in(None)
            self._watch_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP is over."""
        self._wait_in(None)
        self._door.addresses.leave(self._network)
        super().connection_lost(exc)
        self._door.connection_gone()

    # For uvicorn's protocol, whose methods these are.

    def on_response_complete(self) -> None:
        """A request has been answered; the next one may be there already."""
        super().on_response_complete()
        # Without a next request the keep-alive timer runs.
        if self.conn.their_state is not h11.IDLE:
            self._watch_request()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not accept, with the status that it suggests."""
        # uvicorn calls this while it handles the parser's exception, and leaves it out of the arguments.
        error = sys.exc_info()[1]
        if isinstance(error, h11.RemoteProtocolError):
            self.refuse(HTTPStatus(error.error_status_hint), f"{msg} {error}")
        else:
            self.refuse(HTTPStatus.BAD_REQUEST, msg)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over to the gate's protocol, with what came behind the request."""
        names = {name for name, _ in self.headers}
        if b"transfer-encoding" in names or dict(self.headers).get(b"content-length", b"0") != b"0":
            self.refuse(HTTPStatus.BAD_REQUEST, "A request for a WebSocket has no body.")
            return
        self._wait_in(None)
        self._handed_over = True
        # The gate counts it from now on.
        self._door.addresses.leave(self._network)
        rest, _ = self.conn.trailing_data
        super().handle_websocket_upgrade(event)
        if rest:
            protocol = self.transport.get_protocol()
            assert isinstance(protocol, asyncio.Protocol)
            protocol.data_received(rest)

    def shutdown(self) -> None:
        """Close when idle; after the request in hand otherwise."""
        request = self._request_in_hand()
        if request is None:
            self.transport.close()
        else:
            request.keep_alive = False

    # For the door, whose deadlines these are.

    def request_late(self) -> None:
        """The request has not come in time."""
        self.refuse(
            HTTPStatus.REQUEST_TIMEOUT,
            f"The request was not complete within {self._door.settings.request_timeout_s:g} s.",
        )

    def answer_stalled(self) -> None:
        """Cut a client that has read nothing since it was last looked at."""
        unread_bytes = self.transport.get_write_buffer_size()
        if unread_bytes >= self._unread_bytes:
            self.transport.abort()
            return
        self._unread_bytes = unread_bytes
        self._wait_in(self._door.stalled)

    def cut(self) -> None:
        """End TCP at once: the client has had its time to close."""
        self.transport.abort()

    # Within.

    def refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer with a status and a sentence in place of the application, if it has not begun, and close."""
        if self.transport.is_closing():
            return
        request = self._request_in_hand()
        has_begun = request is not None and request.response_started
        if request is not None:
            # To the application it looks as if the client had gone.
            request.disconnected = True
            request.message_event.set()
        self._refused = True
        self._wait_in(self._door.closing)
        if not has_begun:
            self.transport.write(plain_response(status, text))
        if has_begun or not self.transport.can_write_eof():
            self.transport.close()
        else:
            # Go on reading: to close with unread bytes would reset the client before it has seen the answer.
            self.flow.resume_reading()
            self.transport.write_eof()

    def _request_in_hand(self) -> RequestResponseCycle | None:
        """The request that the application works on, if any; uvicorn keeps the last one when it is done."""
        cycle = self.cycle
        if cycle is None:  # before the first request, although uvicorn's type says otherwise
            return None
        return None if cycle.response_complete else cycle

    def _watch_request(self) -> None:
        """Keep the deadline for the request in hand: it runs until the request is complete, and never begins anew."""
        if self._refused or self._handed_over:
            return
        incomplete = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if incomplete and self._line is None:
            self._wait_in(self._door.requests)
        elif not incomplete and self._line is self._door.requests:
            self._wait_in(None)

    def _wait_in(self, line: DeadlineLine[HttpConnection] | None) -> None:
        """Leave the line it waits in for another one."""
        if self._line is not None:
            self._line.leave(self)
        self._line = line
        if line is not None:
            line.join(self)


def plain_response(status: HTTPStatus, text: str) -> bytes:
    """A whole HTTP answer with one line of text, after which the connection closes."""
    body = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


@lru_cache(maxsize=1)
def date_header(at_s: int) -> list[tuple[bytes, bytes]]:
    """The Date header of all answers within a second, in seconds since 1970 UTC."""
    return [(b"date", formatdate(at_s, usegmt=True).encode())]
