"""What a bot sees of one market and of itself, and what it may wish for there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple, Protocol

from msgspec import Struct

from exchange.domain.values import InstrumentId, Lots, OrderId, Price
from exchange.domain.words import BUY, CLOSETODAY, OPEN, SELL, Direction, PositionEffect


class Contract(Struct, frozen=True, kw_only=True):
    """What a bot needs of a contract's terms; prices in 1e-6 yuan."""

    instrument_id: InstrumentId
    tick: Price
    lower_limit: Price
    upper_limit: Price
    pre_settlement: Price


class OwnOrder(Struct, frozen=True, kw_only=True):
    """One of the bot's orders that works in the market."""

    order_id: OrderId
    direction: Direction
    effect: PositionEffect
    price: Price
    lots_left: int


class Held(Struct, frozen=True, kw_only=True):
    """One side of the bot's position."""

    lots: int = 0
    free_today: int = 0
    """Lots of today that no working order closes yet; `free_history` likewise those of older days."""
    free_history: int = 0


class Sight(Struct, frozen=True, kw_only=True):
    """One market at one moment, and what the bot has in it."""

    at_s: float
    """The bot's own time, in seconds from anywhere; never falls."""
    contract: Contract
    last: Price | None = None
    """Of the last trade; None before the first. `bid` and `ask` are the best prices of the book, own orders among
    them."""
    bid: Price | None = None
    ask: Price | None = None
    orders: tuple[OwnOrder, ...] = ()
    """Own working orders, oldest first."""
    long: Held = Held()
    short: Held = Held()

    @property
    def net(self) -> int:
        """Lots held long less lots held short."""
        return self.long.lots - self.short.lots

    @property
    def mid(self) -> int | None:
        """The middle of the best prices, rounded down; None while a side is empty."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) // 2

    def facing(self, direction: Direction) -> Price | None:
        """The best price that an order of this direction can meet."""
        return self.ask if direction is BUY else self.bid

    def room(self, direction: Direction, inventory_max: int) -> int:
        """The most lots that an order of this direction may have so that the net position stays within
        `inventory_max` either way, even if all own orders of that direction fill; 0 or less for none."""
        resting = sum(order.lots_left for order in self.orders if order.direction is direction)
        return inventory_max - resting - (self.net if direction is BUY else -self.net)


class Cancel(Struct, frozen=True):
    """Take one of the bot's orders out of the market."""

    order_id: OrderId


class Place(Struct, frozen=True, kw_only=True):
    """Send a limit order."""

    direction: Direction
    price: Price
    lots: Lots
    rests: bool
    """Whether it stays in the market for the day; else what does not fill at once is cancelled."""


Wish = Cancel | Place


class Decision(NamedTuple):
    """What a strategy wants done now, in this order, and after how many seconds it wants to look again."""

    wishes: tuple[Wish, ...]
    pause_s: float


class Strategy(Protocol):
    """Decides from what it sees and what it remembers; the same sights and the same dice give the same decisions."""

    @property
    def orders_max(self) -> int:
        """The most orders that it ever has in the market."""
        ...

    def decide(self, sight: Sight, dice: Random) -> Decision:
        """What to do now. Called with sights in the order of their time."""
        ...


def effects_of(sight: Sight, wishes: Iterable[Wish]) -> Iterator[tuple[Wish, PositionEffect]]:
    """Each wish with the effect its order shall have; for a cancel it says nothing.

    An order closes where enough lots of one kind are free, those of today first, else it opens: so what is held on both
    sides at once stays small, and no order needs to be split. What a cancel before it gives back counts as free.
    """
    free = {
        (SELL, CLOSETODAY): sight.long.free_today,
        (SELL, PositionEffect.CLOSE): sight.long.free_history,
        (BUY, CLOSETODAY): sight.short.free_today,
        (BUY, PositionEffect.CLOSE): sight.short.free_history,
    }
    orders = {order.order_id: order for order in sight.orders}
    for wish in wishes:
        effect = OPEN
        if isinstance(wish, Cancel):
            order = orders[wish.order_id]
            if order.effect is not OPEN:
                free[order.direction, order.effect] += order.lots_left
        else:
            for closing in (CLOSETODAY, PositionEffect.CLOSE):
                if free[wish.direction, closing] >= wish.lots:
                    free[wish.direction, closing] -= wish.lots
                    effect = closing
                    break
        yield wish, effect
