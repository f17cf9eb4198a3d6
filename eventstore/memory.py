"""An event store in memory, for tests and simulation.

The `MemoryDisk` holds what is durable and outlives the store, as a disk outlives a process: `MemoryDisk.crash` kills
the process, and a new `MemoryStore` over the same disk finds everything that was appended.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import TypeVar

from eventstore.merkle import EMPTY_ROOT, Frontier
from eventstore.model import (
    Commit,
    DamageError,
    Head,
    HeadMovedError,
    LogLockedError,
    NewEntry,
    RecordedEntry,
    RecordedEvent,
    StoreClosedError,
)
from eventstore.numbering import Batch, CommandRow, EventRow, Tip
from eventstore.seal import NO_SEAL


class MemoryDisk:
    """The durable part of a log in memory; at most one open store writes to it."""

    def __init__(self, log_id: str = "memory") -> None:
        self.log_id = log_id
        self.epoch = 0
        self.entries: list[RecordedEntry] = []
        self.commits: list[Commit] = []
        self.leaves: list[bytes] = []
        self.seal = NO_SEAL
        self.owner: MemoryStore | None = None

    def crash(self) -> None:
        """The process that had the log open is dead: its store refuses every call, and another may be opened."""
        self.owner = None


class MemoryStore:
    """The contract of `EventStore` over a `MemoryDisk`; what it holds is durable as long as the disk object lives."""

    def __init__(self, disk: MemoryDisk) -> None:
        """Open the log. Raises LogLockedError while another store has it open, DamageError when its root is wrong."""
        if disk.owner is not None:
            raise LogLockedError("another MemoryStore has this disk open: close it, or let it crash, first")
        self._disk = disk
        self._tip = _recovered_tip(disk)
        self._failed = False
        disk.epoch = self._tip.epoch
        disk.owner = self

    @property
    def head(self) -> Head:
        """See `LogReader.head`."""
        return self._tip.head

    def append(self, entries: Sequence[NewEntry], *, state_hash: bytes | None = None) -> Head:
        """See `EventStore.append`."""
        self._refuse_if_closed()
        batch = self._tip.number(entries, state_hash)
        expected, found = self._tip.head.log_seq, len(self._disk.leaves)
        if found != expected:
            self._failed = True
            raise HeadMovedError(expected=expected, found=found)
        self._write(batch)
        return self._tip.advance(batch)

    def read(self, after: int = 0, until: int | None = None) -> Iterator[RecordedEntry]:
        """See `LogReader.read`; what lies in this process's own memory is held against its leaves on opening only."""
        self._refuse_if_closed()
        return iter(_between(self._disk.entries, after, self._end(until)))

    def commits(self, after: int = 0, until: int | None = None) -> Iterator[Commit]:
        """See `LogReader.commits`."""
        self._refuse_if_closed()
        return iter(_between(self._disk.commits, after, self._end(until)))

    def housekeep(self, *, idle: bool) -> bool:
        """See `EventStore.housekeep`; memory needs none."""
        self._refuse_if_closed()
        return False

    def close(self) -> None:
        """See `LogReader.close`."""
        if self._disk.owner is self:
            self._disk.owner = None

    def _end(self, until: int | None) -> int:
        return self._tip.head.log_seq if until is None else until

    def _refuse_if_closed(self) -> None:
        if self._failed:
            raise StoreClosedError("an earlier append failed and ended this store: open the log anew")
        if self._disk.owner is not self:
            raise StoreClosedError("the store was closed, or its process crashed: open the log anew")

    def _write(self, batch: Batch) -> None:
        events = iter(batch.events)
        for command in batch.commands:
            self._disk.entries.append(_recorded(command, events))
        self._disk.leaves.extend(event[6] for event in batch.events)
        self._disk.commits.append(batch.commit)
        self._disk.seal = batch.seal


class MemoryReader:
    """The contract of `LogReader` over a `MemoryDisk`, beside the store that writes to it, in any thread."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._closed = False

    @property
    def head(self) -> Head:
        """See `LogReader.head`."""
        # What stands behind the last commit is being written at this moment.
        commits = self._disk.commits
        last = commits[-1] if commits else None
        return Head(
            log_id=self._disk.log_id,
            epoch=self._disk.epoch,
            log_seq=last.last_log_seq if last else 0,
            command_seq=last.last_command_seq if last else 0,
            at_ns=last.at_ns if last else 0,
            root=last.root if last else EMPTY_ROOT,
        )

    def read(self, after: int = 0, until: int | None = None) -> Iterator[RecordedEntry]:
        """See `LogReader.read`; what lies in this process's own memory is not held against its leaves."""
        return iter(_between(self._disk.entries, after, self._end(until)))

    def commits(self, after: int = 0, until: int | None = None) -> Iterator[Commit]:
        """See `LogReader.commits`."""
        return iter(_between(self._disk.commits, after, self._end(until)))

    def close(self) -> None:
        """See `LogReader.close`; the store stays open."""
        self._closed = True

    def _end(self, until: int | None) -> int:
        if self._closed:
            raise StoreClosedError("the reader was closed: open another")
        head = self.head.log_seq
        return head if until is None else min(until, head)


Recorded = TypeVar("Recorded", RecordedEntry, Commit)


def _between(recorded: list[Recorded], after: int, until: int) -> list[Recorded]:
    """Those with `after < last_log_seq <= until`."""
    last_log_seq = attrgetter("last_log_seq")
    return recorded[bisect_right(recorded, after, key=last_log_seq) : bisect_right(recorded, until, key=last_log_seq)]


def _recorded(command: CommandRow, events: Iterator[EventRow]) -> RecordedEntry:
    """The entry of this command, with as many events as it counts taken off the iterator."""
    first_log_seq, command_seq, event_count, at_ns, type_, version, actor, client_id, origin, body = command
    own = [next(events) for _ in range(event_count)]
    return RecordedEntry(
        command_seq=command_seq,
        first_log_seq=first_log_seq,
        last_log_seq=first_log_seq + event_count - 1,
        at_ns=at_ns,
        type=type_,
        version=version,
        actor=actor,
        client_id=client_id,
        origin=origin,
        body=body,
        events=tuple(
            RecordedEvent(
                log_seq=log_seq,
                stream=stream,
                stream_version=stream_version,
                type=event_type,
                version=event_version,
                payload=payload,
            )
            for log_seq, stream, stream_version, event_type, event_version, payload, _leaf in own
        ),
    )


def _recovered_tip(disk: MemoryDisk) -> Tip:
    tree = Frontier()
    tree.extend(disk.leaves)
    last = disk.commits[-1] if disk.commits else None
    if last is not None and (last.last_log_seq, last.root) != (tree.size, tree.root()):
        raise DamageError(min(last.last_log_seq, tree.size), "the leaves do not give the root of the last commit")
    return Tip(
        log_id=disk.log_id,
        epoch=disk.epoch + 1,
        last=last,
        seal=disk.seal,
        tree=tree,
        stream_versions={event.stream: event.stream_version for entry in disk.entries for event in entry.events},
    )
