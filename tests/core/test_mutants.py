"""Deliberate mistakes in the core, one line each, switched on one by one: the laws must catch every one of them.

A mistake that goes unnoticed here shows a law that is missing or a case the random sessions never meet.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import msgspec
import pytest

from exchange.decider import PoisonCommandError
from exchange.decider.fills import TradeWriter
from exchange.domain import commission
from exchange.domain.account import available
from exchange.domain.commission import close_fee
from exchange.domain.events import TradeExecuted
from exchange.domain.holdings import Holding, Holdings
from exchange.domain.order import Order
from exchange.domain.position import PositionSide
from exchange.domain.values import RATE_ONE, Lots
from exchange.matching.book import BookSide
from exchange.matching.match import Match, match
from tests.support.checks import check_slow_exchange, everything_holds
from tests.support.flows import random_session

# The package's names `decide` and `evolve` are the functions, so these modules are asked for by their full names.
decide_module = import_module("exchange.decider.decide")
evolve_module = import_module("exchange.decider.evolve")
digest_module = import_module("exchange.decider.digest")
orders_module = import_module("exchange.decider.orders")
order_rules_module = import_module("exchange.decider.order_rules")
fills_module = import_module("exchange.decider.fills")
account_module = import_module("exchange.domain.account")

SESSIONS = 40
"""At most so many sessions are played before a mistake counts as unnoticed."""

Mutant = Callable[[pytest.MonkeyPatch], None]
MUTANTS: dict[str, Mutant] = {}


def mutant(make: Mutant) -> Mutant:
    MUTANTS[make.__name__] = make
    return make


@mutant
def the_fee_is_paid_by_the_other_side(patch: pytest.MonkeyPatch) -> None:
    real = TradeWriter.trade

    def swapped(self: TradeWriter, met: Match[Order]) -> TradeExecuted:
        trade = real(self, met)
        buyer = msgspec.structs.replace(trade.buyer, commission=trade.seller.commission)
        seller = msgspec.structs.replace(trade.seller, commission=trade.buyer.commission)
        return msgspec.structs.replace(trade, buyer=buyer, seller=seller)

    patch.setattr(TradeWriter, "trade", swapped)


@mutant
def a_cancel_frees_the_margin_twice(patch: pytest.MonkeyPatch) -> None:
    real = Order.cancel
    patch.setattr(Order, "cancel", lambda self: (2 * (freed := real(self))[0], freed[1]))


@mutant
def a_cancel_frees_nothing(patch: pytest.MonkeyPatch) -> None:
    real = Order.cancel
    patch.setattr(Order, "cancel", lambda self: tuple(0 for _ in real(self)))


@mutant
def a_partial_fill_frees_everything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("exchange.domain.order.frozen_rest", lambda total, left, lots: 0)


@mutant
def the_close_profit_has_the_wrong_sign(patch: pytest.MonkeyPatch) -> None:
    real = Holdings.bites
    patch.setattr(Holdings, "bites", lambda self, *args, long, **rest: real(self, *args, long=not long, **rest))


@mutant
def the_last_opened_is_closed_first(patch: pytest.MonkeyPatch) -> None:
    def newest_first(self: Holdings, opened_by: Any, price: Any, lots: Any) -> None:
        self.today.appendleft(Holding(opened_by=opened_by, open_price=price, basis=price, lots=lots, today=True))

    patch.setattr(Holdings, "open", newest_first)


@mutant
def the_newest_order_at_a_price_is_met_first(patch: pytest.MonkeyPatch) -> None:
    real = BookSide.add

    def to_the_front(self: BookSide[Order], order: Order) -> None:
        real(self, order)
        self._queues[order.price * self._sign].orders.move_to_end(order.order_no, last=False)

    patch.setattr(BookSide, "add", to_the_front)


@mutant
def the_worst_price_is_met_first(patch: pytest.MonkeyPatch) -> None:
    real = BookSide.reached_by
    patch.setattr(BookSide, "reached_by", lambda self, price: iter(sorted(real(self, price), key=lambda o: -o.price)))


@mutant
def a_trade_has_the_maker_s_price(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        orders_module, "match", lambda *args: [Match(met.maker, met.maker.price, met.lots) for met in match(*args)]
    )


@mutant
def a_trade_leaves_the_mark_where_it_was(patch: pytest.MonkeyPatch) -> None:
    real = evolve_module._trade_executed

    def unmarked(state: Any, event: TradeExecuted) -> None:
        mark = state.instruments[event.instrument_id].mark
        before = mark.price
        real(state, event)
        mark.price = before

    patch.setitem(evolve_module._FOLDS, TradeExecuted, unmarked)


@mutant
def a_fill_leaves_its_lots_frozen(patch: pytest.MonkeyPatch) -> None:
    real = PositionSide.freeze
    patch.setattr(PositionSide, "freeze", lambda self, effect, lots, rest: real(self, effect, max(lots, 0), rest))


@mutant
def lots_under_a_resting_close_can_be_closed_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PositionSide, "closable", lambda self, effect, separate: self.lots)


@mutant
def a_close_of_today_takes_older_lots_too(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fills_module, "_buckets", lambda effect, separate_today: "oldest_first")


@mutant
def a_sweep_forgets_what_its_trades_took(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TradeWriter, "_note", lambda self, trade: None)


@mutant
def a_fok_order_fills_in_part(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(orders_module, "fills_whole", lambda *args: True)


@mutant
def a_fok_order_counts_one_lot_too_few(patch: pytest.MonkeyPatch) -> None:
    real = orders_module.fills_whole
    patch.setattr(
        orders_module, "fills_whole", lambda book, direction, price, lots: real(book, direction, price, lots + 1)
    )


@mutant
def the_rest_of_a_fak_order_rests(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(orders_module, "IOC", None)


@mutant
def frozen_money_can_be_spent_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        account_module,
        "available",
        lambda cash, profit, margin: available(cash, profit, margin) + cash.frozen_margin + cash.frozen_commission,
    )


@mutant
def unrealised_gains_can_be_spent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        account_module, "available", lambda cash, profit, margin: available(cash, profit, margin) + max(profit, 0)
    )


@mutant
def a_closing_order_holds_the_open_fee(patch: pytest.MonkeyPatch) -> None:
    real = order_rules_module.frozen_fee
    patch.setattr(order_rules_module, "frozen_fee", lambda fees, effect, *rest: real(fees, "OPEN", *rest))
    patch.setattr(commission, "OPEN", "OPEN")


@mutant
def a_lot_pays_closetoday_twice(patch: pytest.MonkeyPatch) -> None:
    real = fills_module.lots_charged_as_today
    patch.setattr(
        fills_module,
        "lots_charged_as_today",
        lambda effect, lots, separate, chargeable: real(effect, lots, separate, max(lots, chargeable)),
    )


@mutant
def every_close_pays_the_close_fee(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        fills_module,
        "close_fee",
        lambda fees, price, multiplier, lots, today: close_fee(fees, price, multiplier, lots, Lots(0)),
    )


@mutant
def a_fee_is_rounded_down(patch: pytest.MonkeyPatch) -> None:
    def down(pair: Any, price: int, multiplier: int, lots: int) -> int:
        return price * multiplier * lots * int(pair.by_money) // RATE_ONE + lots * int(pair.by_volume)

    patch.setattr(fills_module, "fee", down)
    patch.setattr(commission, "fee", down)


@mutant
def a_repeated_order_is_taken_for_another(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(orders_module, "same_content", lambda known, command: False)


@mutant
def another_order_is_taken_for_a_repeated_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(orders_module, "same_content", lambda known, command: True)


@mutant
def deciding_moves_the_order_number(patch: pytest.MonkeyPatch) -> None:
    real = orders_module.admit

    def moving(state: Any, account: Any, command: Any) -> Any:
        state.order_no += 1
        return real(state, account, command)

    patch.setattr(orders_module, "admit", moving)


@mutant
def a_suspended_account_goes_on_trading(patch: pytest.MonkeyPatch) -> None:
    real = order_rules_module.admit

    def blind(state: Any, account: Any, command: Any) -> Any:
        suspended, account.suspended = account.suspended, False
        admission = real(state, account, command)
        account.suspended = suspended
        return admission

    patch.setattr(orders_module, "admit", blind)


@mutant
def a_suspension_is_not_in_the_hash(patch: pytest.MonkeyPatch) -> None:
    real = digest_module._account
    patch.setitem(digest_module._DESCRIBE, digest_module.TradingAccount, lambda account: real(account)[:3])


@mutant
def the_kept_margin_is_not_brought_up_to_date(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evolve_module, "side_margin", lambda side, mark: 0)


@mutant
def a_part_of_the_account_is_not_in_the_hash(patch: pytest.MonkeyPatch) -> None:
    real = digest_module._account

    def partial(account: Any) -> Any:
        kind, account_id, cash, *rest = real(account)
        return kind, account_id, cash[:-1], *rest

    patch.setitem(digest_module._DESCRIBE, digest_module.TradingAccount, partial)


@mutant
def the_holdings_are_not_in_the_hash(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(digest_module, "_holdings", lambda bucket: [])
    patch.setattr(digest_module, "_side", lambda side: [side.lots])


@mutant
def a_change_is_not_told_to_the_hash(patch: pytest.MonkeyPatch) -> None:
    real = evolve_module._fold_fill

    def silent(state: Any, instrument: Any, trade: TradeExecuted, fill: Any, direction: Any) -> None:
        real(state, instrument, trade, fill, direction)
        state.changed.pop(state.accounts[fill.account_id].positions[trade.instrument_id], None)

    patch.setattr(evolve_module, "_fold_fill", silent)


@mutant
def a_forgotten_order_stays_in_the_hash(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(digest_module, "is_remembered", lambda order: True)


def play(sessions: int) -> None:
    """The quick check on all of them first: most mistakes show there."""
    for seed in range(sessions):
        check_slow_exchange(random_session(seed))
    for seed in range(sessions // 4):
        everything_holds(random_session(seed))


def test_the_core_as_it_is_passes() -> None:
    play(SESSIONS)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a law, by the slow exchange, by a replay, or by an assertion of the core itself."""
    MUTANTS[name](monkeypatch)
    with pytest.raises((AssertionError, PoisonCommandError)):
        play(SESSIONS)
