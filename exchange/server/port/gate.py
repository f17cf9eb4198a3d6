"""Where WebSocket connections come in: paths, limits, the deadlines and the one flush that all connections share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from urllib.parse import unquote

from websockets.datastructures import Headers
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from exchange.server.identity.online import Online
from exchange.server.port.deadlines import DeadlineLine, LoopClock
from exchange.server.port.framing import library_log
from exchange.server.port.limits import AddressCounts, too_many_of_address
from exchange.server.port.site import HttpRefusal, SitePolicy
from exchange.server.port.websocket import PeerFactory, WebSocketConnection

log = logging.getLogger("exchange.websocket")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketSettings:
    """Bounds of WebSocket connections; times in seconds."""

    ping_interval_s: float = 20.0
    """From the last sign of life to the next ping."""
    ping_timeout_s: float = 10.0
    """From a ping to the end of the connection, if no pong comes."""
    stalled_timeout_s: float = 30.0
    """How long a far side that reads too slowly may keep its transport above the low water mark."""
    close_timeout_s: float = 5.0
    """How long the far side may take to close once a close frame went out or came in; shutdown waits as long."""
    write_high_water_bytes: int = 64 * 1024
    """Above so many unsent bytes a connection is not writable; it is again below a quarter of them."""
    overrun_max_bytes: int = 1024 * 1024
    """How much a peer may send while its connection is not writable."""
    read_pause_s: float = 0.05
    """How long nothing is read from a connection that has sent more than it may."""
    connections_max: int = 20_000
    connections_per_address: int = 10_000
    """HTTP connections are counted with these."""
    connections_per_user: int = 64
    unauthenticated_max: int = 10_000
    """Connections that have not logged in."""
    messages_per_connection: int = 5_000
    """Frames a second on average."""
    messages_per_user: int = 10_000
    """Of all connections of a user together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What is behind a path."""

    make_peer: PeerFactory
    message_max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeAnswer:
    """The outcome of an opening handshake; without `endpoint` it was refused."""

    to_send: list[bytes]
    endpoint: Endpoint | None = None
    path: str = ""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class WebSocketGate:
    """All WebSocket connections of a port, and what they share. Made inside the running event loop."""

    def __init__(self, settings: WebSocketSettings, site: SitePolicy, clock: LoopClock | None = None) -> None:
        self.settings = settings
        self.site = site
        self.clock: LoopClock = clock or asyncio.get_running_loop()
        self.connections: set[WebSocketConnection] = set()
        """All that have a TCP connection: being opened, open, closing."""
        self.strangers: set[WebSocketConnection] = set()
        """Those of them that are or were open and never logged in."""
        self.addresses = AddressCounts()
        """All connections of the port, also those that speak HTTP."""
        self.online = Online(
            connections_per_user=settings.connections_per_user, messages_per_user=settings.messages_per_user
        )
        self.accepted_total = 0
        self.refused_total = 0
        self.cut_total = 0
        """Connections ended without ceremony: stalled, or not closed in time."""
        self.pings = DeadlineLine(settings.ping_interval_s, WebSocketConnection.ping, self.clock)
        self.pongs = DeadlineLine(settings.ping_timeout_s, WebSocketConnection.give_up, self.clock)
        self.stalled = DeadlineLine(settings.stalled_timeout_s, self._cut_stalled, self.clock)
        self.closing = DeadlineLine(settings.close_timeout_s, WebSocketConnection.cut, self.clock)
        self.paused = DeadlineLine(settings.read_pause_s, WebSocketConnection.read_on, self.clock)
        self.is_open = True
        """Whether new connections are let in; set to False while those behind the paths are not there yet."""
        self._endpoints: dict[str, Endpoint] = {}
        self._numbers = count(1)
        self._unflushed: list[WebSocketConnection] = []
        self._stopping = False
        self._empty: asyncio.Event = asyncio.Event()

    def serve(self, path: str, make_peer: PeerFactory, *, message_max_bytes: int = 64 * 1024) -> None:
        """Let connections to `path` in; a message above the bound is refused by its header, with close code 1009.

        While no path is served at all, every connection is refused with 503: the server is starting.
        """
        assert path not in self._endpoints, f"{path} is served already"
        self._endpoints[path] = Endpoint(make_peer=make_peer, message_max_bytes=message_max_bytes)

    @property
    def paths(self) -> list[str]:
        """The paths that are served."""
        return list(self._endpoints)

    def next_number(self) -> int:
        """The number of the next connection."""
        return next(self._numbers)

    def remember(self, connection: WebSocketConnection) -> None:
        """A TCP connection is to become a WebSocket."""
        self.connections.add(connection)
        self.addresses.enter(connection.network)

    def answer_upgrade(self, request_bytes: bytes, network: str) -> UpgradeAnswer:
        """Answer the request for a WebSocket connection, as the HTTP protocol hands it over."""
        handshake = ServerProtocol(logger=library_log)
        handshake.receive_data(request_bytes)
        for request in handshake.events_received():
            assert isinstance(request, Request), f"{request!r} before the opening handshake"
            raw_path, _, query = request.path.partition("?")
            path = unquote(raw_path)
            refusal = self._refusal(path, request.headers, network)
            response = handshake.reject(refusal.status, refusal.text + "\n") if refusal else handshake.accept(request)
            handshake.send_response(response)
            if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
                self.accepted_total += 1
                return UpgradeAnswer(
                    to_send=handshake.data_to_send(),
                    endpoint=self._endpoints[path],
                    path=path,
                    query=query,
                    headers=request.headers,
                )
        self.refused_total += 1
        return UpgradeAnswer(to_send=handshake.data_to_send())

    def flush_soon(self, connection: WebSocketConnection) -> None:
        """Flush the connection at the end of this loop pass, with all others that have something to send."""
        if not self._unflushed:
            self.clock.call_soon(self._flush)
        self._unflushed.append(connection)

    def forget(self, connection: WebSocketConnection) -> None:
        """The connection is gone."""
        self.connections.discard(connection)
        self.strangers.discard(connection)
        self.addresses.leave(connection.network)
        if connection.user is not None:
            self.online.leave(connection, connection.user)
        if self._stopping and not self.connections:
            self._empty.set()

    async def stop(self) -> None:
        """Disconnect everybody with code 1012 and let nobody in; returns when all are gone, the slow ones cut.

        1012, not 1000 or 1001: TqSdk takes those two for its own wish and then waits for ever.
        """
        self._stopping = True
        for connection in list(self.connections):
            connection.disconnect(CloseCode.SERVICE_RESTART, "the server is stopping: connect again in a moment")
        if self.connections:
            # All of them wait in `closing` now, which cuts the slow ones; twice that time is for those cut last.
            try:
                await asyncio.wait_for(self._empty.wait(), 2 * self.settings.close_timeout_s)
            except TimeoutError:
                log.error("%d connections were cut and did not end", len(self.connections))
        for line in (self.pings, self.pongs, self.stalled, self.closing, self.paused):
            line.stop()

    def _refusal(self, path: str, headers: Headers, network: str) -> HttpRefusal | None:
        """Why this request is not let in; None if it is, as far as the gate knows."""
        host, origin = (", ".join(headers.get_all(name)) or None for name in ("Host", "Origin"))
        if refusal := self.site.refusal(host, origin):
            return refusal
        if not self._endpoints:
            return HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, "The server is starting. Connect again in a moment.")
        if self._stopping or not self.is_open:
            doing = "stopping" if self._stopping else "starting"
            return HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, f"The server is {doing}. Connect again in a moment.")
        if path not in self._endpoints:
            served = ", ".join(self._endpoints)
            return HttpRefusal(HTTPStatus.NOT_FOUND, f"There is no WebSocket at {path!r}. There is one at: {served}.")
        return self._no_room(network)

    def _no_room(self, network: str) -> HttpRefusal | None:
        """Why a connection, which is counted already, is one too many; None if it is not."""
        settings = self.settings
        if len(self.connections) > settings.connections_max:
            return HttpRefusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"All {settings.connections_max} WebSocket connections of this server are taken. Try again later.",
            )
        if len(self.strangers) >= settings.unauthenticated_max:
            return HttpRefusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{settings.unauthenticated_max} connections have not logged in yet. Try again in a moment.",
            )
        if self.addresses.count(network) > settings.connections_per_address:
            return HttpRefusal(HTTPStatus.TOO_MANY_REQUESTS, too_many_of_address(settings.connections_per_address))
        return None

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        for connection in unflushed:
            try:
                connection.flush()
            except Exception:
                # The trouble of one connection must not cost the others their frames.
                log.exception("connection %d (%s) is cut: writing to it failed", connection.number, connection.remote)
                connection.cut()

    def _cut_stalled(self, connection: WebSocketConnection) -> None:
        log.info(
            "connection %d (%s, %s) is cut: it has not read what was sent for %g s",
            connection.number,
            connection.remote,
            connection.path,
            self.settings.stalled_timeout_s,
        )
        connection.cut()


def protocol_class(gate: WebSocketGate) -> type[WebSocketConnection]:
    """The class that uvicorn is to hand upgrades to: it calls it with three arguments that mean nothing here."""

    class GateConnection(WebSocketConnection):
        __slots__ = ()

        def __init__(self, config: object, server_state: object, app_state: object) -> None:
            super().__init__(gate)

    return GateConnection
