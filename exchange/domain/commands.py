"""What may be asked of the exchange. A command carries no time: the sequencer stamps it and hands the time to
`decide`."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from exchange.domain.instrument import InstrumentTerms
from exchange.domain.values import AccountId, InstrumentId, Lots, Money, OrderId, Price
from exchange.domain.words import Direction, PositionEffect, PriceType, TimeCondition, VolumeCondition

SUSPENSION_REASON_MAX: Final = 200
"""Characters that the reason of a suspension may have."""

# No command can hold itself, so the garbage collector need not look at them (gc=False).


class RegisterInstrument(Struct, frozen=True, kw_only=True, gc=False):
    """List a contract and open it for trading."""

    terms: InstrumentTerms


class OpenAccount(Struct, frozen=True, kw_only=True, gc=False):
    """Open an account; a deposit above 0 follows in the same entry."""

    account_id: AccountId
    deposit: Money = Money(0)


class Deposit(Struct, frozen=True, kw_only=True, gc=False):
    """Pay money into an account."""

    account_id: AccountId
    amount: Money


class Withdraw(Struct, frozen=True, kw_only=True, gc=False):
    """Pay money out of an account, at most what is available."""

    account_id: AccountId
    amount: Money


class SuspendAccount(Struct, frozen=True, kw_only=True, gc=False):
    """Take no new orders and pay out no money of an account until it is restored."""

    account_id: AccountId
    reason: str = ""
    """For whoever reads the log later: at most `SUSPENSION_REASON_MAX` characters, kept for ever, so no names in it."""


class RestoreAccount(Struct, frozen=True, kw_only=True, gc=False):
    """End an account's suspension."""

    account_id: AccountId


class InsertOrder(Struct, frozen=True, kw_only=True, gc=False):
    """Send an order."""

    account_id: AccountId
    order_id: OrderId
    """The client's id; empty where the exchange is to make one."""
    instrument_id: InstrumentId
    direction: Direction
    effect: PositionEffect
    lots: Lots
    price_type: PriceType
    limit_price: Price | None
    """None unless the price type is LIMIT."""
    time_condition: TimeCondition
    volume_condition: VolumeCondition
    lots_min: Lots = Lots(0)
    """For the volume condition MIN; 0 otherwise."""


class CancelOrder(Struct, frozen=True, kw_only=True, gc=False):
    """Take the rest of an order out of the market."""

    account_id: AccountId
    order_id: OrderId


Command = (
    RegisterInstrument | OpenAccount | Deposit | Withdraw | SuspendAccount | RestoreAccount | InsertOrder | CancelOrder
)
