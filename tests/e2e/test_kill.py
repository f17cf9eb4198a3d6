"""kill -9 under load: what a client was told is in the log exactly once, and its mirror can be led on."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.traders import Trader, check_acknowledged
from tests.support.diff_client import DEADLINE_S
from tests.support.exchange_process import serving
from tests.support.log_views import check_mirror

TRADERS: Final = 4
STEPS_MAX: Final = 60
"""The server is killed at the latest when the traders of a round have taken so many steps."""


class StepCount:
    """Counts the steps of all traders, so that the server can be killed in the middle of their work."""

    def __init__(self) -> None:
        self._left = 0
        self._reached = asyncio.Event()

    def count(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._reached.set()

    async def reach(self, steps: int) -> None:
        """Return after so many further steps."""
        self._left = steps
        self._reached.clear()
        async with asyncio.timeout(DEADLINE_S):
            await self._reached.wait()


async def kill_and_come_back(folder: Path, rounds: int, seed: int) -> None:
    """The whole story: so many kills under load, then a look at what is left."""
    chance, steps = random.Random(seed), StepCount()
    traders = [Trader(f"trader{number}", seed=seed, stepped=steps.count) for number in range(TRADERS)]
    for _ in range(rounds):
        async with serving(folder) as process, asyncio.TaskGroup() as group:
            for trader in traders:
                group.create_task(trader.trade(process.url))
            await steps.reach(chance.randint(TRADERS, STEPS_MAX))
            process.signal(signal.SIGKILL)
            assert await process.ended() == -signal.SIGKILL
    async with serving(folder) as process:
        for trader in traders:
            await trader.settle(process.url)
            check_mirror(trader.mirror, folder)
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0, process
    history = check_acknowledged(traders, folder)
    assert history.trades > 0
    # All of the above says nothing unless orders were on their way when the server died, and some had come through.
    assert history.repeats > 0
    assert sum(trader.resent for trader in traders) > history.repeats
    assert sum(trader.resumes for trader in traders) >= rounds


@pytest.mark.timeout(300)
async def test_twenty_kills_under_load_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    await kill_and_come_back(tmp_path, rounds=20, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [2, 3])
async def test_many_kills_under_load_lose_nothing_and_do_nothing_twice(tmp_path: Path, seed: int) -> None:
    await kill_and_come_back(tmp_path, rounds=40, seed=seed)
