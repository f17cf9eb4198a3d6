"""Accounts are opened, suspended and restored, and money comes in and goes out."""

from __future__ import annotations

from exchange.decider.refusing import refused
from exchange.decider.state import ExchangeState
from exchange.domain.account import available_now
from exchange.domain.commands import (
    SUSPENSION_REASON_MAX,
    Deposit,
    OpenAccount,
    RestoreAccount,
    SuspendAccount,
    Withdraw,
)
from exchange.domain.events import (
    AccountOpened,
    AccountRestored,
    AccountSuspended,
    CommandRefused,
    Deposited,
    Facts,
    Withdrawn,
)
from exchange.domain.rejections import RejectReason
from exchange.domain.values import MONEY_MAX


def open_account(state: ExchangeState, command: OpenAccount) -> AccountOpened | CommandRefused:
    """Opens it without money: a deposit follows as a command of its own."""
    if command.account_id in state.accounts:
        return refused(command, RejectReason.ACCOUNT_EXISTS, {}, account_id=command.account_id)
    if not 0 <= command.deposit <= MONEY_MAX:
        return _amount_refused(command, command.deposit, MONEY_MAX)
    return AccountOpened(account_id=command.account_id)


def deposit(state: ExchangeState, command: Deposit) -> Deposited | CommandRefused:
    """Takes at most what keeps the account's deposits less its withdrawals within `MONEY_MAX`.

    A suspended account takes money too: more of it harms nobody, and its positions may need the margin.
    """
    account = state.accounts.get(command.account_id)
    if account is None:
        return refused(command, RejectReason.UNKNOWN_ACCOUNT, {}, account_id=command.account_id)
    room = min(MONEY_MAX, MONEY_MAX - account.cash.static_balance)
    if not 0 < command.amount <= room:
        return _amount_refused(command, command.amount, room)
    return Deposited(account_id=command.account_id, amount=command.amount)


def withdraw(state: ExchangeState, command: Withdraw) -> Withdrawn | CommandRefused:
    """Gives at most what is available, and nothing while the account is suspended: what the suspension is about may
    have to be paid from it, and money that has left cannot be called back."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return refused(command, RejectReason.UNKNOWN_ACCOUNT, {}, account_id=command.account_id)
    if not 0 < command.amount <= MONEY_MAX:
        return _amount_refused(command, command.amount, MONEY_MAX)
    if account.suspended:
        return refused(command, RejectReason.ACCOUNT_SUSPENDED, {}, account_id=command.account_id)
    free = available_now(account.cash, account.positions.values())
    if command.amount > free:
        facts: Facts = {"amount": command.amount, "available": free}
        return refused(command, RejectReason.WITHDRAWABLE, facts, account_id=command.account_id)
    return Withdrawn(account_id=command.account_id, amount=command.amount)


def suspend_account(state: ExchangeState, command: SuspendAccount) -> AccountSuspended | CommandRefused:
    """From now on new orders are refused. Working orders stay: others count on the market they see, so they fill or
    are cancelled like any other."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return refused(command, RejectReason.UNKNOWN_ACCOUNT, {}, account_id=command.account_id)
    if len(command.reason) > SUSPENSION_REASON_MAX:
        facts: Facts = {"length": len(command.reason), "length_max": SUSPENSION_REASON_MAX}
        return refused(command, RejectReason.REASON_LENGTH, facts, account_id=command.account_id)
    if account.suspended:
        return refused(command, RejectReason.ACCOUNT_SUSPENDED, {}, account_id=command.account_id)
    return AccountSuspended(account_id=command.account_id, reason=command.reason)


def restore_account(state: ExchangeState, command: RestoreAccount) -> AccountRestored | CommandRefused:
    """New orders are taken again. Those refused meanwhile stay refused: an order id keeps its first outcome."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return refused(command, RejectReason.UNKNOWN_ACCOUNT, {}, account_id=command.account_id)
    if not account.suspended:
        return refused(command, RejectReason.NOT_SUSPENDED, {}, account_id=command.account_id)
    return AccountRestored(account_id=command.account_id)


def _amount_refused(command: OpenAccount | Deposit | Withdraw, amount: int, most: int) -> CommandRefused:
    facts: Facts = {"amount": amount, "amount_max": most}
    return refused(command, RejectReason.AMOUNT, facts, account_id=command.account_id)
