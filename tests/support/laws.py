"""What must hold whatever happened: the invariants of the core, each checked from scratch and against the log alone.

`check_entry` looks at the events of one command, `check_state` at the state after it; both raise AssertionError.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from exchange.decider import ExchangeState
from exchange.decider.state import HeldPosition, Listing, TradingAccount
from exchange.domain.account import Figures, available_now
from exchange.domain.events import (
    Deposited,
    Event,
    Fill,
    OrderAccepted,
    OrderCancelled,
    OrderRefused,
    TradeExecuted,
    Withdrawn,
)
from exchange.domain.holdings import Holding
from exchange.domain.margin import frozen_rest, side_margin
from exchange.domain.order import Order
from exchange.domain.position import PositionSide, position_profit
from exchange.domain.values import InstrumentId
from exchange.domain.words import Direction, OrderStatus, PositionEffect


class Witness:
    """Reads the log of a session entry by entry and knows nothing else but where it began."""

    def __init__(self, opening: ExchangeState) -> None:
        self._listings = opening.instruments
        self._opening_money = sum(account.cash.static_balance for account in opening.accounts.values())
        self.accepted: dict[int, OrderAccepted] = {}
        self.filled: Counter[int] = Counter()
        self.cancelled: dict[int, int] = {}
        self.refused: set[int] = set()
        self.moved = 0
        """Deposits less withdrawals since the opening."""
        self.cash: dict[str, Counter[str]] = defaultdict(Counter)
        self.last: dict[str, int] = {each: listing.mark.price for each, listing in opening.instruments.items()}
        self.open_interest: Counter[str] = Counter()
        for account in opening.accounts.values():
            for instrument_id, held in account.positions.items():
                self.open_interest[instrument_id] += held.position.long.lots

    def check_entry(self, events: tuple[Event, ...]) -> None:
        """Every event of one command is possible after all that were before."""
        assert events, "a command left no event"
        for event in events:
            match event:
                case Deposited():
                    self.moved += event.amount
                case Withdrawn():
                    self.moved -= event.amount
                case OrderAccepted():
                    self._is_new(event.order_no)
                    self.accepted[event.order_no] = event
                case OrderRefused():
                    self._is_new(event.order_no)
                    self.refused.add(event.order_no)
                case OrderCancelled():
                    self._is_working(event.order_no)
                    left = self.accepted[event.order_no].lots - self.filled[event.order_no]
                    assert event.lots_left == left > 0, f"{event} but {left} lots are left"
                    self.cancelled[event.order_no] = event.lots_left
                case TradeExecuted():
                    self._check_trade(event)
                case _:
                    pass

    def _is_new(self, order_no: int) -> None:
        assert order_no == len(self.accepted) + len(self.refused) + 1, f"order number {order_no} is out of order"

    def _is_working(self, order_no: int) -> None:
        assert order_no in self.accepted, f"order {order_no} was never accepted"
        assert order_no not in self.cancelled, f"order {order_no} changed after it was cancelled"
        assert self.filled[order_no] < self.accepted[order_no].lots, f"order {order_no} changed after it was filled"

    def _check_trade(self, trade: TradeExecuted) -> None:
        terms = self._listings[trade.instrument_id].terms
        buyer, seller = self.accepted[trade.buyer.order_no], self.accepted[trade.seller.order_no]
        assert (buyer.direction, seller.direction) == (Direction.BUY, Direction.SELL)
        assert trade.lots > 0
        assert seller.price <= trade.price <= buyer.price, f"{trade} outside its orders' prices"
        assert terms.lower_limit <= trade.price <= terms.upper_limit, f"{trade} outside the band"
        assert trade.price % terms.price_tick == 0, f"{trade} between ticks"
        last = (2 * self.last[trade.instrument_id] + terms.price_tick) // (2 * terms.price_tick) * terms.price_tick
        assert trade.price == sorted((seller.price, buyer.price, last))[1], f"{trade} is not the middle of three"
        self.last[trade.instrument_id] = trade.price
        for fill, accepted in ((trade.buyer, buyer), (trade.seller, seller)):
            self._is_working(fill.order_no)
            self.filled[fill.order_no] += trade.lots
            assert self.filled[fill.order_no] <= accepted.lots, f"order {fill.order_no} is filled beyond its lots"
            self._check_fill(trade, fill, accepted, terms.multiplier)
        opened = [buyer.effect, seller.effect].count(PositionEffect.OPEN)
        self.open_interest[trade.instrument_id] += (opened - 1) * trade.lots

    def _check_fill(self, trade: TradeExecuted, fill: Fill, accepted: OrderAccepted, multiplier: int) -> None:
        assert (fill.account_id, fill.order_id, fill.effect) == (
            accepted.account_id,
            accepted.order_id,
            accepted.effect,
        )
        sign = 1 if accepted.direction is Direction.SELL else -1  # a sell closes long lots
        for bite in fill.closed:
            assert bite.lots > 0
            assert bite.profit == sign * (trade.price - bite.basis) * bite.lots * multiplier, f"{bite} in {trade}"
        closing = accepted.effect is not PositionEffect.OPEN
        assert sum(bite.lots for bite in fill.closed) == (trade.lots if closing else 0)
        assert fill.close_profit == sum(bite.profit for bite in fill.closed)
        assert 0 <= fill.charged_as_today <= trade.lots
        self.cash[fill.account_id]["commission"] += fill.commission
        self.cash[fill.account_id]["close_profit"] += fill.close_profit

    def check_state(self, state: ExchangeState) -> None:
        """The state is what the log says, and sound in itself."""
        self._money_is_conserved(state)
        for instrument_id, listing in state.instruments.items():
            assert listing.mark.price == self.last[instrument_id], "the last price is not the last trade's"
            _book_is_sound(state, listing)
            _lots_are_conserved(state, instrument_id, self.open_interest[instrument_id])
        for account_id, account in state.accounts.items():
            assert account.cash.commission == self.cash[account_id]["commission"]
            assert account.cash.close_profit == self.cash[account_id]["close_profit"]
            for order in account.orders.values():
                if isinstance(order, Order):
                    self._order_adds_up(order)
            _frozen_adds_up(account)
            for held in account.positions.values():
                _position_adds_up(state, account, held)
            _available_adds_up(account)

    def _order_adds_up(self, order: Order) -> None:
        number, lots = order.order_no, order.accepted.lots
        assert order.accepted == self.accepted[number]
        assert order.lots_left == lots - self.filled[number], f"order {number} has {order.lots_left} lots left"
        ends = {
            OrderStatus.ALIVE: number not in self.cancelled and order.lots_left > 0,
            OrderStatus.FILLED: order.lots_left == 0,
            OrderStatus.CANCELLED: self.cancelled.get(number) == order.lots_left,
        }
        assert ends[order.status], f"order {number} is {order.status} with {order.lots_left} lots left"

    def _money_is_conserved(self, state: ExchangeState) -> None:
        balances = fees = 0
        for account in state.accounts.values():
            profit = sum(
                position_profit(held.position, held.mark.price, held.mark.multiplier)
                for held in account.positions.values()
            )
            balances += Figures(account.cash, profit, 0, 0).balance
            fees += account.cash.commission
        assert balances + fees == self._opening_money + self.moved, "money appeared or vanished"


def _book_is_sound(state: ExchangeState, listing: Listing) -> None:
    """The book holds the living orders and no others, in order of price and time, and is not crossed."""
    book = listing.book
    bid, ask = book.bids.best(), book.asks.best()
    assert bid is None or ask is None or bid < ask, f"the book is crossed: {bid} bid, {ask} asked"
    living = [
        order
        for account in state.accounts.values()
        for order in account.orders.values()
        if isinstance(order, Order)
        and order.status is OrderStatus.ALIVE
        and order.accepted.instrument_id == listing.terms.instrument_id
    ]
    for side, direction, sign in ((book.bids, Direction.BUY, -1), (book.asks, Direction.SELL, 1)):
        wanted = sorted(
            (order for order in living if order.accepted.direction is direction),
            key=lambda order: (sign * order.price, order.order_no),
        )
        assert list(side) == wanted, f"the {direction} side is not in order of price and time"
        levels: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for order in wanted:
            levels[order.price][0] += order.lots_left
            levels[order.price][1] += 1
        assert [(level.price, level.lots, level.orders) for level in side.levels(1_000)] == [
            (at, lots, orders) for at, (lots, orders) in levels.items()
        ]


def _lots_are_conserved(state: ExchangeState, instrument_id: str, open_interest: int) -> None:
    positions = (account.positions.get(InstrumentId(instrument_id)) for account in state.accounts.values())
    held = [each for each in positions if each is not None]
    assert sum(each.position.long.lots for each in held) == open_interest
    assert sum(each.position.short.lots for each in held) == open_interest


def _frozen_adds_up(account: TradingAccount) -> None:
    """What is frozen is what the living orders hold: nothing where none lives."""
    margin = commission = 0
    for order in account.orders.values():
        if isinstance(order, Order) and order.status is OrderStatus.ALIVE:
            accepted = order.accepted
            margin += frozen_rest(accepted.frozen_margin, order.lots_left, accepted.lots)
            commission += frozen_rest(accepted.frozen_commission, order.lots_left, accepted.lots)
    assert account.cash.frozen_margin == margin >= 0, (
        f"frozen margin {account.cash.frozen_margin}, orders hold {margin}"
    )
    assert account.cash.frozen_commission == commission >= 0


def _position_adds_up(state: ExchangeState, account: TradingAccount, held: HeldPosition) -> None:
    instrument_id = InstrumentId(held.position.instrument_id)
    separate = state.instruments[instrument_id].terms.separate_today
    for side, holdings, closing, margin in (
        (held.position.long, held.long_holdings, Direction.SELL, held.long_margin),
        (held.position.short, held.short_holdings, Direction.BUY, held.short_margin),
    ):
        _bucket_adds_up(held, holdings.today, (side.lots_today, side.open_cost_today, side.cost_today), today=True)
        _bucket_adds_up(
            held, holdings.history, (side.lots_history, side.open_cost_history, side.cost_history), today=False
        )
        under_orders: Counter[bool] = Counter()
        for order in account.orders.values():
            if (
                isinstance(order, Order)
                and order.status is OrderStatus.ALIVE
                and order.accepted.instrument_id == instrument_id
                and order.accepted.direction is closing
                and order.accepted.effect is not PositionEffect.OPEN
            ):
                under_orders[separate and order.accepted.effect is PositionEffect.CLOSETODAY] += order.lots_left
        assert (side.frozen_close, side.frozen_close_today) == (under_orders[False], under_orders[True])
        _frozen_lots_are_held(side, separate=separate)
        assert margin == side_margin(side, held.mark)
        assert side.charged_as_today >= 0
        assert side.lots_today <= side.opened_today


def _bucket_adds_up(
    held: HeldPosition, bucket: Iterable[Holding], totals: tuple[int, int, int], *, today: bool
) -> None:
    holdings = list(bucket)
    multiplier = held.mark.multiplier
    assert all(holding.lots > 0 and holding.today is today for holding in holdings)
    assert [holding.opened_by for holding in holdings] == sorted(holding.opened_by for holding in holdings)
    assert totals == (
        sum(holding.lots for holding in holdings),
        sum(holding.open_price * holding.lots for holding in holdings) * multiplier,
        sum(holding.basis * holding.lots for holding in holdings) * multiplier,
    )


def _frozen_lots_are_held(side: PositionSide, *, separate: bool) -> None:
    if separate:
        assert side.frozen_close <= side.lots_history
        assert side.frozen_close_today <= side.lots_today
    else:
        assert side.frozen_close <= side.lots
    today, history = side.frozen_split(separate)
    assert 0 <= today <= side.lots_today
    assert 0 <= history <= side.lots_history


def _available_adds_up(account: TradingAccount) -> None:
    """The kept margins give the same money as margins made anew."""
    profit = margin = 0
    for held in account.positions.values():
        profit += position_profit(held.position, held.mark.price, held.mark.multiplier)
        margin += side_margin(held.position.long, held.mark) + side_margin(held.position.short, held.mark)
    found = available_now(account.cash, account.positions.values())
    assert found == Figures(account.cash, profit, 0, margin).available
