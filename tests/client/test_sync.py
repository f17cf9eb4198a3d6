"""The blocking client: any thread, callbacks, a clean end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import pytest

from exchange.client import ClosedError, LoginError, Notice, NotInTimeError, SyncClient, WrongThreadError
from exchange.server.app import Exchange
from tests.client.test_against_an_exchange import SLOWLY, cut_all
from tests.support.diff_client import PASSWORD
from tests.support.running import running

RB: Final = "SHFE.rb2701"
Given = ParamSpec("Given")
Result = TypeVar("Result")


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with running(tmp_path) as running_exchange:
        yield running_exchange


def url_of(exchange: Exchange) -> str:
    return f"ws://{exchange.port.address}"


def client_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("exchange client")]


async def in_thread(work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """Beside the exchange's own loop, and in time."""
    async with asyncio.timeout(SLOWLY):
        return await asyncio.to_thread(work, *args, **kwargs)


async def test_a_program_without_a_loop_trades(exchange: Exchange) -> None:
    def program() -> None:
        with (
            SyncClient(url_of(exchange), "alice", PASSWORD) as alice,
            SyncClient(url_of(exchange), "bob", PASSWORD) as bob,
        ):
            alice.subscribe(RB, "SHFE.cu2701")
            alice.unsubscribe("SHFE.cu2701")
            assert alice.subscriptions == (RB,)
            order = alice.insert(RB, "BUY", "OPEN", 2, 3600, wait=True)
            assert (order.status, order.is_finished) == ("ALIVE", False)
            assert repr(order) == f"SyncOrderHandle({order.order_id!r}, status='ALIVE')"
            bob.insert(RB, "SELL", "OPEN", 1, 3600).finished()
            assert alice.wait_for(lambda now: now.position(RB)).volume_long == 1
            order.send_again()
            alice.cancel(order)
            assert order.finished().status == "CANCELLED"
            alice.insert(RB, "BUY", "OPEN", 1, 3500, order_id="mine").acknowledged()
            alice.cancel("mine")
            assert alice.wait_for(lambda now: now.order("mine").is_finished)  # type: ignore[union-attr]
            assert order.order == alice.order(order.order_id)
            assert len(alice.to_dataframe("trades")) == 1
            assert (alice.user, alice.is_connected, alice.layout.orders) == (
                "alice",
                True,
                ("trade", "alice", "orders"),
            )
            first = alice.history[0]
            assert alice.at(first).version == first
            alice.rollback(first)
            assert (alice.resumes, alice.full_steps) == (1, 1)
            assert len(alice.trades) == 1

    await in_thread(program)
    assert client_threads() == []


async def test_many_threads_use_one_client(exchange: Exchange) -> None:
    def program() -> None:
        with SyncClient(url_of(exchange), "alice", PASSWORD) as client, ThreadPoolExecutor(8) as threads:
            orders = list(threads.map(lambda n: client.insert(RB, "BUY", "OPEN", 1, 3500 + n), range(40)))
            assert {each.status for each in threads.map(lambda order: order.acknowledged(), orders)} == {"ALIVE"}
            assert len(client.orders) == 40

    await in_thread(program)


async def test_callbacks_run_beside_the_program_and_may_read_but_not_block(exchange: Exchange) -> None:
    seen: list[Any] = []
    failures: list[Exception] = []
    told = threading.Event()

    def program() -> None:
        with SyncClient(url_of(exchange), "alice", PASSWORD, callback_failed=failures.append) as client:

            def on_order(paths: Any) -> None:
                seen.append((threading.current_thread().name, len(client.orders)))
                try:
                    client.subscribe(RB)
                finally:
                    told.set()

            off = client.on(client.layout.orders, on_order)
            notices: list[Notice] = []
            off_notice = client.on_notice(notices.append)
            reader = client.notices()
            client.insert(RB, "BUY", "OPEN", 1, 3600.5, wait=True)
            assert told.wait(SLOWLY)
            off()
            off_notice()
            assert next(reader).code == 2006
            assert [notice.code for notice in notices] == [2006]
            with pytest.raises(WrongThreadError, match="would wait for itself"):
                client.wait_for(lambda _: client.history)
            waiting = threading.Thread(target=lambda: seen.append(list(reader)))
            waiting.start()
        waiting.join(SLOWLY)

    await in_thread(program)
    assert seen == [("exchange client of alice", 1), []]
    assert [type(each) for each in failures] == [WrongThreadError]


async def test_closing_ends_the_waits_of_other_threads(exchange: Exchange) -> None:
    outcomes: list[type[Exception]] = []

    def wait_in_vain(client: SyncClient) -> None:
        try:
            client.wait_for(lambda now: now.order("never"), None)
        except Exception as error:
            outcomes.append(type(error))

    def program() -> None:
        client = SyncClient(url_of(exchange), "alice", PASSWORD)
        client.connect()
        waiting = [threading.Thread(target=wait_in_vain, args=(client,)) for _ in range(3)]
        for each in waiting:
            each.start()
        with pytest.raises(NotInTimeError):
            client.wait_for(lambda now: now.order("never"), 0.01)
        closing = [threading.Thread(target=client.close) for _ in range(3)]
        for each in closing:
            each.start()
        for each in (*waiting, *closing):
            each.join(SLOWLY)
        client.close()
        with pytest.raises(ClosedError):
            client.subscribe(RB)
        assert client.account is not None, "what was known can still be read"

    await in_thread(program)
    assert outcomes == [ClosedError] * 3
    assert client_threads() == []


async def test_a_client_cannot_be_closed_by_its_own_callback(exchange: Exchange) -> None:
    def program() -> None:
        with (
            SyncClient(url_of(exchange), "alice", PASSWORD) as client,
            pytest.raises(WrongThreadError),
        ):
            client.wait_for(lambda _: client.close())

    await in_thread(program)


async def test_a_wrong_password_leaves_no_thread(exchange: Exchange) -> None:
    def program() -> None:
        with SyncClient(url_of(exchange), "alice", PASSWORD):
            pass
        with pytest.raises(LoginError), SyncClient(url_of(exchange), "alice", "wrong"):
            pass

    await in_thread(program)
    assert client_threads() == []


async def test_the_blocking_client_comes_back_too(exchange: Exchange) -> None:
    def program(cut: Callable[[], Awaitable[None]], loop: asyncio.AbstractEventLoop) -> None:
        with SyncClient(url_of(exchange), "alice", PASSWORD) as client:

            async def cut_now() -> None:
                await cut()

            asyncio.run_coroutine_threadsafe(cut_now(), loop).result(SLOWLY)
            client.wait_for(lambda _: client.resumes == 1, SLOWLY)
            client.until_connected()
            assert client.insert(RB, "BUY", "OPEN", 1, 3600, wait=True).status == "ALIVE"

    async def cut() -> None:
        cut_all(exchange)

    await in_thread(program, cut, asyncio.get_running_loop())
