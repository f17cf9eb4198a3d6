"""An order's message becomes a command."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from exchange.domain.commands import CancelOrder, InsertOrder
from exchange.domain.events import CommandRefused, OrderRefused
from exchange.domain.ids import OWN_ORDER_ID_MARK, is_own_order_id
from exchange.domain.values import PRICE_MAX, YUAN, AccountId, InstrumentId, Lots, OrderId, Price
from exchange.domain.words import PriceType, TimeCondition
from exchange.gateway.messages import NAME_CHARACTERS_MAX, CancelOrderMessage, FieldError, InsertOrderMessage
from exchange.gateway.notices import Answered

COUNT_MAX: Final = 2**31 - 1
"""The largest number of lots a message may speak of; what an instrument takes is far less, and the market's to
judge."""


_PRICE_TYPES: Final = {each.value: each for each in PriceType} | {"MARKET": PriceType.ANY}
"""By their names on the wire."""
_AIDS: Final = {InsertOrder.__name__: "insert_order", CancelOrder.__name__: "cancel_order"}
"""The messages that become commands, by the command's name."""


def insert_order(message: InsertOrderMessage, account_id: AccountId) -> InsertOrder:
    """The command of an `insert_order`. Raises FieldError for a value that cannot even be put to the market's rules."""
    price_type = _PRICE_TYPES[message.price_type]
    return InsertOrder(
        account_id=account_id,
        order_id=OrderId(_order_id(message)),
        instrument_id=_instrument_id(message),
        direction=message.direction,
        effect=message.offset,
        lots=_count(message.volume, "volume"),
        price_type=price_type,
        limit_price=_limit_price(message, price_type),
        time_condition=message.time_condition or _usual_time_condition(price_type),
        volume_condition=message.volume_condition,
        lots_min=_count(message.min_volume or 0, "min_volume"),
    )


def cancel_order(message: CancelOrderMessage, account_id: AccountId) -> CancelOrder:
    """The command of a `cancel_order`."""
    if not 0 < len(message.order_id) <= NAME_CHARACTERS_MAX:
        raise FieldError("cancel_order", f"`order_id` must have 1 to {NAME_CHARACTERS_MAX} characters")
    return CancelOrder(account_id=account_id, order_id=OrderId(message.order_id))


def answered_order(aid: str, order_id: str | None) -> Answered | None:
    """What a notice says of the message that it answers; None where that names no order."""
    return Answered(aid, order_id) if order_id and len(order_id) <= NAME_CHARACTERS_MAX else None


def answered_refusal(refusal: OrderRefused | CommandRefused) -> Answered | None:
    """The same of a message whose command was refused; None where it was none of an order."""
    if isinstance(refusal, OrderRefused):
        return answered_order("insert_order", refusal.order_id)
    aid = _AIDS.get(refusal.command)
    return None if aid is None else answered_order(aid, refusal.subject)


def _order_id(message: InsertOrderMessage) -> str:
    """The client's id; empty where the exchange is to make one."""
    if message.order_id is None or message.order_id == "":
        return ""
    if len(message.order_id) > NAME_CHARACTERS_MAX:
        raise FieldError("insert_order", f"`order_id` has more than {NAME_CHARACTERS_MAX} characters")
    if is_own_order_id(message.order_id):
        raise FieldError(
            "insert_order", f"`order_id` may not begin with {OWN_ORDER_ID_MARK}: such ids are the exchange's own"
        )
    return message.order_id


def _instrument_id(message: InsertOrderMessage) -> InstrumentId:
    """Exchange and contract, whether they came apart (`SHFE`, `cu2701`) or together (`SHFE.cu2701`)."""
    together = message.instrument_id
    if "." not in together:
        together = f"{message.exchange_id}.{together}"
    elif message.exchange_id and not together.startswith(f"{message.exchange_id}."):
        raise FieldError("insert_order", f"`exchange_id` {message.exchange_id} is not that of {together}"[:200])
    if len(together) > NAME_CHARACTERS_MAX:
        raise FieldError("insert_order", f"`instrument_id` has more than {NAME_CHARACTERS_MAX} characters")
    return InstrumentId(together)


def _count(value: int, name: str) -> Lots:
    if abs(value) > COUNT_MAX:
        raise FieldError("insert_order", f"`{name}` is beyond {COUNT_MAX}")
    return Lots(value)


def _limit_price(message: InsertOrderMessage, price_type: PriceType) -> Price | None:
    if price_type is not PriceType.LIMIT:
        if message.limit_price:
            raise FieldError("insert_order", f"`limit_price` goes with the price type LIMIT, not {message.price_type}")
        return None
    if message.limit_price is None:
        raise FieldError("insert_order", "`limit_price` is missing")
    return wire_price(message.limit_price)


def wire_price(value: int | float) -> Price:
    """A price from the wire, to the nearest 1e-6 yuan: clients compute in floats and send 3500.2000000000003 for
    3500.2.

    Raises FieldError where the value is beyond `PRICE_MAX`.
    """
    if abs(value) > PRICE_MAX // YUAN:
        raise FieldError(
            "insert_order", f"`limit_price` must be a number between -{PRICE_MAX // YUAN} and {PRICE_MAX // YUAN}"
        )
    # By the digits that the client wrote: the float nearest to them times a million may lie beside a half.
    return Price(round(Decimal(str(value)) * YUAN))


def _usual_time_condition(price_type: PriceType) -> TimeCondition:
    return TimeCondition.GFD if price_type is PriceType.LIMIT else TimeCondition.IOC
