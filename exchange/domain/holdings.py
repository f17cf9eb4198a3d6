"""One record per opening fill, closed first in, first out: averages would lose whose profit it was (rule 2)."""

from __future__ import annotations

from collections import deque
from typing import Literal

from msgspec import Struct

from exchange.domain.position import ClosedLots
from exchange.domain.values import Lots, Money, Multiplier, Price, TradeNo

Buckets = Literal["today", "history", "oldest_first"]
"""Where a close takes its lots from; older trading days come before today."""


class Holding(Struct, kw_only=True, gc=False):
    """The lots left of one opening fill."""

    opened_by: TradeNo
    open_price: Price
    basis: Price
    """What the by-date profit is counted from: the open price, since the first settlement the last settlement price."""
    lots: Lots
    today: bool


class Holdings:
    """The holdings of one side of a position, oldest first, older trading days before today."""

    __slots__ = ("history", "today")

    def __init__(self) -> None:
        self.history: deque[Holding] = deque()
        self.today: deque[Holding] = deque()

    def open(self, opened_by: TradeNo, price: Price, lots: Lots) -> None:
        """Add an opening fill."""
        self.today.append(Holding(opened_by=opened_by, open_price=price, basis=price, lots=lots, today=True))

    def close(self, closed: tuple[ClosedLots, ...]) -> None:
        """Take away what `bites` found: always from the front of a bucket."""
        for bite in closed:
            bucket = self.today if bite.today else self.history
            assert bucket, f"the event closes holding {bite.opened_by}, none is held"
            oldest = bucket[0]
            assert oldest.opened_by == bite.opened_by, (
                f"holding {oldest.opened_by} is first, the event closes {bite.opened_by}"
            )
            assert oldest.lots >= bite.lots, (
                f"holding {oldest.opened_by} has {oldest.lots} lots, the event closes {bite.lots}"
            )
            oldest.lots = Lots(oldest.lots - bite.lots)
            if not oldest.lots:
                bucket.popleft()

    def bites(
        self,
        lots: int,
        price: Price,
        multiplier: Multiplier,
        *,
        long: bool,
        buckets: Buckets,
        skip_today: int = 0,
        skip_history: int = 0,
    ) -> tuple[ClosedLots, ...]:
        """What closing `lots` at `price` takes, oldest first, after the lots that earlier fills of the same command
        take.

        `buckets` says from where: older lots only, today's only, or older ones first. The caller has checked that
        enough is held.
        """
        found: list[ClosedLots] = []
        sign = 1 if long else -1
        for bucket, skip in self._chosen(buckets, skip_today, skip_history):
            for holding in bucket:
                if not lots:
                    return tuple(found)
                free = holding.lots - skip
                if free <= 0:
                    skip = -free
                    continue
                skip = 0
                taken = min(free, lots)
                lots -= taken
                profit = sign * (price - holding.basis) * taken * multiplier
                found.append(
                    ClosedLots(
                        opened_by=holding.opened_by,
                        lots=Lots(taken),
                        open_price=holding.open_price,
                        basis=holding.basis,
                        today=holding.today,
                        profit=Money(profit),
                    )
                )
        assert not lots, f"{lots} lots more were to be closed than are held"
        return tuple(found)

    def _chosen(self, buckets: Buckets, skip_today: int, skip_history: int) -> tuple[tuple[deque[Holding], int], ...]:
        if buckets == "today":
            return ((self.today, skip_today),)
        if buckets == "history":
            return ((self.history, skip_history),)
        return ((self.history, skip_history), (self.today, skip_today))
