"""What happened: the facts of the log. State and every view are folds of these, and of nothing else."""

from __future__ import annotations

from msgspec import Struct

from exchange.domain.instrument import InstrumentTerms
from exchange.domain.position import ClosedLots
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, InstrumentId, Lots, Money, OrderId, OrderNo, Price, TradeNo
from exchange.domain.words import (
    CancelReason,
    Direction,
    PositionEffect,
    PriceRule,
    PriceType,
    TimeCondition,
    VolumeCondition,
)

# No event can hold itself, so the garbage collector need not look at the millions of them (gc=False).

Facts = dict[str, int | str]
"""The figures behind a refusal, by name; amounts and prices in 1e-6 yuan. The names belong to the reason."""


class InstrumentRegistered(Struct, frozen=True, kw_only=True, gc=False):
    """A contract was listed and trades from now on."""

    terms: InstrumentTerms
    at_ns: int


class AccountOpened(Struct, frozen=True, kw_only=True, gc=False):
    """An account exists from now on."""

    account_id: AccountId


class Deposited(Struct, frozen=True, kw_only=True, gc=False):
    """Money came in."""

    account_id: AccountId
    amount: Money


class Withdrawn(Struct, frozen=True, kw_only=True, gc=False):
    """Money went out."""

    account_id: AccountId
    amount: Money


class AccountSuspended(Struct, frozen=True, kw_only=True, gc=False):
    """An account takes no new orders and pays out no money from now on; its working orders stay in the market."""

    account_id: AccountId
    reason: str
    """As the operator gave it; may be empty."""


class AccountRestored(Struct, frozen=True, kw_only=True, gc=False):
    """A suspended account trades again."""

    account_id: AccountId


class CommandRefused(Struct, frozen=True, kw_only=True, gc=False):
    """A command that is no new order was refused; an order's own refusal is `OrderRefused`."""

    command: str
    """The refused command's name."""
    account_id: AccountId
    """Whose command it was; empty for a command of the market."""
    subject: str
    """What it spoke of: an order id, an instrument; may be empty."""
    reason: RejectReason
    facts: Facts


class OrderAccepted(Struct, frozen=True, kw_only=True, gc=False):
    """An order passed every check and works in the market."""

    order_no: OrderNo
    account_id: AccountId
    order_id: OrderId
    instrument_id: InstrumentId
    direction: Direction
    effect: PositionEffect
    lots: Lots
    price_type: PriceType
    limit_price: Price | None
    """The client's price; None for a market order."""
    price: Price
    """The price it works at: the limit, or the band's edge for a market order."""
    time_condition: TimeCondition
    volume_condition: VolumeCondition
    lots_min: Lots
    frozen_margin: Money
    """Held from now on, given back in proportion to the lots that fill or are cancelled."""
    frozen_commission: Money
    at_ns: int


class OrderRefused(Struct, frozen=True, kw_only=True, gc=False):
    """An order broke a rule and never reached the market."""

    order_no: OrderNo
    account_id: AccountId
    order_id: OrderId
    instrument_id: InstrumentId
    direction: Direction
    effect: PositionEffect
    lots: Lots
    price_type: PriceType
    limit_price: Price | None
    time_condition: TimeCondition
    volume_condition: VolumeCondition
    lots_min: Lots
    reason: RejectReason
    facts: Facts
    at_ns: int


class OrderRepeated(Struct, frozen=True, kw_only=True, gc=False):
    """An order came again with the same id and the same content: its first outcome stands, nothing else was done."""

    account_id: AccountId
    order_id: OrderId


class OrderCancelled(Struct, frozen=True, kw_only=True, gc=False):
    """The rest of an order left the market."""

    order_no: OrderNo
    account_id: AccountId
    order_id: OrderId
    instrument_id: InstrumentId
    lots_left: Lots
    reason: CancelReason
    at_ns: int


class Fill(Struct, frozen=True, kw_only=True, gc=False):
    """One order's part of a trade, with all that it changes on its account."""

    order_no: OrderNo
    account_id: AccountId
    order_id: OrderId
    effect: PositionEffect
    commission: Money
    close_profit: Money
    """By date; the sum over `closed`."""
    closed: tuple[ClosedLots, ...]
    """What a closing fill took, oldest first; empty for an opening fill."""
    charged_as_today: Lots
    """How many of the closed lots paid the closetoday fee."""


class TradeExecuted(Struct, frozen=True, kw_only=True, gc=False):
    """A buyer and a seller met."""

    trade_no: TradeNo
    instrument_id: InstrumentId
    price: Price
    lots: Lots
    price_rule: PriceRule
    taker: Direction
    """The side that came to the market last."""
    buyer: Fill
    seller: Fill
    at_ns: int


Event = (
    InstrumentRegistered
    | AccountOpened
    | Deposited
    | Withdrawn
    | AccountSuspended
    | AccountRestored
    | CommandRefused
    | OrderAccepted
    | OrderRefused
    | OrderRepeated
    | OrderCancelled
    | TradeExecuted
)
