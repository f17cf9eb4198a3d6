"""The exchange at one place of its log: accounts, positions, working orders, instruments; or one user's view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from eventstore.store import LogReader
from exchange.cli.output import Tell
from exchange.cli.values import Place
from exchange.decider import ExchangeState, evolve
from exchange.decider.state import HeldPosition, Listing, TradingAccount
from exchange.domain.events import Event
from exchange.domain.order import Order
from exchange.domain.position import PositionSide
from exchange.domain.values import AccountId, Lots
from exchange.domain.words import ALIVE
from exchange.gateway.dialects.guide import GuideDialect
from exchange.server.recovery import decode_events
from projections.figures import PositionFigures, account_figures, position_figures
from projections.fold import Projections
from projections.merge_patch import merge_patch
from projections.user_view import BEFORE_ALL

UNIT: Final = "0.000001 CNY"
"""The unit of every price and amount in `state_document`, as in the log."""
TOLD_EVERY: Final = 1000
"""Entries between two words on the progress."""

Take = Callable[[int, tuple[Event, ...]], object]
"""Takes a whole entry: its first log_seq and its events."""


@dataclass(slots=True)
class Reached:
    """Where a fold ended: the end of an entry, or the beginning of the log."""

    log_seq: int = 0
    at_ns: int = 0


def fold_to(reader: LogReader, place: Place | None, take: Take, told: Tell) -> Reached:
    """Hand over all entries up to the last one at or before `place`; without a place, all there are."""
    place = place or Place()
    until = reader.head.log_seq if place.log_seq is None else place.log_seq
    reached = Reached()
    for entries, entry in enumerate(reader.read(until=until), 1):
        if place.at_ns is not None and entry.at_ns > place.at_ns:
            break
        take(entry.first_log_seq, decode_events(entry))
        reached.log_seq, reached.at_ns = entry.last_log_seq, entry.at_ns
        if entries % TOLD_EVERY == 0:
            told(entry.last_log_seq, until)
    return reached


def fold_state(reader: LogReader, place: Place | None, told: Tell) -> tuple[ExchangeState, Reached]:
    """The whole exchange's state at a place."""
    state = ExchangeState()

    def take(_first_log_seq: int, events: tuple[Event, ...]) -> None:
        for event in events:
            evolve(state, event)

    return state, fold_to(reader, place, take, told)


def state_document(state: ExchangeState, names: dict[AccountId, str]) -> dict[str, Any]:
    """What is there, in the order in which it came; prices and amounts exact, in whole numbers of `UNIT`.

    Accounts with their figures at the present marks, positions with lots, working orders, instruments. `names` are the
    users' by account, where they are known.
    """
    accounts = state.accounts.values()
    return {
        "unit": UNIT,
        "accounts": [_account(account, names.get(account.account_id)) for account in accounts],
        "positions": [
            _position(held) for account in accounts for held in account.positions.values() if _lots(held) != (0, 0)
        ],
        "orders": [_order(order) for account in accounts for order in _working_orders(account)],
        "instruments": [_instrument(listing) for listing in state.instruments.values()],
    }


def _working_orders(account: TradingAccount) -> list[Order]:
    return [order for order in account.orders.values() if isinstance(order, Order) and order.status is ALIVE]


def _lots(held: HeldPosition) -> tuple[Lots, Lots]:
    return Lots(held.position.long.lots), Lots(held.position.short.lots)


def _figures(held: HeldPosition) -> PositionFigures:
    return position_figures(held.position, held.mark)


def _account(account: TradingAccount, name: str | None) -> dict[str, Any]:
    cash = account.cash
    figures = account_figures(cash, map(_figures, account.positions.values()))
    return {
        "account_id": account.account_id,
        "user": name,
        "suspended": account.suspended,
        "balance": figures.balance,
        "available": figures.available,
        "margin": figures.margin,
        "static_balance": cash.static_balance,
        "pre_balance": cash.pre_balance,
        "deposit": cash.deposit,
        "withdraw": cash.withdraw,
        "close_profit": cash.close_profit,
        "position_profit": figures.position_profit,
        "float_profit": figures.float_profit,
        "commission": cash.commission,
        "frozen_margin": cash.frozen_margin,
        "frozen_commission": cash.frozen_commission,
    }


def _position(held: HeldPosition) -> dict[str, Any]:
    (profit_long, by_trade_long, margin_long), (profit_short, by_trade_short, margin_short) = _figures(held)
    return {
        "account_id": held.account_id,
        "instrument_id": held.position.instrument_id,
        "mark": held.mark.price,
        "long": _side(held.position.long),
        "short": _side(held.position.short),
        "position_profit": profit_long + profit_short,
        "float_profit": by_trade_long + by_trade_short,
        "margin": margin_long + margin_short,
    }


def _side(side: PositionSide) -> dict[str, int]:
    return {
        "lots": side.lots,
        "lots_today": side.lots_today,
        "lots_history": side.lots_history,
        "lots_frozen": side.frozen_close + side.frozen_close_today,
        "open_cost": side.open_cost_today + side.open_cost_history,
        "cost": side.cost_today + side.cost_history,
    }


def _order(order: Order) -> dict[str, Any]:
    accepted = order.accepted
    return {
        "order_no": accepted.order_no,
        "account_id": accepted.account_id,
        "order_id": accepted.order_id,
        "instrument_id": accepted.instrument_id,
        "direction": accepted.direction.value,
        "effect": accepted.effect.value,
        "price": accepted.price,
        "lots": accepted.lots,
        "lots_left": order.lots_left,
        "time_condition": accepted.time_condition.value,
        "frozen_margin": order.frozen_margin,
        "frozen_commission": order.frozen_commission,
        "at_ns": accepted.at_ns,
    }


def _instrument(listing: Listing) -> dict[str, Any]:
    terms = listing.terms
    return {
        "instrument_id": terms.instrument_id,
        "name": terms.name,
        "mark": listing.mark.price,
        "bid": listing.book.bids.best(),
        "ask": listing.book.asks.best(),
        "lower_limit": terms.lower_limit,
        "upper_limit": terms.upper_limit,
        "pre_settlement": terms.pre_settlement,
        "price_tick": terms.price_tick,
        "multiplier": terms.multiplier,
    }


def fold_views(reader: LogReader, place: Place | None, told: Tell) -> tuple[Projections, Reached]:
    """All users' views at a place."""
    projections = Projections()
    return projections, fold_to(reader, place, projections.apply, told)


def user_snapshot(projections: Projections, account_id: AccountId, user: str, dialect: GuideDialect) -> Any:
    """A user's tree as the dialect words it; without content where the account was not opened yet."""
    snapshot: Any = {}
    for patch in dialect.word(projections.user(account_id).changes(BEFORE_ALL), user):
        snapshot = merge_patch(snapshot, patch)
    return snapshot
