"""The desk: who gets in, what waits for the log, and what becomes of both when something fails."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eventstore.model import OutcomeUnknownError
from exchange.domain.commands import Deposit, OpenAccount
from exchange.domain.values import YUAN, AccountId, Money
from exchange.gateway.conversation import Conversation
from exchange.gateway.notices import Code
from exchange.gateway.surroundings import User
from exchange.server.app import Exchange
from exchange.server.desk import NotTakenError
from exchange.server.identity.login_limits import TooManyAttemptsError
from exchange.server.identity.passwords import HashPool
from exchange.server.identity.tokens import hash_of_token
from exchange.server.sequencer import NotTaken
from tests.simulation.room import Line, notices
from tests.support.running import DEPOSIT, in_memory

ALICE = "alice"
HERE = "127.0.0.1"


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with in_memory() as started:
        yield started


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The slow hashes that are made or checked from now on."""
    made: list[str] = []
    run = HashPool._run

    async def counted(pool: HashPool, work: Any, *arguments: object) -> Any:
        made.append(work.__name__)
        return await run(pool, work, *arguments)

    monkeypatch.setattr(HashPool, "_run", counted)
    return made


class Window:
    """A conversation whose line is a list."""

    def __init__(self, exchange: Exchange, number: int = 1) -> None:
        self.line = Line()
        self.conversation = Conversation(
            number, self.line, exchange.desk, exchange.publisher, exchange.dialects["guide"]
        )

    async def logs_in(self, name: str, secret: str) -> User | None:
        self.conversation.on_text(f'{{"aid":"req_login","user_name":"{name}","password":"{secret}"}}'.encode())
        await self.quiet()
        return self.conversation.user

    def says(self, text: str) -> None:
        self.conversation.on_text(text.encode())

    async def quiet(self) -> None:
        """Wait for the desk's work on what was said."""
        desk = self.conversation._desk
        while tasks := tuple(desk._tasks):  # type: ignore[attr-defined]  # the real desk's
            await asyncio.gather(*tasks)

    def codes(self) -> list[Code]:
        frames, self.line.frames = self.line.frames, []
        return notices(frames)


async def test_an_unknown_user_gets_in_where_everybody_does_for_one_hash(exchange: Exchange, checks: list[str]) -> None:
    user = await exchange.desk.log_in(ALICE, "pw", address=HERE)
    assert user is not None
    assert exchange.sequencer.state.accounts[user.account_id].cash.deposit == DEPOSIT * YUAN
    assert checks == ["hash"]
    assert await exchange.desk.log_in(ALICE, "wrong", address=HERE) is None
    assert await exchange.desk.log_in(ALICE, "pw", address=HERE) == user


@pytest.mark.parametrize(
    "name", ["", "a b", "../a", "a\x00", "\u200balice", "\uff21lice", "a" * 65, "\U0001f600", "-a", "a\n", "\ud800"]
)
async def test_what_can_be_no_name_gets_nobody_in(exchange: Exchange, name: str, checks: list[str]) -> None:
    assert await exchange.desk.log_in(name, "pw", address=HERE) is None
    assert await exchange.users.list() == ()
    assert checks == []


@pytest.mark.parametrize("name", ["王小明", "Zoë", "_", "9", "a.b-c", "имя"])
async def test_names_of_any_language_get_in(exchange: Exchange, name: str) -> None:
    user = await exchange.desk.log_in(name, "pw", address=HERE)
    assert user is not None
    assert user.name == name
    assert user.account_id.isascii()


async def test_an_unknown_user_costs_what_a_wrong_password_does_where_not_everybody_gets_in(
    checks: list[str],
) -> None:
    async with in_memory(auto_open=None) as exchange:
        await exchange.operator.add_user(ALICE, "pw", Money(0))
        checks.clear()
        assert await exchange.desk.log_in("nobody", "pw", address=HERE) is None
        assert await exchange.desk.log_in(ALICE, "wrong", address=HERE) is None
        assert checks == ["_check", "_check"]


