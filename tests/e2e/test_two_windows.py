"""Two windows of one user: whichever of them acts, both see everything, and the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from exchange.server.app import Exchange
from tests.support.diff_client import INSTRUMENT, DiffClient, Mirror
from tests.support.log_views import check_mirror, check_pictures
from tests.support.running import DEPOSIT, running, url_of

FUNDS = 2001
UNKNOWN_ORDER = 2101

Windows = tuple[DiffClient, DiffClient]
"""Both of one user."""


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with running(tmp_path) as exchange:
        yield exchange


@pytest.fixture
async def windows(exchange: Exchange) -> AsyncIterator[Windows]:
    """Two windows of alice, both subscribed."""
    async with AsyncExitStack() as stack:
        pair = []
        for _ in range(2):
            client = await stack.enter_async_context(DiffClient.connect(url_of(exchange)))
            await client.login("alice")
            await client.subscribe(INSTRUMENT)
            pair.append(client)
        yield pair[0], pair[1]


@pytest.fixture
async def counterpart(exchange: Exchange) -> AsyncIterator[DiffClient]:
    """Somebody to trade with."""
    async with DiffClient.connect(url_of(exchange)) as client:
        await client.login("bob")
        yield client


async def park(windows: Windows) -> None:
    """Both wait for news, so that whatever happens next must wake both."""
    for window in windows:
        await window.park()


async def test_an_order_its_fill_and_its_cancel_show_in_both_windows_whoever_acts(
    windows: Windows, counterpart: DiffClient, tmp_path: Path
) -> None:
    for number, acting in enumerate(windows):
        order_id = f"o{number}"
        await park(windows)
        await acting.insert(order_id, "BUY", 3600, 2)
        for window in windows:
            await window.until_order(order_id, "ALIVE")
        await park(windows)
        await counterpart.insert(order_id, "SELL", 3600, 1)
        for window in windows:
            await window.until_order(order_id, "PARTIALLY_FILLED")
            assert [trade["volume"] for trade in window.mirror.trades.values()] == [1] * (number + 1)
            assert window.mirror.own["positions"][INSTRUMENT]["volume_long"] == number + 1
            assert window.mirror.quotes[INSTRUMENT]["volume"] == number + 1
        await park(windows)
        await windows[1 - number].cancel(order_id)
        for window in windows:
            await window.until_order(order_id, "CANCELLED")
        assert windows[0].mirror.version == windows[1].mirror.version
        assert windows[0].mirror.tree["trade"] == windows[1].mirror.tree["trade"]
        for window in windows:
            check_mirror(window.mirror, tmp_path)


async def test_refusals_are_told_in_both_windows(windows: Windows) -> None:
    acting, watching = windows
    await park(windows)
    await acting.insert("too large", "BUY", 3600, 500)
    for window in windows:
        await window.until_order("too large", "REJECTED")
        assert window.mirror.codes == [FUNDS]
        assert window.mirror.notices[0]["content"] == window.mirror.orders["too large"]["last_msg"]
    await park(windows)
    await watching.cancel("no such order")
    for window in windows:
        await window.until(lambda mirror: mirror.codes == [FUNDS, UNKNOWN_ORDER])


async def test_cash_that_the_operator_pays_in_shows_in_both_windows(
    exchange: Exchange, windows: Windows, tmp_path: Path
) -> None:
    await park(windows)
    async with httpx.AsyncClient(base_url=f"http://{exchange.port.address}") as api:
        answer = await api.post(
            "/api/v1/admin/deposits",
            json={"user": "alice", "amount": "0.25"},
            headers={"Authorization": f"Bearer {exchange.home.read_admin_token()}"},
        )
    assert answer.status_code == 201
    for window in windows:
        await window.until(lambda mirror: mirror.account["deposit"] == DEPOSIT + 0.25)
        assert window.mirror.version == answer.json()["log_seq"]
        check_mirror(window.mirror, tmp_path)


async def test_every_picture_that_either_window_ever_shows_is_the_servers(
    exchange: Exchange, counterpart: DiffClient, tmp_path: Path
) -> None:
    """Both windows trade at once; each takes its steps at its own pace, and no picture of either is ever wrong."""
    async with DiffClient.connect(url_of(exchange)) as eager, DiffClient.connect(url_of(exchange)) as lazy:
        for window in (eager, lazy):
            await window.login("alice", mirror=Mirror(keeps_pictures=True))
            await window.subscribe(INSTRUMENT)
        for number in range(60):
            acting = (eager, lazy)[number % 2]
            await acting.insert(f"a{number}", "BUY", 3600 - number % 3, 1 + number % 4)
            await counterpart.insert(f"b{number}", "SELL", 3600 - number % 4, 1 + number % 3)
            if number % 5 == 4:
                await acting.cancel(f"a{number - 1}")
            await eager.until_order(f"a{number}")
            if number % 10 == 9:
                await lazy.until_order(f"a{number}")
        assert eager.mirror.steps > lazy.mirror.steps
        for window in (eager, lazy):
            assert window.mirror.pictures is not None
            check_pictures(window.mirror.pictures, "alice", tmp_path)
