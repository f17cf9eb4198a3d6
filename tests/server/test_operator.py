"""The operator adds users and pays in; what a crash or a login came between is put right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from exchange.domain.rejections import RejectReason
from exchange.domain.values import YUAN, Money
from exchange.gateway.access import Role
from exchange.server.app import Exchange
from exchange.server.identity.users import UnknownUserError, User, UserExistsError
from exchange.server.operator import NoAccountError, RefusedError
from tests.support.running import in_memory

DEPOSIT = Money(1_000 * YUAN)


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    """Unknown users are not let in: only the operator makes any."""
    async with in_memory(auto_open=None) as started:
        yield started


def paid_in(exchange: Exchange, user: User) -> int:
    return exchange.sequencer.state.accounts[user.account_id].cash.deposit


async def test_a_new_user_has_an_account_with_the_deposit(exchange: Exchange) -> None:
    done = await exchange.operator.add_user("alice", "pw", DEPOSIT)
    assert done.log_seq == exchange.sequencer.durable_log_seq
    assert paid_in(exchange, done.user) == DEPOSIT
    assert await exchange.operator.users() == (done.user,)


async def test_what_the_operator_asks_for_is_told_from_what_a_start_brings(exchange: Exchange) -> None:
    head = exchange.store.head.log_seq
    await exchange.operator.add_user("alice", "pw", Money(0))
    actors = {(entry.type, entry.actor, entry.origin) for entry in exchange.store.read()}
    assert actors == {("RegisterInstrument", "system", "market file"), ("OpenAccount", "operator", "operator")}
    assert exchange.store.head.log_seq == head + 1


async def test_an_account_that_a_crash_left_out_is_opened_by_the_same_call(exchange: Exchange) -> None:
    left = await exchange.users.add("alice", "pw")  # and then the process ended
    done = await exchange.operator.add_user("alice", "pw", DEPOSIT)
    assert done.user == left
    assert paid_in(exchange, left) == DEPOSIT


async def test_an_account_that_a_crash_left_out_is_opened_for_the_right_password_only(exchange: Exchange) -> None:
    left = await exchange.users.add("alice", "pw")
    with pytest.raises(UserExistsError, match="alice"):
        await exchange.operator.add_user("alice", "another", DEPOSIT)
    assert left.account_id not in exchange.sequencer.state.accounts


async def test_a_user_who_has_all_of_it_is_not_added_again(exchange: Exchange) -> None:
    done = await exchange.operator.add_user("alice", "pw", DEPOSIT)
    with pytest.raises(UserExistsError, match="alice"):
        await exchange.operator.add_user("alice", "pw", DEPOSIT)
    assert paid_in(exchange, done.user) == DEPOSIT


@pytest.mark.parametrize("deposit", [Money(0), DEPOSIT])
async def test_a_login_that_comes_in_between_costs_no_deposit(
    exchange: Exchange, deposit: Money, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = exchange.users.add

    async def add_and_be_overtaken(*arguments: Any, **options: Any) -> User:
        added = await add(*arguments, **options)
        assert await exchange.desk.log_in("alice", "pw", address="127.0.0.1") is not None
        return added

    monkeypatch.setattr(exchange.users, "add", add_and_be_overtaken)
    done = await exchange.operator.add_user("alice", "pw", deposit)
    assert paid_in(exchange, done.user) == deposit


async def test_a_deposit_needs_a_user_and_an_amount(exchange: Exchange) -> None:
    with pytest.raises(UnknownUserError, match="nobody"):
        await exchange.operator.deposit("nobody", DEPOSIT)
    await exchange.operator.add_user("alice", "pw", Money(0))
    with pytest.raises(RefusedError) as refused:
        await exchange.operator.deposit("alice", Money(0))
    assert refused.value.refusal.reason is RejectReason.AMOUNT


# --- Roles, money out, suspensions ------------------------------------------------------------------------------------


async def test_who_does_not_trade_has_no_account(exchange: Exchange) -> None:
    head = exchange.sequencer.durable_log_seq
    done = await exchange.operator.add_user("olga", "pw", Money(0), Role.OBSERVER)
    assert (done.log_seq, done.user.role) == (None, Role.OBSERVER)
    assert exchange.sequencer.durable_log_seq == head
    with pytest.raises(UserExistsError, match="olga"):
        await exchange.operator.add_user("olga", "pw", Money(0), Role.OBSERVER)
    with pytest.raises(NoAccountError, match="has no account"):
        await exchange.operator.add_user("oskar", "pw", DEPOSIT, Role.OBSERVER)


async def test_the_same_call_for_another_role_adds_nobody(exchange: Exchange) -> None:
    await exchange.operator.add_user("olga", "pw", Money(0), Role.OBSERVER)
    with pytest.raises(UserExistsError, match="olga"):
        await exchange.operator.add_user("olga", "pw", Money(0), Role.TRADER)
    assert len(exchange.sequencer.state.accounts) == 0


async def test_who_becomes_a_trader_gets_an_account_once(exchange: Exchange) -> None:
    added = await exchange.operator.add_user("olga", "pw", Money(0), Role.OBSERVER)
    for role in (Role.TRADER, Role.AUDITOR, Role.TRADER):
        done = await exchange.operator.set_role("olga", role)
        assert (done.user.role, done.user.account_id) == (role, added.user.account_id)
        assert (done.log_seq is None) is (role is Role.AUDITOR)
    assert list(exchange.sequencer.state.accounts) == [added.user.account_id]
    with pytest.raises(UnknownUserError, match="nobody"):
        await exchange.operator.set_role("nobody", Role.TRADER)


async def test_money_leaves_as_far_as_there_is_some(exchange: Exchange) -> None:
    done = await exchange.operator.add_user("alice", "pw", DEPOSIT)
    await exchange.operator.withdraw("alice", DEPOSIT)
    assert exchange.sequencer.state.accounts[done.user.account_id].cash.withdraw == DEPOSIT
    with pytest.raises(RefusedError) as refused:
        await exchange.operator.withdraw("alice", Money(1))
    assert refused.value.refusal.reason is RejectReason.WITHDRAWABLE


async def test_a_suspension_is_in_the_log_with_its_reason(exchange: Exchange) -> None:
    done = await exchange.operator.add_user("alice", "pw", DEPOSIT)
    account = exchange.sequencer.state.accounts[done.user.account_id]
    await exchange.operator.suspend("alice", "trades with itself")
    assert account.suspended
    assert b"trades with itself" in list(exchange.store.read())[-1].body
    await exchange.operator.restore("alice")
    assert not account.suspended
