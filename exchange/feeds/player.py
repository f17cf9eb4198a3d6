"""Plays tapes into the exchange, for ever: waits, shows a snapshot, begins anew. What is shown is planned in `house`.

The player is an ordinary client: it sees what is durable, and plans a snapshot when the one before it is. It stops by
being cancelled, between two batches of commands, and leaves its orders in the market; after a restart it begins a new
pass, whose first plan cancels what the recorded book does not have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite
from typing import Final, NoReturn, Protocol

from exchange.domain.events import Event, TradeExecuted
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.values import Lots, decimal_text
from exchange.feeds.floor import Clerk, Floor
from exchange.feeds.house import TRADERS, House, funding, house_in, leftovers, plan
from exchange.feeds.snapshot import TapeError
from exchange.feeds.tape import Tape

GAP_MAX_S: Final = 3.0
"""Recordings fall silent for minutes, and those of bars move four times a minute: nobody watches a demo that long."""
BUSY_PAUSE_S: Final = 1.0
"""How long an exchange that takes no commands is left alone at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a tape plays. Raises ValueError for what is no pace."""

    speed: float = 1.0
    """1 is the recorded pace, 10 ten times faster."""
    gap_max_s: float = GAP_MAX_S
    """The longest wait between two snapshots, after the speed has been counted in; infinite for none."""

    def __post_init__(self) -> None:
        if not (isfinite(self.speed) and self.speed > 0):
            raise ValueError(f"a speed of {self.speed} cannot be played; it must be a number above 0, such as 1 or 10")
        if not self.gap_max_s > 0:
            raise ValueError(f"a longest gap of {self.gap_max_s} s cannot be kept; it must be above 0 s")

    def wait_s(self, wait_ns: int) -> float:
        """How long to wait where the recording waits `wait_ns`."""
        return min(wait_ns / 1e9 / self.speed, self.gap_max_s)


class Clock(Protocol):
    """The time that a player keeps."""

    def time(self) -> float:
        """Seconds, never going back."""

    async def sleep(self, seconds: float) -> None:
        """Wait, with 0 for one pass of the loop."""


class LoopTime:
    """The event loop's own time."""

    def time(self) -> float:
        """Seconds of the running loop's clock."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait as asyncio does."""
        await asyncio.sleep(seconds)


async def play_tapes(
    tapes: Sequence[Tape], floor: Floor, *, pace: Pace | None = None, clock: Clock | None = None
) -> None:
    """Open the house's accounts where there are none, and play all tapes side by side until cancelled.

    Raises TapeError, before anything is done, where a tape does not fit its contract (`check_fits`).
    """
    pace, clock, clerk = pace or Pace(), clock or LoopTime(), Clerk(floor)
    players = [TapePlayer(tape, floor, clerk, pace=pace, clock=clock) for tape in tapes]
    while not (await clerk.carry_out(funding(floor.view))).complete:
        await clock.sleep(BUSY_PAUSE_S)
    async with asyncio.TaskGroup() as group:
        for player in players:
            group.create_task(player.play(), name=f"tape {player.tape.name}")


def check_fits(tape: Tape, terms: InstrumentTerms | None) -> None:
    """Raises TapeError where a contract cannot take a tape's orders; `terms` is None where it is not listed."""
    what = f"tape {tape.name} cannot play {tape.instrument_id}"
    if terms is None:
        raise TapeError(f"{what}: it is not listed; add the contract to the market file")
    if tape.price_tick % terms.price_tick:
        ticks = f"{decimal_text(tape.price_tick)} is not a multiple of the contract's {decimal_text(terms.price_tick)}"
        raise TapeError(f"{what}: its tick {ticks}")
    prices = [
        price
        for snapshot in tape.snapshots
        for price in chain((snapshot.last,), (price for price, _ in snapshot.bids + snapshot.asks))
    ]
    lowest, highest = min(prices), max(prices)
    if not terms.lower_limit <= lowest <= highest <= terms.upper_limit:
        band = f"{decimal_text(terms.lower_limit)} .. {decimal_text(terms.upper_limit)}"
        raise TapeError(f"{what}: its prices {decimal_text(lowest)} .. {decimal_text(highest)} leave the band {band}")


class TapePlayer:
    """Plays one tape; the house's accounts must be open. Raises TapeError where the tape does not fit its contract."""

    def __init__(self, tape: Tape, floor: Floor, clerk: Clerk, *, pace: Pace, clock: Clock) -> None:
        terms = floor.terms(tape.instrument_id)
        check_fits(tape, terms)
        assert terms is not None, "a contract that is not listed fits no tape"
        self.tape = tape
        self._terms = terms
        self._floor = floor
        self._clerk = clerk
        self._pace = pace
        self._clock = clock
        self._owed = 0
        """Lots that a busy exchange did not let trade: they trade with the next snapshot, so that volume and last price
        are again the recorded ones."""

    async def play(self) -> NoReturn:
        """Play the tape for ever, the first snapshot at once.

        Waits are counted from when the snapshot was due, so that the time its commands take does not add up; a player
        that falls behind does not hurry to catch up.
        """
        waits_ns = self.tape.waits_ns
        due_s = self._clock.time()
        while True:
            await self._clerk.carry_out(funding(self._floor.view))
            for number in range(len(waits_ns)):
                shown = await self.show(number)
                now_s = self._clock.time()
                due_s += self._pace.wait_s(waits_ns[(number + 1) % len(waits_ns)])
                due_s = max(due_s, now_s if shown else now_s + BUSY_PAUSE_S)
                await self._clock.sleep(due_s - now_s)

    async def show(self, number: int) -> bool:
        """Make the market look like a snapshot of the tape, counted from 0; returns when that is durable.

        False where the exchange was too busy to take all commands: the rest is left out, but for the lots to trade.
        """
        lots = Lots(self.tape.lots[number] + self._owed)
        outcome = await self._clerk.carry_out(plan(self._terms, self.tape.snapshots[number], lots, self._house()))
        self._owed = 0 if outcome.complete else lots - _lots_traded(outcome.answers)
        await self._clerk.carry_out(leftovers(self._house()))
        return outcome.complete

    def _house(self) -> House:
        return house_in(self.tape.instrument_id, self._floor.view)


def _lots_traded(answers: list[tuple[Event, ...]]) -> int:
    """The lots that the traders' orders met, each other or users."""
    return sum(
        event.lots
        for events in answers
        for event in events
        if isinstance(event, TradeExecuted)
        and (event.buyer.account_id in TRADERS or event.seller.account_id in TRADERS)
    )
