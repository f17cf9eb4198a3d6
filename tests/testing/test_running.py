"""A running exchange for a test: what it gives, how it ends, and that nothing of it stays."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from exchange.domain.events import AccountOpened, Deposited, OrderAccepted
from exchange.market.reading import DEFAULT_MARKET, MarketFileError, read_market
from exchange.server.settings import SettingsError
from exchange.testing import ExchangeOverError, NoSuchUserError, exchange_running, run_exchange
from tests.support.diff_client import INSTRUMENT, DiffClient, how_closed

READY_S = 0.1
"""How soon it must be ready, once everything is imported."""


def own_threads() -> set[threading.Thread]:
    """All but the event loop's pool, which stays as long as the loop."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}


def all_ended(since: set[threading.Thread]) -> bool:
    """Whether every thread that began since then ends; one that was told to may need a moment."""
    begun = own_threads() - since
    for thread in begun:
        thread.join(10)
    return not any(thread.is_alive() for thread in begun)


async def test_a_user_logs_in_and_trades() -> None:
    async with exchange_running(users={"alice": 5_000, "bob": "70000.5"}) as exchange:
        async with DiffClient.connect(exchange.url) as client:
            await client.login("alice", exchange.password("alice"))
            await client.insert("o1", "BUY", 3500)
            await client.until_order("o1", "ALIVE")
            assert client.mirror.account == exchange.account("alice")
            assert client.mirror.orders == exchange.orders("alice")
        assert exchange.account("bob")["balance"] == 70_000.5
        assert exchange.positions("alice") == exchange.trades("alice") == {}
        (accepted,) = exchange.events(OrderAccepted)
        assert (accepted.account_id, accepted.order_id) == (exchange.account_id("alice"), "o1")


async def test_users_who_are_only_named_have_money_too() -> None:
    async with exchange_running(users=["王小明", "a-b.c"]) as exchange:
        assert exchange.account("王小明")["balance"] == exchange.account("a-b.c")["balance"] == 1_000_000
        assert exchange.account_id("a-b.c") == "a-b.c"
        # An account's id is plain text, and says nothing that differs from run to run.
        assert exchange.account_id("王小明").isascii()


async def test_money_comes_in_one_line() -> None:
    async with exchange_running(users=["alice"]) as exchange:
        await exchange.deposit("alice", 0.1)
        assert exchange.account("alice")["available"] == 1_000_000.1
        assert [event.amount for event in exchange.events(Deposited)][-1] == 100_000
        await exchange.add_user("carol", 7)
        assert exchange.account("carol")["balance"] == 7


async def test_somebody_without_an_account_logs_in_too() -> None:
    async with exchange_running(users=[]) as exchange:
        await exchange.add_user("eve", role="auditor")
        assert exchange.events(AccountOpened) == []
        async with httpx.AsyncClient(base_url=exchange.http_url) as client:
            headers = {"Authorization": f"Bearer {await exchange.token('eve')}"}
            assert (await client.get("/api/v1/instruments", headers=headers)).status_code == 200
        with pytest.raises(LookupError, match="'eve' has the role auditor, which has no account"):
            exchange.account("eve")


async def test_the_admin_token_opens_what_admins_do() -> None:
    async with (
        exchange_running() as exchange,
        httpx.AsyncClient(base_url=exchange.http_url) as client,
    ):
        headers = {"Authorization": f"Bearer {exchange.admin_token}"}
        users = (await client.get("/api/v1/admin/users", headers=headers)).json()
        assert "alice" in str(users)


async def test_a_token_logs_in_wherever_a_password_does() -> None:
    async with exchange_running() as exchange, DiffClient.connect(exchange.url) as client:
        await client.login("bob", await exchange.token("bob"))
        assert client.mirror.account["user_id"] == "bob"


async def test_former_versions_can_be_asked_for_as_of_any_server() -> None:
    async with exchange_running() as exchange, DiffClient.connect(exchange.url) as client:
        await client.login("alice", exchange.password("alice"))
        versions = []
        for order_id in ("o1", "o2"):
            await client.insert(order_id, "BUY", 3500)
            await client.until_order(order_id, "ALIVE")
            versions.append(client.mirror.version)
        headers = {"Authorization": f"Bearer {await exchange.token('alice')}"}
        async with httpx.AsyncClient(base_url=exchange.http_url, headers=headers) as api:
            then = (await api.get("/api/v1/users/alice/snapshot", params={"version": versions[0]})).json()
        assert (then["version"], list(then["snapshot"]["trade"]["alice"]["orders"])) == (versions[0], ["o1"])


