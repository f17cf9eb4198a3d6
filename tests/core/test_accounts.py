"""Accounts are opened, paid into and out of."""

from __future__ import annotations

import pytest

from exchange.domain.commands import Deposit, OpenAccount, Withdraw
from exchange.domain.events import AccountOpened, Deposited, Withdrawn
from exchange.domain.rejections import RejectReason
from exchange.domain.values import MONEY_MAX, AccountId, Money
from tests.support.commands import CLOSE, buy, last_trade, open_account, traded
from tests.support.decider import event, given, not_done
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
