"""One instrument's resting orders: price first, then time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

from exchange.domain.values import Lots, OrderNo, Price
from exchange.domain.words import BUY, SELL, Direction


class Resting(Protocol):
    """What the book needs to know of an order."""

    order_no: OrderNo
    price: Price
    lots_left: Lots


R = TypeVar("R", bound=Resting)


class Level(NamedTuple):
    """All that rests at one price."""

    price: Price
    lots: Lots
    orders: int


class _Queue(Generic[R]):
    """The orders at one price, oldest first.

    An OrderedDict, since taking the oldest again and again from a plain dict walks over all that were taken before.
    """

    __slots__ = ("lots", "orders")

    def __init__(self) -> None:
        self.orders: OrderedDict[OrderNo, R] = OrderedDict()
        self.lots = 0


class BookSide(Generic[R]):
    """The bids or the asks of a book."""

    __slots__ = ("_keys", "_queues", "_sign")

    def __init__(self, direction: Direction) -> None:
        # Prices are kept by a key that rises with priority, so that the best price of either side is the last of a
        # sorted list, where adding and removing are cheap. The prices of a day's band are a few thousand at most.
        self._sign = 1 if direction is BUY else -1
        self._keys: list[int] = []
        self._queues: dict[int, _Queue[R]] = {}

    def add(self, order: R) -> None:
        """Put an order behind all others at its price."""
        key = order.price * self._sign
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue()
            insort(self._keys, key)
        queue.orders[order.order_no] = order
        queue.lots += order.lots_left

    def take(self, order: R, lots: int) -> None:
        """Take lots off the front or out of the middle of the queue; call it before the order's own `lots_left`
        changes."""
        key = order.price * self._sign
        queue = self._queues[key]
        queue.lots -= lots
        if lots == order.lots_left:
            del queue.orders[order.order_no]
            if not queue.orders:
                del self._queues[key]
                del self._keys[bisect_left(self._keys, key)]

    def best(self) -> Price | None:
        """The price that is met first."""
        return Price(self._keys[-1] * self._sign) if self._keys else None

    def reached_by(self, price: Price) -> Iterator[R]:
        """The orders that an order of the other side at `price` may meet, in the order in which it meets them."""
        limit = price * self._sign
        if not self._keys or self._keys[-1] < limit:
            return iter(())  # most orders meet nobody, and need no generator to be told so
        return self._walk(limit)

    def _walk(self, limit: int) -> Iterator[R]:
        for key in reversed(self._keys):
            if key < limit:
                return
            yield from self._queues[key].orders.values()

    def lots_reached_by(self, price: Price) -> int:
        """The sum of the lots of `reached_by(price)`, counted by level."""
        limit = price * self._sign
        lots = 0
        for key in reversed(self._keys):
            if key < limit:
                break
            lots += self._queues[key].lots
        return lots

    def levels(self, depth: int) -> list[Level]:
        """The best `depth` levels, best first."""
        found = []
        for key in self._keys[: -depth - 1 : -1]:
            queue = self._queues[key]
            found.append(Level(Price(key * self._sign), Lots(queue.lots), len(queue.orders)))
        return found

    def __iter__(self) -> Iterator[R]:
        for key in reversed(self._keys):
            yield from self._queues[key].orders.values()


class Book(Generic[R]):
    """Both sides of one instrument."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids: BookSide[R] = BookSide(BUY)
        self.asks: BookSide[R] = BookSide(SELL)

    def side(self, direction: Direction) -> BookSide[R]:
        """The side on which orders of this direction rest."""
        return self.bids if direction is BUY else self.asks

    def opposite(self, direction: Direction) -> BookSide[R]:
        """The side that an order of this direction meets."""
        return self.asks if direction is BUY else self.bids
