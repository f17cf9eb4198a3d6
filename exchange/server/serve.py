"""Runs an exchange until somebody stops it, and tells by the exit status how it ended."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Final

from exchange.server.app import Exchange
from exchange.server.recovery import Progress
from exchange.server.settings import Settings

STOPPED: Final = 0
OUTCOME_UNKNOWN: Final = 70
"""An append failed: what was in hand may or may not be in the log. Starting again goes on from what is."""


class StoppedEarlyError(Exception):
    """Somebody stopped the exchange while it was still reading its log."""


async def serve(
    settings: Settings, *, ready: Callable[[Exchange], Awaitable[None]], progress: Progress | None = None
) -> int:
    """Start, call `ready`, serve until SIGINT or SIGTERM or a failed append, stop; returns the exit status."""
    loop = asyncio.get_running_loop()
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked_to_stop.set)

    def watch(reached: int, head: int) -> None:
        if asked_to_stop.is_set():
            raise StoppedEarlyError  # in the thread that reads the log, which nothing else could end
        if progress is not None:
            progress(reached, head)

    exchange = Exchange(settings, progress=watch)
    try:
        await exchange.start()
    except StoppedEarlyError:
        return STOPPED
    try:
        await ready(exchange)
        exchange.failed.add_done_callback(lambda _: asked_to_stop.set())
        await asked_to_stop.wait()
    finally:
        await exchange.stop()
    return OUTCOME_UNKNOWN if exchange.failed.done() else STOPPED
