"""The client and a whole exchange: both dialects, broken lines, revoked tokens, a process that is killed."""

from __future__ import annotations

import asyncio
import http.client
import signal
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from exchange.client import Client, ClientOptions, LoginError
from exchange.client.layout import DialectName
from exchange.domain.values import Money
from exchange.gateway.access import Role
from exchange.server.app import Exchange
from exchange.server.port.port import TlsFiles
from projections.merge_patch import same_json
from tests.client.clients import Sleeps, UntilBack
from tests.support.diff_client import PASSWORD
from tests.support.exchange_process import serving
from tests.support.log_views import views_at
from tests.support.running import running

RB: Final = "SHFE.rb2701"
SLOWLY: Final = 60.0
"""Seconds for what is quick, on a machine that is busy."""


def client_of(exchange: Exchange, user: str = "alice", **changes: Any) -> Client:
    return Client(f"ws://{exchange.port.address}", user, PASSWORD, **({"sleep": Sleeps()} | changes))


def cut_all(exchange: Exchange) -> None:
    """Break every line without a word."""
    for connection in tuple(exchange.gate.connections):
        connection.cut()


def check_own(client: Client, folder: Path) -> None:
    """The client's rows are those of the log at its version."""
    assert client.version is not None
    expected = views_at(folder, client.user, [client.version])[client.version]["trade"]
    assert same_json(client.picture.tree["trade"], expected)


@pytest.mark.parametrize("dialect", ["guide", "flat"])
async def test_two_users_trade_and_read_the_same_rows_in_both_dialects(tmp_path: Path, dialect: DialectName) -> None:
    async with (
        running(tmp_path) as exchange,
        client_of(exchange, dialect=dialect) as alice,
        client_of(exchange, "bob", dialect=dialect) as bob,
    ):
        await alice.subscribe(RB)
        rests = await alice.insert(RB, "BUY", "OPEN", 3, 3600, wait=True, timeout_s=SLOWLY)
        assert rests.status == "ALIVE"
        quote = await alice.wait_for(lambda now: now.quote(RB), SLOWLY)
        assert (quote.best_bid, quote.price_tick, quote.volume_multiple) == (3600.0, 1.0, 10)
        takes = await bob.insert(RB, "SELL", "OPEN", 2, 3600)
        assert (await takes.finished(SLOWLY)).volume_filled == 2
        await alice.wait_for(lambda now: len(now.trades) == 1, SLOWLY)
        order, account, position = rests.order, alice.account, alice.position(RB)
        assert order is not None
        assert account is not None
        assert position is not None
        assert (order.status, order.volume, order.volume_left, order.limit_price) == ("PARTIALLY_FILLED", 3, 1, 3600.0)
        assert order.inserted_at_ms > 1_700_000_000_000
        [trade] = alice.picture.trades_of(order.order_id)
        assert (trade.price, trade.volume, trade.direction) == (3600.0, 2, "BUY")
        assert abs(trade.traded_at_ms - order.inserted_at_ms) < 60_000
        assert alice.trade(trade.trade_id) == trade
        assert (position.volume_long, position.net, position.open_price_long) == (2, 2, 3600.0)
        assert position.open_price_short is None
        assert alice.positions == {RB: position}
        assert alice.quotes.keys() == {RB}
        parts = account.static_balance + account.close_profit + account.position_profit - account.commission
        assert account.balance == pytest.approx(parts)
        await rests.cancel()
        assert (await rests.finished(SLOWLY)).status == "CANCELLED"
        refused = await alice.insert(RB, "SELL", "CLOSETODAY", 9, 3600, wait=True, timeout_s=SLOWLY)
        assert refused.status == "REJECTED"
        assert len(alice.to_dataframe("orders")) == 2


@pytest.mark.parametrize("dialect", ["guide", "flat"])
async def test_an_order_that_is_not_taken_does_not_wait_for_its_answer(tmp_path: Path, dialect: DialectName) -> None:
    async with running(tmp_path) as exchange:
        await exchange.operator.add_user("eve", PASSWORD, Money(0), Role.OBSERVER)
        async with client_of(exchange, "eve", dialect=dialect) as eve:
            order = await eve.insert(RB, "BUY", "OPEN", 1, 3600, wait=True, timeout_s=SLOWLY)
            assert (order.status, order.is_finished) == ("REJECTED", True)
            assert order.refusal is not None
            assert (order.refusal.code, order.refusal.order_id) == (1006, order.order_id)
            assert eve.orders == {}


