"""How much a user may ask of the REST interface: so many requests a second on average, twice as many at once.

What takes long to answer is what is long: an answer counts for more than one request if it is large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from exchange.server.port.limits import MessageBucket
from exchange.server.port.site import AsgiApp, Message, Receive, Scope, Send

UNIT_BYTES: Final = 16 * 1024
"""An answer counts as one more request for every so many bytes."""
CHARGE: Final = "charge"
"""Where in a request's state the function stands that takes the size of its answer."""


class RequestLimits:
    """A bucket for every user who ever asked: no more than there are users, since strangers never come this far."""

    def __init__(self, per_second: int, clock: Callable[[], float]) -> None:
        """`clock` gives seconds and never goes back."""
        self._per_second = per_second
        self._clock = clock
        self._buckets: dict[str, MessageBucket] = {}

    def take(self, name: str) -> bool:
        """Whether this user may make one more request now."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = MessageBucket(self._per_second)
        return bucket.take(1, self._clock()) == 1

    def charge(self, name: str, answer_bytes: int) -> None:
        """A request of this user, who may make one, has got an answer of this size."""
        self._buckets[name].give_back(-(answer_bytes // UNIT_BYTES))


class ChargeAnswers:
    """ASGI middleware that tells the size of every answer to whoever has put a function for it into the state."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer's size."""

        async def charge(message: Message) -> None:
            if message["type"] == "http.response.body" and CHARGE in scope.get("state", ()):
                scope["state"][CHARGE](len(message.get("body", b"")))
            await send(message)

        await self._app(scope, receive, charge)
