"""Deadlines that thousands of connections share: one delay, one loop timer for all who wait.

Everybody in a line waits equally long, so the order of arrival is the order of expiry, and the head of the line tells
when to look next. Joining and leaving cost one dictionary operation; a `loop.call_later` for each connection would cost
a timer object, a heap operation, and a cancelled entry that stays in the heap.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item", bound=Hashable)


class TimerHandle(Protocol):
    """What `call_at` gives back."""

    def cancel(self) -> None:
        """Forget the call."""


class LoopClock(Protocol):
    """The three things asked of an event loop here; tests stand in with a clock of their own."""

    def time(self) -> float:
        """Seconds of the loop's own clock, which never goes back."""

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle:
        """Call back at that time of `time()`."""

    def call_soon(self, callback: Callable[[], object]) -> object:
        """Call back in the next pass of the loop."""


class DeadlineLine(Generic[Item]):
    """A line of items that each wait `delay_s` seconds and are then handed, once, to `expired`.

    An item stands in the line at most once. It is handed over never early and at most 1/32 of the delay late: expiries
    are gathered, so that 10,000 waiting connections wake the loop a few times a second instead of a thousand times.
    """

    LATENESS = 1 / 32
    """The part of the delay by which expiries may be late for the sake of being handled together."""

    def __init__(self, delay_s: float, expired: Callable[[Item], None], clock: LoopClock) -> None:
        assert delay_s > 0, f"a deadline of {delay_s} s would end before it begins"
        self._delay_s = delay_s
        self._expired = expired
        self._clock = clock
        self._due: dict[Item, float] = {}
        self._timer: TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, item: Item) -> bool:
        return item in self._due

    def join(self, item: Item) -> None:
        """Stand at the end of the line with the whole delay ahead; an item that already waits begins anew."""
        self._due.pop(item, None)
        due = self._clock.time() + self._delay_s
        self._due[item] = due
        if self._timer is None:
            self._timer = self._clock.call_at(due, self._look)

    def leave(self, item: Item) -> None:
        """Wait no longer; an item that is not in the line changes nothing."""
        self._due.pop(item, None)

    def stop(self) -> None:
        """Empty the line without handing anything over."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Hand over all who are due, then set the timer for the rest."""
        now = self._clock.time()
        try:
            for item in self._due_at(now):
                # Whoever was told before may have made this one leave, or join anew with a later due time.
                if self._due.get(item, now + 1) <= now:
                    del self._due[item]
                    self._expired(item)
        finally:
            # Not before: `join` sets the timer only where none is set, and must not put itself before the head.
            self._timer = None
            if self._due:
                head_due = next(iter(self._due.values()))
                self._timer = self._clock.call_at(max(head_due, now + self._delay_s * self.LATENESS), self._look)

    def _due_at(self, now: float) -> list[Item]:
        """The head of the line up to the first who is not due; a list, for the line changes while they are told."""
        due_items = []
        for item, due in self._due.items():
            if due > now:
                break
            due_items.append(item)
        return due_items
