"""Given what happened, when a command comes, then exactly these events follow: tests of the core are written so.

Prices and amounts are in yuan. The trader `T`, and every account that trades in a step that prepares the test, has
money without being given any; such steps must all succeed.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from exchange.decider import ExchangeState, StateHash, execute
from exchange.decider.state import HeldPosition
from exchange.domain.account import Figures, available_now
from exchange.domain.commands import (
    Command,
    InsertOrder,
    RegisterInstrument,
)
from exchange.domain.events import (
    CommandRefused,
    Event,
    Fill,
    OrderAccepted,
    OrderCancelled,
    OrderRefused,
    OrderRepeated,
    TradeExecuted,
)
from exchange.domain.holdings import Holding
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.margin import side_margin
from exchange.domain.position import PositionSide, position_profit
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, Lots, TradeNo, decimal_text
from exchange.domain.words import (
    CancelReason,
)
from tests.support.commands import BUY, TRADER, ladder_levels, open_account
from tests.support.market import CORN, CU, RB, TOY, Yuan, micro, price


class Scenario:
    """An exchange, what happened on it, and what came of the last commands."""

    def __init__(self, *instruments: InstrumentTerms) -> None:
        self.state = ExchangeState()
        self.hash = StateHash(self.state)
        self.entries: list[tuple[Command, int, tuple[Event, ...]]] = []
        self.outcome: tuple[Event, ...] = ()
        for terms in instruments or (TOY, RB, CORN, CU):
            self.execute(RegisterInstrument(terms=terms))

    def execute(self, command: Command) -> tuple[Event, ...]:
        """The events of a command; time passes by a second each."""
        at_ns = (len(self.entries) + 1) * 1_000_000_000
        events = execute(self.state, command, at_ns)
        self.entries.append((command, at_ns, events))
        return events

    def given(self, *steps: Step) -> Scenario:
        for step in steps:
            if callable(step):
                step(self)
                continue
            for command in step if isinstance(step, list) else [step]:
                self._with_account(command)
                events = self.execute(command)
                refused = [event for event in events if isinstance(event, CommandRefused | OrderRefused)]
                assert not refused, f"a step that prepares the test was refused: {refused}"
        return self

    def when(self, *commands: Command) -> Scenario:
        outcome: list[Event] = []
        if TRADER not in self.state.accounts:
            self.execute(open_account(TRADER))
        for command in commands:
            outcome.extend(self.execute(command))
        self.outcome = tuple(outcome)
        return self

    def then(self, *expected: Expected) -> Scenario:
        found = "\n  ".join(repr(event) for event in self.outcome)
        assert len(self.outcome) == len(expected), f"{len(expected)} events were expected, came:\n  {found}"
        for event, wanted in zip(self.outcome, expected, strict=True):
            wanted.check(event)
        return self

    def then_book(self, drawn: str, instrument: InstrumentTerms = TOY) -> Scenario:
        """The book looks like this ladder, see `ladder`."""
        book = self.state.instruments[instrument.instrument_id].book
        for side, levels in zip((book.bids, book.asks), ladder_levels(drawn), strict=True):
            best_first = sorted(levels, reverse=side is book.bids)
            assert [(level.price, level.lots, level.orders) for level in side.levels(100)] == [
                (at, sum(levels[at]), len(levels[at])) for at in best_first
            ]
        return self

    def then_figures(self, account: str, **yuan: Yuan) -> Scenario:
        """The account's figures, in yuan; `cash` fields and those of `Figures` by their names."""
        found = figures(self.state, account)
        wanted = {name: decimal_text(micro(amount)) for name, amount in yuan.items()}
        assert {name: found[name] for name in wanted} == wanted
        return self

    def then_position(self, account: str, instrument: InstrumentTerms = TOY, *, long: bool, **fields: int) -> Scenario:
        side = side_of(self.held(account, instrument), long=long)
        assert {name: getattr(side, name) for name in fields} == fields
        return self

    def fills_of(self, order_id: str) -> list[Fill]:
        """The order's part of every trade of the last commands."""
        trades = [event for event in self.outcome if isinstance(event, TradeExecuted)]
        return [fill for each in trades for fill in (each.buyer, each.seller) if fill.order_id == order_id]

    def held(self, account: str, instrument: InstrumentTerms = TOY) -> HeldPosition:
        return self.state.accounts[AccountId(account)].positions[instrument.instrument_id]

    def _with_account(self, command: Command) -> None:
        if isinstance(command, InsertOrder) and command.account_id not in self.state.accounts:
            self.execute(open_account(command.account_id))


Step = Command | list[Command] | Callable[[Scenario], None]


def given(*steps: Step) -> Scenario:
    return Scenario().given(*steps)


