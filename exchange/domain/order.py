"""An order as the exchange remembers it."""

from __future__ import annotations

from exchange.domain.events import OrderAccepted, OrderRefused
from exchange.domain.margin import frozen_rest
from exchange.domain.values import Lots, Money
from exchange.domain.words import ALIVE, OrderStatus


class Order:
    """An accepted order: what was asked never changes, what is left of it does."""

    __slots__ = ("accepted", "frozen_commission", "frozen_margin", "lots_left", "order_no", "price", "status")

    def __init__(self, accepted: OrderAccepted) -> None:
        self.accepted = accepted
        self.order_no = accepted.order_no
        self.price = accepted.price
        self.lots_left = accepted.lots
        self.status: OrderStatus = ALIVE
        self.frozen_margin = accepted.frozen_margin
        """Margin held for the lots that are left while the order lives, in 1e-6 yuan; `frozen_commission` likewise."""
        self.frozen_commission = accepted.frozen_commission

    def fill(self, lots: Lots) -> tuple[int, int]:
        """Take filled lots off; the last of them finishes the order. Returns the (margin, commission) given back."""
        left = self.lots_left - lots
        assert left >= 0, f"order {self.order_no} has {self.lots_left} lots left, {lots} were filled"
        accepted = self.accepted
        self.lots_left = Lots(left)
        if not left:
            return self._finish(OrderStatus.FILLED)
        held = self.frozen_margin, self.frozen_commission
        self.frozen_margin = frozen_rest(accepted.frozen_margin, self.lots_left, accepted.lots)
        self.frozen_commission = frozen_rest(accepted.frozen_commission, self.lots_left, accepted.lots)
        return held[0] - self.frozen_margin, held[1] - self.frozen_commission

    def cancel(self) -> tuple[int, int]:
        """Finish the order with the lots it has left. Returns the (margin, commission) given back."""
        return self._finish(OrderStatus.CANCELLED)

    def _finish(self, status: OrderStatus) -> tuple[int, int]:
        self.status = status
        given_back = self.frozen_margin, self.frozen_commission
        self.frozen_margin = self.frozen_commission = Money(0)
        return given_back


class RefusedOrder:
    """An order that never reached the market, remembered so that its id keeps its first outcome."""

    __slots__ = ("refused",)

    def __init__(self, refused: OrderRefused) -> None:
        self.refused = refused