async def test_a_name_that_was_not_given_is_told_with_those_that_were() -> None:
    async with exchange_running(users=["alice", "bob"]) as exchange:
        for ask in (exchange.account, exchange.password, exchange.orders, exchange.account_id):
            with pytest.raises(NoSuchUserError, match="'carl' on this exchange; its users are: alice, bob"):
                ask("carl")


@pytest.mark.parametrize("market", [None, Path(str(DEFAULT_MARKET)), str(DEFAULT_MARKET), read_market().instruments])
async def test_the_market_is_a_file_or_contracts(market: object) -> None:
    async with exchange_running(market=market) as exchange, DiffClient.connect(exchange.url) as client:  # type: ignore[arg-type]
        await client.login("alice", exchange.password("alice"))
        await client.subscribe(INSTRUMENT)
        await client.until(lambda mirror: INSTRUMENT in mirror.quotes)
        assert client.mirror.quotes[INSTRUMENT]["instrument_id"] == INSTRUMENT


async def test_one_contract_is_a_market() -> None:
    only = read_market().instruments[0]
    async with exchange_running(market=[only]) as exchange:
        await exchange.market.quote(only.instrument_id, bid=only.pre_settlement / 1_000_000)
        with pytest.raises(ValueError, match=f"listed are: {only.instrument_id}$"):
            await exchange.market.quote("SHFE.zz9999", bid=1)


async def test_what_cannot_be_asked_for_is_said_before_anything_runs(tmp_path: Path) -> None:
    threads = own_threads()
    with pytest.raises(SettingsError, match="colour: there is no such setting"):
        await exchange_running(colour="red").__aenter__()
    with pytest.raises(MarketFileError):
        await exchange_running(market=tmp_path / "none.toml").__aenter__()
    with pytest.raises(ValueError, match="'virtual' or 'real'"):
        await exchange_running(time="imaginary").__aenter__()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"users=\['alice'\]"):
        await exchange_running(users="alice").__aenter__()
    with pytest.raises(ValueError, match="no user name"):
        await exchange_running(users=["a b"]).__aenter__()
    assert all_ended(since=threads)


async def test_the_environment_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_MARKET", "/nowhere.toml")
    monkeypatch.setenv("EXCHANGE_PORT", "1")
    async with exchange_running() as exchange:
        assert exchange.account("alice")["balance"] == 1_000_000


async def test_settings_are_those_of_the_server() -> None:
    async with exchange_running(auto_open=3) as exchange, DiffClient.connect(exchange.url) as client:
        await client.login("whoever", "any password")
        assert client.mirror.account["balance"] == 3


async def test_in_real_time_the_log_has_the_machine_s() -> None:
    before = datetime.now(UTC)
    async with exchange_running(time="real") as exchange:
        assert before <= exchange.now <= datetime.now(UTC)
        with pytest.raises(RuntimeError, match="time='virtual'"):
            exchange.advance(1)


async def test_two_runs_that_do_the_same_have_the_same_log() -> None:
    logs = []
    for _ in range(2):
        async with exchange_running(users={"alice": 100_000, "王": 1}) as exchange:
            async with DiffClient.connect(exchange.url) as client:
                await client.login("alice", exchange.password("alice"))
                await client.insert("o1", "BUY", 3600)
                await client.until_order("o1", "ALIVE")
            await exchange.market.quote(INSTRUMENT, bid=3590, ask=3600, lots=1)
            exchange.advance(60)
            await exchange.deposit("王", 2)
            logs.append(exchange.log_bytes())
    assert logs[0] == logs[1]
    assert b'"order_id":"o1"' in logs[0]


# Recovery.


async def test_a_restart_keeps_everything_and_tells_clients_to_come_back() -> None:
    async with exchange_running(users={"alice": 1_000_000}) as exchange:
        token = await exchange.token("alice")
        url = exchange.url
        async with DiffClient.connect(url) as client:
            mirror = await client.login("alice", exchange.password("alice"))
            await client.insert("o1", "BUY", 3500)
            await client.until_order("o1", "ALIVE")
            mirror = client.mirror
            before = exchange.log_bytes()
            await exchange.restart()
            closed = await client.closed()
            assert closed is not None
            assert closed.code == 1012
        assert (exchange.url, exchange.log_bytes()) == (url, before)
        async with DiffClient.connect(url) as client:
            full_steps = mirror.full_steps
            await client.login("alice", token, mirror=mirror)
            assert mirror.full_steps == full_steps, "the mirror is led on from where it stands"
            assert mirror.statuses() == {"o1": "ALIVE"}
            await client.insert("o2", "BUY", 3501)
            await client.until_order("o2", "ALIVE")


async def test_a_cut_line_ends_without_a_word() -> None:
    async with exchange_running() as exchange, DiffClient.connect(exchange.url) as client:
        await client.login("alice", exchange.password("alice"))
        exchange.drop_connections()
        with pytest.raises(ConnectionClosed) as lost:
            await client.receive()
        assert how_closed(lost.value) is None
        async with DiffClient.connect(exchange.url) as again:
            await again.login("alice", exchange.password("alice"))


