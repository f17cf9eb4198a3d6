"""All that the exchange knows: the fold of every event so far."""

from __future__ import annotations

from exchange.domain.account import Cash
from exchange.domain.holdings import Holdings
from exchange.domain.ids import is_own_order_id
from exchange.domain.instrument import InstrumentTerms, Mark
from exchange.domain.order import Order, RefusedOrder
from exchange.domain.position import Position
from exchange.domain.values import AccountId, InstrumentId, OrderId, Price, to_tick
from exchange.domain.words import ALIVE
from exchange.matching.book import Book


class HeldPosition:
    """An account's position of one instrument with its holdings, and the mark it is valued at."""

    __slots__ = ("account_id", "long_holdings", "long_margin", "mark", "position", "short_holdings", "short_margin")

    def __init__(self, account_id: AccountId, instrument: Listing) -> None:
        self.account_id = account_id
        self.position = Position(instrument.terms.instrument_id)
        self.mark = instrument.mark
        self.long_margin = 0
        """Margin of the long lots, in 1e-6 yuan; kept because every opening order asks for it, of all positions."""
        self.short_margin = 0
        self.long_holdings = Holdings()
        self.short_holdings = Holdings()


class TradingAccount:
    """An account's money, positions and orders."""

    __slots__ = ("account_id", "cash", "orders", "positions", "suspended")

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self.cash = Cash()
        self.positions: dict[InstrumentId, HeldPosition] = {}
        self.orders: dict[OrderId, Order | RefusedOrder] = {}
        """Every order of the trading day under a client's id, finished and refused ones too: a repeated id gets its
        first outcome. Of those under the exchange's own ids only the working ones, see `is_remembered`."""
        self.suspended = False
        """Whether new orders and withdrawals are refused."""


def is_remembered(order: Order) -> bool:
    """Whether an account keeps the order: no client can repeat an id that the exchange made, so such an order is
    forgotten when it ends."""
    return order.status is ALIVE or not is_own_order_id(order.accepted.order_id)


class Listing:
    """A listed contract: its terms, its mark, its book."""

    __slots__ = ("book", "mark", "terms")

    def __init__(self, terms: InstrumentTerms) -> None:
        self.terms = terms
        self.mark = Mark(terms.pre_settlement, terms.multiplier, terms.margin)
        self.book: Book[Order] = Book()

    def previous_price(self) -> Price:
        """What a trade's price is measured against (rule 1.3): the previous trade's price, before the first trade the
        previous settlement price, which may lie between ticks and is taken to the nearest one."""
        return to_tick(self.mark.price, self.terms.price_tick)


Hashed = Listing | TradingAccount | HeldPosition | Order | RefusedOrder
"""The objects of the state, each with a share of its own in the state hash."""


class ExchangeState:
    """Everything that `decide` reads and `evolve` changes; equal logs give equal states."""

    __slots__ = ("accounts", "changed", "instruments", "order_no", "trade_no")

    def __init__(self) -> None:
        self.accounts: dict[AccountId, TradingAccount] = {}
        self.instruments: dict[InstrumentId, Listing] = {}
        self.order_no = 0
        """The last order number given, to a refused order too."""
        self.trade_no = 0
        """The last trade number given."""
        self.changed: dict[Hashed, None] = {}
        """The objects that changed since the state hash last looked at them; each is its own key.

        It holds on to orders that are forgotten: who folds a long log without a state hash must clear it now and then.
        """
