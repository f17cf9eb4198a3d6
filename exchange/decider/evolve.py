"""An event changes the state. The same function serves the live exchange and every replay; an impossible event stops
the process."""

from __future__ import annotations

from typing import assert_never

from exchange.decider.state import ExchangeState, HeldPosition, Listing, TradingAccount
from exchange.domain.events import (
    AccountOpened,
    CommandRefused,
    Deposited,
    Event,
    Fill,
    InstrumentRegistered,
    OrderAccepted,
    OrderCancelled,
    OrderRefused,
    OrderRepeated,
    TradeExecuted,
    Withdrawn,
)
from exchange.domain.ids import is_own_order_id
from exchange.domain.order import Order
from exchange.domain.words import Direction, OrderStatus, PositionEffect


def evolve(state: ExchangeState, event: Event) -> None:
    """Fold one event into the state, in the order of the log."""
    match event:
        case OrderAccepted():
            _order_accepted(state, event)
        case TradeExecuted():
            _trade_executed(state, event)
        case OrderCancelled():
            _order_cancelled(state, event)
        case OrderRefused():
            _order_refused(state, event)
        case OrderRepeated() | CommandRefused():
            pass  # nothing changed: that is what these events say
        case Deposited():
            state.accounts[event.account_id].cash.deposit += event.amount
            state.changed["account", event.account_id] = None
        case Withdrawn():
            state.accounts[event.account_id].cash.withdraw += event.amount
            state.changed["account", event.account_id] = None
        case AccountOpened():
            assert event.account_id not in state.accounts, f"account {event.account_id} was opened twice"
            state.accounts[event.account_id] = TradingAccount()
            state.changed["account", event.account_id] = None
        case InstrumentRegistered():
            instrument_id = event.terms.instrument_id
            assert instrument_id not in state.instruments, f"instrument {instrument_id} was registered twice"
            state.instruments[instrument_id] = Listing(event.terms)
            state.changed["instrument", instrument_id] = None
        case _:
            assert_never(event)


def _order_accepted(state: ExchangeState, event: OrderAccepted) -> None:
    state.order_no = event.order_no
    account = state.accounts[event.account_id]
    instrument = state.instruments[event.instrument_id]
    order = Order(event)
    account.orders[event.order_id] = order
    account.cash.frozen_margin += event.frozen_margin
    account.cash.frozen_commission += event.frozen_commission
    if event.effect is not PositionEffect.OPEN:
        _freeze(account.positions[event.instrument_id], event, event.lots, instrument)
        state.changed["position", event.account_id, event.instrument_id] = None
    # An order that is filled or cancelled by the next events of its entry still goes through the book: one way for all
    # of them.
    instrument.book.side(event.direction).add(order)
    state.changed["account", event.account_id] = None
    state.changed["order", event.account_id, event.order_id] = None


def _order_refused(state: ExchangeState, event: OrderRefused) -> None:
    state.order_no = event.order_no
    if not is_own_order_id(event.order_id):
        state.accounts[event.account_id].orders[event.order_id] = event
        state.changed["order", event.account_id, event.order_id] = None


def _order_cancelled(state: ExchangeState, event: OrderCancelled) -> None:
    account = state.accounts[event.account_id]
    order = _working_order(account, event)
    instrument = state.instruments[event.instrument_id]
    accepted = order.accepted
    assert order.lots_left == event.lots_left, (
        f"order {event.order_no} has {order.lots_left} lots left, not {event.lots_left}"
    )
    margin, commission = order.frozen()
    account.cash.frozen_margin -= margin
    account.cash.frozen_commission -= commission
    if accepted.effect is not PositionEffect.OPEN:
        _freeze(account.positions[event.instrument_id], accepted, -event.lots_left, instrument)
        state.changed["position", event.account_id, event.instrument_id] = None
    instrument.book.side(accepted.direction).take(order, order.lots_left)
    order.status = OrderStatus.CANCELLED
    _changed_order(state, account, order)


def _trade_executed(state: ExchangeState, event: TradeExecuted) -> None:
    state.trade_no = event.trade_no
    instrument = state.instruments[event.instrument_id]
    _fold_fill(state, instrument, event, event.buyer, Direction.BUY)
    _fold_fill(state, instrument, event, event.seller, Direction.SELL)
    instrument.mark.price = event.price
    state.changed["instrument", event.instrument_id] = None


def _fold_fill(
    state: ExchangeState, instrument: Listing, trade: TradeExecuted, fill: Fill, direction: Direction
) -> None:
    account = state.accounts[fill.account_id]
    order = _working_order(account, fill)
    cash = account.cash
    margin, commission = order.frozen()
    instrument.book.side(direction).take(order, trade.lots)
    order.fill(trade.lots)
    margin_left, commission_left = order.frozen()
    cash.frozen_margin += margin_left - margin
    cash.frozen_commission += commission_left - commission
    cash.commission += fill.commission
    cash.close_profit += fill.close_profit
    held = account.positions.get(trade.instrument_id)
    if held is None:
        held = account.positions[trade.instrument_id] = HeldPosition(instrument)
    multiplier = instrument.terms.multiplier
    if fill.effect is PositionEffect.OPEN:
        buying = direction is Direction.BUY
        (held.position.long if buying else held.position.short).open(trade.price, trade.lots, multiplier)
        (held.long_holdings if buying else held.short_holdings).open(trade.trade_no, trade.price, trade.lots)
    else:
        selling = direction is Direction.SELL
        (held.position.long if selling else held.position.short).close(fill.closed, multiplier, fill.charged_as_today)
        (held.long_holdings if selling else held.short_holdings).close(fill.closed)
        _freeze(held, order.accepted, -trade.lots, instrument)
    state.changed["position", fill.account_id, trade.instrument_id] = None
    _changed_order(state, account, order)


def _working_order(account: TradingAccount, event: OrderCancelled | Fill) -> Order:
    order = account.orders[event.order_id]
    assert isinstance(order, Order), f"order {event.order_no} was refused, it cannot change"
    assert order.order_no == event.order_no, f"order {event.order_id} has number {order.order_no}, not {event.order_no}"
    assert order.status is OrderStatus.ALIVE, f"order {event.order_no} is {order.status}, it cannot change"
    return order


def _freeze(held: HeldPosition, accepted: OrderAccepted, lots: int, instrument: Listing) -> None:
    """Set lots of the side that a closing order takes from aside; a buy closes short lots."""
    side = held.position.short if accepted.direction is Direction.BUY else held.position.long
    side.freeze(accepted.effect, lots, instrument.terms.separate_today)


def _changed_order(state: ExchangeState, account: TradingAccount, order: Order) -> None:
    accepted = order.accepted
    state.changed["account", accepted.account_id] = None
    state.changed["order", accepted.account_id, accepted.order_id] = None
    if order.status is not OrderStatus.ALIVE and is_own_order_id(accepted.order_id):
        del account.orders[accepted.order_id]  # no client can repeat it, so its outcome need not be remembered
