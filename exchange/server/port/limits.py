"""Bounds on what one connection, one user and one address may take: messages by the second, connections by number."""

from __future__ import annotations

from collections import Counter
from typing import Final

BURST_S: Final = 2.0
"""What may come at once, in seconds of the average."""
GRANTED_MAX: Final = 32
"""Taken out of the buckets together, so that a message in the stream costs a subtraction, not a look at the clock."""


class MessageBucket:
    """Messages that may come: so many a second on average, twice as many at once. `now` is in seconds of any clock."""

    __slots__ = ("_left", "_looked_at", "_most", "_per_second")

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._most = BURST_S * per_second
        self._left = self._most
        self._looked_at = 0.0

    def take(self, most: int, now: float) -> int:
        """Take as many messages as may come now, at most `most`; 0: none may."""
        self._left = min(self._left + (now - self._looked_at) * self._per_second, self._most)
        self._looked_at = now
        taken = max(0, min(most, int(self._left)))
        self._left -= taken
        return taken

    def give_back(self, count: int) -> None:
        """So many of those taken did not come; fewer than none: so many more than were taken, to be made up for."""
        self._left += count


class Pace:
    """What one connection may send: what its own bucket gives, and once it has one, its user's."""

    __slots__ = ("_own", "of_user")

    def __init__(self, per_second: int) -> None:
        self._own = MessageBucket(per_second)
        self.of_user: MessageBucket | None = None
        """Shared by all connections of the user."""

    def granted(self, now: float, owed: int = 0) -> int:
        """Take a handful of messages that may come now, beside those that came already and are `owed`; 0: none may."""
        granted = self._own.take(GRANTED_MAX + owed, now)
        if self.of_user is None or not granted:
            return granted
        of_user = self.of_user.take(granted, now)
        self._own.give_back(granted - of_user)
        return of_user


class AddressCounts:
    """How many connections each network address has. Holds only those that have any."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._counts)

    def enter(self, network: str) -> int:
        """One more; returns how many there are now."""
        self._counts[network] += 1
        return self._counts[network]

    def leave(self, network: str) -> None:
        """One fewer."""
        self._counts[network] -= 1
        if not self._counts[network]:
            del self._counts[network]

    def count(self, network: str) -> int:
        """How many there are."""
        return self._counts[network]


def too_many_of_address(most: int) -> str:
    """What an address is told that has all its connections."""
    return f"All {most} connections that one address may have are taken. Close some of them first."
