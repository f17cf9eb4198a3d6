"""Margin: what holdings and resting orders tie up (rule 4)."""

from __future__ import annotations

from exchange.domain.instrument import MarginRates, Mark
from exchange.domain.position import PositionSide
from exchange.domain.values import RATE_HALF, RATE_ONE, Lots, Money, Multiplier, Price


def margin_of(turnover: int, lots: Lots, rates: MarginRates) -> Money:
    """`turnover * by_money + lots * by_volume`, in 1e-6 yuan, rounded half up once. Source: rule 4."""
    return Money((turnover * rates.by_money + RATE_HALF) // RATE_ONE + lots * rates.by_volume)


def side_margin(side: PositionSide, mark: Mark) -> Money:
    """Margin of the lots held on one side, rounded half up once for the side.

    Today's lots are charged at their open price, older ones at the previous settlement price (rule 4, price type
    OPEN): that is the position cost of both. So it stands until the side is filled or the rates change.
    """
    lots = side.lots_today + side.lots_history
    if not lots:
        return Money(0)
    return margin_of(side.cost_today + side.cost_history, Lots(lots), mark.margin)


def frozen_margin(rates: MarginRates, price: Price, multiplier: Multiplier, lots: Lots) -> Money:
    """Margin held while an opening order rests: at the order's price, a market order's at the band's edge (rule 4)."""
    return margin_of(price * multiplier * lots, lots, rates)


def frozen_rest(total: Money, lots_left: Lots, lots: Lots) -> Money:
    """What is still held of `total` when `lots_left` of `lots` are unfilled, rounded half up: 0 after the last fill
    (rule 4)."""
    if lots_left == lots:
        return total
    return Money((2 * total * lots_left + lots) // (2 * lots))
