"""The orders of a client that the exchange has not finished with, and what is to be sent again after a cut line.

The client names each order before it sends it, and the exchange answers the same id and content with the first outcome.
So whatever was sent and not answered can be sent again: nobody is filled twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from exchange.client.changes import Tree, object_at
from exchange.client.errors import NotInTimeError, OrderGoneError, OutcomeUnknownError, TooManyOrdersError
from exchange.client.layout import Layout
from exchange.client.notices import Notice
from exchange.client.picture import Picture
from exchange.client.requests import cancel_message
from exchange.client.rows import Order


class OrderClient(Protocol):
    """What an order's handle asks of its client."""

    @property
    def picture(self) -> Picture:
        """The present picture."""
        ...

    async def wait_for(self, condition: Callable[[Picture], Order | None], timeout_s: float | None = ...) -> Order:
        """Wait until the condition gives an order."""
        ...

    async def cancel(self, order: OrderHandle | str) -> None:
        """Take the order out of the market."""
        ...

    async def send_again(self, handle: OrderHandle) -> None:
        """Send an order once more."""
        ...


class OrderHandle:
    """One order of this client, from before it was sent to its end."""

    def __init__(self, client: OrderClient, message: Tree, sent_at_s: float) -> None:
        self.order_id: str = message["order_id"]
        self.message = message
        """The content as it is sent, and sent again."""
        self.sent_at_s = sent_at_s
        """When it was sent, on the client's monotonic clock."""
        self.refusal: Notice | None = None
        """The notice that the exchange refused the order by without keeping it, such as 5001 (busy): it is REJECTED
        here, its id may be used again, and its picture never had it."""
        self._sent_again = False
        self._client = client
        self._last_seen: Order | None = None
        self._wire: Any = None
        self._trouble: OutcomeUnknownError | OrderGoneError | None = None

    def __repr__(self) -> str:
        return f"OrderHandle({self.order_id!r}, status={self.status!r})"

    @property
    def order(self) -> Order | None:
        """The order as it stands, or as it was last seen; None until the exchange has answered."""
        order = self._client.picture.order(self.order_id) or self._last_seen
        if order is None and self.refusal is not None:
            return _refused_order(self.message, self.refusal.content)
        return order

    @property
    def status(self) -> str | None:
        """The order's status; None until the exchange has answered."""
        order = self.order
        return None if order is None else order.status

    @property
    def is_finished(self) -> bool:
        """Whether nothing will happen to the order any more: filled, cancelled or refused."""
        order = self.order
        return order is not None and order.is_finished

    async def acknowledged(self, timeout_s: float | None = 30.0) -> Order:
        """The order, once the exchange has answered: it rests, was filled, or was refused (status REJECTED).

        Raises NotInTimeError, and OutcomeUnknownError where the line was cut and the order is too old by now to be sent
        again unasked.
        """
        return await self._wait(lambda order: order is not None, timeout_s, "was not answered")

    async def finished(self, timeout_s: float | None = 30.0) -> Order:
        """The order, once nothing will happen to it any more. Raises like `acknowledged`, and OrderGoneError."""
        return await self._wait(lambda order: order is not None and order.is_finished, timeout_s, "is not finished")

    async def cancel(self) -> None:
        """Ask the exchange to take what is left of the order out of the market."""
        await self._client.cancel(self)

    async def send_again(self) -> None:
        """Send the order once more, with its id and content: the exchange gives the first outcome if it has one.

        For an order whose outcome is unknown, or that a notice (5001, busy) said was not taken.
        """
        await self._client.send_again(self)

    async def _wait(self, is_enough: Callable[[Order | None], bool], timeout_s: float | None, lacking: str) -> Order:
        def look(_: Picture) -> Order | None:
            order = self.order
            if is_enough(order):
                return order
            if self._trouble is not None:
                raise self._trouble
            return None

        try:
            return await self._client.wait_for(look, timeout_s)
        except NotInTimeError as error:
            raise NotInTimeError(f"the order {self.order_id} {lacking} in time: {error}") from None

    # For the client.

    @property
    def is_acknowledged(self) -> bool:
        """Whether the exchange has answered."""
        return self._last_seen is not None

    def see(self, picture: Picture, wire: Any) -> bool:
        """Look at the order after a step; returns whether the client can forget about it. `wire` is its object."""
        if wire is not None and wire is self._wire:
            return False
        order = picture.order(self.order_id)
        if order is None:
            if self._last_seen is None:
                return False
            self._trouble = OrderGoneError(
                f"the order {self.order_id} has left the picture before its end was seen: the exchange shows the "
                "newest 500 finished orders, and starts anew where its history was lost. Ask its REST interface"
            )
            return True
        self._wire, self._last_seen = wire, order
        return order.is_finished

    def refuse(self, notice: Notice) -> None:
        """The exchange has not taken it, and says so in a notice."""
        if self._sent_again:
            # The first one may have been taken before the line was cut, and not be shown yet.
            self._trouble = OutcomeUnknownError(
                f"the order {self.order_id} was sent again after a cut line and not taken then (code {notice.code}): "
                f"{notice.content}. Whether it was taken before, the picture shows in a moment, or `send_again` tells"
            )
        else:
            self.refusal = notice

    def sends_again(self) -> None:
        """It goes out once more, and nobody knows what became of it before."""
        self._sent_again = True

    def give_up(self) -> None:
        """It was not answered for too long: it is not sent again unless somebody asks for it."""
        self._trouble = OutcomeUnknownError(
            f"the exchange has not answered the order {self.order_id}, and by now it is too old to be sent again "
            "unasked. Look at the picture; if the order is not there and still wanted, call its `send_again`"
        )

    def begin_again(self, sent_at_s: float) -> None:
        """It is being sent once more, because somebody asks for it."""
        self._sent_again = self.refusal is None
        self._trouble, self.refusal, self.sent_at_s = None, None, sent_at_s


