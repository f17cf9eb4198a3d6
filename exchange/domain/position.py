"""What an account holds of one instrument: lots, costs and frozen lots of both sides (rule 2)."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from exchange.domain.values import Lots, Money, Multiplier, Price, TradeNo
from exchange.domain.words import CLOSETODAY, PositionEffect


class ClosedLots(Struct, frozen=True, kw_only=True, gc=False):
    """A closing fill's bite out of one holding."""

    opened_by: TradeNo
    lots: Lots
    open_price: Price
    basis: Price
    """What the by-date profit is counted from: the open price of today's lots, the last settlement price of older
    ones."""
    today: bool
    profit: Money
    """By date: from the basis."""


class PositionSide:
    """The long or the short lots of a position. Costs are `price * lots * multiplier`, in 1e-6 yuan."""

    __slots__ = (
        "charged_as_today",
        "cost_history",
        "cost_today",
        "frozen_close",
        "frozen_close_today",
        "lots_history",
        "lots_today",
        "open_cost_history",
        "open_cost_today",
        "opened_today",
    )

    def __init__(self) -> None:
        self.lots_today = 0
        self.lots_history = 0
        self.frozen_close = 0
        """Lots under resting CLOSE orders, and under CLOSETODAY orders where the buckets are not separate."""
        self.frozen_close_today = 0
        """Lots under resting CLOSETODAY orders where the buckets are separate."""
        self.open_cost_today = 0
        self.open_cost_history = 0
        self.cost_today = 0
        self.cost_history = 0
        self.opened_today = 0
        """Lots opened this trading day, whether or not still held."""
        self.charged_as_today = 0
        """Lots closed this trading day that paid the closetoday fee."""

    @property
    def lots(self) -> int:
        """All lots held on this side."""
        return self.lots_today + self.lots_history

    def open(self, price: Price, lots: Lots, multiplier: Multiplier) -> None:
        """Book an opening fill."""
        cost = price * lots * multiplier
        self.lots_today += lots
        self.open_cost_today += cost
        self.cost_today += cost
        self.opened_today += lots

    def close(self, closed: Iterable[ClosedLots], multiplier: Multiplier, charged_as_today: Lots) -> None:
        """Book a closing fill's bites."""
        for bite in closed:
            if bite.today:
                self.lots_today -= bite.lots
                self.open_cost_today -= bite.open_price * bite.lots * multiplier
                self.cost_today -= bite.basis * bite.lots * multiplier
            else:
                self.lots_history -= bite.lots
                self.open_cost_history -= bite.open_price * bite.lots * multiplier
                self.cost_history -= bite.basis * bite.lots * multiplier
        self.charged_as_today += charged_as_today

    def freeze(self, effect: PositionEffect, lots: int, separate_today: bool) -> None:
        """Set lots aside for a resting closing order; negative `lots` give them back."""
        if separate_today and effect is CLOSETODAY:
            self.frozen_close_today += lots
        else:
            self.frozen_close += lots

    def closable(self, effect: PositionEffect, separate_today: bool) -> int:
        """Free lots that an order with this effect may close (rule 2)."""
        if not separate_today:
            return self.lots_today + self.lots_history - self.frozen_close
        if effect is CLOSETODAY:
            return self.lots_today - self.frozen_close_today
        return self.lots_history - self.frozen_close

    def frozen_split(self, separate_today: bool) -> tuple[int, int]:
        """(today, history) lots frozen; where the buckets are not separate older lots are frozen first (rule 2,
        example)."""
        if separate_today:
            return self.frozen_close_today, self.frozen_close
        history = min(self.frozen_close, self.lots_history)
        return self.frozen_close - history, history


class Position:
    """Both sides of what an account holds of one instrument."""

    __slots__ = ("instrument_id", "long", "short")

    def __init__(self, instrument_id: str) -> None:
        self.instrument_id = instrument_id
        self.long = PositionSide()
        self.short = PositionSide()


def position_profit(position: Position, price: Price, multiplier: Multiplier) -> Money:
    """Unrealised profit by date, both sides, at `price`: from today's open prices and older lots' last settlement
    (rule 2.1)."""
    long, short = position.long, position.short
    lots = long.lots_today + long.lots_history - short.lots_today - short.lots_history
    cost = long.cost_today + long.cost_history - short.cost_today - short.cost_history
    return Money(price * multiplier * lots - cost)


def side_profits(side: PositionSide, sign: int, price: Price, multiplier: Multiplier) -> tuple[Money, Money]:
    """(position profit, float profit) of one side at `price`: by date and by trade (rule 2.1).

    `sign` is 1 for long lots, -1 for short ones. The position profits of both sides add up to `position_profit`.
    """
    value = price * multiplier * (side.lots_today + side.lots_history)
    return (
        Money(sign * (value - side.cost_today - side.cost_history)),
        Money(sign * (value - side.open_cost_today - side.open_cost_history)),
    )
