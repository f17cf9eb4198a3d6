"""The messages that a client sends, checked before they leave."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

from exchange.client.errors import InvalidRequestError
from exchange.client.mirror import Snapshot

Direction = Literal["BUY", "SELL"]
Offset = Literal["OPEN", "CLOSE", "CLOSETODAY"]
TimeCondition = Literal["GFD", "IOC"]
VolumeCondition = Literal["ANY", "ALL"]

BID: Final = "qaexchange"
"""The business id of a login."""
ORDER_ID_CHARACTERS_MAX: Final = 128
OWN_ORDER_ID_MARK: Final = "~"
"""How the exchange's own order ids begin."""

PEEK: Final[dict[str, Any]] = {"aid": "peek_message"}

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "direction": get_args(Direction),
    "offset": get_args(Offset),
    "time_condition": get_args(TimeCondition),
    "volume_condition": get_args(VolumeCondition),
}


def login_message(user: str, secret: str, resume_from: Snapshot | None) -> dict[str, Any]:
    """A login, with the mirror's place where the server is to lead on from there."""
    message: dict[str, Any] = {"aid": "req_login", "bid": BID, "user_name": user, "password": secret}
    if resume_from is not None:
        message |= {"log_id": resume_from.log_id, "version": resume_from.version}
    return message


def subscribe_message(instruments: Iterable[str]) -> dict[str, Any]:
    """The list that replaces the former subscriptions."""
    return {"aid": "subscribe_quote", "ins_list": ",".join(instruments)}


def cancel_message(user: str, order_id: str) -> dict[str, Any]:
    """Takes an order out of the market."""
    return {"aid": "cancel_order", "user_id": user, "order_id": order_id}


def order_message(
    user: str,
    order_id: str,
    instrument_id: str,
    direction: Direction,
    offset: Offset,
    volume: int,
    price: float | None,
    time_condition: TimeCondition | None,
    volume_condition: VolumeCondition,
) -> dict[str, Any]:
    """An order; without a price it takes any. Raises InvalidRequestError for what no exchange would read as an order.

    What the market's rules judge (tick, price band, lots, funds) is the exchange's to refuse.
    """
    exchange_id, dot, contract = instrument_id.partition(".")
    if not (exchange_id and dot and contract):
        raise InvalidRequestError(f"the instrument {instrument_id!r} lacks its exchange: write it as SHFE.cu2701")
    message: dict[str, Any] = {
        "aid": "insert_order",
        "user_id": user,
        "order_id": checked_order_id(order_id),
        "exchange_id": exchange_id,
        "instrument_id": contract,
        "direction": direction,
        "offset": offset,
        "volume": _lots(volume),
        "price_type": "ANY" if price is None else "LIMIT",
        "volume_condition": volume_condition,
    }
    if price is not None:
        message["limit_price"] = _price(price)
    if time_condition is not None:
        message["time_condition"] = time_condition
    for name, choices in _CHOICES.items():
        if name in message and message[name] not in choices:
            raise InvalidRequestError(f"{name} is {message[name]!r}: give one of {', '.join(choices)}")
    return message


def checked_order_id(order_id: str) -> str:
    """The id, if a client may give it to an order."""
    if not 0 < len(order_id) <= ORDER_ID_CHARACTERS_MAX:
        raise InvalidRequestError(f"the order id {order_id!r} must have 1 to {ORDER_ID_CHARACTERS_MAX} characters")
    if order_id.startswith(OWN_ORDER_ID_MARK):
        raise InvalidRequestError(f"the order id {order_id!r} begins with ~, as only the exchange's own ids do")
    return order_id


def _lots(volume: int) -> int:
    """A whole number of lots, also from the number types of numpy and pandas."""
    try:
        lots = operator.index(volume)
    except TypeError:
        raise InvalidRequestError(f"the volume {volume!r} is no whole number of lots") from None
    if isinstance(volume, bool) or lots < 1:
        raise InvalidRequestError(f"the volume is {volume!r}: give 1 lot or more")
    return lots


def _price(price: float) -> int | float:
    number = price if type(price) is int else float(price)
    if not math.isfinite(number):
        raise InvalidRequestError(f"the price {price!r} is no number that can be sent: leave it out for any price")
    return number
