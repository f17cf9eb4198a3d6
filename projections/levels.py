"""The lots that rest at each price of one side of a book."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final, NamedTuple

from exchange.domain.values import Price
from exchange.domain.words import BUY, Direction

DEPTH_MAX: Final = 5
"""Levels that a quote shows on each side."""

_NO_LEVEL: Final = (None, None)


class Level(NamedTuple):
    """What rests at one price."""

    price: Price
    lots: int
    orders: int


class Ladder:
    """Sums of lots, and counts of orders, by price. Of the orders themselves it knows nothing."""

    __slots__ = ("_keys", "_resting", "_sign", "top_touched")

    def __init__(self, direction: Direction) -> None:
        # Prices are kept by a key that rises with priority, so that the best are the last of a sorted list, where
        # adding and removing are cheap.
        self._sign = 1 if direction is BUY else -1
        self._keys: list[int] = []
        self._resting: dict[int, list[int]] = {}
        """[lots, orders], changed in place: a second dictionary for the orders would cost the fold of every event."""
        self.top_touched = False
        """Whether one of the levels shown may have changed since `top` was last read."""

    def add(self, price: Price, lots: int, orders: int) -> None:
        """More lots of so many more orders rest at a price; negative numbers leave it.

        `orders` is 0 where an order that rests loses a part of its lots only.
        """
        key = price * self._sign
        keys = self._keys
        resting = self._resting.get(key)
        if resting is None:
            assert lots > 0, f"{-lots} lots leave the price {price}, where only 0 rest"
            self._resting[key] = [lots, orders]
            insort(keys, key)
        else:
            resting[0] = now = resting[0] + lots
            resting[1] += orders
            assert now >= 0, f"{-lots} lots leave the price {price}, where only {now - lots} rest"
            if not now:
                del self._resting[key]
                del keys[bisect_left(keys, key)]
        if len(keys) < DEPTH_MAX or key >= keys[-DEPTH_MAX]:
            self.top_touched = True

    def top(self) -> list[tuple[int | None, int | None]]:
        """(price, lots) of the best DEPTH_MAX levels, best first; (None, None) for each that is not there."""
        self.top_touched = False
        sign, resting = self._sign, self._resting
        found: list[tuple[int | None, int | None]] = [
            (key * sign, resting[key][0]) for key in self._keys[: -DEPTH_MAX - 1 : -1]
        ]
        return found if len(found) == DEPTH_MAX else found + [_NO_LEVEL] * (DEPTH_MAX - len(found))

    def best(self, depth: int) -> list[Level]:
        """At most `depth` levels, the best first; whoever looks at these takes nothing from the readers of `top`."""
        return [Level(Price(key * self._sign), *self._resting[key]) for key in self._keys[: -depth - 1 : -1]]
