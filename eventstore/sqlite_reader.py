"""Read a SQLite log beside its writer: any number of readers, in any process, none of which can write or checkpoint."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from eventstore.model import Commit, Head, RecordedEntry, StoreClosedError, StoreError
from eventstore.sqlite_rows import LogRows, reading


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot change the file. Raises StoreError when there is none."""
    if not path.is_file():
        raise StoreError(f"there is no log at {path}")
    connection = sqlite3.connect(
        path.resolve().as_uri() + "?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA mmap_size = 0")
    return connection


class SqliteReader:
    """The contract of `LogReader` over a file. Its head moves as the writer commits."""

    def __init__(self, path: Path) -> None:
        self._connection: sqlite3.Connection | None = connect_for_reading(path)
        try:
            self._rows = LogRows(self._connection)
        except BaseException:
            self.close()
            raise

    @property
    def head(self) -> Head:
        """See `LogReader.head`."""
        self._refuse_if_closed()
        return self._rows.head()

    def read(self, after: int = 0, until: int | None = None) -> Iterator[RecordedEntry]:
        """See `LogReader.read`."""
        return self._rows.entries(after, until, self.head.log_seq)

    def commits(self, after: int = 0, until: int | None = None) -> Iterator[Commit]:
        """See `LogReader.commits`."""
        return self._rows.commits(after, until, self.head.log_seq)

    def close(self) -> None:
        """See `LogReader.close`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refuse_if_closed(self) -> None:
        if self._connection is None:
            raise StoreClosedError("the reader was closed: open another")


def open_reader(path: Path) -> SqliteReader:
    """A reader of the log at `path`; the writer may be running or not. Raises StoreError when there is no log."""
    with reading(0):
        return SqliteReader(path)
