"""The momentum trader: goes with a price that has left its moving average, and gives up where it was wrong."""

from __future__ import annotations

from collections import deque
from random import Random

from msgspec import Struct

from exchange.domain.values import Lots
from exchange.domain.words import BUY, SELL
from exchange.feeds.bots.sight import Cancel, Decision, Place, Sight, Wish


class MomentumSettings(Struct, frozen=True, kw_only=True):
    """How a momentum trader behaves."""

    window: int = 30
    """Mid prices in the moving average, one per look."""
    threshold_ticks: int = 2
    """How far the mid price must be from the average."""
    lots: int = 2
    """Of one order."""
    inventory_max: int = 10
    """Lots that it holds net at most, long or short."""
    stop_ticks: int = 6
    """How far the price may go against a position before that is closed."""
    rest_s: float = 30.0
    """How long it stays out of the market after that."""
    pause_s: float = 1.0
    """Between two looks, on average."""


class Momentum:
    """Remembers the last mid prices, and at which of them its position began."""

    orders_max = 0

    def __init__(self, settings: MomentumSettings | None = None) -> None:
        self._settings = settings or MomentumSettings()
        self._mids: deque[int] = deque(maxlen=self._settings.window)
        self._side = 0
        """1 while it is long, -1 while it is short."""
        self._entry = 0
        """The mid price when it was first seen on that side."""
        self._out_until_s: float | None = None

    def decide(self, sight: Sight, dice: Random) -> Decision:
        """One order towards the position that it wants now; nothing while the market has only one side."""
        pause_s = self._settings.pause_s * dice.uniform(0.5, 1.5)
        # Its orders never rest; one that is there was left by another bot of this account.
        leftovers: tuple[Wish, ...] = tuple(Cancel(order.order_id) for order in sight.orders)
        mid = sight.mid
        if mid is None:
            return Decision(leftovers, pause_s)
        self._mids.append(mid)
        target = self._target(sight, mid)
        return Decision((*leftovers, *towards(sight, target, self._settings.lots)), pause_s)

    def _target(self, sight: Sight, mid: int) -> int:
        """The net position wanted."""
        settings, tick = self._settings, sight.contract.tick
        side = (sight.net > 0) - (sight.net < 0)
        if side != self._side:
            self._side, self._entry = side, mid
        if side * (mid - self._entry) < -settings.stop_ticks * tick:
            self._out_until_s = sight.at_s + settings.rest_s
        if self._out_until_s is not None:
            if sight.at_s < self._out_until_s:
                return 0
            self._out_until_s = None
        if len(self._mids) < settings.window:
            return sight.net
        lead = mid * len(self._mids) - sum(self._mids)
        threshold = settings.threshold_ticks * tick * len(self._mids)
        if abs(lead) < threshold:
            return sight.net
        return settings.inventory_max if lead > 0 else -settings.inventory_max


def towards(sight: Sight, target: int, lots_max: int) -> tuple[Wish, ...]:
    """An order at the best price of the other side that brings the net position nearer to the target, or none."""
    lots = min(abs(target - sight.net), lots_max)
    direction = BUY if target > sight.net else SELL
    facing = sight.facing(direction)
    if not lots or facing is None:
        return ()
    return (Place(direction=direction, price=facing, lots=Lots(lots), rests=False),)
