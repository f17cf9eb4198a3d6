"""A bot's seat in the server's own process: sights are read from the views, wishes go the way of all house commands."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from exchange.domain.commands import CancelOrder, InsertOrder, OpenAccount
from exchange.domain.events import CommandRefused, Event, OrderRefused
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.order import Order
from exchange.domain.position import PositionSide
from exchange.domain.values import AccountId, InstrumentId, Money, OrderId, Price
from exchange.domain.words import ALIVE, IOC, LIMIT, PositionEffect, TimeCondition, VolumeCondition
from exchange.feeds.bots.sight import Cancel, Contract, Held, OwnOrder, Place, Sight, Wish, effects_of
from exchange.feeds.floor import Clerk, HouseCommand, Outcome
from projections.quote import ASK_PRICES, BID_PRICES, LAST, Quote
from projections.rows import OrderRow
from projections.user_view import UserView

_INSERT: Final = InsertOrder.__name__


class MarketFloor(Protocol):
    """What bots need of the exchange around them: a `Floor` that shows quotes too."""

    def carry_out(self, command: HouseCommand) -> Awaitable[tuple[Event, ...]]:
        """See `Floor.carry_out`."""

    def view(self, account_id: AccountId) -> UserView:
        """See `Floor.view`."""

    def terms(self, instrument_id: InstrumentId) -> InstrumentTerms | None:
        """See `Floor.terms`."""

    def quote(self, instrument_id: InstrumentId) -> Quote | None:
        """The durable quote of a listed contract."""


class FloorSeat:
    """One account in one instrument. Orders leave their id to the exchange, which forgets such orders when they end."""

    def __init__(self, floor: MarketFloor, clerk: Clerk, account_id: AccountId, instrument_id: InstrumentId) -> None:
        self._floor = floor
        self._clerk = clerk
        self._account_id = account_id
        self._instrument_id = instrument_id

    def look(self, at_s: float) -> Sight | None:
        """See `Seat.look`."""
        quote, view = self._floor.quote(self._instrument_id), self._floor.view(self._account_id)
        if quote is None or view.account is None:
            return None
        position = view.positions.get(self._instrument_id)
        separate = quote.terms.separate_today
        return Sight(
            at_s=at_s,
            contract=_contract(quote.terms),
            last=_price(quote, LAST),
            bid=_price(quote, BID_PRICES),
            ask=_price(quote, ASK_PRICES),
            orders=_orders(view, self._instrument_id),
            long=_held(position.long, separate) if position else Held(),
            short=_held(position.short, separate) if position else Held(),
        )

    async def act(self, sight: Sight, wishes: Sequence[Wish]) -> bool:
        """See `Seat.act`. A cancel that came too late is no failure: the next look shows what filled instead."""
        commands = [self._command(wish, effect) for wish, effect in effects_of(sight, wishes)]
        outcome = await self._clerk.carry_out(commands)
        return outcome.complete and not _refused(outcome)

    def _command(self, wish: Wish, effect: PositionEffect) -> HouseCommand:
        if isinstance(wish, Cancel):
            return CancelOrder(account_id=self._account_id, order_id=wish.order_id)
        return _insert_order(self._account_id, self._instrument_id, wish, effect)


async def open_accounts(floor: MarketFloor, clerk: Clerk, accounts: Sequence[AccountId], deposit: Money) -> bool:
    """Open those that are not there yet; False where the exchange was too busy for all of them."""
    missing = [account_id for account_id in accounts if floor.view(account_id).account is None]
    return (
        await clerk.carry_out([OpenAccount(account_id=account_id, deposit=deposit) for account_id in missing])
    ).complete


def _contract(terms: InstrumentTerms) -> Contract:
    """What a bot needs of the terms."""
    return Contract(
        instrument_id=terms.instrument_id,
        tick=terms.price_tick,
        lower_limit=terms.lower_limit,
        upper_limit=terms.upper_limit,
        pre_settlement=terms.pre_settlement,
    )


def _insert_order(
    account_id: AccountId, instrument_id: InstrumentId, place: Place, effect: PositionEffect
) -> InsertOrder:
    """The order that a bot wishes for."""
    return InsertOrder(
        account_id=account_id,
        order_id=OrderId(""),
        instrument_id=instrument_id,
        direction=place.direction,
        effect=effect,
        lots=place.lots,
        price_type=LIMIT,
        limit_price=place.price,
        time_condition=TimeCondition.GFD if place.rests else IOC,
        volume_condition=VolumeCondition.ANY,
    )


def _refused(outcome: Outcome) -> bool:
    return any(
        isinstance(event, OrderRefused) or (isinstance(event, CommandRefused) and event.command == _INSERT)
        for events in outcome.answers
        for event in events
    )


def _price(quote: Quote, field: int) -> Price | None:
    value = quote.values[field]
    return None if value is None else Price(value)


def _orders(view: UserView, instrument_id: InstrumentId) -> tuple[OwnOrder, ...]:
    working = (
        row
        for row in view.rows.values()
        if isinstance(row, OrderRow) and row.status is ALIVE and row.accepted.instrument_id == instrument_id
    )
    return tuple(map(_own, sorted(working, key=lambda order: order.order_no)))


def _own(order: Order) -> OwnOrder:
    accepted = order.accepted
    return OwnOrder(
        order_id=accepted.order_id,
        direction=accepted.direction,
        effect=accepted.effect,
        price=order.price,
        lots_left=order.lots_left,
    )


def _held(side: PositionSide, separate_today: bool) -> Held:
    frozen_today, frozen_history = side.frozen_split(separate_today)
    return Held(
        lots=side.lots,
        free_today=side.lots_today - frozen_today,
        free_history=side.lots_history - frozen_history,
    )
