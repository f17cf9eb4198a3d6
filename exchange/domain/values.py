"""Units: every price, amount and rate is a whole number, so that sums are exact and replays are equal to the last
digit.

A price and an amount of money have the same unit, a millionth of a yuan: `price * multiplier * lots` is money as it
stands, and settlement prices between ticks and fees with five decimals fit. A rate counts in units of 1e-9. Floats
exist only on the wire.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NewType, cast

Price = NewType("Price", int)
"""Yuan per unit of the quotation, in 1e-6 yuan."""
Money = NewType("Money", int)
"""An amount in 1e-6 yuan."""
Rate = NewType("Rate", int)
"""A share of a turnover, in 1e-9: 8 % is 80_000_000."""
Lots = NewType("Lots", int)
"""A number of contracts."""
Multiplier = NewType("Multiplier", int)
"""Units of the quotation in one lot, such as 5 tons."""

AccountId = NewType("AccountId", str)
"""Who bears margin. An opaque id: names live outside the log."""
InstrumentId = NewType("InstrumentId", str)
"""Exchange and contract, such as `SHFE.cu2701`."""
OrderId = NewType("OrderId", str)
"""The client's own id of an order, unique per account for ever."""
OrderNo = NewType("OrderNo", int)
"""The exchange's number of an order, from 1 in the order in which they came; refused ones have one too."""
TradeNo = NewType("TradeNo", int)
"""The exchange's number of a trade, from 1."""

YUAN: Final = 1_000_000
"""Units of `Price` and `Money` in a yuan."""
RATE_ONE: Final = 1_000_000_000
"""Units of `Rate` in the whole turnover."""
RATE_HALF: Final = RATE_ONE // 2
"""Added before dividing by `RATE_ONE`, so that an amount that is not negative is rounded half up."""
MONEY_MAX: Final = Money(10**12 * YUAN)
"""The largest amount one command may move and one account may hold in deposits: far inside 64 bits, as JSON readers
expect."""
PRICE_MAX: Final = Price(10**9 * YUAN)
"""The largest price anywhere."""
LOTS_MAX: Final = Lots(10**6)
"""The largest order any instrument may allow."""


_EXPONENT_MAX: Final = 40
"""Decimals with digits further than this from the point are out of the question for every unit."""


def half_up(numerator: int, denominator: int) -> int:
    """`numerator / denominator`, rounded half away from zero, as the market rounds money. The denominator is
    positive."""
    if numerator >= 0:
        return (2 * numerator + denominator) // (2 * denominator)
    return -((denominator - 2 * numerator) // (2 * denominator))


def to_tick(price: Price, tick: Price) -> Price:
    """The multiple of the tick nearest to a price, half up."""
    return Price((2 * price + tick) // (2 * tick) * tick) if price % tick else price


def _whole(value: Decimal, unit: int, limit: int, what: str) -> int:
    if not value.is_finite():
        raise ValueError(f"{what} {value} is no finite number")
    # Looked at before any arithmetic, which would round to the context's digits or write out a billion of them.
    if value and value.adjusted() > _EXPONENT_MAX:
        raise ValueError(f"{what} {value} is beyond the limit of {Decimal(limit) / unit:f}")
    too_fine = cast(int, value.as_tuple().exponent) < -_EXPONENT_MAX
    numerator, denominator = (0, 1) if too_fine else value.as_integer_ratio()
    whole, rest = divmod(numerator * unit, denominator)
    if rest or too_fine:
        raise ValueError(f"{what} {value} has more decimals than the {len(str(unit)) - 1} that are kept")
    if abs(whole) > limit:
        raise ValueError(f"{what} {value} is beyond the limit of {Decimal(limit) / unit:f}")
    return whole


def price_from_decimal(value: Decimal) -> Price:
    """Raises ValueError where the value is not finite, has more than six decimals or lies beyond `PRICE_MAX`."""
    return Price(_whole(value, YUAN, PRICE_MAX, "price"))


def money_from_decimal(value: Decimal) -> Money:
    """Raises ValueError where the value is not finite, has more than six decimals or lies beyond `MONEY_MAX`."""
    return Money(_whole(value, YUAN, MONEY_MAX, "amount"))


def rate_from_decimal(value: Decimal) -> Rate:
    """Raises ValueError where the value is not finite, has more than nine decimals or lies beyond 100 %."""
    return Rate(_whole(value, RATE_ONE, RATE_ONE, "rate"))


def decimal_text(value: int) -> str:
    """A price or an amount in yuan as people write it: `3610`, `18.05`, `-0.5`."""
    sign = "-" if value < 0 else ""
    yuan, rest = divmod(abs(value), YUAN)
    return f"{sign}{yuan}.{rest:06d}".rstrip("0").rstrip(".")
