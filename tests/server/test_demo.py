"""What the demo adds to an exchange, and how it is put right and stopped."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from eventstore.model import OutcomeUnknownError
from exchange.domain.commands import OpenAccount
from exchange.domain.events import AccountOpened, Deposited, Event
from exchange.domain.values import AccountId, Money
from exchange.feeds.floor import HouseCommand, NotTakenError
from exchange.server.app import Exchange
from exchange.server.demo import DEMO_DEPOSIT, DEMO_USERS, Demo, HouseFloor
from tests.support.running import running

HOUSE = OpenAccount(account_id=AccountId("HOUSE"), deposit=Money(1))


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with running(tmp_path, auto_open=None) as started:
        yield started


async def test_the_users_are_made_once_and_their_passwords_told_once(exchange: Exchange) -> None:
    demo = Demo(exchange)
    first = await demo.start()
    await demo.stop()
    again = await demo.start()
    await demo.stop()
    assert [user.name for user in first] == [user.name for user in again] == list(DEMO_USERS)
    assert [user.password for user in again] == [None] * len(DEMO_USERS)
    for user in first:
        assert user.password is not None
        assert await exchange.users.verify(user.name, user.password) is not None


async def test_a_user_whom_a_crash_left_without_an_account_gets_it_and_a_password_that_is_told(
    exchange: Exchange,
) -> None:
    left = await exchange.users.add(DEMO_USERS[0], "never told to anybody")
    demo = Demo(exchange)
    user, *_ = await demo.start()
    await demo.stop()
    assert user.password is not None
    assert await exchange.users.verify(left.name, user.password) == left
    assert exchange.sequencer.state.accounts[left.account_id].cash.deposit == DEMO_DEPOSIT


async def test_a_stop_leaves_nothing_running(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    others = asyncio.all_tasks()
    playing = asyncio.Event()
    carry_out = HouseFloor.carry_out

    def heard(floor: HouseFloor, command: HouseCommand) -> Awaitable[tuple[Event, ...]]:
        playing.set()
        return carry_out(floor, command)

    monkeypatch.setattr(HouseFloor, "carry_out", heard)
    demo = Demo(exchange, speed=1_000)
    await demo.start()
    async with asyncio.timeout(30):
        await playing.wait()
    await demo.stop()
    assert asyncio.all_tasks() == others


async def test_the_house_hears_what_became_of_its_commands(exchange: Exchange) -> None:
    floor = HouseFloor(exchange)
    opened, deposited = await floor.carry_out(HOUSE)
    assert isinstance(opened, AccountOpened)
    assert isinstance(deposited, Deposited)
    assert floor.view(HOUSE.account_id).account is not None


async def test_an_answer_that_nobody_waits_for_is_no_trouble(exchange: Exchange) -> None:
    """A feed is stopped while it waits for the first of many answers."""
    HouseFloor(exchange).carry_out(HOUSE)
    gc.collect()  # a coroutine that was never awaited would be told of here, and warnings are errors


async def test_an_exchange_that_stops_takes_nothing_from_the_house(exchange: Exchange) -> None:
    exchange.sequencer.stop()
    with pytest.raises(NotTakenError, match="shutting down"):
        HouseFloor(exchange).carry_out(HOUSE)


async def test_an_exchange_that_failed_is_not_told_of_twice(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OutcomeUnknownError("the disk is gone")

    demo = Demo(exchange, speed=1_000)
    await demo.start()
    monkeypatch.setattr(exchange.store, "append", fail)
    async with asyncio.timeout(30):
        await exchange.failed
    await demo.stop()
    told = [record.name for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == ["exchange.appending"]
