"""One WebSocket connection to an exchange: messages out, frames in."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect

from exchange.client.changes import Tree
from exchange.client.endings import SilentServerError
from exchange.client.errors import MirrorError
from exchange.client.options import ClientOptions

library_log = logging.getLogger("exchange.client.library")
"""Given to the WebSocket library."""
# At DEBUG it shows what is sent, passwords among it: the level that a program sets for all loggers must not bring that.
library_log.addFilter(lambda record: record.levelno >= logging.WARNING)


class Line:
    """An open connection. Several tasks may send, in the order of their calls; one takes the steps."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, message: Tree) -> None:
        """Send a message, and wait while the server does not read. Raises ConnectionClosed."""
        await self._connection.send(orjson.dumps(message).decode())

    async def next_step(self, within_s: float) -> Tree:
        """The next `rtn_data`; other frames are passed over.

        Raises ConnectionClosed, SilentServerError, and MirrorError for what is no frame at all.
        """
        try:
            async with asyncio.timeout(within_s):
                while True:
                    frame = _read_frame(await self._connection.recv())
                    if frame.get("aid") == "rtn_data":
                        return frame
        except TimeoutError:
            raise SilentServerError(f"the server has not answered for {within_s:g} s") from None

    async def close(self) -> None:
        """End the connection in good order."""
        await self._connection.close()


@asynccontextmanager
async def open_line(url: str, options: ClientOptions, tls: ssl.SSLContext | None) -> AsyncIterator[Line]:
    """A connection for as long as the block runs. Raises OSError and WebSocketException where there is none."""
    arguments: dict[str, Any] = {"ssl": tls} if tls is not None and url.startswith("wss:") else {}
    connection = await connect(
        url,
        compression=None,
        max_size=options.frame_max_bytes,
        open_timeout=options.answer_timeout_s,
        close_timeout=options.close_timeout_s,
        logger=library_log,
        **arguments,
    )
    try:
        yield Line(connection)
    finally:
        # Not the library's own `async with`: it tells the server of an internal error when a task is cancelled.
        try:
            await connection.close()
        except asyncio.CancelledError:
            connection.transport.abort()  # nobody waits for it any more
            raise


def _read_frame(text: str | bytes) -> Tree:
    """A frame's JSON object. Raises MirrorError: what the server said is lost, so the mirror cannot be led on."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MirrorError(f"the server sent a frame that is not JSON: {error}") from None
    if not isinstance(frame, dict):
        raise MirrorError(f"the server sent a frame that is no JSON object but {type(frame).__name__}")
    return frame
