"""Accounts are opened, and money comes in and goes out."""

from __future__ import annotations

from exchange.decider.refusing import refused
from exchange.decider.state import ExchangeState
from exchange.domain.account import available_now
from exchange.domain.commands import Deposit, OpenAccount, Withdraw
from exchange.domain.events import AccountOpened, CommandRefused, Deposited, Facts, Withdrawn
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
    """Takes at most what keeps the account's deposits less its withdrawals within `MONEY_MAX`."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return refused(command, RejectReason.UNKNOWN_ACCOUNT, {}, account_id=command.account_id)
    room = min(MONEY_MAX, MONEY_MAX - account.cash.static_balance)
    if not 0 < command.amount <= room:
        return _amount_refused(command, command.amount, room)
    return Deposited(account_id=command.account_id, amount=command.amount)


def withdraw(state: ExchangeState, command: Withdraw) -> Withdrawn | CommandRefused:
    """Gives at most what is available."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return refused(command, RejectReason.UNKNOWN_ACCOUNT, {}, account_id=command.account_id)
    if not 0 < command.amount <= MONEY_MAX:
        return _amount_refused(command, command.amount, MONEY_MAX)
    free = available_now(account.cash, account.positions.values())
    if command.amount > free:
        facts: Facts = {"amount": command.amount, "available": free}
        return refused(command, RejectReason.WITHDRAWABLE, facts, account_id=command.account_id)
    return Withdrawn(account_id=command.account_id, amount=command.amount)


def _amount_refused(command: OpenAccount | Deposit | Withdraw, amount: int, most: int) -> CommandRefused:
    facts: Facts = {"amount": amount, "amount_max": most}
    return refused(command, RejectReason.AMOUNT, facts, account_id=command.account_id)
