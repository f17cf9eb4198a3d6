"""The log's writer without its thread: entries wait until the simulator says that they are committed."""

from __future__ import annotations

from collections import deque

from eventstore.faults import Fault, FaultyStore
from eventstore.memory import MemoryDisk, MemoryStore
from eventstore.model import Head, NewEntry, StoreClosedError, StoreError


class HeldLog:
    """An `Appender` over a disk in memory. `commit` is the thread's work; `told` is what it has called the loop with.

    As with the real writer there is a while between a commit and the loop's hearing of it: a crash in between leaves
    entries durable that nobody was told of.
    """

    def __init__(self, disk: MemoryDisk) -> None:
        self.store = FaultyStore(MemoryStore(disk))
        self._held: deque[tuple[NewEntry, bytes | None]] = deque()
        self._failure: StoreError | None = None
        self.told: deque[Head | StoreError] = deque()
        """Outcomes that the loop has yet to hear of, in order."""

    @property
    def held(self) -> int:
        """Entries that wait for the disk."""
        return len(self._held)

    @property
    def has_failed(self) -> bool:
        """Whether an append failed, heard of or not."""
        return self._failure is not None

    def submit(self, entry: NewEntry, state_hash: bytes | None = None) -> None:
        """Take an entry; raises what the real writer raises once an append has failed."""
        if self._failure is not None:
            raise StoreClosedError(f"the log's writer stopped after a failure: {self._failure}") from self._failure
        self._held.append((entry, state_hash))

    def commit(self, most: int, fault: Fault | None = None) -> int:
        """Append up to `most` of the entries that wait, in one transaction; a state hash ends it. Returns how many."""
        batch: list[NewEntry] = []
        state_hash = None
        while self._held and len(batch) < most and state_hash is None:
            entry, state_hash = self._held.popleft()
            batch.append(entry)
        if fault is not None:
            self.store.fail_next(fault)
        try:
            self.told.append(self.store.append(batch, state_hash=state_hash))
        except StoreError as error:
            self._failure = error
            self.told.append(error)
        return len(batch)