class Underway:
    """The handles of unfinished orders, and the cancels that have shown no effect yet."""

    def __init__(self, layout: Layout, *, orders_max: int, resend_within_s: float) -> None:
        self.handles: dict[str, OrderHandle] = {}
        """By order id; those that are not finished, and those whose end was not seen."""
        self._layout = layout
        self._orders_max = orders_max
        self._resend_within_s = resend_within_s
        self._unanswered: dict[str, OrderHandle] = {}
        self._cancels: dict[str, None] = {}

    def add(self, handle: OrderHandle) -> None:
        """Look after an order that is about to be sent. Raises TooManyOrdersError."""
        if len(self._unanswered) >= self._orders_max:
            self._give_up_old_ones(handle.sent_at_s)
        if len(self._unanswered) >= self._orders_max and handle.order_id not in self._unanswered:
            raise TooManyOrdersError(
                f"{len(self._unanswered)} orders wait for the exchange's answer, which is the most: wait for some, or "
                "raise `underway_max`. Nothing was sent"
            )
        self.handles[handle.order_id] = handle
        if not handle.is_acknowledged:
            self._unanswered[handle.order_id] = handle

    def add_cancel(self, order_id: str) -> None:
        """Look after a cancel that is about to be sent. Raises TooManyOrdersError."""
        if len(self._cancels) >= self._orders_max and order_id not in self._cancels:
            raise TooManyOrdersError(
                f"{len(self._cancels)} cancels have shown no effect yet, which is the most: wait for some, or raise "
                "`underway_max`. Nothing was sent"
            )
        self._cancels[order_id] = None

    def stepped(self, picture: Picture) -> None:
        """Look at all of them after a step."""
        orders = object_at(picture.tree, self._layout.orders)
        for order_id, handle in tuple(self.handles.items()):
            if handle.see(picture, orders.get(order_id)):
                del self.handles[order_id]
            if handle.is_acknowledged:
                self._unanswered.pop(order_id, None)
        for order_id in tuple(self._cancels):
            if order_id not in self.handles and not _works(picture, order_id):
                del self._cancels[order_id]

    def told(self, notices: list[Notice]) -> None:
        """Look for orders that were refused and are in no picture; to be called after `stepped`."""
        for notice in notices:
            if notice.aid == "insert_order" and notice.order_id in self._unanswered:
                self._unanswered[notice.order_id].refuse(notice)
                self._forget_unanswered(notice.order_id)

    def to_send_again(self, user: str, now_s: float) -> list[Tree]:
        """The messages that a resumed connection is to carry first, each once, in the order in which they were sent.

        Orders that are too old are given up.
        """
        self._give_up_old_ones(now_s)
        for handle in self._unanswered.values():
            handle.sends_again()
        orders = (handle.message for handle in self._unanswered.values())
        return [*orders, *(cancel_message(user, order_id) for order_id in self._cancels)]

    def _give_up_old_ones(self, now_s: float) -> None:
        for order_id, handle in tuple(self._unanswered.items()):
            if now_s - handle.sent_at_s > self._resend_within_s:
                handle.give_up()
                self._forget_unanswered(order_id)

    def _forget_unanswered(self, order_id: str) -> None:
        del self._unanswered[order_id], self.handles[order_id]
        self._cancels.pop(order_id, None)


def _refused_order(message: Tree, why: str) -> Order:
    """An order that the exchange did not keep, as it would show one that it refused."""
    return Order(
        order_id=message["order_id"],
        instrument_id=f"{message['exchange_id']}.{message['instrument_id']}",
        exchange_id=message["exchange_id"],
        direction=message["direction"],
        offset=message["offset"],
        status="REJECTED",
        volume=message["volume"],
        volume_left=message["volume"],
        price_type=message["price_type"],
        time_condition=message.get("time_condition", "IOC" if message["price_type"] == "ANY" else "GFD"),
        volume_condition=message["volume_condition"],
        inserted_at_ms=0,
        last_msg=why,
        frozen_margin=0.0,
        exchange_order_id="",
        seqno=0,
        limit_price=message.get("limit_price"),
    )


def _works(picture: Picture, order_id: str) -> bool:
    order = picture.order(order_id)
    return order is not None and not order.is_finished
