"""Counts the requests of the REST interface by method, route and status."""

from __future__ import annotations

from collections import Counter
from typing import Final

from exchange.server.port.site import AsgiApp, Message, Receive, Scope, Send

METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
OTHER: Final = "other"
"""A method or an address that is none of ours: whoever asks for ever new ones must not make the counts grow."""

RequestCounts = Counter[tuple[str, str, int]]
"""Requests by (method, template of the route such as `/api/v1/book/{instrument_id}`, status)."""


class CountRequests:
    """ASGI middleware that counts every request once it is answered."""

    def __init__(self, app: AsgiApp, counts: RequestCounts) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A request whose application fails is answered with 500 behind this.
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            method = scope["method"] if scope["method"] in METHODS else OTHER
            # Routing has put the route there, unless the address is none of ours.
            self._counts[method, getattr(scope.get("route"), "path", OTHER), status] += 1
