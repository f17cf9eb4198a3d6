"""Where a market maker takes the price from that it quotes around: always on a tick, inside the band."""

from __future__ import annotations

from random import Random
from typing import Final, Protocol

from exchange.domain.values import Price, to_tick
from exchange.feeds.bots.sight import Contract, Sight

STEP_S: Final = 2.0
"""How long a random walk stays where it is."""
STEPS: Final = (-1, 0, 0, 1)
"""In ticks; each as likely as the others."""
CATCH_UP_MAX: Final = 100
"""Steps a walk makes up for at most, when nobody has looked for long."""
EDGE: Final = 10
"""A walk turns around where a tenth of the band is left: so makers find room for both of their sides."""


class Reference(Protocol):
    """A fair price, as far as a maker knows one."""

    def price(self, sight: Sight) -> Price:
        """The price now."""
        ...


class LastPrice:
    """The last trade's price, or the settlement price before the first one: for markets that something else moves, such
    as a recording."""

    def price(self, sight: Sight) -> Price:
        """The price now."""
        return _start(sight)


class RandomWalk:
    """A price that walks by itself, a tick at a time. Makers that share one walk quote around the same price.

    It begins at the last trade's price, so that a market goes on where it stood before a restart.
    """

    def __init__(self, seed: str) -> None:
        self._dice = Random(seed)
        self._price: Price | None = None
        self._due_s = 0.0

    def price(self, sight: Sight) -> Price:
        """The price now; walks on by as many steps as are due."""
        if self._price is None:
            self._price, self._due_s = _start(sight), sight.at_s + STEP_S
        for _ in range(CATCH_UP_MAX):
            if sight.at_s < self._due_s:
                break
            self._due_s += STEP_S
            self._price = self._step(self._price, sight.contract)
        else:
            self._due_s = sight.at_s + STEP_S
        return self._price

    def _step(self, price: Price, contract: Contract) -> Price:
        step = self._dice.choice(STEPS) * contract.tick
        inset = (contract.upper_limit - contract.lower_limit) // EDGE
        lowest, highest = contract.lower_limit + inset, contract.upper_limit - inset
        moved = price + step
        if (moved < lowest and step < 0) or (moved > highest and step > 0):
            moved = price - step
        return Price(moved)


def _start(sight: Sight) -> Price:
    contract = sight.contract
    price = to_tick(contract.pre_settlement if sight.last is None else sight.last, contract.tick)
    return min(max(price, contract.lower_limit), contract.upper_limit)
