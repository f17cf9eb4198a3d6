"""In virtual time nothing happens by itself: the clock brings every deadline that the exchange itself keeps."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from exchange.domain.events import OrderAccepted
from exchange.testing import exchange_running
from tests.support.diff_client import INSTRUMENT, DiffClient


async def test_orders_carry_the_clock_s_time() -> None:
    async with exchange_running() as exchange, DiffClient.connect(exchange.url) as client:
        await client.login("alice", exchange.password("alice"))
        begin = exchange.now
        for number, wait_s in enumerate((0, 90.25)):
            exchange.advance(wait_s)
            await client.insert(f"o{number}", "BUY", 3500)
            await client.until_order(f"o{number}", "ALIVE")
        first, second = exchange.events(OrderAccepted)
        assert (first.at_ns, second.at_ns - first.at_ns) == (begin.timestamp() * 1e9, 90_250_000_000)


async def test_a_parked_peek_is_answered_when_its_time_is_over() -> None:
    async with exchange_running(peek_timeout=30) as exchange, DiffClient.connect(exchange.url) as client:
        await client.login("alice", exchange.password("alice"))
        await client.park()
        exchange.advance(29.9)
        await client.send(aid="ping")
        assert (await client.receive())["aid"] == "pong", "not yet"
        exchange.advance(1)
        step = await client.receive()
        assert (step["data"], step["version"]) == ([], client.mirror.version)


async def test_who_does_not_log_in_is_sent_away_when_the_time_is_over() -> None:
    async with exchange_running(login_deadline=10) as exchange, connect(exchange.url) as silent:
        await silent.send('{"aid":"ping"}')
        await silent.recv()
        exchange.advance(11)
        with pytest.raises(ConnectionClosed, match="no login came in time"):
            await silent.recv()


async def test_a_token_expires() -> None:
    async with exchange_running(token_lifetime=2) as exchange:
        token = await exchange.token("alice")
        for wait_s, code in ((2 * 3600 - 1, 1000), (1, 1001)):
            exchange.advance(wait_s)
            async with DiffClient.connect(exchange.url) as client:
                await client.login("alice", token)
                assert client.mirror.auth_result["code"] == code


async def test_a_step_for_moved_prices_alone_waits_for_the_clock() -> None:
    async with (
        exchange_running(users=["alice", "bob"], mark_interval=5) as exchange,
        DiffClient.connect(exchange.url) as alice,
        DiffClient.connect(exchange.url) as bob,
    ):
        for client, name in ((alice, "alice"), (bob, "bob")):
            await client.login(name, exchange.password(name))
        await exchange.market.quote(INSTRUMENT, bid=3590, ask=3592)
        await alice.insert("o1", "BUY", 3592)
        await alice.until_order("o1", "FILLED")
        version = alice.mirror.version
        await alice.park()
        await bob.insert("o1", "SELL", 3590)
        await bob.until_order("o1", "FILLED")
        exchange.advance(4.5)
        await alice.send(aid="ping")
        assert (await alice.receive())["aid"] == "pong", "not yet"
        exchange.advance(1)
        await alice.until(lambda mirror: mirror.version != version)
        assert alice.mirror.account == exchange.account("alice")


async def test_in_real_time_nobody_needs_to_move_a_clock() -> None:
    async with (
        exchange_running(time="real", peek_timeout=0.1) as exchange,
        DiffClient.connect(exchange.url) as client,
    ):
        await client.login("alice", exchange.password("alice"))
        await client.park()
        async with asyncio.timeout(30):
            assert (await client.receive())["data"] == []
