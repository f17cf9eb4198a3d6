"""A log in memory, read beside the store that writes to it."""

from __future__ import annotations

import pytest

from eventstore.memory import MemoryDisk, MemoryReader, MemoryStore
from eventstore.model import StoreClosedError
from tests.eventstore.log_builders import entry, event


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk("here")


def test_it_sees_what_the_store_appends_and_no_more(disk: MemoryDisk) -> None:
    store, reader = MemoryStore(disk), MemoryReader(disk)
    assert reader.head == store.head
    assert list(reader.read()) == []
    for _ in range(3):
        store.append([entry(event(), event()), entry(event())])
        assert reader.head == store.head
        assert list(reader.read()) == list(store.read())
        assert list(reader.read(2, 5)) == list(store.read(2, 5))
        assert list(reader.commits(1)) == list(store.commits(1))


def test_what_is_being_appended_is_not_there_yet(disk: MemoryDisk) -> None:
    store, reader = MemoryStore(disk), MemoryReader(disk)
    store.append([entry(event())])
    store.append([entry(event())])
    unfinished = disk.commits.pop()  # the entry is written, its commit is not
    assert unfinished.last_log_seq == 2
    assert [each.last_log_seq for each in reader.read(until=2)] == [1]
    assert reader.head.log_seq == 1


def test_closing_it_leaves_the_store_open(disk: MemoryDisk) -> None:
    store, reader = MemoryStore(disk), MemoryReader(disk)
    reader.close()
    reader.close()
    for call in (reader.read, reader.commits):
        with pytest.raises(StoreClosedError, match="open another"):
            call()
    store.append([entry(event())])
    assert reader.head.log_seq == 1
