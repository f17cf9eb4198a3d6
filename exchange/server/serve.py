"""Runs an exchange until somebody stops it, and tells by the exit status how it ended."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from exchange.server.app import Exchange
from exchange.server.recovery import Progress
from exchange.server.settings import Settings

STOPPED: Final = 0
OUTCOME_UNKNOWN: Final = 70
"""An append failed: what was in hand may or may not be in the log. Starting again goes on from what is."""
SWITCH_INTERVAL_S: Final = 0.001
"""How long the loop may keep the interpreter while the writer's thread waits for it. A commit asks for it some ten
times, so Python's 5 ms keep many orders waiting; at 0.1 ms a fifth of the time goes into taking turns."""


class StoppedEarlyError(Exception):
    """Somebody stopped the exchange while it was still reading its log."""


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """Spare the collector the block, and all that it leaves behind for ever.

    What the log is folded into stays as long as the process, and there is much of it: looking through it again and
    again takes a fifth of the recovery's time, and later holds orders up for as long as one look takes.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


async def serve(
    settings: Settings, *, ready: Callable[[Exchange], Awaitable[None]], progress: Progress | None = None
) -> int:
    """Start, call `ready`, serve until SIGINT or SIGTERM or a failed append, stop; returns the exit status."""
    # Here and not in the exchange: it is the whole process's, and another program may run an exchange beside its work.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
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
        with _nothing_is_garbage():
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
