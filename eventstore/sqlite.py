"""The event store in a SQLite file: one table of events, one transaction per append.

How it stays safe:

* The lock file lets one process write (lock.py), and this connection is the only one that writes or checkpoints.
* An append is one transaction that checks the head, inserts, and commits. With `Durability.FSYNC` COMMIT returns once
  the WAL is on the disk.
* Any error ends the store. What failed before COMMIT is surely not written: the transaction is left to die with the
  connection. What failed in COMMIT is unknown, and is not tried again: after a failed fsync the kernel may drop the
  data and report success the next time.
* Opening first moves everything the WAL holds into the database, with fsync. So what a failed commit left behind is
  either durable before anybody sees it, or gone.

The WAL is kept at its size and overwritten in place, which spares the file system a metadata write per commit; only
`close` removes it. Moving it into the database (SQLite's checkpoint) happens in `housekeep`, between commits.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from eventstore import schema
from eventstore.lock import LogLock
from eventstore.model import (
    AppendFailedError,
    Commit,
    Durability,
    Head,
    HeadMovedError,
    NewEntry,
    OutcomeUnknownError,
    RecordedEntry,
    StoreClosedError,
    StoreError,
)
from eventstore.numbering import Batch
from eventstore.seal import epoch_seal
from eventstore.sqlite_insert import RowInsert
from eventstore.sqlite_recovery import recovered_tip
from eventstore.sqlite_rows import FORMAT, LogRows, reading

_SYNCHRONOUS = {Durability.FSYNC: "FULL", Durability.OS: "NORMAL", Durability.MEMORY: "OFF"}

WAL_PAGES_IDLE = 256
"""With this much in the WAL (1 MiB) an idle moment is used to move it into the database."""

WAL_PAGES_MAX = 1024
"""With this much (4 MiB) it is moved at once, which holds the next append up for some 10 ms; 16 MiB took 40 ms."""

LOCK_WAIT_S = 5.0
"""How long opening waits for readers of an old state; readers of ours are done within milliseconds."""

_PAGE_BYTES = 4096
_PAGES_PER_COMMIT = 4
"""The last pages of the tables, which every commit writes anew."""
_ROW_BYTES = 100
"""What an event takes beside its payload: leaf, numbers, its share of the command."""

_HEAD = """
    SELECT max(log_seq)
    FROM (SELECT max(log_seq) AS log_seq FROM event UNION ALL SELECT max(last_log_seq) FROM "commit")
