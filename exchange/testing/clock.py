"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from exchange.domain.china_time import CHINA
from exchange.server.port.deadlines import TimerHandle

START: Final = datetime(2026, 11, 2, 9, 0, tzinfo=CHINA)
"""When a virtual clock begins unless it is told: a Monday, at the opening."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS: Final = 1_000_000_000
_HALF_NS_S: Final = 0.5e-9


class _Timer:
    """A call that waits for its time."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Forget the call."""
        self.callback = None


class VirtualClock:
    """The exchange's clock in virtual time, for its loop's thread alone.

    What waits for a time is called while `advance` passes that time, in the order in which it is due and at its own
    time; of two that are due together the one that was set first. What is due already waits for nobody.
    """

    def __init__(self, start: datetime = START) -> None:
        """Raises ValueError for a start without a time zone, which would mean another moment on another machine."""
        if start.tzinfo is None:
            raise ValueError(f"a clock cannot start at {start}: give it a time zone, such as tzinfo=timezone.utc")
        self._start_ns = (start - _EPOCH) // timedelta(microseconds=1) * 1_000
        self._passed_ns = 0
        self._now_s = 0.0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._numbers = count()

    def time_ns(self) -> int:
        """Nanoseconds since 1970 UTC."""
        return self._start_ns + self._passed_ns

    def time(self) -> float:
        """Seconds since the clock's start."""
        return self._now_s

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle:
        """Call back once it is `when` by `time()`; in the loop's next pass where it is already."""
        timer = _Timer(callback)
        if when <= self._now_s:
            self.call_soon(lambda: _call(timer))
        else:
            heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def call_soon(self, callback: Callable[[], object]) -> object:
        """Call back in the next pass of the loop."""
        return asyncio.get_running_loop().call_soon(callback)

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises ValueError for what is no time that could pass."""
        until_ns = self._passed_ns + round(check_seconds(seconds) * _NS)
        # A due time is a sum of floats and may lie a hair behind the same moment in nanoseconds.
        while self._timers and self._timers[0][0] <= until_ns / _NS + _HALF_NS_S:
            when, _, timer = heapq.heappop(self._timers)
            self._reach(max(self._passed_ns, round(when * _NS)), when)
            _call(timer)
        self._reach(until_ns, until_ns / _NS)

    def _reach(self, passed_ns: int, now_s: float) -> None:
        self._passed_ns = passed_ns
        self._now_s = max(self._now_s, now_s)


def check_seconds(seconds: float) -> float:
    """The same, if so much time can pass. Raises ValueError."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"time cannot pass by {seconds!r} seconds: give 0 or more")
    return seconds


def _call(timer: _Timer) -> None:
    if timer.callback is not None:
        timer.callback()
