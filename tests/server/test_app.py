"""The whole exchange, started and stopped: what is served while, before and after."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from eventstore.model import DamageError, OutcomeUnknownError
from eventstore.sqlite import SqliteStore
from exchange.domain.commands import OpenAccount
from exchange.domain.values import AccountId, Money
from exchange.market.reading import MarketFileError
from exchange.server import app
from exchange.server.app import Exchange
from exchange.server.data_folder import DataFolder, FolderLockedError
from exchange.server.identity.users_database import UsersDatabaseError
from exchange.server.port.port import PortError
from exchange.server.recovery import Recovered, recover
from exchange.server.settings import Settings
from tests.support.diff_client import DiffClient
from tests.support.running import running, url_of


async def test_while_the_log_is_read_the_process_lives_is_not_ready_and_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    reading, go_on = asyncio.Event(), threading.Event()

    def held_recovery(*arguments: Any) -> Recovered:
        loop.call_soon_threadsafe(reading.set)
        assert go_on.wait(30), "the test did not let the recovery go on"
        return recover(*arguments)

    monkeypatch.setattr(app, "recover", held_recovery)
    exchange = Exchange(Settings.load(data=tmp_path, port=0))
    starting = asyncio.create_task(exchange.start())
    try:
        await reading.wait()
        async with httpx.AsyncClient(base_url=f"http://{exchange.port.address}") as client:
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).json() == {"ready": False}
            # There is no admin token yet, and nothing that it could command.
            assert (await client.get("/api/v1/admin/users")).json()["error"]["reason"] == "NOT_READY"
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://{exchange.port.address}/ws")
            assert refused.value.response.status_code == 503
            go_on.set()
            await starting
            assert (await client.get("/readyz")).json() == {"ready": True}
        async with connect(f"ws://{exchange.port.address}/ws") as client_connection:
            await client_connection.send('{"aid":"ping"}')
            assert await client_connection.recv() == '{"aid":"pong"}'
    finally:
        go_on.set()
        await starting
        await exchange.stop()


async def test_the_same_log_is_gone_on_with_under_a_higher_epoch(tmp_path: Path) -> None:
    first = Exchange(Settings.load(data=tmp_path, port=0))
    await first.start()
    head = first.store.head
    await first.stop()
    second = Exchange(Settings.load(data=tmp_path, port=0))
    await second.start()
    try:
        again = second.store.head
        assert (again.log_id, again.log_seq) == (head.log_id, head.log_seq)
        assert again.epoch == head.epoch + 1
    finally:
        await second.stop()


async def fails_to_start(folder: Path, error: type[Exception], **settings: Any) -> None:
    """It says why it does not start, gives back what it took, and leaves no task behind."""
    others = asyncio.all_tasks()
    with pytest.raises(error):
        await Exchange(Settings.load(**{"data": folder, "port": 0} | settings)).start()
    assert asyncio.all_tasks() == others
    with DataFolder(folder).lock():
        assert DataFolder(folder).running() is None


async def starts(folder: Path) -> None:
    async with running(folder) as exchange:
        assert exchange.sequencer.durable_log_seq > 0


async def test_a_port_that_is_taken_keeps_it_from_starting(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        await fails_to_start(tmp_path, PortError, port=other.getsockname()[1])
    await starts(tmp_path)


async def test_a_damaged_log_keeps_it_from_starting_and_frees_the_port(tmp_path: Path) -> None:
    log_db = tmp_path / "log.db"
    log_db.write_bytes(b"no database" * 1_000)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    await fails_to_start(tmp_path, DamageError, port=port)
    log_db.unlink()
    async with running(tmp_path, port=port) as exchange:
        assert exchange.port.port == port


async def test_a_users_database_that_is_none_keeps_it_from_starting(tmp_path: Path) -> None:
    users_db = tmp_path / "users.db"
    users_db.write_bytes(b"no database" * 1_000)
    await fails_to_start(tmp_path, UsersDatabaseError)
    users_db.unlink()
    await starts(tmp_path)


async def test_a_market_file_that_is_none_keeps_it_from_starting_before_anything_is_made(tmp_path: Path) -> None:
    market = tmp_path / "market.toml"
    market.write_text("x = [")
    exchange = Exchange(Settings.load(data=tmp_path / "data", port=0, market=market))
    with pytest.raises(MarketFileError):
        await exchange.start()
    assert not (tmp_path / "data").exists()


async def test_a_folder_that_somebody_has_is_left_to_them(tmp_path: Path) -> None:
    async with running(tmp_path) as first:
        with pytest.raises(FolderLockedError, match=str(first.port.port)):
            await Exchange(Settings.load(data=tmp_path, port=0)).start()
        assert DataFolder(tmp_path).running() == first.server
        async with DiffClient.connect(url_of(first)) as client:
            await client.login("alice")


async def test_an_append_that_fails_at_the_start_keeps_it_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OutcomeUnknownError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "append", fail)
        await fails_to_start(tmp_path, OutcomeUnknownError)
    await starts(tmp_path)


async def test_an_append_that_fails_ends_the_exchange_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OutcomeUnknownError("the disk is gone")

    async with running(tmp_path, auto_open=None) as exchange:
        monkeypatch.setattr(exchange.store, "append", fail)
        with caplog.at_level(logging.CRITICAL), pytest.raises(OutcomeUnknownError, match="the disk is gone"):
            await exchange.operator.add_user("alice", "the secret", Money(0))
        assert "the disk is gone" in str(await exchange.failed)
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    assert "the secret" not in caplog.text


async def test_an_append_that_fails_while_it_stops_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = threading.Event()

    def fail(*_: object, **__: object) -> None:
        assert stopping.wait(30), "the test did not stop the exchange"
        raise OutcomeUnknownError("the disk is gone")

    async def begin_to_stop() -> None:
        stopping.set()

    async with running(tmp_path) as exchange:
        monkeypatch.setattr(exchange.store, "append", fail)
        waiting = exchange.desk.begin(OpenAccount(account_id=AccountId("A1")), actor="operator", origin="test")
        exchange.before_stop(begin_to_stop)
    assert exchange.failed.done()
    with pytest.raises(OutcomeUnknownError):
        await waiting


async def test_views_that_do_not_take_what_the_log_has_end_the_exchange_and_keep_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the views cannot take this")

    async with running(tmp_path, auto_open=None) as exchange:
        head = exchange.sequencer.durable_log_seq
        with monkeypatch.context() as patch, caplog.at_level(logging.CRITICAL):
            patch.setattr(exchange.publisher.projections, "apply", fail)
            async with asyncio.timeout(30):
                with pytest.raises(OutcomeUnknownError, match="the views cannot take this"):
                    await exchange.operator.add_user("alice", "pw", Money(0))
        assert "the views cannot take this" in str(await exchange.failed)
        async with httpx.AsyncClient(base_url=f"http://{exchange.port.address}") as client:
            assert (await client.get("/readyz")).status_code == 503
    async with running(tmp_path) as again:
        assert again.recovered_log_seq == head + 1, "what was durable stays"


async def test_a_stop_disconnects_everybody_and_withdraws_what_was_published(tmp_path: Path) -> None:
    async with running(tmp_path) as exchange:
        async with connect(url_of(exchange)) as client:
            await exchange.stop()
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        assert DataFolder(tmp_path).running() is None
        assert not DataFolder(tmp_path).admin_token.exists()
