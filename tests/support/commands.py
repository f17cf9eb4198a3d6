"""Commands for tests. Prices and amounts are in yuan; what a test does not care about is filled in: the contract `TOY`,
an account of plenty, a limit order for the day."""

from __future__ import annotations

from typing import Any, Final

from exchange.domain.commands import CancelOrder, Command, InsertOrder, OpenAccount, RestoreAccount, SuspendAccount
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.values import AccountId, Lots, Money, OrderId, decimal_text
from exchange.domain.words import Direction, PositionEffect, PriceType, TimeCondition, VolumeCondition
from tests.support.market import TOY, Yuan, micro, price

TRADER: Final = "T"
"""Whose commands those are that do not say."""
PLENTY: Final = 1_000_000_000
"""Yuan that an account has where a test does not say."""

BUY, SELL = Direction.BUY, Direction.SELL
OPEN, CLOSE, CLOSETODAY = PositionEffect.OPEN, PositionEffect.CLOSE, PositionEffect.CLOSETODAY
GFD, IOC = TimeCondition.GFD, TimeCondition.IOC
ANY, ALL = VolumeCondition.ANY, VolumeCondition.ALL


def open_account(account: str, yuan: Yuan = PLENTY) -> OpenAccount:
    return OpenAccount(account_id=AccountId(account), deposit=Money(micro(yuan)))


def suspend(account: str = TRADER, reason: str = "") -> SuspendAccount:
    return SuspendAccount(account_id=AccountId(account), reason=reason)


def restore(account: str = TRADER) -> RestoreAccount:
    return RestoreAccount(account_id=AccountId(account))


def order(
    order_id: str,
    direction: Direction,
    at: Yuan | None,
    lots: int,
    *,
    account: str = TRADER,
    effect: PositionEffect = OPEN,
    instrument: InstrumentTerms = TOY,
    time: TimeCondition | None = None,
    volume: VolumeCondition = VolumeCondition.ANY,
    lots_min: int = 0,
) -> InsertOrder:
    """A limit order for the day, or, where `at` is None, a market order."""
    return InsertOrder(
        account_id=AccountId(account),
        order_id=OrderId(order_id),
        instrument_id=instrument.instrument_id,
        direction=direction,
        effect=effect,
        lots=Lots(lots),
        price_type=PriceType.ANY if at is None else PriceType.LIMIT,
        limit_price=None if at is None else price(at),
        time_condition=time or (IOC if at is None else GFD),
        volume_condition=volume,
        lots_min=Lots(lots_min),
    )


def buy(order_id: str, price: Yuan | None, lots: int = 1, **rest: Any) -> InsertOrder:
    return order(order_id, BUY, price, lots, **rest)


def sell(order_id: str, price: Yuan | None, lots: int = 1, **rest: Any) -> InsertOrder:
    return order(order_id, SELL, price, lots, **rest)


def bid(order_id: str, price: Yuan, lots: int = 1, account: str = "M", **rest: Any) -> InsertOrder:
    """A buy of the market maker `M`, to rest."""
    return order(order_id, BUY, price, lots, account=account, **rest)


def ask(order_id: str, price: Yuan, lots: int = 1, account: str = "M", **rest: Any) -> InsertOrder:
    """A sell of the market maker `M`, to rest."""
    return order(order_id, SELL, price, lots, account=account, **rest)


def cancel(order_id: str, account: str = TRADER) -> CancelOrder:
    return CancelOrder(account_id=AccountId(account), order_id=OrderId(order_id))


def traded(
    buyer: str, seller: str, at: Yuan, lots: int = 1, instrument: InstrumentTerms = TOY, **effects: PositionEffect
) -> list[Command]:
    """The seller's order and the buyer's, which meet at their common price; `buys` and `sells` are their effects."""
    return [
        order("", SELL, at, lots, account=seller, instrument=instrument, effect=effects.get("sells", OPEN)),
        order("", BUY, at, lots, account=buyer, instrument=instrument, effect=effects.get("buys", OPEN)),
    ]


def last_trade(at: Yuan, instrument: InstrumentTerms = TOY) -> list[Command]:
    """A trade between two accounts of the house."""
    return traded("house1", "house2", at, instrument=instrument)


def ladder(drawn: str, instrument: InstrumentTerms = TOY) -> list[Command]:
    """Resting orders of `M` drawn as a ladder; their ids are side and price, with a number from the second on.

    A line is `bid lots | price | ask lots`; several orders at one price are written `5+3`, the oldest first.
    """
    bids, asks = ladder_levels(drawn)
    return [
        order(
            f"{name}{decimal_text(at)}{f'.{n}' if n else ''}",
            direction,
            decimal_text(at),
            lots,
            account="M",
            instrument=instrument,
        )
        for name, direction, levels in (("bid", BUY, bids), ("ask", SELL, asks))
        for at, orders in levels.items()
        for n, lots in enumerate(orders)
    ]


def ladder_levels(drawn: str) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """The bids and the asks of a drawn ladder: price in 1e-6 yuan to the lots of its orders."""
    sides: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})
    for line in filter(None, map(str.strip, drawn.strip().splitlines())):
        bids, at, asks = (cell.strip() for cell in line.split("|"))
        for side, cell in zip(sides, (bids, asks), strict=True):
            if cell:
                side[micro(at)] = [int(lots) for lots in cell.split("+")]
    return sides
