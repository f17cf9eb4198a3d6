"""The noise trader: now and then an order without a reason, to take what is there or to rest near it."""

from __future__ import annotations

from random import Random

from msgspec import Struct

from exchange.domain.values import Lots, Price, to_tick
from exchange.domain.words import BUY, SELL, Direction
from exchange.feeds.bots.sight import Cancel, Decision, Place, Sight, Wish


class NoiseSettings(Struct, frozen=True, kw_only=True):
    """How a noise trader behaves."""

    mean_s: float = 4.0
    """Between two of its orders, on average; the times are exponential, as of arrivals that know nothing of each
    other."""
    taking: float = 0.5
    """The share of orders that take the best price of the other side; the others rest."""
    lots_max: int = 3
    reach_ticks: int = 5
    """How far from the best price of its own side an order may rest."""
    orders_max: int = 6
    inventory_max: int = 30
    """Lots that it holds net at most, long or short."""


class Noise:
    """Sends an order whenever its next arrival is due."""

    def __init__(self, settings: NoiseSettings | None = None) -> None:
        self._settings = settings or NoiseSettings()
        self._due_s: float | None = None
        self.orders_max = self._settings.orders_max

    def decide(self, sight: Sight, dice: Random) -> Decision:
        """An order if one is due, and a pause until the next one is."""
        wishes: tuple[Wish, ...] = ()
        if self._due_s is not None and sight.at_s >= self._due_s:
            wishes = whim(sight, dice, self._settings)
            self._due_s = None
        if self._due_s is None:
            self._due_s = sight.at_s + dice.expovariate(1 / self._settings.mean_s)
        return Decision(wishes, self._due_s - sight.at_s)


def whim(sight: Sight, dice: Random, settings: NoiseSettings) -> tuple[Wish, ...]:
    """A random order; the oldest one makes room for it where there are enough of them."""
    direction = dice.choice((BUY, SELL))
    takes = dice.random() < settings.taking
    lots = dice.randint(1, settings.lots_max)
    ticks = dice.randint(0, settings.reach_ticks)
    if sight.room(direction, settings.inventory_max) < 1:
        direction = SELL if direction is BUY else BUY
    lots = min(lots, sight.room(direction, settings.inventory_max))
    if lots < 1:
        # Orders of its own fill both sides up to the limit: the oldest of them has waited long enough.
        return tuple(Cancel(order.order_id) for order in sight.orders[:1])
    facing = sight.facing(direction)
    if takes and facing is not None and not _is_own(sight, facing):
        return (Place(direction=direction, price=facing, lots=Lots(lots), rests=False),)
    place = Place(direction=direction, price=_resting_price(sight, direction, ticks), lots=Lots(lots), rests=True)
    surplus = len(sight.orders) - settings.orders_max + 1
    return (*(Cancel(order.order_id) for order in sight.orders[: max(surplus, 0)]), place)


def _resting_price(sight: Sight, direction: Direction, ticks: int) -> Price:
    """So many ticks behind the best price of the order's side, inside the band. Where nobody is on that side: behind
    the last price, and short of the other side."""
    contract = sight.contract
    away = -contract.tick if direction is BUY else contract.tick
    best: int | None = sight.bid if direction is BUY else sight.ask
    facing = sight.facing(direction)
    if best is None:
        best = to_tick(contract.pre_settlement if sight.last is None else sight.last, contract.tick)
        if facing is not None:
            best = min(best, facing + away) if direction is BUY else max(best, facing + away)
    return Price(min(max(best + ticks * away, contract.lower_limit), contract.upper_limit))


def _is_own(sight: Sight, price: Price) -> bool:
    """Whether an order of the bot's own rests at a price: it would meet itself."""
    return any(order.price == price for order in sight.orders)
