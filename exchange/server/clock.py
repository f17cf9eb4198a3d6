"""The time an exchange keeps: what it writes down, and what it waits for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from exchange.server.port.deadlines import LoopClock, TimerHandle


class Clock(LoopClock, Protocol):
    """A loop's clock for waiting, and the time of day for everything that is written down."""

    def time_ns(self) -> int:
        """Nanoseconds since 1970 UTC."""


class MachineClock:
    """The machine's own time. Made inside the running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def time_ns(self) -> int:
        """See `Clock.time_ns`; may go back where somebody sets the machine's clock."""
        return time.time_ns()

    def time(self) -> float:
        """See `LoopClock.time`."""
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle:
        """See `LoopClock.call_at`."""
        return self._loop.call_at(when, callback)

    def call_soon(self, callback: Callable[[], object]) -> object:
        """See `LoopClock.call_soon`."""
        return self._loop.call_soon(callback)
