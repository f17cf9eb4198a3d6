"""A command that cannot be decided changes nothing; an event that cannot be stops the process."""

from __future__ import annotations

from importlib import import_module
from typing import Any, get_args

import msgspec
import pytest

from exchange.decider import PoisonCommandError, decide, evolve, execute, refuse_poison
from exchange.decider.evolve import _FOLDS
from exchange.decider.fills import TradeWriter
from exchange.domain.commands import Command, Deposit, OpenAccount
from exchange.domain.events import (
    AccountOpened,
    AccountRestored,
    AccountSuspended,
    CommandRefused,
    Deposited,
    Event,
    OrderAccepted,
    OrderCancelled,
)
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, InstrumentId, Lots, Money, OrderNo, TradeNo
from tests.support.commands import CLOSE, ask, bid, buy, cancel, open_account, restore, sell, suspend, traded
from tests.support.decider import Scenario, given
from tests.support.market import TOY, micro

# --- Deciding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        buy("t1", 100, 5),
        sell("t1", 100, 5, effect=CLOSE),
        cancel("m1", "M"),
        open_account("new", 5),
        Deposit(account_id=AccountId("T"), amount=Money(1)),
        suspend(),
        restore(),
    ],
    ids=lambda command: type(command).__name__,
)
def test_deciding_changes_nothing(command: Command) -> None:
    scenario = given(ask("m1", 100, 3), ask("m2", 100, 3), traded("T", "M", 90, 5))
    before = scenario.hash.value()
    first = decide(scenario.state, command, 1)
    assert not scenario.state.changed
    assert decide(scenario.state, command, 1) == first
    assert scenario.hash.value() == before


def test_a_command_that_cannot_be_decided_changes_nothing_and_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = given(open_account("T"), ask("m1", 100, 3), ask("m2", 101, 3))
    before = scenario.hash.value()
    monkeypatch.setattr(TradeWriter, "trade", _fails_at_the_second_call(TradeWriter.trade))
    with pytest.raises(PoisonCommandError, match="deciding a InsertOrder failed") as caught:
        execute(scenario.state, buy("t1", 101, 6), 1)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert scenario.hash.value() == before
    scenario.then_book("| 100 | 3\n| 101 | 3")


def _fails_at_the_second_call(function: Any) -> Any:
    calls = []

    def failing(*args: Any) -> Any:
        calls.append(args)
        return function(*args) if len(calls) == 1 else 1 // 0

    return failing


@pytest.mark.parametrize(
    ("command", "account_id", "subject"),
    [(buy("t1", 100), "T", "t1"), (open_account("A"), "A", ""), (cancel("t1"), "T", "t1")],
)
def test_a_poison_command_leaves_one_event(command: Command, account_id: str, subject: str) -> None:
    scenario = given()
    before = scenario.hash.value()
    assert refuse_poison(scenario.state, command) == (
        CommandRefused(
            command=type(command).__name__,
            account_id=AccountId(account_id),
            subject=subject,
            reason=RejectReason.POISON,
            facts={},
        ),
    )
    assert scenario.hash.value() == before


