"""A bot's seat at an exchange elsewhere: sights are read from a client's picture, wishes are its orders."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from exchange.client import (
    Client,
    NotConnectedError,
    NotInTimeError,
    Order,
    OrderGoneError,
    OrderHandle,
    OutcomeUnknownError,
    Picture,
    Position,
    Quote,
    TooManyOrdersError,
)
from exchange.domain.values import YUAN, InstrumentId, OrderId, Price, price_from_decimal
from exchange.domain.words import Direction, PositionEffect
from exchange.feeds.bots.sight import Cancel, Contract, Held, OwnOrder, Place, Sight, Wish, effects_of

log = logging.getLogger("exchange.bots")

ANSWER_S: Final = 10.0
"""How long to wait for the answer to an order."""
TROUBLES: Final = (NotConnectedError, NotInTimeError, OrderGoneError, OutcomeUnknownError, TooManyOrdersError)
"""What passes by itself: the client goes on trying, and so does the bot after a while."""


class ClientSeat:
    """One user in one instrument, which the client must be subscribed to."""

    def __init__(self, client: Client, instrument_id: InstrumentId) -> None:
        self._client = client
        self._instrument_id = instrument_id
        self._unanswered: list[OrderHandle] = []
        """Orders of which nobody knows whether the exchange took them; they are asked about before anything else is
        sent."""

    def look(self, at_s: float) -> Sight | None:
        """See `Seat.look`. None also while there is no connection: the picture is of the past then."""
        return sight_of(self._client.picture, self._instrument_id, at_s) if self._client.is_connected else None

    async def act(self, sight: Sight, wishes: Sequence[Wish]) -> bool:
        """See `Seat.act`. The client itself sends again what a cut line may have swallowed."""
        try:
            return await self._act(sight, wishes)
        except TROUBLES as trouble:
            log.info("%s in %s: %s", self._client.user, self._instrument_id, trouble)
            return False

    async def _act(self, sight: Sight, wishes: Sequence[Wish]) -> bool:
        for handle in self._unanswered:
            await handle.send_again()
        cancelled: list[str] = []
        for wish, effect in effects_of(sight, wishes):
            if isinstance(wish, Cancel):
                await self._client.cancel(wish.order_id)
                cancelled.append(wish.order_id)
            else:
                self._unanswered.append(await self._insert(wish, effect))
        await self._client.wait_for(lambda picture: _all_finished(picture, cancelled), ANSWER_S)
        refused = False
        while self._unanswered:
            order = await self._unanswered[0].acknowledged(ANSWER_S)
            del self._unanswered[0]
            refused |= order.status == "REJECTED"
        return not refused

    async def _insert(self, place: Place, effect: PositionEffect) -> OrderHandle:
        return await self._client.insert(
            self._instrument_id,
            place.direction.value,
            effect.value,
            place.lots,
            place.price / YUAN,
            time_condition="GFD" if place.rests else "IOC",
        )


def sight_of(picture: Picture, instrument_id: InstrumentId, at_s: float) -> Sight | None:
    """What a picture shows of an instrument; None where it has no quote or no account."""
    quote = picture.quote(instrument_id)
    if quote is None or picture.account is None:
        return None
    contract = _contract(quote, instrument_id)
    if contract is None:
        return None
    working = [
        order
        for order in picture.orders.values()
        if order.instrument_id == instrument_id and not order.is_finished and order.limit_price is not None
    ]
    position = picture.position(instrument_id)
    return Sight(
        at_s=at_s,
        contract=contract,
        last=_price(quote.last_price),
        bid=_price(quote.best_bid),
        ask=_price(quote.best_ask),
        orders=tuple(map(_own, sorted(working, key=lambda order: order.seqno))),
        long=_long(position) if position else Held(),
        short=_short(position) if position else Held(),
    )


def _all_finished(picture: Picture, order_ids: Sequence[str]) -> bool:
    orders = (picture.order(order_id) for order_id in order_ids)
    return all(order is None or order.is_finished for order in orders)


def _contract(quote: Quote, instrument_id: InstrumentId) -> Contract | None:
    lower, upper, settled = (_price(each) for each in (quote.lower_limit, quote.upper_limit, quote.pre_settlement))
    tick = _price(quote.price_tick)
    if tick is None or lower is None or upper is None or settled is None:
        return None
    return Contract(
        instrument_id=instrument_id, tick=tick, lower_limit=lower, upper_limit=upper, pre_settlement=settled
    )


def _price(yuan: float | None) -> Price | None:
    # By the digits that the float is written with: it is the one nearest to them, and not equal to them.
    return None if yuan is None else price_from_decimal(Decimal(str(yuan)))


def _own(order: Order) -> OwnOrder:
    price = _price(order.limit_price)
    assert price is not None, "a bot's orders have limits"
    return OwnOrder(
        order_id=OrderId(order.order_id),
        direction=Direction(order.direction),
        effect=PositionEffect(order.offset),
        price=price,
        lots_left=order.volume_left,
    )


def _long(position: Position) -> Held:
    return Held(
        lots=position.volume_long,
        free_today=position.volume_long_today - position.volume_long_frozen_today,
        free_history=position.volume_long_his - position.volume_long_frozen_his,
    )


def _short(position: Position) -> Held:
    return Held(
        lots=position.volume_short,
        free_today=position.volume_short_today - position.volume_short_frozen_today,
        free_history=position.volume_short_his - position.volume_short_frozen_his,
    )
