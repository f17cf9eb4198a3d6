"""A store that fails when told to, for tests and simulation: the three ways in which an append can go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

from eventstore.model import (
    AppendFailedError,
    Commit,
    Head,
    NewEntry,
    OutcomeUnknownError,
    RecordedEntry,
    StoreClosedError,
)
from eventstore.store import EventStore


class Fault(Enum):
    """How the next append fails."""

    REFUSED = "refused"
    """Before it is durable, and the store says so: AppendFailedError."""
    LOST = "lost"
    """Before it is durable, but nobody can tell: OutcomeUnknownError, the entries are not in the log."""
    KEPT = "kept"
    """After it is durable, but nobody can tell: OutcomeUnknownError, the entries are in the log."""


class FaultyStore:
    """Wraps any event store. A fault armed by `fail_next` ends this store, as a real one does."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._armed: Fault | None = None
        self._head_at_fault: Head | None = None

    def fail_next(self, fault: Fault) -> None:
        """Let the next append fail in this way."""
        self._armed = fault

    @property
    def head(self) -> Head:
        """The durable end of the log as this store last saw it; after a fault that is not told, behind the truth."""
        return self._head_at_fault or self._store.head

    def append(self, entries: Sequence[NewEntry], *, state_hash: bytes | None = None) -> Head:
        """See `EventStore.append`."""
        self._refuse_if_failed()
        if self._armed is None:
            return self._store.append(entries, state_hash=state_hash)
        head = self._store.head
        if self._armed is Fault.KEPT:
            self._store.append(entries, state_hash=state_hash)
        self._head_at_fault = head
        if self._armed is Fault.REFUSED:
            raise AppendFailedError("an injected fault before the commit: nothing was written")
        raise OutcomeUnknownError("an injected fault in the commit: read the log anew to learn what is durable")

    def read(self, after: int = 0, until: int | None = None) -> Iterator[RecordedEntry]:
        """See `LogReader.read`."""
        self._refuse_if_failed()
        return self._store.read(after, until)

    def commits(self, after: int = 0, until: int | None = None) -> Iterator[Commit]:
        """See `LogReader.commits`."""
        self._refuse_if_failed()
        return self._store.commits(after, until)

    def housekeep(self, *, idle: bool) -> bool:
        """See `EventStore.housekeep`."""
        self._refuse_if_failed()
        return self._store.housekeep(idle=idle)

    def close(self) -> None:
        """See `LogReader.close`."""
        self._store.close()

    def _refuse_if_failed(self) -> None:
        if self._head_at_fault is not None:
            raise StoreClosedError("an earlier append failed and ended this store: open the log anew")
