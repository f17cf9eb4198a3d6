"""The contract of every event store. One test suite runs on all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from eventstore.model import Commit, Head, NewEntry, RecordedEntry


class LogReader(Protocol):
    """Reads a log. Used from one thread at a time."""

    @property
    def head(self) -> Head:
        """The durable end of the log: the writer's own knows its last append, a reader looks at each call."""
        ...

    def read(self, after: int = 0, until: int | None = None) -> Iterator[RecordedEntry]:
        """Whole entries with `after < last_log_seq <= until` in order; `until=None` reads to the head of the moment
        of the call.

        Reads in bounded pieces, so a long log needs no memory; `after` inside an entry gives that whole entry. Every
        event is held against its stored leaf: raises DamageError in place of the first entry that is not what was
        written, or of the piece with it where the file cannot be read at all.
        """
        ...

    def commits(self, after: int = 0, until: int | None = None) -> Iterator[Commit]:
        """The commits with `after < last_log_seq <= until` in order, each held against its seal; else like `read`."""
        ...

    def close(self) -> None:
        """Give everything back; calling it twice is fine. Every later call but `head` raises StoreClosedError."""
        ...


class EventStore(LogReader, Protocol):
    """An append-only log with one writer.

    Used from one thread at a time; `append` blocks until the entries are durable.
    """

    def append(self, entries: Sequence[NewEntry], *, state_hash: bytes | None = None) -> Head:
        """Write all entries in one transaction, return the new head.

        Either everything becomes durable or nothing. `state_hash` is kept with the commit: the hash of the caller's
        state after the last entry. Raises ValueError for no entries, an entry without events, a falling time, a body
        or payload that is no UTF-8 JSON text: nothing was written, and the store goes on. Every other error ends the
        store, and each further call raises StoreClosedError: HeadMovedError when the log is not at `head` any more
        and AppendFailedError when the data could not be handed over (nothing was written), OutcomeUnknownError when
        the commit itself failed. It is never tried again: after a failed fsync the next one may report success for
        data that the kernel has thrown away.
        """
        ...

    def housekeep(self, *, idle: bool) -> bool:
        """Do a bounded piece of the store's own upkeep; say whether an idle moment would be welcome for more.

        Called between appends. With `idle` false only what cannot wait any longer is done. Raises StoreError, which
        ends the store; what was appended stays durable.
        """
        ...
