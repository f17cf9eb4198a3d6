"""How large a request's body may be: small, but for the one route whose business is many things at once.

The port bounds every body at what the largest may have. A body is read and checked on the trading loop, in one go, and
what is wrong with it is told piece by piece: a large one of a stranger's would cost everybody else their time.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException

from exchange.server.port.site import AsgiApp, Message, Receive, Scope, Send

BODY_MAX_BYTES = 16 * 1024
"""A password of the longest, with every character escaped, takes 12 KiB; nothing else comes near."""


class BoundBodies:
    """ASGI middleware that refuses a body above its route's bound as one that cannot be read."""

    def __init__(self, app: AsgiApp, larger: Mapping[str, int]) -> None:
        """`larger` has the bounds, in bytes, of the paths that may have more than `BODY_MAX_BYTES`."""
        self._app = app
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a body that ends in an error where it is too long."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], BODY_MAX_BYTES)
        come = 0

        async def receive_bounded() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > most:
                # The framework lets this one pass, and answers it as it does a body that is no JSON.
                raise HTTPException(400, f"the body has more than {most} bytes, which is the most here")
            return message

        await self._app(scope, receive_bounded, send)
