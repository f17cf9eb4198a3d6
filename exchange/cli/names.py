"""The users of a data folder, read beside the server or without one: no lock, no SQLAlchemy, nothing is changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from exchange.cli.errors import FailedError
from exchange.domain.values import AccountId
from exchange.gateway.access import Role
from exchange.server.data_folder import DataFolder
from exchange.server.identity.users import User

_USERS = 'SELECT name, account_id, role, created_at_ns FROM "user" ORDER BY name'


def read_users(data: Path) -> tuple[User, ...]:
    """All users by name; none where there is no users database yet. Raises FailedError where it cannot be read."""
    path = DataFolder(data).users_db
    if not path.is_file():
        return ()
    try:
        # Read-only: two connections that write to one file or checkpoint it can corrupt it, and the server has one.
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(_USERS).fetchall()
    except sqlite3.Error as error:
        raise FailedError(f"the users database {path} cannot be read: {error}") from error
    return tuple(
        User(name=name, account_id=AccountId(account_id), role=Role(role), created_at_ns=created_at_ns)
        for name, account_id, role, created_at_ns in rows
    )
