"""The lots that rest at each price of one side of a book."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

from exchange.domain.values import Price
from exchange.domain.words import BUY, Direction

DEPTH_MAX: Final = 5
"""Levels that a quote shows on each side."""

_NO_LEVEL: Final = (None, None)


class Ladder:
    """Sums of lots by price. Of the orders themselves it knows nothing."""

    __slots__ = ("_keys", "_lots", "_sign", "top_touched")

    def __init__(self, direction: Direction) -> None:
        # Prices are kept by a key that rises with priority, so that the best are the last of a sorted list, where
        # adding and removing are cheap.
        self._sign = 1 if direction is BUY else -1
        self._keys: list[int] = []
        self._lots: dict[int, int] = {}
        self.top_touched = False
        """Whether one of the levels shown may have changed since `top` was last read."""

    def add(self, price: Price, lots: int) -> None:
        """More lots rest at a price; negative `lots` leave it."""
        key = price * self._sign
        keys = self._keys
        before = self._lots.get(key, 0)
        now = before + lots
        assert now >= 0, f"{-lots} lots leave the price {price}, where only {before} rest"
        if now:
            self._lots[key] = now
            if not before:
                insort(keys, key)
        else:
            del self._lots[key]
            del keys[bisect_left(keys, key)]
        if len(keys) < DEPTH_MAX or key >= keys[-DEPTH_MAX]:
            self.top_touched = True

    def top(self) -> list[tuple[int | None, int | None]]:
        """(price, lots) of the best DEPTH_MAX levels, best first; (None, None) for each that is not there."""
        self.top_touched = False
        sign, lots = self._sign, self._lots
        found: list[tuple[int | None, int | None]] = [
            (key * sign, lots[key]) for key in self._keys[: -DEPTH_MAX - 1 : -1]
        ]
        return found if len(found) == DEPTH_MAX else found + [_NO_LEVEL] * (DEPTH_MAX - len(found))