async def test_an_account_that_is_missing_is_opened_by_the_login() -> None:
    async with in_memory(auto_open=None) as exchange:
        left = await exchange.users.add(ALICE, "pw")
        user = await exchange.desk.log_in(ALICE, "pw", address=HERE)
        assert user == User(ALICE, left.account_id)
        assert exchange.sequencer.state.accounts[left.account_id].cash.deposit == 0


async def test_every_window_of_a_new_user_sees_the_account_at_once(exchange: Exchange) -> None:
    """The second one finds the account in the state, which is ahead of the views by what is not durable yet."""
    windows = [Window(exchange, number) for number in range(4)]
    users = await asyncio.gather(*(window.logs_in("new", "secret") for window in windows))
    assert len({user.account_id for user in users if user is not None}) == 1
    for window in windows:
        (answer,) = window.line.frames
        own = next(patch["trade"]["new"] for patch in answer["data"] if patch.get("trade"))
        assert own["accounts"]["CNY"]["balance"] == DEPOSIT


async def test_who_gives_up_waiting_for_an_account_takes_it_from_nobody(exchange: Exchange) -> None:
    opening = exchange.desk.begin(OpenAccount(account_id=AccountId("A1")), actor="operator", origin="test")
    impatient = asyncio.create_task(exchange.desk._see_to_account(AccountId("A1")))
    await asyncio.sleep(0)  # now it waits
    impatient.cancel()
    entry = await opening
    assert exchange.publisher.projections.version == entry.last_log_seq
    assert impatient.cancelled()


async def test_a_password_that_is_changed_while_the_account_is_opened_lets_nobody_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with in_memory(auto_open=None) as exchange:
        await exchange.users.add(ALICE, "former")
        see_to_account = exchange.desk._see_to_account

        async def open_and_be_overtaken(account_id: AccountId) -> None:
            await see_to_account(account_id)
            monkeypatch.undo()
            await exchange.users.change_password(ALICE, "latter")

        monkeypatch.setattr(exchange.desk, "_see_to_account", open_and_be_overtaken)
        assert await exchange.desk.log_in(ALICE, "former", address=HERE) is None
        assert await exchange.desk.log_in(ALICE, "latter", address=HERE) is not None


async def test_a_login_by_token_is_known_by_the_token(exchange: Exchange) -> None:
    by_password = await exchange.desk.log_in(ALICE, "pw", address=HERE)
    known = await exchange.users.find(ALICE)
    assert by_password is not None
    assert known is not None
    assert by_password.token_hash is None
    token = (await exchange.users.issue_token(known)).text
    by_token = await exchange.desk.log_in(ALICE, token, address=HERE)
    assert by_token == by_password._replace(token_hash=hash_of_token(token))


async def test_who_has_to_wait_is_told_how_long_and_nothing_is_hashed(exchange: Exchange, checks: list[str]) -> None:
    exchange.desk._limits._clock = lambda: 0.0
    await exchange.desk.log_in(ALICE, "pw", address=HERE)
    for _ in range(5):
        assert await exchange.desk.log_in(ALICE, "wrong", address=HERE) is None
    checks.clear()
    with pytest.raises(TooManyAttemptsError) as refused:
        await exchange.desk.log_in(ALICE, "pw", address=HERE)
    assert refused.value.retry_after_s == 1
    assert checks == []


async def test_a_first_login_at_an_exchange_that_stops_is_told_so(exchange: Exchange) -> None:
    exchange.sequencer.stop()
    window = Window(exchange)
    assert await window.logs_in(ALICE, "pw") is None
    assert window.codes() == [Code.SHUTTING_DOWN]
    assert window.line.closed is None


