"""A command becomes events. Reads the state, changes nothing; `execute` drives a command and all that follows from
it."""

from __future__ import annotations

from typing import assert_never

from exchange.decider.accounts import deposit, open_account, restore_account, suspend_account, withdraw
from exchange.decider.evolve import evolve
from exchange.decider.listing import register_instrument
from exchange.decider.orders import cancel_order, insert_order
from exchange.decider.refusing import refused
from exchange.decider.state import ExchangeState
from exchange.domain.commands import (
    CancelOrder,
    Command,
    Deposit,
    InsertOrder,
    OpenAccount,
    RegisterInstrument,
    RestoreAccount,
    SuspendAccount,
    Withdraw,
)
from exchange.domain.events import AccountOpened, Event
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId


class PoisonCommandError(Exception):
    """Deciding a command failed inside the exchange: an error of ours. Nothing of it was done; see `refuse_poison`."""


def execute(state: ExchangeState, command: Command, at_ns: int) -> tuple[Event, ...]:
    """Decide a command and whatever follows from its events, and fold every event into the state at once.

    Returns the events of the whole entry, at least one. `at_ns` is the entry's time, in ns since 1970 UTC.

    Raises PoisonCommandError where the command itself cannot be decided: the state is as it was. Any other exception
    must end the process: events that are already folded in, of which the log knows nothing, cannot be taken back.
    """
    try:
        events = decide(state, command, at_ns)
    except Exception as error:
        raise PoisonCommandError(f"deciding a {type(command).__name__} failed: {error!r}") from error
    for event in events:
        evolve(state, event)
    follow_ups = _follow_ups(command, events)
    return events + _follow(state, follow_ups, at_ns) if follow_ups else events


def _follow(state: ExchangeState, commands: tuple[Command, ...], at_ns: int) -> tuple[Event, ...]:
    """Decide and fold what follows, and what follows from that. No poison here: the facts it follows from stand."""
    events: tuple[Event, ...] = ()
    for command in commands:
        decided = decide(state, command, at_ns)
        for event in decided:
            evolve(state, event)
        events += decided + _follow(state, _follow_ups(command, decided), at_ns)
    return events


def refuse_poison(state: ExchangeState, command: Command) -> tuple[Event, ...]:
    """The entry of a command that `execute` could not decide, folded into the state like any other."""
    account_id: AccountId = getattr(command, "account_id", AccountId(""))
    subject: str = getattr(command, "order_id", "")
    event = refused(command, RejectReason.POISON, {}, account_id=account_id, subject=subject)
    evolve(state, event)
    return (event,)


def decide(state: ExchangeState, command: Command, at_ns: int) -> tuple[Event, ...]:
    """The events that a command leads to in this state, at least one: a refusal is an event too."""
    match command:
        case InsertOrder():
            return insert_order(state, command, at_ns)
        case CancelOrder():
            return (cancel_order(state, command, at_ns),)
        case OpenAccount():
            return (open_account(state, command),)
        case Deposit():
            return (deposit(state, command),)
        case Withdraw():
            return (withdraw(state, command),)
        case SuspendAccount():
            return (suspend_account(state, command),)
        case RestoreAccount():
            return (restore_account(state, command),)
        case RegisterInstrument():
            return (register_instrument(state, command, at_ns),)
        case _:
            assert_never(command)


def _follow_ups(command: Command, events: tuple[Event, ...]) -> tuple[Command, ...]:
    """What a decided command leads to in the same entry: an account that was opened with money gets its deposit."""
    if type(command) is OpenAccount and command.deposit and type(events[-1]) is AccountOpened:
        return (Deposit(account_id=command.account_id, amount=command.deposit),)
    return ()
