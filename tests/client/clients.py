"""Clients for tests: they do not really sleep, and what they would have slept is noted."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from exchange.client import Client, ClientOptions
from tests.client.fake_exchange import PASSWORD, USER


class Sleeps:
    """Stands in for `asyncio.sleep`."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


class UntilBack:
    """Stands in for `asyncio.sleep` where a server is away: nobody knocks before it is back."""

    def __init__(self) -> None:
        self.is_back = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        await self.is_back.wait()
        await asyncio.sleep(0)


class Clock:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_client(*urls: str, options: dict[str, Any] | None = None, **changes: Any) -> Client:
    """A client that waits as long as a test may take, and never really sleeps."""
    arguments: dict[str, Any] = {"sleep": Sleeps(), "random": Random(1), "options": ClientOptions(**(options or {}))}
    return Client(urls, USER, PASSWORD, **(arguments | changes))
