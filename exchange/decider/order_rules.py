"""The rules a new order must keep, asked in the order of `ORDER_PRECEDENCE` (rule 1.2)."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from exchange.decider.state import ExchangeState, TradingAccount
from exchange.domain.account import available_now
from exchange.domain.commands import InsertOrder
from exchange.domain.commission import frozen_fee
from exchange.domain.events import Facts, OrderAccepted, OrderRefused
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.margin import frozen_margin
from exchange.domain.order import Order, RefusedOrder
from exchange.domain.rejections import RejectReason
from exchange.domain.values import Money, Price
from exchange.domain.words import BUY, LIMIT, OPEN, PriceType, TimeCondition, VolumeCondition

_NO_MONEY: Final = Money(0)

ORDER_KINDS: Final = frozenset(
    {
        (PriceType.LIMIT, TimeCondition.GFD, VolumeCondition.ANY),
        (PriceType.LIMIT, TimeCondition.IOC, VolumeCondition.ANY),
        (PriceType.LIMIT, TimeCondition.IOC, VolumeCondition.ALL),
        (PriceType.ANY, TimeCondition.IOC, VolumeCondition.ANY),
        (PriceType.ANY, TimeCondition.IOC, VolumeCondition.ALL),
    }
)
"""The instructions that are taken: limit orders for the day, FAK and FOK; market orders as FAK and FOK (rule 1.1)."""


class Refusal(Struct, frozen=True):
    """The first rule that was broken, and the figures that show it."""

    reason: RejectReason
    facts: Facts


class Admission(Struct, frozen=True, gc=False):
    """What an order that keeps every rule works at and ties up."""

    price: Price
    frozen_margin: Money
    frozen_commission: Money


def same_content(known: Order | RefusedOrder, command: InsertOrder) -> bool:
    """Whether a command repeats the order that is known under its id."""
    first: OrderAccepted | OrderRefused = known.accepted if isinstance(known, Order) else known.refused
    return (
        first.instrument_id == command.instrument_id
        and first.direction is command.direction
        and first.effect is command.effect
        and first.lots == command.lots
        and first.price_type is command.price_type
        and first.limit_price == command.limit_price
        and first.time_condition is command.time_condition
        and first.volume_condition is command.volume_condition
        and first.lots_min == command.lots_min
    )


def admit(state: ExchangeState, account: TradingAccount, command: InsertOrder) -> Admission | Refusal:
    """Ask every rule from the suspension to the funds; the first that is broken refuses the order."""
    if account.suspended:
        return Refusal(RejectReason.SUSPENDED, {})
    instrument = state.instruments.get(command.instrument_id)
    if instrument is None:
        return Refusal(RejectReason.UNKNOWN_INSTRUMENT, {"instrument_id": command.instrument_id})
    terms = instrument.terms
    refusal = _kind_broken(terms, command) or _lots_broken(terms, command)
    price = command.limit_price
    if price is None:
        price = terms.upper_limit if command.direction is BUY else terms.lower_limit
    elif refusal is None:
        refusal = _price_broken(terms, price)
    if refusal is not None:
        return refusal
    fee = frozen_fee(terms.fees, command.effect, price, terms.multiplier, command.lots)
    if command.effect is not OPEN:
        # A closing order frees more than its fee costs and lowers the risk: it is never refused for want of money.
        return _closable_broken(account, terms, command) or Admission(price, _NO_MONEY, fee)
    margin = frozen_margin(terms.margin, price, terms.multiplier, command.lots)
    return _funds_broken(account, margin + fee) or Admission(price, margin, fee)


def _kind_broken(terms: InstrumentTerms, command: InsertOrder) -> Refusal | None:
    kind = (command.price_type, command.time_condition, command.volume_condition)
    priced = command.limit_price is not None
    if (
        kind in ORDER_KINDS
        and priced is (command.price_type is LIMIT)
        and not command.lots_min
        and (priced or terms.market_order_lots_max > 0)
    ):
        return None
    return Refusal(
        RejectReason.ORDER_KIND,
        {
            "price_type": command.price_type.value,
            "time_condition": command.time_condition.value,
            "volume_condition": command.volume_condition.value,
        },
    )


def _lots_broken(terms: InstrumentTerms, command: InsertOrder) -> Refusal | None:
    most = terms.limit_order_lots_max if command.price_type is LIMIT else terms.market_order_lots_max
    if 0 < command.lots <= most:
        return None
    return Refusal(RejectReason.ORDER_LOTS, {"lots": command.lots, "lots_max": most})


def _price_broken(terms: InstrumentTerms, price: Price) -> Refusal | None:
    if price % terms.price_tick:
        return Refusal(RejectReason.PRICE_TICK, {"price": price, "price_tick": terms.price_tick})
    if terms.lower_limit <= price <= terms.upper_limit:
        return None
    facts: Facts = {"price": price, "lower_limit": terms.lower_limit, "upper_limit": terms.upper_limit}
    return Refusal(RejectReason.PRICE_BAND, facts)


def _closable_broken(account: TradingAccount, terms: InstrumentTerms, command: InsertOrder) -> Refusal | None:
    """A buy closes short lots, a sell long ones."""
    held = account.positions.get(terms.instrument_id)
    free = 0
    if held is not None:
        side = held.position.short if command.direction is BUY else held.position.long
        free = side.closable(command.effect, terms.separate_today)
    if command.lots <= free:
        return None
    return Refusal(RejectReason.CLOSABLE_LOTS, {"lots": command.lots, "closable": free, "effect": command.effect.value})


def _funds_broken(account: TradingAccount, needed: int) -> Refusal | None:
    available = available_now(account.cash, account.positions.values())
    if needed <= available:
        return None
    return Refusal(RejectReason.FUNDS, {"needed": needed, "available": available})
