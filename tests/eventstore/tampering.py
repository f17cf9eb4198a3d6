"""Ways to damage a SQLite log that a careful culprit has: by SQL, around the triggers, leaving no other trace."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def unguarded(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a log whose triggers are gone meanwhile and stand again afterwards."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _sql in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _name, sql in triggers:
            connection.execute(sql)


def flip(path: Path, table: str, column: str, where: str) -> None:
    """Change one stored value of one row a little, keeping its kind."""
    with unguarded(path) as connection:
        (value,) = connection.execute(f'SELECT {column} FROM "{table}" WHERE {where}').fetchone()
        changed = connection.execute(f'UPDATE "{table}" SET {column} = ? WHERE {where}', (_flipped(value),))
        assert changed.rowcount == 1


def _flipped(value: int | str | bytes | None) -> int | str | bytes:
    match value:
        case None:
            return bytes(32)
        case int():
            return value ^ 64
        case str():
            return value[:-1] + chr(ord(value[-1]) ^ 4)
        case bytes():
            middle = len(value) // 2
            return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]


def cut_tail(path: Path, log_seq: int) -> None:
    """Take away everything behind a commit that ends at `log_seq`, so that a sound, shorter log remains."""
    with unguarded(path) as connection:
        connection.execute("DELETE FROM event WHERE log_seq > ?", (log_seq,))
        connection.execute("DELETE FROM command WHERE first_log_seq > ?", (log_seq,))
        connection.execute('DELETE FROM "commit" WHERE last_log_seq > ?', (log_seq,))
        connection.execute("DELETE FROM epoch WHERE after_log_seq > ?", (log_seq,))
