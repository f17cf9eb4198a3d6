"""An order as the exchange remembers it."""

from __future__ import annotations

from exchange.domain.events import OrderAccepted
from exchange.domain.margin import frozen_rest
from exchange.domain.values import Lots, Money
from exchange.domain.words import OrderStatus


class Order:
    """An accepted order: what was asked never changes, what is left of it does."""

    __slots__ = ("accepted", "lots_left", "order_no", "price", "status")

    def __init__(self, accepted: OrderAccepted) -> None:
        self.accepted = accepted
        self.order_no = accepted.order_no
        self.price = accepted.price
        self.lots_left = accepted.lots
        self.status = OrderStatus.ALIVE

    def frozen(self) -> tuple[Money, Money]:
        """(margin, commission) still held for the lots that are left, in 1e-6 yuan."""
        accepted = self.accepted
        return (
            frozen_rest(accepted.frozen_margin, self.lots_left, accepted.lots),
            frozen_rest(accepted.frozen_commission, self.lots_left, accepted.lots),
        )

    def fill(self, lots: Lots) -> None:
        """Take filled lots off; the last of them finishes the order."""
        assert lots <= self.lots_left, f"order {self.order_no} has {self.lots_left} lots left, {lots} were filled"
        self.lots_left = Lots(self.lots_left - lots)
        if not self.lots_left:
            self.status = OrderStatus.FILLED
