"""Accounts are opened, paid into and out of, suspended and restored."""

from __future__ import annotations

import pytest

from exchange.domain.commands import Deposit, OpenAccount, RestoreAccount, SuspendAccount, Withdraw
from exchange.domain.events import AccountOpened, AccountRestored, AccountSuspended, Deposited, Withdrawn
from exchange.domain.rejections import RejectReason
from exchange.domain.values import MONEY_MAX, AccountId, Money
from tests.support.commands import (
    CLOSE,
    TRADER,
    bid,
    buy,
    cancel,
    last_trade,
    open_account,
    restore,
    sell,
    suspend,
    traded,
)
from tests.support.decider import accepted, cancelled, event, given, not_done, refused, repeated, trade
from tests.support.market import Yuan, micro

MOST = MONEY_MAX // 1_000_000


def deposit(yuan: Yuan, account: str = "A") -> Deposit:
    return Deposit(account_id=AccountId(account), amount=Money(micro(yuan)))


def withdraw(yuan: Yuan, account: str = "A") -> Withdraw:
    return Withdraw(account_id=AccountId(account), amount=Money(micro(yuan)))


def test_an_account_is_opened_and_its_deposit_follows_in_the_same_entry() -> None:
    given().when(open_account("A", 500)).then(
        event(AccountOpened, account_id="A"), event(Deposited, account_id="A", amount=micro(500))
    ).then_figures("A", deposit=500, balance=500, available=500)


def test_an_account_may_be_opened_without_money() -> None:
    given().when(open_account("A", 0)).then(event(AccountOpened, account_id="A")).then_figures("A", balance=0)


def test_an_account_is_opened_once() -> None:
    given(open_account("A", 500)).when(open_account("A", 700)).then(not_done(RejectReason.ACCOUNT_EXISTS)).then_figures(
        "A", balance=500
    )


@pytest.mark.parametrize("amount", [-1, MONEY_MAX + 1])
def test_an_account_is_not_opened_with_an_impossible_deposit(amount: int) -> None:
    scenario = given().when(OpenAccount(account_id=AccountId("A"), deposit=Money(amount)))
    scenario.then(not_done(RejectReason.AMOUNT, amount=amount, amount_max=MONEY_MAX))
    assert "A" not in scenario.state.accounts


def test_deposits_and_withdrawals_add_up() -> None:
    given(open_account("A", 500)).when(deposit("0.000001"), withdraw("200.5")).then(
        event(Deposited, account_id="A", amount=1), event(Withdrawn, account_id="A", amount=micro("200.5"))
    ).then_figures("A", deposit="500.000001", withdraw="200.5", balance="299.500001")


@pytest.mark.parametrize("yuan", [0, -1, MOST + 1])
def test_a_deposit_is_positive_and_bounded(yuan: int) -> None:
    given(open_account("A", 0)).when(deposit(yuan)).then(
        not_done(RejectReason.AMOUNT, amount=micro(yuan), amount_max=MONEY_MAX)
    )


def test_an_account_holds_at_most_so_much_in_deposits() -> None:
    given(open_account("A", MOST - 10)).when(deposit(11), deposit(10), withdraw(4), deposit(4)).then(
        not_done(RejectReason.AMOUNT, amount=micro(11), amount_max=micro(10)),
        event(Deposited, amount=micro(10)),
        event(Withdrawn, amount=micro(4)),
        event(Deposited, amount=micro(4)),
    )


def test_one_deposit_stays_within_the_bound_also_after_profits_were_withdrawn() -> None:
    """The static balance is below zero then, which must not raise the bound."""
    scenario = given(open_account("A", 100), open_account("M", 1_000), traded("A", "M", 100, 10), last_trade(120))
    scenario.given(traded("M", "A", 120, 10, buys=CLOSE, sells=CLOSE)).when(withdraw(300)).then(
        event(Withdrawn, amount=micro(300))
    )
    scenario.then_figures("A", balance=0).when(deposit(MOST + 1)).then(
        not_done(RejectReason.AMOUNT, amount=micro(MOST + 1), amount_max=MONEY_MAX)
    )


