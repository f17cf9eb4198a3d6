"""A secret that was sent in any way is found nowhere afterwards: no log, no traceback, no database."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exchange.domain.values import YUAN, Money
from exchange.gateway.surroundings import User
from tests.server.identity.canaries import PASSWORD, USER, WAYS, Stage, turn_on_every_log
from tests.support.running import running


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Everything that is logged, with tracebacks, whatever its level."""
    lines: list[str] = []
    formatter = logging.Formatter("%(name)s %(message)s %(args)s")
    manager = logging.getLogger().manager
    levels = {name: each.level for name, each in manager.loggerDict.items() if isinstance(each, logging.Logger)}

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(formatter.format(record))

    keeper = Keeper(1)
    root = logging.getLogger()
    root_level = root.level
    root.addHandler(keeper)
    yield lines
    root.removeHandler(keeper)
    root.setLevel(root_level)
    for name, each in manager.loggerDict.items():
        if isinstance(each, logging.Logger):
            each.setLevel(levels.get(name, logging.NOTSET))


@pytest.fixture
async def stage(tmp_path: Path, logged: list[str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with running(tmp_path, auto_open=None) as exchange:
        await exchange.operator.add_user(USER, PASSWORD, Money(1_000 * YUAN))
        known = await exchange.users.find(USER)
        assert known is not None
        token = await exchange.users.issue_token(known)
        ticket, _ = exchange.tickets.issue(User(known.name, known.account_id))
        turn_on_every_log()
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        # Then the loop tells of every call that it makes.
        loop.slow_callback_duration = 0.0
        yield Stage(exchange, token.text, ticket, monkeypatch)
        loop.set_debug(False)


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
async def test_a_secret_is_found_nowhere(
    way: Callable[[Stage], Awaitable[None]],
    stage: Stage,
    logged: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ((password_hash,),) = rows_of(tmp_path / "users.db", "SELECT password_hash FROM user")
    await way(stage)
    await stage.exchange.stop()
    assert len(logged) > 10, "the loop alone tells more than that"
    printed = capfd.readouterr()
    told = "\n".join([*logged, *stage.said, printed.out, printed.err])
    kept = values_in(tmp_path)
    assert USER in kept, "this search finds what is there"
    for secret in stage.secrets:
        assert secret not in told
        assert secret not in kept
    assert str(password_hash) not in told


def rows_of(database: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def values_in(folder: Path) -> str:
    """Every byte of every file, and every value of every row, since one may lie across the border of two pages."""
    texts = [file.read_bytes().decode("latin-1") for file in sorted(folder.rglob("*")) if file.is_file()]
    for database in (folder / "log.db", folder / "users.db"):
        for (table,) in rows_of(database, "SELECT name FROM sqlite_schema WHERE type = 'table'"):
            for row in rows_of(database, f'SELECT * FROM "{table}"'):
                texts += [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row]
    return "\n".join(texts)


def test_the_search_finds_a_secret_that_is_logged(logged: list[str]) -> None:
    turn_on_every_log()
    try:
        raise ValueError(PASSWORD)
    except ValueError:
        logging.getLogger("some.library").debug("it failed", exc_info=True)
    logging.getLogger("another").debug("with %s", PASSWORD)
    assert [PASSWORD in line for line in logged] == [True, True]
