"""Serving until somebody stops it, and the exit status."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from pathlib import Path

import pytest

from eventstore.model import OutcomeUnknownError
from exchange.domain.values import Money
from exchange.server import recovery
from exchange.server.app import Exchange
from exchange.server.data_folder import DataFolder
from exchange.server.port.port import PortError
from exchange.server.serve import OUTCOME_UNKNOWN, STOPPED, serve
from exchange.server.settings import Settings
from tests.support.running import running

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def settings(folder: Path) -> Settings:
    return Settings.load(data=folder, port=0)


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_stops_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    seen: list[int] = []

    async def ready(exchange: Exchange) -> None:
        seen.append(exchange.port.port)
        os.kill(os.getpid(), number)

    async with asyncio.timeout(30):
        assert await serve(settings(tmp_path), ready=ready) == STOPPED
    assert len(seen) == 1
    assert not DataFolder(tmp_path).is_locked()
    assert gc.isenabled()


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_while_the_log_is_read_stops_it_before_it_is_ready(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path):
        pass
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(recovery, "PROGRESS_INTERVAL", 1)

    async def never(_: Exchange) -> None:
        raise AssertionError("it was stopped before it could be ready")

    def progress(reached: int, head: int) -> None:
        assert head > 1
        if reached == 1:
            # Sent to this thread, which reads the log, so that it has arrived when this returns.
            signal.raise_signal(number)
            # The loop has heard of it when a task of two passes is done.
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(30)

    async with asyncio.timeout(30):
        assert await serve(settings(tmp_path), ready=never, progress=progress) == STOPPED
    assert not DataFolder(tmp_path).is_locked()


async def test_a_failed_append_has_a_status_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OutcomeUnknownError("the disk is gone")

    async def ready(exchange: Exchange) -> None:
        monkeypatch.setattr(exchange.store, "append", fail)
        with pytest.raises(OutcomeUnknownError):
            await exchange.operator.add_user("alice", "pw", Money(0))

    async with asyncio.timeout(30):
        assert await serve(settings(tmp_path), ready=ready) == OUTCOME_UNKNOWN
    assert not DataFolder(tmp_path).is_locked()


async def test_what_keeps_it_from_starting_leaves(tmp_path: Path) -> None:
    async def never(_: Exchange) -> None:
        raise AssertionError("it could not start")

    async with running(tmp_path / "other") as other:
        taken = Settings.load(data=tmp_path / "data", port=other.port.port)
        with pytest.raises(PortError, match=str(other.port.port)):
            await serve(taken, ready=never)
    assert gc.isenabled()


async def test_what_goes_wrong_once_it_is_ready_stops_it_first(tmp_path: Path) -> None:
    async def ready(_: Exchange) -> None:
        raise RuntimeError("no demo today")

    with pytest.raises(RuntimeError, match="no demo today"):
        await serve(settings(tmp_path), ready=ready)
    assert not DataFolder(tmp_path).is_locked()
