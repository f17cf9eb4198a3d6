"""What every event store promises (eventstore/store.py), on each of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.faults import Fault, FaultyStore
from eventstore.memory import MemoryDisk, MemoryStore
from eventstore.merkle import EMPTY_ROOT, command_digest, leaf_hash
from eventstore.model import (
    AppendFailedError,
    Durability,
    HeadMovedError,
    LogLockedError,
    NewEntry,
    OutcomeUnknownError,
    RecordedEntry,
    StoreClosedError,
    StoreError,
)
from eventstore.sqlite import SqliteStore
from eventstore.store import EventStore
from tests.eventstore.log_builders import T0, entry, entry_lists, event, numbered_entry, tree_hash
from tests.eventstore.log_places import LogPlace


def append_three_commits(store: EventStore) -> None:
    """Five entries with the events 1-2, 3 | 4-6 | 7, 8-9, where | ends a commit."""
    store.append([entry(event(), event("book/2"), at_ns=T0), entry(event(), at_ns=T0)])
    store.append([entry(event(), event(), event("book/2"), at_ns=T0 + 5)], state_hash=b"s" * 32)
    store.append([entry(event(), at_ns=T0 + 5), entry(event("book/3"), event(), at_ns=T0 + 9)])


def without_numbers(recorded: RecordedEntry) -> NewEntry:
    return entry(
        *(event(e.stream, e.payload, e.type, e.version) for e in recorded.events),
        at_ns=recorded.at_ns,
        body=recorded.body,
        client_id=recorded.client_id,
    )


def root_by_definition(entries: Sequence[RecordedEntry]) -> bytes:
    leaves: list[bytes] = []
    for recorded in entries:
        command = command_digest(
            recorded.first_log_seq,
            recorded.command_seq,
            len(recorded.events),
            recorded.at_ns,
            recorded.type,
            recorded.version,
            recorded.actor,
            recorded.client_id,
            recorded.origin,
            recorded.body,
        )
        leaves.extend(
            leaf_hash(command, e.log_seq, e.stream, e.stream_version, e.type, e.version, e.payload)
            for e in recorded.events
        )
    return tree_hash(leaves)


def test_a_new_log_is_empty_in_its_first_epoch(store: EventStore) -> None:
    head = store.head
    assert (head.log_seq, head.command_seq, head.at_ns, head.epoch) == (0, 0, 0, 1)
    assert head.root == EMPTY_ROOT
    assert head.log_id
    assert list(store.read()) == []
    assert list(store.commits()) == []


def test_append_numbers_events_commands_and_streams_without_gaps(store: EventStore) -> None:
    append_three_commits(store)
    entries = list(store.read())
    assert [e.command_seq for e in entries] == [1, 2, 3, 4, 5]
    assert [(e.first_log_seq, e.last_log_seq) for e in entries] == [(1, 2), (3, 3), (4, 6), (7, 7), (8, 9)]
    events = [e for recorded in entries for e in recorded.events]
    assert [e.log_seq for e in events] == list(range(1, 10))
    assert [(e.stream, e.stream_version) for e in events] == [
        ("book/1", 1),
        ("book/2", 1),
        ("book/1", 2),
        ("book/1", 3),
        ("book/1", 4),
        ("book/2", 2),
        ("book/1", 5),
        ("book/3", 1),
        ("book/1", 6),
    ]


def test_append_returns_the_new_head(store: EventStore) -> None:
    head = store.append([entry(event(), event(), at_ns=T0), entry(at_ns=T0 + 3)])
    assert head == store.head
    assert (head.log_seq, head.command_seq, head.at_ns, head.epoch) == (3, 2, T0 + 3, 1)
    assert head.root == root_by_definition(list(store.read()))


def test_entries_come_back_as_they_went_in(store: EventStore) -> None:
    entries = [
        entry(
            event("ключ/一", b'{"\xe4\xb8\x80": 1e2 }', "Lent\x00", 7), body=b' "\xc3\xa9" ', client_id="é\U0001f4d6"
        ),
        entry(event(payload=b"[]"), event(payload=b"0"), client_id=""),
    ]
    store.append(entries)
    assert [without_numbers(e) for e in store.read()] == entries
    first = next(store.read())
    assert (first.type, first.version, first.actor, first.origin) == ("Lend", 1, "reader/7", "desk/2")


@pytest.mark.parametrize("after", range(-1, 11))
def test_read_gives_whole_entries_of_the_slice(store: EventStore, after: int) -> None:
    append_three_commits(store)
    for until in (None, *range(11)):
        expected = [end for end in (2, 3, 6, 7, 9) if after < end <= (9 if until is None else until)]
        assert [e.last_log_seq for e in store.read(after, until)] == expected


@pytest.mark.parametrize(("after", "until", "expected"), [(0, None, [3, 6, 9]), (3, None, [6, 9]), (2, 8, [3, 6])])
def test_commits_gives_the_commits_of_the_slice(
    store: EventStore, after: int, until: int | None, expected: list[int]
) -> None:
    append_three_commits(store)
    assert [c.last_log_seq for c in store.commits(after, until)] == expected


def test_a_commit_has_root_time_and_state_hash_of_its_end(store: EventStore) -> None:
    append_three_commits(store)
    entries = list(store.read())
    commits = list(store.commits())
    assert [c.state_hash for c in commits] == [None, b"s" * 32, None]
    assert [c.at_ns for c in commits] == [T0, T0 + 5, T0 + 9]
    assert [c.last_command_seq for c in commits] == [2, 3, 5]
    assert [c.root for c in commits] == [root_by_definition(entries[: c.last_command_seq]) for c in commits]


def test_read_stops_at_the_head_of_the_moment_of_the_call(store: EventStore) -> None:
    store.append([entry()])
    reading, committing = store.read(), store.commits()
    store.append([entry()])
    assert [e.last_log_seq for e in reading] == [1]
    assert [c.last_log_seq for c in committing] == [1]


def test_a_log_longer_than_any_piece_is_read_whole(store: EventStore) -> None:
    """5,000 small entries, one with 9,000 events, and 5,000 more: beyond the pieces in which a store reads."""
    entries = [numbered_entry(n) for n in range(1, 5001)]
    entries.append(entry(*[event()] * 9000, at_ns=T0 + 5000))
    entries += [entry(at_ns=T0 + 5000)] * 5000
    store.append(entries[:4000])
    store.append(entries[4000:])
    assert [without_numbers(e) for e in store.read()] == entries
    last_log_seqs = [e.last_log_seq for e in store.read()]
    for after in (4999, 5000, last_log_seqs[4999], last_log_seqs[5000] - 1, last_log_seqs[5000]):
        assert [e.last_log_seq for e in store.read(after)] == [n for n in last_log_seqs if n > after]


def test_many_commits_are_read_whole(store: EventStore) -> None:
    for n in range(1, 2101):
        store.append([entry(at_ns=T0 + n)])
    assert [c.last_log_seq for c in store.commits()] == list(range(1, 2101))


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param([], id="no entries"),
        pytest.param([entry(at_ns=T0 + 6), entry(at_ns=T0 + 5)], id="time falls within the batch"),
        pytest.param([entry(at_ns=T0 - 1)], id="time falls behind the head"),
        pytest.param([entry(at_ns=2**63)], id="time beyond 63 bits"),
        pytest.param([msgspec.structs.replace(entry(), events=())], id="no events"),
        pytest.param([entry(body=b"{")], id="body is no JSON"),
        pytest.param([entry(event(), event(payload=b""))], id="payload is empty"),
        pytest.param([entry(event(payload=b'{"a":NaN}'))], id="payload is no JSON"),
        pytest.param([entry(event(payload=b'"\xff"'))], id="payload is no UTF-8"),
        pytest.param([entry(event(version=0))], id="version 0"),
        pytest.param([entry(event(version=2**31))], id="version beyond 31 bits"),
        pytest.param([entry(event(stream=""))], id="no stream"),
        pytest.param([entry(event(type_=""))], id="no type"),
        pytest.param([entry(event(stream="\ud800"))], id="stream is no Unicode text"),
        pytest.param([entry(client_id="\ud800")], id="client id is no Unicode text"),
    ],
)
def test_what_the_contract_refuses_leaves_no_trace(store: EventStore, refused: list[NewEntry]) -> None:
    store.append([entry(at_ns=T0)])
    before = store.head
    with pytest.raises(ValueError):  # noqa: PT011 - the texts differ, the kind is the contract
        store.append([entry(event("book/9")), *refused] if refused else [])
    assert store.head == before
    store.append([entry(event("book/9"), at_ns=T0)])
    assert [(e.log_seq, e.stream_version) for r in store.read() for e in r.events] == [(1, 1), (2, 1)]


def test_equal_times_are_fine(store: EventStore) -> None:
    store.append([entry(at_ns=T0), entry(at_ns=T0)])
    assert store.append([entry(at_ns=T0)]).log_seq == 3


@pytest.mark.parametrize("end", ["close", "crash"])
def test_a_reopened_log_goes_on_where_it_ended(place: LogPlace, end: str) -> None:
    store = place.open()
    append_three_commits(store)
    entries, commits, head = list(store.read()), list(store.commits()), store.head
    if end == "close":
        store.close()
    else:
        place.crash()
    reopened = place.open()
    assert (reopened.head.log_id, reopened.head.log_seq, reopened.head.root) == (head.log_id, 9, head.root)
    assert reopened.head.epoch == 2
    assert list(reopened.read()) == entries
    assert list(reopened.commits()) == commits
    reopened.append([entry(event("book/3"), event("book/4"), at_ns=T0 + 9)])
    everything = list(reopened.read())
    assert everything[:5] == entries
    assert [(e.log_seq, e.stream, e.stream_version) for e in everything[5].events] == [
        (10, "book/3", 2),
        (11, "book/4", 1),
    ]
    assert reopened.head.root == root_by_definition(everything)


def test_every_opening_raises_the_epoch_and_commits_carry_it(place: LogPlace) -> None:
    for n in range(1, 5):
        store = place.open()
        assert store.head.epoch == n
        if n != 3:
            store.append([entry()])
        store.close()
    assert [c.epoch for c in place.open().commits()] == [1, 2, 4]


def test_a_time_that_falls_behind_the_last_run_is_refused(place: LogPlace) -> None:
    store = place.open()
    store.append([entry(at_ns=T0 + 1)])
    store.close()
    with pytest.raises(ValueError, match="times that never fall"):
        place.open().append([entry(at_ns=T0)])


def test_an_append_behind_a_head_that_moved_writes_nothing_and_ends_the_store(place: LogPlace) -> None:
    store = place.open()
    store.append([entry()])
    place.append_from_elsewhere(store)
    with pytest.raises(HeadMovedError) as raised:
        store.append([entry()])
    assert (raised.value.expected, raised.value.found) == (1, 2)
    with pytest.raises(StoreClosedError):
        store.append([entry()])
    with pytest.raises(StoreClosedError):
        store.read()


def test_one_store_at_a_time_has_the_log_open(place: LogPlace) -> None:
    store = place.open()
    with pytest.raises(LogLockedError):
        place.open()
    store.append([entry()])
    store.close()
    assert place.open().head.log_seq == 1


def test_a_closed_store_refuses_everything_but_its_head(store: EventStore) -> None:
    store.append([entry()])
    store.close()
    store.close()
    for call in (
        lambda: store.append([entry()]),
        lambda: store.read(),
        lambda: store.commits(),
        lambda: store.housekeep(idle=True),
    ):
        with pytest.raises(StoreClosedError):
            call()
    assert store.head.log_seq == 1


def test_a_new_store_without_a_backlog_asks_for_no_idle_moment(store: EventStore) -> None:
    store.append([entry()])
    assert store.housekeep(idle=False) is False
    assert store.housekeep(idle=True) is False


@pytest.mark.parametrize(
    ("fault", "error", "survives"),
    [
        (Fault.REFUSED, AppendFailedError, False),
        (Fault.LOST, OutcomeUnknownError, False),
        (Fault.KEPT, OutcomeUnknownError, True),
    ],
)
def test_a_fault_ends_the_store_and_only_the_reopened_log_tells(
    place: LogPlace, fault: Fault, error: type[StoreError], survives: bool
) -> None:
    faulty = FaultyStore(place.open())
    faulty.append([entry(client_id="before")])
    faulty.fail_next(fault)
    with pytest.raises(error):
        faulty.append([entry(client_id="in doubt")])
    assert faulty.head.log_seq == 1
    for call in (lambda: faulty.append([entry()]), faulty.read, faulty.commits, lambda: faulty.housekeep(idle=True)):
        with pytest.raises(StoreClosedError):
            call()
    faulty.close()
    expected = ["before", "in doubt"] if survives else ["before"]
    assert [e.client_id for e in place.open().read()] == expected


def test_a_faulty_store_without_a_fault_is_the_store_it_wraps(store: EventStore) -> None:
    faulty = FaultyStore(store)
    faulty.append([entry()])
    assert faulty.head == store.head
    assert list(faulty.read()) == list(store.read())
    assert list(faulty.commits()) == list(store.commits())
    assert faulty.housekeep(idle=False) is False


def test_two_logs_have_two_ids(tmp_path: Path) -> None:
    ids = set()
    for name in ("a.db", "b.db"):
        store = SqliteStore(tmp_path / name)
        ids.add(store.head.log_id)
        store.close()
    assert len(ids) == 2


@pytest.fixture(scope="module")
def empty_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "log.db"
    SqliteStore(path).close()
    return path


@given(entries=entry_lists(), cuts=st.sets(st.integers(1, 11)))
def test_both_stores_hold_the_same_however_the_entries_are_batched(
    empty_log: Path, entries: list[NewEntry], cuts: set[int]
) -> None:
    """Batches decide when entries become durable, not what is stored: entries and root are the same for any of them."""
    memory = MemoryStore(MemoryDisk())
    memory.append(entries)
    with tempfile.TemporaryDirectory() as folder:
        sqlite = SqliteStore(Path(shutil.copy(empty_log, folder)), Durability.OS)
        for begin, end in pairwise([0, *sorted(cut for cut in cuts if cut < len(entries)), len(entries)]):
            sqlite.append(entries[begin:end])
        assert list(sqlite.read()) == list(memory.read())
        assert sqlite.head.root == memory.head.root == root_by_definition(list(memory.read()))
        sqlite.close()