async def test_a_cut_line_is_led_on_and_the_mirror_is_that_of_the_log(tmp_path: Path) -> None:
    async with running(tmp_path) as exchange, client_of(exchange) as alice, client_of(exchange, "bob") as bob:
        await alice.subscribe(RB)
        for number in range(8):
            await alice.insert(RB, "BUY", "OPEN", 1, 3600)
            order = await bob.insert(RB, "SELL", "OPEN", 1, 3600)
            if number % 2:
                cut_all(exchange)
            await order.finished(SLOWLY)
        await alice.wait_for(lambda now: len(now.trades) == 8 and now.quote(RB), SLOWLY)
        check_own(alice, tmp_path)
        assert alice.resumes >= 1
        assert (alice.full_steps, bob.full_steps) == (1, 1)
        assert alice.position(RB).volume_long == 8  # type: ignore[union-attr]


async def test_a_rollback_to_every_kept_version_is_led_on_to_the_present(tmp_path: Path) -> None:
    """Law 5, from a place that only this client still knows."""
    async with running(tmp_path) as exchange, client_of(exchange) as alice, client_of(exchange, "bob") as bob:
        for _ in range(4):
            await alice.insert(RB, "BUY", "OPEN", 1, 3600)
            await (await bob.insert(RB, "SELL", "OPEN", 1, 3600)).finished(SLOWLY)
        await alice.wait_for(lambda now: len(now.trades) == 4, SLOWLY)
        latest, now = alice.version, alice.picture.tree["trade"]
        versions = alice.mirror.history
        for version, view in views_at(tmp_path, "alice", versions).items():
            assert same_json(alice.at(version).tree["trade"], view["trade"])
        for version in reversed(versions[:-1]):
            await alice.rollback(version, SLOWLY)
            assert alice.version == latest
            assert same_json(alice.picture.tree["trade"], now)
        assert alice.full_steps == 1


async def test_a_pruned_mirror_follows_and_resumes(tmp_path: Path) -> None:
    options = ClientOptions(trades_max=2, finished_orders_max=2)
    async with running(tmp_path) as exchange, client_of(exchange, options=options) as alice:
        async with client_of(exchange, "bob") as bob:
            for number in range(10):
                await alice.insert(RB, "BUY", "OPEN", 1, 3600)
                await (await bob.insert(RB, "SELL", "OPEN", 1, 3600)).finished(SLOWLY)
                if number == 5:
                    cut_all(exchange)
        working = await alice.insert(RB, "BUY", "OPEN", 1, 3500, wait=True, timeout_s=SLOWLY)
        assert alice.position(RB).volume_long == 10  # type: ignore[union-attr]
        assert (len(alice.trades), len(alice.orders)) == (2, 3)
        assert alice.orders[working.order_id].status == "ALIVE"
        assert alice.full_steps == 1
        whole = views_at(tmp_path, "alice", [alice.version or 0])[alice.version or 0]["trade"]["alice"]
        small = alice.picture.tree["trade"]["alice"]
        assert small["accounts"] == whole["accounts"]
        assert small["positions"] == whole["positions"]
        assert small["orders"].items() <= whole["orders"].items()


async def test_a_restart_is_come_back_from(tmp_path: Path) -> None:
    """The server says 1012, and is back a moment later."""
    sleep = UntilBack()
    async with running(tmp_path) as exchange:
        port = exchange.port.port
        client = client_of(exchange, sleep=sleep)
        await client.connect()
        order = await client.insert(RB, "BUY", "OPEN", 1, 3600, wait=True, timeout_s=SLOWLY)
    async with running(tmp_path, port=port):
        sleep.is_back.set()
        await client.wait_for(lambda _: client.resumes == 1, SLOWLY)
        assert client.full_steps == 1
        await order.cancel()
        assert (await order.finished(SLOWLY)).status == "CANCELLED"
        await client.close()


