"""Ids of orders that the exchange makes where the client gave none."""

from __future__ import annotations

from typing import Final

from exchange.domain.values import OrderId, OrderNo

OWN_ORDER_ID_MARK: Final = "~"
"""Ids made by the exchange begin with this; a client's id may not, so that the two never meet."""


def own_order_id(order_no: OrderNo) -> OrderId:
    """The id of an order that came without one."""
    return OrderId(f"{OWN_ORDER_ID_MARK}{order_no}")


def is_own_order_id(order_id: str) -> bool:
    """Whether the exchange made this id."""
    return order_id[:1] == OWN_ORDER_ID_MARK
