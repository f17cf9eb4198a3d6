"""Law 6: money and lots are conserved; and the state says the same as the views, which are another fold of the log."""

from __future__ import annotations

from typing import Any

from exchange.decider import ExchangeState
from exchange.decider.state import HeldPosition, TradingAccount
from exchange.domain.account import available_now
from exchange.domain.order import Order
from exchange.domain.position import PositionSide
from exchange.domain.values import YUAN, InstrumentId
from exchange.domain.words import ALIVE, BUY, OPEN, SELL, Direction
from tests.simulation.broken import require
from tests.simulation.dialects import Spoken
from tests.simulation.market import TRADERS


def check(state: ExchangeState, fees: int) -> None:
    """`fees` is the sum over all fills of the log, in 1e-6 yuan."""
    accounts = state.accounts.values()
    balances = sum(map(balance, accounts))
    paid_in = sum(account.cash.static_balance for account in accounts)
    require(balances + fees == paid_in, 6, f"balances {balances} and fees {fees} are not the {paid_in} paid in")
    for account in accounts:
        _check_frozen(account)
    for instrument_id in state.instruments:
        held = [a.positions[instrument_id].position for a in accounts if instrument_id in a.positions]
        longs, shorts = sum(p.long.lots for p in held), sum(p.short.lots for p in held)
        require(longs == shorts, 6, f"{longs} lots of {instrument_id} are long and {shorts} short")


def balance(account: TradingAccount) -> int:
    """What an account is worth at the present marks, in 1e-6 yuan, from its lots and their costs."""
    cash, profit = account.cash, 0
    for held in account.positions.values():
        long, short = held.position.long, held.position.short
        value = held.mark.price * held.mark.multiplier * (long.lots - short.lots)
        profit += value - long.cost_today - long.cost_history + short.cost_today + short.cost_history
    return cash.static_balance + cash.close_profit - cash.commission + profit


def _check_frozen(account: TradingAccount) -> None:
    """What is frozen is what the working orders hold; ended orders hold nothing."""
    orders = [order for order in account.orders.values() if isinstance(order, Order)]
    cash = account.cash
    for name in ("frozen_margin", "frozen_commission"):
        held, frozen = sum(getattr(order, name) for order in orders), getattr(cash, name)
        require(frozen == held >= 0, 6, f"{account.account_id} has {name} {frozen}, its orders hold {held}")
    for held_position in account.positions.values():
        for side, closed_by in ((held_position.position.long, SELL), (held_position.position.short, BUY)):
            _check_frozen_lots(orders, held_position, side, closed_by)


def _check_frozen_lots(orders: list[Order], held: HeldPosition, side: PositionSide, closed_by: Direction) -> None:
    lots = sum(
        order.lots_left
        for order in orders
        if order.status is ALIVE
        and order.accepted.effect is not OPEN
        and order.accepted.direction is closed_by
        and order.accepted.instrument_id == held.position.instrument_id
    )
    frozen = side.frozen_close + side.frozen_close_today
    require(frozen == lots <= side.lots, 6, f"{frozen} of {side.lots} lots are frozen, orders close {lots}")


def compare(state: ExchangeState, spoken: Spoken, views: dict[str, dict[str, Any]]) -> None:
    """State and views are two folds of one log: what both know must agree. Views by name."""
    for trader in TRADERS:
        account = state.accounts.get(trader.account_id)
        if account is not None:
            _compare_account(account, spoken, views[trader.name], spoken.account(views[trader.name], trader.name))


def compare_quotes(state: ExchangeState, quotes: dict[str, list[tuple[int, dict[str, Any]]]]) -> None:
    """The same of quotes, which come with their history."""
    for instrument_id, history in quotes.items():
        held = [account.positions.get(InstrumentId(instrument_id)) for account in state.accounts.values()]
        longs, shown = sum(each.position.long.lots for each in held if each), history[-1][1]["open_interest"]
        require(longs == shown, 6, f"{instrument_id} has the open interest {longs}, shown are {shown}")


def _compare_account(account: TradingAccount, spoken: Spoken, view: dict[str, Any], shown: dict[str, Any]) -> None:
    for name, value in (("balance", balance(account)), ("available", _available(account))):
        require(shown[name] == value / YUAN, 1, f"{account.account_id} has {name} {value}, shown is {shown[name]}")
    for instrument_id, held in account.positions.items():
        lots = held.position.long.lots, held.position.short.lots
        position = view["positions"].get(instrument_id, {"volume_long": 0, "volume_short": 0})
        require(lots == (position["volume_long"], position["volume_short"]), 1, f"{lots} are held, not {position}")
    for order_id, order in account.orders.items():
        worded = view["orders"].get(order_id)
        if isinstance(order, Order) and (worded is not None or order.status is ALIVE):
            require(worded is not None, 1, f"the working order {order_id} is not shown")
            filled = order.accepted.lots - order.lots_left
            require(spoken.filled(worded) == filled, 1, f"{filled} lots of {order_id} are filled, shown is {worded}")


def _available(account: TradingAccount) -> int:
    return available_now(account.cash, account.positions.values())