async def test_a_desk_that_has_stopped_checks_nothing_any_more(exchange: Exchange, checks: list[str]) -> None:
    known, late = Window(exchange, 1), Window(exchange, 2)
    await known.logs_in(ALICE, "pw")
    known.codes()
    checks.clear()
    await exchange.desk.stop()
    assert await late.logs_in(ALICE, "pw") is None
    assert late.codes() == [Code.SHUTTING_DOWN]
    known.says('{"aid":"peek_message"}')
    known.says('{"aid":"change_password","old_password":"pw","new_password":"new"}')
    assert known.codes() == [Code.SHUTTING_DOWN]
    assert checks == []


async def test_a_login_that_cannot_be_checked_ends_its_connection(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(exchange.users, "find", fail)
    window = Window(exchange)
    await window.logs_in(ALICE, "the secret")
    assert window.line.closed == (1011, "the login could not be checked, try again")
    assert "the disk is gone" in caplog.text
    assert "the secret" not in caplog.text


async def test_a_password_is_changed_with_the_old_one(exchange: Exchange) -> None:
    window = Window(exchange)
    await window.logs_in(ALICE, "pw")
    window.codes()
    for old, new, code in (
        ("wrong", "new", Code.WRONG_LOGIN),
        ("pw", "", Code.WRONG_FIELD),
        ("pw", "new", Code.PASSWORD_CHANGED),
    ):
        window.says('{"aid":"peek_message"}')
        window.says(f'{{"aid":"change_password","old_password":"{old}","new_password":"{new}"}}')
        await window.quiet()
        assert window.codes() == [code]
    assert await exchange.users.verify(ALICE, "pw") is None
    assert await exchange.users.verify(ALICE, "new") is not None


async def test_passwords_are_changed_one_at_a_time(exchange: Exchange) -> None:
    window = Window(exchange)
    await window.logs_in(ALICE, "pw")
    window.codes()
    for new in ("first", "second", "third"):
        window.says(f'{{"aid":"change_password","old_password":"pw","new_password":"{new}"}}')
    await window.quiet()
    window.says('{"aid":"peek_message"}')
    assert window.codes() == [Code.TOO_MANY_ATTEMPTS, Code.TOO_MANY_ATTEMPTS, Code.PASSWORD_CHANGED]
    assert await exchange.users.verify(ALICE, "first") is not None


async def test_a_password_that_cannot_be_changed_ends_its_connection(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is gone")

    window = Window(exchange)
    await window.logs_in(ALICE, "pw")
    monkeypatch.setattr(exchange.users, "change_own_password", fail)
    window.says('{"aid":"change_password","old_password":"pw","new_password":"new"}')
    await window.quiet()
    assert window.line.closed == (1011, "the password could not be changed, try again")
    assert "the disk is gone" in caplog.text


async def test_whoever_waits_for_an_entry_that_nobody_will_tell_of_hears_that(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    user = await exchange.desk.log_in(ALICE, "pw", address=HERE)
    assert user is not None
    command = Deposit(account_id=AccountId(user.account_id), amount=Money(1))
    waiting = exchange.desk.begin(command, actor="operator", origin="test")
    exchange.desk.begin(command, actor="operator", origin="test")  # nobody waits for this one
    exchange.desk.outcomes_unknown(RuntimeError("no space left"))
    with pytest.raises(OutcomeUnknownError, match="no space left"):
        await waiting
    with caplog.at_level(logging.ERROR):
        # Behind this one nothing holds on to the other two any more.
        await exchange.desk.carry_out(command, actor="operator", origin="test")
        del waiting
        gc.collect()
    assert caplog.text == ""


async def test_what_was_not_taken_is_not_waited_for(exchange: Exchange) -> None:
    exchange.sequencer.stop()
    with pytest.raises(NotTakenError) as refused:
        exchange.desk.begin(Deposit(account_id=AccountId("A"), amount=Money(1)), actor="operator", origin="test")
    assert refused.value.why is NotTaken.STOPPED
    exchange.desk.outcomes_unknown(RuntimeError("later"))
