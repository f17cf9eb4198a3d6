"""Upkeep: what has expired is removed at once and again and again, whatever happens, until it is stopped."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from exchange.server.upkeep import purge_until
from tests.support.running import running


class Expiring:
    """Counts, fails when it is told to, and can be held up."""

    def __init__(self) -> None:
        self.purges = 0
        self.fails = False
        self.purged = asyncio.Semaphore(0)
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def purge_expired(self) -> int:
        self.purges += 1
        self.purged.release()
        await self.may_go_on.wait()
        if self.fails:
            raise OSError("the disk is gone")
        return 0


async def test_it_purges_at_once_and_goes_on_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    expiring, stopped = Expiring(), asyncio.Event()
    expiring.fails = True
    with caplog.at_level(logging.ERROR):
        upkeep = asyncio.create_task(purge_until(stopped, expiring, interval_s=0.001))
        for _ in range(3):
            await asyncio.wait_for(expiring.purged.acquire(), 10)
        stopped.set()
        await asyncio.wait_for(upkeep, 10)
    assert "could not be removed" in caplog.text


async def test_a_purge_in_hand_is_finished_and_no_further_one_begun() -> None:
    expiring, stopped = Expiring(), asyncio.Event()
    expiring.may_go_on.clear()
    upkeep = asyncio.create_task(purge_until(stopped, expiring, interval_s=0.001))
    await asyncio.wait_for(expiring.purged.acquire(), 10)
    stopped.set()
    await asyncio.sleep(0)
    assert not upkeep.done()
    expiring.may_go_on.set()
    await asyncio.wait_for(upkeep, 10)
    assert expiring.purges == 1


async def test_an_exchange_purges_and_leaves_no_task_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    purged = asyncio.Event()

    async def note(_: object) -> int:
        purged.set()
        return 0

    monkeypatch.setattr("exchange.server.identity.auth.Users.purge_expired", note)
    tasks = asyncio.all_tasks()
    async with running(tmp_path):
        await asyncio.wait_for(purged.wait(), 10)
    assert asyncio.all_tasks() == tasks