@pytest.mark.parametrize("yuan", [0, -1, MOST + 1])
def test_a_withdrawal_is_positive_and_bounded(yuan: int) -> None:
    given(open_account("A", 100)).when(withdraw(yuan)).then(
        not_done(RejectReason.AMOUNT, amount=micro(yuan), amount_max=MONEY_MAX)
    )


def test_what_margin_and_orders_hold_cannot_be_withdrawn() -> None:
    """Of 100: 50 are margin, 10 are frozen, a gain of 5 is not real yet."""
    given(open_account("A", 100), traded("A", "M", 100, 5), last_trade(101), buy("a1", 100, 1, account="A")).when(
        withdraw("40.000001"), withdraw(40)
    ).then(
        not_done(RejectReason.WITHDRAWABLE, amount=micro("40.000001"), available=micro(40)),
        event(Withdrawn, amount=micro(40)),
    ).then_figures("A", available=0)


@pytest.mark.parametrize("command", [deposit(1, "nobody"), withdraw(1, "nobody")])
def test_nobody_s_money(command: Deposit | Withdraw) -> None:
    given().when(command).then(not_done(RejectReason.UNKNOWN_ACCOUNT))


# --- Suspended accounts -----------------------------------------------------------------------------------------------


def test_a_suspended_account_sends_no_orders_until_it_is_restored() -> None:
    given().when(suspend(reason="margin call"), buy("t1", 100), restore(), buy("t2", 100)).then(
        event(AccountSuspended, account_id=TRADER, reason="margin call"),
        refused("t1", RejectReason.SUSPENDED),
        event(AccountRestored, account_id=TRADER),
        accepted("t2"),
    )


def test_a_suspended_account_does_not_close_either() -> None:
    given(traded("T", "M", 100, 5), suspend()).when(sell("t1", 100, 5, effect=CLOSE)).then(
        refused("t1", RejectReason.SUSPENDED)
    )


def test_the_orders_of_a_suspended_account_stay_and_trade() -> None:
    given(bid("m1", 99, 5), buy("t1", 100, 5), suspend()).when(sell("a1", 100, 2, account="M")).then(
        accepted("a1"), trade(taker="a1", maker="t1", price=100, lots=2)
    ).then_book("3 | 100 |\n5 | 99 |")


def test_the_orders_of_a_suspended_account_may_be_cancelled() -> None:
    given(buy("t1", 100, 5), suspend()).when(cancel("t1")).then(cancelled("t1", 5)).then_figures(
        TRADER, frozen_margin=0, frozen_commission=0
    )


def test_money_comes_into_a_suspended_account_and_does_not_leave_it() -> None:
    given(open_account("A", 500), suspend("A")).when(deposit(7), withdraw(1), restore("A"), withdraw(1)).then(
        event(Deposited, amount=micro(7)),
        not_done(RejectReason.ACCOUNT_SUSPENDED),
        event(AccountRestored),
        event(Withdrawn, amount=micro(1)),
    ).then_figures("A", balance=506)


def test_an_order_id_keeps_its_first_outcome_across_a_suspension() -> None:
    """What was accepted before is repeated, not refused; what was refused meanwhile stays refused."""
    given(buy("t1", 100), suspend()).when(buy("t1", 100), buy("t2", 100), restore(), buy("t2", 100)).then(
        repeated("t1"), refused("t2", RejectReason.SUSPENDED), event(AccountRestored), repeated("t2")
    )


def test_an_account_is_suspended_once_and_restored_once() -> None:
    given().when(restore(), suspend(), suspend(), restore(), restore()).then(
        not_done(RejectReason.NOT_SUSPENDED),
        event(AccountSuspended),
        not_done(RejectReason.ACCOUNT_SUSPENDED),
        event(AccountRestored),
        not_done(RejectReason.NOT_SUSPENDED),
    )


def test_the_reason_of_a_suspension_is_bounded() -> None:
    given().when(suspend(reason="x" * 201), suspend(reason="x" * 200)).then(
        not_done(RejectReason.REASON_LENGTH, length=201, length_max=200), event(AccountSuspended, reason="x" * 200)
    )


@pytest.mark.parametrize("command", [suspend("nobody"), restore("nobody")])
def test_nobody_is_suspended_or_restored(command: SuspendAccount | RestoreAccount) -> None:
    given().when(command).then(not_done(RejectReason.UNKNOWN_ACCOUNT))
