"""Virtual time for many tasks at once: it stands still while any of them is at work, and jumps when all of them
sleep."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush


class VirtualTime:
    """The clock of `tasks` tasks, which do nothing but work and sleep by it. Where several wake at once, the one that
    fell asleep first does."""

    def __init__(self, tasks: int, now_s: float = 1_000.0) -> None:
        self.now_s = now_s
        self._awake = tasks
        self._all_asleep = asyncio.Event()
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []
        self._slept = 0

    def time(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        waking = asyncio.get_running_loop().create_future()
        self._slept += 1
        heappush(self._sleeping, (self.now_s + seconds, self._slept, waking))
        self._awake -= 1
        if not self._awake:
            self._all_asleep.set()
        await waking

    async def pass_by(self, seconds: float) -> None:
        """Let so much time go by; returns when all tasks sleep into what comes after."""
        until_s = self.now_s + seconds
        await self._all_asleep.wait()
        while self._sleeping and self._sleeping[0][0] <= until_s:
            self.now_s, _, waking = heappop(self._sleeping)
            if not waking.done():
                self._awake += 1
                self._all_asleep.clear()
                waking.set_result(None)
                await self._all_asleep.wait()
        self.now_s = until_s
