"""The market maker: orders on both sides of a fair price, moved as that moves, leaning against what it has bought."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from msgspec import Struct

from exchange.domain.values import Lots, Price
from exchange.domain.words import BUY, SELL, Direction
from exchange.feeds.bots.reference import Reference
from exchange.feeds.bots.sight import Cancel, Contract, Decision, OwnOrder, Place, Sight, Wish

Ladder = dict[tuple[Direction, Price], int]
"""Lots to quote, by side and price, each side best first."""


class MakerSettings(Struct, frozen=True, kw_only=True):
    """How a maker quotes."""

    levels: int = 5
    """Prices on each side, a tick apart."""
    lots: int = 5
    """At each price."""
    spread_ticks: int = 2
    """Between its best bid and its best ask; at least 1."""
    inventory_max: int = 100
    """Lots that it holds net at most, long or short."""
    skew_ticks: int = 4
    """How far its quotes have moved against the position when that is at its limit."""
    pause_s: float = 1.0
    """Between two looks, on average."""


class Maker:
    """Keeps its quotes around a reference."""

    def __init__(self, reference: Reference, settings: MakerSettings | None = None) -> None:
        self._reference = reference
        self._settings = settings or MakerSettings()
        self.orders_max = 2 * self._settings.levels

    def decide(self, sight: Sight, dice: Random) -> Decision:
        """Move the quotes to where they belong now."""
        wanted = quotes(sight.contract, self._reference.price(sight), sight.net, self._settings)
        # Makers that all look at the same moments would act in turns, always the same one first.
        return Decision(requote(sight.orders, wanted), self._settings.pause_s * dice.uniform(0.5, 1.5))


def quotes(contract: Contract, fair: Price, net: int, settings: MakerSettings) -> Ladder:
    """What to quote around a fair price, which is on a tick, with this position.

    Every price is inside the band. All bids together are no more than may still be bought, all asks no more than may
    be sold; so whatever fills, the position stays within its limit. Nothing where the band is narrower than the spread.
    """
    tick = contract.tick
    skew = abs(net) * settings.skew_ticks // settings.inventory_max * (1 if net > 0 else -1)
    spread = settings.spread_ticks * tick
    bid = fair - (skew + settings.spread_ticks // 2) * tick
    # The whole ladder moves inside the band, so that a fair price at the limit is quoted on both sides too.
    bid = max(min(bid, contract.upper_limit - spread), contract.lower_limit)
    ladder: Ladder = {}
    if bid + spread > contract.upper_limit:
        return ladder
    for direction, best, step, room in (
        (BUY, bid, -tick, settings.inventory_max - net),
        (SELL, bid + spread, tick, settings.inventory_max + net),
    ):
        for level in range(settings.levels):
            price = best + level * step
            lots = min(settings.lots, room)
            if lots <= 0 or not contract.lower_limit <= price <= contract.upper_limit:
                break
            ladder[direction, Price(price)] = lots
            room -= lots
    return ladder


def requote(orders: Iterable[OwnOrder], wanted: Ladder) -> tuple[Wish, ...]:
    """The wishes that turn the own orders into the wanted quotes, cancels first.

    An order stays, and keeps its place in the queue, where its price is wanted and it has neither more lots than wanted
    nor less than half of them.
    """
    missing = dict(wanted)
    cancels: list[Wish] = []
    for order in orders:
        lots = missing.get((order.direction, order.price), 0)
        if lots // 2 < order.lots_left <= lots:
            del missing[order.direction, order.price]
        else:
            cancels.append(Cancel(order.order_id))
    places = (
        Place(direction=direction, price=price, lots=Lots(lots), rests=True)
        for (direction, price), lots in missing.items()
    )
    return (*cancels, *places)
