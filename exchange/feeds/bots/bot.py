"""A strategy in its seat: looks, decides, acts, pauses, until it is stopped; and never more than it should."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from random import Random
from typing import Final, NoReturn, Protocol

from exchange.feeds.bots.sight import Cancel, Sight, Strategy, Wish
from exchange.feeds.player import Clock

log = logging.getLogger("exchange.feeds")

PAUSE_MIN_S: Final = 0.05
"""Between two looks of one bot, however fast it is played: what bounds the orders it can send."""
BACKOFF_MAX_S: Final = 60.0
"""The longest pause of a bot that is refused again and again; the first is 1 s, each further one twice as long."""
WITHDRAW_TRIES: Final = 3
"""How often a bot that stops tries to cancel what it has in the market."""


class Seat(Protocol):
    """A bot's place at an exchange: one account, one instrument."""

    def look(self, at_s: float) -> Sight | None:
        """What is there now; None where the contract or the account is not known, or not yet."""
        ...

    async def act(self, sight: Sight, wishes: Sequence[Wish]) -> bool:
        """Carry the wishes out in this order, and return when the next look shows what became of them.

        False where an order was refused, or not all of them were taken: the bot leaves the market alone for a while.
        """
        ...


class Bot:
    """One strategy at work in one instrument. Its dice are seeded by its name: bots of one crew differ."""

    def __init__(
        self, name: str, strategy: Strategy, seat: Seat, *, seed: int, clock: Clock, speed: float = 1.0
    ) -> None:
        self.name = name
        self._strategy = strategy
        self._seat = seat
        self._dice = Random(f"{seed}/{name}")
        self._clock = clock
        self._speed = speed
        """Seconds of the strategy's time in one of the clock's."""
        self._failures = 0
        """Actions in a row of which something was refused or not taken."""

    async def run(self) -> NoReturn:
        """Trade until cancelled, and then not before what was begun is known to be done."""
        # A crew that begins all at once would go on in step.
        pause_s = self._dice.random() / self._speed
        while True:
            await self._clock.sleep(max(pause_s, PAUSE_MIN_S))
            pause_s = await self.turn()

    async def turn(self) -> float:
        """Look, decide and act once; returns for how many seconds to pause then."""
        sight = self._seat.look(self._clock.time() * self._speed)
        if sight is None:
            return self._backoff_s()
        decision = self._strategy.decide(sight, self._dice)
        if decision.wishes and not await _to_its_end(self._seat, sight, decision.wishes):
            return self._backoff_s()
        if decision.wishes:
            self._failures = 0
        return decision.pause_s / self._speed

    def _backoff_s(self) -> float:
        pause_s = min(2.0**self._failures, BACKOFF_MAX_S)
        self._failures = min(self._failures + 1, 10)
        return pause_s

    async def withdraw(self) -> bool:
        """Cancel all that the bot has in the market; False where that is not known to be done."""
        for _ in range(WITHDRAW_TRIES):
            sight = self._seat.look(self._clock.time() * self._speed)
            if sight is None:
                return False
            if not sight.orders:
                return True
            if await self._seat.act(sight, [Cancel(order.order_id) for order in sight.orders]):
                return True
        return False


async def _to_its_end(seat: Seat, sight: Sight, wishes: Sequence[Wish]) -> bool:
    """Act, also where the bot is stopped meanwhile: what it sent and did not see yet it could not cancel."""
    acting = asyncio.ensure_future(seat.act(sight, wishes))
    try:
        return await asyncio.shield(acting)
    except asyncio.CancelledError:
        await asyncio.wait((acting,))
        acting.result()  # an error of its own must not go unseen
        raise


async def begin(bots: Sequence[Bot]) -> None:
    """A first turn of all of them: after it whoever is told that they trade finds their quotes."""
    await asyncio.gather(*(bot.turn() for bot in bots))


async def trade(bots: Sequence[Bot]) -> None:
    """Let all of them trade until this is cancelled. What they have in the market then stays there: see `withdraw`."""
    async with asyncio.TaskGroup() as group:
        for bot in bots:
            group.create_task(bot.run(), name=f"bot {bot.name}")


async def withdraw(bots: Sequence[Bot]) -> None:
    """Cancel all that they have in the market."""
    withdrawn = await asyncio.gather(*(bot.withdraw() for bot in bots))
    if not all(withdrawn):
        log.warning("%d bots may have left orders in the market: look with `exchange state`", withdrawn.count(False))
