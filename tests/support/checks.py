"""Everything that is to hold of one session, in checks that raise AssertionError."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from functools import cache

from msgspec import Struct

from exchange.codec import COMMANDS, EVENTS
from exchange.decider import ExchangeState, StateHash, decide, evolve, execute
from exchange.decider.state import HeldPosition, TradingAccount
from exchange.domain.account import Figures, available_now
from exchange.domain.commands import Command
from exchange.domain.events import Event
from exchange.domain.instrument import Mark
from exchange.domain.order import Order
from exchange.domain.position import position_profit
from tests.support.flows import ACCOUNTS, INSTRUMENTS, POOR, RICH, Action, Session, opening
from tests.support.laws import Witness
from tests.support.slow_exchange import Lot, SlowExchange, said, yuan


def everything_holds(actions: list[Action]) -> None:
    """All of the checks below."""
    session = check_laws(actions)
    check_slow_exchange(actions)
    check_replay(session)
    check_hash(session)
    check_hash_covers(session.state)


def check_laws(actions: list[Action]) -> Session:
    """The laws hold after every command, and deciding alone changes nothing."""
    session, witness = Session(), Witness(opening())
    for action in actions:
        command, before = session.command_of(action), dump(session.state)
        first = decide(session.state, command, session.next_at_ns)
        assert dump(session.state) == before, "decide changed the state"
        entry = session.carry_out(command)
        assert entry.events == first, "deciding again gave other events"
        witness.check_entry(entry.events)
        witness.check_state(session.state)
    return session


def check_slow_exchange(actions: list[Action]) -> None:
    """The slow exchange says the same of every command, and has the same money."""
    session, slow = Session(), _slow_opening()
    for action in actions:
        entry = session.play(action)
        assert said(entry.events) == slow.execute(entry.command), f"after {entry.command}"
        for account_id, account in session.state.accounts.items():
            other = slow.accounts[account_id]
            assert _money(account) == (slow.balance(other), slow.available(other)), f"of {account_id}"


def check_replay(session: Session) -> None:
    """What is read back from the bytes of the log leads to the same state, and the stored commands to the same
    bytes."""
    folded, redecided = opening(), opening()
    folded_hash, redecided_hash = StateHash(folded), StateHash(redecided)
    for entry in session.entries:
        again = execute(redecided, reread_command(entry.command), entry.at_ns)
        assert [EVENTS.encode(event) for event in again] == [EVENTS.encode(event) for event in entry.events]
        for event in entry.events:
            evolve(folded, reread(event))
        assert folded_hash.value() == redecided_hash.value()
    assert dump(folded) == dump(session.state)
    assert folded_hash.value() == StateHash(session.state).value()


def check_hash(session: Session) -> None:
    """The hash moves when, and only when, the state does, and is the one of the whole state made anew."""
    state = opening()
    state_hash = StateHash(state)
    seen = (dump(state), state_hash.value())
    for entry in session.entries:
        for event in entry.events:
            evolve(state, event)
            now = (dump(state), state_hash.value())
            assert (now[0] == seen[0]) is (now[1] == seen[1]), f"the hash does not follow the state at {event}"
            seen = now
    assert hash_anew(state) == seen[1]


def hash_anew(state: ExchangeState) -> bytes:
    """The hash of a whole state, by a walk over all that is in it."""
    state.changed.clear()
    for listing in state.instruments.values():
        state.changed[listing] = None
    for account in state.accounts.values():
        state.changed[account] = None
        state.changed.update(dict.fromkeys(account.positions.values()))
        state.changed.update(dict.fromkeys(account.orders.values()))
    return StateHash(state).value()


DERIVED = {
    (HeldPosition, "long_margin"),
    (HeldPosition, "short_margin"),
    (Order, "frozen_margin"),
    (Order, "frozen_commission"),
    (Order, "order_no"),
    (Order, "price"),
    (Mark, "multiplier"),
}
"""Numbers that follow from others, kept for speed; the hash need not hold them."""


def check_hash_covers(state: ExchangeState) -> None:
    """Every number in the state is in the hash, but for those that follow from others."""
    before = hash_anew(state)
    for owner, name in _numbers(state):
        value = getattr(owner, name)
        setattr(owner, name, value + 1)
        assert (hash_anew(state) == before) is ((type(owner), name) in DERIVED), f"{type(owner).__name__}.{name}"
        setattr(owner, name, value)


def _numbers(state: ExchangeState) -> list[tuple[object, str]]:
    """(object, attribute) of every whole number that a session may change; a book follows from its orders."""
    owners: list[object] = [state, *(listing.mark for listing in state.instruments.values())]
    for account in state.accounts.values():
        owners += [account.cash, *(order for order in account.orders.values() if isinstance(order, Order))]
        for held in account.positions.values():
            owners += [held, held.position.long, held.position.short]
            for holdings in (held.long_holdings, held.short_holdings):
                owners += [*holdings.history, *holdings.today]
    return [(owner, name) for owner in owners for name in _attributes(owner) if type(getattr(owner, name)) is int]


def reread(event: Event) -> Event:
    """The event as the log gives it back."""
    return EVENTS.decode(*EVENTS.encode(event))


def reread_command(command: Command) -> Command:
    """The command as the log gives it back."""
    return COMMANDS.decode(*COMMANDS.encode(command))


def dump(value: object) -> object:
    """A state, or any part of it, down to its texts and numbers."""
    names = _attributes(value)
    if names:
        return (type(value).__name__, *[dump(getattr(value, name)) for name in names])
    if isinstance(value, dict):
        return [(key, dump(each)) for key, each in value.items()]
    if isinstance(value, list | deque):
        return [dump(each) for each in value]
    assert value is None or isinstance(value, int | str | Struct), f"{value!r} in the state"
    return value


def _attributes(value: object) -> tuple[str, ...]:
    """The attributes of a mutable object of the state; none of anything else."""
    kind: type = type(value)
    return _attributes_of(kind)


@cache
def _attributes_of(kind: type) -> tuple[str, ...]:
    if issubclass(kind, Struct):
        return () if kind.__struct_config__.frozen else kind.__struct_fields__
    if issubclass(kind, int | str):
        return ()
    slots: tuple[str, ...] = getattr(kind, "__slots__", ())
    return tuple(name for name in slots if (kind, name) != (ExchangeState, "changed"))


def _slow_opening() -> SlowExchange:
    """The slow exchange with the older lots of the opening state, one by one."""
    lots = [
        Lot(account_id, instrument_id, long, yuan(holding.open_price), yuan(holding.basis), today=False)
        for account_id, account in opening().accounts.items()
        for instrument_id, held in account.positions.items()
        for long, holdings in ((True, held.long_holdings), (False, held.short_holdings))
        for holding in holdings.history
        for _ in range(holding.lots)
    ]
    return SlowExchange(INSTRUMENTS, {name: Decimal(POOR if name == "poor" else RICH) for name in ACCOUNTS}, lots)


def _money(account: TradingAccount) -> tuple[Decimal, Decimal]:
    """(balance, available)."""
    positions = account.positions.values()
    profit = sum(position_profit(held.position, held.mark.price, held.mark.multiplier) for held in positions)
    balance = Figures(account.cash, profit, 0, 0).balance
    return yuan(balance), yuan(available_now(account.cash, positions))
