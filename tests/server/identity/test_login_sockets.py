"""Logins over real sockets: who gets in, who has to wait, and what ends when a login is revoked."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from exchange.domain.values import YUAN, Money
from exchange.gateway.access import Role
from exchange.gateway.notices import Code
from exchange.server.app import Exchange
from exchange.server.identity.online import REVOKED
from tests.support.diff_client import PASSWORD, DiffClient
from tests.support.running import in_memory, url_of

ALICE, BOB = "alice", "bob"


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with in_memory(auto_open=None, connections_per_user=3) as started:
        for name in (ALICE, BOB):
            await started.operator.add_user(name, PASSWORD, Money(1_000 * YUAN))
        # Stands still, so that no delay is over before a test on a busy machine has looked.
        started.desk._limits._clock = lambda: 0.0
        yield started


class Windows:
    """Connections that are closed with the test."""

    def __init__(self, exchange: Exchange, exits: AsyncExitStack) -> None:
        self._exchange = exchange
        self._exits = exits

    async def open(self, name: str, secret: str = PASSWORD) -> DiffClient:
        """One that has logged in, or been refused."""
        client = await self._exits.enter_async_context(DiffClient.connect(url_of(self._exchange)))
        await client.login(name, secret)
        return client


@pytest.fixture
async def windows(exchange: Exchange) -> AsyncIterator[Windows]:
    async with AsyncExitStack() as exits:
        yield Windows(exchange, exits)


async def token_of(exchange: Exchange, name: str) -> str:
    user = await exchange.users.find(name)
    assert user is not None
    return (await exchange.users.issue_token(user)).text


async def is_alive(client: DiffClient) -> bool:
    """Whether the connection still answers."""
    await client.send(aid="ping")
    return await client.receive() == {"aid": "pong"}


def login_code(client: DiffClient) -> int:
    code: int = client.mirror.auth_result["code"]
    return code


async def test_another_password_ends_all_that_came_in_by_the_former_login(exchange: Exchange, windows: Windows) -> None:
    token = await token_of(exchange, ALICE)
    by_password, by_token, other = [
        await windows.open(*login) for login in ((ALICE, PASSWORD), (ALICE, token), (BOB, PASSWORD))
    ]
    await exchange.operator.set_password(ALICE, "another")
    assert [await window.closed() for window in (by_password, by_token)] == [REVOKED] * 2
    assert await is_alive(other)
    assert login_code(await windows.open(ALICE, token)) == Code.WRONG_LOGIN
    assert login_code(await windows.open(ALICE, "another")) == Code.LOGIN_OK


async def test_another_role_ends_them_too(exchange: Exchange, windows: Windows) -> None:
    window = await windows.open(ALICE)
    await exchange.users.set_role(ALICE, Role.OBSERVER)
    assert await window.closed() == REVOKED
    back = await windows.open(ALICE)
    await back.insert("o1", "BUY", 3600)
    await back.until(lambda mirror: mirror.codes == [Code.ROLE_MAY_NOT])


async def test_whoever_changes_their_own_password_stays_and_the_other_windows_end(
    exchange: Exchange, windows: Windows
) -> None:
    here, elsewhere = await windows.open(ALICE), await windows.open(ALICE)
    await here.send(aid="change_password", old_password=PASSWORD, new_password="another")
    await here.until(lambda mirror: mirror.codes == [Code.PASSWORD_CHANGED])
    assert await elsewhere.closed() == REVOKED
    assert await is_alive(here)


async def test_a_logout_ends_what_came_in_by_its_token_alone(exchange: Exchange, windows: Windows) -> None:
    token, kept = await token_of(exchange, ALICE), await token_of(exchange, ALICE)
    by_token, by_other, by_password = [await windows.open(ALICE, secret) for secret in (token, kept, PASSWORD)]
    await exchange.users.revoke_token(token)
    assert await by_token.closed() == REVOKED
    assert await is_alive(by_other)
    assert await is_alive(by_password)


async def test_a_connection_ends_with_the_token_that_opened_it(exchange: Exchange, windows: Windows) -> None:
    """Those of the password and of another token live on."""
    alice = await exchange.users.find(ALICE)
    assert alice is not None
    short = (await exchange.users.issue_token(alice, timedelta(seconds=30))).text
    by_short, by_long = await windows.open(ALICE, short), await windows.open(ALICE, await token_of(exchange, ALICE))
    by_password = await windows.open(ALICE)
    exchange.users._tokens._clock_ns = lambda: time.time_ns() + 31 * 10**9
    assert await exchange.users.purge_expired() == 1
    assert await by_short.closed() == REVOKED
    assert await is_alive(by_long)
    assert await is_alive(by_password)


async def test_a_token_is_not_enough_to_change_the_password(exchange: Exchange, windows: Windows) -> None:
    """Whoever got hold of one must not take the user over."""
    token = await token_of(exchange, ALICE)
    thief = await windows.open(ALICE, token)
    await thief.send(aid="change_password", old_password=token, new_password="stolen")
    await thief.until(lambda mirror: mirror.codes == [Code.WRONG_LOGIN])
    assert login_code(await windows.open(ALICE)) == Code.LOGIN_OK


async def test_a_user_has_a_bounded_number_of_connections(exchange: Exchange, windows: Windows) -> None:
    first, second, third, fourth = [await windows.open(ALICE) for _ in range(4)]
    assert [login_code(window) for window in (first, second, third)] == [Code.LOGIN_OK] * 3
    assert login_code(fourth) == Code.TOO_MANY_CONNECTIONS
    assert login_code(await windows.open(BOB)) == Code.LOGIN_OK
    await exchange.operator.set_password(ALICE, "another")
    for window in (first, second, third):
        assert await window.closed() == REVOKED
    assert login_code(await fourth.login(ALICE, "another") and fourth) == Code.LOGIN_OK


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.TRADER])
async def test_a_login_opens_no_account_for_who_does_not_trade(
    exchange: Exchange, windows: Windows, role: Role
) -> None:
    watcher = await exchange.users.add("watcher", PASSWORD, role=role)
    head = exchange.sequencer.durable_log_seq
    assert login_code(await windows.open("watcher")) == Code.LOGIN_OK
    assert watcher.account_id not in exchange.sequencer.state.accounts
    assert exchange.sequencer.durable_log_seq == head


@pytest.mark.parametrize("name", [ALICE, "nobody"])
async def test_who_guesses_at_a_name_has_to_wait_whether_it_exists_or_not(
    exchange: Exchange, windows: Windows, name: str
) -> None:
    guesser = await windows.open(name, "guess 0")
    codes = [login_code(guesser)]
    for number in range(1, 7):
        await guesser.login(name, f"guess {number}")
        codes.append(login_code(guesser))
    assert codes == [Code.WRONG_LOGIN] * 5 + [Code.TOO_MANY_ATTEMPTS] * 2


async def test_a_guesser_keeps_nobody_from_coming_back_by_token(exchange: Exchange, windows: Windows) -> None:
    token = await token_of(exchange, ALICE)
    guesser = await windows.open(ALICE, "guess")
    for _ in range(5):
        await guesser.login(ALICE, "guess")
    assert login_code(guesser) == Code.TOO_MANY_ATTEMPTS
    assert login_code(await windows.open(ALICE)) == Code.TOO_MANY_ATTEMPTS, "also the right password"
    assert login_code(await windows.open(ALICE, token)) == Code.LOGIN_OK


async def test_guesses_at_a_password_that_is_to_be_changed_count_as_well(exchange: Exchange, windows: Windows) -> None:
    window = await windows.open(ALICE)
    for _ in range(6):
        heard = len(window.mirror.codes)
        await window.send(aid="change_password", old_password="guess", new_password="stolen")
        await window.until(lambda mirror, heard=heard: len(mirror.codes) > heard)  # type: ignore[misc]
    assert window.mirror.codes == [Code.WRONG_LOGIN] * 5 + [Code.TOO_MANY_ATTEMPTS]
