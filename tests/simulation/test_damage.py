"""Law 8: whatever is changed in a log that the simulation has made, it is found, and nothing behind it is served."""

from __future__ import annotations

import copy
import shutil
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from eventstore.memory import MemoryDisk, MemoryStore
from eventstore.model import Commit, DamageError, NewEntry, NewEvent, RecordedEntry
from eventstore.sqlite import SqliteStore
from eventstore.verify import verify
from exchange.server.recovery import recover
from tests.eventstore.tampering import cut_tail, flip
from tests.simulation.actions import act
from tests.simulation.rest import come_to_rest
from tests.simulation.world import World

COLUMNS = (
    ("event", "payload"),
    ("event", "leaf"),
    ("event", "stream_version"),
    ("command", "body"),
    ("command", "actor"),
    ("command", "client_id"),
    ("command", "at_ns"),
)
PLACES = {"event": "log_seq", "command": "first_log_seq"}


@pytest.fixture(scope="module")
def disk() -> MemoryDisk:
    """The disk of a history at rest."""
    world = World(seed=8)
    for _ in range(400):
        act(world)
    come_to_rest(world)
    return world.disk


@pytest.fixture(scope="module")
def path(disk: MemoryDisk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same log in SQLite, in the same commits."""
    path = tmp_path_factory.mktemp("log") / "log.db"
    with closing(SqliteStore(path)) as store:
        after = 0
        for commit in disk.commits:
            store.append(batch(disk, after, commit), state_hash=commit.state_hash)
            after = commit.last_log_seq
    return path


def batch(disk: MemoryDisk, after: int, commit: Commit) -> list[NewEntry]:
    return [as_new(entry) for entry in disk.entries if after < entry.last_log_seq <= commit.last_log_seq]


def as_new(entry: RecordedEntry) -> NewEntry:
    return NewEntry(
        at_ns=entry.at_ns,
        type=entry.type,
        version=entry.version,
        actor=entry.actor,
        client_id=entry.client_id,
        origin=entry.origin,
        body=entry.body,
        events=tuple(
            NewEvent(stream=event.stream, type=event.type, version=event.version, payload=event.payload)
            for event in entry.events
        ),
    )


def test_the_same_entries_have_the_same_root_and_the_same_state_on_both_stores(disk: MemoryDisk, path: Path) -> None:
    report = verify(path)
    assert report.ok
    assert report.root == disk.commits[-1].root
    reopened = copy.deepcopy(disk)
    reopened.crash()
    with closing(SqliteStore(path)) as store:
        assert recover(store).state_hash.value() == recover(MemoryStore(reopened)).state_hash.value()


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_changed_value_is_found_at_its_place(path: Path, tmp_path: Path, table: str, column: str) -> None:
    random = Random(f"{table}.{column}")
    entries = [entry for entry in read_all(path) if column != "client_id" or entry.client_id]
    for number, entry in enumerate(random.sample(entries, 5)):
        damaged = tmp_path / f"{number}.db"
        shutil.copy(path, damaged)
        flip(damaged, table, column, f"{PLACES[table]} = {entry.first_log_seq}")
        finding = verify(damaged).findings[0]
        assert entry.first_log_seq <= finding.log_seq <= entry.last_log_seq
        with pytest.raises(DamageError) as refusal, closing(SqliteStore(damaged)) as store:
            recover(store)
        assert refusal.value.log_seq <= entry.last_log_seq


def read_all(path: Path) -> list[RecordedEntry]:
    with closing(SqliteStore(path)) as store:
        return list(store.read())


def test_a_tail_cut_off_at_a_commit_is_found_by_an_anchor_alone(disk: MemoryDisk, path: Path, tmp_path: Path) -> None:
    shorter = tmp_path / "log.db"
    shutil.copy(path, shorter)
    cut_tail(shorter, disk.commits[-3].last_log_seq)
    assert verify(shorter).ok
    anchors = {disk.commits[-1].last_log_seq: disk.commits[-1].root}
    assert verify(path, anchors=anchors).ok
    assert not verify(shorter, anchors=anchors).ok


def test_a_damaged_disk_is_not_opened(disk: MemoryDisk) -> None:
    for place in Random(1).sample(range(len(disk.leaves)), 10):
        damaged = copy.deepcopy(disk)
        damaged.crash()
        leaf = damaged.leaves[place]
        damaged.leaves[place] = bytes([leaf[0] ^ 1]) + leaf[1:]
        with pytest.raises(DamageError):
            MemoryStore(damaged)
