"""Whoever waits for the picture to be as they want it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from exchange.client.picture import Picture

Wanted = TypeVar("Wanted")


class _Waiter(NamedTuple):
    condition: Callable[[Picture], Any]
    met: asyncio.Future[Any]


class Waiters:
    """Conditions over the picture, looked at after each whole step and never in the middle of one."""

    def __init__(self) -> None:
        self._waiters: list[_Waiter] = []

    async def wait(
        self, picture: Picture, condition: Callable[[Picture], Wanted | None], timeout_s: float | None
    ) -> Wanted:
        """What the condition gives once that counts as true, maybe at once.

        Raises TimeoutError after so many seconds, whatever the condition raises, and what `fail` is given.
        """
        if found := condition(picture):
            return found
        waiter = _Waiter(condition, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                met: Wanted = await waiter.met
                return met
        finally:
            self._waiters.remove(waiter)
            if waiter.met.done() and not waiter.met.cancelled():
                waiter.met.exception()  # looked at, also where the time was up in the same moment

    def look(self, picture: Picture) -> None:
        """Look at all conditions again."""
        for waiter in tuple(self._waiters):
            if waiter.met.done():
                continue
            try:
                found = waiter.condition(picture)
            except Exception as error:  # the condition's own: its waiter's, and nobody else's
                waiter.met.set_exception(error)
                continue
            if found:
                waiter.met.set_result(found)

    def fail(self, error: Exception) -> None:
        """Nothing will come any more: tell everybody who waits."""
        for waiter in tuple(self._waiters):
            if not waiter.met.done():
                waiter.met.set_exception(error)
