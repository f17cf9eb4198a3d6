"""One run: a seed, so many steps, the laws all along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final, NamedTuple
from unittest.mock import patch

from tests.simulation.actions import act
from tests.simulation.rest import come_to_rest
from tests.simulation.world import World

REST_EVERY: Final = 75
ACTIONS_SHOWN: Final = 40
SMALL: Final = {
    "projections.user_view.HISTORY_MAX": 14,
    "projections.user_view.GONE_MAX": 6,
    "exchange.server.publisher.SLICE": 2,
    "exchange.server.sequencer.STATE_HASH_INTERVAL": 40,
}
"""Bounds made so small that a run reaches them: rows leave views, and clients from before that need full steps; slices
fill up; commits carry hashes of the state."""


class RunFailedError(AssertionError):
    """A run broke a law, or something failed in it; the text says how to see it again."""


class Outcome(NamedTuple):
    """What a run came to."""

    trace: str
    """One hash over everything that was done and every frame that was sent."""
    seen: Counter[str]


def run(seed: int, steps: int) -> Outcome:
    """Raises RunFailedError with the seed and the last actions."""
    with ExitStack() as small:
        for name, bound in SMALL.items():
            small.enter_context(patch(name, bound))
        world = World(seed)
        done = 0
        try:
            for done in range(1, steps + 1):
                act(world)
                if done % REST_EVERY == 0 or done == steps:
                    come_to_rest(world)
        except Exception as error:
            raise RunFailedError(
                f"seed {seed}, step {done} of {steps}: {error!r}\nThe last things that happened:\n  "
                + "\n  ".join(world.did[-ACTIONS_SHOWN:])
                + f"\nSee it again: python -m tests.simulation --seed {seed} --steps {steps}"
            ) from error
    return Outcome(world.trace, world.seen + world.oracle.seen)


def play(seeds: Iterable[int], steps: int) -> Counter[str]:
    """Run one seed after the other; what happened in all of them together."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        seen += run(seed, steps).seen
    return seen
