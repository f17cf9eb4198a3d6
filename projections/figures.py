"""Marks to market: what a user's rows are worth at the present marks, computed when read and never stored.

Figures are plain tuples: they are made for every position held at every step, and unpacked at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exchange.domain.account import Cash, Figures
from exchange.domain.instrument import Mark
from exchange.domain.margin import side_margin
from exchange.domain.position import Position, PositionSide, side_profits
from exchange.domain.values import Money

SideFigures = tuple[Money, Money, Money]
"""(position profit, float profit, margin) of one side, in 1e-6 yuan (rules 2.1 and 4)."""
PositionFigures = tuple[SideFigures, SideFigures]
"""(long, short)."""

_NO_LOTS: Final = (Money(0), Money(0), Money(0))
FLAT: Final = (_NO_LOTS, _NO_LOTS)
"""The figures of a position without lots, at any mark."""


def position_figures(position: Position, mark: Mark) -> PositionFigures:
    """The figures of both sides at the mark."""
    return _side_figures(position.long, 1, mark), _side_figures(position.short, -1, mark)


def account_figures(cash: Cash, positions: Iterable[PositionFigures]) -> Figures:
    """The account's figures: sums of whole numbers, so the order of the positions does not show in the last digit."""
    profit = by_trade = margin = 0
    for (profit_long, by_trade_long, margin_long), (profit_short, by_trade_short, margin_short) in positions:
        profit += profit_long + profit_short
        by_trade += by_trade_long + by_trade_short
        margin += margin_long + margin_short
    return Figures(cash, profit, by_trade, margin)


def _side_figures(side: PositionSide, sign: int, mark: Mark) -> SideFigures:
    if not side.lots_today + side.lots_history:
        return _NO_LOTS
    profit, by_trade = side_profits(side, sign, mark.price, mark.multiplier)
    return profit, by_trade, side_margin(side, mark)
