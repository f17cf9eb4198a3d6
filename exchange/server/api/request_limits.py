"""How many requests of the REST interface a user may make: so many a second on average, twice as many at once."""

from __future__ import annotations

from collections.abc import Callable

from exchange.server.port.limits import MessageBucket


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
