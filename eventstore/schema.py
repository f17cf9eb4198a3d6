"""The SQLite schema of the log: which revision a file has, and how it gets the current one.

The tables themselves are alembic migrations under `migrations/log`. Alembic is imported only when there is something
to do: a start with a current schema does not pay for it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from eventstore.model import StoreError

REVISION = "0001"
"""The newest revision under `migrations/log/versions`."""

SQLITE_MIN = (3, 37, 0)
"""STRICT tables."""


def make_current(path: Path) -> None:
    """Give the file at `path` the current schema, or make it.

    The caller holds the lock (lock.py) and has no connection open. Raises StoreError when the file is no log, or newer
    than this program.
    """
    with closing(sqlite3.connect(path)) as connection:
        revision = _stored_revision(connection)
    if revision != REVISION:
        _upgrade(path)


def _stored_revision(connection: sqlite3.Connection) -> str | None:
    """The revision of the database, None while it is empty."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return None
    if "alembic_version" not in tables or not {"event", "command", "commit"} <= tables:
        raise StoreError("the file is a database but no log: give another path")
    row: tuple[str] | None = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def _upgrade(path: Path) -> None:
    """Run the migrations that are missing, in one transaction."""
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError
    from sqlalchemy import URL, create_engine, event
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    config = Config()
    # The option passes through a config parser, which would take a % in the path for its own.
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)
    # The driver would run DDL outside of the transaction: it leaves BEGIN to us.
    event.listen(engine, "connect", lambda connection, _record: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"{path} was written by another version of this program ({error}): use that version"
        ) from error
    except SQLAlchemyError as error:
        raise StoreError(f"{path} could not be given its tables ({error.args[0]}): nothing was changed") from error


def migrations_folder() -> Path:
    """Where the log's migrations lie: inside the package `exchange` when installed, at the top level in a checkout."""
    root = Path(__file__).resolve().parent.parent
    # The installed place first: site-packages may hold a foreign top-level `migrations`.
    for folder in (root / "exchange" / "migrations" / "log", root / "migrations" / "log"):
        if (folder / "env.py").is_file():
            return folder
    raise StoreError(f"the log's migrations are missing under {root}: install the package anew")
