"""What only the SQLite store promises: schema, settings, guards, one writer, readers beside it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from eventstore import schema, sqlite
from eventstore.model import Durability, LogLockedError, StoreClosedError, StoreError
from eventstore.sqlite import SqliteStore
from eventstore.sqlite_reader import open_reader
from tests.eventstore.log_builders import T0, entry, event, numbered_entry

ROOT = Path(schema.__file__).resolve().parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def python(code: str, *arguments: object, cwd: Path | None = None, path: str | None = None) -> str:
    """Run code in a process of its own, return what it printed."""
    environment = {**os.environ, "PYTHONPATH": path if path is not None else os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


# --- the schema


def test_the_current_revision_is_the_newest_migration() -> None:
    newest = max(file.stem[:4] for file in (schema.migrations_folder() / "versions").glob("0*.py"))
    assert newest == schema.REVISION


def test_a_current_log_opens_without_alembic(path: Path) -> None:
    SqliteStore(path).close()
    code = (
        "import sys, pathlib\n"
        "from eventstore.sqlite import SqliteStore\n"
        "SqliteStore(pathlib.Path(sys.argv[1])).close()\n"
        "print([name for name in sys.modules if name in ('alembic', 'sqlalchemy')])"
    )
    assert python(code, path) == "[]"


def test_the_migrations_are_found_where_a_wheel_puts_them(tmp_path: Path) -> None:
    """A foreign top-level `migrations` in site-packages does not get in the way."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "eventstore", site / "eventstore")
    shutil.copytree(schema.migrations_folder(), site / "exchange" / "migrations" / "log")
    (site / "migrations" / "log").mkdir(parents=True)
    (site / "migrations" / "log" / "env.py").write_text("raise SystemExit('foreign')")
    code = (
        "import pathlib, eventstore.schema\n"
        "from eventstore.sqlite import SqliteStore\n"
        "SqliteStore(pathlib.Path('log.db')).close()\n"
        "print(eventstore.schema.migrations_folder())"
    )
    search = os.pathsep.join([str(site), *(p for p in sys.path if p and Path(p) != ROOT)])
    assert python(code, cwd=tmp_path, path=search) == str(site / "exchange" / "migrations" / "log")


@pytest.mark.parametrize("name", ["with space.db", "100%.db", "a?b#c.db", "日志.db"])
def test_any_path_is_fine(tmp_path: Path, name: str) -> None:
    store = SqliteStore(tmp_path / name)
    store.append([entry()])
    with closing(open_reader(tmp_path / name)) as reader:
        assert reader.head.log_seq == 1
    store.close()
    assert (tmp_path / name).is_file()


