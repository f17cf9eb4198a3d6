"""The writer thread: order, batches, one failure, a clean end, and no lost wake-up."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from eventstore import writer as writer_module
from eventstore.faults import Fault, FaultyStore
from eventstore.memory import MemoryDisk, MemoryStore
from eventstore.model import (
    AppendFailedError,
    Head,
    NewEntry,
    OutcomeUnknownError,
    StoreClosedError,
    StoreError,
)
from eventstore.store import EventStore
from eventstore.writer import GroupCommitWriter
from tests.eventstore.log_builders import T0, entry, event

WAIT_S = 30.0
"""Only a hanging test takes so long."""


class GatedStore(MemoryStore):
    """Each append says that it began, then waits until the test lets it pass."""

    def __init__(self, disk: MemoryDisk) -> None:
        super().__init__(disk)
        self.began = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.batches: list[list[str]] = []
        self.state_hashes: list[bytes | None] = []

    def append(self, entries: Sequence[NewEntry], *, state_hash: bytes | None = None) -> Head:
        self.batches.append([e.client_id for e in entries])
        self.state_hashes.append(state_hash)
        self.began.release()
        assert self.gate.acquire(timeout=WAIT_S)
        return super().append(entries, state_hash=state_hash)


class Watcher:
    """What the writer told, in order."""

    def __init__(self) -> None:
        self.heads: queue.SimpleQueue[Head] = queue.SimpleQueue()
        self.failures: queue.SimpleQueue[StoreError] = queue.SimpleQueue()

    def next_head(self) -> Head:
        return self.heads.get(timeout=WAIT_S)

    def next_failure(self) -> StoreError:
        return self.failures.get(timeout=WAIT_S)


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def start(watcher: Watcher) -> Iterator[Callable[[EventStore], GroupCommitWriter]]:
    writers: list[GroupCommitWriter] = []

    def started(store: EventStore) -> GroupCommitWriter:
        writers.append(GroupCommitWriter(store, watcher.heads.put, watcher.failures.put))
        return writers[-1]

    yield started
    for writer in writers:
        writer.close(WAIT_S)


Start = Callable[[EventStore], GroupCommitWriter]


def client_ids(disk: MemoryDisk) -> list[str]:
    return [e.client_id for e in disk.entries]


def test_a_lone_entry_is_committed_at_once(start: Start, disk: MemoryDisk, watcher: Watcher) -> None:
    writer = start(MemoryStore(disk))
    writer.submit(entry(event(), event()))
    assert (watcher.next_head().log_seq, writer.pending) == (2, 0)


def test_what_comes_during_a_commit_becomes_one_batch_in_order(
    start: Start, disk: MemoryDisk, watcher: Watcher
) -> None:
    store = GatedStore(disk)
    writer = start(store)
    writer.submit(entry(client_id="first"))
    assert store.began.acquire(timeout=WAIT_S)
    for n in range(5):
        writer.submit(entry(client_id=f"c{n}"))
    assert writer.pending == 6
    store.gate.release(2)
    assert [watcher.next_head().command_seq, watcher.next_head().command_seq] == [1, 6]
    assert store.batches == [["first"], ["c0", "c1", "c2", "c3", "c4"]]


def test_a_commit_ends_after_an_entry_with_a_state_hash(start: Start, disk: MemoryDisk, watcher: Watcher) -> None:
    store = GatedStore(disk)
    writer = start(store)
    writer.submit(entry(client_id="first"))
    assert store.began.acquire(timeout=WAIT_S)
    for client_id, state_hash in (("a", None), ("b", b"h" * 32), ("c", None)):
        writer.submit(entry(client_id=client_id), state_hash)
    store.gate.release(3)
    assert [watcher.next_head().command_seq for _ in range(3)] == [1, 3, 4]
    assert store.batches == [["first"], ["a", "b"], ["c"]]
    assert store.state_hashes == [None, b"h" * 32, None]
    assert [(c.last_command_seq, c.state_hash) for c in disk.commits] == [(1, None), (3, b"h" * 32), (4, None)]


def test_a_commit_takes_no_more_entries_beyond_its_bound(
    start: Start, disk: MemoryDisk, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "EVENTS_PER_COMMIT", 4)
    store = GatedStore(disk)
    writer = start(store)
    writer.submit(entry(client_id="first"))
    assert store.began.acquire(timeout=WAIT_S)
    for n in range(5):
        writer.submit(entry(event(), event(), event(), client_id=f"c{n}"))
    store.gate.release(4)
    assert [watcher.next_head().command_seq for _ in range(4)] == [1, 3, 5, 6]
    assert store.batches == [["first"], ["c0", "c1"], ["c2", "c3"], ["c4"]]


def test_nothing_is_told_before_it_is_durable(disk: MemoryDisk) -> None:
    told: list[tuple[int, int]] = []
    writer = GroupCommitWriter(
        MemoryStore(disk), lambda head: told.append((head.command_seq, len(disk.entries))), lambda error: None
    )
    for n in range(200):
        writer.submit(entry(at_ns=T0 + n))
    writer.close(WAIT_S)
    assert told
    assert all(durable == on_disk for durable, on_disk in told)


def test_no_wake_up_is_lost(start: Start, disk: MemoryDisk, watcher: Watcher) -> None:
    """Each entry is submitted only when the one before is durable: one lost wake-up would stop the exchange."""
    writer = start(MemoryStore(disk))
    for n in range(1, 3001):
        writer.submit(entry())
        assert watcher.next_head().log_seq == n


def test_close_appends_what_is_pending(start: Start, disk: MemoryDisk, watcher: Watcher) -> None:
    store = GatedStore(disk)
    store.gate.release(10)
    writer = start(store)
    for n in range(100):
        writer.submit(entry(client_id=f"c{n}"))
    writer.close(WAIT_S)
    writer.close(WAIT_S)
    assert client_ids(disk) == [f"c{n}" for n in range(100)]
    assert writer.pending == 0
    assert watcher.failures.empty()


def test_a_closed_writer_refuses_entries(start: Start, disk: MemoryDisk) -> None:
    writer = start(MemoryStore(disk))
    writer.close(WAIT_S)
    with pytest.raises(StoreClosedError, match="writer was closed"):
        writer.submit(entry())


def test_close_tells_when_it_cannot_wait_any_longer(start: Start, disk: MemoryDisk) -> None:
    store = GatedStore(disk)
    writer = start(store)
    writer.submit(entry())
    writer.submit(entry())
    with pytest.raises(TimeoutError, match=r"2 entries to append after 0\.01 s"):
        writer.close(0.01)
    store.gate.release(2)


@pytest.mark.parametrize(
    ("fault", "kind", "kept"),
    [
        (Fault.REFUSED, AppendFailedError, ["first"]),
        (Fault.LOST, OutcomeUnknownError, ["first"]),
        (Fault.KEPT, OutcomeUnknownError, ["first", "a", "b"]),
    ],
)
def test_after_a_failure_nothing_more_is_appended(
    start: Start, disk: MemoryDisk, watcher: Watcher, fault: Fault, kind: type[StoreError], kept: list[str]
) -> None:
    """The failed batch may be durable or not; what was queued behind it is dropped, and submitting is refused."""
    gated = GatedStore(disk)
    store = FaultyStore(gated)
    writer = start(store)
    writer.submit(entry(client_id="first"))
    assert gated.began.acquire(timeout=WAIT_S)
    writer.submit(entry(client_id="a"))
    writer.submit(entry(client_id="b"), b"h" * 32)
    writer.submit(entry(client_id="dropped"))
    store.fail_next(fault)
    gated.gate.release(3)
    assert watcher.next_head().command_seq == 1
    assert type(watcher.next_failure()) is kind
    assert writer.pending == 3
    with pytest.raises(StoreClosedError, match="stopped after a failure"):
        writer.submit(entry())
    writer.close(WAIT_S)
    assert client_ids(disk) == kept
    assert watcher.heads.empty()
    assert watcher.failures.empty()


def test_an_entry_that_cannot_be_stored_stops_the_writer(start: Start, disk: MemoryDisk, watcher: Watcher) -> None:
    writer = start(MemoryStore(disk))
    writer.submit(entry(body=b"{"))
    failure = watcher.next_failure()
    assert type(failure) is AppendFailedError
    assert "no JSON text" in str(failure)
    writer.close(WAIT_S)
    assert disk.entries == []


def test_a_callback_that_raises_is_a_failure(disk: MemoryDisk, watcher: Watcher) -> None:
    def raising(head: Head) -> None:
        raise RuntimeError("the loop is closed")

    writer = GroupCommitWriter(MemoryStore(disk), raising, watcher.failures.put)
    writer.submit(entry())
    failure = watcher.next_failure()
    assert type(failure) is OutcomeUnknownError
    assert isinstance(failure.__cause__, RuntimeError)
    writer.close(WAIT_S)


class HousekeepingStore(MemoryStore):
    """Asks for an idle moment after its first append."""

    def __init__(self, disk: MemoryDisk) -> None:
        super().__init__(disk)
        self.calls: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.fails = False

    def housekeep(self, *, idle: bool) -> bool:
        self.calls.put(idle)
        if self.fails:
            raise StoreError("no upkeep today")
        return not idle and len(self._disk.commits) == 1


def test_the_store_gets_an_idle_moment_when_it_asks_and_nothing_comes(start: Start, disk: MemoryDisk) -> None:
    store = HousekeepingStore(disk)
    writer = start(store)
    assert store.calls.get(timeout=WAIT_S) is False
    writer.submit(entry())
    assert [store.calls.get(timeout=WAIT_S) for _ in range(2)] == [False, True]
    writer.submit(entry())
    assert store.calls.get(timeout=WAIT_S) is False
    writer.close(WAIT_S)
    assert store.calls.empty()


def test_an_entry_goes_before_upkeep_that_can_wait(
    start: Start, disk: MemoryDisk, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "IDLE_S", WAIT_S)
    store = HousekeepingStore(disk)
    writer = start(store)
    for n in (1, 2):
        writer.submit(entry())
        assert watcher.next_head().log_seq == n
    writer.close(WAIT_S)
    assert [store.calls.get(timeout=WAIT_S) for _ in range(3)] == [False, False, False]
    assert store.calls.empty()


def test_failing_upkeep_is_a_failure(start: Start, disk: MemoryDisk, watcher: Watcher) -> None:
    store = HousekeepingStore(disk)
    store.fails = True
    start(store)
    assert str(watcher.next_failure()) == "no upkeep today"
