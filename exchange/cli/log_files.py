"""The log of a data folder, opened for reading: beside a running server or without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventstore.sqlite_reader import SqliteReader, open_reader
from exchange.cli.errors import FailedError
from exchange.server.data_folder import DataFolder


@contextmanager
def reading_log(data: Path) -> Iterator[SqliteReader]:
    """The log of this data folder. Raises FailedError where there is none, StoreError where it cannot be read."""
    path = log_path(data)
    reader = open_reader(path)
    try:
        yield reader
    finally:
        reader.close()


def log_path(data: Path) -> Path:
    """Where the log of this data folder is. Raises FailedError where there is none."""
    folder = DataFolder(data)
    if not folder.log_db.is_file():
        raise FailedError(
            f"there is no log in {folder.path}: give the data folder of an exchange with --data, "
            "or make one with `exchange serve` or `exchange demo`"
        )
    return folder.log_db