def test_a_foreign_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE recipe (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="no log"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("dear diary, " * 100)
    with pytest.raises(StoreError, match="not a database"):
        SqliteStore(path)
    with pytest.raises(StoreError, match="not a database"):
        open_reader(path)


def test_a_log_of_a_newer_schema_is_refused(path: Path) -> None:
    SqliteStore(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="another version of this program"):
        SqliteStore(path)


def test_a_log_of_another_format_is_refused(path: Path) -> None:
    SqliteStore(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER meta_no_update")
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
    for opened in (SqliteStore, open_reader):
        with pytest.raises(StoreError, match="format '2'"):
            opened(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing/log\.db\.lock"):
        SqliteStore(tmp_path / "missing" / "log.db")
    with pytest.raises(StoreError, match="there is no log at"):
        open_reader(tmp_path / "missing" / "log.db")


def test_a_log_that_cannot_be_begun_on_a_full_disk_is_begun_later(path: Path) -> None:
    code = (
        "import pathlib, resource, sys\n"
        "from eventstore.model import StoreError\n"
        "from eventstore.sqlite import SqliteStore\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, resource.RLIM_INFINITY))\n"
        "try: SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "except StoreError as error: print(error)\n"
    )
    assert "could not be given its tables" in python(code, path)
    store = SqliteStore(path)
    assert store.append([entry()]).log_seq == 1
    store.close()


def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(StoreError, match=r"3\.37 or newer"):
        SqliteStore(path)


# --- settings and guards


@pytest.mark.parametrize(
    ("durability", "synchronous"), [(Durability.FSYNC, 2), (Durability.OS, 1), (Durability.MEMORY, 0)]
)
def test_durability_decides_what_a_commit_waits_for(path: Path, durability: Durability, synchronous: int) -> None:
    connection = sqlite._connect(path, durability)
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "journal_mode", "mmap_size", "wal_autocheckpoint", "fullfsync")
    }
    connection.close()
    assert settings == {
        "synchronous": synchronous,
        "journal_mode": "wal",
        "mmap_size": 0,
        "wal_autocheckpoint": 0,
        "fullfsync": int(durability is Durability.FSYNC),
    }


@pytest.mark.parametrize("table", ["meta", "stream", "event_type", "event", "command", "commit", "epoch"])
@pytest.mark.parametrize("change", ['DELETE FROM "{table}"', 'UPDATE "{table}" SET {column} = {column}'])
def test_triggers_refuse_changes(store: SqliteStore, path: Path, table: str, change: str) -> None:
    store.append([entry()])
    with closing(sqlite3.connect(path, isolation_level=None)) as auditor:
        column = auditor.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchone()[0]
        with pytest.raises(sqlite3.IntegrityError, match=f"append-only: .* on {table} is refused"):
            auditor.execute(change.format(table=table, column=column))


def test_auditors_read_names_texts_and_times(store: SqliteStore, path: Path) -> None:
    store.append([entry(event(), event("book/2", b'{"late":true}', "Returned"), at_ns=T0 + 123_456_789)])
    with closing(sqlite3.connect(path)) as auditor:
        auditor.row_factory = sqlite3.Row
        second = dict(auditor.execute("SELECT * FROM event_view WHERE log_seq = 2").fetchone())
        command = dict(auditor.execute("SELECT * FROM command_view").fetchone())
        commit = dict(auditor.execute("SELECT * FROM commit_view").fetchone())
    del second["leaf"]
    assert second == {
        "log_seq": 2,
        "at": "2023-11-14T22:13:20.123456789Z",
        "command_seq": 1,
        "stream": "book/2",
        "stream_version": 1,
        "type": "Returned",
        "version": 1,
        "payload": '{"late":true}',
    }
    assert (command["at"], command["last_log_seq"], json.loads(command["body"])) == (second["at"], 2, {"want": 1})
    assert (commit["root"], commit["state_hash"]) == (store.head.root.hex(), None)


def test_the_wal_is_moved_into_the_database_and_then_overwritten_in_place(store: SqliteStore, path: Path) -> None:
    """An idle moment is asked for once the WAL has grown; afterwards commits go to its front again."""
    wal = path.with_name("log.db-wal")
    while not store.housekeep(idle=False):
        store.append([entry(event(payload=b'"%s"' % (b"x" * 20_000)))])
    grown, database = wal.stat().st_size, path.stat().st_size
    assert store.housekeep(idle=True) is False
    assert path.stat().st_size > database
    for _ in range(5):
        store.append([entry()])
    assert wal.stat().st_size == grown


def test_a_wal_beyond_its_bound_is_moved_without_an_idle_moment(store: SqliteStore, path: Path) -> None:
    big = [entry(event(payload=b'"%s"' % (b"x" * 1_000_000)))]
    while store._wal_pages < sqlite.WAL_PAGES_MAX:
        store.append(big)
    assert store.housekeep(idle=False) is False
    assert path.stat().st_size > 4096 * sqlite.WAL_PAGES_MAX * 0.9


# --- one writer, many readers


def test_a_second_process_cannot_write_and_is_told_who_does(store: SqliteStore, path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from eventstore.model import LogLockedError\n"
        "from eventstore.sqlite import SqliteStore\n"
        "try: SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "except LogLockedError as error: print(error)\n"
    )
    assert f"open for writing in process {os.getpid()}: stop that process" in python(code, path)


def test_the_lock_holds_through_another_name_of_the_file(store: SqliteStore, path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    with pytest.raises(LogLockedError):
        SqliteStore(link)


def test_a_failed_opening_frees_the_lock(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a database"):
            SqliteStore(path)


def test_several_readers_follow_the_running_writer(store: SqliteStore, path: Path) -> None:
    store.append([numbered_entry(1)])
    with closing(open_reader(path)) as first, closing(open_reader(path)) as second:
        for n in range(2, 30):
            head = store.append([numbered_entry(n)])
            assert first.head == second.head == head
        assert list(first.read()) == list(second.read(0)) == list(store.read())
        assert list(first.read(20, 40)) == list(store.read(20, 40))
        assert list(first.commits(3)) == list(store.commits(3))


def test_a_reader_sees_streams_that_are_newer_than_itself(store: SqliteStore, path: Path) -> None:
    with closing(open_reader(path)) as reader:
        assert list(reader.read()) == []
        store.append([entry(event("book/new", type_="New"))])
        assert [e.events[0].stream for e in reader.read()] == ["book/new"]


def test_a_reader_of_a_log_without_a_writer(path: Path) -> None:
    store = SqliteStore(path)
    store.append([numbered_entry(n) for n in range(1, 9)])
    expected, head = list(store.read()), store.head
    store.close()
    with closing(open_reader(path)) as reader:
        assert list(reader.read()) == expected
        assert reader.head == head


def test_a_reader_cannot_write(store: SqliteStore, path: Path) -> None:
    with closing(open_reader(path)) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._rows._connection.execute("INSERT INTO meta VALUES ('a', 'b')")


def test_a_slow_reader_does_not_hold_up_the_writer(store: SqliteStore, path: Path) -> None:
    """Between two pieces a reader holds no transaction: everything in the WAL can be moved."""
    store.append([numbered_entry(n) for n in range(1, 5001)])
    with closing(open_reader(path)) as reader:
        reading = reader.read()
        first = next(reading)
        _busy, in_wal, moved = store._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        assert in_wal == moved > 0
        store.append([numbered_entry(5001)])
        assert [first.command_seq, *(e.command_seq for e in reading)] == list(range(1, 5001))


def test_a_closed_reader_refuses_also_what_it_was_reading(path: Path) -> None:
    store = SqliteStore(path)
    store.append([numbered_entry(n) for n in range(1, 5001)])
    store.close()
    reader = open_reader(path)
    reading = reader.read()
    next(reading)
    reader.close()
    reader.close()
    with pytest.raises(StoreClosedError):
        list(reading)
    for call in (reader.read, reader.commits, lambda: reader.head):
        with pytest.raises(StoreClosedError):
            call()


def test_an_old_transaction_in_a_foreign_program_stops_the_start_with_instructions(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the WAL holds must be moved, with fsync, before it is believed; a reader of an older state prevents that."""
    monkeypatch.setattr(sqlite, "LOCK_WAIT_S", 0.01)
    store = SqliteStore(path)
    store.append([entry()])
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN")
        foreign.execute("SELECT count(*) FROM event").fetchone()
        store.append([entry()])
        store.close()
        with pytest.raises(StoreError, match="reading an old state"):
            SqliteStore(path)
        foreign.execute("COMMIT")
    reopened = SqliteStore(path)
    assert reopened.head.log_seq == 2
    reopened.close()
