"""The file of the users database: who may read it, how it gets its schema."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, event
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.server.identity import users_database
from exchange.server.identity.users_database import UsersDatabaseError, migrations_folder, open_users_database
from tests.support.users import run_with_users


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[AsyncEngine]:
    engine = await open_users_database(path)
    yield engine
    await engine.dispose()


async def open_and_close(path: Path) -> None:
    await (await open_users_database(path)).dispose()


def stored(path: Path, query: str) -> list[tuple[object, ...]]:
    """What another program reads in the file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def test_the_file_and_its_companions_are_their_owners_alone(path: Path, database: AsyncEngine) -> None:
    async with database.begin() as connection:
        await connection.execute(delete(users_database.token))
    files = sorted(path.parent.glob("users.db*"))
    assert [file.name for file in files] == ["users.db", "users.db-shm", "users.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_that_was_open_to_others_is_closed_to_them(path: Path) -> None:
    path.touch()
    path.chmod(0o644)
    asyncio.run(open_and_close(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_named_revision_is_the_newest_there_is() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    assert ScriptDirectory.from_config(config).get_current_head() == users_database.REVISION


async def test_the_migrations_make_the_tables_that_are_described(database: AsyncEngine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    async with database.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), users_database.metadata)
        )
    # Indexes serve the file alone: the program does not name them.
    assert {difference[0] for difference in differences} == {"remove_index"}


def test_a_current_schema_costs_no_import_of_alembic(tmp_path: Path) -> None:
    path = tmp_path / "users.db"
    run_with_users(path, lambda users: users.add("alice", "pw"))
    code = (
        "import sys; from tests.support.users import run_with_users;"
        "print(len(run_with_users(sys.argv[1], lambda users: users.list())), 'alembic' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert answer.stdout == "1 False\n"


async def test_an_interrupted_first_start_leaves_no_half_schema(path: Path) -> None:
    def interrupt(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "CREATE INDEX" in statement:
            raise KeyboardInterrupt

    event.listen(Engine, "before_cursor_execute", interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            await open_users_database(path)
    finally:
        event.remove(Engine, "before_cursor_execute", interrupt)
    assert stored(path, "SELECT name FROM sqlite_schema") == []
    await open_and_close(path)


async def test_a_database_of_a_newer_version_is_refused(path: Path, database: AsyncEngine) -> None:
    await database.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
        connection.commit()
    with pytest.raises(UsersDatabaseError, match="schema revision 0999, this version of the program knows those up to"):
        await open_users_database(path)


async def test_another_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE event (log_seq INTEGER)")
    with pytest.raises(UsersDatabaseError, match="not of users"):
        await open_users_database(path)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("names and passwords\n" * 100)
    with pytest.raises(UsersDatabaseError, match=r"cannot use .*users\.db: file is not a database"):
        asyncio.run(open_and_close(path))


def test_a_missing_folder_is_named(path: Path) -> None:
    with pytest.raises(UsersDatabaseError, match=r"cannot use .*missing/users\.db: No such file or directory"):
        asyncio.run(open_and_close(path.parent / "missing" / "users.db"))


def test_the_migrations_are_found_where_an_installation_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed they lie inside the package; a foreign top-level `migrations` beside it is not taken for ours."""
    shutil.copytree(migrations_folder().parent, tmp_path / "exchange" / "migrations")
    (tmp_path / "migrations" / "users").mkdir(parents=True)
    (tmp_path / "migrations" / "users" / "env.py").touch()
    module = tmp_path / "exchange" / "server" / "identity" / "users_database.py"
    monkeypatch.setattr(users_database, "__file__", str(module))
    assert migrations_folder() == tmp_path / "exchange" / "migrations" / "users"
    asyncio.run(open_and_close(tmp_path / "users.db"))


def test_missing_migrations_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        users_database, "__file__", str(tmp_path / "exchange" / "server" / "identity" / "users_database.py")
    )
    with pytest.raises(UsersDatabaseError, match="migrations of the users database are missing"):
        migrations_folder()