def held_overnight(
    account: str, lots: int, *, opened: Yuan, basis: Yuan, long: bool = True, instrument: InstrumentTerms = TOY
) -> Callable[[Scenario], None]:
    """A step: lots of an older trading day, see `hold_overnight`."""

    def step(scenario: Scenario) -> None:
        if account not in scenario.state.accounts:
            scenario.execute(open_account(account))
        hold_overnight(scenario.state, account, lots, opened=opened, basis=basis, long=long, instrument=instrument)

    return step


def hold_overnight(
    state: ExchangeState, account: str, lots: int, *, opened: Yuan, basis: Yuan, long: bool, instrument: InstrumentTerms
) -> None:
    """Put lots of an older trading day into the state by hand, as a settlement at `basis` would have left them."""
    account_id = AccountId(account)
    held = state.accounts[account_id].positions.setdefault(
        instrument.instrument_id, HeldPosition(account_id, state.instruments[instrument.instrument_id])
    )
    state.trade_no += 1
    holding = Holding(
        opened_by=TradeNo(state.trade_no),
        open_price=price(opened),
        basis=price(basis),
        lots=Lots(lots),
        today=False,
    )
    side = side_of(held, long=long)
    (held.long_holdings if long else held.short_holdings).history.append(holding)
    side.lots_history += lots
    side.open_cost_history += holding.open_price * lots * instrument.multiplier
    side.cost_history += holding.basis * lots * instrument.multiplier
    held.long_margin = side_margin(held.position.long, held.mark)
    held.short_margin = side_margin(held.position.short, held.mark)
    state.changed[held] = None


# --- What a test looks at ---------------------------------------------------------------------------------------------


def side_of(held: HeldPosition, *, long: bool) -> PositionSide:
    return held.position.long if long else held.position.short


def figures(state: ExchangeState, account: str) -> dict[str, str]:
    """An account's cash and figures as people write them."""
    trading_account = state.accounts[AccountId(account)]
    cash, positions = trading_account.cash, trading_account.positions.values()
    profit = float_profit = margin = 0
    for held in positions:
        at, multiplier = held.mark.price, held.mark.multiplier
        profit += position_profit(held.position, at, multiplier)
        for side, sign in ((held.position.long, 1), (held.position.short, -1)):
            float_profit += sign * (at * multiplier * side.lots - side.open_cost_today - side.open_cost_history)
            margin += side_margin(side, held.mark)
    found = Figures(cash, profit, float_profit, margin)
    assert found.available == available_now(cash, positions)
    values = {name: getattr(cash, name) for name in cash.__slots__} | {
        name: getattr(found, name) for name in found.__slots__
    }
    return {name: decimal_text(value) for name, value in values.items()}


class Expected:
    """An event's kind and those of its fields that a test names."""

    def __init__(self, kind: type, **fields: object) -> None:
        self.kind = kind
        self.fields = fields

    def check(self, event: Event) -> None:
        assert type(event) is self.kind, f"{self.kind.__name__} was expected, came {event}"
        found = msgspec.structs.asdict(event)
        if isinstance(event, TradeExecuted):
            buying = event.taker is BUY
            taker, maker = (event.buyer, event.seller) if buying else (event.seller, event.buyer)
            found |= {"taker_id": taker.order_id, "maker_id": maker.order_id, "taker_side": event.taker}
        assert {name: found[name] for name in self.fields} == self.fields


def event(kind: type, **fields: object) -> Expected:
    return Expected(kind, **fields)


def accepted(order_id: str, **fields: object) -> Expected:
    return Expected(OrderAccepted, order_id=order_id, **fields)


def trade(*, taker: str, maker: str, price: Yuan, lots: int, **fields: object) -> Expected:
    """`taker` and `maker` are the orders' ids; `taker_side` is the event's `taker`."""
    return Expected(TradeExecuted, taker_id=taker, maker_id=maker, price=micro(price), lots=lots, **fields)


def cancelled(order_id: str, left: int, reason: CancelReason = CancelReason.REQUESTED) -> Expected:
    return Expected(OrderCancelled, order_id=order_id, lots_left=left, reason=reason)


def refused(order_id: str, reason: RejectReason, **facts: int | str) -> Expected:
    """An order that breaks a rule; all of the facts, amounts in 1e-6 yuan."""
    return Expected(OrderRefused, order_id=order_id, reason=reason, facts=facts)


def not_done(reason: RejectReason, subject: str = "", **facts: int | str) -> Expected:
    """A command that is refused without an order of its own; all of the facts, amounts in 1e-6 yuan."""
    return Expected(CommandRefused, reason=reason, subject=subject, facts=facts)


def repeated(order_id: str) -> Expected:
    return Expected(OrderRepeated, order_id=order_id)


def bites(fill: Fill) -> list[tuple[int, int, str, bool]]:
    """(opened by trade, lots, profit in yuan, of today) of what a fill closed."""
    return [(bite.opened_by, bite.lots, decimal_text(bite.profit), bite.today) for bite in fill.closed]
