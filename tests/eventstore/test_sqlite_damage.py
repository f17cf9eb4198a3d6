"""Nothing at or behind damage is served as good (law 8): what opening and reading find without a full `verify`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from eventstore.model import DamageError
from eventstore.sqlite import SqliteStore
from eventstore.sqlite_reader import open_reader
from eventstore.store import LogReader
from tests.eventstore.log_builders import T0, entry, event
from tests.eventstore.tampering import flip, unguarded


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Commands 1-2, 3 | 4-6 | 7, 8-9 where | ends a commit, the last one by a second writer."""
    path = tmp_path / "log.db"
    with closing(SqliteStore(path)) as store:
        store.append([entry(event(), event("book/2"), at_ns=T0), entry(event(), at_ns=T0 + 1)])
        store.append([entry(event("book/3"), event(type_="Returned"), event(), at_ns=T0 + 2)])
    with closing(SqliteStore(path)) as store:
        store.append([entry(event(), at_ns=T0 + 3), entry(event(), event("book/2"), at_ns=T0 + 4)])
    return path


def served_before_damage(log: LogReader, after: int = 0) -> tuple[list[int], int]:
    """The last log_seq of each entry that is read before the damage, and where the damage is."""
    served: list[int] = []
    reading = log.read(after)
    while True:
        try:
            served.append(next(reading).last_log_seq)
        except DamageError as damage:
            return served, damage.log_seq


@pytest.mark.parametrize(
    ("table", "column", "where", "log_seq"),
    [
        ("event", "leaf", "log_seq = 5", 4),
        ("event", "log_seq", "log_seq = 5", 5),
        ("event", "log_seq", "log_seq = 9", 9),
        ("event", "stream_id", "log_seq = 5", 5),
        ("commit", "root", "last_log_seq = 9", 9),
        ("commit", "seal", "last_log_seq = 6", 9),
        ("commit", "epoch", "last_log_seq = 9", 9),
        ("commit", "last_log_seq", "last_log_seq = 9", 73),
        ("command", "command_seq", "first_log_seq = 8", 9),
        ("command", "event_count", "first_log_seq = 8", 9),
        ("command", "at_ns", "first_log_seq = 8", 9),
        ("epoch", "seal", "number = 2", 0),
        ("epoch", "after_log_seq", "number = 2", 0),
        ("meta", "value", "key = 'log_id'", 9),
        ("stream", "id", "name = 'book/3'", 4),
    ],
)
def test_a_log_that_does_not_add_up_is_not_opened(
    path: Path, table: str, column: str, where: str, log_seq: int
) -> None:
    flip(path, table, column, where)
    with pytest.raises(DamageError) as raised:
        SqliteStore(path)
    assert raised.value.log_seq == log_seq


@pytest.mark.parametrize(("table", "where"), [("commit", "last_log_seq = 9"), ("commit", "true")])
def test_rows_behind_the_last_commit_are_damage(path: Path, table: str, where: str) -> None:
    with unguarded(path) as connection:
        connection.execute(f'DELETE FROM "{table}" WHERE {where}')
        connection.execute("DELETE FROM epoch WHERE number > 1 AND ?", (where == "true",))
    with pytest.raises(DamageError, match="stand behind the last commit"):
        SqliteStore(path)


@pytest.mark.parametrize("column", ["stream_version", "version", "payload", "type_id"])
def test_a_changed_event_is_not_served_and_nothing_behind_it(path: Path, column: str) -> None:
    """Opening does not look into events; reading holds each against its leaf."""
    flip(path, "event", column, "log_seq = 5")
    with closing(SqliteStore(path)) as store, closing(open_reader(path)) as reader:
        for log in (store, reader):
            assert served_before_damage(log) == ([2, 3], 5)
            assert served_before_damage(log, after=3) == ([], 5)
            assert [e.last_log_seq for e in log.read(6)] == [7, 9]


@pytest.mark.parametrize("column", ["command_seq", "at_ns", "type", "version", "actor", "client_id", "origin", "body"])
def test_an_event_of_a_changed_command_is_not_served(path: Path, column: str) -> None:
    flip(path, "command", column, "first_log_seq = 4")
    with closing(SqliteStore(path)) as store:
        assert served_before_damage(store) == ([2, 3], 4)


@pytest.mark.parametrize("event_count", [-3, 0, 1, 2, 5, 60])
def test_a_wrong_count_of_events_is_not_served(path: Path, event_count: int) -> None:
    with unguarded(path) as connection:
        connection.execute("UPDATE command SET event_count = ? WHERE first_log_seq = 4", (event_count,))
    with closing(SqliteStore(path)) as store:
        served, log_seq = served_before_damage(store)
    assert set(served) <= {2, 3}
    assert log_seq in (4, 5, 6)


@pytest.mark.parametrize("first_log_seq", [1, 3, 4, 7])
def test_a_missing_command_is_found_from_wherever_one_reads(path: Path, first_log_seq: int) -> None:
    with unguarded(path) as connection:
        connection.execute("DELETE FROM command WHERE first_log_seq = ?", (first_log_seq,))
    with closing(SqliteStore(path)) as store:
        for after in range(first_log_seq):
            served, log_seq = served_before_damage(store, after)
            assert log_seq == first_log_seq
            assert served == [end for end in (2, 3, 6, 7) if after < end < first_log_seq]


def test_a_missing_event_is_found_by_a_reader(path: Path) -> None:
    with closing(open_reader(path)) as reader:
        with unguarded(path) as connection:
            connection.execute("DELETE FROM event WHERE log_seq = 5")
        assert served_before_damage(reader)[1] == 5


def test_a_text_that_is_no_unicode_is_damage(path: Path) -> None:
    with unguarded(path) as connection:
        connection.execute("UPDATE command SET actor = CAST(x'ff' AS TEXT) WHERE first_log_seq = 4")
    with closing(SqliteStore(path)) as store:
        assert served_before_damage(store)[1] <= 4


@pytest.mark.parametrize(("last_log_seq", "found_at"), [(3, 6), (6, 9)])
def test_a_missing_commit_is_not_passed_over(path: Path, last_log_seq: int, found_at: int) -> None:
    with closing(open_reader(path)) as reader:
        with unguarded(path) as connection:
            connection.execute('DELETE FROM "commit" WHERE last_log_seq = ?', (last_log_seq,))
        with pytest.raises(DamageError) as raised:
            list(reader._rows.commits(0, None, 9))
        assert raised.value.log_seq == found_at


def test_a_changed_state_hash_is_not_served(path: Path) -> None:
    flip(path, "commit", "state_hash", "last_log_seq = 3")
    with closing(open_reader(path)) as reader, pytest.raises(DamageError) as raised:
        list(reader.commits())
    assert raised.value.log_seq == 3
