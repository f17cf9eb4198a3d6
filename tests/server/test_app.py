"""The whole exchange, started and stopped: what is served while, before and after."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from exchange.server import app
from exchange.server.app import Exchange
from exchange.server.recovery import Recovered, recover
from exchange.server.settings import Settings


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
