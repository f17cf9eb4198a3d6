"""All that the exchange knows: the fold of every event so far."""

from __future__ import annotations

from exchange.domain.account import Cash
from exchange.domain.events import OrderRefused
from exchange.domain.holdings import Holdings
from exchange.domain.instrument import InstrumentTerms, Mark
from exchange.domain.order import Order
from exchange.domain.position import Position
from exchange.domain.values import AccountId, InstrumentId, OrderId
from exchange.matching.book import Book


class HeldPosition:
    """An account's position of one instrument with its holdings, and the mark it is valued at."""

    __slots__ = ("long_holdings", "mark", "position", "short_holdings")

    def __init__(self, instrument: Listing) -> None:
        self.position = Position(instrument.terms.instrument_id)
        self.mark = instrument.mark
        self.long_holdings = Holdings()
        self.short_holdings = Holdings()


class TradingAccount:
    """An account's money, positions and orders."""

    __slots__ = ("cash", "orders", "positions")

    def __init__(self) -> None:
        self.cash = Cash()
        self.positions: dict[InstrumentId, HeldPosition] = {}
        self.orders: dict[OrderId, Order | OrderRefused] = {}
        """Every order of the trading day under a client's id, finished and refused ones too: a repeated id gets its
        first outcome. Of those under the exchange's own ids, which no client can repeat, only the working ones."""


class Listing:
    """A listed contract: its terms, its mark, its book."""

    __slots__ = ("book", "mark", "terms")

    def __init__(self, terms: InstrumentTerms) -> None:
        self.terms = terms
        self.mark = Mark(terms.pre_settlement, terms.multiplier, terms.margin)
        self.book: Book[Order] = Book()


class ExchangeState:
    """Everything that `decide` reads and `evolve` changes; equal logs give equal states."""

    __slots__ = ("accounts", "changed", "instruments", "order_no", "trade_no")

    def __init__(self) -> None:
        self.accounts: dict[AccountId, TradingAccount] = {}
        self.instruments: dict[InstrumentId, Listing] = {}
        self.order_no = 0
        """The last order number given."""
        self.trade_no = 0
        """The last trade number given."""
        self.changed: dict[tuple[str, ...], None] = {}
        """Keys of the objects that changed since the state hash was last brought up to date; in order, as a set would
        not be."""
