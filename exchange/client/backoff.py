"""How long a client waits before it tries again, so that thousands who lost one server do not return in one moment."""

from __future__ import annotations

from random import Random
from typing import Final

BASE_S: Final = 0.2
MAX_S: Final = 30.0
_DOUBLINGS_MAX: Final = 40
"""Beyond any limit one would set, and far from what a float cannot hold."""


class Backoff:
    """Exponential backoff with full jitter: any time from 0 to a ceiling, which doubles with each failure."""

    def __init__(self, *, base_s: float = BASE_S, max_s: float = MAX_S, random: Random | None = None) -> None:
        """`random` is seeded by whoever wants to see the same waits again."""
        if not 0 <= base_s <= max_s:
            raise ValueError(f"base_s is {base_s} and max_s {max_s}: give 0 <= base_s <= max_s")
        self._base_s = base_s
        self._max_s = max_s
        self._random = random or Random()
        self._failures = 0

    def next_wait_s(self, *, addresses: int = 1, pause_s: float = 0.0) -> float:
        """The wait after one more failure, in seconds; `pause_s` comes on top of the jitter.

        With several addresses the ceiling doubles only once all of them were tried.
        """
        doublings = min(self._failures // addresses, _DOUBLINGS_MAX)
        self._failures += 1
        return pause_s + self._random.uniform(0.0, min(self._max_s, self._base_s * 2**doublings))

    def succeeded(self) -> None:
        """Begin anew with the lowest ceiling."""
        self._failures = 0
