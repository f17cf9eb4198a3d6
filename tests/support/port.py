"""A served port on loopback for tests, with short deadlines and the peers it made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from exchange.server.port.gate import WebSocketGate, WebSocketSettings
from exchange.server.port.http import HttpSettings
from exchange.server.port.port import Port
from exchange.server.port.site import AsgiApp, Receive, SitePolicy
from exchange.server.port.websocket import Peer, WebSocketConnection
from tests.support.ws import RecordingPeer

UNHURRIED = WebSocketSettings(close_timeout_s=2.0)
"""For tests in which no deadline is to pass."""


@dataclass
class Served:
    """What is served, and by whom."""

    port: Port
    gate: WebSocketGate
    peers: list[Any] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.port.port

    @property
    def url(self) -> str:
        return f"ws://{self.port.address}/ws"


@asynccontextmanager
async def serving(
    make_peer: Callable[[WebSocketConnection], Peer] = RecordingPeer,
    *,
    settings: WebSocketSettings = UNHURRIED,
    http: HttpSettings | None = None,
    app: AsgiApp | None = None,
    message_max_bytes: int = 64 * 1024,
    **port_options: Any,
) -> AsyncIterator[Served]:
    """Serve peers at `/ws` and an application that answers every request with its path and body."""
    gate = WebSocketGate(settings, SitePolicy.bound_to("127.0.0.1"))
    port = Port(app or tell_request, gate, host="127.0.0.1", port=0, http=http, **port_options)
    served = Served(port, gate)

    def keep(connection: WebSocketConnection) -> Peer:
        peer = make_peer(connection)
        served.peers.append(peer)
        return peer

    gate.serve("/ws", keep, message_max_bytes=message_max_bytes)
    await port.start()
    try:
        yield served
    finally:
        await port.stop()


async def tell_request(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that answers with the path and the body it was sent."""
    if scope["type"] == "lifespan":
        await serve_lifespan(receive, send)
        return
    body = await read_body(receive)
    if body is not None:
        await answer(send, scope["path"].encode() + b" " + body)


async def read_body(receive: Receive) -> bytes | None:
    """The whole body; None if the client has gone before it was whole."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)


async def answer(send: Any, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def serve_lifespan(receive: Any, send: Any) -> None:
    for word in ("startup", "shutdown"):
        message = await receive()
        assert message["type"] == f"lifespan.{word}"
        await send({"type": f"lifespan.{word}.complete"})


async def soon(event: asyncio.Event) -> None:
    """Wait for something that must happen; fails rather than hangs."""
    await asyncio.wait_for(event.wait(), 10)
