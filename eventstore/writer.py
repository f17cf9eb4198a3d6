"""The thread that appends: group commit without a timer.

Whenever the thread is free it takes everything that was submitted meanwhile as one transaction: alone an entry is
committed at once, under load many share one fsync. The caller's state runs ahead of the disk by what is pending; it
may show nothing of it before `on_durable` has told the head.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from eventstore.histogram import Histogram
from eventstore.model import (
    AppendFailedError,
    Head,
    NewEntry,
    OutcomeUnknownError,
    StoreClosedError,
    StoreError,
)
from eventstore.store import EventStore

EVENTS_PER_COMMIT = 4096
"""A commit takes no further entry once it has this many events: it bounds the wait of those behind it."""

IDLE_S = 0.05
"""After so long without an entry the store may do upkeep that can wait."""

COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
COMMIT_ENTRIES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500)


class _Submitted(NamedTuple):
    entry: NewEntry
    state_hash: bytes | None


class GroupCommitWriter:
    """Appends submitted entries in order, from a thread of its own, until `close` or the first failure.

    `on_durable(head)` is called once per commit and `on_failure(error)` at most once, both in the writer's thread:
    they should only hand over to the caller's (`loop.call_soon_threadsafe`) and must not call `close`. After a
    failure nothing that is pending may count as durable or as refused; the log must be opened anew. The store belongs
    to the caller, who must not use it between the first `submit` and the end of `close`.
    """

    def __init__(
        self, store: EventStore, on_durable: Callable[[Head], None], on_failure: Callable[[StoreError], None]
    ) -> None:
        self._store = store
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._queue: queue.SimpleQueue[_Submitted | None] = queue.SimpleQueue()
        # Each is changed by one thread only: no lock.
        self._submitted = 0
        self._durable = 0
        self._closing = False
        self._drained = False
        self._failure: StoreError | None = None
        self.commit_seconds = Histogram(COMMIT_SECONDS)
        """How long appends took that succeeded."""
        self.commit_entries = Histogram(COMMIT_ENTRIES)
        """How many entries each of them had."""
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """How many submitted entries are not durable yet; after a failure, how many have an unknown outcome or none."""
        return self._submitted - self._durable

    def submit(self, entry: NewEntry, state_hash: bytes | None = None) -> None:
        """Queue an entry behind those before it; always from the same thread. A commit ends after one with a
        `state_hash`.

        Raises StoreClosedError after `close` or a failure. Does not wait, and sets no bound: the caller watches
        `pending`.
        """
        if self._failure is not None:
            raise StoreClosedError(f"the log's writer stopped after a failure: {self._failure}") from self._failure
        if self._closing:
            raise StoreClosedError("the log's writer was closed: nothing more can be appended")
        self._submitted += 1
        self._queue.put(_Submitted(entry, state_hash))

    def close(self, timeout_s: float | None = None) -> None:
        """Append what is pending, then stop; after a failure only stop. Calling it twice is fine.

        Raises TimeoutError when the thread has not ended in time: what is pending then has an unknown outcome.
        """
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"the log's writer still has {self.pending} entries to append after {timeout_s} s")

    def _run(self) -> None:
        try:
            while not self._drained:
                batch = self._next_batch()
                if batch:
                    self._commit(batch)
        except StoreError as error:
            self._fail(error)
        except Exception as error:
            # A bug of the store or of the caller's callback. The caller must hear of it, and the thread is over
            # either way.
            failure = OutcomeUnknownError(f"the log's writer failed: {error!r}; open the log anew")
            failure.__cause__ = error
            self._fail(failure)

    def _next_batch(self) -> list[_Submitted]:
        """Wait for an entry, take what else is there, up to a state hash or the bound; empty when closed meanwhile."""
        batch: list[_Submitted] = []
        events = 0
        item = self._wait()
        while item is not None:
            batch.append(item)
            events += len(item.entry.events)
            if item.state_hash is not None or events >= EVENTS_PER_COMMIT:
                return batch
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch
        self._drained = True
        return batch

    def _wait(self) -> _Submitted | None:
        """The next item. Upkeep of the store comes first where it cannot wait, else when no item comes for a while."""
        idle_welcome = self._store.housekeep(idle=False)
        while idle_welcome:
            try:
                return self._queue.get(timeout=IDLE_S)
            except queue.Empty:
                idle_welcome = self._store.housekeep(idle=True)
        return self._queue.get()

    def _commit(self, batch: list[_Submitted]) -> None:
        begun_at = time.perf_counter()
        try:
            head = self._store.append([item.entry for item in batch], state_hash=batch[-1].state_hash)
        except (ValueError, TypeError) as error:
            raise AppendFailedError(f"an entry cannot be stored ({error}): nothing of its batch was written") from error
        self.commit_seconds.add(time.perf_counter() - begun_at)
        self.commit_entries.add(len(batch))
        self._durable += len(batch)
        self._on_durable(head)

    def _fail(self, error: StoreError) -> None:
        self._failure = error
        self._on_failure(error)
