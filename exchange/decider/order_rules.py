"""The rules a new order must keep, asked in the order of `ORDER_PRECEDENCE` (rule 1.2)."""

from __future__ import annotations

from typing import Final, NamedTuple

from exchange.decider.state import ExchangeState, HeldPosition, Listing, TradingAccount
from exchange.domain.account import available_now
from exchange.domain.commands import InsertOrder
from exchange.domain.commission import frozen_fee
from exchange.domain.events import Facts, OrderAccepted, OrderRefused
from exchange.domain.margin import frozen_margin
from exchange.domain.order import Order
from exchange.domain.position import PositionSide
from exchange.domain.rejections import RejectReason
from exchange.domain.values import InstrumentId, Money, Price
from exchange.domain.words import Direction, PositionEffect, PriceType, TimeCondition, VolumeCondition

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


class Refusal(NamedTuple):
    """The first rule that was broken, and the figures that show it."""

    reason: RejectReason
    facts: Facts


class Admission(NamedTuple):
    """What an order that keeps every rule works at and ties up."""

    price: Price
    frozen_margin: Money
    frozen_commission: Money


def same_content(known: Order | OrderRefused, command: InsertOrder) -> bool:
    """Whether a command repeats an order known under the same id."""
    first: OrderAccepted | OrderRefused = known.accepted if isinstance(known, Order) else known
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
    """Ask every rule from the instrument to the funds; the first that is broken refuses the order."""
    instrument = state.instruments.get(command.instrument_id)
    if instrument is None:
        return Refusal(RejectReason.UNKNOWN_INSTRUMENT, {"instrument_id": command.instrument_id})
    refusal = _kind_broken(instrument, command) or _lots_broken(instrument, command)
    if refusal is not None:
        return refusal
    terms = instrument.terms
    if command.limit_price is None:
        price = terms.upper_limit if command.direction is Direction.BUY else terms.lower_limit
    else:
        price = command.limit_price
        refusal = _price_broken(instrument, price)
        if refusal is not None:
            return refusal
    fee = frozen_fee(terms.fees, command.effect, price, terms.multiplier, command.lots)
    if command.effect is not PositionEffect.OPEN:
        # A closing order frees more than its fee costs and lowers the risk: it is never refused for want of money.
        return _closable_broken(account, instrument, command) or Admission(price, Money(0), fee)
    margin = frozen_margin(terms.margin, price, terms.multiplier, command.lots)
    return _funds_broken(account, margin + fee) or Admission(price, margin, fee)


def _kind_broken(instrument: Listing, command: InsertOrder) -> Refusal | None:
    kind = (command.price_type, command.time_condition, command.volume_condition)
    priced = command.limit_price is not None
    takes_market_orders = instrument.terms.market_order_lots_max > 0
    if (
        kind in ORDER_KINDS
        and priced is (command.price_type is PriceType.LIMIT)
        and not command.lots_min
        and (priced or takes_market_orders)
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


def _lots_broken(instrument: Listing, command: InsertOrder) -> Refusal | None:
    terms = instrument.terms
    most = terms.limit_order_lots_max if command.price_type is PriceType.LIMIT else terms.market_order_lots_max
    if 0 < command.lots <= most:
        return None
    return Refusal(RejectReason.ORDER_LOTS, {"lots": command.lots, "lots_max": most})


def _price_broken(instrument: Listing, price: Price) -> Refusal | None:
    terms = instrument.terms
    if price % terms.price_tick:
        return Refusal(RejectReason.PRICE_TICK, {"price": price, "price_tick": terms.price_tick})
    if terms.lower_limit <= price <= terms.upper_limit:
        return None
    facts: Facts = {"price": price, "lower_limit": terms.lower_limit, "upper_limit": terms.upper_limit}
    return Refusal(RejectReason.PRICE_BAND, facts)


def closed_side(held: HeldPosition, direction: Direction) -> PositionSide:
    """The side of a position that a closing order of this direction takes from: a buy closes the short lots."""
    return held.position.short if direction is Direction.BUY else held.position.long


def _closable_broken(account: TradingAccount, instrument: Listing, command: InsertOrder) -> Refusal | None:
    held = account.positions.get(InstrumentId(instrument.terms.instrument_id))
    free = 0
    if held is not None:
        free = closed_side(held, command.direction).closable(command.effect, instrument.terms.separate_today)
    if command.lots <= free:
        return None
    return Refusal(RejectReason.CLOSABLE_LOTS, {"lots": command.lots, "closable": free, "effect": command.effect.value})


def _funds_broken(account: TradingAccount, needed: int) -> Refusal | None:
    available = available_now(account.cash, ((held.position, held.mark) for held in account.positions.values()))
    if needed <= available:
        return None
    return Refusal(RejectReason.FUNDS, {"needed": needed, "available": available})
