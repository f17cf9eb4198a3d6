"""The users database beside the log: its tables, its one connection, its schema revision.

Whoever opens the file holds the lock of the data folder, so one process uses it at a time, and that process opens one
connection: two that write to a WAL, or checkpoint it, can corrupt it with the SQLite that is bundled with Python.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    event,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from exchange.domain.values import AccountId
from exchange.gateway.access import Role
from exchange.server.identity.users import User
from exchange.server.private_files import make_private

REVISION: Final = "0001"
"""The newest revision under `migrations/users/versions`, which make the tables that are described here."""

BUSY_TIMEOUT_MS: Final = 5_000
"""How long to wait for somebody who looks into the file with other tools."""

metadata = MetaData()

user = Table(
    "user",
    metadata,
    Column("name", Text, primary_key=True),
    Column("account_id", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    # One of `exchange.gateway.access.Role`. No CHECK: SQLite adds one only by making the table anew, which would empty
    # `token` by its foreign key, and a new role would need that again. `open_users_database` looks instead.
    Column("role", Text, nullable=False, server_default="trader"),
    Column("created_at_ns", BigInteger, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("user_name", Text, ForeignKey("user.name", ondelete="CASCADE"), nullable=False),
    Column("created_at_ns", BigInteger, nullable=False),
    Column("expires_at_ns", BigInteger, nullable=False),
)


class UsersDatabaseError(Exception):
    """The users database cannot be used."""


async def open_users_database(path: Path) -> AsyncEngine:
    """The database at `path`, made where there is none, private to its owner and on the current schema.

    Raises UsersDatabaseError when the file is something else, of a newer version of this program, or cannot be used.
    """
    try:
        make_private(path)
    except OSError as error:
        raise UsersDatabaseError(f"cannot use {path}: {error.strerror}") from error
    engine = _engine(URL.create("sqlite+aiosqlite", database=str(path)))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_bring_up_to_date)
            await connection.run_sync(_check_roles)
    except BaseException as error:
        await engine.dispose()
        if isinstance(error, DatabaseError):
            raise UsersDatabaseError(f"cannot use {path}: {error.orig}") from error
        raise
    return engine


async def open_memory_database(name: str) -> AsyncEngine:
    """The database of this name in the memory of this process, which lives as long as somebody has it open.

    Its tables are made as they are described here: there is no older schema to come from.
    """
    engine = _engine(URL.create("sqlite+aiosqlite", database=memory_uri(name), query={"uri": "true"}))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
    except BaseException:
        await engine.dispose()
        raise
    return engine


def memory_uri(name: str) -> str:
    """How SQLite is asked for the database of this name in memory; opening it holds it."""
    return f"file:{name}?mode=memory&cache=shared"


def _engine(url: URL) -> AsyncEngine:
    # At DEBUG they log the values of every statement and the rows of every answer, hashes among them: that must not
    # depend on a level alone.
    for name in ("aiosqlite", "sqlalchemy.engine.Engine"):
        logging.getLogger(name).addFilter(_no_debug)
    engine = create_async_engine(
        url,
        pool_size=1,
        max_overflow=0,
        # Else the text of every database error, and the log at INFO, would carry them.
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _prepare)
    # By itself the driver begins with the first change of a row: DDL before it would stand if the rest fails.
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _no_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def user_of(row: Row[Any], as_of: int) -> User:
    """The user of a row of `user`, read when so much had been revoked: see `Revocations.count`."""
    return User(
        name=row.name,
        account_id=AccountId(row.account_id),
        role=Role(row.role),
        created_at_ns=row.created_at_ns,
        as_of=as_of,
    )


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _bring_up_to_date(connection: Connection) -> None:
    found = _stored_revision(connection)
    if found == REVISION:
        return
    # Imported here: a start with a current schema does not pay for it.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    # The option passes through a config parser, which would take a % in the path for its own.
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise UsersDatabaseError(
            f"{connection.engine.url.database} has the schema revision {found}, this version of the program knows "
            f"those up to {REVISION}: use the version that wrote it"
        ) from error


def _check_roles(connection: Connection) -> None:
    """Raise UsersDatabaseError where somebody has a role that this program does not know: nothing may be guessed."""
    stranger = connection.execute(select(user.c.name, user.c.role).where(user.c.role.not_in(list(Role)))).first()
    if stranger is not None:
        raise UsersDatabaseError(
            f"{connection.engine.url.database}: the user {stranger.name!r} has the role {stranger.role!r}, which is "
            f"none of {', '.join(Role)}: use the version of the program that wrote it, or give the user one of these"
        )


def _stored_revision(connection: Connection) -> str | None:
    """The revision of the open database, None while it is empty."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if not {"alembic_version", *metadata.tables} <= tables:
        raise UsersDatabaseError(f"{connection.engine.url.database} is a database, but not of users: give another path")
    revision: str = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    return revision


def migrations_folder() -> Path:
    """Where the migrations of this database lie: inside the package when installed, at the top level in a checkout."""
    package = Path(__file__).resolve().parents[2]
    # The installed place first: site-packages may hold a foreign top-level `migrations`.
    for migrations in (package / "migrations", package.parent / "migrations"):
        if (migrations / "users" / "env.py").is_file():
            return migrations / "users"
    raise UsersDatabaseError(f"the migrations of the users database are missing in {package}: install it anew")
