"""What a scripted market can do: acts, written down as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from exchange.domain.instrument import InstrumentTerms
from exchange.domain.values import Lots, Price, decimal_text, price_from_decimal
from exchange.feeds.snapshot import Level
from exchange.testing.errors import ScriptError

Yuan = int | float | Decimal
"""A price as a test writes it; a float means the decimal number that Python shows for it."""
Side = Yuan | Sequence[tuple[Yuan, int]] | None
"""One side of the book: a price, or (price, lots) of several levels, best first; None for nobody."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The market maker's orders are these and no others from now on. Users' orders that they meet are filled."""

    instrument_id: str
    bid: Side = None
    ask: Side = None
    lots: int = 10
    """On each side that is given as a price."""


@dataclass(frozen=True, slots=True)
class Trade:
    """So many lots trade at this price; users' orders that are in the way are filled first, at the book's rules.

    The market maker's quotes are afterwards what they were.
    """

    instrument_id: str
    price: Yuan
    lots: int = 1


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing happens for so long."""

    seconds: float


Act = Quote | Trade | Pause


def ladder(side: Side, lots: int, terms: InstrumentTerms) -> tuple[Level, ...]:
    """A side's levels as the market maker quotes them. Raises ScriptError."""
    if side is None:
        return ()
    levels = side if isinstance(side, Sequence) else [(side, lots)]
    return tuple((tick_price(price, terms), whole_lots(count)) for price, count in levels)


def check_book(instrument_id: str, bids: Sequence[Level], asks: Sequence[Level]) -> None:
    """Raises ScriptError unless the levels are in order, best first, and the two sides do not meet."""
    # Asks worst first, then bids best first: one falling ladder says both.
    prices = [price for price, _ in (*reversed(asks), *bids)]
    if any(higher <= lower for higher, lower in pairwise(prices)):
        shown = [", ".join(decimal_text(price) for price, _ in side) or "none" for side in (bids, asks)]
        raise ScriptError(
            f"{instrument_id} cannot be quoted with bids {shown[0]} and asks {shown[1]}: "
            "give each side best first, and every ask above every bid"
        )


def tick_price(price: Yuan, terms: InstrumentTerms) -> Price:
    """A price that the contract takes. Raises ScriptError."""
    tick, lower, upper = terms.price_tick, terms.lower_limit, terms.upper_limit
    try:
        exact = price_from_decimal(decimal_of(price))
    except (ArithmeticError, ValueError):
        exact = Price(-1)
    if exact % tick or not lower <= exact <= upper:
        raise ScriptError(
            f"{price!r} is no price of {terms.instrument_id}: give a multiple of {decimal_text(tick)} "
            f"from {decimal_text(lower)} to {decimal_text(upper)}"
        )
    return exact


def decimal_of(yuan: Yuan) -> Decimal:
    """The decimal number that is meant. Raises ArithmeticError for what is no number."""
    return Decimal(str(yuan))


def whole_lots(lots: int) -> Lots:
    """A number of lots above 0. Raises ScriptError."""
    if lots < 1 or lots != int(lots):
        raise ScriptError(f"{lots!r} is no number of lots: give a whole number from 1 on")
    return Lots(int(lots))
