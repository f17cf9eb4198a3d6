"""A whole exchange in the test's own event loop: on a folder that outlives it, or, where none is needed, in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from exchange.server.app import Exchange
from exchange.server.settings import Settings
from exchange.testing import exchange_running

DEPOSIT: Final = 1_000_000
"""Yuan that whoever logs in for the first time gets."""


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Exchange]:
    """An exchange that lets everybody in, on a free port of 127.0.0.1."""
    exchange = Exchange(Settings.load(**{"data": folder, "port": 0, "auto_open": DEPOSIT} | settings))
    await exchange.start()
    try:
        yield exchange
    finally:
        await exchange.stop()


@asynccontextmanager
async def in_memory(**settings: Any) -> AsyncIterator[Exchange]:
    """The same without a folder, and with password hashes that cost next to nothing."""
    async with exchange_running(users=(), time="real", **({"auto_open": DEPOSIT} | settings)) as running:
        yield running.server


def url_of(exchange: Exchange) -> str:
    """Where clients connect."""
    return f"ws://{exchange.port.address}/ws"