@pytest.mark.timeout(180)
async def test_a_client_comes_back_by_itself_from_kill_minus_nine(tmp_path: Path) -> None:
    """Orders go out while the process is killed, three times: each is taken once, under the id that it had."""
    sleep = UntilBack()
    async with serving(tmp_path) as process:
        port = str(urlsplit(process.url).port)
        client = Client(process.url, "alice", PASSWORD, sleep=sleep)
        await client.connect(SLOWLY)
        orders = [await client.insert(RB, "BUY", "OPEN", 1, 3500 + n) for n in range(5)]
        for order in orders[:2]:
            await order.acknowledged(SLOWLY)
        process.signal(signal.SIGKILL)
        await process.ended()
    versions = [client.version or 0]
    for life in range(2):
        async with serving(tmp_path, "--port", port) as process:
            sleep.is_back.set()
            orders += [
                await client.insert(RB, "BUY", "OPEN", 1, 3520 + 10 * life + n, timeout_s=SLOWLY) for n in range(5)
            ]
            if life == 1:
                for order in orders:
                    assert (await order.acknowledged(SLOWLY)).status == "ALIVE"
            versions.append(client.version or 0)
            sleep.is_back.clear()
            process.signal(signal.SIGKILL)
            await process.ended()
    assert versions == sorted(versions)
    assert client.full_steps == 1, "every life led on from the version of the one before"
    assert client.resumes >= 2
    await client.close()
    view = views_at(tmp_path, "alice", [client.version or 0])[client.version or 0]["trade"]["alice"]
    assert view["orders"].keys() == {order.order_id for order in orders}
    assert len(orders) == 15


async def test_a_token_brings_the_client_home_until_it_is_revoked(tmp_path: Path) -> None:
    async with running(tmp_path) as exchange, client_of(exchange, login_by="token") as client:
        token = client._follower._token
        assert token is not None
        cut_all(exchange)
        await client.wait_for(lambda _: client.resumes == 1, SLOWLY)
        assert client._follower._token == token
        assert await asyncio.to_thread(log_out, exchange.port.port, token) == 204
        cut_all(exchange)
        await client.wait_for(lambda _: client.resumes >= 2 and client._follower._token != token, SLOWLY)
        order = await client.insert(RB, "BUY", "OPEN", 1, 3600, wait=True, timeout_s=SLOWLY)
        assert order.status == "ALIVE"
        assert client.full_steps == 1


def log_out(port: int, token: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/api/v1/logout", headers={"Authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("login_by", ["password", "token"])
async def test_a_wrong_password_stops_the_client(tmp_path: Path, login_by: Any) -> None:
    async with running(tmp_path) as exchange:
        async with client_of(exchange):
            pass
        client = Client(f"ws://{exchange.port.address}", "alice", "not it", login_by=login_by, sleep=Sleeps())
        with pytest.raises(LoginError) as caught:
            await client.connect(SLOWLY)
        assert caught.value.code == 1001
        await client.close()


async def test_tls_carries_the_login_and_the_line(tmp_path: Path, tls_files: TlsFiles) -> None:
    trust = ssl.create_default_context(cafile=tls_files.certificate)
    settings = {"tls_cert": tls_files.certificate, "tls_key": tls_files.key}
    async with running(tmp_path, **settings) as exchange:
        url = f"wss://localhost:{exchange.port.port}"
        async with Client(url, "alice", PASSWORD, login_by="token", tls=trust) as client:
            assert client._follower._token is not None
            assert client.account is not None
            assert client.account.deposit == 1_000_000


async def test_several_who_close_at_once_leave_no_line_half_closed(tmp_path: Path) -> None:
    async with running(tmp_path) as exchange:
        client = client_of(exchange)
        await client.connect()
        closing = []
        for _ in range(3):
            closing.append(asyncio.create_task(client.close()))
            await asyncio.sleep(0)  # the first ones are on their way when the next one comes
        await asyncio.gather(*closing)
    assert exchange.gate.cut_total == 0, "the exchange, too, saw it end in good order"
