"""An account's money, and the figures that follow from it (rule 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from exchange.domain.instrument import Mark
from exchange.domain.position import Position, position_profit
from exchange.domain.values import Money


class Cash:
    """What was booked on an account since the trading day began, and what its resting orders hold; in 1e-6 yuan."""

    __slots__ = (
        "close_profit",
        "commission",
        "deposit",
        "frozen_commission",
        "frozen_margin",
        "pre_balance",
        "withdraw",
    )

    def __init__(self) -> None:
        self.pre_balance = 0
        self.deposit = 0
        self.withdraw = 0
        self.close_profit = 0
        self.commission = 0
        self.frozen_margin = 0
        self.frozen_commission = 0

    @property
    def static_balance(self) -> int:
        """The last settlement's balance and today's deposits less withdrawals."""
        return self.pre_balance + self.deposit - self.withdraw


class Figures:
    """An account's figures at one set of marks (rule 3); all in 1e-6 yuan."""

    __slots__ = ("available", "balance", "float_profit", "margin", "position_profit")

    def __init__(self, cash: Cash, position_profit: int, float_profit: int, margin: int) -> None:
        self.position_profit = position_profit
        self.float_profit = float_profit
        self.margin = margin
        self.balance = cash.static_balance + cash.close_profit + position_profit - cash.commission
        self.available = available(cash, position_profit, margin)


def available(cash: Cash, position_profit: int, margin: int) -> Money:
    """Money free for new orders, in 1e-6 yuan; may be negative.

    Unrealised gains, net over the account, are not spendable, unrealised losses count at once; close profit is
    spendable (rule 3, algorithm OnlyLost).
    """
    return Money(
        cash.pre_balance
        + cash.deposit
        - cash.withdraw
        + cash.close_profit
        - cash.commission
        + min(position_profit, 0)
        - margin
        - cash.frozen_margin
        - cash.frozen_commission
    )


class Held(Protocol):
    """A position, the mark it is valued at, and the margin of its sides."""

    position: Position
    mark: Mark
    long_margin: int
    short_margin: int


def available_now(cash: Cash, held: Iterable[Held]) -> Money:
    """`available` at the present marks of the positions held."""
    profit = 0
    margin = 0
    for each in held:
        mark = each.mark
        profit += position_profit(each.position, mark.price, mark.multiplier)
        margin += each.long_margin + each.short_margin
    return available(cash, profit, margin)