def test_a_failure_after_events_are_folded_in_is_no_poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is open already, and the log does not know: the caller must not go on."""
    scenario = given()
    # The package's name `decide` is the function, so the module is asked for by its full name.
    monkeypatch.setattr(import_module("exchange.decider.decide"), "deposit", lambda state, command: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        execute(scenario.state, OpenAccount(account_id=AccountId("A"), deposit=Money(1)), 1)


# --- Evolving ---------------------------------------------------------------------------------------------------------


def test_every_event_is_folded() -> None:
    assert set(_FOLDS) == set(get_args(Event))


def standing() -> Scenario:
    """T: order t1 of 5 lots rests, t2 is filled, t3 was refused; M: m1 of 5 lots rests."""
    return given(buy("t1", 90, 5), traded("T", "M", 100, 1), ask("m1", 110, 5)).when(buy("t3", 151))


def accepted_like(**changes: Any) -> OrderAccepted:
    scenario = standing()
    (accepted,) = scenario.when(buy("t4", 90, 5)).outcome
    assert isinstance(accepted, OrderAccepted)
    return msgspec.structs.replace(accepted, **changes)


def cancelled_like(**changes: Any) -> OrderCancelled:
    (cancelled,) = standing().when(cancel("t1")).outcome
    assert isinstance(cancelled, OrderCancelled)
    return msgspec.structs.replace(cancelled, **changes)


def trade_like(**changes: Any) -> Event:
    trade = standing().when(buy("t4", 110, 5)).outcome[1]
    return msgspec.structs.replace(trade, **changes)


IMPOSSIBLE: dict[str, tuple[Event, type[Exception]]] = {
    "an order number is left out": (accepted_like(order_no=OrderNo(7)), AssertionError),
    "an order number comes twice": (accepted_like(order_no=OrderNo(5)), AssertionError),
    "an order id comes twice": (accepted_like(order_id="t1"), AssertionError),
    "an order of nobody": (accepted_like(account_id=AccountId("nobody")), KeyError),
    "an order for nothing": (accepted_like(instrument_id=InstrumentId("TEST.none")), KeyError),
    "a close of what was never held": (accepted_like(effect=CLOSE, account_id=AccountId("house1")), KeyError),
    "a cancel of an unknown order": (cancelled_like(order_id="t9"), KeyError),
    "a cancel of a refused order": (cancelled_like(order_id="t3"), AssertionError),
    "a cancel with another number": (cancelled_like(order_no=OrderNo(3)), AssertionError),
    "a cancel of other lots": (cancelled_like(lots_left=Lots(4)), AssertionError),
    "a trade number is left out": (trade_like(trade_no=TradeNo(3)), AssertionError),
    "a trade of an order that is not there": (trade_like(), KeyError),
    "an account is opened twice": (AccountOpened(account_id=AccountId("T")), AssertionError),
    "a suspension of nobody": (AccountSuspended(account_id=AccountId("nobody"), reason=""), KeyError),
    "an account is restored that is not suspended": (AccountRestored(account_id=AccountId("T")), AssertionError),
    "a deposit to nobody": (Deposited(account_id=AccountId("nobody"), amount=Money(1)), KeyError),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_event_stops_the_process(name: str) -> None:
    impossible, error = IMPOSSIBLE[name]
    with pytest.raises(error):
        evolve(standing().state, impossible)


def test_an_instrument_registered_twice_stops_the_process() -> None:
    registered = Scenario(TOY).entries[0][2][0]
    with pytest.raises(AssertionError, match="registered twice"):
        evolve(given().state, registered)


def test_an_account_suspended_twice_stops_the_process() -> None:
    scenario = given().when(suspend())
    with pytest.raises(AssertionError, match="account T was suspended twice"):
        evolve(scenario.state, scenario.outcome[0])


def test_a_trade_with_more_lots_than_are_left_stops_the_process() -> None:
    accepted, trade = standing().when(buy("t4", 110, 5)).outcome
    scenario = standing()
    evolve(scenario.state, accepted)
    with pytest.raises(AssertionError, match="has 5 lots left, 6 were filled"):
        evolve(scenario.state, msgspec.structs.replace(trade, lots=Lots(6)))


def test_a_finished_order_cannot_change() -> None:
    scenario = standing().when(cancel("t1"))
    with pytest.raises(AssertionError, match="is CANCELLED, it cannot change"):
        evolve(scenario.state, scenario.outcome[0])


def test_following_events_see_the_ones_before() -> None:
    """The deposit of an account is decided after it is open."""
    scenario = given().when(open_account("A", 5))
    assert [type(event) for event in scenario.outcome] == [AccountOpened, Deposited]
    assert scenario.state.accounts[AccountId("A")].cash.deposit == micro(5)
    given(bid("m1", 99)).then_book("1 | 99 |")
