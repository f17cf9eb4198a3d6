"""What clients meet who come early: while the log is being read, or two windows of a new user at the same moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from eventstore.store import EventStore
from exchange.server import app
from exchange.server.app import Exchange
from exchange.server.recovery import Progress, Recovered, recover
from exchange.server.settings import Settings
from tests.support.diff_client import DEADLINE_S, DiffClient
from tests.support.log_views import check_mirror
from tests.support.running import DEPOSIT, running, url_of


class SlowRecovery:
    """Reads the log once it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = threading.Event()
        self._loop = asyncio.get_running_loop()

    def recover(self, store: EventStore, progress: Progress | None) -> Recovered:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.go_on.wait(DEADLINE_S)
        return recover(store, progress)


@asynccontextmanager
async def starting(folder: Path, recovery: SlowRecovery) -> AsyncIterator[tuple[Exchange, asyncio.Task[None]]]:
    """An exchange that has begun to read its log, and the task that starts it."""
    exchange = Exchange(Settings.load(data=folder, port=0, auto_open=DEPOSIT))
    start = asyncio.create_task(exchange.start())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await recovery.begun.wait()
        yield exchange, start
    finally:
        recovery.go_on.set()
        await asyncio.gather(start, return_exceptions=True)
        await exchange.stop()


async def test_a_client_that_comes_while_the_log_is_read_is_asked_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovery = SlowRecovery()
    monkeypatch.setattr(app, "recover", recovery.recover)
    async with (
        starting(tmp_path, recovery) as (exchange, start),
        httpx.AsyncClient(base_url=f"http://{exchange.port.address}") as http,
    ):
        assert (await http.get("/healthz")).status_code == HTTPStatus.OK
        assert (await http.get("/readyz")).status_code == HTTPStatus.SERVICE_UNAVAILABLE
        with pytest.raises(InvalidStatus) as refused:
            async with DiffClient.connect(url_of(exchange)):
                pass
        assert refused.value.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        recovery.go_on.set()
        await start
        assert (await http.get("/readyz")).status_code == HTTPStatus.OK
        async with DiffClient.connect(url_of(exchange)) as client:
            await client.login("alice")


async def test_two_windows_of_a_new_user_may_log_in_at_the_same_moment(tmp_path: Path) -> None:
    """The account is opened once, for both."""
    async with (
        running(tmp_path) as exchange,
        DiffClient.connect(url_of(exchange)) as first,
        DiffClient.connect(url_of(exchange)) as second,
    ):
        await asyncio.gather(first.login("alice"), second.login("alice"))
        for window in (first, second):
            assert window.mirror.auth_result["level"] == "INFO"
            await window.until(lambda mirror: mirror.account["deposit"] == DEPOSIT)
            assert window.mirror.codes == []
            check_mirror(window.mirror, tmp_path)


async def test_a_new_users_windows_with_two_passwords_are_not_both_let_in(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as exchange,
        DiffClient.connect(url_of(exchange)) as first,
        DiffClient.connect(url_of(exchange)) as second,
    ):
        await asyncio.gather(first.login("alice", "one"), second.login("alice", "another"))
        assert sorted(window.mirror.auth_result["level"] for window in (first, second)) == ["ERROR", "INFO"]
