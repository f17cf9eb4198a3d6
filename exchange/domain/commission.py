"""Fees: what a fill costs (rule 5)."""

from __future__ import annotations

from exchange.domain.instrument import FeePair, FeeRates
from exchange.domain.values import RATE_HALF, RATE_ONE, Lots, Money, Multiplier, Price
from exchange.domain.words import CLOSETODAY, OPEN, PositionEffect


def fee(pair: FeePair, price: Price, multiplier: Multiplier, lots: Lots) -> Money:
    """The fee of `lots` at `price`, in 1e-6 yuan, rounded half up once. Source: rule 5; never rounded to cents."""
    share = price * multiplier * lots * pair.by_money
    return Money((share + RATE_HALF) // RATE_ONE + lots * pair.by_volume)


def close_fee(fees: FeeRates, price: Price, multiplier: Multiplier, lots: Lots, today: Lots) -> Money:
    """The fee of closing `lots`, of which `today` pay the closetoday pair; each pair's part is rounded half up once."""
    charged = 0
    if today:
        charged += fee(fees.closetoday, price, multiplier, today)
    if lots > today:
        charged += fee(fees.close, price, multiplier, Lots(lots - today))
    return Money(charged)


def lots_charged_as_today(effect: PositionEffect, lots: Lots, separate_today: bool, chargeable: int) -> Lots:
    """How many of the `lots` closed by a fill pay the closetoday pair.

    Where today's lots are separate the order's effect decides. Elsewhere it goes by quantity: closed lots up to those
    opened today, less those that paid so already (together `chargeable`), whichever holding they came from (rule 5,
    BY_QUANTITY).
    """
    if separate_today:
        return lots if effect is CLOSETODAY else Lots(0)
    return Lots(min(lots, chargeable))


def frozen_fee(fees: FeeRates, effect: PositionEffect, price: Price, multiplier: Multiplier, lots: Lots) -> Money:
    """The fee held while an order rests; a closing order holds the close fee, never closetoday (rule 5)."""
    return fee(fees.open if effect is OPEN else fees.close, price, multiplier, lots)
