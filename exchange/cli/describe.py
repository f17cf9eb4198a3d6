"""One line of plain words for a command or an event; amounts and prices in yuan."""

from __future__ import annotations

from typing import assert_never

from exchange.domain.commands import (
    CancelOrder,
    Command,
    Deposit,
    InsertOrder,
    OpenAccount,
    RegisterInstrument,
    RestoreAccount,
    SuspendAccount,
    Withdraw,
)
from exchange.domain.events import (
    AccountOpened,
    AccountRestored,
    AccountSuspended,
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
from exchange.domain.values import decimal_text
from exchange.gateway.notices import Language, code_of, text_of


def describe_command(command: Command) -> str:
    """What was asked, and of which account, which need not be the asker's."""
    match command:
        case RegisterInstrument():
            return f"list {command.terms.instrument_id}"
        case OpenAccount():
            deposit = f" with {decimal_text(command.deposit)}" if command.deposit else ""
            return f"open account {command.account_id}{deposit}"
        case Deposit():
            return f"deposit {decimal_text(command.amount)} to {command.account_id}"
        case Withdraw():
            return f"withdraw {decimal_text(command.amount)} from {command.account_id}"
        case SuspendAccount():
            return f"suspend account {command.account_id}{_because(command.reason)}"
        case RestoreAccount():
            return f"restore account {command.account_id}"
        case InsertOrder():
            name = f" {command.order_id}" if command.order_id else ""
            return f"order{name}: {_order(command)}"
        case CancelOrder():
            return f"cancel order {command.order_id}"
        case _:
            assert_never(command)


def describe_event(event: Event, language: Language) -> str:
    """What happened. A refusal tells its reason and, in this language, what the refused one was told."""
    match event:
        case InstrumentRegistered():
            return f"{event.terms.instrument_id} {event.terms.name}"
        case AccountOpened() | AccountRestored():
            return event.account_id
        case AccountSuspended():
            return f"{event.account_id}{_because(event.reason)}"
        case Deposited() | Withdrawn():
            return f"{event.account_id} {decimal_text(event.amount)}"
        case CommandRefused():
            return f"{event.command} {event.subject or event.account_id}: {_refusal(event, language)}"
        case OrderAccepted():
            return f"{event.account_id} order {event.order_id}: {_order(event)}"
        case OrderRefused():
            return f"{event.account_id} order {event.order_id}: {_refusal(event, language)}"
        case OrderRepeated():
            return f"{event.account_id} order {event.order_id}: its first outcome stands"
        case OrderCancelled():
            return f"{event.account_id} order {event.order_id}: {event.lots_left} lots left, {event.reason.value}"
        case TradeExecuted():
            sides = f"{_fill(event.buyer)} buys, {_fill(event.seller)} sells"
            return f"trade {event.trade_no}: {event.instrument_id} {event.lots} @ {decimal_text(event.price)}, {sides}"
        case _:
            assert_never(event)


def _order(order: InsertOrder | OrderAccepted) -> str:
    at = "the market price" if order.limit_price is None else decimal_text(order.limit_price)
    conditions = f"{order.time_condition.value}/{order.volume_condition.value}"
    what = f"{order.direction.value} {order.effect.value} {order.lots} {order.instrument_id}"
    return f"{what} @ {at} {conditions}"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _fill(fill: Fill) -> str:
    return f"{fill.account_id} {fill.effect.value} ({fill.order_id})"


def _refusal(event: CommandRefused | OrderRefused, language: Language) -> str:
    return f"{event.reason.value}, {text_of(code_of(event.reason), language, event.facts)}"
