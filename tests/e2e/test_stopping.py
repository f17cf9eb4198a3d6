"""How a server ends: asked to, out of disk, or not even begun; and what its clients learn of it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Final

import pytest

from eventstore.faults import Fault, FaultyStore
from eventstore.model import Durability, StoreError
from eventstore.sqlite import SqliteStore
from exchange.server import home
from exchange.server.data_folder import DataFolder
from tests.e2e.traders import Trader, check_acknowledged
from tests.support.diff_client import DEADLINE_S, DiffClient
from tests.support.exchange_process import launched, serving, with_file_size
from tests.support.log_views import check_mirror
from tests.support.running import running, url_of
from tests.support.ws import RawClient

SERVICE_RESTART: Final = 1012
FAILED: Final = 1
OUTCOME_UNKNOWN: Final = 70
OUTCOME_UNKNOWN_NOTICE: Final = 5004
DISK_BYTES: Final = 1024 * 1024
"""A new log takes less than half of it, a few hundred orders take the rest."""


async def settle(traders: list[Trader], folder: Path) -> None:
    """Start again; everybody comes back and finds all that was acknowledged."""
    async with serving(folder) as process:
        for trader in traders:
            await trader.settle(process.url)
            check_mirror(trader.mirror, folder)
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0, process
    check_acknowledged(traders, folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_signal_under_load_stops_cleanly_and_loses_nothing(tmp_path: Path, number: signal.Signals) -> None:
    steps = asyncio.Semaphore(0)
    traders = [Trader(f"trader{each}", stepped=steps.release) for each in range(2)]
    async with serving(tmp_path) as process, asyncio.TaskGroup() as group:
        for trader in traders:
            group.create_task(trader.trade(process.url))
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(20):
                await steps.acquire()
        process.signal(number)
        assert await process.ended() == 0, process
    assert [trader.closed and trader.closed.code for trader in traders] == [SERVICE_RESTART] * 2
    assert not DataFolder(tmp_path).server_json.exists()
    await settle(traders, tmp_path)


async def test_a_client_that_does_not_close_cannot_hold_up_the_stop(tmp_path: Path) -> None:
    async with serving(tmp_path) as process, await RawClient.open(process.facts["port"]) as silent:
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0, process
        async with asyncio.timeout(DEADLINE_S):
            code, reason = await silent.read_close()
    assert code == SERVICE_RESTART
    assert "connect again" in reason


async def test_a_second_server_on_the_same_folder_refuses_and_the_first_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        async with launched(tmp_path) as second:
            assert not await second.until_ready()
            assert await second.ended() == FAILED
            assert any(f"in use by the server at {first.facts['url']}" in line for line in second.lines), second
        async with DiffClient.connect(first.url) as client:
            await client.login("alice")
            await client.insert("o1", "BUY", 3600)
            await client.until_order("o1", "ALIVE")


async def test_a_full_disk_ends_the_server_loudly_and_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    trader = Trader("trader")
    async with (
        serving(tmp_path, before_exec=with_file_size(DISK_BYTES)) as process,
        DiffClient.connect(process.url) as watching,
        asyncio.TaskGroup() as group,
    ):
        await watching.login("watcher")
        group.create_task(trader.trade(process.url))
        await watching.until(lambda mirror: mirror.codes == [OUTCOME_UNKNOWN_NOTICE])
        watching_closed = await watching.closed()
        assert await process.ended() == OUTCOME_UNKNOWN, process
    assert any("append failed" in line for line in process.lines), process
    for closed in (watching_closed, trader.closed):
        assert closed is not None
        assert closed.code == SERVICE_RESTART
    assert trader.acknowledged
    assert trader.unacknowledged, "nothing was on its way when the disk was full"
    await start_on_a_full_disk(tmp_path)
    await settle([trader], tmp_path)


async def start_on_a_full_disk(folder: Path) -> None:
    """Nothing is served, and nothing is made worse."""
    async with launched(folder, before_exec=with_file_size(1024)) as process:
        assert not await process.until_ready()
        assert await process.ended() == FAILED, process
        assert any(line.startswith("error:") for line in process.lines), process


@pytest.mark.parametrize("fault", Fault)
async def test_an_order_whose_append_failed_gets_its_one_outcome_after_the_restart(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may say what became of it before the log was read again; sent again under its id, it is done once."""
    stores: list[FaultyStore] = []

    def open_store(path: Path, durability: Durability) -> FaultyStore:
        stores.append(FaultyStore(SqliteStore(path, durability)))
        return stores[-1]

    with monkeypatch.context() as patch:
        patch.setattr(home, "SqliteStore", open_store)
        async with running(tmp_path) as exchange, DiffClient.connect(url_of(exchange)) as client:
            mirror = await client.login("alice")
            await client.insert("before", "BUY", 3600)
            await client.until_order("before")
            stores[0].fail_next(fault)
            await client.insert("unknown", "BUY", 3600)
            await client.until(lambda mirror: mirror.codes == [OUTCOME_UNKNOWN_NOTICE])
            assert mirror.statuses() == {"before": "ALIVE"}
            assert isinstance(await exchange.failed, StoreError)
            assert mirror.notices[0]["level"] == "WARNING"
    async with running(tmp_path) as exchange, DiffClient.connect(url_of(exchange)) as client:
        await client.login(mirror=mirror)
        assert mirror.statuses().keys() == ({"before", "unknown"} if fault is Fault.KEPT else {"before"})
        await client.insert("unknown", "BUY", 3600)
        await client.insert("after", "BUY", 3600)
        await client.until(lambda mirror: mirror.statuses() == dict.fromkeys(("before", "unknown", "after"), "ALIVE"))
        assert mirror.full_steps == 1
        check_mirror(mirror, tmp_path)
