"""A crew of bots from a few numbers: who they are, and what each of them does in each instrument."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import Final, NamedTuple

from msgspec import Struct

from exchange.domain.values import InstrumentId
from exchange.feeds.bots.bot import Bot, Seat
from exchange.feeds.bots.maker import Maker
from exchange.feeds.bots.momentum import Momentum
from exchange.feeds.bots.noise import Noise
from exchange.feeds.bots.reference import LastPrice, RandomWalk, Reference
from exchange.feeds.bots.sight import Strategy
from exchange.feeds.player import Clock

MEMBERS_MAX: Final = 50
"""Of one kind: more only fill the log."""
SPEED_MAX: Final = 100.0


class CrewSettings(Struct, frozen=True, kw_only=True):
    """How many bots of each kind trade every instrument, and how fast. Raises ValueError for what makes no sense."""

    makers: int = 1
    noise: int = 2
    momentum: int = 1
    seed: int = 1
    """The same seed over the same market gives the same orders."""
    speed: float = 1.0
    """1 for one look in about a second, 10 for ten times as many."""

    def __post_init__(self) -> None:
        for kind in ("makers", "noise", "momentum"):
            count = getattr(self, kind)
            if not 0 <= count <= MEMBERS_MAX:
                raise ValueError(f"{count} bots for `{kind}` cannot be had: 0 to {MEMBERS_MAX} of a kind are allowed")
        if not (self.makers or self.noise or self.momentum):
            raise ValueError("a crew without bots does nothing: give it at least one maker, noise or momentum trader")
        if not (isfinite(self.speed) and 0 < self.speed <= SPEED_MAX):
            raise ValueError(f"a speed of {self.speed} cannot be traded at: above 0 and at most {SPEED_MAX:g}")


class Member(NamedTuple):
    """One trader of a crew: an account of its own, a strategy of its own in every instrument."""

    kind: str
    name: str
    """Such as `maker-1`."""


def members(settings: CrewSettings) -> tuple[Member, ...]:
    """All of a crew, the makers first."""
    counts = (("maker", settings.makers), ("noise", settings.noise), ("momentum", settings.momentum))
    return tuple(Member(kind, f"{kind}-{number}") for kind, count in counts for number in range(1, count + 1))


def make_bots(
    settings: CrewSettings,
    instruments: Sequence[InstrumentId],
    seat_of: Callable[[Member, InstrumentId], Seat],
    clock: Clock,
    *,
    moved: frozenset[InstrumentId] = frozenset(),
) -> list[Bot]:
    """A bot for every member and instrument.

    Makers quote around a random walk, one per instrument, or around the last price where something else moves the
    market (`moved`).
    """
    return [
        Bot(
            f"{member.name} in {instrument_id}",
            strategy,
            seat_of(member, instrument_id),
            seed=settings.seed,
            clock=clock,
            speed=settings.speed,
        )
        for instrument_id in instruments
        for member, strategy in _strategies(settings, _reference(settings, instrument_id, moved))
    ]


def _reference(settings: CrewSettings, instrument_id: InstrumentId, moved: frozenset[InstrumentId]) -> Reference:
    return LastPrice() if instrument_id in moved else RandomWalk(f"{settings.seed}/{instrument_id}")


def _strategies(settings: CrewSettings, reference: Reference) -> Iterator[tuple[Member, Strategy]]:
    for member in members(settings):
        if member.kind == "maker":
            yield member, Maker(reference)
        elif member.kind == "noise":
            yield member, Noise()
        else:
            yield member, Momentum()
