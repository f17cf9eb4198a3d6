"""A contract's terms, and what the market last said of it."""

from __future__ import annotations

from msgspec import Struct

from exchange.domain.values import InstrumentId, Lots, Money, Multiplier, Price, Rate


class MarginRates(Struct, frozen=True, kw_only=True, gc=False):
    """Margin of one lot = price * multiplier * by_money + by_volume; both are always added (rule 4)."""

    by_money: Rate
    by_volume: Money


class FeePair(Struct, frozen=True, kw_only=True, gc=False):
    """Fee of a fill = turnover * by_money + lots * by_volume (rule 5)."""

    by_money: Rate
    by_volume: Money


class FeeRates(Struct, frozen=True, kw_only=True, gc=False):
    """The three pairs of an instrument."""

    open: FeePair
    close: FeePair
    closetoday: FeePair


class InstrumentTerms(Struct, frozen=True, kw_only=True, gc=False):
    """What is fixed when a contract is listed, and the day's band and rates it is listed with."""

    instrument_id: InstrumentId
    """Exchange and contract, such as `SHFE.cu2701`."""
    exchange_id: str
    product_id: str
    name: str
    multiplier: Multiplier
    price_tick: Price
    pre_settlement: Price
    upper_limit: Price
    lower_limit: Price
    margin: MarginRates
    fees: FeeRates
    limit_order_lots_max: Lots
    market_order_lots_max: Lots
    """0 where the contract takes no market orders."""
    separate_today: bool
    """Whether CLOSE and CLOSETODAY speak of separate buckets, as on SHFE and INE (rule 2)."""
    delivery_year: int
    delivery_month: int
    expire_at_ns: int


class Mark:
    """All that the figures of a holder may read from the market; whoever changes one of these changes every holder's
    figures."""

    __slots__ = ("margin", "multiplier", "price")

    def __init__(self, price: Price, multiplier: Multiplier, margin: MarginRates) -> None:
        self.price = price
        """The last trade's price; the previous settlement price before the first trade."""
        self.multiplier = multiplier
        self.margin = margin
