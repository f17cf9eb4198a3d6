"""An event loop in a thread of its own, for programs that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from exchange.client.errors import ClosedError, WrongThreadError

Result = TypeVar("Result")


class BackgroundLoop:
    """Runs coroutines for other threads, each of which waits for its own."""

    def __init__(self, name: str) -> None:
        """Starts the thread; it does not keep a program alive that forgot to stop it."""
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._is_stopped = False
        self._handing_over = threading.Lock()
        self._has_started = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._has_started.wait()

    def call(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run the coroutine there and wait for what it gives or raises.

        Raises WrongThreadError in the loop's own thread, where the wait would never end, and ClosedError once the loop
        was stopped.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise WrongThreadError(
                "a blocking call inside a callback or condition would wait for itself: note what to do there, and do "
                "it in another thread"
            )
        # The lock keeps `stop` from ending the loop between the look and the hand-over.
        with self._handing_over:
            if self._is_stopped:
                work.close()
                raise ClosedError("the client was closed: make another one")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise ClosedError("the client was closed while this call waited: make another one") from None
        except KeyboardInterrupt:
            future.cancel()
            raise

    def stop(self) -> None:
        """Cancel what still runs, end the thread, and wait for that; further calls only wait."""
        with self._handing_over:
            if not self._is_stopped:
                self._is_stopped = True
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._has_started.set()
        await self._stop.wait()
