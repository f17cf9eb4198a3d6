"""The bots inside a server: a market for whoever comes, begun before anybody is told, and gone at the stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eventstore.model import OutcomeUnknownError
from exchange.domain.order import Order
from exchange.domain.values import InstrumentId
from exchange.domain.words import ALIVE
from exchange.feeds.bots.bot import Bot
from exchange.feeds.bots.crew import CrewSettings
from exchange.server.app import Exchange
from exchange.server.bots import HouseBots
from exchange.server.demo import Demo
from tests.support.diff_client import DEADLINE_S, DiffClient
from tests.support.running import running, url_of

EMPTY = InstrumentId("DCE.i2701")
"""A contract that takes market orders, and that no tape plays."""


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with running(tmp_path) as started:
        yield started


def working_orders(exchange: Exchange) -> int:
    """Of all accounts of the house."""
    return sum(
        isinstance(order, Order) and order.status is ALIVE
        for account in exchange.sequencer.state.accounts.values()
        if account.account_id.startswith("house-")
        for order in account.orders.values()
    )


async def test_a_new_user_buys_and_sells_at_market_at_once(exchange: Exchange) -> None:
    bots = HouseBots(exchange)
    exchange.before_stop(bots.stop)
    await bots.start()
    async with DiffClient.connect(url_of(exchange)) as client:
        await client.login("dora")
        for order_id, direction in (("in", "BUY"), ("out", "SELL")):
            await client.insert(
                order_id,
                direction,
                0,
                3,
                offset="OPEN" if direction == "BUY" else "CLOSE",
                exchange_id="DCE",
                instrument_id="i2701",
                price_type="ANY",
            )
            await client.until_order(order_id, "FILLED")
        position = client.mirror.own["positions"][EMPTY]
        assert (position["volume_long"], position["volume_short"]) == (0, 0)


async def test_every_contract_has_a_market_before_the_start_returns(exchange: Exchange) -> None:
    bots = HouseBots(exchange, CrewSettings(noise=0, momentum=0))
    await bots.start()
    for instrument_id in bots.instruments:
        quote = exchange.publisher.projections.market.quotes[instrument_id]
        assert quote.bids.top()[0][0] < quote.asks.top()[0][0]
    await bots.stop()


async def test_a_stop_leaves_no_orders_and_nothing_running(exchange: Exchange) -> None:
    others = asyncio.all_tasks()
    bots = HouseBots(exchange)
    await bots.start()
    assert working_orders(exchange) >= 10 * len(bots.instruments)
    await bots.stop()
    assert working_orders(exchange) == 0
    assert asyncio.all_tasks() == others


async def test_bots_that_never_began_are_stopped_all_the_same(exchange: Exchange) -> None:
    decided = exchange.sequencer.decided_log_seq
    await HouseBots(exchange).stop()
    assert exchange.sequencer.decided_log_seq == decided


async def test_the_bots_go_on_after_a_restart(tmp_path: Path) -> None:
    """The same accounts, with what they hold; around the price where the market stood."""
    for _ in range(2):
        async with running(tmp_path) as exchange:
            bots = HouseBots(exchange, CrewSettings(makers=1, noise=0, momentum=0))
            await bots.start()
            opened = [each for each in exchange.sequencer.state.accounts if each.startswith("house-")]
            assert opened == ["house-maker-1"]
            await bots.stop()


async def test_bots_and_tapes_trade_side_by_side(exchange: Exchange) -> None:
    demo = Demo(exchange, speed=1_000)
    await demo.start()
    moved = frozenset(tape.instrument_id for tape in demo.tapes())
    bots = HouseBots(exchange, CrewSettings(speed=50.0), moved=moved)
    await bots.start()
    async with DiffClient.connect(url_of(exchange)) as client:
        await client.login("dora")
        watched = min(moved)
        await client.subscribe(watched, EMPTY)
        for instrument_id in (watched, EMPTY):
            await client.until(
                lambda mirror, instrument_id=instrument_id: mirror.quotes[instrument_id].get("volume", 0) > 20
            )
    await bots.stop()
    await demo.stop()


async def test_bots_that_fail_are_told_of_and_users_trade_on(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = asyncio.Event()

    async def fail(bot: Bot) -> float:
        failed.set()
        raise ZeroDivisionError

    bots = HouseBots(exchange, CrewSettings(noise=0, momentum=0))
    await bots.start()
    monkeypatch.setattr(Bot, "turn", fail)
    async with asyncio.timeout(DEADLINE_S):
        await failed.wait()
    await bots.stop()
    assert "the bots stopped trading" in caplog.text
    async with DiffClient.connect(url_of(exchange)) as client:
        await client.login("dora")
        await client.insert("o1", "BUY", 3600)
        await client.until_order("o1", "ALIVE")


async def test_an_exchange_that_failed_is_not_told_of_twice(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OutcomeUnknownError("the disk is gone")

    bots = HouseBots(exchange, CrewSettings(speed=50.0))
    await bots.start()
    monkeypatch.setattr(exchange.store, "append", fail)
    async with asyncio.timeout(DEADLINE_S):
        await exchange.failed
    await bots.stop()
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(told) == 1
    assert "an append failed" in told[0]