# The end.


async def test_what_broke_the_exchange_fails_the_test_at_its_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def break_it() -> None:
        async with exchange_running() as exchange:
            with monkeypatch.context() as patch:
                patch.setattr("projections.fold.Projections.apply", fail)
                with pytest.raises(Exception, match="the outcome is unknown"):
                    await exchange.deposit("alice", 1)

    def fail(*_: object) -> None:
        raise AssertionError("the views cannot take this")

    with pytest.raises(AssertionError, match="the views cannot take this"):
        await break_it()
    assert "the core is broken" in caplog.text


async def test_after_the_block_nothing_is_left_of_it() -> None:
    tasks, threads = asyncio.all_tasks(), own_threads()
    async with exchange_running() as exchange:
        url = exchange.url
        async with DiffClient.connect(url) as client:
            await client.login("alice", exchange.password("alice"))
    assert asyncio.all_tasks() == tasks
    assert all_ended(since=threads)
    with pytest.raises((OSError, InvalidStatus)):
        async with DiffClient.connect(url):
            pass
    for use in (lambda: exchange.url, exchange.events, lambda: exchange.account("alice"), lambda: exchange.advance(1)):
        with pytest.raises(ExchangeOverError, match="`with` block"):
            use()
    for begin in (exchange.restart, lambda: exchange.deposit("alice", 1), lambda: exchange.market.quote(INSTRUMENT)):
        with pytest.raises(ExchangeOverError):
            await begin()


async def test_many_run_at_once_and_know_nothing_of_each_other() -> None:
    async with exchange_running(users={"alice": 1}) as outer, exchange_running(users={"alice": 2}) as inner:
        assert outer.url != inner.url
        await inner.market.quote(INSTRUMENT, bid=3500)
        assert (outer.account("alice")["balance"], inner.account("alice")["balance"]) == (1, 2)
        assert outer.events(OrderAccepted) == []
        with pytest.raises(NoSuchUserError):
            outer.account("bob")


# Without an event loop.


def test_a_plain_test_does_all_of_it_too() -> None:
    threads = own_threads()
    with run_exchange(users={"alice": 1_000}) as exchange:
        exchange.deposit("alice", 5)
        exchange.add_user("carol", 9)
        begin = exchange.now
        exchange.market.quote(INSTRUMENT, bid=3590, ask=3600)
        exchange.market.trade(INSTRUMENT, 3600, 2)
        exchange.advance(10)
        assert (exchange.now - begin).total_seconds() == 11
        balances = (exchange.account("alice")["balance"], exchange.account("carol")["balance"])
        before, url = exchange.log_bytes(), exchange.url
        exchange.restart()
        assert (exchange.log_bytes(), exchange.url) == (before, url)
        assert balances == (exchange.account("alice")["balance"], exchange.account("carol")["balance"]) == (1_005, 9)
        assert exchange.orders("alice") == exchange.trades("alice") == exchange.positions("alice") == {}
        assert exchange.diff_url == f"{url}/diff"
        headers = {"Authorization": f"Bearer {exchange.token('alice')}"}
        assert httpx.get(f"{exchange.http_url}/api/v1/account", headers=headers).status_code == 200
        assert httpx.get(f"{exchange.http_url}/api/v1/admin/users", headers=headers).status_code == 403
        assert exchange.admin_token not in (exchange.password("alice"), exchange.account_id("alice"))
        exchange.drop_connections()
        assert len(exchange.events()) > len(exchange.events(AccountOpened)) > 0
    assert all_ended(since=threads)
    with pytest.raises(ExchangeOverError):
        exchange.account("alice")
    with pytest.raises(ExchangeOverError):
        exchange.market.quote(INSTRUMENT, bid=3590)


def test_an_error_in_the_block_comes_out_and_stops_the_exchange() -> None:
    threads = own_threads()
    with pytest.raises(ZeroDivisionError), run_exchange():
        raise ZeroDivisionError
    assert all_ended(since=threads)


def test_it_is_ready_at_once() -> None:
    """In the best of five, by the processor's time: what else runs on the machine must make no difference."""
    seconds = []
    for _ in range(5):
        gc.collect()
        begin = time.process_time()
        with run_exchange():
            seconds.append(time.process_time() - begin)
    assert min(seconds) < READY_S, f"ready after {seconds} s"


def test_it_leaves_the_process_as_it_was() -> None:
    before = sys.getswitchinterval(), threading.current_thread().name
    with run_exchange():
        pass
    assert before == (sys.getswitchinterval(), threading.current_thread().name)
