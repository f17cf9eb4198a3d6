"""The echo server, a process of its own: `python -m exchange.bench.echo`. The exchange's port and its WebSocket code,
and behind them nothing: what no order can be faster than.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Final

import msgspec
import uvloop

from exchange.server.port.gate import WebSocketGate, WebSocketSettings
from exchange.server.port.port import Port
from exchange.server.port.site import Message, Receive, Scope, Send, SitePolicy
from exchange.server.port.websocket import WebSocketConnection

HOST: Final = "127.0.0.1"
PATH: Final = "/ws"


class EchoPeer:
    """Sends every text back."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection

    def on_text(self, text: bytes) -> None:
        """See `Peer`."""
        self._connection.send(text)

    def on_writable(self) -> None:
        """See `Peer`: nothing is held back here."""

    def on_disconnect(self) -> None:
        """See `Peer`."""


async def _no_pages(_scope: Scope, _receive: Receive, send: Send) -> None:
    start: Message = {"type": "http.response.start", "status": 404, "headers": []}
    await send(start)
    await send({"type": "http.response.body", "body": b""})


async def serve() -> None:
    """Listen on a free port, say which, and echo until SIGTERM or Ctrl-C."""
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    # What is measured is what the machine does, not what one connection may.
    unbounded = WebSocketSettings(messages_per_connection=10**9)
    gate = WebSocketGate(unbounded, SitePolicy.bound_to(HOST))
    gate.serve(PATH, EchoPeer)
    port = Port(_no_pages, gate, host=HOST, port=0)
    await port.start()
    print(msgspec.json.encode({"port": port.port}).decode(), flush=True)
    await asked_to_stop.wait()
    await port.stop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