"""
_INSERT_STREAMS = RowInsert("stream", 2)
_INSERT_TYPES = RowInsert("event_type", 2)
_INSERT_COMMANDS = RowInsert("command", 10)
_INSERT_EVENTS = RowInsert("event", 7)
_INSERT_COMMIT = 'INSERT INTO "commit" VALUES (?, ?, ?, ?, ?, ?, ?)'


class SqliteStore:
    """The contract of `EventStore` over a file. The thread that uses it need not be the one that opened it."""

    def __init__(self, path: Path, durability: Durability = Durability.FSYNC) -> None:
        """Open the log, or begin one; raises its epoch.

        Raises LogLockedError while another process writes to it, DamageError where the log does not add up (without
        looking into every event: `verify` does), StoreError for anything else that is not a log of this format.
        """
        path = path.resolve()
        if sqlite3.sqlite_version_info < schema.SQLITE_MIN:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: the log needs 3.37 or newer")
        with ExitStack() as resources, reading(0):
            resources.callback(LogLock(path).release)
            schema.make_current(path)
            self._connection = _connect(path, durability)
            resources.callback(self._connection.close)
            _settle(self._connection, path)
            _begin_log_if_new(self._connection)
            self._rows = LogRows(self._connection)
            self._tip = recovered_tip(self._connection, self._rows)
            self._raise_epoch()
            self._resources = resources.pop_all()
        self._stream_ids = {name: stream_id for stream_id, name in self._rows.streams.items()}
        self._type_ids = {name: type_id for type_id, name in self._rows.types.items()}
        self._wal_pages = 0
        self._ended: str | None = None

    @property
    def head(self) -> Head:
        """See `LogReader.head`."""
        return self._tip.head

    def append(self, entries: Sequence[NewEntry], *, state_hash: bytes | None = None) -> Head:
        """See `EventStore.append`."""
        self._refuse_if_ended()
        batch = self._tip.number(entries, state_hash)
        # Whatever leaves this call from here on, an interrupt included, leaves an ended store behind.
        self._ended = "an append did not finish: open the log anew to learn what is durable"
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._check_head()
            self._insert(batch)
        except sqlite3.Error as error:
            raise AppendFailedError(f"the append failed before its commit ({error}): nothing was written") from error
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise OutcomeUnknownError(
                f"the commit of log_seq {batch.events[0][0]} to {batch.commit.last_log_seq} failed ({error}): "
                "it may be durable or not; open the log anew to learn which"
            ) from error
        self._wal_pages += _PAGES_PER_COMMIT + _bytes(batch) // _PAGE_BYTES
        head = self._tip.advance(batch)
        self._ended = None
        return head

    def read(self, after: int = 0, until: int | None = None) -> Iterator[RecordedEntry]:
        """See `LogReader.read`."""
        self._refuse_if_ended()
        return self._rows.entries(after, until, self.head.log_seq)

    def commits(self, after: int = 0, until: int | None = None) -> Iterator[Commit]:
        """See `LogReader.commits`."""
        self._refuse_if_ended()
        return self._rows.commits(after, until, self.head.log_seq)

    def housekeep(self, *, idle: bool) -> bool:
        """See `EventStore.housekeep`: moves a grown WAL into the database, so that commits overwrite it again.

        Takes one write of each page touched since the last time, and two fsyncs. Never waits for readers: while one
        holds an old state the WAL grows on, and it is tried again when as much has been added.
        """
        self._refuse_if_ended()
        if self._wal_pages >= (WAL_PAGES_IDLE if idle else WAL_PAGES_MAX):
            try:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error as error:
                self._ended = "moving the WAL into the database failed: open the log anew"
                raise StoreError(
                    f"moving the WAL into the database failed ({error}); what was appended is durable"
                ) from error
            self._wal_pages = 0
        return self._wal_pages >= WAL_PAGES_IDLE

    def close(self) -> None:
        """See `LogReader.close`."""
        self._ended = "the store was closed"
        self._resources.close()

    def _refuse_if_ended(self) -> None:
        if self._ended is not None:
            raise StoreClosedError(self._ended)

    def _check_head(self) -> None:
        expected = self._tip.head.log_seq
        found = self._connection.execute(_HEAD).fetchone()[0] or 0
        if found != expected:
            raise HeadMovedError(expected=expected, found=found)

    def _insert(self, batch: Batch) -> None:
        connection, stream_ids, type_ids = self._connection, self._stream_ids, self._type_ids
        _INSERT_STREAMS.run(connection, _new_names(stream_ids, batch.stream_versions))
        _INSERT_TYPES.run(connection, _new_names(type_ids, dict.fromkeys(event[3] for event in batch.events)))
        _INSERT_EVENTS.run(
            connection,
            [
                (log_seq, stream_ids[stream], stream_version, type_ids[type_], version, payload, leaf)
                for log_seq, stream, stream_version, type_, version, payload, leaf in batch.events
            ],
        )
        _INSERT_COMMANDS.run(connection, batch.commands)
        end = batch.commit
        connection.execute(
            _INSERT_COMMIT,
            (end.last_log_seq, end.last_command_seq, end.at_ns, end.epoch, end.root, end.state_hash, batch.seal),
        )

    def _raise_epoch(self) -> None:
        tip = self._tip
        seal = epoch_seal(tip.log_id, tip.epoch, tip.head.log_seq, tip.seal)
        self._connection.execute("INSERT INTO epoch VALUES (?, ?, ?)", (tip.epoch, tip.head.log_seq, seal))


def _connect(path: Path, durability: Durability) -> sqlite3.Connection:
    """The log's one read-write connection; its transactions begin and end only where this module says so."""
    connection = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        connection.close()
        raise StoreError(f"SQLite cannot keep a write-ahead log beside {path}: keep the log on a local file system")
    for setting in (
        f"synchronous = {_SYNCHRONOUS[durability]}",
        "wal_autocheckpoint = 0",
        "mmap_size = 0",
        # On macOS a plain fsync stops at the drive's cache; elsewhere these two change nothing.
        f"fullfsync = {durability is Durability.FSYNC}",
        f"checkpoint_fullfsync = {durability is Durability.FSYNC}",
    ):
        connection.execute(f"PRAGMA {setting}")
    return connection


def _settle(connection: sqlite3.Connection, path: Path) -> None:
    """Move everything the WAL holds into the database, with fsync, before anything of it is believed.

    Behind a failed fsync the WAL may hold a commit that was never on the disk; reading it does not tell.
    """
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    if busy:
        raise StoreError(
            f"somebody has been reading an old state of {path} for {LOCK_WAIT_S} s: end that program, then start again"
        )


def _begin_log_if_new(connection: sqlite3.Connection) -> None:
    (is_new,) = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM meta UNION SELECT 1 FROM epoch)").fetchone()
    if is_new:
        connection.execute("INSERT INTO meta VALUES ('log_id', ?), ('format', ?)", (secrets.token_hex(16), FORMAT))


def _new_names(ids: dict[str, int], names: Iterable[str]) -> list[tuple[int, str]]:
    """Give the names without an id the next ones, and the rows to store for them."""
    rows = [(stream_id, name) for stream_id, name in enumerate((n for n in names if n not in ids), len(ids) + 1)]
    ids.update((name, stream_id) for stream_id, name in rows)
    return rows


def _bytes(batch: Batch) -> int:
    """About what a batch adds to the tables."""
    payloads = sum(len(event[5]) + _ROW_BYTES for event in batch.events)
    return payloads + sum(len(command[9]) for command in batch.commands)
